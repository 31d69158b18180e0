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

/// The most that is read at once, in bytes: of a peer that has so much to say.
pub(super) const CHUNK: usize = 64 * 1024;

/// How much is read at once of a peer that says little, in bytes. It is what an idle session's buffer takes.
const LITTLE: usize = 8 * 1024;

/// After how many short reads in a row a peer says little: streams have some in between.
const SHORT_READS: u8 = 16;

/// How long a peer has to take the last thing that is said to it.
pub(super) const FAREWELL: Duration = Duration::from_secs(2);

/// One connection.
pub(super) struct Side {
    stream: Stream,
    pub(super) input: BytesMut,
    pub(super) output: BytesMut,
    /// How much is read at once, in bytes.
    chunk: usize,
    /// How many reads in a row would have fitted into [`LITTLE`].
    short: u8,
    unflushed: bool,
    /// Bytes of a message that passes as it is and is not wholly there yet.
    pub(super) passing: usize,
}

impl Side {
    pub(super) fn new(wire: Wire) -> Self {
        let Wire { stream, input } = wire;
        Side { stream, input, output: BytesMut::new(), chunk: LITTLE, short: 0, unflushed: false, passing: 0 }
    }

    /// Whether something is to be written.
    pub(super) fn waits(&self) -> bool {
        self.unflushed || !self.output.is_empty()
    }

    /// Reads once; 0 at the end.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.input.reserve(self.chunk);
        let room = self.input.capacity().saturating_sub(self.input.len());
        let read = ready!(pin!(self.stream.read_buf(&mut self.input)).poll(cx))?;
        self.adapt(read, room);
        Poll::Ready(Ok(read))
    }

    /// Sets how much is read the next time by what came this time.
    fn adapt(&mut self, read: usize, room: usize) {
        self.short = if read < LITTLE { self.short.saturating_add(1) } else { 0 };
        if read >= room {
            self.chunk = CHUNK;
        } else if self.short >= SHORT_READS && self.chunk > LITTLE {
            self.chunk = LITTLE;
        }
    }

    /// Whether this peer says little.
    pub(super) fn is_quiet(&self) -> bool {
        self.chunk == LITTLE
    }

    /// Gives back what two quiet peers do not need, where nothing stands in it.
    pub(super) fn trim(&mut self) {
        for buffer in [&mut self.input, &mut self.output] {
            if buffer.is_empty() && buffer.capacity() > LITTLE.saturating_mul(2) {
                *buffer = BytesMut::new();
            }
        }
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

    /// Whether the peer has closed its end.
    pub(super) fn is_left(&self) -> bool {
        self.stream.is_left()
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

    /// Says that nothing follows, and waits until the peer has closed its end too. What it says meanwhile is for nobody.
    pub(super) async fn outlast(&mut self) {
        if self.stream.shutdown().await.is_err() {
            return;
        }
        loop {
            self.input.clear();
            if !matches!(self.fill().await, Ok(1..)) {
                return;
            }
        }
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
    async fn what_is_read_at_once_follows_the_peer() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut peer, _) = listener.accept().await.unwrap();
        let mut side = Side::new(Wire::new(Stream::Plain(stream)));
        peer.write_all(&vec![1; 4 * CHUNK]).await.unwrap();
        let mut read = 0;
        while read < 4 * CHUNK {
            read += side.fill().await.unwrap();
        }
        assert!(!side.is_quiet());
        side.input.clear();
        for _ in 0..=SHORT_READS {
            peer.write_all(b"a").await.unwrap();
            side.fill().await.unwrap();
        }
        assert!(side.is_quiet());
        side.trim();
        assert!(side.input.capacity() > LITTLE, "what stands in it stays");
        side.input.clear();
        side.trim();
        assert!(side.input.capacity() <= LITTLE);
    }

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
