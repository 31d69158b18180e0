-- What clients and ORMs ask of the catalog, and how they write.
--- psql: list of tables: same
SELECT n.nspname as "Schema", c.relname as "Name", CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'i' THEN 'index' WHEN 'S' THEN 'sequence' WHEN 't' THEN 'TOAST table' WHEN 'f' THEN 'foreign table' WHEN 'p' THEN 'partitioned table' WHEN 'I' THEN 'partitioned index' END as "Type",
  pg_catalog.pg_get_userbyid(c.relowner) as "Owner" FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
WHERE c.relkind IN ('r','p','v','m','S','f','') AND n.nspname <> 'pg_catalog' AND n.nspname !~ '^pg_toast' AND n.nspname <> 'information_schema' AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 1,2;
--- psql: find a table: same
SELECT c.oid = 'users'::regclass, n.nspname, c.relname FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relname OPERATOR(pg_catalog.~) '^(users)$' COLLATE pg_catalog.default AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 2, 3;
--- psql: kind of a table: same
SELECT c.relchecks, c.relkind, c.relhasindex, c.relhasrules, c.relhastriggers, c.relrowsecurity, c.relforcerowsecurity, false AS relhasoids, c.relispartition, pg_catalog.array_to_string(c.reloptions || array(select 'toast.' || x from pg_catalog.unnest(tc.reloptions) x), ', '), c.reltablespace, CASE WHEN c.reloftype = 0 THEN '' ELSE c.reloftype::pg_catalog.regtype::pg_catalog.text END, c.relpersistence, c.relreplident, am.amname
FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_class tc ON (c.reltoastrelid = tc.oid) LEFT JOIN pg_catalog.pg_am am ON (c.relam = am.oid) WHERE c.oid = 'users'::regclass;
--- psql: columns: same
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid, true) FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef), a.attnotnull,
  (SELECT c.collname FROM pg_catalog.pg_collation c, pg_catalog.pg_type t WHERE c.oid = a.attcollation AND t.oid = a.atttypid AND a.attcollation <> t.typcollation) AS attcollation, a.attidentity, a.attgenerated
