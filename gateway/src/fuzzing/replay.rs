//! The committed corpora, through the same functions that the fuzzer calls.

use std::fs;
use std::path::{Path, PathBuf};

fn corpus(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 10, "{} holds next to nothing", folder.display());
    files
}

fn replay(target: &str, run: fn(&[u8])) {
    for file in corpus(target) {
        let data = fs::read(&file).unwrap();
        let done = std::panic::catch_unwind(|| run(&data));
        assert!(done.is_ok(), "{}", file.display());
    }
}

#[test]
fn the_corpus_of_the_analysis_has_no_finding() {
    replay("analysis", super::analysis);
}

#[test]
fn the_corpus_of_copy_has_no_finding() {
    replay("copy", super::copy);
}

#[test]
fn the_corpus_of_the_codec_has_no_finding() {
    replay("codec", super::codec);
}

#[test]
fn the_corpus_of_the_relay_has_no_finding() {
    replay("relay", super::relay);
}
