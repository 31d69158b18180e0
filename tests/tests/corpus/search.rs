//! Looks for sensitive values, or parts of them, in what came back: as they are, backwards, in another case, without
//! separators, in hex, in base64, in UTF-16, and as the binary forms of numbers and dates.

use std::collections::HashMap;

use anyhow::{Context, Result};

use crate::client::Message;

/// How many consecutive characters are a leak.
const PART: usize = 5;

/// How many, where separators were taken out and only digits are left: unrelated numbers meet there.
const DIGITS: usize = 7;

/// What kind of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Date,
    Int,
}

/// One sensitive value in both data sets.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    pub(crate) name: String,
    kind: Kind,
    /// In sets A and B.
    pub(crate) sets: [String; 2],
}

/// `fixture/values.txt`.
pub(crate) fn values() -> Result<Vec<Value>> {
    let mut values = Vec::new();
    for line in include_str!("../../corpus/fixture/values.txt").lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, kind, a, b] = words[..] else { anyhow::bail!("values.txt: {line}") };
        let kind = match kind {
            "text" => Kind::Text,
            "date" => Kind::Date,
            "int" => Kind::Int,
            _ => anyhow::bail!("values.txt: {line}"),
        };
        values.push(Value { name: name.to_owned(), kind, sets: [a.to_owned(), b.to_owned()] });
    }
    Ok(values)
}

/// What to look for.
pub(crate) struct Search {
    /// Parts of texts, lower-cased, and what they are of.
    parts: HashMap<[u8; PART], String>,
    /// Parts of texts without separators.
    bare: HashMap<Vec<u8>, String>,
    /// Binary forms.
    binary: HashMap<[u8; 4], String>,
}

impl Search {
    /// For the values of data set 0 or 1.
    pub(crate) fn new(values: &[Value], set: usize) -> Result<Self> {
        let mut search = Self { parts: HashMap::new(), bare: HashMap::new(), binary: HashMap::new() };
        for value in values {
            let text = value.sets.get(set).context("a set")?.to_lowercase();
            for reversed in [false, true] {
                let word = |text: &str| if reversed { text.chars().rev().collect::<String>() } else { text.to_owned() };
                let what = format!("{}{}", value.name, if reversed { " reversed" } else { "" });
                let shown = word(&text);
                for (at, part) in shown.as_bytes().windows(PART).enumerate() {
                    // A date may be masked to its year.
                    let year =
                        value.kind == Kind::Date && (at == 0 || at + PART == shown.len()) && part.contains(&b'-');
                    if !(year && (part.ends_with(b"-") || part.starts_with(b"-"))) {
                        search.parts.insert(part.try_into()?, what.clone());
                    }
                }
                let bare: String = word(&text.chars().filter(char::is_ascii_alphanumeric).collect::<String>());
                let digits = bare.bytes().all(|byte| byte.is_ascii_digit());
                for part in bare.as_bytes().windows(if digits { DIGITS } else { PART }) {
                    search.bare.insert(part.to_vec(), format!("{what} without separators"));
                }
            }
            match value.kind {
                Kind::Text => {}
                Kind::Int => {
                    let number: i32 = text.parse()?;
                    search.binary.insert(number.to_be_bytes(), format!("{} in binary", value.name));
                    let double = f64::from(number).to_be_bytes();
                    search
                        .binary
                        .insert([double[0], double[1], double[2], double[3]], format!("{} as a double", value.name));
                    let digit = |power: u32| u16::try_from(number.unsigned_abs() / 10_000_u32.pow(power) % 10_000);
                    let [high, low] = digit(1)?.to_be_bytes();
                    let [third, last] = digit(0)?.to_be_bytes();
                    search.binary.insert([high, low, third, last], format!("{} as a numeric", value.name));
                }
                Kind::Date => {
                    let days = days(&text)?;
                    search.binary.insert(days.to_be_bytes(), format!("{} in binary", value.name));
                    let micros = (i64::from(days) * 86_400_000_000).to_be_bytes();
                    search
                        .binary
                        .insert([micros[1], micros[2], micros[3], micros[4]], format!("{} as a timestamp", value.name));
                }
            }
        }
        Ok(search)
    }

    /// What of the sensitive values is in `bytes`, in any disguise.
    pub(crate) fn find(&self, bytes: &[u8]) -> Option<String> {
        if let Some(what) = bytes.windows(4).find_map(|window| self.binary.get(window)) {
            return Some(what.clone());
        }
        let lower = bytes.to_ascii_lowercase();
        let no_zeros: Vec<u8> = lower.iter().copied().filter(|byte| *byte != 0).collect();
        let plain = |bytes: &[u8]| bytes.windows(PART).find_map(|window| self.parts.get(window)).cloned();
        plain(&lower)
            .or_else(|| plain(&no_zeros).map(|what| format!("{what} in UTF-16")))
            .or_else(|| self.find_bare(&lower))
            .or_else(|| {
                hex(&lower)
                    .iter()
                    .find_map(|bytes| plain(&bytes.to_ascii_lowercase()))
                    .map(|what| format!("{what} in hex"))
            })
            .or_else(|| {
                base64(bytes)
                    .iter()
                    .find_map(|bytes| plain(&bytes.to_ascii_lowercase()))
                    .map(|what| format!("{what} in base64"))
            })
    }

