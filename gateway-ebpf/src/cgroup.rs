//! cgroup_mkdir and cgroup_rmdir (raw tracepoints, 4.17; reading kernel memory 5.5): a new cgroup has its label before
//! anything can be in it, also while no daemon runs.
//!
//! The patterns are one automaton over the bytes of the path, so that the cost does not grow with their number. The
//! offsets come from the running kernel's BTF.

use core::ptr;

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::btf_maps::PerCpuArray;
use aya_ebpf::helpers::generated::{bpf_map_delete_elem, bpf_probe_read_kernel_str};
use aya_ebpf::macros::{btf_map, raw_tracepoint};
use aya_ebpf::programs::RawTracePointContext;
use gateway_ebpf::{
    CGROUPS_INHERITED_MAX, CGROUPS_LABEL_MAX, CGROUPS_UNLABELLED_MAX, Cgroup, Endpoint, NO_LABEL, PATH_MAX,
    PATTERN_DEPTH, Reason, Settings, UNKNOWN_LABEL,
};

use crate::kernel::{offset, read};
use crate::label::known;
use crate::maps::{CGROUPS, LOST, PATTERNS, add, cgroup_entry, label_state, settings};
use crate::report::{Who, report, urgent};

offset!(OFF_CGROUP_KN, "cgroup.kn");
offset!(OFF_CGROUP_ROOT, "cgroup.root");
offset!(OFF_CGROUP_PARENT, "cgroup.self.parent");
offset!(OFF_CSS_CGROUP, "cgroup_subsys_state.cgroup");
offset!(OFF_KN_ID, "kernfs_node.id");
offset!(OFF_ROOT_HIERARCHY, "cgroup_root.hierarchy_id");

#[btf_map]
static PATH: PerCpuArray<[u8; PATH_MAX], 1> = PerCpuArray::new();

#[raw_tracepoint(tracepoint = "cgroup_mkdir")]
pub(crate) fn cgroup_mkdir(ctx: RawTracePointContext) -> i32 {
    let (cgroup, path) = arguments(&ctx);
    if let (Some(id), Some(settings)) = (id_of(cgroup), settings()) {
        made(cgroup, path, id, &settings);
    }
    0
}

#[raw_tracepoint(tracepoint = "cgroup_rmdir")]
pub(crate) fn cgroup_rmdir(ctx: RawTracePointContext) -> i32 {
    let (cgroup, _) = arguments(&ctx);
    if let Some(id) = id_of(cgroup) {
        // SAFETY: the value is copied at once.
        let entry = unsafe { CGROUPS.get(&id) }.copied();
        // SAFETY: the verifier checks the map and the key.
        let gone =
            unsafe { bpf_map_delete_elem(ptr::from_ref(&CGROUPS).cast_mut().cast(), ptr::from_ref(&id).cast()) == 0 };
        if let (true, Some(entry)) = (gone, entry)
            && entry.counted == 1
        {
            count(entry.label, -1);
        }
    }
    0
}

#[inline(always)]
fn arguments(ctx: &RawTracePointContext) -> (u64, u64) {
    let arguments = ctx.as_ptr().cast::<u64>();
    // SAFETY: both tracepoints have (struct cgroup *, const char *).
    unsafe { (ptr::read_volatile(arguments), ptr::read_volatile(arguments.add(1))) }
}

/// The id of a cgroup of v2; the hierarchies of v1 number theirs independently.
#[inline(always)]
fn id_of(cgroup: u64) -> Option<u64> {
    let root = read!(u64, cgroup, OFF_CGROUP_ROOT)?;
    if read!(u32, root, OFF_ROOT_HIERARCHY)? != 0 {
        return None;
    }
    let kn = read!(u64, cgroup, OFF_CGROUP_KN)?;
    read!(u64, kn, OFF_KN_ID)
}

#[inline(always)]
fn made(cgroup: u64, path: u64, id: u64, settings: &Settings) {
    let (nearest, above) = match above(cgroup) {
        Above::Known { id, label } => (id, label),
        Above::Nothing => (0, NO_LABEL),
        // Too deep for a pattern. Whether it is below a labelled one is not known here, so nothing is remembered: the
        // other programs look from the root downwards.
        Above::Far => return,
        Above::Unreadable => return lost(id, UNKNOWN_LABEL),
    };
    let label = if above == NO_LABEL { covered(path, settings) } else { above };
    let own = above == NO_LABEL && label != NO_LABEL;
    let most = match label {
        NO_LABEL => CGROUPS_UNLABELLED_MAX,
        _ if own => CGROUPS_LABEL_MAX,
        _ => CGROUPS_INHERITED_MAX,
    };
    let state = label_state(label);
    // Shares, so that one workload cannot fill the map for others.
    // SAFETY: a map's value, checked for null.
    if state.is_null() || unsafe { (*state).cgroups } >= most {
        // What is not its own is found above it.
        if own {
            crowd(nearest, id, label);
        }
        return;
    }
    // Not over an entry that is there: while one daemon takes over from another, both programs run.
    if CGROUPS.insert(&id, &Cgroup { label, counted: 1, crowded: 0 }, u64::from(BPF_NOEXIST)).is_ok() {
        count(label, 1);
        if own {
            report(Reason::CgroupLabelled, label, Who { cgroup: id, ..Who::default() }, Endpoint::default(), 0);
        }
    } else if own && known(id) != Some(label) {
        crowd(nearest, id, label);
    }
}

