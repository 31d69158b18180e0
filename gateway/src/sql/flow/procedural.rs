//! Functions in PL/pgSQL that come to nothing sensitive: what such a body does is known, and it tells no more than what it
//! is given.
//!
//! All of a body or nothing: its statements are read with every variable for a harmless value. Where all that they name is
//! harmless too, and all code that they run is PostgreSQL's or can be read itself, whatever the body computes is harmless,
//! and how its names and branches go makes no difference. Any other runs code that cannot be read (`sql.execute`).

use std::collections::BTreeSet;
use std::rc::Rc;

use super::function::Given;
use super::graph::Node;
use super::memo::Run;
use super::oid::{BOOL, FIRST_OWN, INT4, NAME, OID, TEXT, TEXT_ARRAY, TRIGGER};
use super::scope::{Argument, Column, Rows, Scope};
use super::stored::{self, Put};
use super::{MAX_DEPTH, Shown, Walk};
use crate::access::{Action, ColumnName, Effect, Name, Object};
use crate::sql::Outputs;
use crate::sql::builtin;
use crate::sql::catalog::{Event, Function, FunctionKind, Relation, RelationKind, Trigger};
use crate::sql::form::{Act, Target};
use crate::sql::postgres::{self, Body, Declared};

/// What the server makes of values in a body without being asked: conditions, bounds, and what is raised.
const MADE: [u32; 3] = [BOOL, INT4, TEXT];

/// Variables that every body has (`pl_comp.c`): their names and types.
const GIVEN: [(&str, u32); 3] = [("found", BOOL), ("sqlstate", TEXT), ("sqlerrm", TEXT)];

/// Those that a trigger's has beside its rows.
const TRIGGERED: [(&str, u32); 10] = [
    ("tg_name", NAME),
    ("tg_when", TEXT),
    ("tg_level", TEXT),
    ("tg_op", TEXT),
    ("tg_relid", OID),
    ("tg_relname", NAME),
    ("tg_table_name", NAME),
    ("tg_table_schema", NAME),
    ("tg_nargs", INT4),
    ("tg_argv", TEXT_ARRAY),
];

/// A call of such a function: what it is given decides whether that holds. Or of one that is read only where what it returns
/// is not sensitive.
#[derive(Debug)]
pub(super) struct Plain {
    pub(super) function: u32,
    pub(super) given: Vec<Node>,
}

/// What a body does, wherever it is called; absent: nobody knows.
pub(super) type Done = Option<Rc<[Effect]>>;

impl<'a> Walk<'a> {
    /// A call of a function in PL/pgSQL; `None`: it cannot be read, or not by what is known here.
    pub(super) fn plain_call(&mut self, oid: u32, given: &Given) -> Option<super::value::Value> {
        let function = self.catalog.function(oid)?;
        if function.kind != FunctionKind::Function || matches!(function.returns, TRIGGER) {
            return None;
        }
        let effects = self.done(function, None, given.repeats())?;
        let bound = self.bound(function, given)?;
        let nodes: Vec<Node> = bound.into_iter().map(|argument| argument.column.node).collect();
        self.did(oid, &effects, nodes.clone());
        // Whether it fails, and how many rows it returns.
        self.filter(nodes.clone());
        let open = Some(self.graph.derived(nodes));
        Some(self.returned(function, Rows { columns: Vec::new(), open }))
    }

    /// A CALL or a DO block; `None`: as above.
    pub(super) fn plain_act(&mut self, act: &Act, scope: &Scope<'_>) -> Option<Shown> {
        if let Some(text) = &act.block {
            let block =
                Function { language: "plpgsql".into(), body: Some(text.as_str().into()), ..Function::default() };
            let effects = match self.reads_plainly(&block) {
                true => postgres::deep(text, || self.read_plainly(&block, None, false))?,
                false => return None,
            };
            self.did(block.oid, &effects, Vec::new());
            return Some(Shown::Nothing);
        }
        let [(_, Target::Function(name))] = act.effects.as_slice() else { return None };
        let (schema, name) = match name.as_slice() {
            [name] => (None, name),
            [schema, name] => (Some(self.schema_meant(schema)?), name),
            _ => return None,
        };
        let within = |function: &&Function| match &schema {
            Some(schema) => function.schema == *schema,
            None => self.path.contains(&function.schema),
        };
        let catalog = self.catalog;
        let own: Vec<&Function> = catalog.functions_named(name).filter(within).collect();
        let [procedure] = own.as_slice() else { return None };
        let places = act.computes.len() == procedure.arguments.len() && procedure.variadic == 0;
        let modes = &procedure.argument_modes;
        if procedure.kind != FunctionKind::Procedure || !places || modes.contains(&'o') || builtin::exists(name) {
            return None;
        }
        let values = act.computes.iter().map(|argument| self.argument(argument, scope)).collect();
        let given = Given { values, ..Given::default() };
        let effects = self.done(procedure, None, given.repeats())?;
        let bound = self.bound(procedure, &given)?;
        let nodes: Vec<Node> = bound.into_iter().map(|argument| argument.column.node).collect();
        self.did(procedure.oid, &effects, nodes.clone());
        self.filter(nodes.clone());
        Some(match modes.contains(&'b') {
            true => Shown::Rows(Rows { columns: Vec::new(), open: Some(self.graph.derived(nodes)) }),
            false => Shown::Nothing,
        })
    }

