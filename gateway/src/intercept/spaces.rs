//! Listeners in the network namespaces of labelled processes: opened when one turns up, closed when the last is gone.
//!
//! What a workload makes of its namespaces costs itself: each has so many places, those where nobody can listen counted,
//! and workloads take turns.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aya::maps::MapError;
use gateway_ebpf::{Endpoint, Listener};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::maps::{Maps, Raw, gone};
use super::netns::{self, Id, Listening, Namespaces, Netns, Place};
use super::origin::Registry;
use super::plan::address;

/// How long a namespace is left alone in which nobody could listen, or whose listener has been destroyed: twice as long
/// each time.
const AGAIN: Duration = Duration::from_secs(1);
/// How often that is doubled at most.
const DOUBLINGS: u32 = 4;

/// In how many rounds a namespace has to be without labelled processes until its listener is closed.
const EMPTY_ROUNDS: u32 = 2;

/// A namespace's listeners.
#[derive(Debug)]
struct Space {
    netns: Arc<Netns>,
    place: Option<Place>,
    listener: Listener,
    tasks: Vec<JoinHandle<()>>,
    empty: u32,
    /// How often somebody has destroyed its sockets.
    deaths: u32,
}

impl Drop for Space {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// A namespace in which nobody listens, though labelled processes are there.
#[derive(Debug)]
struct Resting {
    place: Option<Place>,
    until: Instant,
    /// How often in a row.
    times: u32,
    /// The kernel's table has an entry without listeners.
    cookie: Option<u64>,
    /// Where it has been open before, itself.
    netns: Option<Arc<Netns>>,
    why: String,
}

/// That nobody listens in a namespace, for the log.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) label: u32,
    pub(super) pid: u32,
    pub(super) inode: u64,
    pub(super) why: String,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Spaces {
    runtime: Handle,
    registry: Arc<Registry>,
    shared: Namespaces,
    /// The daemon's own namespace: it is there anyway, so its listener stays.
    own: Id,
    open: BTreeMap<u64, Space>,
    by_id: HashMap<Id, u64>,
    resting: HashMap<Id, Resting>,
    /// By label, in the order of their coming.
    waiting: BTreeMap<u32, VecDeque<Id>>,
    /// What waits.
    places: HashMap<Id, Place>,
    /// Entries of an earlier daemon's, by cookie, and for how many rounds nobody has opened them again.
    left: HashMap<u64, u32>,
    /// How many namespaces a workload can have.
    most: usize,
    failures: Vec<Failure>,
    failure: Option<String>,
}

/// For `status`.
#[derive(Clone, Debug, serde::Serialize)]
pub(super) struct SpaceStatus {
    netns: u64,
    inode: u64,
    addresses: Vec<SocketAddr>,
}

/// Takes the ports of an earlier daemon, on which nobody listens, out of the kernel's table: from here on nobody is
/// redirected. The entries stay, without listeners: answers on connections that labelled processes accept pass only
/// where there is one.
pub(super) fn disarm(maps: &mut Maps) -> Result<Vec<u64>, MapError> {
    let held: Vec<u64> = maps.listeners.keys().collect::<Result<_, _>>()?;
    for cookie in &held {
        maps.listeners.insert(cookie, Raw(Listener::default()), 0)?;
    }
    Ok(held)
}

impl Spaces {
    /// With the daemon's own namespace's listener. `left` are the entries of an earlier daemon.
    pub(super) fn new(
        runtime: Handle,
        registry: Arc<Registry>,
        shared: Namespaces,
        left: Vec<u64>,
        most: usize,
        maps: &mut Maps,
    ) -> Result<Self, SpaceError> {
        let own = Netns::own()?;
        let mut spaces = Spaces {
            runtime,
            registry,
            shared,
            own: own.id,
            open: BTreeMap::new(),
            by_id: HashMap::new(),
            resting: HashMap::new(),
            waiting: BTreeMap::new(),
            places: HashMap::new(),
            left: left.into_iter().map(|cookie| (cookie, 0)).collect(),
            most,
            failures: Vec::new(),
            failure: None,
        };
        let own = Arc::new(own);
        let (cookie, listening) = netns::listen(&own)?;
        spaces.register(cookie, &own, None, listening?, 0, maps)?;
        Ok(spaces)
    }

    /// How many namespaces a workload can have from here on.
    pub(super) fn limit(&mut self, most: usize) {
        self.most = most;
    }

