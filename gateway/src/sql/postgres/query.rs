//! Queries, and what they read from.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    AExprKind, Alias, CommonTableExpr, FuncCall, JoinExpr, Node, RangeFunction, RangeTableFunc, RangeVar, SelectStmt,
    SetOperation, WithClause,
};

use super::expr::{text, type_name};
use super::{Lowering, Server, strings};
use crate::sql::form::{Added, Call, Cte, Expr, Figured, On, Output, Query, Source, Statement, Table, UNNAMED};
use crate::sql::predicate::is_written;

pub(super) fn table(range: &RangeVar) -> Table {
    let (alias, columns) = called(range.alias.as_ref());
    Table {
        schema: (!range.schemaname.is_empty()).then(|| range.schemaname.clone()),
        name: range.relname.clone(),
        alias,
        columns,
    }
}

fn called(alias: Option<&Alias>) -> (Option<String>, Vec<String>) {
    match alias {
        Some(alias) => (Some(alias.aliasname.clone()), strings(&alias.colnames)),
        None => (None, Vec::new()),
    }
}

/// The setting whose row a query reads of `pg_settings`: how clients set one that not every server has.
fn setting(select: &SelectStmt) -> Option<String> {
    let [from] = select.from_clause.as_slice() else { return None };
    let Some(NodeEnum::RangeVar(range)) = &from.node else { return None };
    let system = range.schemaname.is_empty() || range.schemaname == "pg_catalog";
    if !system || range.relname != "pg_settings" || range.alias.is_some() {
        return None;
    }
    let Some(NodeEnum::AExpr(equals)) = select.where_clause.as_deref()?.node.as_ref() else { return None };
    let plain = equals.kind() == AExprKind::AexprOp && strings(&equals.name) == ["="];
    let is_name = equals.lexpr.as_deref().is_some_and(is_name_of_setting);
    equals.rexpr.as_deref().filter(|_| plain && is_name).and_then(text).map(str::to_owned)
}

/// Whether an expression is the column of `pg_settings` that says which setting.
pub(super) fn is_name_of_setting(node: &Node) -> bool {
    matches!(&node.node, Some(NodeEnum::ColumnRef(column)) if strings(&column.fields) == ["name"])
}

impl Lowering {
    /// What SEARCH and CYCLE add to a common table expression, in the order in which the server does.
    fn added(&mut self, cte: &CommonTableExpr) -> Vec<Added> {
        let mut added = Vec::new();
        if let Some(search) = &cte.search_clause {
            let from = strings(&search.search_col_list);
            added.push(Added { name: search.search_seq_column.clone(), from, ends: false, marks: Vec::new() });
        }
        if let Some(cycle) = cte.cycle_clause.as_deref() {
            let marks = [&cycle.cycle_mark_value, &cycle.cycle_mark_default];
            let marks: Vec<Expr> = marks.into_iter().flatten().map(|mark| self.expr(mark)).collect();
            for (name, marks) in [(&cycle.cycle_mark_column, marks), (&cycle.cycle_path_column, Vec::new())] {
                added.push(Added { name: name.clone(), from: strings(&cycle.cycle_col_list), ends: true, marks });
            }
        }
        added
    }

    /// The query of a node that has to be one.
    pub(super) fn query_node(&mut self, node: &Node) -> Option<Query> {
        match &node.node {
            Some(NodeEnum::SelectStmt(select)) => Some(self.query(select)),
            _ => None,
        }
    }

    pub(super) fn query(&mut self, select: &SelectStmt) -> Query {
        let around = self.setting.take();
        let mut query = Query { with: self.with(select.with_clause.as_ref()), ..Query::default() };
        if select.op() != SetOperation::SetopNone {
            query.all = select.all && select.op() == SetOperation::SetopUnion;
            let arms = [&select.larg, &select.rarg].into_iter().flatten();
            query.arms = arms.map(|arm| self.query(arm)).collect();
        }
        query.into = select.into_clause.as_deref().and_then(|into| into.rel.as_ref()).map(table);
        query.sources = self.sources(&select.from_clause);
        // Computed of the rows alone that the condition leaves.
        self.setting = setting(select);
        query.outputs = self.outputs(&select.target_list);
        self.setting = None;
        query.values = select
            .values_lists
            .iter()
            .map(|row| match &row.node {
                Some(NodeEnum::List(list)) => self.exprs(&list.items),
                _ => vec![self.expr(row)],
            })
            .collect();
        query.predicate = self.optional(select.where_clause.as_ref());
        query.having = self.optional(select.having_clause.as_ref());
        // Plain DISTINCT is a list of one empty node.
        query.distinct = select.distinct_clause.iter().any(|node| node.node.is_none());
        let on = select.distinct_clause.iter().filter(|node| node.node.is_some());
        query.order = on.map(|node| self.ordered(node)).collect();
        query.order.extend(select.sort_clause.iter().map(|node| self.ordered(node)));
        query.groups = select.group_clause.iter().map(|node| self.ordered(node)).collect();
        query.uses.extend(self.exprs(&select.window_clause));
        for one in [&select.limit_offset, &select.limit_count] {
            query.uses.extend(self.optional(one.as_ref()));
        }
        self.setting = around;
        query
    }

