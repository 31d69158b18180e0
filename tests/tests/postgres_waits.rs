//! Statements that wait, for a lock or in themselves, while what they name comes to be something else.

#[path = "postgres_relay/fixture.rs"]
mod fixture;

use std::time::Duration;

use anyhow::Result;
use fixture::{Fixture, POLICY, Raw, SENSITIVE, parse, query, run_statement, said, said_of, say, sync};

const SSN: &str = "123-45";

#[test]
fn a_statement_that_waited_while_a_name_was_given_away_shows_nothing() -> Result<()> {
    let policy = format!("{POLICY}\n@id(\"alters\") permit (principal, action == Action::\"sql.alter\", resource);");
    let fixture = Fixture::new("waited", &policy, SENSITIVE)?;
    fixture.admin(&format!("alter table users owner to {}", fixture.server.role()))?;
    let statements = [
        vec![query("select id from users")],
        vec![parse("", "select id from users"), run_statement(""), sync()],
        vec![query("select 'x' || id from users")],
    ];
    for frames in statements {
        let (mut other, mut raw) = (Raw::connect(&fixture)?, Raw::connect(&fixture)?);
        say(&mut raw, &["select id from users"])?;
        say(&mut other, &["begin", "lock table users in access exclusive mode"])?;
        raw.send(&frames)?;
        let waits = "select count(*) from pg_locks where not granted and relation = 'users'::regclass";
        assert!(harness::eventually(Duration::from_secs(20), || fixture.admin(waits).is_ok_and(|n| n.trim() == "1")));
        let changed =
            say(&mut other, &["alter table users rename id to was", "alter table users rename ssn to id", "commit"])?;
        assert!(changed.contains("COMMIT"), "{changed}");
        let said = said(&mut raw, 1);
        assert!(!said.contains(SSN) && said.contains("57014") | said.contains("withheld"), "{said}");
        say(&mut other, &["alter table users rename id to ssn", "alter table users rename was to id"])?;
    }
    // One that waited for nothing is what it was, also where it was decided on before its batch's first answer.
    let text = "select name, ssn from users where id = 1";
    let batch = [parse("", "set search_path = public"), run_statement(""), parse("", text), run_statement(""), sync()];
    for (frames, known) in [(&batch[..], false), (&[query(text)], true)] {
        let (mut other, mut raw) = (Raw::connect(&fixture)?, Raw::connect(&fixture)?);
        say(&mut other, &["begin", "lock table users in access exclusive mode"])?;
        raw.send(frames)?;
        std::thread::sleep(Duration::from_millis(1500));
        say(&mut other, &["commit"])?;
        let said = said(&mut raw, 1);
        assert!(!said.contains(SSN) && !said.contains("withheld"), "{said}");
        assert!(!known || said.contains("ann") && said.contains("*******6789"), "{said}");
    }
    // One that waited for something else is what it was.
    let (mut other, mut raw) = (Raw::connect(&fixture)?, Raw::connect(&fixture)?);
    say(&mut other, &["begin", "alter table users add column note text"])?;
    raw.send(&[query("select id, ssn from users where id = 1")])?;
    std::thread::sleep(Duration::from_millis(1500));
    say(&mut other, &["commit"])?;
    let said = said(&mut raw, 1);
    assert!(said.contains("*******6789") && said.contains("SELECT 1"), "{said}");
    Ok(())
}

/// The gateway's own connection gets none any more, and the sessions that are there stay.
fn without_own_connection(fixture: &Fixture) -> Result<()> {
    fixture.admin(&format!("alter role {} connection limit 1", fixture.server.role()))?;
    fixture.admin(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'sluice catalog'",
    )?;
    let gone = || fixture.door.services().databases().iter().all(|database| !database.own_connection);
    assert!(harness::eventually(Duration::from_secs(20), gone));
    Ok(())
}

#[test]
fn a_statement_that_waited_where_nobody_can_see_what_was_changed_shows_nothing() -> Result<()> {
    let fixture = Fixture::guarded("unseen")?;
    let (mut raw, mut slow, mut plain) = (Raw::connect(&fixture)?, Raw::connect(&fixture)?, Raw::connect(&fixture)?);
    for raw in [&mut raw, &mut slow, &mut plain] {
        say(raw, &["select id from users"])?;
    }
    without_own_connection(&fixture)?;
    // Where it did not wait, it is what was decided on; so is what names nothing.
    let quick = say(&mut plain, &["select 'x' || name from users where id = 1", "begin", "commit"])?;
    assert!(quick.contains("xann") && quick.contains("COMMIT"), "{quick}");
    // By somebody who does not come through the gateway.
    let held =
        "select count(*) from pg_locks where granted and mode = 'AccessExclusiveLock' and relation = 'users'::regclass";
    let changes = "begin; lock table users in access exclusive mode; select pg_sleep(4);
        alter table users rename id to was; alter table users rename ssn to id; commit";
    std::thread::scope(|scope| -> Result<()> {
        let other = scope.spawn(|| fixture.admin(changes));
        assert!(harness::eventually(Duration::from_secs(20), || fixture.admin(held).is_ok_and(|n| n.trim() == "1")));
        raw.send(&[query("select 'x' || id from users")])?;
        let said = said(&mut raw, 1);
        assert!(!said.contains(SSN) && said.contains("cannot be seen"), "{said}");
        other.join().map_err(|_| anyhow::anyhow!("the other one failed"))??;
        Ok(())
    })?;
    let said = said_of(&mut slow, "select 'x' || name from users where name = 'ann' and pg_sleep(1.5) is not null");
    assert!(said.contains("cannot be seen") && !said.contains("xann"), "{said}");
    Ok(())
}

