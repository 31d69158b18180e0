//! From the relational form to actions on objects, and to where each value of a result comes from.
//!
//! The answer is never too small. A value that comes out is read; whatever decides something is a filter: predicates,
//! order, groups, and every function or operator that is not known to be total, for its failure tells something. A name
//! that the catalog does not resolve is an effect on that name, and its value may be anything.

mod cast;
mod code;
mod column;
mod condition;
mod define;
mod expr;
mod function;
mod graph;
mod implicit;
mod keys;
mod literal;
mod memo;
mod names;
mod oid;
mod operator;
mod own;
mod part;
mod print;
mod procedural;
mod query;
mod relation;
mod scope;
mod sequence;
mod settle;
mod size;
mod source;
mod statement;
mod stored;
mod value;
mod with;
mod write;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use self::graph::{Graph, Node, Source};
use self::memo::Memo;
pub(super) use self::relation::copied_tags;
use super::catalog::{Event, Relation};
use super::form::Table;
use super::names::{Named, Rename, Space};
use super::postgres::{Program, Server};
use super::stream::Written;
use super::{Analysis, Catalog, Changes, Settings, builtin};
use crate::access::{Action, Effect, Facts, FunctionName, Name, Object, TableName, Tags};

/// How much of a statement, and of what it calls and reads through, is followed before it counts as unknown.
const MAX_STEPS: usize = 200_000;

/// How many names are looked at for one step.
const AT_ONCE: usize = 16;

/// How many columns a value is made of before it is one node.
const MANY: usize = 64;

/// What stands for all columns of a system relation that may not be read: no name of the server's.
const WITHHELD: &str = "(withheld)";

/// How deep views and functions are followed.
const MAX_DEPTH: usize = 24;

/// What a text does that cannot be read.
pub(super) fn unreadable(text: &[u8]) -> Analysis {
    let hash = blake3::hash(text).to_hex();
    let effect =
        Effect { action: Action::SqlUnknown, object: Object::Resource, tags: Tags::default(), facts: Facts::default() };
    Analysis {
        fingerprint: hash.as_str().get(..16).unwrap_or_default().into(),
        changes: Changes::ALL,
        copies_in: true,
        ..Analysis::of_operation(effect)
    }
}

/// What a program does in a session with these settings on this database.
pub(super) fn told(
    program: &Program,
    fingerprint: &str,
    catalog: &Catalog,
    settings: &Settings,
    known: &[((Space, Name), Named)],
) -> Analysis {
    let path = settings.search_path.as_deref().unwrap_or(&catalog.search_path);
    let mut walk = Walk::new(catalog, path);
    walk.temporary.clone_from(&settings.temporary);
    walk.session_temporary.clone_from(&settings.temporary);
    walk.known = known;
    let mut moved = define::Moved::default();
    for (number, statement) in program.statements.iter().enumerate() {
        if !moved.reads(statement) {
            walk.unknown();
        }
        moved.take(statement, &walk);
        // A search path that this very text changes is not the one its names are looked up by.
        if walk.changes.settings && !statement.names_in_full() {
            walk.unknown();
        }
        // Nor are those that its open transaction changed, once that may be over.
        if settings.pending && walk.changes.ends && !statement.is_of_session() {
            walk.unknown();
        }
        let before = std::mem::take(&mut walk.effects);
        let shown = walk.statement(statement, &scope::Scope::default());
        walk.rename(number, statement);
        walk.results.push(shown);
        if walk.effects.is_empty() {
            // Rows of nothing that has a name, as those of functions: it is a statement all the same.
            walk.plain(Action::SqlRead, Object::Resource);
        }
        for ((action, object), (tags, facts)) in before {
            walk.effect(action, object, tags, facts);
        }
    }
    if (walk.unresolved || walk.absent) && !catalog.complete {
        // Nothing is known of what the names stand for: no rule on an object could be told to match.
        walk.unknown();
    }
    if program.statements.is_empty() {
        walk.plain(Action::SqlSession, Object::Resource);
    }
    walk.finish(program, fingerprint)
}

