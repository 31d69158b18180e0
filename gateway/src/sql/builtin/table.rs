//! The tables as they are looked up in: parsed once.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::types::{NONE, TYPES};
use super::{Class, Kinds, Positions};

/// One signature.
#[derive(Clone, Debug)]
pub(super) struct Overload {
    /// The parameters' types.
    pub(super) parameters: Vec<u32>,
    /// Whether the last may stand any number of times.
    variadic: bool,
    /// How many of the last may be left out.
    optional: usize,
    /// What it does; absent: not harmless.
    pub(super) class: Option<Class>,
}

/// The functions of one name: one class for all, or one for each signature.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// For whatever signature; inside: absent is not harmless.
    pub(super) whole: Option<Option<Class>>,
    /// All of them, where they differ.
    pub(super) overloads: Vec<Overload>,
}

/// A relation of which some columns may be read.
#[derive(Debug, Default)]
pub(super) struct Partly {
    pub(super) readable: Vec<&'static str>,
    /// The names of all others, as the line has them.
    pub(super) withheld: Option<&'static str>,
}

/// Functions and relations.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) functions: HashMap<&'static str, Named>,
    pub(super) kinds: HashMap<&'static str, Kinds>,
    pub(super) relations: HashMap<&'static str, HashSet<&'static str>>,
    /// Schema to relation to the columns that may be read of it, and what the others are called, where that is known.
    pub(super) partly: HashMap<&'static str, HashMap<&'static str, Partly>>,
}

/// What a file says of each of its lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// No value makes it fail, with the line's own exceptions.
    Total,
    /// `Class::Pure`.
    Pure,
    /// `Class::Volatile`.
    Volatile,
    /// Not harmless; a colon and the reason follow.
    Dangerous,
}

/// The files of functions.
pub(super) const FUNCTION_FILES: [(Judgement, &str); 4] = [
    (Judgement::Total, include_str!("functions/total.txt")),
    (Judgement::Pure, include_str!("functions/pure.txt")),
    (Judgement::Volatile, include_str!("functions/volatile.txt")),
    (Judgement::Dangerous, include_str!("functions/dangerous.txt")),
];
/// The files of operators.
pub(super) const OPERATOR_FILES: [(Judgement, &str); 2] =
    [(Judgement::Total, include_str!("operators/total.txt")), (Judgement::Pure, include_str!("operators/pure.txt"))];
/// How functions are called.
pub(super) const KINDS: &str = include_str!("functions/kinds.txt");
/// Columns that may be read of relations that may not be read whole.
pub(super) const PARTLY: &str = include_str!("relations/partly.txt");
/// Relations that may be read.
pub(super) const HARMLESS: &str = include_str!("relations/harmless.txt");
/// Relations that hold more, each with a reason.
pub(super) const WITHHELD: &str = include_str!("relations/withheld.txt");

pub(super) static TABLES: LazyLock<Tables> = LazyLock::new(|| Tables::parse().0);

pub(super) static OPERATORS: LazyLock<HashMap<&str, Vec<Overload>>> = LazyLock::new(|| operators().0);

pub(super) static WITHHELD_NAMES: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let named = lines(WITHHELD).filter_map(|line| line.split_once(':'));
    named.filter_map(|(relation, _)| relation.strip_prefix("pg_catalog.")).collect()
});

/// The lines that say something.
pub(super) fn lines(file: &str) -> impl Iterator<Item = &str> {
    // Operators may begin with the sign of a comment.
    file.lines().filter(|line| !line.is_empty() && *line != "#" && !line.starts_with("# "))
}

impl Tables {
    /// The tables, and their lines that cannot be read.
    pub(super) fn parse() -> (Tables, Vec<&'static str>) {
        let mut tables = Tables::default();
        let mut bad = Vec::new();
        for (judgement, file) in FUNCTION_FILES {
            bad.extend(lines(file).filter(|line| tables.add_function(judgement, line).is_none()));
        }
        bad.extend(lines(KINDS).filter(|line| tables.add_kind(line).is_none()));
        for line in lines(HARMLESS) {
            match line.split_once('.') {
                Some((schema, name)) => drop(tables.relations.entry(schema).or_default().insert(name)),
                None => bad.push(line),
            }
        }
        for line in lines(PARTLY) {
            let parts = line.split_once(": ").and_then(|(name, columns)| Some((name.split_once('.')?, columns)));
            match parts {
                Some(((schema, name), columns)) => {
                    let (readable, withheld) = match columns.split_once("; ") {
                        Some((readable, withheld)) => (readable, Some(withheld)),
                        None => (columns, None),
                    };
                    let partly = Partly { readable: readable.split(' ').collect(), withheld };
                    tables.partly.entry(schema).or_default().insert(name, partly);
                }
                None => bad.push(line),
            }
        }
        (tables, bad)
    }

    fn add_function(&mut self, judgement: Judgement, line: &'static str) -> Option<()> {
        let entry = Entry::parse(judgement, line)?;
        let named = self.functions.entry(entry.name).or_default();
        match entry.parameters {
            None => named.whole.replace(entry.judgement.class(Positions::ALL)).is_none().then_some(()),
            Some(parameters) => {
                named.overloads.push(overload(entry.judgement, parameters, entry.attributes)?);
                Some(())
            }
        }
    }

