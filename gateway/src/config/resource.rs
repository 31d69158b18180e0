//! `[resources.*]`: addresses, TLS, credentials, sensitive objects.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use super::load::{NAME_HELP, Reader, is_name, names};
use super::read::{Item, Section};
use super::{
    Credentials, HostPort, ObjectPattern, PatternError, Present, Protocol, Resource, SecretSource, Sensitive, TlsMode,
    UpstreamTls,
};
use crate::access::Name;

/// What policies call a destination that is no resource.
pub const UNLISTED: &str = "unlisted";

pub(super) fn resource(reader: &Reader<'_>, name: Name, mut section: Section<'_, '_>) -> Option<Resource> {
    if &*name == UNLISTED {
        section.fail("is what policies call a destination that is no resource", "choose another name");
    }
    let protocol = section
        .require("protocol", "write protocol = \"postgres\"")
        .and_then(|item| item.word(&[("postgres", Protocol::Postgres)]));
    let address = section
        .require("address", "write address = \"db.internal:5432\"")
        .and_then(|item| item.string().and_then(|text| host_port(&item, text)));
    let tags = section.get("tags").map(|item| names(&item)).unwrap_or_default();
    let tls = match section.get("tls") {
        Some(item) => tls(reader, &item),
        None => Some(UpstreamTls { mode: TlsMode::VerifyFull, ca: None }),
    };
    let present = section.get("present").map(|item| present(reader, item.section()));
    let credentials = section.get("credentials").map(|item| credentials(reader, item.section()));
    let sensitive = sensitive(section.section("sensitive"));
    section.finish();
    Some(Resource {
        name,
        protocol: protocol?,
        address: address?,
        tags,
        tls: tls?,
        present: present.transpose_absent()?,
        credentials: credentials.transpose_absent()?,
        sensitive,
    })
}

/// `None` (absent) is fine, `Some(None)` (there, but wrong) is not.
trait Absent<T> {
    fn transpose_absent(self) -> Option<Option<T>>;
}

impl<T> Absent<T> for Option<Option<T>> {
    fn transpose_absent(self) -> Option<Option<T>> {
        match self {
            None => Some(None),
            Some(None) => None,
            Some(value) => Some(value),
        }
    }
}

impl HostPort {
    /// Parses `host:port`, an IPv6 address in brackets.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some((host, port)) = text.rsplit_once(':') else { return Err(format!("{text:?} has no port")) };
        let port = match port.parse::<u16>() {
            Ok(port) if port > 0 && port_is_digits(text) => port,
            _ => return Err(format!("{port:?} is not a port from 1 to 65535")),
        };
        let host = match host.strip_prefix('[') {
            Some(rest) => {
                let inner =
                    rest.strip_suffix(']').ok_or_else(|| format!("{text:?} has a bracket that is not closed"))?;
                let address: std::net::Ipv6Addr =
                    inner.parse().map_err(|_| format!("{inner:?} is not an IPv6 address"))?;
                address.to_string()
            }
            None if host.contains(':') => return Err(format!("{host:?} is an IPv6 address without brackets")),
            None => host_name(host)?,
        };
        Ok(HostPort { host, port })
    }

    /// The address, where the host is one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

/// `+5432` parses as a number.
fn port_is_digits(text: &str) -> bool {
    text.bytes().rev().take_while(|b| *b != b':').all(|b| b.is_ascii_digit())
}

