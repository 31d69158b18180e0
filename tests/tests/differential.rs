//! PostgreSQL's own grammar and the parser for other dialects, held against each other over all statements at hand: the
//! corpora and PostgreSQL's regression suite. Where both read a statement, both must say the same of it.
//!
//! `cargo test -p sluice-tests --test differential -- --nocapture` prints the numbers.
#![expect(clippy::print_stdout, reason = "the numbers are what it is run for by hand")]

#[path = "corpus/entry.rs"]
#[expect(dead_code, reason = "the corpus' suite uses the rest of it")]
mod entry;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use gateway::sql::differential::{Comparison, compare, reasons, split};

/// What `cargo xtask test` has prepared.
fn suite() -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/regress/source/src/test/regress/sql");
    folder.canonicalize().context("no regression suite in target/regress: cargo xtask test prepares it")
}

/// The statements of a script for psql, without psql's own lines and what COPY reads.
fn statements(script: &str) -> Vec<String> {
    let (mut text, mut statement) = (String::new(), String::new());
    let mut data = false;
    for line in script.lines() {
        if data {
            data = line != "\\.";
            continue;
        }
        if line.trim_start().starts_with('\\') {
            continue;
        }
        // `select 1 \gset` ends as by a semicolon.
        let command = line.find(" \\").and_then(|at| line.split_at_checked(at));
        let line = match command {
            Some((before, rest)) if rest.starts_with(" \\g") && !before.contains('\'') => format!("{before};"),
            _ => line.replace("\\;", ";"),
        };
        let line = without_colons(&line);
        text.push_str(&line);
        text.push('\n');
        statement.push_str(&line.to_ascii_lowercase());
        if line.trim_end().ends_with(';') {
            data = statement.trim_start().starts_with("copy") && statement.contains("from stdin");
            statement.clear();
        }
    }
    split(&text)
}

/// psql's `:'variable'` and `:"variable"` as a literal and a name.
fn without_colons(line: &str) -> String {
    let mut out = String::new();
    let (mut last, mut chars) = (' ', line.chars().peekable());
    while let Some(c) = chars.next() {
        let quoted = matches!(chars.peek(), Some('\'' | '"'));
        if !(c == ':' && quoted && last != ':' && !last.is_alphanumeric()) {
            out.push(c);
        }
        last = c;
    }
    out
}

/// What became of statements, and the first few of those that differ.
#[derive(Default)]
struct Counts {
    all: usize,
    invalid: usize,
    unread: usize,
    same: usize,
    alike: usize,
    opaque: BTreeMap<&'static str, usize>,
    known: BTreeMap<&'static str, usize>,
    different: Vec<String>,
}

impl Counts {
    fn count(&mut self, text: &str) {
        self.all += 1;
        match compare(text) {
            Comparison::Invalid => self.invalid += 1,
            Comparison::Unread => self.unread += 1,
            Comparison::Same => self.same += 1,
            Comparison::Alike => self.alike += 1,
            Comparison::Opaque(what) => *self.opaque.entry(what).or_default() += 1,
            Comparison::Known(reason) => *self.known.entry(reason).or_default() += 1,
            Comparison::Different(how) => self.different.push(format!("{text}\n    {how}")),
        }
    }

    /// How many both read.
    fn read(&self) -> usize {
        self.same
            + self.alike
            + self.opaque.values().sum::<usize>()
            + self.known.values().sum::<usize>()
            + self.different.len()
    }

    fn print(&self, title: &str) {
        println!("{title}: {} statements", self.all);
        println!("  {:6} refused by PostgreSQL's grammar", self.invalid);
        println!("  {:6} refused by the other parser", self.unread);
        println!("  {:6} read by both, of which", self.read());
        println!("  {:6}   have one and the same form", self.same);
        println!("  {:6}   have forms that say the same", self.alike);
        for (what, count) in &self.opaque {
            println!("  {count:6}   unknown to the other: {what}");
        }
        for (reason, count) in &self.known {
            println!("  {count:6}   differ, since {reason}");
        }
        println!("  {:6}   differ, and nobody knows why", self.different.len());
    }

    fn check(mut self) -> Result<()> {
        self.different.sort_by_key(String::len);
        let few: Vec<_> = self.different.iter().take(10).map(String::as_str).collect();
        ensure!(
            few.is_empty(),
            "{} statements are read differently, such as\n{}",
            self.different.len(),
            few.join("\n")
        );
        Ok(())
    }
}

/// Every statement of the corpora.
fn corpora() -> Result<Vec<String>> {
    let mut texts = Vec::new();
    for kind in ["leaks", "effects", "harmless"] {
        for entry in entry::read(kind)? {
            for step in entry.steps {
                match step {
                    entry::Step::Sql(statement) => texts.push(statement.text),
                    entry::Step::Parse(_, text) => texts.push(text),
                    _ => {}
                }
            }
        }
    }
    Ok(texts)
}

#[test]
fn what_both_read_says_the_same_to_both() -> Result<()> {
    let mut corpus = Counts::default();
    for text in corpora()? {
        corpus.count(&text);
    }
    let mut files: Vec<_> = fs::read_dir(suite()?)?.flatten().map(|file| file.path()).collect();
    files.retain(|path| path.extension().is_some_and(|kind| kind == "sql"));
    files.sort();
    let (mut counts, mut pairs) = (Counts::default(), Counts::default());
    for file in files {
        let script = fs::read(&file)?;
        let mut before: Option<String> = None;
        for text in statements(&String::from_utf8_lossy(&script)) {
            let read = counts.read();
            counts.count(&text);
            let both = counts.read() > read;
            // Two in one message: where the one ends, the other begins.
            if let (Some(before), true) = (&before, both) {
                pairs.count(&format!("{before}\n;{text}"));
            }
            before = both.then_some(text);
        }
    }
    corpus.print("the corpora");
    counts.print("PostgreSQL's regression suite");
    pairs.print("two neighbours in one text");
    ensure!(counts.all > 30_000 && corpus.all > 1_000, "only {} and {} statements", counts.all, corpus.all);
    ensure!(counts.read() * 10 > counts.all * 9, "only {} were read by both", counts.read());
    for reason in reasons() {
        let known = counts.known.contains_key(reason) || corpus.known.contains_key(reason);
        ensure!(known, "no statement differs any more since {reason}");
    }
    corpus.check()?;
    counts.check()?;
    pairs.check()
}
