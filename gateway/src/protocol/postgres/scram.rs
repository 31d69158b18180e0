//! SCRAM-SHA-256 (RFC 5802, RFC 7677), both sides, with the derived keys kept apart from the exchange.
//!
//! A client has to run PBKDF2 for every login. The gateway logs in with the same password again and again, and the
//! server's salt stays the same: the keys that PBKDF2 yields are kept, and a login costs four HMACs.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac, pbkdf2};
use tokio::sync::Semaphore;
use zeroize::{Zeroize, Zeroizing};

#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod played;

pub(super) const SHA_256: &str = "SCRAM-SHA-256";
pub(super) const SHA_256_PLUS: &str = "SCRAM-SHA-256-PLUS";

/// More would let a server, or who claims to be it, occupy a core. PostgreSQL's default is 4096.
const MAX_ITERATIONS: u32 = 200_000;
/// With fewer, whoever claims to be the server could soon have guessed a password from what the gateway answers.
pub(super) const MIN_ITERATIONS: u32 = 4096;
/// What the gateway asks of workloads, as PostgreSQL does.
const ITERATIONS: u32 = 4096;
/// Passwords whose keys are kept: one a resource, and a few after changes of password.
const KEPT: usize = 1024;
/// Keys of one password: one a salt, as the replicas of a cluster or several roles may have.
const KEPT_A_PASSWORD: usize = 4;
const MAX_SALT: usize = 1024;

/// What is wrong with an exchange. Never holds a key or a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ScramError {
    #[error("a SCRAM message is malformed")]
    Malformed,
    #[error("the SCRAM nonce does not continue ours")]
    Nonce,
    #[error("the server asks for {0} SCRAM iterations, and the gateway computes {MAX_ITERATIONS} at most")]
    Iterations(u32),
    #[error(
        "the server asks for {0} SCRAM iterations, fewer than {MIN_ITERATIONS}, over a channel that is not verified"
    )]
    FewIterations(u32),
    #[error("the server reports that SCRAM failed")]
    Rejected,
    #[error("the server's SCRAM signature is wrong: it does not know the password")]
    Signature,
    #[error("the SCRAM channel binding is not that of this connection")]
    Binding,
    #[error("the client says that the gateway has no channel binding, but it offered it")]
    Downgrade,
    #[error("the password is wrong")]
    Proof,
    #[error("the system has no random numbers")]
    NoRandomness,
}

/// What both sides derive from a salted password. Enough to log in, so wiped as a password is.
#[derive(Clone)]
pub(super) struct Keys {
    client: Zeroizing<[u8; 32]>,
    server: Zeroizing<[u8; 32]>,
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    for (out, byte) in out.iter_mut().zip(context.sign().as_ref()) {
        *out = *byte;
    }
    out
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    for (out, byte) in out.iter_mut().zip(digest::digest(&digest::SHA256, bytes).as_ref()) {
        *out = *byte;
    }
    out
}

fn xor(a: &mut [u8; 32], b: &[u8; 32]) {
    for (a, b) in a.iter_mut().zip(b) {
        *a ^= b;
    }
}

/// SASLprep (RFC 4013) where it applies; the bytes as they are where it does not, as PostgreSQL's two sides do.
fn prepare(password: &[u8]) -> Zeroizing<Vec<u8>> {
    let prepared = std::str::from_utf8(password).ok().and_then(|text| stringprep::saslprep(text).ok());
    Zeroizing::new(prepared.map_or_else(|| password.to_vec(), |text| text.into_owned().into_bytes()))
}

impl Keys {
    /// PBKDF2: about a millisecond for 4096 iterations.
    fn derive(password: &[u8], salt: &[u8], iterations: NonZeroU32) -> Self {
        let mut salted = Zeroizing::new([0u8; 32]);
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, &prepare(password), &mut *salted);
        Keys {
            client: Zeroizing::new(mac(&*salted, &[b"Client Key"])),
            server: Zeroizing::new(mac(&*salted, &[b"Server Key"])),
        }
    }
}

/// Derived keys by a keyed hash of what they are derived from: the cache holds no password, and a changed password
/// finds no old key.
pub(crate) struct KeyCache {
    secret: Zeroizing<[u8; 32]>,
    /// The salt of the exchanges in which the gateway is the server.
    salt: [u8; 16],
    kept: Mutex<HashMap<Hash, VecDeque<(Hash, Keys)>>>,
    /// Derivations take half of the cores at most: the others' sessions go on.
    deriving: Arc<Semaphore>,
}

/// A keyed hash.
type Hash = [u8; 32];

