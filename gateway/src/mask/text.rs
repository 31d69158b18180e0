//! Parts of texts: what a partial mask leaves, character by character, so that a text never becomes longer.

use bytes::{BufMut as _, BytesMut};

use super::word::{Partial, Shape};

/// Appends what stays of `text` and a `*` for every other character. Absent: the text is not what the mask says it is.
pub(super) fn partial(how: Partial, text: &str, out: &mut BytesMut) -> Option<()> {
    let keep = usize::from(how.keep);
    match how.of {
        Shape::Any => {
            // The padding of a char(n) is no character of the value.
            let value = text.trim_end_matches(' ');
            last(value, keep, |_| true, out);
            out.put_slice(text.get(value.len()..)?.as_bytes());
        }
        Shape::Email => {
            let (local, domain) = text.rsplit_once('@')?;
            if local.is_empty() || !is_domain(domain.trim_end_matches(' ')) {
                return None;
            }
            first(local, keep, out);
            out.put_u8(b'@');
            out.put_slice(domain.as_bytes());
        }
        Shape::Card => {
            separated(text, 12..=19, |c| matches!(c, ' ' | '-'))?;
            last(text, keep, |c| c.is_ascii_digit(), out);
        }
        Shape::Phone => {
            separated(text, 5..=20, |c| matches!(c, ' ' | '-' | '+' | '(' | ')' | '.' | '/'))?;
            last(text, keep, |c| c.is_ascii_digit(), out);
        }
        Shape::Name => {
            for piece in text.split_inclusive(char::is_whitespace) {
                let word = piece.trim_end_matches(char::is_whitespace);
                first(word, keep, out);
                out.put_slice(piece.get(word.len()..)?.as_bytes());
            }
        }
    }
    Some(())
}

/// The same number of characters, none of them left.
pub(super) fn stars(text: &str, out: &mut BytesMut) {
    out.put_bytes(b'*', text.chars().count());
}

/// How many of `count` characters may stay: at least half are hidden.
fn shown(keep: usize, count: usize) -> usize {
    keep.min(count / 2)
}

fn first(text: &str, keep: usize, out: &mut BytesMut) {
    let shown = shown(keep, text.chars().count());
    for (number, c) in text.chars().enumerate() {
        put_char(if number < shown { c } else { '*' }, out);
    }
}

/// Hides all but the last of those characters that count; the others stay.
fn last(text: &str, keep: usize, counts: impl Fn(char) -> bool, out: &mut BytesMut) {
    let count = text.chars().filter(|c| counts(*c)).count();
    let hidden = count.saturating_sub(shown(keep, count));
    let mut number = 0usize;
    for c in text.chars() {
        if counts(c) {
            number = number.saturating_add(1);
            put_char(if number <= hidden { '*' } else { c }, out);
        } else {
            put_char(c, out);
        }
    }
}

fn put_char(c: char, out: &mut BytesMut) {
    out.put_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Whether a text is that many digits and separators. What else is in it might be what must not be seen.
fn separated(text: &str, digits: std::ops::RangeInclusive<usize>, separates: impl Fn(char) -> bool) -> Option<()> {
    let count = text.chars().filter(char::is_ascii_digit).count();
    (digits.contains(&count) && text.chars().all(|c| c.is_ascii_digit() || separates(c))).then_some(())
}

fn is_domain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn masked(of: Shape, keep: u8, text: &str) -> Option<String> {
        let mut out = BytesMut::new();
        partial(Partial { of, keep }, text, &mut out)?;
        Some(String::from_utf8(out.to_vec()).unwrap())
    }

    #[test]
    fn each_shape_keeps_its_own_part() {
        for (of, keep, text, expected) in [
            (Shape::Any, 4, "123-45-6789", "*******6789"),
            (Shape::Any, 2, "123-45-6789", "*********89"),
            (Shape::Any, 4, "äöüß€", "***ß€"),
            (Shape::Any, 4, "6789", "**89"),
            (Shape::Any, 4, "x", "*"),
            (Shape::Any, 4, "secret    ", "***ret    "),
            (Shape::Email, 1, "ada@example.org", "a**@example.org"),
            (Shape::Email, 9, "ada@example.org", "a**@example.org"),
            (Shape::Email, 1, "\"a@b\"@example.org", "\"****@example.org"),
            (Shape::Email, 1, "x@example.org", "*@example.org"),
            (Shape::Card, 4, "4111 1111 1111 1234", "**** **** **** 1234"),
            (Shape::Card, 2, "4111111111111234", "**************34"),
            (Shape::Phone, 4, "+49 (30) 901820-12", "+** (**) ****20-12"),
            (Shape::Name, 1, "Ada Lovelace", "A** L*******"),
            (Shape::Name, 2, "Jo  von Übel ", "J*  v** Üb** "),
        ] {
            assert_eq!(masked(of, keep, text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_of_the_shape_keeps_nothing() {
        for (of, text) in [
            (Shape::Email, "ada"),
            (Shape::Email, "@example.org"),
            (Shape::Email, "ada@"),
            (Shape::Email, "ada@example.org, grace@example.org is the other"),
            (Shape::Card, "4111"),
            (Shape::Card, "card 4111 1111 1111 1234"),
            (Shape::Card, "4111 1111 1111 1111 1111"),
            (Shape::Phone, "call 030 901820"),
            (Shape::Phone, "1234"),
        ] {
            assert_eq!(masked(of, 4, text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_text_has_as_many_characters_and_at_least_half_of_those_that_count_are_hidden(text: String, keep in 1u8..33) {
            for of in [Shape::Any, Shape::Name] {
                let out = masked(of, keep, &text).unwrap();
                prop_assert_eq!(out.chars().count(), text.chars().count());
                let hidden = out.chars().zip(text.chars()).filter(|(new, _)| *new == '*').count();
                let spaces = text.chars().filter(|c| c.is_whitespace()).count();
                prop_assert!(hidden * 2 + spaces >= text.chars().count());
            }
        }
    }
}
