//! From an accepted connection to where it wanted to go: looked up once, and held for as long as the connection is.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gateway_ebpf::Tuple;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::maps::{Origins, Raw};
use super::plan::{address, words};
use super::{Accepted, ClientAddr, Label, OriginalDestination, Process};

/// How long a listener rests when the kernel gives it no connection, as where file descriptors have run out.
const REST: Duration = Duration::from_millis(50);

/// How long an origin waits for its connection after one under the same ends was found to be over: they can be another's.
const GRACE: Duration = Duration::from_secs(1);

/// How often at most a failing accept is logged, by all listeners together.
const QUIET: Duration = Duration::from_secs(1);

/// What every listener shares.
#[derive(Debug)]
pub(super) struct Registry {
    origins: Origins,
    accepted: mpsc::Sender<Accepted>,
    claims: Mutex<Claims>,
    /// Network namespaces whose listening sockets somebody has destroyed.
    dead: Mutex<Vec<u64>>,
    unattributed: AtomicU64,
    warned: Mutex<Option<Instant>>,
}

/// Which origins are in use, by their time: each is good for one connection.
#[derive(Debug, Default)]
struct Claims {
    held: HashMap<Tuple, u64>,
    released: Vec<Released>,
    /// Whose connections may be over.
    doubtful: Vec<(Instant, Released)>,
}

impl Claims {
    /// Takes an origin. Not a second time: that is another connection, with a port that was free again.
    fn claim(&mut self, tuple: Tuple, time: u64) -> bool {
        self.held.insert(tuple, time) != Some(time)
    }

    /// Its connection is closed. Until the kernel's entry is gone nobody else can have it.
    fn release(&mut self, released: Released) {
        self.released.push(released);
    }

    /// Its connection was over when it was accepted. Or the one before it under the same ends was, and its own comes
    /// next.
    fn doubt(&mut self, released: Released, until: Instant) {
        self.forget(&released);
        self.doubtful.push((until, released));
    }

    /// What has been released, and what nobody has come for.
    fn take_released(&mut self, now: Instant) -> Vec<Released> {
        let (due, wait) = std::mem::take(&mut self.doubtful).into_iter().partition(|(until, _)| *until <= now);
        self.doubtful = wait;
        let due: Vec<(Instant, Released)> = due;
        for (_, released) in due {
            // From here on nobody comes for it.
            if self.held.get(&released.tuple) != Some(&released.time) {
                self.held.insert(released.tuple, released.time);
                self.released.push(released);
            }
        }
        std::mem::take(&mut self.released)
    }

    /// The kernel's entry is gone. The same ends can be another connection's by now.
    fn forget(&mut self, released: &Released) {
        if self.held.get(&released.tuple) == Some(&released.time) {
            self.held.remove(&released.tuple);
        }
    }
}

/// An origin that is not needed any more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Released {
    pub(super) tuple: Tuple,
    pub(super) time: u64,
    pub(super) label: u32,
}

