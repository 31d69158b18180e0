-- Making and changing objects, which jobs may not.
--- table: refused
create table w (id int);
--- table if it is not there: refused
create table if not exists w (id int);
--- table of a query: refused
create table w as select 1;
--- table like another: refused
create table w (like logs including all);
--- unlogged table: refused
create unlogged table w (id int);
--- select into: refused
select 1 as x into w;
--- select into, in with: refused
with c as (select 1 as x) select x into w from c;
--- table of a prepared query: refused
prepare p as select 1 as x;
create table w as execute p;
--- view: refused
create view w as select 1;
--- view replaced: refused
create or replace view v_harmless as select id, name, ssn as email from users;
--- materialised view: refused
create materialized view w as select 1;
--- index: refused
create index w on orders (total);
--- index concurrently: refused
create index concurrently w on orders (total);
--- unique index: refused
create unique index w on logs (line);
--- index by a function that runs: refused
create index w on logs (f_loud(line));
--- sequence: refused
create sequence w;
--- schema: refused
create schema w;
--- schema with its contents: refused
create schema w create table t (id int);
--- type: refused
create type w as (a int);
--- enum: refused
create type w as enum ('a');
--- domain: refused
create domain w as int check (value > 0);
--- function: refused
create function w() returns int language sql as 'select 1';
--- function replaced: refused
create or replace function f_add(int, int) returns int language sql immutable as 'select 0';
--- function in c: refused; differs there is no such library
create function w() returns int language c as 'x', 'y';
--- procedure: refused
create procedure w() language sql as 'delete from orders';
--- aggregate: refused
create aggregate w (text) (sfunc = textcat, stype = text);
--- operator: refused
create operator @@@ (leftarg = text, rightarg = text, function = textcat);
--- cast: refused
create cast (mood as int) with inout as implicit;
--- trigger: refused
create trigger w before insert on logs for each row execute function fire();
--- constraint trigger: refused
create constraint trigger w after insert on logs deferrable for each row execute function fire();
--- event trigger: refused
create function w() returns event_trigger language plpgsql as $$ begin end $$;
create event trigger w on ddl_command_end execute function w();
--- rule: refused
create rule w as on insert to logs do also delete from orders;
--- rule that replaces: refused
create or replace rule burn as on insert to fuse do also nothing;
--- rule that makes a view: refused
create table w (id int);
create rule "_RETURN" as on select to w do instead select 1 as id;
--- policy: refused
create policy w on logs using (true);
--- publication: refused
create publication w for all tables;
--- subscription: refused
create subscription w connection 'dbname=x' publication p with (connect = false);
--- statistics: refused
create statistics w on id, total from orders;
--- collation: refused
create collation w from "C";
--- conversion: refused
create conversion w for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8;
--- text search configuration: refused
create text search configuration w (copy = english);
--- language: refused
create trusted language w handler plpgsql_call_handler;
--- access method: refused
create access method w type table handler heap_tableam_handler;
--- extension: refused
create extension pg_trgm;
--- extension if it is not there: refused
create extension if not exists file_fdw cascade;
--- server: refused
create server w foreign data wrapper postgres_fdw;
--- foreign data wrapper: refused
create foreign data wrapper w;
--- user mapping: refused
create server w foreign data wrapper postgres_fdw;
create user mapping for public server w;
--- foreign table: refused
create server w foreign data wrapper postgres_fdw;
create foreign table f (id int) server w;
--- database: refused
create database w;
--- tablespace: refused
create tablespace w location '{dir}';
--- column added: refused
alter table logs add column w int;
--- column renamed: refused
alter table users rename column ssn to harmless;
--- table renamed: refused
alter table users rename to people;
--- schema renamed: refused
alter schema other rename to w;
--- view renamed: refused
alter view v_plain rename to w;
--- function renamed: refused
alter function f_name(int) rename to w;
--- table moved: refused
alter table logs set schema other;
--- type changed: refused
alter table orders alter column quantity type bigint;
--- type changed by a function: refused
alter table products alter column title type text using f_loud(title);
--- default changed: refused
alter table orders alter column state set default 'void';
--- not null set: refused
alter table orders alter column sku set not null;
--- column's statistics: refused
alter table orders alter column sku set (n_distinct = 5);
--- constraint added: refused
alter table orders add check (quantity > 0);
--- primary key added: refused
alter table outbox add primary key (id);
--- foreign key added: refused
alter table outbox add foreign key (id) references inbox (id);
--- constraint changed: refused
alter table claims alter constraint claims_ssn_fkey not deferrable;
--- trigger disabled: refused
alter table stamped disable trigger stamp;
--- all triggers disabled: refused
alter table orders disable trigger all;
--- trigger always: refused
alter table stamped enable always trigger stamp;
--- rule disabled: refused
alter table fuse disable rule burn;
--- row security: refused
alter table orders enable row level security;
--- row security forced: refused
alter table orders force row level security;
--- partition attached: refused
create table w (id int, at date not null, person text, amount int);
alter table events attach partition w for values from ('2030-01-01') to ('2031-01-01');
--- inherited: refused
alter table audit inherit logs;
--- cluster key: refused
alter table users cluster on users_name;
--- replica identity: refused
alter table users replica identity full;
--- unlogged: refused
alter table logs set unlogged;
--- storage parameter: refused
alter table logs set (fillfactor = 50);
--- sequence changed: refused
alter sequence tickets_seq increment 5;
--- sequence restarted: refused
alter sequence tickets_seq restart with 5;
--- enum's value: refused
alter type mood add value 'great';
--- enum's value renamed: refused
alter type mood rename value 'low' to 'down';
--- domain's constraint: refused
alter domain label add check (length(value) > 0) not valid;
--- function's volatility: refused
alter function f_loud(text) volatile;
--- function's definer: refused
alter function p_ssn(int) security definer;
--- function's setting: refused
alter function f_name(int) set search_path = other;
--- function's cost: refused
alter function f_name(int) leakproof;
--- index changed: refused
alter index users_name rename to w;
--- view's column default: refused
alter view v_harmless alter column name set default 'x';
--- view's option: refused
alter view v_harmless set (security_barrier);
--- comment: refused
comment on table users is 'x';
--- comment on a database: refused
comment on column users.ssn is 'public';
--- materialised view refreshed: refused; differs nothing is left of it
refresh materialized view m_users;
--- temporary table: refused; differs nothing is left of it
create temp table w (id int);
--- ddl in a transaction: refused
begin;
create table w (id int);
commit;
--- ddl beside a query: refused; forms simple
select 1; create table w (id int); select 2
;
