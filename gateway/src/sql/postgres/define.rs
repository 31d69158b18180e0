//! Definitions: which functions they plug in, and what they compute at once.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    AlterDomainStmt, AlterTableCmd, AlterTableType, CreateStmt, DefElem, Node, ObjectType, ObjectWithArgs,
    PartitionBoundSpec, RangeVar,
};

use super::expr::type_name;
use super::gives::gives;
use super::query::table;
use super::{Lowering, strings};
use crate::sql::form::{Act, Expr, Reads, Statement};

/// What definitions call a function that the server will call: of aggregates, operators, types, parsers and templates of
/// text search, foreign data wrappers, functions.
const CALLED: [&str; 34] = [
    "sfunc",
    "sfunc1",
    "finalfunc",
    "combinefunc",
    "serialfunc",
    "deserialfunc",
    "msfunc",
    "minvfunc",
    "mfinalfunc",
    "function",
    "procedure",
    "input",
    "output",
    "receive",
    "send",
    "typmod_in",
    "typmod_out",
    "analyze",
    "subscript",
    "start",
    "gettoken",
    "end",
    "headline",
    "lextypes",
    "init",
    "lexize",
    "handler",
    "validator",
    "support",
    "canonical",
    "subtype_diff",
    "inline",
    "restrict",
    "join",
];

/// What ALTER TABLE does without a look at any row.
const KEEPS: [AlterTableType; 16] = [
    AlterTableType::AtColumnDefault,
    AlterTableType::AtDropNotNull,
    AlterTableType::AtDropColumn,
    AlterTableType::AtDropConstraint,
    AlterTableType::AtDropIdentity,
    AlterTableType::AtAddIdentity,
    AlterTableType::AtSetIdentity,
    AlterTableType::AtSetStatistics,
    AlterTableType::AtSetOptions,
    AlterTableType::AtResetOptions,
    AlterTableType::AtSetRelOptions,
    AlterTableType::AtResetRelOptions,
    AlterTableType::AtChangeOwner,
    AlterTableType::AtReplicaIdentity,
    AlterTableType::AtAddInherit,
    AlterTableType::AtDropInherit,
];

/// Functions that a column's default may call in a table that is used by the text that makes it.
const GENERATORS: [&str; 6] =
    ["now", "gen_random_uuid", "clock_timestamp", "statement_timestamp", "transaction_timestamp", "random"];

fn definition(node: &Node) -> Option<&DefElem> {
    match &node.node {
        Some(NodeEnum::DefElem(element)) => Some(element),
        _ => None,
    }
}

/// A name, whichever way the grammar takes it.
fn named(node: &Node) -> Vec<String> {
    match &node.node {
        Some(NodeEnum::TypeName(name)) => strings(&name.names),
        Some(NodeEnum::List(list)) => strings(&list.items),
        Some(NodeEnum::String(name)) => vec![name.sval.clone()],
        _ => Vec::new(),
    }
}

fn object(object: Option<&ObjectWithArgs>) -> Vec<String> {
    object.map(|object| strings(&object.objname)).unwrap_or_default()
}

/// The functions that a list of definitions names.
fn called<'a>(definitions: impl IntoIterator<Item = &'a Node>) -> Vec<Vec<String>> {
    let elements = definitions.into_iter().filter_map(definition);
    elements
        .filter(|element| CALLED.contains(&element.defname.to_ascii_lowercase().as_str()))
        .filter_map(|element| element.arg.as_deref().map(named))
        .collect()
}

