//! Parts of values: fields of rows, elements of arrays, and what is in a document.

use super::Walk;
use super::function::Given;
use super::oid::{BROUGHT, FIRST_OWN, INT2, INT4, JSONB, TEXT, VECTORS};
use super::own::Operand;
use super::scope::Scope;
use super::value::Value;
use crate::sql::builtin;
use crate::sql::catalog::Relation;
use crate::sql::form::Expr;

impl Walk<'_> {
    pub(super) fn field(&mut self, row: &Expr, field: Option<&str>, scope: &Scope<'_>) -> Value {
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
    fn rows_of(&self, value: &Value) -> Option<&Relation> {
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

    /// An element of an array or of a document, or a part of an array: NULL where there is none.
    pub(super) fn subscript(&mut self, value: &Expr, places: &[Expr], slice: bool, scope: &Scope<'_>) -> Value {
        let value = self.expr(value, scope);
        let element = value.of.and_then(|of| self.element(of));
        let document = value.of == Some(JSONB);
        let mut total = element.is_some() || document;
        let mut all = value.nodes;
        let mut fails = value.fails;
        for place in places {
            let place = self.operand(place, scope);
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
        Value { nodes: all, fails: fails || !total, of, size: value.size, first: value.first, ..Value::default() }
    }
}
