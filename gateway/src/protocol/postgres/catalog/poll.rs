//! The gateway's own connection to a database, over which it sees what others change.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::{PoisonError, Weak};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::sync::OwnedSemaphorePermit;

use super::answer::{Answered, Answering, AskError, LOCK_NOT_AVAILABLE, Taken, ask};
use super::questions::{self, SNAPSHOT, changes, fingerprints};
use super::read::{Asks, Look, cluster, identity};
use super::slot::{Known, Slot, Turn};
use super::tags::Identity;
use super::{Catalogs, search_path};
use crate::access::Name;
use crate::config::{Credentials, Resource};
use crate::protocol::Services;
use crate::protocol::postgres::auth::Login;
use crate::protocol::postgres::established::ProtocolVersion;
use crate::protocol::postgres::failure::Failure;
use crate::protocol::postgres::login::greeting;
use crate::protocol::postgres::wire::WireError;
use crate::protocol::postgres::{settings, startup, upstream};

/// How long after the start of a look the next one starts: a catalog that is looked at this often is never older than
/// `MAX_AGE`, if the look itself takes less than the rest of it.
const PERIOD: Duration = Duration::from_millis(900);

/// How long a connection is kept that no session needs. A server waits five seconds for others to leave a database that
/// is to be dropped, renamed or copied: whoever does that after the last session finds nobody there.
const IDLE: Duration = Duration::from_secs(2);

/// How long a server may take to let the gateway in, or to answer one set of questions.
const ANSWER: Duration = Duration::from_secs(30);

/// The largest message of an answer, in bytes.
const MAX_MESSAGE: usize = 64 * 1024 * 1024;

/// How often a look is repeated that something changed during.
const LOOKS: usize = 3;

/// How often a look is repeated that somebody's lock was in the way of.
const WAITS: usize = 10;

/// After how long a catalog that is not whole is read again though nothing changed.
const AGAIN: Duration = Duration::from_secs(5);

/// How many transactions a look at what changed may go back: their numbers come round again after two thousand million.
const MAX_BACK: u64 = 100_000_000;

/// Sees to it that a database has a connection of the gateway's own, where the resource has a credential for one.
pub(super) fn ensure(slot: &Arc<Slot>, catalogs: &Catalogs, services: &Services) {
    if slot.resource.credentials.is_none() {
        return;
    }
    let mut task = slot.task.lock().unwrap_or_else(PoisonError::into_inner);
    if task.as_ref().is_some_and(|task| !task.is_finished()) {
        return;
    }
    let Ok(permit) = Arc::clone(&catalogs.connections).try_acquire_owned() else {
        tracing::warn!(resource = %slot.resource.name, database = ?slot.database,
            "no connection of the gateway's own is free: sessions ask for the catalog on theirs");
        return;
    };
    slot.turns.send_replace(Turn::None);
    *task = Some(tokio::spawn(run(Arc::downgrade(slot), services.clone(), permit)));
}

/// Looks at the database as long as sessions use it.
async fn run(slot: Weak<Slot>, services: Services, _permit: OwnedSemaphorePermit) {
    let Some(wanted) = slot.upgrade().map(|slot| Arc::clone(&slot.wanted)) else { return };
    let mut own: Option<Own> = None;
    let mut unused = Instant::now();
    while let Some(slot) = slot.upgrade() {
        if slot.sessions.load(Ordering::Acquire) > 0 {
            unused = Instant::now();
        } else if unused.elapsed() > IDLE {
            break;
        } else {
            drop(slot);
            let _ = tokio::time::timeout(PERIOD, wanted.notified()).await;
            continue;
        }
        let turn = match turn(&slot, &mut own, &services).await {
            Ok(()) => Turn::Done,
            Err(error) => {
                own = None;
                let failed: Arc<str> = error.into();
                if !matches!(&*slot.turns.borrow(), Turn::Failed(had) if *had == failed) {
                    tracing::warn!(resource = %slot.resource.name, database = ?slot.database, error = %failed.escape_debug(),
                        "the gateway's own connection cannot look at the database: sessions ask for the catalog on theirs");
                }
                Turn::Failed(failed)
            }
        };
        let failed = matches!(turn, Turn::Failed(_));
        slot.turns.send_replace(turn);
        let current = slot.fresh().is_some();
        drop(slot);
        if failed {
            // However many sessions want it: a server that is down is not stormed.
            tokio::time::sleep(PERIOD).await;
        } else if current {
            // A session that committed something does not wait for the next look.
            let _ = tokio::time::timeout(PERIOD, wanted.notified()).await;
        }
    }
    if let Some(own) = own {
        own.wire.close(b"X\0\0\0\x04").await;
    }
}

