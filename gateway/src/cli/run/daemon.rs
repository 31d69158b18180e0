//! The daemon's life: start, serve, reload, stop. Anything that cannot be set up fails the start with its reason.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use arc_swap::ArcSwap;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::MissedTickBehavior;

use super::bypass::Bypasses;
use super::cores::{Assignment, Cores, Refused, Shared, Way};
use super::rate::Rates;
use super::resolve::Resolving;
use crate::access::Name;
use crate::config::directory::{Directory, Family, Found};
use crate::config::{Config, Problems};
use crate::control::status::{CatalogStatus, ContestedAddress, RefusedConnections, ResourceStatus, UnmatchedPattern};
use crate::control::{Notice, Server, Status, StatusSource, notify};
use crate::intercept::{Accepted, Interceptor, Namespaces, View};
use crate::policy::Policies;
use crate::protocol::{Services, Unserved};
use crate::record::Recordings;
use crate::workload::Roster;
use crate::{log, metrics};

/// How often the log is told how far the recordings' index has come.
const TELLING: Duration = Duration::from_secs(60);

/// What is read by the control socket while the daemon goes on.
struct Public {
    config_path: PathBuf,
    since: String,
    config: ArcSwap<Config>,
    directory: ArcSwap<Directory>,
    policies: Arc<ArcSwap<Policies>>,
    recordings: Arc<Recordings>,
    reload: ArcSwap<Option<String>>,
    intercept: Arc<View>,
    services: Services,
}

impl StatusSource for Public {
    fn status(&self) -> Status {
        let config = self.config.load();
        let directory = self.directory.load();
        let resources = config.resources.values().map(|resource| {
            let listing = directory.get(&resource.name);
            let spell = |addresses: &[SocketAddr]| addresses.iter().map(ToString::to_string).collect();
            ResourceStatus {
                name: resource.name.to_string(),
                address: format!("{}:{}", resource.address.host, resource.address.port),
                upstream: listing.map(|listing| spell(&listing.upstream)).unwrap_or_default(),
                addresses: listing.map(|listing| spell(&listing.addresses)).unwrap_or_default(),
                unresolved: listing.is_none_or(|listing| listing.upstream.is_empty()),
                anywhere: listing.map(|listing| listing.unknown.iter().map(spell_family).collect()).unwrap_or_default(),
            }
        });
        let contested = directory.contested().map(|(address, names)| ContestedAddress {
            address: address.to_string(),
            resources: names.iter().map(ToString::to_string).collect(),
        });
        let refused = metrics::CONNECTIONS_REFUSED.get().into_iter().map(|(workload, reason, count)| {
            RefusedConnections { workload: workload.to_string(), reason: reason.to_owned(), count }
        });
        let (opened, closed) = (metrics::SESSIONS_OPENED.get(), metrics::SESSIONS_CLOSED.get());
        let databases = self.services.databases();
        let unmatched = databases.iter().flat_map(|database| {
            database.unmatched.iter().map(|pattern| UnmatchedPattern {
                resource: database.resource.to_string(),
                database: database.database.to_string(),
                pattern: pattern.clone(),
            })
        });
        let catalogs = databases.iter().map(|database| CatalogStatus {
            resource: database.resource.to_string(),
            database: database.database.to_string(),
            own_connection: database.own_connection,
            relations: database.relations,
            complete: database.complete,
            problem: database.problem.clone(),
        });
        let recorder = self.recordings.failing();
        let intercept = self.intercept.status();
        let detached = intercept.get("detached_by_others").and_then(serde_json::Value::as_array);
        let guarded = detached.is_none_or(Vec::is_empty);
        Status {
            serving: recorder.is_none() && guarded,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            since: self.since.clone(),
            config: self.config_path.display().to_string(),
            workloads: config.workloads.keys().map(ToString::to_string).collect(),
            resources: resources.collect(),
            contested: contested.collect(),
            policies: self.policies.load().len(),
            sessions: opened.saturating_sub(closed),
            sessions_opened: opened,
            refused: refused.collect(),
            unmatched: unmatched.collect(),
            catalogs: catalogs.collect(),
            recorder,
            reload: (**self.reload.load()).clone(),
            intercept,
        }
    }
}

