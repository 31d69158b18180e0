//! A day's index: which recordings were begun, and how each ended.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{BufReader, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::chain::{Broken, Head, Reader};
use super::entry::{Body, FORMAT, Mark};
use super::{Day, RecordError, SessionId};

/// An index's file name within its day's folder.
pub(super) const INDEX: &str = "index";

/// No entry of an index is longer, in bytes: what is cut off as torn is one entry at most.
const MAX_TORN: usize = 4096;

/// How much of it is kept, in bytes.
const MAX_KEPT: usize = 512;

/// What an index says of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// The hash of its first entry; zeros where it never had one.
    pub(super) first: [u8; 32],
    pub(super) end: End,
}

/// How a recording ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Not yet.
    Open,
    /// It was closed.
    Sealed(Head),
    /// It was not, and nothing follows but so many bytes of an entry that was not wholly written.
    Abandoned(Head, u64),
}

/// What an index holds.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) day: Option<Day>,
    pub(super) listed: BTreeMap<SessionId, Listed>,
    /// What it says of other days' indexes.
    pub(super) marks: Vec<Mark>,
    /// Whether a daemon has begun to write in it.
    pub(super) started: bool,
    pub(super) head: Head,
    /// Bytes of whole entries.
    pub(super) length: u64,
}

impl Contents {
    /// As far as the chain is whole; and where it breaks.
    pub(super) fn read(path: &Path) -> (Self, Option<Broken>) {
        let mut contents = Contents::default();
        let broken = Reader::open(path).map_err(Broken::from).and_then(|mut reader| {
            let read = contents.take(&mut reader);
            contents.head = reader.head().clone();
            contents.length = reader.length();
            read
        });
        (contents, broken.err())
    }

    fn take(&mut self, reader: &mut Reader<BufReader<File>>) -> Result<(), Broken> {
        while let Some(entry) = reader.next_entry()? {
            match entry.body {
                Body::Day { day, before, .. } => {
                    self.day = Some(day);
                    self.marks.extend(before);
                }
                Body::Grown { mark } => self.marks.push(mark),
                Body::Started { .. } => self.started = true,
                Body::Begun { id, first } => {
                    self.listed.insert(id, Listed { first, end: End::Open });
                }
                Body::Sealed { id, entries, last } => self.end(&id, End::Sealed(Head { entries, hash: last })),
                Body::Abandoned { id, entries, last, torn, .. } => {
                    self.end(&id, End::Abandoned(Head { entries, hash: last }, torn));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn end(&mut self, id: &SessionId, end: End) {
        if let Some(listed) = self.listed.get_mut(id) {
            listed.end = end;
        }
    }
}

/// An index that is written.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) day: Day,
    path: PathBuf,
    file: File,
    head: Head,
    /// Bytes of whole entries. What is beyond could not be taken back yet.
    length: u64,
}

impl Index {
    /// Opens a day's index, or makes it and has it name `before`.
    ///
    /// The rest of an entry that a daemon or the machine died over is cut off, and kept in a note; anything else that is wrong
    /// is an error, and stays as it is.
    pub(super) fn open(recordings: &Path, day: &Day, before: Option<Mark>) -> Result<Self, RecordError> {
        let folder = day.folder(recordings);
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(|e| RecordError::io(&folder, e))?;
        let path = folder.join(INDEX);
        let io = |e| RecordError::io(&path, e);
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path).map_err(io)?;
        let (Contents { head, length, .. }, broken) = Contents::read(&path);
        let torn = match &broken {
            None => None,
            Some(Broken::Cut(_)) => torn(&file, length).map_err(io)?,
            Some(_) => None,
        };
        if let (Some(broken), None) = (&broken, &torn) {
            return Err(RecordError::Damaged { file: path.clone(), reason: broken.to_string() });
        }
        let mut index = Index { day: day.clone(), path: path.clone(), file, head, length };
        if let Some(torn) = torn {
            index.file.set_len(length).map_err(io)?;
            tracing::warn!(file = %path.display(), bytes = torn.len(), "cut off an entry that was not wholly written");
            let hex: String = torn.iter().take(MAX_KEPT).map(|byte| format!("{byte:02x}")).collect();
            index
                .append(Body::Note { text: format!("cut off: an entry that was not wholly written, {hex}").into() })?;
        }
        if index.head.entries == 0 {
            index.append(Body::Day { format: FORMAT.into(), day: day.clone(), before })?;
        }
        Ok(index)
    }

    /// How far it has come.
    pub(super) fn mark(&self) -> Mark {
        Mark::new(&self.day, &self.head)
    }

    /// All or nothing: an entry that was written in part is taken back, before the next one at the latest.
    pub(super) fn append(&mut self, body: Body<'_>) -> Result<(), RecordError> {
        let io = |e| RecordError::io(&self.path, e);
        let (mut head, mut frame) = (self.head.clone(), Vec::new());
        head.append(body, &mut frame).map_err(|_| RecordError::TooMuch)?;
        if self.file.metadata().map_err(io)?.len() > self.length {
            self.file.set_len(self.length).map_err(io)?;
        }
        if let Err(e) = self.file.write_all(&frame) {
            let taken_back = self.file.set_len(self.length);
            tracing::error!(file = %self.path.display(), error = %e, undone = taken_back.is_ok(), "cannot write the index");
            return Err(io(e));
        }
        self.head = head;
        self.length = self.length.saturating_add(u64::try_from(frame.len()).unwrap_or(u64::MAX));
        Ok(())
    }
}

/// What follows the whole entries, where it can be one entry that was not wholly written, or zeros: what a file system may leave of
/// writes that it lost.
fn torn(file: &File, from: u64) -> std::io::Result<Option<Vec<u8>>> {
    let (mut tail, mut at, mut zeros) = (Vec::new(), from, true);
    let mut chunk = [0; MAX_TORN];
    loop {
        let read = file.read_at(&mut chunk, at)?;
        let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else { return Ok(Some(tail)) };
        zeros &= bytes.iter().all(|byte| *byte == 0);
        if !zeros && tail.len().saturating_add(read) > MAX_TORN {
            return Ok(None);
        }
        tail.truncate(MAX_TORN);
        tail.extend_from_slice(bytes);
        at = at.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
    }
}
