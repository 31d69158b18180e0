//! What the gateway believes of PostgreSQL's own functions, operators and casts, held against a real server: nothing of its
//! catalog is forgotten, and what is said to fail at no value fails at none of the worst.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use harness::{Auth, Netns, Postgres, PostgresOptions};

#[path = "builtin/values.rs"]
mod values;

use values::{SAFE, VALUES};

const TOTAL: &str = include_str!("../../gateway/src/sql/builtin/functions/total.txt");
const PURE: &str = include_str!("../../gateway/src/sql/builtin/functions/pure.txt");
const VOLATILE: &str = include_str!("../../gateway/src/sql/builtin/functions/volatile.txt");
const DANGEROUS: &str = include_str!("../../gateway/src/sql/builtin/functions/dangerous.txt");
const KINDS: &str = include_str!("../../gateway/src/sql/builtin/functions/kinds.txt");
const TOTAL_OPERATORS: &str = include_str!("../../gateway/src/sql/builtin/operators/total.txt");
const PURE_OPERATORS: &str = include_str!("../../gateway/src/sql/builtin/operators/pure.txt");
const CASTS: &str = include_str!("../../gateway/src/sql/builtin/casts.txt");
const TYPES: &str = include_str!("../../gateway/src/sql/builtin/types.txt");
const HARMLESS: &str = include_str!("../../gateway/src/sql/builtin/relations/harmless.txt");
const WITHHELD: &str = include_str!("../../gateway/src/sql/builtin/relations/withheld.txt");

/// What a session sets that changes how values are printed and where a day begins.
const SETTINGS: [&str; 3] = [
    "",
    "set timezone = '<far>-167:59'; set datestyle = 'SQL, DMY'; set intervalstyle = 'iso_8601';",
    "set timezone = '<far>+167:59'; set bytea_output = 'escape'; set extra_float_digits = -15;",
];

/// The newest server that the tables know: it has all that is in them, but for what older ones had.
const NEWEST: u32 = 18;

/// Every operator, as the tables write it.
const OPERATORS: &str = "select format('%s(%s, %s)', oprname, \
     case when oprleft = 0 then 'none' else format_type(oprleft, null) end, \
     case when oprright = 0 then 'none' else format_type(oprright, null) end) from pg_operator where oid < 10000";

/// Every cast, as the tables write it.
const PG_CASTS: &str =
    "select format_type(castsource, null) || ' -> ' || format_type(casttarget, null) from pg_cast where oid < 16384";

fn server(netns: &Netns) -> Result<Postgres> {
    Postgres::start(netns, &PostgresOptions { auth: Auth::Trust, tls: false, settings: Vec::new() })
}

/// The server's major version.
fn version(server: &Postgres) -> Result<u32> {
    Ok(server.admin("show server_version_num")?.trim().parse::<u32>()? / 10_000)
}

