//! Logging in upstream with the gateway's credential. The workload sees nothing of it.

use bytes::{Buf, BytesMut};
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::message::frontend;
use zeroize::{Zeroize, Zeroizing};

use super::failure::Failure;
use super::reply::{Fatal, sqlstate};
use super::scram::{self, ClientBinding, ClientFirst, Derived, KeyCache, ScramError, ServerSignature};
use super::server_error::ServerError;
use super::upstream::{Channel, Upstream};
use super::wire::Frame;
use crate::config::{Credentials, Resource};
use crate::secret::{Secret, Secrets};

/// No message of a login is longer: PostgreSQL allows tokens of 64 KiB, libpq errors of 30,000 bytes.
pub(super) const MESSAGE_LIMIT: usize = 80 * 1024;

/// The longest login has four messages; the rest is for notices.
const MESSAGES: usize = 64;

/// What an Authentication message asks for. (PostgreSQL documentation, 55.7.)
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Demand<'a> {
    Ok,
    Cleartext,
    Md5([u8; 4]),
    Sasl(Vec<&'a str>),
    SaslContinue(&'a [u8]),
    SaslFinal(&'a [u8]),
    /// GSSAPI, SSPI and what they continue with.
    Gss,
    Unknown(u32),
}

impl<'a> Demand<'a> {
    /// Of a message's body; `None`: malformed.
    pub(super) fn parse(mut body: &'a [u8]) -> Option<Self> {
        let code = body.get(..4)?.get_u32();
        body = body.get(4..)?;
        let empty = body.is_empty();
        Some(match code {
            0 if empty => Demand::Ok,
            3 if empty => Demand::Cleartext,
            5 => Demand::Md5(body.try_into().ok()?),
            7..=9 => Demand::Gss,
            10 => Demand::Sasl(mechanisms(body)?),
            11 => Demand::SaslContinue(body),
            12 => Demand::SaslFinal(body),
            0 | 3 => return None,
            other => Demand::Unknown(other),
        })
    }
}

fn mechanisms(mut body: &[u8]) -> Option<Vec<&str>> {
    let mut found = Vec::new();
    loop {
        let end = memchr::memchr(0, body)?;
        let name = std::str::from_utf8(body.get(..end)?).ok()?;
        body = body.get(end.checked_add(1)?..)?;
        if name.is_empty() {
            return body.is_empty().then_some(found);
        }
        found.push(name);
    }
}

/// How far a login is. A server that changes its mind between methods is none that we talk to.
enum Step {
    /// It asked for nothing.
    Start,
    /// A password is sent; only Ok can follow.
    PasswordSent,
    /// SCRAM's first message is sent.
    ScramFirst(ClientFirst),
    /// SCRAM's last message is sent: the server has to prove itself. Then the keys are worth keeping.
    ScramFinal(ServerSignature, Derived),
    /// It did.
    ScramVerified,
}

/// A login in progress.
pub(super) struct Login<'a> {
    pub(super) resource: &'a Resource,
    pub(super) credentials: &'a Credentials,
    pub(super) secrets: &'a Secrets,
    pub(super) keys: &'a KeyCache,
}

impl Login<'_> {
    /// Answers the server until it says AuthenticationOk.
    pub(super) async fn run(&self, upstream: &mut Upstream) -> Result<(), Failure> {
        let mut step = Step::Start;
        for _ in 0..MESSAGES {
            let frame = upstream.wire.frame(MESSAGE_LIMIT).await;
            let frame = frame.map_err(|error| Failure::server(&self.resource.name, &error))?;
            match frame.tag {
                b'R' => match self.answer(upstream, step, &frame).await? {
                    Some(next) => step = next,
                    None => return Ok(()),
                },
                b'E' => return Err(self.refused(&step, &frame)),
                // A notice before the login may name the role. NegotiateProtocolVersion: it speaks 3.0, which has the same messages.
                b'N' | b'v' => {}
                other => return Err(self.broken(format!("message {other:#04x} during the login"))),
            }
        }
        Err(self.broken(format!("more than {MESSAGES} messages before it lets the gateway in")))
    }

    /// The next step, `None` when the server is content.
    async fn answer(&self, upstream: &mut Upstream, step: Step, frame: &Frame) -> Result<Option<Step>, Failure> {
        let demand = Demand::parse(frame.body()).ok_or_else(|| self.broken("a malformed authentication request"))?;
        let next = match (step, demand) {
            (Step::Start | Step::PasswordSent | Step::ScramVerified, Demand::Ok) => return Ok(None),
            (Step::ScramFirst(_) | Step::ScramFinal(..), Demand::Ok) => {
                return Err(self.broken("it lets the gateway in without having proved that it knows the password"));
            }
            (Step::Start, Demand::Cleartext) => {
                self.allow_bare(&upstream.channel, "in clear text")?;
                let password = self.password().await?;
                self.send_password(upstream, password.expose()).await?;
                Step::PasswordSent
            }
            (Step::Start, Demand::Md5(salt)) => {
                self.allow_bare(&upstream.channel, "as an md5 hash")?;
                let password = self.password().await?;
                let hash = md5_hash(self.credentials.username.as_bytes(), password.expose(), salt);
                self.send_password(upstream, Zeroizing::new(hash).as_bytes()).await?;
                Step::PasswordSent
            }
            (Step::Start, Demand::Sasl(offered)) => {
                let (mechanism, binding) =
                    choose(&offered, &upstream.channel).ok_or_else(|| self.unsupported("its SASL mechanisms"))?;
                let first = ClientFirst::new(binding).map_err(|error| self.scram(error))?;
                let mut out = BytesMut::new();
                frontend::sasl_initial_response(mechanism, first.message().as_bytes(), &mut out)
                    .map_err(|error| self.broken(error))?;
                self.send(upstream, &out).await?;
                Step::ScramFirst(first)
            }
            (Step::ScramFirst(first), Demand::SaslContinue(message)) => {
                let challenge = first.challenge(message).map_err(|error| self.scram(error))?;
                self.allow_iterations(&upstream.channel, challenge.iterations.get())?;
                let password = self.password().await?;
                let keys = self.keys.keys(password.expose(), &challenge.salt, challenge.iterations).await;
                let keys = keys.map_err(|error| self.scram(error))?;
                let (message, signature) = challenge.answer(&keys);
                let mut out = BytesMut::new();
                frontend::sasl_response(message.as_bytes(), &mut out).map_err(|error| self.broken(error))?;
                self.send(upstream, &out).await?;
                Step::ScramFinal(signature, keys)
            }
            (Step::ScramFinal(signature, keys), Demand::SaslFinal(message)) => {
                signature.verify(message).map_err(|error| self.scram(error))?;
                self.keys.keep(keys);
                Step::ScramVerified
            }
            (Step::Start, Demand::Gss) => return Err(self.unsupported("GSSAPI or SSPI")),
            (Step::Start, Demand::Unknown(code)) => {
                return Err(self.unsupported(&format!("authentication method {code}")));
            }
            _ => return Err(self.broken("an authentication request out of order")),
        };
        Ok(Some(next))
    }

    async fn password(&self) -> Result<Secret, Failure> {
        let Some(source) = &self.credentials.password else {
            let fatal = Fatal::new(
                sqlstate::INVALID_AUTHORIZATION,
                format!(
                    "the server of resource {:?} asks for a password, and the gateway has none",
                    &*self.resource.name
                ),
            );
            return Err(Failure::fatal(fatal.hint("give the resource a credentials.password in gateway.toml")));
        };
        self.secrets.fetch(source).await.map_err(|error| {
            let fatal = Fatal::new(
                sqlstate::INVALID_AUTHORIZATION,
                format!("the gateway has no password for resource {:?}", &*self.resource.name),
            );
            Failure::logged(fatal.hint("the gateway's log says why"), format!("no password for the server: {error}"))
        })
    }

    /// Whether a password may cross this channel as it is, or as a hash that is as good as the password.
    fn allow_bare(&self, channel: &Channel, how: &str) -> Result<(), Failure> {
        if channel.is_verified() || self.credentials.allow_cleartext {
            return Ok(());
        }
        let fatal = Fatal::new(
            sqlstate::INVALID_AUTHORIZATION,
            format!(
                "the server of resource {:?} asks for the password {how}, over a channel that is not verified",
                &*self.resource.name
            ),
        );
        Err(Failure::fatal(fatal.hint(
            "use tls.mode = \"verify-full\" or scram-sha-256 in the server's pg_hba.conf; credentials.allow_cleartext = true sends it anyway",
        )))
    }

    /// Whether what SCRAM shows of the password may be shown to whoever is behind this channel: with few iterations it can be
    /// guessed from.
    fn allow_iterations(&self, channel: &Channel, iterations: u32) -> Result<(), Failure> {
        if iterations >= scram::MIN_ITERATIONS || channel.is_verified() || self.credentials.allow_cleartext {
            return Ok(());
        }
        Err(self.scram(ScramError::FewIterations(iterations)))
    }

    async fn send_password(&self, upstream: &mut Upstream, password: &[u8]) -> Result<(), Failure> {
        let mut out = BytesMut::with_capacity(password.len().saturating_add(16));
        let encoded = frontend::password_message(password, &mut out);
        let sent = match encoded {
            Ok(()) => self.send(upstream, &out).await,
            Err(error) => Err(self.broken(error)),
        };
        out.as_mut().zeroize();
        sent
    }

    async fn send(&self, upstream: &mut Upstream, bytes: &[u8]) -> Result<(), Failure> {
        let sent = upstream.wire.send(bytes).await;
        sent.map_err(|error| Failure::server(&self.resource.name, &error.into()))
    }

    fn refused(&self, step: &Step, frame: &Frame) -> Failure {
        let error = ServerError::parse(frame.body());
        // Any other error says nothing of the password, and what a workload asks for can bring one about.
        let tried = matches!(step, Step::PasswordSent | Step::ScramFinal(..));
        if tried
            && error.code() == sqlstate::INVALID_PASSWORD
            && let Some(source) = &self.credentials.password
        {
            self.secrets.refused(source);
        }
        error.to_workload(&self.resource.name, &self.credentials.username)
    }

    fn scram(&self, error: ScramError) -> Failure {
        let fatal = Fatal::new(
            sqlstate::INVALID_AUTHORIZATION,
            format!("the gateway cannot log in to resource {:?}: {error}", &*self.resource.name),
        );
        Failure::fatal(fatal)
    }

    fn broken(&self, what: impl std::fmt::Display) -> Failure {
        Failure::server_protocol(&self.resource.name, what)
    }

    fn unsupported(&self, what: &str) -> Failure {
        let fatal = Fatal::new(
            sqlstate::FEATURE_NOT_SUPPORTED,
            format!(
                "the server of resource {:?} asks for {what}, which the gateway cannot answer",
                &*self.resource.name
            ),
        );
        Failure::fatal(fatal.hint("use scram-sha-256 for the gateway's role in the server's pg_hba.conf"))
    }
}

