//! The corpora of `tests/corpus`: what must not leak, what must not happen, and what must not be noticed, each in four
//! forms, on a real server through the gateway's own `serve`. `tests/corpus/README.md` says how to read and extend them.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a suite's own scaffolding fails by panicking")]

#[path = "corpus/client.rs"]
mod client;
#[path = "corpus/compare.rs"]
mod compare;
#[path = "postgres_startup/door.rs"]
#[expect(dead_code, reason = "the start-up's suite uses the rest of it")]
mod door;
#[path = "corpus/effects.rs"]
mod effects;
#[path = "corpus/entry.rs"]
mod entry;
#[path = "corpus/ground.rs"]
mod ground;
#[path = "corpus/harmless.rs"]
mod harmless;
#[path = "corpus/known.rs"]
mod known;
#[path = "corpus/leaks.rs"]
mod leaks;
#[path = "corpus/play.rs"]
mod play;
#[path = "corpus/search.rs"]
mod search;
#[path = "corpus/state.rs"]
mod state;

use anyhow::Result;

use crate::entry::{Entry, Form};
use crate::ground::Ground;
use crate::known::{Verdicts, wanted};
use crate::play::resolve;

/// How many servers share a corpus: a session is one process at a time, and the smallest machine has two cores.
const SHARDS: usize = 2;

/// How long a catalog may take to be no older than what an entry begins with.
const YOUNG: std::time::Duration = std::time::Duration::from_millis(1500);

/// What is wrong with an entry in one form, or nothing.
type Check<'a> = dyn FnMut(&mut Ground, &Entry, Form) -> Result<Option<String>> + 'a;

/// Runs a corpus on [`SHARDS`] grounds and gathers what went wrong. `body` is called once a ground and calls what it is given
/// for each entry.
fn run(
    kind: &'static str,
    open: impl Fn() -> Result<Ground> + Sync,
    forms: impl Fn(&Entry) -> Vec<Form> + Sync,
    body: impl Fn(&mut Ground, &mut dyn FnMut(&mut Ground, &mut Check<'_>) -> Result<()>) -> Result<()> + Sync,
) -> Result<Verdicts> {
    let entries = entry::read(kind)?;
    let shard = |number: usize| -> Result<Verdicts> {
        let mut ground = open()?;
        let mut entries: Vec<Entry> = entries.iter().skip(number).step_by(SHARDS).cloned().collect();
        entries.retain(|entry| wanted(&entry.name));
        resolve(&mut entries, &mut ground)?;
        let mut verdicts = Verdicts::default();
        body(&mut ground, &mut |ground, check| {
            for entry in &entries {
                verdicts.ran(&entry.name);
                for form in forms(entry) {
                    let mut why = check(ground, entry, form)?;
                    // What was put back just before may be younger than the catalog that it is read by. A value that came
                    // back counts at once, and so does anything that was changed.
                    let counts = |why: &String| why.starts_with("leaks ") || why.starts_with("changed ");
                    if why.as_ref().is_some_and(|why| !counts(why)) && !known::is_known(&entry.name) {
                        std::thread::sleep(YOUNG);
                        why = check(ground, entry, form)?;
                    }
                    if let Some(why) = why {
                        verdicts.failed(&entry.name, form.word(), &why);
                    }
                }
            }
            Ok(())
        })?;
        Ok(verdicts)
    };
    std::thread::scope(|scope| {
        let shards: Vec<_> = (0..SHARDS).map(|number| scope.spawn(move || shard(number))).collect();
        let mut all = Verdicts::default();
        for shard in shards {
            all.add(shard.join().unwrap()?);
        }
        Ok(all)
    })
}

#[test]
fn nothing_sensitive_comes_back() -> Result<()> {
    run("leaks", leaks::ground, |entry| entry.forms.clone(), leaks::check)?.settle("leaks", 400)
}

#[test]
fn nothing_forbidden_happens() -> Result<()> {
    run("effects", effects::ground, |entry| entry.forms.clone(), effects::check)?.settle("effects", 200)
}

#[test]
fn nothing_harmless_is_noticed() -> Result<()> {
    run("harmless", harmless::ground, |entry| entry.forms.clone(), harmless::check)?.settle("harmless", 300)
}

#[test]
fn every_leak_is_a_statement() -> Result<()> {
    run("leaks", leaks::ground, |entry| vec![entry.forms[0]], leaks::means)?
        .clean("entries that mean nothing without the gateway as well")
}

#[test]
fn every_forbidden_effect_is_one() -> Result<()> {
    run("effects", effects::ground, |entry| vec![entry.forms[0]], effects::proves)?
        .clean("entries that change nothing without the gateway as well")
}
