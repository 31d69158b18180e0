//! The client's messages: commands to the guard, everything else as it came.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Buf as _, BufMut, BytesMut};

use super::errors;
use super::message::{Bind, Bound, Fields, Head, MAX_WHOLE, Malformed, head, is_usable_name, split};
use super::queue::{Asked, MAX_OWED, Namespace, Owed, Portal, Running, Statement};
use super::{CopyIn, MAX_OUTPUT, Relay, RelayError};
use crate::access::{Action, FunctionName, Object};
use crate::guard::{self, Block, Outcome, Parameter, Prepared, Refusal, Verdict};
use crate::mask::Plan;
use crate::protocol::postgres::reply::{frame, put_text};
use crate::protocol::postgres::wire::FRAME_HEADER;
use crate::sql::{Analysis, Catalog, Changes, Settings};

/// A text that no grammar knows: the server's transaction has to fail where the client believes that it did.
pub(super) const POISON: &str = "refused_by_the_gateway";

/// What every statement begins with that gives something another name.
const RENAMING: &[u8] = b"alter";

impl Relay {
    /// Takes as many of the client's messages as can be taken now.
    pub(super) async fn take_client(&mut self) -> Result<(), RelayError> {
        loop {
            if self.session.guard.is_full() {
                return Ok(());
            }
            if self.terminated || self.queue.owed.len() >= MAX_OWED || self.server.output.len() >= MAX_OUTPUT {
                return Ok(());
            }
            if self.dropping > 0 {
                let now = self.dropping.min(self.client.input.len());
                self.client.input.advance(now);
                self.dropping = self.dropping.saturating_sub(now);
                if self.dropping > 0 {
                    return Ok(());
                }
            }
            if self.client.passing > 0 {
                let now = self.client.passing.min(self.client.input.len());
                let bytes = self.client.input.split_to(now);
                self.client.passing = self.client.passing.saturating_sub(now);
                self.server.output.extend_from_slice(&bytes);
                if self.client.passing > 0 {
                    return Ok(());
                }
            }
            if matches!(self.copy_in, CopyIn::Asked | CopyIn::Ended) {
                // Whether the server takes what comes next for data is known when it has answered.
                return Ok(());
            }
            let Some(head) = head(&self.client.input).map_err(RelayError::Client)? else { return Ok(()) };
            if head.tag == b'd' {
                // Data that nobody takes is what a client sends before it hears that its COPY has failed.
                let passes = self.copy_in == CopyIn::Open && !self.skipping;
                self.early_sync &= !passes;
                *(if passes { &mut self.client.passing } else { &mut self.dropping }) = head.whole;
                continue;
            }
            if head.whole > MAX_WHOLE {
                return Err(RelayError::Client(Malformed("a message is longer than the gateway reads")));
            }
            if matches!(head.tag, b'S' | b'H' | b'c' | b'X') && head.whole > FRAME_HEADER {
                // The server would answer one that holds something with an error that is no command's.
                return Err(RelayError::Client(Malformed("a message holds more than it may")));
            }
            if self.client.input.len() < head.whole {
                return Ok(());
            }
            if matches!(head.tag, b'Q' | b'P' | b'B' | b'E' | b'F') && !self.skipping && self.copy_in == CopyIn::No {
                if self.may_rename(head) {
                    self.look_again().await;
                }
                self.refresh().await?;
                if head.tag != b'P' && (self.outdated() || self.suspect || self.queue.unsettled > 0) && self.settles() {
                    // What it is to be read by will be known when the server has answered.
                    return Ok(());
                }
            }
            // SQL's own EXECUTE and FETCH may mean a name that the server is still to confirm.
            if head.tag == b'Q' && !self.skipping && self.queue.has_names_on_their_way() && self.settles() {
                return Ok(());
            }
            if head.tag == b'P' && self.suspect && self.settles() && !self.skipping {
                return Ok(());
            }
            if !self.skipping && self.is_uncertain(head) {
                return Ok(());
            }
            if self.copy_in == CopyIn::Open && !matches!(head.tag, b'c' | b'f' | b'S' | b'H' | b'X') {
                // The client does not know of the COPY: it is ended as a client would, and the message waits for that.
                let out = &mut self.server.output;
                frame(out, b'f', |body| put_text(body, "another message came where COPY data was due"));
                self.copy_in = CopyIn::Ended;
                return Ok(());
            }
            let message = split(&mut self.client.input, head);
            self.message(head, message)?;
        }
    }

