//! Writes: which rows, which values flow where, and what code a table runs for them.

use std::sync::Arc;

use super::graph::Node;
use super::oid::{TEXT, VARCHAR};
use super::scope::{Column, Item, Rows, SYSTEM_COLUMNS, Scope};
use super::stored::{Put, is_default};
use super::value::Value;
use super::{Goes, MAX_DEPTH, Shown, Walk};
use crate::access::{Action, ColumnName, Facts, Object, Predicate};
use crate::sql::catalog::{Event, Relation, RelationKind};
use crate::sql::form::{Expr, Query, Sees, Table, Write};
use crate::sql::postgres;
use crate::sql::predicate::{MAX_LIST, is_value_of, predicate};

impl<'a> Walk<'a> {
    pub(super) fn write(&mut self, write: &Write, outer: &Scope<'_>) -> Shown {
        let mut scope = outer.inner();
        scope.ctes = self.with(&write.with, &scope);
        let (name, tags) = self.table(&write.target);
        if self.may_be_system(&write.target) || self.is_dangerous(&write.target) {
            // An update of `pg_settings` is a SET.
            self.changes |= crate::sql::Changes::ALL;
            self.unknown();
        }
        let inserted = write.inserted.as_ref().map(|query| self.query(query, &scope));
        self.sources(&write.sources, &mut scope);
        self.keeps |= !write.sources.is_empty() || !write.with.is_empty();
        let target = self.item(&write.target);
        let alone = write.sources.is_empty();
        let known = self.relation(&write.target);
        // What is no column of it may be a parameter of the function that this stands in.
        let has = |column: &str| {
            known.map(|known| {
                let brought = known.has_system_columns() && SYSTEM_COLUMNS.contains(&column);
                brought || known.columns.iter().any(|c| *c.name == *column)
            })
        };
        // What a view computes may be the same in every row, and so are most of the columns that the system brings.
        let same = |column: &str| {
            known.is_some_and(|known| match target.rows.columns.iter().find(|shown| shown.name == column) {
                Some(shown) => known.kind == RelationKind::View && self.graph.exact(shown.node).len() < 2,
                None => column != "ctid",
            })
        };
        let is_target = |path: &[String]| match path {
            [column] => has(column).unwrap_or(alone),
            [table, column] => *table == write.target.called() && has(column).unwrap_or(true),
            _ => false,
        };
        let names_rows = |path: &[String]| is_target(path) && !path.last().is_some_and(|column| same(column));
        let is_constant = |number: usize| outer.is_constant(number);
        let how = predicate(write, &is_target, &names_rows, &is_constant);
        let inserts = inserted.as_ref().map(|rows| self.insert(write, rows, &target, &is_constant)).unwrap_or_default();
        if write.conflict {
            let excluded = self.excluded(write, inserted.as_ref(), &target);
            scope.items.push(excluded);
        }
        // The target's own columns come first: those of `excluded` only by its name.
        scope.items.insert(0, target.clone());
        let mut assigns = Vec::new();
        self.many = match &write.inserted {
            Some(query) => query.values.is_empty() || query.values.len() > MAX_LIST,
            None => !write.sources.is_empty() || !(write.assigned.is_empty() || how == Predicate::Equality),
        };
        let seen = Seen::of(&scope, write.merges);
        for assignment in &write.assigned {
            let value = self.operand(&assignment.value, seen.by(assignment.sees));
            if assignment.column.is_none() {
                self.reads_unplaced();
            }
            let node = self.node(&value);
            let constant = is_value_of(&assignment.value, &is_constant) && value.nodes.is_empty();
            let whole = assignment.column.as_ref().filter(|_| !assignment.part);
            let column = assignment.column.as_deref();
            self.assigned(
                &write.target,
                &target,
                whole.map(String::as_str),
                Assigned { node, of: value.of, constant },
                Event::Update,
            );
            if let (Some(known), Some(name), true) = (known, column, assignment.part) {
                self.part_of(known, &target, name, &value);
            }
            if column.is_none() && write.inserted.is_none() && write.actions.contains(&Action::SqlInsert) {
                // MERGE inserts by the columns' places: it may be any of them.
                let any = target.rows.columns.clone();
                known
                    .into_iter()
                    .for_each(|known| any.iter().for_each(|c| self.keyed(known, c, node, constant, Event::Update)));
            }
            let column = whole.cloned();
            assigns.push(Put { column, node, of: value.of, default: is_default(&assignment.value) });
        }
        for action in &write.actions {
            let facts = match action {
                Action::SqlInsert => Facts::default(),
                _ => Facts { predicate: how, bounded: how == Predicate::Equality, ..Facts::default() },
            };
            self.effect(*action, Object::Table(Arc::clone(&name)), tags.clone(), facts);
            match (*action, write.inserted.is_some()) {
                (Action::SqlInsert, true) => self.runs(*action, &write.target, facts, &inserts),
                (Action::SqlInsert, false) => {
                    // MERGE inserts what stands beside its updates: any column may be left out.
                    let mut put = assigns.clone();
                    put.iter_mut().for_each(|one: &mut Put| one.default = true);
                    self.runs(*action, &write.target, facts, &put);
                }
                _ => self.runs(*action, &write.target, facts, &assigns),
            }
        }
        if write.upsert {
            // Of a body that is called for one value after another they are those of many rows.
            let often = self.repeating || outer.arguments.iter().any(|argument| !argument.constant);
            let bounded = !often && write.inserted.as_ref().is_some_and(|query| !query.values.is_empty());
            let predicate = if bounded { Predicate::Equality } else { Predicate::Join };
            let facts = Facts { predicate, bounded, ..Facts::default() };
            self.effect(Action::SqlUpdate, Object::Table(Arc::clone(&name)), tags, facts);
            self.runs(Action::SqlUpdate, &write.target, facts, &assigns);
        }
        if let Some(relation) = known.filter(|_| write.upsert || write.actions.iter().any(|a| *a != Action::SqlInsert))
        {
            // Which rows there are to change, its policies decide.
            self.policies(relation, &target.rows.columns);
        }
        if let Some(predicate) = &write.predicate {
            self.predicate(predicate, &scope);
        }
        for part in &write.uses {
            self.predicate(part, &scope);
        }
        for (sees, condition) in &write.conditions {
            self.predicate(condition, seen.by(*sees));
        }
        if write.conflict {
            // Only the update sees what was to be inserted.
            scope.items.pop();
        }
        if write.merges {
            scope.items.rotate_left(1);
        }
        self.with_old_and_new(write, &target, &mut scope);
        let ruled = std::mem::take(&mut self.ruled);
        if !ruled.is_empty() {
            let mut nodes =
                self.outputs_of(&write.returning, &scope).columns.iter().map(|c| c.node).collect::<Vec<_>>();
            nodes.extend(ruled);
            return Shown::Rows(Rows { columns: Vec::new(), open: Some(self.graph.derived(nodes)) });
        }
        if write.returning.is_empty() {
            return Shown::Nothing;
        }
        Shown::Rows(self.outputs_of(&write.returning, &scope))
    }

