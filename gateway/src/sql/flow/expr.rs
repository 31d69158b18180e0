//! Expressions: what a value is made of, and what its computation tells.

use super::graph::Node;
use super::oid::{BOOL, BROUGHT, UNKNOWN};
use super::operator::is_elsewhere;
use super::own::{Operand, Typing, brought};
use super::scope::{Scope, is_withheld};
use super::value::Value;
use super::{MANY, Walk};
use crate::sql::builtin;
use crate::sql::form::{Constant, Expr, Query, Subquery};
use crate::sql::predicate::is_equals;

impl Walk<'_> {
    /// The value of an expression. What it tells by failing is a filter.
    pub(super) fn expr(&mut self, expr: &Expr, scope: &Scope<'_>) -> Value {
        let value = self.operand(expr, scope);
        self.reads_alone(&value);
        value
    }

    /// The same, for who says itself what a literal is read as.
    pub(super) fn operand(&mut self, expr: &Expr, scope: &Scope<'_>) -> Value {
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
        // What calls a column so is a subquery, or stands for one.
        let named = matches!(
            expr,
            Expr::Query { .. } | Expr::Cast { .. } | Expr::Collate(_) | Expr::Subscript { .. } | Expr::Case { .. }
        );
        let first = value.first.take().filter(|_| named);
        Value { typing, first, ..value }
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
            Expr::Cast { value, to, sized } => {
                let value = self.operand(value, scope);
                let first = value.first.clone();
                Value { first, ..self.cast(value, to, *sized) }
            }
            // Under another collation not every function and comparison is total.
            Expr::Collate(value) => {
                let value = self.expr(value, scope);
                let of = brought([&value]);
                let nodes = match (value.exact, value.nodes.as_slice()) {
                    // `=` may take many values for one from there on, also where a query around it says `=`.
                    (true, [node]) => vec![self.graph.collated(*node)],
                    _ => value.nodes,
                };
                Value { nodes, of, ..value }
            }
            Expr::Subscript { value, places, slice } => self.subscript(value, places, *slice, scope),
            Expr::Case { subject, conditions, values } => self.case(subject.as_deref(), conditions, values, scope),
            Expr::Coalesce(parts) => {
                let values: Vec<Value> = parts.iter().map(|part| self.operand(part, scope)).collect();
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
                let values: Vec<Value> = parts.iter().map(|part| self.operand(part, scope)).collect();
                let of = brought(&values).filter(|_| !self.catalog.prefers());
                let converted = self.mixes(&values);
                let value = Value::computed(values).grown(2).typed(of);
                if converted {
                    self.filter(value.nodes.clone());
                }
                Value { fails: value.fails || converted, ..value }
            }
            Expr::List(parts) => {
                let values: Vec<Value> = parts.iter().map(|part| self.operand(part, scope)).collect();
                self.reads_listed(&values);
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

    /// Values of which the server computes as many as it needs: where one can fail, whether it does tells of the others.
    fn lazy(&mut self, values: Vec<Value>) -> Value {
        let value = Value::computed(values);
        if value.fails {
            self.filter(value.nodes.clone());
        }
        value
    }

    /// The same, of values that the server makes one type of; `of`: which, where it is known.
    pub(super) fn mixed(&mut self, mut values: Vec<Value>, of: Option<u32>) -> Value {
        if self.mixes(&values) {
            values.iter_mut().for_each(|value| value.fails = true);
        }
        self.lazy(values).typed(of)
    }

    /// Whether what makes values one type may fail.
    fn mixes(&mut self, values: &[Value]) -> bool {
        self.reads_among(values);
        common(values).is_none_or(|of| of == BROUGHT) && self.together(&values.iter().collect::<Vec<_>>())
    }

    fn subquery(&mut self, query: &Query, kind: &Subquery, scope: &Scope<'_>) -> Value {
        let rows = self.query(query, scope);
        let nodes: Vec<Node> = rows.columns.iter().map(|column| column.node).chain(rows.open).collect();
        match kind {
            // Whether there is a row is what its conditions decide, and they are filters.
            Subquery::Exists => Value::constant(Some(BOOL)).failing(),
            Subquery::Scalar => match (rows.columns.as_slice(), rows.open) {
                ([column], None) => {
                    let first = Some(column.name.clone()).filter(|_| !is_withheld(column));
                    Value { first, ..self.of_column(column).failing() }
                }
                _ => Value { nodes, fails: true, ..Value::default() },
            },
            Subquery::Array => Value { nodes, fails: true, ..Value::default() },
            Subquery::Compared { test, operator } => {
                let test = test.as_deref().map(|test| self.operand(test, scope)).unwrap_or_default();
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
                own.into_iter().for_each(|function| self.applies(function));
                let unknown = rows.open.map(|_| Value::default());
                let rows: Vec<Value> =
                    rows.columns.iter().map(|column| self.of_column(column)).chain(unknown).collect();
                self.reads_beside(rows.iter().chain([&test]));
                self.together(&rows.iter().chain([&test]).collect::<Vec<_>>());
                let all = [test.nodes, nodes].concat();
                self.filter(all.clone());
                self.graph.tie(&all);
                Value { nodes: all, fails: true, of: Some(BOOL), ..Value::default() }
            }
        }
    }
}

/// The type of a value that is one of these; absent: nobody knows, or the server makes another type of them.
pub(super) fn common(values: &[Value]) -> Option<u32> {
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
