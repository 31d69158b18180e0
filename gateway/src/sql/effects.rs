//! From the relational form to actions on objects.
//!
//! The answer is never too small. Every column in a place whose value may come out is read; any other use filters. A
//! derived table's outputs are read whether or not the outer query passes them on. A name that the catalog does not
//! resolve is an effect on that name, with every tag's mask where the resource has any.

mod scope;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::scope::{Found, Scope};
use super::form::{Act, Cte, Expr, On, Query, Source, Statement, Table, Write};
use super::postgres::Program;
use super::predicate::{MAX_LIST, is_value, predicate};
use super::{Analysis, Catalog, Changes, Output, Settings, builtin};
use crate::access::{Action, ColumnName, Effect, Facts, FunctionName, Name, Object, Predicate, TableName, Tags};

/// An analysis, but for where its literals are.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) analysis: Analysis,
    /// Whether its literals may meet something sensitive.
    pub(super) literals_sensitive: bool,
}

/// What a text does that cannot be read.
pub(super) fn unreadable(text: &[u8]) -> Told {
    let hash = blake3::hash(text).to_hex();
    let effect =
        Effect { action: Action::SqlUnknown, object: Object::Resource, tags: Tags::default(), facts: Facts::default() };
    let analysis = Analysis {
        fingerprint: hash.as_str().get(..16).unwrap_or_default().into(),
        changes: Changes::ALL,
        copies_in: true,
        ..Analysis::of_operation(effect)
    };
    Told { analysis, literals_sensitive: true }
}

/// What a program does in a session with these settings on this database.
pub(super) fn told(program: &Program, catalog: &Catalog, settings: &Settings) -> Told {
    let path = settings.search_path.as_deref().unwrap_or(&catalog.search_path);
    let mut walk = Walk::new(catalog, path);
    for statement in &program.statements {
        // A search path that this very text changes is not the one its names are looked up by.
        if walk.changes.settings && !matches!(statement, Statement::Act(Act { inner: None, .. })) {
            walk.unknown();
        }
        walk.statement(statement, &Scope::default(), Use::Read);
    }
    if walk.unresolved && !catalog.complete {
        // Nothing is known of what the names stand for: no rule on an object could be told to match.
        walk.unknown();
    }
    if program.statements.is_empty() {
        walk.effect(Action::SqlSession, Object::Resource, Tags::default(), Facts::default());
    }
    let effects: Arc<[Effect]> = walk
        .effects
        .into_iter()
        .map(|((action, object), (tags, facts))| Effect { action, object, tags, facts })
        .collect();
    let rows = effects.iter().any(|e| matches!(e.action, Action::SqlRead | Action::SqlExecute | Action::SqlUnknown));
    let output = match (walk.streams, walk.fetches, rows) {
        (true, _, _) => Output::Stream,
        (false, true, _) => Output::Fetched,
        (false, false, true) => Output::Rows,
        (false, false, false) => Output::Harmless,
    };
    let sensitive = catalog.any_sensitive
        && (walk.unresolved || walk.touches_sensitive || effects.iter().any(|e| !e.tags.is_empty()));
    let analysis = Analysis {
        fingerprint: program.fingerprint.as_str().into(),
        statements: program.statements.len(),
        effects,
        output,
        literals: Arc::new([]),
        parameters: vec![sensitive; program.parameters].into(),
        changes: walk.changes,
        copies_in: walk.copies_in,
    };
    Told { analysis, literals_sensitive: sensitive }
}

/// What becomes of an expression's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// It may be in the result.
    Read,
    /// It decides something.
    Filter,
    /// It decides something, compared with values by equality.
    Equality,
    /// It is kept in an object that may be less protected.
    Keep,
}

struct Walk<'a> {
    catalog: &'a Catalog,
    path: &'a [Name],
    effects: BTreeMap<(Action, Object), (Tags, Facts)>,
    /// Whether a name was used that the catalog does not have.
    unresolved: bool,
    /// Whether a relation was named that has a tagged column: a literal may be meant for it.
    touches_sensitive: bool,
    fetches: bool,
    streams: bool,
    copies_in: bool,
    changes: Changes,
}

