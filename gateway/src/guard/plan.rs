//! From what the policy said about each effect to what happens to each column of the results.

use std::collections::HashMap;
use std::sync::Arc;

use crate::access::{Action, ColumnName, Effect, Object, TableName};
use crate::mask::{Columns, Mask, Origin, Plan, strictest};
use crate::sql::catalog::{Relation, RelationKind};
use crate::sql::{Analysis, Catalog, Output};

/// The masks that a session's commands were answered under so far.
///
/// A cursor or a prepared statement of SQL's own is read by a later command that does not name what it reads.
#[derive(Debug, Default)]
pub(super) struct Given {
    masked: HashMap<Origin, Mask>,
    elsewhere: Option<Mask>,
}

impl Given {
    /// Adds a plan's masks; whether there was a new one.
    pub(super) fn grow(&mut self, plan: &Plan) -> bool {
        let Plan::Columns(columns) = plan else { return false };
        let before = (self.masked.len(), self.elsewhere);
        for (origin, mask) in &columns.masked {
            self.masked.entry(*origin).and_modify(|had| *had = strictest(*had, *mask)).or_insert(*mask);
        }
        self.elsewhere = both(self.elsewhere, columns.elsewhere);
        before != (self.masked.len(), self.elsewhere)
    }
}

/// What becomes of a command's results.
#[derive(Debug)]
pub(super) enum Planned {
    /// This, and the masks in the recording's words.
    Plan {
        /// By origin.
        plan: Plan,
        /// Object and mask.
        masks: Vec<(String, Mask)>,
    },
    /// They would have to be masked and cannot be.
    Unmaskable(String),
}

fn both(one: Option<Mask>, other: Option<Mask>) -> Option<Mask> {
    match (one, other) {
        (Some(one), Some(other)) => Some(strictest(one, other)),
        (one, other) => one.or(other),
    }
}

/// Combines the masks of every permitted effect.
///
/// A column whose origin PostgreSQL does not tell may hold any value that the statement reads: it gets the strictest
/// mask as soon as one of them has a mask, or may have one that this catalog cannot see (a view's, a function's).
pub(super) fn plan(
    analysis: &Analysis,
    catalog: &Catalog,
    effects: &[(&Effect, Option<Mask>)],
    given: &Given,
) -> Planned {
    let mut masked: HashMap<Origin, Mask> = HashMap::new();
    let mut elsewhere: Option<Mask> = None;
    let mut words: Vec<(String, Mask)> = Vec::new();
    let mut unknown = false;
    for (effect, mask) in effects {
        if effect.action == Action::SqlUnknown || hides_origin(effect, catalog) {
            elsewhere = both(elsewhere, catalog.any_sensitive.then_some(Mask::Redact));
        }
        unknown |= effect.action == Action::SqlUnknown && catalog.any_sensitive;
        if effect.action != Action::SqlRead {
            continue;
        }
        let Some(mask) = *mask else { continue };
        words.push((effect.object.id(""), mask));
        // A computed column may hold it whole or in part: no mask of part of a value is safe there.
        elsewhere = Some(Mask::Redact);
        match &effect.object {
            Object::Column(column) => {
                for (origin, _) in origins(catalog, column) {
                    masked.entry(origin).and_modify(|had| *had = strictest(*had, mask)).or_insert(mask);
                }
            }
            Object::Table(table) => {
                for relation in relations(catalog, table) {
                    for column in &relation.columns {
                        let origin = Origin { table: relation.oid, column: column.number };
                        masked.entry(origin).and_modify(|had| *had = strictest(*had, mask)).or_insert(mask);
                    }
                }
            }
            Object::Resource | Object::Function(_) => {}
        }
    }
    match analysis.output {
        Output::Harmless if !unknown => return pass(words),
        Output::Stream if elsewhere.is_some() => {
            return Planned::Unmaskable(
                "it streams columns that have to be masked, and a stream cannot be: select them as rows, or leave them out".to_owned(),
            );
        }
        Output::Harmless | Output::Stream | Output::Rows | Output::Fetched => {}
    }
    // What cannot be read may fetch as well.
    let nothing = Given::default();
    let asks_unknown = effects.iter().any(|(effect, _)| effect.action == Action::SqlUnknown);
    let given = if asks_unknown || analysis.output == Output::Fetched { given } else { &nothing };
    for (origin, mask) in &given.masked {
        masked.entry(*origin).and_modify(|had| *had = strictest(*had, *mask)).or_insert(*mask);
    }
    elsewhere = both(elsewhere, given.elsewhere);
    if unknown {
        // Every column is redacted, also one that a mask of an earlier statement left a part of.
        masked.clear();
    }
    if masked.is_empty() && elsewhere.is_none() {
        return pass(words);
    }
    // What could not be read may name any column.
    let harmless = if unknown { HashMap::new() } else { harmless(catalog) };
    Planned::Plan { plan: Plan::Columns(Columns { masked, harmless: Arc::new(harmless), elsewhere }), masks: words }
}

fn pass(masks: Vec<(String, Mask)>) -> Planned {
    Planned::Plan { plan: Plan::Pass, masks }
}

