//! What PostgreSQL brings with it, and what each part may do with a sensitive argument: functions, operators, casts, types,
//! system relations.
//!
//! The tables in `builtin/` come from the catalogs of PostgreSQL 13 to 18 and were judged by hand; each group says why.
//! What is in no table is not harmless. All of it is about `pg_catalog`: whether a name means something there, or in a
//! schema of somebody else, is for the caller to find out, and so is what an operator or a cast means for a type that
//! PostgreSQL does not bring.
//!
//! What the tables cannot say, since it is syntax:
//! - CASE, COALESCE, AND and OR evaluate some of their arguments only if others have certain values. They are total only
//!   where everything in them is: `case when ssn < '5' then 1/0 end` fails or not.
//! - ARRAY[] and ROW() printed as text double quotes and backslashes at each nesting.
//! - A statement's own failing argument tells whether the sensitive one beside it is NULL: strict functions are not called.

mod extension;
mod table;
#[cfg(test)]
mod tests;
mod types;

pub(super) use extension::{Brought, Declared, computes_plainly, converts};
use table::{OPERATORS, Overload, TABLES, WITHHELD_NAMES};
use types::{NONE, TYPES, UNKNOWN, VARCHAR};

/// What a function, an operator or a cast may do with a sensitive argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// No value of the arguments in these positions makes it fail, and it does nothing but answer with one value.
    Total(Positions),
    /// It computes from its arguments and is harmless by itself, but it may fail, or answer with any number of rows.
    Pure,
    /// Harmless by itself, but what it is given can be seen elsewhere: in a sequence, a lock, a seed, in waiting.
    Volatile,
}

/// The arguments that may be sensitive, by their places, and what else has to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Positions {
    /// One bit an argument; the highest stands for all that follow.
    mask: u64,
    /// How many times as long as its arguments the result may be; 0: it does not grow.
    growth: u32,
    collates: bool,
    /// Whether it prints its arguments; whether it makes jsonb of them.
    prints: bool,
    parses: bool,
    /// Whether every second argument, from the first, is a name, which must not be sensitive: NULL is none.
    keys: bool,
}

impl Positions {
    /// Every argument, unconditionally.
    pub(super) const ALL: Positions =
        Positions { mask: u64::MAX, growth: 0, collates: false, prints: false, parses: false, keys: false };

    /// Whether the argument at `index`, from 0, may be sensitive.
    pub(super) fn may_be_sensitive(self, index: usize) -> bool {
        let bit = u32::try_from(index).unwrap_or(u32::MAX).min(u64::BITS.saturating_sub(1));
        !(self.keys && index.is_multiple_of(2)) && self.mask.checked_shr(bit).is_some_and(|rest| rest & 1 == 1)
    }

    /// How many times as long as its arguments together the result may be, so that it fails at 1 GB: then it is total only
    /// while they are far from that. Doubling 27 times tells a value of one character from one of two.
    pub(super) fn growth(self) -> Option<u32> {
        (self.growth > 0).then_some(self.growth)
    }

    /// Whether it fails for some values under a nondeterministic collation: then it is total only where no COLLATE and no
    /// column brings one.
    pub(super) fn collates(self) -> bool {
        self.collates
    }

    /// Whether it is total only on what can be printed at no risk: types of somebody else run their code.
    pub(super) fn prints(self) -> bool {
        self.prints
    }

    /// Whether it takes a json apart that it is given.
    pub(super) fn parses(self) -> bool {
        self.parses
    }

    fn both(self, other: Positions) -> Positions {
        Positions {
            mask: self.mask & other.mask,
            growth: self.growth.max(other.growth),
            collates: self.collates || other.collates,
            prints: self.prints || other.prints,
            parses: self.parses || other.parses,
            keys: self.keys || other.keys,
        }
    }
}

/// How functions of a name are called and what they leave behind; each is true if it is so for any of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kinds {
    /// One value from many rows.
    pub(super) aggregate: bool,
    /// Only with OVER.
    pub(super) window: bool,
    /// Any number of rows.
    pub(super) set: bool,
    /// It changes a sequence, a lock or the seed of random numbers.
    pub(super) writes: bool,
    /// What it makes may be much longer than what it is given.
    pub(super) long: bool,
}

/// What functions of `pg_catalog` of that name do, if called with `arity` arguments: the weakest of all that could be meant.
///
/// `argument_types` are OIDs; 0 stands for one that is not known, 705 for a literal without a type, and `None` for knowing
/// none of them. The absence of an answer is the answer that it is not harmless.
pub(super) fn function(name: &str, argument_types: Option<&[u32]>, arity: usize) -> Option<Class> {
    let named = TABLES.functions.get(name)?;
    let unknown = vec![NONE; arity];
    let arguments = argument_types.filter(|types| types.len() == arity).unwrap_or(&unknown);
    if let Some(whole) = named.whole {
        return whole;
    }
    let texts: Vec<u32> = arguments.iter().map(|oid| as_text(*oid)).collect();
    let exact = [arguments, &texts].into_iter().find_map(|types| named.overloads.iter().find(|o| o.is_exactly(types)));
    if let Some(overload) = exact {
        return overload.class;
    }
    let fitting = weakest(named.overloads.iter().filter(|overload| overload.fits(&texts)));
    // None fits: the server refuses it, or it is a cast in the form of a call.
    fitting.unwrap_or_else(|| weakest(named.overloads.iter()).flatten())
}

