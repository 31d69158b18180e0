//! Where a text's literals are, by PostgreSQL's lexical rules (with standard_conforming_strings on): for the recording,
//! which hides them, and for recognising texts that differ in them only.

use std::ops::Range;

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A literal.
    Literal(Range<usize>),
    /// A literal that was never closed: everything to the end may belong to it.
    Open(Range<usize>),
}

impl Piece {
    pub(super) fn range(&self) -> &Range<usize> {
        match self {
            Piece::Literal(range) | Piece::Open(range) => range,
        }
    }
}

/// The literals of `text`, and what makes it one that [`shape`] cannot be trusted with.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) literals: Vec<Piece>,
    /// Holds nothing but plain words, numbers and simple strings.
    pub(super) plain: bool,
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// Whether a number in brackets follows a word behind which it is no literal for the grammar, but a part of a type: `float(24)` is
/// another one than `float(25)`, and `current_time(1)` another node than `current_time(2)`.
fn typed_by_number(text: &[u8], word: Range<usize>) -> bool {
    const WORDS: [&[u8]; 5] = [b"float", b"current_time", b"current_timestamp", b"localtime", b"localtimestamp"];
    let behind =
        text.get(word.end..).and_then(|rest| rest.iter().find(|byte| !byte.is_ascii_whitespace() && **byte != 11));
    let word = text.get(word).unwrap_or_default();
    behind == Some(&b'(') && WORDS.iter().any(|typed| typed.eq_ignore_ascii_case(word))
}

/// Finds the literals. Never fails: what is not closed reaches to the end.
pub(super) fn scan(text: &[u8]) -> Scan {
    let mut scan = Scan { literals: Vec::new(), plain: true };
    let at = |i: usize| text.get(i).copied().unwrap_or(0);
    let mut i = 0usize;
    while i < text.len() {
        let byte = at(i);
        let next = match byte {
            b'\'' => {
                let (start, escapes, plain) = prefix(text, i);
                scan.plain &= plain;
                // What looks like a prefix may be the end of a number, as in `7.n'x'`.
                let start = start.max(scan.literals.last().map_or(0, |piece| piece.range().end));
                match quoted(text, i, escapes) {
                    Some(end) => {
                        scan.literals.push(Piece::Literal(start..end));
                        end
                    }
                    None => open(&mut scan, start, text.len()),
                }
            }
            b'"' => {
                let mut end = i.saturating_add(1);
                while end < text.len() && at(end) != b'"' {
                    end = end.saturating_add(1);
                }
                end.saturating_add(1)
            }
            b'-' if at(i.saturating_add(1)) == b'-' => {
                scan.plain = false;
                text.iter().skip(i).position(|b| *b == b'\n' || *b == b'\r').map_or(text.len(), |n| i.saturating_add(n))
            }
            b'/' if at(i.saturating_add(1)) == b'*' => {
                scan.plain = false;
                comment(text, i)
            }
            b'$' => {
                scan.plain &= at(i.saturating_add(1)).is_ascii_digit();
                match dollar(text, i) {
                    Dollar::None => i.saturating_add(1),
                    Dollar::Closed(end) => {
                        scan.literals.push(Piece::Literal(i..end));
                        end
                    }
                    Dollar::Open => open(&mut scan, i, text.len()),
                }
            }
            b'0'..=b'9' => {
                let end = number(text, i);
                // `$1` is a parameter, and says nothing of a value.
                if i == 0 || at(i.saturating_sub(1)) != b'$' {
                    scan.literals.push(Piece::Literal(i..end));
                }
                end
            }
            b if is_word(b) => {
                let mut end = i;
                while end < text.len() && is_word(at(end)) {
                    end = end.saturating_add(1);
                }
                scan.plain &= b.is_ascii() && !typed_by_number(text, i..end);
                end
            }
            b'\\' => {
                scan.plain = false;
                i.saturating_add(1)
            }
            _ => i.saturating_add(1),
        };
        i = next.max(i.saturating_add(1));
    }
    scan
}

fn open(scan: &mut Scan, start: usize, end: usize) -> usize {
    scan.plain = false;
    scan.literals.push(Piece::Open(start..end));
    end
}

