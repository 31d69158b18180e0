//! Patterns in the configuration: which cgroups, which objects.

use std::fmt;

use super::{CgroupPattern, ObjectPattern};

/// Why a pattern does not parse, and what would.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PatternError {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

fn error<T>(message: impl Into<String>, help: impl Into<String>) -> Result<T, PatternError> {
    Err(PatternError { message: message.into(), help: help.into() })
}

// === impl CgroupPattern ===

impl CgroupPattern {
    /// Parses `/ci.slice/nightly-*`.
    ///
    /// # Errors
    /// Not absolute, the root itself, an empty segment, `.` or `..`, a segment that no cgroup can be named.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        const EXAMPLE: &str = "write the path below the cgroup root, as in \"/ci.slice/nightly-*\"";
        let Some(path) = text.strip_prefix('/') else { return error(format!("{text:?} is not absolute"), EXAMPLE) };
        if path.is_empty() {
            return error("the root holds every process, the gateway too", EXAMPLE);
        }
        let segments: Vec<String> = path.split('/').map(str::to_owned).collect();
        for segment in &segments {
            if segment.is_empty() {
                return error(format!("{text:?} has an empty segment"), "leave out the extra slash");
            }
            if segment == "." || segment == ".." {
                return error(format!("{text:?} has a segment {segment:?}"), EXAMPLE);
            }
            if segment == "**" {
                return error(
                    "`**` is not known: `*` stands for part of one segment",
                    "cgroups below a match are covered anyway: leave it out",
                );
            }
            if segment.len() > 255 {
                return error("a segment is longer than 255 bytes, which no cgroup's name is", EXAMPLE);
            }
        }
        Ok(CgroupPattern { segments })
    }

    /// Whether `path`, from the root of cgroup v2, is such a cgroup. A cgroup below one is not.
    pub fn matches(&self, path: &str) -> bool {
        let mut segments = path.split('/').filter(|segment| !segment.is_empty());
        self.segments.iter().all(|pattern| segments.next().is_some_and(|segment| glob(pattern, segment)))
            && segments.next().is_none()
    }

    /// Whether `path` is such a cgroup or below one.
    pub fn covers(&self, path: &str) -> bool {
        let mut segments = path.split('/').filter(|segment| !segment.is_empty());
        self.segments.iter().all(|pattern| segments.next().is_some_and(|segment| glob(pattern, segment)))
    }
}

impl fmt::Display for CgroupPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.segments.iter().try_for_each(|segment| write!(f, "/{segment}"))
    }
}

/// Whether `text` is `pattern` with something, or nothing, for every `*`. Without backtracking: the leftmost place for
/// each literal part is the best one.
fn glob(pattern: &str, text: &str) -> bool {
    glob_parts(&pattern.split('*').collect::<Vec<_>>(), text)
}

fn glob_parts(parts: &[&str], text: &str) -> bool {
    let [first, middle @ .., last] = parts else {
        return parts.first().is_some_and(|only| *only == text);
    };
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

// === impl ObjectPattern ===

/// A part of an object pattern as it is kept: `\` before a `*` or `\` that stands for itself.
fn escape(out: &mut String, c: char) {
    if matches!(c, '*' | '\\') {
        out.push('\\');
    }
    out.push(c);
}

/// Whether a part of an object pattern matches a name.
fn matches_part(pattern: &str, name: &str) -> bool {
    let mut parts = vec![String::new()];
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' => parts.push(String::new()),
            c => {
                let literal = if c == '\\' { chars.next() } else { Some(c) };
                if let Some(part) = parts.last_mut() {
                    part.extend(literal);
                }
            }
        }
    }
    glob_parts(&parts.iter().map(String::as_str).collect::<Vec<_>>(), name)
}

impl ObjectPattern {
    /// Parses `[database/]schema.table[.column]`, parts quoted as SQL quotes them. An unquoted `*` stands for part of
    /// one name; in quotes it is itself.
    ///
    /// # Errors
    /// Too few or too many parts, an unquoted part that SQL would not read as it stands, an unclosed quote.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        const EXAMPLE: &str = "write \"schema.table\", \"schema.table.column\" or \"database/schema.table.column\", `*` for part of a name";
        let mut chars = text.chars().peekable();
        let mut database = None;
        let mut parts = Vec::new();
        loop {
            parts.push(parse_part(text, &mut chars)?);
            match chars.next() {
                None => break,
                Some('.') => {}
                Some('/') if database.is_none() && parts.len() == 1 => database = parts.pop(),
                Some(c) => return error(format!("{text:?} has an unexpected {c:?}"), EXAMPLE),
            }
        }
        let mut parts = parts.into_iter();
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(schema), Some(table), column, None) => {
                Ok(ObjectPattern { database, schema, table, column, text: text.to_owned() })
            }
            _ => error(format!("{text:?} is not the name of a table or a column"), EXAMPLE),
        }
    }

    /// Whether the pattern gives its tags to a relation or function (`column` absent) or to a column. A pattern of a
    /// whole table means each of its columns too.
    pub fn matches(&self, database: &str, schema: &str, relation: &str, column: Option<&str>) -> bool {
        let column_matches = match (&self.column, column) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(pattern), Some(column)) => matches_part(pattern, column),
        };
        column_matches && self.matches_table(database, schema, relation)
    }

    /// The column's name, where the pattern is of one.
    pub fn one_column(&self) -> Option<String> {
        let mut name = String::new();
        let mut chars = self.column.as_ref()?.chars();
        while let Some(c) = chars.next() {
            match c {
                '*' => return None,
                '\\' => name.extend(chars.next()),
                c => name.push(c),
            }
        }
        Some(name)
    }

    /// Whether the pattern is for that database.
    pub fn is_for(&self, database: &str) -> bool {
        self.database.as_ref().is_none_or(|pattern| matches_part(pattern, database))
    }

    /// Whether the pattern is of that relation or of a column of it.
    pub fn matches_table(&self, database: &str, schema: &str, relation: &str) -> bool {
        self.is_for(database) && matches_part(&self.schema, schema) && matches_part(&self.table, relation)
    }
}

