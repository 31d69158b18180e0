//! `sluice run`: Runs the daemon.

use std::path::Path;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}

pub(super) fn run(_config: &Path, _arguments: Arguments) -> anyhow::Result<ExitCode> {
    anyhow::bail!("run is not built yet")
}
