//! One connection of a session: what was read and not taken, and what is to be written.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWrite as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::protocol::postgres::wire::Wire;
use crate::protocol::stream::Stream;

/// How much is read at once, in bytes.
pub(super) const CHUNK: usize = 64 * 1024;

/// How long a peer has to take the last thing that is said to it.
pub(super) const FAREWELL: Duration = Duration::from_secs(2);

/// One connection.
pub(super) struct Side {
    stream: Stream,
    pub(super) input: BytesMut,
    pub(super) output: BytesMut,
    unflushed: bool,
    /// Bytes of a message that passes as it is and is not wholly there yet.
    pub(super) passing: usize,
}

impl Side {
    pub(super) fn new(wire: Wire) -> Self {
        let Wire { stream, input } = wire;
        Side { stream, input, output: BytesMut::new(), unflushed: false, passing: 0 }
    }

    /// Whether something is to be written.
    pub(super) fn waits(&self) -> bool {
        self.unflushed || !self.output.is_empty()
    }

    /// Reads once; 0 at the end.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.input.reserve(CHUNK);
        pin!(self.stream.read_buf(&mut self.input)).poll(cx)
    }

    /// Writes what waits, as far as the peer takes it.
    pub(super) fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            self.unflushed = true;
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.output))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written if written == self.output.len() => self.output.clear(),
                written => self.output.advance(written),
            }
        }
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.unflushed = false;
        Poll::Ready(Ok(()))
    }

    pub(super) async fn fill(&mut self) -> io::Result<usize> {
        poll_fn(|cx| self.poll_fill(cx)).await
    }

    pub(super) async fn drain(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_drain(cx)).await
    }

    /// Writes what waits, if the peer takes it soon: one that reads no more does not keep the session.
    pub(super) async fn farewell(&mut self) {
        let _ = timeout(FAREWELL, self.drain()).await;
    }

    /// Writes what waits and says that nothing follows.
    pub(super) async fn shut(&mut self) -> io::Result<()> {
        self.drain().await?;
        self.stream.shutdown().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_peer_that_reads_no_more_does_not_keep_the_session() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (_deaf, _) = listener.accept().await.unwrap();
        let mut side = Side::new(Wire::new(Stream::Plain(stream)));
        // More than the kernel keeps for it.
        side.output.resize(64 * 1024 * 1024, 0);
        assert!(timeout(Duration::from_secs(60), side.farewell()).await.is_ok());
        assert!(side.waits());
    }
}
