//! Where resources are: their names, resolved again when their records end.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name as DnsName, RecordType};
use hickory_resolver::{Hosts, TokioResolver};
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout, timeout_at};

use super::names::{AGAIN, Answer, Names, Question};
use crate::config::Config;
use crate::config::directory::{Directory, Family};

/// How long a start waits for names; those that come later are taken when they come, and may be anywhere until then.
const FIRST: Duration = Duration::from_secs(5);

/// How long one question may take.
const LIMIT: Duration = Duration::from_secs(20);

/// Asks for every name by itself: one that takes long keeps neither the others nor connections waiting.
pub(super) struct Resolving {
    source: Source,
    config: Arc<Config>,
    names: Names,
    asking: JoinSet<(Question, Answer)>,
}

impl Resolving {
    /// The first directory is there on return.
    pub(super) async fn start(config: Arc<Config>) -> Result<(Self, Directory)> {
        let mut names = Names::default();
        names.follow(&config, Instant::now());
        let mut resolving = Resolving { source: Source::of_the_node()?, config, names, asking: JoinSet::new() };
        resolving.ask();
        let until = tokio::time::Instant::now().checked_add(FIRST).unwrap_or_else(tokio::time::Instant::now);
        while let Ok(Some(asked)) = timeout_at(until, resolving.asking.join_next()).await {
            if let Ok((question, answer)) = asked {
                resolving.names.answer(&question, answer, Instant::now());
            }
        }
        let directory = resolving.directory_of(&resolving.config);
        Ok((resolving, directory))
    }

    /// The next directory, when it is another. Can be dropped and asked again without losing one.
    pub(super) async fn next(&mut self) -> Directory {
        loop {
            self.ask();
            let next = self.names.next(Instant::now());
            let changed = tokio::select! {
                Some(asked) = self.asking.join_next(), if !self.asking.is_empty() => match asked {
                    Ok((question, answer)) => self.names.answer(&question, answer, Instant::now()),
                    // It is asked again.
                    Err(_) => false,
                },
                () = sleep_until(next.into()) => self.names.expire(Instant::now()),
            };
            if changed {
                return self.directory_of(&self.config);
            }
        }
    }

    /// What is known now of the resources of a configuration.
    pub(super) fn directory_of(&self, config: &Config) -> Directory {
        self.names.directory(config)
    }

    /// Takes another configuration, and the node's resolvers as they are now.
    pub(super) fn configure(&mut self, config: Arc<Config>) {
        self.names.follow(&config, Instant::now());
        self.config = config;
        match Source::of_the_node() {
            Ok(source) => self.source = source,
            Err(error) => {
                tracing::error!(error = %format!("{error:#}"), "names are asked of the resolvers that were there before")
            }
        }
    }

    fn ask(&mut self) {
        for question in self.names.due(Instant::now()) {
            let source = self.source.clone();
            self.asking.spawn(async move {
                let asked = timeout(LIMIT, source.ask(&question)).await;
                let answer = asked.unwrap_or_else(|_| Answer::Failed(format!("no answer in {} s", LIMIT.as_secs())));
                (question, answer)
            });
        }
    }

    pub(super) async fn stop(mut self) {
        self.asking.shutdown().await;
    }
}

/// The node's hosts file and resolvers.
#[derive(Clone)]
struct Source {
    hosts: Arc<Hosts>,
    resolver: TokioResolver,
}

impl Source {
    fn of_the_node() -> Result<Self> {
        let resolver = TokioResolver::builder_tokio().and_then(|mut builder| {
            // A name that is made later is to be found soon.
            builder.options_mut().negative_max_ttl = Some(AGAIN.0);
            builder.build()
        });
        let resolver = resolver.context("the node's resolvers cannot be read from /etc/resolv.conf")?;
        Ok(Source { hosts: Arc::new(Hosts::from_system().unwrap_or_default()), resolver })
    }

    async fn ask(&self, (host, family): &Question) -> Answer {
        if let Some(answer) = self.in_hosts(host, *family) {
            return answer;
        }
        match self.look_up(host, *family).await {
            // Of several names of a search list the last one's failure is told: was it the name itself that nobody knows?
            Answer::None => self.look_up(&format!("{host}."), *family).await,
            answer => answer,
        }
    }

    async fn look_up(&self, host: &str, family: Family) -> Answer {
        match self.resolver.lookup(host, record_type(family)).await {
            Ok(found) => told(&found, family),
            Err(error) if error.is_no_records_found() => Answer::None,
            Err(error) => Answer::Failed(error.to_string()),
        }
    }

    /// A name in the file is asked of nobody, in neither family: so it is for workloads.
    fn in_hosts(&self, host: &str, family: Family) -> Option<Answer> {
        let name = DnsName::from_utf8(host).ok()?;
        let held = |family| self.hosts.lookup_static_host(&Query::query(name.clone(), record_type(family)));
        if Family::ALL.into_iter().all(|family| held(family).is_none()) {
            return None;
        }
        Some(held(family).map_or(Answer::None, |found| told(&found, family)))
    }
}

fn told(found: &Lookup, family: Family) -> Answer {
    let held = found.valid_until().saturating_duration_since(Instant::now());
    let mut ips: Vec<IpAddr> = Vec::new();
    // In the order of the answer, by which servers share the load.
    for ip in found.answers().iter().filter_map(|record| record.data.ip_addr()) {
        if Family::of(ip) == family && !ips.contains(&ip) {
            ips.push(ip);
        }
    }
    if ips.is_empty() { Answer::None } else { Answer::Addresses(ips, held) }
}

fn record_type(family: Family) -> RecordType {
    match family {
        Family::V4 => RecordType::A,
        Family::V6 => RecordType::AAAA,
    }
}
