//! `sluice check`: every error of the configuration and of the policies at once.

use std::path::Path;
use std::process::ExitCode;

use crate::config::{Config, Problem, Problems};
use crate::intercept;
use crate::policy::Policies;
use crate::record::text::printable;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print the errors as a JSON array.
    #[arg(long)]
    json: bool,
}

/// What `sluice run` would take, or everything that is wrong with it.
pub(super) fn load(path: &Path) -> Result<(Config, Policies), Problems> {
    let config = Config::load(path)?;
    let policies = Policies::load(&config, 0)?;
    // What only the kernel side can tell: patterns that do not go together.
    if let Err(error) = intercept::check(&config) {
        let help = "sluice run would refuse to start, or to reload";
        return Err(Problems::new(vec![Problem::whole_file(path, error.to_string(), help)]));
    }
    Ok((config, policies))
}

pub(super) fn run(path: &Path, arguments: Arguments) -> anyhow::Result<ExitCode> {
    match load(path) {
        Ok((config, policies)) => {
            for warning in intercept::warnings(&config) {
                eprintln!("warning: {}", printable(&warning));
            }
            if arguments.json {
                println!("[]");
            } else {
                println!(
                    "{} workloads, {} resources and {} policies are valid",
                    config.workloads.len(),
                    config.resources.len(),
                    policies.len()
                );
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(problems) => {
            report(&problems, arguments.json)?;
            Ok(ExitCode::from(1))
        }
    }
}

fn report(problems: &Problems, json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(problems)?);
    } else {
        eprintln!("{problems}");
    }
    Ok(())
}
