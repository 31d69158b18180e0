-- What keys tell of values that nobody names: through other statements, other relations and other columns than the key's own.
--- merge that inserts by position into a key: either
merge into users u using (select i, '539-48-' || lpad(i::text, 4, '0') as x from generate_series(100, 200) i) s on u.id = s.i + 1000 when not matched then insert values (s.i + 1000, 'n', null, s.x);
--- merge that inserts by name into a key: either
merge into users u using (select i, '539-48-' || lpad(i::text, 4, '0') as x from generate_series(100, 200) i) s on u.id = s.i + 1000 when not matched then insert (id, name, ssn) values (s.i + 1000, 'n', s.x);
--- merge that inserts by position into a foreign key: either
merge into claims c using (select i, '539-48-' || lpad(i::text, 4, '0') as x from generate_series(120, 120) i) s on c.id = s.i + 1000 when not matched then insert values (s.i + 1000, s.x, 1);
--- insert into a key by a series: either
insert into users (id, name, ssn) select i + 1000, 'n', '539-48-' || lpad(i::text, 4, '0') from generate_series(100, 200) i;
--- insert through a view into a key: either
insert into v_plain select i + 1000, 'n', '539-48-' || lpad(i::text, 4, '0') from generate_series(100, 200) i;
--- insert through a view under another name into a key: either
insert into v_renamed (a, b) select i + 1000, '539-48-' || lpad(i::text, 4, '0') from generate_series(100, 200) i;
--- insert through a nested view into a key: either
insert into v_nested (id, number) select i + 1000, '539-48-' || lpad(i::text, 4, '0') from generate_series(100, 200) i;
--- insert that does nothing through a view: either
insert into v_barrier (id, name, ssn) select i + 1000, 'n', '539-48-' || lpad(i::text, 4, '0') from generate_series(100, 200) i on conflict do nothing;
--- update through a view of a key: either
update v_plain set ssn = '539-48-' || lpad('120', 4, '0') where id = 6;
--- update through a view of a key by a column: either
update v_plain set ssn = '539-48-' || name where id = 6;
--- update of a key by another column: either
update users set ssn = '539-48-0' || right(note, 3) where id = 6;
--- update of a key to its part: either
update users set ssn = left(ssn, 2) where id in (1, 2, 3);
--- update of a key to its own with a default: either
update users set ssn = default, name = name where id = 1;
--- conflict that updates a key: either
insert into users (id, name) values (1, 'x') on conflict (id) do update set ssn = '214-77-' || lpad('3391', 4, '0');
--- conflict through a view that updates a key: either
insert into v_plain (id, name) values (1, 'x') on conflict (id) do update set ssn = '214-77-' || lpad('3391', 4, '0');
--- copy into a key with a condition: refused
copy users (id, name, ssn) from stdin where ssn < '5';
\copy 1000\tn\t539-48-0120
--- update of a view that asks for it: refused
update v_where set name = 'x' where id = 1;
--- delete from a view that asks for it: refused
delete from v_where where id = 1;
--- update of a view that asks for it, returned: refused
update v_where set name = name where id = 1 returning id;
--- merge over a view that asks for it: refused
merge into logs l using v_where v on l.id = v.id when matched then update set line = 'x';
--- lock by a view that asks for it: refused
select id from v_where for update;
--- key made of an expression by a table: either
create table w (id int, s text, unique (s));
insert into w select id, left(ssn, 1) from users;
--- key of a temporary table: either
create temporary table w (s text primary key);
insert into w select left(ssn, 1) from users on conflict do nothing;
--- exclusion by a value: either
create table w (s int4range, exclude using gist (s with &&));
insert into w select int4range(salary / 2, salary) from users;
--- key deferred to the end: either
create table w (s text unique deferrable initially deferred);
insert into w select left(ssn, 1) from users;
--- foreign key made with the table: either
create table w (s text references users (ssn));
insert into w select '539-48-' || lpad(i::text, 4, '0') from generate_series(120, 120) i;
--- foreign key added: refused
create table w (s text);
insert into w values ('539-48-0120');
alter table w add foreign key (s) references users (ssn);
--- foreign key added with its column: refused
create table w (id int);
insert into w values (1);
alter table w add column s text default '539-48-0120' references users (ssn);
--- foreign key added, and validated later: refused
create table w (s text);
insert into w values ('539-48-0120');
alter table w add constraint held foreign key (s) references users (ssn) not valid;
alter table w validate constraint held;
--- foreign key of it added: refused
create table w (s text primary key);
insert into w values ('539-48-0120');
alter table users add foreign key (ssn) references w (s);
--- unique nulls not distinct: either
create unique index w on users (ssn) nulls not distinct;
--- unique index of a harmless column where it is: either
create unique index w on users (feeling) where ssn > '5';
--- index where it is: either
create index w on users (name) where salary > 300000000;
--- index that includes it: masked
create index w on users (name) include (ssn);
select id, ssn from users where name = 'Ada';
--- deferred key at a prepared transaction: either
begin;
update claims set ssn = '539-48-' || lpad('121', 4, '0') where id = 1;
prepare transaction 'w';
rollback;
--- key of two columns by its other one: either
update grants set year = 2023 where id = 2;
--- partial key by an update of a harmless column: either
update badges set code = 'x' where id = 2;
--- partial key by an insert: either
insert into badges values (9, 'x', 900000001);
--- partial key by a conflict: either
insert into badges values (9, 'x', 900000001) on conflict do nothing;
--- partial key by a copy: either
copy badges from stdin;
\copy 9\tx\t900000001
--- key of a part by an insert: either
insert into plates values (9, '53');
--- key of a part by an update: either
update plates set ssn = '53' where id = 1;
insert into plates values (9, '87');
--- exclusion by an insert: either
insert into shifts values (9, '[500000000,500000001)');
--- exclusion by a conflict: either
insert into shifts values (9, '[500000000,500000001)') on conflict do nothing;
--- deletion of what a hidden key refers to: either
delete from offers where id = 1;
--- key by a default: either
alter table users alter column ssn set default '539-48-' || lpad(nextval('tickets_seq')::text, 4, '0');
insert into users (id, name) select i, 'x' from generate_series(1000, 1050) i on conflict do nothing returning id;
--- key by a default, copied in: either
alter table users alter column ssn set default '539-48-' || lpad((nextval('tickets_seq') + 20)::text, 4, '0');
copy users (id, name) from stdin;
\copy 1000\tx
--- conflict's excluded default: either
create function w() returns text language sql stable as 'select card from users where id = 2';
alter table users alter column card set default w();
insert into users (id, name) values (1, 'x') on conflict (id) do update set note = excluded.card returning note;
--- conflict's excluded default by its word: either
create function w() returns text language sql stable as 'select card from users where id = 2';
alter table users alter column card set default w();
insert into users (id, name, card) values (1, 'x', default) on conflict (id) do update set note = excluded.card returning note;
--- conflict's excluded generated column: either
create table w (k text generated always as (card || 'x') stored, primary key (id)) inherits (users);
insert into w (id, name) values (2, 'x');
insert into w (id, name, card) select 2, 'x', card from users where id = 1 on conflict (id) do update set note = excluded.k returning note;
--- key of an array by its element: either
update tokens set digits[1] = '4539-7712-8841-0063' where id = 2;
--- key of an array by its element, of a conflict: either
insert into tokens (id) values (2) on conflict (id) do update set digits[1] = '4539-7712-8841-0063';
--- key of an array by its element, inserted: either
insert into tokens (id, digits[1]) values (9, '4539-7712-8841-0063');
--- bounds of a partition beside what is in none: refused
create table w partition of vaults for values from ('5') to ('6');
--- bounds of an attached partition beside what is in none: refused
create table w (id int, ssn text);
alter table vaults attach partition w for values from ('5') to ('6');
--- key by a function that is called for many values: refused
create function w(text) returns bigint language sql as $$ with i as (insert into users (id, name, ssn) values (1000, 'x', $1)
  on conflict do nothing returning 1) select count(*) from i $$;
select w(lpad(n::text, 9, '0')) from generate_series(1, 20) n;
--- key by a function that is called for one: masked
create function w(text) returns bigint language sql as $$ with i as (insert into users (id, name, ssn) values (1000, 'x', $1)
  on conflict do nothing returning 1) select count(*) from i $$;
select w('1');
