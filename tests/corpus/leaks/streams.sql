-- COPY out, cursors, prepared statements and portals.
--- copy of a table: masked 4,5,6,7,11,12,13
copy users to stdout;
--- copy of columns: masked 2
copy users (id, ssn) to stdout;
--- copy of harmless columns: masked
copy users (id, name) to stdout;
--- copy in csv: masked 2
copy users (id, ssn, name) to stdout (format csv);
--- copy in csv with a header: masked
copy users (id, ssn, name) to stdout (format csv, header);
--- copy in csv with quotes: either
copy users (id, ssn) to stdout (format csv, force_quote (ssn));
--- copy in csv, all quoted: either
copy users (id, ssn) to stdout (format csv, force_quote *);
--- copy in csv with a value's digit as quote: either
copy users (id, ssn, name) to stdout (format csv, quote '5', escape '-');
--- copy in csv with a value's digit as delimiter: either
copy users (id, ssn, name) to stdout (format csv, delimiter '4');
--- copy with a delimiter and a null: either
copy users (id, ssn, note) to stdout (delimiter '|', null 'none');
--- copy of what may be null by the value: either
copy (select id, nullif(ssn, '539-48-0120') from users order by id) to stdout;
--- copy of domains: masked 2
copy users (id, tax) to stdout;
--- copy of domains in binary: masked 2
copy users (id, tax) to stdout (format binary);
--- copy of arrays: masked 2
copy users (id, phones) to stdout;
--- copy of arrays in binary: masked 2
copy users (id, phones) to stdout (format binary);
--- copy of a join: masked 1
copy (select u.ssn, o.total from users u join orders o on o.user_id = u.id order by o.id) to stdout;
--- copy of a union: masked 1
copy (select ssn from users union all select name from users) to stdout;
--- copy that fails half way: masked 1; invalid
copy (select (select ssn from users where id = n), 1 / (n - 3) from generate_series(1, 5) n) to stdout;
--- copy of a function that cannot be read: either
copy (select * from p_rows()) to stdout;
--- copies, one of them harmless: masked
begin;
copy users (name) to stdout;
copy users (ssn) to stdout;
copy users (name) to stdout;
commit;
--- copy in binary: masked 2
copy users (id, ssn) to stdout (format binary);
--- copy of numbers in binary: masked 2,3
copy users (id, salary, born) to stdout (format binary);
--- copy of documents in binary: masked 2
copy users (id, profile) to stdout (format binary);
--- copy with a delimiter: either
copy users (id, ssn) to stdout (delimiter '5');
--- copy with a null: either
copy users (id, ssn) to stdout (null '539-48-0120');
--- copy in another encoding: either
copy users (id, ssn) to stdout (encoding 'LATIN1');
--- copy in utf-16's neighbour: either
copy users (id, ssn) to stdout (encoding 'SJIS');
--- copy of a query: masked
copy (select ssn from users order by id) to stdout;
--- copy of a query in csv: masked
copy (select id, ssn, salary from users order by id) to stdout (format csv);
--- copy of a query in binary: masked
copy (select id, ssn, born from users order by id) to stdout (format binary);
--- copy of a star: masked 4,5,6,7,11,12,13,15
copy (select * from users order by id) to stdout;
--- copy of an expression: masked 1
copy (select upper(ssn) from users) to stdout;
--- copy of a whole row: masked 1
copy (select u from users u) to stdout;
--- copy of a view: masked
copy (select * from v_plain) to stdout;
--- copy of a materialised view: masked
copy (select * from m_users) to stdout;
--- copy of a function: masked
copy (select * from f_pairs()) to stdout;
--- copy of values with a subquery: masked
copy (values (1, (select ssn from users where id = 1))) to stdout;
--- copy of what is returned: masked
copy (update users set note = 'x' where id = 1 returning ssn) to stdout;
--- copy of an inserted row: either
copy (insert into users (id, name, ssn) values (40, 'Gus', '000-11-0000') returning ssn) to stdout;
--- copy of a deleted row: either
copy (delete from accounts where id = 2 returning ssn) to stdout;
--- copy by a predicate: refused
copy (select id from users where ssn > '7') to stdout;
--- copy in an order: refused
copy (select id from users order by ssn) to stdout;
--- copy of an oracle: refused
copy (select 1 / (ascii(ssn) - 53) from users where id = 1) to stdout;
--- copy of a partition: masked 3
copy events_2023 to stdout;
--- copy of a child: masked 2
copy members_abroad to stdout;
--- copy of a generated column: masked 1
copy (select ssn_key from users) to stdout;
--- copy to a file: refused
copy users to '{dir}/stolen';
--- copy to a program: refused
copy users to program 'cat > {dir}/stolen';
--- copy in and out: either
create temp table w (x text);
insert into w select ssn from users;
copy w to stdout;
--- old copy syntax: masked 2
copy users (id, ssn) to stdout with csv;
--- older copy syntax: masked 4,5,6,7,11,12,13
copy binary users to stdout;
--- copy in a transaction: masked 1
begin;
copy users (ssn) to stdout;
commit;
--- two copies in one message: masked 1; forms simple
copy users (ssn) to stdout; copy claims (ssn) to stdout;
--- copy and a query in one message: masked 1; forms simple
copy users (ssn) to stdout; select ssn from users where id = 1;
--- cursor: masked
begin;
declare c cursor for select ssn from users order by id;
fetch all from c;
commit;
--- cursor, one by one: masked
begin;
declare c cursor for select ssn from users order by id;
fetch c;
fetch next from c;
fetch forward 2 from c;
commit;
--- scrolling cursor: masked
begin;
declare c scroll cursor for select id, ssn from users order by id;
fetch last from c;
fetch prior from c;
fetch absolute 1 from c;
fetch relative 2 from c;
fetch backward all from c;
commit;
--- holding cursor: masked
declare c cursor with hold for select ssn from users order by id;
fetch all from c;
close c;
--- holding cursor of a transaction: masked
begin;
declare c cursor with hold for select ssn from users order by id;
commit;
fetch 2 from c;
--- binary cursor: masked
begin;
declare c binary cursor for select ssn, salary, born from users order by id;
fetch all from c;
commit;
--- insensitive cursor: masked
begin;
declare c insensitive cursor for select ssn from users order by id;
fetch all in c;
commit;
--- two cursors: masked
begin;
declare a cursor for select name from users order by id;
declare b cursor for select ssn from users order by id;
fetch a;
fetch b;
commit;
--- cursor's name used again: masked
begin;
declare c cursor for select name from users order by id;
close c;
declare c cursor for select ssn from users order by id;
fetch c;
commit;
--- cursor's name used again after a savepoint: masked
begin;
declare c cursor for select ssn from users order by id;
savepoint s;
close c;
declare c cursor for select name as ssn from users order by id;
rollback to s;
commit;
--- quoted cursor: masked
begin;
declare "C c" cursor for select ssn from users order by id;
fetch all from "C c";
commit;
--- cursor and its whole in one message: masked; forms simple
begin; declare c cursor for select ssn from users order by id; fetch all from c; commit;
--- cursor by a predicate: refused
begin;
declare c cursor for select id from users where ssn > '7';
fetch all from c;
commit;
--- cursor in an order: refused
begin;
declare c cursor for select id from users order by ssn;
fetch c;
commit;
--- moved cursor: refused
begin;
declare c scroll cursor for select id from users where ssn > '7';
move all from c;
commit;
--- cursor that fails: refused
begin;
declare c cursor for select 1 / (ascii(ssn) - 53) from users where id = 1;
fetch c;
commit;
--- cursor, function replaced between: either
begin;
declare c cursor for select f_name(id) from users;
create or replace function f_name(int) returns text language sql stable as 'select ssn from users where id = $1';
fetch all from c;
rollback;
--- cursors, all closed: masked
begin;
declare c cursor for select name from users order by id;
close all;
declare c cursor for select ssn from users order by id;
fetch 2 from c;
commit;
--- cursor made again after a savepoint: masked
begin;
declare c cursor for select name from users order by id;
savepoint s;
close c;
declare c cursor for select ssn from users order by id;
fetch 2 from c;
rollback to s;
commit;
--- cursor in the place of a portal: masked
begin;
\parse s select name from users order by id
\bind c s
close c;
declare c cursor for select ssn from users order by id;
\portal c 2
commit;
--- cursor moved, then fetched: masked
begin;
declare c scroll cursor for select ssn from users order by id;
move 2 from c;
fetch prior from c;
commit;
--- cursor and prepared statement of one name: masked
prepare c as select name from users order by id;
begin;
declare c cursor for select ssn from users order by id;
fetch 2 from c;
execute c;
commit;
--- cursor of code's own: either
begin;
declare a cursor for select name from users;
select p_cursor();
fetch all from c1;
commit;
--- cursor over a cursor's row: either
begin;
declare c cursor for select id, ssn from users where id = 1 for update;
fetch c;
update users set note = 'x' where current of c;
commit;
--- cursor names in the catalog: either; differs times
begin;
declare c cursor for select ssn from users;
select name, statement from pg_cursors;
commit;
--- portal fetched by name: masked
begin;
\parse s select ssn from users order by id
\bind c1 s
fetch 2 from c1;
commit;
--- portal, suspended: masked
begin;
\parse s select ssn, salary from users order by id
\bind c1 s
\portal c1 2
\portal c1 2
\portal c1 0
commit;
--- prepared: masked
prepare p as select ssn from users order by id;
execute p;
--- prepared with a parameter: masked
prepare p (int) as select name, ssn from users where id = $1;
execute p (1);
--- prepared and deallocated: masked
prepare p as select ssn from users;
deallocate p;
prepare p as select name as ssn from users where id = 1;
execute p;
--- prepared by value: masked; differs equality
prepare p (text) as select id from users where ssn = $1;
execute p ('539-48-0120');
--- prepared with a predicate: refused
prepare p (text) as select id from users where ssn > $1;
execute p ('5');
--- prepared with an oracle: refused
prepare p as select 1 / (ascii(ssn) - 53) from users where id = 1;
execute p;
--- prepared star: masked 4,5,6,7,11,12,13,15
prepare p as select * from users order by id;
execute p;
--- prepared, then another path: either
prepare p as select ssn from users where id = 1;
set search_path = other;
execute p;
--- prepared under another path: either
set search_path = other;
prepare p as select ssn from users where id = 1;
set search_path = public;
execute p;
--- prepared with a subquery as an argument: either
prepare p (text) as select $1;
execute p ((select ssn from users where id = 1));
--- prepared into a table: either
prepare p as select id, ssn from users;
create temp table w as execute p;
select ssn from w;
--- prepared with a function as an argument: refused
prepare p (text) as select $1;
execute p (f_ssn(1));
--- prepared with a loud function as an argument: refused
prepare p (text) as select $1;
execute p (upper(f_ssn(1)));
--- prepared, then all deallocated: masked
prepare p as select name from users order by id;
deallocate all;
prepare p as select ssn from users order by id;
execute p;
--- prepared twice: masked; invalid
prepare p as select name from users order by id;
prepare p as select ssn from users order by id;
execute p;
--- prepared, then discarded: masked
prepare p as select name from users order by id;
discard all;
prepare p as select ssn from users order by id;
execute p;
--- prepared and rolled back: masked
begin;
prepare p as select ssn from users order by id;
rollback;
execute p;
--- prepared in a transaction that fails: masked; invalid
begin;
prepare p as select ssn from users order by id;
select 1 / 0;
rollback;
execute p;
--- prepared beside what fails: masked; forms simple; invalid
prepare p as select ssn from users order by id; select 1 / 0;
execute p;
--- prepared by code: refused
prepare p as select name from users;
do $$ begin execute 'deallocate p'; execute 'prepare p as select ssn from users'; end $$;
execute p;
--- prepared, view replaced between: either
prepare p as select email from v_harmless where id = 1;
create or replace view v_harmless as select id, name, ssn as email from users;
execute p;
--- prepared, function replaced between: either
prepare p as select f_name(1);
create or replace function f_name(int) returns text language sql stable as 'select ssn from users where id = $1';
execute p;
--- prepared, better function made between: either
prepare p as select f_name(1::smallint);
create function f_name(smallint) returns text language sql stable as 'select ssn from users where id = $1';
execute p;
--- prepared, explained: either
prepare p as select ssn from users where id = 1;
explain execute p;
--- prepared with a predicate, explained: refused
prepare p (text) as select id from users where ssn = $1;
explain execute p ('539-48-0120');
--- prepared by the protocol, deallocated and prepared by sql: masked
\parse s select name from users where id = 1
deallocate s;
prepare s as select ssn from users where id = 1;
\execute s
--- prepared names in the catalog: either; differs times
prepare p as select ssn from users where ssn = '000-00-0000';
select name, statement from pg_prepared_statements;
--- prepared texts in the catalog: either; differs times
prepare p as select 1;
select statement from pg_prepared_statements;
--- prepared texts in the catalog, as a row: either; differs times
prepare p as select 1;
select s from pg_prepared_statements s;
--- prepared in one message: masked; forms simple
prepare p as select ssn from users order by id; execute p;
--- named statement, never described again: masked
\parse s select ssn from users where id = $1
\execute s 1
\execute s 2
--- named statement, prepared by the protocol and run by sql: masked
\parse s select ssn from users where id = 1
execute s;
--- named statement, prepared by sql and run by the protocol: masked
prepare s as select ssn from users where id = 1;
\execute s
--- named statement by another statement's name: masked
\parse s select name from users where id = 1
\parse t select ssn from users where id = 1
\execute t
\execute s
--- named statement with a predicate: refused
\parse s select id from users where ssn > $1
\execute s 5
--- named statement, then another path: either
\parse s select ssn from users where id = 1
set search_path = other;
\execute s
--- named statement, view replaced between: either
\parse s select email from v_harmless where id = 1
create or replace view v_harmless as select id, name, ssn as email from users;
\execute s
--- named statement, function replaced between: either
\parse s select f_name(1)
create or replace function f_name(int) returns text language sql stable as 'select ssn from users where id = $1';
\execute s
--- bound portal, function replaced between: either
begin;
\parse s select f_name(id) from users
\bind c s
create or replace function f_name(int) returns text language sql stable as 'select ssn from users where id = $1';
\portal c 0
rollback;
--- pipeline of two: masked; pipelined
select ssn from users where id = 1;
select name, ssn from users where id = 2;
--- pipeline with a refused one between: refused; pipelined
select name from users where id = 1;
select id from users where ssn > '7';
select ssn from users where id = 2;
--- pipeline of a cursor: masked; pipelined
begin;
declare c cursor for select ssn from users order by id;
fetch all from c;
commit;
--- pipeline that sets the path: either; pipelined
set search_path = other;
select ssn from users;
set search_path = public;
select ssn from users where id = 1;
--- several in one message: masked; forms simple
select name from users where id = 1; select ssn from users where id = 1; select id from users where id = 1;
--- one of several refused: refused; forms simple
select name from users where id = 1; select id from users where ssn > '7';
--- path set within a message: either; forms simple
set search_path = other; select ssn from users; set search_path = public; select ssn from users where id = 1;
--- masked, then harmless, then masked: masked
select ssn from users where id = 1;
select name from users where id = 1;
select ssn from users where id = 2;
