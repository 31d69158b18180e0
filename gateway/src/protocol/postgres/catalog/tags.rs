//! Which objects the operator's patterns have ever meant: by OID and column number, so that a tag stays on its object
//! whatever that is called since, also while no daemon runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};

use crate::access::{Name, Tags};
use crate::config::Resource;
use crate::sql::catalog::{Column, Relation, RelationKind};
use crate::sql::{Catalog, inherit_tags};

/// The largest file that is read, in bytes: a pattern that means every column of a hundred thousand.
const MAX_FILE: u64 = 64 * 1024 * 1024;

/// Which database it is: OIDs mean nothing in another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    /// The cluster's number, where the gateway's role may ask for it.
    pub(super) cluster: Option<String>,
    /// `pg_database.oid`.
    pub(super) oid: u32,
    /// Its name.
    pub(super) name: String,
}

impl Identity {
    /// Whether both can be of the same database. A cluster's number that is not known tells nothing.
    pub(super) fn is(&self, other: &Identity) -> bool {
        let clusters = self.cluster.is_none() || other.cluster.is_none() || self.cluster == other.cluster;
        clusters && self.oid == other.oid && self.name == other.name
    }
}

/// What a pattern is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Place {
    /// Whether the OID is a function's.
    function: bool,
    oid: u32,
    /// 0: the whole.
    column: i16,
}

impl Place {
    fn relation(oid: u32) -> Self {
        Place { function: false, oid, column: 0 }
    }

    fn column(oid: u32, column: i16) -> Self {
        Place { function: false, oid, column }
    }

    fn function(oid: u32) -> Self {
        Place { function: true, oid, column: 0 }
    }
}

/// Patterns, as written, by what they are bound to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bindings(BTreeMap<Place, BTreeSet<Arc<str>>>);

impl Bindings {
    fn bind(&mut self, place: Place, patterns: impl IntoIterator<Item = Arc<str>>) -> bool {
        let mut patterns = patterns.into_iter().peekable();
        if patterns.peek().is_none() {
            return false;
        }
        let bound = self.0.entry(place).or_default();
        let before = bound.len();
        bound.extend(patterns);
        bound.len() != before
    }

    fn of(&self, place: Place) -> impl Iterator<Item = Arc<str>> {
        self.0.get(&place).into_iter().flatten().cloned()
    }

    /// What another has as well.
    pub(super) fn merge(&mut self, other: &Bindings) {
        for (place, patterns) in &other.0 {
            self.bind(*place, patterns.iter().cloned());
        }
    }

    /// Binds every pattern to what it means by its name now, and to children and partitions of what it is bound to.
    pub(super) fn grow(&mut self, catalog: &Catalog, resource: &Resource) {
        for line in &resource.sensitive {
            let pattern = &line.pattern;
            let text: Arc<str> = pattern.text.as_str().into();
            if !pattern.is_for(&catalog.database) {
                continue;
            }
            for relation in catalog.relations.values() {
                let (schema, name) = (&*relation.schema, &*relation.name);
                if !pattern.matches_table(&catalog.database, schema, name) {
                    continue;
                }
                if pattern.matches(&catalog.database, schema, name, None) {
                    self.bind(Place::relation(relation.oid), [Arc::clone(&text)]);
                }
                for column in &relation.columns {
                    if pattern.matches(&catalog.database, schema, name, Some(&column.name)) {
                        self.bind(Place::column(relation.oid, column.number), [Arc::clone(&text)]);
                    }
                }
            }
            for function in &catalog.functions {
                if pattern.matches(&catalog.database, &function.schema, &function.name, None) {
                    self.bind(Place::function(function.oid), [Arc::clone(&text)]);
                }
            }
        }
        if !self.0.is_empty() {
            self.inherit(catalog);
        }
    }

