//! Bodies of functions in PL/pgSQL: the statements and expressions in them, for a body that holds nothing but those.
//!
//! What `pl_gram.y` does, on the tokens of PostgreSQL's own scanner: an expression goes up to the word or the sign that
//! ends it, and is a query's text then. (libpg_query's own reader of such bodies resolves names and types without a
//! database, and refuses bodies that the server takes.)

mod statement;
mod tokens;

use self::tokens::{Kind, Tokens};
use super::{Server, is_bounded, lower};
use crate::access::Action;
use crate::sql::form::{Expr, Statement, Target};

/// The longest body that is read, in bytes, and the most variables it may have.
const MAX_BODY: usize = 64 * 1024;
const MAX_VARIABLES: usize = 200;

/// How deep statements may nest in each other.
const MAX_NESTED: usize = 100;

/// A body that can be read: it runs these statements and no others.
#[derive(Debug, Default)]
pub(in crate::sql) struct Body {
    pub(in crate::sql) variables: Vec<Variable>,
    /// Its queries and writes, and each of its expressions as a query of it.
    pub(in crate::sql) statements: Vec<Statement>,
    /// What values are put into: a variable, or a column of a trigger's row.
    pub(in crate::sql) assigned: Vec<Vec<String>>,
    /// Whether it returns anything but the row that a trigger was given, or nothing.
    pub(in crate::sql) computes: bool,
    /// Whether any of it is run again and again.
    pub(in crate::sql) loops: bool,
}

/// A variable that a body declares.
#[derive(Debug)]
pub(in crate::sql) struct Variable {
    pub(in crate::sql) name: String,
    pub(in crate::sql) of: Declared,
}

/// The type that a variable is declared of.
#[derive(Debug)]
pub(in crate::sql) enum Declared {
    /// The named one, as in [`Expr::Cast`].
    Type(Vec<String>),
    /// That of a relation's column, or of another variable.
    Column(Vec<String>),
    /// A relation's row.
    Row(Vec<String>),
    /// The number that a loop counts with.
    Counter,
    /// The row of whatever is put into it.
    Record,
}

/// Reads a body; `None`: it runs statements that it makes itself, or holds what is not known here.
pub(in crate::sql) fn body(text: &str, server: Server) -> Option<Body> {
    read(text, server, false)
}

/// The definition that a block runs, where it does nothing else: how scripts make what may be there already, and go on where
/// it is. No variable stands for anything in such a statement.
pub(super) fn definition(text: &str, server: Server) -> Option<Statement> {
    let mut body = super::deep(text, || read(text, server, true))?;
    let statement = body.statements.pop().filter(|_| body.statements.is_empty() && body.variables.is_empty())?;
    is_definition(&statement).then_some(statement)
}

fn is_definition(statement: &Statement) -> bool {
    let Statement::Act(act) = statement else { return false };
    let defines =
        |(action, _): &(Action, Target)| matches!(action, Action::SqlCreate | Action::SqlAlter | Action::SqlDrop);
    act.inner.is_none() && act.namings.is_empty() && !act.effects.is_empty() && act.effects.iter().all(defines)
}

fn read(text: &str, server: Server, defines: bool) -> Option<Body> {
    if text.len() > MAX_BODY || !is_bounded(text) || !server.is_known() || server.lexes_otherwise(text) {
        return None;
    }
    let mut reader = Reader { tokens: Tokens::of(text)?, server, nested: 0, defines, body: Body::default() };
    reader.block()?;
    reader.tokens.takes_sign(";");
    let few = reader.body.variables.len() <= MAX_VARIABLES;
    (reader.tokens.is_at_end() && few).then_some(reader.body)
}

/// Whether a name is that of one of a trigger's rows.
fn is_row(name: &str) -> bool {
    name == "new" || name == "old"
}

struct Reader<'t> {
    tokens: Tokens<'t>,
    server: Server,
    nested: usize,
    /// Whether definitions are read as well.
    defines: bool,
    body: Body,
}

