//! Listeners in the network namespaces of labelled processes: opened when one turns up, closed when the last is gone.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway_ebpf::{Endpoint, Listener};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::maps::{Maps, Raw, gone};
use super::netns::{self, Namespaces, Netns};
use super::origin::Registry;
use super::plan::address;

/// How many namespaces one workload can have listeners in.
const PER_WORKLOAD: usize = 256;

/// How long a namespace in which nobody could listen is left alone.
const AGAIN: Duration = Duration::from_secs(1);

/// In how many rounds a namespace has to be without labelled processes until its listener is closed.
const EMPTY_ROUNDS: u32 = 2;

/// A namespace's listeners.
#[derive(Debug)]
struct Space {
    netns: Arc<Netns>,
    label: u32,
    listener: Listener,
    tasks: Vec<JoinHandle<()>>,
    empty: u32,
}

impl Drop for Space {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// All of them.
#[derive(Debug)]
pub(super) struct Spaces {
    runtime: Handle,
    registry: Arc<Registry>,
    shared: Namespaces,
    /// The daemon's own namespace: it is there anyway, so its listener stays.
    own: (u64, u64),
    open: BTreeMap<u64, Space>,
    by_id: HashMap<(u64, u64), u64>,
    failed: HashMap<(u64, u64), Instant>,
    /// Why the last namespace could not be listened in.
    pub(super) failure: Option<String>,
}

/// For `status`.
#[derive(Clone, Debug, serde::Serialize)]
pub(super) struct SpaceStatus {
    netns: u64,
    inode: u64,
    addresses: Vec<SocketAddr>,
}

impl Spaces {
    /// None yet; forgets those of an earlier daemon, whose ports nobody listens on.
    pub(super) fn new(
        runtime: Handle,
        registry: Arc<Registry>,
        shared: Namespaces,
        maps: &mut Maps,
    ) -> Result<Self, SpaceError> {
        let stale: Vec<u64> = maps.listeners.keys().collect::<Result<_, _>>()?;
        for cookie in stale {
            gone(maps.listeners.remove(&cookie))?;
        }
        let own = Netns::own()?;
        let (id, label) = (own.id, 0);
        let mut spaces = Spaces {
            runtime,
            registry,
            shared,
            own: id,
            open: BTreeMap::new(),
            by_id: HashMap::new(),
            failed: HashMap::new(),
            failure: None,
        };
        spaces.listen(own, label, maps)?;
        Ok(spaces)
    }

    /// Listens where these labelled processes are, as far as nobody does. What cannot be done is logged; connects from
    /// there are refused meanwhile.
    pub(super) fn cover(&mut self, processes: &[(u32, u32)], maps: &mut Maps) {
        for (pid, label) in processes {
            // A process that is gone needs no listener.
            let Ok(id) = netns::id_of_process(*pid) else { continue };
            let resting = self.failed.get(&id).is_some_and(|since| since.elapsed() < AGAIN);
            if self.by_id.contains_key(&id) || resting {
                continue;
            }
            let Ok(netns) = Netns::of_process(*pid) else { continue };
            let id = netns.id;
            if self.by_id.contains_key(&id) {
                continue;
            }
            let done = match self.open.values().filter(|space| space.label == *label).count() {
                count if count >= PER_WORKLOAD => Err(SpaceError::TooMany),
                _ => self.listen(netns, *label, maps),
            };
            if let Err(error) = done {
                tracing::warn!(pid, inode = id.1, %error, "no listener in a workload's network namespace: it is refused");
                self.failure = Some(error.to_string());
                self.failed.retain(|_, since| since.elapsed() < AGAIN);
                self.failed.insert(id, Instant::now());
            }
        }
    }

    fn listen(&mut self, netns: Netns, label: u32, maps: &mut Maps) -> Result<(), SpaceError> {
        let listening = netns::listen(&netns)?;
        let (cookie, netns) = (listening.cookie, Arc::new(netns));
        let mut space =
            Space { netns: Arc::clone(&netns), label, listener: listening.listener, tasks: Vec::new(), empty: 0 };
        {
            let _inside = self.runtime.enter();
            for socket in listening.sockets {
                let listener = tokio::net::TcpListener::from_std(socket)?;
                space.tasks.push(self.runtime.spawn(Arc::clone(&self.registry).accept(cookie, listener)));
            }
        }
        // Only now: a registered listener is one that answers.
        maps.listeners.insert(cookie, Raw(space.listener), 0)?;
        self.shared.add(cookie, Arc::clone(&netns));
        self.by_id.insert(netns.id, cookie);
        tracing::debug!(netns = cookie, inode = netns.id.1, "listening in a network namespace");
        self.open.insert(cookie, space);
        Ok(())
    }

    /// Closes the listeners of namespaces that are in nobody's use any more.
    pub(super) fn close_unused(&mut self, used: &HashSet<(u64, u64)>, maps: &mut Maps) {
        let mut unused = Vec::new();
        for (cookie, space) in &mut self.open {
            let needed = space.netns.id == self.own || used.contains(&space.netns.id);
            space.empty = if needed { 0 } else { space.empty.saturating_add(1) };
            if space.empty >= EMPTY_ROUNDS {
                unused.push(*cookie);
            }
        }
        for cookie in unused {
            self.close(cookie, maps);
        }
    }

    fn close(&mut self, cookie: u64, maps: &mut Maps) {
        // The map first: from here on a connect is refused there.
        if let Err(error) = gone(maps.listeners.remove(&cookie)) {
            tracing::error!(netns = cookie, %error, "a closed listener cannot be taken from the kernel's table");
        }
        self.shared.remove(cookie);
        if let Some(space) = self.open.remove(&cookie) {
            self.by_id.remove(&space.netns.id);
            tracing::debug!(netns = cookie, "closed the listener of a network namespace");
        }
    }

    /// Closes all of them.
    pub(super) fn close_all(&mut self, maps: &mut Maps) {
        for cookie in self.open.keys().copied().collect::<Vec<_>>() {
            self.close(cookie, maps);
        }
    }

    /// The namespaces that have listeners.
    pub(super) fn namespaces(&self) -> Vec<Arc<Netns>> {
        self.open.values().map(|space| Arc::clone(&space.netns)).collect()
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
    Map(#[from] aya::maps::MapError),
    /// The workload has more namespaces than it may.
    #[error("the workload has listeners in {PER_WORKLOAD} network namespaces, and may not have more")]
    TooMany,
}
