//! From a client's startup message to a session that is ready on both sides.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use zeroize::Zeroizing;

use super::auth::{Login, MESSAGE_LIMIT};
use super::cancel::{CancelKey, KEY_MAX, Registration, Target};
use super::catalog::Backend;
use super::client_auth;
use super::established::{BackendKind, Established};
use super::failure::{Failure, Tell};
use super::negotiate::ClientTls;
use super::reply::{self, Fatal, sqlstate};
use super::server_error::ServerError;
use super::settings::{self, Settings, reads_as_parsed};
use super::startup::{self, Startup};
use super::upstream::{self, Upstream};
use super::wire::Wire;
use crate::access::{Action, Object};
use crate::config::{Credentials, Resource};
use crate::guard::{Outcome, Verdict};
use crate::protocol::Services;
use crate::record::CommandId;
use crate::session::Session;

/// How long a server may take to let the gateway in.
const SERVER: Duration = Duration::from_secs(30);
/// How long a workload's own authentication may take: `authentication_timeout` of the server.
const CLIENT: Duration = Duration::from_secs(60);
/// What a server may send between AuthenticationOk and ReadyForQuery: parameters, and notices of login triggers.
const GREETING_LIMIT: usize = 1024 * 1024;

/// A server that is ready.
pub(super) struct Ready {
    upstream: Upstream,
    kind: BackendKind,
    greeting: Greeting,
    /// The start-up's own commands, for their outcome.
    commands: Vec<CommandId>,
}

/// What a server says between AuthenticationOk and ReadyForQuery.
#[derive(Debug, Default)]
pub(super) struct Greeting {
    parameters: BTreeMap<String, String>,
    key: Option<CancelKey>,
    /// ParameterStatus and notices, as they came.
    messages: BytesMut,
}

/// A session that failed at the last step.
pub(super) struct Unestablished {
    pub(super) client: Wire,
    pub(super) session: Session,
    pub(super) failure: Failure,
}

/// Everything that a login needs to know.
pub(super) struct Request<'a> {
    pub(super) startup: &'a Startup,
    pub(super) tls: Option<&'a ClientTls>,
    pub(super) resource: &'a Resource,
    pub(super) services: &'a Services,
}

