//! The recording: one append-only file a session, a chain of self-describing entries; an index a day that names them.
//!
//! A file is a sequence of frames: four bytes of length, big endian, then that many bytes of CBOR (RFC 8949). Each
//! entry carries the BLAKE3 hash of the CBOR before it, so that no entry can be changed, moved or removed without the next saying so; the day's index, a chain of the same form,
//! says which recordings there are and how each ended.

pub mod again;
pub mod chain;
pub mod entry;
mod id;
mod index;
mod leftover;
mod recorder;
mod recordings;
mod share;
pub mod text;
pub mod verify;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::access::Name;

pub use entry::{CommandEntry, Mark, Opened, Outcome, Touched};
pub use id::{CommandId, Day, NotADay, NotASessionId, SessionId};
pub use recorder::Recorder;
pub use recordings::Recordings;

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
    /// The disk is nearly full, and one workload has taken more than its share of it.
    #[error(
        "less than {} MiB or {files} files are left, and workload {workload:?} has used its share of them today; make room",
        bytes >> 20
    )]
    Share {
        /// Whose.
        workload: Name,
        /// The space below which shares count.
        bytes: u64,
        /// The number of files below which they count.
        files: u64,
    },
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
