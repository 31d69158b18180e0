//! Any text through the grammar, the lowering and the analysis.

use std::sync::Arc;

use super::ground;
use crate::sql::{Analysis, Analyzer, Settings, literals, without_literals};

/// Under one of a few settings, by the first byte. The analysis answers, the answer is well formed, and it is the same from memory as anew,
/// also where another text's is remembered for it.
pub fn analysis(data: &[u8]) {
    let Some((first, text)) = data.split_first() else { return };
    let catalog = ground::database();
    let settings = match first & 3 {
        0 | 1 => Settings::default(),
        2 => Settings {
            search_path: Some(Arc::new(["pg_catalog".into(), "public".into()])),
            pending: true,
            ..Settings::default()
        },
        _ => Settings { search_path: Some(Arc::new([])), temporary: Some("pg_temp_3".into()), pending: false },
    };
    let anew = |text: &[u8]| Analyzer::default().analyze(text, &catalog, &settings);
    let mut analyzer = Analyzer::default();
    let told = analyzer.analyze(text, &catalog, &settings);
    well_formed(&told);
    recorded(text);
    same(&told, &analyzer.analyze(text, &catalog, &settings));
    let other = with_other_literals(text);
    let shared = analyzer.analyze(&other, &catalog, &settings);
    if Arc::ptr_eq(&told, &shared) {
        same(&shared, &anew(&other));
    }
}

fn well_formed(told: &Analysis) {
    assert!(!told.effects.is_empty(), "every text does something");
    assert!(told.effects.is_sorted() && told.effects.windows(2).all(|two| two.first() != two.last()));
    assert!(told.outputs.len() == told.statements || told.outputs.len() == 1, "an answer for each statement");
    let either = told.either(told);
    assert!(either.effects.len() >= told.effects.len() && either.sensitive);
}

/// What the recording holds of a text is at most so much longer than it as what stands for its literals is longer than them.
fn recorded(text: &[u8]) {
    let mut end = 0;
    for literal in literals(text) {
        assert!(literal.start >= end && literal.end <= text.len(), "literals in order, within the text");
        end = literal.end;
    }
    let recorded = without_literals(&String::from_utf8_lossy(text));
    assert!(recorded.len() <= text.len() * 3 + 5 * (literals(text).len() + 1), "{recorded}");
}

fn same(one: &Analysis, other: &Analysis) {
    assert_eq!(one.effects, other.effects);
    assert_eq!(one.outputs, other.outputs);
    assert_eq!(one.named, other.named);
    assert_eq!(one.parameters, other.parameters);
    assert_eq!(one.changes, other.changes);
    assert_eq!((one.statements, one.sensitive), (other.statements, other.sensitive));
    assert_eq!(one.literals_sensitive, other.literals_sensitive);
    assert_eq!((one.copies_in, &one.fingerprint), (other.copies_in, &other.fingerprint));
}

/// A text whose literals have other values, as long as they were.
fn with_other_literals(text: &[u8]) -> Vec<u8> {
    let mut other = text.to_vec();
    for literal in literals(text) {
        for byte in other.get_mut(literal).unwrap_or_default() {
            match byte {
                b'1'..=b'8' => *byte += 1,
                b'a'..=b'y' => *byte += 1,
                _ => {}
            }
        }
    }
    other
}
