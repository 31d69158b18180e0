//! One runtime a core: a session is opened, served and closed on the one it was given to.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};
use arc_swap::ArcSwap;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, LocalSet};

use crate::config::{Resource, Workload};
use crate::guard::Core;
use crate::intercept::{Accepted, Namespaces};
use crate::policy::Policies;
use crate::protocol::{Services, relay_untouched, serve};
use crate::record::Recordings;
use crate::session::{Call, Session};

/// The stack of a core's thread, in bytes: PostgreSQL's parser recurses.
const STACK: usize = 64 * 1024 * 1024;

/// How many connections wait for one core at most; beyond, a new one is closed.
const WAITING: usize = 1024;

/// How long an unlisted destination may take to answer.
const CONNECT: Duration = Duration::from_secs(30);

/// How long sessions have to seal their recordings when the daemon stops.
const FAREWELL: Duration = Duration::from_secs(5);

/// A connection, and everything that is known of it.
#[derive(Debug)]
pub(super) struct Assignment {
    pub(super) accepted: Accepted,
    pub(super) workload: Arc<Workload>,
    /// The resource and its addresses; absent: an unlisted destination.
    pub(super) resource: Option<(Arc<Resource>, Arc<[SocketAddr]>)>,
}

/// What every core needs.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) policies: Arc<ArcSwap<Policies>>,
    pub(super) recordings: Arc<Recordings>,
    pub(super) services: Services,
    pub(super) namespaces: Namespaces,
}

#[derive(Debug)]
struct Worker {
    queue: mpsc::Sender<Assignment>,
    sessions: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

/// The cores of this machine.
#[derive(Debug)]
pub(super) struct Cores {
    workers: Vec<Worker>,
}

impl Cores {
    /// Starts a runtime for each core that this process may use.
    pub(super) fn start(shared: &Shared) -> Result<Self> {
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = (0..count).map(|number| worker(number, shared.clone())).collect::<Result<_>>()?;
        Ok(Cores { workers })
    }

    /// Gives a connection to the core with the fewest sessions. Where that core has too many waiting, it is closed.
    pub(super) fn assign(&self, assignment: Assignment) {
        let idlest = self.workers.iter().min_by_key(|worker| worker.sessions.load(Ordering::Relaxed));
        let Some(worker) = idlest else { return };
        worker.sessions.fetch_add(1, Ordering::Relaxed);
        if let Err(refused) = worker.queue.try_send(assignment) {
            worker.sessions.fetch_sub(1, Ordering::Relaxed);
            tracing::warn!(reason = %refused, "a connection was closed: its core has too many waiting");
        }
    }

    /// Ends every session and waits for their recordings.
    pub(super) fn stop(self) {
        let threads: Vec<JoinHandle<()>> = self.workers.into_iter().map(|worker| worker.thread).collect();
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a core ended by a panic");
            }
        }
    }
}

fn worker(number: usize, shared: Shared) -> Result<Worker> {
    let (queue, waiting) = mpsc::channel(WAITING);
    let sessions = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sessions);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let thread = std::thread::Builder::new()
        .name(format!("core-{number}"))
        .stack_size(STACK)
        .spawn(move || {
            let local = LocalSet::new();
            runtime.block_on(local.run_until(work(waiting, counted, shared)));
        })
        .context("a core's thread does not start")?;
    Ok(Worker { queue, sessions, thread })
}

async fn work(mut waiting: mpsc::Receiver<Assignment>, sessions: Arc<AtomicUsize>, shared: Shared) {
    let core = Rc::new(RefCell::new(Core::new(Arc::clone(&shared.policies))));
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            next = waiting.recv() => match next {
                Some(assignment) => {
                    let (core, shared, sessions) = (Rc::clone(&core), shared.clone(), Arc::clone(&sessions));
                    running.spawn_local(async move {
                        one(assignment, core, &shared).await;
                        sessions.fetch_sub(1, Ordering::Relaxed);
                    });
                }
                None => break,
            },
            Some(ended) = running.join_next() => {
                if let Err(error) = ended {
                    sessions.fetch_sub(1, Ordering::Relaxed);
                    tracing::error!(%error, "a session ended by a panic");
                }
            }
        }
    }
    // Aborting drops each session, and a dropped guard seals its recording.
    let _ = tokio::time::timeout(FAREWELL, running.shutdown()).await;
}

async fn one(assignment: Assignment, core: Rc<RefCell<Core>>, shared: &Shared) {
    let Assignment { accepted, workload, resource } = assignment;
    // The entry is dropped last: until then the kernel answers for the connection's original destination.
    let Accepted { stream, client, destination, process, label: _, entry: _entry } = accepted;
    let listed = resource.is_some();
    let (resource, upstream) = match resource {
        Some((resource, addresses)) => (Some(resource), addresses),
        None => (None, [destination.0].into()),
    };
    let call = Call { workload, resource, upstream, client, destination, process };
    let session = match Session::open(&shared.recordings, core, call) {
        Ok(session) => session,
        Err(error) => {
            tracing::error!(client = %client.0, %error, "a connection was closed: it cannot be recorded");
            return;
        }
    };
    let stream = match TcpStream::from_std(stream) {
        Ok(stream) => stream,
        Err(error) => {
            tracing::error!(session = %session.id, %error, "a connection was closed");
            return;
        }
    };
    tracing::debug!(session = %session.id, workload = %session.workload.name, destination = %destination.0, "opened");
    if listed {
        serve(stream, session, &shared.services).await
    } else {
        unlisted(stream, session, &shared.namespaces).await
    }
}

/// A destination that is no resource: relayed untouched where policy permits, and recorded as a connection.
async fn unlisted(stream: TcpStream, mut session: Session, namespaces: &Namespaces) {
    let permitted = match session.guard.connect(None) {
        Ok(()) => session.guard.commit().map_err(|error| error.to_string()),
        Err(refusal) => Err(refusal.reason),
    };
    let connected = match permitted {
        Ok(()) => {
            let connecting = namespaces.connect(session.process.netns, session.destination.0);
            match tokio::time::timeout(CONNECT, connecting).await {
                Ok(connected) => connected.map_err(|error| format!("the destination cannot be reached: {error}")),
                Err(_) => Err("the destination does not answer".to_owned()),
            }
        }
        Err(reason) => Err(reason),
    };
    match connected {
        Ok(upstream) => relay_untouched(stream, upstream, session).await,
        Err(reason) => {
            tracing::info!(session = %session.id, destination = %session.destination.0, %reason, "closed");
            session.guard.note(&reason);
            session.guard.close();
        }
    }
}
