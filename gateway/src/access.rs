//! What a command does to what: the words that the analysis, the policy, the masks and the recording share.
//!
//! The analysis of a statement yields [`Effect`]s; the guard asks the policy about each. The names are those of the
//! Cedar schema, so that a policy, a recording and an error say the same thing in the same word.

use std::fmt;
use std::sync::Arc;

/// An identifier as the server spells it: case kept, quotes removed.
pub type Name = Arc<str>;

/// An action of the Cedar schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each variant is the action of the same name; `as_str` spells it")]
pub enum Action {
    Connect,
    SqlRead,
    SqlFilter,
    SqlInsert,
    SqlUpdate,
    SqlDelete,
    SqlTruncate,
    SqlCreate,
    SqlAlter,
    SqlDrop,
    SqlSession,
    SqlPrivilege,
    SqlAdmin,
    SqlExecute,
    SqlFile,
    SqlDeclassify,
    SqlReplication,
    SqlUnknown,
}

impl Action {
    /// Every action, in the order of the schema.
    pub const ALL: [Action; 18] = [
        Action::Connect,
        Action::SqlRead,
        Action::SqlFilter,
        Action::SqlInsert,
        Action::SqlUpdate,
        Action::SqlDelete,
        Action::SqlTruncate,
        Action::SqlCreate,
        Action::SqlAlter,
        Action::SqlDrop,
        Action::SqlSession,
        Action::SqlPrivilege,
        Action::SqlAdmin,
        Action::SqlExecute,
        Action::SqlFile,
        Action::SqlDeclassify,
        Action::SqlReplication,
        Action::SqlUnknown,
    ];

    /// The action's id in Cedar, `sql.read`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Action::Connect => "connect",
            Action::SqlRead => "sql.read",
            Action::SqlFilter => "sql.filter",
            Action::SqlInsert => "sql.insert",
            Action::SqlUpdate => "sql.update",
            Action::SqlDelete => "sql.delete",
            Action::SqlTruncate => "sql.truncate",
            Action::SqlCreate => "sql.create",
            Action::SqlAlter => "sql.alter",
            Action::SqlDrop => "sql.drop",
            Action::SqlSession => "sql.session",
            Action::SqlPrivilege => "sql.privilege",
            Action::SqlAdmin => "sql.admin",
            Action::SqlExecute => "sql.execute",
            Action::SqlFile => "sql.file",
            Action::SqlDeclassify => "sql.declassify",
            Action::SqlReplication => "sql.replication",
            Action::SqlUnknown => "sql.unknown",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A table, view, sequence or other relation of a database.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName {
    /// The database that the session is connected to.
    pub database: Name,
    /// The schema it was found in, or the first of the search path where it was not found.
    pub schema: Name,
    /// The relation's own name.
    pub table: Name,
}

/// A column of a relation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ColumnName {
    /// The relation it belongs to.
    pub table: TableName,
    /// The column's own name.
    pub column: Name,
}

/// A function or procedure; overloads share a name, and a policy speaks of all of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionName {
    /// The database that the session is connected to.
    pub database: Name,
    /// The schema it was found in, or the first of the search path where it was not found.
    pub schema: Name,
    /// The function's own name.
    pub function: Name,
}

/// What a command touches.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Object {
    /// The resource as a whole.
    Resource,
    /// A relation.
    Table(Arc<TableName>),
    /// A column.
    Column(Arc<ColumnName>),
    /// A function.
    Function(Arc<FunctionName>),
}

impl Object {
    /// The object's id in Cedar on `resource`: `orders/appdb/public.users.ssn`, parts quoted as SQL quotes them.
    pub fn id(&self, resource: &str) -> String {
        let mut id = resource.to_owned();
        match self {
            Object::Resource => {}
            Object::Table(t) => push_parts(&mut id, &t.database, &[&t.schema, &t.table]),
            Object::Column(c) => {
                push_parts(&mut id, &c.table.database, &[&c.table.schema, &c.table.table, &c.column]);
            }
            Object::Function(f) => push_parts(&mut id, &f.database, &[&f.schema, &f.function]),
        }
        id
    }
}

