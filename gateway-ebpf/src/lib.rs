//! What the eBPF programs and userspace share: map names, keys, values, events. `repr(C)`, no implicit padding.
//!
//! Every change to a key, a value or a map's size is a new [`LAYOUT`]: pins of another layout are never reused.
#![no_std]
#![expect(unsafe_code, reason = "`Plain` promises a memory layout, which only an unsafe trait can")]

/// The version of everything in this file; part of the pins' path.
pub const LAYOUT: u32 = 3;

/// Types that are nothing but initialised bytes, all of whose bit patterns are valid.
///
/// # Safety
/// `repr(C)` or a primitive, without padding, every bit pattern valid.
pub unsafe trait Plain: Copy + 'static {}
// SAFETY: integers have no padding and no invalid bit pattern.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for u64 {}

macro_rules! plain {
    ($type:ty, $size:literal) => {
        const _: () = assert!(size_of::<$type>() == $size);
        // SAFETY: repr(C) of integers and arrays of them; the size above is the sum of the fields'.
        unsafe impl Plain for $type {}
    };
}

/// Names of the maps, in the object and as pins.
pub mod map {
    /// Array of one [`Settings`](super::Settings).
    pub const SETTINGS: &str = "SETTINGS";
    /// Array of `u64`, indexed by [`standing`](super::standing): what every packet of the node asks, in one cache line.
    pub const STANDING: &str = "STANDING";
    /// Array of one `u64`: CLOCK_MONOTONIC in ns when the daemon last said that it lives.
    pub const HEARTBEAT: &str = "HEARTBEAT";
    /// Hash `u64` cgroup id (inode number) -> [`Cgroup`](super::Cgroup).
    pub const CGROUPS: &str = "CGROUPS";
    /// Hash `u32` uid -> `u32` label.
    pub const UIDS: &str = "UIDS";
    /// Array of [`PatternState`](super::PatternState): the automaton that labels new cgroups.
    pub const PATTERNS: &str = "PATTERNS";
    /// Hash `u32` label -> [`LabelState`](super::LabelState); a label without an entry may connect nowhere. Userspace
    /// makes entries and removes them, and only the kernel side writes them. The entry of
    /// [`NO_LABEL`](super::NO_LABEL) counts unlabelled cgroups.
    pub const LABELS: &str = "LABELS";
    /// Hash `u32` label -> `u64`: how many origins of the label userspace has removed. Only userspace writes it.
    pub const RELEASED: &str = "RELEASED";
    /// Hash `u64` network namespace cookie -> [`Listener`](super::Listener).
    pub const LISTENERS: &str = "LISTENERS";
    /// Hash [`Endpoint`](super::Endpoint) -> `u32` 1: covered destinations, where only listed ones are captured. The
    /// unspecified address stands for every one of its family.
    pub const DESTINATIONS: &str = "DESTINATIONS";
    /// Hash [`Endpoint`](super::Endpoint) -> `u32` 1: what labelled workloads may reach by UDP. Port 0 is never one.
    pub const ALLOW_UDP: &str = "ALLOW_UDP";
    /// Hash [`Tuple`](super::Tuple) -> [`Origin`](super::Origin). Does not evict.
    pub const ORIGINS: &str = "ORIGINS";
    /// Socket storage of [`Socket`](super::Socket).
    pub const SOCKETS: &str = "SOCKETS";
    /// Per-CPU array of `u64`, indexed by [`Reason`](super::Reason).
    pub const COUNTERS: &str = "COUNTERS";
    /// Array of one `u64`: how many labels of new cgroups could not be stored.
    pub const LOST: &str = "LOST";
    /// Ring buffer of [`Event`](super::Event): what only informs. Any workload can fill it.
    pub const EVENTS: &str = "EVENTS";
    /// Ring buffer of [`Event`](super::Event): what something depends on. Every label has a share of it.
    pub const URGENT: &str = "URGENT";
}

/// The label of an unlabelled cgroup or user.
pub const NO_LABEL: u32 = 0;
/// A label that no workload has: a cgroup whose workload cannot be known. Everything is refused there.
pub const UNKNOWN_LABEL: u32 = u32::MAX;

