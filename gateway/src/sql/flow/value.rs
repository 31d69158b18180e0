//! Values: what each is made of, and what is known of it beside that.

use super::Walk;
use super::graph::Node;
use super::own::Typing;
use super::scope::{Column, Rows};
use super::size::Size;
use crate::sql::builtin;

/// A value.
#[derive(Clone, Debug, Default)]
pub(super) struct Value {
    /// What it is made of.
    pub(super) nodes: Vec<Node>,
    /// Whether it is the only one of them, unchanged.
    pub(super) exact: bool,
    /// Whether computing it can fail, or depends on more than one row: that it was computed tells something.
    pub(super) fails: bool,
    /// Its type's OID, where it is known.
    pub(super) of: Option<u32>,
    /// What that is known by.
    pub(super) typing: Typing,
    /// The columns of the row that it is.
    pub(super) row: Option<Rows>,
    /// How long it can be.
    pub(super) size: Size,
    /// Whether it is given to a function as a constant, or as a parameter of the statement.
    pub(super) constant: bool,
    /// What it is called as a column of a FROM list, and whether whatever the alias is; where that is known.
    pub(super) column: Option<(String, bool)>,
    /// What the scalar subquery that it is calls its column, where that is known.
    pub(super) first: Option<String>,
}

impl Value {
    pub(super) fn constant(of: Option<u32>) -> Self {
        Value { of, size: Size::SHORT, ..Value::default() }
    }

    /// Of these, computed.
    pub(super) fn computed(parts: impl IntoIterator<Item = Value>) -> Self {
        let mut value = Value { size: Size::NONE, ..Value::default() };
        for part in parts {
            value.fails |= part.fails;
            value.size = value.size.and(part.length());
            value.nodes.extend(part.nodes);
        }
        value
    }

    /// As one that can fail.
    pub(super) fn failing(self) -> Self {
        Value { fails: true, ..self }
    }

    pub(super) fn typed(self, of: Option<u32>) -> Self {
        Value { of, ..self }
    }

    /// Its type, where no parameter decides it.
    pub(super) fn known_type(&self) -> Option<u32> {
        self.of.filter(|_| self.typing != Typing::Parameter)
    }

    /// How long it can be, by its type where all values of that are short.
    pub(super) fn length(&self) -> Size {
        if self.of.is_some_and(builtin::is_short) { Size::SHORT } else { self.size }
    }

    /// So many times as long at most.
    pub(super) fn grown(self, times: u32) -> Self {
        Value { size: self.size.grown(times), ..self }
    }
}

impl Walk<'_> {
    /// A value as one node.
    pub(super) fn node(&mut self, value: &Value) -> Node {
        match (value.exact, value.nodes.as_slice()) {
            (true, [node]) => self.graph.same(*node),
            _ => {
                let node = self.graph.derived(value.nodes.clone());
                self.graph.resize(node, value.length());
                node
            }
        }
    }

    pub(super) fn of_column(&self, column: &Column) -> Value {
        let size = self.graph.size(column.node);
        Value { nodes: vec![column.node], exact: true, of: column.of, size, ..Value::default() }
    }

    pub(super) fn row(&mut self, rows: Rows) -> Value {
        let columns: Vec<Value> = rows.columns.iter().map(|column| self.of_column(column)).collect();
        let open = rows.open.map(|node| Value { nodes: vec![node], ..Value::default() });
        Value { row: Some(rows), ..Value::computed(columns.into_iter().chain(open)) }
    }

    /// A value that nobody knows anything of, of a construct that nobody knows either.
    pub(super) fn opaque(&mut self) -> Value {
        self.unknown();
        self.unseen()
    }

    /// A value that is not looked at any more: it may be anything.
    pub(super) fn unseen(&mut self) -> Value {
        let node = self.graph.unknown(Vec::new());
        Value { nodes: vec![node], fails: true, ..Value::default() }
    }
}
