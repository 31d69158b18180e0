//! PostgreSQL's front-end: its own grammar, and the lowering of its syntax tree into the relational form.

mod copy;
mod define;
mod expr;
mod gives;
mod names;
mod plpgsql;
mod query;
mod statement;
mod version;

pub(in crate::sql) use plpgsql::{Body, Declared, body};
pub(in crate::sql) use statement::sets;
pub(in crate::sql) use version::{KNOWN, Server};

use pg_query::NodeEnum;
use pg_query::protobuf::{Node, RawStmt};

use super::form::{Act, Expr, Statement, Target};
use super::literal::depth;
use crate::access::Action;

/// The longest text that is parsed, in bytes. Anything longer is `sql.unknown`.
const MAX_TEXT: usize = 1024 * 1024;

/// The deepest that a text may nest. The parser is C and recurses, and so does all that walks its tree.
const MAX_DEPTH: usize = 10_000;

/// What parsing and reading a text at [`MAX_DEPTH`] needs of the stack, in bytes.
const STACK: usize = 48 * 1024 * 1024;

/// What a walk needs of the stack beside what its text's depth needs, in bytes.
const SHALLOW: usize = 512 * 1024;

/// Whether the tree of a text is dropped on any stack.
pub(in crate::sql) fn is_shallow(text: &str) -> bool {
    depth(text.as_bytes()) <= 100
}

/// Does what parses a text, or walks its tree, with the stack that this may need: also within the walk of another. For most
/// texts it is there, and none has to be made.
pub(in crate::sql) fn deep<R>(text: &str, walk: impl FnOnce() -> R) -> R {
    let levels = depth(text.as_bytes()).min(MAX_DEPTH);
    let needed = SHALLOW.saturating_add(levels.saturating_mul(STACK / MAX_DEPTH));
    stacker::maybe_grow(needed, needed.saturating_mul(2), walk)
}

/// Whether a text can be parsed within bounds: a session's, and what the catalog has of somebody's, which no server has to have
/// parsed either.
fn is_bounded(text: &str) -> bool {
    text.len() <= MAX_TEXT && !text.contains('\0') && depth(text.as_bytes()) <= MAX_DEPTH
}

/// All statements of one text.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) statements: Vec<Statement>,
    /// The highest `$n`.
    pub(super) parameters: usize,
    /// Whether no literal's value decides what the text does.
    pub(super) shape_decides: bool,
    /// The names of the functions and operators that it calls.
    #[cfg_attr(not(test), expect(dead_code, reason = "what another version reads otherwise is told by it"))]
    pub(super) calls: Vec<Vec<String>>,
    /// The paths of the columns that it names, aliases of rows included.
    pub(super) columns: Vec<Vec<String>>,
}

/// Parses and lowers a text; `None`: PostgreSQL's grammar does not know it, this server may read it otherwise, or it is too long
/// or too deep.
pub(super) fn lower(text: &str, server: Server) -> Option<Program> {
    if !is_bounded(text) || !server.is_known() || server.lexes_otherwise(text) {
        return None;
    }
    deep(text, || lowered(text, server))
}

fn lowered(text: &str, server: Server) -> Option<Program> {
    let parsed = pg_query::parse(text, 0).ok()?;
    let mut lowering = Lowering::new(server);
    lowering.literal = text.contains(['\'', '$']);
    let statements = parsed.protobuf.stmts.iter().map(|raw| match raw.stmt.as_deref() {
        Some(node) => {
            if matches!(node.node, Some(NodeEnum::PrepareStmt(_) | NodeEnum::DeclareCursorStmt(_))) {
                lowering.source = source(text, raw).unwrap_or_default();
            }
            lowering.statement(node)
        }
        None => Statement::Opaque,
    });
    let statements = statements.collect();
    let Lowering { parameters, shape_decides, calls, columns, otherwise, .. } = lowering;
    (!otherwise).then_some(Program { statements, parameters, shape_decides, calls, columns })
}

/// The fingerprint of libpg_query: the same for texts that differ in literals only.
pub(super) fn fingerprint(text: &str) -> Option<String> {
    pg_query::fingerprint(text, 0, 0).ok().map(|fingerprint| fingerprint.hex)
}

/// The condition and the statements of a rule, `CREATE RULE ... WHERE ... DO ...`.
pub(super) fn lower_rule(text: &str, server: Server) -> Option<(Option<Expr>, Vec<Statement>)> {
    if !is_bounded(text) || !server.is_known() || server.lexes_otherwise(text) {
        return None;
    }
    deep(text, || lowered_rule(text, server))
}

