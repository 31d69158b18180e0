//! Frames and hashes: how entries are appended to a chain, and how a chain is read from a file that nobody trusts.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::entry::{Body, Entry};

/// The largest entry, in bytes: a statement of 16 MiB and what is said of it.
const MAX_ENTRY: usize = 24 * 1024 * 1024;

/// Where a chain stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// How many entries it has.
    pub entries: u64,
    /// The hash of the last; zeros where there is none.
    pub hash: [u8; 32],
}

impl Head {
    /// Appends an entry's frame to `out`.
    ///
    /// # Errors
    /// It is larger than an entry can be; nothing was appended.
    pub(super) fn append(&mut self, body: Body<'_>, out: &mut Vec<u8>) -> Result<(), TooLarge> {
        let entry = Entry { sequence: self.entries, previous: self.hash, at: now(), body };
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        let encoded = ciborium::into_writer(&entry, &mut *out);
        let from = start.saturating_add(4);
        let length = out.len().saturating_sub(from);
        let header = u32::try_from(length).ok().filter(|_| encoded.is_ok() && length <= MAX_ENTRY);
        let (Some(header), Some(place)) = (header, out.get_mut(start..from)) else {
            out.truncate(start);
            return Err(TooLarge);
        };
        place.copy_from_slice(&header.to_be_bytes());
        self.hash = *blake3::hash(out.get(from..).unwrap_or_default()).as_bytes();
        self.entries = self.entries.saturating_add(1);
        Ok(())
    }
}

/// An entry is larger than one can be.
#[derive(Clone, Copy, Debug)]
pub(super) struct TooLarge;

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// Where a chain breaks.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It ends within an entry: a write that did not come to its end, or a cut.
    #[error("is cut within entry {0}")]
    Cut(u64),
    /// What stands there is no entry.
    #[error("entry {0} is not an entry: it was changed, or this is no recording")]
    Garbled(u64),
    /// An entry does not name the one before it.
    #[error("entry {0} does not follow the one before it: one of them was changed, moved or removed")]
    Unchained(u64),
}

/// Reads a chain entry by entry and checks that each follows the one before.
#[derive(Debug)]
pub struct Reader<R> {
    source: R,
    head: Head,
    /// Bytes of the entries that were read.
    length: u64,
    buffer: Vec<u8>,
}

impl Reader<BufReader<File>> {
    /// Of a file. What is no regular file is an error, and never waited for: a pipe could be in its place.
    ///
    /// # Errors
    /// It cannot be opened, or is no regular file.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("is not a regular file"));
        }
        Ok(Reader::new(BufReader::new(file)))
    }
}

impl<R: Read> Reader<R> {
    /// From its beginning.
    pub fn new(source: R) -> Self {
        Reader { source, head: Head::default(), length: 0, buffer: Vec::new() }
    }

    /// The chain up to the entry that was read last.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// How many bytes the entries up to there take: where a torn one begins.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The next entry; `None` at the end.
    ///
    /// # Errors
    /// The chain breaks here; what came before is as it was written.
    pub fn next_entry(&mut self) -> Result<Option<Entry<'static>>, Broken> {
        let number = self.head.entries;
        let mut header = [0; 4];
        match read_full(&mut self.source, &mut header)? {
            0 => return Ok(None),
            4 => {}
            _ => return Err(Broken::Cut(number)),
        }
        let length = usize::try_from(u32::from_be_bytes(header)).unwrap_or(usize::MAX);
        if length > MAX_ENTRY {
            return Err(Broken::Garbled(number));
        }
        self.buffer.clear();
        // Grows by what is there, not by what the header claims.
        let limit = u64::try_from(length).unwrap_or(u64::MAX);
        let read = self.source.by_ref().take(limit).read_to_end(&mut self.buffer)?;
        if read < length {
            // Part of an entry is none: where one is whole, its length was changed to hide what follows.
            return Err(if decode(&self.buffer).is_some() { Broken::Garbled(number) } else { Broken::Cut(number) });
        }
        if length == 0 && rest_is_zeros(&mut self.source)? {
            // A file system may keep the length of a write that it lost.
            return Err(Broken::Cut(number));
        }
        let entry = decode(&self.buffer).ok_or(Broken::Garbled(number))?;
        if entry.sequence != number || entry.previous != self.head.hash {
            return Err(Broken::Unchained(number));
        }
        self.head = Head { entries: number.saturating_add(1), hash: *blake3::hash(&self.buffer).as_bytes() };
        self.length = self.length.saturating_add(limit).saturating_add(4);
        Ok(Some(entry))
    }
}

