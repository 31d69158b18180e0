//! Network namespaces of workloads: entering one, and the sockets that are made in there.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use gateway_ebpf::Listener;
use nix::sched::{CloneFlags, setns};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpSocket, TcpStream};

use super::cgroups::vanished;
use super::plan::words;

/// asm-generic/socket.h; in no library yet.
const SO_NETNS_COOKIE: libc::c_int = 71;

/// Where a namespace's listener accepts. Several, because one client address has some 28,000 ports to one of them.
const ADDRESSES: [Ipv4Addr; 4] = [
    Ipv4Addr::new(127, 83, 76, 1),
    Ipv4Addr::new(127, 83, 76, 2),
    Ipv4Addr::new(127, 83, 76, 3),
    Ipv4Addr::new(127, 83, 76, 4),
];

/// Ports on `::1`, which is the only loopback address of IPv6.
const PORTS_V6: usize = 2;

/// Tried from the last to the first. Below 1024: while no daemon runs, an unprivileged process cannot take one.
const PORTS: std::ops::Range<u16> = 640..1024;

/// How many connections wait to be accepted at one address.
const BACKLOG: i32 = 4096;

/// A network namespace, held open.
#[derive(Debug)]
pub(super) struct Netns {
    file: File,
    pub(super) id: Id,
}

/// Device and inode of a network namespace.
pub(super) type Id = (u64, u64);

/// A network namespace with a labelled process or thread in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) id: Id,
    pub(super) pid: u32,
    thread: u32,
    pub(super) label: u32,
}

impl Place {
    /// A file of the thread that was seen there.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/task/{}/{name}", self.pid, self.thread))
    }
}

impl Netns {
    /// Where a process or thread was seen; none where it is not there any more.
    pub(super) fn of(place: &Place) -> io::Result<Option<Self>> {
        match Self::open(&place.file("ns/net")) {
            Ok(found) => Ok((found.id == place.id).then_some(found)),
            Err(error) if vanished(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// This process's own.
    pub(super) fn own() -> io::Result<Self> {
        Self::open(Path::new("/proc/self/ns/net"))
    }

    fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let found = file.metadata()?;
        Ok(Netns { id: (found.dev(), found.ino()), file })
    }

    /// Does `work` in there, on a thread that ends with it: no thread of the daemon's can be left in another namespace.
    pub(super) fn run<T: Send>(&self, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("netns".to_owned()).spawn_scoped(scope, || {
                setns(&self.file, CloneFlags::CLONE_NEWNET)?;
                work()
            })?;
            thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread in the namespace panicked")))
        })
    }
}

/// How many threads of a process are looked at.
const THREADS: usize = 1024;

/// Where these processes are, one place a namespace and label; what is gone is nowhere. Of a process whose first
/// thread has ended, and of all with `threads`, every thread counts.
///
/// # Errors
/// Something else is the matter with one of them: what was not found is not gone.
pub(super) fn places(processes: &[(u32, u32)], threads: bool) -> io::Result<Vec<Place>> {
    let mut found = HashMap::new();
    for (pid, label) in processes {
        let mut add = |thread: u32| -> io::Result<bool> {
            match std::fs::metadata(format!("/proc/{pid}/task/{thread}/ns/net")) {
                Ok(at) => {
                    let id = (at.dev(), at.ino());
                    found.entry((id, *label)).or_insert(Place { id, pid: *pid, thread, label: *label });
                    Ok(true)
                }
                Err(error) if vanished(&error) => Ok(false),
                Err(error) => Err(error),
            }
        };
        let first = add(*pid)?;
        if first && !threads {
            continue;
        }
        let entries = match std::fs::read_dir(format!("/proc/{pid}/task")) {
            Ok(entries) => entries,
            Err(error) if vanished(&error) => continue,
            Err(error) => return Err(error),
        };
        for entry in entries.take(THREADS) {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) if vanished(&error) => break,
                Err(error) => return Err(error),
            };
            if let Some(thread) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
                add(thread)?;
            }
        }
    }
    Ok(found.into_values().collect())
}

/// A namespace's listening sockets and what the kernel side is told of them.
pub(super) struct Listening {
    pub(super) sockets: Vec<TcpListener>,
    pub(super) listener: Listener,
}