/// Where a quoted literal begins with its prefix, whether a backslash escapes in it, and whether it has no prefix.
fn prefix(text: &[u8], quote: usize) -> (usize, bool, bool) {
    let before = |n: usize| quote.checked_sub(n).and_then(|i| text.get(i)).copied().unwrap_or(b' ');
    match before(1) {
        b'e' | b'E' if !is_word(before(2)) => (quote.saturating_sub(1), true, false),
        b'b' | b'B' | b'x' | b'X' | b'n' | b'N' if !is_word(before(2)) => (quote.saturating_sub(1), false, false),
        b'&' if matches!(before(2), b'u' | b'U') && !is_word(before(3)) => (quote.saturating_sub(2), false, false),
        _ => (quote, false, true),
    }
}

/// The end of a literal whose quote is at `start`; `None`: it is not closed.
fn quoted(text: &[u8], start: usize, escapes: bool) -> Option<usize> {
    let mut i = start.checked_add(1)?;
    loop {
        match text.get(i)? {
            b'\\' if escapes => i = i.checked_add(2)?,
            b'\'' if text.get(i.checked_add(1)?) == Some(&b'\'') => i = i.checked_add(2)?,
            b'\'' => return i.checked_add(1),
            _ => i = i.checked_add(1)?,
        }
    }
}

enum Dollar {
    None,
    Closed(usize),
    Open,
}

/// `$tag$ ... $tag$` that begins at `start`.
fn dollar(text: &[u8], start: usize) -> Dollar {
    let rest = text.get(start..).unwrap_or_default();
    let body = rest.get(1..).unwrap_or_default();
    let Some(length) = body.iter().position(|b| *b == b'$') else { return Dollar::None };
    let name = body.get(..length).unwrap_or_default();
    let named = name.iter().all(|b| is_word(*b)) && !name.first().is_some_and(u8::is_ascii_digit);
    let preceded = start.checked_sub(1).and_then(|i| text.get(i)).is_some_and(|b| is_word(*b));
    if !named || preceded {
        return Dollar::None;
    }
    let tag = rest.get(..length.saturating_add(2)).unwrap_or_default();
    let inside = rest.get(tag.len()..).unwrap_or_default();
    match memchr::memmem::find(inside, tag) {
        Some(n) => Dollar::Closed(start.saturating_add(tag.len()).saturating_add(n).saturating_add(tag.len())),
        None => Dollar::Open,
    }
}

/// The end of a comment that begins at `start`; comments nest.
fn comment(text: &[u8], start: usize) -> usize {
    let (mut depth, mut i) = (0usize, start);
    while let Some(pair) = text.get(i..i.saturating_add(2)) {
        match pair {
            b"/*" => (depth, i) = (depth.saturating_add(1), i.saturating_add(2)),
            b"*/" => {
                (depth, i) = (depth.saturating_sub(1), i.saturating_add(2));
                if depth == 0 {
                    return i;
                }
            }
            _ => i = i.saturating_add(1),
        }
    }
    text.len()
}

/// The end of a number, with what may follow one: a fraction, an exponent, hexadecimal digits.
fn number(text: &[u8], start: usize) -> usize {
    let mut i = start;
    while let Some(byte) = text.get(i) {
        let exponent_sign = matches!(byte, b'+' | b'-')
            && i.checked_sub(1).and_then(|i| text.get(i)).is_some_and(|b| matches!(b, b'e' | b'E'))
            && text.get(i.saturating_add(1)).is_some_and(u8::is_ascii_digit);
        if !(byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_') || exponent_sign) {
            break;
        }
        i = i.saturating_add(1);
    }
    i
}

/// The text with each literal replaced by its kind; `None` where the scan is not certain of every byte.
///
/// Texts of one shape have the same syntax tree but for the literals' values: a quoted literal and a number stay apart,
/// and everything else is kept byte by byte.
pub(super) fn shape(text: &[u8], scan: &Scan) -> Option<Vec<u8>> {
    if !scan.plain {
        return None;
    }
    let mut out = Vec::with_capacity(text.len());
    let mut from = 0;
    for piece in &scan.literals {
        let range = piece.range();
        let literal = text.get(range.clone())?;
        out.extend_from_slice(text.get(from..range.start)?);
        // Digits only: a fraction or an exponent makes a literal of another type.
        match literal.first()? {
            b'\'' => out.extend_from_slice(b"''"),
            // An integer that does not fit 32 bits is a node of another type.
            _ if literal.len() <= 9 && literal.iter().all(u8::is_ascii_digit) => out.push(b'0'),
            _ => return None,
        }
        from = range.end;
    }
    out.extend_from_slice(text.get(from..)?);
    Some(out)
}

