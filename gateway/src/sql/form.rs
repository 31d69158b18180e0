//! The relational form: what every dialect's front-end lowers its syntax tree into, and all that the analysis reads.
//!
//! Lowering is total. What a front-end does not know becomes [`Expr::Opaque`] or [`Statement::Opaque`], which is never
//! harmless.

use super::Changes;
use super::names::{Made, Space};
use super::stream::Written;
use crate::access::Action;

/// A relation as a statement names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) schema: Option<String>,
    pub(super) name: String,
    /// What the statement calls it; absent: its own name.
    pub(super) alias: Option<String>,
    /// What the statement calls its first columns.
    pub(super) columns: Vec<String>,
}

impl Table {
    /// What its columns are qualified by.
    pub(super) fn called(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.name)
    }
}

/// A literal, as far as it matters what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Constant {
    Null,
    /// A quoted text, whose type depends on where it stands.
    Text,
    Number,
    Bool,
    /// DEFAULT.
    Default,
    /// A keyword that stands for a value.
    Other,
}

/// How an operator takes its right side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantity {
    /// As it is.
    One,
    /// An array, or a list, of which one has to fit.
    Any,
    /// An array, all of which have to fit.
    All,
}

/// What becomes of a query's rows in an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subquery {
    /// Whether there is one.
    Exists,
    /// The value of the only one.
    Scalar,
    /// An array of all.
    Array,
    /// Compared with this.
    Compared { test: Option<Box<Expr>>, operator: Vec<String> },
}

/// A function's call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Call {
    /// It may be qualified.
    pub(super) name: Vec<String>,
    pub(super) arguments: Vec<Expr>,
    /// The names of the parameters that some of them are for, by their place.
    pub(super) named: Vec<(usize, String)>,
    /// Whether the last is an array of what a function takes any number of.
    pub(super) variadic: bool,
    /// What decides over which rows it computes, and in which order: FILTER, ORDER BY, OVER.
    pub(super) over: Vec<Expr>,
    /// Whether it computes over several rows by its form alone: `count(*)`, DISTINCT, FILTER, OVER.
    pub(super) aggregates: bool,
    /// What the built-in `set_config` does with the setting that it names.
    pub(super) sets: Option<Sets>,
    /// Whether it names that by a column of the row of `pg_settings` that the query's condition chooses.
    pub(super) chosen: bool,
    /// The sequence that the text names which `nextval` or `setval` is given.
    pub(super) sequence: Option<Table>,
}

/// A change of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sets {
    pub(super) action: Action,
    pub(super) changes: Changes,
}

/// An expression: which columns it uses, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expr {
    Constant(Constant),
    /// `$n`.
    Parameter(usize),
    /// The column of the result with that number, from 1: ORDER BY 1.
    Ordinal(usize),
    /// `a.b.c`.
    Column(Vec<String>),
    /// `*` or `a.*`.
    Star(Vec<String>),
    Call(Box<Call>),
    /// An operator that the search path finds, or a qualified one. For IN the right side is a [`Expr::List`].
    Operator {
        name: Vec<String>,
        left: Option<Box<Expr>>,
        right: Box<Expr>,
        quantity: Quantity,
    },
    /// One of these values, by comparing them: GREATEST and LEAST by `<`, NULLIF two by the operator that is named.
    Chosen {
        operator: Vec<String>,
        values: Vec<Expr>,
    },
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    /// To the named type, `pg_catalog` left out; arrays end in `[]`.
    Cast {
        value: Box<Expr>,
        to: Vec<String>,
        /// Whether a length or a precision is given.
        sized: bool,
    },
    /// COLLATE: the same value, compared otherwise from there on.
    Collate(Box<Expr>),
    /// An element of an array, or a part of one; of a document.
    Subscript {
        value: Box<Expr>,
        places: Vec<Expr>,
        slice: bool,
    },
    /// CASE: its subject is compared with every condition by `=`, where it has one.
    Case {
        subject: Option<Box<Expr>>,
        conditions: Vec<Expr>,
        values: Vec<Expr>,
    },
    /// COALESCE: each is computed only where those before it are NULL.
    Coalesce(Vec<Expr>),
    /// IS NULL and its like, ROW: no value makes it fail.
    Total(Vec<Expr>),
    /// ARRAY of these elements: no value makes it fail.
    Array(Vec<Expr>),
    /// Several values in the place of one.
    List(Vec<Expr>),
    /// A field of a row: `(row).field`; absent: all of them.
    Field {
        row: Box<Expr>,
        field: Option<String>,
    },
    /// Anything else that computes from these.
    Computed(Vec<Expr>),
    Query {
        query: Box<Query>,
        kind: Subquery,
    },
    /// What the front-end does not know.
    Opaque,
}

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Output {
    /// What a query around it calls it; absent: as the scalar subquery that it is calls its first column, or one way or
    /// another, as the server's version is.
    pub(super) name: Option<String>,
    pub(super) value: Expr,
}

