//! `sluice run`: the daemon.

mod bypass;
mod cores;
mod daemon;
mod names;
mod rate;
mod register;
mod resolve;

use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use tracing_subscriber::EnvFilter;

/// Runs the daemon, until SIGTERM or SIGINT; SIGHUP reads configuration and policies again.
///
/// Labelled workloads stay refused after it ends, however it ends: `sluice detach` opens the node. Errors of a reload
/// are logged and shown by `sluice status`, and what ran before goes on. SLUICE_LOG chooses what is logged:
/// `info` by default, or as in `debug,rustls=info`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}

pub(super) fn run(config: &Path, _arguments: Arguments) -> Result<ExitCode> {
    log()?;
    // Passwords and keys are in this process's memory: no core of it is written, and none but root looks into it.
    nix::sys::prctl::set_dumpable(false).context("the process's memory cannot be kept from others")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(daemon::run(config))?;
    Ok(ExitCode::SUCCESS)
}

/// Text for people, JSON for whatever collects it.
fn log() -> Result<()> {
    let filter = EnvFilter::builder()
        .with_default_directive(tracing::Level::INFO.into())
        .with_env_var("SLUICE_LOG")
        .from_env()
        .context("SLUICE_LOG cannot be read: write a level, or target=level pairs")?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        subscriber.init();
    } else {
        subscriber.json().init();
    }
    Ok(())
}
