//! What was made out once of the catalog's texts, and how much was looked through: for the walk of a statement and for those of
//! the bodies in it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use super::procedural::Done;
use crate::sql::postgres::{Body, Program, is_shallow};

/// How a body in PL/pgSQL is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Run {
    /// The function's OID.
    pub(super) function: u32,
    /// That of the relation that a trigger's is of.
    pub(super) relation: u32,
    /// Whether it may be run for one value after another.
    pub(super) repeated: bool,
}

#[derive(Debug, Default)]
pub(super) struct Memo {
    /// Texts of the catalog's that were come to.
    pub(super) programs: Texts<Program>,
    /// Bodies in PL/pgSQL.
    pub(super) bodies: Texts<Body>,
    /// What those do.
    done: RefCell<HashMap<Run, Done>>,
    /// How much was looked through.
    pub(super) steps: Cell<usize>,
}

impl Memo {
    pub(super) fn done(&self, run: Run) -> Option<Done> {
        self.done.borrow().get(&run).cloned()
    }

    pub(super) fn keep_done(&self, run: Run, done: &Done) {
        self.done.borrow_mut().insert(run, done.clone());
    }
}

/// What texts say, where they can be read: for most parsed once however often they are come to.
#[derive(Debug)]
pub(super) struct Texts<T>(RefCell<HashMap<Box<str>, Option<Rc<T>>>>);

impl<T> Default for Texts<T> {
    fn default() -> Self {
        Texts(RefCell::default())
    }
}

impl<T> Texts<T> {
    /// What a text says; `key`: what it is found by, where it can be read in several ways.
    pub(super) fn read(&self, key: &str, text: &str, parse: impl FnOnce() -> Option<T>) -> Option<Rc<T>> {
        if let Some(known) = self.0.borrow().get(key) {
            return known.clone();
        }
        let read = parse().map(Rc::new);
        // A deep tree is dropped where it is read, on a stack that fits it.
        if is_shallow(text) {
            self.0.borrow_mut().insert(key.into(), read.clone());
        }
        read
    }
}
