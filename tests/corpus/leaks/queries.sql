-- Set operations, WITH, windows and aggregates.
--- union all: masked
select ssn from users union all select 'x';
--- union all behind: masked
select 'x' union all select ssn from users;
--- union all of two columns: masked 1
select ssn from users union all select card from users;
--- union: either
select ssn from users union select 'x';
--- union with itself: either
select ssn from users union select ssn from users;
--- union that merges: either
select salary from users union select salary from users;
--- intersect: refused
select ssn from users intersect select '539-48-0120';
--- intersect all: refused
select ssn from users intersect all select unnest(array['539-48-0120', '000-00-0000']);
--- except: refused
select '539-48-0120' except select ssn from users;
--- except behind: refused
select ssn from users except select '539-48-0120';
--- except all: refused
select salary from users except all select 193827465;
--- intersect of harmless columns: masked
select name from users intersect select 'Ada';
--- except of harmless columns: masked
select id from users except select 1 order by 1;
--- count of an intersection: either
select count(*) from (select ssn from users intersect select '539-48-0120') t;
--- count of a union: either
select count(*) from (select salary from users union select 0) t;
--- nested set operations: either
(select ssn from users union all select name from users) except select 'x';
--- set operation ordered by position: either
select ssn from users union all select 'x' order by 1;
--- values beside: masked
select ssn, x from users, (values (1)) v (x) where id = 1;
--- values of a subquery: masked
values ((select ssn from users where id = 1));
--- values of subqueries: masked
values ('a', (select ssn from users where id = 1)), ('b', (select ssn from users where id = 2));
--- with: masked
with c as (select ssn from users) select * from c;
--- materialised with: masked
with c as materialized (select ssn from users) select ssn from c;
--- with not materialised: masked
with c as not materialized (select id, ssn from users) select ssn from c where id = 1;
--- with column names: masked
with c (a, b) as (select id, ssn from users) select b from c;
--- with over with: masked
with a as (select ssn as x from users), b as (select x as y from a) select y from b;
--- with that shadows a table: masked
with users as (select id, 'shadow' as ssn from orders) select ssn from users where id = 1;
\row shadow
--- with that shadows itself: masked
with users as (select * from users) select ssn from users where id = 1;
--- with that shadows another: masked
with orders as (select id, ssn as item from users) select item from orders where id = 1;
--- nested with: masked
with a as (with b as (select ssn from users) select ssn as z from b) select z from a;
--- with in a subquery: masked
select * from (with c as (select ssn from users) select ssn from c) t;
--- recursive with: either
with recursive r (n, s) as (select 1, ssn from users union all select n + 1, s from r where n < 3) select n, s from r;
--- recursive with that spells: either
with recursive r (n, s) as (select 0, '' union all select n + 1, substr(u.ssn, 1, n + 1) from r, users u where u.id = 1 and n < 11) select s from r;
--- recursive with that counts down to it: refused
with recursive r (n) as (select 0 union all select n + 1 from r where n < (select ascii(ssn) from users where id = 1)) select count(*) from r;
--- recursive with that guesses: refused
with recursive r (n) as (select 0 union all select n + 1 from r where lpad(n::text, 1, '0') < (select left(ssn, 1) from users where id = 1)) select max(n) from r;
--- recursive with search: either
with recursive r as (select id, ssn from users where id = 1 union all select r.id + 1, r.ssn from r where r.id < 3) search depth first by id set o select ssn from r;
--- recursive with cycle: either
with recursive r as (select id, ssn from users where id = 1 union all select r.id, r.ssn from r) cycle ssn set c using p select count(*) from r;
--- row number by it: either
select id, row_number() over (order by ssn) from users order by id;
--- rank by it: either
select id, rank() over (order by salary) from users order by id;
--- partition by it: either
select id, count(*) over (partition by salary) from users order by id;
--- ntile by it: either
select id, ntile(2) over (order by born) from users order by id;
--- percent rank by it: either
select id, percent_rank() over w from users window w as (order by ssn) order by id;
--- lag: masked 2
select id, lag(ssn) over (order by id) from users order by id;
--- lead: masked 2
select id, lead(ssn, 1) over (order by id) from users order by id;
--- first value: masked 1
select first_value(ssn) over (order by id) from users;
--- first value in its order: either
select first_value(id) over (order by ssn) from users;
--- nth value: masked 1
select nth_value(ssn, 2) over (order by id) from users;
--- running sum: either
select id, sum(salary) over (order by id) from users order by id;
--- frame by it: either
select id, count(*) over (order by salary range between 1000 preceding and current row) from users order by id;
--- window's filter: either
select id, count(*) filter (where ssn > '7') over (order by id) from users order by id;
--- window over harmless columns: masked 2
select id, ssn, row_number() over (order by id) from users order by id;
--- count: masked
select count(*) from users;
--- count of it: either
select count(ssn) from users;
--- count of distinct values: either
select count(distinct salary) from users;
--- maximum: either
select max(ssn) from users;
--- minimum: either
select min(born) from users;
--- sum: either
select sum(salary) from users;
--- average: either
select avg(salary) from users;
--- deviation: either
select stddev(salary), variance(salary) from users;
--- boolean aggregate: either
select bool_or(ssn > '7') from users;
--- bit aggregate: either
select bit_and(salary), bit_or(salary), bit_xor(salary) from users;
--- array aggregate: either
select array_agg(ssn) from users;
--- array aggregate in its order: either
select array_agg(id order by ssn) from users;
--- string aggregate: either
select string_agg(ssn, ',') from users;
--- string aggregate in its order: either
select string_agg(name, ',' order by salary) from users;
--- delimiter: either
select string_agg('x', ssn) from users;
--- json aggregate: either
select json_agg(ssn) from users;
--- json aggregate of rows: either
select jsonb_agg(row(id, ssn)) from users;
--- mode: either
select mode() within group (order by salary) from users;
--- percentile: either
select percentile_disc(0.5) within group (order by salary) from users;
--- percentile of text: either
select percentile_disc(0.5) within group (order by ssn) from users;
--- hypothetical rank: either
select rank('5') within group (order by ssn) from users;
--- filter: either
select count(*) filter (where ssn > '7') from users;
--- filter by value: either; differs equality
select count(*) filter (where ssn = '539-48-0120') from users;
--- group by it: refused
select count(*) from users group by salary;
--- group by it and shown: refused
select ssn, count(*) from users group by ssn;
--- group by a part: refused
select count(*) from users group by left(ssn, 1);
--- group by position: refused
select ssn, count(*) from users group by 1;
--- grouping sets: refused
select count(*) from users group by grouping sets ((salary), ());
--- cube: refused
select name, count(*) from users group by cube (name, salary);
--- rollup: refused
select count(*) from users group by rollup (born);
--- having: refused
select name from users group by name having max(ssn) > '7';
--- having on a harmless group: refused
select feeling, count(*) from users group by feeling having sum(salary) > 600000000 order by 1;
--- group by the key: masked
select id, ssn from users group by id order by id;
--- distinct: refused
select distinct ssn from users;
--- distinct count: either
select count(*) from (select distinct salary from users) t;
--- distinct on: refused
select distinct on (salary) id from users;
--- distinct on a harmless column: either
select distinct on (feeling) ssn from users order by feeling, id;
--- order by it: refused
select id from users order by ssn;
--- order by its alias: refused
select id, ssn as x from users order by x;
--- order by its position: refused
select id, ssn from users order by 2;
--- order by an expression: refused
select id from users order by upper(ssn);
--- order by it behind: refused
select id from users order by feeling, ssn;
--- order by using: refused
select id from users order by ssn using >;
--- order by a card: refused
select id from users order by card;
--- order by in a subquery: refused
select id from (select id from users order by ssn limit 1) t;
--- order by a scalar subquery: refused
select id from orders order by (select ssn from users u where u.id = orders.user_id);
--- order by a masked date: refused
select id from users order by born desc limit 1;
--- limit by it: refused
select id from orders limit (select ascii(ssn) - 50 from users where id = 1);
--- offset by it: refused
select id from orders offset (select ascii(ssn) - 50 from users where id = 1);
--- fetch first by it: refused
select id from orders fetch first (select ascii(ssn) - 50 from users where id = 1) rows only;
--- with ties: refused
select id from users order by salary fetch first 1 row with ties;
--- scalar subquery: masked
select (select ssn from users where id = 1);
--- correlated subquery: masked
select o.id, (select u.ssn from users u where u.id = o.user_id) from orders o order by o.id;
--- nested scalar subqueries: masked
select (select (select ssn from users where id = 2));
--- lateral: masked
select x.s from users u, lateral (select u.ssn as s) x;
--- lateral left join: masked
select o.id, x.ssn from orders o left join lateral (select ssn from users where users.id = o.user_id) x on true order by o.id;
--- tablesample: masked
select ssn from users tablesample system (100);
--- tablesample repeatable by it: refused
select count(*) from users tablesample bernoulli (50) repeatable ((select ascii(ssn) from users where id = 1));
--- tablesample share by it: refused
select count(*) from orders tablesample bernoulli ((select ascii(ssn) from users where id = 1));
--- group with an aggregate of a constant: masked
select feeling, count(*) from users group by feeling order by feeling;
--- cycle of it: refused
with recursive r (id, ssn) as (select id, ssn from users where id = 1 union all select u.id, u.ssn from users u join r on u.id = r.id + 1) cycle ssn set again using path select id, again from r;
--- path of a cycle: masked 2
with recursive r (id, ssn) as (select id, ssn from users where id = 1 union all select u.id, u.ssn from users u join r on u.id = r.id + 1) cycle id set again using path select id, ssn from r;
--- search by it: refused
with recursive r (id, ssn) as (select id, ssn from users where id = 1 union all select u.id, u.ssn from users u join r on u.id = r.id + 1) search breadth first by ssn set place select id from r order by place;
--- search's place of it: masked 2
with recursive r (id, ssn) as (select id, ssn from users where id = 1 union all select u.id, u.ssn from users u join r on u.id = r.id + 1) search depth first by ssn set place select id, place from r;
--- lag with a default: masked 2
select id, lag(name, 1, ssn) over (order by id) from users order by id;
--- lag by a sensitive distance: refused
select id, lag(name, ascii(ssn) - 50) over (order by id) from users;
--- nth value by a sensitive number: refused
select nth_value(name, ascii(ssn) - 50) over (order by id) from users;
--- lag in its order: refused
select id, lag(name) over (order by ssn) from users;
--- last value of a frame: masked 1
select last_value(born) over (order by id rows between unbounded preceding and unbounded following) from users;
--- frame's width: refused
select id, count(*) over (order by id rows between (select ascii(ssn) - 50 from users where id = 1) preceding and current row) from users;
--- lag of a lag: masked 1
select lag(s) over (order by id) from (select id, lag(ssn) over (order by id) s from users) t;
--- lag, coalesced: masked 1
select coalesce(lag(ssn) over (order by id), 'none') from users;
--- lag, compared: refused
select id from (select id, lag(ssn) over (order by id) s from users) t where s > '5';
