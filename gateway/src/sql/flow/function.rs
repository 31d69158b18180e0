//! Functions in SQL, read down to their bodies: which one a call means, what its parameters stand for, and what it returns.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::graph::Node;
use super::oid::{BROUGHT, FIRST_OWN, RECORD, TEXT, UNKNOWN, VARCHAR, VOID};
use super::own::input_names;
use super::procedural::Plain;
use super::scope::{Argument, Column, Ctes, Rows, Scope};
use super::size::Size;
use super::value::Value;
use super::{MAX_DEPTH, Shown, Walk};
use crate::access::Name;
use crate::sql::builtin;
use crate::sql::catalog::{CastMethod, Function, FunctionKind, RelationKind, TypeKind, Volatility};
use crate::sql::form::Statement;
use crate::sql::postgres::{self, Program};

/// Parameters that take several types (`pg_type.dat`): `any...`, and what stands for a type that is not a value's.
pub(super) const POLYMORPHIC: [u32; 12] = [2276, 2277, 2283, 2776, 3500, 3831, 4537, 5077, 5078, 5079, 5080, 4538];

/// What a call is given.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    pub(super) values: Vec<Value>,
    /// Those that are given by a parameter's name, by their place.
    pub(super) names: Vec<(usize, String)>,
    /// Whether the last is the array of all that are left.
    pub(super) variadic: bool,
}

impl Given {
    /// The types of all of them, where they are known.
    fn types(&self) -> Option<Vec<u32>> {
        let known = |value: &Value| value.of.filter(|of| !matches!(*of, 0 | UNKNOWN | BROUGHT));
        self.values.iter().map(known).collect()
    }

    /// Whether a call in a query over rows may be given other values for each.
    pub(super) fn repeats(&self) -> bool {
        !self.values.iter().all(|value| value.constant)
    }

    /// Whether all are given by their places alone.
    pub(super) fn plain(&self) -> bool {
        self.names.is_empty() && !self.variadic
    }
}

impl<'a> Walk<'a> {
    /// The schema that a name is qualified by: `pg_temp` is the session's own.
    pub(super) fn schema_meant(&self, schema: &str) -> Option<Name> {
        match schema {
            "pg_temp" => self.session_temporary.clone(),
            _ => Some(schema.into()),
        }
    }

