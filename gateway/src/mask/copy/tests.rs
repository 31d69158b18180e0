//! Streams in every format and every fragmentation.

use bytes::{BufMut as _, BytesMut};
use proptest::prelude::*;

use super::*;

const TEXT: u32 = 25;
const INT4: u32 = 23;

fn masker() -> Masker {
    Masker::new([7; 32])
}

fn columns(masks: &[(u32, Option<&str>)]) -> Vec<CopyColumn> {
    let one = |(type_oid, mask): &(u32, Option<&str>)| CopyColumn {
        type_oid: *type_oid,
        mask: mask.map(|mask| mask.parse().unwrap()),
    };
    masks.iter().map(one).collect()
}

/// What comes out of pieces, and whether it ended well.
fn run(layout: &Layout, columns: &[CopyColumn], limit: usize, pieces: &[&[u8]]) -> (Vec<u8>, Result<(), CopyError>) {
    let mut copy = CopyMasker::new(layout.clone(), columns.to_vec(), limit).unwrap();
    let (masker, mut out) = (masker(), BytesMut::new());
    for piece in pieces {
        if let Err(error) = copy.push(piece, &masker, &mut out) {
            assert_eq!(copy.push(b"more", &masker, &mut out), Err(CopyError::Failed));
            assert_eq!(copy.finish(&masker, &mut out), Err(CopyError::Failed));
            return (out.to_vec(), Err(error));
        }
    }
    let done = copy.finish(&masker, &mut out);
    (out.to_vec(), done)
}

fn masked(layout: &Layout, columns: &[CopyColumn], bytes: &[u8]) -> String {
    let (out, done) = run(layout, columns, 1000, &[bytes]);
    done.unwrap();
    String::from_utf8(out).unwrap()
}

/// Cuts bytes at places given as parts of 65,536.
fn cut<'a>(bytes: &'a [u8], places: &[u16]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = places.iter().map(|place| usize::from(*place) * (bytes.len() + 1) / 65_536).collect();
    places.sort_unstable();
    places.push(bytes.len());
    let mut from = 0;
    places.into_iter().map(|to| &bytes[std::mem::replace(&mut from, to)..to]).collect()
}

#[test]
fn text_rows_are_masked_and_escaped() {
    let columns = columns(&[(INT4, None), (TEXT, Some("partial")), (INT4, Some("constant:0"))]);
    let text = Layout::Text(TextOptions::default());
    let rows = "1\t123-45-6789\t5\n2\t\\N\t\\N\n\\x33\ta\\tb\\\\c\\\nd\t7";
    assert_eq!(masked(&text, &columns, rows.as_bytes()), "1\t*******6789\t0\n2\t\\N\t\\N\n\\x33\t****c\\nd\t0");
    let bars = Layout::Text(TextOptions { delimiter: b'|', null: b"\\Z".to_vec(), header: true });
    let rows = "id|ssn|n\n1|12\\|456|5\n\\Z|\\Z|\\Z\n\\.\n";
    assert_eq!(masked(&bars, &columns, rows.as_bytes()), "id|ssn|n\n1|***456|0\n\\Z|\\Z|\\Z\n\\.\n");
    let short = masked(&bars, &columns, b"h\n1|a\\||5\n");
    assert_eq!(short, "h\n1|*\\||0\n", "the delimiter is escaped in what is left");
}

