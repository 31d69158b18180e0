//! Statements: what each kind does to what.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    AlterTableStmt, AlterTableType, CmdType, Constraint, DropStmt, InsertStmt, MergeMatchKind, MergeStmt, Node,
    ObjectType, OnConflictAction, RangeVar, ResTarget, ReturningClause, ReturningOptionKind, TransactionStmtKind,
    VariableSetStmt,
};

use super::expr::text;
use super::names::{discard, fetch, forget};
use super::query::table;
use super::{Lowering, session, strings};
use crate::access::Action;
use crate::sql::Changes;
use crate::sql::form::{Act, Assignment, Expr, Inner, Output, Query, Sees, Sets, Statement, Table, Target, Write};
use crate::sql::names::Space;
use crate::sql::predicate::is_written;

/// Settings that decide what a role may do, which triggers run, which code is loaded, what the server keeps of it, and how many
/// bytes of sorted rows are an error.
const PRIVILEGED: [&str; 24] = [
    "role",
    "session_authorization",
    "session_replication_role",
    "row_security",
    "event_triggers",
    "allow_system_table_mods",
    "allow_in_place_tablespaces",
    "allow_alter_system",
    "createrole_self_grant",
    "ignore_checksum_failure",
    "ignore_system_indexes",
    "zero_damaged_pages",
    "lo_compat_privileges",
    "restrict_nonsystem_relation_kind",
    "dynamic_library_path",
    "extension_control_path",
    "local_preload_libraries",
    "session_preload_libraries",
    "jit_provider",
    "log_statement",
    "log_min_messages",
    "log_min_error_statement",
    "track_activities",
    "temp_file_limit",
];

/// Settings by which PostgreSQL reads the text of the next message: the gateway reads it by the values that it
/// pinned.
const LEXICAL: [&str; 3] = ["standard_conforming_strings", "backslash_quote", "client_encoding"];

/// Settings by which names are looked up; a role's own name can be on the search path.
const NAMING: [&str; 3] = ["search_path", "role", "session_authorization"];

fn act(action: Action, on: Target) -> Act {
    Act { effects: vec![(action, on)], ..Act::default() }
}

fn ddl(action: Action, on: Target) -> Statement {
    Statement::Act(Act { changes: Changes::CATALOG, ..act(action, on) })
}

/// One that looks at no row of what it is on.
fn rowless(action: Action, on: Target) -> Statement {
    Statement::Act(Act { changes: Changes::CATALOG, rowless: true, ..act(action, on) })
}

fn on_table(relation: Option<&RangeVar>) -> Target {
    relation.map_or(Target::Resource, |relation| Target::Table(table(relation)))
}

fn named(path: &[String]) -> Table {
    let name = path.last().cloned().unwrap_or_default();
    let schema = path.len().checked_sub(2).and_then(|i| path.get(i)).cloned();
    Table { schema, name, ..Table::default() }
}

impl Lowering {
    /// Total: what is not listed is opaque.
    pub(super) fn statement(&mut self, node: &Node) -> Statement {
        let Some(node) = &node.node else { return Statement::Opaque };
        match node {
            NodeEnum::SelectStmt(select) => return Statement::Query(Box::new(self.query(select))),
            NodeEnum::InsertStmt(insert) => return self.insert(insert),
            NodeEnum::UpdateStmt(update) => {
                let mut write = self.write(update.relation.as_ref(), vec![Action::SqlUpdate]);
                write.with = self.with(update.with_clause.as_ref());
                write.assigned = self.assignments(&update.target_list);
                write.sources = self.sources(&update.from_clause);
                write.predicate = self.optional(update.where_clause.as_ref());
                self.returning(update.returning_clause.as_ref(), &mut write);
                return Statement::Write(Box::new(write));
            }
            NodeEnum::DeleteStmt(delete) => {
                let mut write = self.write(delete.relation.as_ref(), vec![Action::SqlDelete]);
                write.with = self.with(delete.with_clause.as_ref());
                write.sources = self.sources(&delete.using_clause);
                write.predicate = self.optional(delete.where_clause.as_ref());
                self.returning(delete.returning_clause.as_ref(), &mut write);
                return Statement::Write(Box::new(write));
            }
            NodeEnum::MergeStmt(merge) => return self.merge(merge),
            _ => {}
        }
        // A literal in any other statement may name what it does something to.
        self.shape_decides = false;
        let lowered = self.utility(node);
        self.defined(node, lowered)
    }

