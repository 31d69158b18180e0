//! The server's messages: matched with what it owes, masked where a plan says so.

use super::errors::{Candour, of_name, of_parser, of_several, sqlstate, told};
use super::message::{Fields, Head, MAX_WHOLE, Malformed, head, split};
use super::queue::{Namespace, Owed, Running};
use super::rows::Columns;
use super::stream::Stream;
use super::{CopyIn, MAX_OUTPUT, Relay, RelayError};
use crate::mask::Plan;
use crate::protocol::postgres::settings::{is_utf8, reads_as_parsed};

pub(super) const UNASKED: RelayError = RelayError::Server(Malformed("it answered something that was not asked"));

impl Relay {
    /// Takes as many of the server's messages as the client's output has room for.
    pub(super) fn take_server(&mut self) -> Result<(), RelayError> {
        loop {
            if self.client.output.len() >= MAX_OUTPUT {
                return Ok(());
            }
            self.pass_on();
            if self.server.passing > 0 {
                return Ok(());
            }
            if self.is_within_data() && !self.masked_data(None)? {
                return Ok(());
            }
            let Some(head) = head(&self.server.input).map_err(RelayError::Server)? else { return Ok(()) };
            if let Some(Owed::Query(running) | Owed::Execute(running)) = self.queue.owed.front()
                && match head.tag {
                    b'D' | b'd' => true,
                    // Without rows before. What changes names itself has done so by now.
                    b'C' => !running.changes.catalog,
                    _ => false,
                }
                && self.is_doubtful(running)
            {
                self.doubtful = true;
                return Ok(());
            }
            if self.passes(head)? {
                self.server.passing = head.whole;
                continue;
            }
            if head.tag == b'd' {
                if !self.masked_data(Some(head))? {
                    return Ok(());
                }
                continue;
            }
            if head.whole > MAX_WHOLE {
                return Err(RelayError::Server(Malformed("a message is longer than the gateway can mask")));
            }
            if self.server.input.len() < head.whole {
                return Ok(());
            }
            let message = split(&mut self.server.input, head);
            self.answer(head.tag, &message)?;
        }
    }

    fn pass_on(&mut self) {
        let now = self.server.passing.min(self.server.input.len());
        if now > 0 {
            let bytes = self.server.input.split_to(now);
            self.client.output.extend_from_slice(&bytes);
            self.server.passing = self.server.passing.saturating_sub(now);
        }
    }

    pub(super) fn running(&mut self) -> Option<&mut Running> {
        match self.queue.owed.front_mut() {
            Some(Owed::Query(running) | Owed::Execute(running) | Owed::Function(running)) => Some(running),
            _ => None,
        }
    }

    /// Whether a message goes on byte by byte, without being whole: rows and streams that no mask touches.
    fn passes(&mut self, head: Head) -> Result<bool, RelayError> {
        if !matches!(head.tag, b'D' | b'd') {
            return Ok(false);
        }
        let described = self.queue.columns.as_ref().map(Columns::pass);
        let masked = match &self.queue.stream {
            Stream::None => None,
            Stream::Passes => Some(false),
            Stream::Masked(_) => Some(true),
        };
        let Some(running) = self.running() else { return Err(UNASKED) };
        let pass = match head.tag {
            b'd' if *running.plan == Plan::Pass => true,
            b'd' => !masked.ok_or(RelayError::Server(Malformed("a stream came that was not announced")))?,
            _ if *running.plan == Plan::Pass => true,
            _ => described.ok_or(RelayError::Server(Malformed("rows came without a description")))?,
        };
        if pass {
            running.outcome.rows = running.outcome.rows.saturating_add(1);
            let bytes = u64::try_from(head.whole).unwrap_or(u64::MAX);
            running.outcome.bytes = running.outcome.bytes.saturating_add(bytes);
        }
        Ok(pass)
    }

