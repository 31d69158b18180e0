//! What servers of other versions read otherwise than the grammar here, which is that of PostgreSQL 18.
//!
//! A text that the server refuses does nothing, and one that the grammar refuses is unknown. What is left are texts that
//! both read, and not alike: those are unknown for the versions that read them otherwise, and so is every text for a
//! server whose version is in no table. Where the version is not known, the text is unknown as soon as one of them reads
//! it otherwise. `version/table.rs` lists all three kinds, and each line is tried.

#[cfg(test)]
mod table;

use pg_query::NodeEnum;
use pg_query::protobuf::a_const::Val;

use crate::sql::form::Figured;
use crate::sql::literal::scan;

/// The versions whose reading is known.
pub(in crate::sql) const KNOWN: std::ops::RangeInclusive<u32> = 13..=18;

/// Before it, `EXTRACT` calls `date_part`, and its column is called so.
const EXTRACTS: u32 = 14;

/// Before it, `TRUE` and `FALSE` are casts, and their column is called as the type.
const BOOLEANS: u32 = 15;

/// Before it, `0x1F` is `0 AS x1f`, and `1_000` is `1 AS _000`. It refuses both; from the next they are numbers.
const NUMBERS: u32 = 15;

/// Before it, `JSON_ARRAY(a)` and its like call a function of that name, and `SYSTEM_USER` is a column.
const CONSTRUCTORS: u32 = 16;

/// Before it, `JSON_VALUE(a, b)`, `JSON(a)`, `MERGE_ACTION()` and their like call a function of that name.
const QUERIES: u32 = 17;

/// A server, as far as it matters to how it reads: its major version.
#[derive(Clone, Copy, Debug)]
pub(in crate::sql) struct Server {
    /// 0: nobody knows.
    major: u32,
}

impl Server {
    /// By its `server_version_num`; 0 where that is not known.
    pub(in crate::sql) fn new(version: u32) -> Self {
        Server { major: version / 10_000 }
    }

    /// Whether it is one of those that the table speaks of, or may be one.
    pub(in crate::sql) fn is_known(self) -> bool {
        self.major == 0 || KNOWN.contains(&self.major)
    }

    fn is_before(self, version: u32) -> bool {
        self.major < version
    }

    /// Whether it reads the words of a text that the grammar reads otherwise.
    pub(super) fn lexes_otherwise(self, text: &str) -> bool {
        if !self.is_before(NUMBERS) {
            return false;
        }
        let scanned = scan(text.as_bytes());
        let numbers = scanned.literals.iter().filter_map(|piece| text.as_bytes().get(piece.range().clone()));
        let newer = |number: &[u8]| match number {
            [b'0'..=b'9', ..] => number.iter().any(|b| matches!(b, b'_' | b'x' | b'X' | b'o' | b'O' | b'b' | b'B')),
            _ => false,
        };
        numbers.into_iter().any(newer)
    }

    /// The function that it looks for, where the grammar says so of this one: JSON_OBJECT with a function's arguments is a
    /// function that the search path finds, until it is a construct of its own.
    pub(super) fn called(self, mut name: Vec<String>) -> Vec<String> {
        match name.as_mut_slice() {
            [schema, own] if schema == "pg_catalog" && own == "json_object" && self.is_before(CONSTRUCTORS) => {
                name.remove(0);
            }
            [schema, own] if schema == "pg_catalog" && own == "extract" && self.is_before(EXTRACTS) => {
                *own = "date_part".to_owned();
            }
            _ => {}
        }
        name
    }

    /// What it calls the column of an expression that the grammar's version calls otherwise.
    pub(super) fn names_otherwise(self, node: &NodeEnum) -> Option<Figured> {
        let (name, better) = match node {
            NodeEnum::AConst(constant) if matches!(constant.val, Some(Val::Boolval(_))) && self.is_before(BOOLEANS) => {
                ("bool", false)
            }
            NodeEnum::FuncCall(call) if self.is_before(EXTRACTS) => match super::strings(&call.funcname).as_slice() {
                [schema, name] if schema == "pg_catalog" && name == "extract" => ("date_part", true),
                _ => return None,
            },
            _ => return None,
        };
        Some(((self.major != 0).then(|| name.to_owned()), better))
    }

    /// Whether it takes an expression for something else.
    pub(super) fn takes_otherwise(self, node: &NodeEnum) -> bool {
        match node {
            NodeEnum::JsonObjectConstructor(_) | NodeEnum::JsonArrayConstructor(_) | NodeEnum::JsonArrayAgg(_) => {
                self.is_before(CONSTRUCTORS)
            }
            NodeEnum::JsonParseExpr(_)
            | NodeEnum::JsonScalarExpr(_)
            | NodeEnum::JsonSerializeExpr(_)
            | NodeEnum::JsonFuncExpr(_)
            | NodeEnum::MergeSupportFunc(_) => self.is_before(QUERIES),
            // The word stands for this call.
            NodeEnum::FuncCall(call) => {
                self.is_before(CONSTRUCTORS)
                    && matches!(super::strings(&call.funcname).as_slice(), [schema, name]
                        if schema == "pg_catalog" && name == "system_user")
            }
            _ => false,
        }
    }
}
