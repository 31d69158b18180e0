//! Which relation and column a name stands for.

use crate::access::{Name, Tags};
use crate::sql::catalog::Relation;
use crate::sql::form::{Source, Table};
use crate::sql::{Catalog, builtin};

/// PostgreSQL's own columns of every table. They hold no values of it.
const SYSTEM_COLUMNS: [&str; 6] = ["tableoid", "ctid", "xmin", "xmax", "cmin", "cmax"];

/// What is visible at a place of a statement, the innermost query last.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope<'s> {
    levels: Vec<Vec<Entry>>,
    /// Names of common table expressions.
    pub(super) ctes: Vec<&'s str>,
}

#[derive(Clone, Debug)]
enum Entry {
    Table(Table),
    /// A derived table or a function: what is in it was looked at where it stands.
    Derived(String),
}

/// What a column's name stands for.
#[derive(Debug)]
pub(super) enum Found {
    /// Columns of relations. More than one where the name is ambiguous: each counts.
    Columns(Vec<(Table, Name, Tags)>),
    /// A whole row.
    Row(Table),
    /// A derived table's column, or a system column.
    Elsewhere,
    /// No column of what is visible: an output's name, where one may stand.
    Output,
    /// Nothing that is visible: the catalog is not what the server has.
    Nowhere,
}

impl<'s> Scope<'s> {
    /// A query within this one.
    pub(super) fn with_sources(&self, sources: &[Source], ctes: &[&'s str]) -> Self {
        let mut scope = Scope { levels: self.levels.clone(), ctes: ctes.to_vec() };
        let entries = scope.entries(sources);
        scope.levels.push(entries);
        scope
    }

    /// This very query, with more to read from.
    pub(super) fn and_sources(mut self, sources: &[Source]) -> Self {
        let entries = self.entries(sources);
        match self.levels.last_mut() {
            Some(level) => level.extend(entries),
            None => self.levels.push(entries),
        }
        self
    }

    fn entries(&self, sources: &[Source]) -> Vec<Entry> {
        let entry = |source: &Source| match source {
            Source::Table(table) if self.is_cte(table) => Entry::Derived(table.alias.clone()),
            Source::Table(table) => Entry::Table(table.clone()),
            Source::Derived { alias, .. } | Source::Function { alias, .. } => Entry::Derived(alias.clone()),
            Source::Opaque => Entry::Derived(String::new()),
        };
        sources.iter().map(entry).collect()
    }

    /// Whether a relation's name stands for a common table expression.
    pub(super) fn is_cte(&self, table: &Table) -> bool {
        table.schema.is_none() && self.ctes.contains(&table.name.as_str())
    }

    /// The innermost query's relations, or the one that is called `qualifier` there or further out.
    pub(super) fn tables(&self, qualifier: Option<&str>) -> Vec<Table> {
        let tables = |level: &Vec<Entry>| -> Vec<Table> {
            let wanted = |entry: &Entry| match entry {
                Entry::Table(table) if qualifier.is_none_or(|name| name == table.alias) => Some(table.clone()),
                _ => None,
            };
            level.iter().filter_map(wanted).collect()
        };
        match qualifier {
            None => self.levels.last().map(tables).unwrap_or_default(),
            Some(_) => self.levels.iter().rev().map(tables).find(|found| !found.is_empty()).unwrap_or_default(),
        }
    }

    /// What a path of names stands for.
    pub(super) fn find(&self, catalog: &Catalog, search: &[Name], path: &[String]) -> Found {
        match path {
            [name] => self.find_name(catalog, search, name),
            // `t.c`, and `s.t.c`, whose table is called by its own name.
            [.., qualifier, column] => self.find_qualified(catalog, search, qualifier, column),
            [] => Found::Nowhere,
        }
    }

    fn find_name(&self, catalog: &Catalog, search: &[Name], name: &str) -> Found {
        if SYSTEM_COLUMNS.contains(&name) {
            return Found::Elsewhere;
        }
        let mut unsure = false;
        for level in self.levels.iter().rev() {
            let mut columns = Vec::new();
            for entry in level {
                match entry {
                    Entry::Table(table) => match column(catalog, search, table, name) {
                        Some(found) => columns.push(found),
                        // A column of a relation that the catalog does not have.
                        None if relation(catalog, search, table).is_none() && system_schema(table).is_none() => {
                            columns.push((table.clone(), name.into(), Tags::default()));
                        }
                        None => {}
                    },
                    Entry::Derived(_) => unsure = true,
                }
            }
            if !columns.is_empty() {
                return Found::Columns(columns);
            }
            for entry in level {
                match entry {
                    Entry::Table(table) if table.alias == name => return Found::Row(table.clone()),
                    Entry::Derived(alias) if alias == name => return Found::Elsewhere,
                    _ => {}
                }
            }
            let system = |entry: &Entry| matches!(entry, Entry::Table(table) if system_schema(table).is_some());
            unsure |= level.iter().any(system);
        }
        // ORDER BY and GROUP BY may name an output, whose own columns were looked at.
        if unsure { Found::Elsewhere } else { Found::Output }
    }

    fn find_qualified(&self, catalog: &Catalog, search: &[Name], qualifier: &str, name: &str) -> Found {
        for level in self.levels.iter().rev() {
            for entry in level {
                match entry {
                    Entry::Derived(alias) if alias == qualifier => return Found::Elsewhere,
                    Entry::Table(table) if table.alias == qualifier => {
                        if SYSTEM_COLUMNS.contains(&name) || system_schema(table).is_some() {
                            return Found::Elsewhere;
                        }
                        return match (column(catalog, search, table, name), relation(catalog, search, table)) {
                            (Some(found), _) => Found::Columns(vec![found]),
                            (None, None) => Found::Columns(vec![(table.clone(), name.into(), Tags::default())]),
                            // `t.f` is `f(t)`: a function of the whole row.
                            (None, Some(_)) => Found::Row(table.clone()),
                        };
                    }
                    _ => {}
                }
            }
        }
        // `(c).f` of a column of a composite type, or a name that is not visible: the server will say so.
        match self.find_name(catalog, search, qualifier) {
            Found::Elsewhere | Found::Output => Found::Nowhere,
            found => found,
        }
    }
}

fn column(catalog: &Catalog, search: &[Name], table: &Table, name: &str) -> Option<(Table, Name, Tags)> {
    let relation = relation(catalog, search, table)?;
    let column = relation.columns.iter().find(|column| *column.name == *name)?;
    Some((table.clone(), Name::clone(&column.name), column.tags.clone()))
}

/// The relation that a name stands for on a search path.
pub(super) fn relation<'c>(catalog: &'c Catalog, search: &[Name], table: &Table) -> Option<&'c Relation> {
    let of = |schema: &str| catalog.relation(schema, &table.name);
    match table.schema.as_deref() {
        Some(schema) => of(schema),
        // `pg_catalog` is searched before the path.
        None if system_schema(table).is_some() => None,
        None => search.iter().find_map(|schema| of(schema)),
    }
}

/// The system schema that a name is in.
pub(super) fn system_schema(table: &Table) -> Option<&str> {
    match table.schema.as_deref() {
        Some(schema) => builtin::is_system(schema).then_some(schema),
        // User relations may not begin with `pg_`, but they can.
        None => (table.name.starts_with("pg_") && builtin::is_harmless_relation("pg_catalog", &table.name))
            .then_some("pg_catalog"),
    }
}
