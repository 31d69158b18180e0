//! Subordinate uids (subuid(5)) of users that are workloads. In a user namespace of the user's they count as the user;
//! through a setuid file that the user has made in there, they are had outside of it as well, and are nobody's.

use std::fs::{self, File};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;

use crate::config::{Config, Match};

const FILE: &str = "/etc/subuid";

/// linux/nsfs.h.
const NS_GET_PARENT: libc::c_ulong = 0xb702;
const NS_GET_OWNER_UID: libc::c_ulong = 0xb704;
/// How deep the kernel nests user namespaces.
const NESTED: usize = 33;

/// The user for whom `wanted` says so that has made the process's user namespace, or one above it. As the programs
/// look for it; here for the processes that are there already.
pub(super) fn owner(pid: u32, own: u64, wanted: impl Fn(u32) -> bool) -> Option<u32> {
    let path = format!("/proc/{pid}/ns/user");
    if fs::metadata(&path).ok()?.ino() == own {
        return None;
    }
    let mut namespace = OwnedFd::from(File::open(path).ok()?);
    for _ in 0..NESTED {
        let mut uid: libc::uid_t = 0;
        // SAFETY: the kernel writes one uid.
        if unsafe { libc::ioctl(namespace.as_raw_fd(), NS_GET_OWNER_UID, &raw mut uid) } != 0 {
            return None;
        }
        if wanted(uid) {
            return Some(uid);
        }
        // SAFETY: no argument; what comes back is a new descriptor that is nobody else's. The daemon is in the first
        // namespace, above which there is none.
        let parent = unsafe { libc::ioctl(namespace.as_raw_fd(), NS_GET_PARENT) };
        if parent < 0 {
            return None;
        }
        // SAFETY: as above.
        namespace = unsafe { OwnedFd::from_raw_fd(parent) };
    }
    None
}

/// The inode number of the daemon's own user namespace, which is the first.
pub(super) fn own() -> Option<u64> {
    Some(fs::metadata("/proc/self/ns/user").ok()?.ino())
}

/// What an operator should know of each workload that is a user with such uids.
pub fn warnings(config: &Config) -> Vec<String> {
    // No file, no ranges. What other sources say (subid: in nsswitch.conf) is not seen here.
    let text = fs::read(FILE).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let users = config.workloads.iter().filter_map(|(workload, found)| match &found.matcher {
        Match::User { name, uid } if has_range(&text, name, *uid) => Some((workload, name)),
        _ => None,
    });
    let lines = users.map(|(workload, name)| {
        format!(
            "workload {workload}: {FILE} gives the user {name} further uids, under which it can run programs that have no label: take the line out, or match by cgroup"
        )
    });
    lines.collect()
}

/// Whether a subuid(5) gives a user anything.
fn has_range(text: &str, name: &str, uid: u32) -> bool {
    text.lines().any(|line| {
        let mut fields = line.trim().split(':');
        let owner = fields.next().unwrap_or_default();
        let count = fields.nth(1).and_then(|count| count.trim().parse::<u64>().ok()).unwrap_or(0);
        count > 0 && (owner == name || owner.parse() == Ok(uid))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_in_the_first_user_namespace_is_nobodys_by_it() {
        assert_eq!(owner(std::process::id(), own().unwrap(), |_| true), None);
        assert_eq!(owner(std::process::id(), 0, |_| false), None);
    }

    #[test]
    fn a_range_is_found_by_name_and_by_uid_and_nothing_else_is_one() {
        let text = "# a comment\nbackup:100000:65536\n1007:200000:1\nempty:300000:0\nbroken\n:\n";
        assert!(has_range(text, "backup", 34));
        assert!(has_range(text, "ci", 1007));
        assert!(!has_range(text, "back", 3));
        assert!(!has_range(text, "empty", 3));
        assert!(!has_range(text, "broken", 3));
        assert!(!has_range("", "backup", 34));
    }
}
