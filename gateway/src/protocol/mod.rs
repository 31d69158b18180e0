//! Wire protocols: bytes to commands and back. Nothing here knows of policy, approval or recording.

mod detect;
pub mod postgres;
pub(crate) mod stream;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use zeroize::Zeroizing;

use crate::config::{Config, Resource};
use crate::secret::{NodeKeyError, Secrets, node_key};
use crate::session::Session;
use crate::sql::Catalog;
use crate::tls::{ALPN_POSTGRESQL, Authority, AuthorityError, Certificates, UpstreamConfigs};
use postgres::cancel::CancelKeys;
use postgres::catalog::Catalogs;
pub use postgres::catalog::DatabaseStatus;
use postgres::scram::{KeyCache, ScramError};

/// Bytes that are copied at once for a destination that is no resource.
const COPY: usize = 64 * 1024;

/// After how long a silence a client's kernel is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// How often it is asked again.
const KEEPALIVE_AGAIN: Duration = Duration::from_secs(10);

/// What the sessions of this daemon share, whatever they speak. A clone is the same services.
#[derive(Clone, Debug)]
pub struct Services {
    inner: Arc<Inner>,
}

struct Inner {
    mask_key: Zeroizing<[u8; 32]>,
    certificates: Certificates,
    upstream_tls: UpstreamConfigs,
    secrets: Secrets,
    scram_keys: KeyCache,
    cancel_keys: CancelKeys,
    catalogs: Catalogs,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").finish_non_exhaustive()
    }
}

/// The services cannot be had; the message says why and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ServicesError {
    /// The node's authority.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The key of the masks.
    #[error(transparent)]
    MaskKey(#[from] NodeKeyError),
    /// Random numbers.
    #[error("the system has no random numbers: is /dev/urandom there?")]
    NoRandomness,
}

impl From<ScramError> for ServicesError {
    fn from(_: ScramError) -> Self {
        ServicesError::NoRandomness
    }
}

impl Services {
    /// Loads the node CA and the mask key from the state folder, or makes them.
    ///
    /// # Errors
    /// The state folder cannot be written, or what is in there cannot be used.
    pub fn new(config: &Config) -> Result<Self, ServicesError> {
        let authority = Arc::new(Authority::open(&config.state_dir)?);
        let inner = Inner {
            mask_key: node_key(&config.state_dir, "mask.key")?,
            certificates: Certificates::new(authority, ALPN_POSTGRESQL),
            upstream_tls: UpstreamConfigs::new(ALPN_POSTGRESQL),
            secrets: Secrets::default(),
            scram_keys: KeyCache::new()?,
            cancel_keys: CancelKeys::default(),
            catalogs: Catalogs::new(&config.state_dir),
        };
        Ok(Services { inner: Arc::new(inner) })
    }

    /// What masks are keyed with: the same value has the same hash and token on this node, and on no other.
    pub(crate) fn mask_key(&self) -> &[u8; 32] {
        &self.inner.mask_key
    }

    /// Certificates to show to workloads.
    pub(crate) fn certificates(&self) -> &Certificates {
        &self.inner.certificates
    }

    /// TLS towards resources.
    pub(crate) fn upstream_tls(&self) -> &UpstreamConfigs {
        &self.inner.upstream_tls
    }

    /// Where credentials come from.
    pub(crate) fn secrets(&self) -> &Secrets {
        &self.inner.secrets
    }

    /// Keys that logins were derived to.
    pub(crate) fn scram_keys(&self) -> &KeyCache {
        &self.inner.scram_keys
    }

    /// What is known of the databases behind resources, as far as sessions have been there.
    pub fn databases(&self) -> Vec<DatabaseStatus> {
        self.inner.catalogs.status()
    }

    /// The newest catalog of a database behind a resource, as far as sessions have been there.
    pub fn catalog(&self, resource: &str, database: &str) -> Option<Arc<Catalog>> {
        self.inner.catalogs.newest(resource, database)
    }

    /// What is known of the databases behind resources.
    pub(crate) fn catalogs(&self) -> &Catalogs {
        &self.inner.catalogs
    }

    /// The cancel keys that workloads hold.
    pub(crate) fn cancel_keys(&self) -> &CancelKeys {
        &self.inner.cancel_keys
    }
}

/// Serves one connection to a resource until it ends. Runs on a current-thread runtime; says in the log what went
/// wrong, and closes the session's guard.
pub async fn serve(client: TcpStream, mut session: Session, services: &Services) {
    // One that is gone with all that it could still send may not have been able to say so.
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE_AGAIN);
    let _ = SockRef::from(&client).set_tcp_keepalive(&keepalive);
    match session.resource.clone() {
        Some(resource) => detect::serve(client, session, resource, services).await,
        None => {
            session.guard.note("a connection to a destination that is no resource cannot be served as one");
            session.guard.close();
        }
    }
}

/// Why a connection is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unserved {
    /// Where it leads to cannot be told.
    Nowhere,
    /// Its workload makes too many.
    TooMany,
}

/// Tells a client, in the protocol of the resource it may have meant, why it is not served, and closes.
pub async fn refuse(
    client: TcpStream,
    resource: &Resource,
    destination: IpAddr,
    services: &Services,
    kind: Unserved,
    why: &str,
) {
    detect::refuse(client, resource, destination, services, kind, why).await;
}

/// Copies bytes between a workload and a destination that is no resource, which policy permitted, until both ends
/// have closed.
pub async fn relay_untouched(mut client: TcpStream, mut upstream: TcpStream, mut session: Session) {
    let _ = client.set_nodelay(true).and_then(|()| upstream.set_nodelay(true));
    let copied = tokio::select! {
        biased;
        why = session.ending.told() => Err(why.to_string()),
        copied = tokio::io::copy_bidirectional_with_sizes(&mut client, &mut upstream, COPY, COPY) => {
            copied.map_err(|error| format!("it failed: {error}"))
        }
    };
    let note = match copied {
        Ok((sent, received)) => format!("relayed untouched: {sent} bytes sent, {received} received"),
        Err(why) => format!("relayed untouched until {why}"),
    };
    session.guard.note(&note);
    session.guard.close();
}
