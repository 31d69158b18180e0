//! What a server says beside rows: errors and notices may carry values, and so do refusals of the gateway's own.

use bytes::{BufMut, BytesMut};

use super::message::Fields;
use super::rows::set_length;
use crate::guard::Refusal;

/// How much of a server's error or notice the workload sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Candour {
    /// As it came.
    Whole,
    /// No text of the server's.
    Code,
    /// No name either: code raised it that nobody has read, and may have put anything there.
    Bare,
}

/// An ErrorResponse's or NoticeResponse's SQLSTATE.
pub(super) fn sqlstate(frame: &[u8]) -> Option<String> {
    let code = fields(frame).find(|(field, _)| *field == b'C').map(|(_, text)| text)?;
    let valid = code.len() == 5 && code.iter().all(u8::is_ascii_alphanumeric);
    valid.then(|| String::from_utf8_lossy(code).into_owned())
}

fn fields(frame: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = Fields::of(frame);
    std::iter::from_fn(move || {
        let field = rest.u8().ok().filter(|field| *field != 0)?;
        Some((field, rest.text().ok()?))
    })
}

/// Whether the server's parser raised an error on the client's own text, before anything of it ran: it points into that
/// text. What is raised while a statement runs has no position there, or says in which context it was.
pub(super) fn of_parser(frame: &[u8]) -> bool {
    let mut found = (false, false);
    for (field, _) in fields(frame) {
        found.0 |= field == b'P';
        found.1 |= matches!(field, b'p' | b'q' | b'W' | b'D');
    }
    found == (true, false)
}

/// How much may be seen of an error on a text that was parsed, or a name that was looked for: all, unless something ran that
/// says so.
pub(super) fn of_name(frame: &[u8]) -> Candour {
    let ran = fields(frame).any(|(field, _)| matches!(field, b'p' | b'q' | b'W' | b'D'));
    if ran { Candour::Code } else { Candour::Whole }
}

/// Whether the server says that a text holds several statements, which only a Query may: by the place in its own source,
/// since its words are in the session's language.
pub(super) fn of_several(frame: &[u8]) -> bool {
    let mut found = (false, false);
    for (field, text) in fields(frame) {
        found.0 |= field == b'C' && text == b"42601";
        found.1 |= field == b'R' && text == b"exec_parse_message";
    }
    found == (true, true)
}

/// Nothing runs in a transaction that has failed.
const IN_FAILED_TRANSACTION: &str = "25P02";

/// Appends an ErrorResponse or NoticeResponse as the workload may see it.
pub(super) fn told(frame: &[u8], candour: Candour, out: &mut BytesMut) {
    if candour == Candour::Whole {
        out.put_slice(frame);
        return;
    }
    let code = sqlstate(frame).unwrap_or_else(|| "XX000".to_owned());
    let start = out.len();
    out.put_slice(&[frame.first().copied().unwrap_or(b'E'), 0, 0, 0, 0]);
    for (field, text) in fields(frame) {
        let keep = match field {
            // Severity, code, position.
            b'S' | b'V' | b'C' | b'P' | b'F' | b'L' | b'R' => true,
            // The names of what a constraint is on.
            b's' | b't' | b'c' | b'd' | b'n' => candour == Candour::Code,
            _ => false,
        };
        if keep {
            put(out, field, text);
        }
    }
    let text = match &*code {
        // The server has no other words for it.
        IN_FAILED_TRANSACTION => {
            "current transaction is aborted, commands ignored until end of transaction block".to_owned()
        }
        code => format!("SQLSTATE {code}; the server's text is withheld, it may hold a masked value"),
    };
    put(out, b'M', text.as_bytes());
    out.put_u8(0);
    set_length(out, start);
}

fn put(out: &mut BytesMut, field: u8, text: &[u8]) {
    out.put_u8(field);
    out.put_slice(text);
    out.put_u8(0);
}

/// A refusal as an ErrorResponse that leaves the session usable.
pub(super) fn refusal(refusal: &Refusal) -> BytesMut {
    let hint = if refusal.policies.is_empty() {
        format!("no policy permits {}", refusal.action)
    } else {
        format!("refused by policy {}", refusal.policies.join(", "))
    };
    error("ERROR", "42501", &refusal.reason, &hint)
}

