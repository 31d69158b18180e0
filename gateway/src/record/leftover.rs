//! What a daemon leaves that did not come to its end: recordings without one. The next daemon says in their index how
//! far they came, so that nothing can be cut off them later. The recordings themselves stay as they are.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::chain::{Broken, Head, Reader};
use super::entry::{Body, Mark};
use super::index::{Contents, End, INDEX};
use super::{Day, EXTENSION, RecordError, SessionId};

/// A recording without an end.
#[derive(Debug)]
pub(super) struct Leftover {
    id: SessionId,
    path: PathBuf,
    day: Day,
    /// Whether the index names it.
    listed: bool,
}

/// How far a recording came.
#[derive(Clone, Debug, Default)]
pub(super) struct Extent {
    pub(super) first: [u8; 32],
    pub(super) head: Head,
    /// Whether its last entry closes it.
    pub(super) closed: bool,
    /// Bytes of an entry that was not wholly written.
    pub(super) torn: u64,
}

impl Extent {
    /// Reads all of a recording.
    pub(super) fn of(path: &Path) -> Result<Self, Broken> {
        let mut reader = Reader::open(path)?;
        let mut extent = Extent::default();
        loop {
            match reader.next_entry() {
                Ok(Some(entry)) => {
                    if extent.head.entries == 0 {
                        extent.first = reader.head().hash;
                    }
                    extent.head = reader.head().clone();
                    extent.closed = matches!(entry.body, Body::Closed { .. });
                }
                Ok(None) => return Ok(extent),
                Err(Broken::Cut(_)) => {
                    extent.torn = fs::metadata(path)?.len().saturating_sub(reader.length());
                    return Ok(extent);
                }
                Err(broken) => return Err(broken),
            }
        }
    }
}

impl Leftover {
    pub(super) fn day(&self) -> &Day {
        &self.day
    }

    /// What its index has to be told. Nothing where it is damaged: that is not to be covered up.
    pub(super) fn entries(&self) -> Result<Vec<Body<'static>>, RecordError> {
        let extent = match Extent::of(&self.path) {
            Ok(extent) => extent,
            Err(Broken::Io(error)) if error.kind() != io::ErrorKind::NotFound => {
                return Err(RecordError::io(&self.path, error));
            }
            Err(broken) => {
                tracing::error!(file = %self.path.display(), %broken, "a recording that a daemon left is damaged; see `sluice verify`");
                return Ok(Vec::new());
            }
        };
        let Extent { first, head: Head { entries, hash: last }, closed, torn } = extent;
        let mut told = Vec::new();
        if !self.listed {
            // The daemon ended between making it and naming it. One that holds more was put there.
            if entries > 1 {
                return Ok(Vec::new());
            }
            told.push(Body::Begun { id: self.id.clone(), first });
        }
        told.push(if closed && torn == 0 {
            Body::Sealed { id: self.id.clone(), entries, last }
        } else {
            let reason = "the daemon ended under it".into();
            Body::Abandoned { id: self.id.clone(), entries, last, torn, reason }
        });
        Ok(told)
    }
}

/// The days below a folder of recordings, the oldest first.
pub(super) fn days(folder: &Path) -> io::Result<Vec<Day>> {
    let mut days = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        days.extend(Day::of(&path).filter(|_| path.is_dir()));
    }
    days.sort();
    Ok(days)
}

/// The recordings of a day's folder, in order.
pub(super) fn recordings(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// How far the index came that was written before `day` was: that of the day before it, or of the newest where the clock
/// was put back.
pub(super) fn newest(folder: &Path, day: &Day) -> Result<Option<Mark>, RecordError> {
    let days = days(folder).map_err(|e| RecordError::io(folder, e))?;
    let before = days.iter().rev().find(|other| *other < day);
    let Some(before) = before.or_else(|| days.iter().rev().find(|other| *other != day)) else { return Ok(None) };
    let (contents, broken) = Contents::read(&before.folder(folder).join(INDEX));
    if let Some(broken) = broken {
        tracing::error!(day = %before, %broken, "the index of an earlier day is damaged; see `sluice verify`");
    }
    Ok(Some(Mark::new(before, &contents.head)))
}

/// Every recording without an end that the last daemon can have left.
pub(super) fn find(folder: &Path) -> Result<Vec<Leftover>, RecordError> {
    let io = |e| RecordError::io(folder, e);
    let mut found = Vec::new();
    for day in days(folder).map_err(io)?.into_iter().rev() {
        let (contents, _) = Contents::read(&day.folder(folder).join(INDEX));
        let leftover = |id: SessionId, listed| Leftover { path: id.file(folder), id, day: day.clone(), listed };
        let open = contents.listed.iter().filter(|(_, listed)| listed.end == End::Open);
        found.extend(open.map(|(id, _)| leftover(id.clone(), true)));
        let files = recordings(&day.folder(folder)).map_err(io)?;
        let unlisted = files.iter().filter_map(|file| SessionId::of(file)).filter(|id| id.day() == day);
        found.extend(unlisted.filter(|id| !contents.listed.contains_key(id)).map(|id| leftover(id, false)));
        if contents.started {
            // What came before it was settled then.
            break;
        }
    }
    Ok(found)
}
