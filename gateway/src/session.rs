//! One intercepted connection: who called, what they wanted to reach, and the door their commands pass.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::config::{Resource, Workload};
use crate::guard::Guard;
use crate::intercept::{ClientAddr, OriginalDestination, Process};
use crate::record::SessionId;

/// One intercepted connection, from accept to close.
#[derive(Debug)]
pub struct Session {
    /// Its id, in every log line and in the recording's name.
    pub id: SessionId,
    /// Who called.
    pub workload: Arc<Workload>,
    /// What they reach; absent: a destination that is no resource.
    pub resource: Option<Arc<Resource>>,
    /// The resource's own addresses, as the gateway resolved them; the original destination where there is none.
    pub upstream: Arc<[SocketAddr]>,
    /// Where they called from.
    pub client: ClientAddr,
    /// Where they wanted to go.
    pub destination: OriginalDestination,
    /// Which process called.
    pub process: Process,
    /// The door.
    pub guard: Guard,
}
