//! How a write is narrowed: the best conjunct at the top level of its predicate.

use super::form::{Expr, Write};
use crate::access::Predicate;

/// The most values that a list may have to count as a comparison with them.
pub(super) const MAX_LIST: usize = 16;

/// Whether an expression is made of constants and parameters only.
pub(super) fn is_value(expr: &Expr) -> bool {
    match expr {
        Expr::Constant | Expr::Parameter(_) => true,
        Expr::Computed(parts) => parts.iter().all(is_value),
        _ => false,
    }
}

/// How a write's rows are chosen. `is_target`: whether a column's path names a column of the target.
pub(super) fn predicate(write: &Write, is_target: &dyn Fn(&[String]) -> bool) -> Predicate {
    match &write.predicate {
        None => Predicate::None,
        Some(Expr::And(parts)) => {
            let best = parts.iter().map(|part| conjunct(part, is_target)).max();
            best.unwrap_or(Predicate::Tautology)
        }
        Some(one) => conjunct(one, is_target),
    }
}

// `Predicate` orders its kinds from the weakest to the strongest.
fn conjunct(expr: &Expr, is_target: &dyn Fn(&[String]) -> bool) -> Predicate {
    match expr {
        Expr::And(parts) => parts.iter().map(|part| conjunct(part, is_target)).max().unwrap_or(Predicate::Tautology),
        Expr::Equal { left, right } if is_bare(left, is_target) && is_value(right) => Predicate::Equality,
        Expr::Equal { left, right } if is_bare(right, is_target) && is_value(left) => Predicate::Equality,
        _ => {
            let mut found = Found::default();
            found.walk(expr, is_target);
            match found {
                Found { query: true, .. } | Found { other: true, .. } => Predicate::Join,
                Found { target: true, .. } => Predicate::Range,
                Found { .. } => Predicate::Tautology,
            }
        }
    }
}

fn is_bare(expr: &Expr, is_target: &dyn Fn(&[String]) -> bool) -> bool {
    matches!(expr, Expr::Column(path) if is_target(path))
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
            Expr::Constant | Expr::Parameter(_) => {}
            Expr::Column(path) if is_target(path) => self.target = true,
            Expr::Column(_) => self.other = true,
            Expr::Star(_) | Expr::Opaque => self.target = true,
            Expr::Query(_) => self.query = true,
            Expr::Equal { left, right } => [left, right].iter().for_each(|e| self.walk(e, is_target)),
            Expr::And(parts) | Expr::Computed(parts) | Expr::Call { arguments: parts, .. } => {
                parts.iter().for_each(|e| self.walk(e, is_target));
            }
        }
    }
}