/// The lines of a table that say something.
fn lines(file: &'static str) -> impl Iterator<Item = &'static str> {
    file.lines().filter(|line| !line.is_empty() && *line != "#" && !line.starts_with("# "))
}

/// A line without what it says beside the signature; types as the server spells them.
fn signature(line: &str) -> String {
    let line = line.split_once(": ").map_or(line, |(signature, _)| signature);
    let line = line.rsplit_once(')').map_or(line, |(signature, _)| &line[..signature.len() + 1]);
    line.replace("variadic ", "")
        .replace("=,", ",")
        .replace("=)", ")")
        .replace("[text]", "text")
        .replace("[integer]", "integer")
}

/// What the server answers, a line an item.
fn ask(server: &Postgres, sql: &str) -> Result<Vec<String>> {
    Ok(server.admin(sql)?.lines().map(str::to_owned).filter(|line| !line.is_empty()).collect())
}

#[test]
fn nothing_of_the_servers_catalog_is_forgotten() -> Result<()> {
    let netns = Netns::new("pg")?;
    let server = server(&netns)?;
    let known: BTreeSet<String> =
        [TOTAL, PURE, VOLATILE, DANGEROUS].into_iter().flat_map(lines).map(signature).collect();
    let forgotten = |known: &BTreeSet<String>, sql: &str, least: usize| -> Result<()> {
        let there = ask(&server, sql)?;
        ensure!(there.len() >= least, "only {} rows: {sql}", there.len());
        let forgotten: Vec<_> = there.iter().filter(|it| !it.split('\t').any(|name| known.contains(name))).collect();
        ensure!(forgotten.is_empty(), "in no table: {forgotten:#?}");
        Ok(())
    };
    // Those that take something internal are in the tables too, but no statement can call them.
    forgotten(
        &known,
        "select proname || E'\\t' || proname || '(' || oidvectortypes(proargtypes) || ')' from pg_proc \
         where pronamespace = 'pg_catalog'::regnamespace",
        3000,
    )?;
    let operators = [TOTAL_OPERATORS, PURE_OPERATORS].into_iter().flat_map(lines).map(signature).collect();
    forgotten(&operators, OPERATORS, 700)?;
    let casts = lines(CASTS).map(signature).collect();
    forgotten(&casts, PG_CASTS, 200)?;
    let types = lines(TYPES).map(str::to_owned).collect();
    forgotten(
        &types,
        "select format('%s %s %s %s %s', oid, typname, case when typcategory = 'A' or typname = '_record' then 'a' else typtype end, \
         case when typcategory = 'A' or typname = '_record' then typelem else 0 end, format_type(oid, null)) from pg_type t \
         where oid < 10000 and typrelid = 0 and typnamespace = 'pg_catalog'::regnamespace \
         and not exists (select from pg_type e where e.oid = t.typelem and e.typrelid <> 0)",
        150,
    )?;
    let relations = [HARMLESS, WITHHELD].into_iter().flat_map(lines).map(signature).collect();
    forgotten(
        &relations,
        "select relnamespace::regnamespace || '.' || relname from pg_class where relkind in ('r', 'v') \
         and relnamespace in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)",
        190,
    )?;
    let kinds = lines(KINDS).map(str::to_owned).collect();
    forgotten(
        &kinds,
        "select distinct case when proretset then 'set' when prokind = 'a' then 'aggregate' else 'window' end || ' ' || proname \
         from pg_proc where pronamespace = 'pg_catalog'::regnamespace and (proretset or prokind in ('a', 'w'))",
        100,
    )
}

/// What the tables call total, with its parameters; `None` where one must not be sensitive.
struct Total {
    signature: String,
    name: &'static str,
    parameters: Vec<(String, bool)>,
    variadic: bool,
}

fn totals(file: &'static str) -> Result<Vec<Total>> {
    let parse = |line: &'static str| {
        let (name, rest) = line.split_once('(').with_context(|| line.to_owned())?;
        let (inside, _) = rest.rsplit_once(')').with_context(|| line.to_owned())?;
        let parameters = inside.split(", ").map(|parameter| {
            let fixed = parameter.starts_with('[');
            let parameter = parameter.strip_prefix("variadic ").unwrap_or(parameter);
            (signature(parameter), fixed)
        });
        Ok(Total {
            signature: signature(line),
            name,
            parameters: parameters.collect(),
            variadic: inside.contains("variadic "),
        })
    };
    lines(file).map(parse).collect()
}

/// Stands in a statement for whether long values are tried.
const LONG: &str = ":long";

