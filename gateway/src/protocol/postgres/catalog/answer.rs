//! How questions are asked over the wire, and how their answers are taken.

use bytes::{BufMut as _, BytesMut};

use crate::protocol::postgres::reply::{frame, put_text};

/// A row of an answer in text format.
pub(in crate::protocol::postgres) type Row = Vec<Option<String>>;

/// The messages that ask every question, in one transaction where there is none. `name` is what statement and portal are
/// called meanwhile: the client's own unnamed ones stay as they are.
pub(in crate::protocol::postgres) fn ask<S: AsRef<str>>(name: &str, questions: &[S], out: &mut BytesMut) {
    let close = |out: &mut BytesMut, of: u8| {
        frame(out, b'C', |body| {
            body.put_u8(of);
            put_text(body, name);
        });
    };
    // What failed within the client's transaction is still there, also after that failure: no other could have its name.
    close(out, b'P');
    close(out, b'S');
    for question in questions {
        frame(out, b'P', |body| {
            put_text(body, name);
            put_text(body, question.as_ref());
            body.put_u16(0);
        });
        frame(out, b'B', |body| {
            put_text(body, name);
            put_text(body, name);
            // Parameters and results in text, and no parameter.
            body.put_slice(&[0; 6]);
        });
        frame(out, b'E', |body| {
            put_text(body, name);
            body.put_u32(0);
        });
        close(out, b'P');
        close(out, b'S');
    }
    frame(out, b'S', |_| {});
}

/// What a message and each of its values take beside their bytes: a server may send many that hold nothing.
const OVERHEAD: usize = 64;

/// The largest answer to one [`ask`], in bytes.
const MAX_ANSWER: usize = 256 * 1024 * 1024;

/// The answers to one [`ask`] as they come.
#[derive(Debug, Default)]
pub(in crate::protocol::postgres) struct Answering {
    answers: Vec<Vec<Row>>,
    rows: Vec<Row>,
    size: usize,
    damaged: bool,
    failed: Option<String>,
}

/// Every answer, in the order of the questions.
#[derive(Debug, Default)]
pub(in crate::protocol::postgres) struct Answered {
    pub(in crate::protocol::postgres) answers: std::collections::VecDeque<Vec<Row>>,
    /// Whether a value was not UTF-8: its row is left out.
    pub(in crate::protocol::postgres) damaged: bool,
}

impl Answered {
    /// The next answer.
    pub(in crate::protocol::postgres) fn next(&mut self) -> Vec<Row> {
        self.answers.pop_front().unwrap_or_default()
    }

    /// The only value of the next answer.
    pub(in crate::protocol::postgres) fn value(&mut self) -> Option<String> {
        self.next().into_iter().next()?.into_iter().next()?
    }
}

/// SQLSTATE lock_not_available: `lock_timeout` is over.
pub(in crate::protocol::postgres) const LOCK_NOT_AVAILABLE: &str = "55P03";

/// What a message of the server's is.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::protocol::postgres) enum Taken {
    /// A part of the answers.
    Part,
    /// The end of them, and the transaction's status.
    End(u8),
    /// Nothing that answers.
    Other,
}

/// The answers cannot be had.
#[derive(Debug, thiserror::Error)]
pub(in crate::protocol::postgres) enum AskError {
    /// The server's own words, by their code.
    #[error("SQLSTATE {0}")]
    Server(String),
    /// It is no protocol.
    #[error("the server's answer is malformed")]
    Malformed,
    /// There is too much of it.
    #[error("the answer is too large")]
    TooLarge,
}

