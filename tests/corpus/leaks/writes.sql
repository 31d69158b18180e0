-- What writes give back, and values that are copied to where nothing protects them.
--- returning of an update: masked
update users set note = 'x' where id = 1 returning id, ssn;
--- returning a star: masked 4,5,6,7,11,12,13,15
update users set note = 'x' where id = 1 returning *;
--- returning an expression: masked 1
update users set note = 'x' where id = 1 returning upper(ssn);
--- returning an alias's: masked
update users as u set note = 'x' where id = 1 returning u.ssn;
--- returning of a delete: masked
delete from claims where id = 2 returning ssn;
--- returning of a delete that a trigger copies: refused
delete from accounts where id = 2 returning ssn;
--- returning of an insert: either
insert into users (id, name, ssn) values (40, 'Gus', '000-11-0000') returning id, ssn;
--- returning of an insert with harmless columns: masked
insert into users (id, name, ssn) values (40, 'Gus', '000-11-0000') returning id, name;
--- returning a generated column: masked
update users set note = 'x' where id = 1 returning ssn_key;
--- returning a subquery: masked
insert into logs (line) values ('x') returning (select ssn from users where id = 1);
--- returning of an update from: either
update logs set line = 'x' from users u where logs.id = 1 and u.id = 1 returning u.ssn;
--- returning of a delete using: either
delete from logs using users u where logs.id = 1 and u.id = 1 returning u.ssn;
--- with an update: masked
with w as (update users set note = 'x' where id = 1 returning ssn) select * from w;
--- with a delete: masked
with w as (delete from claims where id = 2 returning *) select ssn from w;
--- with a delete that a trigger copies: refused
with w as (delete from accounts where id = 2 returning *) select ssn from w;
--- with an insert that copies: refused
with w as (insert into logs (line) select ssn from users returning line) select * from w;
--- update by its value: masked; differs equality
update users set note = 'x' where ssn = '539-48-0120' returning id;
--- update by range: refused
update users set note = 'x' where ssn > '7';
--- update's tag by range: refused
update users set note = 'x' where id = 1 and ssn > '7';
--- delete by range: refused
delete from users where id = 6 or ssn > '9';
--- delete's tag: refused
delete from accounts where id = 1 and ssn > '7';
--- update sets it to a harmless column: refused
update users set note = ssn where id = 1;
select note from users where id = 1;
--- update sets a part: refused
update users set note = left(ssn, 6) where id = 1 returning note;
--- update sets several: refused
update users set (name, note) = (ssn, salary::text) where id = 1;
--- update sets from a subquery: refused
update users set note = (select ssn from users u where u.id = 2) where id = 1 returning note;
--- update sets a row from a subquery: refused
update users set (name, note) = (select ssn, card from users u where u.id = 2) where id = 1;
--- update from: refused
update logs set line = u.ssn from users u where logs.id = 1 and u.id = 1;
select line from logs where id = 1;
--- update sets by a case: refused
update users set note = case when ssn > '6' then 'b' else 'a' end where id = 1 returning note;
--- update sets an untagged column by an order: refused
update users set note = (select name from users order by ssn limit 1) where id = 1 returning note;
--- update sets a tagged column to another: either
update users set tax = ssn where id = 1 returning tax;
--- update shifts a tagged column to a weaker tag: either
update users set ssn = card where id = 1 returning ssn;
--- update sets it to itself: either
update users set ssn = ssn where id = 1 returning ssn;
--- insert from it: refused
insert into logs (line) select ssn from users;
select line from logs;
--- insert from its expression: refused
insert into logs (line) select 'x' || ssn from users returning line;
--- insert a subquery's value: refused
insert into logs (line) values ((select ssn from users where id = 1)) returning line;
--- insert of its count: refused
insert into logs (line) select 'x' from users where ssn > '7';
--- insert from a view: refused
insert into logs (line) select number from v_nested;
--- insert from a function: refused
insert into logs (line) select f_ssn(1);
--- insert from a table command: refused
insert into other.users (id, ssn, name) select id, ssn, name from users returning ssn;
--- insert in its order: refused
insert into logs (line) select name from users order by ssn returning id, line;
--- insert into an array: refused
insert into products (sku, title, price, labels) select 'Z-9', 'z', 1, array_agg(ssn) from users returning labels;
--- insert into a document: refused
insert into products (sku, title, price, spec) select 'Z-9', 'z', 1, to_jsonb(u) from users u where id = 1 returning spec;
--- insert of a tagged value into a tagged column: either
insert into accounts (id, owner, ssn, balance) select 9, name, ssn, 1 from users where id = 1 returning ssn;
--- insert by a default that reads: either
create table w (a int, b text default f_ssn(1));
insert into w (a) values (1) returning b;
--- insert with overriding: refused
insert into orders (id, sku, placed, state) overriding system value select 900, 'A-1', '2024-01-01', ssn from users where id = 1;
--- conflict's update: refused
insert into logs (id, line) values (1, 'x') on conflict (id) do update set line = (select ssn from users where id = 1) returning line;
--- conflict's condition: refused
insert into users (id, name) values (1, 'x') on conflict (id) do update set note = 'x' where users.ssn > '7' returning id;
--- conflict's value: refused
insert into users (id, name) values (1, 'x') on conflict (id) do update set note = users.ssn returning note;
--- conflict's excluded: either
insert into users (id, name, ssn) values (1, 'x', '000-00-0000') on conflict (id) do update set note = excluded.ssn returning note;
--- conflict on it: either; differs equality
insert into users (id, name, ssn) values (50, 'Gus', '539-48-0120') on conflict (ssn) do nothing;
--- conflict on anything: either; differs equality
insert into users (id, name, ssn) values (50, 'Gus', '539-48-0120') on conflict do nothing returning id;
--- conflict on it, from a query: refused
insert into users (id, name, ssn) select 50 + n, 'Gus', '539-48-' || lpad(n::text, 4, '0') from generate_series(118, 121) n on conflict (ssn) do nothing returning id;
--- conflict's returning: masked
insert into users (id, name) values (1, 'x') on conflict (id) do update set note = 'x' returning ssn;
--- merge by its key: either
merge into users u using (values (1, 'x')) v (id, note) on u.id = v.id when matched then update set note = v.note;
--- merge on it: refused
merge into users u using (values ('539-48-0120')) v (x) on u.ssn = v.x when matched then update set note = 'x';
--- merge's condition: refused
merge into logs l using users u on l.id = u.id when matched and u.ssn > '7' then update set line = 'x';
--- merge that copies: refused
merge into logs l using users u on l.id = u.id when matched then update set line = u.ssn;
select line from logs order by id;
--- merge that inserts: refused
merge into logs l using users u on l.id = u.id + 100 when not matched then insert (line) values (u.ssn);
--- merge that deletes by it: refused
merge into logs l using users u on l.id = u.id when matched and u.salary > 200000000 then delete;
--- table of it: refused
create table w as select ssn from users;
select ssn from w;
--- table of it under another name: refused
create table w as select ssn as x from users;
select x from w;
--- table of its expression: refused
create table w as select 'x' || ssn as x from users;
select x from w;
--- table of it in an order: refused
create table w as select id from users order by ssn;
select id from w;
--- temporary table of it: refused
create temp table w as select id, ssn from users;
select ssn from w;
--- unlogged table of it: refused
create unlogged table w as select ssn from users;
--- select into: refused
select ssn into w from users;
select ssn from w;
--- select into a temporary table: refused
select id, ssn into temp w from users;
select ssn from w;
--- table of harmless columns: masked
create temp table w as select id, name from users;
select name from w order by id;
--- table of nothing: either
create table w as select ssn from users with no data;
select ssn from w;
--- table like it: masked
create table w (like users including all);
select ssn from w;
--- temporary table that shadows: either
create temp table users (id int, ssn text);
insert into users values (1, 'mine');
select ssn from users;
select ssn from public.users where id = 1;
--- child made, then read: either
create table w (x int) inherits (users);
insert into w (id, name, ssn, x) values (40, 'Gus', '000-11-0000', 1);
select ssn from w;
select ssn from users where id < 3 order by id;
--- parent made, then read: either
create table w (ssn text);
alter table users inherit w;
select ssn from w;
--- partition attached elsewhere, then read: either
create table w (id int, at date not null, person text, amount int) partition by range (at);
alter table events detach partition events_2023;
alter table w attach partition events_2023 for values from ('2023-01-01') to ('2024-01-01');
select person from w;
--- partition detached, then read: either
alter table events detach partition events_2023;
select person from events_2023;
--- index on an expression, then its statistics: either
create index w on users ((ssn || 'x'));
analyze users;
select most_common_vals, histogram_bounds from pg_stats where tablename = 'w';
--- statistics made, then read: either
create statistics w on ssn, salary from users;
analyze users;
select most_common_vals from pg_stats_ext;
--- column renamed, then read: either
alter table users rename column ssn to harmless;
select harmless from users order by id;
--- table renamed, then read: either
alter table users rename to people;
select ssn from people order by id;
--- columns renamed to each other, then read: either
alter table users rename column name to w;
alter table users rename column ssn to name;
alter table users rename column w to ssn;
select name, ssn from users order by id;
--- schema changed, then read: either
create schema w;
alter table users set schema w;
select ssn from w.users order by id;
--- column renamed in a transaction, then read: either
begin;
alter table users rename column ssn to harmless;
select harmless from users order by id;
rollback;
--- column renamed and read in one message: either; forms simple
begin; alter table users rename column ssn to harmless; select harmless from users order by id; rollback;
--- column added with its value: either
alter table users add column w text generated always as (ssn || 'x') stored;
select w from users order by id;
--- column added, filled, then read: refused
alter table users add column w text;
update users set w = ssn where id = 1;
select w from users order by id;
--- default that is its value: either
alter table logs alter column line set default f_ssn(1);
insert into logs default values returning line;
--- type changed, then read: either
alter table users alter column ssn type varchar(20);
select ssn from users order by id;
--- other column's type changed by it, then read: either
alter table users alter column note type text using ssn;
select note from users order by id;
--- trigger made that copies: either
create function w() returns trigger language plpgsql as $$ begin new.note := new.ssn; return new; end $$;
create trigger w before update on users for each row execute function w();
update users set feeling = 'low' where id = 1;
select note from users where id = 1;
--- rule made that copies: either
create rule w as on insert to logs do also insert into other.settings select ssn, ssn from users;
insert into logs (line) values ('x');
select key from other.settings;
--- rule made that answers: either
create rule w as on insert to stamped do instead select ssn from users;
insert into stamped values (9, 'x', 'y');
--- policy made: either
alter table logs enable row level security;
create policy w on logs using (exists (select 1 from users u where u.id = logs.id and u.ssn > '7'));
select id from logs order by id;
--- domain made with a check: either
create domain w as text check (value < '7');
select ssn::w from users where id = 1;
--- enum made of values: either
create type w as enum ('539-48-0120');
select ssn::w from users where id = 1;
--- large object: refused
select lo_from_bytea(0, ssn::bytea) from users where id = 1;
select data from pg_largeobject;
--- large object of a number: refused
select lo_create(salary) from users where id = 1;
select oid from pg_largeobject_metadata;
--- large object written: refused
select lo_put(lo_create(4711), 0, ssn::bytea) from users where id = 1;
select lo_get(4711);
--- notification's payload: refused
listen x;
select pg_notify('x', ssn) from users where id = 1;
--- notification's channel: refused
select pg_notify(ssn, '') from users where id = 1;
--- setting: refused
select set_config('application_name', ssn, false) from users where id = 1;
show application_name;
--- setting in a transaction: refused
begin;
select set_config('application_name', ssn, true) from users where id = 1;
select current_setting('application_name');
commit;
--- setting of one's own: refused
select set_config('my.own', ssn, false) from users where id = 1;
select current_setting('my.own');
--- setting's name: refused
select set_config('my.' || translate(ssn, '0123456789-', 'abcdefghijk'), 'x', false) from users where id = 1;
--- setting by a condition: refused
select set_config('my.own', 'x', false) from users where id = 1 and ssn > '7';
select current_setting('my.own', true);
--- setting by a harmless value: either
select set_config('my.own', name, false) from users where id = 1;
--- path from it: refused
select set_config('search_path', ssn, false) from users where id = 1;
--- date style by a case: refused
select set_config('datestyle', case when ssn > '6' then 'German' else 'ISO' end, false) from users where id = 1;
--- dead rows: either
begin;
update users set note = 'x' where id = 1;
rollback;
select n_dead_tup from pg_stat_user_tables where relname = 'users';
--- policy over an update: either
update guarded set line = 'x' where id = 1;
--- policy over a deletion: either
delete from guarded where id = 1;
--- policy over an update's returning: either
update guarded set line = 'x' where id = 1 returning id;
--- insert into an array by a hidden place: refused
create table w (id int, a int[]);
insert into w (id, a[(select ascii(ssn) from users where id = 1)]) values (1, 1);
select array_lower(a, 1) from w;
--- insert into an array by a place that code computes: refused
create table w (id int, a int[]);
create function w() returns int language plpgsql as $$ begin raise notice '%', (select ssn from users where id = 1); return 1; end $$;
insert into w (id, a[w()]) values (1, 1);
--- insert into an array by a place: masked
create table w (id int, a int[]);
insert into w (id, a[2]) values (1, 1);
select array_lower(a, 1) from w;
--- conflict's update of an array by a hidden place: refused
create table w (id int primary key, a int[]);
insert into w values (1);
insert into w (id) values (1) on conflict (id) do update set a[(select ascii(ssn) from users where id = 1)] = 1;
--- merge into an array by a hidden place: refused
create table w (id int, a int[]);
merge into w using (select 1 as i) s on w.id = s.i when not matched then insert (id, a[(select ascii(ssn) from users where id = 1)]) values (1, 1);
select array_lower(a, 1) from w;
--- merge into an array by a place: masked
create table w (id int, a int[]);
merge into w using (select 1 as i) s on w.id = s.i when not matched then insert (id, a[2]) values (1, 1);
select array_lower(a, 1) from w;
-- Triggers in PL/pgSQL: read where they come to nothing sensitive.
--- trigger that stamps beside a sensitive column: masked
create function w() returns trigger language plpgsql as $$ begin new.note := 'changed ' || new.id; return new; end $$;
create trigger w before update of feeling on users for each row execute function w();
update users set feeling = 'low' where id = 1 returning note, ssn;
--- trigger that tells its row: refused
create function w() returns trigger language plpgsql as $$ begin raise notice '%', new; return new; end $$;
create trigger w before update of feeling on users for each row execute function w();
update users set feeling = 'low' where id = 1;
--- trigger that tells a field: refused
create function w() returns trigger language plpgsql as $$ begin perform pg_notify('w', old.ssn); return new; end $$;
create trigger w before update of feeling on users for each row execute function w();
update users set feeling = 'low' where id = 1;
--- trigger that fills a unique column: refused
create function w() returns trigger language plpgsql as $$ begin new.ssn := new.note; return new; end $$;
create trigger w before update of note on users for each row execute function w();
update users set note = 'x' where id = 1;
--- trigger that reads the rows that were written: refused
create function w() returns trigger language plpgsql as $$ begin raise notice '%', (select ssn from orders); return null; end $$;
create trigger w after update on users referencing new table as orders for each statement execute function w();
update users set feeling = 'low' where id = 1;
--- trigger that is fired for a value: refused
create function w() returns trigger language plpgsql as $$ begin raise notice 'yes'; return new; end $$;
create trigger w before update on users for each row when (old.ssn > '5') execute function w();
update users set feeling = 'low' where id = 1;
--- trigger that is fired later, by another path: refused
create schema w;
create function public.w() returns trigger language plpgsql as $$ begin perform title from products; return new; end $$;
create view w.products as select ssn as title from users where p_tell(1) is not null;
create constraint trigger w after insert on logs deferrable initially deferred for each row execute function public.w();
begin;
insert into logs (line) values ('x');
set local search_path = w, public;
commit;
--- trigger whose column is checked beside it: refused
alter table users add check (note <> ssn);
create function w() returns trigger language plpgsql as $$ begin new.note := new.name; return new; end $$;
create trigger w before update of feeling on users for each row execute function w();
update users set feeling = 'low' where id = 1;
--- trigger of what is copied: refused
create table w (a text);
create function w() returns trigger language plpgsql as $$ begin raise notice '%', new.a; return new; end $$;
create trigger w before insert on w for each row execute function w();
insert into w select ssn from users;
--- trigger whose variable is called as the column: refused
create function w() returns trigger language plpgsql as $$ declare ssn text; begin raise notice '%', new.ssn; return new; end $$;
create trigger w before update on users for each row execute function w();
update users set feeling = 'low' where id = 1;
--- trigger whose row is named in a query of its own: refused
create function w() returns trigger language plpgsql as $$ begin raise notice '%', (select new.ssn from pg_get_keywords() new limit 1); return new; end $$;
create trigger w before update on users for each row execute function w();
update users set feeling = 'low' where id = 1;
--- trigger that keeps the statement: refused
create function w() returns trigger language plpgsql as $$ begin insert into logs (line) values (current_query()); return new; end $$;
create trigger w before update on users for each row execute function w();
update users set ssn = '000-00-0000' where id = 1;
--- trigger that gives another row: refused
create function w() returns trigger language plpgsql as $$ declare r users%rowtype; begin r.id := new.id; r.name := 'x'; r.ssn := new.note; return r; end $$;
create trigger w before update of note on users for each row execute function w();
update users set note = 'x' where id = 1;
--- trigger of the partition that a row leaves: refused
create table w (id int, k int) partition by list (k);
create table w_1 partition of w for values in (1);
create table w_2 partition of w for values in (2);
create function w() returns trigger language plpgsql as $$ begin raise notice '%', p_ssn(1); return old; end $$;
create trigger w before delete on w_1 for each row execute function w();
insert into w values (1, 1);
update w set k = 2 where id = 1;
--- part put under the same tag: refused
insert into accounts (id, owner, ssn, balance) select 99, 'x', 'yyyyyyy' || left(ssn, 4), 1 from users where id = 1 returning ssn;
--- reversed, under the same tag: refused
insert into accounts (id, owner, ssn, balance) select 98, 'x', reverse(ssn), 1 from users where id = 1 returning ssn;
--- number as a text under the same tag: refused
insert into accounts (id, owner, ssn, balance) select 97, 'x', salary::text, 1 from users where id = 1 returning ssn;
--- number in a text's column of the same tag: refused
insert into accounts (id, owner, ssn, balance) select 96, 'x', salary, 1 from users where id = 1 returning ssn;
--- reversed where it stands: refused
update accounts set ssn = reverse(ssn) where id = 1 returning ssn;
