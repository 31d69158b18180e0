//! Names that say which process made a thing, so that runs in parallel do not clash and a later run can tell what
//! nobody owns any more.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, bail};
use nix::mount::{MsFlags, mount};

use crate::cgroup::{cgroup_root, remove_cgroup};
use crate::netns::remove_namespace;

/// What every name made here begins with.
const PREFIX: &str = "slt";

/// Where subnets are claimed and one-time preparations are serialised.
const LOCKS: &str = "/run/lock/sluice-tests";

/// A name for `role` that no other process and no other call has: `slt<pid>-<n>-<role>`.
#[must_use]
pub fn unique(role: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{PREFIX}{}-{n}-{role}", std::process::id())
}

/// `bytes` random bytes as hexadecimal digits.
///
/// # Errors
/// The kernel's random source cannot be read.
pub fn random_hex(bytes: usize) -> Result<String> {
    let mut buffer = vec![0; bytes];
    File::open("/dev/urandom")?.read_exact(&mut buffer)?;
    Ok(buffer.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Fails where the process is not root, and says why that is needed; the first call also sweeps and mounts.
///
/// # Errors
/// Not root, or bpffs cannot be mounted.
pub fn require_root() -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!("this needs root: it makes network namespaces and cgroups and loads eBPF programs. Run it by sudo.");
    }
    static SWEEP: Once = Once::new();
    SWEEP.call_once(sweep);
    let _one_at_a_time = lock("mounts")?;
    mount_if_missing("bpf", "/sys/fs/bpf")?;
    mount_if_missing("tracefs", "/sys/kernel/tracing")
}

fn mount_if_missing(kind: &str, at: &str) -> Result<()> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let mounted = mounts.lines().any(|line| {
        let mut halves = line.split(" - ");
        let point = halves.next().and_then(|left| left.split(' ').nth(4));
        let kinds = halves.next().and_then(|right| right.split(' ').next());
        point == Some(at) && kinds == Some(kind)
    });
    if !mounted {
        mount(Some(kind), at, Some(kind), MsFlags::empty(), None::<&str>)
            .with_context(|| format!("cannot mount {kind} at {at}; by hand: mount -t {kind} {kind} {at}"))?;
    }
    Ok(())
}

fn locks() -> Result<PathBuf> {
    fs::create_dir_all(LOCKS).with_context(|| format!("cannot make {LOCKS}"))?;
    Ok(PathBuf::from(LOCKS))
}

/// A machine-wide lock. The kernel frees it however the process ends.
#[derive(Debug)]
pub(crate) struct Held(File);

impl Drop for Held {
    fn drop(&mut self) {
        // Closing alone frees it only when the children have closed it too that other threads are just starting: they
        // have everything that is open here until they run their own program.
        let _ = self.0.unlock();
    }
}

/// Waits for the machine-wide lock `name`.
pub(crate) fn lock(name: &str) -> Result<Held> {
    let file = File::create(locks()?.join(name))?;
    file.lock()?;
    Ok(Held(file))
}

/// The first of `0..count` that no process on this machine holds, and what holds it.
pub(crate) fn claim(kind: &str, count: u16) -> Result<(u16, Held)> {
    let locks = locks()?;
    for index in 0..count {
        let file = File::create(locks.join(format!("{kind}-{index}")))?;
        if file.try_lock().is_ok() {
            return Ok((index, Held(file)));
        }
    }
    bail!("all {count} of {kind} are in use on this machine")
}

/// Undoes what processes that are gone have left: namespaces and what runs in them, cgroups, pins.
/// Only names that this crate gives are looked at.
pub fn sweep() {
    for name in folder("/run/netns") {
        if orphaned(&name) {
            remove_namespace(&name);
        }
    }
    if let Ok(root) = cgroup_root() {
        for name in folder(&root) {
            if orphaned(&name) {
                remove_cgroup(&root.join(name));
            }
        }
    }
    for name in folder("/sys/fs/bpf") {
        if orphaned(&name) {
            // Removing the last pin of a link detaches its program.
            let _ = fs::remove_dir_all(Path::new("/sys/fs/bpf").join(name));
        }
    }
}

fn folder(path: impl AsRef<Path>) -> Vec<String> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

fn orphaned(name: &str) -> bool {
    let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
    owner.and_then(|pid| pid.parse::<u32>().ok()).is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_and_belong_to_a_living_process() {
        assert_ne!(unique("a"), unique("a"));
        assert!(!orphaned(&unique("a")));
        assert!(orphaned("slt4194305-0-a"), "one above the kernel's largest process id");
        assert!(!orphaned("slticks"));
    }

    #[test]
    fn a_claim_holds_until_it_is_dropped() {
        let kind = unique("claims");
        let (first, held) = claim(&kind, 2).unwrap();
        let (second, _also) = claim(&kind, 2).unwrap();
        assert_ne!(first, second);
        assert!(claim(&kind, 2).is_err());
        drop(held);
        assert_eq!(claim(&kind, 2).unwrap().0, first);
        for index in 0..2 {
            fs::remove_file(Path::new(LOCKS).join(format!("{kind}-{index}"))).unwrap();
        }
    }
}
