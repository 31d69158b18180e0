//! The front-end of dialects whose own grammar is not at hand: `sqlparser`, and the lowering of its syntax tree into the
//! relational form.
//!
//! PostgreSQL's texts are never decided by it: they are read by PostgreSQL's own grammar. With PostgreSQL's dialect it is
//! held against that (`differential`), so that what other dialects share with it is tried on statements whose meaning is
//! known.

mod call;
mod definition;
mod dialect;
mod expr;
mod names;
mod operator;
mod query;
mod source;
mod statement;
mod write;

pub(super) use dialect::{Dialect, Postgres};

use sqlparser::parser::Parser;

use super::form::{Expr, Source, Statement};
use super::literal::depth;

/// The longest text that is parsed, in bytes.
const MAX_TEXT: usize = 1024 * 1024;

/// The deepest that a text may nest: chains of operators are trees as deep as they are long, also where they are dropped.
const MAX_DEPTH: usize = 10_000;

/// How deep the parser may recurse.
const MAX_RECURSION: usize = 100;

/// What parsing, lowering and dropping need of the stack at those, in bytes.
const STACK: usize = 64 * 1024 * 1024;

/// All statements of one text.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) statements: Vec<Statement>,
    /// The highest `$n`.
    pub(super) parameters: usize,
    /// The names of the functions and operators that it calls.
    pub(super) calls: Vec<Vec<String>>,
    /// What the form has no word for, one entry a place.
    pub(super) opaque: Vec<&'static str>,
}

/// Parses and lowers a text; `None`: the parser does not know it, or it is larger than is looked at.
pub(super) fn lower(text: &str, dialect: &dyn Dialect) -> Option<Program> {
    if text.len() > MAX_TEXT || text.contains('\0') || depth(text.as_bytes()) > MAX_DEPTH {
        return None;
    }
    stacker::maybe_grow(STACK, STACK.saturating_add(1024 * 1024), || {
        let parser = Parser::new(dialect.parser()).with_recursion_limit(MAX_RECURSION);
        let parsed = parser.try_with_sql(text).ok()?.parse_statements().ok()?;
        let mut lowering = Lowering { dialect, parameters: 0, calls: Vec::new(), opaque: Vec::new(), setting: None };
        let statements = parsed.iter().map(|statement| lowering.statement(statement)).collect();
        let Lowering { parameters, calls, opaque, .. } = lowering;
        Some(Program { statements, parameters, calls, opaque })
    })
}

/// What is learnt on the way.
struct Lowering<'a> {
    dialect: &'a dyn Dialect,
    parameters: usize,
    calls: Vec<Vec<String>>,
    opaque: Vec<&'static str>,
    /// The setting whose row of `pg_settings` the query reads that is lowered.
    setting: Option<String>,
}

impl Lowering<'_> {
    fn opaque(&mut self, what: &'static str) -> Expr {
        self.opaque.push(what);
        Expr::Opaque
    }

    fn opaque_source(&mut self, what: &'static str) -> Source {
        self.opaque.push(what);
        Source::Opaque
    }

    fn opaque_statement(&mut self, what: &'static str) -> Statement {
        self.opaque.push(what);
        Statement::Opaque
    }
}
