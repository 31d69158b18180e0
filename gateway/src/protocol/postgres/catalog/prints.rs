//! Fingerprints: which objects there are, and which of them changed.

use std::collections::HashMap;

use super::answer::Row;
use super::build::{number, text};

/// What is known of each object's version: class, OID, and a text that is another when the object is. A schema's is its name.
pub(super) type Fingerprints = HashMap<(Class, u32), Box<str>>;

/// What an OID is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Class {
    /// `pg_class`.
    Relation,
    /// `pg_proc`.
    Function,
    /// `pg_type`.
    Type,
    /// `pg_namespace`.
    Schema,
}

/// Reads fingerprints; `None`: they cannot be read.
pub(super) fn fingerprints(rows: &[Row]) -> Option<Fingerprints> {
    let one = |row: &Row| {
        let class = match text(row, 0)? {
            "r" => Class::Relation,
            "f" => Class::Function,
            "t" => Class::Type,
            "n" => Class::Schema,
            _ => return None,
        };
        Some(((class, number(row, 1)?), text(row, 2)?.into()))
    };
    rows.iter().map(one).collect()
}

/// What has to be read again.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    pub(super) relations: Vec<u32>,
    pub(super) functions: Vec<u32>,
    pub(super) types: Vec<u32>,
}

impl Changed {
    /// Between two sets of fingerprints; `None`: a schema has another name, so every text may say something else.
    pub(super) fn between(before: &Fingerprints, after: &Fingerprints) -> Option<Changed> {
        let mut changed = Changed::default();
        for ((class, oid), print) in after {
            let had = before.get(&(*class, *oid));
            if had == Some(print) {
                continue;
            }
            match class {
                Class::Relation => changed.relations.push(*oid),
                Class::Function => changed.functions.push(*oid),
                Class::Type => changed.types.push(*oid),
                Class::Schema if had.is_some() => return None,
                Class::Schema => {}
            }
        }
        Some(changed)
    }

    /// How many objects.
    pub(super) fn len(&self) -> usize {
        self.relations.len().saturating_add(self.functions.len()).saturating_add(self.types.len())
    }
}
