//! Operators: what they make of their operands, which code of the database's own they run, and whether they fail at some.

use std::collections::BTreeSet;

use super::Walk;
use super::expr::common;
use super::oid::{BIT, BOOL, BPCHAR, JSON, JSONB, NAME, TEXT, UNKNOWN, VARBIT, VARCHAR, VECTORS};
use super::own::{Operand, brought, compared};
use super::scope::Scope;
use super::size::Size;
use super::value::Value;
use crate::sql::builtin::{self, Class};
use crate::sql::catalog::Function;
use crate::sql::form::{Expr, Quantity};
use crate::sql::predicate::is_equals;

impl Walk<'_> {
    pub(super) fn operator(
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
        if !self.catalog.complete {
            // Somebody's may be on these types.
            self.unknown();
        }
        let left = left.map(|left| self.operand(left, scope));
        let right = self.operand(right, scope);
        self.operated(name, left, right, quantity)
    }

    /// One of some values, by comparing them.
    pub(super) fn chosen(&mut self, operator: &[String], values: &[Expr], scope: &Scope<'_>) -> Value {
        let mut values: Vec<Value> = values.iter().map(|value| self.operand(value, scope)).collect();
        self.reads_among(&values);
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
        let values: Vec<Value> = values.map(|value| self.operand(value, scope)).collect();
        self.reads_beside(&values);
        let own = values.split_first().map(|(one, bounds)| self.own_orders(std::slice::from_ref(one), bounds));
        let first = values.first().and_then(|value| value.of);
        let of = first.filter(|of| values.iter().all(|value| value.of.is_none_or(|other| other == *of)));
        self.operated_by(own.unwrap_or_default(), name, None, Value::computed(values).typed(of), Quantity::One)
    }

    pub(super) fn operated(&mut self, name: &[String], left: Option<Value>, right: Value, quantity: Quantity) -> Value {
        let symbol = name.last().map(String::as_str).unwrap_or_default();
        let (one, other) = (left.as_ref().map_or(Operand::Any, Operand::from), compared(&right, quantity));
        let own = match symbol {
            _ if left.is_none() => self.own_prefixes(symbol, other),
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
        self.reads_beside(operands.iter().copied());
        self.reads_for(&own, operands.iter().copied());
        // One of just these types takes them as they are.
        let as_it_is = builtin::exactly(symbol, a, b).is_some();
        let converted = system && !as_it_is && self.together(&operands);
        let total = match &class {
            Some(Class::Total(positions)) if own.is_empty() => !converted && self.may_hold(*positions, &operands),
            _ => false,
        };
        let of = result_type(symbol, left.as_ref().and_then(Value::known_type), right.known_type());
        let of = of.or(brought(left.iter().chain([&right])));
        let elsewhere = is_elsewhere(name);
        let computed = self.computed_only(&own).filter(|_| !own.is_empty());
        let of = match (&computed, own.is_empty()) {
            (_, true) => of,
            // Of PostgreSQL's own operators one may be meant as well, where it has any of that name.
            (Some(made), false) if elsewhere || !builtin::is_operator(symbol) => *made,
            (Some(made), false) => of.filter(|of| *made == Some(*of)),
            // What one of the database's own makes, nobody knows.
            (None, false) => None,
        };
        if computed.is_some() {
            self.taken_by(&own, &operands);
        }
        let mut value = Value::computed(left.into_iter().chain([right])).typed(of);
        let meant = !name.first().is_some_and(|schema| schema == "pg_catalog" && name.len() > 1);
        if computed.is_some() && meant {
            if !elsewhere && class.is_none() && builtin::is_operator(symbol) {
                self.unknown();
            }
        } else if !own.is_empty() && meant {
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

    /// What these functions of operators make, if all are an extension's that only compute; the inner `None`: one thing or another.
    #[expect(clippy::option_option, reason = "whether they only compute, and whether of one type")]
    fn computed_only(&self, own: &[u32]) -> Option<Option<u32>> {
        let known = own.iter().map(|oid| self.catalog.function(*oid));
        let plain = |known: &Function| self.catalog.complete && self.catalog.computes_plainly(known);
        let made: Option<Vec<u32>> = known.map(|known| Some(known.filter(|known| plain(known))?.returns)).collect();
        let made = made?;
        let first = made.first().copied();
        Some(first.filter(|first| made.iter().all(|other| other == first)))
    }

    /// Operands that become what these functions take.
    fn taken_by(&mut self, own: &[u32], operands: &[&Value]) {
        let known = own.iter().filter_map(|oid| self.catalog.function(*oid));
        let parameters: BTreeSet<(usize, u32)> =
            known.flat_map(|known| known.arguments.iter().copied().enumerate()).collect();
        for (at, to) in parameters {
            if let Some(operand) = operands.get(at) {
                self.assigned_to(operand, to);
            }
        }
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
pub(super) fn is_elsewhere(name: &[String]) -> bool {
    matches!(name, [schema, .., _] if schema != "pg_catalog")
}

fn is_comparison(symbol: &str) -> bool {
    matches!(symbol, "=" | "<>" | "!=" | "<" | "<=" | ">" | ">=" | "~~" | "!~~" | "~~*" | "!~~*")
}
