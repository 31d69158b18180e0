//! Finding recordings: what `sessions` and `replay` share.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::record::chain::{Broken, Reader};
use crate::record::entry::Body;
use crate::record::text::printable;
use crate::record::{EXTENSION, Opened, SessionId};

/// Every recording below a folder, the oldest first.
pub(super) fn all(folder: &Path) -> Result<Vec<(SessionId, PathBuf)>> {
    let days = fs::read_dir(folder).with_context(|| {
        format!("cannot read {}: run this as root, on a node where the gateway has run", folder.display())
    })?;
    let mut found = Vec::new();
    for day in days.flatten().map(|day| day.path()).filter(|day| day.is_dir()) {
        let files = fs::read_dir(&day).with_context(|| format!("cannot read {}", day.display()))?;
        for path in files.flatten().map(|file| file.path()) {
            if path.extension().is_none_or(|extension| extension != EXTENSION) {
                continue;
            }
            let id = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
            found.extend(id.map(|id| (id, path)));
        }
    }
    found.sort();
    Ok(found)
}

/// The recording of an id, or of the only one that begins or ends so.
pub(super) fn find(folder: &Path, wanted: &str) -> Result<PathBuf> {
    let mut matching: Vec<(SessionId, PathBuf)> = all(folder)?;
    matching.retain(|(id, _)| {
        let id = id.to_string();
        id.starts_with(wanted) || id.ends_with(wanted)
    });
    match matching.len() {
        1 => matching.pop().map(|(_, path)| path).context("found"),
        0 => bail!("no session {}: `sluice sessions` lists them", printable(wanted)),
        n => bail!("{n} sessions begin or end with {}: write more of the id", printable(wanted)),
    }
}

/// How a recording's session began; `None` where its first entry is not there, or not wholly.
pub(super) fn opened(path: &Path) -> Result<Option<Opened>> {
    let shown = || printable(&path.display().to_string());
    let mut reader = Reader::open(path).with_context(shown)?;
    match reader.next_entry() {
        Ok(Some(entry)) => match entry.body {
            Body::Opened { session, .. } => Ok(Some(session)),
            _ => bail!("{} does not begin as a recording does: `sluice verify` says more", shown()),
        },
        Ok(None) | Err(Broken::Cut(_)) => Ok(None),
        Err(broken) => bail!("{} {broken}", shown()),
    }
}
