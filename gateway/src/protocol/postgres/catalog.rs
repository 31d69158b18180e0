//! The catalog of a database: what is asked of the server, and what the operator's patterns make of the answers.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};

use crate::access::{Name, Tags};
use crate::config::Resource;
use crate::sql::catalog::{Catalog, Column, Function, Relation, RelationKind};

/// How long a catalog is used before it is read again: others change databases too.
const MAX_AGE: Duration = Duration::from_secs(10);

/// How many databases are remembered. Workloads choose their names, so they have to be bounded.
const MAX_DATABASES: usize = 256;

/// Everything but the system schemas. Operators are named in full: a session's search path decides nothing here.
pub(super) const RELATIONS: &str = "select c.oid, n.nspname, c.relname, c.relkind from pg_catalog.pg_class c \
    join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) c.relnamespace \
    where n.nspname operator(pg_catalog.<>) all (array['pg_catalog','information_schema','pg_toast']::pg_catalog.name[]) \
    and c.relkind operator(pg_catalog.=) any (array['r','p','v','m','f','S']::pg_catalog.\"char\"[])";

/// The columns of the above.
pub(super) const COLUMNS: &str = "select a.attrelid, a.attnum, a.attname, a.atttypid from pg_catalog.pg_attribute a \
    join pg_catalog.pg_class c on c.oid operator(pg_catalog.=) a.attrelid \
    join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) c.relnamespace \
    where a.attnum operator(pg_catalog.>) 0::pg_catalog.int2 and not a.attisdropped \
    and n.nspname operator(pg_catalog.<>) all (array['pg_catalog','information_schema','pg_toast']::pg_catalog.name[]) \
    and c.relkind operator(pg_catalog.=) any (array['r','p','v','m','f']::pg_catalog.\"char\"[])";

/// Children and partitions.
pub(super) const PARENTS: &str = "select inhrelid, inhparent from pg_catalog.pg_inherits";

/// Functions and procedures.
pub(super) const FUNCTIONS: &str = "select n.nspname, p.proname from pg_catalog.pg_proc p \
    join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) p.pronamespace \
    where n.nspname operator(pg_catalog.<>) all (array['pg_catalog','information_schema']::pg_catalog.name[])";

/// A row of an answer in text format.
pub(super) type Row = Vec<Option<String>>;

/// The answers to the four questions.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) relations: Vec<Row>,
    pub(super) columns: Vec<Row>,
    pub(super) parents: Vec<Row>,
    pub(super) functions: Vec<Row>,
}

fn text(row: &Row, at: usize) -> Option<&str> {
    row.get(at)?.as_deref()
}

/// A catalog, and the operator's patterns for that database that match nothing in it.
pub(super) struct Built {
    pub(super) catalog: Catalog,
    pub(super) unmatched: Vec<String>,
}