/// The name of a column that a statement gives none; absent: that of the scalar subquery's in it, or not known. And whether
/// it is better than a cast's.
pub(super) type Figured = (Option<String>, bool);

/// A column that nothing gives a name.
pub(super) const UNNAMED: &str = "?column?";

/// What a join's sides have to do with each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct On {
    pub(super) natural: bool,
    pub(super) using: Vec<String>,
    /// What USING calls the columns that it merges; it hides nothing of what is joined.
    pub(super) using_alias: Option<String>,
    pub(super) condition: Option<Expr>,
}

/// What a query reads from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A relation, or a common table expression of that name.
    Table(Table),
    /// A query.
    Derived { alias: Option<String>, columns: Vec<String>, query: Box<Query>, lateral: bool },
    /// Functions that return rows; `types`: of which types the statement says that their columns are.
    Function {
        alias: Option<String>,
        columns: Vec<String>,
        calls: Vec<Expr>,
        types: Vec<Vec<String>>,
        ordinality: bool,
    },
    /// Two of these.
    Join { left: Box<Source>, right: Box<Source>, on: On, alias: Option<String>, columns: Vec<String> },
    /// Rows that are computed from expressions, of columns with these names and types (XMLTABLE, JSON_TABLE).
    Computed { alias: Option<String>, names: Vec<String>, types: Vec<Vec<String>>, from: Vec<Expr> },
    /// What the front-end does not know.
    Opaque,
}

/// A common table expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cte {
    pub(super) name: String,
    pub(super) columns: Vec<String>,
    pub(super) recursive: bool,
    pub(super) statement: Statement,
    /// Columns that the server adds to a recursive one: SEARCH, CYCLE.
    pub(super) added: Vec<Added>,
}

/// A column that the server computes from others while a query recurses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Added {
    pub(super) name: String,
    pub(super) from: Vec<String>,
    /// Whether it ends when they have been met before.
    pub(super) ends: bool,
    /// The values that mark it.
    pub(super) marks: Vec<Expr>,
}

/// `SELECT`, `VALUES`, `TABLE`, and what UNION and its like combine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) with: Vec<Cte>,
    pub(super) sources: Vec<Source>,
    pub(super) outputs: Vec<Output>,
    /// Rows of VALUES.
    pub(super) values: Vec<Vec<Expr>>,
    /// WHERE.
    pub(super) predicate: Option<Expr>,
    /// HAVING.
    pub(super) having: Option<Expr>,
    /// GROUP BY.
    pub(super) groups: Vec<Expr>,
    /// Windows, LIMIT.
    pub(super) uses: Vec<Expr>,
    /// ORDER BY and DISTINCT ON.
    pub(super) order: Vec<Expr>,
    /// Whether rows are told apart by their values: DISTINCT.
    pub(super) distinct: bool,
    /// The arms of a set operation.
    pub(super) arms: Vec<Query>,
    /// Whether the set operation keeps every row: UNION ALL.
    pub(super) all: bool,
    /// `SELECT INTO`.
    pub(super) into: Option<Table>,
}

