//! What the extensions that come with PostgreSQL bring, and what it may do: how values of their types are read and shown.
//!
//! A function is known by its library, as its extension's script names it, and by the symbol in that, whatever it is called. Only a
//! superuser makes functions of that kind, and the server sees to it that a type's own are given what they take.

/// A function's language, and its library and symbol.
type Said<'a> = (&'a str, &'a str);

/// What reads a text, writes one, reads what is binary, and writes that. None looks at anything but the value.
struct Conversions {
    /// Empty: the server itself.
    library: &'static str,
    input: &'static str,
    output: &'static str,
    receive: &'static str,
    send: &'static str,
}

const KNOWN: [Conversions; 7] = [
    // citext
    of("", ["textin", "textout", "textrecv", "textsend"]),
    of("$libdir/hstore", ["hstore_in", "hstore_out", "hstore_recv", "hstore_send"]),
    of("$libdir/ltree", ["ltree_in", "ltree_out", "ltree_recv", "ltree_send"]),
    of("$libdir/ltree", ["lquery_in", "lquery_out", "lquery_recv", "lquery_send"]),
    of("$libdir/ltree", ["ltxtq_in", "ltxtq_out", "ltxtq_recv", "ltxtq_send"]),
    of("$libdir/cube", ["cube_in", "cube_out", "cube_recv", "cube_send"]),
    // intarray's queries
    of("$libdir/_int", ["bqarr_in", "bqarr_out", "", ""]),
];

const fn of(library: &'static str, [input, output, receive, send]: [&'static str; 4]) -> Conversions {
    Conversions { library, input, output, receive, send }
}

impl Conversions {
    fn is(&self, (language, body): Said<'_>, symbol: &str) -> bool {
        match self.library {
            "" => language == "internal" && body == symbol,
            library => language == "c" && body.split_once(' ') == Some((library, symbol)),
        }
    }
}

/// Whether the functions by which a type's values are read and shown are those of one that is known; a type may have none for what
/// is binary.
pub(in crate::sql) fn converts(
    input: Said<'_>,
    output: Said<'_>,
    receive: Option<Said<'_>>,
    send: Option<Said<'_>>,
) -> bool {
    KNOWN.iter().any(|known| {
        known.is(input, known.input)
            && known.is(output, known.output)
            && receive.is_none_or(|receive| known.is(receive, known.receive))
            && send.is_none_or(|send| known.is(send, known.send))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_belongs_together_is_known() {
        let c = |symbol| ("c", symbol);
        let (input, output) = (c("$libdir/hstore hstore_in"), c("$libdir/hstore hstore_out"));
        let (receive, send) = (Some(c("$libdir/hstore hstore_recv")), Some(c("$libdir/hstore hstore_send")));
        assert!(converts(input, output, receive, send) && converts(input, output, None, None));
        assert!(!converts(input, c("$libdir/ltree ltree_out"), receive, send));
        assert!(!converts(input, output, Some(c("$libdir/hstore hstore_send")), send));
        assert!(!converts(c("/tmp/hstore hstore_in"), output, receive, send));
        assert!(!converts(("internal", "$libdir/hstore hstore_in"), output, receive, send));
        let text = |symbol| ("internal", symbol);
        assert!(converts(text("textin"), text("textout"), Some(text("textrecv")), Some(text("textsend"))));
        assert!(!converts(text("textin"), text("byteaout"), None, None));
        assert!(!converts(c("textin"), text("textout"), None, None) && !converts(text(""), text(""), None, None));
    }
}
