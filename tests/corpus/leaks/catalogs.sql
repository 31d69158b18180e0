-- System catalogs and views that hold values, other sessions' statements, files.
--- statistics view: either
select most_common_vals from pg_stats where tablename = 'users';
--- statistics view's bounds: either
select histogram_bounds from pg_stats where tablename = 'users' and attname = 'ssn';
--- statistics view of a harmless column: either
select null_frac from pg_stats where tablename = 'users' and attname = 'name';
--- statistics view's correlation: either
select attname, correlation from pg_stats where tablename = 'users';
--- statistics view's distinct count: either
select n_distinct from pg_stats where attname = 'salary';
--- statistics of a materialised view: either
select histogram_bounds from pg_stats where tablename = 'm_users';
--- statistics of a generated column: either
select histogram_bounds from pg_stats where attname = 'ssn_key';
--- statistics of a partition: either
select histogram_bounds::text from pg_stats where tablename like 'events%';
--- statistics by a row: either
select s from pg_stats s where tablename = 'users';
--- statistics as json: either
select row_to_json(s) from pg_stats s;
--- statistics qualified: either
select most_common_vals, histogram_bounds from pg_catalog.pg_stats;
--- statistics through with: either
with s as (select * from pg_stats) select histogram_bounds::text::text[] from s;
--- statistics, unnested: either
select unnest(histogram_bounds::text::text[]) from pg_stats where attname = 'ssn';
--- statistics by a predicate: either
select attname from pg_stats where most_common_vals::text like '%193827465%';
--- statistics table: either
select stavalues1 from pg_statistic;
--- statistics table counted by a value: either
select count(*) from pg_statistic where stavalues1::text like '%539-48%';
--- extended statistics: either
select * from pg_stats_ext;
--- extended statistics of expressions: either
select * from pg_stats_ext_exprs;
--- extended statistics' data: either
select stxdmcv from pg_statistic_ext_data;
--- row estimates: either
select relname, reltuples from pg_class where relname = 'users';
--- range bounds: either
select pg_get_expr(relpartbound, oid) from pg_class where relname = 'events_2023';
--- activity: either; differs times
select query from pg_stat_activity;
--- activity of others: either; differs times
select pid, query, application_name from pg_stat_activity where pid <> pg_backend_pid();
--- activity's function: either; differs times
select * from pg_stat_get_activity(null);
--- activity of a backend: either; differs times
select pg_stat_get_backend_activity(1);
--- current query: either
select ssn, current_query() from users where id = 1;
--- large objects: either
select * from pg_largeobject;
--- locks: either; differs times
select count(*) from pg_locks;
--- settings view: either
select name, setting from pg_settings where name = 'search_path';
--- file settings: either
select * from pg_file_settings;
--- hba rules: either; differs times
select * from pg_hba_file_rules;
--- passwords: either; differs times
select rolcanlogin, rolpassword from pg_authid;
--- password view: either; differs times
select usename, passwd from pg_shadow;
--- user mappings: either
select * from pg_user_mappings;
--- file: refused
select pg_read_file('postgresql.conf');
--- binary file: refused
select pg_read_binary_file('global/pg_control');
--- folder: refused
select pg_ls_dir('.');
--- log: refused
select pg_current_logfile();
--- table's own file: refused
select pg_read_binary_file(pg_relation_filepath('users'));
--- table's own file as text: refused
select encode(pg_read_binary_file(pg_relation_filepath('users')), 'escape');
--- large object from a file: refused
select lo_import('/etc/hostname');
--- log switched: refused
select pg_rotate_logfile();
--- function's source: masked
select prosrc from pg_proc where proname = 'f_ssn';
--- function's definition: masked
select pg_get_functiondef('f_ssn(int)'::regprocedure);
--- default's text: masked
select pg_get_expr(adbin, adrelid) from pg_attrdef where adrelid = 'users'::regclass order by adnum;
--- information schema: masked
select column_name from information_schema.columns where table_name = 'users' order by ordinal_position;
--- missing value of an added column: masked 2
select attname, attmissingval from pg_attribute where attrelid = 'users'::regclass;
--- prepared transactions: either
select * from pg_prepared_xacts;
--- cursors: either; differs times
select name, statement, is_holdable from pg_cursors;
--- wal: either; differs times
select pg_current_wal_lsn();
--- wal's records: refused
select pg_logical_slot_get_changes('x', null, null);
--- logical slot made: refused
select pg_create_logical_replication_slot('x', 'test_decoding');
--- page by an extension: refused; invalid
create extension pageinspect;
select get_raw_page('users', 0);
--- tuples by an extension: refused; invalid
create extension pgrowlocks;
select * from pgrowlocks('users');
--- statements by an extension: refused
create extension pg_stat_statements;
--- progress: either
select * from pg_stat_progress_copy;
--- monitor: either; differs times
select * from pg_stat_database where datname = 'corpus_a';
--- tuples' places: masked
select ctid, ssn from users order by id;
--- system columns: masked
select tableoid::regclass, ssn from users order by id;
--- transaction numbers: either; differs times
select xmin, ssn from users order by id;
--- by its place: masked
select ssn from users where ctid = '(0,1)';
--- in the order of an index: refused
set enable_seqscan = off;
select id from users where ssn is not null order by ssn;
--- size of the table: either
select pg_total_relation_size('users');
--- brin's summary: either
create index w on users using brin (salary);
select brin_summarize_new_values('w');
--- activity's texts by their place: either; differs times
select c21 from (select 0::oid, ''::name, 0 as pid, 0, 0::oid, ''::name, '', null::inet, '', 0, now(), now(), now(), now(), '', '', '', null::xid, null::xid, 0::bigint, '' as c21, '' union all select * from pg_stat_activity) x;
--- activity's texts by another name: either; differs times
select q from pg_stat_activity as a (a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19, a20, q, b);
--- activity's texts in a condition: refused
select pid from pg_stat_activity where query like '%5%' and pid <> pg_backend_pid();
--- activity's texts in an order by its place: refused
select pid from (select * from pg_stat_activity order by 21 limit 1) x;
--- activity's texts joined by their name: refused
select query from pg_stat_activity a join pg_stat_activity b using (query);
--- activity's texts as a row: either; differs times
select a::text from pg_stat_activity a;
--- activity's texts by function notation: either; differs times
select query(a) from pg_stat_activity a;
--- counter of rows: masked 1
select seq_tup_read from pg_stat_user_tables where relname = 'users';
--- counter of rows beside another relation: masked 1
select seq_tup_read from pg_class c, pg_stat_user_tables s where s.relname = 'users';
--- counter of fetched rows: masked 1
select idx_tup_fetch from pg_stat_user_indexes where relname = 'users';
--- counter of read blocks: masked 1
select blks_hit from pg_stat_database;
--- keys of locks: masked 1
select objid from pg_locks where locktype = 'advisory';
--- notification by function: refused
select pg_notify('x', ssn) from users;
--- notification's channel by function: refused
select pg_notify(ssn, '') from users;
--- setting by function: refused
select set_config('my.own', ssn, false) from users where id = 1;
--- setting's name by function: refused
select set_config('my.' || ssn, 'x', false) from users where id = 1;
--- setting of the application's name: refused
select set_config('application_name', ssn, false) from users where id = 1;
--- array of keys: refused; invalid
select (information_schema._pg_expandarray(phones)).x from users;
--- log's place around an update: either
create temporary table w (l pg_lsn);
begin;
update users set name = 'y' where id = 6;
insert into w select pg_current_wal_insert_lsn();
update users set card = '4539-7712-8841-0000' where id = 1;
select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), l) from w;
rollback;
--- hot updates: either
create index w on users (card);
select n_tup_hot_upd from pg_stat_user_tables where relname = 'users' and n_tup_hot_upd < 0;
begin;
update users set card = '4539-7712-8841-0063' where id = 1;
rollback;
select pg_sleep(1.5);
select n_tup_hot_upd from pg_stat_user_tables where relname = 'users';
--- passwords beside names: masked 2
select rolcanlogin, rolpassword from pg_authid where rolname = 'bystander';
--- passwords by a cursor: masked 1
begin;
declare c cursor for select rolpassword from pg_authid where rolname = 'bystander';
fetch all from c;
--- passwords by a stream: either
copy (select rolcanlogin, rolpassword from pg_authid) to stdout;
--- passwords of a statement that was prepared: masked 1
prepare p as select upper(rolpassword) from pg_authid where rolname = 'bystander';
execute p;
--- passwords in a condition: refused
select rolname from pg_authid where rolpassword like 'S%';
--- passwords in an order: refused
select rolname from pg_authid order by rolpassword;
--- passwords by an error: refused
select rolpassword::int from pg_authid;
--- passwords told apart: refused
select distinct rolpassword from pg_authid;
--- passwords kept: refused
create table w as select rolname, rolpassword from pg_authid;
--- passwords under a view: refused
create view w as select rolname, rolpassword from pg_authid;
--- passwords that decide: refused
select case when rolpassword like 'S%' then 1 end from pg_authid;
--- missing value that decides: refused
alter table users add column w text default 'x' || now();
select attname from pg_attribute where attmissingval::text like '%x%';
--- missing value as pg_dump asks for it: masked 2
select attname, case when a.atthasmissing and not a.attisdropped then a.attmissingval else null end as attmissingval
  from pg_attribute a where attrelid = 'users'::regclass;
