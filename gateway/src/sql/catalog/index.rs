//! What is found in a catalog by its name or number.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use super::{Cast, Catalog, Function, FunctionKind, Operator, Relation, RelationKind, Type, TypeKind};
use crate::access::Name;
use crate::sql::builtin::{self, Brought, Declared};

/// The first OID of what somebody made (`FirstNormalObjectId`).
const FIRST_MADE: u32 = 16_384;

/// The types that have a collation, and arrays of them (`pg_type.dat`).
const COLLATABLE: [u32; 8] = [19, 25, 1003, 1009, 1014, 1015, 1042, 1043];

/// How deep types within types are followed.
const MAX_NESTING: usize = 16;

/// Where a catalog's things are, by name and OID. Made once, when it is first asked for: a catalog that has been looked
/// at is not changed any more.
#[derive(Clone, Debug, Default)]
pub struct Index(OnceLock<Places>);

#[derive(Clone, Debug, Default)]
struct Places {
    /// Schema to name to OID: asked by borrowed text, which a pair's key cannot be.
    relations: HashMap<Name, HashMap<Name, u32>>,
    types: HashMap<Name, HashMap<Name, u32>>,
    functions: HashMap<Name, Vec<usize>>,
    functions_by_oid: HashMap<u32, usize>,
    operators: HashMap<Name, Vec<usize>>,
    operators_by_oid: HashMap<u32, usize>,
    casts: HashMap<(u32, u32), usize>,
    children: HashMap<u32, Vec<u32>>,
    referencing: HashMap<u32, Vec<u32>>,
    prefers: bool,
}

impl Places {
    fn of(catalog: &Catalog) -> Self {
        let mut places = Places::default();
        for (oid, relation) in &catalog.relations {
            let schema = places.relations.entry(Arc::clone(&relation.schema)).or_default();
            schema.insert(Arc::clone(&relation.name), *oid);
            for parent in &relation.parents {
                places.children.entry(*parent).or_default().push(*oid);
            }
            for key in &relation.foreign_keys {
                places.referencing.entry(key.target).or_default().push(*oid);
            }
        }
        places.prefers = catalog.types.values().any(|of| of.preferred);
        for (oid, of) in &catalog.types {
            places.types.entry(Arc::clone(&of.schema)).or_default().insert(Arc::clone(&of.name), *oid);
        }
        for (at, function) in catalog.functions.iter().enumerate() {
            places.functions.entry(Arc::clone(&function.name)).or_default().push(at);
            places.functions_by_oid.insert(function.oid, at);
        }
        for (at, operator) in catalog.operators.iter().enumerate() {
            places.operators.entry(Arc::clone(&operator.name)).or_default().push(at);
            places.operators_by_oid.insert(operator.oid, at);
        }
        for (at, cast) in catalog.casts.iter().enumerate() {
            places.casts.insert((cast.source, cast.target), at);
        }
        places
    }
}

impl Relation {
    /// Whether it has `ctid` and the like: all have but views and types.
    pub fn has_system_columns(&self) -> bool {
        !matches!(self.kind, RelationKind::View | RelationKind::Other)
    }
}

impl Catalog {
    fn places(&self) -> &Places {
        self.index.0.get_or_init(|| Places::of(self))
    }

    /// What is done once a catalog has been read and tagged, before anybody looks at it: whoever derives more from it does
    /// so here.
    pub fn finish(&mut self) {
        // Now, and not at somebody's first look-up.
        self.places();
    }

    /// The relation of that name.
    pub fn relation(&self, schema: &str, name: &str) -> Option<&Relation> {
        self.relations.get(self.places().relations.get(schema)?.get(name)?)
    }

    /// Whether a relation or a type of any schema is called so.
    pub fn is_taken(&self, name: &str) -> bool {
        let places = self.places();
        places.relations.values().chain(places.types.values()).any(|of| of.contains_key(name))
    }

    /// The relations that have this one for a parent.
    pub fn children(&self, oid: u32) -> impl Iterator<Item = &Relation> {
        let children = self.places().children.get(&oid).map(Vec::as_slice).unwrap_or_default();
        children.iter().filter_map(|child| self.relations.get(child))
    }

    /// The relations that have this one for a parent, or one of those.
    pub fn descendants(&self, oid: u32) -> Vec<&Relation> {
        let mut found: Vec<&Relation> = self.children(oid).collect();
        let mut at = 0;
        while let Some(relation) = found.get(at).copied() {
            for child in self.children(relation.oid) {
                if !found.iter().any(|known| known.oid == child.oid) {
                    found.push(child);
                }
            }
            at = at.saturating_add(1);
        }
        found
    }

    /// The relations with a foreign key to this one.
    pub fn referencing(&self, oid: u32) -> impl Iterator<Item = &Relation> {
        let referencing = self.places().referencing.get(&oid).map(Vec::as_slice).unwrap_or_default();
        referencing.iter().filter_map(|other| self.relations.get(other))
    }