async fn turn(slot: &Arc<Slot>, own: &mut Option<Own>, services: &Services) -> Result<(), String> {
    let mut connection = match own.take() {
        Some(own) => own,
        None => Own::connect(slot, services).await?,
    };
    connection.look(slot).await?;
    *own = Some(connection);
    Ok(())
}

/// What the last look was like: the catalog, and the answer that another look has to give for it still to be true.
struct Watch {
    known: Arc<Known>,
    snapshot: Box<str>,
    since: u64,
    changes: Option<String>,
    /// What sessions had committed by then.
    epoch: u64,
    made: Instant,
}

/// The connection.
struct Own {
    wire: crate::protocol::postgres::wire::Wire,
    server: u32,
    search_path: Vec<Name>,
    identity: Identity,
    watch: Option<Watch>,
}

/// The connection does not answer.
#[derive(Debug, thiserror::Error)]
enum OwnError {
    #[error("{0}")]
    Wire(#[from] WireError),
    #[error("{0}")]
    Ask(#[from] AskError),
    #[error("the server does not answer within {} s", ANSWER.as_secs())]
    Time,
}

impl From<std::io::Error> for OwnError {
    fn from(error: std::io::Error) -> Self {
        OwnError::Wire(error.into())
    }
}

impl Asks for Own {
    type Error = OwnError;

    fn is_refusal(error: &OwnError) -> bool {
        matches!(error, OwnError::Ask(AskError::Server(_)))
    }

    async fn ask(&mut self, questions: &[String]) -> Result<Answered, OwnError> {
        let asking = async {
            let mut out = BytesMut::new();
            ask("", questions, &mut out);
            self.wire.send(&out).await?;
            let mut answering = Answering::default();
            loop {
                let frame = self.wire.frame(MAX_MESSAGE).await?;
                if let Taken::End(_) = answering.take(frame.tag, frame.body())? {
                    return Ok(answering.end()?);
                }
            }
        };
        tokio::time::timeout(ANSWER, asking).await.unwrap_or(Err(OwnError::Time))
    }
}

/// A look's questions one by one: what the server locks to print a definition is free again before the next one, and not
/// kept from anybody for the rest of the look's transaction.
struct Lightly<'a>(&'a mut Own);

impl Asks for Lightly<'_> {
    type Error = OwnError;

    fn is_refusal(error: &OwnError) -> bool {
        Own::is_refusal(error)
    }

    async fn ask(&mut self, questions: &[String]) -> Result<Answered, OwnError> {
        let bracketed: Vec<String> = questions
            .iter()
            .flat_map(|question| ["savepoint question", question.as_str(), "rollback to savepoint question"])
            .map(str::to_owned)
            .collect();
        let Answered { answers, damaged } = self.0.ask(&bracketed).await?;
        let answers = answers.into_iter().skip(1).step_by(3).collect();
        Ok(Answered { answers, damaged })
    }
}

impl Own {
    async fn connect(slot: &Slot, services: &Services) -> Result<Self, String> {
        let resource = &*slot.resource;
        let Some(credentials) = &resource.credentials else { return Err("the resource has no credentials".to_owned()) };
        let addresses = slot.addresses.load_full();
        let connecting = async {
            let mut upstream = upstream::connect(resource, &addresses, services.upstream_tls()).await?;
            log_in(&mut upstream, resource, credentials, &slot.database, services).await?;
            Ok(upstream)
        };
        let upstream = match tokio::time::timeout(ANSWER, connecting).await {
            Ok(connected) => connected.map_err(|failure: Failure| failure.log)?,
            Err(_) => return Err(OwnError::Time.to_string()),
        };
        let mut own =
            Own { wire: upstream.wire, server: 0, search_path: Vec::new(), identity: Identity::default(), watch: None };
        own.prepare(&credentials.username).await.map_err(|error| error.to_string())?;
        tracing::info!(resource = %resource.name, database = ?slot.database, server = own.server,
            "the gateway has a connection of its own for the catalog");
        Ok(own)
    }

