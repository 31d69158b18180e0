//! Text of a recording on a terminal: nothing in it may move the cursor, change colours or reorder what is read.

/// `text` with control characters, and those that reorder or hide text, as `\u{..}`; newlines and tabs as well, so that one value stays on
/// one line.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            _ if c.is_control() || is_invisible(c) => out.extend(c.escape_unicode()),
            _ => out.push(c),
        }
    }
    out
}

/// Format characters: bidirectional controls (UAX #9), zero-width ones, tags, and the byte order mark.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_that_it_would_obey() {
        assert_eq!(printable("select 1;\n\u{1b}[2J\u{202e}x\u{9b}"), "select 1;\\n\\u{1b}[2J\\u{202e}x\\u{9b}");
        assert_eq!(printable("äö 日本"), "äö 日本");
    }
}
