//! Operators and functions of the database's own: which statements may run them, and which do not.

use std::sync::Arc;

use super::{catalog, relation};
use crate::access::{Action, Name};
use crate::sql::catalog::{Cast, CastContext, Catalog, Function, FunctionKind, Operator, RelationKind, Type, TypeKind};
use crate::sql::{Analyzer, Settings};

/// `record` (`pg_type.dat`).
const RECORD: u32 = 2249;

/// Somebody's type, and the function that nobody may take for PostgreSQL's.
const OWN_TYPE: u32 = 90_000;
const OWN_FUNCTION: u32 = 90_001;

/// The catalog with types for its columns, a table with many of them, somebody's type, and a function of his.
fn beside(kind: TypeKind, casts: Vec<Cast>) -> Catalog {
    let mut catalog = Catalog::clone(&catalog());
    let columns = [
        ("id", 1700),
        ("k", 23),
        ("name", 25),
        ("c", OWN_TYPE),
        ("b", 17),
        ("bits", 1560),
        ("l", 601),
        ("bx", 603),
        ("v", 30),
    ];
    let named: Vec<(&str, &str)> = columns.iter().map(|(name, _)| (*name, "")).collect();
    let (oid, mut things) = relation(9, "things", RelationKind::Table, &named);
    for (column, (_, of)) in things.columns.iter_mut().zip(columns) {
        column.type_oid = of;
    }
    catalog.relations.insert(oid, things);
    for column in catalog.relations.get_mut(&1).into_iter().flat_map(|users| &mut users.columns) {
        column.type_oid = if &*column.name == "id" { 23 } else { 25 };
    }
    catalog.types.insert(OWN_TYPE, Type { oid: OWN_TYPE, kind, base: 23, ..Type::default() });
    catalog.functions.push(Function {
        oid: OWN_FUNCTION,
        schema: "public".into(),
        name: "g".into(),
        ..Function::default()
    });
    catalog.casts = casts;
    catalog
}

fn implicit(source: u32, target: u32) -> Cast {
    Cast { source, target, context: CastContext::Implicit, ..Cast::default() }
}

fn operator(symbol: &str, left: u32, right: u32) -> Operator {
    Operator { name: symbol.into(), function: OWN_FUNCTION, left, right, ..Operator::default() }
}

/// For each of these, whether it may run code of somebody's.
fn runs<const COUNT: usize>(catalog: Catalog, texts: [&str; COUNT]) -> [bool; COUNT] {
    let catalog = Arc::new(catalog);
    texts.map(|text| {
        let analysis = Analyzer::default().analyze(text.as_bytes(), &catalog, &Settings::default());
        analysis.effects.iter().any(|effect| effect.action == Action::SqlExecute)
    })
}

#[test]
fn an_operator_of_somebodys_type_is_not_taken_for_others() {
    let own = |kind, casts: Vec<Cast>, left, right| {
        let catalog = Catalog { operators: vec![operator("=", left, right)], ..beside(kind, casts) };
        runs(
            catalog,
            [
                "select 1 from users where id = 1",
                "select 1 from users where ssn = '1'",
                "select 1 from users where id in (1, 2)",
                "select 1 from users where $1 = $2",
            ],
        )
    };
    let explicit = Cast { context: CastContext::Explicit, ..implicit(23, OWN_TYPE) };
    assert_eq!(own(TypeKind::Base, vec![], OWN_TYPE, OWN_TYPE), [false, false, false, true]);
    assert_eq!(own(TypeKind::Base, vec![], 23, OWN_TYPE), [false, false, false, true]);
    assert_eq!(own(TypeKind::Base, vec![explicit], OWN_TYPE, OWN_TYPE), [false, false, false, true]);
    assert_eq!(own(TypeKind::Base, vec![implicit(23, OWN_TYPE)], OWN_TYPE, OWN_TYPE), [true, false, true, true]);
    assert_eq!(own(TypeKind::Domain, vec![], OWN_TYPE, OWN_TYPE), [true, false, true, true]);
    assert_eq!(own(TypeKind::Base, vec![], 25, 25), [false, true, false, true]);
}

