//! What every mask promises of every type, and what the documentation shows.

use bytes::{BufMut as _, BytesMut};
use proptest::prelude::*;

use super::kind::{Kind, Value};
use super::number::Numeric;
use super::{Column, Format, Mask, Masked, Masker};

const KEY: [u8; 32] = [7; 32];

/// Types by the names that the documentation uses; the last ones are masked to NULL.
const TYPES: [(&str, u32); 25] = [
    ("text", 25),
    ("varchar", 1043),
    ("char", 1042),
    ("name", 19),
    ("json", 114),
    ("jsonb", 3802),
    ("int2", 21),
    ("int4", 23),
    ("int8", 20),
    ("numeric", 1700),
    ("float4", 700),
    ("float8", 701),
    ("date", 1082),
    ("timestamp", 1114),
    ("timestamptz", 1184),
    ("time", 1083),
    ("uuid", 2950),
    ("bytea", 17),
    ("bool", 16),
    ("money", 790),
    ("inet", 869),
    ("text[]", 1009),
    ("interval", 1186),
    ("timetz", 1266),
    ("an enum", 16_400),
];

const MASKS: [&str; 19] = [
    "redact",
    "null",
    "partial",
    "partial:keep=1",
    "partial:email",
    "partial:card",
    "partial:phone",
    "partial:name",
    "hash",
    "tokenise",
    "date:year",
    "date:month",
    "date:day",
    "date:hour",
    "bucket:1",
    "bucket:4294967295",
    "constant:unknown",
    "constant:7",
    "constant:2001-02-03",
];

fn oid(name: &str) -> u32 {
    TYPES.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no type {name}")).1
}

fn apply(mask: Mask, type_oid: u32, format: Format, value: &[u8]) -> Option<Vec<u8>> {
    let mut out = BytesMut::from(&b"before"[..]);
    let masked = Masker::new(KEY).apply(mask, Column { type_oid, format }, value, &mut out);
    assert!(out.starts_with(b"before"));
    match masked {
        Masked::Value => Some(out[6..].to_vec()),
        Masked::Null => {
            assert_eq!(out.len(), 6, "nothing is left of what was tried");
            None
        }
    }
}

fn shown(mask: &str, type_name: &str, value: &str) -> Option<String> {
    let out = apply(mask.parse().unwrap(), oid(type_name), Format::Text, value.as_bytes());
    out.map(|out| String::from_utf8(out).unwrap())
}

fn written(kind: Kind, format: Format, value: &Value) -> Option<Vec<u8>> {
    let mut out = BytesMut::new();
    kind.write(format, value, &mut out).then(|| out.to_vec())
}

/// Values that each type can have, the odd ones more often.
fn value(kind: Kind) -> BoxedStrategy<Value> {
    let whole = (any::<i64>(), 0u32..64).prop_map(|(value, shift)| value >> shift);
    match kind {
        Kind::Text | Kind::Json | Kind::Jsonb => unreachable!("texts are the same in both formats"),
        Kind::Int2 => any::<i16>().prop_map(|value| Value::Int(value.into())).boxed(),
        Kind::Int4 => any::<i32>().prop_map(|value| Value::Int(value.into())).boxed(),
        Kind::Int8 => whole.prop_map(Value::Int).boxed(),
        Kind::Numeric => (whole, 0usize..30)
            .prop_map(|(value, scale)| {
                let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
                let (whole, fraction) = digits.split_at(digits.len() - scale);
                let sign = if value < 0 { "-" } else { "" };
                Value::Numeric(Numeric::from_text(format!("{sign}{whole}.{fraction}").as_bytes()).unwrap())
            })
            .boxed(),
        Kind::Float4 => any::<f32>().prop_map(|value| Value::Float((value + 0.0).into())).boxed(),
        Kind::Float8 => any::<f64>().prop_map(|value| Value::Float(value + 0.0)).boxed(),
        Kind::Date => (-730_000i32..2_900_000).prop_map(Value::Date).boxed(),
        Kind::Timestamp | Kind::Timestamptz => (-63_000_000_000i64..252_000_000_000, 0i64..1_000_000)
            .prop_map(|(seconds, micros)| Value::Timestamp(seconds * 1_000_000 + micros))
            .boxed(),
        Kind::Time => (0i64..=86_400_000_000).prop_map(Value::Time).boxed(),
        Kind::Uuid => any::<[u8; 16]>().prop_map(Value::Uuid).boxed(),
        Kind::Bytea => any::<Vec<u8>>().prop_map(Value::Bytea).boxed(),
    }
}