/// Whether there is a function of that name that takes just these types, so that nothing is converted for it.
pub(super) fn takes_exactly(name: &str, argument_types: &[u32]) -> bool {
    let overloads = TABLES.functions.get(name).map(|named| named.overloads.as_slice()).unwrap_or_default();
    let texts: Vec<u32> = argument_types.iter().map(|oid| as_text(*oid)).collect();
    [argument_types, &texts].into_iter().any(|types| overloads.iter().any(|overload| overload.is_exactly(types)))
}

/// Whether the tables have functions of that name, harmless or not.
pub(super) fn is_function(name: &str) -> bool {
    TABLES.functions.contains_key(name)
}

/// What operators of `pg_catalog` of that name do. An operand that is `None` is absent, or its type is not known.
pub(super) fn operator(name: &str, left: Option<u32>, right: Option<u32>) -> Option<Class> {
    let overloads = OPERATORS.get(name)?;
    if let (Some(left), Some(right)) = (left, right) {
        let exact = [with_literal(left, right), with_literal(as_text(left), as_text(right))]
            .into_iter()
            .find_map(|types| overloads.iter().find(|overload| overload.is_exactly(&types)));
        if let Some(overload) = exact {
            return overload.class;
        }
    }
    let fits = |operand: Option<u32>, parameter: u32| match operand {
        None => true,
        Some(oid) => parameter != NONE && TYPES.fits(as_text(oid), parameter),
    };
    let fitting = weakest(overloads.iter().filter(|overload| match overload.parameters.as_slice() {
        [first, second] => fits(left, *first) && fits(right, *second),
        _ => true,
    }));
    fitting.unwrap_or_else(|| weakest(overloads.iter()).flatten())
}

/// Of which types the operator of `pg_catalog` is that the server takes for operands of these without looking at another one:
/// any other than one of just these types. Only those that every version has.
pub(super) fn exactly(name: &str, left: Option<u32>, right: Option<u32>) -> Option<[u32; 2]> {
    let overloads = OPERATORS.get(name).filter(|_| OLD.contains(&name))?;
    let types = with_literal(left?, right?);
    let is_old = match name {
        // Those of points and boxes went with version 14.
        "~" => types.iter().all(|of| is_text(*of)),
        "+" | "-" => !types.contains(&PG_LSN),
        _ => true,
    };
    (is_old && overloads.iter().any(|overload| overload.is_exactly(&types))).then_some(types)
}

/// Operators of which no version since 13 has got or lost another one, but for two of [`PG_LSN`] and some of `~`.
const OLD: [&str; 20] = [
    "=", "<>", "<", "<=", ">", ">=", "~~", "!~~", "~~*", "!~~*", "~", "!~", "~*", "!~*", "||", "+", "-", "*", "/", "%",
];

/// `pg_lsn` (`pg_type.dat`).
const PG_LSN: u32 = 3220;

/// A literal without a type takes the other operand's, if there is such an operator.
fn with_literal(left: u32, right: u32) -> [u32; 2] {
    match (left, right) {
        (UNKNOWN, other) | (other, UNKNOWN) => [other, other],
        both => both.into(),
    }
}

/// Whether the server may take a value of one type that PostgreSQL brings for one of another without being asked.
pub(super) fn may_become(from: u32, to: u32) -> bool {
    TYPES.fits(from, to)
}

/// What an explicit cast does; `sized`: a length or a precision is given. A source that is `None` is not known.
///
/// An assignment to a column is another thing: there a text that is too long fails, and only here it is cut.
pub(super) fn cast(from: Option<u32>, to: u32, sized: bool) -> Class {
    from.filter(|from| TYPES.casts_totally(*from, to, sized)).map_or(Class::Pure, |_| Class::Total(Positions::ALL))
}

/// Whether `pg_catalog` has a function of that name, harmless or not.
pub(super) fn exists(name: &str) -> bool {
    TABLES.functions.contains_key(name)
}

/// Whether `pg_catalog` has operators of that name, harmless or not.
pub(super) fn is_operator(name: &str) -> bool {
    OPERATORS.contains_key(name)
}

/// Whether every version since 13 has a function of that name without arguments: where it is called so, the server takes that one
/// before any in a schema behind its own. An extension for older versions brings another.
pub(super) fn is_called_alone(name: &str) -> bool {
    name == "gen_random_uuid"
}

/// Whether that is a type that PostgreSQL brings, and that values have.
pub(super) fn is_type(oid: u32) -> bool {
    TYPES.is_known(oid)
}

/// How functions of `pg_catalog` of that name are called.
pub(super) fn kind(name: &str) -> Kinds {
    TABLES.kinds.get(name).copied().unwrap_or_default()
}

