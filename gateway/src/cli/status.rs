//! `sluice status`: what the running daemon does.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::config::Config;
use crate::control::{Status, client};
use crate::record::text::printable;

/// How often `--wait` asks.
const POLL: Duration = Duration::from_millis(100);

/// Shows what the running daemon does; exits 0 when it serves, 1 when it does not.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Wait so long until it serves, also for the socket to appear.
    #[arg(long, value_name = "SECS")]
    wait: Option<u64>,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(config: &Path, arguments: Arguments) -> Result<ExitCode> {
    let socket = Config::load(config)?.control.socket;
    let until = Instant::now().checked_add(Duration::from_secs(arguments.wait.unwrap_or(0)));
    let status = loop {
        match client::status(&socket) {
            Ok(status) if status.serving => break status,
            other if until.is_none_or(|until| Instant::now() >= until) => break other?,
            _ => std::thread::sleep(POLL),
        }
    };
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&status)?);
    } else {
        print(&status);
    }
    Ok(if status.serving { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn print(status: &Status) {
    let state = if status.serving { "serving" } else { "not serving" };
    println!("sluice {} is {state} since {}", printable(&status.version), printable(&status.since));
    println!("configuration  {}", printable(&status.config));
    println!("policies       {}", status.policies);
    println!("workloads      {}", status.workloads.iter().map(|name| printable(name)).collect::<Vec<_>>().join(", "));
    for resource in &status.resources {
        let addresses =
            if resource.addresses.is_empty() { "no known address".to_owned() } else { resource.addresses.join(", ") };
        println!("resource       {} at {}", printable(&resource.name), printable(&addresses));
        if resource.unresolved {
            println!("UNRESOLVED     {} of resource {}", printable(&resource.address), printable(&resource.name));
        }
        if !resource.anywhere.is_empty() {
            println!(
                "UNKNOWN        {} addresses of resource {}: connections to its port are refused where no resource is known",
                printable(&resource.anywhere.join(" and ")),
                printable(&resource.name)
            );
        }
    }
    for contested in &status.contested {
        println!(
            "CONTESTED      {} is an address of {}: connections to it are closed",
            printable(&contested.address),
            printable(&contested.resources.join(" and "))
        );
    }
    println!("sessions       {} now, {} since the start", status.sessions, status.sessions_opened);
    for refused in &status.refused {
        println!(
            "REFUSED        {} connections of {} ({})",
            refused.count,
            printable(&refused.workload),
            printable(&refused.reason)
        );
    }
    for catalog in &status.catalogs {
        let how = if catalog.own_connection { "over a connection of the gateway's own" } else { "over its sessions" };
        let whole = if catalog.complete { "" } else { ", not whole: everything is unknown" };
        println!(
            "catalog        of database {} of resource {}: {} relations{whole}, {how}",
            printable(&catalog.database),
            printable(&catalog.resource),
            catalog.relations
        );
        if let Some(problem) = &catalog.problem {
            println!("PROBLEM        {}", printable(problem));
        }
    }
    for unmatched in &status.unmatched {
        println!(
            "UNMATCHED      {} of resource {} matches nothing in database {}: it protects nothing there",
            printable(&unmatched.pattern),
            printable(&unmatched.resource),
            printable(&unmatched.database)
        );
    }
    if let Some(reason) = &status.recorder {
        println!("STOPPED        nothing is forwarded, because nothing can be recorded: {}", printable(reason));
    }
    if let Some(reason) = &status.reload {
        println!("RELOAD FAILED  what ran before still runs: {}", printable(reason));
    }
    print_intercept(&status.intercept);
}

/// What the redirect layer says of itself; its keys are those of `--json`.
fn print_intercept(layer: &serde_json::Value) {
    let count = |key: &str| layer.get(key).and_then(serde_json::Value::as_u64).unwrap_or(0);
    let list = |key: &str| layer.get(key).and_then(serde_json::Value::as_array).cloned().unwrap_or_default();
    println!("programs       {} attached", list("programs").len());
    for name in list("detached_by_others") {
        println!("DETACHED       {name} by somebody else: workloads are not guarded; restart the daemon");
    }
    for listener in list("listeners") {
        let addresses = listener.get("addresses").and_then(serde_json::Value::as_array).cloned().unwrap_or_default();
        let addresses: Vec<&str> = addresses.iter().filter_map(serde_json::Value::as_str).collect();
        let inode = listener.get("inode").and_then(serde_json::Value::as_u64).unwrap_or(0);
        println!("listener       in network namespace {inode} at {}", printable(&addresses.join(", ")));
    }
    for socket in list("packet_sockets") {
        let number = |key: &str| socket.get(key).and_then(serde_json::Value::as_u64).unwrap_or(0);
        let workload = socket.get("workload").and_then(serde_json::Value::as_str).unwrap_or("unknown");
        println!(
            "PACKET SOCKET  of workload {}, process {} in network namespace {}: what it sends is not guarded",
            printable(workload),
            number("pid"),
            number("inode")
        );
    }
    println!("cgroups        {} labelled", count("labelled_cgroups"));
    println!(
        "connections    {} redirected now, at most {} for a workload",
        count("connections"),
        count("connections_max_per_workload")
    );
    let events = layer.get("events").and_then(serde_json::Value::as_object).cloned().unwrap_or_default();
    for (reason, count) in &events {
        if count.as_u64().is_some_and(|count| count > 0) {
            println!("  {count:>10}   {}", printable(reason));
        }
    }
    for (key, what) in [
        ("destroyed", "connections destroyed that were open before their label"),
        ("unattributed", "connections closed that nobody had been redirected for"),
    ] {
        if count(key) > 0 {
            println!("  {:>10}   {what}", count(key));
        }
    }
    if let Some(failure) = layer.get("failure").and_then(serde_json::Value::as_str) {
        println!("FAILURE        {}", printable(failure));
    }
}
