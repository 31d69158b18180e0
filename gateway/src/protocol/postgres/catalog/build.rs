//! From the server's answers to a catalog.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;
use std::sync::Arc;

use super::answer::{Answered, Row};
use super::prints::{Changed, Class, Fingerprints};
use super::questions::Asked;
use crate::access::Name;
use crate::sql::catalog::{
    Cast, CastContext, CastMethod, Catalog, Column, Event, ForeignKey, Function, FunctionKind, Index, Key, Operator,
    Relation, RelationKind, Rule, Setting, SettingScope, Trigger, Type, TypeKind, Volatility,
};

pub(super) fn text(row: &Row, at: usize) -> Option<&str> {
    row.get(at)?.as_deref()
}

pub(super) fn number<T: FromStr>(row: &Row, at: usize) -> Option<T> {
    text(row, at)?.parse().ok()
}

/// A number, 0 where the server has none.
fn number_or_zero<T: FromStr + Default>(row: &Row, at: usize) -> Option<T> {
    match row.get(at)? {
        Some(text) => text.parse().ok(),
        None => Some(T::default()),
    }
}

fn name(row: &Row, at: usize) -> Option<Name> {
    text(row, at).map(Name::from)
}

/// A text that may be absent.
fn maybe(row: &Row, at: usize) -> Option<Option<Arc<str>>> {
    row.get(at).map(|cell| cell.as_deref().map(Arc::from))
}

fn yes(row: &Row, at: usize) -> Option<bool> {
    match text(row, at)? {
        "t" => Some(true),
        "f" => Some(false),
        _ => None,
    }
}

/// The elements of a vector (`1 2`) or of an array of numbers or single letters (`{1,2}`).
fn elements<T: FromStr>(text: &str) -> Option<Vec<T>> {
    let inner = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(text);
    inner.split([' ', ',']).filter(|part| !part.is_empty()).map(|part| part.parse().ok()).collect()
}

fn maybe_elements<T: FromStr>(row: &Row, at: usize) -> Option<Vec<T>> {
    match row.get(at)? {
        Some(text) => elements(text),
        None => Some(Vec::new()),
    }
}

/// The elements of a JSON list of texts.
fn texts(row: &Row, at: usize) -> Option<Vec<Arc<str>>> {
    match row.get(at)? {
        Some(json) => {
            let list: Vec<String> = serde_json::from_str(json).ok()?;
            Some(list.into_iter().map(Arc::from).collect())
        }
        None => Some(Vec::new()),
    }
}

/// What was read: a whole database, or what changed of it.
#[derive(Debug, Default)]
pub(super) struct Read {
    relations: HashMap<u32, Relation>,
    functions: Vec<Function>,
    types: HashMap<u32, Type>,
    operators: Vec<Operator>,
    casts: Vec<Cast>,
    event_triggers: Vec<u32>,
    settings: Vec<Setting>,
    /// Absent: they were not asked for, and are what they were.
    system: Option<HashMap<Name, Vec<(Name, u32)>>>,
    damaged: bool,
}

impl Read {
    /// Takes the answers to [`questions::every`](super::questions::every).
    pub(super) fn of(answered: &mut Answered, asked: Asked, own_role: bool) -> Self {
        let mut read = Read { damaged: answered.damaged, ..Read::default() };
        if asked.relations {
            read.take_relations(answered);
        }
        if asked.functions {
            read.each(answered.next(), |read, row| {
                let function = function(row)?;
                read.functions.push(function);
                Some(())
            });
        }
        if asked.types {
            read.each(answered.next(), Read::type_);
            read.each(answered.next(), |read, row| {
                let (of, check): (u32, Arc<str>) = (number(row, 0)?, text(row, 1)?.into());
                if let Some(of) = read.types.get_mut(&of) {
                    of.checks.push(check);
                }
                Some(())
            });
        }
        read.take_little(answered, own_role);
        if asked.system {
            read.system = Some(HashMap::new());
            read.each(answered.next(), |read, row| {
                let column = (name(row, 1)?, number(row, 2)?);
                read.system.as_mut()?.entry(name(row, 0)?).or_default().push(column);
                Some(())
            });
        }
        read
    }

