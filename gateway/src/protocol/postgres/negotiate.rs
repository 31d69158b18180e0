//! The client's first packets: encryption requests in any order, TLS, and then the one that says what it wants.

use rustls::server::Acceptor;
use rustls_pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio_rustls::{LazyConfigAcceptor, TlsStream};

use super::cancel::CancelKey;
use super::failure::Failure;
use super::reply::{Fatal, sqlstate};
use super::startup::{Packet, Startup, take};
use super::wire::Wire;
use crate::protocol::stream::Stream;
use crate::tls::{ALPN_POSTGRESQL, PresentError, ShownCertificate};

/// First byte of a TLS handshake record. As the first byte of a packet's length it would be 369 million.
const TLS_HANDSHAKE: u8 = 0x16;
/// libpq sends one of each kind at most.
const MAX_REQUESTS: usize = 8;

/// A client that said what it wants.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) wire: Wire,
    pub(super) tls: Option<ClientTls>,
    pub(super) request: Request,
}

/// What is known of a client's TLS.
#[derive(Debug)]
pub(super) struct ClientTls {
    pub(super) server_name: Option<String>,
    /// The certificate it was shown, which its channel binding is about.
    pub(super) leaf: CertificateDer<'static>,
}

#[derive(Debug)]
pub(super) enum Request {
    Startup(Startup),
    Cancel(CancelKey),
}

/// A client that did not; `wire` is there where it can be told.
#[derive(Debug)]
pub(super) struct Unopened {
    pub(super) wire: Option<Box<Wire>>,
    pub(super) failure: Failure,
}

impl From<Failure> for Unopened {
    fn from(failure: Failure) -> Self {
        Unopened { wire: None, failure }
    }
}

/// Reads until the client said what it wants. `certificate` chooses what to show it, by the name that it asks for.
pub(super) async fn open(
    client: TcpStream,
    certificate: impl Fn(Option<&str>) -> Result<ShownCertificate, PresentError>,
) -> Result<Opened, Unopened> {
    let mut first = [0];
    match client.peek(&mut first).await {
        Ok(1) => {}
        Ok(_) => return Err(Failure::silent("the client closed without a word").into()),
        Err(error) => return Err(Failure::silent(format!("the client failed: {error}")).into()),
    }
    let mut tls = None;
    let mut wire = if first == [TLS_HANDSHAKE] {
        let (stream, accepted) = accept(client, &certificate).await?;
        tls = Some(accepted);
        let wire = Wire::new(stream);
        if !speaks_postgresql(&wire.stream) {
            // Without it, a client of another protocol could be made to talk to a database (the ALPACA attacks).
            let fatal =
                Fatal::protocol("received direct SSL connection request without ALPN protocol negotiation extension");
            return Err(told(wire, fatal));
        }
        wire
    } else {
        Wire::new(Stream::Plain(client))
    };
    for _ in 0..MAX_REQUESTS {
        let packet = match packet(&mut wire).await {
            Ok(packet) => packet,
            Err(failure) => return Err(Unopened { wire: Some(Box::new(wire)), failure }),
        };
        let ssl = match packet {
            Packet::Startup(startup) => return Ok(Opened { wire, tls, request: Request::Startup(startup) }),
            Packet::Cancel(key) => return Ok(Opened { wire, tls, request: Request::Cancel(key) }),
            Packet::Ssl => true,
            Packet::GssEnc => false,
        };
        if tls.is_some() {
            let fatal = Fatal::new(sqlstate::FEATURE_NOT_SUPPORTED, "received an encryption request within TLS");
            return Err(told(wire, fatal));
        }
        if !wire.input.is_empty() {
            // Whoever sits in between could have put it there: it would be taken for the client's after the handshake.
            let fatal = Fatal::protocol("received unencrypted data after an encryption request")
                .hint("this could be a client's error or an attempted man-in-the-middle attack");
            return Err(told(wire, fatal));
        }
        let answer = wire.send(if ssl { b"S" } else { b"N" }).await;
        answer.map_err(|error| Unopened::from(Failure::from(error)))?;
        if ssl {
            let Stream::Plain(tcp) = wire.stream else {
                return Err(Failure::silent("an SSL request within TLS").into());
            };
            let (stream, accepted) = accept(tcp, &certificate).await?;
            tls = Some(accepted);
            wire = Wire::new(stream);
        }
    }
    Err(told(wire, Fatal::protocol("too many encryption requests")))
}

fn told(wire: Wire, fatal: Fatal) -> Unopened {
    Unopened { wire: Some(Box::new(wire)), failure: Failure::fatal(fatal) }
}

async fn packet(wire: &mut Wire) -> Result<Packet, Failure> {
    loop {
        if let Some(packet) = take(&mut wire.input)? {
            return Ok(packet);
        }
        match wire.fill().await {
            Ok(0) => return Err(Failure::silent("the client closed during the start-up")),
            Ok(_) => {}
            Err(error) => return Err(Failure::silent(format!("the client failed: {error}"))),
        }
    }
}

async fn accept(
    tcp: TcpStream,
    certificate: &impl Fn(Option<&str>) -> Result<ShownCertificate, PresentError>,
) -> Result<(Stream, ClientTls), Unopened> {
    let handshake = LazyConfigAcceptor::new(Acceptor::default(), tcp).await;
    let handshake =
        handshake.map_err(|error| Failure::silent(format!("the client's TLS handshake failed: {error}")))?;
    let server_name = handshake.client_hello().server_name().map(str::to_owned);
    let shown = certificate(server_name.as_deref())
        .map_err(|error| Failure::silent(format!("there is no certificate to show the client: {error}")))?;
    let stream = handshake.into_stream(shown.config).await.map_err(|error| {
        // A client that does not trust the node CA says so here, by an alert.
        Failure::silent(format!("the client broke off TLS: {error} (does it trust this node's CA? see sluice ca)"))
    })?;
    Ok((Stream::Tls(Box::new(TlsStream::Server(stream))), ClientTls { server_name, leaf: shown.leaf }))
}

fn speaks_postgresql(stream: &Stream) -> bool {
    matches!(stream, Stream::Tls(tls) if tls.get_ref().1.alpn_protocol() == Some(ALPN_POSTGRESQL))
}
