//! What the gateway knows of a database: read whole, kept true while others change it, and tags that stay on what they
//! were given to.

#[path = "postgres_relay/fixture.rs"]
mod fixture;

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use fixture::door::{Door, Options};
use fixture::{Fixture, Raw, SENSITIVE, query};
use gateway::sql::Catalog;
use gateway::sql::catalog::{
    CastContext, CastMethod, Event, FunctionKind, Relation, RelationKind, SettingScope, TypeKind, Volatility,
};
use harness::{eventually, run};

/// Everything but what nobody knows.
const KNOWN: &str = r#"
@id("known")
permit (principal, action in [Action::"connect", Action::"sql.session", Action::"sql.query", Action::"sql.write",
                              Action::"sql.ddl"], resource);
@id("pii") @mask("partial")
permit (principal, action == Action::"sql.read", resource in Tag::"pii");
"#;

const MASKED: &str = "*******6789";

/// How old what the gateway goes by may be.
const STALE: Duration = Duration::from_secs(1);

fn known(fixture: &Fixture) -> Result<Arc<Catalog>> {
    anyhow::ensure!(fixture.psql(&["select 1"])?.trim() == "1", "a session");
    fixture.door.services().catalog("orders", fixture.server.database()).context("no catalog")
}

fn relation<'c>(catalog: &'c Catalog, schema: &str, name: &str) -> Result<&'c Relation> {
    catalog.relation(schema, name).with_context(|| format!("{schema}.{name}"))
}

#[test]
fn relations_are_read_with_everything_that_they_run() -> Result<()> {
    let fixture = Fixture::new("relations", KNOWN, SENSITIVE)?;
    fixture.admin(
        "create schema other;
         create table items (id int primary key, name text not null default upper('x'), n int check (n > 0),
             twice int generated always as (n * 2) stored, unique (name, n), u int references users on delete cascade);
         create index on items (lower(name)) where n > 3;
         create table parts (at timestamp, v int) partition by range (date_trunc('day', at));
         create table other.part partition of parts default;
         create table child (extra text) inherits (items);
         create view names as select i.name from items i where i.n > 1;
         create materialized view copies as select n from items;
         create rule gone as on delete to names do instead update items set n = 0 where name = old.name;
         create function fire() returns trigger language plpgsql as 'begin return new; end';
         create trigger t before insert or update on items for each row when (new.n > 2) execute function fire();
         create trigger v instead of insert on names for each row execute function fire();
         alter table items disable trigger t; alter table items enable row level security;
         create policy p on items using (id > 0) with check (n > 5); create table \"ö \"\" ,\" (\"a\"\"b\" int)",
    )?;
    let catalog = known(&fixture)?;
    assert!(catalog.complete && catalog.version >= 120_000 && catalog.definitions_path.is_empty());
    let items = relation(&catalog, "public", "items")?;
    let column = |name: &str| items.columns.iter().find(|column| &*column.name == name).context("column");
    assert!(column("id")?.not_null && !column("n")?.not_null);
    assert_eq!(column("name")?.default.as_deref(), Some("upper('x'::text)"));
    assert!(column("twice")?.generated && column("twice")?.default.as_deref() == Some("(n * 2)"));
    assert_eq!(items.checks, ["(n > 0)".into()]);
    assert_eq!(items.keys.len(), 2);
    let of_two = vec![column("name")?.number, column("n")?.number];
    assert!(items.keys.iter().any(|key| key.columns == of_two && !key.excludes));
    assert_eq!(items.indexed, ["lower(name)".into(), "(n > 3)".into()]);
    assert!(items.row_security && items.policies == ["(id > 0)".into(), "(n > 5)".into()]);
    let users = relation(&catalog, "public", "users")?;
    let key = &items.foreign_keys[0];
    assert!(key.target == users.oid && key.target_columns == [1] && key.writes);
    let fire = catalog.functions_named("fire").next().context("fire")?;
    let trigger = &items.triggers[0];
    assert!(trigger.function == fire.oid && trigger.insert && trigger.update && !trigger.delete && !trigger.enabled);
    assert!(trigger.definition.contains("WHEN ((new.n > 2))"), "{}", trigger.definition);
    assert_eq!(relation(&catalog, "public", "child")?.parents, [items.oid]);
    let parts = relation(&catalog, "public", "parts")?;
    assert!(parts.partition_key.as_deref().is_some_and(|key| key.contains("date_trunc")), "{parts:?}");
    assert_eq!(relation(&catalog, "other", "part")?.parents, [parts.oid]);
    assert_eq!(catalog.children(parts.oid).count(), 1);
    let names = relation(&catalog, "public", "names")?;
    assert_eq!(names.kind, RelationKind::View);
    assert!(names.definition.as_deref().is_some_and(|text| text.contains("public.items")), "named in full: {names:?}");
    assert!(names.dependencies.contains(&(items.oid, column("name")?.number)));
    assert!(names.triggers[0].instead && names.rules[0].instead && names.rules[0].event == Event::Delete);
    assert!(names.rules[0].definition.contains("UPDATE public.items"), "{}", names.rules[0].definition);
    let copies = relation(&catalog, "public", "copies")?;
    assert!(copies.kind == RelationKind::MaterializedView && copies.definition.is_some());
    assert_eq!(&*relation(&catalog, "public", "ö \" ,")?.columns[0].name, "a\"b");
    Ok(())
}

