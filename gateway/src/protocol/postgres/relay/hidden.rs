//! What a session's statements are read by: the catalog that all of a database's sessions share, what this session's own
//! transaction changed of it, and the settings. Questions of the gateway's own go between the client's messages.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::errors::{Candour, sqlstate, told};
use super::message::{MAX_WHOLE, OWN_NAMES, head, split};
use super::queue::{Owed, Running};
use super::{MAX_OUTPUT, Relay, RelayError};
use crate::access::Name;
use crate::protocol::postgres::catalog::{
    Answered, Answering, AskError, Asks, Known, LOCK_NOT_AVAILABLE, MAX_AGE, SessionLook, TEMPORARY, Taken, ask,
};
use crate::protocol::postgres::established::BackendKind;
use crate::protocol::postgres::wire::FRAME_HEADER;

/// How long the server may take to answer.
const ANSWER: Duration = Duration::from_secs(30);

/// How often questions are asked that are cancelled.
const RETRIES: usize = 3;

/// How often questions are asked that somebody's lock is in the way of: of a session that has locks itself, less often,
/// as who waits for those cannot go on meanwhile.
const WAITS: usize = 10;
const WAITS_WITHIN: usize = 3;

/// SQLSTATE query_canceled.
const CANCELED: &str = "57014";

/// What every look is done under, for its own transaction or savepoint alone. Nothing that the session set makes texts
/// mean something else, come in another encoding, or not come. Printing a definition takes locks one by one: whoever waits
/// for one of them meanwhile would be told of a deadlock after his `deadlock_timeout`, which is 1 s unless somebody set it.
const UNDER: [&str; 6] = [
    "select pg_catalog.set_config('search_path', 'pg_catalog', true)",
    "select pg_catalog.set_config('client_encoding', 'UTF8', true)",
    "select pg_catalog.set_config('statement_timeout', '0', true)",
    "select pg_catalog.set_config('lock_timeout', '100ms', true)",
    "select pg_catalog.set_config('client_min_messages', 'error', true)",
    "select pg_catalog.set_config('jit', 'off', true)",
];

/// Around a look within the client's transaction, which it leaves as it was.
const BEFORE: [&str; 1] = ["savepoint \"sluice catalog\""];
const AFTER: [&str; 2] = ["rollback to savepoint \"sluice catalog\"", "release savepoint \"sluice catalog\""];

impl Relay {
    /// Whether the server owes nothing, so that what it says next answers the next question.
    fn idle(&self) -> bool {
        self.queue.owed.is_empty()
            && !self.skipping
            && !self.batch_open
            && self.server.passing == 0
            && self.server.input.is_empty()
    }

    /// Whether statements are read by what the gateway knows.
    pub(super) fn outdated(&self) -> bool {
        self.kind == BackendKind::Ordinary && (self.settings_outdated || self.catalog_outdated)
    }

    /// Learns again what changed, where that can be asked for now.
    pub(super) async fn refresh(&mut self) -> Result<(), RelayError> {
        if self.kind == BackendKind::WalSender {
            return Ok(());
        }
        // What the session's own transaction changed, nobody else sees.
        if !self.catalog_touched && !self.slot.is_current(self.known.as_ref()) {
            let fresh = match self.slot.fresh() {
                Some(fresh) => Some(fresh),
                None => self.slot.polled().await,
            };
            match fresh {
                Some(known) => self.know(known),
                None => {
                    self.catalog_outdated = true;
                    self.catalog_lost = self.resource.credentials.is_some();
                }
            }
        }
        if !self.outdated() || !self.idle() || self.status == b'E' {
            return Ok(());
        }
        if self.settings_outdated {
            // A SHOW takes no snapshot: the client's transaction can still choose its isolation level.
            let mut questions = vec!["show search_path", "show role", "show session_authorization"];
            let always = questions.len();
            if self.status == b'I' || self.catalog_touched {
                questions.push(TEMPORARY);
            }
            let mut answered = self.question(&[], &questions).await?;
            let path = answered.value().unwrap_or_default();
            // `$user` on the path is whoever the session is now.
            let (role, login) = (answered.value().filter(|role| role != "none"), answered.value());
            let role = role.or(login).map_or_else(|| Arc::clone(&self.role), Name::from);
            let temporary = if questions.len() > always {
                answered.value().map(Into::into)
            } else {
                self.settings.temporary.clone()
            };
            if answered.damaged {
                return Err(RelayError::Hidden("search_path is not text".to_owned()));
            }
            self.learn_path(&path, &role, temporary)?;
        }
        // Within a transaction only what the transaction itself changed is asked for: it has its snapshot then.
        if self.catalog_outdated && (self.status == b'I' || self.catalog_touched) {
            self.look().await?;
        }
        Ok(())
    }