    /// Children get what their parents have, through as many generations as there are, and columns what their table has.
    fn inherit(&mut self, catalog: &Catalog) {
        let mut waiting: Vec<u32> = self.0.keys().filter(|place| !place.function).map(|place| place.oid).collect();
        waiting.dedup();
        // Each visit that changes nothing ends there, and what is bound only grows: cycles end.
        while let Some(oid) = waiting.pop() {
            let Some(parent) = catalog.relations.get(&oid) else { continue };
            let whole: Vec<Arc<str>> = self.of(Place::relation(oid)).collect();
            for column in &parent.columns {
                self.bind(Place::column(oid, column.number), whole.iter().cloned());
            }
            for child in catalog.children(oid) {
                let mut grown = self.bind(Place::relation(child.oid), whole.iter().cloned());
                for column in &child.columns {
                    let Some(above) = parent.columns.iter().find(|above| above.name == column.name) else { continue };
                    let patterns: Vec<Arc<str>> = self.of(Place::column(oid, above.number)).collect();
                    grown |= self.bind(Place::column(child.oid, column.number), patterns);
                }
                if grown {
                    waiting.push(child.oid);
                }
            }
        }
    }

    /// Binds stored copies of what is bound, generated columns and materialised views, for good: what they hold stays when their
    /// expression is dropped, or when a view or function is replaced that they were computed by.
    pub(super) fn copy(&mut self, catalog: &mut Catalog) {
        let stored =
            |relation: &Relation, column: &Column| column.generated || relation.kind == RelationKind::MaterializedView;
        let copies = |relation: &Relation| relation.columns.iter().any(|column| stored(relation, column));
        if self.0.is_empty() || !catalog.complete || !catalog.relations.values().any(copies) {
            return;
        }
        // The patterns stand for the tags until it is known which of them come to which column.
        for relation in catalog.relations.values_mut() {
            for column in &mut relation.columns {
                column.tags = Tags::new(self.of(Place::column(relation.oid, column.number)));
            }
        }
        inherit_tags(catalog);
        for relation in catalog.relations.values() {
            for column in relation.columns.iter().filter(|column| stored(relation, column)) {
                self.bind(Place::column(relation.oid, column.number), column.tags.iter().cloned());
            }
        }
    }

    /// Forgets what is not in a whole catalog any more: its number may be given to something else.
    pub(super) fn prune(&mut self, catalog: &Catalog) {
        if !catalog.complete {
            return;
        }
        self.0.retain(|place, _| match (place.function, catalog.relations.get(&place.oid)) {
            (true, _) => catalog.function(place.oid).is_some(),
            (false, None) => false,
            (false, Some(relation)) => {
                place.column == 0 || relation.columns.iter().any(|column| column.number == place.column)
            }
        });
    }

    /// Gives every object the tags of the patterns that are bound to it, as far as the operator still has them.
    pub(super) fn tag(&self, catalog: &mut Catalog, resource: &Resource) {
        let mut known: BTreeMap<&BTreeSet<Arc<str>>, Tags> = BTreeMap::new();
        let mut tags = |place: Place| match self.0.get(&place) {
            None => Tags::default(),
            Some(patterns) => {
                let of = || {
                    let lines = resource.sensitive.iter().filter(|line| patterns.contains(line.pattern.text.as_str()));
                    Tags::new(lines.flat_map(|line| line.tags.iter().cloned()))
                };
                known.entry(patterns).or_insert_with(of).clone()
            }
        };
        for relation in catalog.relations.values_mut() {
            relation.tags = tags(Place::relation(relation.oid));
            for column in &mut relation.columns {
                column.tags = tags(Place::column(relation.oid, column.number));
            }
        }
        for function in &mut catalog.functions {
            function.tags = tags(Place::function(function.oid));
        }
    }

    /// Patterns for this database that are bound to nothing.
    pub(super) fn unmatched(&self, resource: &Resource, database: &Name) -> Vec<String> {
        let bound: BTreeSet<&str> = self.0.values().flatten().map(|pattern| &**pattern).collect();
        let lines = resource.sensitive.iter().map(|line| &line.pattern);
        let here = lines.filter(|pattern| pattern.is_for(database) && !bound.contains(pattern.text.as_str()));
        here.map(|pattern| pattern.text.clone()).collect()
    }
}

