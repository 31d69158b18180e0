//! Authentication towards the workload: its own, relayed; or SCRAM with a password that it has to know.

use bytes::{Buf, BytesMut};
use rustls_pki_types::CertificateDer;
use zeroize::Zeroize;

use super::auth::{Demand, MESSAGE_LIMIT};
use super::failure::{Failure, Tell};
use super::reply::{self, Fatal, sqlstate};
use super::scram::{self, KeyCache, ScramError, ServerFirst};
use super::server_error::ServerError;
use super::upstream::Upstream;
use super::wire::{Frame, Wire};
use crate::config::Resource;
use crate::secret::Secret;
use crate::tls::server_end_point;

/// Asks the client to prove by SCRAM that it knows `password`, and proves that the gateway does.
pub(super) async fn demand(
    client: &mut Wire,
    user: &str,
    password: &Secret,
    leaf: Option<&CertificateDer<'static>>,
    keys: &KeyCache,
) -> Result<(), Failure> {
    let binding = leaf.and_then(|leaf| server_end_point(leaf));
    let mut out = BytesMut::new();
    let offered: &[&str] = if binding.is_some() { &[scram::SHA_256_PLUS, scram::SHA_256] } else { &[scram::SHA_256] };
    reply::sasl(&mut out, offered);
    client.send(&out).await?;

    let failed = |error: ScramError| match error {
        ScramError::Proof => Failure::fatal(Fatal::new(
            sqlstate::INVALID_PASSWORD,
            format!("password authentication failed for user {user:?}"),
        )),
        error => Failure::fatal(Fatal::protocol(error.to_string())),
    };
    let frame = response(client).await?;
    let (mechanism, message) = initial(frame.body()).ok_or_else(|| failed(ScramError::Malformed))?;
    let plus = match mechanism {
        scram::SHA_256_PLUS => true,
        scram::SHA_256 => false,
        _ => return Err(Failure::fatal(Fatal::protocol("client selected an invalid SASL authentication mechanism"))),
    };
    let first = ServerFirst::new(message, binding, plus, password.expose(), keys).await.map_err(failed)?;
    out.clear();
    reply::sasl_continue(&mut out, first.message());
    client.send(&out).await?;

    let frame = response(client).await?;
    let last = first.finish(frame.body()).map_err(failed)?;
    out.clear();
    reply::sasl_final(&mut out, &last);
    client.send(&out).await?;
    Ok(())
}

/// SASLInitialResponse: mechanism and message.
pub(super) fn initial(body: &[u8]) -> Option<(&str, &[u8])> {
    let end = memchr::memchr(0, body)?;
    let mechanism = std::str::from_utf8(body.get(..end)?).ok()?;
    let rest = body.get(end.checked_add(1)?..)?;
    let length = rest.get(..4).map(|mut length| length.get_u32())?;
    let message = rest.get(4..)?;
    (usize::try_from(length).ok()? == message.len()).then_some((mechanism, message))
}

async fn response(client: &mut Wire) -> Result<Frame, Failure> {
    let frame = client.frame(MESSAGE_LIMIT).await.map_err(|error| Failure::client(&error))?;
    if frame.tag != b'p' {
        return Err(Failure::fatal(Fatal::protocol(format!(
            "expected password response, got message type {}",
            char::from(frame.tag).escape_default()
        ))));
    }
    Ok(frame)
}

