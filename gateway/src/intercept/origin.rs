//! From an accepted connection to where it wanted to go: looked up once, and held for as long as the connection is.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gateway_ebpf::{Origin, Tuple};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::maps::{Origins, Raw};
use super::plan::{address, words};
use super::{Accepted, ClientAddr, Label, OriginalDestination, Process};

/// How long a listener rests when the kernel gives it no connection, as where file descriptors have run out.
const REST: Duration = Duration::from_millis(50);

/// What every listener shares.
#[derive(Debug)]
pub(super) struct Registry {
    origins: Origins,
    accepted: mpsc::Sender<Accepted>,
    /// Connections that the gateway has, by the time of their origin: each origin is good for one.
    live: Mutex<HashMap<Tuple, u64>>,
    released: Mutex<Vec<Released>>,
    unattributed: AtomicU64,
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
            live: Mutex::default(),
            released: Mutex::default(),
            unattributed: AtomicU64::new(0),
        }
    }

    /// How many connections came to a listener that nobody had been redirected to. They were closed.
    pub(super) fn unattributed(&self) -> u64 {
        self.unattributed.load(Ordering::Relaxed)
    }

    /// How many connections the gateway has.
    pub(super) fn live(&self) -> usize {
        locked(&self.live).len()
    }

    pub(super) fn is_live(&self, tuple: &Tuple, time: u64) -> bool {
        locked(&self.live).get(tuple) == Some(&time)
    }

    /// What has been released since the last call.
    pub(super) fn take_released(&self) -> Vec<Released> {
        std::mem::take(&mut *locked(&self.released))
    }

    fn release(&self, released: Released) {
        let mut live = locked(&self.live);
        if live.get(&released.tuple) == Some(&released.time) {
            live.remove(&released.tuple);
        }
        drop(live);
        locked(&self.released).push(released);
    }

    /// Whose connection that is. None: nobody was redirected, so it is somebody who called the listener by hand.
    fn origin(&self, netns: u64, stream: &TcpStream) -> Option<(Tuple, Origin, SocketAddr)> {
        let (client, listener) = (stream.peer_addr().ok()?, stream.local_addr().ok()?);
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
        let Raw(origin) = self.origins.get(&Raw(tuple), 0).ok()?;
        let mut live = locked(&self.live);
        // The same origin a second time is another connection with a port that was free again.
        if live.get(&tuple) == Some(&origin.time) {
            return None;
        }
        live.insert(tuple, origin.time);
        Some((tuple, origin, client))
    }

    fn attribute(self: &Arc<Self>, netns: u64, stream: TcpStream) -> Option<Accepted> {
        let Some((tuple, origin, client)) = self.origin(netns, &stream) else {
            self.unattributed.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        let entry =
            Entry { registry: Arc::clone(self), released: Released { tuple, time: origin.time, label: origin.label } };
        Some(Accepted {
            stream: stream.into_std().ok()?,
            client: ClientAddr(client),
            destination: OriginalDestination(address(&origin.destination)),
            process: Process { pid: origin.pid, uid: origin.uid, cgroup: origin.cgroup, netns },
            label: Label(origin.label),
            entry,
        })
    }

    /// Accepts for as long as somebody takes the connections.
    pub(super) async fn accept(self: Arc<Self>, netns: u64, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let Some(accepted) = self.attribute(netns, stream) else { continue };
                    if self.accepted.send(accepted).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    tracing::warn!(netns, %error, "a connection cannot be accepted");
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }
}
