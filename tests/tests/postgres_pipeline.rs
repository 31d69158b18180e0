//! The protocol as no client library speaks it: names, pipelines and COPY by which one command could be taken for another.

#[path = "postgres_relay/fixture.rs"]
mod fixture;

use std::time::Duration;

use anyhow::Result;
use fixture::{Fixture, POLICY, Raw, SENSITIVE, frame, parse, query, run_statement, said, say, sync};

const SSN: &str = "123-45";

fn bind(portal: &str, statement: &str) -> Vec<u8> {
    frame(b'B', format!("{portal}\0{statement}\0\0\0\0\0\0\0").as_bytes())
}

fn execute(portal: &str) -> Vec<u8> {
    frame(b'E', format!("{portal}\0\0\0\0\0").as_bytes())
}

fn close(kind: char, name: &str) -> Vec<u8> {
    frame(b'C', format!("{kind}{name}\0").as_bytes())
}

fn with_table(role: &str) -> Result<Fixture> {
    let fixture = Fixture::guarded(role)?;
    fixture.admin(&format!("create table n (x int); grant all on n to {role}", role = fixture.server.role()))?;
    Ok(fixture)
}

#[test]
fn names_that_the_server_would_cut_are_refused() -> Result<()> {
    let fixture = with_table("longnames")?;
    let long = "a".repeat(63);
    let (one, two) = (format!("{long}1"), format!("{long}2"));
    for forbidden in ["select ssn from users", "drop table n"] {
        let mut raw = Raw::connect(&fixture)?;
        raw.send(&[parse(&two, "select 1"), sync()])?;
        assert!(said(&mut raw, 1).contains("42622"));
        raw.send(&[close('S', &one), parse(&one, forbidden), sync(), bind("", &two), execute(""), sync()])?;
        let said = said(&mut raw, 2);
        assert!(!said.contains(SSN) && !said.contains("DROP"), "{said}");
        raw.send(&[parse(&long, "select 1"), bind(&long, &long), execute(&long), sync()])?;
        assert!(raw.ready(1)?.contains("SELECT 1"), "63 bytes are a name");
    }
    assert_eq!(fixture.admin("select to_regclass('n')")?.trim(), "n");
    Ok(())
}

#[test]
fn a_portal_is_decided_before_it_is_bound() -> Result<()> {
    let fixture = Fixture::guarded("portals")?;
    let mut raw = Raw::connect(&fixture)?;
    raw.send(&[query("begin")])?;
    raw.ready(1)?;
    raw.send(&[parse("s", "select ssn from users"), bind("p", "s"), sync(), query("fetch all from p")])?;
    let fetched = said(&mut raw, 2);
    assert!(fetched.contains("*******6789") && !fetched.contains(SSN), "{fetched}");
    raw.send(&[parse("d", "delete from users where true returning id"), bind("q", "d"), sync()])?;
    let refused = said(&mut raw, 1);
    assert!(refused.contains("a delete names its rows"), "{refused}");
    raw.send(&[query("fetch all from q"), query("rollback")])?;
    raw.ready(2)?;
    assert_eq!(fixture.admin("select count(*) from users")?.trim(), "3");
    let recorded = fixture.door.recorded()?;
    assert!(recorded.windows(4).any(|word| word == b"bind"), "what was bound and not executed is recorded");
    Ok(())
}

#[test]
fn copy_that_fails_before_its_data_shifts_no_answer() -> Result<()> {
    let fixture = with_table("copies")?;
    let secret = || query("select ssn from users");
    let batches = [
        vec![query("copy n from stdin (freeze)"), sync(), frame(b'c', b""), secret(), query("select 1")],
        vec![query("copy n from stdin"), sync(), frame(b'd', b"bad\n"), sync(), secret(), query("select 1")],
        vec![parse("", "copy n from stdin (freeze)"), run_statement(""), sync(), secret(), query("select 1")],
        vec![query("copy n from stdin"), secret(), query("select 1")],
        vec![query("copy n from stdin; copy n from stdin"), frame(b'c', b""), frame(b'f', b"no\0"), secret()],
    ];
    // Beside each other: what is waited for does not come, where all is well.
    std::thread::scope(|scope| {
        let batches = batches.map(|frames| {
            let fixture = &fixture;
            scope.spawn(move || -> Result<String> {
                let mut raw = Raw::connect(fixture)?;
                raw.send(&[query("select x from n")])?;
                raw.ready(1)?;
                raw.send(&frames)?;
                Ok(said(&mut raw, 6))
            })
        });
        for batch in batches {
            let said = batch.join().unwrap().unwrap();
            assert!(!said.contains(SSN), "{said}");
        }
    });
    // With time between, so that the gateway knows that data is taken.
    let mut raw = Raw::connect(&fixture)?;
    raw.send(&[query("copy n from stdin")])?;
    std::thread::sleep(Duration::from_millis(300));
    raw.send(&[frame(b'd', b"bad\n"), sync(), secret(), query("select 1")])?;
    let said = said(&mut raw, 5);
    assert!(!said.contains(SSN), "{said}");
    // A COPY that cannot be is an error like any other.
    let mut raw = Raw::connect(&fixture)?;
    raw.send(&[parse("", "copy n from stdin (freeze)"), run_statement(""), sync(), query("select 41 + 1 as x")])?;
    let answered = raw.ready(2)?;
    assert!(answered.contains("SELECT 1") && answered.contains("42"), "{answered}");
    Ok(())
}

