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
    /// A row by its key, with a column that the gateway masks: (query mode, clients).
    Masked(&'static str, u32),
    /// COPY of this table to the client.
    Copy(&'static str),
    /// The same as a select with one client: this percentile of the times.
    Latency(usize),
}

/// How many people the table with the masked column has.
const PEOPLE: u32 = 100_000;

pub(super) const ROWS: [Row; 12] = [
    Row { name: "select, simple, 1 client", work: Work::Select("simple", 1) },
    Row { name: "select, simple, 16 clients", work: Work::Select("simple", 16) },
    Row { name: "select, prepared, 1 client", work: Work::Select("prepared", 1) },
    Row { name: "select, prepared, 16 clients", work: Work::Select("prepared", 16) },
    Row { name: "connect, query, close", work: Work::Connect(4) },
    Row { name: "select of a masked column, simple, 1 client", work: Work::Masked("simple", 1) },
    Row { name: "select of a masked column, simple, 16 clients", work: Work::Masked("simple", 16) },
    Row { name: "select of a masked column, prepared, 16 clients", work: Work::Masked("prepared", 16) },
    Row { name: "COPY out", work: Work::Copy("big") },
    Row { name: "COPY out with a masked column", work: Work::Copy("masked") },
    Row { name: "p50 of 1 client", work: Work::Latency(50) },
    Row { name: "p99 of 1 client", work: Work::Latency(99) },
];

/// Fills the database.
pub(super) fn prepare(server: &Postgres, copy_mb: u32) -> Result<()> {
    let direct = super::contestants::Direct::new(server);
    let mut init = direct.client("pgbench");
    run_within(PATIENCE, init.args(["-i", "-s", "10", "-q"]))?.success()?;
    server.admin(&format!(
        "create table users (id int primary key, name text, ssn text);
         insert into users select n, 'somebody', to_char(n, 'FM000-00-0000') from generate_series(1, {PEOPLE}) n;
         analyze users"
    ))?;
    if copy_mb > 0 {
        // A row is 100 bytes of text and its end.
        let rows = u64::from(copy_mb).saturating_mul(1_000_000) / 101;
        server.admin(&format!(
            "create unlogged table big as select repeat('x', 100) as line from generate_series(1, {rows});
             create unlogged table masked as
                 select repeat('x', 44) as before, '123-45-6789' as ssn, repeat('x', 43) as after from big"
        ))?;
        server.admin("select count(*) from big, (select count(*) from masked) m")?;
    }
    server.admin("grant all on all tables in schema public to public")?;
    Ok(())
}

impl Row {
    pub(super) fn is_copy(&self) -> bool {
        matches!(self.work, Work::Copy(_))
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
                let script = Script::new("select 1;\n")?;
                tps(contestant, &["-C", "-f", &script.path(), "-c", &clients, "-j", "2", "-T", &seconds])
            }
            Work::Masked(mode, clients) => {
                let clients = clients.to_string();
                let script = format!("\\set id random(1, {PEOPLE})\nselect name, ssn from users where id = :id;\n");
                let script = Script::new(&script)?;
                tps(contestant, &["-M", mode, "-f", &script.path(), "-c", &clients, "-j", "2", "-T", &seconds])
            }
            Work::Copy(table) => {
                let mut psql = contestant.client("psql");
                let before = Instant::now();
                run_within(
                    PATIENCE,
                    psql.args(["-X", "-q", "-o", "/dev/null", "-c", &format!("copy {table} to stdout")]),
                )?
                .success()?;
                Ok(1.0 / before.elapsed().as_secs_f64())
            }
            Work::Latency(percentile) => latency(contestant, &seconds, percentile),
        }
    }
}

/// What pgbench runs, in a file.
struct Script(tempfile::NamedTempFile);

impl Script {
    fn new(text: &str) -> Result<Self> {
        let file = tempfile::NamedTempFile::new()?;
        fs::write(file.path(), text)?;
        Ok(Script(file))
    }

    fn path(&self) -> String {
        self.0.path().display().to_string()
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