/// What a statement answers with.
#[derive(Debug)]
enum Shown {
    /// No rows.
    Nothing,
    /// Rows of these columns.
    Rows(scope::Rows),
    /// Rows that an earlier statement's cursor was opened for.
    Fetched,
    /// Rows of which nothing is known.
    Unknown,
    /// A stream of these columns; which of them are quoted always, and how it is written.
    Stream { rows: scope::Rows, quoted: Vec<bool>, written: Option<Written> },
}

/// Where a value goes to.
#[derive(Clone, Copy, Debug)]
enum Goes {
    /// To where nothing is as sensitive as anything.
    Out,
    /// To this column, which the database itself computes it for or had it in already.
    Kept(Node),
    /// To this column; whether it is made one of another type.
    Into { node: Node, converts: bool },
}

/// When a use of a column as a filter counts as an equality.
#[derive(Clone, Copy, Debug)]
enum Equality {
    No,
    Yes,
    /// If the other side has at least its tags.
    With(Node),
}

struct Walk<'a> {
    catalog: &'a Catalog,
    /// Where names are looked up: a view's are looked up elsewhere.
    path: Vec<Name>,
    /// Where the session's own text looks them up.
    session_path: Vec<Name>,
    /// The schema that relations and types are looked for in before all others: a view's are not.
    temporary: Option<Name>,
    /// The session's own.
    session_temporary: Option<Name>,
    effects: BTreeMap<(Action, Object), (Tags, Facts)>,
    graph: Graph,
    filters: Vec<(Node, Equality)>,
    /// Values that are put where others find them: the column or table, and its own node where it is a column.
    flows: Vec<(Object, Goes, Node)>,
    /// Values that are named, and of which nothing is told.
    reads: Vec<Node>,
    /// Values that are told in another way: to volatile functions, in plans.
    leaks: Vec<Node>,
    /// The columns that expressions name, and whether there is a part that is run again for values of another.
    mentioned: Vec<Node>,
    repeats: bool,
    /// Sensitive columns that a new value is put into: the log keeps what is other than the old one.
    replaced: Vec<Node>,
    /// What functions return that the server may call while it plans, and that read tables; how often one was read so far.
    planned: Vec<Node>,
    looks: usize,
    /// What queries show and hand on; whether rows of them may be kept on their way: to be sorted, joined, compared.
    carried: Vec<Node>,
    keeps: bool,
    /// Values of which how long they are is told.
    weighed: Vec<Node>,
    /// What was told of columns, of which nothing else is known.
    told: HashSet<(Action, Source)>,
    results: Vec<Shown>,
    /// Columns that have names, and that `*` leaves out.
    left_out: HashSet<Node>,
    /// The rows of statements that later commands get by name.
    named: Vec<scope::Rows>,
    /// Whether the write that is being read may put in more rows than a list may have values.
    many: bool,
    /// The relations whose rows others go or change with, as they are written, and are still to be looked at for that.
    cascading: Vec<(Event, &'a Relation, Facts)>,
    /// All that ever were.
    cascaded: HashSet<(u32, Action, Facts)>,
    /// What rules answer with in the place of the write that they replace.
    ruled: Vec<Node>,
    /// The types of the database's own that values may have: what nobody knows the type of has one of those, or none of them.
    met: BTreeSet<u32>,
    /// Columns that nobody knows, which are of types that PostgreSQL brings.
    brought: HashSet<Node>,
    /// Whether a name was used that the catalog does not have.
    unresolved: bool,
    /// Whether a relation was named that the catalog does not have, by a statement that looks at no row of it.
    absent: bool,
    /// Whether bodies were read whose names are looked up when they run, and whether that is somewhere else by now.
    bodies_read: bool,
    path_moves: bool,
    /// Whether a literal may be read by code of the database's own.
    parses_by_code: bool,
    literals: literal::ReadAs,
    /// Whether a function was called that nobody has.
    missing: bool,
    /// Whether a relation was named, or come to, that has a tagged column: a literal may be meant for it, an error tell of it.
    touches_sensitive: bool,
    copies_in: bool,
    /// What names stand for that the session gave before.
    known: &'a [((Space, Name), Named)],
    /// Names that nothing is known of.
    asked: Vec<(Space, Name)>,
    renames: Vec<Rename>,
    changes: Changes,
    /// Whether a name may stand for something else afterwards; whether something new has got one.
    gives_away: bool,
    gives_new: bool,
    depth: usize,
    /// The functions whose bodies are being read, by OID.
    reading: Vec<u32>,
    /// What walks of one text share.
    memo: Rc<Memo>,
    /// Whether it is a column's default that is read.
    in_default: bool,
    /// Calls of functions in PL/pgSQL whose bodies were read.
    plain: Vec<procedural::Plain>,
    /// Whether it is such a body that is read, and the types that it makes values of by itself.
    in_body: bool,
    made: BTreeSet<u32>,
    /// Whether that body runs its statements for one value after another.
    repeating: bool,
}

