//! What of a server's state no refused statement may change.

use std::collections::BTreeMap;

/// What there is, by name.
pub(crate) type State = BTreeMap<String, String>;

/// The query for the rows of some tables.
pub(crate) fn rows(tables: &[String]) -> String {
    // A table that is gone or renamed is seen in the catalog; its rows then are an error, which says so as well.
    let one = |table: &String| {
        format!("select 'rows of {table}', coalesce(md5(string_agg(t::text, ',' order by t::text)), '') from {table} t")
    };
    tables.iter().map(one).collect::<Vec<_>>().join(" union all ")
}

/// Which of two states' parts differ, and where that is told in words.
pub(crate) fn changes(before: &State, after: &State) -> Vec<String> {
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
    let differ = names.filter(|name| before.get(*name) != after.get(*name));
    let told = |name: &String| {
        let parts = |state: &State| state.get(name).map(|text| text.split(',').map(str::to_owned).collect::<Vec<_>>());
        let (before, after) = (parts(before).unwrap_or_default(), parts(after).unwrap_or_default());
        let gone = before.iter().find(|part| !after.contains(part)).cloned().unwrap_or_default();
        let new = after.iter().find(|part| !before.contains(part)).cloned().unwrap_or_default();
        format!("{name} ({gone:.60} -> {new:.60})")
    };
    differ.map(told).collect()
}

/// What is the cluster's own, and what no other part sees.
pub(crate) const CLUSTER: &str = "
  select 'roles', string_agg(concat_ws('|', rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls,
    rolconnlimit, rolpassword, rolvaliduntil), ',' order by rolname) from pg_authid
  union all select 'members', string_agg(concat_ws('|', roleid::regrole, member::regrole), ',' order by roleid::regrole::text, member::regrole::text)
    from pg_auth_members
  union all select 'role settings', string_agg(concat_ws('|', setrole::regrole, setconfig), ',' order by setrole, setconfig)
    from pg_db_role_setting
  union all select 'databases', string_agg(concat_ws('|', datname, datdba::regrole, datconnlimit, datallowconn, datistemplate, datacl), ',' order by datname)
    from pg_database
  union all select 'tablespaces', string_agg(concat_ws('|', spcname, spcacl), ',' order by spcname) from pg_tablespace
  union all select 'slots', string_agg(slot_name, ',' order by slot_name) from pg_replication_slots
  union all select 'subscriptions', string_agg(subname, ',' order by subname) from pg_subscription
  union all select 'large objects', string_agg(md5(data), ',' order by loid, pageno) from pg_largeobject
  union all select 'sequences', string_agg(concat_ws('|', sequencename, last_value), ',' order by sequencename) from pg_sequences
  union all select 'tickets', concat_ws('|', last_value, is_called) from public.tickets_seq
  union all select 'view', md5(coalesce(string_agg(m::text, ',' order by m::text), '')) from public.m_users m
  union all select 'labels', string_agg(concat_ws('|', objoid, label), ',') from pg_seclabel
  union all select 'data files', string_agg(name, ' ' order by name) from pg_ls_dir('.') name where name !~ '^(postmaster|pg_)'";

/// What the catalog says of everything that is not temporary.
pub(crate) const SHAPE: &str = "with rels as (select c.oid from pg_class c join pg_namespace n on n.oid = relnamespace where nspname !~ '^pg_(temp|toast)')
  select md5(string_agg(line, '' order by line)) from (
  select concat_ws('|', 'c', c.oid, relname, relnamespace, relkind, relowner, relacl, reloptions, relrowsecurity, relforcerowsecurity, relispartition, relpersistence, relreplident)
    as line from pg_class c join pg_namespace n on n.oid = relnamespace where nspname !~ '^pg_(temp|toast)' and c.oid >= 16384
  union all select concat_ws('|', 'a', attrelid, attnum, attname, atttypid, attnotnull, attgenerated, attidentity, attisdropped, attacl, attoptions)
    from pg_attribute join pg_class c on c.oid = attrelid join pg_namespace n on n.oid = relnamespace
    where attnum > 0 and attrelid >= 16384 and nspname !~ '^pg_(temp|toast)'
  union all select concat_ws('|', 'p', oid, proname, prosrc, proowner, prosecdef, provolatile, proleakproof, proconfig, proacl, pronamespace) from pg_proc where oid >= 16384
  union all select concat_ws('|', 'n', nspname, nspowner, nspacl) from pg_namespace where nspname !~ '^pg_(temp|toast)'
  union all select concat_ws('|', 'k', oid, conname, conrelid, convalidated, condeferrable, condeferred, pg_get_constraintdef(oid)) from pg_constraint where conrelid = 0 or conrelid in (select oid from rels)
  union all select concat_ws('|', 't', oid, tgname, tgrelid, tgenabled, tgfoid) from pg_trigger where tgrelid in (select oid from rels)
  union all select concat_ws('|', 'r', oid, rulename, ev_class, ev_enabled, pg_get_ruledef(oid)) from pg_rewrite where oid >= 16384 and ev_class in (select oid from rels)
  union all select concat_ws('|', 'd', adrelid, adnum, pg_get_expr(adbin, adrelid)) from pg_attrdef where adrelid in (select oid from rels)
  union all select concat_ws('|', 'y', t.oid, typname, typowner, typacl, typnotnull, typdefault) from pg_type t join pg_namespace n on n.oid = typnamespace
    where t.oid >= 16384 and nspname !~ '^pg_(temp|toast)'
  union all select concat_ws('|', 'i', indexrelid, indrelid, indisvalid, indisunique, indisclustered, indisreplident) from pg_index where indrelid >= 16384 and indrelid in (select oid from rels)
  union all select concat_ws('|', 'h', inhrelid, inhparent) from pg_inherits where inhrelid in (select oid from rels)
  union all select concat_ws('|', 'e', extname) from pg_extension
  union all select concat_ws('|', 's', srvname, srvowner, srvoptions) from pg_foreign_server
  union all select concat_ws('|', 'm', umuser, umserver) from pg_user_mapping
  union all select concat_ws('|', 'v', evtname, evtenabled) from pg_event_trigger
  union all select concat_ws('|', 'o', polname, polrelid) from pg_policy
  union all select concat_ws('|', 'l', enumtypid, enumlabel, enumsortorder) from pg_enum
  union all select concat_ws('|', 'x', oprname, oprcode) from pg_operator where oid >= 16384
  union all select concat_ws('|', 'g', castsource, casttarget, castfunc) from pg_cast where oid >= 16384
  union all select concat_ws('|', 'u', pubname, puballtables) from pg_publication
  union all select concat_ws('|', 'q', seqrelid, seqstart, seqincrement, seqmax, seqcycle) from pg_sequence
  union all select concat_ws('|', 'z', defaclrole, defaclacl) from pg_default_acl
  union all select concat_ws('|', 'b', lanname, lanowner) from pg_language
  union all select concat_ws('|', 'j', stxname, stxrelid) from pg_statistic_ext
  union all select concat_ws('|', 'w', objoid, classoid, objsubid, description) from pg_description where objoid >= 16384
  union all select concat_ws('|', 'f', cfgname) from pg_ts_config where oid >= 16384
  union all select concat_ws('|', 'lo', oid, lomowner) from pg_largeobject_metadata
  union all select concat_ws('|', 'fw', fdwname) from pg_foreign_data_wrapper
  union all select concat_ws('|', 'cv', conname) from pg_conversion where oid >= 16384
  union all select concat_ws('|', 'am', amname) from pg_am where oid >= 16384
  union all select concat_ws('|', 'co', collname) from pg_collation where oid >= 16384
) lines";
