//! Recordings as they are written, and everything that can be done to them afterwards.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::Arc;
use std::time::SystemTime;

use super::*;
use crate::record::entry::Body;
use crate::record::{Opened, RecordError, Recorder, Recordings};

fn opened(id: SessionId) -> Opened {
    let address = "192.0.2.1:5432".parse().unwrap();
    Opened {
        id,
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
    }
}

fn begin(recordings: &Arc<Recordings>, notes: &[&str]) -> (PathBuf, Recorder) {
    begin_as(recordings, SessionId::new(), notes)
}

fn begin_as(recordings: &Arc<Recordings>, id: SessionId, notes: &[&str]) -> (PathBuf, Recorder) {
    let path = id.file(recordings.folder());
    let mut recorder = Recorder::create(recordings, opened(id)).unwrap();
    for note in notes {
        recorder.note(note);
    }
    recorder.flush().unwrap();
    (path, recorder)
}

fn record(recordings: &Arc<Recordings>, notes: &[&str]) -> PathBuf {
    let (path, recorder) = begin(recordings, notes);
    recorder.close();
    path
}

/// An id of another day, `days` later than now.
fn later(days: i64) -> SessionId {
    let id = SessionId::new().to_string();
    let day = (chrono::Utc::now() + chrono::Duration::days(days)).format("%Y%m%d").to_string();
    format!("{day}{}", &id[8..]).parse().unwrap()
}

fn open(folder: &tempfile::TempDir) -> Arc<Recordings> {
    Arc::new(Recordings::open(folder.path()).unwrap())
}

/// As after kill -9: nothing is sealed, nothing is told, the lock is free.
fn die(recordings: Arc<Recordings>, recorders: Vec<Recorder>) {
    drop(recorders);
    drop(Arc::into_inner(recordings).unwrap());
}

fn check(folder: &Path) -> Findings {
    verify(folder, &Known::default(), &mut |_| ()).unwrap()
}

fn faults(folder: &Path) -> Vec<String> {
    check(folder).faults.iter().map(|(path, fault)| format!("{} {fault}", path.display())).collect()
}

fn one(folder: &Path, words: &str) {
    let found = faults(folder);
    assert!(found.len() == 1 && found[0].contains(words), "{words}: {found:?}");
}

#[test]
fn whole_recordings_pass_and_a_running_one_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = open(&folder);
    record(&recordings, &["a"]);
    let _running = begin(&recordings, &["b"]);
    let findings = check(recordings.folder());
    assert!(findings.faults.is_empty(), "{findings:?}");
    assert_eq!((findings.sealed, findings.open.len()), (1, 1));
    assert!(Recordings::open(folder.path()).is_err(), "one writer");
}

#[test]
fn what_was_changed_cut_replaced_or_removed_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = open(&folder);
    let root = recordings.folder();
    let path = record(&recordings, &["one", "two"]);
    let whole = fs::read(&path).unwrap();

    let mut changed = whole.clone();
    let at = changed.windows(3).position(|w| w == b"one").unwrap();
    changed[at] = b'O';
    fs::write(&path, changed).unwrap();
    one(root, "changed");

    fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    one(root, "cut");

    // Whole entries off the end: the chain holds, the index does not.
    fs::write(&path, &whole[..ends(&whole)[1]]).unwrap();
    one(root, "does not end");

    fs::remove_file(&path).unwrap();
    one(root, "was removed: the day's index");

    let other = record(&recordings, &["other"]);
    fs::copy(other, &path).unwrap();
    one(root, "does not begin");
}

/// Where the entries of a chain end.
fn ends(bytes: &[u8]) -> Vec<usize> {
    let mut reader = Reader::new(bytes);
    let mut ends = Vec::new();
    while reader.next_entry().unwrap().is_some() {
        ends.push(usize::try_from(reader.length()).unwrap());
    }
    ends
}

#[test]
fn nothing_that_is_put_into_the_folder_hides_the_days() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = open(&folder);
    let root = recordings.folder();
    let path = record(&recordings, &["a"]);
    fs::write(root.join(INDEX), "").unwrap();
    one(root, "does not belong");
    fs::remove_file(&path).unwrap();
    assert_eq!(faults(root).len(), 2, "{:?}", faults(root));
    fs::remove_file(root.join(INDEX)).unwrap();
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
    one(root, "holds no day");
}

