-- What reports ask: windows, sets, recursion, documents, dates, ranges, search.
--- running total: same
select id, total, sum(total) over (order by placed, id) from orders order by placed, id;
--- share: same
select id, round(100 * total / sum(total) over (), 2) from orders order by id;
--- rank: same
select id, user_id, rank() over (partition by user_id order by total desc), dense_rank() over w, row_number() over w from orders window w as (order by total, id) order by id;
--- lag and lead: same
select id, lag(total, 1, 0) over w, lead(total) over w, first_value(id) over w, last_value(id) over w from orders window w as (order by id) order by id;
--- frame: same
select id, avg(total) over (order by id rows between 1 preceding and 1 following) from orders order by id;
--- range frame: same
select id, count(*) over (order by placed range between interval '30 days' preceding and current row) from orders order by placed, id;
--- groups frame: same
select id, sum(quantity) over (order by state groups between unbounded preceding and current row exclude ties) from orders order by id;
--- ntile: same
select id, ntile(3) over (order by total, id), cume_dist() over (order by total), percent_rank() over (order by total) from orders order by id;
--- grouping sets: same
select state, sku, sum(total), grouping(state, sku) from orders group by grouping sets ((state), (sku), ()) order by 1, 2, 4;
--- rollup: same
select user_id, state, count(*) from orders group by rollup (user_id, state) order by 1, 2, 3;
--- cube: same
select state, quantity > 1 as many, count(*) from orders group by cube (1, 2) order by 1, 2, 3;
--- by month: same
select date_trunc('month', placed)::date as month, count(*), sum(total) from orders group by 1 order by 1;
--- months without orders: same
select m::date, count(o.id) from generate_series('2024-01-01'::date, '2024-05-01', interval '1 month') m left join orders o on date_trunc('month', o.placed) = m group by m order by m;
--- pivot: same
select user_id, sum(total) filter (where state = 'open') as open, sum(total) filter (where state = 'paid') as paid from orders group by user_id order by user_id;
--- top of each: same
select * from (select id, user_id, total, row_number() over (partition by user_id order by total desc) as n from orders) t where n = 1 order by id;
--- top of each, laterally: same
select u.id, u.name, x.id, x.total from users u left join lateral (select id, total from orders o where o.user_id = u.id order by total desc limit 1) x on true order by u.id;
--- median: same
select percentile_cont(0.5) within group (order by total), percentile_disc(array[0.25, 0.75]) within group (order by total), mode() within group (order by state) from orders;
--- deviation: same
select round(stddev(total), 4), round(variance(total), 4), round(corr(total, quantity)::numeric, 4), regr_count(total, quantity) from orders;
--- string aggregate: same
select state, string_agg(sku, ',' order by id) from orders group by state order by state;
--- array aggregate: same
select user_id, array_agg(id order by id), array_agg(distinct state order by state) from orders group by user_id order by user_id;
--- boolean aggregates: same
select bool_and(total > 5), bool_or(total > 200), every(quantity > 0), bit_or(quantity) from orders;
--- histogram: same
select width_bucket(total, 0, 250, 5) as bucket, count(*) from orders group by 1 order by 1;
--- tree: same
with recursive t as (select id, parent, name, 1 as depth, name::text as path from tree where parent is null
  union all select c.id, c.parent, c.name, t.depth + 1, t.path || '/' || c.name from tree c join t on c.parent = t.id) select id, depth, path from t order by path;