#[test]
fn functions_operators_casts_and_types_are_read() -> Result<()> {
    let fixture = Fixture::new("functions", KNOWN, SENSITIVE)?;
    let database = fixture.server.database();
    fixture.admin(&format!(
        "create domain positive as int default 7 check (value > 0); create type mood as enum ('sad', 'ok');
         create type pair as (a int, b text); create type span as range (subtype = int4);
         create function plain(a int, out b int) language sql immutable strict as 'select a + 1';
         create function modern(a int default 3) returns int language sql stable return a * 2;
         create function rows(users) returns setof text language plpgsql security definer set search_path = public, pg_temp
             as $$ begin return next 'x'; end $$;
         create procedure proc(variadic int[]) language plpgsql as 'begin end';
         create aggregate total(int) (sfunc = int4pl, stype = int, initcond = '0');
         create operator === (leftarg = int, rightarg = int, function = int4eq);
         create function mood_text(mood) returns text language sql as 'select ''m''';
         create cast (mood as text) with function mood_text(mood) as assignment;
         create function seen() returns event_trigger language plpgsql as 'begin end';
         create event trigger seen on ddl_command_end execute function seen();
         alter database {database} set work_mem = '5MB'; alter role {role} set geqo = off; alter role postgres set geqo = on;
         create or replace function pg_catalog.lower(text) returns text language internal immutable strict as 'lower'",
        role = fixture.server.role()
    ))?;
    let catalog = known(&fixture)?;
    let function = |name: &str| catalog.functions_named(name).next().with_context(|| name.to_owned());
    let plain = function("plain")?;
    assert_eq!((plain.kind, plain.volatility, plain.strict), (FunctionKind::Function, Volatility::Immutable, true));
    assert_eq!((&*plain.language, plain.body.as_deref()), ("sql", Some("select a + 1")));
    assert_eq!((plain.arguments.as_slice(), plain.argument_modes.as_slice()), (&[23][..], &['i', 'o'][..]));
    let modern = function("modern")?;
    assert!(modern.standard_body && modern.body.as_deref() == Some("RETURN (a * 2)"), "{modern:?}");
    assert_eq!((modern.defaults, modern.default_values.as_deref()), (1, Some("3")));
    let rows = function("rows")?;
    assert!(rows.set && rows.security_definer && &*rows.language == "plpgsql" && rows.body.is_some());
    assert_eq!(rows.settings, ["search_path=public, pg_temp".into()]);
    let users = relation(&catalog, "public", "users")?;
    assert_eq!(rows.arguments, [users.row_type]);
    assert_eq!(
        catalog.types.get(&users.row_type).map(|of| (of.kind, of.relation)),
        Some((TypeKind::Composite, users.oid))
    );
    assert_eq!((function("proc")?.kind, function("proc")?.variadic), (FunctionKind::Procedure, 23));
    let total = function("total")?;
    assert!(total.kind == FunctionKind::Aggregate && total.parts == [177], "int4pl: {total:?}");
    let operator = catalog.operators_named("===").next().context("===")?;
    assert_eq!((operator.function, operator.left, operator.right), (65, 23, 23), "int4eq");
    let of = |name: &str| catalog.type_named("public", name).with_context(|| name.to_owned());
    let cast = catalog.cast(of("mood")?.oid, 25).context("cast")?;
    assert_eq!((cast.function, cast.method), (function("mood_text")?.oid, CastMethod::Function));
    assert_eq!(cast.context, CastContext::Assignment);
    assert_eq!((of("positive")?.base, of("positive")?.default.as_deref()), (23, Some("7")));
    assert_eq!(of("positive")?.checks, ["(VALUE > 0)".into()]);
    assert_eq!(
        (of("mood")?.kind, of("pair")?.kind, of("span")?.kind),
        (TypeKind::Enum, TypeKind::Composite, TypeKind::Range)
    );
    assert_eq!(of("_mood")?.element, of("mood")?.oid);
    assert_eq!(catalog.event_triggers, [function("seen")?.oid]);
    let settings: Vec<_> = catalog.settings.iter().map(|setting| (setting.scope, &*setting.text)).collect();
    assert!(settings.contains(&(SettingScope::Database, "work_mem=5MB")), "{settings:?}");
    assert!(
        settings.contains(&(SettingScope::Role, "geqo=off")) && !settings.iter().any(|(_, text)| *text == "geqo=on")
    );
    // One that came with the server and was replaced is not what the server brought.
    assert!(catalog.functions_named("lower").any(|lower| &*lower.schema == "pg_catalog"));
    assert!(catalog.functions_named("upper").next().is_none());
    Ok(())
}