    /// An expression in a place where a number names a column of the result.
    fn ordered(&mut self, node: &Node) -> Expr {
        let inner = match &node.node {
            Some(NodeEnum::GroupingSet(set)) => {
                return Expr::Total(set.content.iter().map(|node| self.ordered(node)).collect());
            }
            Some(NodeEnum::RowExpr(row)) => {
                return Expr::Total(row.args.iter().map(|node| self.ordered(node)).collect());
            }
            Some(NodeEnum::SortBy(sort)) if sort.use_op.is_empty() => sort.node.as_deref().unwrap_or(node),
            _ => node,
        };
        if let Some(NodeEnum::AConst(constant)) = &inner.node
            && let Some(pg_query::protobuf::a_const::Val::Ival(number)) = &constant.val
        {
            // Two texts that differ in it differ in what they do.
            self.shape_decides = false;
            return Expr::Ordinal(usize::try_from(number.ival).unwrap_or(0));
        }
        self.expr(node)
    }

    /// A target list.
    pub(super) fn outputs(&mut self, nodes: &[Node]) -> Vec<Output> {
        nodes.iter().map(|node| self.output(node)).collect()
    }

    fn output(&mut self, node: &Node) -> Output {
        match &node.node {
            Some(NodeEnum::ResTarget(target)) => {
                let value = target.val.as_deref();
                let name = match value {
                    Some(value) if target.name.is_empty() => figured(value, self.server),
                    _ => Some(target.name.clone()),
                };
                Output { name, value: value.map_or(Expr::Opaque, |value| self.expr(value)) }
            }
            _ => Output { name: Some(UNNAMED.to_owned()), value: self.expr(node) },
        }
    }

    pub(super) fn with(&mut self, with: Option<&WithClause>) -> Vec<Cte> {
        let Some(with) = with else { return Vec::new() };
        let mut cte = |node: &Node| match &node.node {
            Some(NodeEnum::CommonTableExpr(cte)) => Some(Cte {
                name: cte.ctename.clone(),
                columns: strings(&cte.aliascolnames),
                recursive: with.recursive,
                statement: cte.ctequery.as_deref().map_or(Statement::Opaque, |query| self.statement(query)),
                added: self.added(cte),
            }),
            _ => None,
        };
        with.ctes.iter().filter_map(&mut cte).collect()
    }

    pub(super) fn sources(&mut self, nodes: &[Node]) -> Vec<Source> {
        nodes.iter().map(|node| self.source(node)).collect()
    }

    pub(super) fn source(&mut self, node: &Node) -> Source {
        match &node.node {
            Some(NodeEnum::RangeVar(range)) => Source::Table(table(range)),
            Some(NodeEnum::RangeSubselect(range)) => {
                let (alias, columns) = called(range.alias.as_ref());
                match range.subquery.as_deref().and_then(|q| self.query_node(q)) {
                    Some(query) => Source::Derived { alias, columns, query: Box::new(query), lateral: range.lateral },
                    None => Source::Opaque,
                }
            }
            Some(NodeEnum::RangeFunction(range)) => self.function_source(range),
            Some(NodeEnum::RangeTableFunc(range)) => self.xml_table(range),
            Some(NodeEnum::JoinExpr(join)) => self.join(join),
            Some(NodeEnum::RangeTableSample(sample)) => {
                let builtin = strings(&sample.method).iter().all(|name| name == "bernoulli" || name == "system");
                // A subquery there runs what it likes, and how many rows come tells of what it finds.
                let fixed =
                    self.exprs(&sample.args).iter().chain(&self.optional(sample.repeatable.as_ref())).all(is_written);
                match sample.relation.as_deref() {
                    Some(relation) if builtin && fixed => self.source(relation),
                    _ => Source::Opaque,
                }
            }
            _ => Source::Opaque,
        }
    }

