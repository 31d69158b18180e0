//! The analysis' own table of statements and made ones, read by both; `tests/tests/differential.rs` has the rest.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::{Comparison, compare};
use crate::sql::corpus::table::CORPUS;

#[test]
fn the_tables_statements_are_read_alike() {
    let mut different = Vec::new();
    for (text, _) in CORPUS {
        if let Comparison::Different(how) = compare(text) {
            different.push(format!("{text}\n    {how}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

fn one_of(words: &'static [&'static str]) -> BoxedStrategy<String> {
    proptest::sample::select(words).prop_map(str::to_owned).boxed()
}

fn value() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        one_of(&["id", "ssn", "u.ssn", "\"Name\"", "o.total", "public.users.ssn"]),
        one_of(&["1", "-2", "1.5", "'x'", "null", "true", "$1", "$2", "date '2024-01-01'", "interval '1 day'"]),
        one_of(&["current_date", "current_user", "now()", "count(*)"]),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            (inner.clone(), one_of(&["+", "-", "*", "||", "=", "<>", "<", ">=", "->>", "@>", "~"]), inner.clone())
                .prop_map(|(a, op, b)| format!("{a} {op} {b}")),
            (inner.clone(), one_of(&["and", "or"]), inner.clone()).prop_map(|(a, op, b)| format!("({a}) {op} ({b})")),
            inner.clone().prop_map(|a| format!("not ({a})")),
            inner.clone().prop_map(|a| format!("-({a})")),
            (inner.clone(), one_of(&["text", "int", "varchar(3)", "numeric(4, 2)", "timestamptz", "int[]"]))
                .prop_map(|(a, to)| format!("cast({a} as {to})")),
            (inner.clone(), one_of(&["text", "bigint", "double precision", "char(2)", "name"]))
                .prop_map(|(a, to)| format!("({a})::{to}")),
            (
                one_of(&["upper", "f", "pg_catalog.lower", "coalesce", "greatest", "row", "substr", "sum"]),
                vec(inner.clone(), 1..3)
            )
                .prop_map(|(f, list)| format!("{f}({})", list.join(", "))),
            two.clone().prop_map(|(a, b)| format!("nullif({a}, {b})")),
            two.clone().prop_map(|(a, b)| format!("case when {a} then {b} else null end")),
            two.clone().prop_map(|(a, b)| format!("case {a} when {b} then 1 end")),
            two.clone().prop_map(|(a, b)| format!("({a}) like ({b})")),
            two.clone().prop_map(|(a, b)| format!("({a}) is distinct from ({b})")),
            (inner.clone(), two.clone()).prop_map(|(a, (b, c))| format!("({a}) between ({b}) and ({c})")),
            inner.clone().prop_map(|a| format!("({a}) is not null")),
            (inner.clone(), vec(inner.clone(), 1..4)).prop_map(|(a, list)| format!("({a}) in ({})", list.join(", "))),
            inner.clone().prop_map(|a| format!("{a} = any (array[{a}, {a}])")),
            inner.clone().prop_map(|a| format!("extract(year from {a})")),
            inner.clone().prop_map(|a| format!("trim(both 'x' from {a})")),
            inner.clone().prop_map(|a| format!("substring({a} from 1 for 2)")),
            inner.clone().prop_map(|a| format!("max({a}) filter (where {a})")),
            inner.clone().prop_map(|a| format!("rank() over (partition by {a} order by {a} desc)")),
            inner.clone().prop_map(|a| format!("(select {a} from orders o)")),
            inner.clone().prop_map(|a| format!("exists (select 1 from users where {a})")),
            inner.clone().prop_map(|a| format!("{a} in (select total from orders)")),
            inner.prop_map(|a| format!("array(select {a})")),
        ]
    })
    .boxed()
}

fn source() -> BoxedStrategy<String> {
    let leaf = one_of(&[
        "users u",
        "orders as o (a, b)",
        "public.users",
        "generate_series(1, 3) g (i)",
        "unnest(array[1, 2]) with ordinality",
        "(values (1, 'a'), (2, 'b')) v (n, s)",
        "only orders",
    ]);
    leaf.prop_recursive(2, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), one_of(&["join", "left join", "full join"]), inner.clone(), value())
                .prop_map(|(a, join, b, on)| format!("{a} {join} {b} on {on}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} cross join ({b} natural join x)")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} join {b} using (id)")),
            inner.clone().prop_map(|a| format!("(select * from {a}) t")),
            inner.prop_map(|a| format!("lateral (select id from {a} limit 1) l")),
        ]
    })
    .boxed()
}

