//! The packets that open a connection: no type byte, a length, a code. (PostgreSQL documentation, 55.7.)

use bytes::{Buf, BufMut, BytesMut};
use zeroize::Zeroizing;

use super::cancel::{CancelKey, KEY_MAX};
use super::established::ProtocolVersion;
use super::reply::{Fatal, put_text, sqlstate};

/// What the server accepts (`MAX_STARTUP_PACKET_LENGTH`); the length counts itself.
pub(super) const PACKET_LIMIT: usize = 10_000;

const CANCEL: u32 = 80_877_102;
const SSL: u32 = 80_877_103;
const GSSENC: u32 = 80_877_104;
const V3_0: u32 = 0x0003_0000;
const V3_2: u32 = 0x0003_0002;

/// A request for TLS, as a client sends it.
pub(super) const SSL_REQUEST: [u8; 8] = *b"\0\0\0\x08\x04\xd2\x16\x2f";

/// A packet of a client's.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packet {
    /// SSLRequest.
    Ssl,
    /// GSSENCRequest.
    GssEnc,
    /// CancelRequest.
    Cancel(CancelKey),
    /// StartupMessage.
    Startup(Startup),
}

/// A StartupMessage.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Startup {
    /// What will be spoken.
    pub(super) version: ProtocolVersion,
    /// Whether the client has to be told so: it asked for something newer.
    pub(super) downgraded: bool,
    /// `_pq_.` options: none is known.
    pub(super) unknown: Vec<String>,
    /// `user`, never empty.
    pub(super) user: String,
    /// `database`; absent or empty: the user's name.
    pub(super) database: String,
    /// `replication`, as sent.
    pub(super) replication: Option<String>,
    /// `options`, as sent.
    pub(super) options: Option<String>,
    /// Every other parameter, in order: settings.
    pub(super) settings: Vec<(String, String)>,
}

/// The first packet in `input`, taken from it, if it is there whole.
pub(super) fn take(input: &mut BytesMut) -> Result<Option<Packet>, Fatal> {
    let Some(mut length) = input.get(..4) else { return Ok(None) };
    let length = length.get_u32();
    let length = usize::try_from(length).ok().filter(|length| (8..=PACKET_LIMIT).contains(length));
    let Some(length) = length else { return Err(Fatal::protocol("invalid length of startup packet")) };
    if input.len() < length {
        return Ok(None);
    }
    let packet = input.split_to(length);
    let mut body = packet.get(4..).unwrap_or_default();
    let code = body.get_u32();
    match code {
        SSL | GSSENC if !body.is_empty() => Err(Fatal::protocol("an encryption request carries nothing")),
        SSL => Ok(Some(Packet::Ssl)),
        GSSENC => Ok(Some(Packet::GssEnc)),
        CANCEL => cancel(body).map(|key| Some(Packet::Cancel(key))),
        version => startup(version, body).map(|startup| Some(Packet::Startup(startup))),
    }
}

fn cancel(mut body: &[u8]) -> Result<CancelKey, Fatal> {
    if !(4 + 4..=4 + KEY_MAX).contains(&body.len()) {
        return Err(Fatal::protocol("invalid length of cancel request packet"));
    }
    let process = body.get_u32();
    Ok(CancelKey { process, secret: Zeroizing::new(body.to_vec()) })
}

fn startup(version: u32, body: &[u8]) -> Result<Startup, Fatal> {
    let (major, minor) = (version >> 16, version & 0xffff);
    if major != 3 {
        return Err(Fatal::new(
            sqlstate::FEATURE_NOT_SUPPORTED,
            format!("unsupported frontend protocol {major}.{minor}: the gateway supports 3.0 to 3.2"),
        ));
    }
    let mut startup = Startup {
        version: if version >= V3_2 { ProtocolVersion::V3_2 } else { ProtocolVersion::V3_0 },
        downgraded: version > V3_2,
        unknown: Vec::new(),
        user: String::new(),
        database: String::new(),
        replication: None,
        options: None,
        settings: Vec::new(),
    };
    let mut rest = body;
    loop {
        let (name, after) = text(rest)?;
        if name.is_empty() {
            // The terminator has to be the last byte, as the server checks.
            if !after.is_empty() {
                return Err(layout());
            }
            break;
        }
        let (value, after) = text(after)?;
        rest = after;
        // The last of a name counts, as the server does it.
        match name {
            "user" => startup.user = value.to_owned(),
            "database" => startup.database = value.to_owned(),
            "replication" => startup.replication = Some(value.to_owned()),
            "options" => startup.options = Some(value.to_owned()),
            _ if name.starts_with("_pq_.") => startup.unknown.push(name.to_owned()),
            _ => startup.settings.push((name.to_owned(), value.to_owned())),
        }
    }
    if startup.user.is_empty() {
        return Err(Fatal::new(sqlstate::INVALID_AUTHORIZATION, "no PostgreSQL user name specified in startup packet"));
    }
    if startup.database.is_empty() {
        startup.database.clone_from(&startup.user);
    }
    Ok(startup)
}

fn layout() -> Fatal {
    Fatal::protocol("invalid startup packet layout: expected terminator as last byte")
}

