//! sock_ops (4.13; netns cookie 5.15): publishes a redirected connection's original destination before its first
//! packet, takes it back if the connection never comes to be, and tells accepted connections from made ones.

use core::ptr;

use aya_ebpf::bindings::{BPF_NOEXIST, bpf_sock_ops};
use aya_ebpf::helpers::generated::{
    bpf_get_netns_cookie, bpf_ktime_get_ns, bpf_map_delete_elem, bpf_sock_ops_cb_flags_set,
};
use aya_ebpf::macros::sock_ops;
use aya_ebpf::programs::SockOpsContext;
use gateway_ebpf::{Reason, Socket, Tuple, socket};

use crate::connect::{MAPPED, field};
use crate::maps::{LISTENERS, ORIGINS, add, label_state, socket as storage};
use crate::report::{Who, report};

const TCP_CONNECT_CB: u32 = 3;
const PASSIVE_ESTABLISHED_CB: u32 = 5;
const STATE_CB: u32 = 10;
const STATE_CB_FLAG: i32 = 1 << 2;

const AF_INET: u32 = 2;
const TCP_ESTABLISHED: u32 = 1;
const TCP_CLOSE: u32 = 7;

// Not `sockops`: the section is called so, and the names would clash.
#[sock_ops]
pub(crate) fn connection(ctx: SockOpsContext) -> u32 {
    let at: *mut bpf_sock_ops = ctx.ops;
    let op = field!((*at).op);
    if op != TCP_CONNECT_CB && op != PASSIVE_ESTABLISHED_CB && op != STATE_CB {
        return 1;
    }
    let state = field!((*at).__bindgen_anon_1.args[1]);
    let family = field!((*at).family);
    let local4 = field!((*at).local_ip4);
    let local6 = [
        field!((*at).local_ip6[0]),
        field!((*at).local_ip6[1]),
        field!((*at).local_ip6[2]),
        field!((*at).local_ip6[3]),
    ];
    let local_port = field!((*at).local_port);
    let sk = field!((*at).__bindgen_anon_2.sk);
    if sk.is_null() {
        return 1;
    }
    if op == PASSIVE_ESTABLISHED_CB {
        accepted(at, sk.cast());
        return 1;
    }
    let stored = storage(sk.cast(), false);
    if stored.is_null() {
        return 1;
    }
    if op == TCP_CONNECT_CB {
        // SAFETY: a socket's storage, checked for null.
        if unsafe { (*stored).kind } == socket::REDIRECTED {
            let client = if family == AF_INET { [0, 0, MAPPED, local4] } else { local6 };
            publish(at, stored, client, local_port);
        }
    } else if state == TCP_ESTABLISHED {
        // From here on the gateway has it, and removes it when it is through with the connection.
        // SAFETY: as above.
        unsafe { (*stored).pending = 0 };
    } else if state == TCP_CLOSE {
        unpublish(stored);
    }
    1
}

/// Answers on an accepted connection have to pass the egress guard. Also where the listening socket is older than its
/// label, so every accepted socket of a namespace with labelled workloads is marked.
#[inline(always)]
fn accepted(at: *mut bpf_sock_ops, sk: *mut core::ffi::c_void) {
    // A labelled listening socket's storage is not cloned: the mark is made anew.
    // SAFETY: the context itself, which the helper takes.
    let netns = unsafe { bpf_get_netns_cookie(at.cast()) };
    // SAFETY: only whether it is there.
    if unsafe { LISTENERS.get(&netns) }.is_none() {
        return;
    }
    let stored = storage(sk, true);
    if !stored.is_null() {
        // SAFETY: a socket's storage, checked for null.
        unsafe { (*stored).kind = socket::ACCEPTED };
    }
}

#[inline(always)]
fn publish(at: *mut bpf_sock_ops, stored: *mut Socket, client: [u32; 4], client_port: u32) {
    // SAFETY: a socket's storage, checked for null by the caller; a helper without arguments.
    let (tuple, origin) = unsafe {
        (*stored).tuple.client = client;
        (*stored).tuple.client_port = client_port as u16;
        (*stored).origin.time = bpf_ktime_get_ns();
        ((*stored).tuple, (*stored).origin)
    };
    // Without the callback a connection that fails would leave its entry.
    // SAFETY: the context itself, which the helper takes.
    let told = unsafe { bpf_sock_ops_cb_flags_set(at, STATE_CB_FLAG) } == 0;
    let mut new = ORIGINS.insert(&tuple, &origin, u64::from(BPF_NOEXIST)).is_ok();
    if !new {
        // An earlier connection's, perhaps of another workload. Removed and made anew, never written over: so each
        // entry is counted once for the label that it was published for, and once for the same when it goes.
        // SAFETY: the value is copied at once.
        let old = unsafe { ORIGINS.get(&tuple) }.map(|old| old.label);
        if let Some(old) = old
            && delete(&tuple)
        {
            removed(old);
        }
        new = ORIGINS.insert(&tuple, &origin, u64::from(BPF_NOEXIST)).is_ok();
    }
    if new {
        let state = label_state(origin.label);
        if !state.is_null() {
            // SAFETY: a map's value, checked for null.
            unsafe { add(ptr::addr_of_mut!((*state).published), 1) };
        }
        // SAFETY: a socket's storage, checked for null by the caller.
        unsafe { (*stored).pending = 1 };
    }
    if !told || !new {
        let who = Who { pid: origin.pid, uid: origin.uid, cgroup: origin.cgroup, netns: tuple.netns };
        report(Reason::Publish, origin.label, who, origin.destination, 6);
    }
}

/// Takes back the origin of a connection that was never established.
#[inline(always)]
pub(crate) fn unpublish(stored: *mut Socket) {
    // SAFETY: a socket's storage, checked for null by the caller.
    let (pending, tuple, label, time) = unsafe {
        let pending = (*stored).pending;
        (*stored).pending = 0;
        (pending, (*stored).tuple, (*stored).origin.label, (*stored).origin.time)
    };
    if pending != 1 {
        return;
    }
    // Under the same ends there can be another connection's by now.
    // SAFETY: the value is copied at once.
    let held = unsafe { ORIGINS.get(&tuple) }.map(|held| held.time);
    if held == Some(time) && delete(&tuple) {
        removed(label);
    }
}

#[inline(always)]
fn removed(label: u32) {
    let state = label_state(label);
    if !state.is_null() {
        // SAFETY: a map's value, checked for null.
        unsafe { add(ptr::addr_of_mut!((*state).removed), 1) };
    }
}

/// Whether it was there. Exactly one of two that remove an entry is told so.
#[inline(always)]
fn delete(tuple: &Tuple) -> bool {
    // SAFETY: the verifier checks the map and the key.
    unsafe { bpf_map_delete_elem(ptr::from_ref(&ORIGINS).cast_mut().cast(), ptr::from_ref(tuple).cast()) == 0 }
}
