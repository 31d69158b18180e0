//! What the extensions that come with PostgreSQL bring, and what it may do: how values of their types are read and shown, and
//! functions that compute.
//!
//! A function is known by its library, as its extension's script names it, and by the symbol in that, whatever it is called. Only a
//! superuser makes functions of that kind, and the server sees to it that a type's own are given what they take.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::table::lines;
use super::types::TYPES;

/// A function's language, and its library and symbol.
type Said<'a> = (&'a str, &'a str);

/// What reads a text, writes one, reads what is binary, and writes that. None looks at anything but the value.
struct Conversions {
    /// Empty: the server itself.
    library: &'static str,
    input: &'static str,
    output: &'static str,
    receive: &'static str,
    send: &'static str,
}

const KNOWN: [Conversions; 7] = [
    // citext
    of("", ["textin", "textout", "textrecv", "textsend"]),
    of("$libdir/hstore", ["hstore_in", "hstore_out", "hstore_recv", "hstore_send"]),
    of("$libdir/ltree", ["ltree_in", "ltree_out", "ltree_recv", "ltree_send"]),
    of("$libdir/ltree", ["lquery_in", "lquery_out", "lquery_recv", "lquery_send"]),
    of("$libdir/ltree", ["ltxtq_in", "ltxtq_out", "ltxtq_recv", "ltxtq_send"]),
    of("$libdir/cube", ["cube_in", "cube_out", "cube_recv", "cube_send"]),
    // intarray's queries
    of("$libdir/_int", ["bqarr_in", "bqarr_out", "", ""]),
];

const fn of(library: &'static str, [input, output, receive, send]: [&'static str; 4]) -> Conversions {
    Conversions { library, input, output, receive, send }
}

impl Conversions {
    fn is(&self, (language, body): Said<'_>, symbol: &str) -> bool {
        match self.library {
            "" => language == "internal" && body == symbol,
            library => language == "c" && body.split_once(' ') == Some((library, symbol)),
        }
    }
}

/// Whether the functions by which a type's values are read and shown are those of one that is known; a type may have none for what
/// is binary.
pub(in crate::sql) fn converts(
    input: Said<'_>,
    output: Said<'_>,
    receive: Option<Said<'_>>,
    send: Option<Said<'_>>,
) -> bool {
    KNOWN.iter().any(|known| {
        known.is(input, known.input)
            && known.is(output, known.output)
            && receive.is_none_or(|receive| known.is(receive, known.receive))
            && send.is_none_or(|send| known.is(send, known.send))
    })
}

/// The functions that compute.
const FUNCTIONS: &str = include_str!("extension/functions.txt");

/// A type of a parameter or a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sql) enum Brought<'a> {
    /// One that PostgreSQL brings.
    System(u32),
    /// One that an extension does, by its name.
    Own(&'a str),
    /// The array of those.
    Array(&'a str),
}

impl<'a> Brought<'a> {
    fn parse(name: &'a str) -> Self {
        match (TYPES.oid(name), name.strip_suffix("[]")) {
            (Some(oid), _) => Brought::System(oid),
            (None, Some(element)) => Brought::Array(element),
            (None, None) => Brought::Own(name),
        }
    }
}

/// How a function is declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sql) struct Declared<'a> {
    /// Its parameters.
    pub(in crate::sql) parameters: Vec<Brought<'a>>,
    /// Its result.
    pub(in crate::sql) returns: Brought<'a>,
    /// Whether that is any number of rows.
    pub(in crate::sql) set: bool,
    /// Whether a NULL argument makes NULL of it.
    pub(in crate::sql) strict: bool,
}

/// Library and symbol, as the catalog has them, to how the extension's script declares functions on it.
static DECLARED: LazyLock<HashMap<String, Vec<Declared<'static>>>> = LazyLock::new(|| declared().0);