#[test]
fn an_operator_that_the_server_may_take_is_one_of_somebodys() {
    for (symbol, left, right, text) in [
        // Elements of rows, each with its own type, or that of what it is compared with.
        ("=", OWN_TYPE, OWN_TYPE, "select 1 from things where (c, 1) = ('x', 1)"),
        ("=", OWN_TYPE, OWN_TYPE, "select 1 from things where (c, k) in (('x', 1), ('y', 2))"),
        ("=", OWN_TYPE, OWN_TYPE, "select ('x', 1) in (select c, k from things)"),
        ("=", OWN_TYPE, OWN_TYPE, "select 1 from things where (c, 1) is distinct from ('x', 1)"),
        ("=", OWN_TYPE, OWN_TYPE, "select 1 from things where c in ('a', name)"),
        ("=", 25, OWN_TYPE, "select 1 from things where name in ('zz' || name, (array[c])[1])"),
        // What is merged of two has the type of both.
        ("=", 1700, 23, "select 1 from users join things using (id) where id = 1"),
        // One side is a column of which the type is not known.
        ("=", 19, 25, "select 1 from pg_class join (select name as relname from users) u using (relname)"),
        ("=", 19, 25, "select 1 from (select name as relname from users) u natural join pg_class"),
        // Nothing of PostgreSQL's is in that schema.
        ("<", 20, 20, "select id operator(public.<) any (select id from users) from users"),
        ("<", 20, 20, "select id operator(public.<) id from users"),
        // What results have another type for other arguments.
        ("=", 701, 23, "select 1 from things where length(l) = k"),
        ("=", 17, 25, "select 1 from things where like_escape(b, b) = name"),
        ("=", 23, 25, "select 1 from things where lower($1) = name"),
        ("=", 1009, 1009, "select 1 from things where (name || $1) = $2"),
        ("=", 1009, 25, "select 1 from (select $1 as p) x, things where (name || p) = name"),
        ("=", 1562, 1560, "select (bits || bits) = bits from things"),
        ("=", 1028, 30, "select v[0:1] = v from things"),
        ("~", OWN_TYPE, OWN_TYPE, "select bx ~ bx from things"),
    ] {
        let operators = vec![operator(symbol, left, right)];
        let casts = if symbol == "~" { vec![implicit(603, OWN_TYPE)] } else { Vec::new() };
        let catalog = Catalog { operators, ..beside(TypeKind::Base, casts) };
        assert_eq!(runs(catalog, [text]), [true], "{text}");
    }
}

#[test]
fn a_function_of_somebodys_type_is_not_taken_for_others() {
    let own = |arguments: Vec<u32>, variadic, casts| {
        let mut catalog = beside(TypeKind::Base, casts);
        let name = Name::from("max");
        let kind = FunctionKind::Aggregate;
        catalog.functions.push(Function {
            oid: 90_002,
            schema: "public".into(),
            name,
            kind,
            arguments,
            variadic,
            ..Function::default()
        });
        runs(
            catalog,
            [
                "select max(id) from users",
                "select max(name) from users",
                "select max(1) from users",
                "select max('1') from users",
                "select max($1) from users",
            ],
        )
    };
    assert_eq!(own(vec![OWN_TYPE], 0, vec![]), [false, false, false, true, true]);
    assert_eq!(own(vec![OWN_TYPE], 0, vec![implicit(25, OWN_TYPE)]), [true; 5]);
    // `int4` becomes `int8`, and anything an `anyelement` or one of `any`.
    assert_eq!(own(vec![20], 0, vec![]), [true, false, true, true, true]);
    assert_eq!(own(vec![2283], 0, vec![]), [true; 5]);
    assert_eq!(own(vec![2276], 2276, vec![]), [true; 5]);
    assert_eq!(own(vec![1009], 25, vec![]), [true; 5]);
}

