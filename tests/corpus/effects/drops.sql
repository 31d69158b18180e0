-- Taking objects and rows away, under every name it has.
--- table: refused
drop table logs cascade;
--- table if it is there: refused
drop table if exists public.docs;
--- several: refused
drop table orders, docs cascade;
--- view: refused
drop view v_harmless;
--- materialised view: refused
drop materialized view m_users;
--- index: refused
drop index users_name;
--- sequence: refused
drop sequence tickets_seq;
--- schema: refused
drop schema other cascade;
--- public schema: refused
drop schema public cascade;
--- type: refused
drop type mood cascade;
--- domain: refused
drop domain label cascade;
--- function: refused
drop function f_name(int);
--- routine: refused
drop routine f_name;
--- procedure: refused
drop procedure p_wipe();
--- aggregate: refused
drop aggregate joined(text);
--- operator: refused
drop operator ===(text, text);
--- trigger: refused
drop trigger stamp on stamped;
--- rule: refused
drop rule burn on fuse;
--- extension: refused
drop extension dblink;
--- owned: refused
drop owned by current_user cascade;
--- owned by the role's name: refused
drop owned by {role} cascade;
--- database: refused
drop database appdb;
--- database by force: refused
drop database appdb with (force);
--- role: refused
drop role bystander;
--- language: refused
drop extension plpgsql cascade;
--- column: refused
alter table counters drop column value;
--- column if it is there: refused
alter table users drop column if exists email cascade;
--- constraint: refused
alter table products drop constraint products_price_check;
--- default: refused
alter table users alter column feeling drop default;
--- not null: refused
alter table users alter column name drop not null;
--- identity: refused
alter table orders alter column id drop identity;
--- expression: refused
alter table users alter column ssn_key drop expression;
--- partition detached: refused
alter table events detach partition events_2023;
--- partition detached concurrently: refused
alter table events detach partition events_2023 concurrently;
--- partition dropped: refused
drop table events_2023;
--- child disinherited: refused
alter table members_abroad no inherit members;
--- truncate: refused
truncate orders;
--- truncate table: refused
truncate table orders restart identity;
--- truncate of several: refused
truncate logs, audit, stamped;
--- truncate with what refers to it: refused
truncate users cascade;
--- truncate only: refused
truncate only logs;
--- truncate of a partition: refused
truncate events_2023;
--- truncate and continue: refused
truncate logs continue identity;
--- delete of all: refused
delete from orders;
--- delete where true: refused
delete from orders where true;
--- delete where something is itself: refused
delete from orders where id = id;
--- delete where one is one: refused
delete from orders where 1 = 1;
--- delete where it is not null: refused
delete from orders where id is not null;
--- delete by range: refused
delete from orders where id > 0;
--- delete by a negation: refused
delete from orders where id <> 0;
--- delete by or: refused
delete from orders where id = 1 or true;
--- delete in a subquery of itself: refused
delete from orders where id in (select id from orders);
--- delete using: refused
delete from orders using users where users.id = orders.user_id;
--- delete using a series: refused
delete from orders using generate_series(1, 100) g where g = orders.id;
--- delete by any of a query: refused
delete from orders where id = any (array(select id from orders));
--- delete by a query's value: refused
delete from orders where id = (select max(id) from orders);
--- delete by like: refused
delete from orders where state like '%';
--- delete by an array of columns: refused
delete from orders where id = any (array[id]);
--- delete by an equality of columns: refused
delete from orders where user_id = user_id;
--- delete by what is distinct: refused
delete from orders where id is distinct from 0;
--- delete by what is not distinct from nothing: refused
delete from orders where user_id is not distinct from null or id is not distinct from 1;
--- delete by a value that is nulled: refused
delete from orders where nullif(id > 0, false);
--- update by what is distinct: refused
update products set stock = 0 where sku is distinct from '';
--- delete by an equality that is cast away: refused
delete from orders where (id = 1)::text = 'true' or (id = 2)::text = 'false';
--- delete by a row: refused
delete from orders where (id, 1) = (id, 1);
--- delete by a coalesced equality: refused
delete from orders where coalesce(id = 1, true) or id = 2;
--- delete in with: refused
with d as (delete from orders returning id) select count(*) from d;
--- delete in with, twice deep: either; differs the server refuses it itself
with a as (with d as (delete from orders returning id) select * from d) select * from a;
--- delete in with before an insert: refused
with d as (delete from orders returning id) insert into logs (line) select id::text from d;
--- delete only: refused
delete from only orders;
--- delete of an alias: refused
delete from orders o where o.id >= 0;
--- delete from a view: refused
delete from v_open_orders;
--- delete from a partitioned table: refused
delete from events where at >= '2000-01-01';
--- delete from a partition: refused
delete from events_2023;
--- delete from a parent: refused
delete from members;
--- update of all: refused
update orders set state = 'void';
--- update where true: refused
update orders set state = 'void' where true;
--- update to null: refused
update users set email = null;
--- update by range: refused
update orders set total = 0 where id > 0;
--- update from: refused
update orders set state = 'void' from users where users.id = orders.user_id;
--- update in a subquery: refused
update orders set state = 'void' where id in (select id from orders);
--- update in with: refused
with u as (update orders set state = 'void' returning id) select * from u;
--- update of a view: refused
update v_open_orders set total = 0;
--- update of a parent: refused
update members set city = 'x';
--- update that moves rows: refused
update events set at = '2024-06-01' where at < '2024-01-01';
--- update with a tautology by its key: refused
update orders set state = 'void' where id = id;
--- update of its key: refused
update orders set id = id + 1000;
--- update in a loop of ctids: refused
update orders set state = 'void' where ctid = any (array(select ctid from orders));
--- merge that deletes: refused
merge into orders o using users u on o.user_id = u.id when matched then delete;
--- merge that updates: refused
merge into orders o using (select 1) x on true when matched then update set state = 'void';
--- merge by itself: refused
merge into orders o using orders p on o.id = p.id when matched then update set state = 'void';
--- conflict that updates from a query: refused
insert into orders (id, placed) select id, '2024-01-01' from orders on conflict (id) do update set state = 'void';
--- conflict that updates in with: refused
with i as (insert into orders (id, placed) select id, placed from orders on conflict (id) do update set state = 'void' returning id) select * from i;