#[test]
fn several_copies_in_one_text_take_their_data_in_turn() -> Result<()> {
    let fixture = with_table("twocopies")?;
    let mut raw = Raw::connect(&fixture)?;
    raw.send(&[query("copy n from stdin; select 1; copy n from stdin")])?;
    raw.send(&[frame(b'd', b"1\n"), frame(b'c', b"")])?;
    std::thread::sleep(Duration::from_millis(300));
    raw.send(&[frame(b'd', b"2\n3\n"), frame(b'c', b""), query("select count(*) from n")])?;
    let said = raw.ready(2)?;
    assert!(said.contains("COPY 1") && said.contains("COPY 2"), "{said}");
    assert_eq!(fixture.admin("select sum(x) from n")?.trim(), "6");
    Ok(())
}

#[test]
fn rules_on_objects_hold_where_names_are_not_known_yet() -> Result<()> {
    let policy = format!(
        "{POLICY}\n@id(\"kept\") @reason(\"kept as it is\") forbid (principal, action == Action::\"sql.delete\", resource in Tag::\"audit\");"
    );
    let sensitive = format!("{SENSITIVE}\"public.logs\" = [\"audit\"]\n");
    let fixture = Fixture::new("unsettled", &policy, &sensitive)?;
    fixture.admin("insert into logs values ('kept')")?;
    let batch = |first: &str| {
        let second = "delete from logs where line = 'kept'";
        [parse("", first), run_statement(""), parse("", second), run_statement(""), sync()]
    };
    for first in ["set search_path = public", "select count(id) from users"] {
        let mut raw = Raw::connect(&fixture)?;
        raw.send(&batch(first))?;
        let said = raw.ready(1)?;
        assert!(said.contains("42501"), "{first}: {said}");
    }
    assert_eq!(fixture.admin("select count(*) from logs")?.trim(), "1");
    Ok(())
}

#[test]
fn a_name_that_sql_gave_away_within_the_batch_is_not_run_as_what_it_was() -> Result<()> {
    let fixture = Fixture::guarded("reused")?;
    let mut raw = Raw::connect(&fixture)?;
    raw.send(&[query("begin")])?;
    raw.ready(1)?;
    raw.send(&[
        parse("s1", "select 1 as x"),
        bind("c", "s1"),
        parse("", "close c"),
        run_statement(""),
        parse("", "declare c cursor for select ssn from users"),
        run_statement(""),
        execute("c"),
        sync(),
    ])?;
    let said = said(&mut raw, 1);
    assert!(!said.contains(SSN), "{said}");
    Ok(())
}

#[test]
fn a_statement_that_means_something_else_by_now_is_unknown() -> Result<()> {
    let fixture = Fixture::guarded("shadowed")?;
    fixture.admin(&format!("create schema a; grant all on schema a to {}", fixture.server.role()))?;
    let mut raw = Raw::connect(&fixture)?;
    raw.send(&[query("set search_path = a, public"), parse("s", "select * from users"), sync()])?;
    raw.ready(2)?;
    raw.send(&[query("create table a.users (x int)"), query("select 1"), bind("", "s"), execute(""), sync()])?;
    let said = said(&mut raw, 3);
    assert!(!said.contains(SSN) && said.contains("sql.unknown"), "{said}");
    Ok(())
}

