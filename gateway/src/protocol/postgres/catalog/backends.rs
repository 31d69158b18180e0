//! Which of a database's backends answer sessions through the gateway all of whose statements were read: whatever those
//! notify others of was decided on.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a backend is known after its session: what it notified others of may still be on its way to them. A system
/// gives the number of a process to another one much later, after all others.
const KEPT: Duration = Duration::from_secs(5);

/// One server process of one server: a resource's name may have several addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Backend {
    pub(crate) server: SocketAddr,
    pub(crate) process: u32,
}

/// The backends of a database. Held for moments; never across an await.
#[derive(Debug, Default)]
pub(in crate::protocol::postgres) struct Backends(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// When its session left, if it has.
    backends: HashMap<Backend, Option<Instant>>,
    /// Those that have left, in that order.
    left: VecDeque<(Instant, Backend)>,
}

impl Backends {
    /// A session whose statements are read and decided on; it leaves when the answer is dropped.
    pub(in crate::protocol::postgres) fn enter(self: &Arc<Self>, backend: Backend) -> Presence {
        self.known().backends.insert(backend, None);
        Presence { backends: Arc::clone(self), backend, read: true }
    }

    /// Whether what this backend notifies others of was decided on.
    pub(in crate::protocol::postgres) fn is_read(&self, backend: Backend) -> bool {
        self.known().backends.get(&backend).is_some_and(|left| left.is_none_or(|left| left.elapsed() < KEPT))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn leave(&mut self, backend: Backend) {
        let now = Instant::now();
        self.backends.insert(backend, Some(now));
        self.left.push_back((now, backend));
        // As many stay as can come within that time.
        while let Some((at, backend)) = self.left.front().copied().filter(|(at, _)| at.elapsed() >= KEPT) {
            self.left.pop_front();
            // Unless another session has come to that number since.
            if self.backends.get(&backend) == Some(&Some(at)) {
                self.backends.remove(&backend);
            }
        }
    }
}

/// A session's place among them.
#[derive(Debug)]
pub(in crate::protocol::postgres) struct Presence {
    backends: Arc<Backends>,
    backend: Backend,
    read: bool,
}

impl Presence {
    /// It runs code that nobody has read: for good, since others may be told of it at any later time.
    pub(in crate::protocol::postgres) fn runs_code(&mut self) {
        if std::mem::take(&mut self.read) {
            self.backends.known().backends.remove(&self.backend);
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        if self.read {
            self.backends.known().leave(self.backend);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backend(process: u32) -> Backend {
        Backend { server: SocketAddr::from(([192, 0, 2, 1], 5432)), process }
    }

    #[test]
    fn a_backend_is_known_while_its_statements_are_read_and_shortly_after() {
        let backends = Arc::new(Backends::default());
        let mut one = backends.enter(backend(1));
        let two = backends.enter(backend(2));
        let elsewhere = Backend { server: SocketAddr::from(([192, 0, 2, 2], 5432)), process: 1 };
        assert!(backends.is_read(backend(1)) && !backends.is_read(backend(3)) && !backends.is_read(elsewhere));
        one.runs_code();
        assert!(!backends.is_read(backend(1)) && backends.is_read(backend(2)));
        drop((one, two));
        assert!(!backends.is_read(backend(1)) && backends.is_read(backend(2)));
    }

    #[test]
    fn those_that_left_are_forgotten() {
        let backends = Arc::new(Backends::default());
        let back = |ago: Duration| Instant::now().checked_sub(ago).unwrap();
        for process in 0..100 {
            drop(backends.enter(backend(process)));
        }
        let stays = backends.enter(backend(50));
        {
            let mut known = backends.known();
            let before = back(KEPT);
            known.left.iter_mut().for_each(|(at, _)| *at = before);
            known.backends.values_mut().filter(|left| left.is_some()).for_each(|left| *left = Some(before));
        }
        assert!(!backends.is_read(backend(1)) && backends.is_read(backend(50)));
        drop(stays);
        let known = backends.known();
        assert_eq!((known.backends.len(), known.left.len()), (1, 1));
    }
}
