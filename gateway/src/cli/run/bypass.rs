//! What went by while no daemon ran and `on_gateway_down` was "open": one recording for each workload, an entry for each
//! connect. The kernel side keeps so many of them as its buffer holds; what that lost is counted by it, as `event_lost`.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::access::Name;
use crate::config::{Mode, Workload};
use crate::intercept::Direct;
use crate::record::{CommandEntry, CommandId, Opened, RecordError, Recorder, Recordings, SessionId};

/// After how long without another a recording is closed.
pub(super) const QUIET: Duration = Duration::from_secs(1);

/// How many connects one recording holds; the next has the rest.
const MOST: u64 = 10_000;

/// Recordings that are being written.
pub(super) struct Bypasses {
    recordings: Arc<Recordings>,
    open: BTreeMap<Name, (Recorder, u64)>,
    last: Instant,
}

impl Bypasses {
    pub(super) fn new(recordings: Arc<Recordings>) -> Self {
        Bypasses { recordings, open: BTreeMap::new(), last: Instant::now() }
    }

    /// Records one. It has happened: where that cannot be done it can only be said.
    pub(super) fn record(&mut self, direct: &Direct, workload: &Workload) {
        self.last = Instant::now();
        if let Err(error) = self.try_record(direct, workload) {
            tracing::error!(workload = %workload.name, to = %direct.destination, %error,
                "a connect that went by while no daemon ran cannot be recorded");
        }
    }

    fn try_record(&mut self, direct: &Direct, workload: &Workload) -> Result<(), RecordError> {
        let (mut recorder, count) = match self.open.remove(&workload.name) {
            Some(open) => open,
            None => (Recorder::create(&self.recordings, opened(direct, workload))?, 0),
        };
        let count = count.saturating_add(1);
        recorder.command(&CommandEntry {
            id: CommandId(count),
            kind: "connect",
            text: &format!(
                "connect to {}, by process {}, uid {}, in cgroup {}",
                direct.destination, direct.process.pid, direct.process.uid, direct.process.cgroup
            ),
            fingerprint: "",
            effects: &[],
            parameters: &[],
            verdict: "direct",
            reason: Some("no daemon ran, and on_gateway_down is \"open\""),
            policies: &[],
            masks: &[],
            in_transaction: false,
        });
        let written = recorder.flush();
        if count < MOST && written.is_ok() {
            self.open.insert(workload.name.clone(), (recorder, count));
        } else {
            recorder.close();
        }
        written
    }

    /// When to look whether there are no more; none where nothing is being written.
    pub(super) fn due(&self) -> Option<Instant> {
        if self.open.is_empty() { None } else { self.last.checked_add(QUIET) }
    }

    /// Seals what is being written.
    pub(super) fn close(&mut self) {
        for (_, (recorder, _)) in std::mem::take(&mut self.open) {
            recorder.close();
        }
    }
}

fn opened(direct: &Direct, workload: &Workload) -> Opened {
    Opened {
        id: SessionId::new(),
        workload: workload.name.clone(),
        groups: workload.groups.clone(),
        observe: workload.mode == Mode::Observe,
        resource: None,
        // Nobody has seen the connection itself.
        client: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        destination: direct.destination,
        upstream: vec![direct.destination],
        pid: direct.process.pid,
        uid: direct.process.uid,
        cgroup: direct.process.cgroup,
        netns: direct.process.netns,
        started: SystemTime::now(),
    }
}