/// The OID of a type that PostgreSQL brings, by its name in `pg_type` or as SQL spells it, without a length; with `[]` the
/// array of it. `char` is the name in `pg_type`, of one byte; SQL's `char` is `character` or `bpchar`.
pub(super) fn type_oid(name: &str) -> Option<u32> {
    TYPES.oid(name)
}

/// Whether values of a type that PostgreSQL brings are all short, printed as text.
pub(super) fn is_short(oid: u32) -> bool {
    types::SHORT.contains(&oid)
}

/// Whether values of a type that PostgreSQL brings are printed without failing; `parses`: into jsonb, where a json fails.
pub(super) fn prints(oid: u32, parses: bool) -> bool {
    oid == UNKNOWN || TYPES.prints(oid, parses)
}

/// The type of the elements of an array type that PostgreSQL brings.
pub(super) fn element(oid: u32) -> Option<u32> {
    TYPES.element(oid)
}

/// Whether a function of that name could be called with one row.
pub(super) fn takes_row(name: &str) -> bool {
    TABLES.functions.get(name).is_some_and(|named| match named.whole {
        // A type's name is a cast's, and there is none of rows.
        Some(_) => type_oid(name).is_none(),
        None => named.overloads.iter().any(|overload| overload.fits(&[types::RECORD])),
    })
}

/// Whether it is a text, or a literal that becomes one.
pub(super) fn is_text(oid: u32) -> bool {
    matches!(oid, types::TEXT | VARCHAR | types::BPCHAR | UNKNOWN)
}

/// Whether `pg_catalog` has only functions of that name which are harmless by themselves.
pub(super) fn computes(function: &str) -> bool {
    TABLES.functions.get(function).is_some_and(|named| match named.whole {
        Some(whole) => whole.is_some(),
        None => weakest(named.overloads.iter()).flatten().is_some(),
    })
}

/// Whether `schema` is one that PostgreSQL brings.
pub(super) fn is_system(schema: &str) -> bool {
    matches!(schema, "pg_catalog" | "information_schema" | "pg_toast")
}

/// Whether a system relation tells of the database's form only, and not what is in it. That is about reading it.
pub(super) fn is_harmless_relation(schema: &str, name: &str) -> bool {
    TABLES.relations.get(schema).is_some_and(|relations| relations.contains(name))
}

/// Whether `pg_catalog` has a relation of that name that holds more than that, in any version.
pub(super) fn is_withheld(name: &str) -> bool {
    WITHHELD_NAMES.contains(name)
}

/// The columns that may be read of a system relation of which others may not.
pub(super) fn readable_columns(schema: &str, name: &str) -> Option<&'static [&'static str]> {
    TABLES.partly.get(schema)?.get(name).map(|partly| partly.readable.as_slice())
}

/// The relations of `pg_catalog` of which some columns may not be read, in no order.
pub fn partly_readable() -> impl Iterator<Item = &'static str> {
    TABLES.partly.get("pg_catalog").into_iter().flat_map(|named| named.keys()).copied().chain(["pg_attribute"])
}

/// What the others of those are called, one after the other, where every version's are known.
pub(super) fn withheld_columns(schema: &str, name: &str) -> Option<&'static str> {
    TABLES.partly.get(schema)?.get(name)?.withheld
}

/// Whether PostgreSQL brings this function of `information_schema`: its views are made with those, and drivers call them. They
/// compute from their arguments and the catalog.
pub(super) fn is_schema_function(schema: &str, name: &str) -> bool {
    schema == "information_schema"
        && matches!(
            name,
            "_pg_expandarray"
                | "_pg_index_position"
                | "_pg_truetypid"
                | "_pg_truetypmod"
                | "_pg_char_max_length"
                | "_pg_char_octet_length"
                | "_pg_numeric_precision"
                | "_pg_numeric_precision_radix"
                | "_pg_numeric_scale"
                | "_pg_datetime_precision"
                | "_pg_interval_type"
        )
}

/// A column of a harmless system relation that holds values of tables all the same: what a column that was added had for a
/// default, computed.
pub(super) fn withheld_column(schema: &str, relation: &str) -> Option<&'static str> {
    ((schema, relation) == ("pg_catalog", "pg_attribute")).then_some("attmissingval")
}

/// `varchar` has no functions of its own: the server takes those of `text`.
fn as_text(oid: u32) -> u32 {
    if oid == VARCHAR { types::TEXT } else { oid }
}

/// The weakest of them; nothing where there are none, and `Some(None)` where one is not harmless.
fn weakest<'a>(overloads: impl Iterator<Item = &'a Overload>) -> Option<Option<Class>> {
    overloads.map(|overload| overload.class).reduce(|one, other| match (one?, other?) {
        (Class::Volatile, _) | (_, Class::Volatile) => Some(Class::Volatile),
        (Class::Pure, _) | (_, Class::Pure) => Some(Class::Pure),
        (Class::Total(one), Class::Total(other)) => Some(Class::Total(one.both(other))),
    })
}
