//! From what the policy said about each effect to what happens to each column of the results.

use std::collections::HashMap;
use std::sync::Arc;

use crate::access::{Action, ColumnName, Effect, Object};
use crate::mask::copy::{CopyColumn, CopyColumns, CopyPlan, CsvOptions, Layout, TextOptions};
use crate::mask::{Answer, Mask, Masking, Origin, Plan, Widths, both};
use crate::sql::{Analysis, Catalog, Lineage, Outputs, Stream, StreamColumn, Streamed, Written};

/// What the cursors and portals that a session opened so far may show.
///
/// They are read by a later command that does not name what it reads.
#[derive(Debug, Default)]
pub(super) struct Given(Arc<Widths>);

impl Given {
    /// Adds what statements may show; whether there was a new mask.
    pub(super) fn grow<'a>(&mut self, answers: impl IntoIterator<Item = &'a Answer>) -> bool {
        let mut grown = false;
        for answer in answers {
            grown |= Arc::make_mut(&mut self.0).grow(answer);
        }
        grown
    }
}

/// What becomes of a command's results.
#[derive(Debug)]
pub(super) enum Planned {
    /// This, and the masks in the recording's words.
    Plan {
        /// For each statement.
        plan: Plan,
        /// What the statements in it show that later commands run by name.
        named: Vec<Answer>,
        /// Object and mask.
        masks: Vec<(String, Mask)>,
    },
    /// They would have to be masked and cannot be.
    Unmaskable(String),
}

/// Combines the masks of every permitted effect.
///
/// A value that is a masked column gets its mask; one that was computed from such a column, or may be anything, is
/// redacted whole: no mask of part of a value is safe there, nor is whether it is NULL. `withheld` is the mask of what system
/// relations hold beside the database's form.
pub(super) fn plan(
    analysis: &Analysis,
    catalog: &Catalog,
    effects: &[(&Effect, Option<Mask>)],
    given: &Given,
    withheld: Option<Mask>,
) -> Planned {
    let mut masks: HashMap<&ColumnName, Mask> = HashMap::new();
    let mut words: Vec<(String, Mask)> = Vec::new();
    for (effect, mask) in effects {
        let (Action::SqlRead, Some(mask)) = (effect.action, *mask) else { continue };
        words.push((effect.object.id(""), mask));
        if let Object::Column(column) = &effect.object {
            masks.insert(column, mask);
        }
    }
    // What could not be read may show any column.
    let unknown = catalog.any_sensitive && effects.iter().any(|(effect, _)| effect.action == Action::SqlUnknown);
    let mut fetched = Widths::clone(&given.0);
    let of = Of { masks: &masks, anything: catalog.any_sensitive.then_some(Mask::Whole), withheld };
    let answer = |outputs: &Outputs, fetched: &Arc<Widths>| match outputs {
        // How a stream is written stands in the text, whatever it holds.
        Outputs::Stream(stream) if unknown => {
            Answer::Stream(CopyPlan { columns: CopyColumns::Any(Some(Mask::Whole)), ..of.stream(stream) })
        }
        _ if unknown => Answer::All(Some(Mask::Whole)),
        Outputs::Nothing => Answer::Columns(Vec::new()),
        Outputs::Columns(columns) => Answer::Columns(columns.iter().map(|lineage| of.lineage(lineage)).collect()),
        Outputs::Open(lineage) => Answer::All(of.computed(lineage)),
        Outputs::Fetched => Answer::Fetched(Arc::clone(fetched)),
        Outputs::Unknown => Answer::All(of.anything),
        Outputs::Stream(stream) => Answer::Stream(of.stream(stream)),
    };
    let named: Vec<Answer> = analysis.named.iter().map(|one| answer(one, &given.0)).collect();
    for one in &named {
        // A cursor that this very text opens.
        fetched.grow(one);
    }
    let fetched = Arc::new(fetched);
    let answers: Vec<Answer> = analysis.outputs.iter().map(|one| answer(one, &fetched)).collect();
    let flaw = |answer: &Answer| match answer {
        Answer::Stream(plan) => plan.flaw(),
        _ => None,
    };
    if let Some(flaw) = answers.iter().find_map(flaw) {
        return Planned::Unmaskable(format!("it streams columns that have to be masked, and {flaw}"));
    }
    let plan = if answers.iter().all(|answer| passes(answer, catalog.any_sensitive)) {
        Plan::Pass
    } else {
        Plan::Masked(Masking { answers, origins: Arc::new(origins(catalog, &masks)) })
    };
    Planned::Plan { plan, named, masks: words }
}

/// Whether nothing is masked, whatever the rows are.
fn passes(answer: &Answer, any_sensitive: bool) -> bool {
    match answer {
        Answer::Columns(masks) => masks.iter().all(Option::is_none),
        Answer::All(mask) => mask.is_none(),
        // It may be a cursor that nobody has seen being opened: what it shows is known when its rows are described.
        Answer::Fetched(widths) => !any_sensitive && !widths.any(),
        Answer::Stream(plan) => plan.passes(),
    }
}

