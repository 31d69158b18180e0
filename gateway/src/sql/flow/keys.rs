//! Keys: unique indexes, exclusion constraints and foreign keys compare what is written with what is there, and tell by failing
//! whether it is.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::graph::Node;
use super::oid::BOOL;
use super::scope::Column;
use super::{Equality, Walk};
use crate::access::ColumnName;
use crate::sql::catalog::{Column as Place, Event, Key, Relation};
use crate::sql::form::{Expr, Statement};

/// Functions of one text that hardly two values share a result of: to compare those is to compare the values.
const ONE_TO_ONE: [&str; 4] = ["lower", "upper", "btrim", "md5"];

impl<'a> Walk<'a> {
    /// A value is put into a column: of the relation, of the one that a view shows, and of the children's.
    pub(super) fn keyed(&mut self, relation: &'a Relation, column: &Column, value: Node, constant: bool, event: Event) {
        let catalog = self.catalog;
        let mut places: Vec<(&'a Relation, Arc<str>)> = Vec::new();
        let shown: Vec<_> =
            self.graph.exact(column.node).into_iter().filter_map(|source| self.graph.source(source)).collect();
        for (name, _) in shown {
            if let Some(under) = catalog.relation(&name.table.schema, &name.table.table) {
                places.push((under, Arc::clone(&name.column)));
            }
        }
        if places.is_empty() {
            places.push((relation, column.name.as_str().into()));
        }
        let own = places.clone();
        for (relation, name) in own {
            places.extend(catalog.descendants(relation.oid).into_iter().map(|child| (child, Arc::clone(&name))));
        }
        for (relation, name) in places {
            self.keyed_in(relation, &name, value, constant, event);
        }
    }

    /// `constant`: the value is one that the statement names.
    pub(super) fn keyed_in(&mut self, relation: &'a Relation, column: &str, value: Node, constant: bool, event: Event) {
        let Some(place) = relation.columns.iter().find(|c| *c.name == *column) else { return };
        let catalog = self.catalog;
        let known = if constant { Equality::Yes } else { Equality::No };
        for key in &relation.keys {
            for (other, equal) in self.compared_by(relation, key, place) {
                if other.tags.is_empty() {
                    continue;
                }
                let equality = match (equal, other.number == place.number) {
                    (false, _) => Equality::No,
                    (true, true) => known,
                    // Of a row that comes it is what the statement says, and that is looked at by itself.
                    (true, false) if event == Event::Insert => continue,
                    // What stands there is compared by `=` with what stands in other rows.
                    (true, false) => Equality::Yes,
                };
                self.tells(relation, other, equality);
                self.filter([value]);
            }
        }
        for key in relation.foreign_keys.iter().filter(|key| key.columns.contains(&place.number)) {
            if event != Event::Insert {
                let beside = |c: &&Place| key.columns.contains(&c.number) && c.number != place.number;
                for beside in relation.columns.iter().filter(beside) {
                    self.tells(relation, beside, Equality::Yes);
                }
            }
            let Some(other) = catalog.relations.get(&key.target) else { continue };
            for there in other.columns.iter().filter(|c| key.target_columns.contains(&c.number) && !c.tags.is_empty()) {
                self.tells(other, there, known);
                self.filter([value]);
            }
        }
    }

    /// Whether a row can be deleted tells whether others hold its key.
    pub(super) fn referenced(&mut self, relation: &'a Relation) {
        let catalog = self.catalog;
        for other in catalog.referencing(relation.oid) {
            for key in other.foreign_keys.iter().filter(|key| key.target == relation.oid) {
                let of = |of: &'a Relation, columns: &'a [i16]| {
                    of.columns.iter().filter(|column| columns.contains(&column.number)).map(move |column| (of, column))
                };
                for (of, column) in of(relation, &key.target_columns).chain(of(other, &key.columns)) {
                    self.tells(of, column, Equality::Yes);
                }
            }
        }
    }

    /// A sensitive column decides whether a write succeeds.
    fn tells(&mut self, relation: &Relation, column: &Place, equality: Equality) {
        if !column.tags.is_empty() {
            let name = ColumnName { table: self.name_of(relation), column: Arc::clone(&column.name) };
            let node = self.graph.column(&name.into(), &column.tags, None);
            self.filters.push((node, equality));
        }
    }

    /// The columns that a key which has to do with this one compares, and whether it compares them by `=`.
    fn compared_by(&mut self, relation: &'a Relation, key: &'a Key, place: &Place) -> Vec<(&'a Place, bool)> {
        let (mut equal, mut decide, mut named) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for text in &key.texts {
            let lowered = self.lowered(&format!("select {text}"));
            let Some((program, Some(Statement::Query(query)))) = lowered.as_deref().map(|p| (p, p.statements.first()))
            else {
                // What cannot be read may be of any column.
                decide.extend(relation.columns.iter().map(|column| column.number));
                continue;
            };
            let number = |path: &[String]| {
                relation.columns.iter().find(|c| path.last().is_some_and(|name| **name == *c.name)).map(|c| c.number)
            };
            let mut plain = BTreeSet::new();
            for output in &query.outputs {
                match &output.value {
                    Expr::And(parts) => plain.extend(parts.iter().filter_map(|part| is_null_test(part))),
                    one => plain.extend(is_null_test(one).or_else(|| one_to_one(one))),
                }
                equal.extend(one_to_one(&output.value).and_then(number));
            }
            // A name that stands once is what was understood; of one that stands twice, only one place is.
            for path in &program.columns {
                let times = program.columns.iter().filter(|other| *other == path).count();
                let understood = times == 1 && plain.contains(path.as_slice());
                let of = number(path);
                named.extend(of);
                let truth = relation.columns.iter().any(|c| Some(c.number) == of && c.type_oid == BOOL);
                if !understood || truth {
                    decide.extend(of);
                }
            }
        }
        let compared = |number: i16| key.columns.contains(&number) || equal.contains(&number);
        let all = |number: i16| compared(number) || decide.contains(&number);
        // A row that comes under the condition is compared from then on.
        if !all(place.number) && !named.contains(&place.number) {
            return Vec::new();
        }
        let columns = relation.columns.iter().filter(|column| all(column.number));
        columns.map(|column| (column, !key.excludes && !decide.contains(&column.number))).collect()
    }
}

/// The column that is asked for its being NULL, which its mask shows as well.
fn is_null_test(expr: &Expr) -> Option<&[String]> {
    match expr {
        Expr::Total(parts) => match parts.as_slice() {
            [Expr::Column(path)] => Some(path),
            _ => None,
        },
        _ => None,
    }
}

/// The column that a function is computed of which hardly two values share a result of.
fn one_to_one(expr: &Expr) -> Option<&[String]> {
    let Expr::Call(call) = expr else { return None };
    let ([name], [argument]) = (call.name.as_slice(), call.arguments.as_slice()) else { return None };
    let column = match argument {
        Expr::Cast { value, .. } => value,
        other => other,
    };
    match column {
        Expr::Column(path) if ONE_TO_ONE.contains(&name.as_str()) => Some(path),
        _ => None,
    }
}
