//! Servers that lie, flood, stall and do things out of order: the workload gets an error, the gateway goes on.
//!
//! The server is a fake on loopback; the gateway's `serve` is what is tested.

#[path = "postgres_startup/door.rs"]
#[expect(dead_code, reason = "the start-up's suite uses the rest of it")]
mod door;
#[path = "postgres_startup/raw.rs"]
#[expect(dead_code, reason = "the start-up's suite uses the rest of it")]
mod raw;

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use door::{Door, Options};
use harness::{eventually, read_some};
use raw::{Raw, startup};

const ROLE: &str = "the-gateways-role";
const PASSWORD: &str = "the-gateways-password";

/// What a server says: to each message of the gateway's, the start-up message first, the next of these.
type Script = Vec<Vec<u8>>;

/// A server on loopback; ends when dropped.
struct Fake {
    address: SocketAddr,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Fake {
    /// Says its script to every connection, puts the nonce of the gateway's in for `NONCE`, and then keeps the
    /// connection open, or floods it.
    fn start(script: Script, flood: Option<Vec<u8>>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let over = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                // It fails where the gateway closes, which is what is wanted.
                let _ = play(stream, &script, flood.as_deref());
            }
        });
        Ok(Self { address, over, thread: Some(thread) })
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn play(mut stream: TcpStream, script: &Script, flood: Option<&[u8]>) -> Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut heard = vec![0; 64 * 1024];
    for said in script {
        let count = read_some(&mut stream, &mut heard)?;
        ensure!(count > 0, "closed");
        let nonce = String::from_utf8_lossy(heard.get(..count).unwrap_or_default()).into_owned();
        let nonce = nonce.rsplit(",r=").next().unwrap_or_default().to_owned();
        stream.write_all(&with_nonce(said, nonce.as_bytes()))?;
    }
    while let Some(flood) = flood {
        stream.write_all(flood)?;
    }
    // Until the gateway closes.
    while read_some(&mut stream, &mut heard)? > 0 {}
    Ok(())
}

/// A SASL message with the nonce in place, and its length mended.
fn with_nonce(said: &[u8], nonce: &[u8]) -> Vec<u8> {
    const PLACE: &[u8] = b"NONCE";
    let Some(at) = said.windows(PLACE.len()).position(|window| window == PLACE) else { return said.to_vec() };
    let (before, after) = said.split_at(at);
    let body = [before.get(9..), Some(nonce), after.get(PLACE.len()..)].map(Option::unwrap_or_default).concat();
    authentication(11, &body)
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    [&[tag][..], &length.to_be_bytes(), body].concat()
}

fn authentication(code: u32, body: &[u8]) -> Vec<u8> {
    message(b'R', &[&code.to_be_bytes()[..], body].concat())
}

fn sasl() -> Vec<u8> {
    authentication(10, b"SCRAM-SHA-256\0\0")
}

fn challenge(rest: &str) -> Vec<u8> {
    authentication(11, format!("r=NONCEmore,{rest}").as_bytes())
}

/// Reads of `client` may take so long.
fn patient(client: &Raw, limit: Duration) -> Result<()> {
    let Raw::Plain(stream) = client else { anyhow::bail!("TLS") };
    Ok(stream.set_read_timeout(Some(limit))?)
}

/// What a workload is told of a server with this script.
fn told(script: Script, flood: Option<Vec<u8>>) -> Result<String> {
    told_by(script, flood, &Options::default())
}

fn told_by(script: Script, flood: Option<Vec<u8>>, options: &Options) -> Result<String> {
    let fake = Fake::start(script, flood)?;
    let door = Door::to(fake.address, "{ mode = \"disable\" }", (ROLE, PASSWORD), options)?;
    let mut client = Raw::connect(door.port())?;
    client.write_all(&startup(0x0003_0000, &[("user", "somebody"), ("database", "appdb")]))?;
    // A panic would close without an answer.
    let said = client.until_ready()?;
    ensure!(!said.ready, "it was let in");
    for secret in [ROLE, PASSWORD] {
        ensure!(!said.error.contains(secret), "{}", said.error);
        ensure!(!door.recorded()?.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()), "recorded");
    }
    Ok(said.error)
}