/// Whether rows that an effect brings may come from columns that neither the effects nor the origins name.
fn hides_origin(effect: &Effect, catalog: &Catalog) -> bool {
    let table = match &effect.object {
        Object::Function(_) => return effect.action == Action::SqlExecute,
        Object::Resource => return false,
        Object::Table(table) => table,
        Object::Column(column) => &column.table,
    };
    if effect.action != Action::SqlRead || &*table.schema == "pg_catalog" || &*table.schema == "information_schema" {
        return false;
    }
    let mut found = relations(catalog, table).peekable();
    // Not in the catalog: made since it was read, or in this very statement.
    !catalog.complete
        || found.peek().is_none()
        || found.any(|relation| !matches!(relation.kind, RelationKind::Table | RelationKind::Sequence))
}

fn relations<'a>(catalog: &'a Catalog, name: &'a TableName) -> impl Iterator<Item = &'a Relation> {
    catalog.relation(&name.schema, &name.table).into_iter()
}

fn origins<'a>(catalog: &'a Catalog, name: &'a ColumnName) -> impl Iterator<Item = (Origin, &'a Relation)> {
    relations(catalog, &name.table).flat_map(move |relation| {
        let columns = relation.columns.iter().filter(|column| column.name == name.column);
        columns.map(move |column| (Origin { table: relation.oid, column: column.number }, relation))
    })
}

/// Relations whose columns are what the origin says: a view's are not.
fn harmless(catalog: &Catalog) -> HashMap<u32, i16> {
    let told = |relation: &&Relation| matches!(relation.kind, RelationKind::Table | RelationKind::Sequence);
    let last = |relation: &Relation| relation.columns.iter().map(|column| column.number).max().unwrap_or(0);
    catalog.relations.values().filter(told).map(|relation| (relation.oid, last(relation))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Facts, Tags};
    use crate::sql::catalog::Column;

    fn catalog(kind: RelationKind) -> Catalog {
        let columns = [(1, "id"), (2, "ssn")].map(|(number, name)| Column {
            number,
            name: name.into(),
            type_oid: 25,
            ..Column::default()
        });
        let users = Relation {
            oid: 16400,
            schema: "public".into(),
            name: "users".into(),
            kind,
            columns: columns.into(),
            ..Relation::default()
        };
        Catalog {
            complete: true,
            any_sensitive: true,
            relations: HashMap::from([(16400, users)]),
            ..Catalog::default()
        }
    }

    fn read(column: &str) -> Effect {
        let table = TableName { database: "db".into(), schema: "public".into(), table: "users".into() };
        Effect {
            action: Action::SqlRead,
            object: Object::Column(Arc::new(ColumnName { table, column: column.into() })),
            tags: Tags::default(),
            facts: Facts::default(),
        }
    }

    fn analysis(output: Output) -> Analysis {
        Analysis { output, ..Analysis::of_operation(read("id")) }
    }

    fn columns(planned: Planned) -> Columns {
        match planned {
            Planned::Plan { plan: Plan::Columns(columns), .. } => columns,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_masked_column_is_masked_by_origin_and_computed_ones_are_redacted() {
        let (id, ssn) = (read("id"), read("ssn"));
        let effects = [(&id, None), (&ssn, Some(Mask::Partial))];
        let plan = plan(&analysis(Output::Rows), &catalog(RelationKind::Table), &effects, &Given::default());
        let columns = columns(plan);
        assert_eq!(columns.masked, HashMap::from([(Origin { table: 16400, column: 2 }, Mask::Partial)]));
        assert_eq!(columns.elsewhere, Some(Mask::Redact));
        assert_eq!(columns.harmless.get(&16400), Some(&2));
    }

    #[test]
    fn a_stream_of_a_masked_column_is_refused_and_a_plain_one_passes() {
        let (id, ssn) = (read("id"), read("ssn"));
        let catalog = catalog(RelationKind::Table);
        let stream = analysis(Output::Stream);
        let masked = plan(&stream, &catalog, &[(&ssn, Some(Mask::Partial))], &Given::default());
        assert!(matches!(masked, Planned::Unmaskable(_)));
        let plain = plan(&stream, &catalog, &[(&id, None)], &Given::default());
        assert!(matches!(plain, Planned::Plan { plan: Plan::Pass, .. }));
    }

    #[test]
    fn what_a_view_reads_is_not_known_and_so_redacted() {
        let id = read("id");
        let plan = plan(&analysis(Output::Rows), &catalog(RelationKind::View), &[(&id, None)], &Given::default());
        let columns = columns(plan);
        assert_eq!(columns.elsewhere, Some(Mask::Redact));
        assert!(!columns.harmless.contains_key(&16400));
    }

    #[test]
    fn a_cursor_is_read_under_the_masks_that_it_was_opened_under() {
        let (ssn, catalog) = (read("ssn"), catalog(RelationKind::Table));
        let mut given = Given::default();
        let declared = plan(&analysis(Output::Rows), &catalog, &[(&ssn, Some(Mask::Partial))], &given);
        let Planned::Plan { plan: declared, .. } = declared else { panic!("{declared:?}") };
        assert!(given.grow(&declared));
        assert!(!given.grow(&declared));
        let other = plan(&analysis(Output::Rows), &catalog, &[], &given);
        assert!(matches!(other, Planned::Plan { plan: Plan::Pass, .. }), "another statement is its own");
        let fetched = columns(plan(&analysis(Output::Fetched), &catalog, &[], &given));
        assert_eq!(fetched.masked.get(&Origin { table: 16400, column: 2 }), Some(&Mask::Partial));
    }
}
