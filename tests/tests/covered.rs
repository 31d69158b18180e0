//! What is open to a destination that is covered from now on: a labelled workload has no other way to it than the gateway.

use std::time::Duration;

use anyhow::{Context, Result};
use harness::{Cgroup, Netns, Place, Process, Setup, Sluice, Sniffer, eventually};

const POLICY: &str = "@id(\"none\") forbid (principal, action, resource);";

/// How long the daemon may take for a step.
const STEP: Duration = Duration::from_secs(30);

fn setup(cgroup: &str, capture: &str, resource: &str) -> Setup {
    Setup {
        intercept: format!("capture = \"{capture}\""),
        body: format!(
            "{}\n[resources.other]\nprotocol = \"postgres\"\naddress = \"{resource}\"\n",
            Setup::workload("job", cgroup)
        ),
        policies: vec![("policy.cedar".to_owned(), POLICY.to_owned())],
        ..Setup::default()
    }
}

/// A process that says something to a port of the other host ten times a second, and to whose end `log` grows.
fn talker(place: &Place, host: &str, port: u16, log: &std::path::Path) -> Result<Process> {
    let script = format!(
        "import socket, time\ns = socket.create_connection(('{host}', {port}), 5)\nprint('connected', flush=True)\n\
         while True:\n    s.sendall(b'x')\n    time.sleep(0.1)\n"
    );
    let mut talker = Process::start(place.command("/usr/bin/python3").args(["-u", "-c", &script]), log)?;
    talker.ready("a connection", Duration::from_secs(10), || {
        std::fs::read_to_string(log).is_ok_and(|said| said.contains("connected"))
    })?;
    Ok(talker)
}

/// What the far side does: it takes everything, on two ports and both families.
fn sink(far: &Netns) -> Result<(Process, tempfile::NamedTempFile)> {
    let script = "import selectors, socket\nsel = selectors.DefaultSelector()\n\
        for port in (7300, 7301):\n    s = socket.create_server(('::', port), family=socket.AF_INET6, dualstack_ipv6=True)\n    \
        sel.register(s, selectors.EVENT_READ, True)\nprint('ready', flush=True)\n\
        while True:\n    for key, _ in sel.select():\n        if key.data:\n            \
        sel.register(key.fileobj.accept()[0], selectors.EVENT_READ, False)\n        elif not key.fileobj.recv(65536):\n            \
        sel.unregister(key.fileobj)\n            key.fileobj.close()\n";
    let log = tempfile::NamedTempFile::new()?;
    let mut sink =
        Process::start(Place::here().netns(far).command("/usr/bin/python3").args(["-u", "-c", script]), log.path())?;
    sink.ready("the sink", Duration::from_secs(10), || {
        std::fs::read_to_string(log.path()).is_ok_and(|said| !said.is_empty())
    })?;
    Ok((sink, log))
}

fn reloaded(sluice: &mut Sluice, setup: &Setup) -> Result<()> {
    let before = sluice.log().matches("\"reloaded\"").count();
    sluice.configure(setup)?;
    sluice.reload()?;
    let taken = eventually(STEP, || sluice.log().matches("\"reloaded\"").count() > before);
    taken.then_some(()).context("the reload was not taken")
}

#[test]
fn a_connection_to_what_is_covered_from_now_on_does_not_go_on() -> Result<()> {
    let far = Netns::new("far")?;
    let sniffer = Sniffer::start(&far)?;
    let _sink = sink(&far)?;
    let folder = tempfile::tempdir()?;
    let (job, other) = (Cgroup::new("job")?, Cgroup::new("other")?);
    let mut sluice = Sluice::start(&setup(job.name(), "listed", "192.0.2.1:5432"), None)?;
    let mut talkers = Vec::new();
    let (v4, v6) = (far.v4()?.to_string(), far.v6()?.to_string());
    for (name, host, port) in [
        ("v4", v4.as_str(), 7300),
        ("v6", v6.as_str(), 7300),
        ("mapped", &format!("::ffff:{v4}"), 7300),
        ("rest", &v4, 7301),
    ] {
        talkers.push(talker(&Place::here().cgroup(&job), host, port, &folder.path().join(name))?);
    }
    let unlabelled = talker(&Place::here().cgroup(&other), &v4, 7300, &folder.path().join("unlabelled"))?;
    let goes_on = |filter: &str| -> Result<bool> {
        let before = sniffer.count(filter)?;
        std::thread::sleep(Duration::from_secs(1));
        Ok(sniffer.count(filter)? > before)
    };
    let (to4, to6, rest) =
        (format!("tcp dst port 7300 and dst {v4}"), format!("tcp dst port 7300 and dst {v6}"), "tcp dst port 7301");
    assert!(goes_on(&to4)? && goes_on(&to6)? && goes_on(rest)?);
    drop(unlabelled);

    // The address of one family is covered, and nothing else.
    reloaded(&mut sluice, &setup(job.name(), "listed", &format!("{v4}:7300")))?;
    assert!(!goes_on(&to4)?, "{}", sniffer.packets(&to4)?);
    assert!(goes_on(&to6)? && goes_on(rest)?, "what is not covered goes on");
    // Everything is.
    reloaded(&mut sluice, &setup(job.name(), "all", "192.0.2.1:5432"))?;
    assert!(!goes_on(&to6)? && !goes_on(rest)?, "{}", sniffer.packets("tcp")?);
    Ok(())
}
