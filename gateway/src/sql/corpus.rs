//! Statements and what they do: the analysis' promises, one line each.

mod called;
mod gives;
mod names;
mod own;
mod plpgsql;
mod reached;
mod sequences;
pub(super) mod table;

use std::collections::HashMap;
use std::sync::Arc;

use super::catalog::{Catalog, Column, Function, Relation, RelationKind};
use super::{Analyzer, Lineage, Outputs, Settings, Stream, Streamed, without_literals};
use crate::access::{Action, Tags};
use table::CORPUS;

fn relation(oid: u32, name: &str, kind: RelationKind, columns: &[(&str, &str)]) -> (u32, Relation) {
    let columns = columns.iter().zip(1i16..).map(|((name, tag), number)| Column {
        number,
        name: (*name).into(),
        type_oid: 25,
        tags: Tags::new((!tag.is_empty()).then(|| (*tag).into())),
        ..Column::default()
    });
    let relation = Relation {
        oid,
        schema: "public".into(),
        name: name.into(),
        kind,
        columns: columns.collect(),
        ..Relation::default()
    };
    (oid, relation)
}

pub(super) fn catalog() -> Arc<Catalog> {
    let (number, view) = relation(3, "v", RelationKind::View, &[("a", "")]);
    let view = Relation { definition: Some("select ssn as a from public.users".into()), ..view };
    Arc::new(Catalog {
        generation: 1,
        complete: true,
        database: "db".into(),
        relations: HashMap::from([
            relation(1, "users", RelationKind::Table, &[("id", ""), ("name", ""), ("ssn", "pii")]),
            relation(2, "orders", RelationKind::Table, &[("id", ""), ("user_id", ""), ("total", "")]),
            (number, view),
        ]),
        functions: vec![Function { schema: "public".into(), name: "f".into(), ..Function::default() }],
        search_path: vec!["public".into()],
        any_sensitive: true,
        ..Catalog::default()
    })
}

/// The effects of a statement, in the short form of the table below.
fn effects(text: &str) -> String {
    effects_on(text, &catalog())
}

