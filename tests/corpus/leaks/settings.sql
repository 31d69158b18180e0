-- Settings that change what a statement means or what its answer shows.
--- null comparisons transformed: either; differs equality
set transform_null_equals = on;
select id from users where ssn = null;
--- arrays' nulls: either
set array_nulls = off;
select phones || '{NULL}'::text[] from users;
--- money by a locale: either
set lc_monetary = 'C';
select salary::money from users;
--- bytes by another output: either
set bytea_output = 'escape';
select ssn::bytea from users;
--- date style by a start-up option: either
\startup options=-c datestyle=German,DMY
select born from users order by id;
--- date style in the session: either
set datestyle = 'SQL, DMY';
select born, born::text from users order by id;
--- documents' binary form: either
set xmlbinary = hex;
select xmlelement(name a, ssn::bytea) from users;
--- float digits of a cast: either
set extra_float_digits = -15;
select salary::float8 from users;
--- time zone of a date: either
set timezone = 'Pacific/Kiritimati';
select born::timestamptz from users order by id;
--- time zone by a full specification: either
set time zone interval '-08:00' hour to minute;
select (born::timestamptz)::text from users order by id;
--- interval style of an age: either
set intervalstyle = 'iso_8601';
select age(born, '2000-01-01') from users;
--- default collation by a database's: either
select upper(ssn collate "und-x-icu") from users order by id;
--- text search configuration: either
set default_text_search_config = 'simple';
select to_tsvector(ssn) from users;
--- statement's time by a value: refused
set statement_timeout = 200;
select count(*) from generate_series(1, (select case when ssn < '6' then 10 else 100000000 end from users where id = 1)) g;
--- statement's time by a value's work: refused
set statement_timeout = 200;
select case when ssn < '6' then (select count(*) from generate_series(1, 100000000)) end from users where id = 1;
--- lock's time by a value: refused
set lock_timeout = 10;
select pg_advisory_lock(ascii(ssn)) from users where id = 1;
--- setting of the session shown by a function: refused
set my.x = '1';
select set_config('my.x', coalesce(ssn, 'x'), false) from users where id = 1;
select current_setting('my.x');
--- setting of the session by a total function: refused
select set_config('my.x', upper(ssn), false) from users where id = 1;
show my.x;
--- setting by an update of the view: refused
update pg_settings set setting = (select ssn from users where id = 1) where name = 'application_name';
show application_name;
--- transaction's isolation by a value: refused
select set_config('transaction_isolation', case when ssn < '6' then 'serializable' else 'read committed' end, true) from users where id = 1;
--- transaction's snapshot: either; differs times
select pg_export_snapshot(), upper(ssn) from users where id = 1;
--- seed by a setting: refused
set seed = 0.5;
select set_config('seed', '0.' || left(ssn, 3), false) from users where id = 1;
select random();
--- role's own setting: either
set session characteristics as transaction read only;
select upper(ssn) from users order by id;
--- jit: either
set jit_above_cost = 0;
select upper(ssn) from users order by id;
--- log of the executor: either; differs times
set client_min_messages = log;
set log_executor_stats = on;
select upper(ssn) from users;
--- plan cache's debug: either; differs times
set client_min_messages = debug5;
select upper(ssn) from users where id = 1;
--- encoding by the start-up: either
\startup client_encoding=SQL_ASCII
select upper(ssn) from users order by id;
