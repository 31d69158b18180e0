//! Queries: what is visible in them, and the rows that they return.

use super::graph::Node;
use super::oid::{BROUGHT, FIRST_OWN, INT8};
use super::own::Operand;
use super::scope::{Column, Found, Rows, Scope, is_withheld};
use super::value::Value;
use super::{Goes, Shown, Walk};
use crate::access::{Action, Facts, Object};
use crate::sql::form::{Expr, Output, Query, Source, Table};

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
            let value = self.operand(part, &scope);
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
    pub(super) fn renamed(&mut self, mut rows: Rows, names: &[String]) -> Rows {
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
            self.reads_unplaced();
            let all = one.columns.iter().chain(&other.columns).map(|column| column.node).chain(open).collect();
            return Rows { columns: Vec::new(), open: Some(self.graph.derived(all)) };
        }
        for (one, other) in one.columns.iter().zip(&other.columns) {
            self.reads_united(one.of, other.of);
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
                let value = self.operand(expr, scope);
                if let Some(above) = columns.get(at) {
                    self.reads_among([above, &value]);
                }
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
                    let value = self.operand(expr, scope);
                    self.reads_shown(&value);
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
    pub(super) fn append(&mut self, rows: &mut Rows, more: Rows) {
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
pub(super) fn united(one: Option<u32>, other: Option<u32>) -> Option<u32> {
    match (Operand::of(one), Operand::of(other)) {
        _ if one == other => one,
        (Operand::Of(one), Operand::Of(other)) if one < FIRST_OWN && other < FIRST_OWN => Some(BROUGHT),
        _ => None,
    }
}
