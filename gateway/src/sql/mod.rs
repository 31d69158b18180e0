//! From a statement's text to what it does: actions on objects, what its results may hold, which literals are sensitive.
//!
//! A dialect's front-end lowers its syntax tree into one relational form; everything that thinks works on that form.

mod analyzer;
mod builtin;
pub mod catalog;
#[cfg(test)]
mod corpus;
pub mod differential;
mod encoding;
mod flow;
mod form;
mod generic;
mod literal;
mod names;
mod postgres;
mod predicate;
mod qualified;
mod stream;

use std::ops::Range;
use std::sync::Arc;

use crate::access::{Action, ColumnName, Effect, Facts, Name, Object, Tags};
pub use analyzer::Analyzer;
pub use builtin::partly_readable;
pub use catalog::Catalog;
pub use encoding::is_safe_encoding;
pub use names::{Made, Named, Rename, Space};
pub use stream::{Stream, StreamColumn, Streamed, Written};

/// The settings of a session that change what a text means. Lexer settings are pinned by the protocol and are not here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Settings {
    /// `search_path` as the session set it; absent: the catalog's.
    pub search_path: Option<Arc<[Name]>>,
    /// The session's schema for temporary objects, once it has one: relations and types are looked for there first,
    /// whatever the search path says, functions and operators are not.
    pub temporary: Option<Name>,
    /// Whether the open transaction has changed what names stand for: with its end, or a savepoint's, they may stand for
    /// something else.
    pub pending: bool,
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
    /// What each of its statements answers with, in order.
    pub outputs: Arc<[Outputs]>,
    /// What statements in it answer with that a later command runs by name: cursors, prepared statements.
    pub named: Arc<[Outputs]>,
    /// The names that it runs, but for those that it gave itself: what they stand for decides what it does.
    pub runs: Arc<[(Space, Name)]>,
    /// What it does to names, in order.
    pub renames: Arc<[Rename]>,
    /// Whether it can reach anything sensitive.
    pub sensitive: bool,
    /// Whether the server may refuse it by itself, before it runs: the grammar does not know it, or it names something that is not known.
    pub doubtful: bool,
    /// Whether it runs bodies whose names are looked up only then.
    pub late: bool,
    /// Whether the server may run code of the database's own while it parses the text: it reads literals then.
    pub parses_by_code: bool,
    /// Whether a literal of the text may meet something sensitive: then the recording must not hold them.
    pub literals_sensitive: bool,
    /// Whether each `$n` meets something sensitive; a parameter beyond the end is taken to.
    pub parameters: Arc<[bool]>,
    /// What may be different afterwards.
    pub changes: Changes,
    /// Whether a name of the catalog may stand for something else then, also for who has begun to read by it. What gave it away
    /// may be harmless, and what it then stands for not.
    pub gives_away: bool,
    /// Whether it may ask the client for a stream of COPY data.
    pub copies_in: bool,
}

/// What a statement may leave different, so that the next cannot be read by what was known before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// What names stand for in the catalog.
    pub catalog: bool,
    /// The search path, or another setting that the analysis depends on.
    pub settings: bool,
    /// Prepared statements and cursors, in a way that nobody can follow.
    pub names: bool,
    /// How the server reads texts.
    pub rules: bool,
    /// Whatever its transaction changed before: it may be taken back.
    pub undoes: bool,
    /// Whatever is so within its transaction alone: it ends, or may be taken back.
    pub ends: bool,
    /// Whether a transaction block is open.
    pub transaction: bool,
}

impl Changes {
    /// What code may do that cannot be read.
    pub const ALL: Changes = Changes {
        catalog: true,
        settings: true,
        names: true,
        rules: true,
        undoes: true,
        ends: true,
        transaction: true,
    };
    /// The catalog alone.
    pub const CATALOG: Changes = Changes { catalog: true, ..Changes::NONE };
    /// The settings alone.
    pub const SETTINGS: Changes = Changes { settings: true, ..Changes::NONE };
    /// Prepared statements and cursors alone.
    pub const NAMES: Changes = Changes { names: true, ..Changes::NONE };
    const NONE: Changes = Changes {
        catalog: false,
        settings: false,
        names: false,
        rules: false,
        undoes: false,
        ends: false,
        transaction: false,
    };
}

impl std::ops::BitOrAssign for Changes {
    fn bitor_assign(&mut self, other: Changes) {
        let Changes { catalog, settings, names, rules, undoes, ends, transaction } = other;
        self.catalog |= catalog;
        self.settings |= settings;
        self.names |= names;
        self.rules |= rules;
        self.undoes |= undoes;
        self.ends |= ends;
        self.transaction |= transaction;
    }
}

/// What a statement answers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outputs {
    /// No rows.
    Nothing,
    /// Rows of exactly these columns.
    Columns(Vec<Lineage>),
    /// Rows of columns whose number nobody knows; each may come from this.
    Open(Lineage),
    /// Rows that an earlier statement's cursor was opened for.
    Fetched,
    /// Rows that may hold anything.
    Unknown,
    /// A stream without row description: COPY to the client.
    Stream(Stream),
}

/// Where a value comes from. Each of these columns is an effect `sql.read` of the analysis.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lineage {
    /// The column that it is, unchanged; a view's column and those under it are several names of one value.
    pub exact: Vec<Arc<ColumnName>>,
    /// The columns that it was computed from, or that a condition ties it to.
    pub derived: Vec<Arc<ColumnName>>,
    /// Whether it may hold anything.
    pub unknown: bool,
    /// Whether it is, or was computed from, what a system relation holds beside the database's form: passwords, texts of other
    /// sessions, values of tables. It is no effect of its own: who may not say what nobody can read gets it redacted.
    pub withheld: bool,
}

