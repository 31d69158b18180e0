//! Debian's and Ubuntu's packages that a task needs: installed where they are missing.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::shell::{run, say};

/// What the userspace crates build with: pg_query compiles C and reads its headers through libclang.
pub(crate) const BUILD: &[&str] = &["build-essential", "libclang-dev"];

/// The real parts that the end-to-end suites drive.
pub(crate) const SUITES: &[&str] = &[
    "bpftool",
    "iproute2",
    "nftables",
    "openssl",
    "pgbouncer",
    "postgresql",
    "python3-psycopg2",
    "tcpdump",
    "util-linux",
];

/// What the demonstration shows itself with.
pub(crate) const DEMO: &[&str] = &["iproute2", "openssl", "postgresql", "util-linux"];

/// Installs those of `packages` that are missing.
///
/// # Errors
/// Something is missing and this is not root, or apt-get fails, or there is none; the message says what to install.
pub(crate) fn ensure(packages: &[&str]) -> Result<()> {
    let missing: Vec<&str> = packages.iter().copied().filter(|package| !installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let line = format!("apt-get install {}", missing.join(" "));
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("missing: {}. This machine has no apt-get: install what they are called here", missing.join(", "));
    }
    if !nix::unistd::geteuid().is_root() {
        bail!("missing: {}. As root: {line}", missing.join(", "));
    }
    say(&format!("installing {}", missing.join(", ")));
    // A server that the package starts by itself would hold a port and a core that the suites want.
    let mut install = Command::new("apt-get");
    install.env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
    install.args(["install", "-y", "-qq", "--no-install-recommends"]).args(&missing);
    if run(&mut install).is_err() {
        // No package lists, or old ones.
        run(Command::new("apt-get").args(["update", "-qq"]))?;
        run(&mut install)?;
    }
    Ok(())
}

fn installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    query.args(["-W", "-f", "${Status}", package]);
    query.output().is_ok_and(|output| output.stdout.ends_with(b"ok installed"))
}
