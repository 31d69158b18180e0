//! The tree of cgroup v2: where its root is, which cgroups there are, who runs in them.

use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::subordinate;

/// The inode number of the tree's root, and so its cgroup id.
pub(super) const ROOT_ID: u64 = 1;

/// Why the tree cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// It is not mounted.
    #[error(
        "cgroup v2 is not mounted: mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified, or boot with systemd.unified_cgroup_hierarchy=1"
    )]
    NotMounted,
    /// Only a part of it is seen.
    #[error("{0} is not the root of cgroup v2: the daemon has to run in the node's own cgroup namespace")]
    NotRoot(PathBuf),
    /// It cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// Where.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

/// The root of the tree.
#[derive(Clone, Debug)]
pub(super) struct Root(PathBuf);

/// One cgroup.
#[derive(Clone, Debug)]
pub(super) struct Cgroup {
    pub(super) id: u64,
    /// From the root, `/a/b`.
    pub(super) path: Vec<u8>,
    pub(super) folder: PathBuf,
}

impl Root {
    /// Where cgroup v2 is mounted; on hybrid hosts that is not `/sys/fs/cgroup`.
    pub(super) fn find() -> Result<Self, CgroupError> {
        let file = Path::new("/proc/self/mountinfo");
        let text = fs::read_to_string(file).map_err(|source| CgroupError::Io { path: file.to_owned(), source })?;
        let points = text.lines().filter_map(|line| {
            let (left, right) = line.split_once(" - ")?;
            right.starts_with("cgroup2 ").then(|| left.split(' ').nth(4)).flatten()
        });
        let points: Vec<PathBuf> = points.map(unescape).collect();
        let is_root = |point: &&PathBuf| fs::metadata(point).is_ok_and(|found| found.ino() == ROOT_ID);
        match (points.iter().find(is_root), points.first()) {
            (Some(root), _) => Ok(Root(root.clone())),
            (None, Some(other)) => Err(CgroupError::NotRoot(other.clone())),
            (None, None) => Err(CgroupError::NotMounted),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The root itself.
    pub(super) fn cgroup(&self) -> Cgroup {
        Cgroup { id: ROOT_ID, path: Vec::new(), folder: self.0.clone() }
    }

    pub(super) fn open(&self) -> io::Result<File> {
        File::open(&self.0)
    }

    /// Visits every cgroup but the root, parents first. What `visit` returns for one is given to those below it.
    /// A cgroup that goes away meanwhile is left out.
    ///
    /// # Errors
    /// Some part of the tree cannot be read: what was not visited is not gone.
    pub(super) fn walk<T: Clone>(&self, top: T, visit: &mut impl FnMut(&Cgroup, T) -> T) -> Result<(), CgroupError> {
        let mut waiting = vec![(self.0.clone(), Vec::new(), top)];
        while let Some((folder, path, above)) = waiting.pop() {
            let failed = |source| CgroupError::Io { path: folder.clone(), source };
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if !path.is_empty() && unseen(&error) => continue,
                Err(error) => return Err(failed(error)),
            };
            for entry in entries {
                let entry = match entry {
                    Ok(entry) => entry,
                    Err(error) if !path.is_empty() && unseen(&error) => break,
                    Err(error) => return Err(failed(error)),
                };
                let below = entry.path();
                let found = entry.file_type().and_then(|kind| kind.is_dir().then(|| fs::metadata(&below)).transpose());
                let found = match found {
                    Ok(Some(found)) => found,
                    Ok(None) => continue,
                    Err(error) if unseen(&error) => continue,
                    Err(source) => return Err(CgroupError::Io { path: below, source }),
                };
                let mut path: Vec<u8> = path.clone();
                path.push(b'/');
                path.extend_from_slice(entry.file_name().as_bytes());
                let cgroup = Cgroup { id: found.ino(), path: path.clone(), folder: below.clone() };
                let given = visit(&cgroup, above.clone());
                waiting.push((below, path, given));
            }
        }
        Ok(())
    }
}

/// Whether an error says that the thing is not there any more, or process. Any other says nothing of it.
pub(super) fn vanished(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV | libc::ESRCH))
}

/// As [`vanished`]; also a cgroup whose path is longer than a path can be, which a workload can make and which must
/// not stop the walk. What is so deep has the label of the cgroup above it.
fn unseen(error: &io::Error) -> bool {
    vanished(error) || error.raw_os_error() == Some(libc::ENAMETOOLONG)
}

/// mountinfo writes blanks, tabs, newlines and backslashes in octal.
fn unescape(text: &str) -> PathBuf {
    let text = text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\");
    PathBuf::from(text)
}