    fn find_bare(&self, lower: &[u8]) -> Option<String> {
        const SEPARATORS: &[u8] = b"-_ ./,:;'\"{}()[]|*+\\";
        let bare: Vec<u8> = lower.iter().copied().filter(|byte| !SEPARATORS.contains(byte)).collect();
        [PART, DIGITS].iter().find_map(|size| bare.windows(*size).find_map(|window| self.bare.get(window)).cloned())
    }

    /// What is in the messages of a session: each one's body, and each column's cells put together.
    pub(crate) fn find_in(&self, messages: &[Message]) -> Option<String> {
        let mut columns: Vec<Vec<u8>> = Vec::new();
        let mut stream = Vec::new();
        for message in messages {
            if let Some(what) = self.find(&message.body) {
                return Some(format!("{what} in {}", message.show()));
            }
            match message.tag {
                b'T' => columns.clear(),
                b'D' => {
                    for (at, cell) in message.cells().into_iter().enumerate() {
                        if columns.len() <= at {
                            columns.push(Vec::new());
                        }
                        // A longer one is found by itself; what two of them make together is no part of a value.
                        if let (Some(column), Some(cell)) = (columns.get_mut(at), cell.filter(|cell| cell.len() < PART))
                        {
                            column.extend(cell);
                        }
                    }
                }
                b'C' => {
                    if let Some(what) = columns.iter().find_map(|column| self.find(column)) {
                        return Some(format!("{what} down a column"));
                    }
                }
                b'd' => stream.extend(&message.body),
                _ => {}
            }
        }
        self.find(&stream).map(|what| format!("{what} in a stream"))
    }
}

/// Days since 2000-01-01 (the server's epoch), by the civil calendar.
fn days(text: &str) -> Result<i32> {
    let parts = text.split('-').map(|part| Ok(part.parse::<i32>()?)).collect::<Result<Vec<_>>>()?;
    let [year, month, day] = parts[..] else { anyhow::bail!("no date: {text}") };
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_era = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    Ok(of_era - 730_425)
}

/// What runs of hexadecimal digits stand for, at both alignments.
fn hex(lower: &[u8]) -> Vec<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let runs = lower.split(|byte| !byte.is_ascii_hexdigit()).filter(|run| run.len() >= 2 * PART);
    runs.flat_map(|run| {
        [run, &run[1..]].map(|run| {
            run.chunks_exact(2).filter_map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect::<Vec<u8>>()
        })
    })
    .collect()
}

/// What runs of base64 digits stand for, at every alignment; a new line within one is no end.
fn base64(bytes: &[u8]) -> Vec<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    };
    let joined: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != b'\n').collect();
    let runs = joined.split(|byte| digit(*byte).is_none()).filter(|run| run.len() >= 7);
    runs.flat_map(|run| {
        (0..4).filter_map(|skip| run.get(skip..)).map(|run| {
            run.chunks_exact(4)
                .flat_map(|four| {
                    let bits = four.iter().fold(0u32, |bits, byte| bits << 6 | u32::from(digit(*byte).unwrap_or(0)));
                    bits.to_be_bytes().into_iter().skip(1)
                })
                .collect::<Vec<u8>>()
        })
    })
    .collect()
}

#[test]
fn a_value_is_found_in_every_disguise() -> Result<()> {
    let search = Search::new(&values()?, 0)?;
    for disguise in [
        &b"x539-48-0120x"[..],
        b"0210-84-935",
        b"539480120",
        b"{5,3,9,4,8,0,1,2,0}",
        b"\\x3533392d34382d30313230",
        b"NTM5LTQ4LTAxMjA=",
        b"eDUzOS00OC0wMTIw",
        b"5\x003\x009\x00-\x004\x008\x00-\x000\x00",
        b"QUILLFEATHER",
        &193_827_465i32.to_be_bytes(),
        &(-13_203i32).to_be_bytes(),
        b"63-11-08",
    ] {
        assert!(search.find(disguise).is_some(), "{}", disguise.escape_ascii());
    }
    for harmless in [&b"*******0120"[..], b"[redacted]", b"Ada|ada@example.org", b"1963-01-01", b"16384 16402"] {
        assert_eq!(search.find(harmless), None, "{}", harmless.escape_ascii());
    }
    Ok(())
}
