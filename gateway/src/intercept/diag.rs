//! Connections that a workload had open before it had its label: found by sock_diag(7) and destroyed.

use std::collections::HashSet;
use std::io;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkDeserializable, NetlinkHeader, NetlinkMessage, NetlinkPayload,
    NetlinkSerializable, Nla as _,
};
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP};
use netlink_packet_sock_diag::inet::nlas::Nla;
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags};
use netlink_packet_sock_diag::{SockDiagDestroy, SockDiagMessage};
use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use netlink_sys::{Socket, SocketAddr};

use super::netns::Netns;

/// linux/inet_diag.h.
const INET_DIAG_CGROUP_ID: u16 = 21;

/// What a read from the kernel has room for; a dump's parts are at most 32 KiB.
const READ: usize = 64 * 1024;

/// Whose connections are destroyed.
#[derive(Debug, Default)]
pub(super) struct Doomed {
    /// Those made in these cgroups.
    pub(super) cgroups: HashSet<u64>,
    /// Those made by these users.
    pub(super) uids: HashSet<u32>,
    /// Those that labelled processes hold, whoever made them: inode numbers of sockets.
    pub(super) inodes: HashSet<u32>,
}

impl Doomed {
    fn has(&self, found: &InetResponse) -> bool {
        self.uids.contains(&found.header.uid)
            || self.inodes.contains(&found.header.inode)
            || cgroup(found).is_some_and(|cgroup| self.cgroups.contains(&cgroup))
    }
}

fn cgroup(found: &InetResponse) -> Option<u64> {
    found.nlas.iter().find_map(|nla| match nla {
        Nla::Other(other) if other.kind() == INET_DIAG_CGROUP_ID => {
            let mut bytes = [0; 8];
            (other.value_len() == bytes.len()).then(|| {
                other.emit_value(&mut bytes);
                u64::from_ne_bytes(bytes)
            })
        }
        _ => None,
    })
}

/// Inode numbers of the sockets that a process holds.
pub(super) fn held_by(pid: u32) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let links = entries.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
    links.filter_map(|link| link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()).collect()
}

/// Destroys every TCP connection of theirs in a namespace, and says how many there were.
pub(super) fn destroy(netns: &Netns, doomed: &Doomed) -> io::Result<u64> {
    netns.run(|| {
        let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
        socket.connect(&SocketAddr::new(0, 0))?;
        let mut destroyed = 0;
        for family in [AF_INET, AF_INET6] {
            for found in dump(&socket, family)?.into_iter().filter(|found| doomed.has(found)) {
                destroyed += u64::from(end(&mut socket, found)?);
            }
        }
        Ok(destroyed)
    })
}

fn request(family: u8, id: SocketId) -> InetRequest {
    // Listening sockets stay, and what is in TIME_WAIT belongs to nobody.
    let states = StateFlags::all() - StateFlags::LISTEN - StateFlags::TIME_WAIT - StateFlags::CLOSE;
    InetRequest { family, protocol: IPPROTO_TCP, extensions: ExtensionFlags::empty(), states, socket_id: id }
}

fn send<T: NetlinkSerializable>(socket: &Socket, flags: u16, payload: NetlinkPayload<T>) -> io::Result<()> {
    let mut header = NetlinkHeader::default();
    header.flags = flags;
    let mut message = NetlinkMessage::new(header, payload);
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    socket.send(&bytes, 0).map(drop)
}

/// The messages of one answer of the kernel.
fn receive<T: NetlinkDeserializable>(socket: &Socket, room: &mut Vec<u8>) -> io::Result<Vec<NetlinkPayload<T>>> {
    room.clear();
    socket.recv(room, 0)?;
    let mut rest = room.as_slice();
    let mut messages = Vec::new();
    while !rest.is_empty() {
        let message = NetlinkMessage::<T>::deserialize(rest).map_err(io::Error::other)?;
        // Messages are padded to four bytes.
        let length = (message.header.length as usize).next_multiple_of(4).max(4);
        messages.push(message.payload);
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(messages)
}

fn dump(socket: &Socket, family: u8) -> io::Result<Vec<InetResponse>> {
    let id = if family == AF_INET { SocketId::new_v4() } else { SocketId::new_v6() };
    send(socket, NLM_F_REQUEST | NLM_F_DUMP, SockDiagMessage::InetRequest(request(family, id)).into())?;
    let mut found = Vec::new();
    let mut room = Vec::with_capacity(READ);
    loop {
        for payload in receive::<SockDiagMessage>(socket, &mut room)? {
            match payload {
                NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) => found.push(*response),
                NetlinkPayload::Done(_) => return Ok(found),
                NetlinkPayload::Error(error) => return Err(error.to_io()),
                _ => {}
            }
        }
    }
}

/// Whether it was there to be ended.
fn end(socket: &mut Socket, found: InetResponse) -> io::Result<bool> {
    let message = SockDiagMessage::InetRequest(request(found.header.family, found.header.socket_id));
    send(socket, NLM_F_REQUEST | NLM_F_ACK, SockDiagDestroy::new(message).into())?;
    let mut room = Vec::with_capacity(READ);
    for payload in receive::<SockDiagMessage>(socket, &mut room)? {
        if let NetlinkPayload::Error(error) = payload {
            return match error.code {
                None => Ok(true),
                Some(code) if code.get() == -libc::ENOENT => Ok(false),
                Some(_) => Err(error.to_io()),
            };
        }
    }
    Ok(true)
}
