//! What the guard leaves in the recording: every command with its verdict, numbered, nothing sensitive in it.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use crate::access::{Effect, Name};
use crate::guard::{Outcome, Parameter};
use crate::mask::Mask;
use crate::record::again::Recent;
use crate::record::{CommandEntry, CommandId, RecordError, Recorder, Touched};
use crate::sql::Analysis;

/// What stands for a value that the recording must not hold.
const HIDDEN: &str = "***";

/// The most of one parameter's value that is kept, in bytes.
const MAX_PARAMETER: usize = 4096;

/// The most parameters of one command that are kept; a statement can have 65,535.
const MAX_PARAMETERS: usize = 256;

/// The longest text that is kept whole, in bytes; of a longer one its beginning, its length and its hash.
const MAX_STATEMENT: usize = 8 * 1024 * 1024;

/// How much of a text is kept that is there whole already: of a portal's statement, which its Parse was recorded with.
const MAX_AGAIN: usize = 4096;

/// How much may wait for a flush before no further command is taken, in bytes.
const FULL: usize = 8 * 1024 * 1024;

/// What a command takes in the recording beside its text, in bytes.
const OVERHEAD: usize = 1024;

/// A verdict in the recording's words: on what, and why it is as it is.
#[derive(Clone, Debug)]
pub(super) struct Ruled {
    /// What it is on.
    pub(super) effects: Vec<Touched>,
    /// Why it was refused.
    pub(super) reason: Option<String>,
    /// The policies behind it.
    pub(super) policies: Vec<Name>,
    /// Which columns are masked, and how.
    pub(super) masks: Vec<(String, Mask)>,
}

impl Ruled {
    /// Nothing to say but what it is on.
    pub(super) fn on(effects: &[Effect]) -> Self {
        let effects = effects.iter().map(Touched::from).collect();
        Ruled { effects, reason: None, policies: Vec::new(), masks: Vec::new() }
    }
}

/// A statement in a recording.
pub(super) struct Said<'a> {
    /// What was done with it: `statement` where it was run.
    pub(super) kind: &'static str,
    /// Its text, as it may be recorded.
    pub(super) text: &'a Arc<str>,
    /// What it does.
    pub(super) analysis: &'a Analysis,
    /// Its parameters.
    pub(super) parameters: &'a [Parameter<'a>],
}

/// A session's recorder and the numbers of its commands.
#[derive(Debug)]
pub(super) struct Evidence {
    /// Absent once the recording is sealed.
    recorder: Option<Recorder>,
    next: u64,
    /// Whether something waits to be written that is more than an outcome.
    due: bool,
    /// Whether an outcome waits to be written.
    outcomes: bool,
    /// About how much waits to be written, in bytes.
    waiting: usize,
    /// What was recorded whole, by the verdict that was remembered and the text.
    recent: Recent<Option<(Rc<Ruled>, Arc<str>)>>,
}

impl Evidence {
    pub(super) fn new(recorder: Recorder) -> Self {
        Evidence {
            recorder: Some(recorder),
            next: 1,
            due: false,
            outcomes: false,
            waiting: 0,
            recent: Recent::default(),
        }
    }

    fn number(&mut self) -> CommandId {
        let id = CommandId(self.next);
        self.next = self.next.saturating_add(1);
        id
    }

    pub(super) fn statement(
        &mut self,
        said: &Said<'_>,
        verdict: &'static str,
        ruled: &Rc<Ruled>,
        in_transaction: bool,
    ) -> CommandId {
        let Said { kind, text: whole, analysis, parameters } = *said;
        let text = &*cut(whole, if kind == "bind" { MAX_AGAIN } else { MAX_STATEMENT });
        let id = self.number();
        let shown = parameters.iter().take(MAX_PARAMETERS).enumerate().map(|(index, value)| {
            // A parameter that the analysis does not know of may go anywhere.
            let sensitive = analysis.parameters.get(index).copied().unwrap_or(true);
            shown(*value, sensitive)
        });
        let shown: Vec<_> = shown.collect();
        // A verdict is remembered for one analysis, so everything else is the same with it.
        let same = |known: &Option<(Rc<Ruled>, Arc<str>)>| {
            known.as_ref().is_some_and(|(verdict, text)| Rc::ptr_eq(verdict, ruled) && text == whole)
        };
        if let Some(of) = self.recent.find(same) {
            self.waits(0, &shown);
            if let Some(recorder) = &mut self.recorder {
                recorder.again(id, of, &shown, in_transaction);
            }
            return id;
        }
        self.recent.push(id, text, || Some((Rc::clone(ruled), Arc::clone(whole))));
        let entry = CommandEntry {
            id,
            kind,
            text,
            fingerprint: &analysis.fingerprint,
            effects: &ruled.effects,
            parameters: &shown,
            verdict,
            reason: ruled.reason.as_deref(),
            policies: &ruled.policies,
            masks: &ruled.masks,
            in_transaction,
        };
        self.append(&entry);
        id
    }

