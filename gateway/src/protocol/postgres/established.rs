//! What the start-up hands to the relay: two authenticated connections and what is known of them.

use super::cancel::Registration;
use super::catalog::Backend;
use super::wire::Wire;
use crate::access::Name;
use crate::session::Session;

/// The version that the workload speaks, as negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ProtocolVersion {
    /// 3.0, all servers and clients since PostgreSQL 7.4.
    V3_0,
    /// 3.2, PostgreSQL 18: cancel keys of other lengths.
    V3_2,
}

/// What kind of backend answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BackendKind {
    /// One that runs SQL.
    Ordinary,
    /// A WAL sender: also speaks replication commands. Policy permitted it.
    WalSender,
}

/// A session whose start-up is over: the client has been sent everything up to and including the first
/// ReadyForQuery, and the server waits for a message. What either peer sent beyond is in its `input`.
#[derive(Debug)]
pub(crate) struct Established {
    /// The workload's side.
    pub(crate) client: Wire,
    /// The resource's side.
    pub(crate) server: Wire,
    /// Who called, and the door.
    pub(crate) session: Session,
    /// What answers.
    pub(crate) kind: BackendKind,
    /// Which one: where the server is, and its process, if it said so.
    pub(crate) backend: Option<Backend>,
    /// The role that the server knows.
    pub(crate) role: Name,
    /// The database.
    pub(crate) database: Name,
    /// Whether the client's encoding is UTF-8.
    pub(crate) utf8: bool,
    /// Keeps the workload's cancel key valid; drop it when the session ends.
    pub(crate) cancel: Registration,
}