impl<'a> Walk<'a> {
    fn new(catalog: &'a Catalog, path: &[Name]) -> Self {
        Walk {
            catalog,
            path: path.to_vec(),
            session_path: path.to_vec(),
            temporary: None,
            session_temporary: None,
            effects: BTreeMap::new(),
            graph: Graph::default(),
            filters: Vec::new(),
            flows: Vec::new(),
            reads: Vec::new(),
            leaks: Vec::new(),
            mentioned: Vec::new(),
            repeats: false,
            replaced: Vec::new(),
            planned: Vec::new(),
            looks: 0,
            carried: Vec::new(),
            keeps: false,
            weighed: Vec::new(),
            told: HashSet::new(),
            results: Vec::new(),
            left_out: HashSet::new(),
            named: Vec::new(),
            many: false,
            met: BTreeSet::new(),
            brought: HashSet::new(),
            cascading: Vec::new(),
            cascaded: HashSet::new(),
            ruled: Vec::new(),
            unresolved: false,
            absent: false,
            missing: false,
            bodies_read: false,
            parses_by_code: false,
            literals: literal::ReadAs::default(),
            path_moves: false,
            touches_sensitive: false,
            copies_in: false,
            known: &[],
            asked: Vec::new(),
            renames: Vec::new(),
            changes: Changes::default(),
            gives_away: false,
            gives_new: false,
            depth: 0,
            reading: Vec::new(),
            memo: Rc::default(),
            plain: Vec::new(),
            in_body: false,
            in_default: false,
            repeating: false,
            made: BTreeSet::new(),
        }
    }

    /// By which version texts are read.
    fn server(&self) -> Server {
        Server::new(self.catalog.version)
    }

    /// Counts what was looked at; `false`: it is enough, and the rest is unknown.
    fn step(&mut self) -> bool {
        self.looks_through(0)
    }

    /// The same, where it is looked for among so many.
    fn looks_through(&mut self, many: usize) -> bool {
        let before = self.memo.steps.get();
        let after = before.saturating_add(many / AT_ONCE).saturating_add(1);
        self.memo.steps.set(after);
        if before < MAX_STEPS && after >= MAX_STEPS {
            self.unknown();
        }
        after < MAX_STEPS
    }

    fn effect(&mut self, action: Action, object: Object, tags: Tags, facts: Facts) {
        match action {
            Action::SqlExecute => self.changes = Changes::ALL,
            Action::SqlUnknown => {
                self.copies_in = true;
                self.changes |= Changes { names: true, rules: true, transaction: true, ..Changes::default() };
            }
            _ => {}
        }
        let had = self.effects.entry((action, object)).or_insert_with(|| (tags.clone(), facts));
        // Two uses of one object: the weaker facts hold for both.
        had.0 = had.0.union(&tags);
        had.1 = Facts {
            predicate: had.1.predicate.min(facts.predicate),
            bounded: had.1.bounded && facts.bounded,
            equality: had.1.equality && facts.equality,
            reshaped: had.1.reshaped && facts.reshaped,
        };
    }

