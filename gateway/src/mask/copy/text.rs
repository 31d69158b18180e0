//! Rows of `COPY ... (FORMAT text)`, as `CopyAttributeOutText` writes and `CopyReadAttributesText` reads them.

use bytes::{BufMut as _, BytesMut};

use super::{CopyError, Format, Masked, Masking, Piece, TextOptions};

/// Says that the data is over, in protocols before 3 and in files.
const END: &[u8] = b"\\.";

#[derive(Debug)]
pub(super) struct Rows {
    options: TextOptions,
    /// Up to where the buffer was searched for the end of the row.
    searched: usize,
    /// The header is still to come.
    header: bool,
    ended: bool,
    value: BytesMut,
    masked: BytesMut,
}

impl Rows {
    pub(super) fn new(options: TextOptions) -> Result<Self, CopyError> {
        let delimiter = options.delimiter;
        if !delimiter.is_ascii() || matches!(delimiter, b'\\' | b'.' | b'\r' | b'\n' | 0) {
            return Err(CopyError::Options("the delimiter"));
        }
        if delimiter.is_ascii_lowercase() || delimiter.is_ascii_digit() {
            return Err(CopyError::Options("the delimiter is what can follow a backslash"));
        }
        if options.null.iter().any(|byte| [delimiter, b'\r', b'\n'].contains(byte)) {
            return Err(CopyError::Options("the text for NULL"));
        }
        // It would make the delimiter, or the end of the row, part of the value.
        if options.null.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1 {
            return Err(CopyError::Options("the text for NULL ends within an escape"));
        }
        let header = options.header;
        let (value, masked) = (BytesMut::new(), BytesMut::new());
        Ok(Rows { options, searched: 0, header, ended: false, value, masked })
    }

    /// Whether a value can be written as NULL is. Whoever chose such a text could ask which values are it: they would
    /// pass as NULLs do.
    pub(super) fn null_is_a_value(&self) -> bool {
        let (mut value, mut written) = (BytesMut::new(), BytesMut::new());
        unescape(&self.options.null, &mut value);
        escape(&value, self.options.delimiter, &mut written);
        // An empty one tells nothing.
        !written.is_empty() && written == self.options.null[..]
    }

    pub(super) fn next(&mut self, pending: &[u8]) -> Result<Option<Piece>, CopyError> {
        if self.ended && !pending.is_empty() {
            return Err(CopyError::Malformed("a row after its end"));
        }
        while let Some(rest) = pending.get(self.searched..) {
            let Some(found) = memchr::memchr2(b'\\', b'\n', rest) else {
                self.searched = pending.len();
                return Ok(None);
            };
            let at = self.searched.saturating_add(found);
            if pending.get(at) == Some(&b'\n') {
                self.searched = 0;
                return Ok(Some(self.piece(pending, at.saturating_add(1))));
            }
            if at.saturating_add(1) >= pending.len() {
                // What the backslash belongs to is not there yet.
                self.searched = at;
                return Ok(None);
            }
            self.searched = at.saturating_add(2);
        }
        Ok(None)
    }

    /// A row without its end is the last one.
    pub(super) fn finish(&mut self, pending: &[u8]) -> Result<Option<Piece>, CopyError> {
        if pending.is_empty() {
            return Ok(None);
        }
        Ok(Some(self.piece(pending, pending.len())))
    }

    fn piece(&mut self, pending: &[u8], length: usize) -> Piece {
        let row = pending.get(..length).unwrap_or_default();
        if std::mem::take(&mut self.header) {
            return Piece::Pass(length);
        }
        if row.strip_suffix(b"\n").unwrap_or(row) == END {
            self.ended = true;
            return Piece::Pass(length);
        }
        Piece::Row(length)
    }

