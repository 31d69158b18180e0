//! Settings that a client asks for in its startup packet: read as the server reads them, so that none passes that
//! would change how statements are lexed, and those that a statement would need permission for are seen.

use super::reply::{Fatal, sqlstate};
use crate::sql::is_safe_encoding;

/// What the gateway itself asks for, after the client's: the parser that decides reads statements under these. As start-up
/// settings they are what RESET ALL and DISCARD ALL return to.
pub(super) const PINNED: [(&str, &str); 2] =
    [("standard_conforming_strings", "on"), ("backslash_quote", "safe_encoding")];

/// What drivers send by themselves and what changes nothing but how values are shown.
const HARMLESS: [&str; 8] = [
    "application_name",
    "client_encoding",
    "datestyle",
    "extra_float_digits",
    "geqo",
    "intervalstyle",
    "timezone",
    "client_min_messages",
];

/// Settings that change who the session is or which code the server runs.
const PRIVILEGED: [&str; 14] = [
    "allow_system_table_mods",
    "dynamic_library_path",
    "ignore_checksum_failure",
    "ignore_system_indexes",
    "is_superuser",
    "jit_provider",
    "lo_compat_privileges",
    "local_preload_libraries",
    "role",
    "row_security",
    "session_authorization",
    "session_preload_libraries",
    "session_replication_role",
    "zero_damaged_pages",
];

/// A client's settings, in the order in which the server applies them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// Name as the client spelled it, and value.
    pub(super) all: Vec<(String, String)>,
    /// The names among them that a statement would need `sql.session` for.
    pub(super) session: Vec<String>,
    /// The names among them that a statement would need `sql.privilege` for.
    pub(super) privileged: Vec<String>,
}

/// Reads `options` and the other parameters of a startup packet.
pub(super) fn examine(options: Option<&str>, parameters: &[(String, String)]) -> Result<Settings, Fatal> {
    // `process_startup_options` of the server: the switches first.
    let mut settings = Settings { all: switches(options.unwrap_or_default())?, ..Settings::default() };
    settings.all.extend(parameters.iter().cloned());
    for (name, value) in &settings.all {
        let lower = name.to_ascii_lowercase();
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'$'));
        // As a parameter of its own, such a name would be more than a setting.
        let reserved = ["user", "database", "options", "replication"].contains(&&*lower) || lower.starts_with("_pq_.");
        if !plain || reserved {
            return Err(Fatal::new("42704", format!("unrecognized configuration parameter {name:?}")));
        }
        match &*lower {
            "standard_conforming_strings" if !["on", "true", "yes", "1"].contains(&&*value.to_ascii_lowercase()) => {
                return Err(pinned(name, "on"));
            }
            "backslash_quote" if !value.eq_ignore_ascii_case("safe_encoding") => {
                return Err(pinned(name, "safe_encoding"));
            }
            "client_encoding" if !is_safe_encoding(value) => return Err(unsafe_encoding(value)),
            "standard_conforming_strings" | "backslash_quote" => {}
            _ if PRIVILEGED.contains(&&*lower) => settings.privileged.push(lower),
            _ if HARMLESS.contains(&&*lower) => {}
            _ => settings.session.push(lower),
        }
    }
    Ok(settings)
}

fn pinned(name: &str, value: &str) -> Fatal {
    Fatal::new(sqlstate::INVALID_PARAMETER_VALUE, format!("{name} cannot be other than {value} through the gateway"))
        .hint(format!("leave {name} out of the connection's options: statements are read under {value} here"))
}

/// Whether a ParameterStatus leaves the server reading statements as the gateway's parser does. A session may change
/// these at any time, also from within a function: whoever relays asks for every one that comes.
pub(super) fn reads_as_parsed(name: &str, value: &str) -> bool {
    match name {
        "standard_conforming_strings" => value == "on",
        "client_encoding" => is_safe_encoding(value),
        _ => true,
    }
}

/// Whether texts in this encoding are what the gateway's parser takes them for, whatever characters are in them.
pub(super) fn is_utf8(encoding: &str) -> bool {
    encoding.eq_ignore_ascii_case("UTF8")
}

/// For an encoding in which a byte of a character can look like a quote or a backslash.
pub(super) fn unsafe_encoding(value: &str) -> Fatal {
    Fatal::new(
        sqlstate::INVALID_PARAMETER_VALUE,
        format!("client_encoding {value:?} cannot be used through the gateway"),
    )
    .hint("set client_encoding=UTF8 (PGCLIENTENCODING); the server converts")
}

