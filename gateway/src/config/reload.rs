//! What stays the same from one configuration to the next.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Config, Resource, Workload};
use crate::access::Name;

impl Config {
    /// This configuration, with every workload and resource that is defined as before being the very same: whoever holds
    /// one can tell by the pointer whether it still holds.
    #[must_use]
    pub fn after(mut self, before: &Config) -> Self {
        keep(&mut self.workloads, &before.workloads);
        keep(&mut self.resources, &before.resources);
        self
    }

    /// Whether a workload is defined as it was when `workload` was taken.
    pub fn has_workload(&self, workload: &Arc<Workload>) -> bool {
        self.workloads.get(&workload.name).is_some_and(|now| Arc::ptr_eq(now, workload))
    }

    /// Whether a resource is defined as it was when `resource` was taken.
    pub fn has_resource(&self, resource: &Arc<Resource>) -> bool {
        self.resources.get(&resource.name).is_some_and(|now| Arc::ptr_eq(now, resource))
    }
}

fn keep<T: PartialEq>(now: &mut BTreeMap<Name, Arc<T>>, before: &BTreeMap<Name, Arc<T>>) {
    for (name, now) in now {
        if let Some(before) = before.get(name).filter(|before| *before == now) {
            *now = Arc::clone(before);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::ThisNode;

    fn config(sensitive: &str, mode: &str) -> Config {
        let text = format!(
            "state_dir = \"/s\"\npolicies = \"/p\"\n\
             [workloads.job]\nmatch = {{ cgroup = \"/job\" }}\nmode = \"{mode}\"\n\
             [resources.a]\nprotocol = \"postgres\"\naddress = \"192.0.2.1:1\"\n\
             [resources.b]\nprotocol = \"postgres\"\naddress = \"192.0.2.2:1\"\n\
             [resources.b.sensitive]\n\"public.users.{sensitive}\" = [\"pii\"]\n"
        );
        Config::parse(Path::new("/gateway.toml"), &text, &ThisNode).unwrap()
    }

    #[test]
    fn only_what_changed_is_another() {
        let before = config("ssn", "observe");
        let same = config("ssn", "observe").after(&before);
        let (job, a, b) = (&before.workloads["job"], &before.resources["a"], &before.resources["b"]);
        assert!(same.has_workload(job) && same.has_resource(a) && same.has_resource(b));
        let other = config("card", "enforce").after(&before);
        assert!(!other.has_workload(job) && other.has_resource(a) && !other.has_resource(b));
    }
}
