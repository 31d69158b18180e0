//! Established sessions of real clients on a real PostgreSQL, through the gateway's own `serve`: verdicts, masks, and
//! everything else as it came.

#[path = "postgres_relay/fixture.rs"]
mod fixture;

use anyhow::{Context, Result};
use fixture::{Fixture, POLICY, Raw, SENSITIVE, frame, parse, query, run_statement, sync};
use gateway::record::entry::{Body, Entry};
use harness::run;

#[test]
fn a_masked_column_is_masked_wherever_it_comes_out() -> Result<()> {
    let fixture = Fixture::guarded("masked")?;
    for statement in [
        "select ssn from users where id = 1",
        "select * from users order by id",
        "select u.ssn as n from users u",
        "select upper(ssn), ssn || 'x', (select max(ssn) from users) from users",
        "select users from users",
        "select row_to_json(users) from users",
        "select array_agg(ssn) from users",
        "with c as (select ssn from users) select * from c",
        "select ssn from users union select ssn from users",
        "select ssn from people",
        "select * from (select ssn from users) t",
        "select ssn::int from users where id = 1",
        "update users set name = 'x' where id = 1 returning ssn",
        "insert into users values (1, 'again', '123-45-6789')",
        "copy users to stdout",
        "copy (select ssn from users) to stdout",
        "begin; declare c cursor for select ssn from users; fetch all from c",
        "prepare p as select ssn from users; execute p",
        "explain select * from users where ssn = '123-45-6789'",
        "create table copy as select ssn from users",
    ] {
        let said = fixture.psql(&[statement])?;
        assert!(!said.contains("123-45") && !said.contains("987-65"), "{statement}: {said}");
    }
    let said = fixture.psql(&["select id, name, ssn from users order by id"])?;
    assert_eq!(said, "1|x|*******6789\n2|bob|*******4321\n3|cy|\n");
    let recorded = fixture.door.recorded()?;
    for value in ["123-45-6789", "987-65-4321"] {
        assert!(!recorded.windows(value.len()).any(|window| window == value.as_bytes()), "{value} is recorded");
    }
    Ok(())
}

