//! How much a workload can make the daemon say: so many lines a second of a kind; the rest is counted in one line.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::access::Name;

/// How many lines a second a workload can cause of one kind.
const LINES: u64 = 5;

const SECOND: Duration = Duration::from_secs(1);

/// Counts lines by key. As many keys are kept as there are in one second: they must not be a workload's to choose.
#[derive(Debug)]
pub struct Limiter<K> {
    since: Instant,
    written: HashMap<K, u64>,
}

impl<K: Eq + Hash> Default for Limiter<K> {
    fn default() -> Self {
        Limiter { since: Instant::now(), written: HashMap::new() }
    }
}

impl<K: Eq + Hash> Limiter<K> {
    /// Whether one more line may be written; it is counted in either case.
    pub fn admit(&mut self, key: K) -> bool {
        let so_far = self.written.entry(key).or_insert(0);
        *so_far = so_far.saturating_add(1);
        *so_far <= LINES
    }

    /// When a second is over, begins the next: how many lines were left out, by key.
    pub fn left_out(&mut self) -> Vec<(K, u64)> {
        self.left_out_at(Instant::now())
    }

    fn left_out_at(&mut self, now: Instant) -> Vec<(K, u64)> {
        if now.saturating_duration_since(self.since) < SECOND {
            return Vec::new();
        }
        self.since = now;
        let left_out = self.written.drain().map(|(key, count)| (key, count.saturating_sub(LINES)));
        left_out.filter(|(_, more)| *more > 0).collect()
    }
}

/// What workloads can make the daemon say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A connection was closed before it was a session.
    Closed,
    /// A connection to a resource did not become a session.
    Unbegun,
    /// A connection is not permitted, or leads nowhere.
    Unconnected,
    /// A command was refused.
    Refused,
    /// A session ended otherwise than by its client.
    Ended,
}

static SAID: LazyLock<Mutex<Limiter<(Name, Kind)>>> = LazyLock::new(Mutex::default);

/// Whether a line of that kind may be written for a workload.
pub fn may_say(workload: &Name, kind: Kind) -> bool {
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    let left_out = said.left_out();
    let may = said.admit((Name::clone(workload), kind));
    drop(said);
    tell(left_out);
    may
}

/// Says how many lines were left out, when a second is over. To be called about once a second.
pub fn tick() {
    let left_out = SAID.lock().unwrap_or_else(PoisonError::into_inner).left_out();
    tell(left_out);
}

fn tell(left_out: Vec<((Name, Kind), u64)>) {
    for ((workload, kind), more) in left_out {
        let kind = match kind {
            Kind::Closed => "connections that were closed",
            Kind::Unbegun => "start-ups that ended",
            Kind::Unconnected => "connections that were not made",
            Kind::Refused => "commands that were refused",
            Kind::Ended => "sessions that ended",
        };
        tracing::warn!(%workload, more, "further {kind} in the last second");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_kind_is_cut_counted_and_leaves_others_alone() {
        let mut limiter = Limiter::default();
        let said = (0..100).filter(|_| limiter.admit("flood")).count();
        assert_eq!(said, 5);
        assert!(limiter.admit("other"));
        assert!(limiter.left_out_at(limiter.since).is_empty(), "the second is not over");
        assert_eq!(limiter.left_out_at(limiter.since + SECOND), [("flood", 95)]);
        assert!(limiter.admit("flood"));
    }
}
