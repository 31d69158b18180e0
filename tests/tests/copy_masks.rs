//! Masks on what a real server writes: odd values of every type in the three formats of COPY, masked, and read back in by
//! the server.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use gateway::mask::Masker;
use gateway::mask::copy::{CopyColumn, CopyMasker, CsvOptions, Layout, TextOptions};
use harness::{Auth, Netns, Place, Postgres, PostgresOptions};

/// The masked columns: name, type, type without a length, OID.
const COLUMNS: [(&str, &str, &str, u32); 23] = [
    ("t", "text", "text", 25),
    ("v", "varchar(40)", "varchar", 1043),
    ("c", "char(12)", "bpchar", 1042),
    ("j", "json", "json", 114),
    ("jb", "jsonb", "jsonb", 3802),
    ("i2", "int2", "int2", 21),
    ("i4", "int4", "int4", 23),
    ("i8", "int8", "int8", 20),
    ("n", "numeric", "numeric", 1700),
    ("f4", "float4", "float4", 700),
    ("f8", "float8", "float8", 701),
    ("d", "date", "date", 1082),
    ("ts", "timestamp", "timestamp", 1114),
    ("tz", "timestamptz", "timestamptz", 1184),
    ("tm", "time", "time", 1083),
    ("u", "uuid", "uuid", 2950),
    ("b", "bytea", "bytea", 17),
    ("bo", "bool", "bool", 16),
    ("m", "money", "money", 790),
    ("ip", "inet", "inet", 869),
    ("a", "int[]", "int[]", 1007),
    ("iv", "interval", "interval", 1186),
    ("o", "mood", "mood", 99_999),
];

/// A column without a mask, the same values in `t`, and one column after the other: each row has the next value.
const VALUES: [(&str, &[&str]); 23] = [
    (
        "t",
        &[
            "123-45-6789",
            "",
            " ",
            "\\N",
            "\\.",
            "a\tb",
            "a\nb",
            "a\r\nb",
            "a,b",
            "\"",
            "\"\"",
            "'",
            "''",
            "\\",
            "\\\\",
            "nix",
            "NULL",
            "|",
            "ä€😀",
            "***",
            "[redacted]",
            "x\u{8}\u{b}\u{c}y",
            "ada@example.org",
            "4111 1111 1111 1234",
        ],
    ),
    ("v", &["123-45-6789", "", "a\"b,c\\d", "Ada Lovelace"]),
    ("c", &["123-45-6789", "", "ada"]),
    ("j", &["{\"a\":  1}", "null", "\"x\\ny\"", "[1,\n2]"]),
    ("jb", &["{\"a\":  1}", "null", "\"x\\ny\"", "{}"]),
    ("i2", &["0", "42", "-1", "32767", "-32768"]),
    ("i4", &["0", "42", "-1", "2147483647", "-2147483648", "10000000"]),
    ("i8", &["0", "42", "-1", "9223372036854775807", "-9223372036854775808", "4111111111111234"]),
    (
        "n",
        &[
            "0",
            "42",
            "42.00",
            "-0.5",
            "12345.678",
            "-99999999999999999999",
            "1e40",
            "1e-40",
            "NaN",
            "9999.9999",
            "10000",
            "0.00010000",
            "1234567890123456789012345678901234",
        ],
    ),
    ("f4", &["0", "-0", "0.1", "1e38", "-1e-38", "NaN", "Infinity", "16777217"]),
    ("f8", &["0", "-0", "0.1", "1e308", "-1e-308", "NaN", "-Infinity", "98.6"]),
    (
        "d",
        &[
            "2000-01-01",
            "1815-12-10",
            "0044-03-15 BC",
            "infinity",
            "-infinity",
            "9999-12-31",
            "10000-01-01",
            "2024-02-29",
        ],
    ),
    ("ts", &["2000-01-01", "2024-05-17 13:14:15.123456", "1815-12-10 23:59:59.9", "infinity", "0044-03-15 BC"]),
    ("tz", &["2000-01-01 00:00+00", "2023-12-31 23:30+00", "1815-12-10 00:00+00", "-infinity", "9999-12-31 23:59+00"]),
    ("tm", &["00:00", "24:00", "13:14:15.000001"]),
    (
        "u",
        &[
            "0f8fad5b-d9cb-469f-a165-70867728950e",
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
        ],
    ),
    ("b", &["\\x", "\\x00ff5c", "\\x0a09"]),
    ("bo", &["t", "f"]),
    ("m", &["12.34"]),
    ("ip", &["192.0.2.1", "2001:db8::/32"]),
    ("a", &["{1,2}", "{}"]),
    ("iv", &["1 day"]),
    ("o", &["happy"]),
];

/// Statement options to write with, to read with, and what they are to the masks.
fn layouts() -> Vec<(&'static str, &'static str, Layout)> {
    let odd_csv = CsvOptions {
        delimiter: b';',
        quote: b'\'',
        escape: b'\\',
        null: b"nix".to_vec(),
        header: true,
        // id, plain, t
        force_quote: vec![false, true, true],
    };
    let odd_text = TextOptions { delimiter: b'|', null: b"\\Z".to_vec(), header: false };
    vec![
        ("format binary", "format binary", Layout::Binary),
        ("format text", "format text", Layout::Text(TextOptions::default())),
        (r"format text, delimiter '|', null '\Z'", r"format text, delimiter '|', null '\Z'", Layout::Text(odd_text)),
        ("format csv", "format csv", Layout::Csv(CsvOptions::default())),
        (
            r"format csv, header, delimiter ';', quote '''', escape '\', null 'nix', force_quote (plain, t)",
            r"format csv, header, delimiter ';', quote '''', escape '\', null 'nix'",
            Layout::Csv(odd_csv),
        ),
    ]
}

