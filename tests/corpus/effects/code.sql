-- Effects within code, and forms that hide what is done.
--- do: refused
do $$ begin delete from orders; end $$;
--- do with a built text: refused
do $$ begin execute 'dr' || 'op table docs'; end $$;
--- do in another language: refused
do language plpgsql $$ begin perform p_drop(); end $$;
--- do with a grant: refused
do $$ begin execute format('grant all on %I to public', 'users'); end $$;
--- do with a commit: refused
do $$ begin delete from orders; commit; end $$;
--- do with a copy: refused
do $$ begin execute 'copy (select 1) to ''{dir}/stolen'''; end $$;
--- do beside a query: refused; forms simple
select 1; do $$ begin delete from orders; end $$;
--- call: refused
call p_wipe();
--- call of sql: refused
call p_wipe_sql();
--- function that drops: refused
select p_drop() from users where id = 1;
--- function that deletes: refused
select f_delete();
--- function that deletes, in from: refused
select * from f_delete();
--- function that deletes, laterally: refused
select u.id from users u, lateral f_delete() where u.id = 1;
--- function that deletes, in a condition: refused
select id from users where f_delete() is not null;
--- function that deletes, in an order: refused
select id from users order by f_delete()::text;
--- function that deletes, in values: refused
values (f_delete());
--- function that deletes, in a limit: refused
select id from users limit (select 1 from (select f_delete()) x);
--- function that deletes, in a case: refused
select case when id = 1 then f_delete() end from users;
--- function that deletes, in a default of an insert: refused
insert into logs (line) values (f_delete()::text);
--- function that deletes, in an update: refused
update logs set line = f_delete()::text where id = 1;
--- function that deletes, in what is returned: refused
update logs set line = 'x' where id = 1 returning f_delete();
--- function that deletes, in a copy: refused
copy (select f_delete()) to stdout;
--- function that deletes, in a cursor: refused
begin;
declare c cursor for select f_delete();
fetch c;
commit;
--- function that deletes, in a prepared statement: refused
prepare p as select f_delete();
execute p;
--- function that deletes, as an argument: refused
prepare p (text) as select $1;
execute p (f_delete()::text);
--- function that deletes, in explain analyse: refused
explain analyze select f_delete();
--- function that deletes, in a set operation: refused
select 'x' union all select f_delete()::text;
--- function that deletes, in an aggregate's filter: refused
select count(*) filter (where f_delete() is null) from users;
--- function that deletes, in rows from: refused
select * from rows from (f_delete(), f_delete()) as t;
--- function that deletes, in a join: refused
select u.id from users u join orders o on f_delete() is null and o.id = 1;
--- function that deletes, in a window: refused
select count(*) over (partition by f_delete()::text) from users;
--- function that deletes, in tablesample: refused
select id from users tablesample bernoulli ((select 100 from (select f_delete()) x));
--- function that runs a text: refused
select p_run('delete from orders returning id');
--- function that runs a text from a parameter: refused
\params delete from orders returning id
select p_run($1);
--- function call: refused
\call f_delete()
--- function call that runs a text: refused
\call p_run(text) | delete from orders returning id
--- query to xml: refused; differs the server runs it read-only
select query_to_xml('delete from orders returning id', true, true, '');
--- query to xml in a column: refused; differs the server runs it read-only
select id, query_to_xml('update orders set state = ''void'' returning id', true, true, '') from users where id = 1;
--- text search statistics: refused; differs the server runs it read-only
select * from ts_stat('delete from orders returning to_tsvector(state)');
--- text search rewrite: refused; differs the server runs it read-only
select ts_rewrite('a'::tsquery, 'delete from orders returning ''a''::tsquery, ''b''::tsquery');
--- operator with a body: refused
select id from users where name === 'x';
--- operator with a body, spelled out: refused
select id from users where name operator(public.===) 'x';
--- trigger with a body: refused
insert into armed values (1, 'x');
--- trigger with a body, by copy: refused
copy armed from stdin;
\copy 1\tx
--- trigger with a body, in with: refused
with i as (insert into armed values (1, 'x') returning id) select * from i;
--- trigger with a body, by merge: refused
merge into armed a using (values (1)) v (id) on a.id = v.id when not matched then insert values (v.id, 'x');
--- trigger with a body, by a conflict: refused
insert into armed values (1, 'x') on conflict do nothing;
--- trigger of a view: refused
insert into v_instead values (1, 'x');
--- rule that deletes: refused
insert into fuse values (1, 'x');
--- rule that deletes, by a query: refused
insert into fuse select 1, 'x';
--- rule that deletes, in a prepared statement: refused
prepare p as insert into fuse values (1, 'x');
execute p;
--- rule that deletes instead: refused
update v_ruled set name = 'x' where id = 1;
--- rule that copies what is sensitive: refused
insert into inbox values (1, 'x');
--- explain analyse of a delete: refused
explain analyze delete from orders;
--- explain analyse in brackets: refused
explain (analyze, format json) delete from orders;
--- explain analyse with a word: refused
explain (analyze true) update orders set state = 'void';
--- explain analyse of a table made: refused
explain analyze create table w as select 1;
--- explain analyse of an execute: refused
prepare p as delete from orders;
explain analyze execute p;
--- prepared delete: refused
prepare p as delete from orders;
execute p;
--- prepared delete in one message: refused; forms simple
prepare p as delete from orders; execute p;
--- prepared by the protocol: refused
\parse s delete from orders
\execute s
--- prepared by the protocol, run by sql: refused
\parse s delete from orders
execute s;
--- prepared by sql, run by the protocol: refused
prepare s as delete from orders;
\execute s
--- prepared by the protocol, explained and analysed by sql: refused
\parse s delete from orders
explain analyze execute s;
--- prepared by the protocol, fetched by sql: refused
begin;
\parse s delete from orders returning id
\bind c s
fetch all from c;
commit;
--- prepared by the protocol, moved by sql: refused
begin;
\parse s delete from orders returning id
\bind c s
move all from c;
commit;
--- prepared beside what fails: refused; forms simple
prepare p as delete from orders; select 1 / 0;
execute p;
--- prepared with a parameter that bounds nothing: refused
\parse s delete from orders where $1 = 1
\execute s 1
--- prepared with a null: refused
\params \N
delete from orders where id = $1::int or $1 is null;
--- bound portal: refused
begin;
\parse s delete from orders
\bind c s
\portal c 0
commit;
--- pipeline: refused; pipelined
select 1;
delete from orders;
select 2;
--- pipeline of a transaction: refused; pipelined
begin;
delete from orders;
commit;
--- in a transaction: refused
begin;
delete from orders;
commit;
--- in a transaction after a savepoint: refused
begin;
savepoint s;
delete from orders;
rollback to s;
delete from orders;
commit;
--- in a transaction after harmless work: refused
begin;
insert into counters values ('x', 1);
truncate orders;
commit;
--- two in one message: refused; forms simple
select 1; delete from orders;
--- two in one message, in a transaction: refused; forms simple
begin; delete from orders; commit;
--- after an empty one: refused; forms simple
; ; delete from orders;
--- after a harmless write in one message: refused; forms simple
insert into counters values ('x', 1); delete from orders;
--- cursor's row: refused
begin;
declare c cursor for select * from orders for update;
fetch c;
delete from orders where current of c;
commit;
--- cursor's row, updated: refused
begin;
declare c cursor for select * from orders for update;
fetch c;
update orders set state = 'void' where current of c;
commit;
--- cursor's query that writes: either; differs the server refuses it itself
begin;
declare c cursor for with d as (delete from orders returning id) select * from d;
fetch all from c;
commit;
--- comments within: refused
delete/**/from/* x */orders;
--- comment that hides the condition: refused
delete from orders -- where id = 1
;
--- comment nested around the condition: refused
delete from orders /* /* */ where id = 1 */;
--- case: refused
DeLeTe FrOm "orders";
--- unicode name: refused
delete from U&"\006frders";
--- schema: refused
delete from public.orders;
--- database: refused
delete from corpus_a.public.orders;
--- path: refused
set search_path = public, other;
delete from orders;
--- string that is read otherwise: refused; forms simple
set standard_conforming_strings = off;
select '\''; delete from orders; --';
--- string that is read otherwise from the start: refused; forms simple
\startup options=-c standard_conforming_strings=off
select '\''; delete from orders; --';
--- encoding: refused; forms simple
set client_encoding = 'SJIS';
\raw Q select '\x95\x5c'; delete from orders; --'\x00
--- invalid byte: refused; forms simple; differs the server refuses it itself
\raw Q select '\xff'; delete from orders\x00
--- text after a zero: refused; forms simple
delete from orders;
\raw Q delete from orders\x00
--- temporary table that shadows nothing: refused
create temp table w (id int);
delete from public.orders;
--- settings view, then a delete: refused
set enable_seqscan = off;
delete from orders where total is null or total is not null;
--- copy of a delete: refused
copy (delete from orders returning id) to stdout;
--- copy of an update: refused
copy (update orders set state = 'void' returning id) to stdout;
--- copy into the catalog: refused
copy pg_description from stdin;
\copy 99999\t1259\t0\tx
--- lock: refused; differs it ends with the session
begin;
select pg_advisory_lock(1), p_run('select 1');
rollback;
--- notification from a function: refused; differs nothing is left of it
select p_run('notify x');
--- insert of the sensitive: refused
insert into logs (line) select ssn from users;
--- sensitive into another: refused
update users set note = ssn where id = 1;
--- sequence set by it: refused
select setval('tickets_seq', ascii(ssn)) from users where id = 1;
--- function that names its row, of all rows: refused
select f_cancel(id) from orders;
--- function that names its row, of all numbers: refused
select * from generate_series(1, 100) n, lateral f_cancel(n);
--- function that names its row, of all numbers in the place of one: refused
select f_cancel(generate_series(1, 100));
--- function that puts something into its row, of all rows: refused
select f_begin(name) from counters;
--- plpgsql that puts something into its row, of all rows: refused
select p_begin(name) from counters;
--- loop that puts something into each row: refused
do $$ declare r record; begin for r in select name from counters loop
  insert into counters values (r.name, 0) on conflict (name) do update set value = 0; end loop; end $$;
