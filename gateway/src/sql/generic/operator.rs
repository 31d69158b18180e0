//! Operators.

use sqlparser::ast::{
    BinaryOperator, Expr as Ast, Function, FunctionArg, FunctionArgExpr, FunctionArguments, InTarget, ObjectName,
    UnaryOperator,
};

use super::Lowering;
use super::expr::bare;
use crate::sql::form::{Call, Constant, Expr, Quantity, Subquery};

impl Lowering<'_> {
    /// A call of an operator.
    pub(super) fn operate(&mut self, name: Vec<String>, left: Option<Expr>, right: Expr, quantity: Quantity) -> Expr {
        self.calls.push(name.clone());
        Expr::Operator { name, left: left.map(Box::new), right: Box::new(right), quantity }
    }

    /// Values that are compared with each other by the order of their type.
    pub(super) fn ordered_values(&mut self, values: Vec<Expr>) -> Expr {
        let right = Box::new(Expr::List(values));
        Expr::Operator { name: vec!["<".to_owned()], left: None, right, quantity: Quantity::One }
    }

    /// A comparison by `=` that is more than that: IS DISTINCT FROM.
    pub(super) fn compared(&mut self, left: &Ast, right: &Ast) -> Expr {
        let (left, right) = (self.expr(left), self.expr(right));
        Expr::Total(vec![self.operate(vec!["=".to_owned()], Some(left), right, Quantity::One)])
    }

    pub(super) fn unary(&mut self, operator: UnaryOperator, operand: &Ast) -> Expr {
        let value = self.expr(operand);
        let name = match operator {
            UnaryOperator::Not => return Expr::Not(Box::new(value)),
            // A number with its sign is a constant.
            UnaryOperator::Minus if value == Expr::Constant(Constant::Number) => return value,
            UnaryOperator::BangNot | UnaryOperator::PGPostfixFactorial => {
                return self.opaque("an operator of another dialect");
            }
            UnaryOperator::PGPrefixFactorial => "!!".to_owned(),
            other => other.to_string(),
        };
        self.operate(vec![name], None, value, Quantity::One)
    }

    pub(super) fn binary(&mut self, left: &Ast, operator: &BinaryOperator, right: &Ast) -> Expr {
        match operator {
            BinaryOperator::And | BinaryOperator::Or => {
                let (left, right) = (self.expr(left), self.expr(right));
                return joined(matches!(operator, BinaryOperator::And), left, right);
            }
            BinaryOperator::Overlaps => {
                let mut arguments = self.row_parts(left);
                arguments.extend(self.row_parts(right));
                return self.system("overlaps", arguments);
            }
            BinaryOperator::Xor
            | BinaryOperator::DuckIntegerDivide
            | BinaryOperator::MyIntegerDivide
            | BinaryOperator::Match
            | BinaryOperator::Regexp
            | BinaryOperator::Glob
            | BinaryOperator::Assignment
            | BinaryOperator::Is
            | BinaryOperator::IsNot => return self.opaque("an operator of another dialect"),
            _ => {}
        }
        let name = symbol(operator);
        let (left, right) = (self.expr(left), self.expr(right));
        self.operate(name, Some(left), right, Quantity::One)
    }

    fn row_parts(&mut self, row: &Ast) -> Vec<Expr> {
        match self.expr(row) {
            Expr::Total(parts) => parts,
            other => vec![other],
        }
    }

    /// LIKE and ILIKE.
    pub(super) fn like(
        &mut self,
        name: &str,
        negated: bool,
        any: bool,
        sides: (&Ast, &Ast),
        escape: Option<&Ast>,
    ) -> Expr {
        let left = self.expr(sides.0);
        // The parser takes `LIKE ALL (a)` for a function of that name.
        let (quantity, pattern) = match sides.1 {
            _ if any => (Quantity::Any, sides.1),
            Ast::Function(call) => match quantified_by(call) {
                Some((quantity, of)) => (quantity, of),
                None => (Quantity::One, sides.1),
            },
            pattern => (Quantity::One, pattern),
        };
        let pattern = self.expr(pattern);
        let pattern = match escape {
            Some(escape) => {
                let escape = self.expr(escape);
                self.system("like_escape", vec![pattern, escape])
            }
            None => pattern,
        };
        let name = if negated { format!("!{name}") } else { name.to_owned() };
        self.operate(vec![name], Some(left), pattern, quantity)
    }

    pub(super) fn similar(&mut self, value: &Ast, pattern: &Ast, escape: Option<&Ast>) -> Expr {
        self.calls.push(vec!["~".to_owned()]);
        let (value, mut arguments) = (self.expr(value), vec![self.expr(pattern)]);
        arguments.extend(escape.map(|escape| self.expr(escape)));
        let pattern = self.system("similar_to_escape", arguments);
        let (name, quantity) = (vec!["~".to_owned()], Quantity::One);
        Expr::Operator { name, left: Some(Box::new(value)), right: Box::new(pattern), quantity }
    }

    /// `a = ANY (b)`, with an array or a query.
    pub(super) fn quantified(
        &mut self,
        left: &Ast,
        operator: &BinaryOperator,
        right: &Ast,
        quantity: Quantity,
    ) -> Expr {
        let name = symbol(operator);
        let test = self.expr(left);
        match bare(right) {
            Ast::Subquery(query) => self.compared_with(test, name, query),
            other => {
                let right = self.expr(other);
                self.operate(name, Some(test), right, quantity)
            }
        }
    }

    fn compared_with(&mut self, test: Expr, operator: Vec<String>, query: &sqlparser::ast::Query) -> Expr {
        let query = Box::new(self.query(query));
        Expr::Query { query, kind: Subquery::Compared { test: Some(Box::new(test)), operator } }
    }

    pub(super) fn contained(&mut self, value: &Ast, target: &InTarget, negated: bool) -> Expr {
        let test = self.expr(value);
        match target {
            InTarget::List(values) => {
                let right = Expr::List(self.exprs(values));
                let name = if negated { "<>" } else { "=" };
                self.operate(vec![name.to_owned()], Some(test), right, Quantity::Any)
            }
            InTarget::Subquery(query) => {
                let compared = self.compared_with(test, vec!["=".to_owned()], query);
                if negated { Expr::Not(Box::new(compared)) } else { compared }
            }
            InTarget::Unnest(_) | InTarget::Table { .. } => self.opaque("IN something of another dialect"),
        }
    }

    /// The function behind a construct.
    pub(super) fn system(&mut self, name: &str, arguments: Vec<Expr>) -> Expr {
        let name = self.dialect.system_function(name);
        self.calls.push(name.clone());
        Expr::Call(Box::new(Call { name, arguments, ..Call::default() }))
    }

    /// `USING >`.
    pub(super) fn using(&mut self, operator: &ObjectName, value: Expr) -> Expr {
        // The parts are an operator's, but are kept as names.
        let name = operator.0.iter().map(|part| part.to_string()).collect();
        Expr::Operator { name, left: None, right: Box::new(value), quantity: Quantity::One }
    }
}