fn effects_on(text: &str, catalog: &Arc<Catalog>) -> String {
    let analysis = Analyzer::default().analyze(text.as_bytes(), catalog, &Settings::default());
    let one = |effect: &crate::access::Effect| {
        let object = effect.object.id("").replace("/db/public.", "").replace("/db/", "");
        let mut word = format!("{} {object}", effect.action.as_str().trim_start_matches("sql.")).trim_end().to_owned();
        if matches!(effect.action, Action::SqlUpdate | Action::SqlDelete) {
            word = format!("{word} [{}]", effect.facts.predicate.as_str());
        }
        if effect.facts.equality {
            word.push_str(" [=]");
        }
        word
    };
    analysis.effects.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// A column is what it is (`=ssn`) and what it is made of; `?` is anything.
fn lineage(lineage: &Lineage) -> String {
    let exact = lineage.exact.iter().map(|column| format!("={}", column.column));
    let mut words: Vec<String> = exact.chain(lineage.derived.iter().map(|column| column.column.to_string())).collect();
    if lineage.withheld {
        words.push("!".to_owned());
    }
    if lineage.unknown {
        match words.last_mut() {
            Some(last) => last.push('?'),
            None => words.push("?".to_owned()),
        }
    }
    words.join(" ")
}

fn shown(outputs: &Outputs) -> String {
    match outputs {
        Outputs::Nothing => "nothing".to_owned(),
        Outputs::Columns(columns) => columns.iter().map(lineage).collect::<Vec<_>>().join("|"),
        Outputs::Open(one) => format!("*{}", lineage(one)),
        Outputs::Fetched => "fetched".to_owned(),
        Outputs::Unknown => "unknown".to_owned(),
        Outputs::Stream(Stream { rows: Streamed::Columns(columns), .. }) => {
            format!("stream {}", columns.iter().map(|one| lineage(&one.lineage)).collect::<Vec<_>>().join("|"))
        }
        Outputs::Stream(Stream { rows: Streamed::Open(one), .. }) => format!("stream *{}", lineage(one)),
    }
}

#[test]
fn tables_that_all_refer_to_each_other_are_each_looked_at_once() {
    use super::catalog::ForeignKey;
    let mut catalog = Catalog::clone(&catalog());
    for oid in 100..130 {
        let (_, mut table) = relation(oid, &format!("t{oid}"), RelationKind::Table, &[("id", "")]);
        let key = |target| ForeignKey { columns: vec![1], target, target_columns: vec![1], writes: true };
        table.foreign_keys = (100..130).map(key).collect();
        catalog.relations.insert(oid, table);
    }
    let catalog = Arc::new(catalog);
    let analysis = Analyzer::default().analyze(b"delete from t100", &catalog, &Settings::default());
    let of = |action| analysis.effects.iter().filter(|effect| effect.action == action).count();
    assert_eq!((of(Action::SqlDelete), of(Action::SqlUpdate), of(Action::SqlUnknown)), (30, 30, 0));
}

#[test]
fn results_say_whether_they_are_rows_a_stream_or_nothing() {
    for (text, expected) in [
        ("select ssn from users", "=ssn"),
        ("select id, ssn, upper(ssn), ssn || name, 1 from users", "=id|=ssn|ssn|name ssn|"),
        ("select * from users", "=id|=name|=ssn"),
        ("select u.*, o.* from users u, orders o", "=id|=name|=ssn|=id|=user_id|=total"),
        ("select * from users join orders using (id)", "=id id|=name|=ssn|=user_id|=total"),
        ("select users from users", "id name ssn"),
        ("select mode() within group (order by ssn) from users", "ssn"),
        ("select (users).* from users", "=id|=name|=ssn"),
        ("select (users).ssn from users", "=ssn"),
        ("select x from (select ssn as x from users) t", "=ssn"),
        ("with c(y) as (select ssn from users) select y, id from c, orders", "=ssn|=id"),
        ("select name from users where name = ssn", "=name ssn"),
        ("select g.i from users join generate_series(0, 9) g(i) on users.ssn = g.i::text", "ssn"),
        ("select h from (select id as h, id + 1 as d from orders) t join users on users.ssn = t.d::text", "=id ssn"),
        ("select ssn from users union all select name from users", "name ssn"),
        ("select ssn from users union all select ssn from users", "=ssn"),
        (
            "with recursive r(n, s) as (select 1, ssn from users union all select n + 1, s from r where n < 3) select * from r",
            "|ssn",
        ),
        ("select (select ssn from users limit 1)", "=ssn"),
        ("select case when id = 1 then ssn end from users", "id ssn"),
        ("select max(ssn) from users", "ssn"),
        ("select a from v", "=a =ssn"),
        ("select count(*) from users", ""),
        ("select id from missing", "=id?"),
        ("select f()", "?"),
        ("select * from f()", "*?"),
        ("select * from json_each('{}')", "*"),
        ("select * from pg_class", "*"),
        ("select s from (select j.*, u.ssn from json_each('{}') j, users u) t (k, v, s)", "ssn"),
        (
            "merge into orders o using users u on o.id = u.id when matched then delete returning *",
            "=id|=name|=ssn|=id|=user_id|=total",
        ),
        ("delete from users returning *", "=id|=name|=ssn"),
        ("insert into users values (1) on conflict (id) do update set name = 'x' returning ssn", "=ssn"),
        ("fetch c", "unknown"),
        ("copy users to stdout", "stream =id|=name|=ssn"),
        ("copy users (ssn) to stdout", "stream =ssn"),
        ("copy (select upper(ssn) from users) to stdout", "stream ssn"),
        ("begin", "nothing"),
        ("delete from orders", "nothing"),
        ("show all", "*"),
        ("explain select ssn from users", ""),
        ("select 1; select ssn from users", "; =ssn"),
        ("selec", "unknown"),
    ] {
        let analysis = Analyzer::default().analyze(text.as_bytes(), &catalog(), &Settings::default());
        let found: Vec<String> = analysis.outputs.iter().map(shown).collect();
        assert_eq!(found.join("; "), expected, "{text}");
    }
}

#[test]
fn texts_of_one_shape_share_an_analysis() {
    let (mut analyzer, catalog, settings) = (Analyzer::default(), catalog(), Settings::default());
    let mut analyze = |text: &str| analyzer.analyze(text.as_bytes(), &catalog, &settings);
    let (harmless, sensitive) = ("select total from orders where id = 1", "select id from users where ssn = '1'");
    let (first, one) = (analyze(harmless), analyze(sensitive));
    assert!(Arc::ptr_eq(&first, &analyze("select total from orders where id = 22")));
    assert!(Arc::ptr_eq(&one, &analyze("select id from users where ssn = '22'")));
    assert!(!first.literals_sensitive && one.literals_sensitive);
    assert_eq!(without_literals(sensitive), "select id from users where ssn = '***'");
}

#[test]
fn a_temporary_table_stands_before_all_others_of_its_name() {
    let mut catalog = Catalog::clone(&catalog());
    let temporary = |oid, name, tag| {
        let (oid, relation) = relation(oid, name, RelationKind::Table, &[("ssn", tag)]);
        (oid, Relation { schema: "pg_temp_3".into(), ..relation })
    };
    catalog.relations.extend([
        temporary(7, "users", ""),
        temporary(8, "orders", "pii"),
        temporary(9, "pg_class", "pii"),
    ]);
    let catalog = Arc::new(catalog);
    let session = |path: &[&str]| Settings {
        search_path: Some(path.iter().map(|schema| (*schema).into()).collect()),
        temporary: Some("pg_temp_3".into()),
        pending: false,
    };
    let (first, last) = (session(&["public"]), session(&["public", "pg_temp"]));
    for (text, settings, expected) in [
        ("select ssn from users", &first, "/db/pg_temp_3.users.ssn"),
        ("select ssn from orders", &first, "/db/pg_temp_3.orders.ssn"),
        ("select ssn from pg_class", &first, "/db/pg_temp_3.pg_class.ssn"),
        ("select ssn from pg_temp.orders", &first, "/db/pg_temp_3.orders.ssn"),
        ("select ssn from users", &last, "/db/public.users.ssn"),
        ("select ssn from pg_temp.users", &last, "/db/pg_temp_3.users.ssn"),
        // A view names what it was made of, whatever the session has made since.
        ("select a from v", &first, "/db/public.users.ssn"),
    ] {
        let analysis = Analyzer::default().analyze(text.as_bytes(), &catalog, settings);
        let reads = analysis.effects.iter().filter(|effect| effect.action == Action::SqlRead);
        let reads: Vec<String> = reads.map(|effect| effect.object.id("")).collect();
        assert!(reads.iter().any(|read| read == expected), "{text}: {reads:?}");
        let other = if expected.contains("pg_temp") { "public.users.ssn" } else { "pg_temp_3.users.ssn" };
        assert!(!reads.iter().any(|read| read.contains(other)), "{text}: {reads:?}");
    }
}

#[test]
fn what_the_system_withholds_is_known_where_it_comes_out() {
    let catalog = catalog();
    for (text, expected) in [
        ("select pid, query from pg_stat_activity", "|!"),
        ("select upper(query) from pg_stat_activity", "!"),
        ("select a from pg_stat_activity a", "!"),
        ("select a.query from pg_stat_activity a", "!"),
        ("select case when a.pid > 1 then a.query end from pg_stat_activity a", "!"),
        ("select x.q from (select query as q from pg_stat_activity) x", "!"),
        ("select (select query from pg_stat_activity limit 1)", "!"),
        ("select id, (select query from pg_stat_activity limit 1) from users", "=id|!"),
        ("select attname, attmissingval from pg_attribute", "|!"),
        ("select * from pg_attribute", "*!"),
        ("copy (select rolname, rolpassword from pg_authid) to stdout", "stream |!"),
        ("select pid from pg_stat_activity", ""),
    ] {
        let analysis = Analyzer::default().analyze(text.as_bytes(), &catalog, &Settings::default());
        let shown: Vec<String> = analysis.outputs.iter().map(shown).collect();
        assert_eq!(shown, [expected], "{text}");
        assert_eq!(analysis.withholds(), expected.contains('!'), "{text}");
    }
    let text = "declare c cursor for select rolpassword from pg_authid";
    assert!(Analyzer::default().analyze(text.as_bytes(), &catalog, &Settings::default()).withholds());
}

#[test]
fn a_relation_with_a_name_of_the_systems_hides_nothing() {
    let mut catalog = (*catalog()).clone();
    let kind = RelationKind::Table;
    catalog.relations.extend([
        relation(8, "pg_stats", kind, &[("most_common_vals", "")]),
        // The system has one of that name from PostgreSQL 17 on.
        relation(9, "pg_wait_events", kind, &[("description", "pii")]),
    ]);
    let catalog = Arc::new(catalog);
    let does = |text: &str, action: Action| {
        let analysis = Analyzer::default().analyze(text.as_bytes(), &catalog, &Settings::default());
        analysis.effects.iter().any(|effect| effect.action == action)
    };
    let sensitive = |text: &str| Analyzer::default().analyze(text.as_bytes(), &catalog, &Settings::default()).sensitive;
    assert!(does("select most_common_vals from pg_stats", Action::SqlUnknown));
    assert!(!does("select most_common_vals from public.pg_stats", Action::SqlUnknown));
    assert!(sensitive("select description from pg_wait_events"));
    assert!(!sensitive("select operation from pg_catalog.pg_wait_events"));
    assert!(does("update pg_wait_events set description = ''", Action::SqlUnknown));
}

#[test]
fn a_block_that_is_one_definition_plugs_in_what_that_does() {
    for text in [
        "create operator === (leftarg = text, rightarg = text, function = f)",
        "create cast (text as int) with function f(text)",
    ] {
        let alone = effects(text);
        assert!(alone.contains("execute f"), "{text}: {alone}");
        assert_eq!(effects(&format!("do $$ begin {text}; end $$")), alone, "{text}");
    }
}

#[test]
fn a_relation_that_is_only_made_or_dropped_or_renamed_tells_nothing() {
    let analyze = |catalog: &Catalog, text: &str| {
        Analyzer::default().analyze(text.as_bytes(), &Arc::new(catalog.clone()), &Settings::default())
    };
    let catalog = catalog();
    for text in [
        "create table t (a int)",
        "create table t (a int) inherits (orders)",
        "create table t as select id from orders",
        "select id into t from orders",
        "create view t as select id from orders",
        "create sequence t",
        "drop table if exists t",
        "alter table t rename to u",
        "alter table t set schema x",
    ] {
        let analysis = analyze(&catalog, text);
        assert!(!analysis.sensitive && analysis.doubtful, "{text}");
        let unknown = analyze(&Catalog { complete: false, ..(*catalog).clone() }, text);
        assert!(unknown.effects.iter().any(|effect| effect.action == Action::SqlUnknown), "{text}");
        let fired = analyze(&Catalog { event_triggers: vec![9], ..(*catalog).clone() }, text);
        assert!(fired.sensitive, "{text}");
    }
    for text in [
        "create table t as select ssn from users",
        "create table t as select a from missing",
        "create view t as select f()",
        "select ssn into t from users",
        "drop table users",
        "drop table t, users",
        // Rows that are there are looked at.
        "create table t partition of missing for values in ('1')",
        "create unique index on t (a)",
        "alter table t alter a type int",
        "alter table t attach partition u default",
        "truncate t",
        "select 1 from t",
    ] {
        assert!(analyze(&catalog, text).sensitive, "{text}");
    }
    // What is made may be called as something sensitive is to be.
    let made = "create table t (a text default '539-48-0120')";
    assert!(analyze(&catalog, made).literals_sensitive);
    assert_eq!(without_literals(made), "create table t (a text default '***')");
}

#[test]
fn nothing_that_is_sent_can_overflow_the_stack_or_panic() {
    let mut analyzer = Analyzer::default();
    let (catalog, settings) = (catalog(), Settings::default());
    let mut analyze = |text: &str| analyzer.analyze(text.as_bytes(), &catalog, &settings).effects[0].action;
    for text in [
        format!("select {}1{}", "(".repeat(100_000), ")".repeat(100_000)),
        format!("select 1{}", "+1".repeat(100_000)),
        format!("select 1{}", "+1".repeat(4_000)),
        format!("select {} 1", "not ".repeat(9_000)),
        format!("select {}", "- ".repeat(9_000)),
        format!("select 1{}", " union select 1".repeat(3_000)),
        "select 1;".repeat(100_000),
        "\u{0}".to_owned(),
        "x".repeat(2 * 1024 * 1024),
    ] {
        let _ = analyze(&text);
    }
    assert_eq!(analyze(&format!("select {}1{}", "(".repeat(100_000), ")".repeat(100_000))), Action::SqlUnknown);
    assert_eq!(analyzer.analyze(&[0xff, b'1'], &catalog, &settings).effects[0].action, Action::SqlUnknown);
}

#[test]
fn nothing_that_is_sent_takes_long() {
    let (catalog, settings) = (catalog(), Settings::default());
    let many = |count: usize, part: &dyn Fn(usize) -> String| (0..count).map(part).collect::<Vec<_>>().join(",");
    let tables = many(40_000, &|number| format!("users t{number}"));
    let rows = many(100_000, &|_| "users".to_owned());
    for text in [
        // Names that are looked for among many, each time anew; and many of them at once.
        format!("select {} from {tables}", many(100_000, &|_| "id".to_owned())),
        format!("select {} from {tables}", many(50_000, &|_| "t1.id".to_owned())),
        format!("select {} from {tables}", many(10_000, &|_| "*".to_owned())),
        format!(
            "select {} from users order by {}",
            many(50_000, &|number| format!("id c{number}")),
            many(30_000, &|number| format!("c{number}"))
        ),
        format!("with {} select 1", many(50_000, &|number| format!("c{number} as(select)"))),
        format!("select 1 from {}", many(20_000, &|number| format!("lateral(select id)t{number}"))),
        // What is made of many columns, again and again.
        format!("select {}row({rows}){} from users", "abs(".repeat(3000), ")".repeat(3000)),
        format!("select {} from (select row({rows}) as x from users)s", many(100_000, &|_| "x".to_owned())),
        // What is tied to what is made of many.
        format!(
            "select {} from (select {}ssn as x from users)s,users",
            many(30_000, &|_| "case when x=id then 1 end".to_owned()),
            "ssn||".repeat(2000)
        ),
    ] {
        let began = std::time::Instant::now();
        let told = Analyzer::default().analyze(text.as_bytes(), &catalog, &settings);
        assert!(!told.effects.is_empty());
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}: {text:.60}", began.elapsed());
    }
}