    /// Whether the message at the front of the input speaks of a name that the server is still to confirm.
    fn is_uncertain(&self, head: Head) -> bool {
        let mut fields = Fields::of(self.client.input.get(..head.whole).unwrap_or_default());
        // A body that cannot be read is an error of its own, later.
        match head.tag {
            b'E' => fields.text().is_ok_and(|portal| self.queue.uncertain(Namespace::Portals, portal)),
            b'B' => {
                fields.text().is_ok_and(|portal| self.queue.uncertain(Namespace::Portals, portal))
                    || fields.text().is_ok_and(|name| self.queue.uncertain(Namespace::Statements, name))
            }
            _ => false,
        }
    }

    /// Whether a message may give something another name.
    fn may_rename(&self, head: Head) -> bool {
        let message = self.client.input.get(..head.whole).unwrap_or_default();
        match head.tag {
            b'Q' | b'P' => message.windows(RENAMING.len()).any(|word| word.eq_ignore_ascii_case(RENAMING)),
            b'B' => {
                let mut fields = Fields::of(message);
                let statement = fields.text().and_then(|_| fields.text());
                let known = statement.ok().and_then(|name| self.queue.statement(name));
                known.is_some_and(|statement| statement.prepared.value.analysis.changes.catalog)
            }
            _ => false,
        }
    }

    /// Whether the server will, without more from the client, come to owe nothing.
    fn settles(&self) -> bool {
        matches!(self.queue.owed.back(), Some(Owed::Query(_) | Owed::Sync | Owed::Function(_)))
            || matches!(self.queue.owed.back(), Some(Owed::Poison { simple: true, .. }))
    }

    /// What a statement is read by. Where something changed that could not be asked about yet, nothing is known of any name.
    pub(super) fn view(&self) -> (Arc<Catalog>, Settings) {
        // In a transaction that changed no name, what was known before it is still known.
        let catalog_unknown = self.catalog_outdated && (self.catalog_touched || self.catalog_lost);
        if self.settings_outdated || self.queue.unsettled > 0 || catalog_unknown {
            let database = Arc::clone(&self.database);
            let any_sensitive = self.catalog.any_sensitive;
            (Arc::new(Catalog { database, any_sensitive, ..Catalog::default() }), Settings::default())
        } else {
            let pending = self.catalog_touched || self.settings_touched;
            (Arc::clone(&self.catalog), Settings { pending, ..self.settings.clone() })
        }
    }

    /// Whether the server will read a text that is sent now by the rules of the gateway's parser.
    fn readable(&self, text: &[u8]) -> bool {
        // In another encoding the same bytes are other characters.
        !self.unread && !self.suspect && (self.utf8 || text.is_ascii())
    }

    /// `readable`: the server read the text, or will, by the rules of the gateway's parser.
    fn prepare(&mut self, text: &[u8], readable: bool) -> Rc<Prepared> {
        let (catalog, settings) = self.view();
        if !readable {
            return self.session.guard.unread(text, &catalog);
        }
        self.session.guard.prepare(guard::Statement { text, settings: &settings, catalog: &catalog })
    }

    /// What a portal does that is executed now. It was planned when it was bound; what it calls is looked up when it runs.
    fn renew_portal(&mut self, portal: &Portal) -> Rc<Prepared> {
        if !portal.readable {
            return portal.prepared.clone();
        }
        if !portal.prepared.analysis.runs.is_empty() {
            // What it runs is looked for when it is executed.
            let text = Arc::clone(&portal.prepared.text);
            let prepared = self.prepare(text.as_bytes(), true);
            return self.resolved(prepared);
        }
        let (catalog, settings) = self.view();
        // Its own names were looked up when it was bound, whatever the path is by now.
        let settings = if portal.prepared.analysis.late { settings } else { portal.prepared.settings().clone() };
        self.session.guard.renew(&portal.prepared, &catalog, &settings)
    }

    /// What a statement that was prepared before does now.
    fn renew(&mut self, statement: &Statement) -> Rc<Prepared> {
        let prepared = &statement.prepared.value;
        if !statement.readable {
            return prepared.clone();
        }
        let (catalog, settings) = self.view();
        self.session.guard.renew(prepared, &catalog, &settings)
    }

