//! What is asked of a server.
//!
//! No question runs code of the database's users, whatever search path it is asked under: functions, types and operators
//! are named in full, and nothing is used that finds an operator by its name alone (`in`, `nullif`, `case x when`).

use super::prints::Changed;
use crate::sql::partly_readable;

/// The first OID that objects get which did not come with the server. Objects that somebody made in a system schema have
/// one as well.
const MADE: &str = "'16384'::pg_catalog.oid";

/// Which functions are read: those that did not come with the server, and those that were changed since it was set up, by
/// whoever may.
const FUNCTIONS_MADE: &str = "(x.oid [>=] '16384'::pg_catalog.oid or pg_catalog.age(x.xmin) [<] \
    (select pg_catalog.min(pg_catalog.age(d.xmin)) from pg_catalog.pg_database d where d.datname [=] 'template0'::pg_catalog.name))";

/// Which types: not arrays, which their elements name, nor rows, which their relations name.
const TYPES_MADE: &str =
    "x.typtype [<>] 'c'::pg_catalog.\"char\" and x.typinput::pg_catalog.oid [<>] '750'::pg_catalog.oid";

/// Relations that hold values or name columns.
const KINDS: &str = "x.relkind [=] any (array['r','p','v','m','f','S','c']::pg_catalog.\"char\"[])";

/// What a transaction can see: the same text twice means that nothing was committed in between.
pub(super) const SNAPSHOT: &str = "select pg_catalog.txid_current_snapshot()";

/// The session's own schema for temporary objects.
pub(in crate::protocol::postgres) const TEMPORARY: &str = "select n.nspname from pg_catalog.pg_namespace n \
    where n.oid operator(pg_catalog.=) pg_catalog.pg_my_temp_schema()";

/// Which database this is: its OID, and the cluster's own number where that may be read.
pub(super) const DATABASE: &str = "select d.oid, d.datname from pg_catalog.pg_database d where d.datname operator(pg_catalog.=) pg_catalog.current_database()";

/// The cluster's number. A question of its own: not every role may ask it.
pub(super) const CLUSTER: &str = "select c.system_identifier from pg_catalog.pg_control_system() c";

/// `server_version_num`.
pub(in crate::protocol::postgres) const VERSION: &str = "show server_version_num";

/// Where rows of system catalogs belong: table, the object they are a part of, which of them.
const PARTS: [(&str, &str, &str); 10] = [
    ("pg_class", "oid", KINDS),
    ("pg_attribute", "attrelid", "x.attnum [>] 0::pg_catalog.int2"),
    ("pg_attrdef", "adrelid", ""),
    ("pg_constraint", "conrelid", ""),
    ("pg_index", "indrelid", ""),
    ("pg_rewrite", "ev_class", ""),
    ("pg_trigger", "tgrelid", "not x.tgisinternal"),
    ("pg_policy", "polrelid", ""),
    ("pg_inherits", "inhrelid", ""),
    ("pg_partitioned_table", "partrelid", ""),
];

/// System catalogs that say what a name stands for or what runs, by how they are looked at for changes.
const WATCHED: [&str; 17] = [
    "pg_class",
    "pg_attrdef",
    "pg_constraint",
    "pg_index",
    "pg_rewrite",
    "pg_trigger",
    "pg_policy",
    "pg_inherits",
    "pg_partitioned_table",
    "pg_proc",
    "pg_aggregate",
    "pg_type",
    "pg_operator",
    "pg_cast",
    "pg_event_trigger",
    "pg_db_role_setting",
    "pg_namespace",
];

/// Writes operators out.
fn sql(text: &str) -> String {
    let mut out = text.to_owned();
    for operator in ["=", "<>", ">", ">=", "<", "<=", "-"] {
        out = out.replace(&format!("[{operator}]"), &format!("operator(pg_catalog.{operator})"));
    }
    out
}

/// What identifies a version of a row: where it is, and which transaction put it there. The age of a frozen row from the
/// server's set-up is no number that a transaction has.
fn version_of_row(server: u32) -> &'static str {
    if server >= 140_000 {
        "pg_catalog.hashtidextended(x.ctid, case when pg_catalog.age(x.xmin) [=] 2147483647 then 0::pg_catalog.int8 \
         else pg_catalog.age('3'::pg_catalog.xid)::pg_catalog.int8 [-] pg_catalog.age(x.xmin)::pg_catalog.int8 end)"
    } else {
        "pg_catalog.hashtextextended(pg_catalog.concat(x.ctid, ' ', x.xmin), 0::pg_catalog.int8)"
    }
}

