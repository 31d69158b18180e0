//! A client that keeps every byte that it receives, and says each statement in one of four forms.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::BytesMut;
use postgres_protocol::IsNull;
use postgres_protocol::message::frontend;

use crate::entry::{Form, Statement, Step};

/// How long a peer may take for one answer before it counts as none.
const PATIENCE: Duration = Duration::from_secs(20);

/// One message that came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) tag: u8,
    pub(crate) body: Vec<u8>,
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// A session.
pub(crate) struct Client {
    stream: Box<dyn Stream>,
    /// What was read and is no whole message yet.
    input: Vec<u8>,
    /// Every message, the start-up's first.
    pub(crate) messages: Vec<Message>,
    /// Whether the peer has closed.
    pub(crate) closed: bool,
}

impl Client {
    /// A session with what listens on loopback or elsewhere.
    pub(crate) fn tcp(to: SocketAddr, parameters: &[(&str, &str)]) -> Result<Self> {
        let stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Self::start(Box::new(stream), parameters)
    }

    /// A session by the server's local socket, where every role is trusted.
    pub(crate) fn local(folder: &Path, role: &str, database: &str) -> Result<Self> {
        let stream = UnixStream::connect(folder.join(".s.PGSQL.5432"))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut client = Self::start(Box::new(stream), &[("user", role), ("database", database)])?;
        if client.closed {
            bail!("{database}: {}", client.messages.iter().map(Message::show).collect::<Vec<_>>().join("; "));
        }
        client.messages.clear();
        Ok(client)
    }

    fn start(stream: Box<dyn Stream>, parameters: &[(&str, &str)]) -> Result<Self> {
        let mut client = Self { stream, input: Vec::new(), messages: Vec::new(), closed: false };
        let mut out = BytesMut::new();
        frontend::startup_message(parameters.iter().copied(), &mut out)?;
        client.stream.write_all(&out)?;
        client.until_ready(1)?;
        Ok(client)
    }

    /// Runs one text as a simple Query, for an administrator: the cells of its rows.
    pub(crate) fn query(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        let messages = self.step(&Step::Sql(Statement::plain(sql)), Form::Simple)?;
        self.messages.clear();
        let mut rows = Vec::new();
        for message in &messages {
            match message.tag {
                b'E' => bail!("{}: {sql:.300}", message.show()),
                b'D' => rows.push(
                    message.cells().into_iter().map(|c| c.map(|c| String::from_utf8_lossy(&c).into_owned())).collect(),
                ),
                _ => {}
            }
        }
        Ok(rows)
    }

    /// The first cell of what [`Client::query`] brings.
    pub(crate) fn value(&mut self, sql: &str) -> Result<String> {
        let cell = self.query(sql)?.into_iter().next().and_then(|row| row.into_iter().next());
        cell.flatten().with_context(|| format!("no value: {sql:.200}"))
    }

    /// Says one step and reads its whole answer.
    pub(crate) fn step(&mut self, step: &Step, form: Form) -> Result<Vec<Message>> {
        let from = self.messages.len();
        if self.closed {
            return Ok(Vec::new());
        }
        let (out, ready) = frames(std::slice::from_ref(step), form, true)?;
        let copy = match step {
            Step::Sql(statement) => statement.copy.clone(),
            _ => None,
        };
        self.say(&out)?;
        self.answer(ready, copy, form)?;
        Ok(self.messages.get(from..).unwrap_or_default().to_vec())
    }

    /// Says all steps at once before anything is read.
    pub(crate) fn pipeline(&mut self, steps: &[Step], form: Form) -> Result<Vec<Message>> {
        let from = self.messages.len();
        let (out, ready) = frames(steps, form, form == Form::Simple)?;
        self.say(&out)?;
        self.answer(ready, None, form)?;
        Ok(self.messages.get(from..).unwrap_or_default().to_vec())
    }

