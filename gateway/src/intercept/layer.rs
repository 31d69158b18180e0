//! The thread that owns the kernel side: it sets everything up, follows what happens, and takes orders.
//!
//! One thread, because entering namespaces, walking the tree and reading `/proc` block, and because one owner needs no
//! locks.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use aya::maps::MapError;
use gateway_ebpf::{Event, NO_LABEL, Reason};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::sync::{mpsc, oneshot};

use super::cgroups::Root;
use super::events::EventLog;
use super::heartbeat::{self, Heartbeat};
use super::interceptor::{InterceptError, View};
use super::labels::{self, Fresh, Survey};
use super::maps::{Maps, Raw, gone};
use super::netns::{self, Place};
use super::origin::{Registry, Released};
use super::packets::{PacketSocket, Watch};
use super::pins::Pins;
use super::plan::{Plan, address};
use super::programs::{self, Attached};
use super::shares::{self, Shares};
use super::spaces::Spaces;
use super::start::{check_self, cover};
use super::{Direct, Label, Process, diag};
use crate::metrics;

/// How often, in ms, events are looked at that wake nobody.
const TICK: u8 = 20;
/// How often `status` and the metrics are brought up to date.
const PUBLISH: Duration = Duration::from_millis(500);
/// How often labelled processes are looked for in namespaces without a listener, and listeners without processes.
const ROUND: Duration = Duration::from_secs(2);
/// How long after a label of the kernel side was lost all are looked at.
const LOST: Duration = Duration::from_millis(200);
/// How long listeners are opened at a time, and how long where labels wait for them.
const WORK: Duration = Duration::from_millis(10);
pub(super) const SETTLE: Duration = Duration::from_secs(2);
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

/// The kernel side of this node, attached.
pub(super) struct Layer {
    pub(super) pins: Pins,
    pub(super) root: Root,
    pub(super) maps: Maps,
    pub(super) plan: Plan,
    pub(super) attached: Vec<Attached>,
    pub(super) spaces: Spaces,
    pub(super) registry: Arc<Registry>,
    pub(super) heartbeat: Option<Heartbeat>,
    pub(super) log: EventLog,
    pub(super) direct: mpsc::Sender<Direct>,
    pub(super) view: Arc<View>,
    pub(super) shares: Shares,
    pub(super) packets: Watch,
    /// AF_PACKET sockets of labelled processes, as they were last seen.
    pub(super) packet_sockets: BTreeSet<PacketSocket>,
    /// How many files this process may have open.
    pub(super) files: u64,
    pub(super) labelled: usize,
    pub(super) destroyed: u64,
    /// What is wrong now, for `status`.
    pub(super) missing: Vec<&'static str>,
    pub(super) failure: Option<String>,
    /// A label of a new cgroup could not be stored by the kernel side.
    pub(super) lost: bool,
    pub(super) published: Instant,
    pub(super) round: Instant,
    pub(super) sweep: Instant,
}