fn kinds() -> impl Iterator<Item = (Kind, u32)> {
    let known = TYPES.iter().filter_map(|(_, oid)| Kind::of(*oid).map(|kind| (kind, *oid)));
    known.filter(|(kind, _)| !matches!(kind, Kind::Text | Kind::Json | Kind::Jsonb))
}

fn typed() -> impl Strategy<Value = (Kind, u32, Value)> {
    prop::sample::select(kinds().collect::<Vec<_>>())
        .prop_flat_map(|(kind, oid)| value(kind).prop_map(move |value| (kind, oid, value)))
}

/// Bytes that some type may read as a value more often than random ones would be.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<Vec<u8>>(),
        any::<String>().prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..20),
        "[*]{0,12}|[0-9 -]{1,24}|[a-z]{1,9}@[a-z.]{1,9}|[A-Z][a-z]* [A-Z][a-z]*".prop_map(String::into_bytes),
        "-?[0-9]{1,20}(\\.[0-9]{0,20})?|NaN|-?Infinity|-?infinity|[0-9]e[0-9]{1,3}".prop_map(String::into_bytes),
        "[0-9]{4}-[01][0-9]-[0-3][0-9]( [0-2][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?([+-][01][0-9](:30)?)?)?"
            .prop_map(String::into_bytes),
        Just(b"[redacted]".to_vec()),
        typed().prop_filter_map("no such value", |(kind, _, value)| written(kind, Format::Binary, &value)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn whatever_comes_a_mask_gives_null_or_another_value_of_the_type(
        bytes in bytes(),
        mask in prop::sample::select(MASKS.to_vec()),
        (_, oid) in prop::sample::select(TYPES.to_vec()),
        format in prop::sample::select(vec![Format::Text, Format::Binary]),
    ) {
        let mask: Mask = mask.parse().unwrap();
        let Some(out) = apply(mask, oid, format, &bytes) else { return Ok(()) };
        let kind = Kind::of(oid).expect("a type that is not known is NULL");
        match kind {
            Kind::Text => {
                let text = std::str::from_utf8(&out).unwrap();
                if matches!(mask, Mask::Partial(_) | Mask::Tokenise) {
                    let before = std::str::from_utf8(&bytes).unwrap();
                    prop_assert!(text.chars().count() <= before.chars().count());
                }
            }
            Kind::Json | Kind::Jsonb => {
                let json = kind.text(format, &out).unwrap();
                prop_assert!(serde_json::from_slice::<String>(json).is_ok());
            }
            _ => prop_assert!(kind.read(format, &out).is_some(), "{:?}", out),
        }
        if matches!(mask, Mask::Hash | Mask::Tokenise | Mask::Partial(_)) {
            prop_assert_ne!(&out, &bytes);
            if let Some(before) = kind.read(format, &bytes) {
                prop_assert_ne!(kind.read(format, &out), Some(before));
            }
        }
    }

    #[test]
    fn both_formats_have_the_same_masked_value(
        (kind, oid, value) in typed(),
        mask in prop::sample::select(MASKS.to_vec()),
    ) {
        let (text, binary) = (written(kind, Format::Text, &value), written(kind, Format::Binary, &value));
        let (Some(text), Some(binary)) = (text, binary) else { return Ok(()) };
        let mask: Mask = mask.parse().unwrap();
        let (as_text, as_binary) = (apply(mask, oid, Format::Text, &text), apply(mask, oid, Format::Binary, &binary));
        prop_assert_eq!(as_text.is_some(), as_binary.is_some());
        if let (Some(as_text), Some(as_binary)) = (as_text, as_binary) {
            prop_assert_eq!(kind.read(Format::Text, &as_text).unwrap(), kind.read(Format::Binary, &as_binary).unwrap());
        }
    }

    #[test]
    fn a_token_leads_back_to_its_value((kind, type_oid, value) in typed()) {
        for format in [Format::Text, Format::Binary] {
            let Some(bytes) = written(kind, format, &value) else { continue };
            let Some(token) = apply(Mask::Tokenise, type_oid, format, &bytes) else { continue };
            let (column, mut out) = (Column { type_oid, format }, BytesMut::new());
            prop_assert_eq!(Masker::new(KEY).detokenise(column, &token, &mut out), Masked::Value);
            prop_assert_eq!(kind.read(format, &out), Some(value.clone()));
            out.clear();
            let other = Masker::new([8; 32]).detokenise(column, &token, &mut out);
            prop_assert!(other == Masked::Null || kind.read(format, &out) != Some(value.clone()));
        }
    }
}