#[test]
fn csv_rows_are_masked_and_quoted_as_the_server_does() {
    let two = columns(&[(TEXT, Some("partial:keep=1")), (TEXT, None)]);
    let csv = Layout::Csv(CsvOptions::default());
    let rows = "ab,\"x\ny\"\n\"a\nb,\",\"\"\n,\n\"\",z\na\"b\"c,\"\"\"\"\n";
    // An empty text that is not NULL cannot be masked into another, shorter one.
    assert_eq!(masked(&csv, &two, rows.as_bytes()), "*b,\"x\ny\"\n\"***,\",\"\"\n,\n,z\n**c,\"\"\"\"\n");
    let one = columns(&[(TEXT, Some("constant:a\"b\\c"))]);
    let odd = Layout::Csv(CsvOptions {
        delimiter: b';',
        quote: b'"',
        escape: b'\\',
        null: b"NULL".to_vec(),
        header: true,
        force_quote: vec![true],
    });
    let rows = "\"na\nme\"\nx\nNULL\n\"NULL\"\n\"a\\\"\nb\\\\\"\n\"\\x\"";
    let expected = "\"na\nme\"\nC\nNULL\nC\nC\nC".replace('C', "\"a\\\"b\\\\c\"");
    assert_eq!(masked(&odd, &one, rows.as_bytes()), expected);
    let end = columns(&[(TEXT, Some("constant:\\."))]);
    assert_eq!(masked(&csv, &end, b"x\n"), "\"\\.\"\n", "not an end mark");
}

fn tuple(values: &[Option<&[u8]>]) -> Vec<u8> {
    let mut row = BytesMut::new();
    row.put_u16(u16::try_from(values.len()).unwrap());
    for value in values {
        row.put_i32(value.map_or(-1, |value| i32::try_from(value.len()).unwrap()));
        row.put_slice(value.unwrap_or_default());
    }
    row.to_vec()
}

