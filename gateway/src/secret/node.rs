//! Keys that belong to the node: random, made once, kept in the state folder, the owner's alone.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

/// Bytes of a key.
const LENGTH: usize = 32;

/// A node's key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum NodeKeyError {
    /// Its file cannot be read or written.
    #[error("cannot use {}: {error}\n    run as the daemon's user (root), and see that state_dir is on a writable file system", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It has another length, or others can read it.
    #[error("{} is not a key of this node's: {reason}\n    move it away and start again; values hashed before will hash differently", path.display())]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: &'static str,
    },
    /// No randomness to make it of.
    #[error("the system has no random numbers: is /dev/urandom there?")]
    NoRandomness,
}

/// The key in `state_dir/name`, made if it is absent. Two processes that make it at once end with the same one.
///
/// # Errors
/// The folder cannot be written, or what is in there is no key.
pub(crate) fn node_key(state_dir: &Path, name: &str) -> Result<Zeroizing<[u8; LENGTH]>, NodeKeyError> {
    let path = state_dir.join(name);
    let error = |error| NodeKeyError::File { path: path.clone(), error };
    match fs::symlink_metadata(&path) {
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => make(state_dir, &path)?,
        Err(e) => return Err(error(e)),
    }
    let unusable = |reason| NodeKeyError::Unusable { path: path.clone(), reason };
    let metadata = fs::symlink_metadata(&path).map_err(error)?;
    if !metadata.is_file() || metadata.len() != LENGTH as u64 {
        return Err(unusable("it is not a file of 32 bytes"));
    }
    if metadata.mode() & 0o077 != 0 || metadata.uid() != nix::unistd::geteuid().as_raw() {
        return Err(unusable("others than the daemon's user can read it"));
    }
    let bytes = Zeroizing::new(fs::read(&path).map_err(error)?);
    let key: [u8; LENGTH] = bytes.as_slice().try_into().map_err(|_| unusable("it is not a file of 32 bytes"))?;
    Ok(Zeroizing::new(key))
}

fn make(state_dir: &Path, path: &Path) -> Result<(), NodeKeyError> {
    static ATTEMPT: AtomicU32 = AtomicU32::new(0);
    let error = |error| NodeKeyError::File { path: path.to_owned(), error };
    let mut key = Zeroizing::new([0; LENGTH]);
    SystemRandom::new().fill(&mut *key).map_err(|_| NodeKeyError::NoRandomness)?;
    DirBuilder::new().recursive(true).mode(0o700).create(state_dir).map_err(error)?;
    let attempt = ATTEMPT.fetch_add(1, Ordering::Relaxed);
    let aside = state_dir.join(format!(".key.{}.{attempt}", std::process::id()));
    // Left behind by a process of the same number that was killed here.
    let _ = fs::remove_file(&aside);
    let open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside);
    let written = open.and_then(|mut file| {
        file.write_all(&*key)?;
        file.sync_all()
    });
    // A link never replaces: whoever comes second takes the first one's.
    let linked = written.and_then(|()| match fs::hard_link(&aside, path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        done => done,
    });
    let _ = fs::remove_file(&aside);
    linked.map_err(error)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_is_the_owners_alone() {
        let state = tempfile::tempdir().unwrap();
        let folder = state.path().join("state");
        let first = node_key(&folder, "mask.key").unwrap();
        assert_eq!(*first, *node_key(&folder, "mask.key").unwrap());
        assert_ne!(*first, *node_key(&folder, "other.key").unwrap());
        assert_eq!(fs::metadata(folder.join("mask.key")).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "nothing is left aside");
    }

    #[test]
    fn a_key_that_is_cut_or_open_to_others_is_refused() {
        let state = tempfile::tempdir().unwrap();
        node_key(state.path(), "k").unwrap();
        fs::set_permissions(state.path().join("k"), fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(node_key(state.path(), "k"), Err(NodeKeyError::Unusable { .. })));
        fs::set_permissions(state.path().join("k"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(state.path().join("k"), b"short").unwrap();
        assert!(matches!(node_key(state.path(), "k"), Err(NodeKeyError::Unusable { .. })));
    }
}
