//! Cgroups of cgroup v2 that go when they are dropped, with what runs in them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::own::{require_root, unique};
use crate::process::eventually;

/// A cgroup that this process made. Dropping it kills what runs in it and below it.
#[derive(Debug)]
pub struct Cgroup {
    path: PathBuf,
    name: String,
}

/// Where cgroup v2 is mounted; on hybrid hosts that is not `/sys/fs/cgroup`.
///
/// # Errors
/// It is not mounted.
pub fn cgroup_root() -> Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    for line in mounts.lines() {
        if let Some((left, right)) = line.split_once(" - ")
            && right.starts_with("cgroup2 ")
            && let Some(point) = left.split(' ').nth(4)
        {
            return Ok(PathBuf::from(point));
        }
    }
    bail!("cgroup v2 is not mounted; by hand: mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified")
}

impl Cgroup {
    /// A new cgroup at the root.
    ///
    /// # Errors
    /// Not root, or cgroup v2 is not mounted or refuses.
    pub fn new(role: &str) -> Result<Self> {
        Self::named(&unique(role))
    }

    /// A new cgroup at the root with this name, which begins as [`unique`]'s names do.
    ///
    /// # Errors
    /// As [`Cgroup::new`].
    pub fn named(name: &str) -> Result<Self> {
        require_root()?;
        let path = cgroup_root()?.join(name);
        fs::create_dir(&path).with_context(|| format!("cannot make the cgroup {}", path.display()))?;
        Ok(Self { path, name: format!("/{name}") })
    }

    /// A new cgroup in this one. It goes with this one too.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn child(&self, name: &str) -> Result<Self> {
        let path = self.path.join(name);
        fs::create_dir(&path).with_context(|| format!("cannot make the cgroup {}", path.display()))?;
        Ok(Self { path, name: format!("{}/{name}", self.name) })
    }

    /// Its folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its path from the root of cgroup v2, `/name`, as `gateway.toml` writes it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Moves a process in.
    ///
    /// # Errors
    /// There is no such process.
    pub fn adopt(&self, pid: u32) -> Result<()> {
        let procs = self.path.join("cgroup.procs");
        fs::write(&procs, pid.to_string()).with_context(|| format!("cannot move {pid} to {}", procs.display()))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        remove_cgroup(&self.path);
    }
}

pub(crate) fn remove_cgroup(path: &Path) {
    // Since 5.14; kills the whole subtree.
    let _ = fs::write(path.join("cgroup.kill"), "1");
    let gone = eventually(Duration::from_secs(5), || {
        remove_folders(path);
        !path.exists()
    });
    if !gone {
        eprintln!("the cgroup {} could not be removed", path.display());
    }
}

fn remove_folders(path: &Path) {
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_folders(&entry.path());
        }
    }
    let _ = fs::remove_dir(path);
}