#[test]
fn what_others_change_is_seen_and_tags_stay_on_their_column() -> Result<()> {
    let fixture = Fixture::new("others", KNOWN, SENSITIVE)?;
    let catalog = known(&fixture)?;
    let oid = relation(&catalog, "public", "users")?.oid;
    let script = format!(
        "import sys, time
def show(sql):
    try:
        q.execute(sql)
        print(q.fetchone()[0])
    except psycopg2.Error as e:
        print(e.pgcode, e)
show('select ssn from users where id = 1')
print('ready', flush=True)
sys.stdin.read()
time.sleep({stale})
show('select number from folk where id = 1')
show('select id from fresh')
",
        stale = STALE.as_secs_f64()
    );
    let script = format!("import psycopg2\nc = psycopg2.connect('')\nc.autocommit = True\nq = c.cursor()\n{script}");
    let mut python = fixture.client("/usr/bin/python3");
    python.args(["-c", &script]).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = python.spawn()?;
    let mut said = std::io::BufReader::new(child.stdout.take().context("stdout")?);
    let mut line = String::new();
    while !line.contains("ready") {
        anyhow::ensure!(std::io::BufRead::read_line(&mut said, &mut line)? > 0, "{line}");
    }
    fixture.admin(
        "alter table users rename to folk; alter table folk rename ssn to number; create table fresh (id int);
         insert into fresh values (7); grant select on fresh to public",
    )?;
    drop(child.stdin.take());
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut said, &mut rest)?;
    child.wait()?;
    assert_eq!(line.lines().next(), Some(MASKED), "{line}");
    assert_eq!(rest, format!("{MASKED}\n7\n"));
    let catalog = known(&fixture)?;
    let folk = relation(&catalog, "public", "folk")?;
    assert_eq!(folk.oid, oid);
    assert!(folk.columns.iter().any(|column| &*column.name == "number" && !column.tags.is_empty()));
    let view = relation(&catalog, "public", "people")?;
    let text = view.definition.as_deref().unwrap_or_default();
    assert!(text.contains("public.folk") && text.contains("number"), "texts of others name it anew: {text}");
    Ok(())
}

/// A table of the workload's with a value that must not be told.
fn make(fixture: &Fixture, table: &str) -> Result<String> {
    fixture.admin(&format!(
        "create table {table} (ssn text); insert into {table} values ('123-45-6789'); alter table {table} owner to {}",
        fixture.server.role()
    ))
}

