//! Casts that a statement writes: what a value becomes, and what that runs.

use super::Walk;
use super::oid::{BIT, BPCHAR, BROUGHT, TEXT, VARBIT, VARCHAR};
use super::size::Size;
use super::value::Value;
use crate::sql::builtin::{self, Class};

impl Walk<'_> {
    pub(super) fn cast(&mut self, value: Value, to: &[String], sized: bool) -> Value {
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
                own.into_iter().filter(|function| *function != 0).for_each(|function| self.applies(function));
            } else if !self.catalog.complete {
                // It may be somebody's, and a literal of it read by whatever code, while the statement is parsed.
                self.parses_by_code = true;
                self.unknown();
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
            self.applies(function);
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
                // To its own type it may be cut all the same, and a mask would show another part of it.
                let exact = value.exact && value.of == Some(target) && !sized;
                Value { exact, row: None, of: Some(target), size, ..value }
            }
            _ => {
                self.filter(value.nodes.clone());
                Value { exact: false, row: None, fails: true, of: Some(target), size, ..value }
            }
        }
    }
}
