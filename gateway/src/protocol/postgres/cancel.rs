//! Cancel keys: the workload holds one of the gateway's own, and only that workload can use it.
//!
//! A CancelRequest comes on a connection of its own. The real key never leaves the gateway: it would let anyone who
//! reaches the server cancel, unrecorded, what the gateway's role runs.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use super::established::ProtocolVersion;
use super::failure::Failure;
use super::{startup, upstream};
use crate::access::Name;
use crate::config::Resource;
use crate::protocol::Services;
use crate::record::SessionId;
use crate::session::Session;

/// Bytes of a key as protocol 3.0 knows it.
const KEY_V3_0: usize = 4;
/// Bytes of a key where its length is free: what PostgreSQL 18 uses.
const KEY_V3_2: usize = 32;
/// The longest key of protocol 3.2.
pub(super) const KEY_MAX: usize = 256;

/// Process id and secret, as BackendKeyData and CancelRequest carry them.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct CancelKey {
    pub(super) process: u32,
    pub(super) secret: Zeroizing<Vec<u8>>,
}

impl Hash for CancelKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.process.hash(state);
        self.secret.as_slice().hash(state);
    }
}

impl fmt::Debug for CancelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelKey").field("process", &self.process).finish_non_exhaustive()
    }
}

/// What a key of the gateway's stands for.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) workload: Name,
    pub(super) resource: Name,
    pub(super) session: SessionId,
    /// The very server that runs the session: a name may have several addresses.
    pub(super) upstream: SocketAddr,
    pub(super) real: CancelKey,
}

/// Every key that a session of this daemon holds. As many as there are sessions, which are capped where they open.
#[derive(Clone, Debug, Default)]
pub(crate) struct CancelKeys(Arc<Mutex<HashMap<CancelKey, Target>>>);

/// No randomness to make a key of.
#[derive(Debug, thiserror::Error)]
#[error("the system has no random numbers to make a cancel key of")]
pub(super) struct NoRandomness;

impl CancelKeys {
    /// Makes a key that stands for `target`.
    pub(super) fn register(&self, version: ProtocolVersion, target: Target) -> Result<Registration, NoRandomness> {
        let length = match version {
            ProtocolVersion::V3_0 => KEY_V3_0,
            ProtocolVersion::V3_2 => KEY_V3_2,
        };
        let random = SystemRandom::new();
        // Two servers' processes may have the same number, and 4 bytes may collide.
        for _ in 0..16 {
            let mut secret = Zeroizing::new(vec![0; length]);
            random.fill(&mut secret).map_err(|_| NoRandomness)?;
            let key = CancelKey { process: target.real.process, secret };
            let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let std::collections::hash_map::Entry::Vacant(free) = keys.entry(key.clone()) {
                free.insert(target);
                return Ok(Registration { key: Some(key), keys: self.clone() });
            }
        }
        Err(NoRandomness)
    }

    /// What `key` stands for, if `workload` may use it on `resource`.
    pub(super) fn find(&self, key: &CancelKey, workload: &str, resource: &str) -> Option<Target> {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.get(key).filter(|target| &*target.workload == workload && &*target.resource == resource).cloned()
    }
}

/// A key in use; dropped, the key is unknown.
#[derive(Debug)]
pub(crate) struct Registration {
    key: Option<CancelKey>,
    keys: CancelKeys,
}

impl Registration {
    /// For a server that gave no key: its sessions cannot be cancelled.
    pub(super) fn none(keys: &CancelKeys) -> Self {
        Registration { key: None, keys: keys.clone() }
    }

    pub(super) fn key(&self) -> Option<&CancelKey> {
        self.key.as_ref()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Some(key) = &self.key {
            self.keys.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        }
    }
}

/// How long a server may take to signal.
const SIGNAL: Duration = Duration::from_secs(10);

/// Serves a connection that asks to cancel. Its client learns nothing but the connection's end, as from a server.
pub(super) async fn serve(
    key: &CancelKey,
    server_name: Option<&str>,
    session: &mut Session,
    resource: &Resource,
    services: &Services,
) -> Result<(), Failure> {
    session.guard.connect(server_name).map_err(|refusal| Failure::silent(refusal.reason))?;
    session.guard.commit().map_err(|error| Failure::silent(error.0))?;
    let target = services.cancel_keys().find(key, &session.workload.name, &resource.name);
    let target =
        target.ok_or_else(|| Failure::silent("a cancel request with a key that is none of this workload's"))?;
    session.guard.note(&format!("cancel request for session {}", target.session));
    session.guard.commit().map_err(|error| Failure::silent(error.0))?;
    let sent = async {
        let mut upstream = upstream::connect(resource, &[target.upstream], services.upstream_tls()).await?;
        let sent = upstream.wire.send(&startup::encode_cancel(&target.real)).await;
        sent.map_err(|error| Failure::silent(format!("the cancel request was not sent: {error}")))?;
        // The server closes when it has signalled: the client must not believe it sooner.
        while upstream.wire.fill().await.is_ok_and(|read| read > 0) {
            upstream.wire.input.clear();
        }
        Ok(())
    };
    let sent: Result<(), Failure> = tokio::time::timeout(SIGNAL, sent)
        .await
        .unwrap_or_else(|_| Err(Failure::silent("the server did not take the cancel request in time")));
    sent.map_err(|failure| Failure::silent(failure.log))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(workload: &str) -> Target {
        Target {
            workload: workload.into(),
            resource: "orders".into(),
            session: SessionId("s".into()),
            upstream: "127.0.0.1:5432".parse().unwrap(),
            real: CancelKey { process: 7, secret: Zeroizing::new(vec![1, 2, 3, 4]) },
        }
    }

    #[test]
    fn a_key_serves_its_workload_and_resource_while_the_session_lives() {
        let keys = CancelKeys::default();
        let held = keys.register(ProtocolVersion::V3_0, target("a")).unwrap();
        let key = held.key().unwrap().clone();
        assert_eq!((key.process, key.secret.len()), (7, 4));
        assert_eq!(keys.find(&key, "a", "orders").unwrap().real.secret[..], [1, 2, 3, 4]);
        assert!(keys.find(&key, "b", "orders").is_none());
        assert!(keys.find(&key, "a", "billing").is_none());
        drop(held);
        assert!(keys.find(&key, "a", "orders").is_none());
    }

    #[test]
    fn protocol_3_2_gets_a_long_key_and_none_is_printed() {
        let keys = CancelKeys::default();
        let held = keys.register(ProtocolVersion::V3_2, target("a")).unwrap();
        assert_eq!(held.key().unwrap().secret.len(), 32);
        assert!(format!("{held:?}").contains("process: 7, .."));
    }
}
