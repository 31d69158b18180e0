//! The two front-ends held against each other: PostgreSQL's own grammar, which decides, and the one for other dialects with
//! PostgreSQL's dialect. Nothing but tests calls this.

mod known;
#[cfg(test)]
mod tests;

use super::form::{Inner, Quoted, Statement};
use super::generic::{self, Postgres};
use super::literal::depth;
use super::postgres::{self, Program, Server};
use super::{Analysis, Catalog, Settings, flow};
use crate::access::Action;

/// The version of the grammar.
const NEWEST: u32 = 180_000;

/// The longest text that is looked at, in bytes.
const MAX_TEXT: usize = 1024 * 1024;

/// The deepest that it may nest.
const MAX_DEPTH: usize = 10_000;

/// What parsing and comparing at that depth need of the stack, in bytes.
const STACK: usize = 128 * 1024 * 1024;

/// What becomes of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// PostgreSQL's grammar refuses it.
    Invalid,
    /// The other parser refuses it.
    Unread,
    /// Both lower it into one and the same form.
    Same,
    /// Their forms differ in what decides nothing: every name in them, and all that the analysis says, is the same.
    Alike,
    /// The other front-end says that it has no word for this, so that the text is unknown to it.
    Opaque(&'static str),
    /// They differ, for a reason that is known.
    Known(&'static str),
    /// They differ: how.
    Different(String),
}

/// The reasons of the differences that are known.
pub fn reasons() -> impl Iterator<Item = &'static str> {
    known::reasons()
}

/// Reads a text by both.
pub fn compare(text: &str) -> Comparison {
    if text.len() > MAX_TEXT || depth(text.as_bytes()) > MAX_DEPTH {
        return Comparison::Invalid;
    }
    stacker::maybe_grow(STACK, STACK.saturating_add(1024 * 1024), || compared(text))
}

fn compared(text: &str) -> Comparison {
    let Some(mut decides) = postgres::lower(text, Server::new(NEWEST)) else { return Comparison::Invalid };
    let Some(other) = generic::lower(text, &Postgres) else { return Comparison::Unread };
    decides.statements.iter_mut().for_each(plain);
    if decides.statements == other.statements && decides.parameters == other.parameters {
        return Comparison::Same;
    }
    let catalog = Catalog { complete: true, version: NEWEST, ..Catalog::default() };
    let told = |program: &Program| flow::told(program, "", &catalog, &Settings::default(), &[]);
    let opaque = other.opaque.first().copied();
    let other = Program {
        columns: Vec::new(),
        statements: other.statements,
        parameters: other.parameters,
        shape_decides: false,
        calls: other.calls,
    };
    let (one, two) = (told(&decides), told(&other));
    if let Some(what) = opaque {
        let unknown = two.effects.iter().any(|effect| effect.action == Action::SqlUnknown);
        return if unknown {
            Comparison::Opaque(what)
        } else {
            Comparison::Different(format!("what it has no word for ({what}) is not unknown"))
        };
    }
    let (form, form_of_other) = (format!("{:?}", decides.statements), format!("{:?}", other.statements));
    let names = |form: &str| {
        let mut names = quoted(form);
        names.sort();
        names
    };
    if names(&form) == names(&form_of_other) && says_the_same(&one, &two) {
        return Comparison::Alike;
    }
    match known::reason(&form, &form_of_other) {
        Some(reason) => Comparison::Known(reason),
        None => Comparison::Different(difference(&decides.statements, &other.statements)),
    }
}

/// The statements of a script, by PostgreSQL's own scanner.
pub fn split(script: &str) -> Vec<String> {
    match pg_query::split_with_scanner(script) {
        Ok(statements) => statements.into_iter().map(str::to_owned).collect(),
        Err(_) => Vec::new(),
    }
}

/// Leaves out what the other front-end has no word for: what names stand for afterwards, how a stream is written, what
/// definitions plug in and compute, the types that they are of and that their literals are read as, whether they look at rows, and what keys, indexes and plans
/// tell.
fn plain(statement: &mut Statement) {
    match statement {
        Statement::Act(act) => {
            act.inner.as_deref_mut().into_iter().for_each(plain);
            act.plugs.clear();
            act.types.clear();
            act.refers.clear();
            act.orders.clear();
            act.rewrites.clear();
            act.bounds.clear();
            act.retypes.clear();
            act.ran = false;
            act.gives = super::form::Gives::Any;
            act.reads = super::form::Reads::Nothing;
            (act.touches, act.renames, act.adds, act.rowless) = (None, None, false, false);
            if !act.namings.is_empty() {
                act.namings.clear();
                act.computes.clear();
                act.changes.names = true;
                if act.becomes == Inner::Prepared {
                    act.becomes = Inner::Named;
                }
            }
        }
        Statement::Copy(copy) => (copy.written, copy.quoted) = (None, Quoted::No),
        _ => {}
    }
}

fn says_the_same(one: &Analysis, other: &Analysis) -> bool {
    one.statements == other.statements
        && one.effects == other.effects
        && one.outputs == other.outputs
        && one.named == other.named
        && one.parameters.len() == other.parameters.len()
        && one.changes == other.changes
        && one.copies_in == other.copies_in
}

/// Every name in a form that is printed: relations, columns, functions, operators, types, aliases.
fn quoted(form: &str) -> Vec<String> {
    form.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The first lines in which two forms differ.
fn difference(one: &[Statement], other: &[Statement]) -> String {
    let (one, other) = (format!("{one:#?}"), format!("{other:#?}"));
    let at = one.lines().zip(other.lines()).position(|(one, other)| one != other).unwrap_or(0);
    let around = |text: &str| {
        let lines = text.lines().skip(at.saturating_sub(4)).take(12);
        lines.map(str::trim).collect::<Vec<_>>().join(" ")
    };
    format!("{} <> {}", around(&one), around(&other))
}
