//! What can be printed, as text or as JSON, at no risk that some value fails: the output functions of PostgreSQL's own types
//! fail at none, and those of arrays, rows, domains and enumerations call them.

use super::oid::{JSON, JSONB};
use super::value::Value;
use super::{MAX_DEPTH, Walk};
use crate::sql::builtin;
use crate::sql::catalog::TypeKind;

/// `json` and `jsonb`: a cast to them that somebody made is called where a value is made one.
pub(super) const DOCUMENTS: [u32; 2] = [JSON, JSONB];

impl Walk<'_> {
    /// Whether a value can be printed; `parses`: into jsonb, which takes a json apart and fails at some.
    pub(super) fn prints(&self, value: &Value, parses: bool) -> bool {
        match &value.row {
            Some(row) => {
                let known = |of: Option<u32>| of.is_some_and(|of| self.type_prints(of, parses, 0));
                row.open.is_none() && row.columns.iter().all(|column| known(column.of))
            }
            None => value.of.is_some_and(|of| self.type_prints(of, parses, 0)),
        }
    }

    fn type_prints(&self, oid: u32, parses: bool, depth: usize) -> bool {
        let Some(of) = self.catalog.types.get(&oid) else { return builtin::prints(oid, parses) };
        let inner = |oid: u32| self.type_prints(oid, parses, depth.saturating_add(1));
        if depth >= MAX_DEPTH
            || self.catalog.casts.iter().any(|cast| cast.source == oid && DOCUMENTS.contains(&cast.target))
        {
            return false;
        }
        match of.kind {
            TypeKind::Enum => true,
            TypeKind::Domain => inner(of.base),
            TypeKind::Composite => {
                let relation = self.catalog.relations.get(&of.relation);
                relation.is_some_and(|relation| relation.columns.iter().all(|column| inner(column.type_oid)))
            }
            _ => self.element(oid).is_some_and(inner),
        }
    }

    /// The type of an array's elements.
    pub(super) fn element(&self, oid: u32) -> Option<u32> {
        match self.catalog.types.get(&oid) {
            // Others have parts as well, and code of their own.
            Some(of) => {
                let element = self.catalog.types.get(&of.element);
                element.is_some_and(|element| element.array == oid).then_some(of.element)
            }
            None => builtin::element(oid),
        }
    }
}