fn lowered_rule(text: &str, server: Server) -> Option<(Option<Expr>, Vec<Statement>)> {
    let parsed = pg_query::parse(text, 0).ok()?;
    let [raw] = parsed.protobuf.stmts.as_slice() else { return None };
    let Some(NodeEnum::RuleStmt(rule)) = raw.stmt.as_deref().and_then(|node| node.node.as_ref()) else { return None };
    let mut lowering = Lowering::new(server);
    let condition = lowering.optional(rule.where_clause.as_ref());
    let statements = rule.actions.iter().map(|action| lowering.statement(action)).collect();
    (!lowering.otherwise).then_some((condition, statements))
}

/// The statements of a function's body of the SQL standard: `RETURN ...` or `BEGIN ATOMIC ... END`.
pub(super) fn lower_body(text: &str, server: Server) -> Option<Program> {
    if !is_bounded(text) || !server.is_known() || server.lexes_otherwise(text) {
        return None;
    }
    deep(text, || lowered_body(text, server))
}

fn lowered_body(text: &str, server: Server) -> Option<Program> {
    let parsed = pg_query::parse(&format!("create function f() returns void language sql {text}"), 0).ok()?;
    let [raw] = parsed.protobuf.stmts.as_slice() else { return None };
    let Some(NodeEnum::CreateFunctionStmt(create)) = raw.stmt.as_deref().and_then(|node| node.node.as_ref()) else {
        return None;
    };
    let mut lowering = Lowering::new(server);
    let statements = lowering.sql_body(create.sql_body.as_deref()?)?;
    let Lowering { parameters, calls, columns, otherwise, .. } = lowering;
    (!otherwise).then_some(Program { statements, parameters, shape_decides: false, calls, columns })
}

/// What is learnt on the way.
struct Lowering {
    parameters: usize,
    shape_decides: bool,
    calls: Vec<Vec<String>>,
    columns: Vec<Vec<String>>,
    server: Server,
    /// Whether the server takes something in it for something else.
    otherwise: bool,
    /// The setting whose row of `pg_settings` the query reads that is lowered.
    setting: Option<String>,
    /// Whether the text has a literal.
    literal: bool,
    /// The text of the statement that is lowered, where it is one that gives another a name.
    source: String,
}

impl Lowering {
    fn new(server: Server) -> Self {
        Lowering {
            parameters: 0,
            shape_decides: true,
            calls: Vec::new(),
            columns: Vec::new(),
            server,
            otherwise: false,
            setting: None,
            literal: false,
            source: String::new(),
        }
    }
}

/// A statement's own part of the text.
fn source(text: &str, raw: &RawStmt) -> Option<String> {
    let rest = text.get(usize::try_from(raw.stmt_location).ok()?..)?;
    match usize::try_from(raw.stmt_len).ok()? {
        0 => Some(rest.to_owned()),
        length => rest.get(..length).map(str::to_owned),
    }
}

/// A statement that does nothing but what `sql.session` permits.
fn session() -> Statement {
    Statement::Act(Act { effects: vec![(Action::SqlSession, Target::Resource)], ..Act::default() })
}

/// The parts of a qualified name.
fn strings(nodes: &[Node]) -> Vec<String> {
    let part = |node: &Node| match &node.node {
        Some(NodeEnum::String(string)) => Some(string.sval.clone()),
        _ => None,
    };
    nodes.iter().filter_map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> Server {
        Server::new(150_000)
    }

    /// A thread with the stack that the pool of blocking threads gives one.
    fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
        let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(work);
        thread.unwrap().join().unwrap();
    }

    #[test]
    fn no_text_is_parsed_deeper_than_the_stack_goes() {
        on_a_small_stack(|| {
            for nested in ["- ", "not ", "(", "1 + ", "array[", "case when ", "select ("] {
                let endless = format!("select {} 1", nested.repeat(150_000));
                let none = lower(&endless, server()).is_none() && lower_rule(&endless, server()).is_none();
                assert!(none, "{nested}");
            }
            assert!(lower(&format!("select 1 {}", " ".repeat(MAX_TEXT)), server()).is_none());
            let deepest = format!("select {} 1", "- ".repeat(MAX_DEPTH / 2));
            let program = deep(&deepest, || lower(&deepest, server()).map(|program| program.statements.len()));
            assert_eq!(program, Some(1));
        });
    }
}