    fn take_relations(&mut self, answered: &mut Answered) {
        let read = self;
        read.each(answered.next(), Read::relation);
        read.each(answered.next(), Read::column);
        read.each(answered.next(), |read, row| {
            let parent = number(row, 1)?;
            read.with(number(row, 0)?, |relation| relation.parents.push(parent));
            Some(())
        });
        read.each(answered.next(), Read::rule);
        read.each(answered.next(), Read::trigger);
        read.each(answered.next(), Read::constraint);
        read.each(answered.next(), Read::index);
        read.each(answered.next(), |read, row| {
            let (using, check) = (maybe(row, 1)?, maybe(row, 2)?);
            read.with(number(row, 0)?, |relation| relation.policies.extend(using.into_iter().chain(check)));
            Some(())
        });
        read.each(answered.next(), |read, row| {
            let on = (number(row, 1)?, number(row, 2)?);
            read.with(number(row, 0)?, |relation| relation.dependencies.push(on));
            Some(())
        });
    }

    fn take_little(&mut self, answered: &mut Answered, own_role: bool) {
        let read = self;
        read.each(answered.next(), |read, row| {
            read.operators.push(Operator {
                oid: number(row, 0)?,
                schema: name(row, 1)?,
                name: name(row, 2)?,
                function: number(row, 3)?,
                left: number(row, 4)?,
                right: number(row, 5)?,
                result: number(row, 6)?,
            });
            Some(())
        });
        read.each(answered.next(), |read, row| {
            let method = match text(row, 3)? {
                "f" => CastMethod::Function,
                "i" => CastMethod::InOut,
                "b" => CastMethod::Binary,
                _ => return None,
            };
            let context = match text(row, 4)? {
                "i" => CastContext::Implicit,
                "a" => CastContext::Assignment,
                "e" => CastContext::Explicit,
                _ => return None,
            };
            let (source, target, function) = (number(row, 0)?, number(row, 1)?, number(row, 2)?);
            read.casts.push(Cast { source, target, function, method, context });
            Some(())
        });
        read.each(answered.next(), |read, row| {
            read.event_triggers.push(number(row, 0)?);
            Some(())
        });
        read.each(answered.next(), |read, row| {
            // A role's of another role: not this resource's, whose sessions are all of one.
            let scope = match (yes(row, 0)?, yes(row, 1)?) {
                (_, true) if own_role && text(row, 3) != Some("t") => return Some(()),
                (true, true) => SettingScope::RoleInDatabase,
                (true, false) => SettingScope::Database,
                (false, true) => SettingScope::Role,
                (false, false) => SettingScope::All,
            };
            read.settings.extend(texts(row, 2)?.into_iter().map(|text| Setting { scope, text }));
            Some(())
        });
    }

    /// A row that cannot be read makes it a catalog that is not whole.
    fn each(&mut self, rows: Vec<Row>, take: impl Fn(&mut Read, &Row) -> Option<()>) {
        for row in &rows {
            if take(self, row).is_none() {
                self.damaged = true;
            }
        }
    }

    /// What was made between two questions is not known yet: the next look finds it.
    fn with(&mut self, oid: u32, change: impl FnOnce(&mut Relation)) {
        if let Some(relation) = self.relations.get_mut(&oid) {
            change(relation);
        }
    }

    fn relation(&mut self, row: &Row) -> Option<()> {
        let (oid, schema, called) = (number(row, 0)?, name(row, 1)?, name(row, 2)?);
        let kind = match text(row, 3)? {
            "r" | "p" => RelationKind::Table,
            "v" => RelationKind::View,
            "m" => RelationKind::MaterializedView,
            "f" => RelationKind::Foreign,
            "S" => RelationKind::Sequence,
            _ => RelationKind::Other,
        };
        let row_type: u32 = number(row, 6)?;
        if row_type != 0 {
            let rows = Type {
                oid: row_type,
                array: number_or_zero(row, 7)?,
                schema: Arc::clone(&schema),
                name: Arc::clone(&called),
                kind: TypeKind::Composite,
                relation: oid,
                ..Type::default()
            };
            self.add_type(rows, name(row, 8));
        }
        let relation = Relation {
            oid,
            schema,
            name: called,
            kind,
            temporary: text(row, 4)? == "t",
            row_security: yes(row, 5)?,
            row_type,
            definition: maybe(row, 9)?,
            partition_key: maybe(row, 10)?,
            ..Relation::default()
        };
        // A view whose query the server does not give is one of which nothing is known.
        let readable = !matches!(kind, RelationKind::View | RelationKind::MaterializedView)
            || relation.definition.as_deref().is_some_and(|text| !text.is_empty());
        self.relations.insert(oid, relation);
        readable.then_some(())
    }

