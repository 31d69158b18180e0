//! What a query reads from.

use sqlparser::ast::{
    Expr as Ast, FunctionArg, FunctionArgExpr, FunctionArgOperator, Join, JoinConstraint, JoinOperator, ObjectName,
    TableAlias, TableFactor, TableSample, TableSampleKind, TableSampleMethod, TableWithJoins, XmlTableColumnOption,
};

use super::Lowering;
use crate::sql::form::{Call, Expr, On, Source, Table};
use crate::sql::predicate::is_written;

impl Lowering<'_> {
    /// A relation with what is joined to it.
    pub(super) fn joined(&mut self, source: &TableWithJoins) -> Source {
        let mut all = self.factor(&source.relation);
        for Join { relation, global, join_operator } in &source.joins {
            let right = self.factor(relation);
            let constraint = match join_operator {
                JoinOperator::Join(constraint)
                | JoinOperator::Inner(constraint)
                | JoinOperator::Left(constraint)
                | JoinOperator::LeftOuter(constraint)
                | JoinOperator::Right(constraint)
                | JoinOperator::RightOuter(constraint)
                | JoinOperator::FullOuter(constraint)
                | JoinOperator::CrossJoin(constraint)
                    if !*global =>
                {
                    constraint
                }
                _ => return self.opaque_source("a join of another dialect"),
            };
            let mut on = On::default();
            match constraint {
                JoinConstraint::On(condition) => on.condition = Some(self.expr(condition)),
                JoinConstraint::Using(columns) => on.using = self.using_columns(columns),
                JoinConstraint::UsingAlias(columns, name) => {
                    on.using = self.using_columns(columns);
                    on.using_alias = Some(self.name(name));
                }
                JoinConstraint::Natural => on.natural = true,
                JoinConstraint::None => {}
            }
            all = Source::Join { left: Box::new(all), right: Box::new(right), on, alias: None, columns: Vec::new() };
        }
        all
    }

    fn using_columns(&mut self, columns: &[ObjectName]) -> Vec<String> {
        columns.iter().filter_map(|column| self.path(column).and_then(|mut path| path.pop())).collect()
    }

    pub(super) fn factor(&mut self, factor: &TableFactor) -> Source {
        match factor {
            TableFactor::Table {
                name,
                alias,
                args,
                with_hints,
                version: None,
                with_ordinality,
                partitions,
                json_path: None,
                sample,
                index_directives,
                inheritance: _,
            } if with_hints.is_empty() && partitions.is_empty() && index_directives.is_empty() => {
                let source = match args {
                    Some(args) if args.settings.is_none() => {
                        self.function(name, &args.args, *with_ordinality, alias.as_ref())
                    }
                    Some(_) => self.opaque_source("a relation of another dialect"),
                    None => Source::Table(self.aliased(name, alias.as_ref())),
                };
                self.sampled(source, sample.as_ref())
            }
            TableFactor::Derived { lateral, subquery, alias, sample } => {
                let (alias, columns) = self.called(alias.as_ref());
                let query = Box::new(self.query(subquery));
                self.sampled(Source::Derived { alias, columns, query, lateral: *lateral }, sample.as_ref())
            }
            TableFactor::Function { lateral: _, name, args, with_ordinality, alias } => {
                self.function(name, args, *with_ordinality, alias.as_ref())
            }
            TableFactor::TableFunction { expr, alias } => {
                let (alias, columns) = self.called(alias.as_ref());
                let calls = vec![self.expr(expr)];
                Source::Function { alias, columns, calls, types: Vec::new(), ordinality: false }
            }
            TableFactor::UNNEST {
                alias,
                array_exprs,
                with_offset: false,
                with_offset_alias: None,
                with_ordinality,
            } => {
                let Some(types) = self.types_of(alias.as_ref()) else {
                    return self.opaque_source("a type of another dialect");
                };
                let (alias, columns) = self.called(alias.as_ref());
                let arguments = self.exprs(array_exprs);
                // Several have a column each.
                let calls = match arguments.len() {
                    0 | 1 => vec![self.plain("unnest", arguments)],
                    _ => arguments.into_iter().map(|array| self.brought("unnest", array)).collect(),
                };
                Source::Function { alias, columns, calls, types, ordinality: *with_ordinality }
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                let inner = self.joined(table_with_joins);
                let Some(given) = alias else { return inner };
                let (alias, columns) = self.called(Some(given));
                match inner {
                    Source::Join { left, right, on, alias: None, columns: none } if none.is_empty() => {
                        Source::Join { left, right, on, alias, columns }
                    }
                    _ => self.opaque_source("a name for what has one"),
                }
            }
            TableFactor::XmlTable { namespaces, row_expression, passing, columns, alias } => {
                let (alias, given) = self.called(alias.as_ref());
                let [document] = passing.arguments.as_slice() else {
                    return self.opaque_source("XMLTABLE of several documents");
                };
                let mut from = vec![self.expr(&document.expr), self.expr(row_expression)];
                from.extend(namespaces.iter().map(|namespace| self.expr(&namespace.uri)).collect::<Vec<_>>());
                let (mut names, mut types) = (Vec::new(), Vec::new());
                for column in columns {
                    names.push(self.name(&column.name));
                    if let XmlTableColumnOption::NamedInfo { r#type, path, default, .. } = &column.option {
                        let Some(of) = self.type_name(r#type) else {
                            return self.opaque_source("a type of another dialect");
                        };
                        types.push(of);
                        from.extend(path.iter().chain(default).map(|expr| self.expr(expr)).collect::<Vec<_>>());
                    }
                }
                for (name, given) in names.iter_mut().zip(given) {
                    *name = given;
                }
                Source::Computed { alias, names, types, from }
            }
            TableFactor::JsonTable { .. } => self.opaque_source("JSON_TABLE"),
            _ => self.opaque_source("a relation of another dialect"),
        }
    }

    /// The types that columns are said to be of; `None`: one of them is not known.
    fn types_of(&self, alias: Option<&TableAlias>) -> Option<Vec<Vec<String>>> {
        let columns = alias.into_iter().flat_map(|alias| &alias.columns);
        columns.filter_map(|column| column.data_type.as_ref()).map(|of| self.type_name(of)).collect()
    }

    pub(super) fn aliased(&mut self, name: &ObjectName, alias: Option<&TableAlias>) -> Table {
        let (alias, columns) = self.called(alias);
        Table { alias, columns, ..self.table(name) }
    }

    fn function(
        &mut self,
        name: &ObjectName,
        args: &[FunctionArg],
        ordinality: bool,
        alias: Option<&TableAlias>,
    ) -> Source {
        let Some(types) = self.types_of(alias) else { return self.opaque_source("a type of another dialect") };
        let (alias, columns) = self.called(alias);
        let Some(path) = self.path(name) else { return self.opaque_source("a computed name") };
        let (mut arguments, mut named) = (Vec::new(), Vec::new());
        for argument in args {
            match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => arguments.push(self.expr(expr)),
                FunctionArg::Named { arg: FunctionArgExpr::Expr(expr), name, .. }
                | FunctionArg::ExprNamed {
                    arg: FunctionArgExpr::Expr(expr),
                    operator: FunctionArgOperator::RightArrow | FunctionArgOperator::Assignment,
                    name: Ast::Identifier(name),
                } => {
                    named.push((arguments.len(), self.name(name)));
                    arguments.push(self.expr(expr));
                }
                _ => return self.opaque_source("an argument of another dialect"),
            }
        }
        if let [word] = path.as_slice()
            && matches!(word.as_str(), "json_table" | "rows" | "xmltable")
        {
            return self.opaque_source("a relation of another dialect");
        }
        if let [word] = path.as_slice()
            && let Some(value) = self.construct(word, args, &mut arguments)
        {
            return Source::Function { alias, columns, calls: vec![value], types, ordinality };
        }
        self.calls.push(path.clone());
        let calls = vec![Expr::Call(Box::new(Call { name: path, arguments, named, ..Call::default() }))];
        Source::Function { alias, columns, calls, types, ordinality }
    }

    /// Some of its rows: which, nobody is told but by constants.
    fn sampled(&mut self, source: Source, sample: Option<&TableSampleKind>) -> Source {
        let Some(TableSampleKind::BeforeTableAlias(sample) | TableSampleKind::AfterTableAlias(sample)) = sample else {
            return source;
        };
        let TableSample { modifier: _, name, quantity, seed: _, bucket, offset } = &**sample;
        let builtin = matches!(name, Some(TableSampleMethod::Bernoulli | TableSampleMethod::System));
        let fixed = quantity.as_ref().is_some_and(|quantity| {
            let value: &Ast = &quantity.value;
            is_written(&self.expr(value))
        });
        if builtin && fixed && bucket.is_none() && offset.is_none() {
            source
        } else {
            self.opaque_source("a sample of another dialect")
        }
    }
}
