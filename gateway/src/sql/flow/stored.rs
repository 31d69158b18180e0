//! What a database keeps with its tables and computes by itself: defaults, generated columns, checks, expressions of indexes
//! and partition keys, policies.

use std::sync::Arc;

use super::graph::Node;
use super::oid::{BIT, BPCHAR, NUMERIC, VARBIT, VARCHAR};
use super::scope::{Column, Item, Rows, Scope};
use super::size::Size;
use super::value::Value;
use super::{Goes, MAX_DEPTH, Walk};
use crate::access::{ColumnName, Object};
use crate::sql::catalog::{Event, Relation};
use crate::sql::form::{Expr, Statement};
use crate::sql::postgres::{self, Program};
use crate::sql::predicate::is_value;

/// Types whose length or precision a value may not have.
const MEASURED: [u32; 5] = [BPCHAR, VARCHAR, NUMERIC, BIT, VARBIT];

/// A value that a write puts into a column.
#[derive(Clone, Debug)]
pub(super) struct Put {
    /// The column; absent: nobody knows which.
    pub(super) column: Option<String>,
    pub(super) node: Node,
    /// Its type, where it is known.
    pub(super) of: Option<u32>,
    /// Whether it is the column's default, or may be.
    pub(super) default: bool,
}

impl<'a> Walk<'a> {
    /// What a table computes for rows that are written. `put` is what is put into them; absent: nobody knows what.
    pub(super) fn computed_for(&mut self, event: Event, relation: &'a Relation, put: Option<&[Put]>) {
        let table = self.name_of(relation);
        let open = put.is_none_or(|put| put.iter().any(|one| one.column.is_none()));
        let of = |name: &str| -> Vec<&Put> {
            put.into_iter().flatten().filter(|one| one.column.as_deref() == Some(name)).collect()
        };
        let stood = self.graph.row();
        let mut columns = Vec::with_capacity(relation.columns.len());
        for column in &relation.columns {
            let given = of(&column.name);
            let name = Arc::new(ColumnName { table: table.clone(), column: Arc::clone(&column.name) });
            let own = self.graph.column(&name, &column.tags, None);
            self.graph.resize(own, stood);
            let mut nodes = Vec::new();
            for one in &given {
                let value =
                    Value { nodes: vec![one.node], of: one.of, size: self.graph.size(one.node), ..Value::default() };
                let fits = one.of == Some(column.type_oid) && !MEASURED.contains(&column.type_oid) && !column.not_null;
                if !fits {
                    // What is too long, NULL, or not of the type fails.
                    self.filter([one.node]);
                    self.type_runs(column.type_oid, &value);
                    if one.of != Some(column.type_oid) {
                        self.assigned_to(&value, column.type_oid);
                    }
                }
                nodes.push(one.node);
            }
            let absent = given.is_empty() && event == Event::Insert;
            if !column.generated && (absent || open || given.iter().any(|one| one.default)) {
                let domain = self.catalog.types.get(&column.type_oid).and_then(|of| of.default.clone());
                if let Some(text) = column.default.clone().or(domain) {
                    let within = std::mem::replace(&mut self.in_default, true);
                    let value = self.stored(&text, &[]);
                    self.in_default = within;
                    self.assigned_to(&value, column.type_oid);
                    let node = self.node(&value);
                    self.flows.push((Object::Column(name), Goes::Kept(own), node));
                    nodes.push(node);
                    // What a few rows get is like a value that the statement names; what many do is a search.
                    let constant = value.nodes.is_empty() && (!self.many || self.is_constant(&text));
                    self.keyed_in(relation, &column.name, node, constant, event);
                }
            }
            let node = match (event, nodes.is_empty()) {
                // As it stood.
                (Event::Update, true) => own,
                _ => {
                    let sizes = nodes.iter().map(|node| self.graph.size(*node));
                    let size = sizes.fold(Size::NONE, Size::or);
                    let node = self.graph.derived(nodes);
                    self.graph.resize(node, size);
                    node
                }
            };
            columns.push(Column { name: column.name.to_string(), node, of: Some(column.type_oid) });
        }
        let anything: Vec<Column> = {
            let fresh = self.graph.derived(Vec::new());
            columns.iter().map(|column| Column { node: fresh, ..column.clone() }).collect()
        };
        let changed = |program: &Program| {
            open || program.columns.iter().any(|path| {
                path.last()
                    .is_none_or(|name| !of(name).is_empty() || !relation.columns.iter().any(|c| *c.name == **name))
            })
        };
        self.referring(relation);
        for text in texts(relation) {
            // What holds already of what stays as it is tells nothing, but whatever it calls is run.
            let news = event == Event::Insert || self.lowered(&format!("select {text}")).as_deref().is_none_or(changed);
            self.checked(&text, if news { &columns } else { &anything });
        }
    }

