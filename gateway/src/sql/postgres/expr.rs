//! Expressions.

use pg_query::NodeEnum;
use pg_query::protobuf::{AExpr, AExprKind, BoolExprType, ColumnRef, FuncCall, Node, WindowDef};

use super::{Lowering, strings};
use crate::sql::form::Expr;

impl Lowering {
    pub(super) fn exprs(&mut self, nodes: &[Node]) -> Vec<Expr> {
        nodes.iter().map(|node| self.expr(node)).collect()
    }

    pub(super) fn optional<N: AsRef<Node>>(&mut self, node: Option<&N>) -> Option<Expr> {
        node.map(|node| self.expr(node.as_ref()))
    }

    fn computed<'a>(&mut self, parts: impl IntoIterator<Item = &'a Node>) -> Expr {
        Expr::Computed(parts.into_iter().map(|node| self.expr(node)).collect())
    }

    /// Total: what is not listed is opaque.
    pub(super) fn expr(&mut self, node: &Node) -> Expr {
        let Some(node) = &node.node else { return Expr::Constant };
        match node {
            NodeEnum::AConst(_) | NodeEnum::Integer(_) | NodeEnum::Float(_) | NodeEnum::Boolean(_) => Expr::Constant,
            NodeEnum::String(_) | NodeEnum::BitString(_) | NodeEnum::SetToDefault(_) => Expr::Constant,
            NodeEnum::SqlvalueFunction(_) | NodeEnum::GroupingFunc(_) => Expr::Constant,
            NodeEnum::ParamRef(parameter) => {
                let number = usize::try_from(parameter.number).unwrap_or(0);
                self.parameters = self.parameters.max(number);
                Expr::Parameter(number)
            }
            NodeEnum::ColumnRef(column) => column_ref(column),
            NodeEnum::AExpr(operation) => self.operation(operation),
            NodeEnum::BoolExpr(e) if e.boolop() == BoolExprType::AndExpr => Expr::And(self.exprs(&e.args)),
            NodeEnum::BoolExpr(e) => self.computed(&e.args),
            NodeEnum::FuncCall(call) => self.call(call),
            NodeEnum::SubLink(link) => {
                let query = link.subselect.as_deref().map_or(Expr::Opaque, |query| match self.query_node(query) {
                    Some(query) => Expr::Query(Box::new(query)),
                    None => Expr::Opaque,
                });
                match link.testexpr.as_deref() {
                    Some(test) => Expr::Computed(vec![self.expr(test), query]),
                    None => query,
                }
            }
            NodeEnum::TypeCast(cast) => match self.optional(cast.arg.as_ref()) {
                Some(Expr::Constant) | None => Expr::Constant,
                Some(Expr::Parameter(number)) => Expr::Parameter(number),
                Some(inner) => Expr::Computed(vec![inner]),
            },
            NodeEnum::CollateClause(e) => self.computed(e.arg.as_deref()),
            NodeEnum::CaseExpr(e) => {
                let (arg, default) = (e.arg.as_deref(), e.defresult.as_deref());
                self.computed(arg.into_iter().chain(&e.args).chain(default))
            }
            NodeEnum::CaseWhen(e) => self.computed(e.expr.as_deref().into_iter().chain(e.result.as_deref())),
            NodeEnum::CoalesceExpr(e) => self.computed(&e.args),
            NodeEnum::MinMaxExpr(e) => self.computed(&e.args),
            NodeEnum::NullTest(e) => self.computed(e.arg.as_deref()),
            NodeEnum::BooleanTest(e) => self.computed(e.arg.as_deref()),
            NodeEnum::AArrayExpr(e) => self.computed(&e.elements),
            NodeEnum::RowExpr(e) => self.computed(&e.args),
            NodeEnum::List(e) => self.computed(&e.items),
            NodeEnum::NamedArgExpr(e) => self.computed(e.arg.as_deref()),
            NodeEnum::AIndirection(e) => {
                let arg = e.arg.as_deref();
                self.computed(arg.into_iter().chain(&e.indirection))
            }
            NodeEnum::AIndices(e) => self.computed(e.lidx.as_deref().into_iter().chain(e.uidx.as_deref())),
            NodeEnum::AStar(_) => Expr::Star(None),
            NodeEnum::GroupingSet(e) => self.computed(&e.content),
            NodeEnum::SortBy(e) => self.computed(e.node.as_deref()),
            NodeEnum::ResTarget(e) => self.computed(e.val.as_deref()),
            NodeEnum::MultiAssignRef(e) => self.computed(e.source.as_deref()),
            NodeEnum::WindowDef(window) => self.window(window),
            NodeEnum::IndexElem(e) => {
                let named = (!e.name.is_empty()).then(|| Expr::Column(vec![e.name.clone()]));
                Expr::Computed(named.into_iter().chain(e.expr.as_deref().map(|node| self.expr(node))).collect())
            }
            NodeEnum::XmlSerialize(e) => self.computed(e.expr.as_deref()),
            NodeEnum::XmlExpr(e) => self.computed(e.named_args.iter().chain(&e.args)),
            // WHERE CURRENT OF reads what its cursor's statement reads.
            _ => Expr::Opaque,
        }
    }

    fn operation(&mut self, e: &AExpr) -> Expr {
        let name = strings(&e.name);
        let (left, right) = (self.optional(e.lexpr.as_ref()), self.optional(e.rexpr.as_ref()));
        let equals = name.len() == 1 && name.first().is_some_and(|name| name == "=");
        let comparison = matches!(e.kind(), AExprKind::AexprOp | AExprKind::AexprIn | AExprKind::AexprOpAny);
        match (left, right) {
            (Some(left), Some(right)) if equals && comparison => {
                Expr::Equal { left: Box::new(left), right: Box::new(right) }
            }
            // An operator of someone's own may run anything; those of the grammar and of pg_catalog compute.
            (left, right) if name.len() <= 1 || name.first().is_some_and(|schema| schema == "pg_catalog") => {
                Expr::Computed(left.into_iter().chain(right).collect())
            }
            (left, right) => Expr::Computed(left.into_iter().chain(right).chain([Expr::Opaque]).collect()),
        }
    }

    fn call(&mut self, call: &FuncCall) -> Expr {
        let name = strings(&call.funcname);
        if name.last().is_some_and(|name| name == "set_config") {
            // The first argument says which setting, and some are privileges.
            self.shape_decides = false;
        }
        let mut arguments = self.exprs(&call.args);
        arguments.extend(self.exprs(&call.agg_order));
        arguments.extend(self.optional(call.agg_filter.as_ref()));
        if let Some(window) = call.over.as_deref() {
            arguments.push(self.window(window));
        }
        Expr::Call { name, arguments }
    }

    fn window(&mut self, window: &WindowDef) -> Expr {
        let parts = window.partition_clause.iter().chain(&window.order_clause);
        self.computed(parts.chain(window.start_offset.as_deref()).chain(window.end_offset.as_deref()))
    }
}

fn column_ref(column: &ColumnRef) -> Expr {
    let mut path = strings(&column.fields);
    match column.fields.last().and_then(|node| node.node.as_ref()) {
        Some(NodeEnum::AStar(_)) => Expr::Star(path.pop()),
        _ => Expr::Column(path),
    }
}