--- tree with search: same
with recursive t (id, parent) as (select id, parent from tree where id = 1 union all select c.id, c.parent from tree c, t where c.parent = t.id) search breadth first by id set o select id from t order by o;
--- tree with cycle: same
with recursive t (id, parent) as (select id, parent from tree where id = 1 union all select c.id, c.parent from tree c, t where c.parent = t.id) cycle id set is_cycle using path select id, is_cycle from t order by id;
--- numbers: same
with recursive n (i) as (values (1) union all select i + 1 from n where i < 10) select sum(i), array_agg(i * i) from n;
--- series: same
select i, i * i from generate_series(1, 5) i;
--- series of dates: same
select d::date from generate_series(timestamp '2024-01-01', '2024-01-10', '3 days') d;
--- ordinality: same
select * from unnest(array['a', 'b', 'c']) with ordinality as t (x, n);
--- rows from: same
select * from rows from (generate_series(1, 3), unnest(array['a', 'b'])) as t (a, b);
--- several withs: same
with a as (select user_id, count(*) as n from orders group by user_id), b as materialized (select avg(n) as m from a) select a.user_id, a.n, round(b.m, 2) from a, b where a.n > b.m order by 1;
--- tablesample: same
select count(*) from orders tablesample system (100);
--- json build: same
select json_build_object('id', id, 'items', json_build_array(sku, quantity)) from orders order by id;
--- json aggregate: same
select json_agg(json_build_object('id', id, 'total', total) order by id) from orders;
--- json object aggregate: same
select json_object_agg(name, value order by name) from counters;
--- row to json: same
select row_to_json(c) from counters c order by name;
--- row to json of a subquery: same
select to_jsonb(x) from (select id, name from users) x order by id;
--- json fields: same
select sku, spec -> 'kg', spec ->> 'kg', spec #> '{parts,0}', spec ? 'parts', spec @> '{"kg": 60}' from products order by sku;
--- json path: same
select sku, jsonb_path_query_array(spec, '$.parts[*]'), jsonb_path_exists(spec, '$.kg ? (@ > 1)') from products order by sku;
--- json elements: same
select sku, e from products, jsonb_array_elements(spec -> 'parts') e order by sku, e::text;
--- json each: same
select sku, k, v from products, jsonb_each(spec) as j (k, v) order by 1, 2;
--- json record: same
select * from jsonb_to_recordset('[{"a": 1, "b": "x"}, {"a": 2}]') as t (a int, b text);
--- json populate: same
select * from jsonb_populate_record(null::counters, '{"name": "n", "value": 5}');
--- json types: same
select jsonb_typeof(spec -> 'kg'), jsonb_array_length(spec -> 'parts'), jsonb_pretty(spec) from products where sku = 'A-1';
--- json strip: same
select json_strip_nulls('{"a": null, "b": 1}'), jsonb_set('{"a": 1}', '{b}', '2'), '{"a": 1}'::jsonb - 'a', '{"a": 1}'::jsonb || '{"b": 2}';
--- arrays: same
select labels, labels[1], cardinality(labels), array_length(labels, 1), 'iron' = any (labels), labels @> '{iron}', array_to_string(labels, '+') from products order by sku;
--- array functions: same
select array_append('{1,2}'::int[], 3), array_cat('{1}', '{2}'::int[]), array_position('{a,b}'::text[], 'b'), array_remove('{1,2,1}'::int[], 1), array[1, 2] || array[3], string_to_array('a,b', ',');
--- unnest: same
select sku, label from products, unnest(labels) label order by 1, 2;
--- count by label: same
select label, count(*) from products, unnest(labels) as label group by label order by 2 desc, 1;
--- array of a subquery: same
select array(select id from orders order by id);
--- multidimensional: same
select array[[1, 2], [3, 4]], (array[[1, 2], [3, 4]])[2][1], array_dims(array[[1, 2], [3, 4]]);
--- ranges: same
select sku, on_sale, lower(on_sale), upper(on_sale), on_sale @> date '2024-01-15', isempty(on_sale) from products order by sku;
--- range operators: same
select int4range(1, 10) * int4range(5, 15), int4range(1, 5) && int4range(4, 8), int4range(1, 5) -|- int4range(5, 8), numrange(1.0, 2.0, '[]') @> 2.0;
--- multirange: same
select range_agg(on_sale) from products;
--- rooms: same
select room from bookings where during && int4range(4, 6) order by room;
--- search: same
select id, title from docs where words @@ to_tsquery('english', 'grind & stone') order by id;
--- search with rank: same
select id, ts_rank(words, q) > 0 from docs, plainto_tsquery('english', 'iron') q where words @@ q order by id;
--- search with headline: same
select ts_headline('english', body, websearch_to_tsquery('english', '"grind a chisel"')) from docs where id = 2;
--- search by hand: same
select to_tsvector('english', 'The quick foxes') @@ to_tsquery('english', 'fox'), to_tsvector('simple', 'a b'), phraseto_tsquery('english', 'quick fox');
--- dates: same
select date '2024-03-01' - date '2024-02-01', date '2024-01-31' + interval '1 month', age(date '2024-03-01', date '2023-01-15'), extract(week from date '2024-01-05'), to_char(date '2024-01-05', 'YYYY-MM-DD Day');
--- times: same
select timestamp '2024-01-01 12:34:56' at time zone 'Europe/Berlin', timestamptz '2024-01-01 00:00+02' at time zone 'UTC', time '12:00' + interval '90 minutes', date_bin('15 minutes', timestamp '2024-01-01 12:34', timestamp '2024-01-01');
--- intervals: same
select interval '1 year 2 months', justify_days(interval '40 days'), extract(epoch from interval '1 hour'), make_interval(hours => 3), make_date(2024, 2, 29), to_timestamp(0);
--- overlaps: same
select (date '2024-01-01', date '2024-02-01') overlaps (date '2024-01-15', date '2024-03-01');
--- now: same; differs the clock
select now(), current_date, current_timestamp, clock_timestamp(), localtime;
--- numbers and rounding: same
select round(1.255, 2), trunc(-1.9), ceil(1.1), floor(-1.1), mod(7, 3), power(2, 0.5), sqrt(2.0), exp(1.0), ln(10.0), log(100.0), sign(-3), gcd(12, 18), factorial(5);
--- formats: same
select to_char(1234567.891, 'FM9,999,999.00'), to_number('1,234.5', '9,999.9'), format('%s-%I-%L', 'a', 'B c', 'd'), lpad('7', 3, '0'), to_hex(255);
--- text functions: same
select initcap('hello world'), split_part('a,b,c', ',', 2), reverse('abc'), repeat('ab', 2), translate('abc', 'ab', 'xy'), left('abc', -1), md5('x'), concat_ws('-', 'a', null, 'b'), chr(65), ascii('A');
--- regular expressions: same
select regexp_replace('a1b2', '[0-9]', '#', 'g'), regexp_matches('ab12', '([a-z]+)([0-9]+)'), regexp_split_to_array('a, b', ',\s*'), substring('foobar' from 'o(.)b'), regexp_count('aaa', 'a');
--- bytes: same
select '\xdeadbeef'::bytea, encode('\x01ff', 'hex'), decode('AQI=', 'base64'), length('\x0102'::bytea), sha256('x');
--- network: same
select inet '10.0.0.1/8', host(inet '10.0.0.1'), network(inet '10.1.2.3/16'), inet '10.0.0.1' << inet '10.0.0.0/8', macaddr '08:00:2b:01:02:03';
--- geometry: same
select point(1, 2) <-> point(4, 6), box '((0,0),(2,2))' @> point '(1,1)', circle '((0,0),1)', area(box '((0,0),(2,2))');
--- uuid and bits: same
select 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid, b'1010' | b'0101', b'1010'::int, 5::bit(4), 'abc'::char(5);
--- xml: same
select xmlelement(name a, xmlattributes(1 as b), 'c'), xmlforest('x' as y), xpath('/a/b/text()', '<a><b>1</b></a>');
--- random uuid: same; differs chance
select gen_random_uuid(), random();
--- enum functions: same
select enum_range(null::mood), enum_first(null::mood), 'low'::mood < 'high'::mood;
--- composite: same
select row(1, 'a'), (row(1, 2)) = (row(1, 2)), (c).name from counters c order by name;
--- whole row: same
select c from counters c order by name;
--- whole row of a view: same
select v from v_open_orders v order by id;
--- types: same
select pg_typeof(1), pg_typeof('x'::text), pg_typeof(null), pg_typeof(array[1]), pg_typeof(now());
--- domain cast: same
select 'x'::label, '12-3'::taxid;
--- collation: same
select 'a' < 'B' collate "C", 'a' collate "C";
--- explain: same
explain (costs off) select id from orders where id = 1;
--- explain of a join: same
explain (costs off, verbose) select o.id from orders o join products p using (sku);
--- materialised view's harmless columns: same
select id, name from m_users order by id;
--- partition: same
select id, at, amount from events where at between '2023-01-01' and '2023-12-31' order by id;
--- partition directly: same
select id, amount from events_2023 order by id;
--- child: same
select id, city from members order by id;
--- inherited: same
select tableoid::regclass, id, city from members order by id;
--- tree breadth first: same
with recursive t as (select id, parent, name from tree where parent is null union all select c.id, c.parent, c.name from tree c join t on c.parent = t.id) search breadth first by name, id set place select id, name from t order by place;
--- tree with both: same
with recursive t (id, parent) as (select id, parent from tree where id = 1 union all select c.id, c.parent from tree c join t on c.parent = t.id) search depth first by id set place cycle id set again to 'yes' default 'no' using path select id, again, path from t order by place;
