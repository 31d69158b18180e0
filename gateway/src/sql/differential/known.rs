//! Where the front-ends differ, and why that is left so: each is the other parser's reading, which decides nothing for
//! PostgreSQL. One that is met no more has to go: the suite counts them.

/// One difference that is known: what it is, and whether two forms, as they are printed, differ by it alone or at least
/// begin to.
struct Known {
    reason: &'static str,
    is: fn(&str, &str) -> bool,
}

const KNOWN: &[Known] = &[
    Known {
        reason: "it takes a text that bounds a window's frame for an interval",
        is: |one, other| {
            let plain = |form: &str| {
                form.replace("Cast { value: Constant(Text), to: [\"interval\"], sized: false }", "Constant(Text)")
            };
            plain(one) == plain(other)
        },
    },
    Known {
        reason: "it takes a sign or a comment for the end of the operator before it",
        is: |one, other| {
            let longer = |name: &&String| {
                let rest = name.strip_prefix(['<', '>', '=', '!', '|', '@', '~', '&']);
                rest.is_some_and(|rest| rest.contains("/*") || rest.ends_with(['-', '+']))
            };
            only(other, one).iter().any(|name| longer(&name))
        },
    },
    Known {
        reason: "it ends an operator where one that it knows ends",
        is: |one, other| {
            let whole = only(one, other);
            let cut = only(other, one);
            cut.iter().any(|cut| is_operator(cut) && whole.iter().any(|whole| whole.starts_with(cut.as_str())))
        },
    },
    Known {
        reason: "it has no U&\"\" names",
        is: |_, other| other.contains("Operator { name: [\"&\"], left: Some(Column([\"u\"]))"),
    },
];

/// Why two forms differ, where that is known.
pub(super) fn reason(one: &str, other: &str) -> Option<&'static str> {
    KNOWN.iter().find(|known| (known.is)(one, other)).map(|known| known.reason)
}

/// All of them.
pub(super) fn reasons() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|known| known.reason)
}

fn is_operator(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| "+-*/<>=~!@#%^&|`?".contains(c))
}

/// The names in the one that are not in the other.
fn only(one: &str, other: &str) -> Vec<String> {
    let other = super::quoted(other);
    super::quoted(one).into_iter().filter(|name| !other.contains(name)).collect()
}