impl Request<'_> {
    /// Decides, connects and logs in. The client has been sent nothing that says it is let in.
    pub(super) async fn run(&self, client: &mut Wire, session: &mut Session) -> Result<Ready, Failure> {
        let startup = self.startup;
        let settings = settings::examine(startup.options.as_deref(), &startup.settings)?;
        let (kind, commands) = self.decide(session, &settings)?;
        if startup.downgraded || !startup.unknown.is_empty() {
            let mut out = BytesMut::new();
            reply::negotiate_protocol_version(&mut out, startup::number(startup.version), &startup.unknown);
            client.send(&out).await?;
        }
        let credentials = self.resource.credentials.as_ref();
        if let Some(credentials) = credentials {
            self.ask_client(client, credentials).await?;
        }
        let connected = async {
            let mut upstream =
                upstream::connect(self.resource, &session.upstream, self.services.upstream_tls()).await?;
            self.send_startup(&mut upstream, &settings).await?;
            if let Some(credentials) = credentials {
                self.log_in(credentials, &mut upstream).await?;
            }
            Ok(upstream)
        };
        let mut upstream = in_time(SERVER, self.resource, connected).await?;
        if credentials.is_none() {
            session.guard.note("the workload authenticates with its own credentials, which the gateway relays");
            session.guard.commit()?;
            let relayed = client_auth::relay(client, &mut upstream, self.resource);
            in_time(CLIENT, self.resource, relayed).await?;
        }
        let role = credentials.map(|credentials| credentials.username.as_str());
        let greeting = in_time(SERVER, self.resource, greeting(&self.resource.name, &mut upstream, role)).await?;
        self.check_lexer(&greeting)?;
        Ok(Ready { upstream, kind, greeting, commands })
    }

    /// The connection itself, and what its startup message asks for beyond: nothing is sent upstream before.
    fn decide(&self, session: &mut Session, settings: &Settings) -> Result<(BackendKind, Vec<CommandId>), Failure> {
        session.guard.connect(self.tls.and_then(|tls| tls.server_name.as_deref()))?;
        let replication = self.startup.replication.as_deref().filter(|value| settings::asks_for_replication(value));
        let kind = if replication.is_some() { BackendKind::WalSender } else { BackendKind::Ordinary };
        let asked = [
            replication.map(|value| (Action::SqlReplication, format!("start-up parameter replication={value}"))),
            named(&settings.privileged).map(|names| (Action::SqlPrivilege, format!("start-up settings: {names}"))),
            named(&settings.session).map(|names| (Action::SqlSession, format!("start-up settings: {names}"))),
        ];
        let mut commands = Vec::new();
        let mut refused = None;
        for (action, text) in asked.into_iter().flatten() {
            match session.guard.operation(action, Object::Resource, &text, false) {
                Verdict::Forward { command, .. } => commands.push(command),
                Verdict::Block(refusal) | Verdict::Hold(refusal) => {
                    refused = Some(refusal);
                    break;
                }
            }
        }
        session.guard.commit()?;
        match refused {
            Some(refusal) => Err(refusal.into()),
            None => Ok((kind, commands)),
        }
    }

    async fn ask_client(&self, client: &mut Wire, credentials: &Credentials) -> Result<(), Failure> {
        let Some(source) = &credentials.client_password else { return Ok(()) };
        let password = self.services.secrets().fetch(source).await.map_err(|error| {
            let fatal =
                Fatal::new(sqlstate::INVALID_AUTHORIZATION, "the gateway has no password to compare yours with");
            Failure::logged(fatal.hint("the gateway's log says why"), format!("no client_password: {error}"))
        })?;
        let leaf = self.tls.map(|tls| &tls.leaf);
        let demanded = client_auth::demand(client, &self.startup.user, &password, leaf, self.services.scram_keys());
        match tokio::time::timeout(CLIENT, demanded).await {
            Ok(done) => done,
            Err(_) => Err(Failure::silent("the client did not authenticate in time")),
        }
    }

    async fn send_startup(&self, upstream: &mut Upstream, settings: &Settings) -> Result<(), Failure> {
        let startup = self.startup;
        let user = self.resource.credentials.as_ref().map_or(startup.user.as_str(), |own| own.username.as_str());
        let mut parameters = vec![("user", user), ("database", startup.database.as_str())];
        if let Some(replication) = &startup.replication {
            parameters.push(("replication", replication));
        }
        parameters.extend(settings.all.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        parameters.extend(settings::PINNED);
        let sent = upstream.wire.send(&startup::encode(startup.version, &parameters)).await;
        sent.map_err(|error| Failure::server(&self.resource.name, &error.into()))
    }

    async fn log_in(&self, credentials: &Credentials, upstream: &mut Upstream) -> Result<(), Failure> {
        let (secrets, keys) = (self.services.secrets(), self.services.scram_keys());
        Login { resource: self.resource, credentials, secrets, keys }.run(upstream).await
    }

    /// Whether the server reads statements as the gateway's parser does.
    fn check_lexer(&self, greeting: &Greeting) -> Result<(), Failure> {
        let parameter = |name: &str| greeting.parameters.get(name).map(String::as_str);
        // One that is not told is one that cannot be watched.
        if !parameter("standard_conforming_strings")
            .is_some_and(|on| reads_as_parsed("standard_conforming_strings", on))
        {
            let resource = &self.resource.name;
            return Err(Failure::fatal(Fatal::new(
                sqlstate::FEATURE_NOT_SUPPORTED,
                format!("the server of resource {resource:?} does not say that standard_conforming_strings is on"),
            )));
        }
        match parameter("client_encoding") {
            Some(encoding) if reads_as_parsed("client_encoding", encoding) => Ok(()),
            encoding => Err(Failure::fatal(settings::unsafe_encoding(encoding.unwrap_or("(none)")))),
        }
    }
}

impl Ready {
    /// Tells the client that it is let in: everything in one write.
    pub(super) async fn establish(
        self,
        mut client: Wire,
        mut session: Session,
        request: Request<'_>,
    ) -> Result<Established, Box<Unestablished>> {
        let Request { startup, resource, services, .. } = request;
        let Ready { upstream, kind, greeting, commands } = self;
        let registered = match greeting.key {
            None => Ok(Registration::none(services.cancel_keys())),
            Some(real) => services.cancel_keys().register(
                startup.version,
                Target {
                    workload: session.workload.name.clone(),
                    resource: resource.name.clone(),
                    session: session.id.clone(),
                    upstream: upstream.address,
                    real,
                },
            ),
        };
        let cancel = match registered {
            Ok(cancel) => cancel,
            Err(error) => {
                let failure = Failure::fatal(Fatal::new(sqlstate::SYSTEM_ERROR, error.to_string()));
                return Err(Box::new(Unestablished { client, session, failure }));
            }
        };
        let mut out = BytesMut::new();
        reply::authentication_ok(&mut out);
        out.extend_from_slice(&greeting.messages);
        if let Some(key) = cancel.key() {
            reply::backend_key_data(&mut out, key);
        }
        out.extend_from_slice(b"Z\0\0\0\x05I");
        let sent = tokio::time::timeout(SERVER, client.send(&out)).await;
        let sent = sent.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
        if let Err(error) = sent {
            return Err(Box::new(Unestablished { client, session, failure: error.into() }));
        }
        for command in commands {
            session.guard.finished(command, Outcome::default());
        }
        let role = resource.credentials.as_ref().map_or(startup.user.as_str(), |own| own.username.as_str());
        let utf8 = greeting.parameters.get("client_encoding").is_some_and(|encoding| settings::is_utf8(encoding));
        let server = upstream.address;
        let backend = cancel.key().map(|key| Backend { server, process: key.process });
        Ok(Established {
            client,
            server: upstream.wire,
            session,
            kind,
            backend,
            role: role.into(),
            database: startup.database.as_str().into(),
            utf8,
            cancel,
        })
    }
}

