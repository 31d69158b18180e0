//! `cargo xtask demo`: it shows what it says, and leaves nothing, also when it is interrupted.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::{Process, cgroup_root, require_root, sluice_bin};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

fn demo(log: &Path, arguments: &[&str]) -> Result<Process> {
    require_root()?;
    let xtask = sluice_bin()?.with_file_name("xtask");
    ensure!(xtask.exists(), "{} is not built: cargo build --bin xtask", xtask.display());
    let mut command = Command::new(xtask);
    // Its own group, as a terminal's foreground job is: an interrupt meets everything that it has started.
    command.arg("demo").args(arguments).current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).process_group(0);
    Process::start(&mut command, log)
}

/// Namespaces, cgroups and pins are named after the process that made them.
fn left_by(pid: u32) -> Result<Vec<PathBuf>> {
    let mine = format!("slt{pid}-");
    let folders = [PathBuf::from("/run/netns"), cgroup_root()?, PathBuf::from("/sys/fs/bpf")];
    let entries = folders.iter().flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten());
    Ok(entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&mine))
        .map(|entry| entry.path())
        .collect())
}

/// Whether anything of a process group is alive.
fn group_lives(group: u32) -> bool {
    killpg(Pid::from_raw(group.cast_signed()), None).is_ok()
}

#[test]
fn the_demonstration_shows_every_guardrail_and_ends_clean() -> Result<()> {
    let log = tempfile::NamedTempFile::new()?;
    let mut demo = demo(log.path(), &[])?;
    let ended = demo.wait(Duration::from_secs(300))?;
    let said = demo.output();
    ensure!(ended.success(), "{said}");
    for shown in
        ["no password supplied", "6789", "UPDATE 1", "destructive DDL is blocked", "Connection refused", "verify"]
    {
        ensure!(said.contains(shown), "{shown} is not in it:\n{said}");
    }
    let psql_output = said.split("The same psql, unchanged").nth(1).context("no masked select")?;
    ensure!(!psql_output.contains("123-45-6789"), "{said}");
    ensure!(left_by(demo.id())?.is_empty(), "{:?}", left_by(demo.id())?);
    ensure!(!group_lives(demo.id()));
    Ok(())
}

/// Starts it, interrupts it as soon as it has said `phase`, and looks at what is left.
fn interrupted(arguments: &[&str], phase: &str, code: i32) -> Result<()> {
    let log = tempfile::NamedTempFile::new()?;
    let mut demo = demo(log.path(), arguments)?;
    demo.ready("the demonstration", Duration::from_secs(300), || {
        std::fs::read_to_string(log.path()).is_ok_and(|said| said.contains(phase))
    })?;
    // What it makes first is there from its first words on, or is just being made.
    let begun = Instant::now();
    while left_by(demo.id())?.is_empty() {
        ensure!(begun.elapsed() < Duration::from_secs(20), "it makes nothing");
        std::thread::sleep(Duration::from_millis(5));
    }
    killpg(Pid::from_raw(demo.id().cast_signed()), Signal::SIGINT)?;
    let ended = demo.wait(Duration::from_secs(60))?;
    ensure!(ended.code() == Some(code), "{ended}: {}", demo.output());
    ensure!(left_by(demo.id())?.is_empty(), "{:?}", left_by(demo.id())?);
    ensure!(!group_lives(demo.id()), "{}", demo.output());
    Ok(())
}

#[test]
fn an_interrupted_demonstration_ends_clean() -> Result<()> {
    for phase in [
        "starting a PostgreSQL",
        "The gateway starts",
        "Writing rows",
        "Without the gateway nothing opens up",
        "What happened is recorded",
    ] {
        interrupted(&[], phase, 130).with_context(|| format!("interrupted at: {phase}"))?;
    }
    Ok(())
}

#[test]
fn a_demonstration_that_is_kept_ends_clean_when_it_is_interrupted() -> Result<()> {
    interrupted(&["--keep"], "It keeps running until Ctrl-C", 0)?;
    interrupted(&["--keep"], "Writing rows", 130)
}
