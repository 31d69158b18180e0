-- Views down to their tables.
--- plain: masked
select * from v_plain order by id;
--- one column: masked
select ssn from v_plain;
--- nested: masked
select * from v_nested order by id;
--- join: masked
select * from v_join order by total;
--- security barrier: masked
select ssn from v_barrier order by id;
--- harmless: masked
select * from v_harmless order by id;
\row 1|Ada|ada@example.org
\row 2|Bob|bob@example.org
\row 3|Cyn|cyn@example.org
\row 4|Dan|\N
\row 5|Eve|eve@example.org
\row 6|Fay|fay@example.org
--- expression: masked 2
select id, loud, size from v_expression order by id;
--- harmless column of an expression's view: masked
select id, size from v_expression order by id;
--- union: masked 2
select * from v_union;
--- with: masked
select * from v_with;
--- star: masked 4,5,6,7,11,12,13,15
select * from v_star order by id;
--- harmless columns of a star's view: masked
select id, name from v_star order by id;
--- renamed: masked
select * from v_renamed order by a;
--- renamed column as another: masked
select b as id from v_renamed;
--- predicate within: either
select * from v_where order by id;
--- count: masked
select * from v_count;
--- window over it: either
select * from v_window order by id;
--- lateral: masked
select * from v_lateral order by id;
--- materialised: masked
select * from m_users order by id;
--- materialised column: masked
select ssn from m_users where id = 1;
--- materialised harmless: masked
select id, name from m_users order by id;
--- view by value: masked; differs equality
select id from v_plain where ssn = '539-48-0120';
--- nested view by value: masked; differs equality
select id from v_nested where number = '539-48-0120';
--- view by range: refused
select id from v_plain where ssn > '7';
--- nested view by range: refused
select id from v_nested where number > '7';
--- materialised by range: refused
select id from m_users where ssn > '7';
--- renamed by range: refused
select a from v_renamed where c > 200000000;
--- order by a view's column: refused
select id from v_nested order by number;
--- group by a view's column: refused
select count(*) from v_nested group by number;
--- expression's view by a predicate: refused
select id from v_expression where loud > '7';
--- oracle over a view: refused
select 1 / (ascii(number) - 53) from v_nested where id = 1;
--- barrier with a function that tells: refused
select id from v_barrier where length(ssn) > 3 and ssn like '5%';
--- view of a view in a union: masked 1
select number from v_nested union all select name from v_harmless;
--- view joined to its table: either
select u.id from users u join v_nested n on n.number = u.ssn;
--- view's row: masked 1
select v_plain from v_plain;
--- view's row as json: masked 1
select row_to_json(v) from v_nested v;
--- view made, then read: either
create view w as select id, ssn as harmless from users;
select * from w order by id;
--- view made over a view, then read: either
create view w as select number as x from v_nested;
select x from w;
--- view made in a transaction, then read: either
begin;
create view w as select ssn as x from users;
select x from w;
rollback;
--- temporary view: either
create temp view w as select ssn as x from users;
select x from w;
--- recursive view: either
create recursive view w (n, x) as select 1, ssn from users union all select n + 1, x from w where n < 2;
select x from w where n = 2;
--- view replaced: either
create or replace view v_harmless as select id, name, ssn as email from users;
select email from v_harmless;
--- view made of all, by a view that is harmless: either
create view w as select * from v_star;
select ssn, salary from w;
--- view with a check option, written through: either
create view w as select id, ssn from users where id < 3 with check option;
update w set ssn = 'x' where id = 1 returning ssn;
--- view renamed, then read: either
alter view v_nested rename to v_other;
select number from v_other;
--- view's column renamed, then read: either
alter view v_nested rename column number to n;
select n from v_nested;
--- materialised view made, then read: either
create materialized view w as select ssn as x from users;
select x from w;
--- materialised view without data, then read: either
create materialized view w as select ssn as x from users with no data;
refresh materialized view w;
select x from w;
--- view's definition: masked
select pg_get_viewdef('v_plain'::regclass);
--- view's definition in the catalog: masked
select definition from pg_views where viewname = 'v_plain';
