//! What becomes of the server's answers.

use super::super::prints::fingerprints;
use super::*;

fn row(cells: &[&str]) -> Row {
    cells.iter().map(|cell| (*cell != "~").then(|| (*cell).to_owned())).collect()
}

/// The answers to every question, those that are not given empty; `~` is NULL.
fn read(given: &[(usize, &[&[&str]])]) -> Read {
    let mut answered = Answered::default();
    answered.answers.resize(16, Vec::new());
    for (at, rows) in given {
        answered.answers[*at] = rows.iter().map(|cells| row(cells)).collect();
    }
    Read::of(&mut answered, Asked { relations: true, functions: true, types: true, system: true }, true)
}

const USERS: &[&str] = &["1", "public", "users", "r", "p", "f", "11", "12", "_users", "~", "~"];
const ID: &[&str] = &["1", "1", "id", "23", "t", "f", "~"];
const FUNCTION: &[&str] = &[
    "7",
    "public",
    "f",
    "f",
    "23 25",
    "[\"a\",\"b,c\"]",
    "{i,o}",
    "{23,25}",
    "1",
    "3",
    "0",
    "25",
    "t",
    "sql",
    "select 1",
    "~",
    "i",
    "t",
    "f",
    "[\"search_path=a, \\\"b\\\"\"]",
    "0",
    "{NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL}",
];

#[test]
fn every_part_of_a_relation_is_put_where_it_belongs() {
    let view: &[&str] = &["2", "public", "v", "v", "t", "t", "21", "0", "~", " SELECT 1;", "~"];
    let read = read(&[
        (0, &[USERS, view]),
        (1, &[ID]),
        (2, &[&["1", "9"]]),
        (3, &[&["2", "4", "t", "CREATE RULE r"]]),
        (4, &[&["1", "7", "85", "O", "CREATE TRIGGER t"], &["1", "7", "32", "D", "CREATE TRIGGER u"]]),
        (5, &[&["1", "c", "(id > 0)", "{1}", "0", "~", " ", " "], &["1", "f", "~", "{1,2}", "9", "{3,4}", "a", "n"]]),
        (6, &[&["1", "t", "1 0 3", "2", "lower(x)", "(id > 1)", "f"], &["1", "f", "2", "1", "~", "~", "t"]]),
        (7, &[&["1", "(id = 1)", "~"]]),
        (8, &[&["2", "1", "0"], &["2", "1", "1"]]),
    ]);
    assert!(!read.damaged);
    let catalog = read.onto(None, &Fingerprints::default());
    let users = &catalog.relations[&1];
    assert_eq!((users.parents.as_slice(), users.temporary, users.row_security), (&[9][..], false, false));
    assert!(users.columns[0].not_null && users.columns[0].default.is_none());
    let fires = |t: &Trigger| [t.insert, t.update, t.delete, t.truncate, t.instead, t.enabled];
    assert_eq!(fires(&users.triggers[0]), [true, true, false, false, true, true]);
    assert_eq!(fires(&users.triggers[1]), [false, false, false, true, false, false]);
    assert_eq!(users.checks, ["(id > 0)".into()]);
    let key = ForeignKey { columns: vec![1, 2], target: 9, target_columns: vec![3, 4], writes: true };
    assert_eq!(users.foreign_keys, [key]);
    let unique = Key { columns: vec![1, 0], texts: users.indexed.clone(), excludes: false };
    let excludes = Key { columns: vec![2], texts: Vec::new(), excludes: true };
    assert_eq!(users.keys, [unique, excludes], "what an index only includes is not compared");
    assert_eq!(users.indexed, ["lower(x)".into(), "(id > 1)".into()]);
    assert_eq!(users.policies, ["(id = 1)".into()]);
    let view = &catalog.relations[&2];
    assert_eq!((view.definition.as_deref(), view.temporary, view.row_security), (Some(" SELECT 1;"), true, true));
    assert_eq!((view.rules[0].event, view.rules[0].instead), (Event::Delete, true));
    assert_eq!(view.dependencies, [(1, 0), (1, 1)]);
    assert_eq!(catalog.types[&11].relation, 1);
    assert_eq!(catalog.types[&12].element, 11);
}