#[test]
fn a_day_that_was_removed_moved_or_cut_is_named_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = open(&folder);
    let root = recordings.folder();
    let today = record(&recordings, &["today"]);
    let day = today.parent().unwrap();
    let (tomorrow, running) = begin_as(&recordings, later(1), &["tomorrow"]);
    assert!(faults(root).is_empty());
    assert_eq!(check(day).faults.len() + check(tomorrow.parent().unwrap()).faults.len(), 0, "each by itself");

    // A recording, with all of the index from where it is named.
    let index = fs::read(day.join(INDEX)).unwrap();
    let kept = fs::read(&today).unwrap();
    fs::remove_file(&today).unwrap();
    let before = ends(&index)[1];
    fs::write(day.join(INDEX), &index[..before]).unwrap();
    one(root, "is not what it was: the index of");
    fs::write(day.join(INDEX), &index).unwrap();
    fs::write(&today, kept).unwrap();

    let aside = folder.path().join("aside");
    fs::rename(day, &aside).unwrap();
    one(root, "was removed: the index of");
    let known = Known { from: Some(later(1).day()), ..Known::default() };
    assert!(verify(root, &known, &mut |_| ()).unwrap().faults.is_empty(), "removed on purpose");

    // Another day in its place.
    let elsewhere = tomorrow.parent().unwrap();
    let copy = |to: &Path| {
        fs::create_dir(to).unwrap();
        for entry in fs::read_dir(elsewhere).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    };
    copy(day);
    assert!(faults(root).iter().any(|fault| fault.contains("is not the index of this day")), "{:?}", faults(root));
    fs::remove_dir_all(day).unwrap();
    fs::rename(&aside, day).unwrap();
    drop(running);
    assert!(faults(root).is_empty());
}

#[test]
fn a_session_that_outlives_its_day_is_answered_for_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = open(&folder);
    let root = recordings.folder();
    let (path, outliving) = begin(&recordings, &["long"]);
    record_as(&recordings, later(1));
    outliving.close();
    assert!(faults(root).is_empty());
    let index = path.parent().unwrap().join(INDEX);
    let whole = fs::read(&index).unwrap();
    let ends = ends(&whole);
    fs::write(&index, &whole[..ends[ends.len() - 2]]).unwrap();
    assert!(faults(root).iter().any(|fault| fault.contains("is not what it was")), "{:?}", faults(root));
}

fn record_as(recordings: &Arc<Recordings>, id: SessionId) -> PathBuf {
    let (path, recorder) = begin_as(recordings, id, &[]);
    recorder.close();
    path
}

#[test]
fn an_anchor_shows_that_the_newest_tail_was_cut() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = open(&folder);
    let root = recordings.folder();
    let path = record(&recordings, &["a"]);
    let anchor: Mark = check(root).newest.unwrap().to_string().parse().unwrap();
    let known = Known { anchors: vec![anchor], ..Known::default() };
    assert!(verify(root, &known, &mut |_| ()).unwrap().faults.is_empty());
    record(&recordings, &["later"]);
    assert!(verify(root, &known, &mut |_| ()).unwrap().faults.is_empty(), "it may grow");

    let index = path.parent().unwrap().join(INDEX);
    let whole = fs::read(&index).unwrap();
    for file in super::recordings(path.parent().unwrap()).unwrap() {
        fs::remove_file(file).unwrap();
    }
    fs::write(&index, &whole[..ends(&whole)[1]]).unwrap();
    assert!(faults(root).is_empty(), "without the anchor nobody can tell");
    let found = verify(root, &known, &mut |_| ()).unwrap().faults;
    assert!(found.len() == 1 && found[0].1.to_string().contains("the anchor"), "{found:?}");
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
    let found = verify(root, &known, &mut |_| ()).unwrap().faults;
    assert!(found.iter().any(|(_, fault)| matches!(fault, Fault::DayRemoved(Witness::Anchor))), "{found:?}");
}

#[test]
fn what_a_dead_daemon_left_is_settled_by_the_next_and_cannot_be_cut_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = open(&folder);
    let root = recordings.folder().to_owned();
    let (whole, first) = begin(&recordings, &["one", "two"]);
    let (torn, second) = begin(&recordings, &["three"]);
    let (unlisted, third) = (later(0).file(&root), later(0).file(&root));
    die(recordings, vec![first, second]);
    // In the middle of a write, and between making a file and naming it.
    OpenOptions::new().append(true).open(&torn).unwrap().write_all(b"\0\0\x01\0half").unwrap();
    fs::write(&unlisted, "").unwrap();
    fs::write(&third, b"\0\0\0\x7fx").unwrap();
    let findings = check(&root);
    assert_eq!((findings.open.len(), findings.torn.len(), findings.faults.len()), (1, 1, 2), "{findings:?}");

    let recordings = open(&folder);
    let findings = check(&root);
    assert!(findings.faults.is_empty(), "{findings:?}");
    assert_eq!((findings.abandoned, findings.open.len(), findings.torn.len()), (4, 0, 0), "{findings:?}");
    let bytes = fs::read(&whole).unwrap();
    fs::write(&whole, &bytes[..ends(&bytes)[1]]).unwrap();
    one(&root, "does not end");
    fs::write(&whole, &bytes).unwrap();
    let bytes = fs::read(&torn).unwrap();
    fs::write(&torn, &bytes[..bytes.len() - 1]).unwrap();
    one(&root, "does not end");
    fs::write(&torn, &bytes).unwrap();

    // It goes on, and the next one finds nothing to do.
    record(&recordings, &["after"]);
    die(recordings, Vec::new());
    drop(open(&folder));
    assert_eq!((check(&root).abandoned, check(&root).sealed, faults(&root).len()), (4, 1, 0));
}