/// Tables of the worst values of each type, and a function that tries a statement.
fn prepare(server: &Postgres) -> Result<BTreeMap<&'static str, Vec<String>>> {
    server.admin(
        "create type mood as enum ('sad', 'happy'); create type pair as (a int, b text);
         create function attempt(statement text) returns text language plpgsql as $$
         begin execute statement; return null; exception when others then return sqlerrm; end $$",
    )?;
    let names: Vec<String> = VALUES.iter().map(|(_, of, _)| format!("('{of}')")).collect();
    let sql = format!("select t from (values {}) v(t) where to_regtype(t) is not null", names.join(", "));
    let types: BTreeSet<String> = ask(server, &sql)?.into_iter().collect();
    let mut tables: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (index, (parameter, of, values)) in VALUES.iter().enumerate() {
        if !types.contains(*of) {
            // Of a newer server.
            continue;
        }
        let table = format!("worst_{index}");
        let row = |(index, value): (usize, &&str)| {
            let big = value.contains("repeat(");
            let value = value.strip_prefix("sql ").map_or_else(|| format!("'{value}'"), str::to_owned);
            format!("({value}::{of}, {big}, {})", index < 3)
        };
        let rows: Vec<String> = values.iter().enumerate().map(row).collect();
        server
            .admin(&format!(
                "create table {table} (v {of}, big boolean, few boolean); \
                 insert into {table} values {}, (null, false, true)",
                rows.join(", ")
            ))
            .context(*of)?;
        tables.entry(*parameter).or_default().push(table);
    }
    Ok(tables)
}

/// Every combination of tables for the parameters; a polymorphic type's stand together.
fn sources(tables: &BTreeMap<&'static str, Vec<String>>, total: &Total) -> Result<Vec<Vec<String>>> {
    let of = |(parameter, fixed): &(String, bool)| -> Result<Vec<String>> {
        if *fixed {
            let (_, values) = SAFE.iter().find(|(name, _)| *name == total.name).context("no values that are safe")?;
            return Ok(vec![format!("(values {values}) as safe(v)")]);
        }
        let none = vec![String::new()];
        if parameter == "none" {
            return Ok(none);
        }
        tables.get(parameter.as_str()).cloned().with_context(|| format!("no values of {parameter}"))
    };
    let choices: Vec<Vec<String>> = total.parameters.iter().map(of).collect::<Result<_>>()?;
    let together =
        total.parameters.iter().all(|(parameter, _)| parameter.starts_with("any") && parameter != "anynonarray");
    if together && let Some(count) = choices.iter().map(Vec::len).min() {
        return Ok((0..count).map(|i| choices.iter().filter_map(|tables| tables.get(i).cloned()).collect()).collect());
    }
    let mut all = vec![Vec::new()];
    for choice in choices {
        let longer = |so_far: &Vec<String>| {
            let so_far = so_far.clone();
            choice
                .clone()
                .into_iter()
                .map(move |table| so_far.iter().cloned().chain([table]).collect())
                .collect::<Vec<_>>()
        };
        all = all.iter().flat_map(longer).collect();
    }
    Ok(all)
}

/// A statement that computes `expression`, with the values as `a0.v`, `a1.v`, for every combination of rows.
fn statement(expression: &str, sources: &[String]) -> String {
    let named = |(index, source): (usize, &String)| match source.is_empty() {
        true => None,
        false if source.starts_with('(') => {
            Some(format!("(select v, false as big, true as few from {source}) a{index}"))
        }
        false => Some(format!("{source} a{index}")),
    };
    let from: Vec<String> = sources.iter().enumerate().filter_map(named).collect();
    if from.is_empty() {
        return format!("select count(x) from (select {expression} as x offset 0) s");
    }
    let present: Vec<usize> =
        sources.iter().enumerate().filter(|(_, source)| !source.is_empty()).map(|(index, _)| index).collect();
    // A long value costs time: each stands with the short ones, and where there are three with a few of them.
    let big: Vec<String> = present.iter().map(|index| format!("a{index}.big::int")).collect();
    let few: Vec<String> = present.iter().map(|index| format!("(a{index}.big or a{index}.few)")).collect();
    let also = if present.len() > 2 { format!("and {}", few.join(" and ")) } else { String::new() };
    let big = big.join(" + ");
    format!(
        "select count(x) from (select {expression} as x from {} where {big} = 0 or {LONG} and {big} = 1 {also} offset 0) s",
        from.join(", ")
    )
}

