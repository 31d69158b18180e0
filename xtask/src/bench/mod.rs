//! `cargo xtask bench`: what the gateway costs, as ratios measured in one run.
//!
//! Direct, a relay that only copies bytes, pgbouncer and the gateway take turns, round by round, so that what else the
//! machine does meets all of them. Only medians of ratios within a round are reported.
#![expect(clippy::print_stdout, reason = "the table is what this command is for")]

mod contestants;
mod idle;
mod kernel;
mod measure;
mod relay;
mod table;

use anyhow::{Result, bail};
use harness::{Auth, Netns, Postgres, PostgresOptions};

use crate::shell::{cargo, run, say};
use crate::{build_ebpf, packages};
use contestants::{Contestant, Gateway, Pgbouncer};
use measure::{ROWS, Row};
use relay::Relay;
use table::Table;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How often every contestant takes its turn.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long a turn takes, in seconds.
    #[arg(long, default_value_t = 3)]
    seconds: u32,
    /// How much the COPY row copies, in MB.
    #[arg(long, default_value_t = 1000)]
    copy: u32,
    /// Only rows whose name contains this.
    #[arg(long)]
    row: Option<String>,
    /// Leave out the programs in the kernel.
    #[arg(long)]
    no_kernel: bool,
    /// Leave out the memory of idle sessions.
    #[arg(long)]
    no_idle: bool,
}

pub(crate) fn run_task(arguments: &Arguments) -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!("this attaches eBPF programs and makes network namespaces: run it as root (sudo -E cargo xtask bench)");
    }
    packages::ensure(packages::BUILD)?;
    packages::ensure(packages::SUITES)?;
    build_ebpf::run_task(&build_ebpf::Arguments::default())?;
    say("building the gateway with optimisations");
    run(cargo().args(["build", "--quiet", "--release", "--bin", "sluice"]))?;
    harness::use_sluice_bin(&build_ebpf::target().join("release/sluice"));

    let netns = Netns::new("bench")?;
    let settings = ["shared_buffers = '256MB'", "max_connections = 200"].map(str::to_owned).to_vec();
    let server = Postgres::start(&netns, &PostgresOptions { auth: Auth::Scram, tls: false, settings })?;
    let rows: Vec<&Row> =
        ROWS.iter().filter(|row| arguments.row.as_ref().is_none_or(|wanted| row.name.contains(wanted))).collect();
    measure::prepare(&server, if rows.iter().any(|row| row.is_copy()) { arguments.copy } else { 0 })?;
    let relay = Relay::start((server.v4(), server.port()).into())?;
    let pgbouncer = Pgbouncer::start(&server)?;
    let silent = idle::Silent::start()?;
    let gateway = Gateway::start(&server, &silent)?;
    let contestants: [Box<dyn Contestant>; 4] = [
        Box::new(contestants::Direct::new(&server)),
        Box::new(contestants::Behind::new(&server, relay.port())),
        Box::new(&pgbouncer),
        Box::new(&gateway),
    ];
    let mut table = Table::default();
    for round in 1..=arguments.rounds {
        say(&format!("round {round} of {}", arguments.rounds));
        for row in &rows {
            for contestant in &contestants {
                table.add(row, contestant.name(), row.measure(contestant.as_ref(), arguments.seconds)?);
            }
        }
    }
    table.print(&rows);
    if !arguments.no_kernel {
        say("the programs' own times in the kernel");
        kernel::print(&gateway)?;
    }
    if !arguments.no_idle {
        say("what idle sessions take");
        idle::print(&gateway, &silent)?;
    }
    Ok(())
}
