//! Which operators and functions of the database's own the server may take, by the types of what they are given.

use std::collections::BTreeSet;

use super::Walk;
use super::function::{Given, POLYMORPHIC};
use super::oid::{BROUGHT, FIRST_OWN, INT4, INT8, NUMERIC, RECORD, TEXT, UNKNOWN};
use super::scope::{Column, Rows};
use super::value::Value;
use crate::access::Name;
use crate::sql::builtin;
use crate::sql::catalog::{CastContext, Function, FunctionKind, TypeKind};
use crate::sql::form::Quantity;

/// What a value's type is known by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Typing {
    /// It is what [`Value::of`] says, where that says something.
    #[default]
    Sure,
    /// It is a literal: the server types it by what stands beside it.
    Literal,
    /// It is a number that stands in the text: `int4`, `int8` or `numeric`, by how large it is.
    Number,
    /// It is a parameter of the statement: whoever prepares that may say.
    Parameter,
}

/// What an operand or an argument is, as far as that decides which operator or function is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operand {
    /// Of some type.
    Any,
    /// [`Typing::Literal`].
    Literal,
    /// [`Typing::Number`].
    Number,
    /// Of this type.
    Of(u32),
}

impl Operand {
    /// A value of that type, if it is known.
    pub(super) fn of(of: Option<u32>) -> Self {
        of.filter(|of| !matches!(*of, 0 | UNKNOWN | RECORD)).map_or(Operand::Any, Operand::Of)
    }

    /// The types that it may have; `None` for all of them, [`UNKNOWN`] for what takes another's.
    fn types(self) -> impl Iterator<Item = Option<u32>> {
        let (types, count) = match self {
            Operand::Any => ([None; 3], 1),
            Operand::Literal => ([Some(UNKNOWN); 3], 1),
            Operand::Of(of) => ([Some(of); 3], 1),
            Operand::Number => ([Some(INT4), Some(INT8), Some(NUMERIC)], 3),
        };
        types.into_iter().take(count)
    }
}

impl From<&Value> for Operand {
    fn from(value: &Value) -> Self {
        match value.typing {
            Typing::Sure => Operand::of(value.of),
            Typing::Literal => Operand::Literal,
            Typing::Number => Operand::Number,
            Typing::Parameter => Operand::Any,
        }
    }
}

/// [`BROUGHT`], where all of these are of types that PostgreSQL brings: so is what its own functions and operators make of
/// them.
pub(super) fn brought<'v>(values: impl IntoIterator<Item = &'v Value>) -> Option<u32> {
    let brought = |value| match Operand::from(value) {
        Operand::Any => false,
        Operand::Literal | Operand::Number => true,
        Operand::Of(of) => of < FIRST_OWN,
    };
    values.into_iter().all(brought).then_some(BROUGHT)
}

/// A value that another is compared with, or each of a list of them, of the elements of an array or the rows of a query.
pub(super) fn compared(value: &Value, quantity: Quantity) -> Operand {
    match (quantity, Operand::from(value)) {
        (Quantity::One, operand) | (_, operand @ (Operand::Literal | Operand::Number)) => operand,
        (_, Operand::Of(of)) if of < FIRST_OWN => Operand::Of(BROUGHT),
        _ => Operand::Any,
    }
}

impl<'a> Walk<'a> {
    /// The functions of operators of the database's own that the server may take for these operands.
    pub(super) fn own_operators(&self, symbol: &str, left: Operand, right: Operand) -> Vec<u32> {
        let own = self.catalog.operators_named(symbol);
        let may = own.filter(|own| {
            left.types().any(|left| {
                right.types().any(|right| match self.exactly(symbol, left, right) {
                    // Only one of the same types, in a schema that comes earlier, is in its place. What is of a domain is
                    // taken for one of its base.
                    Some(types) => types == [self.base(own.left), self.base(own.right)],
                    None => self.may_become(left, own.left) && self.may_become(right, own.right),
                })
            })
        });
        may.map(|own| own.function).collect()
    }

