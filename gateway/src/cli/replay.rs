//! `sluice replay`: Shows a session again.

use std::path::Path;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}

pub(super) fn run(_config: &Path, _arguments: Arguments) -> anyhow::Result<ExitCode> {
    anyhow::bail!("replay is not built yet")
}