struct Of<'a> {
    masks: &'a HashMap<&'a ColumnName, Mask>,
    /// The mask of what may be anything.
    anything: Option<Mask>,
    /// The mask of what is withheld.
    withheld: Option<Mask>,
}

impl Of<'_> {
    fn lineage(&self, lineage: &Lineage) -> Option<Mask> {
        let exact = lineage.exact.iter().fold(None, |all, column| both(all, self.masks.get(&**column).copied()));
        let derived = lineage.derived.iter().filter_map(|column| self.masks.get(&**column).copied());
        // Tied to another column of the same mask, it is no more than that.
        let derived = derived.filter(|mask| exact != Some(*mask)).map(|_| Mask::Whole).next();
        let unknown = self.anything.filter(|_| lineage.unknown);
        let withheld = self.withheld.filter(|_| lineage.withheld);
        both(both(both(exact, derived), unknown), withheld)
    }

    fn stream(&self, stream: &Stream) -> CopyPlan {
        let (columns, force_quote) = match &stream.rows {
            Streamed::Columns(columns) => {
                let masked = |column: &StreamColumn| CopyColumn {
                    type_oid: column.type_oid,
                    mask: self.lineage(&column.lineage),
                };
                let masked = columns.iter().map(masked).collect();
                (CopyColumns::Known(masked), columns.iter().map(|column| column.quoted).collect())
            }
            Streamed::Open(lineage) => (CopyColumns::Any(self.computed(lineage)), Vec::new()),
        };
        let layout = stream.written.as_ref().map(|written| match written.clone() {
            Written::Text { delimiter, null, header } => {
                Layout::Text(TextOptions { delimiter, null: null.into_bytes(), header })
            }
            Written::Csv { delimiter, quote, escape, null, header } => {
                Layout::Csv(CsvOptions { delimiter, quote, escape, null: null.into_bytes(), header, force_quote })
            }
            Written::Binary => Layout::Binary,
        });
        CopyPlan { layout, columns }
    }

    /// As of a value that was computed.
    fn computed(&self, lineage: &Lineage) -> Option<Mask> {
        self.lineage(lineage).map(|_| Mask::Whole)
    }
}

