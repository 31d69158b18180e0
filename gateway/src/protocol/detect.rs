//! Which protocol a connection speaks: what its resource says. A new protocol is one line in each function here.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::net::TcpStream;

use super::{Services, Unserved, postgres};
use crate::config::{Protocol, Resource};
use crate::session::Session;

/// Serves a connection to `resource` in the protocol that the resource speaks.
pub(super) async fn serve(client: TcpStream, session: Session, resource: Arc<Resource>, services: &Services) {
    match resource.protocol {
        Protocol::Postgres => postgres::serve(client, session, resource, services).await,
    }
}

/// Tells a client in the protocol that the resource speaks why it is not served.
pub(super) async fn refuse(
    client: TcpStream,
    resource: &Resource,
    destination: IpAddr,
    services: &Services,
    kind: Unserved,
    why: &str,
) {
    match resource.protocol {
        Protocol::Postgres => postgres::refuse(client, resource, destination, services, kind, why).await,
    }
}
