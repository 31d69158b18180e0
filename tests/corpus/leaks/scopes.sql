-- Names that stand for another thing than it seems: what the server finds further out, further behind, or by its place.
--- with that is made further behind, in a computation: either
with recursive a as (select * from logs), logs as (select id, ssn as line from users) select id, upper(line) from a order by id;
--- with that is made further behind, through another: either
with recursive a as (select * from b), b as (select * from logs), logs as (select id, ssn as line from users) select id, line || '' from a order by id;
--- with that is made further behind, copied: either
copy (with recursive a as (select * from logs), logs as (select id, ssn as line from users) select line from a order by id) to stdout;
--- with that is made further behind, in a condition: either
with recursive a as (select id from logs where line < '5'), logs as (select id, ssn as line from users) select count(*) from a;
--- with that is made further behind, in a subquery: either
with recursive a as (select (select max(line) from logs) as m), logs as (select ssn as line from users) select upper(m) from a;
--- with that is made further behind, in a write: either
with recursive a as (select * from logs), logs as (select id, ssn as line from users) insert into docs (id, title) select id + 100, line from a;
--- with that is made further behind, that writes: either
with recursive a as (select upper(line) from logs), logs as (update users set name = name where id = 1 returning ssn as line) select * from a;
--- column further out by a table's name: either
select (select upper(note) from logs note limit 1) from (select ssn as note from users) z;
--- column further out by a subquery's name: either
select (select length(city || '') - ascii(city) from (select 1) city) from (select ssn as city from users) z;
--- column further out by a system column's name: either
select (select upper(xmin) from (select 1) g) from (select ssn as xmin from users) z;
--- column further out by a system column's name, from a function: either
select (select upper(ctid) from generate_series(1, 1) g) from (select ssn as ctid from users) z;
--- column further out behind a relation of the system's: either
select (select upper(color) from pg_class limit 1) from (select ssn as color from users) z;
--- column further out behind a relation of the system's, twice: either
select (select (select upper(color) from pg_type limit 1) from pg_class limit 1) from (select ssn as color from users) z;
--- column further out behind a function's rows: either
select (select upper(color) from pg_get_keywords() limit 1) from (select ssn as color from users) z;
--- column further out behind another function's rows: either
select (select color || '' from json_each('{"a": 1}')) from (select ssn as color from users) z;
--- column further out behind a relation of the system's, in a condition: either
select count(*) from (select ssn as color from users) z where exists (select 1 from pg_class where color < '5');
--- column further out behind a relation of the system's, in an oracle: either
select (select 1 / (ascii(color) - 53) from pg_class limit 1) from (select ssn as color from users) z;
--- column that the system withholds, further out: either; differs times
select (select query from pg_class limit 1) from pg_stat_activity;
--- column withheld in an inner query beside a catalog further out: either; differs times
select (select query from pg_stat_activity where pid = pg_backend_pid()) from pg_class limit 1;
--- condition on a withheld column within one on a catalog: refused
select count(*) from pg_class where exists (select from pg_stat_activity where query like '%5%');
--- column of a lateral one behind a relation of the system's: either
select x from (select ssn as color from users) z, lateral (select upper(color) as x from pg_class limit 1) y;
--- row of a subquery as an argument, columns in others' places: either
select f_of(x) from (select id, name, email, ssn as note, born, salary, card, note as ssn, feeling, nick, tax, profile, phones, made, ssn_key from users) x;
--- row of a with as an argument, columns in others' places: either
with x as (select id, name, email, ssn as note, born, salary, card, note as ssn, feeling, nick, tax, profile, phones, made, ssn_key from users) select f_of(x) from x;
--- row of a subquery as another relation's, columns in others' places: either
select upper((x::members).city) from (select id, ssn as city, note as ssn from users) x;
--- row constructor as a relation's: either
select (row(id, note, ssn)::members).city from users;
--- row of a relation as another's, through a text: either
select (u::text::members).city from users u;
--- named column of a with without a name: either
select (select "coalesce" from (select coalesce(ssn, 'x') from users where id = 1) s) from (select note as "coalesce" from users) z;
--- named column of a case: either
select (select "case" from (select case when id > 0 then ssn || '' end from users where id = 1) s) from (select note as "case" from users) z;
--- named column of a case by its last value: either
select (select max(note) from (select case when id < 0 then ssn else note end from users) s) from (select email as note from users) z;
--- named column of a cast: either
select (select max("text") from (select (ssn || '')::text from users) s) from (select note as "text" from users) z;
--- named column of an array: either
select (select max("array"[1]) from (select array[ssn] from users) s) from (select array[note] as "array" from users) z;
--- named column of a row: either
select (select min("row"::text) from (select row(ssn) from users) s) from (select row(note) as "row" from users) z;
--- named column of a comparison: either
select (select bool_or("nullif" < '5') from (select nullif(ssn, 'x') from users) s) from (select note as "nullif" from users) z;
--- named column of an element: either
select (select max(upper(phones)) from (select phones[1] from users) s) from (select note as phones from users) z;
--- named column of a subquery: either
select (select max(upper(m)) from (select (select ssn || '' as m from users where id = 1)) s) from (select note as m from users) z;
--- named column of a document's word: either
select (select max(xmlserialize) from (select xmlserialize(content xmlelement(name a, ssn) as text) from users) s) from (select note as xmlserialize from users) z;
--- named column of a function's notation: either
select (select max(upper(ssn)) from (select (u).ssn from users u) s) from (select note as ssn from users) z;
--- named column of an exists: either
select (select bool_or("exists") from (select exists (select 1 from users where ssn < '5')) s) from (select true as "exists") z;
--- named column of a value function: either
select (select max(greatest) from (select greatest(ssn, note) from users) s) from (select note as greatest from users) z;
--- column of a join with names of its own: either
select upper(c) from (users u join orders o on o.user_id = u.id) as j (a, b, email2, c) order by a;
--- column of a join with names of its own, that merges: either
select upper(b::text), a || '' from (claims c join users u using (ssn)) as j (a, b) order by 1;
--- row of a join with names of its own: either
select to_json(j) from (claims c join logs l using (id)) as j (a, b);
--- row of an alias of merged columns: either
select to_json(x), x::text from claims join users using (ssn) as x;
--- table hidden by an alias of a join, further out: either
select (select upper(u.line) from (users u cross join orders o) j limit 1) from (select note as line from users) u;
--- qualified name further out: either
select (select upper(u.ssn) from users u2 limit 1) from (select note as ssn, ssn as note from users) u;
--- rows from several functions under names: either
select upper(d) from rows from (generate_series(1, 2), f_pairs()) as t (a, b, d) order by a;
--- rows from several functions, one by its caller's columns: either
select upper(d) from rows from (json_to_recordset('[{"x": 1}]') as (x int), f_pairs()) as t (a, b, d) order by b;
--- rows of a function of two arrays: either
select (select max(b) from unnest(array['x'], phones) t (a, b)) from (select note as b, phones from users) z;
--- column of the system's in a subquery that has it: either
select (select max(upper(tableoid)) from (select ssn as tableoid from users) s);
--- with that has the target's name: either
with logs as (select id, ssn as line from users) update docs set title = l.line from logs l where docs.id = l.id and docs.id = 1;
--- with within an insert that has an outer's name: either
with x as (select note as s from users) insert into docs (id, title) with x as (select ssn as s from users where id = 1) select 900, s from x returning title;
--- with of a set's arm: either
(with logs as (select ssn as line from users) select upper(line) from logs) union all select line from logs order by 1;
--- with seen by a function's body: either
with users as (select id, note as ssn from other.users u (id, note, name)) select upper(f_ssn(1)), max(ssn) from users;
--- with seen by a view: either
with users as (select id, line as ssn from logs) select upper(ssn) from v_plain;
--- search's columns under other names: either
with recursive t (id, s) as (select id, ssn from users where id = 1 union all select t.id + 1, u.ssn from t join users u on u.id = t.id + 1) search depth first by id set line select upper(s), line from t;
--- recursive with that grows: either
with recursive r (n, s) as (select 1, ltrim(ssn, '5') from users where id = 1 union all select n + 1, s || s from r where n < 4) select n from r;
--- recursive with that grows in its second column: either
with recursive r (n, s, t) as (select 1, ltrim(ssn, '5'), ltrim(ssn, '5') from users where id = 1 union all select n + 1, t, s || t from r where n < 4) select n from r;
--- parameter's name behind a relation of the system's: either
create function w(color text) returns text language sql stable as 'select upper(color) from pg_class limit 1';
select w(ssn) from users;
--- named column of xml: refused
select (select max(xmlelement::text) from (select xmlelement(name a, ssn) from users) s) from (select note as xmlelement from users) z;
--- columns behind unknown ones, renamed: either
select s from (select j.*, u.ssn from json_each('{"a": 1}') j, users u where u.id = 1) t (k, v, s);
--- columns behind unknown ones, renamed by with: either
with t (k, v, s) as (select j.*, u.ssn from json_each('{"a": 1}') j, users u where u.id = 1) select s from t;
--- columns behind unknown ones, of functions: either
select q from rows from (generate_series(1, 1), json_to_record('{"a": 1}') as (a int), f_pairs()) as t (x, y, p, q);
--- columns behind unknown ones, of a join: either
select s from (json_each('{"a": 1}') j cross join (select ssn from users where id = 1) u) t (k, v, s);
--- columns of functions, defined behind others: either
create function w() returns setof record language sql stable as 'select id as a, name as b from users';
select b from rows from (f_pairs(), w() as (p int, q text)) as t;
--- columns of functions, defined behind others and renamed: either
create function w() returns setof record language sql stable as 'select id as a, name as b from users';
select b from rows from (generate_series(1, 1), f_pairs(), w() as (p int, q text)) as t (x);
--- column further out behind a join's alias that begins with a control character: either
select (select a.v from (logs a (v) join logs b on true) as U&"\0001x" limit 1) from (select ssn as v from users) a;
--- named column of a subquery's star: either
select (select ssn from (select (select * from (select ssn from users where id = 1) a)) b) from (select 'x' as ssn) z;
--- named column of a subquery's star of one item: either
select (select ssn from (select (select a.* from (select ssn from users where id = 1) a)) b) from (select 'x' as ssn) z;
--- named column of a subquery's table: either
select (select ssn from (select (with a as (select ssn from users where id = 1) table a)::text) b) from (select 'x' as ssn) z;
--- named column of a subquery's rows: either
select (select column1 from (select (values ((select ssn from users where id = 1)))) b) from (select 'x' as column1) z;
--- named column of a subquery's union: either
select (select n from (select (select ssn as n from users where id = 1 union all select 'x' where false)) b) from (select 'x' as n) z;
--- named column of a subquery's, by the last value of a case: either
select (select ssn from (select case when false then 'x' else (select * from (select ssn from users where id = 1) a) end) b) from (select 'x' as ssn) z;
--- named column further out by a subquery's cast: either
select (select text from (select (select 1 + 1)::text) b) from (select ssn as text from users) z;
--- named column further out by a subquery's cast of rows: either
select (select text from (select (values (1))::text) b) from (select ssn as text from users) z;
--- named column further out by a truth value: either
select (select bool from (select true) b) from (select ssn as bool from users) z;
--- whole row called like a system column: either
select xmin from (select * from users) xmin;
--- whole row of one column called like a system column: either
select xmin from (select ssn from users) xmin;
--- argument called like a system column: either
create function w(ctid text) returns text language sql as 'select ctid from (select 1) x';
select w(ssn) from users;
--- function of a row called like a system column: either
create function ctid(anyelement) returns text language sql as 'select $1::text';
select u.ctid from (select ssn from users) u;
--- function of a view's row called like a system column: either
create function ctid(anyelement) returns text language sql as 'select $1::text';
create view w as select ssn from users;
select w.ctid from w;
--- system column further out than a row: either
select (select tableoid from (select ssn from users limit 1) tableoid) from logs limit 1;
--- argument in an insert of merge: either
create function w(line text) returns void language sql as 'merge into logs using (select 77 as one) s on logs.id = s.one when not matched then insert (id, line) values (77, line)';
select w(ssn) from users where id = 1;
select line from logs where id = 77;
--- argument in a condition of merge: refused
create function w(line text) returns void language sql as 'merge into logs using (select 77 as one) s on logs.id = s.one when not matched and line > ''7'' then insert (id, line) values (78, ''x'')';
select w(ssn) from users where id = 1;
--- argument called like the target of merge: either
create function w(logs text) returns void language sql as 'merge into logs using (select 79 as one) s on id = s.one when not matched then insert (id, line) values (79, logs)';
select w(ssn) from users where id = 1;
select line from logs where id = 79;
--- argument called excluded: either
create function w(excluded text) returns text language sql as 'insert into logs (id, line) values (88, ''x'') on conflict (id) do update set line = ''y'' returning excluded';
select w(ssn) from users where id = 1;
--- columns behind those of a search that a star leaves out: masked
with recursive r (n) as (select 1 union all select n + 1 from r where n < 2) search depth first by n set o select n, concat(b) from (select r.*, u.ssn from r, users u where u.id = 1) q (n, b);
--- columns behind those of a cycle that a star leaves out: masked
with recursive r (n) as (select 1 union all select n + 1 from r where n < 2) cycle n set c using p, s as (select *, concat(ssn) as x, 1 as y from r, (select ssn from users where id = 1) u) select a, b, c, d from s as z (a, b, c, d);
--- columns behind those of a search, of a join: masked
with recursive r (n) as (select 1 union all select n + 1 from r where n < 2) search depth first by n set o select n, concat(b) from (select j.* from (r cross join (select ssn from users where id = 1) u) j) q (n, b);
--- columns behind those of a search in a union: masked
with recursive r (n) as (select 1 union all select n + 1 from r where n < 2) search depth first by n set o select r.*, concat(ssn) from r, users where id = 1 union all select 2, 'x';
--- column of a search that a star leaves out, further out: masked
select (with recursive r (n) as (select 1 union all select n + 1 from r where n < 2) search depth first by n set o select concat(o) from (select * from r) q limit 1) from (select ssn as o from users where id = 1) z;
--- column of a search where it recurses: masked 1
select (with recursive r (n, s) as (select 1, amount from wages where id = 1 union all select n + 1, concat(o) from r where n < 3) search depth first by s set o select s from r where n = 2) from (select 'x' as o) z;
--- row of a search where it recurses: masked 1
select (with recursive r (n, s) as (select 1, amount from wages where id = 1 union all select n + 1, r::text from r where n < 3) search depth first by s set o select s from r where n = 2);
--- star of a search in its own query: masked
with recursive r (n) as (select 1 union all select n + 1 from r where n < 2) search depth first by n set o select r.*, ssn from r, users u where u.id = 1;