    async fn prepare(&mut self, role: &str) -> Result<(), OwnError> {
        let first = ["show search_path", questions::VERSION, questions::DATABASE].map(str::to_owned);
        let mut answered = self.ask(&first).await?;
        let path = answered.value().and_then(|path| search_path(&path, role)).ok_or(AskError::Malformed)?;
        self.search_path = path;
        self.server = answered.value().and_then(|text| text.parse().ok()).ok_or(AskError::Malformed)?;
        self.identity = identity(answered.next()).ok_or(AskError::Malformed)?;
        self.identity.cluster = cluster(self).await?;
        // Whatever the role's defaults are: texts come with every name in full, and nobody waits for this one.
        let settings = [
            ("search_path", "pg_catalog"),
            ("statement_timeout", "30s"),
            // Printing an expression waits for whoever has its table for himself, and holds what it has locked already: less
            // long than it takes until somebody is told of a deadlock.
            ("lock_timeout", "100ms"),
            ("idle_in_transaction_session_timeout", "60s"),
            ("default_transaction_read_only", "on"),
            ("jit", "off"),
            ("client_min_messages", "error"),
        ];
        let set = settings.map(|(name, value)| format!("select pg_catalog.set_config('{name}', '{value}', false)"));
        self.ask(&set).await?;
        Ok(())
    }

    /// Looks once, and stores what is so.
    async fn look(&mut self, slot: &Arc<Slot>) -> Result<(), String> {
        self.try_look(slot).await.map_err(|error| error.to_string())
    }

