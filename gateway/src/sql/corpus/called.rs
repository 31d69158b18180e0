//! Functions whose bodies are read, and what a call of one has to do with the statement that it stands in.

use std::sync::Arc;

use super::{catalog, effects_on};
use crate::access::Action;
use crate::sql::catalog::{Catalog, Function, Volatility};
use crate::sql::{Analyzer, Settings};

/// The catalog with functions of one text that return one.
fn with(functions: &[(&str, &str, Volatility, &str)]) -> Arc<Catalog> {
    let mut catalog = Catalog::clone(&catalog());
    for ((name, language, volatility, body), oid) in functions.iter().zip(80_000..) {
        catalog.functions.push(Function {
            oid,
            schema: "public".into(),
            name: (*name).into(),
            language: (*language).into(),
            body: Some((*body).into()),
            volatility: *volatility,
            arguments: vec![25],
            argument_names: vec!["a".into()],
            returns: 25,
            ..Function::default()
        });
    }
    Arc::new(catalog)
}

#[test]
fn a_plan_shows_what_was_called_for_it() {
    let of = |volatility| {
        let tells = with(&[
            ("reads", "sql", volatility, "select ssn from users limit 1"),
            ("calls", "sql", volatility, "select reads($1)"),
            ("makes", "sql", volatility, "select upper($1)"),
        ]);
        [
            "explain select reads('x')",
            "explain select calls(coalesce('x', name)) from users",
            "explain (verbose) update users set ssn = reads('x') where id = '1'",
            "explain declare c cursor for select reads('x')",
            "explain select makes(ssn) from users",
            "select reads('x')",
        ]
        .map(|text| effects_on(text, &tells).contains("declassify users.ssn"))
    };
    assert_eq!(of(Volatility::Immutable), [true, true, true, true, false, false]);
    assert_eq!(of(Volatility::Stable), [false; 6]);
}

#[test]
fn what_is_called_for_a_plan_that_is_kept_is_not_read() {
    let runs = |volatility, version, text: &str| {
        let body = "select ssn from users limit 1";
        let of = [("reads", "sql", volatility, body), ("calls", "sql", Volatility::Volatile, "select reads($1)")];
        let catalog = Catalog { version, ..Catalog::clone(&with(&of)) };
        effects_on(text, &Arc::new(catalog)).contains("execute reads")
    };
    let (immutable, stable) = (Volatility::Immutable, Volatility::Stable);
    assert!(runs(immutable, 180_000, "select calls('x')") && runs(immutable, 0, "select calls('x')"));
    assert!(!runs(immutable, 170_000, "select calls('x')") && !runs(stable, 180_000, "select calls('x')"));
    assert!(!runs(immutable, 180_000, "select reads('x')"));
}

#[test]
fn a_parameter_of_a_function_is_another_value_at_each_call() {
    let volatile = Volatility::Volatile;
    let removes = with(&[
        ("removes", "sql", volatile, "delete from orders where id = $1 returning total"),
        ("calls", "sql", volatile, "select removes($1)"),
        ("puts", "sql", volatile, "insert into orders (id) values ($1) on conflict (id) do update set total = '0'"),
        ("asks", "sql", volatile, "select name from users where ssn = $1"),
        ("runs", "plpgsql", volatile, "begin delete from orders where id = $1; return 'x'; end"),
        (
            "keeps",
            "plpgsql",
            volatile,
            "begin insert into orders (id) values (a) on conflict (id) do update set total = '0'; return 'x'; end",
        ),
    ]);
    let tells = |function: &str, kind: &str| {
        ["'1'", "$1", "$1 || 'x'", "id", "lower($1)", "generate_series(1, 9)::text"].map(|given| {
            let text = format!("select {function}({given}) from orders");
            effects_on(&text, &removes).contains(kind)
        })
    };
    let constant = [true, true, true, false, false, false];
    assert_eq!(tells("removes", "delete orders [equality]"), constant);
    assert_eq!(tells("calls", "delete orders [equality]"), constant);
    assert_eq!(tells("runs", "delete orders [equality]"), constant);
    assert_eq!(tells("puts", "update orders [equality]"), constant);
    assert_eq!(tells("keeps", "update orders [equality]"), constant);
    assert_eq!(tells("asks", "filter users.ssn [=]"), [false; 6]);
}

#[test]
fn what_a_body_does_in_a_loop_it_does_for_many_rows() {
    let put = "insert into orders (id) values (r.id) on conflict (id) do update set total = '0'";
    let does = |block: &str| effects_on(&format!("do $$ declare r record; begin {block} end $$"), &catalog());
    let looped = does(&format!("for r in select id from orders loop {put}; end loop;"));
    assert!(looped.contains("update orders [join]"), "{looped}");
    let once = does(&format!("select id into r from orders limit 1; {put};"));
    assert!(once.contains("update orders [equality]"), "{once}");
}

#[test]
fn where_the_catalog_is_missing_types_and_operators_may_be_anybodys() {
    let missing = Arc::new(Catalog { any_sensitive: true, ..Catalog::default() });
    for (text, unknown) in [
        ("select '{x}'::telling[]", true),
        ("select cast('x' as w.telling)", true),
        ("select 1 = 1.0", true),
        ("select - 1.0", false),
        ("select '1'::int", false),
        ("select 1", false),
        ("begin", false),
        ("set search_path = public", false),
    ] {
        let analysis = Analyzer::default().analyze(text.as_bytes(), &missing, &Settings::default());
        let found = analysis.effects.iter().any(|effect| effect.action == Action::SqlUnknown);
        assert_eq!(found, unknown, "{text}");
    }
}
