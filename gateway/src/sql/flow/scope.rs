//! What names stand for at a place of a statement, by PostgreSQL's rules (`parse_relation.c`).

use std::rc::Rc;

use super::WITHHELD;
use super::graph::Node;
use crate::access::Name;
use crate::sql::form::Table;

/// A column of an item.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) node: Node,
    /// Its type's OID, where it is known.
    pub(super) of: Option<u32>,
}

/// Rows: of a query, a view, a function, a common table expression.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    pub(super) columns: Vec<Column>,
    /// Further columns, whose number and names nobody knows.
    pub(super) open: Option<Node>,
}

/// An item of a FROM list.
#[derive(Clone, Debug, Default)]
pub(super) struct Item {
    /// What qualifies its columns.
    pub(super) name: Option<String>,
    /// The schema that may stand before that: an item with an alias has none.
    pub(super) schema: Option<Name>,
    pub(super) rows: Rows,
    /// Whether it can be named.
    pub(super) named: bool,
    /// Whether its columns can be, without it; and whether `*` has them.
    pub(super) bare: bool,
    /// The relation that nobody knows the columns of.
    pub(super) unresolved: Option<Table>,
    /// Whether it is a relation with [`SYSTEM_COLUMNS`]: not a view, and nothing but a relation by itself. Those of the system
    /// have columns of any name.
    pub(super) stored: bool,
}

/// The common table expressions that are visible, the innermost first.
#[derive(Clone, Debug, Default)]
pub(super) struct Ctes(Option<Rc<Cte>>);

#[derive(Debug)]
struct Cte {
    name: String,
    rows: Rows,
    /// How many of the last columns SEARCH and CYCLE add, which `*` leaves out in queries within the one that it belongs to;
    /// and how deep that is.
    added: usize,
    level: usize,
    next: Ctes,
    /// How many there are behind it.
    behind: usize,
}

impl Drop for Ctes {
    /// One after the other: a statement may have more of them than the stack has room for.
    fn drop(&mut self) {
        let mut next = self.0.take();
        while let Some(cte) = next.and_then(|last| Rc::try_unwrap(last).ok()) {
            let Cte { next: mut behind, .. } = cte;
            next = behind.0.take();
        }
    }
}

impl Ctes {
    pub(super) fn with(&self, name: &str, rows: Rows) -> Self {
        self.with_added(name, rows, 0, 0)
    }

    /// The same of one to whose rows `added` columns are added, in a query so deep.
    pub(super) fn with_added(&self, name: &str, rows: Rows, added: usize, level: usize) -> Self {
        let (name, next, behind) = (name.to_owned(), self.clone(), self.count());
        Ctes(Some(Rc::new(Cte { name, rows, added, level, next, behind })))
    }

    /// How many are visible.
    pub(super) fn count(&self) -> usize {
        self.0.as_ref().map_or(0, |cte| cte.behind.saturating_add(1))
    }

    /// Its rows, and how many of the last columns `*` leaves out in a query so deep.
    pub(super) fn find(&self, name: &str, level: usize) -> Option<(&Rows, usize)> {
        let mut at = &self.0;
        while let Some(cte) = at {
            if cte.name == name {
                return Some((&cte.rows, if cte.level == level { 0 } else { cte.added }));
            }
            at = &cte.next.0;
        }
        None
    }
}

/// What a parameter stands for, in a function's body.
#[derive(Clone, Debug)]
pub(super) struct Argument {
    pub(super) column: Column,
    /// Its columns, where it is a row of which they are known.
    pub(super) row: Option<Rows>,
    /// Whether the call gives it as a constant, or as a parameter of the statement: the same value however often it is called.
    pub(super) constant: bool,
}

/// What is visible at a place.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope<'p> {
    /// The query around this one.
    pub(super) outer: Option<&'p Scope<'p>>,
    pub(super) items: Vec<Item>,
    pub(super) ctes: Ctes,
    /// What the parameters stand for, in a function's body: by name and by number.
    pub(super) arguments: Rc<Vec<Argument>>,
}

/// What a name stands for.
#[derive(Clone, Debug)]
pub(super) enum Found {
    /// A column, or several of one name.
    Columns(Vec<Column>),
    /// A column of a relation whose columns nobody knows.
    Unresolved(Table, String),
    /// One of the columns that nobody knows by name.
    Open(Node),
    /// A whole row.
    Row(Rows),
    /// The qualifier stands for this row, which has no such column.
    NoColumn(Rows),
    /// One of [`SYSTEM_COLUMNS`].
    System,
    /// Nothing.
    Nowhere,
}

/// PostgreSQL's own columns of every relation but views and composite types. They hold no values of it.
pub(super) const SYSTEM_COLUMNS: [&str; 6] = ["tableoid", "ctid", "xmin", "xmax", "cmin", "cmax"];

