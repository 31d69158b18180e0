//! Expressions.

use sqlparser::ast::{
    AccessExpr, Array, CastKind, DataType, DateTimeField, Expr as Ast, Ident, Subscript, TrimWhereField, TypedString,
    Value,
};

use super::Lowering;
use super::operator::WORD;
use crate::sql::form::{Constant, Expr, Quantity, Subquery};

impl Lowering<'_> {
    pub(super) fn exprs(&mut self, exprs: &[Ast]) -> Vec<Expr> {
        exprs.iter().map(|expr| self.expr(expr)).collect()
    }

    fn total(&mut self, value: &Ast) -> Expr {
        Expr::Total(vec![self.expr(value)])
    }

    /// Total: what is not listed is opaque.
    pub(super) fn expr(&mut self, expr: &Ast) -> Expr {
        match expr {
            Ast::Nested(inner) => self.expr(inner),
            Ast::Identifier(ident) => self.word(ident),
            Ast::CompoundIdentifier(idents) => Expr::Column(self.name_list(idents)),
            Ast::CompoundFieldAccess { root, access_chain } => self.access(root, access_chain),
            Ast::Wildcard(_) => Expr::Star(Vec::new()),
            Ast::QualifiedWildcard(name, _) => match self.path(name) {
                Some(path) => Expr::Star(path),
                None => self.opaque("a computed name"),
            },
            Ast::Value(value) => self.value(&value.value),
            Ast::TypedString(TypedString { data_type, uses_odbc_syntax: false, .. }) => {
                self.cast(Expr::Constant(Constant::Text), data_type)
            }
            Ast::Interval(interval) => {
                let value = self.expr(&interval.value);
                Expr::Cast { value: Box::new(value), to: vec![self.dialect.type_name("interval")], sized: false }
            }
            Ast::Cast { kind: CastKind::Cast | CastKind::DoubleColon, expr, data_type, format: None } => {
                let value = self.expr(expr);
                self.cast(value, data_type)
            }
            Ast::IsNull(value)
            | Ast::IsNotNull(value)
            | Ast::IsTrue(value)
            | Ast::IsNotTrue(value)
            | Ast::IsFalse(value)
            | Ast::IsNotFalse(value)
            | Ast::IsUnknown(value)
            | Ast::IsNotUnknown(value) => self.total(value),
            Ast::IsDistinctFrom(left, right) | Ast::IsNotDistinctFrom(left, right) => self.compared(left, right),
            Ast::IsNormalized { expr, form, negated } => {
                let mut arguments = vec![self.expr(expr)];
                arguments.extend(form.is_some().then_some(WORD));
                let call = self.system("is_normalized", arguments);
                if *negated { Expr::Not(Box::new(call)) } else { call }
            }
            Ast::In { expr, target, negated, global: false } => self.contained(expr, target, *negated),
            Ast::Between { expr, low, high, .. } => {
                let (value, bounds) = (self.expr(expr), vec![self.expr(low), self.expr(high)]);
                self.calls.push(vec!["between".to_owned()]);
                self.ordered_values(vec![value, Expr::List(bounds)])
            }
            Ast::BinaryOp { left, op, right } => self.binary(left, op, right),
            Ast::UnaryOp { op, expr } => self.unary(*op, expr),
            Ast::Like { negated, any, expr, pattern, escape_char } => {
                self.like("~~", *negated, *any, (expr, pattern), escape_char.as_deref())
            }
            Ast::ILike { negated, any, expr, pattern, escape_char } => {
                self.like("~~*", *negated, *any, (expr, pattern), escape_char.as_deref())
            }
            Ast::SimilarTo { expr, pattern, escape_char, .. } => self.similar(expr, pattern, escape_char.as_deref()),
            Ast::AnyOp { left, compare_op, right, .. } => self.quantified(left, compare_op, right, Quantity::Any),
            Ast::AllOp { left, compare_op, right } => self.quantified(left, compare_op, right, Quantity::All),
            Ast::Collate { expr, .. } => Expr::Collate(Box::new(self.expr(expr))),
            Ast::AtTimeZone { timestamp, time_zone } => {
                let arguments = vec![self.expr(time_zone), self.expr(timestamp)];
                self.system("timezone", arguments)
            }
            Ast::Extract { expr, .. } => {
                let value = self.expr(expr);
                self.system("extract", vec![WORD, value])
            }
            Ast::Ceil { expr, field } => self.rounded("ceil", expr, field),
            Ast::Floor { expr, field } => self.rounded("floor", expr, field),
            Ast::Position { expr, r#in } => {
                let arguments = vec![self.expr(r#in), self.expr(expr)];
                self.system("position", arguments)
            }
            Ast::Substring { .. } | Ast::Trim { .. } | Ast::Overlay { .. } => self.cut(expr),
            Ast::Function(call) => self.call(call),
            Ast::Case { operand, conditions, else_result, .. } => {
                let subject = operand.as_deref().map(|operand| Box::new(self.expr(operand)));
                let (mut tests, mut values) = (Vec::new(), Vec::new());
                for when in conditions {
                    tests.push(self.expr(&when.condition));
                    values.push(self.expr(&when.result));
                }
                values.extend(else_result.as_deref().map(|value| self.expr(value)));
                Expr::Case { subject, conditions: tests, values }
            }
            Ast::Exists { subquery, negated } => {
                let exists = Expr::Query { query: Box::new(self.query(subquery)), kind: Subquery::Exists };
                if *negated { Expr::Not(Box::new(exists)) } else { exists }
            }
            Ast::Subquery(query) => Expr::Query { query: Box::new(self.query(query)), kind: Subquery::Scalar },
            Ast::Tuple(parts) => Expr::Total(self.exprs(parts)),
            Ast::Array(Array { elem, .. }) => Expr::Array(self.exprs(elem)),
            Ast::GroupingSets(sets) | Ast::Cube(sets) | Ast::Rollup(sets) => self.grouping(sets),
            Ast::IsJson { .. } => self.opaque("IS JSON"),
            _ => self.opaque("an expression of another dialect"),
        }
    }

    /// A word: a column, or what the dialect takes for a value.
    fn word(&mut self, ident: &Ident) -> Expr {
        let name = self.name(ident);
        if ident.quote_style.is_none() && self.dialect.is_value_word(&name) {
            return Expr::Constant(Constant::Other);
        }
        if ident.quote_style.is_none() && name == "system_user" {
            return self.system("system_user", Vec::new());
        }
        Expr::Column(vec![name])
    }

    fn value(&mut self, value: &Value) -> Expr {
        Expr::Constant(match value {
            Value::Null => Constant::Null,
            Value::Boolean(_) => Constant::Bool,
            Value::Number(..) => Constant::Number,
            Value::SingleQuotedString(_)
            | Value::DollarQuotedString(_)
            | Value::EscapedStringLiteral(_)
            | Value::UnicodeStringLiteral(_) => Constant::Text,
            Value::NationalStringLiteral(_) => {
                // It is of a type of its own.
                let to = vec![self.dialect.type_name("char")];
                return Expr::Cast { value: Box::new(Expr::Constant(Constant::Text)), to, sized: false };
            }
            Value::HexStringLiteral(_) | Value::SingleQuotedByteStringLiteral(_) => Constant::Other,
            Value::Placeholder(name) => {
                let number = name.strip_prefix('$').and_then(|digits| digits.parse::<usize>().ok());
                let Some(number) = number else { return self.opaque("a parameter without a number") };
                self.parameters = self.parameters.max(number);
                return Expr::Parameter(number);
            }
            _ => return self.opaque("a literal of another dialect"),
        })
    }

    pub(super) fn cast(&mut self, value: Expr, to: &DataType) -> Expr {
        match self.type_name(to) {
            Some(name) => {
                // Without a length these are of one.
                let short = matches!(to, DataType::Char(_) | DataType::Character(_) | DataType::Bit(_));
                Expr::Cast { value: Box::new(value), to: name, sized: short || to.to_string().contains('(') }
            }
            None => self.opaque("a type of another dialect"),
        }
    }

    fn rounded(&mut self, name: &str, value: &Ast, field: &sqlparser::ast::CeilFloorKind) -> Expr {
        match field {
            sqlparser::ast::CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) => {
                let arguments = vec![self.expr(value)];
                self.plain(name, arguments)
            }
            _ => self.opaque("rounding to a unit"),
        }
    }

    /// SUBSTRING, TRIM and OVERLAY.
    fn cut(&mut self, expr: &Ast) -> Expr {
        match expr {
            Ast::Substring { expr, substring_from, substring_for, special, shorthand } => {
                let mut arguments = vec![self.expr(expr)];
                match (substring_from, substring_for) {
                    (Some(from), length) => {
                        arguments.push(self.expr(from));
                        arguments.extend(length.as_deref().map(|length| self.expr(length)));
                    }
                    (None, Some(length)) => {
                        let value = Box::new(self.expr(length));
                        let to = vec![self.dialect.type_name("int")];
                        arguments.extend([Expr::Constant(Constant::Number), Expr::Cast { value, to, sized: false }]);
                    }
                    (None, None) => {}
                }
                // With commas it is a function as any other.
                let plain = *special || (substring_from.is_none() && substring_for.is_none());
                match (plain, *shorthand) {
                    (_, true) => self.plain("substr", arguments),
                    (true, false) => self.plain("substring", arguments),
                    (false, false) => self.system("substring", arguments),
                }
            }
            Ast::Trim { trim_where, trim_what, expr, trim_characters } => {
                let mut arguments = vec![self.expr(expr)];
                arguments.extend(trim_what.as_deref().map(|what| self.expr(what)));
                arguments.extend(trim_characters.iter().flatten().map(|what| self.expr(what)).collect::<Vec<_>>());
                self.system(
                    match trim_where {
                        Some(TrimWhereField::Leading) => "ltrim",
                        Some(TrimWhereField::Trailing) => "rtrim",
                        Some(TrimWhereField::Both) | None => "btrim",
                    },
                    arguments,
                )
            }
            Ast::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                let mut arguments = vec![self.expr(expr), self.expr(overlay_what), self.expr(overlay_from)];
                arguments.extend(overlay_for.as_deref().map(|length| self.expr(length)));
                self.system("overlay", arguments)
            }
            _ => self.opaque("an expression of another dialect"),
        }
    }

    /// `(row).field`, `array[1]`, and more of them.
    fn access(&mut self, root: &Ast, chain: &[AccessExpr]) -> Expr {
        let mut value = self.expr(root);
        // `a.b[1]` names a column as far as the dots go.
        let mut named = matches!(root, Ast::Identifier(_) | Ast::CompoundIdentifier(_));
        for part in chain {
            value = match part {
                AccessExpr::Dot(Ast::Identifier(field)) => {
                    let field = self.name(field);
                    match value {
                        Expr::Column(mut path) if named => {
                            path.push(field);
                            Expr::Column(path)
                        }
                        row => Expr::Field { row: Box::new(row), field: Some(field) },
                    }
                }
                AccessExpr::Dot(Ast::Wildcard(_)) => Expr::Field { row: Box::new(value), field: None },
                AccessExpr::Dot(_) => return self.opaque("a computed field"),
                AccessExpr::Subscript(subscript) => {
                    named = false;
                    let bounds = match subscript {
                        Subscript::Index { index } => vec![self.expr(index)],
                        Subscript::Slice { lower_bound, upper_bound, stride: None } => {
                            lower_bound.iter().chain(upper_bound).map(|bound| self.expr(bound)).collect()
                        }
                        Subscript::Slice { .. } => return self.opaque("a slice in steps"),
                    };
                    let sliced = matches!(subscript, Subscript::Slice { .. });
                    // One slice makes all of them slices.
                    let (value, mut places, slice) = match value {
                        Expr::Subscript { value, places, slice } => (value, places, slice),
                        other => (Box::new(other), Vec::new(), false),
                    };
                    places.extend(bounds);
                    Expr::Subscript { value, places, slice: slice || sliced }
                }
            };
        }
        value
    }

    fn grouping(&mut self, sets: &[Vec<Ast>]) -> Expr {
        let one = |set: &Vec<Ast>| match set.as_slice() {
            [single] => self.ordered(single),
            several => Expr::Total(several.iter().map(|part| self.ordered(part)).collect()),
        };
        Expr::Total(sets.iter().map(one).collect())
    }
}

/// The text of a literal that is one.
pub(super) fn literal_text(expr: &Ast) -> Option<&str> {
    match bare(expr) {
        Ast::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) | Value::UnicodeStringLiteral(text) => {
                Some(text)
            }
            Value::DollarQuotedString(text) => Some(&text.value),
            _ => None,
        },
        _ => None,
    }
}

/// Without its brackets.
pub(super) fn bare(expr: &Ast) -> &Ast {
    let mut expr = expr;
    while let Ast::Nested(inner) = expr {
        expr = inner;
    }
    expr
}
