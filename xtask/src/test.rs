//! `cargo xtask test`: format, lints, unit tests, and the end-to-end suites as root. Nothing skips.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::shell::{cargo, run, say};
use crate::{build_ebpf, packages, regress};

/// The suites that touch nothing of the node's: what they drive is in their own process or on loopback. Their tests run
/// beside each other; those of any other suite own programs at the root of the cgroup tree, and run alone.
const BESIDE: &[&str] = &[
    "builtin",
    "catalog",
    "copy_masks",
    "corpus",
    "differential",
    "extensions",
    "hostile_server",
    "names",
    "postgres_copies",
    "postgres_literals",
    "postgres_pipeline",
    "postgres_relay",
    "postgres_startup",
    "postgres_waits",
];

/// How many tests run beside each other: most of them wait most of the time, and the smallest machine has two cores.
const THREADS: &str = "4";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only these end-to-end suites (`tests/tests/NAME.rs`), without format, lints and unit tests.
    #[arg(value_name = "SUITE")]
    suites: Vec<String>,
}

pub(crate) fn run_all(arguments: Arguments) -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!(
            "the end-to-end suites load eBPF programs and make network namespaces: run this as root (sudo -E cargo xtask test)"
        );
    }
    packages::ensure(packages::BUILD)?;
    packages::ensure(packages::SUITES)?;
    regress::prepare()?;
    if arguments.suites.is_empty() {
        step("format", cargo().args(["fmt", "--all", "--", "--check"]))?;
        step("lints", cargo().args(["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
        step("unit tests", cargo().args(["test", "--quiet"]))?;
    }
    say("eBPF programs");
    build_ebpf::run_task(&build_ebpf::Arguments::default())?;
    step("the program under test", cargo().args(["build", "--quiet", "--workspace", "--bins"]))?;
    let suites = if arguments.suites.is_empty() {
        step("the harness", cargo().args(["test", "--quiet", "--package", "sluice-tests", "--lib"]))?;
        all_suites()?
    } else {
        arguments.suites
    };
    let (beside, alone): (Vec<_>, Vec<_>) = suites.into_iter().partition(|suite| BESIDE.contains(&suite.as_str()));
    // What fails is told at the end, so that one failure does not hide the next.
    let ended = [(beside, THREADS), (alone, "1")].map(|(suites, threads)| end_to_end(&suites, threads));
    ended.into_iter().collect()
}

/// The end-to-end suites there are.
fn all_suites() -> Result<Vec<String>> {
    let folder = build_ebpf::root().join("tests/tests");
    let mut suites = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            suites.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    suites.sort();
    Ok(suites)
}

fn end_to_end(suites: &[String], threads: &str) -> Result<()> {
    if suites.is_empty() {
        return Ok(());
    }
    let mut command = cargo();
    command.args(["test", "--package", "sluice-tests", "--no-fail-fast"]);
    for suite in suites {
        command.args(["--test", suite]);
    }
    step(&format!("end-to-end suites: {}", suites.join(", ")), command.args(["--", "--test-threads", threads]))
}

fn step(name: &str, command: &mut Command) -> Result<()> {
    say(name);
    run(command)
}
