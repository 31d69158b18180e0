//! Who may fill the disk: near its end, each workload has a share of what is left, so that one cannot take the
//! recordings, and with them the traffic, of all others.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::RecordError;
use super::recordings::locked;
use crate::access::Name;

/// Shares count where less than a tenth of the file system is left, and no more than this, in bytes.
const MAX_RESERVE: u64 = 1 << 30;

/// The same in files.
const MAX_FILES: u64 = 65_536;

/// A workload's share of the reserve is one of so many.
const SHARES: u64 = 8;

/// On a small file system a share is so much all the same, in bytes and in files.
const MIN_SHARE: u64 = 1 << 20;
const MIN_FILES: u64 = 64;

/// How much is written between two looks at the file system, in bytes.
const STEP: u64 = 256 * 1024;

/// What a workload has written today, and since the file system was looked at.
#[derive(Debug, Default)]
pub(super) struct Used {
    bytes: AtomicU64,
    files: AtomicU64,
    unseen: AtomicU64,
}

/// What every workload has written today. In memory only: a restart begins at nothing.
#[derive(Debug, Default)]
pub(super) struct Shares {
    used: Mutex<HashMap<Name, Arc<Used>>>,
}

/// What a file system has, in bytes and in files.
#[derive(Clone, Copy, Debug)]
struct Room {
    bytes: (u64, u64),
    files: (u64, u64),
}

impl Shares {
    /// What `workload` has used.
    pub(super) fn of(&self, workload: &Name) -> Arc<Used> {
        Arc::clone(locked(&self.used).entry(Arc::clone(workload)).or_default())
    }

    /// Another day.
    pub(super) fn reset(&self) {
        let mut used = locked(&self.used);
        // Those of workloads that are not configured any more go with their last session.
        used.retain(|_, used| Arc::strong_count(used) > 1);
        for used in used.values() {
            used.bytes.store(0, Ordering::Relaxed);
            used.files.store(0, Ordering::Relaxed);
        }
    }
}

impl Used {
    /// Counts a file that is to be made below `folder`, if there is room for it.
    pub(super) fn file(&self, workload: &Name, folder: &Path) -> Result<(), RecordError> {
        self.files.fetch_add(1, Ordering::Relaxed);
        self.look(workload, folder)
    }

    /// Counts bytes that are to be written below `folder`, if there is room for them.
    pub(super) fn bytes(&self, workload: &Name, folder: &Path, count: usize) -> Result<(), RecordError> {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.bytes.fetch_add(count, Ordering::Relaxed);
        if self.unseen.fetch_add(count, Ordering::Relaxed).saturating_add(count) < STEP {
            return Ok(());
        }
        self.unseen.store(0, Ordering::Relaxed);
        self.look(workload, folder)
    }

    fn look(&self, workload: &Name, folder: &Path) -> Result<(), RecordError> {
        let found = nix::sys::statvfs::statvfs(folder).map_err(|error| RecordError::io(folder, error.into()))?;
        let room = Room {
            bytes: (found.blocks_available().saturating_mul(found.fragment_size()), {
                found.blocks().saturating_mul(found.fragment_size())
            }),
            files: (found.files_available(), found.files()),
        };
        self.judge(workload, room)
    }

    fn judge(&self, workload: &Name, room: Room) -> Result<(), RecordError> {
        let over = |(left, all): (u64, u64), most: u64, least: u64, used: &AtomicU64| {
            let reserve = (all / 10).min(most);
            (left < reserve && used.load(Ordering::Relaxed) > (reserve / SHARES).max(least)).then_some(reserve)
        };
        let bytes = over(room.bytes, MAX_RESERVE, MIN_SHARE, &self.bytes);
        // A file system that makes files as they are needed says that it has none.
        let files = over(room.files, MAX_FILES, MIN_FILES, &self.files);
        if bytes.is_none() && files.is_none() {
            return Ok(());
        }
        let reserve = |(_, all): (u64, u64), most: u64| (all / 10).min(most);
        Err(RecordError::Share {
            workload: Arc::clone(workload),
            bytes: reserve(room.bytes, MAX_RESERVE),
            files: reserve(room.files, MAX_FILES),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn near_the_end_who_has_written_much_is_stopped_and_who_has_not_goes_on() {
        let (shares, greedy, modest): (_, Name, Name) = (Shares::default(), "greedy".into(), "modest".into());
        let (much, little) = (shares.of(&greedy), shares.of(&modest));
        much.bytes.store(GIB, Ordering::Relaxed);
        little.bytes.store(1 << 20, Ordering::Relaxed);
        let room = |left| Room { bytes: (left, 100 * GIB), files: (0, 0) };
        assert!(much.judge(&greedy, room(2 * GIB)).is_ok(), "there is room");
        let said = much.judge(&greedy, room(GIB / 2)).unwrap_err().to_string();
        assert!(said.contains("greedy") && said.contains("1024 MiB"), "{said}");
        assert!(little.judge(&modest, room(GIB / 2)).is_ok());
        shares.reset();
        assert!(much.judge(&greedy, room(GIB / 2)).is_ok(), "another day");
    }

    #[test]
    fn files_are_shared_too() {
        let used = Used::default();
        used.files.store(10_000, Ordering::Relaxed);
        let room = |left| Room { bytes: (GIB, GIB), files: (left, 1_000_000) };
        assert!(used.judge(&"w".into(), room(100_000)).is_ok());
        assert!(used.judge(&"w".into(), room(60_000)).is_err());
    }

    #[test]
    fn one_workload_alone_leaves_most_of_the_reserve() {
        let (used, name) = (Used::default(), "w".into());
        let (all, mut left) = (20 * GIB, 3 * GIB);
        while used.judge(&name, Room { bytes: (left, all), files: (0, 0) }).is_ok() {
            used.bytes.fetch_add(STEP, Ordering::Relaxed);
            left -= STEP;
        }
        assert!(left > GIB * 3 / 4, "{left}");
    }
}
