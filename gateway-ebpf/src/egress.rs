//! The egress guard (cgroup_skb, 4.10; socket storage 5.3; packets' bytes 5.0; reading kernel memory 5.8): packets of a
//! labelled socket that no other hook has let through are dropped. It catches what was open before its label, protocols
//! that only show themselves here, and what a socket was told after its connect: another device, or hosts to go by.

use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::helpers::generated::{bpf_sk_fullsock, bpf_skb_ancestor_cgroup_id, bpf_skb_cgroup_id};
use aya_ebpf::macros::cgroup_skb;
use aya_ebpf::programs::SkBuffContext;
use gateway_ebpf::{Endpoint, NO_LABEL, Reason, Socket, UNKNOWN_LABEL, socket};

use crate::connect::{IPPROTO_MPTCP, IPPROTO_TCP, IPPROTO_UDP, covered, field, loopback};
use crate::kernel::{offset, read};
use crate::maps::{settings, socket as storage, strays};
use crate::packet::{by_loopback, destination, plain, to_listener};
use crate::report::{Who, report};
use crate::{datagram, label};

offset!(OFF_SKB_SK, "sk_buff.sk");
offset!(OFF_SOCK_UID, "sock.sk_uid");

const PASS: i32 = 1;
const DROP: i32 = 0;

const TCP_LISTEN: u32 = 10;

#[cgroup_skb]
pub(crate) fn egress(ctx: SkBuffContext) -> i32 {
    let at: *mut __sk_buff = ctx.skb.skb;
    // Where redirected connections go, and little of what else the node sends: theirs are known by the socket alone.
    if by_loopback(at) {
        let sk = field!((*at).__bindgen_anon_2.sk);
        if !sk.is_null() {
            let stored = storage(sk.cast(), false);
            // SAFETY: a socket's storage, checked for null.
            if !stored.is_null() && unsafe { (*stored).kind } == socket::REDIRECTED {
                // SAFETY: as above.
                return match to_listener(at, unsafe { &(*stored).tuple }) {
                    true => PASS,
                    false => astray(at, stored),
                };
            }
        }
    }
    // SAFETY: the context itself, which the helper takes. Without a socket there is none.
    let cgroup = unsafe { bpf_skb_cgroup_id(at) };
    if label::nobodys(cgroup) && !strays() {
        return PASS;
    }
    guard(at, cgroup)
}

/// A packet of a redirected connection that goes elsewhere.
#[inline(never)]
fn astray(at: *mut __sk_buff, stored: *mut Socket) -> i32 {
    // SAFETY: a socket's storage, checked for null.
    let connected_by = unsafe { (*stored).origin.label };
    dropped(stored, connected_by, 0, destination(&SkBuffContext::new(at)), IPPROTO_TCP)
}

/// A packet of a socket that may be somebody's. Apart from what every packet of the node runs through, which is short
/// so and in one place.
#[inline(never)]
fn guard(at: *mut __sk_buff, cgroup: u64) -> i32 {
    let ctx = &SkBuffContext::new(at);
    let sk = field!((*at).__bindgen_anon_2.sk);
    if sk.is_null() {
        // The kernel's own: resets and the like.
        return PASS;
    }
    let stored = storage(sk.cast(), false);
    let mut label = NO_LABEL;
    if !stored.is_null() {
        // SAFETY: a socket's storage, checked for null.
        let (kind, connected_by) = unsafe { ((*stored).kind, (*stored).origin.label) };
        if kind == socket::REDIRECTED {
            // By another device than the listener's.
            return astray(at, stored);
        }
        if kind == socket::ACCEPTED || kind == socket::DIRECT || kind == socket::OPEN {
            // SAFETY: as above.
            let uncovered = kind != socket::DIRECT || unsafe { !covered(&(*stored).origin.destination) };
            if uncovered && plain(at) {
                return PASS;
            }
            if kind != socket::ACCEPTED {
                return dropped(stored, connected_by, 0, destination(ctx), IPPROTO_TCP);
            }
            // It can be anybody's.
        }
        // SAFETY: as above.
        label = unsafe { (*stored).label };
    }
    let Some(settings) = settings() else { return DROP };
    if label == NO_LABEL {
        label = match label::recent(cgroup) {
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
        label = match uid(at) {
            Some(uid) => label::of_uid(uid),
            None => UNKNOWN_LABEL,
        };
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
    let to = destination(ctx);
    let pass = match protocol {
        // What a listening socket sends answers somebody.
        IPPROTO_TCP | IPPROTO_MPTCP => state == TCP_LISTEN && plain(at),
        // What is allowed on this machine is nobody's elsewhere, by whichever device the socket says.
        IPPROTO_UDP => datagram::allowed(&to) && (!loopback(&to) || by_loopback(at)),
        _ => false,
    };
    if pass {
        return PASS;
    }
    dropped(stored, label, cgroup, to, protocol)
}

/// The user that a packet's socket belongs to, in the first user namespace. (The helper for it answers in the network
/// namespace's user namespace, where the same number is somebody else.)
#[inline(always)]
fn uid(at: *mut __sk_buff) -> Option<u32> {
    // The context is the kernel's own structure, and its socket is a full one while this program runs.
    let sk = read!(u64, at as u64, OFF_SKB_SK)?;
    read!(u32, sk, OFF_SOCK_UID)
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