#[test]
fn a_block_says_why_reaches_no_server_and_leaves_the_session_usable() -> Result<()> {
    let fixture = Fixture::guarded("blocked")?;
    let said = fixture.psql(&["drop table users", "select 41 + 1"])?;
    assert!(said.contains("destructive DDL is blocked on production") && said.contains("no-drop-in-prod"), "{said}");
    assert!(said.contains("42\n"), "{said}");
    let said = fixture.psql(&["insert into logs values ('kept'); drop table users", "select count(*) from logs"])?;
    assert!(said.contains("blocked on production") && said.contains("0\n"), "decided together: {said}");
    let said = fixture.psql(&["delete from users", "delete from users where id = 3", "select count(*) from users"])?;
    assert!(said.contains("a delete names its rows") && said.contains("DELETE 1") && said.contains("2\n"), "{said}");
    let unread = "set client_encoding = 'SJIS'";
    let said = fixture.psql(&[
        "grant all on users to public",
        "do $$ begin execute 'drop table users'; end $$",
        unread,
        "selec 1",
    ])?;
    // What the server does not understand either, it says itself.
    for words in ["sql.privilege", "sql.execute", "sql.unknown", "syntax error"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(fixture.admin("select count(*) from users")?.trim(), "2");
    assert!(!fixture.server.log().contains("drop table"), "{}", fixture.server.log());
    Ok(())
}

#[test]
fn a_refusal_in_a_transaction_fails_it_on_the_server_as_well() -> Result<()> {
    let fixture = Fixture::guarded("failed")?;
    let said = fixture.psql(&[
        "begin",
        "insert into logs values ('lost')",
        "drop table users",
        "select 1",
        "commit",
        "select count(*) from logs",
    ])?;
    assert!(
        said.contains("current transaction is aborted") && said.contains("ROLLBACK") && said.contains("0\n"),
        "{said}"
    );
    Ok(())
}

#[test]
fn the_extended_protocol_is_masked_blocked_and_in_order() -> Result<()> {
    let fixture = Fixture::guarded("extended")?;
    // pgbench prepares, binds and executes; psql's \bind is newer than the oldest server supported.
    let script = tempfile::NamedTempFile::new()?;
    std::fs::write(
        script.path(),
        "\\set id 1\nselect ssn as ssn, id as id from users where id = :id \\gset\n\\if :id != 1\nselect 1/0;\n\\endif\ninsert into logs values (:ssn::text);\n",
    )?;
    let pgbench = harness::postgres_bin()?.join("pgbench");
    for mode in ["extended", "prepared"] {
        let mut bench = fixture.client(&pgbench);
        bench.args(["-n", "-M", mode, "-t", "5", "-f"]).arg(script.path());
        // `:ssn` is not a number to pgbench: it says so, which shows what it received.
        let said = run(&mut bench)?;
        let said = format!("{}{}", said.stdout, said.stderr);
        assert!(!said.contains("123-45"), "{mode}: {said}");
    }
    std::fs::write(script.path(), "delete from users;\n")?;
    let mut bench = fixture.client(&pgbench);
    let said = run(bench.args(["-n", "-M", "prepared", "-t", "1", "-f"]).arg(script.path()))?.failure()?;
    assert!(said.contains("a delete names its rows"), "{said}");
    assert_eq!(fixture.admin("select count(*) from users")?.trim(), "3");
    Ok(())
}

#[test]
fn a_driver_works_unchanged() -> Result<()> {
    let fixture = Fixture::guarded("driver")?;
    let said = fixture.python(
        "q.execute('select name, ssn from users where id = %s', (1,))\nprint(q.fetchone())\n\
         try:\n    q.execute('drop table users')\nexcept psycopg2.Error as e:\n    print(e.pgcode, e)\n\
         q.execute('select 1')\nprint(q.fetchone())\n\
         c.autocommit = False\nq.execute('insert into logs values (%s)', ('x' * 100000,))\nc.commit()\n\
         q.execute('select length(line) from logs')\nprint(q.fetchone())\n",
    )?;
    assert!(said.contains("('ann', '*******6789')") && said.contains("42501") && said.contains("(1,)"), "{said}");
    assert!(said.contains("(100000,)"), "{said}");
    Ok(())
}

#[test]
fn streams_notifications_and_errors_pass_as_they_are() -> Result<()> {
    let fixture = Fixture::open("streams")?;
    let said = fixture.python(
        "import io\n\
         q.execute('create table t (a int, b text)')\n\
         q.copy_expert('copy t from stdin', io.StringIO(''.join(f'{i}\\tline {i}\\n' for i in range(200000))))\n\
         out = io.StringIO()\nq.copy_expert('copy (select a from t order by a) to stdout', out)\n\
         print(len(out.getvalue().splitlines()))\n\
         q.execute('select b from t order by a')\nprint(sum(len(r[0]) for r in q.fetchall()))\n\
         q.execute('listen x')\nq.execute(\"notify x, 'hello'\")\nc.poll()\nprint(c.notifies[0].payload)\n\
         q.execute(\"select repeat('x', 30000000)\")\nprint(len(q.fetchone()[0]))\n\
         try:\n    q.execute('select 1/0')\nexcept psycopg2.Error as e:\n    print(e.pgcode)\n",
    )?;
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines, ["200000", "2088890", "hello", "30000000", "22012"]);
    Ok(())
}

