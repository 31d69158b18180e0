//! PostgreSQL's front-end: its own grammar, and the lowering of its syntax tree into the relational form.

mod expr;
mod query;
mod statement;
mod version;

pub(in crate::sql) use query::USING_ALIAS;
pub(in crate::sql) use version::Server;

use pg_query::NodeEnum;
use pg_query::protobuf::Node;

use super::form::Statement;

/// All statements of one text.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) statements: Vec<Statement>,
    /// The fingerprint of libpg_query: the same for texts that differ in literals only.
    pub(super) fingerprint: String,
    /// The highest `$n`.
    pub(super) parameters: usize,
    /// Whether no literal's value decides what the text does.
    pub(super) shape_decides: bool,
    /// The names of the functions and operators that it calls.
    pub(super) calls: Vec<Vec<String>>,
}

/// Parses and lowers a text; `None`: PostgreSQL's grammar does not know it, or this server may read it otherwise.
pub(super) fn lower(text: &str, server: Server) -> Option<Program> {
    if !server.is_known() || server.lexes_otherwise(text) {
        return None;
    }
    let parsed = pg_query::parse(text, 0).ok()?;
    let fingerprint = pg_query::fingerprint(text, 0, 0).ok()?.hex;
    let mut lowering = Lowering::new(server);
    let statements = parsed.protobuf.stmts.iter().map(|raw| match raw.stmt.as_deref() {
        Some(node) => lowering.statement(node),
        None => Statement::Opaque,
    });
    let statements = statements.collect();
    let Lowering { parameters, shape_decides, calls, otherwise, .. } = lowering;
    (!otherwise).then_some(Program { statements, fingerprint, parameters, shape_decides, calls })
}

/// The statements of a rule, `CREATE RULE ... DO ...`.
pub(super) fn lower_rule(text: &str, server: Server) -> Option<Vec<Statement>> {
    if !server.is_known() || server.lexes_otherwise(text) {
        return None;
    }
    let parsed = pg_query::parse(text, 0).ok()?;
    let [raw] = parsed.protobuf.stmts.as_slice() else { return None };
    let Some(NodeEnum::RuleStmt(rule)) = raw.stmt.as_deref().and_then(|node| node.node.as_ref()) else { return None };
    let mut lowering = Lowering::new(server);
    let statements = rule.actions.iter().map(|action| lowering.statement(action)).collect();
    (!lowering.otherwise).then_some(statements)
}

/// What is learnt on the way.
struct Lowering {
    parameters: usize,
    shape_decides: bool,
    calls: Vec<Vec<String>>,
    server: Server,
    /// Whether the server takes something in it for something else.
    otherwise: bool,
}

impl Lowering {
    fn new(server: Server) -> Self {
        Lowering { parameters: 0, shape_decides: true, calls: Vec::new(), server, otherwise: false }
    }
}

/// The parts of a qualified name.
fn strings(nodes: &[Node]) -> Vec<String> {
    let part = |node: &Node| match &node.node {
        Some(NodeEnum::String(string)) => Some(string.sval.clone()),
        _ => None,
    };
    nodes.iter().filter_map(part).collect()
}
