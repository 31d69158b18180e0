//! `gateway.toml`: what the operator wrote, validated. Nothing here touches the network or the kernel.

pub mod directory;
mod load;
mod node;
mod pattern;
pub mod problem;
mod read;
mod reload;
mod resource;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::access::Name;
pub(crate) use load::read_bounded;
pub use node::{Node, ThisNode};
pub use pattern::PatternError;
pub use problem::{Problem, Problems};
pub use resource::UNLISTED;

/// The whole file. A value of this type is valid: every reference resolves and every pattern parses.
#[derive(Debug)]
pub struct Config {
    /// Recordings, approvals and the node CA.
    pub state_dir: PathBuf,
    /// The folder of `*.cedar` files.
    pub policies: PathBuf,
    /// `[intercept]`.
    pub intercept: Intercept,
    /// `[control]`.
    pub control: Control,
    /// `[workloads.*]` by name.
    pub workloads: BTreeMap<Name, Arc<Workload>>,
    /// `[resources.*]` by name.
    pub resources: BTreeMap<Name, Arc<Resource>>,
    /// `[users.*]` by name.
    pub users: BTreeMap<Name, Arc<User>>,
}

/// `[intercept]`: the redirect layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intercept {
    /// Which connections of labelled workloads are redirected.
    pub capture: Capture,
    /// The folder in bpffs that holds the pins.
    pub pin_dir: PathBuf,
    /// What labelled workloads meet while no gateway runs.
    pub on_gateway_down: OnGatewayDown,
    /// What labelled workloads may reach by UDP.
    pub allow_udp: Vec<SocketAddr>,
}

/// `capture`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capture {
    /// Every TCP connection of a labelled workload.
    All,
    /// Only those to a resource's address; the rest goes direct.
    Listed,
}

/// `on_gateway_down`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnGatewayDown {
    /// Refused.
    Closed,
    /// Direct, and recorded when the gateway comes back.
    Open,
}

/// `[control]`: how people and programs reach the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// The local socket of the command line.
    pub socket: PathBuf,
    /// The group that may use the socket beside root.
    pub group: Option<String>,
    /// Console, API and metrics; absent: off.
    pub listen: Option<SocketAddr>,
}

/// `[workloads.X]`: a labelled set of processes.
#[derive(Debug, PartialEq, Eq)]
pub struct Workload {
    /// Its key in the file.
    pub name: Name,
    /// Which processes it labels.
    pub matcher: Match,
    /// The Cedar groups it is in.
    pub groups: Vec<Name>,
    /// Whether verdicts are enforced.
    pub mode: Mode,
}

/// `match`: exactly one way to recognise a workload's processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// Processes in a cgroup whose path matches, or below one.
    Cgroup(CgroupPattern),
    /// Processes of a user of the node, resolved to its uid.
    User {
        /// As written.
        name: String,
        /// As resolved at load.
        uid: u32,
    },
}

/// A cgroup path pattern: segments from the root of cgroup v2, in which `*` stands for part of one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CgroupPattern {
    /// The segments, at least one, none empty.
    pub segments: Vec<String>,
}

/// `mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Verdicts and masks hold.
    Enforce,
    /// Verdicts and masks are recorded, not enforced.
    Observe,
}

/// `[resources.X]`: a server that workloads reach.
#[derive(Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its key in the file.
    pub name: Name,
    /// The protocol it speaks.
    pub protocol: Protocol,
    /// Where it is.
    pub address: HostPort,
    /// Its Cedar tags.
    pub tags: Vec<Name>,
    /// How the gateway reaches it.
    pub tls: UpstreamTls,
    /// A certificate of the operator's to show workloads instead of a minted one.
    pub present: Option<Present>,
    /// What the gateway logs in with; absent: the workload's own authentication is relayed.
    pub credentials: Option<Credentials>,
    /// Object patterns and the tags they give.
    pub sensitive: Vec<Sensitive>,
}

/// The wire protocols there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// PostgreSQL's frontend/backend protocol 3.
    Postgres,
}

/// `host:port`; the host a name or an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// A DNS name or an IP address, IPv6 without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

/// `tls` of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamTls {
    /// What is demanded of the server.
    pub mode: TlsMode,
    /// PEM file of the authorities to trust; absent: the node's own.
    pub ca: Option<PathBuf>,
}

/// `tls.mode`, in libpq's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// TLS, certificate verified against the authorities and the resource's host.
    VerifyFull,
    /// TLS, certificate not verified.
    Require,
    /// TLS where the server has it, plaintext where not.
    Prefer,
    /// Plaintext.
    Disable,
}

/// `present`: the operator's own certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// PEM file of the chain, leaf first.
    pub cert: PathBuf,
    /// PEM file of its key.
    pub key: PathBuf,
}

/// `credentials` of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The role the gateway logs in as, whatever the workload asked for.
    pub username: String,
    /// Where its password comes from; absent: the server asks for none.
    pub password: Option<SecretSource>,
    /// What a workload that insists on SCRAM has to know; absent: workloads are asked for nothing.
    pub client_password: Option<SecretSource>,
    /// Whether a cleartext or md5 password may cross an unverified channel.
    pub allow_cleartext: bool,
}

/// Where a secret comes from; read when it is needed, never kept in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// A file, without one trailing newline.
    File(PathBuf),
    /// An environment variable of the daemon.
    Env(String),
    /// A program's standard output, without one trailing newline.
    Exec(Vec<String>),
}

/// One line of `[resources.X.sensitive]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sensitive {
    /// Which objects.
    pub pattern: ObjectPattern,
    /// What they are tagged.
    pub tags: Vec<Name>,
}

/// `[database/]schema.table[.column]`, in which `*` stands for part of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectPattern {
    /// Absent: every database of the resource.
    pub database: Option<String>,
    /// The schema's name.
    pub schema: String,
    /// The table's name.
    pub table: String,
    /// Absent: the whole table, and so each of its columns.
    pub column: Option<String>,
    /// As written, for `status` and errors.
    pub text: String,
}

/// `[users.X]`: a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Their key in the file.
    pub name: Name,
    /// The Cedar groups they are in: those whose agreement an `@approve` asks for.
    pub groups: Vec<Name>,
}