#[test]
fn texts_and_json_are_masked_alike_in_both_formats() {
    for mask in MASKS {
        let mask: Mask = mask.parse().unwrap();
        for (name, value) in [("text", "4111 1111 1111 1234"), ("varchar", "ada@example.org"), ("json", "{\"a\": 1}")] {
            let format = |format| apply(mask, oid(name), format, value.as_bytes());
            assert_eq!(format(Format::Text), format(Format::Binary));
        }
        let text = apply(mask, oid("jsonb"), Format::Text, b"{\"a\": 1}");
        let binary = apply(mask, oid("jsonb"), Format::Binary, b"\x01{\"a\": 1}");
        assert_eq!(text.map(|text| [b"\x01", &text[..]].concat()), binary);
    }
}

#[test]
fn what_joins_still_joins() {
    let same = |mask: &str, (one, a): (&str, &str), (other, b): (&str, &str)| {
        let (one, other) = (shown(mask, one, a), shown(mask, other, b));
        assert!(one.is_some() && one == other, "{mask}: {one:?} {other:?}");
    };
    for mask in ["hash", "tokenise"] {
        same(mask, ("text", "123-45-6789"), ("varchar", "123-45-6789"));
        same(mask, ("int8", "42"), ("int8", "42"));
        same(mask, ("numeric", "42"), ("numeric", "42.00"));
        let uuid = "0f8fad5b-d9cb-469f-a165-70867728950e";
        same(mask, ("uuid", uuid), ("uuid", uuid));
    }
    same("hash", ("char", "ada   "), ("varchar", "ada"));
    same("hash", ("timestamptz", "2024-01-01 01:00:00+01"), ("timestamptz", "2024-01-01 00:00:00+00"));
    same("tokenise", ("int4", "2000000000"), ("int8", "2000000000"));
    same("tokenise", ("int4", "-42"), ("numeric", "-42"));
    for mask in ["hash", "tokenise"] {
        assert_ne!(shown(mask, "text", "123-45-6789"), shown(mask, "text", "123-45-6788"));
        let mask: Mask = mask.parse().unwrap();
        let (column, mut out) = (Column { type_oid: 25, format: Format::Text }, BytesMut::new());
        Masker::new([8; 32]).apply(mask, column, b"123-45-6789", &mut out);
        assert_ne!(shown(&mask.to_string(), "text", "123-45-6789").unwrap().as_bytes(), &out[..], "by another key");
    }
}

#[test]
fn no_small_number_is_its_own_mask() {
    for value in i16::MIN..=i16::MAX {
        for (name, bytes) in [("int2", value.to_be_bytes().to_vec()), ("int4", i32::from(value).to_be_bytes().to_vec())]
        {
            for mask in [Mask::Hash, Mask::Tokenise] {
                if mask == Mask::Tokenise && (name == "int2" || value % 64 != 0) {
                    continue;
                }
                let out = apply(mask, oid(name), Format::Binary, &bytes).unwrap();
                assert_ne!(out, bytes, "{name}");
                assert_eq!(out.len(), bytes.len());
            }
        }
    }
}

#[test]
fn a_numeric_that_claims_much_is_cheap_and_null() {
    // One digit with a weight of 32,767 groups of zeros behind it, and one that far behind the point.
    for weight in [i16::MAX, i16::MIN] {
        let mut value = BytesMut::new();
        value.put_u16(1);
        value.put_i16(weight);
        value.put_slice(&[0, 0, 0, 0, 0, 1]);
        assert_eq!(apply(Mask::Tokenise, oid("numeric"), Format::Binary, &value), None);
    }
}

/// The tables of `docs/masks.md` whose rows are examples: type, value, mask, result.
#[test]
fn the_documentation_shows_what_is_so() {
    let text = include_str!("../../../docs/masks.md");
    let (mut examples, mut wrong) = (0, Vec::new());
    for line in text.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let quoted = |cell: &str| cell.strip_prefix('`').and_then(|cell| cell.strip_suffix('`')).map(str::to_owned);
        let [type_name, value, mask, result] = cells[..] else { continue };
        let (Some(value), Some(mask)) = (quoted(value), quoted(mask)) else { continue };
        let result = if result == "NULL" { None } else { Some(quoted(result).expect("a result in backticks or NULL")) };
        let is = shown(&mask, type_name, &value);
        if is != result {
            wrong.push(format!("{line} gives {is:?}"));
        }
        examples += 1;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(examples >= 40, "{examples} examples were found");
    for word in ["redact", "null", "partial", "hash", "tokenise", "date:", "bucket:", "constant:"] {
        assert!(text.contains(&format!("`{word}")), "{word} is not documented");
    }
}
