//! The writer of one session's recording.

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use super::chain::Head;
use super::entry::{Body, CommandEntry, FORMAT, Opened, Outcome};
use super::index::Recordings;
use super::{CommandId, RecordError, SessionId};
use crate::metrics;

/// The most that may wait for a flush, in bytes: one command of the largest kind.
pub(super) const MAX_PENDING: usize = 32 * 1024 * 1024;

/// Writes one session's entries. Entries gather in memory; [`Recorder::flush`] puts them into the file with one
/// write(2), from where no end of the daemon loses them. After an error every later flush fails with the same.
#[derive(Debug)]
pub struct Recorder {
    recordings: Arc<Recordings>,
    id: SessionId,
    file: File,
    path: PathBuf,
    head: Head,
    pending: Vec<u8>,
    commands: u64,
    failed: Option<RecordError>,
}

impl Recorder {
    /// Creates the file; its first entry is in it on return, and the file in its day's index.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn create(recordings: &Arc<Recordings>, opened: Opened) -> Result<Self, RecordError> {
        recordings.watch(Self::try_create(recordings, opened))
    }

    /// Whose recording it is.
    pub fn id(&self) -> &SessionId {
        &self.id
    }

    fn try_create(recordings: &Arc<Recordings>, opened: Opened) -> Result<Self, RecordError> {
        let id = opened.id.clone();
        let path = id.file(recordings.folder());
        recordings.day_of(&path)?;
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(|e| RecordError::io(&path, e))?;
        let mut recorder = Recorder {
            recordings: Arc::clone(recordings),
            id: id.clone(),
            file,
            path,
            head: Head::default(),
            pending: Vec::new(),
            commands: 0,
            failed: None,
        };
        recorder.append(Body::Opened { format: FORMAT.into(), session: opened });
        recorder.write()?;
        recordings.append(&recorder.path, Body::Begun { id, first: recorder.head.hash })?;
        metrics::SESSIONS_OPENED.add(1);
        Ok(recorder)
    }

    /// A command and its verdict.
    pub fn command(&mut self, command: &CommandEntry<'_>) {
        self.commands = self.commands.saturating_add(1);
        self.append(Body::Command {
            id: command.id,
            kind: command.kind.into(),
            text: command.text.into(),
            fingerprint: command.fingerprint.into(),
            effects: command.effects.into(),
            parameters: command.parameters.into(),
            verdict: command.verdict.into(),
            reason: command.reason.map(Into::into),
            policies: command.policies.into(),
            masks: command.masks.into(),
            in_transaction: command.in_transaction,
        });
    }

    /// How a forwarded command ended.
    pub fn finished(&mut self, id: CommandId, outcome: &Outcome) {
        self.append(Body::Finished { id, outcome: Cow::Borrowed(outcome) });
    }

    /// Something that an auditor has to know.
    pub fn note(&mut self, text: &str) {
        self.append(Body::Note { text: text.into() });
    }

    fn append(&mut self, body: Body<'_>) {
        if self.failed.is_none()
            && (self.head.append(body, &mut self.pending).is_err() || self.pending.len() > MAX_PENDING)
        {
            self.failed = Some(RecordError::TooMuch);
        }
    }

    /// Puts what was appended into the file's page cache.
    ///
    /// # Errors
    /// It cannot be written, or could not be before.
    pub fn flush(&mut self) -> Result<(), RecordError> {
        if self.pending.is_empty() && self.failed.is_none() {
            return Ok(());
        }
        let written = self.write();
        self.recordings.watch(written)
    }

    fn write(&mut self) -> Result<(), RecordError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let written = self.file.write_all(&self.pending);
        self.pending.clear();
        // One long statement does not keep its memory for the rest of the session.
        self.pending.shrink_to(64 * 1024);
        written.map_err(|e| {
            let error = RecordError::io(&self.path, e);
            self.failed = Some(error.clone());
            error
        })
    }

    /// Seals the recording and says so in the index. A failure is logged: there is nobody left to stop.
    pub fn close(mut self) {
        self.append(Body::Closed { commands: self.commands });
        let sealed = self.flush().and_then(|()| {
            let Head { entries, hash: last } = self.head;
            self.recordings.append(&self.path, Body::Sealed { id: self.id.clone(), entries, last })
        });
        metrics::SESSIONS_CLOSED.add(1);
        if let Err(error) = self.recordings.watch(sealed) {
            tracing::error!(session = %self.id, %error, "the recording could not be sealed");
        }
    }
}