/// Keys, and where they are to be kept.
pub(super) struct Derived {
    keys: Keys,
    password: Hash,
    /// With salt and iterations.
    index: Hash,
}

impl std::ops::Deref for Derived {
    type Target = Keys;

    fn deref(&self) -> &Keys {
        &self.keys
    }
}

impl std::fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyCache")
    }
}

impl KeyCache {
    pub(crate) fn new() -> Result<Self, ScramError> {
        let (mut secret, mut salt) = (Zeroizing::new([0; 32]), [0; 16]);
        let random = SystemRandom::new();
        random.fill(&mut *secret).and_then(|()| random.fill(&mut salt)).map_err(|_| ScramError::NoRandomness)?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let deriving = Arc::new(Semaphore::new((cores / 2).max(1)));
        Ok(KeyCache { secret, salt, kept: Mutex::default(), deriving })
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<Hash, VecDeque<(Hash, Keys)>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys, derived on a thread of its own where they are not kept.
    pub(super) async fn keys(
        &self,
        password: &[u8],
        salt: &[u8],
        iterations: NonZeroU32,
    ) -> Result<Derived, ScramError> {
        let length = |part: &[u8]| (part.len() as u64).to_be_bytes();
        let parts: [&[u8]; 5] = [&length(password), password, &length(salt), salt, &iterations.get().to_be_bytes()];
        let index = mac(&*self.secret, &parts);
        let hash = mac(&*self.secret, &[password]);
        let found = self.kept().get(&hash).and_then(|all| all.iter().find(|(at, _)| *at == index).cloned());
        if let Some((_, keys)) = found {
            return Ok(Derived { keys, password: hash, index });
        }
        let permit = Arc::clone(&self.deriving).acquire_owned().await.map_err(|_| ScramError::Malformed)?;
        let (password, salt) = (Zeroizing::new(password.to_vec()), salt.to_vec());
        let derive = move || {
            let keys = Keys::derive(&password, &salt, iterations);
            drop(permit);
            keys
        };
        let keys = tokio::task::spawn_blocking(derive).await.map_err(|_| ScramError::Malformed)?;
        Ok(Derived { keys, password: hash, index })
    }

    /// Keeps keys for the next login. Only those of an exchange in which the other side has proved itself: a server that makes up
    /// salts would have the others' thrown out.
    pub(super) fn keep(&self, derived: Derived) {
        let Derived { keys, password, index } = derived;
        let mut kept = self.kept();
        if kept.len() >= KEPT && !kept.contains_key(&password) {
            kept.clear();
        }
        let all = kept.entry(password).or_default();
        if all.iter().any(|(at, _)| *at == index) {
            return;
        }
        if all.len() >= KEPT_A_PASSWORD {
            all.pop_front();
        }
        all.push_back((index, keys));
    }
}

/// 24 random characters of base64, as PostgreSQL makes them.
fn nonce() -> Result<String, ScramError> {
    let mut bytes = [0; 18];
    SystemRandom::new().fill(&mut bytes).map_err(|_| ScramError::NoRandomness)?;
    Ok(STANDARD.encode(bytes))
}

/// What a client says about channel binding: its GS2 header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ClientBinding {
    /// It cannot.
    Unsupported,
    /// It could, but the server does not offer it.
    NotOffered,
    /// `tls-server-end-point` with this hash.
    EndPoint(Vec<u8>),
}

impl ClientBinding {
    fn header(&self) -> &'static str {
        match self {
            ClientBinding::Unsupported => "n,,",
            ClientBinding::NotOffered => "y,,",
            ClientBinding::EndPoint(_) => "p=tls-server-end-point,,",
        }
    }

    /// The attribute `c`.
    fn encoded(&self) -> String {
        let mut bytes = self.header().as_bytes().to_vec();
        if let ClientBinding::EndPoint(hash) = self {
            bytes.extend_from_slice(hash);
        }
        STANDARD.encode(bytes)
    }
}

/// The client's side of an exchange, before the server's first message.
#[derive(Debug)]
pub(super) struct ClientFirst {
    binding: ClientBinding,
    bare: String,
    nonce: String,
}

impl ClientFirst {
    /// The user's name is empty: PostgreSQL takes that of the startup packet.
    pub(super) fn new(binding: ClientBinding) -> Result<Self, ScramError> {
        Ok(Self::with(binding, "", nonce()?))
    }

    fn with(binding: ClientBinding, user: &str, nonce: String) -> Self {
        ClientFirst { binding, bare: format!("n={user},r={nonce}"), nonce }
    }