fn together(server: u32) -> &'static str {
    if server >= 140_000 { "pg_catalog.bit_xor" } else { "pg_catalog.sum" }
}

/// A row for each relation, function and type: `r`, `f` or `t`, its OID, and a text that changes when anything of it does.
/// A schema (`n`) has its name for that text.
pub(super) fn fingerprints(server: u32) -> String {
    let (hash, together) = (version_of_row(server), together(server));
    let part = |table: &str, key: &str, only: &str| {
        let only = if only.is_empty() { String::new() } else { format!(" and {only}") };
        format!("select x.{key} as o, {hash} as h from pg_catalog.{table} x where x.{key} [>=] {MADE}{only}")
    };
    let relations: Vec<String> = PARTS.iter().map(|(table, key, only)| part(table, key, only)).collect();
    let types = [part("pg_type", "oid", TYPES_MADE), part("pg_constraint", "contypid", "")];
    let grouped = |class: char, parts: &[String]| {
        format!(
            "select '{class}'::pg_catalog.text, s.o, {together}(s.h)::pg_catalog.text from ({}) s group by s.o",
            parts.join(" union all ")
        )
    };
    let functions = format!(
        "select 'f'::pg_catalog.text, x.oid, {hash}::pg_catalog.text from pg_catalog.pg_proc x where {FUNCTIONS_MADE}"
    );
    let schemas = "select 'n'::pg_catalog.text, x.oid, x.nspname::pg_catalog.text from pg_catalog.pg_namespace x";
    sql(&format!(
        "{} union all {} union all {functions} union all {schemas}",
        grouped('r', &relations),
        grouped('t', &types)
    ))
}

/// One row that is another when anything was committed to what is watched by a transaction that was not over at `since`.
///
/// What such a transaction wrote has its number, and what it removed is missed in the count. Columns are not counted: they
/// go with their relation.
pub(super) fn changes(server: u32, since: u32) -> String {
    let (hash, together) = (version_of_row(server), together(server));
    let recent = format!("pg_catalog.age(x.xmin) [<=] pg_catalog.age('{since}'::pg_catalog.xid)");
    let mut parts = vec![format!(
        "select 0::pg_catalog.int8 as n, {together}({hash}) as h from pg_catalog.pg_attribute x where {recent}"
    )];
    parts.extend(WATCHED.iter().map(|table| {
        format!("select pg_catalog.count(*), {together}(case when {recent} then {hash} end) from pg_catalog.{table} x")
    }));
    let one = |part: &String| format!("(select pg_catalog.concat(s.n, ' ', s.h) from ({part}) s(n, h))");
    sql(&format!("select pg_catalog.concat_ws(',', {})", parts.iter().map(one).collect::<Vec<_>>().join(", ")))
}

/// Which objects are read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Which<'a> {
    /// All.
    All,
    /// Those whose OID is listed.
    Some(&'a [u32]),
}

impl Which<'_> {
    fn filter(self, column: &str) -> String {
        let made = format!("{column} [>=] {MADE}");
        match self {
            Which::All => made,
            Which::Some(oids) => format!("{column} [=] any ('{}'::pg_catalog.oid[])", list(oids)),
        }
    }
}

fn list(oids: &[u32]) -> String {
    let oids: Vec<String> = oids.iter().map(u32::to_string).collect();
    format!("{{{}}}", oids.join(","))
}

