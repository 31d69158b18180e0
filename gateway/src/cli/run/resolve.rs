//! Where resources are: their names, resolved again when their records end.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use hickory_resolver::TokioResolver;

use crate::access::Name;
use crate::config::directory::{Directory, Listing};
use crate::config::{Config, Resource};

/// The shortest and the longest time until a name is asked for again, whatever its record says.
const AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(3600));

/// Resolves names, and keeps the last answer of one that does not resolve now.
pub(super) struct Addresses {
    resolver: TokioResolver,
    known: BTreeMap<Name, Known>,
}

struct Known {
    addresses: Arc<[SocketAddr]>,
    until: Instant,
}

impl Addresses {
    /// With the node's own resolvers.
    pub(super) fn new() -> Result<Self> {
        let resolver = TokioResolver::builder_tokio().and_then(hickory_resolver::ResolverBuilder::build);
        let resolver = resolver.context("the node's resolvers cannot be read from /etc/resolv.conf")?;
        Ok(Addresses { resolver, known: BTreeMap::new() })
    }

    /// The directory of every resource, with names resolved whose time is over; and when to ask again.
    pub(super) async fn directory(&mut self, config: &Config) -> (Directory, Instant) {
        let now = Instant::now();
        let mut next = now.checked_add(AGAIN.1).unwrap_or(now);
        let mut listings = Vec::new();
        self.known.retain(|name, _| config.resources.contains_key(name));
        for (name, resource) in &config.resources {
            let addresses = match resource.address.ip() {
                Some(ip) => [SocketAddr::new(ip, resource.address.port)].into(),
                None => {
                    let known = self.resolve(name, resource, now).await;
                    next = next.min(known.until);
                    Arc::clone(&known.addresses)
                }
            };
            listings.push(Listing { resource: Arc::clone(resource), addresses });
        }
        let (directory, ambiguous) = Directory::new(listings);
        for clash in ambiguous {
            let [one, other] = &clash.resources;
            tracing::error!(address = %clash.address, one, other, "two resources have one address: neither is reached there");
        }
        (directory, next)
    }

    async fn resolve(&mut self, name: &Name, resource: &Resource, now: Instant) -> &Known {
        let known = self.known.entry(Arc::clone(name)).or_insert(Known { addresses: Arc::new([]), until: now });
        if known.until > now {
            return known;
        }
        let (shortest, longest) = AGAIN;
        match self.resolver.lookup_ip(resource.address.host.as_str()).await {
            Ok(found) => {
                known.addresses = found.iter().map(|ip| SocketAddr::new(ip, resource.address.port)).collect();
                let left = found.valid_until().saturating_duration_since(now);
                known.until = now.checked_add(left.clamp(shortest, longest)).unwrap_or(now);
            }
            Err(error) => {
                tracing::warn!(resource = %name, host = %resource.address.host, %error,
                    "does not resolve; its last addresses stay");
                known.until = now.checked_add(shortest).unwrap_or(now);
            }
        }
        known
    }
}