    pub(super) fn mask(&mut self, row: &[u8], masking: &mut Masking<'_>, out: &mut BytesMut) -> Result<(), CopyError> {
        let (mut rest, end) = match row.strip_suffix(b"\n") {
            Some(fields) => (fields, &b"\n"[..]),
            None => (row, &b""[..]),
        };
        let mut column = 0usize;
        loop {
            let length = field(rest, self.options.delimiter);
            let (raw, more) = rest.split_at_checked(length).unwrap_or((rest, b""));
            match masking.mask(column)? {
                Some(mask) if raw != self.options.null || mask.1.hides_null() => {
                    self.value.clear();
                    self.masked.clear();
                    unescape(raw, &mut self.value);
                    match masking.apply(mask, Format::Text, &self.value, &mut self.masked) {
                        Masked::Value => escape(&self.masked, self.options.delimiter, out),
                        Masked::Null => out.put_slice(&self.options.null),
                    }
                }
                _ => out.put_slice(raw),
            }
            column = column.saturating_add(1);
            let Some((delimiter, more)) = more.split_first() else { break };
            out.put_u8(*delimiter);
            rest = more;
        }
        out.put_slice(end);
        masking.end(column)
    }
}

/// How long the first field is.
fn field(row: &[u8], delimiter: u8) -> usize {
    let mut at = 0usize;
    while let Some(found) = row.get(at..).and_then(|rest| memchr::memchr2(b'\\', delimiter, rest)) {
        at = at.saturating_add(found);
        if row.get(at) == Some(&delimiter) {
            return at;
        }
        at = at.saturating_add(2);
    }
    row.len()
}

fn unescape(raw: &[u8], value: &mut BytesMut) {
    let mut rest = raw;
    while let Some((byte, more)) = rest.split_first() {
        rest = more;
        if *byte != b'\\' {
            value.put_u8(*byte);
            continue;
        }
        let Some((escaped, more)) = rest.split_first() else {
            value.put_u8(b'\\');
            break;
        };
        rest = more;
        let byte = match escaped {
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 11,
            b'0'..=b'7' => number(u32::from(escaped & 7), 8, 2, &mut rest),
            b'x' if rest.first().is_some_and(u8::is_ascii_hexdigit) => number(0, 16, 2, &mut rest),
            other => *other,
        };
        value.put_u8(byte);
    }
}

/// Up to `most` more digits; as in the server, only the last eight bits count.
fn number(mut value: u32, radix: u32, most: usize, rest: &mut &[u8]) -> u8 {
    for _ in 0..most {
        let Some((first, more)) = rest.split_first() else { break };
        let Some(digit) = char::from(*first).to_digit(radix) else { break };
        value = value.wrapping_mul(radix).wrapping_add(digit);
        *rest = more;
    }
    value.to_le_bytes().first().copied().unwrap_or_default()
}

fn escape(value: &[u8], delimiter: u8, out: &mut BytesMut) {
    for byte in value {
        let letter = match byte {
            8 => b'b',
            12 => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            11 => b'v',
            b'\\' => b'\\',
            byte if *byte == delimiter => delimiter,
            byte => {
                out.put_u8(*byte);
                continue;
            }
        };
        out.put_slice(&[b'\\', letter]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_are_read_as_the_server_reads_them() {
        let mut value = BytesMut::new();
        unescape(br"a\tb\\\N\101\x41\x4g\xg\777\.\", &mut value);
        assert_eq!(&value[..], b"a\tb\\NAA\x04gxg\xff.\\");
    }

    proptest! {
        #[test]
        fn what_is_escaped_is_read_again(bytes: Vec<u8>, delimiter in prop::sample::select(b"\t|,;\x01A".to_vec())) {
            let (mut escaped, mut value) = (BytesMut::new(), BytesMut::new());
            escape(&bytes, delimiter, &mut escaped);
            prop_assert_eq!(field(&escaped, delimiter), escaped.len());
            unescape(&escaped, &mut value);
            prop_assert_eq!(&value[..], &bytes[..]);
        }
    }
}
