//! Statements: what each kind does to what.

use sqlparser::ast::{
    ContextModifier, CopySource, CopyTarget, Declare, DeclareType, DiscardObject, Expr as Ast, Function, FunctionArg,
    FunctionArgExpr, FunctionArgOperator, FunctionArguments, ObjectName, Reset, Set, Statement as AstStatement, Value,
};

use super::Lowering;
use super::expr::literal_text;
use crate::access::Action;
use crate::sql::Changes;
use crate::sql::form::{Act, Copy, Inner, Quoted, Runs, Sets, Statement, Target};
use crate::sql::names::Space;

pub(super) fn act(action: Action, on: Target) -> Act {
    Act { effects: vec![(action, on)], ..Act::default() }
}

pub(super) fn ddl(action: Action, on: Target) -> Statement {
    Statement::Act(Act { changes: Changes::CATALOG, ..act(action, on) })
}

fn session(changes: Changes) -> Statement {
    Statement::Act(Act { changes, ..act(Action::SqlSession, Target::Resource) })
}

fn transaction(undoes: bool, ends: bool) -> Statement {
    session(Changes { undoes, ends, transaction: true, ..Changes::default() })
}

impl Lowering<'_> {
    /// Total: what is not listed is opaque.
    pub(super) fn statement(&mut self, statement: &AstStatement) -> Statement {
        match statement {
            AstStatement::Query(query) => self.query_statement(query),
            AstStatement::Insert(insert) => self.insert(insert),
            AstStatement::Update(update) => self.update(update),
            AstStatement::Delete(delete) => self.delete(delete),
            AstStatement::Merge(merge) => self.merge(merge),
            AstStatement::Copy { source, to, target, options: _, legacy_options: _, payload } => {
                if payload.as_ref().is_some_and(|payload| !payload.data.trim().is_empty()) {
                    // Whether the server takes it for rows, or for statements, is for it to say.
                    return self.opaque_statement("a text that goes on after COPY FROM STDIN");
                }
                self.copy(source, *to, target)
            }
            AstStatement::StartTransaction { statements, exception, .. }
                if statements.is_empty() && exception.is_none() =>
            {
                transaction(false, false)
            }
            AstStatement::Savepoint { .. } | AstStatement::ReleaseSavepoint { .. } => transaction(false, false),
            AstStatement::Commit { .. } => transaction(false, true),
            AstStatement::Rollback { .. } => transaction(true, true),
            AstStatement::ShowVariable { .. } => {
                Statement::Act(Act { tells: true, ..act(Action::SqlSession, Target::Resource) })
            }
            AstStatement::LISTEN { .. }
            | AstStatement::UNLISTEN { .. }
            | AstStatement::NOTIFY { .. }
            | AstStatement::Lock(_) => session(Changes::default()),
            AstStatement::Close { .. } | AstStatement::Deallocate { .. } => session(Changes::NAMES),
            AstStatement::Discard { object_type } => match object_type {
                DiscardObject::PLANS | DiscardObject::SEQUENCES => session(Changes::default()),
                DiscardObject::TEMP => session(Changes { catalog: true, settings: true, ..Changes::default() }),
                DiscardObject::ALL => {
                    session(Changes { catalog: true, settings: true, names: true, ..Changes::default() })
                }
            },
            AstStatement::Fetch { name, into: None, .. } => Statement::Runs(Runs {
                space: Space::Cursors,
                name: name.value.clone(),
                arguments: Vec::new(),
                moves: false,
            }),
            AstStatement::Set(set) => self.set(set),
            AstStatement::Reset(reset) => match &reset.reset {
                Reset::ALL => self.sets("", None),
                Reset::SessionAuthorization => self.sets("session_authorization", None),
                Reset::ConfigurationParameter(name) => self.setting(name, None),
            },
            AstStatement::Declare { stmts, .. } => self.declare(stmts),
            AstStatement::Prepare { statement, .. } => {
                let inner = self.statement(statement);
                self.naming(inner)
            }
            AstStatement::Explain { statement, .. } => {
                let inner = Some(Box::new(self.statement(statement)));
                Statement::Act(Act { inner, becomes: Inner::Explained, ..Act::default() })
            }
            AstStatement::Truncate(truncate) => {
                if truncate.partitions.is_some() || truncate.on_cluster.is_some() {
                    return self.opaque_statement("a TRUNCATE of another dialect");
                }
                let tables = truncate.table_names.iter();
                let effects =
                    tables.map(|table| (Action::SqlTruncate, Target::Table(self.table(&table.name)))).collect();
                Statement::Act(Act { effects, ..Act::default() })
            }
            AstStatement::Call(function) => self.call_statement(function),
            AstStatement::Grant(_)
            | AstStatement::GrantRole(_)
            | AstStatement::Revoke(_)
            | AstStatement::RevokeRole(_)
            | AstStatement::AlterDefaultPrivileges(_)
            | AstStatement::CreateRole(_)
            | AstStatement::AlterRole { .. }
            | AstStatement::CreateUser(_)
            | AstStatement::CreatePolicy(_)
            | AstStatement::AlterPolicy(_)
            | AstStatement::CreateUserMapping(_) => ddl(Action::SqlPrivilege, Target::Resource),
            AstStatement::Vacuum(_)
            | AstStatement::Analyze(_)
            | AstStatement::RefreshMaterializedView(_)
            | AstStatement::Load { .. }
            | AstStatement::CreateDatabase { .. }
            | AstStatement::CreateExtension(_)
            | AstStatement::CreateServer(_)
            | AstStatement::CreateForeignTable(_)
            | AstStatement::CreateForeignDataWrapper(_) => ddl(Action::SqlAdmin, Target::Resource),
            _ => self.definition(statement),
        }
    }

    fn copy(&mut self, source: &CopySource, to: bool, target: &CopyTarget) -> Statement {
        let (table, columns, query) = match source {
            CopySource::Table { table_name, columns } => (Some(self.table(table_name)), self.name_list(columns), None),
            CopySource::Query(query) => (None, Vec::new(), Some(self.query_statement(query))),
        };
        match target {
            CopyTarget::Stdin | CopyTarget::Stdout => {
                // Its options are read where a protocol can make something of them.
                let (predicate, written, quoted) = (None, None, Quoted::No);
                Statement::Copy(Box::new(Copy { table, columns, query, from_client: !to, predicate, written, quoted }))
            }
            CopyTarget::File { .. } | CopyTarget::Program { .. } => {
                let action = if to { Action::SqlRead } else { Action::SqlInsert };
                let mut effects = vec![(Action::SqlFile, Target::Resource)];
                effects.extend(table.map(|table| (action, Target::Table(table))));
                Statement::Act(Act { effects, inner: query.map(Box::new), becomes: Inner::Kept, ..Act::default() })
            }
        }
    }

    /// A statement of the session that gives another a name.
    fn naming(&mut self, inner: Statement) -> Statement {
        Statement::Act(Act {
            inner: Some(Box::new(inner)),
            becomes: Inner::Named,
            changes: Changes::NAMES,
            ..act(Action::SqlSession, Target::Resource)
        })
    }

    fn declare(&mut self, declared: &[Declare]) -> Statement {
        match declared {
            [Declare { declare_type: Some(DeclareType::Cursor), for_query: Some(query), assignment: None, .. }] => {
                let inner = self.query_statement(query);
                self.naming(inner)
            }
            _ => self.opaque_statement("a DECLARE of another dialect"),
        }
    }

    fn sets(&self, name: &str, value: Option<&str>) -> Statement {
        let Sets { action, changes } = self.dialect.sets(name, value);
        Statement::Act(Act { changes, ..act(action, Target::Resource) })
    }

    fn setting(&mut self, name: &ObjectName, value: Option<&str>) -> Statement {
        match self.path(name) {
            Some(path) => self.sets(&path.join("."), value),
            None => self.opaque_statement("a computed name"),
        }
    }

    fn set(&mut self, set: &Set) -> Statement {
        match set {
            Set::SingleAssignment {
                scope: None | Some(ContextModifier::Local | ContextModifier::Session),
                hivevar: false,
                variable,
                values,
            } => {
                let value = match values.as_slice() {
                    [Ast::Identifier(word)] => Some(word.value.as_str()),
                    [Ast::Value(value)] if matches!(value.value, Value::Boolean(true)) => Some("true"),
                    [value] => literal_text(value),
                    _ => None,
                };
                self.setting(variable, value)
            }
            Set::SetRole { .. } => self.sets("role", None),
            Set::SetSessionAuthorization(_) => self.sets("session_authorization", None),
            Set::SetTimeZone { .. } => self.sets("timezone", None),
            Set::SetNames { charset_name, .. } => self.sets("client_encoding", Some(&charset_name.value)),
            Set::SetNamesDefault {} => self.sets("client_encoding", None),
            Set::SetTransaction { session: false, .. } => self.sets("transaction", None),
            Set::SetTransaction { .. } => self.sets("session characteristics", None),
            _ => self.opaque_statement("a SET of another dialect"),
        }
    }

    fn call_statement(&mut self, function: &Function) -> Statement {
        let Some(name) = self.path(&function.name) else { return self.opaque_statement("a computed name") };
        let (mut computes, mut calls) = (Vec::new(), true);
        if let FunctionArguments::List(list) = &function.args {
            for argument in &list.args {
                calls &= matches!(argument, FunctionArg::Unnamed(_));
                computes.push(match argument {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
                    | FunctionArg::Named { arg: FunctionArgExpr::Expr(expr), .. }
                    | FunctionArg::ExprNamed {
                        arg: FunctionArgExpr::Expr(expr),
                        operator: FunctionArgOperator::RightArrow | FunctionArgOperator::Assignment,
                        name: Ast::Identifier(_),
                    } => self.expr(expr),
                    _ => self.opaque("an argument of another dialect"),
                });
            }
        }
        Statement::Act(Act { computes, calls, ..act(Action::SqlExecute, Target::Function(name)) })
    }

    /// A statement that keeps the rows of another.
    pub(super) fn keeping(&mut self, on: Target, inner: Statement) -> Statement {
        Statement::Act(Act {
            inner: Some(Box::new(inner)),
            becomes: Inner::Kept,
            changes: Changes::CATALOG,
            ..act(Action::SqlCreate, on)
        })
    }
}