/// Entries are a few levels deep; a bomb of nested arrays is not one.
fn decode(bytes: &[u8]) -> Option<Entry<'static>> {
    ciborium::de::from_reader_with_recursion_limit(bytes, 32).ok()
}

fn rest_is_zeros(source: &mut impl Read) -> io::Result<bool> {
    let mut some = [0; 4096];
    loop {
        let read = read_full(source, &mut some)?;
        match some.get(..read) {
            None | Some([]) => return Ok(true),
            Some(bytes) if bytes.iter().any(|byte| *byte != 0) => return Ok(false),
            Some(_) => {}
        }
    }
}

/// Reads until `buffer` is full or the source ends; how much.
fn read_full(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match source.read(rest) {
            Ok(0) => break,
            Ok(n) => filled = filled.saturating_add(n),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chain(notes: &[&str]) -> Vec<u8> {
        let (mut head, mut out) = (Head::default(), Vec::new());
        for note in notes {
            head.append(Body::Note { text: (*note).into() }, &mut out).unwrap();
        }
        out
    }

    fn read(bytes: &[u8]) -> Result<u64, Broken> {
        let mut reader = Reader::new(bytes);
        while reader.next_entry()?.is_some() {}
        Ok(reader.head().entries)
    }

    #[test]
    fn a_chain_is_read_back() {
        assert_eq!(read(&chain(&["a", "b", "c"])).unwrap(), 3);
        assert_eq!(read(&[]).unwrap(), 0);
    }

    #[test]
    fn every_cut_and_every_removal_shows() {
        let whole = chain(&["one", "two", "three"]);
        let ends = [chain(&["one"]).len(), chain(&["one", "two"]).len()];
        for cut in 1..whole.len() {
            let said = read(&whole[..cut]);
            assert_eq!(said.is_ok(), ends.contains(&cut), "{cut}: only between entries is it not seen here");
        }
        let mut without = whole[..ends[0]].to_vec();
        without.extend_from_slice(&whole[ends[1]..]);
        assert!(matches!(read(&without), Err(Broken::Unchained(1))));
    }

    #[test]
    fn a_write_that_was_lost_is_a_cut_and_a_longer_length_is_not() {
        let mut lost = chain(&["one"]);
        lost.extend_from_slice(&[0; 5000]);
        assert!(matches!(read(&lost), Err(Broken::Cut(1))));
        lost.push(1);
        assert!(matches!(read(&lost), Err(Broken::Garbled(1))));
        // What would have everything behind it taken for one torn entry.
        let mut hiding = chain(&["one", "two", "three"]);
        hiding[2] = 0xff;
        assert!(matches!(read(&hiding), Err(Broken::Garbled(0))));
    }

    proptest! {
        #[test]
        fn a_changed_byte_shows(at in 0usize..200, bit in 0u8..8) {
            let whole = chain(&["one", "two", "three"]);
            let last = whole.len() - chain(&["one", "two"]).len();
            let at = at % (whole.len() - last);
            let mut changed = whole;
            changed[at] ^= 1 << bit;
            prop_assert!(read(&changed).is_err());
        }

        #[test]
        fn anything_can_be_read(bytes: Vec<u8>) {
            let _ = read(&bytes);
        }
    }
}