/// One of the columns that nobody knows by name; where a relation beside has some that may not be read, one of those.
fn opened(open: Node, mut withheld: Vec<Column>) -> Found {
    if withheld.is_empty() {
        return Found::Open(open);
    }
    withheld.push(unnamed(open));
    Found::Columns(withheld)
}

/// Columns whose names nobody knows, as one.
fn unnamed(open: Node) -> Column {
    Column { name: String::new(), node: open, of: None }
}

/// What stands for the columns of a system relation that may not be read; `names`: what they are called, if that is known.
pub(super) fn withheld(names: Option<&str>) -> String {
    names.map_or_else(|| WITHHELD.to_owned(), |names| format!("{WITHHELD} {names}"))
}

/// Whether a column stands for those of a system relation that may not be read.
pub(super) fn is_withheld(column: &Column) -> bool {
    column.name.starts_with(WITHHELD)
}

/// Whether one of those may be called so.
fn may_be_withheld(column: &Column, name: &str) -> bool {
    let names = column.name.strip_prefix(WITHHELD);
    names.is_some_and(|names| names.is_empty() || names.split(' ').any(|withheld| withheld == name))
}

impl Item {
    /// How many names it has.
    pub(super) fn breadth(&self) -> usize {
        self.rows.columns.len().saturating_add(1)
    }

    fn is_called(&self, name: &str) -> bool {
        self.named && self.name.as_deref() == Some(name)
    }
}

impl<'p> Scope<'p> {
    /// What is visible where a source may not see those beside it.
    pub(super) fn around(&self) -> Self {
        Scope { outer: self.outer, items: Vec::new(), ctes: self.ctes.clone(), arguments: Rc::clone(&self.arguments) }
    }