    /// RETURNING names a row as it was and as it is (from version 18 on): by names that stand for nothing else, or are given.
    fn with_old_and_new(&mut self, write: &Write, target: &Item, scope: &mut Scope<'_>) {
        let reads = self.catalog.version == 0 || self.catalog.version >= 180_000;
        for (name, given) in ["old", "new"].into_iter().zip(&write.rows) {
            let name = given.as_deref().unwrap_or(name).to_owned();
            let taken = scope.named(std::slice::from_ref(&name)).is_some();
            if reads && !write.returning.is_empty() && !taken {
                let row = Item { name: Some(name), named: true, bare: false, schema: None, ..target.clone() };
                scope.items.push(row);
            }
        }
    }

    /// A value is put into a part of a column, beside what stands there: a key compares both together, and all of it becomes a
    /// value of the column's type.
    fn part_of(&mut self, relation: &'a Relation, target: &Item, column: &str, value: &Value) {
        let Some(place) = target.rows.columns.iter().find(|place| place.name == *column) else { return };
        let node = self.node(value);
        self.filter([node]);
        self.keyed(relation, place, node, false, Event::Update);
        let of = relation.columns.iter().find(|place| *place.name == *column).map(|place| place.type_oid);
        if let Some(of) = of {
            self.type_runs(of, value);
            let row = self.catalog.types.get(&self.base(of)).and_then(|of| self.catalog.relations.get(&of.relation));
            let fields: Vec<u32> = row.into_iter().flat_map(|row| &row.columns).map(|field| field.type_oid).collect();
            for of in fields.into_iter().chain([of]) {
                self.assigned_to(value, of);
            }
        }
    }

