//! Bodies of functions in PL/pgSQL: the statements and expressions in them, for a body that holds nothing but those.
//!
//! What `pl_gram.y` does, on the tokens of PostgreSQL's own scanner: an expression goes up to the word or the sign that
//! ends it, and is a query's text then. (libpg_query's own reader of such bodies resolves names and types without a
//! database, and refuses bodies that the server takes.)

use super::{Server, is_bounded, lower};
use crate::sql::form::{Expr, Statement};

/// The longest body that is read, in bytes, and the most variables it may have.
const MAX_BODY: usize = 64 * 1024;
const MAX_VARIABLES: usize = 200;

/// The longest subject of a CASE, in bytes: it is read again for each WHEN.
const MAX_SUBJECT: usize = 200;

/// How deep statements may nest in each other.
const MAX_NESTED: usize = 100;

/// The longest name that is not cut, in bytes.
const MAX_NAME: usize = 63;

/// PL/pgSQL's own reserved words (`pl_reserved_kwlist.h`): they are no names, wherever they stand.
const RESERVED: [&str; 24] = [
    "all", "begin", "by", "case", "declare", "else", "end", "execute", "for", "foreach", "from", "if", "in", "into",
    "loop", "not", "null", "or", "strict", "then", "to", "using", "when", "while",
];

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
    if text.len() > MAX_BODY || !is_bounded(text) || !server.is_known() || server.lexes_otherwise(text) {
        return None;
    }
    let mut reader = Reader { text, tokens: tokens(text)?, at: 0, server, nested: 0, body: Body::default() };
    reader.block()?;
    reader.takes_sign(";");
    let few = reader.body.variables.len() <= MAX_VARIABLES;
    (reader.at == reader.tokens.len() && few).then_some(reader.body)
}

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// A name or a word, in small letters.
    Word(String),
    /// A name in quotes.
    Quoted(String),
    /// A string.
    Text,
    /// Anything else.
    Sign,
}

#[derive(Clone, Debug)]
struct Token {
    kind: Kind,
    start: usize,
    end: usize,
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let scanned = pg_query::scan_tokens(text).ok()?;
    let mut tokens = Vec::with_capacity(scanned.len());
    for token in scanned {
        let (start, end) = (usize::try_from(token.start).ok()?, usize::try_from(token.end).ok()?);
        let source = text.get(start..end)?;
        if source.starts_with("--") || source.starts_with("/*") {
            continue;
        }
        let kind = match source.as_bytes() {
            [b'"', inner @ .., b'"'] if !inner.is_empty() => {
                let name = std::str::from_utf8(inner).ok()?.replace("\"\"", "\"");
                Kind::Quoted(Some(name).filter(|name| name.len() <= MAX_NAME)?)
            }
            [.., b'\''] => Kind::Text,
            [b'$', .., b'$'] => Kind::Text,
            // A name whose letters are given by numbers, which is seldom one.
            [b'u' | b'U', b'&', ..] => return None,
            [first, ..] if first.is_ascii_alphabetic() || *first == b'_' || !first.is_ascii() => {
                // Which letters are small ones beyond ASCII depends on the server's locale, and where a name is cut.
                let plain = source.is_ascii() && source.len() <= MAX_NAME;
                Kind::Word(plain.then(|| source.to_ascii_lowercase())?)
            }
            _ => Kind::Sign,
        };
        tokens.push(Token { kind, start, end });
    }
    Some(tokens)
}

/// Whether a name is that of one of a trigger's rows.
fn is_row(name: &str) -> bool {
    name == "new" || name == "old"
}

struct Reader<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    at: usize,
    server: Server,
    nested: usize,
    body: Body,
}