impl<'a> Walk<'a> {
    fn new(catalog: &'a Catalog, path: &'a [Name]) -> Self {
        Walk {
            catalog,
            path,
            effects: BTreeMap::new(),
            unresolved: false,
            touches_sensitive: false,
            fetches: false,
            streams: false,
            copies_in: false,
            changes: Changes::default(),
        }
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
        };
    }

    fn plain(&mut self, action: Action, object: Object) {
        self.effect(action, object, Tags::default(), Facts::default());
    }

    fn unknown(&mut self) {
        self.unresolved = true;
        self.plain(Action::SqlUnknown, Object::Resource);
    }

    fn statement(&mut self, statement: &Statement, outer: &Scope<'_>, usage: Use) {
        match statement {
            Statement::Query(query) => self.query(query, outer, usage),
            Statement::Write(write) => self.write(write, outer, usage),
            Statement::Copy { table, columns, query, from_client } => {
                self.copy(table.as_ref(), columns, query.as_deref(), *from_client);
            }
            Statement::Act(act) => self.act(act, outer),
            Statement::Opaque => {
                self.changes = Changes::ALL;
                self.unknown();
            }
        }
    }

    fn act(&mut self, act: &Act, outer: &Scope<'_>) {
        self.fetches |= act.fetches;
        self.changes |= act.changes;
        for (action, on) in &act.effects {
            match on {
                On::Resource => self.plain(*action, Object::Resource),
                On::Table(table) => {
                    let (name, tags) = self.table(table);
                    self.effect(*action, Object::Table(name), tags, Facts::default());
                }
                On::Function(name) => {
                    let name = self.function_name(name);
                    self.plain(*action, Object::Function(name));
                }
            }
        }
        if let Some(inner) = &act.inner {
            self.statement(inner, outer, if act.keeps { Use::Keep } else { Use::Read });
        }
    }

    fn copy(&mut self, table: Option<&Table>, columns: &[String], query: Option<&Statement>, from_client: bool) {
        match (table, from_client) {
            (Some(table), true) => {
                self.copies_in = true;
                let (name, tags) = self.table(table);
                self.effect(Action::SqlInsert, Object::Table(name), tags, Facts::default());
            }
            (Some(table), false) => {
                self.streams = true;
                let scope = Scope::default().with_sources(&[Source::Table(table.clone())], &[]);
                if columns.is_empty() {
                    self.expr(&Expr::Star(None), &scope, Use::Read);
                }
                for column in columns {
                    self.expr(&Expr::Column(vec![column.clone()]), &scope, Use::Read);
                }
                self.table_read(table);
            }
            (None, _) => {
                self.streams = true;
                match query {
                    Some(query) => self.statement(query, &Scope::default(), Use::Read),
                    None => self.unknown(),
                }
            }
        }
    }

    fn with<'s>(&mut self, with: &'s [Cte], outer: &Scope<'s>, usage: Use) -> Scope<'s> {
        // Visible to each other only in order, unless recursive: seeing more of them resolves no table wrongly but
        // one that a later one shadows, and that one is then read as well.
        let mut scope = outer.clone();
        for cte in with {
            scope.ctes.push(&cte.name);
            self.statement(&cte.statement, &scope, usage);
        }
        scope
    }

    fn query<'s>(&mut self, query: &'s Query, outer: &Scope<'s>, usage: Use) {
        let scope = self.with(&query.with, outer, usage);
        for arm in &query.arms {
            self.query(arm, &scope, usage);
        }
        let scope = self.sources(&query.sources, &scope, usage);
        if let Some(into) = &query.into {
            self.changes |= Changes::CATALOG;
            let (name, tags) = self.table(into);
            self.effect(Action::SqlCreate, Object::Table(name), tags, Facts::default());
        }
        let usage = if query.into.is_some() { Use::Keep } else { usage };
        for output in &query.outputs {
            self.expr(output, &scope, usage);
        }
        if let Some(predicate) = &query.predicate {
            self.expr(predicate, &scope, Use::Filter);
        }
        for part in &query.uses {
            self.expr(part, &scope, Use::Filter);
        }
        if query.natural {
            self.expr(&Expr::Star(None), &scope, Use::Filter);
        }
        // A result that depends on nothing but constants reads nothing; it is a statement all the same.
        if query.sources.is_empty() && query.arms.is_empty() && query.with.is_empty() && usage == Use::Read {
            self.plain(Action::SqlRead, Object::Resource);
        }
    }

    /// Takes what a query reads from into scope, and each relation as read: `count(*)` names no column.
    fn sources<'s>(&mut self, sources: &'s [Source], outer: &Scope<'s>, usage: Use) -> Scope<'s> {
        let scope = outer.with_sources(sources, &outer.ctes);
        for source in sources {
            match source {
                Source::Table(table) if outer.is_cte(table) => {}
                Source::Table(table) => self.table_read(table),
                Source::Derived { query, .. } => self.query(query, &scope, usage),
                Source::Function { calls, .. } => calls.iter().for_each(|call| self.expr(call, &scope, usage)),
                Source::Opaque => self.unknown(),
            }
        }
        scope
    }

    fn table_read(&mut self, table: &Table) {
        let (name, tags) = self.table(table);
        if builtin::is_system(&name.schema) && !builtin::is_harmless_relation(&name.schema, &name.table) {
            // Statistics, other sessions' statements, large objects: values without their columns.
            self.unknown();
        }
        self.effect(Action::SqlRead, Object::Table(name), tags, Facts::default());
    }

    fn write<'s>(&mut self, write: &'s Write, outer: &Scope<'s>, usage: Use) {
        let scope = self.with(&write.with, outer, usage);
        let (name, tags) = self.table(&write.target);
        if let Some(inserted) = &write.inserted {
            self.query(inserted, &scope, Use::Keep);
        }
        let scope = self.sources(&write.sources, &scope, Use::Keep);
        let target = [Source::Table(write.target.clone())];
        let alone = write.sources.is_empty();
        let scope = scope.and_sources(&target);
        let in_target = |path: &[String]| match path {
            [column] => {
                alone || self.relation(&write.target).is_some_and(|r| r.columns.iter().any(|c| *c.name == *column))
            }
            [table, _] => *table == write.target.alias,
            _ => false,
        };
        let predicate = predicate(write, &in_target);
        let bounded = predicate == Predicate::Equality;
        for action in &write.actions {
            let facts = match action {
                Action::SqlInsert => Facts::default(),
                _ => Facts { predicate, bounded, equality: false },
            };
            self.effect(*action, Object::Table(Arc::clone(&name)), tags.clone(), facts);
        }
        if write.upsert {
            let bounded = write.inserted.as_ref().is_some_and(|query| query.values);
            let predicate = if bounded { Predicate::Equality } else { Predicate::Join };
            let facts = Facts { predicate, bounded, equality: false };
            self.effect(Action::SqlUpdate, Object::Table(Arc::clone(&name)), tags, facts);
        }
        for value in &write.assigned {
            self.expr(value, &scope, Use::Keep);
        }
        for part in write.predicate.iter().chain(&write.uses) {
            self.expr(part, &scope, Use::Filter);
        }
        for output in &write.returning {
            self.expr(output, &scope, usage);
        }
    }

    fn expr<'s>(&mut self, expr: &'s Expr, scope: &Scope<'s>, usage: Use) {
        match expr {
            Expr::Constant | Expr::Parameter(_) => {}
            Expr::Column(path) => self.column(path, scope, usage),
            Expr::Star(qualifier) => self.star(qualifier.as_deref(), scope, usage),
            Expr::Call { name, arguments } => {
                self.call(name, arguments);
                arguments.iter().for_each(|argument| self.expr(argument, scope, demote(usage)));
            }
            Expr::Equal { left, right } => {
                let compared = |one: &Expr, other: &Expr| {
                    let list = match other {
                        Expr::Computed(values) => values.len() <= MAX_LIST,
                        _ => true,
                    };
                    matches!(one, Expr::Column(_)) && is_value(other) && list
                };
                let equality = usage == Use::Filter && (compared(left, right) || compared(right, left));
                let usage = if equality { Use::Equality } else { demote(usage) };
                self.expr(left, scope, usage);
                self.expr(right, scope, usage);
            }
            // Each conjunct is a use of its own.
            Expr::And(parts) if usage == Use::Filter => parts.iter().for_each(|part| self.expr(part, scope, usage)),
            Expr::And(parts) | Expr::Computed(parts) => {
                parts.iter().for_each(|part| self.expr(part, scope, demote(usage)));
            }
            // What a query in a condition returns only decides.
            Expr::Query(query) => self.query(query, scope, demote(usage)),
            Expr::Opaque => self.unknown(),
        }
    }

    /// A function that only computes is no effect. Anything else runs code that cannot be read.
    fn call(&mut self, name: &[String], arguments: &[Expr]) {
        let (schema, function) = match name {
            [function] => (None, function),
            [schema, function] => (Some(schema), function),
            _ => return self.unknown(),
        };
        if function == "set_config" && schema.is_none_or(|schema| schema == "pg_catalog") {
            self.changes |= Changes::SETTINGS;
            // Which setting is a value, and so may be a role.
            let _ = arguments;
            return self.unknown();
        }
        // A function of the same name with arguments that fit better would be called instead.
        let shadowed = || self.catalog.functions_named(function).next().is_some();
        let system = match schema {
            Some(schema) => schema == "pg_catalog",
            None => self.catalog.complete && !shadowed(),
        };
        if system && builtin::computes(function) {
            return;
        }
        let name = self.function_name(name);
        let known = self.catalog.functions_named(&name.function).find(|known| known.schema == name.schema);
        let tags = known.map(|function| function.tags.clone()).unwrap_or_default();
        self.effect(Action::SqlExecute, Object::Function(name), tags, Facts::default());
    }

    fn function_name(&self, name: &[String]) -> Arc<FunctionName> {
        let function: Name = name.last().map(String::as_str).unwrap_or_default().into();
        let given = name.len().checked_sub(2).and_then(|i| name.get(i)).map(|schema| Name::from(schema.as_str()));
        let found = || {
            let of = |schema: &&Name| self.catalog.functions_named(&function).any(|known| known.schema == **schema);
            self.path.iter().find(of).cloned().unwrap_or_else(|| "pg_catalog".into())
        };
        let schema = given.unwrap_or_else(found);
        Arc::new(FunctionName { database: Arc::clone(&self.catalog.database), schema, function })
    }
}