/// Builds a catalog; a row that cannot be read makes it one that is not whole. What had a tag in `previous` keeps it: a
/// tag binds to the object, whatever that is called since.
pub(super) fn build(
    answers: &Answers,
    resource: &Resource,
    database: &Name,
    search_path: Vec<Name>,
    generation: u64,
    previous: Option<&Catalog>,
) -> Built {
    let mut catalog = Catalog {
        generation,
        complete: true,
        database: Arc::clone(database),
        search_path,
        any_sensitive: !resource.sensitive.is_empty(),
        ..Catalog::default()
    };
    let matched: Vec<Cell<bool>> = resource.sensitive.iter().map(|_| Cell::new(false)).collect();
    let tags = |schema: &str, name: &str, column: Option<&str>| {
        let lines = resource.sensitive.iter().zip(&matched);
        let lines = lines.filter(|(line, _)| line.pattern.matches(database, schema, name, column));
        Tags::new(lines.flat_map(|(line, matched)| {
            matched.set(true);
            line.tags.iter().cloned()
        }))
    };
    for row in &answers.relations {
        let read = (|| {
            let (oid, schema, name) = (text(row, 0)?.parse().ok()?, text(row, 1)?, text(row, 2)?);
            let kind = match text(row, 3)? {
                "r" | "p" => RelationKind::Table,
                "v" => RelationKind::View,
                "m" => RelationKind::MaterializedView,
                "f" => RelationKind::Foreign,
                "S" => RelationKind::Sequence,
                _ => RelationKind::Other,
            };
            let tags = tags(schema, name, None);
            Some(Relation { oid, schema: schema.into(), name: name.into(), kind, tags, ..Relation::default() })
        })();
        match read {
            Some(relation) => drop(catalog.relations.insert(relation.oid, relation)),
            None => catalog.complete = false,
        }
    }
    for row in &answers.columns {
        let read = (|| {
            let relation: u32 = text(row, 0)?.parse().ok()?;
            Some((relation, text(row, 1)?.parse().ok()?, text(row, 2)?, text(row, 3)?.parse().ok()?))
        })();
        match read {
            // One that was made between the two questions is not known: strict.
            Some((relation, number, name, type_oid)) => {
                if let Some(relation) = catalog.relations.get_mut(&relation) {
                    let tags = tags(&relation.schema, &relation.name, Some(name));
                    relation.columns.push(Column { number, name: name.into(), type_oid, tags, ..Column::default() });
                }
            }
            None => catalog.complete = false,
        }
    }
    for row in &answers.parents {
        let read = (|| Some((text(row, 0)?.parse::<u32>().ok()?, text(row, 1)?.parse::<u32>().ok()?)))();
        match read {
            Some((child, parent)) => {
                if let Some(child) = catalog.relations.get_mut(&child) {
                    child.parents.push(parent);
                }
            }
            None => catalog.complete = false,
        }
    }
    for row in &answers.functions {
        match (text(row, 0), text(row, 1)) {
            (Some(schema), Some(name)) => {
                let tags = tags(schema, name, None);
                catalog.functions.push(Function {
                    schema: schema.into(),
                    name: name.into(),
                    tags,
                    ..Function::default()
                });
            }
            _ => catalog.complete = false,
        }
    }
    if let Some(previous) = previous {
        keep_tags(&mut catalog, previous, resource);
    }
    inherit(&mut catalog);
    let here = resource.sensitive.iter().zip(&matched).filter(|(line, _)| line.pattern.is_for(database));
    let unmatched = here.filter(|(_, matched)| !matched.get()).map(|(line, _)| line.pattern.text.clone()).collect();
    Built { catalog, unmatched }
}

/// Gives every object that was there before the tags that it had, as far as the operator still uses them.
fn keep_tags(catalog: &mut Catalog, previous: &Catalog, resource: &Resource) {
    let used = |tags: &Tags| {
        let used = |tag: &&Name| resource.sensitive.iter().any(|line| line.tags.contains(*tag));
        Tags::new(tags.iter().filter(used).cloned())
    };
    for relation in catalog.relations.values_mut() {
        let Some(before) = previous.relations.get(&relation.oid) else { continue };
        relation.tags = relation.tags.union(&used(&before.tags));
        for column in &mut relation.columns {
            if let Some(before) = before.columns.iter().find(|before| before.number == column.number) {
                column.tags = column.tags.union(&used(&before.tags));
            }
        }
    }
}

/// What a child's columns get from its parents' of the same name.
type Inherited = Vec<(Name, Tags)>;

/// Gives every child its parents' tags, through as many generations as there are.
fn inherit(catalog: &mut Catalog) {
    loop {
        let mut changes: Vec<(u32, Tags, Inherited)> = Vec::new();
        for child in catalog.relations.values() {
            let mut tags = child.tags.clone();
            let mut columns: Inherited = Vec::new();
            for parent in child.parents.iter().filter_map(|oid| catalog.relations.get(oid)) {
                tags = tags.union(&parent.tags);
                columns.extend(parent.columns.iter().map(|column| (Arc::clone(&column.name), column.tags.clone())));
            }
            columns.retain(|(name, tags)| {
                child.columns.iter().any(|column| column.name == *name && column.tags.union(tags) != column.tags)
            });
            if tags != child.tags || !columns.is_empty() {
                changes.push((child.oid, tags, columns));
            }
        }
        if changes.is_empty() {
            return;
        }
        for (oid, tags, columns) in changes {
            let Some(child) = catalog.relations.get_mut(&oid) else { continue };
            child.tags = tags;
            for column in &mut child.columns {
                for (_, inherited) in columns.iter().filter(|(name, _)| *name == column.name) {
                    column.tags = column.tags.union(inherited);
                }
            }
        }
    }
}

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
#[derive(Debug, Default)]
pub(crate) struct Catalogs(Mutex<HashMap<(Name, Name), Arc<Slot>>>);

/// One database's catalog, shared by its sessions on one definition of the resource: under another its objects have
/// other tags. Looking at it takes no lock.
#[derive(Debug)]
pub(super) struct Slot {
    resource: Arc<Resource>,
    current: ArcSwapOption<(Arc<Catalog>, Instant)>,
    /// The newest there has been, however old: the tags that objects had.
    last: ArcSwapOption<Catalog>,
    /// Patterns that matched nothing in it.
    unmatched: ArcSwap<Vec<String>>,
    generation: AtomicU64,
}