/// A value for a column of a write's target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    /// The column; absent where nobody knows which.
    pub(super) column: Option<String>,
    /// Whether a part of it is assigned: an element, or a field.
    pub(super) part: bool,
    pub(super) value: Expr,
    /// What the value is computed of.
    pub(super) sees: Sees,
}

/// Whose columns an expression of a write may name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sees {
    /// The target's and those of the sources.
    #[default]
    All,
    /// The sources' alone: what MERGE does where no row of the target matches.
    Sources,
    /// The target's alone: what it does where no row of the source matches.
    Target,
}

/// A write to a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Write {
    /// What it does to the target.
    pub(super) actions: Vec<Action>,
    pub(super) target: Table,
    pub(super) with: Vec<Cte>,
    /// FROM, USING.
    pub(super) sources: Vec<Source>,
    /// The columns that an INSERT names.
    pub(super) columns: Vec<String>,
    /// What an INSERT inserts.
    pub(super) inserted: Option<Box<Query>>,
    pub(super) assigned: Vec<Assignment>,
    pub(super) predicate: Option<Expr>,
    /// Join conditions, ON CONFLICT's index.
    pub(super) uses: Vec<Expr>,
    /// When each of MERGE's actions is taken.
    pub(super) conditions: Vec<(Sees, Expr)>,
    pub(super) returning: Vec<Output>,
    /// What RETURNING calls the rows as they were and as they are; absent: `old` and `new`.
    pub(super) rows: [Option<String>; 2],
    /// Whether ON CONFLICT updates.
    pub(super) upsert: bool,
    /// Whether ON CONFLICT does anything.
    pub(super) conflict: bool,
    /// Whether it is a MERGE, which returns the columns of its source before the target's.
    pub(super) merges: bool,
}

/// A `COPY` between a table or a query and the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Copy {
    pub(super) table: Option<Table>,
    pub(super) columns: Vec<String>,
    pub(super) query: Option<Statement>,
    pub(super) from_client: bool,
    pub(super) predicate: Option<Expr>,
    /// How the rows are written; absent: in a way that is not known.
    pub(super) written: Option<Written>,
    /// FORCE_QUOTE.
    pub(super) quoted: Quoted,
}

/// A statement that runs what has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Runs {
    pub(super) space: Space,
    pub(super) name: String,
    pub(super) arguments: Vec<Expr>,
    /// Whether it keeps the rows to itself.
    pub(super) moves: bool,
}

/// What a statement does to a name; an absent one stands for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Naming {
    pub(super) space: Space,
    pub(super) name: Option<String>,
    pub(super) made: Option<Made>,
}

/// Which columns CSV puts in quotes always.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Quoted {
    #[default]
    No,
    All,
    Columns(Vec<String>),
}

/// What an action is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Resource,
    Table(Table),
    Function(Vec<String>),
}

/// A statement.
#[expect(clippy::large_enum_variant, reason = "a text has few of them, and most are not kept")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Statement {
    Query(Box<Query>),
    Write(Box<Write>),
    /// `COPY` between a table or a query and the client.
    Copy(Box<Copy>),
    /// `EXECUTE`, `FETCH`, `MOVE`: what has the name.
    Runs(Runs),
    /// Anything else, by what it does; and the statement in it, if there is one.
    Act(Act),
    /// What the front-end does not know.
    Opaque,
}

impl Statement {
    /// Whether every name in it says its schema, or is of nothing that has one.
    pub(super) fn names_in_full(&self) -> bool {
        let Statement::Act(act) = self else { return false };
        let inner = act.inner.is_some() || act.block.is_some() || act.calls || !act.computes.is_empty();
        let others = !act.plugs.is_empty() || act.touches.is_some() || !act.joins.is_empty() || act.domain.is_some();
        let full = |on: &Target| match on {
            Target::Table(table) => table.schema.is_some(),
            Target::Function(path) => path.len() > 1,
            Target::Resource => true,
        };
        !inner && !others && act.retypes.is_empty() && act.effects.iter().all(|(_, on)| full(on))
    }