/// Keeps a connection's origin where the programs find it. Dropped when the connection is closed.
#[derive(Debug)]
pub struct Entry {
    registry: Arc<Registry>,
    released: Released,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.registry.release(self.released);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Nothing panics while it holds one of these.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Registry {
    pub(super) fn new(origins: Origins, accepted: mpsc::Sender<Accepted>) -> Self {
        Registry {
            origins,
            accepted,
            claims: Mutex::default(),
            dead: Mutex::default(),
            unattributed: AtomicU64::new(0),
            warned: Mutex::default(),
        }
    }

    /// How many connections came to a listener that nobody had been redirected to. They were closed.
    pub(super) fn unattributed(&self) -> u64 {
        self.unattributed.load(Ordering::Relaxed)
    }

    /// How many connections the gateway has.
    pub(super) fn live(&self) -> usize {
        locked(&self.claims).held.len()
    }

    pub(super) fn is_live(&self, tuple: &Tuple, time: u64) -> bool {
        locked(&self.claims).held.get(tuple) == Some(&time)
    }

    /// What has been released since the last call.
    pub(super) fn take_released(&self) -> Vec<Released> {
        locked(&self.claims).take_released(Instant::now())
    }

    /// To be told when the kernel's entry is gone.
    pub(super) fn forget(&self, released: &Released) {
        locked(&self.claims).forget(released);
    }

    /// Gives back what is not needed any more; also where the kernel's entry could not be removed, to try again.
    pub(super) fn release(&self, released: Released) {
        locked(&self.claims).release(released);
    }

    /// A namespace's listening socket accepts no more.
    pub(super) fn died(&self, netns: u64) {
        locked(&self.dead).push(netns);
    }

    /// The network namespaces whose listening sockets have been destroyed since the last call.
    pub(super) fn take_dead(&self) -> Vec<u64> {
        std::mem::take(&mut *locked(&self.dead))
    }

    /// Whose connection that is. None: nobody was redirected, so it is somebody who called the listener by hand; or it
    /// is over already.
    fn attribute(
        self: &Arc<Self>,
        netns: u64,
        stream: TcpStream,
        client: SocketAddr,
        listener: SocketAddr,
    ) -> Option<Accepted> {
        // The ends by what accept and bind said: a connection that was reset before it was accepted has none itself.
        let tuple = Tuple {
            netns,
            client: words(client.ip()),
            client_port: client.port(),
            listener_port: listener.port(),
            listener: match listener.ip() {
                IpAddr::V4(v4) => u32::from_ne_bytes(v4.octets()),
                IpAddr::V6(_) => 0,
            },
        };
        let origin = self.origins.get(&Raw(tuple), 0).ok().map(|origin| origin.0);
        let Some(origin) = origin.filter(|origin| locked(&self.claims).claim(tuple, origin.time)) else {
            self.unattributed.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        let released = Released { tuple, time: origin.time, label: origin.label };
        // Still connected after the look-up, so nobody else could have published under the same ends.
        if stream.peer_addr().is_err() {
            let now = Instant::now();
            locked(&self.claims).doubt(released, now.checked_add(GRACE).unwrap_or(now));
            return None;
        }
        // From here on the origin is removed, however this ends.
        let entry = Entry { registry: Arc::clone(self), released };
        Some(Accepted {
            stream: stream.into_std().ok()?,
            client: ClientAddr(client),
            destination: OriginalDestination(address(&origin.destination)),
            process: Process { pid: origin.pid, uid: origin.uid, cgroup: origin.cgroup, netns },
            label: Label(origin.label),
            entry,
        })
    }

    /// Accepts for as long as somebody takes the connections, or until the listening socket is destroyed.
    pub(super) async fn accept(self: Arc<Self>, netns: u64, listener: TcpListener) {
        let Ok(at) = listener.local_addr() else { return self.died(netns) };
        loop {
            match listener.accept().await {
                Ok((stream, client)) => {
                    let Some(accepted) = self.attribute(netns, stream, client, at) else { continue };
                    if self.accepted.send(accepted).await.is_err() {
                        return;
                    }
                }
                // Somebody with power over the namespace has ended it (SOCK_DESTROY): it never accepts again.
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                    return self.died(netns);
                }
                Err(error) => {
                    if self.may_warn() {
                        tracing::warn!(netns, %error, "a connection cannot be accepted");
                    }
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }

    fn may_warn(&self) -> bool {
        let mut warned = locked(&self.warned);
        let may = warned.is_none_or(|last| last.elapsed() >= QUIET);
        if may {
            *warned = Some(Instant::now());
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_good_for_one_connection_until_the_kernel_has_forgotten_it() {
        let mut claims = Claims::default();
        let tuple = Tuple { client_port: 40_000, ..Tuple::default() };
        let released = Released { tuple, time: 7, label: 1 };
        assert!(claims.claim(tuple, 7));
        assert!(!claims.claim(tuple, 7));
        claims.release(released);
        // Its connection is closed, its entry still in the kernel's table.
        assert!(!claims.claim(tuple, 7), "whoever has the port now must not have the origin");
        assert!(claims.claim(tuple, 8), "another connect of the workload has one of its own");
        claims.forget(&released);
        assert!(!claims.claim(tuple, 8), "the older one's end is not the newer one's");
        claims.forget(&Released { time: 8, ..released });
        assert!(claims.held.is_empty());
    }

    #[test]
    fn an_origin_waits_a_little_where_a_connection_under_its_ends_was_over() {
        let (now, later) = (Instant::now(), Instant::now().checked_add(GRACE).unwrap());
        let mut claims = Claims::default();
        let tuple = Tuple { client_port: 40_000, ..Tuple::default() };
        let released = Released { tuple, time: 7, label: 1 };
        // It was another's: its own is accepted next, and it is that one's until its end.
        assert!(claims.claim(tuple, 7));
        claims.doubt(released, later);
        assert!(claims.claim(tuple, 7));
        assert!(claims.take_released(now).is_empty() && claims.take_released(later).is_empty());
        claims.forget(&released);
        // It was its own: nobody comes for it, and then nobody can.
        assert!(claims.claim(tuple, 7));
        claims.doubt(released, later);
        assert!(claims.take_released(now).is_empty());
        assert_eq!(claims.take_released(later).len(), 1);
        assert!(!claims.claim(tuple, 7));
        claims.forget(&released);
        assert!(claims.held.is_empty());
    }
}