impl Catalogs {
    /// The slot of a database of a resource as it is defined for the session; asked once a session.
    pub(super) fn slot(&self, resource: &Arc<Resource>, database: &Name) -> Arc<Slot> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (Arc::clone(&resource.name), Arc::clone(database));
        let before = match slots.get(&key) {
            Some(slot) if Arc::ptr_eq(&slot.resource, resource) => return Arc::clone(slot),
            before => before.cloned(),
        };
        if slots.len() >= MAX_DATABASES {
            // Running sessions keep theirs.
            slots.clear();
        }
        let slot = Arc::new(Slot::after(before.as_deref(), resource));
        slots.insert(key, Arc::clone(&slot));
        slot
    }
}

impl Catalogs {
    /// Patterns that match nothing, by resource and database, in the databases that sessions have been on.
    pub(crate) fn unmatched(&self) -> Vec<(Name, Name, Arc<Vec<String>>)> {
        let slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = slots.iter().map(|((resource, database), slot)| {
            (Arc::clone(resource), Arc::clone(database), slot.unmatched.load_full())
        });
        let mut found: Vec<_> = found.filter(|(_, _, patterns)| !patterns.is_empty()).collect();
        found.sort();
        found
    }
}

impl Slot {
    /// An empty one. What objects were called under the definition before still counts, unless a pattern was taken away:
    /// then nobody can tell which of their tags were its.
    fn after(before: Option<&Slot>, resource: &Arc<Resource>) -> Self {
        let kept = before.filter(|slot| slot.resource.sensitive.iter().all(|line| resource.sensitive.contains(line)));
        Slot {
            resource: Arc::clone(resource),
            current: ArcSwapOption::empty(),
            last: ArcSwapOption::new(kept.and_then(Slot::last)),
            unmatched: ArcSwap::default(),
            generation: AtomicU64::default(),
        }
    }

    /// The catalog, if it is not too old.
    pub(super) fn fresh(&self) -> Option<Arc<Catalog>> {
        let current = self.current.load();
        let (catalog, at) = &**current.as_ref()?;
        (at.elapsed() < MAX_AGE).then(|| Arc::clone(catalog))
    }

    /// The newest catalog there has been.
    pub(super) fn last(&self) -> Option<Arc<Catalog>> {
        self.last.load_full()
    }

    /// Every session has to read the catalog again: one of them changed the database.
    pub(super) fn outdate(&self) {
        self.current.store(None);
    }

    /// The number of the next catalog.
    pub(super) fn next(&self) -> u64 {
        self.generation.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn store(&self, catalog: &Arc<Catalog>, unmatched: Vec<String>) {
        self.unmatched.store(Arc::new(unmatched));
        self.last.store(Some(Arc::clone(catalog)));
        self.current.store(Some(Arc::new((Arc::clone(catalog), Instant::now()))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_path_is_read_as_the_server_prints_it() {
        let path = |text| search_path(text, "app").map(|path| path.join("|"));
        assert_eq!(path("\"$user\", public").as_deref(), Some("app|public"));
        assert_eq!(path("a, \"B\"\"c,\", d").as_deref(), Some("a|B\"c,|d"));
        assert_eq!(path("").as_deref(), Some(""));
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
        let (catalogs, database) = (Catalogs::default(), Name::from("appdb"));
        let (before, after) = (resource(&["public.users.ssn"]), resource(&["public.users.ssn", "public.users.card"]));
        let old = catalogs.slot(&before, &database);
        let untagged = Arc::new(Catalog::default());
        old.store(&untagged, Vec::new());
        assert!(Arc::ptr_eq(&catalogs.slot(&before, &database), &old));
        let new = catalogs.slot(&after, &database);
        assert!(new.fresh().is_none());
        // A session that was open before the reload reads its catalog again, without the new tags.
        old.store(&untagged, Vec::new());
        assert!(new.fresh().is_none() && catalogs.slot(&after, &database).fresh().is_none());
    }

    #[test]
    fn what_objects_were_called_is_remembered_until_a_pattern_is_taken_away() {
        let (catalogs, database) = (Catalogs::default(), Name::from("appdb"));
        let ssn = resource(&["public.users.ssn"]);
        catalogs.slot(&ssn, &database).store(&Arc::new(Catalog::default()), Vec::new());
        let more = resource(&["public.users.ssn", "public.users.card"]);
        assert!(catalogs.slot(&more, &database).last().is_some());
        assert!(catalogs.slot(&resource(&["public.users.card"]), &database).last().is_none());
    }
}
