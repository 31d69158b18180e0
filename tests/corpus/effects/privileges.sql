-- Rights, roles, settings, files, programs, other servers.
--- grant: refused
grant select on users to public;
--- grant of all: refused
grant all on all tables in schema public to bystander;
--- grant of a column: refused
grant select (ssn) on users to bystander;
--- grant with option: refused
grant select on users to bystander with grant option;
--- grant of a schema: refused
grant create on schema public to bystander;
--- grant of a database: refused
grant connect on database corpus_a to bystander;
--- grant of a function: refused
grant execute on function p_definer(int) to bystander;
--- grant of a parameter: refused; differs it is no part of the state
grant set on parameter log_statement to bystander;
--- grant of a role: refused
grant boss to bystander;
--- grant of a role to itself: refused
grant pg_read_server_files to bystander with admin option;
--- revoke: refused
revoke all on users from {role};
--- revoke from public: refused
revoke all on function f_name(int) from public;
--- default privileges: refused
alter default privileges grant select on tables to public;
--- owner: refused
alter table users owner to bystander;
--- owner of a function: refused
alter function f_name(int) owner to bystander;
--- owner of a schema: refused
alter schema other owner to bystander;
--- owner of a view: refused
alter view v_plain owner to bystander;
--- owner of the database: refused
alter database corpus_a owner to bystander;
--- reassigned: refused
reassign owned by {role} to bystander;
--- role: refused
create role w;
--- user: refused
create user w superuser password 'x';
--- group: refused
create group w;
--- role's attributes: refused
alter role bystander superuser;
--- role's password: refused
alter role {role} password 'x';
--- own password: refused
alter user current_user password 'x';
--- role's setting: refused
alter role {role} set search_path = other;
--- role's setting everywhere: refused
alter role all set search_path = other;
--- role's setting in a database: refused
alter role {role} in database corpus_a set standard_conforming_strings = off;
--- role renamed: refused
alter role bystander rename to w;
--- database's setting: refused
alter database corpus_a set search_path = other;
--- database's connections: refused
alter database appdb connection limit 5;
--- database renamed: refused
alter database appdb rename to w;
--- database's template: refused
alter database appdb is_template true;
--- set role: refused; differs it ends with the session
set role boss;
--- set local role: refused; differs it ends with the session
begin;
set local role boss;
commit;
--- session authorization: refused; differs it ends with the session
set session authorization boss;
--- role by function: refused; differs it ends with the session
select set_config('role', 'boss', false);
--- role by the row of a setting: refused; differs it ends with the session
select set_config(name, 'boss', false) from pg_settings where name = 'role';
--- session authorization by function: refused; differs it ends with the session
select set_config('session_authorization', 'boss', false);
--- replication role: refused; differs it ends with the session
set session_replication_role = replica;
--- replication role by function: refused; differs it ends with the session
select set_config('session_replication_role', 'replica', false);
--- replication role, then a write: refused
set session_replication_role = replica;
insert into orders (id, user_id, placed) values (900, 12345, '2024-01-01');
--- replication role at start: refused
\startup options=-c session_replication_role=replica
insert into orders (id, user_id, placed) values (900, 12345, '2024-01-01');
--- role at start: refused; differs it ends with the session
\startup options=-c role=boss
select 1;
--- system setting: refused
alter system set work_mem = '8MB';
--- system setting reset: refused
alter system reset all;
--- system setting of a program: refused
alter system set archive_command = 'touch {dir}/stolen';
--- preloaded library: refused; differs it ends with the session
load 'auto_explain';
--- catalog allowed: refused; differs it ends with the session
set allow_system_table_mods = on;
--- catalog written: refused
update pg_class set relname = 'w' where relname = 'logs';
--- catalog's functions written: refused
update pg_proc set prosrc = 'select 0' where proname = 'f_add';
--- catalog's roles written: refused
update pg_authid set rolsuper = true where rolname = 'bystander';
--- catalog's rows deleted: refused
delete from pg_depend where objid = 'v_harmless'::regclass;
delete from pg_rewrite where ev_class = 'v_harmless'::regclass;
--- catalog inserted: refused
insert into pg_description values (1, 1, 1, 'x');
delete from pg_trigger where tgname = 'stamp';
--- settings view written: refused; differs it ends with the session
update pg_settings set setting = 'replica' where name = 'session_replication_role';
--- file written: refused
copy (select 1) to '{dir}/stolen';
--- file written from a table: refused
copy logs to '{dir}/stolen' (format csv);
--- program run: refused
copy (select 1) to program 'cat > {dir}/stolen';
--- program read: refused
copy logs (line) from program 'echo stolen';
--- file read: refused
copy logs (line) from '/etc/hostname';
--- file read by function: refused; differs it only reads
select pg_read_file('/etc/hostname');
--- file written by an extension: refused
create extension adminpack;
select pg_file_write('{dir}/stolen', 'x', false);
--- large object from a file: refused
select lo_import('/etc/hostname');
--- large object to a file: refused
select lo_from_bytea(4711, 'x');
select lo_export(4711, '{dir}/stolen');
--- large object made: refused
select lo_create(0);
--- large object from bytes: refused
select lo_from_bytea(4711, 'x');
--- large object by calls: refused; forms simple
\call lo_create(oid) | 4711
--- log rotated: refused; differs nothing is left of it
select pg_rotate_logfile();
--- configuration read anew: refused; differs nothing is left of it
select pg_reload_conf();
--- backend ended: refused; differs nothing is left of it
select pg_terminate_backend(0);
--- backend cancelled: refused; differs nothing is left of it
select pg_cancel_backend(0);
--- wal switched: refused; differs nothing is left of it
select pg_switch_wal();
--- restore point: refused; differs nothing is left of it
select pg_create_restore_point('x');
--- checkpoint: refused; differs nothing is left of it
checkpoint;
--- backup: refused; differs nothing is left of it
select pg_backup_start('x');
--- slot: refused
select pg_create_physical_replication_slot('w');
--- origin: refused; differs it is no part of the state
select pg_replication_origin_create('w');
--- message: refused; differs it is no part of the state
select pg_logical_emit_message(true, 'w', 'x');
--- statistics reset: refused; differs it is no part of the state
select pg_stat_reset();
--- vacuum: refused; differs nothing is left of it
vacuum users;
--- vacuum full: refused; differs nothing is left of it
vacuum full users;
--- analyze: refused; differs nothing is left of it
analyze users;
--- reindex: refused; differs nothing is left of it
reindex table users;
--- cluster: refused
cluster users using users_name;
--- security label: refused; differs no provider is loaded
security label on table users is 'x';
--- dblink: refused
select dblink_exec('host={dir} dbname=corpus_a', 'delete from orders');
--- dblink's query: refused
select * from dblink('host={dir} dbname=corpus_a', 'delete from orders returning id') as t (id int);
--- dblink's connection: refused
select dblink_connect('host={dir} dbname=corpus_a');
select dblink_exec('delete from orders');
--- dblink, sent: refused
select dblink_connect('c', 'host={dir} dbname=corpus_a');
select dblink_send_query('c', 'delete from orders');
select * from dblink_get_result('c') as t (x text);
--- foreign table written: refused
create server w foreign data wrapper postgres_fdw options (host '{dir}', dbname 'corpus_a');
create user mapping for current_user server w;
create foreign table f (id int) server w options (table_name 'outbox');
insert into f values (1);
--- file as a table: refused
create extension file_fdw;
create server w foreign data wrapper file_fdw;
create foreign table f (line text) server w options (filename '/etc/hostname');
--- replication: refused; forms simple
\startup replication=database
\raw Q CREATE_REPLICATION_SLOT w PHYSICAL\x00
--- replication, logical: refused; forms simple; differs the server keeps no such wal
\startup replication=database
\raw Q CREATE_REPLICATION_SLOT w LOGICAL pgoutput\x00
