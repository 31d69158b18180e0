//! The kernel side: programs, maps and pins; listeners in the workloads' network namespaces; original destinations.

mod interceptor;

use std::net::SocketAddr;

pub use interceptor::{InterceptError, Interceptor, connect_from};

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
}

/// A workload's number in the kernel's maps: stable for a workload's name across restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label(pub u32);