/// The strongest mechanism of those offered, and what the client says of channel binding.
fn choose(offered: &[&str], channel: &Channel) -> Option<(&'static str, ClientBinding)> {
    if let Some(hash) = channel.binding()
        && offered.contains(&scram::SHA_256_PLUS)
    {
        return Some((scram::SHA_256_PLUS, ClientBinding::EndPoint(hash.clone())));
    }
    let binding = match channel.binding() {
        // The server will end the login if it did offer it: someone in between took it out of the list.
        Some(_) => ClientBinding::NotOffered,
        None => ClientBinding::Unsupported,
    };
    offered.contains(&scram::SHA_256).then_some((scram::SHA_256, binding))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_those_of_the_specification() {
        assert_eq!(Demand::parse(b"\0\0\0\0"), Some(Demand::Ok));
        assert_eq!(Demand::parse(b"\0\0\0\x03"), Some(Demand::Cleartext));
        assert_eq!(Demand::parse(b"\0\0\0\x05abcd"), Some(Demand::Md5(*b"abcd")));
        let sasl = Demand::parse(b"\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0");
        assert_eq!(sasl, Some(Demand::Sasl(vec![scram::SHA_256_PLUS, scram::SHA_256])));
        assert_eq!(Demand::parse(b"\0\0\0\x0bx"), Some(Demand::SaslContinue(b"x")));
        for bad in [&b""[..], b"\0\0\0", b"\0\0\0\0x", b"\0\0\0\x05abc", b"\0\0\0\x0aX\0", b"\0\0\0\x0aX"] {
            assert_eq!(Demand::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn channel_binding_is_used_where_there_is_one_and_its_removal_shows() {
        let tls = Channel::Encrypted(Some(vec![1]));
        let both = [scram::SHA_256_PLUS, scram::SHA_256];
        assert_eq!(choose(&both, &tls), Some((scram::SHA_256_PLUS, ClientBinding::EndPoint(vec![1]))));
        assert_eq!(choose(&[scram::SHA_256], &tls), Some((scram::SHA_256, ClientBinding::NotOffered)));
        assert_eq!(choose(&both, &Channel::Verified(None)), Some((scram::SHA_256, ClientBinding::Unsupported)));
        assert_eq!(choose(&both, &Channel::Plain), Some((scram::SHA_256, ClientBinding::Unsupported)));
        assert_eq!(choose(&["OAUTHBEARER"], &tls), None);
    }
}
