-- What is made or changed, and computes, keeps or tells what is sensitive: defaults, checks, types, partitions, functions that are plugged in.
--- default that runs a text: refused
create table w (id int, x xml default query_to_xml('select ssn from users', true, true, ''));
insert into w (id) values (1) returning x;
--- default that runs a text, by its word: refused
create table w (id int, x xml default query_to_xml('select ssn from users', true, true, ''));
insert into w values (1, default) returning x;
--- default that runs a text, not used: either
create table w (id int, x xml default query_to_xml('select ssn from users', true, true, ''));
insert into w values (1, '<a/>') returning x;
--- default that runs a text, in an update: refused
create table w (id int, x xml);
insert into w values (1, '<a/>');
alter table w alter column x set default query_to_xml('select ssn from users', true, true, '');
update w set x = default where id = 1 returning x;
--- default that runs a text, in a merge: refused
create table w (id int, x xml default query_to_xml('select ssn from users', true, true, ''));
merge into w using (values (1)) v (id) on w.id = v.id when not matched then insert (id) values (v.id);
select x from w;
--- default that runs a text, in a copy: refused
create table w (id int, x xml default query_to_xml('select ssn from users', true, true, ''));
copy w (id) from stdin;
\copy 1
select x from w;
--- default that reads: refused
create table w (id int, x text default f_ssn(1));
insert into w (id) values (1);
select x from w;
--- default of a domain that reads: refused
create domain d as text default f_ssn(1);
create table w (id int, x d);
insert into w (id) values (1);
select x from w;
--- default of a view's column that reads: refused
create table t (id int, x text);
create view w as select id, x from t;
alter view w alter column x set default f_ssn(1);
insert into w (id) values (1);
select x from t;
--- default in a partition: refused
create table t (id int, x text) partition by list (id);
create table w partition of t (x default f_ssn(1)) for values in (1);
insert into w (id) values (1);
select x from w;
--- default that is harmless: masked
create table w (id int, at timestamptz default '2024-01-01', x text default upper('a'), y text default f_loud('b'));
insert into w (id) values (1) returning id, x, y;
--- column added with a default that reads: refused
create table w (id int);
insert into w values (1);
alter table w add column x text default f_ssn(1);
select x from w;
--- column added with a default that runs a text: refused
create table w (id int);
alter table w add column x xml default query_to_xml('select ssn from users', true, true, '');
--- added value in the catalog: refused
select attmissingval::text from pg_attribute where attname = 'x';
--- added value in the catalog, in a condition: refused
select attname from pg_attribute a where a::text like '%539%';
--- catalog's harmless columns: masked
select attname, atttypid::regtype from pg_attribute where attrelid = 'products'::regclass and attnum > 0 order by attnum;
--- generated column of it: refused
alter table users add column w text generated always as (upper(ssn)) stored;
select w from users;
--- generated column of a table that is made: refused
create table w (id int, a text, b text generated always as (upper(a)) stored);
insert into w (id, a) select id, ssn from users;
select b from w;
--- generated column on its own table: masked
select ssn_key from users order by id;
--- check that compares with another column: refused
alter table users add check (note < ssn) not valid;
update users set note = '5' where id = 1;
--- check added on it: refused
alter table users add check (ssn > '2');
--- check added on it, not validated: refused
alter table users add constraint w check (ssn > '2') not valid;
alter table users validate constraint w;
--- check by a function: refused
create function w(text) returns boolean language sql immutable as 'select $1 > ''2''';
alter table users add check (w(ssn));
--- check added on a harmless column: masked
alter table users add check (id > 0);
select id from users order by id;
--- check on a table that is made, by a function that reads: refused
create table w (id int, x text, check (x < f_ssn(1)));
insert into w values (1, '5');
--- check on a table that is made: masked
create table w (id int check (id > 0), x text check (length(x) < 5));
insert into w values (1, 'abc') returning x;
--- written to a column with a check: refused
update users set tax = ssn where id = 1;
--- domain's check: refused
alter domain taxid add check (value > '2');
--- domain's check, validated later: refused
alter domain taxid add constraint w check (value > '2') not valid;
alter domain taxid validate constraint w;
--- domain that may not be null: refused
alter domain taxid set not null;
--- harmless domain's check: masked
alter domain label add check (length(value) < 300);
select nick from users order by id;
--- domain's check by a cast: refused
create domain d as text check (value < '5');
select ssn::d from users;
--- domain's check by a cast of an array: refused
create domain d as text check (value < '5');
select phones::d[] from users;
--- domain's check within a row: refused
create domain d as text check (value < '5');
create type w as (x d);
select row(ssn)::w from users;
--- domain's check by a literal: masked
create domain d as text check (value < '5');
select '4'::d;
--- domain that hides a built-in type: refused
create domain pg_temp.text as pg_catalog.text check (value < '5');
select salary::text from users;
--- domain that hides a built-in type by the path: refused
create domain other.date as pg_catalog.date check (value < '1980-01-01');
set search_path = other, pg_catalog, public;
select born::date from public.users;
--- domain whose check reads: either
create function w(text) returns boolean language sql stable as 'select $1 < (select ssn from users where id = 1)';
create domain d as text check (w(value));
select '5'::d;
--- column's type by an expression: refused
alter table users alter column note type text using ssn;
select note from users;
--- column's type by itself: refused
alter table users alter column ssn type varchar(11);
--- harmless column's type: masked
alter table other.settings alter column value type varchar(200);
select value from other.settings;
--- column that may not be null: refused
alter table users alter column phones set not null;
--- harmless column that may not be null: masked
alter table users alter column name set not null;
select name from users order by id;
--- column renamed: masked
alter table users rename column ssn to harmless;
select harmless from users order by id;
--- columns renamed to each other: masked
alter table users rename column name to w;
alter table users rename column ssn to name;
select name from users order by id;
--- columns renamed to each other, in one message: refused; forms simple
alter table users rename column name to w; alter table users rename column ssn to name; select name from users;
--- tables renamed to each other, in one message: refused; forms simple
alter table products rename to w; alter table users rename to products; select * from products;
--- table dropped that hid another, in one message: refused; forms simple
set search_path = other, public;
drop table other.users; select ssn from users;
--- view replaced, in one message: refused; forms simple
create or replace view v_harmless as select id, name, nick::text as email from users; select email from v_harmless;
--- column renamed in a transaction: masked
begin;
alter table users rename column name to w;
alter table users rename column ssn to name;
select name from users order by id;
rollback;
--- column renamed in a view: masked
alter view v_plain rename column ssn to harmless;
select harmless from v_plain order by id;
--- table renamed: masked
alter table users rename to people;
select ssn from people order by id;
--- table moved: masked
alter table users rename to people;
create schema w;
alter table people set schema w;
select ssn from w.people order by id;
--- table moved, then read: masked
alter table members_abroad set schema other;
select ssn from other.members_abroad order by id;
--- schema renamed: masked
alter schema public rename to w;
select ssn from w.users order by id;
--- table made and filled in one message: masked; forms simple
create table w (id int primary key, x text default 'a'); insert into w (id) values (1);
--- table made with a default that runs, in one message: refused; forms simple
create table w (id int, x text default p_run('select ssn from users where id = 1')); insert into w (id) values (1) returning x;
--- partition detached: masked
alter table events detach partition events_2023;
select person from events_2023 order by id;
--- partition detached in a transaction: masked
begin;
alter table events detach partition events_2023;
select person from events_2023 order by id;
commit;
--- partition detached, and its column renamed: masked
alter table events detach partition events_2023;
alter table events_2023 rename column person to w;
select w from events_2023 order by id;
--- partition attached: masked
create table w (id int, at date not null, person text, amount int);
insert into w values (7, '2030-05-05', 'nobody', 1);
alter table events attach partition w for values from ('2030-01-01') to ('2031-01-01');
select person from events where id < 7 order by id;
--- child's rows in another parent: refused
create table w (ssn text);
alter table members_abroad inherit w;
select ssn from w;
--- partition attached elsewhere: refused
alter table events detach partition events_2023;
create table w (id int, at date not null, person text, amount int) partition by range (at);
alter table w attach partition events_2023 for values from ('2023-01-01') to ('2024-01-01');
select person from w;
--- child disinherited: masked
alter table members_abroad no inherit members;
select ssn from members_abroad order by id;
--- bound of a partition that reads: refused
create table t (x text) partition by list (x);
create table w partition of t for values in (f_ssn(1));
select pg_get_expr(relpartbound, oid) from pg_class where relname = 'w';
--- bound of a partition that runs a text: refused
create table t (x text) partition by list (x);
create table w partition of t for values in (query_to_xml('select ssn from users', true, true, '')::text);
--- partition key by a function that reads: refused
create function w(int) returns text language sql immutable as 'select ssn from users where id = $1';
create table t (id int) partition by list (w(id));
insert into t values (1);
--- index by a function of it: refused
create index w on users (upper(ssn));
--- index on a harmless expression: masked
create index w on users (lower(name));
select id from users where lower(name) = 'ada';
--- statistics on an expression of it: either
create statistics w on (length(ssn)), name from users;
analyze users;
select * from pg_stats_ext_exprs;
--- statistics: refused
select stxdexpr, stxdmcv from pg_statistic_ext_data;
--- statistics of the columns: masked 1
select most_common_vals from pg_stats_ext;
--- policy that decides by it: either
create policy w on users using (ssn > '5');
select id from users;
--- aggregate of a function that runs a text: refused
create function w(text, text) returns text language plpgsql as $$ declare r text; begin execute $2 into r; return r; end $$;
create aggregate a (text) (sfunc = w, stype = text);
select a('select ssn from users where id = 1');
--- cast by a function that runs a text: refused
create type w as (x text);
create function w_run(w) returns text language plpgsql as $$ begin return p_run($1.x); end $$;
create cast (w as text) with function w_run(w);
--- operator of a function that runs a text: refused
create operator ~~~~ (rightarg = text, function = p_run);
select ~~~~ 'select ssn from users where id = 1'::text;
--- operator of a built-in function: masked
create operator @@@ (leftarg = text, rightarg = text, function = texteq, restrict = eqsel, join = eqjoinsel);
select 1;
--- between by operators of one's own: refused
create function w(int, text) returns boolean language plpgsql as $$ begin raise notice '%', (select ssn from users where id = $1); return true; end $$;
create operator >= (leftarg = int, rightarg = text, function = w);
create operator <= (leftarg = int, rightarg = text, function = w);
select 1 from products where stock between 'x'::text and 'y'::text;
--- case by an operator of one's own: refused
create function w(int, text) returns boolean language plpgsql as $$ begin raise notice '%', (select ssn from users where id = $1); return true; end $$;
create operator = (leftarg = int, rightarg = text, function = w);
select case id when 'x'::text then 1 end from users;
--- join by an operator of one's own: refused
create function w(int, numeric) returns boolean language plpgsql as $$ begin raise notice '%', (select ssn from users where id = $1); return true; end $$;
create operator = (leftarg = int, rightarg = numeric, function = w);
select 1 from (select id from users) a join (select id::numeric from users) b using (id);
--- similarity by an operator of one's own: refused
create function w(int, text) returns boolean language plpgsql as $$ begin raise notice '%', (select ssn from users where id = $1); return true; end $$;
create operator ~ (leftarg = int, rightarg = text, function = w);
select id from users where id similar to 'x';
--- range type with a function of one's own: refused
create function w(text, text) returns float8 language plpgsql immutable as $$ begin raise notice '%', $1; return 0; end $$;
create type r as range (subtype = text, subtype_diff = w);
--- range type: masked
create type w as range (subtype = text, collation = "C");
select 1;
--- function with a body that changes names: refused
create function w() returns text language sql as 'alter table users rename column ssn to q; select name from users where id = 1';
select w();
--- column added of a domain whose default reads: refused
create domain d as text default f_ssn(1);
create table w (id int);
insert into w values (1);
alter table w add column x d;
select x from w;
--- table made of a domain that reads, in one message: refused; forms simple
create domain d as text default f_ssn(1);
create table w (id int, x d); insert into w (id) values (1) returning x;
--- merge that leaves a default out in one branch: refused
create table w (id int, x text default f_ssn(1));
merge into w using (values (1)) v (id) on w.id = v.id when matched then update set x = 'a' when not matched then insert (id) values (v.id);
select x from w;
--- generated column's expression dropped: either
alter table users alter column ssn_key drop expression;
select ssn_key from users order by id;
--- view replaced under a materialised one: either
create or replace view v_under as select id, name as number from users;
select number from m_over order by id;
--- function replaced under a generated column: either
create or replace function f_kept(text) returns text language sql immutable as $$ select 'x'::text $$;
select copy from kept order by id;
--- generated column by a function: masked
select copy from kept order by id;
--- materialised view over a view: masked
select number from m_over order by id;
--- rule with a condition, instead: either
create rule w as on update to users where old.salary > 400000000 do instead nothing;
update users set note = 'x' where id = 1;
--- rule with a condition, also: either
create rule w as on update to users where old.salary > 400000000 do also insert into logs (line) values ('seen');
update users set note = 'x' where id = 1;
select count(*) from logs;
--- trigger of what goes with a row: either
create table w (id int primary key);
insert into w values (1);
alter table accounts add column w int default 1 references w (id) on delete cascade;
delete from w where id = 1;
select line from audit order by id;
--- trigger of a built-in function that copies: either
create table w (v tsvector) inherits (users);
create trigger w before insert on w for each row execute function tsvector_update_trigger(v, 'pg_catalog.simple', card);
insert into w (id, name, card) select id, name, card from users;
select v from w;
--- table that a rule makes a view: either
create table w (id int, name text);
create rule "_RETURN" as on select to w do instead select id, ssn as name from users;
select name from w order by id;
--- index's function at a change of type: refused
create table w (id int primary key, a text);
insert into w values (1, 'x');
create function w(text) returns text language sql immutable as 'select $1';
create index on w (w(a));
create or replace function w(text) returns text language plpgsql immutable as $$ begin raise notice '%', (select ssn from public.users where id = 1); return 'x'; end $$;
alter table w alter column id type bigint;
--- index's function at a new column: refused
create table w (id int primary key, a text);
insert into w values (1, 'x');
create function w(text) returns text language sql immutable as 'select $1';
create index on w (w(a));
create or replace function w(text) returns text language plpgsql immutable as $$ begin raise notice '%', (select ssn from public.users where id = 1); return 'x'; end $$;
alter table w add column b double precision default random();
--- index's function at a new column, in one message: refused; forms simple
create table w (id int primary key, a text);
insert into w values (1, 'x');
create function w(text) returns text language sql immutable as 'select $1';
create or replace function w(text) returns text language plpgsql immutable as $$ begin raise notice '%', (select ssn from public.users where id = 1); return 'x'; end $$; create index on w (w(a)); alter table w add column b double precision default random();
--- check's function at a change of type: refused
create table w (id int primary key, a text);
insert into w values (1, 'x');
create function w(text) returns boolean language sql immutable as 'select true';
alter table w add check (w(a));
create or replace function w(text) returns boolean language plpgsql immutable as $$ begin raise notice '%', (select ssn from public.users where id = 1); return true; end $$;
alter table w alter column a type varchar(100);
--- check's function at its validation: refused
create table w (id int primary key, a text);
insert into w values (1, 'x');
create function w(text) returns boolean language sql immutable as 'select true';
alter table w add constraint held check (w(a)) not valid;
create or replace function w(text) returns boolean language plpgsql immutable as $$ begin raise notice '%', (select ssn from public.users where id = 1); return true; end $$;
alter table w validate constraint held;
--- index's function at an attached partition: refused
create table w (id int, a text) partition by range (id);
create table v (id int, a text);
insert into v values (1, 'x');
create function w(text) returns text language sql immutable as 'select $1';
create index on w (w(a));
create or replace function w(text) returns text language plpgsql immutable as $$ begin raise notice '%', (select ssn from public.users where id = 1); return 'x'; end $$;
alter table w attach partition v for values from (0) to (10);
--- key's function at an attached partition: refused
create function w(text) returns text language sql immutable as 'select $1';
create table w (id int, a text) partition by list (w(a));
create table v (id int, a text);
insert into v values (1, 'x');
create or replace function w(text) returns text language plpgsql immutable as $$ begin raise notice '%', (select ssn from public.users where id = 1); return 'x'; end $$;
alter table w attach partition v for values in ('x');
--- table altered several times, in one message: masked; forms simple
create table w (id int primary key, a text); alter table w add column b int default 5; alter table w add column c text; alter table w alter column c set default 'x';
--- partition of a sensitive key: either
create table w partition of visitors for values in ('Quillfeather-Ada');
--- partition of a sensitive key with a quote in its name: either
alter table visitors rename column person to "per""son";
create table w partition of visitors for values in ('Quillfeather-Ada');
--- partition attached to a sensitive key with a quote in its name: either
alter table visitors rename column person to "per""son";
create table w (id int, "per""son" text);
alter table visitors attach partition w for values in ('Quillfeather-Ada');
--- row moved out of a sensitive key with a quote in its name: either
alter table visitors rename column person to "per""son";
create table w (id int, "per""son" text) partition by list ("per""son");
alter table visitors detach partition visitors_rest;
alter table w attach partition visitors_rest for values in ('Quillfeather-Ada');
