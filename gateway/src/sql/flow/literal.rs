//! Literals and parameters that take the type of what stands beside them. Where that may be one of the database's own, the server
//! reads them by its code, and checks them as the domain that it may be: most of them while it parses the statement.

use super::Walk;
use super::oid::{BROUGHT, FIRST_OWN, RECORD, UNKNOWN};
use super::own::Typing;
use super::value::Value;
use crate::sql::catalog::{Type, TypeKind};
use crate::sql::form::Reads;

/// What a statement's literals may be read as, beside what PostgreSQL brings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ReadAs {
    #[default]
    Brought,
    /// What stands beside one is of a type that PostgreSQL brings, or of a domain over such: what is known of a column is its base.
    Domains,
    /// Whatever values of the statement may be of.
    Anything,
}

/// Whether a value takes the type of what stands beside it.
fn takes(value: &Value) -> bool {
    // What is cast to `unknown` is a literal still.
    matches!(value.typing, Typing::Literal | Typing::Parameter) || value.of == Some(UNKNOWN)
}

/// Whether a value gives no other type than one that PostgreSQL brings.
fn is_brought(value: &Value) -> bool {
    let of = || value.of.is_some_and(|of| of != 0 && of != RECORD && of < FIRST_OWN);
    value.typing != Typing::Sure || (value.row.is_none() && of())
}

impl Walk<'_> {
    /// Takes note of what stands beside each other in an operator, which takes a domain's values for its base's. What a function
    /// makes of them may be an array of the domain all the same.
    pub(super) fn reads_beside<'v>(&mut self, values: impl IntoIterator<Item = &'v Value> + Clone) {
        let plain = values.clone().into_iter().all(|value| value.of != Some(BROUGHT));
        self.reads_as(values, if plain { ReadAs::Brought } else { ReadAs::Domains });
    }

    /// The same, where all become of one type, or a function takes what its arguments are: that may be a domain.
    pub(super) fn reads_among<'v>(&mut self, values: impl IntoIterator<Item = &'v Value> + Clone) {
        self.reads_as(values, ReadAs::Domains);
    }

    /// The same, of the parts of a list, which something is to be compared with.
    pub(super) fn reads_listed(&mut self, values: &[Value]) {
        if !values.iter().all(is_brought) {
            self.literals = ReadAs::Anything;
        } else if values.iter().any(|value| value.of == Some(BROUGHT)) {
            self.literals = self.literals.max(ReadAs::Domains);
        }
    }

    /// A parameter of a target list, which has no other type either than that of another query's.
    pub(super) fn reads_shown(&mut self, value: &Value) {
        if value.typing == Typing::Parameter {
            self.literals = ReadAs::Anything;
        }
    }

    /// Values that are put nobody knows where: what is put there becomes one of that type, and a literal is read as one.
    pub(super) fn reads_unplaced(&mut self) {
        self.literals = ReadAs::Anything;
    }

    /// A literal that nobody knows the neighbours of.
    pub(super) fn reads_alone(&mut self, value: &Value) {
        if takes(value) {
            self.literals = ReadAs::Anything;
        }
    }

    /// The same, where these functions of the database's own may be taken.
    pub(super) fn reads_for<'v>(&mut self, own: &[u32], values: impl IntoIterator<Item = &'v Value>) {
        let catalog = self.catalog;
        let known = own.iter().filter_map(|oid| catalog.function(*oid));
        let types = known.flat_map(|known| known.arguments.iter().chain([&known.returns]));
        let types: Vec<u32> = types.copied().filter(|of| *of >= FIRST_OWN).collect();
        types.iter().for_each(|of| self.meets(*of));
        if !types.is_empty() && values.into_iter().any(takes) {
            self.literals = ReadAs::Anything;
        }
    }

    /// The same, of columns of the same place in two queries.
    pub(super) fn reads_united(&mut self, one: Option<u32>, other: Option<u32>) {
        // A literal in a target list has no type, until another query's has one.
        let value = |of| Value {
            of,
            typing: if of == Some(UNKNOWN) { Typing::Literal } else { Typing::Sure },
            ..Value::default()
        };
        self.reads_among(&[value(one), value(other)]);
    }

    /// The same, of what a definition keeps.
    pub(super) fn reads_kept(&mut self, reads: &Reads) {
        match reads {
            Reads::Nothing => return,
            Reads::Beside { tables, types } => {
                for relation in tables.iter().filter_map(|table| self.relation(table)).collect::<Vec<_>>() {
                    relation.columns.iter().for_each(|column| self.meets(column.type_oid));
                }
                for (of, _) in types.iter().filter_map(|name| self.own_type(name)).collect::<Vec<_>>() {
                    self.meets(of);
                }
            }
            Reads::Anything => self.catalog.types.keys().for_each(|of| self.meets(*of)),
        }
        self.literals = ReadAs::Anything;
    }

    fn reads_as<'v>(&mut self, values: impl IntoIterator<Item = &'v Value> + Clone, least: ReadAs) {
        if values.clone().into_iter().any(takes) {
            let brought = values.into_iter().all(is_brought);
            self.literals = self.literals.max(if brought { least } else { ReadAs::Anything });
        }
    }

    /// Runs what the types do that literals may be read as.
    pub(super) fn read_literals(&mut self) {
        let catalog = self.catalog;
        let of_kind = |of: &u32, wanted: fn(&Type) -> bool| catalog.types.get(of).is_some_and(wanted);
        let wanted: fn(&Type) -> bool = match self.literals {
            ReadAs::Brought => return,
            ReadAs::Domains => |of| of.kind == TypeKind::Domain,
            // What rows and arrays are made of is met with them.
            ReadAs::Anything => |of| of.kind != TypeKind::Composite && (of.element == 0 || of.array != 0),
        };
        if self.literals == ReadAs::Anything && (self.unresolved || self.absent) {
            // What it stands beside may be of a type that was not met.
            self.parses_by_code |= !catalog.complete || catalog.types.keys().any(|of| catalog.runs_code(*of));
        }
        let met: Vec<u32> = self.met.iter().copied().filter(|of| of_kind(of, wanted)).collect();
        for of in met {
            self.type_runs(of, &Value::default());
        }
    }
}
