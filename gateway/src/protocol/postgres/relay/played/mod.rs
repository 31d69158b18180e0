//! Relays that are played with: a session between two peers in this process, with a guard, a recording and policies as
//! any other has them, in time that passes only when nothing else happens.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test, that is also built for the fuzzer: what does not hold has to be seen"
)]

mod messages;
mod model;
mod script;
mod statements;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tempfile::TempDir;
use tokio::io::{AsyncRead as _, AsyncWriteExt as _, DuplexStream, ReadBuf};
use tokio::runtime::Runtime;

pub(in crate::protocol::postgres) use self::messages::message;
use self::model::Model;
use super::message::head;
use crate::access::{Action, Name};
use crate::config::Config;
use crate::fuzzing;
use crate::guard::Core;
use crate::intercept::{ClientAddr, OriginalDestination, Process};
use crate::policy::Policies;
use crate::protocol::Services;
use crate::protocol::postgres::cancel::Registration;
use crate::protocol::postgres::catalog::{Backend, Known};
use crate::protocol::postgres::established::{BackendKind, Established};
use crate::protocol::postgres::wire::Wire;
use crate::protocol::stream::Stream;
use crate::record::Recordings;
use crate::session::{Call, Session};
use crate::sql::{Analyzer, Settings};

const CONFIG: &str = r#"
policies = "policies"
[workloads.job]
match = { cgroup = "/job" }
groups = ["ci"]
[resources.orders]
protocol = "postgres"
address = "192.0.2.1:5432"
[resources.orders.sensitive]
"public.users.ssn" = ["pii"]
"#;

/// Nothing is permitted that the statements of the model call refused.
const POLICY: &str = r#"
@id("baseline")
permit (principal in Group::"ci",
        action in [Action::"connect", Action::"sql.session", Action::"sql.query", Action::"sql.write"], resource);
@id("pii") @mask("redact")
permit (principal, action == Action::"sql.read", resource in Tag::"pii");
"#;

/// How many sessions share a folder of recordings.
const PLAYS: usize = 4096;

/// How much either side can be ahead of the relay, in bytes.
const AHEAD: usize = 4 * 1024 * 1024;

/// What the sessions of this thread share.
struct Ground {
    folder: TempDir,
    config: Config,
    services: Services,
    core: Rc<RefCell<Core>>,
    recordings: Arc<Recordings>,
    runtime: Runtime,
    left: usize,
}

impl Ground {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (file, policies) = (folder.path().join("gateway.toml"), folder.path().join("policies"));
        std::fs::create_dir(&policies).expect("a folder in it");
        std::fs::write(policies.join("played.cedar"), POLICY).expect("a file in that");
        let config = format!("state_dir = {:?}\n{CONFIG}", folder.path());
        std::fs::write(&file, config).expect("a file in it");
        let config = Config::load(&file).expect("a configuration");
        let policies = Policies::load(&config, 1).expect("policies");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        Ground {
            services: Services::new(&config).expect("services"),
            core: Rc::new(RefCell::new(Core::new(Arc::new(ArcSwap::from_pointee(policies))))),
            recordings: Arc::new(Recordings::open(folder.path()).expect("recordings")),
            runtime: runtime.expect("a runtime"),
            left: PLAYS,
            config,
            folder,
        }
    }

    fn session(&self) -> Session {
        let unused = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let call = Call {
            workload: Arc::clone(self.config.workloads.get("job").expect("a workload")),
            resource: self.config.resources.get("orders").cloned(),
            upstream: Arc::new([unused]),
            client: ClientAddr(unused),
            destination: OriginalDestination(unused),
            process: Process { pid: 1, uid: 1, cgroup: 1, netns: 1 },
        };
        let mut session = Session::open(&self.recordings, Rc::clone(&self.core), call).expect("a recording");
        session.guard.connect(None).expect("a policy that permits it");
        session.guard.commit().expect("a recording that can be written");
        session
    }
}

thread_local! {
    static GROUND: RefCell<Option<Ground>> = const { RefCell::new(None) };
}

/// What happens in a session.
enum Step {
    /// The client says this.
    Client(Vec<u8>),
    /// The server says this, of its own.
    Server(Vec<u8>),
    /// Everybody reads what there is.
    Run,
}

/// What came to whom.
#[derive(Default)]
struct Heard {
    client: Vec<u8>,
    server: Vec<u8>,
}

/// The two ends, outside of the relay.
struct Ends {
    client: DuplexStream,
    server: DuplexStream,
    heard: Heard,
}

impl Ends {
    /// Lets the relay take what there is, and takes what it has for both.
    async fn run(&mut self) {
        // The relay may have to come round more than once for one message.
        for _ in 0..3 {
            tokio::task::yield_now().await;
            take(&mut self.client, &mut self.heard.client).await;
            take(&mut self.server, &mut self.heard.server).await;
        }
    }
}

/// What a stream has now.
async fn take(stream: &mut DuplexStream, into: &mut Vec<u8>) {
    let mut bytes = [0; 4096];
    loop {
        let mut buffer = ReadBuf::new(&mut bytes);
        let read = poll_fn(|cx| Poll::Ready(Pin::new(&mut *stream).poll_read(cx, &mut buffer).is_ready()));
        if !read.await || buffer.filled().is_empty() {
            return;
        }
        into.extend_from_slice(buffer.filled());
    }
}