    /// The one of them that the server takes; `None`: that cannot be told.
    pub(super) fn meant(&self, schema: Option<&str>, name: &str, given: &Given, own: &[&'a Function]) -> Option<u32> {
        let apart = schema.is_some() || !builtin::exists(name);
        let exact = given.plain().then(|| given.types()).flatten();
        if let Some(types) = &exact
            && own.iter().all(|function| function.variadic == 0 && function.arguments.len() == types.len())
            // A value of a domain is known as one of its base here, and the server takes what is declared of the domain first.
            && own.iter().flat_map(|function| &function.arguments).all(|of| self.base(*of) == *of)
        {
            // Of those of exactly these types, the first on the path.
            let place = |schema: &str| self.path.iter().position(|on| **on == *schema);
            let fits = own.iter().filter(|function| function.arguments == *types);
            let first = fits.min_by_key(|function| place(&function.schema));
            let behind = place("pg_catalog");
            if let Some(first) = first
                && (apart || behind.is_some_and(|behind| place(&first.schema).is_some_and(|at| at < behind)))
            {
                return Some(first.oid);
            }
        }
        // A type's name before its value is a cast, where no function takes exactly that.
        let casts = given.values.len() == 1
            && (builtin::type_oid(name).is_some()
                || self.temporary.iter().chain(&self.path).any(|on| self.catalog.type_named(on, name).is_some()));
        match own {
            [only] if apart && !casts => Some(only.oid),
            _ => None,
        }
    }

    /// What a function in SQL does and returns, read down to its body; `None`: it cannot be.
    pub(super) fn inlined(&mut self, oid: u32, given: &Given) -> Option<Value> {
        let text = self.catalog.function(oid).and_then(|function| function.body.as_deref()).unwrap_or_default();
        postgres::deep(text, || self.read_through(oid, given))
    }

    fn read_through(&mut self, oid: u32, given: &Given) -> Option<Value> {
        let catalog = self.catalog;
        let function = catalog.function(oid)?;
        let path = self.readable(function)?;
        let program = self.body(function)?;
        if program.statements.iter().any(moves) {
            return None;
        }
        let bound = self.bound(function, given)?;
        let nodes: Vec<_> = given.values.iter().flat_map(|value| value.nodes.clone()).collect();
        self.depth += 1;
        self.reading.push(oid);
        let (path, temporary) = match path {
            // Its names were resolved when it was made.
            None => (catalog.definitions_path.clone(), None),
            Some(path) => {
                self.bodies_read = true;
                (path, self.session_temporary.clone())
            }
        };
        let path = std::mem::replace(&mut self.path, path);
        let temporary = std::mem::replace(&mut self.temporary, temporary);
        let inner = Scope { arguments: Rc::new(bound), ctes: Ctes::default(), ..Scope::default() };
        let mut last = Shown::Nothing;
        let looks = self.looks;
        for statement in &program.statements {
            last = self.statement(statement, &inner);
        }
        self.path = path;
        self.temporary = temporary;
        self.reading.pop();
        self.depth -= 1;
        let rows = match last {
            Shown::Rows(rows) => rows,
            Shown::Nothing => Rows::default(),
            _ => Rows { columns: Vec::new(), open: Some(self.graph.unknown(Vec::new())) },
        };
        if function.volatility == Volatility::Immutable && self.looks > looks {
            // For constants it is called while the server plans: its value is in the plan.
            let nodes: Vec<Node> = rows.columns.iter().map(|column| column.node).chain(rows.open).collect();
            if !self.reading.is_empty() && matches!(self.catalog.version, 0 | 180_000..) {
                // And stays there for the session's next calls of the function around it, also when this one is replaced.
                self.plain.push(Plain { function: oid, given: nodes.clone() });
            }
            self.planned.extend(nodes);
        }
        let mut value = self.returned(function, rows);
        if function.strict && !nodes.is_empty() {
            // It does nothing for a NULL: whether it did anything tells.
            self.filter(nodes.clone());
            value.nodes.extend(nodes.iter().copied());
            value.exact = false;
            let open = value.row.as_ref().map(|row| row.columns.iter().map(|column| column.node).chain(row.open));
            let all: Vec<_> = open.into_iter().flatten().collect();
            all.into_iter().for_each(|node| self.graph.feed(node, nodes.iter().copied()));
        }
        Some(value)
    }

    /// Whether a function's body can be read, and by which path: `Some(None)` where its names are resolved already.
    #[expect(clippy::option_option, reason = "whether at all, and whether under a path")]
    fn readable(&self, function: &Function) -> Option<Option<Vec<Name>>> {
        let plain = function.kind == FunctionKind::Function
            && &*function.language == "sql"
            && function.settings.is_empty()
            && function.parts.is_empty();
        // One that calls itself could be read for ever.
        if !plain || self.depth >= MAX_DEPTH || self.reading.contains(&function.oid) {
            return None;
        }
        match (function.standard_body, function.security_definer) {
            (true, _) => Some(None),
            // A path that the statement itself moves is not the one that it began with.
            (false, false) if self.path_moves => None,
            (false, false) => Some(Some(self.session_path.clone())),
            // Its names are looked up as its owner's, whose `$user` is another.
            (false, true) => None,
        }
    }

    /// The statements of a function's body.
    fn body(&self, function: &Function) -> Option<Rc<Program>> {
        let text = function.body.as_deref()?;
        if !function.standard_body {
            return self.lowered(text);
        }
        self.memo.programs.read(&format!("body {text}"), text, || postgres::lower_body(text, self.server()))
    }

    /// A text of the catalog's.
    pub(super) fn lowered(&self, text: &str) -> Option<Rc<Program>> {
        self.memo.programs.read(text, text, || postgres::lower(text, self.server()))
    }

    /// What a function's parameters stand for in a call.
    pub(super) fn bound(&mut self, function: &Function, given: &Given) -> Option<Vec<Argument>> {
        let names = input_names(function);
        let mut places: Vec<Option<Value>> = vec![None; function.arguments.len()];
        let spread = function.variadic != 0 && !given.variadic;
        let mut rest = Vec::new();
        for (at, value) in given.values.iter().enumerate() {
            let named = given.names.iter().find(|(place, _)| *place == at);
            let place = match named {
                Some((_, name)) => names.iter().position(|known| known == name)?,
                None if spread && at.saturating_add(1) >= places.len() => {
                    rest.push(value.clone());
                    continue;
                }
                None => at,
            };
            if places.get_mut(place)?.replace(value.clone()).is_some() {
                return None;
            }
        }
        if spread && let Some(last) = places.last_mut().filter(|last| last.is_none()) {
            let element = function.variadic;
            let constant = rest.iter().all(|value| value.constant);
            let elements: Vec<Value> = rest.into_iter().map(|value| self.put_as(value, element)).collect();
            let of = function.arguments.last().copied();
            *last = Some(Value { of, exact: false, constant, ..Value::computed(elements) });
        }
        let mut bound = Vec::new();
        let first_default = places.len().saturating_sub(usize::from(function.defaults));
        for (at, (place, of)) in places.into_iter().zip(&function.arguments).enumerate() {
            let value = match place {
                Some(value) => value,
                None => self.default_value(function, at.checked_sub(first_default)?)?,
            };
            let constant = value.constant;
            let value = self.put_as(value, *of);
            let (row, node) = (value.row.clone(), self.node(&value));
            let of = if POLYMORPHIC.contains(of) { value.of } else { Some(*of) };
            let name = names.get(at).cloned().unwrap_or_default();
            bound.push(Argument { column: Column { name, node, of }, row, constant });
        }
        Some(bound)
    }

    /// The value of a parameter that is not given; `at` counts those that have one.
    fn default_value(&mut self, function: &Function, at: usize) -> Option<Value> {
        let text = format!("select {}", function.default_values.as_deref()?);
        let program = self.lowered(&text)?;
        let [Statement::Query(query)] = program.statements.as_slice() else { return None };
        let output = query.outputs.get(at).filter(|_| query.outputs.len() == usize::from(function.defaults))?;
        Some(self.under_definitions(|walk| walk.argument(&output.value, &Scope::default())))
    }

    /// Under the path by which the catalog's own texts are read.
    pub(super) fn under_definitions<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let path = std::mem::replace(&mut self.path, self.catalog.definitions_path.clone());
        let temporary = self.temporary.take();
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        self.path = path;
        self.temporary = temporary;
        read
    }

