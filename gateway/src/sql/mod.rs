//! From a statement's text to what it does: actions on objects, what its results may hold, which literals are sensitive.
//!
//! A dialect's front-end lowers its syntax tree into one relational form; everything that thinks works on that form.

mod analyzer;
mod builtin;
pub mod catalog;
#[cfg(test)]
mod corpus;
mod effects;
mod form;
mod literal;
mod postgres;
mod predicate;

use std::ops::Range;
use std::sync::Arc;

use crate::access::{Effect, Name};
pub use analyzer::Analyzer;
pub use catalog::Catalog;

/// The settings of a session that change what a text means. Lexer settings are pinned by the protocol and are not here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Settings {
    /// `search_path` as the session set it; absent: the catalog's.
    pub search_path: Option<Arc<[Name]>>,
}

/// What one message's text does, all its statements together.
#[derive(Debug)]
pub struct Analysis {
    /// The text with its literals replaced, the same for texts that differ in literals only.
    pub fingerprint: Arc<str>,
    /// How many statements the text holds; 0 for an empty one.
    pub statements: usize,
    /// Every action on every object, sorted, without duplicates. Never empty: an empty text is `sql.session`.
    pub effects: Arc<[Effect]>,
    /// What the columns of its results may hold.
    pub output: Output,
    /// Byte ranges of the text's literals and whether each meets something sensitive, in order.
    pub literals: Arc<[Literal]>,
    /// Whether each `$n` meets something sensitive; a parameter beyond the end is taken to.
    pub parameters: Arc<[bool]>,
    /// Whether the catalog may be different afterwards.
    pub changes_catalog: bool,
    /// Whether the search path or another setting that the analysis depends on may be different afterwards.
    pub changes_settings: bool,
}

/// What the columns of a statement's results may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Nothing sensitive can be reached: no column needs a mask.
    Harmless,
    /// Rows whose columns are masked by their origin; a computed column may hold anything the statement reaches.
    Rows,
    /// As `Rows`, and rows of a cursor that an earlier statement opened.
    Fetched,
    /// A stream without row description (COPY to the client) that may hold something sensitive.
    Stream,
}

/// A literal in a statement's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal {
    /// Its bytes, quotes included.
    pub span: Range<usize>,
    /// Whether the recording must not hold it.
    pub sensitive: bool,
}

impl Analysis {
    /// Of something that is not a statement.
    pub fn of_operation(effect: Effect) -> Self {
        Analysis {
            fingerprint: "".into(),
            statements: 1,
            effects: Arc::new([effect]),
            output: Output::Rows,
            literals: Arc::new([]),
            parameters: Arc::new([]),
            changes_catalog: false,
            changes_settings: false,
        }
    }

    /// `text`, which this is the analysis of, with its sensitive literals hidden; or all of them.
    pub fn recorded_text(&self, text: &str, all: bool) -> String {
        let mut out = String::with_capacity(text.len());
        let mut from = 0;
        for literal in self.literals.iter().filter(|literal| all || literal.sensitive) {
            let (Some(before), true) = (text.get(from..literal.span.start), literal.span.end <= text.len()) else {
                // Not this analysis's text, or lossily decoded: nothing of the rest can be told apart.
                out.push_str(HIDDEN);
                return out;
            };
            out.push_str(before);
            out.push_str(HIDDEN);
            from = literal.span.end;
        }
        match text.get(from..) {
            // A replacement character shifts what follows it.
            Some(rest) if !(all && text.contains('\u{fffd}')) => out.push_str(rest),
            _ => return HIDDEN.to_owned(),
        }
        out
    }
}

/// What stands for a literal that the recording must not hold.
const HIDDEN: &str = "'***'";