    fn utility(&mut self, node: &NodeEnum) -> Statement {
        match node {
            NodeEnum::CopyStmt(copy) => self.copy(copy),
            NodeEnum::TransactionStmt(transaction) => {
                let undoes = matches!(
                    transaction.kind(),
                    TransactionStmtKind::TransStmtRollback | TransactionStmtKind::TransStmtRollbackTo
                );
                // SET LOCAL ends with a COMMIT, and so do tables ON COMMIT DROP; one of what has failed is a ROLLBACK.
                let ends = undoes
                    || matches!(
                        transaction.kind(),
                        TransactionStmtKind::TransStmtCommit | TransactionStmtKind::TransStmtPrepare
                    );
                // What another transaction changed is so from now on.
                let catalog = transaction.kind() == TransactionStmtKind::TransStmtCommitPrepared;
                let changes = Changes { undoes, ends, transaction: true, catalog, ..Changes::default() };
                Statement::Act(Act { changes, ..act(Action::SqlSession, Target::Resource) })
            }
            NodeEnum::VariableShowStmt(_) => {
                Statement::Act(Act { tells: true, ..act(Action::SqlSession, Target::Resource) })
            }
            NodeEnum::ListenStmt(_)
            | NodeEnum::UnlistenStmt(_)
            | NodeEnum::NotifyStmt(_)
            | NodeEnum::ConstraintsSetStmt(_)
            | NodeEnum::LockStmt(_) => session(),
            NodeEnum::ClosePortalStmt(close) => forget(Space::Cursors, &close.portalname),
            NodeEnum::DeallocateStmt(deallocate) => forget(Space::Statements, &deallocate.name),
            NodeEnum::DiscardStmt(stmt) => discard(stmt.target()),
            NodeEnum::FetchStmt(stmt) => fetch(&stmt.portalname, stmt.ismove),
            NodeEnum::ExecuteStmt(execute) => self.execute(&execute.name, &execute.params),
            NodeEnum::VariableSetStmt(set) => set_variable(set),
            NodeEnum::DeclareCursorStmt(stmt) => self.declare(stmt),
            NodeEnum::PrepareStmt(stmt) => self.prepare(stmt),
            NodeEnum::ExplainStmt(explain) => {
                let inner = explain.query.as_deref().map_or(Statement::Opaque, |query| self.statement(query));
                let ran = explain.options.iter().any(|option| match &option.node {
                    Some(NodeEnum::DefElem(option)) => option.defname.eq_ignore_ascii_case("analyze"),
                    _ => true,
                });
                let weighs = explain.options.iter().any(|option| match &option.node {
                    Some(NodeEnum::DefElem(option)) => option.defname.eq_ignore_ascii_case("serialize"),
                    _ => true,
                });
                let inner = Some(Box::new(inner));
                Statement::Act(Act { inner, becomes: Inner::Explained, ran, weighs, ..Act::default() })
            }
            NodeEnum::TruncateStmt(truncate) => {
                let tables = truncate.relations.iter().map(|node| match &node.node {
                    Some(NodeEnum::RangeVar(range)) => (Action::SqlTruncate, Target::Table(table(range))),
                    _ => (Action::SqlUnknown, Target::Resource),
                });
                Statement::Act(Act { effects: tables.collect(), ..Act::default() })
            }
            NodeEnum::CreateTableAsStmt(create) => {
                let target = create.into.as_deref().and_then(|into| into.rel.as_ref()).map(table);
                let on = target.map_or(Target::Resource, Target::Table);
                self.keeping(on, create.query.as_deref())
            }
            NodeEnum::ViewStmt(view) => self.keeping(on_table(view.view.as_ref()), view.query.as_deref()),
            // Whether rows of the default partition belong into a new one is looked at.
            NodeEnum::CreateStmt(create) if create.partbound.is_some() => {
                ddl(Action::SqlCreate, on_table(create.relation.as_ref()))
            }
            NodeEnum::CreateStmt(create) => rowless(Action::SqlCreate, on_table(create.relation.as_ref())),
            NodeEnum::IndexStmt(index) => {
                let mut computes: Vec<Expr> = self.optional(index.where_clause.as_ref()).into_iter().collect();
                let expressions = |node: &&Node| match &node.node {
                    // One that is unique tells of its columns whether a value stands in them twice.
                    Some(NodeEnum::IndexElem(element)) => index.unique || element.expr.is_some(),
                    _ => true,
                };
                computes.extend(index.index_params.iter().filter(expressions).map(|node| self.expr(node)));
                let keys = || {
                    index.index_params.iter().filter_map(|node| match &node.node {
                        Some(NodeEnum::IndexElem(element)) if element.expr.is_none() => Some(element.name.clone()),
                        _ => None,
                    })
                };
                // Alone it orders nothing but its own values.
                let alone = index.index_params.len() < 2 && index.index_including_params.is_empty();
                let orders = if alone { Vec::new() } else { keys().collect() };
                let changes = Changes::CATALOG;
                let on = on_table(index.relation.as_ref());
                Statement::Act(Act { changes, computes, orders, ..act(Action::SqlCreate, on) })
            }
            NodeEnum::CreateSeqStmt(create) => rowless(Action::SqlCreate, on_table(create.sequence.as_ref())),
            NodeEnum::CreateTrigStmt(create) => rowless(Action::SqlCreate, on_table(create.relation.as_ref())),
            NodeEnum::RuleStmt(rule) => rowless(Action::SqlCreate, on_table(rule.relation.as_ref())),
            NodeEnum::CreateFunctionStmt(create) => ddl(Action::SqlCreate, Target::Function(strings(&create.funcname))),
            NodeEnum::CreateSchemaStmt(create) => {
                let inner = create.schema_elts.iter().map(|node| self.statement(node));
                let inner: Vec<Statement> = inner.collect();
                // What is made in it is decided with it, as strictly as can be.
                if inner.is_empty() { ddl(Action::SqlCreate, Target::Resource) } else { Statement::Opaque }
            }
            NodeEnum::CreateDomainStmt(_)
            | NodeEnum::CreateEnumStmt(_)
            | NodeEnum::CompositeTypeStmt(_)
            | NodeEnum::CreateRangeStmt(_)
            | NodeEnum::DefineStmt(_)
            | NodeEnum::CreateStatsStmt(_)
            | NodeEnum::CreateOpClassStmt(_)
            | NodeEnum::CreateOpFamilyStmt(_)
            | NodeEnum::CreateConversionStmt(_)
            | NodeEnum::CreateCastStmt(_) => ddl(Action::SqlCreate, Target::Resource),
            NodeEnum::AlterTableStmt(alter) => {
                let computes = alter.cmds.iter().flat_map(|command| self.computed_by(command)).collect();
                let mut act = alter_table(alter, computes);
                for node in &alter.cmds {
                    if let Some(NodeEnum::AlterTableCmd(command)) = &node.node {
                        self.altered(alter.relation.as_ref(), command, &mut act);
                    }
                }
                Statement::Act(act)
            }
            NodeEnum::AlterSeqStmt(alter) => rowless(Action::SqlAlter, on_table(alter.sequence.as_ref())),
            NodeEnum::RenameStmt(rename) => match rename.rename_type() {
                ObjectType::ObjectRole | ObjectType::ObjectPolicy => ddl(Action::SqlPrivilege, Target::Resource),
                ObjectType::ObjectDatabase => ddl(Action::SqlAdmin, Target::Resource),
                _ => rowless(Action::SqlAlter, on_table(rename.relation.as_ref())),
            },
            NodeEnum::AlterObjectSchemaStmt(alter) => rowless(Action::SqlAlter, on_table(alter.relation.as_ref())),
            NodeEnum::CommentStmt(_)
            | NodeEnum::AlterDomainStmt(_)
            | NodeEnum::AlterEnumStmt(_)
            | NodeEnum::AlterFunctionStmt(_)
            | NodeEnum::AlterTypeStmt(_)
            | NodeEnum::AlterStatsStmt(_)
            | NodeEnum::AlterOperatorStmt(_)
            | NodeEnum::AlterObjectDependsStmt(_)
            | NodeEnum::AlterTsdictionaryStmt(_)
            | NodeEnum::AlterTsconfigurationStmt(_)
            | NodeEnum::AlterCollationStmt(_) => ddl(Action::SqlAlter, Target::Resource),
            NodeEnum::DropStmt(drop) => drop_objects(drop),
            NodeEnum::GrantStmt(_)
            | NodeEnum::GrantRoleStmt(_)
            | NodeEnum::AlterDefaultPrivilegesStmt(_)
            | NodeEnum::CreateRoleStmt(_)
            | NodeEnum::AlterRoleStmt(_)
            | NodeEnum::AlterRoleSetStmt(_)
            | NodeEnum::DropRoleStmt(_)
            | NodeEnum::AlterOwnerStmt(_)
            | NodeEnum::ReassignOwnedStmt(_)
            | NodeEnum::CreatePolicyStmt(_)
            | NodeEnum::AlterPolicyStmt(_)
            | NodeEnum::SecLabelStmt(_)
            | NodeEnum::CreateUserMappingStmt(_)
            | NodeEnum::AlterUserMappingStmt(_)
            | NodeEnum::DropUserMappingStmt(_) => {
                Statement::Act(Act { changes: Changes::CATALOG, ..act(Action::SqlPrivilege, Target::Resource) })
            }
            NodeEnum::DropOwnedStmt(_) => Statement::Act(Act {
                effects: vec![(Action::SqlDrop, Target::Resource), (Action::SqlPrivilege, Target::Resource)],
                changes: Changes::CATALOG,
                ..Act::default()
            }),
            NodeEnum::VacuumStmt(_)
            | NodeEnum::ClusterStmt(_)
            | NodeEnum::ReindexStmt(_)
            | NodeEnum::CheckPointStmt(_)
            | NodeEnum::RefreshMatViewStmt(_)
            | NodeEnum::LoadStmt(_)
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
            | NodeEnum::CreateExtensionStmt(_)
            | NodeEnum::AlterExtensionStmt(_)
            | NodeEnum::AlterExtensionContentsStmt(_)
            | NodeEnum::CreateFdwStmt(_)
            | NodeEnum::AlterFdwStmt(_)
            | NodeEnum::CreateForeignServerStmt(_)
            | NodeEnum::AlterForeignServerStmt(_)
            | NodeEnum::CreateForeignTableStmt(_)
            | NodeEnum::ImportForeignSchemaStmt(_)
            | NodeEnum::CreateEventTrigStmt(_)
            | NodeEnum::AlterEventTrigStmt(_)
            | NodeEnum::CreatePlangStmt(_)
            | NodeEnum::CreateAmStmt(_)
            | NodeEnum::CreateTransformStmt(_)
            | NodeEnum::CreatePublicationStmt(_)
            | NodeEnum::AlterPublicationStmt(_)
            | NodeEnum::CreateSubscriptionStmt(_)
            | NodeEnum::AlterSubscriptionStmt(_)
            | NodeEnum::DropSubscriptionStmt(_) => {
                Statement::Act(Act { changes: Changes::CATALOG, ..act(Action::SqlAdmin, Target::Resource) })
            }
            NodeEnum::DoStmt(block) => {
                // Its text is a literal.
                self.shape_decides = false;
                let on = Target::Function(vec!["pg_catalog".to_owned(), "do".to_owned()]);
                let block = block_text(&block.args);
                let defined = block.as_deref().and_then(|text| super::plpgsql::definition(text, self.server));
                defined.unwrap_or_else(|| Statement::Act(Act { block, ..act(Action::SqlExecute, on) }))
            }
            NodeEnum::CallStmt(call) => {
                let name = call.funccall.as_deref().map(|call| strings(&call.funcname)).unwrap_or_default();
                let computes = call.funccall.as_deref().map(|call| self.exprs(&call.args)).unwrap_or_default();
                let by_place = |call: &pg_query::protobuf::FuncCall| {
                    let named = |node: &Node| matches!(node.node, Some(NodeEnum::NamedArgExpr(_)));
                    !call.func_variadic && !call.args.iter().any(named)
                };
                let calls = call.funccall.as_deref().is_some_and(by_place);
                Statement::Act(Act { computes, calls, ..act(Action::SqlExecute, Target::Function(name)) })
            }
            // Anything newer than this list.
            _ => Statement::Opaque,
        }
    }

