-- The server's own errors, whole.
--- division by zero: same
select 1 / 0;
--- division by zero in a table: same
select total / 0 from orders where id = 1;
--- syntax: same
selec 1;
--- syntax at the end: same
select id from;
--- syntax in a string: same
select 'x;
--- missing table: same
select * from nobody;
--- missing column: same
select nobody from orders;
--- missing column with a hint: same
select o.tota from orders o;
--- missing function: same
select nobody(1);
--- missing operator: same
select 1 + 'x'::text;
--- missing schema: same
select * from nobody.orders;
--- missing type: same
select 1::nobody;
--- missing parameter: same
select $1;
--- ambiguous column: same
select id from orders, docs;
--- wrong number: same
select 'x'::int;
--- wrong date: same
select '2024-02-30'::date;
--- wrong json: same
select '{x'::json;
--- wrong uuid: same
select 'x'::uuid;
--- wrong enum: same
select 'great'::mood;
--- wrong boolean: same
select 'maybe'::bool;
--- wrong parameter: same
\params x
select $1::int;
--- overflow: same
select 2147483647 + 1;
--- overflow of a column: same
insert into products (sku, title, price) values ('X', 'x', 123456789012);
--- unique: same
insert into products (sku, title, price) values ('A-1', 'x', 1);
--- unique with its detail: same
insert into counters values ('visits', 1);
--- not null: same
insert into products (sku, price) values ('X', 1);
--- check: same
insert into products (sku, title, price) values ('X', 'x', -1);
--- check of an update: same
update products set price = -1 where sku = 'A-1';
--- foreign key: same
insert into orders (user_id, placed) values (12345, '2024-01-01');
--- foreign key of a deletion: same
delete from products where sku = 'A-1';
--- exclusion: same
insert into bookings values (3, '[2,3)');
--- domain's check: same
select 'letters'::taxid;
--- identity: same
insert into docs (id, title, words) values (9, 'x', 'y');
--- too many values: same
insert into counters values ('x', 1, 2);
--- too few values: same
insert into counters (name, value) values ('x');
--- grouping: same
select id, count(*) from orders group by state;
--- nested aggregate: same
select sum(count(*)) from orders;
--- aggregate in where: same
select 1 from orders where count(*) > 1;
--- union of different numbers: same
select 1, 2 union select 3;
--- union of different types: same
select 1 union select 'x';
--- more than one row: same
select (select id from orders);
--- subquery with two columns: same
select (select id, total from orders limit 1);
--- window in where: same
select id from orders where row_number() over () = 1;
--- read only: same
begin read only;
insert into logs (line) values ('x');
rollback;
--- savepoint outside: same
savepoint a;
--- savepoint that is none: same
begin;
rollback to nobody;
rollback;
--- cursor outside: same
declare c cursor for select 1;
--- setting that is none: same
set nobody = 1;
--- setting with a wrong value: same
set work_mem = 'much';
--- show of nothing: same
show nobody;
--- prepared twice: same
prepare p as select 1;
prepare p as select 2;
--- executed with too few: same
prepare p (int) as select $1;
execute p;
--- two statements in one: same; forms extended
select 1; select 2;
--- negative limit: same
select id from orders limit -1;
--- index of an array: same
select (array[1, 2])[5];
--- wrong escape: same
select 'a' like 'b' escape 'cd';
--- wrong expression: same
select 'a' ~ '(';
--- wrong time zone: same
set time zone 'Nowhere/Else';
--- zero length name: same
select 1 as "";
--- copy of a missing table: same
copy nobody to stdout;
--- copy with an unknown option: same
copy orders to stdout (nobody);
--- copy with too many cells: same
copy counters from stdin;
\copy a\t1\t2
--- sequence at its end: same
select setval('tickets_seq', 0);
--- wrong arguments: same
select substr('abc', 1, -1);
--- root of a negative: same
select sqrt(-1);
--- logarithm of zero: same
select ln(0);
--- recursive wrongly: same
with recursive r as (select 1 union all select * from r, r x) select * from r;
--- merge that meets twice: same
merge into counters c using (values ('visits'), ('visits')) v (n) on c.name = v.n when matched then do nothing;
--- conflict twice: same
insert into counters values ('w', 1), ('w', 2) on conflict (name) do update set value = excluded.value;
--- conflict without an index: same
insert into counters values ('w', 1) on conflict (value) do nothing;
--- users' missing column: same
select nobody from users;
--- users' wrong type: same
select id from users where id = 'x';
--- syntax in a transaction: same
begin;
selec 1;
rollback;
--- syntax after an error: same
begin;
select 1 / 0;
selec 1;
rollback;
--- syntax in the second of two: same; forms simple
select 1; selec 2;
--- missing table in a transaction: same
begin;
select * from nobody;
rollback;
--- missing column of a write: same
update orders set nobody = 1 where id = 1;
--- missing column of an insert: same
insert into orders (nobody) values (1);
--- missing table in a subquery: same
select id from orders where id in (select id from nobody);
--- missing portal: same; differs the place in the server's source
begin;
\portal nobody 0
rollback;
--- missing column beside users: same
select u.name, u.nobody from users u;
--- missing function of a user's name: same
select nobody(name) from users;
--- wrong number beside users: same
select name from users where id = 'many';
--- parameter in a missing table: same; forms extended
\params 1
select * from nobody where id = $1;
