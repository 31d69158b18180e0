//! What must not happen: an administrator compares the whole server before and after.

use anyhow::Result;

use crate::Check;
use crate::client::Client;
use crate::entry::{Entry, Expect, Form, Step};
use crate::ground::{A, Ground};
use crate::play::play;
use crate::search::Search;
use crate::state::{State, changes};

/// A server on which the gateway's role may do everything, so that only the gateway is in the way.
pub(crate) fn ground() -> Result<Ground> {
    let mut ground = Ground::new("effects", "", &[A])?;
    ground.empower()?;
    Ok(ground)
}

/// Checks entries through the gateway.
pub(crate) fn check(
    ground: &mut Ground,
    each: &mut dyn FnMut(&mut Ground, &mut Check<'_>) -> Result<()>,
) -> Result<()> {
    let search = Search::new(&ground.values, A)?;
    let before = ground.state(0)?;
    each(ground, &mut |ground, entry, form| {
        let played = play(ground.through(0, &entry.startup), entry, form);
        let changed = changed(ground, &before)?;
        if !changed.is_empty() {
            return Ok(Some(format!("changed {}", changed.join(", "))));
        }
        let played = match played {
            Ok(played) => played,
            Err(error) => return Ok(Some(format!("{error:#}"))),
        };
        if let Some(what) = search.find_in(&played.all) {
            return Ok(Some(format!("leaks {what}")));
        }
        let not_refused = entry.expect == Expect::Refused && !played.refused();
        Ok(not_refused.then(|| format!("is not refused: {}", played.errors())))
    })
}

/// What is another than before; it is put back.
fn changed(ground: &mut Ground, before: &State) -> Result<Vec<String>> {
    let changed = match ground.state(0) {
        Ok(after) => changes(before, &after),
        // A table that is gone.
        Err(error) => vec![format!("so much that {error:#}")],
    };
    if !changed.is_empty() {
        ground.restore(0, before)?;
    }
    Ok(changed)
}

/// Checks that entries have an effect where nothing is in the way.
pub(crate) fn proves(
    ground: &mut Ground,
    each: &mut dyn FnMut(&mut Ground, &mut Check<'_>) -> Result<()>,
) -> Result<()> {
    let before = ground.state(0)?;
    each(ground, &mut |ground, entry, form| {
        // What leaves nothing on the server is only refused.
        if entry.differs.is_some() {
            return Ok(None);
        }
        let (said, seen) = match undone(ground, entry, form, &before)? {
            Some(seen) => (String::new(), seen),
            None => match play(ground.direct(0, &entry.startup), entry, form) {
                Ok(played) => (played.errors(), false),
                Err(error) => (format!("{error:#}"), false),
            },
        };
        // What a rollback does not undo, or what was not tried in a transaction.
        let stays = !changed(ground, &before)?.is_empty();
        Ok((!seen && !stays).then_some(said))
    })
}

/// Whether an entry changes something in a transaction that is rolled back, which costs less than making the database anew;
/// nothing where it cannot be told that way.
fn undone(ground: &mut Ground, entry: &Entry, form: Form, before: &State) -> Result<Option<bool>> {
    let own = |step: &Step| match step {
        Step::Sql(statement) => {
            let text = statement.text.to_lowercase();
            ["begin", "commit", "rollback"].iter().any(|word| text.contains(word))
        }
        _ => false,
    };
    if entry.pipelined || !entry.startup.is_empty() || entry.steps.iter().any(own) {
        return Ok(None);
    }
    let mut client: Client = ground.direct(0, &[])?;
    client.query("begin")?;
    for step in &entry.steps {
        if client.step(step, form)?.iter().any(|message| message.tag == b'E') {
            client.bye()?;
            return Ok(None);
        }
    }
    let after = ground.state_by(&mut client);
    client.bye()?;
    // A table that is gone.
    Ok(Some(after.map_or(true, |after| !changes(before, &after).is_empty())))
}