/// Listens in a namespace, on both families where it has them. The namespace's cookie, also where nothing can be bound.
pub(super) fn listen(netns: &Netns) -> io::Result<(u64, io::Result<Listening>)> {
    netns.run(|| {
        let any = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        Ok((cookie(&any)?, bind_all()))
    })
}

fn bind_all() -> io::Result<Listening> {
    let mut listener = Listener::default();
    let mut sockets = Vec::new();
    if let Some((port, bound)) = bind_first(|port| ADDRESSES.map(|address| SocketAddr::from((address, port))).to_vec())?
    {
        for (slot, address) in listener.v4.iter_mut().zip(ADDRESSES) {
            let [.., word] = words(address.into());
            *slot = word;
        }
        listener.v4_count = ADDRESSES.len() as u32;
        listener.v4_port = u32::from(port);
        sockets.extend(bound);
    }
    let mut below = PORTS.end;
    for slot in listener.v6_ports.iter_mut().take(PORTS_V6) {
        let found = bind_first(|port| match port < below {
            true => vec![SocketAddr::from((Ipv6Addr::LOCALHOST, port))],
            false => Vec::new(),
        })?;
        let Some((port, bound)) = found else { break };
        *slot = u32::from(port);
        below = port;
        listener.v6_count = listener.v6_count.saturating_add(1);
        sockets.extend(bound);
    }
    if sockets.is_empty() {
        return Err(io::Error::other("no port below 1024 is free on its loopback"));
    }
    Ok(Listening { sockets, listener })
}

/// Binds all that `addresses` gives for the first port for which that is possible; nothing where the family is off.
fn bind_first(addresses: impl Fn(u16) -> Vec<SocketAddr>) -> io::Result<Option<(u16, Vec<TcpListener>)>> {
    for port in PORTS.rev() {
        let wanted = addresses(port);
        if wanted.is_empty() {
            continue;
        }
        match wanted.into_iter().map(bind).collect::<io::Result<Vec<_>>>() {
            Ok(bound) => return Ok(Some((port, bound))),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of the last daemon's that are in TIME_WAIT would keep the port.
    socket.set_reuse_address(true)?;
    // The namespace's loopback may not be up yet.
    match address {
        SocketAddr::V4(_) => socket.set_freebind_v4(true)?,
        SocketAddr::V6(_) => {
            socket.set_only_v6(true)?;
            socket.set_freebind_v6(true)?;
        }
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// The number by which programs know the namespace of a socket (socket(7), Linux 5.14).
pub(super) fn cookie(socket: &impl AsRawFd) -> io::Result<u64> {
    let mut cookie = 0_u64;
    let mut length = size_of::<u64>() as libc::socklen_t;
    // SAFETY: a value of the length given, both alive for the call.
    let failed = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_NETNS_COOKIE,
            std::ptr::from_mut(&mut cookie).cast(),
            std::ptr::from_mut(&mut length),
        )
    };
    if failed == 0 { Ok(cookie) } else { Err(io::Error::last_os_error()) }
}

/// The namespaces that have listeners, by cookie: for connections that the gateway makes from within them.
#[derive(Clone, Debug, Default)]
pub struct Namespaces(Arc<Mutex<HashMap<u64, Arc<Netns>>>>);

impl Namespaces {
    fn with<T>(&self, work: impl FnOnce(&mut HashMap<u64, Arc<Netns>>) -> T) -> T {
        // Nothing panics while it holds the lock, and a map is whole between calls.
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn add(&self, cookie: u64, netns: Arc<Netns>) {
        self.with(|map| map.insert(cookie, netns));
    }

    pub(super) fn remove(&self, cookie: u64) {
        self.with(|map| map.remove(&cookie));
    }

    /// Connects from within a workload's own network namespace: a destination means there what the workload meant.
    ///
    /// # Errors
    /// The namespace is not known any more or cannot be entered, or the destination not be reached.
    pub async fn connect(&self, netns: u64, to: SocketAddr) -> io::Result<TcpStream> {
        let netns = self.with(|map| map.get(&netns).cloned());
        let netns = netns.ok_or_else(|| io::Error::other("the workload's network namespace is gone"))?;
        let made = tokio::task::spawn_blocking(move || {
            netns.run(|| {
                let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
                socket.set_nonblocking(true)?;
                Ok(socket)
            })
        });
        let socket = made.await.map_err(io::Error::other)??;
        TcpSocket::from_std_stream(socket.into()).connect(to).await
    }
}
