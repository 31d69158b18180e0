//! The types that PostgreSQL brings, which of them the server turns into which by itself, and which casts are total.

use std::collections::HashMap;
use std::sync::LazyLock;

/// No type: an operand that is not there, or an argument of which nothing is known.
pub(super) const NONE: u32 = 0;
/// `text`.
pub(super) const TEXT: u32 = 25;
/// A row.
pub(super) const RECORD: u32 = 2249;
/// `json`.
const JSON: u32 = 114;
/// `character varying`.
pub(super) const VARCHAR: u32 = 1043;
/// A literal without a type.
pub(super) const UNKNOWN: u32 = 705;
/// `character`.
pub(super) const BPCHAR: u32 = 1042;

/// Types whose values are short when they are printed: truth, numbers, dates and times, names, addresses, OIDs. A numeric has up
/// to 150,000 digits.
pub(super) const SHORT: [u32; 38] = [
    16, 18, 19, 20, 21, 23, 24, 26, 27, 28, 29, 600, 650, 700, 701, 774, 790, 829, 869, 1082, 1083, 1114, 1184, 1186,
    1266, 1700, 2202, 2203, 2204, 2205, 2206, 2950, 3220, 3734, 3769, 4089, 4096, 5069,
];

/// `pg_type.typtype`, and arrays apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Base,
    Array { element: u32 },
    Range,
    Multirange,
    Pseudo,
}

/// Types and casts.
#[derive(Debug, Default)]
pub(super) struct Types {
    names: HashMap<&'static str, u32>,
    kinds: HashMap<u32, Kind>,
    arrays: HashMap<u32, u32>,
    /// By source and target.
    casts: HashMap<(u32, u32), Cast>,
}

#[derive(Clone, Copy, Debug)]
struct Cast {
    total: bool,
    /// Whether it is total where no precision is given.
    plain: bool,
    implicit: bool,
}

pub(super) static TYPES: LazyLock<Types> =
    LazyLock::new(|| Types::parse(include_str!("types.txt"), include_str!("casts.txt")).0);

/// What SQL calls types beside their names in the table.
const SPELLINGS: &[(&str, &str)] = &[
    ("int", "int4"),
    ("dec", "numeric"),
    ("decimal", "numeric"),
    ("float", "float8"),
    ("char varying", "varchar"),
    ("national character", "bpchar"),
    ("national char", "bpchar"),
    ("nchar", "bpchar"),
    ("national character varying", "varchar"),
];

impl Types {
    /// Both tables, and their lines that cannot be read.
    pub(super) fn parse(types: &'static str, casts: &'static str) -> (Types, Vec<&'static str>) {
        let mut all = Types::default();
        let mut bad: Vec<&str> = super::table::lines(types).filter(|line| all.add_type(line).is_none()).collect();
        for (spelling, name) in SPELLINGS {
            match all.names.get(name).copied() {
                Some(oid) => drop(all.names.insert(spelling, oid)),
                None => bad.push(spelling),
            }
        }
        bad.extend(super::table::lines(casts).filter(|line| all.add_cast(line).is_none()));
        (all, bad)
    }

    fn add_type(&mut self, line: &'static str) -> Option<()> {
        let mut fields = line.splitn(5, ' ');
        let oid = fields.next()?.parse().ok()?;
        let (name, kind, element) = (fields.next()?, fields.next()?, fields.next()?.parse().ok()?);
        let kind = match kind {
            "b" => Kind::Base,
            "a" => Kind::Array { element },
            "r" => Kind::Range,
            "m" => Kind::Multirange,
            "p" => Kind::Pseudo,
            _ => return None,
        };
        if matches!(kind, Kind::Array { .. }) && name.starts_with('_') {
            self.arrays.insert(element, oid);
        }
        self.names.insert(name, oid);
        self.names.entry(fields.next()?).or_insert(oid);
        self.kinds.insert(oid, kind).is_none().then_some(())
    }

    fn add_cast(&mut self, line: &'static str) -> Option<()> {
        let (types, class) = line.split_once(": ")?;
        let (from, to) = types.split_once(" -> ")?;
        let (class, implicit) = class.strip_suffix(", implicit").map_or((class, false), |class| (class, true));
        let (total, plain) = match class {
            "total" => (true, true),
            "total without precision" => (false, true),
            "pure" => (false, false),
            _ => return None,
        };
        self.casts.insert((self.oid(from)?, self.oid(to)?), Cast { total, plain, implicit }).is_none().then_some(())
    }