    /// Those that stand before their only operand.
    pub(super) fn own_prefixes(&self, symbol: &str, operand: Operand) -> Vec<u32> {
        let own = self.catalog.operators_named(symbol).filter(|own| own.left == 0);
        own.filter(|own| operand.types().any(|of| self.may_become(of, own.right))).map(|own| own.function).collect()
    }

    /// Those where the name is one of another schema than PostgreSQL's: nothing of PostgreSQL's comes before them.
    pub(super) fn own_elsewhere(&self, symbol: &str, left: Operand, right: Operand) -> Vec<u32> {
        let takes = |operand: Operand, of| operand.types().any(|one| self.may_become(one, of));
        let own = self.catalog.operators_named(symbol);
        own.filter(|own| takes(left, own.left) && takes(right, own.right)).map(|own| own.function).collect()
    }

    /// The functions of that name that may take a row.
    pub(super) fn own_of_rows(&self, name: &str) -> Vec<u32> {
        let given = Given { values: vec![Value::default()], ..Given::default() };
        let becomes = |target| {
            self.catalog.casts.iter().any(|cast| cast.target == target && cast.context == CastContext::Implicit)
        };
        // The types of the system's own rows are not known.
        let row = |of: &u32| match self.catalog.types.get(of) {
            Some(of) => matches!(of.kind, TypeKind::Composite | TypeKind::Domain) || becomes(of.oid),
            None => becomes(*of) || POLYMORPHIC.contains(of) || *of == RECORD || !builtin::is_type(*of),
        };
        let own = self.candidates(None, name, &given).into_iter();
        own.filter(|own| own.arguments.first().is_none_or(row)).map(|own| own.oid).collect()
    }

    /// [`BROUGHT`], where all columns are of types that PostgreSQL brings.
    pub(super) fn all_brought(&self, rows: &Rows) -> Option<u32> {
        let brought = |column: &Column| match column.of {
            // One of those that nobody knows.
            None => column.name.is_empty() && self.brought.contains(&column.node),
            of => matches!(Operand::of(of), Operand::Of(of) if of < FIRST_OWN),
        };
        let open = rows.open.is_none_or(|open| self.brought.contains(&open));
        (open && rows.columns.iter().all(brought)).then_some(BROUGHT)
    }

    /// Whether a value may be of that type, or of a domain over it.
    pub(super) fn may_be(&self, value: &Value, of: u32) -> bool {
        let rows = || self.catalog.types.get(&of).is_none_or(|of| of.kind == TypeKind::Composite);
        match value.of {
            Some(known) if known >= FIRST_OWN => self.base(known) == of || known == of,
            Some(UNKNOWN | RECORD) => true,
            Some(BROUGHT) => of < FIRST_OWN,
            Some(known) => known == of,
            None => value.row.is_none() || rows(),
        }
    }

    /// Of which types the operator is that is taken for operands of these, if it is one of PostgreSQL's: of two literals, that
    /// for `text`, the preferred of its category, as long as nobody made another one that is preferred.
    fn exactly(&self, symbol: &str, left: Option<u32>, right: Option<u32>) -> Option<[u32; 2]> {
        let text = Some(TEXT).filter(|_| !self.catalog.prefers());
        match (left, right) {
            (Some(UNKNOWN), Some(UNKNOWN)) => builtin::exactly(symbol, text, text),
            _ => builtin::exactly(symbol, left, right),
        }
    }

    /// Those of the operators that say which of these values is the greater: of one and each of the others, or of each and
    /// each.
    pub(super) fn own_orders(&self, ones: &[Value], others: &[Value]) -> Vec<u32> {
        let operands = |values: &[Value]| -> BTreeSet<Operand> { values.iter().map(Operand::from).collect() };
        let (ones, others) = (operands(ones), operands(others));
        let mut own = BTreeSet::new();
        for one in &ones {
            for other in &others {
                // Two literals among others have the others' type.
                if (*one, *other) != (Operand::Literal, Operand::Literal) || ones.len() == 1 {
                    let of = |symbol| self.own_operators(symbol, *one, *other);
                    own.extend(["<", "<=", ">", ">="].into_iter().flat_map(of));
                }
            }
        }
        own.into_iter().collect()
    }

