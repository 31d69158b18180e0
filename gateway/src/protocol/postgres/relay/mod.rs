//! An established session: messages in both directions, commands through the guard, masks on what comes back.
//!
//! One task owns both connections. It takes messages off one side's input, decides, and appends what may pass to the
//! other side's output; outputs are written when the inputs hold nothing more that can be taken. Nothing is written
//! upstream before the guard has committed what was decided. A side whose other side does not take its output is not read.

mod client;
mod errors;
mod hidden;
mod message;
mod names;
mod notified;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod played;
mod queue;
mod rows;
mod server;
mod side;
mod stream;

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use tokio::time::{Instant, Sleep, sleep, timeout};

use self::errors::Candour;
use self::message::Malformed;
use self::notified::Notified;
use self::queue::{MAX_OWED, Portal, Queue, Statement};
use self::side::{CHUNK, FAREWELL, Side};
use super::catalog::{AskError, Backend, Known, Presence, Renaming, Using, search_path};
use super::established::{BackendKind, Established};
use crate::access::Name;
use crate::config::{Mode, Resource};
use crate::log;
use crate::mask::Masker;
use crate::mask::copy::CopyError;
use crate::protocol::Services;
use crate::session::Session;
use crate::sql::{Catalog, Settings};

/// How much output may wait before the other side is not read, in bytes.
const MAX_OUTPUT: usize = 512 * 1024;

/// How long the outcome of a command waits to be written together with the next command, so that a busy session writes
/// its recording once a command.
const LINGER: Duration = Duration::from_millis(50);

/// How long nothing may move in a session whose client is gone and cannot be read: what it sent last waits for a server that
/// takes nothing, or answers nothing, and nobody would ever notice.
const ABANDONED: Duration = Duration::from_secs(30);

/// What a turn of the relay brought.
enum Turn {
    /// Bytes were read or written.
    Moved,
    /// Nothing, and an outcome has waited for the next command long enough.
    Lingered,
    /// The client's end.
    Gone,
}

