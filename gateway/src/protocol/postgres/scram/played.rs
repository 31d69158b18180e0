//! SCRAM's messages from a side that may say anything.

#![expect(clippy::expect_used, reason = "what does not hold has to be seen")]

use std::sync::LazyLock;

use super::{
    ClientBinding, ClientFirst, ITERATIONS, KeyCache, Keys, MAX_ITERATIONS, MAX_SALT, ScramError, ServerFirst,
};
use super::{STANDARD, mac};
use base64::Engine as _;
use zeroize::Zeroizing;

/// Two messages with a zero between: a server's to the gateway, or a client's.
pub(in crate::protocol::postgres) fn played(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    let mut messages = rest.splitn(2, |byte| *byte == 0);
    let (first, last) = (messages.next().unwrap_or_default(), messages.next().unwrap_or_default());
    let hash = || vec![7; 32];
    if kind & 1 == 0 {
        server(if kind & 2 == 0 { ClientBinding::Unsupported } else { ClientBinding::EndPoint(hash()) }, first, last);
    } else {
        client((kind & 2 != 0).then(hash), kind & 4 != 0, first, last);
    }
}

/// A server that does not know the keys has not proved itself; its challenge costs no more than it may.
fn server(binding: ClientBinding, first: &[u8], last: &[u8]) {
    let begun = ClientFirst::with(binding, "", "own".to_owned());
    let Ok(challenge) = begun.challenge(first) else { return };
    assert!(challenge.iterations.get() <= MAX_ITERATIONS && (1..=MAX_SALT).contains(&challenge.salt.len()));
    assert!(challenge.nonce.len() > 3 && challenge.nonce.starts_with("own"));
    let keys = Keys { client: Zeroizing::new([1; 32]), server: Zeroizing::new([2; 32]) };
    let (message, signature) = challenge.answer(&keys);
    assert!(message.starts_with("c=") && !message.contains(['\0', '\n']));
    let right = STANDARD.encode(mac(&*keys.server, &[signature.signed.as_bytes()]));
    let said = std::str::from_utf8(last).ok().and_then(|last| last.split(',').next());
    let proved = said.and_then(|said| said.strip_prefix("v=")) == Some(&right);
    assert_eq!(signature.verify(last).is_ok(), proved, "a server proves itself by its keys, and by nothing else");
}

/// A client that does not know the password does not come in. In its last message `*` is what the gateway added to its nonce.
fn client(offered: Option<Vec<u8>>, plus: bool, first: &[u8], last: &[u8]) {
    static CACHE: LazyLock<KeyCache> = LazyLock::new(|| {
        let cache = KeyCache::new().expect("random numbers");
        let iterations = ITERATIONS.try_into().expect("more than none");
        let derived = run(cache.keys(b"pencil", &cache.salt, iterations)).expect("keys");
        cache.keep(derived);
        cache
    });
    let bound = offered.is_some();
    let Ok(begun) = run(ServerFirst::new(first, offered, plus, b"pencil", &CACHE)) else { return };
    assert!(plus == matches!(begun.binding, ClientBinding::EndPoint(_)) && (bound || !plus));
    assert!(begun.message().len() < 1024 && begun.message().bytes().all(|byte| byte.is_ascii_graphic()));
    let (nonce, last) = (begun.nonce.clone(), String::from_utf8_lossy(last).into_owned());
    let refused = begun.finish(last.replace('*', &nonce).as_bytes()).expect_err("nobody knows the password");
    assert!(!matches!(refused, ScramError::Downgrade | ScramError::NoRandomness));
}

fn run<T>(future: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    }
    RUNTIME.with(|runtime| runtime.block_on(future))
}
