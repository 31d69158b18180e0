//! The names of a session: prepared statements and cursors, which SQL shares with the protocol.

use std::sync::Arc;

use crate::access::Name;

/// Which names are meant: statements and cursors have their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Space {
    /// Prepared statements.
    Statements,
    /// Cursors, which the protocol calls portals.
    Cursors,
}

/// What a name stands for when a text is run that uses it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Named {
    /// A statement of this text, which still does what it did when it got the name.
    Text(Arc<str>),
    /// Nothing: the server will say so.
    Absent,
    /// Nobody knows what.
    Unknown,
}

/// What a statement does to names, when it succeeds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rename {
    /// Which of its text's statements does it, from 0.
    pub statement: usize,
    /// Which names.
    pub space: Space,
    /// The name; absent: every one.
    pub name: Option<Name>,
    /// What the name stands for afterwards; absent: nothing.
    pub made: Option<Made>,
}

/// A statement that got a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Made {
    /// Its text; absent: nobody can say.
    pub text: Option<Arc<str>>,
    /// Whether the name is kept when the transaction ends.
    pub holds: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Action, Object};
    use crate::sql::corpus::catalog;
    use crate::sql::{Analysis, Analyzer, Lineage, Outputs, Settings};

    fn analyze(text: &str, named: &[((Space, Name), Named)]) -> Arc<Analysis> {
        Analyzer::default().analyze_with(text.as_bytes(), &catalog(), &Settings::default(), named)
    }

    fn known(space: Space, name: &str, text: &str) -> [((Space, Name), Named); 1] {
        [((space, name.into()), Named::Text(text.into()))]
    }

    fn reads_ssn(analysis: &Analysis) -> bool {
        let ssn = |effect: &crate::access::Effect| {
            effect.action == Action::SqlRead
                && matches!(&effect.object, Object::Column(column) if &*column.column == "ssn")
        };
        analysis.effects.iter().any(ssn)
    }

    fn has(analysis: &Analysis, action: Action) -> bool {
        analysis.effects.iter().any(|effect| effect.action == action)
    }

    fn exact(outputs: &Outputs) -> Vec<String> {
        let one = |lineage: &Lineage| lineage.exact.first().map(|column| column.column.to_string());
        match outputs {
            Outputs::Columns(columns) => columns.iter().map(one).map(Option::unwrap_or_default).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_has_a_name_does_what_its_text_does() {
        let named = known(Space::Statements, "p", "select id, ssn from users where id = $1");
        for text in ["execute p (1)", "execute p (2 * 3)", "EXECUTE \"p\" (1)"] {
            let analysis = analyze(text, &named);
            assert!(reads_ssn(&analysis) && !has(&analysis, Action::SqlUnknown) && analysis.sensitive, "{text}");
            assert_eq!(exact(&analysis.outputs[0]), ["id", "ssn"], "{text}");
        }
        let fetched = analyze("fetch 2 from p", &known(Space::Cursors, "p", "select ssn from users"));
        assert_eq!(exact(&fetched.outputs[0]), ["ssn"]);
        assert_eq!(
            analyze("move 2 from p", &known(Space::Cursors, "p", "select ssn from users")).outputs[0],
            Outputs::Nothing
        );
        let explained = analyze("explain execute p (1)", &named);
        assert!(reads_ssn(&explained) || !has(&explained, Action::SqlUnknown));
        assert!(has(&analyze("create table t as execute p (1)", &named), Action::SqlDeclassify));
        let deletes = analyze("explain analyze execute p", &known(Space::Statements, "p", "delete from orders"));
        assert!(has(&deletes, Action::SqlDelete));
    }

    #[test]
    fn what_a_name_stands_for_is_asked_for_and_unknown_until_then() {
        let analysis = analyze("execute p", &[]);
        assert!(has(&analysis, Action::SqlUnknown) && analysis.changes.names);
        assert_eq!(*analysis.runs, [(Space::Statements, Name::from("p"))]);
        let unknown = [((Space::Statements, Name::from("p")), Named::Unknown)];
        assert!(has(&analyze("execute p", &unknown), Action::SqlUnknown));
        let absent = analyze("execute p", &[((Space::Statements, Name::from("p")), Named::Absent)]);
        assert!(!has(&absent, Action::SqlUnknown));
        // Should it be there all the same, what it shows may be anything.
        assert_eq!(absent.outputs[0], Outputs::Unknown);
        // Two statements are none that a name stands for.
        let two = analyze("execute p", &known(Space::Statements, "p", "select 1; select ssn from users"));
        assert!(has(&two, Action::SqlUnknown));
        // Nor is what another runs followed.
        let other = analyze("execute p", &known(Space::Statements, "p", "execute q"));
        assert!(has(&other, Action::SqlUnknown));
    }

    #[test]
    fn an_argument_that_may_be_anything_makes_all_of_it_unknown() {
        let named = known(Space::Statements, "p", "select $1");
        assert!(has(&analyze("execute p ((select ssn from users))", &named), Action::SqlUnknown));
        assert!(has(&analyze("execute p (f())", &named), Action::SqlUnknown));
        assert!(!has(&analyze("execute p ('x')", &named), Action::SqlUnknown));
    }

    #[test]
    fn names_that_a_text_gives_are_known_within_it() {
        let analysis = analyze("prepare p as select ssn from users; execute p", &[]);
        assert!(analysis.runs.is_empty() && !has(&analysis, Action::SqlUnknown));
        assert_eq!(exact(&analysis.outputs[1]), ["ssn"]);
        let text = "prepare p as select name from users; deallocate p; prepare p as select ssn from users; execute p";
        assert_eq!(exact(&analyze(text, &[]).outputs[3]), ["ssn"]);
        assert_eq!(analyze("prepare p as select 1; deallocate all; execute p", &[]).outputs[2], Outputs::Unknown);
        // Code that cannot be read runs between.
        let text = "prepare p as select name from users; select f(); execute p";
        assert!(has(&analyze(text, &[]), Action::SqlUnknown));
    }

    #[test]
    fn what_a_text_does_to_names_is_told_with_the_text_that_they_stand_for() {
        let renames = |text: &str| analyze(text, &[]).renames.to_vec();
        let made = |text: &str, holds| Some(Made { text: Some(text.into()), holds });
        let rename = |statement, space, name: &str, made| Rename { statement, space, name: Some(name.into()), made };
        let (statements, cursors) = (Space::Statements, Space::Cursors);
        for (text, expected) in [
            ("prepare p as select 1", vec![rename(0, statements, "p", made(" select 1", true))]),
            (
                "select 2; /* as */ PREPARE \"as\" (int, numeric(10, 2)) AS/**/select $1 as x;",
                vec![rename(1, statements, "as", made("/**/select $1 as x", true))],
            ),
            (
                "declare c cursor for select 1 for update",
                vec![rename(0, cursors, "c", made(" select 1 for update", false))],
            ),
            (
                "declare \"for\" no scroll cursor with hold for select 'ä' as x",
                vec![rename(0, cursors, "for", made(" select 'ä' as x", true))],
            ),
            ("close c; deallocate p", vec![rename(0, cursors, "c", None), rename(1, statements, "p", None)]),
            ("deallocate prepare all", vec![Rename { statement: 0, space: statements, name: None, made: None }]),
            ("explain declare c cursor for select 1", vec![]),
            ("execute p; discard plans", vec![]),
            // Read by what nobody knows yet.
            (
                "set search_path = other; prepare p as select 1",
                vec![rename(1, statements, "p", Some(Made { text: None, holds: true }))],
            ),
        ] {
            assert_eq!(renames(text), expected, "{text}");
        }
        assert_eq!(renames("discard all").len(), 2);
    }
}
