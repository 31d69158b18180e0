//! What a packet itself says of where it goes.

use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::programs::SkBuffContext;
use gateway_ebpf::{Endpoint, Tuple};

use crate::connect::{IPPROTO_TCP, IPPROTO_UDP, LOOPBACK_V6, MAPPED, field};

/// `lo` is the first device of every network namespace (linux/net.h: `LOOPBACK_IFINDEX`).
const LOOPBACK_DEVICE: u32 = 1;

/// The first byte of an IPv4 header without options: they can name hosts to go by.
const V4_PLAIN: u8 = 0x45;

const IPPROTO_HOPOPTS: u8 = 0;
const IPPROTO_ESP: u8 = 50;
const IPPROTO_AH: u8 = 51;
const IPPROTO_COMP: u8 = 108;

const V4: usize = 20;
const V6: usize = 40;
/// The hop-by-hop header of a packet of more than 64 KB, as the kernel hands them to devices that cut them (BIG TCP).
const JUMBO: usize = 8;
const JUMBO_OPTION: u8 = 0xc2;
const PORTS: usize = 4;

/// The first `$length` bytes from the IP header on; nothing where the packet is shorter. A macro, so that the verifier
/// sees the comparison where the bytes are read.
macro_rules! head {
    ($at:expr, $length:expr) => {{
        let (from, end) = (field!((*$at).data) as usize, field!((*$at).data_end) as usize);
        if from + $length > end {
            None
        } else {
            // SAFETY: the verifier checks that the packet is so long.
            Some(unsafe { &*(from as *const [u8; $length]) })
        }
    }};
}

/// Whether a packet leaves by the loopback device, and so goes nowhere else.
#[inline(always)]
pub(crate) fn by_loopback(at: *mut __sk_buff) -> bool {
    field!((*at).ifindex) == LOOPBACK_DEVICE
}

/// Whether a packet goes to the listener that its connection was redirected to, and by the loopback device: devices,
/// routing headers and translated addresses can be set after the connect.
#[inline(always)]
pub(crate) fn to_listener(at: *mut __sk_buff, tuple: &Tuple) -> bool {
    if !by_loopback(at) {
        return false;
    }
    if tuple.listener != 0 {
        let Some(bytes) = head!(at, V4 + PORTS) else { return false };
        let address = u32::from_ne_bytes([bytes[16], bytes[17], bytes[18], bytes[19]]);
        let port = u16::from_be_bytes([bytes[22], bytes[23]]);
        return bytes[0] == V4_PLAIN
            && bytes[9] == IPPROTO_TCP as u8
            && address == tuple.listener
            && port == tuple.listener_port;
    }
    let Some(bytes) = head!(at, V6 + PORTS) else { return false };
    let word = |n: usize| u32::from_ne_bytes([bytes[n], bytes[n + 1], bytes[n + 2], bytes[n + 3]]);
    let port = match bytes[6] {
        IPPROTO_HOPOPTS => {
            let Some(bytes) = head!(at, V6 + JUMBO + PORTS) else { return false };
            if !jumbo(bytes[40], bytes[41], bytes[42]) {
                return false;
            }
            u16::from_be_bytes([bytes[50], bytes[51]])
        }
        next if next == IPPROTO_TCP as u8 => u16::from_be_bytes([bytes[42], bytes[43]]),
        _ => return false,
    };
    bytes[0] >> 4 == 6
        && (word(24) | word(28) | word(32)) == 0
        && word(36) == LOOPBACK_V6
        && port == tuple.listener_port
}

/// Whether a packet goes where its address says, and by no other host. IPsec's headers are the kernel's own, and the
/// kernel puts them behind any that name hosts.
#[inline(always)]
pub(crate) fn plain(at: *mut __sk_buff) -> bool {
    let Some(bytes) = head!(at, V4) else { return false };
    if bytes[0] >> 4 == 4 {
        return bytes[0] == V4_PLAIN;
    }
    let Some(bytes) = head!(at, V6 + PORTS) else { return false };
    match bytes[6] {
        IPPROTO_ESP | IPPROTO_AH | IPPROTO_COMP => true,
        IPPROTO_HOPOPTS => jumbo(bytes[40], bytes[41], bytes[42]),
        next => next == IPPROTO_TCP as u8,
    }
}

/// Whether a hop-by-hop header says how long the packet is and nothing else, and TCP follows.
#[inline(always)]
fn jumbo(next: u8, length: u8, option: u8) -> bool {
    next == IPPROTO_TCP as u8 && length == 0 && option == JUMBO_OPTION
}

/// Where a packet goes; the port is 0, which is never allowed, for what is not UDP right behind a plain IP header.
#[inline(always)]
pub(crate) fn destination(ctx: &SkBuffContext) -> Endpoint {
    let first: u8 = ctx.load(0).unwrap_or(0);
    // By the word: for a row of zeros LLVM would call a function that the verifier does not let it call.
    let word = |offset| ctx.load::<u32>(offset).unwrap_or(0);
    let (address, udp, ports) = if first >> 4 == 4 {
        let next: u8 = ctx.load(9).unwrap_or(0);
        ([0, 0, MAPPED, word(16)], first == V4_PLAIN && u32::from(next) == IPPROTO_UDP, V4)
    } else {
        let next: u8 = ctx.load(6).unwrap_or(0);
        ([word(24), word(28), word(32), word(36)], u32::from(next) == IPPROTO_UDP, V6)
    };
    let port = if udp { u16::from_be(ctx.load(ports + 2).unwrap_or(0)) } else { 0 };
    Endpoint { address, port: u32::from(port) }
}
