//! PostgreSQL's types as the masks see them: which there are, and how a value of each is read and written in both formats.

use bytes::{BufMut as _, BytesMut};

use super::moment;
use super::number::Numeric;

/// How a column's values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As the type's output function writes it.
    Text,
    /// As its send function does.
    Binary,
}

impl Format {
    /// From the protocol's format code.
    pub const fn from_code(code: i16) -> Option<Self> {
        match code {
            0 => Some(Format::Text),
            1 => Some(Format::Binary),
            _ => None,
        }
    }
}

/// What a mask has to know of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// The type's OID. The masks know built-in types; a type of an extension that is a text, as `citext` is, can be
    /// called `text` (25) by who knows that it is.
    pub type_oid: u32,
    /// How its values come.
    pub format: Format,
}

/// A type that a mask can write a value of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// text, varchar, bpchar, name, unknown: both formats are the text itself.
    Text,
    /// json: both formats are the text.
    Json,
    /// jsonb: binary is a version byte and the text.
    Jsonb,
    Int2,
    Int4,
    Int8,
    Numeric,
    Float4,
    Float8,
    Date,
    Timestamp,
    Timestamptz,
    Time,
    Uuid,
    Bytea,
}

/// jsonb's binary format (`jsonb_send`).
const JSONB_VERSION: u8 = 1;

/// A value that was understood.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Int(i64),
    Numeric(Numeric),
    /// float4 as well: every one is a float8.
    Float(f64),
    /// Days since 2000-01-01.
    Date(i32),
    /// Microseconds since 2000-01-01, UTC where the type has a time zone.
    Timestamp(i64),
    /// Microseconds since midnight.
    Time(i64),
    Uuid([u8; 16]),
    Bytea(Vec<u8>),
}

impl Kind {
    /// By `pg_type.dat`. Absent: whatever the mask, such a column is NULL.
    pub(super) const fn of(type_oid: u32) -> Option<Self> {
        Some(match type_oid {
            25 | 1043 | 1042 | 19 | 705 => Kind::Text,
            114 => Kind::Json,
            3802 => Kind::Jsonb,
            21 => Kind::Int2,
            23 => Kind::Int4,
            20 => Kind::Int8,
            1700 => Kind::Numeric,
            700 => Kind::Float4,
            701 => Kind::Float8,
            1082 => Kind::Date,
            1114 => Kind::Timestamp,
            1184 => Kind::Timestamptz,
            1083 => Kind::Time,
            2950 => Kind::Uuid,
            17 => Kind::Bytea,
            _ => return None,
        })
    }

    /// Reads a value of a type that is no text. Absent: it is none, or one that no mask works on, as infinity is.
    pub(super) fn read(self, format: Format, bytes: &[u8]) -> Option<Value> {
        match format {
            Format::Text => self.read_text(bytes),
            Format::Binary => self.read_binary(bytes),
        }
    }

    fn read_text(self, bytes: &[u8]) -> Option<Value> {
        let text = || std::str::from_utf8(bytes).ok();
        match self {
            Kind::Text | Kind::Json | Kind::Jsonb => None,
            Kind::Int2 | Kind::Int4 | Kind::Int8 => {
                let value = text()?.parse::<i64>().ok()?;
                self.holds(value).then_some(Value::Int(value))
            }
            Kind::Numeric => Numeric::from_text(bytes).map(Value::Numeric),
            Kind::Float4 => float(text()?.parse::<f32>().ok()?.into()),
            Kind::Float8 => float(text()?.parse().ok()?),
            Kind::Date => moment::date(bytes).map(Value::Date),
            Kind::Timestamp => moment::timestamp(bytes).map(Value::Timestamp),
            Kind::Timestamptz => moment::timestamptz(bytes).map(Value::Timestamp),
            Kind::Time => moment::time(bytes).map(Value::Time),
            Kind::Uuid => uuid(bytes).map(Value::Uuid),
            Kind::Bytea => bytea(bytes).map(Value::Bytea),
        }
    }

