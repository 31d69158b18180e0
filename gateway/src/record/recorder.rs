//! The writer of one session's recording.

use std::borrow::Cow;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use super::chain::Head;
use super::entry::{Body, CommandEntry, FORMAT, Opened, Outcome};
use super::recordings::Recordings;
use super::share::Used;
use super::{CommandId, RecordError, SessionId};
use crate::access::Name;
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
    /// With what waits to be written.
    head: Head,
    pending: Vec<u8>,
    /// What is in the file: how far its chain came, in how many bytes.
    written: Head,
    length: u64,
    commands: u64,
    failed: Option<RecordError>,
    workload: Name,
    used: Arc<Used>,
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
        let (id, workload) = (opened.id.clone(), Arc::clone(&opened.workload));
        let path = id.file(recordings.folder());
        let used = recordings.shares.of(&workload);
        recordings.begin(&id.day())?;
        used.file(&workload, recordings.folder())?;
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(|e| RecordError::io(&path, e))?;
        let mut recorder = Recorder {
            recordings: Arc::clone(recordings),
            id,
            file,
            path,
            head: Head::default(),
            pending: Vec::new(),
            written: Head::default(),
            length: 0,
            commands: 0,
            failed: None,
            workload,
            used,
        };
        recorder.append(Body::Opened { format: FORMAT.into(), session: opened });
        let begun = recorder.write().and_then(|()| {
            let body = Body::Begun { id: recorder.id.clone(), first: recorder.head.hash };
            recordings.append(&recorder.id.day(), body)
        });
        if let Err(error) = begun {
            // Nothing was forwarded. What no index names would look as if somebody had put it there.
            if let Err(error) = fs::remove_file(&recorder.path) {
                tracing::error!(file = %recorder.path.display(), %error, "a recording that was not begun stays");
            }
            return Err(error);
        }
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

    /// A command that is the one with the number `of` but for its parameters.
    pub fn again(&mut self, id: CommandId, of: CommandId, parameters: &[Option<Cow<'_, str>>], in_transaction: bool) {
        self.commands = self.commands.saturating_add(1);
        self.append(Body::Again { id, of, parameters: parameters.into(), in_transaction });
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
        let (used, length) = (&self.used, self.pending.len());
        let written = used.bytes(&self.workload, self.recordings.folder(), length).and_then(|()| {
            let io = |e| RecordError::io(&self.path, e);
            self.file.write_all(&self.pending).map_err(|error| {
                // Part of an entry would make the recording look as if somebody had cut it.
                if let Err(error) = self.file.set_len(self.length) {
                    tracing::error!(session = %self.id, %error, "part of an entry stays in the recording");
                }
                io(error)
            })
        });
        self.pending.clear();
        // One long statement does not keep its memory for the rest of the session.
        self.pending.shrink_to(64 * 1024);
        match &written {
            Ok(()) => {
                self.written = self.head.clone();
                self.length = self.length.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
            }
            Err(error) => self.failed = Some(error.clone()),
        }
        written
    }

    /// Seals the recording and says so in the index. A failure is logged: there is nobody left to stop.
    pub fn close(mut self) {
        self.append(Body::Closed { commands: self.commands });
        let sealed = match self.flush() {
            Ok(()) => {
                let Head { entries, hash: last } = self.written;
                let sealed = Body::Sealed { id: self.id.clone(), entries, last };
                let sealed = self.recordings.append(&self.id.day(), sealed);
                self.recordings.watch(sealed)
            }
            Err(error) => self.abandon(&error).and(Err(error)),
        };
        metrics::SESSIONS_CLOSED.add(1);
        if let Err(error) = sealed {
            tracing::error!(session = %self.id, %error, "the recording could not be sealed");
        }
    }

    /// Says in the index how far a recording came that cannot be closed. Where that fails as well, the next daemon
    /// says it.
    fn abandon(&self, error: &RecordError) -> Result<(), RecordError> {
        let found = self.file.metadata().map_err(|e| RecordError::io(&self.path, e))?;
        let Head { entries, hash: last } = self.written;
        let reason: String = error.to_string().chars().take(256).collect();
        let torn = found.len().saturating_sub(self.length);
        let abandoned = Body::Abandoned { id: self.id.clone(), entries, last, torn, reason: reason.into() };
        self.recordings.append(&self.id.day(), abandoned)
    }
}
