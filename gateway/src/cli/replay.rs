//! `sluice replay`: a session again, as it was recorded.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, Utc};

use super::recordings;
use crate::config::Config;
use crate::record::again::Recent;
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
    let shown = printable(&path.display().to_string());
    let mut reader = Reader::open(&path).with_context(|| shown.clone())?;
    let (mut last, mut closed, mut recent) = (None, false, Recent::default());
    loop {
        let entry = match reader.next_entry() {
            Ok(Some(entry)) => recent.whole(entry),
            Ok(None) => {
                if !closed {
                    eprintln!("sluice: not closed: the session still runs, or the daemon ended under it");
                }
                return Ok(ExitCode::SUCCESS);
            }
            Err(broken) => bail!("{shown} {broken}; what is above is as it was written"),
        };
        if let (Some(speed), Some(last)) = (arguments.speed, last) {
            std::thread::sleep(pause(entry.at.saturating_sub(last), speed));
        }
        last = Some(entry.at);
        closed = matches!(entry.body, Body::Closed { .. });
        match arguments.format {
            Format::Json => println!("{}", serde_json::to_string(&entry)?),
            Format::Text => print(&entry),
        }
    }
}

/// How long `micros` microseconds take at `speed`. What is too long to be a duration is too long to wait for.
fn pause(micros: u64, speed: f64) -> Duration {
    let long = Duration::from_micros(micros).as_secs_f64() / speed;
    Duration::try_from_secs_f64(long).unwrap_or(MAX_PAUSE).min(MAX_PAUSE)
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
        // What it names is not there: nothing that this program wrote.
        Body::Again { id, of, .. } => println!("{time}  #{} is #{} again, which is missing", id.0, of.0),
        Body::Finished { id, outcome } => finished(&time, id.0, outcome),
        Body::Note { text } => println!("{time}  note {}", printable(text)),
        Body::Closed { commands } => println!("{time}  closed after {commands} commands"),
        // An index's.
        other => println!("{time}  {}", printable(&format!("{other:?}"))),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_speed_makes_a_pause_that_cannot_be_waited_for() {
        assert_eq!(pause(2_000_000, 2.0), Duration::from_secs(1));
        for slow in [1e-20, f64::MIN_POSITIVE, 1e-300] {
            assert_eq!(pause(1_000_000, slow), MAX_PAUSE);
        }
        assert_eq!(pause(u64::MAX, f64::MAX), Duration::ZERO);
        assert_eq!(pause(0, f64::MIN_POSITIVE), Duration::ZERO);
    }
}