    fn answer(&mut self, tag: u8, message: &[u8]) -> Result<(), RelayError> {
        match tag {
            b'D' => return self.masked_row(message),
            b'T' => return self.row_description(message),
            // What was refused could be described: it is there, and what comes next says that it was refused.
            b't' if matches!(self.queue.owed.front(), Some(Owed::Trial { .. })) => return Ok(()),
            b'n' => match self.queue.owed.pop_front() {
                Some(Owed::Columns) => {
                    self.queue.columns = None;
                    return Ok(());
                }
                Some(Owed::Trial { .. }) => return Ok(()),
                Some(Owed::Describe) => {}
                _ => return Err(UNASKED),
            },
            b't' if matches!(self.queue.owed.front(), Some(Owed::Describe)) => {}
            b'1' => match self.queue.owed.pop_front() {
                Some(Owed::Trial { .. }) => return Ok(()),
                Some(Owed::Parse { name, statement }) => self.queue.prepared(name, statement),
                _ => return Err(UNASKED),
            },
            b'2' => match self.queue.owed.pop_front() {
                Some(Owed::Bind { name, portal }) => self.queue.bound(name, portal),
                _ => return Err(UNASKED),
            },
            b'3' => match self.queue.owed.pop_front() {
                Some(Owed::Close { statement: true, name }) => self.queue.closed(Namespace::Statements, &name),
                Some(Owed::Close { statement: false, name }) => self.queue.closed(Namespace::Portals, &name),
                _ => return Err(UNASKED),
            },
            b'C' | b'I' | b's' => self.completed(tag, message)?,
            b'E' => return self.failed(message),
            b'Z' => {
                self.ready(message)?;
                self.suspect = self.queue.changes_rules();
            }
            b'S' => return self.parameter_status(message),
            b'N' => {
                let candour = self.running().map(|running| running.candour);
                let candour = candour.unwrap_or_else(|| self.candour());
                told(message, candour, &mut self.client.output);
                return Ok(());
            }
            b'A' => return self.notified(message),
            b'G' | b'W' if self.copy_in == CopyIn::Asked && self.running().is_some_and(|r| r.copies_in) => {
                (self.copy_in, self.early_sync) = (CopyIn::Open, false);
            }
            b'V' => match self.queue.owed.front_mut() {
                Some(Owed::Function(running)) => running.answered = true,
                _ => return Err(UNASKED),
            },
            b'H' => self.stream_begins(message)?,
            b'c' if self.running().is_some() => self.stream_ends()?,
            _ => return Err(UNASKED),
        }
        self.client.output.extend_from_slice(message);
        Ok(())
    }

    fn masked_row(&mut self, message: &[u8]) -> Result<(), RelayError> {
        let columns = self.queue.columns.take().ok_or(UNASKED)?;
        let before = self.client.output.len();
        let masked = columns.mask(message, &self.masker, &mut self.client.output).map_err(RelayError::Server)?;
        self.queue.columns = Some(columns);
        let written = self.client.output.len().saturating_sub(before);
        if let Some(running) = self.running() {
            let outcome = &mut running.outcome;
            outcome.rows = outcome.rows.saturating_add(1);
            outcome.bytes = outcome.bytes.saturating_add(u64::try_from(written).unwrap_or(u64::MAX));
            outcome.masked = outcome.masked.saturating_add(masked);
        }
        Ok(())
    }

    fn row_description(&mut self, message: &[u8]) -> Result<(), RelayError> {
        match (self.queue.owed.front(), self.queue.owed.get(1)) {
            (Some(Owed::Columns), Some(Owed::Execute(running))) => {
                let (columns, agree) = Columns::describe(message, &running.plan, 0).map_err(RelayError::Server)?;
                self.queue.columns = Some(columns);
                self.queue.owed.pop_front();
                self.agreed(agree);
                return Ok(());
            }
            (Some(Owed::Trial { .. }), _) => {
                self.queue.owed.pop_front();
                return Ok(());
            }
            (Some(Owed::Describe), _) => drop(self.queue.owed.pop_front()),
            (Some(Owed::Query(running)), _) => {
                let (columns, agree) =
                    Columns::describe(message, &running.plan, running.statement).map_err(RelayError::Server)?;
                self.queue.columns = Some(columns);
                self.agreed(agree);
            }
            _ => return Err(UNASKED),
        }
        self.client.output.extend_from_slice(message);
        Ok(())
    }