/// How many cgroups are remembered; beyond it a look-up walks the ancestors.
pub const CGROUPS_MAX: u32 = 131_072;
/// How many unlabelled cgroups the kernel side remembers by itself.
pub const CGROUPS_UNLABELLED_MAX: i64 = 65_536;
/// How many cgroups below a labelled one the kernel side remembers by itself, for each label.
pub const CGROUPS_INHERITED_MAX: i64 = 4_096;
/// How many cgroups are remembered for each label altogether, so that those that match its pattern have at least the
/// difference. Beyond it nothing is stored, and what is not known below the same cgroup is refused.
pub const CGROUPS_LABEL_MAX: i64 = 8_192;
/// How many labels, and uids with one, there can be.
pub const LABELS_MAX: u32 = 4_096;
/// How many network namespaces can have listeners.
pub const LISTENERS_MAX: u32 = 16_384;
/// How many destinations can be listed, and how many allowed by UDP.
pub const ENDPOINTS_MAX: u32 = 16_384;
/// How many redirected connections can exist on the node.
pub const ORIGINS_MAX: u32 = 262_144;
/// Size of the ring buffer of events in bytes.
pub const EVENTS_BYTES: u32 = 1 << 20;
/// Size of the ring buffer of urgent events in bytes.
pub const URGENT_BYTES: u32 = 1 << 22;
/// How many urgent events a label may have in [`URGENT_WINDOW`].
pub const URGENT_SHARE: u64 = 256;
/// In ns; while the gateway does not take them, a label's share is not renewed.
pub const URGENT_WINDOW: u64 = 100_000_000;

/// States of the pattern automaton: two halves, of which [`Settings::pattern_start`] picks one.
pub const PATTERN_STATES: u32 = 2 * PATTERN_HALF;
/// States of one half. The first state of a half is dead, the second is the start.
pub const PATTERN_HALF: u32 = 2_048;
/// Longest cgroup path that the kernel reports, with its terminating zero (`TRACE_CGROUP_PATH_LEN`).
pub const PATH_MAX: usize = 1_024;

/// How many segments a pattern may have: so deep below the root a label is looked for, and no deeper.
pub const PATTERN_DEPTH: u32 = 16;

/// IPv4 loopback addresses on which a namespace's listener can accept.
pub const LISTENER_V4: usize = 8;
/// Ports of `::1` on which a namespace's listener can accept.
pub const LISTENER_V6: usize = 4;

/// A heartbeat older than this, in ns, means that the gateway is down.
pub const HEARTBEAT_STALE: u64 = 3_000_000_000;

/// What holds for the whole node.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// 1: only [`map::DESTINATIONS`] are captured; anything else: every destination.
    pub listed_only: u32,
    /// 1: labelled workloads connect directly while the heartbeat is stale; anything else: they are refused.
    pub open_when_down: u32,
    /// 1: some uid has a label, so uids are looked up.
    pub by_uid: u32,
    /// State in which the automaton starts; 0: there is no pattern.
    pub pattern_start: u32,
    /// 1: some pattern can match a path that is too long to be reported.
    pub long_patterns: u32,
    /// How many redirected connections each workload may have at the same time.
    pub connections_max: u32,
}
plain!(Settings, 24);

/// A cgroup that is known.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cgroup {
    /// Its label; [`NO_LABEL`] for an unlabelled one.
    pub label: u32,
    /// 1: the kernel side made the entry, and counted it in [`LabelState::cgroups`].
    pub counted: u32,
    /// 1: below this one are cgroups with a label that could not be stored, so what is not known below it is refused.
    /// Never taken back.
    pub crowded: u32,
}
plain!(Cgroup, 12);

/// One state of the automaton over the bytes of a cgroup's path.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatternState {
    /// The label of a path that ends here, or [`NO_LABEL`].
    pub label: u32,
    /// Explicit padding, 0.
    pub reserved: u32,
    /// The next state by byte; 0: no pattern matches any more.
    pub next: [u16; 256],
}
plain!(PatternState, 520);