/// What is asked about relations, in the order in which [`super::build::Read`] takes the answers.
pub(super) fn relations(server: u32, which: Which<'_>) -> Vec<String> {
    let generated = if server >= 120_000 { "x.attgenerated [<>] ''::pg_catalog.\"char\"" } else { "false" };
    let of = |column| which.filter(column);
    let questions = [
        format!(
            "select x.oid, n.nspname, x.relname, x.relkind, x.relpersistence, x.relrowsecurity, x.reltype, t.typarray, a.typname, \
             case when x.relkind [=] any (array['v','m']::pg_catalog.\"char\"[]) then pg_catalog.pg_get_viewdef(x.oid) end, \
             case when x.relkind [=] 'p'::pg_catalog.\"char\" then pg_catalog.pg_get_partkeydef(x.oid) end \
             from pg_catalog.pg_class x join pg_catalog.pg_namespace n on n.oid [=] x.relnamespace \
             left join pg_catalog.pg_type t on t.oid [=] x.reltype left join pg_catalog.pg_type a on a.oid [=] t.typarray \
             where {} and {KINDS}",
            of("x.oid")
        ),
        format!(
            "select x.attrelid, x.attnum, x.attname, x.atttypid, x.attnotnull, {generated}, \
             pg_catalog.pg_get_expr(d.adbin, d.adrelid) from pg_catalog.pg_attribute x \
             left join pg_catalog.pg_attrdef d on d.adrelid [=] x.attrelid and d.adnum [=] x.attnum \
             where x.attnum [>] 0::pg_catalog.int2 and not x.attisdropped and {} order by x.attrelid, x.attnum",
            of("x.attrelid")
        ),
        format!("select x.inhrelid, x.inhparent from pg_catalog.pg_inherits x where {}", of("x.inhrelid")),
        format!(
            "select x.ev_class, x.ev_type, x.is_instead, pg_catalog.pg_get_ruledef(x.oid) from pg_catalog.pg_rewrite x \
             where x.rulename [<>] '_RETURN'::pg_catalog.name and x.ev_enabled [<>] 'D'::pg_catalog.\"char\" and {}",
            of("x.ev_class")
        ),
        format!(
            "select x.tgrelid, x.tgfoid, x.tgtype, x.tgenabled, pg_catalog.pg_get_triggerdef(x.oid) \
             from pg_catalog.pg_trigger x where not x.tgisinternal and {}",
            of("x.tgrelid")
        ),
        format!(
            "select x.conrelid, x.contype, pg_catalog.pg_get_expr(x.conbin, x.conrelid), x.conkey::pg_catalog.text, \
             x.confrelid, x.confkey::pg_catalog.text, x.confupdtype, x.confdeltype from pg_catalog.pg_constraint x \
             where x.contype [=] any (array['c','f']::pg_catalog.\"char\"[]) and {}",
            of("x.conrelid")
        ),
        format!(
            "select x.indrelid, x.indisunique, x.indkey::pg_catalog.text, x.indnkeyatts, \
             pg_catalog.pg_get_expr(x.indexprs, x.indrelid), pg_catalog.pg_get_expr(x.indpred, x.indrelid), \
             x.indisexclusion from pg_catalog.pg_index x where {}",
            of("x.indrelid")
        ),
        format!(
            "select x.polrelid, pg_catalog.pg_get_expr(x.polqual, x.polrelid), \
             pg_catalog.pg_get_expr(x.polwithcheck, x.polrelid) from pg_catalog.pg_policy x where {}",
            of("x.polrelid")
        ),
        // 2618 is pg_rewrite and 1259 pg_class, in every version.
        format!(
            "select x.ev_class, d.refobjid, d.refobjsubid from pg_catalog.pg_rewrite x \
             join pg_catalog.pg_depend d on d.classid [=] '2618'::pg_catalog.oid and d.objid [=] x.oid \
             where d.refclassid [=] '1259'::pg_catalog.oid and d.refobjid [<>] x.ev_class \
             and x.rulename [=] '_RETURN'::pg_catalog.name and {}",
            of("x.ev_class")
        ),
    ];
    questions.iter().map(|question| sql(question)).collect()
}