    /// What a part of ALTER TABLE computes from the rows that are there: a new type's USING, a default or generated value, a
    /// constraint's condition and keys.
    fn computed_by(&mut self, node: &Node) -> Vec<Expr> {
        let Some(NodeEnum::AlterTableCmd(command)) = &node.node else { return vec![Expr::Opaque] };
        let mut parts = Vec::new();
        match command.def.as_deref().and_then(|def| def.node.as_ref()) {
            Some(NodeEnum::ColumnDef(column)) => {
                parts.extend(self.optional(column.raw_default.as_ref()));
                for node in &column.constraints {
                    match &node.node {
                        Some(NodeEnum::Constraint(constraint)) => parts.extend(self.constraint(constraint)),
                        _ => parts.push(Expr::Opaque),
                    }
                }
            }
            Some(NodeEnum::Constraint(constraint)) => parts.extend(self.constraint(constraint)),
            // A default of a column that is there is computed for rows to come.
            _ => {}
        }
        parts
    }

    fn constraint(&mut self, constraint: &Constraint) -> Vec<Expr> {
        let mut parts: Vec<Expr> = [&constraint.raw_expr, &constraint.where_clause]
            .into_iter()
            .flatten()
            .map(|expr| self.expr(expr))
            .collect();
        let keys = constraint.keys.iter().chain(&constraint.fk_attrs);
        parts.extend(strings(&keys.cloned().collect::<Vec<_>>()).into_iter().map(|name| Expr::Column(vec![name])));
        for node in &constraint.exclusions {
            // Each is a list of the element and its operator.
            match &node.node {
                Some(NodeEnum::List(list)) => parts.extend(list.items.first().map(|element| self.expr(element))),
                _ => parts.push(Expr::Opaque),
            }
        }
        parts
    }

