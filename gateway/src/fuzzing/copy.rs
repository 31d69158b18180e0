//! COPY data in every format through the masks: as it may come from anywhere, and as a server writes it.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "what does not hold has to be seen")]

use bytes::{BufMut as _, BytesMut};

use crate::mask::copy::{CopyColumn, CopyError, CopyMasker, CsvOptions, Layout, TextOptions};
use crate::mask::{Column, Format, Mask, Masked, Masker};

const TYPES: [u32; 6] = [25, 23, 1114, 1700, 2950, 17];
const MASKS: [&str; 7] = ["redact", "null", "partial", "hash", "constant:a,\"\\b", "tokenise", "date:year"];

/// How much a row may take.
const LIMIT: usize = 4096;

/// What a run is made of: taken off the front of its data.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn one_of<T: Clone>(&mut self, of: &[T]) -> T {
        let at = usize::from(self.byte()) % of.len();
        of[at].clone()
    }
}

/// Pieces make no difference; nothing that is wrong goes further. Of rows that a server could have written, masked cells are their masks, and
/// all else is the bytes that came.
pub fn copy(data: &[u8]) {
    let mut choices = Choices(data);
    let layout = layout(&mut choices);
    let written = choices.byte() % 2 == 1;
    let columns: Vec<CopyColumn> = (0..choices.byte() % 5).map(|_| column(&mut choices)).collect();
    let cuts = [choices.byte(), choices.byte(), choices.byte()];
    if CopyMasker::new(layout.clone(), columns.clone(), LIMIT).is_err() {
        return;
    }
    if written {
        rows_of_a_server(&layout, &columns, cuts, choices);
    } else {
        any_bytes(&layout, &columns, cuts, choices.0);
    }
}

fn layout(choices: &mut Choices<'_>) -> Layout {
    let kind = choices.byte();
    let odd = kind & 4 != 0;
    match (kind & 3, odd) {
        (0, false) => Layout::Text(TextOptions::default()),
        (0, true) => Layout::Text(TextOptions {
            delimiter: choices.byte(),
            null: vec![choices.byte(), choices.byte()],
            header: kind & 8 != 0,
        }),
        (1, false) => Layout::Csv(CsvOptions::default()),
        (1, true) => Layout::Csv(CsvOptions {
            delimiter: choices.byte(),
            quote: choices.byte(),
            escape: choices.byte(),
            null: if kind & 16 != 0 { vec![choices.byte()] } else { Vec::new() },
            header: kind & 8 != 0,
            force_quote: vec![kind & 32 != 0, kind & 64 != 0],
        }),
        _ => Layout::Binary,
    }
}

fn column(choices: &mut Choices<'_>) -> CopyColumn {
    let masked = choices.byte() % 2 == 1;
    let mask: Option<Mask> = masked.then(|| choices.one_of(&MASKS).parse().expect("a mask that policies may name"));
    CopyColumn { type_oid: choices.one_of(&TYPES), mask }
}

fn masker() -> Masker {
    Masker::new([7; 32])
}

/// What comes out of a stream that comes in pieces of these lengths, again and again; 0: all of it.
fn run(layout: &Layout, columns: &[CopyColumn], cuts: &[u8], mut bytes: &[u8]) -> (BytesMut, Result<(), CopyError>) {
    let mut copy = CopyMasker::new(layout.clone(), columns.to_vec(), LIMIT).expect("tried before");
    let (masker, mut out) = (masker(), BytesMut::new());
    for cut in cuts.iter().cycle() {
        let length = if *cut == 0 { bytes.len() } else { usize::from(*cut).min(bytes.len()) };
        let (piece, rest) = bytes.split_at(length);
        bytes = rest;
        if let Err(error) = copy.push(piece, &masker, &mut out) {
            assert_eq!(copy.push(b"more", &masker, &mut out), Err(CopyError::Failed));
            assert_eq!(copy.finish(&masker, &mut out), Err(CopyError::Failed));
            return (out, Err(error));
        }
        if bytes.is_empty() {
            break;
        }
    }
    let done = copy.finish(&masker, &mut out);
    (out, done)
}

fn any_bytes(layout: &Layout, columns: &[CopyColumn], cuts: [u8; 3], bytes: &[u8]) {
    let (whole, done) = run(layout, columns, &[0], bytes);
    let (pieces, also) = run(layout, columns, &cuts, bytes);
    assert_eq!(whole, pieces);
    assert_eq!(done.is_ok(), also.is_ok());
    if columns.iter().all(|column| column.mask.is_none()) {
        assert_eq!((&whole[..], done), (bytes, Ok(())), "nothing is masked, so nothing is looked at");
    }
}

type Row = Vec<Option<Vec<u8>>>;

