//! What the entries of a recording and of a day's index hold.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::chain::Head;
use super::{CommandId, Day, SessionId};
use crate::access::{Effect, Name};
use crate::mask::Mask;

/// The form that this program writes, in each chain's first entry.
pub const FORMAT: &str = "sluice-recording/3";

/// How a session began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// Its id.
    pub id: SessionId,
    /// Who called.
    pub workload: Name,
    /// The groups the workload was in.
    pub groups: Vec<Name>,
    /// Whether verdicts were only recorded.
    pub observe: bool,
    /// What it reached; absent: a destination that is no resource.
    pub resource: Option<Name>,
    /// Where it called from.
    pub client: SocketAddr,
    /// Where it wanted to go.
    pub destination: SocketAddr,
    /// Where the gateway went instead.
    pub upstream: Vec<SocketAddr>,
    /// Thread group id of the caller.
    pub pid: u32,
    /// Its user id.
    pub uid: u32,
    /// Inode number of its cgroup.
    pub cgroup: u64,
    /// Cookie of its network namespace.
    pub netns: u64,
    /// When it was accepted.
    pub started: SystemTime,
}

/// How a forwarded command ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The server's command tag, `SELECT 3`; empty where there was none.
    pub tag: String,
    /// Rows that reached the workload.
    pub rows: u64,
    /// Bytes of results that reached the workload.
    pub bytes: u64,
    /// The server's SQLSTATE where it failed.
    pub error: Option<String>,
    /// How many of the rows' values were masked.
    pub masked: u64,
}

/// A command as the guard records it; its text is already free of sensitive values.
#[derive(Clone, Debug)]
pub struct CommandEntry<'a> {
    /// Its number.
    pub id: CommandId,
    /// `statement`, `operation` or `connect`.
    pub kind: &'static str,
    /// What was asked.
    pub text: &'a str,
    /// The same for texts that differ in literals only; empty where there is none.
    pub fingerprint: &'a str,
    /// What it does.
    pub effects: &'a [Touched],
    /// Values of bound parameters; absent: NULL.
    pub parameters: &'a [Option<Cow<'a, str>>],
    /// `forward`, `block`, `hold` or `observe`; `direct`: it went by while no daemon ran.
    pub verdict: &'static str,
    /// Why it was not forwarded, or would not have been.
    pub reason: Option<&'a str>,
    /// The policies behind the verdict.
    pub policies: &'a [Name],
    /// Objects and their masks.
    pub masks: &'a [(String, Mask)],
    /// Whether a transaction block was open.
    pub in_transaction: bool,
}

/// An action on an object, as recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touched {
    /// The action's name.
    pub action: String,
    /// The object's id without its resource; empty: the resource itself.
    pub object: String,
}

impl From<&Effect> for Touched {
    fn from(effect: &Effect) -> Self {
        Touched {
            action: effect.action.as_str().to_owned(),
            object: effect.object.id("").trim_start_matches('/').to_owned(),
        }
    }
}

