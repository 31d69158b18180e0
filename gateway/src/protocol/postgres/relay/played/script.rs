//! What a client says, read from a fuzzer's bytes.

use bytes::{BufMut as _, BytesMut};

use super::Step;
use super::statements::STATEMENTS;
use crate::protocol::postgres::reply::{frame, put_text};

/// What a run is made of.
pub(super) struct Script {
    pub(super) steps: Vec<Step>,
    /// What the model decides by.
    pub(super) choices: Box<dyn Iterator<Item = u8>>,
}

/// Names of statements and portals.
const NAMES: [&str; 3] = ["", "a", "b"];

fn message(tag: u8, fill: impl FnOnce(&mut BytesMut)) -> Vec<u8> {
    let mut out = BytesMut::new();
    frame(&mut out, tag, fill);
    out.to_vec()
}

pub(super) fn query(text: &str) -> Vec<u8> {
    message(b'Q', |body| put_text(body, text))
}

pub(super) fn parse(name: &str, text: &str) -> Vec<u8> {
    message(b'P', |body| {
        put_text(body, name);
        put_text(body, text);
        body.put_u16(0);
    })
}

pub(super) fn bind(portal: &str, statement: &str) -> Vec<u8> {
    message(b'B', |body| {
        put_text(body, portal);
        put_text(body, statement);
        body.put_bytes(0, 6);
    })
}

/// Of a statement (`S`) or a portal (`P`): Describe (`D`) or Close (`C`).
pub(super) fn about(tag: u8, kind: u8, name: &str) -> Vec<u8> {
    message(tag, |body| {
        body.put_u8(kind);
        put_text(body, name);
    })
}

pub(super) fn execute(portal: &str, limit: u32) -> Vec<u8> {
    message(b'E', |body| {
        put_text(body, portal);
        body.put_u32(limit);
    })
}

pub(super) fn sync() -> Vec<u8> {
    message(b'S', |_| {})
}

/// Data of a COPY, and its end.
pub(super) fn data() -> Vec<u8> {
    let mut all = message(b'd', |body| body.put_slice(b"1\t2\n"));
    all.extend(message(b'c', |_| {}));
    all
}

/// Three lengths for the model's pieces; how many bytes decide for the model, and those; then the client's messages: a
/// byte says which, the next about what, the third how long the pieces are that it comes in.
pub(super) fn read(data: &[u8]) -> (Script, Vec<u8>) {
    let (pieces, rest) = data.split_at(data.len().min(3));
    let (count, rest) = rest.split_first().unwrap_or((&0, &[]));
    let (choices, rest) = rest.split_at(rest.len().min(usize::from(*count)));
    let mut steps = Vec::new();
    for turn in rest.chunks_exact(3) {
        let [kind, what, piece] = turn else { continue };
        let text = STATEMENTS[usize::from(*what) % STATEMENTS.len()].text;
        let (one, other) = (NAMES[usize::from(what & 3) % 3], NAMES[usize::from(what >> 2) % 3]);
        let said = match kind % 16 {
            0..=2 => query(text),
            3 => [parse("", text), bind("", ""), execute("", 0), sync()].concat(),
            4 => [parse("", text), bind("", ""), about(b'D', b'P', ""), execute("", 0), sync()].concat(),
            5 => parse("", text),
            6 => parse("a", text),
            7 => bind(one, other),
            8 => execute(one, u32::from(what >> 4)),
            9 => sync(),
            10 => about(b'D', if what & 16 == 0 { b'S' } else { b'P' }, one),
            11 => about(b'C', if what & 16 == 0 { b'S' } else { b'P' }, one),
            12 => self::data(),
            13 => message(b'H', |_| {}),
            14 => message(*b"cfFX".get(usize::from(what & 3)).unwrap_or(&b'H'), |body| {
                if what & 2 != 0 && what & 1 == 0 {
                    body.put_bytes(0, 10);
                } else if what & 3 == 1 {
                    body.put_u8(0);
                }
            }),
            _ => [parse("a", text), about(b'D', b'S', "a"), sync()].concat(),
        };
        match piece & 0x7f {
            0 => steps.push(Step::Client(said)),
            piece => {
                for part in said.chunks(usize::from(piece)) {
                    steps.extend([Step::Client(part.to_vec()), Step::Run]);
                }
            }
        }
        if piece & 0x80 == 0 {
            steps.push(Step::Run);
        }
    }
    (Script { steps, choices: Box::new(Vec::from(choices).into_iter()) }, pieces.to_vec())
}
