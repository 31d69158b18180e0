//! Bodies in PL/pgSQL: which are read down to what they do, and which count as code that cannot be read.

use std::sync::Arc;

use super::catalog;
use crate::access::Tags;
use crate::sql::catalog::{Cast, Catalog, Function, FunctionKind, Operator, Trigger, Type, TypeKind};
use crate::sql::{Analyzer, Settings};

const TRIGGER: u32 = 2279;

/// The catalog with `p(a text) returns int`, of that body, and `stamp()` as a trigger of both tables.
fn with(body: &str, stamp: &str) -> Catalog {
    let mut catalog = Catalog::clone(&catalog());
    let function = |oid: u32, name: &str, body: &str| Function {
        oid,
        schema: "public".into(),
        name: name.into(),
        language: "plpgsql".into(),
        body: Some(body.into()),
        returns: 23,
        ..Function::default()
    };
    catalog.functions.push(Function {
        arguments: vec![25],
        argument_names: vec!["a".into()],
        ..function(70_000, "p", body)
    });
    catalog.functions.push(Function { returns: TRIGGER, ..function(70_001, "stamp", stamp) });
    for relation in [1, 2] {
        let trigger = Trigger {
            function: 70_001,
            insert: true,
            update: true,
            enabled: true,
            definition: "CREATE TRIGGER s BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION stamp()".into(),
            ..Trigger::default()
        };
        catalog.relations.get_mut(&relation).unwrap().triggers.push(trigger);
    }
    catalog
}

