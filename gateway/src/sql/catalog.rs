//! What the analysis has to know of a database: its relations, columns, functions, operators, casts and types, what code
//! each of them may run, and the tags the operator gave.
//!
//! The data is protocol-independent; `protocol::postgres` reads it from the server. System schemas are left out, but for
//! what somebody made or replaced there.

mod index;

use std::collections::HashMap;
use std::sync::Arc;

use crate::access::{Name, Tags};
pub use index::Index;

/// A snapshot of one database of one resource.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Counts snapshots of this database: part of every cached analysis.
    pub generation: u64,
    /// Whether it was read whole. Where not, nothing is known to be harmless: everything is unknown.
    pub complete: bool,
    /// The database's name.
    pub database: Name,
    /// `server_version_num`, 150007 for 15.7; 0 where it is not known.
    pub version: u32,
    /// Every relation outside the system schemas, by OID.
    pub relations: HashMap<u32, Relation>,
    /// Every function outside the system schemas.
    pub functions: Vec<Function>,
    /// Every operator outside the system schemas.
    pub operators: Vec<Operator>,
    /// Every cast that did not come with the server.
    pub casts: Vec<Cast>,
    /// Every type outside the system schemas, by OID: also the row types of relations, and arrays.
    pub types: HashMap<u32, Type>,
    /// The functions of enabled event triggers.
    pub event_triggers: Vec<u32>,
    /// What `ALTER ROLE` and `ALTER DATABASE` set for sessions of this database.
    pub settings: Vec<Setting>,
    /// The search path of a new session of the gateway's role, `$user` resolved, without `pg_catalog`.
    pub search_path: Vec<Name>,
    /// The search path under which the texts in here were printed: what was visible on it is not qualified.
    pub definitions_path: Vec<Name>,
    /// Whether the resource gives any tag to any object: where it does not, nothing is masked.
    pub any_sensitive: bool,
    /// The columns of those relations of `pg_catalog` of which some may not be read, in order, with their types.
    pub system: Arc<HashMap<Name, Vec<(Name, u32)>>>,
    /// What names stand for, made when it is first asked for.
    pub index: Index,
}

/// A relation.
#[derive(Clone, Debug, Default)]
pub struct Relation {
    /// `pg_class.oid`.
    pub oid: u32,
    /// Its schema.
    pub schema: Name,
    /// Its name.
    pub name: Name,
    /// What it is.
    pub kind: RelationKind,
    /// Its own tags and those of every parent.
    pub tags: Tags,
    /// Its columns, dropped ones left out, in order.
    pub columns: Vec<Column>,
    /// `pg_inherits` parents, partitioned tables included.
    pub parents: Vec<u32>,
    /// `pg_type.oid` of its rows; 0 where it has none.
    pub row_type: u32,
    /// Whether it is a temporary one, of whichever session.
    pub temporary: bool,
    /// The query of a view or materialised view.
    pub definition: Option<Arc<str>>,
    /// Its rules, but for the one that makes it a view. Disabled ones are left out.
    pub rules: Vec<Rule>,
    /// Its triggers, but for those that the server made for constraints.
    pub triggers: Vec<Trigger>,
    /// The expressions of its check constraints.
    pub checks: Vec<Arc<str>>,
    /// Whether row-level security is on.
    pub row_security: bool,
    /// The expressions of its policies, whether or not security is on.
    pub policies: Vec<Arc<str>>,
    /// Its foreign keys.
    pub foreign_keys: Vec<ForeignKey>,
    /// Its unique indexes, primary key included, and those of its exclusion constraints.
    pub keys: Vec<Key>,
    /// Expressions of its indexes, those of one index as one list, and the predicates of partial ones: every write
    /// computes them.
    pub indexed: Vec<Arc<str>>,
    /// How a partitioned table is partitioned: `RANGE (f(a))`. Every insert computes it.
    pub partition_key: Option<Arc<str>>,
    /// What the query of a view or materialised view depends on, by `pg_depend`: relation and column, 0 for the whole.
    pub dependencies: Vec<(u32, i16)>,
}

/// `pg_class.relkind`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RelationKind {
    /// Ordinary or partitioned table.
    Table,
    /// View.
    View,
    /// Materialised view.
    MaterializedView,
    /// Foreign table: what answers is not this server.
    Foreign,
    /// Sequence.
    Sequence,
    /// Anything else: composite type, index, TOAST table.
    #[default]
    Other,
}