/// What is asked about functions.
pub(super) fn functions(server: u32, which: Which<'_>) -> String {
    let which = match which {
        Which::All => FUNCTIONS_MADE.to_owned(),
        some => some.filter("x.oid"),
    };
    let (support, standard) = (
        if server >= 120_000 { "x.prosupport::pg_catalog.oid" } else { "0::pg_catalog.oid" },
        if server >= 140_000 { "pg_catalog.pg_get_function_sqlbody(x.oid)" } else { "null" },
    );
    let parts = [
        "aggtransfn",
        "aggfinalfn",
        "aggcombinefn",
        "aggserialfn",
        "aggdeserialfn",
        "aggmtransfn",
        "aggminvtransfn",
        "aggmfinalfn",
    ];
    let parts = parts.map(|part| format!("a.{part}::pg_catalog.oid")).join(", ");
    // 12 is what is built in, 13 what is in libraries and 14 SQL in every version; another language may have been given such a name.
    sql(&format!(
        "select x.oid, n.nspname, x.proname, x.prokind, x.proargtypes::pg_catalog.text, pg_catalog.to_json(x.proargnames), \
         x.proargmodes::pg_catalog.text, x.proallargtypes::pg_catalog.text, x.pronargdefaults, \
         pg_catalog.pg_get_expr(x.proargdefaults, 0::pg_catalog.oid), x.provariadic, x.prorettype, x.proretset, \
         case when x.prolang [=] '14'::pg_catalog.oid then 'sql' when x.prolang [=] '13'::pg_catalog.oid then 'c' \
         when x.prolang [=] '12'::pg_catalog.oid then 'internal' \
         when l.lanname [=] any (array['sql','c','internal']::pg_catalog.name[]) then 'other' else l.lanname::pg_catalog.text end, \
         case when x.prolang [=] '13'::pg_catalog.oid then pg_catalog.concat(x.probin, ' ', x.prosrc) \
         when x.prolang [=] '12'::pg_catalog.oid then x.prosrc \
         when l.lanname [=] any (array['sql','plpgsql']::pg_catalog.name[]) then x.prosrc end, {standard}, \
         x.provolatile, x.proisstrict, x.prosecdef, pg_catalog.to_json(x.proconfig), {support}, \
         (array[{parts}])::pg_catalog.text \
         from pg_catalog.pg_proc x join pg_catalog.pg_namespace n on n.oid [=] x.pronamespace \
         join pg_catalog.pg_language l on l.oid [=] x.prolang \
         left join pg_catalog.pg_aggregate a on a.aggfnoid::pg_catalog.oid [=] x.oid where {which}"
    ))
}

/// What a type is made of: a domain of its base, a range of its subtype, a multirange of its range. Version 13 has none of the last,
/// and no column for them.
const RESTRICTED: &str = "case x.typtype \
     when 'r'::pg_catalog.\"char\" then (select r.rngsubtype from pg_catalog.pg_range r where r.rngtypid [=] x.oid) \
     when 'm'::pg_catalog.\"char\" then (select r.rngtypid from pg_catalog.pg_range r \
     where pg_catalog.jsonb_object_field_text(pg_catalog.to_jsonb(r), 'rngmultitypid') [=] x.oid::pg_catalog.text) \
     else x.typbasetype end";

/// What is asked about types and their checks.
pub(super) fn types(which: Which<'_>) -> [String; 2] {
    [
        sql(&format!(
            "select x.oid, n.nspname, x.typname, x.typtype, {RESTRICTED}, x.typelem, x.typinput::pg_catalog.oid, \
             x.typoutput::pg_catalog.oid, x.typarray, a.typname, pg_catalog.pg_get_expr(x.typdefaultbin, 0::pg_catalog.oid), x.typispreferred, \
             x.typreceive::pg_catalog.oid, x.typsend::pg_catalog.oid, x.typmodin::pg_catalog.oid \
             from pg_catalog.pg_type x join pg_catalog.pg_namespace n on n.oid [=] x.typnamespace \
             left join pg_catalog.pg_type a on a.oid [=] x.typarray where {TYPES_MADE} and {}",
            which.filter("x.oid")
        )),
        sql(&format!(
            "select x.contypid, pg_catalog.pg_get_expr(x.conbin, 0::pg_catalog.oid) from pg_catalog.pg_constraint x \
             where x.contype [=] 'c'::pg_catalog.\"char\" and {}",
            which.filter("x.contypid")
        )),
    ]
}

