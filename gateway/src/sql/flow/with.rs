//! Common table expressions.

use super::Walk;
use super::graph::Node;
use super::scope::{Column, Ctes, Rows, Scope};
use super::value::Value;
use crate::sql::form::{Added, Cte, Query, Statement};

impl Walk<'_> {
    pub(super) fn with(&mut self, with: &[Cte], outer: &Scope<'_>) -> Ctes {
        let (mut scope, level) = (outer.inner(), outer.depth());
        // Of a list that is recursive each sees those behind it as well, which the server reads first: what they hold is not
        // known there.
        for later in with.iter().skip(1).filter(|cte| cte.recursive) {
            let anything = self.graph.unknown(Vec::new());
            scope.ctes = scope.ctes.with(&later.name, Rows { columns: Vec::new(), open: Some(anything) });
        }
        for cte in with {
            if cte.recursive {
                // What it returns is visible in it: its columns are known from its first arm, what they hold afterwards.
                let own = self.first_arm(&cte.statement, &scope);
                let rows = self.renamed(own, &cte.columns);
                // So is what is added to it, by its name.
                let rows = self.with_added(rows, &cte.added);
                let mut inside = scope.inner();
                inside.ctes = scope.ctes.with_added(&cte.name, rows.clone(), cte.added.len(), level);
                let shown = self.statement(&cte.statement, &inside);
                let whole = self.shown(shown);
                for (column, more) in rows.columns.iter().zip(&whole.columns) {
                    self.graph.feed(column.node, [more.node]);
                }
                if let Some(open) = whole.open {
                    let all: Vec<Node> = rows.columns.iter().map(|column| column.node).chain(rows.open).collect();
                    all.into_iter().for_each(|node| self.graph.feed(node, [open]));
                }
                scope.ctes = scope.ctes.with_added(&cte.name, rows, cte.added.len(), level);
            } else {
                let shown = self.statement(&cte.statement, &scope);
                let rows = self.shown(shown);
                let rows = self.renamed(rows, &cte.columns);
                let rows = self.with_added(rows, &cte.added);
                scope.ctes = scope.ctes.with_added(&cte.name, rows, cte.added.len(), level);
            }
        }
        scope.ctes.clone()
    }

    /// With the columns of SEARCH and CYCLE. What they are computed from is ordered or compared.
    fn with_added(&mut self, mut rows: Rows, added: &[Added]) -> Rows {
        let mut columns = Vec::new();
        for one in added {
            let mut from: Vec<Node> =
                rows.columns.iter().filter(|c| one.from.contains(&c.name)).map(|c| c.node).collect();
            from.extend(rows.open);
            if one.ends {
                self.filter(from.clone());
            }
            let marks: Vec<Value> = one.marks.iter().map(|mark| self.expr(mark, &Scope::default())).collect();
            self.together(&marks.iter().collect::<Vec<_>>());
            columns.push(Column { name: one.name.clone(), node: self.graph.derived(from), of: None });
        }
        rows.columns.extend(columns);
        rows
    }

    /// The columns of a recursive query: new values, which its arms will be fed into.
    fn first_arm(&mut self, statement: &Statement, scope: &Scope<'_>) -> Rows {
        let mut first: &Query = match statement {
            Statement::Query(query) => query,
            _ => return Rows { columns: Vec::new(), open: Some(self.graph.unknown(Vec::new())) },
        };
        let mut inside = scope.inner();
        while let Some(arm) = first.arms.first() {
            inside.ctes = self.with(&first.with, &inside);
            first = arm;
        }
        let rows = self.query(first, &inside);
        let columns =
            rows.columns.into_iter().map(|column| Column { node: self.graph.derived(vec![column.node]), ..column });
        let columns = columns.collect();
        Rows { columns, open: rows.open.map(|open| self.graph.derived(vec![open])) }
    }
}
