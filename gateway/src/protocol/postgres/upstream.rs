//! The way to the server: the resource's own addresses, TLS as the resource demands it.

use std::net::SocketAddr;
use std::time::Duration;

use rustls_pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, TlsStream};

use super::failure::Failure;
use super::reply::{Fatal, sqlstate};
use super::startup::SSL_REQUEST;
use super::wire::Wire;
use crate::config::{Resource, TlsMode};
use crate::protocol::stream::Stream;
use crate::tls::{UpstreamConfigs, server_end_point};

/// How long one address may take to answer.
const CONNECT: Duration = Duration::from_secs(8);

/// A connection to a server, before its start-up message.
#[derive(Debug)]
pub(super) struct Upstream {
    pub(super) wire: Wire,
    pub(super) address: SocketAddr,
    pub(super) channel: Channel,
}

/// What is known of the way there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    /// TLS, and the server is who the resource says.
    Verified(Binding),
    /// TLS with whoever answered.
    Encrypted(Binding),
    /// Plaintext.
    Plain,
}

/// `tls-server-end-point` of the server's certificate; absent where that is undefined.
pub(super) type Binding = Option<Vec<u8>>;

impl Channel {
    pub(super) fn is_verified(&self) -> bool {
        matches!(self, Channel::Verified(_))
    }

    pub(super) fn is_tls(&self) -> bool {
        !matches!(self, Channel::Plain)
    }

    pub(super) fn binding(&self) -> Option<&Vec<u8>> {
        match self {
            Channel::Verified(binding) | Channel::Encrypted(binding) => binding.as_ref(),
            Channel::Plain => None,
        }
    }
}

/// Connects to the first address that answers.
pub(super) async fn connect(
    resource: &Resource,
    addresses: &[SocketAddr],
    configs: &UpstreamConfigs,
) -> Result<Upstream, Failure> {
    let (tcp, address) = dial(resource, addresses).await?;
    let (stream, channel) = secure(resource, tcp, configs).await?;
    Ok(Upstream { wire: Wire::new(stream), address, channel })
}

async fn dial(resource: &Resource, addresses: &[SocketAddr]) -> Result<(TcpStream, SocketAddr), Failure> {
    let mut reason = "its name has no address".to_owned();
    for &address in addresses {
        match tokio::time::timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => {
                let socket = SockRef::from(&tcp);
                let keepalive =
                    TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(10));
                // A connection without them works, and fails later than it could.
                let _ = socket.set_tcp_nodelay(true).and_then(|()| socket.set_tcp_keepalive(&keepalive));
                return Ok((tcp, address));
            }
            Ok(Err(error)) => reason = format!("{address}: {error}"),
            Err(_) => reason = format!("{address}: no answer within {} s", CONNECT.as_secs()),
        }
    }
    let fatal = unreachable(resource, &reason).hint("see that the server runs and that the gateway's node reaches it");
    Err(Failure::fatal(fatal))
}

fn unreachable(resource: &Resource, reason: &str) -> Fatal {
    Fatal::new(
        sqlstate::CANNOT_CONNECT,
        format!("the gateway cannot connect to resource {:?}: {reason}", &*resource.name),
    )
}

async fn secure(
    resource: &Resource,
    mut tcp: TcpStream,
    configs: &UpstreamConfigs,
) -> Result<(Stream, Channel), Failure> {
    let mode = resource.tls.mode;
    if mode == TlsMode::Disable {
        return Ok((Stream::Plain(tcp), Channel::Plain));
    }
    let config =
        configs.of(&resource.tls).map_err(|error| Failure::fatal(unreachable(resource, &error.to_string())))?;
    let broken = |error: std::io::Error| Failure::fatal(unreachable(resource, &error.to_string()));
    tcp.write_all(&SSL_REQUEST).await.map_err(broken)?;
    // One byte and no more: what follows is the handshake's.
    match tcp.read_u8().await.map_err(broken)? {
        b'S' => {}
        b'N' if mode == TlsMode::Prefer => return Ok((Stream::Plain(tcp), Channel::Plain)),
        b'N' => {
            let fatal = unreachable(resource, "the server has no TLS").hint(
                "turn TLS on in the server (ssl = on); where the network is trusted, the gateway's resource may say tls.mode = \"disable\"",
            );
            return Err(Failure::fatal(fatal));
        }
        // An ErrorResponse at this point comes from whoever is in between as well.
        b'E' => return Err(Failure::fatal(unreachable(resource, "the server refused to negotiate TLS"))),
        other => return Err(Failure::server_protocol(&resource.name, format!("{other:#04x} answers an SSL request"))),
    }
    let name = ServerName::try_from(resource.address.host.clone())
        .map_err(|_| Failure::fatal(unreachable(resource, "its host cannot be a certificate's name")))?;
    let stream = TlsConnector::from(config).connect(name, tcp).await.map_err(|error| {
        let hint = if mode == TlsMode::VerifyFull {
            "the server's certificate has to name the resource's host in a subject alternative name and be signed by an authority of tls.ca"
        } else {
            "see the server's log"
        };
        Failure::fatal(unreachable(resource, &format!("TLS failed: {error}")).hint(hint))
    })?;
    let leaf = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let binding = leaf.and_then(|leaf| server_end_point(leaf));
    let channel = if mode == TlsMode::VerifyFull { Channel::Verified(binding) } else { Channel::Encrypted(binding) };
    Ok((Stream::Tls(Box::new(TlsStream::Client(stream))), channel))
}