/// One entry's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Body<'a> {
    /// The first of a recording.
    Opened {
        /// [`FORMAT`].
        format: Cow<'a, str>,
        /// How it began.
        session: Opened,
    },
    /// A command and its verdict, written before it is forwarded.
    Command {
        /// Its number.
        id: CommandId,
        /// `statement`, `operation` or `connect`.
        kind: Cow<'a, str>,
        /// What was asked.
        text: Cow<'a, str>,
        /// The same for texts that differ in literals only.
        fingerprint: Cow<'a, str>,
        /// What it does.
        effects: Cow<'a, [Touched]>,
        /// Values of bound parameters.
        parameters: Cow<'a, [Option<Cow<'a, str>>]>,
        /// `forward`, `block`, `hold` or `observe`; `direct`: it went by while no daemon ran.
        verdict: Cow<'a, str>,
        /// Why it was not forwarded.
        reason: Option<Cow<'a, str>>,
        /// The policies behind the verdict.
        policies: Cow<'a, [Name]>,
        /// Objects and their masks.
        masks: Cow<'a, [(String, Mask)]>,
        /// Whether a transaction block was open.
        in_transaction: bool,
    },
    /// A command that is an earlier one of this recording but for its parameters: one of the last that were recorded whole.
    Again {
        /// Its number.
        id: CommandId,
        /// That one's.
        of: CommandId,
        /// Values of bound parameters.
        parameters: Cow<'a, [Option<Cow<'a, str>>]>,
        /// Whether a transaction block was open.
        in_transaction: bool,
    },
    /// How a forwarded command ended.
    Finished {
        /// Its number.
        id: CommandId,
        /// How.
        outcome: Cow<'a, Outcome>,
    },
    /// Something that an auditor has to know.
    Note {
        /// In words.
        text: Cow<'a, str>,
    },
    /// The last of a recording.
    Closed {
        /// How many commands there were.
        commands: u64,
    },
    /// In an index: the first of a day.
    Day {
        /// [`FORMAT`].
        format: Cow<'a, str>,
        /// Which.
        day: Day,
        /// The index that was written before, as far as it was then; absent in the first of a node.
        before: Option<Mark>,
    },
    /// In an index: a daemon began to write. Every recording that an earlier one left is settled.
    Started {
        /// The daemon's version.
        version: Cow<'a, str>,
    },
    /// In an index: that of another day has grown since.
    Grown {
        /// To where.
        mark: Mark,
    },
    /// In an index: a recording was begun.
    Begun {
        /// Which.
        id: SessionId,
        /// The hash of its first entry.
        #[serde(with = "serde_bytes32")]
        first: [u8; 32],
    },
    /// In an index: a recording was sealed.
    Sealed {
        /// Which.
        id: SessionId,
        /// How many entries it has.
        entries: u64,
        /// The hash of its last entry.
        #[serde(with = "serde_bytes32")]
        last: [u8; 32],
    },
    /// In an index: a recording ended without being closed; nothing is written to it any more.
    Abandoned {
        /// Which.
        id: SessionId,
        /// How many whole entries it has.
        entries: u64,
        /// The hash of the last of them.
        #[serde(with = "serde_bytes32")]
        last: [u8; 32],
        /// How many bytes of an entry that was not wholly written follow.
        torn: u64,
        /// Why.
        reason: Cow<'a, str>,
    },
}

/// How far a day's index had come at some time. Whoever keeps one elsewhere can tell later whether anything up to it
/// was removed. Written `DAY/ENTRIES/HASH`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Whose index.
    pub day: Day,
    /// How many entries it had.
    pub entries: u64,
    /// The hash of the last of them.
    #[serde(with = "serde_bytes32")]
    pub hash: [u8; 32],
}

impl Mark {
    pub(super) fn new(day: &Day, head: &Head) -> Self {
        Mark { day: day.clone(), entries: head.entries, hash: head.hash }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.day, self.entries, blake3::Hash::from_bytes(self.hash).to_hex())
    }
}

/// A text is no mark.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("not a mark: write DAY/ENTRIES/HASH, as the daemon's log and `sluice verify` print it")]
pub struct NotAMark;

impl FromStr for Mark {
    type Err = NotAMark;

    fn from_str(text: &str) -> Result<Self, NotAMark> {
        let mut parts = text.split('/');
        let mut part = || parts.next().ok_or(NotAMark);
        let (day, entries, hash) = (part()?, part()?, part()?);
        let hash = blake3::Hash::from_hex(hash).map_err(|_| NotAMark)?;
        let (day, entries) = (day.parse().map_err(|_| NotAMark)?, entries.parse().map_err(|_| NotAMark)?);
        match parts.next() {
            None => Ok(Mark { day, entries, hash: *hash.as_bytes() }),
            Some(_) => Err(NotAMark),
        }
    }
}

/// An entry: its place in the chain, when, and what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry<'a> {
    /// Its number, from 0.
    pub sequence: u64,
    /// BLAKE3 of the entry before; zeros in the first.
    #[serde(with = "serde_bytes32")]
    pub previous: [u8; 32],
    /// Microseconds since 1970, UTC.
    pub at: u64,
    /// What.
    pub body: Body<'a>,
}

/// Hashes as CBOR byte strings.
mod serde_bytes32 {
    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(hash: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(hash)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        struct Hash;
        impl Visitor<'_> for Hash {
            type Value = [u8; 32];

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("32 bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<[u8; 32], E> {
                bytes.try_into().map_err(|_| E::invalid_length(bytes.len(), &self))
            }
        }
        deserializer.deserialize_bytes(Hash)
    }
}