    /// A type's OID by any of its names.
    pub(super) fn oid(&self, name: &str) -> Option<u32> {
        match (self.names.get(name), name.strip_suffix("[]")) {
            (Some(oid), _) => Some(*oid),
            // PostgreSQL does not count dimensions.
            (None, Some(element)) => self.arrays.get(&self.oid(element.trim_end_matches("[]"))?).copied(),
            (None, None) => None,
        }
    }

    /// Whether PostgreSQL brings the type, and it is one that values have.
    pub(super) fn is_known(&self, oid: u32) -> bool {
        oid != UNKNOWN && self.kinds.contains_key(&oid)
    }

    /// Whether a function with that parameter could be meant by an argument of that type.
    pub(super) fn fits(&self, argument: u32, parameter: u32) -> bool {
        if argument == parameter || !self.is_known(argument) {
            return true;
        }
        let (Some(kind), Some(wanted)) = (self.kinds.get(&argument), self.kinds.get(&parameter)) else {
            return true;
        };
        match (kind, wanted) {
            (_, Kind::Pseudo) => self.fits_pseudo(*kind, parameter),
            (Kind::Pseudo, _) => true,
            (Kind::Array { element }, Kind::Array { element: wanted }) => self.fits(*element, *wanted),
            _ => self.casts.get(&(argument, parameter)).is_some_and(|cast| cast.implicit),
        }
    }

    /// [`Types::fits`] for one of the elements of an array.
    pub(super) fn fits_element(&self, argument: u32, array: u32) -> bool {
        match self.kinds.get(&array) {
            Some(Kind::Array { element }) => self.fits(argument, *element),
            _ => true,
        }
    }

    fn fits_pseudo(&self, kind: Kind, parameter: u32) -> bool {
        let is = |names: &[&str]| names.iter().any(|name| self.names.get(name) == Some(&parameter));
        match kind {
            Kind::Pseudo => true,
            _ if is(&["any", "anyelement", "anycompatible"]) => true,
            Kind::Array { .. } => is(&["anyarray", "anycompatiblearray"]),
            _ if is(&["anynonarray", "anycompatiblenonarray"]) => true,
            Kind::Range => is(&["anyrange", "anycompatiblerange"]),
            Kind::Multirange => is(&["anymultirange", "anycompatiblemultirange"]),
            Kind::Base => false,
        }
    }

    /// Whether every value can be printed: of the elements of an array, too. `parses`: into jsonb, where a json is taken apart.
    pub(super) fn prints(&self, oid: u32, parses: bool) -> bool {
        match self.kinds.get(&oid) {
            Some(Kind::Base) => oid != UNKNOWN && !(parses && oid == JSON),
            Some(Kind::Range | Kind::Multirange) => true,
            Some(Kind::Array { element }) => self.prints(*element, parses),
            Some(Kind::Pseudo) | None => false,
        }
    }

    /// The type of an array's elements.
    pub(super) fn element(&self, oid: u32) -> Option<u32> {
        match self.kinds.get(&oid) {
            Some(Kind::Array { element }) => Some(*element),
            _ => None,
        }
    }

    /// Whether an explicit cast fails at no value.
    pub(super) fn casts_totally(&self, from: u32, to: u32, sized: bool) -> bool {
        if let Some(cast) = self.casts.get(&(from, to)) {
            return if sized { cast.total } else { cast.plain };
        }
        match (self.kinds.get(&from), self.kinds.get(&to)) {
            _ if !self.is_known(from) => false,
            (Some(Kind::Array { element }), Some(Kind::Array { element: wanted })) => {
                self.casts_totally(*element, *wanted, sized)
            }
            (Some(Kind::Base | Kind::Range | Kind::Multirange), Some(_)) if from == to => true,
            // Arrays and rows quote what is in them, and double the quotes at each nesting.
            (Some(Kind::Base | Kind::Range | Kind::Multirange), _) => matches!(to, TEXT | VARCHAR | BPCHAR),
            _ => false,
        }
    }
}
