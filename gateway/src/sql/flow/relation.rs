//! Relations: their columns, and what a view's columns show.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::graph::Node;
use super::scope::{Column, Item, Rows, Scope};
use super::{MAX_DEPTH, Walk};
use crate::access::{ColumnName, Name, TableName, Tags};
use crate::sql::Catalog;
use crate::sql::catalog::{Relation, RelationKind, TypeKind};
use crate::sql::form::Statement;
use crate::sql::postgres;

impl<'a> Walk<'a> {
    /// A relation's columns; a view's are also those of what it reads.
    pub(super) fn relation_rows(&mut self, relation: &'a Relation) -> Rows {
        let shows = match relation.kind {
            RelationKind::View => Some(self.view(relation)),
            _ => None,
        };
        let table = self.name_of(relation);
        let row = self.graph.row();
        if !self.looks_through(relation.columns.len()) {
            return Rows { columns: Vec::new(), open: Some(self.graph.unknown(Vec::new())) };
        }
        self.meets(relation.row_type);
        relation.columns.iter().for_each(|column| self.meets(column.type_oid));
        let mut columns = Vec::with_capacity(relation.columns.len());
        for (at, column) in relation.columns.iter().enumerate() {
            let same = match &shows {
                None => None,
                Some(rows) => match (rows.open, rows.columns.get(at)) {
                    (None, Some(shown)) => Some(shown.node),
                    (open, _) => {
                        let all = rows.columns.iter().map(|column| column.node).chain(open).collect();
                        Some(self.graph.derived(all))
                    }
                },
            };
            let name = ColumnName { table: table.clone(), column: Arc::clone(&column.name) };
            let node = self.graph.column(&name.into(), &column.tags, same);
            if same.is_none() {
                self.graph.resize(node, row);
            }
            if relation.kind == RelationKind::Foreign {
                // What answers is not this server, and what it answers with is what the operator said of the column.
                self.touches_sensitive |= !column.tags.is_empty();
            }
            columns.push(Column { name: column.name.to_string(), node, of: Some(self.base(column.type_oid)) });
        }
        Rows { columns, open: None }
    }

    /// A statement writes a relation's rows, or looks through them: an error may print a row, or a key of it.
    pub(super) fn reaches(&mut self, relation: &Relation) {
        self.touches_sensitive |= relation.columns.iter().any(|column| !column.tags.is_empty());
    }

    /// The type that a domain restricts, which its values are computed as; any other as it is.
    pub(super) fn base(&self, mut oid: u32) -> u32 {
        for _ in 0..MAX_DEPTH {
            match self.catalog.types.get(&oid) {
                Some(of) if of.kind == TypeKind::Domain => oid = of.base,
                _ => break,
            }
        }
        oid
    }

    pub(super) fn name_of(&self, relation: &Relation) -> TableName {
        TableName {
            database: Name::clone(&self.catalog.database),
            schema: Arc::clone(&relation.schema),
            table: Arc::clone(&relation.name),
        }
    }

    /// The rows of a view's query.
    fn view(&mut self, relation: &'a Relation) -> Rows {
        postgres::deep(relation.definition.as_deref().unwrap_or_default(), || self.view_rows(relation))
    }

    fn view_rows(&mut self, relation: &'a Relation) -> Rows {
        let program = relation.definition.as_deref().and_then(|text| self.lowered(text));
        let query = program.as_ref().and_then(|program| match program.statements.as_slice() {
            [Statement::Query(query)] => Some(query),
            _ => None,
        });
        let rows = match query {
            Some(query) if self.depth < MAX_DEPTH => {
                self.depth += 1;
                let path = std::mem::replace(&mut self.path, self.catalog.definitions_path.clone());
                let temporary = self.temporary.take();
                let carried = self.carried.len();
                let rows = self.query(query, &Scope::default());
                // What of it nobody names is not computed.
                let shown: BTreeSet<Node> = rows.columns.iter().map(|column| column.node).collect();
                let inner = self.carried.split_off(carried.min(self.carried.len()));
                self.carried.extend(inner.into_iter().filter(|node| !shown.contains(node)));
                self.path = path;
                self.temporary = temporary;
                self.depth -= 1;
                Some(rows)
            }
            _ => None,
        };
        match rows {
            Some(rows) if rows.open.is_some() || rows.columns.len() >= relation.columns.len() => rows,
            _ => self.whatever_it_reads(relation),
        }
    }

