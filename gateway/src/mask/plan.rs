//! What happens to each column of a command's results.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Mask, strictest};

/// Where a result's column came from, as its description says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    /// Table OID; 0: computed.
    pub table: u32,
    /// Column number; 0: computed.
    pub column: i16,
}

/// What happens to a command's results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Every byte is forwarded as it came.
    Pass,
    /// Columns are masked.
    Masked(Masking),
}

/// A plan that masks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Masking {
    /// For each statement of the text, in order. A statement beyond the end: everything is redacted.
    pub answers: Vec<Answer>,
    /// Columns that have a mask wherever a description names them: what the analysis did not see is masked all the same.
    pub origins: Arc<HashMap<Origin, Mask>>,
}

/// What happens to the rows of one statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Each column by its place. Rows of another number of columns are redacted.
    Columns(Vec<Option<Mask>>),
    /// Every column, however many there are.
    All(Option<Mask>),
    /// What any of the cursors that it may be could show.
    Fetched(Arc<Widths>),
    /// Each column of a stream by its place, with its type's OID.
    Stream(Vec<(u32, Option<Mask>)>),
}

/// Masks by place, for results of each number of columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Widths {
    /// By the number of columns.
    pub columns: HashMap<usize, Vec<Option<Mask>>>,
    /// Of results whose number of columns nobody knows, and of any number that is not above.
    pub all: Option<Mask>,
}

impl Widths {
    /// Adds what a statement may show; whether that changed anything.
    pub fn grow(&mut self, answer: &Answer) -> bool {
        match answer {
            Answer::Columns(masks) => {
                let had = self.columns.entry(masks.len()).or_insert_with(|| vec![None; masks.len()]);
                let before = had.clone();
                for (one, more) in had.iter_mut().zip(masks) {
                    *one = both(*one, *more);
                }
                *had != before
            }
            Answer::All(mask) => {
                let before = self.all;
                self.all = both(self.all, *mask);
                self.all != before
            }
            Answer::Fetched(_) | Answer::Stream(_) => false,
        }
    }

    /// The mask of one of `count` columns.
    fn at(&self, place: usize, count: usize) -> Option<Mask> {
        match self.columns.get(&count) {
            Some(masks) => both(masks.get(place).copied().flatten(), self.all),
            // No cursor of that many columns is known: it is one of a function's.
            None => Some(Mask::Whole),
        }
    }
}

/// The mask that holds where both do.
pub(crate) fn both(one: Option<Mask>, other: Option<Mask>) -> Option<Mask> {
    match (one, other) {
        (Some(one), Some(other)) => Some(strictest(one, other)),
        (one, other) => one.or(other),
    }
}

impl Plan {
    /// The masks of a described result's columns, of the statement with that number in its text; and whether the description and the
    /// plan agree.
    pub fn masks(&self, statement: usize, origins: &[Origin]) -> (Vec<Option<Mask>>, bool) {
        let Plan::Masked(masking) = self else { return (vec![None; origins.len()], true) };
        let count = origins.len();
        let (mut masks, mut agree): (Vec<Option<Mask>>, bool) = match masking.answers.get(statement) {
            Some(Answer::Columns(masks)) if masks.len() == count => (masks.clone(), true),
            Some(Answer::All(mask)) => (vec![*mask; count], true),
            Some(Answer::Fetched(widths)) => ((0..count).map(|place| widths.at(place, count)).collect(), true),
            Some(Answer::Columns(_) | Answer::Stream(_)) | None => (vec![Some(Mask::Whole); count], false),
        };
        for (mask, origin) in masks.iter_mut().zip(origins) {
            if let Some(more) = masking.origins.get(origin)
                && mask.is_none()
            {
                (*mask, agree) = (Some(*more), false);
            }
        }
        (masks, agree)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(table: u32, column: i16) -> Origin {
        Origin { table, column }
    }

    #[test]
    fn columns_are_masked_by_place_and_what_disagrees_is_masked_all_the_same() {
        let origins = Arc::new(HashMap::from([(origin(9, 2), Mask::Hash)]));
        let answers = vec![Answer::Columns(vec![None, Some(Mask::Redact)]), Answer::All(None)];
        let plan = Plan::Masked(Masking { answers, origins });
        assert_eq!(plan.masks(0, &[origin(9, 1), origin(0, 0)]), (vec![None, Some(Mask::Redact)], true));
        assert_eq!(plan.masks(0, &[origin(9, 2), origin(0, 0)]), (vec![Some(Mask::Hash), Some(Mask::Redact)], false));
        assert_eq!(plan.masks(0, &[origin(9, 1)]), (vec![Some(Mask::Whole)], false), "another number of columns");
        assert_eq!(plan.masks(1, &[origin(9, 1)]), (vec![None], true));
        assert_eq!(plan.masks(2, &[origin(9, 1)]), (vec![Some(Mask::Whole)], false), "another statement");
        assert_eq!(Plan::Pass.masks(7, &[origin(9, 2)]), (vec![None], true));
    }

    #[test]
    fn a_fetch_is_masked_as_any_cursor_of_its_width() {
        let mut widths = Widths::default();
        assert!(!widths.grow(&Answer::Columns(vec![None, None])));
        assert!(widths.grow(&Answer::Columns(vec![None, Some(Mask::Hash)])));
        assert!(!widths.grow(&Answer::Columns(vec![None, Some(Mask::Hash)])));
        let plan = Plan::Masked(Masking { answers: vec![Answer::Fetched(Arc::new(widths))], ..Masking::default() });
        assert_eq!(plan.masks(0, &[origin(1, 1), origin(1, 2)]).0, [None, Some(Mask::Hash)]);
        assert_eq!(plan.masks(0, &[origin(1, 1)]).0, [Some(Mask::Whole)]);
    }
}
