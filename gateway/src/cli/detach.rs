//! `sluice detach`: Removes everything from the kernel.

use std::path::Path;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}

pub(super) fn run(_config: &Path, _arguments: Arguments) -> anyhow::Result<ExitCode> {
    anyhow::bail!("detach is not built yet")
}
