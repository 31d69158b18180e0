//! Expressions.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    AConst, AExpr, AExprKind, AIndirection, BoolExprType, CaseExpr, ColumnRef, FuncCall, Node, SubLink, SubLinkType,
    TypeName, WindowDef, a_const,
};

use super::{Lowering, strings};
use crate::sql::form::{Call, Constant, Expr, Quantity, Subquery, Table};
use crate::sql::qualified;

impl Lowering {
    pub(super) fn exprs(&mut self, nodes: &[Node]) -> Vec<Expr> {
        nodes.iter().map(|node| self.expr(node)).collect()
    }

    pub(super) fn optional<N: AsRef<Node>>(&mut self, node: Option<&N>) -> Option<Expr> {
        node.map(|node| self.expr(node.as_ref()))
    }

    fn each<'a>(&mut self, parts: impl IntoIterator<Item = &'a Node>) -> Vec<Expr> {
        parts.into_iter().map(|node| self.expr(node)).collect()
    }

    fn computed<'a>(&mut self, parts: impl IntoIterator<Item = &'a Node>) -> Expr {
        Expr::Computed(self.each(parts))
    }

    fn total<'a>(&mut self, parts: impl IntoIterator<Item = &'a Node>) -> Expr {
        Expr::Total(self.each(parts))
    }

    /// Total: what is not listed is opaque.
    pub(super) fn expr(&mut self, node: &Node) -> Expr {
        let Some(node) = &node.node else { return Expr::Constant(Constant::Other) };
        self.otherwise |= self.server.takes_otherwise(node);
        match node {
            NodeEnum::AConst(constant) => Expr::Constant(literal(constant)),
            NodeEnum::Integer(_) | NodeEnum::Float(_) => Expr::Constant(Constant::Number),
            NodeEnum::Boolean(_) => Expr::Constant(Constant::Bool),
            NodeEnum::String(_) | NodeEnum::BitString(_) => Expr::Constant(Constant::Text),
            NodeEnum::SetToDefault(_) => Expr::Constant(Constant::Default),
            NodeEnum::SqlvalueFunction(_) | NodeEnum::GroupingFunc(_) => Expr::Constant(Constant::Other),
            NodeEnum::MergeSupportFunc(_) => Expr::Constant(Constant::Other),
            NodeEnum::ParamRef(parameter) => {
                let number = usize::try_from(parameter.number).unwrap_or(0);
                self.parameters = self.parameters.max(number);
                Expr::Parameter(number)
            }
            NodeEnum::ColumnRef(column) => {
                self.columns.push(strings(&column.fields));
                column_ref(column)
            }
            NodeEnum::AExpr(operation) => self.operation(operation),
            NodeEnum::BoolExpr(e) => {
                let mut parts = self.exprs(&e.args);
                match (e.boolop(), parts.len()) {
                    (BoolExprType::AndExpr, _) => Expr::And(parts),
                    (BoolExprType::OrExpr, _) => Expr::Or(parts),
                    (BoolExprType::NotExpr, 1) => Expr::Not(Box::new(parts.remove(0))),
                    _ => Expr::Opaque,
                }
            }
            NodeEnum::FuncCall(call) => self.call(call),
            NodeEnum::SubLink(link) => self.sublink(link),
            NodeEnum::TypeCast(cast) => match (self.optional(cast.arg.as_ref()), &cast.type_name) {
                (Some(value), Some(to)) => {
                    Expr::Cast { value: Box::new(value), to: type_name(to), sized: !to.typmods.is_empty() }
                }
                _ => Expr::Opaque,
            },
            NodeEnum::CollateClause(e) => match self.optional(e.arg.as_ref()) {
                Some(value) => Expr::Collate(Box::new(value)),
                None => Expr::Opaque,
            },
            NodeEnum::CaseExpr(e) => self.case(e),
            NodeEnum::CoalesceExpr(e) => Expr::Coalesce(self.exprs(&e.args)),
            NodeEnum::MinMaxExpr(e) => Expr::Chosen { operator: vec!["<".to_owned()], values: self.exprs(&e.args) },
            NodeEnum::NullTest(e) => self.total(e.arg.as_deref()),
            NodeEnum::BooleanTest(e) => match self.optional(e.arg.as_ref()) {
                Some(value) => Expr::Total(vec![Expr::Not(Box::new(value))]),
                None => Expr::Opaque,
            },
            NodeEnum::AArrayExpr(e) => Expr::Array(self.exprs(&e.elements)),
            NodeEnum::RowExpr(e) => self.total(&e.args),
            NodeEnum::List(e) => Expr::List(self.exprs(&e.items)),
            NodeEnum::NamedArgExpr(e) => e.arg.as_deref().map_or(Expr::Opaque, |arg| self.expr(arg)),
            NodeEnum::AIndirection(e) => self.indirection(e),
            NodeEnum::AIndices(e) => self.computed(e.lidx.as_deref().into_iter().chain(e.uidx.as_deref())),
            NodeEnum::AStar(_) => Expr::Star(Vec::new()),
            NodeEnum::GroupingSet(e) => self.total(&e.content),
            NodeEnum::SortBy(e) => {
                let value = e.node.as_deref().map_or(Expr::Opaque, |node| self.expr(node));
                let operator = strings(&e.use_op);
                if operator.is_empty() {
                    return value;
                }
                let right = Box::new(value);
                Expr::Operator { name: operator, left: None, right, quantity: Quantity::One }
            }
            NodeEnum::ResTarget(e) => e.val.as_deref().map_or(Expr::Opaque, |value| self.expr(value)),
            NodeEnum::MultiAssignRef(e) => e.source.as_deref().map_or(Expr::Opaque, |source| self.expr(source)),
            NodeEnum::WindowDef(window) => self.window(window),
            NodeEnum::IndexElem(e) => {
                let named = (!e.name.is_empty()).then(|| Expr::Column(vec![e.name.clone()]));
                Expr::Computed(named.into_iter().chain(e.expr.as_deref().map(|node| self.expr(node))).collect())
            }
            NodeEnum::XmlSerialize(e) => match (self.computed(e.expr.as_deref()), &e.type_name) {
                (value, Some(to)) => {
                    Expr::Cast { value: Box::new(value), to: type_name(to), sized: !to.typmods.is_empty() }
                }
                _ => Expr::Opaque,
            },
            NodeEnum::XmlExpr(e) => self.computed(e.named_args.iter().chain(&e.args)),
            // WHERE CURRENT OF reads what its cursor's statement reads.
            _ => Expr::Opaque,
        }
    }

    fn operation(&mut self, e: &AExpr) -> Expr {
        let name = strings(&e.name);
        self.calls.push(name.clone());
        let (left, right) = (self.optional(e.lexpr.as_ref()), self.optional(e.rexpr.as_ref()));
        let quantity = match e.kind() {
            AExprKind::AexprOpAny | AExprKind::AexprIn => Quantity::Any,
            AExprKind::AexprOpAll => Quantity::All,
            AExprKind::AexprBetween
            | AExprKind::AexprNotBetween
            | AExprKind::AexprBetweenSym
            | AExprKind::AexprNotBetweenSym => {
                // Two comparisons of the left side.
                let bounds = [left, right].into_iter().flatten().collect();
                let right = Box::new(Expr::List(bounds));
                return Expr::Operator { name: vec!["<".to_owned()], left: None, right, quantity: Quantity::One };
            }
            AExprKind::AexprDistinct | AExprKind::AexprNotDistinct => {
                // It compares by `=`, and is another thing: `a IS DISTINCT FROM 1` holds for all rows but some.
                let Some(right) = right.map(Box::new) else { return Expr::Opaque };
                let compared = Expr::Operator { name, left: left.map(Box::new), right, quantity: Quantity::One };
                return Expr::Total(vec![compared]);
            }
            AExprKind::AexprNullif => {
                let values = left.into_iter().chain(right).collect();
                return Expr::Chosen { operator: name, values };
            }
            AExprKind::AexprSimilar => {
                // Negated or not: the other is looked for as well.
                let Some(right) = right.map(Box::new) else { return Expr::Opaque };
                let name = vec!["~".to_owned()];
                return Expr::Operator { name, left: left.map(Box::new), right, quantity: Quantity::One };
            }
            AExprKind::Undefined => return Expr::Opaque,
            _ => Quantity::One,
        };
        match right {
            Some(right) => Expr::Operator { name, left: left.map(Box::new), right: Box::new(right), quantity },
            None => Expr::Opaque,
        }
    }

    fn case(&mut self, e: &CaseExpr) -> Expr {
        let (mut conditions, mut values) = (Vec::new(), Vec::new());
        let subject = self.optional(e.arg.as_ref());
        for node in &e.args {
            let Some(NodeEnum::CaseWhen(when)) = &node.node else { return Expr::Opaque };
            conditions.push(self.optional(when.expr.as_ref()).unwrap_or(Expr::Opaque));
            values.extend(self.optional(when.result.as_ref()));
        }
        values.extend(self.optional(e.defresult.as_ref()));
        Expr::Case { subject: subject.map(Box::new), conditions, values }
    }

    fn indirection(&mut self, e: &AIndirection) -> Expr {
        let Some(mut value) = self.optional(e.arg.as_ref()) else { return Expr::Opaque };
        for part in &e.indirection {
            value = match &part.node {
                Some(NodeEnum::String(field)) => Expr::Field { row: Box::new(value), field: Some(field.sval.clone()) },
                Some(NodeEnum::AStar(_)) => Expr::Field { row: Box::new(value), field: None },
                Some(NodeEnum::AIndices(at)) => {
                    let places = self.each(at.lidx.as_deref().into_iter().chain(at.uidx.as_deref()));
                    // One slice makes all of them slices.
                    let (value, mut all, sliced) = match value {
                        Expr::Subscript { value, places, slice } => (value, places, slice),
                        other => (Box::new(other), Vec::new(), false),
                    };
                    all.extend(places);
                    Expr::Subscript { value, places: all, slice: sliced || at.is_slice }
                }
                _ => Expr::Computed(vec![value, self.expr(part)]),
            };
        }
        value
    }

    fn sublink(&mut self, link: &SubLink) -> Expr {
        let Some(query) = link.subselect.as_deref().and_then(|query| self.query_node(query)) else {
            return Expr::Opaque;
        };
        let kind = match link.sub_link_type() {
            SubLinkType::ExistsSublink => Subquery::Exists,
            SubLinkType::ExprSublink | SubLinkType::MultiexprSublink => Subquery::Scalar,
            SubLinkType::ArraySublink => Subquery::Array,
            SubLinkType::AnySublink | SubLinkType::AllSublink | SubLinkType::RowcompareSublink => {
                let operator = strings(&link.oper_name);
                // IN names no operator.
                let operator = if operator.is_empty() { vec!["=".to_owned()] } else { operator };
                Subquery::Compared { test: self.optional(link.testexpr.as_ref()).map(Box::new), operator }
            }
            _ => return Expr::Opaque,
        };
        Expr::Query { query: Box::new(query), kind }
    }

    pub(super) fn call(&mut self, call: &FuncCall) -> Expr {
        let name = self.server.called(strings(&call.funcname));
        self.calls.push(name.clone());
        let (mut sets, mut chosen) = (None, false);
        if name.last().is_some_and(|name| name == "set_config") {
            // The first argument says which setting, and some are privileges.
            self.shape_decides = false;
            sets = match call.args.as_slice() {
                [setting, value, _] => {
                    chosen = self.setting.is_some() && super::query::is_name_of_setting(setting);
                    let setting = if chosen { self.setting.as_deref() } else { text(setting) };
                    setting.map(|setting| super::statement::sets(setting, text(value)))
                }
                _ => None,
            };
        }
        let mut sequence = None;
        if name.last().is_some_and(|name| matches!(&**name, "nextval" | "setval")) {
            // The first argument says which sequence.
            self.shape_decides = false;
            sequence = call.args.first().and_then(sequence_named);
        }
        let mut arguments = self.exprs(&call.args);
        let mut over = self.exprs(&call.agg_order);
        if call.agg_within_group {
            // They are arguments of it, and shown.
            arguments.append(&mut over);
        }
        over.extend(self.optional(call.agg_filter.as_ref()));
        if let Some(window) = call.over.as_deref() {
            over.push(self.window(window));
        }
        let aggregates = call.agg_star
            || call.agg_distinct
            || call.agg_within_group
            || call.agg_filter.is_some()
            || call.over.is_some()
            || !call.agg_order.is_empty();
        let named = call.args.iter().enumerate().filter_map(|(at, node)| match &node.node {
            Some(NodeEnum::NamedArgExpr(named)) => Some((at, named.name.clone())),
            _ => None,
        });
        let (named, variadic) = (named.collect(), call.func_variadic);
        Expr::Call(Box::new(Call { name, arguments, named, variadic, over, aggregates, sets, chosen, sequence }))
    }

    fn window(&mut self, window: &WindowDef) -> Expr {
        let parts = window.partition_clause.iter().chain(&window.order_clause);
        self.computed(parts.chain(window.start_offset.as_deref()).chain(window.end_offset.as_deref()))
    }
}