#[test]
fn values_of_an_extensions_type_are_put_without_running_code_that_cannot_be_read() {
    let own = |bodies: [(&str, &str); 2], tags: &[&str], modifier| {
        let mut catalog = beside(TypeKind::Base, vec![]);
        for (oid, (language, body)) in (90_010..).zip(bodies) {
            catalog.functions.push(Function {
                oid,
                schema: "public".into(),
                name: "h".into(),
                language: language.into(),
                body: Some(body.into()),
                tags: crate::access::Tags::new(tags.iter().map(|tag| Name::from(*tag))),
                ..Function::default()
            });
        }
        let of = Type {
            oid: OWN_TYPE,
            schema: "public".into(),
            name: "own".into(),
            kind: TypeKind::Base,
            input: 90_010,
            output: 90_011,
            modifier,
            ..Type::default()
        };
        catalog.types.insert(OWN_TYPE, of);
        let runs_code = catalog.runs_code(OWN_TYPE);
        let texts = ["insert into things (c) values ('x')", "select 'x'::own", "update things set c = $1"];
        (runs(catalog, texts), runs_code)
    };
    let hstore = [("c", "$libdir/hstore hstore_in"), ("c", "$libdir/hstore hstore_out")];
    let citext = [("internal", "textin"), ("internal", "textout")];
    assert_eq!(own(hstore, &[], 0), ([false; 3], false));
    assert_eq!(own(citext, &[], 0), ([false; 3], false));
    assert_eq!(own([("c", "/tmp/x hstore_in"), hstore[1]], &[], 0), ([true; 3], true));
    assert_eq!(own([("other", "textin"), citext[1]], &[], 0), ([true; 3], true));
    assert_eq!(own(hstore, &["code"], 0), ([true; 3], true));
    assert_eq!(own(hstore, &[], 90_001), ([true; 3], true));
}

#[test]
fn what_postgresql_has_since_13_comes_before_what_an_extension_brought_for_older_ones() {
    let own = |path: &[&str], schema: &str, defaults| {
        let mut catalog = beside(TypeKind::Base, vec![]);
        catalog.functions.push(Function {
            oid: 90_002,
            schema: schema.into(),
            name: "gen_random_uuid".into(),
            arguments: vec![23; usize::from(defaults)],
            defaults,
            ..Function::default()
        });
        let catalog = Arc::new(catalog);
        let path = path.iter().map(|schema| Name::from(*schema)).collect();
        let settings = Settings { search_path: Some(path), ..Settings::default() };
        ["select gen_random_uuid()", "select public.gen_random_uuid()", "select gen_random_uuid(1)"].map(|text| {
            let analysis = Analyzer::default().analyze(text.as_bytes(), &catalog, &settings);
            analysis.effects.iter().any(|effect| effect.action == Action::SqlExecute)
        })
    };
    assert_eq!(own(&["public"], "public", 0), [false, true, false]);
    assert_eq!(own(&["public"], "public", 1), [false, true, true]);
    assert_eq!(own(&["pg_catalog", "public"], "public", 0), [false, true, false]);
    assert_eq!(own(&["public", "pg_catalog"], "public", 0), [true, true, false]);
    assert_eq!(own(&["public"], "pg_catalog", 0), [true, true, false]);
}

