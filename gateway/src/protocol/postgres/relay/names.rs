//! What the session's names stand for: statements and portals, whether a message of the protocol made them or SQL's own PREPARE
//! and DECLARE. The server keeps both in one place each.

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

use super::Relay;
use super::message::is_usable_name;
use super::queue::{Namespace, Owed, Portal, Queue, Statement};
use crate::access::Name;
use crate::guard::{self, Prepared};
use crate::sql::{Named, Rename, Space};

/// How many names may be in doubt before all are.
const MAX_DOUBTS: usize = 1024;

/// Names that may stand for something that nobody here knows.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    names: HashSet<(Namespace, Box<[u8]>)>,
    /// Whether every statement's name may, and every portal's.
    statements: bool,
    portals: bool,
}

impl Doubts {
    /// Whether a name that is not known may stand for something.
    pub(super) fn contains(&self, namespace: Namespace, name: &[u8]) -> bool {
        self.all(namespace) || !is_usable_name(name) || self.names.contains(&(namespace, name.into()))
    }

    fn all(&self, namespace: Namespace) -> bool {
        match namespace {
            Namespace::Statements => self.statements,
            Namespace::Portals => self.portals,
        }
    }

    fn set_all(&mut self, namespace: Namespace, doubt: bool) {
        self.names.retain(|(of, _)| *of != namespace);
        *(match namespace {
            Namespace::Statements => &mut self.statements,
            Namespace::Portals => &mut self.portals,
        }) = doubt;
    }

    fn insert(&mut self, namespace: Namespace, name: &[u8]) {
        if self.names.len() >= MAX_DOUBTS {
            self.set_all(namespace, true);
        } else {
            self.names.insert((namespace, name.into()));
        }
    }

    fn remove(&mut self, namespace: Namespace, name: &[u8]) {
        if !self.names.is_empty() {
            self.names.remove(&(namespace, name.into()));
        }
    }
}

/// What a statement that is on its way does to a name.
#[derive(Debug)]
pub(super) struct Renaming {
    /// Its number within its text.
    statement: usize,
    namespace: Namespace,
    /// Absent: every name.
    name: Option<Box<[u8]>>,
    becomes: Becomes,
}

/// What a name stands for afterwards.
#[derive(Debug)]
enum Becomes {
    Nothing,
    Statement(Statement),
    Portal(Portal),
    /// Something, and nobody knows what.
    Unknown,
}

fn namespace(space: Space) -> Namespace {
    match space {
        Space::Statements => Namespace::Statements,
        Space::Cursors => Namespace::Portals,
    }
}

impl Queue {
    /// Code ran that may have done anything with names. It cannot name what has an empty one.
    pub(super) fn forget(&mut self) {
        self.statements.retain(|name, _| name.is_empty());
        self.portals.retain(|name, _| name.is_empty());
        self.doubts.set_all(Namespace::Statements, true);
        self.doubts.set_all(Namespace::Portals, true);
    }

    pub(super) fn prepared(&mut self, name: Box<[u8]>, statement: Statement) {
        self.doubts.remove(Namespace::Statements, &name);
        self.statements.insert(name, statement);
    }

    pub(super) fn bound(&mut self, name: Box<[u8]>, portal: Portal) {
        self.doubts.remove(Namespace::Portals, &name);
        self.portals.insert(name, portal);
    }

    pub(super) fn closed(&mut self, namespace: Namespace, name: &[u8]) {
        self.doubts.remove(namespace, name);
        self.take_out(namespace, name);
    }

    /// Whether the server is still to say whether a name of the protocol's was made or closed.
    pub(super) fn has_names_on_their_way(&self) -> bool {
        self.owed.iter().any(|owed| match owed {
            Owed::Parse { name, .. } | Owed::Bind { name, .. } | Owed::Close { name, .. } => !name.is_empty(),
            _ => false,
        })
    }

    fn take_out(&mut self, namespace: Namespace, name: &[u8]) {
        match namespace {
            Namespace::Statements => drop(self.statements.remove(name)),
            Namespace::Portals => drop(self.portals.remove(name)),
        }
    }

    fn clear(&mut self, namespace: Namespace) {
        match namespace {
            // The one without a name is not SQL's.
            Namespace::Statements => self.statements.retain(|name, _| name.is_empty()),
            Namespace::Portals => self.portals.clear(),
        }
    }

    /// A statement was run that does this.
    fn rename(&mut self, renaming: Renaming) {
        let Renaming { namespace, name, becomes, .. } = renaming;
        let Some(name) = name else {
            self.clear(namespace);
            self.doubts.set_all(namespace, false);
            return;
        };
        match becomes {
            Becomes::Nothing => self.closed(namespace, &name),
            Becomes::Statement(statement) => self.prepared(name, statement),
            Becomes::Portal(portal) => self.bound(name, portal),
            Becomes::Unknown => {
                self.take_out(namespace, &name);
                self.doubts.insert(namespace, &name);
            }
        }
    }

