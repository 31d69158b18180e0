//! Rows of `COPY ... (FORMAT binary)`: a header, tuples of length-prefixed values, a trailer.

use bytes::{Buf as _, BufMut as _, BytesMut};

use super::{CopyError, Format, Limits, Masked, Masking, Piece};

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// Flags that a reader has to know; none is in use since PostgreSQL 12.
const CRITICAL: u32 = 0xffff_0000;

/// How long signature, flags and the length of the extension are.
const HEADER: usize = 19;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Expects {
    #[default]
    Header,
    /// A tuple's number of columns.
    Count,
    /// So many values of a tuple, the first of them at this place.
    Values(usize, usize),
    Nothing,
}

#[derive(Debug, Default)]
pub(super) struct Rows(Expects);

impl Rows {
    pub(super) fn next(&mut self, pending: &[u8], limits: &Limits) -> Result<Option<Piece>, CopyError> {
        loop {
            match self.0 {
                Expects::Header => {
                    let Some((mut header, rest)) = pending.split_at_checked(HEADER) else {
                        let same = pending.iter().zip(SIGNATURE).all(|(a, b)| a == b);
                        return if same { Ok(None) } else { Err(CopyError::Malformed("the signature")) };
                    };
                    if !header.starts_with(SIGNATURE) {
                        return Err(CopyError::Malformed("the signature"));
                    }
                    header.advance(SIGNATURE.len());
                    if header.get_u32() & CRITICAL != 0 {
                        return Err(CopyError::Malformed("a flag in its header that is not known"));
                    }
                    let extension = usize::try_from(header.get_i32());
                    let extension = extension.map_err(|_| CopyError::Malformed("the length of its header"))?;
                    let whole = HEADER.saturating_add(extension);
                    if whole > limits.row {
                        return Err(CopyError::TooLong(limits.row));
                    }
                    if rest.len() < extension {
                        return Ok(None);
                    }
                    self.0 = Expects::Count;
                    return Ok(Some(Piece::Pass(whole)));
                }
                Expects::Count => {
                    let Some(count) = pending.first_chunk().map(|bytes| i16::from_be_bytes(*bytes)) else {
                        return Ok(None);
                    };
                    if count == -1 {
                        self.0 = Expects::Nothing;
                        return Ok(Some(Piece::Pass(2)));
                    }
                    if usize::try_from(count) != Ok(limits.columns) {
                        return Err(CopyError::Columns(limits.columns));
                    }
                    self.0 = Expects::Values(limits.columns, 2);
                }
                Expects::Values(0, end) => {
                    self.0 = Expects::Count;
                    return Ok(Some(Piece::Row(end)));
                }
                Expects::Values(left, at) => {
                    let Some(length) = pending.get(at..).and_then(<[u8]>::first_chunk) else { return Ok(None) };
                    let length = match i32::from_be_bytes(*length) {
                        -1 => 0,
                        length => usize::try_from(length).map_err(|_| CopyError::Malformed("the length of a value"))?,
                    };
                    let end = at.saturating_add(4).saturating_add(length);
                    if end > limits.row {
                        return Err(CopyError::TooLong(limits.row));
                    }
                    if pending.len() < end {
                        return Ok(None);
                    }
                    self.0 = Expects::Values(left.saturating_sub(1), end);
                }
                Expects::Nothing if pending.is_empty() => return Ok(None),
                Expects::Nothing => return Err(CopyError::Malformed("a row after its end")),
            }
        }
    }

    pub(super) fn finish(&mut self, pending: usize) -> Result<Option<Piece>, CopyError> {
        match self.0 {
            Expects::Nothing => Ok(None),
            // A server that fails sends no trailer, and says so instead: the stream is not finished then. An older one may
            // leave it out.
            Expects::Count if pending == 0 => Ok(None),
            _ => Err(CopyError::Malformed("it ended within a row")),
        }
    }
}

/// Masks a whole tuple.
pub(super) fn mask(row: &[u8], masking: &mut Masking<'_>, out: &mut BytesMut) -> Result<(), CopyError> {
    const SHORT: CopyError = CopyError::Malformed("the length of a value");
    let (count, mut rest) = row.split_at_checked(2).ok_or(SHORT)?;
    out.put_slice(count);
    let mut column = 0usize;
    while let Ok(length) = rest.try_get_i32() {
        let value = match usize::try_from(length) {
            Ok(length) => {
                let (value, more) = rest.split_at_checked(length).ok_or(SHORT)?;
                rest = more;
                Some(value)
            }
            Err(_) => None,
        };
        let at = out.len();
        out.put_i32(length);
        let mask = masking.mask(column)?;
        // NULL is as any other value, where it may tell something.
        let value = if mask.is_some_and(|(_, mask)| mask.hides_null()) { value.or(Some(b"")) } else { value };
        match (value, mask) {
            (None, _) => {}
            (Some(value), None) => out.put_slice(value),
            (Some(value), Some(mask)) => {
                let start = out.len();
                let length = match masking.apply(mask, Format::Binary, value, out) {
                    Masked::Value => i32::try_from(out.len().saturating_sub(start)).map_err(|_| SHORT)?,
                    Masked::Null => -1,
                };
                if let Some(place) = out.get_mut(at..start) {
                    place.copy_from_slice(&length.to_be_bytes());
                }
            }
        }
        column = column.saturating_add(1);
    }
    masking.end(column)
}