impl Reader<'_> {
    /// What a value is put into. Of a variable's own fields nothing is known, and a label may stand before any name.
    fn target(&mut self) -> Option<()> {
        let path = self.tokens.path()?;
        match path.as_slice() {
            [_] => {}
            [row, column] if is_row(row) && !is_row(column) => {}
            _ => return None,
        }
        self.body.assigned.push(path);
        Some(())
    }

    /// `a, b, ...`
    fn targets(&mut self) -> Option<()> {
        self.target()?;
        while self.tokens.takes_sign(",") {
            self.target()?;
        }
        Some(())
    }

    /// An expression up to one of these.
    fn expression(&mut self, words: &[&str], signs: &[&str]) -> Option<()> {
        let text = self.tokens.source_until(words, signs)?;
        self.query(&format!("select {text}"))
    }

    /// One query or write.
    fn query(&mut self, text: &str) -> Option<()> {
        // A block within this one could hold another, without end.
        if text.get(..2).is_some_and(|word| word.eq_ignore_ascii_case("do")) {
            return None;
        }
        let mut program = lower(text, self.server)?;
        let statement = program.statements.pop().filter(|_| program.statements.is_empty())?;
        let plain = match &statement {
            Statement::Query(query) => query.into.is_none(),
            Statement::Write(_) => true,
            Statement::Act(_) if self.defines => is_definition(&statement),
            Statement::Copy(_) | Statement::Runs(_) | Statement::Act(_) | Statement::Opaque => false,
        };
        self.body.statements.push(statement);
        plain.then_some(())
    }

    /// `<<label>>`, where there is one.
    fn label(&mut self) -> Option<()> {
        if self.tokens.takes_sign("<<") {
            self.tokens.name()?;
            self.tokens.sign(">>")?;
        }
        Some(())
    }

    /// `[DECLARE ...] BEGIN ... [EXCEPTION ...] END [label]`
    fn block(&mut self) -> Option<()> {
        self.nested = self.nested.checked_add(1).filter(|nested| *nested <= MAX_NESTED)?;
        self.label()?;
        if self.tokens.takes_word("declare") {
            while !self.tokens.is_word(0, "begin") {
                // The word may stand before each.
                if !self.tokens.takes_word("declare") {
                    self.declaration()?;
                }
            }
        }
        self.tokens.word("begin")?;
        self.statements()?;
        if self.tokens.takes_word("exception") {
            while self.tokens.takes_word("when") {
                // Names of conditions, or SQLSTATE and its text: nothing is computed.
                self.tokens.until(&["then"], &[])?;
                self.tokens.skip();
                self.statements()?;
            }
        }
        self.tokens.word("end")?;
        if !self.tokens.is_sign(0, ";") && !self.tokens.is_at_end() {
            self.tokens.name()?;
        }
        self.nested = self.nested.saturating_sub(1);
        Some(())
    }

    /// `name [CONSTANT] type [COLLATE name] [NOT NULL] [:= expression];`
    fn declaration(&mut self) -> Option<()> {
        let name = self.tokens.name()?;
        if ["alias", "cursor", "scroll", "no"].iter().any(|word| self.tokens.is_word(0, word)) {
            return None;
        }
        self.tokens.takes_word("constant");
        let from = self.tokens.until(&["not", "default", "collate"], &[";", ":=", "="])?;
        let of = self.declared(from)?;
        if self.tokens.takes_word("collate") {
            self.tokens.path()?;
        }
        if self.tokens.takes_word("not") {
            self.tokens.word("null")?;
        }
        if self.tokens.takes_word("default") || self.tokens.takes_assign() {
            self.expression(&[], &[";"])?;
        }
        self.body.variables.push(Variable { name, of });
        self.tokens.sign(";")
    }

    /// The type whose words begin at a token and end before the next one.
    fn declared(&mut self, from: usize) -> Option<Declared> {
        let end = self.tokens.at();
        if let Some(percent) = self.tokens.find_sign(from, end, "%") {
            self.tokens.go_back(from);
            let path = self.tokens.path().filter(|_| self.tokens.at() == percent)?;
            self.tokens.skip();
            let of = if self.tokens.takes_word("type") {
                Declared::Column(path)
            } else {
                self.tokens.word("rowtype")?;
                Declared::Row(path)
            };
            return (self.tokens.at() == end).then_some(of);
        }
        let text = self.tokens.source(from, end)?;
        if text.eq_ignore_ascii_case("record") {
            return Some(Declared::Record);
        }
        let program = lower(&format!("select null::{text}"), self.server)?;
        let [Statement::Query(query)] = program.statements.as_slice() else { return None };
        match query.outputs.as_slice() {
            [output] if query.sources.is_empty() && query.predicate.is_none() => match &output.value {
                Expr::Cast { to, .. } => Some(Declared::Type(to.clone())),
                _ => None,
            },
            _ => None,
        }
    }

    /// Statements up to a word that ends them.
    fn statements(&mut self) -> Option<()> {
        loop {
            let ends = match self.tokens.kind(0)? {
                Kind::Word(word) => match word.as_str() {
                    "end" | "else" | "when" => true,
                    "elsif" | "elseif" | "exception" => !self.is_assignment(),
                    _ => false,
                },
                _ => false,
            };
            if ends {
                return Some(());
            }
            self.statement()?;
        }
    }

    /// Whether a name at the beginning of a statement is a variable's, that something is put into.
    fn is_assignment(&self) -> bool {
        [":=", "=", ".", "["].iter().any(|sign| self.tokens.is_sign(1, sign))
    }
}