fn text(bytes: &[u8]) -> Result<(&str, &[u8]), Fatal> {
    let end = memchr::memchr(0, bytes).ok_or_else(layout)?;
    let (text, rest) = (bytes.get(..end).unwrap_or_default(), bytes.get(end.saturating_add(1)..).unwrap_or_default());
    let text = std::str::from_utf8(text).map_err(|_| {
        Fatal::new(sqlstate::FEATURE_NOT_SUPPORTED, "the startup packet holds a name or value that is not UTF-8")
    })?;
    Ok((text, rest))
}

/// A StartupMessage to a server.
pub(super) fn encode(version: ProtocolVersion, parameters: &[(&str, &str)]) -> BytesMut {
    let mut body = BytesMut::new();
    for (name, value) in parameters {
        put_text(&mut body, name);
        put_text(&mut body, value);
    }
    body.put_u8(0);
    packet(if version == ProtocolVersion::V3_2 { V3_2 } else { V3_0 }, &body)
}

/// A CancelRequest to a server.
pub(super) fn encode_cancel(key: &CancelKey) -> BytesMut {
    let mut body = BytesMut::new();
    body.put_u32(key.process);
    body.put_slice(&key.secret);
    packet(CANCEL, &body)
}

fn packet(code: u32, body: &[u8]) -> BytesMut {
    let mut packet = BytesMut::with_capacity(body.len().saturating_add(8));
    packet.put_u32(u32::try_from(body.len().saturating_add(8)).unwrap_or(u32::MAX));
    packet.put_u32(code);
    packet.put_slice(body);
    packet
}

/// The number of a version, as NegotiateProtocolVersion carries it.
pub(super) const fn number(version: ProtocolVersion) -> u32 {
    match version {
        ProtocolVersion::V3_0 => V3_0,
        ProtocolVersion::V3_2 => V3_2,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(bytes: &[u8]) -> Result<Option<Packet>, Fatal> {
        take(&mut BytesMut::from(bytes))
    }

    fn with(version: u32, body: &[u8]) -> Result<Startup, Fatal> {
        match one(&packet(version, body))? {
            Some(Packet::Startup(startup)) => Ok(startup),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_requests_are_those_of_the_specification() {
        assert_eq!(one(&SSL_REQUEST).unwrap(), Some(Packet::Ssl));
        assert_eq!(one(b"\0\0\0\x08\x04\xd2\x16\x30").unwrap(), Some(Packet::GssEnc));
        let cancel = b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x2a\x01\x02\x03\x04";
        let Some(Packet::Cancel(key)) = one(cancel).unwrap() else { panic!() };
        assert_eq!((key.process, &key.secret[..]), (42, &[1, 2, 3, 4][..]));
        assert_eq!(&encode_cancel(&key)[..], cancel);
    }

    #[test]
    fn a_startup_message_is_read_as_the_server_reads_it() {
        let startup = with(V3_0, b"user\0u\0application_name\0a\0user\0v\0options\0-c geqo=off\0\0").unwrap();
        assert_eq!((&*startup.user, &*startup.database), ("v", "v"));
        assert_eq!(startup.settings, [("application_name".to_owned(), "a".to_owned())]);
        assert_eq!(startup.options.as_deref(), Some("-c geqo=off"));
        assert!(!startup.downgraded && startup.version == ProtocolVersion::V3_0);
    }

    #[test]
    fn newer_minors_and_unknown_options_are_negotiated() {
        assert_eq!(with(V3_2, b"user\0u\0\0").unwrap().version, ProtocolVersion::V3_2);
        let startup = with(0x0003_270f, b"user\0u\0_pq_.x\x001\0\0").unwrap();
        assert!(startup.downgraded && startup.version == ProtocolVersion::V3_2);
        assert_eq!(startup.unknown, ["_pq_.x"]);
        assert!(with(0x0002_0000, b"user\0u\0\0").unwrap_err().message().contains("2.0"));
    }

    #[test]
    fn lengths_and_layouts_that_lie_are_errors() {
        for length in [0u32, 7, 10_001, u32::MAX] {
            assert!(one(&length.to_be_bytes()).is_err(), "{length}");
        }
        for body in [&b""[..], b"user\0u\0", b"user\0u\0\0x", b"user\0", b"\0", b"user\0\xff\0\0"] {
            assert!(with(V3_0, body).is_err(), "{body:?}");
        }
        assert!(one(b"\0\0\0\x09\x04\xd2\x16\x2f!").is_err());
        assert!(one(b"\0\0\0\x0f\x04\xd2\x16\x2e\0\0\0\x2a\x01\x02\x03").is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64), length in 0u32..80, code in prop::sample::select(
            vec![CANCEL, SSL, GSSENC, V3_0, V3_2, 0x0003_0007])) {
            let _ = one(&bytes);
            let mut packet = BytesMut::new();
            packet.put_u32(length);
            packet.put_u32(code);
            packet.put_slice(&bytes);
            let _ = take(&mut packet);
        }

        #[test]
        fn what_is_sent_is_what_is_read(user in "[^\0]{1,20}", database in "[^\0]{1,20}", name in "[a-z]{1,8}x", value in "[^\0]{0,20}") {
            let mut bytes = encode(ProtocolVersion::V3_0, &[("user", &user), ("database", &database), (&name, &value)]);
            let Some(Packet::Startup(startup)) = take(&mut bytes).unwrap() else { panic!() };
            prop_assert_eq!((startup.user, startup.database), (user, database));
            prop_assert_eq!(startup.settings, vec![(name, value)]);
        }
    }
}