/// What the kernel side counts for a label.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LabelState {
    /// How many origins have been published for it.
    pub published: u64,
    /// How many of those the kernel side has removed.
    pub removed: u64,
    /// How many cgroups the kernel side remembers for it. Signed: an entry's label can change after it was counted.
    pub cgroups: i64,
    /// When its share of the urgent events began to be counted, CLOCK_MONOTONIC in ns.
    pub urgent_since: u64,
    /// How many urgent events there have been since.
    pub urgent: u64,
}
plain!(LabelState, 40);

/// Where connections of a network namespace are redirected to.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listener {
    /// IPv4 loopback addresses in network order, the first `v4_count` of them.
    pub v4: [u32; LISTENER_V4],
    /// How many of `v4` there are.
    pub v4_count: u32,
    /// Port of all of `v4`, host order.
    pub v4_port: u32,
    /// How many of `v6_ports` there are.
    pub v6_count: u32,
    /// Ports on `::1`, host order.
    pub v6_ports: [u32; LISTENER_V6],
}
plain!(Listener, 60);

/// An address and a port.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// IPv6 address as four words in network order; IPv4 as `::ffff:a.b.c.d`.
    pub address: [u32; 4],
    /// Port, host order.
    pub port: u32,
}
plain!(Endpoint, 20);

/// What identifies a redirected connection on both of its ends.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tuple {
    /// Cookie of the network namespace that both ends are in.
    pub netns: u64,
    /// The workload's end, as in [`Endpoint`].
    pub client: [u32; 4],
    /// Its port, host order.
    pub client_port: u16,
    /// The listener's port, host order.
    pub listener_port: u16,
    /// The listener's IPv4 address in network order; 0 for `::1`. (One client port may be in use to several.)
    pub listener: u32,
}
plain!(Tuple, 32);

/// Where a redirected connection wanted to go, and who asked.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Cgroup of the process that connected.
    pub cgroup: u64,
    /// CLOCK_MONOTONIC in ns when the origin was published; tells connections with the same tuple apart.
    pub time: u64,
    /// Where it wanted to go.
    pub destination: Endpoint,
    /// The workload.
    pub label: u32,
    /// Thread group id, in the first pid namespace.
    pub pid: u32,
    /// User id, in the first user namespace.
    pub uid: u32,
}
plain!(Origin, 48);

/// What a socket's storage holds.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Socket {
    // First what the egress guard reads of every packet: one cache line with the kernel's own header.
    /// One of [`socket`].
    pub kind: u32,
    /// The label that the socket was made under, or [`NO_LABEL`]. (`origin.label` is the one it connected under,
    /// whatever came of that.)
    pub label: u32,
    /// 1 while `origin` is published and the connection is not established.
    pub pending: u32,
    /// 1: a refusal of the egress guard has been reported.
    pub reported: u32,
    /// What is published for the connection.
    pub origin: Origin,
    /// The key under which it is published, where `pending` says so.
    pub tuple: Tuple,
}
plain!(Socket, 96);

/// Indexes of [`map::STANDING`].
pub mod standing {
    /// Grows whenever userspace has changed a label: what the kernel side remembers of another generation is not used.
    pub const GENERATION: u32 = 0;
    /// 1: a socket of an unlabelled cgroup may be somebody's, because a labelled process has connected one that it had
    /// not made under its label, because users have labels, or because a cgroup has lost its own. Never taken back:
    /// nobody knows when the last such socket is gone.
    pub const STRAYS: u32 = 1;
    /// How many there are.
    pub const COUNT: u32 = 2;
}

/// Values of [`Socket::kind`].
pub mod socket {
    /// Nothing has been decided.
    pub const NEW: u32 = 0;
    /// Its connect was redirected.
    pub const REDIRECTED: u32 = 1;
    /// Accepted from a listening socket of the workload's own.
    pub const ACCEPTED: u32 = 2;
    /// Its destination is not covered.
    pub const DIRECT: u32 = 3;
    /// Connected directly because the gateway was down and that is allowed.
    pub const OPEN: u32 = 4;
    /// Its connect was refused.
    pub const REFUSED: u32 = 5;
    /// A listening socket of the gateway's. Only userspace says so: whoever listens there after the gateway has none.
    pub const LISTENER: u32 = 6;
}

