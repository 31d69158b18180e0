//! Rows of `COPY ... (FORMAT csv)`, as `CopyAttributeOutCSV` writes and `CopyReadAttributesCSV` reads them.

use bytes::{BufMut as _, BytesMut};

use super::{CopyError, CsvOptions, Format, Masked, Masking, Piece};

#[derive(Debug)]
pub(super) struct Rows {
    options: CsvOptions,
    /// Up to where the buffer was searched for the end of the row, and what was found there.
    searched: usize,
    quoted: bool,
    escaped: bool,
    /// The header is still to come.
    header: bool,
    value: BytesMut,
    masked: BytesMut,
}

/// A field as it stands in a row.
struct Field {
    length: usize,
    /// A quoted one is not NULL.
    quoted: bool,
}

impl Rows {
    pub(super) fn new(options: CsvOptions) -> Result<Self, CopyError> {
        let CsvOptions { delimiter, quote, escape, .. } = options;
        if [delimiter, quote, escape].iter().any(|byte| !byte.is_ascii() || matches!(byte, b'\r' | b'\n' | 0)) {
            return Err(CopyError::Options("the delimiter, the quote or the escape character"));
        }
        if delimiter == quote {
            return Err(CopyError::Options("the delimiter is the quote"));
        }
        if options.null.iter().any(|byte| [delimiter, quote, b'\r', b'\n'].contains(byte)) {
            return Err(CopyError::Options("the text for NULL"));
        }
        let header = options.header;
        let (value, masked) = (BytesMut::new(), BytesMut::new());
        Ok(Rows { options, searched: 0, quoted: false, escaped: false, header, value, masked })
    }

    pub(super) fn next(&mut self, pending: &[u8]) -> Option<Piece> {
        let CsvOptions { quote, escape, .. } = self.options;
        for byte in pending.get(self.searched..).unwrap_or_default() {
            self.searched = self.searched.saturating_add(1);
            if *byte == b'\n' && !self.quoted {
                let length = std::mem::take(&mut self.searched);
                self.escaped = false;
                return Some(self.piece(length));
            }
            // Where quote and escape are the same, a doubled one ends the quotes and begins them again.
            let escapes = escape != quote && self.quoted && *byte == escape && !self.escaped;
            if *byte == quote && !self.escaped {
                self.quoted = !self.quoted;
            }
            self.escaped = escapes;
        }
        None
    }

    pub(super) fn finish(&mut self, length: usize) -> Result<Option<Piece>, CopyError> {
        if self.quoted {
            return Err(CopyError::Malformed("it ended within quotes"));
        }
        Ok((length > 0).then(|| self.piece(length)))
    }

    fn piece(&mut self, length: usize) -> Piece {
        if std::mem::take(&mut self.header) { Piece::Pass(length) } else { Piece::Row(length) }
    }

    pub(super) fn mask(&mut self, row: &[u8], masking: &mut Masking<'_>, out: &mut BytesMut) -> Result<(), CopyError> {
        let (mut rest, end) = match row.strip_suffix(b"\n") {
            Some(fields) => (fields, &b"\n"[..]),
            None => (row, &b""[..]),
        };
        let mut column = 0usize;
        loop {
            self.value.clear();
            let field = self.field(rest);
            let (raw, more) = rest.split_at_checked(field.length).unwrap_or((rest, b""));
            match masking.mask(column)? {
                Some(mask) if field.quoted || raw != self.options.null || mask.1.hides_null() => {
                    self.masked.clear();
                    match masking.apply(mask, Format::Text, &self.value, &mut self.masked) {
                        Masked::Value => self.put(column, masking.columns.len() == 1, out),
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

    /// Reads the first field into `value`.
    fn field(&mut self, row: &[u8]) -> Field {
        let CsvOptions { delimiter, quote, escape, .. } = self.options;
        let (mut length, mut within, mut quoted) = (0usize, false, false);
        let mut bytes = row.iter().peekable();
        while let Some(byte) = bytes.next() {
            if !within && *byte == delimiter {
                break;
            }
            length = length.saturating_add(1);
            if within
                && *byte == escape
                && let Some(next) = bytes.next_if(|next| **next == quote || **next == escape)
            {
                length = length.saturating_add(1);
                self.value.put_u8(*next);
                continue;
            }
            if *byte == quote {
                within = !within;
                quoted = true;
            } else {
                self.value.put_u8(*byte);
            }
        }
        Field { length, quoted }
    }

    /// Appends the masked value, in quotes where the server would have written it so.
    fn put(&self, column: usize, only: bool, out: &mut BytesMut) {
        let CsvOptions { delimiter, quote, escape, .. } = self.options;
        let forced = self.options.force_quote.get(column).copied().unwrap_or(false);
        let value = &self.masked[..];
        let quoted = forced
            || value == self.options.null
            || (only && value == b"\\.")
            || value.iter().any(|byte| [delimiter, quote, b'\n', b'\r'].contains(byte));
        if !quoted {
            out.put_slice(value);
            return;
        }
        out.put_u8(quote);
        for byte in value {
            if *byte == quote || *byte == escape {
                out.put_u8(escape);
            }
            out.put_u8(*byte);
        }
        out.put_u8(quote);
    }
}
