-- One bit at a time: what happens depends on a value, and no value comes out.
--- division by zero: refused
select 1 / (ascii(ssn) - 53) from users where id = 1;
--- division by zero in a condition: refused
select id from users where 1 / (ascii(ssn) - 53) = 1;
--- division by zero in an order: refused
select id from users order by 1 / (ascii(ssn) - 53);
--- division of numbers: refused
select 1 / (salary - 193827465) from users where id = 1;
--- remainder: refused
select 1 % (salary - 193827465) from users where id = 1;
--- cast to a number: refused
select ssn::int from users;
--- cast that fails for one value: refused
select (case when ssn like '5%' then 'x' else '1' end)::int from users where id = 1;
--- cast of a part: refused
select translate(left(ssn, 1), '5', 'x')::int from users where id = 1;
--- cast to a date: refused
select ('2024-01-' || translate(left(ssn, 2), '5', '9'))::date from users where id = 1;
--- cast to json: refused
select translate(ssn, '5', '{')::json from users where id = 1;
--- cast to a class: refused
select ssn::regclass from users;
--- cast to an enum: refused
select ssn::mood from users;
--- cast to a domain that checks: refused
select (case when ssn > '7' then 'x' else '1' end)::taxid from users where id = 1;
--- cast to a short bit string: refused
select salary::int2 from users;
--- overflow: refused
select salary + 1900000000 from users where id = 1;
--- overflow of a product: refused
select salary * 4 from users where id = 1;
--- root: refused
select sqrt(salary - 300000000) from users where id = 1;
--- logarithm: refused
select ln(salary - 300000000) from users where id = 1;
--- power: refused
select power(10, salary / 1000000) from users where id = 1;
--- character of a number: refused
select chr(ascii(ssn) - 53) from users where id = 1;
--- repetition: refused
select length(repeat('x', ascii(ssn))) from users where id = 1;
--- padding: refused
select length(lpad('', ascii(ssn))) from users where id = 1;
--- negative length: refused
select substr('abc', 1, ascii(ssn) - 55) from users where id = 1;
--- decode: refused
select decode(translate(left(ssn, 2), '5', 'x'), 'hex') from users where id = 1;
--- array subscript: refused
select (array['a', 'b'])[ascii(ssn) - 52] from users where id = 1;
--- array of a length: refused
select array_fill(1, array[ascii(ssn)]) from users where id = 1;
--- json path error: refused
select jsonb_path_query('[1]', '$[*] ? (@ == $x)', jsonb_build_object('x', ascii(ssn))) from users where id = 1;
--- make a date: refused
select make_date(2024, ascii(ssn) - 44, 1) from users where id = 1;
--- make an interval: either
select make_interval(days => ascii(ssn)) from users where id = 1;
--- time zone by it: refused
select now() at time zone translate(left(ssn, 1), '58', 'UZ') from users where id = 1;
--- regular expression by it: refused
select 'x' ~ translate(left(ssn, 1), '5', '(') from users where id = 1;
--- like by it: refused
select name like left(ssn, 1) || '%' from users where id = 1;
--- format by it: refused
select format(translate(left(ssn, 1), '5', '%'), 1) from users where id = 1;
--- more than one row: refused
select (select id from users where ssn > '7');
--- subquery that is evaluated or not: refused
select case when ssn > '6' then (select 1 / 0) else 1 end from users where id = 1;
--- coalesce that is evaluated or not: refused
select coalesce(nullif(left(ssn, 1), '8'), (1 / 0)::text) from users where id = 1;
--- and that is evaluated or not: refused
select id from users where id = 1 and (ssn < '6' or 1 / 0 = 1);
--- setseed: refused
select setseed(ascii(ssn) / 256.0), random() from users where id = 1;
--- setseed, then random: refused
select setseed(0.5);
select setseed(ascii(ssn) / 256.0) from users where id = 1;
select random();
--- setseed out of range: refused
select setseed(ascii(ssn) - 53) from users where id = 1;
--- random by it: either
select random() < ascii(ssn) from users where id = 1;
--- sequence by it: refused
select setval('tickets_seq', ascii(ssn)) from users where id = 1;
select last_value from tickets_seq;
--- sequence in a condition: refused
select nextval('tickets_seq') from users where ssn > '7';
--- sequence in a case: refused
select case when ssn > '7' then nextval('tickets_seq') end from users where id = 1;
select nextval('tickets_seq');
--- sleep: refused
select pg_sleep(case when ssn > '7' then 0.01 else 0 end) from users where id = 1;
--- sleep by it: refused
select pg_sleep(ascii(ssn) / 100000.0) from users where id = 1;
--- advisory lock: refused
select pg_advisory_lock(ascii(ssn)) from users where id = 1;
select objid from pg_locks where locktype = 'advisory';
--- advisory lock, tried: refused
select pg_try_advisory_lock(salary) from users where id = 1;
--- advisory unlock: refused
select pg_advisory_unlock(salary) from users where id = 1;
--- transaction's state: refused
select pg_terminate_backend(case when ssn > '7' then pg_backend_pid() else 0 end) from users where id = 1;
--- notification or none: refused
listen x;
select pg_notify('x', '') from users where ssn > '7' and id = 1;
--- setting or none: refused
select set_config('application_name', left(ssn, 1), false) from users where id = 1;
--- row lock: refused
select id from users where ssn > '7' for update;
--- where: refused
select id from users where ssn > '7';
--- where not: refused
select id from users where not ssn > '7';
--- where like: refused
select id from users where ssn like '5%';
--- where like a parameter: refused
\params 5%
select id from users where ssn like $1;
--- where not equal: refused
select id from users where ssn <> '539-48-0120';
--- where in an expression: refused
select id from users where ssn || '' = '539-48-0120';
--- where by a function: refused
select id from users where md5(ssn) = md5('539-48-0120');
--- where by a cast: refused
select id from users where ssn::bytea = '539-48-0120'::bytea;
--- where by another collation: either; differs equality
select id from users where ssn = '539-48-0120' collate "C";
--- where by two bounds: refused
select id from users where ssn = '539-48-0120' or ssn > '7';
--- where equal and more: refused
select id from users where ssn = '539-48-0120' and length(ssn) = 11;
--- where between: refused
select id from users where salary between 100000000 and 200000000;
--- where number in a range: refused
select id from users where salary > 500000000;
--- where in a month: refused
select id from users where extract(month from born) = 11;
--- where date before: refused
select id from users where born < '1963-12-01';
--- where document contains: refused
select id from users where profile @> '{"pin": "Zq481516xKv"}';
--- where document's field: refused
select id from users where profile ->> 'pin' like 'Zq%';
--- where document has: refused
select id from users where profile ? 'pin';
--- where document matches: refused
select id from users where profile @@ '$.pin starts with "Zq"';
--- where array contains: refused
select id from users where phones @> array['+49-151-7730-4418'];
--- where element is: refused
select id from users where '+49-151-7730-4418' = any (phones);
--- where element is, as a parameter: refused
\params +49-151-7730-4418
select id from users where $1 = any (phones);
--- where element is a column: refused
select u.id from users u join logs l on l.line = any (u.phones);
--- where every element is: refused
select id from users where '+49-151-7730-4418' = all (phones);
--- where array's element is: refused
select id from users where phones[1] like '+49-15%';
--- where generated column: refused
select id from users where ssn_key > 'k7';
--- where generated column is: either; differs equality
select id from users where ssn_key = 'k539-48-0120';
--- where it is null: either
select id from users where ssn is null;
--- where a row is: refused
select id from users where (ssn, name) >= ('5', '');
--- where a row equals: either; differs equality
select id from users where (ssn, name) = ('539-48-0120', 'Ada');
--- where by a subquery's value: refused
select id from users where ssn = (select '539-48-0120');
--- where equal to a column: refused
select id from users where ssn = name;
--- where equal to a function: refused
select id from users where ssn = f_loud('539-48-0120');
--- where equal to a stable value: either
select id from users where ssn = current_user;
--- where equal to a random value: refused
select id from users where ssn = (random() * 10)::int::text;
--- where equal to a changing value: refused
select id from users where salary = nextval('tickets_seq');
--- where overlaps: refused
select id from users where (born, born) overlaps (date '1963-11-01', date '1963-11-30');
--- count by range: refused
select count(*) from users where ssn > '7';
--- exists by range: refused
select exists (select from users where ssn > '7' and id = 1);
--- sum of a comparison: either
select sum((ssn > '7')::int) from users;
--- constant by range: refused
select 'yes' from users where ssn > '7' and id = 1;
--- case in an order: refused
select id from users order by case when ssn > '7' then id else -id end;
--- case in a group: refused
select count(*) from users group by case when ssn > '7' then 1 else 2 end;
--- case in a limit: refused
select id from orders order by id limit (select case when ssn > '6' then 1 else 2 end from users where id = 1);
--- harmless condition with a hidden one: refused
select id from users where id = (case when ssn > '6' then 1 else 2 end);
--- a set in the list: refused
select id, unnest(string_to_array(ssn, '5')) from users where id = 1;
--- a set by a pattern: either
select count(*) from users, regexp_matches(ssn, '5', 'g') where id = 1;
--- elements of an array: either
select count(*) from users, unnest(string_to_array(ssn, '5')) where id = 1;
--- elements of a document: either
select count(*) from users, jsonb_path_query(profile, '$.pin ? (@ starts with "Zq")');
--- text search: refused
select id from users where to_tsvector('simple', ssn) @@ '539'::tsquery;
--- order of values: refused
select column1 from (values (1, (select ssn from users where id = 1)), (2, '7') order by 2) t;
--- order of values, of numbers: refused
select column1 from (values (1, (select salary from users where id = 1)), (2, 300000000) order by 2 limit 1) t;
--- order of values by name: refused
values (1, (select ssn from users where id = 1)), (2, '7') order by column2;
--- domain of another collation: refused
create collation w (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
create domain ws as text collate w;
select id from events where person = 'QUILLFEATHER-ADA'::ws;
--- domain of another collation in a list: refused
create collation w (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
create domain ws as text collate w;
select id from events where person in ('x', 'QUILLFEATHER-ADA'::ws);
--- domain of another collation, any of an array: refused
create collation w (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
create domain ws as text collate w;
select id from events where person = any ('{QUILLFEATHER-ADA}'::ws[]);
--- domain of another collation, of a parameter: refused
create collation w (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
create domain ws as text collate w;
prepare p (ws) as select id from events where person = $1;
--- collation of its own around an equality: refused
create collation w (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
select id from (select id, person collate w as p from events) x where p = 'QUILLFEATHER-ADA';
--- collation of its own around an equality, in a list: refused
create collation w (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
with x as (select id, person collate w as p from events) select id from x where p in ('QUILLFEATHER-ADA', 'x');
--- collation of its own around a case: refused
create collation w (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
select id from (select id, person collate w as p from events) x where case p when 'QUILLFEATHER-ADA' then true else false end;
--- collation of its own, of a function's argument: refused
create collation w (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
create function w(a text) returns boolean language sql as 'select a = ''QUILLFEATHER-ADA''';
select id from events where w(person collate w);
