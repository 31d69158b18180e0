//! COPY to the client: data that no mask touches passes as it comes; the rest goes through a masker, whatever messages it
//! comes in.

use bytes::{Buf as _, BufMut as _, BytesMut};

use super::message::{Fields, Head, MAX_WHOLE, Malformed};
use super::rows::set_length;
use super::side::CHUNK;
use super::{Relay, RelayError};
use crate::mask::copy::{CopyError, CopyMasker};
use crate::mask::{Announced, Masker};
use crate::protocol::postgres::wire::FRAME_HEADER;

const DATA: u8 = b'd';

/// The stream of the command whose answer comes now.
#[derive(Debug, Default)]
pub(super) enum Stream {
    /// There is none.
    #[default]
    None,
    /// Nothing in it is masked.
    Passes,
    /// Every row is read.
    Masked(Box<Masked>),
}

/// A stream that is masked.
#[derive(Debug)]
pub(super) struct Masked {
    masker: CopyMasker,
    /// Bytes of a message that is not wholly there yet.
    due: usize,
    /// What has become of that message.
    out: BytesMut,
}

impl Masked {
    fn new(masker: CopyMasker) -> Self {
        Masked { masker, due: 0, out: BytesMut::new() }
    }

    /// Takes from `input` what is there of the data, and appends what may go on to `output`; whether anything more can be taken. A
    /// message whose rows are whole stays one message, as clients expect.
    fn take(
        &mut self,
        head: Option<Head>,
        input: &mut BytesMut,
        masker: &Masker,
        output: &mut BytesMut,
    ) -> Result<bool, CopyError> {
        if let Some(head) = head {
            if input.len() >= head.whole {
                let message = input.split_to(head.whole);
                let start = begin(output);
                let done = self.masker.push(message.get(FRAME_HEADER..).unwrap_or_default(), masker, output);
                end(output, start, done.is_ok());
                return done.map(|()| true);
            }
            if head.whole <= CHUNK {
                return Ok(false);
            }
            input.advance(FRAME_HEADER.min(input.len()));
            self.due = head.whole.saturating_sub(FRAME_HEADER);
        }
        let now = self.due.min(input.len());
        self.masker.push(&input.split_to(now), masker, &mut self.out)?;
        self.due = self.due.saturating_sub(now);
        if self.due == 0 || self.out.len() >= CHUNK {
            self.flush(output);
        }
        Ok(self.due == 0)
    }

    fn flush(&mut self, output: &mut BytesMut) {
        let start = begin(output);
        output.extend_from_slice(&self.out);
        self.out.clear();
        end(output, start, true);
    }

    fn finish(&mut self, masker: &Masker, output: &mut BytesMut) -> Result<(), CopyError> {
        let start = begin(output);
        let done = self.masker.finish(masker, output);
        end(output, start, done.is_ok());
        done
    }
}

/// Begins a message of data.
fn begin(output: &mut BytesMut) -> usize {
    let start = output.len();
    output.put_slice(&[DATA, 0, 0, 0, 0]);
    start
}

/// Ends it; an empty one does not go out, and neither does one that is not `whole`.
fn end(output: &mut BytesMut, start: usize, whole: bool) {
    if !whole || output.len() <= start.saturating_add(FRAME_HEADER) {
        output.truncate(start);
    } else {
        set_length(output, start);
    }
}

impl Relay {
    /// Reads a CopyOutResponse.
    pub(super) fn stream_begins(&mut self, message: &[u8]) -> Result<(), RelayError> {
        let announced = announced(message).map_err(RelayError::Server)?;
        let Some(running) = self.running() else { return Err(super::server::UNASKED) };
        let (masker, agree) = running.plan.stream(running.statement, announced, MAX_WHOLE)?;
        if !matches!(self.queue.stream, Stream::None) {
            return Err(super::server::UNASKED);
        }
        self.queue.stream = masker.map_or(Stream::Passes, |masker| Stream::Masked(Box::new(Masked::new(masker))));
        self.agreed(agree);
        Ok(())
    }

    /// Whether a message of masked data is not wholly there yet.
    pub(super) fn is_within_data(&self) -> bool {
        matches!(&self.queue.stream, Stream::Masked(masked) if masked.due > 0)
    }

    /// Masks data: of the message with that head, or what is still due of one; whether anything more can be taken.
    pub(super) fn masked_data(&mut self, head: Option<Head>) -> Result<bool, RelayError> {
        let Stream::Masked(masked) = &mut self.queue.stream else { return Err(super::server::UNASKED) };
        let before = self.client.output.len();
        let more = masked.take(head, &mut self.server.input, &self.masker, &mut self.client.output);
        self.streamed(before);
        Ok(more?)
    }

    /// The server has said that the data is over.
    pub(super) fn stream_ends(&mut self) -> Result<(), RelayError> {
        let before = self.client.output.len();
        if let Stream::Masked(masked) = &mut self.queue.stream {
            masked.finish(&self.masker, &mut self.client.output)?;
            self.streamed(before);
        }
        self.stream_is_over();
        Ok(())
    }

    /// Whether data has been announced and not ended.
    pub(super) fn is_streaming(&self) -> bool {
        !matches!(self.queue.stream, Stream::None)
    }