    /// Whether the statement whose result comes now may have been held up by what others changed meanwhile.
    pub(super) fn is_doubtful(&self, running: &Running) -> bool {
        let late = || running.asked.at.elapsed() > MAX_AGE;
        !running.verified
            && self.enforced
            && self.catalog.any_sensitive
            && self.kind == BackendKind::Ordinary
            && (self.slot.renamed_since(running.asked.renamings, self.renames.as_ref()) || late())
    }

    /// Sees whether the statement whose result comes now still is what was decided on. The server found out what its names
    /// stand for after it had their locks, and keeps those: what is so now was so then.
    pub(super) async fn verify(&mut self) -> Result<(), RelayError> {
        self.doubtful = false;
        let Some(Owed::Query(running) | Owed::Execute(running)) = self.queue.owed.front_mut() else { return Ok(()) };
        running.verified = true;
        let (prepared, renamings) = (running.asked.prepared.clone(), running.asked.renamings);
        let sensitive = self.resource.sensitive.iter().flat_map(|line| line.tags.iter().cloned()).collect();
        if !self.session.guard.depends_on_names(&prepared, &sensitive) {
            return Ok(());
        }
        let renamed = self.slot.renamed_since(renamings, self.renames.as_ref());
        // Where the gateway has no credential there is nobody to ask. What this session itself changed, others do not see: what
        // is not about it is the same to them, and about anything else nothing can be said.
        if self.resource.credentials.is_none() || (self.catalog_touched && !renamed) {
            return if renamed { Err(RelayError::Changed) } else { Ok(()) };
        }
        let known = if self.slot.is_polled() { self.slot.polled_since(Instant::now()).await } else { None };
        match known.filter(|known| known.catalog.complete) {
            Some(known) if self.session.guard.is_still(&prepared, &known.catalog) => Ok(()),
            None if !self.catalog_touched => Err(RelayError::Unseen),
            Some(_) | None => Err(RelayError::Changed),
        }
    }

    /// Learns what others have made a moment ago, before what it is called can be changed: tags are bound by what a thing is
    /// called when it is first seen.
    pub(super) async fn look_again(&mut self) {
        if self.kind == BackendKind::WalSender {
            return;
        }
        let seen = if self.slot.is_polled() { self.slot.polled_since(Instant::now()).await } else { None };
        match seen {
            Some(known) if !self.catalog_touched => self.know(known),
            // What the others made is bound. The session's own transaction has changed something: it is asked what there
            // is now, unless a message asks that belongs to one that has been read by that already.
            Some(known) if known.catalog.complete => self.catalog_outdated |= self.idle(),
            _ => {
                self.catalog_outdated = true;
                self.catalog_lost |= self.resource.credentials.is_some() && !self.catalog_touched;
            }
        }
    }

    fn know(&mut self, known: Arc<Known>) {
        self.catalog = Arc::clone(&known.catalog);
        self.known = Some(known);
        self.catalog_outdated = false;
        self.catalog_lost = false;
    }

