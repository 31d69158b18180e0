//! `sluice detach`: the way out. After it every workload connects as if there had never been a gateway.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::config::Config;
use crate::intercept;

/// Removes every program, map and pin from the kernel and says which.
///
/// Labelled workloads connect directly from then on. The daemon has to be stopped first. Without anything to remove it
/// says so and succeeds.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The folder of pins, instead of the configuration's: for when that cannot be read.
    #[arg(long, value_name = "FOLDER")]
    pin_dir: Option<PathBuf>,
    /// Print a JSON array of what was removed.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(config: &Path, arguments: Arguments) -> Result<ExitCode> {
    anyhow::ensure!(nix::unistd::geteuid().is_root(), "only root can detach: sudo sluice detach");
    let folder = match arguments.pin_dir {
        Some(folder) => folder,
        None => {
            Config::load(config).context("name the folder by --pin-dir if the configuration is lost")?.intercept.pin_dir
        }
    };
    let removed = intercept::detach(&folder)?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&removed)?);
    } else if removed.is_empty() {
        println!("nothing was attached by {}", folder.display());
    } else {
        removed.iter().for_each(|line| println!("removed {line}"));
        println!("labelled workloads connect directly now");
    }
    Ok(ExitCode::SUCCESS)
}
