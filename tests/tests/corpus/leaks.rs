//! What must not come back: each entry is played on two data sets that differ in the sensitive values only.

use anyhow::Result;

use crate::Check;
use crate::client::Message;
use crate::compare::{Comparison, masked};
use crate::entry::{Entry, Expect, Form, Step};
use crate::ground::{A, B, Ground, WITH_DDL};
use crate::play::{Played, play, settled};
use crate::search::Search;

/// A server with both data sets.
pub(crate) fn ground() -> Result<Ground> {
    Ground::new("leaks", WITH_DDL, &[A, B])
}

/// Checks entries through the gateway.
pub(crate) fn check(
    ground: &mut Ground,
    each: &mut dyn FnMut(&mut Ground, &mut Check<'_>) -> Result<()>,
) -> Result<()> {
    let searches = [Search::new(&ground.values, A)?, Search::new(&ground.values, B)?];
    each(ground, &mut |ground, entry, form| leak(ground, &searches, entry, form))
}

/// What an entry leaked, or did otherwise than it must.
fn leak(ground: &mut Ground, searches: &[Search; 2], entry: &Entry, form: Form) -> Result<Option<String>> {
    let mut played: Vec<Played> = Vec::new();
    for (at, search) in searches.iter().enumerate() {
        let result = play(ground.through(at, &entry.startup), entry, form);
        if ground.dirty()? {
            ground.reset(at)?;
        }
        match result {
            Ok(result) => {
                if let Some(what) = search.find_in(&result.all) {
                    return Ok(Some(format!("leaks {what}")));
                }
                played.push(result);
            }
            Err(error) => return Ok(Some(format!("{error:#}"))),
        }
    }
    let (one, other) = (&played[A], &played[B]);
    if entry.differs.is_none()
        && let Some(what) = difference(ground, one, other)
    {
        return Ok(Some(format!("depends on the values: {what}")));
    }
    let wrong = match &entry.expect {
        Expect::Refused => (!one.refused()).then(|| format!("is not refused: {}", one.errors())),
        Expect::Either => None,
        Expect::Error(code) => {
            let has = one.all.iter().any(|m| m.tag == b'E' && m.field(b'C').as_deref() == Some(code));
            (!has || one.refused()).then(|| format!("no error {code}: {}", one.errors()))
        }
        Expect::Masked(_) if one.refused() => Some(format!("is refused: {}", one.errors())),
        Expect::Masked(columns) => {
            let direct = play(ground.direct(A, &entry.startup), entry, form)?;
            if ground.dirty()? {
                ground.reset(A)?;
            }
            let how = Comparison {
                columns: columns.as_deref(),
                csv: &csv(entry),
                search: &searches[A],
                last_oid: ground.last_oid(A),
            };
            masked(&direct, one, &how)
        }
        Expect::Same => Some("`same` is no expectation of a leak's".to_owned()),
    };
    let rows = entry.rows.as_ref().filter(|_| form != Form::Binary && wrong.is_none()).and_then(|rows| {
        let seen: Vec<String> = one.steps.last()?.iter().filter(|message| message.tag == b'D').map(row).collect();
        (*rows != seen).then(|| format!("rows are {seen:?}"))
    });
    Ok(wrong.or(rows))
}

/// A row as `\row` has it.
fn row(message: &Message) -> String {
    let cells = message.cells().into_iter();
    let text =
        |cell: Option<Vec<u8>>| cell.map_or("\\N".to_owned(), |cell| String::from_utf8_lossy(&cell).into_owned());
    cells.map(text).collect::<Vec<_>>().join("|")
}

/// Which steps stream CSV.
fn csv(entry: &Entry) -> Vec<bool> {
    let is = |step: &Step| matches!(step, Step::Sql(statement) if statement.text.to_lowercase().contains("csv"));
    entry.steps.iter().map(is).collect()
}

/// The first message that is another with the other values.
fn difference(ground: &Ground, one: &Played, other: &Played) -> Option<String> {
    let settle = |played: &Played, at: usize| -> Vec<Message> {
        let (last, name) = (ground.last_oid(at), &ground.databases[at].name);
        played.all.iter().filter_map(|message| settled(message, last, name)).collect()
    };
    let (one, other) = (settle(one, A), settle(other, B));
    let at = (0..one.len().max(other.len())).find(|at| one.get(*at) != other.get(*at))?;
    let word = |message: Option<&Message>| message.map_or("the end".to_owned(), Message::show);
    Some(format!("{} or {}", word(one.get(at)), word(other.get(at))))
}

/// Checks that entries mean something without the gateway: a text that nobody understands leaks nothing, for no reason.
pub(crate) fn means(
    ground: &mut Ground,
    each: &mut dyn FnMut(&mut Ground, &mut Check<'_>) -> Result<()>,
) -> Result<()> {
    let search = Search::new(&ground.values, A)?;
    each(ground, &mut |ground, entry, form| {
        let played = play(ground.direct(A, &entry.startup), entry, form);
        if ground.dirty()? {
            ground.reset(A)?;
        }
        let Ok(played) = played else { return Ok(None) };
        let code = |message: &Message| message.field(b'C').unwrap_or_default();
        let wrong = |message: &&Message| match &entry.expect {
            Expect::Error(_) => false,
            // Class 42 is of names and grammar: a right that is missing, or a name that is a value, is no mistake.
            Expect::Refused | Expect::Either => {
                code(message).starts_with("42")
                    && code(message) != "42501"
                    && !entry.invalid
                    && search.find(&message.body).is_none()
            }
            _ => !entry.invalid,
        };
        Ok(played.all.iter().filter(|message| message.tag == b'E').find(wrong).map(Message::show))
    })
}