/// A DNS name (RFC 1123, underscores let pass as resolvers do) in lower case and without the root's dot, or an IPv4
/// address.
fn host_name(host: &str) -> Result<String, String> {
    if host.parse::<std::net::Ipv4Addr>().is_ok() {
        return Ok(host.to_owned());
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // A name of digits and dots only is an address with an error in it, and resolvers read it in ways of their own.
    let numeric = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    if name.len() > 253 || numeric || !name.split('.').all(label) {
        return Err(format!("{host:?} is not a host name or an IP address"));
    }
    Ok(name.to_ascii_lowercase())
}

fn host_port(item: &Item<'_, '_>, text: &str) -> Option<HostPort> {
    match HostPort::parse(text) {
        Ok(address) => Some(address),
        Err(message) => {
            item.fail(message, "write host and port, as in \"db.internal:5432\" or \"[2001:db8::1]:5432\"");
            None
        }
    }
}

fn tls(reader: &Reader<'_>, item: &Item<'_, '_>) -> Option<UpstreamTls> {
    let mut section = item.section();
    let mode = match section.get("mode") {
        Some(item) => item.word(&[
            ("verify-full", TlsMode::VerifyFull),
            ("require", TlsMode::Require),
            ("prefer", TlsMode::Prefer),
            ("disable", TlsMode::Disable),
        ]),
        None => Some(TlsMode::VerifyFull),
    };
    let ca = section.get("ca").map(|item| {
        if mode.is_some_and(|mode| mode != TlsMode::VerifyFull) {
            item.fail(
                "has no effect: this mode verifies no certificate",
                "use mode = \"verify-full\", or leave it out",
            );
        }
        reader.existing_file(&item)
    });
    section.finish();
    Some(UpstreamTls { mode: mode?, ca: ca.transpose_absent()? })
}

fn present(reader: &Reader<'_>, mut section: Section<'_, '_>) -> Option<Present> {
    let help = "write present = { cert = \"/etc/sluice/db.pem\", key = \"/etc/sluice/db.key\" }";
    let cert = section.require("cert", help).and_then(|item| reader.existing_file(&item));
    let key = section.require("key", help).and_then(|item| reader.existing_file(&item));
    section.finish();
    Some(Present { cert: cert?, key: key? })
}

fn credentials(reader: &Reader<'_>, mut section: Section<'_, '_>) -> Option<Credentials> {
    let username = section.require("username", "write the role to log in as").and_then(|item| {
        let text = item.string()?;
        // NAMEDATALEN: the server would cut a longer one, and it might be another role's name then.
        if text.is_empty() || text.len() > 63 {
            item.fail("is not a role's name", "role names have 1 to 63 bytes");
        }
        Some(text.to_owned())
    });
    let password = section.get("password").map(|item| secret(reader, &item));
    let client_password = section.get("client_password").map(|item| secret(reader, &item));
    let allow_cleartext = section.get("allow_cleartext").map(|item| item.boolean());
    section.finish();
    Some(Credentials {
        username: username?,
        password: password.transpose_absent()?,
        client_password: client_password.transpose_absent()?,
        allow_cleartext: allow_cleartext.transpose_absent()?.unwrap_or(false),
    })
}

fn secret(reader: &Reader<'_>, item: &Item<'_, '_>) -> Option<SecretSource> {
    const HELP: &str = "write { file = \"/run/secrets/orders\" }, { env = \"ORDERS_PASSWORD\" } or { exec = [\"/usr/bin/vault-get\", \"orders\"] }";
    if item.is_string() {
        // The text itself is not repeated: it may be the secret.
        item.fail("is a literal secret, which this file never holds", format!("{HELP}, and change the secret"));
        return None;
    }
    let mut section = item.section();
    let (file, env, exec) = (section.get("file"), section.get("env"), section.get("exec"));
    let source = match (&file, &env, &exec) {
        (Some(file), None, None) => reader.path(file).map(SecretSource::File),
        (None, Some(env), None) => variable(env),
        (None, None, Some(exec)) => command(exec),
        _ => {
            if item.is_table() {
                section.fail("has to name exactly one source", HELP);
            }
            None
        }
    };
    section.finish();
    source
}

fn variable(item: &Item<'_, '_>) -> Option<SecretSource> {
    let name = item.string()?;
    if name.is_empty() || name.contains('=') {
        item.fail(format!("{name:?} cannot be the name of an environment variable"), "write the variable's name");
        return None;
    }
    Some(SecretSource::Env(name.to_owned()))
}

fn command(item: &Item<'_, '_>) -> Option<SecretSource> {
    let words: Option<Vec<String>> = item.list()?.iter().map(|word| word.string().map(str::to_owned)).collect();
    let words = words?;
    // Looked up in no PATH: who could change the daemon's would choose the program.
    match words.first() {
        Some(program) if Path::new(program).is_absolute() => Some(SecretSource::Exec(words)),
        _ => {
            item.fail(
                "does not begin with the absolute path of a program",
                "write [\"/usr/bin/program\", \"argument\"]",
            );
            None
        }
    }
}

fn sensitive(section: Section<'_, '_>) -> Vec<Sensitive> {
    let mut lines = Vec::new();
    for (entry, item) in section.entries() {
        let tags = names(&item);
        match ObjectPattern::parse(entry.name) {
            Ok(_) if tags.is_empty() => {
                item.fail("gives no tag", format!("write a list such as [\"pii\"]: {NAME_HELP}"))
            }
            Ok(pattern) => lines.push(Sensitive { pattern, tags }),
            Err(PatternError { message, help }) => entry.fail(message, help),
        }
    }
    lines
}

/// Resources at one address: a connection could not be told to belong to either.
pub(super) fn indistinguishable(section: &Section<'_, '_>, resources: &BTreeMap<Name, Arc<Resource>>) {
    let mut seen: BTreeMap<(String, u16), &Name> = BTreeMap::new();
    for (entry, _) in section.entries().iter().filter(|(entry, _)| is_name(entry.name)) {
        let Some((name, resource)) = resources.get_key_value(entry.name) else { continue };
        let address = &resource.address;
        let host = address.ip().map_or_else(|| address.host.clone(), |ip| ip.to_canonical().to_string());
        if let Some(first) = seen.insert((host, address.port), name) {
            entry.fail(
                format!("has the same address as resource {first:?}, and nothing tells them apart"),
                "merge the two, or give each a host name of its own",
            );
        }
    }
}
