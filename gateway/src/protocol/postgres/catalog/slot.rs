//! One database's catalog, shared by the sessions that are on it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::DatabaseStatus;
use super::backends::Backends;
use super::prints::Fingerprints;
use super::tags::{Bindings, File, Identity, TagsError};
use crate::access::Name;
use crate::config::Resource;
use crate::sql::{Catalog, inherit_tags, unread_version};

/// How old a catalog may be: others change databases too.
pub(in crate::protocol::postgres) const MAX_AGE: Duration = Duration::from_secs(1);

/// How long a session waits for the gateway's own connection before it asks on its own.
const WAIT: Duration = Duration::from_secs(10);

/// A catalog, and what the next one can be made from.
#[derive(Debug)]
pub(in crate::protocol::postgres) struct Known {
    pub(in crate::protocol::postgres) catalog: Arc<Catalog>,
    pub(super) prints: Fingerprints,
    pub(super) bindings: Bindings,
    /// What could be seen when it was read.
    pub(super) snapshot: Box<str>,
    /// Which database it is of.
    pub(super) identity: Identity,
}

#[cfg(any(test, feature = "fuzzing"))]
impl Known {
    /// A catalog that no server was asked for.
    pub(in crate::protocol::postgres) fn given(catalog: Arc<Catalog>) -> Arc<Self> {
        Arc::new(Known {
            catalog,
            prints: Fingerprints::default(),
            bindings: Bindings::default(),
            snapshot: Box::default(),
            identity: Identity::default(),
        })
    }
}

/// What was read, before tags.
pub(super) struct Draft {
    pub(super) catalog: Catalog,
    pub(super) prints: Fingerprints,
    pub(super) snapshot: Box<str>,
    pub(super) identity: Identity,
}

/// What patterns are bound to in one database, kept on disk. Outlives what a reload replaces.
#[derive(Debug)]
pub(super) struct Memory {
    file: File,
    /// As it is on disk, and what has come to it.
    state: Mutex<Option<State>>,
}

#[derive(Debug)]
struct State {
    identity: Identity,
    saved: Bindings,
    bindings: Bindings,
}

impl Memory {
    pub(super) fn new(state_dir: &Path, resource: &Name, database: &Name) -> Self {
        Memory { file: File::new(state_dir, resource, database), state: Mutex::default() }
    }

    /// Binds what patterns mean in a catalog and tags it. `committed`: everybody sees it, so it is kept.
    ///
    /// Where what was kept cannot be had, or what is new cannot be kept, the catalog is not a whole one.
    fn tag(
        &self,
        catalog: &mut Catalog,
        resource: &Resource,
        identity: &Identity,
        local: Option<&Bindings>,
        committed: bool,
    ) -> Result<Bindings, TagsError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.as_ref().is_none_or(|state| !state.identity.is(identity)) {
            let saved = self.file.load(identity)?;
            *state = Some(State { identity: identity.clone(), bindings: saved.clone(), saved });
        }
        let Some(state) = state.as_mut() else { return Ok(Bindings::default()) };
        if identity.cluster.is_some() && state.identity.cluster.is_none() {
            state.identity = identity.clone();
        }
        let mut bindings = state.bindings.clone();
        if let Some(local) = local {
            bindings.merge(local);
        }
        bindings.grow(catalog, resource);
        bindings.copy(catalog);
        if committed {
            bindings.prune(catalog);
            state.bindings = bindings.clone();
            if state.saved != bindings {
                self.file.save(&state.identity, &bindings)?;
                state.saved = bindings.clone();
            }
        }
        bindings.tag(catalog, resource);
        Ok(bindings)
    }

    /// Takes what a transaction bound that is over. Where it was rolled back, too much is bound, and never too little.
    fn merge(&self, bindings: &Bindings) {
        if let Some(state) = self.state.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            state.bindings.merge(bindings);
        }
    }
}

/// A catalog that was the database's at that time.
#[derive(Debug)]
struct Checked {
    known: Arc<Known>,
    at: Instant,
    epoch: u64,
}

/// A session that changes what names of sensitive objects mean; dropped when that is over, whichever way.
#[derive(Debug)]
pub(in crate::protocol::postgres) struct Renaming(Arc<(AtomicUsize, AtomicU64)>);

