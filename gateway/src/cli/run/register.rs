//! The sessions of one core, and what each was opened by: one that does not hold any more is ended.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::cores::{Assignment, Way};
use crate::config::directory::{Directory, Found};
use crate::config::{Config, Resource, Workload};
use crate::session::Ending;

/// Every session of a core.
#[derive(Debug, Default)]
pub(super) struct Register {
    next: Cell<u64>,
    sessions: RefCell<HashMap<u64, Opened>>,
}

/// What a session was opened by.
#[derive(Debug)]
struct Opened {
    workload: Arc<Workload>,
    /// Absent: its destination was no resource.
    resource: Option<Arc<Resource>>,
    destination: SocketAddr,
    end: oneshot::Sender<Arc<str>>,
}

/// A session's place in the register; dropped, it is out.
#[derive(Debug)]
pub(super) struct Entry {
    register: Rc<Register>,
    number: u64,
}

impl Register {
    /// Enters a session that is about to be opened.
    pub(super) fn enter(self: &Rc<Self>, assignment: &Assignment) -> (Ending, Entry) {
        let resource = match &assignment.way {
            Way::Resource(resource, _) => Some(Arc::clone(resource)),
            Way::Unlisted | Way::Refused(_) => None,
        };
        self.insert(Arc::clone(&assignment.workload), resource, assignment.accepted.destination.0)
    }

    fn insert(
        self: &Rc<Self>,
        workload: Arc<Workload>,
        resource: Option<Arc<Resource>>,
        destination: SocketAddr,
    ) -> (Ending, Entry) {
        let (end, ending) = Ending::new();
        let number = self.next.replace(self.next.get().wrapping_add(1));
        self.sessions.borrow_mut().insert(number, Opened { workload, resource, destination, end });
        (ending, Entry { register: Rc::clone(self), number })
    }

    /// Tells those to end that were opened by something that does not hold any more.
    pub(super) fn review(&self, config: &Config, directory: &Directory) {
        let mut sessions = self.sessions.borrow_mut();
        let over = sessions.iter().filter_map(|(number, opened)| Some((*number, opened.over(config, directory)?)));
        for (number, why) in over.collect::<Vec<_>>() {
            if let Some(opened) = sessions.remove(&number) {
                // One that has ended meanwhile needs no telling.
                let _ = opened.end.send(why.into());
            }
        }
    }
}

impl Opened {
    /// Why the session cannot go on.
    fn over(&self, config: &Config, directory: &Directory) -> Option<String> {
        if !config.has_workload(&self.workload) {
            return Some(format!("the gateway's definition of workload {} has changed", self.workload.name));
        }
        match &self.resource {
            Some(resource) if config.has_resource(resource) => None,
            Some(resource) => Some(format!("the gateway's definition of resource {} has changed", resource.name)),
            None => match directory.find(self.destination) {
                Found::Listed(listing) => Some(format!("its destination is resource {} now", listing.resource.name)),
                Found::Contested(names) => Some(format!("its destination is one of {} now", names.join(", "))),
                Found::Unknown(_) | Found::Unlisted => None,
            },
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.register.sessions.borrow_mut().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::cli::run::names::Names;
    use crate::config::ThisNode;

    fn config(mode: &str, username: &str, also: &str) -> Config {
        let text = format!(
            "state_dir = \"/s\"\npolicies = \"/p\"\n\
             [workloads.job]\nmatch = {{ cgroup = \"/job\" }}\nmode = \"{mode}\"\n\
             [resources.a]\nprotocol = \"postgres\"\naddress = \"192.0.2.1:1\"\n\
             credentials = {{ username = \"{username}\" }}\n{also}"
        );
        Config::parse(Path::new("/gateway.toml"), &text, &ThisNode).unwrap()
    }

    /// What a session to the resource and one to 192.0.2.9:1 are told when `now` follows.
    fn told(now: Config) -> [Option<String>; 2] {
        let before = config("observe", "app", "");
        let (job, a) = (&before.workloads["job"], &before.resources["a"]);
        let register = Rc::new(Register::default());
        let destinations = [(Some(Arc::clone(a)), "192.0.2.1:1"), (None, "192.0.2.9:1")];
        let entered =
            destinations.map(|(resource, to)| register.insert(Arc::clone(job), resource, to.parse().unwrap()));
        let now = now.after(&before);
        register.review(&now, &Names::default().directory(&now));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let told = entered.map(|(mut ending, entry)| {
            // Nobody is left to tell it: what it was told is there, or never comes.
            drop(entry);
            runtime.block_on(async {
                tokio::select! {
                    biased;
                    why = ending.told() => Some(why.to_string()),
                    () = tokio::task::yield_now() => None,
                }
            })
        });
        assert!(register.sessions.borrow().is_empty());
        told
    }

    #[test]
    fn sessions_end_when_what_they_were_opened_by_has_changed() {
        assert_eq!(told(config("observe", "app", "")), [None, None]);
        let ended = |what: &str| Some(format!("the gateway's definition of {what} has changed"));
        assert_eq!(told(config("observe", "other", "")), [ended("resource a"), None]);
        assert_eq!(told(config("enforce", "app", "")), [ended("workload job"), ended("workload job")]);
        let also = "[resources.b]\nprotocol = \"postgres\"\naddress = \"192.0.2.9:1\"\n";
        assert_eq!(told(config("observe", "app", also)), [None, Some("its destination is resource b now".to_owned())]);
    }
}