/// How deep the syntax tree of a text can be at most: operators and opening brackets between two commas of one level
/// may each open a level.
pub(super) fn depth(text: &[u8]) -> usize {
    let mut levels = vec![0usize];
    let (mut sum, mut deepest, mut in_word) = (0usize, 0usize, false);
    for byte in text {
        let word = is_word(*byte);
        match byte {
            b'(' | b'[' => {
                levels.push(1);
                sum = sum.saturating_add(1);
            }
            b')' | b']' if levels.len() > 1 => sum = sum.saturating_sub(levels.pop().unwrap_or(0)),
            b',' | b';' => {
                if let Some(level) = levels.last_mut() {
                    sum = sum.saturating_sub(std::mem::take(level));
                }
            }
            _ if byte.is_ascii_whitespace() || (word && in_word) => {}
            _ => {
                if let Some(level) = levels.last_mut() {
                    *level = level.saturating_add(1);
                }
                sum = sum.saturating_add(1);
            }
        }
        in_word = word;
        deepest = deepest.max(sum);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn literals(text: &str) -> Vec<&str> {
        scan(text.as_bytes()).literals.iter().map(|piece| &text[piece.range().clone()]).collect()
    }

    #[test]
    fn literals_are_found_as_postgres_reads_them() {
        assert_eq!(
            literals("select 'a''b', E'a\\'b', U&'x', $$q'$$, $t$x$$y$t$, 1.5e-3, t1.c2, $1"),
            ["'a''b'", "E'a\\'b'", "U&'x'", "$$q'$$", "$t$x$$y$t$", "1.5e-3"]
        );
        assert_eq!(literals("select \"a'b\" -- 'c'\n, /* 'd' /* */ ' */ 'e'"), ["'e'"]);
        assert_eq!(literals("select 'open"), ["'open"]);
        assert_eq!(literals("select 7.n'x', 7.u&'y"), ["7.n", "'x'", "7.u", "&'y"]);
    }

    #[test]
    fn a_shape_is_the_same_for_texts_that_differ_in_values_only() {
        let shape = |text: &str| shape(text.as_bytes(), &scan(text.as_bytes()));
        assert_eq!(shape("select a from t where b = 12"), shape("select a from t where b = 7"));
        assert_eq!(shape("select 'x'"), shape("select 'a''b'"));
        assert_ne!(shape("select 'x'"), shape("select 1"));
        assert_ne!(shape("select a1"), shape("select a2"));
        for uncertain in [
            "select E'x'",
            "select 1 -- c",
            "select $$a$$",
            "select 'open",
            "select 1.5",
            "select 99999999999",
            "select current_timestamp(4)",
            "select 1::FLOAT(24)",
            "select 'a' \\",
        ] {
            assert_eq!(shape(uncertain), None, "{uncertain}");
        }
    }

    #[test]
    fn depth_counts_what_can_nest() {
        assert!(depth("(".repeat(1000).as_bytes()) >= 1000);
        assert!(depth("1+".repeat(1000).as_bytes()) >= 1000);
        assert!(depth("1+f(1,1)+".repeat(500).as_bytes()) >= 500);
        let rows = format!("insert into t values {}", "(1, 'a'),".repeat(10_000));
        assert!(depth(rows.as_bytes()) < 50);
    }

    proptest! {
        #[test]
        fn anything_can_be_scanned(text: Vec<u8>) {
            let scan = scan(&text);
            let mut end = 0;
            for piece in &scan.literals {
                prop_assert!(piece.range().start >= end && piece.range().end <= text.len());
                end = piece.range().end;
            }
            let _ = (shape(&text, &scan), depth(&text));
        }
    }
}
