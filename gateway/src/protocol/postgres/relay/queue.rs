//! What the server still owes: one entry for each message that it answers, in the order in which it will.

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;

use super::client::{reads_by_code, runs_code};
use super::errors::Candour;
use super::message::Bound;
use super::names::{Doubts, Renaming};
use super::rows::Columns;
use super::stream::Stream;
use crate::guard::{Outcome, Prepared};
use crate::mask::Plan;
use crate::record::CommandId;
use crate::sql::Changes;

/// A command on its way, and what has come of it.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) command: CommandId,
    pub(super) plan: Arc<Plan>,
    pub(super) candour: Candour,
    pub(super) outcome: Outcome,
    /// How many of its statements have been answered.
    pub(super) statement: usize,
    /// Whether the server may ask for COPY data.
    pub(super) copies_in: bool,
    /// Whether the server has said how it ended, or at least one of its statements.
    pub(super) answered: bool,
    /// What was decided on, and when.
    pub(super) asked: Asked,
    /// Whether it was seen to be that still, when its result came.
    pub(super) verified: bool,
    /// What may be different afterwards. Of other rules to read texts by, the server tells with the next ReadyForQuery.
    pub(super) changes: Changes,
    /// Whether what names mean is only known when it is over.
    pub(super) unsettles: bool,
    /// What its statements do to names when they succeed, in order.
    pub(super) renames: Vec<Renaming>,
}

/// A command as it was decided on.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) prepared: Rc<Prepared>,
    pub(super) at: Instant,
    /// How often sessions had changed the names of sensitive objects.
    pub(super) renamings: u64,
}

/// A statement as a Parse made it. What its names stand for may change until it is bound: it is analysed again then.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    /// Whether the server read it by the rules of the gateway's parser.
    pub(super) readable: bool,
    pub(super) prepared: Rc<Held<Rc<Prepared>>>,
}

/// A portal as a Bind made it, or a DECLARE. The server plans it then, and what its plan calls it looks up when it runs.
#[derive(Clone, Debug)]
pub(super) struct Portal {
    /// Whether the server read its text by the rules of the gateway's parser.
    pub(super) readable: bool,
    pub(super) prepared: Rc<Prepared>,
    pub(super) parameters: Rc<Held<Box<[Bound]>>>,
    /// Whether it is kept when its transaction ends.
    pub(super) holds: bool,
}

/// Something that is kept for the client, and counted for as long as it is.
#[derive(Debug)]
pub(super) struct Held<T> {
    pub(super) value: T,
    size: usize,
    total: Rc<Cell<usize>>,
}

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        self.total.set(self.total.get().saturating_sub(self.size));
    }
}

/// What the server owes for one message.
#[derive(Debug)]
pub(super) enum Owed {
    /// For a Query: anything up to ReadyForQuery.
    Query(Box<Running>),
    /// For a Parse.
    Parse { name: Box<[u8]>, statement: Statement },
    /// For a Bind.
    Bind { name: Box<[u8]>, portal: Portal },
    /// For a Describe: ParameterDescription if it was of a statement, then RowDescription or NoData.
    Describe,
    /// For a Describe of the gateway's own: the columns of the Execute that follows.
    Columns,
    /// For an Execute.
    Execute(Box<Running>),
    /// For a Close.
    Close { statement: bool, name: Box<[u8]> },
    /// For a Sync.
    Sync,
    /// For a message of the gateway's own that fails, so that the transaction fails: this is said instead.
    Poison { error: BytesMut, simple: bool },
    /// For a message of the gateway's own in the place of one that was refused: only if the server has nothing against it,
    /// `error` is said.
    Trial { error: BytesMut },
    /// For a FunctionCall: anything up to ReadyForQuery.
    Function(Box<Running>),
}

impl Owed {
    /// Whether an error before it ends here: what comes later is read by the server again.
    fn ends_batch(&self) -> bool {
        matches!(self, Owed::Sync | Owed::Query(_) | Owed::Function(_) | Owed::Poison { simple: true, .. })
    }
}

/// Which names are meant: statements and portals have their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Namespace {
    Statements,
    Portals,
}

/// How many answers may be outstanding before the client has to wait.
pub(super) const MAX_OWED: usize = 4096;

/// How many statements and portals a session may have by name.
const MAX_NAMES: usize = 16_384;

/// How much the statements and parameters of a session may take, in bytes.
const MAX_HELD: usize = 128 * 1024 * 1024;

/// What is counted for each thing that is kept, beside its own bytes.
const OVERHEAD: usize = 512;

/// Everything that is outstanding, and what was made by name before.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) owed: VecDeque<Owed>,
    pub(super) statements: HashMap<Box<[u8]>, Statement>,
    pub(super) portals: HashMap<Box<[u8]>, Portal>,
    /// The columns of the Execute whose rows come now.
    pub(super) columns: Option<Columns>,
    /// The data that comes now.
    pub(super) stream: Stream,
    held: Rc<Cell<usize>>,
    /// What names may stand for that is not above.
    pub(super) doubts: Doubts,
    /// How many commands that may change what names mean are outstanding.
    pub(super) unsettled: usize,
}