    /// Notes where a description of rows and the analysis of their statement disagree: the stricter of both holds.
    pub(super) fn agreed(&mut self, agree: bool) {
        if !agree {
            let what = "the server described other columns than the statement was read to have; what may be sensitive is redacted";
            tracing::warn!(session = %self.session.id, "{what}");
            self.session.guard.note(what);
        }
    }

    fn completed(&mut self, tag: u8, message: &[u8]) -> Result<(), RelayError> {
        let words = if tag == b'C' { Fields::of(message).text().map_err(RelayError::Server)? } else { b"" };
        let words = String::from_utf8_lossy(words).into_owned();
        self.queue.columns = None;
        if self.is_streaming() {
            return Err(RelayError::Server(Malformed("a command ended before its stream")));
        }
        if let Some(statement) = self.running().map(|running| running.statement) {
            self.rename(statement);
        }
        match self.queue.owed.front_mut() {
            Some(Owed::Query(running)) => {
                (running.outcome.tag, running.answered) = (words, true);
                running.statement = running.statement.saturating_add(1);
                if running.copies_in {
                    // Another statement of the text may ask for data.
                    self.copy_in = CopyIn::Asked;
                }
            }
            Some(Owed::Execute(_)) => {
                if let Some(Owed::Execute(mut running)) = self.queue.owed.pop_front() {
                    running.outcome.tag = words;
                    self.finished(*running);
                }
            }
            _ => return Err(UNASKED),
        }
        Ok(())
    }

    /// A command is over: what it may have changed has to be learnt again.
    fn finished(&mut self, running: Running) {
        let changes = running.changes;
        self.ended(running);
        if changes.catalog {
            self.catalog_outdated = true;
            self.catalog_touched = true;
        }
        if changes.names {
            self.queue.forget();
        }
        if changes.settings {
            self.settings_outdated = true;
            self.settings_touched = true;
        }
    }

    /// A command is over, and changed nothing.
    fn ended(&mut self, running: Running) {
        self.queue.unsettled = self.queue.unsettled.saturating_sub(usize::from(running.unsettles));
        if running.copies_in {
            self.copy_in = CopyIn::No;
        }
        self.block_moved |= running.changes.transaction;
        self.session.guard.finished(running.command, running.outcome);
    }

    fn failed(&mut self, message: &[u8]) -> Result<(), RelayError> {
        let code = sqlstate(message);
        self.queue.columns = None;
        self.stream_is_over();
        self.rename_failed();
        // Nobody's rows have been looked at yet.
        let parsed = |candour| if of_parser(message) { Candour::Whole } else { candour };
        let candour = parsed(self.candour());
        match self.queue.owed.front_mut() {
            Some(Owed::Trial { error }) if of_several(message) => self.client.output.extend_from_slice(error),
            // A text or a name was looked at, and nothing else.
            Some(Owed::Trial { .. }) => told(message, of_name(message), &mut self.client.output),
            Some(Owed::Poison { error, simple }) => {
                self.client.output.extend_from_slice(error);
                if *simple {
                    // Its ReadyForQuery is the client's.
                    self.queue.owed.pop_front();
                    self.queue.owed.push_front(Owed::Sync);
                    return Ok(());
                }
            }
            Some(Owed::Query(running) | Owed::Function(running)) => {
                running.outcome.error = Some(code.unwrap_or_default());
                running.answered = true;
                if running.copies_in {
                    // The rest of its data is not for what the server reads next: ReadyForQuery comes first.
                    self.copy_in = CopyIn::Asked;
                }
                told(message, parsed(running.candour), &mut self.client.output);
                return Ok(());
            }
            Some(Owed::Execute(running)) => {
                let candour = running.candour;
                told(message, candour, &mut self.client.output);
            }
            // The gateway asks for the columns of a masked result: its failure may say what the result would have.
            Some(Owed::Columns) => told(message, Candour::Code, &mut self.client.output),
            _ => told(message, candour, &mut self.client.output),
        }
        self.skip(code.unwrap_or_default());
        Ok(())
    }