--- activity's text by its table: either; differs times
select a.pid > 0, a.query from pg_stat_activity a where a.pid <> pg_backend_pid();
--- activity's text by a cursor: either; differs times
begin;
declare c cursor for select query from pg_stat_activity;
fetch all from c;
--- statistics, whole: either
select * from pg_stats where tablename = 'users';
--- statistics, whole, of a row: either
select (s).* from (select t from pg_stats t) x(s);
--- statistics, whole, told apart: either; invalid
select * from pg_stats union select * from pg_stats;
--- statistics, whole, by a place: either; invalid
select * from pg_stats where tablename = 'users' order by 10;
--- statistics under other names: refused
select c from (select * from pg_stats) s(a, b, c, d, e, f, g, h, i, j) where j::text like '%193827465%';
--- statistics under other names at once: refused
select c from pg_stats s(a, b, c, d, e, f, g, h, i, j) where j::text like '%193827465%';
--- statistics' names joined: refused
select attname from pg_stats natural join (select 1.0::float4 as n_distinct) x;
--- statistics' names used: refused
select a.attname from pg_stats a join pg_stats b using (n_distinct);
--- passwords, whole, as json: either; differs times
select row_to_json(a) from (select * from pg_authid) a where rolname = 'bystander';
--- passwords under another name: refused
select x from pg_authid a(a, b, c, d, e, f, g, h, i, j, x) where x like 'S%';
--- passwords, whole, kept: refused
create table w as select * from pg_authid;
--- missing values, whole: either; differs the options are another number in each
alter table users add column w text default 'x' || now();
select a.* from pg_attribute a where attrelid = 'users'::regclass;