impl Queue {
    /// Whether a name's meaning depends on an answer that is outstanding. A message that fails takes the rest of its batch with
    /// it, so within one a name is what the batch made it; beyond, the server may have kept an older one.
    pub(super) fn uncertain(&self, namespace: Namespace, name: &[u8]) -> bool {
        let mut later = false;
        for owed in self.owed.iter().rev() {
            later |= owed.ends_batch();
            let touches = match owed {
                Owed::Parse { name: made, .. } => namespace == Namespace::Statements && **made == *name,
                Owed::Bind { name: made, .. } => namespace == Namespace::Portals && **made == *name,
                Owed::Close { statement, name: closed } => {
                    *statement == (namespace == Namespace::Statements) && **closed == *name
                }
                _ => false,
            };
            if later && touches {
                return true;
            }
        }
        false
    }

    /// Whether the server is still to read a text, beside the one that it runs, that was taken to be read as here.
    pub(super) fn has_readable_texts(&self) -> bool {
        let mut later = self.owed.iter().skip(1);
        later.any(|owed| {
            matches!(owed, Owed::Query(_) | Owed::Parse { statement: Statement { readable: true, .. }, .. })
        })
    }

    /// Whether a command is outstanding that may change how texts are read.
    pub(super) fn changes_rules(&self) -> bool {
        self.owed.iter().any(|owed| match owed {
            Owed::Query(running) | Owed::Execute(running) | Owed::Function(running) => running.changes.rules,
            _ => false,
        })
    }

    /// Whether a command is outstanding that can run code that nobody has read.
    pub(super) fn runs_code(&self) -> bool {
        self.owed.iter().any(|owed| match owed {
            Owed::Query(running) | Owed::Execute(running) | Owed::Function(running) => {
                runs_code(&running.asked.prepared.analysis)
            }
            Owed::Bind { portal, .. } => runs_code(&portal.prepared.analysis),
            Owed::Parse { statement, .. } => reads_by_code(&statement.prepared.value.analysis),
            _ => false,
        })
    }

    /// Whether a command is outstanding that can reach sensitive columns.
    pub(super) fn is_exposed(&self) -> bool {
        self.owed.iter().any(|owed| match owed {
            Owed::Query(running) | Owed::Execute(running) | Owed::Function(running) => {
                running.candour != Candour::Whole
            }
            // It is planned then: the server may try functions on the values that its statistics hold.
            Owed::Bind { portal, .. } => portal.prepared.analysis.sensitive,
            // Literals are read then.
            Owed::Parse { statement, .. } => {
                let analysis = &statement.prepared.value.analysis;
                analysis.sensitive && reads_by_code(analysis)
            }
            _ => false,
        })
    }

    /// Whether a command is outstanding that may open or end a transaction block.
    pub(super) fn changes_transaction(&self) -> bool {
        self.owed.iter().any(|owed| match owed {
            Owed::Query(running) | Owed::Execute(running) | Owed::Function(running) => running.changes.transaction,
            _ => false,
        })
    }

    /// Counts `size` bytes for as long as `value` is kept; `None`: the session has as many as it may.
    pub(super) fn hold<T>(&self, value: T, size: usize) -> Option<Rc<Held<T>>> {
        let size = size.saturating_add(OVERHEAD);
        let total = self.held.get().saturating_add(size);
        if total > MAX_HELD || self.statements.len() >= MAX_NAMES || self.portals.len() >= MAX_NAMES {
            return None;
        }
        self.held.set(total);
        Some(Rc::new(Held { value, size, total: Rc::clone(&self.held) }))
    }

    /// The statement that a Bind of that name will find.
    pub(super) fn statement(&self, name: &[u8]) -> Option<&Statement> {
        for owed in self.owed.iter().rev() {
            match owed {
                Owed::Parse { name: made, statement } if **made == *name => return Some(statement),
                Owed::Close { statement: true, name: closed } if **closed == *name => return None,
                _ => {}
            }
        }
        self.statements.get(name)
    }

    /// The portal that an Execute of that name will find.
    pub(super) fn portal(&self, name: &[u8]) -> Option<&Portal> {
        for owed in self.owed.iter().rev() {
            match owed {
                Owed::Bind { name: made, portal } if **made == *name => return Some(portal),
                Owed::Close { statement: false, name: closed } if **closed == *name => return None,
                _ => {}
            }
        }
        self.portals.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_session_keeps_is_counted_and_given_back() {
        let queue = Queue::default();
        let kept = queue.hold((), MAX_HELD / 2).unwrap();
        assert!(queue.hold((), MAX_HELD / 2).is_none());
        let also = Rc::clone(&kept);
        drop(kept);
        assert!(queue.hold((), MAX_HELD / 2).is_none());
        drop(also);
        assert!(queue.hold((), MAX_HELD / 2).is_some());
    }
}
