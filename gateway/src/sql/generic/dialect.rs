//! What dialects do not share.

use sqlparser::ast::Ident;
use sqlparser::dialect::PostgreSqlDialect;

use crate::sql::form::Sets;
use crate::sql::postgres;

/// A dialect: how its parser is told, and what its names and words mean.
pub(in crate::sql) trait Dialect {
    /// The parser's side of it.
    fn parser(&self) -> &dyn sqlparser::dialect::Dialect;

    /// A name as the server stores it.
    fn name(&self, ident: &Ident) -> String;

    /// The name of a type that the parser knows by a word, as the server stores it.
    fn type_name(&self, word: &str) -> String;

    /// The function that a construct of its own stands for: `EXTRACT(a FROM b)`.
    fn system_function(&self, name: &str) -> Vec<String>;

    /// Whether types of this schema are meant where none is named.
    fn is_system(&self, schema: &str) -> bool;

    /// Whether a word without quotes and brackets is a value of the session's, and not a column.
    fn is_value_word(&self, word: &str) -> bool;

    /// What it is to set, or to reset, a setting; an empty name: all of them. `value`: to what, where that is known.
    fn sets(&self, name: &str, value: Option<&str>) -> Sets;

    /// Whether a function sets the setting that its first argument names.
    fn is_setter(&self, function: &str) -> bool;

    /// Whether a function draws from or sets the sequence that its first argument names.
    fn draws(&self, function: &str) -> bool;
}

/// PostgreSQL.
#[derive(Debug)]
pub(in crate::sql) struct Postgres;

/// `NAMEDATALEN`, less its end.
const LONGEST: usize = 63;

impl Dialect for Postgres {
    fn parser(&self) -> &dyn sqlparser::dialect::Dialect {
        &PostgreSqlDialect {}
    }

    fn name(&self, ident: &Ident) -> String {
        let mut name = match ident.quote_style {
            Some(_) => ident.value.clone(),
            None => ident.value.to_ascii_lowercase(),
        };
        if name.len() > LONGEST {
            let end = (0..=LONGEST).rev().find(|end| name.is_char_boundary(*end));
            name.truncate(end.unwrap_or(0));
        }
        name
    }

    fn type_name(&self, word: &str) -> String {
        let stored = match word {
            "int" | "integer" => "int4",
            "smallint" => "int2",
            "bigint" => "int8",
            "real" => "float4",
            "float" | "double precision" => "float8",
            "decimal" | "dec" => "numeric",
            "boolean" => "bool",
            "char" | "character" => "bpchar",
            "character varying" | "char varying" => "varchar",
            "bit varying" => "varbit",
            other => other,
        };
        stored.to_owned()
    }

    fn system_function(&self, name: &str) -> Vec<String> {
        vec!["pg_catalog".to_owned(), name.to_owned()]
    }

    fn is_system(&self, schema: &str) -> bool {
        schema == "pg_catalog"
    }

    fn is_value_word(&self, word: &str) -> bool {
        matches!(
            word,
            "current_catalog"
                | "current_date"
                | "current_role"
                | "current_schema"
                | "current_time"
                | "current_timestamp"
                | "current_user"
                | "default"
                | "localtime"
                | "localtimestamp"
                | "session_user"
                | "user"
        )
    }

    fn sets(&self, name: &str, value: Option<&str>) -> Sets {
        postgres::sets(name, value)
    }

    fn is_setter(&self, function: &str) -> bool {
        function == "set_config"
    }

    fn draws(&self, function: &str) -> bool {
        matches!(function, "nextval" | "setval")
    }
}
