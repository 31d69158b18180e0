//! Walks a TOML document by hand, so that every error in it is found and each knows its place.

use std::cell::RefCell;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Lines, Problem, nearest};

/// The document and what was found wrong with it so far.
#[derive(Debug)]
pub(super) struct Source<'a> {
    lines: Lines<'a>,
    problems: RefCell<Vec<Problem>>,
}

impl<'a> Source<'a> {
    pub(super) fn new(file: &'a Path, text: &'a str) -> Self {
        Source { lines: Lines::new(file, text), problems: RefCell::default() }
    }

    pub(super) fn report(&self, span: Range<usize>, key: &str, message: impl Into<String>, help: impl Into<String>) {
        let help = Some(help.into()).filter(|help| !help.is_empty());
        let key = Some(key.to_owned()).filter(|key| !key.is_empty());
        let problem = self.lines.problem(span, key, message, help);
        self.problems.borrow_mut().push(problem);
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }
}

/// A table of the document, or the absence of one.
#[derive(Debug)]
pub(super) struct Section<'s, 'i> {
    source: &'s Source<'s>,
    path: String,
    span: Range<usize>,
    table: Option<&'s DeTable<'i>>,
    asked: Vec<&'static str>,
}

impl<'s, 'i> Section<'s, 'i> {
    pub(super) fn root(source: &'s Source<'s>, table: &'s Spanned<DeTable<'i>>) -> Self {
        Section { source, path: String::new(), span: 0..0, table: Some(table.get_ref()), asked: Vec::new() }
    }

    /// The value of a key, if it is there. Asking makes the key known.
    pub(super) fn get(&mut self, key: &'static str) -> Option<Item<'s, 'i>> {
        self.asked.push(key);
        let value = self.table?.get(key)?;
        Some(Item { source: self.source, key: join(&self.path, key), span: value.span(), value: value.get_ref() })
    }

    /// The value of a key that has to be there.
    pub(super) fn require(&mut self, key: &'static str, help: &str) -> Option<Item<'s, 'i>> {
        let found = self.get(key);
        if found.is_none() {
            self.source.report(self.span.clone(), &join(&self.path, key), "is missing", help);
        }
        found
    }

    /// A table below this one, empty where it is absent.
    pub(super) fn section(&mut self, key: &'static str) -> Section<'s, 'i> {
        match self.get(key) {
            Some(item) => item.section(),
            None => self.absent(key),
        }
    }

    fn absent(&self, key: &str) -> Section<'s, 'i> {
        let path = join(&self.path, key);
        Section { source: self.source, path, span: self.span.clone(), table: None, asked: Vec::new() }
    }

    /// Every key with its value: for tables whose keys are the operator's own names.
    pub(super) fn entries(&self) -> Vec<(Entry<'s>, Item<'s, 'i>)> {
        let source = self.source;
        let entries = self.table.into_iter().flat_map(|table| table.iter()).map(|(name, value)| {
            let path = join(&self.path, name.get_ref());
            let entry = Entry { source, name: name.get_ref(), path: path.clone(), span: name.span() };
            (entry, Item { source, key: path, span: value.span(), value: value.get_ref() })
        });
        entries.collect()
    }

    pub(super) fn fail(&self, message: impl Into<String>, help: impl Into<String>) {
        self.source.report(self.span.clone(), &self.path, message, help);
    }

    /// Reports every key that nobody asked for.
    pub(super) fn finish(self) {
        for (entry, _) in self.entries() {
            if self.asked.contains(&entry.name) {
                continue;
            }
            let help = match nearest(entry.name, self.asked.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the keys here are {}", list(&self.asked)),
            };
            entry.fail("unknown key", help);
        }
    }
}

/// A key that is a name of the operator's.
#[derive(Debug)]
pub(super) struct Entry<'s> {
    source: &'s Source<'s>,
    pub(super) name: &'s str,
    path: String,
    span: Range<usize>,
}

impl Entry<'_> {
    pub(super) fn fail(&self, message: impl Into<String>, help: impl Into<String>) {
        self.source.report(self.span.clone(), &self.path, message, help);
    }
}

/// A value of the document.
#[derive(Debug)]
pub(super) struct Item<'s, 'i> {
    source: &'s Source<'s>,
    key: String,
    span: Range<usize>,
    value: &'s DeValue<'i>,
}

impl<'s, 'i> Item<'s, 'i> {
    pub(super) fn fail(&self, message: impl Into<String>, help: impl Into<String>) {
        self.source.report(self.span.clone(), &self.key, message, help);
    }

    fn expected(&self, what: &str) {
        self.fail(format!("is {}, not {what}", kind(self.value)), String::new());
    }

    pub(super) fn is_string(&self) -> bool {
        matches!(self.value, DeValue::String(_))
    }

    pub(super) fn string(&self) -> Option<&'s str> {
        match self.value {
            DeValue::String(text) if text.contains('\0') => {
                self.fail("holds a zero character", "leave it out");
                None
            }
            DeValue::String(text) => Some(text),
            _ => {
                self.expected("a string");
                None
            }
        }
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        match self.value {
            DeValue::Boolean(value) => Some(*value),
            _ => {
                self.expected("true or false");
                None
            }
        }
    }

    pub(super) fn list(&self) -> Option<Vec<Item<'s, 'i>>> {
        let DeValue::Array(array) = self.value else {
            self.expected("a list");
            return None;
        };
        let item = |value: &'s Spanned<DeValue<'i>>| Item {
            source: self.source,
            key: self.key.clone(),
            span: value.span(),
            value: value.get_ref(),
        };
        Some(array.iter().map(item).collect())
    }

    /// The value as a table; what is no table is reported and read as an empty one.
    pub(super) fn section(&self) -> Section<'s, 'i> {
        let table = match self.value {
            DeValue::Table(table) => Some(table),
            _ => {
                self.expected("a table");
                None
            }
        };
        Section { source: self.source, path: self.key.clone(), span: self.span.clone(), table, asked: Vec::new() }
    }

    pub(super) fn is_table(&self) -> bool {
        matches!(self.value, DeValue::Table(_))
    }

    /// The meaning of a word, of those that there are.
    pub(super) fn word<T: Copy>(&self, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.string()?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.fail(format!("unknown value {text:?}"), format!("use {}", alternatives(&known)));
        }
        found
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a floating-point number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A key path as TOML writes it.
fn join(path: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let key = if bare { key.to_owned() } else { format!("{key:?}") };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn alternatives(words: &[&str]) -> String {
    words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(" or ")
}