#[test]
fn what_somebody_has_just_made_is_bound_before_it_is_renamed() -> Result<()> {
    let sensitive = SENSITIVE.replace("public.users.ssn", "public.*.ssn");
    let fixture = Fixture::new("just_made", KNOWN, &sensitive)?;
    for (at, extended) in [(0, false), (1, true), (2, false), (3, true)] {
        // The catalog is as young as can be, and knows nothing of it.
        fixture.psql(&["select 1"])?;
        make(&fixture, &format!("made{at}"))?;
        let rename = format!("alter table made{at} rename column ssn to harmless");
        let read = format!("select harmless from made{at}");
        let shown = if extended {
            let mut raw = Raw::connect(&fixture)?;
            raw.send(&[fixture::parse("r", &rename), fixture::run_statement("r"), fixture::sync()])?;
            raw.ready(1)?;
            std::thread::sleep(STALE);
            raw.send(&[query(&read)])?;
            raw.ready(1)?
        } else {
            fixture.psql(&[&rename, &read])?
        };
        assert!(shown.contains(MASKED) && !shown.contains("123-45"), "{at}: {shown}");
    }
    Ok(())
}

#[test]
fn what_a_transaction_cannot_see_is_bound_before_it_renames_it() -> Result<()> {
    let sensitive = SENSITIVE.replace("public.users.ssn", "public.*.ssn");
    let policy = KNOWN.replace("action in [", "action in [Action::\"sql.unknown\", ");
    let fixture = Fixture::new("unseen", &policy, &sensitive)?;
    for (at, extended) in [(0, false), (1, true)] {
        let mut raw = Raw::connect(&fixture)?;
        // Its snapshot, and a change of its own: from now on it is asked itself what there is.
        for statement in
            ["begin isolation level repeatable read", "select 1", &format!("create table own{at} (id int)")]
        {
            raw.send(&[query(statement)])?;
            raw.ready(1)?;
        }
        make(&fixture, &format!("made{at}"))?;
        let rename = format!("alter table made{at} rename column ssn to harmless");
        let frames = [fixture::parse("", &rename), fixture::run_statement(""), fixture::sync()];
        let renamed = [query(&rename)];
        raw.send(if extended { &frames } else { &renamed })?;
        raw.ready(1)?;
        raw.send(&[query("commit")])?;
        raw.ready(1)?;
        let shown = fixture.psql(&[&format!("select harmless from made{at}")])?;
        assert!(shown.contains(MASKED) && !shown.contains("123-45"), "{at}: {shown}");
    }
    Ok(())
}

#[test]
fn what_others_rename_ends_no_transaction_that_made_something_else() -> Result<()> {
    let fixture = Fixture::new("elsewhere", KNOWN, &SENSITIVE.replace("public.users.ssn", "public.*.ssn"))?;
    make(&fixture, "theirs")?;
    let mut theirs = "theirs".to_owned();
    for (read, shown) in [("ssn from users", Some(MASKED)), ("id from mine", None)] {
        let mut raw = Raw::connect(&fixture)?;
        for statement in ["begin", "create table mine (id int)", "insert into mine values (1)"] {
            raw.send(&[query(statement)])?;
            raw.ready(1)?;
        }
        // Its names are looked up before it sleeps.
        raw.send(&[query(&format!("select pg_sleep(1), {read} limit 1"))])?;
        std::thread::sleep(STALE / 2);
        let renamed = format!("{theirs}_again");
        fixture.psql(&[&format!("alter table {theirs} rename to {renamed}")])?;
        theirs = renamed;
        match (raw.ready(1), shown) {
            (Ok(said), Some(shown)) => assert!(said.contains(shown), "{said}"),
            // Nobody else sees what it made: whether that is what it was cannot be told.
            (Err(said), None) => assert!(format!("{said:#}").contains("was changed while it waited"), "{said:#}"),
            (told, _) => panic!("{read}: {told:?}"),
        }
    }
    let shown = fixture.psql(&[&format!("select ssn from {theirs}")])?;
    assert!(shown.contains(MASKED), "{shown}");
    Ok(())
}

