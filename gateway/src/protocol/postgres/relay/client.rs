//! The client's messages: commands to the guard, everything else as it came.

use std::sync::Arc;

use bytes::{BufMut, BytesMut};

use super::errors::{self, Candour};
use super::message::{Bind, Bound, Fields, Head, MAX_WHOLE, Malformed, head, split};
use super::queue::{MAX_OWED, Namespace, Owed, Portal, Running, Statement};
use super::{MAX_OUTPUT, Relay, RelayError};
use crate::access::{Action, FunctionName, Object};
use crate::guard::{self, Outcome, Parameter, Prepared, Verdict};
use crate::mask::Plan;
use crate::protocol::postgres::reply::{frame, put_text};
use crate::sql::{Catalog, Changes, Settings};

/// A text that no grammar knows: the server's transaction has to fail where the client believes that it did.
const POISON: &str = "refused_by_the_gateway";

impl Relay {
    /// Takes as many of the client's messages as can be taken now.
    pub(super) async fn take_client(&mut self) -> Result<(), RelayError> {
        loop {
            self.queue.drop_copy_ends();
            if self.terminated || self.queue.owed.len() >= MAX_OWED || self.server.output.len() >= MAX_OUTPUT {
                return Ok(());
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
            let Some(head) = head(&self.client.input).map_err(RelayError::Client)? else { return Ok(()) };
            if head.tag == b'd' && !self.skipping {
                self.client.passing = head.whole;
                continue;
            }
            if head.whole > MAX_WHOLE {
                return Err(RelayError::Client(Malformed("a message is longer than the gateway reads")));
            }
            if self.client.input.len() < head.whole {
                return Ok(());
            }
            if matches!(head.tag, b'Q' | b'B' | b'E' | b'F') && !self.skipping {
                self.refresh().await?;
                if (self.outdated() || self.suspect || self.queue.unsettled > 0) && self.settles() {
                    // What it is to be read by will be known when the server has answered.
                    return Ok(());
                }
            }
            if head.tag == b'P' && self.suspect && self.settles() && !self.skipping {
                return Ok(());
            }
            if !self.skipping && self.is_uncertain(head) {
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

    /// Whether the server will, without more from the client, come to owe nothing.
    fn settles(&self) -> bool {
        matches!(self.queue.owed.back(), Some(Owed::Query(_) | Owed::Sync | Owed::Function(_)))
            || matches!(self.queue.owed.back(), Some(Owed::Poison { simple: true, .. }))
    }

    /// What a statement is read by. Where something changed that could not be asked about yet, nothing is known of any name.
    fn view(&self) -> (Arc<Catalog>, Settings) {
        // In a transaction that changed no name, what was known before it is still known.
        if self.settings_outdated || self.queue.unsettled > 0 || (self.catalog_outdated && self.catalog_touched) {
            let database = Arc::clone(&self.database);
            let any_sensitive = self.catalog.any_sensitive;
            (Arc::new(Catalog { database, any_sensitive, ..Catalog::default() }), Settings::default())
        } else {
            (Arc::clone(&self.catalog), self.settings.clone())
        }
    }

    /// Whether the server will read a text that is sent now by the rules of the gateway's parser.
    fn readable(&self) -> bool {
        !self.unread && !self.suspect
    }

    /// `readable`: the server read the text, or will, by the rules of the gateway's parser.
    fn prepare(&mut self, text: &[u8], readable: bool) -> Prepared {
        let (catalog, settings) = self.view();
        if !readable {
            return self.session.guard.unread(text, &catalog);
        }
        self.session.guard.prepare(guard::Statement { text, settings: &settings, catalog: &catalog })
    }

    fn message(&mut self, head: Head, message: BytesMut) -> Result<(), RelayError> {
        if self.skipping {
            match head.tag {
                b'S' => self.skipping = false,
                b'X' => {}
                _ => return Ok(()),
            }
        }
        let owed = match head.tag {
            b'Q' => return self.query(&message),
            b'P' => return self.parse(message),
            b'B' => return self.bind(&message),
            b'E' => return self.execute(message),
            b'D' => Owed::Describe,
            b'C' => {
                let mut fields = Fields::of(&message);
                let statement = fields.u8().map_err(RelayError::Client)? == b'S';
                Owed::Close { statement, name: fields.text().map_err(RelayError::Client)?.into() }
            }
            b'S' if self.copying => {
                self.server.output.extend_from_slice(&message);
                return Ok(());
            }
            b'S' => Owed::Sync,
            b'F' => return self.function(message),
            b'c' | b'f' if !self.copying && !self.queue.owed.is_empty() => Owed::CopyEnd,
            b'H' | b'c' | b'f' => {
                self.copying &= head.tag == b'H';
                self.server.output.extend_from_slice(&message);
                return Ok(());
            }
            b'X' => {
                self.terminated = true;
                self.server.output.extend_from_slice(&message);
                return Ok(());
            }
            _ => return Err(RelayError::Client(Malformed("invalid frontend message type"))),
        };
        self.forward(&message, owed);
        Ok(())
    }

    fn forward(&mut self, message: &[u8], owed: Owed) {
        self.server.output.extend_from_slice(message);
        self.queue.owed.push_back(owed);
    }

    fn query(&mut self, message: &[u8]) -> Result<(), RelayError> {
        let text = Fields::of(message).text().map_err(RelayError::Client)?;
        let prepared = self.prepare(text, self.readable());
        let in_transaction = self.in_transaction();
        match self.session.guard.execute(&prepared, &[], in_transaction) {
            Verdict::Forward { command, plan } => {
                let running = self.started(command, plan, &prepared);
                self.forward(message, Owed::Query(Box::new(running)));
            }
            Verdict::Block(refusal) | Verdict::Hold(refusal) => {
                let mut error = errors::refusal(&refusal);
                if self.queue.owed.is_empty() && self.status == b'I' {
                    error.put_slice(b"Z\0\0\0\x05I");
                    self.client.output.extend_from_slice(&error);
                } else {
                    let mut poison = BytesMut::new();
                    frame(&mut poison, b'Q', |body| put_text(body, POISON));
                    self.forward(&poison, Owed::Poison { error, simple: true });
                }
            }
        }
        Ok(())
    }

    fn started(&mut self, command: crate::record::CommandId, plan: Arc<Plan>, prepared: &Prepared) -> Running {
        let changes = prepared.analysis.changes;
        let candour = if *plan == Plan::Pass { self.candour() } else { Candour::Code };
        let running = Running {
            command,
            plan,
            candour,
            outcome: Outcome::default(),
            changes: Changes {
                catalog: changes.catalog || (changes.undoes && self.catalog_touched),
                settings: changes.settings || (changes.undoes && self.settings_touched),
                rules: changes.rules || self.was_unread,
                ..changes
            },
        };
        self.suspect |= running.changes.rules;
        self.queue.unsettled = self.queue.unsettled.saturating_add(usize::from(running.unsettles()));
        running
    }

    fn parse(&mut self, message: BytesMut) -> Result<(), RelayError> {
        let mut fields = Fields::of(&message);
        let name: Box<[u8]> = fields.text().map_err(RelayError::Client)?.into();
        let text: Box<[u8]> = fields.text().map_err(RelayError::Client)?.into();
        let size = text.len();
        match self.queue.hold(text, size) {
            Some(text) => {
                self.forward(&message, Owed::Parse { name, statement: Statement { text, readable: self.readable() } })
            }
            None => self.too_much(),
        }
        Ok(())
    }

    fn bind(&mut self, message: &[u8]) -> Result<(), RelayError> {
        let bind = Bind::parse(message).map_err(RelayError::Client)?;
        // In the middle of a batch nobody can wait: what the name means afterwards is not known.
        let known =
            self.queue.statement(&bind.statement).filter(|_| self.queue.unsettled == 0 || bind.statement.is_empty());
        let prepared = match known.cloned() {
            Some(statement) => self.prepare(&statement.text.value, statement.readable),
            None => {
                let name = String::from_utf8_lossy(&bind.statement).into_owned();
                let text = format!("bind statement \"{name}\", which no Parse of this session made");
                self.opaque(Action::SqlUnknown, Object::Resource, &text)
            }
        };
        let size = bind.size();
        match self.queue.hold(bind.parameters.into_boxed_slice(), size) {
            Some(parameters) => {
                let portal = Portal { prepared, parameters };
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

    fn execute(&mut self, message: BytesMut) -> Result<(), RelayError> {
        let name = Fields::of(&message).text().map_err(RelayError::Client)?;
        let portal = self.queue.portal(name).cloned();
        let (prepared, bound) = match portal {
            Some(Portal { prepared, parameters }) => (prepared, Some(parameters)),
            None => {
                let text =
                    format!("execute portal \"{}\", which no Bind of this session made", String::from_utf8_lossy(name));
                (self.opaque(Action::SqlUnknown, Object::Resource, &text), None)
            }
        };
        let bound = bound.as_ref().map(|held| &*held.value).unwrap_or_default();
        let parameters: Vec<Parameter<'_>> = bound.iter().map(parameter).collect();
        let in_transaction = self.in_transaction();
        match self.session.guard.execute(&prepared, &parameters, in_transaction) {
            Verdict::Forward { command, plan } => {
                let running = self.started(command, plan, &prepared);
                if *running.plan != Plan::Pass {
                    let mut describe = BytesMut::new();
                    frame(&mut describe, b'D', |body| {
                        body.put_u8(b'P');
                        body.put_slice(name);
                        body.put_u8(0);
                    });
                    self.forward(&describe, Owed::Columns);
                }
                self.forward(&message, Owed::Execute(Box::new(running)));
            }
            Verdict::Block(refusal) | Verdict::Hold(refusal) => self.poison(errors::refusal(&refusal)),
        }
        Ok(())
    }

    fn opaque(&mut self, action: Action, object: Object, text: &str) -> Prepared {
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
        let in_transaction = self.in_transaction();
        let error = match self.session.guard.execute(&prepared, &[], in_transaction) {
            Verdict::Forward { command, plan } if *plan == Plan::Pass => {
                let running = self.started(command, plan, &prepared);
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
        let mut poison = BytesMut::new();
        frame(&mut poison, b'Q', |body| put_text(body, POISON));
        self.forward(&poison, Owed::Poison { error, simple: true });
        Ok(())
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
        self.forward(&poison, Owed::Poison { error, simple: false });
        self.skipping = true;
    }
}

fn parameter(bound: &Bound) -> Parameter<'_> {
    match bound {
        Bound::Null => Parameter::Null,
        Bound::Text(bytes) => Parameter::Text(bytes),
        Bound::Binary(bytes) => Parameter::Binary(bytes),
    }
}
