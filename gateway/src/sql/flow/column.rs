//! Columns, rows and parameters: what an expression means by a name or a number.

use super::Walk;
use super::function::Given;
use super::graph::Node;
use super::oid::{BROUGHT, UNKNOWN};
use super::own::Typing;
use super::scope::{Argument, Found, Rows, Scope};
use super::value::Value;
use crate::access::{ColumnName, Name, Tags};
use crate::sql::form::Table;

impl Walk<'_> {
    pub(super) fn parameter(&mut self, number: usize, scope: &Scope<'_>) -> Value {
        let bound = number.checked_sub(1).and_then(|at| scope.arguments.get(at));
        match bound {
            Some(Argument { row: Some(row), .. }) => self.row(row.clone()),
            Some(Argument { column, row: None, .. }) => self.of_column(column),
            // A message brings one of 64 MB.
            None => Value { typing: Typing::Parameter, ..Value::constant(Some(UNKNOWN)).grown(128) },
        }
    }

    pub(super) fn column(&mut self, path: &[String], scope: &Scope<'_>) -> Value {
        if !self.looks_through(scope.breadth()) {
            return self.unseen();
        }
        let value = self.named_column(path, scope);
        self.mentioned.extend(value.nodes.iter().copied());
        value
    }

    fn named_column(&mut self, path: &[String], scope: &Scope<'_>) -> Value {
        match scope.find(path) {
            Found::Columns(columns) => match columns.as_slice() {
                [column] => self.of_column(column),
                // The server calls it ambiguous, or sees one that this scope cannot tell.
                several => {
                    self.attribute(path);
                    let of = self.all_brought(&Rows { columns: several.to_vec(), open: None });
                    Value { nodes: several.iter().map(|column| column.node).collect(), of, ..Value::default() }
                }
            },
            Found::Unresolved(table, name) => {
                let node = self.unresolved_column(&table, &name);
                Value { nodes: vec![node], exact: true, ..Value::default() }
            }
            Found::Open(node) => {
                self.attribute(path);
                let of = self.brought.contains(&node).then_some(BROUGHT);
                Value { nodes: vec![node], of, ..Value::default() }
            }
            Found::Row(rows) => self.row(rows),
            // `t.f` is `f(t)`.
            Found::NoColumn(rows) => {
                let row = self.row(rows);
                let name = path.last().cloned().unwrap_or_default();
                self.called(&[name], Given { values: vec![row], ..Given::default() }, &[], false, scope)
            }
            Found::System => Value::constant(Some(BROUGHT)),
            Found::Nowhere => match path {
                // `(row).field` of a column of a composite type.
                [row, _] if !matches!(scope.find(std::slice::from_ref(row)), Found::Nowhere) => {
                    let value = self.column(std::slice::from_ref(row), scope);
                    Value { exact: false, row: None, ..value }
                }
                _ => self.opaque(),
            },
        }
    }

    /// `t.f` is `f(t)` where the row has no such column, and that nobody knows.
    fn attribute(&mut self, path: &[String]) {
        if let [_, .., name] = path {
            self.own_of_rows(name).into_iter().for_each(|function| self.execute(function));
        }
    }

    /// A column of a relation that the catalog does not have: it may hold anything.
    fn unresolved_column(&mut self, table: &Table, column: &str) -> Node {
        let (table, _) = self.table(table);
        let name = ColumnName { table: (*table).clone(), column: Name::from(column) };
        let anything = self.graph.unknown(Vec::new());
        self.graph.column(&name.into(), &Tags::default(), Some(anything))
    }

    pub(super) fn star(&mut self, path: &[String], scope: &Scope<'_>) -> Value {
        if !self.looks_through(scope.breadth()) {
            return self.unseen();
        }
        let rows: Vec<Rows> = if path.is_empty() {
            scope.bare().map(|item| item.rows.clone()).collect()
        } else {
            scope.named(path).map(|item| item.rows.clone()).into_iter().collect()
        };
        if rows.is_empty() && !path.is_empty() {
            return self.column(path, scope);
        }
        let values: Vec<Value> = rows.into_iter().map(|rows| self.row(rows)).collect();
        Value::computed(values)
    }
}