    /// Whether anybody made a type that literals may be taken for in the place of `text`.
    pub fn prefers(&self) -> bool {
        self.places().prefers
    }

    /// The type of that name.
    pub fn type_named(&self, schema: &str, name: &str) -> Option<&Type> {
        self.types.get(self.places().types.get(schema)?.get(name)?)
    }

    /// The functions of that name, in whichever schema.
    pub fn functions_named(&self, name: &str) -> impl Iterator<Item = &Function> {
        let places = self.places().functions.get(name).map(Vec::as_slice).unwrap_or_default();
        places.iter().filter_map(|at| self.functions.get(*at))
    }

    /// The function with that OID.
    pub fn function(&self, oid: u32) -> Option<&Function> {
        self.functions.get(*self.places().functions_by_oid.get(&oid)?)
    }

    /// The operators of that name, in whichever schema.
    pub fn operators_named(&self, name: &str) -> impl Iterator<Item = &Operator> {
        let places = self.places().operators.get(name).map(Vec::as_slice).unwrap_or_default();
        places.iter().filter_map(|at| self.operators.get(*at))
    }

    /// The operator with that OID.
    pub fn operator(&self, oid: u32) -> Option<&Operator> {
        self.operators.get(*self.places().operators_by_oid.get(&oid)?)
    }

    /// Whether values of a type are read and shown by what an extension of PostgreSQL's own brings for that, which computes from
    /// them alone. Who may not make such functions cannot make such a type either, and who names one in a definition needs to
    /// be allowed to run it.
    pub(in crate::sql) fn converts_plainly(&self, of: &Type) -> bool {
        let known = |function: u32| self.function(function).filter(|known| known.tags.is_empty());
        let said = |function: u32| known(function).and_then(|known| Some((&*known.language, known.body.as_deref()?)));
        let (Some(input), Some(output)) = (said(of.input), said(of.output)) else { return false };
        let or_none = |function: u32| if function == 0 { Some(None) } else { said(function).map(Some) };
        let (Some(receive), Some(send)) = (or_none(of.receive), or_none(of.send)) else { return false };
        let plain = of.kind == TypeKind::Base && of.element == 0 && of.modifier == 0;
        plain && builtin::converts(input, output, receive, send)
    }

    /// Whether a function is one of an extension of PostgreSQL's own that computes from its arguments and does nothing else, or an
    /// aggregate of such ones. Who may not make functions of libraries cannot make such a one; and declared otherwise than the
    /// extension does it is another.
    pub(in crate::sql) fn computes_plainly(&self, function: &Function) -> bool {
        let plain = function.tags.is_empty() && function.settings.is_empty() && function.defaults == 0;
        if !plain || function.variadic != 0 {
            return false;
        }
        if function.kind == FunctionKind::Aggregate {
            let parts = function.parts.iter().map(|part| self.function(*part));
            return !function.parts.is_empty()
                && parts.into_iter().all(|part| {
                    part.is_some_and(|part| part.kind == FunctionKind::Function && self.computes_plainly(part))
                });
        }
        let (true, true, Some(body)) =
            (function.kind == FunctionKind::Function, function.parts.is_empty(), function.body.as_deref())
        else {
            return false;
        };
        if !matches!(&*function.language, "c" | "internal") {
            return false;
        }
        let parameters: Option<Vec<Brought<'_>>> = function.arguments.iter().map(|of| self.brought(*of)).collect();
        let (Some(parameters), Some(returns)) = (parameters, self.brought(function.returns)) else { return false };
        let declared = Declared { parameters, returns, set: function.set, strict: function.strict };
        builtin::computes_plainly((&function.language, body), &declared)
    }

