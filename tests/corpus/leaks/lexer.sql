-- The same names under every spelling, and texts that are read by other rules.
--- upper case: masked
SELECT SSN FROM USERS ORDER BY ID;
--- mixed case: masked
sElEcT sSn FrOm UsErS oRdEr By Id;
--- quoted: masked
select "ssn" from "users" order by "id";
--- quoted with its schema: masked
select "public"."users"."ssn" from "public"."users" order by "public"."users"."id";
--- quoted with its schema, in an order: refused
select "public"."users"."ssn" from "public"."users" order by 1 limit 0;
--- quoted alias: masked
select "u u"."ssn" from users "u u" order by "u u".id;
--- unicode identifier: masked
select U&"\0073sn" from users order by id;
--- unicode table: masked
select ssn from U&"\0075sers" order by id;
--- unicode with another escape: masked
select U&"!0073sn" uescape '!' from users order by id;
--- six-digit unicode: masked
select U&"\+000073sn" from users order by id;
--- comment between: masked
select/**/ssn/* x */from/* /* nested */ */users order by id;
--- comment at the end: masked
select ssn from users order by id -- ; drop table users
;
--- comment that hides another statement: masked
select ssn /* ' */ from users /* ' */ order by id;
--- nested comment that is not ended where it seems: masked
select /* /* */ name, */ ssn from users order by id;
--- line comment with a return: masked
select name, --x
ssn from users order by id;
--- tabs and new lines: masked
select
	ssn
from
	users