    /// The statements of a function's body of the SQL standard.
    pub(super) fn sql_body(&mut self, body: &Node) -> Option<Vec<Statement>> {
        match body.node.as_ref()? {
            NodeEnum::ReturnStmt(returns) => {
                let value = self.expr(returns.returnval.as_deref()?);
                let outputs = vec![Output { name: Some(String::new()), value }];
                Some(vec![Statement::Query(Box::new(Query { outputs, ..Query::default() }))])
            }
            // A list of the one list of them.
            NodeEnum::List(list) => {
                let nodes = match list.items.first().and_then(|node| node.node.as_ref()) {
                    Some(NodeEnum::List(inner)) => &inner.items,
                    _ => &list.items,
                };
                Some(nodes.iter().map(|node| self.statement(node)).collect())
            }
            _ => None,
        }
    }

    fn write(&mut self, target: Option<&RangeVar>, actions: Vec<Action>) -> Write {
        Write { actions, target: target.map_or_else(Table::default, table), ..Write::default() }
    }

    fn assignments(&mut self, nodes: &[Node]) -> Vec<Assignment> {
        nodes
            .iter()
            .map(|node| match &node.node {
                Some(NodeEnum::ResTarget(target)) => {
                    let parts = target.indirection.iter().map(|node| self.expr(node));
                    let parts: Vec<Expr> = parts.filter(|part| !matches!(part, Expr::Constant(_))).collect();
                    let value = target.val.as_deref().map_or(Expr::Opaque, |value| self.expr(value));
                    // `(a, b) = (select x, y)` gives each the whole of it.
                    Assignment {
                        column: Some(target.name.clone()).filter(|name| !name.is_empty()),
                        part: !target.indirection.is_empty(),
                        value: if parts.is_empty() { value } else { Expr::Computed([vec![value], parts].concat()) },
                        sees: Sees::All,
                    }
                }
                _ => Assignment { column: None, part: false, value: Expr::Opaque, sees: Sees::All },
            })
            .collect()
    }

