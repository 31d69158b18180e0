//! Conversions that the server makes without being asked: to bring values together, and to make of one what is wanted.
//!
//! A cast that somebody made `AS IMPLICIT` is called wherever PostgreSQL's own operators and functions take what it makes, and
//! one `AS ASSIGNMENT` where a value is put into a column, or stands where a truth value or a number has to.

use std::collections::BTreeSet;

use super::Walk;
use super::oid::{BROUGHT, FIRST_OWN, INT4, INT8, NUMERIC, TEXT, UNKNOWN};
use super::own::{Operand, Typing};
use super::value::Value;
use crate::sql::builtin;
use crate::sql::catalog::{Cast, CastContext, CastMethod, TypeKind};

impl Walk<'_> {
    /// Values that one of PostgreSQL's own operators, functions or constructs takes together: what the database has to make
    /// of them what it takes is run. Whether that may fail.
    pub(super) fn together(&mut self, values: &[&Value]) -> bool {
        let wanted: Vec<Cast> =
            self.catalog.casts.iter().filter(|cast| self.may_be_taken(cast, values)).copied().collect();
        self.convert(&wanted);
        wanted.iter().any(|cast| cast.method != CastMethod::Binary)
    }

    /// Values that become what a construct takes, which is not known here.
    pub(super) fn taken(&mut self, values: &[Value]) {
        let fits = |cast: &&Cast| {
            cast.context != CastContext::Explicit
                && (cast.source >= FIRST_OWN || cast.target < FIRST_OWN)
                && values.iter().any(|value| self.could_be(value, cast.source))
        };
        let wanted: Vec<Cast> = self.catalog.casts.iter().filter(fits).copied().collect();
        self.convert(&wanted);
    }

    /// A value that is put where one of a type has to be; the same.
    pub(super) fn assigned_to(&mut self, value: &Value, to: u32) -> bool {
        let (to, element) = (self.base(to), self.element(self.base(to)));
        let fits = |cast: &&Cast| {
            cast.context != CastContext::Explicit
                && (cast.target == to || Some(cast.target) == element)
                && self.could_be(value, cast.source)
        };
        let wanted: Vec<Cast> = self.catalog.casts.iter().filter(fits).copied().collect();
        self.convert(&wanted);
        wanted.iter().any(|cast| cast.method != CastMethod::Binary)
    }

    /// Values that are made documents of: a cast to one that somebody made is called for each part of them.
    pub(super) fn documented(&mut self, values: &[Value]) {
        if values.iter().all(|value| super::own::brought([value]).is_some()) {
            return;
        }
        let met = |cast: &&Cast| cast.source < FIRST_OWN || self.met.contains(&cast.source);
        let casts = self.catalog.casts.iter().filter(|cast| super::print::DOCUMENTS.contains(&cast.target)).filter(met);
        let casts: Vec<Cast> = casts.copied().collect();
        self.convert(&casts);
    }

    /// Takes note of a type that values of the statement may have from here on, and of what those are made of.
    pub(super) fn meets(&mut self, of: u32) {
        let mut open = vec![of];
        while let Some(of) = open.pop() {
            if of < FIRST_OWN || !self.met.insert(of) || !self.step() {
                continue;
            }
            let Some(known) = self.catalog.types.get(&of) else { continue };
            open.extend([known.base, known.element]);
            let row = self.catalog.relations.get(&known.relation);
            open.extend(row.into_iter().flat_map(|row| row.columns.iter().map(|column| column.type_oid)));
        }
    }

    /// Runs what the database has for conversions, but for what an extension's library does: it computes.
    fn convert(&mut self, casts: &[Cast]) {
        let functions: BTreeSet<u32> =
            casts.iter().map(|cast| cast.function).filter(|function| *function != 0).collect();
        for function in functions {
            if self.catalog.function(function).is_some_and(|known| !matches!(&*known.language, "c" | "internal")) {
                self.execute(function);
            }
        }
    }

    /// Whether the server may use a cast to bring these together, or to make of one what its own functions take.
    fn may_be_taken(&self, cast: &Cast, values: &[&Value]) -> bool {
        let beside =
            |of: u32| values.iter().any(|value| self.could_be(value, of) && Operand::from(*value) != Operand::Any);
        cast.context == CastContext::Implicit
            && values.iter().any(|value| self.could_be(value, cast.source))
            // What PostgreSQL brings becomes one of somebody's only where another is that.
            && (cast.source >= FIRST_OWN || cast.target < FIRST_OWN || beside(cast.target))
    }

    /// Whether a value, or an element of it, may be of that very type.
    pub(super) fn could_be(&self, value: &Value, source: u32) -> bool {
        if value.of == Some(UNKNOWN) {
            // A literal takes the type that is wanted, and is a text behind a query. So does a parameter, or its statement is
            // unknown by itself.
            return value.typing == Typing::Sure && source == TEXT;
        }
        let met = || source < FIRST_OWN || self.met.contains(&source);
        if value.row.is_some() {
            let of = self.catalog.types.get(&source);
            return met() && of.is_none_or(|of| of.kind == TypeKind::Composite);
        }
        let is = |of: u32| of == source || self.base(of) == source;
        match Operand::from(value) {
            Operand::Any => met(),
            Operand::Literal => false,
            Operand::Number => matches!(source, INT4 | INT8 | NUMERIC),
            Operand::Of(BROUGHT) => source < FIRST_OWN && builtin::is_type(source),
            Operand::Of(of) => is(of) || self.element(self.base(of)).is_some_and(is),
        }
    }
}
