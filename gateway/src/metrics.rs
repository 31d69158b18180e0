//! Counters that the daemon keeps for as long as it runs. Adding to one is one relaxed instruction.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use gateway_ebpf::Reason;

use crate::access::Name;

/// A number that only grows. On a cache line of its own: cores that count different things do not meet.
#[derive(Debug)]
#[repr(align(64))]
pub struct Counter(AtomicU64);

impl Counter {
    const fn new() -> Self {
        Counter(AtomicU64::new(0))
    }

    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Makes it what somebody else has counted.
    pub fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    /// What it stands at.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Commands that were forwarded.
pub static COMMANDS_FORWARDED: Counter = Counter::new();
/// Commands that policy blocked.
pub static COMMANDS_BLOCKED: Counter = Counter::new();
/// Commands that wait for people's agreement.
pub static COMMANDS_HELD: Counter = Counter::new();
/// Commands that were forwarded because their workload is only observed.
pub static COMMANDS_OBSERVED: Counter = Counter::new();
/// Values that were replaced in results.
pub static MASKED_VALUES: Counter = Counter::new();
/// Sessions that were opened.
pub static SESSIONS_OPENED: Counter = Counter::new();
/// Sessions that ended.
pub static SESSIONS_CLOSED: Counter = Counter::new();
/// Writes to recordings that failed. Each stopped its session.
pub static RECORDER_FAILURES: Counter = Counter::new();
/// Connections that were open before their workload had its label.
pub static CONNECTIONS_DESTROYED: Counter = Counter::new();
/// AF_PACKET sockets that labelled processes have now.
pub static PACKET_SOCKETS: Counter = Counter::new();
/// What the eBPF programs have counted, in the order of [`Reason::ALL`], since their maps were made.
pub static KERNEL_EVENTS: [Counter; Reason::COUNT as usize] = [const { Counter::new() }; Reason::COUNT as usize];

/// Connections that the gateway has closed before they were sessions.
pub static CONNECTIONS_REFUSED: Refusals = Refusals(Mutex::new(BTreeMap::new()));

/// Numbers by workload and reason. As many as there are of both: neither is a workload's to choose.
#[derive(Debug)]
pub struct Refusals(Mutex<BTreeMap<(Name, &'static str), u64>>);

impl Refusals {
    /// Adds one.
    pub fn add(&self, workload: &Name, reason: &'static str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry((Name::clone(workload), reason)).or_insert(0);
        *count = count.saturating_add(1);
    }

    /// All of them.
    pub fn get(&self) -> Vec<(Name, &'static str, u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|((workload, reason), count)| (Name::clone(workload), *reason, *count)).collect()
    }
}

/// Every counter with its name and what it counts.
const ALL: [(&str, &str, &Counter); 9] = [
    ("sluice_commands_forwarded_total", "Commands that were forwarded.", &COMMANDS_FORWARDED),
    ("sluice_commands_blocked_total", "Commands that policy blocked.", &COMMANDS_BLOCKED),
    ("sluice_commands_held_total", "Commands that needed an approval.", &COMMANDS_HELD),
    (
        "sluice_commands_observed_total",
        "Commands that policy would have stopped in an observed workload.",
        &COMMANDS_OBSERVED,
    ),
    ("sluice_masked_values_total", "Values that were masked in results.", &MASKED_VALUES),
    ("sluice_sessions_opened_total", "Sessions that were opened.", &SESSIONS_OPENED),
    ("sluice_sessions_closed_total", "Sessions that ended.", &SESSIONS_CLOSED),
    (
        "sluice_connections_destroyed_total",
        "Connections that were open before their workload had its label.",
        &CONNECTIONS_DESTROYED,
    ),
    ("sluice_recorder_failures_total", "Writes to recordings that failed.", &RECORDER_FAILURES),
];

/// Every counter in Prometheus' text format 0.0.4.
pub fn prometheus() -> String {
    let mut out = String::new();
    for (name, help, counter) in ALL {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {}", counter.get());
    }
    let _ = writeln!(
        out,
        "# HELP sluice_kernel_events_total What the eBPF programs did, by reason.\n# TYPE sluice_kernel_events_total counter"
    );
    for (reason, counter) in Reason::ALL.iter().zip(&KERNEL_EVENTS) {
        let _ = writeln!(out, "sluice_kernel_events_total{{reason=\"{}\"}} {}", reason.name(), counter.get());
    }
    let _ = writeln!(
        out,
        "# HELP sluice_connections_refused_total Connections that the gateway closed before they were sessions.\n# TYPE sluice_connections_refused_total counter"
    );
    for (workload, reason, count) in CONNECTIONS_REFUSED.get() {
        // Names of workloads need no escape, see `[workloads.*]`.
        let _ =
            writeln!(out, "sluice_connections_refused_total{{workload=\"{workload}\",reason=\"{reason}\"}} {count}");
    }
    let _ = writeln!(
        out,
        "# HELP sluice_packet_sockets AF_PACKET sockets of labelled processes now: what they send is not guarded.\n# TYPE sluice_packet_sockets gauge\nsluice_packet_sockets {}",
        PACKET_SOCKETS.get()
    );
    let open = SESSIONS_OPENED.get().saturating_sub(SESSIONS_CLOSED.get());
    let _ = writeln!(
        out,
        "# HELP sluice_sessions_open Sessions that run now.\n# TYPE sluice_sessions_open gauge\nsluice_sessions_open {open}"
    );
    out
}