    /// Reads the catalog on the session's own connection. Where that cannot be done, everything stays unknown.
    async fn look(&mut self) -> Result<(), RelayError> {
        let (at, epoch, committed) = (Instant::now(), self.slot.epoch(), !self.catalog_touched);
        let look = SessionLook {
            slot: Arc::clone(&self.slot),
            known: self.known.clone(),
            path: self.settings.search_path.as_deref().unwrap_or_default().to_vec(),
            committed,
        };
        let looked = look.run(self).await;
        match looked {
            Ok((known, temporary)) => {
                self.settings.temporary = temporary;
                if committed {
                    self.slot.store(Arc::clone(&known), at, epoch);
                }
                self.know(known);
                Ok(())
            }
            // What the server does not answer is not known; the session goes on.
            Err(RelayError::Ask(AskError::Server(code))) => {
                tracing::warn!(session = %self.session.id, code, "the catalog cannot be read on the session's connection");
                self.catalog_lost = true;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Asks, and leaves the client's transaction as it is, also where the server does not answer: `under` is set for the
    /// questions alone.
    async fn question<S: AsRef<str>>(&mut self, under: &[&str], questions: &[S]) -> Result<Answered, RelayError> {
        let within = self.status != b'I';
        let (before, after) = if within { (&BEFORE[..], &AFTER[..]) } else { (&[][..], &[][..]) };
        let first = before.iter().chain(under).copied();
        let all: Vec<&str> = first.chain(questions.iter().map(AsRef::as_ref)).chain(after.iter().copied()).collect();
        let mut tries = 0usize;
        loop {
            tries = tries.saturating_add(1);
            let asked = tokio::time::timeout(ANSWER, self.exchange_questions(&all)).await;
            let asked =
                asked.unwrap_or_else(|_| Err(RelayError::Hidden("the server did not answer in time".to_owned())));
            match asked {
                Ok(mut answered) => {
                    let skipped = before.len().saturating_add(under.len()).min(answered.answers.len());
                    answered.answers.drain(..skipped);
                    answered.answers.truncate(questions.len());
                    return Ok(answered);
                }
                Err(RelayError::Ask(AskError::Server(code))) => {
                    if within {
                        self.bring_back().await?;
                    }
                    let most = match &*code {
                        // A cancel may be one that the client sent late, for a command of its own.
                        CANCELED => RETRIES,
                        LOCK_NOT_AVAILABLE if within => WAITS_WITHIN,
                        LOCK_NOT_AVAILABLE => WAITS,
                        _ => 0,
                    };
                    if tries >= most {
                        return Err(AskError::Server(code).into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Brings the transaction, which a question has failed, back to where the client believes it to be. Where that cannot be
    /// done the session is over: the client would go on in a transaction that is none.
    async fn bring_back(&mut self) -> Result<(), RelayError> {
        for _ in 0..RETRIES {
            let asked = tokio::time::timeout(ANSWER, self.exchange_questions(&AFTER)).await;
            match asked.unwrap_or_else(|_| Err(RelayError::Hidden("the server did not answer in time".to_owned()))) {
                Ok(_) => return Ok(()),
                Err(RelayError::Ask(AskError::Server(code))) if code == CANCELED => {}
                Err(RelayError::Ask(AskError::Server(code))) => {
                    return Err(RelayError::Hidden(format!(
                        "it failed the client's transaction for good: SQLSTATE {code}"
                    )));
                }
                Err(error) => return Err(error),
            }
        }
        Err(RelayError::Hidden("it failed the client's transaction, and was cancelled again and again".to_owned()))
    }

    /// Sends questions and takes the answers. What comes unasked meanwhile goes to the client.
    async fn exchange_questions<S: AsRef<str>>(&mut self, questions: &[S]) -> Result<Answered, RelayError> {
        ask(OWN_NAMES, questions, &mut self.server.output);
        self.server.drain().await?;
        let mut answering = Answering::default();
        loop {
            let Some(head) =
                head(&self.server.input).map_err(RelayError::Server)?.filter(|h| self.server.input.len() >= h.whole)
            else {
                if self.server.fill().await? == 0 {
                    return Err(RelayError::ServerGone);
                }
                continue;
            };
            if head.whole > MAX_WHOLE {
                return Err(RelayError::Hidden("the answer is too large".to_owned()));
            }
            let message = split(&mut self.server.input, head);
            match answering.take(head.tag, message.get(FRAME_HEADER..).unwrap_or_default())? {
                Taken::Part => {}
                Taken::End(status) => {
                    self.status = status;
                    return Ok(answering.end()?);
                }
                Taken::Other => {
                    self.unasked(head.tag, &message)?;
                    if self.client.output.len() > MAX_OUTPUT.saturating_mul(2) {
                        return Err(RelayError::Hidden("the server says too much beside its answer".to_owned()));
                    }
                }
            }
        }
    }

    fn unasked(&mut self, tag: u8, message: &BytesMut) -> Result<(), RelayError> {
        match tag {
            b'S' => self.parameter_status(message)?,
            b'A' => self.notified(message)?,
            // That the server goes down (57P01 and its like). Of anything else it is the question that is spoken of, because the
            // session is told more than usual.
            b'N' if sqlstate(message).is_some_and(|code| code.starts_with("57")) => {
                told(message, Candour::Code, &mut self.client.output);
            }
            _ => {}
        }
        Ok(())
    }
}

/// Under settings of the gateway's own, which are gone afterwards.
impl Asks for Relay {
    type Error = RelayError;

    fn is_refusal(error: &RelayError) -> bool {
        matches!(error, RelayError::Ask(AskError::Server(_)))
    }

    async fn ask(&mut self, questions: &[String]) -> Result<Answered, RelayError> {
        self.question(&UNDER, questions).await
    }
}
