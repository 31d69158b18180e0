//! What COPY to the client streams, and how it is written.

use super::Lineage;

/// A stream of COPY data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// What its rows hold.
    pub rows: Streamed,
    /// How they are written; absent: in a way that nobody here can read.
    pub written: Option<Written>,
}

/// What the rows of a stream hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Streamed {
    /// Exactly these columns.
    Columns(Vec<StreamColumn>),
    /// Columns whose number nobody knows; each may come from this.
    Open(Lineage),
}

/// A column of a stream, which no description comes for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamColumn {
    /// `pg_type.oid` of its values, a domain's base type for a domain; 0 where it is not known.
    pub type_oid: u32,
    /// Whether CSV puts it in quotes always.
    pub quoted: bool,
    /// Where its values come from.
    pub lineage: Lineage,
}

/// How rows are written: the options of COPY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// `FORMAT text`
    Text {
        /// `DELIMITER`
        delimiter: u8,
        /// `NULL`
        null: String,
        /// `HEADER`
        header: bool,
    },
    /// `FORMAT csv`
    Csv {
        /// `DELIMITER`
        delimiter: u8,
        /// `QUOTE`
        quote: u8,
        /// `ESCAPE`
        escape: u8,
        /// `NULL`
        null: String,
        /// `HEADER`
        header: bool,
    },
    /// `FORMAT binary`
    Binary,
}
