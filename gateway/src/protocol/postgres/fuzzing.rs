//! What the fuzz targets reach of the protocol.

use bytes::BytesMut;

use super::server_error::ServerError;
use super::wire::take_frame;
use super::{auth, catalog, client_auth, relay, scram, settings, startup};

/// Messages of either side, whole or cut, through everything that reads them.
pub(crate) fn codec(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    match first % 10 {
        0 => packet(body),
        1 => answers(body),
        2 => drop(ServerError::parse(body).to_workload("orders", "app")),
        3 => {
            let text = String::from_utf8_lossy(body);
            let parameters = [("application_name".to_owned(), text.clone().into_owned())];
            let _ = settings::examine(Some(&text), &parameters);
            let _ = catalog::search_path(&text, "app");
        }
        8 => scram::played::played(body),
        9 => login(body),
        kind => relay::played::message(kind, body),
    }
}

/// The packets that open a connection come out the same however they come in.
fn packet(body: &[u8]) {
    let (mut whole, mut pieces) = (BytesMut::from(body), BytesMut::new());
    let at_once = startup::take(&mut whole);
    for (at, byte) in body.iter().enumerate() {
        pieces.extend_from_slice(&[*byte]);
        match startup::take(&mut pieces) {
            Ok(None) => {}
            taken => {
                assert_eq!(format!("{taken:?}"), format!("{at_once:?}"));
                assert_eq!(whole.len(), if taken.is_ok() { body.len() - at - 1 } else { whole.len() });
                return;
            }
        }
    }
    assert!(matches!(at_once, Ok(None)), "what is not whole byte by byte is not whole at once");
}

/// What a server asks for in a login, and a client's first answer.
fn login(body: &[u8]) {
    if let Some(auth::Demand::Sasl(offered)) = auth::Demand::parse(body) {
        assert!(offered.iter().map(|name| name.len() + 1).sum::<usize>() + 5 == body.len());
    }
    if let Some((mechanism, message)) = client_auth::initial(body) {
        assert_eq!(mechanism.len() + message.len() + 5, body.len());
    }
    if client_auth::claims_no_offer(body) {
        assert!(body.starts_with(b"SCRAM-SHA-256\0"));
    }
}

/// A server's messages during the login, and its answers to the gateway's questions.
fn answers(body: &[u8]) {
    let (mut input, mut answering) = (BytesMut::from(body), catalog::Answering::default());
    while let Ok(Some(frame)) = take_frame(&mut input, 4096) {
        assert_eq!(frame.body().len() + 5, frame.bytes.len());
        match answering.take(frame.tag, frame.body()) {
            Ok(catalog::Taken::End(_)) => return drop(answering.end()),
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

/// Both sides' bytes through a relay.
pub(crate) fn played(data: &[u8]) {
    relay::played::fuzz(data);
}