    pub(super) fn message(&self) -> String {
        format!("{}{}", self.binding.header(), self.bare)
    }

    /// Reads the server's first message.
    pub(super) fn challenge(self, message: &[u8]) -> Result<Challenge, ScramError> {
        let message = std::str::from_utf8(message).map_err(|_| ScramError::Malformed)?.to_owned();
        let mut attributes = message.split(',');
        let nonce = attribute(attributes.next(), 'r')?.to_owned();
        let salt = STANDARD.decode(attribute(attributes.next(), 's')?).map_err(|_| ScramError::Malformed)?;
        let iterations = attribute(attributes.next(), 'i')?;
        let own = nonce.strip_prefix(&self.nonce).ok_or(ScramError::Nonce)?;
        if own.is_empty() {
            return Err(ScramError::Nonce);
        }
        // It goes back to the server within a message of the gateway's own.
        if !own.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ScramError::Malformed);
        }
        if salt.is_empty() || salt.len() > MAX_SALT || !iterations.bytes().all(|b| b.is_ascii_digit()) {
            return Err(ScramError::Malformed);
        }
        let iterations: NonZeroU32 = iterations.parse().map_err(|_| ScramError::Malformed)?;
        if iterations.get() > MAX_ITERATIONS {
            return Err(ScramError::Iterations(iterations.get()));
        }
        Ok(Challenge { first: self, message, nonce, salt, iterations })
    }
}

/// The client's side, with the server's first message.
#[derive(Debug)]
pub(super) struct Challenge {
    first: ClientFirst,
    message: String,
    nonce: String,
    pub(super) salt: Vec<u8>,
    pub(super) iterations: NonZeroU32,
}

impl Challenge {
    /// The client's last message, and what the server's has to be.
    pub(super) fn answer(self, keys: &Keys) -> (String, ServerSignature) {
        let without_proof = format!("c={},r={}", self.first.binding.encoded(), self.nonce);
        let signed = format!("{},{},{without_proof}", self.first.bare, self.message);
        let mut proof = mac(&sha256(&*keys.client), &[signed.as_bytes()]);
        xor(&mut proof, &keys.client);
        let message = format!("{without_proof},p={}", STANDARD.encode(proof));
        proof.zeroize();
        (message, ServerSignature { key: keys.server.clone(), signed })
    }
}

/// What the server has to prove.
pub(super) struct ServerSignature {
    key: Zeroizing<[u8; 32]>,
    signed: String,
}

impl ServerSignature {
    /// Reads the server's last message.
    pub(super) fn verify(self, message: &[u8]) -> Result<(), ScramError> {
        let message = std::str::from_utf8(message).map_err(|_| ScramError::Malformed)?;
        let first = message.split(',').next();
        if attribute(first, 'e').is_ok() {
            return Err(ScramError::Rejected);
        }
        let signature = STANDARD.decode(attribute(first, 'v')?).map_err(|_| ScramError::Malformed)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &*self.key);
        hmac::verify(&key, self.signed.as_bytes(), &signature).map_err(|_| ScramError::Signature)
    }
}

fn attribute(text: Option<&str>, name: char) -> Result<&str, ScramError> {
    text.and_then(|text| text.strip_prefix(name)?.strip_prefix('=')).ok_or(ScramError::Malformed)
}

/// The server's side, after the client's first message.
pub(super) struct ServerFirst {
    keys: Keys,
    binding: ClientBinding,
    client_bare: String,
    message: String,
    nonce: String,
}