    /// Nothing more of the stream goes on.
    pub(super) fn stream_is_over(&mut self) {
        let Stream::Masked(masked) = std::mem::take(&mut self.queue.stream) else { return };
        if let Some(running) = self.running() {
            let outcome = &mut running.outcome;
            outcome.rows = outcome.rows.saturating_add(masked.masker.rows());
            outcome.masked = outcome.masked.saturating_add(masked.masker.masked());
        }
    }

    fn streamed(&mut self, before: usize) {
        let written = u64::try_from(self.client.output.len().saturating_sub(before)).unwrap_or(u64::MAX);
        if let Some(running) = self.running() {
            running.outcome.bytes = running.outcome.bytes.saturating_add(written);
        }
    }
}

fn announced(message: &[u8]) -> Result<Announced, Malformed> {
    let mut fields = Fields::of(message);
    let binary = match fields.u8()? {
        0 => false,
        1 => true,
        _ => return Err(Malformed("COPY in a format that is not known")),
    };
    let columns = fields.u16()?;
    for _ in 0..columns {
        if fields.i16()? != i16::from(binary) {
            return Err(Malformed("COPY in two formats at once"));
        }
    }
    Ok(Announced { columns: columns.into(), binary })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mask::copy::{CopyColumn, Layout, TextOptions};
    use crate::mask::{Column, Format, Mask};
    use crate::protocol::postgres::relay::message::head;

    fn framed(body: &[u8]) -> Vec<u8> {
        let mut out = BytesMut::new();
        let start = begin(&mut out);
        out.extend_from_slice(body);
        set_length(&mut out, start);
        out.to_vec()
    }

    /// The messages that come of this input, which arrives in pieces of `step` bytes.
    fn masked(input: &[u8], step: usize) -> Vec<Vec<u8>> {
        let columns = [None, Some(Mask::PARTIAL)].map(|mask| CopyColumn { type_oid: 25, mask }).to_vec();
        let masker = CopyMasker::new(Layout::Text(TextOptions::default()), columns, 1 << 20).unwrap();
        let (mut masked, key) = (Masked::new(masker), Masker::new([0; 32]));
        let (mut input_buffer, mut output) = (BytesMut::new(), BytesMut::new());
        for piece in input.chunks(step) {
            input_buffer.extend_from_slice(piece);
            loop {
                let next = if masked.due > 0 { None } else { head(&input_buffer).unwrap() };
                if masked.due == 0 && next.is_none() {
                    break;
                }
                if !masked.take(next, &mut input_buffer, &key, &mut output).unwrap() {
                    break;
                }
            }
        }
        masked.finish(&key, &mut output).unwrap();
        assert!(input_buffer.is_empty() && masked.due == 0);
        let mut messages = Vec::new();
        while let Some(head) = head(&output).unwrap() {
            assert_eq!(head.tag, DATA);
            messages.push(output.split_to(head.whole)[FRAME_HEADER..].to_vec());
        }
        assert!(output.is_empty());
        messages
    }

    #[test]
    fn a_row_a_message_stays_that() {
        let input = [framed(b"1\t123-45-6789\n"), framed(b"2\t\\N\n")].concat();
        for step in [1, 7, 1000] {
            assert_eq!(masked(&input, step), [&b"1\t*******6789\n"[..], b"2\t\\N\n"], "{step}");
        }
    }

    #[test]
    fn a_row_longer_than_is_read_at_once_stays_one_message() {
        let long = "x".repeat(CHUNK * 2);
        let input = framed(format!("1\t123-45-6789\n{long}\ty\n").as_bytes());
        let messages = masked(&input, CHUNK);
        assert_eq!(messages.concat().len(), input.len() - FRAME_HEADER);
        assert!(messages.concat().starts_with(b"1\t*******6789\nxxx") && messages.len() == 1, "{}", messages.len());
    }

    proptest! {
        #[test]
        fn whatever_messages_rows_come_in_they_are_masked(
            rows in prop::collection::vec("[a-z\\\\|]{0,5}\t[a-z0-9]{5,30}", 0..20),
            cuts in prop::collection::vec(1usize..40, 1..40),
            step in 1usize..100,
        ) {
            let rows: Vec<String> = rows.iter().map(|row| row.replace('\\', "\\\\")).collect();
            let whole: String = rows.iter().map(|row| format!("{row}\n")).collect();
            let (mut rest, mut input) = (whole.as_bytes(), Vec::new());
            let mut cuts = cuts.iter().cycle();
            while !rest.is_empty() {
                let (piece, more) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                input.extend(framed(piece));
                rest = more;
            }
            let expected: String = rows.iter().map(|row| {
                let (id, value) = row.split_once('\t').unwrap();
                let mut masked = BytesMut::new();
                let column = Column { type_oid: 25, format: Format::Text };
                Masker::new([0; 32]).apply(Mask::PARTIAL, column, value.as_bytes(), &mut masked);
                format!("{id}\t{}\n", std::str::from_utf8(&masked).unwrap())
            }).collect();
            prop_assert_eq!(masked(&input, step).concat(), expected.into_bytes());
        }
    }
}