FROM pg_catalog.pg_attribute a WHERE a.attrelid = 'users'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;
--- psql: indexes: same
SELECT c2.relname, i.indisprimary, i.indisunique, i.indisclustered, i.indisvalid, pg_catalog.pg_get_indexdef(i.indexrelid, 0, true), pg_catalog.pg_get_constraintdef(con.oid, true), contype, condeferrable, condeferred, i.indisreplident, c2.reltablespace
FROM pg_catalog.pg_class c, pg_catalog.pg_class c2, pg_catalog.pg_index i LEFT JOIN pg_catalog.pg_constraint con ON (conrelid = i.indrelid AND conindid = i.indexrelid AND contype IN ('p','u','x'))
WHERE c.oid = 'users'::regclass AND c.oid = i.indrelid AND i.indexrelid = c2.oid ORDER BY i.indisprimary DESC, c2.relname;
--- psql: foreign keys: same
SELECT true as sametable, conname, pg_catalog.pg_get_constraintdef(r.oid, true) as condef, conrelid::pg_catalog.regclass AS ontable FROM pg_catalog.pg_constraint r WHERE r.conrelid = 'orders'::regclass AND r.contype = 'f' AND conparentid = 0 ORDER BY conname;
--- psql: referenced by: same
SELECT conname, conrelid::pg_catalog.regclass AS ontable, pg_catalog.pg_get_constraintdef(oid, true) AS condef FROM pg_catalog.pg_constraint c WHERE confrelid IN (SELECT pg_catalog.pg_partition_ancestors('users'::regclass) UNION ALL VALUES ('users'::regclass)) AND contype = 'f' AND conparentid = 0 ORDER BY conname;
--- psql: triggers: same
SELECT t.tgname, pg_catalog.pg_get_triggerdef(t.oid, true), t.tgenabled, t.tgisinternal FROM pg_catalog.pg_trigger t WHERE t.tgrelid = 'accounts'::regclass AND NOT t.tgisinternal ORDER BY 1;
--- psql: policies: same
SELECT pol.polname, pol.polpermissive, CASE WHEN pol.polroles = '{0}' THEN NULL ELSE pg_catalog.array_to_string(array(select rolname from pg_catalog.pg_roles where oid = any (pol.polroles) order by 1), ',') END, pg_catalog.pg_get_expr(pol.polqual, pol.polrelid), pol.polcmd FROM pg_catalog.pg_policy pol WHERE pol.polrelid = 'users'::regclass ORDER BY 1;
--- psql: parents: same
SELECT c.oid::pg_catalog.regclass FROM pg_catalog.pg_class c, pg_catalog.pg_inherits i WHERE c.oid = i.inhparent AND i.inhrelid = 'members_abroad'::regclass AND c.relkind != 'p' ORDER BY inhseqno;
--- psql: children: same
SELECT c.oid::pg_catalog.regclass, c.relkind, inhdetachpending, pg_catalog.pg_get_expr(c.relpartbound, c.oid) FROM pg_catalog.pg_class c, pg_catalog.pg_inherits i WHERE c.oid = i.inhrelid AND i.inhparent = 'events'::regclass ORDER BY pg_catalog.pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT', c.oid::pg_catalog.regclass::pg_catalog.text;
--- psql: partition key: same
SELECT pg_catalog.pg_get_partkeydef('events'::regclass);
--- psql: functions: same
SELECT n.nspname as "Schema", p.proname as "Name", pg_catalog.pg_get_function_result(p.oid) as "Result data type", pg_catalog.pg_get_function_arguments(p.oid) as "Argument data types", CASE p.prokind WHEN 'a' THEN 'agg' WHEN 'w' THEN 'window' WHEN 'p' THEN 'proc' ELSE 'func' END as "Type"
FROM pg_catalog.pg_proc p LEFT JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE pg_catalog.pg_function_is_visible(p.oid) AND n.nspname <> 'pg_catalog' AND n.nspname <> 'information_schema' ORDER BY 1, 2, 4;
--- psql: schemas: same
SELECT n.nspname AS "Name", pg_catalog.pg_get_userbyid(n.nspowner) AS "Owner" FROM pg_catalog.pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1;
--- psql: types: same
SELECT n.nspname, pg_catalog.format_type(t.oid, NULL) AS "Name", pg_catalog.obj_description(t.oid, 'pg_type') as "Description" FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE (t.typrelid = 0 OR (SELECT c.relkind = 'c' FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid)) AND NOT EXISTS(SELECT 1 FROM pg_catalog.pg_type el WHERE el.oid = t.typelem AND el.typarray = t.oid) AND n.nspname <> 'pg_catalog' AND n.nspname <> 'information_schema' AND pg_catalog.pg_type_is_visible(t.oid) ORDER BY 1, 2;
--- psql: roles: same
SELECT r.rolname, r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb, r.rolcanlogin, r.rolconnlimit, ARRAY(SELECT b.rolname FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles b ON (m.roleid = b.oid) WHERE m.member = r.oid) as memberof FROM pg_catalog.pg_roles r WHERE r.rolname !~ '^pg_' ORDER BY 1;
--- psql: databases: same
SELECT d.datname as "Name", pg_catalog.pg_encoding_to_char(d.encoding) as "Encoding", d.datcollate, d.datctype FROM pg_catalog.pg_database d WHERE d.datname like 'template%' ORDER BY 1;
--- psql: sizes: same
SELECT pg_catalog.pg_size_pretty(pg_catalog.pg_table_size(c.oid)) FROM pg_catalog.pg_class c WHERE c.relname = 'orders';
--- psql: view's definition: same
SELECT pg_catalog.pg_get_viewdef('v_plain'::regclass, true);
--- psql: completion: same
SELECT pg_catalog.quote_ident(c.relname) FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'S', 'v', 'm', 'f', 'p') AND substring(pg_catalog.quote_ident(c.relname),1,2)='us' AND pg_catalog.pg_table_is_visible(c.oid) UNION SELECT pg_catalog.quote_ident(n.nspname) || '.' FROM pg_catalog.pg_namespace n WHERE substring(pg_catalog.quote_ident(n.nspname) || '.',1,2)='us' ORDER BY 1 LIMIT 1000;
--- jdbc: start: same
SET extra_float_digits = 3;
SET application_name = 'PostgreSQL JDBC Driver';
--- jdbc: tables: same
SELECT NULL AS TABLE_CAT, n.nspname AS TABLE_SCHEM, c.relname AS TABLE_NAME, CASE n.nspname ~ '^pg_' OR n.nspname = 'information_schema' WHEN true THEN 'SYSTEM TABLE' WHEN false THEN CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'p' THEN 'PARTITIONED TABLE' WHEN 'v' THEN 'VIEW' ELSE NULL END ELSE NULL END AS TABLE_TYPE, d.description AS REMARKS
FROM pg_catalog.pg_namespace n, pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_description d ON (c.oid = d.objoid AND d.objsubid = 0 and d.classoid = 'pg_class'::regclass) WHERE c.relnamespace = n.oid AND n.nspname LIKE 'public' AND c.relkind IN ('r', 'p', 'v') ORDER BY TABLE_TYPE,TABLE_SCHEM,TABLE_NAME;
--- jdbc: columns: same
SELECT * FROM (SELECT current_database() = current_catalog AS same, n.nspname, c.relname, a.attname, a.atttypid = 0 as untyped, a.attnotnull OR (t.typtype = 'd' AND t.typnotnull) AS attnotnull, a.atttypmod, a.attlen, t.typtypmod, row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum) AS attnum, nullif(a.attidentity, '') as attidentity, nullif(a.attgenerated, '') as attgenerated, pg_catalog.pg_get_expr(def.adbin, def.adrelid) AS adsrc, dsc.description, t.typbasetype, t.typtype
FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON (c.relnamespace = n.oid) JOIN pg_catalog.pg_attribute a ON (a.attrelid = c.oid) JOIN pg_catalog.pg_type t ON (a.atttypid = t.oid) LEFT JOIN pg_catalog.pg_attrdef def ON (a.attrelid = def.adrelid AND a.attnum = def.adnum) LEFT JOIN pg_catalog.pg_description dsc ON (c.oid = dsc.objoid AND a.attnum = dsc.objsubid)
WHERE c.relkind in ('r', 'p', 'v', 'f', 'm') and a.attnum > 0 AND NOT a.attisdropped AND n.nspname LIKE 'public' AND c.relname LIKE 'orders') c WHERE true ORDER BY nspname, c.relname, attnum;
--- jdbc: primary keys: same
SELECT result.TABLE_SCHEM, result.TABLE_NAME, result.COLUMN_NAME, result.KEY_SEQ, result.PK_NAME FROM (SELECT n.nspname AS TABLE_SCHEM, ct.relname AS TABLE_NAME, a.attname AS COLUMN_NAME, (information_schema._pg_expandarray(i.indkey)).n AS KEY_SEQ, ci.relname AS PK_NAME, information_schema._pg_expandarray(i.indkey) AS KEYS, a.attnum AS A_ATTNUM
FROM pg_catalog.pg_class ct JOIN pg_catalog.pg_attribute a ON (ct.oid = a.attrelid) JOIN pg_catalog.pg_namespace n ON (ct.relnamespace = n.oid) JOIN pg_catalog.pg_index i ON (a.attrelid = i.indrelid) JOIN pg_catalog.pg_class ci ON (ci.oid = i.indexrelid) WHERE true AND ct.relname = 'orders' AND i.indisprimary) result where result.A_ATTNUM = (result.KEYS).x ORDER BY result.table_name, result.pk_name, result.key_seq;
--- jdbc: type by its oid: same
\params 23
SELECT n.nspname = ANY(current_schemas(true)), n.nspname, t.typname FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON t.typnamespace = n.oid WHERE t.oid = $1;
--- jdbc: type by its name: same
\params mood
SELECT typinput='pg_catalog.array_in'::regproc as is_array, typtype, typname, typrelid FROM pg_catalog.pg_type LEFT JOIN (select ns.oid as nspoid, ns.nspname, r.r from pg_namespace as ns join ( select s.r, (current_schemas(false))[s.r] as nspname from generate_series(1, array_upper(current_schemas(false), 1)) as s(r) ) as r using ( nspname )) as sp ON sp.nspoid = typnamespace WHERE typname = $1 ORDER BY sp.r, pg_type.oid DESC LIMIT 1;
--- jdbc: generated keys: same
\params x
INSERT INTO logs (line) VALUES ($1) RETURNING *;
--- jdbc: transaction: same
BEGIN;
UPDATE orders SET state = 'paid' WHERE id = 2;
COMMIT;
--- jdbc: catalogs: same
SELECT datname AS TABLE_CAT FROM pg_catalog.pg_database WHERE datallowconn = true and datname like 'template1' ORDER BY datname;
--- jdbc: keywords: same
select string_agg(word, ',') from pg_catalog.pg_get_keywords() where word <> ALL ('{select,from,where}'::text[]) and catcode = 'T';
--- npgsql: types: same
SELECT ns.nspname, t.typname, t.typtype, t.typnotnull FROM (SELECT typ.oid, typ.typnamespace, typ.typname, typ.typtype, typ.typrelid, typ.typnotnull, typ.typrelid, elemtyp.oid AS elemtypoid FROM pg_type AS typ LEFT JOIN pg_class AS cls ON (cls.oid = typ.typrelid) LEFT JOIN pg_proc AS proc ON proc.oid = typ.typreceive LEFT JOIN pg_type AS elemtyp ON elemtyp.oid = typ.typelem) AS t JOIN pg_namespace AS ns ON (ns.oid = typnamespace) WHERE t.typtype IN ('b', 'r', 'm', 'e', 'd') AND ns.nspname = 'public' ORDER BY t.typname;
--- npgsql: enums: same
SELECT pg_type.typname, enumlabel FROM pg_enum JOIN pg_type ON pg_type.oid=enumtypid ORDER BY pg_type.typname, enumsortorder;
--- libpq: parameters: same
select set_config('bytea_output','hex',false) FROM pg_settings WHERE name = 'bytea_output';
--- sqlalchemy: start: same
select pg_catalog.version();
select current_schema();
show standard_conforming_strings;
show transaction isolation level;
--- sqlalchemy: has a table: same
\params users
SELECT pg_catalog.pg_class.relname FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace WHERE pg_catalog.pg_class.relname = $1::VARCHAR AND pg_catalog.pg_class.relkind = ANY (ARRAY['r', 'p', 'f', 'v', 'm']) AND pg_catalog.pg_table_is_visible(pg_catalog.pg_class.oid) AND pg_catalog.pg_namespace.nspname != 'pg_catalog';
--- sqlalchemy: columns: same
SELECT pg_catalog.pg_attribute.attname AS name, pg_catalog.format_type(pg_catalog.pg_attribute.atttypid, pg_catalog.pg_attribute.atttypmod) AS format_type, (SELECT pg_catalog.pg_get_expr(pg_catalog.pg_attrdef.adbin, pg_catalog.pg_attrdef.adrelid) AS pg_get_expr_1 FROM pg_catalog.pg_attrdef WHERE pg_catalog.pg_attrdef.adrelid = pg_catalog.pg_attribute.attrelid AND pg_catalog.pg_attrdef.adnum = pg_catalog.pg_attribute.attnum AND pg_catalog.pg_attribute.atthasdef) AS "default", pg_catalog.pg_attribute.attnotnull AS not_null, pg_catalog.pg_class.relname AS table_name, pg_catalog.pg_description.description AS comment, pg_catalog.pg_attribute.attgenerated AS generated
FROM pg_catalog.pg_class LEFT OUTER JOIN pg_catalog.pg_attribute ON pg_catalog.pg_class.oid = pg_catalog.pg_attribute.attrelid AND pg_catalog.pg_attribute.attnum > 0 AND NOT pg_catalog.pg_attribute.attisdropped LEFT OUTER JOIN pg_catalog.pg_description ON pg_catalog.pg_description.objoid = pg_catalog.pg_attribute.attrelid AND pg_catalog.pg_description.objsubid = pg_catalog.pg_attribute.attnum JOIN pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace
WHERE pg_catalog.pg_class.relkind = ANY (ARRAY['r', 'p', 'f', 'v', 'm']) AND pg_catalog.pg_table_is_visible(pg_catalog.pg_class.oid) AND pg_catalog.pg_namespace.nspname != 'pg_catalog' AND pg_catalog.pg_class.relname IN ('orders') ORDER BY pg_catalog.pg_class.relname, pg_catalog.pg_attribute.attnum;
--- sqlalchemy: enums: same
SELECT pg_catalog.pg_type.typname AS name, pg_catalog.pg_type_is_visible(pg_catalog.pg_type.oid) AS visible, pg_catalog.pg_namespace.nspname AS schema, lbl_agg.labels AS labels FROM pg_catalog.pg_type JOIN pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_type.typnamespace LEFT OUTER JOIN (SELECT pg_catalog.pg_enum.enumtypid AS enumtypid, array_agg(CAST(pg_catalog.pg_enum.enumlabel AS TEXT) ORDER BY pg_catalog.pg_enum.enumsortorder) AS labels FROM pg_catalog.pg_enum GROUP BY pg_catalog.pg_enum.enumtypid) AS lbl_agg ON pg_catalog.pg_type.oid = lbl_agg.enumtypid WHERE pg_catalog.pg_type.typtype = 'e' ORDER BY 1;
--- sqlalchemy: select: same
\params paid
SELECT orders.id, orders.user_id, orders.sku, orders.quantity, orders.total, orders.placed, orders.state FROM orders WHERE orders.state = $1::VARCHAR ORDER BY orders.id;
--- sqlalchemy: insert of many: same
\params a | b
INSERT INTO logs (line) SELECT p0::VARCHAR FROM (VALUES ($1, 0), ($2, 1)) AS imp_sen(p0, sen_counter) ORDER BY sen_counter RETURNING logs.id, logs.id AS id__1;
--- sqlalchemy: joined loading: same
SELECT users.id, users.name, orders_1.id AS id_1, orders_1.total FROM users LEFT OUTER JOIN orders AS orders_1 ON users.id = orders_1.user_id WHERE users.id IN (1, 2) ORDER BY users.id, orders_1.id;
--- sqlalchemy: rows in batches: same
\params 1 | 2 | 3
SELECT orders.user_id AS orders_user_id, orders.id AS orders_id FROM orders WHERE orders.user_id IN ($1::INTEGER, $2::INTEGER, $3::INTEGER) ORDER BY orders.id;
--- sqlalchemy: count: same
SELECT count(*) AS count_1 FROM (SELECT orders.id AS orders_id FROM orders WHERE orders.total > 50) AS anon_1;
--- sqlalchemy: exists: same
SELECT EXISTS (SELECT 1 FROM orders WHERE orders.user_id = 1) AS anon_1;
--- alembic: version: same
SELECT pg_catalog.pg_class.relname FROM pg_catalog.pg_class WHERE pg_catalog.pg_class.relname = 'alembic_version';
--- django: start: same
SELECT set_config('TimeZone', 'UTC', false);
--- django: tables: same
SELECT c.relname, CASE WHEN c.relispartition THEN 'p' WHEN c.relkind IN ('m', 'v') THEN 'v' ELSE 't' END, obj_description(c.oid, 'pg_class') FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('f', 'm', 'p', 'r', 'v') AND n.nspname NOT IN ('pg_catalog', 'pg_toast') AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 1;
--- django: constraints: same
SELECT c.conname, array(SELECT attname FROM unnest(c.conkey) WITH ORDINALITY cols(colid, arridx) JOIN pg_attribute AS ca ON cols.colid = ca.attnum WHERE ca.attrelid = c.conrelid ORDER BY cols.arridx), c.contype, (SELECT fkc.relname || '.' || fka.attname FROM pg_attribute AS fka JOIN pg_class AS fkc ON fka.attrelid = fkc.oid WHERE fka.attrelid = c.confrelid AND fka.attnum = c.confkey[1]), cl.reloptions FROM pg_constraint AS c JOIN pg_class AS cl ON c.conrelid = cl.oid WHERE cl.relname = 'orders' AND pg_catalog.pg_table_is_visible(cl.oid) ORDER BY 1;
--- django: sequences: same
SELECT s.relname AS sequence_name, a.attname AS colname FROM pg_class s JOIN pg_depend d ON d.objid = s.oid AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass JOIN pg_attribute a ON d.refobjid = a.attrelid AND d.refobjsubid = a.attnum JOIN pg_class tbl ON tbl.oid = d.refobjid AND tbl.relname = 'orders' AND pg_catalog.pg_table_is_visible(tbl.oid) WHERE s.relkind = 'S';
--- django: get: same
\params 1
SELECT "users"."id", "users"."name", "users"."email" FROM "users" WHERE "users"."id" = $1 LIMIT 21;
--- django: get or create: same
BEGIN;
SELECT "counters"."name", "counters"."value" FROM "counters" WHERE "counters"."name" = 'new' LIMIT 21;
SAVEPOINT "s1_x1";
INSERT INTO "counters" ("name", "value") VALUES ('new', 0);
RELEASE SAVEPOINT "s1_x1";
COMMIT;
--- django: update: same
UPDATE "orders" SET "state" = 'paid', "quantity" = ("orders"."quantity" + 1) WHERE "orders"."id" = 2;
--- django: delete of one: same
DELETE FROM "logs" WHERE "logs"."id" IN (1);
--- django: exists: same
SELECT 1 AS "a" FROM "orders" WHERE "orders"."state" = 'paid' LIMIT 1;
--- django: aggregate: same
SELECT "orders"."user_id", COUNT("orders"."id") AS "n", COALESCE(SUM("orders"."total"), '0') AS "sum" FROM "orders" GROUP BY "orders"."user_id" HAVING COUNT("orders"."id") > 1 ORDER BY "n" DESC, 1;
--- django: server side cursor: same
BEGIN;
DECLARE "_django_curs_1" NO SCROLL CURSOR WITH HOLD FOR SELECT "orders"."id" FROM "orders" ORDER BY "orders"."id";
FETCH FORWARD 2000 FROM "_django_curs_1";
CLOSE "_django_curs_1";
COMMIT;
--- django: bulk insert: same
INSERT INTO "logs" ("line") VALUES ('a'), ('b'), ('c') RETURNING "logs"."id";
--- django: upsert: same
INSERT INTO "counters" ("name", "value") VALUES ('visits', 9) ON CONFLICT("name") DO UPDATE SET "value" = EXCLUDED."value";
--- django: for update: same
BEGIN;
SELECT "orders"."id" FROM "orders" WHERE "orders"."id" = 1 FOR UPDATE OF "orders" SKIP LOCKED;
COMMIT;
--- django: upper in a condition: same
SELECT "users"."id" FROM "users" WHERE UPPER("users"."name"::text) LIKE UPPER('%a%') ORDER BY 1;
--- django: dates: same
SELECT DISTINCT DATE_TRUNC('month', "orders"."placed") AS "datefield" FROM "orders" WHERE "orders"."placed" IS NOT NULL ORDER BY "datefield" ASC;
--- hibernate: select: same
\params 1
select u1_0.id,u1_0.email,u1_0.name from users u1_0 where u1_0.id=$1;
--- hibernate: join fetch: same
select distinct u1_0.id,o1_0.user_id,o1_0.id,o1_0.total,u1_0.name from users u1_0 left join orders o1_0 on u1_0.id=o1_0.user_id where u1_0.name like 'A%' escape '' order by o1_0.id;
--- hibernate: page: same
\params 2 | 3
select o1_0.id,o1_0.total from orders o1_0 order by o1_0.id offset $1 rows fetch first $2 rows only;
--- hibernate: sequence: same
select nextval('tickets_seq');
--- hibernate: versioned update: same
\params void | 2 | open
update orders set state=$1 where id=$2 and state=$3;
--- hibernate: batch: same; pipelined
insert into logs (line) values ('a');
insert into logs (line) values ('b');
insert into logs (line) values ('c');
--- hibernate: in list: same
select o1_0.id from orders o1_0 where o1_0.id in (1,2,3,4,5) order by 1;
--- hibernate: sequences: same
select * from information_schema.sequences order by sequence_name;
--- activerecord: start: same
SET client_min_messages TO 'warning';
SET intervalstyle = iso_8601;
SHOW TIME ZONE;
--- activerecord: types: same
SELECT t.typname, t.typtype, t.typbasetype = 0 FROM pg_type as t WHERE t.typname IN ('int2', 'int4', 'int8', 'oid', 'float4', 'float8', 'text', 'varchar', 'char', 'name', 'bpchar', 'bool', 'bit', 'varbit', 'date', 'money', 'bytea', 'point', 'hstore', 'json', 'jsonb', 'cidr', 'inet', 'uuid', 'xml', 'tsvector', 'macaddr', 'citext', 'ltree', 'line', 'lseg', 'box', 'path', 'polygon', 'circle', 'numeric', 'interval', 'time', 'timestamp', 'timestamptz') ORDER BY 1;
--- activerecord: columns: same
SELECT a.attname, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid), a.attnotnull, a.atttypmod, c.collname, col_description(a.attrelid, a.attnum) AS comment, attidentity AS identity, attgenerated as attgenerated FROM pg_attribute a LEFT JOIN pg_attrdef d ON a.attrelid = d.adrelid AND a.attnum = d.adnum LEFT JOIN pg_type t ON a.atttypid = t.oid LEFT JOIN pg_collation c ON a.attcollation = c.oid AND a.attcollation <> t.typcollation WHERE a.attrelid = '"orders"'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;
--- activerecord: primary key: same
SELECT a.attname FROM (SELECT indrelid, indkey, generate_subscripts(indkey, 1) idx FROM pg_index WHERE indrelid = '"orders"'::regclass AND indisprimary) i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[i.idx] ORDER BY i.idx;
--- activerecord: find: same
\params 1 | 1
SELECT "users"."id", "users"."name" FROM "users" WHERE "users"."id" = $1 LIMIT $2;
--- activerecord: save: same
BEGIN;
INSERT INTO "logs" ("line") VALUES ('x') RETURNING "id";
COMMIT;
--- activerecord: lock for a migration: same
SELECT pg_try_advisory_lock(4611686018427387905);
SELECT pg_advisory_unlock(4611686018427387905);
--- activerecord: upsert: same
INSERT INTO "counters" ("name","value") VALUES ('visits', 3), ('b', 4) ON CONFLICT ("name") DO UPDATE SET "value"=excluded."value" RETURNING "name";
--- prisma: find many: same
\params open | 10 | 0
SELECT "public"."orders"."id", "public"."orders"."total" FROM "public"."orders" WHERE "public"."orders"."state" = $1 ORDER BY "public"."orders"."id" ASC LIMIT $2::bigint OFFSET $3::bigint;
--- prisma: find one with its relation: same
SELECT "t0"."id", "t0"."name", COALESCE("u"."j", '[]'::jsonb) AS "orders" FROM "public"."users" AS "t0" LEFT JOIN LATERAL (SELECT JSONB_AGG("x"."j") AS "j" FROM (SELECT JSONB_BUILD_OBJECT('id', "t1"."id", 'sku', "t1"."sku") AS "j" FROM "public"."orders" AS "t1" WHERE "t0"."id" = "t1"."user_id" ORDER BY "t1"."id") AS "x") AS "u" ON TRUE WHERE "t0"."id" = 1 LIMIT 1;
--- prisma: create: same
\params x
INSERT INTO "public"."logs" ("line") VALUES ($1) RETURNING "public"."logs"."id", "public"."logs"."line";
--- prisma: introspection of namespaces: same
SELECT namespace.nspname AS namespace_name FROM pg_namespace AS namespace WHERE namespace.nspname = ANY ('{public,other}') ORDER BY namespace_name;
--- prisma: introspection of columns: same
SELECT oid.namespace, info.table_name, info.column_name, format_type(att.atttypid, att.atttypmod) as formatted_type, info.numeric_precision, info.numeric_scale, info.data_type, pg_get_expr(attdef.adbin, attdef.adrelid) AS column_default, info.is_nullable, info.is_identity, info.character_maximum_length FROM information_schema.columns info JOIN pg_attribute att ON att.attname = info.column_name JOIN (SELECT pg_class.oid, relname, pg_namespace.nspname as namespace FROM pg_class JOIN pg_namespace on pg_namespace.oid = pg_class.relnamespace AND pg_namespace.nspname = 'public' WHERE reltype > 0) as oid on oid.oid = att.attrelid AND relname = info.table_name AND namespace = info.table_schema LEFT OUTER JOIN pg_attrdef attdef ON attdef.adrelid = att.attrelid AND attdef.adnum = att.attnum AND table_schema = namespace WHERE info.table_name = 'orders' ORDER BY namespace, table_name, ordinal_position;
--- typeorm: version and schema: same
SELECT version();
SELECT * FROM current_schema();
--- sequelize: tables: same
SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type LIKE '%TABLE' AND table_name != 'spatial_ref_sys' ORDER BY 1;
--- sequelize: columns: same
SELECT c.column_name as "Field", (CASE WHEN c.udt_name = 'hstore' THEN c.udt_name ELSE c.data_type END) || (CASE WHEN c.character_maximum_length IS NOT NULL THEN '(' || c.character_maximum_length || ')' ELSE '' END) as "Type", (SELECT array_agg(e.enumlabel) FROM pg_catalog.pg_type t JOIN pg_catalog.pg_enum e ON t.oid=e.enumtypid WHERE t.typname=c.udt_name) AS "special", (SELECT pgd.description FROM pg_catalog.pg_statio_all_tables AS st INNER JOIN pg_catalog.pg_description pgd on (pgd.objoid=st.relid) WHERE c.ordinal_position=pgd.objsubid AND c.table_name=st.relname) AS "Comment" FROM information_schema.columns c WHERE c.table_name = 'users' AND c.table_schema = 'public' ORDER BY c.ordinal_position;
--- sequelize: an enumeration that may be there: same
DO 'BEGIN CREATE TYPE w AS ENUM(''a'', ''b''); EXCEPTION WHEN duplicate_object THEN null; END';
DO 'BEGIN CREATE TYPE w AS ENUM(''a'', ''b''); EXCEPTION WHEN duplicate_object THEN null; END';
SELECT 'b'::w;
--- drizzle: a foreign key that may be there: same
CREATE TABLE w (id int, state text);
DO $$ BEGIN ALTER TABLE w ADD CONSTRAINT w_state CHECK (state <> ''); EXCEPTION WHEN duplicate_object THEN null; END $$;
--- knex: has a table: same
\params orders
select * from information_schema.tables where table_name = $1 and table_schema = current_schema() and table_catalog = current_database() limit 0;
--- gorm: column types: same
SELECT c.column_name, c.is_nullable = 'YES', c.udt_name, c.character_maximum_length, c.numeric_precision, c.numeric_scale, c.datetime_precision, 8 * typlen, c.column_default, pd.description, c.identity_increment FROM information_schema.columns AS c JOIN pg_type AS pgt ON c.udt_name = pgt.typname LEFT JOIN pg_catalog.pg_description as pd ON pd.objsubid = c.ordinal_position AND pd.objoid = (SELECT oid FROM pg_catalog.pg_class WHERE relname = c.table_name AND relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = c.table_schema)) where table_name = 'logs' AND table_schema = current_schema() ORDER BY 1;
--- diesel: setup: same; forms simple
SET TIME ZONE 'UTC'; SET CLIENT_ENCODING TO 'UTF8';
--- sqlx: describe: same
\parse s select id, total from orders where user_id = $1
\execute s 1
--- ecto: migrations table: same
SELECT s0."value"::text FROM "counters" AS s0 ORDER BY 1 FOR UPDATE;
--- flyway: is a schema there: same
SELECT COUNT(*) FROM pg_namespace WHERE nspname='public';
--- flyway: user's objects: same
SELECT t.relname, t.relkind FROM pg_catalog.pg_class t LEFT JOIN pg_depend dep ON dep.objid = t.oid AND dep.deptype = 'e' WHERE t.relnamespace = 'public'::regnamespace AND t.relkind IN ('r', 'v', 'S') AND dep.objid IS NULL ORDER BY 1;
--- liquibase: lock: same
SELECT COUNT(*) FROM pg_catalog.pg_tables WHERE tablename = 'databasechangeloglock';
--- pg_dump: start: same; forms simple
SET DATESTYLE = ISO; SET INTERVALSTYLE = POSTGRES; SET extra_float_digits TO 3; SET synchronize_seqscans TO off; SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0;
--- pg_dump: transaction: same
BEGIN;
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SELECT pg_catalog.pg_is_in_recovery();
COMMIT;
--- pg_dump: path: same
SELECT pg_catalog.set_config('search_path', '', false);
SELECT count(*) FROM public.orders;
--- pg_dump: a setting that not every server has: same
SELECT set_config(name, 'view, foreign-table', false) FROM pg_settings WHERE name = 'restrict_nonsystem_relation_kind';
--- pg_dump: the view of several sessions: same; differs names of snapshots
BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SELECT pg_catalog.pg_export_snapshot();
COMMIT;
--- pg_dumpall: members of roles: same
SELECT ur.rolname AS role, um.rolname AS member, a.admin_option, ug.rolname AS grantor FROM pg_auth_members a LEFT JOIN pg_authid ur on ur.oid = a.roleid LEFT JOIN pg_authid um on um.oid = a.member LEFT JOIN pg_authid ug on ug.oid = a.grantor WHERE NOT (ur.rolname ~ '^pg_' AND um.rolname ~ '^pg_') ORDER BY 1,2,3;
--- psql: user mappings: same
SELECT um.srvname AS "Server", um.usename AS "User name" FROM pg_catalog.pg_user_mappings um ORDER BY 1, 2;
--- psql: subscriptions: same
SELECT subname AS "Name" , pg_catalog.pg_get_userbyid(subowner) AS "Owner" , subenabled AS "Enabled" , subpublications AS "Publication" FROM pg_catalog.pg_subscription WHERE subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) ORDER BY 1;
--- pg_dump: extensions: same
SELECT x.extname, n.nspname, x.extrelocatable, x.extversion, x.extconfig, x.extcondition FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace ORDER BY 1;
--- pg_dump: tables: same
SELECT c.relname, c.relkind, c.relnamespace::regnamespace, c.relchecks, c.relhasindex, c.relhasrules, c.relpages > 0 as filled, c.relhastriggers, c.relpersistence, c.reloftype, c.relacl IS NULL, d.refobjid IS NULL FROM pg_class c LEFT JOIN pg_depend d ON (c.relkind = 'S' AND d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0 AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')) WHERE c.relkind IN ('r', 'S', 'v', 'c', 'm', 'f', 'p') AND c.relnamespace = 'public'::regnamespace ORDER BY c.relname;
--- pg_dump: functions: same
SELECT p.proname, p.pronargs, pg_get_function_identity_arguments(p.oid), l.lanname, p.provolatile, p.prosecdef FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE p.pronamespace = 'public'::regnamespace ORDER BY 1, 3;
--- pg_dump: columns, with the values that were added with them: same
SELECT a.attrelid::regclass, a.attnum, a.attname, a.attstattarget, a.attstorage, t.typstorage, a.attnotnull, a.atthasdef, a.attisdropped, a.attlen, a.attalign, a.attislocal, pg_catalog.format_type(t.oid, a.atttypmod) AS atttypname, array_to_string(a.attoptions, ', ') AS attoptions, CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation ELSE 0 END AS attcollation, a.attidentity, CASE WHEN a.atthasmissing AND NOT a.attisdropped THEN a.attmissingval ELSE null END AS attmissingval, a.attgenerated FROM unnest(ARRAY['orders'::regclass::oid, 'users'::regclass::oid]) AS src(tbloid) JOIN pg_catalog.pg_attribute a ON (src.tbloid = a.attrelid) LEFT JOIN pg_catalog.pg_type t ON (a.atttypid = t.oid) WHERE a.attnum > 0::pg_catalog.int2 ORDER BY a.attrelid, a.attnum;
--- pg_dump: labels: same
SELECT label, provider, classoid, objoid, objsubid FROM pg_catalog.pg_seclabels ORDER BY classoid, objoid, objsubid;
--- pg_dump: sequence: same
SELECT format_type(seqtypid, NULL), seqstart, seqincrement, seqmax, seqmin, seqcache, seqcycle FROM pg_catalog.pg_sequence WHERE seqrelid = 'tickets_seq'::regclass;
--- pg_dump: harmless rows: same
COPY public.counters (name, value) TO stdout;
--- pgadmin: dashboard's numbers: same; differs counters
SELECT numbackends, xact_commit, xact_rollback FROM pg_stat_database WHERE datname = current_database();
--- monitoring: sizes: same
SELECT relname, pg_relation_size(oid) >= 0, reltuples >= -1 FROM pg_class WHERE relname IN ('orders', 'products') ORDER BY 1;
--- monitoring: use of tables: same; differs counters
SELECT relname, seq_scan, idx_scan, n_live_tup FROM pg_stat_user_tables ORDER BY relname;
--- monitoring: settings: same
SELECT name, setting, unit FROM pg_settings WHERE name IN ('shared_buffers', 'work_mem', 'max_connections') ORDER BY 1;
--- monitoring: locks: same; differs processes
SELECT locktype, mode, granted FROM pg_locks WHERE locktype = 'relation' AND relation = 'orders'::regclass;
--- metabase: tables with comments: same
SELECT "n"."nspname" AS "schema", "c"."relname" AS "name", "d"."description" FROM "pg_catalog"."pg_class" AS "c" INNER JOIN "pg_catalog"."pg_namespace" AS "n" ON "c"."relnamespace" = "n"."oid" LEFT JOIN "pg_catalog"."pg_description" AS "d" ON "c"."oid" = "d"."objoid" AND "d"."objsubid" = 0 WHERE "c"."relkind" IN ('r', 'p', 'v', 'f', 'm') AND "n"."nspname" !~ '^information_schema|catalog_history|pg_' ORDER BY 1, 2;
--- grafana: time series: same
SELECT extract(epoch from placed) AS "time", sum(total) AS value, state AS metric FROM orders WHERE placed BETWEEN '2024-01-01T00:00:00Z' AND '2024-12-31T00:00:00Z' GROUP BY 1, 3 ORDER BY 1, 3;
--- dbt: relations: same
select table_schema, table_name, case table_type when 'BASE TABLE' then 'table' when 'VIEW' then 'view' end from information_schema.tables where table_schema = 'other' order by 2;
--- airflow: rows in a queue: same
begin;
select id, state from orders where state = 'open' order by id limit 2 for update skip locked;
update orders set state = 'paid' where id = 2 returning id;
commit;
--- queue: take one: same
with next as (select id from orders where state = 'open' order by id limit 1 for update skip locked) select id from next;
--- information schema: columns of users: same
select column_name, data_type, is_nullable, column_default from information_schema.columns where table_schema = 'public' and table_name = 'users' order by ordinal_position;
--- information schema: constraints: same
select tc.constraint_name, tc.constraint_type, kcu.column_name from information_schema.table_constraints tc join information_schema.key_column_usage kcu using (constraint_schema, constraint_name) where tc.table_name = 'orders' order by 1, 3;
--- information schema: views: same
select table_name, is_updatable from information_schema.views where table_schema = 'public' order by 1;
--- information schema: routines: same
select routine_name, data_type from information_schema.routines where routine_schema = 'public' and routine_type = 'FUNCTION' order by specific_name;
--- information schema: references: same
select constraint_name, unique_constraint_name, update_rule, delete_rule from information_schema.referential_constraints order by 1;
--- privileges: same
select has_table_privilege('orders', 'select'), has_column_privilege('users', 'ssn', 'select'), has_schema_privilege('public', 'usage'), pg_has_role(current_user, 'usage');
--- names and numbers: same
select 'orders'::regclass::text, to_regclass('nobody'), 'mood'::regtype::text, 'f_add(int,int)'::regprocedure::text, 'public'::regnamespace::text;
--- monitoring: who is connected: same; differs processes
SELECT pid, usename, state, wait_event_type, wait_event, now() - query_start AS runs FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY query_start;
--- monitoring: how many are connected: same; differs processes
SELECT state, count(*) FROM pg_stat_activity WHERE datname = current_database() GROUP BY state;
--- monitoring: which tables are locked: same; differs processes
SELECT relname, mode, granted FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE relname = 'orders';
--- monitoring: what the database of a session is: same; differs processes
SELECT pid, state FROM pg_stat_activity WHERE datid = (SELECT oid FROM pg_database WHERE datname = current_database());
--- monitoring: who waits for whom: same
SELECT w.pid, b.pid FROM pg_locks w JOIN pg_locks b ON b.locktype = w.locktype AND b.relation = w.relation AND b.pid <> w.pid WHERE NOT w.granted AND b.granted;
--- monitoring: indexes that nobody uses: same
SELECT s.relname, s.indexrelname FROM pg_stat_user_indexes s JOIN pg_index i ON i.indexrelid = s.indexrelid WHERE s.idx_scan = 0 AND NOT i.indisunique AND s.relname = 'orders' ORDER BY 1, 2;
--- monitoring: vacuum: same; differs counters
SELECT relname, n_dead_tup, last_vacuum, last_autovacuum FROM pg_stat_user_tables ORDER BY n_dead_tup DESC, relname;
--- monitoring: replication: same
SELECT application_name, state, sync_state FROM pg_stat_replication;
--- psycopg: start: same
SELECT set_config('DateStyle', 'ISO', false);
SET client_encoding TO 'UTF8';
--- pg_dump: all settings: same; forms simple
SET client_encoding = 'UTF8'; SET standard_conforming_strings = on; SET check_function_bodies = false; SET xmloption = content; SET client_min_messages = warning; SET row_security = off;
-- Whole rows of what may be read in part: the rest of them is redacted.
--- dbeaver: sessions: same; differs other sessions, and the texts of those are redacted
SELECT sa.* FROM pg_catalog.pg_stat_activity sa;
--- dbeaver: locks: same; differs places in tables are redacted
SELECT l.*, c.relname FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_class c ON c.oid = l.relation;
--- exporter: settings: same
SELECT * FROM pg_settings WHERE name IN ('shared_buffers', 'work_mem', 'max_connections') ORDER BY name;
--- exporter: tables: same; differs counters are redacted
SELECT current_database() AS datname, t.* FROM pg_stat_user_tables t;
--- exporter: archiver: same; differs times
SELECT *, extract(epoch from now() - last_archived_time) AS last_archive_age FROM pg_stat_archiver;
--- exporter: databases: same; differs counters are redacted
SELECT * FROM pg_stat_database;
--- exporter: replication: same
SELECT *, (case pg_is_in_recovery() when 't' then null else 0 end) AS lag FROM pg_stat_replication;
--- exporter: slots: same
SELECT * FROM pg_replication_slots;
--- exporter: conflicts: same; differs databases
SELECT * FROM pg_stat_database_conflicts ORDER BY datid;
--- whole attributes: same
SELECT a.* FROM pg_attribute a WHERE attrelid = 'orders'::regclass ORDER BY attnum;
--- prepared transactions: same
SELECT * FROM pg_prepared_xacts;
--- who waits for whom: same; differs other sessions
SELECT pid, pg_blocking_pids(pid) AS blocked_by FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0;
--- pghero: unused indexes: same; differs counters
SELECT relname, pg_stat_get_numscans(oid) AS scans, pg_stat_get_live_tuples(oid) FROM pg_class WHERE relname = 'orders';