    /// Whether an INSERT names the part of a column that it puts something into, and does not compute which: from there on, the
    /// array's bounds tell what came of it.
    fn is_placed(&mut self, target: &ResTarget) -> bool {
        target.indirection.iter().all(|node| match &node.node {
            Some(NodeEnum::String(_)) => true,
            Some(NodeEnum::AIndices(at)) => at.lidx.iter().chain(&at.uidx).all(|place| is_written(&self.expr(place))),
            _ => false,
        })
    }

    fn returning(&mut self, clause: Option<&ReturningClause>, write: &mut Write) {
        let Some(clause) = clause else { return };
        write.returning = self.outputs(&clause.exprs);
        for option in &clause.options {
            let Some(NodeEnum::ReturningOption(option)) = &option.node else { continue };
            let [old, new] = &mut write.rows;
            match option.option() {
                ReturningOptionKind::ReturningOptionOld => *old = Some(option.value.clone()),
                ReturningOptionKind::ReturningOptionNew => *new = Some(option.value.clone()),
                ReturningOptionKind::Undefined => {
                    write.returning.push(Output { name: Some(String::new()), value: Expr::Opaque });
                }
            }
        }
    }

    fn insert(&mut self, insert: &InsertStmt) -> Statement {
        let mut write = self.write(insert.relation.as_ref(), vec![Action::SqlInsert]);
        write.with = self.with(insert.with_clause.as_ref());
        for node in &insert.cols {
            match &node.node {
                // A part of a column is put beside what stands there.
                Some(NodeEnum::ResTarget(target)) if self.is_placed(target) => write.columns.push(target.name.clone()),
                _ => return Statement::Opaque,
            }
        }
        if let Some(source) = insert.select_stmt.as_deref() {
            match self.query_node(source) {
                Some(query) => write.inserted = Some(Box::new(query)),
                None => return Statement::Opaque,
            }
        }
        if let Some(conflict) = insert.on_conflict_clause.as_deref() {
            write.conflict = true;
            if let Some(infer) = conflict.infer.as_deref() {
                write.uses.extend(self.exprs(&infer.index_elems));
                write.uses.extend(self.optional(infer.where_clause.as_ref()));
            }
            if conflict.action() == OnConflictAction::OnconflictUpdate {
                write.upsert = true;
                write.assigned = self.assignments(&conflict.target_list);
                write.predicate = self.optional(conflict.where_clause.as_ref());
            }
        }
        self.returning(insert.returning_clause.as_ref(), &mut write);
        Statement::Write(Box::new(write))
    }