    fn function_source(&mut self, range: &RangeFunction) -> Source {
        let (alias, mut columns) = called(range.alias.as_ref());
        let (mut calls, mut types) = (Vec::new(), types(&range.coldeflist));
        // Names that come one after the other are those of the first columns: of an alias, or of functions before all others.
        let mut first = columns.is_empty();
        for item in &range.functions {
            // Each is a list of the call and its column definitions.
            let (call, definitions) = match &item.node {
                Some(NodeEnum::List(list)) => (list.items.first(), list.items.get(1)),
                _ => (Some(item), None),
            };
            let definitions = definitions.and_then(|node| node.node.as_ref());
            match call.and_then(|call| call.node.as_ref()) {
                Some(NodeEnum::FuncCall(unnest)) if definitions.is_none() && spreads(unnest) => {
                    for array in &unnest.args {
                        let name = vec!["pg_catalog".to_owned(), "unnest".to_owned()];
                        self.calls.push(name.clone());
                        let arguments = vec![self.expr(array)];
                        calls.push(Expr::Call(Box::new(Call { name, arguments, ..Call::default() })));
                    }
                }
                _ => calls.extend(call.map(|call| self.expr(call))),
            }
            match definitions {
                Some(NodeEnum::List(list)) if first => {
                    columns.extend(names(&list.items));
                    types.extend(self::types(&list.items));
                }
                Some(NodeEnum::List(_)) => return Source::Opaque,
                _ => first = false,
            }
        }
        if columns.is_empty() {
            columns = names(&range.coldeflist);
        }
        Source::Function { alias, columns, calls, types, ordinality: range.ordinality }
    }

    fn xml_table(&mut self, range: &RangeTableFunc) -> Source {
        let (alias, columns) = called(range.alias.as_ref());
        let mut from: Vec<Expr> =
            [&range.docexpr, &range.rowexpr].into_iter().flatten().map(|e| self.expr(e)).collect();
        from.extend(self.exprs(&range.namespaces));
        let (mut names, mut types) = (Vec::new(), Vec::new());
        for node in &range.columns {
            let Some(NodeEnum::RangeTableFuncCol(column)) = &node.node else { return Source::Opaque };
            names.push(column.colname.clone());
            types.extend(column.type_name.as_ref().map(type_name));
            from.extend([&column.colexpr, &column.coldefexpr].into_iter().flatten().map(|e| self.expr(e)));
        }
        for (name, column) in names.iter_mut().zip(columns) {
            *name = column;
        }
        Source::Computed { alias, names, types, from }
    }

    fn join(&mut self, join: &JoinExpr) -> Source {
        let mut side = |node: Option<&Node>| Box::new(node.map_or(Source::Opaque, |node| self.source(node)));
        let (left, right) = (side(join.larg.as_deref()), side(join.rarg.as_deref()));
        let on = On {
            natural: join.is_natural,
            using: strings(&join.using_clause),
            using_alias: called(join.join_using_alias.as_ref()).0,
            condition: self.optional(join.quals.as_ref()),
        };
        let (alias, columns) = called(join.alias.as_ref());
        Source::Join { left, right, on, alias, columns }
    }
}

/// Whether a call in a FROM list stands for one of each argument: `unnest(a, b)` has a column of each
/// (`transformRangeFunction`).
fn spreads(call: &FuncCall) -> bool {
    strings(&call.funcname) == ["unnest"]
        && call.args.len() > 1
        && call.agg_order.is_empty()
        && call.agg_filter.is_none()
        && call.over.is_none()
        && !(call.agg_star || call.agg_distinct || call.func_variadic)
}

/// The names of column definitions.
fn names(nodes: &[Node]) -> Vec<String> {
    let name = |node: &Node| match &node.node {
        Some(NodeEnum::ColumnDef(column)) => Some(column.colname.clone()),
        _ => None,
    };
    nodes.iter().filter_map(name).collect()
}

/// The types of column definitions.
fn types(nodes: &[Node]) -> Vec<Vec<String>> {
    let of = |node: &Node| match &node.node {
        Some(NodeEnum::ColumnDef(column)) => column.type_name.as_ref().map(type_name),
        _ => None,
    };
    nodes.iter().filter_map(of).collect()
}

/// The name of a result's column that the statement gives none (PostgreSQL's `FigureColname`).
fn figured(node: &Node, server: Server) -> Option<String> {
    figure(node, server).map_or_else(|| Some(UNNAMED.to_owned()), |(name, _)| name)
}