    /// A type that PostgreSQL or one of its extensions brings.
    fn brought(&self, oid: u32) -> Option<Brought<'_>> {
        if oid < FIRST_MADE {
            return Some(Brought::System(oid));
        }
        let plain = |of: &&Type| self.converts_plainly(of);
        let of = self.types.get(&oid)?;
        // The array of one is no type of its own.
        match self.types.get(&of.element).filter(|element| element.array == oid) {
            Some(element) => Some(element).filter(plain).map(|element| Brought::Array(&element.name)),
            None => Some(of).filter(plain).map(|of| Brought::Own(&of.name)),
        }
    }

    /// Whether the server runs code of somebody's when it reads a value of this type, or makes one of another type of it.
    pub fn runs_code(&self, of: u32) -> bool {
        self.type_runs_code(of, MAX_NESTING)
    }

    fn type_runs_code(&self, of: u32, deeper: usize) -> bool {
        if of < FIRST_MADE {
            return false;
        }
        let Some(deeper) = deeper.checked_sub(1) else { return true };
        let plain = self.types.get(&of).is_some_and(|of| self.converts_plainly(of));
        let in_library = |cast: &Cast| self.function(cast.function).is_some_and(|known| &*known.language == "c");
        if self.casts.iter().any(|cast| cast.source == of && cast.function != 0 && !(plain && in_library(cast))) {
            return true;
        }
        if plain {
            return false;
        }
        let Some(known) = self.types.get(&of) else {
            // A table's rows, or an array of what is known.
            let relation = self.relations.values().find(|relation| relation.row_type == of);
            let elements = self.types.values().find(|known| known.array == of);
            return match (relation, elements) {
                (Some(relation), _) => relation.columns.iter().any(|c| self.type_runs_code(c.type_oid, deeper)),
                (None, Some(known)) => self.type_runs_code(known.oid, deeper),
                (None, None) => true,
            };
        };
        match known.kind {
            TypeKind::Enum => false,
            TypeKind::Domain => !known.checks.is_empty() || self.type_runs_code(known.base, deeper),
            TypeKind::Composite => match self.relations.get(&known.relation) {
                Some(relation) => relation.columns.iter().any(|c| self.type_runs_code(c.type_oid, deeper)),
                None => true,
            },
            TypeKind::Base if known.element != 0 => self.type_runs_code(known.element, deeper),
            TypeKind::Base | TypeKind::Range | TypeKind::Other => true,
        }
    }

    /// Whether values of this type may come with a collation of their own: those of a domain over what has one do, and it goes
    /// before that of the database.
    pub fn may_collate(&self, of: u32) -> bool {
        let Some(domain) = self.types.get(&of).filter(|of| of.kind == TypeKind::Domain) else {
            let elements = || self.types.values().filter(|known| known.array == of && known.kind == TypeKind::Domain);
            return of >= FIRST_MADE && elements().any(|known| self.may_collate(known.oid));
        };
        let mut base = domain.base;
        for _ in 0..MAX_NESTING {
            match self.types.get(&base) {
                Some(of) if of.kind == TypeKind::Domain => base = of.base,
                _ => return base >= FIRST_MADE || COLLATABLE.contains(&base),
            }
        }
        true
    }

    /// The cast between two types, where somebody made one.
    pub fn cast(&self, source: u32, target: u32) -> Option<&Cast> {
        self.casts.get(*self.places().casts.get(&(source, target))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_it_is_found_by_name_and_oid() {
        let relation = |oid, schema: &str, parents| Relation {
            oid,
            schema: schema.into(),
            name: "t".into(),
            parents,
            ..Relation::default()
        };
        let function =
            |oid, schema: &str| Function { oid, schema: schema.into(), name: "f".into(), ..Function::default() };
        let mut catalog = Catalog {
            relations: HashMap::from([(1, relation(1, "a", vec![])), (2, relation(2, "b", vec![1]))]),
            functions: vec![function(10, "a"), function(11, "b")],
            operators: vec![Operator { oid: 20, name: "===".into(), ..Operator::default() }],
            casts: vec![Cast { source: 25, target: 23, function: 10, ..Cast::default() }],
            types: HashMap::from([(30, Type { oid: 30, schema: "a".into(), name: "d".into(), ..Type::default() })]),
            ..Catalog::default()
        };
        assert_eq!(catalog.relation("b", "t").map(|t| t.oid), Some(2));
        assert!(catalog.relation("b", "u").is_none() && catalog.relation("c", "t").is_none());
        assert_eq!(catalog.children(1).map(|t| t.oid).collect::<Vec<_>>(), [2]);
        assert_eq!(catalog.functions_named("f").map(|f| f.oid).collect::<Vec<_>>(), [10, 11]);
        assert_eq!(catalog.function(11).map(|f| &*f.schema), Some("b"));
        assert_eq!(catalog.operators_named("===").count(), 1);
        assert_eq!(catalog.operator(20).map(|o| &*o.name), Some("==="));
        assert_eq!(catalog.cast(25, 23).map(|cast| cast.function), Some(10));
        assert!(catalog.cast(23, 25).is_none());
        assert_eq!(catalog.type_named("a", "d").map(|t| t.oid), Some(30));
        let known = |oid, kind, base, checks: &[&str]| {
            let checks = checks.iter().map(|check| Arc::from(*check)).collect();
            (oid, Type { oid, kind, base, checks, array: oid + 100, ..Type::default() })
        };
        catalog.types.extend([
            known(20_000, TypeKind::Enum, 0, &[]),
            known(20_001, TypeKind::Domain, 25, &[]),
            known(20_002, TypeKind::Domain, 20_001, &["f(VALUE)"]),
            known(20_003, TypeKind::Domain, 20_002, &[]),
            known(20_004, TypeKind::Base, 0, &[]),
        ]);
        let running: Vec<u32> = [25, 20_000, 20_001, 20_002, 20_003, 20_004, 20_100, 20_102, 20_005]
            .into_iter()
            .filter(|of| catalog.runs_code(*of))
            .collect();
        assert_eq!(running, [20_002, 20_003, 20_004, 20_102, 20_005]);
        catalog.functions.clear();
        catalog.index = Index::default();
        catalog.finish();
        assert_eq!(catalog.functions_named("f").count(), 0);
    }
}
