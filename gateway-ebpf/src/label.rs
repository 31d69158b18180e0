//! Whose process is this? One look-up where userspace or the cgroup program knows the cgroup, else its ancestors.

use aya_ebpf::helpers::generated::{
    bpf_get_current_ancestor_cgroup_id, bpf_get_current_cgroup_id, bpf_get_current_uid_gid,
};
use gateway_ebpf::{NO_LABEL, PATTERN_DEPTH, Settings, UNKNOWN_LABEL};

use crate::maps::{CGROUPS, LOST, UIDS};

/// The calling process's cgroup.
#[inline(always)]
pub(crate) fn current_cgroup() -> u64 {
    // SAFETY: a helper without arguments.
    unsafe { bpf_get_current_cgroup_id() }
}

/// The calling process's label, by its cgroup, else by its user.
#[inline(always)]
pub(crate) fn of_task(settings: &Settings, cgroup: u64) -> u32 {
    let label = match known(cgroup) {
        Some(label) => label,
        // SAFETY: a helper that takes any level and answers 0 where there is none.
        None => of_ancestors(|level| unsafe { bpf_get_current_ancestor_cgroup_id(level) }),
    };
    if label != NO_LABEL || settings.by_uid == 0 {
        return label;
    }
    // SAFETY: a helper without arguments.
    of_uid(unsafe { bpf_get_current_uid_gid() } as u32)
}

/// The label of a cgroup that is known.
#[inline(always)]
pub(crate) fn known(cgroup: u64) -> Option<u32> {
    // SAFETY: the value is copied at once; a slot that is reused meanwhile is one of a removed cgroup.
    unsafe { CGROUPS.get(&cgroup) }.map(|known| known.label)
}

#[inline(always)]
pub(crate) fn of_uid(uid: u32) -> u32 {
    // SAFETY: as in `known`.
    unsafe { UIDS.get(&uid) }.copied().unwrap_or(NO_LABEL)
}

/// The outermost label above a cgroup that is not known. A workload must not take another's label by what it makes
/// below itself, so the outermost one counts.
#[inline(always)]
pub(crate) fn of_ancestors(ancestor: impl Fn(i32) -> u64) -> u32 {
    // A pattern is at most so deep; level 0 is the root, which is nobody's.
    for level in 1..=PATTERN_DEPTH as i32 {
        let id = ancestor(level);
        if id == 0 {
            break;
        }
        if let Some(label) = known(id)
            && label != NO_LABEL
        {
            return label;
        }
    }
    match LOST.get(0) {
        // A cgroup that should have a label has none, and this may be it.
        Some(lost) if *lost != 0 => UNKNOWN_LABEL,
        _ => NO_LABEL,
    }
}
