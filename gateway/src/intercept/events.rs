//! What the programs report: counted for ever, logged at a bounded rate.

use std::collections::BTreeMap;

use gateway_ebpf::{Event, Reason};

use super::plan::address;
use crate::access::Name;
use crate::log::Limiter;

/// Of these nothing is told of what was left out.
const QUIET: [Reason; 5] =
    [Reason::Redirected, Reason::NotCovered, Reason::CgroupLabelled, Reason::Arrived, Reason::GatewayDownOpen];

/// Writes events to the log, so many lines a second for each workload and reason.
#[derive(Debug)]
pub(super) struct EventLog {
    limiter: Limiter<(u32, &'static str)>,
}

impl EventLog {
    pub(super) fn new() -> Self {
        EventLog { limiter: Limiter::default() }
    }

    /// Whether a workload may cause a line of this kind now. What may not is counted, and told by [`EventLog::tick`].
    pub(super) fn allows(&mut self, label: u32, kind: &'static str) -> bool {
        self.limiter.admit((label, kind))
    }

    /// Logs one event, or counts it among those that are not.
    pub(super) fn write(&mut self, event: &Event, reason: Reason, labels: &BTreeMap<u32, Name>) {
        if !self.allows(event.label, reason.name()) && reason != Reason::GatewayDownOpen {
            return;
        }
        let workload = labels.get(&event.label).map_or("unknown", |name| name);
        let (to, reason_name) = (address(&event.destination), reason.name());
        let (pid, uid, cgroup, netns, protocol) = (event.pid, event.uid, event.cgroup, event.netns, event.protocol);
        match reason {
            Reason::Redirected | Reason::NotCovered | Reason::Arrived => {
                tracing::debug!(workload, reason = reason_name, %to, pid, uid, cgroup, netns, "connect");
            }
            Reason::GatewayDownOpen => {
                tracing::warn!(workload, reason = reason_name, %to, pid, uid, cgroup, netns,
                    "connected directly while the gateway was down");
            }
            Reason::CgroupLabelled => tracing::debug!(workload, cgroup, "a new cgroup was labelled"),
            Reason::CgroupLost => tracing::error!(workload, cgroup, "a new cgroup's label could not be stored"),
            Reason::EventLost => {}
            _ => {
                tracing::warn!(workload, reason = reason_name, %to, protocol, pid, uid, cgroup, netns, "refused");
            }
        }
    }

    /// Once a second: says how many lines were left out.
    pub(super) fn tick(&mut self, labels: &BTreeMap<u32, Name>) {
        for ((label, kind), more) in self.limiter.left_out() {
            if !QUIET.iter().any(|reason| reason.name() == kind) {
                let workload = labels.get(&label).map_or("unknown", |name| name);
                tracing::warn!(workload, reason = kind, more, "further events of this kind in the last second");
            }
        }
    }
}
