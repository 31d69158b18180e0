//! What analysing a statement costs, policy decisions apart: from memory, and anew.
//!
//! `cargo bench -p sluice --bench analysis`. A statement that is remembered has to take at most a microsecond, a typical one
//! that is not 200. The catalog is of a database with a sensitive column and as many tables as one may have.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use gateway::access::Tags;
use gateway::sql::catalog::{Column, Key, Relation, RelationKind};
use gateway::sql::{Analyzer, Catalog, Settings};

/// Statements as clients write them.
const STATEMENTS: [(&str, &str); 7] = [
    ("pgbench select", "SELECT abalance FROM pgbench_accounts WHERE aid = 4711;"),
    ("prepared select", "SELECT abalance FROM pgbench_accounts WHERE aid = $1;"),
    (
        "orm join",
        "SELECT users_0.id AS users_0_id, users_0.name AS users_0_name, users_0.ssn AS users_0_ssn, t1.id AS t1_id, \
         t1.user_id AS t1_user_id, t1.total AS t1_total, t1.created_at AS t1_created_at FROM users AS users_0 LEFT OUTER \
         JOIN orders AS t1 ON users_0.id = t1.user_id WHERE users_0.name = 'ada' AND t1.total > 10 ORDER BY t1.created_at \
         DESC LIMIT 20 OFFSET 40",
    ),
    ("update", "UPDATE pgbench_accounts SET abalance = abalance + -42 WHERE aid = 4711"),
    ("insert", "INSERT INTO orders (id, user_id, total, created_at) VALUES ($1, $2, $3, now()) RETURNING id"),
    (
        "cte",
        "WITH recent AS (SELECT user_id, sum(total) AS spent, count(*) AS n FROM orders WHERE created_at > '2026-01-01' \
         GROUP BY user_id HAVING count(*) > 3) SELECT u.id, u.name, r.spent, r.spent / r.n AS mean FROM recent r JOIN users \
         u ON u.id = r.user_id WHERE r.spent > 100 ORDER BY r.spent DESC",
    ),
    (
        "of the catalog",
        "SELECT c.relname, n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = \
      c.relnamespace WHERE c.relkind IN ('r', 'p') AND n.nspname = 'public'",
    ),
];

/// How many tables there are beside those that the statements name.
const TABLES: u32 = 500;

fn relation(oid: u32, name: &str, columns: &[(&str, u32)]) -> Relation {
    let columns = columns.iter().zip(1i16..).map(|((name, type_oid), number)| Column {
        number,
        name: (*name).into(),
        type_oid: *type_oid,
        tags: Tags::new((*name == "ssn").then(|| "pii".into())),
        ..Column::default()
    });
    Relation {
        oid,
        schema: "public".into(),
        name: name.into(),
        kind: RelationKind::Table,
        columns: columns.collect(),
        keys: vec![Key { columns: vec![1], ..Key::default() }],
        ..Relation::default()
    }
}

fn catalog() -> Arc<Catalog> {
    let named = [
        relation(1, "pgbench_accounts", &[("aid", 23), ("bid", 23), ("abalance", 23), ("filler", 1042)]),
        relation(2, "users", &[("id", 23), ("name", 25), ("ssn", 25)]),
        relation(3, "orders", &[("id", 23), ("user_id", 23), ("total", 23), ("created_at", 1184)]),
    ];
    let others = (0..TABLES).map(|number| {
        relation(number.saturating_add(100), &format!("table_{number}"), &[("id", 23), ("a", 25), ("b", 25), ("c", 25)])
    });
    let relations = named.into_iter().chain(others).map(|relation| (relation.oid, relation)).collect();
    let mut catalog = Catalog {
        generation: 1,
        complete: true,
        database: "appdb".into(),
        version: 150_007,
        relations,
        search_path: vec!["public".into()],
        definitions_path: vec!["pg_catalog".into()],
        any_sensitive: true,
        ..Catalog::default()
    };
    catalog.finish();
    Arc::new(catalog)
}

fn analysis(criterion: &mut Criterion) {
    let catalog = catalog();
    let settings = Settings { search_path: Some(Arc::new(["app".into(), "public".into()])), ..Settings::default() };
    for (name, text) in STATEMENTS {
        let text = text.as_bytes();
        // Beside as many others as a session has.
        let mut analyzer = Analyzer::default();
        for number in 0..200 {
            analyzer.analyze(format!("select a from table_{number}").as_bytes(), &catalog, &settings);
        }
        criterion.bench_function(&format!("hit/{name}"), |bencher| {
            bencher.iter(|| analyzer.analyze(black_box(text), &catalog, &settings));
        });
        criterion.bench_function(&format!("miss/{name}"), |bencher| {
            let anew = || (Analyzer::default(), catalog.clone());
            bencher.iter_batched(
                anew,
                |(mut analyzer, catalog)| (analyzer.analyze(black_box(text), &catalog, &settings), analyzer),
                BatchSize::SmallInput,
            );
        });
    }
}

criterion_group!(benches, analysis);
criterion_main!(benches);