    fn read_binary(self, bytes: &[u8]) -> Option<Value> {
        Some(match self {
            Kind::Text | Kind::Json | Kind::Jsonb => return None,
            Kind::Int2 => Value::Int(i16::from_be_bytes(bytes.try_into().ok()?).into()),
            Kind::Int4 => Value::Int(i32::from_be_bytes(bytes.try_into().ok()?).into()),
            Kind::Int8 => Value::Int(i64::from_be_bytes(bytes.try_into().ok()?)),
            Kind::Numeric => Value::Numeric(Numeric::from_binary(bytes)?),
            Kind::Float4 => return float(f32::from_be_bytes(bytes.try_into().ok()?).into()),
            Kind::Float8 => return float(f64::from_be_bytes(bytes.try_into().ok()?)),
            Kind::Date => Value::Date(moment::known_day(i32::from_be_bytes(bytes.try_into().ok()?))?),
            Kind::Timestamp => Value::Timestamp(moment::known_moment(i64::from_be_bytes(bytes.try_into().ok()?))?),
            Kind::Timestamptz => Value::Timestamp(moment::known_instant(i64::from_be_bytes(bytes.try_into().ok()?))?),
            Kind::Time => Value::Time(moment::known_time(i64::from_be_bytes(bytes.try_into().ok()?))?),
            Kind::Uuid => Value::Uuid(bytes.try_into().ok()?),
            Kind::Bytea => Value::Bytea(bytes.to_vec()),
        })
    }

    /// Appends a value, or nothing where the type cannot hold it; whether it could.
    pub(super) fn write(self, format: Format, value: &Value, out: &mut BytesMut) -> bool {
        let binary = format == Format::Binary;
        match (self, value) {
            (Kind::Int2 | Kind::Int4 | Kind::Int8, Value::Int(value)) if self.holds(*value) => match (binary, self) {
                (false, _) => out.put_slice(itoa::Buffer::new().format(*value).as_bytes()),
                (true, Kind::Int8) => out.put_i64(*value),
                // `holds` has checked the lengths.
                (true, Kind::Int4) => out.put_i32(i32::try_from(*value).unwrap_or_default()),
                (true, _) => out.put_i16(i16::try_from(*value).unwrap_or_default()),
            },
            (Kind::Numeric, Value::Numeric(value)) if binary => value.put_binary(out),
            (Kind::Numeric, Value::Numeric(value)) => value.put_text(out),
            (Kind::Float4, Value::Float(value)) => {
                #[expect(clippy::cast_possible_truncation, reason = "what becomes infinite is refused below")]
                let value = *value as f32;
                if !value.is_finite() {
                    return false;
                }
                if binary { out.put_f32(value) } else { put(out, format_args!("{value}")) }
            }
            (Kind::Float8, Value::Float(value)) if value.is_finite() => {
                if binary {
                    out.put_f64(*value)
                } else {
                    put(out, format_args!("{value}"))
                }
            }
            (Kind::Date, Value::Date(days)) if binary => out.put_i32(*days),
            (Kind::Timestamp | Kind::Timestamptz, Value::Timestamp(micros)) if binary => out.put_i64(*micros),
            (Kind::Time, Value::Time(micros)) if binary => out.put_i64(*micros),
            (Kind::Date, Value::Date(days)) => return moment::put_date(*days, out),
            (Kind::Timestamp, Value::Timestamp(micros)) => return moment::put_timestamp(*micros, out),
            (Kind::Timestamptz, Value::Timestamp(micros)) => {
                let could = moment::put_timestamp(*micros, out);
                if could {
                    out.put_slice(b"+00");
                }
                return could;
            }
            (Kind::Time, Value::Time(micros)) => moment::put_time(*micros, out),
            (Kind::Uuid, Value::Uuid(bytes)) if binary => out.put_slice(bytes),
            (Kind::Uuid, Value::Uuid(bytes)) => {
                for (at, byte) in bytes.iter().enumerate() {
                    if matches!(at, 4 | 6 | 8 | 10) {
                        out.put_u8(b'-');
                    }
                    put(out, format_args!("{byte:02x}"));
                }
            }
            (Kind::Bytea, Value::Bytea(bytes)) if binary => out.put_slice(bytes),
            (Kind::Bytea, Value::Bytea(bytes)) => {
                out.put_slice(b"\\x");
                bytes.iter().for_each(|byte| put(out, format_args!("{byte:02x}")));
            }
            _ => return false,
        }
        true
    }

