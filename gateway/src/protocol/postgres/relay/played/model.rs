//! A model of a server: it knows a few statements, answers every message as the protocol says, and now and then fails.

use std::collections::HashMap;

use bytes::{BufMut as _, BytesMut};

use super::super::client::POISON;
use super::super::message::{Bind, Fields, OWN_NAMES, head, split};
use super::statements::{Answer, Column, Known, SECRET, STATEMENTS};
use crate::protocol::postgres::reply::{frame, put_text};

/// The number of its process.
pub(super) const PROCESS: u32 = 7;

#[derive(Clone, Debug)]
struct Portal {
    known: Option<&'static Known>,
    /// Rows that an Execute with a limit has left.
    left: Option<usize>,
}

/// The server.
pub(super) struct Model {
    /// What decides about rows, failures and what comes unasked.
    choices: Box<dyn Iterator<Item = u8>>,
    input: BytesMut,
    out: BytesMut,
    status: u8,
    /// Whether this transaction has had to do with `users`.
    touched: bool,
    /// Whether the cursor is open.
    cursor: bool,
    statements: HashMap<Box<[u8]>, Option<&'static Known>>,
    portals: HashMap<Box<[u8]>, Portal>,
    skipping: bool,
    /// A COPY that takes data; and whether a Query asked for it.
    copying: Option<bool>,
    /// A question of the gateway's own, up to its Sync.
    hidden: Option<Box<[u8]>>,
    /// What was read and said, but for the gateway's own questions. What is skipped after an error is not read.
    pub(super) read: Vec<u8>,
    pub(super) said: Vec<u8>,
}

fn known(text: &[u8]) -> Option<&'static Known> {
    STATEMENTS.iter().find(|known| known.text.as_bytes() == text)
}

/// The answers to what is asked of a server before the first statement; and to that, which is empty.
pub(super) fn first_answers() -> Vec<u8> {
    let mut model = Model::new(Box::new(std::iter::repeat(0xff)));
    let mut out = BytesMut::new();
    crate::protocol::postgres::catalog::ask(OWN_NAMES, &["show search_path", "role", "login", "temporary"], &mut out);
    let mut said = model.hear(&out);
    said.extend(model.hear(&super::script::query("")));
    said
}

impl Model {
    pub(super) fn new(choices: Box<dyn Iterator<Item = u8>>) -> Self {
        Model {
            choices,
            input: BytesMut::new(),
            out: BytesMut::new(),
            status: b'I',
            touched: false,
            cursor: false,
            statements: HashMap::new(),
            portals: HashMap::new(),
            skipping: false,
            copying: None,
            hidden: None,
            read: Vec::new(),
            said: Vec::new(),
        }
    }

    /// 0xff where there is nothing more to decide.
    fn choice(&mut self) -> u8 {
        self.choices.next().unwrap_or(0xff)
    }

