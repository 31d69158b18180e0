-- What the protocol itself offers: replication, calls, raw messages, start-up options.
--- replication: either; forms simple
\startup replication=database
select ssn from users where id = 1;
--- replication of everything: either; forms simple
\startup replication=true
\raw Q IDENTIFY_SYSTEM\x00
--- base backup: either; forms simple
\startup replication=true
\raw Q BASE_BACKUP\x00
--- replication slot: either; forms simple
\startup replication=database
\raw Q CREATE_REPLICATION_SLOT w LOGICAL pgoutput\x00
--- options that set: either
\startup options=-c default_transaction_read_only=on
select ssn from users where id = 1;
--- options that tell more: either
\startup options=-c debug_print_parse=on -c client_min_messages=log
select ssn from users where id = 1;
--- another user: masked
\startup application_name=me
select ssn from users order by id;
--- a role at start: either
\startup options=-c role=boss
select ssn from users where id = 1;
--- call of a total function: either
\call md5(text) | x
--- call of a setting: refused
\call set_config(text,text,boolean) | application_name | x | f
--- call that reads a file: refused
\call pg_read_file(text) | postgresql.conf
--- call of a large object: refused
\call lo_creat(integer) | 1
--- call of a query: either
\call f_nested(integer) | 1
--- call of an operator's function: either
\call f_loud(text) | x
--- parse without execute: either
\parse s select ssn from users where id = 1
--- bind without execute: either
begin;
\parse s select ssn from users
\bind c s
commit;
--- described and never run: either
\parse s select id from users where ssn > '7'
--- portal run twice: masked
begin;
\parse s select ssn from users where id < 3 order by id
\bind c s
\portal c 1
\portal c 1
\portal c 0
commit;
--- empty query: masked; forms simple
\raw Q \x00
select ssn from users where id = 1;
