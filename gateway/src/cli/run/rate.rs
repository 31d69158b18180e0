//! How many connections a workload may make: each makes a recording, whatever becomes of it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::access::Name;
use crate::config::Config;

/// How many connections a second a workload may make in the long run.
const A_SECOND: u32 = 100;

/// How many it may make at once, after it has made none for a while.
const AT_ONCE: u32 = 10_000;

/// A token bucket for each workload.
#[derive(Debug, Default)]
pub(super) struct Rates(HashMap<Name, Instant>);

impl Rates {
    /// Whether a workload may make one more connection now.
    pub(super) fn take(&mut self, workload: &Name, now: Instant) -> bool {
        let each = Duration::from_secs(1).checked_div(A_SECOND).unwrap_or_default();
        // When the bucket will be full again: as many connections away as there are tokens missing.
        let full = self.0.get(workload).copied().unwrap_or(now).max(now);
        let Some(next) = full.checked_add(each) else { return false };
        if next.saturating_duration_since(now) > each.saturating_mul(AT_ONCE) {
            return false;
        }
        match self.0.get_mut(workload) {
            Some(full) => *full = next,
            None => drop(self.0.insert(Name::clone(workload), next)),
        }
        true
    }

    /// Forgets workloads that are not configured any more.
    pub(super) fn keep(&mut self, config: &Config) {
        self.0.retain(|workload, _| config.workloads.contains_key(workload));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_of_connections_is_stopped_and_other_workloads_are_not() {
        let (mut rates, start) = (Rates::default(), Instant::now());
        let (job, other): (Name, Name) = ("job".into(), "other".into());
        let made = (0..1_000_000).filter(|_| rates.take(&job, start)).count();
        assert_eq!(made, AT_ONCE as usize);
        assert!(rates.take(&other, start));
        let later = start + Duration::from_secs(3);
        let made = (0..1_000_000).filter(|_| rates.take(&job, later)).count();
        assert_eq!(made, 3 * A_SECOND as usize);
        let rested = later + Duration::from_secs(10_000);
        assert_eq!((0..1_000_000).filter(|_| rates.take(&job, rested)).count(), AT_ONCE as usize);
    }
}