    fn add_type(&mut self, of: Type, array_name: Option<Name>) {
        if let (1.., Some(array_name)) = (of.array, array_name) {
            let array = Type {
                oid: of.array,
                schema: Arc::clone(&of.schema),
                name: array_name,
                kind: TypeKind::Base,
                element: of.oid,
                ..Type::default()
            };
            self.types.insert(array.oid, array);
        }
        self.types.insert(of.oid, of);
    }

    fn column(&mut self, row: &Row) -> Option<()> {
        let column = Column {
            number: number(row, 1)?,
            name: name(row, 2)?,
            type_oid: number(row, 3)?,
            not_null: yes(row, 4)?,
            generated: yes(row, 5)?,
            default: maybe(row, 6)?,
            ..Column::default()
        };
        self.with(number(row, 0)?, |relation| relation.columns.push(column));
        Some(())
    }

    fn rule(&mut self, row: &Row) -> Option<()> {
        let event = match text(row, 1)? {
            "1" => Event::Select,
            "2" => Event::Update,
            "3" => Event::Insert,
            "4" => Event::Delete,
            _ => return None,
        };
        let rule = Rule { event, instead: yes(row, 2)?, definition: text(row, 3)?.into() };
        self.with(number(row, 0)?, |relation| relation.rules.push(rule));
        Some(())
    }

    fn trigger(&mut self, row: &Row) -> Option<()> {
        // `catalog/pg_trigger.h` of the server.
        let bits: u16 = number(row, 2)?;
        let trigger = Trigger {
            function: number(row, 1)?,
            insert: bits & 4 != 0,
            delete: bits & 8 != 0,
            update: bits & 16 != 0,
            truncate: bits & 32 != 0,
            instead: bits & 64 != 0,
            enabled: text(row, 3)? != "D",
            definition: text(row, 4)?.into(),
        };
        self.with(number(row, 0)?, |relation| relation.triggers.push(trigger));
        Some(())
    }

    fn constraint(&mut self, row: &Row) -> Option<()> {
        let on: u32 = number(row, 0)?;
        match text(row, 1)? {
            "c" => {
                let check = text(row, 2)?.into();
                self.with(on, |relation| relation.checks.push(check));
            }
            "f" => {
                let acts = |at| Some(!matches!(text(row, at)?, "a" | "r"));
                let key = ForeignKey {
                    columns: maybe_elements(row, 3)?,
                    target: number(row, 4)?,
                    target_columns: maybe_elements(row, 5)?,
                    writes: acts(6)? || acts(7)?,
                };
                self.with(on, |relation| relation.foreign_keys.push(key));
            }
            _ => return None,
        }
        Some(())
    }

    fn index(&mut self, row: &Row) -> Option<()> {
        let (unique, mut columns) = (yes(row, 1)?, elements::<i16>(text(row, 2)?)?);
        // What an index only includes is not compared.
        columns.truncate(number(row, 3)?);
        let texts: Vec<Arc<str>> = maybe(row, 4)?.into_iter().chain(maybe(row, 5)?).collect();
        let excludes = yes(row, 6)?;
        self.with(number(row, 0)?, |relation| {
            relation.indexed.extend(texts.iter().cloned());
            if unique || excludes {
                relation.keys.push(Key { columns, texts, excludes });
            }
        });
        Some(())
    }

    fn type_(&mut self, row: &Row) -> Option<()> {
        let kind = match text(row, 3)? {
            "b" => TypeKind::Base,
            "d" => TypeKind::Domain,
            "e" => TypeKind::Enum,
            "c" => TypeKind::Composite,
            "r" => TypeKind::Range,
            _ => TypeKind::Other,
        };
        let of = Type {
            oid: number(row, 0)?,
            array: number(row, 8)?,
            schema: name(row, 1)?,
            name: name(row, 2)?,
            kind,
            preferred: yes(row, 11)?,
            base: number(row, 4)?,
            relation: 0,
            element: number(row, 5)?,
            input: number(row, 6)?,
            output: number(row, 7)?,
            receive: number(row, 12)?,
            send: number(row, 13)?,
            modifier: number(row, 14)?,
            checks: Vec::new(),
            default: maybe(row, 10)?,
        };
        self.add_type(of, name(row, 9));
        Some(())
    }

