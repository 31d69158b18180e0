//! connect4 and connect6 (4.17; set_retval 5.18): where a labelled process's connect really goes.
//!
//! TCP goes to the gateway's listener in the same network namespace or nowhere, UDP where it is allowed. Also what
//! `MSG_FASTOPEN`, io_uring and MPTCP subflows connect with comes through here.

use core::ffi::c_void;
use core::ptr;

use aya_ebpf::bindings::{bpf_sock_addr, bpf_sock_tuple};
use aya_ebpf::helpers::generated::{
    bpf_get_netns_cookie, bpf_get_prandom_u32, bpf_ktime_get_ns, bpf_set_retval, bpf_setsockopt, bpf_sk_lookup_tcp,
    bpf_sk_release,
};
use aya_ebpf::macros::cgroup_sock_addr;
use aya_ebpf::programs::SockAddrContext;
use gateway_ebpf::{
    Endpoint, HEARTBEAT_STALE, LISTENER_V4, LISTENER_V6, Listener, NO_LABEL, Origin, Reason, Settings, socket,
};

use crate::maps::{DESTINATIONS, HEARTBEAT, LISTENERS, RELEASED, label_state, settings, socket as storage, stray};
use crate::report::{Who, caller, count, report, urgent};
use crate::{datagram, label};

/// Whether the kernel has bpf_set_retval; set at load. The verifier drops the branch that cannot run.
#[unsafe(no_mangle)]
static HAVE_SET_RETVAL: u32 = 1;

const ALLOW: i32 = 1;
const REFUSE: i32 = 0;

const ECONNREFUSED: i32 = 111;
const SOL_SOCKET: i32 = 1;
const SO_BINDTODEVICE: i32 = 25;

pub(crate) const IPPROTO_TCP: u32 = 6;
pub(crate) const IPPROTO_UDP: u32 = 17;
pub(crate) const IPPROTO_MPTCP: u32 = 262;

/// `::ffff:0:0/96`'s third word, in network order.
pub(crate) const MAPPED: u32 = 0xffff_u32.to_be();
pub(crate) const LOOPBACK_V6: u32 = 1_u32.to_be();

/// What a context says of a connect, read at once: LLVM would merge later reads into ones the verifier refuses.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    pub(crate) to: Endpoint,
    pub(crate) protocol: u32,
    pub(crate) sk: *mut c_void,
    device: u32,
    bound_port: u32,
    /// The IPv4 address that the socket is bound to, or 0.
    bound: u32,
}

/// A field of a context, one read of its own.
macro_rules! field {
    ($at:expr) => {
        // SAFETY: the context is the kernel's and the verifier checks the access.
        unsafe { core::ptr::read_volatile(core::ptr::addr_of!($at)) }
    };
}
pub(crate) use field;

#[inline(always)]
pub(crate) fn port_of(user_port: u32) -> u32 {
    u32::from(u16::from_be(user_port as u16))
}

#[inline(always)]
pub(crate) fn read4(ctx: &SockAddrContext) -> Call {
    let at: *mut bpf_sock_addr = ctx.sock_addr;
    let address = [0, 0, MAPPED, field!((*at).user_ip4)];
    read(at, address)
}

#[inline(always)]
pub(crate) fn read6(ctx: &SockAddrContext) -> Call {
    let at: *mut bpf_sock_addr = ctx.sock_addr;
    let address =
        [field!((*at).user_ip6[0]), field!((*at).user_ip6[1]), field!((*at).user_ip6[2]), field!((*at).user_ip6[3])];
    read(at, address)
}

#[inline(always)]
fn read(at: *mut bpf_sock_addr, address: [u32; 4]) -> Call {
    let port = port_of(field!((*at).user_port));
    let protocol = field!((*at).protocol);
    let sk = field!((*at).__bindgen_anon_1.sk);
    let device = field!((*sk).bound_dev_if);
    let bound_port = field!((*sk).src_port);
    let bound = field!((*sk).src_ip4);
    Call { to: Endpoint { address, port }, protocol, sk: sk.cast(), device, bound_port, bound }
}

#[cgroup_sock_addr(connect4)]
pub(crate) fn connect4(ctx: SockAddrContext) -> i32 {
    let call = read4(&ctx);
    match decide(&ctx, &call) {
        Way::Leave => ALLOW,
        Way::Refuse => refuse(),
        Way::Redirect { address, port } => {
            // SAFETY: writable fields of the context.
            unsafe {
                (*ctx.sock_addr).user_ip4 = address[3];
                (*ctx.sock_addr).user_port = u32::from((port as u16).to_be());
            }
            ALLOW
        }
    }
}

