//! Sequences: what `nextval` and `setval` do to the one that they name.

use super::Walk;
use crate::access::{Action, Facts, Object, Predicate, Tags};
use crate::sql::catalog::RelationKind;
use crate::sql::form::Call;

/// How many sequences there are at most of which a call is said to be on each.
const MAX_MEANT: usize = 256;

impl Walk<'_> {
    /// Notes what a call does: `nextval` draws a number, which is gone afterwards, as an insert does; `setval` changes one
    /// row, the sequence's own. What a default draws is the insert's.
    pub(super) fn draws(&mut self, call: &Call) {
        let function = match call.name.as_slice() {
            [name] => name,
            [schema, name] if schema == "pg_catalog" => name,
            _ => return,
        };
        let (action, facts) = match &**function {
            "nextval" => (Action::SqlInsert, Facts::default()),
            "setval" => {
                (Action::SqlUpdate, Facts { predicate: Predicate::Equality, bounded: true, ..Facts::default() })
            }
            _ => return,
        };
        if self.in_default {
            return;
        }
        if let Some(table) = &call.sequence {
            let (name, tags) = self.table(table);
            self.effect(action, Object::Table(name), tags, facts);
            return;
        }
        // It is computed, or a parameter: any.
        let catalog = self.catalog;
        let known = catalog.complete && self.looks_through(catalog.relations.len());
        let sequences = || catalog.relations.values().filter(|relation| relation.kind == RelationKind::Sequence);
        if !known || sequences().nth(MAX_MEANT).is_some() {
            let object = self.function_name("pg_catalog".into(), function);
            self.effect(Action::SqlExecute, object, Tags::default(), Facts::default());
            return;
        }
        for sequence in sequences() {
            let name = self.name_of(sequence);
            self.effect(action, Object::Table(name.into()), sequence.tags.clone(), facts);
        }
    }
}
