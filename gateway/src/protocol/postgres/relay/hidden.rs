//! Questions of the gateway's own, between the client's messages: the catalog and the search path.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut as _, BytesMut};

use super::errors::{Candour, sqlstate, told};
use super::message::{Fields, MAX_WHOLE, OWN_NAMES, head, split};
use super::{Relay, RelayError};
use crate::protocol::postgres::catalog::{Answers, COLUMNS, FUNCTIONS, PARENTS, RELATIONS, Row, build};
use crate::protocol::postgres::established::BackendKind;
use crate::protocol::postgres::reply::{frame, put_text};
use crate::sql::Catalog;

/// How long the server may take to answer one.
const ANSWER: Duration = Duration::from_secs(30);

/// How often a question is asked that is cancelled.
const RETRIES: usize = 3;

/// SQLSTATE query_canceled.
const CANCELED: &str = "57014";

/// The largest answer, in bytes.
const MAX_ANSWER: usize = 256 * 1024 * 1024;

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
        if !self.catalog_outdated
            && !self.catalog_touched
            && self.slot.fresh().is_none_or(|fresh| !Arc::ptr_eq(&fresh, &self.catalog))
        {
            self.catalog_outdated = true;
        }
        if !self.outdated() || !self.idle() || self.status == b'E' {
            return Ok(());
        }
        if self.settings_outdated {
            // A SHOW takes no snapshot: the client's transaction can still choose its isolation level.
            let rows = self.ask("show search_path").await?;
            let path = rows.first().and_then(|row| row.first()).cloned().flatten();
            self.learn_path(&path.unwrap_or_default())?;
        }
        // Within a transaction only what the transaction itself changed is asked for: it has its snapshot then.
        if self.catalog_outdated && (self.status == b'I' || self.catalog_touched) {
            self.catalog = match self.slot.fresh() {
                Some(catalog) if !self.catalog_touched => catalog,
                _ => self.read_catalog().await?,
            };
            self.catalog_outdated = false;
        }
        Ok(())
    }

    async fn read_catalog(&mut self) -> Result<Arc<Catalog>, RelayError> {
        // Numbered before it is read: what changes meanwhile makes a later one.
        let generation = self.slot.next();
        let answers = Answers {
            relations: self.ask(RELATIONS).await?,
            columns: self.ask(COLUMNS).await?,
            parents: self.ask(PARENTS).await?,
            functions: self.ask(FUNCTIONS).await?,
        };
        let path = self.settings.search_path.as_deref().unwrap_or_default().to_vec();
        let previous = if self.catalog_touched { Some(Arc::clone(&self.catalog)) } else { self.slot.last() };
        let previous = previous.as_deref();
        let built = build(&answers, &self.resource, &self.database, path, generation, previous);
        let catalog = Arc::new(built.catalog);
        if !self.catalog_touched {
            self.slot.store(&catalog, built.unmatched);
        }
        Ok(catalog)
    }

    /// Asks one question and takes the rows. What comes unasked meanwhile goes to the client.
    async fn ask(&mut self, sql: &str) -> Result<Vec<Row>, RelayError> {
        match tokio::time::timeout(ANSWER, self.ask_for_ever(sql)).await {
            Ok(answered) => answered,
            Err(_) => Err(RelayError::Hidden("the server did not answer in time".to_owned())),
        }
    }

    async fn ask_for_ever(&mut self, sql: &str) -> Result<Vec<Row>, RelayError> {
        for _ in 0..RETRIES {
            match self.ask_once(sql).await? {
                Ok(rows) => return Ok(rows),
                // A cancel that the client sent late, for a command of its own.
                Err(code) if code == CANCELED => {}
                Err(code) => return Err(RelayError::Hidden(format!("SQLSTATE {code}"))),
            }
        }
        Err(RelayError::Hidden(format!("SQLSTATE {CANCELED}")))
    }

    /// The rows, or the SQLSTATE. By the extended protocol and under names of its own: a simple Query would end the client's
    /// unnamed statement and portal.
    async fn ask_once(&mut self, sql: &str) -> Result<Result<Vec<Row>, String>, RelayError> {
        let out = &mut self.server.output;
        let close = |out: &mut BytesMut, kind: u8| {
            frame(out, b'C', |body| {
                body.put_u8(kind);
                put_text(body, OWN_NAMES);
            });
        };
        // One that failed is still there.
        close(out, b'S');
        frame(out, b'P', |body| {
            put_text(body, OWN_NAMES);
            put_text(body, sql);
            body.put_u16(0);
        });
        frame(out, b'B', |body| {
            put_text(body, OWN_NAMES);
            put_text(body, OWN_NAMES);
            // Parameters and results in text, and no parameter.
            body.put_slice(&[0; 6]);
        });
        frame(out, b'E', |body| {
            put_text(body, OWN_NAMES);
            body.put_u32(0);
        });
        close(out, b'P');
        close(out, b'S');
        frame(out, b'S', |_| {});
        self.server.drain().await?;
        let (mut rows, mut size, mut failed) = (Vec::new(), 0usize, None);
        loop {
            let Some(head) =
                head(&self.server.input).map_err(RelayError::Server)?.filter(|h| self.server.input.len() >= h.whole)
            else {
                if self.server.fill().await? == 0 {
                    return Err(RelayError::ServerGone);
                }
                continue;
            };
            size = size.saturating_add(head.whole);
            if head.whole > MAX_WHOLE || size > MAX_ANSWER {
                return Err(RelayError::Hidden("the answer is too large".to_owned()));
            }
            let message = split(&mut self.server.input, head);
            match head.tag {
                b'D' => rows.push(row(&message).map_err(RelayError::Server)?),
                b'E' => failed = Some(sqlstate(&message).unwrap_or_default()),
                b'S' => self.parameter_status(&message)?,
                b'A' => self.client.output.extend_from_slice(&message),
                b'N' => told(&message, Candour::Code, &mut self.client.output),
                b'Z' => return Ok(failed.map_or(Ok(rows), Err)),
                _ => {}
            }
        }
    }
}

fn row(message: &[u8]) -> Result<Row, super::Malformed> {
    let mut fields = Fields::of(message);
    let count = fields.u16()?;
    (0..count).map(|_| Ok(fields.value()?.map(|value| String::from_utf8_lossy(value).into_owned()))).collect()
}