impl Drop for Renaming {
    fn drop(&mut self) {
        // In this order: at every moment one of the two tells of it.
        self.0.1.fetch_add(1, Ordering::AcqRel);
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// How the last turn of the gateway's own connection went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Turn {
    /// There was none yet.
    #[default]
    None,
    /// It said what the database is like.
    Done,
    /// It could not; why.
    Failed(Arc<str>),
}

/// One database's catalog. Looking at it takes no lock.
#[derive(Debug)]
pub(in crate::protocol::postgres) struct Slot {
    pub(super) resource: Arc<Resource>,
    pub(super) database: Name,
    pub(super) memory: Arc<Memory>,
    /// Where the server was when a session connected last.
    pub(super) addresses: ArcSwap<Vec<SocketAddr>>,
    current: ArcSwapOption<Checked>,
    /// Counts what sessions committed that changes names: a look from before one is no look.
    epoch: AtomicU64,
    /// How many sessions have begun to change what names of sensitive objects mean and are not over with it, and how many were.
    renaming: Arc<(AtomicUsize, AtomicU64)>,
    /// The sessions through the gateway.
    pub(in crate::protocol::postgres) backends: Arc<Backends>,
    unmatched: ArcSwap<Vec<String>>,
    problem: ArcSwapOption<String>,
    generation: AtomicU64,
    pub(super) sessions: AtomicUsize,
    /// Wakes the gateway's own connection.
    pub(super) wanted: Arc<Notify>,
    pub(super) turns: watch::Sender<Turn>,
    pub(super) task: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

impl Slot {
    pub(super) fn new(resource: &Arc<Resource>, database: &Name, memory: Arc<Memory>) -> Self {
        Slot {
            resource: Arc::clone(resource),
            database: Arc::clone(database),
            memory,
            addresses: ArcSwap::default(),
            current: ArcSwapOption::empty(),
            epoch: AtomicU64::new(0),
            renaming: Arc::default(),
            backends: Arc::default(),
            unmatched: ArcSwap::default(),
            problem: ArcSwapOption::empty(),
            generation: AtomicU64::new(1),
            sessions: AtomicUsize::new(0),
            wanted: Arc::default(),
            turns: watch::Sender::default(),
            task: Mutex::default(),
        }
    }

    fn is_fresh(&self, checked: &Checked) -> bool {
        checked.epoch == self.epoch() && checked.at.elapsed() < MAX_AGE
    }

    /// Whether that catalog is the database's.
    pub(in crate::protocol::postgres) fn is_current(&self, known: Option<&Arc<Known>>) -> bool {
        let current = self.current.load();
        match (&*current, known) {
            (Some(checked), Some(known)) => Arc::ptr_eq(&checked.known, known) && self.is_fresh(checked),
            _ => false,
        }
    }

    /// The catalog, if it is not too old.
    pub(in crate::protocol::postgres) fn fresh(&self) -> Option<Arc<Known>> {
        let current = self.current.load();
        current.as_ref().filter(|checked| self.is_fresh(checked)).map(|checked| Arc::clone(&checked.known))
    }

    /// The newest catalog there has been.
    pub(in crate::protocol::postgres) fn last(&self) -> Option<Arc<Known>> {
        self.current.load().as_ref().map(|checked| Arc::clone(&checked.known))
    }

    /// Whether the gateway has a connection of its own for it.
    pub(in crate::protocol::postgres) fn is_polled(&self) -> bool {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        task.as_ref().is_some_and(|task| !task.is_finished())
    }

    /// The catalog that the gateway's own connection finds, if it finds one in time.
    pub(in crate::protocol::postgres) async fn polled(&self) -> Option<Arc<Known>> {
        if !self.is_polled() {
            return None;
        }
        let mut turns = self.turns.subscribe();
        if matches!(&*turns.borrow_and_update(), Turn::Failed(_)) {
            // The next attempt is on its way; nobody waits for it.
            self.wanted.notify_one();
            return None;
        }
        let found = async {
            loop {
                if let Some(fresh) = self.fresh() {
                    return Some(fresh);
                }
                self.wanted.notify_one();
                turns.changed().await.ok()?;
                if matches!(&*turns.borrow_and_update(), Turn::Failed(_)) {
                    return self.fresh();
                }
            }
        };
        tokio::time::timeout(WAIT, found).await.ok().flatten()
    }