impl Answering {
    /// Takes a whole message.
    pub(in crate::protocol::postgres) fn take(&mut self, tag: u8, body: &[u8]) -> Result<Taken, AskError> {
        let values = body.first_chunk().map_or(0, |count| usize::from(u16::from_be_bytes(*count)));
        let values = if tag == b'D' { values } else { 0 };
        let overhead = OVERHEAD.saturating_mul(values.saturating_add(1));
        self.size = self.size.saturating_add(body.len()).saturating_add(overhead);
        if self.size > MAX_ANSWER {
            return Err(AskError::TooLarge);
        }
        match tag {
            b'D' => match row(body).ok_or(AskError::Malformed)? {
                Some(row) => self.rows.push(row),
                None => self.damaged = true,
            },
            b'C' | b'I' => self.answers.push(std::mem::take(&mut self.rows)),
            b'E' => {
                self.failed.get_or_insert_with(|| code(body));
            }
            b'1' | b'2' | b'3' | b'T' | b'n' => {}
            b'Z' => return Ok(Taken::End(*body.first().ok_or(AskError::Malformed)?)),
            _ => return Ok(Taken::Other),
        }
        Ok(Taken::Part)
    }

    /// What came of it.
    pub(in crate::protocol::postgres) fn end(self) -> Result<Answered, AskError> {
        match self.failed {
            Some(code) => Err(AskError::Server(code)),
            None => Ok(Answered { answers: self.answers.into(), damaged: self.damaged }),
        }
    }
}

/// The SQLSTATE of an ErrorResponse.
fn code(body: &[u8]) -> String {
    let field = body.split(|byte| *byte == 0).find_map(|field| field.strip_prefix(b"C"));
    let valid = field.filter(|code| code.len() == 5 && code.iter().all(u8::is_ascii_alphanumeric));
    valid.map(|code| String::from_utf8_lossy(code).into_owned()).unwrap_or_default()
}

/// A DataRow; `None`: malformed, `Some(None)`: a value that is not UTF-8.
fn row(body: &[u8]) -> Option<Option<Row>> {
    let (count, mut rest) = body.split_first_chunk::<2>()?;
    let mut row = Vec::new();
    for _ in 0..u16::from_be_bytes(*count) {
        let (length, after) = rest.split_first_chunk::<4>()?;
        rest = after;
        let value = match i32::from_be_bytes(*length) {
            -1 => None,
            length => {
                let (value, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
                rest = after;
                match std::str::from_utf8(value) {
                    Ok(text) => Some(text.to_owned()),
                    Err(_) => return Some(None),
                }
            }
        };
        row.push(value);
    }
    Some(Some(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_taken_apart_by_question() {
        let mut answering = Answering::default();
        let data = |value: &[u8]| {
            let mut body = vec![0, 1];
            body.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
            body.extend(value);
            body
        };
        for (tag, body) in [(b'1', vec![]), (b'2', vec![]), (b'D', data(b"a")), (b'C', vec![]), (b'D', data(b"b"))] {
            assert_eq!(answering.take(tag, &body).unwrap(), Taken::Part);
        }
        assert_eq!(answering.take(b'D', &data(b"\xff")).unwrap(), Taken::Part);
        assert_eq!(answering.take(b'C', b"").unwrap(), Taken::Part);
        assert_eq!(answering.take(b'S', b"x\0y\0").unwrap(), Taken::Other);
        assert_eq!(answering.take(b'Z', b"I").unwrap(), Taken::End(b'I'));
        let mut answered = answering.end().unwrap();
        assert!(answered.damaged);
        assert_eq!(answered.value().as_deref(), Some("a"));
        assert_eq!(answered.next(), [vec![Some("b".to_owned())]]);
        let mut growing = Answering::default();
        let empty = [&[0xff, 0xff][..], &[0xff; 4 * 0xffff]].concat();
        let taken = (0..MAX_ANSWER / (0xffff * OVERHEAD) + 1).try_for_each(|_| growing.take(b'D', &empty).map(drop));
        assert!(matches!(taken, Err(AskError::TooLarge)), "values that are NULL take room too");
        let mut failing = Answering::default();
        failing.take(b'E', b"SERROR\0C42P01\0Mno\0\0").unwrap();
        assert_eq!(failing.end().unwrap_err().to_string(), "SQLSTATE 42P01");
        for bad in [&b""[..], b"\0", b"\0\x01", b"\0\x01\0\0\0\x05a"] {
            assert!(Answering::default().take(b'D', bad).is_err(), "{bad:?}");
        }
    }
}
