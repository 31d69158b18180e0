//! Running other programs: said before, checked after.

use std::process::Command;

use anyhow::{Context, Result, bail};

/// Says on standard error what is about to happen.
pub(crate) fn say(what: &str) {
    #[expect(clippy::print_stderr, reason = "a command line talks to its caller")]
    {
        eprintln!("xtask: {what}");
    }
}

/// Runs a program with this process's own standard streams.
///
/// # Errors
/// It cannot be started or fails; the message holds its command line.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = line(command);
    let status = command.status().with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed: {status}");
    }
    Ok(())
}

/// Runs a program and returns what it printed.
///
/// # Errors
/// It cannot be started, fails, or prints no text; the message holds its command line and its errors.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let line = line(command);
    let output = command.output().with_context(|| format!("cannot start `{line}`"))?;
    if !output.status.success() {
        bail!("`{line}` failed: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{line}` printed something that is no text"))
}

/// The cargo that runs this program.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
