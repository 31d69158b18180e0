//! PostgreSQL's frontend/backend protocol 3.

mod auth;
pub(crate) mod cancel;
pub(crate) mod catalog;
mod client_auth;
pub(crate) mod established;
mod failure;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
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

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::net::TcpStream;

use super::{Services, Unserved};
use crate::config::{Resource, UNLISTED};
use crate::log;
use crate::record::text::printable;
use crate::session::Session;
use crate::tls::{PresentError, Shown, ShownCertificate};
use failure::{Failure, Tell};
use negotiate::{Opened, Request, Unopened};
use reply::{Fatal, sqlstate};
use wire::Wire;

/// How long a client may take to say what it wants, TLS included.
const STARTUP: Duration = Duration::from_secs(10);

/// Serves one connection to `resource` until it ends.
pub(super) async fn serve(client: TcpStream, mut session: Session, resource: Arc<Resource>, services: &Services) {
    // A connection that delays small messages works, and is slow.
    let _ = client.set_nodelay(true);
    let shown = shown(&resource, session.destination.0.ip(), services);
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
    let mut ending = std::mem::take(&mut session.ending);
    let logged_in = tokio::select! {
        biased;
        why = ending.told() => {
            Err(Failure::fatal(Fatal::new(sqlstate::ADMIN_SHUTDOWN, &*why).hint("connect again")))
        }
        logged_in = request.run(&mut client, &mut session) => logged_in,
    };
    session.ending = ending;
    let ready = match logged_in {
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

/// What to show a client by the name that it asks for.
fn shown(
    resource: &Resource,
    destination: IpAddr,
    services: &Services,
) -> impl Fn(Option<&str>) -> Result<ShownCertificate, PresentError> {
    move |server_name| {
        let shown = Shown {
            server_name: server_name.map(str::to_owned),
            resource: resource.name.to_string(),
            host: resource.address.host.clone(),
            address: destination,
        };
        services.certificates().for_client(shown, resource.present.as_ref())
    }
}

/// Lets a client say what it wants, and tells it why it is not served.
pub(super) async fn refuse(
    client: TcpStream,
    resource: &Resource,
    destination: IpAddr,
    services: &Services,
    kind: Unserved,
    why: &str,
) {
    let opening = negotiate::open(client, shown(resource, destination, services));
    let Ok(Ok(Opened { wire, request: Request::Startup(_), .. })) = tokio::time::timeout(STARTUP, opening).await else {
        return;
    };
    let code = match kind {
        Unserved::Nowhere => sqlstate::CANNOT_CONNECT,
        Unserved::TooMany => sqlstate::TOO_MANY_CONNECTIONS,
    };
    let mut last = BytesMut::new();
    Fatal::new(code, why).encode(&mut last);
    wire.close(&last).await;
}

/// Ends a session that was never established, and says why to whoever is to know.
async fn end(client: Option<Wire>, mut session: Session, failure: Failure) {
    let (workload, reason) = (&session.workload.name, printable(&failure.log));
    if log::may_say(workload, log::Kind::Unbegun) {
        let resource = session.resource.as_ref().map_or(UNLISTED, |resource| &resource.name);
        tracing::warn!(session = %session.id, %workload, resource, %reason, "the start-up ended");
    }
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
