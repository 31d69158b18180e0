//! The thread that owns the kernel side: it sets everything up, follows what happens, and takes orders.
//!
//! One thread, because entering namespaces, walking the tree and reading `/proc` block, and because one owner needs no
//! locks.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use aya::maps::{HashMap as BpfMap, Map, MapData, MapError};
use gateway_ebpf::{ENDPOINTS_MAX, NO_LABEL, Reason, map};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::cgroups::{self, Root};
use super::events::EventLog;
use super::heartbeat::{self, Heartbeat};
use super::interceptor::{InterceptError, View};
use super::labels::{self, Fresh, Survey};
use super::maps::{Maps, Raw, gone, sync};
use super::netns::{self, Namespaces};
use super::origin::{Registry, Released};
use super::pins::Pins;
use super::plan::{Plan, endpoint, fits};
use super::programs::{self, Attached};
use super::spaces::Spaces;
use super::{Accepted, diag};
use crate::metrics;

/// How often, in ms, events are looked at that wake nobody.
const TICK: u8 = 20;
/// How often `status` and the metrics are brought up to date.
const PUBLISH: Duration = Duration::from_millis(500);
/// How often labelled processes are looked for in namespaces without a listener, and listeners without processes.
const ROUND: Duration = Duration::from_secs(2);
/// How often origins are looked for that belong to no connection.
const SWEEP: Duration = Duration::from_secs(10);
/// How old, in ns, an origin without a connection has to be: connecting takes a client minutes at most where SYNs are
/// lost, and then the origin is withdrawn by the kernel side.
const ORPHAN: u64 = 30_000_000_000;
/// How many events are taken at once.
const EVENTS: usize = 8_192;

/// What the thread is told.
pub(super) enum Command {
    /// Another configuration.
    Reload(Box<Plan>, oneshot::Sender<Result<(), InterceptError>>),
    /// The covered destinations, where only listed ones are captured.
    Cover(Vec<SocketAddr>, oneshot::Sender<Result<(), InterceptError>>),
    /// The end.
    Stop,
}

/// What the thread starts with.
pub(super) struct Start {
    pub(super) pin_dir: PathBuf,
    pub(super) plan: Plan,
    pub(super) destinations: Vec<SocketAddr>,
    pub(super) namespaces: Namespaces,
    pub(super) runtime: Handle,
    pub(super) accepted: mpsc::Sender<Accepted>,
    pub(super) view: Arc<View>,
}

/// The kernel side of this node, attached.
pub(super) struct Layer {
    pins: Pins,
    root: Root,
    maps: Maps,
    plan: Plan,
    attached: Vec<Attached>,
    spaces: Spaces,
    registry: Arc<Registry>,
    heartbeat: Option<Heartbeat>,
    log: EventLog,
    view: Arc<View>,
    released: HashMap<u32, u64>,
    labelled: usize,
    destroyed: u64,
    /// What is wrong now, for `status`.
    missing: Vec<&'static str>,
    failure: Option<String>,
    published: Instant,
    round: Instant,
    sweep: Instant,
}

impl Layer {
    /// Sets everything up. A start that fails leaves nothing, or what an earlier daemon had left.
    pub(super) fn start(start: Start) -> Result<Self, InterceptError> {
        check_place()?;
        let root = Root::find()?;
        check_self(&start.plan)?;
        raise_file_limit();
        let pins = Pins::open(&start.pin_dir)?;
        if pins.takeover {
            tracing::info!("taking over the programs that an earlier daemon has left attached");
        }
        match Self::attach(start, &pins, root) {
            Ok(build) => Ok(build.finish(pins)),
            Err(error) => {
                pins.give_up();
                Err(error)
            }
        }
    }

    fn attach(start: Start, pins: &Pins, root: Root) -> Result<Building, InterceptError> {
        let began = heartbeat::now()?;
        let Start { plan, destinations, namespaces, runtime, accepted, view, .. } = start;
        let (loaded, mut maps) = programs::load(pins)?;
        let mut fresh = labels::apply(&plan, &mut maps)?;
        // An earlier daemon's programs may still be attached: what was covered stays so until they are replaced.
        add(&destinations, &mut maps)?;
        let origins = MapData::from_pin(pins.maps().join(map::ORIGINS))?;
        let origins = BpfMap::try_from(Map::HashMap(origins))?;
        let registry = Arc::new(Registry::new(origins, accepted));
        let mut spaces = Spaces::new(runtime, Arc::clone(&registry), namespaces, &mut maps)?;
        // Listeners before labels: nobody else can take their ports first.
        let before = labels::survey(&root, &plan.automaton, &maps)?;
        spaces.cover(&before.processes(), &mut maps);
        spaces.cover(&labels::processes_of(&plan.uids), &mut maps);
        let attached = loaded.attach(pins, &root)?;
        cover(&destinations, &mut maps)?;
        let survey = labels::survey(&root, &plan.automaton, &maps)?;
        labels::write(&survey, &mut maps, &mut fresh)?;
        labels::forget(&plan, &mut maps)?;
        maps.lost.set(0, 0, 0)?;
        for line in pins.remove_other_layouts()? {
            tracing::info!("removed {line} of another version");
        }
        let mut released: HashMap<u32, u64> = maps.released.iter().collect::<Result<_, _>>()?;
        // Their connections ended with the daemon that had them.
        forget_origins(&mut maps, &mut released, |_, time| time < began)?;
        let heartbeat = Heartbeat::start(&pins.maps())?;
        Ok(Building { root, maps, plan, attached, spaces, registry, heartbeat, view, released, survey, fresh })
    }

