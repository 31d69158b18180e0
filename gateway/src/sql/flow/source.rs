//! What a query reads from: relations, joins, functions, queries within.

use std::sync::Arc;

use super::function::POLYMORPHIC;
use super::graph::Node;
use super::oid::{BROUGHT, INT8, RECORD};
use super::own::Operand;
use super::query::united;
use super::scope::{Column, Item, Rows, Scope, is_withheld, withheld};
use super::value::Value;
use super::{WITHHELD, Walk};
use crate::access::{Action, ColumnName, Facts, Object, TableName, Tags};
use crate::sql::builtin;
use crate::sql::form::{Expr, On, Source, Table};

/// Tables among the relations that may be read in part: those have columns of the server's own beside.
const TABLES: [&str; 6] =
    ["pg_attribute", "pg_authid", "pg_seclabel", "pg_shseclabel", "pg_subscription", "pg_user_mapping"];

impl Walk<'_> {
    /// Takes what a query reads from into scope, from left to right.
    pub(super) fn sources(&mut self, sources: &[Source], scope: &mut Scope<'_>) {
        for source in sources {
            let items = self.source(source, scope);
            scope.items.extend(items);
        }
    }

    fn source(&mut self, source: &Source, scope: &Scope<'_>) -> Vec<Item> {
        if !self.step() {
            let rows = Rows { columns: Vec::new(), open: Some(self.graph.unknown(Vec::new())) };
            return vec![Item { bare: true, rows, ..Item::default() }];
        }
        match source {
            Source::Table(table) => vec![self.read(table, scope)],
            Source::Derived { alias, columns, query, lateral } => {
                let around = scope.around();
                self.repeats |= *lateral;
                let rows = self.query(query, if *lateral { scope } else { &around });
                let rows = self.renamed(rows, columns);
                vec![item(alias.clone(), rows)]
            }
            Source::Function { alias, columns, calls, types, ordinality } => {
                self.repeats = true;
                let rows = self.function_rows(calls, alias.as_deref(), *ordinality, scope);
                self.made_as(types, rows.columns.iter().map(|column| column.node).chain(rows.open).collect());
                let rows = self.renamed(rows, columns);
                let name = alias.clone().or_else(|| match calls.first() {
                    Some(Expr::Call(call)) => call.name.last().cloned(),
                    _ => None,
                });
                vec![item(name, rows)]
            }
            Source::Computed { alias, names, types, from } => {
                let mut nodes = Vec::new();
                for expr in from {
                    let value = self.expr(expr, scope);
                    self.filter(value.nodes.clone());
                    nodes.extend(value.nodes);
                }
                self.made_as(types, nodes.clone());
                let node = self.graph.derived(nodes);
                let columns = names.iter().map(|name| Column { name: name.clone(), node, of: None });
                vec![item(alias.clone(), Rows { columns: columns.collect(), open: None })]
            }
            Source::Join { left, right, on, alias, columns } => {
                self.join(left, right, on, alias.as_deref(), columns, scope)
            }
            Source::Opaque => {
                self.unknown();
                let open = Some(self.graph.unknown(Vec::new()));
                vec![item(None, Rows { columns: Vec::new(), open })]
            }
        }
    }

    /// Values become those of types that the statement names, which may run code of the database's own.
    fn made_as(&mut self, types: &[Vec<String>], nodes: Vec<Node>) {
        let value = Value { nodes, ..Value::default() };
        for name in types {
            if let Some((of, _)) = self.own_type(name) {
                self.type_runs(of, &value);
            }
        }
    }

    fn join(
        &mut self,
        left: &Source,
        right: &Source,
        on: &On,
        alias: Option<&str>,
        columns: &[String],
        scope: &Scope<'_>,
    ) -> Vec<Item> {
        let mut inside = scope.around();
        inside.items.clone_from(&scope.items);
        let mut lefts = self.source(left, &inside);
        inside.items.extend(lefts.iter().cloned());
        let mut rights = self.source(right, &inside);
        // All of it is copied several times.
        let breadth = inside.items.iter().chain(&rights).map(Item::breadth).sum::<usize>();
        if !self.looks_through(breadth) {
            return Vec::new();
        }
        let sides = |items: &[Item]| -> (Vec<Column>, Vec<Node>) {
            let bare = || items.iter().filter(|item| item.bare);
            (bare().flat_map(|item| item.rows.columns.clone()).collect(), bare().filter_map(|i| i.rows.open).collect())
        };
        let ((mut one, open_left), (mut other, open_right)) = (sides(&lefts), sides(&rights));
        let open: Vec<Node> = open_left.into_iter().chain(open_right).collect();
        let brought = open.iter().all(|node| self.brought.contains(node)).then_some(BROUGHT);
        let mut using = on.using.clone();
        let withheld: Vec<Node> = one.iter().chain(&other).filter(|c| is_withheld(c)).map(|c| c.node).collect();
        if on.natural {
            self.filter(withheld.clone());
            using = one.iter().filter(|c| other.iter().any(|o| o.name == c.name)).map(|c| c.name.clone()).collect();
            if let [first, ..] = open.as_slice() {
                // Whatever columns have the same name are compared.
                let all: Vec<Node> = one.iter().chain(&other).map(|c| c.node).chain([*first]).collect();
                self.filter(all.clone());
                self.graph.tie(&all);
                self.compares(brought, None);
                self.compares(None, brought);
            }
        }
        let mut merged = Vec::new();
        for name in &using {
            let take = |side: &mut Vec<Column>| {
                let at = side.iter().position(|column| column.name == *name)?;
                Some(side.remove(at))
            };
            match (take(&mut one), take(&mut other)) {
                (Some(a), Some(b)) => {
                    let builtin = self.compares(a.of, b.of);
                    if !builtin || self.graph.is_collated(a.node) || self.graph.is_collated(b.node) {
                        self.filter([a.node, b.node]);
                    } else {
                        self.filters.push((a.node, super::Equality::With(b.node)));
                        self.filters.push((b.node, super::Equality::With(a.node)));
                    }
                    self.graph.tie(&[a.node, b.node]);
                    let node = self.graph.same(a.node);
                    self.graph.feed(node, [b.node]);
                    let size = self.graph.size(a.node).or(self.graph.size(b.node));
                    self.graph.resize(node, size);
                    merged.push(Column { node, of: united(a.of, b.of), ..a });
                }
                (a, b) => {
                    // One of a relation that nobody knows the columns of. Whatever it is, it is compared.
                    let of = |column: &Option<Column>| column.as_ref().map_or(brought, |column| column.of);
                    self.compares(of(&a), of(&b));
                    let others = open.iter().chain(&withheld).copied();
                    let nodes: Vec<Node> = a.iter().chain(&b).map(|c| c.node).chain(others).collect();
                    self.filter(nodes.clone());
                    self.graph.tie(&nodes);
                    merged.push(Column { name: name.clone(), node: self.graph.derived(nodes), of: None });
                }
            }
        }
        if let Some(condition) = &on.condition {
            // The two sides, and what is around the whole FROM list.
            let mut visible = scope.around();
            visible.items.extend(lefts.iter().chain(&rights).cloned());
            self.predicate(condition, &visible);
        }
        let hides = alias.is_some();
        for item in lefts.iter_mut().chain(&mut rights) {
            item.bare = false;
            item.named &= !hides;
        }
        let mut rows = Rows { columns: merged.clone(), open: open.first().copied() };
        if open.len() > 1 {
            let brought = open.iter().all(|node| self.brought.contains(node));
            let one = self.graph.derived(open);
            self.brought.extend(brought.then_some(one));
            rows.open = Some(one);
        }
        rows.columns.extend(one.into_iter().chain(other));
        let rows = self.renamed(rows, columns);
        let whole = Item { name: alias.map(str::to_owned), named: hides, bare: true, rows, ..Item::default() };
        let mut items: Vec<Item> = lefts.into_iter().chain(rights).chain([whole]).collect();
        if let Some(name) = on.using_alias.as_ref().filter(|_| !hides) {
            let rows = Rows { columns: merged, open: None };
            items.push(Item { name: Some(name.clone()), named: true, rows, ..Item::default() });
        }
        items
    }

    /// A relation, or a common table expression.
    fn read(&mut self, table: &Table, scope: &Scope<'_>) -> Item {
        if table.schema.is_none()
            && self.looks_through(scope.ctes.count())
            && let Some((rows, left_out)) = scope.ctes.find(&table.name, scope.depth())
        {
            let rows = rows.clone();
            if !self.looks_through(rows.columns.len()) {
                return Item::default();
            }
            let columns: Vec<Column> =
                rows.columns.into_iter().map(|c| Column { node: self.graph.same(c.node), ..c }).collect();
            self.left_out.extend(columns.iter().rev().take(left_out).map(|column| column.node));
            let rows = self.renamed(Rows { columns, open: rows.open }, &table.columns);
            return item(Some(table.called().to_owned()), rows);
        }
        self.table_read(table);
        let mut item = self.item(table);
        if let Some(relation) = self.relation(table) {
            self.policies(relation, &item.rows.columns);
        }
        item.rows = self.renamed(item.rows, &table.columns);
        item
    }

    /// A relation's rows under the name that the statement gives it.
    pub(super) fn item(&mut self, table: &Table) -> Item {
        let mut item = item(Some(table.called().to_owned()), Rows::default());
        match self.relation(table) {
            Some(relation) => {
                item.schema = table.alias.is_none().then(|| Arc::clone(&relation.schema));
                item.rows = self.relation_rows(relation);
                item.stored = relation.has_system_columns();
            }
            None if self.system_schema(table).is_some() => {
                item.schema = table.alias.is_none().then(|| "pg_catalog".into());
                let schema = self.system_schema(table).unwrap_or("pg_catalog");
                item.rows = self.system_rows(schema, &table.name);
                item.stored = TABLES.contains(&table.name.as_str());
            }
            None => {
                item.schema = table.schema.as_deref().filter(|_| table.alias.is_none()).map(Into::into);
                item.rows.open = Some(self.graph.unknown(Vec::new()));
                item.unresolved = Some(table.clone());
            }
        }
        item
    }

    /// The rows of a relation of the system's: harmless columns of any name, or all that it has; where those are not known, the
    /// columns that may be read, and one that stands for the others.
    fn system_rows(&mut self, schema: &str, name: &str) -> Rows {
        let harmless = self.graph.derived(Vec::new());
        self.brought.insert(harmless);
        let table =
            TableName { database: Arc::clone(&self.catalog.database), schema: schema.into(), table: name.into() };
        let others = Arc::new(ColumnName { table, column: WITHHELD.into() });
        let readable = builtin::readable_columns(schema, name);
        let hidden = builtin::withheld_column(schema, name);
        if (readable.is_some() || hidden.is_some())
            && let Some(known) = self.catalog.system.get(name).filter(|_| schema == "pg_catalog")
        {
            let shown = |column: &str| match readable {
                Some(readable) => readable.contains(&column),
                None => hidden != Some(column),
            };
            let columns = known.iter().map(|(column, of)| {
                let node = match shown(column) {
                    true => self.graph.same(harmless),
                    false => self.graph.column(&others, &Tags::default(), None),
                };
                // What is in an `anyarray` may be of any type.
                let of = Some(*of).filter(|of| !POLYMORPHIC.contains(of));
                Column { name: column.to_string(), node, of }
            });
            return Rows { columns: columns.collect(), open: None };
        }
        let Some(readable) = readable else {
            let mut rows = Rows { columns: Vec::new(), open: Some(harmless) };
            if let Some(column) = hidden {
                let node = self.graph.column(&others, &Tags::default(), None);
                rows.columns.push(Column { name: column.to_owned(), node, of: None });
            }
            return rows;
        };
        let mut columns: Vec<Column> = readable
            .iter()
            .map(|name| Column { name: (*name).to_owned(), node: self.graph.same(harmless), of: Some(BROUGHT) })
            .collect();
        let node = self.graph.column(&others, &Tags::default(), None);
        columns.push(Column { name: withheld(builtin::withheld_columns(schema, name)), node, of: None });
        Rows { columns, open: None }
    }

    /// The rows of functions in a FROM list.
    fn function_rows(&mut self, calls: &[Expr], alias: Option<&str>, ordinality: bool, scope: &Scope<'_>) -> Rows {
        let mut rows = Rows::default();
        for call in calls {
            let value = self.expr(call, scope);
            let name = match call {
                Expr::Call(call) => call.name.last().cloned().unwrap_or_default(),
                _ => String::new(),
            };
            let of = value.of;
            match &value.row {
                Some(row) => {
                    let row = row.clone();
                    if of == Some(RECORD) {
                        // What its columns are turned into, its caller says.
                        self.filter(row.columns.iter().map(|column| column.node).chain(row.open));
                    }
                    self.append(&mut rows, row);
                }
                None => {
                    let node = self.node(&value);
                    // Elements that are rows are taken apart: their columns come before all others of their names.
                    let taken = || name == "unnest" && !value.nodes.is_empty() && self.may_be_row(&value);
                    let own = || self.catalog.functions_named(&name).next().is_some();
                    let one = value.column.is_none() && one_column(&name) && !own() && !taken();
                    let called = value.column.clone().or_else(|| one.then_some((name, false)));
                    if let Some((name, fixed)) = called {
                        let name = alias.filter(|_| calls.len() == 1 && !fixed).map_or(name, str::to_owned);
                        rows.columns.push(Column { name, node, of });
                    } else {
                        if Operand::of(of) == Operand::Of(BROUGHT) {
                            self.brought.insert(node);
                        }
                        self.append(&mut rows, Rows { columns: Vec::new(), open: Some(node) });
                    }
                }
            }
        }
        if ordinality {
            let node = self.graph.derived(Vec::new());
            rows.columns.push(Column { name: "ordinality".to_owned(), node, of: Some(INT8) });
        }
        rows
    }

    /// A relation is read: `count(*)` names no column.
    pub(super) fn table_read(&mut self, table: &Table) {
        self.looks = self.looks.saturating_add(1);
        let (name, tags) = self.table(table);
        if self.is_dangerous(table) {
            // Statistics, other sessions' statements, large objects: values without their columns.
            self.unknown();
        }
        if table.name == "pg_settings" && self.system_schema(table).is_some() {
            self.plain(Action::SqlSession, Object::Resource);
        }
        self.effect(Action::SqlRead, Object::Table(name), tags, Facts::default());
    }

    /// Whether a relation is one of the system's that is not known to be harmless, or may be.
    pub(super) fn is_dangerous(&self, table: &Table) -> bool {
        match self.system_schema(table) {
            Some(schema) => {
                !builtin::is_harmless_relation(schema, &table.name)
                    && builtin::readable_columns(schema, &table.name).is_none()
            }
            // The system's own comes before one that somebody made of that name.
            None if table.schema.is_none() && table.name.starts_with("pg_") => {
                self.relation(table).is_none()
                    || self.temporary_relation(table).is_none() && builtin::is_withheld(&table.name)
            }
            None => false,
        }
    }
}

fn item(name: Option<String>, rows: Rows) -> Item {
    Item { named: name.is_some(), name, rows, bare: true, ..Item::default() }
}

/// Built-in functions that return rows of one column, called as the function is or as its alias.
fn one_column(function: &str) -> bool {
    matches!(
        function,
        "generate_series"
            | "generate_subscripts"
            | "regexp_split_to_table"
            | "string_to_table"
            | "json_object_keys"
            | "jsonb_object_keys"
            | "regexp_matches"
            | "unnest"
    )
}