/// `-c name=value` and `--name=value`, split as `pg_split_opts` does it: white space separates, a backslash keeps.
fn switches(options: &str) -> Result<Vec<(String, String)>, Fatal> {
    let words = split(options);
    let mut words = words.into_iter();
    let mut found = Vec::new();
    while let Some(word) = words.next() {
        let assignment = if let Some(long) = word.strip_prefix("--") {
            long.to_owned()
        } else if word == "-c" {
            words.next().ok_or_else(|| Fatal::protocol("the switch -c in the connection's options has no argument"))?
        } else if let Some(short) = word.strip_prefix("-c") {
            short.to_owned()
        } else {
            return Err(Fatal::new(
                sqlstate::FEATURE_NOT_SUPPORTED,
                format!("{word:?} in the connection's options is not accepted through the gateway"),
            )
            .hint("write settings as -c name=value"));
        };
        let Some((name, value)) = assignment.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            return Err(Fatal::new("42601", format!("{assignment:?} in the connection's options has no value")));
        };
        // `ParseLongOption` of the server.
        found.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(found)
}

fn split(options: &str) -> Vec<String> {
    // isspace() of the C locale.
    let space = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c');
    let mut words = Vec::new();
    let mut chars = options.chars().peekable();
    loop {
        while chars.next_if(|c| space(*c)).is_some() {}
        if chars.peek().is_none() {
            return words;
        }
        let mut word = String::new();
        while let Some(c) = chars.next_if(|c| !space(*c)) {
            match c {
                '\\' => word.extend(chars.next()),
                c => word.push(c),
            }
        }
        words.push(word);
    }
}

/// Whether a `replication` parameter asks for a WAL sender. What the server would not read as false counts as asking.
pub(super) fn asks_for_replication(value: &str) -> bool {
    !["false", "off", "no", "0"].contains(&&*value.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn switches_are_read_as_the_server_reads_them() {
        let found = switches(r" -c geqo=off  --statement-timeout=5min -csearch_path=a,b -c a.b=x\ y\\z").unwrap();
        let expected = [("geqo", "off"), ("statement_timeout", "5min"), ("search_path", "a,b"), ("a.b", r"x y\z")];
        assert_eq!(found, parameters(&expected));
        for bad in ["-c", "-c geqo", "--", "-e", "x", "-B 5", "-c =1"] {
            assert!(switches(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn no_spelling_changes_how_statements_are_lexed() {
        let refused = [
            ("-c standard_conforming_strings=off", &[][..]),
            ("--standard-conforming-strings=off", &[]),
            ("-c Standard_Conforming_Strings=0", &[]),
            ("-c client_encoding=SJIS", &[]),
            ("", &[("STANDARD_CONFORMING_STRINGS", "off")]),
            ("", &[("backslash_quote", "on")]),
            ("", &[("client_encoding", "big5")]),
            ("", &[("Client_Encoding", "g-b-k")]),
            ("-c user=postgres", &[]),
            ("-c options=-cclient_encoding=SJIS", &[]),
            ("-c replication=true", &[]),
        ];
        for (options, list) in refused {
            assert!(examine(Some(options), &parameters(list)).is_err(), "{options} {list:?}");
        }
        let fine = examine(Some("-c standard_conforming_strings=on"), &parameters(&[("client_encoding", "UTF-8")]));
        assert!(fine.unwrap().session.is_empty());
    }

    #[test]
    fn encodings_are_safe_only_where_ascii_bytes_are_ascii() {
        for safe in ["UTF8", "utf-8", "LATIN1", "iso_8859_5", "WIN1252", "windows-1251", "EUC_JP", "SQL_ASCII"] {
            assert!(is_safe_encoding(safe), "{safe}");
        }
        for not in ["SJIS", "shiftjis", "WIN932", "BIG5", "win950", "GBK", "windows936", "GB18030", "UHC", "JOHAB", "?"]
        {
            assert!(!is_safe_encoding(not), "{not}");
        }
    }

    #[test]
    fn what_a_statement_would_need_permission_for_is_named() {
        let list = parameters(&[("application_name", "x"), ("search_path", "evil"), ("Role", "admin")]);
        let settings = examine(Some("-c session_replication_role=replica"), &list).unwrap();
        assert_eq!(settings.session, ["search_path"]);
        assert_eq!(settings.privileged, ["session_replication_role", "role"]);
        assert_eq!(settings.all.len(), 4);
    }

    #[test]
    fn a_change_of_how_statements_are_read_is_seen() {
        assert!(reads_as_parsed("standard_conforming_strings", "on") && reads_as_parsed("TimeZone", "off"));
        assert!(!reads_as_parsed("standard_conforming_strings", "off"));
        assert!(reads_as_parsed("client_encoding", "LATIN1") && !reads_as_parsed("client_encoding", "SJIS"));
    }

    #[test]
    fn replication_is_asked_for_unless_it_is_clearly_not() {
        for (value, asks) in
            [("database", true), ("true", true), ("1", true), ("x", true), ("off", false), ("0", false)]
        {
            assert_eq!(asks_for_replication(value), asks, "{value}");
        }
    }
}