    /// Fires a trigger for rows that are written; `put` is what is put into them, absent where nobody knows.
    pub(super) fn fire(&mut self, trigger: &Trigger, event: Event, relation: &'a Relation, put: Option<&[Put]>) {
        let effects = match self.catalog.function(trigger.function) {
            Some(function) if self.fires_plainly(trigger, relation) && (put.is_some() || event == Event::Delete) => {
                self.done(function, Some(relation), false)
            }
            _ => None,
        };
        let Some(effects) = effects else { return self.execute(trigger.function) };
        let mut seen = Vec::new();
        // What is put into a sensitive column is not looked at.
        for column in relation.columns.iter().filter(|column| column.tags.is_empty()) {
            let given = put.into_iter().flatten().filter(|one| one.column.as_deref() == Some(&*column.name));
            let given: Vec<&Put> = given.collect();
            seen.extend(given.iter().map(|one| one.node));
            let default = event == Event::Insert && given.is_empty() || given.iter().any(|one| one.default);
            let of = || self.catalog.types.get(&column.type_oid).and_then(|of| of.default.clone());
            if let Some(text) = column.default.clone().or_else(of).filter(|_| default && !column.generated) {
                seen.extend(self.stored(&text, &[]).nodes);
            }
        }
        seen.extend(put.into_iter().flatten().filter(|one| one.column.is_none()).map(|one| one.node));
        self.did(trigger.function, &effects, seen);
    }

    /// Whether what a trigger's function is given is the row alone, at once: not the rows of a transition table, which have a
    /// name in its body, nor at the end of the transaction, when names may be looked up elsewhere.
    fn fires_plainly(&self, trigger: &Trigger, relation: &Relation) -> bool {
        let words = trigger.definition.to_ascii_lowercase();
        relation.kind == RelationKind::Table
            && !trigger.instead
            && ![" referencing ", " when (", "constraint trigger"].iter().any(|word| words.contains(word))
    }

    fn did(&mut self, function: u32, effects: &[Effect], given: Vec<Node>) {
        for effect in effects {
            self.effect(effect.action, effect.object.clone(), effect.tags.clone(), effect.facts);
        }
        self.bodies_read = true;
        self.plain.push(Plain { function, given });
    }

    /// Counts those calls that were given something sensitive: what becomes of it is the body's secret.
    pub(super) fn settle_plain(&mut self, reach: &[super::graph::Reach]) {
        for Plain { function, given } in std::mem::take(&mut self.plain) {
            let sensitive = given.iter().any(|node| match super::settle::at(reach, *node) {
                Some(of) => {
                    of.unknown
                        || of.exact.iter().chain(&of.derived).any(|source| {
                            self.graph
                                .source(*source)
                                .is_none_or(|(name, tags)| !tags.is_empty() || builtin::is_system(&name.table.schema))
                        })
                }
                None => true,
            });
            if sensitive && self.catalog.any_sensitive {
                self.execute(function);
            }
        }
    }

    /// What a function's body does; of a trigger's, on rows of that relation. `repeated`: it may be called for one value after
    /// another.
    fn done(&mut self, function: &'a Function, relation: Option<&'a Relation>, repeated: bool) -> Done {
        let on = relation.map_or(0, |relation| relation.oid);
        let run = Run { function: function.oid, relation: on, repeated };
        if let Some(known) = self.memo.done(run) {
            return known;
        }
        let text = function.body.as_deref().unwrap_or_default();
        let done = match self.reads_plainly(function) {
            true => postgres::deep(text, || self.read_plainly(function, relation, repeated)),
            false => return None,
        };
        self.memo.keep_done(run, &done);
        done
    }

