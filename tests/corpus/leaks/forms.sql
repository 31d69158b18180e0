-- Plain outputs: a column as it is, under every way to write it down.
--- column: masked
select ssn from users order by id;
\row *******0120
\row *******3391
\row *******7742
\row *******1856
\row *******2204
\row \N
--- column that is none: masked
select id, name from users order by id;
\row 1|Ada
\row 2|Bob
\row 3|Cyn
\row 4|Dan
\row 5|Eve
\row 6|Fay
--- redacted column: masked
select card from users order by id;
\row [redacted]
\row [redacted]
\row [redacted]
\row [redacted]
\row [redacted]
\row \N
--- alias: masked
select ssn as id from users;
--- alias of another's name: masked
select ssn as name, name as ssn from users order by id;
--- star: masked 4,5,6,7,11,12,13,15
select * from users order by id;
--- qualified star: masked 4,5,6,7,11,12,13,15
select u.* from users u order by u.id;
--- star twice: masked
select *, * from users;
--- qualified name: masked
select public.users.ssn from public.users;
--- table alias: masked
select x.ssn from users as x where x.id = 1;
--- column aliases of a table: masked
select b from users as u (a, z, y, b) where a = 1;
--- column alias that swaps: masked
select u.name from users as u (id, ssn, email, name) where u.id = 2;
--- number: masked
select id, salary from users order by id;
--- date: masked
select id, born from users order by id;
--- domain: masked
select id, tax from users order by id;
--- document: masked
select id, profile from users order by id;
--- array: masked
select id, phones from users order by id;
--- generated column: masked
select id, ssn_key from users order by id;
--- only: masked
select ssn from only users;
--- descendants: masked
select ssn from users *;
--- table command: masked 4,5,6,7,11,12,13,15
table users;
--- table only: masked 4,5,6,7,11,12,13,15
table only users;
--- subquery: masked
select s from (select ssn as s from users) t;
--- subquery of a star: masked
select ssn from (select * from users) t where id = 3;
--- four subqueries: masked
select d from (select c as d from (select b as c from (select a as b from (select ssn as a from users) w) x) y) z;
--- subquery with column aliases: masked
select q from (select id, ssn from users) t (p, q);
--- limit and offset: masked
select ssn from users order by id limit 2 offset 1;
--- fetch first: masked
select ssn from users order by id fetch first 2 rows only;
--- for update: masked
select ssn from users where id = 1 for update;
--- for share of: masked
select u.ssn from users u where id = 1 for key share of u skip locked;
--- by parameter: masked
\params 2
select ssn from users where id = $1;
--- with a parameter beside: masked
\params harmless | 2
select $1::text, ssn from users where id = $2::int;
--- empty result: masked
select ssn from users where id = 99;
--- many columns: masked
select ssn, ssn, name, ssn, id, card, salary from users;
--- other schema's column is no other's: masked
select ssn from other.users;
\row public knowledge
--- by value: masked; differs equality
select id, name from users where ssn = '539-48-0120';
\row 1|Ada
--- by a value as a parameter: masked; differs equality
\params 539-48-0120
select id, name from users where ssn = $1;
--- by one of some values: masked; differs equality
select id from users where ssn in ('539-48-0120', '000-00-0000');
--- by a value and shown: masked; differs equality
select id, ssn from users where ssn = '539-48-0120';
--- by a value of no one: masked
select id, name from users where ssn = '000-00-0000';
--- by a card's value: refused
select id from users where card = '4539-7712-8841-0063';
--- row limit of a portal: masked
\limit 1
select ssn from users order by id;