    /// Every session has to have another look: one of them changed the database, and bound that meanwhile.
    pub(in crate::protocol::postgres) fn outdate(&self, known: Option<&Known>) {
        if let Some(known) = known {
            self.memory.merge(&known.bindings);
        }
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// Says that a session changes what names of sensitive objects mean, until the answer is dropped.
    pub(in crate::protocol::postgres) fn rename(&self) -> Renaming {
        self.renaming.0.fetch_add(1, Ordering::AcqRel);
        Renaming(Arc::clone(&self.renaming))
    }

    /// How often that has been over.
    pub(in crate::protocol::postgres) fn renamings(&self) -> u64 {
        self.renaming.1.load(Ordering::Acquire)
    }

    /// Whether a session other than the one that asks changes it, or has since `renamings` was that.
    pub(in crate::protocol::postgres) fn renamed_since(&self, renamings: u64, own: Option<&Renaming>) -> bool {
        self.renaming.0.load(Ordering::Acquire) > usize::from(own.is_some()) || self.renamings() != renamings
    }

    /// The catalog of a look that begins after `since`.
    pub(in crate::protocol::postgres) async fn polled_since(&self, since: Instant) -> Option<Arc<Known>> {
        let mut turns = self.turns.subscribe();
        let looked = async {
            loop {
                let current = self.current.load_full().filter(|checked| checked.at >= since);
                if let Some(checked) = current {
                    return Some(Arc::clone(&checked.known));
                }
                self.wanted.notify_one();
                turns.changed().await.ok()?;
                if matches!(&*turns.borrow_and_update(), Turn::Failed(_)) {
                    return None;
                }
            }
        };
        tokio::time::timeout(WAIT, looked).await.ok().flatten()
    }

    /// What has been committed by sessions so far: asked before a look.
    pub(in crate::protocol::postgres) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// The number of the next catalog.
    fn next(&self) -> u64 {
        self.generation.fetch_add(1, Ordering::Relaxed)
    }

    /// Makes a catalog of what was read. Reads and writes a file.
    pub(super) fn make(
        &self,
        draft: Draft,
        search_path: Vec<Name>,
        local: Option<&Bindings>,
        committed: bool,
    ) -> Known {
        let Draft { mut catalog, prints, snapshot, identity } = draft;
        catalog.generation = self.next();
        catalog.database = Arc::clone(&self.database);
        catalog.search_path = search_path;
        catalog.any_sensitive = !self.resource.sensitive.is_empty();
        let bindings = match self.memory.tag(&mut catalog, &self.resource, &identity, local, committed) {
            Ok(bindings) => {
                self.problem.store(None);
                bindings
            }
            Err(error) => {
                let words = error.to_string();
                if self.problem.load().as_deref().is_none_or(|had| *had != words) {
                    tracing::error!(resource = %self.resource.name, database = ?self.database, %error,
                        "what is known of a database cannot be used");
                }
                self.problem.store(Some(Arc::new(words)));
                catalog.complete = false;
                local.cloned().unwrap_or_default()
            }
        };
        if catalog.any_sensitive {
            inherit_tags(&mut catalog);
        }
        if committed {
            self.unmatched.store(Arc::new(bindings.unmatched(&self.resource, &self.database)));
        }
        if !catalog.complete {
            // Nothing in it is to be taken for known, by whoever looks.
            let Catalog { generation, database, version, search_path, any_sensitive, .. } = catalog;
            catalog = Catalog { generation, database, version, search_path, any_sensitive, ..Catalog::default() };
        }
        catalog.finish();
        Known { catalog: Arc::new(catalog), prints, bindings, snapshot, identity }
    }

    /// Makes it everybody's: `at` and `epoch` are from before the look.
    pub(in crate::protocol::postgres) fn store(&self, known: Arc<Known>, at: Instant, epoch: u64) {
        self.current.store(Some(Arc::new(Checked { known, at, epoch })));
    }

    /// For people.
    pub(super) fn status(&self) -> DatabaseStatus {
        let last = self.last();
        let failed = match &*self.turns.borrow() {
            Turn::Failed(why) => Some(why.to_string()),
            Turn::None | Turn::Done => None,
        };
        let unread = last.as_ref().and_then(|known| unread_version(known.catalog.version));
        DatabaseStatus {
            resource: Arc::clone(&self.resource.name),
            database: Arc::clone(&self.database),
            own_connection: self.is_polled() && failed.is_none(),
            relations: last.as_ref().map_or(0, |known| known.catalog.relations.len()),
            complete: last.as_ref().is_some_and(|known| known.catalog.complete),
            problem: self.problem.load_full().map(|problem| problem.to_string()).or(failed).or(unread),
            unmatched: self.unmatched.load_full(),
        }
    }
}
