//! The folder of recordings: one writer, a folder and an index a day, and whether writing works.

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::entry::{Body, Mark};
use super::index::Index;
use super::leftover;
use super::share::Shares;
use super::{Day, RecordError, folder};
use crate::metrics;

/// The file that a running daemon has locked.
pub(super) const LOCK: &str = "lock";

/// Sessions that outlive their day keep its index open, up to this many days.
const MAX_EARLIER: usize = 8;

/// Everything that is recorded on this node. One a daemon.
#[derive(Debug)]
pub struct Recordings {
    folder: PathBuf,
    _lock: File,
    /// Taken when a session begins and ends, never for a command.
    written: Mutex<Written>,
    /// The last failure that no success followed.
    failing: Mutex<Option<String>>,
    pub(super) shares: Shares,
}

/// The indexes that are written.
#[derive(Debug, Default)]
struct Written {
    /// Whether what earlier daemons left is settled.
    settled: bool,
    /// That of the day whose sessions begin now.
    current: Option<Index>,
    /// Those of days whose last sessions end.
    earlier: Vec<Index>,
    /// What the log was told last.
    told: Option<Mark>,
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves these values whole: each is changed by one assignment.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recordings {
    /// Makes the folder, 0700, and takes it for this process. Recordings that an earlier daemon left without an end
    /// get one in their index; where that cannot be written now, it is tried again with the first session.
    ///
    /// # Errors
    /// It cannot be written, or another process has it.
    pub fn open(state_dir: &Path) -> Result<Self, RecordError> {
        let folder = folder(state_dir);
        let make = || DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        make().map_err(|e| RecordError::io(&folder, e))?;
        let path = folder.join(LOCK);
        let open = || OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let lock = open().map_err(|e| RecordError::io(&path, e))?;
        lock.try_lock().map_err(|_| RecordError::InUse(folder.clone()))?;
        let recordings = Recordings {
            folder,
            _lock: lock,
            written: Mutex::default(),
            failing: Mutex::default(),
            shares: Shares::default(),
        };
        let settled = recordings.settled(&mut locked(&recordings.written));
        if let Err(error) = recordings.watch(settled) {
            tracing::error!(%error, "nothing can be recorded, so nothing will be forwarded");
        }
        recordings.tell();
        Ok(recordings)
    }

    /// The folder that holds the days.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Why nothing can be recorded, if the last attempt failed.
    pub fn failing(&self) -> Option<String> {
        locked(&self.failing).clone()
    }

    /// Puts into the log how far the index has come, if it has come further: the log is kept elsewhere, and tells
    /// later whether the index is what it was.
    pub fn tell(&self) {
        let mut written = locked(&self.written);
        let mark = written.current.as_ref().map(Index::mark);
        if let Some(mark) = mark.filter(|mark| written.told.as_ref() != Some(mark)) {
            tracing::info!(%mark, "recordings");
            written.told = Some(mark);
        }
    }

    /// Remembers how writing went.
    pub(super) fn watch<T>(&self, done: Result<T, RecordError>) -> Result<T, RecordError> {
        match &done {
            // The others go on.
            Err(RecordError::Share { .. }) => metrics::RECORDER_FAILURES.add(1),
            Err(error) => {
                metrics::RECORDER_FAILURES.add(1);
                *locked(&self.failing) = Some(error.to_string());
            }
            Ok(_) => {
                let mut failing = locked(&self.failing);
                if failing.is_some() {
                    *failing = None;
                }
            }
        }
        done
    }

    /// Makes the folder and the index of a day in which a session begins.
    pub(super) fn begin(&self, day: &Day) -> Result<(), RecordError> {
        let mut written = locked(&self.written);
        self.settled(&mut written)?;
        if written.current.as_ref().is_some_and(|index| index.day != *day) {
            self.shares.reset();
        }
        written.begin(&self.folder, day)
    }

    /// Appends to a day's index.
    pub(super) fn append(&self, day: &Day, body: Body<'_>) -> Result<(), RecordError> {
        locked(&self.written).append(&self.folder, day, body)
    }

    fn settled(&self, written: &mut Written) -> Result<(), RecordError> {
        if written.settled {
            return Ok(());
        }
        let leftovers = leftover::find(&self.folder)?;
        written.begin(&self.folder, &Day::today())?;
        for leftover in &leftovers {
            for body in leftover.entries()? {
                match written.append(&self.folder, leftover.day(), body) {
                    // It cannot be gone on with, and its day is over: nothing else waits for it.
                    Err(RecordError::Damaged { file, reason }) => {
                        tracing::error!(file = %file.display(), reason, "an index is damaged; see `sluice verify`");
                    }
                    done => done?,
                }
            }
        }
        if !leftovers.is_empty() {
            tracing::warn!(recordings = leftovers.len(), "a daemon ended under sessions; their recordings are settled");
        }
        if let Some(current) = &mut written.current {
            current.append(Body::Started { version: env!("CARGO_PKG_VERSION").into() })?;
        }
        written.settled = true;
        Ok(())
    }
}

impl Written {
    /// Makes a day's index the current one. Whatever was the current one before is named in it.
    fn begin(&mut self, folder: &Path, day: &Day) -> Result<(), RecordError> {
        if self.current.as_ref().is_some_and(|index| index.day == *day) {
            return Ok(());
        }
        let before = match &self.current {
            Some(index) => Some(index.mark()),
            None => leftover::newest(folder, day)?,
        };
        let known = self.earlier.iter().position(|index| index.day == *day);
        let mut next = match known {
            Some(at) => self.earlier.remove(at),
            None => Index::open(folder, day, before.clone())?,
        };
        // One that was there already does not name it in its first entry.
        if let Some(mark) = before.filter(|_| next.mark().entries > 1) {
            next.append(Body::Grown { mark })?;
        }
        if let Some(last) = self.current.replace(next) {
            tracing::info!(mark = %last.mark(), "recordings");
            self.keep(last);
        }
        Ok(())
    }

    fn keep(&mut self, index: Index) {
        self.earlier.push(index);
        if self.earlier.len() > MAX_EARLIER {
            self.earlier.remove(0);
        }
    }

    fn append(&mut self, folder: &Path, day: &Day, body: Body<'_>) -> Result<(), RecordError> {
        if let Some(current) = self.current.as_mut().filter(|index| index.day == *day) {
            return current.append(body);
        }
        if !self.earlier.iter().any(|index| index.day == *day) {
            self.keep(Index::open(folder, day, None)?);
        }
        let Some(index) = self.earlier.iter_mut().find(|index| index.day == *day) else {
            return Err(RecordError::TooMuch);
        };
        index.append(body)?;
        // The current day's index answers for the others.
        let mark = index.mark();
        match &mut self.current {
            Some(current) => current.append(Body::Grown { mark }),
            None => Ok(()),
        }
    }
}

impl Drop for Recordings {
    fn drop(&mut self) {
        self.tell();
    }
}
