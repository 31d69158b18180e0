//! sock_create (4.10) and sock_release (5.9): a socket is stamped with the label it is made under, and protocols that
//! no other hook sees are not made at all.

use aya_ebpf::macros::cgroup_sock;
use aya_ebpf::programs::SockContext;
use gateway_ebpf::{Endpoint, NO_LABEL, Reason, Socket};

use crate::connect::{IPPROTO_MPTCP, IPPROTO_TCP, IPPROTO_UDP, field};
use crate::label;
use crate::maps::{settings, socket as storage};
use crate::ops::unpublish;
use crate::report::{caller, report};

const ALLOW: i32 = 1;
const REFUSE: i32 = 0;

const SOCK_STREAM: u32 = 1;
const SOCK_DGRAM: u32 = 2;

#[cgroup_sock(sock_create)]
pub(crate) fn sock_create(ctx: SockContext) -> i32 {
    let kind = field!((*ctx.sock).type_);
    let protocol = field!((*ctx.sock).protocol);
    let Some(settings) = settings() else { return REFUSE };
    let cgroup = label::current_cgroup();
    let label = label::of_task(&settings, cgroup);
    if label == NO_LABEL {
        return ALLOW;
    }
    let stream = kind == SOCK_STREAM && (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP);
    let datagram = kind == SOCK_DGRAM && protocol == IPPROTO_UDP;
    if !stream && !datagram {
        report(Reason::Protocol, label, caller(cgroup, 0), Endpoint::default(), protocol);
        return REFUSE;
    }
    let stored: *mut Socket = storage(ctx.sock.cast(), true);
    if stored.is_null() {
        report(Reason::Storage, label, caller(cgroup, 0), Endpoint::default(), protocol);
        return REFUSE;
    }
    // SAFETY: a socket's storage, checked for null.
    unsafe { (*stored).label = label };
    ALLOW
}

#[cgroup_sock(sock_release)]
pub(crate) fn sock_release(ctx: SockContext) -> i32 {
    let stored = storage(ctx.sock.cast(), false);
    if !stored.is_null() {
        unpublish(stored);
    }
    ALLOW
}
