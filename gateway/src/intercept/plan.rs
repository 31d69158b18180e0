//! What the kernel side is told of a configuration: labels, patterns, users, settings. Made before anything changes.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use gateway_ebpf::{
    ENDPOINTS_MAX, Endpoint, LABELS_MAX, LISTENERS_MAX, NO_LABEL, ORIGINS_MAX, Settings, UNKNOWN_LABEL,
};

use super::maps::Raw;
use super::patterns::{Automaton, PatternsError};
use crate::access::Name;
use crate::config::{Capture, Config, Match, OnGatewayDown};

/// The most redirected connections that a workload may have at the same time, also where there are few workloads.
const CONNECTIONS_MAX: u32 = 32_768;

/// The most network namespaces that a workload may have listeners in.
const NAMESPACES_MAX: usize = 256;

/// What the daemon itself has open at most: maps, links, the control socket, name resolution, reading `/proc`.
const OWN_FILES: u64 = 256;
/// The client's connection, the server's, and the recording.
const SESSION_FILES: u64 = 3;
/// A namespace and its listeners.
const NAMESPACE_FILES: u64 = 8;

/// Among how many workloads the open files are shared at most. Where there are more, so many together could take all:
/// with equal shares each of a thousand could do nothing under a low limit.
const FILE_SHARES: usize = 64;

/// Why a configuration cannot be given to the kernel.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The patterns do not go together.
    #[error(transparent)]
    Patterns(#[from] PatternsError),
    /// Two names have one number.
    #[error("workloads {one} and {other} would have the same label: rename one of them")]
    Collision {
        /// A workload.
        one: Name,
        /// The other.
        other: Name,
    },
    /// Two workloads would have the same processes.
    #[error("workloads {one} and {other} both match the user with uid {uid}: a user belongs to one workload")]
    SameUser {
        /// A workload.
        one: Name,
        /// The other.
        other: Name,
        /// Whose.
        uid: u32,
    },
    /// The kernel's tables are smaller.
    #[error("{count} {what} are more than the {most} that the kernel side holds")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there can be.
        most: u32,
    },
}

/// A configuration in the kernel's words.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) labels: BTreeMap<u32, Name>,
    pub(super) automaton: Automaton,
    pub(super) uids: BTreeMap<u32, u32>,
    pub(super) allow_udp: BTreeMap<Raw<Endpoint>, u32>,
    /// Without the automaton's start.
    pub(super) settings: Settings,
    /// How many network namespaces each workload may have listeners in.
    pub(super) namespaces_max: usize,
}

impl Plan {
    pub(super) fn new(config: &Config) -> Result<Self, PlanError> {
        fits("workloads", config.workloads.len(), LABELS_MAX / 2)?;
        // Each may have several addresses.
        fits("resources", config.resources.len(), ENDPOINTS_MAX / 16)?;
        fits("entries of allow_udp", config.intercept.allow_udp.len(), ENDPOINTS_MAX)?;
        let mut labels = BTreeMap::new();
        let (mut patterns, mut uids) = (Vec::new(), BTreeMap::new());
        for (name, workload) in &config.workloads {
            let label = label(name);
            if let Some(one) = labels.insert(label, name.clone()) {
                return Err(PlanError::Collision { one, other: name.clone() });
            }
            match &workload.matcher {
                Match::Cgroup(pattern) => patterns.push((name.clone(), label, pattern)),
                Match::User { uid, .. } => {
                    if let Some(one) = uids.insert(*uid, label).and_then(|label| labels.get(&label)) {
                        return Err(PlanError::SameUser { one: one.clone(), other: name.clone(), uid: *uid });
                    }
                }
            }
        }
        let automaton = Automaton::new(&patterns)?;
        let share = ORIGINS_MAX / u32::try_from(labels.len().max(1)).unwrap_or(u32::MAX);
        let settings = Settings {
            listed_only: u32::from(config.intercept.capture == Capture::Listed),
            open_when_down: u32::from(config.intercept.on_gateway_down == OnGatewayDown::Open),
            by_uid: u32::from(!uids.is_empty()),
            pattern_start: 0,
            long_patterns: u32::from(automaton.long),
            // Shares, so that no workload can take another's part of the table.
            connections_max: share.min(CONNECTIONS_MAX),
        };
        let namespaces = LISTENERS_MAX as usize / labels.len().max(1);
        let namespaces_max = namespaces.clamp(1, NAMESPACES_MAX);
        let allow_udp = config.intercept.allow_udp.iter().map(|address| (Raw(endpoint(*address)), 1)).collect();
        Ok(Plan { labels, automaton, uids, allow_udp, settings, namespaces_max })
    }

