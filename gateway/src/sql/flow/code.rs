//! Functions: what a call does, and what code of the database's own it runs.

use std::rc::Rc;

use super::expr::{TEXT, Value};
use super::scope::{Column, Rows, Scope};
use super::size::Size;
use super::{MAX_DEPTH, Shown, Walk};
use crate::access::{Action, Facts, Name, Object};
use crate::sql::Changes;
use crate::sql::builtin::{self, Class};
use crate::sql::catalog::{Function, FunctionKind};
use crate::sql::form::{Call, Expr, Sets};
use crate::sql::postgres::{self, Program};

/// Window functions that show what another row holds: one row in, one row out, and no value of it makes them fail.
const SHOWN_BY_WINDOW: [&str; 5] = ["first_value", "lag", "last_value", "lead", "nth_value"];

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
        if let ([name], [value], true, true) =
            (name, arguments.as_slice(), own.is_empty(), over.is_empty() && !aggregates)
            && let Some(Rows { columns, open: None }) = &value.row
            && let Some(column) = columns.iter().find(|column| column.name == *name)
            && !builtin::takes_row(name)
        {
            // `f(t)` is `t.f`, where no function takes a row.
            return Value { fails: value.fails, ..self.of_column(column) };
        }
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
        if let (true, false, [value]) = (system, aggregates, arguments.as_slice()) {
            // A type's name as a function is a cast.
            if let (Some(target), None) = (builtin::type_oid(function), &value.row) {
                return self.converted(value.clone(), target, false);
            }
            if function == "pg_typeof" || function == "count" && value.row.is_some() {
                // No value tells the type; and a whole row is never NULL, whatever is in it.
                let value = value.clone();
                self.reads.extend(value.nodes);
                return Value { fails: value.fails || function == "count", size: Size::SHORT, ..Value::default() };
            }
        }
        let types: Vec<u32> = arguments.iter().map_while(|argument| argument.of).collect();
        let known = (types.len() == arguments.len()).then_some(types.as_slice());
        let class = if system { builtin::function(function, known, arguments.len()) } else { None };
        let kinds = builtin::kind(function);
        let many = aggregates || kinds.aggregate || kinds.window || kinds.set;
        let of = result_type(function, types.first().copied());
        if system && function == "pg_notify" {
            // As NOTIFY does.
            self.plain(Action::SqlSession, Object::Resource);
        }
        let brought = schema.is_some_and(|schema| builtin::is_schema_function(schema, function));
        let class = class.or((brought && self.catalog.complete).then_some(Class::Pure));
        match class {
            Some(_) if system && SHOWN_BY_WINDOW.contains(&function) => self.shown_by_window(arguments),
            None => {
                self.missing |= !builtin::is_function(function);
                let found = schema.map(Name::from).unwrap_or_else(|| "pg_catalog".into());
                let object = self.function_name(found, function);
                self.effect(Action::SqlExecute, object, crate::access::Tags::default(), Facts::default());
                self.ran(arguments)
            }
            Some(Class::Total(positions)) if !many => {
                let holds = self.may_hold(positions, &arguments.iter().collect::<Vec<_>>());
                // Upper and lower case, and other characters, may need some more bytes.
                let value = Value::computed(arguments).grown(positions.growth().unwrap_or(4));
                if !holds {
                    self.filter(value.nodes.clone());
                }
                Value { fails: value.fails || !holds, of, ..value }
            }
            Some(Class::Volatile) => {
                let value = Value::computed(arguments).failing();
                self.leaks.extend(value.nodes.iter().copied());
                self.filter(value.nodes.clone());
                Value { size: Size::ANY, ..value }
            }
            Some(Class::Total(_) | Class::Pure) => {
                let value = Value::computed(arguments).failing();
                self.filter(value.nodes.clone());
                let size = if kinds.aggregate || kinds.long { Size::ANY } else { value.size.grown(8) };
                Value { of, size, ..value }
            }
        }
    }

    /// What another row of a window holds.
    fn shown_by_window(&mut self, arguments: Vec<Value>) -> Value {
        let first = arguments.first().and_then(|value| value.of);
        let mut shown = Vec::new();
        for (at, argument) in arguments.into_iter().enumerate() {
            match at {
                // How many rows away it is: a negative one of nth_value fails, and others are NULL.
                1 => {
                    self.filter(argument.nodes.clone());
                    self.reads.extend(argument.nodes);
                }
                // The value, and the one that stands for it where there is no such row.
                _ => shown.push(argument),
            }
        }
        let of = first.filter(|of| shown.iter().all(|value| value.of == Some(*of)));
        // It may be put beside what is of its own row.
        let size = shown.iter().fold(Size::NONE, |all, value| all.or(value.length())).or(self.graph.row());
        Value { exact: false, row: None, of, size, ..Value::computed(shown) }
    }

    /// What a function in SQL does, read down to its body; `None`: it cannot be.
    fn inlined(&mut self, oid: u32, arguments: &[Value]) -> Option<Value> {
        let rows = self.body(oid, arguments)?;
        let function = self.catalog.function(oid)?;
        let nodes = rows.columns.iter().map(|column| column.node).chain(rows.open).collect();
        let (of, set) = (function.returns, function.set);
        let rows_size = rows.columns.first().map(|column| self.graph.size(column.node));
        let row = (rows.columns.len() != 1 || rows.open.is_some()).then_some(rows);
        let size = match (&row, rows_size) {
            (None, Some(size)) => size,
            _ => Size::ANY,
        };
        let value = Value { nodes, exact: row.is_none() && !set, fails: true, of: Some(of), row, size };
        if set {
            self.filter(value.nodes.clone());
        }
        Some(value)
    }

    /// The rows that a function in SQL returns.
    pub(super) fn body(&mut self, oid: u32, arguments: &[Value]) -> Option<Rows> {
        let text = self.catalog.function(oid).and_then(|function| function.body.as_deref()).unwrap_or_default();
        postgres::deep(text, || self.body_rows(oid, arguments))
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

    /// A text of the catalog's, for most parsed once however often it is come to.
    pub(super) fn lowered(&mut self, text: &str) -> Option<Rc<Program>> {
        if let Some(known) = self.texts.get(text) {
            return known.clone();
        }
        let program = postgres::lower(text, self.server()).map(Rc::new);
        // A deep tree is dropped where it is read, on a stack that fits it.
        if postgres::is_shallow(text) {
            self.texts.insert(text.into(), program.clone());
        }
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
fn result_type(function: &str, first: Option<u32>) -> Option<u32> {
    match function {
        // They are of ranges, bytes and bits as well.
        "lower" | "upper" | "btrim" | "ltrim" | "rtrim" | "substr" | "substring" | "reverse" => {
            Some(TEXT).filter(|_| first.is_some_and(builtin::is_text))
        }
        "initcap"
        | "concat"
        | "concat_ws"
        | "left"
        | "right"
        | "replace"
        | "translate"
        | "md5"
        | "quote_literal"
        | "quote_ident"
        | "quote_nullable"
        | "split_part"
        | "array_to_string"
        | "jsonb_extract_path_text" => Some(TEXT),
        "to_json" | "row_to_json" | "array_to_json" | "json_build_object" | "json_build_array" => Some(114),
        "to_jsonb" | "jsonb_build_object" | "jsonb_build_array" | "jsonb_extract_path" => Some(3802),
        "length" | "char_length" | "character_length" | "octet_length" | "ascii" | "strpos" | "position" => Some(23),
        _ => None,
    }
}