/// The functions that a statement plugs in where the server calls them by itself.
fn plugs(node: &NodeEnum) -> Vec<Vec<String>> {
    let all = match node {
        NodeEnum::DefineStmt(define) => called(&define.definition),
        NodeEnum::CreateRangeStmt(create) => called(&create.params),
        NodeEnum::CreateOpClassStmt(create) => {
            let item = |node: &Node| match &node.node {
                // 2: a function. An operator is called by its name, and found by that.
                Some(NodeEnum::CreateOpClassItem(item)) if item.itemtype == 2 => Some(object(item.name.as_ref())),
                _ => None,
            };
            create.items.iter().filter_map(item).collect()
        }
        NodeEnum::CreateConversionStmt(create) => vec![strings(&create.func_name)],
        NodeEnum::CreateCastStmt(create) => vec![object(create.func.as_ref())],
        NodeEnum::CreateAmStmt(create) => vec![strings(&create.handler_name)],
        NodeEnum::CreatePlangStmt(create) => {
            vec![strings(&create.plhandler), strings(&create.plinline), strings(&create.plvalidator)]
        }
        NodeEnum::CreateFdwStmt(create) => called(&create.func_options),
        NodeEnum::AlterFdwStmt(alter) => called(&alter.func_options),
        NodeEnum::CreateTransformStmt(create) => vec![object(create.fromsql.as_ref()), object(create.tosql.as_ref())],
        NodeEnum::CreateEventTrigStmt(create) => vec![strings(&create.funcname)],
        NodeEnum::CreateFunctionStmt(create) => called(&create.options),
        NodeEnum::AlterFunctionStmt(alter) => called(&alter.actions),
        NodeEnum::AlterOperatorStmt(alter) => called(&alter.options),
        NodeEnum::AlterTypeStmt(alter) => called(&alter.options),
        _ => Vec::new(),
    };
    all.into_iter().filter(|name| !name.is_empty()).collect()
}

impl Lowering {
    /// A statement, with what its definition plugs in and computes.
    pub(super) fn defined(&mut self, node: &NodeEnum, lowered: Statement) -> Statement {
        // The definition that a block runs has all of that from its own text.
        if matches!(node, NodeEnum::DoStmt(_)) {
            return lowered;
        }
        let Statement::Act(mut act) = lowered else { return lowered };
        act.plugs = plugs(node);
        act.gives = gives(node);
        if self.literal {
            act.reads = reads(node);
        }
        match node {
            NodeEnum::CreateStmt(create) => self.created(create, &mut act),
            NodeEnum::CreateStatsStmt(create) => {
                let relation = create.relations.first().and_then(|node| node.node.as_ref());
                if let Some(NodeEnum::RangeVar(relation)) = relation {
                    act.over = Some(table(relation));
                }
                for node in &create.exprs {
                    match &node.node {
                        Some(NodeEnum::StatsElem(element)) => act.computes.extend(self.optional(element.expr.as_ref())),
                        _ => act.computes.push(Expr::Opaque),
                    }
                }
            }
            NodeEnum::AlterDomainStmt(alter) => self.domain(alter, &mut act),
            NodeEnum::VacuumStmt(vacuum) => {
                let relation = |node: &Node| match &node.node {
                    Some(NodeEnum::VacuumRelation(one)) => one.relation.as_ref().map(table),
                    _ => None,
                };
                act.touches = Some(vacuum.rels.iter().filter_map(relation).collect());
            }
            NodeEnum::ReindexStmt(reindex) => act.touches = Some(reindex.relation.iter().map(table).collect()),
            NodeEnum::ClusterStmt(cluster) => act.touches = Some(cluster.relation.iter().map(table).collect()),
            NodeEnum::RefreshMatViewStmt(refresh) => {
                act.touches = Some(refresh.relation.iter().map(table).collect());
            }
            NodeEnum::RenameStmt(rename) => act.renames = Some(rename.newname.clone()),
            NodeEnum::IndexStmt(_) => act.adds = act.computes.is_empty(),
            NodeEnum::CreateSeqStmt(_)
            | NodeEnum::CommentStmt(_)
            | NodeEnum::CreateTableAsStmt(_)
            | NodeEnum::CreateEnumStmt(_) => act.adds = true,
            NodeEnum::CreateSchemaStmt(create) => act.adds = create.schema_elts.is_empty(),
            _ => {}
        }
        Statement::Act(act)
    }