    fn message(&mut self, head: Head, message: BytesMut) -> Result<(), RelayError> {
        if self.skipping {
            match head.tag {
                b'S' => self.skipping = false,
                b'X' => {}
                _ => return Ok(()),
            }
        }
        if self.copy_in == CopyIn::Open {
            self.in_copy(head.tag, &message);
            return Ok(());
        }
        let owed = match head.tag {
            b'Q' => return self.query(&message),
            b'P' => return self.parse(message),
            b'B' => return self.bind(&message),
            b'E' => return self.execute(message),
            b'D' | b'C' => {
                let mut fields = Fields::of(&message);
                let statement = fields.u8().map_err(RelayError::Client)? == b'S';
                let name: Box<[u8]> = fields.text().map_err(RelayError::Client)?.into();
                if !is_usable_name(&name) {
                    self.unusable_name();
                    return Ok(());
                }
                if head.tag == b'D' { Owed::Describe } else { Owed::Close { statement, name } }
            }
            b'S' => {
                self.batch_open = false;
                Owed::Sync
            }
            b'F' => return self.function(message),
            // Of a COPY that has failed meanwhile.
            b'c' | b'f' => return Ok(()),
            b'H' | b'X' => {
                self.terminated = head.tag == b'X';
                self.server.output.extend_from_slice(&message);
                return Ok(());
            }
            _ => return Err(RelayError::Client(Malformed("invalid frontend message type"))),
        };
        self.batch_open |= head.tag != b'S';
        self.forward(&message, owed);
        Ok(())
    }

    /// A message while the server takes COPY data.
    fn in_copy(&mut self, tag: u8, message: &[u8]) {
        match tag {
            b'c' | b'f' => {
                // After a text's data another of its statements may ask for more.
                let text = matches!(self.queue.owed.front(), Some(Owed::Query(_)));
                self.copy_in = if text { CopyIn::Ended } else { CopyIn::No };
                self.early_sync = false;
            }
            // The server ignores both, unless its COPY has failed already: then a Sync is what it waits for.
            b'S' => {
                self.early_sync = true;
                return;
            }
            b'H' => return,
            _ => self.terminated = tag == b'X',
        }
        self.server.output.extend_from_slice(message);
    }

    fn forward(&mut self, message: &[u8], owed: Owed) {
        self.server.output.extend_from_slice(message);
        self.queue.owed.push_back(owed);
    }

    fn query(&mut self, message: &[u8]) -> Result<(), RelayError> {
        let text = Fields::of(message).text().map_err(RelayError::Client)?;
        let prepared = self.prepare(text, self.readable(text));
        let prepared = self.resolved(prepared);
        let block = self.block(&prepared);
        match self.session.guard.execute(&prepared, &[], block) {
            Verdict::Forward { command, plan } => {
                let running = self.started(command, plan, &prepared);
                self.batch_open = false;
                self.forward(message, Owed::Query(Box::new(running)));
            }
            Verdict::Block(refusal) if self.may_try(&prepared.analysis, text) => {
                self.try_out(text, errors::refusal(&refusal));
            }
            Verdict::Block(refusal) | Verdict::Hold(refusal) => {
                let mut error = errors::refusal(&refusal);
                if self.queue.owed.is_empty() && self.status == b'I' && !self.batch_open {
                    error.put_slice(b"Z\0\0\0\x05I");
                    self.client.output.extend_from_slice(&error);
                } else {
                    self.poison_simply(error);
                }
            }
        }
        Ok(())
    }

    /// Whether the server may be asked what it says to a refused text, which it parses for that.
    fn may_try(&self, analysis: &Analysis, text: &[u8]) -> bool {
        analysis.doubtful && !analysis.parses_by_code && self.readable(text) && !self.batch_open
    }