    /// Has listeners opened where these labelled processes are, as far as nobody listens: [`Spaces::work`] does it.
    pub(super) fn cover(&mut self, places: &[Place]) {
        for place in places {
            let resting = self.resting.get(&place.id).is_some_and(|resting| resting.until > Instant::now());
            // The daemon's own is seen to in any case, and is nobody's.
            if place.id == self.own
                || resting
                || self.by_id.contains_key(&place.id)
                || self.places.contains_key(&place.id)
            {
                continue;
            }
            if !self.resting.contains_key(&place.id) && self.count(place.label) >= self.most {
                self.fail(*place, &SpaceError::TooMany(self.most));
                continue;
            }
            self.wait(*place);
        }
    }

    fn wait(&mut self, place: Place) {
        self.places.insert(place.id, place);
        self.waiting.entry(place.label).or_default().push_back(place.id);
    }

    /// How many namespaces a workload has: with listeners, without, and those that wait.
    fn count(&self, label: u32) -> usize {
        let of = |place: &Option<Place>| place.is_some_and(|place| place.label == label);
        let open = self.open.values().filter(|space| of(&space.place)).count();
        let resting =
            self.resting.iter().filter(|(id, resting)| of(&resting.place) && !self.places.contains_key(*id)).count();
        open + resting + self.waiting.get(&label).map_or(0, VecDeque::len)
    }

