//! The maps. Their names and what they hold are in the library.

use aya_ebpf::btf_maps::{Array, HashMap, PerCpuArray};
use aya_ebpf::macros::btf_map;
use gateway_ebpf::{CGROUPS_MAX, LABELS_MAX, Reason, Settings};

/// `BPF_F_NO_PREALLOC`: most nodes have few cgroups.
const NO_PREALLOC: usize = 1;

#[btf_map]
pub(crate) static SETTINGS: Array<Settings, 1> = Array::new();

#[btf_map]
pub(crate) static CGROUPS: HashMap<u64, u32, { CGROUPS_MAX as usize }, NO_PREALLOC> = HashMap::new();

#[btf_map]
pub(crate) static UIDS: HashMap<u32, u32, { LABELS_MAX as usize }, NO_PREALLOC> = HashMap::new();

#[btf_map]
static COUNTERS: PerCpuArray<u64, { Reason::COUNT as usize }> = PerCpuArray::new();

/// Counts `reason`.
#[inline(always)]
pub(crate) fn count(reason: Reason) {
    if let Some(counter) = COUNTERS.get_ptr_mut(reason as u32) {
        // SAFETY: the verifier bounds the pointer to this CPU's element, and no other program runs on this CPU in between.
        unsafe { *counter = (*counter).wrapping_add(1) };
    }
}
