//! What is wrong in a file of the operator's: where, what, and the way out. Shared by configuration and policies.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// One error in one place of one file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// The file, as it was named.
    pub file: PathBuf,
    /// From 1; absent: the file as a whole.
    pub line: Option<usize>,
    /// From 1, in characters; absent with `line`.
    pub column: Option<usize>,
    /// The key, `resources.orders.tls.mode`, or the policy's id; absent: neither.
    pub key: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Problem {
    /// A problem with a file as a whole.
    pub fn whole_file(file: &Path, message: impl Into<String>, help: impl Into<String>) -> Self {
        let (message, help) = (message.into(), Some(help.into()));
        Problem { file: file.to_owned(), line: None, column: None, key: None, message, help }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, ":{line}:{column}")?;
        }
        if let Some(key) = &self.key {
            write!(f, ": {}", visible(key))?;
        }
        write!(f, ": {}", visible(&self.message))?;
        if let Some(help) = &self.help {
            write!(f, "\n    {}", visible(help))?;
        }
        Ok(())
    }
}

/// Escapes what would move a terminal's cursor or reorder its text: a file may quote anything.
fn visible(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let hidden = c != '\n' && !matches!(c, '"' | '\'' | '\\') && c.escape_debug().len() > 1;
            let escaped = hidden.then(|| c.escape_debug());
            escaped.into_iter().flatten().chain((!hidden).then_some(c))
        })
        .collect()
}

/// Every error that was found, in the order of files and lines. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, thiserror::Error)]
#[serde(transparent)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Sorted by place.
    pub fn new(mut problems: Vec<Problem>) -> Self {
        // The same place may be read twice, for itself and for what compares it with others.
        problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        problems.dedup();
        Problems(problems)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

/// A file's text with the places of its lines.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    file: &'a Path,
    text: &'a str,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(file: &'a Path, text: &'a str) -> Self {
        Lines { file, text }
    }

    /// A problem at a byte range of the text; a range outside it means the text's end.
    pub(crate) fn problem(
        &self,
        span: Range<usize>,
        key: Option<String>,
        message: impl Into<String>,
        help: Option<String>,
    ) -> Problem {
        let (line, column) = self.position(span.start);
        Problem {
            file: self.file.to_owned(),
            line: Some(line),
            column: Some(column),
            key,
            message: message.into(),
            help,
        }
    }

    fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.char_indices().take_while(|(at, _)| *at < offset);
        before.fold((1, 1), |(line, column), (_, c)| if c == '\n' { (line + 1, 1) } else { (line, column + 1) })
    }
}

/// The candidate that `word` was most likely meant to be, if one is near enough.
pub(crate) fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let limit = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many characters have to be put in, left out or replaced to turn one word into the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((cb, diagonal), above) in b.iter().zip(&row).zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or_default();
            next.push((diagonal + usize::from(ca != *cb)).min(left + 1).min(above + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_names_line_and_column_in_characters() {
        let lines = Lines::new(Path::new("f"), "ä = 1\nöö = 2\n");
        let at = "ä = 1\nöö = 2\n".find('2').unwrap();
        let problem = lines.problem(at..at + 1, Some("öö".into()), "is two", Some("use one".into()));
        assert_eq!(problem.to_string(), "f:2:6: öö: is two\n    use one");
    }

    #[test]
    fn nothing_in_a_problem_reaches_the_terminal_raw() {
        let problem = Problem::whole_file(Path::new("f"), "bad \u{1b}[2J \u{202e}x \"q\"", "h");
        assert_eq!(problem.to_string(), "f: bad \\u{1b}[2J \\u{202e}x \"q\"\n    h");
    }

    #[test]
    fn a_typing_error_finds_its_word_and_a_stranger_none() {
        let words = ["state_dir", "policies", "intercept"];
        assert_eq!(nearest("polices", words), Some("policies"));
        assert_eq!(nearest("statedir", words), Some("state_dir"));
        assert_eq!(nearest("listeners", words), None);
    }
}
