//! The tables are well formed, and answer as the server would choose.

use std::collections::HashSet;

use super::table::{FUNCTION_FILES, HARMLESS, Judgement, OPERATOR_FILES, PARTLY, Tables, WITHHELD, lines, operators};
use super::types::Types;
use super::*;

fn oid(name: &str) -> u32 {
    type_oid(name).unwrap_or_else(|| panic!("{name}"))
}

fn call(name: &str, types: &[&str]) -> Option<Class> {
    let types: Vec<u32> = types.iter().map(|name| oid(name)).collect();
    function(name, Some(&types), types.len())
}

fn op(name: &str, left: &str, right: &str) -> Option<Class> {
    operator(name, Some(oid(left)), Some(oid(right)))
}

fn is_total(class: Option<Class>) -> bool {
    matches!(class, Some(Class::Total(_)))
}

/// Which of the first `count` arguments may be sensitive.
fn sensitive(class: Option<Class>, count: usize) -> Vec<bool> {
    match class {
        Some(Class::Total(positions)) => (0..count).map(|index| positions.may_be_sensitive(index)).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_line_of_every_table_is_read() {
    let (_, bad) = Tables::parse();
    assert!(bad.is_empty(), "{bad:?}");
    let (_, bad) = operators();
    assert!(bad.is_empty(), "{bad:?}");
    let (_, bad) = Types::parse(include_str!("types.txt"), include_str!("casts.txt"));
    assert!(bad.is_empty(), "{bad:?}");
}

#[test]
fn nothing_is_in_two_tables() {
    let mut signatures = HashSet::new();
    for (judgement, file) in FUNCTION_FILES.into_iter().chain(OPERATOR_FILES) {
        for line in lines(file) {
            let signature = if judgement == Judgement::Dangerous { line.split(": ").next() } else { Some(line) };
            let signature = signature.unwrap_or_default();
            let signature = [" keys", " prints", " parses", " grows", " doubles", " escapes", " repeats", " collates"]
                .into_iter()
                .fold(signature, |line, word| line.trim_end_matches(word));
            assert!(signatures.insert(signature.replace("[text]", "text").replace("[integer]", "integer")), "{line}");
        }
    }
    // A name alone says all there is to say of it.
    let (tables, _) = Tables::parse();
    for (name, named) in &tables.functions {
        assert!(named.whole.is_none() || named.overloads.is_empty(), "{name}");
    }
    let withheld: HashSet<_> = lines(WITHHELD).filter_map(|line| line.split_once(": ")).map(|(name, _)| name).collect();
    assert_eq!(withheld.len(), lines(WITHHELD).count(), "a line without a reason, or twice");
    assert_eq!(lines(HARMLESS).collect::<HashSet<_>>().len(), lines(HARMLESS).count());
    for relation in lines(HARMLESS) {
        assert!(!withheld.contains(relation), "{relation}");
    }
    for line in lines(PARTLY) {
        let name = line.split(": ").next().unwrap_or_default();
        assert!(withheld.contains(name), "{line}");
    }
    let columns = readable_columns("pg_catalog", "pg_stat_activity").unwrap();
    assert!(columns.contains(&"state") && !columns.contains(&"query"));
    assert!(
        readable_columns("pg_catalog", "pg_statistic").is_none() && readable_columns("public", "pg_locks").is_none()
    );
}

#[test]
fn a_total_function_is_no_aggregate_and_returns_no_set() {
    for line in lines(FUNCTION_FILES[0].1) {
        let name = line.split('(').next().unwrap_or_default();
        assert_eq!(kind(name), Kinds::default(), "{line}");
    }
    assert!(kind("count").aggregate && kind("rank").window && kind("unnest").set && kind("setval").writes);
    assert!(kind("jsonb_array_elements").set && !kind("lower").set && !kind("nosuch").set);
}

#[test]
fn what_reads_files_or_runs_a_text_is_on_no_list() {
    for bad in [
        "pg_read_file",
        "query_to_xml",
        "lo_import",
        "set_config",
        "ts_stat",
        "pg_stat_get_activity",
        "dblink",
        "ts_rewrite",
    ] {
        assert!(!computes(bad), "{bad}");
        assert_eq!(function(bad, None, 1), None, "{bad}");
    }
    for good in ["lower", "count", "now", "nextval", "json_agg", "generate_series", "row_number"] {
        assert!(computes(good), "{good}");
    }
    assert!(is_harmless_relation("pg_catalog", "pg_class"));
    for (schema, withheld) in [
        ("pg_catalog", "pg_stats"),
        ("pg_catalog", "pg_authid"),
        ("pg_catalog", "pg_settings"),
        ("information_schema", "_pg_user_mappings"),
        ("public", "pg_class"),
    ] {
        assert!(!is_harmless_relation(schema, withheld), "{withheld}");
    }
}

#[test]
fn an_overload_is_judged_by_its_own() {
    assert!(is_total(call("lower", &["text"])));
    assert!(is_total(call("lower", &["varchar"])));
    assert!(is_total(call("lower", &["unknown"])));
    assert!(is_total(function("lower", None, 1)));
    assert_eq!(call("length", &["path"]), Some(Class::Pure));
    assert!(is_total(call("length", &["varchar"])));
    assert!(is_total(call("length", &["bpchar"])));
    // A literal may be of any type, and so may an argument of which nothing is known.
    assert_eq!(call("length", &["unknown"]), Some(Class::Pure));
    assert_eq!(function("length", None, 1), Some(Class::Pure));
    assert_eq!(function("length", Some(&[0]), 1), Some(Class::Pure));
    // A type that somebody made may become anything.
    assert_eq!(function("length", Some(&[16_400]), 1), Some(Class::Pure));
    assert_eq!(call("abs", &["int4"]), Some(Class::Pure));
    assert!(is_total(call("abs", &["float8"])));
    assert!(is_total(call("abs", &["numeric"])));
    assert_eq!(call("substring", &["text", "unknown"]), Some(Class::Pure));
    assert_eq!(call("substring", &["text", "text"]), Some(Class::Pure));
    assert!(is_total(call("substring", &["text", "int4"])));
    assert!(is_total(call("substring", &["varchar", "int4"])));
    assert_eq!(sensitive(call("substring", &["text", "int4", "int4"]), 3), [true, true, false]);
    assert_eq!(sensitive(call("normalize", &["text", "unknown"]), 2), [true, false]);
    assert_eq!(call("random", &[]), Some(Class::Volatile));
    assert_eq!(call("ts_rewrite", &["tsquery", "tsquery", "tsquery"]), Some(Class::Pure));
    assert_eq!(call("ts_rewrite", &["tsquery", "text"]), None);
    assert_eq!(call("setseed", &["float8"]), Some(Class::Volatile));
    assert_eq!(call("lpad", &["text", "int4", "text"]), Some(Class::Pure));
    // A cast in the form of a call.
    assert_eq!(call("uuid", &["text"]), Some(Class::Pure));
    assert_eq!(function("nosuch", None, 0), None);
}

#[test]
fn variadic_arguments_are_counted_and_conditions_told() {
    let class = call("concat", &["text", "int4", "jsonb", "text[]"]);
    assert_eq!(sensitive(class, 100), [true; 100]);
    let Some(Class::Total(positions)) = class else { panic!("{class:?}") };
    assert!(positions.growth() == Some(1) && !positions.collates());
    assert!(is_total(call("jsonb_extract_path_text", &["jsonb", "text", "unknown"])));
    assert!(is_total(call("jsonb_extract_path_text", &["jsonb", "text[]"])));
    let Some(Class::Total(positions)) = call("strpos", &["text", "unknown"]) else { panic!("strpos") };
    assert!(positions.collates() && positions.growth().is_none());
}

#[test]
fn operators_are_chosen_by_their_operands() {
    assert!(is_total(op("=", "text", "text")));
    assert!(is_total(op("=", "varchar", "unknown")));
    assert!(is_total(op("=", "int4", "unknown")));
    assert!(is_total(op("=", "numeric", "int4")));
    assert!(is_total(op("<", "date", "timestamptz")));
    assert_eq!(op("=", "json", "json"), Some(Class::Pure));
    assert_eq!(op("=", "text[]", "text[]"), Some(Class::Pure));
    assert_eq!(operator("=", Some(oid("record")), Some(oid("record"))), Some(Class::Pure));
    assert_eq!(operator("=", None, None), Some(Class::Pure));
    assert!(is_total(operator("=", Some(oid("text")), None)));
    for (left, right) in [("text", "unknown"), ("varchar", "unknown"), ("text", "int4"), ("int4", "varchar")] {
        let Some(Class::Total(positions)) = op("||", left, right) else { panic!("{left} || {right}") };
        assert!(positions.growth().is_some());
    }
    assert_eq!(op("||", "jsonb", "jsonb"), Some(Class::Pure));
    assert_eq!(op("||", "text[]", "text"), Some(Class::Pure));
    assert_eq!(op("~~", "text", "text"), Some(Class::Pure));
    assert_eq!(op("+", "int4", "int4"), Some(Class::Pure));
    assert_eq!(operator("-", None, Some(oid("int4"))), Some(Class::Pure));
    assert!(is_total(operator("~", None, Some(oid("int4")))));
    assert!(is_total(op("->>", "jsonb", "unknown")));
    assert_eq!(op("->>", "json", "unknown"), Some(Class::Pure));
    assert!(is_total(op("#", "int4", "int4")));
    assert_eq!(operator("=", Some(16_400), Some(16_400)), Some(Class::Pure));
    assert_eq!(operator("=~=", None, None), None);
}

#[test]
fn casts_are_total_where_every_value_has_one() {
    let total = |from: &str, to: &str| cast(Some(oid(from)), oid(to), true) == Class::Total(Positions::ALL);
    for (from, to) in [
        ("int4", "int8"),
        ("int4", "text"),
        ("uuid", "varchar"),
        ("text", "varchar"),
        ("varchar", "bpchar"),
        ("timestamptz", "date"),
        ("int4[]", "int8[]"),
        ("int4range", "text"),
        ("text", "text"),
        ("jsonb", "json"),
        ("jsonb", "text"),
    ] {
        assert!(total(from, to), "{from} -> {to}");
    }
    for (from, to) in [
        ("text", "int4"),
        ("int8", "int4"),
        ("int4", "numeric"),
        ("numeric", "numeric"),
        ("date", "timestamp"),
        ("text", "json"),
        ("json", "jsonb"),
        ("text", "regclass"),
        ("text[]", "text"),
        ("text[]", "int4[]"),
        ("unknown", "text"),
        ("record", "text"),
    ] {
        assert!(!total(from, to), "{from} -> {to}");
    }
    assert_eq!(cast(None, oid("text"), false), Class::Pure);
    assert_eq!(cast(Some(16_400), oid("text"), false), Class::Pure);
    assert_eq!(cast(Some(oid("int4")), oid("numeric"), false), Class::Total(Positions::ALL));
}

#[test]
fn types_have_the_names_that_sql_gives_them() {
    for (name, oid) in [
        ("int", 23),
        ("integer", 23),
        ("int4", 23),
        ("varchar", 1043),
        ("character varying", 1043),
        ("text", 25),
        ("bool", 16),
        ("double precision", 701),
        ("float", 701),
        ("decimal", 1700),
        ("char", 18),
        ("\"char\"", 18),
        ("character", 1042),
        ("timestamp with time zone", 1184),
        ("time", 1083),
        ("int4[]", 1007),
        ("integer[][]", 1007),
        ("_int4", 1007),
        ("regclass", 2205),
        ("record", 2249),
    ] {
        assert_eq!(type_oid(name), Some(oid), "{name}");
    }
    assert_eq!(type_oid("users"), None);
    assert_eq!(type_oid("users[]"), None);
}