#[test]
fn a_recording_that_was_put_there_is_not_made_one_of_the_daemons() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = open(&folder);
    let root = recordings.folder().to_owned();
    let path = record(&recordings, &["one"]);
    die(recordings, Vec::new());
    fs::copy(&path, later(0).file(&root)).unwrap();
    drop(open(&folder));
    one(&root, "is not in the day's index");
}

#[test]
fn an_index_that_a_write_was_torn_off_goes_on_and_one_that_was_changed_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = open(&folder);
    let root = recordings.folder().to_owned();
    let path = record(&recordings, &["one"]);
    let index = path.parent().unwrap().join(INDEX);
    die(recordings, Vec::new());
    for torn in [&b"\0"[..], b"\0\0\0\x90", b"\0\0\0\x90half of an entry", &[0; 20_000]] {
        OpenOptions::new().append(true).open(&index).unwrap().write_all(torn).unwrap();
        let findings = check(&root);
        assert_eq!((findings.torn.len(), findings.faults.len()), (1, 0), "{findings:?}");
        let recordings = open(&folder);
        record(&recordings, &["two"]);
        assert!(recordings.failing().is_none());
        let findings = check(&root);
        assert_eq!((findings.torn.len(), findings.faults.len()), (0, 0), "{findings:?}");
        die(recordings, Vec::new());
    }
    assert!(notes(&index).iter().any(|note| note.contains("68616c66206f6620616e20656e747279")), "{:?}", notes(&index));

    let whole = fs::read(&index).unwrap();
    let mut changed = whole.clone();
    // In the first entry: what was written after it does not follow it any more.
    let at = changed.windows(6).position(|bytes| bytes == b"sluice").unwrap();
    changed[at] = b'S';
    // The second hides everything behind it in one long entry.
    let mut hiding = whole.clone();
    hiding[1] = 0x7f;
    for damaged in [changed, hiding] {
        fs::write(&index, &damaged).unwrap();
        let recordings = open(&folder);
        let said = Recorder::create(&recordings, opened(SessionId::new())).unwrap_err();
        assert!(matches!(said, RecordError::Damaged { .. }), "{said}");
        assert!(recordings.failing().is_some());
        die(recordings, Vec::new());
        assert_eq!(fs::read(&index).unwrap(), damaged, "evidence stays as it is");
        assert!(!faults(&root).is_empty());
    }
}

fn notes(index: &Path) -> Vec<String> {
    let mut reader = Reader::open(index).unwrap();
    let mut notes = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        if let Body::Note { text } = entry.body {
            notes.push(text.into_owned());
        }
    }
    notes
}

#[test]
fn what_is_no_file_is_named_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = open(&folder);
    let path = record(&recordings, &[]);
    let pipe = later(0).file(recordings.folder());
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
    one(recordings.folder(), "is not a regular file");
    fs::remove_file(&pipe).unwrap();
    fs::remove_file(&path).unwrap();
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR).unwrap();
    one(path.parent().unwrap(), "is not a regular file");
}

#[test]
fn a_full_disk_is_an_error_at_once_and_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = open(&folder);
    let failed: Result<(), _> =
        recordings.watch(Err(RecordError::io(Path::new("/x"), io::ErrorKind::StorageFull.into())));
    assert!(failed.is_err());
    assert!(recordings.failing().unwrap().contains("/x"));
    record(&recordings, &[]);
    assert!(recordings.failing().is_none(), "a success ends it");
}

#[test]
fn marks_are_read_back_and_nothing_else_is() {
    let mark = Mark { day: later(0).day(), entries: 17, hash: [7; 32] };
    assert_eq!(mark.to_string().parse::<Mark>().unwrap(), mark);
    for bad in ["", "2026-01-31", "2026-01-31/1", "2026-01-31/1/00", "x/1/00", "2026-01-31/-1/00"] {
        assert!(bad.parse::<Mark>().is_err(), "{bad}");
    }
    assert!(format!("{mark}/").parse::<Mark>().is_err());
}
