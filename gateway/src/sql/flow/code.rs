//! Functions: what a call does, and what code of the database's own it runs.

use std::collections::BTreeSet;

use super::Walk;
use super::function::Given;
use super::oid::{FIRST_OWN, INT4, JSON, JSONB, RECORD, TEXT, VOID};
use super::own::{Operand, brought};
use super::scope::{Rows, Scope};
use super::size::Size;
use super::value::Value;
use crate::access::{Action, Facts, Name, Object, Tags};
use crate::sql::Changes;
use crate::sql::builtin::{self, Class};
use crate::sql::catalog::Function;
use crate::sql::form::{Call, Expr, Sets, Table};
use crate::sql::predicate::is_value_of;

/// Functions that make a value of a type that an argument names, or is of: its input functions run, and its checks.
const MADE: [&str; 17] = [
    "array_in",
    "array_recv",
    "domain_in",
    "domain_recv",
    "json_populate_record",
    "json_populate_recordset",
    "jsonb_populate_record",
    "jsonb_populate_record_valid",
    "jsonb_populate_recordset",
    "multirange_in",
    "multirange_recv",
    "pg_input_error_info",
    "pg_input_is_valid",
    "range_in",
    "range_recv",
    "record_in",
    "record_recv",
];

/// Window functions that show what another row holds: one row in, one row out, and no value of it makes them fail.
const SHOWN_BY_WINDOW: [&str; 5] = ["first_value", "lag", "last_value", "lead", "nth_value"];

impl<'a> Walk<'a> {
    pub(super) fn call(&mut self, call: &Call, scope: &Scope<'_>) -> Value {
        let values: Vec<Value> = call.arguments.iter().map(|argument| self.argument(argument, scope)).collect();
        self.draws(call);
        let own = || self.catalog.functions_named("set_config").any(|_| true);
        if let Some(sets) = call.sets
            && self.catalog.complete
            && call.named.is_empty()
            && !own()
            && (!call.chosen || self.is_chosen(scope))
            && (call.name.len() == 1 || call.name.first().is_some_and(|schema| schema == "pg_catalog"))
        {
            return self.set(sets, values);
        }
        let given = Given { values, names: call.named.clone(), variadic: call.variadic };
        self.called(&call.name, given, &call.over, call.aggregates, scope)
    }

    /// What a function is given.
    pub(super) fn argument(&mut self, argument: &Expr, scope: &Scope<'_>) -> Value {
        let constant = is_value_of(argument, &|number| scope.is_constant(number));
        Value { constant, ..self.operand(argument, scope) }
    }

    /// Whether the row that says which setting is the system's own, and what it is compared by PostgreSQL's.
    fn is_chosen(&self, scope: &Scope<'_>) -> bool {
        let settings = Table { name: "pg_settings".to_owned(), ..Table::default() };
        let text = Operand::of(Some(TEXT));
        // What a body gives a name to may be called as the column is.
        !self.in_body
            && scope.arguments.is_empty()
            && scope.ctes.find(&settings.name, 0).is_none()
            && self.may_be_system(&settings)
            && self.relation(&settings).is_none()
            && self.own_operators("=", text, Operand::Literal).is_empty()
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
        self.taken(&arguments);
        let value = Value::computed(arguments).failing();
        self.leaks.extend(value.nodes.iter().copied());
        Value { of: Some(TEXT), ..value }
    }

