-- Joins and subqueries: what is made equal to a sensitive column is as sensitive.
--- inner: masked
select u.ssn, o.total from users u join orders o on o.user_id = u.id order by o.id;
--- using: masked
select id, u.ssn from users u join (select id from orders) o using (id) order by id;
--- left: masked
select u.ssn, o.id from orders o left join users u on u.id = o.user_id order by o.id;
--- right: masked
select u.ssn, o.id from users u right join orders o on u.id = o.user_id order by o.id;
--- full: masked
select u.ssn, o.id from users u full join orders o on u.id = o.user_id order by o.id, u.id;
--- cross: masked
select u.ssn, p.sku from users u cross join products p order by u.id, p.sku;
--- natural: refused
select c.amount from claims c natural join (select ssn from users) u;
--- natural to a with: refused
with c as (select ssn from claims) select u.id from users u natural join c;
--- natural of two tables: either
select amount from claims natural join accounts a (key, owner, ssn, balance) order by amount;
--- using it: either
select ssn, amount from claims join users using (ssn) order by amount;
--- full join using it: either
select ssn from claims full join users using (ssn);
--- to another tagged column: either; differs equality
select c.amount, u.name from claims c join users u on u.ssn = c.ssn order by 1;
--- to another tagged column and shown: either
select c.ssn, u.ssn from claims c join users u on u.ssn = c.ssn order by c.id;
--- to a series: refused
select g.n from users u join generate_series(190000000, 190000100) g(n) on u.salary = g.n;
--- to a series that meets it: refused
select g.n from users u join generate_series(193827460, 193827470) g(n) on u.salary = g.n where u.id = 1;
--- to a padded series: refused
select g.i from users u join generate_series(0, 9) g(i) on left(u.ssn, 1) = g.i::text where u.id = 1;
--- to values: refused
select v.x from users u join (values ('539-48-0120'), ('871-36-0120')) v(x) on u.ssn = v.x;
--- to values, their place shown: refused
select v.n from users u join (values (1, '539-48-0120'), (2, '871-36-0120')) v(n, x) on u.ssn = v.x;
--- in where: refused
select v.x from users u, (values ('539-48-0120'), ('871-36-0120')) v(x) where u.ssn = v.x;
--- to an unnested array: refused
select x from unnest(array['539-48-0120', '871-36-0120']) x join users u on u.ssn = x;
--- to an untagged column: refused
select l.id from logs l join users u on u.ssn = l.line;
--- by range: refused
select a.id, b.id from users a join users b on a.ssn < b.ssn;
--- to itself: either
select a.id from users a join users b on a.ssn = b.ssn order by 1;
-- A comparison with a column that has at least its tags is an equality, and policy permits those.
--- salaries to themselves: either; differs equality
select a.id, b.id from users a join users b on a.salary = b.salary and a.id < b.id;
--- on a constant: either; differs equality
select o.id from orders o join users u on u.id = o.user_id and u.ssn = '539-48-0120' order by 1;
--- left join on a constant: either; differs equality
select o.id, u.id from orders o left join users u on u.ssn = '539-48-0120' order by 1;
--- left join on a range: refused
select o.id, u.id from orders o left join users u on u.ssn > '7' order by 1, 2;
--- in a subquery: either
select '539-48-0120' in (select ssn from users);
--- not in a subquery: refused
select 1 where '539-48-0120' not in (select ssn from users);
--- any of a subquery: either
select '5' > any (select ssn from users);
--- all of a subquery: either
select '2' < all (select ssn from users);
--- exists: masked
select exists (select ssn from users where id = 1);
--- exists by value: refused
select exists (select 1 from users where ssn > '7');
--- exists by a series: refused
select n from generate_series(1, 9) n where exists (select 1 from users where left(ssn, 1) = n::text and id = 1);
--- exists by a value of a row source: refused
select x from (values ('539-48-0120'), ('871-36-0120')) v(x) where exists (select 1 from users where ssn = x);
--- series against a scalar subquery: refused
select n from generate_series(1, 100) n where n = (select ascii(ssn) from users where id = 1);
--- series by the value: either
select count(*) from generate_series(1, (select ascii(ssn) from users where id = 1));
--- series by the column: refused
select generate_series(1, ascii(ssn)) from users where id = 1;
--- series laterally: either
select count(*) from users u, generate_series(1, ascii(u.ssn)) where u.id = 1;
--- own column by a subquery: refused
select id from orders where user_id = (select id from users order by ssn limit 1);
--- in a subquery by range: refused
select id from orders where user_id in (select id from users where ssn > '7') order by id;
--- semi join by value: refused
select id from orders o where exists (select 1 from users u where u.id = o.user_id and u.ssn = left(o.sku, 1));
--- in a tuple: refused
select id from users where (id, ssn) in (select 1, '539-48-0120');
--- through with: refused
with c as (select ssn as x from users) select v.y from c join (values ('539-48-0120')) v(y) on c.x = v.y;
--- through a subquery: refused
select v.y from (select ssn as x from users) c join (values ('539-48-0120')) v(y) on c.x = v.y;
--- through a view: refused
select v.y from v_nested c join (values ('539-48-0120')) v(y) on c.number = v.y;
--- merge of equal columns: refused
select coalesce(v.x, 'none') from users u left join (values ('539-48-0120')) v(x) on v.x = u.ssn;
--- anti join: refused
select v.x from (values ('539-48-0120'), ('871-36-0120')) v(x) left join users u on u.ssn = v.x where u.id is null;
--- long list: refused
select id from users where ssn in ('539-48-0000', '539-48-0001', '539-48-0002', '539-48-0003', '539-48-0004', '539-48-0005', '539-48-0006', '539-48-0007',
  '539-48-0008', '539-48-0009', '539-48-0010', '539-48-0011', '539-48-0012', '539-48-0013', '539-48-0014', '539-48-0015', '539-48-0120');
--- any of an array: either; differs equality
select id from users where ssn = any (array['539-48-0120', '000-00-0000']);
--- any of an array made by a query: refused
select id from users where ssn = any (array(select '539-48-' || lpad(n::text, 4, '0') from generate_series(0, 200) n));
--- any of a parameter: refused
\params {539-48-0120}
select id from users where ssn = any ($1::text[]);
--- any of an array as a literal: refused
select id from users where ssn = any ('{539-48-0120,000-00-0000}');
--- any of a long array: refused
select id from users where ssn = any (array['1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11', '12', '13', '14', '15', '16', '539-48-0120']);
--- any of an array in an array: refused
select id from users where ssn = any (array[array['1', '2', '3', '4', '5', '6', '7', '8'], array['9', '10', '11', '12', '13', '14', '15', '539-48-0120']]);