/// A column.
#[derive(Clone, Debug, Default)]
pub struct Column {
    /// `pg_attribute.attnum`, from 1.
    pub number: i16,
    /// Its name.
    pub name: Name,
    /// `pg_attribute.atttypid`.
    pub type_oid: u32,
    /// Its own tags, its table's and those of the same column of every parent.
    pub tags: Tags,
    /// The expression of its default, or of its value where it is generated.
    pub default: Option<Arc<str>>,
    /// Whether it is computed from other columns.
    pub generated: bool,
    /// Whether it is `NOT NULL`.
    pub not_null: bool,
}

/// A command that a rule or trigger answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Of `SELECT`.
    Select,
    /// Of `INSERT`.
    Insert,
    /// Of `UPDATE`.
    Update,
    /// Of `DELETE`.
    Delete,
}

/// A rewrite rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What it answers.
    pub event: Event,
    /// Whether its actions replace the command.
    pub instead: bool,
    /// The whole of it: `CREATE RULE ...`.
    pub definition: Arc<str>,
}

/// A trigger.
#[derive(Clone, Debug, Default)]
pub struct Trigger {
    /// `pg_proc.oid` of its function.
    pub function: u32,
    /// Whether an INSERT fires it.
    pub insert: bool,
    /// Whether an UPDATE fires it.
    pub update: bool,
    /// Whether a DELETE fires it.
    pub delete: bool,
    /// Whether a TRUNCATE fires it.
    pub truncate: bool,
    /// Whether it replaces the command (`INSTEAD OF`).
    pub instead: bool,
    /// Whether it is not disabled. One that is for replicas only counts as enabled.
    pub enabled: bool,
    /// The whole of it, its WHEN included: `CREATE TRIGGER ...`.
    pub definition: Arc<str>,
}

/// An index that refuses a row for what others hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Key {
    /// Its columns; 0 stands for an expression.
    pub columns: Vec<i16>,
    /// Its expressions as one list, and the condition under which a row is in it.
    pub texts: Vec<Arc<str>>,
    /// Whether it is an exclusion constraint's, which may compare by any operator.
    pub excludes: bool,
}

/// A foreign key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignKey {
    /// The referencing columns.
    pub columns: Vec<i16>,
    /// The relation they refer to.
    pub target: u32,
    /// The columns they refer to.
    pub target_columns: Vec<i16>,
    /// Whether a change there writes here: `CASCADE`, `SET NULL` or `SET DEFAULT`.
    pub writes: bool,
}

/// `pg_proc.prokind`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FunctionKind {
    /// A plain one.
    #[default]
    Function,
    /// A procedure.
    Procedure,
    /// An aggregate; its parts are functions of their own.
    Aggregate,
    /// A window function.
    Window,
}

/// `pg_proc.provolatile`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Volatility {
    /// The arguments decide the result.
    Immutable,
    /// The arguments and the database decide it, for one statement.
    Stable,
    /// Anything may happen.
    #[default]
    Volatile,
}

/// A function or procedure.
#[derive(Clone, Debug, Default)]
pub struct Function {
    /// `pg_proc.oid`.
    pub oid: u32,
    /// Its schema.
    pub schema: Name,
    /// Its name.
    pub name: Name,
    /// What it is.
    pub kind: FunctionKind,
    /// Types of its input arguments.
    pub arguments: Vec<u32>,
    /// Names of all its arguments, output ones included, where it has any; empty for one without.
    pub argument_names: Vec<Name>,
    /// The modes of those (`i`, `o`, `b`, `v`, `t`), where not all are input.
    pub argument_modes: Vec<char>,
    /// Types of all its arguments, where not all are input.
    pub all_arguments: Vec<u32>,
    /// How many of its last input arguments have a default.
    pub defaults: u16,
    /// The expressions of those, as a list.
    pub default_values: Option<Arc<str>>,
    /// The element type of its last argument, where that takes any number; 0 otherwise.
    pub variadic: u32,
    /// The type of its result.
    pub returns: u32,
    /// Whether it returns a set.
    pub set: bool,
    /// Its language: `sql`, `plpgsql`, `c`, `internal`, ...
    pub language: Name,
    /// Its source, for languages `sql` and `plpgsql`; for a body of the SQL standard the text that the server prints
    /// (`RETURN ...` or `BEGIN ATOMIC ...`); for `c` the library and the symbol in it, for `internal` the symbol.
    pub body: Option<Arc<str>>,
    /// Whether the body is one of the SQL standard, whose names were resolved when it was made.
    pub standard_body: bool,
    /// What it promises.
    pub volatility: Volatility,
    /// Whether a NULL argument makes NULL of it.
    pub strict: bool,
    /// Whether it runs as its owner.
    pub security_definer: bool,
    /// Its `SET` clauses, `name=value`.
    pub settings: Vec<Arc<str>>,
    /// What it calls beside its body: transition, final and other functions of an aggregate, a planner support function.
    pub parts: Vec<u32>,
    /// The tags patterns gave it.
    pub tags: Tags,
}

