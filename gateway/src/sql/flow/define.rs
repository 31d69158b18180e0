//! Definitions: the code that they plug in, what they compute at once, and whose rows are seen where afterwards.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::graph::Node;
use super::scope::{Column, Scope};
use super::stored::{partition_key, texts};
use super::value::Value;
use super::{Goes, Shown, Walk};
use crate::access::{Action, ColumnName, Object};
use crate::sql::builtin;
use crate::sql::catalog::{Column as Place, Relation, RelationKind};
use crate::sql::form::{Act, Gives, Statement, Target};
use crate::sql::predicate::is_value;

impl<'a> Walk<'a> {
    /// What a definition runs and moves, beside what it is.
    pub(super) fn defines(&mut self, act: &Act) {
        for name in &act.plugs {
            self.plugged(name);
        }
        if act.changes.catalog {
            self.event_triggers();
        }
        for name in &act.types {
            let Some((of, _)) = self.own_type(name) else { continue };
            self.type_runs(of, &Value::default());
            let default = self.catalog.types.get(&of).and_then(|of| of.default.clone());
            if let Some(text) = default {
                let value = self.stored(&text, &[]);
                self.leaks.extend(value.nodes);
            }
        }
        self.reads_kept(&act.reads);
        for (from, to) in &act.joins {
            let (Some(from), Some(to)) = (self.relation(from), self.relation(to)) else {
                self.unknown();
                continue;
            };
            self.joined(from, to);
        }
        for table in &act.rewrites {
            match self.relation(table) {
                Some(relation) => self.rewritten(relation),
                // What is not a table has nothing kept with it, and the server finds none that nobody knows.
                None => self.unresolved = true,
            }
        }
        for table in &act.bounds {
            match self.relation(table) {
                Some(relation) => self.bounded(relation),
                None => self.unknown(),
            }
        }
        if let Some(touched) = &act.touches {
            let catalog = self.catalog;
            let named: Vec<&Relation> = touched.iter().filter_map(|table| self.relation(table)).collect();
            let all = touched.is_empty() || named.len() < touched.len();
            let relations = if all { catalog.relations.values().collect() } else { named };
            for relation in relations {
                self.touched(relation);
            }
        }
    }

    /// What a change of the catalog does to what names stand for.
    pub(super) fn gives(&mut self, act: &Act) {
        if !act.changes.catalog {
            return;
        }
        match act.gives {
            Gives::Nothing => {}
            Gives::Any => self.gives_away = true,
            Gives::New => {
                for (_, on) in &act.effects {
                    match on {
                        Target::Table(table) => self.gets(&table.name),
                        Target::Function(_) | Target::Resource => self.gives_away = true,
                    }
                }
            }
        }
    }

    /// A new relation is called so: another one's name, or one's that was before this text changed the catalog, is given away.
    pub(super) fn gets(&mut self, name: &str) {
        self.gives_new = true;
        self.gives_away |= self.changes.catalog || self.catalog.is_taken(name);
    }

    /// Whatever is made, changed or dropped fires them.
    pub(super) fn event_triggers(&mut self) {
        let triggers = self.catalog.event_triggers.clone();
        triggers.into_iter().for_each(|function| self.execute(function));
    }

    /// A function that the server will call by itself, from where no statement names it.
    fn plugged(&mut self, name: &[String]) {
        let Some(function) = name.last() else { return };
        let schema = name.len().checked_sub(2).and_then(|at| name.get(at)).map(String::as_str);
        let within = |of: &str| schema.is_none_or(|schema| self.schema_meant(schema).as_deref() == Some(of));
        let own: Vec<u32> = self
            .catalog
            .functions_named(function)
            .filter(|known| within(&known.schema))
            .map(|known| known.oid)
            .collect();
        if own.is_empty() {
            let system = schema.is_none_or(|schema| schema == "pg_catalog");
            let estimates = function.ends_with("sel");
            if !(system && (estimates || builtin::computes(function))) {
                let object = self.function_object(name);
                self.plain(Action::SqlExecute, object);
            }
        }
        own.into_iter().for_each(|function| self.execute(function));
    }

    /// The rows of one are seen in the other.
    fn joined(&mut self, from: &'a Relation, to: &'a Relation) {
        self.reaches(from);
        self.reaches(to);
        let (here, there) = (self.name_of(from), self.name_of(to));
        let key = partition_key(to);
        for column in &from.columns {
            let name = Arc::new(ColumnName { table: here.clone(), column: Arc::clone(&column.name) });
            let node = self.graph.column(&name, &column.tags, None);
            if key.as_deref().is_some_and(|key| self.names(key, to, &column.name)) {
                // Whether each row is within the bounds tells of its key.
                self.leaks.push(node);
            }
            let Some(above) = to.columns.iter().find(|above| above.name == column.name) else { continue };
            let name = Arc::new(ColumnName { table: there.clone(), column: Arc::clone(&above.name) });
            let place = self.graph.column(&name, &above.tags, None);
            self.flows.push((Object::Column(name), Goes::Kept(place), node));
        }
    }

    /// A table's rows are written anew, or looked through: what it computes of them is run. What that tells was told when they
    /// came.
    fn rewritten(&mut self, relation: &'a Relation) {
        if !self.step() {
            return;
        }
        let columns = untold(relation, self.graph.derived(Vec::new()));
        self.reaches(relation);
        for text in texts(relation) {
            self.checked(&text, &columns);
        }
        self.referring(relation);
        let catalog = self.catalog;
        for child in catalog.descendants(relation.oid) {
            self.reaches(child);
            self.referring(child);
            for text in texts(child) {
                self.checked(&text, &columns);
            }
        }
    }