fn binary(rows: &[Vec<u8>]) -> Vec<u8> {
    [b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\x02xx".to_vec(), rows.concat(), vec![0xff, 0xff]].concat()
}

#[test]
fn binary_rows_are_masked() {
    let columns = columns(&[(INT4, None), (TEXT, Some("partial")), (INT4, Some("redact"))]);
    let rows =
        binary(&[tuple(&[Some(&[0, 0, 0, 1]), Some(b"123-45-6789"), Some(&[0, 0, 0, 2])]), tuple(&[None, None, None])]);
    let expected = binary(&[tuple(&[Some(&[0, 0, 0, 1]), Some(b"*******6789"), None]), tuple(&[None, None, None])]);
    assert_eq!(run(&Layout::Binary, &columns, 1000, &[&rows]), (expected, Ok(())));
}

#[test]
fn what_is_not_as_announced_is_an_error_and_goes_no_further() {
    let two = columns(&[(TEXT, Some("partial")), (TEXT, None)]);
    let text = Layout::Text(TextOptions::default());
    let csv = Layout::Csv(CsvOptions::default());
    let long = [b"a\tb\n".to_vec(), vec![b'x'; 2000]].concat();
    let quoted = [b"a,b\n\"".to_vec(), b"\n".repeat(2000)].concat();
    for (layout, bytes, out, error) in [
        (&text, &b"a\tb\nc\n"[..], &b"*\tb\n"[..], CopyError::Columns(2)),
        (&text, b"a\tb\nc\td\te\n", b"*\tb\n", CopyError::Columns(2)),
        (&text, b"\\.\na\tb\n", b"\\.\n", CopyError::Malformed("a row after its end")),
        (&text, &long, b"*\tb\n", CopyError::TooLong(1000)),
        (&csv, b"a,b\n\"c,d\n", b"*,b\n", CopyError::Malformed("it ended within quotes")),
        (&csv, &quoted, b"*,b\n", CopyError::TooLong(1000)),
        (&Layout::Binary, b"PGCOPY\n\xff\r\n\x01", b"", CopyError::Malformed("the signature")),
        (&Layout::Binary, &binary(&[tuple(&[None])]), &binary(&[])[..21], CopyError::Columns(2)),
        (&Layout::Binary, &binary(&[])[..22], &binary(&[])[..21], CopyError::Malformed("it ended within a row")),
        (&Layout::Binary, &[binary(&[]), vec![0]].concat(), &binary(&[]), CopyError::Malformed("a row after its end")),
        (
            &Layout::Binary,
            &[&binary(&[])[..21], &[0, 2, 0x7f, 0, 0, 0]].concat(),
            &binary(&[])[..21],
            CopyError::TooLong(1000),
        ),
        (
            &Layout::Binary,
            &[&binary(&[])[..21], &[0, 2, 0xff, 0, 0, 0]].concat(),
            &binary(&[])[..21],
            CopyError::Malformed("the length of a value"),
        ),
        (
            &Layout::Binary,
            b"PGCOPY\n\xff\r\n\0\0\x01\0\0\0\0\0\0",
            b"",
            CopyError::Malformed("a flag in its header that is not known"),
        ),
    ] {
        assert_eq!(run(layout, &two, 1000, &[bytes]), (out.to_vec(), Err(error)), "{layout:?} {bytes:?}");
    }
}

#[test]
fn options_that_no_server_takes_are_refused() {
    let text = TextOptions::default();
    for options in [
        TextOptions { delimiter: b'\n', ..text.clone() },
        TextOptions { delimiter: b'n', ..text.clone() },
        TextOptions { delimiter: b'\\', ..text.clone() },
        TextOptions { null: b"a\tb".to_vec(), ..text },
    ] {
        assert!(CopyMasker::new(Layout::Text(options), Vec::new(), 1).is_err());
    }
    let csv = CsvOptions::default();
    for options in [
        CsvOptions { delimiter: b'"', ..csv.clone() },
        CsvOptions { quote: b'\r', ..csv.clone() },
        CsvOptions { escape: 0xe9, ..csv.clone() },
        CsvOptions { null: b"\"".to_vec(), ..csv },
    ] {
        assert!(CopyMasker::new(Layout::Csv(options), Vec::new(), 1).is_err());
    }
}

#[test]
fn null_cannot_be_called_as_a_value_is() {
    let masked = columns(&[(TEXT, Some("partial"))]);
    let unmasked = columns(&[(TEXT, None)]);
    for (null, told_apart) in
        [("123-45-6789", false), ("\\nix", false), ("\\\\N", false), ("\\N", true), ("\\1", true), ("", true)]
    {
        let text = Layout::Text(TextOptions { null: null.into(), ..TextOptions::default() });
        assert_eq!(CopyMasker::new(text.clone(), masked.clone(), 1).is_ok(), told_apart, "{null}");
        assert!(CopyMasker::new(text, unmasked.clone(), 1).is_ok());
        // In csv, such a value is quoted.
        let csv = Layout::Csv(CsvOptions { null: null.into(), ..CsvOptions::default() });
        assert!(CopyMasker::new(csv, masked.clone(), 1).is_ok());
    }
}

#[test]
fn null_does_not_end_within_an_escape() {
    let masked = columns(&[(TEXT, Some("partial"))]);
    for (null, told_apart) in [("'\\", false), ("\\", false), ("\\\\\\", false), ("\\N", true), ("\\N\\\\", true)] {
        let text = Layout::Text(TextOptions { null: null.into(), ..TextOptions::default() });
        assert_eq!(CopyMasker::new(text, masked.clone(), 1).is_ok(), told_apart, "{null}");
    }
}

/// As the server writes a text row, for one with nothing in it that has a letter.
fn text_row(values: &[Option<String>]) -> String {
    let escaped = |value: &String| {
        let value = value.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r");
        value.replace('\x08', "\\b").replace('\x0b', "\\v").replace('\x0c', "\\f")
    };
    let fields: Vec<String> = values.iter().map(|value| value.as_ref().map_or("\\N".to_owned(), escaped)).collect();
    fields.join("\t") + "\n"
}

fn csv_row(values: &[Option<String>]) -> String {
    let quoted = |value: &String| {
        let odd = value.is_empty() || value.contains(['"', ',', '\n', '\r']);
        if odd { format!("\"{}\"", value.replace('"', "\"\"")) } else { value.clone() }
    };
    let fields: Vec<String> = values.iter().map(|value| value.as_ref().map_or(String::new(), quoted)).collect();
    fields.join(",") + "\n"
}

fn binary_row(values: &[Option<String>]) -> Vec<u8> {
    tuple(&values.iter().map(|value| value.as_ref().map(String::as_bytes)).collect::<Vec<_>>())
}

type Row = [Option<String>; 3];

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let value = prop::option::of(prop_oneof![any::<String>(), "[ab\\\\\"',;\t\n\r\x08.N]{0,8}"])
        .prop_map(|value| value.map(|value| value.replace('\0', "")));
    prop::collection::vec([value.clone(), value.clone(), value], 0..6)
}

