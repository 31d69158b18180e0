//! The relational form: what every dialect's front-end lowers its syntax tree into, and all that the analysis reads.
//!
//! Lowering is total. What a front-end does not know becomes [`Expr::Opaque`] or [`Statement::Opaque`], which is never
//! harmless.

use super::Changes;
use crate::access::Action;

/// A relation as a statement names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) schema: Option<String>,
    pub(super) name: String,
    /// What the statement calls it, its name where it gives no other.
    pub(super) alias: String,
}

/// An expression: which columns it uses, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expr {
    /// A literal, or a keyword that stands for a value.
    Constant,
    /// `$n`.
    Parameter(usize),
    /// `a.b.c`.
    Column(Vec<String>),
    /// `*` or `a.*`.
    Star(Option<String>),
    /// A function of that name, which may be qualified.
    Call { name: Vec<String>, arguments: Vec<Expr> },
    /// `left = right` by the operator that the search path finds; for `IN` and `= ANY`, the right side is the list.
    Equal { left: Box<Expr>, right: Box<Expr> },
    /// All of these.
    And(Vec<Expr>),
    /// A query inside an expression.
    Query(Box<Query>),
    /// Anything that computes from these.
    Computed(Vec<Expr>),
    /// What the front-end does not know.
    Opaque,
}

/// What a query reads from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A relation, or a common table expression of that name.
    Table(Table),
    /// A query.
    Derived { alias: String, query: Box<Query> },
    /// Functions that return rows.
    Function { alias: String, calls: Vec<Expr> },
    /// What the front-end does not know.
    Opaque,
}

/// A common table expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cte {
    pub(super) name: String,
    pub(super) statement: Statement,
}

/// `SELECT`, `VALUES`, `TABLE`, and what UNION and its like combine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) with: Vec<Cte>,
    pub(super) sources: Vec<Source>,
    /// What becomes a column of the result.
    pub(super) outputs: Vec<Expr>,
    /// WHERE.
    pub(super) predicate: Option<Expr>,
    /// Every other use: join conditions, GROUP BY, HAVING, ORDER BY, windows, LIMIT.
    pub(super) uses: Vec<Expr>,
    /// Whether a NATURAL join compares whatever columns have the same name.
    pub(super) natural: bool,
    /// The arms of a set operation.
    pub(super) arms: Vec<Query>,
    /// `SELECT INTO`.
    pub(super) into: Option<Table>,
    /// Whether it is a list of VALUES.
    pub(super) values: bool,
}

/// A write to a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Write {
    /// What it does to the target.
    pub(super) actions: Vec<Action>,
    pub(super) target: Table,
    pub(super) with: Vec<Cte>,
    /// FROM, USING.
    pub(super) sources: Vec<Source>,
    /// What an INSERT inserts.
    pub(super) inserted: Option<Box<Query>>,
    /// What is assigned to columns.
    pub(super) assigned: Vec<Expr>,
    pub(super) predicate: Option<Expr>,
    pub(super) uses: Vec<Expr>,
    pub(super) returning: Vec<Expr>,
    /// Whether ON CONFLICT updates.
    pub(super) upsert: bool,
}

/// What an action is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum On {
    Resource,
    Table(Table),
    Function(Vec<String>),
}

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Statement {
    Query(Query),
    Write(Box<Write>),
    /// `COPY` between a table or a query and the client.
    Copy {
        table: Option<Table>,
        columns: Vec<String>,
        query: Option<Box<Statement>>,
        from_client: bool,
    },
    /// Anything else, by what it does; and the statement in it, if there is one.
    Act(Act),
    /// What the front-end does not know.
    Opaque,
}

/// A statement that is known by its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Act {
    pub(super) effects: Vec<(Action, On)>,
    pub(super) inner: Option<Box<Statement>>,
    /// Whether the inner statement's rows are kept in an object of the database.
    pub(super) keeps: bool,
    /// Whether it answers with rows that an earlier statement described.
    pub(super) fetches: bool,
    pub(super) changes: Changes,
}
