//! What the daemon holds of the kernel side: connections come out, everything else stays in.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::heartbeat::HeartbeatError;
use super::labels::LabelError;
use super::layer::{Command, Layer};
use super::plan::{Plan, PlanError};
use super::spaces::SpaceError;
use super::start::Start;
use super::{Accepted, CgroupError, Direct, Label, LoadError, Namespaces, PinError};
use crate::access::Name;
use crate::config::Config;

/// How many accepted connections wait to be given to a core.
const WAITING: usize = 1024;

/// How many connects that went by wait to be recorded: about as many as the kernel's buffer of events holds.
const WENT_BY: usize = 16_384;

/// The redirect layer could not be set up, so the daemon does not start: a workload that is believed to be guarded and
/// is not would be worse.
#[derive(Debug, thiserror::Error)]
pub enum InterceptError {
    /// Not as root.
    #[error("only root can attach the eBPF programs: start the daemon as root")]
    NotRoot,
    /// Not in the node's own namespaces.
    #[error(
        "the daemon runs in a {kind} namespace of its own and cannot follow the node's processes: start it on the node itself"
    )]
    Place {
        /// Which namespace.
        kind: &'static str,
    },
    /// The gateway would be redirected to itself.
    #[error(
        "the gateway itself would be in workload {workload}, in cgroup {cgroup} with uid {uid}: change that workload's match, or start the daemon elsewhere"
    )]
    SelfLabelled {
        /// Which.
        workload: Name,
        /// The daemon's cgroup.
        cgroup: String,
        /// The daemon's user.
        uid: u32,
    },
    /// The configuration cannot be given to the kernel.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The folder of pins cannot be used.
    #[error(transparent)]
    Pins(#[from] PinError),
    /// The programs are not in the kernel.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The tree of cgroups cannot be used.
    #[error(transparent)]
    Cgroups(#[from] CgroupError),
    /// A label cannot be set.
    #[error(transparent)]
    Labels(#[from] LabelError),
    /// Nobody would listen in the daemon's own network namespace.
    #[error(transparent)]
    Spaces(#[from] SpaceError),
    /// A table of the kernel side cannot be written.
    #[error("a table of the kernel side cannot be used: {0}")]
    Map(#[from] aya::maps::MapError),
    /// Origins come and go while nobody is redirected.
    #[error("the kernel's table of connections changes though nobody is redirected: sluice detach, then start again")]
    Restless,
    /// No sign of life.
    #[error(transparent)]
    Heartbeat(#[from] HeartbeatError),
    /// The system does not do what it should.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The thread has ended.
    #[error("the thread that follows the kernel has ended")]
    Ended,
}

/// What can be read of the redirect layer at any time, from anywhere.
#[derive(Debug, Default)]
pub struct View {
    status: ArcSwap<serde_json::Value>,
    labels: ArcSwap<BTreeMap<u32, Name>>,
}

impl View {
    /// Programs, listeners and drops, for `status`; at most half a second old.
    pub fn status(&self) -> serde_json::Value {
        (**self.status.load()).clone()
    }

    /// The workload of a label.
    pub fn workload(&self, label: Label) -> Option<Name> {
        self.labels.load().get(&label.0).cloned()
    }

    pub(super) fn set_status(&self, status: serde_json::Value) {
        self.status.store(Arc::new(status));
    }

    pub(super) fn set_labels(&self, labels: BTreeMap<u32, Name>) {
        self.labels.store(Arc::new(labels));
    }
}

/// The redirect layer of this node.
#[derive(Debug)]
pub struct Interceptor {
    accepted: mpsc::Receiver<Accepted>,
    direct: Option<mpsc::Receiver<Direct>>,
    commands: Sender<Command>,
    view: Arc<View>,
    /// Never sent: its end is the thread's.
    ended: oneshot::Receiver<std::convert::Infallible>,
    thread: JoinHandle<()>,
}

impl Interceptor {
    /// Loads and attaches the programs, labels what is there and listens where labelled processes are. `destinations`
    /// are the covered ones where only listed ones are captured; `namespaces` will hold those with listeners.
    ///
    /// # Errors
    /// Something of that cannot be done; nothing is left half attached.
    pub async fn start(
        config: &Config,
        destinations: Vec<SocketAddr>,
        namespaces: Namespaces,
    ) -> Result<Self, InterceptError> {
        for warning in super::warnings(config) {
            tracing::warn!("{warning}");
        }
        let (sender, accepted) = mpsc::channel(WAITING);
        let (went_by, direct) = mpsc::channel(WENT_BY);
        let (commands, orders) = channel();
        let (ending, ended) = oneshot::channel();
        let (starting, started) = oneshot::channel();
        let view = Arc::new(View::default());
        let start = Start {
            pin_dir: config.intercept.pin_dir.clone(),
            plan: Plan::new(config)?,
            destinations,
            namespaces,
            runtime: Handle::current(),
            accepted: sender,
            direct: went_by,
            view: Arc::clone(&view),
        };
        let thread = std::thread::Builder::new().name("intercept".to_owned()).spawn(move || {
            let _ending: oneshot::Sender<std::convert::Infallible> = ending;
            match Layer::start(start) {
                Ok(layer) => {
                    if starting.send(Ok(())).is_ok() {
                        layer.run(&orders);
                    }
                }
                Err(error) => {
                    let _ = starting.send(Err(error));
                }
            }
        })?;
        started.await.unwrap_or(Err(InterceptError::Ended))?;
        Ok(Interceptor { accepted, direct: Some(direct), commands, view, ended, thread })
    }

    /// The next redirected connection. Can be dropped and asked again without losing one.
    ///
    /// # Errors
    /// The thread behind it has ended, which nothing should make it do: labelled workloads are refused from here on.
    pub async fn accept(&mut self) -> Result<Accepted, InterceptError> {
        tokio::select! {
            biased;
            accepted = self.accepted.recv() => accepted.ok_or(InterceptError::Ended),
            _ = &mut self.ended => Err(InterceptError::Ended),
        }
    }

    /// Connects that went by while no daemon ran, where that is configured. For the first who asks.
    pub fn direct(&mut self) -> mpsc::Receiver<Direct> {
        // A channel without a sender has no more to say.
        self.direct.take().unwrap_or_else(|| mpsc::channel(1).1)
    }

    /// Takes another configuration. What is labelled stays guarded throughout.
    ///
    /// # Errors
    /// It cannot be taken. Where the configuration is at fault, what ran before still runs; where the kernel is,
    /// workloads may be labelled already that the daemon does not serve, and are refused.
    pub async fn reload(&self, config: &Config) -> Result<(), InterceptError> {
        for warning in super::warnings(config) {
            tracing::warn!("{warning}");
        }
        let plan = Box::new(Plan::new(config)?);
        let (answer, answered) = oneshot::channel();
        self.commands.send(Command::Reload(plan, answer)).map_err(|_| InterceptError::Ended)?;
        answered.await.unwrap_or(Err(InterceptError::Ended))
    }

    /// Makes these the covered destinations where only listed ones are captured; the unspecified address stands for every
    /// one of its family. Failures show in the status.
    ///
    /// # Errors
    /// The thread behind it has ended, or, from what can be waited for, they could not be covered.
    pub fn cover(
        &self,
        destinations: Vec<SocketAddr>,
    ) -> Result<impl Future<Output = Result<(), InterceptError>> + use<>, InterceptError> {
        let (answer, answered) = oneshot::channel();
        self.commands.send(Command::Cover(destinations, answer)).map_err(|_| InterceptError::Ended)?;
        Ok(async { answered.await.unwrap_or(Err(InterceptError::Ended)) })
    }

    /// What can be read of it.
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.view)
    }

    /// Closes the listeners and ends every task. Programs and pins stay: labelled workloads are refused.
    pub async fn stop(self) {
        let Interceptor { commands, thread, .. } = self;
        let _ = commands.send(Command::Stop);
        let joined = tokio::task::spawn_blocking(move || thread.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!("the thread that follows the kernel ended by a panic");
        }
    }
}
