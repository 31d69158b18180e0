//! Whose process is this? One look-up where userspace or the cgroup program knows the cgroup, else its ancestors.

use core::ptr;

use aya_ebpf::btf_maps::Array;
use aya_ebpf::helpers::generated::{
    bpf_get_current_ancestor_cgroup_id, bpf_get_current_cgroup_id, bpf_get_current_task, bpf_get_current_uid_gid,
};
use aya_ebpf::macros::btf_map;
use gateway_ebpf::{Cgroup, NO_LABEL, PATTERN_DEPTH, Settings, UNKNOWN_LABEL};

use crate::kernel::{offset, read};
use crate::maps::{CGROUPS, LOST, UIDS, generation};

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
    let label = match recent(cgroup) {
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

/// How many unlabelled cgroups are remembered: a power of two.
const NOBODYS_LEN: usize = 1024;

/// The unlabelled cgroups that were looked up last, as generation and id in one word: it is read and written whole, and
/// true for as long as the generation is. Those with longer ids are looked up every time.
#[btf_map]
static NOBODYS: Array<u64, NOBODYS_LEN> = Array::new();

/// Whether a cgroup was looked up before and had no label.
#[inline(always)]
pub(crate) fn nobodys(cgroup: u64) -> bool {
    let (Some(held), Some(word)) = (NOBODYS.get_ptr_mut(slot(cgroup)), word(cgroup)) else { return false };
    // SAFETY: a word in a map's value.
    word == unsafe { ptr::read_volatile(held) }
}

#[inline(always)]
fn slot(cgroup: u64) -> u32 {
    cgroup as u32 & (NOBODYS_LEN as u32 - 1)
}

#[inline(always)]
fn word(cgroup: u64) -> Option<u64> {
    let generation = generation()?;
    (cgroup != 0 && cgroup >> 32 == 0).then_some((u64::from(generation) << 32) | cgroup)
}

/// As [`known`]; an unlabelled cgroup that was just looked up costs no hash look-up again.
#[inline(always)]
pub(crate) fn recent(cgroup: u64) -> Option<u32> {
    // Before the look-up: what is changed meanwhile is of another generation.
    let word = word(cgroup);
    let held = NOBODYS.get_ptr_mut(slot(cgroup));
    // SAFETY: a word in a map's value.
    if let (Some(held), Some(word)) = (held, word)
        && word == unsafe { ptr::read_volatile(held) }
    {
        return Some(NO_LABEL);
    }
    let label = known(cgroup)?;
    if label == NO_LABEL
        && let (Some(held), Some(word)) = (held, word)
    {
        // SAFETY: as above.
        unsafe { ptr::write_volatile(held, word) };
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