/// The text of a literal that is one.
pub(super) fn text(node: &Node) -> Option<&str> {
    match &node.node {
        Some(NodeEnum::AConst(AConst { val: Some(a_const::Val::Sval(text)), isnull: false, .. })) => Some(&text.sval),
        _ => None,
    }
}

/// The sequence that a text names; it may be said to be a text or a `regclass`.
fn sequence_named(node: &Node) -> Option<Table> {
    match &node.node {
        Some(NodeEnum::TypeCast(cast)) => cast.arg.as_deref().and_then(sequence_named),
        _ => text(node).and_then(qualified::relation),
    }
}

fn literal(constant: &AConst) -> Constant {
    match &constant.val {
        _ if constant.isnull => Constant::Null,
        Some(a_const::Val::Ival(_) | a_const::Val::Fval(_)) => Constant::Number,
        Some(a_const::Val::Boolval(_)) => Constant::Bool,
        Some(a_const::Val::Sval(_)) => Constant::Text,
        Some(a_const::Val::Bsval(_)) | None => Constant::Other,
    }
}

/// A type's name: `pg_catalog` is left out, and an array ends in `[]`.
pub(super) fn type_name(name: &TypeName) -> Vec<String> {
    let mut parts = strings(&name.names);
    if parts.len() > 1 && parts.first().is_some_and(|schema| schema == "pg_catalog") {
        parts.remove(0);
    }
    if let Some(last) = parts.last_mut()
        && !name.array_bounds.is_empty()
    {
        last.push_str("[]");
    }
    parts
}

fn column_ref(column: &ColumnRef) -> Expr {
    let path = strings(&column.fields);
    match column.fields.last().and_then(|node| node.node.as_ref()) {
        Some(NodeEnum::AStar(_)) => Expr::Star(path),
        _ => Expr::Column(path),
    }
}