/// Why a session ended before both sides closed it.
#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error("the client broke the protocol: {0}")]
    Client(Malformed),
    #[error("the server broke the protocol: {0}")]
    Server(Malformed),
    #[error("{0}")]
    Commit(#[from] crate::guard::CommitError),
    #[error("the server reads statements by other rules from now on: {0} was changed")]
    Lexer(String),
    #[error("the gateway's own question failed: {0}")]
    Hidden(String),
    #[error("the gateway's own question failed: {0}")]
    Ask(#[from] AskError),
    #[error("the server's rows cannot be masked: {0}")]
    Copy(#[from] CopyError),
    #[error("the server closed the connection")]
    ServerGone,
    #[error("the client is gone, and the server takes nothing more of what it sent")]
    Abandoned,
    #[error("what the statement names was changed while it waited: its result is withheld")]
    Changed,
    #[error("whether what the statement names was changed while it ran cannot be seen now: its result is withheld")]
    Unseen,
    #[error("{0}")]
    Ended(Arc<str>),
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Where COPY from the client stands. What the server does with a message depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CopyIn {
    /// There is none.
    No,
    /// A command that may ask for data is on its way: nothing more is taken from the client until the server has answered.
    Asked,
    /// The server takes data.
    Open,
    /// The data's end is on its way, and what the server makes of it is not known yet: as `Asked`.
    Ended,
}

/// Where a session stands.
struct Relay {
    client: Side,
    server: Side,
    session: Session,
    resource: Arc<Resource>,
    masker: Masker,
    queue: Queue,
    role: Name,
    database: Name,
    slot: Using,
    catalog: Arc<Catalog>,
    /// What the catalog is of.
    known: Option<Arc<Known>>,
    settings: Settings,
    /// Whether the catalog has to be read again before the next statement outside of a transaction.
    catalog_outdated: bool,
    /// Whether the catalog is older than it may be and nobody could be asked: then everything is unknown.
    catalog_lost: bool,
    /// Whether the settings have to be asked for before the next statement.
    settings_outdated: bool,
    /// Whether a transaction changed settings that its end may undo.
    settings_touched: bool,
    /// Whether a transaction changed the catalog: until its end, nobody else sees that.
    catalog_touched: bool,
    /// Whether the server reads texts by other rules than the gateway's parser.
    unread: bool,
    /// Whether the client's encoding is UTF-8, as the parser reads texts.
    utf8: bool,
    /// Whether that has been so, or the encoding another: then any command of the session may bring it back, a COMMIT first.
    was_unread: bool,
    /// Whether a command since the last ReadyForQuery may have changed how texts are read.
    suspect: bool,
    /// Where COPY from the client stands.
    copy_in: CopyIn,
    /// Whether a Sync came while the server took data, and no data since: it was not forwarded.
    early_sync: bool,
    /// Whether a command of this transaction can reach sensitive columns: a deferred constraint tells of it at COMMIT.
    exposed: bool,
    /// Whether one of it can run code that nobody has read.
    ran_code: bool,
    /// Whether a message of the extended protocol came after the last Sync: the server may be in a transaction that only Sync ends.
    batch_open: bool,
    /// Bytes of a message that is dropped and is not wholly there yet.
    dropping: usize,
    /// Statements that were prepared since the last commit and not bound.
    unbound: Vec<(Box<[u8]>, Statement)>,
    /// Portals that were bound since the last commit and not executed.
    unexecuted: Vec<(Box<[u8]>, Portal)>,
    /// Which kind of backend answers.
    kind: BackendKind,
    /// Which one, where it said so.
    backend: Option<Backend>,
    /// Its place among those whose every statement is decided on; absent where verdicts do not hold.
    presence: Option<Presence>,
    /// What the session was told of what others notify it of.
    notified: Notified,
    /// Transaction status of the last ReadyForQuery: `I`, `T` or `E`.
    status: u8,
    /// Whether a command that may have opened or ended a transaction block was answered since.
    block_moved: bool,
    /// Whether the client's messages are dropped up to its next Sync.
    skipping: bool,
    /// Whether the client said goodbye.
    terminated: bool,
    /// Whether masks and verdicts hold.
    enforced: bool,
    /// When outcomes that no command followed are written.
    linger: Option<Pin<Box<Sleep>>>,
    /// Counts what was read and written.
    moves: u64,
    /// When it is looked for whether the client is gone, and what `moves` was before.
    abandoned: Option<(Pin<Box<Sleep>>, u64)>,
    /// Whether what comes next is the result of a statement that may mean something else by now.
    doubtful: bool,
    /// Whether the open transaction has changed what names stand for: for others that is so once it ends.
    gives_away: bool,
    /// While names may come to stand for something else for others, by what is on its way.
    renames: Option<Renaming>,
}

/// Relays an established session until it ends; the text is why, where it ended otherwise than by the client.
pub(super) async fn relay(established: Established, services: &Services) {
    let Established { client, server, mut session, kind, backend, role, database, utf8, cancel } = established;
    let Some(resource) = session.resource.clone() else {
        session.guard.close();
        return;
    };
    let slot = services.catalogs().slot(&resource, &database, &session.upstream, services);
    let catalog = Catalog {
        database: Arc::clone(&database),
        any_sensitive: !resource.sensitive.is_empty(),
        ..Catalog::default()
    };
    let enforced = session.workload.mode == Mode::Enforce;
    let presence = backend.filter(|_| enforced).map(|backend| slot.backends.enter(backend));
    let mut relay = Relay {
        client: Side::new(client),
        server: Side::new(server),
        masker: Masker::new(*services.mask_key()),
        queue: Queue::default(),
        role,
        database,
        slot,
        catalog: Arc::new(catalog),
        known: None,
        settings: Settings::default(),
        // A WAL sender answers no questions: what it is asked is unknown, and has no names.
        catalog_outdated: kind == BackendKind::Ordinary,
        settings_outdated: kind == BackendKind::Ordinary,
        catalog_lost: false,
        kind,
        settings_touched: false,
        catalog_touched: false,
        copy_in: CopyIn::No,
        exposed: false,
        ran_code: false,
        early_sync: false,
        batch_open: false,
        dropping: 0,
        unbound: Vec::new(),
        unexecuted: Vec::new(),
        unread: false,
        was_unread: false,
        suspect: false,
        status: b'I',
        skipping: false,
        terminated: false,
        enforced,
        backend,
        presence,
        notified: Notified::default(),
        linger: None,
        moves: 0,
        abandoned: None,
        doubtful: false,
        gives_away: false,
        renames: None,
        block_moved: false,
        utf8,
        session,
        resource,
    };
    let mut ending = std::mem::take(&mut relay.session.ending);
    let ended = tokio::select! {
        // Asked first: nothing more passes a session that has to end.
        biased;
        why = ending.told() => Err(RelayError::Ended(why)),
        ended = relay.run() => ended,
    };
    relay.end(ended).await;
    let Relay { client, mut server, slot, known, renames, presence, .. } = relay;
    drop(client);
    if let Some(renames) = renames {
        // It goes on without a client, and may commit what it was sent last.
        server.outlast().await;
        slot.outdate(known.as_deref());
        drop(renames);
    }
    drop(presence);
    drop(cancel);
}

/// Whether what was polled is done.
fn done(polled: Poll<io::Result<()>>) -> io::Result<bool> {
    match polled {
        Poll::Ready(result) => result.map(|()| true),
        Poll::Pending => Ok(false),
    }
}

impl Relay {
    async fn run(&mut self) -> Result<(), RelayError> {
        loop {
            self.take_server()?;
            if self.doubtful {
                self.verify().await?;
                continue;
            }
            self.take_client().await?;
            // Before anything goes to the server, and before a refusal is told. What only came of a command waits for the
            // next one, or for LINGER.
            if self.server.waits() || self.terminated || self.session.guard.is_due() {
                self.announce();
                self.session.guard.commit()?;
            }
            if self.terminated {
                // The server closes at once: whether it took the goodbye makes no difference.
                self.server.farewell().await;
                return Ok(());
            }
            match self.exchange().await? {
                Turn::Moved => {}
                Turn::Lingered => self.session.guard.commit()?,
                Turn::Gone => return Ok(()),
            }
        }
    }

    /// Writes and reads what both peers take and give now, once; waits where that is nothing.
    async fn exchange(&mut self) -> Result<Turn, RelayError> {
        let (from_client, from_server) = (self.takes_client(), self.client.output.len() < MAX_OUTPUT);
        if self.linger.is_none() && self.session.guard.lingers() {
            self.linger = Some(Box::pin(sleep(LINGER)));
        }
        poll_fn(|cx| {
            let mut moved = false;
            if self.server.waits() {
                moved |= done(self.server.poll_drain(cx))?;
            }
            if self.client.waits() {
                moved |= done(self.client.poll_drain(cx))?;
            }
            if from_server && let Poll::Ready(read) = self.server.poll_fill(cx) {
                if read? == 0 {
                    return Poll::Ready(Err(RelayError::ServerGone));
                }
                moved = true;
            }
            if from_client && let Poll::Ready(read) = self.client.poll_fill(cx) {
                if read? == 0 {
                    return Poll::Ready(Ok(Turn::Gone));
                }
                moved = true;
            }
            if moved {
                self.moves = self.moves.wrapping_add(1);
                return Poll::Ready(Ok(Turn::Moved));
            }
            if !from_client && self.is_abandoned(cx) {
                return Poll::Ready(Err(RelayError::Abandoned));
            }
            if let Some(linger) = &mut self.linger
                && linger.as_mut().poll(cx).is_ready()
            {
                self.linger = None;
                return Poll::Ready(Ok(Turn::Lingered));
            }
            if self.client.is_quiet() && self.server.is_quiet() {
                self.client.trim();
                self.server.trim();
            }
            Poll::Pending
        })
        .await
    }

    /// Whether the client, which is not read now, is gone and nothing has moved for a while. A client that is there may wait
    /// for its server as long as it likes.
    fn is_abandoned(&mut self, cx: &mut Context<'_>) -> bool {
        let moves = self.moves;
        let (timer, before) = self.abandoned.get_or_insert_with(|| (Box::pin(sleep(ABANDONED)), moves));
        while timer.as_mut().poll(cx).is_ready() {
            if *before == moves && self.client.is_left() {
                return true;
            }
            *before = moves;
            timer.as_mut().reset(Instant::now().checked_add(ABANDONED).unwrap_or_else(Instant::now));
        }
        false
    }

    /// Whether more of the client's messages can be taken now.
    fn takes_client(&self) -> bool {
        self.server.output.len() < MAX_OUTPUT
            && self.queue.owed.len() < MAX_OWED
            && self.client.input.len() <= self.input_max()
    }

    /// How much of the client's input may wait, in bytes: a whole message, where one can be taken at all.
    fn input_max(&self) -> usize {
        match self.copy_in {
            CopyIn::No | CopyIn::Open => message::MAX_WHOLE.saturating_add(CHUNK),
            CopyIn::Asked | CopyIn::Ended => MAX_OUTPUT,
        }
    }

    /// Says why to whoever can still be told, and seals the recording.
    async fn end(&mut self, ended: Result<(), RelayError>) {
        let Err(error) = ended else { return self.session.guard.close() };
        let words = error.to_string();
        let workload = &self.session.workload.name;
        if log::may_say(workload, log::Kind::Ended) {
            tracing::warn!(session = %self.session.id, %workload, reason = %words.escape_debug(), "the session ended");
        }
        self.session.guard.note(&format!("the session ended: {}", words.escape_debug()));
        let last = match &error {
            RelayError::Io(_) => BytesMut::new(),
            // What the server said last is already on its way.
            RelayError::ServerGone if !self.client.output.is_empty() => BytesMut::new(),
            RelayError::Client(_) => errors::error("FATAL", "08P01", &words, ""),
            RelayError::Ended(_) => errors::error("FATAL", "57P01", &words, "connect again"),
            RelayError::Commit(_) => {
                errors::error("FATAL", "58000", &words, "nothing passes the gateway that is not recorded")
            }
            _ => errors::error("FATAL", "08006", &words, "the gateway's log names the session"),
        };
        // What was decided on and not written is not to be written any more; a message that is cut would be read as
        // another.
        if self.client.passing == 0 && self.server.passing == 0 {
            self.client.output.extend_from_slice(&last);
        }
        let _ = timeout(FAREWELL, self.client.shut()).await;
        self.session.guard.close();
    }

    /// How much of the server's texts the workload sees.
    fn candour(&self) -> Candour {
        match (self.enforced && self.exposed && self.catalog.any_sensitive, self.ran_code) {
            (false, _) => Candour::Whole,
            (true, false) => Candour::Code,
            (true, true) => Candour::Bare,
        }
    }

    /// Learns the search path from the text that the server gave it.
    fn learn_path(&mut self, text: &str, role: &str, temporary: Option<Name>) -> Result<(), RelayError> {
        let path = search_path(text, role).ok_or_else(|| RelayError::Hidden("search_path is no list".to_owned()))?;
        self.settings = Settings { search_path: Some(path.into()), temporary, pending: false };
        self.settings_outdated = false;
        Ok(())
    }
}