    /// COPY from the client: what it writes is the client's own.
    pub(super) fn copy_in(&mut self, table: &Table, columns: &[String], predicate: Option<&Expr>) {
        self.copies_in = true;
        let (name, tags) = self.table(table);
        self.effect(Action::SqlInsert, Object::Table(name), tags, Facts::default());
        if self.system_schema(table).is_some() || self.is_dangerous(table) {
            self.changes |= crate::sql::Changes::ALL;
            self.unknown();
        }
        self.many = true;
        let target = self.item(table);
        let all: Vec<String> = target.rows.columns.iter().map(|column| column.name.clone()).collect();
        let mut put = Vec::new();
        // From then on the data may have a word for a column's default.
        let default = self.catalog.version == 0 || self.catalog.version >= 160_000;
        for column in if columns.is_empty() { &all } else { columns } {
            let nothing = self.graph.derived(Vec::new());
            self.assigned(
                table,
                &target,
                Some(column),
                Assigned { node: nothing, of: None, constant: true },
                Event::Insert,
            );
            put.push(Put { column: Some(column.clone()), node: nothing, of: None, default });
        }
        self.runs(Action::SqlInsert, table, Facts::default(), &put);
        if let Some(predicate) = predicate {
            let scope = Scope { items: vec![target], ..Scope::default() };
            self.predicate(predicate, &scope);
        }
    }

    fn insert(&mut self, write: &Write, rows: &Rows, target: &Item, is_constant: &dyn Fn(usize) -> bool) -> Vec<Put> {
        let named = |at: usize| match write.columns.is_empty() {
            true => target.rows.columns.get(at).map(|column| column.name.clone()),
            false => write.columns.get(at).cloned(),
        };
        let constants = write.inserted.as_deref().map(|query| constants(query, is_constant)).unwrap_or_default();
        let lines = write.inserted.as_deref().map(|query| query.values.as_slice()).unwrap_or_default();
        let mut puts = Vec::new();
        for (at, column) in rows.columns.iter().enumerate() {
            let name = named(at).filter(|_| rows.open.is_none());
            let constant = constants.get(at).copied().unwrap_or(false);
            self.assigned(
                &write.target,
                target,
                name.as_deref(),
                Assigned { node: column.node, of: column.of, constant },
                Event::Insert,
            );
            let default = lines.iter().any(|line| line.get(at).is_some_and(is_default));
            puts.push(Put { column: name, node: column.node, of: column.of, default });
        }
        if let Some(open) = rows.open {
            self.reads_unplaced();
            self.assigned(
                &write.target,
                target,
                None,
                Assigned { node: open, of: None, constant: false },
                Event::Insert,
            );
            puts.push(Put { column: None, node: open, of: None, default: true });
        }
        puts
    }

    /// The row that was not inserted.
    fn excluded(&mut self, write: &Write, rows: Option<&Rows>, target: &Item) -> Item {
        let lines = write.inserted.as_deref().map(|query| query.values.as_slice()).unwrap_or_default();
        let (mut columns, mut left_out) = (Vec::new(), Vec::new());
        for (at, column) in target.rows.columns.iter().enumerate() {
            let place = match write.columns.is_empty() {
                true => Some(at),
                false => write.columns.iter().position(|name| *name == column.name),
            };
            let given = rows.and_then(|rows| rows.columns.get(place?)).map(|given| given.node);
            let word = place.is_some_and(|at| lines.iter().any(|line| line.get(at).is_some_and(is_default)));
            left_out.push(given.is_none() || word);
            let node = match (given, rows.and_then(|rows| rows.open)) {
                (Some(node), None) => self.graph.same(node),
                // It may be any of those whose number nobody knows.
                (given, open) => self.graph.derived(given.into_iter().chain(open).collect()),
            };
            columns.push(Column { node, ..column.clone() });
        }
        if let Some(relation) = self.relation(&write.target) {
            self.completed(relation, &mut columns, &left_out);
        }
        let open = rows.and_then(|rows| rows.open).or(target.rows.open);
        Item { name: Some("excluded".to_owned()), named: true, rows: Rows { columns, open }, ..Item::default() }
    }

