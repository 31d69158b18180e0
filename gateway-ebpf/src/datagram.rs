//! sendmsg4 and sendmsg6 (4.18): datagrams of labelled processes go where UDP is allowed, and nowhere else.
//!
//! A v4-mapped address on an IPv6 socket comes through sendmsg4; the form of the address decides, not the family.

use aya_ebpf::macros::cgroup_sock_addr;
use aya_ebpf::programs::SockAddrContext;
use gateway_ebpf::{Endpoint, NO_LABEL, Reason};

use crate::connect::{Call, read4, read6};
use crate::label;
use crate::maps::{ALLOW_UDP, settings, socket as storage};
use crate::report::{caller, report};

const ALLOW: i32 = 1;
const REFUSE: i32 = 0;

#[cgroup_sock_addr(sendmsg4)]
pub(crate) fn sendmsg4(ctx: SockAddrContext) -> i32 {
    decide(&read4(&ctx))
}

#[cgroup_sock_addr(sendmsg6)]
pub(crate) fn sendmsg6(ctx: SockAddrContext) -> i32 {
    decide(&read6(&ctx))
}

#[inline(always)]
fn decide(call: &Call) -> i32 {
    let Some(settings) = settings() else { return REFUSE };
    let cgroup = label::current_cgroup();
    let mut label = label::of_task(&settings, cgroup);
    if label == NO_LABEL {
        let stored = storage(call.sk, false);
        if stored.is_null() {
            return ALLOW;
        }
        // SAFETY: a socket's storage, checked for null.
        label = unsafe { (*stored).label };
        if label == NO_LABEL {
            return ALLOW;
        }
    }
    if allowed(&call.to) {
        return ALLOW;
    }
    report(Reason::Udp, label, caller(cgroup, 0), call.to, call.protocol);
    REFUSE
}

/// Whether labelled workloads may send datagrams there.
#[inline(always)]
pub(crate) fn allowed(to: &Endpoint) -> bool {
    // SAFETY: only whether it is there.
    unsafe { ALLOW_UDP.get(to) }.is_some()
}