    /// What the server skips after an error in the extended protocol, and what the client will send before its Sync.
    fn skip(&mut self, code: String) {
        // The first is what failed, and may have run in part; the server never comes to the others.
        let mut failing = true;
        while self.queue.owed.front().is_some_and(|owed| !matches!(owed, Owed::Sync)) {
            // Also a Query or a FunctionCall: the server reads nothing up to the Sync.
            if let Some(Owed::Execute(mut running) | Owed::Query(mut running) | Owed::Function(mut running)) =
                self.queue.owed.pop_front()
            {
                running.outcome.error = Some(code.clone());
                if failing { self.finished(*running) } else { self.ended(*running) }
            }
            failing = false;
        }
        if self.queue.owed.is_empty() && self.early_sync {
            // It came before any data, and was kept: COPY has failed without reading any.
            (self.early_sync, self.batch_open) = (false, false);
            self.server.output.extend_from_slice(b"S\0\0\0\x04");
            self.queue.owed.push_back(Owed::Sync);
        } else if self.queue.owed.is_empty() {
            self.skipping = true;
        }
    }

    fn ready(&mut self, message: &[u8]) -> Result<(), RelayError> {
        self.status = Fields::of(message).u8().map_err(RelayError::Server)?;
        self.queue.columns = None;
        self.stream_is_over();
        self.early_sync = false;
        match self.queue.owed.pop_front() {
            // One that was never answered is not over: the server would be a message behind from here on.
            Some(Owed::Query(running) | Owed::Function(running)) if running.answered => {
                self.finished(*running);
            }
            Some(Owed::Sync) => {}
            _ => return Err(UNASKED),
        }
        self.block_moved = false;
        if self.status == b'I' {
            (self.exposed, self.ran_code) = (self.queue.is_exposed(), self.queue.runs_code());
            // Portals end with their transaction, and SET LOCAL does.
            self.queue.portals.retain(|_, portal| portal.holds);
            if self.catalog_touched {
                // From now on others see it, or it was undone.
                self.catalog_touched = false;
                self.catalog_outdated = true;
                self.slot.outdate(self.known.as_deref());
                // It may have made the session's schema for temporary objects.
                self.settings_outdated = true;
            }
            if self.settings_touched {
                self.settings_touched = false;
                self.settings_outdated = true;
            }
        }
        if self.gives_away && self.queue.unsettled == 0 && !self.queue.changes_transaction() {
            // After the look that others have to have is ordered. In a block it is still to come, and only its end counts.
            self.renames = None;
            self.gives_away = self.status != b'I';
        }
        Ok(())
    }

    /// Passes a ParameterStatus on, unless statements are read otherwise from now on.
    pub(super) fn parameter_status(&mut self, message: &[u8]) -> Result<(), RelayError> {
        let mut fields = Fields::of(message);
        let (name, value) = (fields.text().map_err(RelayError::Server)?, fields.text().map_err(RelayError::Server)?);
        let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
        let readable = reads_as_parsed(&name, &value);
        if name == "client_encoding" {
            let utf8 = is_utf8(&value);
            self.was_unread |= utf8 != self.utf8;
            self.utf8 = utf8;
        }
        if name == "standard_conforming_strings" {
            // From here on statements are unknown, until it is back. One that is on its way was read otherwise here.
            if !readable && !self.unread && self.queue.has_readable_texts() {
                return Err(RelayError::Lexer(name.into_owned()));
            }
            self.unread = !readable;
            self.was_unread |= self.unread;
        } else if !readable {
            return Err(RelayError::Lexer(name.into_owned()));
        }
        self.client.output.extend_from_slice(message);
        Ok(())
    }
}