    /// What the server puts beside what an INSERT gives: defaults where something is left out, and what it generates.
    fn completed(&mut self, relation: &'a Relation, columns: &mut [Column], left_out: &[bool]) {
        for ((place, column), _) in relation.columns.iter().zip(&mut *columns).zip(left_out).filter(|(_, out)| **out) {
            let domain = || self.catalog.types.get(&place.type_oid).and_then(|of| of.default.clone());
            if relation.kind == RelationKind::View {
                // Of the table under it.
                column.node = self.graph.unknown(vec![column.node]);
            } else if let Some(text) = place.default.clone().or_else(domain).filter(|_| !place.generated) {
                let value = self.stored(&text, &[]);
                column.node = self.graph.derived([vec![column.node], value.nodes].concat());
            }
        }
        for (at, place) in relation.columns.iter().enumerate().filter(|(_, place)| place.generated) {
            let Some(text) = &place.default else { continue };
            let value = self.stored(text, columns);
            if let Some(column) = columns.get_mut(at) {
                column.node = self.graph.derived(value.nodes);
            }
        }
    }

    /// A value is put into a column of a table; `None`: into one that nobody knows.
    fn assigned(
        &mut self,
        table: &Table,
        target: &Item,
        column: Option<&str>,
        Assigned { node: value, of, constant }: Assigned,
        event: Event,
    ) {
        let (name, _) = self.table(table);
        let place = column.and_then(|name| target.rows.columns.iter().find(|column| column.name == name));
        let Some(place) = place else {
            self.flows.push((Object::Table(name), Goes::Out, value));
            return;
        };
        let object =
            Object::Column(Arc::new(ColumnName { table: (*name).clone(), column: place.name.as_str().into() }));
        let text = |of: Option<u32>| if of == Some(VARCHAR) { Some(TEXT) } else { of };
        let converts = of.is_none() || text(of) != text(place.of);
        self.flows.push((object, Goes::Into { node: place.node, converts }, value));
        if event != Event::Insert {
            self.replaced.push(place.node);
        }
        let Some(relation) = self.relation(table) else { return };
        self.keyed(relation, place, value, constant, event);
    }

    /// What a table runs when rows of it are written, and where else that writes.
    fn runs(&mut self, action: Action, table: &Table, facts: Facts, put: &[Put]) {
        if let Some(relation) = self.relation(table) {
            self.runs_on(action, relation, facts, Some(put), 0);
        }
        // One after the other: the way from table to table may be long, and there may be as many as paths in a graph.
        while let Some((event, relation, facts)) = self.cascading.pop() {
            self.cascades(event, relation, facts);
        }
    }

    fn runs_on(&mut self, action: Action, relation: &'a Relation, facts: Facts, put: Option<&[Put]>, depth: usize) {
        if depth >= MAX_DEPTH || !self.step() {
            return self.unknown();
        }
        let catalog = self.catalog;
        self.reaches(relation);
        let event = match action {
            Action::SqlInsert => Event::Insert,
            Action::SqlUpdate => Event::Update,
            _ => Event::Delete,
        };
        self.fires(event, relation, put);
        let mut replaced = relation.triggers.iter().any(|trigger| trigger.instead && trigger.enabled);
        for rule in relation.rules.iter().filter(|rule| rule.event == event) {
            replaced |= rule.instead;
            self.rule(&rule.definition, relation);
        }
        if event != Event::Delete {
            self.computed_for(event, relation, put);
        }
        for child in catalog.descendants(relation.oid) {
            self.reaches(child);
            self.fires(event, child, put);
            if event == Event::Update && relation.partition_key.is_some() {
                // A row that goes from one partition into another.
                self.fires(Event::Delete, child, put);
                self.fires(Event::Insert, child, put);
            }
            if event != Event::Delete {
                // A row that goes into a partition, or is a child's.
                self.computed_for(event, child, put);
            }
        }
        if event == Event::Delete {
            self.referenced(relation);
        }
        if event != Event::Insert {
            let what = if event == Event::Delete { Action::SqlDelete } else { Action::SqlUpdate };
            // Tables may refer to each other, or to themselves.
            if self.cascaded.insert((relation.oid, what, facts)) {
                self.cascading.push((event, relation, facts));
            }
        }
        if relation.kind == RelationKind::View && !replaced {
            // The server writes what it shows.
            let mut bases: Vec<u32> = relation.dependencies.iter().map(|(oid, _)| *oid).collect();
            bases.sort_unstable();
            bases.dedup();
            for base in bases.into_iter().filter(|oid| *oid != relation.oid) {
                let Some(base) = catalog.relations.get(&base) else { continue };
                let object = Object::Table(self.name_of(base).into());
                self.effect(action, object, base.tags.clone(), facts);
                self.runs_on(action, base, facts, None, depth.saturating_add(1));
            }
        }
    }

