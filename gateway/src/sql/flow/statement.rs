//! Statements: what each kind does, and what it answers with.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::oid::TEXT;
use super::scope::{Column, Rows, Scope};
use super::value::Value;
use super::{Goes, Shown, Walk};
use crate::access::{Action, Facts, Name, Object};
use crate::sql::Changes;
use crate::sql::builtin;
use crate::sql::catalog::Key;
use crate::sql::form::{Act, Copy, Expr, Inner, Quoted, Source, Statement, Table, Target};

impl Walk<'_> {
    pub(super) fn statement(&mut self, statement: &Statement, outer: &Scope<'_>) -> Shown {
        if !self.step() {
            return Shown::Unknown;
        }
        match statement {
            Statement::Query(query) => {
                let rows = self.query(query, outer);
                if query.into.is_some() { Shown::Nothing } else { Shown::Rows(rows) }
            }
            Statement::Write(write) => self.write(write, outer),
            Statement::Copy(copy) => self.copy(copy, outer),
            Statement::Runs(runs) => self.by_name(runs, outer),
            Statement::Act(act) => self.act(act, outer),
            Statement::Opaque => self.opaque_statement(),
        }
    }

    pub(super) fn opaque_statement(&mut self) -> Shown {
        self.changes = Changes::ALL;
        self.unknown();
        Shown::Unknown
    }

    fn copy(&mut self, copy: &Copy, outer: &Scope<'_>) -> Shown {
        let rows = match (&copy.table, &copy.query) {
            (Some(table), _) if copy.from_client => {
                self.copy_in(table, &copy.columns, copy.predicate.as_ref());
                return Shown::Nothing;
            }
            (Some(table), _) => self.copied(table, &copy.columns),
            (None, Some(query)) => {
                let shown = self.statement(query, outer);
                self.shown(shown)
            }
            (None, None) => return self.opaque_statement(),
        };
        let quoted = |column: &Column| match &copy.quoted {
            Quoted::No => false,
            Quoted::All => true,
            Quoted::Columns(names) => names.contains(&column.name),
        };
        let quoted = rows.columns.iter().map(quoted).collect();
        Shown::Stream { rows, quoted, written: copy.written.clone() }
    }

    /// The columns of a table that COPY reads.
    fn copied(&mut self, table: &Table, columns: &[String]) -> Rows {
        let mut scope = Scope::default();
        self.sources(&[Source::Table(table.clone())], &mut scope);
        let Some(item) = scope.items.first() else { return Rows::default() };
        if columns.is_empty() {
            // Generated columns are left out: the stream's have no names to tell by.
            let generated = self.relation(table).is_some_and(|relation| relation.columns.iter().any(|c| c.generated));
            let mut rows = item.rows.clone();
            if generated && let Some(relation) = self.relation(table) {
                let kept = |name: &str| relation.columns.iter().any(|c| &*c.name == name && !c.generated);
                rows.columns.retain(|column| kept(&column.name));
            }
            return rows;
        }
        let mut rows = Rows::default();
        for name in columns {
            let value = self.expr(&Expr::Column(vec![name.clone()]), &scope);
            let node = self.node(&value);
            rows.columns.push(Column { name: name.clone(), node, of: value.of });
        }
        rows
    }

    fn act(&mut self, act: &Act, outer: &Scope<'_>) -> Shown {
        self.gives(act);
        self.changes |= act.changes;
        if self.depth > 0 && !act.namings.is_empty() {
            // Where a body gives names, nobody counts when it does.
            self.changes |= Changes::NAMES;
        }
        self.computes(act, outer);
        self.ordered(act);
        self.referred(act);
        self.defines(act);
        let (mut target, mut executes) = (None, false);
        let called = if act.calls || act.block.is_some() { self.plain_act(act, outer) } else { None };
        for (action, on) in act.effects.iter().filter(|_| called.is_none()) {
            match on {
                Target::Resource => self.plain(*action, Object::Resource),
                Target::Table(table) => {
                    let (name, tags) = if act.rowless { self.table_itself(table) } else { self.table(table) };
                    self.effect(*action, Object::Table(Arc::clone(&name)), tags, Facts::default());
                    target.get_or_insert(Object::Table(name));
                    self.act_on(*action, table);
                }
                Target::Function(name) => {
                    let object = self.function_object(name);
                    executes |= *action == Action::SqlExecute;
                    self.plain(*action, object);
                }
            }
        }
        if let Some(shown) = called {
            return shown;
        }
        let Some(inner) = &act.inner else {
            return match (executes, act.tells) {
                (true, _) => Shown::Unknown,
                (_, true) => {
                    let open = Some(self.graph.derived(Vec::new()));
                    Shown::Rows(Rows { columns: Vec::new(), open })
                }
                _ => Shown::Nothing,
            };
        };
        let before = self.filters.len();
        let (mentioned, replaced) = (self.mentioned.len(), self.replaced.len());
        let (planned, carried) = (self.planned.len(), self.carried.len());
        let kept = std::mem::take(&mut self.keeps);
        let repeated = std::mem::take(&mut self.repeats);
        let shown = self.statement(inner, outer);
        if act.becomes == Inner::Explained {
            // A plan tells how many rows the server expects: from what it keeps of the column's values.
            let used: Vec<_> = self.filters.iter().skip(before).map(|(node, _)| *node).collect();
            self.leaks.extend(used);
            // And it shows constants, some of which are computed for it.
            self.leaks.extend(self.planned.iter().skip(planned));
            if act.ran && (self.keeps || act.weighs) {
                // And how much memory, or how many bytes of files, the rows took that were kept on their way.
                self.weighed.extend(self.carried.iter().skip(carried));
            }
            if act.ran && self.repeats {
                // And how often a value came that had come before.
                self.leaks.extend(self.mentioned.iter().skip(mentioned));
            }
            if act.ran {
                // And how many bytes of the log, or entries of indexes, an update took: less where the value stood there.
                self.leaks.extend(self.replaced.iter().skip(replaced));
            }
        }
        self.repeats |= repeated;
        self.keeps |= kept;
        match (act.becomes, shown) {
            (Inner::Run, shown) => shown,
            (Inner::Named, Shown::Rows(rows)) => {
                // Some later command gets them, under the masks that are given now.
                self.named.push(rows);
                Shown::Nothing
            }
            (Inner::Kept, Shown::Rows(rows)) => {
                let object = target.unwrap_or(Object::Resource);
                for node in rows.columns.iter().map(|column| column.node).chain(rows.open) {
                    self.flows.push((object.clone(), Goes::Out, node));
                }
                Shown::Nothing
            }
            (Inner::Explained, _) => {
                let node = self.graph.derived(Vec::new());
                let plan = Column { name: "QUERY PLAN".to_owned(), node, of: Some(TEXT) };
                Shown::Rows(Rows { columns: vec![plan], open: None })
            }
            (Inner::Prepared, _) | (_, Shown::Nothing) => Shown::Nothing,
            (_, Shown::Unknown | Shown::Fetched | Shown::Stream { .. }) => {
                self.unknown();
                Shown::Unknown
            }
        }
    }

    /// Expressions that a statement computes, from the rows of the table that it is on: what comes of them is kept, or tells
    /// something by failing.
    fn computes(&mut self, act: &Act, outer: &Scope<'_>) {
        if act.computes.is_empty() && act.retypes.is_empty() && act.domain.is_none() {
            return;
        }
        let table = act.over.as_ref().or_else(|| {
            act.effects.iter().find_map(|(_, on)| match on {
                Target::Table(table) => Some(table),
                _ => None,
            })
        });
        let mut scope = outer.inner();
        if let Some(name) = &act.domain {
            let node = self.values_of(name);
            let column = Column { name: "value".to_owned(), node, of: None };
            let rows = Rows { columns: vec![column], open: None };
            scope.items.push(super::scope::Item { bare: true, rows, ..Default::default() });
        } else if let Some(table) = table {
            scope.items.push(self.item(table));
        }
        if matches!(act.becomes, Inner::Prepared) && act.computes.iter().any(|of| self.collates(of)) {
            // How its parameters are compared, its text does not tell.
            self.unknown();
        }
        for expr in &act.computes {
            let value = self.expr(expr, &scope);
            if !act.refers.is_empty() {
                // A key's columns, compared with those of another type.
                self.taken(std::slice::from_ref(&value));
            }
            self.leaks.extend(value.nodes);
        }
        for (expr, to) in &act.retypes {
            let value = self.expr(expr, &scope);
            let own = self.own_type(to).map(|(of, _)| of);
            if let Some(of) = own.or_else(|| builtin::type_oid(to.last()?)) {
                self.assigned_to(&value, of);
                // Keys that stay compare it with what they did before.
                self.taken(&[Value { of: Some(of), ..Value::default() }]);
            }
        }
    }

    /// The order of an index's rows tells of its keys, and the server may read it in the place of the table.
    fn ordered(&mut self, act: &Act) {
        for (_, on) in &act.effects {
            let Target::Table(table) = on else { continue };
            if act.orders.is_empty() || self.relation(table).is_none() {
                continue;
            }
            let columns = self.item(table).rows.columns;
            self.leaks.extend(columns.iter().filter(|c| act.orders.contains(&c.name)).map(|c| c.node));
        }
    }

    /// A foreign key that comes tells whether the rows that are there have their values in another table.
    fn referred(&mut self, act: &Act) {
        for (table, columns) in &act.refers {
            let item = self.item(table);
            let keys: Vec<Expr> = match self.relation(table) {
                // Which of its keys is the primary one is not known here; that one has no NULL.
                Some(relation) if columns.is_empty() => {
                    let places = |key: &&Key| {
                        let not_null = |place: &i16| relation.columns.iter().any(|c| c.number == *place && c.not_null);
                        key.columns.iter().all(not_null)
                    };
                    let keys = relation.keys.iter().filter(places).flat_map(|key| &key.columns);
                    let keys: Vec<i16> = keys.copied().collect();
                    let columns = relation.columns.iter().filter(|c| keys.contains(&c.number));
                    columns.map(|c| Expr::Column(vec![c.name.to_string()])).collect()
                }
                None if columns.is_empty() => vec![Expr::Star(Vec::new())],
                _ => columns.iter().map(|name| Expr::Column(vec![name.clone()])).collect(),
            };
            let scope = Scope { items: vec![item], ..Scope::default() };
            for key in &keys {
                let value = self.expr(key, &scope);
                self.filter(value.nodes);
            }
        }
    }

    /// What an action on a table, that is not a write of rows, runs and reaches.
    fn act_on(&mut self, action: Action, table: &Table) {
        if action == Action::SqlTruncate
            && let Some(relation) = self.relation(table)
        {
            let catalog = self.catalog;
            let (mut seen, mut next) = (BTreeSet::from([relation.oid]), vec![relation]);
            while let Some(one) = next.pop() {
                if !self.step() {
                    return;
                }
                self.reaches(one);
                let fired: Vec<u32> =
                    one.triggers.iter().filter(|t| t.enabled && t.truncate).map(|t| t.function).collect();
                fired.into_iter().for_each(|function| self.execute(function));
                if one.oid != relation.oid {
                    let name = self.name_of(one);
                    self.effect(action, Object::Table(name.into()), one.tags.clone(), Facts::default());
                }
                // CASCADE takes what refers to it along; without that word the server wants all of those named.
                let more = catalog.descendants(one.oid).into_iter().chain(catalog.referencing(one.oid));
                next.extend(more.filter(|more| seen.insert(more.oid)));
            }
        }
    }

    pub(super) fn function_object(&self, name: &[String]) -> Object {
        let function = name.last().map(String::as_str).unwrap_or_default();
        let given = name.len().checked_sub(2).and_then(|i| name.get(i)).map(|schema| Name::from(schema.as_str()));
        let found = || {
            let known = self
                .path
                .iter()
                .find(|schema| self.catalog.functions_named(function).any(|known| known.schema == **schema));
            known.cloned().unwrap_or_else(|| "pg_catalog".into())
        };
        self.function_name(given.unwrap_or_else(found), function)
    }
}
