//! Which protocol a connection speaks: what its resource says. A new protocol is one line here.

use std::sync::Arc;

use tokio::net::TcpStream;

use super::{Services, postgres};
use crate::config::{Protocol, Resource};
use crate::session::Session;

/// Serves a connection to `resource` in the protocol that the resource speaks.
pub(super) async fn serve(client: TcpStream, session: Session, resource: Arc<Resource>, services: &Services) {
    match resource.protocol {
        Protocol::Postgres => postgres::serve(client, session, resource, services).await,
    }
}
