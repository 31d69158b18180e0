//! How a start-up ends early: what the client is told, and what the recording and the log say.

use std::io;

use bytes::BytesMut;

use super::reply::{Fatal, sqlstate};
use super::wire::WireError;
use crate::guard::{CommitError, Refusal};

/// What the client is told.
#[derive(Debug)]
pub(super) enum Tell {
    /// Nothing: it is gone, or the protocol has no answer.
    Nothing,
    /// An error of the gateway's.
    Fatal(Fatal),
    /// The server's own ErrorResponse, whole.
    Verbatim(BytesMut),
}

/// Why a start-up ended. Neither part holds a secret.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) tell: Tell,
    /// For the recording and the log.
    pub(super) log: String,
}

impl Failure {
    /// The client is not told.
    pub(super) fn silent(log: impl Into<String>) -> Self {
        Failure { tell: Tell::Nothing, log: log.into() }
    }

    /// The client is told what the log says.
    pub(super) fn fatal(fatal: Fatal) -> Self {
        Failure { log: fatal.message().to_owned(), tell: Tell::Fatal(fatal) }
    }

    /// The log says more than the client is told.
    pub(super) fn logged(fatal: Fatal, log: impl Into<String>) -> Self {
        Failure { tell: Tell::Fatal(fatal), log: log.into() }
    }

    /// The client's own doing.
    pub(super) fn client(error: &WireError) -> Self {
        let log = format!("the client {}", predicate(error));
        match error {
            WireError::Io(_) | WireError::Closed | WireError::Truncated => Self::silent(log),
            WireError::Length { .. } => Self::logged(Fatal::protocol("invalid message length"), log),
        }
    }

    /// The server broke off or talked nonsense.
    pub(super) fn server(resource: &str, error: &WireError) -> Self {
        let log = format!("the server {}", predicate(error));
        let fatal = Fatal::new(
            sqlstate::CONNECTION_FAILURE,
            format!("the server of resource {resource:?} broke off the start-up: it {}", predicate(error)),
        );
        Self::logged(fatal, log)
    }

    /// The server sent what it may not.
    pub(super) fn server_protocol(resource: &str, what: impl std::fmt::Display) -> Self {
        Self::fatal(Fatal::protocol(format!("the server of resource {resource:?} broke the protocol: {what}")))
    }
}

fn predicate(error: &WireError) -> String {
    match error {
        WireError::Io(error) => format!("failed: {error}"),
        other => other.to_string(),
    }
}

impl From<Fatal> for Failure {
    fn from(fatal: Fatal) -> Self {
        Self::fatal(fatal)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::fatal(Fatal::refused(&refusal))
    }
}

impl From<CommitError> for Failure {
    fn from(error: CommitError) -> Self {
        Self::fatal(Fatal::new(sqlstate::SYSTEM_ERROR, error.0).hint("nothing passes the gateway that is not recorded"))
    }
}

/// Writing to the client failed.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::silent(format!("the client does not take an answer: {error}"))
    }
}
