-- What the planner and the executor tell of values that a statement only shows: plans that ran, estimates, the order of rows that nobody asked to be ordered.
--- explain analyse of a subquery for each row, remembered: either; differs times
set enable_hashjoin = off;
explain (analyze, costs off, timing off, summary off) select u.id, x.n from users u cross join lateral (select u.salary + o.id as n from orders o offset 0) x;
--- plan that ran, with what was remembered of each value: either
set enable_memoize = on;
set enable_material = off;
explain (analyze, costs off, timing off, summary off) select x.n from users u, lateral (select count(*) as n, u.salary as s from orders where id < 3) x;
--- plan that ran, of a function for each value: either
explain (analyze, costs off, timing off, summary off) select g from users u, lateral (select u.salary as g union all select 1) x;
--- plan that ran, of a coalesce: either
explain (analyze, costs off, timing off, summary off) select coalesce(ssn, (select max(name) from orders, users)) from users;
--- plan that ran, of a case: refused
explain (analyze, costs off, timing off, summary off) select case when ssn < '5' then (select max(line) from logs) end from users;
--- plan that ran, of a case by its value: either; differs equality
explain (analyze, costs off, timing off, summary off) select case when ssn = '539-48-0120' then (select max(line) from logs) end from users;
--- plan that ran, of elements: refused
explain (analyze, costs off, timing off, summary off) select unnest(phones) from users;
--- plan that ran, with buffers: either; differs times
explain (analyze, buffers, costs off, timing off, summary off) select upper(ssn) from users;
--- plan that ran, with its sort's memory: refused
explain (analyze, costs off, timing off, summary off) select id from users order by salary limit 1;
--- plan that ran, of a limit: refused
explain (analyze, costs off, timing off, summary off) select id from users limit (select case when salary > 300000000 then 1 else 2 end from users where id = 1);
--- plan that ran, of a recursive query: refused
explain (analyze, costs off, timing off, summary off) with recursive r (n) as (select 1 union all select n + 1 from r, users u where u.id = 1 and n < ascii(u.ssn) - 48) select count(*) from r;
--- plan of a statement with the most common values: either
explain select salary from users;
--- plan of a key's range: refused
explain select 1 from users where ssn between '5' and '6';
--- plan of a join that is remembered: either
set enable_hashjoin = off;
set enable_mergejoin = off;
explain select u.id, x.n from users u cross join lateral (select u.salary + o.id as n from orders o offset 0) x;
--- plan in a transaction with other settings: refused
begin;
set local enable_seqscan = off;
explain select ssn from users where ssn > '5';
rollback;
--- rows in the order of a key: either
set enable_seqscan = off;
set enable_bitmapscan = off;
select upper(ssn) from users;
--- rows in the order of a key, joined: either
set enable_seqscan = off;
set enable_hashjoin = off;
set enable_nestloop = off;
select c.id from claims c join users u using (ssn);
--- rows in the order of an index that includes: either
create index w on users (salary) include (id);
set enable_seqscan = off;
set enable_bitmapscan = off;
select id from users;
--- rows in the order of an index, one by one: either
create index w on users (salary, id);
set enable_seqscan = off;
set enable_bitmapscan = off;
begin;
declare c cursor for select id from users;
fetch 1 from c;
commit;
--- rows in the order of an index, counted: either
create index w on users (salary, id);
set enable_seqscan = off;
set enable_bitmapscan = off;
select id, row_number() over () from users;
--- rows in the order of an index, limited: either
create index w on users (salary, id);
set enable_seqscan = off;
set enable_bitmapscan = off;
select id from users limit 1;
--- rows in the order of an index, collected: either
create index w on users (salary, id);
set enable_seqscan = off;
set enable_bitmapscan = off;
select array_agg(id) from users;
--- rows in the order of an index, kept: either
create index w on users (salary, id);
set enable_seqscan = off;
set enable_bitmapscan = off;
create table w2 as select id from users;
select ctid, id from w2;
drop table w2;
--- rows in the order of an index, copied: either
create index w on users (salary, id);
set enable_seqscan = off;
set enable_bitmapscan = off;
copy (select id from users) to stdout;
--- rows in the order of an index, updated: either
create index w on users (salary, id);
set enable_seqscan = off;
set enable_bitmapscan = off;
update users set name = name where id in (1, 2, 3) returning id;
--- rows in the order of an index, by place: either
create index w on users (salary);
set enable_seqscan = off;
set enable_bitmapscan = off;
select 1 from users;
--- rows of a merge join by a constant's order: either
set enable_hashjoin = off;
set enable_nestloop = off;
select u.id, o.id from users u join orders o on o.user_id = u.id;
--- parallel plan's order: either
set parallel_setup_cost = 0;
set parallel_tuple_cost = 0;
set min_parallel_table_scan_size = 0;
set force_parallel_mode = on;
select upper(ssn) from users;
--- sort's trace: either; differs times
set client_min_messages = log;
set trace_sort = on;
select upper(ssn) from users order by id;
--- notices of a plan for a value: either
set client_min_messages = debug1;
select upper(ssn) from users where id = 1;
--- generic plan by a parameter: either
set plan_cache_mode = force_generic_plan;
prepare w as select upper(ssn) from users where id = $1;
execute w (1);
--- custom plan by a parameter: either
set plan_cache_mode = force_custom_plan;
prepare w (text) as select id from users where ssn = $1;
explain execute w ('539-48-0120');
--- log's bytes in a plan that ran: either
begin;
update users set name = 'y' where id = 6;
explain (analyze, wal, costs off, timing off, summary off) update users set card = '4539-7712-8841-0000' where id = 1;
rollback;
--- buffers of an update that moves nothing in an index: either
create index w on users (card);
update users set name = 'y' where id = 6;
explain (analyze, buffers, costs off, timing off, summary off) update users set card = '4539-7712-8841-0063' where id = 1;
--- function that a plan calls: refused
create function w() returns text language sql immutable as 'select ssn from users where id = 1';
explain (verbose) select w();
--- rows of a function that a plan calls: refused
create function w() returns users language sql immutable as 'select * from users where id = 1';
explain (verbose) select * from w();
--- function that a plan calls within another: refused
create function w_inner() returns text language sql stable as 'select ssn from users where id = 1';
create function w(text) returns text language sql immutable as 'select w_inner()';
explain (verbose, format json) select w(coalesce('x', name)) from users;
--- function that a plan calls for what is written: refused
create function w() returns text language sql immutable as 'select ssn from users where id = 1';
explain (verbose) update users set ssn = w() where id = 1;
--- function that a plan calls, prepared: refused
create function w() returns text language sql immutable as 'select ssn from users where id = 1';
prepare q as select w();
explain (verbose) execute q;
--- function that a plan does not call: masked
explain (verbose) select f_loud(ssn) from users;
--- stable function that a plan does not call: masked
explain (verbose) select f_ssn(1);
--- memory of a sort: refused
explain (analyze, costs off, timing off, summary off)
select concat(ltrim(card, '4'), ltrim(card, '4'), ltrim(card, '4'), ltrim(card, '4'), ltrim(card, '4'), ltrim(card, '4'), ltrim(card, '4'), ltrim(card, '4')) from users u, orders a, orders b, orders c where u.id = 1 order by b.placed;
--- memory of a sort of what a query within computes: refused
explain (analyze, costs off, timing off, summary off) select x from (select concat(ltrim(card, '4'), ltrim(card, '4'), ltrim(card, '4'), ltrim(card, '4'), ltrim(card, '4'), ltrim(card, '4'), ltrim(card, '4'), ltrim(card, '4')) as x from users where id = 1 offset 0) u,
  orders a, orders b, orders c order by b.placed;
--- memory of a sort of what a view computes: refused
explain (analyze, costs off, timing off, summary off) select v.loud from v_expression v, orders a, orders b, orders c order by b.placed;
--- files of a sort: refused
set work_mem = '64kB';
explain (analyze, costs off, timing off, summary off)
select concat(ltrim(card, '4'), ltrim(card, '4'), ltrim(card, '4'), ltrim(card, '4'), ltrim(card, '4'), ltrim(card, '4'), ltrim(card, '4'), ltrim(card, '4')) from users u, orders a, orders b, orders c, orders d where u.id = 1 order by b.placed;
--- sort of what is shown as it is: masked
explain (analyze, costs off, timing off, summary off) select u.id, u.ssn, v.size from users u join v_expression v using (id) order by v.size;
--- plan that ran and keeps no row: masked
explain (analyze, costs off, timing off, summary off) select upper(ssn), left(card, 2) from users limit 3;