fn spell_family(family: &Family) -> String {
    match family {
        Family::V4 => "IPv4".to_owned(),
        Family::V6 => "IPv6".to_owned(),
    }
}

/// Serves until it is told to stop.
pub(super) async fn run(path: &Path) -> Result<()> {
    let (mut terminate, mut interrupt, mut hangup) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?);
    let config = Arc::new(Config::load(path)?);
    let mut generation = 1;
    let policies = Arc::new(ArcSwap::from_pointee(Policies::load(&config, generation)?));
    let recordings = Arc::new(Recordings::open(&config.state_dir)?);
    let services = Services::new(&config)?;
    let (mut resolving, directory) = Resolving::start(Arc::clone(&config)).await?;
    let namespaces = Namespaces::default();
    let mut interceptor = Interceptor::start(&config, directory.covered(), namespaces.clone()).await?;
    let mut direct = interceptor.direct();
    let mut bypasses = Bypasses::new(Arc::clone(&recordings));
    let shared = Shared { policies: Arc::clone(&policies), recordings: Arc::clone(&recordings), services, namespaces };
    let cores = Cores::start(&shared)?;
    let mut roster = Roster::new(&config);
    let mut rates = Rates::default();
    tell_contested(&directory, None);
    let public = Arc::new(Public {
        config_path: path.to_owned(),
        since: chrono::Utc::now().to_rfc3339(),
        config: ArcSwap::new(config),
        directory: ArcSwap::from_pointee(directory),
        policies,
        recordings,
        reload: ArcSwap::from_pointee(None),
        intercept: interceptor.view(),
        services: shared.services.clone(),
    });
    let source: Arc<dyn StatusSource> = Arc::clone(&public) as _;
    let control = Server::start(&public.config.load().control, source).await?;
    notify(Notice::Ready).context("NOTIFY_SOCKET cannot be told")?;
    tracing::info!(config = %path.display(), "serving");
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut telling = tokio::time::interval(TELLING);
    let ended = loop {
        tokio::select! {
            _ = telling.tick() => public.recordings.tell(),
            accepted = interceptor.accept() => match accepted {
                Ok(accepted) => dispatch(accepted, &roster, &mut rates, &public, &cores),
                Err(error) => break Err(error),
            },
            Some(direct) = direct.recv() => {
                let workload = public.intercept.workload(direct.label);
                if let Some(workload) = workload.and_then(|name| roster.get(&name)) {
                    bypasses.record(&direct, workload);
                }
            }
            () = until(bypasses.due()) => bypasses.close(),
            directory = resolving.next() => {
                let directory = Arc::new(directory);
                tell_contested(&directory, Some(&public.directory.load()));
                // Known before it is covered: what is redirected is found.
                public.directory.store(Arc::clone(&directory));
                drop(interceptor.cover(directory.covered())?);
                cores.review(&public.config.load_full(), &directory).await;
            }
            _ = second.tick() => log::tick(),
            _ = hangup.recv() => {
                let reloaded = reload(path, &interceptor, &mut resolving, &public, &cores, &mut generation).await;
                if reloaded.is_ok() {
                    let config = public.config.load();
                    roster = Roster::new(&config);
                    rates.keep(&config);
                }
                let failed = reloaded.err().map(|error| format!("{error:#}"));
                match &failed {
                    None => tracing::info!("reloaded"),
                    Some(error) => tracing::error!(%error, "the reload was not taken; what ran before still runs"),
                }
                public.reload.store(Arc::new(failed));
            }
            _ = terminate.recv() => break Ok(()),
            _ = interrupt.recv() => break Ok(()),
        }
    };
    tracing::info!("stopping; labelled workloads are refused until it runs again, or `sluice detach`");
    if let Err(error) = notify(Notice::Stopping) {
        tracing::warn!(%error, "systemd cannot be told");
    }
    bypasses.close();
    resolving.stop().await;
    interceptor.stop().await;
    drop(control);
    cores.stop();
    Ok(ended?)
}

/// Until then; for ever where there is no such time.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

