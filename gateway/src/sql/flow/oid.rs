//! OIDs of the types that PostgreSQL brings (`pg_type.dat`), and what they are told from others by.

pub(super) const BOOL: u32 = 16;
pub(super) const NAME: u32 = 19;
pub(super) const INT8: u32 = 20;
pub(super) const INT2: u32 = 21;
pub(super) const INT4: u32 = 23;
pub(super) const TEXT: u32 = 25;
pub(super) const OID: u32 = 26;
pub(super) const JSON: u32 = 114;
pub(super) const TEXT_ARRAY: u32 = 1009;
/// `character`
pub(super) const BPCHAR: u32 = 1042;
/// `character varying`, which is `text` byte for byte.
pub(super) const VARCHAR: u32 = 1043;
pub(super) const BIT: u32 = 1560;
pub(super) const VARBIT: u32 = 1562;
pub(super) const NUMERIC: u32 = 1700;
pub(super) const RECORD: u32 = 2249;
pub(super) const VOID: u32 = 2278;
pub(super) const TRIGGER: u32 = 2279;
pub(super) const JSONB: u32 = 3802;

/// `int2vector` and `oidvector`, of which operators and slices make arrays.
pub(super) const VECTORS: [u32; 2] = [22, 30];

/// `unknown`: the type of a literal that nothing has given one.
pub(super) const UNKNOWN: u32 = 705;

/// Stands for a type that PostgreSQL brings, whichever it is: `any`, which no value is of.
pub(super) const BROUGHT: u32 = 2276;

/// The first OID of what PostgreSQL does not bring itself.
pub(super) const FIRST_OWN: u32 = 16384;