#[test]
fn a_payload_that_nobody_decided_on_is_withheld() -> Result<()> {
    let policy = format!(
        "{POLICY}\n@id(\"code\") permit (principal, action == Action::\"sql.execute\", resource) \
         when {{ context.text like \"select unread*\" }};\n\
         @id(\"audit\") permit (principal, action == Action::\"sql.declassify\", resource) \
         when {{ context.text == \"LISTEN audit\" }};"
    );
    let fixture = Fixture::new("notified", &policy, SENSITIVE)?;
    fixture.admin(
        "create function tell() returns trigger language plpgsql as $$ begin perform pg_notify('jobs', new.ssn);
            perform pg_notify('audit', new.ssn); return new; end $$;
         create trigger tell after update on users for each row execute function tell();
         create function unread(text) returns void language plpgsql as
            $$ begin execute 'select pg_notify(''jobs'', $1)' using $1; end $$",
    )?;
    let mut listener = Raw::connect(&fixture)?;
    listener.send(&[query("listen jobs; listen audit")])?;
    listener.ready(1)?;
    // Who has left by now: what was decided holds.
    let said = fixture.psql(&["notify jobs, 'read'", "update users set name = 'y' where id = 2"])?;
    assert!(said.contains("tell"), "what a trigger tells is decided on: {said}");
    let mut hears = |times: usize| -> Result<String> {
        let mut heard = String::new();
        for _ in 0..500 {
            listener.send(&[query("select 1")])?;
            heard.push_str(&listener.ready(1)?);
            if heard.matches("jobs\0").count() - heard.matches("LISTEN jobs\0").count() >= times {
                return Ok(heard);
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        anyhow::bail!("nothing more after {heard:?}")
    };
    let heard = hears(1)?;
    assert!(heard.contains("jobs\0read\0") && !heard.contains("withheld"), "{heard:?}");
    // Whom nobody reads.
    fixture.admin("update users set name = 'x' where id = 1")?;
    let heard = hears(1)?;
    assert!(heard.contains("jobs\0\0") && !heard.contains("jobs\x00123"), "{heard:?}");
    assert!(heard.contains("withheld") && heard.contains("the text LISTEN jobs"), "{heard:?}");
    assert!(heard.contains("audit\x00123-45-6789\0"), "policy shows it: {heard:?}");
    // A session that ran what cannot be read, and whatever it says from then on.
    fixture.psql(&["select unread('unread')", "notify jobs, 'afterwards'"])?;
    let heard = hears(2)?;
    assert!(heard.matches("jobs\0\0").count() == 2 && !heard.contains("withheld"), "{heard:?}");
    let recorded = fixture.door.recorded()?;
    for words in [
        "payloads of notifications are withheld, the first after LISTEN jobs",
        "notifications are shown, the first after LISTEN audit",
    ] {
        assert!(recorded.windows(words.len()).any(|bytes| bytes == words.as_bytes()), "{words}");
    }
    Ok(())
}

#[test]
fn pgbench_runs_in_every_mode() -> Result<()> {
    let fixture = Fixture::open("pgbench")?;
    let pgbench = harness::postgres_bin()?.join("pgbench");
    run(fixture.client(&pgbench).args(["-i", "-s", "1", "-q"]))?.success()?;
    for mode in ["simple", "extended", "prepared"] {
        let said = run(fixture.client(&pgbench).args(["-n", "-M", mode, "-c", "4", "-t", "50"]))?.success()?;
        assert!(said.contains("transactions actually processed: 200/200"), "{mode}: {said}");
    }
    let balances = "select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history)";
    assert_eq!(fixture.admin(balances)?.trim(), "t");
    Ok(())
}

#[test]
fn the_search_path_decides_which_table_a_name_is() -> Result<()> {
    let fixture = Fixture::guarded("path")?;
    fixture.admin(&format!(
        "create schema other; grant usage on schema other to {role}; create table other.users (ssn text);
         insert into other.users values ('public knowledge'); grant all on other.users to {role}",
        role = fixture.server.role()
    ))?;
    let said = fixture.psql(&[
        "set search_path = other",
        "select ssn from users",
        "set search_path = public",
        "select ssn from users where id = 1",
    ])?;
    assert!(said.contains("public knowledge") && said.contains("*******6789") && !said.contains("123-45"), "{said}");
    let said = fixture.psql(&["begin; set local search_path = other; commit", "select ssn from users where id = 1"])?;
    assert!(said.contains("*******6789") && !said.contains("123-45"), "{said}");
    Ok(())
}

#[test]
fn a_portal_stands_for_what_its_names_stood_for_when_it_was_bound() -> Result<()> {
    use std::io::{Read, Write};
    let fixture = Fixture::guarded("portal")?;
    fixture.admin(&format!(
        "create schema other; grant usage on schema other to {role}; create table other.users (ssn text);
         grant all on other.users to {role}",
        role = fixture.server.role()
    ))?;
    let frame = |tag: u8, body: &[u8]| {
        let mut frame = vec![tag];
        frame.extend_from_slice(&u32::try_from(body.len() + 4).unwrap_or(0).to_be_bytes());
        frame.extend_from_slice(body);
        frame
    };
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", fixture.door.port()))?;
    stream.set_read_timeout(Some(std::time::Duration::from_secs(20)))?;
    let body = format!("\0\x03\0\0user\0x\0database\0{}\0\0", fixture.server.database());
    stream.write_all(&frame(b'_', body.as_bytes())[1..])?;
    let mut writer = stream.try_clone()?;
    let mut until = |stop: &[u8]| -> Result<Vec<u8>> {
        let (mut seen, mut byte) = (Vec::new(), [0; 1]);
        while !seen.ends_with(stop) {
            stream.read_exact(&mut byte)?;
            seen.push(byte[0]);
        }
        Ok(seen)
    };
    until(b"Z\0\0\0\x05I")?;
    writer.write_all(&frame(b'Q', b"begin\0"))?;
    until(b"Z\0\0\0\x05T")?;
    let mut messages = frame(b'P', b"\0select ssn from users\0\0\0");
    messages.extend(frame(b'B', b"p\0\0\0\0\0\0\0\0"));
    messages.extend(frame(b'S', b""));
    messages.extend(frame(b'Q', b"set search_path = other\0"));
    messages.extend(frame(b'E', b"p\0\0\0\0\0"));
    messages.extend(frame(b'S', b""));
    writer.write_all(&messages)?;
    until(b"Z\0\0\0\x05T")?;
    until(b"Z\0\0\0\x05T")?;
    let rows = until(b"Z\0\0\0\x05T")?;
    let rows = String::from_utf8_lossy(&rows).into_owned();
    assert!(rows.contains("*******6789") && !rows.contains("123-45"), "{rows}");
    Ok(())
}

#[test]
fn a_column_that_was_added_since_the_catalog_was_read_is_not_shown() -> Result<()> {
    let fixture = Fixture::new("added", POLICY, &SENSITIVE.replace("ssn", "*"))?;
    fixture.psql(&["select id from users"])?;
    fixture.admin("alter table users add column secret text default 'hidden-value'")?;
    let said = fixture.psql(&["select * from users", "select secret from users", "select u.secret from users u"])?;
    assert!(!said.contains("hidden-value"), "{said}");
    Ok(())
}

#[test]
fn a_peer_that_breaks_the_protocol_is_told_and_costs_nobody_else() -> Result<()> {
    use std::io::{Read, Write};
    let fixture = Fixture::open("broken")?;
    let startup = || -> Result<std::net::TcpStream> {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", fixture.door.port()))?;
        stream.set_read_timeout(Some(std::time::Duration::from_secs(20)))?;
        let body = format!("user\0x\0database\0{}\0\0", fixture.server.database());
        let mut packet = u32::try_from(body.len() + 8)?.to_be_bytes().to_vec();
        packet.extend_from_slice(&[0, 3, 0, 0]);
        packet.extend_from_slice(body.as_bytes());
        stream.write_all(&packet)?;
        let mut seen = Vec::new();
        let mut byte = [0; 1];
        while !seen.ends_with(b"Z\0\0\0\x05I") {
            stream.read_exact(&mut byte)?;
            seen.push(byte[0]);
        }
        Ok(stream)
    };
    for bytes in [
        &b"Q\0\0\0\x03"[..],
        b"Q\xff\xff\xff\xff",
        b"Q\x7f\xff\xff\xff",
        b"\0\0\0\0\x04",
        b"Q\0\0\0\x05x",
        b"B\0\0\0\x08a\0b\0",
        b"!\0\0\0\x04",
    ] {
        let mut stream = startup()?;
        stream.write_all(bytes)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).context("closed")?;
        assert!(answer.windows(5).any(|w| w == b"08P01"), "{bytes:?}: {}", String::from_utf8_lossy(&answer));
    }
    drop(startup()?);
    assert_eq!(fixture.psql(&["select 1"])?, "1\n");
    Ok(())
}

#[test]
fn a_name_that_the_server_would_not_give_away_keeps_its_meaning() -> Result<()> {
    let fixture = Fixture::guarded("names")?;
    fixture.admin("insert into logs values ('kept')")?;
    let mut raw = Raw::connect(&fixture)?;
    raw.send(&[parse("a", "delete from logs"), parse("b", "select ssn from users"), sync()])?;
    raw.ready(1)?;
    // The server refuses to make `a` again: what runs next is still the first.
    raw.send(&[parse("a", "select 1"), sync(), run_statement("a"), sync()])?;
    let said = raw.ready(2)?;
    assert!(said.contains("42P05") && said.contains("a delete names its rows"), "{said}");
    raw.send(&[parse("b", "select 1"), sync(), run_statement("b"), sync()])?;
    let said = raw.ready(2)?;
    assert!(said.contains("*******6789") && !said.contains("123-45"), "{said}");
    assert_eq!(fixture.admin("select count(*) from logs")?.trim(), "1");
    Ok(())
}

#[test]
fn a_statement_is_read_by_what_the_one_before_it_in_the_pipeline_changes() -> Result<()> {
    let fixture = Fixture::guarded("pipelined")?;
    fixture.admin(&format!(
        "create schema other; grant usage on schema other to {role}; create table other.users (ssn text);
         grant all on other.users to {role}",
        role = fixture.server.role()
    ))?;
    for begin in ["select 1", "begin"] {
        let mut raw = Raw::connect(&fixture)?;
        raw.send(&[query(begin), query("set search_path = other"), query("select ssn from users")])?;
        raw.ready(3)?;
        raw.send(&[query("set search_path = public"), query("select ssn from users")])?;
        let said = raw.ready(2)?;
        assert!(said.contains("*******6789") && !said.contains("123-45"), "{begin}: {said}");
        raw.send(&[query("set search_path = other")])?;
        raw.ready(1)?;
        // No Sync between: nobody can ask the server meanwhile.
        raw.send(&[parse("", "set search_path = public"), run_statement(""), parse("", "select ssn from users")])?;
        raw.send(&[run_statement(""), sync()])?;
        let said = raw.ready(1)?;
        assert!(!said.contains("123-45"), "{begin}: {said}");
    }
    Ok(())
}

#[test]
fn what_a_transaction_renamed_is_masked_in_it() -> Result<()> {
    let policy = POLICY.replace("\"sql.create\"]", "\"sql.create\", Action::\"sql.alter\"]");
    let fixture = Fixture::new("renamed", &policy, SENSITIVE)?;
    fixture.admin(&format!("alter table users owner to {0}; alter table logs owner to {0}", fixture.server.role()))?;
    let mut raw = Raw::connect(&fixture)?;
    raw.send(&[query("select line from logs"), query("begin")])?;
    raw.ready(2)?;
    for statement in [
        "alter table logs rename to gone",
        "alter table users rename to logs",
        "alter table logs rename column ssn to line",
        "select line from logs",
        "select id from logs",
    ] {
        raw.send(&[query(statement)])?;
        let said = raw.ready(1)?;
        assert!(!said.contains("123-45"), "{statement}: {said}");
    }
    raw.send(&[query("rollback"), query("select ssn from users")])?;
    let said = raw.ready(2)?;
    assert!(said.contains("*******6789"), "{said}");
    Ok(())
}

#[test]
fn a_copy_begun_by_the_extended_protocol_ends_in_order() -> Result<()> {
    let fixture = Fixture::open("copied")?;
    for wait in [false, true] {
        let mut raw = Raw::connect(&fixture)?;
        raw.send(&[parse("", "copy logs from stdin"), run_statement(""), sync()])?;
        if wait {
            // The server says that it takes data, and no more.
            let mut byte = [0; 1];
            while byte != *b"G" {
                std::io::Read::read_exact(&mut raw.0, &mut byte)?;
            }
            std::io::Read::read_exact(&mut raw.0, &mut [0; 9])?;
        }
        raw.send(&[frame(b'd', b"a line\n"), frame(b'c', b""), sync(), query("select count(*) from logs")])?;
        let said = raw.ready(2)?;
        assert!(said.contains("COPY 1") && said.contains("SELECT 1"), "{wait}: {said}");
    }
    assert_eq!(fixture.admin("select count(*) from logs")?.trim(), "2");
    Ok(())
}

#[test]
fn statements_that_the_server_reads_by_other_rules_are_unknown() -> Result<()> {
    let policy =
        format!("{POLICY}\n@id(\"anything\") permit (principal, action == Action::\"sql.unknown\", resource);");
    let fixture = Fixture::new("rules", &policy, SENSITIVE)?;
    let mut raw = Raw::connect(&fixture)?;
    raw.send(&[query("set standard_conforming_strings = off")])?;
    raw.ready(1)?;
    // To the gateway's parser `\'` ends a string; to this server it does not. What is unknown is redacted as a whole.
    for statement in ["select 'it\\'s', ssn from users --'", "select ssn from users"] {
        raw.send(&[query(statement), parse("", statement), run_statement(""), sync()])?;
        let said = raw.ready(2)?;
        assert!(!said.contains("123-45") && !said.contains("6789"), "{statement}: {said}");
    }
    raw.send(&[query("reset standard_conforming_strings")])?;
    raw.ready(1)?;
    raw.send(&[query("select ssn from users")])?;
    assert!(raw.ready(1)?.contains("*******6789"), "read again");
    // The server says that its rules have changed when the batch is over: up to then nothing is read.
    let change = "set standard_conforming_strings = off";
    raw.send(&[parse("", change), run_statement(""), parse("", "select ssn from users"), run_statement(""), sync()])?;
    let said = raw.ready(1)?;
    assert!(said.contains("SELECT 3") && !said.contains("123-45") && !said.contains("6789"), "{said}");
    // Back within a transaction, and away again with its end.
    raw.send(&[query("begin"), query("set standard_conforming_strings = on"), query("rollback")])?;
    raw.send(&[parse("", "select 'it\\'s', ssn from users --'"), run_statement(""), sync()])?;
    let said = raw.ready(4)?;
    assert!(said.contains("SELECT 3") && !said.contains("123-45") && !said.contains("6789"), "{said}");
    let strict = Fixture::guarded("strict")?;
    let mut raw = Raw::connect(&strict)?;
    raw.send(&[query("set standard_conforming_strings = off"), query("select 1")])?;
    let said = raw.ready(2)?;
    assert!(said.contains("no policy permits sql.unknown") && said.contains("SELECT 1"), "{said}");
    Ok(())
}

#[test]
fn a_statement_that_is_run_again_is_recorded_by_its_number_and_replayed_whole() -> Result<()> {
    let fixture = Fixture::guarded("again")?;
    let mut raw = Raw::connect(&fixture)?;
    let text = "select line from logs where line = $1";
    let bound = |value: &str| {
        let length = u32::try_from(value.len()).unwrap_or_default().to_be_bytes();
        frame(b'B', &[&b"\0s\0\0\0\0\x01"[..], &length, value.as_bytes(), b"\0\0"].concat())
    };
    raw.send(&[parse("s", text), sync()])?;
    raw.ready(1)?;
    for value in ["1", "2", "3"] {
        raw.send(&[bound(value), frame(b'E', b"\0\0\0\0\0"), sync()])?;
        assert!(raw.ready(1)?.contains("SELECT 0"));
    }
    // By its text, and in a block.
    for text in ["begin", "select 1", "commit", "begin", "select 1", "commit"] {
        raw.send(&[query(text)])?;
        raw.ready(1)?;
    }
    drop(raw);
    let closed =
        || fixture.door.replayed().is_ok_and(|all| all.iter().flatten().any(|e| matches!(e.body, Body::Closed { .. })));
    assert!(harness::eventually(std::time::Duration::from_secs(20), closed));
    let sessions = fixture.door.replayed()?;
    let [entries] = sessions.as_slice() else { anyhow::bail!("{} sessions", sessions.len()) };
    let run = |entry: &Entry<'_>| match &entry.body {
        Body::Command { kind, text, parameters, verdict, in_transaction, effects, .. } if kind == "statement" => {
            let values: Vec<&str> = parameters.iter().flatten().map(|value| &**value).collect();
            Some(format!("{verdict} {text} {} {in_transaction} {}", values.concat(), effects.len()))
        }
        Body::Again { .. } => Some("again".to_owned()),
        _ => None,
    };
    let run: Vec<String> = entries.iter().filter_map(run).collect();
    let mut expected: Vec<String> = ["1", "2", "3"].iter().map(|id| format!("forward {text} {id} false 3")).collect();
    for _ in 0..2 {
        expected.extend(["begin  false 1", "select 1  true 1", "commit  true 1"].map(|of| format!("forward {of}")));
    }
    assert_eq!(run, expected);
    // What is there of the text is that of its Parse and of the first that ran it, and their fingerprints.
    let written = String::from_utf8_lossy(&fixture.door.recorded()?).matches("select line from logs").count();
    assert!((1..=4).contains(&written), "{written}");
    Ok(())
}