impl Layer {
    /// Follows what happens until it is told to stop. Nothing in here ends it: what fails is logged, shown and tried
    /// again, and connects that depend on it are refused meanwhile.
    pub(super) fn run(mut self, commands: &Receiver<Command>) {
        loop {
            let readable = {
                let mut fds = self.maps.readable().map(|fd| PollFd::new(fd, PollFlags::POLLIN));
                let wait = if self.spaces.busy() { PollTimeout::ZERO } else { PollTimeout::from(TICK) };
                poll(&mut fds, wait)
            };
            if let Err(error) = readable
                && error != nix::errno::Errno::EINTR
            {
                tracing::error!(%error, "the kernel's events cannot be waited for");
                std::thread::sleep(Duration::from_millis(20));
            }
            self.events();
            self.spaces.bury(&self.registry.take_dead(), &mut self.maps);
            self.spaces.work(WORK, &mut self.maps);
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
                if self.log.allows(NO_LABEL, "layer") {
                    tracing::error!(%error, "the redirect layer could not be brought up to date");
                }
                self.failure = Some(error.to_string());
            }
        }
    }

    fn events(&mut self) {
        let (mut arrived, mut elsewhere) = (BTreeSet::new(), BTreeSet::new());
        for _ in 0..EVENTS {
            let Some(event) = self.maps.event() else { break };
            let Some((event, reason)) = event.and_then(|event| Some((event, Reason::from_number(event.reason)?)))
            else {
                continue;
            };
            match reason {
                Reason::Arrived if event.pid != 0 => drop(arrived.insert((event.pid, event.label))),
                // The connect can be of a thread that is elsewhere than its process.
                Reason::NoListener if event.pid != 0 => drop(elsewhere.insert((event.pid, event.label))),
                Reason::GatewayDownOpen => self.went_by(&event),
                Reason::CgroupLost => self.lost = true,
                _ => {}
            }
            self.log.write(&event, reason, &self.plan.labels);
        }
        for (processes, threads) in [(arrived, false), (elsewhere, true)] {
            let processes: Vec<(u32, u32)> = processes.into_iter().collect();
            match netns::places(&processes, threads) {
                Ok(places) => self.spaces.cover(&places),
                Err(error) => self.note(Err(error.into())),
            }
        }
    }

    /// Has it recorded. It is in the log in any case.
    fn went_by(&self, event: &Event) {
        let process = Process { pid: event.pid, uid: event.uid, cgroup: event.cgroup, netns: event.netns };
        let label = Label(event.label);
        if self.direct.try_send(Direct { destination: address(&event.destination), process, label }).is_err() {
            tracing::error!(pid = event.pid, "a connect that went by cannot be recorded: too many at once");
        }
    }

    /// Labels what the kernel side has not, after listeners are where its processes are.
    fn label(&mut self, survey: &Survey, places: &[Place], mut fresh: Fresh) -> Result<(), InterceptError> {
        let lost = self.maps.lost.get(&0, 0)?;
        self.spaces.cover(places);
        self.spaces.work(if fresh.is_empty() { WORK } else { SETTLE }, &mut self.maps);
        labels::write(survey, &mut self.maps, &mut fresh)?;
        if lost != 0 && self.maps.lost.get(&0, 0)? == lost {
            self.maps.lost.set(0, 0, 0)?;
        }
        self.labelled = survey.labelled();
        self.destroy(survey, &fresh);
        Ok(())
    }

    /// Ends connections that are older than their workload's label.
    pub(super) fn destroy(&mut self, survey: &Survey, fresh: &Fresh) {
        if fresh.is_empty() {
            return;
        }
        let doomed = match survey.doomed(fresh) {
            Ok(doomed) => doomed,
            // Their packets are dropped by the egress guard all the same.
            Err(error) => return self.note(Err(error.into())),
        };
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

    fn reload(&mut self, mut plan: Plan) -> Result<(), InterceptError> {
        check_self(&plan)?;
        plan.fit_files(self.files);
        self.spaces.limit(plan.namespaces_max);
        // New names first: a label that nobody knows would be refused.
        let both: BTreeMap<_, _> = self.plan.labels.iter().chain(&plan.labels).map(|(l, n)| (*l, n.clone())).collect();
        self.view.set_labels(both);
        // Listeners where new labels will be, before users and new cgroups have them.
        let survey = labels::survey(&self.root, &plan, &self.maps)?;
        let places = netns::places(&survey.processes, false)?;
        self.spaces.cover(&places);
        self.spaces.work(SETTLE, &mut self.maps);
        let fresh = labels::apply(&plan, &mut self.maps, &mut self.shares)?;
        self.plan = plan;
        // Again: what has come meanwhile was labelled by the patterns of before.
        let survey = labels::survey(&self.root, &self.plan, &self.maps)?;
        let places = netns::places(&survey.processes, false)?;
        self.label(&survey, &places, fresh)?;
        labels::forget(&self.plan, &mut self.maps, &mut self.shares)?;
        self.view.set_labels(self.plan.labels.clone());
        self.failure = None;
        Ok(())
    }

    /// Takes the origins of closed connections out of the kernel's table.
    fn release(&mut self) {
        for released in self.registry.take_released() {
            let Released { tuple, time, label } = released;
            let held = self.maps.origins.get(&Raw(tuple), 0).map(|origin| origin.0.time);
            let done = match held {
                // Counted by whoever has removed it.
                Ok(held) if held == time => match self.maps.origins.remove(&Raw(tuple)) {
                    Ok(()) => self.shares.removed(label, &mut self.maps),
                    other => gone(other),
                },
                // The same ends can be another connection's by now.
                Ok(_) | Err(MapError::KeyNotFound) => Ok(()),
                Err(error) => Err(error),
            };
            match done {
                Ok(()) => self.registry.forget(&released),
                Err(_) => self.registry.release(released),
            }
            self.report(done);
        }
    }

    fn report(&mut self, done: Result<(), MapError>) {
        if let Err(error) = done {
            if self.log.allows(NO_LABEL, "table") {
                tracing::error!(%error, "a table of the kernel side cannot be written");
            }
            self.failure = Some(error.to_string());
        }
    }

    fn timers(&mut self) {
        for failure in self.spaces.take_failures() {
            if self.log.allows(failure.label, "no_listener_opened") {
                let workload = self.plan.labels.get(&failure.label).map_or("none", |name| name);
                tracing::warn!(
                    workload,
                    pid = failure.pid,
                    inode = failure.inode,
                    error = failure.why,
                    "no listener in a network namespace: whoever is labelled there is refused"
                );
            }
        }
        self.log.tick(&self.plan.labels);
        if self.round.elapsed() >= if self.lost { LOST } else { ROUND } {
            self.lost = false;
            self.round = Instant::now();
            let looked = self.look_around();
            self.note(looked);
            self.look_at_programs();
        }
        if self.sweep.elapsed() >= SWEEP {
            self.sweep = Instant::now();
            let swept = self.sweep_origins();
            self.report(swept);
        }
        if self.published.elapsed() >= PUBLISH {
            self.published = Instant::now();
            self.publish();
        }
    }

    /// Listeners where labelled processes are, and nowhere else; labels where they should be. Where something cannot be
    /// read, nothing is taken away.
    fn look_around(&mut self) -> Result<(), InterceptError> {
        let survey = labels::survey(&self.root, &self.plan, &self.maps)?;
        let places = netns::places(&survey.processes, false);
        let closed = places.as_ref().map_or(Ok(()), |places| {
            let used: HashSet<netns::Id> = places.iter().map(|place| place.id).collect();
            self.spaces.round(&used, &mut self.maps)
        });
        self.label(&survey, places.as_deref().unwrap_or_default(), Fresh::default())?;
        closed?;
        let places = places?;
        if let Some(found) = self.packets.found() {
            self.packet_sockets(found);
        }
        self.packets.look(places, survey.processes);
        Ok(())
    }

    fn packet_sockets(&mut self, found: BTreeSet<PacketSocket>) {
        for socket in found.difference(&self.packet_sockets) {
            if self.log.allows(socket.label, "packet_socket") {
                let workload = self.plan.labels.get(&socket.label).map_or("unknown", |name| name);
                tracing::error!(
                    workload,
                    pid = socket.pid,
                    inode = socket.netns,
                    socket = socket.inode,
                    "a labelled process has an AF_PACKET socket: what it sends is not guarded. Take CAP_NET_RAW from it"
                );
            }
        }
        metrics::PACKET_SOCKETS.set(u64::try_from(found.len()).unwrap_or(u64::MAX));
        self.packet_sockets = found;
    }

    fn look_at_programs(&mut self) {
        let missing = programs::missing(&self.attached, &self.root);
        if missing != self.missing {
            if !missing.is_empty() {
                tracing::error!(?missing, "programs have been detached by somebody else: workloads are not guarded");
            }
            self.missing = missing;
        }
    }

    /// Removes origins of connections that were never accepted, as where a listener's queue was full; and puts right
    /// how many each workload has.
    fn sweep_origins(&mut self) -> Result<(), MapError> {
        let Ok(now) = heartbeat::now() else { return Ok(()) };
        let before = shares::states(&self.maps)?;
        let Some(mut published) = shares::published(&self.maps)? else { return Ok(()) };
        let orphans: Vec<_> = published
            .iter()
            .filter(|(tuple, origin)| {
                now.saturating_sub(origin.time) > ORPHAN && !self.registry.is_live(tuple, origin.time)
            })
            .map(|(tuple, origin)| (*tuple, origin.label))
            .collect();
        for (tuple, label) in orphans {
            published.remove(&tuple);
            match self.maps.origins.remove(&Raw(tuple)) {
                Ok(()) => self.shares.removed(label, &mut self.maps)?,
                other => gone(other)?,
            }
        }
        self.shares.correct(&shares::by_label(published.values()), &before, &mut self.maps)
    }

    pub(super) fn publish(&self) {
        let counters: BTreeMap<&str, u64> =
            Reason::ALL.iter().map(|reason| (reason.name(), self.maps.counted(*reason))).collect();
        for (reason, counter) in Reason::ALL.iter().zip(&metrics::KERNEL_EVENTS) {
            counter.set(self.maps.counted(*reason));
        }
        let failure = self.failure.clone().or_else(|| self.spaces.failure());
        let packet_sockets: Vec<serde_json::Value> = self
            .packet_sockets
            .iter()
            .map(|socket| {
                let workload = self.plan.labels.get(&socket.label).map_or("unknown", |name| name);
                serde_json::json!({ "workload": workload, "pid": socket.pid, "inode": socket.netns })
            })
            .collect();
        self.view.set_status(serde_json::json!({
            "layout": gateway_ebpf::LAYOUT,
            "maps": self.pins.maps(),
            "programs": self.attached,
            "detached_by_others": self.missing,
            "listeners": self.spaces.status(),
            "labelled_cgroups": self.labelled,
            "connections": self.registry.live(),
            "connections_max_per_workload": self.plan.settings.connections_max,
            "namespaces_max_per_workload": self.plan.namespaces_max,
            "packet_sockets": packet_sockets,
            "destroyed": self.destroyed,
            "unattributed": self.registry.unattributed(),
            "events": counters,
            "failure": failure,
        }));
    }
}
