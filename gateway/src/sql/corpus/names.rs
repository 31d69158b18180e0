//! What the columns of a query and the items of a FROM list are called: a name that is another's, the server finds further out.

use super::{catalog, shown};
use crate::sql::{Analyzer, Settings};

/// What a text returns.
fn returned(text: &str) -> String {
    let analysis = Analyzer::default().analyze(text.as_bytes(), &catalog(), &Settings::default());
    analysis.outputs.iter().map(shown).collect::<Vec<_>>().join("; ")
}

#[test]
fn an_alias_of_a_join_hides_what_is_in_it_however_it_begins() {
    for alias in ["x", "\u{1}x", "\u{1}", "(withheld)"] {
        let text = format!(
            "select (select a.total from (orders a join orders b on true) as \"{alias}\" limit 1) \
             from (select ssn as total from users) a"
        );
        assert_eq!(returned(&text), "=ssn", "{alias:?}");
    }
    // That of a USING does not, until the join has one too.
    let using = "select users.ssn, x.id from users join orders using (id) as x";
    assert_eq!(returned(using), "=ssn|=id id");
    let both =
        "select (select x.id from (users join orders using (id) as x) y limit 1) from (select ssn as id from users) x";
    assert_eq!(returned(both), "=ssn");
}
