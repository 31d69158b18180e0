-- Everyday queries and writes.
--- one: same
select 1;
--- nothing: same; forms simple
;
--- comment only: same; forms simple
/* nothing */;
--- arithmetic: same
select 1 + 2 * 3 as a, 7 / 2, 7 % 2, 2 ^ 10, |/ 16, @ -5;
--- text: same
select 'a' || 'b', upper('x'), length('äö'), substr('abcdef', 2, 3), position('c' in 'abc'), trim(both 'x' from 'xax'), replace('aba', 'a', 'c');
--- boolean: same
select true and not false, null is null, 1 is distinct from null, 3 between 1 and 5, 'a' in ('a', 'b');
--- cast: same
select '12'::int, 12::text, cast('2024-01-02' as date), '1 day'::interval, 'fair'::mood, '{1,2}'::int[], '(1,2)'::point;
--- parameters: same
\params 3 | text | \N
select $1::int + 1, $2::text, $3::int;
--- orders: same
select id, total from orders order by id;
--- star: same
select * from products order by sku;
--- order by two: same
select id, state, total from orders order by state desc, total asc nulls last, id;
--- where: same
select id from orders where total > 50 and state in ('paid', 'open') and placed >= '2024-01-01' order by id;
--- where by a parameter: same
\params 2
select id, sku from orders where user_id = $1 order by id;
--- like: same
select sku from products where title like 'B%' or title ilike '%chis%' order by 1;
--- regular expression: same
select sku from products where title ~ '^[AB]' order by 1;
--- limit: same
select id from orders order by id limit 3 offset 2;
--- fetch first: same
select id from orders order by total desc fetch first 2 rows with ties;
--- distinct: same
select distinct state from orders order by 1;
--- distinct on: same
select distinct on (user_id) user_id, id from orders order by user_id, total desc;
--- join: same
select o.id, p.title from orders o join products p using (sku) order by o.id;
--- left join: same
select p.sku, count(o.id) from products p left join orders o on o.sku = p.sku group by p.sku order by 1;
--- full join: same
select o.id, p.sku from orders o full join products p on p.sku = o.sku and o.total > 100 order by 1, 2;
--- self join: same
select a.id, b.id from orders a join orders b on a.user_id = b.user_id and a.id < b.id order by 1, 2;
--- natural join: same
select id, title from orders natural join products order by 1;
--- cross join: same
select p.sku, x from products p cross join (values (1), (2)) v(x) order by 1, 2;
--- exists: same
select sku from products p where exists (select from orders o where o.sku = p.sku and o.state = 'paid') order by 1;
--- not in: same
select sku from products where sku not in (select sku from orders where state = 'paid' and sku is not null) order by 1;
--- scalar subquery: same
select sku, (select max(total) from orders o where o.sku = p.sku) from products p order by 1;
--- any: same
select id from orders where id = any (array[1, 3, 5]) order by 1;
--- any of a parameter: same
\params {2,4}
select id from orders where id = any ($1::int[]) order by 1;
--- row comparison: same
select id from orders where (state, id) > ('open', 4) order by 1;
--- group: same
select state, count(*), sum(total), avg(total)::numeric(10, 2), min(placed), max(placed) from orders group by state order by state;
--- having: same
select user_id from orders group by user_id having count(*) > 1 order by 1;
--- filter: same
select count(*) filter (where state = 'open') as open, count(*) filter (where state = 'paid') as paid from orders;
--- case: same
select id, case when total > 100 then 'large' when total > 50 then 'middle' else 'small' end from orders order by id;
--- coalesce: same
select id, coalesce(user_id, 0), nullif(state, 'open'), greatest(quantity, 2), least(total, 50) from orders order by id;
--- distinct from: same
select id, user_id is distinct from 1 from orders where user_id is not distinct from 1 and nullif(state, 'open') is distinct from 'paid' order by id;
--- update of what is distinct: same
update orders set state = 'seen' where id = 1 and state is distinct from 'seen';
--- union: same
select sku from products union select state from orders order by 1;
--- union all: same
select 1 as n union all select 2 union all select 2 order by n;
--- intersect: same
select sku from products intersect select sku from orders order by 1;
--- except: same
select sku from products except all select sku from orders order by 1;
--- values: same
values (1, 'a'), (2, 'b'), (3, null);
--- table: same
table counters;
--- with: same
with paid as (select * from orders where state = 'paid') select user_id, sum(total) from paid group by user_id order by 1;
--- view: same
select * from v_open_orders order by id;
--- empty table: same
select * from outbox;
--- no columns: same
select from orders where id = 1;
--- for update: same
begin;
select id from orders where id = 1 for update;
commit;
--- users' harmless columns: same
select id, name, email from users order by id;
--- users by name: same
select id from users where name like 'A%' or email is null order by id;
--- users by value: same
select id, name from users where ssn = '539-48-0120';
--- users by a value as a parameter: same
\params 539-48-0120
select id, name from users where ssn = $1;
--- users by a value of none: same
\params 000-00-0000
select id, name from users where ssn = $1 limit 1;
--- users by values: same
select count(*) from users where ssn in ('539-48-0120', '214-77-3391');
--- users by a number: same
\params 402918273
select id from users where salary = $1;
--- users by a date: same
select name from users where born = '1958-12-03';
--- users counted: same
select count(*), min(name), max(made) from users;
--- users with their orders: same
select u.name, o.id, o.total from users u join orders o on o.user_id = u.id order by o.id;
--- users' feelings: same
select feeling, count(*) from users group by feeling order by feeling;
--- users' enum: same
select id, feeling from users where feeling >= 'fair' order by feeling desc, id;
--- users' domain: same
select id, nick from users where nick is not null order by id;
--- users' time: same
select id, made, made + interval '1 day', extract(year from made) from users where id = 1;
--- users in an order: same
select id from users order by lower(name) desc;
--- users' window: same
select id, name, row_number() over (order by name desc) from users order by id;
--- users' view: same
select * from v_harmless order by id;
--- a count by a view: same
select * from v_count;
--- another schema's table of that name: same
select * from other.users;
--- another path: same
set search_path = other;
select id, ssn from users;
select key, value from settings order by key;
--- insert: same
insert into logs (line) values ('x');
--- insert with its number: same
insert into logs (line) values ('x') returning id;
--- insert of several: same
insert into stamped (id, line) values (10, 'a'), (11, 'b') returning *;
--- insert by parameters: same
\params E-5 | Eel | 1.25
insert into products (sku, title, price) values ($1, $2, $3) returning sku, stock, labels;
--- insert with defaults: same
insert into orders (placed) values ('2024-05-05') returning id, quantity, state;
--- insert of default values: same
insert into logs default values;
--- insert from a query: same
insert into logs (line) select title from products where price > 50 order by sku returning id, line;
--- insert with an identity: same
insert into orders (id, placed) overriding system value values (900, '2024-05-05') returning id;
--- insert into users: same
insert into users (id, name, email) values (20, 'Gil', 'gil@example.org') returning id, name;
--- insert into users with a value: same
insert into users (id, name, ssn) values (20, 'Gil', '111-22-3333') returning id;
--- insert through a view: same
insert into v_harmless (id, name) values (21, 'Hal') returning id;
--- insert into a partitioned table: same
insert into events (id, at, amount) values (20, '2024-05-05', 1) returning id, at;
--- update: same
update orders set state = 'paid' where id = 2;
--- update with what was: same
update orders set total = total * 2, quantity = quantity + 1 where id = 2 returning id, total, quantity;
--- update by a parameter: same
\params void | 3
update orders set state = $1 where id = $2 returning state;
--- update of some: same
update products set stock = stock - 1 where sku in ('A-1', 'B-2') returning sku, stock;
--- update of nothing: same
update orders set state = 'paid' where id = 12345;
--- update of users: same
update users set note = 'changed', feeling = 'low' where id = 1 returning id, note, feeling;
--- update of users by value: same
update users set note = 'changed' where ssn = '539-48-0120';
--- update of users' email: same
\params new@example.org | 2
update users set email = $1 where id = $2 returning email;
--- update of a sensitive column to a constant: same
update users set born = '2000-02-02' where id = 4;
--- update by a row: same
update orders set (state, quantity) = ('void', 9) where id = 1 returning state, quantity;
--- update with default: same
update orders set state = default where id = 1 returning state;
--- update of json: same
update products set spec = jsonb_set(spec, '{kg}', '61') where sku = 'A-1' returning spec;
--- update of an array: same
update products set labels = labels || 'new'::text where sku = 'A-1' returning labels;
--- delete: same
delete from orders where id = 8;
--- delete with what was: same
delete from orders where id = 8 returning *;
--- delete of some: same
delete from orders where id in (7, 8);
--- delete of users: same
delete from users where id = 6;
--- delete of nothing: same
delete from logs where id = 12345;
--- upsert: same
insert into counters values ('visits', 1) on conflict (name) do update set value = counters.value + excluded.value returning value;
--- upsert of a new one: same
insert into counters values ('clicks', 1) on conflict (name) do update set value = counters.value + 1 returning name, value;
--- upsert of several: same
insert into counters values ('visits', 1), ('x', 2) on conflict (name) do update set value = excluded.value where counters.value < 100;
--- insert or nothing: same
insert into counters values ('visits', 1) on conflict do nothing;
--- insert or nothing by a constraint: same
insert into counters values ('visits', 1) on conflict on constraint counters_pkey do nothing returning name;
--- insert of a user or nothing: same
insert into users (id, name) values (1, 'x') on conflict (id) do nothing;
--- upsert of a user: same
insert into users (id, name, note) values (1, 'x', 'y') on conflict (id) do update set note = excluded.note returning id, note;
--- merge: same
merge into counters c using (values ('visits', 5), ('new', 6)) v (name, value) on c.name = v.name when not matched then insert values (v.name, v.value) when matched then do nothing;
--- with an insert: same
with i as (insert into logs (line) values ('x') returning id) select count(*) from i;
--- with a bounded delete: same
with d as (delete from orders where id = 8 returning *) select id, total from d;
--- with a bounded update: same
with u as (update orders set state = 'paid' where id = 2 returning id, state) select * from u;
--- sql function: same
select f_add(2, 3), f_loud('x');
--- sql function of users' names: same
select f_name(1);
--- sql function on a column: same
select f_loud(title), f_add(stock, 1) from products order by sku;
--- function in plpgsql: same
create function w(lowest int) returns setof int language plpgsql as $$ declare r record; n int := 0; begin for r in select sku, stock from products where stock >= lowest order by sku loop n := n + r.stock; raise notice '% %', r.sku, n; return next n; end loop; if n = 0 then raise exception 'nothing of %', lowest using errcode = 'P0002'; end if; end $$;
select w(1);
select * from w(1) where w > 2;
select w(1000000);
--- trigger in plpgsql: same
create table w (id int, line text, changed text);
create function w() returns trigger language plpgsql as $$ begin new.changed := upper(new.line); raise notice '% of %', tg_op, new.id; return new; end $$;
create trigger w before insert or update on w for each row execute function w();
insert into w (id, line) values (1, 'a') returning *;
update w set line = 'b' where id = 1 returning changed;
