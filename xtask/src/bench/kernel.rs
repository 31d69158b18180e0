//! What the programs take in the kernel, by the kernel's own run-time statistics (bpf_stats_enabled, Linux 5.1).

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};
use harness::{Cgroup, Netns, Place, Process, run_within};

use super::contestants::Gateway;

const SWITCH: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// How many connections each kind of process makes.
const CONNECTS: u32 = 2_000;

/// How many packets each sends.
const PACKETS: u32 = 50;

/// Switched on for as long as it lives.
struct Statistics(String);

impl Statistics {
    fn on() -> Result<Self> {
        let before = fs::read_to_string(SWITCH)?;
        fs::write(SWITCH, "1")?;
        Ok(Statistics(before))
    }
}

impl Drop for Statistics {
    fn drop(&mut self) {
        let _ = fs::write(SWITCH, &self.0);
    }
}

/// Runs and ns by program.
type Counts = BTreeMap<String, (u64, u64)>;

fn counts(ids: &BTreeMap<u32, String>) -> Counts {
    let loaded = aya::programs::loaded_programs().flatten();
    let ours = loaded.filter_map(|program| {
        let time = u64::try_from(program.run_time().as_nanos()).unwrap_or(u64::MAX);
        Some((ids.get(&program.id())?.clone(), (program.run_count(), time)))
    });
    ours.collect()
}

/// Prints ns a run: for connections of a labelled process, which are redirected, and of one that has no label.
pub(super) fn print(gateway: &Gateway) -> Result<()> {
    let status = gateway.sluice.json(&["status", "--json"])?;
    let programs = status.pointer("/intercept/programs").and_then(|list| list.as_array()).context("no programs")?;
    let ids: BTreeMap<u32, String> = programs
        .iter()
        .filter_map(|program| {
            let id = u32::try_from(program.get("id")?.as_u64()?).ok()?;
            Some((id, program.get("name")?.as_str()?.to_owned()))
        })
        .collect();
    let _statistics = Statistics::on()?;
    let quiet = Netns::new("quiet")?;
    // A cgroup five levels deep, as a service in a slice in a container is.
    let mut deep = vec![Cgroup::new("unlabelled")?];
    for level in 1..5 {
        let below = deep.last().context("no cgroup")?.child(&format!("level{level}"))?;
        deep.push(below);
    }
    let unlabelled = deep.last().context("no cgroup")?;
    // A server that does nothing but accept, and to the gateway no resource: it makes no connection of its own.
    let sink = "import socket\ns = socket.create_server(('', 9))\nprint('ready', flush=True)\n\
                while True:\n    c = s.accept()[0]\n    while c.recv(65536):\n        pass\n    c.close()\n";
    let log = tempfile::NamedTempFile::new()?;
    let mut sink =
        Process::start(Place::here().netns(&quiet).command("/usr/bin/python3").args(["-u", "-c", sink]), log.path())?;
    sink.ready("the sink", Duration::from_secs(10), || {
        fs::read_to_string(log.path()).is_ok_and(|said| !said.is_empty())
    })?;
    let address = quiet.v4()?.to_string();
    let labelled = measure(&ids, &Place::here().cgroup(&gateway.job), &address, 9)?;
    let other = measure(&ids, &Place::here().cgroup(unlabelled), &address, 9)?;
    println!("\n| program | ns a run, labelled | ns a run, unlabelled |\n|---|---|---|");
    for name in ids.values() {
        let cell = |counts: &Counts| match counts.get(name) {
            Some((runs, time)) if *runs > 100 => format!("{}", time / runs),
            _ => "-".to_owned(),
        };
        println!("| {name} | {} | {} |", cell(&labelled), cell(&other));
    }
    Ok(())
}

fn measure(ids: &BTreeMap<u32, String>, place: &Place, host: &str, port: u16) -> Result<Counts> {
    let script = format!(
        "import socket\nfor _ in range({CONNECTS}):\n    s = socket.socket()\n    s.settimeout(5)\n    \
         s.connect_ex(('{host}', {port}))\n    try:\n        s.getpeername()\n        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)\n        for _ in range({PACKETS}):\n            s.sendall(b'x')\n    except OSError:\n        pass\n    s.close()\n"
    );
    let before = counts(ids);
    let mut python = place.command("/usr/bin/python3");
    run_within(Duration::from_secs(120), python.args(["-c", &script]))?.success()?;
    let after = counts(ids);
    let mut delta = Counts::new();
    for (name, (runs, time)) in after {
        let (runs_before, time_before) = before.get(&name).copied().unwrap_or((0, 0));
        delta.insert(name, (runs.saturating_sub(runs_before), time.saturating_sub(time_before)));
    }
    Ok(delta)
}