/// The processes of a cgroup, without those below it; none of one that is gone.
pub(super) fn processes(folder: &Path) -> Result<Vec<u32>, CgroupError> {
    let mut read = fs::read_to_string(folder.join("cgroup.procs"));
    if read.as_ref().is_err_and(|error| error.raw_os_error() == Some(libc::EOPNOTSUPP)) {
        // A threaded cgroup has threads alone.
        read = fs::read_to_string(folder.join("cgroup.threads"));
    }
    match read {
        Ok(text) => Ok(text.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid != 0).collect()),
        Err(error) if unseen(&error) => Ok(Vec::new()),
        Err(source) => Err(CgroupError::Io { path: folder.to_owned(), source }),
    }
}

/// The path of this process's own cgroup.
pub(super) fn own_path() -> io::Result<Vec<u8>> {
    let text = fs::read("/proc/self/cgroup")?;
    let line = text.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"0::"));
    line.map(<[u8]>::to_vec).ok_or_else(|| io::Error::other("/proc/self/cgroup names no cgroup of v2"))
}

/// Processes of the node by the user that they count for: by their real uid, which is the one that the programs see, or by
/// the owner of the user namespace they are in.
pub(super) fn processes_of_users(wanted: impl Fn(u32) -> bool) -> Result<Vec<(u32, u32)>, CgroupError> {
    let failed = |source| CgroupError::Io { path: PathBuf::from("/proc"), source };
    let own = subordinate::own().unwrap_or(0);
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // Not the owner of its folder, which is the effective user.
        let status = match fs::read(entry.path().join("status")) {
            Ok(status) => status,
            Err(error) if vanished(&error) => continue,
            Err(source) => return Err(CgroupError::Io { path: entry.path(), source }),
        };
        let user = real_uid(&status).filter(|uid| wanted(*uid)).or_else(|| subordinate::owner(pid, own, &wanted));
        found.extend(user.map(|user| (pid, user)));
    }
    Ok(found)
}

/// `Uid:` has the real, the effective, the saved and the file system's.
fn real_uid(status: &[u8]) -> Option<u32> {
    let line = status.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"Uid:"))?;
    std::str::from_utf8(line).ok()?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_read_as_the_kernel_escapes_them() {
        assert_eq!(unescape("/sys/fs/a\\040b"), PathBuf::from("/sys/fs/a b"));
    }

    #[test]
    fn a_part_of_the_tree_that_cannot_be_read_fails_the_walk() {
        use std::os::unix::fs::PermissionsExt as _;

        let tree = tempfile::tempdir().unwrap();
        let root = Root(tree.path().to_owned());
        for folder in ["a", "a/closed", "a/closed/below", "b"] {
            fs::create_dir(tree.path().join(folder)).unwrap();
        }
        fs::set_permissions(tree.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let seen = || {
            let mut seen = Vec::new();
            root.walk((), &mut |cgroup, ()| seen.push(cgroup.path.clone())).map(|()| seen)
        };
        assert_eq!(seen().unwrap().len(), 4);
        fs::set_permissions(tree.path().join("a/closed"), fs::Permissions::from_mode(0o000)).unwrap();
        // For this thread alone, and with it the right to look anywhere.
        nix::unistd::setfsuid(nix::unistd::Uid::from_raw(65534));
        let refused = seen();
        nix::unistd::setfsuid(nix::unistd::geteuid());
        assert!(matches!(refused, Err(CgroupError::Io { path, .. }) if path.ends_with("a/closed")));
    }

    #[test]
    fn a_path_that_is_too_long_stops_no_walk() {
        let tree = tempfile::tempdir().unwrap();
        let name = "x".repeat(255);
        // Each step by a path relative to the last: the whole would be too long to be named.
        let script = "cd \"$0\"; i=0; while [ $i -lt 18 ]; do mkdir \"$1\"; cd -P \"$1\" || exit 1; i=$((i+1)); done";
        let made = std::process::Command::new("bash").args(["-c", script]).arg(tree.path()).arg(&name).status();
        assert!(made.unwrap().success());
        let mut seen = 0;
        Root(tree.path().to_owned()).walk((), &mut |_, ()| seen += 1).unwrap();
        assert!((10..18).contains(&seen), "{seen}");
        let removed = std::process::Command::new("rm").arg("-rf").arg(tree.path().join(&name)).status();
        assert!(removed.unwrap().success());
    }

    #[test]
    fn a_user_is_found_by_the_real_uid() {
        let status = b"Name:\tpython3\nUid:\t65534\t0\t0\t0\nGid:\t0\t0\t0\t0\n";
        assert_eq!(real_uid(status), Some(65534));
        let own = nix::unistd::getuid().as_raw();
        let found = processes_of_users(|uid| uid == own).unwrap();
        assert!(found.contains(&(std::process::id(), own)));
    }

    #[test]
    fn this_process_has_a_cgroup_of_v2() {
        assert!(own_path().unwrap().starts_with(b"/"));
    }
}