#[cgroup_sock_addr(connect6)]
pub(crate) fn connect6(ctx: SockAddrContext) -> i32 {
    let call = read6(&ctx);
    match decide(&ctx, &call) {
        Way::Leave => ALLOW,
        Way::Refuse => refuse(),
        Way::Redirect { address, port } => {
            // SAFETY: writable fields of the context, word by word as the verifier wants it.
            unsafe {
                let at = ctx.sock_addr;
                ptr::write_volatile(ptr::addr_of_mut!((*at).user_ip6[0]), address[0]);
                ptr::write_volatile(ptr::addr_of_mut!((*at).user_ip6[1]), address[1]);
                ptr::write_volatile(ptr::addr_of_mut!((*at).user_ip6[2]), address[2]);
                ptr::write_volatile(ptr::addr_of_mut!((*at).user_ip6[3]), address[3]);
                (*at).user_port = u32::from((port as u16).to_be());
            }
            ALLOW
        }
    }
}

/// "Nobody listens there" is an error that every client knows how to report.
#[inline(always)]
fn refuse() -> i32 {
    // SAFETY: a constant that userspace sets before the program is loaded.
    if unsafe { ptr::read_volatile(&raw const HAVE_SET_RETVAL) } == 1 {
        // SAFETY: a helper that takes any error number.
        unsafe { bpf_set_retval(-ECONNREFUSED) };
    }
    REFUSE
}

enum Way {
    Leave,
    Refuse,
    Redirect { address: [u32; 4], port: u32 },
}

#[inline(always)]
fn decide(ctx: &SockAddrContext, call: &Call) -> Way {
    // An array's one element is always there; the verifier does not know.
    let Some(settings) = settings() else { return Way::Refuse };
    let cgroup = label::current_cgroup();
    let mut label = label::of_task(&settings, cgroup);
    if label == NO_LABEL {
        let stored = storage(call.sk, false);
        if !stored.is_null() {
            // SAFETY: a socket's storage, checked for null. A kind belongs to one connect, and this is another.
            unsafe {
                (*stored).kind = socket::NEW;
                label = (*stored).label;
            }
        }
        if label == NO_LABEL {
            return unlabelled(ctx, call);
        }
    }
    labelled(ctx, call, &settings, label, cgroup)
}

/// A connect that is nobody's business, unless it is to a listener itself: whoever has a client port of a workload's
/// could be taken for that workload.
#[inline(always)]
fn unlabelled(ctx: &SockAddrContext, call: &Call) -> Way {
    let mut to = call.to;
    if mapped(&to) && to.address[3] == 0 {
        // The kernel takes the socket's own address for the one that is called.
        to.address[3] = call.bound;
    }
    if call.protocol == IPPROTO_UDP || !loopback(&to) {
        return Way::Leave;
    }
    // SAFETY: the context itself, which the helper takes.
    let netns = unsafe { bpf_get_netns_cookie(ctx.sock_addr.cast()) };
    // SAFETY: read at once.
    match unsafe { LISTENERS.get(&netns) } {
        Some(listener) if is_listener(listener, &to) => {
            // Only counted: the log is for what workloads do.
            count(Reason::ListenerByHand);
            Way::Refuse
        }
        _ => Way::Leave,
    }
}

