-- What total functions and operators make of a value is redacted.
--- upper: masked 1
select upper(ssn) from users;
--- lower: masked 2
select id, lower(ssn) from users;
--- concatenation: masked 1
select 'x' || ssn from users;
--- concatenation behind: masked 1
select ssn || 'x' from users;
--- concat: masked 1
select concat(ssn, '-', name) from users;
--- length: masked 1
select length(ssn) from users;
--- octet length: masked 1
select octet_length(ssn) from users;
--- md5: masked 1
select md5(ssn) from users;
--- sha: either
select sha256(ssn::bytea) from users;
--- reverse: masked 1
select reverse(ssn) from users;
--- left: masked 1
select left(ssn, 3) from users;
--- right: masked 1
select right(ssn, 6) from users;
--- substring: either
select substring(ssn from 1 for 6) from users;
--- substring of one character: either
select substr(ssn, 1, 1), substr(ssn, 2, 1), substr(ssn, 3, 1) from users where id = 1;
--- translate: masked 1
select translate(ssn, '0123456789', 'abcdefghij') from users;
-- Not total: what replaces may be longer, and an empty text does not ask for its collation.
--- replace: refused
select replace(ssn, '-', '') from users;
--- overlay: either
select overlay(ssn placing 'x' from 1 for 1) from users;
--- split: either
select split_part(ssn, '-', 1), split_part(ssn, '-', 2), split_part(ssn, '-', 3) from users where id = 1;
--- regular expression: either
select regexp_replace(ssn, '[^0-9]', '', 'g') from users;
--- regular expression's matches: either
select regexp_matches(ssn, '.', 'g') from users;
--- split to table: either
select regexp_split_to_table(ssn, '-') from users;
--- split to array: either
select regexp_split_to_array(ssn, '-') from users;
--- string to table: either
select string_to_table(ssn, null) from users where id = 1;
--- string to array: either
select string_to_array(ssn, '-') from users;
--- ascii: masked 1
select ascii(ssn) from users;
--- hex: either
select encode(ssn::bytea, 'hex') from users;
--- base64: either
select encode(convert_to(ssn, 'UTF8'), 'base64') from users;
--- escape: either
select encode(ssn::bytea, 'escape') from users;
--- bytea: either
select ssn::bytea from users;
--- utf-16 by hand: either
select convert_to(ssn, 'UTF8') from users;
--- quoted: masked 1
select quote_literal(ssn) from users;
--- quoted or null: masked 1
select quote_nullable(ssn) from users;
--- quoted identifier: masked 1
select quote_ident(ssn) from users;
--- format: either
select format('%s is %L', name, ssn) from users;
--- text cast: masked 1
select ssn::text from users;
--- varchar cast: masked 1
select ssn::varchar from users;
--- shorter varchar: masked 1
select ssn::varchar(6) from users;
--- char: masked 1
select ssn::char(11) from users;
--- single byte char: masked 1
select ssn::"char" from users;
--- name: masked 1
select ssn::name from users;
--- cast by function: masked 1
select cast(ssn as text) from users;
--- cast by its function's name: masked 1
select text(ssn::name) from users;
--- collate: masked 1
select ssn collate "C" from users;
--- coalesce: masked
select coalesce(ssn, 'none') from users where id < 6;
--- coalesce with another column: masked 1
select coalesce(note, ssn) from users order by id;
--- nullif: either
select nullif(ssn, '539-48-0120') from users;
--- nullif of a card, that may not be asked for: masked 1
select nullif(card, '4539-7712-8841-0063') from users;
--- nullif of a document's field: masked 1
select nullif(profile ->> 'pin', 'Zq481516xKv') from users;
--- nullif, coalesced: masked 1
select coalesce(nullif(ssn, '539-48-0120'), 'none') from users;
--- nullif of a number: masked 1
select nullif(salary, 193827465) from users;
--- field that is there or not: masked 1
select profile -> 'pin' -> 0, 1 from users;
--- greatest: either
select greatest(ssn, '5') from users;
--- least: either
select least(ssn, '5') from users;
--- case by a harmless column: masked 1
select case when id = 1 then ssn else name end from users where id < 2;
--- case by itself: either
select case when ssn like '5%' then 'five' else 'other' end from users;
--- case of its value: either
select case ssn when '539-48-0120' then 1 else 2 end from users;
--- number plus nothing: either
select salary + 0 from users;
--- negative number: either
select -salary from users;
--- number as text: masked 1
select salary::text from users;
--- number as a wider number: masked 1
select salary::bigint from users;
--- number as numeric: masked 1
select salary::numeric from users;
--- number as a double: masked 1
select salary::float8 from users;
--- number in hex: either
select to_hex(salary) from users;
--- formatted number: either
select to_char(salary, '999,999,999') from users;
--- digits of a number: either
select salary % 10, salary / 10 % 10, salary / 100 % 10 from users;
--- bits of a number: either
select salary::bit(32) from users;
--- year: either
select extract(year from born), extract(month from born), extract(day from born) from users;
--- date part: either
select date_part('doy', born) from users;
--- date as text: masked 1
select born::text from users;
--- formatted date: either
select to_char(born, 'YYYYMMDD') from users;
-- Not total: the dates of the years after 294276 have no timestamp.
--- date as a timestamp: refused
select born::timestamp from users;
--- date minus a day: either
select born - date '1900-01-01' from users;
--- age: either
select age(date '2024-01-01', born) from users;
--- truncated date: either
select date_trunc('month', born) from users;
--- age in seconds: either
select extract(epoch from born) from users;
--- document's field: masked 1
select profile ->> 'pin' from users where id = 1;
--- document's field by subscript: masked 1
select profile['pin'] from users where id = 1;
--- document's path: masked 1
select profile #>> '{pin}' from users where id = 1;
--- document's keys: either
select jsonb_object_keys(profile) from users where id = 1;
--- document's entries: either
select key, value from users, jsonb_each_text(profile) where id = 1;
--- document by a path query: either
select jsonb_path_query(profile, '$.pin') from users where id = 1;
--- document as text: masked 1
select profile::text from users where id = 1;
-- Not total: it indents, and a document of some thousand levels becomes longer than 1 GB.
--- pretty document: refused
select jsonb_pretty(profile) from users where id = 1;
--- array's element: masked 1
select phones[1] from users where id = 1;
--- array's slice: masked 1
select phones[1:1] from users where id = 1;
--- array's elements: either
select unnest(phones) from users;
--- array's elements in from: either
select p from users, unnest(phones) p;
--- array as text: masked 1
select array_to_string(phones, '+') from users where id = 1;
--- array's length: either
select cardinality(phones) from users;
--- array of it: masked 1
select array[ssn, name] from users;
--- array of a subquery: masked
select array(select ssn from users where id < 4 order by id);
--- row of it: masked 1
select row(ssn, id) from users;
--- row of a row: masked 1
select row(row(ssn)) from users;
--- field of a row: either
select (row(ssn, id)).f1 from users;
--- null test: either
select ssn is null from users;
--- comparison: either
select ssn > '7' from users;
--- equality shown: either; differs equality
select id, ssn = '539-48-0120' from users;
--- between: either
select salary between 190000000 and 200000000 from users;
--- like: either
select ssn like '5%' from users;
--- match: either
select ssn ~ '^5' from users;
--- in a list shown: either; differs equality
select ssn in ('539-48-0120') from users;
--- distinct from: either; differs equality
select ssn is distinct from '539-48-0120' from users;
--- not distinct from, as a condition: refused
select id from users where ssn is not distinct from '539-48-0120';
--- distinct from, as a condition: refused
select id from users where ssn is distinct from '539-48-0120';
--- nullif, as a condition: refused
select id from users where nullif(ssn > '7', false);
--- starts with: either
select starts_with(ssn, '53') from users;
--- prefix operator: either
select ssn ^@ '53' from users;
--- position: either
select position('-' in ssn), strpos(ssn, '8') from users;
--- similar: either
select ssn similar to '5%' from users;
--- comparison of lengths: either
select length(ssn) > 3 from users;
--- text search vector: either
select to_tsvector('simple', ssn) from users;
--- text search match: either
select to_tsvector('simple', ssn) @@ to_tsquery('simple', '539') from users;
--- text search headline: either
select ts_headline('simple', ssn, to_tsquery('simple', '539')) from users;
--- range of it: either
select int4range(salary, null) from users;
--- width bucket: either
select width_bucket(salary, 0, 1000000000, 10) from users;
--- hash: either
select hashtext(ssn) from users;
--- uuid of its hash: either
select md5(ssn)::uuid from users;
--- inet of a part: refused
select ('10.0.0.' || substr(ssn, 1, 2))::inet from users;
--- its type: masked
select pg_typeof(ssn) from users where id = 1;
--- its size: either
select pg_column_size(ssn) from users;
--- its storage: either
select pg_column_compression(ssn) from users;
-- What a function or an operator makes is of the type that the server makes of it, and only that one's casts are total.
--- cast of a nullif: refused
select nullif(translate(left(ssn, 1), '5', 'x'), '')::int from users where id = 1;
--- cast of a greatest: refused
select greatest(translate(left(ssn, 1), '5', 'x'), '')::int from users where id = 1;
--- cast of a least: refused
select least(translate(left(ssn, 1), '5', 'x'), 'y')::int from users where id = 1;
--- cast of a number and a text: refused
select (1::int || translate(left(ssn, 1), '5', 'x'))::int from users where id = 1;
--- cast of a text and a number: refused
select (translate(left(ssn, 1), '5', 'x') || 1::int)::int from users where id = 1;
--- cast of a coalesce of two widths: refused
select coalesce(null::int2, salary)::int2 from users where id = 1;
--- cast of a case of two widths: refused
select (case when id = 0 then 1::int2 else salary end)::int2 from users where id = 1;
--- cast of a greatest of two widths: refused
select greatest(1::int2, salary)::int2 from users where id = 1;
--- cast of values of two widths: refused
select (select v from (values (1::int2), (users.salary)) x (v) offset 1)::int2 from users where id = 1;
--- cast of a union of two widths: refused
select v::int2 from (select 1::int2 as v union all select salary from users where id = 1) x;
--- cast of a range's bound: refused
select lower(int4range(salary, null))::"char" from users where id = 1;
--- cast to numeric with a precision: refused
select salary::numeric(8, 0) from users where id = 1;
--- cast to numeric with a precision by a domain: either
create domain w as numeric(8, 0);
select salary::w from users where id = 1;
--- number as numeric, in words: masked 1
select cast(salary as decimal) from users;
--- numeric's cast to a number: refused
select salary::numeric::int2 from users where id = 1;
-- What grows fails at 1 GB, and tells how long the hidden part is.
--- beside a long text: refused
select length(repeat('x', 1000) || ltrim(ssn, '5')) from users where id = 1;
--- beside a padded text: refused
select lpad('', 1000) || ssn from users where id = 1;
--- beside an aggregate: refused
select (select string_agg(line, '') from logs) || ssn from users where id = 1;
--- beside another row's column: refused
select l.line || ltrim(u.ssn, '5') from users u, logs l where u.id = 1;
--- beside another row's column, in concat: refused
select concat(l.line, u.ssn) from users u, logs l where u.id = 1;
--- beside another row's number: masked 1
select u.ssn || o.id from users u join orders o on o.user_id = u.id;
--- beside another row's text in an array: refused
select concat(array[l.line, u.ssn]) from users u, logs l where u.id = 1;
--- beside another row's text, shown by a subquery: refused
select (select line from logs where id = 1) || ssn from users where id = 1;
--- beside another row's text, shown by a window: refused
select lag(note) over (order by id) || ssn from users;
--- beside its own row's columns: masked 1
select name || ' (' || coalesce(email, '-') || ') ' || ssn from users;
--- concat of all: masked 1
select concat_ws(' ', name, email, ssn, card, note) from users;
--- doubled by an array: refused
with recursive r (n, s) as (select 1, ssn from users where id = 1 union all select n + 1, concat(variadic array[s, s]) from r where n < 3) select s from r;
--- doubled by nested queries: refused
select concat(variadic array[s, s, s, s]) from (select concat(variadic array[s, s, s, s]) s from (select concat(variadic array[s, s, s, s]) s
  from (select concat(variadic array[s, s, s, s]) s from (select concat(variadic array[s, s, s, s]) s from (select concat(variadic array[s, s, s, s]) s
  from (select ssn as s from users where id = 1) a) b) c) d) e) f;
