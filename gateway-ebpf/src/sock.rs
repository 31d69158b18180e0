//! Sockets as they are made: what a labelled process may have at all.

use aya_ebpf::helpers::generated::bpf_set_retval;
use aya_ebpf::macros::cgroup_sock;
use aya_ebpf::programs::SockContext;
use gateway_ebpf::{NO_LABEL, Reason};

use crate::{label, maps};

/// `SOCK_STREAM`, `SOCK_DGRAM` (include/linux/net.h).
const STREAM: u32 = 1;
const DATAGRAM: u32 = 2;

/// IP protocol numbers (IANA); 262 is Linux's own for MPTCP.
const TCP: u32 = 6;
const UDP: u32 = 17;
const MPTCP: u32 = 262;

const ALLOW: i32 = 1;
const REFUSE: i32 = 0;

/// `EPERM`, asm-generic/errno-base.h.
const EPERM: i32 = 1;

/// Refuses a labelled process every internet socket but TCP, MPTCP and UDP: raw ones, ping sockets, UDP-Lite and
/// whatever else would carry bytes past the other programs. Kernel 5.18 for the error's number; before, it is EPERM as well.
#[cgroup_sock(sock_create)]
pub(crate) fn guard_sock_create(ctx: SockContext) -> i32 {
    // SAFETY: the kernel passes a valid `bpf_sock`, of which the verifier permits these fields here.
    let (kind, protocol) = unsafe {
        (
            core::ptr::read_volatile(&raw const (*ctx.sock).type_),
            core::ptr::read_volatile(&raw const (*ctx.sock).protocol),
        )
    };
    if label::of_task() == NO_LABEL {
        return ALLOW;
    }
    match (kind, protocol) {
        (STREAM, TCP | MPTCP) | (DATAGRAM, UDP) => ALLOW,
        _ => {
            maps::count(Reason::Protocol);
            // SAFETY: the helper takes a number.
            unsafe { bpf_set_retval(-EPERM) };
            REFUSE
        }
    }
}
