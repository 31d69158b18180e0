//! Checks recordings against themselves, against their day's index, and the indexes against each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::chain::{Broken, Head, Reader};
use super::entry::Mark;
use super::index::{Contents, End, INDEX};
use super::leftover::{Extent, days, recordings};
use super::recordings::LOCK;
use super::{Day, EXTENSION, SessionId};

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Its chain breaks.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The index names it and it is not there.
    #[error("was removed: the day's index names it")]
    Removed,
    /// It is there and the index does not name it.
    #[error("is not in the day's index: it was put there, or the index was cut")]
    Unlisted,
    /// Its first entry is not the one that the index names.
    #[error("does not begin as the day's index says: it was replaced")]
    Replaced,
    /// The index says how it ended, and it ended otherwise.
    #[error("does not end as the day's index says: entries were removed or changed at its end")]
    Truncated,
    /// It is sealed and the index does not say so.
    #[error("is closed, and the day's index does not say so: the index was cut")]
    Unsealed,
    /// A folder without an index.
    #[error("has no index: it was removed")]
    NoIndex,
    /// An index that begins with something else than its day.
    #[error("is not the index of this day: it was moved or replaced")]
    OtherDay,
    /// A day is not there.
    #[error("was removed: {0} names its index")]
    DayRemoved(Witness),
    /// An index does not hold what it held.
    #[error("is not what it was: {0} says that it had come to {1}; entries were removed or changed")]
    Rewound(Witness, Mark),
    /// A folder of recordings holds something else.
    #[error("does not belong into a folder of recordings: it was put there")]
    Stray,
    /// A folder of recordings without a day.
    #[error("holds no day: all were removed, or this is no folder of recordings")]
    NoDays,
}

/// Who says how far an index had come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Witness {
    /// Another day's index.
    Index(Day),
    /// A mark that was kept elsewhere.
    Anchor,
}

impl std::fmt::Display for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Witness::Index(day) => write!(f, "the index of {day}"),
            Witness::Anchor => f.write_str("the anchor"),
        }
    }
}

/// What a check found.
#[derive(Debug, Default)]
pub struct Findings {
    /// Files with something wrong.
    pub faults: Vec<(PathBuf, Fault)>,
    /// Recordings that are whole and closed.
    pub sealed: u64,
    /// Recordings that are whole as far as their index says they came: something ended them before they were closed.
    pub abandoned: u64,
    /// Recordings that are whole so far and not closed: their session still runs, or the daemon ended under it.
    pub open: Vec<PathBuf>,
    /// Files that are written last and end within an entry: the daemon or the machine ended in the middle of a write.
    pub torn: Vec<PathBuf>,
    /// How far the newest index has come.
    pub newest: Option<Mark>,
}

/// What else is known.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// How far indexes had come, by who kept that elsewhere.
    pub anchors: Vec<Mark>,
    /// Days before this one are not missed: the operator has removed them.
    pub from: Option<Day>,
}

/// Checks a recording, a day's folder (one whose name is a day), or a folder of days. `progress` is told of each file
/// before it is read.
///
/// # Errors
/// `path` cannot be read at all.
pub fn verify(path: &Path, known: &Known, progress: &mut dyn FnMut(&Path)) -> io::Result<Findings> {
    // The name decides, not what is in it: an index that somebody put there would hide the days.
    let path = fs::canonicalize(path)?;
    let mut check = Check { findings: Findings::default(), marks: Vec::new(), progress };
    let root = match fs::metadata(&path)?.is_dir() {
        false => {
            let folder = path.parent().unwrap_or(Path::new("."));
            let contents = check.index(folder);
            check.recordings(folder, std::slice::from_ref(&path), contents.as_ref());
            return Ok(check.findings);
        }
        true => match Day::of(&path) {
            Some(_) => {
                check.day(&path)?;
                path.parent().unwrap_or(Path::new("/")).to_owned()
            }
            None => {
                check.root(&path, known)?;
                path.clone()
            }
        },
    };
    check.marks.extend(known.anchors.iter().map(|mark| (Witness::Anchor, mark.clone())));
    check.witnesses(&root, &path, known);
    Ok(check.findings)
}

struct Check<'a> {
    findings: Findings,
    /// How far indexes had come, and who says so.
    marks: Vec<(Witness, Mark)>,
    progress: &'a mut dyn FnMut(&Path),
}