--- doubled by rows: refused
select row(row(row(row(row(row(row(row(row(row(row(row(ssn))))))))))))::text from users where id = 1;
--- row of its own as text: either
select row(ssn, name)::text from users;
--- padded character: refused
select ''::char(1000000) || ssn from users where id = 1;
--- bits beside: refused
select 1::bit(1000)::text || ssn from users where id = 1;
--- array's text by a column: refused
select array_to_string(phones, name) from users where id = 1;
--- array's text by a long text: refused
select array_to_string(phones, repeat('x', 1000)) from users where id = 1;
--- array as a text: masked 1
select phones::text from users where id = 1;
--- element by a sensitive place: masked 1
select phones[salary] from users where id = 1;
--- element by a sensitive wide place: refused
select phones[salary::bigint] from users where id = 1;
--- document's field by a sensitive key: masked 1
select profile[ssn] from users where id = 1;
--- part of a part: masked 1
select phones[1:2][1] from users where id = 1;
--- where by a collation that may take all for equal: refused
select id from users where ssn = '539-48-0120' collate "C";
--- searched under a collation: refused
select strpos(ssn collate "C", '5') from users where id = 1;
--- quoted four times: masked 1
select quote_literal(quote_literal(quote_literal(quote_literal(ssn)))) from users;
--- json of json of json: masked 1
select to_json(to_json(ssn)::text) from users;
--- greatest, then a cast: refused
select greatest(ssn, '0')::int from users;
--- least, then a cast: refused
select least(card, 'a')::date from users;
--- cut by a cast to its own type: masked 1,2,3
select rank::varchar(6), rank::character varying(2), cast(rank as varchar(9)) from wages order by id;
--- cut by a cast to its own type, in a view's column: masked
select r from (select id, rank::varchar(6) as r from wages) x order by id;
--- cast to its own type: masked
select rank::varchar, rank::character varying from wages order by id;
