//! The command line: one file a subcommand. Exit 0 for success, 1 for failure, 2 for usage.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its caller")]

mod ca;
mod check;
mod detach;
mod explain;
mod recordings;
mod replay;
mod run;
mod sessions;
mod status;
mod verify;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Guardrails in the data path for non-human identities.
///
/// Sluice redirects the outbound connections of labelled workloads to a gateway on the same node, which decides on
/// every command, masks what they may not see, injects the real credential and leaves a recording.
#[derive(Debug, Parser)]
#[command(name = "sluice", version, max_term_width = 110)]
struct Arguments {
    /// The configuration.
    #[arg(long, global = true, value_name = "FILE", default_value = "/etc/sluice/gateway.toml")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the daemon.
    Run(run::Arguments),
    /// Validates the configuration and the policies, and prints every error.
    Check(check::Arguments),
    /// Shows what the running daemon does; exits 0 when it serves.
    Status(status::Arguments),
    /// Shows the verdict on a command, the policies behind it, the columns it reads and their masks.
    Explain(explain::Arguments),
    /// Lists sessions.
    Sessions(sessions::Arguments),
    /// Shows a session again.
    Replay(replay::Arguments),
    /// Checks recordings; exits 1 and names what was changed, cut or removed.
    Verify(verify::Arguments),
    /// Removes every program, map and pin from the kernel and says which.
    Detach(detach::Arguments),
    /// Prints the node CA's certificate and how to make workloads trust it.
    Ca(ca::Arguments),
}

/// Parses the process's arguments, runs the command and turns its error into a message and an exit code.
pub fn main() -> ExitCode {
    // clap exits with 2 on a usage error by itself.
    let arguments = Arguments::parse();
    let config: &Path = &arguments.config;
    let done = match arguments.command {
        Command::Run(a) => run::run(config, a),
        Command::Check(a) => check::run(config, a),
        Command::Status(a) => status::run(config, a),
        Command::Explain(a) => explain::run(config, a),
        Command::Sessions(a) => sessions::run(config, a),
        Command::Replay(a) => replay::run(config, a),
        Command::Verify(a) => verify::run(config, a),
        Command::Detach(a) => detach::run(config, a),
        Command::Ca(a) => ca::run(config, a),
    };
    done.unwrap_or_else(|error| {
        eprintln!("sluice: {error:#}");
        ExitCode::from(1)
    })
}
