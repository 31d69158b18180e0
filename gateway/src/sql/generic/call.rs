//! Functions.

use sqlparser::ast::{
    DuplicateTreatment, Expr as Ast, Function, FunctionArg, FunctionArgExpr, FunctionArgOperator,
    FunctionArgumentClause, FunctionArgumentList, FunctionArguments, OrderByExpr, OrderBySort, Value, WindowFrame,
    WindowFrameBound, WindowSpec, WindowType,
};

use super::Lowering;
use super::expr::{bare, literal_text};
use crate::sql::form::{Call, Constant, Expr, Query, Subquery, Table};
use crate::sql::qualified;

impl Lowering<'_> {
    /// A function by its name alone.
    pub(super) fn plain(&mut self, name: &str, arguments: Vec<Expr>) -> Expr {
        let name = vec![name.to_owned()];
        self.calls.push(name.clone());
        Expr::Call(Box::new(Call { name, arguments, ..Call::default() }))
    }

    /// One of PostgreSQL's own of one argument.
    pub(super) fn brought(&mut self, name: &str, argument: Expr) -> Expr {
        let name = vec!["pg_catalog".to_owned(), name.to_owned()];
        self.calls.push(name.clone());
        Expr::Call(Box::new(Call { name, arguments: vec![argument], ..Call::default() }))
    }

    pub(super) fn call(&mut self, function: &Function) -> Expr {
        let Function { name, uses_odbc_syntax, parameters, args, within_group, filter, null_treatment, over } =
            function;
        let other = *uses_odbc_syntax || !matches!(parameters, FunctionArguments::None) || null_treatment.is_some();
        let Some(path) = self.path(name).filter(|_| !other) else {
            return self.opaque("a call of another dialect");
        };
        let quoted = name.0.iter().any(|part| part.as_ident().is_none_or(|ident| ident.quote_style.is_some()));
        let word = match path.as_slice() {
            [word] if !quoted => word.as_str(),
            _ => "",
        };
        let list = match args {
            // A word that stands for a value.
            FunctionArguments::None if self.dialect.is_value_word(word) => return Expr::Constant(Constant::Other),
            FunctionArguments::None => return self.opaque("a call without brackets"),
            FunctionArguments::Subquery(query) if word == "array" => {
                return Expr::Query { query: Box::new(self.query(query)), kind: Subquery::Array };
            }
            // `f((select a))` with one pair of brackets.
            FunctionArguments::Subquery(_) => return self.opaque("a call with a query"),
            FunctionArguments::List(list) => list,
        };
        let FunctionArgumentList { duplicate_treatment, args, clauses } = list;
        let plain = within_group.is_empty() && filter.is_none() && over.is_none() && clauses.is_empty();
        let mut arguments = Vec::new();
        let (mut star, mut named) = (false, Vec::new());
        for argument in args {
            match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => star = true,
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
                FunctionArg::Unnamed(FunctionArgExpr::QualifiedWildcard(name)) => match self.path(name) {
                    Some(path) => arguments.push(Expr::Star(path)),
                    None => arguments.push(self.opaque("a computed name")),
                },
                _ => arguments.push(self.opaque("an argument of another dialect")),
            }
        }
        if plain
            && !star
            && let Some(value) = self.construct(word, args, &mut arguments)
        {
            return value;
        }
        let (mut over_what, mut ordered) = (Vec::new(), !within_group.is_empty());
        for clause in clauses {
            match clause {
                FunctionArgumentClause::OrderBy(order) => {
                    ordered = true;
                    over_what.extend(order.iter().map(|one| self.sorted(one)).collect::<Vec<_>>());
                }
                _ => over_what.push(self.opaque("a clause of a call")),
            }
        }
        // They are arguments of it, and shown.
        arguments.extend(within_group.iter().map(|one| self.sorted(one)).collect::<Vec<_>>());
        over_what.extend(filter.as_deref().map(|filter| self.expr(filter)));
        match over {
            Some(WindowType::WindowSpec(window)) => over_what.push(self.window(window)),
            Some(WindowType::NamedWindow(_)) => over_what.push(Expr::Computed(Vec::new())),
            None => {}
        }
        let aggregates = star
            || *duplicate_treatment == Some(DuplicateTreatment::Distinct)
            || filter.is_some()
            || over.is_some()
            || ordered;
        self.calls.push(path.clone());
        let mut chosen = false;
        let sets = match args.as_slice() {
            [
                FunctionArg::Unnamed(FunctionArgExpr::Expr(setting)),
                FunctionArg::Unnamed(FunctionArgExpr::Expr(value)),
                _,
            ] if path.last().is_some_and(|name| self.dialect.is_setter(name)) => {
                chosen = self.setting.is_some() && self.is_name_of_setting(setting);
                let setting = if chosen { self.setting.as_deref() } else { literal_text(setting) };
                setting.map(|setting| self.dialect.sets(setting, literal_text(value)))
            }
            _ => None,
        };
        let sequence = match args.first() {
            Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(sequence)))
                if path.last().is_some_and(|name| self.dialect.draws(name)) =>
            {
                sequence_named(sequence)
            }
            _ => None,
        };
        Expr::Call(Box::new(Call {
            name: path,
            arguments,
            named,
            over: over_what,
            aggregates,
            sets,
            chosen,
            sequence,
            ..Call::default()
        }))
    }

    /// What looks like a call and is none.
    pub(super) fn construct(&mut self, word: &str, args: &[FunctionArg], arguments: &mut Vec<Expr>) -> Option<Expr> {
        let taken = |arguments: &mut Vec<Expr>| std::mem::take(arguments);
        Some(match word {
            "coalesce" => Expr::Coalesce(taken(arguments)),
            "greatest" | "least" => Expr::Chosen { operator: vec!["<".to_owned()], values: taken(arguments) },
            "nullif" => match args {
                [FunctionArg::Unnamed(FunctionArgExpr::Expr(_)), FunctionArg::Unnamed(FunctionArgExpr::Expr(_))] => {
                    let operator = vec!["=".to_owned()];
                    self.calls.push(operator.clone());
                    Expr::Chosen { operator, values: taken(arguments) }
                }
                _ => return None,
            },
            "values" => {
                let query = Query { values: vec![taken(arguments)], ..Query::default() };
                Expr::Query { query: Box::new(query), kind: Subquery::Scalar }
            }
            "row" => Expr::Total(taken(arguments)),
            "grouping" => Expr::Constant(Constant::Other),
            "normalize" => {
                let mut arguments = taken(arguments);
                // The form is a word.
                arguments.iter_mut().skip(1).for_each(|form| *form = Expr::Constant(Constant::Text));
                self.system("normalize", arguments)
            }
            // These are no functions, and their arguments are read as if they were.
            "xmlelement" | "xmlforest" | "xmlconcat" | "xmlparse" | "xmlpi" | "xmlroot" | "xmlserialize"
            | "xmlexists" | "json" | "json_scalar" | "json_serialize" | "json_exists" | "json_query" | "json_value"
            | "json_array" | "json_arrayagg" | "json_objectagg" | "merge_action" | "treat" => {
                self.opaque("a construct of SQL/XML or SQL/JSON")
            }
            "json_object" => match args {
                [FunctionArg::Unnamed(_)] | [FunctionArg::Unnamed(_), FunctionArg::Unnamed(_)] => {
                    let arguments = taken(arguments);
                    self.system("json_object", arguments)
                }
                _ => self.opaque("a construct of SQL/XML or SQL/JSON"),
            },
            "current_time" | "current_timestamp" | "localtime" | "localtimestamp" => Expr::Constant(Constant::Other),
            _ => return None,
        })
    }

    /// An expression of ORDER BY, where no number names a column.
    pub(super) fn sorted(&mut self, one: &OrderByExpr) -> Expr {
        let OrderByExpr { expr, options, with_fill } = one;
        if with_fill.is_some() {
            return self.opaque("an order of another dialect");
        }
        let value = self.expr(expr);
        match &options.sort {
            Some(OrderBySort::Using(operator)) => self.using(operator, value),
            Some(OrderBySort::Asc | OrderBySort::Desc) | None => value,
        }
    }

    pub(super) fn window(&mut self, window: &WindowSpec) -> Expr {
        let WindowSpec { window_name: _, partition_by, order_by, window_frame } = window;
        let mut parts = self.exprs(partition_by);
        parts.extend(order_by.iter().map(|one| self.sorted(one)).collect::<Vec<_>>());
        if let Some(WindowFrame { units: _, start_bound, end_bound }) = window_frame {
            for bound in [Some(start_bound), end_bound.as_ref()].into_iter().flatten() {
                match bound {
                    WindowFrameBound::Preceding(Some(by)) | WindowFrameBound::Following(Some(by)) => {
                        parts.push(self.expr(by));
                    }
                    WindowFrameBound::CurrentRow
                    | WindowFrameBound::Preceding(None)
                    | WindowFrameBound::Following(None) => {}
                }
            }
        }
        Expr::Computed(parts)
    }
}

/// The sequence that a text names; it may be said to be of a type.
fn sequence_named(expr: &Ast) -> Option<Table> {
    match bare(expr) {
        Ast::Cast { expr, .. } => sequence_named(expr),
        Ast::TypedString(typed) => match &typed.value.value {
            Value::SingleQuotedString(text) => qualified::relation(text),
            _ => None,
        },
        other => literal_text(other).and_then(qualified::relation),
    }
}
