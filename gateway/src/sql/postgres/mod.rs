//! PostgreSQL's front-end: its own grammar, and the lowering of its syntax tree into the relational form.

mod expr;
mod query;
mod statement;

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
}

/// Parses and lowers a text; `None`: PostgreSQL's grammar does not know it.
pub(super) fn lower(text: &str) -> Option<Program> {
    let parsed = pg_query::parse(text, 0).ok()?;
    let fingerprint = pg_query::fingerprint(text, 0, 0).ok()?.hex;
    let mut lowering = Lowering { parameters: 0, shape_decides: true };
    let statements = parsed.protobuf.stmts.iter().map(|raw| match raw.stmt.as_deref() {
        Some(node) => lowering.statement(node),
        None => Statement::Opaque,
    });
    let statements = statements.collect();
    Some(Program { statements, fingerprint, parameters: lowering.parameters, shape_decides: lowering.shape_decides })
}

/// What is learnt on the way.
struct Lowering {
    parameters: usize,
    shape_decides: bool,
}

/// The parts of a qualified name.
fn strings(nodes: &[Node]) -> Vec<String> {
    let part = |node: &Node| match &node.node {
        Some(NodeEnum::String(string)) => Some(string.sval.clone()),
        _ => None,
    };
    nodes.iter().filter_map(part).collect()
}
