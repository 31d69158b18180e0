//! Queries.

use sqlparser::ast::{
    BinaryOperator, Cte as AstCte, Distinct, Expr as Ast, Fetch, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, GroupByExpr, LimitClause, NamedWindowExpr, OrderByExpr, OrderByKind, Query as AstQuery, Select,
    SelectItem, SelectItemQualifiedWildcardKind, SetExpr, SetOperator, SetQuantifier, TableFactor, TableWithJoins,
    Value, With,
};

use super::Lowering;
use super::expr::{bare, literal_text};
use crate::sql::form::{Constant, Cte, Expr, Figured, Output, Query, Source, Statement, Table, UNNAMED};

impl Lowering<'_> {
    /// A query, or a write in the place of one.
    pub(super) fn query_statement(&mut self, query: &AstQuery) -> Statement {
        match &*query.body {
            SetExpr::Insert(inner) | SetExpr::Update(inner) | SetExpr::Delete(inner) | SetExpr::Merge(inner) => {
                let with = self.with(query.with.as_ref());
                match self.statement(inner) {
                    Statement::Write(mut write) if write.with.is_empty() => {
                        write.with = with;
                        Statement::Write(write)
                    }
                    _ => self.opaque_statement("a write within a write"),
                }
            }
            _ => Statement::Query(Box::new(self.query(query))),
        }
    }

    pub(super) fn query(&mut self, query: &AstQuery) -> Query {
        let AstQuery {
            with,
            body,
            order_by,
            limit_clause,
            fetch,
            locks: _,
            for_clause,
            settings,
            format_clause,
            pipe_operators,
        } = query;
        let with = self.with(with.as_ref());
        let mut lowered = self.body(body);
        lowered.with.splice(0..0, with);
        if for_clause.is_some() || settings.is_some() || format_clause.is_some() || !pipe_operators.is_empty() {
            lowered.uses.push(self.opaque("a query of another dialect"));
        }
        match order_by.as_ref().map(|order| (&order.kind, &order.interpolate)) {
            Some((OrderByKind::Expressions(order), None)) => {
                let order: Vec<Expr> = order.iter().map(|one| self.order(one)).collect();
                lowered.order.extend(order);
            }
            Some(_) => lowered.order.push(self.opaque("an order of another dialect")),
            None => {}
        }
        if let Some(limit) = limit_clause {
            self.limit(limit, &mut lowered);
        }
        if let Some(Fetch { with_ties: _, percent, quantity }) = fetch {
            let count = match quantity {
                _ if *percent => self.opaque("a share of the rows"),
                Some(quantity) => self.expr(quantity),
                None => Expr::Constant(Constant::Number),
            };
            lowered.uses.push(count);
        }
        lowered
    }

    fn limit(&mut self, limit: &LimitClause, lowered: &mut Query) {
        let parts = match limit {
            LimitClause::LimitOffset { limit, offset, limit_by } if limit_by.is_empty() => {
                offset.iter().map(|offset| &offset.value).chain(limit).collect::<Vec<_>>()
            }
            LimitClause::LimitOffset { .. } => {
                lowered.uses.push(self.opaque("a limit of another dialect"));
                return;
            }
            LimitClause::OffsetCommaLimit { offset, limit } => vec![offset, limit],
        };
        let parts: Vec<Expr> = parts.into_iter().map(|part| self.expr(part)).collect();
        lowered.uses.extend(parts);
    }

    fn body(&mut self, body: &SetExpr) -> Query {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Query(query) => self.query(query),
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                let mut query = Query { arms: vec![self.body(left), self.body(right)], ..Query::default() };
                match set_quantifier {
                    SetQuantifier::All => query.all = *op == SetOperator::Union,
                    SetQuantifier::None | SetQuantifier::Distinct => {}
                    _ => query.uses.push(self.opaque("a set operation by name")),
                }
                query
            }
            SetExpr::Values(values) => {
                let values = values.rows.iter().map(|row| self.exprs(&row.content)).collect();
                Query { values, ..Query::default() }
            }
            SetExpr::Table(table) => {
                let schema = table.schema_name.as_ref().map(|name| self.name(name));
                let name = table.table_name.as_ref().map(|name| self.name(name)).unwrap_or_default();
                let source = Source::Table(Table { schema, name, ..Table::default() });
                let star = Output { name: Some(UNNAMED.to_owned()), value: Expr::Star(Vec::new()) };
                Query { sources: vec![source], outputs: vec![star], ..Query::default() }
            }
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
                Query { uses: vec![self.opaque("a write as a part of a query")], ..Query::default() }
            }
        }
    }

    fn select(&mut self, select: &Select) -> Query {
        let Select {
            select_token: _,
            optimizer_hints: _,
            distinct,
            select_modifiers,
            top,
            top_before_distinct: _,
            projection,
            exclude,
            into,
            from,
            lateral_views,
            prewhere,
            selection,
            connect_by,
            group_by,
            cluster_by,
            distribute_by,
            sort_by,
            having,
            named_window,
            qualify,
            window_before_qualify: _,
            value_table_mode,
            flavor: _,
        } = select;
        let around = self.setting.take();
        let mut query = Query::default();
        let other = select_modifiers.is_some()
            || top.is_some()
            || exclude.is_some()
            || !lateral_views.is_empty()
            || prewhere.is_some()
            || !connect_by.is_empty()
            || !cluster_by.is_empty()
            || !distribute_by.is_empty()
            || !sort_by.is_empty()
            || qualify.is_some()
            || value_table_mode.is_some();
        if other {
            query.uses.push(self.opaque("a query of another dialect"));
        }
        if let Some(into) = into {
            match into.targets.as_slice() {
                [Ast::Identifier(name)] => query.into = Some(Table { name: self.name(name), ..Table::default() }),
                [Ast::CompoundIdentifier(names)] => {
                    let mut path = self.name_list(names);
                    let name = path.pop().unwrap_or_default();
                    query.into = Some(Table { schema: path.pop(), name, ..Table::default() });
                }
                _ => query.uses.push(self.opaque("INTO something else than a table")),
            }
        }
        query.sources = self.sources(from);
        self.setting = selection.as_ref().and_then(|predicate| self.setting_of(from, predicate));
        query.outputs = self.outputs(projection);
        self.setting = None;
        query.predicate = selection.as_ref().map(|predicate| self.expr(predicate));
        query.having = having.as_ref().map(|having| self.expr(having));
        match distinct {
            Some(Distinct::Distinct) => query.distinct = true,
            Some(Distinct::On(on)) => query.order = on.iter().map(|one| self.ordered(one)).collect(),
            Some(Distinct::All) | None => {}
        }
        match group_by {
            GroupByExpr::Expressions(groups, modifiers) if modifiers.is_empty() => {
                query.groups = groups.iter().map(|group| self.ordered(group)).collect();
            }
            _ => query.groups.push(self.opaque("groups of another dialect")),
        }
        for window in named_window {
            query.uses.push(match &window.1 {
                NamedWindowExpr::WindowSpec(window) => self.window(window),
                NamedWindowExpr::NamedWindow(_) => Expr::Computed(Vec::new()),
            });
        }
        self.setting = around;
        query
    }

    /// The setting whose row a query reads of `pg_settings`.
    fn setting_of(&self, from: &[TableWithJoins], predicate: &Ast) -> Option<String> {
        let [TableWithJoins { relation: TableFactor::Table { name, alias: None, args: None, .. }, joins }] = from
        else {
            return None;
        };
        let table = self.path(name)?;
        let system = matches!(table.as_slice(), [name] if name == "pg_settings")
            || matches!(table.as_slice(), [schema, name] if schema == "pg_catalog" && name == "pg_settings");
        match predicate {
            Ast::BinaryOp { left, op: BinaryOperator::Eq, right }
                if system && joins.is_empty() && self.is_name_of_setting(left) =>
            {
                literal_text(right).map(str::to_owned)
            }
            _ => None,
        }
    }

    /// Whether an expression is the column of `pg_settings` that says which setting.
    pub(super) fn is_name_of_setting(&self, expr: &Ast) -> bool {
        matches!(bare(expr), Ast::Identifier(ident) if self.name(ident) == "name")
    }

    pub(super) fn sources(&mut self, from: &[TableWithJoins]) -> Vec<Source> {
        from.iter().map(|source| self.joined(source)).collect()
    }

    pub(super) fn outputs(&mut self, items: &[SelectItem]) -> Vec<Output> {
        items.iter().map(|item| self.output(item)).collect()
    }

    fn output(&mut self, item: &SelectItem) -> Output {
        match item {
            SelectItem::UnnamedExpr(expr) => {
                let name = self.figured(expr).map_or_else(|| Some(UNNAMED.to_owned()), |(name, _)| name);
                Output { name, value: self.expr(expr) }
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                Output { name: Some(self.name(alias)), value: self.expr(expr) }
            }
            SelectItem::Wildcard(options) if options_plain(options) => {
                Output { name: Some(UNNAMED.to_owned()), value: Expr::Star(Vec::new()) }
            }
            SelectItem::QualifiedWildcard(kind, options) if options_plain(options) => match kind {
                SelectItemQualifiedWildcardKind::ObjectName(name) => match self.path(name) {
                    Some(path) => {
                        let name = path.last().cloned().unwrap_or_default();
                        Output { name: Some(name), value: Expr::Star(path) }
                    }
                    None => Output { name: Some(UNNAMED.to_owned()), value: self.opaque("a computed name") },
                },
                SelectItemQualifiedWildcardKind::Expr(expr) => {
                    let name = self.figured(expr).map_or_else(|| Some(UNNAMED.to_owned()), |(name, _)| name);
                    Output { name, value: Expr::Field { row: Box::new(self.expr(expr)), field: None } }
                }
            },
            _ => Output { name: Some(UNNAMED.to_owned()), value: self.opaque("a result's column of another dialect") },
        }
    }

    /// An expression in a place where a number names a column of the result.
    pub(super) fn ordered(&mut self, expr: &Ast) -> Expr {
        match bare(expr) {
            Ast::Value(value) => match &value.value {
                Value::Number(digits, _) => match digits.parse::<i32>() {
                    Ok(number) => Expr::Ordinal(usize::try_from(number).unwrap_or(0)),
                    Err(_) => Expr::Constant(Constant::Number),
                },
                _ => self.expr(expr),
            },
            Ast::Tuple(parts) => Expr::Total(parts.iter().map(|part| self.ordered(part)).collect()),
            // Within other groups the parser takes them for calls.
            Ast::Function(call) => match self.grouped_by(call) {
                Some(parts) => Expr::Total(parts.into_iter().map(|part| self.ordered(part)).collect()),
                None => self.call(call),
            },
            other => self.expr(other),
        }
    }

    /// What ROLLUP and CUBE stand around.
    fn grouped_by<'a>(&self, call: &'a Function) -> Option<Vec<&'a Ast>> {
        let [word] = call.name.0.as_slice() else { return None };
        let word = word.as_ident().filter(|ident| ident.quote_style.is_none())?;
        if !matches!(self.name(word).as_str(), "rollup" | "cube") {
            return None;
        }
        let FunctionArguments::List(list) = &call.args else { return None };
        let part = |argument: &'a FunctionArg| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(part)) => Some(part),
            _ => None,
        };
        list.args.iter().map(part).collect()
    }

    fn order(&mut self, one: &OrderByExpr) -> Expr {
        if one.options.sort.is_none()
            || matches!(one.options.sort, Some(sqlparser::ast::OrderBySort::Asc | sqlparser::ast::OrderBySort::Desc))
        {
            if one.with_fill.is_some() {
                return self.opaque("an order of another dialect");
            }
            // A row's parts are not looked at by number here.
            return match bare(&one.expr) {
                Ast::Tuple(_) => self.expr(&one.expr),
                _ => self.ordered(&one.expr),
            };
        }
        self.sorted(one)
    }

    pub(super) fn with(&mut self, with: Option<&With>) -> Vec<Cte> {
        let Some(with) = with else { return Vec::new() };
        let mut ctes = Vec::new();
        for cte in &with.cte_tables {
            let AstCte { alias, query, from, materialized: _, closing_paren_token: _ } = cte;
            let (name, columns) = self.called(Some(alias));
            let statement = match from {
                None => self.query_statement(query),
                Some(_) => self.opaque_statement("a query of another dialect"),
            };
            ctes.push(Cte {
                name: name.unwrap_or_default(),
                columns,
                recursive: with.recursive,
                statement,
                added: Vec::new(),
            });
        }
        ctes
    }

    /// The name of a result's column that the statement gives none, and whether it is better than a cast's.
    fn figured(&self, expr: &Ast) -> Option<Figured> {
        let good = |name: &str| Some((Some(name.to_owned()), true));
        match expr {
            Ast::Nested(inner) => self.figured(inner),
            Ast::Identifier(ident) => good(&self.name(ident)),
            Ast::CompoundIdentifier(idents) => idents.last().and_then(|ident| good(&self.name(ident))),
            Ast::CompoundFieldAccess { root, access_chain } => {
                let field = access_chain.iter().rev().find_map(|part| match part {
                    sqlparser::ast::AccessExpr::Dot(Ast::Identifier(ident)) => good(&self.name(ident)),
                    _ => None,
                });
                field.or_else(|| self.figured(root))
            }
            Ast::QualifiedWildcard(name, _) => good(&self.path(name)?.pop()?),
            Ast::Function(call) => {
                let path = self.path(&call.name)?;
                match path.as_slice() {
                    // A query, to whoever knows the word.
                    [word] if word == "values" => Some((None, true)),
                    _ => path.last().and_then(|name| good(name)),
                }
            }
            Ast::Cast { expr, data_type, .. } => match self.figured(expr) {
                Some((name, true)) => Some((name, true)),
                weak => self.type_label(data_type).map(|name| (Some(name), false)).or(weak),
            },
            Ast::TypedString(typed) => self.type_label(&typed.data_type).map(|name| (Some(name), false)),
            Ast::Interval(_) => Some((Some("interval".to_owned()), false)),
            Ast::Collate { expr, .. } => self.figured(expr),
            Ast::Case { else_result, .. } => match else_result.as_deref().and_then(|value| self.figured(value)) {
                Some((name, true)) => Some((name, true)),
                _ => Some((Some("case".to_owned()), false)),
            },
            Ast::Array(_) => good("array"),
            Ast::Tuple(_) => good("row"),
            Ast::Exists { negated: false, .. } => good("exists"),
            Ast::Subquery(_) => Some((None, true)),
            Ast::BinaryOp { op: BinaryOperator::Overlaps, .. } => good("overlaps"),
            Ast::Extract { .. } => good("extract"),
            Ast::Ceil { .. } => good("ceil"),
            Ast::Floor { .. } => good("floor"),
            Ast::Position { .. } => good("position"),
            Ast::Substring { shorthand, .. } => good(if *shorthand { "substr" } else { "substring" }),
            Ast::Overlay { .. } => good("overlay"),
            Ast::AtTimeZone { .. } => good("timezone"),
            Ast::IsNormalized { negated: false, .. } => good("is_normalized"),
            Ast::Trim { trim_where, .. } => good(match trim_where {
                Some(sqlparser::ast::TrimWhereField::Leading) => "ltrim",
                Some(sqlparser::ast::TrimWhereField::Trailing) => "rtrim",
                Some(sqlparser::ast::TrimWhereField::Both) | None => "btrim",
            }),
            _ => None,
        }
    }

    /// A column's name after a type: an array's is its element's.
    fn type_label(&self, of: &sqlparser::ast::DataType) -> Option<String> {
        self.type_name(of)?.pop().map(|name| name.trim_end_matches("[]").to_owned())
    }
}

fn options_plain(options: &sqlparser::ast::WildcardAdditionalOptions) -> bool {
    let sqlparser::ast::WildcardAdditionalOptions {
        wildcard_token: _,
        opt_ilike,
        opt_exclude,
        opt_except,
        opt_replace,
        opt_rename,
        opt_alias,
    } = options;
    opt_ilike.is_none()
        && opt_exclude.is_none()
        && opt_except.is_none()
        && opt_replace.is_none()
        && opt_rename.is_none()
        && opt_alias.is_none()
}
