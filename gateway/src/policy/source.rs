//! Where each policy of a file begins: Cedar numbers them and says no more.

/// The byte offsets at which the policies of `text` begin, in order. `text` has been parsed by Cedar.
pub(super) fn starts(text: &str) -> Vec<usize> {
    let mut starts = Vec::new();
    let (mut inside, mut quoted, mut escaped) = (false, false, false);
    let mut rest = text.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        if quoted {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => quoted = false,
                _ => {}
            }
            continue;
        }
        match c {
            '/' if rest.peek().is_some_and(|(_, next)| *next == '/') => {
                while rest.next_if(|(_, c)| *c != '\n').is_some() {}
                continue;
            }
            _ if c.is_whitespace() => continue,
            ';' => {
                inside = false;
                continue;
            }
            '"' => quoted = true,
            _ => {}
        }
        if !inside {
            inside = true;
            starts.push(at);
        }
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_do_not_end_a_policy() {
        let text = "// a; b\n@id(\"x;\\\";\") permit (principal, action, resource);\n\nforbid (principal, action, resource); // end";
        let found = starts(text);
        assert_eq!(found.len(), 2);
        assert!(text[found[0]..].starts_with("@id"));
        assert!(text[found[1]..].starts_with("forbid"));
    }
}