    /// Whether a body's names are looked up by the session's path, as it is now and PostgreSQL's own names first.
    fn reads_plainly(&self, function: &Function) -> bool {
        let first = self.session_path.iter().position(|schema| &**schema == "pg_catalog").is_none_or(|at| at == 0);
        self.catalog.complete
            && &*function.language == "plpgsql"
            && function.settings.is_empty()
            && function.parts.is_empty()
            && function.tags.is_empty()
            && !function.security_definer
            && !self.path_moves
            && first
            && self.depth < MAX_DEPTH
            && !self.reading.contains(&function.oid)
    }

    fn read_plainly(&mut self, function: &Function, relation: Option<&'a Relation>, repeated: bool) -> Done {
        if !self.step() {
            return None;
        }
        let text = function.body.as_deref()?;
        let body = self.memo.bodies.read(text, text, || postgres::body(text, self.server()))?;
        let path = self.session_path.clone();
        let mut walk = Walk {
            temporary: self.session_temporary.clone(),
            session_temporary: self.session_temporary.clone(),
            reading: self.reading.iter().copied().chain([function.oid]).collect(),
            depth: self.depth.saturating_add(1),
            memo: Rc::clone(&self.memo),
            in_body: true,
            repeating: repeated || body.loops,
            ..Walk::new(self.catalog, &path)
        };
        let read = walk.runs_body(&body, function, relation);
        if self.memo.steps.get() >= super::MAX_STEPS {
            // What comes after it is not looked at any more.
            self.unknown();
        }
        // One that calls itself was not read where it did.
        read.and_then(|()| walk.harmless())
    }

    /// Reads all of a body's statements, in a walk of its own.
    fn runs_body(&mut self, body: &Body, function: &Function, relation: Option<&'a Relation>) -> Option<()> {
        let polymorphic = |of: &u32| super::function::POLYMORPHIC.contains(of);
        let all = function.arguments.iter().chain(&function.all_arguments).chain([&function.returns]);
        // What is returned in a row's place is put into the table.
        if all.into_iter().any(polymorphic) || (relation.is_some() && body.computes) {
            return None;
        }
        let variables = self.variables(body, function, relation)?;
        let is_variable = |name: &str| variables.iter().any(|variable| variable.column.name == name);
        for path in &body.assigned {
            match (path.as_slice(), relation) {
                ([row, column], Some(relation)) if row == "new" || row == "old" => self.assignable(relation, column)?,
                ([name], _) if name != "new" && name != "old" => is_variable(name).then_some(())?,
                _ => return None,
            }
        }
        let names: BTreeSet<String> = variables.iter().map(|variable| variable.column.name.clone()).collect();
        let scope = Scope { arguments: Rc::new(variables), ..Scope::default() };
        for statement in &body.statements {
            let shown = self.statement(statement, &scope);
            self.results.push(shown);
            if self.changes != crate::sql::Changes::default() {
                return None;
            }
        }
        self.read_literals();
        if self.is_cast() {
            return None;
        }
        // Where a setting lets a variable come before a column of its name, another operator may be taken.
        let own = relation.map(|relation| self.name_of(relation));
        let columns = self.graph.columns().filter(|name| Some(&name.table) != own.as_ref());
        (!columns.into_iter().any(|name| names.contains(&*name.column))).then_some(())
    }

