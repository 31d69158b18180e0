//! Statements and what they do: the analysis' promises, one line each.

mod called;
mod gives;
mod names;
mod own;
mod plpgsql;
mod reached;
mod sequences;

use std::collections::HashMap;
use std::sync::Arc;

use super::catalog::{Catalog, Column, Function, Relation, RelationKind};
use super::{Analyzer, Lineage, Outputs, Settings, Stream, Streamed, without_literals};
use crate::access::{Action, Tags};

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

pub(super) const CORPUS: &[(&str, &str)] = &[
    // Reading.
    ("", "session"),
    ("select 1", "read"),
    ("select id from users", "read users, read users.id"),
    ("select * from orders", "read orders, read orders.id, read orders.total, read orders.user_id"),
    ("select u.* from users u", "read users, read users.id, read users.name, read users.ssn"),
    ("select count(*) from users", "read users"),
    ("select upper(ssn) from users", "read users, read users.ssn"),
    ("select users from users", "read users, read users.id, read users.name, read users.ssn"),
    ("select \"ssn\" from \"users\"", "read users, read users.ssn"),
    ("select U&\"\\0073sn\" from users", "read users, read users.ssn"),
    ("SELECT SSN FROM USERS", "read users, read users.ssn"),
    ("select/**/ssn/* /* nested */ */from public.users", "read users, read users.ssn"),
    ("table users", "read users, read users.id, read users.name, read users.ssn"),
    ("values (1), (2)", "read"),
    ("select * from json_each('{}')", "read"),
    ("begin; select * from json_each('{}')", "read, session"),
    ("select x from (select ssn as x from users) t", "read users, read users.ssn"),
    ("with c as (select ssn from users) select * from c", "read users, read users.ssn"),
    (
        "select id from users union select id from orders",
        "read orders, read users, read orders.id, read users.id, filter orders.id, filter users.id",
    ),
    ("select (select ssn from users limit 1)", "read, read users, read users.ssn"),
    ("select id from missing", "read missing, read missing.id"),
    ("select case when ssn like '1%' then 1 end from users", "read users, read users.ssn, filter users.ssn"),
    ("select a from v", "read users, read v, read users.ssn, read v.a"),
    ("select relname from pg_class", "read pg_catalog.pg_class"),
    ("select most_common_vals from pg_stats", "read pg_catalog.pg_stats"),
    ("select most_common_vals from pg_catalog.pg_stats", "read pg_catalog.pg_stats"),
    ("select 1 from pg_stats where null_frac < 0.5", "read pg_catalog.pg_stats, unknown"),
    ("select stavalues1 from pg_statistic", "read pg_statistic, read pg_statistic.stavalues1, unknown"),
    ("select query from pg_catalog.pg_stat_activity", "read pg_catalog.pg_stat_activity"),
    ("select a.query from pg_stat_activity a", "read pg_catalog.pg_stat_activity"),
    ("select * from pg_stat_activity", "read pg_catalog.pg_stat_activity, unknown"),
    ("select a from pg_stat_activity a", "read pg_catalog.pg_stat_activity"),
    ("select case when true then a.query end from pg_stat_activity a", "read pg_catalog.pg_stat_activity"),
    ("select query::int from pg_stat_activity", "read pg_catalog.pg_stat_activity, unknown"),
    ("select distinct query from pg_stat_activity", "read pg_catalog.pg_stat_activity, unknown"),
    ("select max(query) from pg_stat_activity", "read pg_catalog.pg_stat_activity, unknown"),
    ("select pg_notify('x', query) from pg_stat_activity", "read pg_catalog.pg_stat_activity, session, unknown"),
    ("create view w as select query from pg_stat_activity", "read pg_catalog.pg_stat_activity, create w, unknown"),
    ("select attname, attmissingval from pg_attribute", "read pg_catalog.pg_attribute"),
    ("select 1 from pg_attribute where attmissingval is null", "read pg_catalog.pg_attribute, unknown"),
    ("select a.c2 from pg_stat_activity a (c1, c2)", "read pg_catalog.pg_stat_activity, unknown"),
    ("select pid from pg_stat_activity where query like '%x%'", "read pg_catalog.pg_stat_activity, unknown"),
    ("select pid from pg_stat_activity order by query", "read pg_catalog.pg_stat_activity, unknown"),
    (
        "select 1 from pg_stat_activity a join pg_stat_activity b using (query)",
        "read pg_catalog.pg_stat_activity, unknown",
    ),
    ("select 1 from pg_stat_activity a natural join pg_stat_activity b", "read pg_catalog.pg_stat_activity, unknown"),
    ("select x.pid from (select * from pg_stat_activity) x", "read pg_catalog.pg_stat_activity, unknown"),
    (
        "select relname, seq_tup_read from pg_class, pg_stat_user_tables",
        "read pg_catalog.pg_class, read pg_catalog.pg_stat_user_tables",
    ),
    (
        "select j.seq_tup_read from (pg_class join pg_stat_user_tables on true) j",
        "read pg_catalog.pg_class, read pg_catalog.pg_stat_user_tables",
    ),
    ("select pid, state from pg_stat_activity where datname = 'x'", "read pg_catalog.pg_stat_activity"),
    (
        "select count(*) from pg_locks l join pg_class c on c.oid = l.relation",
        "read pg_catalog.pg_class, read pg_catalog.pg_locks",
    ),
    ("select name, setting from pg_settings", "read pg_catalog.pg_settings, session"),
    ("select (information_schema._pg_expandarray(indkey)).n from pg_index", "read pg_catalog.pg_index"),
    ("select information_schema._pg_anything(1)", "read, execute information_schema._pg_anything"),
    (
        "with recursive r as (select id from orders union all select o.id from orders o, r where o.id = r.id) \
         search depth first by id set s cycle id set c using p select id from r order by s",
        "read orders, read orders.id, filter orders.id",
    ),
    (
        "with recursive r as (select ssn from users union all select u.ssn from users u, r where u.id = 1) \
         cycle ssn set c using p select c from r",
        "read users, read users.ssn, filter users.id [=], filter users.ssn",
    ),
    ("select id into copy from users", "read users, read users.id, create copy"),
    // Filtering.
    ("select id from users where ssn = '1'", "read users, read users.id, filter users.ssn [=]"),
    ("select id from users where ssn = $1", "read users, read users.id, filter users.ssn [=]"),
    ("select id from users where ssn in ('1', '2')", "read users, read users.id, filter users.ssn [=]"),
    ("select id from users where '1' = any (ssn)", "read users, read users.id, filter users.ssn"),
    ("select id from users where ssn = any (array['1', '2'])", "read users, read users.id, filter users.ssn [=]"),
    (
        "select u.id from users u where u.name = any (u.ssn)",
        "read users, read users.id, filter users.name, filter users.ssn",
    ),
    ("delete from users where '1' = any (name)", "filter users.name, delete users [range]"),
    ("select id from users where ssn in (select '1')", "read users, read users.id, filter users.ssn"),
    ("select id from users where ssn > '1'", "read users, read users.id, filter users.ssn"),
    ("select id from users where lower(ssn) = '1'", "read users, read users.id, filter users.ssn"),
    ("select id from users where not (ssn = '1')", "read users, read users.id, filter users.ssn [=]"),
    ("select id from users where ssn = '1' and ssn > '0'", "read users, read users.id, filter users.ssn"),
    ("select id from users order by ssn", "read users, read users.id, filter users.ssn"),
    ("select count(*) from users group by ssn", "read users, filter users.ssn"),
    ("select 1 from users where exists (select ssn from users u)", "read users"),
    (
        "select o.id from orders o join users u on u.id = o.user_id",
        "read orders, read users, read orders.id, filter orders.user_id [=], filter users.id [=]",
    ),
    (
        "select total from orders join users using (id)",
        "read orders, read users, read orders.total, filter orders.id [=], filter users.id [=]",
    ),
    // Writing.
    ("insert into orders values (1, 2, 3)", "insert orders"),
    ("insert into orders select id, id, id from users", "read users, read users.id, insert orders"),
    (
        "insert into orders (total) select ssn from users",
        "read users, read users.ssn, insert orders, declassify orders.total",
    ),
    ("insert into users values (1) returning ssn", "read users.ssn, insert users"),
    ("insert into orders values (1) on conflict do nothing", "insert orders"),
    (
        "insert into orders values (1) on conflict (id) do update set total = 1",
        "filter orders.id, insert orders, update orders [equality]",
    ),
    (
        "insert into orders select 1 on conflict (id) do update set total = 1",
        "filter orders.id, insert orders, update orders [join]",
    ),
    ("update orders set total = 0", "update orders [none]"),
    ("update orders set total = 0 where true", "update orders [tautology]"),
    ("update orders set total = 0 where 1 = 1", "update orders [tautology]"),
    ("update orders set total = 0 where id = 1", "filter orders.id [=], update orders [equality]"),
    (
        "update orders set total = 0 where id = $1 and total > 3",
        "filter orders.id [=], filter orders.total, update orders [equality]",
    ),
    ("update orders set total = 0 where id = 1 or true", "filter orders.id [=], update orders [range]"),
    ("update orders set total = 0 where id > 1", "filter orders.id, update orders [range]"),
    ("update orders set total = 0 where id = any($1)", "filter orders.id, update orders [equality]"),
    ("select 1 from users where ssn = any('{a}')", "read users, filter users.ssn"),
    ("select 1 from users where ssn = any(array[$1])", "read users, filter users.ssn"),
    ("select 1 from users where ssn = any(array['a', 'b'])", "read users, filter users.ssn [=]"),
    ("select 1 from users where ssn = any(array[array['a'], array['b']])", "read users, filter users.ssn"),
    (
        "select 1 from users where ssn = any(array[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17])",
        "read users, filter users.ssn",
    ),
    ("select 1 from users where ssn in ($1, 'b')", "read users, filter users.ssn [=]"),
    (
        "update orders set total = 0 where id in (select id from users)",
        "read users, filter orders.id, filter users.id, update orders [join]",
    ),
    ("update orders set total = 0 where id = id", "filter orders.id [=], update orders [range]"),
    ("update users set name = ssn", "read users.ssn, update users [none], declassify users.name"),
    ("delete from orders", "delete orders [none]"),
    ("delete from orders where id is distinct from 1", "filter orders.id, delete orders [range]"),
    ("delete from orders where id is not distinct from 1", "filter orders.id, delete orders [range]"),
    ("delete from orders where nullif(total, 0)", "filter orders.total, delete orders [range]"),
    ("select id from users where ssn is not distinct from 'x'", "read users, read users.id, filter users.ssn"),
    ("alter role app rename to other", "privilege"),
    ("alter policy p on users rename to q", "privilege"),
    ("alter database db rename to other", "admin"),
    ("drop policy p on users", "drop, privilege"),
    (
        "delete from orders where id = 1 returning *",
        "read orders.id, read orders.total, read orders.user_id, filter orders.id [=], delete orders [equality]",
    ),
    (
        "delete from orders using users where users.id = orders.id",
        "read users, filter orders.id [=], filter users.id [=], delete orders [join]",
    ),
    ("with d as (delete from orders returning id) select * from d", "read orders.id, delete orders [none]"),
    ("truncate orders, users", "truncate orders, truncate users"),
    (
        "merge into orders o using users u on o.id = u.id when matched then delete when not matched then insert values (1, 2, 3)",
        "read users, filter orders.id [=], filter users.id [=], insert orders, delete orders [none]",
    ),
    ("copy orders from stdin", "insert orders"),
    ("copy orders (id) to stdout", "read orders, read orders.id"),
    ("copy (select ssn from users) to stdout", "read users, read users.ssn"),
    ("copy orders to '/tmp/x'", "read orders, file"),
    ("copy orders from program 'id'", "insert orders, file"),
    ("update pg_settings set setting = 'off'", "update pg_catalog.pg_settings [none], unknown"),
    // Form.
    ("create table t (a int)", "create t"),
    ("create table t as select ssn from users", "read users, read users.ssn, create t, declassify t"),
    ("create view w as select ssn from users", "read users, read users.ssn, create w, declassify w"),
    ("create unique index on users (ssn)", "filter users.ssn, create users, declassify users.ssn"),
    ("create index on users (ssn)", "create users"),
    ("alter table users alter name type text using ssn", "alter users, declassify users.ssn"),
    ("alter table users add unique (ssn)", "alter users, declassify users.ssn"),
    ("alter table users add check (ssn > '5')", "alter users, declassify users.ssn"),
    ("alter table users add x text generated always as (name) stored", "alter users"),
    ("alter table users add foreign key (id) references orders", "alter users"),
    ("select id from users tablesample system (10)", "read users, read users.id"),
    ("select id from users tablesample system ((select f()))", "unknown"),
    ("create index on orders (id)", "create orders"),
    ("alter table orders add x int", "alter orders"),
    ("alter table orders drop column total", "alter orders, drop orders"),
    ("alter table orders owner to x", "alter orders, privilege"),
    ("drop table orders", "drop orders"),
    ("drop table orders, users cascade", "drop orders, drop users"),
    ("drop schema public cascade", "drop"),
    ("drop owned by x", "drop, privilege"),
    ("drop function f(int)", "drop f"),
    ("create function g() returns int language sql as 'select 1'", "create pg_catalog.g"),
    // Session.
    ("begin", "session"),
    ("begin; drop table orders; commit", "drop orders, session"),
    ("set search_path = x", "session"),
    ("set search_path = x; drop table orders", "drop orders, session, unknown"),
    ("set search_path = x; create table t (a int)", "create t, session, unknown"),
    ("set search_path = x; drop table public.orders; set work_mem = 1; listen a", "drop orders, session"),
    ("set work_mem = 1; drop table orders", "drop orders, session"),
    ("set role x", "privilege"),
    ("set session authorization x", "privilege"),
    ("set session_replication_role = replica", "privilege"),
    ("set standard_conforming_strings = off", "unknown"),
    ("set client_encoding = 'SJIS'", "unknown"),
    ("select set_config('role', 'x', false)", "read, privilege"),
    ("select set_config('TimeZone', 'UTC', false)", "read, session"),
    ("select set_config('SEARCH_PATH', '', false)", "read, session"),
    ("select set_config('search_path', 'x', false), f()", "read, session, execute f"),
    ("select set_config('standard_conforming_strings', 'off', false)", "read, unknown"),
    ("select set_config('client_encoding', 'utf-8', false)", "read, session"),
    ("select set_config(name, 'x', false) from orders", "read orders, declassify, unknown"),
    ("do $$ begin create type m as enum ('a'); exception when duplicate_object then null; end $$", "create"),
    (
        "do $$ begin alter table orders add column x int; exception when duplicate_column then null; end $$",
        "alter orders",
    ),
    ("do $$ begin drop table orders; end $$", "drop orders"),
    ("do $$ begin create type m as enum ('a'); alter table orders add column x m; end $$", "execute pg_catalog.do"),
    ("do $$ begin create table x as select * from users; end $$", "execute pg_catalog.do"),
    ("do $$ begin do 'begin drop table orders; end'; end $$", "execute pg_catalog.do"),
    ("do $$ begin set search_path = x; end $$", "execute pg_catalog.do"),
    ("do $$ declare a int; begin create type m as enum ('a'); end $$", "execute pg_catalog.do"),
    ("do $$ begin create type m as enum ('a'); end $$; select 1 from orders", "read orders, create"),
    ("set row_security = off", "session"),
    ("set row_security = on", "privilege"),
    ("set restrict_nonsystem_relation_kind = 'view, foreign-table'", "session"),
    ("set restrict_nonsystem_relation_kind = 'view'", "privilege"),
    (
        "select relname from pg_locks l join pg_class c on c.oid = l.relation",
        "read pg_catalog.pg_class, read pg_catalog.pg_locks",
    ),
    (
        "select objid from pg_locks l join pg_class c on c.oid = l.relation",
        "read pg_catalog.pg_class, read pg_catalog.pg_locks",
    ),
    (
        "select l from pg_locks l join pg_class c on c.oid = l.relation",
        "read pg_catalog.pg_class, read pg_catalog.pg_locks",
    ),
    (
        "select c.oid from pg_class c where exists (select from pg_authid where rolpassword = relname)",
        "read pg_catalog.pg_authid, read pg_catalog.pg_class, unknown",
    ),
    (
        "select (select rolpassword from pg_class limit 1) from pg_authid",
        "read pg_catalog.pg_authid, read pg_catalog.pg_class",
    ),
    (
        "select (select rolname from pg_class where relname = 'x') from pg_authid",
        "read pg_catalog.pg_authid, read pg_catalog.pg_class",
    ),
    ("select * from pg_authid", "read pg_catalog.pg_authid, unknown"),
    (
        "select subconninfo from pg_subscription s, pg_class c",
        "read pg_catalog.pg_class, read pg_catalog.pg_subscription",
    ),
    ("select set_config($1, 'x', false)", "read, unknown"),
    (
        "select set_config(name, 'x', false) from pg_settings where name = 'bytea_output'",
        "read pg_catalog.pg_settings, session",
    ),
    (
        "select set_config(name, 'x', false) from pg_catalog.pg_settings where name = 'role'",
        "read pg_catalog.pg_settings, session, privilege",
    ),
    ("select set_config(name, 'x', false) from pg_settings", "read pg_catalog.pg_settings, session, unknown"),
    (
        "select set_config(name, 'x', false) from pg_settings where name <> 'bytea_output'",
        "read pg_catalog.pg_settings, session, unknown",
    ),
    (
        "select set_config(name, 'x', false) from pg_settings where name = 'bytea_output' or true",
        "read pg_catalog.pg_settings, session, unknown",
    ),
    (
        "select (select set_config(name, 'x', false) from (select 'role' as name) x) from pg_settings where name = 'bytea_output'",
        "read pg_catalog.pg_settings, session, unknown",
    ),
    (
        "with pg_settings as (select 'role' as name) select set_config(name, 'x', false) from pg_settings where name = 'bytea_output'",
        "unknown",
    ),
    (
        "select name from pg_settings where name = 'bytea_output' and set_config(name, 'x', false) = 'x'",
        "read pg_catalog.pg_settings, session, unknown",
    ),
    ("select set_config('x.y', ssn, false) from users", "read users, read users.ssn, session, declassify users.ssn"),
    ("select public.set_config('TimeZone', 'x', false)", "read, execute set_config"),
    ("set standard_conforming_strings = on", "session"),
    ("set client_encoding = 'UTF8'", "session"),
    ("set client_encoding = 'LATIN1'", "unknown"),
    ("set names 'utf8'", "session"),
    ("set backslash_quote = 'on'", "unknown"),
    ("reset client_encoding", "unknown"),
    ("select pg_notify('x', 'y')", "read, session"),
    (
        "select pg_notify('x', ssn) from users",
        "read users, read users.ssn, filter users.ssn, session, declassify users.ssn",
    ),
    ("show all", "session"),
    ("listen x", "session"),
    ("notify x, 'y'", "session"),
    ("lock orders", "session"),
    ("declare c cursor for select ssn from users", "read users, read users.ssn, session"),
    ("fetch all from c", "session"),
    ("prepare p as delete from orders", "delete orders [none], session"),
    ("execute p", "session, unknown"),
    ("discard all", "session"),
    ("explain select ssn from users", "read users"),
    ("explain select id from users where ssn = '1'", "read users, filter users.ssn [=], declassify users.ssn"),
    ("explain analyze delete from orders", "delete orders [none]"),
    ("explain analyze select upper(ssn) from users", "read users"),
    ("explain analyze select ssn from users order by id", "read users, filter users.id"),
    ("explain select upper(ssn) from users order by id", "read users, filter users.id"),
    ("explain (analyze, serialize text) select upper(ssn) from users", "read users, declassify users.ssn"),
    ("set temp_file_limit = '1MB'", "privilege"),
    ("explain analyze select upper(ssn) from users order by id", "read users, filter users.id, declassify users.ssn"),
    (
        "explain analyze select id from (select id, upper(ssn) as x from users) t order by id",
        "read users, filter users.id, declassify users.ssn",
    ),
    // Everything else.
    ("grant select on users to x", "privilege"),
    ("create role x", "privilege"),
    ("alter role x set search_path = y", "privilege"),
    ("reassign owned by x to y", "privilege"),
    ("vacuum", "admin"),
    ("analyze users", "admin"),
    ("alter system set fsync = off", "admin"),
    ("create extension dblink", "admin"),
    ("refresh materialized view v", "admin"),
    ("create database x", "admin"),
    ("do $$ begin execute 'drop table users'; end $$", "execute pg_catalog.do"),
    ("call f()", "execute f"),
    ("select f()", "read, execute f"),
    ("select pg_read_file('/etc/passwd')", "read, execute pg_catalog.pg_read_file"),
    ("select lo_import('/etc/passwd')", "read, execute pg_catalog.lo_import"),
    ("select query_to_xml('select ssn from users', true, true, '')", "read, execute pg_catalog.query_to_xml"),
    ("select * from dblink('', 'select 1') as t(a int)", "execute pg_catalog.dblink"),
    ("select 1 operator(x.=) 2", "read, unknown"),
    // What the grammar does not know.
    ("selec 1", "unknown"),
    ("select '", "unknown"),
    ("drop table", "unknown"),
];

#[test]
fn every_statement_does_what_the_table_says() {
    let wrong: Vec<String> = CORPUS
        .iter()
        .filter(|(text, expected)| effects(text) != *expected)
        .map(|(text, expected)| format!("{text}\n  expected {expected}\n  found    {}", effects(text)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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