#[test]
fn whole_batches_are_read_by_the_catalog_from_the_first_on() -> Result<()> {
    let fixture = Fixture::guarded("batches")?;
    let mut raw = Raw::connect(&fixture)?;
    for _ in 0..2 {
        raw.send(&[parse("", "select id, name, ssn from users where id = 1"), run_statement(""), sync()])?;
        let said = raw.ready(1)?;
        assert!(said.contains("ann") && said.contains("*******6789"), "{said}");
    }
    // A statement that was prepared and is run later is still there when the gateway has asked something in between.
    let mut raw = Raw::connect(&fixture)?;
    raw.send(&[parse("", "select name from users where id = 1"), sync()])?;
    raw.ready(1)?;
    raw.send(&[run_statement(""), sync()])?;
    assert!(raw.ready(1)?.contains("ann"));
    Ok(())
}

#[test]
fn a_refused_query_fails_what_was_open_before_it() -> Result<()> {
    let fixture = Fixture::guarded("implicit")?;
    let mut raw = Raw::connect(&fixture)?;
    raw.send(&[parse("", "insert into logs values ('lost')"), run_statement(""), frame(b'H', b"")])?;
    std::thread::sleep(Duration::from_millis(300));
    raw.send(&[query("drop table users"), sync()])?;
    let said = raw.ready(2)?;
    assert!(said.contains("blocked on production"), "{said}");
    assert_eq!(fixture.admin("select count(*) from logs")?.trim(), "0");
    Ok(())
}

#[test]
fn a_query_that_the_server_skips_leaves_the_session_as_it_was() -> Result<()> {
    let fixture = Fixture::guarded("skipped")?;
    let mut raw = Raw::connect(&fixture)?;
    raw.send(&[query("select id from users"), parse("", "selec 1"), query("set search_path = public"), sync()])?;
    raw.ready(2)?;
    raw.send(&[query("select name from users where id = 1")])?;
    assert!(raw.ready(1)?.contains("ann"));
    Ok(())
}

#[test]
fn whether_a_transaction_is_open_cannot_be_lied_about() -> Result<()> {
    let policy = format!(
        "{POLICY}\n@id(\"alone\") @reason(\"not in a transaction\") forbid (principal, action == Action::\"sql.update\", resource) when {{ context.in_transaction }};"
    );
    let fixture = Fixture::new("blocks", &policy, SENSITIVE)?;
    let update = "update users set name = 'changed' where id = 1";
    let mut raw = Raw::connect(&fixture)?;
    raw.send(&[query("begin"), query(update), query("commit")])?;
    assert!(raw.ready(3)?.contains("not in a transaction"));
    raw.send(&[query(&format!("begin; {update}; commit"))])?;
    assert!(raw.ready(1)?.contains("not in a transaction"));
    raw.send(&[query("rollback")])?;
    raw.ready(1)?;
    assert_eq!(fixture.admin("select count(*) from users where name = 'changed'")?.trim(), "0");
    raw.send(&[query(update)])?;
    assert!(raw.ready(1)?.contains("UPDATE 1"));
    Ok(())
}

#[test]
fn a_message_with_more_than_it_may_hold_shifts_no_answer() -> Result<()> {
    let fixture = Fixture::guarded("extra")?;
    // What the server answers with an error that belongs to no command, and skips up to a Sync from there.
    for extra in [frame(b'H', b"x"), frame(b'S', b"x"), frame(b'H', &[0; 12_000])] {
        let mut raw = Raw::connect(&fixture)?;
        raw.send(&[query("select id from users")])?;
        raw.ready(1)?;
        raw.send(&[extra, query("select 1/0"), sync(), query("select 1/0"), query("select ssn from users")])?;
        let said = said(&mut raw, 5);
        assert!(!said.contains(SSN), "{said}");
    }
    Ok(())
}

#[test]
fn a_cursor_that_a_function_opened_shows_nothing() -> Result<()> {
    let policy = format!("{POLICY}\n@id(\"runs\") permit (principal, action == Action::\"sql.execute\", resource);");
    let fixture = Fixture::new("functions", &policy, SENSITIVE)?;
    fixture.admin(
        "create function opens() returns refcursor language plpgsql as \
         $$ declare c refcursor := 'c'; begin open c for select ssn from users; return c; end $$",
    )?;
    let mut raw = Raw::connect(&fixture)?;
    let said = say(&mut raw, &["begin", "select opens()", "fetch all from c", "commit"])?;
    assert!(!said.contains(SSN) && said.contains("FETCH 3"), "{said}");
    Ok(())
}