    /// What a function makes of the rows of its last query.
    pub(super) fn returned(&mut self, function: &Function, rows: Rows) -> Value {
        let all: Vec<_> = rows.columns.iter().map(|column| column.node).chain(rows.open).collect();
        let value = Value { fails: true, ..Value::default() };
        let declared = match self.declared(function) {
            Declared::Nothing => return Value { of: Some(VOID), ..value },
            // Its caller says what its columns are.
            Declared::Caller => return Value { nodes: all, of: Some(RECORD), row: Some(rows), ..value },
            Declared::Open => {
                let row = Rows { columns: Vec::new(), open: Some(self.graph.derived(all.clone())) };
                return Value { nodes: all, row: Some(row), ..value };
            }
            Declared::Value(name) => {
                let one = match (rows.columns.as_slice(), rows.open) {
                    ([column], None) => self.of_column(column),
                    _ => Value { nodes: all, ..value },
                };
                let one = self.put_as(one, function.returns);
                if POLYMORPHIC.contains(&function.returns) && self.may_be_row(&one) {
                    let row = Rows { columns: Vec::new(), open: Some(self.node(&one)) };
                    return Value { fails: true, row: Some(row), exact: false, ..one };
                }
                let column = Some(name.map_or_else(|| (function.name.to_string(), false), |name| (name, true)));
                return Value { fails: true, column, ..one };
            }
            Declared::Row(columns) => columns,
        };
        // A single column may be the row itself.
        let apart = rows.open.is_none() && rows.columns.len() == declared.len() && declared.len() > 1;
        let whole = if apart { None } else { Some(self.graph.derived(all)) };
        let mut columns = Vec::with_capacity(declared.len());
        for (at, (name, of)) in declared.into_iter().enumerate() {
            let column = rows.columns.get(at);
            let one = match (whole, column) {
                (None, Some(column)) => self.of_column(column),
                _ => Value { nodes: whole.into_iter().collect(), ..Value::default() },
            };
            let one = self.put_as(one, of);
            columns.push(Column { name, node: self.node(&one), of: Some(of) });
        }
        let nodes = columns.iter().map(|column| column.node).collect();
        Value { nodes, row: Some(Rows { columns, open: None }), ..value }
    }

