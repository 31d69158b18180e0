//! Queries: what is visible in them, and the rows that they return.

use std::sync::Arc;

use super::graph::Node;
use super::oid::{BROUGHT, FIRST_OWN, INT8, RECORD};
use super::own::Operand;
use super::scope::{Column, Ctes, Found, Item, Rows, Scope, is_withheld, withheld};
use super::value::Value;
use super::{Goes, Shown, WITHHELD, Walk};
use crate::access::{Action, ColumnName, Facts, Object, TableName, Tags};
use crate::sql::builtin;
use crate::sql::form::{Added, Cte, Expr, On, Output, Query, Source, Statement, Table};

impl Walk<'_> {
    pub(super) fn query(&mut self, query: &Query, outer: &Scope<'_>) -> Rows {
        let mut scope = outer.inner();
        scope.ctes = self.with(&query.with, &scope);
        if !self.step() {
            return Rows { columns: Vec::new(), open: Some(self.graph.unknown(Vec::new())) };
        }
        self.keeps |= keeps(query);
        let rows = if query.arms.is_empty() { self.select(query, &mut scope) } else { self.combined(query, &scope) };
        for part in &query.uses {
            let value = self.expr(part, &scope);
            // LIMIT and OFFSET take that.
            self.assigned_to(&value, INT8);
            self.filter(value.nodes);
        }
        if query.sources.is_empty() && query.arms.is_empty() && query.with.is_empty() && outer.outer.is_none() {
            // A result that depends on nothing but constants reads nothing; it is a statement all the same.
            self.plain(Action::SqlRead, Object::Resource);
        }
        if let Some(into) = &query.into {
            self.gets(&into.name);
            self.changes |= crate::sql::Changes::CATALOG;
            self.event_triggers();
            self.kept(into, &rows);
        }
        rows
    }

    /// Keeps rows in a new table.
    pub(super) fn kept(&mut self, table: &Table, rows: &Rows) {
        let (name, tags) = self.table_itself(table);
        let object = Object::Table(name);
        self.effect(Action::SqlCreate, object.clone(), tags, Facts::default());
        for node in rows.columns.iter().map(|column| column.node).chain(rows.open) {
            self.flows.push((object.clone(), Goes::Out, node));
        }
    }

    pub(super) fn with(&mut self, with: &[Cte], outer: &Scope<'_>) -> Ctes {
        let (mut scope, level) = (outer.inner(), outer.depth());
        // Of a list that is recursive each sees those behind it as well, which the server reads first: what they hold is not
        // known there.
        for later in with.iter().skip(1).filter(|cte| cte.recursive) {
            let anything = self.graph.unknown(Vec::new());
            scope.ctes = scope.ctes.with(&later.name, Rows { columns: Vec::new(), open: Some(anything) });
        }
        for cte in with {
            if cte.recursive {
                // What it returns is visible in it: its columns are known from its first arm, what they hold afterwards.
                let own = self.first_arm(&cte.statement, &scope);
                let rows = self.renamed(own, &cte.columns);
                // So is what is added to it, by its name.
                let rows = self.with_added(rows, &cte.added);
                let mut inside = scope.inner();
                inside.ctes = scope.ctes.with_added(&cte.name, rows.clone(), cte.added.len(), level);
                let shown = self.statement(&cte.statement, &inside);
                let whole = self.shown(shown);
                for (column, more) in rows.columns.iter().zip(&whole.columns) {
                    self.graph.feed(column.node, [more.node]);
                }
                if let Some(open) = whole.open {
                    let all: Vec<Node> = rows.columns.iter().map(|column| column.node).chain(rows.open).collect();
                    all.into_iter().for_each(|node| self.graph.feed(node, [open]));
                }
                scope.ctes = scope.ctes.with_added(&cte.name, rows, cte.added.len(), level);
            } else {
                let shown = self.statement(&cte.statement, &scope);
                let rows = self.shown(shown);
                let rows = self.renamed(rows, &cte.columns);
                let rows = self.with_added(rows, &cte.added);
                scope.ctes = scope.ctes.with_added(&cte.name, rows, cte.added.len(), level);
            }
        }
        scope.ctes.clone()
    }

    /// With the columns of SEARCH and CYCLE. What they are computed from is ordered or compared.
    fn with_added(&mut self, mut rows: Rows, added: &[Added]) -> Rows {
        let mut columns = Vec::new();
        for one in added {
            let mut from: Vec<Node> =
                rows.columns.iter().filter(|c| one.from.contains(&c.name)).map(|c| c.node).collect();
            from.extend(rows.open);
            if one.ends {
                self.filter(from.clone());
            }
            let marks: Vec<Value> = one.marks.iter().map(|mark| self.expr(mark, &Scope::default())).collect();
            self.together(&marks.iter().collect::<Vec<_>>());
            columns.push(Column { name: one.name.clone(), node: self.graph.derived(from), of: None });
        }
        rows.columns.extend(columns);
        rows
    }

    /// The columns of a recursive query: new values, which its arms will be fed into.
    fn first_arm(&mut self, statement: &Statement, scope: &Scope<'_>) -> Rows {
        let mut first: &Query = match statement {
            Statement::Query(query) => query,
            _ => return Rows { columns: Vec::new(), open: Some(self.graph.unknown(Vec::new())) },
        };
        let mut inside = scope.inner();
        while let Some(arm) = first.arms.first() {
            inside.ctes = self.with(&first.with, &inside);
            first = arm;
        }
        let rows = self.query(first, &inside);
        let columns =
            rows.columns.into_iter().map(|column| Column { node: self.graph.derived(vec![column.node]), ..column });
        let columns = columns.collect();
        Rows { columns, open: rows.open.map(|open| self.graph.derived(vec![open])) }
    }

    pub(super) fn shown(&mut self, shown: Shown) -> Rows {
        match shown {
            Shown::Rows(rows) => rows,
            Shown::Nothing => Rows::default(),
            Shown::Fetched | Shown::Unknown | Shown::Stream { .. } => {
                Rows { columns: Vec::new(), open: Some(self.graph.unknown(Vec::new())) }
            }
        }
    }

    /// With other names for the first columns.
    fn renamed(&mut self, mut rows: Rows, names: &[String]) -> Rows {
        if !names.is_empty() && rows.columns.iter().any(is_withheld) {
            // The server counts columns that are not here.
            self.unknown();
        }
        if names.len() > rows.columns.len() && rows.open.is_none() {
            // There are more than are known here: what a function returns may be a row.
            rows.open = Some(self.graph.derived(rows.columns.iter().map(|column| column.node).collect()));
        }
        if let Some(open) = rows.open.filter(|_| !names.is_empty()) {
            // Those whose number nobody knows may stand before any: what has a new name is one column or another.
            let any = rows.columns.iter().map(|column| column.node).chain([open]).collect();
            let any = self.graph.derived(any);
            rows.open = Some(any);
            for column in &mut rows.columns {
                (column.node, column.of) = (any, None);
            }
        }
        for (column, name) in rows.columns.iter_mut().zip(names) {
            name.clone_into(&mut column.name);
        }
        if let Some(open) = rows.open {
            // Which of the others they are, nobody knows.
            for name in names.iter().skip(rows.columns.len()) {
                rows.columns.push(Column { name: name.clone(), node: open, of: None });
            }
        }
        rows
    }

    /// The arms of a set operation, column by column.
    fn combined(&mut self, query: &Query, scope: &Scope<'_>) -> Rows {
        let mut all: Option<Rows> = None;
        for arm in &query.arms {
            let rows = self.query(arm, scope);
            all = Some(match all {
                None => rows,
                Some(before) => self.beside(before, rows),
            });
        }
        let rows = all.unwrap_or_default();
        if !query.all {
            // Rows that are in both, or twice, are told by their values.
            self.filter(rows.columns.iter().map(|column| column.node).chain(rows.open));
        }
        for part in &query.order {
            self.placed(part, &rows, scope, true);
        }
        rows
    }

    fn beside(&mut self, one: Rows, other: Rows) -> Rows {
        let open: Vec<Node> = one.open.into_iter().chain(other.open).collect();
        if !open.is_empty() || one.columns.len() != other.columns.len() {
            let all = one.columns.iter().chain(&other.columns).map(|column| column.node).chain(open).collect();
            return Rows { columns: Vec::new(), open: Some(self.graph.derived(all)) };
        }
        for (one, other) in one.columns.iter().zip(&other.columns) {
            if united(one.of, other.of).is_none_or(|of| of == BROUGHT) {
                let (one, other) = (self.of_column(one), self.of_column(other));
                if self.together(&[&one, &other]) {
                    self.filter([one.nodes, other.nodes].concat());
                }
            }
        }
        let columns = one.columns.into_iter().zip(other.columns).map(|(one, other)| {
            let exact = self.graph.exact(one.node);
            let node = if !exact.is_empty() && exact == self.graph.exact(other.node) {
                // The same column on both sides.
                let node = self.graph.same(one.node);
                self.graph.feed(node, [other.node]);
                node
            } else {
                self.graph.derived(vec![one.node, other.node])
            };
            let size = self.graph.size(one.node).or(self.graph.size(other.node));
            self.graph.resize(node, size);
            Column { name: one.name, node, of: united(one.of, other.of) }
        });
        Rows { columns: columns.collect(), open: None }
    }

    fn select(&mut self, query: &Query, scope: &mut Scope<'_>) -> Rows {
        if !query.values.is_empty() {
            let rows = self.values(&query.values, scope);
            for part in &query.order {
                self.placed(part, &rows, scope, true);
            }
            return rows;
        }
        self.sources(&query.sources, scope);
        if let Some(predicate) = &query.predicate {
            self.predicate(predicate, scope);
        }
        let rows = self.outputs_of(&query.outputs, scope);
        if query.distinct {
            self.filter(rows.columns.iter().map(|column| column.node).chain(rows.open));
        }
        for part in &query.groups {
            self.placed(part, &rows, scope, false);
        }
        if let Some(having) = &query.having {
            self.predicate(having, scope);
        }
        for part in &query.order {
            self.placed(part, &rows, scope, true);
        }
        rows
    }

    /// An expression in ORDER BY or GROUP BY, where a number or a name may mean a column of the result.
    fn placed(&mut self, expr: &Expr, rows: &Rows, scope: &Scope<'_>, outputs_first: bool) {
        match expr {
            Expr::Ordinal(place) => match (rows.open, place.checked_sub(1).and_then(|at| rows.columns.get(at))) {
                (None, Some(column)) => self.filter([column.node]),
                _ => self.filter(rows.columns.iter().map(|column| column.node).chain(rows.open)),
            },
            Expr::Total(parts) => parts.iter().for_each(|part| self.placed(part, rows, scope, outputs_first)),
            Expr::Column(path) if path.len() == 1 => {
                if !self.looks_through(rows.columns.len()) {
                    return;
                }
                let own: Vec<Node> =
                    rows.columns.iter().filter(|c| path.first() == Some(&c.name)).map(|column| column.node).collect();
                let input = !matches!(scope.find(path), Found::Nowhere);
                if own.is_empty() || (input && !outputs_first) {
                    self.used(expr, scope);
                }
                if own.is_empty() {
                    // It may be one of those whose names nobody knows, which come before what is around the query.
                    self.filter(rows.open);
                }
                self.filter(own);
            }
            _ => self.used(expr, scope),
        }
    }

    fn values(&mut self, lines: &[Vec<Expr>], scope: &Scope<'_>) -> Rows {
        let mut columns: Vec<Value> = Vec::new();
        for line in lines {
            for (at, expr) in line.iter().enumerate() {
                let value = self.expr(expr, scope);
                let first = columns.get(at).filter(|first| first.of.is_none() || first.of != value.of);
                let first = first.map(|first| Value { of: first.of, typing: first.typing, ..Value::default() });
                if first.is_some_and(|first| self.together(&[&first, &value])) {
                    let above = columns.get(at).map(|first| first.nodes.clone()).unwrap_or_default();
                    self.filter([above, value.nodes.clone()].concat());
                }
                match columns.get_mut(at) {
                    Some(column) => {
                        column.size = column.length().or(value.length());
                        column.nodes.extend(value.nodes);
                        (column.exact, column.of) = (false, column.of.filter(|of| Some(*of) == value.of));
                    }
                    None => columns.push(value),
                }
            }
        }
        let columns = columns.iter().enumerate().map(|(at, value)| Column {
            name: format!("column{}", at.saturating_add(1)),
            node: self.node(value),
            of: value.known_type(),
        });
        let columns: Vec<Column> = columns.collect();
        self.carried.extend(columns.iter().map(|column| column.node));
        Rows { columns, open: None }
    }

    /// A target list.
    pub(super) fn outputs_of(&mut self, outputs: &[Output], scope: &Scope<'_>) -> Rows {
        let mut rows = Rows::default();
        for output in outputs {
            match &output.value {
                Expr::Star(path) => {
                    if !self.looks_through(scope.breadth()) {
                        rows.open = Some(self.graph.unknown(Vec::new()));
                        return rows;
                    }
                    let mut items: Vec<Rows> = if path.is_empty() {
                        scope.bare().map(|item| item.rows.clone()).collect()
                    } else {
                        scope.named(path).map(|item| item.rows.clone()).into_iter().collect()
                    };
                    for item in items.iter_mut().filter(|_| !self.left_out.is_empty()) {
                        item.columns.retain(|column| !self.left_out.contains(&column.node));
                    }
                    if items.is_empty() {
                        self.unknown();
                        rows.open = Some(self.graph.unknown(Vec::new()));
                    }
                    if !path.is_empty() {
                        let all = items.iter().flat_map(|item| item.columns.iter().map(|c| c.node).chain(item.open));
                        self.mentioned.extend(all);
                    }
                    items.into_iter().for_each(|item| self.append(&mut rows, item));
                }
                Expr::Field { field: None, .. } => {
                    let value = self.expr(&output.value, scope);
                    match value.row {
                        Some(row) => self.append(&mut rows, row),
                        None => {
                            let open = self.graph.derived(value.nodes);
                            self.append(&mut rows, Rows { columns: Vec::new(), open: Some(open) });
                        }
                    }
                }
                expr => {
                    let value = self.expr(expr, scope);
                    let (node, of) = (self.node(&value), value.known_type());
                    let more = match output.name.clone().or(value.first) {
                        Some(name) => Rows { columns: vec![Column { name, node, of }], open: None },
                        // Whatever name is looked for may be its.
                        None => Rows { columns: Vec::new(), open: Some(node) },
                    };
                    self.append(&mut rows, more);
                }
            }
        }
        self.carried.extend(rows.columns.iter().map(|column| column.node).chain(rows.open));
        rows
    }

    /// Further columns. Behind some whose number nobody knows, nobody knows the place of any: their names still are known.
    fn append(&mut self, rows: &mut Rows, more: Rows) {
        if more.columns.iter().any(is_withheld) {
            // The server counts columns that are not here: what is used by its place is another one.
            self.unknown();
        }
        rows.columns.extend(more.columns);
        rows.open = match (rows.open, more.open) {
            (Some(one), Some(other)) => Some(self.graph.derived(vec![one, other])),
            (one, other) => one.or(other),
        };
    }

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
            }
            None => {
                item.schema = table.schema.as_deref().filter(|_| table.alias.is_none()).map(Into::into);
                item.rows.open = Some(self.graph.unknown(Vec::new()));
                item.unresolved = Some(table.clone());
            }
        }
        item
    }

    /// The rows of a relation of the system's: harmless columns of any name, or those that may be read and one that stands for
    /// the others.
    fn system_rows(&mut self, schema: &str, name: &str) -> Rows {
        let harmless = self.graph.derived(Vec::new());
        self.brought.insert(harmless);
        let table =
            TableName { database: Arc::clone(&self.catalog.database), schema: schema.into(), table: name.into() };
        let others = Arc::new(ColumnName { table, column: WITHHELD.into() });
        let Some(readable) = builtin::readable_columns(schema, name) else {
            let mut rows = Rows { columns: Vec::new(), open: Some(harmless) };
            if let Some(column) = builtin::withheld_column(schema, name) {
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

/// Whether the server may keep rows of a query before it hands them on: all of them, to sort or compare them, or those of one
/// side of a join.
fn keeps(query: &Query) -> bool {
    let compares = query.distinct || !(query.arms.is_empty() || query.all);
    let sorts = !query.order.is_empty() || !query.groups.is_empty();
    let joins = query.sources.len() > 1 || matches!(query.sources.as_slice(), [Source::Join { .. }]);
    compares || sorts || joins || !query.with.is_empty()
}

/// The type of what stands in the same column of two queries, where it is known.
fn united(one: Option<u32>, other: Option<u32>) -> Option<u32> {
    match (Operand::of(one), Operand::of(other)) {
        _ if one == other => one,
        (Operand::Of(one), Operand::Of(other)) if one < FIRST_OWN && other < FIRST_OWN => Some(BROUGHT),
        _ => None,
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