/// A NoticeResponse of the gateway's own.
pub(super) fn warning(message: &str, hint: &str) -> BytesMut {
    let mut out = error("WARNING", "01000", message, hint);
    if let Some(tag) = out.first_mut() {
        *tag = b'N';
    }
    out
}

/// An ErrorResponse of the gateway's own.
pub(super) fn error(severity: &str, code: &str, message: &str, hint: &str) -> BytesMut {
    let mut out = BytesMut::from(&[b'E', 0, 0, 0, 0][..]);
    for (field, text) in [(b'S', severity), (b'V', severity), (b'C', code), (b'M', message), (b'H', hint)] {
        if !text.is_empty() {
            // A zero would end the field early.
            put(&mut out, field, text.replace('\0', "").as_bytes());
        }
    }
    out.put_u8(0);
    set_length(&mut out, 0);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> BytesMut {
        let mut out = BytesMut::from(
            &b"E\0\0\0\0SERROR\0VERROR\0C22P02\0Minvalid: \"123-45-6789\"\0D123-45-6789\0W123-45-6789\0P7\0\0"[..],
        );
        set_length(&mut out, 0);
        out
    }

    #[test]
    fn what_the_parser_says_of_the_clients_own_text_is_told_apart() {
        let frame = |fields: &str| {
            let mut out = BytesMut::from(&b"E\0\0\0\0"[..]);
            out.put_slice(fields.as_bytes());
            set_length(&mut out, 0);
            out
        };
        let parsed = frame("SERROR\0C22P02\0Minvalid: \"x\"\0P7\0\0");
        assert!(of_parser(&parsed) && of_name(&parsed) == Candour::Whole);
        assert!(!of_parser(&server()) && of_name(&server()) == Candour::Code);
        let ran = frame("SERROR\0C22P02\0Minvalid: \"123-45-6789\"\0\0");
        assert!(!of_parser(&ran));
        let inside = frame("SERROR\0C42601\0Mx\0p3\0q123-45-6789\0\0");
        assert!(!of_parser(&inside) && of_name(&inside) == Candour::Code);
        assert!(of_several(&frame("SERROR\0C42601\0Mx\0Rexec_parse_message\0\0")));
        assert!(!of_several(&parsed) && !of_several(&frame("SERROR\0C42601\0Mx\0Rscanner_yyerror\0\0")));
    }

    #[test]
    fn a_value_in_an_error_does_not_reach_the_workload() {
        let mut out = BytesMut::new();
        told(&server(), Candour::Code, &mut out);
        let text = String::from_utf8_lossy(&out).into_owned();
        assert!(!text.contains("6789") && text.contains("22P02") && text.contains("withheld"), "{text}");
        assert!(fields(&out).any(|field| field == (b'P', b"7")));
        let mut raised = BytesMut::from(&b"E\0\0\0\0SERROR\0C23514\0Mno\0n123-45-6789\0t123-45-6789\0\0"[..]);
        set_length(&mut raised, 0);
        let mut out = BytesMut::new();
        told(&raised, Candour::Bare, &mut out);
        let text = String::from_utf8_lossy(&out).into_owned();
        assert!(!text.contains("6789") && text.contains("23514"), "{text}");
        let mut out = BytesMut::new();
        told(&server(), Candour::Whole, &mut out);
        assert_eq!(out, server());
    }

    #[test]
    fn that_a_transaction_has_failed_is_said_in_words_of_the_gateways_own() {
        let mut raised = BytesMut::from(&b"E\0\0\0\0SERROR\0C25P02\0M123-45-6789\0\0"[..]);
        set_length(&mut raised, 0);
        let mut out = BytesMut::new();
        told(&raised, Candour::Code, &mut out);
        let text = String::from_utf8_lossy(&out).into_owned();
        assert!(!text.contains("6789") && text.contains("Mcurrent transaction is aborted, commands ignored"), "{text}");
    }
}