impl Reader<'_> {
    fn kind(&self, ahead: usize) -> Option<&Kind> {
        self.tokens.get(self.at.checked_add(ahead)?).map(|token| &token.kind)
    }

    fn is_word(&self, ahead: usize, word: &str) -> bool {
        matches!(self.kind(ahead), Some(Kind::Word(found)) if found == word)
    }

    fn is_sign(&self, ahead: usize, sign: &str) -> bool {
        let token = self.at.checked_add(ahead).and_then(|at| self.tokens.get(at));
        token.is_some_and(|token| token.kind == Kind::Sign && self.text.get(token.start..token.end) == Some(sign))
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let found = self.is_word(0, word);
        self.at += usize::from(found);
        found
    }

    fn takes_sign(&mut self, sign: &str) -> bool {
        let found = self.is_sign(0, sign);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.takes_word(word).then_some(())
    }

    fn sign(&mut self, sign: &str) -> Option<()> {
        self.takes_sign(sign).then_some(())
    }

    /// A name; PL/pgSQL's reserved words are none.
    fn name(&mut self) -> Option<String> {
        let name = match self.kind(0)? {
            Kind::Word(word) if RESERVED.contains(&word.as_str()) => return None,
            Kind::Word(name) | Kind::Quoted(name) => name.clone(),
            Kind::Text | Kind::Sign => return None,
        };
        self.at += 1;
        Some(name)
    }

    /// `a.b.c`
    fn path(&mut self) -> Option<Vec<String>> {
        let mut path = vec![self.name()?];
        while self.is_sign(0, ".") {
            self.at += 1;
            path.push(self.name()?);
        }
        Some(path)
    }

    /// What a value is put into. Of a variable's own fields nothing is known, and a label may stand before any name.
    fn target(&mut self) -> Option<()> {
        let path = self.path()?;
        match path.as_slice() {
            [_] => {}
            [row, column] if is_row(row) && !is_row(column) => {}
            _ => return None,
        }
        self.body.assigned.push(path);
        Some(())
    }

    /// The source from one token up to another.
    fn source(&self, from: usize, to: usize) -> Option<&str> {
        let (first, last) = (self.tokens.get(from)?, self.tokens.get(to.checked_sub(1)?)?);
        if from < to { self.text.get(first.start..last.end) } else { None }
    }

    /// Goes on to the first of these words and signs outside of brackets, and is before it then; from where it came.
    fn until(&mut self, words: &[&str], signs: &[&str]) -> Option<usize> {
        let from = self.at;
        let mut open = 0usize;
        loop {
            let found = match self.kind(0)? {
                Kind::Word(word) => words.contains(&word.as_str()),
                Kind::Sign => signs.iter().any(|sign| self.is_sign(0, sign)),
                Kind::Quoted(_) | Kind::Text => false,
            };
            if found && open == 0 {
                return Some(from);
            }
            if self.is_sign(0, "(") || self.is_sign(0, "[") {
                open = open.checked_add(1)?;
            } else if self.is_sign(0, ")") || self.is_sign(0, "]") {
                open = open.checked_sub(1)?;
            } else if self.is_sign(0, ";") {
                return None;
            }
            self.at += 1;
        }
    }

    /// An expression up to one of these.
    fn expression(&mut self, words: &[&str], signs: &[&str]) -> Option<()> {
        let from = self.until(words, signs)?;
        let text = self.source(from, self.at)?;
        self.query(&format!("select {text}"))
    }

    /// One query or write.
    fn query(&mut self, text: &str) -> Option<()> {
        let mut program = lower(text, self.server)?;
        let statement = program.statements.pop().filter(|_| program.statements.is_empty())?;
        let plain = match &statement {
            Statement::Query(query) => query.into.is_none(),
            Statement::Write(_) => true,
            Statement::Copy(_) | Statement::Runs(_) | Statement::Act(_) | Statement::Opaque => false,
        };
        self.body.statements.push(statement);
        plain.then_some(())
    }

    /// `<<label>>`, where there is one.
    fn label(&mut self) -> Option<()> {
        if self.takes_sign("<<") {
            self.name()?;
            self.sign(">>")?;
        }
        Some(())
    }

    /// `[DECLARE ...] BEGIN ... [EXCEPTION ...] END [label]`
    fn block(&mut self) -> Option<()> {
        self.nested = self.nested.checked_add(1).filter(|nested| *nested <= MAX_NESTED)?;
        self.label()?;
        if self.takes_word("declare") {
            while !self.is_word(0, "begin") {
                // The word may stand before each.
                if !self.takes_word("declare") {
                    self.declaration()?;
                }
            }
        }
        self.word("begin")?;
        self.statements()?;
        if self.takes_word("exception") {
            while self.takes_word("when") {
                // Names of conditions, or SQLSTATE and its text: nothing is computed.
                self.until(&["then"], &[])?;
                self.at += 1;
                self.statements()?;
            }
        }
        self.word("end")?;
        if !self.is_sign(0, ";") && self.at < self.tokens.len() {
            self.name()?;
        }
        self.nested = self.nested.saturating_sub(1);
        Some(())
    }

    /// `name [CONSTANT] type [COLLATE name] [NOT NULL] [:= expression];`
    fn declaration(&mut self) -> Option<()> {
        let name = self.name()?;
        if self.is_word(0, "alias") || self.is_word(0, "cursor") || self.is_word(0, "scroll") || self.is_word(0, "no") {
            return None;
        }
        self.takes_word("constant");
        let from = self.until(&["not", "default", "collate"], &[";", ":=", "="])?;
        let of = self.declared(from)?;
        if self.takes_word("collate") {
            self.path()?;
        }
        if self.takes_word("not") {
            self.word("null")?;
        }
        if self.takes_word("default") || self.takes_sign(":=") || self.takes_sign("=") {
            self.expression(&[], &[";"])?;
        }
        self.body.variables.push(Variable { name, of });
        self.sign(";")
    }

    /// The type whose words begin at a token and end before the next one.
    fn declared(&mut self, from: usize) -> Option<Declared> {
        let end = self.at;
        if let Some(percent) = (from..end).find(|at| {
            let token = self.tokens.get(*at);
            token.is_some_and(|token| self.text.get(token.start..token.end) == Some("%"))
        }) {
            self.at = from;
            let path = self.path().filter(|_| self.at == percent)?;
            self.at += 1;
            let of = if self.takes_word("type") {
                Declared::Column(path)
            } else {
                self.word("rowtype")?;
                Declared::Row(path)
            };
            return (self.at == end).then_some(of);
        }
        let text = self.source(from, end)?;
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
            let ends = match self.kind(0)? {
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
        [":=", "=", ".", "["].iter().any(|sign| self.is_sign(1, sign))
    }

    fn statement(&mut self) -> Option<()> {
        if self.is_sign(0, "<<") {
            // A block takes its own.
            let loops = matches!(self.kind(3), Some(Kind::Word(word)) if !matches!(word.as_str(), "declare" | "begin"));
            if !loops {
                return self.block_statement();
            }
            self.label()?;
        }
        let word = match self.kind(0)? {
            Kind::Word(word) => word.clone(),
            Kind::Quoted(_) => String::new(),
            Kind::Text | Kind::Sign => return None,
        };
        match word.as_str() {
            "declare" | "begin" => self.block_statement(),
            "if" => self.condition(),
            "case" => self.case(),
            "for" => self.counted(),
            "foreach" => self.each(),
            "null" => {
                self.at += 1;
                self.sign(";")
            }
            "loop" => self.repeated(),
            "while" => {
                self.at += 1;
                self.expression(&["loop"], &[])?;
                self.repeated()
            }
            _ if RESERVED.contains(&word.as_str()) => None,
            _ if self.is_assignment() => self.assignment(),
            "exit" | "continue" => {
                self.at += 1;
                if !self.is_word(0, "when") && !self.is_sign(0, ";") {
                    self.name()?;
                }
                if self.takes_word("when") {
                    self.expression(&[], &[";"])?;
                }
                self.sign(";")
            }
            "return" => self.returned(),
            "raise" => self.raised(),
            "assert" => {
                self.at += 1;
                self.expression(&[], &[",", ";"])?;
                if self.takes_sign(",") {
                    self.expression(&[], &[";"])?;
                }
                self.sign(";")
            }
            "get" => self.diagnostics(),
            "perform" => {
                self.at += 1;
                self.expression(&[], &[";"])?;
                self.sign(";")
            }
            _ => self.sql(),
        }
    }

    fn block_statement(&mut self) -> Option<()> {
        self.block()?;
        self.sign(";")
    }

    /// `LOOP ... END LOOP [label];`
    fn repeated(&mut self) -> Option<()> {
        self.nested = self.nested.checked_add(1).filter(|nested| *nested <= MAX_NESTED)?;
        self.word("loop")?;
        self.statements()?;
        self.word("end")?;
        self.word("loop")?;
        if !self.is_sign(0, ";") {
            self.name()?;
        }
        self.nested = self.nested.saturating_sub(1);
        self.sign(";")
    }

    fn condition(&mut self) -> Option<()> {
        self.nested = self.nested.checked_add(1).filter(|nested| *nested <= MAX_NESTED)?;
        self.at += 1;
        self.expression(&["then"], &[])?;
        self.at += 1;
        self.statements()?;
        while self.takes_word("elsif") || self.takes_word("elseif") {
            self.expression(&["then"], &[])?;
            self.at += 1;
            self.statements()?;
        }
        if self.takes_word("else") {
            self.statements()?;
        }
        self.nested = self.nested.saturating_sub(1);
        self.word("end")?;
        self.word("if")?;
        self.sign(";")
    }

    /// `CASE [subject] WHEN values THEN ... END CASE;`: a subject is looked for among the values.
    fn case(&mut self) -> Option<()> {
        self.nested = self.nested.checked_add(1).filter(|nested| *nested <= MAX_NESTED)?;
        self.at += 1;
        let subject = if self.is_word(0, "when") {
            None
        } else {
            let from = self.until(&["when"], &[])?;
            // The server puts it into a variable: a literal is a text there.
            let literal = |token: &Token| match &token.kind {
                Kind::Text => true,
                Kind::Word(word) => word == "null",
                Kind::Sign => matches!(self.text.get(token.start..token.end), Some("(" | ")")),
                Kind::Quoted(_) => false,
            };
            let untyped = self.tokens.get(from..self.at)?.iter().all(literal);
            let text = self.source(from, self.at).filter(|text| !untyped && text.len() <= MAX_SUBJECT)?;
            Some(text.to_owned())
        };
        if let Some(subject) = &subject {
            self.query(&format!("select {subject}"))?;
        }
        while self.takes_word("when") {
            let from = self.until(&["then"], &[])?;
            let values = self.source(from, self.at)?;
            let text = match &subject {
                Some(subject) => format!("select ({subject}) in ({values})"),
                None => format!("select {values}"),
            };
            self.query(&text)?;
            self.at += 1;
            self.statements()?;
        }
        if self.takes_word("else") {
            self.statements()?;
        }
        self.nested = self.nested.saturating_sub(1);
        self.word("end")?;
        self.word("case")?;
        self.sign(";")
    }

    /// `FOR i IN [REVERSE] a..b [BY c] LOOP`, `FOR r IN query LOOP`.
    fn counted(&mut self) -> Option<()> {
        self.at += 1;
        let before = self.body.assigned.len();
        self.target()?;
        while self.takes_sign(",") {
            self.target()?;
        }
        self.word("in")?;
        if self.is_word(0, "execute") {
            return None;
        }
        let first = self.at;
        let reversed = self.takes_word("reverse");
        let from = self.until(&["loop"], &[".."])?;
        if self.is_sign(0, "..") {
            let text = self.source(from, self.at)?.to_owned();
            self.query(&format!("select {text}"))?;
            self.at += 1;
            self.expression(&["loop", "by"], &[])?;
            if self.takes_word("by") {
                self.expression(&["loop"], &[])?;
            }
            // It is a variable of the loop's own.
            let [name] = <[Vec<String>; 1]>::try_from(self.body.assigned.split_off(before)).ok()?;
            let [name] = <[String; 1]>::try_from(name).ok()?;
            self.body.variables.push(Variable { name, of: Declared::Counter });
        } else {
            if reversed {
                return None;
            }
            let text = self.source(first, self.at)?.to_owned();
            self.query(&text)?;
        }
        self.repeated()
    }

    /// `FOREACH x [SLICE n] IN ARRAY a LOOP`
    fn each(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            self.target()?;
            if !self.takes_sign(",") {
                break;
            }
        }
        if self.takes_word("slice") {
            // A number that stands there.
            self.at += 1;
        }
        self.word("in")?;
        self.word("array")?;
        self.expression(&["loop"], &[])?;
        self.repeated()
    }

    /// `target := expression;`
    fn assignment(&mut self) -> Option<()> {
        let from = self.at;
        self.target()?;
        while self.takes_sign("[") {
            self.until(&[], &["]"])?;
            self.at += 1;
        }
        let target = self.source(from, self.at)?.to_owned();
        if !self.takes_sign(":=") {
            self.sign("=")?;
        }
        // The places in it are computed.
        self.query(&format!("select {target}"))?;
        self.expression(&[], &[";"])?;
        self.sign(";")
    }

    fn returned(&mut self) -> Option<()> {
        self.at += 1;
        if self.takes_word("query") {
            if self.is_word(0, "execute") {
                return None;
            }
            let from = self.until(&[], &[";"])?;
            let text = self.source(from, self.at)?.to_owned();
            self.query(&text)?;
            self.body.computes = true;
            return self.sign(";");
        }
        self.body.computes |= self.takes_word("next");
        let whole = (self.is_word(0, "new") || self.is_word(0, "old")) && self.is_sign(1, ";");
        if whole {
            // What a trigger gives back is the row that it was given, and what it has put into that.
            self.at += 1;
        } else if !self.is_sign(0, ";") {
            self.body.computes |= !(self.is_word(0, "null") && self.is_sign(1, ";"));
            self.expression(&[], &[";"])?;
        }
        self.sign(";")
    }

    /// `RAISE [level] 'format' [, expression ...] [USING option = expression, ...];`
    fn raised(&mut self) -> Option<()> {
        self.at += 1;
        for level in ["debug", "log", "info", "notice", "warning", "exception"] {
            if self.takes_word(level) {
                break;
            }
        }
        if self.takes_word("sqlstate") || self.kind(0) == Some(&Kind::Text) {
            (self.kind(0)? == &Kind::Text).then_some(())?;
            self.at += 1;
            while self.takes_sign(",") {
                self.expression(&["using"], &[",", ";"])?;
            }
        } else if !self.is_word(0, "using") && !self.is_sign(0, ";") {
            // A condition's name.
            self.name()?;
        }
        if self.takes_word("using") {
            loop {
                self.name()?;
                if !self.takes_sign("=") {
                    self.sign(":=")?;
                }
                self.expression(&[], &[",", ";"])?;
                if !self.takes_sign(",") {
                    break;
                }
            }
        }
        self.sign(";")
    }

    /// `GET [CURRENT | STACKED] DIAGNOSTICS target = item, ...;`
    fn diagnostics(&mut self) -> Option<()> {
        self.at += 1;
        if !self.takes_word("current") {
            self.takes_word("stacked");
        }
        self.word("diagnostics")?;
        loop {
            self.target()?;
            if !self.takes_sign("=") {
                self.sign(":=")?;
            }
            self.name()?;
            if !self.takes_sign(",") {
                return self.sign(";");
            }
        }
    }

    /// A statement of SQL, whose INTO names variables.
    fn sql(&mut self) -> Option<()> {
        let from = self.at;
        let mut cut = None;
        while !self.is_sign(0, ";") {
            let before = self.at.checked_sub(1).filter(|at| *at >= from).and_then(|at| self.tokens.get(at));
            let table = before.is_some_and(|token| {
                matches!(&token.kind, Kind::Word(word) if matches!(word.as_str(), "insert" | "merge" | "import"))
            });
            if self.is_word(0, "into") && !table {
                if cut.is_some() {
                    return None;
                }
                let start = self.at;
                self.at += 1;
                self.takes_word("strict");
                loop {
                    self.target()?;
                    if !self.takes_sign(",") {
                        break;
                    }
                }
                cut = Some((start, self.at));
            } else {
                self.kind(0)?;
                self.at += 1;
            }
        }
        let end = self.at;
        let text = match cut {
            None => self.source(from, end)?.to_owned(),
            Some((start, to)) => {
                let rest = if to < end { self.source(to, end)? } else { "" };
                format!("{} {rest}", self.source(from, start)?)
            }
        };
        self.query(&text)?;
        self.sign(";")
    }
}
