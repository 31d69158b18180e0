//! `cargo xtask demo`: each guardrail at work, with a real database, the real psql and nothing left afterwards.

mod interrupt;
mod stage;

use anyhow::{Result, bail};

use crate::shell::{cargo, run, say};
use crate::{build_ebpf, packages};
use interrupt::Interrupt;
use stage::Stage;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Leave everything running until Ctrl-C, and print how to try it by hand.
    #[arg(long)]
    keep: bool,
}

pub(crate) fn run_task(arguments: &Arguments) -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!(
            "the demonstration attaches eBPF programs and makes a network namespace: run it as root (sudo -E cargo xtask demo)"
        );
    }
    packages::ensure(packages::BUILD)?;
    packages::ensure(packages::DEMO)?;
    build_ebpf::run_task(&build_ebpf::Arguments::default())?;
    say("building the gateway (some minutes the first time)");
    run(cargo().args(["build", "--quiet", "--bin", "sluice"]))?;
    harness::use_sluice_bin(&build_ebpf::target().join("debug/sluice"));
    let interrupt = Interrupt::catch()?;
    // Whatever happens in there, the stage is cleared when it is dropped.
    match tell(arguments, &interrupt) {
        Err(_) if interrupt.happened() => {
            say("interrupted; everything is removed");
            std::process::exit(130);
        }
        Ok(()) if interrupt.happened() && !arguments.keep => {
            say("interrupted; everything is removed");
            std::process::exit(130);
        }
        done => done,
    }
}

fn tell(arguments: &Arguments, interrupt: &Interrupt) -> Result<()> {
    say("starting a PostgreSQL on another host (a network namespace)");
    let mut stage = Stage::set()?;
    let scenes: [fn(&mut Stage) -> Result<()>; 8] = [
        Stage::without_the_gateway,
        Stage::start_the_gateway,
        Stage::masked,
        Stage::written,
        Stage::blocked,
        Stage::unbounded,
        Stage::gateway_killed,
        Stage::evidence,
    ];
    for scene in scenes {
        if interrupt.happened() {
            bail!("interrupted");
        }
        scene(&mut stage)?;
    }
    if arguments.keep {
        stage.by_hand();
        interrupt.wait();
    }
    say("removing everything");
    drop(stage);
    say("done: no program, cgroup, namespace or process is left");
    Ok(())
}
