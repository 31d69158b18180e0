-- What somebody tries who has read how the analysis works: joins that merge, what a frame computes, sets, rows compared, conversions.
--- using, left out of the list: either
select count(*) from users join claims using (ssn) join accounts using (ssn);
--- using with an alias: masked
select x.ssn from claims join users using (ssn) as x order by claims.id;
--- full join's merged column: either
select ssn from claims full join (select '539-48-0120'::text as ssn) x using (ssn);
--- full join's merged column with a value's number: refused
select id, n from claims full join (values (1, '539-48-0120')) x (n, ssn) using (ssn);
--- merged column with an untagged one: refused
select amount from claims join logs l (id2, ssn) using (ssn);
--- merged column of a lateral series: refused
select i from users, lateral generate_series(ascii(ssn) - 60, 0) i where id = 1;
--- range frame by it: either
select id, sum(1) over (order by salary range 1000000 preceding) from users order by id;
--- range frame by it, of a constant: either
select count(*) over (order by born range '1 year' preceding) from users;
--- groups frame by it: either
select id, count(*) over (order by ssn groups 1 preceding) from users order by id;
--- window that excludes ties: either
select id, count(*) over (order by salary rows unbounded preceding exclude ties) from users order by id;
--- named window by it: either
select id, first_value(name) over w from users window w as (partition by salary order by id) order by id;
--- grouping by a set with it: refused
select grouping(salary), count(*) from users group by rollup (feeling, salary);
--- distinct rows of it: refused
select distinct id, salary from users;
--- distinct on a row of it: refused
select distinct on ((salary, born)) id from users;
--- ties of a masked order: refused
select id from users order by born fetch first 2 rows with ties;
--- union of two types: either
select salary from users union all select 1.5;
--- union of a text and a value: either
select ssn from users where id = 1 union all select null order by 1 nulls first;
--- union in a condition: refused
select id from users u where exists (select u.ssn intersect select '539-48-0120');
--- union of nothing in a condition: refused
select id from users u where exists (select 1 from (select u.ssn as x union all select 'x') t where x < '5');
--- except in the list: either
select (select count(*) from (select u.ssn except select '539-48-0120') t) from users u;
--- recursive union that ends by it: refused
with recursive r (s) as (select ssn from users where id = 1 union select substr(s, 2) from r where s <> '') select count(*) from r;
--- recursive union that ends where it repeats: refused
with recursive r (s) as (select ssn from users where id = 1 union select ltrim(s, '5') from r) select count(*) from r;
--- recursive with that hands a place: refused
with recursive r (n, s) as (select 1, ssn from users where id = 1 union all select n + 1, s from r where substr(s, n, 1) <> '-') select max(n) from r;
--- values of it in a condition: refused
select id from users where ssn in (values ('539-48-0120'), ('000-00-0000'));
--- values with its comparison: either
select * from (values ((select ssn > '7' from users where id = 1))) v;
--- row in a list of rows: either; differs equality
select id from users where (id, ssn) in ((1, '539-48-0120'), (2, 'x'));
--- row in a subquery: refused
select id from users where (id, ssn) in (select 1, '539-48-0120');
--- row is distinct: either
select row(ssn, 1) is distinct from row('539-48-0120', 1) from users;
--- rows of arrays: refused
select id from users where array[ssn] > array['7'];
--- array that contains it: refused
select id from users where array['539-48-0120', 'x'] @> array[ssn];
--- array that it is in by position: refused
select id from users where array_position(array['539-48-0120'], ssn) = 1;
--- range that contains it: refused
select id from users where salary <@ int4range(1, 200000000);
--- range that contains it, shown: masked 1
select salary <@ int4range(1, 200000000) from users;
--- range of it in a condition: refused
select id from users where int4range(salary, null) && int4range(1, 200000000);
--- like with another escape: refused
select id from users where ssn like '5#%' escape '#';
--- ilike: refused
select id from users where ssn ilike '5%';
--- like all of an array: refused
select id from users where ssn like all (array['5%', '%0']);
--- not like any: refused
select id from users where ssn not like any (array['5%', '6%']);
--- regular expression in a function: refused
select id from users where regexp_count(ssn, '5') > 1;
--- text search by a query of it: refused
select id from docs where words @@ (select plainto_tsquery('simple', ssn) from users where id = 1);
--- text search headline by it: either
select ts_headline('simple', body, (select to_tsquery('simple', left(ssn, 3)) from users where id = 1)) from docs;
--- json path with a variable: refused
select id from users where jsonb_path_exists('[5, 6, 7]', '$[*] ? (@ > $x)', jsonb_build_object('x', salary));
--- json path on a document: refused
select id from users where jsonb_path_match(profile, '$.pin starts with "Zq"');
--- json path operator, shown: either
select profile @? '$.pin ? (@ starts with "Zq")' from users;
--- json's field compared: refused
select id from users where profile -> 'pin' = '"Zq481516xKv"';
--- json record that converts: refused
select x.pin from users, jsonb_to_record(profile) as x (pin int) where id = 1;
--- json populates a row that converts: refused
select (jsonb_populate_record(null::counters, jsonb_build_object('value', ssn))).value from users where id = 1;
--- xml of it, taken apart: either
select xpath('//text()', xmlelement(name x, ssn)) from users where id = 1;
--- xml table of it: either
select t.v from users, xmltable('/x' passing xmlelement(name x, ssn) columns v text path '.') t where id = 1;
--- xml table that converts: refused
select t.v from users, xmltable('/x' passing xmlelement(name x, ssn) columns v int path '.') t where id = 1;
--- xml exists: refused
select id from users where xmlexists('/x[. > 5]' passing xmlelement(name x, salary));
--- filter with a subquery of it: either
select count(*) filter (where id < (select ascii(ssn) - 50 from users where id = 1)) from orders;
--- percentile by it: either
select percentile_cont((select (ascii(ssn) - 50) / 10.0 from users where id = 1)) within group (order by id) from orders;
--- hypothetical rank of a value: refused
select rank(193827465) within group (order by salary) from users having count(*) > 0;
--- tablesample by a masked sum: refused
select id from orders tablesample bernoulli ((select salary / 10000000 from users where id = 1));
--- series up to it: refused
select count(*) from generate_series(1, (select ascii(ssn) from users where id = 1));
--- series of dates up to it: refused
select count(*) from generate_series(date '1960-01-01', (select born from users where id = 1), '1 month');
--- order by a case of an output: refused
select id from users order by case when id = 1 then ssn end;
--- group by an alias: refused
select left(ssn, 1) as s, count(*) from users group by s;
--- having a count of it: refused
select feeling from users group by feeling having count(distinct ssn) > 1;
--- having an alias of nothing: refused
select 1 from users having max(ssn) > '7';
--- conflict that updates where it is: refused
insert into users (id, name) values (1, 'x') on conflict (id) do update set note = case when excluded.name < users.ssn then 'a' else 'b' end;
--- update's row compared: refused
update users set note = 'x' where id = 1 and row(ssn) > row('7');
--- update from a lateral: refused
update logs l set line = x.s from users u, lateral (select u.ssn as s) x where l.id = 1 and u.id = 1;
--- update by a join on it: refused
update logs l set line = 'x' from users u where l.id = 1 and l.line < u.ssn;
--- delete by an exists: refused
delete from logs where id = 1 and exists (select 1 from users where ssn > '7' and id = 1);
--- delete that returns a comparison: either
delete from logs l using users u where l.id = 1 and u.id = 1 returning u.ssn > '7';
--- sleep in a condition behind it: refused
select id from users where ssn > '7' and pg_sleep(0) is not null;
--- sleep in a coalesce behind it: refused
select coalesce(nullif(left(ssn, 1), '5'), pg_sleep(0)::text) from users where id = 1;
--- overflow of a sum: either
select sum(salary::bigint * 4000000000) from users;
--- overflow of a running sum: refused
select sum(salary) over (order by id) + 9223372036854000000 from users;
--- division of an aggregate: refused
select 1 / (max(ascii(ssn)) - 53) from users where id = 1;
--- remainder by a shown subquery: refused
select 10 % (select ascii(ssn) - 53 from users where id = 1);
--- conversion of a window's value: refused
select lag(ssn) over (order by id)::int from users;
--- conversion of an element: refused
select phones[1]::int from users where id = 1;
--- conversion of a document's field: refused
select (profile ->> 'pin')::int from users where id = 1;
--- conversion of an array: refused
select array[ssn]::int[] from users where id = 1;
--- conversion by a join's other type: refused
select u.id from users u join orders o on u.ssn = o.id::text where u.id = 1;
--- assignment that converts: refused
update users set salary = ssn::int where id = 1;
--- assignment that is too long: refused
insert into counters (name, value) select 'x', salary::bigint * 10000000000 from users where id = 1;
--- argument that converts: refused
select f_add(ssn::int, 1) from users where id = 1;
--- default of a coalesce that converts: refused
select coalesce(salary, ssn::int) from users where id = 1;
--- two tables' values in one case: masked 1
select case when o.id = 1 then u.ssn else u.card end from users u join orders o on o.user_id = u.id;
--- order by it under a collation: refused
select id, ssn as s from users order by ssn collate "C";
