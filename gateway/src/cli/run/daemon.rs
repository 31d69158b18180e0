//! The daemon's life: start, serve, reload, stop. Anything that cannot be set up fails the start with its reason.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use arc_swap::ArcSwap;
use tokio::signal::unix::{SignalKind, signal};

use super::cores::{Assignment, Cores, Shared};
use super::resolve::Resolving;
use crate::config::directory::Directory;
use crate::config::{Config, Problems};
use crate::control::status::{ResourceStatus, UnmatchedPattern};
use crate::control::{Notice, Server, Status, StatusSource, notify};
use crate::intercept::{Accepted, Interceptor, Namespaces, View};
use crate::metrics;
use crate::policy::Policies;
use crate::protocol::Services;
use crate::record::Recordings;
use crate::workload::Roster;

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
        let resources = config.resources.keys().map(|name| ResourceStatus {
            name: name.to_string(),
            addresses: directory.addresses_of(name).map(|address| address.to_string()).collect(),
        });
        let (opened, closed) = (metrics::SESSIONS_OPENED.get(), metrics::SESSIONS_CLOSED.get());
        let unmatched = self.services.unmatched_patterns().into_iter().flat_map(|(resource, database, patterns)| {
            patterns
                .iter()
                .map(|pattern| UnmatchedPattern {
                    resource: resource.to_string(),
                    database: database.to_string(),
                    pattern: pattern.clone(),
                })
                .collect::<Vec<_>>()
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
            policies: self.policies.load().len(),
            sessions: opened.saturating_sub(closed),
            sessions_opened: opened,
            unmatched: unmatched.collect(),
            recorder,
            reload: (**self.reload.load()).clone(),
            intercept,
        }
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
    let mut interceptor = Interceptor::start(&config, directory.addresses().collect(), namespaces.clone()).await?;
    let shared = Shared { policies: Arc::clone(&policies), recordings: Arc::clone(&recordings), services, namespaces };
    let cores = Cores::start(&shared)?;
    let mut roster = Roster::new(&config);
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
    let ended = loop {
        tokio::select! {
            accepted = interceptor.accept() => match accepted {
                Ok(accepted) => dispatch(accepted, &roster, &public, &cores),
                Err(error) => break Err(error),
            },
            Some(directory) = resolving.next() => {
                interceptor.cover(directory.addresses().collect())?;
                public.directory.store(Arc::new(directory));
            }
            _ = hangup.recv() => {
                let reloaded = reload(path, &interceptor, &public, &mut generation).await;
                if reloaded.is_ok() {
                    roster = Roster::new(&public.config.load());
                    resolving.configure(public.config.load_full());
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
    resolving.stop().await;
    interceptor.stop().await;
    drop(control);
    cores.stop();
    Ok(ended?)
}

fn dispatch(accepted: Accepted, roster: &Roster, public: &Public, cores: &Cores) {
    let workload = public.intercept.workload(accepted.label).and_then(|name| roster.get(&name).cloned());
    let Some(workload) = workload else {
        // Dropping it closes it.
        tracing::warn!(client = %accepted.client.0, "a connection was closed: its workload is not configured any more");
        return;
    };
    let directory = public.directory.load();
    let resource = directory
        .find(accepted.destination.0)
        .map(|listing| (Arc::clone(&listing.resource), Arc::clone(&listing.addresses)));
    cores.assign(Assignment { accepted, workload, resource });
}

async fn reload(path: &Path, interceptor: &Interceptor, public: &Public, generation: &mut u64) -> Result<()> {
    let next = generation.saturating_add(1);
    let (config, policies) = read(path, next)?;
    let running = public.config.load();
    // These belong to what was set up at the start.
    for (same, key) in [
        (config.state_dir == running.state_dir, "state_dir"),
        (config.control == running.control, "[control]"),
        (config.intercept.pin_dir == running.intercept.pin_dir, "intercept.pin_dir"),
    ] {
        anyhow::ensure!(same, "{key} cannot change while the daemon runs: restart it");
    }
    interceptor.reload(&config).await?;
    *generation = next;
    public.policies.store(Arc::new(policies));
    public.config.store(Arc::new(config));
    Ok(())
}

fn read(path: &Path, generation: u64) -> Result<(Config, Policies), Problems> {
    let config = Config::load(path)?;
    let policies = Policies::load(&config, generation)?;
    Ok((config, policies))
}
