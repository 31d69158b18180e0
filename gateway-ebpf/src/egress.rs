//! The egress guard (cgroup_skb, 4.10; socket storage 5.3): packets of a labelled socket that no other hook has let
//! through are dropped. It catches what was open before its label, and protocols that only show themselves here.

use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::helpers::generated::{
    bpf_get_socket_uid, bpf_sk_fullsock, bpf_skb_ancestor_cgroup_id, bpf_skb_cgroup_id,
};
use aya_ebpf::macros::cgroup_skb;
use aya_ebpf::programs::SkBuffContext;
use gateway_ebpf::{Endpoint, NO_LABEL, Reason, Socket, socket};

use crate::connect::{IPPROTO_MPTCP, IPPROTO_TCP, IPPROTO_UDP, MAPPED, field};
use crate::maps::{settings, socket as storage};
use crate::report::{Who, report};
use crate::{datagram, label};

const PASS: i32 = 1;
const DROP: i32 = 0;

const TCP_LISTEN: u32 = 10;

#[cgroup_skb]
pub(crate) fn egress(ctx: SkBuffContext) -> i32 {
    let at: *mut __sk_buff = ctx.skb.skb;
    let sk = field!((*at).__bindgen_anon_2.sk);
    if sk.is_null() {
        // The kernel's own: resets and the like.
        return PASS;
    }
    // The socket first: its cgroup's id is three cold cache lines away.
    let stored = storage(sk.cast(), false);
    let mut label = NO_LABEL;
    if !stored.is_null() {
        // SAFETY: a socket's storage, checked for null.
        let kind = unsafe { (*stored).kind };
        if kind == socket::REDIRECTED || kind == socket::ACCEPTED || kind == socket::DIRECT || kind == socket::OPEN {
            return PASS;
        }
        // SAFETY: as above.
        label = unsafe { (*stored).label };
    }
    let Some(settings) = settings() else { return DROP };
    // SAFETY: the context itself, which the helper takes.
    let cgroup = unsafe { bpf_skb_cgroup_id(at) };
    if label == NO_LABEL {
        label = match label::recent(&settings, cgroup) {
            Some(label) => label,
            None if cgroup == 0 => NO_LABEL,
            // SAFETY: the context itself; the helper answers 0 where there is no such level.
            None => label::of_ancestors(|level| unsafe { bpf_skb_ancestor_cgroup_id(at, level) }),
        };
    }
    if label == NO_LABEL {
        if settings.by_uid == 0 {
            return PASS;
        }
        // SAFETY: the context itself, which the helper takes.
        label = label::of_uid(unsafe { bpf_get_socket_uid(at) });
        if label == NO_LABEL {
            return PASS;
        }
    }
    // SAFETY: a socket of the context, checked for null.
    let full = unsafe { bpf_sk_fullsock(sk) };
    if full.is_null() {
        return DROP;
    }
    let protocol = field!((*full).protocol);
    let state = field!((*full).state);
    let to = destination(&ctx).unwrap_or_default();
    let pass = match protocol {
        // What a listening socket sends answers somebody.
        IPPROTO_TCP | IPPROTO_MPTCP => state == TCP_LISTEN,
        IPPROTO_UDP => datagram::allowed(&to),
        _ => false,
    };
    if pass {
        return PASS;
    }
    dropped(stored, label, cgroup, to, protocol)
}

#[inline(always)]
fn dropped(stored: *mut Socket, label: u32, cgroup: u64, to: Endpoint, protocol: u32) -> i32 {
    if !stored.is_null() {
        // SAFETY: a socket's storage, checked for null. Retransmissions are not news.
        unsafe {
            if (*stored).reported == 1 {
                return DROP;
            }
            (*stored).reported = 1;
        }
    }
    report(Reason::Egress, label, Who { cgroup, ..Who::default() }, to, protocol);
    DROP
}

/// Where a packet goes; the port is 0, which is never allowed, for what is not UDP right behind the IP header.
#[inline(always)]
fn destination(ctx: &SkBuffContext) -> Option<Endpoint> {
    let first: u8 = ctx.load(0).ok()?;
    if first >> 4 == 4 {
        let next: u8 = ctx.load(9).ok()?;
        let address: u32 = ctx.load(16).ok()?;
        let header = usize::from(first & 0xf) * 4;
        let port: u16 = if u32::from(next) == IPPROTO_UDP { ctx.load(header + 2).ok()? } else { 0 };
        return Some(Endpoint { address: [0, 0, MAPPED, address], port: u32::from(u16::from_be(port)) });
    }
    let next: u8 = ctx.load(6).ok()?;
    let address: [u32; 4] = ctx.load(24).ok()?;
    let port: u16 = if u32::from(next) == IPPROTO_UDP { ctx.load(42).ok()? } else { 0 };
    Some(Endpoint { address, port: u32::from(u16::from_be(port)) })
}
