//! What sessions, commands and days are called in recordings and in file names.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::EXTENSION;

/// A session's id: sorts by time, safe as a file name. `20260131T235959.123456-0123456789abcdef`, UTC.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct SessionId(pub(crate) Arc<str>);

/// A text is no session's id.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("not a session id; `sluice sessions` lists them")]
pub struct NotASessionId;

impl SessionId {
    /// A new one: the time, and random digits so that no two are the same.
    #[expect(clippy::new_without_default, reason = "a default is always the same, an id never")]
    pub fn new() -> Self {
        let now = chrono::Utc::now();
        // The standard library's hasher is seeded by the kernel, and differently for each instance.
        let random = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), now.timestamp_nanos_opt());
        SessionId(format!("{}-{random:016x}", now.format("%Y%m%dT%H%M%S%.6f")).into())
    }

    /// The day in whose folder its recording is.
    pub(super) fn day(&self) -> Day {
        let part = |range| self.0.get(range).unwrap_or_default();
        Day(format!("{}-{}-{}", part(0..4), part(4..6), part(6..8)).into())
    }

    /// Where its recording is below the recordings' folder.
    pub fn file(&self, recordings: &Path) -> PathBuf {
        recordings.join(&*self.day().0).join(format!("{self}.{EXTENSION}"))
    }

    /// Of a recording's path, by its file name.
    pub(super) fn of(recording: &Path) -> Option<Self> {
        recording.file_stem()?.to_str()?.parse().ok()
    }
}

impl FromStr for SessionId {
    type Err = NotASessionId;

    fn from_str(text: &str) -> Result<Self, NotASessionId> {
        let shape = b"dddddddd.dddddd.dddddd-xxxxxxxxxxxxxxxx";
        let fits = |(have, want): (u8, &u8)| match want {
            b'd' => have.is_ascii_digit(),
            b'x' => have.is_ascii_digit() || (b'a'..=b'f').contains(&have),
            b'-' => have == b'-',
            _ => have == b'T' || have == b'.',
        };
        if text.len() == shape.len() && text.bytes().zip(shape).all(fits) {
            Ok(SessionId(text.into()))
        } else {
            Err(NotASessionId)
        }
    }
}

impl TryFrom<String> for SessionId {
    type Error = NotASessionId;

    fn try_from(text: String) -> Result<Self, NotASessionId> {
        text.parse()
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A day of UTC, and the name of its folder: `2026-01-31`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Day(Arc<str>);

/// A text is no day.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("not a day: write 2026-01-31")]
pub struct NotADay;

impl Day {
    /// The one that is now.
    pub(super) fn today() -> Self {
        Day(chrono::Utc::now().format("%Y-%m-%d").to_string().into())
    }

    /// Of a folder, by its name.
    pub(super) fn of(folder: &Path) -> Option<Self> {
        folder.file_name()?.to_str()?.parse().ok()
    }

    /// Its folder below the recordings' folder.
    pub(super) fn folder(&self, recordings: &Path) -> PathBuf {
        recordings.join(&*self.0)
    }
}

impl FromStr for Day {
    type Err = NotADay;

    fn from_str(text: &str) -> Result<Self, NotADay> {
        let fits = |(have, want): (u8, &u8)| if *want == b'd' { have.is_ascii_digit() } else { have == *want };
        let shape = b"dddd-dd-dd";
        let fits = text.len() == shape.len() && text.bytes().zip(shape).all(fits);
        if fits { Ok(Day(text.into())) } else { Err(NotADay) }
    }
}

impl TryFrom<String> for Day {
    type Error = NotADay;

    fn try_from(text: String) -> Result<Self, NotADay> {
        text.parse()
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A command's number within its session, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CommandId(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_are_read_back() {
        let first = SessionId::new();
        std::thread::sleep(std::time::Duration::from_millis(2));
        let second = SessionId::new();
        assert!(first < second);
        assert_eq!(first.to_string().parse::<SessionId>().unwrap(), first);
        assert_eq!(first.file(Path::new("/r")).parent().and_then(Path::file_name).unwrap().len(), 10);
        for bad in [
            "",
            "../../etc/passwd",
            "20260131T235959.123456-0123456789abcdeF",
            "20260131T235959/123456-0123456789abcdef",
        ] {
            assert!(bad.parse::<SessionId>().is_err(), "{bad}");
        }
    }
}
