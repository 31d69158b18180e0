//! Relations that are named by a text, as `regclass` reads it.

use super::form::Table;

/// What PostgreSQL keeps of a name, in bytes (NAMEDATALEN - 1).
const MAX_NAME: usize = 63;

/// The relation that a text names. `None`: none, or by a number, which is its OID.
pub(super) fn relation(text: &str) -> Option<Table> {
    if text == "-" || text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut parts = parts(text)?;
    let name = parts.pop()?;
    // What is left of it is the database, and can be no other one.
    let schema = parts.pop();
    (parts.len() < 2).then(|| Table { schema, name, ..Table::default() })
}

fn parts(text: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = text.trim_start_matches(space);
    loop {
        let mut name = String::new();
        if let Some(quoted) = rest.strip_prefix('"') {
            rest = quoted;
            loop {
                let (before, after) = rest.split_once('"')?;
                name.push_str(before);
                match after.strip_prefix('"') {
                    Some(more) => {
                        name.push('"');
                        rest = more;
                    }
                    None => {
                        rest = after;
                        break;
                    }
                }
            }
        } else {
            let end = rest.find(|c| c == '.' || space(c)).unwrap_or(rest.len());
            let (before, after) = rest.split_at(end);
            // How the server makes others small depends on its locale.
            if before.is_empty() || before.chars().any(|c| !c.is_ascii() && c.is_uppercase()) {
                return None;
            }
            name = before.to_ascii_lowercase();
            rest = after;
        }
        name.truncate(name.floor_char_boundary(MAX_NAME));
        parts.push(name);
        rest = rest.trim_start_matches(space);
        match rest.strip_prefix('.') {
            Some(more) => rest = more.trim_start_matches(space),
            None if rest.is_empty() => return Some(parts),
            None => return None,
        }
    }
}

/// What the server's scanner takes for white space.
fn space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_name_relations_as_regclass_reads_them() {
        let named = |text: &str| relation(text).map(|table| (table.schema, table.name));
        let of = |schema: Option<&str>, name: &str| Some((schema.map(str::to_owned), name.to_owned()));
        assert_eq!(named("Orders_Seq"), of(None, "orders_seq"));
        assert_eq!(named(" public . \"Orders\"\"Seq\" "), of(Some("public"), "Orders\"Seq"));
        assert_eq!(named("appdb.public.s"), of(Some("public"), "s"));
        assert_eq!(named(&"é".repeat(40)), of(None, &"é".repeat(31)));
        for other in ["", "16384", "-", "a b", "a.", ".a", "\"a", "a.b.c.d", "É"] {
            assert_eq!(named(other), None, "{other}");
        }
    }
}