/// The bindings of a database cannot be had. Without them nothing is known to be harmless.
#[derive(Debug, thiserror::Error)]
pub(super) enum TagsError {
    /// Its file cannot be read or written.
    #[error("cannot use {}: {error}\n    until it can be, every object of that database is unknown; see that state_dir is writable and belongs to the daemon's user", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It is not what was written.
    #[error("{} is damaged: {reason}\n    until it is mended, every object of that database is unknown; bring it back from a backup, or, if no sensitive table or column was renamed, move it away", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
}

/// What the file of one database holds, after a line with its hash.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    version: u32,
    resource: String,
    identity: Identity,
    patterns: Vec<Arc<str>>,
    /// Patterns by their place in the list.
    bound: Vec<(Place, Vec<usize>)>,
}

/// The file of one database.
#[derive(Clone, Debug)]
pub(super) struct File {
    path: PathBuf,
    resource: Name,
}

impl File {
    /// In the state folder; named by a hash, since names of databases are anything.
    pub(super) fn new(state_dir: &Path, resource: &Name, database: &Name) -> Self {
        let mut hash = blake3::Hasher::new();
        hash.update(&u64::try_from(resource.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(resource.as_bytes()).update(database.as_bytes());
        let name: String = hash.finalize().to_hex().chars().take(32).collect();
        File { path: state_dir.join("tags").join(name), resource: Arc::clone(resource) }
    }

    /// What was kept of the database that is there now; nothing where the file is absent or of another database.
    pub(super) fn load(&self, identity: &Identity) -> Result<Bindings, TagsError> {
        let error = |error| TagsError::File { path: self.path.clone(), error };
        let damaged = |reason| TagsError::Damaged { path: self.path.clone(), reason };
        let file = match OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(&self.path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Bindings::default()),
            Err(e) => return Err(error(e)),
        };
        let metadata = file.metadata().map_err(error)?;
        if !metadata.is_file() || metadata.len() > MAX_FILE {
            return Err(damaged("it is no file of that size"));
        }
        if metadata.mode() & 0o022 != 0 || metadata.uid() != nix::unistd::geteuid().as_raw() {
            return Err(damaged("others than the daemon's user can write it"));
        }
        let mut text = String::new();
        file.take(MAX_FILE).read_to_string(&mut text).map_err(|e| match e.kind() {
            io::ErrorKind::InvalidData => damaged("it is not text"),
            _ => error(e),
        })?;
        let (hash, json) = text.split_once('\n').ok_or_else(|| damaged("it has no first line"))?;
        if blake3::hash(json.as_bytes()).to_hex().as_str() != hash {
            return Err(damaged("its hash is another"));
        }
        let kept: Kept = serde_json::from_str(json).map_err(|_| damaged("it cannot be read"))?;
        if kept.version != 1 || *kept.resource != *self.resource {
            return Err(damaged("it is of another version or resource"));
        }
        if !kept.identity.is(identity) {
            tracing::warn!(resource = %self.resource, database = ?identity.name,
                "is another database than it was: tags are bound by name again");
            return Ok(Bindings::default());
        }
        let mut bindings = Bindings::default();
        for (place, patterns) in kept.bound {
            for at in patterns {
                let pattern =
                    kept.patterns.get(at).ok_or_else(|| damaged("it names a pattern that it does not hold"))?;
                bindings.bind(place, [Arc::clone(pattern)]);
            }
        }
        Ok(bindings)
    }

    /// Replaces what is kept, whole or not at all.
    pub(super) fn save(&self, identity: &Identity, bindings: &Bindings) -> Result<(), TagsError> {
        static ATTEMPT: AtomicU32 = AtomicU32::new(0);
        let error = |error| TagsError::File { path: self.path.clone(), error };
        let distinct: BTreeSet<&Arc<str>> = bindings.0.values().flatten().collect();
        let places: BTreeMap<&Arc<str>, usize> = distinct.iter().copied().zip(0..).collect();
        let kept = Kept {
            version: 1,
            resource: self.resource.to_string(),
            identity: identity.clone(),
            patterns: distinct.iter().map(|pattern| Arc::clone(pattern)).collect(),
            bound: bindings
                .0
                .iter()
                .map(|(place, set)| (*place, set.iter().filter_map(|pattern| places.get(pattern).copied()).collect()))
                .collect(),
        };
        let json = serde_json::to_string(&kept).map_err(|e| error(e.into()))?;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(error)?;
        let attempt = ATTEMPT.fetch_add(1, Ordering::Relaxed);
        let aside = self.path.with_extension(format!("{}.{attempt}", std::process::id()));
        // Left behind by a process of the same number that was killed here.
        let _ = fs::remove_file(&aside);
        let open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside);
        let written = open.and_then(|mut file| {
            file.write_all(blake3::hash(json.as_bytes()).to_hex().as_bytes())?;
            file.write_all(b"\n")?;
            file.write_all(json.as_bytes())?;
            file.sync_all()?;
            fs::rename(&aside, &self.path)?;
            fs::File::open(folder)?.sync_all()
        });
        if written.is_err() {
            let _ = fs::remove_file(&aside);
        }
        written.map_err(error)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::config::{HostPort, ObjectPattern, Protocol, Sensitive, TlsMode, UpstreamTls};
    use crate::sql::catalog::Function;

    fn resource(patterns: &[&str]) -> Resource {
        let line = |text: &&str| Sensitive { pattern: ObjectPattern::parse(text).unwrap(), tags: vec!["pii".into()] };
        Resource {
            name: "orders".into(),
            protocol: Protocol::Postgres,
            address: HostPort { host: "db".to_owned(), port: 5432 },
            tags: Vec::new(),
            tls: UpstreamTls { mode: TlsMode::Disable, ca: None },
            present: None,
            credentials: None,
            sensitive: patterns.iter().map(line).collect(),
        }
    }

    fn relation(oid: u32, name: &str, columns: &[&str], parents: &[u32]) -> (u32, Relation) {
        let column = |(name, number): (&&str, i16)| Column { number, name: (*name).into(), ..Column::default() };
        let relation = Relation {
            oid,
            schema: "public".into(),
            name: name.into(),
            columns: columns.iter().zip(1..).map(column).collect(),
            parents: parents.to_vec(),
            ..Relation::default()
        };
        (oid, relation)
    }

    fn catalog(relations: Vec<(u32, Relation)>) -> Catalog {
        Catalog {
            complete: true,
            database: "db".into(),
            relations: relations.into_iter().collect(),
            ..Catalog::default()
        }
    }

    /// `table.column` of every tagged column, and `table` of every tagged table.
    fn tagged(bindings: &Bindings, catalog: &mut Catalog, resource: &Resource) -> Vec<String> {
        bindings.tag(catalog, resource);
        let of = |relation: &Relation| {
            let columns = relation.columns.iter().filter(|column| !column.tags.is_empty());
            let columns = columns.map(|column| format!("{}.{}", relation.name, column.name));
            columns.chain((!relation.tags.is_empty()).then(|| relation.name.to_string())).collect::<Vec<_>>()
        };
        let mut found: Vec<String> = catalog.relations.values().flat_map(of).collect();
        found.sort();
        found
    }

    #[test]
    fn a_stored_copy_stays_tagged_when_nothing_says_any_more_that_it_is_one() {
        let resource = resource(&["public.users.ssn"]);
        let made = |generated: bool| {
            let (oid, mut users) = relation(1, "users", &["id", "ssn", "key"], &[]);
            users.columns[2].generated = generated;
            users.columns[2].default = generated.then(|| "('k'::text || ssn)".into());
            Catalog { version: 150_000, ..catalog(vec![(oid, users)]) }
        };
        let mut bindings = Bindings::default();
        bindings.grow(&made(true), &resource);
        bindings.copy(&mut made(true));
        assert_eq!(tagged(&bindings, &mut made(false), &resource), ["users.key", "users.ssn"]);
    }

    #[test]
    fn a_tag_stays_on_what_it_was_given_to_and_goes_down_to_children() {
        let resource = resource(&["public.users.ssn"]);
        let mut bindings = Bindings::default();
        bindings.grow(
            &catalog(vec![
                relation(1, "users", &["id", "ssn"], &[]),
                relation(2, "part", &["ssn", "id"], &[1]),
                relation(3, "sub", &["id", "x", "ssn"], &[2]),
            ]),
            &resource,
        );
        // Everything is called otherwise, and the partition is detached.
        let mut later = catalog(vec![
            relation(1, "people", &["id", "number"], &[]),
            relation(2, "old", &["n", "id"], &[]),
            relation(3, "sub", &["id", "x", "ssn"], &[2]),
            relation(4, "users", &["id", "ssn"], &[]),
        ]);
        bindings.grow(&later, &resource);
        let found = tagged(&bindings, &mut later, &resource);
        assert_eq!(found, ["old.n", "people.number", "sub.ssn", "users.ssn"]);
        assert!(bindings.unmatched(&resource, &"db".into()).is_empty());
        // Numbers of what is gone are given to others.
        bindings.prune(&catalog(vec![relation(3, "sub", &["id"], &[])]));
        assert_eq!(bindings.unmatched(&resource, &"db".into()), ["public.users.ssn"]);
        let incomplete = Catalog { complete: false, ..catalog(vec![]) };
        let mut kept = bindings.clone();
        kept.grow(&later, &resource);
        let before = kept.clone();
        kept.prune(&incomplete);
        assert_eq!(kept, before, "what is not whole shows nothing to be gone");
    }

    #[test]
    fn a_table_s_tag_is_its_columns_also_of_those_to_come_and_of_functions_by_their_own_number() {
        let resource = resource(&["public.users", "public.f"]);
        let mut bindings = Bindings::default();
        bindings.grow(&catalog(vec![relation(1, "users", &["a"], &[])]), &resource);
        let mut later = catalog(vec![relation(1, "x", &["a", "b"], &[]), relation(7, "other", &["a"], &[])]);
        later.functions = vec![Function { oid: 7, schema: "public".into(), name: "f".into(), ..Function::default() }];
        bindings.grow(&later, &resource);
        assert_eq!(tagged(&bindings, &mut later, &resource), ["x", "x.a", "x.b"]);
        assert!(!later.functions[0].tags.is_empty());
        // A pattern that the operator took back gives nothing.
        let none = self::resource(&["public.f"]);
        assert!(tagged(&bindings, &mut later, &none).is_empty());
    }

    #[test]
    fn bindings_are_kept_for_the_same_database_and_refused_when_they_are_not_whole() {
        let state = tempfile::tempdir().unwrap();
        let file = File::new(state.path(), &"orders".into(), &"db".into());
        let identity = Identity { cluster: Some("7".to_owned()), oid: 5, name: "db".to_owned() };
        assert_eq!(file.load(&identity).unwrap(), Bindings::default());
        let mut bindings = Bindings::default();
        bindings.grow(&catalog(vec![relation(1, "users", &["id", "ssn"], &[])]), &resource(&["public.users.ssn"]));
        file.save(&identity, &bindings).unwrap();
        file.save(&identity, &bindings).unwrap();
        assert_eq!(file.load(&identity).unwrap(), bindings);
        assert_eq!(fs::metadata(&file.path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(file.path.parent().unwrap()).unwrap().count(), 1, "nothing is left aside");
        let other = Identity { cluster: Some("8".to_owned()), ..identity.clone() };
        assert_eq!(file.load(&other).unwrap(), Bindings::default(), "another cluster's numbers mean nothing here");
        assert_eq!(file.load(&Identity { cluster: None, ..identity.clone() }).unwrap(), bindings);
        let whole = fs::read_to_string(&file.path).unwrap();
        for damaged in [&whole[..whole.len() - 1], "", "x\n{}", &whole.replace("users.ssn", "users.sss")] {
            fs::write(&file.path, damaged).unwrap();
            let error = file.load(&identity).unwrap_err();
            assert!(
                matches!(error, TagsError::Damaged { .. }) && error.to_string().contains("move it away"),
                "{error}"
            );
        }
        fs::write(&file.path, &whole).unwrap();
        fs::set_permissions(&file.path, fs::Permissions::from_mode(0o666)).unwrap();
        assert!(file.load(&identity).is_err());
        fs::remove_file(&file.path).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &file.path).unwrap();
        assert!(matches!(file.load(&identity), Err(TagsError::File { .. })));
    }
}
