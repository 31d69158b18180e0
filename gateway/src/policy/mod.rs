//! Cedar policies: which action of whom on what is permitted, and what has to be added.

mod decide;
mod load;
mod memo;
mod rule;
mod source;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::access::{Effect, Name};
use crate::config::{Config, UNLISTED};
use crate::mask::Mask;

pub use decide::Policies;
pub use memo::{ContextKey, Memo};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Principal {
    /// The workload's name.
    pub workload: Name,
    /// The groups it is in.
    pub groups: Arc<[Name]>,
    /// Identity claims, as entity tags.
    pub claims: Arc<[(Name, Name)]>,
}

/// The resource that every object of a request is on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ResourceRef {
    /// Its name.
    pub name: Name,
    /// Its tags.
    pub tags: Arc<[Name]>,
}

/// The attributes that every `sql.*` action has, beyond an effect's own facts.
#[derive(Clone, Debug)]
pub struct SqlContext<'a> {
    /// The statement's text.
    pub text: &'a str,
    /// Its fingerprint.
    pub fingerprint: &'a str,
    /// Whether a transaction block is open.
    pub in_transaction: bool,
    /// When, UTC: hour 0 to 23 and weekday 1 (Monday) to 7 are derived from it.
    pub at: std::time::SystemTime,
}

/// What the policy answers about one effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A plain permit matched and no forbid did.
    Permit(Arc<Obligations>),
    /// Anything else.
    Deny(Arc<Denial>),
}

/// What matching permits add. All empty where nothing is added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Obligations {
    /// The strictest mask; two different ones are `Redact`.
    pub mask: Option<Mask>,
    /// Every approval that has to be had.
    pub approvals: Vec<ApprovalRule>,
    /// The ids of the policies that added them.
    pub policies: Vec<Name>,
}

/// One `@approve`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalRule {
    /// The group of people whose agreement counts.
    pub group: Name,
    /// How many of them.
    pub quorum: u32,
    /// How long to wait.
    pub timeout: Duration,
    /// The policy's id.
    pub policy: Name,
}

/// Why an effect was not permitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The ids of the policies that forbade it; empty: nothing permitted it.
    pub policies: Vec<Name>,
    /// The first `@reason`, or a sentence that names action and object.
    pub reason: String,
}

/// One question.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// Who.
    pub principal: &'a Principal,
    /// On which resource.
    pub resource: &'a ResourceRef,
    /// What.
    pub effect: &'a Effect,
    /// In which circumstances.
    pub context: &'a SqlContext<'a>,
}

/// Every name that a policy may use.
#[derive(Debug, Default)]
struct Known {
    workloads: BTreeSet<Name>,
    users: BTreeSet<Name>,
    groups: BTreeSet<Name>,
    resources: BTreeSet<Name>,
    tags: BTreeSet<Name>,
}

impl Known {
    fn new(config: &Config) -> Self {
        let mut known = Known {
            workloads: config.workloads.keys().cloned().collect(),
            users: config.users.keys().cloned().collect(),
            resources: config.resources.keys().cloned().collect(),
            ..Known::default()
        };
        known.resources.insert(UNLISTED.into());
        known.groups.extend(config.workloads.values().flat_map(|workload| workload.groups.iter().cloned()));
        known.groups.extend(config.users.values().flat_map(|user| user.groups.iter().cloned()));
        for resource in config.resources.values() {
            known.tags.extend(resource.tags.iter().cloned());
            known.tags.extend(resource.sensitive.iter().flat_map(|line| line.tags.iter().cloned()));
        }
        known
    }
}