    async fn try_look(&mut self, slot: &Arc<Slot>) -> Result<(), OwnError> {
        let (mut at, mut epoch) = (Instant::now(), slot.epoch());
        // Where a session has said that it committed a change, nothing is asked about whether there is one.
        let told = self.watch.as_ref().filter(|watch| watch.epoch != epoch).map(|watch| watch.snapshot.clone());
        let (mut snapshot, mut same) = match told {
            Some(snapshot) => (snapshot, false),
            None => {
                let snapshot = self.snapshot().await?;
                let same = self.is_as_it_was(&snapshot).await?;
                (snapshot, same)
            }
        };
        // What was in the way may be gone: a file that was mended, a disk that has room again.
        same &= self.watch.as_ref().is_some_and(|w| w.known.catalog.complete || w.made.elapsed() < AGAIN);
        let (mut looks, mut waits) = (0, 0);
        while !same && looks < LOOKS {
            (at, epoch) = (Instant::now(), slot.epoch());
            let read = self.read(slot, &snapshot, epoch).await;
            if let Err(OwnError::Ask(AskError::Server(code))) = &read
                && *code == *LOCK_NOT_AVAILABLE
                && waits < WAITS
            {
                waits = waits.saturating_add(1);
                self.ask(&["rollback".to_owned()]).await?;
                continue;
            }
            looks = looks.saturating_add(1);
            let watch;
            (watch, snapshot) = match read {
                Ok(read) => read,
                // Something was dropped while its text was printed.
                Err(OwnError::Ask(AskError::Server(_))) if looks < LOOKS => {
                    self.ask(&["rollback".to_owned()]).await?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            self.watch = Some(watch);
            // Texts are printed as of now and rows as of the transaction's start: they have to be of one time. Where
            // others do not stop changing it, what was read is as good as can be, and no older than it says.
            same = self.is_as_it_was(&snapshot).await?;
        }
        let watch = self.watch.as_ref().ok_or(AskError::Malformed)?;
        slot.store(Arc::clone(&watch.known), at, epoch);
        Ok(())
    }

    async fn snapshot(&mut self) -> Result<Box<str>, OwnError> {
        let mut answered = self.ask(&[SNAPSHOT.to_owned()]).await?;
        Ok(answered.value().ok_or(AskError::Malformed)?.into())
    }

    /// Whether nothing that is watched was committed since the last look.
    async fn is_as_it_was(&mut self, snapshot: &str) -> Result<bool, OwnError> {
        let Some(watch) = &mut self.watch else { return Ok(false) };
        if *watch.snapshot == *snapshot {
            return Ok(true);
        }
        let now = oldest(snapshot).ok_or(AskError::Malformed)?;
        if now.saturating_sub(watch.since) > MAX_BACK {
            return Ok(false);
        }
        let question = changes(self.server, transaction(watch.since));
        let answer = self.ask(&[question]).await?.value();
        let Some(watch) = &mut self.watch else { return Ok(false) };
        let same = answer.is_some() && watch.changes == answer;
        if same {
            watch.snapshot = snapshot.into();
        }
        Ok(same)
    }

    /// Reads what is so; also what can be seen after the last answer. `before` is what could be seen at some time before.
    async fn read(&mut self, slot: &Arc<Slot>, before: &str, epoch: u64) -> Result<(Watch, Box<str>), OwnError> {
        let since = oldest(before).ok_or(AskError::Malformed)?;
        let begin = [
            "begin isolation level repeatable read read only".to_owned(),
            SNAPSHOT.to_owned(),
            changes(self.server, transaction(since)),
            fingerprints(self.server),
        ];
        let mut answered = self.ask(&begin).await?;
        answered.next();
        let snapshot: Box<str> = answered.value().ok_or(AskError::Malformed)?.into();
        let changes = answered.value();
        // What a session read on its own connection may be newer than what this one has.
        let base = self.watch.as_ref().map(|watch| Arc::clone(&watch.known)).or_else(|| slot.last());
        let base = base.filter(|base| base.identity.is(&self.identity));
        let identity = self.identity.clone();
        let look = Look { server: self.server, base: base.as_deref(), own_role: true, identity: &identity };
        let draft = look.run(&mut Lightly(self), snapshot.clone(), answered).await?;
        let mut answered = self.ask(&["commit", SNAPSHOT].map(str::to_owned)).await?;
        answered.next();
        let after: Box<str> = answered.value().ok_or(AskError::Malformed)?.into();
        let (at, path) = (Arc::clone(slot), self.search_path.clone());
        let made = tokio::task::spawn_blocking(move || at.make(draft, path, None, true)).await;
        let known = Arc::new(made.map_err(|_| AskError::Malformed)?);
        Ok((Watch { known, snapshot, since, changes, epoch, made: Instant::now() }, after))
    }
}

/// The oldest transaction that was not over, of `xmin:xmax:xip,...`.
fn oldest(snapshot: &str) -> Option<u64> {
    snapshot.split(':').next()?.parse().ok()
}

/// A transaction's number as rows have it: without its epoch.
fn transaction(number: u64) -> u32 {
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or_default()
}

/// From the connection to ReadyForQuery.
async fn log_in(
    upstream: &mut upstream::Upstream,
    resource: &Resource,
    credentials: &Credentials,
    database: &str,
    services: &Services,
) -> Result<(), Failure> {
    let mut parameters = vec![
        ("user", credentials.username.as_str()),
        ("database", database),
        ("application_name", "sluice catalog"),
        // Everything that is not UTF-8 is unknown: a server that cannot convert does not let the gateway in.
        ("client_encoding", "UTF8"),
    ];
    parameters.extend(settings::PINNED);
    let packet = startup::encode(ProtocolVersion::V3_0, &parameters);
    let sent = upstream.wire.send(&packet).await;
    sent.map_err(|error| Failure::server(&resource.name, &error.into()))?;
    let (secrets, keys) = (services.secrets(), services.scram_keys());
    Login { resource, credentials, secrets, keys }.run(upstream).await?;
    greeting(&resource.name, upstream, Some(&credentials.username)).await.map(drop)
}