    fn merge(&mut self, merge: &MergeStmt) -> Statement {
        let mut write = self.write(merge.relation.as_ref(), Vec::new());
        write.merges = true;
        write.with = self.with(merge.with_clause.as_ref());
        write.sources = merge.source_relation.as_deref().map(|source| self.source(source)).into_iter().collect();
        write.uses.extend(self.optional(merge.join_condition.as_ref()));
        for node in &merge.merge_when_clauses {
            let Some(NodeEnum::MergeWhenClause(when)) = &node.node else { return Statement::Opaque };
            let sees = match when.match_kind() {
                MergeMatchKind::MergeWhenNotMatchedByTarget => Sees::Sources,
                MergeMatchKind::MergeWhenNotMatchedBySource => Sees::Target,
                MergeMatchKind::MergeWhenMatched => Sees::All,
                MergeMatchKind::Undefined => return Statement::Opaque,
            };
            write.conditions.extend(self.optional(when.condition.as_ref()).into_iter().map(|when| (sees, when)));
            let action = match when.command_type() {
                CmdType::CmdInsert => Action::SqlInsert,
                CmdType::CmdUpdate => Action::SqlUpdate,
                CmdType::CmdDelete => Action::SqlDelete,
                CmdType::CmdNothing => continue,
                _ => return Statement::Opaque,
            };
            if !write.actions.contains(&action) {
                write.actions.push(action);
            }
            if action == Action::SqlInsert {
                let placed = |node: &Node| match &node.node {
                    Some(NodeEnum::ResTarget(target)) => self.is_placed(target),
                    _ => false,
                };
                if !when.target_list.iter().all(placed) {
                    return Statement::Opaque;
                }
                // The columns stand in the one list, their values in the other.
                let names = when.target_list.iter().map(|node| match &node.node {
                    Some(NodeEnum::ResTarget(target)) => Some((target.name.clone(), !target.indirection.is_empty())),
                    _ => None,
                });
                let mut names = names.collect::<Vec<_>>().into_iter();
                let assigned = self.exprs(&when.values).into_iter().map(|value| {
                    let (column, part) = names.next().flatten().unzip();
                    Assignment { column, part: part.unwrap_or_default(), value, sees }
                });
                write.assigned.extend(assigned);
            } else {
                let assigned = self.assignments(&when.target_list).into_iter();
                write.assigned.extend(assigned.map(|assignment| Assignment { sees, ..assignment }));
            }
        }
        self.returning(merge.returning_clause.as_ref(), &mut write);
        Statement::Write(Box::new(write))
    }

