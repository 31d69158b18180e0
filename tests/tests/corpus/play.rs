//! Plays an entry in one session and makes what came back comparable.

use std::collections::HashMap;

use anyhow::{Result, bail};

use crate::client::{Client, Message};
use crate::entry::{Entry, Form, Step};
use crate::ground::Ground;

/// What came back.
pub(crate) struct Played {
    /// Everything.
    pub(crate) all: Vec<Message>,
    /// For each step, without the start-up.
    pub(crate) steps: Vec<Vec<Message>>,
}

impl Played {
    /// Whether the gateway refused something.
    pub(crate) fn refused(&self) -> bool {
        self.all.iter().any(Message::refuses)
    }

    /// What the server or the gateway objected to, for a person.
    pub(crate) fn errors(&self) -> String {
        let shown = self.all.iter().filter(|message| message.tag == b'E').map(Message::show);
        shown.collect::<Vec<_>>().join("; ")
    }
}

/// Plays `entry` on `client`.
pub(crate) fn play(client: Result<Client>, entry: &Entry, form: Form) -> Result<Played> {
    let mut client = client?;
    let entry = &named(entry, form);
    let mut steps = Vec::new();
    if entry.pipelined {
        steps.push(client.pipeline(&entry.steps, form)?);
    } else {
        for step in &entry.steps {
            steps.push(client.step(step, form)?);
        }
    }
    client.bye()?;
    Ok(Played { all: client.messages, steps })
}

/// The entry with a name of its own for `w`, which is what entries call what they make: the gateway may remember for a
/// while what another entry made, and has taken away again.
fn named(entry: &Entry, form: Form) -> Entry {
    let sum = entry.name.bytes().fold(5381u32, |sum, byte| sum.wrapping_mul(33) ^ u32::from(byte));
    let name = format!("w_{sum:08x}_{}", form.word());
    let rename = |text: &mut String| {
        let bytes = text.as_bytes();
        let inner = |at: usize| bytes.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        let alone = |at: &usize| bytes[*at] == b'w' && !inner(at + 1) && (*at == 0 || !inner(at - 1));
        let places: Vec<usize> = (0..bytes.len()).filter(alone).collect();
        for at in places.into_iter().rev() {
            text.replace_range(at..=at, &name);
        }
    };
    let mut entry = entry.clone();
    for step in &mut entry.steps {
        match step {
            Step::Sql(statement) => rename(&mut statement.text),
            Step::Parse(_, text) => rename(text),
            _ => {}
        }
    }
    entry
}

/// Fills in what only the server's fixture knows: `{role}`, `{dir}`, and the OIDs of functions.
pub(crate) fn resolve(entries: &mut [Entry], ground: &mut Ground) -> Result<()> {
    let mut oids: HashMap<String, String> = HashMap::new();
    let words = [("{role}", ground.role().to_owned()), ("{dir}", ground.folder().display().to_string())];
    let fill = |text: &mut String| {
        for (name, value) in &words {
            *text = text.replace(name, value);
        }
    };
    for entry in entries {
        entry.startup.iter_mut().for_each(|(_, value)| fill(value));
        for step in &mut entry.steps {
            match step {
                Step::Sql(statement) => fill(&mut statement.text),
                Step::Parse(_, text) => fill(text),
                Step::Call(function, _) => {
                    if !oids.contains_key(function) {
                        let oid = ground.admin(0).value(&format!("select '{function}'::regprocedure::oid::text"))?;
                        oids.insert(function.clone(), oid);
                    }
                    match oids.get(function) {
                        Some(oid) => *function = oid.clone(),
                        None => bail!("{function} has no OID"),
                    }
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// A message without what differs from one session to another: keys, process numbers, OIDs of what the session made,
/// the database's name.
pub(crate) fn settled(message: &Message, last_oid: u32, database: &str) -> Option<Message> {
    let mut message = message.clone();
    match message.tag {
        b'K' => return None,
        b'A' => message.body.iter_mut().take(4).for_each(|byte| *byte = 0),
        b'T' => {
            let count = u16::from_be_bytes([message.body[0], message.body[1]]);
            let mut at = 2;
            for _ in 0..count {
                at += message.body[at..].iter().position(|byte| *byte == 0)? + 1;
                for oid in [at, at + 6] {
                    let value = u32::from_be_bytes(message.body[oid..oid + 4].try_into().ok()?);
                    if value > last_oid {
                        message.body[oid..oid + 4].fill(0);
                    }
                }
                at += 18;
            }
        }
        _ => {}
    }
    let (from, to) = (database.as_bytes(), b"corpus_a");
    let mut at = 0;
    while let Some(found) = message.body[at..].windows(from.len()).position(|window| window == from) {
        message.body[at + found..at + found + to.len()].copy_from_slice(to);
        at += found + to.len();
    }
    Some(message)
}