struct Fixture {
    server: Postgres,
    _netns: Netns,
}

impl Fixture {
    fn psql(&self, sql: &str) -> Command {
        let mut psql = Place::here().command("psql");
        psql.args([
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            "postgres",
            "-d",
            self.server.database(),
            "-c",
            sql,
            "-h",
        ])
        .arg(self.server.socket_folder())
        .env("PGTZ", "Asia/Kolkata");
        psql
    }

    /// The bytes of a COPY to the client.
    fn out(&self, sql: &str) -> Result<Vec<u8>> {
        let output = self.psql(sql).output().context("psql")?;
        ensure!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(output.stdout)
    }

    /// Bytes into a COPY from the client.
    fn load(&self, sql: &str, bytes: &[u8]) -> Result<()> {
        let mut child = self.psql(sql).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().context("psql")?;
        child.stdin.take().context("no stdin")?.write_all(bytes)?;
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    fn new() -> Result<Self> {
        let netns = Netns::new("copymask")?;
        let options = PostgresOptions { auth: Auth::Trust, tls: false, settings: Vec::new() };
        let fixture = Self { server: Postgres::start(&netns, &options)?, _netns: netns };
        let columns: Vec<String> = COLUMNS.iter().map(|(name, kind, ..)| format!("{name} {kind}")).collect();
        let mut sql = format!(
            "create type mood as enum ('happy'); create table odd (id int primary key, plain text, {});",
            columns.join(", ")
        );
        let literal = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let longest = VALUES.iter().map(|(_, values)| values.len()).max().unwrap_or(0);
        for row in 0..longest {
            let values: Vec<String> = VALUES
                .iter()
                .map(|(_, values)| values.get(row).map_or("null".to_owned(), |value| literal(value)))
                .collect();
            let plain = values.first().context("no values")?;
            sql.push_str(&format!("insert into odd values ({row}, {plain}, {});", values.join(", ")));
        }
        fixture.server.admin(&sql)?;
        Ok(fixture)
    }
}

/// Masks a stream in pieces of seven bytes.
fn mask(layout: &Layout, mask: Option<&str>, bytes: &[u8]) -> Result<Vec<u8>> {
    let masked = mask.map(str::parse).transpose()?;
    let plain = [23, 25].map(|type_oid| CopyColumn { type_oid, mask: None });
    let columns = COLUMNS.iter().map(|(.., type_oid)| CopyColumn { type_oid: *type_oid, mask: masked });
    let mut copy = CopyMasker::new(layout.clone(), plain.into_iter().chain(columns).collect(), 100_000)?;
    let (masker, mut out) = (Masker::new([7; 32]), bytes::BytesMut::new());
    for piece in bytes.chunks(7) {
        copy.push(piece, &masker, &mut out)?;
    }
    copy.finish(&masker, &mut out)?;
    Ok(out.to_vec())
}

#[test]
fn what_a_server_writes_is_masked_and_read_back_the_same_in_every_format() -> Result<()> {
    let fixture = Fixture::new()?;
    let masks = [
        "redact",
        "null",
        "partial",
        "partial:email",
        "partial:card",
        "partial:phone",
        "partial:name:keep=2",
        "hash",
        "tokenise",
        "date:year",
        "date:hour",
        "bucket:10",
        "constant:0",
        "constant:a\"b,c\\d'|;nix",
    ];
    for word in masks {
        let within = word.starts_with("partial") || word == "tokenise";
        let mut first = None;
        for (write, read, layout) in layouts() {
            let came = fixture.out(&format!("copy (select * from odd order by id) to stdout ({write})"))?;
            ensure!(mask(&layout, None, &came)? == came, "{write}: nothing is masked");
            let masked = mask(&layout, Some(word), &came)?;
            let columns: Vec<String> = COLUMNS
                .iter()
                .map(|(name, kind, loose, _)| format!("{name} {}", if within { kind } else { loose }))
                .collect();
            fixture.server.admin(&format!(
                "drop table if exists masked; create table masked (id int primary key, plain text, {})",
                columns.join(", ")
            ))?;
            fixture.load(&format!("copy masked from stdin ({read})"), &masked).context(word)?;
            let rows = fixture.server.admin("select masked from masked order by id")?;
            let known = first.get_or_insert_with(|| rows.clone());
            for (row, other) in rows.lines().zip(known.lines()) {
                ensure!(row == other, "{word}, {write}:\n{row}\nand in another format:\n{other}");
            }
            ensure!(*known == rows, "{word}, {write}: there are other rows in another format");
            let kept = fixture.server.admin("select count(*) from odd join masked using (id, plain)")?;
            let all = fixture.server.admin("select count(*) from odd where plain is not null")?;
            ensure!(kept == all, "{word}, {write}: {kept} of {all} rows are as they were where nothing is masked");
            if within || word == "hash" {
                for (name, ..) in COLUMNS {
                    let same = fixture.server.admin(&format!(
                        "select count(*) from odd join masked using (id) where odd.{name}::text = masked.{name}::text"
                    ))?;
                    ensure!(same.trim() == "0", "{word}, {write}: {same} values of {name} are as they were");
                }
            }
        }
    }
    Ok(())
}
