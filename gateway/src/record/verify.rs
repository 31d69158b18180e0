//! Checks recordings against themselves and against their day's index.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use super::chain::{Broken, Head, Reader};
use super::entry::Body;
use super::index::INDEX;
use super::{EXTENSION, SessionId};

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
}

/// What a check found.
#[derive(Debug, Default)]
pub struct Findings {
    /// Files with something wrong.
    pub faults: Vec<(PathBuf, Fault)>,
    /// Recordings that are whole and closed.
    pub sealed: u64,
    /// Recordings that are whole so far and not closed: their session still runs, or the daemon ended under it.
    pub open: Vec<PathBuf>,
}

#[derive(Debug)]
struct Listed {
    first: [u8; 32],
    end: Option<Head>,
}

/// Checks a recording, a day's folder, or all days of a folder. `progress` is told of each file before it is read.
///
/// # Errors
/// `path` cannot be read at all.
pub fn verify(path: &Path, progress: &mut dyn FnMut(&Path)) -> std::io::Result<Findings> {
    let mut findings = Findings::default();
    if fs::metadata(path)?.is_file() {
        let day = path.parent().unwrap_or(Path::new("."));
        let listed = index(&day.join(INDEX), &mut findings);
        recording(path, listed.as_ref(), &mut findings);
        return Ok(findings);
    }
    if path.join(INDEX).exists() || holds_recordings(path)? {
        day(path, &mut findings, progress)?;
        return Ok(findings);
    }
    let mut days: Vec<PathBuf> = fs::read_dir(path)?.filter_map(|entry| entry.ok().map(|e| e.path())).collect();
    days.sort();
    for folder in days.iter().filter(|folder| folder.is_dir()) {
        day(folder, &mut findings, progress)?;
    }
    Ok(findings)
}

fn is_recording(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == EXTENSION)
}

fn holds_recordings(folder: &Path) -> std::io::Result<bool> {
    Ok(fs::read_dir(folder)?.flatten().any(|entry| is_recording(&entry.path())))
}

fn day(folder: &Path, findings: &mut Findings, progress: &mut dyn FnMut(&Path)) -> std::io::Result<()> {
    let listed = index(&folder.join(INDEX), findings);
    let mut files: Vec<PathBuf> = fs::read_dir(folder)?.filter_map(|entry| entry.ok().map(|e| e.path())).collect();
    files.retain(|file| is_recording(file));
    files.sort();
    for file in &files {
        progress(file);
        recording(file, listed.as_ref(), findings);
    }
    for id in listed.iter().flat_map(BTreeMap::keys) {
        let file = folder.join(format!("{id}.{EXTENSION}"));
        if files.binary_search(&file).is_err() {
            findings.faults.push((file, Fault::Removed));
        }
    }
    Ok(())
}

fn open(path: &Path) -> Result<Reader<BufReader<File>>, Broken> {
    Ok(Reader::new(BufReader::new(File::open(path)?)))
}

fn index(path: &Path, findings: &mut Findings) -> Option<BTreeMap<SessionId, Listed>> {
    if !path.exists() {
        findings.faults.push((path.to_owned(), Fault::NoIndex));
        return None;
    }
    let mut listed = BTreeMap::new();
    let mut read = || -> Result<(), Broken> {
        let mut reader = open(path)?;
        while let Some(entry) = reader.next_entry()? {
            match entry.body {
                Body::Begun { id, first } => drop(listed.insert(id, Listed { first, end: None })),
                Body::Sealed { id, entries, last } => {
                    if let Some(listed) = listed.get_mut(&id) {
                        listed.end = Some(Head { entries, hash: last });
                    }
                }
                _ => {}
            }
        }
        Ok(())
    };
    if let Err(broken) = read() {
        findings.faults.push((path.to_owned(), broken.into()));
    }
    Some(listed)
}

fn recording(path: &Path, listed: Option<&BTreeMap<SessionId, Listed>>, findings: &mut Findings) {
    match check(path, listed) {
        Ok(true) => findings.sealed = findings.sealed.saturating_add(1),
        Ok(false) => findings.open.push(path.to_owned()),
        Err(fault) => findings.faults.push((path.to_owned(), fault)),
    }
}