order by id;
--- form feed and vertical tab: masked
selectssnfrom usersorder by id;
--- no space: masked
select"ssn"from"users"order by"id";
--- number beside a word: either; invalid
select 1ssn from users;
--- number beside a word, of one's own: either; invalid
select 1a, ssn from users where id=1and id=1;
--- semicolons: masked; forms simple
;;; select ssn from users order by id;;
--- empty between: masked; forms simple
select ssn from users where id = 1;;select ssn from users where id = 2;
--- escape string: masked; differs equality
select id from users where ssn = E'\x3539-48-0120';
--- unicode string: masked; differs equality
select id from users where ssn = U&'\0035\0033\0039-48-0120';
--- dollar string: masked; differs equality
select id from users where ssn = $$539-48-0120$$;
--- tagged dollar string: masked; differs equality
select id from users where ssn = $a$539-48-0120$a$;
--- string in two parts: masked; differs equality
select id from users where ssn = '539-'
'48-0120';
--- national string: either; differs equality
select id from users where ssn = N'539-48-0120';
--- typed string: masked; differs equality
select id from users where ssn = text '539-48-0120';
--- bit string: either
select b'101', x'1f', ssn from users where id = 1;
--- lexer setting: refused
set standard_conforming_strings = off;
select '\'', ssn from users --';
;
--- lexer setting by function: refused
select set_config('standard_conforming_strings', 'off', false);
select '\'', ssn from users --';
;
--- lexer setting in a transaction: refused
begin;
set local standard_conforming_strings = off;
select 'a\'', ssn from users --';
;
commit;
--- lexer setting at start: either
\startup options=-c standard_conforming_strings=off
select 'a\'', ssn from users where id = 1 --';
;
--- lexer setting at start by its name: either
\startup standard_conforming_strings=off
select ssn from users where id = 1;
--- lexer setting by the catalog: refused
update pg_settings set setting = 'off' where name = 'standard_conforming_strings';
select ssn from users where id = 1;
--- lexer setting of the role: refused
alter role {role} set standard_conforming_strings = off;
--- lexer setting of the database: refused
alter database corpus_a set standard_conforming_strings = off;
--- lexer setting by a function's clause: either
create function w() returns text language sql set standard_conforming_strings = off as 'select ssn from users where id = 1';
select w();
--- reset: either
reset all;
select ssn from users where id = 1;
--- discard: either
discard all;
select ssn from users where id = 1;
--- backslash quote: either
set backslash_quote = on;
select E'\'', ssn from users where id = 1;
--- escape warning: either
set escape_string_warning = off;
select ssn from users where id = 1;
--- client encoding: refused
set client_encoding = 'SJIS';
select ssn from users where id = 1;
--- client encoding by names: refused
set names 'BIG5';
select ssn from users where id = 1;
--- client encoding at start: either
\startup client_encoding=SJIS
select ssn from users where id = 1;
--- client encoding at start by options: either
\startup options=-c client_encoding=GBK
select ssn from users where id = 1;
--- client encoding latin1: either
set client_encoding = 'LATIN1';
select ssn from users where id = 1;
--- client encoding sql_ascii: either
set client_encoding = 'SQL_ASCII';
select ssn from users where id = 1;
--- invalid bytes: either; forms simple
\raw Q select '\xff', ssn from users where id = 1\x00
--- half of a wide character: either; forms simple
\raw Q select '\x95\x5c', ssn from users where id = 1\x00
--- byte order mark: either; forms simple; invalid
\raw Q \xef\xbb\xbfselect ssn from users where id = 1\x00
--- zero within: either; forms simple
\raw Q select 1\x00; select ssn from users\x00
--- text after the end: either; forms simple
\raw Q select ssn from users where id = 1\x00x
--- wide space: either; invalid
select　ssn from users where id = 1;
--- non-breaking letters: either
select ssn as "sßn" from users where id = 1;
--- long name: masked
select ssn as aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggg from users order by id;
--- name cut to the same: either
select * from (select id as aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg1, ssn as aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg2 from users) t;
--- keyword as a name: masked
select ssn as "select" from users as "from" order by id;
--- operator's own syntax: masked
select id, ssn from users where id operator(pg_catalog.=) 1;
--- operator's own syntax on it: either; differs equality
select id from users where ssn operator(pg_catalog.=) '539-48-0120';
--- operator's range on it: refused
select id from users where ssn operator(pg_catalog.>) '5';
--- null test by an operator: either
select id from users where ssn isnull;
--- parameter beside a word: masked
\params 1
select ssn from users where id=$1;
--- positional column: masked
select (u).ssn from (select * from users) as u order by (u).id;
--- path that shadows: masked
set search_path = other;
select ssn from users;
--- path of both: masked
set search_path = other, public;
select ssn from users;
--- path of both, the other way: masked
set search_path = public, other;
select ssn from users order by id;
--- path with the catalog behind: masked
set search_path = public, pg_catalog;
select ssn from users order by id;
--- path with quotes: masked
set search_path = "public";
select ssn from users order by id;
--- path by function: either
select set_config('search_path', 'other', false);
select ssn from users;
--- path by function back: either
set search_path = other;
select set_config('search_path', 'public', false);
select ssn from users where id = 1;
--- path in a transaction that ends: masked
begin;
set local search_path = other;
select ssn from users;
commit;
select ssn from users where id = 1;
--- path that is rolled back: masked
begin;
set search_path = other;
rollback;
select ssn from users where id = 1;
--- path that a savepoint undoes: masked
begin;
savepoint s;
set search_path = other;
rollback to s;
select ssn from users where id = 1;
commit;
--- path that ends in one text: either; forms simple
create schema w;
create table w.users (id int, ssn text);
begin;
set local search_path = w, public;
commit; select id, ssn from users;
--- path that is rolled back in one text: either; forms simple
create schema w;
create table w.users (id int, ssn text);
begin;
set search_path = w, public;
rollback; select id, ssn from users;
--- path that a savepoint undoes in one text: either; forms simple
create schema w;
create table w.users (id int, ssn text);
begin;
savepoint s;
set search_path = w, public;
rollback to s; select id, ssn from users;
--- path that ends before another transaction: either
create schema w;
create table w.users (id int, ssn text);
begin;
set local search_path = w, public;
commit and chain;
select id, ssn from users;
--- path that ends with one that failed, in one text: either; forms simple
create schema w;
create table w.users (id int, ssn text);
begin;
set search_path = w, public;
select 1 / 0;
commit; select id, ssn from users;
--- table until the commit, in one text: either; forms simple
begin;
create temp table users (id int, ssn text) on commit drop;
commit; select id, ssn from users;
--- table until the commit, and another transaction in one text: either; forms simple
begin;
create temp table users (id int, ssn text) on commit drop;
commit and chain; select id, ssn from users;
--- table until the commit, before another transaction: either
begin;
create temp table users (id int, ssn text) on commit drop;
commit and chain;
select id, ssn from users;
--- table that is rolled back in one text: either; forms simple
begin;
create temp table users (id int, ssn text);
rollback; select id, ssn from users;
--- table that a savepoint undoes in one text: either; forms simple
begin;
savepoint s;
create temp table users (id int, ssn text);
rollback to s; select id, ssn from users;
--- table until the commit, and a statement that was prepared: either; forms simple
begin;
create temp table users (id int, ssn text) on commit drop;
prepare p as select id, ssn from users;
commit; execute p;
--- table until the commit, in a pipeline: either; pipelined
begin;
create temp table users (id int, ssn text) on commit drop;
commit;
select id, ssn from users;
--- path at start: either
\startup options=-c search_path=other
select ssn from users where id = 1;
--- path of a schema made: either
create schema w;
create table w.users (id int, ssn text);
set search_path = w, public;
select ssn from users;
--- path and the same function: masked
set search_path = other, pg_catalog, public;
select upper(title) from public.products order by sku;
--- path through a role: either
set search_path = "$user", public;
select ssn from users order by id;
--- function that shadows a built-in: either
create function public.upper(text) returns text language plpgsql as $$ begin raise notice '%', $1; return $1; end $$;
set search_path = public, pg_catalog;
select upper(ssn) from users;
--- operator that shadows a built-in: either
create function w(text, text) returns boolean language plpgsql as $$ begin raise notice '%', $1; return true; end $$;
create operator public.= (leftarg = text, rightarg = text, function = w);
set search_path = public, pg_catalog;
select id from users where ssn = '000-00-0000';
--- operator that converts: either
create function w(text) returns int language sql immutable as 'select ascii($1)';
create cast (text as int) with function w(text) as implicit;
select id from users where ssn = '000-00-0000';
--- date style: either
set datestyle = 'German';
select born from users where id = 1;
--- bytea output: either
set bytea_output = 'escape';
select ssn::bytea from users where id = 1;
--- interval style: either
set intervalstyle = 'iso_8601';
select age(date '2024-01-01', born) from users where id = 1;
--- float digits: either
set extra_float_digits = 3;
select salary::float8 from users where id = 1;
--- xml option: either
set xmloption = document;
select xmlelement(name a, ssn) from users where id = 1;
--- role changed: either
set role bystander;
select ssn from public.users where id = 1;
--- session changed: refused
set session authorization boss;
select ssn from users where id = 1;
--- row security off: either
set row_security = off;
select ssn from users where id = 1;
--- quoting of all identifiers: either
set quote_all_identifiers = on;
select ssn from users order by id;
