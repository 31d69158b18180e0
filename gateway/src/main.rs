//! The `sluice` binary: parse arguments, hand over to one command.

use std::process::ExitCode;

fn main() -> ExitCode {
    gateway::cli::main()
}
