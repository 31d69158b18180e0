-- Functions, operators and types of PostgreSQL 14 and 15 and their neighbours, that no other family tries on a value.
--- how often a pattern is in it: either
select regexp_count(ssn, '5') from users;
--- how often it is as a pattern: refused
select count(*) from users where regexp_count('539-48-0120', ssn) > 0;
--- where a pattern is in it: either
select regexp_instr(ssn, '[5-9]') from users;
--- whether it is like a pattern: either
select regexp_like(ssn, '^5') from users;
--- the part that is like a pattern: either
select regexp_substr(ssn, '\d+') from users;
--- the part by a sensitive group: refused
select 1 from users where regexp_substr('abc', '(a)(b)', 1, 1, '', ascii(ssn) - 52) is not null;
--- replaced from a place: either
select regexp_replace(ssn, '.', 'x', ascii(ssn) - 50, 2) from users where id = 1;
--- ranges aggregated: either
select range_agg(int4range(1, salary)) from users where salary > 0 or id > 0;
--- ranges of one, aggregated: either
select range_agg(daterange(born, born, '[]')) from users;
--- multirange of it: either
select int4multirange(int4range(salary, salary + 1)) from users;
--- multirange that contains it, shown: either
select '{[0,500000000)}'::int4multirange @> salary from users;
--- multirange that contains it: refused
select id from users where '{[0,500000000)}'::int4multirange @> salary;
--- multirange taken apart: refused
select unnest(range_agg(int4range(salary, salary + 1))) from users;
--- ranges intersected: either
select range_intersect_agg(int4range(0, salary)) from users;
--- ranges merged: either
select range_merge(int4range(0, 1), int4range(salary, salary)) from users;
--- date in bins: either
select date_bin('30 days', born, '2000-01-01') from users;
--- date by an overflowing zone: either
select born at time zone 'UTC' from users;
--- bits exclusively: either
select bit_xor(salary) from users;
--- greatest common divisor: either
select gcd(salary, 1000) from users;
--- least common multiple that overflows: refused
select count(lcm(salary, 7)) from users where id = 1;
--- factorial that overflows: refused
select 1 from users where factorial(ascii(ssn)) > 0;
--- error function: either
select log10(salary), cbrt(salary), width_bucket(salary, array[1, 300000000]) from users;
--- trimmed scale: either
select trim_scale(salary::numeric), min_scale(salary::numeric), scale(salary / 3.0) from users;
--- pretty size: either
select pg_size_pretty(salary::bigint), pg_size_pretty(salary::numeric) from users;
--- size in bytes: refused
select pg_size_bytes(ssn) from users;
--- trimmed array: refused
select trim_array(phones, ascii(phones[1]) - 43) from users where id = 1;
--- array's place: either
select array_position(phones, '+49-151-7730-4418'), array_positions(phones, '+49-151-7730-4418') from users;
--- array filled: refused
select array_fill(0, array[ascii(ssn)]) from users;
--- array without it: either
select array_remove(array['539-48-0120', 'x'], ssn), array_replace(array['x'], 'x', ssn) from users;
--- array with it: either
select array_append(array['x'], ssn), array_prepend(ssn, array['x']), array_cat(phones, phones) from users;
--- document with a field set by it: either
select jsonb_set_lax('{"a": 1}', '{a}', to_jsonb(ssn)), jsonb_insert('{"a": [1]}', '{a, 0}', to_jsonb(ssn)) from users;
--- document with a place by it: refused
select jsonb_set('{"a": 1}', array[ssn], '2') from users;
--- document without a field: either
select profile - 'pin', profile - 'city', profile #- '{pin}' from users;
--- document's difference by it: either
select '{"539-48-0120": 1, "b": 2}'::jsonb - ssn from users;
--- document that has it for a key, shown: either
select '{"539-48-0120": 1}'::jsonb ? ssn from users;
--- document by a path with a value: refused
select jsonb_path_query_first(profile, '$.pin.double()') from users where id = 1;
--- document by a silent path: either
select jsonb_path_query_first(profile, '$.pin.double()', '{}', true) from users where id = 1;
--- document by a path that is like it: either
select profile @? '$ ? (@.pin like_regex "^Z")', profile @@ '$.pin starts with "Z"' from users;
--- document by a path of places: refused
select id from users where jsonb_path_exists(profile, '$.pin ? (@ like_regex "^Z")');
--- document's element by a negative place: either
select (jsonb_build_array(ssn, born, salary)) -> -1 from users;
--- document by a subscript of another: either
select (profile)[note] from users;
--- types of documents: either
select jsonb_typeof(profile -> 'pin'), json_typeof(to_json(ssn)) from users;
--- text made unicode: refused
select unistr('\00' || left(ssn, 2)) from users;
--- normalised text: either
select normalize(ssn, nfd), ssn is nfc normalized from users;
--- treated as a number: refused
select treat(ssn as numeric) from users;
--- cast by a domain's name: refused
select taxid(ssn) from users;
--- cast by a domain's name in a condition: refused
select 1 from users where label(ssn) is not null;
--- cast by a row type's notation: either
select (ssn::text).taxid from users;
--- cast by a quoted function of one byte: either
select "char"(ascii(ssn)), ssn::"char" from users;
--- cast to an enum by function: refused
select enum_range(ssn::mood, 'high') from users where id = 1;
--- cast to a tid: refused
select ('(0,' || left(ssn, 1) || ')')::tid from users;
--- row by a made tid: refused
select id from users where ctid = ('(0,' || (select left(ssn, 1) from users where id = 1) || ')')::tid;
--- cast to an xid: refused
select pg_xact_status((salary::text)::xid8) from users;
--- cast to a snapshot: refused
select pg_visible_in_snapshot('1'::xid8, (ssn || ':5:')::pg_snapshot) from users;
--- cast to a path: refused
select ('$[' || left(ssn, 1) || ']')::jsonpath from users;
--- cast to a query of words: refused
select ('a' || ssn)::tsquery from users;
--- cast to a log's place: refused
select (left(ssn, 1) || '/0')::pg_lsn from users;
--- cast to a line: refused
select ('{' || left(ssn, 1) || ',1,1}')::line from users;
--- cast to a hardware address: refused
select ('08:00:2b:01:02:0' || left(ssn, 1))::macaddr from users;
--- rank of a given value: either
select rank(300000000) within group (order by salary), cume_dist(300000000) within group (order by salary) from users;
--- rank of a given text, where it is: refused
select 1 where (select dense_rank('5') within group (order by ssn) from users) > 2;
--- regression of it: either
select regr_slope(salary, id), corr(salary, id), covar_pop(salary, id) from users;
--- regression that divides: refused
select 1 from (select stddev(salary) as d from users where id < 3) x where 1 / d > 0;
--- percentile between dates: refused
select percentile_cont(0.5) within group (order by born - date '1950-01-01') > 5000 as a from users having percentile_cont(0.5) within group (order by born - date '1950-01-01') > 5000;
--- window's bucket: either
select id, cume_dist() over (order by salary), percent_rank() over (order by born) from users;
--- range frame by a sensitive distance: refused
select id, sum(1) over (order by id range between (select salary from users where id = 1) preceding and current row) from users;
--- compressed how: either
select pg_column_compression(ssn), pg_column_compression(profile::text) from users;
--- collation of it: either
select pg_collation_for(ssn), pg_typeof(ssn) from users;
--- similarity of sounds by a conversion: refused
select convert(ssn::bytea, 'UTF8', left(ssn, 5)) from users;
--- encoded as it is: either
select encode(ssn::bytea, 'base64'), convert_to(ssn, 'UTF8'), get_byte(ssn::bytea, 0), get_bit(ssn::bytea, 3) from users;
--- byte set in it: either
select set_byte(ssn::bytea, 0, 65) from users;
--- byte set at a place by it: refused
select set_byte('abc'::bytea, ascii(ssn) - 53, 65) from users;
--- shared checksum: either
select hashtextextended(ssn, 0), hash_record(row(ssn)), hash_array(array[ssn]) from users;
--- uuid of it: refused
select (md5(ssn))::uuid, substr(md5(ssn), 1, 3)::int from users;
--- compared bytes: either
select bttextcmp(ssn, '5'), text_lt(ssn, '5'), texteq(ssn, '539-48-0120') from users;
--- compared bytes in a condition: refused
select id from users where texteq(ssn, '539-48-0120');
--- compared by a support function: refused
select id from users where bttextcmp(ssn, '5') < 0;
--- counted as a filter by an operator's function: refused
select id from users where int4lt(salary, 300000000);
--- compared by its hash: refused
select id from users where hashtext(ssn) % 2 = 0;
--- compared images of rows: refused
select id from users u where u *= (select v from users v where id = 1);
--- compared images of rows by size: refused
select id from users u where u *< (select v from users v where id = 1);
--- compared by patterns' operators: refused
select id from users where ssn ~<~ '5';
--- distance of it, ordered: refused
select id from users order by point(salary, 0) <-> point(0, 0);
--- geometry of it: either
select point(salary, 1), box(point(0, 0), point(salary, 1)), circle(point(0, 0), salary) from users;
--- words of it, ranked: either
select ts_rank(to_tsvector('simple', ssn), '539'::tsquery), ts_lexize('simple', ssn), numnode(plainto_tsquery('simple', ssn)) from users;
--- words' debug of it: refused
select * from ts_debug('simple', (select ssn from users where id = 1));
--- tokens of it: refused
select t.* from users, ts_parse('default', ssn) t where id = 1;
--- schema of a table in xml: either
select table_to_xmlschema('users', true, false, '');
--- identity of an object by it: refused
select pg_identify_object(1259, salary::oid, 0), to_regclass(ssn), to_regtype(ssn) from users;
--- role's name by it: refused
select pg_get_userbyid(salary::oid), has_table_privilege(ssn, 'users', 'select') from users;
--- comment by it: refused
select col_description('users'::regclass, ascii(ssn) - 50), obj_description(salary::oid, 'pg_class') from users;
--- format of a type by it: refused
select format_type(23, salary) from users;
--- sequence's value by it: refused
select pg_sequence_last_value(salary::oid), lastval() from users;
--- backend by it: refused
select pg_backend_pid() = salary, pg_stat_get_backend_activity(ascii(ssn)) from users;
--- sleep until it: refused
select pg_sleep_until(now() + make_interval(secs => ascii(ssn) - 48)) from users where id = 1;
--- sleep for it: refused
select pg_sleep_for((left(ssn, 1) || ' seconds')::interval) from users where id = 1;
--- transaction by it: refused
select txid_status(salary::bigint) from users;
--- lock shared by it: refused
select pg_try_advisory_xact_lock_shared(salary, 1) from users;
--- notification's queue: either
select pg_notification_queue_usage(), upper(ssn) from users where id = 1;
