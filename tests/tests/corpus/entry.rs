//! The corpora's files: see `tests/corpus/README.md` for what they may hold.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// How a statement is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A Query message.
    Simple,
    /// Parse, Bind, Execute: nobody asks what the rows are.
    Blind,
    /// With Describe of the statement and of the portal.
    Described,
    /// With Describe of the portal; results in binary.
    Binary,
}

impl Form {
    pub(crate) const ALL: [Self; 4] = [Self::Simple, Self::Blind, Self::Described, Self::Binary];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Blind => "blind",
            Self::Described => "described",
            Self::Binary => "binary",
        }
    }
}

/// What must happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// As directly, but for the masks: of these columns, or of those in which a direct row holds a sensitive value.
    Masked(Option<Vec<usize>>),
    /// The gateway refuses a step.
    Refused,
    /// Whatever does not leak.
    Either,
    /// The server's error of this SQLSTATE.
    Error(String),
    /// Exactly as directly.
    Same,
}

/// One statement.
#[derive(Clone, Debug, Default)]
pub(crate) struct Statement {
    pub(crate) text: String,
    pub(crate) params: Vec<Option<String>>,
    pub(crate) copy: Option<Vec<u8>>,
    pub(crate) limit: Option<i32>,
}

impl Statement {
    pub(crate) fn plain(text: &str) -> Self {
        Self { text: text.to_owned(), ..Self::default() }
    }
}

/// One thing that a session says.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Sql(Statement),
    /// Parse and Describe of a named statement.
    Parse(String, String),
    /// Bind and Execute of it, without Describe.
    Execute(String, Vec<Option<String>>),
    /// Bind of a named portal.
    Bind(String, String, Vec<Option<String>>),
    /// Execute of it, up to so many rows.
    Portal(String, i32),
    /// FunctionCall; the function as `regprocedure` reads it, then by its OID.
    Call(String, Vec<String>),
    /// A message as it stands.
    Raw(u8, Vec<u8>),
}

/// One entry.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// `leaks/views: plain`.
    pub(crate) name: String,
    pub(crate) expect: Expect,
    pub(crate) steps: Vec<Step>,
    pub(crate) forms: Vec<Form>,
    /// Why what comes back may depend on the sensitive values, or on the moment.
    pub(crate) differs: Option<String>,
    /// All steps are sent before an answer is read.
    pub(crate) pipelined: bool,
    /// The server has something against it as well.
    pub(crate) invalid: bool,
    /// Further start-up parameters.
    pub(crate) startup: Vec<(String, String)>,
    /// The rows that the last statement must give, in text.
    pub(crate) rows: Option<Vec<String>>,
}

/// Every entry of `tests/corpus/KIND`, in the order of files and lines.
pub(crate) fn read(kind: &str) -> Result<Vec<Entry>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(kind);
    let mut files: Vec<_> =
        fs::read_dir(&folder)?.collect::<Result<Vec<_>, _>>()?.iter().map(fs::DirEntry::path).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    let mut entries: Vec<Entry> = Vec::new();
    for path in files {
        let family = format!("{kind}/{}", path.file_stem().unwrap_or_default().to_string_lossy());
        let text = fs::read_to_string(&path)?;
        let mut blocks: Vec<(usize, &str, Vec<&str>)> = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            if let Some(head) = line.strip_prefix("---") {
                blocks.push((number, head.trim(), Vec::new()));
            } else if let Some((_, _, lines)) = blocks.last_mut() {
                lines.push(line);
            } else if !line.is_empty() && !line.starts_with("--") {
                bail!("{family}:{number}: a line before the first entry");
            }
        }
        for (number, head, lines) in blocks {
            let entry = entry(&family, head, &lines).with_context(|| format!("{}:{number}", path.display()))?;
            if entries.iter().any(|other| other.name == entry.name) {
                bail!("{}:{number}: two entries are named {}", path.display(), entry.name);
            }
            entries.push(entry);
        }
    }
    Ok(entries)
}

