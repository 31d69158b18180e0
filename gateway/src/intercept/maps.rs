//! The kernel side's maps, by the types that both sides share.

use std::os::fd::{AsFd as _, AsRawFd, BorrowedFd};

use aya::maps::{Array, HashMap, Map, MapData, MapError, MapType, PerCpuArray, RingBuf, SkStorage};
use aya::{Ebpf, Pod};
use gateway_ebpf::{
    CGROUPS_MAX, Cgroup, ENDPOINTS_MAX, EVENTS_BYTES, Endpoint, Event, LABELS_MAX, LISTENERS_MAX, LabelState, Listener,
    ORIGINS_MAX, Origin, PATTERN_STATES, PatternState, Plain, Reason, Settings, Socket, Tuple, URGENT_BYTES, map,
    socket, standing,
};

/// A shared type as a key or value of a map.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(super) struct Raw<T: Plain>(pub(super) T);

// SAFETY: `Plain` promises initialised bytes without padding, all bit patterns valid; the wrapper is transparent.
unsafe impl<T: Plain> Pod for Raw<T> {}

/// What a map has to look like, so that a pinned one of another layout is never used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) name: &'static str,
    pub(super) kind: MapType,
    pub(super) key: u32,
    pub(super) value: u32,
    pub(super) entries: u32,
}

const fn shape<K, V>(name: &'static str, kind: MapType, entries: u32) -> Shape {
    Shape { name, kind, key: size_of::<K>() as u32, value: size_of::<V>() as u32, entries }
}

/// Every pinned map.
pub(super) const SHAPES: [Shape; 17] = [
    shape::<u32, Settings>(map::SETTINGS, MapType::Array, 1),
    shape::<u32, u64>(map::STANDING, MapType::Array, standing::COUNT),
    shape::<u32, u64>(map::HEARTBEAT, MapType::Array, 1),
    shape::<u64, Cgroup>(map::CGROUPS, MapType::Hash, CGROUPS_MAX),
    shape::<u32, u32>(map::UIDS, MapType::Hash, LABELS_MAX),
    shape::<u32, PatternState>(map::PATTERNS, MapType::Array, PATTERN_STATES),
    shape::<u32, LabelState>(map::LABELS, MapType::Hash, LABELS_MAX),
    shape::<u32, u64>(map::RELEASED, MapType::Hash, LABELS_MAX),
    shape::<u64, Listener>(map::LISTENERS, MapType::Hash, LISTENERS_MAX),
    shape::<Endpoint, u32>(map::DESTINATIONS, MapType::Hash, ENDPOINTS_MAX),
    shape::<Endpoint, u32>(map::ALLOW_UDP, MapType::Hash, ENDPOINTS_MAX),
    shape::<Tuple, Origin>(map::ORIGINS, MapType::Hash, ORIGINS_MAX),
    shape::<u32, Socket>(map::SOCKETS, MapType::SkStorage, 0),
    shape::<u32, u64>(map::COUNTERS, MapType::PerCpuArray, Reason::COUNT),
    shape::<u32, u64>(map::LOST, MapType::Array, 1),
    shape::<(), ()>(map::EVENTS, MapType::RingBuf, EVENTS_BYTES),
    shape::<(), ()>(map::URGENT, MapType::RingBuf, URGENT_BYTES),
];

pub(super) type Origins = HashMap<MapData, Raw<Tuple>, Raw<Origin>>;

/// The maps that userspace reads or writes.
pub(super) struct Maps {
    pub(super) settings: Array<MapData, Raw<Settings>>,
    pub(super) standing: Array<MapData, u64>,
    pub(super) cgroups: HashMap<MapData, u64, Raw<Cgroup>>,
    pub(super) uids: HashMap<MapData, u32, u32>,
    pub(super) patterns: Array<MapData, Raw<PatternState>>,
    pub(super) labels: HashMap<MapData, u32, Raw<LabelState>>,
    pub(super) released: HashMap<MapData, u32, u64>,
    pub(super) listeners: HashMap<MapData, u64, Raw<Listener>>,
    pub(super) destinations: HashMap<MapData, Raw<Endpoint>, u32>,
    pub(super) allow_udp: HashMap<MapData, Raw<Endpoint>, u32>,
    pub(super) origins: Origins,
    sockets: SkStorage<MapData, Raw<Socket>>,
    pub(super) counters: PerCpuArray<MapData, u64>,
    pub(super) lost: Array<MapData, u64>,
    events: RingBuf<MapData>,
    urgent: RingBuf<MapData>,
}