    fn fires(&mut self, event: Event, relation: &'a Relation, put: Option<&[Put]>) {
        let fired = relation.triggers.iter().filter(|trigger| {
            trigger.enabled
                && match event {
                    Event::Insert => trigger.insert,
                    Event::Update => trigger.update,
                    _ => trigger.delete,
                }
        });
        fired.for_each(|trigger| self.fire(trigger, event, relation, put));
    }

    /// Rows elsewhere go or change with the rows here, and run what is run for them there.
    fn cascades(&mut self, event: Event, relation: &'a Relation, facts: Facts) {
        let what = if event == Event::Delete { Action::SqlDelete } else { Action::SqlUpdate };
        for other in self.catalog.referencing(relation.oid) {
            let keys = other.foreign_keys.iter().filter(|key| key.target == relation.oid && key.writes);
            let written: Vec<i16> = keys.flat_map(|key| key.columns.iter().copied()).collect();
            if written.is_empty() {
                continue;
            }
            let object = Object::Table(self.name_of(other).into());
            self.effect(what, object, other.tags.clone(), facts);
            if event == Event::Delete {
                self.runs_on(Action::SqlDelete, other, facts, None, 0);
            }
            let node = self.graph.derived(Vec::new());
            let columns = other.columns.iter().filter(|column| written.contains(&column.number));
            let put =
                columns.map(|c| Put { column: Some(c.name.to_string()), node, of: Some(c.type_oid), default: true });
            let put: Vec<Put> = put.collect();
            self.runs_on(Action::SqlUpdate, other, facts, Some(&put), 0);
        }
    }

    /// A rule's actions: its statements, in which `new` and `old` are the table's rows.
    fn rule(&mut self, definition: &str, relation: &'a Relation) {
        postgres::deep(definition, || self.rule_actions(definition, relation));
    }

    fn rule_actions(&mut self, definition: &str, relation: &'a Relation) {
        if self.depth >= MAX_DEPTH {
            return self.unknown();
        }
        let Some((condition, program)) = postgres::lower_rule(definition, self.server()) else { return self.unknown() };
        self.depth += 1;
        let path = std::mem::replace(&mut self.path, self.catalog.definitions_path.clone());
        let temporary = self.temporary.take();
        let rows = self.relation_rows(relation);
        let around =
            |name: &str| Item { name: Some(name.to_owned()), named: true, rows: rows.clone(), ..Item::default() };
        let scope = Scope { items: vec![around("new"), around("old")], ..Scope::default() };
        if let Some(condition) = &condition {
            // For which rows it acts shows in how many there are.
            self.predicate(condition, &scope);
        }
        for statement in &program {
            if let Shown::Rows(rows) = self.statement(statement, &scope) {
                // A rule's query answers in the place of the command.
                self.ruled.extend(rows.columns.iter().map(|column| column.node).chain(rows.open));
                self.ruled.push(self.graph.derived(Vec::new()));
            }
        }
        self.path = path;
        self.temporary = temporary;
        self.depth -= 1;
    }
}

/// What a column is given; whether that is a constant or a parameter.
struct Assigned {
    node: Node,
    of: Option<u32>,
    constant: bool,
}

/// What the parts of a write see; the target is the first of its scope.
struct Seen<'s, 'p> {
    all: &'s Scope<'p>,
    apart: Option<[Scope<'p>; 2]>,
}

impl<'s, 'p> Seen<'s, 'p> {
    fn of(all: &'s Scope<'p>, merges: bool) -> Self {
        let with = |items: &[Item]| Scope { items: items.to_vec(), ..all.clone() };
        let apart =
            all.items.split_at_checked(1).filter(|_| merges).map(|(target, sources)| [sources, target].map(with));
        Seen { all, apart }
    }

    fn by(&self, sees: Sees) -> &Scope<'p> {
        match (sees, &self.apart) {
            (Sees::Sources, Some([sources, _])) => sources,
            (Sees::Target, Some([_, target])) => target,
            (Sees::All, _) | (_, None) => self.all,
        }
    }
}

/// For each column that a query inserts, whether every value is a constant or a parameter.
fn constants(query: &Query, is_constant: &dyn Fn(usize) -> bool) -> Vec<bool> {
    let is_value = |expr: &Expr| is_value_of(expr, is_constant);
    if query.values.is_empty() {
        return query.outputs.iter().map(|output| query.sources.is_empty() && is_value(&output.value)).collect();
    }
    let width = query.values.iter().map(Vec::len).max().unwrap_or(0);
    (0..width).map(|at| query.values.iter().all(|line| line.get(at).is_none_or(is_value))).collect()
}
