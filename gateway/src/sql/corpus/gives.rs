//! What gives a name of the catalog away, for who has begun to read by it.

use super::catalog;
use crate::sql::{Analyzer, Settings};

fn gives_away(text: &str) -> bool {
    Analyzer::default().analyze(text.as_bytes(), &catalog(), &Settings::default()).gives_away
}

#[test]
fn a_name_is_given_away_by_what_changes_it_and_by_what_comes_before_it() {
    for text in [
        "alter table orders rename to old",
        "alter table orders rename total to id",
        "alter table orders add column ssn text",
        "alter table orders drop column total",
        "alter table orders alter total type text",
        "alter table orders set schema w",
        "alter table orders add foreign key (user_id) references users on delete cascade",
        "alter table orders enable rule r",
        "alter schema w rename to x",
        "alter extension e set schema x",
        "drop table orders",
        "drop function f",
        "drop owned by somebody",
        "create or replace view v as select 1 as id",
        "create view w.nowhere as select id from orders",
        "create function g() returns int language sql as 'select 1'",
        "create operator === (leftarg = text, rightarg = text, function = f)",
        "create cast (text as int) with inout",
        "create domain d as text",
        "create rule r as on delete to orders do instead nothing",
        "create trigger t before delete on orders for each row execute function f()",
        // Before another of its name, on somebody's path.
        "create table w.orders (id int)",
        "create table w.orders as select 1 as id",
        "select 1 as id into w.orders",
        "create sequence w.orders",
        "create schema w create table orders (id int)",
        // With what may be seen nowhere else.
        "create table t as select ssn from users",
        "create table t partition of orders for values in (1)",
        "create table t () inherits (orders)",
        // In the place of what this text did away with.
        "drop table orders; create table orders (id int)",
        "create index i on orders (id); create table t (id int)",
        "commit prepared 'one'",
        "what is this",
    ] {
        assert!(gives_away(text), "{text}");
    }
    for text in [
        "select ssn from users",
        "select f()",
        "begin",
        "commit",
        "create table t (id int primary key, note text)",
        "create table if not exists t (id int)",
        "create table t as select id from orders",
        "select id into t from orders",
        "create temp table orders (id int)",
        "create temp table orders as select ssn from users",
        "create sequence t",
        "create schema w",
        "create index concurrently i on orders (id)",
        "create unique index i on orders ((id + 1)) where id > 0",
        "reindex table orders",
        "vacuum full orders",
        "analyze orders",
        "cluster orders using i",
        "comment on table orders is 'x'",
        "grant select on orders to public",
        "alter role somebody set search_path = w",
        "alter table orders add primary key (id)",
        "alter table orders validate constraint c, alter id set not null",
        "discard all",
    ] {
        assert!(!gives_away(text), "{text}");
    }
}
