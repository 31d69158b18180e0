//! What others notify a session of. A payload may hold any value, and that this session may see it was decided by nobody,
//! unless whoever sent it is a session through the gateway whose statements are read.

use bytes::BufMut as _;

use super::message::Fields;
use super::rows::set_length;
use super::{Relay, RelayError, errors};
use crate::access::quoted;
use crate::metrics;
use crate::protocol::postgres::catalog::Backend;

/// What a session was told of payloads.
#[derive(Debug, Default)]
pub(super) struct Notified {
    /// Whether the recording says already that there was one that policy shows.
    shown: bool,
    /// Whether it says, and the workload was told, that there was one that is withheld.
    withheld: bool,
}

impl Relay {
    /// Passes a NotificationResponse on, without its payload unless the session may see that.
    pub(super) fn notified(&mut self, message: &[u8]) -> Result<(), RelayError> {
        let mut fields = Fields::of(message);
        let process = fields.u32().map_err(RelayError::Server)?;
        let channel = fields.text().map_err(RelayError::Server)?;
        let payload = fields.text().map_err(RelayError::Server)?;
        let harmless = payload.is_empty() || !self.enforced || !self.catalog.any_sensitive;
        if harmless || self.is_decided(process) || self.is_shown(channel) {
            self.client.output.extend_from_slice(message);
            return Ok(());
        }
        metrics::MASKED_VALUES.add(1);
        if !std::mem::replace(&mut self.notified.withheld, true) {
            let listen = listen(channel);
            let what = format!("payloads of notifications are withheld, the first after {}", listen.escape_debug());
            self.session.guard.note(&what);
            let hint = format!(
                "Shown are those of sessions through the gateway that ran no code it cannot read, and of others where a policy \
                 permits sql.declassify on the resource for the text {listen}"
            );
            let message = "payloads of notifications are withheld, they may hold a masked value";
            self.client.output.extend_from_slice(&errors::warning(message, &hint));
        }
        let out = &mut self.client.output;
        let start = out.len();
        out.put_slice(b"A\0\0\0\0");
        out.put_u32(process);
        out.put_slice(channel);
        out.put_slice(b"\0\0");
        set_length(out, start);
        Ok(())
    }

    /// Whether what a backend puts into a payload was decided on when it did.
    fn is_decided(&self, process: u32) -> bool {
        // Where the session's own server is not known, no process can be told from another server's.
        let backend = self.backend.map(|own| Backend { process, ..own });
        backend.is_some_and(|backend| self.slot.backends.is_read(backend))
    }

    /// Whether policy shows whatever anybody puts on a channel.
    fn is_shown(&mut self, channel: &[u8]) -> bool {
        let listen = listen(channel);
        if !self.session.guard.shows_anything(&listen) {
            return false;
        }
        if !std::mem::replace(&mut self.notified.shown, true) {
            let what =
                format!("payloads of anybody's notifications are shown, the first after {}", listen.escape_debug());
            self.session.guard.note(&what);
        }
        true
    }
}

/// The statement by which a channel is listened to.
fn listen(channel: &[u8]) -> String {
    format!("LISTEN {}", quoted(&String::from_utf8_lossy(channel)))
}
