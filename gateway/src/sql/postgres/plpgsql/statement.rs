//! The statements of a body, one of each kind: what is computed and run in it, and what values are put into.

use super::tokens::{Kind, RESERVED};
use super::{Declared, MAX_NESTED, Reader, Variable};

/// The longest subject of a CASE, in bytes: it is read again for each WHEN.
const MAX_SUBJECT: usize = 200;

impl Reader<'_> {
    pub(super) fn statement(&mut self) -> Option<()> {
        if self.tokens.is_sign(0, "<<") {
            // A block takes its own.
            let loops =
                matches!(self.tokens.kind(3), Some(Kind::Word(word)) if !matches!(word.as_str(), "declare" | "begin"));
            if !loops {
                return self.block_statement();
            }
            self.label()?;
        }
        let word = match self.tokens.kind(0)? {
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
                self.tokens.skip();
                self.tokens.sign(";")
            }
            "loop" => self.repeated(),
            "while" => {
                self.tokens.skip();
                self.expression(&["loop"], &[])?;
                self.repeated()
            }
            _ if RESERVED.contains(&word.as_str()) => None,
            _ if self.is_assignment() => self.assignment(),
            "exit" | "continue" => {
                self.tokens.skip();
                if !self.tokens.is_word(0, "when") && !self.tokens.is_sign(0, ";") {
                    self.tokens.name()?;
                }
                if self.tokens.takes_word("when") {
                    self.expression(&[], &[";"])?;
                }
                self.tokens.sign(";")
            }
            "return" => self.returned(),
            "raise" => self.raised(),
            "assert" => {
                self.tokens.skip();
                self.expression(&[], &[",", ";"])?;
                if self.tokens.takes_sign(",") {
                    self.expression(&[], &[";"])?;
                }
                self.tokens.sign(";")
            }
            "get" => self.diagnostics(),
            "perform" => {
                self.tokens.skip();
                self.expression(&[], &[";"])?;
                self.tokens.sign(";")
            }
            _ => self.sql(),
        }
    }

    fn block_statement(&mut self) -> Option<()> {
        self.block()?;
        self.tokens.sign(";")
    }

    /// `LOOP ... END LOOP [label];`
    fn repeated(&mut self) -> Option<()> {
        self.body.loops = true;
        self.nested = self.nested.checked_add(1).filter(|nested| *nested <= MAX_NESTED)?;
        self.tokens.word("loop")?;
        self.statements()?;
        self.tokens.word("end")?;
        self.tokens.word("loop")?;
        if !self.tokens.is_sign(0, ";") {
            self.tokens.name()?;
        }
        self.nested = self.nested.saturating_sub(1);
        self.tokens.sign(";")
    }

    fn condition(&mut self) -> Option<()> {
        self.nested = self.nested.checked_add(1).filter(|nested| *nested <= MAX_NESTED)?;
        self.tokens.skip();
        self.expression(&["then"], &[])?;
        self.tokens.skip();
        self.statements()?;
        while self.tokens.takes_word("elsif") || self.tokens.takes_word("elseif") {
            self.expression(&["then"], &[])?;
            self.tokens.skip();
            self.statements()?;
        }
        if self.tokens.takes_word("else") {
            self.statements()?;
        }
        self.nested = self.nested.saturating_sub(1);
        self.tokens.word("end")?;
        self.tokens.word("if")?;
        self.tokens.sign(";")
    }

    /// `CASE [subject] WHEN values THEN ... END CASE;`: a subject is looked for among the values.
    fn case(&mut self) -> Option<()> {
        self.nested = self.nested.checked_add(1).filter(|nested| *nested <= MAX_NESTED)?;
        self.tokens.skip();
        let subject = if self.tokens.is_word(0, "when") {
            None
        } else {
            let from = self.tokens.at();
            let text = self.tokens.source_until(&["when"], &[])?;
            // The server puts it into a variable: a literal is a text there.
            let untyped = self.tokens.is_literal_since(from)?;
            Some(Some(text).filter(|text| !untyped && text.len() <= MAX_SUBJECT)?)
        };
        if let Some(subject) = subject {
            self.query(&format!("select {subject}"))?;
        }
        while self.tokens.takes_word("when") {
            let values = self.tokens.source_until(&["then"], &[])?;
            let text = match subject {
                Some(subject) => format!("select ({subject}) in ({values})"),
                None => format!("select {values}"),
            };
            self.query(&text)?;
            self.tokens.skip();
            self.statements()?;
        }
        if self.tokens.takes_word("else") {
            self.statements()?;
        }
        self.nested = self.nested.saturating_sub(1);
        self.tokens.word("end")?;
        self.tokens.word("case")?;
        self.tokens.sign(";")
    }

    /// `FOR i IN [REVERSE] a..b [BY c] LOOP`, `FOR r IN query LOOP`.
    fn counted(&mut self) -> Option<()> {
        self.tokens.skip();
        let before = self.body.assigned.len();
        self.targets()?;
        self.tokens.word("in")?;
        if self.tokens.is_word(0, "execute") {
            return None;
        }
        let first = self.tokens.at();
        let reversed = self.tokens.takes_word("reverse");
        let from = self.tokens.until(&["loop"], &[".."])?;
        if self.tokens.is_sign(0, "..") {
            let text = self.tokens.source(from, self.tokens.at())?;
            self.query(&format!("select {text}"))?;
            self.tokens.skip();
            self.expression(&["loop", "by"], &[])?;
            if self.tokens.takes_word("by") {
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
            let text = self.tokens.source(first, self.tokens.at())?;
            self.query(text)?;
        }
        self.repeated()
    }

    /// `FOREACH x [SLICE n] IN ARRAY a LOOP`
    fn each(&mut self) -> Option<()> {
        self.tokens.skip();
        self.targets()?;
        if self.tokens.takes_word("slice") {
            // A number that stands there.
            self.tokens.skip();
        }
        self.tokens.word("in")?;
        self.tokens.word("array")?;
        self.expression(&["loop"], &[])?;
        self.repeated()
    }

    /// `target := expression;`
    fn assignment(&mut self) -> Option<()> {
        let from = self.tokens.at();
        self.target()?;
        while self.tokens.takes_sign("[") {
            self.tokens.until(&[], &["]"])?;
            self.tokens.skip();
        }
        let target = self.tokens.source(from, self.tokens.at())?;
        self.tokens.assign()?;
        // The places in it are computed.
        self.query(&format!("select {target}"))?;
        self.expression(&[], &[";"])?;
        self.tokens.sign(";")
    }

    fn returned(&mut self) -> Option<()> {
        self.tokens.skip();
        if self.tokens.takes_word("query") {
            if self.tokens.is_word(0, "execute") {
                return None;
            }
            let text = self.tokens.source_until(&[], &[";"])?;
            self.query(text)?;
            self.body.computes = true;
            return self.tokens.sign(";");
        }
        self.body.computes |= self.tokens.takes_word("next");
        let whole = (self.tokens.is_word(0, "new") || self.tokens.is_word(0, "old")) && self.tokens.is_sign(1, ";");
        if whole {
            // What a trigger gives back is the row that it was given, and what it has put into that.
            self.tokens.skip();
        } else if !self.tokens.is_sign(0, ";") {
            self.body.computes |= !(self.tokens.is_word(0, "null") && self.tokens.is_sign(1, ";"));
            self.expression(&[], &[";"])?;
        }
        self.tokens.sign(";")
    }

    /// `RAISE [level] 'format' [, expression ...] [USING option = expression, ...];`
    fn raised(&mut self) -> Option<()> {
        self.tokens.skip();
        for level in ["debug", "log", "info", "notice", "warning", "exception"] {
            if self.tokens.takes_word(level) {
                break;
            }
        }
        if self.tokens.takes_word("sqlstate") || self.tokens.kind(0) == Some(&Kind::Text) {
            (self.tokens.kind(0)? == &Kind::Text).then_some(())?;
            self.tokens.skip();
            while self.tokens.takes_sign(",") {
                self.expression(&["using"], &[",", ";"])?;
            }
        } else if !self.tokens.is_word(0, "using") && !self.tokens.is_sign(0, ";") {
            // A condition's name.
            self.tokens.name()?;
        }
        if self.tokens.takes_word("using") {
            loop {
                self.tokens.name()?;
                self.tokens.assign()?;
                self.expression(&[], &[",", ";"])?;
                if !self.tokens.takes_sign(",") {
                    break;
                }
            }
        }
        self.tokens.sign(";")
    }

    /// `GET [CURRENT | STACKED] DIAGNOSTICS target = item, ...;`
    fn diagnostics(&mut self) -> Option<()> {
        self.tokens.skip();
        if !self.tokens.takes_word("current") {
            self.tokens.takes_word("stacked");
        }
        self.tokens.word("diagnostics")?;
        loop {
            self.target()?;
            self.tokens.assign()?;
            self.tokens.name()?;
            if !self.tokens.takes_sign(",") {
                return self.tokens.sign(";");
            }
        }
    }

    /// A statement of SQL, whose INTO names variables.
    fn sql(&mut self) -> Option<()> {
        let from = self.tokens.at();
        let mut cut = None;
        while !self.tokens.is_sign(0, ";") {
            let table = self.tokens.is_behind(from, &["insert", "merge", "import"]);
            if self.tokens.is_word(0, "into") && !table {
                if cut.is_some() {
                    return None;
                }
                let start = self.tokens.at();
                self.tokens.skip();
                self.tokens.takes_word("strict");
                self.targets()?;
                cut = Some((start, self.tokens.at()));
            } else {
                self.tokens.kind(0)?;
                self.tokens.skip();
            }
        }
        let end = self.tokens.at();
        let text = match cut {
            None => self.tokens.source(from, end)?.to_owned(),
            Some((start, to)) => {
                let rest = if to < end { self.tokens.source(to, end)? } else { "" };
                format!("{} {rest}", self.tokens.source(from, start)?)
            }
        };
        self.query(&text)?;
        self.tokens.sign(";")
    }
}
