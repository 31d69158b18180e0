//! INSERT, UPDATE, DELETE, MERGE.

use sqlparser::ast::{
    Assignment as AstAssignment, AssignmentTarget, ConflictTarget, Delete, FromTable, Insert, Merge, MergeAction,
    MergeClause, MergeClauseKind, MergeInsertKind, MergeUpdateKind, OnConflict, OnConflictAction, OnInsert,
    OutputClause, SelectItem, TableFactor, TableObject, TableWithJoins, Update, UpdateTableFromKind,
};

use super::Lowering;
use crate::access::Action;
use crate::sql::form::{Assignment, Expr, Output, Sees, Statement, Table, Write};

impl Lowering<'_> {
    fn assignments(&mut self, assignments: &[AstAssignment]) -> Vec<Assignment> {
        let mut lowered = Vec::new();
        for AstAssignment { target, value } in assignments {
            let value = self.expr(value);
            let names = match target {
                AssignmentTarget::ColumnName(name) => std::slice::from_ref(name),
                AssignmentTarget::Tuple(names) => names.as_slice(),
            };
            for name in names {
                // A part of a column is put beside what stands there; each of several gets the whole of a row.
                let path = self.path(name).unwrap_or_else(|| {
                    self.opaque.push("a computed name");
                    Vec::new()
                });
                let part = path.len() > 1;
                let (column, value) = (path.into_iter().next(), value.clone());
                lowered.push(Assignment { column, part, value, sees: Sees::All });
            }
        }
        lowered
    }

    fn returning(&mut self, items: Option<&Vec<SelectItem>>) -> Vec<Output> {
        items.map(|items| self.outputs(items)).unwrap_or_default()
    }

    fn output_clause(&mut self, clause: Option<&OutputClause>) -> Vec<Output> {
        match clause {
            Some(OutputClause::Returning { select_items, .. }) => self.outputs(select_items),
            Some(OutputClause::Output { .. }) => vec![self.opaque_output("OUTPUT")],
            None => Vec::new(),
        }
    }

    fn opaque_output(&mut self, what: &'static str) -> Output {
        Output { name: Some(String::new()), value: self.opaque(what) }
    }

    pub(super) fn insert(&mut self, insert: &Insert) -> Statement {
        let Insert {
            insert_token: _,
            optimizer_hints: _,
            or,
            ignore,
            into: _,
            table,
            table_alias,
            columns,
            by_name,
            overwrite,
            source,
            assignments,
            partitioned,
            after_columns,
            overriding: _,
            has_table_keyword,
            on,
            returning,
            output,
            replace_into,
            priority,
            insert_alias,
            settings,
            format_clause,
            multi_table_insert_type,
            multi_table_into_clauses,
            multi_table_when_clauses,
            multi_table_else_clause,
        } = insert;
        let other = or.is_some()
            || *ignore
            || *by_name
            || *overwrite
            || !assignments.is_empty()
            || partitioned.is_some()
            || !after_columns.is_empty()
            || *has_table_keyword
            || output.is_some()
            || *replace_into
            || priority.is_some()
            || insert_alias.is_some()
            || settings.is_some()
            || format_clause.is_some()
            || multi_table_insert_type.is_some()
            || !multi_table_into_clauses.is_empty()
            || !multi_table_when_clauses.is_empty()
            || multi_table_else_clause.is_some();
        let TableObject::TableName(name) = table else { return self.opaque_statement("INSERT into a function") };
        if other {
            return self.opaque_statement("an INSERT of another dialect");
        }
        let alias = table_alias.as_ref().map(|alias| self.name(&alias.alias));
        let mut write =
            Write { actions: vec![Action::SqlInsert], target: Table { alias, ..self.table(name) }, ..Write::default() };
        for column in columns {
            match self.path(column).and_then(|path| path.first().cloned()) {
                Some(column) => write.columns.push(column),
                None => return self.opaque_statement("a computed name"),
            }
        }
        write.inserted = source.as_deref().map(|source| Box::new(self.query(source)));
        match on {
            Some(OnInsert::OnConflict(OnConflict { conflict_target, action })) => {
                write.conflict = true;
                if let Some(ConflictTarget::Columns { columns, predicate }) = conflict_target {
                    let columns = self.name_list(columns).into_iter();
                    write.uses.extend(columns.map(|name| Expr::Computed(vec![Expr::Column(vec![name])])));
                    write.uses.extend(predicate.as_ref().map(|predicate| self.expr(predicate)));
                }
                if let OnConflictAction::DoUpdate(update) = action {
                    write.upsert = true;
                    write.assigned = self.assignments(&update.assignments);
                    write.predicate = update.selection.as_ref().map(|predicate| self.expr(predicate));
                }
            }
            Some(_) => return self.opaque_statement("an INSERT of another dialect"),
            None => {}
        }
        write.returning = self.returning(returning.as_ref());
        Statement::Write(Box::new(write))
    }

    /// The relation that is written, where there is only that.
    fn target(&mut self, table: &TableWithJoins) -> Option<Table> {
        let TableFactor::Table { name, alias, args: None, sample: None, version: None, .. } = &table.relation else {
            return None;
        };
        table.joins.is_empty().then(|| self.aliased(name, alias.as_ref()))
    }

    pub(super) fn update(&mut self, update: &Update) -> Statement {
        let Update {
            update_token: _,
            optimizer_hints: _,
            table,
            on_cluster,
            assignments,
            from,
            selection,
            returning,
            output,
            or,
            order_by,
            limit,
            settings,
        } = update;
        let other = on_cluster.is_some()
            || output.is_some()
            || or.is_some()
            || !order_by.is_empty()
            || limit.is_some()
            || settings.is_some();
        let Some(target) = self.target(table).filter(|_| !other) else {
            return self.opaque_statement("an UPDATE of another dialect");
        };
        let mut write = Write { actions: vec![Action::SqlUpdate], target, ..Write::default() };
        write.assigned = self.assignments(assignments);
        if let Some(UpdateTableFromKind::AfterSet(from) | UpdateTableFromKind::BeforeSet(from)) = from {
            write.sources = self.sources(from);
        }
        write.predicate = selection.as_ref().map(|predicate| self.expr(predicate));
        write.returning = self.returning(returning.as_ref());
        Statement::Write(Box::new(write))
    }

    pub(super) fn delete(&mut self, delete: &Delete) -> Statement {
        let Delete {
            delete_token: _,
            optimizer_hints: _,
            tables,
            from,
            on_cluster,
            using,
            selection,
            returning,
            output,
            order_by,
            limit,
            settings,
        } = delete;
        let other = !tables.is_empty()
            || on_cluster.is_some()
            || output.is_some()
            || !order_by.is_empty()
            || limit.is_some()
            || settings.is_some();
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = from;
        let target = match from.as_slice() {
            [only] if !other => self.target(only),
            _ => None,
        };
        let Some(target) = target else { return self.opaque_statement("a DELETE of another dialect") };
        let mut write = Write { actions: vec![Action::SqlDelete], target, ..Write::default() };
        write.sources = using.as_ref().map(|using| self.sources(using)).unwrap_or_default();
        write.predicate = selection.as_ref().map(|predicate| self.expr(predicate));
        write.returning = self.returning(returning.as_ref());
        Statement::Write(Box::new(write))
    }

    pub(super) fn merge(&mut self, merge: &Merge) -> Statement {
        let Merge { merge_token: _, optimizer_hints: _, into: _, table, source, on, clauses, output } = merge;
        let target = TableWithJoins { relation: table.clone(), joins: Vec::new() };
        let Some(target) = self.target(&target) else { return self.opaque_statement("a MERGE of another dialect") };
        let mut write = Write { target, merges: true, ..Write::default() };
        write.sources = vec![self.factor(source)];
        write.uses.push(self.expr(on));
        for MergeClause { when_token: _, clause_kind, predicate, action } in clauses {
            let sees = match clause_kind {
                MergeClauseKind::Matched => Sees::All,
                MergeClauseKind::NotMatched | MergeClauseKind::NotMatchedByTarget => Sees::Sources,
                MergeClauseKind::NotMatchedBySource => Sees::Target,
            };
            write.conditions.extend(predicate.as_ref().map(|predicate| (sees, self.expr(predicate))));
            let action = match action {
                MergeAction::Insert(insert) => {
                    let MergeInsertKind::Values(values) = &insert.kind else {
                        return self.opaque_statement("a MERGE of another dialect");
                    };
                    let ([row], None) = (values.rows.as_slice(), &insert.insert_predicate) else {
                        return self.opaque_statement("a MERGE of another dialect");
                    };
                    // The columns stand in the one list, their values in the other.
                    let mut names = insert.columns.iter().map(|column| self.path(column));
                    let names: Vec<_> = names.by_ref().collect();
                    let mut names = names.into_iter();
                    for value in self.exprs(&row.content) {
                        let path: Vec<String> = names.next().flatten().unwrap_or_default();
                        let part = path.len() > 1;
                        write.assigned.push(Assignment { column: path.into_iter().next(), part, value, sees });
                    }
                    Action::SqlInsert
                }
                MergeAction::Update(update) => {
                    let MergeUpdateKind::Set(assignments) = &update.kind else {
                        return self.opaque_statement("a MERGE of another dialect");
                    };
                    if update.update_predicate.is_some() || update.delete_predicate.is_some() {
                        return self.opaque_statement("a MERGE of another dialect");
                    }
                    let assigned = self.assignments(assignments).into_iter();
                    write.assigned.extend(assigned.map(|assignment| Assignment { sees, ..assignment }));
                    Action::SqlUpdate
                }
                MergeAction::Delete { .. } => Action::SqlDelete,
                MergeAction::DoNothing { .. } => continue,
            };
            if !write.actions.contains(&action) {
                write.actions.push(action);
            }
        }
        write.returning = self.output_clause(output.as_ref());
        Statement::Write(Box::new(write))
    }
}
