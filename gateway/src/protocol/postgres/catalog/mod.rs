//! The catalog of a database: what is asked of the server, and what the operator's patterns make of the answers.
//!
//! `questions` is what is asked, `answer` how, `build` makes a catalog of the answers, `prints` tells what changed, `read` does both over some connection, whole or
//! for what changed. `slot` is what the sessions of a database share; `poll` keeps it true over a connection of the
//! gateway's own. `tags` remembers what patterns are bound to, `backends` which sessions are on it.

mod answer;
mod backends;
mod build;
mod poll;
mod prints;
mod questions;
mod read;
mod slot;
mod tags;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use crate::access::Name;
use crate::config::Resource;
use crate::protocol::Services;
use crate::sql::Catalog;
pub(super) use answer::{Answered, Answering, AskError, LOCK_NOT_AVAILABLE, Taken, ask};
pub(crate) use backends::Backend;
pub(super) use backends::Presence;
pub(super) use questions::TEMPORARY;
pub(super) use read::{Asks, SessionLook};
pub(super) use slot::{Known, MAX_AGE, Renaming};
use slot::{Memory, Slot};

/// How many databases are remembered. Workloads choose their names, so they have to be bounded.
const MAX_DATABASES: usize = 256;

/// How many connections of the gateway's own there are at most.
const MAX_CONNECTIONS: usize = 64;

/// What PostgreSQL keeps of a name, in bytes (NAMEDATALEN - 1).
const MAX_NAME: usize = 63;

/// The schemas of a `search_path`'s text; `$user` is the role. `None`: it cannot be read.
pub(super) fn search_path(text: &str, role: &str) -> Option<Vec<Name>> {
    let mut path = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let name = match rest.strip_prefix('"') {
            Some(quoted) => {
                let mut name = String::new();
                let mut chars = quoted.char_indices().peekable();
                let end = loop {
                    match chars.next()? {
                        (_, '"') if chars.next_if(|(_, c)| *c == '"').is_some() => name.push('"'),
                        (at, '"') => break at,
                        (_, c) => name.push(c),
                    }
                };
                rest = quoted.get(end.saturating_add(1)..)?.trim_start();
                name
            }
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                let name = rest.get(..end)?.trim().to_ascii_lowercase();
                rest = rest.get(end..)?;
                name
            }
        };
        // The server cuts what is longer than a name can be.
        let name = name.get(..name.floor_char_boundary(MAX_NAME)).unwrap_or_default();
        path.push(if name == "$user" { role.into() } else { name.into() });
        rest = match rest.strip_prefix(',') {
            Some(more) => more.trim_start(),
            None if rest.is_empty() => rest,
            None => return None,
        };
    }
    Some(path)
}

/// The catalogs of every database that sessions of this daemon are on.
#[derive(Debug)]
pub(crate) struct Catalogs {
    state_dir: PathBuf,
    connections: Arc<Semaphore>,
    slots: Mutex<HashMap<(Name, Name), Entry>>,
}

#[derive(Debug)]
struct Entry {
    memory: Arc<Memory>,
    /// Of the resource as it was configured when it was made.
    slot: Arc<Slot>,
}

/// What is known of a database, for people.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DatabaseStatus {
    /// The resource.
    pub resource: Name,
    /// The database.
    pub database: Name,
    /// Whether the gateway has a connection of its own for it.
    pub own_connection: bool,
    /// How many relations are known; 0 before it was first read.
    pub relations: usize,
    /// Whether it was read whole.
    pub complete: bool,
    /// Why it cannot be used, or why the gateway's own connection does not answer.
    pub problem: Option<String>,
    /// Patterns that match nothing in it.
    pub unmatched: Arc<Vec<String>>,
}

/// A session's part of a slot: while there is one, the database is looked at.
#[derive(Debug)]
pub(super) struct Using(Arc<Slot>);

impl Deref for Using {
    type Target = Arc<Slot>;

    fn deref(&self) -> &Arc<Slot> {
        &self.0
    }
}