    /// A statement that keeps the rows of another.
    fn keeping(&mut self, on: Target, inner: Option<&Node>) -> Statement {
        let inner = inner.map_or(Statement::Opaque, |inner| self.statement(inner));
        Statement::Act(Act {
            inner: Some(Box::new(inner)),
            becomes: Inner::Kept,
            changes: Changes::CATALOG,
            rowless: true,
            ..act(Action::SqlCreate, on)
        })
    }
}

fn set_variable(set: &VariableSetStmt) -> Statement {
    let value = match set.args.as_slice() {
        [value] => text(value),
        _ => None,
    };
    let Sets { action, changes } = sets(&set.name, value);
    Statement::Act(Act { changes, ..act(action, Target::Resource) })
}

/// What it does to set a setting; `value`: to what, where that is known.
pub(in crate::sql) fn sets(name: &str, value: Option<&str>) -> Sets {
    let name = name.to_ascii_lowercase();
    let lexical = LEXICAL.contains(&name.as_str()) && !value.is_some_and(|value| is_pinned(&name, value));
    let privileged = PRIVILEGED.contains(&name.as_str()) && !value.is_some_and(|value| is_strict(&name, value));
    let action = if privileged {
        Action::SqlPrivilege
    } else if lexical {
        Action::SqlUnknown
    } else {
        Action::SqlSession
    };
    // RESET ALL names none.
    let matters = name.is_empty() || NAMING.contains(&name.as_str()) || lexical;
    Sets { action, changes: if matters { Changes::SETTINGS } else { Changes::default() } }
}

