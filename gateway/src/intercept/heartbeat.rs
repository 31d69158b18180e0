//! The sign of life that the programs look for: without it they refuse, or leave alone where that is configured.

use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use aya::maps::{Array, Map, MapData, MapError};
use gateway_ebpf::map;

/// A fifth of what the programs wait (`HEARTBEAT_STALE`).
const EVERY: Duration = Duration::from_millis(600);

/// Beats on a thread of its own, so that nothing the daemon does can delay it. Dropping it stops it at once.
#[derive(Debug)]
pub(super) struct Heartbeat {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Heartbeat {
    /// Starts; the first beat is written on return.
    pub(super) fn start(maps: &Path) -> Result<Self, HeartbeatError> {
        let map = MapData::from_pin(maps.join(map::HEARTBEAT))?;
        let mut map: Array<MapData, u64> = Array::try_from(Map::Array(map))?;
        map.set(0, now()?, 0)?;
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new().name("heartbeat".to_owned()).spawn(move || {
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                if let Err(error) = now().map_err(HeartbeatError::from).and_then(|now| Ok(map.set(0, now, 0)?)) {
                    tracing::error!(%error, "the heartbeat cannot be written; labelled workloads are refused");
                }
            }
            // Long ago: stale at once.
            let _ = map.set(0, 0, 0);
        })?;
        Ok(Heartbeat { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Why it does not beat.
#[derive(Debug, thiserror::Error)]
pub enum HeartbeatError {
    /// The map cannot be written.
    #[error("the heartbeat cannot be written: {0}")]
    Map(#[from] MapError),
    /// No thread, or no clock.
    #[error("the heartbeat cannot be written: {0}")]
    Io(#[from] std::io::Error),
}

/// CLOCK_MONOTONIC in ns, the clock that programs read.
pub(super) fn now() -> std::io::Result<u64> {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)?;
    let (seconds, nanoseconds) = (u64::try_from(now.tv_sec()), u64::try_from(now.tv_nsec()));
    match (seconds, nanoseconds) {
        (Ok(seconds), Ok(nanoseconds)) => Ok(seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)),
        _ => Err(std::io::Error::other("the monotonic clock is before its beginning")),
    }
}
