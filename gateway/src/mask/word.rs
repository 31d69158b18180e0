//! A mask as a policy, a recording and `explain` write it: `partial:email:keep=2`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A mask function with what it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mask {
    /// A fixed text where the type can hold one, NULL otherwise.
    Redact,
    /// NULL.
    Null,
    /// A part of a text stays, the rest becomes `*`.
    Partial(Partial),
    /// A keyed hash in the shape of the type: equal for equal values on this node, and not reversible.
    Hash,
    /// Encrypted within its own format, by FF1: reversible with this node's key.
    Tokenise,
    /// A date or time down to the start of its year, month, day or hour.
    Date(Unit),
    /// A number down to a multiple of this, which is not zero.
    Bucket(u32),
    /// This text.
    Constant(Constant),
    /// As `Redact`, and NULL is not told from any other value. No policy says it: it is for what was computed from a masked
    /// column, where NULL may come of a value (`nullif(ssn, '1')`, `profile -> 'key'`).
    Whole,
}

/// What of a text stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partial {
    /// What the text is.
    pub of: Shape,
    /// How many characters stay, where that is at most half of them.
    pub keep: u8,
}

/// What a partially masked text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shape {
    /// Any text: its last characters stay.
    Any,
    /// A mail address: the first characters before the `@` and what follows it.
    Email,
    /// A payment card: its last digits and what separates them.
    Card,
    /// A telephone number: its last digits and what separates them.
    Phone,
    /// A person's name: the first characters of each word.
    Name,
}

/// What a date is cut down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is what it says")]
pub enum Unit {
    Year,
    Month,
    Day,
    Hour,
}

/// The longest constant, in bytes.
const MAX_CONSTANT: usize = 60;

/// The most characters that a partial mask may keep.
const MAX_KEEP: u8 = 32;

/// The most digits of a payment card that may be shown with its number hidden (PCI DSS 3.4 has four last ones everywhere).
const MAX_CARD: u8 = 4;

/// The text of `constant`. It is held in place, so that a mask is a plain value like its word.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Constant {
    bytes: [u8; MAX_CONSTANT],
    length: u8,
}

impl Constant {
    fn new(text: &str) -> Option<Self> {
        let mut bytes = [0; MAX_CONSTANT];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Constant { bytes, length: u8::try_from(text.len()).ok()? })
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl fmt::Debug for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

/// A word that is no mask: what is wrong with it, and what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {help}")]
pub struct NoMask {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: &'static str,
}

impl Shape {
    /// How many characters stay where the policy does not say.
    pub const fn keeps(self) -> u8 {
        match self {
            Shape::Any | Shape::Card | Shape::Phone => 4,
            Shape::Email | Shape::Name => 1,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Shape::Any => "",
            Shape::Email => ":email",
            Shape::Card => ":card",
            Shape::Phone => ":phone",
            Shape::Name => ":name",
        }
    }
}

impl Mask {
    /// `partial` without more words: the last four characters of any text.
    pub const PARTIAL: Mask = Mask::Partial(Partial { of: Shape::Any, keep: Shape::Any.keeps() });

    /// Whether it is put in the place of NULL, too.
    pub const fn hides_null(self) -> bool {
        matches!(self, Mask::Whole)
    }
}

impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mask::Redact | Mask::Whole => f.write_str("redact"),
            Mask::Null => f.write_str("null"),
            Mask::Partial(Partial { of, keep }) if *keep == of.keeps() => write!(f, "partial{}", of.word()),
            Mask::Partial(Partial { of, keep }) => write!(f, "partial{}:keep={keep}", of.word()),
            Mask::Hash => f.write_str("hash"),
            Mask::Tokenise => f.write_str("tokenise"),
            Mask::Date(Unit::Year) => f.write_str("date:year"),
            Mask::Date(Unit::Month) => f.write_str("date:month"),
            Mask::Date(Unit::Day) => f.write_str("date:day"),
            Mask::Date(Unit::Hour) => f.write_str("date:hour"),
            Mask::Bucket(n) => write!(f, "bucket:{n}"),
            Mask::Constant(text) => write!(f, "constant:{}", text.as_str()),
        }
    }
}

const PARTIAL: &str = "write \"partial\", \"partial:email\", \"partial:card\", \"partial:phone\", \"partial:name\", each with \
                       \":keep=2\" behind it where another number of characters may stay";
const DATE: &str = "write \"date:year\", \"date:month\", \"date:day\" or \"date:hour\"";
const BUCKET: &str = "write \"bucket:10\", with a whole number from 1 to 4294967295";
const CONSTANT: &str = "write \"constant:unknown\", with 1 to 60 bytes of text without control characters";
const ANY: &str = "use \"redact\", \"null\", \"partial\", \"hash\", \"tokenise\", \"date:month\", \"bucket:10\" or \
                   \"constant:TEXT\"; docs/masks.md says what each does";

impl FromStr for Mask {
    type Err = NoMask;

