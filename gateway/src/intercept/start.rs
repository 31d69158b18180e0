//! Setting the kernel side up, in an order in which no moment of it is open.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use aya::maps::{HashMap as BpfMap, Map, MapData};
use gateway_ebpf::{ENDPOINTS_MAX, NO_LABEL, map};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::cgroups::{self, Root};
use super::events::EventLog;
use super::heartbeat::{self, Heartbeat};
use super::interceptor::{InterceptError, View};
use super::labels::{self, Fresh, Survey};
use super::layer::{Layer, SETTLE};
use super::maps::{Maps, Raw, gone, sync};
use super::netns::{self, Namespaces};
use super::origin::Registry;
use super::packets::Watch;
use super::pins::Pins;
use super::plan::{Plan, endpoint, fits};
use super::programs::{self, Attached};
use super::shares::{self, Shares};
use super::spaces::{self, Spaces};
use super::{Accepted, Direct};

/// What the thread starts with.
pub(super) struct Start {
    pub(super) pin_dir: PathBuf,
    pub(super) plan: Plan,
    pub(super) destinations: Vec<SocketAddr>,
    pub(super) namespaces: Namespaces,
    pub(super) runtime: Handle,
    pub(super) accepted: mpsc::Sender<Accepted>,
    pub(super) direct: mpsc::Sender<Direct>,
    pub(super) view: Arc<View>,
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
    shares: Shares,
    survey: Survey,
    fresh: Fresh,
    packets: Watch,
    files: u64,
    direct: mpsc::Sender<Direct>,
}

impl Layer {
    /// Sets everything up. A start that fails leaves nothing, or what an earlier daemon had left.
    pub(super) fn start(mut start: Start) -> Result<Self, InterceptError> {
        check_place()?;
        let root = Root::find()?;
        check_self(&start.plan)?;
        let files = raise_file_limit();
        start.plan.fit_files(files);
        let pins = Pins::open(&start.pin_dir)?;
        if pins.takeover {
            tracing::info!("taking over the programs that an earlier daemon has left attached");
        }
        match attach(start, files, &pins, root) {
            Ok(build) => Ok(build.finish(pins)),
            Err(error) => {
                pins.give_up();
                Err(error)
            }
        }
    }
}

fn attach(start: Start, files: u64, pins: &Pins, root: Root) -> Result<Building, InterceptError> {
    let Start { plan, destinations, namespaces, runtime, accepted, direct, view, .. } = start;
    let (loaded, mut maps) = programs::load(pins)?;
    // Nobody is redirected from here on, and nobody listens yet.
    let left = spaces::disarm(&mut maps)?;
    // Their connections ended with the daemon that had them. Whoever comes with the same port must not have them.
    forget_origins(&mut maps, heartbeat::now()?)?;
    let mut shares = Shares::rebuilt(&mut maps)?;
    let mut fresh = labels::apply(&plan, &mut maps, &mut shares)?;
    // An earlier daemon's programs may still be attached: what was covered stays so until they are replaced.
    add(&destinations, &mut maps)?;
    let origins = MapData::from_pin(pins.maps().join(map::ORIGINS))?;
    let origins = BpfMap::try_from(Map::HashMap(origins))?;
    let registry = Arc::new(Registry::new(origins, accepted));
    let mut spaces = Spaces::new(runtime, Arc::clone(&registry), namespaces, left, plan.namespaces_max, &mut maps)?;
    // Listeners before labels: nobody else can take their ports first.
    let before = labels::survey(&root, &plan, &maps)?;
    spaces.cover(&netns::places(&before.processes, false)?);
    spaces.work(SETTLE, &mut maps);
    let attached = loaded.attach(pins, &root)?;
    cover(&destinations, &mut maps)?;
    let survey = labels::survey(&root, &plan, &maps)?;
    labels::write(&survey, &mut maps, &mut fresh)?;
    labels::forget(&plan, &mut maps, &mut shares)?;
    maps.lost.set(0, 0, 0)?;
    for line in pins.remove_other_layouts()? {
        tracing::info!("removed {line} of another version");
    }
    let heartbeat = Heartbeat::start(&pins.maps())?;
    let packets = Watch::start()?;
    Ok(Building {
        root,
        maps,
        plan,
        attached,
        spaces,
        registry,
        heartbeat,
        view,
        shares,
        survey,
        fresh,
        packets,
        files,
        direct,
    })
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
            direct: self.direct,
            view: self.view,
            shares: self.shares,
            packets: self.packets,
            packet_sockets: Default::default(),
            files: self.files,
            labelled: self.survey.labelled(),
            destroyed: 0,
            missing: Vec::new(),
            failure: None,
            lost: false,
            published: now,
            round: now,
            sweep: now,
        };
        layer.destroy(&self.survey, &self.fresh);
        layer.publish();
        layer
    }
}

pub(super) fn cover(destinations: &[SocketAddr], maps: &mut Maps) -> Result<(), InterceptError> {
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

/// Removes the origins from before `began`. What they counted for is counted anew afterwards.
fn forget_origins(maps: &mut Maps, began: u64) -> Result<(), InterceptError> {
    let Some(published) = shares::published(maps)? else {
        return Err(InterceptError::Restless);
    };
    for (tuple, _) in published.into_iter().filter(|(_, published)| published.time < began) {
        gone(maps.origins.remove(&Raw(tuple)))?;
    }
    Ok(())
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
pub(super) fn check_self(plan: &Plan) -> Result<(), InterceptError> {
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

/// Every session has a file and two sockets, every namespace its listeners. What there can be of them.
fn raise_file_limit() -> u64 {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let most = std::fs::read_to_string("/proc/sys/fs/nr_open").ok().and_then(|text| text.trim().parse::<u64>().ok());
    let Some(most) = most else { return getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft) };
    if setrlimit(Resource::RLIMIT_NOFILE, most, most).is_ok() {
        return most;
    }
    // Above the hard limit takes CAP_SYS_RESOURCE.
    let hard = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(_, hard)| hard);
    let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    tracing::warn!(limit = hard, "the limit of open files is low (LimitNOFILE=): three are needed for each session");
    hard
}
