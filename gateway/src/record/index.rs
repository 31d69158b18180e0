//! The folder of recordings: one writer, a folder and an index a day, and whether writing works.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{BufReader, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::chain::{Head, Reader};
use super::entry::{Body, FORMAT};
use super::{RecordError, folder};
use crate::metrics;

/// An index's file name within its day's folder.
pub(super) const INDEX: &str = "index";

/// Everything that is recorded on this node. One a daemon.
#[derive(Debug)]
pub struct Recordings {
    folder: PathBuf,
    _lock: File,
    /// The indexes that are written now: today's, and yesterday's while its last sessions end. Taken when a session
    /// begins and ends, never for a command.
    days: Mutex<Vec<Index>>,
    /// The last failure that no success followed.
    failing: Mutex<Option<String>>,
}

#[derive(Debug)]
struct Index {
    day: PathBuf,
    file: File,
    head: Head,
}

/// Sessions that outlive their day keep its index open, up to this many days.
const MAX_DAYS: usize = 8;

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves these values whole: each is changed by one assignment.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recordings {
    /// Makes the folder, 0700, and takes it for this process.
    ///
    /// # Errors
    /// It cannot be written, or another process has it.
    pub fn open(state_dir: &Path) -> Result<Self, RecordError> {
        let folder = folder(state_dir);
        let make = || DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        make().map_err(|e| RecordError::io(&folder, e))?;
        let path = folder.join("lock");
        let open = || OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let lock = open().map_err(|e| RecordError::io(&path, e))?;
        lock.try_lock().map_err(|_| RecordError::InUse(folder.clone()))?;
        Ok(Recordings { folder, _lock: lock, days: Mutex::default(), failing: Mutex::default() })
    }

    /// The folder that holds the days.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Why nothing can be recorded, if the last attempt failed.
    pub fn failing(&self) -> Option<String> {
        locked(&self.failing).clone()
    }

    /// Remembers how writing went.
    pub(super) fn watch<T>(&self, done: Result<T, RecordError>) -> Result<T, RecordError> {
        match &done {
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

    /// Makes the folder of a recording's day, and its index.
    pub(super) fn day_of(&self, recording: &Path) -> Result<(), RecordError> {
        let Some(day) = recording.parent() else { return Ok(()) };
        let mut days = locked(&self.days);
        if !days.iter().any(|index| index.day == day) {
            days.push(Index::open(day)?);
            if days.len() > MAX_DAYS {
                days.remove(0);
            }
        }
        Ok(())
    }

    /// Appends to the index of a recording's day.
    pub(super) fn append(&self, recording: &Path, body: Body<'_>) -> Result<(), RecordError> {
        self.day_of(recording)?;
        let mut days = locked(&self.days);
        match days.iter_mut().find(|index| recording.starts_with(&index.day)) {
            Some(index) => index.append(body),
            None => Err(RecordError::TooMuch),
        }
    }
}

impl Index {
    fn open(day: &Path) -> Result<Self, RecordError> {
        DirBuilder::new().recursive(true).mode(0o700).create(day).map_err(|e| RecordError::io(day, e))?;
        let path = day.join(INDEX);
        let io = |e| RecordError::io(&path, e);
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path).map_err(io)?;
        let mut reader = Reader::new(BufReader::new(file.try_clone().map_err(io)?));
        loop {
            match reader.next_entry() {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(broken) => return Err(RecordError::Damaged { file: path, reason: broken.to_string() }),
            }
        }
        let head = reader.head().clone();
        let mut index = Index { day: day.to_owned(), file, head };
        if index.head.entries == 0 {
            index.append(Body::Day { format: FORMAT.into() })?;
        }
        Ok(index)
    }

    /// All or nothing: an entry that was written in part is taken back.
    fn append(&mut self, body: Body<'_>) -> Result<(), RecordError> {
        let path = self.day.join(INDEX);
        let (mut head, mut frame) = (self.head.clone(), Vec::new());
        head.append(body, &mut frame).map_err(|_| RecordError::TooMuch)?;
        let before = self.file.metadata().map_err(|e| RecordError::io(&path, e))?.len();
        if let Err(e) = self.file.write_all(&frame) {
            let taken_back = self.file.set_len(before);
            tracing::error!(file = %path.display(), error = %e, undone = taken_back.is_ok(), "cannot write the index");
            return Err(RecordError::io(&path, e));
        }
        self.head = head;
        Ok(())
    }
}
