//! What the daemon says of itself.

use serde::{Deserialize, Serialize};

/// The daemon's state, for people and programs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Whether commands of labelled workloads are forwarded where policy permits.
    pub serving: bool,
    /// The gateway's version.
    pub version: String,
    /// When the daemon started, RFC 3339.
    pub since: String,
    /// The configuration's path.
    pub config: String,
    /// Workloads by name.
    pub workloads: Vec<String>,
    /// Resources with the addresses that they have now.
    pub resources: Vec<ResourceStatus>,
    /// Addresses of more than one resource.
    pub contested: Vec<ContestedAddress>,
    /// How many policies hold.
    pub policies: usize,
    /// Sessions that run now.
    pub sessions: u64,
    /// Sessions since the start.
    pub sessions_opened: u64,
    /// Connections that were closed before they were sessions.
    pub refused: Vec<RefusedConnections>,
    /// Patterns of `[resources.X.sensitive]` that match nothing in a database that sessions have been on.
    pub unmatched: Vec<UnmatchedPattern>,
    /// What is known of the databases that sessions have been on.
    pub catalogs: Vec<CatalogStatus>,
    /// Why nothing can be recorded, and so nothing is forwarded.
    pub recorder: Option<String>,
    /// Why the last reload was not taken; what ran before still runs.
    pub reload: Option<String>,
    /// Programs, listeners and drops of the redirect layer, as it tells them.
    pub intercept: serde_json::Value,
}

/// A resource and where it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceStatus {
    /// Its name.
    pub name: String,
    /// Its address as configured.
    pub address: String,
    /// Where the gateway connects to: the newest answers for its name.
    pub upstream: Vec<String>,
    /// Which connections are its own: those to addresses that its name had a short while ago, too.
    pub addresses: Vec<String>,
    /// Whether its name has no address.
    pub unresolved: bool,
    /// The families, `IPv4` and `IPv6`, in which it may be anywhere: connections to its port at an address that is no
    /// resource's are refused.
    pub anywhere: Vec<String>,
}

/// An address that is more than one resource's. Connections to it are closed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContestedAddress {
    /// The address.
    pub address: String,
    /// The resources.
    pub resources: Vec<String>,
}

/// Connections of a workload that were closed before they were sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedConnections {
    /// The workload.
    pub workload: String,
    /// Why: `rate`, `address`, `busy` or `error`.
    pub reason: String,
    /// How many since the start.
    pub count: u64,
}

/// A pattern that protects nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnmatchedPattern {
    /// The resource.
    pub resource: String,
    /// The database.
    pub database: String,
    /// As written.
    pub pattern: String,
}

/// What is known of a database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogStatus {
    /// The resource.
    pub resource: String,
    /// The database.
    pub database: String,
    /// Whether a connection of the gateway's own watches it; otherwise sessions ask on theirs.
    pub own_connection: bool,
    /// How many relations are known; 0 before it was first read.
    pub relations: usize,
    /// Whether it was read whole: where it was not, every object is unknown.
    pub complete: bool,
    /// Why it cannot be used, or why the gateway's own connection does not answer.
    pub problem: Option<String>,
}

/// Who knows the daemon's state.
pub trait StatusSource: Send + Sync {
    /// As it is now.
    fn status(&self) -> Status;
}
