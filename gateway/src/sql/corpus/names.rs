//! What the columns of a query and the items of a FROM list are called: a name that is another's, the server finds further out.

use std::sync::Arc;

use super::{catalog, shown};
use crate::sql::catalog::Catalog;
use crate::sql::{Analyzer, Settings};

/// What a text returns, from a server of a major version.
fn returned_by(major: u32, text: &str) -> String {
    let catalog = Arc::new(Catalog { version: major * 10_000, ..Catalog::clone(&catalog()) });
    let analysis = Analyzer::default().analyze(text.as_bytes(), &catalog, &Settings::default());
    analysis.outputs.iter().map(shown).collect::<Vec<_>>().join("; ")
}

/// What a text returns.
fn returned(text: &str) -> String {
    returned_by(18, text)
}

/// Whether a column is called so that nobody gives a name, and so is found before one further out.
fn is_called(major: u32, column: &str, name: &str) -> bool {
    let text = format!(
        "select (select \"{name}\" from (select {column}) inside) from (select ssn as \"{name}\" from users) z"
    );
    let returned = returned_by(major, &text);
    assert_ne!(returned, "unknown", "{text}");
    !returned.contains("ssn")
}

#[test]
fn an_alias_of_a_join_hides_what_is_in_it_however_it_begins() {
    for alias in ["x", "\u{1}x", "\u{1}", "(withheld)"] {
        let text = format!(
            "select (select a.total from (orders a join orders b on true) as \"{alias}\" limit 1) \
             from (select ssn as total from users) a"
        );
        assert_eq!(returned(&text), "=ssn", "{alias:?}");
    }
    // That of a USING does not, until the join has one too.
    let using = "select users.ssn, x.id from users join orders using (id) as x";
    assert_eq!(returned(using), "=ssn|=id id");
    let both =
        "select (select x.id from (users join orders using (id) as x) y limit 1) from (select ssn as id from users) x";
    assert_eq!(returned(both), "=ssn");
}

#[test]
fn a_column_is_called_as_the_subquery_calls_its_own() {
    for (text, expected) in [
        (
            "select (select ssn from (select (select * from (select ssn from users) a)) b) from (select 'x' as ssn) z",
            "=ssn",
        ),
        (
            "select (select ssn from (select (select a.* from (select ssn from users) a)) b) from (select 'x' as ssn) z",
            "=ssn",
        ),
        (
            "select (select ssn from (select (with a as (select ssn from users) table a)) b) from (select 'x' as ssn) z",
            "=ssn",
        ),
        (
            "select (select column1 from (select (values ((select ssn from users)))) b) from (select 'x' as column1) z",
            "=ssn",
        ),
        (
            "select (select n from (select (select ssn as n from users union all select 'x')) b) from (select 'x' as n) z",
            "ssn",
        ),
        ("select (select text from (select (select 1 + 1)::text) b) from (select ssn as text from users) z", "=ssn"),
        (
            "select (select b.n from (select (select (select * from (select ssn as n from users) c))) b) from (select 'x' as n) b",
            "=ssn",
        ),
        // One that has any name is what is looked for, or it is further out.
        (
            "select (select n from (select (select * from json_each('{}'))) b) from (select ssn as n from users) z",
            "ssn",
        ),
        ("select id, (select * from (select ssn from users limit 1) a) from orders", "=id|=ssn"),
    ] {
        assert_eq!(returned(text), expected, "{text}");
    }
}

