//! COPY to the client, and what runs by name, on a real PostgreSQL through the gateway's own `serve`: the messages as they
//! go over the wire.

#[path = "postgres_relay/fixture.rs"]
mod fixture;

use anyhow::Result;
use fixture::{Fixture, POLICY, Raw, SENSITIVE, parse, query, run_statement, sync};

#[test]
fn a_masked_copy_keeps_its_place_among_other_commands() -> Result<()> {
    let fixture = Fixture::guarded("copies")?;
    let mut raw = Raw::connect(&fixture)?;
    let rows = "d1\t*******6789\nd2\t*******4321\nd3\t\\N\nc";
    // One message a row, as the server sends them and clients take them.
    raw.send(&[query(
        "copy users (id, ssn) to stdout; select name from users where id = 2; copy users (ssn) to stdout",
    )])?;
    let said = raw.ready(1)?;
    assert!(said.contains(rows) && said.contains("bob") && said.contains("d*******6789\nd"), "{said}");
    assert!(!said.contains("123-45"), "{said}");
    for within in [false, true] {
        if within {
            raw.send(&[query("begin")])?;
            raw.ready(1)?;
        }
        raw.send(&[
            [parse("", "select ssn from users where id = 1"), run_statement("")].concat(),
            [parse("", "copy users (id, ssn) to stdout"), run_statement("")].concat(),
            [parse("", "select name from users where id = 2"), run_statement("")].concat(),
            sync(),
        ])?;
        let said = raw.ready(1)?;
        assert!(said.contains("*******6789") && said.contains(rows) && said.contains("bob"), "{said}");
        assert!(said.contains("COPY 3") && !said.contains("123-45"), "{said}");
    }
    let recorded = String::from_utf8_lossy(&fixture.door.recorded()?).into_owned();
    assert!(!recorded.contains("123-45"), "recorded");
    assert!(recorded.contains("COPY 3"), "{recorded}");
    Ok(())
}

#[test]
fn a_copy_that_needs_no_mask_is_the_same_bytes_and_long_rows_are_masked() -> Result<()> {
    let fixture = Fixture::guarded("bytes")?;
    let long = "update users set name = repeat('x', 300000) || chr(9) || chr(10) || '\\', ssn = repeat('9', 200000) where id = 1";
    fixture.admin(long)?;
    for options in ["", "(format csv, header)", "(format csv, force_quote *, quote '$')", "(delimiter '|')"] {
        let plain = format!("copy users (id, name) to stdout {options}");
        let said = fixture.psql(&[&plain])?;
        assert_eq!(said, fixture.admin(&plain)?, "{options}");
        let whole = format!("copy users (ssn, id, name) to stdout {options}");
        let (said, direct) = (fixture.psql(&[&whole])?, fixture.admin(&whole)?);
        assert!(said.contains("****9999") && !said.contains("99999") && !said.contains("987-65"), "{options}");
        // A mask in part is as long as what it hides.
        assert_eq!(said.len(), direct.len(), "{options}");
        assert!(said.contains(&"x".repeat(300_000)), "{options}");
    }
    Ok(())
}

#[test]
fn a_copy_of_what_the_same_text_makes_is_redacted() -> Result<()> {
    let policy = r#"@id("all") permit (principal, action, resource);
        @id("pii") @mask("partial") permit (principal, action == Action::"sql.read", resource in Tag::"pii");"#;
    let fixture = Fixture::new("made_here", policy, SENSITIVE)?;
    let mut raw = Raw::connect(&fixture)?;
    raw.send(&[
        query(
            "create table copied (a int, b text); insert into copied select id, ssn from users where id = 1;
             copy copied from stdin; copy copied to stdout; drop table copied; select 'done'",
        ),
        fixture::frame(b'd', b"7\tmine\n"),
        fixture::frame(b'c', b""),
    ])?;
    let said = raw.ready(1)?;
    assert!(said.contains("COPY 1") && said.contains("COPY 2") && said.contains("DROP TABLE"), "{said}");
    assert!(!said.contains("123-45") && !said.contains("mine"), "{said}");
    raw.send(&[query("select 41 + 1")])?;
    assert!(raw.ready(1)?.contains("42"));
    Ok(())
}

#[test]
fn a_copy_whose_rows_could_not_be_told_apart_is_refused_and_the_session_goes_on() -> Result<()> {
    let fixture = Fixture::guarded("options")?;
    for options in ["(null '123-45-6789')", "(encoding 'SJIS')"] {
        let copy = format!("copy users (id, ssn) to stdout {options}");
        let said = fixture.psql(&[&copy, "select 41 + 1"])?;
        assert!(said.contains("cannot be read with these options") && said.contains("42\n"), "{options}: {said}");
    }
    Ok(())
}

#[test]
fn what_a_name_stands_for_is_followed_through_both_ways_of_preparing() -> Result<()> {
    let fixture = Fixture::guarded("followed")?;
    let mut raw = Raw::connect(&fixture)?;
    let mut say = |statements: &[Vec<u8>], ready: usize| -> Result<String> {
        raw.send(statements)?;
        let said = raw.ready(ready)?;
        assert!(!said.contains("123-45"), "{said}");
        Ok(said)
    };
    let said = say(&[query("prepare a as select ssn from users where id = 1"), query("execute a")], 2)?;
    assert!(said.contains("*******6789"), "pipelined: {said}");
    let said = say(&[parse("b", "select name from users where id = 2"), sync(), query("execute b")], 2)?;
    assert!(said.contains("bob"), "{said}");
    let said = say(&[query("deallocate a"), query("prepare a as delete from logs"), query("execute a")], 3)?;
    assert!(said.contains("a delete names its rows") && said.contains("26000"), "{said}");
    let said = say(&[query("prepare a as select name from users where id = 2"), run_statement("a"), sync()], 2)?;
    assert!(said.contains("bob"), "{said}");
    // What fails beside it does not take the name back, and nobody can say that it did not fail itself.
    let said = say(&[query("prepare c as select ssn from users where id = 1; select 1 / 0"), query("execute c")], 2)?;
    assert!(said.contains("22012") && said.contains("*******6789"), "{said}");
    let said = say(&[query("execute nobody"), run_statement("nobody"), sync()], 2)?;
    assert_eq!(said.matches("26000").count(), 2, "{said}");
    Ok(())
}

#[test]
fn names_are_unknown_after_code_that_cannot_be_read() -> Result<()> {
    let policy = format!("{POLICY}\n@id(\"code\") permit (principal, action == Action::\"sql.execute\", resource);");
    let fixture = Fixture::new("renaming", &policy, SENSITIVE)?;
    let text = "create function again() returns int language plpgsql as $$ begin
        execute 'deallocate a'; execute 'prepare a as select ssn from users'; return 1; end $$";
    fixture.admin(text)?;
    let mut raw = Raw::connect(&fixture)?;
    raw.send(&[query("prepare a as select name from users"), query("execute a"), query("select again()")])?;
    assert!(raw.ready(3)?.contains("bob"));
    raw.send(&[query("execute a"), run_statement("a"), sync()])?;
    let said = raw.ready(2)?;
    assert!(!said.contains("123-45") && said.matches("C42501").count() == 2, "{said}");
    // All of them are known again.
    raw.send(&[query("deallocate all"), query("prepare a as select name from users"), query("execute a")])?;
    assert!(raw.ready(3)?.contains("bob"));
    Ok(())
}