fn push_parts(id: &mut String, database: &str, parts: &[&str]) {
    id.push('/');
    push_quoted(id, database);
    for (i, part) in parts.iter().enumerate() {
        id.push(if i == 0 { '/' } else { '.' });
        push_quoted(id, part);
    }
}

/// `name` the way SQL spells it: bare if it is a plain lower-case identifier, in double quotes otherwise.
pub fn quoted(name: &str) -> String {
    let mut out = String::new();
    push_quoted(&mut out, name);
    out
}

/// Appends `name` the way SQL spells it: bare if it is a plain lower-case identifier, in double quotes otherwise.
fn push_quoted(out: &mut String, name: &str) {
    let plain = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_')
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if plain {
        out.push_str(name);
        return;
    }
    out.push('"');
    for c in name.chars() {
        if c == '"' {
            out.push('"');
        }
        out.push(c);
    }
    out.push('"');
}

/// The tags of an object, sorted, without duplicates and without those of its resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tags(Arc<[Name]>);

impl Tags {
    /// Sorts and deduplicates.
    pub fn new(tags: impl IntoIterator<Item = Name>) -> Self {
        let mut tags: Vec<Name> = tags.into_iter().collect();
        tags.sort();
        tags.dedup();
        Tags(tags.into())
    }

    /// Whether there is none: the object is not sensitive.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tags, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &Name> {
        self.0.iter()
    }

    /// Both sets together.
    pub fn union(&self, other: &Tags) -> Tags {
        match (self.is_empty(), other.is_empty()) {
            (_, true) => self.clone(),
            (true, _) => other.clone(),
            _ => Tags::new(self.iter().chain(other.iter()).cloned()),
        }
    }
}

/// How a write or a filter is narrowed: the best conjunct at the top level of its WHERE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Predicate {
    /// No predicate, or the action has none.
    #[default]
    None,
    /// True for every row.
    Tautology,
    /// A comparison other than equality.
    Range,
    /// A join or a subquery.
    Join,
    /// A bare column of the target compared by `=`, `IN` or `ANY` with constants or parameters.
    Equality,
}

impl Predicate {
    /// The word policies compare with.
    pub const fn as_str(self) -> &'static str {
        match self {
            Predicate::None => "none",
            Predicate::Tautology => "tautology",
            Predicate::Range => "range",
            Predicate::Join => "join",
            Predicate::Equality => "equality",
        }
    }
}

/// What the analysis can say about one effect beyond its action and object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Facts {
    /// How a write is narrowed.
    pub predicate: Predicate,
    /// Whether a write is narrowed to rows named by value.
    pub bounded: bool,
    /// Whether every such use of a filtered column is a plain equality.
    pub equality: bool,
    /// Whether all that is declassified comes into a column of its own tags, as another value than it was: a mask that leaves a part of
    /// a value shows another part of that one. Whoever may see the column as it is learns nothing by it.
    pub reshaped: bool,
}

/// One action of a command on one object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Effect {
    /// What is done.
    pub action: Action,
    /// To what.
    pub object: Object,
    /// The object's tags, inherited ones included.
    pub tags: Tags,
    /// How.
    pub facts: Facts,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_quote_their_parts_as_sql_does() {
        let table = TableName { database: "appdb".into(), schema: "public".into(), table: "Us\"ers".into() };
        let column = ColumnName { table: table.clone(), column: "ssn".into() };
        assert_eq!(Object::Column(column.into()).id("orders"), r#"orders/appdb/public."Us""ers".ssn"#);
        assert_eq!(Object::Table(table.into()).id("orders"), r#"orders/appdb/public."Us""ers""#);
        assert_eq!(Object::Resource.id("orders"), "orders");
    }
}
