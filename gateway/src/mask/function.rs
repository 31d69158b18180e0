//! What each mask makes of one value, in PostgreSQL's text and binary formats.

use bytes::BytesMut;
use zeroize::Zeroizing;

use super::Mask;
use super::kind::{Column, Format, Kind, Value};
use super::number::Numeric;
use super::token::{Tokens, Way};
use super::{moment, text};

/// What stands for a value that is redacted, where its type can hold a text.
const REDACTED: &str = "[redacted]";

/// How many hexadecimal digits of a hash stand for a text.
const HASH_DIGITS: usize = 32;

/// How often a hash is taken again because it was the value itself; the smallest range has 32,768 values.
const MAX_AGAIN: u8 = 64;

/// What a masked value became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Masked {
    /// The bytes that were appended.
    Value,
    /// NULL; nothing was appended.
    Null,
}

/// Applies masks with this node's key.
pub struct Masker {
    hash_key: Zeroizing<[u8; 32]>,
    tokens: Tokens,
}

impl std::fmt::Debug for Masker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Masker").finish_non_exhaustive()
    }
}

impl Masker {
    /// With the key that every function's own key is derived from.
    pub fn new(key: [u8; 32]) -> Self {
        let key = Zeroizing::new(key);
        let token_key = Zeroizing::new(blake3::derive_key("sluice 2026 mask tokenise", &*key));
        Masker {
            hash_key: Zeroizing::new(blake3::derive_key("sluice 2026 mask hash", &*key)),
            tokens: Tokens::new(&token_key),
        }
    }

    /// Appends what `mask` makes of a column's value to `out`: a value of the same type in the same format, or nothing
    /// for NULL. Where a mask cannot work on a value, the value is redacted. Only `Redact`, `Whole`, `Constant`, `Date` and `Bucket`
    /// may happen to give the value that came.
    pub fn apply(&self, mask: Mask, column: Column, value: &[u8], out: &mut BytesMut) -> Masked {
        let Some(kind) = Kind::of(column.type_oid) else { return Masked::Null };
        let start = out.len();
        let done = match mask {
            Mask::Redact | Mask::Whole => kind.write_text(column.format, REDACTED, out),
            Mask::Null => false,
            Mask::Constant(constant) => {
                kind.write_text(column.format, constant.as_str(), out)
                    || kind
                        .read(Format::Text, constant.as_str().as_bytes())
                        .is_some_and(|v| kind.write(column.format, &v, out))
            }
            Mask::Hash | Mask::Partial(_) | Mask::Tokenise => {
                let done = match mask {
                    Mask::Hash => self.hash(kind, column.format, value, out),
                    Mask::Partial(how) => {
                        let text = if kind == Kind::Text { std::str::from_utf8(value).ok() } else { None };
                        text.is_some_and(|text| text::partial(how, text, out).is_some())
                    }
                    _ => self.token(Way::Hide, kind, column.format, value, out),
                };
                // One value in a domain is, on average, its own token; and `***` is all that is left of `***`.
                if done && out.get(start..) != Some(value) {
                    return Masked::Value;
                }
                out.truncate(start);
                let done = match kind {
                    Kind::Text => within(value, out),
                    _ => kind.write_text(column.format, REDACTED, out),
                };
                done && out.get(start..) != Some(value)
            }
            Mask::Date(_) | Mask::Bucket(_) => {
                let reduced = kind.read(column.format, value).and_then(|value| reduced(mask, &value));
                match reduced {
                    Some(reduced) => kind.write(column.format, &reduced, out),
                    None => kind.write_text(column.format, REDACTED, out),
                }
            }
        };
        if done {
            return Masked::Value;
        }
        out.truncate(start);
        Masked::Null
    }

    /// Appends the value that `Tokenise` made this token of. NULL: it is no token.
    pub fn detokenise(&self, column: Column, token: &[u8], out: &mut BytesMut) -> Masked {
        let start = out.len();
        let kind = Kind::of(column.type_oid).filter(|kind| *kind != Kind::Text || token != REDACTED.as_bytes());
        let done = kind.is_some_and(|kind| self.token(Way::Reveal, kind, column.format, token, out));
        if done && out.get(start..) != Some(token) {
            return Masked::Value;
        }
        out.truncate(start);
        Masked::Null
    }

    fn token(&self, way: Way, kind: Kind, format: Format, value: &[u8], out: &mut BytesMut) -> bool {
        if kind == Kind::Text {
            return self.tokens.text(way, value, out);
        }
        let token = match kind.read(format, value) {
            // All int2 values are fewer than a domain needs.
            Some(Value::Int(value)) if kind != Kind::Int2 => self.tokens.integer(way, value).map(Value::Int),
            Some(Value::Numeric(value)) => value
                .integer()
                .and_then(|value| self.tokens.integer(way, value))
                .map(|token| Value::Numeric(Numeric::whole(token.into()))),
            Some(Value::Uuid(value)) => self.tokens.uuid(way, value).map(Value::Uuid),
            _ => None,
        };
        token.is_some_and(|token| kind.write(format, &token, out))
    }