    /// Takes bytes; what it answers.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.input.put_slice(bytes);
        let mut all = Vec::new();
        while let Some(head) = head(&self.input).expect("the gateway sends messages") {
            if self.input.len() < head.whole {
                break;
            }
            let message = split(&mut self.input, head);
            let own = self.hidden.is_some() || is_own(&message);
            if own {
                self.own(head.tag, &message);
            } else {
                self.message(head.tag, &message);
            }
            if !own {
                self.said.put_slice(&self.out);
            }
            all.put_slice(&self.out);
            self.out.clear();
        }
        all
    }

    /// The gateway asks for search path and temporary schema, and nothing else that can be answered here.
    fn own(&mut self, tag: u8, message: &[u8]) {
        let text = self.hidden.get_or_insert_default();
        match tag {
            b'C' => self.out.put_slice(b"3\0\0\0\x04"),
            b'P' => {
                let mut fields = Fields::of(message);
                let _ = fields.text();
                *text = fields.text().unwrap_or_default().into();
                self.out.put_slice(b"1\0\0\0\x04");
            }
            b'B' => self.out.put_slice(b"2\0\0\0\x04"),
            b'E' => {
                if &**text == b"show search_path" {
                    row(&mut self.out, &[Some(b"\"$user\", public")]);
                }
                tag_of(&mut self.out, "SELECT 1");
            }
            b'S' => {
                self.hidden = None;
                self.ready();
            }
            other => panic!("the gateway asks by {:?}", char::from(other)),
        }
    }

    fn message(&mut self, tag: u8, message: &[u8]) {
        if self.skipping && self.copying.is_none() && tag != b'S' {
            return;
        }
        if self.copying.is_none() && matches!(tag, b'd' | b'c' | b'f') {
            // Of a COPY that has failed.
            return;
        }
        self.read.put_slice(message);
        if self.copying.is_some() && self.copy(tag) {
            return;
        }
        let mut fields = Fields::of(message);
        match tag {
            b'Q' => {
                let text = fields.text().expect("a text").to_vec();
                self.query(&text);
            }
            b'P' => {
                let name: Box<[u8]> = fields.text().expect("a name").into();
                let text = fields.text().expect("a text");
                if name.is_empty() {
                    // exec_parse_message forgets the unnamed one before it reads the text.
                    self.statements.remove(&name);
                }
                let known = known(text);
                if known.is_none() || known.is_some_and(|known| known.answers.len() > 1) || self.fails() {
                    return self.fail("42601", false);
                }
                self.statements.insert(name, known);
                self.out.put_slice(b"1\0\0\0\x04");
            }
            b'B' => {
                let bind = Bind::parse(message).expect("a bind");
                let Some(known) = self.statements.get(&bind.statement).copied() else {
                    return self.fail("26000", false);
                };
                assert!(!known.is_some_and(|known| known.refused), "a refused statement is bound");
                if self.fails() {
                    return self.fail("22P02", known.is_some_and(|known| known.touches && !known.cursor));
                }
                self.portals.insert(bind.portal, Portal { known, left: None });
                self.out.put_slice(b"2\0\0\0\x04");
            }
            b'D' => self.describe(&mut fields),
            b'C' => {
                let statement = fields.u8().expect("a kind") == b'S';
                let name = fields.text().expect("a name");
                if statement {
                    self.statements.remove(name);
                } else {
                    self.portals.remove(name);
                }
                self.out.put_slice(b"3\0\0\0\x04");
            }
            b'E' => {
                let name: Box<[u8]> = fields.text().expect("a name").into();
                let limit = fields.u32().unwrap_or(0);
                self.execute(&name, limit);
            }
            b'S' => {
                self.skipping = false;
                self.ready();
            }
            b'F' => panic!("a function call, which policy refuses"),
            b'H' | b'X' => {}
            other => panic!("no client sends {:?}", char::from(other)),
        }
    }

    /// Whether the message was for a COPY that takes data.
    fn copy(&mut self, tag: u8) -> bool {
        let simple = self.copying == Some(true);
        match tag {
            b'd' | b'H' | b'S' => return true,
            b'c' => {
                self.copying = None;
                tag_of(&mut self.out, "COPY 1");
                if simple {
                    self.ready();
                }
            }
            b'f' => {
                self.copying = None;
                self.fail("57014", false);
                if simple {
                    self.skipping = false;
                    self.ready();
                }
            }
            _ => return false,
        }
        true
    }

    fn query(&mut self, text: &[u8]) {
        // A Query takes the unnamed statement's place.
        self.statements.remove(&b""[..]);
        let Some(known) = known(text) else {
            assert!(text == POISON.as_bytes(), "a text that no client sent: {:?}", String::from_utf8_lossy(text));
            self.fail("42601", false);
            self.skipping = false;
            return self.ready();
        };
        assert!(!known.refused, "a refused statement is run: {}", known.text);
        for answer in known.answers {
            if !self.may_run(known) {
                self.skipping = false;
                return self.ready();
            }
            if let Answer::Rows(columns) = answer {
                describe(&mut self.out, columns);
            }
            if let Answer::CopyIn = answer {
                self.copying = Some(true);
            }
            self.answer(*answer, known, None);
        }
        if self.copying.is_none() {
            self.ready();
        }
    }

    /// Whether a statement gets as far as to answer; otherwise it has failed.
    fn may_run(&mut self, known: &Known) -> bool {
        // What is said of a cursor is about the rows of a statement before.
        let touches = if known.cursor { self.touched } else { known.touches };
        self.unasked(touches);
        if self.status == b'E' && !matches!(known.text, "commit" | "rollback") {
            self.fail("25P02", false);
            return false;
        }
        if known.cursor && !self.cursor {
            self.fail("34000", false);
            return false;
        }
        self.touched |= touches;
        if self.fails() {
            let touches = self.touched;
            self.fail("22012", touches);
            return false;
        }
        match known.text {
            "begin" if self.status == b'I' => self.status = b'T',
            "commit" | "rollback" => (self.status, self.touched, self.cursor) = (b'I', false, false),
            text if text.starts_with("declare") => {
                if self.status != b'T' {
                    self.fail("25P01", false);
                    return false;
                }
                self.cursor = true;
            }
            "close c" => self.cursor = false,
            _ => {}
        }
        true
    }

    fn describe(&mut self, fields: &mut Fields<'_>) {
        let statement = fields.u8().expect("a kind") == b'S';
        let name = fields.text().expect("a name");
        let known = match statement {
            true => self.statements.get(name).copied().flatten(),
            false => self.portals.get(name).and_then(|portal| portal.known),
        };
        let Some(known) = known else { return self.fail("34000", false) };
        if statement {
            self.out.put_slice(b"t\0\0\0\x06\0\0");
        }
        match known.answers {
            [Answer::Rows(columns)] => describe(&mut self.out, columns),
            _ => self.out.put_slice(b"n\0\0\0\x04"),
        }
    }

    fn execute(&mut self, name: &[u8], limit: u32) {
        let Some(Portal { known: Some(known), left }) = self.portals.get(name).cloned() else {
            return self.fail("34000", false);
        };
        if !self.may_run(known) {
            return;
        }
        let [answer] = known.answers else { return self.fail("42601", false) };
        if let Answer::CopyIn = answer {
            self.copying = Some(false);
        }
        let limit = usize::try_from(limit).ok().filter(|limit| *limit > 0);
        let left = self.answer(*answer, known, limit.map(|limit| (limit, left)));
        if let Some(portal) = self.portals.get_mut(name) {
            portal.left = left;
        }
        if self.status == b'I' && matches!(known.text, "commit" | "rollback") {
            self.portals.clear();
        }
    }

    /// How many rows are left, where there is a limit.
    fn answer(&mut self, answer: Answer, known: &Known, limit: Option<(usize, Option<usize>)>) -> Option<usize> {
        match answer {
            Answer::Rows(columns) => {
                let had = limit.and_then(|(_, left)| left);
                let all = had.unwrap_or_else(|| usize::from(self.choice() % 4));
                let now = limit.map_or(all, |(limit, _)| limit.min(all));
                for _ in 0..now {
                    let values: Vec<Option<Vec<u8>>> = columns.iter().map(|column| self.value(column.3)).collect();
                    let values: Vec<Option<&[u8]>> = values.iter().map(Option::as_deref).collect();
                    row(&mut self.out, &values);
                    let touches = known.touches;
                    self.unasked(touches);
                }
                if limit.is_some() && now < all {
                    self.out.put_slice(b"s\0\0\0\x04");
                    return Some(all - now);
                }
                tag_of(&mut self.out, "SELECT 1");
            }
            Answer::Tag(words) => tag_of(&mut self.out, words),
            Answer::Empty => self.out.put_slice(b"I\0\0\0\x04"),
            Answer::CopyOut(columns) => {
                frame(&mut self.out, b'H', |body| copy_head(body, columns.len()));
                for _ in 0..self.choice() % 4 {
                    let cells: Vec<&str> = columns.iter().map(|column| if column.3 { SECRET } else { "7" }).collect();
                    frame(&mut self.out, b'd', |body| body.put_slice((cells.join("\t") + "\n").as_bytes()));
                }
                self.out.put_slice(b"c\0\0\0\x04");
                tag_of(&mut self.out, "COPY 1");
            }
            Answer::CopyIn => frame(&mut self.out, b'G', |body| copy_head(body, 2)),
        }
        None
    }

    fn value(&mut self, secret: bool) -> Option<Vec<u8>> {
        match self.choice() {
            0xfe => None,
            _ if secret => Some(SECRET.into()),
            length => Some((0..length % 8).map(|_| self.choice()).collect()),
        }
    }

    fn fails(&mut self) -> bool {
        self.choice() < 8
    }

    /// What a server may say at any time.
    fn unasked(&mut self, touches: bool) {
        let text = if touches { SECRET } else { "nothing" };
        match self.choice() {
            8 | 9 => frame(&mut self.out, b'N', |body| fields_of(body, "NOTICE", "00000", text)),
            10 => frame(&mut self.out, b'S', |body| {
                put_text(body, "application_name");
                put_text(body, "x");
            }),
            11 => self.notify(PROCESS, "payload"),
            12 if touches => self.notify(PROCESS.wrapping_add(1), SECRET),
            _ => {}
        }
    }

    fn notify(&mut self, process: u32, payload: &str) {
        frame(&mut self.out, b'A', |body| {
            body.put_u32(process);
            put_text(body, "channel");
            put_text(body, payload);
        });
    }

    fn fail(&mut self, code: &str, touches: bool) {
        let text = if touches { SECRET } else { "nothing" };
        frame(&mut self.out, b'E', |body| fields_of(body, "ERROR", code, text));
        if self.status == b'T' {
            self.status = b'E';
        }
        self.skipping = true;
    }

    fn ready(&mut self) {
        if self.status == b'I' {
            self.portals.clear();
            (self.touched, self.cursor) = (false, false);
        }
        let status = self.status;
        frame(&mut self.out, b'Z', |body| body.put_u8(status));
    }
}

