//! The texts that PostgreSQL 13 to 18 do not read alike, each tried.

use super::Server;
use crate::sql::postgres::lower;

/// What servers before a version make of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Older {
    /// They read it, and not as the grammar does.
    Otherwise,
    /// They refuse it, so that nothing happens.
    Refuse,
}

/// A text, the version from which it is read as the grammar reads it, and what the ones before make of it. Between the last
/// that reads otherwise and the first that reads alike, one may refuse.
const READ: &[(&str, u32, Older, u32, &str)] = &[
    ("select 0x1F", 15, Older::Otherwise, 16, "0 AS x1f"),
    ("select 0o17", 15, Older::Otherwise, 16, "0 AS o17"),
    ("select 0b11", 15, Older::Otherwise, 16, "0 AS b11"),
    ("select 1_000", 15, Older::Otherwise, 16, "1 AS _000"),
    ("select 1.5_0e1", 15, Older::Otherwise, 16, "1.5 AS _0e1"),
    ("select id from t where a = 1 or b < 0xFF", 15, Older::Otherwise, 16, "a word after a number"),
    ("select system_user", 16, Older::Otherwise, 16, "a column of that name"),
    ("select SYSTEM_USER from t", 16, Older::Otherwise, 16, "a column of that name"),
    ("select json_array(a, b) from t", 16, Older::Otherwise, 16, "a function of that name"),
    ("select json_object()", 16, Older::Otherwise, 16, "a function of that name"),
    ("select json_objectagg(a : b) from t", 16, Older::Refuse, 16, ""),
    ("select json_arrayagg(a) from t", 16, Older::Otherwise, 16, "a function of that name"),
    ("select json_array(select a from t)", 16, Older::Refuse, 16, ""),
    ("select json(a) from t", 17, Older::Otherwise, 17, "a function of that name"),
    ("select json_scalar(a) from t", 17, Older::Otherwise, 17, "a function of that name"),
    ("select json_serialize(a) from t", 17, Older::Otherwise, 17, "a function of that name"),
    ("select json_exists(a, '$.b') from t", 17, Older::Otherwise, 17, "a function of that name"),
    ("select json_query(a, '$.b') from t", 17, Older::Otherwise, 17, "a function of that name"),
    ("select json_value(a, '$.b') from t", 17, Older::Otherwise, 17, "a function of that name"),
    ("select merge_action() from t", 17, Older::Otherwise, 17, "a function of that name"),
    ("select a from t group by distinct rollup (a, b)", 14, Older::Refuse, 14, ""),
    ("with recursive r as (select 1) search depth first by a set b select * from r", 14, Older::Refuse, 14, ""),
    ("select a user from t", 14, Older::Refuse, 14, ""),
    ("create function f() returns int begin atomic select 1; end", 14, Older::Refuse, 14, ""),
    ("merge into t using s on t.a = s.a when matched then delete", 15, Older::Refuse, 15, ""),
    ("create unique index on t (a) nulls not distinct", 15, Older::Refuse, 15, ""),
    ("select a is json from t", 16, Older::Refuse, 16, ""),
    ("select * from (select 1)", 16, Older::Refuse, 16, ""),
    ("select\u{b}1", 16, Older::Refuse, 16, ""),
    ("merge into t using s on t.a = s.a when matched then delete returning t.a", 17, Older::Refuse, 17, ""),
    ("merge into t using s on t.a = s.a when not matched by source then delete", 17, Older::Refuse, 17, ""),
    ("select a at local from t", 17, Older::Refuse, 17, ""),
    ("select * from json_table(a, '$' columns (b int))", 17, Older::Refuse, 17, ""),
    ("update t set a = 1 returning with (old as o) o.a", 18, Older::Refuse, 18, ""),
    ("alter table t add foreign key (a, period p) references s (a, period p)", 18, Older::Refuse, 18, ""),
];

/// A text that the grammar refuses, the last version that reads it, and as what.
const REFUSED: &[(&str, u32, &str)] = &[
    ("select 5 !", 13, "an operator after its operand"),
    ("select a is of (int) from t", 13, "a test of types"),
    ("select 123abc", 14, "123 AS abc"),
    ("select 1e", 14, "1 AS e"),
    ("select 0x", 14, "0 AS x"),
    ("select 1_", 14, "1 AS _"),
    ("select $4294967297", 17, "$1"),
    ("create function json_scalar(a int) returns int language sql as 'select 1'", 16, "a function of that name"),
    ("select a::json_value from t", 16, "a type of that name"),
];

fn reads(text: &str, major: u32) -> bool {
    lower(text, Server::new(major * 10_000)).is_some()
}

#[test]
fn what_a_version_reads_otherwise_is_unknown_there() {
    for (text, from, older, alike, _) in READ {
        for major in 13..=18 {
            let otherwise = *older == Older::Otherwise && major < *from;
            // One that refuses a text may be taken to read it in any way.
            if major < *alike && !otherwise {
                continue;
            }
            assert_eq!(reads(text, major), !otherwise, "{text} on {major}");
        }
    }
}

#[test]
fn what_the_grammar_refuses_is_unknown_everywhere() {
    for (text, last, _) in REFUSED {
        assert!((13..=18).all(|major| !reads(text, major)), "{text}, read until {last}");
    }
}

#[test]
fn every_reading_counts_where_the_version_is_not_known() {
    for (text, from, older, ..) in READ {
        assert_eq!(reads(text, 0), *older == Older::Refuse || *from <= 13, "{text}");
    }
    assert!(reads("select a from t where b = 1", 0));
}

#[test]
fn nothing_is_known_of_how_other_versions_read() {
    assert!(reads("select 1", 13) && reads("select 1", 18));
    assert_eq!(crate::sql::unread_version(180_002), None);
    for major in [9, 12, 19, 99] {
        assert!(!reads("select 1", major), "{major}");
        assert!(crate::sql::unread_version(major * 10_000 + 1).is_some(), "{major}");
    }
}

#[test]
fn json_object_is_looked_for_on_the_path_until_it_is_a_construct() {
    let calls = |major: u32| lower("select json_object('{a,1}')", Server::new(major * 10_000)).unwrap().calls;
    assert_eq!(calls(15), [["json_object"]]);
    assert_eq!(calls(16), [["pg_catalog", "json_object"]]);
}

#[test]
fn what_all_versions_read_alike_is_read_for_all() {
    for text in [
        "select 1.5e3, 'x_0x1F', \"0x1\", a0x1, t1_0.c_1, $1 from t",
        "select 0 x1, 1 _000",
        "select json_object('{a,1}'), \"system_user\" from t",
        "select json_build_object('a', b), to_json(a) from t",
        "-- 0x1F 1_000\nselect $$ 0x1F $$",
        // The parser here takes it as versions before 15 do; later ones refuse it.
        "select $1abc",
    ] {
        assert!((13..=18).all(|major| reads(text, major)), "{text}");
    }
}