proptest::proptest! {
    #[test]
    fn anything_can_be_analysed(bytes: Vec<u8>, at in 0usize..CORPUS.len(), cut in 0usize..80) {
        let mut analyzer = Analyzer::default();
        let mut text = CORPUS[at].0.as_bytes().to_vec();
        text.splice(cut.min(text.len())..cut.min(text.len()), bytes);
        proptest::prop_assert!(!analyzer.analyze(&text, &catalog(), &Settings::default()).effects.is_empty());
    }
}

#[test]
fn what_a_transaction_changed_is_not_known_once_it_is_over() {
    let pending = Settings { pending: true, ..Settings::default() };
    for (text, unknown) in [
        ("commit; select name from users", true),
        ("end; update users set name = 'x' where id = 1", true),
        ("rollback; select name from users", true),
        ("rollback to s; select name from users", true),
        ("commit and chain; copy users to stdout", true),
        ("prepare transaction 'x'; select name from users", true),
        ("commit; drop table orders", true),
        ("commit; begin; set statement_timeout = 0", false),
        ("savepoint s; select name from users", false),
        ("release s; select name from users", false),
        ("select name from users; commit", false),
    ] {
        let unknown_under = |settings: &Settings| {
            let analysis = Analyzer::default().analyze(text.as_bytes(), &catalog(), settings);
            analysis.effects.iter().any(|effect| effect.action == Action::SqlUnknown)
        };
        assert_eq!(unknown_under(&pending), unknown, "{text}");
        assert!(!unknown_under(&Settings::default()), "{text}");
    }
}