/// Whether a message is about a name of the gateway's own.
fn is_own(message: &[u8]) -> bool {
    let skipped = usize::from(message.first() == Some(&b'C')) + 5;
    message.get(skipped..).is_some_and(|rest| rest.starts_with(OWN_NAMES.as_bytes()))
}

fn fields_of(body: &mut BytesMut, severity: &str, code: &str, text: &str) {
    for (field, value) in [(b'S', severity), (b'V', severity), (b'C', code), (b'M', text), (b'D', text)] {
        body.put_u8(field);
        put_text(body, value);
    }
    body.put_u8(0);
}

fn tag_of(out: &mut BytesMut, words: &str) {
    frame(out, b'C', |body| put_text(body, words));
}

fn copy_head(body: &mut BytesMut, columns: usize) {
    body.put_u8(0);
    body.put_u16(u16::try_from(columns).expect("a few"));
    body.put_bytes(0, columns * 2);
}

fn describe(out: &mut BytesMut, columns: &[Column]) {
    frame(out, b'T', |body| {
        body.put_u16(u16::try_from(columns.len()).expect("a few"));
        for (name, table, number, _) in columns {
            put_text(body, name);
            body.put_u32(*table);
            body.put_i16(*number);
            body.put_u32(25);
            body.put_i16(-1);
            body.put_i32(-1);
            body.put_i16(0);
        }
    });
}

fn row(out: &mut BytesMut, values: &[Option<&[u8]>]) {
    frame(out, b'D', |body| {
        body.put_u16(u16::try_from(values.len()).expect("a few"));
        for value in values {
            body.put_i32(value.map_or(-1, |value| i32::try_from(value.len()).expect("short")));
            body.put_slice(value.unwrap_or_default());
        }
    });
}
