-- A row as one value.
--- row: masked 1
select users from users;
--- alias as a row: masked 1
select u from users u;
--- row as text: masked 1
select u::text from users u;
--- expanded: masked
select (u).* from users u;
--- field of a row: masked
select (u).ssn from users u;
--- function notation: masked
select ssn(u) from users u;
--- name by function notation: masked
select name(u) from users u where id = 1;
--- row constructor of a star: masked 1
select row(u.*) from users u;
--- row of a subquery: masked 1
select t from (select id, ssn from users) t;
--- expanded row of a subquery: masked
select (t).* from (select id, ssn from users) t;
--- json: masked 1
select row_to_json(u) from users u;
--- pretty json: masked 1
select row_to_json(u, true) from users u;
--- to json: masked 1
select to_json(u) from users u;
--- to jsonb: masked 1
select to_jsonb(u) from users u;
--- a field of the json: masked 1
select to_jsonb(u) ->> 'ssn' from users u;
--- a harmless field of the json: either
select to_jsonb(u) ->> 'name' from users u;
--- json without it: either
select to_jsonb(u) - 'ssn' - 'born' - 'salary' - 'card' - 'tax' - 'profile' - 'phones' - 'ssn_key' from users u;
--- aggregated json: either
select json_agg(u) from users u;
--- each of the json: either
select e.key, e.value from users u, jsonb_each_text(to_jsonb(u)) e where u.id = 1;
--- record set: either
select r.ssn from users u, jsonb_to_record(to_jsonb(u)) as r (ssn text);
--- populate: either
select (jsonb_populate_record(null::users, to_jsonb(u))).ssn from users u;
--- populate a set: either
select r.ssn from (select jsonb_agg(u) j from users u) x, jsonb_populate_recordset(null::users, j) r;
--- comparison of rows: refused
select u.id from users u where u > (select x from users x where x.id = 2);
--- comparison of row constructors: refused
select id from users where (ssn, id) > ('5', 0);
--- comparison with a row of its own: refused
select a.id from users a join users b on a < b;
--- row is null: either
select id from users u where u is not null;
--- count of rows: masked
select count(u) from users u;
--- distinct rows: refused
select distinct u from users u;
--- order by rows: refused
select id from users u order by (u.ssn, u.id);
--- order by the whole row: either
select id from users u order by u;
--- array of rows: either
select array_agg(u) from users u;
--- row through a function: masked
select f_of(u) from users u order by id;
--- row as a function's argument: masked
select u.f_of from users u order by id;
--- xml of a row: either
select xmlforest(u.ssn, u.name) from users u;
--- xml element: either
select xmlelement(name x, ssn) from users;
--- xml attribute: either
select xmlelement(name x, xmlattributes(ssn as a)) from users;
--- xml aggregate: either
select xmlagg(xmlelement(name x, ssn)) from users;
--- xml concatenation: either
select xmlconcat(xmlelement(name x, ssn)) from users;
--- json object: masked 1
select json_build_object('a', ssn) from users;
--- json object's key: either
select json_build_object(ssn, 1) from users where id = 1;
--- json array: masked 1
select json_build_array(ssn, name) from users;
--- json object aggregate: either
select json_object_agg(name, ssn) from users;
--- json object of arrays: either
select json_object(array['a'], array[ssn]) from users where id = 1;
--- jsonb set: either
select jsonb_set('{}', '{a}', to_jsonb(ssn)) from users where id = 1;
--- jsonb concatenation: either
select '{"x": 1}'::jsonb || to_jsonb(u) from users u;
--- stripped json: either
select json_strip_nulls(row_to_json(u)) from users u;
--- json object with a sensitive name: refused
select json_build_object(ssn, 1) from users where id = 1;
--- json object with a sensitive name behind: refused
select json_build_object('a', 1, ssn, 1) from users;
--- jsonb of its parts: masked 1
select jsonb_build_object('a', ssn, 'b', salary, 'c', born) from users;
--- json of two rows: refused
select json_build_object('a', u.ssn, 'b', l.line) from users u, logs l where u.id = 1;
--- json of a row of a subquery: masked 1
select row_to_json(t) from (select id, ssn, salary, born, tax, feeling from users) t;
--- json of a row with a value that may fail: refused
select row_to_json(t) from (select ssn::int from users) t;
--- count of rows of a subquery: masked
select count(t) from (select id, ssn from users) t;
--- count of different rows: refused
select count(distinct u) from users u;
--- row's field whose name is a function's: masked
select u.upper from (select ssn as upper from users) u;
--- row's field by a function's name that takes rows: either
select row_to_json(t) from (select ssn as row_to_json from users) t;
--- row's length: either
select pg_column_size(u) from users u;
--- number of a row's NULLs: masked 1
select num_nulls(ssn, born) from users;
