//! Which workload the current process belongs to.

use aya_ebpf::helpers::bpf_get_current_uid_gid;
use aya_ebpf::helpers::generated::{bpf_get_current_ancestor_cgroup_id, bpf_get_current_cgroup_id};
use gateway_ebpf::NO_LABEL;

use crate::maps::{CGROUPS, SETTINGS, UIDS};

/// How deep a cgroup is looked for among its ancestors. Kernel: `cgroup.max.depth` is unlimited, real trees are not.
const MAX_DEPTH: i32 = 16;

/// The label of the current task: its cgroup's, or the nearest ancestor's, or its user's; [`NO_LABEL`] if it has none.
///
/// Every cgroup has an entry once userspace or the `cgroup_mkdir` program has seen it: that is one look-up. Only what
/// neither has seen yet walks its ancestors. (Kernel 5.6: `bpf_get_current_ancestor_cgroup_id`.)
#[inline(always)]
pub(crate) fn of_task() -> u32 {
    // SAFETY: the helper takes nothing and may be called from every program here.
    let own = unsafe { bpf_get_current_cgroup_id() };
    let label = match of_cgroup(own) {
        Some(label) => label,
        None => of_ancestors(),
    };
    if label != NO_LABEL {
        return label;
    }
    of_user()
}

#[inline(always)]
fn of_cgroup(id: u64) -> Option<u32> {
    // SAFETY: values are single words, written as wholes.
    unsafe { CGROUPS.get(id) }.copied()
}

#[inline(always)]
fn of_ancestors() -> u32 {
    let mut label = NO_LABEL;
    for level in 0..MAX_DEPTH {
        // SAFETY: any level may be asked for; 0 says that there is none.
        let id = unsafe { bpf_get_current_ancestor_cgroup_id(level) };
        if id == 0 {
            break;
        }
        // The nearest one that is labelled counts: a workload within another's cgroup is its own.
        match of_cgroup(id) {
            Some(found) if found != NO_LABEL => label = found,
            _ => {}
        }
    }
    label
}

#[inline(always)]
fn of_user() -> u32 {
    match SETTINGS.get(0) {
        Some(settings) if settings.by_uid == 1 => {}
        _ => return NO_LABEL,
    }
    // The user id is the lower half.
    let uid = bpf_get_current_uid_gid() as u32;
    // SAFETY: values are single words, written as wholes.
    unsafe { UIDS.get(uid) }.copied().unwrap_or(NO_LABEL)
}