/// Tries all of them under all settings; what failed, with the server's reason.
fn try_all(server: &Postgres, statements: &[String]) -> Result<Vec<String>> {
    let mut failed = Vec::new();
    for settings in SETTINGS {
        // How long values are treated does not depend on them.
        let long = if settings.is_empty() { "true" } else { "false" };
        for some in statements.chunks(40) {
            let rows: Vec<String> =
                some.iter().map(|statement| format!("($s${}$s$)", statement.replace(LONG, long))).collect();
            failed.extend(ask(
                server,
                &format!(
                    "{settings} select s || ': ' || e from (values {}) v(s), lateral attempt(s) e where e is not null",
                    rows.join(", ")
                ),
            )?);
        }
    }
    Ok(failed)
}

#[test]
fn what_is_total_fails_at_none_of_the_worst_values() -> Result<()> {
    let netns = Netns::new("pg")?;
    let server = server(&netns)?;
    let tables = prepare(&server)?;
    let version = version(&server)?;
    let kinds = "select format('%s(%s)', proname, oidvectortypes(proargtypes)), format('%s %s %s', proretset, prokind, provolatile) \
                 from pg_proc where pronamespace = 'pg_catalog'::regnamespace";
    let functions: BTreeMap<String, String> = ask(&server, kinds)?
        .iter()
        .filter_map(|row| row.rsplit_once('|').map(|(signature, kind)| (signature.to_owned(), kind.to_owned())))
        .collect();
    let operators: BTreeSet<String> = ask(&server, OPERATORS)?.into_iter().collect();
    let mut statements = Vec::new();
    let mut found = 0;
    for total in totals(TOTAL)? {
        let Some(kind) = functions.get(&total.signature) else {
            // A server that is as new as the newest of the tables has them all.
            ensure!(version < NEWEST, "{} is not there", total.signature);
            continue;
        };
        found += 1;
        ensure!(matches!(kind.as_str(), "f f i" | "f f s"), "{}: {kind}", total.signature);
        for sources in sources(&tables, &total)? {
            // An array that stands for arguments has to say so.
            let argument = |index: usize| match total.parameters.get(index) {
                Some((parameter, _)) if total.variadic && parameter == "text[]" => format!("variadic a{index}.v"),
                _ => format!("a{index}.v"),
            };
            let mut arguments: Vec<String> = (0..sources.len()).map(argument).collect();
            if total.name.ends_with("_build_object") {
                // Its values come behind names.
                arguments.insert(0, "'name'".to_owned());
            }
            statements.push(statement(&format!("pg_catalog.{}({})", total.name, arguments.join(", ")), &sources));
        }
    }
    ensure!(found > 170, "only {found} functions");
    let mut found = 0;
    for total in totals(TOTAL_OPERATORS)? {
        if !operators.contains(&total.signature) {
            ensure!(version < NEWEST, "{} is not there", total.signature);
            continue;
        }
        found += 1;
        for sources in sources(&tables, &total)? {
            let side = |index: usize| match sources.get(index) {
                Some(source) if !source.is_empty() => format!("a{index}.v"),
                _ => String::new(),
            };
            let expression = format!("{} operator(pg_catalog.{}) {}", side(0), total.name, side(1));
            statements.push(statement(&expression, &sources));
        }
    }
    ensure!(found > 350, "only {found} operators");
    let failed = try_all(&server, &statements)?;
    ensure!(failed.is_empty(), "not total: {failed:#?}");
    Ok(())
}

