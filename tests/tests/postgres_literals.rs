//! Literals that the server reads while it parses, by code of the database's own.

#[path = "postgres_relay/fixture.rs"]
mod fixture;

use anyhow::Result;
use fixture::{Fixture, POLICY, Raw, SENSITIVE, parse, query, said, sync};

const SSN: &str = "123-45";

/// Statements with a literal of an array, a row or a range of a domain, by which the server runs its check while it parses.
const READING: &[&str] = &[
    "select lag(d, 1, 'v') over () from t",
    "select coalesce(d, 'w'), case when id = 2 then d end from t",
    "select array_append(array_agg(d), null) = '{x}' from t",
    "select '{[x,y]}'::deletings_multirange",
    "select range_agg(rng) = '{[x,y]}' from t",
    "select multirange(rng) = '{[x,y]}' from t",
    "select x.a = '{x}' from (select array_agg(d) as a from t) x",
    "select arr = $1 or arr = '{x}' from t",
    "select keeps(null) = '{x}'",
    "select array_fill(d, array[1]) = '{x}' from t",
    "prepare p (deleting[]) as select $1 = '{x}'",
    "declare c cursor for select arr = '{x}' from t",
    "explain select arr = '{x}' from t",
    "create table kept as select coalesce(arr, '{x}') from t",
    "create view v as select coalesce(arr, '{x}') as c from t",
    "copy (select arr = '{x}' from t) to stdout",
    "select * from unnest('{x}'::deleting[]) u",
    "select ltrim(d) = 'x' or arr <@ '{x}' from t",
    "select min(d) over (order by arr rows between 1 preceding and current row) is null or arr > '{x}' from t",
    "select '{x}'::deleting[]",
    "select coalesce(arr, '{x}') from t",
    "select arr from t union all select '{x}'",
    "select greatest(arr, '{x}') from t",
    "select case when id = 1 then arr else '{x}' end from t",
    "select case arr when '{x}' then 1 end from t",
    "select * from t where arr in ('{x}')",
    "select * from t where arr in ('{x}', '{y}')",
    "select * from t where arr between '{x}' and '{y}'",
    "select nullif(arr, '{x}') from t",
    "select lag(arr, 1, '{x}') over () from t",
    "select array_cat(arr, '{x}') from t",
    "select arr || '{x}' from t",
    "select takes('{x}')",
    "select same(arr, '{x}') from t",
    "select * from (values ('{a}'::deleting[]), ('{x}')) v",
    "values ((select arr from t)), ('{x}')",
    "select array[arr, '{x}'] from t",
    "select (arr, 1) = ('{x}', 1) from t",
    "select (id, arr) in (('1', '{x}')) from t",
    "select coalesce(r, '(1,x)') from t",
    "select r from t union select '(1,x)'",
    "insert into t (arr) values ('{x}')",
    "insert into t (arr) select '{x}'",
    "update t set arr = '{x}'",
    "update t set r = '(1,x)'",
    "merge into t using (select 1 as i) s on true when matched then update set arr = '{x}'",
    "select arr @> '{x}' from t",
    "select id from t order by arr = '{x}'",
    "select arr is distinct from '{x}' from t",
    "select exists (select 1 from t where arr = '{x}')",
    "select x from unnest(array['{x}'::text]) x, t where arr = '{x}'",
    "with a as (select arr from t) select * from a where arr <> '{x}'",
    "select * from json_to_record('{}') as x(arr deleting[]) where arr = '{x}'",
    "select '(1,x)'::pair",
    "select cast(null as deleting[]) = '{x}'",
    "select arr[:] = '{x}' from t",
    "select array_agg(d) = '{x}' from t",
    "select max(arr) filter (where arr = '{x}') from t",
    "select * from t limit case when (select arr from t) = '{x}' then 1 end",
    "select array(select d from t) = '{x}'",
    "select array(select arr from t) = '{{x}}'",
    "with recursive w(a) as (select arr from t union all select '{x}') select * from w",
    "select * from t a join t b on a.arr = '{x}'",
    "select percentile_disc(0.5) within group (order by arr) = '{x}' from t",
    "select first_value(arr) over w from t window w as (partition by arr = '{x}')",
    "select '[x,y]'::deletings",
    "select rng = '[x,y]' from t",
    "select rng && '[x,y]' from t",
    "select d <@ rng, rng @> '[x,y)' from t",
    "select rng + '[x,y]' from t",
    "insert into t (rng) values ('[x,y]')",
    "select * from t where rng in ('[x,y]', '[a,b]')",
    "update t set (arr, id) = ('{x}', 1)",
    "insert into t default values returning arr = '{x}'",
    "insert into t (id) values (1) on conflict do nothing returning arr || '{x}'",
    "delete from t where arr = '{x}'",
    "delete from t where arr = '{x}' and id = 1",
    "select array_cat('{x}', arr) from t",
    "select array_agg(arr || '{x}') from t",
    "select (select arr from t) = '{x}'",
    "select d || 'x', arr = '{x}' from t",
    "select cast('{x}' as deleting[])",
    "select pair '(1,x)'",
    "select array['(1,x)'::pair]",
    "select array[r, '(1,x)'] from t",
    "table t union all select 1, '{x}', 'x', '(1,x)', '[x,y]'",
    "select * from t natural join (select arr from t) q where q.arr = '{x}'",
    "select * from t tablesample system (50) where arr = '{x}'",
    "select * from rows from (unnest(array[1])) as u(i), t where arr = '{x}'",
    "select * from t, lateral (select coalesce(t.arr, '{x}')) q",
    "select array_ndims(coalesce(arr, '{x}')) from t",
    "select f.* from t, takes('{x}') f",
    "select * from takes('{x}')",
    "select array_upper(arr || '{x}', 1) from t",
    "select count(*) from t group by arr having arr = '{x}'",
    "select count(*) from t group by coalesce(arr, '{x}')",
    "select grouping(arr) from t group by rollup (arr) having arr = '{x}'",
    "select sum(id) over (order by arr = '{x}') from t",
    "select string_agg(d, ',' order by arr = '{x}') from t",
    "select json_build_object('a', coalesce(arr, '{x}')) from t",
    "select xmlelement(name a, coalesce(arr, '{x}')) from t",
    "select 1 where exists (select arr from t except select '{x}')",
    "select case when true then '{x}' else (select arr from t) end",
    "select case d when 'x' then arr else '{x}' end from t",
    "select q.z from (select arr as z from t) q where q.z >= '{x}'",
    "insert into t (arr) values ('{x}'), ('{y}')",
    "insert into t (r) values ('(1,x)') on conflict do nothing",
    "update t set arr = coalesce(arr, '{x}')",
    "update t set arr = case when id = 1 then '{x}' else arr end",
    "merge into t using t s on t.id = s.id when not matched then insert (arr) values ('{x}')",
    "merge into t using t s on t.arr = '{x}' when matched then delete",
];

