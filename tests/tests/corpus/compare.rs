//! Whether rows that came through the gateway are the direct ones with masks, and nothing else.

use crate::client::{Message, show};
use crate::play::{Played, settled};
use crate::search::Search;

/// What stands for a value of a type that cannot hold a text, beside NULL.
const CONSTANTS: [&str; 13] = [
    "[redacted]",
    "\"[redacted]\"",
    // jsonb's binary format begins with a version.
    "\u{1}\"[redacted]\"",
    "0",
    "0.00",
    "f",
    "{}",
    "[]",
    "{[redacted]}",
    "null",
    "1970-01-01",
    "2000-01-01",
    "",
];

/// Whether `seen` may stand for `direct`.
fn is_mask(direct: Option<&[u8]>, seen: Option<&[u8]>) -> bool {
    let Some(seen) = seen else { return true };
    if CONSTANTS.iter().any(|constant| constant.as_bytes() == seen) || seen.iter().all(|byte| *byte == 0) {
        return true;
    }
    let Some(Ok(direct)) = direct.map(std::str::from_utf8) else { return false };
    let hidden = direct.chars().count().saturating_sub(4);
    let partial: String = "*".repeat(hidden).chars().chain(direct.chars().skip(hidden)).collect();
    // A date to its year.
    let year = direct.len() == 10 && seen.ends_with(b"-01-01") && direct.as_bytes().get(..4) == seen.get(..4);
    hidden > 0 && partial.as_bytes() == seen || year
}

type Row = Vec<Option<Vec<u8>>>;

/// One comparable part of an answer.
enum Part {
    Rows(Vec<Row>),
    Other(Message),
}

/// Puts rows, and the rows of streams, together.
fn parts(played: &Played, texts: &[bool], last_oid: u32) -> Vec<Part> {
    let mut parts = Vec::new();
    for (at, messages) in played.steps.iter().enumerate() {
        let csv = texts.get(at).copied().unwrap_or_default();
        let mut rows = Vec::new();
        let (mut stream, mut binary) = (Vec::new(), false);
        for message in messages {
            match message.tag {
                b'S' | b'N' | b'A' => continue,
                b'D' => {
                    rows.push(message.cells());
                    continue;
                }
                b'd' => {
                    stream.extend(&message.body);
                    continue;
                }
                b'H' => binary = message.body.first() == Some(&1),
                _ => {}
            }
            if !stream.is_empty() {
                rows.extend(split(&stream, binary, csv));
                stream.clear();
            }
            if !rows.is_empty() {
                parts.push(Part::Rows(std::mem::take(&mut rows)));
            }
            parts.extend(settled(message, last_oid, "corpus_a").map(Part::Other));
        }
    }
    parts
}

/// A stream's rows. A delimiter within a quoted value makes more cells, on both sides alike.
fn split(stream: &[u8], binary: bool, csv: bool) -> Vec<Row> {
    if binary {
        return tuples(stream);
    }
    let delimiter = if csv { b',' } else { b'\t' };
    let null: &[u8] = if csv { b"" } else { b"\\N" };
    let cell = |cell: &[u8]| (cell != null).then(|| cell.to_vec());
    let lines = stream.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| line.split(|byte| *byte == delimiter).map(cell).collect()).collect()
}

/// The rows of COPY's binary format, after its header of 11 + 4 + 4 bytes.
fn tuples(stream: &[u8]) -> Vec<Row> {
    let mut rest = stream.get(19..).unwrap_or_default();
    let mut rows = Vec::new();
    while let Some((count, after)) = rest.split_first_chunk::<2>() {
        let Ok(count) = u16::try_from(i16::from_be_bytes(*count)) else { break };
        rest = after;
        let mut row = Row::new();
        for _ in 0..count {
            let Some((length, after)) = rest.split_first_chunk::<4>() else { return rows };
            let length = usize::try_from(i32::from_be_bytes(*length)).ok();
            let Some((cell, after)) = after.split_at_checked(length.unwrap_or(0)) else { return rows };
            row.push(length.map(|_| cell.to_vec()));
            rest = after;
        }
        rows.push(row);
    }
    rows
}

/// How to compare.
pub(crate) struct Comparison<'a> {
    /// Which columns have to be masked, from 1; else those in which a direct row holds a value.
    pub(crate) columns: Option<&'a [usize]>,
    /// Which steps stream CSV.
    pub(crate) csv: &'a [bool],
    pub(crate) search: &'a Search,
    pub(crate) last_oid: u32,
}

/// What of `seen` is neither as directly nor a mask.
pub(crate) fn masked(direct: &Played, seen: &Played, how: &Comparison<'_>) -> Option<String> {
    let direct = parts(direct, how.csv, how.last_oid);
    let seen = parts(seen, how.csv, how.last_oid);
    for at in 0..direct.len().max(seen.len()) {
        match (direct.get(at), seen.get(at)) {
            (Some(Part::Rows(direct)), Some(Part::Rows(seen))) => {
                if let Some(why) = rows(direct, seen, how) {
                    return Some(why);
                }
            }
            (Some(Part::Other(direct)), Some(Part::Other(seen))) => {
                let same = match direct.tag {
                    b'E' => seen.tag == b'E' && direct.field(b'C') == seen.field(b'C'),
                    _ => direct == seen,
                };
                if !same {
                    return Some(format!("{} became {}", direct.show(), seen.show()));
                }
            }
            (direct, seen) => {
                let word = |part: Option<&Part>| match part {
                    None => "nothing".to_owned(),
                    Some(Part::Rows(rows)) => format!("{} rows", rows.len()),
                    Some(Part::Other(message)) => message.show(),
                };
                return Some(format!("{} became {}", word(direct), word(seen)));
            }
        }
    }
    None
}

fn rows(direct: &[Row], seen: &[Row], how: &Comparison<'_>) -> Option<String> {
    if direct.len() != seen.len() {
        return Some(format!("{} rows became {}", direct.len(), seen.len()));
    }
    let holds = |column: usize| {
        direct
            .iter()
            .any(|row| row.get(column).and_then(Option::as_deref).is_some_and(|cell| how.search.find(cell).is_some()))
    };
    for (row, (direct, seen)) in direct.iter().zip(seen).enumerate() {
        if direct.len() != seen.len() {
            return Some(format!("row {} has {} cells instead of {}", row + 1, seen.len(), direct.len()));
        }
        for (column, (direct, seen)) in direct.iter().zip(seen).enumerate() {
            let (direct, seen) = (direct.as_deref(), seen.as_deref());
            let fine = match how.columns {
                Some(columns) if columns.contains(&(column + 1)) => {
                    is_mask(direct, seen) && (direct.is_none() || seen != direct)
                }
                Some(_) => direct == seen,
                None => direct == seen || is_mask(direct, seen) && holds(column),
            };
            if !fine {
                return Some(format!("row {}, column {}: {} became {}", row + 1, column + 1, show(direct), show(seen)));
            }
        }
    }
    None
}
