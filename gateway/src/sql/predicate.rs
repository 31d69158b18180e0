//! How a write is narrowed: the best conjunct at the top level of its predicate.

use super::form::{Expr, Quantity, Write};
use crate::access::Predicate;

/// The most values that a list may have to count as a comparison with them.
pub(super) const MAX_LIST: usize = 16;

/// Whether an expression is made of constants and parameters only.
pub(super) fn is_value(expr: &Expr) -> bool {
    is_value_of(expr, &|_| true)
}

/// The same, where only some parameters are as good as constants: a function's may stand for another value at each call.
pub(super) fn is_value_of(expr: &Expr, is_constant: &dyn Fn(usize) -> bool) -> bool {
    let is_value = |expr: &Expr| is_value_of(expr, is_constant);
    match expr {
        Expr::Constant(_) => true,
        Expr::Parameter(number) => is_constant(*number),
        Expr::Cast { value, .. } => is_value(value),
        Expr::Total(parts) | Expr::Array(parts) | Expr::List(parts) | Expr::Computed(parts) => {
            parts.iter().all(is_value)
        }
        Expr::Operator { left, right, .. } => left.as_ref().is_none_or(|left| is_value(left)) && is_value(right),
        _ => false,
    }
}

/// Whether an expression is a constant or a parameter as it stands: of any other something has to be computed, and may be code
/// of the database's own.
pub(super) fn is_written(expr: &Expr) -> bool {
    matches!(expr, Expr::Constant(_) | Expr::Parameter(_))
}

/// A comparison by `=`.
pub(super) struct Equals<'e> {
    pub(super) left: &'e Expr,
    pub(super) right: &'e Expr,
    /// Whether the sides mean the same. `a = ANY (b)` compares `a`, and asks of `b` whether it holds such a value.
    pub(super) even: bool,
}

/// What a comparison by `=` compares: `a = b`, `a IN (b, c)`, `a = ANY (b)`.
pub(super) fn equality(expr: &Expr) -> Option<Equals<'_>> {
    match expr {
        Expr::Operator { name, left: Some(left), right, quantity: quantity @ (Quantity::One | Quantity::Any) }
            if is_equals(name) =>
        {
            Some(Equals { left, right, even: *quantity == Quantity::One })
        }
        _ => None,
    }
}

/// Whether an operator's name is that of the built-in equality, where nobody made another.
pub(super) fn is_equals(name: &[String]) -> bool {
    match name {
        [name] => name == "=",
        [schema, name] => schema == "pg_catalog" && name == "=",
        _ => false,
    }
}

/// How a write's rows are chosen. `is_target`: whether a column's path names a column of the target; `names_rows`: whether
/// one that tells rows apart; `is_constant`: whether a parameter is as good as a constant.
pub(super) fn predicate(
    write: &Write,
    is_target: &dyn Fn(&[String]) -> bool,
    names_rows: &dyn Fn(&[String]) -> bool,
    is_constant: &dyn Fn(usize) -> bool,
) -> Predicate {
    let bare = |one: &Expr, other: &Expr| {
        matches!(one, Expr::Column(path) if names_rows(path)) && is_value_of(other, is_constant)
    };
    write.predicate.as_ref().map_or(Predicate::None, |predicate| conjunct(predicate, is_target, &bare))
}

// `Predicate` orders its kinds from the weakest to the strongest.
fn conjunct(expr: &Expr, is_target: &dyn Fn(&[String]) -> bool, bare: &dyn Fn(&Expr, &Expr) -> bool) -> Predicate {
    if let Expr::And(parts) = expr {
        return parts.iter().map(|part| conjunct(part, is_target, bare)).max().unwrap_or(Predicate::Tautology);
    }
    if equality(expr).is_some_and(|e| bare(e.left, e.right) || e.even && bare(e.right, e.left)) {
        return Predicate::Equality;
    }
    let mut found = Found::default();
    found.walk(expr, is_target);
    match found {
        Found { query: true, .. } | Found { other: true, .. } => Predicate::Join,
        Found { target: true, .. } => Predicate::Range,
        Found { .. } => Predicate::Tautology,
    }
}

#[derive(Default)]
struct Found {
    query: bool,
    target: bool,
    other: bool,
}

impl Found {
    fn walk(&mut self, expr: &Expr, is_target: &dyn Fn(&[String]) -> bool) {
        match expr {
            Expr::Constant(_) | Expr::Parameter(_) | Expr::Ordinal(_) => {}
            Expr::Column(path) if is_target(path) => self.target = true,
            Expr::Column(_) => self.other = true,
            Expr::Star(_) | Expr::Opaque => self.target = true,
            Expr::Query { .. } => self.query = true,
            Expr::Operator { left, right, .. } => {
                left.iter().for_each(|left| self.walk(left, is_target));
                self.walk(right, is_target);
            }
            Expr::Not(value) | Expr::Cast { value, .. } | Expr::Collate(value) | Expr::Field { row: value, .. } => {
                self.walk(value, is_target)
            }
            Expr::Subscript { value, places, .. } => {
                self.walk(value, is_target);
                places.iter().for_each(|e| self.walk(e, is_target));
            }
            Expr::Call(call) => call.arguments.iter().chain(&call.over).for_each(|e| self.walk(e, is_target)),
            Expr::Case { subject, conditions, values } => {
                let parts = subject.iter().map(|subject| &**subject).chain(conditions).chain(values);
                parts.for_each(|e| self.walk(e, is_target));
            }
            Expr::Chosen { values: parts, .. }
            | Expr::And(parts)
            | Expr::Or(parts)
            | Expr::Total(parts)
            | Expr::Array(parts)
            | Expr::List(parts)
            | Expr::Coalesce(parts)
            | Expr::Computed(parts) => parts.iter().for_each(|e| self.walk(e, is_target)),
        }
    }
}