/// The connect of a labelled process or socket: from here on nothing is left alone by mistake.
#[inline(always)]
fn labelled(ctx: &SockAddrContext, call: &Call, settings: &Settings, label: u32, cgroup: u64) -> Way {
    // SAFETY: the context itself, which the helper takes.
    let netns = unsafe { bpf_get_netns_cookie(ctx.sock_addr.cast()) };
    let who = caller(cgroup, netns);
    if call.protocol == IPPROTO_UDP {
        return match datagram::allowed(&call.to) {
            true => Way::Leave,
            false => refused(Reason::Udp, label, who, call),
        };
    }
    if call.protocol != IPPROTO_TCP && call.protocol != IPPROTO_MPTCP {
        return refused(Reason::Protocol, label, who, call);
    }
    let stored = storage(call.sk, true);
    if stored.is_null() {
        return refused(Reason::Storage, label, who, call);
    }
    // SAFETY: a socket's storage, checked for null.
    unsafe {
        if (*stored).label == NO_LABEL {
            // Made elsewhere, so its cgroup does not tell whose it is.
            stray();
        }
        (*stored).kind = socket::REFUSED;
        (*stored).origin.label = label;
    }

    // SAFETY: read at once; an entry that is removed meanwhile leads to a port where nobody listens.
    let listener = unsafe { LISTENERS.get(&netns) };
    // Before anything that lets a connect go where it wants to.
    if let Some(listener) = listener
        && by_hand(listener, &call.to)
    {
        return refused(Reason::ListenerByHand, label, who, call);
    }
    let state = label_state(label);
    if state.is_null() {
        return refused(Reason::UnknownLabel, label, who, call);
    }
    if !covers(settings, &call.to) {
        // SAFETY: as above. The egress guard asks again: what is covered can change.
        unsafe {
            (*stored).origin.destination = call.to;
            (*stored).kind = socket::DIRECT;
        }
        report(Reason::NotCovered, label, who, call.to, call.protocol);
        return Way::Leave;
    }
    if stale() {
        if settings.open_when_down != 1 {
            // Whoever listens on the gateway's address now is not the gateway.
            return refused(Reason::GatewayDown, label, who, call);
        }
        // SAFETY: as above.
        unsafe { (*stored).kind = socket::OPEN };
        urgent(Reason::GatewayDownOpen, label, who, call.to, call.protocol);
        return Way::Leave;
    }
    let Some(listener) = listener else {
        return no_listener(label, who, call);
    };
    // SAFETY: the values are read at once.
    let live = unsafe {
        let released = RELEASED.get(&label).copied().unwrap_or(0);
        // They are not read as one, so it can be below zero for a moment.
        (*state).published.saturating_sub((*state).removed.wrapping_add(released))
    };
    if live >= u64::from(settings.connections_max) {
        return refused(Reason::ConnectionCap, label, who, call);
    }
    let Some((address, port)) = pick(listener, call) else {
        return no_listener(label, who, call);
    };
    if !listens(ctx, &address, port) {
        // It has just died, and somebody may have its port already.
        return no_listener(label, who, call);
    }
    if call.device != 0 && !unbind_device(ctx) {
        return refused(Reason::Device, label, who, call);
    }
    // SAFETY: a socket's storage, checked for null; helpers without arguments.
    unsafe {
        let time = bpf_ktime_get_ns();
        (*stored).origin = Origin { cgroup, time, destination: call.to, label, pid: who.pid, uid: who.uid };
        // The client's end is written when it is known.
        (*stored).tuple.netns = netns;
        (*stored).tuple.listener_port = port as u16;
        (*stored).tuple.listener = if address[2] == MAPPED { address[3] } else { 0 };
        (*stored).pending = 0;
        (*stored).kind = socket::REDIRECTED;
    }
    report(Reason::Redirected, label, who, call.to, call.protocol);
    Way::Redirect { address, port }
}

#[inline(always)]
fn refused(reason: Reason, label: u32, who: Who, call: &Call) -> Way {
    report(reason, label, who, call.to, call.protocol);
    Way::Refuse
}

/// Refused, and userspace is to listen there.
#[inline(always)]
fn no_listener(label: u32, who: Who, call: &Call) -> Way {
    urgent(Reason::NoListener, label, who, call.to, call.protocol);
    Way::Refuse
}

#[inline(always)]
fn mapped(to: &Endpoint) -> bool {
    to.address[0] == 0 && to.address[1] == 0 && to.address[2] == MAPPED
}

/// Whether a destination is captured now.
#[inline(always)]
pub(crate) fn covered(to: &Endpoint) -> bool {
    settings().is_none_or(|settings| covers(&settings, to))
}

#[inline(always)]
fn covers(settings: &Settings, to: &Endpoint) -> bool {
    settings.listed_only != 1 || unspecified(to) || listed(to)
}

/// Whether a destination is listed, or its port is for every address of its family: a resource's whose address nobody
/// knows yet.
#[inline(always)]
fn listed(to: &Endpoint) -> bool {
    let any = Endpoint { address: [0, 0, if mapped(to) { MAPPED } else { 0 }, 0], port: to.port };
    // SAFETY: only whether they are there.
    unsafe { DESTINATIONS.get(to).is_some() || DESTINATIONS.get(&any).is_some() }
}

/// `0.0.0.0` and `::` mean this machine, by whichever address: never one that a list can leave out.
#[inline(always)]
fn unspecified(to: &Endpoint) -> bool {
    to.address[0] == 0 && to.address[1] == 0 && to.address[3] == 0 && (to.address[2] == MAPPED || to.address[2] == 0)
}

/// Whether the daemon has not said for too long that it lives.
#[inline(always)]
pub(crate) fn stale() -> bool {
    let Some(beat) = HEARTBEAT.get(0) else { return true };
    // SAFETY: a helper without arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    now.wrapping_sub(*beat) > HEARTBEAT_STALE && now > *beat
}

/// Whether it is an address at which a listener can be: 127.0.0.0/8, `::1`, or `::`, which means that.
#[inline(always)]
pub(crate) fn loopback(to: &Endpoint) -> bool {
    if mapped(to) {
        return u32::from_be(to.address[3]) >> 24 == 127;
    }
    to.address[0] == 0
        && to.address[1] == 0
        && to.address[2] == 0
        && (to.address[3] == LOOPBACK_V6 || to.address[3] == 0)
}

