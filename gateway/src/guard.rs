//! The one door that every command passes: analyse, decide, record; and only then forward.

use std::sync::Arc;

use crate::access::{Action, Name, Object};
use crate::mask::Plan;
use crate::record::CommandId;
use crate::sql::{Analysis, Catalog, Settings};

/// A statement as it stands on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Statement<'a> {
    /// Its bytes, without the terminating zero. Not UTF-8: `sql.unknown`.
    pub text: &'a [u8],
    /// The session's settings it will be read under.
    pub settings: &'a Settings,
    /// What is known of the database.
    pub catalog: &'a Arc<Catalog>,
}

/// A statement that was analysed: what the extended protocol prepares, and what a simple query is made of.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The text, lossily decoded where it is not UTF-8.
    pub text: Arc<str>,
    /// What it does.
    pub analysis: Arc<Analysis>,
}

/// A bound parameter's value.
#[derive(Clone, Copy, Debug)]
pub enum Parameter<'a> {
    /// NULL.
    Null,
    /// In text format.
    Text(&'a [u8]),
    /// In binary format.
    Binary(&'a [u8]),
}

/// What happens to a command.
#[derive(Debug)]
pub enum Verdict {
    /// Send it on, after `Guard::commit`, and apply the plan to its results.
    Forward {
        /// Its number, for `Guard::finished`.
        command: CommandId,
        /// What happens to its results.
        plan: Arc<Plan>,
    },
    /// Answer with the protocol's own error; nothing reaches the server.
    Block(Refusal),
    /// Nothing reaches the server until enough people agreed.
    Hold(Refusal),
}

/// Why a command was not forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its number.
    pub command: CommandId,
    /// A sentence for the workload's author.
    pub reason: String,
    /// The ids of the policies behind it; empty: nothing permitted it.
    pub policies: Vec<Name>,
    /// The action that was refused.
    pub action: Action,
}

/// How a forwarded command ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The server's command tag, `SELECT 3`; empty where there was none.
    pub tag: String,
    /// Rows that reached the workload.
    pub rows: u64,
    /// Bytes of results that reached the workload.
    pub bytes: u64,
    /// The server's SQLSTATE where it failed.
    pub error: Option<String>,
    /// How many of the rows' values were masked.
    pub masked: u64,
}

/// A session's door. Stays on its session's core.
#[derive(Debug)]
pub struct Guard {}

impl Guard {
    /// Analyses a statement, from the core's cache where it can.
    pub fn prepare(&mut self, _statement: Statement<'_>) -> Prepared {
        unimplemented!()
    }

    /// Decides on a prepared statement and records command and verdict; `Guard::commit` makes the record durable.
    /// To be asked again at every execution: policy and time may have changed.
    pub fn execute(&mut self, _prepared: &Prepared, _parameters: &[Parameter<'_>], _in_transaction: bool) -> Verdict {
        unimplemented!()
    }

    /// Decides on something that is not a statement: replication, a function call by OID, an unlisted connection.
    pub fn operation(&mut self, _action: Action, _object: Object, _text: &str, _in_transaction: bool) -> Verdict {
        unimplemented!()
    }

    /// Puts everything decided since the last call into the page cache. An error stops the session: nothing decided
    /// since may be forwarded.
    ///
    /// # Errors
    /// The recording cannot be written.
    pub fn commit(&mut self) -> Result<(), CommitError> {
        unimplemented!()
    }

    /// Records how a forwarded command ended.
    pub fn finished(&mut self, _command: CommandId, _outcome: Outcome) {
        unimplemented!()
    }

    /// Decides whether the connection may be made at all; to be asked once, before any upstream byte.
    ///
    /// # Errors
    /// It may not, or nobody permits it.
    pub fn connect(&mut self, _server_name: Option<&str>) -> Result<(), Refusal> {
        unimplemented!()
    }

    /// Ends the session's recording.
    pub fn close(&mut self) {
        unimplemented!()
    }

    /// Records something about the session that an auditor has to know, and logs it: a protocol error, a masked value that could not be, how the
    /// workload authenticated.
    pub fn note(&mut self, _what: &str) {
        unimplemented!()
    }
}

/// The recording cannot be written; the message says why and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CommitError(pub String);