    /// What a body's names stand for beside the columns of its queries. Nothing of them is sensitive.
    fn variables(&mut self, body: &Body, function: &Function, relation: Option<&'a Relation>) -> Option<Vec<Argument>> {
        let mut made: BTreeSet<u32> = MADE.into();
        let mut variables = Vec::new();
        // `$1` and its like come first.
        let all = match function.all_arguments.as_slice() {
            [] => function.arguments.as_slice(),
            all => all,
        };
        for (at, of) in all.iter().enumerate() {
            let name = function.argument_names.get(at).map(Name::to_string).unwrap_or_default();
            let constant = !self.repeating;
            variables.push(Argument { constant, ..self.variable(name, Some(*of)) });
            made.insert(*of);
        }
        made.insert(function.returns);
        for (name, of) in GIVEN {
            variables.push(self.variable(name.to_owned(), Some(of)));
        }
        if let Some(relation) = relation {
            for (name, of) in TRIGGERED {
                variables.push(self.variable(name.to_owned(), Some(of)));
            }
            for row in ["new", "old"] {
                let table = self.name_of(relation);
                relation.columns.iter().for_each(|column| self.meets(column.type_oid));
                let columns = relation.columns.iter().map(|column| {
                    let name = ColumnName { table: table.clone(), column: Name::clone(&column.name) };
                    let node = match column.tags.is_empty() {
                        true => self.graph.column(&name.into(), &column.tags, None),
                        false => self.graph.unknown(Vec::new()),
                    };
                    Column { name: column.name.to_string(), node, of: Some(self.base(column.type_oid)) }
                });
                let row_of = Some(Rows { columns: columns.collect(), open: None });
                variables.push(Argument { row: row_of, ..self.variable(row.to_owned(), None) });
            }
        }
        for variable in &body.variables {
            let of = self.declared_type(&variable.of, &variables, &mut made)?;
            variables.push(self.variable(variable.name.clone(), of));
        }
        for at in 0..variables.len() {
            // Two of one name, in blocks within each other.
            let Some(one) = variables.get(at) else { continue };
            let name = one.column.name.clone();
            let others = variables.iter().filter(|other| other.column.name == name && !name.is_empty());
            if others.clone().any(|other| other.column.of != one.column.of || other.row.is_some() != one.row.is_some())
            {
                if others.clone().any(|other| other.row.is_some()) {
                    return None;
                }
                variables.iter_mut().filter(|other| other.column.name == name).for_each(|other| other.column.of = None);
            }
        }
        self.makes(made)?;
        Some(variables)
    }

    fn variable(&mut self, name: String, of: Option<u32>) -> Argument {
        let node = self.graph.derived(Vec::new());
        let of = of.map(|of| self.base(of));
        Argument { column: Column { name, node, of }, row: None, constant: true }
    }

    /// The type of a variable; the inner `None`: nobody knows. Names of types were looked up when the session came to the
    /// function first, by the path and the names of then: where it is one of somebody's, any of those may be meant.
    #[expect(clippy::option_option, reason = "whether it can be read, and whether it is known")]
    fn declared_type(
        &self,
        declared: &Declared,
        variables: &[Argument],
        made: &mut BTreeSet<u32>,
    ) -> Option<Option<u32>> {
        let catalog = self.catalog;
        let relations = |name: &str| {
            let name = name.to_owned();
            catalog.relations.values().filter(move |relation| *relation.name == *name)
        };
        match declared {
            Declared::Record => Some(None),
            Declared::Counter => Some(Some(INT4)),
            Declared::Type(path) => {
                let name = path.last()?;
                let bare = name.strip_suffix("[]").map_or(name.as_str(), |name| name.trim_end_matches("[]"));
                let named = catalog.types.values().filter(|of| *of.name == *bare || *of.name == **name);
                let own: Vec<u32> = named.map(|of| of.oid).collect();
                made.extend(own.iter().copied());
                if !own.is_empty() {
                    made.extend(catalog.types.keys());
                }
                match (builtin::type_oid(name), own.as_slice()) {
                    (Some(of), []) => {
                        made.insert(of);
                        made.extend(builtin::element(of));
                        Some(Some(of))
                    }
                    (None, []) => None,
                    (Some(of), _) => {
                        made.insert(of);
                        Some(None)
                    }
                    (None, _) => Some(None),
                }
            }
            Declared::Column(path) => {
                let [.., table, column] = path.as_slice() else {
                    // Of which of those that are called so.
                    let [name] = path.as_slice() else { return None };
                    return variables.iter().any(|variable| variable.column.name == *name).then_some(None);
                };
                let columns = relations(table).flat_map(|relation| &relation.columns);
                made.extend(columns.filter(|c| *c.name == **column).map(|column| column.type_oid));
                made.extend(catalog.types.keys());
                Some(None)
            }
            Declared::Row(path) => {
                let name = path.last()?;
                made.extend(relations(name).flat_map(|relation| relation.columns.iter().map(|column| column.type_oid)));
                made.extend(catalog.types.keys());
                Some(None)
            }
        }
    }

    /// Whether a function of somebody's may make one of the types that the body makes, of one that it may have met.
    fn is_cast(&self) -> bool {
        // What an extension's library does is to compute.
        let runs = |oid: u32| {
            let known = self.catalog.function(oid);
            known.is_some_and(|known| !matches!(&*known.language, "c" | "internal"))
        };
        self.catalog.casts.iter().any(|cast| {
            let met = cast.source < FIRST_OWN || self.met.contains(&cast.source);
            met && self.made.contains(&cast.target) && cast.function != 0 && runs(cast.function)
        })
    }

