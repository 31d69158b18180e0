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