    /// Appends a text, or what stands for one in JSON; whether the type can hold it.
    pub(super) fn write_text(self, format: Format, text: &str, out: &mut BytesMut) -> bool {
        match self {
            Kind::Text => out.put_slice(text.as_bytes()),
            Kind::Json | Kind::Jsonb => {
                if self == Kind::Jsonb && format == Format::Binary {
                    out.put_u8(JSONB_VERSION);
                }
                // A text has no way to fail as JSON.
                out.put_slice(serde_json::to_string(text).unwrap_or_else(|_| "null".to_owned()).as_bytes());
            }
            _ => return false,
        }
        true
    }

    /// A value of a text, or of JSON, without what its binary format adds.
    pub(super) fn text(self, format: Format, value: &[u8]) -> Option<&[u8]> {
        match self {
            Kind::Text | Kind::Json => Some(value),
            Kind::Jsonb if format == Format::Text => Some(value),
            Kind::Jsonb => value.strip_prefix(&[JSONB_VERSION]),
            _ => None,
        }
    }

    /// Whether an integer type holds this.
    pub(super) fn holds(self, value: i64) -> bool {
        match self {
            Kind::Int2 => i16::try_from(value).is_ok(),
            Kind::Int4 => i32::try_from(value).is_ok(),
            _ => true,
        }
    }
}

/// NaN and infinity are no numbers to mask.
fn float(value: f64) -> Option<Value> {
    // Negative zero equals zero.
    value.is_finite().then_some(Value::Float(value + 0.0))
}

pub(super) fn put(out: &mut BytesMut, what: std::fmt::Arguments<'_>) {
    // A BytesMut takes everything.
    let _ = std::fmt::Write::write_fmt(out, what);
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn hex_pair(pair: &[u8]) -> Option<u8> {
    match pair {
        [high, low] => Some(hex(*high)? << 4 | hex(*low)?),
        _ => None,
    }
}

/// As `uuid_out` writes it.
fn uuid(text: &[u8]) -> Option<[u8; 16]> {
    if text.len() != 36 || [8, 13, 18, 23].iter().any(|at| text.get(*at) != Some(&b'-')) {
        return None;
    }
    let mut digits = text.iter().filter(|byte| **byte != b'-');
    let mut bytes = [0; 16];
    for byte in &mut bytes {
        *byte = hex_pair(&[*digits.next()?, *digits.next()?])?;
    }
    digits.next().is_none().then_some(bytes)
}

/// As `bytea_out` writes it under either `bytea_output`.
fn bytea(text: &[u8]) -> Option<Vec<u8>> {
    if let Some(digits) = text.strip_prefix(b"\\x") {
        return digits.chunks(2).map(hex_pair).collect();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    loop {
        rest = match rest {
            [] => return Some(bytes),
            [b'\\', b'\\', rest @ ..] => {
                bytes.push(b'\\');
                rest
            }
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', rest @ ..] => {
                bytes.push((a & 3) << 6 | (b & 7) << 3 | (c & 7));
                rest
            }
            [b'\\', ..] => return None,
            [byte, rest @ ..] => {
                bytes.push(*byte);
                rest
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_and_bytes_are_read_as_the_server_writes_them() {
        let text = b"0123abcd-4567-89ab-cdef-0123456789ab";
        let Some(value) = Kind::Uuid.read(Format::Text, text) else { panic!("no uuid") };
        let mut out = BytesMut::new();
        assert!(Kind::Uuid.write(Format::Text, &value, &mut out));
        assert_eq!(&out[..], text);
        assert_eq!(bytea(b"\\x00ff5c"), Some(vec![0, 255, 92]));
        assert_eq!(bytea(b"\\000\\377\\\\a"), Some(vec![0, 255, 92, 97]));
        assert!(bytea(b"\\x0").is_none() && bytea(b"\\9").is_none() && uuid(b"0123").is_none());
        assert!(uuid(b"01-3abcd-4567-89ab-cdef-0123456789ab").is_none());
    }
}