/// Reads until ReadyForQuery. `role`: the gateway's, if it logged in.
pub(super) async fn greeting(resource: &str, upstream: &mut Upstream, role: Option<&str>) -> Result<Greeting, Failure> {
    let mut greeting = Greeting::default();
    loop {
        let frame = upstream.wire.frame(MESSAGE_LIMIT).await.map_err(|error| Failure::server(resource, &error))?;
        match frame.tag {
            b'S' => {
                let (name, value) = parameter(frame.body())
                    .ok_or_else(|| Failure::server_protocol(resource, "a malformed parameter"))?;
                greeting.parameters.insert(name, value);
                greeting.messages.unsplit(frame.bytes);
            }
            b'N' => greeting.messages.unsplit(frame.bytes),
            b'K' => {
                let key = cancel_key(frame.body())
                    .ok_or_else(|| Failure::server_protocol(resource, "a malformed cancel key"))?;
                greeting.key = Some(key);
            }
            b'Z' if frame.body() == b"I" => return Ok(greeting),
            b'E' => {
                let error = ServerError::parse(frame.body());
                return Err(match role {
                    Some(role) => error.to_workload(resource, role),
                    None => {
                        let log = format!("the server refused the session: {}", error.code());
                        Failure { tell: Tell::Verbatim(frame.bytes), log }
                    }
                });
            }
            other => {
                return Err(Failure::server_protocol(resource, format!("message {other:#04x} before it is ready")));
            }
        }
        if greeting.messages.len() > GREETING_LIMIT {
            return Err(Failure::server_protocol(resource, "more than 1 MiB before it is ready"));
        }
    }
}

fn named(names: &[String]) -> Option<String> {
    (!names.is_empty()).then(|| names.join(", "))
}

async fn in_time<T>(
    limit: Duration,
    resource: &Resource,
    doing: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::time::timeout(limit, doing).await.unwrap_or_else(|_| {
        Err(Failure::fatal(Fatal::new(
            sqlstate::CONNECTION_FAILURE,
            format!("the start-up with resource {:?} took longer than {} s", &*resource.name, limit.as_secs()),
        )))
    })
}

/// ParameterStatus: two zero-terminated strings.
fn parameter(body: &[u8]) -> Option<(String, String)> {
    let mut parts = body.strip_suffix(b"\0")?.split(|byte| *byte == 0);
    let (name, value) = (parts.next()?, parts.next()?);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    parts.next().is_none().then(|| (text(name), text(value)))
}

/// BackendKeyData: 4 bytes of process id, 4 to 256 of secret.
fn cancel_key(mut body: &[u8]) -> Option<CancelKey> {
    let process = body.get(..4)?.get_u32();
    body = body.get(4..)?;
    (4..=KEY_MAX).contains(&body.len()).then(|| CancelKey { process, secret: Zeroizing::new(body.to_vec()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_keys_are_those_of_the_specification() {
        assert_eq!(parameter(b"TimeZone\0UTC\0"), Some(("TimeZone".to_owned(), "UTC".to_owned())));
        assert_eq!(parameter(b"x\0\0"), Some(("x".to_owned(), String::new())));
        for bad in [&b""[..], b"x", b"x\0", b"x\0y", b"x\0y\0z\0"] {
            assert_eq!(parameter(bad), None, "{bad:?}");
        }
        assert_eq!(cancel_key(b"\0\0\0\x2aabcd").unwrap().process, 42);
        assert!(cancel_key(b"\0\0\0\x2aabc").is_none());
        assert!(cancel_key(&[0; 4 + 257]).is_none());
    }
}
