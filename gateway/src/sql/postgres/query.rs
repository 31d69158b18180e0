//! Queries, and what they read from.

use pg_query::NodeEnum;
use pg_query::protobuf::{Alias, IntoClause, JoinExpr, Node, RangeVar, SelectStmt, SetOperation, WithClause};

use super::{Lowering, strings};
use crate::sql::form::{Cte, Expr, Query, Source, Statement, Table};

pub(super) fn table(range: &RangeVar) -> Table {
    let alias = range.alias.as_ref().map_or(&range.relname, |alias| &alias.aliasname);
    Table {
        schema: (!range.schemaname.is_empty()).then(|| range.schemaname.clone()),
        name: range.relname.clone(),
        alias: alias.clone(),
    }
}

fn alias(alias: Option<&Alias>) -> String {
    alias.map(|alias| alias.aliasname.clone()).unwrap_or_default()
}

impl Lowering {
    /// The query of a node that has to be one.
    pub(super) fn query_node(&mut self, node: &Node) -> Option<Query> {
        match &node.node {
            Some(NodeEnum::SelectStmt(select)) => Some(self.query(select)),
            _ => None,
        }
    }

    pub(super) fn query(&mut self, select: &SelectStmt) -> Query {
        let mut query = Query { with: self.with(select.with_clause.as_ref()), ..Query::default() };
        if select.op() != SetOperation::SetopNone {
            let arms = [&select.larg, &select.rarg].into_iter().flatten();
            query.arms = arms.map(|arm| self.query(arm)).collect();
        }
        query.into = select.into_clause.as_deref().and_then(|into| into.rel.as_ref()).map(table);
        self.sources(&select.from_clause, &mut query.sources, &mut query.uses, &mut query.natural);
        query.outputs = self.exprs(&select.target_list);
        query.values = !select.values_lists.is_empty();
        query.outputs.extend(self.exprs(&select.values_lists));
        query.predicate = self.optional(select.where_clause.as_ref());
        for list in [&select.distinct_clause, &select.group_clause, &select.window_clause, &select.sort_clause] {
            query.uses.extend(self.exprs(list).into_iter().filter(|e| *e != Expr::Constant));
        }
        for one in [&select.having_clause, &select.limit_offset, &select.limit_count] {
            query.uses.extend(self.optional(one.as_ref()));
        }
        query
    }

    pub(super) fn with(&mut self, with: Option<&WithClause>) -> Vec<Cte> {
        let Some(with) = with else { return Vec::new() };
        let cte = |node: &Node| match &node.node {
            Some(NodeEnum::CommonTableExpr(cte)) => Some(Cte {
                name: cte.ctename.clone(),
                statement: cte.ctequery.as_deref().map_or(Statement::Opaque, |query| self.statement(query)),
            }),
            _ => None,
        };
        with.ctes.iter().filter_map(cte).collect()
    }

    pub(super) fn sources(
        &mut self,
        nodes: &[Node],
        sources: &mut Vec<Source>,
        uses: &mut Vec<Expr>,
        natural: &mut bool,
    ) {
        for node in nodes {
            self.source(node, sources, uses, natural);
        }
    }

    pub(super) fn source(&mut self, node: &Node, sources: &mut Vec<Source>, uses: &mut Vec<Expr>, natural: &mut bool) {
        match &node.node {
            Some(NodeEnum::RangeVar(range)) => sources.push(Source::Table(table(range))),
            Some(NodeEnum::RangeSubselect(range)) => {
                sources.push(match range.subquery.as_deref().and_then(|q| self.query_node(q)) {
                    Some(query) => Source::Derived { alias: alias(range.alias.as_ref()), query: Box::new(query) },
                    None => Source::Opaque,
                })
            }
            Some(NodeEnum::RangeFunction(range)) => {
                // Each item is a list of the call and its column definitions.
                let calls = range.functions.iter().flat_map(|item| match &item.node {
                    Some(NodeEnum::List(list)) => list.items.first().into_iter().collect::<Vec<_>>(),
                    _ => vec![item],
                });
                let calls: Vec<&Node> = calls.collect();
                let calls = calls.into_iter().map(|call| self.expr(call)).collect();
                sources.push(Source::Function { alias: alias(range.alias.as_ref()), calls });
            }
            Some(NodeEnum::JoinExpr(join)) => self.join(join, sources, uses, natural),
            Some(NodeEnum::RangeTableSample(sample)) => {
                if let Some(relation) = sample.relation.as_deref() {
                    self.source(relation, sources, uses, natural);
                }
                uses.extend(self.exprs(&sample.args));
                if strings(&sample.method).iter().any(|name| name != "bernoulli" && name != "system") {
                    sources.push(Source::Opaque);
                }
            }
            _ => sources.push(Source::Opaque),
        }
    }

    fn join(&mut self, join: &JoinExpr, sources: &mut Vec<Source>, uses: &mut Vec<Expr>, natural: &mut bool) {
        for side in [&join.larg, &join.rarg].into_iter().flatten() {
            self.source(side, sources, uses, natural);
        }
        uses.extend(self.optional(join.quals.as_ref()));
        // Each table's column of that name.
        uses.extend(strings(&join.using_clause).into_iter().map(|name| Expr::Column(vec![name])));
        *natural |= join.is_natural;
        let aliased = join.alias.as_ref().or(join.join_using_alias.as_ref());
        if let Some(alias) = aliased {
            // What it is called outside hides the tables in it.
            sources.push(Source::Function { alias: alias.aliasname.clone(), calls: Vec::new() });
        }
    }

    pub(super) fn into(&mut self, into: Option<&IntoClause>) -> Option<Table> {
        into.and_then(|into| into.rel.as_ref()).map(table)
    }
}
