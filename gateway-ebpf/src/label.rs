//! Whose process is this? One look-up where userspace or the cgroup program knows the cgroup, else its ancestors.

use core::ptr;

use aya_ebpf::btf_maps::PerCpuArray;
use aya_ebpf::helpers::generated::{
    bpf_get_current_ancestor_cgroup_id, bpf_get_current_cgroup_id, bpf_get_current_task, bpf_get_current_uid_gid,
};
use aya_ebpf::macros::btf_map;
use gateway_ebpf::{Cgroup, NO_LABEL, PATTERN_DEPTH, Settings, UNKNOWN_LABEL};

use crate::kernel::{offset, read};
use crate::maps::{CGROUPS, LOST, UIDS};

offset!(OFF_TASK_CRED, "task_struct.cred");
offset!(OFF_CRED_USERNS, "cred.user_ns");
offset!(OFF_USERNS_PARENT, "user_namespace.parent");
offset!(OFF_USERNS_OWNER, "user_namespace.owner");

/// The calling process's cgroup.
#[inline(always)]
pub(crate) fn current_cgroup() -> u64 {
    // SAFETY: a helper without arguments.
    unsafe { bpf_get_current_cgroup_id() }
}

/// The calling process's label, by its cgroup, else by its user.
#[inline(always)]
pub(crate) fn of_task(settings: &Settings, cgroup: u64) -> u32 {
    let label = match recent(settings, cgroup) {
        Some(label) => label,
        // SAFETY: a helper that takes any level and answers 0 where there is none.
        None => of_ancestors(|level| unsafe { bpf_get_current_ancestor_cgroup_id(level) }),
    };
    if label != NO_LABEL || settings.by_uid == 0 {
        return label;
    }
    // SAFETY: a helper without arguments.
    match of_uid(unsafe { bpf_get_current_uid_gid() } as u32) {
        NO_LABEL => of_owners(),
        label => label,
    }
}

/// The label of whoever has made the calling process's user namespace, or one above it: in there a user has other uids
/// (subuid(5)). What cannot be read is refused. (The task, and kernel memory, for such programs: 5.8.)
#[inline(always)]
fn of_owners() -> u32 {
    /// The kernel nests them 33 deep at most.
    const NESTED: usize = 34;
    // SAFETY: a helper without arguments.
    let task = unsafe { bpf_get_current_task() };
    let Some(cred) = read!(u64, task, OFF_TASK_CRED) else { return UNKNOWN_LABEL };
    let Some(mut namespace) = read!(u64, cred, OFF_CRED_USERNS) else { return UNKNOWN_LABEL };
    for _ in 0..NESTED {
        let Some(parent) = read!(u64, namespace, OFF_USERNS_PARENT) else { return UNKNOWN_LABEL };
        if parent == 0 {
            // The first, which is everybody's.
            return NO_LABEL;
        }
        let Some(owner) = read!(u32, namespace, OFF_USERNS_OWNER) else { return UNKNOWN_LABEL };
        let label = of_uid(owner);
        if label != NO_LABEL {
            return label;
        }
        namespace = parent;
    }
    UNKNOWN_LABEL
}

/// The label of a cgroup that is known.
#[inline(always)]
pub(crate) fn known(cgroup: u64) -> Option<u32> {
    entry(cgroup).map(|known| known.label)
}

#[inline(always)]
fn entry(cgroup: u64) -> Option<Cgroup> {
    // SAFETY: the value is copied at once; a slot that is reused meanwhile is one of a removed cgroup.
    unsafe { CGROUPS.get(&cgroup) }.copied()
}

/// How many cgroups each CPU remembers: a power of two.
const RECENT_LEN: usize = 256;

/// The cgroups that were looked up last on this CPU, as (id xor value, value), the value being generation and label. A
/// program can be interrupted by another between the two halves: then they do not fit together, and nothing is found.
#[btf_map]
static RECENT: PerCpuArray<[u64; 2], RECENT_LEN> = PerCpuArray::new();

/// As [`known`]; a cgroup that was just looked up costs no hash look-up again.
#[inline(always)]
pub(crate) fn recent(settings: &Settings, cgroup: u64) -> Option<u32> {
    let slot = RECENT.get_ptr_mut(cgroup as u32 & (RECENT_LEN as u32 - 1))?.cast::<u64>();
    // SAFETY: two words in a map's value, checked for null.
    let (check, value) = unsafe { (ptr::read_volatile(slot), ptr::read_volatile(slot.add(1))) };
    if check ^ value == cgroup && (value >> 32) as u32 == settings.generation {
        return Some(value as u32);
    }
    let label = known(cgroup)?;
    let value = (u64::from(settings.generation) << 32) | u64::from(label);
    // SAFETY: as above.
    unsafe {
        ptr::write_volatile(slot, cgroup ^ value);
        ptr::write_volatile(slot.add(1), value);
    }
    Some(label)
}

#[inline(always)]
pub(crate) fn of_uid(uid: u32) -> u32 {
    // SAFETY: as in `known`.
    unsafe { UIDS.get(&uid) }.copied().unwrap_or(NO_LABEL)
}

/// The outermost label above a cgroup that is not known. A workload must not take another's label by what it makes
/// below itself, so the outermost one counts.
///
/// `ancestor` counts levels from the root, so however deep the cgroup is, this sees every level at which a pattern can
/// match ([`PATTERN_DEPTH`]); what has a label and no entry has said so in an entry above it, or in [`LOST`].
#[inline(always)]
pub(crate) fn of_ancestors(ancestor: impl Fn(i32) -> u64) -> u32 {
    let mut crowded = 0;
    for level in 0..=PATTERN_DEPTH as i32 {
        let id = ancestor(level);
        if id == 0 {
            break;
        }
        if let Some(known) = entry(id) {
            if known.label != NO_LABEL {
                return known.label;
            }
            crowded |= known.crowded;
        }
    }
    match LOST.get(0) {
        // A cgroup that should have a label has none, and this may be it.
        Some(lost) if *lost != 0 || crowded != 0 => UNKNOWN_LABEL,
        _ => NO_LABEL,
    }
}
