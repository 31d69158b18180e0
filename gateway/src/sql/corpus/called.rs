//! Functions whose bodies are read, and what a call of one has to do with the statement that it stands in.

use std::sync::Arc;

use super::{catalog, effects_on};
use crate::sql::catalog::{Catalog, Function, Volatility};

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