/// What becomes of a part of an expression: compared as a part it is not compared bare.
fn demote(usage: Use) -> Use {
    if usage == Use::Equality { Use::Filter } else { usage }
}

impl Walk<'_> {
    fn relation(&self, table: &Table) -> Option<&super::catalog::Relation> {
        scope::relation(self.catalog, self.path, table)
    }

    /// The full name and the tags of a relation; the name that it would have if the catalog does not know it.
    fn table(&mut self, table: &Table) -> (Arc<TableName>, Tags) {
        let database = Arc::clone(&self.catalog.database);
        let name = |schema: Name| TableName { database, schema, table: table.name.as_str().into() };
        if let Some(relation) = scope::relation(self.catalog, self.path, table) {
            self.touches_sensitive |= relation.columns.iter().any(|column| !column.tags.is_empty());
            return (Arc::new(name(Arc::clone(&relation.schema))), relation.tags.clone());
        }
        if let Some(schema) = scope::system_schema(table) {
            return (Arc::new(name(schema.into())), Tags::default());
        }
        self.unresolved = true;
        let schema = table.schema.as_deref().map(Name::from).or_else(|| self.path.first().cloned());
        (Arc::new(name(schema.unwrap_or_else(|| "public".into()))), Tags::default())
    }

    fn column(&mut self, path: &[String], scope: &Scope<'_>, usage: Use) {
        match scope.find(self.catalog, self.path, path) {
            Found::Columns(columns) => {
                for (table, column, tags) in columns {
                    self.touch(&table, column, tags, usage);
                }
            }
            Found::Row(table) => self.row(&table, usage),
            Found::Elsewhere => {}
            Found::Output if matches!(usage, Use::Filter | Use::Equality) => {}
            // A column that was added since the catalog was read.
            Found::Output | Found::Nowhere => self.unknown(),
        }
    }

    fn star(&mut self, qualifier: Option<&str>, scope: &Scope<'_>, usage: Use) {
        for table in scope.tables(qualifier) {
            self.row(&table, usage);
        }
    }

    /// Every column of a relation.
    fn row(&mut self, table: &Table, usage: Use) {
        let columns: Option<Vec<(Name, Tags)>> = self
            .relation(table)
            .map(|relation| relation.columns.iter().map(|c| (Arc::clone(&c.name), c.tags.clone())).collect());
        match columns {
            Some(columns) => columns.into_iter().for_each(|(name, tags)| self.touch(table, name, tags, usage)),
            // Its columns are not known: the relation stands for them.
            None => self.table_read(table),
        }
    }

    fn touch(&mut self, table: &Table, column: Name, tags: Tags, usage: Use) {
        let (name, _) = self.table(table);
        if builtin::is_system(&name.schema) {
            return;
        }
        let object = Object::Column(Arc::new(ColumnName { table: (*name).clone(), column }));
        match usage {
            Use::Read => self.effect(Action::SqlRead, object, tags, Facts::default()),
            Use::Filter => self.effect(Action::SqlFilter, object, tags, Facts::default()),
            Use::Equality => {
                self.effect(Action::SqlFilter, object, tags, Facts { equality: true, ..Facts::default() });
            }
            Use::Keep => {
                // Where it is kept, its tags are not.
                if !tags.is_empty() {
                    self.effect(Action::SqlDeclassify, object.clone(), tags.clone(), Facts::default());
                }
                self.effect(Action::SqlRead, object, tags, Facts::default());
            }
        }
    }
}
