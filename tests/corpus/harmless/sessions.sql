-- Transactions, cursors, settings, prepared statements, streams, temporary tables, notifications, sequences.
--- transaction: same
begin;
insert into logs (line) values ('x');
commit;
--- transaction rolled back: same
begin;
insert into logs (line) values ('x');
rollback;
select count(*) from logs;
--- start transaction: same
start transaction isolation level serializable read only;
select count(*) from orders;
end;
--- isolation: same
begin isolation level repeatable read;
show transaction_isolation;
commit and chain;
select 1;
commit;
--- savepoint: same
begin;
savepoint a;
insert into logs (line) values ('x');
rollback to savepoint a;
release a;
commit;
--- nested savepoints: same
begin;
savepoint a;
savepoint b;
insert into logs (line) values ('x');
rollback to b;
insert into logs (line) values ('y');
release savepoint a;
commit;
select line from logs order by id;
--- commit without a transaction: same
commit;
--- rollback without a transaction: same
rollback;
--- begin twice: same
begin;
begin;
commit;
--- error in a transaction: same
begin;
select 1 / 0;
select 1;
commit;
--- error after a savepoint: same
begin;
savepoint a;
select 1 / 0;
rollback to a;
select 2;
commit;
--- transaction and what comes after it in one message: same; forms simple
begin; insert into logs (line) values ('x'); commit; select line from logs order by id;
--- end of a transaction and what comes after it in one message: same; forms simple
begin;
set local statement_timeout = 10000;
insert into logs (line) values ('x');
commit; select line from logs order by id;
begin;
insert into logs (line) values ('y');
rollback; select line from logs order by id;
--- end of a transaction and what comes after it in a pipeline: same; pipelined
begin;
set local statement_timeout = 10000;
insert into logs (line) values ('x');
commit;
select line from logs order by id;
--- several in one message: same; forms simple
select 1; select 2; select 3;
--- several with a failing one: same; forms simple
insert into logs (line) values ('x'); select 1 / 0; select 2;
--- transaction in one message: same; forms simple
begin; insert into logs (line) values ('x'); select count(*) from logs; rollback; select count(*) from logs;
--- empty ones between: same; forms simple
select 1;;; select 2;
--- pipeline: same; pipelined
select 1;
select id from orders order by id limit 2;
insert into logs (line) values ('x');
select count(*) from logs;
--- pipeline with an error: same; pipelined; forms extended
select 1;
select 1 / 0;
select 2;
--- pipeline of a transaction: same; pipelined
begin;
insert into logs (line) values ('x');
select 2;
commit;
--- cursor: same
begin;
declare c cursor for select id, total from orders order by id;
fetch 2 from c;
fetch forward 3 from c;
move 1 from c;
fetch all from c;
close c;
commit;
--- scrolling cursor: same
begin;
declare c scroll cursor for select id from orders order by id;
fetch last from c;
fetch backward 2 from c;
fetch absolute 1 from c;
fetch relative 1 from c;
commit;
--- holding cursor: same
declare c cursor with hold for select id from products join orders using (sku) order by id;
fetch 3 from c;
close c;
--- binary cursor: same
begin;
declare c binary cursor for select id from orders order by id;
fetch 2 from c;
commit;
--- update of a cursor's row: same
begin;
declare c cursor for select * from counters where name = 'visits' for update;
fetch c;
commit;
--- cursor that is none: same
fetch all from nobody;
--- portal with a limit: same
\limit 2
select id from orders order by id;
--- portal by name: same
begin;
\parse s select id from orders where id > $1 order by id
\bind c s 3
\portal c 2
\portal c 0
commit;
--- named statement: same
\parse s select id, total from orders where user_id = $1 order by id
\execute s 1
\execute s 2
\execute s \N
--- named statement that writes: same
\parse s insert into logs (line) values ($1) returning line
\execute s a
\execute s b
--- named statement twice: same
\parse s select 1
\parse s select 2
--- statement that is none: same
\execute nobody
--- prepare: same
prepare p (int) as select id, total from orders where user_id = $1 order by id;
execute p (1);
execute p (2);
deallocate p;
--- prepare of a write: same
prepare p (text) as insert into logs (line) values ($1) returning line;
execute p ('x');
--- prepare with an expression: same
prepare p (int) as select $1 + 1;
execute p (2 * 3);
--- deallocate all: same
prepare p as select 1;
deallocate all;
execute p;
--- prepare rolled back: same
begin;
prepare p as select id from orders order by id;
rollback;
execute p;
--- prepare in one message: same; forms simple
prepare p as select 1; execute p; deallocate p;
--- prepare twice: same
prepare p as select 1;
prepare p as select 2;
execute p;
--- prepare, explained: same
prepare p (int) as select $1;
explain (costs off) execute p (1);
--- prepare into a table: same
prepare p as select id, total from orders;
create temp table w as execute p;
select count(*) from w;
--- prepare of users: same
prepare p (int) as select id, name from users where id = $1;
execute p (1);
execute p (2);
--- prepare, run by the protocol: same
prepare s (int) as select id, total from orders where user_id = $1 order by id;
\execute s 1
\execute s 2
--- named statement, run by sql: same
\parse s select id, total from orders where user_id = 1 order by id
execute s;
deallocate s;
--- execute of what is none: same
execute nobody;
--- deallocate of what is none: same
deallocate nobody;
--- close of what is none: same
close nobody;
--- two cursors: same
begin;
declare a cursor for select id, total from orders order by id;
declare b cursor for select sku, title from products order by sku;
fetch 2 from a;
fetch 2 from b;
close all;
commit;
--- cursor of users' names: same
begin;
declare c scroll cursor for select id, name from users order by id;
fetch 2 from c;
move 1 from c;
fetch prior from c;
commit;
--- cursor of a portal's name: same
begin;
\parse s select id from orders order by id
\bind c s
fetch 2 from c;
close c;
commit;
--- prepared, seen: same
prepare p as select 1;
select name, from_sql from pg_prepared_statements where from_sql;
--- show: same
show search_path;
--- show of several: same
show server_version;
show timezone;
show transaction_read_only;
show max_connections;
--- set: same
set work_mem = '8MB';
show work_mem;
reset work_mem;
--- set local: same
begin;
set local statement_timeout = '5s';
show statement_timeout;
commit;
show statement_timeout;
--- set of the time zone: same
set time zone 'Europe/Berlin';
select timestamptz '2024-01-01 00:00:00+00';
--- set of the date style: same
set datestyle = 'German';
select date '2024-12-31';
--- set of the application's name: same
set application_name = 'nightly';
show application_name;
--- set at start: same
\startup application_name=batch
\startup options=-c statement_timeout=9s
show application_name;
show statement_timeout;
--- set of one's own: same
set my.own = 'x';
select current_setting('my.own');
show my.own;
--- set as ORMs do: same; forms simple
SET client_min_messages TO 'warning'; SET standard_conforming_strings = on; SET TIME ZONE 'UTC'; SET extra_float_digits = 3;
--- set of the encoding to what it is: same
set client_encoding = 'UTF8';
select 'ä';
--- names: same
set names 'UTF8';
--- characteristics: same
set session characteristics as transaction isolation level read committed;
select 1;
--- constraints: same
begin;
set constraints all deferred;
commit;
--- discard plans: same
discard plans;
discard sequences;
discard temp;
--- discard all: same
discard all;
select 1;
--- reset all: same
reset all;
show search_path;
--- path: same
set search_path = other, public;
select value from settings where key = 'color';
select count(*) from orders;
--- temporary table: same
create temp table w (id int primary key, x text default 'd');
insert into w values (1, 'a'), (2, default);
update w set x = 'b' where id = 1;
select * from w order by id;
--- temporary table of a query: same
create temp table w as select sku, sum(total) as total from orders group by sku;
select * from w order by sku;
--- temporary table that ends with its transaction: same
begin;
create temp table w (id int) on commit drop;
insert into w values (1);
select * from w;
commit;
select * from w;
--- temporary table, copied into: same
create temp table w (a int, b text);
copy w from stdin;
\copy 1\tx
\copy 2\ty
select * from w order by a;
--- temporary table of users: same
create temp table w as select id, name from users;
select count(*) from w;
--- table made and used: same
create table w (id serial primary key, x text not null, unique (x));
insert into w (x) values ('a'), ('b') returning id;
select * from w order by id;
--- table altered: same
create table w (id int);
alter table w add column x text default 'd';
insert into w values (1);
select * from w;
--- foreign keys added: same
create table w (id int);
insert into w values (1), (2);
alter table w add foreign key (id) references users;
alter table w add foreign key (id) references users (id) not valid;
select * from w order by id;
--- view made: same
create view w as select id, total from orders where total > 50;
select * from w order by id;
--- index made: same
create index w on orders (placed);
select id from orders where placed = '2024-01-05';
--- sequence made: same
create sequence w increment 5;
select nextval('w'), nextval('w'), currval('w');
--- sequence: same
select nextval('tickets_seq'), currval('tickets_seq'), lastval();
--- sequence read: same
select last_value, is_called from tickets_seq;
--- sequence before it is used: same
select currval('tickets_seq');
--- copy out: same
copy orders to stdout;
--- copy out in csv: same
copy (select id, sku, total from orders order by id) to stdout (format csv, header);
--- copy out in binary: same
copy counters to stdout (format binary);
--- copy out of columns: same
copy products (sku, title) to stdout (delimiter '|', null '-');
--- copy out of users' harmless columns: same
copy users (id, name, email) to stdout;
--- copy out of users by a query: same
copy (select id, name from users order by id) to stdout (format csv);
--- copy out in a transaction: same
begin;
copy (select id, sku from orders order by id) to stdout with csv header;
copy counters to stdout;
commit;
--- copies out in one message: same; forms simple
copy counters to stdout; select 1; copy products (sku) to stdout (format csv);
--- copy out that fails: same
copy (select 1 / (n - 3) from generate_series(1, 5) n) to stdout;
--- copy out of nothing: same
copy (select 1 where false) to stdout;
--- copy out in another encoding: same
copy products (title) to stdout (encoding 'LATIN1');
--- copy in: same
copy logs (line) from stdin;
\copy one
\copy two
select count(*) from logs;
--- copy in in csv: same
copy counters from stdin (format csv);
\copy a,1
\copy "b,c",2
select * from counters order by name;
--- copy in of nothing: same
copy logs (line) from stdin;
--- copy in that fails: same
copy counters from stdin;
\copy x\tnot a number
--- copy in of users: same
copy users (id, name, email) from stdin;
\copy 30\tIda\tida@example.org
select name from users where id = 30;
--- copy in old words: same
copy counters from stdin with csv delimiter ';';
\copy a;1
--- listen: same
listen x;
notify x, 'hello';
unlisten x;
--- notification by function: same
listen x;
select pg_notify('x', 'payload');
unlisten *;
--- notification in a transaction: same
listen x;
begin;
notify x;
notify x;
commit;
--- lock: same
begin;
lock table orders in share mode;
commit;
--- advisory lock: same
select pg_try_advisory_lock(42), pg_advisory_unlock(42);
--- advisory lock of a transaction: same
begin;
select pg_advisory_xact_lock(42);
commit;
--- backend: same; differs process numbers
select pg_backend_pid(), txid_current_if_assigned();
--- version: same
select version();
--- who: same
select current_user = session_user, current_schema(), current_schemas(true), current_catalog = current_database();
--- ping: same
SELECT 1;
--- ping of hikari: same
select 1 as ping;
--- in recovery: same
select pg_is_in_recovery();
--- keepalive comment: same
/* keepalive */ select 1 /* trailing */;
--- query with a tag: same
select id from orders where id = 1 /*application:shop,controller:orders*/;
--- set by function: same
select set_config('statement_timeout', '5s', true);
select set_config('my.own', 'x', false), current_setting('my.own', true);
--- path by function: same
select set_config('search_path', 'other, public', false);
select value from settings where key = 'color';
--- path by function in a transaction: same
begin;
select set_config('search_path', 'other', true);
select value from settings where key = 'color';
commit;
select count(*) from orders;
--- settings seen: same
select name, setting from pg_settings where name in ('search_path', 'TimeZone') order by name;
--- notification by function in a transaction: same
listen x;
begin;
select pg_notify('x', line) from logs where false;
select pg_notify('x', 'a' || 1);
commit;
--- cursors, seen: same
begin;
declare c cursor for select id from orders;
select name, is_holdable, is_scrollable from pg_cursors;
rollback;
--- options that tell more: same; differs a tree is printed with places in the text
\startup options=-c debug_print_parse=on -c client_min_messages=log
select id from orders where id = 1;
create temporary table w (id int);
select id from w;
--- functions that name their row: same
select f_cancel(1);
select * from f_cancel(2);
select f_begin('visits');
select p_begin('visits');
do $$ declare n text; begin select name into n from counters where name = 'visits';
  insert into counters values (n, 0) on conflict (name) do update set value = 0; end $$;
--- functions that name their row by a parameter: same
\params 3
select f_cancel($1);
\params errors
select p_begin($1);
