-- Conversions that nobody asked for, and types that run code where a value becomes one of them. The fixture has those of somebody else.
--- assigned to a column: refused
insert into logs (line) select mark from graded;
--- assigned to a column by an update: refused
update logs set line = (select mark from graded) where id = 1;
--- assigned to a column by a conflict: refused
insert into logs (id) values (1) on conflict (id) do update set line = (select mark from graded);
--- assigned to a column by a merge: refused
merge into logs using graded g on logs.id = g.id when matched then update set line = g.mark;
--- assigned by a default: refused
insert into graded_as (id) values (1);
--- compared by a foreign key: refused
insert into graded_by values (1, 'a');
--- put beside what it is: masked
insert into graded (id, mark) values (2, 'b');
select id, mark from graded order by id;
--- compared with what it is: refused
select id from graded where mark = 'a';
--- compared with a text: refused
select count(*) from graded, users where mark = name;
--- compared with a list: refused
select mark in ('x'::text) from graded;
--- compared with an array: refused
select mark = any (array['x'::text]) from graded;
--- compared with a query: refused
select mark in (select name from users) from graded;
--- compared by a case: refused
select case mark when name then 1 end from graded, users;
--- compared by what is distinct: refused
select mark is distinct from name from graded, users;
--- between texts: refused
select mark between 'a'::text and 'x' from graded;
--- joined: refused
select count(*) from graded join users on mark = name;
--- argument of a built-in function: refused
select upper(mark) from graded;
--- argument behind a view: refused
select loud from v_graded;
--- one of several: refused
select coalesce(note, feeling::text), coalesce(null::mood, mark) from graded, users;
--- one of a case: refused
select case when id > 0 then mark else other end from graded;
--- one of an array: refused
select array[other, mark] from graded;
--- the greatest: refused
select greatest(other, mark) from graded;
--- one of a union: refused
select other from graded union all select mark from graded;
--- one of a list of values: refused
select t.* from graded, lateral (values (other), (mark)) t;
--- one of its own kind: masked
select coalesce(mark, 'b'), case when id > 0 then mark else 'b' end from graded union all select mark, mark from graded;
--- condition: refused
select id from graded where mark;
--- condition, denied: refused
select not mark from graded;
--- condition among others: refused
select mark and true from graded;
--- condition of a case: refused
select case when mark then 1 end from graded;
--- condition that is true: refused
select mark is true from graded;
--- document of a row: refused
select row_to_json(graded) from graded;
--- document of a value: refused
select to_jsonb(mark) from graded;
--- document of values: refused
select json_agg(mark) from graded;
--- column's type: refused
create table w (id int, mark grade);
insert into w values (1, 'a');
alter table w alter column mark type text;
--- column's type by an expression: refused
create table w (id int, mark text);
insert into w values (1, 'a');
alter table w alter column mark type text using mark::grade;
--- element of a domain, updated: refused
update parted set words[1] = 'x' where id = 1;
--- element of a domain, by a conflict: refused
insert into parted (id) values (1) on conflict (id) do update set words[1] = 'x';
--- element of a domain, inserted: refused
insert into parted (id, words[1]) values (2, 'x');
--- field of a domain, updated: refused
update parted set pair.word = 'x' where id = 1;
--- field of a domain, inserted: refused
insert into parted (id, pair.word) values (2, 'x');
--- field of a domain, merged: refused
merge into parted using (select 2 as i) s on parted.id = s.i when not matched then insert (id, pair.word) values (2, 'x');
--- column of xml of a domain: refused
select * from xmltable('/a' passing '<a>x</a>' columns c noisy path '.');
--- column of xml of a harmless type: masked
select * from xmltable('/a' passing '<a>x</a>' columns c text path '.', d mood path '@d');
--- column of a document of a domain: refused
select * from json_to_record('{"a": "x"}') as t (a noisy);
--- column of documents of an array of a domain: refused
select * from jsonb_to_recordset('[{"a": ["x"]}]') as t (a noisy[]);
--- column of a document of a row: refused
select * from json_to_record('{"a": {"word": "x"}}') as t (a parts);
--- column of a document among several functions: refused
select * from rows from (json_to_record('{"a": "x"}') as (a noisy), generate_series(1, 2));
--- column of a document of a harmless type: masked
select * from json_to_record('{"a": "x"}') as t (a text, b mood);
--- document made a table's row: refused
select json_populate_record(parted, '{"words": ["x"]}') from parted;
--- document made a query's row: refused
select json_populate_record(x, '{"words": ["x"]}') from (select * from parted) x;
--- document made a type's row: refused
select * from jsonb_populate_record(null::parts, '{"word": "x"}');
--- document made a harmless type's row: masked
select * from jsonb_populate_record(null::products, '{"sku": "x"}');
--- domain by its input function: refused
select domain_in('x', 'noisy'::regtype, -1);
--- array of a domain by its input function: refused
select array_in('{x}', 'noisy'::regtype, -1);
--- row of a domain by its input function: refused
select record_in('(x,1)', 'parts'::regtype, -1);
--- xml serialised as a domain: refused
select xmlserialize(content '<a/>' as noisy);
--- xml serialised as a text: masked
select xmlserialize(content '<a/>' as text);
--- range of a domain: refused
create type w as range (subtype = noisy);
select '[x,y]'::w;
--- ranges of a domain: refused
create type w as range (subtype = noisy, multirange_type_name = ws);
select '{[x,y]}'::ws;
--- mark of a cycle of a domain: refused
with recursive c (a) as (select 1 union all select a + 1 from c where a < 2) cycle a set m to noisy 'x' default noisy 'y' using p select a from c;
--- sample by a domain: refused
select id from graded tablesample bernoulli ('50'::noisy::text::real);
--- place in an array by a domain: refused
create table w (id int, a int[]);
insert into w (id, a['1'::noisy::text::int]) values (1, 1);
--- argument of a prepared statement: refused
prepare w (text) as select $1;
execute w('a'::grade);
--- compared by a foreign key that comes: refused
create table w (id int, mark grade);
insert into w values (1, 'a');
alter table w add foreign key (mark) references grades;
