//! Builds, demonstrates, tests and measures Sluice. `cargo xtask --help` lists what there is.

use std::process::ExitCode;

mod bench;
mod build_ebpf;
mod demo;
mod fuzz;
mod packages;
mod regress;
mod shell;
mod test;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Compares the gateway with a direct connection, a bare relay and pgbouncer, as root.
    Bench(bench::Arguments),
    /// Shows each guardrail at work with a real database and psql, as root. Leaves nothing.
    Demo(demo::Arguments),
    /// Builds the eBPF programs, installing what that needs.
    BuildEbpf(build_ebpf::Arguments),
    /// Fuzzes what peers and texts reach, with a nightly toolchain: `codec`, `relay`, `copy`, `analysis`.
    Fuzz(fuzz::Arguments),
    /// Checks format and lints, runs the unit tests and, as root, the end-to-end suites.
    Test(test::Arguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Bench(a) => bench::run_task(&a),
        Task::Demo(a) => demo::run_task(&a),
        Task::BuildEbpf(a) => build_ebpf::run_task(&a),
        Task::Fuzz(a) => fuzz::run_task(&a),
        Task::Test(a) => test::run_all(a),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "a command line talks to its caller")]
            {
                eprintln!("xtask: {error:#}");
            }
            ExitCode::from(1)
        }
    }
}