#[test]
fn a_parameter_s_type_runs_no_code_that_policy_does_not_permit() -> Result<()> {
    let fixture = with_table("types")?;
    fixture.admin(
        "create function notes(text) returns boolean language plpgsql security definer as \
         $$ begin insert into n values (1); return true; end $$;
         create domain noted as text check (notes(value)); create type mood as enum ('fine')",
    )?;
    let of =
        |name: &str| -> Result<u32> { Ok(fixture.admin(&format!("select '{name}'::regtype::oid"))?.trim().parse()?) };
    let typed = |oid: u32| {
        let types = [&1u16.to_be_bytes()[..], &oid.to_be_bytes()].concat();
        frame(b'P', &[&b"\0select $1 is null\0"[..], &types].concat())
    };
    let bind = frame(b'B', b"\0\0\0\0\0\x01\0\0\0\x04fine\0\0");
    let run = |oid: u32| -> Result<String> {
        let mut raw = Raw::connect(&fixture)?;
        raw.send(&[typed(oid), bind.clone(), execute(""), sync()])?;
        raw.ready(1)
    };
    let refused = run(of("noted")?)?;
    assert!(refused.contains("sql.unknown"), "{refused}");
    assert_eq!(fixture.admin("select count(*) from n")?.trim(), "0");
    for harmless in [of("mood")?, 25] {
        let said = run(harmless)?;
        assert!(said.contains("SELECT 1"), "{harmless}: {said}");
    }
    Ok(())
}

#[test]
fn a_text_in_another_encoding_is_not_read_as_utf_8() -> Result<()> {
    let sensitive = "tags = [\"prod\"]\n[resources.orders.sensitive]\n'public.\"Ã©\".x' = [\"pii\"]\n";
    let fixture = Fixture::new("encodings", POLICY, sensitive)?;
    fixture.admin(&format!(
        "create table \"é\" (x text); create table \"Ã©\" (x text); insert into \"Ã©\" values ('123-45-6789');
         grant all on \"é\", \"Ã©\" to {}",
        fixture.server.role()
    ))?;
    let mut raw = Raw::with(&fixture, &[("client_encoding", "LATIN1")])?;
    // The bytes of é in UTF-8 are those of Ã© in LATIN1.
    raw.send(&[query("select x from \"é\""), query("select 41 + 1")])?;
    let said = raw.ready(2)?;
    assert!(!said.contains(SSN) && said.contains("sql.unknown") && said.contains("42"), "{said}");
    let mut raw = Raw::connect(&fixture)?;
    raw.send(&[query("select x from \"é\""), query("select x from \"Ã©\"")])?;
    let said = raw.ready(2)?;
    assert!(said.contains("SELECT 0") && said.contains("*******6789"), "{said}");
    Ok(())
}

#[test]
fn an_encoding_that_ends_with_its_transaction_is_not_read_by_afterwards() -> Result<()> {
    let sensitive = "tags = [\"prod\"]\n[resources.orders.sensitive]\n'public.\"Ã©\".x' = [\"pii\"]\n";
    let fixture = Fixture::new("encoded", POLICY, sensitive)?;
    fixture.admin(&format!(
        "create table \"é\" (x text); create table \"Ã©\" (x text); insert into \"Ã©\" values ('123-45-6789');
         grant all on \"é\", \"Ã©\" to {}",
        fixture.server.role()
    ))?;
    for end in ["commit", "rollback"] {
        let mut raw = Raw::with(&fixture, &[("client_encoding", "LATIN1")])?;
        say(&mut raw, &["begin", "set local client_encoding = 'UTF8'"])?;
        let told = say(&mut raw, &["select x from \"é\""])?;
        assert!(told.contains("SELECT 0"), "{told}");
        raw.send(&[query(end), query("select x from \"é\""), query("select 41 + 1")])?;
        let told = said(&mut raw, 3);
        assert!(!told.contains(SSN) && told.contains("sql.unknown") && told.contains("42"), "{end}: {told}");
    }
    Ok(())
}