/// Relays the client's own authentication until the server says AuthenticationOk, which is not passed on.
pub(super) async fn relay(client: &mut Wire, upstream: &mut Upstream, resource: &Resource) -> Result<(), Failure> {
    loop {
        let frame =
            upstream.wire.frame(MESSAGE_LIMIT).await.map_err(|error| Failure::server(&resource.name, &error))?;
        match frame.tag {
            b'R' => {}
            b'E' => {
                let error = ServerError::parse(frame.body());
                let log = format!("the server refused the workload's own login: {}", error.code());
                return Err(Failure { tell: Tell::Verbatim(frame.bytes), log });
            }
            b'N' => {
                client.send(&frame.bytes).await?;
                continue;
            }
            // It speaks 3.0, which has the same messages.
            b'v' => continue,
            other => {
                return Err(Failure::server_protocol(&resource.name, format!("message {other:#04x} during the login")));
            }
        }
        let malformed = || Failure::server_protocol(&resource.name, "a malformed authentication request");
        let answered = match Demand::parse(frame.body()).ok_or_else(malformed)? {
            Demand::Ok => return Ok(()),
            Demand::Cleartext | Demand::Md5(_) if !upstream.channel.is_verified() => return Err(bare(resource)),
            Demand::Sasl(offered) => {
                client.send(&without_plus(&offered).ok_or_else(|| only_bound(resource))?).await?;
                true
            }
            // The last one of SASL: AuthenticationOk follows.
            Demand::SaslFinal(_) => {
                client.send(&frame.bytes).await?;
                false
            }
            Demand::Cleartext | Demand::Md5(_) | Demand::SaslContinue(_) => {
                client.send(&frame.bytes).await?;
                true
            }
            Demand::Gss => {
                return Err(Failure::fatal(Fatal::new(
                    sqlstate::FEATURE_NOT_SUPPORTED,
                    "the server asks for GSSAPI or SSPI, which the gateway cannot relay",
                )));
            }
            Demand::Unknown(code) => {
                return Err(Failure::fatal(Fatal::new(
                    sqlstate::FEATURE_NOT_SUPPORTED,
                    format!("the server asks for authentication method {code}, which the gateway cannot relay"),
                )));
            }
        };
        if answered {
            let mut frame = response(client).await?;
            let refused = upstream.channel.is_tls() && claims_no_offer(frame.body());
            let sent = if refused { Ok(()) } else { upstream.wire.send(&frame.bytes).await };
            // It may be the password itself.
            frame.bytes.as_mut().zeroize();
            sent.map_err(|error| Failure::server(&resource.name, &error.into()))?;
            if refused {
                return Err(downgrade());
            }
        }
    }
}

/// AuthenticationSASL with the mechanisms that can be relayed: a channel binding is about one channel, and there are two.
fn without_plus(offered: &[&str]) -> Option<BytesMut> {
    let mechanisms: Vec<&str> = offered.iter().copied().filter(|name| !name.ends_with("-PLUS")).collect();
    let mut out = BytesMut::new();
    reply::sasl(&mut out, &mechanisms);
    (!mechanisms.is_empty()).then_some(out)
}

/// Whether a SASLInitialResponse says that the client would have bound the channel if that had been offered. A server
/// that has TLS takes this for an attack.
pub(super) fn claims_no_offer(body: &[u8]) -> bool {
    initial(body).is_some_and(|(mechanism, message)| mechanism == scram::SHA_256 && message.starts_with(b"y,"))
}

/// libpq with `sslmode=prefer` comes again without TLS after this, and can be relayed then.
fn downgrade() -> Failure {
    Failure::fatal(
        Fatal::new(
            sqlstate::INVALID_AUTHORIZATION,
            "the client insists that the server has no channel binding, and the gateway cannot relay that over TLS",
        )
        .hint("set channel_binding=disable (PGCHANNELBINDING), or give the resource credentials in gateway.toml"),
    )
}

fn only_bound(resource: &Resource) -> Failure {
    Failure::fatal(
        Fatal::new(
            sqlstate::FEATURE_NOT_SUPPORTED,
            format!("the server of resource {:?} offers no login that can be relayed", &*resource.name),
        )
        .hint("give the resource credentials in gateway.toml"),
    )
}

fn bare(resource: &Resource) -> Failure {
    Failure::fatal(
        Fatal::new(
            sqlstate::INVALID_AUTHORIZATION,
            format!(
                "the server of resource {:?} asks for a password over a channel that is not verified",
                &*resource.name
            ),
        )
        .hint("use tls.mode = \"verify-full\" for the resource, or scram-sha-256 in the server's pg_hba.conf"),
    )
}

#[cfg(test)]
mod tests {
    use bytes::BufMut;

    use super::*;

    fn initial_response(mechanism: &str, message: &[u8]) -> BytesMut {
        let mut body = BytesMut::new();
        reply::put_text(&mut body, mechanism);
        body.put_u32(message.len() as u32);
        body.put_slice(message);
        body
    }

    #[test]
    fn channel_binding_is_taken_out_of_what_is_relayed() {
        let out = without_plus(&["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]).unwrap();
        assert_eq!(&out[..], b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0");
        assert!(without_plus(&["SCRAM-SHA-256-PLUS"]).is_none());
    }

    #[test]
    fn an_initial_response_whose_length_lies_is_none() {
        let body = initial_response("SCRAM-SHA-256", b"n,,n=,r=x");
        assert_eq!(initial(&body), Some(("SCRAM-SHA-256", &b"n,,n=,r=x"[..])));
        assert_eq!(initial(&body[..body.len() - 1]), None);
        assert_eq!(initial(b"SCRAM"), None);
        assert!(claims_no_offer(&initial_response("SCRAM-SHA-256", b"y,,n=,r=x")));
        assert!(!claims_no_offer(&body));
    }
}