    /// Follows what happens until it is told to stop. Nothing in here ends it: what fails is logged, shown and tried
    /// again, and connects that depend on it are refused meanwhile.
    pub(super) fn run(mut self, commands: &Receiver<Command>) {
        loop {
            let readable = {
                let mut fds = self.maps.readable().map(|fd| PollFd::new(fd, PollFlags::POLLIN));
                poll(&mut fds, PollTimeout::from(TICK))
            };
            if let Err(error) = readable
                && error != nix::errno::Errno::EINTR
            {
                tracing::error!(%error, "the kernel's events cannot be waited for");
                std::thread::sleep(Duration::from_millis(20));
            }
            self.events();
            self.release();
            loop {
                match commands.try_recv() {
                    Ok(Command::Reload(plan, answer)) => {
                        let _ = answer.send(self.reload(*plan));
                    }
                    Ok(Command::Cover(destinations, answer)) => {
                        let covered = cover(&destinations, &mut self.maps);
                        if let Err(error) = &covered {
                            tracing::error!(%error, "the destinations could not be covered");
                        }
                        // Whoever does not wait for the answer finds it in the status.
                        self.failure = covered.as_ref().err().map(ToString::to_string);
                        let _ = answer.send(covered);
                    }
                    Ok(Command::Stop) | Err(TryRecvError::Disconnected) => return self.stop(),
                    Err(TryRecvError::Empty) => break,
                }
            }
            self.timers();
        }
    }

    fn stop(mut self) {
        // In this order a connect is refused by the kernel throughout, and never reaches a port without its listener.
        drop(self.heartbeat.take());
        self.spaces.close_all(&mut self.maps);
    }

    fn note(&mut self, done: Result<(), InterceptError>) {
        match done {
            Ok(()) => self.failure = None,
            Err(error) => {
                tracing::error!(%error, "the redirect layer could not be brought up to date");
                self.failure = Some(error.to_string());
            }
        }
    }

    fn events(&mut self) {
        let (mut arrived, mut lost) = (Vec::new(), false);
        for _ in 0..EVENTS {
            let Some(event) = self.maps.event() else { break };
            let Some((event, reason)) = event.and_then(|event| Some((event, Reason::from_number(event.reason)?)))
            else {
                continue;
            };
            if matches!(reason, Reason::Arrived | Reason::NoListener) && event.pid != 0 {
                arrived.push((event.pid, event.label));
            }
            lost |= reason == Reason::CgroupLost;
            self.log.write(&event, reason, &self.plan.labels);
        }
        arrived.sort_unstable();
        arrived.dedup();
        self.spaces.cover(&arrived, &mut self.maps);
        if lost {
            let walked = self.walk(Fresh::default());
            self.note(walked);
        }
    }

    /// Looks at the whole tree and labels what the kernel side has not.
    fn walk(&mut self, mut fresh: Fresh) -> Result<(), InterceptError> {
        let lost = self.maps.lost.get(&0, 0)?;
        let survey = labels::survey(&self.root, &self.plan.automaton, &self.maps)?;
        self.spaces.cover(&survey.processes(), &mut self.maps);
        labels::write(&survey, &mut self.maps, &mut fresh)?;
        if lost != 0 && self.maps.lost.get(&0, 0)? == lost {
            self.maps.lost.set(0, 0, 0)?;
        }
        self.labelled = survey.labelled();
        self.destroy(&survey, &fresh);
        Ok(())
    }

    /// Ends connections that are older than their workload's label.
    fn destroy(&mut self, survey: &Survey, fresh: &Fresh) {
        if fresh.is_empty() {
            return;
        }
        let doomed = survey.doomed(fresh);
        for netns in self.spaces.namespaces() {
            match diag::destroy(&netns, &doomed) {
                Ok(0) => {}
                Ok(count) => {
                    self.destroyed = self.destroyed.saturating_add(count);
                    metrics::CONNECTIONS_DESTROYED.add(count);
                    tracing::info!(
                        count,
                        inode = netns.id.1,
                        "destroyed connections that were open before their label"
                    );
                }
                // Their packets are dropped by the egress guard all the same.
                Err(error) => tracing::error!(%error, inode = netns.id.1,
                    "connections that were open before their label cannot be destroyed; their packets are dropped"),
            }
        }
    }