    fn add_kind(&mut self, line: &'static str) -> Option<()> {
        let (kind, name) = line.split_once(' ')?;
        let kinds = self.kinds.entry(name).or_default();
        let flag = match kind {
            "aggregate" => &mut kinds.aggregate,
            "window" => &mut kinds.window,
            "set" => &mut kinds.set,
            "writes" => &mut kinds.writes,
            "long" => &mut kinds.long,
            _ => return None,
        };
        *flag = true;
        Some(())
    }
}

/// The operators, and the lines that cannot be read.
pub(super) fn operators() -> (HashMap<&'static str, Vec<Overload>>, Vec<&'static str>) {
    let mut all: HashMap<_, Vec<Overload>> = HashMap::new();
    let mut bad = Vec::new();
    for (judgement, file) in OPERATOR_FILES {
        for line in lines(file) {
            let parsed = Entry::parse(judgement, line)
                .and_then(|entry| Some((entry.name, overload(judgement, entry.parameters?, entry.attributes)?)));
            match parsed {
                Some((name, overload)) if overload.parameters.len() == 2 => all.entry(name).or_default().push(overload),
                _ => bad.push(line),
            }
        }
    }
    (all, bad)
}

/// A line, taken apart.
struct Entry {
    name: &'static str,
    /// What stands between the parentheses; absent: a name alone.
    parameters: Option<&'static str>,
    /// What follows them.
    attributes: &'static str,
    judgement: Judgement,
}

impl Entry {
    fn parse(judgement: Judgement, line: &'static str) -> Option<Entry> {
        let line = match judgement {
            Judgement::Dangerous => line.split_once(": ").filter(|(_, reason)| !reason.is_empty())?.0,
            _ => line,
        };
        // A type's modifier may have parentheses; an operator has none.
        let Some((name, rest)) = line.split_once('(') else {
            let bare = judgement != Judgement::Total && !line.contains([' ', ')']);
            return bare.then_some(Entry { name: line, parameters: None, attributes: "", judgement });
        };
        let (parameters, attributes) = rest.rsplit_once(')')?;
        Some(Entry { name, parameters: Some(parameters), attributes, judgement })
    }
}

impl Judgement {
    fn class(self, positions: Positions) -> Option<Class> {
        match self {
            Judgement::Total => Some(Class::Total(positions)),
            Judgement::Pure => Some(Class::Pure),
            Judgement::Volatile => Some(Class::Volatile),
            Judgement::Dangerous => None,
        }
    }
}

/// A signature from what stands between its parentheses.
fn overload(judgement: Judgement, parameters: &str, attributes: &str) -> Option<Overload> {
    let mut overload = Overload { parameters: Vec::new(), variadic: false, optional: 0, class: None };
    let mut positions = Positions::ALL;
    for (index, parameter) in parameters.split(", ").filter(|parameter| !parameter.is_empty()).enumerate() {
        let inside = parameter.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if inside.is_some() {
            positions.mask &= !1_u64.checked_shl(u32::try_from(index).ok()?)?;
        }
        let parameter = inside.unwrap_or(parameter);
        let (parameter, last) = parameter.strip_prefix("variadic ").map_or((parameter, false), |rest| (rest, true));
        let parameter = parameter.strip_suffix('=').inspect(|_| overload.optional += 1).unwrap_or(parameter);
        overload.variadic = last;
        overload.parameters.push(if parameter == "none" { NONE } else { TYPES.oid(parameter)? });
    }
    for attribute in attributes.split_whitespace() {
        match (judgement, attribute) {
            (Judgement::Total, "grows") => positions.growth = 1,
            (Judgement::Total, "doubles") => positions.growth = 2,
            (Judgement::Total, "escapes") => positions.growth = 6,
            (Judgement::Total, "repeats") => positions.growth = 32,
            (Judgement::Total, "collates") => positions.collates = true,
            (Judgement::Total, "prints") => positions.prints = true,
            (Judgement::Total, "parses") => (positions.prints, positions.parses) = (true, true),
            (Judgement::Total, "keys") => positions.keys = true,
            _ => return None,
        }
    }
    overload.class = judgement.class(positions);
    Some(overload)
}

impl Overload {
    /// Whether the server takes this one and no other for arguments of these types.
    pub(super) fn is_exactly(&self, arguments: &[u32]) -> bool {
        self.parameters == arguments && arguments.iter().all(|oid| TYPES.is_known(*oid))
    }

    /// Whether this one could be meant by arguments of these types.
    pub(super) fn fits(&self, arguments: &[u32]) -> bool {
        let fixed = self.parameters.len().saturating_sub(usize::from(self.variadic));
        let least = fixed.saturating_sub(self.optional);
        if arguments.len() < least || !self.variadic && arguments.len() > fixed {
            return false;
        }
        let more = self.parameters.last().copied().filter(|_| self.variadic);
        let parameters = self.parameters.iter().copied().take(fixed).chain(std::iter::repeat(more.unwrap_or(NONE)));
        // What is variadic stands as its elements, or as the array itself.
        arguments.iter().zip(parameters).enumerate().all(|(index, (argument, parameter))| {
            TYPES.fits(*argument, parameter) || index >= fixed && TYPES.fits_element(*argument, parameter)
        })
    }
}