/// The masked columns, by what a description calls them.
fn origins(catalog: &Catalog, masks: &HashMap<&ColumnName, Mask>) -> HashMap<Origin, Mask> {
    let mut origins = HashMap::new();
    for (column, mask) in masks {
        let Some(relation) = catalog.relation(&column.table.schema, &column.table.table) else { continue };
        let number = relation.columns.iter().find(|known| known.name == column.column).map(|known| known.number);
        if let Some(number) = number {
            origins.insert(Origin { table: relation.oid, column: number }, *mask);
        }
    }
    origins
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Facts, TableName, Tags};

    fn column(name: &str) -> Arc<ColumnName> {
        let table = TableName { database: "db".into(), schema: "public".into(), table: "users".into() };
        Arc::new(ColumnName { table, column: name.into() })
    }

    fn read(column: &Arc<ColumnName>) -> Effect {
        Effect {
            action: Action::SqlRead,
            object: Object::Column(Arc::clone(column)),
            tags: Tags::default(),
            facts: Facts::default(),
        }
    }

    fn planned(outputs: Vec<Outputs>, mask: Option<Mask>, given: &Given) -> Planned {
        let ssn = column("ssn");
        let effect = read(&ssn);
        let analysis = Analysis { outputs: outputs.into(), ..Analysis::of_operation(effect.clone()) };
        let catalog = Catalog { any_sensitive: true, ..Catalog::default() };
        plan(&analysis, &catalog, &[(&effect, mask)], given, None)
    }

    fn masks(outputs: Vec<Outputs>) -> Vec<Option<Mask>> {
        match planned(outputs, Some(Mask::Hash), &Given::default()) {
            Planned::Plan { plan, .. } => plan.masks(0, &[Origin { table: 0, column: 0 }]).0,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_column_gets_its_mask_and_what_is_made_of_it_is_redacted() {
        let exact = Lineage { exact: vec![column("ssn")], ..Lineage::default() };
        let derived = Lineage { derived: vec![column("ssn")], ..Lineage::default() };
        let other = Lineage { exact: vec![column("id")], ..Lineage::default() };
        let tied = Lineage { derived: vec![column("ssn")], ..other.clone() };
        let anything = Lineage { unknown: true, ..Lineage::default() };
        for (lineage, mask) in [
            (exact.clone(), Some(Mask::Hash)),
            (derived.clone(), Some(Mask::Whole)),
            (other, None),
            (tied, Some(Mask::Whole)),
            (anything, Some(Mask::Whole)),
            (Lineage { derived: vec![column("ssn")], ..exact }, Some(Mask::Hash)),
        ] {
            assert_eq!(masks(vec![Outputs::Columns(vec![lineage.clone()])]), [mask], "{lineage:?}");
        }
        assert_eq!(masks(vec![Outputs::Open(derived)]), [Some(Mask::Whole)]);
        assert_eq!(masks(vec![Outputs::Unknown]), [Some(Mask::Whole)]);
    }

    #[test]
    fn what_is_withheld_is_redacted_also_where_nothing_is_sensitive() {
        let shown = Lineage { withheld: true, ..Lineage::default() };
        let outputs = vec![Outputs::Columns(vec![Lineage::default(), shown]), Outputs::Fetched];
        let effect = read(&column("id"));
        let analysis =
            Analysis { named: outputs.clone().into(), outputs: outputs.into(), ..Analysis::of_operation(effect) };
        assert!(analysis.withholds());
        for (withheld, passes) in [(Some(Mask::Whole), false), (None, true)] {
            let planned = plan(&analysis, &Catalog::default(), &[], &Given::default(), withheld);
            let Planned::Plan { plan, .. } = planned else { panic!("{planned:?}") };
            assert_eq!(plan == Plan::Pass, passes);
            // A cursor's rows as well.
            for statement in [0, 1] {
                let masks = plan.masks(statement, &[Origin { table: 0, column: 0 }; 2]).0;
                assert_eq!(masks, [None, withheld]);
            }
        }
    }

    #[test]
    fn a_cursor_that_nobody_saw_being_opened_is_redacted() {
        let mut given = Given::default();
        for known in [false, true] {
            if known {
                given.grow(&[Answer::Columns(vec![None, None])]);
            }
            let Planned::Plan { plan, .. } = planned(vec![Outputs::Fetched], None, &given) else { panic!() };
            assert_eq!(plan.masks(0, &[Origin { table: 0, column: 0 }]).0, [Some(Mask::Whole)]);
        }
    }

    #[test]
    fn a_stream_of_a_masked_column_is_refused_where_nobody_can_read_it() {
        let exact = Lineage { exact: vec![column("ssn")], ..Lineage::default() };
        let text = |null: &str| Written::Text { delimiter: b'\t', null: null.to_owned(), header: false };
        let stream = |written| {
            let columns = vec![StreamColumn { type_oid: 25, quoted: false, lineage: exact.clone() }];
            vec![Outputs::Stream(Stream { rows: Streamed::Columns(columns), written })]
        };
        let planned = |written, mask| planned(stream(written), mask, &Given::default());
        assert!(matches!(planned(None, Some(Mask::Hash)), Planned::Unmaskable(_)));
        // A value can be written as NULL is.
        assert!(matches!(planned(Some(text("123-45-6789")), Some(Mask::Hash)), Planned::Unmaskable(_)));
        assert!(matches!(planned(None, None), Planned::Plan { plan: Plan::Pass, .. }));
        let Planned::Plan { plan: Plan::Masked(masking), .. } = planned(Some(text("\\N")), Some(Mask::Hash)) else {
            panic!()
        };
        let columns = CopyColumns::Known(vec![CopyColumn { type_oid: 25, mask: Some(Mask::Hash) }]);
        let layout = Some(Layout::Text(TextOptions::default()));
        assert_eq!(masking.answers, [Answer::Stream(CopyPlan { layout, columns })]);
    }

    #[test]
    fn a_stream_of_a_statement_that_is_not_known_whole_is_redacted_as_it_is_written() {
        let unknown = Effect {
            action: Action::SqlUnknown,
            object: Object::Resource,
            tags: Tags::default(),
            facts: Facts::default(),
        };
        let columns = vec![StreamColumn { type_oid: 25, quoted: false, lineage: Lineage::default() }];
        let written = Some(Written::Text { delimiter: b'\t', null: "\\N".to_owned(), header: false });
        let stream = Stream { rows: Streamed::Columns(columns), written };
        let outputs = [Outputs::Stream(stream), Outputs::Nothing].into();
        let analysis = Analysis { outputs, ..Analysis::of_operation(unknown.clone()) };
        let catalog = Catalog { any_sensitive: true, ..Catalog::default() };
        let planned = plan(&analysis, &catalog, &[(&unknown, None)], &Given::default(), None);
        let Planned::Plan { plan: Plan::Masked(masking), .. } = planned else { panic!("{planned:?}") };
        let columns = CopyColumns::Any(Some(Mask::Whole));
        let layout = Some(Layout::Text(TextOptions::default()));
        assert_eq!(masking.answers, [Answer::Stream(CopyPlan { layout, columns }), Answer::All(Some(Mask::Whole))]);
    }

    #[test]
    fn a_cursor_is_read_under_the_masks_that_it_was_opened_under() {
        let mut given = Given::default();
        assert!(given.grow(&[Answer::Columns(vec![Some(Mask::Hash)])]));
        let Planned::Plan { plan, .. } = planned(vec![Outputs::Fetched], None, &given) else { panic!() };
        assert_eq!(plan.masks(0, &[Origin { table: 0, column: 0 }]).0, [Some(Mask::Hash)]);
    }
}
