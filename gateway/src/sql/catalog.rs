//! What the analysis has to know of a database: its relations, columns and functions, with the tags the operator gave.
//!
//! The data is protocol-independent; `protocol::postgres` reads it from the server.

use std::collections::HashMap;

use crate::access::{Name, Tags};

/// A snapshot of one database of one resource.
#[derive(Debug, Default)]
pub struct Catalog {
    /// Counts snapshots of this database: part of every cached analysis.
    pub generation: u64,
    /// Whether it was read whole. Where not, nothing is known to be harmless: everything is unknown.
    pub complete: bool,
    /// The database's name.
    pub database: Name,
    /// Every relation outside the system schemas, by OID.
    pub relations: HashMap<u32, Relation>,
    /// Every function outside the system schemas.
    pub functions: Vec<Function>,
    /// The search path of a new session of the gateway's role, `$user` resolved, without `pg_catalog`.
    pub search_path: Vec<Name>,
    /// Whether the resource gives any tag to any object: where it does not, nothing is masked.
    pub any_sensitive: bool,
}

/// A relation.
#[derive(Debug)]
pub struct Relation {
    /// `pg_class.oid`.
    pub oid: u32,
    /// Its schema.
    pub schema: Name,
    /// Its name.
    pub name: Name,
    /// What it is.
    pub kind: RelationKind,
    /// Its own tags and those of every parent.
    pub tags: Tags,
    /// Its columns, dropped ones left out, in order.
    pub columns: Vec<Column>,
    /// `pg_inherits` parents, partitioned tables included.
    pub parents: Vec<u32>,
}

/// `pg_class.relkind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelationKind {
    /// Ordinary or partitioned table.
    Table,
    /// View: what it reads is not known to this snapshot.
    View,
    /// Materialised view: what it was made from is not known to this snapshot.
    MaterializedView,
    /// Foreign table: what answers is not this server.
    Foreign,
    /// Sequence.
    Sequence,
    /// Anything else: composite type, index, TOAST table.
    Other,
}

/// A column.
#[derive(Debug)]
pub struct Column {
    /// `pg_attribute.attnum`, from 1.
    pub number: i16,
    /// Its name.
    pub name: Name,
    /// `pg_attribute.atttypid`.
    pub type_oid: u32,
    /// Its own tags, its table's and those of the same column of every parent.
    pub tags: Tags,
}

/// A function outside the system schemas.
#[derive(Debug)]
pub struct Function {
    /// Its schema.
    pub schema: Name,
    /// Its name.
    pub name: Name,
    /// The tags patterns gave it.
    pub tags: Tags,
}