/// Whether a listener accepts exactly there. Others may use its port at other addresses.
#[inline(always)]
fn is_listener(listener: &Listener, to: &Endpoint) -> bool {
    if !mapped(to) {
        return by_hand(listener, to);
    }
    let mut address = false;
    for slot in 0..LISTENER_V4 {
        address |= (slot as u32) < listener.v4_count && to.address[3] == listener.v4[slot];
    }
    address && to.port == listener.v4_port
}

/// Whether the workload itself names a listener: redirected, it would look like a call to the gateway by the gateway.
#[inline(always)]
fn by_hand(listener: &Listener, to: &Endpoint) -> bool {
    if mapped(to) {
        // All of 127.0.0.0/8 and 0.0.0.0 is this machine.
        let first = u32::from_be(to.address[3]) >> 24;
        return (first == 127 || first == 0) && to.port == listener.v4_port;
    }
    if to.address[0] != 0 || to.address[1] != 0 || to.address[2] != 0 {
        return false;
    }
    let here = to.address[3] == LOOPBACK_V6 || to.address[3] == 0;
    let mut port = false;
    for slot in 0..LISTENER_V6 {
        port |= (slot as u32) < listener.v6_count && to.port == listener.v6_ports[slot];
    }
    here && port
}

/// One of the listener's addresses. By the destination where the client has bound its port, so that one port can go to
/// several destinations; any else, so that client ports last for more connections than there are of them.
#[inline(always)]
fn pick(listener: &Listener, call: &Call) -> Option<([u32; 4], u32)> {
    let by_destination = call.to.address[0] ^ call.to.address[1] ^ call.to.address[3] ^ call.to.port;
    let n = if call.bound_port != 0 {
        by_destination.wrapping_mul(0x9e37_79b1) >> 16
    } else {
        // SAFETY: a helper without arguments.
        unsafe { bpf_get_prandom_u32() }
    };
    if mapped(&call.to) {
        let count = listener.v4_count;
        if count == 0 || count > LISTENER_V4 as u32 {
            return None;
        }
        let address = *listener.v4.get(bounded(n % count) & (LISTENER_V4 - 1))?;
        return Some(([0, 0, MAPPED, address], listener.v4_port));
    }
    let count = listener.v6_count;
    if count == 0 || count > LISTENER_V6 as u32 {
        return None;
    }
    let port = *listener.v6_ports.get(bounded(n % count) & (LISTENER_V6 - 1))?;
    Some(([0, 0, 0, LOOPBACK_V6], port))
}

/// Whether it is the gateway's own socket that would accept there now.
#[inline(always)]
fn listens(ctx: &SockAddrContext, address: &[u32; 4], port: u32) -> bool {
    // SAFETY: numbers only.
    let mut tuple: bpf_sock_tuple = unsafe { core::mem::zeroed() };
    let port = (port as u16).to_be();
    // The other end only has to be nobody's: port 0. Only the destination tells which listener it is.
    let size = if address[2] == MAPPED {
        // SAFETY: a union of numbers.
        let v4 = unsafe { &mut tuple.__bindgen_anon_1.ipv4 };
        (v4.saddr, v4.daddr, v4.dport) = (address[3], address[3], port);
        size_of_val(v4)
    } else {
        // SAFETY: as above.
        let v6 = unsafe { &mut tuple.__bindgen_anon_1.ipv6 };
        (v6.saddr, v6.daddr, v6.dport) = (*address, *address, port);
        size_of_val(v6)
    };
    // SAFETY: the context, and a tuple of the size given; -1 is the network namespace of the socket itself.
    let sk = unsafe { bpf_sk_lookup_tcp(ctx.sock_addr.cast(), &raw mut tuple, size as u32, u64::MAX, 0) };
    if sk.is_null() {
        return false;
    }
    let stored = storage(sk.cast(), false);
    // SAFETY: a socket's storage, checked for null.
    let ours = !stored.is_null() && unsafe { (*stored).kind } == socket::LISTENER;
    // SAFETY: the socket that was found, and is not used any more.
    unsafe { bpf_sk_release(sk.cast()) };
    ours
}

/// A socket bound to another device never reaches loopback.
#[inline(always)]
fn unbind_device(ctx: &SockAddrContext) -> bool {
    let mut none = [0_u8; 4];
    // SAFETY: the context, and a buffer of the length given.
    unsafe {
        bpf_setsockopt(ctx.sock_addr.cast(), SOL_SOCKET, SO_BINDTODEVICE, none.as_mut_ptr().cast(), none.len() as i32)
            == 0
    }
}

/// A number that the compiler forgets the range of, so that it keeps the mask by which the verifier learns it.
#[inline(always)]
fn bounded(n: u32) -> usize {
    // SAFETY: a local variable.
    unsafe { ptr::read_volatile(&raw const n) as usize }
}
