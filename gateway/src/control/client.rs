//! The command line's side of the local socket.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Status;

/// The largest answer that is read, in bytes.
const MAX_ANSWER: u64 = 16 * 1024 * 1024;

/// How long the daemon may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// The daemon could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens.
    #[error("{}: {cause}; is `sluice run` running, and may this user use its socket?", socket.display())]
    Unreachable {
        /// The socket.
        socket: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// It answered something else.
    #[error("the daemon's answer cannot be read: {0}")]
    Answer(String),
}

/// Asks the daemon behind `socket` for its state.
///
/// # Errors
/// Nobody listens there, or answers in time, or what answers is no daemon.
pub fn status(socket: &Path) -> Result<Status, AskError> {
    let unreachable = |cause| AskError::Unreachable { socket: socket.to_owned(), cause };
    let mut stream = UnixStream::connect(socket).map_err(unreachable)?;
    stream.set_read_timeout(Some(ANSWER)).map_err(unreachable)?;
    stream.set_write_timeout(Some(ANSWER)).map_err(unreachable)?;
    // HTTP/1.0: the answer ends where the connection does.
    stream.write_all(b"GET /status HTTP/1.0\r\n\r\n").map_err(unreachable)?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer).map_err(unreachable)?;
    let body = memchr::memmem::find(&answer, b"\r\n\r\n").and_then(|at| answer.get(at.saturating_add(4)..));
    let body = body.filter(|_| answer.starts_with(b"HTTP/1.0 200") || answer.starts_with(b"HTTP/1.1 200"));
    let body =
        body.ok_or_else(|| AskError::Answer("it refused: only root and the configured group may ask".to_owned()))?;
    serde_json::from_slice(body).map_err(|error| AskError::Answer(error.to_string()))
}
