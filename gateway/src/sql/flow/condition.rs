//! Conditions: what decides, and what a comparison for equality tells.

use super::expr::common;
use super::graph::Node;
use super::oid::BOOL;
use super::own::{Operand, Typing, compared};
use super::scope::Scope;
use super::value::Value;
use super::{Equality, Walk};
use crate::sql::builtin;
use crate::sql::form::{Expr, Quantity};
use crate::sql::predicate::{Equals, MAX_LIST, equality, is_value_of};

fn is_constant(expr: &Expr) -> bool {
    matches!(expr, Expr::Constant(_))
}

impl Walk<'_> {
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
    pub(super) fn truth(&mut self, value: &Value) -> bool {
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
        // An array that is not written out, or an element that may be one, holds any number of guesses.
        let few = |other: &Expr| match other {
            Expr::List(values) => values.len() <= MAX_LIST,
            Expr::Array(values) => values.len() <= MAX_LIST && values.iter().all(is_constant),
            _ => even,
        };
        let (one, other) = (self.operand(left, scope), self.operand(right, scope));
        self.reads_beside([&one, &other]);
        let quantity = if even { Quantity::One } else { Quantity::Any };
        let as_it_is = builtin::exactly("=", one.of, other.of).is_some();
        let own = !self.own_operators("=", (&one).into(), compared(&other, quantity)).is_empty();
        if own || (!as_it_is && self.together(&[&one, &other])) {
            let value = self.expr(expr, scope);
            self.filter(value.nodes.clone());
            return value.nodes;
        }
        let bare = |expr: &Expr, value: &Value| match (expr, value.nodes.as_slice()) {
            (Expr::Column(_), [node]) if value.exact && !self.graph.is_collated(*node) => Some(*node),
            _ => None,
        };
        let value = |expr: &Expr, value: &Value| self.is_plain(expr, scope) && value.nodes.is_empty() && few(expr);
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

    /// Whether an expression is made of constants and parameters only, and says of none how it is compared: a domain's collation
    /// goes before a column's, and `=` may ignore case, accents or digits by it.
    fn is_plain(&self, expr: &Expr, scope: &Scope<'_>) -> bool {
        is_value_of(expr, &|number| scope.is_constant(number)) && !self.collates(expr)
    }

    pub(super) fn collates(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Cast { value, to, .. } => {
                self.own_type(to).is_some_and(|(of, _)| self.catalog.may_collate(of)) || self.collates(value)
            }
            Expr::Total(parts) | Expr::Array(parts) | Expr::List(parts) | Expr::Computed(parts) => {
                parts.iter().any(|part| self.collates(part))
            }
            Expr::Operator { left, right, .. } => {
                left.as_ref().is_some_and(|left| self.collates(left)) || self.collates(right)
            }
            _ => false,
        }
    }

    /// Runs what the database has for `=`, where a statement compares values of these types without saying so.
    /// Whether that is PostgreSQL's own.
    pub(super) fn compares(&mut self, left: Option<u32>, right: Option<u32>) -> bool {
        let own = self.own_operators("=", Operand::of(left), Operand::of(right));
        let builtin = own.is_empty();
        own.into_iter().for_each(|function| self.applies(function));
        if left.is_none() || left != right {
            let of = |of| Value { of, ..Value::default() };
            self.together(&[&of(left), &of(right)]);
        }
        builtin
    }

    pub(super) fn case(
        &mut self,
        subject: Option<&Expr>,
        conditions: &[Expr],
        values: &[Expr],
        scope: &Scope<'_>,
    ) -> Value {
        let subject = subject.map(|subject| (subject, self.operand(subject, scope)));
        let mut nodes = Vec::new();
        for condition in conditions {
            let Some((of, subject)) = &subject else {
                nodes.extend(self.predicate(condition, scope));
                continue;
            };
            let value = self.operand(condition, scope);
            self.reads_beside([subject, &value]);
            // A literal is a text here.
            let left = Some(Operand::from(subject)).filter(|of| *of != Operand::Literal).unwrap_or(Operand::Any);
            let own = self.own_operators("=", left, (&value).into());
            let builtin = own.is_empty();
            own.into_iter().for_each(|function| self.applies(function));
            let converted = self.together(&[subject, &value]);
            match (of, subject.nodes.as_slice()) {
                (Expr::Column(_), [node])
                    if subject.exact
                        && builtin
                        && !converted
                        && !self.graph.is_collated(*node)
                        && self.is_plain(condition, scope) =>
                {
                    self.filters.push((*node, Equality::Yes));
                }
                _ => {
                    self.filter(subject.nodes.clone());
                    self.filter(value.nodes.clone());
                }
            }
            nodes.extend(subject.nodes.iter().chain(&value.nodes));
        }
        let values: Vec<Value> = values.iter().map(|value| self.operand(value, scope)).collect();
        // Without ELSE it is a NULL as well.
        self.reads_among(values.iter().chain([&Value { typing: Typing::Literal, ..Value::default() }]));
        let of = common(&values);
        let first = values.last().and_then(|value| value.first.clone());
        let mut value = Value { first, ..self.mixed(values, of) };
        if value.fails {
            self.filter(nodes.clone());
        }
        value.fails |= !conditions.is_empty();
        value.nodes.extend(nodes);
        value
    }
}
