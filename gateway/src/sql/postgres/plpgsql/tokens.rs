//! The tokens of a body, as PostgreSQL's own scanner finds them, and a place among them.

/// The longest name that is not cut, in bytes.
const MAX_NAME: usize = 63;

/// PL/pgSQL's own reserved words (`pl_reserved_kwlist.h`): they are no names, wherever they stand.
pub(super) const RESERVED: [&str; 24] = [
    "all", "begin", "by", "case", "declare", "else", "end", "execute", "for", "foreach", "from", "if", "in", "into",
    "loop", "not", "null", "or", "strict", "then", "to", "using", "when", "while",
];

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
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

/// A body's tokens, read from the first to the last.
pub(super) struct Tokens<'t> {
    text: &'t str,
    all: Vec<Token>,
    /// The place of the next one.
    at: usize,
}

impl<'t> Tokens<'t> {
    pub(super) fn of(text: &'t str) -> Option<Self> {
        // Not `scan_tokens`: of a text that has none it makes a slice of a null pointer.
        let scanned = pg_query::scan(text).ok()?.tokens;
        let mut all = Vec::with_capacity(scanned.len());
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
            all.push(Token { kind, start, end });
        }
        Some(Tokens { text, all, at: 0 })
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.all.len()
    }

    pub(super) fn skip(&mut self) {
        self.at += 1;
    }

    pub(super) fn go_back(&mut self, at: usize) {
        self.at = at;
    }

    pub(super) fn kind(&self, ahead: usize) -> Option<&Kind> {
        self.all.get(self.at.checked_add(ahead)?).map(|token| &token.kind)
    }

    pub(super) fn is_word(&self, ahead: usize, word: &str) -> bool {
        matches!(self.kind(ahead), Some(Kind::Word(found)) if found == word)
    }

    pub(super) fn is_sign(&self, ahead: usize, sign: &str) -> bool {
        self.at.checked_add(ahead).is_some_and(|at| self.is_sign_at(at, sign))
    }

    fn is_sign_at(&self, at: usize, sign: &str) -> bool {
        let token = self.all.get(at);
        token.is_some_and(|token| token.kind == Kind::Sign && self.text.get(token.start..token.end) == Some(sign))
    }

    pub(super) fn takes_word(&mut self, word: &str) -> bool {
        let found = self.is_word(0, word);
        self.at += usize::from(found);
        found
    }

    pub(super) fn takes_sign(&mut self, sign: &str) -> bool {
        let found = self.is_sign(0, sign);
        self.at += usize::from(found);
        found
    }

    /// `:=` or `=`, which say the same.
    pub(super) fn takes_assign(&mut self) -> bool {
        self.takes_sign(":=") || self.takes_sign("=")
    }

    pub(super) fn word(&mut self, word: &str) -> Option<()> {
        self.takes_word(word).then_some(())
    }

    pub(super) fn sign(&mut self, sign: &str) -> Option<()> {
        self.takes_sign(sign).then_some(())
    }

    pub(super) fn assign(&mut self) -> Option<()> {
        self.takes_assign().then_some(())
    }

    /// A name; PL/pgSQL's reserved words are none.
    pub(super) fn name(&mut self) -> Option<String> {
        let name = match self.kind(0)? {
            Kind::Word(word) if RESERVED.contains(&word.as_str()) => return None,
            Kind::Word(name) | Kind::Quoted(name) => name.clone(),
            Kind::Text | Kind::Sign => return None,
        };
        self.at += 1;
        Some(name)
    }

    /// `a.b.c`
    pub(super) fn path(&mut self) -> Option<Vec<String>> {
        let mut path = vec![self.name()?];
        while self.is_sign(0, ".") {
            self.at += 1;
            path.push(self.name()?);
        }
        Some(path)
    }

    /// The source from one token up to another.
    pub(super) fn source(&self, from: usize, to: usize) -> Option<&'t str> {
        let (first, last) = (self.all.get(from)?, self.all.get(to.checked_sub(1)?)?);
        if from < to { self.text.get(first.start..last.end) } else { None }
    }

    /// The source up to the first of these words and signs, as [`Tokens::until`] finds it.
    pub(super) fn source_until(&mut self, words: &[&str], signs: &[&str]) -> Option<&'t str> {
        let from = self.until(words, signs)?;
        self.source(from, self.at)
    }

    /// Goes on to the first of these words and signs outside of brackets, and is before it then; from where it came.
    pub(super) fn until(&mut self, words: &[&str], signs: &[&str]) -> Option<usize> {
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

    /// The place of the first such sign from one token up to another.
    pub(super) fn find_sign(&self, from: usize, to: usize, sign: &str) -> Option<usize> {
        (from..to).find(|at| self.is_sign_at(*at, sign))
    }

    /// Whether what was read from that token on is a text or NULL, in brackets or not.
    pub(super) fn is_literal_since(&self, from: usize) -> Option<bool> {
        let literal = |token: &Token| match &token.kind {
            Kind::Text => true,
            Kind::Word(word) => word == "null",
            Kind::Sign => matches!(self.text.get(token.start..token.end), Some("(" | ")")),
            Kind::Quoted(_) => false,
        };
        Some(self.all.get(from..self.at)?.iter().all(literal))
    }

    /// Whether the token before this one is one of these words, and not before that one.
    pub(super) fn is_behind(&self, from: usize, words: &[&str]) -> bool {
        let before = self.at.checked_sub(1).filter(|at| *at >= from).and_then(|at| self.all.get(at));
        before.is_some_and(|token| matches!(&token.kind, Kind::Word(word) if words.contains(&word.as_str())))
    }
}