    /// A function of that name on these values.
    pub(super) fn called(
        &mut self,
        name: &[String],
        given: Given,
        over: &[Expr],
        aggregates: bool,
        scope: &Scope<'_>,
    ) -> Value {
        self.keeps |= aggregates || !over.is_empty();
        for part in over {
            self.used(part, scope);
        }
        let (schema, function) = match name {
            [function] => (None, function.as_str()),
            [schema, function] => (Some(schema.as_str()), function.as_str()),
            _ => {
                self.unknown();
                return Value::computed(given.values).failing();
            }
        };
        if function == "set_config" && schema.is_none_or(|schema| schema == "pg_catalog") {
            // Which setting is a value, and so may be a role; what it is set to, anyone may ask for.
            self.changes |= Changes::SETTINGS;
            self.unknown();
            let value = Value::computed(given.values).failing();
            self.leaks.extend(value.nodes.iter().copied());
            return value;
        }
        let own = self.candidates(schema, function, &given);
        self.reads_among(&given.values);
        self.reads_for(&own.iter().map(|own| own.oid).collect::<Vec<_>>(), &given.values);
        if self.in_body && function == "current_query" {
            // The text holds what is meant for a sensitive column.
            self.unknown();
        }
        if let ([name], [value], true, true) =
            (name, given.values.as_slice(), own.is_empty() && given.plain(), over.is_empty() && !aggregates)
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
            return self.builtin(system, schema, function, given, aggregates || !over.is_empty());
        }
        if !aggregates
            && over.is_empty()
            // A body's calls are looked up once: what comes beside it later is not seen by them.
            && !(self.in_body && self.catalog.functions_named(function).nth(1).is_some())
            && let Some(one) = self.meant(schema, function, &given, &own)
            && let Some(value) = self.inlined(one, &given).or_else(|| self.plain_call(one, &given))
        {
            return value;
        }
        let many = aggregates || !over.is_empty();
        if let Some(values) = self.each_of(&own, &given, many) {
            return self.one_of(&own, values, system, (schema, function), given, many);
        }
        for function in own {
            self.execute(function.oid);
        }
        self.ran(given.values)
    }

    /// What each of these makes, where all only compute as an extension of PostgreSQL's brings them, or are in SQL and can be read.
    fn each_of(&mut self, own: &[&'a Function], given: &Given, many: bool) -> Option<Vec<Value>> {
        if !self.catalog.complete || !given.plain() {
            return None;
        }
        let computes = |own: &&&Function| self.catalog.computes_plainly(own);
        let (computed, others): (Vec<&&Function>, Vec<&&Function>) = own.iter().partition(computes);
        // A body's calls are looked up once, with what stood beside them then.
        if !others.is_empty() && (many || self.in_body) {
            return None;
        }
        let mut values = Vec::with_capacity(own.len());
        for one in others {
            values.push(self.inlined(one.oid, given)?);
        }
        for (at, value) in given.values.iter().enumerate() {
            let to: BTreeSet<u32> = computed.iter().filter_map(|own| own.arguments.get(at).copied()).collect();
            for to in to {
                self.assigned_to(value, to);
            }
        }
        Some(values)
    }

    /// The result of one of these, or of one of PostgreSQL's own where it has one of that name. They may fail at some values.
    fn one_of(
        &mut self,
        own: &[&Function],
        values: Vec<Value>,
        system: bool,
        (schema, function): (Option<&str>, &str),
        given: Given,
        many: bool,
    ) -> Value {
        let mut value = Value::computed(values.into_iter().chain(given.values.iter().cloned()));
        self.filter(value.nodes.clone());
        let mut of = own.first().map(|own| own.returns).filter(|of| own.iter().all(|own| own.returns == *of));
        if schema.is_none() && builtin::exists(function) {
            let builtin = self.builtin(system, schema, function, given, many);
            of = of.filter(|of| builtin.of == Some(*of));
            value.nodes.extend(builtin.nodes);
        }
        // Rows of several columns have names that nobody knows here.
        let of = of.filter(|of| !matches!(*of, RECORD | VOID));
        Value { of, size: Size::ANY, exact: false, row: None, fails: true, ..value }
    }

    /// The result of code that cannot be read.
    fn ran(&mut self, arguments: Vec<Value>) -> Value {
        let value = Value::computed(arguments).failing();
        self.filter(value.nodes.clone());
        let node = self.graph.unknown(value.nodes);
        Value { nodes: vec![node], fails: true, ..Value::default() }
    }

    fn builtin(&mut self, system: bool, schema: Option<&str>, function: &str, given: Given, aggregates: bool) -> Value {
        if let (true, false, true, [value]) = (system, aggregates, given.plain(), given.values.as_slice()) {
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
        let Given { values: arguments, names, variadic } = given;
        if MADE.contains(&function) {
            self.made(function, &arguments);
        }
        let types: Vec<u32> = arguments.iter().map_while(|argument| argument.of).collect();
        let known = (types.len() == arguments.len()).then_some(types.as_slice());
        let mut class = if system { builtin::function(function, known, arguments.len()) } else { None };
        if function.contains("json") {
            self.documented(&arguments);
        }
        let as_it_is = known.is_some_and(|types| builtin::takes_exactly(function, types));
        let converted = !as_it_is && self.together(&arguments.iter().collect::<Vec<_>>());
        if converted && matches!(class, Some(Class::Total(_))) {
            class = Some(Class::Pure);
        }
        let kinds = builtin::kind(function);
        let many = aggregates || kinds.aggregate || kinds.window || kinds.set;
        let of = match (function, arguments.first().and_then(|value| value.of)) {
            ("unnest", Some(of)) if self.element(of).is_some() => self.element(of),
            (_, _) => result_type(function, arguments.first().map(Operand::from)).or(brought(&arguments)),
        };
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
                self.effect(Action::SqlExecute, object, Tags::default(), Facts::default());
                self.ran(arguments)
            }
            // Which argument stands where, names decide.
            Some(Class::Total(positions)) if !many && names.is_empty() && !variadic => {
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

    /// Runs what the types do that a function makes values of: the one that its first argument is of, or any there is.
    fn made(&mut self, function: &str, arguments: &[Value]) {
        let value =
            Value { nodes: arguments.iter().flat_map(|value| value.nodes.clone()).collect(), ..Value::default() };
        let of = arguments.first().filter(|_| function.contains("populate")).map(Operand::from);
        match of {
            Some(Operand::Of(of)) if of >= FIRST_OWN => self.type_runs(of, &value),
            _ => {
                let catalog = self.catalog;
                let mut own: Vec<u32> = catalog.types.keys().copied().collect();
                own.sort_unstable();
                own.into_iter().for_each(|of| self.type_runs(of, &value));
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

    /// Runs code of the database's own, but for what an extension of PostgreSQL's brings and only computes: what that is given is a
    /// filter for who calls this.
    pub(super) fn applies(&mut self, function: u32) {
        let plain = self.catalog.function(function).is_some_and(|known| self.catalog.computes_plainly(known));
        if !(plain && self.catalog.complete) {
            self.execute(function);
        }
    }

    /// Runs code of the database's own.
    pub(super) fn execute(&mut self, function: u32) {
        let known = self.catalog.function(function);
        let (object, tags) = match known {
            Some(known) => (self.function_name(Name::clone(&known.schema), &known.name), known.tags.clone()),
            None => (self.function_name("pg_catalog".into(), &format!("oid:{function}")), Tags::default()),
        };
        self.effect(Action::SqlExecute, object, tags, Facts::default());
    }
}

/// The result's type of functions that are often called within others.
fn result_type(function: &str, first: Option<Operand>) -> Option<u32> {
    // A literal is a text where one may stand.
    let text = || match first {
        Some(Operand::Literal) => true,
        Some(Operand::Of(of)) => builtin::is_text(of),
        _ => false,
    };
    match function {
        // They are of ranges, bytes, bits and shapes as well.
        "lower" | "upper" | "btrim" | "ltrim" | "rtrim" | "substr" | "substring" | "reverse" | "like_escape" => {
            Some(TEXT).filter(|_| text())
        }
        "length" => Some(INT4).filter(|_| text()),
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
        | "similar_to_escape"
        | "split_part"
        | "array_to_string"
        | "jsonb_extract_path_text" => Some(TEXT),
        "to_json" | "row_to_json" | "array_to_json" | "json_build_object" | "json_build_array" => Some(JSON),
        "to_jsonb" | "jsonb_build_object" | "jsonb_build_array" | "jsonb_extract_path" => Some(JSONB),
        "char_length" | "character_length" | "octet_length" | "ascii" | "strpos" | "position" => Some(INT4),
        _ => None,
    }
}