    /// A query within this one.
    pub(super) fn inner(&self) -> Scope<'_> {
        Scope { outer: Some(self), items: Vec::new(), ctes: self.ctes.clone(), arguments: Rc::clone(&self.arguments) }
    }

    /// Whether a parameter is as good as a constant here: one of the statement itself is.
    pub(super) fn is_constant(&self, parameter: usize) -> bool {
        let bound = parameter.checked_sub(1).and_then(|at| self.arguments.get(at));
        bound.map_or_else(|| self.arguments.is_empty(), |argument| argument.constant)
    }

    /// How many columns, rows and queries a name is looked for in.
    pub(super) fn breadth(&self) -> usize {
        let of_level = |level: &Scope<'_>| level.items.iter().map(Item::breadth).sum::<usize>().saturating_add(1);
        self.levels().map(of_level).sum()
    }

    /// How many queries are around it.
    pub(super) fn depth(&self) -> usize {
        self.levels().count()
    }

    fn levels(&self) -> impl Iterator<Item = &Scope<'_>> {
        let mut at = Some(self);
        std::iter::from_fn(move || {
            let this = at?;
            at = this.outer;
            Some(this)
        })
    }

    /// The items whose columns `*` stands for.
    pub(super) fn bare(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| item.bare)
    }

    /// The item that is called so.
    pub(super) fn named(&self, path: &[String]) -> Option<&Item> {
        let (name, schema) = match path {
            [name] => (name, None),
            [schema, name] | [_, schema, name] => (name, Some(schema)),
            _ => return None,
        };
        let fits = |item: &&Item| {
            item.named
                && item.name.as_ref() == Some(name)
                && schema.is_none_or(|schema| item.schema.as_deref() == Some(schema.as_str()))
        };
        self.levels().find_map(|level| level.items.iter().find(fits))
    }

    /// What a path of names stands for.
    pub(super) fn find(&self, path: &[String]) -> Found {
        match path {
            [name] => self.find_bare(name),
            [qualifier @ .., column] if !qualifier.is_empty() => self.find_qualified(qualifier, column),
            _ => Found::Nowhere,
        }
    }

    /// A name alone: a column of any level comes before a row of that name, and the columns that nobody knows of one level
    /// do not hide those further out.
    fn find_bare(&self, name: &str) -> Found {
        let mut may: Vec<Column> = Vec::new();
        let mut found = None;
        for level in self.levels() {
            let columns: Vec<Column> =
                level.bare().flat_map(|item| &item.rows.columns).filter(|c| c.name == name).cloned().collect();
            if !columns.is_empty() {
                may.extend(columns);
                return Found::Columns(may);
            }
            // Of a relation of which some columns may not be read, it may be one of those: nothing further out is meant then.
            let withheld = level.bare().flat_map(|item| &item.rows.columns).filter(|c| may_be_withheld(c, name));
            may.extend(withheld.cloned());
            if let Some(item) = level.bare().find(|item| item.rows.open.is_some()) {
                if let Some(table) = &item.unresolved {
                    return Found::Unresolved(table.clone(), name.to_owned());
                }
                // A whole row has what is withheld of it as well.
                let whole = level.bare().filter(|item| item.name.as_deref() == Some(name));
                may.extend(whole.flat_map(|item| &item.rows.columns).cloned());
                may.extend(level.bare().filter_map(|item| item.rows.open).map(unnamed));
            }
            if SYSTEM_COLUMNS.contains(&name) && level.bare().any(|item| item.stored) {
                found = Some(Found::System);
                break;
            }
        }
        let row = || self.levels().find_map(|level| level.items.iter().find(|item| item.is_called(name)));
        let found = found.unwrap_or_else(|| match row() {
            Some(item) => Found::Row(item.rows.clone()),
            None => self.argument(name),
        });
        if may.is_empty() {
            return found;
        }
        match found {
            Found::Row(rows) => may.extend(rows.columns.into_iter().chain(rows.open.map(unnamed))),
            Found::Columns(columns) => may.extend(columns),
            _ => {}
        }
        match may.as_slice() {
            [column] if column.name.is_empty() => Found::Open(column.node),
            _ => Found::Columns(may),
        }
    }

    fn argument(&self, name: &str) -> Found {
        match self.arguments.iter().find(|argument| argument.column.name == name && !name.is_empty()) {
            Some(Argument { row: Some(row), .. }) => Found::Row(row.clone()),
            Some(Argument { column, row: None, .. }) => Found::Columns(vec![column.clone()]),
            None => Found::Nowhere,
        }
    }

    /// A column by what qualifies it: of an item that is called so, and where it may be none of that, of a function's argument.
    fn find_qualified(&self, qualifier: &[String], name: &str) -> Found {
        let given = qualifier.last().map_or(Found::Nowhere, |name| self.argument(name));
        let bare = self.argument(name);
        let Some(item) = self.named(qualifier) else {
            return match (given, bare) {
                // `(row).field` without its brackets.
                (Found::Row(rows), bare) => beside(Self::field(&rows, name), bare),
                // A function's argument by the function's name.
                (Found::Nowhere, bare) => bare,
                // Of a composite type that nobody looked into.
                (Found::Columns(_), Found::Nowhere) => Found::Nowhere,
                (given, bare) => beside(given, bare),
            };
        };
        let columns: Vec<Column> = item.rows.columns.iter().filter(|column| column.name == name).cloned().collect();
        let known = !columns.is_empty();
        let found = match (&item.unresolved, item.rows.open) {
            _ if known => Found::Columns(columns),
            (Some(table), _) => Found::Unresolved(table.clone(), name.to_owned()),
            (None, Some(open)) => {
                opened(open, item.rows.columns.iter().filter(|c| may_be_withheld(c, name)).cloned().collect())
            }
            (None, None) if item.stored && SYSTEM_COLUMNS.contains(&name) => Found::System,
            (None, None) => match item.rows.columns.iter().find(|column| may_be_withheld(column, name)) {
                // In a version that has no such column it is `f(t)`: two of them stand for what nobody can tell.
                Some(column) => Found::Columns(vec![column.clone(), column.clone()]),
                None => Found::NoColumn(item.rows.clone()),
            },
        };
        // An argument may be called as the item, or the function.
        let given = match given {
            Found::Row(rows) => beside(Self::field(&rows, name), Found::Nowhere),
            other => other,
        };
        beside(found, if known { given } else { beside(given, bare) })
    }

    /// A row's column.
    fn field(rows: &Rows, name: &str) -> Found {
        match rows.columns.iter().find(|column| column.name == name) {
            Some(column) => Found::Columns(vec![column.clone()]),
            None => Found::NoColumn(rows.clone()),
        }
    }
}

/// What a name stands for that may be either of two; what types they are of is not known then.
fn beside(one: Found, other: Found) -> Found {
    match (one, other) {
        (found @ Found::Unresolved(..), _) | (_, found @ Found::Unresolved(..)) => found,
        (Found::Nowhere, found) | (found, Found::Nowhere) => found,
        (Found::System, Found::System) => Found::System,
        (one, other) => {
            let mut columns: Vec<Column> = [one, other].into_iter().flat_map(columns_of).collect();
            columns.iter_mut().for_each(|column| column.of = None);
            if let [column] = columns.as_slice() {
                // Its own is one that tells nothing: the other may be meant all the same.
                columns.push(column.clone());
            }
            Found::Columns(columns)
        }
    }
}

fn columns_of(found: Found) -> Vec<Column> {
    match found {
        Found::Columns(columns) => columns,
        Found::Open(node) => vec![unnamed(node)],
        Found::Row(rows) | Found::NoColumn(rows) => rows.columns.into_iter().chain(rows.open.map(unnamed)).collect(),
        Found::System | Found::Nowhere | Found::Unresolved(..) => Vec::new(),
    }
}
