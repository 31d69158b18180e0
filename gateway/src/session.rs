//! One intercepted connection: who called, what they wanted to reach, and the door their commands pass.

use std::cell::RefCell;
use std::future::pending;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::oneshot;

use crate::config::{Mode, Resource, Workload};
use crate::guard::{Core, Guard, Party};
use crate::intercept::{ClientAddr, OriginalDestination, Process};
use crate::policy::ResourceRef;
use crate::record::{Opened, RecordError, Recorder, Recordings, SessionId};
use crate::workload::principal;

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
    /// Tells when it has to end; never, if nobody has put one here.
    pub ending: Ending,
}

/// Tells a session to end: what it was opened by does not hold any more.
#[derive(Debug, Default)]
pub struct Ending(Option<oneshot::Receiver<Arc<str>>>);

impl Ending {
    /// One that can be told, and what tells it why. Dropping that is to let the session go on.
    pub fn new() -> (oneshot::Sender<Arc<str>>, Self) {
        let (sender, receiver) = oneshot::channel();
        (sender, Ending(Some(receiver)))
    }

    /// Waits until it is told why. Can be dropped and asked again, until it has answered once.
    pub async fn told(&mut self) -> Arc<str> {
        if let Some(receiver) = &mut self.0 {
            let told = receiver.await;
            self.0 = None;
            if let Ok(why) = told {
                return why;
            }
        }
        pending().await
    }
}

/// What a session is opened from.
#[derive(Debug)]
pub struct Call {
    /// Who called.
    pub workload: Arc<Workload>,
    /// What they reach.
    pub resource: Option<Arc<Resource>>,
    /// Where it is.
    pub upstream: Arc<[SocketAddr]>,
    /// Where they called from.
    pub client: ClientAddr,
    /// Where they wanted to go.
    pub destination: OriginalDestination,
    /// Which process called.
    pub process: Process,
}

impl Session {
    /// Opens a session: its recording's first entry is in the page cache on return.
    ///
    /// # Errors
    /// The recording cannot be written: nothing may be forwarded.
    pub fn open(recordings: &Arc<Recordings>, core: Rc<RefCell<Core>>, call: Call) -> Result<Self, RecordError> {
        let Call { workload, resource, upstream, client, destination, process } = call;
        let id = SessionId::new();
        let opened = Opened {
            id: id.clone(),
            workload: workload.name.clone(),
            groups: workload.groups.clone(),
            observe: workload.mode == Mode::Observe,
            resource: resource.as_ref().map(|resource| resource.name.clone()),
            client: client.0,
            destination: destination.0,
            upstream: upstream.to_vec(),
            pid: process.pid,
            uid: process.uid,
            cgroup: process.cgroup,
            netns: process.netns,
            started: SystemTime::now(),
        };
        let recorder = Recorder::create(recordings, opened)?;
        let address = destination.0.ip().to_canonical();
        let party = Party {
            principal: principal(&workload),
            resource: resource
                .as_ref()
                .map(|resource| ResourceRef { name: resource.name.clone(), tags: resource.tags.as_slice().into() }),
            address,
            port: destination.0.port(),
            observe: workload.mode == Mode::Observe,
        };
        let guard = Guard::new(core, party, recorder);
        Ok(Session { id, workload, resource, upstream, client, destination, process, guard, ending: Ending::default() })
    }
}