    pub(super) fn operation(
        &mut self,
        kind: &'static str,
        text: &str,
        verdict: &'static str,
        ruled: &Ruled,
        in_transaction: bool,
    ) -> CommandId {
        let id = self.number();
        self.recent.push(id, text, || None);
        let entry = CommandEntry {
            id,
            kind,
            text,
            fingerprint: "",
            effects: &ruled.effects,
            parameters: &[],
            verdict,
            reason: ruled.reason.as_deref(),
            policies: &ruled.policies,
            masks: &ruled.masks,
            in_transaction,
        };
        self.append(&entry);
        id
    }

    fn append(&mut self, entry: &CommandEntry<'_>) {
        self.waits(entry.text.len(), entry.parameters);
        if let Some(recorder) = &mut self.recorder {
            recorder.command(entry);
        }
    }

    /// A command waits to be written, with a text of so many bytes.
    fn waits(&mut self, text: usize, parameters: &[Option<Cow<'_, str>>]) {
        let parameters: usize = parameters.iter().flatten().map(|value| value.len()).sum();
        self.waiting = self.waiting.saturating_add(text).saturating_add(parameters).saturating_add(OVERHEAD);
        self.due = self.recorder.is_some();
    }

    pub(super) fn finished(&mut self, id: CommandId, outcome: &Outcome) {
        if let Some(recorder) = &mut self.recorder {
            self.outcomes = true;
            recorder.finished(id, outcome);
        }
    }

    pub(super) fn note(&mut self, what: &str) {
        if let Some(recorder) = &mut self.recorder {
            self.due = true;
            recorder.note(what);
        }
    }

    pub(super) fn is_due(&self) -> bool {
        self.due
    }

    /// Whether so much waits that it has to be written before more is decided.
    pub(super) fn is_full(&self) -> bool {
        self.waiting >= FULL
    }

    pub(super) fn lingers(&self) -> bool {
        self.outcomes && !self.due
    }

    pub(super) fn flush(&mut self) -> Result<(), RecordError> {
        (self.due, self.outcomes, self.waiting) = (false, false, 0);
        match &mut self.recorder {
            Some(recorder) => recorder.flush(),
            None => Ok(()),
        }
    }

    pub(super) fn close(&mut self) {
        if let Some(recorder) = self.recorder.take() {
            recorder.close();
        }
    }
}

impl Drop for Evidence {
    /// A session that is aborted leaves a sealed recording all the same.
    fn drop(&mut self) {
        self.close();
    }
}

/// A text of at most about `most` bytes.
fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return text.into();
    }
    let kept = text.get(..text.floor_char_boundary(most)).unwrap_or_default();
    format!("{kept}… ({} bytes, BLAKE3 {})", text.len(), blake3::hash(text.as_bytes()).to_hex()).into()
}

fn shown(value: Parameter<'_>, sensitive: bool) -> Option<Cow<'_, str>> {
    let (bytes, text) = match value {
        Parameter::Null => return None,
        _ if sensitive => return Some(HIDDEN.into()),
        Parameter::Text(bytes) => (bytes, true),
        Parameter::Binary(bytes) => (bytes, false),
    };
    let kept = bytes.get(..MAX_PARAMETER).unwrap_or(bytes);
    let mut out = if text {
        String::from_utf8_lossy(kept)
    } else {
        let hex = kept.iter().fold("\\x".to_owned(), |mut out, byte| {
            use std::fmt::Write as _;
            // Writing to a string cannot fail.
            let _ = write!(out, "{byte:02x}");
            out
        });
        hex.into()
    };
    if kept.len() < bytes.len() {
        out.to_mut().push('…');
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_and_still_told_from_others() {
        assert_eq!(cut("abc", 3), "abc");
        let (one, other) = (cut("äbcd", 3).into_owned(), cut("äbce", 3).into_owned());
        assert!(one.starts_with("äb… (5 bytes, BLAKE3 ") && one != other, "{one}");
        assert!(cut("äb", 1).starts_with("… (3 bytes"));
    }

    #[test]
    fn parameters_are_shown_cut_or_hidden() {
        assert_eq!(shown(Parameter::Null, true), None);
        assert_eq!(shown(Parameter::Text(b"42"), false).as_deref(), Some("42"));
        assert_eq!(shown(Parameter::Text(b"42"), true).as_deref(), Some(HIDDEN));
        assert_eq!(shown(Parameter::Binary(&[0, 0xff]), false).as_deref(), Some("\\x00ff"));
        let long = vec![b'a'; MAX_PARAMETER + 1];
        assert_eq!(shown(Parameter::Text(&long), false).map(|s| s.chars().count()), Some(MAX_PARAMETER + 1));
    }
}