impl Drop for Using {
    fn drop(&mut self) {
        self.0.sessions.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Catalogs {
    /// None is known yet; what tags are bound to is kept in `state_dir`.
    pub(crate) fn new(state_dir: &Path) -> Self {
        Catalogs {
            state_dir: state_dir.to_owned(),
            connections: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            slots: Mutex::default(),
        }
    }

    /// The slot of a database; asked once a session.
    pub(super) fn slot(
        &self,
        resource: &Arc<Resource>,
        database: &Name,
        addresses: &[SocketAddr],
        services: &Services,
    ) -> Using {
        let slot = self.find(resource, database);
        slot.sessions.fetch_add(1, Ordering::AcqRel);
        slot.addresses.store(Arc::new(addresses.to_vec()));
        poll::ensure(&slot, self, services);
        Using(slot)
    }

    fn find(&self, resource: &Arc<Resource>, database: &Name) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (Arc::clone(&resource.name), Arc::clone(database));
        if let Some(entry) = slots.get_mut(&key) {
            if !Arc::ptr_eq(&entry.slot.resource, resource) {
                // It was configured anew: running sessions keep theirs.
                entry.slot = Arc::new(Slot::new(resource, database, Arc::clone(&entry.memory)));
            }
            return Arc::clone(&entry.slot);
        }
        if slots.len() >= MAX_DATABASES {
            slots.retain(|_, entry| entry.slot.sessions.load(Ordering::Acquire) > 0);
        }
        let memory = Arc::new(Memory::new(&self.state_dir, &resource.name, database));
        let slot = Arc::new(Slot::new(resource, database, Arc::clone(&memory)));
        // Beyond that a session has one of its own.
        if slots.len() < MAX_DATABASES {
            slots.insert(key, Entry { memory, slot: Arc::clone(&slot) });
        }
        slot
    }

    /// The newest catalog of a database, if sessions have been on it.
    pub(crate) fn newest(&self, resource: &str, database: &str) -> Option<Arc<Catalog>> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let known = slots.get(&(resource.into(), database.into()))?.slot.last()?;
        Some(Arc::clone(&known.catalog))
    }

    /// What is known of the databases that sessions have been on.
    pub(crate) fn status(&self) -> Vec<DatabaseStatus> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<DatabaseStatus> = slots.values().map(|entry| entry.slot.status()).collect();
        found.sort();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_path_is_read_as_the_server_prints_it() {
        let path = |text: &str| search_path(text, "app").map(|path| path.join("|"));
        assert_eq!(path("\"$user\", public").as_deref(), Some("app|public"));
        assert_eq!(path("a, \"B\"\"c,\", d").as_deref(), Some("a|B\"c,|d"));
        assert_eq!(path("").as_deref(), Some(""));
        assert_eq!(path(&format!("\"{}\", b", "é".repeat(40))), Some(format!("{}|b", "é".repeat(31))));
        assert_eq!(path("\"open"), None);
        assert_eq!(path("\"a\" b"), None);
    }

    fn resource(sensitive: &[&str]) -> Arc<Resource> {
        use crate::config::{HostPort, ObjectPattern, Protocol, Sensitive, TlsMode, UpstreamTls};
        let line = |text: &&str| Sensitive { pattern: ObjectPattern::parse(text).unwrap(), tags: vec!["pii".into()] };
        Arc::new(Resource {
            name: "orders".into(),
            protocol: Protocol::Postgres,
            address: HostPort { host: "db".to_owned(), port: 5432 },
            tags: Vec::new(),
            tls: UpstreamTls { mode: TlsMode::Disable, ca: None },
            present: None,
            credentials: None,
            sensitive: sensitive.iter().map(line).collect(),
        })
    }

    #[test]
    fn a_catalog_serves_only_sessions_on_the_definition_it_was_built_by() {
        let state = tempfile::tempdir().unwrap();
        let (catalogs, database) = (Catalogs::new(state.path()), Name::from("appdb"));
        let (before, after) = (resource(&["public.users.ssn"]), resource(&["public.users.ssn", "public.users.card"]));
        let old = catalogs.find(&before, &database);
        assert!(Arc::ptr_eq(&catalogs.find(&before, &database), &old));
        let new = catalogs.find(&after, &database);
        assert!(!Arc::ptr_eq(&new, &old) && Arc::ptr_eq(&catalogs.find(&after, &database), &new));
        assert!(Arc::ptr_eq(&new.memory, &old.memory), "what tags are bound to is the database's");
    }

    #[test]
    fn databases_that_workloads_make_up_are_not_remembered_for_ever() {
        let state = tempfile::tempdir().unwrap();
        let (catalogs, resource) = (Catalogs::new(state.path()), resource(&[]));
        let used = catalogs.find(&resource, &"used".into());
        used.sessions.fetch_add(1, Ordering::AcqRel);
        for number in 0..MAX_DATABASES * 3 {
            catalogs.find(&resource, &format!("db{number}").into());
        }
        assert!(catalogs.status().len() <= MAX_DATABASES);
        assert!(Arc::ptr_eq(&catalogs.find(&resource, &"used".into()), &used));
    }
}
