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

/// The cargo that runs this program.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
