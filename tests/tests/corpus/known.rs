//! `tests/corpus/known.txt`: the entries that are known to fail. The list only shrinks.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

/// The list.
const KNOWN: &str = include_str!("../../corpus/known.txt");

/// Whether an entry is on the list.
pub(crate) fn is_known(name: &str) -> bool {
    KNOWN.lines().any(|line| line.trim() == name)
}

/// What went wrong with entries, and in which form.
#[derive(Default)]
pub(crate) struct Verdicts {
    ran: BTreeSet<String>,
    failed: BTreeSet<String>,
    lines: Vec<String>,
}

impl Verdicts {
    /// Notes that an entry ran.
    pub(crate) fn ran(&mut self, name: &str) {
        self.ran.insert(name.to_owned());
    }

    /// Notes that it failed.
    pub(crate) fn failed(&mut self, name: &str, form: &str, why: &str) {
        self.failed.insert(name.to_owned());
        self.lines.push(format!("{name} | {form} | {why}"));
    }

    /// Takes another's in.
    pub(crate) fn add(&mut self, other: Self) {
        self.ran.extend(other.ran);
        self.failed.extend(other.failed);
        self.lines.extend(other.lines);
        self.lines.sort();
    }

    /// Fails if anything went wrong.
    pub(crate) fn clean(self, what: &str) -> Result<()> {
        ensure!(self.lines.is_empty(), "{what}:\n{}", self.lines.join("\n"));
        Ok(())
    }

    /// Fails if an entry failed that is not known to, or one passed that is. All that went wrong is in `target/tmp/corpus`.
    pub(crate) fn settle(self, kind: &str, at_least: usize) -> Result<()> {
        let all = KNOWN.lines().map(str::trim);
        let known: BTreeSet<&str> =
            all.filter(|line| !line.starts_with('#') && line.starts_with(&format!("{kind}/"))).collect();
        let only = std::env::var("CORPUS_ONLY").ok();
        let new: Vec<&String> = self
            .lines
            .iter()
            .filter(|line| only.is_some() || !known.contains(line.split(" | ").next().unwrap_or_default()))
            .collect();
        let passed = |name: &&&str| self.ran.contains(**name) && !self.failed.contains(**name);
        let mended: Vec<&&str> = known.iter().filter(passed).collect();
        let missing: Vec<&&str> = known.iter().filter(|name| only.is_none() && !self.ran.contains(**name)).collect();
        let mut report =
            format!("{kind}: {} entries, {} failed, {} known", self.ran.len(), self.failed.len(), known.len());
        for (what, names) in [("passes and is listed as known", &mended), ("is listed and does not exist", &missing)] {
            names.iter().for_each(|name| report.push_str(&format!("\n{what}: {name}")));
        }
        new.iter().for_each(|line| report.push_str(&format!("\nFAILED {line}")));
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("corpus");
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(kind), self.lines.join("\n") + "\n")?;
        ensure!(new.is_empty() && mended.is_empty() && missing.is_empty(), "{report}");
        ensure!(only.is_some() || self.ran.len() >= at_least, "{report}: at least {at_least} are promised");
        Ok(())
    }
}

/// Whether an entry is wanted in this run: `CORPUS_ONLY` is a part of the names of those that are.
pub(crate) fn wanted(name: &str) -> bool {
    std::env::var("CORPUS_ONLY").map_or(true, |only| name.contains(&only))
}