/// Plays a session. Where there is a model of a server, it answers, in pieces of these lengths.
fn play(steps: Vec<Step>, model: Option<&mut Model>, pieces: &[u8]) -> Heard {
    GROUND.with_borrow_mut(|ground| {
        if ground.as_ref().is_some_and(|ground| ground.left == 0) {
            *ground = None;
        }
        let ground = ground.get_or_insert_with(Ground::new);
        ground.left -= 1;
        let session = ground.session();
        let recording = session.id.file(ground.recordings.folder());
        let database = Name::from("appdb");
        let resource = session.resource.clone().expect("a resource");
        let slot = ground.services.catalogs().slot(&resource, &database, &[], &ground.services);
        // Never too old.
        let at = Instant::now().checked_add(Duration::from_secs(86_400)).expect("a day from now");
        slot.store(Known::given(fuzzing::database()), at, slot.epoch());
        let (client, inner_client) = tokio::io::duplex(AHEAD);
        let (server, inner_server) = tokio::io::duplex(AHEAD);
        let established = Established {
            client: Wire::new(Stream::Memory(inner_client)),
            server: Wire::new(Stream::Memory(inner_server)),
            session,
            kind: BackendKind::Ordinary,
            backend: Some(Backend { server: SocketAddr::from((Ipv4Addr::LOCALHOST, 1)), process: model::PROCESS }),
            role: "app".into(),
            database,
            utf8: true,
            cancel: Registration::none(ground.services.cancel_keys()),
        };
        let ends = Ends { client, server, heard: Heard::default() };
        let heard = ground.runtime.block_on(async {
            let relay = super::relay(established, &ground.services);
            let ((), heard) = tokio::join!(relay, drive(ends, steps, model, pieces));
            heard
        });
        std::fs::remove_file(&recording).expect("a recording");
        debug_assert!(ground.folder.path().exists());
        heard
    })
}

async fn drive(mut ends: Ends, steps: Vec<Step>, mut model: Option<&mut Model>, pieces: &[u8]) -> Heard {
    let mut pieces = pieces
        .iter()
        .map(|piece| usize::from(*piece))
        .filter(|piece| *piece > 0)
        .collect::<Vec<_>>()
        .into_iter()
        .cycle();
    let mut answered = 0;
    for step in steps.into_iter().chain([Step::Run, Step::Run]) {
        // A side that is closed has heard enough.
        match step {
            Step::Client(bytes) => drop(ends.client.write_all(&bytes).await),
            Step::Server(bytes) => drop(ends.server.write_all(&bytes).await),
            Step::Run => ends.run().await,
        }
        let Some(model) = &mut model else { continue };
        while answered < ends.heard.server.len() {
            let said = model.hear(&ends.heard.server[answered..]);
            answered = ends.heard.server.len();
            let mut rest = &said[..];
            while !rest.is_empty() {
                let (piece, more) = rest.split_at(pieces.next().unwrap_or(rest.len()).min(rest.len()));
                rest = more;
                let _ = ends.server.write_all(piece).await;
                ends.run().await;
            }
        }
    }
    // What lingers, and whatever waits for a while.
    tokio::time::sleep(Duration::from_secs(1)).await;
    ends.run().await;
    let _ = ends.client.shutdown().await;
    for _ in 0..4 {
        ends.run().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    ends.heard
}

/// The fuzz target: both sides' bytes, or a client's messages and a model of a server.
pub(in crate::protocol::postgres) fn fuzz(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    if first & 1 == 0 {
        raw(rest);
    } else {
        let (script, pieces) = script::read(rest);
        let mut model = Model::new(script.choices);
        let heard = play(script.steps, Some(&mut model), &pieces);
        // What it fails to hear whole, it has not been sent whole.
        frames(&heard.client, b"123ACDEGHINSTVWZcdnst");
        assert!(!holds(&heard.client, statements::SECRET), "a masked value: {}", heard.client.escape_ascii());
    }
}

/// Each turn is a byte for side and length, and what that side says.
fn raw(mut data: &[u8]) {
    // The relay has asked for the search path, and been answered.
    let mut steps = vec![Step::Client(script::query("")), Step::Run, Step::Server(model::first_answers()), Step::Run];
    while let Some((turn, rest)) = data.split_first() {
        let (said, rest) = rest.split_at(usize::from(turn >> 1).min(rest.len()));
        data = rest;
        let said = said.to_vec();
        steps.push(if turn & 1 == 0 { Step::Client(said) } else { Step::Server(said) });
        steps.push(Step::Run);
    }
    let heard = play(steps, None, &[]);
    for (tag, message) in frames(&heard.server, b"BCDEFHPQSXcdf") {
        if tag == b'Q' {
            may_be_run(&message[5..message.len() - 1]);
        }
    }
    frames(&heard.client, b"1234567890ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
}

/// Whole messages, of these types and no others.
fn frames<'a>(mut bytes: &'a [u8], tags: &[u8]) -> Vec<(u8, &'a [u8])> {
    let mut found = Vec::new();
    while let Some(head) = head(bytes).expect("lengths that the protocol knows") {
        assert!(tags.contains(&head.tag), "a message of type {:?}", char::from(head.tag));
        let Some((message, rest)) = bytes.split_at_checked(head.whole) else { break };
        found.push((head.tag, message));
        bytes = rest;
    }
    found
}

/// Whatever the search path is, these are what they are.
fn may_be_run(text: &[u8]) {
    if text == super::client::POISON.as_bytes() {
        return;
    }
    let told = Analyzer::default().analyze(text, &fuzzing::database(), &Settings::default());
    let refused = [Action::SqlDrop, Action::SqlAlter, Action::SqlPrivilege, Action::SqlAdmin, Action::SqlFile];
    let found = told.effects.iter().find(|effect| refused.contains(&effect.action));
    assert!(found.is_none(), "{}: {found:?}", String::from_utf8_lossy(text));
}

fn holds(bytes: &[u8], value: &str) -> bool {
    memchr::memmem::find(bytes, value.as_bytes()).is_some()
}