    fn from_str(text: &str) -> Result<Self, NoMask> {
        let fault = |message: &str, help| Err(NoMask { message: format!("@mask({text:?}) {message}"), help });
        let (word, told) = text.split_once(':').map_or((text, None), |(word, told)| (word, Some(told)));
        match (word, told) {
            ("redact", None) => Ok(Mask::Redact),
            ("null", None) => Ok(Mask::Null),
            ("hash", None) => Ok(Mask::Hash),
            ("tokenise", None) => Ok(Mask::Tokenise),
            ("redact" | "null" | "hash" | "tokenise", Some(_)) => fault("is told more than it takes", ANY),
            ("partial", told) => {
                let (of, keep) = match told.map(|told| told.split_once(':').unwrap_or((told, ""))) {
                    None => (Shape::Any, ""),
                    Some(("email", keep)) => (Shape::Email, keep),
                    Some(("card", keep)) => (Shape::Card, keep),
                    Some(("phone", keep)) => (Shape::Phone, keep),
                    Some(("name", keep)) => (Shape::Name, keep),
                    Some((keep, "")) if keep.starts_with("keep=") => (Shape::Any, keep),
                    Some(_) => return fault("names nothing of which a part can be kept", PARTIAL),
                };
                if told.is_some_and(|told| told.ends_with(':')) {
                    return fault("ends with a colon", PARTIAL);
                }
                if keep.is_empty() {
                    return Ok(Mask::Partial(Partial { of, keep: of.keeps() }));
                }
                let Some(keep) = keep.strip_prefix("keep=").and_then(number) else {
                    return fault("does not say how many characters to keep", PARTIAL);
                };
                let most = if of == Shape::Card { MAX_CARD } else { MAX_KEEP };
                match u8::try_from(keep) {
                    Ok(0) => fault("keeps nothing", "use \"redact\""),
                    Ok(keep) if keep <= most => Ok(Mask::Partial(Partial { of, keep })),
                    _ if of == Shape::Card => fault("keeps too much", "of a card, keep at most the last 4 digits"),
                    _ => fault("keeps too much", "keep at most 32 characters"),
                }
            }
            ("date", Some("year")) => Ok(Mask::Date(Unit::Year)),
            ("date", Some("month")) => Ok(Mask::Date(Unit::Month)),
            ("date", Some("day")) => Ok(Mask::Date(Unit::Day)),
            ("date", Some("hour")) => Ok(Mask::Date(Unit::Hour)),
            ("date", _) => fault("does not say what to cut dates down to", DATE),
            ("bucket", told) => match told.and_then(number) {
                Some(0) | None => fault("does not say of what to take multiples", BUCKET),
                Some(n) => Ok(Mask::Bucket(n)),
            },
            ("constant", told) => match told {
                Some(told) if !told.is_empty() && !told.contains(char::is_control) => {
                    Constant::new(told).map_or_else(|| fault("is too long", CONSTANT), |text| Ok(Mask::Constant(text)))
                }
                _ => fault("does not say which text", CONSTANT),
            },
            _ => fault("is no mask", ANY),
        }
    }
}

/// A number in plain digits: no sign, no leading zero, so that each mask has one word.
fn number(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

impl Serialize for Mask {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mask {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The mask that holds where two apply: two different ones are `Redact`, or `Whole` where one is that.
pub fn strictest(one: Mask, other: Mask) -> Mask {
    match (one, other) {
        (Mask::Whole, _) | (_, Mask::Whole) => Mask::Whole,
        _ if one == other => one,
        _ => Mask::Redact,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_means_the_mask_that_writes_it() {
        for word in [
            "redact",
            "null",
            "partial",
            "partial:keep=2",
            "partial:email",
            "partial:email:keep=3",
            "partial:card",
            "partial:card:keep=2",
            "partial:phone",
            "partial:name",
            "hash",
            "tokenise",
            "date:year",
            "date:month",
            "date:day",
            "date:hour",
            "bucket:10",
            "bucket:4294967295",
            "constant:unknown",
            "constant:a: b\u{fc}",
        ] {
            let mask: Mask = word.parse().unwrap();
            assert_eq!(mask.to_string(), word);
            let json = serde_json::to_string(&mask).unwrap();
            assert_eq!(json, serde_json::to_string(word).unwrap());
            assert_eq!(serde_json::from_str::<Mask>(&json).unwrap(), mask);
        }
        assert_eq!("partial:keep=4".parse(), Ok(Mask::PARTIAL), "said or not, it is the same mask");
    }

    #[test]
    fn every_other_word_is_an_error_that_says_what_to_write() {
        let long = format!("constant:{}", "x".repeat(61));
        for (word, help) in [
            ("blur", "docs/masks.md"),
            ("", "docs/masks.md"),
            ("Redact", "docs/masks.md"),
            ("hash:", "docs/masks.md"),
            ("hash:sha1", "docs/masks.md"),
            ("partial:", "partial:email"),
            ("partial:iban", "partial:email"),
            ("partial:email:", "partial:email"),
            ("partial:keep", "partial:email"),
            ("partial:keep=", "keep=2"),
            ("partial:keep=-1", "keep=2"),
            ("partial:keep=02", "keep=2"),
            ("partial:keep=2:keep=3", "keep=2"),
            ("partial:keep=0", "redact"),
            ("partial:keep=33", "32"),
            ("partial:keep=300", "32"),
            ("partial:card:keep=6", "4 digits"),
            ("date", "date:month"),
            ("date:week", "date:month"),
            ("bucket", "bucket:10"),
            ("bucket:0", "bucket:10"),
            ("bucket:1.5", "bucket:10"),
            ("bucket:+5", "bucket:10"),
            ("bucket:4294967296", "bucket:10"),
            ("constant", "constant:unknown"),
            ("constant:", "constant:unknown"),
            ("constant:a\0", "constant:unknown"),
            (&long, "60 bytes"),
        ] {
            let error = word.parse::<Mask>().unwrap_err();
            assert!(error.message.contains("@mask(") && error.help.contains(help), "{word}: {error}");
        }
    }

    #[test]
    fn two_masks_that_differ_redact() {
        assert_eq!(strictest(Mask::Hash, Mask::Hash), Mask::Hash);
        assert_eq!(strictest(Mask::Hash, Mask::PARTIAL), Mask::Redact);
        let (ten, twenty) = (Mask::Bucket(10), Mask::Bucket(20));
        assert_eq!(strictest(ten, twenty), Mask::Redact);
        assert_eq!(strictest(Mask::Null, Mask::Whole), Mask::Whole);
    }
}
