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
    pub(super) fn walk<T: Clone>(&self, top: T, visit: &mut impl FnMut(&Cgroup, T) -> T) -> Result<(), CgroupError> {
        let failed = |source| CgroupError::Io { path: self.0.clone(), source };
        let mut waiting = vec![(self.0.clone(), Vec::new(), top)];
        while let Some((folder, path, above)) = waiting.pop() {
            let root = path.is_empty();
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if root => return Err(failed(error)),
                Err(_) => continue,
            };
            for entry in entries.flatten() {
                if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    continue;
                }
                let folder = entry.path();
                let Ok(found) = fs::metadata(&folder) else { continue };
                let mut path: Vec<u8> = path.clone();
                path.push(b'/');
                path.extend_from_slice(entry.file_name().as_bytes());
                let cgroup = Cgroup { id: found.ino(), path: path.clone(), folder: folder.clone() };
                let below = visit(&cgroup, above.clone());
                waiting.push((folder, path, below));
            }
        }
        Ok(())
    }
}

/// mountinfo writes blanks, tabs, newlines and backslashes in octal.
fn unescape(text: &str) -> PathBuf {
    let text = text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\");
    PathBuf::from(text)
}

/// The processes of a cgroup, without those below it.
pub(super) fn processes(folder: &Path) -> Vec<u32> {
    let text = fs::read_to_string(folder.join("cgroup.procs"))
        // A threaded cgroup has threads alone.
        .or_else(|_| fs::read_to_string(folder.join("cgroup.threads")))
        .unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid != 0).collect()
}

/// The path of this process's own cgroup.
pub(super) fn own_path() -> io::Result<Vec<u8>> {
    let text = fs::read("/proc/self/cgroup")?;
    let line = text.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"0::"));
    line.map(<[u8]>::to_vec).ok_or_else(|| io::Error::other("/proc/self/cgroup names no cgroup of v2"))
}

/// Processes of the node by the uid they act as, or whose user namespace they are in.
pub(super) fn processes_of_users(wanted: impl Fn(u32) -> bool) -> Vec<(u32, u32)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let own = subordinate::own().unwrap_or(0);
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    // A process's folder belongs to its effective user.
    pids.filter_map(|pid| {
        let uid = fs::metadata(format!("/proc/{pid}")).ok()?.uid();
        let user = if wanted(uid) { uid } else { subordinate::owner(pid, own, &wanted)? };
        Some((pid, user))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_read_as_the_kernel_escapes_them() {
        assert_eq!(unescape("/sys/fs/a\\040b"), PathBuf::from("/sys/fs/a b"));
    }

    #[test]
    fn this_process_has_a_cgroup_of_v2() {
        assert!(own_path().unwrap().starts_with(b"/"));
    }
}