/// Whether a whole recording is closed.
fn check(path: &Path, listed: Option<&BTreeMap<SessionId, Listed>>) -> Result<bool, Fault> {
    let mut reader = open(path)?;
    let (mut first, mut closed) = (None, false);
    while let Some(entry) = reader.next_entry()? {
        first.get_or_insert(reader.head().hash);
        closed = matches!(entry.body, Body::Closed { .. });
    }
    let Some(listed) = listed else { return Ok(closed) };
    let id: Option<SessionId> = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
    let listed = id.and_then(|id| listed.get(&id)).ok_or(Fault::Unlisted)?;
    if first != Some(listed.first) {
        return Err(Fault::Replaced);
    }
    match &listed.end {
        Some(end) if end != reader.head() => Err(Fault::Truncated),
        Some(_) => Ok(true),
        None if closed => Err(Fault::Unsealed),
        None => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::SystemTime;

    use super::*;
    use crate::record::{Opened, Recorder, Recordings};

    fn record(recordings: &Arc<Recordings>, notes: &[&str], close: bool) -> PathBuf {
        let address = "192.0.2.1:5432".parse().unwrap();
        let opened = Opened {
            id: SessionId::new(),
            workload: "job".into(),
            groups: Vec::new(),
            observe: false,
            resource: None,
            client: address,
            destination: address,
            upstream: vec![address],
            pid: 1,
            uid: 0,
            cgroup: 1,
            netns: 1,
            started: SystemTime::now(),
        };
        let path = opened.id.file(recordings.folder());
        let mut recorder = Recorder::create(recordings, opened).unwrap();
        for note in notes {
            recorder.note(note);
        }
        recorder.flush().unwrap();
        if close {
            recorder.close();
        }
        path
    }

    fn faults(recordings: &Recordings) -> Vec<String> {
        let findings = verify(recordings.folder(), &mut |_| ()).unwrap();
        findings.faults.iter().map(|(_, fault)| fault.to_string()).collect()
    }

    #[test]
    fn whole_recordings_pass_and_a_running_one_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let recordings = Arc::new(Recordings::open(folder.path()).unwrap());
        record(&recordings, &["a"], true);
        record(&recordings, &["b"], false);
        let findings = verify(recordings.folder(), &mut |_| ()).unwrap();
        assert!(findings.faults.is_empty(), "{findings:?}");
        assert_eq!((findings.sealed, findings.open.len()), (1, 1));
        assert!(Recordings::open(folder.path()).is_err(), "one writer");
    }

    #[test]
    fn what_was_changed_cut_replaced_or_removed_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let recordings = Arc::new(Recordings::open(folder.path()).unwrap());
        let path = record(&recordings, &["one", "two"], true);
        let whole = fs::read(&path).unwrap();

        let mut changed = whole.clone();
        let at = changed.windows(3).position(|w| w == b"one").unwrap();
        changed[at] = b'O';
        fs::write(&path, changed).unwrap();
        assert!(faults(&recordings)[0].contains("changed"));

        fs::write(&path, &whole[..whole.len() - 5]).unwrap();
        assert!(faults(&recordings)[0].contains("cut"));

        // Whole entries off the end: the chain holds, the index does not.
        let closed = whole.windows(6).rposition(|w| w == b"closed").unwrap();
        let start = (0..closed).rev().find(|at| {
            let mut reader = Reader::new(&whole[..*at]);
            loop {
                match reader.next_entry() {
                    Ok(Some(_)) => {}
                    Ok(None) => break true,
                    Err(_) => break false,
                }
            }
        });
        fs::write(&path, &whole[..start.unwrap()]).unwrap();
        assert!(faults(&recordings)[0].contains("does not end"));

        fs::remove_file(&path).unwrap();
        assert!(faults(&recordings)[0].contains("removed"));

        let other = record(&recordings, &["other"], true);
        fs::copy(other, &path).unwrap();
        assert!(faults(&recordings)[0].contains("does not begin"));
    }

    #[test]
    fn a_full_disk_is_an_error_at_once_and_for_good() {
        let folder = tempfile::tempdir().unwrap();
        let recordings = Arc::new(Recordings::open(folder.path()).unwrap());
        let failed: Result<(), _> = recordings
            .watch(Err(super::super::RecordError::io(Path::new("/x"), std::io::ErrorKind::StorageFull.into())));
        assert!(failed.is_err());
        assert!(recordings.failing().unwrap().contains("/x"));
        record(&recordings, &[], true);
        assert!(recordings.failing().is_none(), "a success ends it");
    }
}
