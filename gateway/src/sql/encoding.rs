//! Character sets, as far as texts and streams can be read in them.

/// Whether in this encoding a byte below 0x80 is always the ASCII character. The name is cleaned as
/// `clean_encoding_name` of the server does it.
pub fn is_safe_encoding(name: &str) -> bool {
    let clean: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    const SAFE: [&str; 18] = [
        "utf8",
        "unicode",
        "sqlascii",
        "euccn",
        "eucjp",
        "eucjis2004",
        "euckr",
        "euctw",
        "koi8",
        "koi8r",
        "koi8u",
        "alt",
        "abc",
        "tcvn",
        "tcvn5712",
        "vscii",
        "win",
        "win866",
    ];
    // One byte a character: ISO 8859, Windows code pages (932, 936, 949 and 950 have more, and other numbers).
    const SINGLE: [&str; 12] =
        ["866", "874", "1250", "1251", "1252", "1253", "1254", "1255", "1256", "1257", "1258", "20866"];
    let numbered = |prefix: &str, numbers: &[&str]| clean.strip_prefix(prefix).is_some_and(|n| numbers.contains(&n));
    let small = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "13", "14", "15", "16"];
    SAFE.contains(&&*clean)
        || numbered("latin", &small)
        || numbered("iso8859", &small)
        || numbered("win", &SINGLE)
        || numbered("windows", &SINGLE)
}
