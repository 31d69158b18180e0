//! `sluice verify`: whether recordings are as they were written.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::config::Config;
use crate::record::folder;
use crate::record::verify::verify;

/// Checks recordings against themselves and against their day's index. Exits 1 and names what was changed, cut or
/// removed.
///
/// Without a path, all recordings of this node. A recording that is not closed belongs to a session that still runs,
/// or to one under which the daemon ended: everything that it forwarded is in there.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A recording, a day's folder, or a folder of days.
    path: Option<PathBuf>,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(config: &Path, arguments: Arguments) -> Result<ExitCode> {
    let path = match arguments.path {
        Some(path) => path,
        None => folder(&Config::load(config)?.state_dir),
    };
    let (started, mut files, mut said) = (Instant::now(), 0u64, Duration::ZERO);
    let mut progress = |_: &Path| {
        files = files.saturating_add(1);
        if started.elapsed() >= said.saturating_add(Duration::from_secs(1)) {
            said = started.elapsed();
            eprintln!("sluice: {files} recordings read");
        }
    };
    let findings = verify(&path, &mut progress).with_context(|| format!("cannot read {}", path.display()))?;
    if arguments.json {
        let faults: Vec<serde_json::Value> = findings
            .faults
            .iter()
            .map(|(file, fault)| serde_json::json!({ "file": file, "fault": fault.to_string() }))
            .collect();
        let all = serde_json::json!({ "sealed": findings.sealed, "open": findings.open, "faults": faults });
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        println!("{} recordings are whole and closed, {} are whole and open", findings.sealed, findings.open.len());
        for (file, fault) in &findings.faults {
            println!("{}: {fault}", file.display());
        }
    }
    Ok(if findings.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
