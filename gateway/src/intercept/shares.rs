//! How many redirected connections each workload has, as the programs count it: what has been published, less what they
//! have removed and what userspace has. A count that is wrong would refuse a workload for ever, so it is counted anew
//! from the table itself.

use std::collections::HashMap;

use aya::maps::MapError;
use gateway_ebpf::{LabelState, ORIGINS_MAX, Tuple};

use super::maps::{Maps, Raw, gone};

/// How many steps a look through the table takes at most: it begins again where an entry is removed under it.
const STEPS: usize = 2 * ORIGINS_MAX as usize;

/// When an origin was published, and for which label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Published {
    pub(super) time: u64,
    pub(super) label: u32,
}

/// What userspace has removed, by label: `RELEASED`, which only userspace writes. Labels that are not there have no
/// count, and nothing is counted for them.
#[derive(Debug, Default)]
pub(super) struct Shares {
    released: HashMap<u32, u64>,
}

impl Shares {
    /// For the labels that an earlier daemon has left.
    pub(super) fn rebuilt(maps: &mut Maps) -> Result<Self, MapError> {
        let stale: Vec<u32> = maps.released.keys().collect::<Result<_, _>>()?;
        let states = states(maps)?;
        for label in stale.iter().filter(|label| !states.contains_key(label)) {
            gone(maps.released.remove(label))?;
        }
        let mut shares = Shares::default();
        let counts = by_label(published(maps)?.unwrap_or_default().values());
        for (label, state) in states {
            shares.set(label, released(&state, counts.get(&label).copied().unwrap_or(0)), maps)?;
        }
        Ok(shares)
    }

    /// For labels that are about to be made. Connections of an earlier label of the same number still count.
    pub(super) fn begin(&mut self, labels: &[u32], maps: &mut Maps) -> Result<(), MapError> {
        if labels.is_empty() {
            return Ok(());
        }
        let counts = by_label(published(maps)?.unwrap_or_default().values());
        for label in labels {
            let count = counts.get(label).copied().unwrap_or(0);
            self.set(*label, released(&LabelState::default(), count), maps)?;
        }
        Ok(())
    }

    /// A label is gone.
    pub(super) fn end(&mut self, label: u32, maps: &mut Maps) -> Result<(), MapError> {
        self.released.remove(&label);
        gone(maps.released.remove(&label))
    }

    /// Userspace has removed an origin.
    pub(super) fn removed(&mut self, label: u32, maps: &mut Maps) -> Result<(), MapError> {
        match self.released.get(&label) {
            Some(count) => self.set(label, count.wrapping_add(1), maps),
            None => Ok(()),
        }
    }

    /// Puts the counts right by `counted`. `before`, from before the count, says for which labels nothing has happened
    /// meanwhile; the others have their turn another time.
    pub(super) fn correct(
        &mut self,
        counted: &HashMap<u32, u64>,
        before: &HashMap<u32, LabelState>,
        maps: &mut Maps,
    ) -> Result<(), MapError> {
        for (label, state) in states(maps)? {
            let quiet = before.get(&label).is_some_and(|before| same(before, &state));
            let right = released(&state, counted.get(&label).copied().unwrap_or(0));
            if quiet && self.released.get(&label) != Some(&right) {
                tracing::debug!(label, "the count of a workload's connections was put right");
                self.set(label, right, maps)?;
            }
        }
        Ok(())
    }

    fn set(&mut self, label: u32, count: u64, maps: &mut Maps) -> Result<(), MapError> {
        maps.released.insert(label, count, 0)?;
        self.released.insert(label, count);
        Ok(())
    }
}

/// What userspace has to have removed where so many are left. Counts wrap, and so does this.
fn released(state: &LabelState, left: u64) -> u64 {
    state.published.wrapping_sub(state.removed).wrapping_sub(left)
}

fn same(one: &LabelState, other: &LabelState) -> bool {
    one.published == other.published && one.removed == other.removed
}

/// What the programs have counted.
pub(super) fn states(maps: &Maps) -> Result<HashMap<u32, LabelState>, MapError> {
    maps.labels.iter().map(|entry| entry.map(|(label, state)| (label, state.0))).collect()
}

/// Every origin there is; none where the table changes faster than it can be read.
pub(super) fn published(maps: &Maps) -> Result<Option<HashMap<Tuple, Published>>, MapError> {
    let mut found = HashMap::new();
    let mut steps = 0_usize;
    for entry in maps.origins.iter() {
        let (Raw(tuple), Raw(origin)) = entry?;
        found.insert(tuple, Published { time: origin.time, label: origin.label });
        steps = steps.saturating_add(1);
        if steps > STEPS {
            return Ok(None);
        }
    }
    Ok(Some(found))
}

/// How many each label has.
pub(super) fn by_label<'a>(origins: impl Iterator<Item = &'a Published>) -> HashMap<u32, u64> {
    let mut counts = HashMap::new();
    for origin in origins {
        let count: &mut u64 = counts.entry(origin.label).or_default();
        *count = count.saturating_add(1);
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_what_the_programs_work_out() {
        let live =
            |state: &LabelState, left| state.published.wrapping_sub(state.removed).wrapping_sub(released(state, left));
        let new = LabelState::default();
        assert_eq!(live(&new, 0), 0);
        // Connections that an earlier label of that name has left.
        assert_eq!(live(&new, 5), 5);
        assert_eq!(live(&LabelState { published: 10, removed: 3, ..LabelState::default() }, 4), 4);
    }
}