#[test]
fn a_function_that_is_called_without_its_parentheses_is_one_of_somebodys() {
    for (name, arguments, text) in [
        ("percentile_disc", vec![701, 23], "select percentile_disc(0.5) within group (order by k) from things"),
        // The row type of a relation of the system's.
        ("g", vec![83], "select s.g from pg_class s"),
        ("g", vec![RECORD], "select x.g from json_each('{}') x"),
    ] {
        let mut catalog = beside(TypeKind::Base, vec![]);
        let name = Name::from(name);
        catalog.functions =
            vec![Function { oid: OWN_FUNCTION, schema: "public".into(), name, arguments, ..Function::default() }];
        assert_eq!(runs(catalog, [text]), [true], "{text}");
    }
    let mut catalog = beside(TypeKind::Base, vec![]);
    catalog.functions = vec![Function {
        oid: OWN_FUNCTION,
        schema: "public".into(),
        name: "relname".into(),
        arguments: vec![25],
        ..Function::default()
    }];
    assert_eq!(runs(catalog, ["select s.relname from pg_class s"]), [false]);
}

/// A catalog with a type of an extension's, its array, and functions and operators on them; the first pair reads and shows its values.
fn extended(functions: &[(&str, &str, &[u32], u32)]) -> Catalog {
    let mut catalog = beside(TypeKind::Base, vec![]);
    let conversions = [("c", "$libdir/ltree ltree_in"), ("c", "$libdir/ltree ltree_out")];
    for (oid, (language, body)) in (90_010..).zip(conversions) {
        let (language, body) = (language.into(), Some(body.into()));
        catalog.functions.push(Function {
            oid,
            schema: "public".into(),
            name: "h".into(),
            language,
            body,
            ..Function::default()
        });
    }
    let of = Type {
        oid: OWN_TYPE,
        array: OWN_TYPE + 1,
        schema: "public".into(),
        name: "ltree".into(),
        kind: TypeKind::Base,
        input: 90_010,
        output: 90_011,
        ..Type::default()
    };
    catalog.types.insert(OWN_TYPE, of);
    catalog.types.insert(OWN_TYPE + 1, Type { oid: OWN_TYPE + 1, element: OWN_TYPE, ..Type::default() });
    for (oid, (name, body, arguments, returns)) in (90_020..).zip(functions) {
        catalog.functions.push(Function {
            oid,
            schema: "public".into(),
            name: (*name).into(),
            language: "c".into(),
            body: Some((*body).into()),
            arguments: arguments.to_vec(),
            returns: *returns,
            strict: true,
            ..Function::default()
        });
    }
    catalog
}

#[test]
fn what_an_extension_computes_is_known_by_its_library_and_by_how_it_is_declared() {
    let (own, array) = (OWN_TYPE, OWN_TYPE + 1);
    let text = ["select f(c) from things"];
    for (function, known) in [
        (("f", "$libdir/ltree nlevel", &[own][..], 23), true),
        (("f", "$libdir/ltree _lca", &[array][..], own), true),
        (("f", "$libdir/ltree nlevel", &[own][..], 25), false),
        (("f", "$libdir/ltree nlevel", &[20][..], 23), false),
        (("f", "$libdir/other nlevel", &[own][..], 23), false),
        (("f", "$libdir/hstore nlevel", &[own][..], 23), false),
        (("f", "$libdir/tablefunc crosstab", &[25][..], RECORD), false),
    ] {
        let catalog = extended(&[function]);
        let made = catalog.functions.last().is_some_and(|made| {
            let mut catalog = catalog.clone();
            catalog.finish();
            catalog.computes_plainly(made)
        });
        assert_eq!(made, known, "{function:?}");
        if function.2 == [own] {
            assert_eq!(runs(catalog, text), [!known], "{function:?}");
        }
    }
}