    /// A partitioned table gets another partition: the rows of its default one, which may be within the bounds, are looked
    /// through, and whether one is tells of its key.
    fn bounded(&mut self, relation: &'a Relation) {
        self.rewritten(relation);
        let table = self.name_of(relation);
        let Some(key) = partition_key(relation) else { return };
        for column in &relation.columns {
            if !self.names(&key, relation, &column.name) {
                continue;
            }
            let name = Arc::new(ColumnName { table: table.clone(), column: Arc::clone(&column.name) });
            let node = self.graph.column(&name, &column.tags, None);
            self.leaks.push(node);
        }
    }

    /// What a table's indexes compute, or a materialised view's query.
    fn touched(&mut self, relation: &'a Relation) {
        if !self.step() {
            return;
        }
        let columns = untold(relation, self.graph.derived(Vec::new()));
        self.reaches(relation);
        for text in &relation.indexed {
            self.checked(text, &columns);
        }
        if relation.kind == RelationKind::MaterializedView {
            self.relation_query(relation);
        }
    }

    /// Every value there is of a domain.
    pub(super) fn values_of(&mut self, domain: &[String]) -> Node {
        let Some((of, _)) = self.own_type(domain) else {
            self.unknown();
            return self.graph.unknown(Vec::new());
        };
        let catalog = self.catalog;
        let mut types = BTreeSet::from([of]);
        loop {
            // Each round looks at every type there is.
            if !catalog.types.values().all(|_| self.step()) {
                self.unknown();
                return self.graph.unknown(Vec::new());
            }
            // Arrays, rows and domains of it hold it as well.
            let holds = |of: &crate::sql::catalog::Type| {
                types.contains(&of.base)
                    || types.contains(&of.element)
                    || catalog
                        .relations
                        .get(&of.relation)
                        .is_some_and(|r| r.columns.iter().any(|c| types.contains(&c.type_oid)))
            };
            let more: Vec<u32> =
                catalog.types.values().filter(|of| holds(of) && !types.contains(&of.oid)).map(|of| of.oid).collect();
            if more.is_empty() {
                break;
            }
            types.extend(more);
        }
        let mut nodes = Vec::new();
        for relation in catalog.relations.values() {
            let table = self.name_of(relation);
            for column in relation.columns.iter().filter(|column| types.contains(&column.type_oid)) {
                let name = ColumnName { table: table.clone(), column: Arc::clone(&column.name) };
                nodes.push(self.graph.column(&name.into(), &column.tags, None));
            }
        }
        // That it fails, or does not, tells of all of them.
        self.leaks.extend(nodes.iter().copied());
        self.graph.derived(nodes)
    }
}

/// The columns of a relation, of which nothing is told.
fn untold(relation: &Relation, node: Node) -> Vec<Column> {
    let column = |column: &Place| Column { name: column.name.to_string(), node, of: Some(column.type_oid) };
    relation.columns.iter().map(column).collect()
}

/// What statements of a text changed of the catalog that the others are read by.
#[derive(Debug, Default)]
pub(super) struct Moved {
    /// Whether names may mean something else, or run something else.
    any: bool,
    /// New names of what was there.
    names: Vec<String>,
    /// Whether a table may have got what its rows are computed by.
    computed: bool,
}

impl Moved {
    /// Whether a statement can be read by the catalog from before the text.
    pub(super) fn reads(&self, statement: &Statement) -> bool {
        match statement {
            _ if !self.any => true,
            Statement::Act(act) => {
                let known = |on: &Target| match on {
                    Target::Table(table) => !self.names.contains(&table.name),
                    Target::Function(path) => path.last().is_none_or(|name| !self.names.contains(name)),
                    Target::Resource => true,
                };
                let nothing = act.inner.is_none() && act.computes.is_empty() && act.domain.is_none();
                let plain = act.plugs.is_empty() && act.touches.is_none() && act.joins.is_empty();
                let plain = plain && (act.rewrites.is_empty() || !self.computed) && act.retypes.is_empty();
                nothing && plain && act.effects.iter().all(|(action, on)| *action != Action::SqlExecute && known(on))
            }
            Statement::Query(_) | Statement::Write(_) | Statement::Runs(_) | Statement::Copy(_) | Statement::Opaque => {
                false
            }
        }
    }

    /// Takes what a statement changes.
    pub(super) fn take(&mut self, statement: &Statement, walk: &Walk<'_>) {
        if let Statement::Act(act) = statement {
            let own = |name: &Vec<String>| walk.own_type(name).is_some();
            let changes = |action: Action| matches!(action, Action::SqlAlter | Action::SqlDrop);
            self.any |= act.effects.iter().any(|(action, _)| changes(*action));
            self.any |= act.changes.catalog && (!act.adds || act.types.iter().any(own));
            self.names.extend(act.renames.clone());
            let on_tables = act.effects.iter().all(|(_, on)| matches!(on, Target::Table(_)));
            let values = act.computes.iter().all(is_value);
            self.computed |=
                act.changes.catalog && !act.adds && !(on_tables && values && act.types.iter().all(|of| !own(of)));
        }
    }
}

impl<'a> Walk<'a> {
    /// Runs what a view's query runs.
    fn relation_query(&mut self, relation: &'a Relation) {
        let query = relation.definition.as_deref().and_then(|text| self.lowered(text));
        let Some(program) = query else { return self.unknown() };
        self.under_definitions(|walk| {
            for statement in &program.statements {
                let _: Shown = walk.statement(statement, &Scope::default());
            }
        });
    }
}
