//! The recording: one append-only file a session, a chain of self-describing entries; an index a day that names them.
//!
//! A file is a sequence of frames: four bytes of length, big endian, then that many bytes of CBOR (RFC 8949). Each
//! entry carries the BLAKE3 hash of the CBOR before it, so that no entry can be changed, moved or removed without the next saying so; the day's index, a chain of the same form,
//! says which recordings there are and how each ended.

pub mod chain;
pub mod entry;
mod index;
mod recorder;
pub mod text;
pub mod verify;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use entry::{CommandEntry, Opened, Outcome, Touched};
pub use index::Recordings;
pub use recorder::Recorder;

/// A session's id: sorts by time, safe as a file name. `20260131T235959.123456-0123456789abcdef`, UTC.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct SessionId(pub(crate) Arc<str>);

/// A text is no session's id.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("not a session id; `sluice sessions` lists them")]
pub struct NotASessionId;

impl SessionId {
    /// A new one: the time, and random digits so that no two are the same.
    #[expect(clippy::new_without_default, reason = "a default is always the same, an id never")]
    pub fn new() -> Self {
        let now = chrono::Utc::now();
        // The standard library's hasher is seeded by the kernel, and differently for each instance.
        let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), now.timestamp_nanos_opt());
        SessionId(format!("{}-{random:016x}", now.format("%Y%m%dT%H%M%S%.6f")).into())
    }

    /// The folder of its day, `2026-01-31`.
    fn day(&self) -> String {
        let part = |range| self.0.get(range).unwrap_or_default();
        format!("{}-{}-{}", part(0..4), part(4..6), part(6..8))
    }

    /// Where its recording is below the recordings' folder.
    pub fn file(&self, recordings: &Path) -> PathBuf {
        recordings.join(self.day()).join(format!("{self}.{EXTENSION}"))
    }
}

impl FromStr for SessionId {
    type Err = NotASessionId;

    fn from_str(text: &str) -> Result<Self, NotASessionId> {
        let shape = b"dddddddd.dddddd.dddddd-xxxxxxxxxxxxxxxx";
        let fits = |(have, want): (u8, &u8)| match want {
            b'd' => have.is_ascii_digit(),
            b'x' => have.is_ascii_digit() || (b'a'..=b'f').contains(&have),
            b'-' => have == b'-',
            _ => have == b'T' || have == b'.',
        };
        if text.len() == shape.len() && text.bytes().zip(shape).all(fits) {
            Ok(SessionId(text.into()))
        } else {
            Err(NotASessionId)
        }
    }
}

impl TryFrom<String> for SessionId {
    type Error = NotASessionId;

    fn try_from(text: String) -> Result<Self, NotASessionId> {
        text.parse()
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A command's number within its session, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CommandId(pub u64);

/// What a recording's file name ends in.
pub const EXTENSION: &str = "slr";

/// The recordings' folder within the state folder.
pub fn folder(state_dir: &Path) -> PathBuf {
    state_dir.join("recordings")
}

/// A recording cannot be written. Nothing is forwarded in its session from then on.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RecordError {
    /// The operating system refused.
    #[error("{}: {cause}; make room or give the daemon the right to write there", file.display())]
    Io {
        /// What could not be written.
        file: PathBuf,
        /// Why.
        cause: Arc<std::io::Error>,
    },
    /// More was decided at once than the buffer holds.
    #[error("more than {} MiB of commands came at once", recorder::MAX_PENDING >> 20)]
    TooMuch,
    /// Another daemon writes here.
    #[error("{} is in use by another daemon; stop it, or give this one a state_dir of its own", .0.display())]
    InUse(PathBuf),
    /// An index that this daemon would have to go on with is damaged.
    #[error("{}: {reason}; `sluice verify` says more. Keep the file and move it away to go on", file.display())]
    Damaged {
        /// The index.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl RecordError {
    pub(crate) fn io(file: &Path, cause: std::io::Error) -> Self {
        RecordError::Io { file: file.to_owned(), cause: Arc::new(cause) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_are_read_back() {
        let first = SessionId::new();
        std::thread::sleep(std::time::Duration::from_millis(2));
        let second = SessionId::new();
        assert!(first < second);
        assert_eq!(first.to_string().parse::<SessionId>().unwrap(), first);
        assert_eq!(first.file(Path::new("/r")).parent().and_then(Path::file_name).unwrap().len(), 10);
        for bad in [
            "",
            "../../etc/passwd",
            "20260131T235959.123456-0123456789abcdeF",
            "20260131T235959/123456-0123456789abcdef",
        ] {
            assert!(bad.parse::<SessionId>().is_err(), "{bad}");
        }
    }
}