#[test]
fn functions_types_and_the_rest_are_read() {
    let aggregate: Vec<&str> = FUNCTION
        .iter()
        .enumerate()
        .map(|(at, cell)| match at {
            0 => "8",
            3 => "a",
            5..=7 => "~",
            14 => "~",
            15 => "RETURN 1",
            20 => "99",
            21 => "{7,0,0,0,0,0,0,6}",
            _ => cell,
        })
        .collect();
    let read = read(&[
        (9, &[FUNCTION, &aggregate]),
        (10, &[&["30", "s", "d", "d", "23", "0", "1", "2", "31", "_d", "1", "f", "3", "4", "0"]]),
        (11, &[&["30", "(VALUE > 0)"]]),
        (12, &[&["40", "s", "===", "65", "0", "23", "16"]]),
        (13, &[&["25", "23", "0", "i", "e"]]),
        (14, &[&["7"]]),
        (15, &[&["t", "f", "[\"a=b\"]", "~"], &["f", "t", "[\"role=x\"]", "t"], &["f", "t", "[\"of=another\"]", "f"]]),
    ]);
    assert!(!read.damaged);
    let catalog = read.onto(None, &Fingerprints::default());
    let function = catalog.function(7).unwrap();
    assert_eq!((function.arguments.as_slice(), &*function.argument_names[1]), (&[23, 25][..], "b,c"));
    assert_eq!((function.argument_modes.as_slice(), function.set), (&['i', 'o'][..], true));
    assert_eq!((&*function.settings[0], function.parts.len()), ("search_path=a, \"b\"", 0));
    let aggregate = catalog.function(8).unwrap();
    assert_eq!((aggregate.kind, aggregate.parts.as_slice()), (FunctionKind::Aggregate, &[7, 6, 99][..]));
    assert!(aggregate.standard_body && aggregate.body.as_deref() == Some("RETURN 1"));
    let domain = &catalog.types[&30];
    assert_eq!((domain.kind, domain.base, &*domain.checks[0]), (TypeKind::Domain, 23, "(VALUE > 0)"));
    assert_eq!(domain.default.as_deref(), Some("1"));
    assert_eq!(catalog.operators[0].function, 65);
    assert_eq!((catalog.casts[0].method, catalog.casts[0].context), (CastMethod::InOut, CastContext::Explicit));
    assert_eq!(catalog.event_triggers, [7]);
    let settings: Vec<_> = catalog.settings.iter().map(|setting| (setting.scope, &*setting.text)).collect();
    assert_eq!(settings, [(SettingScope::Database, "a=b"), (SettingScope::Role, "role=x")]);
}

#[test]
fn whatever_cannot_be_read_makes_it_a_catalog_that_is_not_whole() {
    for (at, cells) in [
        (0, &["x", "public", "t", "r", "p", "f", "0", "~", "~", "~", "~"][..]),
        (0, &["1", "public", "v", "v", "p", "f", "0", "~", "~", "~", "~"]),
        (0, &["1", "public"]),
        (1, &["1", "1", "~", "23", "t", "f", "~"]),
        (1, &["1", "1", "a", "23", "yes", "f", "~"]),
        (3, &["1", "5", "t", "x"]),
        (4, &["1", "7", "4", "O", "~"]),
        (5, &["1", "z", "~", "~", "0", "~", " ", " "]),
        (6, &["1", "t", "1 x", "1", "~", "~", "f"]),
        (9, &["7"]),
        (12, &["40", "s", "~", "65", "0", "23", "16"]),
        (13, &["25", "23", "0", "?", "e"]),
        (15, &["t", "f", "no list", "~"]),
    ] {
        let read = read(&[(at, &[cells])]);
        assert!(!read.onto(None, &Fingerprints::default()).complete, "{at}: {cells:?}");
    }
    let answered = &mut Answered { damaged: true, ..Answered::default() };
    let none = Asked { relations: false, functions: false, types: false, system: false };
    assert!(!Read::of(answered, none, true).onto(None, &Fingerprints::default()).complete);
    assert_eq!(fingerprints(&[row(&["r", "1", "~"])]), None);
}

#[test]
fn what_changed_is_put_into_what_is_known() {
    let prints = |list: &[(Class, u32, &str)]| -> Fingerprints {
        list.iter().map(|(class, oid, print)| ((*class, *oid), (*print).into())).collect()
    };
    let before = prints(&[
        (Class::Relation, 1, "a"),
        (Class::Relation, 2, "a"),
        (Class::Function, 7, "a"),
        (Class::Schema, 3, "public"),
    ]);
    let after = prints(&[(Class::Relation, 1, "b"), (Class::Function, 7, "a"), (Class::Schema, 3, "public")]);
    let changed = Changed::between(&before, &after).unwrap();
    assert_eq!(changed, Changed { relations: vec![1], ..Changed::default() });
    let renamed = prints(&[(Class::Schema, 3, "other")]);
    assert_eq!(Changed::between(&before, &renamed), None, "every text may say something else");
    let gone: &[&str] = &["2", "public", "gone", "r", "p", "f", "21", "22", "_gone", "~", "~"];
    let base = read(&[(0, &[USERS, gone]), (1, &[ID]), (9, &[FUNCTION])]).onto(None, &before);
    let again = read(&[(0, &[USERS]), (1, &[ID, &["1", "2", "more", "25", "f", "f", "~"]])]);
    assert!(!again.renames(&base));
    let catalog = again.onto(Some((&base, &changed)), &after);
    assert_eq!((catalog.relations.len(), catalog.relations[&1].columns.len()), (1, 2));
    assert!(catalog.function(7).is_some() && catalog.types.contains_key(&11) && !catalog.types.contains_key(&21));
    assert!(catalog.relation("public", "gone").is_none());
    for (table, column) in [("people", "id"), ("users", "number")] {
        let mut users = USERS.to_vec();
        users[2] = table;
        let mut id = ID.to_vec();
        id[2] = column;
        assert!(read(&[(0, &[&users]), (1, &[&id])]).renames(&base), "{table}.{column}");
    }
}
