//! `cargo xtask fuzz`: the targets of `fuzz/` by libFuzzer, with a nightly toolchain.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::build_ebpf::target;
use crate::packages;
use crate::shell::{cargo, run, say};

/// Every target: a file of that name in `fuzz/fuzz_targets`, a corpus and a dictionary.
const TARGETS: [&str; 4] = ["codec", "relay", "copy", "analysis"];

/// cargo-fuzz's version.
const VERSION: &str = "0.13.2";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Which one; all, one after the other.
    #[arg(value_parser = TARGETS)]
    target: Option<String>,
    /// How long each runs.
    #[arg(long, default_value_t = 600)]
    seconds: u32,
}

/// Runs them until the time is over or one has a finding, which is left in `fuzz/artifacts`.
///
/// What is new in a corpus that grew stays out of the repository, in `target/fuzz`: what is worth keeping is copied by hand.
pub(crate) fn run_task(arguments: &Arguments) -> Result<()> {
    packages::ensure(packages::BUILD)?;
    let nightly = Command::new("rustup").args(["run", "nightly", "rustc", "--version"]).output();
    if !nightly.is_ok_and(|output| output.status.success()) {
        bail!("fuzzing needs a nightly toolchain: rustup toolchain install nightly");
    }
    let tool = tool()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    // The gateway that is fuzzed is built of what the gateway is built of.
    let (lock, own) = (root.join("Cargo.lock"), root.join("fuzz/Cargo.lock"));
    fs::copy(&lock, &own).with_context(|| format!("cannot copy {} to {}", lock.display(), own.display()))?;
    for name in TARGETS {
        if arguments.target.as_deref().is_some_and(|only| only != name) {
            continue;
        }
        say(&format!("fuzzing {name} for {} s", arguments.seconds));
        let grown = target().join("fuzz").join(name);
        fs::create_dir_all(&grown).with_context(|| format!("cannot make {}", grown.display()))?;
        let mut fuzz = Command::new("rustup");
        fuzz.args(["run", "nightly"]).arg(&tool).args(["fuzz", "run", "--fuzz-dir"]).arg(root.join("fuzz"));
        // There is no unsafe code in what is fuzzed for a sanitizer to look at.
        fuzz.args(["--sanitizer", "none", name]).arg(&grown).arg(root.join("fuzz/corpus").join(name)).arg("--");
        fuzz.arg(format!("-max_total_time={}", arguments.seconds));
        fuzz.arg(format!("-dict={}", root.join("fuzz/dictionaries").join(name).display()));
        // One input that takes longer stalls a core's other sessions: it is a finding.
        fuzz.args(["-timeout=10", "-rss_limit_mb=4096", "-max_len=8192", "-print_final_stats=1"]);
        fuzz.current_dir(root).env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN");
        run(&mut fuzz)?;
    }
    Ok(())
}

/// cargo-fuzz of the right version: the one that was installed before, or installed now.
fn tool() -> Result<PathBuf> {
    let folder = target().join("cargo-fuzz");
    let own = folder.join("bin/cargo-fuzz");
    let version = Command::new(&own).args(["fuzz", "--version"]).output();
    if !version.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(VERSION)) {
        say(&format!("building cargo-fuzz {VERSION}: a minute"));
        let mut install = cargo();
        install.args(["install", "cargo-fuzz", "--quiet", "--locked", "--version", VERSION, "--root"]).arg(&folder);
        run(&mut install)?;
    }
    Ok(own)
}
