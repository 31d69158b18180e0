//! The kernel side: programs, maps and pins; listeners in the workloads' network namespaces; original destinations.
//!
//! [`Interceptor`] is what the daemon holds. Behind it one thread ([`layer`]) owns everything that talks to the kernel.
#![expect(unsafe_code, reason = "bpf(2), socket options and map values that no library has")]

mod bpf;
mod btf;
mod cgroups;
mod diag;
mod events;
mod heartbeat;
mod interceptor;
mod labels;
mod layer;
mod maps;
mod netns;
mod origin;
mod packets;
mod patterns;
mod pins;
mod plan;
mod programs;
mod shares;
mod spaces;
mod start;
mod subordinate;

use std::net::SocketAddr;

pub use cgroups::CgroupError;
pub use interceptor::{InterceptError, Interceptor, View};
pub use netns::Namespaces;
pub use origin::Entry;
pub use pins::{PinError, detach};
pub use plan::{PlanError, check};
pub use programs::LoadError;
pub use subordinate::warnings;

/// The workload's end of an intercepted connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddr(pub SocketAddr);

/// Where the workload wanted to go before the redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OriginalDestination(pub SocketAddr);

/// Which process called connect, as the kernel saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    /// Thread group id in the daemon's pid namespace.
    pub pid: u32,
    /// User id in the first user namespace.
    pub uid: u32,
    /// Inode number of its cgroup.
    pub cgroup: u64,
    /// Cookie of its network namespace.
    pub netns: u64,
}

/// An intercepted connection, accepted and attributed.
#[derive(Debug)]
pub struct Accepted {
    /// The connection, non-blocking.
    pub stream: std::net::TcpStream,
    /// The workload's end.
    pub client: ClientAddr,
    /// Where it wanted to go.
    pub destination: OriginalDestination,
    /// Who called.
    pub process: Process,
    /// Which workload's label the kernel saw.
    pub label: Label,
    /// To be dropped when the connection is closed, not before.
    pub entry: Entry,
}

/// A connect that went by because no daemon ran and the configuration lets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Direct {
    /// Where it went.
    pub destination: SocketAddr,
    /// Who called.
    pub process: Process,
    /// Which workload's label the kernel saw.
    pub label: Label,
}

/// A workload's number in the kernel's maps: stable for a workload's name across restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label(pub u32);