#[test]
fn a_literal_that_the_server_reads_while_it_parses_runs_no_code_that_policy_does_not_permit() -> Result<()> {
    let fixture = Fixture::guarded("literals")?;
    fixture.admin(
        "create table n (x int);
         create function deletes(text) returns bool language sql as $$ delete from n returning true $$;
         create function tells(text) returns bool language plpgsql as
            $$ begin raise notice '%', (select ssn from users where id = 1); return true; end $$;
         create domain deleting as text check (deletes(value)); create domain telling as text check (tells(value));
         create type deletings as range (subtype = deleting); insert into n values (1)",
    )?;
    for text in ["select '[x,y]'::deletings", "select '{x}'::deleting[]", "select '{x}'::telling[]"] {
        let mut raw = Raw::connect(&fixture)?;
        // By itself, and where another batch ends before it.
        for frames in
            [vec![parse("", text)], vec![sync(), parse("", text)], vec![query("set jit = off"), parse("", text)]]
        {
            let batches = frames.len();
            raw.send(&[frames, vec![sync()]].concat())?;
            let said = said(&mut raw, batches);
            assert!(!said.contains(SSN) && said.contains("42501"), "{text}: {said}");
        }
    }
    assert_eq!(fixture.admin("select count(*) from n")?.trim(), "1");
    // What policy permits is read, and what it says is cut.
    let policy = format!("{POLICY}\n@id(\"code\") permit (principal, action == Action::\"sql.execute\", resource);");
    let fixture = Fixture::new("permitted", &policy, SENSITIVE)?;
    fixture.admin(
        "create function tells(text) returns bool language plpgsql as
            $$ begin raise notice '%', (select ssn from users where id = 1); return true; end $$;
         create domain telling as text check (tells(value))",
    )?;
    let mut raw = Raw::connect(&fixture)?;
    raw.send(&[sync()])?;
    raw.ready(1)?;
    raw.send(&[parse("", "select '{x}'::telling[]"), sync()])?;
    let said = said(&mut raw, 1);
    assert!(!said.contains(SSN) && said.contains("withheld") && !said.contains("42501"), "{said}");
    Ok(())
}

/// By itself, with no Bind that would be decided on.
#[test]
fn whatever_gives_a_literal_its_type_it_is_decided_on_before_the_server_reads_it() -> Result<()> {
    let fixture = Fixture::guarded("reading")?;
    fixture.admin(&format!(
        "create table n (x int); insert into n values (1);
         create function deletes(text) returns bool language sql as $$ delete from n returning true $$;
         create domain deleting as text check (deletes(value)); create type pair as (a int, d deleting);
         create type deletings as range (subtype = deleting);
         create table t (id int, arr deleting[], d deleting, r pair, rng deletings);
         create function takes(deleting[]) returns int language sql as 'select 1';
         create function keeps(int) returns deleting[] language sql as 'select null::deleting[]';
         create function same(anyarray, anyarray) returns int language sql as 'select 1';
         grant all on n, t to {}",
        fixture.server.role()
    ))?;
    let mut ran = Vec::new();
    for text in READING {
        // As it is, and beside what nobody has, which the server would say itself.
        let takes_with = ["select", "insert", "update", "delete", "merge", "table", "values"]
            .iter()
            .any(|word| text.starts_with(word));
        let beside = takes_with.then(|| format!("with nobody as (select missing(id) from users) {text}"));
        for text in [Some((*text).to_owned()), beside].into_iter().flatten() {
            let mut raw = Raw::connect(&fixture)?;
            raw.send(&[parse("", &text), sync()])?;
            let said = said(&mut raw, 1);
            let left = fixture.admin("select count(*) from n")?;
            if !said.contains("42501") || left.trim() != "1" {
                ran.push(format!("{text}: {said}"));
                fixture.admin("delete from n; insert into n values (1)")?;
            }
        }
    }
    assert!(ran.is_empty(), "{} of {}:\n{}", ran.len(), READING.len(), ran.join("\n"));
    Ok(())
}
