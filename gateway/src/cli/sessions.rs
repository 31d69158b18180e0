//! `sluice sessions`: what was recorded.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::recordings;
use crate::config::Config;
use crate::record::text::printable;
use crate::record::{Opened, SessionId, folder};

/// How often `--follow` looks for new sessions.
const POLL: Duration = Duration::from_millis(500);

/// Lists sessions, the oldest first: id, workload, resource, process, and where it wanted to go.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only this workload's.
    #[arg(long, value_name = "NAME")]
    workload: Option<String>,
    /// Only this resource's; `unlisted` for destinations that are none.
    #[arg(long, value_name = "NAME")]
    resource: Option<String>,
    /// Only what began since then: 15m, 2h, 1d, or a time such as 2026-01-31T12:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<SystemTime>,
    /// Go on, and print sessions as they begin.
    #[arg(long)]
    follow: bool,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(config: &Path, arguments: Arguments) -> Result<ExitCode> {
    let config = Config::load(config)?;
    let folder = folder(&config.state_dir);
    let mut seen = Seen::default();
    loop {
        for (id, path) in recordings::all(&folder)? {
            if seen.done.contains(&id) {
                continue;
            }
            match recordings::opened(&path) {
                Ok(None) if arguments.follow && seen.is_first_look(&id) => continue,
                Ok(Some(session)) if arguments.wants(&session) => print(&session, arguments.json)?,
                Ok(Some(_)) => {}
                // One damaged file does not hide the others.
                Ok(None) => eprintln!("sluice: {} has no first entry", printable(&path.display().to_string())),
                Err(error) => eprintln!("sluice: {}", printable(&format!("{error:#}"))),
            }
            seen.done.insert(id);
        }
        if !arguments.follow {
            return Ok(ExitCode::SUCCESS);
        }
        std::thread::sleep(POLL);
    }
}

/// Which recordings were dealt with.
#[derive(Debug, Default)]
struct Seen {
    done: BTreeSet<SessionId>,
    /// Those that had no entry yet: a recording is made, and written a moment later.
    unwritten: BTreeSet<SessionId>,
}

impl Seen {
    fn is_first_look(&mut self, id: &SessionId) -> bool {
        self.unwritten.insert(id.clone())
    }
}

impl Arguments {
    fn wants(&self, session: &Opened) -> bool {
        let resource = session.resource.as_deref().unwrap_or(crate::config::UNLISTED);
        self.workload.as_deref().is_none_or(|name| name == &*session.workload)
            && self.resource.as_deref().is_none_or(|name| name == resource)
            && self.since.is_none_or(|since| session.started >= since)
    }
}

fn print(session: &Opened, json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string(session)?);
        return Ok(());
    }
    let resource = session.resource.as_deref().unwrap_or("-");
    let mode = if session.observe { " observed" } else { "" };
    println!(
        "{}  {}  {}  pid {}  to {}{mode}",
        session.id,
        printable(&session.workload),
        printable(resource),
        session.pid,
        session.destination
    );
    Ok(())
}

/// A time, or how long ago.
pub(super) fn since(text: &str) -> Result<SystemTime, String> {
    ago(text)
        .or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|time| time.with_timezone(&Utc).into()))
        .ok_or_else(|| "write 15m, 2h, 1d, or a time such as 2026-01-31T12:00:00Z".to_owned())
}

fn ago(text: &str) -> Option<SystemTime> {
    let unit = text.chars().last()?;
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    let seconds = match unit {
        's' => number,
        'm' => number.checked_mul(60)?,
        'h' => number.checked_mul(3600)?,
        'd' => number.checked_mul(86_400)?,
        _ => return None,
    };
    SystemTime::now().checked_sub(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_time_or_how_long_ago() -> Result<()> {
        let hour = since("1h").map_err(anyhow::Error::msg)?;
        let age = SystemTime::now().duration_since(hour).context("in the past")?;
        assert!((3600..3700).contains(&age.as_secs()));
        assert!(since("2026-01-31T12:00:00+01:00").is_ok());
        for bad in ["", "h", "1", "-1h", "1y", "99999999999999999999d", "2026-01-31", "1ü"] {
            assert!(since(bad).is_err(), "{bad}");
        }
        Ok(())
    }
}