    fn plain(&mut self, action: Action, object: Object) {
        self.effect(action, object, Tags::default(), Facts::default());
    }

    fn unknown(&mut self) {
        self.unresolved = true;
        self.plain(Action::SqlUnknown, Object::Resource);
    }

    fn filter(&mut self, nodes: impl IntoIterator<Item = Node>) {
        self.filters.extend(nodes.into_iter().map(|node| (node, Equality::No)));
    }

    /// The full name and the tags of a relation; the name that it would have if the catalog does not know it.
    fn table(&mut self, table: &Table) -> (Arc<TableName>, Tags) {
        let database = Arc::clone(&self.catalog.database);
        let name = |schema: Name| TableName { database, schema, table: table.name.as_str().into() };
        if let Some(relation) = self.relation(table) {
            self.reaches(relation);
            return (Arc::new(name(Arc::clone(&relation.schema))), relation.tags.clone());
        }
        if let Some(schema) = self.system_schema(table) {
            return (Arc::new(name(schema.into())), Tags::default());
        }
        self.unresolved = true;
        let schema = table.schema.as_deref().map(Name::from).or_else(|| self.path.first().cloned());
        (Arc::new(name(schema.unwrap_or_else(|| "public".into()))), Tags::default())
    }

    /// The same of one that the statement looks at no row of: nothing of it can be told, whatever it is.
    fn table_itself(&mut self, table: &Table) -> (Arc<TableName>, Tags) {
        let unresolved = std::mem::take(&mut self.unresolved);
        let named = self.table(table);
        self.absent |= self.unresolved;
        self.unresolved = unresolved;
        named
    }

    /// The relation that a name stands for.
    fn relation(&self, table: &Table) -> Option<&'a Relation> {
        if let Some(relation) = self.temporary_relation(table) {
            return Some(relation);
        }
        match table.schema.as_deref() {
            Some(schema) => self.catalog.relation(schema, &table.name),
            // `pg_catalog` is searched before the path, unless that says otherwise; but a server that is older than a
            // relation of the system's finds the other, which is not harmless only because this one is.
            None => self.path.iter().find_map(|schema| match (&**schema, &self.temporary) {
                ("pg_temp", Some(schema)) => self.catalog.relation(schema, &table.name),
                _ => self.catalog.relation(schema, &table.name),
            }),
        }
    }

    /// The session's own temporary relation of that name: those come before `pg_catalog` and the path, unless the path says
    /// where.
    fn temporary_relation(&self, table: &Table) -> Option<&'a Relation> {
        let own = self.temporary.as_ref()?;
        let said = || self.path.iter().any(|schema| &**schema == "pg_temp" || schema == own);
        match table.schema.as_deref() {
            Some("pg_temp") => {}
            None if !said() => {}
            Some(_) | None => return None,
        }
        self.catalog.relation(own, &table.name)
    }

    /// The system schema that a name is in.
    fn system_schema<'t>(&self, table: &'t Table) -> Option<&'t str> {
        if table.schema.is_none() && self.relation(table).is_some() { None } else { system_schema(table) }
    }

    /// Whether a name may stand for a relation of the system's, whatever else is called that.
    fn may_be_system(&self, table: &Table) -> bool {
        self.temporary_relation(table).is_none() && system_schema(table).is_some()
    }

    fn function_name(&self, schema: Name, function: &str) -> Object {
        let database = Arc::clone(&self.catalog.database);
        Object::Function(Arc::new(FunctionName { database, schema, function: function.into() }))
    }
}

/// The system schema that a name is in.
fn system_schema(table: &Table) -> Option<&str> {
    match table.schema.as_deref() {
        Some(schema) => builtin::is_system(schema).then_some(schema),
        // User relations may not begin with `pg_`, but they can.
        None => (table.name.starts_with("pg_")
            && (builtin::is_harmless_relation("pg_catalog", &table.name)
                || builtin::readable_columns("pg_catalog", &table.name).is_some()))
        .then_some("pg_catalog"),
    }
}
