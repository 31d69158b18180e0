//! What the gateway itself says to a client during the start-up: errors, authentication, keys.

use bytes::{BufMut, BytesMut};

use super::cancel::CancelKey;
use crate::guard::Refusal;

/// SQLSTATEs that the gateway uses (PostgreSQL documentation, appendix A).
pub(super) mod sqlstate {
    pub(in super::super) const CANNOT_CONNECT: &str = "08001";
    pub(in super::super) const CONNECTION_FAILURE: &str = "08006";
    pub(in super::super) const PROTOCOL_VIOLATION: &str = "08P01";
    pub(in super::super) const FEATURE_NOT_SUPPORTED: &str = "0A000";
    pub(in super::super) const INVALID_PARAMETER_VALUE: &str = "22023";
    pub(in super::super) const INVALID_AUTHORIZATION: &str = "28000";
    pub(in super::super) const INVALID_PASSWORD: &str = "28P01";
    pub(in super::super) const INSUFFICIENT_PRIVILEGE: &str = "42501";
    pub(in super::super) const TOO_MANY_CONNECTIONS: &str = "53300";
    pub(in super::super) const ADMIN_SHUTDOWN: &str = "57P01";
    pub(in super::super) const SYSTEM_ERROR: &str = "58000";
}

/// An error that ends the connection, for the client to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fatal {
    code: String,
    message: String,
    hint: Option<String>,
}

impl Fatal {
    pub(super) fn new(code: &str, message: impl Into<String>) -> Self {
        Fatal { code: code.to_owned(), message: message.into(), hint: None }
    }

    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn protocol(message: impl Into<String>) -> Self {
        Self::new(sqlstate::PROTOCOL_VIOLATION, message)
    }

    /// A verdict other than to forward.
    pub(super) fn refused(refusal: &Refusal) -> Self {
        let hint = if refusal.policies.is_empty() {
            format!("no policy permits {}", refusal.action)
        } else {
            format!("refused by policy {}", refusal.policies.join(", "))
        };
        Self::new(sqlstate::INSUFFICIENT_PRIVILEGE, refusal.reason.clone()).hint(hint)
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// The ErrorResponse.
    pub(super) fn encode(&self, out: &mut BytesMut) {
        frame(out, b'E', |body| {
            let fields = [(b'S', "FATAL"), (b'V', "FATAL"), (b'C', &self.code), (b'M', &self.message)];
            for (field, value) in fields.into_iter().chain(self.hint.as_deref().map(|hint| (b'H', hint))) {
                body.put_u8(field);
                put_text(body, value);
            }
            body.put_u8(0);
        });
    }
}

/// Appends a message whose body `fill` appends.
pub(super) fn frame(out: &mut BytesMut, tag: u8, fill: impl FnOnce(&mut BytesMut)) {
    let mut body = BytesMut::new();
    fill(&mut body);
    out.put_u8(tag);
    // Bodies are made of what was read within limits far below.
    out.put_u32(u32::try_from(body.len().saturating_add(4)).unwrap_or(u32::MAX));
    out.put_slice(&body);
}

/// A zero-terminated string; a zero within would end it early and shift what follows.
pub(super) fn put_text(out: &mut BytesMut, text: &str) {
    for part in text.split('\0') {
        out.put_slice(part.as_bytes());
    }
    out.put_u8(0);
}

pub(super) fn authentication_ok(out: &mut BytesMut) {
    frame(out, b'R', |body| body.put_u32(0));
}

/// AuthenticationSASL.
pub(super) fn sasl(out: &mut BytesMut, mechanisms: &[&str]) {
    frame(out, b'R', |body| {
        body.put_u32(10);
        for mechanism in mechanisms {
            put_text(body, mechanism);
        }
        body.put_u8(0);
    });
}

/// AuthenticationSASLContinue.
pub(super) fn sasl_continue(out: &mut BytesMut, data: &str) {
    frame(out, b'R', |body| {
        body.put_u32(11);
        body.put_slice(data.as_bytes());
    });
}

/// AuthenticationSASLFinal.
pub(super) fn sasl_final(out: &mut BytesMut, data: &str) {
    frame(out, b'R', |body| {
        body.put_u32(12);
        body.put_slice(data.as_bytes());
    });
}

pub(super) fn backend_key_data(out: &mut BytesMut, key: &CancelKey) {
    frame(out, b'K', |body| {
        body.put_u32(key.process);
        body.put_slice(&key.secret);
    });
}

/// NegotiateProtocolVersion: the newest minor version that is spoken, and the options that are not known.
pub(super) fn negotiate_protocol_version(out: &mut BytesMut, version: u32, unknown: &[String]) {
    frame(out, b'v', |body| {
        body.put_u32(version);
        body.put_u32(u32::try_from(unknown.len()).unwrap_or(u32::MAX));
        for option in unknown {
            put_text(body, option);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_severity_code_message_and_hint() {
        let mut out = BytesMut::new();
        Fatal::new("28000", "no\0w").hint("do").encode(&mut out);
        assert_eq!(&out[..], b"E\0\0\0\x23SFATAL\0VFATAL\0C28000\0Mnow\0Hdo\0\0");
    }

    #[test]
    fn a_negotiation_names_what_is_unknown() {
        let mut out = BytesMut::new();
        negotiate_protocol_version(&mut out, 0x0003_0002, &["_pq_.x".to_owned()]);
        assert_eq!(&out[..], b"v\0\0\0\x13\0\x03\0\x02\0\0\0\x01_pq_.x\0");
    }
}