    fn created(&mut self, create: &CreateStmt, act: &mut Act) {
        act.computes.extend(self.bound(create.partbound.as_ref()));
        if create.partbound.is_some() {
            // Its parent.
            let parents = create.inh_relations.iter().filter_map(|node| match &node.node {
                Some(NodeEnum::RangeVar(parent)) => Some(table(parent)),
                _ => None,
            });
            act.bounds.extend(parents);
        }
        let plain = |node: &Node| match &node.node {
            Some(NodeEnum::ColumnDef(column)) => column.constraints.iter().all(|node| match &node.node {
                Some(NodeEnum::Constraint(constraint)) => match constraint.raw_expr.as_deref() {
                    Some(expr) => is_generator(expr),
                    None => constraint.where_clause.is_none(),
                },
                _ => false,
            }),
            Some(NodeEnum::Constraint(constraint)) => constraint.raw_expr.is_none() && constraint.exclusions.is_empty(),
            _ => false,
        };
        for node in &create.table_elts {
            if let Some(NodeEnum::ColumnDef(column)) = &node.node {
                act.types.extend(column.type_name.as_ref().map(type_name));
            }
        }
        act.adds = create.inh_relations.is_empty()
            && create.partbound.is_none()
            && create.partspec.is_none()
            && create.of_typename.is_none()
            && create.access_method.is_empty()
            && create.table_elts.iter().chain(&create.constraints).all(plain);
    }

    /// The values of a partition's bounds, which are computed and kept where everybody reads them.
    fn bound(&mut self, bound: Option<&PartitionBoundSpec>) -> Vec<Expr> {
        let Some(bound) = bound else { return Vec::new() };
        let datums = bound.listdatums.iter().chain(&bound.lowerdatums).chain(&bound.upperdatums);
        // MINVALUE is a name, and no column.
        let value =
            |node: &&Node| !matches!(&node.node, Some(NodeEnum::ColumnRef(_) | NodeEnum::PartitionRangeDatum(_)));
        let values: Vec<&Node> = datums.filter(value).collect();
        values.into_iter().map(|node| self.expr(node)).collect()
    }

    /// A check that comes to a domain is computed for every value of it that there is.
    fn domain(&mut self, alter: &AlterDomainStmt, act: &mut Act) {
        if !matches!(alter.subtype.as_str(), "C" | "V" | "O") {
            return;
        }
        act.domain = Some(strings(&alter.type_name));
        if let Some(NodeEnum::Constraint(constraint)) = alter.def.as_deref().and_then(|def| def.node.as_ref()) {
            act.computes.extend(self.optional(constraint.raw_expr.as_ref()));
        }
    }

    /// What a part of ALTER TABLE uses of the rows that are there, beside the expressions in it; and the relations whose rows
    /// are seen in others afterwards.
    pub(super) fn altered(&mut self, on: Option<&RangeVar>, command: &AlterTableCmd, act: &mut Act) {
        let own = || on.map(table).unwrap_or_default();
        let def = command.def.as_deref().and_then(|def| def.node.as_ref());
        let mut constraints = Vec::new();
        match def {
            Some(NodeEnum::ColumnDef(column)) => {
                act.types.extend(column.type_name.as_ref().map(type_name));
                constraints.extend(column.constraints.iter().filter_map(|node| node.node.as_ref()));
            }
            other => constraints.extend(other),
        }
        for constraint in constraints {
            if let NodeEnum::Constraint(key) = constraint {
                act.refers.extend(key.pktable.as_ref().map(|there| (table(there), strings(&key.pk_attrs))));
            }
        }
        if !KEEPS.contains(&command.subtype()) && act.rewrites.is_empty() {
            act.rewrites.push(own());
        }
        match command.subtype() {
            // What cannot be one of the new type, or is NULL, fails.
            AlterTableType::AtAlterColumnType | AlterTableType::AtSetNotNull => {
                let column = Expr::Column(vec![command.name.clone()]);
                if let Some(NodeEnum::ColumnDef(to)) = def {
                    let value = self.optional(to.raw_default.as_ref()).unwrap_or_else(|| column.clone());
                    act.retypes.extend(to.type_name.as_ref().map(|to| (value, type_name(to))));
                }
                act.computes.push(column);
            }
            AlterTableType::AtValidateConstraint => act.computes.push(Expr::Star(Vec::new())),
            AlterTableType::AtAttachPartition => {
                if let Some(NodeEnum::PartitionCmd(partition)) = def {
                    act.computes.extend(self.bound(partition.bound.as_ref()));
                    act.bounds.push(own());
                    act.rewrites.extend(partition.name.as_ref().map(table));
                    act.joins.extend(partition.name.as_ref().map(|name| (table(name), own())));
                }
            }
            AlterTableType::AtAddInherit => {
                if let Some(NodeEnum::RangeVar(parent)) = def {
                    act.joins.push((own(), table(parent)));
                }
            }
            _ => {}
        }
    }
}