#[test]
fn a_slow_statement_is_answered_where_policies_protect_nothing() -> Result<()> {
    let fixture = Fixture::new("permitted", "@id(\"all\") permit (principal, action, resource);", SENSITIVE)?;
    let mut raw = Raw::connect(&fixture)?;
    say(&mut raw, &["select id from users"])?;
    without_own_connection(&fixture)?;
    let said = said_of(&mut raw, "select 'x' || name from users where id = 1 and pg_sleep(1.5) is not null");
    assert!(said.contains("xann") && said.contains("SELECT 1"), "{said}");
    Ok(())
}

/// A harmless table, on the search path before the sensitive one of its name.
fn shadowed(role: &str) -> Result<Fixture> {
    let policy = format!(
        "{POLICY}\n@id(\"alters\") permit (principal, action in [Action::\"sql.alter\", Action::\"sql.create\", Action::\"sql.declassify\"], resource);"
    );
    let fixture = Fixture::new(role, &policy, SENSITIVE)?;
    let role = fixture.server.role().to_owned();
    fixture.admin(&format!(
        "create schema w authorization {role}; alter role {role} set search_path = w, public; set role {role};
         create table w.users (id int, name text, ssn text); create table w.h (id int); insert into w.h values (1);"
    ))?;
    Ok(fixture)
}

/// So many sessions wait for a lock.
fn wait_for_locks(fixture: &Fixture, count: usize) -> bool {
    let waiting = || fixture.admin("select count(*) from pg_locks where not granted");
    harness::eventually(Duration::from_secs(20), || waiting().is_ok_and(|n| n.trim() == count.to_string()))
}

#[test]
fn a_change_of_names_counts_when_it_is_so_and_not_before() -> Result<()> {
    let fixture = shadowed("counts")?;
    let text = "select 'x' || ssn from users";
    let back = |raw: &mut Raw| say(raw, &["alter table w.was rename to users"]);
    // Its client has left, and the server goes on.
    let (mut holder, mut other, mut raw) = (Raw::connect(&fixture)?, Raw::connect(&fixture)?, Raw::connect(&fixture)?);
    say(&mut raw, &[text])?;
    say(&mut holder, &["begin", "select id from users"])?;
    other.send(&[query("alter table w.users rename to was")])?;
    assert!(wait_for_locks(&fixture, 1));
    drop(other);
    std::thread::sleep(Duration::from_millis(300));
    raw.send(&[query(text)])?;
    assert!(wait_for_locks(&fixture, 2));
    say(&mut holder, &["commit"])?;
    let shown = said(&mut raw, 1);
    assert!(!shown.contains(SSN) && shown.contains("57014") | shown.contains("withheld"), "{shown}");
    back(&mut holder)?;
    // Its transaction was prepared before the other one began.
    let mut raw = Raw::connect(&fixture)?;
    say(&mut raw, &[text])?;
    let prepared = say(&mut holder, &["begin", "alter table w.users rename to was", "prepare transaction 'one'"])?;
    assert!(prepared.contains("PREPARE TRANSACTION"), "{prepared}");
    raw.send(&[query(text)])?;
    assert!(wait_for_locks(&fixture, 1));
    let committed = say(&mut holder, &["commit prepared 'one'"])?;
    assert!(committed.contains("COMMIT PREPARED"), "{committed}");
    let shown = said(&mut raw, 1);
    assert!(!shown.contains(SSN) && shown.contains("57014") | shown.contains("withheld"), "{shown}");
    back(&mut holder)?;
    // One that ended its transaction in the same batch, and began another.
    let mut raw = Raw::connect(&fixture)?;
    say(&mut raw, &[text])?;
    say(&mut holder, &["begin", "select id from w.h"])?;
    let batch = ["alter table w.users rename to was", "commit", "begin", "select id from w.h"];
    let mut frames: Vec<Vec<u8>> = batch.iter().flat_map(|text| [parse("", text), run_statement("")]).collect();
    let last = [parse("", "select pg_sleep(3)"), run_statement(""), sync()];
    frames.extend(last);
    say(&mut holder, &["lock table w.users in access exclusive mode"])?;
    raw.send(&[query(text)])?;
    assert!(wait_for_locks(&fixture, 1));
    holder.send(&frames)?;
    let shown = said(&mut raw, 1);
    assert!(!shown.contains(SSN) && shown.contains("57014") | shown.contains("withheld"), "{shown}");
    said(&mut holder, 1);
    say(&mut holder, &["commit"])?;
    back(&mut holder)?;
    // One that comes before another of its name on the path.
    let mut raw = Raw::connect(&fixture)?;
    let text = "select 'x' || line from logs";
    say(&mut raw, &[text])?;
    let mut other = Raw::connect(&fixture)?;
    say(&mut holder, &["begin"])?;
    fixture.admin(&format!("alter table logs owner to {}", fixture.server.role()))?;
    say(&mut holder, &["lock table logs in access exclusive mode"])?;
    raw.send(&[query(text)])?;
    assert!(wait_for_locks(&fixture, 1));
    let made = said_of(&mut other, "create view w.logs as select ssn as line from public.users");
    assert!(made.contains("CREATE VIEW"), "{made}");
    say(&mut holder, &["commit"])?;
    let shown = said(&mut raw, 1);
    assert!(!shown.contains(SSN) && shown.contains("57014") | shown.contains("withheld"), "{shown}");
    // One that is open disturbs nobody, also where nobody could be asked.
    let (mut raw, text) = (Raw::connect(&fixture)?, "select 'x' || ssn from users");
    say(&mut raw, &[text])?;
    without_own_connection(&fixture)?;
    say(&mut holder, &["begin", "alter table w.h add column more int", "savepoint s"])?;
    let shown = said_of(&mut raw, text);
    assert!(shown.contains("SELECT 0"), "{shown}");
    say(&mut holder, &["release s", "rollback"])?;
    let shown = said_of(&mut raw, text);
    assert!(shown.contains("SELECT 0"), "{shown}");
    Ok(())
}