#[test]
fn what_a_transaction_changed_is_not_read_by_once_it_is_over() -> Result<()> {
    let fixture = Fixture::guarded("ending")?;
    let role = fixture.server.role();
    fixture.admin(&format!(
        "create schema other; grant usage on schema other to {role}; create table other.users (ssn text);
         grant all on other.users to {role}"
    ))?;
    let path = "set local search_path = other, public";
    let table = "create temp table users (ssn text) on commit drop";
    let secret = || query("select ssn from users");
    for (changes, ends) in
        [(path, "commit"), (path, "commit and chain"), (table, "commit"), (table, "commit and chain")]
    {
        let mut raw = Raw::connect(&fixture)?;
        let told = say(&mut raw, &["begin", changes, "select ssn from users"])?;
        assert!(told.contains("SELECT 0"), "{changes}: {told}");
        // The transaction is over when the second of them is read, and the gateway can wait for that.
        raw.send(&[query(ends), secret()])?;
        let told = said(&mut raw, 2);
        assert!(told.contains("*******6789") && !told.contains(SSN), "{changes}; {ends}: {told}");
        let mut raw = Raw::connect(&fixture)?;
        say(&mut raw, &["begin", changes])?;
        raw.send(&[query(&format!("{ends}; select ssn from users"))])?;
        let told = said(&mut raw, 1);
        assert!(!told.contains(SSN), "{changes}; {ends}, in one text: {told}");
        let mut raw = Raw::connect(&fixture)?;
        say(&mut raw, &["begin", changes])?;
        raw.send(&[parse("s", "select ssn from users"), sync()])?;
        raw.ready(1)?;
        // Nobody can wait in the middle of a batch.
        raw.send(&[parse("", ends), run_statement(""), bind("", "s"), execute(""), sync()])?;
        let told = said(&mut raw, 1);
        assert!(!told.contains(SSN), "{changes}; {ends}, in a batch: {told}");
    }
    // Where nothing was changed, nobody waits, and nothing is unknown.
    let mut raw = Raw::connect(&fixture)?;
    say(&mut raw, &["begin", "set local statement_timeout = 10000"])?;
    raw.send(&[parse("", "commit"), run_statement(""), parse("", "select ssn from users"), run_statement(""), sync()])?;
    let told = said(&mut raw, 1);
    assert!(told.contains("COMMIT") && told.contains("*******6789"), "{told}");
    Ok(())
}

#[test]
fn the_user_on_the_search_path_is_who_the_session_is_now() -> Result<()> {
    let policy = format!("{POLICY}\n@id(\"roles\") permit (principal, action == Action::\"sql.privilege\", resource);");
    let sensitive = "tags = [\"prod\"]\n[resources.orders.sensitive]\n\"other.pub.x\" = [\"pii\"]\n";
    let fixture = Fixture::new("whoami", &policy, sensitive)?;
    let role = fixture.server.role();
    fixture.admin(&format!(
        "create role other; grant other to {role}; create schema {role}; create schema other;
         create table {role}.pub (x text); create table other.pub (x text); insert into other.pub values ('123-45-6789');
         grant all on schema {role}, other to {role}, other; grant all on {role}.pub, other.pub to {role}, other"
    ))?;
    for change in ["set role other", "set session role other", "begin; set local role other"] {
        let mut raw = Raw::connect(&fixture)?;
        let said = say(&mut raw, &["select x from pub", change, "select x from pub"])?;
        assert!(said.contains("SELECT 0") && said.contains("*******6789"), "{change}: {said}");
    }
    Ok(())
}

#[test]
fn an_error_that_code_raised_names_no_value() -> Result<()> {
    let policy = format!("{POLICY}\n@id(\"runs\") permit (principal, action == Action::\"sql.execute\", resource);");
    let fixture = Fixture::new("raises", &policy, SENSITIVE)?;
    fixture.admin(
        "create function raises() returns int language plpgsql as $$ begin
           raise exception 'no' using constraint = (select ssn from users where id = 1), table = (select ssn from users where id = 1);
         end $$",
    )?;
    let mut raw = Raw::connect(&fixture)?;
    let said = say(&mut raw, &["select raises()"])?;
    assert!(said.contains("P0001") && !said.contains(SSN), "{said}");
    Ok(())
}

#[test]
fn a_long_statement_is_kept_once_however_often_it_is_bound() -> Result<()> {
    let resident = || -> Result<usize> {
        let status = std::fs::read_to_string("/proc/self/status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        Ok(line.trim().trim_end_matches(" kB").parse::<usize>()? / 1024)
    };
    let fixture = Fixture::guarded("long")?;
    let mut raw = Raw::connect(&fixture)?;
    raw.send(&[query("begin")])?;
    raw.ready(1)?;
    let text = format!("select 1 /* {} */", "x".repeat(900_000));
    raw.send(&[parse("s", &text), sync()])?;
    raw.ready(1)?;
    let before = resident()?;
    let binds: Vec<Vec<u8>> = (0..200).map(|number| bind(&format!("p{number}"), "s")).collect();
    raw.send(&binds)?;
    raw.send(&[sync()])?;
    raw.ready(1)?;
    let grown = resident()?.saturating_sub(before);
    assert!(grown < 100, "{grown} MiB for 200 portals of one statement of less than 1 MiB");
    Ok(())
}