impl Maps {
    /// Takes them out of what was loaded.
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, MapError> {
        fn one<T: TryFrom<Map, Error = MapError>>(ebpf: &mut Ebpf, name: &str) -> Result<T, MapError> {
            let map = ebpf.take_map(name).ok_or_else(|| MapError::InvalidName { name: name.to_owned() })?;
            T::try_from(map)
        }
        Ok(Maps {
            settings: one(ebpf, map::SETTINGS)?,
            standing: one(ebpf, map::STANDING)?,
            cgroups: one(ebpf, map::CGROUPS)?,
            uids: one(ebpf, map::UIDS)?,
            patterns: one(ebpf, map::PATTERNS)?,
            labels: one(ebpf, map::LABELS)?,
            released: one(ebpf, map::RELEASED)?,
            listeners: one(ebpf, map::LISTENERS)?,
            destinations: one(ebpf, map::DESTINATIONS)?,
            allow_udp: one(ebpf, map::ALLOW_UDP)?,
            origins: one(ebpf, map::ORIGINS)?,
            sockets: one(ebpf, map::SOCKETS)?,
            counters: one(ebpf, map::COUNTERS)?,
            lost: one(ebpf, map::LOST)?,
            events: one(ebpf, map::EVENTS)?,
            urgent: one(ebpf, map::URGENT)?,
        })
    }

    /// How often something has happened since the maps were made.
    pub(super) fn counted(&self, reason: Reason) -> u64 {
        let values = self.counters.get(&(reason as u32), 0);
        values.map_or(0, |values| values.iter().fold(0, |sum, value| sum.wrapping_add(*value)))
    }

    /// Labels are others from here on: the programs look up anew what they remember.
    pub(super) fn labels_changed(&mut self) -> Result<(), MapError> {
        let generation = self.standing.get(&standing::GENERATION, 0)?;
        self.standing.set(standing::GENERATION, generation.wrapping_add(1) & u64::from(u32::MAX), 0)
    }

    /// Tells the programs that a listening socket is the gateway's: they redirect to no other.
    pub(super) fn ours(&mut self, listening: &impl AsRawFd) -> Result<(), MapError> {
        self.sockets.insert(listening, Raw(Socket { kind: socket::LISTENER, ..Socket::default() }), 0)
    }

    /// A socket of an unlabelled cgroup may be somebody's from here on.
    pub(super) fn strays(&mut self) -> Result<(), MapError> {
        self.standing.set(standing::STRAYS, 1, 0)
    }

    /// What becomes readable when there are events.
    pub(super) fn readable(&self) -> [BorrowedFd<'_>; 2] {
        [self.urgent.as_fd(), self.events.as_fd()]
    }

    /// The next event that the kernel side has written, the urgent ones first; one of another size than ours is no
    /// event.
    pub(super) fn event(&mut self) -> Option<Option<Event>> {
        let item = match self.urgent.next() {
            Some(item) => item,
            None => self.events.next()?,
        };
        if item.len() != size_of::<Event>() {
            return Some(None);
        }
        // SAFETY: as many bytes as the type has, of which every pattern is valid; alignment is not asked for.
        Some(Some(unsafe { std::ptr::read_unaligned(item.as_ptr().cast::<Event>()) }))
    }
}

/// Makes a map hold exactly `wanted`, adding before it removes.
pub(super) fn sync<K: Pod + Ord, V: Pod + PartialEq>(
    map: &mut HashMap<MapData, K, V>,
    wanted: &std::collections::BTreeMap<K, V>,
) -> Result<(), MapError> {
    let held: std::collections::BTreeMap<K, V> = map.iter().collect::<Result<_, _>>()?;
    for (key, value) in wanted {
        if held.get(key) != Some(value) {
            map.insert(key, value, 0)?;
        }
    }
    for key in held.keys().filter(|key| !wanted.contains_key(key)) {
        gone(map.remove(key))?;
    }
    Ok(())
}

/// A removal of what is not there any more has done its work.
pub(super) fn gone(removed: Result<(), MapError>) -> Result<(), MapError> {
    match removed {
        Err(MapError::KeyNotFound) => Ok(()),
        Err(MapError::SyscallError(error)) if error.io_error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        other => other,
    }
}

// === impl Raw ===

impl PartialEq for Raw<Endpoint> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Raw<Endpoint> {}

impl PartialOrd for Raw<Endpoint> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Raw<Endpoint> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0.address, self.0.port).cmp(&(other.0.address, other.0.port))
    }
}