/// What a statement does, each as action and object.
fn does(catalog: &Catalog, text: &str) -> String {
    let analysis =
        Analyzer::default().analyze(text.as_bytes(), &Arc::new(Catalog::clone(catalog)), &Settings::default());
    let one = |effect: &crate::access::Effect| {
        let object = effect.object.id("").replace("/db/public.", "").replace("/db/", "");
        format!("{} {object}", effect.action.as_str().trim_start_matches("sql.")).trim_end().to_owned()
    };
    analysis.effects.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn body(body: &str) -> String {
    does(&with(body, "begin return new; end"), "select p('x')")
}

fn is_read(text: &str) -> bool {
    !body(text).contains("execute p")
}

#[test]
fn a_body_of_plain_statements_does_what_they_do() {
    assert_eq!(body("begin return 1; end"), "read");
    assert_eq!(
        body("declare n int := 0; begin select count(*) into n from orders where id = a; return n; end"),
        "read, read orders, filter orders.id"
    );
    assert_eq!(
        body("begin insert into orders (id) values (a); update orders set total = 1 where id = a; return 1; end"),
        "read, filter orders.id, insert orders, update orders"
    );
    for read in [
        "#print_strict_params on\nbegin return 1; end",
        "begin execute 'select 1'; return 1; end",
        "begin return query execute a; end",
        "declare c cursor for select 1; begin open c; return 1; end",
        "declare c refcursor; begin open c for select 1; return 1; end",
        "declare r record; begin for r in execute a loop null; end loop; return 1; end",
        "begin perform set_config('search_path', a, false); return 1; end",
        "begin set search_path to other; return 1; end",
        "begin create table t (a int); return 1; end",
        "begin commit; return 1; end",
        "begin perform f(); return 1; end",
        "begin perform p(a); return 1; end",
        "begin perform nothing(); return 1; end",
        "begin perform pg_read_file('/etc/passwd'); return 1; end",
        "begin perform query_to_xml('select ssn from users', true, false, ''); return 1; end",
        "begin perform query from pg_stat_activity; return 1; end",
        "begin return (select count(*) from users); end",
        "begin return (select id from users limit 1); end",
        "begin return (select count(*) from v); end",
        "begin return (select count(*) from missing); end",
        "begin insert into users (id) values (a); return 1; end",
        "declare x users.ssn%type := (select ssn from users); begin return 1; end",
        "begin raise notice '%', (select ssn from users limit 1); return 1; end",
        "begin assert (select ssn from users limit 1) = 'x'; return 1; end",
        "begin return 1; exception when others then perform ssn from users; return 2; end",
        "begin a[(select 1 from users)] := 1; return 1; end",
        "begin unheard := 1; return 1; end",
        "begin return 1; end; select 1",
        "begin return 1; ",
        "begin if a = 'x' then return 1; end",
        "declare x unheard; begin return 1; end",
        "declare x int alias for $1; begin return 1; end",
        "begin select 1 into a into a; return 1; end",
        "begin select * into table t from orders; return 1; end",
        "begin return 1 into t; end",
        "begin lock table orders; return 1; end",
        "begin \"execute\" 'x'; return 1; end",
    ] {
        assert!(!is_read(read), "{read}");
    }
}

#[test]
fn every_form_of_a_statement_is_read() {
    for read in [
        "<<outer>> declare x constant int not null default 1; y numeric(10, 2) = 2; z timestamp with time zone; \
         begin declare w text collate \"C\" := 'w'; begin null; end; return x; end outer;",
        "begin if a = 'x' then return 1; elsif a > 'y' then return 2; elseif a is null then null; else return 3; end if; end",
        "begin case a when 'x', 'y' then return 1; else null; end case; case when a = 'x' then return 2; end case; end",
        "declare s int := 0; begin for i in 1..10 loop s := s + i; end loop; for i in reverse 9 .. 1 by 2 loop null; \
         end loop; <<l>> loop exit l when s > 1; continue when s < 0; exit; end loop l; while s > 0 loop s = s - 1; \
         end loop; return s; end",
        "declare r record; begin for r in select id, total from orders order by id loop raise notice '% %', r.id, r.total; \
         end loop; foreach a in array array['x', 'y'] loop null; end loop; return 1; end",
        "declare r orders%rowtype; i orders.id%type; n int; begin select * into strict r from orders where id = a; \
         select id, 1 into i, n from orders; insert into orders (id) values (a) returning id into i; \
         update orders set total = r.total where id = a; get diagnostics n = row_count; \
         if not found then raise exception 'no % of %', a, n using errcode = '22012', hint = a || 'x'; end if; \
         return n; end",
        "begin perform pg_sleep(0), upper(a) from orders; raise; return 1; exception when division_by_zero or \
         sqlstate '22012' then raise notice '%', sqlerrm; raise division_by_zero; return 2; end",
        "declare x int[]; begin x[1] := 2; x := x || 3; assert x[1] = 2, 'no'; return x[1 + 0]; end",
        "declare n int; begin with c as (select id from orders) select count(*) into n from c; return query select 1; \
         return next n; return; end",
        "begin return $1::int; -- a comment\n /* and /* one */ more */ end",
        "begin perform 'a;b', $q$;end$q$, e'\\';'; return 1; end",
        "DECLARE \"If\" INT; BEGIN \"If\" := 1; RETURN \"If\"; END",
    ] {
        assert!(is_read(read), "{read}: {}", body(read));
    }
}

#[test]
fn what_a_body_is_given_decides_whether_it_is_looked_into() {
    let catalog = with("begin return length(a); end", "begin return new; end");
    assert_eq!(does(&catalog, "select p(name) from users"), "read, read users, read users.name, filter users.name");
    let told = does(&catalog, "select p(ssn) from users");
    assert!(told.contains("execute p") && told.contains("filter users.ssn"), "{told}");
    let told = does(&catalog, "select p(x.a) from (select upper(ssn) as a from users) x");
    assert!(told.contains("execute p"), "{told}");
    let told = does(&catalog, "select p(query) from pg_stat_activity");
    assert!(told.contains("execute p"), "{told}");
}

#[test]
fn a_trigger_is_read_on_the_rows_of_its_table() {
    let on = |body: &str, text: &str| does(&with("begin return 1; end", body), text);
    let (users, orders) = ("insert into users (id) values ('1')", "insert into orders (id) values ('1')");
    let runs = |body: &str, text: &str| on(body, text).contains("execute stamp");
    let stamp = "begin new.name := upper(new.id); return new; end";
    assert!(!runs(stamp, users) && runs(stamp, orders));
    assert!(!runs("begin new.total = now(); if tg_op = 'UPDATE' then return old; end if; return new; end", orders));
    assert_eq!(
        on("begin insert into orders (id) values (new.id); return null; end", users),
        "insert users, execute stamp",
        "one that fires itself is not read"
    );
    for leaks in [
        "begin raise notice '%', new; return new; end",
        "begin raise notice '%', new.ssn; return new; end",
        "begin new.ssn := new.id; return new; end",
        "begin new.name := old.ssn; return new; end",
        "begin if new.ssn = new.name then raise 'x'; end if; return new; end",
        "begin new := null; return new; end",
        "begin select 'x' into new.ssn; return new; end",
        "begin return row(new.*); end",
        "declare ssn text; begin raise notice '%', new.ssn; return new; end",
        "begin raise notice '%', (select new.ssn from pg_get_keywords() new limit 1); return new; end",
        "begin raise notice '%', (select new.ssn from json_to_record('{}') as new (x int)); return new; end",
        "begin insert into orders (id) values (current_query()); return new; end",
        "declare r users%rowtype; begin return r; end",
        "declare r record; begin return row(new.id, 'a', 'b'); end",
        "declare stamp int; begin select 'x' into stamp.new.ssn; return new; end",
        "declare stamp int; begin for stamp.new.ssn in select 'x' loop null; end loop; return new; end",
    ] {
        assert!(runs(leaks, users), "{leaks}");
    }
    let plain = "begin return new; end";
    assert!(!runs(plain, "update users set name = 'x' where id = '1'"));
    // What is sensitive may be told by where it is put: that is its permit's matter, and the body's from there on.
    assert!(runs(plain, "update users set name = ssn where id = '1'"));
    assert!(!runs(plain, "insert into users (id, ssn) values ('1', 'x')"));
}

#[test]
fn a_trigger_of_another_kind_is_not_read() {
    for definition in [
        "CREATE TRIGGER s AFTER INSERT ON t REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION stamp()",
        "CREATE TRIGGER s BEFORE INSERT ON t FOR EACH ROW WHEN (new.a = 1) EXECUTE FUNCTION stamp()",
        "CREATE CONSTRAINT TRIGGER s AFTER INSERT ON t DEFERRABLE FOR EACH ROW EXECUTE FUNCTION stamp()",
    ] {
        let mut catalog = with("begin return 1; end", "begin return new; end");
        for relation in catalog.relations.values_mut() {
            relation.triggers.iter_mut().for_each(|trigger| trigger.definition = definition.into());
        }
        assert!(does(&catalog, "insert into orders (id) values ('1')").contains("execute stamp"), "{definition}");
    }
}

#[test]
fn a_function_that_runs_otherwise_is_not_read() {
    let changed = |change: fn(&mut Function)| {
        let mut catalog = with("begin return 1; end", "begin return new; end");
        catalog.functions.iter_mut().for_each(change);
        does(&catalog, "select p('x')").contains("execute p")
    };
    assert!(!changed(|_| ()));
    assert!(changed(|function| function.security_definer = true));
    assert!(changed(|function| function.settings = vec!["search_path=other".into()]));
    assert!(changed(|function| function.parts = vec![1]));
    assert!(changed(|function| function.language = "plpython3u".into()));
    assert!(changed(|function| function.tags = Tags::new(["watched".into()])));
    let catalog = with("begin return 1; end", "begin return new; end");
    let path = |path: &[&str]| {
        let settings =
            Settings { search_path: Some(path.iter().map(|schema| (*schema).into()).collect()), ..Settings::default() };
        let analysis = Analyzer::default().analyze(b"select p('x')", &Arc::new(Catalog::clone(&catalog)), &settings);
        analysis.effects.iter().any(|effect| effect.action == crate::access::Action::SqlExecute)
    };
    assert!(!path(&["public"]) && !path(&["pg_catalog", "public"]) && path(&["public", "pg_catalog"]));
    assert!(does(&catalog, "select set_config('search_path', 'x', false), p('x')").contains("execute p"));
    assert!(does(&catalog, "select p('x'), set_config('search_path', 'x', false)").contains("unknown"));
}

#[test]
fn what_a_variables_type_does_is_run_by_the_body() {
    let text = "declare x d; y int; begin x := a; y := a; if y = 1 then return 1; end if; return y; end";
    let evil =
        |name: &str, oid: u32| Function { oid, schema: "public".into(), name: name.into(), ..Function::default() };
    let with_type = |of: Type, casts: Vec<Cast>| {
        let mut catalog = with(text, "begin return new; end");
        catalog.functions.push(evil("g", 70_002));
        catalog.types.insert(of.oid, of);
        catalog.casts = casts;
        does(&catalog, "select p('x')").contains("execute p")
    };
    let domain = |check: &str| Type {
        oid: 80_000,
        schema: "other".into(),
        name: "d".into(),
        kind: TypeKind::Domain,
        base: 23,
        input: 1,
        output: 1,
        checks: vec![check.into()],
        ..Type::default()
    };
    assert!(!with_type(domain("value > 0"), Vec::new()));
    assert!(with_type(domain("public.g(value)"), Vec::new()));
    assert!(with_type(domain("value > 0"), vec![Cast { source: 25, target: 23, function: 70_002, ..Cast::default() }]));
    assert!(!with_type(
        domain("value > 0"),
        vec![Cast { source: 25, target: 600, function: 70_002, ..Cast::default() }]
    ));
    let mut catalog = with(text, "begin return new; end");
    catalog.functions.push(evil("g", 70_002));
    catalog.types.insert(80_000, domain("value > 0"));
    let operator = |left, right| Operator { name: "=".into(), function: 70_002, left, right, ..Operator::default() };
    catalog.operators = vec![operator(600, 600)];
    assert!(!does(&catalog, "select p('x')").contains("execute p"));
    catalog.operators = vec![operator(23, 23)];
    assert!(does(&catalog, "select p('x')").contains("execute p"));
}

#[test]
fn a_block_and_a_procedure_are_read_as_well() {
    let mut catalog = with("begin update orders set total = a where id = '1'; end", "begin return new; end");
    let block = |text: &str| does(&catalog, &format!("do $b$ {text} $b$"));
    assert_eq!(block("begin update orders set total = '2' where id = '1'; end"), "filter orders.id, update orders");
    assert_eq!(block("begin null; end"), "read");
    for opaque in [
        "begin commit; end",
        "begin execute 'x'; end",
        "begin perform ssn from users; end",
        "begin raise '%', $1; x; end",
    ] {
        assert_eq!(block(opaque), "execute pg_catalog.do", "{opaque}");
    }
    assert_eq!(does(&catalog, "do language plpython3u $$ begin null; end $$"), "execute pg_catalog.do");
    for nothing in ["", "  ", "-- nothing", "/* nothing */"] {
        assert_eq!(does(&catalog, &format!("do $$ {nothing}\n $$")), "execute pg_catalog.do", "{nothing}");
    }
    assert_eq!(does(&catalog, "do 'begin null; end' language plpgsql"), "read");
    // It is a function.
    assert!(does(&catalog, "call p('x')").contains("execute p"));
    let procedure = catalog.functions.iter_mut().find(|function| &*function.name == "p").unwrap();
    (procedure.kind, procedure.returns) = (FunctionKind::Procedure, 2278);
    assert_eq!(does(&catalog, "call p('x')"), "filter orders.id, update orders");
    assert_eq!(does(&catalog, "call public.p($1)"), "filter orders.id, update orders");
    assert!(does(&catalog, "call p((select ssn from users))").contains("execute p"));
    for unsure in ["call p(a => 'x')", "call p()", "call p('x', 'y')", "call other.p('x')", "select p('x')"] {
        assert!(does(&catalog, unsure).contains("execute"), "{unsure}: {}", does(&catalog, unsure));
    }
}

#[test]
fn no_block_is_decided_by_another_ones_text() {
    let (analyzer, catalog) = (&mut Analyzer::default(), Arc::new(with("", "")));
    let mut runs = |text: &str| {
        let analysis = analyzer.analyze(text.as_bytes(), &catalog, &Settings::default());
        analysis.effects.iter().any(|effect| effect.action == crate::access::Action::SqlExecute)
    };
    assert!(!runs("do $$ begin perform 1; end $$"));
    assert!(runs("do $$ begin execute 'x'; end $$"));
    assert!(!runs("do $$ begin perform 2; end $$"));
}

#[test]
fn what_may_be_either_of_two_is_both() {
    for (function, text) in [
        ("select u.ssn", "select g(u, 'x') from users u"),
        ("select u.ssn from pg_get_keywords() u limit 1", "select g(u, 'x') from users u"),
        ("select u.ssn from json_to_record('{}') as u (x int)", "select g(u, 'x') from users u"),
    ] {
        let mut catalog = with("", "");
        catalog.types.insert(
            90_000,
            Type { oid: 90_000, kind: TypeKind::Composite, relation: 1, name: "users".into(), ..Type::default() },
        );
        catalog.functions.push(Function {
            oid: 70_005,
            schema: "public".into(),
            name: "g".into(),
            language: "sql".into(),
            arguments: vec![90_000, 25],
            argument_names: vec!["u".into(), "ssn".into()],
            body: Some(function.into()),
            returns: 25,
            ..Function::default()
        });
        let told = does(&catalog, text);
        assert!(told.contains("read users.ssn"), "{function}: {told}");
    }
}

#[test]
fn a_field_that_a_row_has_not_is_a_function() {
    let mut catalog =
        with("begin perform (r).evil from orders r; return 1; end", "begin perform (new).evil; return new; end");
    catalog.functions.push(Function {
        oid: 70_005,
        schema: "public".into(),
        name: "evil".into(),
        arguments: vec![2249],
        ..Function::default()
    });
    for text in [
        "select (o).evil from orders o",
        "select ((array_agg(o))[1]).evil from orders o",
        "select p('x')",
        "insert into orders (id) values ('1')",
    ] {
        assert!(does(&catalog, text).contains("execute"), "{text}: {}", does(&catalog, text));
    }
}

#[test]
fn what_is_not_looked_at_any_more_is_unknown() {
    let mut catalog = with("begin return e5(); end", "begin return new; end");
    for level in 0..6 {
        let body = match level {
            0 => "select 1".to_owned(),
            _ => format!("select {}", vec![format!("e{}()", level - 1); 12].join(" + ")),
        };
        catalog.functions.push(Function {
            oid: 71_000 + level,
            schema: "public".into(),
            name: format!("e{level}").as_str().into(),
            language: "sql".into(),
            body: Some(body.into()),
            returns: 23,
            ..Function::default()
        });
    }
    for text in ["select p('x'), ssn from users", "select e5(), ssn from users"] {
        let analysis =
            Analyzer::default().analyze(text.as_bytes(), &Arc::new(Catalog::clone(&catalog)), &Settings::default());
        let unknown = analysis.effects.iter().any(|effect| effect.action == crate::access::Action::SqlUnknown);
        assert!(unknown && format!("{:?}", analysis.outputs).contains("unknown: true"), "{text}");
    }
}

#[test]
fn a_body_that_would_take_long_is_not_read() {
    let subject = format!("coalesce({})", vec!["a"; 2500].join(", "));
    let whens = "when 'b' then null; ".repeat(2000);
    assert!(!is_read(&format!("begin case {subject} {whens} end case; return 1; end")));
    let declared: String = (0..5000).map(|at| format!("v{at} int; ")).collect();
    assert!(!is_read(&format!("declare {declared} begin return 1; end")));
    assert!(!is_read(&format!("begin {} return 1; end", "perform 1; ".repeat(100_000))));
    assert!(!is_read(&format!("{} {}", "begin ".repeat(5000), "end; ".repeat(5000))));
}
