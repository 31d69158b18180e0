-- Functions: SQL down to its body, the rest by permission only.
--- sql: masked
select f_ssn(1);
--- sql in from: masked
select * from f_ssn(1);
--- sql for each row: masked
select id, f_ssn(id) from users order by id;
--- set of rows: masked
select ssn from f_users();
--- set of rows with a star: masked
select * from f_users();
--- set of rows in the list: masked
select (f_users()).ssn;
--- harmless columns of a set of rows: masked
select id, name from f_users();
--- table function: masked
select * from f_pairs();
--- table function's harmless column: masked
select a from f_pairs();
--- table function in the list: masked 1
select f_pairs();
--- table function under other names: masked
select y from f_pairs() as t (x, y);
--- standard body: masked
select f_atomic(1);
--- out parameters: masked
select * from f_out(1);
--- out parameter: masked
select what from f_out(1);
--- out parameter that is harmless: masked
select who from f_out(1);
--- nested: masked
select f_nested(1);
--- default argument: masked
select f_default();
--- named argument: masked
select f_default(n => 2);
--- harmless sql: masked
select f_name(1);
\row Ada
--- harmless sql of its own: masked
select f_add(1, 2);
\row 3
--- sql on a column: masked 1
select f_loud(ssn) from users;
--- sql on a harmless column: masked
select f_loud(name) from users order by id;
--- sql in a condition: refused
select id from users where f_loud(ssn) > '7';
--- by its result: refused
select id from users where f_ssn(id) > '7';
--- its result in an order: refused
select id from users order by f_ssn(id);
--- its result in an oracle: refused
select 1 / (ascii(f_ssn(1)) - 53);
--- plpgsql of plain sql: either
select p_ssn(1);
--- plpgsql of plain sql for each row: either
select id, p_ssn(id) from users order by id;
--- plpgsql rows: either
select * from p_rows();
--- plpgsql that runs a text: refused
select p_run('select ssn from users where id = 1');
--- plpgsql that runs a harmless text: refused
select p_run('select 1');
--- plpgsql that tells: either
select p_tell(1);
--- definer: either
select p_definer(1);
--- rows from: masked
select * from rows from (f_pairs(), f_ssn(1)) as t (a, b, c);
--- with ordinality: masked
select * from f_pairs() with ordinality;
--- lateral function: masked
select u.id, x.what from users u, lateral f_out(u.id) x order by u.id;
--- lateral function on a column: masked 1
select x from users u, lateral f_loud(u.ssn) x;
--- aggregate of one's own: either
select joined(ssn) from users;
--- aggregate of one's own on harmless columns: either
select joined(name) from (select name from users order by id) t;
--- operator of one's own: refused
select id from users where ssn === 'x';
--- function made, then called: either
create function w(int) returns text language sql as 'select ssn from users where id = $1';
select w(1);
--- function made in another language, then called: either
create function w() returns text language plpgsql as $$ begin return (select ssn from users where id = 1); end $$;
select w();
--- function that hides its text, then called: either
create function w() returns text language plpgsql as $$ declare r text; begin execute 'select s' || 'sn from users where id = 1' into r; return r; end $$;
select w();
--- function replaced: either
create or replace function f_name(int) returns text language sql stable as 'select ssn from users where id = $1';
select f_name(1);
--- function replaced in a transaction: either
begin;
create or replace function f_name(int) returns text language sql stable as 'select ssn from users where id = $1';
select f_name(1);
rollback;
--- function with a setting: either
create function w() returns text language sql set search_path = public as 'select ssn from users where id = 1';
select w();
--- function in a temporary schema: either
create function pg_temp.w() returns text language sql as 'select ssn from users where id = 1';
select pg_temp.w();
--- aggregate made: either
create aggregate w (text) (sfunc = textcat, stype = text, initcond = '');
select w(ssn) from users;
--- operator made: either
create operator @@@ (leftarg = text, rightarg = text, function = textcat);
select ssn @@@ '' from users;
--- cast made: either
create type w as (x text);
create function w_of(text) returns w language sql as 'select row($1)::w';
create cast (text as w) with function w_of(text);
select ssn::w from users;
--- procedure: refused
call p_wipe_sql();
--- do: refused
do $$ begin raise notice '%', (select ssn from users where id = 1); end $$;
--- do with an error: refused
do $$ begin raise exception '%', (select ssn from users where id = 1); end $$;
--- do with a setting: refused
do $$ begin perform set_config('application_name', (select ssn from users where id = 1), false); end $$;
--- function call: either
\call f_ssn(integer) | 1
--- function call of plpgsql: either
\call p_ssn(integer) | 1
--- function call that runs a text: either
\call p_run(text) | select ssn from users where id = 1
--- function call of a built-in that runs a text: refused
\call query_to_xml(text,boolean,boolean,text) | select ssn from users | t | t | x
--- query to xml: refused
select query_to_xml('select ssn from users', true, true, '');
--- table to xml: refused
select table_to_xml('users', true, true, '');
--- schema to xml: refused
select schema_to_xml('public', true, true, '');
--- database to xml: refused
select database_to_xml(true, true, '');
--- cursor to xml: either
begin;
declare c cursor for select ssn from users;
select cursor_to_xml('c', 10, true, true, '');
commit;
--- query to xml and schema: refused
select query_to_xml_and_xmlschema('select ssn from users', true, true, '');
--- text search statistics: refused
select * from ts_stat('select to_tsvector(''simple'', ssn) from users');
--- text search rewrite by a query: refused
select ts_rewrite('a'::tsquery, 'select ''a''::tsquery, to_tsquery(''simple'', name) from users where ssn > ''5''');
--- dblink: refused
select * from dblink('host={dir} dbname=corpus_a', 'select ssn from users') as t (x text);
--- dblink with a connection: refused
select dblink_connect('c', 'host={dir} dbname=corpus_a');
select * from dblink('c', 'select ssn from users') as t (x text);
--- cursor from a function: either
begin;
select p_cursor();
fetch all from c1;
commit;
--- named arguments in another order: masked 1
create function w(a text, b text) returns text language sql immutable as 'select $1';
select w(b => name, a => ssn) from users order by id;
--- named arguments in another order, the harmless one: masked
create function w(a text, b text) returns text language sql immutable as 'select $2';
select w(b => name, a => ssn) from users order by id;
--- default between named arguments: masked
create function w(a int, b text default 'x', c text default upper('y')) returns text language sql stable as 'select $3';
select w(1, 'z');
--- default that reads: either
create function w(a int, b text default f_ssn(1)) returns text language sql stable as 'select b';
select w(1);
--- default of several, one that reads: either
create function w(a int default 1, b text default f_ssn(1), c text default 'x') returns text language sql stable as 'select c';
select w(c => 'q');
--- variadic: masked 1
create function w(variadic parts text[]) returns text language sql immutable as 'select parts::text';
select w(name, ssn) from users order by id;
--- variadic on harmless columns: masked
create function w(variadic parts text[]) returns text language sql immutable as 'select parts[1]';
select w(name, email) from users order by id;
--- variadic array: either
create function w(variadic parts text[]) returns text language sql immutable as 'select parts[1]';
select w(variadic phones) from users order by id;
--- row as an argument: masked 1
select f_of(u) from users u;
--- row as an argument, its harmless column: either
create function w(users) returns text language sql immutable as 'select $1.name';
select w(u) from users u order by id;
--- row as an argument by its name: either
create function w(u users) returns text language sql immutable as 'select u.ssn';
select w(u) from users u order by id;
--- row as an argument, in a condition: refused
create function w(u users) returns boolean language sql immutable as 'select u.ssn > ''5''';
select id from users u where w(u);
--- strict function on it: either
create function w(text) returns int language sql immutable strict as 'select 1';
select w(ssn) from users;
--- strict function that fails where there is a value: refused
create function w(text) returns int language sql immutable strict as 'select 1 / (1 - length(left($1, 1)))';
select w(ssn) from users;
--- result that has to be converted: refused
create function w(int) returns smallint language sql stable as 'select salary from users where id = $1';
select w(1);
--- result that is longer than its type: either
create function w(int) returns label language sql stable as 'select ssn from users where id = $1';
select w(1);
--- result of a domain that tells: refused
create domain d as text check (value < '5');
create function w(int) returns d language sql stable as 'select ssn from users where id = $1';
select w(1);
--- argument of a domain that tells: refused
create domain d as text check (value < '5');
create function w(d) returns int language sql immutable as 'select 1';
select w(ssn) from users;
--- argument of a domain that does not matter: masked
create domain d as text check (value <> 'nobody');
create function w(d) returns text language sql immutable as 'select $1::text';
select w(name) from users order by id;
--- overloaded by type: masked 1
create function w(text) returns text language sql immutable as 'select $1';
create function w(int) returns text language sql immutable as 'select ''x''::text';
select w(ssn) from users;
--- overloaded by type, the harmless one: masked
create function w(text) returns text language sql immutable as 'select $1';
create function w(int) returns text language sql immutable as 'select ssn from users where id = $1';
select w(name) from users order by id;
--- overloaded by what a concatenation is: either
create function w(varchar) returns text language sql immutable as 'select ''x''::text';
create function w(text) returns text language sql stable as 'select ssn from users where id = 1';
select w('a'::varchar || 'b'::text);
--- overloaded by what a choice is: either
create function w(varchar) returns text language sql immutable as 'select ''x''::text';
create function w(text) returns text language sql stable as 'select ssn from users where id = 1';
select w(coalesce(null::varchar, 'b'::text)), w(case when true then 'a'::varchar else 'b'::text end);
--- overloaded name of a built-in that runs a text: refused
create function query_to_xml(int, boolean, boolean, int) returns int language sql immutable as 'select 1';
select query_to_xml('select ssn from users', true, true, '');
--- record by its caller's columns: masked
create function w() returns setof record language sql stable as 'select id, name from users order by id';
select * from w() as t (a int, b text);
--- record by its caller's columns, one sensitive: either
create function w() returns setof record language sql stable as 'select id, ssn from users order by id';
select b from w() as t (a int, b text);
--- record by its caller's narrower columns: refused
create function w() returns setof record language sql stable as 'select id, salary from users order by id';
select a from w() as t (a int, b smallint);
--- name that hides an outer one: masked 2
select name, (select b from f_pairs() where a = 1) from (select id as b, name from users) h order by name;
--- rows that a written statement returns: refused
create function w() returns setof text language sql as 'update users set note = note returning ssn';
select * from w();
--- sql in a standard body with a table: either
create function w(n int) returns table (a text, b text) language sql stable begin atomic select name, ssn from users where id = n; end;
select a from w(1);
--- sql in a returned expression: masked 1
create function w(t text) returns text language sql immutable return upper(t);
select w(ssn) from users order by id;
--- sql in a returned expression on a harmless column: masked
create function w(t text) returns text language sql immutable return upper(t);
select w(name) from users order by id;
--- standard body under another path: either
create function w() returns text language sql stable begin atomic select ssn from users where id = 1; end;
set search_path = other, public;
select w();
--- body under another path: masked
create function w() returns text language sql stable as 'select ssn from users where id = 1';
set search_path = other, public;
select w();
\row public knowledge
--- definer in sql: either
create function w() returns text language sql security definer as 'select ssn from users where id = 1';
select w();
--- function in a temporary schema on a column: masked 1
create function pg_temp.w(text) returns text language sql immutable as 'select upper($1)';
select pg_temp.w(ssn) from users;
--- function in a temporary schema in a condition: refused
create function pg_temp.w(text) returns boolean language sql immutable as 'select $1 > ''5''';
select id from users where pg_temp.w(ssn);
--- function in a temporary schema that is harmless: masked
create function pg_temp.w(text) returns text language sql immutable as 'select upper($1)';
select pg_temp.w(name) from users order by id;
--- type in a temporary schema: refused
create domain pg_temp.w as text check (value < '5');
select ssn::pg_temp.w from users;
--- temporary domain found by its name: refused
create domain pg_temp.w as text check (value < '5');
select ssn::w from users;
--- recursive function: either
create function w(n int) returns text language sql stable as 'select ssn from users where id = n';
create or replace function w(n int) returns text language sql stable as 'select case when n > 2 then (select ssn from users where id = n) else w(n + 1) end';
select w(1);
--- set of rows joined: masked
select a.id, b.name from f_users() a join f_users() b on b.id = a.id order by a.id;
--- set of rows by range: refused
select id from f_users() where ssn > '5';
--- set of rows in an order: refused
select id from f_users() order by ssn;
--- set of rows counted: masked
select count(*) from f_users();
--- ordinality of a set: masked
select ordinality, name from f_users() with ordinality order by ordinality;
--- rows from several, the harmless ones: masked
select a, c from rows from (f_pairs(), f_name(1)) as t (a, b, c);
--- operator of an extension in a row: masked
create table w (c extensions.citext, id int);
set search_path = public, extensions;
select 1 from w where (c, 1) = ('x', 1);
--- operator of an extension in a list of rows: masked
create table w (c extensions.citext, id int);
set search_path = public, extensions;
select 1 from w where (c, id) in (('x', 1), ('y', 2));
--- operator of an extension in a subquery's row: masked
create table w (c extensions.citext, id int);
set search_path = public, extensions;
select ('x', 1) in (select c, id from w);
--- operator of an extension that says what is distinct: masked
create table w (c extensions.citext, id int);
set search_path = public, extensions;
select 1 from w where (c, 1) is distinct from ('x', 1);
--- operator of an extension in a mixed list: masked
create table w (c extensions.citext, id int);
set search_path = public, extensions;
select 1 from w where c in ('a', id::text);
--- operator of an extension in a join: masked
create table w (c extensions.citext, id int);
set search_path = public, extensions;
select 1 from w join w as x using (c);
--- operator of an extension by its schema: masked
create table w (c extensions.citext, id int);
set search_path = public, extensions;
select 1 from w where c operator(extensions.=) any (select 'a'::extensions.citext);
--- function of an extension without its parentheses: refused
create function w(pg_class) returns text language plpgsql as $$ begin return (select ssn from public.users limit 1); end $$;
select s.w from pg_class s limit 1;
--- function's notation behind a row in brackets: refused
create function w(users) returns int language plpgsql as $$ begin raise notice '%', $1.name; return 1; end $$;
select (u).w from users u;
--- function's notation behind a composite value: refused
create table c (f text, g int);
create function w(c) returns int language plpgsql as $$ begin raise notice '%', (select ssn from users where id = 1); return 1; end $$;
select (('x', 1)::c).w;
--- field of a composite value: masked
create table c (f text, g int);
select (('x', 1)::c).f;
--- function's notation behind a composite column: refused
create table c (f text, g int);
create function w(c) returns int language plpgsql as $$ begin raise notice '%', (select ssn from users where id = 1); return 1; end $$;
create table w (id int, a c);
insert into w values (1, ('x', 1));
select (a).w, (w.a).w from w;
--- field of a composite column: masked
create table c (f text, g int);
create table w (id int, a c);
insert into w values (1, ('x', 1));
select (a).f, (w.a).g, (a).* from w;
--- function's notation behind a text: refused
create function w(text) returns int language plpgsql as $$ begin raise notice '%', (select ssn from users where id = 1); return 1; end $$;
select ('x'::text).w;
--- function's notation behind a column in brackets: refused
create function w(text) returns int language plpgsql as $$ begin raise notice '%', (select ssn from users where id = 1); return 1; end $$;
select (name).w from users;
--- function's notation behind a subquery: refused
create function w(text) returns int language plpgsql as $$ begin raise notice '%', (select ssn from users where id = 1); return 1; end $$;
select (select name from users where id = 1).w;
--- file by a function's notation: refused
select ('PG_VERSION'::text).pg_read_file;
--- function's notation of a field of a function's rows: masked
select (pg_get_keywords()).word limit 1;
-- PL/pgSQL: read down to its statements where those come to nothing sensitive, by permission only where they may.
--- harmless plpgsql: masked
create function w(lowest int) returns text language plpgsql as $$ declare n int; begin select count(*) into n from products where stock >= lowest; return n::text; end $$;
select w(1);
select id, w(id), ssn from users order by id;
--- harmless plpgsql of a sensitive value: refused
create function w(x text) returns int language plpgsql as $$ begin insert into logs (line) values (x); return 1; end $$;
select w(ssn) from users;
--- harmless plpgsql that compares a sensitive value: refused
create function w(x text) returns boolean language plpgsql as $$ begin return x > '5'; end $$;
select id from users order by w(ssn), id;
--- plpgsql that runs a text into a row: refused
create function w() returns text language plpgsql as $$ declare r record; begin for r in execute 'select s' || 'sn as a from users' loop return r.a; end loop; end $$;
select w();
--- plpgsql that opens a cursor: refused
create function w() returns refcursor language plpgsql as $$ declare c refcursor := 'w'; begin open c for execute 'select ssn from users'; return c; end $$;
begin;
select w();
fetch all in w;
rollback;
--- plpgsql that names it in a condition: refused
create function w() returns int language plpgsql as $$ begin if (select ssn from users where id = 1) > '5' then return 1; end if; return 0; end $$;
select w();
--- plpgsql that names it after a label, a comment and a string: refused
create function w() returns text language plpgsql as $$ <<w>> declare a text := 'begin -- '' /* '; /* ; end; */ begin select /* into a */ ssn into strict w.a from users where id = 1; return a; end w $$;
select w();
--- plpgsql that names it in what it catches: refused
create function w() returns text language plpgsql as $$ begin return 1 / 0; exception when division_by_zero then return (select ssn from users where id = 1); end $$;
select w();
--- plpgsql that names it in its declarations: refused
create function w() returns text language plpgsql as $$ declare a constant text collate "C" not null := (select ssn from users where id = 1); begin return a; end $$;
select w();
--- plpgsql that catches what fails for a value: refused
create function w() returns text language plpgsql as $$ declare m text; begin begin perform ssn::int from users; exception when others then get stacked diagnostics m = message_text; return m; end; return ''; end $$;
select w();
--- plpgsql whose names mean something else by the path: refused
create schema w;
create view w.products as select ssn as title from users;
create function public.w() returns text language plpgsql as $$ begin return (select title from products limit 1); end $$;
select public.w();
set search_path = w, public;
select public.w();
--- plpgsql whose variable's type tells: refused
create domain w as int check (p_ssn(1) > '5' or value > 0);
create function public.w() returns int language plpgsql as $$ declare a w := 0; begin return a; end $$;
select public.w();
--- plpgsql whose result's type tells: refused
create domain w as int check (p_ssn(1) > '5' or value > 0);
create function public.w() returns w language plpgsql as $$ begin return 0; end $$;
select public.w();
--- plpgsql whose case compares by an operator that tells: refused
create function w(int, text) returns boolean language plpgsql as $$ begin raise notice '%', (select ssn from users where id = $1); return true; end $$;
create operator = (leftarg = int, rightarg = text, function = w);
create function w() returns int language plpgsql as $$ declare a int := 1; b text := 'x'; begin case a when b then return 1; else return 2; end case; end $$;
select w();
--- plpgsql under another path: refused
create function w() returns text language plpgsql set search_path = other as $$ begin return (select max(line) from public.logs); end $$;
select w();
--- plpgsql by its owner: refused
create function w() returns text language plpgsql security definer as $$ begin return (select max(line) from public.logs); end $$;
select w();
--- field named as another argument: either
create function w(u users, ssn text) returns text language sql as 'select u.ssn';
select w(u, 'x') from users u order by id;
--- field behind a row of a function: either
create function w(u users) returns text language sql as 'select u.ssn from pg_get_keywords() u limit 1';
select w(u) from users u order by id;
--- field that is a function in brackets: refused
create function w(o orders) returns text language plpgsql as $$ begin return p_ssn(1); end $$;
select (o).w from orders o order by id;
--- field that is a function of an element: refused
create function w(o orders) returns text language plpgsql as $$ begin return p_ssn(1); end $$;
select ((array_agg(o))[1]).w from orders o;
--- cast of somebody's that nobody asks for: refused
create type w as enum ('a', 'b');
create function w(w) returns text language plpgsql as $$ begin return p_ssn(1); end $$;
create cast (w as text) with function w(w) as implicit;
create table public.w_rows (f w);
insert into w_rows values ('a');
select upper(f) from w_rows;
--- cast of somebody's in an assignment: refused
create type w as enum ('a', 'b');
create function w(w) returns text language plpgsql as $$ begin return p_ssn(1); end $$;
create cast (w as text) with function w(w) as assignment;
insert into logs (line) select 'a'::w returning line;
--- plpgsql of any type: refused
create domain w as int check (p_ssn(1) > '5' or value > 0);
create function w(x anyelement) returns anyelement language plpgsql as $$ begin return 5; end $$;
select w(3::w);
--- plpgsql that puts something into a field: refused
create domain w as int check (p_ssn(1) > '5' or value is null);
create function public.w() returns int language plpgsql as $$ declare r record; begin select null::w as f into r; r.f := 5; return 1; end $$;
select public.w();
--- overload by a domain: either
create function w(text) returns text language sql as 'select ''x''::text';
create function w(taxid) returns text language sql as 'select $1::text';
select w(tax) from users;
--- overload by a domain of one's own: either
create domain w as text;
create function f(text) returns text language sql as 'select ''x''::text';
create function f(w) returns text language sql as 'select $1::text';
select f(ssn::w) from users;