    fn declared(&self, function: &Function) -> Declared {
        let modes = function.argument_modes.iter().enumerate();
        let outs: Vec<(String, u32)> = modes
            .filter(|(_, mode)| matches!(mode, 'o' | 'b' | 't'))
            .map(|(at, _)| {
                let name = function.argument_names.get(at).filter(|name| !name.is_empty()).map(Name::to_string);
                let name = name.unwrap_or_else(|| format!("column{}", at.saturating_add(1)));
                (name, function.all_arguments.get(at).copied().unwrap_or(0))
            })
            .collect();
        if outs.len() > 1 {
            return Declared::Row(outs);
        }
        // A row that is its only result is taken apart as any other, a domain's as well.
        let returns = self.base(function.returns);
        let relation = self.catalog.types.get(&returns).and_then(|of| self.catalog.relations.get(&of.relation));
        match (returns, relation) {
            (VOID, _) => Declared::Nothing,
            (RECORD, _) => Declared::Caller,
            (_, Some(relation)) => {
                Declared::Row(relation.columns.iter().map(|c| (c.name.to_string(), c.type_oid)).collect())
            }
            // One that PostgreSQL brings, which may be a row.
            (of, None) if !self.catalog.types.contains_key(&of) && !builtin::is_type(of) => Declared::Open,
            _ => Declared::Value(outs.into_iter().next().map(|(name, _)| name)),
        }
    }

    /// Whether a value may be a row, which a FROM list takes apart.
    pub(super) fn may_be_row(&self, value: &Value) -> bool {
        match value.of {
            Some(of) if of >= FIRST_OWN => {
                let of = self.catalog.types.get(&self.base(of));
                of.is_none_or(|of| self.catalog.relations.contains_key(&of.relation))
            }
            Some(RECORD) | None => true,
            Some(UNKNOWN | BROUGHT) => false,
            Some(of) => !builtin::is_type(of),
        }
    }

    /// A value as one of another type, as the server makes it without being asked.
    pub(super) fn put_as(&mut self, value: Value, to: u32) -> Value {
        if POLYMORPHIC.contains(&to) || value.of == Some(to) {
            return value;
        }
        if let ([node], true) = (value.nodes.as_slice(), value.exact)
            && self.is_column_of(*node, to)
        {
            // A domain's value is one already.
            return Value { of: Some(self.base(to)), ..value };
        }
        if self.is_same_row(&value, to) {
            return Value { of: Some(to), ..value };
        }
        if (value.of, to) == (Some(VARCHAR), TEXT) {
            return Value { of: Some(to), ..value };
        }
        // What is printed for it may be longer, and what a type of the database's own makes of it as long as it wants.
        let size = if builtin::is_type(to) { value.length().grown(2) } else { Size::ANY };
        let value = Value { size, ..value };
        let cast = value.of.and_then(|of| self.catalog.cast(of, to)).copied();
        self.type_runs(to, &value);
        self.assigned_to(&value, to);
        if let Some(cast) = cast.filter(|cast| cast.function != 0) {
            self.applies(cast.function);
            let node = self.graph.unknown(value.nodes.clone());
            self.filter(value.nodes);
            return Value { nodes: vec![node], fails: true, of: Some(to), ..Value::default() };
        }
        if value.nodes.is_empty() {
            return Value { fails: true, exact: false, row: None, of: Some(to), ..value };
        }
        let own = self.catalog.types.contains_key(&to) || cast.is_some_and(|cast| cast.method != CastMethod::Binary);
        match builtin::cast(value.of, to, false) {
            builtin::Class::Total(_) if !own => Value { exact: false, row: None, of: Some(to), ..value },
            _ => {
                self.filter(value.nodes.clone());
                Value { exact: false, row: None, fails: true, of: Some(to), ..value }
            }
        }
    }

    /// Whether a value is a column of that very type, unchanged: a domain's is taken for its base's elsewhere.
    fn is_column_of(&self, node: Node, of: u32) -> bool {
        let exact = self.graph.exact(node);
        let names = exact.into_iter().filter_map(|source| self.graph.source(source));
        names
            .filter_map(|(name, _)| {
                let relation = self.catalog.relation(&name.table.schema, &name.table.table)?;
                relation.columns.iter().find(|column| column.name == name.column)
            })
            .any(|column| column.type_oid == of)
    }

    /// Whether a value is a row of the relation that a type is of, as it stands: the server goes by the columns' places or by
    /// their names.
    fn is_same_row(&self, value: &Value, to: u32) -> bool {
        let relation = self.catalog.types.get(&to).and_then(|of| self.catalog.relations.get(&of.relation));
        match (&value.row, relation) {
            (Some(row), Some(relation)) => {
                row.open.is_none()
                    && relation.kind != RelationKind::Foreign
                    && row.columns.len() == relation.columns.len()
                    && row.columns.iter().zip(&relation.columns).all(|(one, other)| {
                        *one.name == *other.name
                            && (one.of == Some(other.type_oid) || self.is_column_of(one.node, other.type_oid))
                    })
            }
            _ => false,
        }
    }

