//! Events and counters. A full ring buffer loses the event, never the count.
//!
//! Two ring buffers: what a workload can cause in any number only informs, and must not displace what a listener, a
//! label or the record of an open node depends on. Of those every label has a share.

use core::ptr;

use aya_ebpf::helpers::generated::{bpf_get_current_pid_tgid, bpf_get_current_uid_gid, bpf_ktime_get_ns};
use aya_ebpf::maps::ring_buf::RingBufEntry;
use gateway_ebpf::{Endpoint, Event, NO_LABEL, Reason, URGENT_SHARE, URGENT_WINDOW};

use crate::connect::stale;
use crate::maps::{COUNTERS, EVENTS, URGENT, add, label_state};

/// Userspace polls: a wake-up would cost the program twenty times what it costs altogether.
const BPF_RB_NO_WAKEUP: u64 = 1;
const BPF_RB_FORCE_WAKEUP: u64 = 2;

/// Who a process is.
#[derive(Clone, Copy, Default)]
pub(crate) struct Who {
    pub(crate) pid: u32,
    pub(crate) uid: u32,
    pub(crate) cgroup: u64,
    pub(crate) netns: u64,
}

/// The calling process; not for programs that run in a softirq.
#[inline(always)]
pub(crate) fn caller(cgroup: u64, netns: u64) -> Who {
    // SAFETY: helpers without arguments.
    let (pid, uid) = unsafe { (bpf_get_current_pid_tgid(), bpf_get_current_uid_gid()) };
    Who { pid: (pid >> 32) as u32, uid: uid as u32, cgroup, netns }
}

/// Counts, and tells nobody.
#[inline(always)]
pub(crate) fn count(reason: Reason) {
    if let Some(counter) = COUNTERS.get_ptr_mut(reason as u32) {
        // SAFETY: the verifier checked the pointer; nobody else writes this CPU's value.
        unsafe { *counter += 1 };
    }
}

/// Counts, and tells userspace if there is room.
#[inline(always)]
pub(crate) fn report(reason: Reason, label: u32, who: Who, destination: Endpoint, protocol: u32) {
    count(reason);
    let Some(entry) = EVENTS.reserve_untyped::<Event>(0) else {
        count(Reason::EventLost);
        return;
    };
    submit(entry, reason, label, who, destination, protocol, BPF_RB_NO_WAKEUP);
}

/// As [`report`], of what something depends on.
#[inline(always)]
pub(crate) fn urgent(reason: Reason, label: u32, who: Who, destination: Endpoint, protocol: u32) {
    count(reason);
    if !share(label) {
        count(Reason::EventLost);
        return;
    }
    let Some(entry) = URGENT.reserve_untyped::<Event>(0) else {
        count(Reason::EventLost);
        return;
    };
    // A process that needs a listener has until it connects: only there is it worth the time to wake userspace.
    let wakeup = if reason as u32 == Reason::Arrived as u32 { BPF_RB_FORCE_WAKEUP } else { BPF_RB_NO_WAKEUP };
    submit(entry, reason, label, who, destination, protocol, wakeup);
}

/// Whether a label has anything left of its share. What has no counters of its own shares those of no label.
fn share(label: u32) -> bool {
    let own = label_state(label);
    let state = if own.is_null() { label_state(NO_LABEL) } else { own };
    if state.is_null() {
        return false;
    }
    // SAFETY: a helper without arguments; a map's value, checked for null. Two CPUs that renew at once both write the
    // same.
    unsafe {
        let now = bpf_ktime_get_ns();
        if now.wrapping_sub(ptr::read_volatile(&raw const (*state).urgent_since)) > URGENT_WINDOW && !stale() {
            ptr::write_volatile(&raw mut (*state).urgent_since, now);
            ptr::write_volatile(&raw mut (*state).urgent, 0);
        }
        if ptr::read_volatile(&raw const (*state).urgent) >= URGENT_SHARE {
            return false;
        }
        add(&raw mut (*state).urgent, 1);
    }
    true
}

#[inline(always)]
fn submit(
    mut entry: RingBufEntry<Event>,
    reason: Reason,
    label: u32,
    who: Who,
    destination: Endpoint,
    protocol: u32,
    wakeup: u64,
) {
    // SAFETY: a helper without arguments.
    let time = unsafe { bpf_ktime_get_ns() };
    let at = entry.as_mut_ptr();
    // Word by word: for a row of zeros LLVM would call a function that the verifier does not let it call.
    // SAFETY: the entry is as long as an event, and all of it is written.
    unsafe {
        ptr::write_volatile(&raw mut (*at).time, time);
        ptr::write_volatile(&raw mut (*at).cgroup, who.cgroup);
        ptr::write_volatile(&raw mut (*at).netns, who.netns);
        ptr::write_volatile(&raw mut (*at).reason, reason as u32);
        ptr::write_volatile(&raw mut (*at).label, label);
        ptr::write_volatile(&raw mut (*at).pid, who.pid);
        ptr::write_volatile(&raw mut (*at).uid, who.uid);
        ptr::write_volatile(&raw mut (*at).destination.address[0], destination.address[0]);
        ptr::write_volatile(&raw mut (*at).destination.address[1], destination.address[1]);
        ptr::write_volatile(&raw mut (*at).destination.address[2], destination.address[2]);
        ptr::write_volatile(&raw mut (*at).destination.address[3], destination.address[3]);
        ptr::write_volatile(&raw mut (*at).destination.port, destination.port);
        ptr::write_volatile(&raw mut (*at).protocol, protocol);
    }
    entry.submit(wakeup);
}