#[test]
fn an_operator_of_an_extension_is_a_filter_and_one_of_somebodys_beside_it_counts() {
    let (own, array) = (OWN_TYPE, OWN_TYPE + 1);
    let equal = ("eq", "$libdir/ltree ltree_eq", &[own, own][..], 16);
    let within = ("in", "$libdir/ltree _ltree_isparent", &[array, own][..], 16);
    let symbol = |function, left, right| Operator { function, ..operator("=", left, right) };
    let texts = ["select 1 from things where c = 'x'", "select $1 = $2", "select 1 from users where ssn = '1'"];
    let known = vec![symbol(90_020, own, own), symbol(90_021, array, own)];
    let catalog = Catalog { operators: known.clone(), ..extended(&[equal, within]) };
    assert_eq!(runs(catalog, texts), [false; 3]);
    let others = [known, vec![symbol(OWN_FUNCTION, array, own)]].concat();
    let catalog = Catalog { operators: others, ..extended(&[equal, within]) };
    assert_eq!(runs(catalog, texts), [true, true, false]);
    // Whoever makes values of somebody's type of it runs his cast.
    let cast = Cast { function: OWN_FUNCTION, ..implicit(25, own) };
    let catalog = Catalog { casts: vec![cast], ..extended(&[("f", "$libdir/ltree nlevel", &[own][..], 23)]) };
    assert_eq!(runs(catalog, ["select f(name) from users", "select f('x')"]), [true, false]);
}

#[test]
fn a_literal_in_a_definition_is_read_as_what_it_stands_beside() {
    let (domain, array) = (OWN_TYPE, OWN_TYPE + 1);
    let mut catalog = beside(TypeKind::Domain, vec![]);
    let checks = vec!["public.g(VALUE)".into()];
    let (schema, name) = ("public".into(), "checked".into());
    let of = Type { oid: domain, array, schema, name, kind: TypeKind::Domain, base: 25, checks, ..Type::default() };
    catalog.types.insert(domain, of);
    catalog.types.insert(array, Type { oid: array, element: domain, ..Type::default() });
    for column in catalog.relations.get_mut(&9).into_iter().flat_map(|things| &mut things.columns) {
        column.type_oid = if &*column.name == "c" { array } else { column.type_oid };
    }
    let texts = [
        "select c = '{x}' from things",
        "alter table things alter c set default '{x}'",
        "alter table things add check (c <> '{x}')",
        "alter table things add z int generated always as (cardinality(coalesce(c, '{x}'))) stored",
        "alter table things alter k type text using case when c = '{x}' then 'y' end",
        "alter table things add z checked[] default '{x}'",
        "create table z (a checked[] default '{x}')",
        "create table z (like things, check (c <> '{x}'))",
        "create table z partition of things for values in ('{x}')",
        "create table z partition of things for values from ('{x}') to ('{y}')",
        "alter table things attach partition orders for values in ('{x}')",
        "create index on things ((c = '{x}'))",
        "create index on things (k) where c = '{x}'",
        "create statistics z on (c = '{x}'), k from things",
        "create view z as select c = '{x}' as y from things",
        "create materialized view z as select coalesce(c, '{x}') as y from things",
        "create rule z as on insert to orders where exists (select 1 from things where c = '{x}') do nothing",
        "create rule z as on insert to orders do also select c = '{x}' from things",
        "create policy z on things using (c = '{x}')",
        "create trigger z before update on things for each row when (new.c = '{x}') execute function g()",
        "create publication z for table things where (c = '{x}')",
        "create function z(a checked[] default '{x}') returns int language sql as 'select 1'",
        "create function z() returns bool begin atomic select c = '{x}' from things; end",
        "create domain z as checked[] default '{x}'",
        "create aggregate z (int) (sfunc = array_append, stype = checked[], initcond = '{x}')",
        "merge into things using (select 1) s on false when not matched then insert values (1, 2, 'n', '{x}')",
        "insert into things (c) select '{x}' union all select (x).* from things x",
        "select c = '{x}'::unknown from things",
        "select '{x}' in (select (x).* from things x)",
        "create domain z as checked[] check (value <> '{x}')",
        "copy things from stdin where c = '{x}'",
        "prepare p as select c = $1 from things",
        "explain select c = '{x}' from things",
    ];
    let found = runs(catalog, texts);
    let wrong: Vec<&str> = texts.iter().zip(found).filter(|(_, runs)| !runs).map(|(text, _)| *text).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