fn entry(family: &str, head: &str, lines: &[&str]) -> Result<Entry> {
    let mut options = head.split(';').map(str::trim);
    let begin = options.next().unwrap_or_default();
    let (name, expectation) = begin.rsplit_once(": ").context("an entry begins with `--- NAME: EXPECTATION`")?;
    let (word, argument) = expectation.split_once(' ').unwrap_or((expectation, ""));
    let columns = || argument.split(',').map(|n| Ok(n.trim().parse::<usize>()?)).collect::<Result<Vec<_>>>();
    let expect = match word {
        "masked" if argument.is_empty() => Expect::Masked(None),
        "masked" => Expect::Masked(Some(columns()?)),
        "refused" => Expect::Refused,
        "either" => Expect::Either,
        "error" => Expect::Error(argument.to_owned()),
        "same" => Expect::Same,
        _ => bail!("{word:?} is no expectation"),
    };
    let mut entry = Entry {
        name: format!("{family}: {name}"),
        expect,
        steps: Vec::new(),
        forms: Form::ALL.to_vec(),
        differs: None,
        pipelined: false,
        invalid: false,
        startup: Vec::new(),
        rows: None,
    };
    for option in options {
        match option.split_once(' ').unwrap_or((option, "")) {
            ("forms", words) => {
                let wanted: Vec<&str> = words.split_whitespace().collect();
                entry
                    .forms
                    .retain(|form| wanted.contains(&form.word()) || (wanted == ["extended"] && *form != Form::Simple));
            }
            ("differs", why) if !why.is_empty() => entry.differs = Some(why.to_owned()),
            ("pipelined", "") => entry.pipelined = true,
            ("invalid", "") => entry.invalid = true,
            _ => bail!("{option:?} is no option"),
        }
    }
    steps(&mut entry, lines)?;
    if entry.forms.is_empty() || entry.steps.is_empty() && entry.startup.is_empty() {
        bail!("an entry without forms or statements");
    }
    Ok(entry)
}

fn values(words: &str) -> Vec<Option<String>> {
    let value = |word: &str| (word != "\\N").then(|| word.to_owned());
    words.split('|').map(str::trim).filter(|word| !word.is_empty()).map(value).collect()
}

fn steps(entry: &mut Entry, lines: &[&str]) -> Result<()> {
    let mut text = String::new();
    let mut params = None;
    let mut limit = None;
    let extended_only = |entry: &mut Entry| entry.forms.retain(|form| *form != Form::Simple);
    for line in lines {
        if text.is_empty() && (line.starts_with("--") || line.is_empty()) {
            continue;
        }
        if text.is_empty()
            && let Some(directive) = line.strip_prefix('\\')
        {
            let (word, rest) = directive.split_once(' ').unwrap_or((directive, ""));
            let (first, more) = rest.split_once(' ').unwrap_or((rest, ""));
            match word {
                "params" => params = Some(values(rest)),
                "limit" => limit = Some(rest.trim().parse()?),
                "copy" => match entry.steps.last_mut() {
                    Some(Step::Sql(statement)) => {
                        let line = format!("{}\n", rest.replace("\\t", "\t"));
                        statement.copy.get_or_insert_default().extend(line.as_bytes());
                    }
                    _ => bail!("\\copy follows a statement"),
                },
                "row" => entry.rows.get_or_insert_default().push(rest.to_owned()),
                "startup" => {
                    let (key, value) = rest.split_once('=').context("\\startup KEY=VALUE")?;
                    entry.startup.push((key.to_owned(), value.to_owned()));
                }
                "parse" => {
                    entry.steps.push(Step::Parse(first.to_owned(), more.to_owned()));
                    extended_only(entry);
                }
                "execute" => {
                    entry.steps.push(Step::Execute(first.to_owned(), values(more)));
                    extended_only(entry);
                }
                "bind" => {
                    let (name, more) = more.split_once(' ').unwrap_or((more, ""));
                    entry.steps.push(Step::Bind(first.to_owned(), name.to_owned(), values(more)));
                    extended_only(entry);
                }
                "portal" => {
                    entry.steps.push(Step::Portal(first.to_owned(), more.trim().parse()?));
                    extended_only(entry);
                }
                "call" => {
                    let (function, arguments) = rest.split_once(" | ").unwrap_or((rest, ""));
                    let arguments = values(arguments).into_iter().flatten().collect();
                    entry.steps.push(Step::Call(function.to_owned(), arguments));
                }
                "raw" => entry.steps.push(Step::Raw(*first.as_bytes().first().context("a tag")?, unescape(more)?)),
                _ => bail!("\\{word} is no directive"),
            }
            continue;
        }
        text.push_str(line);
        text.push('\n');
        // A statement ends where a line does, but not within a dollar quote.
        if line.ends_with(';') && text.matches("$$").count().is_multiple_of(2) {
            if params.is_some() || limit.is_some() {
                extended_only(entry);
            }
            entry.steps.push(Step::Sql(Statement {
                text: text.trim().trim_end_matches(';').to_owned(),
                params: params.take().unwrap_or_default(),
                copy: None,
                limit: limit.take(),
            }));
            text.clear();
        }
    }
    if !text.is_empty() {
        bail!("a statement without an end: {text}");
    }
    Ok(())
}

/// `\xNN` for a byte.
fn unescape(text: &str) -> Result<Vec<u8>> {
    let mut parts = text.split("\\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).context("\\x and two digits")?;
        bytes.push(u8::from_str_radix(digits, 16)?);
        bytes.extend(rest.as_bytes());
    }
    Ok(bytes)
}
