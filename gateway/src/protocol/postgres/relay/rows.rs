//! Masks on rows: from a RowDescription and a plan to what happens to each column of the rows that follow.

use bytes::{BufMut, BytesMut};

use super::message::{Fields, Malformed};
use crate::mask::{Column, Format, Mask, Masked, Masker, Origin, Plan};
use crate::protocol::postgres::wire::FRAME_HEADER;

/// What happens to the columns of a result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Columns {
    /// For each column its type and format, and its mask.
    columns: Vec<(Column, Option<Mask>)>,
    any: bool,
}

impl Columns {
    /// Reads a RowDescription under a plan, of the statement with that number in its text; and whether both agree.
    pub(super) fn describe(frame: &[u8], plan: &Plan, statement: usize) -> Result<(Self, bool), Malformed> {
        let mut fields = Fields::of(frame);
        let (mut types, mut origins) = (Vec::new(), Vec::new());
        for _ in 0..fields.u16()? {
            fields.text()?;
            let origin = Origin { table: fields.u32()?, column: fields.i16()? };
            let type_oid = fields.u32()?;
            fields.i16()?;
            fields.u32()?;
            let code = fields.i16()?;
            let format = Format::from_code(code).ok_or(Malformed("a column in a format that is not known"))?;
            types.push(Column { type_oid, format });
            origins.push(origin);
        }
        let (masks, agree) = plan.masks(statement, &origins);
        let any = masks.iter().any(Option::is_some);
        Ok((Columns { columns: types.into_iter().zip(masks).collect(), any }, agree))
    }

    /// Whether rows pass as they are.
    pub(super) fn pass(&self) -> bool {
        !self.any
    }

    /// Appends a DataRow with its masks applied, or nothing; how many values were masked.
    pub(super) fn mask(&self, frame: &[u8], masker: &Masker, out: &mut BytesMut) -> Result<u64, Malformed> {
        let start = out.len();
        let masked = self.put_row(frame, masker, out);
        match masked {
            Ok(_) => set_length(out, start),
            // Whoever is told of it still reads whole messages.
            Err(_) => out.truncate(start),
        }
        masked
    }

    /// Appends it without its length.
    fn put_row(&self, frame: &[u8], masker: &Masker, out: &mut BytesMut) -> Result<u64, Malformed> {
        let mut fields = Fields::of(frame);
        let count = fields.u16()?;
        if usize::from(count) != self.columns.len() {
            return Err(Malformed("a row has another number of columns than was described"));
        }
        out.put_slice(&[b'D', 0, 0, 0, 0]);
        out.put_u16(count);
        let mut masked = 0u64;
        for (column, mask) in &self.columns {
            let value = fields.value()?;
            // NULL is as any other value, where it may tell something.
            let value = if mask.is_some_and(Mask::hides_null) { value.or(Some(b"")) } else { value };
            match (value, mask) {
                (None, _) => out.put_i32(-1),
                (Some(value), None) => put_value(out, value),
                (Some(value), Some(mask)) => {
                    masked = masked.saturating_add(1);
                    let at = out.len();
                    out.put_i32(-1);
                    let from = out.len();
                    if masker.apply(*mask, *column, value, out) == Masked::Value {
                        let length = out.len().saturating_sub(from);
                        if let Some(place) = out.get_mut(at..from) {
                            place.copy_from_slice(&length_of(length).to_be_bytes());
                        }
                    }
                }
            }
        }
        Ok(masked)
    }
}

fn put_value(out: &mut BytesMut, value: &[u8]) {
    out.put_i32(length_of(value.len()));
    out.put_slice(value);
}