/// The same rows in each layout.
fn streams(rows: &[Row]) -> [(Layout, Vec<u8>); 3] {
    [
        (Layout::Text(TextOptions::default()), rows.iter().map(|row| text_row(row)).collect::<String>().into_bytes()),
        (Layout::Csv(CsvOptions::default()), rows.iter().map(|row| csv_row(row)).collect::<String>().into_bytes()),
        (Layout::Binary, binary(&rows.iter().map(|row| binary_row(row)).collect::<Vec<_>>())),
    ]
}

proptest! {
    #[test]
    fn only_masked_columns_change_whatever_the_pieces(
        rows in rows(),
        places in prop::collection::vec(any::<u16>(), 0..20),
        mask in prop::sample::select(vec!["partial", "hash", "redact", "null", "constant:a,\\\"b"]),
    ) {
        let columns = columns(&[(TEXT, None), (TEXT, Some(mask)), (TEXT, None)]);
        let expected: Vec<Row> = rows.iter().cloned().map(|[first, value, last]| {
            let value = value.and_then(|value| {
                let (mut out, column) = (BytesMut::new(), Column { type_oid: TEXT, format: Format::Text });
                let masked = masker().apply(mask.parse().unwrap(), column, value.as_bytes(), &mut out);
                (masked == Masked::Value).then(|| String::from_utf8(out.to_vec()).unwrap())
            });
            [first, value, last]
        }).collect();
        for ((layout, bytes), (_, expected)) in streams(&rows).into_iter().zip(streams(&expected)) {
            let (out, done) = run(&layout, &columns, 1 << 20, &cut(&bytes, &places));
            prop_assert_eq!(done, Ok(()));
            prop_assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&expected));
        }
    }

    #[test]
    fn a_stream_without_masks_or_with_nothing_to_mask_is_the_same_bytes(
        rows in rows(),
        places in prop::collection::vec(any::<u16>(), 0..20),
    ) {
        let nulls: Vec<Row> = rows.iter().cloned().map(|[first, _, last]| [first, None, last]).collect();
        let unmasked = columns(&[(TEXT, None), (TEXT, None), (TEXT, None)]);
        let masked = columns(&[(TEXT, None), (TEXT, Some("hash")), (TEXT, None)]);
        for (rows, columns) in [(&rows, &unmasked), (&nulls, &masked)] {
            for (layout, bytes) in streams(rows) {
                prop_assert_eq!(run(&layout, columns, 1 << 20, &cut(&bytes, &places)), (bytes.clone(), Ok(())));
            }
        }
    }

    #[test]
    fn no_bytes_panic_and_pieces_make_no_difference(
        bytes in prop_oneof![
            any::<Vec<u8>>(),
            "[ab\\\\\",\t\n\r.]{0,60}".prop_map(String::into_bytes),
            prop::collection::vec(prop::sample::select(vec![0u8, 0, 0, 1, 2, 0xff]), 0..60)
                .prop_map(|rest| [&binary(&[])[..21], &rest].concat()),
        ],
        places in prop::collection::vec(any::<u16>(), 0..20),
        limit in 1usize..80,
    ) {
        let columns = columns(&[(TEXT, Some("partial")), (INT4, Some("hash"))]);
        for (layout, _) in streams(&[]) {
            let (whole, done) = run(&layout, &columns, limit, &[&bytes]);
            let (pieces, also) = run(&layout, &columns, limit, &cut(&bytes, &places));
            prop_assert_eq!(whole, pieces);
            prop_assert_eq!(done.is_ok(), also.is_ok());
        }
    }
}
