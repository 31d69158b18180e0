//! One side of a connection and the bytes read from it that no one has consumed: whole messages of the start-up.
//!
//! The start-up is a handful of small messages, read one at a time. What is still in `input` when it ends belongs to
//! the relay.

use std::fmt;
use std::io;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::protocol::stream::Stream;

/// How much is asked of the kernel at once.
const CHUNK: usize = 8 * 1024;

/// How long a peer has to take the last thing that is said to it.
const FAREWELL: Duration = Duration::from_secs(2);

/// A connection to one peer.
pub(crate) struct Wire {
    /// The connection.
    pub(crate) stream: Stream,
    /// What was read from it and not consumed.
    pub(crate) input: BytesMut,
}

/// A message after the start-up packet: one byte of type, a length that counts itself, the body.
pub(crate) struct Frame {
    /// Its type.
    pub(crate) tag: u8,
    /// The whole message, type and length included.
    pub(crate) bytes: BytesMut,
}

/// What was read may be a password: only how much of it there is.
impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("stream", &self.stream).field("unread", &self.input.len()).finish()
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame").field("tag", &char::from(self.tag)).field("length", &self.bytes.len()).finish()
    }
}

/// Bytes of type and length.
pub(crate) const FRAME_HEADER: usize = 5;

impl Frame {
    /// What follows the length.
    pub(crate) fn body(&self) -> &[u8] {
        self.bytes.get(FRAME_HEADER..).unwrap_or_default()
    }
}

/// Why no message came.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    /// The connection failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It was closed between two messages.
    #[error("closed the connection")]
    Closed,
    /// It was closed within a message.
    #[error("closed the connection in the middle of a message")]
    Truncated,
    /// The length is impossible, or more than this state of the protocol can need.
    #[error("sent a message of type {tag:#04x} that claims {length} bytes, which is less than 4 or more than {limit}")]
    Length {
        /// The message's type.
        tag: u8,
        /// As sent: counts itself.
        length: u32,
        /// The most that is accepted.
        limit: usize,
    },
}

impl Wire {
    pub(crate) fn new(stream: Stream) -> Self {
        Wire { stream, input: BytesMut::new() }
    }

    /// Reads more into `input`; 0 means that the peer closed.
    pub(crate) async fn fill(&mut self) -> io::Result<usize> {
        self.input.reserve(CHUNK);
        self.stream.read_buf(&mut self.input).await
    }

    /// The next message, whose length (that counts itself, not the type) is at most `limit`.
    pub(crate) async fn frame(&mut self, limit: usize) -> Result<Frame, WireError> {
        loop {
            if let Some(frame) = take_frame(&mut self.input, limit)? {
                return Ok(frame);
            }
            if self.fill().await? == 0 {
                return Err(if self.input.is_empty() { WireError::Closed } else { WireError::Truncated });
            }
        }
    }

    /// Writes all of `bytes`.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }
}

impl Wire {
    /// Says a last thing and closes. A connection closed with unread bytes is reset, and a reset may overtake what was
    /// said: so what the peer still sends is read, for a moment.
    pub(super) async fn close(mut self, last: &[u8]) {
        let farewell = async {
            if !last.is_empty() {
                self.stream.write_all(last).await?;
            }
            self.stream.shutdown().await?;
            for _ in 0..64 {
                self.input.clear();
                if self.fill().await? == 0 {
                    break;
                }
            }
            io::Result::Ok(())
        };
        // However it goes, the connection ends here.
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
    }
}

/// A whole message from the front of `input`, if it is there.
pub(super) fn take_frame(input: &mut BytesMut, limit: usize) -> Result<Option<Frame>, WireError> {
    let Some(mut header) = input.get(..FRAME_HEADER) else { return Ok(None) };
    let tag = header.get_u8();
    let claimed = header.get_u32();
    let length = usize::try_from(claimed).ok().filter(|length| (4..=limit).contains(length));
    let Some(length) = length else { return Err(WireError::Length { tag, length: claimed, limit }) };
    let whole = length.saturating_add(1);
    if input.len() < whole {
        return Ok(None);
    }
    Ok(Some(Frame { tag, bytes: input.split_to(whole) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_taken_when_it_is_whole() {
        let mut input = BytesMut::from(&b"Z\0\0\0\x05"[..]);
        assert!(take_frame(&mut input, 64).unwrap().is_none());
        input.extend_from_slice(b"IR");
        let frame = take_frame(&mut input, 64).unwrap().unwrap();
        assert_eq!((frame.tag, frame.body(), &frame.bytes[..]), (b'Z', &b"I"[..], &b"Z\0\0\0\x05I"[..]));
        assert_eq!(&input[..], b"R");
    }

    #[test]
    fn a_length_that_lies_is_an_error_before_anything_is_kept() {
        for length in [0u32, 3, 65, u32::MAX] {
            let mut input = BytesMut::from(&b"R"[..]);
            input.extend_from_slice(&length.to_be_bytes());
            assert!(matches!(take_frame(&mut input, 64), Err(WireError::Length { .. })), "{length}");
        }
    }
}
