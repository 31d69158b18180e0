//! The maps, by the names and types of the shared library, and the little that every program does with them.

use aya_ebpf::btf_maps::{Array, HashMap, PerCpuArray, RingBuf, SkStorage};
use aya_ebpf::helpers::generated::{bpf_map_lookup_elem, bpf_sk_storage_get};
use aya_ebpf::macros::btf_map;
use core::ptr;
use gateway_ebpf as shared;
use shared::{Cgroup, Endpoint, LabelState, Listener, Origin, PatternState, Settings, Socket, Tuple};

#[btf_map]
pub(crate) static SETTINGS: Array<Settings, 1> = Array::new();
#[btf_map]
pub(crate) static STANDING: Array<u64, { shared::standing::COUNT as usize }> = Array::new();
#[btf_map]
pub(crate) static HEARTBEAT: Array<u64, 1> = Array::new();
#[btf_map]
pub(crate) static CGROUPS: HashMap<u64, Cgroup, { shared::CGROUPS_MAX as usize }> = HashMap::new();
#[btf_map]
pub(crate) static UIDS: HashMap<u32, u32, { shared::LABELS_MAX as usize }> = HashMap::new();
#[btf_map]
pub(crate) static PATTERNS: Array<PatternState, { shared::PATTERN_STATES as usize }> = Array::new();
#[btf_map]
pub(crate) static LABELS: HashMap<u32, LabelState, { shared::LABELS_MAX as usize }> = HashMap::new();
#[btf_map]
pub(crate) static RELEASED: HashMap<u32, u64, { shared::LABELS_MAX as usize }> = HashMap::new();
#[btf_map]
pub(crate) static LISTENERS: HashMap<u64, Listener, { shared::LISTENERS_MAX as usize }> = HashMap::new();
#[btf_map]
pub(crate) static DESTINATIONS: HashMap<Endpoint, u32, { shared::ENDPOINTS_MAX as usize }> = HashMap::new();
#[btf_map]
pub(crate) static ALLOW_UDP: HashMap<Endpoint, u32, { shared::ENDPOINTS_MAX as usize }> = HashMap::new();
#[btf_map]
pub(crate) static ORIGINS: HashMap<Tuple, Origin, { shared::ORIGINS_MAX as usize }> = HashMap::new();
#[btf_map]
pub(crate) static SOCKETS: SkStorage<Socket> = SkStorage::new();
#[btf_map]
pub(crate) static COUNTERS: PerCpuArray<u64, { shared::Reason::COUNT as usize }> = PerCpuArray::new();
#[btf_map]
pub(crate) static LOST: Array<u64, 1> = Array::new();
#[btf_map]
pub(crate) static URGENT: RingBuf<(), { shared::URGENT_BYTES as usize }> = RingBuf::new();
#[btf_map]
pub(crate) static EVENTS: RingBuf<(), { shared::EVENTS_BYTES as usize }> = RingBuf::new();

/// The node's settings; none until userspace has written them would read as zeros: closed, everything captured.
pub(crate) fn settings() -> Option<Settings> {
    SETTINGS.get(0).copied()
}

/// In which generation labels are. (An array's element is always there; the verifier does not know.)
#[inline(always)]
pub(crate) fn generation() -> Option<u32> {
    // SAFETY: a word in a map's value.
    STANDING.get_ptr_mut(shared::standing::GENERATION).map(|held| unsafe { ptr::read_volatile(held) } as u32)
}

/// Whether a socket of an unlabelled cgroup may be somebody's.
#[inline(always)]
pub(crate) fn strays() -> bool {
    // SAFETY: as above.
    STANDING.get_ptr_mut(shared::standing::STRAYS).is_none_or(|held| unsafe { ptr::read_volatile(held) } != 0)
}

/// From here on one is.
#[inline(always)]
pub(crate) fn stray() {
    if !strays()
        && let Some(held) = STANDING.get_ptr_mut(shared::standing::STRAYS)
    {
        // SAFETY: as above.
        unsafe { ptr::write_volatile(held, 1) };
    }
}

/// A socket's storage, or null. `sk` is one that a context gave, not null.
#[inline(always)]
pub(crate) fn socket(sk: *mut core::ffi::c_void, create: bool) -> *mut Socket {
    // SAFETY: the verifier checks the map and the socket; a null value means zeros.
    unsafe { bpf_sk_storage_get(ptr::from_ref(&SOCKETS).cast_mut().cast(), sk, ptr::null_mut(), u64::from(create)) }
        .cast()
}

/// What is known of a cgroup, to be changed in place, or null.
#[inline(always)]
pub(crate) fn cgroup_entry(id: u64) -> *mut Cgroup {
    let key = id;
    // SAFETY: the verifier checks the map and the key. By hand, because the typed look-up gives no mutable value.
    unsafe { bpf_map_lookup_elem(ptr::from_ref(&CGROUPS).cast_mut().cast(), ptr::from_ref(&key).cast()) }.cast()
}

/// The label's counters, or null.
#[inline(always)]
pub(crate) fn label_state(label: u32) -> *mut LabelState {
    let key = label;
    // SAFETY: the verifier checks the map and the key. By hand, because the typed look-up gives no mutable value.
    unsafe { bpf_map_lookup_elem(ptr::from_ref(&LABELS).cast_mut().cast(), ptr::from_ref(&key).cast()) }.cast()
}

/// Adds to a counter that other CPUs add to.
///
/// # Safety
/// `counter` is in a map's value.
#[inline(always)]
pub(crate) unsafe fn add(counter: *mut u64, n: u64) {
    // Relaxed without a use of the result is an instruction that every kernel has.
    unsafe { core::intrinsics::atomic_xadd::<u64, u64, { core::intrinsics::AtomicOrdering::Relaxed }>(counter, n) };
}