/// A server on loopback that lets everybody in, and then takes nothing more.
fn deaf() -> Result<(SocketAddr, JoinHandle<Result<TcpStream>>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept()?;
        ensure!(read_some(&mut stream, &mut [0; 1024])? > 0, "closed");
        let parameter = |text: &str| message(b'S', text.as_bytes());
        let said = [
            authentication(0, b""),
            parameter("standard_conforming_strings\0on\0"),
            parameter("client_encoding\0UTF8\0"),
            message(b'Z', b"I"),
            // The client leaves without having read this: its end reaches the gateway at once, before all that it sent.
            message(b'N', b"SNOTICE\0C00000\0Mhello\0\0"),
        ];
        stream.write_all(&said.concat())?;
        Ok(stream)
    });
    Ok((address, thread))
}

#[test]
fn a_server_that_takes_nothing_more_keeps_no_session_whose_client_is_gone() -> Result<()> {
    let (address, server) = deaf()?;
    let options = Options { credentials: false, ..Options::default() };
    let door = Door::to(address, "{ mode = \"disable\" }", (ROLE, PASSWORD), &options)?;
    let mut client = Raw::connect(door.port())?;
    client.write_all(&startup(0x0003_0000, &[("user", "somebody"), ("database", "appdb")]))?;
    ensure!(client.until_ready()?.ready, "not let in");
    let _deaf = server.join().map_err(|_| anyhow::anyhow!("the server panicked"))??;
    let Raw::Plain(stream) = &mut client else { anyhow::bail!("TLS") };
    stream.set_write_timeout(Some(Duration::from_secs(2)))?;
    // Until neither the gateway nor the kernel takes any more.
    let flushes = message(b'H', b"").repeat(64 * 1024);
    while stream.write_all(&flushes).is_ok() {}
    ensure!(!contains(&door.recorded()?, "the session ended"), "with a client that is there it waits");
    drop(client);
    ensure!(eventually(Duration::from_secs(120), || door
        .recorded()
        .is_ok_and(|all| contains(&all, "the client is gone"))));
    Ok(())
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn what_a_server_may_not_say_during_a_login_ends_it_with_an_error() -> Result<()> {
    let ok = || authentication(0, b"");
    let protocol = "broke the protocol";
    let cases: Vec<(&str, Script, &str)> = vec![
        ("garbage", vec![b"HTTP/1.1 200 OK\r\n\r\n".to_vec()], "broke off"),
        ("a length of nothing", vec![b"R\0\0\0\0".to_vec()], "broke off"),
        ("a length of everything", vec![b"R\xff\xff\xff\xff".to_vec()], "broke off"),
        ("a message too long", vec![b"R\0\x02\0\0".to_vec()], "broke off"),
        ("no code", vec![message(b'R', b"")], protocol),
        ("half a code", vec![message(b'R', b"\0\0")], protocol),
        ("more than Ok", vec![authentication(0, b"x")], protocol),
        ("a short salt", vec![authentication(5, b"abc")], protocol),
        ("mechanisms without an end", vec![authentication(10, b"SCRAM-SHA-256")], protocol),
        ("mechanisms that are no text", vec![authentication(10, b"\xff\0\0")], protocol),
        ("ready at once", vec![message(b'Z', b"I")], protocol),
        ("rows at once", vec![message(b'D', b"\0\x01\0\0\0\x01x")], protocol),
        ("an end without a beginning", vec![authentication(12, b"v=AAAA")], protocol),
        ("a continuation of nothing", vec![authentication(11, b"r=x,s=AAAA,i=4096")], protocol),
        ("GSSAPI", vec![authentication(7, b"")], "which the gateway cannot answer"),
        ("another method", vec![authentication(99, b"")], "which the gateway cannot answer"),
        ("another mechanism", vec![authentication(10, b"OAUTHBEARER\0\0")], "which the gateway cannot answer"),
        ("clear text", vec![authentication(3, b"")], "not verified"),
        ("md5", vec![authentication(5, b"abcd")], "not verified"),
        ("SASL twice", vec![sasl(), sasl()], protocol),
        ("md5 after SASL", vec![sasl(), authentication(5, b"abcd")], protocol),
        ("Ok before the proof", vec![sasl(), ok()], "without having proved"),
        ("Ok after the proof", vec![sasl(), challenge("s=AAAA,i=4096"), ok()], "without having proved"),
        ("a wrong signature", vec![sasl(), challenge("s=AAAA,i=4096"), authentication(12, b"v=AAAA")], "signature"),
        ("a signature that is none", vec![sasl(), challenge("s=AAAA,i=4096"), authentication(12, b"x")], "malformed"),
        ("another nonce", vec![sasl(), authentication(11, b"r=mine,s=AAAA,i=4096")], "nonce"),
        ("a bad salt", vec![sasl(), challenge("s=!,i=4096")], "malformed"),
        ("iterations for a day", vec![sasl(), challenge("s=AAAA,i=4000000000")], "iterations"),
        ("iterations for a second", vec![sasl(), challenge("s=AAAA,i=1000000")], "200000 at most"),
        ("iterations that hide nothing", vec![sasl(), challenge("s=AAAA,i=1")], "fewer than 4096"),
        ("an error that is none", vec![message(b'E', b"\xff\xff")], "refused the connection"),
        ("an error about the role", vec![message(b'E', format!("C28P01\0M{ROLE} is wrong\0\0").as_bytes())], "28P01"),
        ("a parameter that is none", vec![[ok(), message(b'S', b"x")].concat()], protocol),
        ("a key too long", vec![[ok(), message(b'K', &[0; 300])].concat()], protocol),
        ("a key too short", vec![[ok(), message(b'K', b"abcd")].concat()], protocol),
        ("ready in a transaction", vec![[ok(), message(b'Z', b"T")].concat()], protocol),
        ("no parameters", vec![[ok(), message(b'Z', b"I")].concat()], "standard_conforming_strings"),
    ];
    for (name, script, words) in cases {
        let error = told(script, None).with_context(|| name.to_owned())?;
        ensure!(error.contains(words), "{name}: {error}");
    }
    Ok(())
}

#[test]
fn few_iterations_are_answered_where_the_operator_said_so() -> Result<()> {
    let options = Options { more_credentials: ", allow_cleartext = true".into(), ..Options::default() };
    let script = vec![sasl(), challenge("s=AAAA,i=1"), authentication(12, b"v=AAAA")];
    let error = told_by(script, None, &options)?;
    ensure!(error.contains("signature"), "{error}");
    Ok(())
}

#[test]
fn a_server_that_floods_ends_its_own_session() -> Result<()> {
    let notice = message(b'N', &[&b"M"[..], &[b'x'; 1000], b"\0\0"].concat());
    let error = told(vec![Vec::new()], Some(notice.clone()))?;
    ensure!(error.contains("more than 64 messages"), "{error}");
    let parameter = message(b'S', &[&b"n\0"[..], &[b'x'; 1000], b"\0"].concat());
    for flood in [notice, parameter] {
        let error = told(vec![authentication(0, b"")], Some(flood))?;
        ensure!(error.contains("more than 1 MiB"), "{error}");
    }
    Ok(())
}

#[test]
fn a_server_that_stalls_is_given_up() -> Result<()> {
    let fake = Fake::start(vec![Vec::new()], None)?;
    let door = Door::to(fake.address, "{ mode = \"disable\" }", (ROLE, PASSWORD), &Options::default())?;
    let mut client = Raw::connect(door.port())?;
    patient(&client, Duration::from_secs(120))?;
    client.write_all(&startup(0x0003_0000, &[("user", "somebody"), ("database", "appdb")]))?;
    let said = client.until_ready()?;
    ensure!(said.error.contains("took longer than 30 s"), "{}", said.error);
    Ok(())
}

#[test]
fn a_client_that_stalls_between_its_start_up_and_its_password_is_given_up() -> Result<()> {
    let fake = Fake::start(vec![authentication(0, b"")], None)?;
    let options = Options { client_password: Some("workload".into()), ..Options::default() };
    let door = Door::to(fake.address, "{ mode = \"disable\" }", (ROLE, PASSWORD), &options)?;
    let mut client = Raw::connect(door.port())?;
    patient(&client, Duration::from_secs(240))?;
    client.write_all(&startup(0x0003_0000, &[("user", "somebody"), ("database", "appdb")]))?;
    let asked = client.rest()?;
    ensure!(asked.starts_with(b"R") && asked.windows(5).any(|bytes| bytes == b"SCRAM"), "{asked:?}");
    let recorded =
        || door.recorded().is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains("not authenticate in time"));
    ensure!(eventually(Duration::from_secs(10), recorded));
    Ok(())
}