impl Outputs {
    /// Whether what it answers with holds something that is withheld.
    fn withholds(&self) -> bool {
        match self {
            Outputs::Nothing | Outputs::Fetched | Outputs::Unknown => false,
            Outputs::Columns(columns) => columns.iter().any(|column| column.withheld),
            Outputs::Open(lineage) => lineage.withheld,
            Outputs::Stream(stream) => match &stream.rows {
                Streamed::Columns(columns) => columns.iter().any(|column| column.lineage.withheld),
                Streamed::Open(lineage) => lineage.withheld,
            },
        }
    }
}

impl Analysis {
    /// Whether what it answers with, now or by a name that it gives, holds something of the system's that is withheld.
    pub fn withholds(&self) -> bool {
        self.outputs.iter().chain(self.named.iter()).any(Outputs::withholds)
    }

    /// Of something that is not a statement.
    pub fn of_operation(effect: Effect) -> Self {
        Analysis {
            gives_away: effect.action == Action::SqlUnknown,
            fingerprint: "".into(),
            statements: 1,
            effects: Arc::new([effect]),
            outputs: Arc::new([Outputs::Unknown]),
            named: Arc::new([]),
            runs: Arc::new([]),
            renames: Arc::new([]),
            sensitive: true,
            doubtful: false,
            late: false,
            parses_by_code: true,
            literals_sensitive: true,
            parameters: Arc::new([]),
            changes: Changes::default(),
            copies_in: false,
        }
    }

    /// Of a text that does the one or the other, and nobody knows which: unknown, and whatever both do.
    pub fn either(&self, other: &Analysis) -> Self {
        let mut changes = self.changes;
        changes |= other.changes;
        changes.names |= self.renames != other.renames;
        let unknown = Effect {
            action: Action::SqlUnknown,
            object: Object::Resource,
            tags: Tags::default(),
            facts: Facts::default(),
        };
        let mut effects: Vec<Effect> = self.effects.iter().chain(other.effects.iter()).cloned().collect();
        effects.push(unknown);
        effects.sort();
        effects.dedup();
        let known = self.parameters.len().min(other.parameters.len());
        let parameters = self.parameters.iter().zip(other.parameters.iter()).take(known);
        Analysis {
            fingerprint: Arc::clone(&self.fingerprint),
            statements: self.statements.max(other.statements),
            effects: effects.into(),
            outputs: if self.outputs == other.outputs {
                Arc::clone(&self.outputs)
            } else {
                Arc::new([Outputs::Unknown])
            },
            named: Arc::new([]),
            runs: self.runs.iter().chain(other.runs.iter()).cloned().collect(),
            renames: Arc::clone(&self.renames),
            sensitive: true,
            doubtful: self.doubtful || other.doubtful,
            late: self.late || other.late,
            parses_by_code: self.parses_by_code || other.parses_by_code,
            literals_sensitive: self.literals_sensitive || other.literals_sensitive,
            parameters: parameters.map(|(one, other)| *one || *other).collect(),
            changes,
            gives_away: self.gives_away || other.gives_away,
            copies_in: self.copies_in || other.copies_in,
        }
    }
}

/// Where a text's literals are, quotes included, in order.
pub fn literals(text: &[u8]) -> Vec<Range<usize>> {
    literal::scan(text).literals.iter().map(|piece| piece.range().clone()).collect()
}

/// A statement's text without its literals, for the recording.
pub fn without_literals(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for literal in literals(text.as_bytes()) {
        let Some(before) = text.get(from..literal.start) else { return HIDDEN.to_owned() };
        out.push_str(before);
        out.push_str(HIDDEN);
        from = literal.end;
    }
    match text.get(from..) {
        // A replacement character may stand for what ended a literal.
        Some(rest) if !text.contains('\u{fffd}') => out.push_str(rest),
        _ => return HIDDEN.to_owned(),
    }
    out
}

/// Why no text can be read as a server of this version (`server_version_num`) reads it, where that is so.
pub fn unread_version(version: u32) -> Option<String> {
    let known = postgres::Server::new(version).is_known();
    (!known).then(|| {
        let (first, last) = (postgres::KNOWN.start(), postgres::KNOWN.end());
        let major = version / 10_000;
        format!(
            "PostgreSQL {major} may read statements otherwise than {first} to {last}: every statement is sql.unknown"
        )
    })
}

/// How often copies of copies are followed when tags are handed on.
const MAX_COPIES: usize = 16;

/// Gives columns that show what other columns hold their tags: those of materialised views, generated ones, and those of parents.
pub fn inherit_tags(catalog: &mut Catalog) {
    for _ in 0..MAX_COPIES {
        catalog.finish();
        let mut changed = false;
        for (relation, at, tags) in flow::copied_tags(catalog) {
            let column = catalog.relations.get_mut(&relation).and_then(|relation| relation.columns.get_mut(at));
            if let Some(column) = column {
                let all = column.tags.union(&tags);
                changed |= all != column.tags;
                column.tags = all;
            }
        }
        if !changed {
            return;
        }
    }
    // They go round in circles, or further than anyone follows.
    catalog.complete = false;
}

/// What stands for a literal that the recording must not hold.
const HIDDEN: &str = "'***'";