    fn started(&mut self, command: crate::record::CommandId, plan: Arc<Plan>, prepared: &Rc<Prepared>) -> Running {
        let changes = prepared.analysis.changes;
        self.runs(&prepared.analysis);
        let candour = self.candour();
        let renames = self.renamings(prepared);
        let mut running = Running {
            command,
            plan,
            candour,
            outcome: Outcome::default(),
            statement: 0,
            copies_in: prepared.analysis.copies_in,
            answered: false,
            asked: Asked { prepared: prepared.clone(), at: Instant::now(), renamings: self.slot.renamings() },
            verified: false,
            changes: Changes {
                catalog: changes.catalog || (changes.ends && self.catalog_touched),
                settings: changes.settings || (changes.ends && self.settings_touched),
                rules: changes.rules || self.was_unread,
                ..changes
            },
            unsettles: !renames.is_empty(),
            renames,
        };
        // A name that this transaction took from something else may get another thing.
        let gives_away = prepared.analysis.gives_away || (changes.catalog && self.catalog_touched);
        self.gives_away |= self.catalog.any_sensitive && gives_away;
        // Before its transaction ends, nobody else sees anything of it.
        let seen = changes.transaction || self.block(prepared) != Block::Open;
        if self.gives_away && seen && self.renames.is_none() {
            self.renames = Some(self.slot.rename());
        }
        let after = running.changes;
        running.unsettles |= after.catalog || after.settings || after.names;
        self.suspect |= running.changes.rules;
        self.queue.unsettled = self.queue.unsettled.saturating_add(usize::from(running.unsettles));
        if running.copies_in {
            self.copy_in = CopyIn::Asked;
        }
        running
    }

    /// Notes what a command that goes to the server can reach.
    fn runs(&mut self, analysis: &Analysis) {
        self.exposed |= analysis.sensitive;
        if runs_code(analysis) {
            self.ran_code = true;
            if let Some(presence) = &mut self.presence {
                presence.runs_code();
            }
        }
    }

    /// Whether a Parse gives a parameter a type whose values the server reads, checks or converts by code of the database's own, or
    /// compares by another collation: the text does not tell.
    fn runs_code(&self, fields: &mut Fields<'_>) -> Result<bool, RelayError> {
        let mut runs = false;
        for _ in 0..fields.u16().map_err(RelayError::Client)? {
            let of = fields.u32().map_err(RelayError::Client)?;
            runs |= self.catalog.runs_code(of) || self.catalog.may_collate(of);
        }
        Ok(runs)
    }

    fn parse(&mut self, message: BytesMut) -> Result<(), RelayError> {
        let mut fields = Fields::of(&message);
        let name: Box<[u8]> = fields.text().map_err(RelayError::Client)?.into();
        let text = fields.text().map_err(RelayError::Client)?;
        if !is_usable_name(&name) {
            self.unusable_name();
            return Ok(());
        }
        // What is no UTF-8 cannot be read again later either.
        let readable = self.readable(text) && std::str::from_utf8(text).is_ok() && !self.runs_code(&mut fields)?;
        let prepared = self.prepare(text, readable);
        let (analysis, block) = (Arc::clone(&prepared.analysis), self.block(&prepared));
        // The server reads literals while it parses, by code of the database's own where their type has such: the values of an
        // array or a range of a domain are checked there. What names that nobody knows stand for, its parser says first.
        let sure = self.view().0.complete && !analysis.doubtful;
        let runs = analysis.parses_by_code || (sure && (runs_code(&analysis) || analysis.late));
        if runs && let Err(refusal) = self.session.guard.bind(&prepared, &[], block) {
            self.poison(errors::refusal(&refusal));
            return Ok(());
        }
        // The text, and the text that may be recorded.
        let size = text.len().saturating_mul(2);
        match self.queue.hold(prepared, size) {
            Some(prepared) => {
                let statement = Statement { prepared, readable };
                self.unbound.push((name.clone(), statement.clone()));
                self.batch_open = true;
                if reads_by_code(&analysis) {
                    self.runs(&analysis);
                }
                self.forward(&message, Owed::Parse { name, statement });
            }
            None => self.too_much(),
        }
        Ok(())
    }

    fn bind(&mut self, message: &[u8]) -> Result<(), RelayError> {
        let bind = Bind::parse(message).map_err(RelayError::Client)?;
        if !is_usable_name(&bind.statement) || !is_usable_name(&bind.portal) {
            self.unusable_name();
            return Ok(());
        }
        // In the middle of a batch nobody can wait: what the name means afterwards is not known.
        let known =
            self.queue.statement(&bind.statement).filter(|_| self.queue.unsettled == 0 || bind.statement.is_empty());
        let known = known.cloned();
        let missing = known.is_none();
        let (readable, prepared) = match known {
            Some(statement) => {
                let prepared = self.renew(&statement);
                (statement.readable, self.resolved(prepared))
            }
            None => {
                let name = String::from_utf8_lossy(&bind.statement).into_owned();
                let text = format!("bind statement \"{name}\", which nothing in this session made");
                (false, self.opaque(Action::SqlUnknown, Object::Resource, &text))
            }
        };
        let parameters: Vec<Parameter<'_>> = bind.parameters.iter().map(parameter).collect();
        let block = self.block(&prepared);
        // A portal can be run by SQL's own FETCH, and planning it runs functions already.
        if let Err(refusal) = self.session.guard.bind(&prepared, &parameters, block) {
            if missing {
                self.look_for(b'S', &bind.statement, &refusal);
            }
            self.poison(errors::refusal(&refusal));
            return Ok(());
        }
        self.runs(&prepared.analysis);
        let size = bind.size();
        match self.queue.hold(bind.parameters.into_boxed_slice(), size) {
            Some(parameters) => {
                self.unbound.retain(|(name, _)| *name != bind.statement);
                let portal = Portal { readable, prepared, parameters, holds: false };
                self.unexecuted.push((bind.portal.clone(), portal.clone()));
                self.batch_open = true;
                self.forward(message, Owed::Bind { name: bind.portal, portal });
            }
            None => self.too_much(),
        }
        Ok(())
    }

