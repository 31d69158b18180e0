//! PostgreSQL's frontend/backend protocol 3.

mod auth;
pub(crate) mod cancel;
pub(crate) mod catalog;
mod client_auth;
pub(crate) mod established;
mod failure;
mod login;
mod negotiate;
mod relay;
mod reply;
pub(crate) mod scram;
mod server_error;
mod settings;
mod startup;
mod upstream;
pub(crate) mod wire;

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::net::TcpStream;

use super::Services;
use crate::config::Resource;
use crate::session::Session;
use crate::tls::Shown;
use failure::{Failure, Tell};
use negotiate::{Opened, Request, Unopened};
use wire::Wire;

/// How long a client may take to say what it wants, TLS included.
const STARTUP: Duration = Duration::from_secs(10);

/// Serves one connection to `resource` until it ends.
pub(super) async fn serve(client: TcpStream, mut session: Session, resource: Arc<Resource>, services: &Services) {
    // A connection that delays small messages works, and is slow.
    let _ = client.set_nodelay(true);
    let shown = |server_name: Option<&str>| {
        let shown = Shown {
            server_name: server_name.map(str::to_owned),
            resource: resource.name.to_string(),
            host: resource.address.host.clone(),
            address: session.destination.0.ip(),
        };
        services.certificates().for_client(shown, resource.present.as_ref())
    };
    let opened = tokio::time::timeout(STARTUP, negotiate::open(client, shown)).await;
    let Opened { wire, tls, request } = match opened {
        Ok(Ok(opened)) => opened,
        Ok(Err(Unopened { wire, failure })) => return end(wire.map(|wire| *wire), session, failure).await,
        Err(_) => return end(None, session, Failure::silent("the client stalled in the start-up")).await,
    };
    let startup = match request {
        Request::Startup(startup) => startup,
        Request::Cancel(key) => {
            let name = tls.as_ref().and_then(|tls| tls.server_name.as_deref());
            let served = cancel::serve(&key, name, &mut session, &resource, services).await;
            return match served {
                Ok(()) => session.guard.close(),
                Err(failure) => end(Some(wire), session, failure).await,
            };
        }
    };
    let request = login::Request { startup: &startup, tls: tls.as_ref(), resource: &resource, services };
    let mut client = wire;
    let ready = match request.run(&mut client, &mut session).await {
        Ok(ready) => ready,
        Err(failure) => return end(Some(client), session, failure).await,
    };
    match ready.establish(client, session, request).await {
        Ok(established) => relay::relay(established, services).await,
        Err(unestablished) => {
            let login::Unestablished { client, session, failure } = *unestablished;
            end(Some(client), session, failure).await;
        }
    }
}

/// Ends a session that was never established.
async fn end(client: Option<Wire>, mut session: Session, failure: Failure) {
    session.guard.note(&format!("the start-up ended: {}", failure.log.escape_debug()));
    if let Some(client) = client {
        let mut last = BytesMut::new();
        match failure.tell {
            Tell::Nothing => {}
            Tell::Fatal(fatal) => fatal.encode(&mut last),
            Tell::Verbatim(error) => last = error,
        }
        client.close(&last).await;
    }
    session.guard.close();
}