#[test]
fn a_harmless_name_that_was_given_away_while_a_statement_waited_shows_nothing() -> Result<()> {
    let fixture = shadowed("given")?;
    let role = fixture.server.role().to_owned();
    fixture.admin(&format!(
        "set role {role};
         create function w.v() returns int language sql as 'select id from w.h limit 1';
         create function w.w() returns text language sql as 'select id::text from w.h limit 1';"
    ))?;
    for frames in [
        vec![query("select id, ssn from users")],
        vec![parse("", "select 'x' || ssn from users"), run_statement(""), sync()],
    ] {
        let (mut other, mut raw) = (Raw::connect(&fixture)?, Raw::connect(&fixture)?);
        let shadowed = say(&mut raw, &["select id from users"])?;
        assert!(shadowed.contains("SELECT 0"), "{shadowed}");
        say(&mut other, &["begin", "alter table w.users rename to was"])?;
        raw.send(&frames)?;
        assert!(wait_for_locks(&fixture, 1));
        let changed = say(&mut other, &["commit"])?;
        assert!(changed.contains("COMMIT"), "{changed}");
        let said = said(&mut raw, 1);
        assert!(!said.contains(SSN) && said.contains("57014") | said.contains("withheld"), "{said}");
        say(&mut other, &["alter table w.was rename to users"])?;
    }
    // A view is looked at when its lock is had.
    let (mut other, mut raw) = (Raw::connect(&fixture)?, Raw::connect(&fixture)?);
    say(&mut other, &["create view w.seen as select 'x'::text as ssn"])?;
    let harmless = say(&mut raw, &["select ssn from w.seen"])?;
    assert!(harmless.contains("SELECT 1"), "{harmless}");
    let replaced = say(&mut other, &["begin", "create or replace view w.seen as select ssn from public.users"])?;
    assert!(replaced.contains("CREATE VIEW"), "{replaced}");
    raw.send(&[query("select 'x' || ssn from w.seen")])?;
    assert!(wait_for_locks(&fixture, 1));
    let changed = say(&mut other, &["commit"])?;
    assert!(changed.contains("COMMIT"), "{changed}");
    let shown = said(&mut raw, 1);
    assert!(!shown.contains(SSN) && shown.contains("57014") | shown.contains("withheld"), "{shown}");
    // A function's body is looked at when it is called.
    let (mut other, mut raw) = (Raw::connect(&fixture)?, Raw::connect(&fixture)?);
    raw.send(&[query("select pg_sleep(0.6), w.v(), w.w()")])?;
    std::thread::sleep(Duration::from_millis(200));
    let replaced =
        "create or replace function w.w() returns text language sql as 'select ssn from public.users where id = 1'";
    let changed = said_of(&mut other, replaced);
    assert!(changed.contains("CREATE FUNCTION"), "{changed}");
    let said = said(&mut raw, 1);
    assert!(!said.contains(SSN), "{said}");
    Ok(())
}