impl ServerFirst {
    /// Reads the client's first message. `offered` is the hash behind SCRAM-SHA-256-PLUS, if that was offered; `plus`
    /// whether the client chose it.
    pub(super) async fn new(
        message: &[u8],
        offered: Option<Vec<u8>>,
        plus: bool,
        password: &[u8],
        cache: &KeyCache,
    ) -> Result<Self, ScramError> {
        let message = std::str::from_utf8(message).map_err(|_| ScramError::Malformed)?;
        let (flag, rest) = message.split_once(',').ok_or(ScramError::Malformed)?;
        let (authzid, bare) = rest.split_once(',').ok_or(ScramError::Malformed)?;
        let binding = match (flag, plus, offered) {
            ("p=tls-server-end-point", true, Some(hash)) => ClientBinding::EndPoint(hash),
            ("n", false, _) => ClientBinding::Unsupported,
            ("y", false, None) => ClientBinding::NotOffered,
            ("y", false, Some(_)) => return Err(ScramError::Downgrade),
            _ => return Err(ScramError::Malformed),
        };
        let mut attributes = bare.split(',');
        attribute(attributes.next(), 'n')?;
        let client_nonce = attribute(attributes.next(), 'r')?;
        let printable =
            |text: &str| !text.is_empty() && text.len() <= 512 && text.bytes().all(|b| b.is_ascii_graphic());
        if !authzid.is_empty() || !printable(client_nonce) {
            return Err(ScramError::Malformed);
        }
        let iterations = NonZeroU32::new(ITERATIONS).ok_or(ScramError::Malformed)?;
        let derived = cache.keys(password, &cache.salt, iterations).await?;
        let keys = derived.keys.clone();
        // The salt is the gateway's own.
        cache.keep(derived);
        let nonce = format!("{client_nonce}{}", nonce()?);
        let message = format!("r={nonce},s={},i={iterations}", STANDARD.encode(cache.salt));
        Ok(ServerFirst { keys, binding, client_bare: bare.to_owned(), message, nonce })
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// Reads the client's last message; the server's last message, if it proves the password.
    pub(super) fn finish(self, message: &[u8]) -> Result<String, ScramError> {
        let message = std::str::from_utf8(message).map_err(|_| ScramError::Malformed)?;
        let (without_proof, proof) = message.rsplit_once(",p=").ok_or(ScramError::Malformed)?;
        let mut attributes = without_proof.split(',');
        if attribute(attributes.next(), 'c')? != self.binding.encoded() {
            return Err(ScramError::Binding);
        }
        if attribute(attributes.next(), 'r')? != self.nonce {
            return Err(ScramError::Nonce);
        }
        let signed = format!("{},{},{without_proof}", self.client_bare, self.message);
        let proof = STANDARD.decode(proof).map_err(|_| ScramError::Malformed)?;
        let mut client: [u8; 32] = proof.try_into().map_err(|_| ScramError::Malformed)?;
        let stored = sha256(&*self.keys.client);
        xor(&mut client, &mac(&stored, &[signed.as_bytes()]));
        // Compared under a key that the client does not know: no time tells how much of it is right.
        let key = hmac::Key::new(hmac::HMAC_SHA256, &*self.keys.server);
        hmac::verify(&key, &sha256(&client), hmac::sign(&key, &stored).as_ref()).map_err(|_| ScramError::Proof)?;
        Ok(format!("v={}", STANDARD.encode(mac(&*self.keys.server, &[signed.as_bytes()]))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    /// RFC 7677, section 3.
    const SERVER_FIRST: &[u8] =
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    #[test]
    fn the_client_is_that_of_the_specification() {
        let first = ClientFirst::with(ClientBinding::Unsupported, "user", "rOprNGfwEbeRWgbNEkqO".into());
        assert_eq!(first.message(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let challenge = first.challenge(SERVER_FIRST).unwrap();
        let cache = KeyCache::new().unwrap();
        let keys = run(cache.keys(b"pencil", &challenge.salt, challenge.iterations)).unwrap();
        let (message, signature) = challenge.answer(&keys);
        assert_eq!(
            message,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        signature.verify(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").unwrap();
    }

    #[test]
    fn a_server_that_does_not_know_the_password_is_found_out() {
        let answer = |last: &[u8]| {
            let first = ClientFirst::with(ClientBinding::Unsupported, "user", "rOprNGfwEbeRWgbNEkqO".into());
            let challenge = first.challenge(SERVER_FIRST).unwrap();
            let keys = Keys::derive(b"pencil", &challenge.salt, challenge.iterations);
            challenge.answer(&keys).1.verify(last)
        };
        assert_eq!(answer(b"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), Err(ScramError::Signature));
        assert_eq!(answer(b"v="), Err(ScramError::Signature));
        assert_eq!(answer(b"e=other-error"), Err(ScramError::Rejected));
        assert_eq!(answer(b""), Err(ScramError::Malformed));
    }

    #[test]
    fn a_challenge_that_lies_is_refused() {
        let challenge = |message: &str| {
            ClientFirst::with(ClientBinding::Unsupported, "", "abc".into()).challenge(message.as_bytes()).map(|_| ())
        };
        assert_eq!(challenge("r=abcdef,s=AAAA,i=4096"), Ok(()));
        assert_eq!(challenge("r=abc,s=AAAA,i=4096"), Err(ScramError::Nonce));
        assert_eq!(challenge("r=xbcdef,s=AAAA,i=4096"), Err(ScramError::Nonce));
        assert_eq!(challenge("r=abcdef,s=AAAA,i=200000"), Ok(()));
        assert_eq!(challenge("r=abcdef,s=AAAA,i=200001"), Err(ScramError::Iterations(200_001)));
        for bad in [
            "r=abc\n,s=AAAA,i=4096",
            "r=abcdef,s=AAAA,i=0",
            "r=abcdef,s=,i=1",
            "r=abcdef,s=!,i=1",
            "r=abcdef,s=AAAA,i=+1",
            "r=abcdef",
            "m=x",
        ] {
            assert_eq!(challenge(bad), Err(ScramError::Malformed), "{bad}");
        }
    }

    fn exchange(
        binding: ClientBinding,
        offered: Option<Vec<u8>>,
        plus: bool,
        client: &[u8],
        server: &[u8],
    ) -> Result<(), ScramError> {
        let cache = KeyCache::new().unwrap();
        let first = ClientFirst::new(binding).unwrap();
        let answering = run(ServerFirst::new(first.message().as_bytes(), offered, plus, server, &cache))?;
        let challenge = first.challenge(answering.message().as_bytes()).unwrap();
        let keys = Keys::derive(client, &challenge.salt, challenge.iterations);
        let (message, signature) = challenge.answer(&keys);
        signature.verify(answering.finish(message.as_bytes())?.as_bytes())
    }

    #[test]
    fn both_sides_agree_and_a_wrong_password_or_binding_does_not() {
        use ClientBinding::{EndPoint, NotOffered, Unsupported};
        let hash = || vec![7; 32];
        assert_eq!(exchange(Unsupported, None, false, b"p", b"p"), Ok(()));
        assert_eq!(exchange(NotOffered, None, false, b"p", b"p"), Ok(()));
        assert_eq!(exchange(EndPoint(hash()), Some(hash()), true, b"p", b"p"), Ok(()));
        assert_eq!(exchange(Unsupported, None, false, b"q", b"p"), Err(ScramError::Proof));
        assert_eq!(exchange(EndPoint(vec![8; 32]), Some(hash()), true, b"p", b"p"), Err(ScramError::Binding));
        assert_eq!(exchange(NotOffered, Some(hash()), false, b"p", b"p"), Err(ScramError::Downgrade));
        assert_eq!(exchange(EndPoint(hash()), None, true, b"p", b"p"), Err(ScramError::Malformed));
    }

    #[test]
    fn passwords_are_prepared_as_postgresql_prepares_them() {
        // U+00AA is U+0061 after NFKC; a prohibited character leaves the password as it is.
        assert_eq!(prepare("I\u{ad}X \u{aa}".as_bytes())[..], *b"IX a");
        assert_eq!(prepare(b"a\x07")[..], *b"a\x07");
        assert_eq!(prepare(b"\xff")[..], *b"\xff");
    }

    #[test]
    fn keys_are_kept_by_password_salt_and_iterations_once_the_server_has_proved_itself() {
        let cache = KeyCache::new().unwrap();
        let one = NonZeroU32::MIN;
        let derive = |password: &[u8], salt: &[u8]| run(cache.keys(password, salt, one)).unwrap();
        let count = || cache.kept().values().map(VecDeque::len).sum::<usize>();
        let first = derive(b"p", b"salt");
        assert_eq!(count(), 0);
        let client = first.client.clone();
        cache.keep(first);
        cache.keep(derive(b"p", b"salt"));
        assert_eq!((count(), &*derive(b"p", b"salt").client), (1, &*client));
        assert_ne!(*derive(b"q", b"salt").client, *client);
        assert_ne!(*derive(b"p", b"tlas").client, *client);
        cache.keep(derive(b"q", b"salt"));
        // New salts for ever: they push out that password's own, and nobody else's.
        for salt in 0..100u8 {
            cache.keep(derive(b"p", &[salt]));
        }
        assert_eq!(count(), KEPT_A_PASSWORD + 1);
    }

    #[test]
    fn derivations_leave_cores_to_the_others() {
        let cache = KeyCache::new().unwrap();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        assert_eq!(cache.deriving.available_permits(), (cores / 2).max(1));
        let permits = u32::try_from(cache.deriving.available_permits()).unwrap();
        let taken = run(Arc::clone(&cache.deriving).acquire_many_owned(permits)).unwrap();
        let waits = run(async {
            let mut keys = std::pin::pin!(cache.keys(b"p", b"salt", NonZeroU32::MIN));
            std::future::poll_fn(|cx| std::task::Poll::Ready(keys.as_mut().poll(cx).is_pending())).await
        });
        assert!(waits);
        drop(taken);
        assert!(run(cache.keys(b"p", b"salt", NonZeroU32::MIN)).is_ok());
    }
}