    fn too_much(&mut self) {
        let hint = "close statements and portals that are no longer used";
        self.poison(errors::error(
            "ERROR",
            "53400",
            "the session keeps too many prepared statements and portals",
            hint,
        ));
    }

    /// The server cuts names, and translates them between encodings: two that differ here could be one there.
    fn unusable_name(&mut self) {
        let hint = "name statements and portals in at most 63 ASCII characters, other than the gateway's own";
        self.poison(errors::error("ERROR", "42622", "the gateway does not take this statement or portal name", hint));
    }

    fn execute(&mut self, message: BytesMut) -> Result<(), RelayError> {
        let name = Fields::of(&message).text().map_err(RelayError::Client)?;
        if !is_usable_name(name) {
            self.unusable_name();
            return Ok(());
        }
        // As for a statement: SQL's own CLOSE and DECLARE share the names.
        let portal = self.queue.portal(name).filter(|_| self.queue.unsettled == 0 || name.is_empty()).cloned();
        let (missing, name) = (portal.is_none(), name.to_vec());
        let (prepared, bound) = match portal {
            Some(portal) => (self.renew_portal(&portal), Some(portal.parameters)),
            None => {
                let text = format!(
                    "execute portal \"{}\", which nothing in this session made",
                    String::from_utf8_lossy(&name)
                );
                (self.opaque(Action::SqlUnknown, Object::Resource, &text), None)
            }
        };
        let bound = bound.as_ref().map(|held| &*held.value).unwrap_or_default();
        let parameters: Vec<Parameter<'_>> = bound.iter().map(parameter).collect();
        let block = self.block(&prepared);
        match self.session.guard.execute(&prepared, &parameters, block) {
            Verdict::Forward { command, plan } => {
                self.unexecuted.retain(|(bound, _)| **bound != name[..]);
                let running = self.started(command, plan, &prepared);
                if *running.plan != Plan::Pass {
                    let mut describe = BytesMut::new();
                    frame(&mut describe, b'D', |body| {
                        body.put_u8(b'P');
                        body.put_slice(&name);
                        body.put_u8(0);
                    });
                    self.forward(&describe, Owed::Columns);
                }
                let copies_in = running.copies_in;
                self.batch_open = true;
                self.forward(&message, Owed::Execute(Box::new(running)));
                if copies_in {
                    // Its first answer is waited for, and must not wait in the server for a Sync.
                    self.server.output.put_slice(b"H\0\0\0\x04");
                }
            }
            Verdict::Block(refusal) | Verdict::Hold(refusal) => {
                if missing {
                    self.look_for(b'P', &name, &refusal);
                }
                self.poison(errors::refusal(&refusal));
            }
        }
        Ok(())
    }

    /// Records what was prepared or bound and not executed in the same turn: it is forwarded all the same.
    pub(super) fn announce(&mut self) {
        for (_, statement) in self.unbound.drain(..) {
            self.session.guard.announce("parse", &statement.prepared.value, &[]);
        }
        for (_, portal) in self.unexecuted.drain(..) {
            let parameters: Vec<Parameter<'_>> = portal.parameters.value.iter().map(parameter).collect();
            self.session.guard.announce("bind", &portal.prepared, &parameters);
        }
    }

    /// Whether a transaction block will be open when the server comes to this command.
    fn block(&self, prepared: &Prepared) -> Block {
        let changes = prepared.analysis.changes.transaction && prepared.analysis.statements != 1;
        if changes || self.block_moved || self.queue.changes_transaction() {
            Block::Unsure
        } else if self.status == b'I' {
            Block::None
        } else {
            Block::Open
        }
    }