    /// Whether it is about the session alone: nothing in it has a name that is looked up.
    pub(super) fn is_of_session(&self) -> bool {
        let Statement::Act(act) = self else { return false };
        let names = act.inner.is_some() || act.block.is_some() || act.calls || !act.computes.is_empty();
        !names && act.effects.iter().all(|effect| *effect == (Action::SqlSession, Target::Resource))
    }
}

/// What becomes of the statement in another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Inner {
    /// It is run, and its rows are the result.
    #[default]
    Run,
    /// A later command gets its rows, by a name.
    Named,
    /// A later command runs it, by a name.
    Prepared,
    /// Its rows are kept in an object of the database.
    Kept,
    /// It is told how it would be run.
    Explained,
}

/// What a change of the catalog does to what its names stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Gives {
    /// Anything may stand for something else, or do something else.
    #[default]
    Any,
    /// The relation that it is on gets its name, and holds nothing but what is put into it.
    New,
    /// All stand for what they stood for, and do what they did.
    Nothing,
}

/// What the literals of a definition may be read as: of defaults, bounds and conditions, which the server reads when they are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Reads {
    /// There is none.
    #[default]
    Nothing,
    /// Values of these tables' columns, or of these types.
    Beside { tables: Vec<Table>, types: Vec<Vec<String>> },
    /// Whatever there is.
    Anything,
}

/// A statement that is known by its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Act {
    pub(super) effects: Vec<(Action, Target)>,
    pub(super) inner: Option<Box<Statement>>,
    pub(super) becomes: Inner,
    /// Expressions that it computes: defaults, checks, arguments.
    pub(super) computes: Vec<Expr>,
    /// The relation that those are computed over, where no effect is on it.
    pub(super) over: Option<Table>,
    /// The domain that those are computed for every value of.
    pub(super) domain: Option<Vec<String>>,
    /// Functions that the server calls by itself from now on.
    pub(super) plugs: Vec<Vec<String>>,
    /// The types of columns that it makes.
    pub(super) types: Vec<Vec<String>>,
    /// What the literals may be read as that stand in it, and in no expression that it computes.
    pub(super) reads: Reads,
    /// Relations whose expressions it computes; none: those of all relations.
    pub(super) touches: Option<Vec<Table>>,
    /// Relations whose rows are seen in the others afterwards.
    pub(super) joins: Vec<(Table, Table)>,
    /// Columns that rows which are there are compared with: a foreign key's; none: the primary key.
    pub(super) refers: Vec<(Table, Vec<String>)>,
    /// Columns by which the rows of others are in order afterwards: an index's.
    pub(super) orders: Vec<String>,
    /// Tables whose rows it may write anew, or look through: what is kept with those is computed.
    pub(super) rewrites: Vec<Table>,
    /// Partitioned tables that get another partition: its bounds are compared with the keys of rows that are there.
    pub(super) bounds: Vec<Table>,
    /// Values of its table's rows that become those of another type.
    pub(super) retypes: Vec<(Expr, Vec<String>)>,
    /// Whether what it explains is run as well.
    pub(super) ran: bool,
    /// Whether it says as well how many bytes the rows would be on their way to the client.
    pub(super) weighs: bool,
    /// What something is called afterwards.
    pub(super) renames: Option<String>,
    /// Whether it looks at no row of what its effects are on: it makes that, or does away with it, or names it otherwise.
    pub(super) rowless: bool,
    /// Whether all that it changes of the catalog is something new that runs nothing.
    pub(super) adds: bool,
    /// What names of the catalog stand for afterwards, where it changes that.
    pub(super) gives: Gives,
    /// Whether it calls the procedure that is its effect with what it computes, by place.
    pub(super) calls: bool,
    /// The text of a block in PL/pgSQL that it runs.
    pub(super) block: Option<String>,
    /// Whether it answers with rows of its own that hold nothing of a table: SHOW.
    pub(super) tells: bool,
    pub(super) namings: Vec<Naming>,
    pub(super) changes: Changes,
}
