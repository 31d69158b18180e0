//! Commands that a recording holds once, however often they are run: the later ones name the first.

use std::collections::VecDeque;

use super::CommandId;
use super::entry::{Body, Entry};

/// Which commands an [`Body::Again`] may stand for: so many that were recorded whole last.
const RECENT: usize = 32;

/// The longest text of one of those, in bytes: a reader keeps them, and a session that is idle.
const LONGEST: usize = 1024;

/// The commands that an [`Body::Again`] may stand for, the newest last. Who writes keeps what it knows each by, who reads
/// its entry.
#[derive(Debug)]
pub struct Recent<T>(VecDeque<(CommandId, T)>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Recent(VecDeque::new())
    }
}

impl<T> Recent<T> {
    /// Takes a command that is recorded whole.
    pub fn push(&mut self, id: CommandId, text: &str, command: impl FnOnce() -> T) {
        if text.len() > LONGEST {
            return;
        }
        if self.0.len() == RECENT {
            self.0.pop_front();
        }
        self.0.push_back((id, command()));
    }

    /// The number of one that fits.
    pub fn find(&self, fits: impl Fn(&T) -> bool) -> Option<CommandId> {
        self.0.iter().rev().find(|(_, command)| fits(command)).map(|(id, _)| *id)
    }

    /// The one of that number.
    fn get(&self, id: CommandId) -> Option<&T> {
        self.0.iter().rev().find(|(of, _)| *of == id).map(|(_, command)| command)
    }
}

impl Recent<Body<'static>> {
    /// The entry with its command whole; as it is where that is none, or names one that is not there.
    pub fn whole(&mut self, mut entry: Entry<'static>) -> Entry<'static> {
        match &entry.body {
            Body::Command { id, text, .. } => self.push(*id, text, || entry.body.clone()),
            Body::Again { id, of, parameters, in_transaction } => {
                if let Some(mut body) = self.get(*of).cloned() {
                    if let Body::Command { id: number, parameters: values, in_transaction: open, .. } = &mut body {
                        (*number, *open) = (*id, *in_transaction);
                        values.clone_from(parameters);
                    }
                    entry.body = body;
                }
            }
            _ => {}
        }
        entry
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn entry(body: Body<'static>) -> Entry<'static> {
        Entry { sequence: 0, previous: [0; 32], at: 0, body }
    }

    fn command(id: u64, text: &str) -> Body<'static> {
        Body::Command {
            id: CommandId(id),
            kind: "statement".into(),
            text: text.to_owned().into(),
            fingerprint: "".into(),
            effects: Cow::Borrowed(&[]),
            parameters: Cow::Owned(vec![Some("1".into())]),
            verdict: "forward".into(),
            reason: None,
            policies: Cow::Borrowed(&[]),
            masks: Cow::Borrowed(&[]),
            in_transaction: false,
        }
    }

    fn again(id: u64, of: u64) -> Entry<'static> {
        let parameters = Cow::Owned(vec![Some("2".into())]);
        entry(Body::Again { id: CommandId(id), of: CommandId(of), parameters, in_transaction: true })
    }

    #[test]
    fn a_command_that_names_another_is_read_as_that_one() {
        let mut recent = Recent::default();
        for (id, text) in [(1, "select $1"), (2, "select 2")] {
            let whole = entry(command(id, text));
            assert_eq!(recent.whole(whole.clone()), whole);
        }
        let read = recent.whole(again(3, 1)).body;
        let Body::Command { id, text, parameters, in_transaction, .. } = &read else { panic!("{read:?}") };
        assert_eq!((id.0, &**text, *in_transaction), (3, "select $1", true));
        assert_eq!(parameters.first(), Some(&Some("2".into())));
        assert_eq!(recent.whole(again(4, 9)), again(4, 9));
    }

    #[test]
    fn what_may_be_named_is_bounded() {
        let mut recent = Recent::default();
        let long = "x".repeat(LONGEST + 1);
        for id in 0..100 {
            recent.whole(entry(command(id, if id == 99 { &long } else { "x" })));
        }
        assert_eq!(recent.0.len(), RECENT);
        assert_eq!(recent.find(|_| true), Some(CommandId(98)));
        assert_eq!(recent.whole(again(100, 66)), again(100, 66));
        assert!(matches!(recent.whole(again(100, 67)).body, Body::Command { .. }));
    }
}
