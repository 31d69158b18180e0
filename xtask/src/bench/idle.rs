//! What an idle session takes of the gateway's memory: sessions to a server that answers the start-up and nothing else.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use harness::{Netns, Place, Process, eventually};
use nix::sys::signal::Signal;

use super::contestants::Gateway;

/// How many sessions are wanted.
const WANTED: u64 = 10_000;

/// Connections of the workload that may still be closing.
const CLOSING: u64 = 100;

/// How long they may take to be made, all of them.
const PATIENCE: Duration = Duration::from_secs(300);

/// The port that the server listens on in its namespace.
pub(super) const PORT: u16 = 5433;

/// A server that lets everybody in and says no more.
pub(super) struct Silent {
    netns: Netns,
    _process: Process,
    _log: tempfile::NamedTempFile,
}

const SERVER: &str = r#"
import asyncio, resource, struct, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)

def said(tag, body):
    return tag + struct.pack("!i", len(body) + 4) + body

hello = said(b"R", struct.pack("!i", 0))
for name, value in [("server_version", "15.0"), ("server_encoding", "UTF8"), ("client_encoding", "UTF8"),
                    ("standard_conforming_strings", "on"), ("integer_datetimes", "on"), ("DateStyle", "ISO, MDY"),
                    ("IntervalStyle", "postgres"), ("TimeZone", "Etc/UTC"), ("is_superuser", "off"),
                    ("session_authorization", "idle"), ("application_name", ""), ("in_hot_standby", "off"),
                    ("default_transaction_read_only", "off")]:
    hello += said(b"S", name.encode() + b"\0" + value.encode() + b"\0")
hello += said(b"K", struct.pack("!ii", 1, 1)) + said(b"Z", b"I")

async def serve(reader, writer):
    try:
        length = struct.unpack("!i", await reader.readexactly(4))[0]
        await reader.readexactly(length - 4)
        writer.write(hello)
        await reader.read()
    except (OSError, asyncio.IncompleteReadError):
        pass
    writer.close()

async def main():
    server = await asyncio.start_server(serve, "", int(sys.argv[1]), backlog=4096)
    print("ready", flush=True)
    await server.serve_forever()

asyncio.run(main())
"#;

const CLIENT: &str = r#"
import asyncio, resource, struct, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
host, port, wanted = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
body = struct.pack("!i", 196608) + b"user\0idle\0database\0idle\0\0"
packet = struct.pack("!i", len(body) + 4) + body

async def one():
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(packet)
    while True:
        tag, length = struct.unpack("!ci", await reader.readexactly(5))
        said = await reader.readexactly(length - 4)
        if tag == b"E":
            raise SystemExit(said.decode("utf-8", "replace"))
        if tag == b"Z":
            return writer

async def main():
    kept = []
    while len(kept) < wanted:
        kept += await asyncio.gather(*[one() for _ in range(min(50, wanted - len(kept)))])
        print(len(kept), flush=True)
    print("ready", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"#;

impl Silent {
    pub(super) fn start() -> Result<Self> {
        let netns = Netns::new("silent")?;
        let log = tempfile::NamedTempFile::new()?;
        let mut command = Place::here().netns(&netns).command("/usr/bin/python3");
        let mut process = Process::start(command.args(["-u", "-c", SERVER, &PORT.to_string()]), log.path())?;
        process.ready("the silent server", Duration::from_secs(10), || says_ready(log.path()))?;
        Ok(Silent { netns, _process: process, _log: log })
    }

    pub(super) fn address(&self) -> Result<String> {
        Ok(self.netns.v4()?.to_string())
    }
}

fn says_ready(log: &Path) -> bool {
    fs::read_to_string(log).is_ok_and(|said| said.contains("ready"))
}

/// Memory of the daemon that belongs to it alone, in KiB.
fn memory(daemon: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{daemon}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).context("no RssAnon")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

/// Opens sessions, prints what one takes, and closes them.
pub(super) fn print(gateway: &Gateway, server: &Silent) -> Result<()> {
    // The daemon gives each workload a share of the files that it may have open.
    let most = gateway.sluice.status("/intercept/connections_max_per_workload")?.as_u64().context("no limit")?;
    let count = WANTED.min(most.saturating_sub(CLOSING));
    let daemon = gateway.sluice.pid()?;
    let before = memory(daemon)?;
    let log = tempfile::NamedTempFile::new()?;
    let mut command = Place::here().cgroup(&gateway.job).command("/usr/bin/python3");
    command.args(["-u", "-c", CLIENT, &server.address()?, &PORT.to_string(), &count.to_string()]);
    let mut clients = Process::start(&mut command, log.path())?;
    clients.ready("the idle sessions", PATIENCE, || says_ready(log.path()))?;
    let taken = memory(daemon)?.saturating_sub(before);
    clients.signal(Signal::SIGTERM)?;
    clients.wait(Duration::from_secs(30))?;
    let open = || gateway.sluice.status("/sessions").ok()?.as_u64();
    ensure!(eventually(PATIENCE, || open() == Some(0)), "{:?} sessions did not end with their clients", open());
    println!("\n{count} idle sessions: {:.1} KiB each", taken as f64 / count as f64);
    if count < WANTED {
        println!("(as many as a workload gets here under the limit of open files, instead of {WANTED})");
    }
    Ok(())
}
