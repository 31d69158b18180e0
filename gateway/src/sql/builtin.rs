//! What PostgreSQL brings with it: functions that only compute, and system relations that hold no values of tables.
//!
//! Both lists come from the catalog of a PostgreSQL 15: its immutable and stable functions, and a few volatile ones (sequences, clocks, random
//! numbers, advisory locks), without those that read files, run a text as SQL, or tell what other sessions do. What
//! is on neither list is not harmless.

use std::collections::HashSet;
use std::sync::LazyLock;

static FUNCTIONS: LazyLock<HashSet<&str>> = LazyLock::new(|| include_str!("builtin/functions.txt").lines().collect());

static RELATIONS: LazyLock<HashSet<&str>> = LazyLock::new(|| include_str!("builtin/relations.txt").lines().collect());

/// Whether `pg_catalog` has only functions of that name which compute their result from their arguments.
pub(super) fn computes(function: &str) -> bool {
    FUNCTIONS.contains(function)
}

/// Whether `schema` is one that PostgreSQL brings.
pub(super) fn is_system(schema: &str) -> bool {
    matches!(schema, "pg_catalog" | "information_schema" | "pg_toast")
}

/// Whether a system relation tells of the database's form only, and not what is in it.
pub(super) fn is_harmless_relation(schema: &str, name: &str) -> bool {
    RELATIONS.contains(format!("{schema}.{name}").as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_files_or_runs_a_text_is_on_no_list() {
        for bad in
            ["pg_read_file", "query_to_xml", "lo_import", "set_config", "ts_stat", "pg_stat_get_activity", "dblink"]
        {
            assert!(!computes(bad), "{bad}");
        }
        for good in ["lower", "count", "now", "nextval", "json_agg", "generate_series", "row_number"] {
            assert!(computes(good), "{good}");
        }
        assert!(is_harmless_relation("pg_catalog", "pg_class"));
        assert!(!is_harmless_relation("pg_catalog", "pg_stats"));
        assert!(!is_harmless_relation("pg_catalog", "pg_authid"));
    }
}