/// AND and OR take in what is joined by themselves on their left side.
fn joined(and: bool, left: Expr, right: Expr) -> Expr {
    match (and, left) {
        (true, Expr::And(mut parts)) => {
            parts.push(right);
            Expr::And(parts)
        }
        (false, Expr::Or(mut parts)) => {
            parts.push(right);
            Expr::Or(parts)
        }
        (true, left) => Expr::And(vec![left, right]),
        (false, left) => Expr::Or(vec![left, right]),
    }
}

/// `ALL (a)`, which is no call.
fn quantified_by(call: &Function) -> Option<(Quantity, &Ast)> {
    let word = match call.name.0.as_slice() {
        [part] => part.as_ident().filter(|ident| ident.quote_style.is_none())?,
        _ => return None,
    };
    let quantity = match word.value.to_ascii_lowercase().as_str() {
        "all" => Quantity::All,
        "any" | "some" => Quantity::Any,
        _ => return None,
    };
    let FunctionArguments::List(list) = &call.args else { return None };
    match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(of))] => Some((quantity, of)),
        _ => None,
    }
}

fn symbol(operator: &BinaryOperator) -> Vec<String> {
    match operator {
        BinaryOperator::PGCustomBinaryOperator(parts) => {
            let mut parts = parts.clone();
            let operator = parts.pop();
            // A schema's name is folded as any other; what was quoted is not told apart here.
            let mut path: Vec<String> = parts.iter().map(|part| part.to_ascii_lowercase()).collect();
            path.extend(operator);
            path
        }
        BinaryOperator::NotEq => vec!["<>".to_owned()],
        other => vec![other.to_string()],
    }
}

/// A keyword of a construct, as the argument that it becomes.
pub(super) const WORD: Expr = Expr::Constant(Constant::Text);