    fn opaque(&mut self, action: Action, object: Object, text: &str) -> Rc<Prepared> {
        let (catalog, _) = self.view();
        self.session.guard.opaque(action, object, text, &catalog)
    }

    fn function(&mut self, message: BytesMut) -> Result<(), RelayError> {
        let oid = Fields::of(&message).u32().map_err(RelayError::Client)?;
        let name = FunctionName {
            database: Arc::clone(&self.database),
            schema: "pg_catalog".into(),
            function: format!("oid:{oid}").into(),
        };
        let prepared =
            self.opaque(Action::SqlExecute, Object::Function(name.into()), &format!("function call by oid {oid}"));
        let block = self.block(&prepared);
        let error = match self.session.guard.execute(&prepared, &[], block) {
            Verdict::Forward { command, plan } if *plan == Plan::Pass => {
                let running = self.started(command, plan, &prepared);
                self.batch_open = false;
                self.forward(&message, Owed::Function(Box::new(running)));
                return Ok(());
            }
            Verdict::Forward { .. } => errors::error(
                "ERROR",
                "42501",
                "a function call's result may have to be masked, and cannot be",
                "call it by SELECT",
            ),
            Verdict::Block(refusal) | Verdict::Hold(refusal) => errors::refusal(&refusal),
        };
        self.poison_simply(error);
        Ok(())
    }

    /// Refuses a Query whose text cannot be read, or has names that stand for nothing, unless the server refuses it as well:
    /// then its words are what the client expects. The server is given the text to prepare, which runs nothing of it, as it is
    /// where the client itself prepares it; it is made to fail afterwards in any case.
    fn try_out(&mut self, text: &[u8], error: BytesMut) {
        for (text, owed) in
            [(text, Owed::Trial { error: error.clone() }), (POISON.as_bytes(), Owed::Poison { error, simple: false })]
        {
            let mut parse = BytesMut::new();
            frame(&mut parse, b'P', |body| {
                body.put_u8(0);
                body.put_slice(text);
                body.put_slice(b"\0\0\0");
            });
            self.forward(&parse, owed);
        }
        self.forward(b"S\0\0\0\x04", Owed::Sync);
    }

    /// Before a refusal for a name that the gateway does not know: where the server does not know it either, its words are
    /// what the client expects.
    fn look_for(&mut self, kind: u8, name: &[u8], refusal: &Refusal) {
        let mut describe = BytesMut::new();
        frame(&mut describe, b'D', |body| {
            body.put_u8(kind);
            body.put_slice(name);
            body.put_u8(0);
        });
        self.forward(&describe, Owed::Trial { error: errors::refusal(refusal) });
    }

    /// Refuses a message that ReadyForQuery answers: the server is made to fail in its place.
    fn poison_simply(&mut self, error: BytesMut) {
        let mut poison = BytesMut::new();
        frame(&mut poison, b'Q', |body| put_text(body, POISON));
        self.batch_open = false;
        self.forward(&poison, Owed::Poison { error, simple: true });
    }

    /// Refuses a message of the extended protocol: the server is made to fail in its place, and everything up to the
    /// client's Sync is dropped, as the server drops it.
    fn poison(&mut self, error: BytesMut) {
        let mut poison = BytesMut::new();
        frame(&mut poison, b'P', |body| {
            put_text(body, "");
            put_text(body, POISON);
            body.put_u16(0);
        });
        self.batch_open = true;
        self.forward(&poison, Owed::Poison { error, simple: false });
        self.skipping = true;
    }
}

/// Whether the server may run code of the database's own when it reads a statement's literals.
pub(super) fn reads_by_code(analysis: &Analysis) -> bool {
    analysis.parses_by_code || analysis.effects.iter().any(|effect| effect.action == Action::SqlExecute)
}

/// Whether a command can run code that nobody has read: what that says of an error may be anything.
pub(super) fn runs_code(analysis: &Analysis) -> bool {
    analysis.effects.iter().any(|effect| matches!(effect.action, Action::SqlExecute | Action::SqlUnknown))
}

fn parameter(bound: &Bound) -> Parameter<'_> {
    match bound {
        Bound::Null => Parameter::Null,
        Bound::Text(bytes) => Parameter::Text(bytes),
        Bound::Binary(bytes) => Parameter::Binary(bytes),
    }
}
