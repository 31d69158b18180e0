//! Expressions: what a value is made of, and what its computation tells.

use super::function::Given;
use super::graph::Node;
use super::oid::{
    BIT, BOOL, BPCHAR, BROUGHT, FIRST_OWN, INT2, INT4, JSON, JSONB, NAME, TEXT, UNKNOWN, VARBIT, VARCHAR, VECTORS,
};
use super::own::{Operand, Typing, brought, compared};
use super::scope::{Argument, Column, Found, Rows, Scope};
use super::size::Size;
use super::{Equality, MANY, Walk};
use crate::access::{Action, ColumnName, Name, Tags};
use crate::sql::builtin::{self, Class};
use crate::sql::form::{Constant, Expr, Quantity, Subquery};
use crate::sql::predicate::{Equals, MAX_LIST, equality, is_equals, is_value};

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
    /// What it is called as a column of a FROM list, and whether whatever the alias is; where that is known.
    pub(super) column: Option<(String, bool)>,
}

impl Value {
    fn constant(of: Option<u32>) -> Self {
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

    fn typed(self, of: Option<u32>) -> Self {
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

    /// An expression whose value only decides.
    pub(super) fn used(&mut self, expr: &Expr, scope: &Scope<'_>) {
        let value = self.expr(expr, scope);
        self.filter(value.nodes);
    }

    /// A condition; what it is made of.
    pub(super) fn predicate(&mut self, expr: &Expr, scope: &Scope<'_>) -> Vec<Node> {
        if !self.step() {
            return Vec::new();
        }
        match expr {
            Expr::And(parts) | Expr::Or(parts) => parts.iter().flat_map(|part| self.predicate(part, scope)).collect(),
            Expr::Not(part) => self.predicate(part, scope),
            _ => {
                let nodes = self.compared(expr, scope);
                self.graph.tie(&nodes);
                nodes
            }
        }
    }

    /// A value that stands where a truth value has to.
    fn truth(&mut self, value: &Value) -> bool {
        value.of != Some(BOOL) && self.assigned_to(value, BOOL)
    }

    /// One comparison of a condition, or anything else that is true or false; what it is made of.
    fn compared(&mut self, expr: &Expr, scope: &Scope<'_>) -> Vec<Node> {
        let Some(Equals { left, right, even }) = equality(expr) else {
            let value = self.expr(expr, scope);
            self.truth(&value);
            self.filter(value.nodes.clone());
            return value.nodes;
        };
        let short = |other: &Expr| match other {
            Expr::List(values) => values.len() <= MAX_LIST,
            _ => true,
        };
        let (one, other) = (self.expr(left, scope), self.expr(right, scope));
        let quantity = if even { Quantity::One } else { Quantity::Any };
        let as_it_is = builtin::exactly("=", one.of, other.of).is_some();
        let own = !self.own_operators("=", (&one).into(), compared(&other, quantity)).is_empty();
        if own || (!as_it_is && self.together(&[&one, &other])) {
            let value = self.expr(expr, scope);
            self.filter(value.nodes.clone());
            return value.nodes;
        }
        let bare = |expr: &Expr, value: &Value| match (expr, value.nodes.as_slice()) {
            (Expr::Column(_), [node]) if value.exact => Some(*node),
            _ => None,
        };
        let value = |expr: &Expr, value: &Value| is_value(expr) && value.nodes.is_empty() && short(expr);
        match (bare(left, &one), bare(right, &other)) {
            (Some(a), Some(b)) if even => {
                self.filters.push((a, Equality::With(b)));
                self.filters.push((b, Equality::With(a)));
            }
            (Some(a), None) if value(right, &other) => self.filters.push((a, Equality::Yes)),
            (None, Some(b)) if even && value(left, &one) => self.filters.push((b, Equality::Yes)),
            _ => {
                self.filter(one.nodes.clone());
                self.filter(other.nodes.clone());
            }
        }
        [one.nodes, other.nodes].concat()
    }

    /// The value of an expression. What it tells by failing is a filter.
    pub(super) fn expr(&mut self, expr: &Expr, scope: &Scope<'_>) -> Value {
        if !self.step() {
            return self.unseen();
        }
        let mut value = self.evaluated(expr, scope);
        if value.nodes.len() > MANY && !value.exact {
            // Whatever it is in would be made of all of them again.
            self.looks_through(value.nodes.len());
            value.nodes = vec![self.graph.derived(value.nodes)];
        }
        // What is made of a literal has a type.
        let typing = match expr {
            Expr::Constant(Constant::Text | Constant::Null) => Typing::Literal,
            Expr::Constant(Constant::Number) => Typing::Number,
            Expr::Parameter(_) | Expr::List(_) => value.typing,
            _ => Typing::Sure,
        };
        Value { typing, ..value }
    }

    fn evaluated(&mut self, expr: &Expr, scope: &Scope<'_>) -> Value {
        match expr {
            Expr::Constant(constant) => Value::constant(match constant {
                Constant::Text | Constant::Null => Some(UNKNOWN),
                Constant::Bool => Some(BOOL),
                Constant::Other => Some(BROUGHT),
                Constant::Number | Constant::Default => None,
            }),
            Expr::Ordinal(_) => Value::constant(None),
            Expr::Parameter(number) => self.parameter(*number, scope),
            Expr::Column(path) => self.column(path, scope),
            Expr::Star(path) => self.star(path, scope),
            Expr::Call(call) => self.call(call, scope),
            Expr::Operator { name, left, right, quantity } => {
                self.operator(name, left.as_deref(), right, *quantity, scope)
            }
            Expr::Chosen { operator, values } => self.chosen(operator, values, scope),
            // Which of them is computed is the server's choice.
            Expr::And(parts) | Expr::Or(parts) => {
                let mut values: Vec<Value> = parts.iter().map(|part| self.expr(part, scope)).collect();
                for value in &mut values {
                    value.fails |= self.truth(value);
                }
                self.lazy(values)
            }
            Expr::Not(part) => {
                let value = self.expr(part, scope);
                let fails = self.truth(&value);
                if fails {
                    self.filter(value.nodes.clone());
                }
                Value { exact: false, fails: value.fails || fails, ..value }
            }
            Expr::Cast { value, to, sized } => self.cast(value, to, *sized, scope),
            // Under another collation not every function and comparison is total.
            Expr::Collate(value) => {
                let value = self.expr(value, scope);
                let of = brought([&value]);
                value.typed(of)
            }
            Expr::Subscript { value, places, slice } => self.subscript(value, places, *slice, scope),
            Expr::Case { subject, conditions, values } => self.case(subject.as_deref(), conditions, values, scope),
            Expr::Coalesce(parts) => {
                let values: Vec<Value> = parts.iter().map(|part| self.expr(part, scope)).collect();
                let of = common(&values);
                self.mixed(values, of)
            }
            Expr::Total(parts) => {
                let values: Vec<Value> = parts.iter().map(|part| self.expr(part, scope)).collect();
                // A literal in a row takes the type of what it is compared with.
                let literal = values.iter().any(|value| value.typing == Typing::Literal);
                let of = brought(&values).filter(|_| !literal);
                // Printed as text, arrays and rows double the quotes of what is in them.
                Value::computed(values).grown(2).typed(of)
            }
            Expr::Array(parts) => {
                let values: Vec<Value> = parts.iter().map(|part| self.expr(part, scope)).collect();
                let of = brought(&values).filter(|_| !self.catalog.prefers());
                let converted = self.mixes(&values);
                let value = Value::computed(values).grown(2).typed(of);
                if converted {
                    self.filter(value.nodes.clone());
                }
                Value { fails: value.fails || converted, ..value }
            }
            Expr::List(parts) => {
                let values: Vec<Value> = parts.iter().map(|part| self.expr(part, scope)).collect();
                let of = values.first().and_then(|value| value.of);
                let of = of.filter(|of| values.iter().all(|value| value.of.is_none_or(|other| other == *of)));
                let first = values.first().map(|value| value.typing).unwrap_or_default();
                let among = |typing| values.iter().any(|value| value.typing == typing);
                let typing = match (first, brought(&values)) {
                    (Typing::Literal | Typing::Number, _) if values.iter().all(|value| value.typing == first) => first,
                    // A literal among others may be compared alone.
                    (_, Some(_)) if !among(Typing::Literal) => Typing::Sure,
                    _ => Typing::Parameter,
                };
                let of = of.or(brought(&values).filter(|_| typing == Typing::Sure));
                Value { typing, ..Value::computed(values).typed(of) }
            }
            Expr::Field { row, field } => self.field(row, field.as_deref(), scope),
            Expr::Computed(parts) => {
                let values: Vec<Value> = parts.iter().map(|part| self.expr(part, scope)).collect();
                self.taken(&values);
                // XML and its like write a character as six.
                let value = Value::computed(values).failing().grown(8);
                self.filter(value.nodes.clone());
                value
            }
            Expr::Query { query, kind } => {
                self.repeats = true;
                self.subquery(query, kind, scope)
            }
            Expr::Opaque => self.opaque(),
        }
    }

    /// A value that nobody knows anything of, of a construct that nobody knows either.
    pub(super) fn opaque(&mut self) -> Value {
        self.unknown();
        self.unseen()
    }

    /// A value that is not looked at any more: it may be anything.
    fn unseen(&mut self) -> Value {
        let node = self.graph.unknown(Vec::new());
        Value { nodes: vec![node], fails: true, ..Value::default() }
    }

    /// Values of which the server computes as many as it needs: where one can fail, whether it does tells of the others.
    fn lazy(&mut self, values: Vec<Value>) -> Value {
        let value = Value::computed(values);
        if value.fails {
            self.filter(value.nodes.clone());
        }
        value
    }

    /// The same, of values that the server makes one type of; `of`: which, where it is known.
    fn mixed(&mut self, mut values: Vec<Value>, of: Option<u32>) -> Value {
        if self.mixes(&values) {
            values.iter_mut().for_each(|value| value.fails = true);
        }
        self.lazy(values).typed(of)
    }

    /// Whether what makes values one type may fail.
    fn mixes(&mut self, values: &[Value]) -> bool {
        common(values).is_none_or(|of| of == BROUGHT) && self.together(&values.iter().collect::<Vec<_>>())
    }

    fn case(&mut self, subject: Option<&Expr>, conditions: &[Expr], values: &[Expr], scope: &Scope<'_>) -> Value {
        let subject = subject.map(|subject| (subject, self.expr(subject, scope)));
        let mut nodes = Vec::new();
        for condition in conditions {
            let Some((of, subject)) = &subject else {
                nodes.extend(self.predicate(condition, scope));
                continue;
            };
            let value = self.expr(condition, scope);
            // A literal is a text here.
            let left = Some(Operand::from(subject)).filter(|of| *of != Operand::Literal).unwrap_or(Operand::Any);
            let own = self.own_operators("=", left, (&value).into());
            let builtin = own.is_empty();
            own.into_iter().for_each(|function| self.execute(function));
            let converted = self.together(&[subject, &value]);
            match (of, subject.nodes.as_slice()) {
                (Expr::Column(_), [node]) if subject.exact && builtin && !converted && is_value(condition) => {
                    self.filters.push((*node, Equality::Yes));
                }
                _ => {
                    self.filter(subject.nodes.clone());
                    self.filter(value.nodes.clone());
                }
            }
            nodes.extend(subject.nodes.iter().chain(&value.nodes));
        }
        let values: Vec<Value> = values.iter().map(|value| self.expr(value, scope)).collect();
        let of = common(&values);
        let mut value = self.mixed(values, of);
        if value.fails {
            self.filter(nodes.clone());
        }
        value.fails |= !conditions.is_empty();
        value.nodes.extend(nodes);
        value
    }

    /// Runs what the database has for `=`, where a statement compares values of these types without saying so.
    pub(super) fn compares(&mut self, left: Option<u32>, right: Option<u32>) {
        let own = self.own_operators("=", Operand::of(left), Operand::of(right));
        own.into_iter().for_each(|function| self.execute(function));
        if left.is_none() || left != right {
            let of = |of| Value { of, ..Value::default() };
            self.together(&[&of(left), &of(right)]);
        }
    }

    fn parameter(&mut self, number: usize, scope: &Scope<'_>) -> Value {
        let bound = number.checked_sub(1).and_then(|at| scope.arguments.get(at));
        match bound {
            Some(Argument { row: Some(row), .. }) => self.row(row.clone()),
            Some(Argument { column, row: None }) => self.of_column(column),
            // A message brings one of 64 MB.
            None => Value { typing: Typing::Parameter, ..Value::constant(Some(UNKNOWN)).grown(128) },
        }
    }

    fn column(&mut self, path: &[String], scope: &Scope<'_>) -> Value {
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
    fn unresolved_column(&mut self, table: &crate::sql::form::Table, column: &str) -> Node {
        let (table, _) = self.table(table);
        let name = ColumnName { table: (*table).clone(), column: Name::from(column) };
        let anything = self.graph.unknown(Vec::new());
        self.graph.column(&name.into(), &Tags::default(), Some(anything))
    }

    fn row(&mut self, rows: Rows) -> Value {
        let columns: Vec<Value> = rows.columns.iter().map(|column| self.of_column(column)).collect();
        let open = rows.open.map(|node| Value { nodes: vec![node], ..Value::default() });
        Value { row: Some(rows), ..Value::computed(columns.into_iter().chain(open)) }
    }

    pub(super) fn of_column(&self, column: &Column) -> Value {
        let size = self.graph.size(column.node);
        Value { nodes: vec![column.node], exact: true, of: column.of, size, ..Value::default() }
    }

    fn star(&mut self, path: &[String], scope: &Scope<'_>) -> Value {
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

    fn field(&mut self, row: &Expr, field: Option<&str>, scope: &Scope<'_>) -> Value {
        let value = self.expr(row, scope);
        let Some(field) = field else {
            return match &value.row {
                Some(_) => value,
                None => Value { exact: false, of: None, ..value },
            };
        };
        let known = value.row.as_ref().and_then(|rows| rows.columns.iter().find(|column| column.name == field));
        if let Some(column) = known {
            return Value { fails: value.fails, ..self.of_column(column) };
        }
        if self.has_field(&value, field) {
            return Value { exact: false, row: None, of: None, ..value };
        }
        // `(v).f` is `f(v)` where there is no such field, whatever `v` is.
        let given = Given { values: vec![value.clone()], ..Given::default() };
        if self.has_no_fields(&value) {
            return self.called(&[field.to_owned()], given, &[], false, scope);
        }
        let mut all = value.nodes;
        if builtin::exists(field) {
            all.extend(self.called(&[field.to_owned()], given, &[], false, scope).nodes);
        } else {
            let own: Vec<u32> = self.candidates(None, field, &given).into_iter().map(|own| own.oid).collect();
            own.into_iter().for_each(|function| self.execute(function));
        }
        Value { nodes: all, fails: value.fails, size: value.size, ..Value::default() }
    }

    /// The relation whose rows are of a value's type.
    fn rows_of(&self, value: &Value) -> Option<&crate::sql::catalog::Relation> {
        let of = self.catalog.types.get(&self.base(value.of?))?;
        self.catalog.relations.get(&of.relation)
    }

    /// Whether a value is a row of a type that has such a column.
    fn has_field(&self, value: &Value, field: &str) -> bool {
        self.rows_of(value).is_some_and(|relation| relation.columns.iter().any(|column| *column.name == *field))
    }

    /// Whether all fields of a value are known, or it is no row.
    fn has_no_fields(&self, value: &Value) -> bool {
        match (&value.row, Operand::from(value)) {
            (Some(rows), _) => rows.open.is_none(),
            (None, Operand::Literal | Operand::Number) => true,
            (None, Operand::Of(of)) => of != BROUGHT && (builtin::is_type(of) || of >= FIRST_OWN),
            (None, Operand::Any) => false,
        }
    }

    fn operator(
        &mut self,
        name: &[String],
        left: Option<&Expr>,
        right: &Expr,
        quantity: Quantity,
        scope: &Scope<'_>,
    ) -> Value {
        if let (None, Expr::List(bounds)) = (left, right) {
            return self.between(name, bounds, scope);
        }
        let left = left.map(|left| self.expr(left, scope));
        let right = self.expr(right, scope);
        self.operated(name, left, right, quantity)
    }

    /// One of some values, by comparing them.
    fn chosen(&mut self, operator: &[String], values: &[Expr], scope: &Scope<'_>) -> Value {
        let mut values: Vec<Value> = values.iter().map(|value| self.expr(value, scope)).collect();
        let of = common(&values);
        let value = match (is_equals(operator), values.pop()) {
            (true, Some(right)) => self.operated(operator, values.pop(), right, Quantity::One),
            (_, last) => {
                values.extend(last);
                let first = values.first().and_then(|value| value.of);
                let first = first.filter(|of| values.iter().all(|value| value.of.is_none_or(|other| other == *of)));
                let own = self.own_orders(&values, &values);
                self.operated_by(own, operator, None, Value::computed(values).typed(first), Quantity::One)
            }
        };
        value.typed(of)
    }

    /// BETWEEN: a value, and a list of two that it is compared with.
    fn between(&mut self, name: &[String], values: &[Expr], scope: &Scope<'_>) -> Value {
        let values = values.iter().flat_map(|value| match value {
            Expr::List(bounds) => bounds.as_slice(),
            other => std::slice::from_ref(other),
        });
        let values: Vec<Value> = values.map(|value| self.expr(value, scope)).collect();
        let own = values.split_first().map(|(one, bounds)| self.own_orders(std::slice::from_ref(one), bounds));
        let first = values.first().and_then(|value| value.of);
        let of = first.filter(|of| values.iter().all(|value| value.of.is_none_or(|other| other == *of)));
        self.operated_by(own.unwrap_or_default(), name, None, Value::computed(values).typed(of), Quantity::One)
    }

    fn operated(&mut self, name: &[String], left: Option<Value>, right: Value, quantity: Quantity) -> Value {
        let symbol = name.last().map(String::as_str).unwrap_or_default();
        let (one, other) = (left.as_ref().map_or(Operand::Any, Operand::from), compared(&right, quantity));
        let own = match symbol {
            // By which of both values are sorted, or the only operand of one that stands before it.
            _ if left.is_none() => self.own_operators(symbol, Operand::Any, Operand::Any),
            _ if is_elsewhere(name) => self.own_elsewhere(symbol, one, other),
            // NOT SIMILAR TO.
            "~" => ["~", "!~"].into_iter().flat_map(|symbol| self.own_operators(symbol, one, other)).collect(),
            _ => self.own_operators(symbol, one, other),
        };
        self.operated_by(own, name, left, right, quantity)
    }

    /// `own`: what the database has for it.
    fn operated_by(
        &mut self,
        own: Vec<u32>,
        name: &[String],
        left: Option<Value>,
        right: Value,
        quantity: Quantity,
    ) -> Value {
        let symbol = name.last().map(String::as_str).unwrap_or_default();
        let system = name.len() == 1 || name.first().is_some_and(|schema| schema == "pg_catalog");
        let (a, b) = (left.as_ref().and_then(|left| left.of), right.of);
        // Of a list or an array its elements are compared: of the type that they are compared with.
        let element = if quantity == Quantity::One { b } else { a };
        // The values of GREATEST and BETWEEN are compared with each other.
        let class =
            if system { builtin::operator(symbol, if left.is_some() { a } else { b }, element.or(b)) } else { None };
        let operands: Vec<&Value> = left.iter().chain([&right]).collect();
        // One of just these types takes them as they are.
        let as_it_is = builtin::exactly(symbol, a, b).is_some();
        let converted = system && !as_it_is && self.together(&operands);
        let total = match &class {
            Some(Class::Total(positions)) => !converted && self.may_hold(*positions, &operands),
            _ => false,
        };
        // What one of the database's own makes, nobody knows.
        let of = result_type(symbol, left.as_ref().and_then(Value::known_type), right.known_type());
        let of = of.or(brought(left.iter().chain([&right]))).filter(|_| own.is_empty());
        let mut value = Value::computed(left.into_iter().chain([right])).typed(of);
        if !own.is_empty() && !name.first().is_some_and(|schema| schema == "pg_catalog" && name.len() > 1) {
            // Which of them the server takes depends on types.
            for function in own {
                self.execute(function);
            }
            let node = self.graph.unknown(value.nodes.clone());
            value.nodes.push(node);
        } else if class.is_none() {
            self.unknown();
        }
        if !total {
            self.filter(value.nodes.clone());
            value.fails = true;
        }
        value
    }

    /// Whether arguments that may be sensitive are where no value makes the computation fail.
    pub(super) fn may_hold(&self, positions: builtin::Positions, arguments: &[&Value]) -> bool {
        let held = || arguments.iter().enumerate().filter(|(_, argument)| !argument.nodes.is_empty());
        let all = arguments.iter().fold(Size::NONE, |all, argument| all.and(argument.length()));
        let short = positions.growth().is_none_or(|times| all.grown(times).is_small());
        let printed = !positions.prints() || held().all(|(_, argument)| self.prints(argument, positions.parses()));
        // A column's collation is not known, and under some of them it fails.
        short
            && printed
            && (!positions.collates() || held().next().is_none())
            && held().all(|(at, _)| positions.may_be_sensitive(at))
    }

    fn cast(&mut self, value: &Expr, to: &[String], sized: bool, scope: &Scope<'_>) -> Value {
        let value = self.expr(value, scope);
        let own = self.own_type(to);
        let target = match to {
            // One of the database's own before PostgreSQL's: only what the parser makes of a keyword is sure.
            [name] if own.is_none_or(|(_, first)| !first) => builtin::type_oid(name),
            _ => None,
        };
        let Some(target) = target else {
            if let Some((of, _)) = own {
                self.meets(of);
                if let Some(row) = self.row_as(&value, of) {
                    return row;
                }
                self.type_runs(of, &value);
                // A literal is read as one of the type.
                let casts =
                    self.catalog.casts.iter().filter(|cast| cast.target == of && self.could_be(&value, cast.source));
                let own: Vec<u32> = casts.map(|cast| cast.function).collect();
                own.into_iter().filter(|function| *function != 0).for_each(|function| self.execute(function));
            }
            self.filter(value.nodes.clone());
            // The array of them is another type.
            let array = to.last().is_some_and(|name| name.ends_with("[]"));
            let of = own.map(|(of, _)| of).filter(|_| !array);
            return Value { exact: false, row: None, fails: true, of, size: Size::ANY, ..value };
        };
        self.converted(value, target, sized)
    }

    /// A value as another type that PostgreSQL brings; `sized`: a length or a precision is given.
    pub(super) fn converted(&mut self, value: Value, target: u32, sized: bool) -> Value {
        // What is shorter is filled up to the length.
        let filled = sized && matches!(target, BIT | VARBIT | BPCHAR);
        let size = if filled { Size::ANY } else { value.length().grown(2) };
        if value.of.is_none_or(|of| of == BROUGHT) && !value.nodes.is_empty() {
            // Of whatever type it is, the database may have a cast.
            let casts = self.catalog.casts.iter().filter(|cast| cast.target == target && cast.function != 0);
            let casts = casts.filter(|cast| self.may_be(&value, cast.source));
            let known = casts.filter_map(|cast| self.catalog.function(cast.function));
            let read: Vec<u32> = known.filter(|known| &*known.language != "c").map(|known| known.oid).collect();
            read.into_iter().for_each(|function| self.execute(function));
        }
        if let Some(cast) = value.of.and_then(|of| self.catalog.cast(of, target))
            && cast.function != 0
        {
            let function = cast.function;
            self.execute(function);
        }
        // Of a literal the text alone decides.
        if value.nodes.is_empty() {
            return Value { fails: true, size, ..Value::constant(Some(target)) };
        }
        // Arrays, rows and enumerations are printed.
        let is_text = |of: u32| matches!(of, TEXT | VARCHAR | BPCHAR);
        let mut casts = self.catalog.casts.iter().filter(|cast| is_text(cast.target));
        let text = is_text(target) && !casts.any(|cast| self.may_be(&value, cast.source));
        let printed = text && size.is_small() && self.prints(&value, false);
        match builtin::cast(value.of, target, sized) {
            Class::Pure if printed => Value { exact: false, row: None, of: Some(target), size, ..value },
            Class::Total(_) => {
                let exact = value.exact && value.of == Some(target);
                Value { exact, row: None, of: Some(target), size, ..value }
            }
            _ => {
                self.filter(value.nodes.clone());
                Value { exact: false, row: None, fails: true, of: Some(target), size, ..value }
            }
        }
    }

    /// An element of an array or of a document, or a part of an array: NULL where there is none.
    fn subscript(&mut self, value: &Expr, places: &[Expr], slice: bool, scope: &Scope<'_>) -> Value {
        let value = self.expr(value, scope);
        let element = value.of.and_then(|of| self.element(of));
        let document = value.of == Some(JSONB);
        let mut total = element.is_some() || document;
        let mut all = value.nodes;
        let mut fails = value.fails;
        for place in places {
            let place = self.expr(place, scope);
            self.assigned_to(&place, INT4);
            // Any other type is converted, and that may fail.
            let fits = matches!(place.of, Some(INT2 | INT4)) || document && place.of == Some(TEXT);
            total &= fits || place.nodes.is_empty();
            fails |= place.fails;
            all.extend(place.nodes);
        }
        let of = match (document, slice) {
            (true, _) => Some(JSONB),
            // Of a vector it is an array.
            (false, true) => value.of.map(|of| if VECTORS.contains(&of) { BROUGHT } else { of }),
            (false, false) => element,
        };
        if !total {
            self.filter(all.clone());
        }
        Value { nodes: all, fails: fails || !total, of, size: value.size, ..Value::default() }
    }

    fn subquery(&mut self, query: &crate::sql::form::Query, kind: &Subquery, scope: &Scope<'_>) -> Value {
        let rows = self.query(query, scope);
        let nodes: Vec<Node> = rows.columns.iter().map(|column| column.node).chain(rows.open).collect();
        match kind {
            // Whether there is a row is what its conditions decide, and they are filters.
            Subquery::Exists => Value::constant(Some(BOOL)).failing(),
            Subquery::Scalar => match (rows.columns.as_slice(), rows.open) {
                ([column], None) => self.of_column(column).failing(),
                _ => Value { nodes, fails: true, ..Value::default() },
            },
            Subquery::Array => Value { nodes, fails: true, ..Value::default() },
            Subquery::Compared { test, operator } => {
                let test = test.as_deref().map(|test| self.expr(test, scope)).unwrap_or_default();
                if !is_equals(operator) && builtin::operator(operator.last().map_or("", |o| o), None, None).is_none() {
                    self.unknown();
                }
                let symbol = operator.last().map(String::as_str).unwrap_or_default();
                let column = match (rows.columns.as_slice(), rows.open) {
                    ([column], None) => Operand::of(column.of),
                    _ => Operand::of(self.all_brought(&rows)),
                };
                let elsewhere = is_elsewhere(operator);
                let own = match elsewhere {
                    true => self.own_elsewhere(symbol, (&test).into(), column),
                    false => self.own_operators(symbol, (&test).into(), column),
                };
                if elsewhere && own.is_empty() {
                    self.unknown();
                }
                own.into_iter().for_each(|function| self.execute(function));
                let rows: Vec<Value> = rows.columns.iter().map(|column| self.of_column(column)).collect();
                self.together(&rows.iter().chain([&test]).collect::<Vec<_>>());
                let all = [test.nodes, nodes].concat();
                self.filter(all.clone());
                self.graph.tie(&all);
                Value { nodes: all, fails: true, of: Some(BOOL), ..Value::default() }
            }
        }
    }

    /// Runs code of the database's own.
    pub(super) fn execute(&mut self, function: u32) {
        let known = self.catalog.function(function);
        let (object, tags) = match known {
            Some(known) => (self.function_name(Name::clone(&known.schema), &known.name), known.tags.clone()),
            None => (self.function_name("pg_catalog".into(), &format!("oid:{function}")), Tags::default()),
        };
        self.effect(Action::SqlExecute, object, tags, crate::access::Facts::default());
    }
}

/// The type of a value that is one of these; absent: nobody knows, or the server makes another type of them.
fn common(values: &[Value]) -> Option<u32> {
    let mut of = UNKNOWN;
    for value in values {
        match (value.typing, value.of) {
            (Typing::Parameter, _) => return None,
            // A literal takes the others' type.
            (_, Some(UNKNOWN)) => {}
            (_, Some(other)) if of == UNKNOWN || of == other => of = other,
            _ => return brought(values),
        }
    }
    Some(of)
}

/// The type of what an operator makes of these, where it is known.
fn result_type(symbol: &str, left: Option<u32>, right: Option<u32>) -> Option<u32> {
    let is_text = |of: u32| matches!(of, TEXT | VARCHAR | BPCHAR | NAME);
    match (symbol, left, right) {
        ("||", Some(UNKNOWN), Some(UNKNOWN)) => Some(TEXT),
        ("||", Some(left), Some(right)) if is_text(left) && (is_text(right) || right == UNKNOWN) => Some(TEXT),
        ("||", Some(left), Some(right)) if is_text(right) && (is_text(left) || left == UNKNOWN) => Some(TEXT),
        ("||", Some(BIT), Some(BIT)) => Some(VARBIT),
        ("||", Some(left), Some(right)) if left == right && !VECTORS.contains(&left) => Some(left),
        ("->" | "#>", Some(JSONB), _) => Some(JSONB),
        ("->" | "#>", Some(JSON), _) => Some(JSON),
        ("->>" | "#>>", Some(JSON | JSONB), _) => Some(TEXT),
        _ if is_comparison(symbol) => Some(BOOL),
        _ => None,
    }
}

/// Whether an operator is named by a schema other than PostgreSQL's.
fn is_elsewhere(name: &[String]) -> bool {
    matches!(name, [schema, .., _] if schema != "pg_catalog")
}

fn is_comparison(symbol: &str) -> bool {
    matches!(symbol, "=" | "<>" | "!=" | "<" | "<=" | ">" | ">=" | "~~" | "!~~" | "~~*" | "!~~*")
}