    /// Whether something that was there is called otherwise now: then texts of others say something else as well.
    pub(super) fn renames(&self, before: &Catalog) -> bool {
        let columns = |old: &Relation, new: &Relation| {
            let names: HashMap<i16, &Name> = new.columns.iter().map(|column| (column.number, &column.name)).collect();
            old.columns.iter().any(|column| names.get(&column.number).is_some_and(|name| **name != column.name))
        };
        self.relations.values().any(|new| {
            before
                .relations
                .get(&new.oid)
                .is_some_and(|old| old.schema != new.schema || old.name != new.name || columns(old, new))
        }) || self
            .types
            .values()
            .any(|new| before.types.get(&new.oid).is_some_and(|old| old.schema != new.schema || old.name != new.name))
            || self
                .functions
                .iter()
                .any(|new| before.function(new.oid).is_some_and(|old| old.schema != new.schema || old.name != new.name))
            || self
                .operators
                .iter()
                .any(|new| before.operator(new.oid).is_some_and(|old| old.schema != new.schema || old.name != new.name))
    }

    /// Puts what was read into `before`, of which only what `there` has is kept. The result has neither tags nor an index.
    pub(super) fn onto(self, before: Option<(&Catalog, &Changed)>, there: &Fingerprints) -> Catalog {
        let Read { relations, functions, types, operators, casts, event_triggers, settings, system, damaged } = self;
        let mut catalog = match before {
            Some((before, changed)) => {
                let mut kept = before.clone();
                let again: HashSet<u32> = changed.functions.iter().copied().collect();
                kept.relations.retain(|oid, _| there.contains_key(&(Class::Relation, *oid)));
                kept.functions.retain(|function| {
                    there.contains_key(&(Class::Function, function.oid)) && !again.contains(&function.oid)
                });
                let here = |of: &Type| match of.kind {
                    TypeKind::Composite => kept.relations.contains_key(&of.relation),
                    _ => there.contains_key(&(Class::Type, of.oid)),
                };
                let gone: HashSet<u32> = kept
                    .types
                    .values()
                    .filter(|of| of.element == 0 || of.array != 0)
                    .filter(|of| !here(of))
                    .map(|of| of.oid)
                    .collect();
                kept.types.retain(|oid, of| !gone.contains(oid) && !gone.contains(&of.element));
                // What changed and was gone before it was read.
                kept.relations.retain(|oid, _| !changed.relations.contains(oid));
                kept.types.retain(|oid, _| !changed.types.contains(oid));
                kept
            }
            None => Catalog { complete: true, ..Catalog::default() },
        };
        catalog.relations.extend(relations);
        catalog.functions.extend(functions);
        catalog.types.extend(types);
        catalog.operators = operators;
        catalog.casts = casts;
        catalog.event_triggers = event_triggers;
        catalog.settings = settings;
        // One column less moves all behind it.
        if let Some(system) = system.filter(|_| !damaged) {
            catalog.system = Arc::new(system);
        }
        catalog.index = Index::default();
        catalog.complete &= !damaged;
        catalog
    }
}

fn function(row: &Row) -> Option<Function> {
    let kind = match text(row, 3)? {
        "f" => FunctionKind::Function,
        "p" => FunctionKind::Procedure,
        "a" => FunctionKind::Aggregate,
        "w" => FunctionKind::Window,
        _ => return None,
    };
    let volatility = match text(row, 16)? {
        "i" => Volatility::Immutable,
        "s" => Volatility::Stable,
        "v" => Volatility::Volatile,
        _ => return None,
    };
    let standard = maybe(row, 15)?;
    let mut parts: Vec<u32> = match row.get(21)? {
        Some(text) => {
            // Where there is no aggregate every part is NULL.
            let inner = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'))?;
            inner.split(',').filter(|part| *part != "NULL").map(|part| part.parse().ok()).collect::<Option<_>>()?
        }
        None => Vec::new(),
    };
    parts.push(number(row, 20)?);
    parts.retain(|part| *part != 0);
    Some(Function {
        oid: number(row, 0)?,
        schema: name(row, 1)?,
        name: name(row, 2)?,
        kind,
        arguments: elements(text(row, 4)?)?,
        argument_names: texts(row, 5)?,
        argument_modes: maybe_elements(row, 6)?,
        all_arguments: maybe_elements(row, 7)?,
        defaults: number(row, 8)?,
        default_values: maybe(row, 9)?,
        variadic: number(row, 10)?,
        returns: number(row, 11)?,
        set: yes(row, 12)?,
        language: name(row, 13)?,
        standard_body: standard.is_some(),
        body: match standard {
            Some(body) => Some(body),
            None => maybe(row, 14)?,
        },
        volatility,
        strict: yes(row, 17)?,
        security_definer: yes(row, 18)?,
        settings: texts(row, 19)?,
        parts,
        tags: crate::access::Tags::default(),
    })
}

#[cfg(test)]
mod tests;