    /// The functions of the database's own that a call may mean.
    pub(super) fn candidates(&self, schema: Option<&str>, name: &str, given: &Given) -> Vec<&'a Function> {
        let catalog = self.catalog;
        let within = |function: &&Function| match schema {
            Some("pg_catalog") => false,
            Some(schema) => self.schema_meant(schema).is_some_and(|schema| function.schema == schema),
            // Never the session's own, whatever the path says.
            None => {
                let found = &*function.schema == "pg_catalog" || self.path.contains(&function.schema);
                found && !(given.values.is_empty() && builtin::is_called_alone(name) && self.is_behind(function))
            }
        };
        let operands: Vec<Operand> = given.values.iter().map(Operand::from).collect();
        let could = |function: &&Function| could_take(function, given) && self.takes(function, given, &operands);
        catalog.functions_named(name).filter(within).filter(could).collect()
    }

    /// Whether a function is in a schema that the server looks into after PostgreSQL's own.
    fn is_behind(&self, function: &Function) -> bool {
        let place = |schema: &str| self.path.iter().position(|on| **on == *schema);
        let before = |at: usize| place(&function.schema).is_some_and(|behind| behind > at);
        &*function.schema != "pg_catalog" && place("pg_catalog").is_none_or(before)
    }

    /// Whether a function may take arguments like these.
    fn takes(&self, function: &Function, given: &Given, operands: &[Operand]) -> bool {
        // What is given by a name, or as one of any number, stands in no place that tells its parameter.
        let placed = operands.len().saturating_sub(given.names.len());
        let fixed = function.arguments.len().saturating_sub(usize::from(function.variadic != 0));
        let parameters = function.arguments.iter().take(fixed.min(placed));
        operands.iter().zip(parameters).all(|(one, parameter)| one.types().any(|of| self.may_become(of, *parameter)))
    }

    /// Whether the server may take a value for one of another type without being asked: not one of PostgreSQL's types for
    /// one of somebody's, or another of its own, that nobody made such a cast to.
    fn may_become(&self, from: Option<u32>, to: u32) -> bool {
        let from = from.filter(|from| !matches!(*from, 0 | UNKNOWN | RECORD));
        let plain = |oid: u32| {
            self.catalog.types.get(&oid).is_some_and(|of| {
                oid >= FIRST_OWN
                    && of.element == 0
                    && matches!(of.kind, TypeKind::Base | TypeKind::Enum | TypeKind::Range)
            })
        };
        let own = plain(to);
        // An array becomes one of what its elements become.
        let targets = [Some(to), builtin::element(to)];
        let cast = |target| {
            self.catalog.casts.iter().any(|cast| Some(cast.target) == target && cast.context == CastContext::Implicit)
        };
        let other = |from| match (from < FIRST_OWN, to < FIRST_OWN) {
            (true, true) => !builtin::may_become(from, to),
            (true, false) => own,
            (false, false) => own && plain(from) && from != to,
            (false, true) => false,
        };
        !from.is_some_and(other) || targets.into_iter().any(cast)
    }
}

/// Whether a function can be called so, as far as the number and the names of its arguments go.
fn could_take(function: &Function, given: &Given) -> bool {
    let (all, count) = (function.arguments.len(), given.values.len());
    let least = all.saturating_sub(usize::from(function.defaults));
    let names = || input_names(function);
    let counts = if function.variadic != 0 && !given.variadic {
        count >= least.saturating_sub(1)
    } else {
        (least..=all).contains(&count) || (!given.names.is_empty() && count <= all)
    };
    function.kind != FunctionKind::Procedure
        && counts
        && (given.names.is_empty() || given.names.iter().all(|(_, name)| names().contains(name)))
}

/// The names of a function's input arguments.
pub(super) fn input_names(function: &Function) -> Vec<String> {
    let input =
        |(at, _): &(usize, &Name)| function.argument_modes.get(*at).is_none_or(|mode| matches!(mode, 'i' | 'b' | 'v'));
    function.argument_names.iter().enumerate().filter(input).map(|(_, name)| name.to_string()).collect()
}