fn dispatch(accepted: Accepted, roster: &Roster, rates: &mut Rates, public: &Public, cores: &Cores) {
    let workload = public.intercept.workload(accepted.label).and_then(|name| roster.get(&name).cloned());
    let Some(workload) = workload else {
        // Dropping it closes it.
        if log::may_say(&Name::from("unknown"), log::Kind::Closed) {
            tracing::warn!(client = %accepted.client.0,
                "a connection was closed: its workload is not configured any more");
        }
        return;
    };
    let directory = public.directory.load();
    let destination = accepted.destination.0;
    let mut way = way(&directory, destination);
    let counted = match &way {
        _ if !rates.take(&workload.name, Instant::now()) => {
            if log::may_say(&workload.name, log::Kind::Closed) {
                tracing::warn!(workload = %workload.name, client = %accepted.client.0, %destination,
                    "a connection was refused: its workload makes too many");
            }
            let meant = match way {
                Way::Resource(resource, _) => Some(resource),
                Way::Unlisted => None,
                Way::Refused(refused) => refused.meant,
            };
            let why = format!("workload {} makes more connections than the gateway takes", workload.name);
            way = Way::Refused(Refused { meant, kind: Unserved::TooMany, why });
            Some("rate")
        }
        Way::Refused(_) => Some("address"),
        _ => None,
    };
    if let Some(reason) = counted {
        metrics::CONNECTIONS_REFUSED.add(&workload.name, reason);
    }
    cores.assign(Assignment { accepted, workload, way });
}

/// Where a connection to `destination` leads.
fn way(directory: &Directory, destination: SocketAddr) -> Way {
    let (names, why) = match directory.find(destination) {
        Found::Listed(listing) => return Way::Resource(Arc::clone(&listing.resource), Arc::clone(&listing.upstream)),
        Found::Unlisted => return Way::Unlisted,
        Found::Contested(names) => (
            names,
            format!("{destination} is an address of resources {}: nobody can tell which is meant", names.join(" and ")),
        ),
        Found::Unknown(names) => (
            names,
            format!(
                "{destination} may be resource {}, whose name does not resolve: the gateway cannot tell",
                names.join(" or ")
            ),
        ),
    };
    let meant = names.first().and_then(|name| directory.get(name)).map(|listing| Arc::clone(&listing.resource));
    Way::Refused(Refused { meant, kind: Unserved::Nowhere, why })
}

/// Says which addresses have become those of more than one resource.
fn tell_contested(directory: &Directory, before: Option<&Directory>) {
    for (address, names) in directory.contested() {
        let known =
            before.is_some_and(|before| matches!(before.find(address), Found::Contested(same) if same == names));
        if !known {
            tracing::error!(%address, resources = names.join(", "),
                "several resources have one address: connections to it are closed");
        }
    }
}

async fn reload(
    path: &Path,
    interceptor: &Interceptor,
    resolving: &mut Resolving,
    public: &Public,
    cores: &Cores,
    generation: &mut u64,
) -> Result<()> {
    let next = generation.saturating_add(1);
    let (config, policies) = read(path, next)?;
    let running = public.config.load_full();
    // These belong to what was set up at the start.
    for (same, key) in [
        (config.state_dir == running.state_dir, "state_dir"),
        (config.control == running.control, "[control]"),
        (config.intercept.pin_dir == running.intercept.pin_dir, "intercept.pin_dir"),
    ] {
        anyhow::ensure!(same, "{key} cannot change while the daemon runs: restart it");
    }
    let config = Arc::new(config.after(&running));
    // By what is known of names; one that is new may be anywhere until it is answered for.
    let directory = Arc::new(resolving.directory_of(&config));
    let before = public.directory.load_full();
    // What either configuration covers is covered while one follows the other. Nothing that is redirected meanwhile is
    // looked at before this function is over.
    interceptor.cover(before.covered().into_iter().chain(directory.covered()).collect())?.await?;
    if let Err(error) = interceptor.reload(&config).await {
        drop(interceptor.cover(before.covered())?);
        return Err(error.into());
    }
    *generation = next;
    tell_contested(&directory, Some(&before));
    public.policies.store(Arc::new(policies));
    public.config.store(Arc::clone(&config));
    public.directory.store(Arc::clone(&directory));
    resolving.configure(Arc::clone(&config));
    cores.review(&config, &directory).await;
    interceptor.cover(directory.covered())?.await?;
    Ok(())
}

fn read(path: &Path, generation: u64) -> Result<(Config, Policies), Problems> {
    let config = Config::load(path)?;
    let policies = Policies::load(&config, generation)?;
    Ok((config, policies))
}