    /// Runs what a type of the database's own does to make one of a value: input functions, and the checks of domains.
    pub(super) fn type_runs(&mut self, of: u32, value: &Value) {
        let catalog = self.catalog;
        self.meets(of);
        let (mut open, mut seen) = (vec![of], BTreeSet::new());
        while let Some(at) = open.pop() {
            let Some(of) = catalog.types.get(&at).filter(|_| seen.insert(at)) else { continue };
            if !self.step() {
                return;
            }
            // A domain's values are read and shown as its base's, which comes after it.
            let plain = of.kind == TypeKind::Domain || catalog.converts_plainly(of);
            for function in [of.input, of.output].into_iter().filter(|function| !plain && *function != 0) {
                if catalog.function(function).is_some() {
                    self.parses_by_code = true;
                    self.execute(function);
                }
            }
            self.parses_by_code |= !of.checks.is_empty();
            for check in &of.checks {
                let node = self.graph.derived(value.nodes.clone());
                self.checked(check, &[Column { name: "value".to_owned(), node, of: Some(of.base) }]);
            }
            open.extend([of.base, of.element]);
            open.extend(
                catalog.relations.get(&of.relation).into_iter().flat_map(|r| r.columns.iter().map(|c| c.type_oid)),
            );
        }
    }

    /// The type of the database's own that a name stands for, and whether it comes before one that PostgreSQL brings.
    pub(super) fn own_type(&self, name: &[String]) -> Option<(u32, bool)> {
        let find = |schema: &str, name: &str| {
            let bare = || name.strip_suffix("[]").map(|name| name.trim_end_matches("[]"));
            let of = self.catalog.type_named(schema, name);
            // The array of them does what they do.
            of.or_else(|| self.catalog.type_named(schema, bare()?)).map(|of| of.oid)
        };
        match name {
            [name] => {
                let said = self.path.iter().any(|on| &**on == "pg_temp" || Some(on) == self.temporary.as_ref());
                let first = self.temporary.iter().filter(|_| !said).map(|on| (on, true));
                let system = self.path.iter().position(|on| &**on == "pg_catalog").unwrap_or(0);
                let then = self.path.iter().enumerate().map(|(at, on)| (on, at < system));
                first.chain(then).find_map(|(on, before)| {
                    let schema = self.schema_meant(on)?;
                    Some((find(&schema, name)?, before))
                })
            }
            [schema, name] => Some((find(&self.schema_meant(schema)?, name)?, true)),
            _ => None,
        }
    }

    /// A row as one of a relation that it begins with all columns of: a child's as its parent's.
    pub(super) fn row_as(&self, value: &Value, of: u32) -> Option<Value> {
        let relation = self.catalog.types.get(&of).and_then(|of| self.catalog.relations.get(&of.relation))?;
        let row = value.row.as_ref().filter(|row| row.open.is_none())?;
        let columns = row.columns.get(..relation.columns.len())?;
        let fits = |(one, other): (&Column, &crate::sql::catalog::Column)| {
            *one.name == *other.name && (one.of == Some(other.type_oid) || self.is_column_of(one.node, other.type_oid))
        };
        if !columns.iter().zip(&relation.columns).all(fits) {
            return None;
        }
        let nodes = columns.iter().map(|column| column.node).collect();
        let row = Some(Rows { columns: columns.to_vec(), open: None });
        Some(Value { nodes, row, of: Some(of), fails: value.fails, ..Value::default() })
    }
}

/// What a function's result is.
enum Declared {
    Nothing,
    /// One value, and its name, if it has one.
    Value(Option<String>),
    /// These columns.
    Row(Vec<(String, u32)>),
    /// Whatever its body gives, by the names that its caller gives.
    Caller,
    /// Nobody knows how many columns.
    Open,
}

/// Whether a statement decides what those after it mean, in the function or behind the call.
fn moves(statement: &Statement) -> bool {
    match statement {
        Statement::Act(act) => {
            let changes = act.changes;
            changes.catalog || changes.settings || changes.names || !act.namings.is_empty()
        }
        _ => false,
    }
}