#[test]
fn total_casts_fail_at_none_of_the_worst_values() -> Result<()> {
    let netns = Netns::new("pg")?;
    let server = server(&netns)?;
    let tables = prepare(&server)?;
    let known: BTreeMap<&str, &str> =
        lines(TYPES).filter_map(|line| Some((line.splitn(5, ' ').last()?, line.split(' ').nth(2)?))).collect();
    let mut statements = Vec::new();
    let mut cast = |from: &str, to: &str| -> Result<()> {
        let lengths: &[&str] = match to {
            "text" => &["text"],
            "character varying" => &["varchar", "varchar(3)"],
            "character" => &["bpchar", "char(3)"],
            "bit" => &["bit(1)", "bit(3)", "bit(100)"],
            "bit varying" => &["varbit", "varbit(3)"],
            "time without time zone" => &["time", "time(0)"],
            "time with time zone" => &["timetz", "timetz(0)"],
            "timestamp without time zone" => &["timestamp", "timestamp(0)", "timestamp(5)"],
            "timestamp with time zone" => &["timestamptz", "timestamptz(0)", "timestamptz(5)"],
            // With a precision, some overflow.
            "numeric" => &["numeric"],
            other => &[other],
        };
        for table in tables.get(from).into_iter().flatten() {
            for to in lengths {
                statements.push(statement(&format!("cast(a0.v as {to})"), std::slice::from_ref(table)));
            }
        }
        Ok(())
    };
    let casts: BTreeSet<String> = ask(&server, PG_CASTS)?.into_iter().collect();
    let mut found = 0;
    for line in lines(CASTS).filter(|line| line.contains(": total")) {
        let types = line.split(": ").next().unwrap_or_default();
        let (from, to) = types.split_once(" -> ").context(line)?;
        if casts.contains(types) {
            ensure!(tables.contains_key(from), "no values of {from}");
            found += 1;
            cast(from, to)?;
        }
    }
    ensure!(found > 140, "only {found} casts");
    // Whatever is one value is printed.
    for (name, kind) in &known {
        if matches!(*kind, "b" | "r" | "m") && tables.contains_key(name) {
            for to in ["text", "character varying", "character"] {
                cast(name, to)?;
            }
        }
    }
    let failed = try_all(&server, &statements)?;
    ensure!(failed.is_empty(), "not total: {failed:#?}");
    Ok(())
}

/// Why some things that look total are not: the first fails, the second differs in a value only and does not.
const LOOK_TOTAL: [(&str, &str); 11] = [
    ("select '123' like E'1\\\\'", "select '923' like E'1\\\\'"),
    ("select strpos('1234' collate odd, '12')", "select strpos('1' collate odd, '12')"),
    ("select split_part('1' collate odd, '2', 1)", "select split_part('' collate odd, '2', 1)"),
    ("select array['1'::json] = array['2'::json]", "select array['1'::json] = array['1', '2']::json[]"),
    (
        "select x = y from (select '1'::text, json '1') x, (select '1'::text, json '1') y",
        "select x = y from (select '1'::text, json '1') x, (select '2'::text, json '1') y",
    ),
    ("select abs((-2147483648)::int)", "select abs((-2147483647)::int)"),
    (
        "select round(('9.5e131071')::numeric + ('0.5')::numeric, -131071)",
        "select round(('9.4e131071')::numeric, -131071)",
    ),
    ("select date '294277-01-01'::timestamp", "select date '294276-01-01'::timestamp"),
    (r#"select json '{"a": "\u0000"}' ->> 'a'"#, r#"select json '{"a": "\u0001"}' ->> 'a'"#),
    ("select 12::numeric(1)", "select 2::numeric(1)"),
    ("select case when '123' < '5' then 1 / length('') end", "select case when '923' < '5' then 1 / length('') end"),
];

#[test]
fn what_only_looks_total_fails_by_its_value() -> Result<()> {
    let netns = Netns::new("pg")?;
    let server = server(&netns)?;
    server.admin("create collation odd (provider = icu, locale = 'und', deterministic = false)")?;
    // From 18 on such a collation can be searched by.
    let searched = version(&server)? >= 18;
    for (fails, answers) in LOOK_TOTAL.into_iter().filter(|(fails, _)| !(searched && fails.contains("collate odd"))) {
        ensure!(server.admin(fails).is_err(), "does not fail: {fails}");
        server.admin(answers)?;
    }
    Ok(())
}
