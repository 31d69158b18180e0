//! What the kernel side is told of a configuration: labels, patterns, users, settings. Made before anything changes.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use gateway_ebpf::{ENDPOINTS_MAX, Endpoint, LABELS_MAX, NO_LABEL, ORIGINS_MAX, Settings, UNKNOWN_LABEL};

use super::maps::Raw;
use super::patterns::{Automaton, PatternsError};
use crate::access::Name;
use crate::config::{Capture, Config, Match, OnGatewayDown};

/// The most redirected connections that a workload may have at the same time, also where there are few workloads.
const CONNECTIONS_MAX: u32 = 32_768;

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
    /// Without the automaton's start and the generation.
    pub(super) settings: Settings,
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
            generation: 0,
        };
        let allow_udp = config.intercept.allow_udp.iter().map(|address| (Raw(endpoint(*address)), 1)).collect();
        Ok(Plan { labels, automaton, uids, allow_udp, settings })
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
    fn a_label_depends_on_nothing_but_the_name() {
        assert_eq!(label("nightly"), label("nightly"));
        assert_ne!(label("nightly"), label("weekly"));
    }
}