/// What there is little of, and is always read whole: operators, casts, event triggers, settings.
pub(super) fn little() -> [String; 4] {
    [
        sql(&format!(
            "select x.oid, n.nspname, x.oprname, x.oprcode::pg_catalog.oid, x.oprleft, x.oprright, x.oprresult \
             from pg_catalog.pg_operator x join pg_catalog.pg_namespace n on n.oid [=] x.oprnamespace where x.oid [>=] {MADE}"
        )),
        sql(&format!(
            "select x.castsource, x.casttarget, x.castfunc, x.castmethod, x.castcontext from pg_catalog.pg_cast x where x.oid [>=] {MADE}"
        )),
        sql("select x.evtfoid from pg_catalog.pg_event_trigger x where x.evtenabled [<>] 'D'::pg_catalog.\"char\""),
        // Sessions of one resource may be of several roles where it has no credential: then all of them count.
        sql(
            "select x.setdatabase [<>] '0'::pg_catalog.oid, x.setrole [<>] '0'::pg_catalog.oid, pg_catalog.to_json(x.setconfig), \
             r.rolname [=] session_user from pg_catalog.pg_db_role_setting x \
             left join pg_catalog.pg_roles r on r.oid [=] x.setrole where x.setdatabase [=] '0'::pg_catalog.oid or x.setdatabase [=] \
             (select d.oid from pg_catalog.pg_database d where d.datname [=] pg_catalog.current_database())",
        ),
    ]
}

/// The columns of those relations of the system of which some may not be read. They are the server's: nobody changes them but
/// with its version.
fn system() -> String {
    let mut names: Vec<&str> = partly_readable().collect();
    names.sort_unstable();
    sql(&format!(
        "select c.relname, x.attname, x.atttypid from pg_catalog.pg_attribute x \
         join pg_catalog.pg_class c on c.oid [=] x.attrelid \
         where c.relnamespace [=] '11'::pg_catalog.oid and x.attrelid [<] {MADE} and x.attnum [>] 0::pg_catalog.int2 \
         and not x.attisdropped and c.relname [=] any ('{{{}}}'::pg_catalog.name[]) order by x.attrelid, x.attnum",
        names.join(",")
    ))
}

/// What is asked about: where nothing of a class changed it is not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) relations: bool,
    pub(super) functions: bool,
    pub(super) types: bool,
    pub(super) system: bool,
}

/// Every question that a catalog, or what changed of it, is read by.
pub(super) fn every(server: u32, changed: Option<&Changed>) -> (Asked, Vec<String>) {
    let some = |oids: fn(&Changed) -> &Vec<u32>| changed.map_or(Which::All, |changed| Which::Some(oids(changed)));
    let asked = Asked {
        relations: changed.is_none_or(|changed| !changed.relations.is_empty()),
        functions: changed.is_none_or(|changed| !changed.functions.is_empty()),
        types: changed.is_none_or(|changed| !changed.types.is_empty()),
        system: changed.is_none(),
    };
    let mut questions = Vec::new();
    if asked.relations {
        questions.extend(relations(server, some(|changed| &changed.relations)));
    }
    if asked.functions {
        questions.push(functions(server, some(|changed| &changed.functions)));
    }
    if asked.types {
        questions.extend(types(some(|changed| &changed.types)));
    }
    questions.extend(little());
    if asked.system {
        questions.push(system());
    }
    (asked, questions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_question_finds_an_operator_or_a_function_by_the_search_path() {
        let mut questions = vec![SNAPSHOT.to_owned(), TEMPORARY.to_owned(), DATABASE.to_owned(), CLUSTER.to_owned()];
        for server in [130_000, 150_000] {
            questions.push(fingerprints(server));
            questions.push(changes(server, 700));
            for which in [Which::All, Which::Some(&[16384, 16385])] {
                questions.extend(relations(server, which));
                questions.push(functions(server, which));
                questions.extend(types(which));
            }
        }
        questions.extend(little());
        questions.push(system());
        for question in &questions {
            let parsed = pg_query::parse(question, pg_query::ParserOptions::default())
                .unwrap_or_else(|error| panic!("{question}: {error}"));
            for (function, _) in &parsed.functions {
                assert!(function.starts_with("pg_catalog."), "{function}: {question}");
            }
            let tree = format!("{:?}", parsed.protobuf);
            for kind in ["AexprIn", "AexprLike", "AexprNullif", "AexprBetween", "AexprDistinct"] {
                assert!(!tree.contains(kind), "{kind}: {question}");
            }
            // Every operator is written with its schema.
            let operators = question.matches("operator(pg_catalog.").count();
            assert_eq!(tree.matches("AExpr(AExpr").count(), operators, "{question}");
            assert!(!tree.contains("TypeName(TypeName") || !question.contains("::text"), "{question}");
        }
    }
}
