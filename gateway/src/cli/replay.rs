//! `sluice replay`: a session again, as it was recorded.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use chrono::{DateTime, Utc};

use super::recordings;
use crate::config::Config;
use crate::record::chain::Reader;
use crate::record::entry::{Body, Entry, Opened, Outcome};
use crate::record::folder;
use crate::record::text::printable;

/// The longest pause that `--speed` keeps.
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// Shows a session again: every command, its verdict, why, and how it ended. Masked values are masked here too.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The session's id, or so much of its beginning or end that it is the only one.
    session: String,
    /// How to print it: `text` for people, `json` for one object an entry.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Keep the pauses between entries, divided by this; without it there are none.
    #[arg(long, value_name = "N", value_parser = speed)]
    speed: Option<f64>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

fn speed(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if number.is_finite() && number > 0.0 { Ok(number) } else { Err("has to be more than 0".to_owned()) }
}

pub(super) fn run(config: &Path, arguments: Arguments) -> Result<ExitCode> {
    let config = Config::load(config)?;
    let path = recordings::find(&folder(&config.state_dir), &arguments.session)?;
    let mut reader = Reader::new(BufReader::new(File::open(&path)?));
    let mut last = None;
    loop {
        let entry = match reader.next_entry() {
            Ok(Some(entry)) => entry,
            Ok(None) => return Ok(ExitCode::SUCCESS),
            Err(broken) => bail!("{} {broken}; what is above is as it was written", path.display()),
        };
        if let (Some(speed), Some(last)) = (arguments.speed, last) {
            let pause = Duration::from_micros(entry.at.saturating_sub(last)).min(MAX_PAUSE);
            std::thread::sleep(pause.div_f64(speed));
        }
        last = Some(entry.at);
        match arguments.format {
            Format::Json => println!("{}", serde_json::to_string(&entry)?),
            Format::Text => print(&entry),
        }
    }
}

fn print(entry: &Entry<'_>) {
    let micros = i64::try_from(entry.at).unwrap_or(i64::MAX);
    let time = DateTime::<Utc>::from_timestamp_micros(micros).map(|t| t.format("%H:%M:%S%.3f").to_string());
    let time = time.unwrap_or_else(|| "?".to_owned());
    match &entry.body {
        Body::Opened { session, .. } => opened(&time, session),
        Body::Command { id, kind, text, verdict, reason, policies, masks, parameters, .. } => {
            println!("{time}  #{} {:<8} {} {}", id.0, printable(verdict), printable(kind), printable(text));
            for (number, value) in (1..).zip(parameters.iter()) {
                println!("{:14}${number} = {}", "", value.as_deref().map_or("NULL".to_owned(), printable));
            }
            if let Some(reason) = reason {
                println!("{:14}because {}", "", printable(reason));
            }
            if !policies.is_empty() {
                let ids: Vec<String> = policies.iter().map(|id| printable(id)).collect();
                println!("{:14}by {}", "", ids.join(", "));
            }
            for (object, mask) in masks.iter() {
                println!("{:14}masked {} {}", "", printable(object), printable(&mask.to_string()));
            }
        }
        Body::Finished { id, outcome } => finished(&time, id.0, outcome),
        Body::Note { text } => println!("{time}  note {}", printable(text)),
        Body::Closed { commands } => println!("{time}  closed after {commands} commands"),
        Body::Day { .. } | Body::Begun { .. } | Body::Sealed { .. } => println!("{time}  {:?}", entry.body),
    }
}

fn opened(time: &str, session: &Opened) {
    println!(
        "{time}  session {} of {}, pid {}, uid {}",
        session.id,
        printable(&session.workload),
        session.pid,
        session.uid
    );
    let resource = session.resource.as_deref().map_or("no resource".to_owned(), printable);
    println!("{:14}from {} to {}, {resource}", "", session.client, session.destination);
}

fn finished(time: &str, id: u64, outcome: &Outcome) {
    let Outcome { tag, rows, bytes, error, masked } = outcome;
    match error {
        Some(code) => println!("{time}  #{id} failed with {}", printable(code)),
        None => println!("{time}  #{id} {}: {rows} rows, {bytes} bytes, {masked} values masked", printable(tag)),
    }
}