    fn reload(&mut self, plan: Plan) -> Result<(), InterceptError> {
        check_self(&plan)?;
        self.spaces.cover(&labels::processes_of(&plan.uids), &mut self.maps);
        // New names first: a label that nobody knows would be refused.
        let both: BTreeMap<_, _> = self.plan.labels.iter().chain(&plan.labels).map(|(l, n)| (*l, n.clone())).collect();
        self.view.set_labels(both);
        let fresh = labels::apply(&plan, &mut self.maps)?;
        self.plan = plan;
        self.walk(fresh)?;
        labels::forget(&self.plan, &mut self.maps)?;
        self.released.retain(|label, _| self.plan.labels.contains_key(label));
        self.view.set_labels(self.plan.labels.clone());
        self.failure = None;
        Ok(())
    }

    /// Takes the origins of closed connections out of the kernel's table.
    fn release(&mut self) {
        for Released { tuple, time, label } in self.registry.take_released() {
            let held = self.maps.origins.get(&Raw(tuple), 0).map(|origin| origin.0.time);
            // The same ends can be another connection's by now.
            if held.ok() == Some(time) {
                let done = gone(self.maps.origins.remove(&Raw(tuple)))
                    .and_then(|()| count_released(&mut self.maps, &mut self.released, label));
                self.report(done);
            }
        }
    }

    fn report(&mut self, done: Result<(), MapError>) {
        if let Err(error) = done {
            tracing::error!(%error, "a table of the kernel side cannot be written");
            self.failure = Some(error.to_string());
        }
    }

    fn timers(&mut self) {
        self.log.tick(&self.plan.labels);
        if self.round.elapsed() >= ROUND {
            self.round = Instant::now();
            self.look_around();
        }
        if self.sweep.elapsed() >= SWEEP {
            self.sweep = Instant::now();
            self.sweep_origins();
        }
        if self.published.elapsed() >= PUBLISH {
            self.published = Instant::now();
            self.publish();
        }
    }

    /// Listeners where labelled processes are, and nowhere else; labels where they should be; programs still attached.
    fn look_around(&mut self) {
        let walked = self.walk(Fresh::default());
        self.note(walked);
        let survey = labels::survey(&self.root, &self.plan.automaton, &self.maps);
        let Ok(survey) = survey else { return };
        let mut processes = survey.processes();
        processes.extend(labels::processes_of(&self.plan.uids));
        self.spaces.cover(&processes, &mut self.maps);
        let used: HashSet<(u64, u64)> =
            processes.iter().filter_map(|(pid, _)| netns::id_of_process(*pid).ok()).collect();
        self.spaces.close_unused(&used, &mut self.maps);
        let missing = programs::missing(&self.attached, &self.root);
        if missing != self.missing {
            if !missing.is_empty() {
                tracing::error!(?missing, "programs have been detached by somebody else: workloads are not guarded");
            }
            self.missing = missing;
        }
    }

    /// Removes origins of connections that were never accepted, as where a listener's queue was full.
    fn sweep_origins(&mut self) {
        let Ok(now) = heartbeat::now() else { return };
        let registry = Arc::clone(&self.registry);
        let swept = forget_origins(&mut self.maps, &mut self.released, |tuple, time| {
            now.saturating_sub(time) > ORPHAN && !registry.is_live(tuple, time)
        });
        self.report(swept);
    }

    fn publish(&self) {
        let counters: BTreeMap<&str, u64> =
            Reason::ALL.iter().map(|reason| (reason.name(), self.maps.counted(*reason))).collect();
        for (reason, counter) in Reason::ALL.iter().zip(&metrics::KERNEL_EVENTS) {
            counter.set(self.maps.counted(*reason));
        }
        let failure = self.failure.clone().or_else(|| self.spaces.failure.clone());
        self.view.set_status(serde_json::json!({
            "layout": gateway_ebpf::LAYOUT,
            "maps": self.pins.maps(),
            "programs": self.attached,
            "detached_by_others": self.missing,
            "listeners": self.spaces.status(),
            "labelled_cgroups": self.labelled,
            "connections": self.registry.live(),
            "connections_max_per_workload": self.plan.settings.connections_max,
            "destroyed": self.destroyed,
            "unattributed": self.registry.unattributed(),
            "events": counters,
            "failure": failure,
        }));
    }
}