    /// Makes the shares fit so many open files, so that no workload can take those of another, or of the daemon.
    pub(super) fn fit_files(&mut self, limit: u64) {
        let shares = self.labels.len().clamp(1, FILE_SHARES);
        let files = limit.saturating_sub(OWN_FILES) / u64::try_from(shares).unwrap_or(u64::MAX);
        // A quarter is for namespaces. One of each, or a workload could do nothing.
        let (namespaces, sessions) = (files / 4 / NAMESPACE_FILES, files / 4 * 3 / SESSION_FILES);
        self.namespaces_max = self.namespaces_max.min(usize::try_from(namespaces).unwrap_or(usize::MAX)).max(1);
        let most = u32::try_from(sessions).unwrap_or(u32::MAX);
        self.settings.connections_max = self.settings.connections_max.min(most).max(1);
    }
}

/// Whether a configuration can be given to the kernel; what `sluice check` asks beside the configuration itself.
///
/// # Errors
/// It cannot.
pub fn check(config: &Config) -> Result<(), PlanError> {
    Plan::new(config).map(drop)
}

pub(super) fn fits(what: &'static str, count: usize, most: u32) -> Result<(), PlanError> {
    if count > most as usize { Err(PlanError::TooMany { what, count, most }) } else { Ok(()) }
}

/// A workload's number: the same for the same name, whatever else is configured and however often the daemon starts.
fn label(name: &str) -> u32 {
    let hash = blake3::hash(name.as_bytes());
    let [a, b, c, d, ..] = *hash.as_bytes();
    match u32::from_le_bytes([a, b, c, d]) {
        NO_LABEL | UNKNOWN_LABEL => 1,
        label => label,
    }
}

/// An address as the programs write it.
pub(super) fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint { address: words(address.ip()), port: u32::from(address.port()) }
}

pub(super) fn words(address: IpAddr) -> [u32; 4] {
    let octets = match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    };
    let (words, _) = octets.as_chunks::<4>();
    let mut out = [0; 4];
    for (out, word) in out.iter_mut().zip(words) {
        *out = u32::from_ne_bytes(*word);
    }
    out
}

/// The address that the programs wrote; v4-mapped ones as IPv4.
pub(super) fn address(endpoint: &Endpoint) -> SocketAddr {
    let [a, b, c, d] = endpoint.address.map(u32::to_ne_bytes);
    let mut octets = [0; 16];
    for (out, byte) in octets.iter_mut().zip([a, b, c, d].concat()) {
        *out = byte;
    }
    let port = u16::try_from(endpoint.port).unwrap_or(0);
    SocketAddr::new(IpAddr::from(octets).to_canonical(), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_go_to_the_kernels_form_and_back() {
        for text in ["10.1.2.3:5432", "[fd00::1]:1", "127.0.0.1:0"] {
            let socket: SocketAddr = text.parse().unwrap();
            assert_eq!(address(&endpoint(socket)), socket);
        }
        let mapped: SocketAddr = "[::ffff:10.0.0.1]:80".parse().unwrap();
        assert_eq!(endpoint(mapped), endpoint("10.0.0.1:80".parse().unwrap()));
    }

    #[test]
    fn shares_fit_the_limit_of_open_files() {
        let plan = |workloads: u32| Plan {
            labels: (1..=workloads).map(|label| (label, "w".into())).collect(),
            automaton: Automaton::new(&[]).unwrap(),
            uids: BTreeMap::new(),
            allow_udp: BTreeMap::new(),
            settings: Settings { connections_max: CONNECTIONS_MAX, ..Settings::default() },
            namespaces_max: NAMESPACES_MAX,
        };
        for (workloads, limit) in [(1, 1024), (1, 4096), (7, 65_536), (64, 20_000), (2000, 1_048_576), (2000, 20_000)] {
            let mut plan = plan(workloads);
            plan.fit_files(limit);
            let (connections, namespaces) = (u64::from(plan.settings.connections_max), plan.namespaces_max as u64);
            assert!(connections > 1 && namespaces > 0);
            let one = connections * SESSION_FILES + namespaces * NAMESPACE_FILES;
            let together = u64::from(workloads).min(FILE_SHARES as u64) * one;
            assert!(together + OWN_FILES <= limit, "{workloads} {limit}: {together}");
        }
        let mut plan = plan(1);
        plan.fit_files(1 << 30);
        assert_eq!((plan.settings.connections_max, plan.namespaces_max), (CONNECTIONS_MAX, NAMESPACES_MAX));
    }

    #[test]
    fn a_label_depends_on_nothing_but_the_name() {
        assert_eq!(label("nightly"), label("nightly"));
        assert_ne!(label("nightly"), label("weekly"));
    }
}
