//! What a walk has noted, once all of it is known: effects, flows, and where results come from.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::graph::{Node, Reach, Source};
use super::{Equality, Goes, MAX_DEPTH, Shown, WITHHELD, Walk, oid, scope};
use crate::access::{Action, ColumnName, Effect, Facts, Object, Tags};
use crate::sql::catalog::TypeKind;
use crate::sql::postgres::Program;
use crate::sql::stream::{StreamColumn, Streamed};
use crate::sql::{Analysis, Lineage, Outputs, Stream, builtin};

impl Walk<'_> {
    pub(super) fn finish(mut self, program: &Program, fingerprint: &str) -> Analysis {
        self.read_literals();
        let (untied, tied, whole) = self.graph.settle();
        if !whole {
            self.unknown();
        }
        self.settle_plain(&tied);
        self.settle_filters(&untied);
        self.settle_flows(&tied);
        self.settle_weighed(&untied);
        let results = std::mem::take(&mut self.results);
        let named = std::mem::take(&mut self.named);
        let named: Vec<Outputs> = named.into_iter().map(|rows| self.outputs(Shown::Rows(rows), &tied)).collect();
        let outputs: Vec<Outputs> = results.into_iter().map(|shown| self.outputs(shown, &tied)).collect();
        let effects: Arc<[Effect]> = self
            .effects
            .into_iter()
            .map(|((action, object), (tags, facts))| Effect { action, object, tags, facts })
            .collect();
        let sensitive = self.catalog.any_sensitive
            && (self.unresolved
                || self.touches_sensitive
                || effects.iter().any(|e| !e.tags.is_empty() || e.action == Action::SqlExecute));
        let unknown = || effects.iter().any(|effect| effect.action == Action::SqlUnknown);
        let gives_away = self.gives_away || (self.gives_new && sensitive) || (self.changes.catalog && unknown());
        // What is made may be called as something sensitive is to be.
        let literals_sensitive = sensitive || (self.catalog.any_sensitive && self.absent);
        Analysis {
            fingerprint: fingerprint.into(),
            statements: program.statements.len(),
            effects,
            outputs: outputs.into(),
            named: named.into(),
            runs: self.asked.into(),
            renames: self.renames.into(),
            literals_sensitive,
            parameters: vec![literals_sensitive; program.parameters].into(),
            sensitive,
            doubtful: self.unresolved || self.absent || self.missing,
            late: self.bodies_read,
            parses_by_code: self.parses_by_code,
            changes: self.changes,
            gives_away,
            copies_in: self.copies_in,
        }
    }

    pub(super) fn settle_filters(&mut self, reach: &[Reach]) {
        for (node, equality) in std::mem::take(&mut self.filters) {
            let Some(of) = at(reach, node) else { continue };
            for source in &of.exact {
                let Some((name, tags)) = self.graph.source(*source).cloned() else { continue };
                let equality = match equality {
                    Equality::No => false,
                    Equality::Yes => true,
                    // A query's column may be of any rows: it is a row source.
                    Equality::With(other) => {
                        let plain = self.graph.is_column(node) && self.graph.is_column(other);
                        plain && covers(&self.graph.exact_tags(other), &tags)
                    }
                };
                self.touch(Action::SqlFilter, name, tags, Facts { equality, ..Facts::default() });
            }
            for source in &of.derived {
                self.plainly(Action::SqlFilter, *source);
            }
            if of.unknown && self.catalog.any_sensitive {
                // What decides here may be anything: so is what it tells.
                self.plain(Action::SqlFilter, Object::Resource);
            }
        }
    }

    pub(super) fn settle_flows(&mut self, reach: &[Reach]) {
        for (object, target, value) in std::mem::take(&mut self.flows) {
            let Some(of) = at(reach, value) else { continue };
            let (own, converts) = match target {
                Goes::Out => (Tags::default(), None),
                Goes::Kept(node) => (self.graph.exact_tags(node), None),
                Goes::Into { node, converts } => (self.graph.exact_tags(node), Some(converts)),
            };
            let (mut tags, mut reshaped) = (Tags::default(), false);
            for (source, as_it_is) in
                of.exact.iter().map(|it| (it, true)).chain(of.derived.iter().map(|it| (it, false)))
            {
                let Some((_, from)) = self.graph.source(*source) else { continue };
                if !covers(&own, from) {
                    tags = tags.union(from);
                }
                reshaped |= !from.is_empty() && converts.is_some_and(|converts| converts || !as_it_is);
                self.plainly(Action::SqlRead, *source);
            }
            if !tags.is_empty() || (of.unknown && self.catalog.any_sensitive) {
                self.effect(Action::SqlDeclassify, object, own.union(&tags), Facts::default());
            } else if reshaped {
                self.effect(Action::SqlDeclassify, object, own, Facts { reshaped, ..Facts::default() });
            }
        }
        for value in std::mem::take(&mut self.reads) {
            let Some(of) = at(reach, value) else { continue };
            for source in of.exact.iter().chain(&of.derived) {
                self.plainly(Action::SqlRead, *source);
            }
        }
        for value in std::mem::take(&mut self.leaks) {
            let Some(of) = at(reach, value) else { continue };
            for source in of.exact.iter().chain(&of.derived) {
                let Some((name, tags)) = self.graph.source(*source) else { continue };
                if !tags.is_empty() || builtin::is_system(&name.table.schema) {
                    self.plainly(Action::SqlDeclassify, *source);
                }
            }
            if of.unknown && self.catalog.any_sensitive {
                self.plain(Action::SqlDeclassify, Object::Resource);
            }
        }
    }

    /// A column's own length is that of its rows; what is left of it by a function may be as long as the function is told to
    /// make it by each of its characters.
    fn settle_weighed(&mut self, reach: &[Reach]) {
        for value in std::mem::take(&mut self.weighed) {
            let Some(of) = at(reach, value) else { continue };
            for source in &of.derived {
                if self.graph.source(*source).is_some_and(|(_, tags)| !tags.is_empty()) {
                    self.plainly(Action::SqlDeclassify, *source);
                }
            }
            if of.unknown && self.catalog.any_sensitive {
                self.plain(Action::SqlDeclassify, Object::Resource);
            }
        }
    }

    /// An action on a column of which nothing else is known: once is enough.
    fn plainly(&mut self, action: Action, source: Source) {
        if self.told.insert((action, source))
            && let Some((name, tags)) = self.graph.source(source).cloned()
        {
            self.touch(action, name, tags, Facts::default());
        }
    }

    /// An action on a column; the system's own columns hold nothing of a table.
    fn touch(&mut self, action: Action, name: Arc<ColumnName>, tags: Tags, facts: Facts) {
        if builtin::is_system(&name.table.schema) {
            if is_withheld(&name) {
                self.unknown();
            }
        } else {
            self.effect(action, Object::Column(name), tags, facts);
        }
    }

    pub(super) fn outputs(&mut self, shown: Shown, reach: &[Reach]) -> Outputs {
        match shown {
            Shown::Nothing => Outputs::Nothing,
            Shown::Fetched => Outputs::Fetched,
            Shown::Unknown => Outputs::Unknown,
            Shown::Rows(rows) => match rows.open {
                None => Outputs::Columns(rows.columns.iter().map(|column| self.lineage(column.node, reach)).collect()),
                Some(open) => Outputs::Open(self.all(&rows, open, reach)),
            },
            Shown::Stream { rows, quoted, written } => {
                let mut quoted = quoted.into_iter();
                let rows = match rows.open {
                    None => Streamed::Columns(
                        rows.columns
                            .iter()
                            .map(|column| StreamColumn {
                                type_oid: self.base_type(column.of.filter(|of| *of != oid::BROUGHT).unwrap_or(0)),
                                quoted: quoted.next().unwrap_or_default(),
                                lineage: self.lineage(column.node, reach),
                            })
                            .collect(),
                    ),
                    Some(open) => Streamed::Open(self.all(&rows, open, reach)),
                };
                Outputs::Stream(Stream { rows, written })
            }
        }
    }

    /// The type whose values a type's are: a domain's base. `citext` is a text that compares otherwise.
    fn base_type(&self, mut oid: u32) -> u32 {
        for _ in 0..MAX_DEPTH {
            match self.catalog.types.get(&oid) {
                Some(of) if of.kind == TypeKind::Domain => oid = of.base,
                Some(of) if of.kind == TypeKind::Base && of.element == 0 && &*of.name == "citext" => return oid::TEXT,
                _ => return oid,
            }
        }
        0
    }

    /// Of all columns as if they were one.
    fn all(&mut self, rows: &scope::Rows, open: Node, reach: &[Reach]) -> Lineage {
        let mut lineage = self.lineage(open, reach);
        let mut derived: BTreeSet<Arc<ColumnName>> = std::mem::take(&mut lineage.derived).into_iter().collect();
        derived.append(&mut std::mem::take(&mut lineage.exact).into_iter().collect());
        for column in &rows.columns {
            let one = self.lineage(column.node, reach);
            derived.extend(one.exact.into_iter().chain(one.derived));
            lineage.unknown |= one.unknown;
            lineage.withheld |= one.withheld;
        }
        Lineage { exact: Vec::new(), derived: derived.into_iter().collect(), ..lineage }
    }

    /// Where a value that comes out comes from: each of those columns is read.
    fn lineage(&mut self, node: Node, reach: &[Reach]) -> Lineage {
        let Some(of) = at(reach, node).cloned() else { return Lineage { unknown: true, ..Lineage::default() } };
        let mut withheld = false;
        let mut names = |sources: &mut dyn Iterator<Item = &Source>| -> Vec<Arc<ColumnName>> {
            let mut names = Vec::new();
            for source in sources {
                let Some(name) = self.graph.source(*source).map(|(name, _)| Arc::clone(name)) else { continue };
                if is_withheld(&name) {
                    // That it comes out, and nothing else of it, can be kept from who asks.
                    withheld = true;
                    continue;
                }
                self.plainly(Action::SqlRead, *source);
                names.push(name);
            }
            names
        };
        let (exact, derived) = (names(&mut of.exact.iter()), names(&mut of.derived.iter()));
        // What is said of it is as little to be told.
        self.touches_sensitive |= withheld;
        Lineage { exact, derived, unknown: of.unknown, withheld }
    }
}

pub(super) fn at(reach: &[Reach], node: Node) -> Option<&Reach> {
    reach.get(node.place())
}

/// Whether a column stands for those of a system relation that may not be read.
fn is_withheld(name: &ColumnName) -> bool {
    &*name.column == WITHHELD && builtin::is_system(&name.table.schema)
}

/// Whether what has these tags is protected at least as the other.
fn covers(these: &Tags, others: &Tags) -> bool {
    others.iter().all(|tag| these.iter().any(|this| this == tag))
}
