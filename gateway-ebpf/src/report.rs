//! Events and counters. A full ring buffer loses the event, never the count.

use aya_ebpf::helpers::generated::{bpf_get_current_pid_tgid, bpf_get_current_uid_gid, bpf_ktime_get_ns};
use gateway_ebpf::{Endpoint, Event, Reason};

use crate::maps::{COUNTERS, EVENTS};

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

#[inline(always)]
fn count(reason: Reason) {
    if let Some(counter) = COUNTERS.get_ptr_mut(reason as u32) {
        // SAFETY: the verifier checked the pointer; nobody else writes this CPU's value.
        unsafe { *counter += 1 };
    }
}

/// Counts, and tells userspace if there is room.
#[inline(always)]
pub(crate) fn report(reason: Reason, label: u32, who: Who, destination: Endpoint, protocol: u32) {
    submit(reason, label, who, destination, protocol, BPF_RB_NO_WAKEUP);
}

/// A process that needs a listener. Userspace is woken: it has until the process connects.
#[inline(always)]
pub(crate) fn arrived(label: u32, who: Who) {
    submit(Reason::Arrived, label, who, Endpoint::default(), 0, BPF_RB_FORCE_WAKEUP);
}

#[inline(always)]
fn submit(reason: Reason, label: u32, who: Who, destination: Endpoint, protocol: u32, wakeup: u64) {
    count(reason);
    let Some(mut entry) = EVENTS.reserve_untyped::<Event>(0) else {
        count(Reason::EventLost);
        return;
    };
    // SAFETY: a helper without arguments.
    let time = unsafe { bpf_ktime_get_ns() };
    entry.write(Event {
        time,
        cgroup: who.cgroup,
        netns: who.netns,
        reason: reason as u32,
        label,
        pid: who.pid,
        uid: who.uid,
        destination,
        protocol,
    });
    entry.submit(wakeup);
}
