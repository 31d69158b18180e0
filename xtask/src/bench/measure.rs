//! The rows: what each measures, and how.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use harness::{Postgres, run_within};

use super::contestants::Contestant;

/// How long one turn may take at most.
const PATIENCE: Duration = Duration::from_secs(300);

/// A kind of work.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    work: Work,
}

#[derive(Debug)]
enum Work {
    /// pgbench's select-only script: (query mode, clients).
    Select(&'static str, u32),
    /// Connect, one query, close: clients.
    Connect(u32),
    /// COPY of the big table to the client.
    Copy,
    /// The same as a select with one client: this percentile of the times.
    Latency(usize),
}

pub(super) const ROWS: [Row; 8] = [
    Row { name: "select, simple, 1 client", work: Work::Select("simple", 1) },
    Row { name: "select, simple, 16 clients", work: Work::Select("simple", 16) },
    Row { name: "select, prepared, 1 client", work: Work::Select("prepared", 1) },
    Row { name: "select, prepared, 16 clients", work: Work::Select("prepared", 16) },
    Row { name: "connect, query, close", work: Work::Connect(4) },
    Row { name: "COPY out", work: Work::Copy },
    Row { name: "p50 of 1 client", work: Work::Latency(50) },
    Row { name: "p99 of 1 client", work: Work::Latency(99) },
];

/// Fills the database.
pub(super) fn prepare(server: &Postgres, copy_mb: u32) -> Result<()> {
    let direct = super::contestants::Direct::new(server);
    let mut init = direct.client("pgbench");
    run_within(PATIENCE, init.args(["-i", "-s", "10", "-q"]))?.success()?;
    server.admin("create table users (id int, ssn text)")?;
    if copy_mb > 0 {
        // A row is 100 bytes of text and its end.
        let rows = u64::from(copy_mb).saturating_mul(1_000_000) / 101;
        server.admin(&format!(
            "create unlogged table big as select repeat('x', 100) as line from generate_series(1, {rows});
             grant select on big to public"
        ))?;
        server.admin("select count(*) from big")?;
    }
    server.admin("grant all on all tables in schema public to public")?;
    Ok(())
}

impl Row {
    pub(super) fn is_copy(&self) -> bool {
        matches!(self.work, Work::Copy)
    }

    /// Whether a smaller number is better.
    pub(super) fn is_time(&self) -> bool {
        matches!(self.work, Work::Latency(_))
    }

    /// One turn: transactions, connections or copies a second, or a time in us.
    pub(super) fn measure(&self, contestant: &dyn Contestant, seconds: u32) -> Result<f64> {
        let seconds = seconds.to_string();
        match self.work {
            Work::Select(mode, clients) => {
                let clients = clients.to_string();
                tps(contestant, &["-S", "-M", mode, "-c", &clients, "-j", "2", "-T", &seconds])
            }
            Work::Connect(clients) => {
                let clients = clients.to_string();
                let script = tempfile::NamedTempFile::new()?;
                fs::write(script.path(), "select 1;\n")?;
                let file = script.path().display().to_string();
                tps(contestant, &["-C", "-f", &file, "-c", &clients, "-j", "2", "-T", &seconds])
            }
            Work::Copy => {
                let mut psql = contestant.client("psql");
                let before = Instant::now();
                run_within(PATIENCE, psql.args(["-X", "-q", "-o", "/dev/null", "-c", "copy big to stdout"]))?
                    .success()?;
                Ok(1.0 / before.elapsed().as_secs_f64())
            }
            Work::Latency(percentile) => latency(contestant, &seconds, percentile),
        }
    }
}

fn tps(contestant: &dyn Contestant, arguments: &[&str]) -> Result<f64> {
    let mut pgbench = contestant.client("pgbench");
    let said = run_within(PATIENCE, pgbench.arg("-n").args(arguments))?.success()?;
    let line = said.lines().find(|line| line.starts_with("tps = ")).with_context(|| said.clone())?;
    let number = line.split_whitespace().nth(2).with_context(|| said.clone())?;
    number.parse().with_context(|| said.clone())
}

fn latency(contestant: &dyn Contestant, seconds: &str, percentile: usize) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let prefix = folder.path().join("log").display().to_string();
    tps(contestant, &["-S", "-M", "simple", "-c", "1", "-T", seconds, "-l", "--log-prefix", &prefix])?;
    let mut times: Vec<u64> = Vec::new();
    for entry in fs::read_dir(folder.path())? {
        let text = fs::read_to_string(entry?.path())?;
        // client transaction time ...
        times.extend(text.lines().filter_map(|line| line.split(' ').nth(2)?.parse::<u64>().ok()));
    }
    times.sort_unstable();
    let at = times.len().saturating_mul(percentile) / 100;
    let time = times.get(at.min(times.len().saturating_sub(1))).context("pgbench logged no transaction")?;
    Ok(*time as f64)
}