/// The expressions that PostgreSQL's `FigureColnameInternal` knows, and their names; of those that it does not know too.
const NAMES: &[(&str, &str)] = &[
    ("i.a", "a"),
    ("(i).a", "a"),
    ("(i.a)[1]", "a"),
    ("((i).a)[1:2]", "a"),
    ("upper('x')", "upper"),
    ("pg_catalog.upper('x')", "upper"),
    ("nullif(1, 2)", "nullif"),
    ("'1'::int", "int4"),
    ("'1'::char(2)", "bpchar"),
    ("'1'::\"char\"", "char"),
    ("'{1}'::int[]", "int4"),
    ("cast(1 as character varying)", "varchar"),
    ("date '2000-01-01'", "date"),
    ("interval '1' day", "interval"),
    ("upper('x')::text", "upper"),
    ("'x' collate \"C\"", "?column?"),
    ("upper('x') collate \"C\"", "upper"),
    ("'x'::text collate \"C\"", "text"),
    ("exists (select 1 as n)", "exists"),
    ("array(select 1 as n)", "array"),
    ("1 in (select 1 as n)", "?column?"),
    ("1 = any (select 1 as n)", "?column?"),
    ("(1, 2) = (select 1 as n, 2)", "?column?"),
    ("(select 1)", "?column?"),
    ("(select 1)::text", "?column?"),
    ("(select 1::int)::text", "int4"),
    ("(select 1 as n)::text", "n"),
    ("(select '{1}'::int[] as n)[1]", "n"),
    ("(select 'x' as n) collate \"C\"", "n"),
    ("(select 1 as n union select 2 as m limit 1)", "n"),
    ("((select 1 as n) union (select 2 as m) order by 1 limit 1)", "n"),
    ("(values (1))", "column1"),
    ("(values (1))::text", "column1"),
    ("(select * from (values (1)) t (n))", "n"),
    ("(select t.* from (values (1)) t (n))::text", "n"),
    ("case when 1 < 2 then 1 end", "case"),
    ("case when 1 < 2 then (select 1 as n) end", "case"),
    ("case when 1 < 2 then null else upper('x') end", "upper"),
    ("case when 1 < 2 then 1 else '2'::int end", "case"),
    ("case when 1 < 2 then 1 else (select 2 as n) end", "n"),
    ("case when 1 < 2 then 1 else (select 2) end::text", "?column?"),
    ("case when 1 < 2 then 1 end::text", "text"),
    ("array[1]", "array"),
    ("array[1]::text[]", "array"),
    ("row(1)", "row"),
    ("(1, 2)", "row"),
    ("coalesce(1, 2)", "coalesce"),
    ("greatest(1, 2)", "greatest"),
    ("least(1, 2)", "least"),
    ("current_date", "current_date"),
    ("current_time(1)", "current_time"),
    ("current_timestamp", "current_timestamp"),
    ("localtime", "localtime"),
    ("localtimestamp(1)", "localtimestamp"),
    ("current_role", "current_role"),
    ("current_user", "current_user"),
    ("user", "user"),
    ("session_user", "session_user"),
    ("current_catalog", "current_catalog"),
    ("current_schema", "current_schema"),
    ("grouping(i.a)", "grouping"),
    ("xmlconcat('')", "xmlconcat"),
    ("xmlelement(name a)", "xmlelement"),
    ("xmlforest(1 as a)", "xmlforest"),
    ("xmlparse(content '')", "xmlparse"),
    ("xmlpi(name a)", "xmlpi"),
    ("xmlroot('', version no value)", "xmlroot"),
    ("xmlserialize(content '' as text)", "xmlserialize"),
    ("'' is document", "?column?"),
    ("position('x' in 'y')", "position"),
    ("substring('x' from 1)", "substring"),
    ("overlay('x' placing 'y' from 1)", "overlay"),
    ("trim('x')", "btrim"),
    ("trim(leading 'x')", "ltrim"),
    ("trim(trailing 'x')", "rtrim"),
    ("normalize('x')", "normalize"),
    ("'x' is normalized", "is_normalized"),
    ("'x' is not normalized", "?column?"),
    ("now() at time zone 'UTC'", "timezone"),
    ("(now(), now()) overlaps (now(), now())", "overlaps"),
    ("collation for ('x')", "pg_collation_for"),
    ("treat('x' as text)", "text"),
    ("'x' like 'y'", "?column?"),
    ("1 between 2 and 3", "?column?"),
    ("1 is null", "?column?"),
    ("not 1 < 2", "?column?"),
    ("-1", "?column?"),
    ("1 is distinct from 2", "?column?"),
    ("null", "?column?"),
    ("$1", "?column?"),
    ("$1::int", "int4"),
    ("b'1'", "?column?"),
    ("true::text", "text"),
    ("case when 1 < 2 then null else true end", "case"),
];

#[test]
fn a_column_that_nobody_names_is_called_as_the_server_finds_it_out() {
    for (column, name) in NAMES {
        for major in 13..=18 {
            let from = format!("{column} from (select array[1] as a, 1 as other) i");
            assert!(is_called(major, &from, name), "{column} is not {name} on {major}");
            let others = ["a", "n", "m", "text", "int4", "bool", "case", "?column?", "column1"];
            for other in others.iter().filter(|other| *other != name) {
                assert!(!is_called(major, &from, other), "{column} is {other} on {major}");
            }
        }
    }
}