/// What happened, and why: index of [`map::COUNTERS`] and [`Event::reason`].
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// A connect was redirected to the gateway.
    Redirected = 0,
    /// Direct: the destination is not covered.
    NotCovered = 1,
    /// Direct: the gateway is down, and that is allowed.
    GatewayDownOpen = 2,
    /// Refused: no listener is registered for the network namespace.
    NoListener = 3,
    /// Refused: the listener's address was called by hand.
    ListenerByHand = 4,
    /// Refused: the workload has as many connections as it may.
    ConnectionCap = 5,
    /// Refused: the label is not one of a workload.
    UnknownLabel = 6,
    /// Refused: UDP to an address that is not allowed.
    Udp = 7,
    /// Refused: a protocol other than TCP and UDP.
    Protocol = 8,
    /// Refused: the connection's socket could not be remembered.
    Storage = 9,
    /// Refused: the socket's device binding could not be taken off.
    Device = 10,
    /// Refused: the original destination could not be published; the gateway closes the connection.
    Publish = 11,
    /// Dropped by the egress guard: a packet of a labelled socket that nothing let through.
    Egress = 12,
    /// A new cgroup was labelled.
    CgroupLabelled = 13,
    /// A new cgroup matched, and its label could not be stored: unknown cgroups are refused from now on.
    CgroupLost = 14,
    /// Refused: the process's cgroup is not known, and a label has been lost.
    CgroupUnknown = 15,
    /// An event did not fit in the ring buffer. Counted only.
    EventLost = 16,
    /// Refused: the gateway does not run.
    GatewayDown = 17,
    /// A labelled process has executed a program in a namespace without a listener.
    Arrived = 18,
}

impl Reason {
    /// How many there are.
    pub const COUNT: u32 = 19;
    /// All of them, in the order of their numbers.
    pub const ALL: [Reason; Self::COUNT as usize] = [
        Self::Redirected,
        Self::NotCovered,
        Self::GatewayDownOpen,
        Self::NoListener,
        Self::ListenerByHand,
        Self::ConnectionCap,
        Self::UnknownLabel,
        Self::Udp,
        Self::Protocol,
        Self::Storage,
        Self::Device,
        Self::Publish,
        Self::Egress,
        Self::CgroupLabelled,
        Self::CgroupLost,
        Self::CgroupUnknown,
        Self::EventLost,
        Self::GatewayDown,
        Self::Arrived,
    ];

    /// The reason of a number from the kernel.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(number as usize).copied()
    }

    /// Its name in logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Redirected => "redirected",
            Self::NotCovered => "not_covered",
            Self::GatewayDownOpen => "gateway_down_open",
            Self::NoListener => "no_listener",
            Self::ListenerByHand => "listener_by_hand",
            Self::ConnectionCap => "connection_cap",
            Self::UnknownLabel => "unknown_label",
            Self::Udp => "udp",
            Self::Protocol => "protocol",
            Self::Storage => "storage",
            Self::Device => "device",
            Self::Publish => "publish",
            Self::Egress => "egress",
            Self::CgroupLabelled => "cgroup_labelled",
            Self::CgroupLost => "cgroup_lost",
            Self::CgroupUnknown => "cgroup_unknown",
            Self::EventLost => "event_lost",
            Self::GatewayDown => "gateway_down",
            Self::Arrived => "arrived",
        }
    }
}

/// One thing that happened to a labelled process or cgroup.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// CLOCK_MONOTONIC in ns.
    pub time: u64,
    /// The process's cgroup, or the new one.
    pub cgroup: u64,
    /// Network namespace cookie, 0 where it is not known.
    pub netns: u64,
    /// A [`Reason`].
    pub reason: u32,
    /// The workload.
    pub label: u32,
    /// Thread group id; 0 where no process is at hand.
    pub pid: u32,
    /// User id.
    pub uid: u32,
    /// Where it wanted to go; zeros where that is not known.
    pub destination: Endpoint,
    /// IP protocol number; 0 where it is not known.
    pub protocol: u32,
}
plain!(Event, 64);