/// A name, as PostgreSQL's `FigureColnameInternal` finds it.
fn figure(node: &Node, server: Server) -> Option<Figured> {
    let good = |name: &str| Some((Some(name.to_owned()), true));
    let last = |names: &[Node], better: bool| strings(names).pop().map(|name| (Some(name), better));
    let node = node.node.as_ref()?;
    if let Some(figured) = server.names_otherwise(node) {
        return Some(figured);
    }
    match node {
        NodeEnum::ColumnRef(column) => last(&column.fields, true),
        NodeEnum::AIndirection(e) => last(&e.indirection, true).or_else(|| figure(e.arg.as_deref()?, server)),
        NodeEnum::FuncCall(call) => last(&call.funcname, true),
        NodeEnum::AExpr(e) if e.kind() == AExprKind::AexprNullif => good("nullif"),
        NodeEnum::TypeCast(cast) => match cast.arg.as_deref().and_then(|arg| figure(arg, server)) {
            Some((name, true)) => Some((name, true)),
            weak => cast.type_name.as_ref().and_then(|of| last(&of.names, false)).or(weak),
        },
        NodeEnum::CollateClause(e) => figure(e.arg.as_deref()?, server),
        NodeEnum::GroupingFunc(_) => good("grouping"),
        NodeEnum::MergeSupportFunc(_) => good("merge_action"),
        NodeEnum::SubLink(link) => match link.sub_link_type() {
            pg_query::protobuf::SubLinkType::ExistsSublink => good("exists"),
            pg_query::protobuf::SubLinkType::ArraySublink => good("array"),
            // Its first column's, which a star, VALUES or a set operation may give it.
            pg_query::protobuf::SubLinkType::ExprSublink => Some((None, true)),
            _ => None,
        },
        NodeEnum::CaseExpr(e) => match e.defresult.as_deref().and_then(|value| figure(value, server)) {
            Some((name, true)) => Some((name, true)),
            _ => Some((Some("case".to_owned()), false)),
        },
        NodeEnum::AArrayExpr(_) => good("array"),
        NodeEnum::RowExpr(_) => good("row"),
        NodeEnum::CoalesceExpr(_) => good("coalesce"),
        NodeEnum::MinMaxExpr(e) => {
            good(if e.op() == pg_query::protobuf::MinMaxOp::IsGreatest { "greatest" } else { "least" })
        }
        NodeEnum::SqlvalueFunction(e) => {
            use pg_query::protobuf::SqlValueFunctionOp as Op;
            good(match e.op() {
                Op::SvfopCurrentDate => "current_date",
                Op::SvfopCurrentTime | Op::SvfopCurrentTimeN => "current_time",
                Op::SvfopCurrentTimestamp | Op::SvfopCurrentTimestampN => "current_timestamp",
                Op::SvfopLocaltime | Op::SvfopLocaltimeN => "localtime",
                Op::SvfopLocaltimestamp | Op::SvfopLocaltimestampN => "localtimestamp",
                Op::SvfopCurrentRole => "current_role",
                Op::SvfopCurrentUser => "current_user",
                Op::SvfopUser => "user",
                Op::SvfopSessionUser => "session_user",
                Op::SvfopCurrentCatalog => "current_catalog",
                Op::SvfopCurrentSchema => "current_schema",
                Op::SqlvalueFunctionOpUndefined => return None,
            })
        }
        NodeEnum::XmlSerialize(_) => good("xmlserialize"),
        NodeEnum::XmlExpr(e) => {
            use pg_query::protobuf::XmlExprOp as Op;
            good(match e.op() {
                Op::IsXmlconcat => "xmlconcat",
                Op::IsXmlelement => "xmlelement",
                Op::IsXmlforest => "xmlforest",
                Op::IsXmlparse => "xmlparse",
                Op::IsXmlpi => "xmlpi",
                Op::IsXmlroot => "xmlroot",
                Op::IsXmlserialize => "xmlserialize",
                Op::IsDocument | Op::Undefined => return None,
            })
        }
        NodeEnum::JsonParseExpr(_) => good("json"),
        NodeEnum::JsonScalarExpr(_) => good("json_scalar"),
        NodeEnum::JsonSerializeExpr(_) => good("json_serialize"),
        NodeEnum::JsonObjectConstructor(_) => good("json_object"),
        NodeEnum::JsonArrayConstructor(_) | NodeEnum::JsonArrayQueryConstructor(_) => good("json_array"),
        NodeEnum::JsonObjectAgg(_) => good("json_objectagg"),
        NodeEnum::JsonArrayAgg(_) => good("json_arrayagg"),
        NodeEnum::JsonFuncExpr(e) => {
            use pg_query::protobuf::JsonExprOp as Op;
            good(match e.op() {
                Op::JsonExistsOp => "json_exists",
                Op::JsonQueryOp => "json_query",
                Op::JsonValueOp => "json_value",
                Op::JsonTableOp | Op::Undefined => return None,
            })
        }
        _ => None,
    }
}