/// The table, and its lines that cannot be read.
fn declared() -> (HashMap<String, Vec<Declared<'static>>>, Vec<&'static str>) {
    let mut all: HashMap<String, Vec<Declared<'static>>> = HashMap::new();
    let mut bad = Vec::new();
    let mut library = "";
    for line in lines(FUNCTIONS) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            library = name;
            continue;
        }
        let read = || {
            let (symbol, rest) = line.split_once('(')?;
            let (parameters, returns) = rest.rsplit_once(") ")?;
            let (returns, strict) = returns.strip_suffix(" nulls").map_or((returns, true), |returns| (returns, false));
            let (returns, set) = returns.strip_prefix("setof ").map_or((returns, false), |returns| (returns, true));
            let parameters = parameters.split(", ").filter(|name| !name.is_empty()).map(Brought::parse).collect();
            Some((symbol, Declared { parameters, returns: Brought::parse(returns), set, strict }))
        };
        match read() {
            Some((symbol, one)) => all.entry(of_library(library, symbol)).or_default().push(one),
            None => bad.push(line),
        }
    }
    (all, bad)
}

/// What the catalog has for a function's body: with the language before it, which is `internal` where no library stands.
fn of_library(library: &str, symbol: &str) -> String {
    match library {
        "internal" => format!("internal {symbol}"),
        library => format!("c {library} {symbol}"),
    }
}

/// Whether that is a function of an extension's that computes from its arguments and does nothing else, declared as the extension
/// declares it.
pub(in crate::sql) fn computes_plainly((language, body): Said<'_>, declared: &Declared<'_>) -> bool {
    let known = DECLARED.get(&format!("{language} {body}"));
    known.is_some_and(|known| known.contains(declared))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_declaration_and_no_other_is_known() {
        let (all, bad) = declared();
        assert!(bad.is_empty(), "{bad:?}");
        assert!(all.len() > 200);
        let own = ["citext", "hstore", "ltree", "lquery", "ltxtquery", "cube", "query_int"];
        for brought in all.values().flatten().flat_map(|one| one.parameters.iter().chain([&one.returns])) {
            if let Brought::Own(name) | Brought::Array(name) = brought {
                assert!(own.contains(name), "{name}");
            }
        }
        let said = ("c", "$libdir/pg_trgm similarity");
        let text = Brought::System(25);
        let one = Declared { parameters: vec![text, text], returns: Brought::System(700), set: false, strict: true };
        assert!(computes_plainly(said, &one));
        let others = [
            Declared { parameters: vec![text], ..one.clone() },
            Declared { parameters: vec![text, Brought::System(20)], ..one.clone() },
            Declared { parameters: vec![text, Brought::Own("text")], ..one.clone() },
            Declared { returns: text, ..one.clone() },
            Declared { set: true, ..one.clone() },
            Declared { strict: false, ..one.clone() },
        ];
        assert!(!others.iter().any(|other| computes_plainly(said, other)));
        for said in [("c", "/tmp/pg_trgm similarity"), ("c", "$libdir/pg_trgm gtrgm_in"), ("internal", said.1)] {
            assert!(!computes_plainly(said, &one));
        }
        let more = ["tablefunc crosstab", "hstore hstore_populate_record", "pg_trgm set_limit"];
        assert!(!more.iter().any(|body| all.contains_key(&format!("c $libdir/{body}"))));
    }

    #[test]
    fn only_what_belongs_together_is_known() {
        let c = |symbol| ("c", symbol);
        let (input, output) = (c("$libdir/hstore hstore_in"), c("$libdir/hstore hstore_out"));
        let (receive, send) = (Some(c("$libdir/hstore hstore_recv")), Some(c("$libdir/hstore hstore_send")));
        assert!(converts(input, output, receive, send) && converts(input, output, None, None));
        assert!(!converts(input, c("$libdir/ltree ltree_out"), receive, send));
        assert!(!converts(input, output, Some(c("$libdir/hstore hstore_send")), send));
        assert!(!converts(c("/tmp/hstore hstore_in"), output, receive, send));
        assert!(!converts(("internal", "$libdir/hstore hstore_in"), output, receive, send));
        let text = |symbol| ("internal", symbol);
        assert!(converts(text("textin"), text("textout"), Some(text("textrecv")), Some(text("textsend"))));
        assert!(!converts(text("textin"), text("byteaout"), None, None));
        assert!(!converts(c("textin"), text("textout"), None, None) && !converts(text(""), text(""), None, None));
    }
}
