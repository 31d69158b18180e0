-- Partitions, children, other tables that hold what is sensitive, and names that mean others.
--- partitioned: masked
select id, person from events order by id;
--- partition: masked
select id, person from events_2023 order by id;
--- partition's harmless columns: masked
select id, amount from events_2023 order by id;
--- partition by a range: refused
select id from events_2023 where person > 'N';
--- partitioned by its key: masked
select person from events where at >= '2024-01-01' order by id;
--- partitioned by its value: masked; differs equality
select id from events where person = 'Quillfeather-Ada';
--- partition by its value: masked; differs equality
select id from events_2023 where person = 'Quillfeather-Ada';
--- partition in an order: refused
select id from events_2024 order by person;
--- partitions in a union: masked
select person from events_2023 union all select person from events_2024;
--- partition's name in a row: masked
select tableoid::regclass, person from events order by id;
--- partition, grouped: masked
select at, count(*) from events group by at order by at;
--- partition updated: masked
update events_2023 set amount = 8 where id = 1 returning person;
--- partition's row moved: masked
update events set at = '2024-06-01' where id = 1 returning person;
--- partition made: either
create table events_2025 partition of events for values from ('2025-01-01') to ('2026-01-01');
insert into events values (9, '2025-05-05', 'x', 1);
select person from events_2025;
--- default partition made: either
create table w partition of events default;
select person from w;
--- parent: masked
select id, ssn from members order by id;
--- only the parent: masked
select id, ssn from only members order by id;
--- child: masked
select id, ssn from members_abroad order by id;
--- child's star: masked
select * from members_abroad order by id;
--- child's harmless columns: masked
select id, country from members_abroad order by id;
--- child by range: refused
select id from members_abroad where ssn > '7';
--- child in an order: refused
select id from members_abroad order by ssn;
--- child's oracle: refused
select 1 / (ascii(ssn) - 55) from members_abroad;
--- child as its parent: masked 1
select m::members from members_abroad m;
--- child made of a child: either
create table w () inherits (members_abroad);
insert into w values (9, '000-22-0000', 'Ulm', 'x');
select ssn from w;
--- child disinherited, then read: either
alter table members_abroad no inherit members;
select ssn from members_abroad order by id;
--- accounts: masked
select * from accounts order by id;
--- claims: masked
select * from claims order by id;
--- claims by their number: masked
select amount from claims order by id;
--- claim by value: masked; differs equality
select id from claims where ssn = '539-48-0120';
--- referenced rows: masked
select c.id, u.name from claims c, users u where u.id = c.id order by 1;
--- other schema: masked
select * from other.users;
\row 1|public knowledge|Otto
--- other schema by range: masked
select id from other.users where ssn > 'a';
--- both schemas: masked
select a.ssn, b.ssn from users a, other.users b where a.id = 1;
--- both schemas, aliased as each other: masked
select users.ssn from other.users as users;
--- table named as a column: masked
select ssn.name from users ssn order by ssn.id;
--- table named as a sensitive column, whole: masked
select ssn from (select name from users where id = 1) ssn;
--- column of an outer query: masked
select (select ssn) from users order by id;
--- column of an outer query in a subquery: masked
select (select u.ssn from orders o where o.user_id = u.id limit 1) from users u order by u.id;
--- column that both have: error 42702
select ssn from users, claims;
--- column that is none: error 42703
select snn from users;
--- table that is none: error 42P01
select ssn from user_s;
--- hint that names it: error 42703
select u.sssn from users u;
--- union of children: masked
select m.ssn from members m union all select a.ssn from members_abroad a;
--- sum by a harmless column: masked
select city, count(*) from members group by city order by city;
--- foreign table: refused
create server w foreign data wrapper postgres_fdw options (host '{dir}', dbname 'corpus_a');
create user mapping for current_user server w;
create foreign table f (id int, ssn text) server w options (schema_name 'public', table_name 'users');
select ssn from f;
--- import of a schema: refused
create server w foreign data wrapper postgres_fdw options (host '{dir}', dbname 'corpus_a');
create user mapping for current_user server w;
import foreign schema public limit to (users) from server w into other;
--- sequence: masked
select last_value from tickets_seq;
--- trigger that stamps: masked
insert into stamped values (9, 'nine', null) returning stamp;
--- rule's table: either
select * from outbox;
--- audit: masked
select * from audit;
--- columns renamed to each other, then read in one message: refused; forms simple
alter table users rename column name to w; alter table users rename column ssn to name; select name from users;
--- tables renamed to each other, then read in one message: refused; forms simple
alter table products rename to w; alter table users rename to products; select * from products;
--- columns renamed to each other, then read: masked
alter table users rename column name to w;
alter table users rename column ssn to name;
select name from users order by id;