    /// Makes values of these types: runs what they run, and keeps them in mind.
    fn makes(&mut self, made: BTreeSet<u32>) -> Option<()> {
        let catalog = self.catalog;
        let mut all = BTreeSet::new();
        let mut open: Vec<u32> = made.into_iter().collect();
        while let Some(of) = open.pop() {
            if !all.insert(of) {
                continue;
            }
            if !self.step() {
                return None;
            }
            open.extend(builtin::element(of));
            let Some(of) = catalog.types.get(&of) else { continue };
            let columns = catalog.relations.get(&of.relation).into_iter().flat_map(|relation| &relation.columns);
            open.extend(columns.map(|column| column.type_oid).chain([of.base, of.element]));
        }
        self.made.extend(&all);
        for of in all {
            self.meets(of);
            self.type_runs(of, &super::value::Value::default());
        }
        Some(())
    }

    /// Whether a trigger may put something into a column of the row: nothing sensitive is compared with it then.
    fn assignable(&mut self, relation: &'a Relation, column: &str) -> Option<()> {
        let place = relation.columns.iter().find(|place| *place.name == *column)?;
        let tagged = |relation: &Relation, number: i16| {
            relation.columns.iter().any(|c| (c.number == number || number == 0) && !c.tags.is_empty())
        };
        let any = relation.columns.iter().any(|c| !c.tags.is_empty());
        let keys = relation.keys.iter().filter(|key| key.columns.contains(&place.number) || !key.texts.is_empty());
        let compared = keys.flat_map(|key| &key.columns).any(|number| tagged(relation, *number));
        let referred = relation.foreign_keys.iter().filter(|key| key.columns.contains(&place.number)).any(|key| {
            key.columns.iter().any(|number| tagged(relation, *number))
                || self.catalog.relations.get(&key.target).is_none_or(|target| {
                    key.target_columns.is_empty() || key.target_columns.iter().any(|number| tagged(target, *number))
                })
        });
        let number = place.number;
        let referring = self.catalog.referencing(relation.oid).flat_map(|other| {
            let keys = other.foreign_keys.iter().filter(|key| key.target == relation.oid);
            let keys = keys.filter(move |key| key.target_columns.is_empty() || key.target_columns.contains(&number));
            keys.flat_map(move |key| key.columns.iter().map(move |number| (other, *number)))
        });
        let referred = referred || referring.into_iter().any(|(other, number)| tagged(other, number));
        let computed = any && stored::texts(relation).iter().any(|text| self.names(text, relation, column));
        if !place.tags.is_empty() || compared || referred || computed {
            return None;
        }
        self.makes(BTreeSet::from([place.type_oid]))
    }

    /// What was done, where nothing of it is, or may be, sensitive.
    fn harmless(mut self) -> Done {
        if self.graph.any_tagged() || self.touches_sensitive || self.missing || self.unresolved {
            return None;
        }
        if !self.asked.is_empty() || !self.renames.is_empty() || !self.named.is_empty() || self.path_moves {
            return None;
        }
        let (untied, tied, whole) = self.graph.settle();
        if !whole {
            return None;
        }
        self.settle_plain(&tied);
        self.settle_filters(&untied);
        self.settle_flows(&tied);
        let results = std::mem::take(&mut self.results);
        let outputs: Vec<Outputs> = results.into_iter().map(|shown| self.outputs(shown, &tied)).collect();
        let known = outputs.iter().all(|outputs| match outputs {
            Outputs::Nothing => true,
            Outputs::Columns(columns) => columns.iter().all(|column| !column.unknown && !column.withheld),
            Outputs::Open(one) => !one.unknown && !one.withheld,
            Outputs::Fetched | Outputs::Unknown | Outputs::Stream(_) => false,
        });
        let plain = self.effects.iter().all(|((action, object), (tags, _))| {
            let unknown = matches!(action, Action::SqlUnknown | Action::SqlExecute | Action::SqlDeclassify);
            let anything = *action == Action::SqlFilter && *object == Object::Resource;
            !unknown && !anything && tags.is_empty()
        });
        let same = self.changes == crate::sql::Changes::default() && !self.unresolved && !self.copies_in;
        (known && plain && same).then(|| {
            let effects = self.effects.into_iter();
            effects.map(|((action, object), (tags, facts))| Effect { action, object, tags, facts }).collect()
        })
    }
}
