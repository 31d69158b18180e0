//! CREATE, ALTER, DROP.

use sqlparser::ast::{
    AlterColumnOperation, AlterTable, AlterTableOperation, ColumnOption, ColumnOptionDef, CommentObject, CreateIndex,
    CreateTable, Expr as Ast, ForValues, IndexColumn, ObjectName, ObjectType, PartitionBoundValue, SchemaName,
    Statement as AstStatement, TableConstraint,
};

use super::Lowering;
use super::statement::{act, ddl};
use crate::access::Action;
use crate::sql::Changes;
use crate::sql::form::{Act, Expr, Statement, Target};

impl Lowering<'_> {
    fn on(&mut self, name: &ObjectName) -> Target {
        Target::Table(self.table(name))
    }

    fn code(&mut self, name: &ObjectName) -> Target {
        match self.path(name) {
            Some(path) => Target::Function(path),
            None => Target::Resource,
        }
    }

    pub(super) fn definition(&mut self, statement: &AstStatement) -> Statement {
        let resource = Target::Resource;
        match statement {
            AstStatement::CreateTable(create) => self.create_table(create),
            AstStatement::CreateView(view) => {
                if view.to.is_some() || view.params.is_some() || view.or_alter {
                    return self.opaque_statement("a view of another dialect");
                }
                let on = self.on(&view.name);
                let inner = self.query_statement(&view.query);
                self.keeping(on, inner)
            }
            AstStatement::CreateIndex(index) => self.create_index(index),
            AstStatement::CreateSequence { name, .. } => ddl(Action::SqlCreate, self.on(name)),
            AstStatement::CreateTrigger(trigger) => ddl(Action::SqlCreate, self.on(&trigger.table_name)),
            AstStatement::CreateRule(rule) => ddl(Action::SqlCreate, self.on(&rule.table_name)),
            AstStatement::CreateFunction(function) => ddl(Action::SqlCreate, self.code(&function.name)),
            AstStatement::CreateSchema { clone: None, schema_name, .. } => match schema_name {
                SchemaName::Simple(_) | SchemaName::UnnamedAuthorization(_) | SchemaName::NamedAuthorization(..) => {
                    ddl(Action::SqlCreate, resource)
                }
            },
            AstStatement::CreateDomain(_)
            | AstStatement::CreateType { .. }
            | AstStatement::CreateOperator(_)
            | AstStatement::CreateOperatorFamily(_)
            | AstStatement::CreateOperatorClass(_)
            | AstStatement::CreateAggregate(_)
            | AstStatement::CreateTextSearch(_)
            | AstStatement::CreateCollation(_) => ddl(Action::SqlCreate, resource),
            AstStatement::AlterTable(alter) => self.alter_table(alter),
            AstStatement::Comment { object_type, .. } => match object_type {
                CommentObject::User => self.opaque_statement("a comment of another dialect"),
                _ => ddl(Action::SqlAlter, resource),
            },
            AstStatement::Drop { object_type, names, temporary: false, table: None, purge: false, .. } => {
                self.drop_objects(*object_type, names)
            }
            AstStatement::DropFunction(drop) => {
                let names: Vec<_> = drop.func_desc.iter().map(|function| &function.name).collect();
                self.drop_functions(&names)
            }
            AstStatement::DropProcedure { proc_desc, .. } => {
                let names: Vec<_> = proc_desc.iter().map(|function| &function.name).collect();
                self.drop_functions(&names)
            }
            AstStatement::DropDomain(_)
            | AstStatement::DropTrigger(_)
            | AstStatement::DropRule(_)
            | AstStatement::DropOperatorClass(_)
            | AstStatement::DropOperatorFamily(_) => ddl(Action::SqlDrop, resource),
            AstStatement::DropPolicy(_) => Statement::Act(Act {
                effects: vec![(Action::SqlDrop, Target::Resource), (Action::SqlPrivilege, Target::Resource)],
                changes: Changes::CATALOG,
                ..Act::default()
            }),
            AstStatement::DropExtension(drop) => several(drop.names.len()),
            AstStatement::DropOperator(drop) => several(drop.operators.len()),
            _ => self.opaque_statement("a statement that the form has no word for here"),
        }
    }

    fn create_table(&mut self, create: &CreateTable) -> Statement {
        let other = create.or_replace
            || create.clone.is_some()
            || create.version.is_some()
            || create.file_format.is_some()
            || create.location.is_some()
            || create.on_cluster.is_some();
        if other {
            return self.opaque_statement("a table of another dialect");
        }
        let on = self.on(&create.name);
        match &create.query {
            Some(query) => {
                let inner = self.query_statement(query);
                self.keeping(on, inner)
            }
            None => {
                let computes = create.for_values.as_ref().map(|values| self.bounds(values)).unwrap_or_default();
                Statement::Act(Act { computes, changes: Changes::CATALOG, ..act(Action::SqlCreate, on) })
            }
        }
    }

    /// The values of a partition's bounds, which are computed and kept where everybody reads them.
    fn bounds(&mut self, values: &ForValues) -> Vec<Expr> {
        let values: Vec<&Ast> = match values {
            ForValues::In(values) => values.iter().collect(),
            ForValues::From { from, to } => {
                let values = from.iter().chain(to).filter_map(|value| match value {
                    PartitionBoundValue::Expr(value) => Some(value),
                    PartitionBoundValue::MinValue | PartitionBoundValue::MaxValue => None,
                });
                values.collect()
            }
            ForValues::With { .. } | ForValues::Default => Vec::new(),
        };
        // A name is one of a bound that is none, and no column.
        let values =
            values.into_iter().filter(|value| !matches!(value, Ast::Identifier(_) | Ast::CompoundIdentifier(_)));
        values.map(|value| self.expr(value)).collect()
    }

    fn create_index(&mut self, index: &CreateIndex) -> Statement {
        if !index.index_options.is_empty() || !index.alter_options.is_empty() || index.r#async {
            return self.opaque_statement("an index of another dialect");
        }
        let mut computes: Vec<Expr> = index.predicate.iter().map(|predicate| self.expr(predicate)).collect();
        for IndexColumn { column, operator_class: _ } in &index.columns {
            let value = match self.sorted(column) {
                // It is the index's, and nothing is computed for it.
                Expr::Collate(inner) if matches!(column.expr, Ast::Collate { .. }) => *inner,
                value => value,
            };
            // One that is unique tells of its columns whether a value stands in them twice.
            if index.unique || !matches!(value, Expr::Column(_)) {
                computes.push(Expr::Computed(vec![value]));
            }
        }
        let on = self.on(&index.table_name);
        Statement::Act(Act { changes: Changes::CATALOG, computes, ..act(Action::SqlCreate, on) })
    }

    fn alter_table(&mut self, alter: &AlterTable) -> Statement {
        if alter.location.is_some() || alter.on_cluster.is_some() {
            return self.opaque_statement("an ALTER of another dialect");
        }
        let on = self.on(&alter.name);
        let mut effects = vec![(Action::SqlAlter, on.clone())];
        let (mut drops, mut owner) = (false, false);
        let mut computes = Vec::new();
        // What it looks at of the rows that are there: one that does not fit fails.
        let mut stood = Vec::new();
        for operation in &alter.operations {
            match operation {
                AlterTableOperation::AddConstraint { constraint, .. } => computes.extend(self.constraint(constraint)),
                AlterTableOperation::AddColumn { column_def, column_position: None, .. } => {
                    let parts: Vec<Expr> =
                        column_def.options.iter().flat_map(|option| self.column_option(option)).collect();
                    computes.extend(parts);
                }
                AlterTableOperation::AlterColumn { op, column_name } => match op {
                    AlterColumnOperation::SetDataType { using, .. } => {
                        computes.extend(using.as_ref().map(|using| self.expr(using)));
                        stood.push(Expr::Column(vec![self.name(column_name)]));
                    }
                    AlterColumnOperation::SetNotNull => stood.push(Expr::Column(vec![self.name(column_name)])),
                    AlterColumnOperation::DropNotNull
                    | AlterColumnOperation::SetDefault { .. }
                    | AlterColumnOperation::DropDefault => {}
                    _ => computes.push(self.opaque("a change of a column")),
                },
                AlterTableOperation::ValidateConstraint { .. } => stood.push(Expr::Star(Vec::new())),
                AlterTableOperation::DropColumn { .. } => drops = true,
                AlterTableOperation::OwnerTo { .. }
                | AlterTableOperation::EnableRowLevelSecurity
                | AlterTableOperation::DisableRowLevelSecurity
                | AlterTableOperation::ForceRowLevelSecurity
                | AlterTableOperation::NoForceRowLevelSecurity => owner = true,
                AlterTableOperation::RenameColumn { .. }
                | AlterTableOperation::RenameTable { .. }
                | AlterTableOperation::RenameConstraint { .. }
                | AlterTableOperation::DropConstraint { .. }
                | AlterTableOperation::NoInherit { .. }
                | AlterTableOperation::SetOptionsParens { .. }
                | AlterTableOperation::ResetOptions { .. }
                | AlterTableOperation::SetLogged
                | AlterTableOperation::SetUnlogged
                | AlterTableOperation::DetachPartitionOf { .. }
                | AlterTableOperation::ReplicaIdentity { .. }
                | AlterTableOperation::EnableTrigger { .. }
                | AlterTableOperation::DisableTrigger { .. }
                | AlterTableOperation::EnableAlwaysTrigger { .. }
                | AlterTableOperation::EnableReplicaTrigger { .. }
                | AlterTableOperation::EnableRule { .. }
                | AlterTableOperation::DisableRule { .. }
                | AlterTableOperation::EnableAlwaysRule { .. }
                | AlterTableOperation::EnableReplicaRule { .. } => {}
                _ => computes.push(self.opaque("a change of a table")),
            }
        }
        computes.append(&mut stood);
        if drops {
            effects.push((Action::SqlDrop, on));
        }
        if owner {
            effects.push((Action::SqlPrivilege, Target::Resource));
        }
        Statement::Act(Act { effects, computes, changes: Changes::CATALOG, ..Act::default() })
    }

    fn column_option(&mut self, option: &ColumnOptionDef) -> Vec<Expr> {
        match &option.option {
            ColumnOption::Default(expr) => vec![self.expr(expr)],
            ColumnOption::Check(check) => vec![self.expr(&check.expr)],
            ColumnOption::Generated { generation_expr, .. } => {
                generation_expr.iter().map(|expr| self.expr(expr)).collect()
            }
            ColumnOption::Null
            | ColumnOption::NotNull
            | ColumnOption::PrimaryKey(_)
            | ColumnOption::Unique(_)
            | ColumnOption::ForeignKey(_)
            | ColumnOption::Collation(_) => Vec::new(),
            _ => vec![self.opaque("an option of a column")],
        }
    }

    fn constraint(&mut self, constraint: &TableConstraint) -> Vec<Expr> {
        let column = |name: String| Expr::Column(vec![name]);
        match constraint {
            TableConstraint::Check(check) => vec![self.expr(&check.expr)],
            TableConstraint::Unique(unique) => self.keys(&unique.columns),
            TableConstraint::PrimaryKey(key) => self.keys(&key.columns),
            TableConstraint::ForeignKey(key) => self.name_list(&key.columns).into_iter().map(column).collect(),
            TableConstraint::PrimaryKeyUsingIndex(_) | TableConstraint::UniqueUsingIndex(_) => Vec::new(),
            _ => vec![self.opaque("a constraint")],
        }
    }

    fn keys(&mut self, columns: &[IndexColumn]) -> Vec<Expr> {
        columns.iter().map(|column| self.sorted(&column.column)).collect()
    }

    fn drop_objects(&mut self, of: ObjectType, names: &[ObjectName]) -> Statement {
        let relations = match of {
            ObjectType::Table
            | ObjectType::View
            | ObjectType::MaterializedView
            | ObjectType::Sequence
            | ObjectType::ForeignTable => true,
            ObjectType::Index | ObjectType::Schema | ObjectType::Type | ObjectType::Collation => false,
            ObjectType::Role | ObjectType::Group | ObjectType::User => {
                return ddl(Action::SqlPrivilege, Target::Resource);
            }
            ObjectType::Database => return ddl(Action::SqlAdmin, Target::Resource),
            ObjectType::Stage | ObjectType::Stream | ObjectType::Warehouse => {
                return self.opaque_statement("a DROP of another dialect");
            }
        };
        if !relations {
            return several(names.len());
        }
        let effects = names.iter().map(|name| (Action::SqlDrop, self.on(name))).collect();
        Statement::Act(Act { effects, changes: Changes::CATALOG, ..Act::default() })
    }

    fn drop_functions(&mut self, names: &[&ObjectName]) -> Statement {
        let effects = names.iter().map(|name| (Action::SqlDrop, self.code(name))).collect();
        Statement::Act(Act { effects, changes: Changes::CATALOG, ..Act::default() })
    }
}

/// So many things that are dropped and are no relations.
fn several(count: usize) -> Statement {
    let effects = (0..count).map(|_| (Action::SqlDrop, Target::Resource)).collect();
    Statement::Act(Act { effects, changes: Changes::CATALOG, ..Act::default() })
}