    /// Says goodbye and waits until the peer has closed.
    pub(crate) fn bye(&mut self) -> Result<()> {
        if !self.closed {
            let mut out = BytesMut::new();
            frontend::terminate(&mut out);
            self.say(&out)?;
            while self.next()?.is_some() {}
        }
        Ok(())
    }

    fn say(&mut self, out: &[u8]) -> Result<()> {
        match self.stream.write_all(out) {
            // What the peer said before it closed is still to be read.
            Err(error)
                if matches!(error.kind(), std::io::ErrorKind::BrokenPipe | std::io::ErrorKind::ConnectionReset) =>
            {
                Ok(())
            }
            other => Ok(other?),
        }
    }

    fn until_ready(&mut self, count: usize) -> Result<()> {
        self.answer(count, None, Form::Simple)
    }

    fn answer(&mut self, mut ready: usize, mut copy: Option<Vec<u8>>, form: Form) -> Result<()> {
        while ready > 0 {
            let Some(message) = self.next()? else { return Ok(()) };
            match message.tag {
                b'Z' => ready -= 1,
                b'G' => {
                    let mut out = BytesMut::new();
                    match copy.take() {
                        Some(data) => {
                            frontend::CopyData::new(&data[..])?.write(&mut out);
                            frontend::copy_done(&mut out);
                        }
                        None => frontend::copy_fail("nothing to copy", &mut out)?,
                    }
                    if form != Form::Simple {
                        // The server has thrown the first one away.
                        frontend::sync(&mut out);
                    }
                    self.say(&out)?;
                }
                // A stream of the replication's has no end.
                b'W' => {
                    self.closed = true;
                    return Ok(());
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Message>> {
        loop {
            if let Some(head) = self.input.first_chunk::<5>() {
                let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
                if self.input.len() > length {
                    let whole: Vec<u8> = self.input.drain(..=length).collect();
                    let message = Message { tag: whole[0], body: whole[5..].to_vec() };
                    self.messages.push(message.clone());
                    return Ok(Some(message));
                }
            }
            let mut chunk = [0; 16 * 1024];
            match harness::read_some(&mut self.stream, &mut chunk) {
                Ok(0) => {
                    self.closed = true;
                    return Ok(None);
                }
                Ok(count) => self.input.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                    self.closed = true;
                    return Ok(None);
                }
                Err(error) => bail!("no answer: {error}"),
            }
        }
    }
}

/// The messages of some steps, and how many ReadyForQuery answer them.
fn frames(steps: &[Step], form: Form, each: bool) -> Result<(BytesMut, usize)> {
    let mut out = BytesMut::new();
    let mut ready = 0;
    let format = i16::from(form == Form::Binary);
    let bind = |portal: &str, name: &str, params: &[Option<String>], out: &mut BytesMut| -> Result<()> {
        let text = |value: &Option<String>, out: &mut BytesMut| match value {
            Some(value) => {
                out.extend_from_slice(value.as_bytes());
                Ok(IsNull::No)
            }
            None => Ok(IsNull::Yes),
        };
        if frontend::bind(portal, name, [0], params, text, [format], out).is_err() {
            bail!("the statement cannot be bound");
        }
        Ok(())
    };
    for step in steps {
        match step {
            Step::Sql(statement) if form == Form::Simple => frontend::query(&statement.text, &mut out)?,
            Step::Sql(statement) => {
                frontend::parse("", &statement.text, [], &mut out)?;
                if form == Form::Described {
                    frontend::describe(b'S', "", &mut out)?;
                }
                bind("", "", &statement.params, &mut out)?;
                if form != Form::Blind {
                    frontend::describe(b'P', "", &mut out)?;
                }
                match statement.limit {
                    Some(limit) => (0..3).try_for_each(|_| frontend::execute("", limit, &mut out))?,
                    None => frontend::execute("", 0, &mut out)?,
                }
            }
            Step::Parse(name, text) => {
                frontend::parse(name, text, [], &mut out)?;
                frontend::describe(b'S', name, &mut out)?;
            }
            Step::Execute(name, params) => {
                bind("", name, params, &mut out)?;
                frontend::execute("", 0, &mut out)?;
            }
            Step::Bind(portal, name, params) => bind(portal, name, params, &mut out)?,
            Step::Portal(portal, limit) => frontend::execute(portal, *limit, &mut out)?,
            Step::Call(oid, arguments) => {
                let mut body =
                    oid.parse::<u32>().context("the function of a call is not resolved")?.to_be_bytes().to_vec();
                body.extend(0i16.to_be_bytes());
                body.extend(i16::try_from(arguments.len())?.to_be_bytes());
                for argument in arguments {
                    body.extend(i32::try_from(argument.len())?.to_be_bytes());
                    body.extend(argument.as_bytes());
                }
                body.extend(format.to_be_bytes());
                frame(b'F', &body, &mut out)?;
            }
            Step::Raw(tag, body) => frame(*tag, body, &mut out)?,
        }
        let alone = matches!(step, Step::Call(..) | Step::Raw(b'Q', _))
            || (form == Form::Simple && matches!(step, Step::Sql(_)));
        if alone {
            ready += 1;
        } else if each {
            frontend::sync(&mut out);
            ready += 1;
        }
    }
    if !each {
        frontend::sync(&mut out);
        ready += 1;
    }
    Ok((out, ready))
}

fn frame(tag: u8, body: &[u8], out: &mut BytesMut) -> Result<()> {
    out.extend_from_slice(&[tag]);
    out.extend_from_slice(&u32::try_from(body.len() + 4)?.to_be_bytes());
    out.extend_from_slice(body);
    Ok(())
}

impl Message {
    /// A DataRow's cells.
    pub(crate) fn cells(&self) -> Vec<Option<Vec<u8>>> {
        let mut rest = self.body.get(2..).unwrap_or_default();
        let mut cells = Vec::new();
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let length = i32::from_be_bytes(*length);
            let Some((cell, after)) = after.split_at_checked(usize::try_from(length).unwrap_or(0)) else { break };
            cells.push((length >= 0).then(|| cell.to_vec()));
            rest = after;
        }
        cells
    }

    /// A field of an ErrorResponse or NoticeResponse.
    pub(crate) fn field(&self, wanted: u8) -> Option<String> {
        let texts = self.body.split(|byte| *byte == 0);
        texts
            .filter_map(|text| text.split_first())
            .find(|(field, _)| **field == wanted)
            .map(|(_, text)| String::from_utf8_lossy(text).into_owned())
    }

    /// Whether this is a refusal of the gateway's own: what a server says names its source file. A setting that it does
    /// not take at the start is one as well.
    pub(crate) fn refuses(&self) -> bool {
        let (code, severity) = (self.field(b'C').unwrap_or_default(), self.field(b'V').unwrap_or_default());
        let refusal = code == "42501" || (code == "22023" && severity == "FATAL");
        self.tag == b'E' && refusal && self.field(b'F').is_none()
    }

    /// This message for a person.
    pub(crate) fn show(&self) -> String {
        match self.tag {
            b'E' | b'N' => format!(
                "{}({} {})",
                char::from(self.tag),
                self.field(b'C').unwrap_or_default(),
                self.field(b'M').unwrap_or_default()
            ),
            b'D' => {
                let cells = self.cells().into_iter().map(|cell| show(cell.as_deref()));
                format!("D({})", cells.collect::<Vec<_>>().join("|"))
            }
            _ => format!("{}({})", char::from(self.tag), show(Some(&self.body))),
        }
    }
}

/// A value for a person.
pub(crate) fn show(value: Option<&[u8]>) -> String {
    match value {
        None => "NULL".to_owned(),
        Some(value) => value.escape_ascii().to_string().chars().take(160).collect(),
    }
}
