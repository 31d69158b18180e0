//! Who is calling: from the kernel's label to a workload and its identity.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::access::Name;
use crate::config::{Config, Workload};
use crate::policy::Principal;

/// The workloads of one configuration, by name.
#[derive(Clone, Debug)]
pub struct Roster {
    workloads: BTreeMap<Name, Arc<Workload>>,
}

impl Roster {
    /// Those of `config`.
    pub fn new(config: &Config) -> Self {
        Roster { workloads: config.workloads.clone() }
    }

    /// The workload of that name; absent: it was taken out of the configuration since the kernel labelled.
    pub fn get(&self, name: &str) -> Option<&Arc<Workload>> {
        self.workloads.get(name)
    }
}

/// A workload as policies see it. What it is labelled by gives it no claims; other sources of identity do.
pub fn principal(workload: &Workload) -> Principal {
    Principal { workload: workload.name.clone(), groups: workload.groups.as_slice().into(), claims: Arc::new([]) }
}
