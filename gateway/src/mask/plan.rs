//! What happens to each column of a command's results.

use std::collections::HashMap;
use std::sync::Arc;

use super::copy::{CopyColumn, CopyColumns, CopyError, CopyMasker, CopyPlan, Layout};
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
    /// The columns of a stream.
    Stream(CopyPlan),
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

    /// Whether there is a mask.
    pub fn any(&self) -> bool {
        self.all.is_some() || self.columns.values().flatten().any(Option::is_some)
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

    /// What masks the stream of COPY data that the statement with that number answers with, as the server announces it, and none of
    /// whose rows is longer than `max_row` bytes; absent: nothing does. And whether announcement and plan agree: where they do not,
    /// every column is redacted.
    ///
    /// # Errors
    /// Nobody can say how its rows are written, and something in them has to be masked.
    pub fn stream(
        &self,
        statement: usize,
        announced: Announced,
        max_row: usize,
    ) -> Result<(Option<CopyMasker>, bool), CopyError> {
        let Plan::Masked(masking) = self else { return Ok((None, true)) };
        let redacted = CopyColumn { type_oid: 0, mask: Some(Mask::Whole) };
        let all = |mask| vec![CopyColumn { mask, ..redacted }; announced.columns];
        let (layout, columns, agree) = match masking.answers.get(statement) {
            Some(Answer::All(None)) => return Ok((None, true)),
            Some(Answer::Stream(plan)) => {
                let columns = match &plan.columns {
                    CopyColumns::Known(columns) => columns.clone(),
                    CopyColumns::Any(mask) => all(*mask),
                };
                let binary = plan.layout.as_ref().map(|layout| *layout == Layout::Binary);
                match (&plan.layout, columns.len() == announced.columns) {
                    // Whatever way it is written in.
                    (_, true) if plan.passes() && binary.is_none_or(|binary| binary == announced.binary) => {
                        return Ok((None, true));
                    }
                    (Some(layout), true) if binary == Some(announced.binary) => (Some(layout.clone()), columns, true),
                    (Some(layout), _) if binary == Some(announced.binary) => {
                        (Some(layout.clone()), all(redacted.mask), false)
                    }
                    _ => (None, all(redacted.mask), false),
                }
            }
            Some(Answer::Columns(_) | Answer::All(_) | Answer::Fetched(_)) | None => (None, all(redacted.mask), false),
        };
        // What is binary says itself how it is written.
        let layout = layout.or(announced.binary.then_some(Layout::Binary)).ok_or(CopyError::Unexpected)?;
        CopyMasker::new(layout, columns, max_row).map(|masker| (Some(masker), agree))
    }
}

/// A stream of COPY data as the server announces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced {
    /// How many columns its rows have.
    pub columns: usize,
    /// Whether they are in the binary format.
    pub binary: bool,
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
    fn a_stream_that_is_not_as_planned_is_redacted_or_not_taken() {
        let plan = |layout: Option<Layout>, masks: &[Option<Mask>]| {
            let columns = masks.iter().map(|mask| CopyColumn { type_oid: 25, mask: *mask }).collect();
            let answers = vec![Answer::Stream(CopyPlan { layout, columns: CopyColumns::Known(columns) })];
            Plan::Masked(Masking { answers, ..Masking::default() })
        };
        let text = || Some(Layout::Text(super::super::copy::TextOptions::default()));
        let announced = |columns, binary| Announced { columns, binary };
        let masked = |plan: &Plan, statement, announced, bytes: &[u8]| {
            plan.stream(statement, announced, 1000).map(|(masker, agree)| {
                let mut out = bytes::BytesMut::new();
                let key = super::super::Masker::new([0; 32]);
                match masker {
                    Some(mut masker) => masker.push(bytes, &key, &mut out).unwrap(),
                    None => out.extend_from_slice(bytes),
                }
                (String::from_utf8_lossy(&out).into_owned(), agree)
            })
        };
        let ssn = plan(text(), &[None, Some(Mask::PARTIAL)]);
        let row = &b"1\t123-45-6789\n"[..];
        assert_eq!(masked(&ssn, 0, announced(2, false), row), Ok(("1\t*******6789\n".to_owned(), true)));
        let more = &b"1\t123-45-6789\tx\n"[..];
        assert_eq!(masked(&ssn, 0, announced(3, false), more), Ok(("\\N\t\\N\t\\N\n".to_owned(), false)));
        // In binary, whatever it was to be; in text, only where it was to be that.
        let binary = [&b"PGCOPY\n\xff\r\n\0"[..], &[0; 8], &[0, 1, 0, 0, 0, 1], b"x"].concat();
        let (shown, agree) = masked(&ssn, 0, announced(1, true), &binary).unwrap();
        assert!(!shown.contains('x') && !agree);
        assert_eq!(
            masked(&plan(Some(Layout::Binary), &[None]), 0, announced(1, false), row),
            Err(CopyError::Unexpected)
        );
        assert_eq!(masked(&ssn, 1, announced(2, false), row), Err(CopyError::Unexpected));
        let rows = Plan::Masked(Masking { answers: vec![Answer::Columns(vec![None])], ..Masking::default() });
        assert_eq!(masked(&rows, 0, announced(1, false), row), Err(CopyError::Unexpected));
        let plain = plan(None, &[None, None]);
        assert_eq!(masked(&plain, 0, announced(2, false), row).unwrap().0.as_bytes(), row);
        assert_eq!(masked(&plain, 0, announced(3, false), more), Err(CopyError::Unexpected));
        assert_eq!(masked(&Plan::Pass, 3, announced(3, false), more).unwrap().0.as_bytes(), more);
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