fn rows_of_a_server(layout: &Layout, columns: &[CopyColumn], cuts: [u8; 3], mut choices: Choices<'_>) {
    if columns.is_empty() {
        return;
    }
    let header = match layout {
        Layout::Text(options) => options.header,
        Layout::Csv(options) => options.header,
        Layout::Binary => false,
    };
    let mut rows: Vec<Row> = Vec::new();
    while !choices.0.is_empty() && rows.len() < 16 {
        rows.push(columns.iter().map(|column| cell(&mut choices, layout, column)).collect());
    }
    let masked: Vec<Row> = rows
        .iter()
        .enumerate()
        .map(|(number, row)| if header && number == 0 { row.clone() } else { masked(row, columns, layout) })
        .collect();
    let (bytes, expected) = (write(layout, &rows), write(layout, &masked));
    let (out, done) = run(layout, columns, &cuts, &bytes);
    assert_eq!(done, Ok(()));
    assert_eq!(out.escape_ascii().to_string(), expected.escape_ascii().to_string());
}

/// NULL, or what a value of the column may look like: whether it is one, the masks have to find out.
fn cell(choices: &mut Choices<'_>, layout: &Layout, column: &CopyColumn) -> Option<Vec<u8>> {
    let length = choices.byte();
    if length == 0xff {
        return None;
    }
    let mut value: Vec<u8> = (0..length % 16).map(|_| choices.byte()).collect();
    if !matches!(layout, Layout::Binary) {
        // No server has a zero, or half a character, in a text.
        value.retain(|byte| *byte != 0);
        value = String::from_utf8_lossy(&value).into_owned().into_bytes();
    }
    // A server writes no empty number.
    if value.is_empty() && column.type_oid != 25 {
        value.push(b'1');
    }
    Some(value)
}

fn masked(row: &Row, columns: &[CopyColumn], layout: &Layout) -> Row {
    let format = if matches!(layout, Layout::Binary) { Format::Binary } else { Format::Text };
    let one = |(value, column): (&Option<Vec<u8>>, &CopyColumn)| match (value, column.mask) {
        (Some(value), Some(mask)) => {
            let mut out = BytesMut::new();
            let column = Column { type_oid: column.type_oid, format };
            let done = masker().apply(mask, column, value, &mut out);
            if matches!(mask, Mask::Hash | Mask::Tokenise | Mask::Partial(_)) && done == Masked::Value {
                assert_ne!(&out[..], &value[..], "a mask that shows the value");
            }
            (done == Masked::Value).then(|| out.to_vec())
        }
        _ => value.clone(),
    };
    row.iter().zip(columns).map(one).collect()
}

/// As `CopyOneRowTo` writes rows.
fn write(layout: &Layout, rows: &[Row]) -> Vec<u8> {
    let mut out = Vec::new();
    if matches!(layout, Layout::Binary) {
        out.put_slice(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\x02xx");
    }
    for row in rows {
        if matches!(layout, Layout::Binary) {
            out.put_u16(u16::try_from(row.len()).expect("a few columns"));
        }
        for (number, value) in row.iter().enumerate() {
            match layout {
                Layout::Text(options) => text(options, number, value.as_deref(), &mut out),
                Layout::Csv(options) => csv(options, (number, row.len() == 1), value.as_deref(), &mut out),
                Layout::Binary => {
                    let length = |value: &Vec<u8>| i32::try_from(value.len()).expect("a short value");
                    out.put_i32(value.as_ref().map_or(-1, length));
                    out.put_slice(value.as_deref().unwrap_or_default());
                }
            }
        }
        if !matches!(layout, Layout::Binary) {
            out.put_u8(b'\n');
        }
    }
    if matches!(layout, Layout::Binary) {
        out.put_i16(-1);
    }
    out
}

fn text(options: &TextOptions, number: usize, value: Option<&[u8]>, out: &mut Vec<u8>) {
    if number > 0 {
        out.put_u8(options.delimiter);
    }
    let Some(value) = value else { return out.put_slice(&options.null) };
    for byte in value {
        let letter = match byte {
            b'\x08' => b'b',
            b'\x0c' => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            b'\x0b' => b'v',
            b'\\' => b'\\',
            other => *other,
        };
        // What has a letter is written with it, and if it is the delimiter.
        if letter != *byte {
            out.put_slice(&[b'\\', letter]);
        } else if *byte == options.delimiter || *byte == b'\\' {
            out.put_slice(&[b'\\', *byte]);
        } else {
            out.put_u8(*byte);
        }
    }
}

fn csv(options: &CsvOptions, (number, only): (usize, bool), value: Option<&[u8]>, out: &mut Vec<u8>) {
    if number > 0 {
        out.put_u8(options.delimiter);
    }
    let Some(value) = value else { return out.put_slice(&options.null) };
    let special = [options.delimiter, options.quote, b'\n', b'\r'];
    let quoted = options.force_quote.get(number).copied().unwrap_or(false)
        || value == options.null
        || (only && value == b"\\.")
        || value.iter().any(|byte| special.contains(byte));
    if !quoted {
        return out.put_slice(value);
    }
    out.put_u8(options.quote);
    for byte in value {
        if *byte == options.quote || *byte == options.escape {
            out.put_u8(options.escape);
        }
        out.put_u8(*byte);
    }
    out.put_u8(options.quote);
}
