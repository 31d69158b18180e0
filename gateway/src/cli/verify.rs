//! `sluice verify`: Checks recordings.

use std::path::Path;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}

pub(super) fn run(_config: &Path, _arguments: Arguments) -> anyhow::Result<ExitCode> {
    anyhow::bail!("verify is not built yet")
}
