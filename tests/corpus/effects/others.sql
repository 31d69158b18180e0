-- What the other families leave out: kinds of statements, objects and ways of which there is one more each.
--- type with an attribute: refused
create type w as (a int);
alter type w add attribute b int;
--- multirange: refused
create type w as range (subtype = int4, multirange_type_name = w2);
--- schema with a table in it: refused
create schema w create table t (a int);
--- partition of a table: refused
create table w partition of events for values from ('2030-01-01') to ('2031-01-01');
--- table of a type: refused
create type w as (a int);
create table w2 of w;
drop table w2;
--- column's options: refused
alter table docs alter column body set (n_distinct = 5);
--- column that is an identity: refused
alter table counters add column w int generated always as identity;
--- identity that is by default: refused
alter table orders alter column id set generated always;
--- constraint renamed: refused
alter table orders rename constraint orders_pkey to w;
--- constraint validated: refused
alter table logs add constraint w check (id > 0) not valid;
alter table logs validate constraint w;
--- primary key by an index: refused
create unique index w on counters (value);
alter table counters add constraint w2 unique using index w;
--- sequence of another type: refused
alter sequence tickets_seq as int;
--- sequence moved by a call: refused
\call setval(regclass, bigint) | tickets_seq | 500
--- view's column renamed: refused
alter view v_harmless rename column email to w;
--- view that is invoked by another's rights: refused
alter view v_harmless set (security_invoker = true);
--- view with a check option: refused
create view w with (check_option = cascaded) as select id, line from logs where id > 0;
--- statistics altered: refused
create statistics w on id, title from docs;
alter statistics w set statistics 10;
--- publication altered: refused
create publication w for table logs;
alter publication w add table docs;
--- publication of all: refused
create publication w for all tables;
--- event trigger's state: refused
alter system set log_statement = 'all';
--- large object's owner: refused
select lo_create(77777);
alter large object 77777 owner to postgres;
--- rights on a large object: refused
select lo_create(77778);
grant select on large object 77778 to public;
--- foreign schema imported: refused
create server w foreign data wrapper postgres_fdw;
import foreign schema public from server w into other;
--- trigger renamed: refused
alter trigger stamp on stamped rename to w;
--- rule renamed: refused
alter rule burn on fuse rename to w;
--- routine renamed: refused
alter routine f_name rename to w;
--- domain renamed: refused
alter domain label rename to w;
--- enum's order: refused
alter type mood add value 'w' before 'low';
--- with that is made further behind hides a table, deleted through: refused
with recursive a as (delete from orders returning id), b as (select * from a) select * from b;
--- with that deletes behind one that reads it: refused
with recursive a as (select * from b), b as (delete from orders where true returning id) select * from a;
--- merge that does it in its second branch: refused
merge into orders o using (values (1)) v (n) on o.id > 0 when matched and o.id < 0 then do nothing when matched then update set quantity = 0;
--- merge bounded by nothing of its own: refused
merge into orders o using users u on u.id = 1 when matched then delete;
--- delete by a name that is further out: refused
delete from orders o where exists (select 1 from (select 1) x where id = id);
--- delete by a value that is the column itself: refused
delete from orders where id = (select id);
--- delete by an outer column of a subquery: refused
delete from orders where id = (select orders.id from users limit 1);
--- delete by a parameter that is its own: refused
delete from orders where id = any (array(select id));
--- delete by a value of a function of a column: refused
delete from orders where id = abs(id);
--- delete by an array that holds all: refused
delete from orders where id = any (array(select generate_series(1, 1000)));
--- delete by a row that is its own: refused
delete from orders o where o = (select o);
--- delete by a place that is its own: refused
delete from orders where ctid = (select ctid);
--- delete by a place in all: refused
delete from orders where ctid = any (array(select ctid from orders));
--- delete by a case: refused
delete from orders where case when id = 1 then true else true end;
--- delete by an equality of constants beside a bound: refused
delete from orders where id = 1 or 1 = 1;
--- delete by a null test of an equality: refused
delete from orders where (id = 1) is not null;
--- delete by an equality that is compared: refused
delete from orders where (id = 1) = (id = 1);
--- delete by an equality that is not unknown: refused
delete from orders where (id = 1) is not unknown;
--- delete by a cast that is constant: refused
delete from orders where (id * 0)::text = '0';
--- delete by a constant column: refused
delete from orders where state || '' = state;
--- delete by a range that is one: refused
delete from orders where id <@ int4range(0, 1000);
--- delete by a list with a column: refused
delete from orders where id in (1, id);
--- delete by values with a column: refused
delete from orders where id in (values (1), (id));
--- delete by a symmetrical between: refused
delete from orders where id between symmetric 1000 and 0;
--- update of all by a with: refused
with x as (select id from orders) update orders set quantity = 0 from x where x.id = orders.id;
--- update by a join of all: refused
update orders set quantity = 0 from orders o where o.id = orders.id;
--- update by a join, bounded beside it: refused
update orders set quantity = 0 from users u where u.id = 1;
--- update bounded by a sensitive subquery's rows: refused
update orders set quantity = 0 where user_id in (select id from users);
--- delete through a view that joins: refused
delete from v_open_orders;
--- delete through a view by a bound on another: refused
delete from v_open_orders v using users u where u.id = 1;
--- insert that truncates by a trigger of the system: refused
create trigger w after insert on logs for each row execute function suppress_redundant_updates_trigger();
--- trigger of the system's that copies: refused
alter table docs add column w tsvector;
create trigger w before insert or update on docs for each row execute function tsvector_update_trigger(w, 'pg_catalog.english', body);
update docs set title = title where id = 1;
--- cascade of a key: refused
create table w (a int references orders (id) on delete cascade);
delete from orders where true;
--- prepared transaction: refused
begin;
delete from orders;
commit and chain;
rollback;
--- cursor that writes by its place: refused
begin;
declare c cursor for select * from orders for update;
move 1 from c;
delete from orders where current of c;
commit;
--- truncation of what inherits: refused
truncate members;
--- comment on a column: refused
comment on column docs.title is 'w';
--- comment on a constraint: refused
comment on constraint orders_pkey on orders is 'w';
--- function that deletes by its parameter: refused
select f_purge(1);
--- function that deletes by its parameter, explained: refused
explain analyze select f_purge(1);
--- delete by a view's constant: refused
delete from v_kind where kind = 'log';
--- update by a view's constant: refused
update v_kind set line = 'x' where kind in ('log', 'other');
--- delete by a system column: refused
delete from orders where tableoid = 'orders'::regclass;
--- update by a system column: refused
update orders set state = 'void' where tableoid in ('orders'::regclass, 'logs'::regclass);
