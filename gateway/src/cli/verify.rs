//! `sluice verify`: whether recordings are as they were written.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::config::Config;
use crate::record::text::printable;
use crate::record::verify::{Known, verify};
use crate::record::{Day, Mark, folder};

/// Checks recordings against themselves, against their day's index, and the indexes against each other. Exits 1 and
/// names what was changed, cut or removed.
///
/// Without a path, all recordings of this node. A recording that is not closed belongs to a session that still runs,
/// or to one under which the daemon ended: everything that it forwarded is in there. The last line says how far the
/// newest index has come; kept elsewhere and given as --anchor later, it shows whether anything up to there was removed.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A recording, a day's folder (named as the day), or a folder of days.
    path: Option<PathBuf>,
    /// How far an index had come, from the daemon's log or an earlier check. Can be given more than once.
    #[arg(long, value_name = "DAY/ENTRIES/HASH")]
    anchor: Vec<Mark>,
    /// Do not miss what is older: it was removed on purpose.
    #[arg(long, value_name = "DAY")]
    from: Option<Day>,
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
    let known = Known { anchors: arguments.anchor, from: arguments.from };
    let shown = |path: &Path| printable(&path.display().to_string());
    let findings = verify(&path, &known, &mut progress).with_context(|| format!("cannot read {}", shown(&path)))?;
    if arguments.json {
        let faults: Vec<serde_json::Value> = findings
            .faults
            .iter()
            .map(|(file, fault)| serde_json::json!({ "file": file.to_string_lossy(), "fault": fault.to_string() }))
            .collect();
        let paths =
            |paths: &[PathBuf]| paths.iter().map(|path| path.to_string_lossy().into_owned()).collect::<Vec<_>>();
        let all = serde_json::json!({
            "sealed": findings.sealed,
            "abandoned": findings.abandoned,
            "open": paths(&findings.open),
            "torn": paths(&findings.torn),
            "faults": faults,
            "newest": findings.newest.as_ref().map(ToString::to_string),
        });
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        println!("{} recordings are whole and closed, {} are whole and open", findings.sealed, findings.open.len());
        if findings.abandoned > 0 {
            println!("{} are whole up to where the daemon or the disk ended them", findings.abandoned);
        }
        for file in &findings.torn {
            println!("{}: is open and torn: it ends within an entry, as a write does that did not end", shown(file));
        }
        for (file, fault) in &findings.faults {
            println!("{}: {}", shown(file), printable(&fault.to_string()));
        }
        if let Some(newest) = &findings.newest {
            println!("the newest index has come to {newest}");
        }
    }
    Ok(if findings.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
