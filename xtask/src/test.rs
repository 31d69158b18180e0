//! `cargo xtask test`: format, lints, unit tests, and the end-to-end suites as root. Nothing skips.

use std::process::Command;

use anyhow::{Result, bail};

use crate::shell::{cargo, run, say};
use crate::{build_ebpf, packages, regress};

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
    let mut suites = cargo();
    // One test at a time in a suite: each owns programs at the root of the cgroup tree, and two cores are soon full.
    suites.args(["test", "--package", "sluice-tests", "--no-fail-fast"]);
    for suite in &arguments.suites {
        suites.args(["--test", suite]);
    }
    step("end-to-end suites", suites.args(["--", "--test-threads", "1"]))
}

fn step(name: &str, command: &mut Command) -> Result<()> {
    say(name);
    run(command)
}