    fn hash(&self, kind: Kind, format: Format, value: &[u8], out: &mut BytesMut) -> bool {
        if let Some(text) = kind.text(format, value) {
            // A char(n) equals its text without the padding.
            let text = if kind == Kind::Text { unpadded(text) } else { text };
            let tag = if kind == Kind::Text { b't' } else { b'j' };
            let hash = self.digest(tag, 0, text).to_hex();
            let mut shown = [0; 2 + HASH_DIGITS];
            let digits = hash.as_bytes().get(..HASH_DIGITS).unwrap_or_default();
            shown.iter_mut().zip(b"h:".iter().chain(digits)).for_each(|(to, from)| *to = *from);
            return kind.write_text(format, std::str::from_utf8(&shown).unwrap_or_default(), out);
        }
        let Some(value) = kind.read(format, value) else { return false };
        for again in 0..MAX_AGAIN {
            let hashed = self.hashed(kind, &value, again);
            if hashed != value {
                return kind.write(format, &hashed, out);
            }
        }
        false
    }

    /// A value of the same type by a value's hash.
    fn hashed(&self, kind: Kind, value: &Value, again: u8) -> Value {
        let digest = |tag: u8, bytes: &[u8]| self.digest(tag, again, bytes);
        let random = |tag: u8, bytes: &[u8]| {
            let first = digest(tag, bytes).as_bytes().first_chunk().copied();
            u64::from_be_bytes(first.unwrap_or_default())
        };
        match value {
            Value::Int(value) => {
                // Never negative, whatever the value was.
                let keep = match kind {
                    Kind::Int2 => 15,
                    Kind::Int4 => 31,
                    _ => 63,
                };
                Value::Int((random(b'i', &value.to_be_bytes()) >> 64u32.saturating_sub(keep)).cast_signed())
            }
            Value::Numeric(value) => {
                let random = random(b'n', &value.canonical()) % 10u64.pow(18);
                Value::Numeric(Numeric::whole(random.into()))
            }
            Value::Float(value) => {
                // Every integer below these is a value of the type.
                let (tag, below) = if kind == Kind::Float4 { (b'f', 1u64 << 24) } else { (b'F', 1 << 53) };
                #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
                let random = (random(tag, &value.to_bits().to_be_bytes()) % below) as f64;
                Value::Float(random)
            }
            Value::Date(days) => Value::Date(moment::some_day(random(b'd', &days.to_be_bytes()))),
            Value::Timestamp(micros) => {
                let digest = digest(b'm', &micros.to_be_bytes());
                let mut words = digest.as_bytes().as_chunks::<8>().0.iter().map(|word| u64::from_be_bytes(*word));
                let day = i64::from(moment::some_day(words.next().unwrap_or_default())).saturating_mul(moment::DAY);
                Value::Timestamp(day.saturating_add(moment::some_second(words.next().unwrap_or_default())))
            }
            Value::Time(micros) => Value::Time(moment::some_second(random(b'c', &micros.to_be_bytes()))),
            Value::Uuid(bytes) => {
                let mut hashed: [u8; 16] = digest(b'u', bytes).as_bytes().first_chunk().copied().unwrap_or_default();
                // A random one, version 4 (RFC 9562): programs that look at the version know it.
                let [.., version, _, variant, _, _, _, _, _, _, _] = &mut hashed;
                *version = *version & 0x0f | 0x40;
                *variant = *variant & 0x3f | 0x80;
                Value::Uuid(hashed)
            }
            Value::Bytea(bytes) => {
                let hash = digest(b'b', bytes);
                Value::Bytea(hash.as_bytes().first_chunk::<16>().copied().unwrap_or_default().to_vec())
            }
        }
    }

    fn digest(&self, tag: u8, again: u8, bytes: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.hash_key);
        hasher.update(&[tag, again]).update(bytes);
        hasher.finalize()
    }
}

/// Without the padding of a char(n).
fn unpadded(text: &[u8]) -> &[u8] {
    let spaces = text.iter().rev().take_while(|byte| **byte == b' ').count();
    text.get(..text.len().saturating_sub(spaces)).unwrap_or_default()
}

/// Redacts a text within its own length: columns may have one.
fn within(value: &[u8], out: &mut BytesMut) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return false };
    if text.chars().count() < REDACTED.len() {
        text::stars(text, out);
    } else {
        out.extend_from_slice(REDACTED.as_bytes());
    }
    true
}

fn reduced(mask: Mask, value: &Value) -> Option<Value> {
    match (mask, value) {
        (Mask::Date(unit), Value::Date(days)) => moment::truncate_date(*days, unit).map(Value::Date),
        (Mask::Date(unit), Value::Timestamp(micros)) => moment::truncate_timestamp(*micros, unit).map(Value::Timestamp),
        (Mask::Date(unit), Value::Time(micros)) => moment::truncate_time(*micros, unit).map(Value::Time),
        (Mask::Bucket(n), Value::Int(value)) => value.div_euclid(n.into()).checked_mul(n.into()).map(Value::Int),
        (Mask::Bucket(n), Value::Numeric(value)) => value.bucket(n).map(Value::Numeric),
        (Mask::Bucket(n), Value::Float(value)) => {
            // Adding zero makes a negative zero a plain one.
            Some(Value::Float((value / f64::from(n)).floor() * f64::from(n) + 0.0))
        }
        _ => None,
    }
}