/// Whether this value of a setting lets a role do less than any other: what reads a database whole says that it wants to be
/// refused rather than be given a part of the rows, or run what a view does.
fn is_strict(name: &str, value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    match name {
        "row_security" => matches!(value.as_str(), "off" | "false" | "no" | "0"),
        "restrict_nonsystem_relation_kind" => {
            let kinds: Vec<&str> = value.split(',').map(str::trim).collect();
            kinds.contains(&"view") && kinds.contains(&"foreign-table")
        }
        _ => false,
    }
}

/// Whether this value of a setting is the one by which the gateway reads texts: to say it changes nothing.
fn is_pinned(name: &str, value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    match name {
        "standard_conforming_strings" => matches!(value.as_str(), "on" | "true" | "yes" | "1"),
        "backslash_quote" => value == "safe_encoding",
        // The server leaves out what is no letter and no digit.
        "client_encoding" => matches!(value.as_str(), "utf8" | "utf-8" | "unicode"),
        _ => false,
    }
}

fn alter_table(alter: &AlterTableStmt, computes: Vec<Expr>) -> Act {
    let owner = alter.cmds.iter().any(|node| {
        matches!(&node.node, Some(NodeEnum::AlterTableCmd(cmd)) if matches!(cmd.subtype(),
            AlterTableType::AtChangeOwner | AlterTableType::AtEnableRowSecurity | AlterTableType::AtDisableRowSecurity
            | AlterTableType::AtForceRowSecurity | AlterTableType::AtNoForceRowSecurity))
    });
    let drops = alter.cmds.iter().any(|node| {
        matches!(&node.node, Some(NodeEnum::AlterTableCmd(cmd)) if cmd.subtype() == AlterTableType::AtDropColumn)
    });
    let on = on_table(alter.relation.as_ref());
    let mut effects = vec![(Action::SqlAlter, on.clone())];
    if drops {
        // Its values are gone as a dropped table's are.
        effects.push((Action::SqlDrop, on));
    }
    if owner {
        effects.push((Action::SqlPrivilege, Target::Resource));
    }
    Act { effects, computes, changes: Changes::CATALOG, ..Act::default() }
}

fn drop_objects(drop: &DropStmt) -> Statement {
    let relation = matches!(
        drop.remove_type(),
        ObjectType::ObjectTable
            | ObjectType::ObjectView
            | ObjectType::ObjectMatview
            | ObjectType::ObjectSequence
            | ObjectType::ObjectForeignTable
    );
    let function = matches!(
        drop.remove_type(),
        ObjectType::ObjectFunction
            | ObjectType::ObjectProcedure
            | ObjectType::ObjectRoutine
            | ObjectType::ObjectAggregate
    );
    let on = |node: &Node| match &node.node {
        Some(NodeEnum::List(list)) if relation => Target::Table(named(&strings(&list.items))),
        Some(NodeEnum::ObjectWithArgs(object)) if function => Target::Function(strings(&object.objname)),
        _ => Target::Resource,
    };
    let mut effects: Vec<_> = drop.objects.iter().map(|node| (Action::SqlDrop, on(node))).collect();
    if drop.remove_type() == ObjectType::ObjectPolicy {
        // Without it others may read and write what it kept from them.
        effects.push((Action::SqlPrivilege, Target::Resource));
    }
    Statement::Act(Act { effects, changes: Changes::CATALOG, rowless: true, ..Act::default() })
}

/// The text of a DO block in PL/pgSQL.
fn block_text(parts: &[Node]) -> Option<String> {
    let mut block = None;
    for part in parts {
        let Some(NodeEnum::DefElem(part)) = &part.node else { return None };
        let Some(NodeEnum::String(value)) = part.arg.as_deref().and_then(|arg| arg.node.as_ref()) else { return None };
        match part.defname.as_str() {
            "as" if block.is_none() => block = Some(value.sval.clone()),
            "language" if value.sval == "plpgsql" => {}
            _ => return None,
        }
    }
    block
}