    /// What a view that cannot be read may show: anything of what the server says that it depends on.
    fn whatever_it_reads(&mut self, relation: &'a Relation) -> Rows {
        self.unknown();
        let catalog = self.catalog;
        let mut nodes = Vec::new();
        for (oid, number) in &relation.dependencies {
            let Some(other) = catalog.relations.get(oid).filter(|other| other.oid != relation.oid) else { continue };
            let table = self.name_of(other);
            for column in other.columns.iter().filter(|column| *number == 0 || column.number == *number) {
                let name = ColumnName { table: table.clone(), column: Arc::clone(&column.name) };
                nodes.push(self.graph.column(&name.into(), &column.tags, None));
            }
        }
        Rows { columns: Vec::new(), open: Some(self.graph.unknown(nodes)) }
    }
}

/// The tags of columns that show what other columns hold: of materialised views, generated ones, and those of parents, which
/// show their children's. By relation and place.
pub(in crate::sql) fn copied_tags(catalog: &Catalog) -> Vec<(u32, usize, Tags)> {
    let mut found = Vec::new();
    for relation in catalog.relations.values() {
        // A parent shows its children's rows.
        for parent in relation.parents.iter().filter_map(|oid| catalog.relations.get(oid)) {
            for (at, above) in parent.columns.iter().enumerate() {
                let own = relation.columns.iter().filter(|column| column.name == above.name && !column.tags.is_empty());
                found.extend(own.map(|column| (parent.oid, at, column.tags.clone())));
            }
        }
        if relation.kind == RelationKind::MaterializedView {
            let mut walk = Walk::new(catalog, &catalog.definitions_path);
            let rows = walk.view(relation);
            let places = 0..relation.columns.len();
            let nodes = places.map(|at| rows.open.or(rows.columns.get(at).map(|column| column.node)));
            let nodes: Vec<_> = nodes.collect();
            found.extend(walk.tags_of(&nodes).into_iter().enumerate().map(|(at, tags)| (relation.oid, at, tags)));
        }
        for (at, column) in relation.columns.iter().enumerate().filter(|(_, column)| column.generated) {
            let mut walk = Walk::new(catalog, &catalog.definitions_path);
            let rows = walk.relation_rows(relation);
            let name = Some(relation.name.to_string());
            let item = Item { name, named: true, bare: true, rows, stored: true, ..Item::default() };
            let scope = Scope { items: vec![item], ..Scope::default() };
            let select = column.default.as_deref().map(|text| format!("select {text}"));
            let query = select.as_deref().and_then(|text| postgres::lower(text, walk.server()));
            let query = query.and_then(|mut program| program.statements.pop());
            let node = match query {
                Some(Statement::Query(query)) => {
                    let text = select.as_deref().unwrap_or_default();
                    let rows = postgres::deep(text, || walk.outputs_of(&query.outputs, &scope));
                    rows.open.or(rows.columns.first().map(|column| column.node))
                }
                // What cannot be read may hold anything of its row.
                _ => None,
            };
            found.extend(walk.tags_of(&[node]).into_iter().map(|tags| (relation.oid, at, tags)));
        }
    }
    found
}

impl Walk<'_> {
    /// The tags of everything that values come from; every tag there is, of one that may be anything.
    fn tags_of(&self, nodes: &[Option<Node>]) -> Vec<Tags> {
        let (_, reach, _) = self.graph.settle();
        let every = || {
            let relations = self.catalog.relations.values();
            relations.flat_map(|r| r.columns.iter()).fold(Tags::default(), |all, column| all.union(&column.tags))
        };
        let tags = |node: &Option<Node>| match node.and_then(|node| super::settle::at(&reach, node)) {
            Some(of) if !of.unknown => {
                let sources = of.exact.iter().chain(&of.derived).filter_map(|source| self.graph.source(*source));
                sources.fold(Tags::default(), |all, (_, tags)| all.union(tags))
            }
            _ => every(),
        };
        nodes.iter().map(tags).collect()
    }
}
