-- Errors, notices and plans that hold a value or depend on one.
--- cast's message: refused
select ssn::int from users where id = 1;
--- cast's message to a date: refused
select ssn::date from users where id = 1;
--- cast's message to a uuid: refused
select ssn::uuid from users where id = 1;
--- cast's message to an address: refused
select ssn::inet from users where id = 1;
--- cast's message to xml: refused
select ('<' || ssn)::xml from users where id = 1;
--- cast's message to json: refused
select ('{' || ssn)::json from users where id = 1;
--- cast's message to an array: refused
select ssn::int[] from users where id = 1;
--- cast's message to a procedure: refused
select ssn::regprocedure from users where id = 1;
--- cast's message to a role: refused
select ssn::regrole from users where id = 1;
--- cast's message to a point: refused
select ssn::point from users where id = 1;
--- to number: refused
select to_number(ssn, 'AAA') from users where id = 1;
--- to date: refused
select to_date(ssn, 'Mon') from users where id = 1;
--- to timestamp: refused
select to_timestamp(ssn, 'Day') from users where id = 1;
--- sequence by its name: refused
select nextval(ssn) from users where id = 1;
--- setting by its name: refused
select current_setting(ssn) from users where id = 1;
--- class by its name: either
select to_regclass(ssn) from users where id = 1;
--- text search configuration by its name: refused
select to_tsvector(ssn::regconfig, 'x') from users where id = 1;
--- time zone by its name: refused
select timezone(ssn, now()) from users where id = 1;
--- encoding by its name: refused
select convert_to('x', ssn) from users where id = 1;
--- format of an unknown kind: refused
select format('%' || ssn) from users where id = 1;
--- regular expression's message: refused
select 'x' ~ ('(' || ssn) from users where id = 1;
--- path's message: refused; invalid
select jsonb_path_query('{}', ('$.' || ssn)::jsonpath) from users where id = 1;
--- file by its name: refused
select pg_read_file(ssn) from users where id = 1;
--- size by its name: refused
select pg_relation_size(ssn) from users where id = 1;
--- has privilege by its name: refused
select has_table_privilege(ssn, 'select') from users where id = 1;
--- xml parse: refused
select xmlparse(document ssn) from users where id = 1;
--- xml name: either
select xmlelement(name a, xmlattributes(ssn as "b")) from users where id = 1;
--- xpath: refused
select xpath(ssn, '<a/>') from users where id = 1;
--- not null: error 23502
insert into users (id) values (70);
--- unique: error 23505
insert into users (id, name) values (1, 'again');
--- unique of it: either; differs equality
insert into users (id, name, ssn) values (50, 'Gus', '539-48-0120');
--- unique of it by an update: either; differs equality
update users set ssn = '539-48-0120' where id = 2;
--- unique index made: either
create unique index on users (salary);
--- unique constraint made: either
alter table users add unique (salary);
--- check made: either
alter table users add check (ssn < '7');
--- check made, not valid, then validated: either
alter table users add constraint w check (ssn < '7') not valid;
alter table users validate constraint w;
--- not null made: either
alter table users alter column ssn set not null;
--- exclusion made: either
alter table users add exclude using btree (salary with =);
--- foreign key made: either
alter table users add foreign key (ssn) references other.settings (key);
--- type changed: either
alter table users alter column ssn type int using ssn::int;
--- type changed by an oracle: either
alter table users alter column note type int using 1 / (ascii(ssn) - 53);
--- failing row of a check: either
update accounts set balance = -1 where id = 1;
--- failing row of not null: either
update users set name = null where id = 1;
--- failing row of a domain: either
update users set tax = 'letters' where id = 1;
--- failing row of a partition: either
update events set at = '2030-01-01' where id = 1;
--- failing row of a view: either
create view w as select * from users where id < 3 with check option;
update w set id = 70 where id = 1;
--- failing row that goes with a deletion: either
delete from teams where id = 1;
--- failing row that goes with an update: either
update teams set id = 200 where id = 1;
--- failing row that goes with a deletion by a body: either
create function w() returns void language plpgsql as 'begin delete from teams where id = 1; end';
select w();
--- failing row of a table that was made to refer: either
create table w (id int primary key);
insert into w values (1);
alter table accounts add column w int not null default 1 references w on delete set null;
delete from w where id = 1;
--- failing row of a child: either
update persons set city = 'Far' where id = 2;
--- failing row under a view that does not show it: either
update v_harmless set name = null where id = 1;
--- duplicated key of a child that is written anew: either
insert into persons_kept select 3, 'Urach', ssn from persons_kept;
create unique index on persons_kept (city, ssn);
alter table persons alter column city type text using left(city, 1);
--- referenced row: either
delete from users where id = 3;
--- deferred constraint's detail at commit: either
begin;
delete from claims where id = 2;
update users set ssn = 'x' where id = 1;
commit;
--- deferred constraint made immediate: either
begin;
update users set ssn = 'x' where id = 1;
set constraints all immediate;
--- deferred constraint in one message: either; forms simple
begin; update users set ssn = 'x' where id = 1; commit;
--- deferred constraint in an implicit transaction: either
update users set ssn = 'x' where id = 1;
--- deferred by a deletion: either
begin;
delete from orders where id in (1, 2);
delete from users where id = 1;
commit;
--- trigger that tells: either
update accounts set owner = 'x' where id = 1;
--- trigger that keeps, then read: either
delete from accounts where id = 1;
select line from audit;
--- rule that copies, then read: either
insert into inbox values (1, 'x');
select line from outbox;
--- error after a read in a transaction: either
begin;
select ssn from users where id = 1;
select 1 / 0;
commit;
--- copy's context: either; differs equality
copy users (id, name, ssn) from stdin;
\copy 60\tGus\t539-48-0120
--- notices of a function: either
select p_tell(1);
--- debug messages: either
set client_min_messages = debug5;
select ssn from users where id = 1;
reset client_min_messages;
--- printed parse trees: either
set debug_print_parse = on;
set client_min_messages = log;
select id from users where ssn = '000-00-0000';
--- printed plans: either
set debug_print_plan = on;
set client_min_messages = debug1;
select 1 from users where id = 1 and note = 'x';
--- logged statements: either
set log_statement = 'all';
set client_min_messages = log;
select ssn from users where id = 1;
--- logged durations: either
set log_min_duration_statement = 0;
set client_min_messages = log;
select ssn from users where id = 1;
--- statistics in notices: either
set log_parser_stats = on;
set client_min_messages = log;
select 1;
--- verbose vacuum: refused
vacuum verbose users;
--- verbose analyze: refused
analyze verbose users;
--- explain: either
explain select * from users;
--- explain of its value: either
explain select ssn from users where id = 1;
--- explain of a predicate: refused
explain select id from users where ssn > '7';
--- explain of a range: refused
explain select id from users where salary < 300000000;
--- explain of an equality: refused
explain select id from users where salary = 193827465;
--- explain of a group: refused
explain select count(*) from users group by salary;
--- explain in json: refused
explain (format json) select id from users where ssn > '7';
--- explain in xml: refused
explain (format xml) select id from users where ssn > '7';
--- explain in yaml: refused
explain (format yaml) select id from users where ssn > '7';
--- explain verbose: either
explain (verbose) select ssn from users;
--- explain without costs: either
explain (costs off) select ssn from users;
--- explain with settings: either
explain (settings) select ssn from users;
--- explain analyse: either; differs times
explain analyze select ssn from users;
--- explain analyse of a predicate: refused
explain (analyze, costs off, timing off, summary off) select id from users where ssn > '7';
--- explain of a constant that is folded: either
explain select f_ssn(1);
--- explain of an immutable function: either
create function w() returns text language sql immutable as 'select ssn from users where id = 1';
explain select 1 where w() = 'x';
--- explain of a join by it: refused
explain select 1 from users u join (values ('539-48-0120')) v(x) on v.x = u.ssn;
--- explain of an execute: either
prepare p as select ssn from users;
explain execute p;
--- explain of an execute with a predicate: refused
prepare p (text) as select id from users where ssn > $1;
explain execute p ('5');
--- explain of a declared cursor: either
explain declare c cursor for select ssn from users;
--- explain of a table made: either
explain create table w as select ssn from users;
--- explain of a view's plan: refused
explain select * from v_where;
--- explain of the most common value: refused
explain select 1 from users where feeling = 'fair' and salary < 200000000;
--- number of a literal beside it: error 22P02
select ssn, 'x'::int from users;
--- name beside it: error 42P01
select u.ssn, n.x from users u, nobody n;
--- class by its name in the text: refused
select ssn::regclass from users where id = 1 and 'nobody' <> 'x';
--- function that is none, of it: error 42883
select nobody(ssn) from users;