/// A cgroup has a label that is not stored: from here on, what is not known below the nearest known one is refused.
#[inline(always)]
fn crowd(nearest: u64, id: u64, label: u32) {
    let entry = cgroup_entry(nearest);
    if entry.is_null() {
        return lost(id, label);
    }
    // SAFETY: a map's value, checked for null.
    unsafe {
        if ptr::read_volatile(&raw const (*entry).crowded) == 1 {
            return;
        }
        ptr::write_volatile(&raw mut (*entry).crowded, 1);
    }
    urgent(Reason::CgroupLost, label, Who { cgroup: id, ..Who::default() }, Endpoint::default(), 0);
}

/// As [`crowd`], of all the tree.
#[inline(always)]
fn lost(id: u64, label: u32) {
    if let Some(lost) = LOST.get_ptr_mut(0) {
        // SAFETY: a map's value.
        unsafe { add(lost, 1) };
    }
    urgent(Reason::CgroupLost, label, Who { cgroup: id, ..Who::default() }, Endpoint::default(), 0);
}

#[inline(always)]
fn count(label: u32, n: i64) {
    let state = label_state(label);
    if !state.is_null() {
        // SAFETY: a map's value, checked for null.
        unsafe { add(ptr::addr_of_mut!((*state).cgroups).cast(), n as u64) };
    }
}

/// What is known above a cgroup.
enum Above {
    /// The nearest ancestor that is known. Its label is the outermost above it, so the nearest is right.
    Known { id: u64, label: u32 },
    /// No ancestor is known, up to the root.
    Nothing,
    /// No ancestor is known as far as was looked, and the root is further.
    Far,
    /// The kernel's memory is not what it was taken for.
    Unreadable,
}

/// How far up is looked: further than a pattern is deep, so that beyond it none can match.
const FAR: usize = 32;
const _: () = assert!(FAR > PATTERN_DEPTH as usize);

#[inline(always)]
fn above(cgroup: u64) -> Above {
    let mut at = cgroup;
    for _ in 0..FAR {
        let Some(css) = read!(u64, at, OFF_CGROUP_PARENT) else { return Above::Unreadable };
        if css == 0 {
            return Above::Nothing;
        }
        let Some(parent) = read!(u64, css, OFF_CSS_CGROUP) else { return Above::Unreadable };
        let Some(kn) = read!(u64, parent, OFF_CGROUP_KN) else { return Above::Unreadable };
        let Some(id) = read!(u64, kn, OFF_KN_ID) else { return Above::Unreadable };
        if let Some(label) = known(id) {
            return Above::Known { id, label };
        }
        at = parent;
    }
    Above::Far
}

/// The label of the outermost pattern that a path or a part of it from the root matches. Parts too: a cgroup above may
/// have a label that is not stored.
#[inline(always)]
fn covered(path: u64, settings: &Settings) -> u32 {
    if settings.pattern_start == 0 {
        return NO_LABEL;
    }
    let Some(buffer) = PATH.get_ptr_mut(0) else { return UNKNOWN_LABEL };
    // SAFETY: the buffer is as long as said; the helper checks the address.
    let length = unsafe { bpf_probe_read_kernel_str(buffer.cast(), PATH_MAX as u32, path as *const core::ffi::c_void) };
    if length <= 0 {
        return UNKNOWN_LABEL;
    }
    let mut state = settings.pattern_start;
    for at in 0..PATH_MAX {
        // SAFETY: inside the buffer.
        let byte = unsafe { ptr::read_volatile(buffer.cast::<u8>().add(at)) };
        if byte == 0 {
            break;
        }
        let Some(entry) = PATTERNS.get(state) else { return UNKNOWN_LABEL };
        if byte == b'/' && entry.label != NO_LABEL {
            return entry.label;
        }
        // SAFETY: an index of one byte into 256 entries.
        state = u32::from(unsafe { *entry.next.as_ptr().add(usize::from(byte)) });
        if state == 0 {
            return NO_LABEL;
        }
    }
    if length >= PATH_MAX as i64 {
        // Cut off: what does not match may have matched.
        return if settings.long_patterns == 1 { UNKNOWN_LABEL } else { NO_LABEL };
    }
    match PATTERNS.get(state) {
        Some(entry) => entry.label,
        None => UNKNOWN_LABEL,
    }
}