#[test]
fn a_rename_while_no_daemon_runs_keeps_the_tags() -> Result<()> {
    let mut fixture = Fixture::new("restarted", KNOWN, SENSITIVE)?;
    let options = || Options { more: SENSITIVE.to_owned(), policy: KNOWN.to_owned(), ..Options::default() };
    assert_eq!(fixture.psql(&["select ssn from users where id = 1"])?.trim(), MASKED);
    let folder = std::mem::replace(&mut fixture.door, Door::open(&fixture.server, &options())?).close()?;
    fixture.admin("alter table users rename to folk; alter table folk rename ssn to number")?;
    fixture.door = Door::open_in(folder, &fixture.server, &options())?;
    assert_eq!(fixture.psql(&["select number from folk where id = 1"])?.trim(), MASKED);
    // Who does not know what tags are bound to knows nothing.
    let folder = std::mem::replace(&mut fixture.door, Door::open(&fixture.server, &options())?).close()?;
    let files: Vec<_> = fs::read_dir(folder.path().join("state/tags"))?.collect::<std::io::Result<_>>()?;
    assert_eq!(files.len(), 1);
    let whole = fs::read(files[0].path())?;
    fs::write(files[0].path(), &whole[..whole.len() / 2])?;
    let file = files[0].path();
    fixture.door = Door::open_in(folder, &fixture.server, &options())?;
    for statement in ["select number from folk where id = 1", "select id from folk", "select line from logs"] {
        let said = fixture.psql(&[statement])?;
        assert!(said.contains("sql.unknown") && !said.contains("6789"), "{statement}: {said}");
    }
    let status = fixture.door.services().databases();
    let problem = status[0].problem.as_deref().unwrap_or_default();
    assert!(problem.contains("is damaged") && problem.contains("move it away"), "{problem}");
    // Mended, it is used without a restart.
    fs::write(&file, &whole)?;
    let mut said = String::new();
    for _ in 0..60 {
        said = fixture.psql(&["select number from folk where id = 1"])?;
        if said.trim() == MASKED {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    anyhow::bail!("{said}")
}

#[test]
fn what_a_transaction_changed_is_known_to_it_and_leaves_it_as_it_was() -> Result<()> {
    let fixture = Fixture::new("within", KNOWN, SENSITIVE)?;
    fixture.admin(&format!(
        "alter table users owner to {0}; create schema other authorization {0}",
        fixture.server.role()
    ))?;
    let mut psql = fixture.client("psql");
    psql.env("PGCLIENTENCODING", "latin1").args(["-X", "-A", "-t", "-q"]);
    for statement in [
        "begin",
        "set local search_path = other, public",
        "set local statement_timeout = '55s'",
        "savepoint mine",
        "alter table users rename column ssn to number",
        "select number from users where id = 1",
        "rollback to mine",
        "select ssn from users where id = 1",
        "create table other.users (id int, ssn text)",
        "insert into users values (1, 'in other')",
        "select ssn from users",
        "show search_path",
        "show client_encoding",
        "show statement_timeout",
        "rollback",
        "select ssn from users where id = 1",
    ] {
        psql.args(["-c", statement]);
    }
    let told = run(&mut psql)?.success()?;
    let told: Vec<&str> = told.lines().collect();
    assert_eq!(told, [MASKED, MASKED, "in other", "other, public", "LATIN1", "55s", MASKED]);
    // A table that meant a sensitive column by its name before it was given another, all in one transaction.
    fixture.admin("drop table users cascade")?;
    let said = fixture.psql(&[
        "begin",
        "create table users (id int, ssn text)",
        "insert into users values (1, '123-45-6789')",
        "alter table users rename to folk",
        "alter table folk rename ssn to number",
        "commit",
        "select number from folk",
    ])?;
    assert!(said.ends_with(&format!("{MASKED}\n")), "{said}");
    Ok(())
}

#[test]
fn a_question_that_fails_within_a_transaction_leaves_it_as_it_was() -> Result<()> {
    let fixture = Fixture::open("fails")?;
    fixture.admin("create table held (a int)")?;
    let mut raw = Raw::connect(&fixture)?;
    raw.send(&[query("begin"), query("create table mine (a int)")])?;
    raw.ready(2)?;
    // Its text cannot be had while somebody holds its table: the question waits for a second, and fails.
    fixture.admin("create view late as select a from held")?;
    std::thread::scope(|scope| -> Result<()> {
        let holder = scope.spawn(|| {
            fixture.admin("begin; lock table held in access exclusive mode; select pg_sleep(600); commit").is_err()
        });
        let waits = "select pid from pg_stat_activity where query like 'begin; lock%' and wait_event = 'PgSleep'";
        let held = eventually(Duration::from_secs(20), || fixture.admin(waits).is_ok_and(|pid| !pid.trim().is_empty()));
        let said = raw.send(&[query("insert into mine values (7)")]).and_then(|()| raw.ready(1));
        let waited = fixture.server.log().contains("canceling statement due to lock timeout");
        fixture.admin(&format!("select pg_terminate_backend(({waits}))"))?;
        assert!(held && holder.join().is_ok_and(|ended| ended), "the lock was held until it was ended");
        assert!(waited, "no question failed");
        assert!(said?.ends_with("INSERT 0 1\0ZT"), "the transaction goes on");
        Ok(())
    })?;
    raw.send(&[query("select a from mine"), query("commit")])?;
    let said = raw.ready(2)?;
    assert!(said.contains('7') && said.ends_with("COMMIT\0ZI"), "{said:?}");
    Ok(())
}

#[test]
fn a_look_that_waits_for_one_table_keeps_no_other_from_anybody() -> Result<()> {
    let fixture = Fixture::new("lightly", KNOWN, SENSITIVE)?;
    fixture.admin("create table seen (a int); create table held (a int); create table other (a int)")?;
    // While there is a session, the database is looked at.
    let _session = Raw::connect(&fixture)?;
    let of = |what: &str| format!("select pid from pg_stat_activity where {what}");
    let is_one = |what: &str| fixture.admin(&of(what)).is_ok_and(|pid| !pid.trim().is_empty());
    let within = Duration::from_secs(20);
    std::thread::scope(|scope| -> Result<()> {
        // The holder has the table as soon as the other has committed what makes somebody look at it.
        let maker = scope.spawn(|| {
            fixture.admin(
                "begin; create view late as select a from seen;
                 create rule late as on update to other do also insert into held values (1);
                 select pg_sleep(3) as made; commit",
            )
        });
        let made = eventually(within, || is_one("wait_event = 'PgSleep' and query like '%as made%'"));
        let holder = scope.spawn(|| {
            fixture.admin("begin; lock table held in access exclusive mode; select pg_sleep(600); commit").is_err()
        });
        let waits = "application_name = 'sluice catalog' and wait_event_type = 'Lock'";
        let looks = eventually(within, || is_one(waits));
        let locks = fixture.admin(&format!(
            "select relation::regclass from pg_locks where granted and locktype = 'relation' and pid = ({})
             and relation = 'seen'::regclass",
            of(waits)
        ));
        let sleeps = of("query like 'begin; lock%' and wait_event = 'PgSleep'");
        let ended = fixture.admin(&format!("select pg_terminate_backend(({sleeps}))"));
        assert!(maker.join().is_ok_and(|made| made.is_ok()) && holder.join().is_ok_and(|ended| ended));
        ended?;
        assert!(made && looks, "nobody looked at a table that is held");
        assert_eq!(locks?, "", "what was read before it is held with it");
        Ok(())
    })
}

#[test]
fn nobody_is_told_of_a_deadlock_with_a_look() -> Result<()> {
    let fixture = Fixture::new("deadlock", KNOWN, SENSITIVE)?;
    fixture.admin("create table first (a int); create table second (a int)")?;
    let _session = Raw::connect(&fixture)?;
    let is_one = |what: &str| {
        let pids = fixture.admin(&format!("select pid from pg_stat_activity where {what}"));
        pids.is_ok_and(|pids| !pids.trim().is_empty())
    };
    let within = Duration::from_secs(20);
    std::thread::scope(|scope| -> Result<()> {
        let maker = scope.spawn(|| {
            fixture.admin(
                "begin; create view of_first as select a from first; create view of_second as select a from second;
                 select pg_sleep(3) as made; commit",
            )
        });
        let made = eventually(within, || is_one("wait_event = 'PgSleep' and query like '%as made%'"));
        // Whoever prints both views stands before the first table, with the first view locked ...
        let holder = scope.spawn(|| {
            fixture.admin("begin; lock table first in access exclusive mode; select pg_sleep(600); commit").is_err()
        });
        let looks = eventually(within, || is_one("application_name = 'sluice catalog' and wait_event_type = 'Lock'"));
        // ... which this one waits for, with the second table locked that the other comes to.
        let waiter = scope.spawn(|| {
            fixture.admin(
                "begin; lock table second in access exclusive mode; lock table of_first in access exclusive mode;
                 select pg_sleep(1); commit",
            )
        });
        std::thread::sleep(STALE / 2);
        let ended = fixture.admin(
            "select pg_terminate_backend(pid) from pg_stat_activity
             where wait_event = 'PgSleep' and query like 'begin; lock table first%'",
        );
        let waited = waiter.join();
        assert!(maker.join().is_ok_and(|made| made.is_ok()) && holder.join().is_ok_and(|ended| ended));
        ended?;
        assert!(made && looks, "nobody looked at a table that is held");
        assert!(matches!(waited, Ok(Ok(_))), "{waited:?}");
        Ok(())
    })
}

#[test]
fn the_gateways_own_connection_is_seen_as_one_and_sessions_do_without_it() -> Result<()> {
    let fixture = Fixture::new("own", KNOWN, SENSITIVE)?;
    known(&fixture)?;
    let own = "select count(*) from pg_stat_activity where application_name = 'sluice catalog'";
    assert_eq!(fixture.admin(own)?.trim(), "1");
    let status = fixture.door.services().databases();
    assert!(status[0].own_connection && status[0].complete && status[0].problem.is_none(), "{status:?}");
    // The role may not have another connection any more: each session asks on its own.
    fixture.admin(&format!("alter role {} connection limit 1", fixture.server.role()))?;
    fixture.admin(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'sluice catalog'",
    )?;
    let mut said = String::new();
    for _ in 0..20 {
        // One of both gets the only connection that there is.
        said =
            fixture.psql(&["select ssn from users where id = 1", "create table mine (a int)", "select a from mine"])?;
        if !said.contains("too many connections") {
            break;
        }
        std::thread::sleep(Duration::from_millis(300));
        fixture.admin(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'sluice catalog'",
        )?;
    }
    assert_eq!(said, format!("{MASKED}\nCREATE TABLE\n"));
    Ok(())
}

#[test]
fn without_a_credential_sessions_ask_on_their_own_connections() -> Result<()> {
    let mut fixture = Fixture::new("relayed", KNOWN, SENSITIVE)?;
    let options =
        Options { credentials: false, more: SENSITIVE.to_owned(), policy: KNOWN.to_owned(), ..Options::default() };
    fixture.door = Door::open(&fixture.server, &options)?;
    let psql = |statements: &[&str]| -> Result<String> {
        let mut psql = fixture.client("psql");
        psql.env("PGUSER", fixture.server.role()).env("PGPASSWORD", fixture.server.password()).args(["-X", "-A", "-t"]);
        for statement in statements {
            psql.args(["-c", statement]);
        }
        let finished = run(&mut psql)?;
        Ok(format!("{}{}", finished.stdout, finished.stderr))
    };
    assert_eq!(psql(&["select ssn from users where id = 1"])?.trim(), MASKED);
    assert!(!fixture.door.services().databases()[0].own_connection);
    fixture.admin("alter table users rename to folk")?;
    std::thread::sleep(STALE);
    assert_eq!(psql(&["select ssn from folk where id = 1"])?.trim(), MASKED);
    let said = psql(&["create temp table t (a int)", "insert into t values (5)", "select a from t"])?;
    assert!(said.ends_with("5\n"), "{said}");
    Ok(())
}
