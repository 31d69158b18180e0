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
    CGROUPS_INHERITED_MAX, CGROUPS_UNLABELLED_MAX, Cgroup, Endpoint, NO_LABEL, PATH_MAX, Reason, Settings,
    UNKNOWN_LABEL,
};

use crate::kernel::{offset, read};
use crate::label::known;
use crate::maps::{CGROUPS, LOST, PATTERNS, add, label_state, settings};
use crate::report::{Who, report};

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
    let inherited = inherited(cgroup);
    let label = match inherited {
        NO_LABEL => matched(path, settings),
        label => label,
    };
    let own = inherited == NO_LABEL && label != NO_LABEL;
    if !own {
        // Only remembered to save the walk, so it may be left out, and one workload cannot fill the map for others.
        let most = if label == NO_LABEL { CGROUPS_UNLABELLED_MAX } else { CGROUPS_INHERITED_MAX };
        let state = label_state(label);
        // SAFETY: a map's value, checked for null.
        if state.is_null() || unsafe { (*state).cgroups } >= most {
            return;
        }
    }
    let who = Who { cgroup: id, ..Who::default() };
    // Not over an entry that is there: while one daemon takes over from another, both programs run.
    if CGROUPS.insert(&id, &Cgroup { label, counted: 1 }, u64::from(BPF_NOEXIST)).is_ok() {
        count(label, 1);
        if own {
            report(Reason::CgroupLabelled, label, who, Endpoint::default(), 0);
        }
    } else if own && known(id) != Some(label) {
        if let Some(lost) = LOST.get_ptr_mut(0) {
            // SAFETY: a map's value.
            unsafe { add(lost, 1) };
        }
        report(Reason::CgroupLost, label, who, Endpoint::default(), 0);
    }
}

#[inline(always)]
fn count(label: u32, n: i64) {
    let state = label_state(label);
    if !state.is_null() {
        // SAFETY: a map's value, checked for null.
        unsafe { add(ptr::addr_of_mut!((*state).cgroups).cast(), n as u64) };
    }
}

/// The label of the nearest ancestor that is known. Its own is the outermost above it, so the nearest is right.
#[inline(always)]
fn inherited(cgroup: u64) -> u32 {
    let mut at = cgroup;
    for _ in 0..32 {
        let Some(css) = read!(u64, at, OFF_CGROUP_PARENT) else { return UNKNOWN_LABEL };
        if css == 0 {
            return NO_LABEL;
        }
        let Some(parent) = read!(u64, css, OFF_CSS_CGROUP) else { return UNKNOWN_LABEL };
        let Some(kn) = read!(u64, parent, OFF_CGROUP_KN) else { return UNKNOWN_LABEL };
        let Some(id) = read!(u64, kn, OFF_KN_ID) else { return UNKNOWN_LABEL };
        if let Some(label) = known(id) {
            return label;
        }
        at = parent;
    }
    // Deeper than any pattern below the last known one: the ancestor walk of the other programs decides.
    NO_LABEL
}

/// The label of the pattern that a path matches.
#[inline(always)]
fn matched(path: u64, settings: &Settings) -> u32 {
    if settings.pattern_start == 0 {
        return NO_LABEL;
    }
    let Some(buffer) = PATH.get_ptr_mut(0) else { return UNKNOWN_LABEL };
    // SAFETY: the buffer is as long as said; the helper checks the address.
    let length = unsafe { bpf_probe_read_kernel_str(buffer.cast(), PATH_MAX as u32, path as *const core::ffi::c_void) };
    if length <= 0 {
        return UNKNOWN_LABEL;
    }
    if length >= PATH_MAX as i64 {
        // Cut off: what does not match may have matched.
        return if settings.long_patterns == 1 { UNKNOWN_LABEL } else { NO_LABEL };
    }
    let mut state = settings.pattern_start;
    for at in 0..PATH_MAX {
        // SAFETY: inside the buffer.
        let byte = unsafe { ptr::read_volatile(buffer.cast::<u8>().add(at)) };
        if byte == 0 {
            break;
        }
        let Some(entry) = PATTERNS.get(state) else { return UNKNOWN_LABEL };
        // SAFETY: an index of one byte into 256 entries.
        state = u32::from(unsafe { *entry.next.as_ptr().add(usize::from(byte)) });
        if state == 0 {
            return NO_LABEL;
        }
    }
    match PATTERNS.get(state) {
        Some(entry) => entry.label,
        None => UNKNOWN_LABEL,
    }
}
