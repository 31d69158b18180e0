//! Where a command runs: in which cgroup, in which network namespace, as whom.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::User;

use crate::{Cgroup, Netns};

/// A way to start programs somewhere. The program is inside before its own first instruction.
#[derive(Clone, Debug, Default)]
pub struct Place {
    netns: Option<String>,
    cgroup: Option<PathBuf>,
    user: Option<String>,
    resolv_conf: Option<PathBuf>,
}

impl Place {
    /// Where the caller is.
    #[must_use]
    pub fn here() -> Self {
        Self::default()
    }

    /// In a network namespace.
    #[must_use]
    pub fn netns(mut self, netns: &Netns) -> Self {
        self.netns = Some(netns.name().to_owned());
        self
    }

    /// In a cgroup.
    #[must_use]
    pub fn cgroup(mut self, cgroup: &Cgroup) -> Self {
        self.cgroup = Some(cgroup.path().to_owned());
        self
    }

    /// As a user of the node, with that user's groups.
    #[must_use]
    pub fn user(mut self, name: &str) -> Self {
        self.user = Some(name.to_owned());
        self
    }

    /// With another `/etc/resolv.conf`, in a mount namespace of its own.
    #[must_use]
    pub fn resolv_conf(mut self, file: &Path) -> Self {
        self.resolv_conf = Some(file.to_owned());
        self
    }

    /// The program, there; without the caller's libpq settings.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        // A user that does not exist is setpriv's error, when it runs.
        let known = self.user.as_deref().and_then(|name| User::from_name(name).ok().flatten());
        let group = known.map(|user| user.gid.to_string()).unwrap_or_default();
        let mut words: Vec<&OsStr> = Vec::new();
        if let Some(cgroup) = &self.cgroup {
            // 0 is the writer itself; what it executes stays inside.
            let join = r#"echo 0 >"$0"/cgroup.procs || exit 125; exec "$@""#;
            words.extend([OsStr::new("/bin/sh"), OsStr::new("-c"), OsStr::new(join), cgroup.as_os_str()]);
        }
        if let Some(netns) = &self.netns {
            words.extend(["ip", "netns", "exec", netns.as_str()].map(OsStr::new));
        }
        if let Some(file) = &self.resolv_conf {
            let mount = r#"mount --bind "$0" /etc/resolv.conf || exit 125; exec "$@""#;
            words.extend(["unshare", "--mount", "--propagation", "slave", "/bin/sh", "-c", mount].map(OsStr::new));
            words.push(file.as_os_str());
        }
        if let Some(user) = &self.user {
            words.extend(["setpriv", "--reuid", user, "--regid", &group, "--init-groups", "--"].map(OsStr::new));
        }
        words.push(program.as_ref());
        let (first, rest) = words.split_first().map_or((OsStr::new("false"), &[][..]), |(first, rest)| (*first, rest));
        let mut command = Command::new(first);
        command.args(rest);
        for (key, _) in std::env::vars_os().filter(|(key, _)| key.as_encoded_bytes().starts_with(b"PG")) {
            command.env_remove(key);
        }
        command
    }
}