/// What `pg_dump` writes, but for the lines that are different at each run.
fn dumped(pg_dump: &mut std::process::Command, arguments: &[&str]) -> Result<Vec<String>> {
    let dump = run(pg_dump.args(arguments))?.success()?;
    let same = dump.lines().filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"));
    Ok(same.map(str::to_owned).collect())
}

#[test]
fn a_dump_is_the_servers_own_but_for_what_is_masked() -> Result<()> {
    let fixture = Fixture::guarded("dumped")?;
    fixture.admin(&format!(
        "create schema shop; create type shop.mood as enum ('ok', 'bad');
         create table shop.customers (id serial primary key, name text not null, mood shop.mood default 'ok', tags text[]);
         create table shop.orders (id bigint generated always as identity, customer int references shop.customers,
             total numeric(10, 2) check (total >= 0), twice numeric generated always as (total * 2) stored);
         create table shop.days (d date, v int) partition by range (d);
         create table shop.days_2020 partition of shop.days for values from ('2020-01-01') to ('2021-01-01');
         create index on shop.orders (total) where total > 10; create statistics shop.st on customer, total from shop.orders;
         create view shop.totals as select customer, sum(total) from shop.orders group by 1;
         create materialized view shop.kept as select count(*) from shop.orders;
         create function shop.upper_name() returns trigger language plpgsql as
             $$ begin new.name := upper(new.name); return new; end $$;
         create trigger t before insert on shop.customers for each row execute function shop.upper_name();
         insert into shop.customers (name, tags) values ('ann', '{{x,y}}'), ('bob', null);
         insert into shop.orders (customer, total) values (1, 10.5), (2, 3); insert into shop.days values ('2020-05-05', 1);
         alter table shop.customers add column since timestamptz default '2020-01-01 00:00:00+00';
         comment on table shop.orders is 'what was bought';
         grant usage on schema shop to {role}; grant select on all tables in schema shop to {role};
         grant select on all sequences in schema shop to {role}",
        role = fixture.server.role()
    ))?;
    let direct = || {
        let mut command = fixture.client("pg_dump");
        command
            .env("PGHOST", fixture.server.v4().to_string())
            .env("PGPORT", fixture.server.port().to_string())
            .env("PGUSER", fixture.server.role())
            .env("PGPASSWORD", fixture.server.password())
            .env("PGSSLMODE", "require");
        command
    };
    for arguments in [
        &["--schema-only"][..],
        &["--schema-only", "--table", "users"],
        &["--data-only", "--schema", "shop"],
        &["--schema", "shop", "--clean", "--if-exists", "--no-owner", "--column-inserts"],
    ] {
        let seen = dumped(&mut fixture.client("pg_dump"), arguments)?;
        assert_eq!(seen, dumped(&mut direct(), arguments)?, "{arguments:?}");
        assert!(seen.len() > 20, "{seen:?}");
    }
    let (seen, whole) = (dumped(&mut fixture.client("pg_dump"), &[])?, dumped(&mut direct(), &[])?);
    let masked: Vec<String> = whole
        .iter()
        .map(|line| line.replace("123-45-6789", "*******6789").replace("987-65-4321", "*******4321"))
        .collect();
    assert_eq!(seen, masked);
    assert_ne!(seen, whole);
    Ok(())
}