/// Values come from messages whose lengths are signed 32 bits, and masked ones are hardly longer.
fn length_of(value: usize) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// Writes the length of the message that begins at `start` and ends where the buffer does.
pub(super) fn set_length(out: &mut BytesMut, start: usize) {
    let length = out.len().saturating_sub(start).saturating_sub(1);
    if let Some(place) = out.get_mut(start.saturating_add(1)..start.saturating_add(FRAME_HEADER)) {
        place.copy_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use super::*;
    use crate::mask::{Answer, Masking};

    fn described(origins: &[(u32, i16)]) -> Vec<u8> {
        described_as(origins, 25, 0)
    }

    fn described_as(origins: &[(u32, i16)], type_oid: u32, format: i16) -> Vec<u8> {
        let mut frame = BytesMut::from(&b"T\0\0\0\0"[..]);
        frame.put_u16(u16::try_from(origins.len()).unwrap());
        for (table, column) in origins {
            frame.put_slice(b"c\0");
            frame.put_u32(*table);
            frame.put_i16(*column);
            frame.put_u32(type_oid);
            frame.put_i16(-1);
            frame.put_i32(-1);
            frame.put_i16(format);
        }
        frame.to_vec()
    }

    fn row(values: &[Option<&str>]) -> Vec<u8> {
        let mut frame = BytesMut::from(&b"D\0\0\0\0"[..]);
        frame.put_u16(u16::try_from(values.len()).unwrap());
        for value in values {
            match value {
                Some(value) => put_value(&mut frame, value.as_bytes()),
                None => frame.put_i32(-1),
            }
        }
        set_length(&mut frame, 0);
        frame.to_vec()
    }

    fn plan() -> Plan {
        Plan::Masked(Masking {
            answers: vec![Answer::Columns(vec![None, Some(Mask::PARTIAL), Some(Mask::Redact)])],
            origins: Arc::new(HashMap::from([(Origin { table: 9, column: 2 }, Mask::PARTIAL)])),
        })
    }

    #[test]
    fn columns_are_masked_by_place() {
        let (columns, agree) = Columns::describe(&described(&[(9, 1), (9, 2), (0, 0)]), &plan(), 0).unwrap();
        assert!(agree);
        let mut out = BytesMut::new();
        let values = [Some("id"), Some("123-45-6789"), Some("sum")];
        let masked = columns.mask(&row(&values), &Masker::new([0; 32]), &mut out).unwrap();
        assert_eq!(masked, 2);
        assert_eq!(&out[..], &row(&[Some("id"), Some("*******6789"), Some("[redacted]")])[..]);
        let cut = row(&values)[..20].to_vec();
        for malformed in [row(&[None]), cut] {
            let before = out.clone();
            assert!(columns.mask(&malformed, &Masker::new([0; 32]), &mut out).is_err());
            assert_eq!(out, before, "no part of a row is told");
        }
        let (columns, agree) = Columns::describe(&described(&[(9, 1)]), &plan(), 0).unwrap();
        assert!(!agree && !columns.pass(), "another number of columns is redacted");
    }

    #[test]
    fn null_shows_where_a_column_is_masked_and_not_where_something_was_computed() {
        for (mask, null) in [(Mask::Redact, None), (Mask::Whole, Some("[redacted]"))] {
            let plan = Plan::Masked(Masking { answers: vec![Answer::Columns(vec![Some(mask)])], ..Masking::default() });
            let (columns, _) = Columns::describe(&described(&[(0, 0)]), &plan, 0).unwrap();
            for (value, seen) in [(None, null), (Some("value"), Some("[redacted]"))] {
                let mut out = BytesMut::new();
                columns.mask(&row(&[value]), &Masker::new([0; 32]), &mut out).unwrap();
                assert_eq!(&out[..], &row(&[seen])[..], "{mask:?}");
            }
        }
    }

    #[test]
    fn a_value_is_masked_in_the_format_that_its_column_has() {
        let answers = vec![Answer::Columns(vec![Some(Mask::Bucket(10))])];
        let plan = Plan::Masked(Masking { answers, ..Masking::default() });
        for (format, value, expected) in [(0, "47", "40"), (1, "\0\0\0\u{2f}", "\0\0\0\u{28}")] {
            let (columns, _) = Columns::describe(&described_as(&[(9, 1)], 23, format), &plan, 0).unwrap();
            let mut out = BytesMut::new();
            columns.mask(&row(&[Some(value)]), &Masker::new([0; 32]), &mut out).unwrap();
            assert_eq!(&out[..], &row(&[Some(expected)])[..]);
        }
        assert!(Columns::describe(&described_as(&[(9, 1)], 23, 2), &plan, 0).is_err());
    }
}