/// A layer whose pins are not its own yet.
struct Building {
    root: Root,
    maps: Maps,
    plan: Plan,
    attached: Vec<Attached>,
    spaces: Spaces,
    registry: Arc<Registry>,
    heartbeat: Heartbeat,
    view: Arc<View>,
    released: HashMap<u32, u64>,
    survey: Survey,
    fresh: Fresh,
}

impl Building {
    fn finish(self, pins: Pins) -> Layer {
        let now = Instant::now();
        self.view.set_labels(self.plan.labels.clone());
        let mut layer = Layer {
            pins,
            root: self.root,
            maps: self.maps,
            plan: self.plan,
            attached: self.attached,
            spaces: self.spaces,
            registry: self.registry,
            heartbeat: Some(self.heartbeat),
            log: EventLog::new(),
            view: self.view,
            released: self.released,
            labelled: self.survey.labelled(),
            destroyed: 0,
            missing: Vec::new(),
            failure: None,
            published: now,
            round: now,
            sweep: now,
        };
        layer.destroy(&self.survey, &self.fresh);
        layer.publish();
        layer
    }
}

fn cover(destinations: &[SocketAddr], maps: &mut Maps) -> Result<(), InterceptError> {
    fits("destinations", destinations.len(), ENDPOINTS_MAX)?;
    let wanted = destinations.iter().map(|address| (Raw(endpoint(*address)), 1)).collect();
    Ok(sync(&mut maps.destinations, &wanted)?)
}

/// Covers these beside what is covered.
fn add(destinations: &[SocketAddr], maps: &mut Maps) -> Result<(), InterceptError> {
    for address in destinations {
        maps.destinations.insert(Raw(endpoint(*address)), 1, 0)?;
    }
    Ok(())
}

/// Removes the origins that `old` picks by key and time, and counts them as removed by userspace.
fn forget_origins(
    maps: &mut Maps,
    released: &mut HashMap<u32, u64>,
    old: impl Fn(&gateway_ebpf::Tuple, u64) -> bool,
) -> Result<(), MapError> {
    let mut chosen = Vec::new();
    for entry in maps.origins.iter() {
        let (tuple, origin) = entry?;
        if old(&tuple.0, origin.0.time) {
            chosen.push((tuple, origin.0.label));
        }
    }
    for (tuple, label) in chosen {
        match maps.origins.remove(&tuple) {
            Ok(()) => count_released(maps, released, label)?,
            other => gone(other)?,
        }
    }
    Ok(())
}

fn count_released(maps: &mut Maps, released: &mut HashMap<u32, u64>, label: u32) -> Result<(), MapError> {
    let count = released.entry(label).or_insert(0);
    *count = count.wrapping_add(1);
    maps.released.insert(label, *count, 0)
}

/// Processes are followed by their ids in the node's own namespaces.
fn check_place() -> Result<(), InterceptError> {
    /// `PROC_PID_INIT_INO` and `PROC_USER_INIT_INO` (linux/proc_ns.h).
    const FIRST: [(&str, &str); 2] = [("pid", "pid:[4026531836]"), ("user", "user:[4026531837]")];
    for (kind, first) in FIRST {
        let own = std::fs::read_link(format!("/proc/self/ns/{kind}"))?;
        if own.as_os_str() != first {
            return Err(InterceptError::Place { kind });
        }
    }
    if !nix::unistd::geteuid().is_root() {
        return Err(InterceptError::NotRoot);
    }
    Ok(())
}

/// The gateway must not be redirected to itself.
fn check_self(plan: &Plan) -> Result<(), InterceptError> {
    let path = cgroups::own_path()?;
    let uid = nix::unistd::geteuid().as_raw();
    let by_uid = plan.uids.get(&uid).copied().unwrap_or(NO_LABEL);
    let label = match plan.automaton.covers(&path) {
        NO_LABEL => by_uid,
        label => label,
    };
    match plan.labels.get(&label) {
        None => Ok(()),
        Some(workload) => Err(InterceptError::SelfLabelled {
            workload: workload.clone(),
            cgroup: path.escape_ascii().to_string(),
            uid,
        }),
    }
}

/// Every session has a file and two sockets, every namespace its listeners.
fn raise_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let most = std::fs::read_to_string("/proc/sys/fs/nr_open").ok().and_then(|text| text.trim().parse::<u64>().ok());
    let Some(most) = most else { return };
    if setrlimit(Resource::RLIMIT_NOFILE, most, most).is_ok() {
        return;
    }
    // Above the hard limit takes CAP_SYS_RESOURCE.
    let hard = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(_, hard)| hard);
    let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    tracing::warn!(limit = hard, "the limit of open files is low (LimitNOFILE=): three are needed for each session");
}
