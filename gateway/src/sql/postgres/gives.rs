//! What definitions do to what names of the catalog stand for.

use pg_query::NodeEnum;
use pg_query::protobuf::{AlterTableStmt, AlterTableType, ConstrType, Node, RangeVar};

use crate::sql::form::Gives;

/// What a definition does to what names stand for. Those that may take long while others go on are told apart with care:
/// until they are over, a statement beside them is compared with a newer catalog.
pub(super) fn gives(node: &NodeEnum) -> Gives {
    match node {
        NodeEnum::CreateStmt(create) if is_temporary(create.relation.as_ref()) => Gives::Nothing,
        // What is written to a partition is in its parent, and what is in a child is seen there.
        NodeEnum::CreateStmt(create) if create.partbound.is_none() && create.inh_relations.is_empty() => Gives::New,
        NodeEnum::CreateTableAsStmt(create) => {
            let relation = create.into.as_deref().and_then(|into| into.rel.as_ref());
            if is_temporary(relation) { Gives::Nothing } else { Gives::New }
        }
        NodeEnum::CreateSeqStmt(_) => Gives::New,
        NodeEnum::CreateSchemaStmt(create) if create.schema_elts.is_empty() => Gives::Nothing,
        NodeEnum::AlterTableStmt(alter) if keeps(alter) => Gives::Nothing,
        NodeEnum::IndexStmt(_)
        | NodeEnum::CommentStmt(_)
        | NodeEnum::CreateStatsStmt(_)
        | NodeEnum::AlterStatsStmt(_)
        | NodeEnum::AlterSeqStmt(_)
        | NodeEnum::VacuumStmt(_)
        | NodeEnum::ClusterStmt(_)
        | NodeEnum::ReindexStmt(_)
        | NodeEnum::RefreshMatViewStmt(_)
        | NodeEnum::CheckPointStmt(_)
        | NodeEnum::LoadStmt(_)
        | NodeEnum::DiscardStmt(_)
        | NodeEnum::AlterSystemStmt(_)
        | NodeEnum::CreatedbStmt(_)
        | NodeEnum::DropdbStmt(_)
        | NodeEnum::AlterDatabaseStmt(_)
        | NodeEnum::AlterDatabaseSetStmt(_)
        | NodeEnum::AlterDatabaseRefreshCollStmt(_)
        | NodeEnum::CreateTableSpaceStmt(_)
        | NodeEnum::DropTableSpaceStmt(_)
        | NodeEnum::AlterTableSpaceOptionsStmt(_)
        | NodeEnum::AlterTableMoveAllStmt(_)
        | NodeEnum::CreatePublicationStmt(_)
        | NodeEnum::AlterPublicationStmt(_)
        | NodeEnum::CreateSubscriptionStmt(_)
        | NodeEnum::AlterSubscriptionStmt(_)
        | NodeEnum::DropSubscriptionStmt(_)
        | NodeEnum::GrantStmt(_)
        | NodeEnum::GrantRoleStmt(_)
        | NodeEnum::AlterDefaultPrivilegesStmt(_)
        | NodeEnum::CreateRoleStmt(_)
        | NodeEnum::AlterRoleStmt(_)
        | NodeEnum::AlterRoleSetStmt(_)
        | NodeEnum::DropRoleStmt(_)
        | NodeEnum::AlterOwnerStmt(_)
        | NodeEnum::ReassignOwnedStmt(_)
        | NodeEnum::SecLabelStmt(_) => Gives::Nothing,
        _ => Gives::Any,
    }
}

/// Whether only its own session finds it.
fn is_temporary(relation: Option<&RangeVar>) -> bool {
    relation.is_some_and(|relation| relation.relpersistence == "t" || relation.schemaname == "pg_temp")
}

/// Whether it leaves a table's names, types and code as they are.
fn keeps(alter: &AlterTableStmt) -> bool {
    let keeps = |node: &Node| match &node.node {
        Some(NodeEnum::AlterTableCmd(command)) => match command.subtype() {
            AlterTableType::AtAddConstraint => match command.def.as_deref().and_then(|def| def.node.as_ref()) {
                Some(NodeEnum::Constraint(constraint)) => {
                    matches!(constraint.contype(), ConstrType::ConstrPrimary | ConstrType::ConstrUnique)
                }
                _ => false,
            },
            AlterTableType::AtAddIndexConstraint
            | AlterTableType::AtValidateConstraint
            | AlterTableType::AtSetNotNull
            | AlterTableType::AtSetStatistics
            | AlterTableType::AtSetStorage
            | AlterTableType::AtSetCompression
            | AlterTableType::AtSetLogged
            | AlterTableType::AtSetUnLogged
            | AlterTableType::AtSetAccessMethod
            | AlterTableType::AtSetTableSpace
            | AlterTableType::AtClusterOn
            | AlterTableType::AtReplicaIdentity => true,
            _ => false,
        },
        _ => false,
    };
    alter.cmds.iter().all(keeps)
}
