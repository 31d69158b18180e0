//! Whatever the pieces, what no mask touches is the same bytes on both sides.

use proptest::prelude::*;

use super::model::Model;
use super::statements::{Known, PLAIN, SECRET, STATEMENTS};
use super::{Step, holds, play, script};

/// In how a client says a statement.
#[derive(Clone, Copy, Debug)]
enum Form {
    Simple,
    Extended,
    Described,
    Named,
    /// Row by row, in a batch of its own.
    Limited,
}

fn said(known: &Known, form: Form) -> Vec<u8> {
    use script::{about, bind, execute, parse, query, sync};
    let copies = known.text.contains("from stdin");
    if copies {
        return [query(known.text), script::data()].concat();
    }
    let text = known.text;
    match form {
        Form::Simple => query(text),
        Form::Extended => [parse("", text), bind("", ""), execute("", 0), sync()].concat(),
        Form::Described => {
            [parse("", text), about(b'D', b'S', ""), bind("", ""), about(b'D', b'P', ""), execute("", 0), sync()]
                .concat()
        }
        Form::Named => [parse("a", text), bind("b", "a"), execute("b", 0), about(b'C', b'S', "a"), sync()].concat(),
        Form::Limited => {
            [parse("", text), bind("", ""), execute("", 1), execute("", 1), execute("", 0), sync()].concat()
        }
    }
}

fn forms() -> impl Strategy<Value = Form> {
    prop::sample::select(vec![Form::Simple, Form::Extended, Form::Described, Form::Named, Form::Limited])
}

/// Cuts what a client says into pieces of these lengths, again and again.
fn steps(said: &[Vec<u8>], pieces: &[u8]) -> Vec<Step> {
    let said = said.concat();
    let (mut rest, mut steps) = (&said[..], Vec::new());
    for piece in pieces.iter().cycle() {
        let (now, more) = rest.split_at(usize::from(*piece).min(rest.len()));
        rest = more;
        steps.extend([Step::Client(now.to_vec()), Step::Run]);
        if rest.is_empty() {
            break;
        }
    }
    steps
}

fn pieces() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(1u8..=255, 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_no_mask_touches_is_the_same_bytes_on_both_sides(
        statements in prop::collection::vec((0..PLAIN, forms()), 1..8),
        choices in prop::collection::vec(any::<u8>(), 0..80),
        client in pieces(),
        server in pieces(),
    ) {
        let said: Vec<Vec<u8>> = statements.iter().map(|(at, form)| said(&STATEMENTS[*at], *form)).collect();
        let mut direct = Model::new(Box::new(choices.clone().into_iter()));
        direct.hear(&said.concat());
        let mut model = Model::new(Box::new(choices.into_iter()));
        let heard = play(steps(&said, &client), Some(&mut model), &server);
        prop_assert_eq!(model.read.escape_ascii().to_string(), direct.read.escape_ascii().to_string());
        prop_assert_eq!(heard.client.escape_ascii().to_string(), direct.said.escape_ascii().to_string());
    }

    #[test]
    fn what_a_mask_touches_never_comes_out(
        statements in prop::collection::vec((0..STATEMENTS.len(), forms()), 1..8),
        choices in prop::collection::vec(any::<u8>(), 0..80),
        client in pieces(),
        server in pieces(),
    ) {
        let said: Vec<Vec<u8>> = statements.iter().map(|(at, form)| said(&STATEMENTS[*at], *form)).collect();
        let mut model = Model::new(Box::new(choices.into_iter()));
        let heard = play(steps(&said, &client), Some(&mut model), &server);
        prop_assert!(!holds(&heard.client, SECRET), "{}", heard.client.escape_ascii());
    }
}

#[test]
fn the_model_shows_what_it_has_to_hide() {
    // A test of the tests: the secret is on its way, and what comes out is its mask.
    let mut model = Model::new(Box::new([0xff, 0xff, 1, 0xff].into_iter()));
    let heard = play(vec![Step::Client(script::query("select ssn from users"))], Some(&mut model), &[]);
    assert!(holds(&model.said, SECRET), "{}", model.said.escape_ascii());
    assert!(holds(&heard.client, "[redacted]") && !holds(&heard.client, SECRET), "{}", heard.client.escape_ascii());
    let mut model = Model::new(Box::new(std::iter::empty()));
    let heard = play(vec![Step::Client(script::query("drop table orders"))], Some(&mut model), &[]);
    assert!(model.read.is_empty() && holds(&heard.client, "42501"), "{}", heard.client.escape_ascii());
    assert!(STATEMENTS[..PLAIN].iter().all(|known| !known.touches && !known.refused));
}
