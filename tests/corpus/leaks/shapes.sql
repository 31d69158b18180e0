-- Rows of more columns than a statement says: a name that is one of theirs is none of those around. Of what may be asked for, so that nothing
-- but the mask is in the way.
--- one of several arrays: masked
select (select concat(y) from unnest(array['a'], array[w1.amount]) as t (x, y)) from wages w1, (select 'x' as y) z order by id;
--- one of several arrays, unnamed: masked
select (select concat(t) from unnest(array['a'], array[amount]) as t) from wages order by id;
--- one of several arrays among functions: masked
select (select concat(y) from rows from (generate_series(1, 1), unnest(array['a'], array[amount])) as t (n, x, y)) from wages, (select 'x' as y) z order by id;
--- several arrays of nothing sensitive: masked
select (select x || y from unnest(array['a'], array['b']) as t (x, y)) from (select amount as y from wages) z;
--- elements that are rows: masked
select (select concat(amount) from unnest(array(select v from wages v order by id)) limit 1) from (select 'x' as amount) z;
--- elements that are rows, of a function: masked
create function w() returns wages[] language sql as 'select array_agg(v order by id) from wages v';
select (select concat(amount) from unnest(w()) limit 1) from (select 'x' as amount) z;
--- elements that are records: masked
select (select concat(b) from unnest(array(select row(id, amount) from wages order by id)) as t (a int, b text) limit 1) from (select 'x' as b) z;
--- domain over rows: masked
create domain w as wages;
create function w() returns setof w language sql as 'select v::w from wages v order by id';
select (select concat(amount) from w() limit 1) from (select 'x' as amount) z;
--- row that is the only result: masked
create function w(out v wages) language sql as 'select v from wages v order by id';
select (select concat(amount) from w()) from (select 'x' as amount) z;
--- row that is the only column: masked
create function w() returns table (v wages) language sql as 'select v from wages v order by id';
select (select concat(amount) from w() limit 1) from (select 'x' as amount) z;
--- row of any type: masked
create function w(anyelement) returns setof anyelement language sql as 'select $1';
select (select concat(amount) from (select v from wages v order by id) y, w(y.v) limit 1) from (select 'x' as amount) z;
--- value of any type: masked
create function w(anyelement) returns anyelement language sql as 'select $1';
select w(amount) from wages order by id;
--- order by a field that nobody names: refused
create function w(text) returns pg_am language sql as 'select 1::oid, $1::name, ''0''::regproc, ''i''::"char"';
select k from (select x.k, (w(x.ssn)).* from (select id as k, ssn, name as amname from users) x order by amname limit 3) q;
--- distinct on a field that nobody names: refused
create function w(text) returns pg_am language sql as 'select 1::oid, $1::name, ''0''::regproc, ''i''::"char"';
select k from (select distinct on (amname) x.k, (w(x.salary::text)).* from (select id as k, salary, name as amname from users) x) q;
--- group by fields that nobody names: refused
create function w(text) returns pg_am language sql as 'select 1::oid, $1::name, ''0''::regproc, ''i''::"char"';
select k from (select 1::oid as oid, 'x'::name as amname, '0'::regproc as amhandler, 'i'::"char" as amtype) o, lateral (select (w(salary::text)).*, count(*) as k from users group by oid, amname, amhandler, amtype) q;