fn query() -> BoxedStrategy<String> {
    let select = (vec(value(), 1..3), source(), proptest::option::of(value()), one_of(&["", "distinct", "all"]))
        .prop_map(|(columns, from, predicate, kind)| {
            let predicate = predicate.map(|predicate| format!(" where {predicate}")).unwrap_or_default();
            format!("select {kind} {} as x from {from}{predicate}", columns.join(", "))
        });
    select
        .prop_recursive(2, 6, 2, |inner| {
            prop_oneof![
                (inner.clone(), one_of(&["union", "union all", "intersect", "except all"]), inner.clone())
                    .prop_map(|(a, op, b)| format!("{a} {op} {b}")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("with c as ({a}) {b}")),
                (inner.clone(), value())
                    .prop_map(|(a, by)| format!("({a}) order by {by} nulls last limit 3 offset $1")),
                (inner.clone(), value()).prop_map(|(a, by)| format!("({a}) order by 1, {by} fetch first 2 rows only")),
                inner.prop_map(|a| format!(
                    "select x, count(*) from ({a}) q group by x, rollup (1, x) having count(*) > 1"
                )),
            ]
        })
        .boxed()
}

fn statement() -> BoxedStrategy<String> {
    let returning = || one_of(&["", " returning *", " returning id, ssn as s"]);
    prop_oneof![
        3 => query(),
        1 => (query(), returning()).prop_map(|(query, returning)| format!("insert into orders (id, total) {query}{returning}")),
        1 => (value(), value(), returning()).prop_map(|(a, b, returning)| {
            format!("insert into orders values ({a}, default) on conflict (id) do update set total = {b} where {b}{returning}")
        }),
        1 => (value(), source(), value(), returning()).prop_map(|(a, from, predicate, returning)| {
            format!("update users as u set ssn = {a}, (id, name) = ({a}, 'y') from {from} where {predicate}{returning}")
        }),
        1 => (source(), value(), returning())
            .prop_map(|(from, predicate, returning)| format!("delete from users using {from} where {predicate}{returning}")),
        1 => (source(), value(), value()).prop_map(|(source, on, set)| {
            format!("merge into users u using ({source}) on {on} when matched and {on} then update set ssn = {set} \
                     when not matched then insert (id, ssn) values (1, {set})")
        }),
        1 => query().prop_map(|query| format!("explain (analyze, verbose) {query}")),
        1 => query().prop_map(|query| format!("create materialized view m as {query}")),
        1 => query().prop_map(|query| format!("copy ({query}) to stdout")),
        1 => query().prop_map(|query| format!("declare c cursor for {query}")),
        1 => (query(), query()).prop_map(|(one, other)| format!("{one}; {other};")),
        1 => (query(), value()).prop_map(|(inner, set)| {
            format!("with w as (update users set ssn = {set} returning *), r as ({inner}) delete from orders where id in (table w)")
        }),
    ]
    .boxed()
}

#[test]
fn made_statements_are_read_alike() {
    let seed = [7; 32];
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let (mut read, mut different) = (0usize, Vec::new());
    for _ in 0..MADE {
        let text = statement().new_tree(&mut runner).unwrap().current();
        match compare(&text) {
            Comparison::Different(how) => different.push(format!("{text}\n    {how}")),
            Comparison::Same | Comparison::Alike => read += 1,
            _ => {}
        }
    }
    different.sort_by_key(String::len);
    different.truncate(8);
    assert!(different.is_empty(), "{}", different.join("\n"));
    assert!(read > MADE / 2, "only {read} were read by both");
}

/// How many are made.
const MADE: usize = 1500;

#[test]
fn no_text_is_too_deep_or_too_long() {
    for text in [
        "(".repeat(200_000),
        format!("select {}1", "1+".repeat(4_000)),
        format!("select {}1", "- ".repeat(4_000)),
        format!("select {}1{}", "(".repeat(4_000), ")".repeat(4_000)),
        format!("select {}1", "not ".repeat(4_000)),
        format!("select 1{}", " union select 1".repeat(2_000)),
        format!("select * from a{}", " join b on true".repeat(2_000)),
        format!("select a{}", ".b".repeat(9_000)),
        format!("select 1{}", "::int".repeat(3_000)),
        "select ".repeat(100_000),
    ] {
        let compared = compare(&text);
        assert!(!matches!(compared, Comparison::Different(_)), "{}: {compared:?}", &text[..40]);
    }
}

proptest! {
    #[test]
    fn any_text_can_be_compared(text: String, words in vec("(select|from|where|[a-z]{1,3}|'[^']{0,3}'|[-+*/<>=(),.;:]|[0-9]{1,2}|\\$1|\")", 0..24)) {
        compare(&text);
        compare(&words.join(" "));
    }
}
