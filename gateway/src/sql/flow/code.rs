//! Functions: what a call does, and what code of the database's own it runs.

use std::rc::Rc;

use super::expr::{TEXT, Value};
use super::scope::{Column, Rows, Scope};
use super::{MAX_DEPTH, Shown, Walk};
use crate::access::{Action, Facts, Name, Object};
use crate::sql::Changes;
use crate::sql::builtin::{self, Class};
use crate::sql::catalog::{Function, FunctionKind};
use crate::sql::form::{Call, Expr, Sets};
use crate::sql::postgres::{self, Program};

impl Walk<'_> {
    pub(super) fn call(&mut self, call: &Call, scope: &Scope<'_>) -> Value {
        let arguments: Vec<Value> = call.arguments.iter().map(|argument| self.expr(argument, scope)).collect();
        let own = || self.catalog.functions_named("set_config").any(|_| true);
        if let Some(sets) = call.sets
            && self.catalog.complete
            && !own()
            && (call.name.len() == 1 || call.name.first().is_some_and(|schema| schema == "pg_catalog"))
        {
            return self.set(sets, arguments);
        }
        self.called(&call.name, arguments, &call.over, call.aggregates, scope)
    }

    /// The built-in `set_config` of a setting that is known. What it is set to, anyone may ask for.
    fn set(&mut self, sets: Sets, arguments: Vec<Value>) -> Value {
        self.changes |= sets.changes;
        self.plain(sets.action, Object::Resource);
        if sets.changes.settings {
            // A function that runs after it looks its names up elsewhere.
            self.path_moves = true;
            if self.bodies_read {
                self.unknown();
            }
        }
        let value = Value::computed(arguments).failing();
        self.leaks.extend(value.nodes.iter().copied());
        Value { of: Some(TEXT), ..value }
    }

    /// A function of that name on these values.
    pub(super) fn called(
        &mut self,
        name: &[String],
        arguments: Vec<Value>,
        over: &[Expr],
        aggregates: bool,
        scope: &Scope<'_>,
    ) -> Value {
        for part in over {
            self.used(part, scope);
        }
        let (schema, function) = match name {
            [function] => (None, function.as_str()),
            [schema, function] => (Some(schema.as_str()), function.as_str()),
            _ => {
                self.unknown();
                return Value::computed(arguments).failing();
            }
        };
        if function == "set_config" && schema.is_none_or(|schema| schema == "pg_catalog") {
            // Which setting is a value, and so may be a role; what it is set to, anyone may ask for.
            self.changes |= Changes::SETTINGS;
            self.unknown();
            let value = Value::computed(arguments).failing();
            self.leaks.extend(value.nodes.iter().copied());
            return value;
        }
        let own: Vec<u32> = match schema {
            Some("pg_catalog") => Vec::new(),
            Some(schema) => {
                self.catalog.functions_named(function).filter(|f| *f.schema == *schema).map(|f| f.oid).collect()
            }
            // One of the same name with arguments that fit better is called instead of the system's.
            None => self
                .catalog
                .functions_named(function)
                .filter(|f| f.schema.as_ref() == "pg_catalog" || self.path.contains(&f.schema))
                .map(|f| f.oid)
                .collect(),
        };
        let takes = |own: &u32| self.catalog.function(*own).is_some_and(|f| could_take(f, arguments.len()));
        let own: Vec<u32> = own.into_iter().filter(takes).collect();
        let system = match schema {
            Some(schema) => schema == "pg_catalog",
            None => self.catalog.complete,
        };
        if own.is_empty() {
            return self.builtin(system, schema, function, arguments, aggregates || !over.is_empty());
        }
        let types: Vec<u32> = arguments.iter().map_while(|argument| argument.of).collect();
        let class = builtin::function(
            function,
            Some(&types).filter(|t| t.len() == arguments.len()).map(|t| &t[..]),
            arguments.len(),
        );
        if let ([only], true) = (own.as_slice(), class.is_none() || schema.is_some())
            && let Some(value) = self.inlined(*only, &arguments)
        {
            return value;
        }
        for function in own {
            self.execute(function);
        }
        self.ran(arguments)
    }

    /// The result of code that cannot be read.
    fn ran(&mut self, arguments: Vec<Value>) -> Value {
        let value = Value::computed(arguments).failing();
        self.filter(value.nodes.clone());
        let node = self.graph.unknown(value.nodes);
        Value { nodes: vec![node], fails: true, ..Value::default() }
    }

    fn builtin(
        &mut self,
        system: bool,
        schema: Option<&str>,
        function: &str,
        arguments: Vec<Value>,
        aggregates: bool,
    ) -> Value {
        let types: Vec<u32> = arguments.iter().map_while(|argument| argument.of).collect();
        let known = (types.len() == arguments.len()).then_some(types.as_slice());
        let class = if system { builtin::function(function, known, arguments.len()) } else { None };
        let kinds = builtin::kind(function);
        let many = aggregates || kinds.aggregate || kinds.window || kinds.set;
        let of = result_type(function);
        if system && function == "pg_notify" {
            // As NOTIFY does.
            self.plain(Action::SqlSession, Object::Resource);
        }
        let brought = schema.is_some_and(|schema| builtin::is_schema_function(schema, function));
        let class = class.or((brought && self.catalog.complete).then_some(Class::Pure));
        match class {
            None => {
                self.missing |= !builtin::is_function(function);
                let found = schema.map(Name::from).unwrap_or_else(|| "pg_catalog".into());
                let object = self.function_name(found, function);
                self.effect(Action::SqlExecute, object, crate::access::Tags::default(), Facts::default());
                self.ran(arguments)
            }
            Some(Class::Total(positions)) if !many => {
                let holds = self.may_hold(positions, &arguments.iter().collect::<Vec<_>>());
                let value = Value::computed(arguments);
                if !holds {
                    self.filter(value.nodes.clone());
                }
                Value { fails: value.fails || !holds, of, ..value }
            }
            Some(Class::Volatile) => {
                let value = Value::computed(arguments).failing();
                self.leaks.extend(value.nodes.iter().copied());
                self.filter(value.nodes.clone());
                value
            }
            Some(Class::Total(_) | Class::Pure) => {
                let value = Value::computed(arguments).failing();
                self.filter(value.nodes.clone());
                Value { of, ..value }
            }
        }
    }

    /// What a function in SQL does, read down to its body; `None`: it cannot be.
    fn inlined(&mut self, oid: u32, arguments: &[Value]) -> Option<Value> {
        let rows = self.body(oid, arguments)?;
        let function = self.catalog.function(oid)?;
        let nodes = rows.columns.iter().map(|column| column.node).chain(rows.open).collect();
        let (of, set) = (function.returns, function.set);
        let row = (rows.columns.len() != 1 || rows.open.is_some()).then_some(rows);
        let value = Value { nodes, exact: row.is_none() && !set, fails: true, of: Some(of), row };
        if set {
            self.filter(value.nodes.clone());
        }
        Some(value)
    }

    /// The rows that a function in SQL returns.
    pub(super) fn body(&mut self, oid: u32, arguments: &[Value]) -> Option<Rows> {
        postgres::deep(|| self.body_rows(oid, arguments))
    }

    fn body_rows(&mut self, oid: u32, arguments: &[Value]) -> Option<Rows> {
        let function = self.catalog.function(oid)?;
        let readable = function.kind == FunctionKind::Function
            && &*function.language == "sql"
            && !function.standard_body
            && function.settings.is_empty()
            && function.variadic == 0
            && function.parts.is_empty()
            && arguments.len() == function.arguments.len();
        // One that calls itself could be read for ever.
        if !readable || self.depth >= MAX_DEPTH || self.path_moves || self.reading.contains(&oid) {
            return None;
        }
        self.bodies_read = true;
        let program = self.lowered(function.body.as_deref()?)?;
        self.depth += 1;
        self.reading.push(oid);
        // Its names are looked up when it runs.
        let path = std::mem::replace(&mut self.path, self.session_path.clone());
        let temporary = std::mem::replace(&mut self.temporary, self.session_temporary.clone());
        let mut names = input_names(function).into_iter();
        let mut bound = Vec::new();
        for (argument, of) in arguments.iter().zip(&function.arguments) {
            let node = self.node(argument);
            bound.push(Column { name: names.next().unwrap_or_default(), node, of: Some(*of) });
        }
        let inner = Scope { arguments: Rc::new(bound), ctes: super::scope::Ctes::default(), ..Scope::default() };
        let mut last = Shown::Nothing;
        for statement in &program.statements {
            last = self.statement(statement, &inner);
        }
        self.reading.pop();
        self.depth -= 1;
        self.path = path;
        self.temporary = temporary;
        Some(match last {
            Shown::Rows(rows) => rows,
            Shown::Nothing => Rows::default(),
            _ => Rows { columns: Vec::new(), open: Some(self.graph.unknown(Vec::new())) },
        })
    }

    /// Runs whatever an expression of the database's own calls: a default, a check, a policy.
    pub(super) fn code(&mut self, text: &str) {
        let select = format!("select {text}");
        match self.lowered(&select) {
            Some(program) if program.statements.len() == 1 => {
                for name in &program.calls {
                    self.code_of(name);
                }
            }
            _ => self.unknown(),
        }
    }

    /// A text of the catalog's, parsed once however often it is come to.
    pub(super) fn lowered(&mut self, text: &str) -> Option<Rc<Program>> {
        if let Some(known) = self.texts.get(text) {
            return known.clone();
        }
        let program = postgres::lower(text, self.server()).map(Rc::new);
        self.texts.insert(text.into(), program.clone());
        program
    }

    fn code_of(&mut self, name: &[String]) {
        let Some(function) = name.last() else { return };
        let schema = name.len().checked_sub(2).and_then(|at| name.get(at));
        let own: Vec<u32> = self
            .catalog
            .functions_named(function)
            .filter(|f| schema.is_none_or(|schema| *f.schema == **schema))
            .map(|f| f.oid)
            .collect();
        let own: Vec<u32> =
            own.into_iter().chain(self.catalog.operators_named(function).map(|operator| operator.function)).collect();
        for function in own {
            self.execute(function);
        }
    }
}

fn could_take(function: &Function, count: usize) -> bool {
    let all = function.arguments.len();
    let least = all.saturating_sub(usize::from(function.defaults));
    function.kind != FunctionKind::Procedure
        && (function.variadic != 0 && count >= least.saturating_sub(1) || (least..=all).contains(&count))
}

/// The names of a function's input arguments.
fn input_names(function: &Function) -> Vec<String> {
    let input =
        |(at, _): &(usize, &Name)| function.argument_modes.get(*at).is_none_or(|mode| matches!(mode, 'i' | 'b' | 'v'));
    function.argument_names.iter().enumerate().filter(input).map(|(_, name)| name.to_string()).collect()
}

/// The result's type of functions that are often called within others.
fn result_type(function: &str) -> Option<u32> {
    match function {
        "lower" | "upper" | "initcap" | "btrim" | "ltrim" | "rtrim" | "concat" | "concat_ws" | "left" | "right"
        | "substr" | "substring" | "replace" | "translate" | "reverse" | "md5" | "quote_literal" | "quote_ident" => {
            Some(TEXT)
        }
        "length" | "char_length" | "character_length" | "octet_length" | "ascii" | "strpos" | "position" => Some(23),
        _ => None,
    }
}
