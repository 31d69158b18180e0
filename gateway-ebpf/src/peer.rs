//! getpeername4 and getpeername6 (5.8): a redirected socket's peer is the one it asked for.
//!
//! These programs may change the answer but not refuse it.

use core::ptr;

use aya_ebpf::bindings::bpf_sock_addr;
use aya_ebpf::helpers::generated::bpf_get_netns_cookie;
use aya_ebpf::macros::cgroup_sock_addr;
use aya_ebpf::programs::SockAddrContext;
use gateway_ebpf::{Endpoint, Tuple, socket};

use crate::connect::{IPPROTO_MPTCP, MAPPED, field, port_of};
use crate::maps::{ORIGINS, socket as storage};

#[cgroup_sock_addr(getpeername4)]
pub(crate) fn getpeername4(ctx: SockAddrContext) -> i32 {
    let at: *mut bpf_sock_addr = ctx.sock_addr;
    let peer = [0, 0, MAPPED, field!((*at).user_ip4)];
    let sk = field!((*at).__bindgen_anon_1.sk);
    let client = [0, 0, MAPPED, field!((*sk).src_ip4)];
    if let Some(to) = asked_for(&ctx, peer, client) {
        // SAFETY: writable fields of the context.
        unsafe {
            (*at).user_ip4 = to.address[3];
            (*at).user_port = u32::from((to.port as u16).to_be());
        }
    }
    1
}

#[cgroup_sock_addr(getpeername6)]
pub(crate) fn getpeername6(ctx: SockAddrContext) -> i32 {
    let at: *mut bpf_sock_addr = ctx.sock_addr;
    let peer =
        [field!((*at).user_ip6[0]), field!((*at).user_ip6[1]), field!((*at).user_ip6[2]), field!((*at).user_ip6[3])];
    let sk = field!((*at).__bindgen_anon_1.sk);
    let client =
        [field!((*sk).src_ip6[0]), field!((*sk).src_ip6[1]), field!((*sk).src_ip6[2]), field!((*sk).src_ip6[3])];
    if let Some(to) = asked_for(&ctx, peer, client) {
        // SAFETY: writable fields of the context, word by word as the verifier wants it.
        unsafe {
            ptr::write_volatile(ptr::addr_of_mut!((*at).user_ip6[0]), to.address[0]);
            ptr::write_volatile(ptr::addr_of_mut!((*at).user_ip6[1]), to.address[1]);
            ptr::write_volatile(ptr::addr_of_mut!((*at).user_ip6[2]), to.address[2]);
            ptr::write_volatile(ptr::addr_of_mut!((*at).user_ip6[3]), to.address[3]);
            (*at).user_port = u32::from((to.port as u16).to_be());
        }
    }
    1
}

#[inline(always)]
fn asked_for(ctx: &SockAddrContext, peer: [u32; 4], client: [u32; 4]) -> Option<Endpoint> {
    let at: *mut bpf_sock_addr = ctx.sock_addr;
    let port = port_of(field!((*at).user_port));
    let protocol = field!((*at).protocol);
    let sk = field!((*at).__bindgen_anon_1.sk);
    let client_port = field!((*sk).src_port);
    let stored = storage(sk.cast(), false);
    if !stored.is_null() {
        // SAFETY: a socket's storage, checked for null.
        let (kind, tuple, to) = unsafe { ((*stored).kind, (*stored).tuple, (*stored).origin.destination) };
        // The port too: the socket may have been connected elsewhere since.
        let redirected = kind == socket::REDIRECTED && u32::from(tuple.listener_port) == port;
        if redirected {
            return Some(to);
        }
    }
    if protocol != IPPROTO_MPTCP {
        return None;
    }
    // The storage is the subflow's; this is the socket above it, which has one of its own only for its label.
    // SAFETY: the context itself, which the helper takes.
    let netns = unsafe { bpf_get_netns_cookie(ctx.sock_addr.cast()) };
    let key = Tuple {
        netns,
        client,
        client_port: client_port as u16,
        listener_port: port as u16,
        listener: if peer[2] == MAPPED { peer[3] } else { 0 },
    };
    // SAFETY: the value is copied at once.
    unsafe { ORIGINS.get(&key) }.map(|origin| origin.destination)
}