/// An operator.
#[derive(Clone, Debug, Default)]
pub struct Operator {
    /// `pg_operator.oid`.
    pub oid: u32,
    /// Its schema.
    pub schema: Name,
    /// Its name.
    pub name: Name,
    /// `pg_proc.oid` of what computes it.
    pub function: u32,
    /// The type of its left operand; 0 for a prefix operator.
    pub left: u32,
    /// The type of its right operand.
    pub right: u32,
    /// The type of its result.
    pub result: u32,
}

/// `pg_cast.castmethod`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CastMethod {
    /// By a function.
    #[default]
    Function,
    /// By the types' output and input functions.
    InOut,
    /// The bytes are the same.
    Binary,
}

/// A cast.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cast {
    /// From this type.
    pub source: u32,
    /// To this type.
    pub target: u32,
    /// `pg_proc.oid` of what does it; 0 where no function does.
    pub function: u32,
    /// How it is done.
    pub method: CastMethod,
    /// Where it is done.
    pub context: CastContext,
}

/// `pg_cast.castcontext`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CastContext {
    /// Anywhere, without being asked for.
    #[default]
    Implicit,
    /// In assignments, without being asked for.
    Assignment,
    /// Where it is asked for.
    Explicit,
}

/// `pg_type.typtype`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TypeKind {
    /// A base type or an array; its input function reads it.
    Base,
    /// A domain.
    Domain,
    /// An enumeration.
    Enum,
    /// A row.
    Composite,
    /// A range.
    Range,
    /// Anything else.
    #[default]
    Other,
}

/// A type.
#[derive(Clone, Debug, Default)]
pub struct Type {
    /// `pg_type.oid`.
    pub oid: u32,
    /// `pg_type.oid` of the arrays of these; 0 where there are none.
    pub array: u32,
    /// Its schema.
    pub schema: Name,
    /// Its name.
    pub name: Name,
    /// What it is.
    pub kind: TypeKind,
    /// Whether it is the preferred type of its category (`typispreferred`).
    pub preferred: bool,
    /// The type that a domain restricts, that a range's bounds are of, or the range that a multirange is made of; 0 otherwise.
    pub base: u32,
    /// The relation whose rows these are; 0 otherwise.
    pub relation: u32,
    /// The type of the elements of an array; 0 otherwise.
    pub element: u32,
    /// `pg_proc.oid` of what reads it from text.
    pub input: u32,
    /// `pg_proc.oid` of what makes text of it.
    pub output: u32,
    /// The same of what is binary; 0 where it is not.
    pub receive: u32,
    /// The same of what is made binary; 0 where it is not.
    pub send: u32,
    /// `pg_proc.oid` of what reads its modifiers, as a length; 0 where it has none.
    pub modifier: u32,
    /// The expressions of a domain's checks.
    pub checks: Vec<Arc<str>>,
    /// The expression of a domain's default.
    pub default: Option<Arc<str>>,
}

/// Whom a row of `pg_db_role_setting` is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingScope {
    /// Everyone in this database.
    Database,
    /// The session's role, in every database.
    Role,
    /// The session's role in this database.
    RoleInDatabase,
    /// Everyone, everywhere.
    All,
}

/// A setting that sessions begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Whom it is for.
    pub scope: SettingScope,
    /// `name=value`.
    pub text: Arc<str>,
}