    /// Whether there is something to do.
    pub(super) fn busy(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Opens listeners: one for each workload that waits, and then again while there is time. What cannot be done is
    /// told by [`Spaces::take_failures`]; connects from there are refused meanwhile.
    pub(super) fn work(&mut self, time: Duration, maps: &mut Maps) {
        let began = Instant::now();
        let mut first = true;
        while self.busy() && (first || began.elapsed() < time) {
            first = false;
            for label in self.waiting.keys().copied().collect::<Vec<_>>() {
                let Some(waiting) = self.waiting.get_mut(&label) else { continue };
                let next = waiting.pop_front();
                if waiting.is_empty() {
                    self.waiting.remove(&label);
                }
                if let Some(place) = next.and_then(|id| self.places.remove(&id)) {
                    self.open(place, maps);
                }
            }
        }
    }

    fn open(&mut self, place: Place, maps: &mut Maps) {
        let before = self.resting.remove(&place.id);
        let times = before.as_ref().map_or(0, |resting| resting.times);
        let mut cookie = before.as_ref().and_then(|resting| resting.cookie);
        let held = before.and_then(|resting| resting.netns);
        let netns = match &held {
            Some(netns) => Ok(Some(Arc::clone(netns))),
            None => Netns::of(&place).map(|netns| netns.map(Arc::new)),
        };
        let done = match netns {
            // Whoever was there is gone, and needs no listener.
            Ok(None) => return self.drop_entry(cookie, maps),
            Ok(Some(netns)) => self.listen(&netns, place, times, &mut cookie, maps),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = done {
            self.fail(place, &error);
            self.rest(place.id, Some(place), times, cookie, held, error.to_string());
        }
    }

    fn listen(
        &mut self,
        netns: &Arc<Netns>,
        place: Place,
        times: u32,
        known: &mut Option<u64>,
        maps: &mut Maps,
    ) -> Result<(), SpaceError> {
        let (cookie, listening) = netns::listen(netns)?;
        let done = listening
            .map_err(SpaceError::from)
            .and_then(|listening| self.register(cookie, netns, Some(place), listening, times, maps));
        if done.is_err() && known.is_none() {
            // What labelled processes accept there is answered all the same.
            maps.listeners.insert(cookie, Raw(Listener::default()), 0)?;
            *known = Some(cookie);
        }
        done
    }

    fn register(
        &mut self,
        cookie: u64,
        netns: &Arc<Netns>,
        place: Option<Place>,
        listening: Listening,
        deaths: u32,
        maps: &mut Maps,
    ) -> Result<(), SpaceError> {
        let Listening { sockets, listener } = listening;
        let mut space = Space { netns: Arc::clone(netns), place, listener, tasks: Vec::new(), empty: 0, deaths };
        {
            let _inside = self.runtime.enter();
            for socket in sockets {
                maps.ours(&socket)?;
                let listener = tokio::net::TcpListener::from_std(socket)?;
                space.tasks.push(self.runtime.spawn(Arc::clone(&self.registry).accept(cookie, listener)));
            }
        }
        // Only now: a registered listener is one that answers.
        maps.listeners.insert(cookie, Raw(space.listener), 0)?;
        self.left.remove(&cookie);
        self.shared.add(cookie, Arc::clone(netns));
        self.by_id.insert(netns.id, cookie);
        tracing::debug!(netns = cookie, inode = netns.id.1, "listening in a network namespace");
        self.open.insert(cookie, space);
        Ok(())
    }

    fn fail(&mut self, place: Place, error: &SpaceError) {
        let why = error.to_string();
        self.failure = Some(why.clone());
        self.failures.push(Failure { label: place.label, pid: place.pid, inode: place.id.1, why });
    }

    fn rest(
        &mut self,
        id: Id,
        place: Option<Place>,
        times: u32,
        cookie: Option<u64>,
        netns: Option<Arc<Netns>>,
        why: String,
    ) {
        let wait = AGAIN.saturating_mul(1 << times.min(DOUBLINGS));
        let now = Instant::now();
        let until = now.checked_add(wait).unwrap_or(now);
        let times = times.saturating_add(1);
        self.resting.insert(id, Resting { place, until, times, cookie, netns, why });
    }

    /// Closes what is left of listeners whose sockets somebody has destroyed, and opens them again a little later.
    pub(super) fn bury(&mut self, dead: &[u64], maps: &mut Maps) {
        for cookie in dead {
            let Some(space) = self.open.remove(cookie) else { continue };
            // At once: the port is anybody's now.
            self.disarm_one(*cookie, maps);
            self.by_id.remove(&space.netns.id);
            let error = SpaceError::Destroyed;
            let (label, pid) = space.place.map_or((0, 0), |place| (place.label, place.pid));
            self.failures.push(Failure { label, pid, inode: space.netns.id.1, why: error.to_string() });
            let netns = Some(Arc::clone(&space.netns));
            self.rest(space.netns.id, space.place, space.deaths, Some(*cookie), netns, error.to_string());
        }
    }

    /// Tries again where it is time, and closes what is in nobody's use any more. Once a round, with every place that
    /// is in use.
    pub(super) fn round(&mut self, used: &HashSet<Id>, maps: &mut Maps) -> io::Result<()> {
        // Threads can be elsewhere than their process; looked at only where it matters.
        let own = self.own;
        let needed = |id: Id, place: Option<Place>| -> io::Result<bool> {
            if id == own || used.contains(&id) {
                return Ok(true);
            }
            let Some(place) = place else { return Ok(false) };
            Ok(netns::places(&[(place.pid, place.label)], true)?.iter().any(|found| found.id == id))
        };
        let mut unused = Vec::new();
        for (cookie, space) in &mut self.open {
            let needed = needed(space.netns.id, space.place)?;
            space.empty = if needed { 0 } else { space.empty.saturating_add(1) };
            if space.empty >= EMPTY_ROUNDS {
                unused.push(*cookie);
            }
            // A task that has ended otherwise than by what it tells.
            if space.tasks.iter().any(JoinHandle::is_finished) {
                self.registry.died(*cookie);
            }
        }
        let mut idle = Vec::new();
        for (id, resting) in &self.resting {
            if !needed(*id, resting.place)? {
                idle.push(*id);
            }
        }
        for cookie in unused {
            self.close(cookie, maps);
        }
        for id in idle {
            if let Some(resting) = self.resting.remove(&id) {
                self.drop_entry(resting.cookie, maps);
            }
        }
        let now = Instant::now();
        let again: Vec<(Id, Option<Place>)> = self
            .resting
            .iter()
            .filter(|(id, resting)| resting.until <= now && !self.places.contains_key(*id))
            .map(|(id, resting)| (*id, resting.place))
            .collect();
        for (id, place) in again {
            match place {
                Some(place) => self.wait(place),
                None => self.reopen_own(id, maps),
            }
        }
        self.forget_left(maps);
        self.failure = self.resting.values().next().map(|resting| resting.why.clone());
        Ok(())
    }

    fn reopen_own(&mut self, id: Id, maps: &mut Maps) {
        let Some(Resting { times, cookie, netns: Some(netns), .. }) = self.resting.remove(&id) else { return };
        let listening = netns::listen(&netns).map_err(SpaceError::from);
        let done =
            listening.and_then(|(cookie, listening)| self.register(cookie, &netns, None, listening?, times, maps));
        if let Err(error) = done {
            self.failures.push(Failure { label: 0, pid: 0, inode: id.1, why: error.to_string() });
            self.rest(id, None, times, cookie, Some(netns), error.to_string());
        }
    }

    fn forget_left(&mut self, maps: &mut Maps) {
        let resting: HashSet<u64> = self.resting.values().filter_map(|resting| resting.cookie).collect();
        let mut over = Vec::new();
        self.left.retain(|cookie, rounds| {
            *rounds = rounds.saturating_add(1);
            let keep = *rounds < EMPTY_ROUNDS;
            if !keep && !resting.contains(cookie) {
                over.push(*cookie);
            }
            keep
        });
        for cookie in over {
            self.drop_entry(Some(cookie), maps);
        }
    }

    fn disarm_one(&self, cookie: u64, maps: &mut Maps) {
        if let Err(error) = maps.listeners.insert(cookie, Raw(Listener::default()), 0) {
            tracing::error!(netns = cookie, %error, "a closed listener cannot be taken from the kernel's table");
        }
    }

    fn drop_entry(&self, cookie: Option<u64>, maps: &mut Maps) {
        let Some(cookie) = cookie else { return };
        self.shared.remove(cookie);
        if let Err(error) = gone(maps.listeners.remove(&cookie)) {
            tracing::error!(netns = cookie, %error, "a closed listener cannot be taken from the kernel's table");
        }
    }

    fn close(&mut self, cookie: u64, maps: &mut Maps) {
        // The map first: from here on a connect is refused there.
        self.drop_entry(Some(cookie), maps);
        if let Some(space) = self.open.remove(&cookie) {
            self.by_id.remove(&space.netns.id);
            tracing::debug!(netns = cookie, "closed the listener of a network namespace");
        }
    }

    /// Closes all of them. Where labelled processes are, an entry without listeners stays.
    pub(super) fn close_all(&mut self, maps: &mut Maps) {
        for (cookie, space) in std::mem::take(&mut self.open) {
            if space.empty == 0 {
                self.disarm_one(cookie, maps);
                self.shared.remove(cookie);
            } else {
                self.drop_entry(Some(cookie), maps);
            }
        }
        self.by_id.clear();
    }

    /// The namespaces that have listeners.
    pub(super) fn namespaces(&self) -> Vec<Arc<Netns>> {
        self.open.values().map(|space| Arc::clone(&space.netns)).collect()
    }

    /// Where nobody could listen since the last call.
    pub(super) fn take_failures(&mut self) -> Vec<Failure> {
        std::mem::take(&mut self.failures)
    }

    /// Why there is a namespace in which nobody listens.
    pub(super) fn failure(&self) -> Option<String> {
        self.failure.clone()
    }

    pub(super) fn status(&self) -> Vec<SpaceStatus> {
        let spaces = self.open.iter().map(|(cookie, space)| SpaceStatus {
            netns: *cookie,
            inode: space.netns.id.1,
            addresses: addresses(&space.listener),
        });
        spaces.collect()
    }
}

fn addresses(listener: &Listener) -> Vec<SocketAddr> {
    let mapped = u32::from_ne_bytes([0, 0, 0xff, 0xff]);
    let v4 = listener
        .v4
        .iter()
        .take(listener.v4_count as usize)
        .map(|word| Endpoint { address: [0, 0, mapped, *word], port: listener.v4_port });
    let last = u32::from_ne_bytes([0, 0, 0, 1]);
    let v6 = listener
        .v6_ports
        .iter()
        .take(listener.v6_count as usize)
        .map(|port| Endpoint { address: [0, 0, 0, last], port: *port });
    v4.chain(v6).map(|endpoint| address(&endpoint)).collect()
}

/// Why nobody listens in a namespace.
#[derive(Debug, thiserror::Error)]
pub enum SpaceError {
    /// It cannot be entered or nothing be bound there.
    #[error("no listener in the network namespace: {0}")]
    Io(#[from] io::Error),
    /// The kernel side's table does not take it.
    #[error("the kernel does not take the listener: {0}")]
    Map(#[from] MapError),
    /// The workload has more namespaces than it may.
    #[error("the workload has {0} network namespaces, and may not have listeners in more")]
    TooMany(usize),
    /// Whoever has power over the namespace has ended them.
    #[error("the listener's sockets have been destroyed by somebody in the network namespace: they are opened again")]
    Destroyed,
}