/// Whether a column's default calls nothing of the database's own.
fn is_generator(expr: &Node) -> bool {
    match &expr.node {
        Some(NodeEnum::AConst(_) | NodeEnum::SqlvalueFunction(_)) => true,
        Some(NodeEnum::FuncCall(call)) => {
            let name = strings(&call.funcname);
            call.args.is_empty()
                && name.len() == 1
                && name.first().is_some_and(|name| GENERATORS.contains(&name.as_str()))
        }
        _ => false,
    }
}

/// What the literals of a definition may be read as that stand in no expression of it that is computed.
fn reads(node: &NodeEnum) -> Reads {
    let relation = |node: &Node| match &node.node {
        Some(NodeEnum::RangeVar(relation)) => Some(table(relation)),
        Some(NodeEnum::TableLikeClause(like)) => like.relation.as_ref().map(table),
        Some(NodeEnum::PublicationObjSpec(object)) => object.pubtable.as_ref()?.relation.as_ref().map(table),
        _ => None,
    };
    let on = |relation: Option<&RangeVar>| Reads::Beside {
        tables: relation.map(table).into_iter().collect(),
        types: Vec::new(),
    };
    let like = |types: Vec<Vec<String>>| Reads::Beside { tables: Vec::new(), types };
    match node {
        NodeEnum::CreateStmt(create) => {
            let typed = |node: &Node| match &node.node {
                Some(NodeEnum::ColumnDef(column)) => column.type_name.as_ref().map(type_name),
                _ => None,
            };
            let tables = create.inh_relations.iter().chain(&create.table_elts).filter_map(relation).collect();
            let types = create.table_elts.iter().filter_map(typed).chain(create.of_typename.as_ref().map(type_name));
            Reads::Beside { tables, types: types.collect() }
        }
        NodeEnum::CreateForeignTableStmt(create) => {
            create.base_stmt.clone().map_or(Reads::Anything, |create| reads(&NodeEnum::CreateStmt(create)))
        }
        NodeEnum::AlterTableStmt(alter) => on(alter.relation.as_ref()),
        NodeEnum::CreateTrigStmt(create) => on(create.relation.as_ref()),
        NodeEnum::CreatePublicationStmt(create) => {
            Reads::Beside { tables: create.pubobjects.iter().filter_map(relation).collect(), types: Vec::new() }
        }
        NodeEnum::AlterPublicationStmt(alter) => {
            Reads::Beside { tables: alter.pubobjects.iter().filter_map(relation).collect(), types: Vec::new() }
        }
        NodeEnum::CreateDomainStmt(create) => like(create.type_name.as_ref().map(type_name).into_iter().collect()),
        NodeEnum::AlterDomainStmt(alter) => like(vec![strings(&alter.type_name)]),
        NodeEnum::CreateFunctionStmt(create) if create.sql_body.is_none() => {
            let typed = |node: &Node| match &node.node {
                Some(NodeEnum::FunctionParameter(parameter)) if parameter.defexpr.is_some() => {
                    parameter.arg_type.as_ref().map(type_name)
                }
                _ => None,
            };
            like(create.parameters.iter().filter_map(typed).collect())
        }
        // An aggregate's first state is a literal of its type.
        NodeEnum::DefineStmt(define) if define.kind() == ObjectType::ObjectAggregate => {
            let state = |node: &Node| match &node.node {
                Some(NodeEnum::DefElem(option)) if matches!(option.defname.as_str(), "stype" | "mstype") => {
                    match &option.arg.as_deref()?.node {
                        Some(NodeEnum::TypeName(name)) => Some(type_name(name)),
                        _ => None,
                    }
                }
                _ => None,
            };
            like(define.definition.iter().filter_map(state).collect())
        }
        // Their queries may be of anything.
        NodeEnum::CreateFunctionStmt(_)
        | NodeEnum::RuleStmt(_)
        | NodeEnum::CreatePolicyStmt(_)
        | NodeEnum::AlterPolicyStmt(_) => Reads::Anything,
        _ => Reads::Nothing,
    }
}