    /// Runs what makes of a foreign key's columns what they are compared with, where that is of another type.
    pub(super) fn referring(&mut self, relation: &'a Relation) {
        let catalog = self.catalog;
        let of = |relation: &Relation, number: i16| {
            relation.columns.iter().find(|column| column.number == number).map(|column| column.type_oid)
        };
        for key in &relation.foreign_keys {
            let Some(target) = catalog.relations.get(&key.target) else { continue };
            for (here, there) in key.columns.iter().zip(&key.target_columns) {
                let (Some(here), Some(there)) = (of(relation, *here), of(target, *there)) else { continue };
                if here != there {
                    self.assigned_to(&Value { of: Some(self.base(here)), ..Value::default() }, there);
                }
            }
        }
    }

    /// Whether an expression of the database's own is a value that stands in it.
    fn is_constant(&mut self, text: &str) -> bool {
        let program = self.lowered(&format!("select {text}"));
        program.as_deref().is_some_and(|program| match program.statements.as_slice() {
            [Statement::Query(query)] => query.outputs.iter().all(|output| is_value(&output.value)),
            _ => false,
        })
    }

    /// Whether an expression of the database's own, over a relation's row, names a column: one that cannot be read may name
    /// any, and so does one that names the whole row.
    pub(super) fn names(&mut self, text: &str, relation: &Relation, column: &str) -> bool {
        self.lowered(&format!("select {text}")).as_deref().is_none_or(|program| {
            let own = |name: &String| relation.columns.iter().any(|own| *own.name == **name);
            program.columns.iter().any(|path| path.last().is_none_or(|name| name == column || !own(name)))
        })
    }

    /// Runs a condition that the server checks of values: it fails for some.
    pub(super) fn checked(&mut self, text: &str, columns: &[Column]) {
        let value = self.stored(text, columns);
        self.filter(value.nodes);
    }

    /// Runs what the policies of a table call when its rows are read, and uses what they decide by.
    pub(super) fn policies(&mut self, relation: &'a Relation, columns: &[Column]) {
        for text in relation.policies.iter().filter(|_| relation.row_security) {
            self.checked(text, columns);
        }
    }

    /// The value of an expression of the database's own, over columns: a default, a check, a policy.
    pub(super) fn stored(&mut self, text: &str, columns: &[Column]) -> Value {
        postgres::deep(text, || self.stored_value(text, columns))
    }

    fn stored_value(&mut self, text: &str, columns: &[Column]) -> Value {
        let program = match self.lowered(&format!("select {text}")) {
            Some(program) if self.depth < MAX_DEPTH => program,
            _ => return self.opaque(),
        };
        let [Statement::Query(query)] = program.statements.as_slice() else { return self.opaque() };
        let rows = Rows { columns: columns.to_vec(), open: None };
        // Whatever has expressions of its own is no view.
        let item = Item { bare: true, rows, stored: true, ..Item::default() };
        self.under_definitions(|walk| {
            let scope = Scope { items: vec![item], ..Scope::default() };
            let values: Vec<Value> = query.outputs.iter().map(|output| walk.expr(&output.value, &scope)).collect();
            match <[Value; 1]>::try_from(values) {
                Ok([value]) => value,
                Err(values) => Value::computed(values),
            }
        })
    }
}

/// The expressions that every write to a table computes.
pub(super) fn texts(relation: &Relation) -> Vec<Arc<str>> {
    let generated =
        relation.columns.iter().filter(|column| column.generated).filter_map(|column| column.default.clone());
    let policies = relation.policies.iter().filter(|_| relation.row_security).cloned();
    generated
        .chain(relation.checks.iter().cloned())
        .chain(relation.indexed.iter().cloned())
        .chain(policies)
        .chain(partition_key(relation))
        .collect()
}

/// A partition key as an expression.
pub(super) fn partition_key(relation: &Relation) -> Option<Arc<str>> {
    let key = relation.partition_key.as_ref()?;
    // `RANGE (f(a))`
    let columns = key.find('(').and_then(|at| key.get(at..)).unwrap_or(key);
    Some(format!("row{columns}").into())
}

/// Whether an expression is the word that stands for a column's default.
pub(super) fn is_default(expr: &Expr) -> bool {
    matches!(expr, Expr::Constant(crate::sql::form::Constant::Default))
}
