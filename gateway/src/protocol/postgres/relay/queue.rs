//! What the server still owes: one entry for each message that it answers, in the order in which it will.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::BytesMut;

use super::errors::Candour;
use super::message::Bound;
use super::rows::Columns;
use crate::guard::Outcome;
use crate::mask::Plan;
use crate::record::CommandId;

/// A command on its way, and what has come of it.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) command: CommandId,
    pub(super) plan: Arc<Plan>,
    pub(super) candour: Candour,
    pub(super) outcome: Outcome,
    /// Whether the catalog may be another afterwards.
    pub(super) changes_catalog: bool,
    /// Whether the settings may be others afterwards.
    pub(super) changes_settings: bool,
    /// Whether prepared statements may be others afterwards.
    pub(super) renames: bool,
}

/// A statement as a Parse made it. It is analysed when it is executed: what its names stand for may change until then.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) text: Arc<[u8]>,
}

/// A portal as a Bind made it.
#[derive(Clone, Debug)]
pub(super) struct Portal {
    /// Absent: bound to a statement that no Parse of this session made.
    pub(super) statement: Option<Statement>,
    pub(super) parameters: Arc<[Bound]>,
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
    /// For a FunctionCall: anything up to ReadyForQuery.
    Function(Box<Running>),
}

/// How many answers may be outstanding before the client has to wait.
pub(super) const MAX_OWED: usize = 4096;

/// How many statements and portals a session may have by name.
pub(super) const MAX_NAMES: usize = 16_384;

/// Everything that is outstanding, and what was made by name before.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) owed: VecDeque<Owed>,
    pub(super) statements: HashMap<Box<[u8]>, Statement>,
    pub(super) portals: HashMap<Box<[u8]>, Portal>,
    /// The columns of the Execute whose rows come now.
    pub(super) columns: Option<Columns>,
}

impl Queue {
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

    /// Forgets statements by name: they may have been made anew by SQL's own PREPARE.
    pub(super) fn forget(&mut self) {
        self.statements.clear();
        self.portals.clear();
    }
}