fn parse_part(text: &str, chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<String, PatternError> {
    let mut part = String::new();
    if chars.next_if_eq(&'"').is_some() {
        loop {
            match chars.next() {
                None => return error(format!("{text:?} has a quote that is not closed"), "close it with a second one"),
                Some('"') if chars.next_if_eq(&'"').is_none() => break,
                Some(c) => escape(&mut part, c),
            }
        }
    } else {
        while let Some(c) = chars.next_if(|c| !matches!(c, '.' | '/' | '"')) {
            match c {
                '*' => part.push('*'),
                'A'..='Z' => {
                    return error(
                        format!("{text:?} has a capital letter outside quotes, which SQL reads as a small one"),
                        "write it small, or put the name in double quotes if it was created that way",
                    );
                }
                'a'..='z' | '0'..='9' | '_' | '$' => part.push(c),
                c if !c.is_ascii() => part.push(c),
                c => return error(format!("{text:?} has {c:?} outside quotes"), "put the name in double quotes"),
            }
        }
    }
    if part.is_empty() {
        return error(format!("{text:?} has an empty part"), "write `*` for any name");
    }
    Ok(part)
}

impl fmt::Display for ObjectPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cgroup(text: &str) -> CgroupPattern {
        CgroupPattern::parse(text).unwrap()
    }

    fn object(text: &str) -> ObjectPattern {
        ObjectPattern::parse(text).unwrap()
    }

    #[test]
    fn a_star_stays_in_its_segment() {
        let pattern = cgroup("/ci.slice/nightly-*");
        assert!(pattern.matches("/ci.slice/nightly-7"));
        assert!(pattern.matches("/ci.slice/nightly-"));
        assert!(!pattern.matches("/ci.slice/nightly-7/child"));
        assert!(pattern.covers("/ci.slice/nightly-7/child"));
        assert!(!pattern.covers("/ci.slice/weekly-7"));
        assert!(!pattern.covers("/ci.slice"));
        assert!(!pattern.covers("/x/ci.slice/nightly-7"));
    }

    #[test]
    fn several_stars_need_no_backtracking() {
        let pattern = cgroup("/a*b*c");
        assert!(pattern.matches("/abc") && pattern.matches("/aXbYc") && pattern.matches("/abcbc"));
        assert!(!pattern.matches("/acb") && !pattern.matches("/ab"));
        assert!(!cgroup("/aa*aa").matches("/aaa"), "a star does not let two parts share a letter");
    }

    #[test]
    fn paths_that_name_no_cgroup_are_refused() {
        for bad in ["ci.slice", "/", "", "/a//b", "/a/../b", "/a/", "/a/**"] {
            assert!(CgroupPattern::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn object_patterns_quote_as_sql_does() {
        let column = object("public.users.ssn");
        assert!(column.matches("any", "public", "users", Some("ssn")));
        assert!(!column.matches("any", "public", "users", Some("name")));
        assert!(!column.matches("any", "public", "users", None), "a column's tags are not its table's");
        let table = object("appdb/*.user*");
        assert!(table.matches("appdb", "crm", "users", None) && table.matches("appdb", "crm", "users", Some("ssn")));
        assert!(!table.matches("other", "crm", "users", None));
        let quoted = object(r#"public."My.T""able*".*"#);
        assert!(quoted.matches("d", "public", "My.T\"able*", Some("x")));
        assert!(!quoted.matches("d", "public", "My.T\"ableX", Some("x")), "a quoted star is a star");
        assert!(object(r#"public."back\slash""#).matches("d", "public", "back\\slash", None));
    }

    #[test]
    fn objects_that_sql_would_read_otherwise_are_refused() {
        for bad in
            ["users", "a.b.c.d", "public.Users", "public.\"users", "a..b", "d/e/s.t", "public.a b", "", "s.t\"x\""]
        {
            assert!(ObjectPattern::parse(bad).is_err(), "{bad}");
        }
    }
}
