//! Where resources are: their names, resolved again when their records end.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use hickory_resolver::TokioResolver;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::access::Name;
use crate::config::directory::{Directory, Listing};
use crate::config::{Config, Resource};

/// The shortest and the longest time until a name is asked for again, whatever its record says.
const AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(3600));

/// Resolves in a task of its own: a resolver that does not answer must not keep connections waiting.
pub(super) struct Resolving {
    config: watch::Sender<Arc<Config>>,
    directories: mpsc::Receiver<Directory>,
    task: JoinHandle<()>,
}

impl Resolving {
    /// The first directory is there on return.
    pub(super) async fn start(config: Arc<Config>) -> Result<(Self, Directory)> {
        let mut addresses = Addresses::new()?;
        let (directory, again) = addresses.directory(&config).await;
        let (config, configured) = watch::channel(config);
        let (sender, directories) = mpsc::channel(1);
        let task = tokio::spawn(addresses.follow(configured, sender, again));
        Ok((Resolving { config, directories, task }, directory))
    }

    /// The next directory, when an address may have changed. Can be dropped and asked again without losing one.
    pub(super) async fn next(&mut self) -> Option<Directory> {
        self.directories.recv().await
    }

    /// Takes another configuration; its directory comes by [`Resolving::next`].
    pub(super) fn configure(&self, config: Arc<Config>) {
        self.config.send_replace(config);
    }

    pub(super) async fn stop(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// Resolves names, and keeps the last answer of one that does not resolve now.
struct Addresses {
    resolver: TokioResolver,
    known: BTreeMap<Name, Known>,
}

struct Known {
    addresses: Arc<[SocketAddr]>,
    until: Instant,
}

impl Addresses {
    /// With the node's own resolvers.
    fn new() -> Result<Self> {
        let resolver = TokioResolver::builder_tokio().and_then(hickory_resolver::ResolverBuilder::build);
        let resolver = resolver.context("the node's resolvers cannot be read from /etc/resolv.conf")?;
        Ok(Addresses { resolver, known: BTreeMap::new() })
    }

    /// The directory of every resource, with names resolved whose time is over; and when to ask again.
    async fn directory(&mut self, config: &Config) -> (Directory, Instant) {
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

    async fn follow(
        mut self,
        mut configured: watch::Receiver<Arc<Config>>,
        directories: mpsc::Sender<Directory>,
        mut again: Instant,
    ) {
        loop {
            tokio::select! {
                changed = configured.changed() => if changed.is_err() { return },
                () = tokio::time::sleep_until(again.into()) => {}
            }
            let config = Arc::clone(&configured.borrow_and_update());
            let (directory, next) = self.directory(&config).await;
            again = next;
            if directories.send(directory).await.is_err() {
                return;
            }
        }
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