#[test]
fn every_column_of_a_function_in_from_comes_before_those_around() {
    for (from, name) in [
        ("unnest(array['a'], array[u.ssn]) t (x, y)", "y"),
        ("rows from (unnest(array['a'], array[u.ssn])) t (x, y)", "y"),
        ("rows from (generate_series(1, 1), unnest(array['a'], array[u.ssn])) t (n, x, y)", "y"),
        ("unnest(array(select z from (select u.ssn as y) z))", "y"),
        ("unnest(array(select row(1, u.ssn))) t (x int, y text)", "y"),
    ] {
        let text = format!("select (select {name} from {from} limit 1) from users u, (select 'x' as y) z");
        assert_eq!(returned(&text), "ssn", "{text}");
    }
    // One whose every column is known hides no others.
    let text =
        "select (select y from unnest(array['a'], array[u.ssn]) t (x, z) limit 1) from users u, (select 'x' as y) z";
    assert_eq!(returned(text), "");
    assert_eq!(returned("select x, y from unnest(array['a'], array['b']) t (x, y), users"), "|");
}

#[test]
fn returning_names_the_row_as_it_was_and_as_it_is() {
    for text in [
        "update users set name = 'x' where id = '1' returning old.ssn, new.ssn",
        "delete from users where id = '1' returning old.ssn, new.ssn",
        "insert into users (id) values ('1') returning old.ssn, new.ssn",
        "merge into users u using (values ('1')) v (id) on u.id = v.id when matched then delete returning old.ssn, new.ssn",
        "update users set name = 'x' where id = '1' returning with (old as o, new as n) o.ssn, n.ssn",
    ] {
        assert_eq!(returned(text), "=ssn|=ssn", "{text}");
    }
    // `*` has neither, and who has the name already keeps it.
    assert_eq!(returned("update users set name = 'x' where id = '1' returning *"), "=id|=name|=ssn");
    let text = "update users set name = 'x' from orders old where users.id = '1' returning old.total, new.ssn";
    assert_eq!(returned(text), "=total|=ssn");
    // Before version 18 nothing is called so.
    assert_eq!(returned_by(17, "update users set name = 'x' where id = '1' returning old.name"), "?");
}

#[test]
fn a_column_is_called_as_the_servers_version_calls_it() {
    // The first version that gives the second name.
    for (column, older, from, newer) in [
        ("true", "bool", 15, "?column?"),
        ("(select false)", "bool", 15, "?column?"),
        ("(select true)::text", "bool", 15, "?column?"),
        ("true collate \"C\"", "bool", 15, "?column?"),
        ("extract(year from now())", "date_part", 14, "extract"),
        ("extract(year from now())::text", "date_part", 14, "extract"),
    ] {
        for major in 13..=18 {
            assert_eq!(is_called(major, column, older), major < from, "{column} on {major}");
            assert_eq!(is_called(major, column, newer), major >= from, "{column} on {major}");
        }
        // Where the version is not known, neither is surely found.
        assert!(!is_called(0, column, older) && !is_called(0, column, newer), "{column}");
    }
    for (column, name, from) in [
        ("json_array(1)", "json_array", 16),
        ("json_object('a': 1)", "json_object", 16),
        ("json_objectagg('a': 1)", "json_objectagg", 16),
        ("json_arrayagg(1)", "json_arrayagg", 16),
        ("json_array(select 1)", "json_array", 16),
        ("'{}' is json", "?column?", 16),
        ("system_user", "system_user", 16),
        ("json('{}')", "json", 17),
        ("json_scalar(1)", "json_scalar", 17),
        ("json_serialize('{}')", "json_serialize", 17),
        ("json_exists('{}', '$')", "json_exists", 17),
        ("json_query('{}', '$')", "json_query", 17),
        ("json_value('{}', '$')", "json_value", 17),
        ("now() at local", "timezone", 17),
    ] {
        for major in from..=18 {
            assert!(is_called(major, column, name) && !is_called(major, column, "x"), "{column} on {major}");
        }
    }
}
