//! One runtime a core: a session is opened, served and closed on the one it was given to.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};
use arc_swap::ArcSwap;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinSet, LocalSet};

use super::register::Register;
use crate::config::directory::Directory;
use crate::config::{Config, Resource, Workload};
use crate::guard::Core;
use crate::intercept::{Accepted, Namespaces};
use crate::policy::Policies;
use crate::protocol::{Services, Unserved, refuse, relay_untouched, serve};
use crate::record::Recordings;
use crate::session::{Call, Ending, Session};
use crate::{log, metrics};

/// The stack of a core's thread, in bytes: PostgreSQL's parser recurses.
const STACK: usize = 64 * 1024 * 1024;

/// How many connections wait for one core at most; beyond, a new one is closed.
const WAITING: usize = 1024;

/// How long an unlisted destination may take to answer.
const CONNECT: Duration = Duration::from_secs(30);

/// How long sessions have to seal their recordings when the daemon stops.
const FAREWELL: Duration = Duration::from_secs(5);

/// How many clients a core tells at once why they are not served; beyond, they are closed without a word.
const REFUSALS: usize = 64;

/// A connection, and everything that is known of it.
#[derive(Debug)]
pub(super) struct Assignment {
    pub(super) accepted: Accepted,
    pub(super) workload: Arc<Workload>,
    pub(super) way: Way,
}

/// Where a connection leads.
#[derive(Debug)]
pub(super) enum Way {
    /// To a resource, at its addresses.
    Resource(Arc<Resource>, Arc<[SocketAddr]>),
    /// To a destination that is no resource.
    Unlisted,
    /// Nowhere.
    Refused(Refused),
}

/// Why a connection is not served.
#[derive(Debug)]
pub(super) struct Refused {
    /// What the client may have meant, by whose protocol it is told.
    pub(super) meant: Option<Arc<Resource>>,
    pub(super) kind: Unserved,
    pub(super) why: String,
}

/// What a core is told.
#[derive(Debug)]
enum Order {
    Serve(Box<Assignment>),
    /// To end what does not hold any more, and to say when that is done.
    Review(Arc<Config>, Arc<Directory>, oneshot::Sender<()>),
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
    queue: mpsc::Sender<Order>,
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
        let (workload, client) = (Arc::clone(&assignment.workload), assignment.accepted.client.0);
        worker.sessions.fetch_add(1, Ordering::Relaxed);
        if let Err(refused) = worker.queue.try_send(Order::Serve(Box::new(assignment))) {
            worker.sessions.fetch_sub(1, Ordering::Relaxed);
            metrics::CONNECTIONS_REFUSED.add(&workload.name, "busy");
            if log::may_say(&workload.name, log::Kind::Closed) {
                tracing::warn!(workload = %workload.name, %client, reason = %refused,
                    "a connection was closed: its core has too many waiting");
            }
        }
    }

    /// Ends sessions that were opened by a workload or a resource that is defined otherwise now, and those to what was
    /// no resource and is one now. On return none of them takes anything more.
    pub(super) async fn review(&self, config: &Arc<Config>, directory: &Arc<Directory>) {
        let mut reviewed = Vec::new();
        for worker in &self.workers {
            let (done, waits) = oneshot::channel();
            // Behind what was assigned by what held before.
            if worker.queue.send(Order::Review(Arc::clone(config), Arc::clone(directory), done)).await.is_ok() {
                reviewed.push(waits);
            }
        }
        for waits in reviewed {
            // A core that has ended has no sessions.
            let _ = waits.await;
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

async fn work(mut waiting: mpsc::Receiver<Order>, sessions: Arc<AtomicUsize>, shared: Shared) {
    let core = Rc::new(RefCell::new(Core::new(Arc::clone(&shared.policies))));
    let register = Rc::new(Register::default());
    let refusals = Rc::new(Cell::new(0));
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            next = waiting.recv() => match next {
                Some(Order::Serve(assignment)) => {
                    let (core, shared, sessions) = (Rc::clone(&core), shared.clone(), Arc::clone(&sessions));
                    let (ending, entry) = register.enter(&assignment);
                    let refusals = Rc::clone(&refusals);
                    running.spawn_local(async move {
                        one(*assignment, core, &shared, ending, &refusals).await;
                        drop(entry);
                        sessions.fetch_sub(1, Ordering::Relaxed);
                    });
                }
                Some(Order::Review(config, directory, done)) => {
                    register.review(&config, &directory);
                    // Nobody may wait any more.
                    let _ = done.send(());
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

async fn one(
    assignment: Assignment,
    core: Rc<RefCell<Core>>,
    shared: &Shared,
    ending: Ending,
    refusals: &Rc<Cell<usize>>,
) {
    let Assignment { accepted, workload, way } = assignment;
    // The entry is dropped last: until then the kernel answers for the connection's original destination.
    let Accepted { stream, client, destination, process, label: _, entry: _entry } = accepted;
    let stream = match TcpStream::from_std(stream) {
        Ok(stream) => stream,
        Err(error) => return closed(&workload, client.0, &error),
    };
    let (resource, upstream, refused) = match way {
        Way::Resource(resource, addresses) => (Some(resource), addresses, None),
        Way::Unlisted => (None, [destination.0].into(), None),
        Way::Refused(refused) if refused.kind == Unserved::TooMany => {
            return refuse_to(stream, refused, destination.0, &shared.services, refusals).await;
        }
        Way::Refused(refused) => (None, [].into(), Some(refused)),
    };
    let listed = resource.is_some();
    let call = Call { workload: Arc::clone(&workload), resource, upstream, client, destination, process };
    let mut session = match Session::open(&shared.recordings, core, call) {
        Ok(session) => session,
        Err(error) => return closed(&workload, client.0, &error),
    };
    session.ending = ending;
    tracing::debug!(session = %session.id, workload = %workload.name, destination = %destination.0, "opened");
    if let Some(refused) = refused {
        unconnected(&mut session, &refused.why);
        drop(session);
        refuse_to(stream, refused, destination.0, &shared.services, refusals).await;
    } else if listed {
        serve(stream, session, &shared.services).await
    } else {
        unlisted(stream, session, &shared.namespaces).await
    }
}

/// A connection that is no session.
fn closed(workload: &Workload, client: SocketAddr, error: &dyn std::error::Error) {
    metrics::CONNECTIONS_REFUSED.add(&workload.name, "error");
    if log::may_say(&workload.name, log::Kind::Closed) {
        tracing::error!(workload = %workload.name, %client, %error, "a connection was closed");
    }
}

/// Records and logs why a session leads nowhere.
fn unconnected(session: &mut Session, reason: &str) {
    let workload = &session.workload.name;
    if log::may_say(workload, log::Kind::Unconnected) {
        tracing::info!(session = %session.id, %workload, destination = %session.destination.0, %reason, "closed");
    }
    session.guard.note(reason);
    session.guard.close();
}

/// Tells a client why it is not served, in the protocol that it is likely to speak.
async fn refuse_to(
    stream: TcpStream,
    refused: Refused,
    destination: SocketAddr,
    services: &Services,
    refusals: &Cell<usize>,
) {
    let Some(meant) = refused.meant.filter(|_| refusals.get() < REFUSALS) else { return };
    refusals.set(refusals.get().saturating_add(1));
    // Left behind by a daemon that stops, with the core.
    refuse(stream, &meant, destination.ip(), services, refused.kind, &refused.why).await;
    refusals.set(refusals.get().saturating_sub(1));
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
        Err(reason) => unconnected(&mut session, &reason),
    }
}
