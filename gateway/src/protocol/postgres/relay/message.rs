//! Messages of an established session: their frames within a buffer, and the fields of those that the relay reads.

use bytes::{Buf, BytesMut};

use crate::protocol::postgres::wire::FRAME_HEADER;

/// The largest message that the relay has to have whole: a statement, a portal's parameters, a row under a mask. In bytes.
pub(super) const MAX_WHOLE: usize = 64 * 1024 * 1024;

/// A peer broke the protocol; the text says how.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Malformed(pub(super) &'static str);

/// What PostgreSQL keeps of a name, in bytes (NAMEDATALEN - 1).
const MAX_NAME: usize = 63;

/// Names of the gateway's own statements and portals begin so.
pub(super) const OWN_NAMES: &str = "sluice gateway";

/// Whether two names that a client gives to statements or portals are one to the server only if they are one here: it cuts what is longer,
/// and translates what is not ASCII from the client's encoding.
pub(super) fn is_usable_name(name: &[u8]) -> bool {
    name.len() <= MAX_NAME && name.is_ascii() && !name.starts_with(OWN_NAMES.as_bytes())
}

/// The head of the next message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) tag: u8,
    /// With its header.
    pub(super) whole: usize,
}

/// The next message's head, once it is there.
pub(super) fn head(input: &[u8]) -> Result<Option<Head>, Malformed> {
    let Some(mut header) = input.get(..FRAME_HEADER) else { return Ok(None) };
    let tag = header.get_u8();
    let length = usize::try_from(header.get_u32()).unwrap_or(usize::MAX);
    // The protocol's lengths are signed.
    if length < 4 || length > usize::try_from(i32::MAX).unwrap_or(usize::MAX) {
        return Err(Malformed("invalid message length"));
    }
    Ok(Some(Head { tag, whole: length.saturating_add(1) }))
}

/// The fields of one message's body.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    /// Of a whole frame.
    pub(super) fn of(frame: &'a [u8]) -> Self {
        Fields(frame.get(FRAME_HEADER..).unwrap_or_default())
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(n).ok_or(Malformed("insufficient data left in message"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        self.take(1)?.first().copied().ok_or(Malformed("insufficient data left in message"))
    }

    pub(super) fn i16(&mut self) -> Result<i16, Malformed> {
        Ok(self.take(2)?.get_i16())
    }

    pub(super) fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(self.take(2)?.get_u16())
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(self.take(4)?.get_u32())
    }

    /// Up to a zero.
    pub(super) fn text(&mut self) -> Result<&'a [u8], Malformed> {
        let end = memchr::memchr(0, self.0).ok_or(Malformed("invalid string in message"))?;
        let text = self.take(end)?;
        self.take(1)?;
        Ok(text)
    }

    /// A value of a parameter or a column; `None`: NULL.
    pub(super) fn value(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        let length = self.take(4)?.get_i32();
        match usize::try_from(length) {
            Ok(length) => self.take(length).map(Some),
            Err(_) if length == -1 => Ok(None),
            Err(_) => Err(Malformed("invalid value length in message")),
        }
    }
}

/// A parameter of a Bind, kept for the recording.
#[derive(Clone, Debug)]
pub(super) enum Bound {
    Null,
    Text(Box<[u8]>),
    Binary(Box<[u8]>),
}

/// The most of one parameter that is kept, in bytes: the recording cuts it anyway.
const KEPT: usize = 4097;

/// The most parameters of one Bind that are kept.
const MAX_KEPT: usize = 256;

/// A Bind message.
#[derive(Debug)]
pub(super) struct Bind {
    pub(super) portal: Box<[u8]>,
    pub(super) statement: Box<[u8]>,
    pub(super) parameters: Vec<Bound>,
}

impl Bind {
    /// How many bytes its kept parameters take.
    pub(super) fn size(&self) -> usize {
        let one = |bound: &Bound| match bound {
            Bound::Null => 0,
            Bound::Text(bytes) | Bound::Binary(bytes) => bytes.len(),
        };
        self.parameters.iter().map(|bound| one(bound).saturating_add(size_of::<Bound>())).sum()
    }

    pub(super) fn parse(frame: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::of(frame);
        let (portal, statement) = (fields.text()?.into(), fields.text()?.into());
        let formats: Vec<i16> = (0..fields.u16()?).map(|_| fields.i16()).collect::<Result<_, _>>()?;
        let mut parameters = Vec::new();
        for number in 0..usize::from(fields.u16()?) {
            let value = fields.value()?;
            if number >= MAX_KEPT {
                continue;
            }
            let binary = match formats.as_slice() {
                [] => false,
                [one] => *one != 0,
                many => many.get(number).is_some_and(|format| *format != 0),
            };
            parameters.push(match value {
                None => Bound::Null,
                Some(value) => {
                    let kept = value.get(..KEPT).unwrap_or(value).into();
                    if binary { Bound::Binary(kept) } else { Bound::Text(kept) }
                }
            });
        }
        for _ in 0..fields.u16()? {
            fields.i16()?;
        }
        Ok(Bind { portal, statement, parameters })
    }
}

/// Takes a whole message off the front of a buffer that holds it.
pub(super) fn split(input: &mut BytesMut, head: Head) -> BytesMut {
    input.split_to(head.whole.min(input.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bind_is_read_as_the_protocol_lays_it_out() {
        let mut frame = vec![b'B', 0, 0, 0, 0];
        frame.extend_from_slice(b"p\0s\0");
        frame.extend_from_slice(&[0, 2, 0, 0, 0, 1, 0, 3]);
        frame.extend_from_slice(&[0, 0, 0, 1, b'7', 0, 0, 0, 2, 1, 2, 0xff, 0xff, 0xff, 0xff, 0, 1, 0, 1]);
        let bind = Bind::parse(&frame).unwrap();
        assert_eq!((&*bind.portal, &*bind.statement), (&b"p"[..], &b"s"[..]));
        assert!(
            matches!(&bind.parameters[..], [Bound::Text(a), Bound::Binary(b), Bound::Null] if **a == *b"7" && **b == [1, 2])
        );
        assert!(Bind::parse(&frame[..frame.len() - 1]).is_err());
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        assert_eq!(head(b"Q\0\0").unwrap(), None);
        assert_eq!(head(b"Q\0\0\0\x05").unwrap(), Some(Head { tag: b'Q', whole: 6 }));
        assert!(head(b"Q\0\0\0\x03").is_err() && head(b"Q\xff\xff\xff\xff").is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = (head(&bytes), Bind::parse(&bytes));
        }
    }
}
