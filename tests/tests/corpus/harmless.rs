//! What must not be noticed: each entry gives through the gateway what it gives directly.

use anyhow::Result;

use crate::Check;
use crate::client::Message;
use crate::entry::Entry;
use crate::ground::{A, Ground, WITH_DDL};
use crate::play::{Played, play, settled};

const DIRECT: usize = 0;
const THROUGH: usize = 1;

/// A server with the same data twice.
pub(crate) fn ground() -> Result<Ground> {
    Ground::new("harmless", WITH_DDL, &[A, A])
}

/// Checks entries through the gateway.
pub(crate) fn check(
    ground: &mut Ground,
    each: &mut dyn FnMut(&mut Ground, &mut Check<'_>) -> Result<()>,
) -> Result<()> {
    each(ground, &mut |ground, entry, form| {
        let direct = play(ground.direct(DIRECT, &entry.startup), entry, form)?;
        let through = play(ground.through(THROUGH, &entry.startup), entry, form);
        if ground.dirty()? {
            ground.reset(DIRECT)?;
            ground.reset(THROUGH)?;
        }
        Ok(match through {
            Err(error) => Some(format!("{error:#}")),
            Ok(through) if through.refused() => Some(format!("is refused: {}", through.errors())),
            Ok(through) => noticed(ground, entry, &direct, &through),
        })
    })
}

/// The first message that is not as directly.
fn noticed(ground: &Ground, entry: &Entry, direct: &Played, through: &Played) -> Option<String> {
    let settle = |played: &Played, at: usize| -> Vec<Message> {
        let (last, name) = (ground.last_oid(at), &ground.databases[at].name);
        let settled = played.steps.iter().flatten().filter_map(|message| settled(message, last, name));
        // Of what differs from one moment to the next, the kinds of messages are left.
        let differs = entry.differs.is_some();
        let mut kinds: Vec<Message> =
            settled.map(|message| if differs { Message { body: Vec::new(), ..message } } else { message }).collect();
        if differs {
            kinds.dedup();
        }
        kinds
    };
    let (direct, through) = (settle(direct, DIRECT), settle(through, THROUGH));
    let at = (0..direct.len().max(through.len())).find(|at| direct.get(*at) != through.get(*at))?;
    let word = |message: Option<&Message>| message.map_or("the end".to_owned(), Message::show);
    Some(format!("{} became {}", word(direct.get(at)), word(through.get(at))))
}