    /// A statement failed that would have done this: names do not follow transactions, so it may have.
    fn rename_failed(&mut self, renaming: &Renaming) {
        let Renaming { namespace, name, becomes, .. } = renaming;
        let Some(name) = name else {
            self.clear(*namespace);
            self.doubts.set_all(*namespace, true);
            return;
        };
        let known = match namespace {
            Namespace::Statements => self.statements.contains_key(name),
            Namespace::Portals => self.portals.contains_key(name),
        };
        // A name that stands for something is given to nothing else.
        if !known || matches!(becomes, Becomes::Nothing) {
            self.take_out(*namespace, name);
            self.doubts.insert(*namespace, name);
        }
    }
}

impl Relay {
    /// What a text does that is said now, and what it runs by name with it.
    pub(super) fn resolved(&mut self, prepared: Rc<Prepared>) -> Rc<Prepared> {
        if prepared.analysis.runs.is_empty() {
            return prepared;
        }
        let runs = Arc::clone(&prepared.analysis.runs);
        let named: Vec<((Space, Name), Named)> =
            runs.iter().map(|(space, name)| ((*space, Arc::clone(name)), self.named(*space, name))).collect();
        self.session.guard.resolve(&prepared, &named)
    }

    /// What a name stands for when the server comes to a text that is said now.
    fn named(&mut self, space: Space, name: &str) -> Named {
        let (namespace, name) = (namespace(space), name.as_bytes());
        if !is_usable_name(name) || self.queue.unsettled > 0 || self.queue.uncertain(namespace, name) {
            return Named::Unknown;
        }
        let found = match namespace {
            Namespace::Statements => {
                self.queue.statement(name).map(|made| (made.readable, made.prepared.value.clone()))
            }
            Namespace::Portals => self.queue.portal(name).map(|made| (made.readable, made.prepared.clone())),
        };
        match found {
            None if self.queue.doubts.contains(namespace, name) => Named::Unknown,
            None => Named::Absent,
            // What runs another is not followed further.
            Some((readable, made)) if readable && made.analysis.runs.is_empty() => {
                let (catalog, settings) = self.view();
                let same = self.session.guard.is_same(&made, &catalog, &settings);
                if same { Named::Text(Arc::clone(&made.text)) } else { Named::Unknown }
            }
            Some(_) => Named::Unknown,
        }
    }

    /// What a text will have done to names, that is about to be sent.
    pub(super) fn renamings(&mut self, prepared: &Prepared) -> Vec<Renaming> {
        let renames = Arc::clone(&prepared.analysis.renames);
        renames.iter().map(|rename| self.renaming(rename)).collect()
    }

    fn renaming(&mut self, rename: &Rename) -> Renaming {
        let namespace = namespace(rename.space);
        let becomes = match &rename.made {
            None => Becomes::Nothing,
            // What the server makes of such a name is not known.
            Some(_) if rename.name.as_deref().is_none_or(|name| !is_usable_name(name.as_bytes())) => Becomes::Unknown,
            Some(made) => {
                made.text.as_deref().and_then(|text| self.made(namespace, text, made.holds)).unwrap_or(Becomes::Unknown)
            }
        };
        let name = rename.name.as_deref().map(|name| name.as_bytes().into());
        Renaming { statement: rename.statement, namespace, name, becomes }
    }

    /// Absent: the session keeps as much as it may.
    fn made(&mut self, namespace: Namespace, text: &str, holds: bool) -> Option<Becomes> {
        let (catalog, settings) = self.view();
        let statement = guard::Statement { text: text.as_bytes(), settings: &settings, catalog: &catalog };
        let prepared = self.session.guard.prepare(statement);
        let size = text.len().saturating_mul(2);
        Some(match namespace {
            Namespace::Statements => {
                Becomes::Statement(Statement { readable: true, prepared: self.queue.hold(prepared, size)? })
            }
            Namespace::Portals => {
                let parameters: Rc<_> = self.queue.hold(Box::default(), size)?;
                Becomes::Portal(Portal { readable: true, prepared, parameters, holds })
            }
        })
    }

    /// The statement with that number of the command that is answered now succeeded.
    pub(super) fn rename(&mut self, statement: usize) {
        for renaming in self.take_renamings(statement) {
            self.queue.rename(renaming);
        }
    }

    /// It failed.
    pub(super) fn rename_failed(&mut self) {
        let Some(statement) = self.running().map(|running| running.statement) else { return };
        for renaming in self.take_renamings(statement) {
            self.queue.rename_failed(&renaming);
        }
    }

    fn take_renamings(&mut self, statement: usize) -> Vec<Renaming> {
        match self.queue.owed.front_mut() {
            Some(Owed::Query(running) | Owed::Execute(running)) if !running.renames.is_empty() => {
                let (now, rest) =
                    std::mem::take(&mut running.renames).into_iter().partition(|one| one.statement == statement);
                running.renames = rest;
                now
            }
            _ => Vec::new(),
        }
    }
}