impl Check<'_> {
    fn fault(&mut self, path: impl Into<PathBuf>, fault: impl Into<Fault>) {
        self.findings.faults.push((path.into(), fault.into()));
    }

    fn root(&mut self, root: &Path, known: &Known) -> io::Result<()> {
        for entry in fs::read_dir(root)? {
            let path = entry?.path();
            let belongs =
                path.file_name().is_some_and(|name| name == LOCK) || (path.is_dir() && Day::of(&path).is_some());
            if !belongs {
                self.fault(path, Fault::Stray);
            }
        }
        let days = days(root)?;
        for day in days.iter().filter(|day| known.from.as_ref().is_none_or(|from| *day >= from)) {
            self.day(&day.folder(root))?;
        }
        if days.is_empty() {
            self.fault(root, Fault::NoDays);
        }
        Ok(())
    }

    fn day(&mut self, folder: &Path) -> io::Result<()> {
        // Before the index: a recording is made, and then named.
        let files = recordings(folder)?;
        let contents = self.index(folder);
        self.recordings(folder, &files, contents.as_ref());
        for id in contents.iter().flat_map(|contents| contents.listed.keys()) {
            let file = folder.join(format!("{id}.{EXTENSION}"));
            if !file.exists() {
                self.fault(file, Fault::Removed);
            }
        }
        let Some(contents) = contents else { return Ok(()) };
        if let Some(day) = contents.day {
            let witness = Witness::Index(day.clone());
            self.marks.extend(contents.marks.into_iter().map(|mark| (witness.clone(), mark)));
            self.findings.newest = Some(Mark::new(&day, &contents.head));
        }
        Ok(())
    }

    /// A folder's index, as far as it is whole.
    fn index(&mut self, folder: &Path) -> Option<Contents> {
        let path = folder.join(INDEX);
        if !path.exists() {
            self.fault(path, Fault::NoIndex);
            return None;
        }
        let (contents, broken) = Contents::read(&path);
        match broken {
            None if contents.day != Day::of(folder) && contents.head.entries > 0 => self.fault(path, Fault::OtherDay),
            None => {}
            // What it said beyond is missed elsewhere: by the recordings, or by the next day's index.
            Some(Broken::Cut(_)) => self.findings.torn.push(path),
            Some(broken) => self.fault(path, broken),
        }
        Some(contents)
    }

    fn recordings(&mut self, folder: &Path, files: &[PathBuf], contents: Option<&Contents>) {
        let mut again = Vec::new();
        for file in files {
            (self.progress)(file);
            match judge(file, contents) {
                // It may have been named or sealed since the index was read.
                Err(Fault::Unlisted | Fault::Unsealed) => again.push(file),
                judged => self.judged(file, judged),
            }
        }
        if again.is_empty() {
            return;
        }
        let (contents, _) = Contents::read(&folder.join(INDEX));
        for file in again {
            let judged = judge(file, Some(&contents));
            self.judged(file, judged);
        }
    }

    fn judged(&mut self, file: &Path, judged: Result<State, Fault>) {
        let findings = &mut self.findings;
        match judged {
            Ok(State::Sealed) => findings.sealed = findings.sealed.saturating_add(1),
            Ok(State::Abandoned) => findings.abandoned = findings.abandoned.saturating_add(1),
            Ok(State::Open) => findings.open.push(file.to_owned()),
            Ok(State::Torn) => findings.torn.push(file.to_owned()),
            Err(fault) => self.fault(file, fault),
        }
    }

    /// Whether every index has been where others say that it was.
    fn witnesses(&mut self, root: &Path, path: &Path, known: &Known) {
        let mut by_day: BTreeMap<Day, Vec<(Witness, Mark)>> = BTreeMap::new();
        for (witness, mark) in std::mem::take(&mut self.marks) {
            by_day.entry(mark.day.clone()).or_default().push((witness, mark));
        }
        for (day, mut marks) in by_day {
            let folder = day.folder(root);
            let outside = known.from.as_ref().is_some_and(|from| day < *from);
            // A day's folder is checked by itself; anchors are meant for whatever they name.
            if outside || (root != path && folder != path) {
                continue;
            }
            marks.sort_by_key(|(_, mark)| mark.entries);
            if !folder.is_dir() {
                if let Some((witness, _)) = marks.pop() {
                    self.fault(folder, Fault::DayRemoved(witness));
                }
                continue;
            }
            let held = held(&folder.join(INDEX), marks.iter().map(|(_, mark)| mark.entries).collect());
            // The first that is not met says where it was changed.
            let missed = marks.into_iter().find(|(_, mark)| held.get(&mark.entries) != Some(&mark.hash));
            if let Some((witness, mark)) = missed {
                self.fault(folder.join(INDEX), Fault::Rewound(witness, mark));
            }
        }
    }
}

/// The hashes of an index after so many entries.
fn held(index: &Path, wanted: BTreeSet<u64>) -> BTreeMap<u64, [u8; 32]> {
    let mut held = BTreeMap::from([(0, Head::default().hash)]);
    let Ok(mut reader) = Reader::open(index) else { return held };
    while let Ok(Some(_)) = reader.next_entry() {
        let Head { entries, hash } = reader.head();
        if wanted.contains(entries) {
            held.insert(*entries, *hash);
        }
    }
    held
}

/// How a recording is that is as it was written.
enum State {
    Sealed,
    Abandoned,
    Open,
    Torn,
}

fn judge(path: &Path, contents: Option<&Contents>) -> Result<State, Fault> {
    let extent = Extent::of(path)?;
    let cut = || Fault::Broken(Broken::Cut(extent.head.entries));
    let Some(contents) = contents else {
        // Nobody says how it ended.
        return match (extent.closed, extent.torn) {
            (_, 1..) => Ok(State::Torn),
            (true, 0) => Ok(State::Sealed),
            (false, 0) => Ok(State::Open),
        };
    };
    let listed = SessionId::of(path).and_then(|id| contents.listed.get(&id)).ok_or(Fault::Unlisted)?;
    if extent.first != listed.first {
        return Err(Fault::Replaced);
    }
    match &listed.end {
        End::Sealed(_) if extent.torn > 0 => Err(cut()),
        End::Sealed(end) if *end == extent.head => Ok(State::Sealed),
        End::Abandoned(end, torn) if *end == extent.head && *torn == extent.torn => Ok(State::Abandoned),
        End::Sealed(_) | End::Abandoned(..) => Err(Fault::Truncated),
        End::Open if extent.torn > 0 => Ok(State::Torn),
        End::Open if extent.closed => Err(Fault::Unsealed),
        End::Open => Ok(State::Open),
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
