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
--- replace: masked 1
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
--- date as a timestamp: masked 1
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
--- pretty document: masked 1
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
