//! sched_process_exec (raw tracepoint, 4.17): a labelled process that executes a program in a network namespace without
//! a listener is told at once, so that there is one before the program connects.

use aya_ebpf::helpers::generated::bpf_get_current_task;
use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;
use gateway_ebpf::{Endpoint, NO_LABEL, Reason};

use crate::kernel::{offset, read};
use crate::label;
use crate::maps::{LISTENERS, settings};
use crate::report::{caller, urgent};

offset!(OFF_TASK_NSPROXY, "task_struct.nsproxy");
offset!(OFF_NSPROXY_NET, "nsproxy.net_ns");
offset!(OFF_NET_COOKIE, "net.net_cookie");

#[raw_tracepoint(tracepoint = "sched_process_exec")]
pub(crate) fn process_exec(_ctx: RawTracePointContext) -> i32 {
    let Some(settings) = settings() else { return 0 };
    let cgroup = label::current_cgroup();
    let label = label::of_task(&settings, cgroup);
    if label == NO_LABEL {
        return 0;
    }
    let netns = current_netns().unwrap_or(0);
    // SAFETY: the counts are read at once. One without listeners is there for accepted connections alone.
    if unsafe { LISTENERS.get(&netns) }.is_none_or(|listener| listener.v4_count == 0 && listener.v6_count == 0) {
        urgent(Reason::Arrived, label, caller(cgroup, netns), Endpoint::default(), 0);
    }
    0
}

/// Cookie of the calling process's network namespace; 0 for one that has none yet.
fn current_netns() -> Option<u64> {
    // SAFETY: a helper without arguments.
    let task = unsafe { bpf_get_current_task() };
    let proxy = read!(u64, task, OFF_TASK_NSPROXY)?;
    let net = read!(u64, proxy, OFF_NSPROXY_NET)?;
    read!(u64, net, OFF_NET_COOKIE)
}
