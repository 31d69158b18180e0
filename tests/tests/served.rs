//! What policy permits is served, whichever way a workload's connection is made: psql logs in, reads the right database,
//! and the session is the workload's.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::{
    Auth, Cgroup, Netns, Place, Postgres, PostgresOptions, Process, Setup, Sluice, Sniffer, eventually, run,
};

const POLICY: &str = r#"
@id("orders") permit (principal in Group::"ci", action in [Action::"connect", Action::"sql.session", Action::"sql.query"],
                      resource in Tag::"prod");
@id("execute") permit (principal in Group::"ci", action == Action::"sql.execute", resource);
"#;

/// A way of `served/relay.py`, and whether it goes to the server's IPv6 address.
const WAYS: [(&str, bool); 12] = [
    ("tcp4", false),
    ("tcp6", true),
    ("tcp_mapped", false),
    ("bound_address", false),
    ("bound_device", false),
    ("fastopen", false),
    ("fastopen6", true),
    ("fastopen_connect", false),
    ("mptcp", false),
    ("mptcp6", true),
    ("uring_connect", false),
    ("uring_sqpoll", false),
];

fn counted(sluice: &Sluice, counter: &str) -> Result<u64> {
    sluice.status(&format!("/intercept/events/{counter}"))?.as_u64().context("no count")
}

/// What is recorded, by session.
fn sessions(sluice: &Sluice) -> Result<Vec<serde_json::Value>> {
    let said = sluice.cli(&["sessions", "--json"])?.success()?;
    said.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

fn database() -> Result<(Netns, Postgres)> {
    let netns = Netns::new("db")?;
    let server = Postgres::start(&netns, &PostgresOptions { auth: Auth::Scram, tls: true, settings: Vec::new() })?;
    Ok((netns, server))
}

#[test]
fn every_way_to_connect_is_served_and_its_session_is_the_workloads() -> Result<()> {
    let (_netns, server) = database()?;
    let job = Cgroup::new("job")?;
    let (v4, v6) = (server.v4().to_string(), server.v6().to_string());
    let setup = Setup {
        body: format!(
            "{}\n{}{}",
            Setup::workload("job", job.name()),
            Setup::resource("orders", &server, &v4),
            Setup::resource("orders6", &server, &v6)
        ),
        ..Setup::postgres(job.name(), &server, POLICY)
    };
    let sluice = Sluice::start(&setup, &server)?;
    let expected = format!("{}|{}", server.database(), server.role());
    let mut seen = BTreeSet::new();
    for (way, by_v6) in WAYS {
        let mut python = Place::here().cgroup(&job).command("/usr/bin/python3");
        python.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/served/relay.py"));
        python.args([way, &v4, &v6, &server.port().to_string(), "select current_database(), current_user"]);
        python.env("PGUSER", "whoever").env("PGDATABASE", server.database());
        let said = run(&mut python)?.success().with_context(|| way.to_owned())?;
        let mut lines = said.lines();
        ensure!(lines.next() == Some(&expected), "{way}: {said}");
        let peer = lines.next().unwrap_or_default();
        ensure!(peer.starts_with("peer True "), "{way}: getpeername answered {peer}");
        let new: Vec<_> = sessions(&sluice)?.into_iter().filter(|s| seen.insert(s["id"].to_string())).collect();
        let [session] = new.as_slice() else { anyhow::bail!("{way}: not one session but {new:?}") };
        ensure!(session["workload"] == "job", "{way}: {session}");
        ensure!(session["resource"] == if by_v6 { "orders6" } else { "orders" }, "{way}: {session}");
        let asked: IpAddr = if by_v6 { server.v6().into() } else { server.v4().into() };
        let destination = SocketAddr::new(asked, server.port()).to_string();
        ensure!(session["destination"] == destination.as_str(), "{way}: {session}");
        ensure!(session["uid"] == 0 && session["pid"].as_u64().is_some_and(|pid| pid > 1), "{way}: {session}");
        println!("{way:18} {peer}");
    }
    sluice.cli(&["verify"])?.success()?;
    Ok(())
}

/// A server in `place` that answers each connection on `ports` with the port and where it came from.
fn greeter(place: &Place, ports: &[u16]) -> Result<(Process, tempfile::NamedTempFile)> {
    let script = format!(
        "import selectors, socket\nsel = selectors.DefaultSelector()\nfor port in {ports:?}:\n    \
         s = socket.create_server(('', port))\n    sel.register(s, selectors.EVENT_READ, port)\nprint('ready', flush=True)\n\
         while True:\n    for key, _ in sel.select():\n        c, a = key.fileobj.accept()\n        \
         c.sendall(b'%d from %s' % (key.data, a[0].encode()))\n        c.close()\n"
    );
    let log = tempfile::NamedTempFile::new()?;
    let mut server = Process::start(place.command("/usr/bin/python3").args(["-u", "-c", &script]), log.path())?;
    server.ready("a server", Duration::from_secs(10), || {
        std::fs::read_to_string(log.path()).is_ok_and(|text| text.contains("ready"))
    })?;
    Ok((server, log))
}

/// What is said to whoever calls from `place`; what went wrong otherwise.
fn greeting(place: &Place, to: IpAddr, port: u16) -> Result<String> {
    let script = format!(
        "import socket\ntry:\n    s = socket.create_connection(('{to}', {port}), 10)\n    d = b''\n    \
         while b := s.recv(100):\n        d += b\n    print(d.decode())\nexcept OSError as e:\n    print(e)\n"
    );
    Ok(run(place.command("/usr/bin/python3").args(["-c", &script]))?.success()?.trim().to_owned())
}

#[test]
fn a_local_port_that_policy_permits_is_relayed_and_no_other() -> Result<()> {
    let job = Cgroup::new("job")?;
    let (_server, _log) = greeter(&Place::here(), &[7810, 7811])?;
    let permit = r#"
        @id("local") permit (principal, action == Action::"connect", resource == Resource::"unlisted")
        when { context.address.isLoopback() && context.port == 7810 };
    "#;
    let setup = Setup {
        body: format!(
            "{}\n[resources.other]\nprotocol = \"postgres\"\naddress = \"192.0.2.1:5432\"\n",
            Setup::workload("job", job.name())
        ),
        policies: vec![("p.cedar".to_owned(), permit.to_owned())],
        ..Setup::default()
    };
    let sluice = Sluice::start(&setup, None)?;
    let place = Place::here().cgroup(&job);
    assert_eq!(greeting(&place, [127, 0, 0, 1].into(), 7810)?, "7810 from 127.0.0.1");
    let refused = greeting(&place, [127, 0, 0, 1].into(), 7811)?;
    ensure!(!refused.contains("from"), "{refused}");
    let recorded = sessions(&sluice)?;
    assert_eq!(recorded.len(), 2, "what was relayed and what was not: {recorded:?}");
    ensure!(recorded.iter().all(|session| session["resource"].is_null() && session["workload"] == "job"));
    Ok(())
}

#[test]
fn where_only_listed_destinations_are_captured_others_are_direct_and_untouched() -> Result<()> {
    let (netns, server) = database()?;
    let sniffer = Sniffer::start(&netns)?;
    let job = Cgroup::new("job")?;
    let near = Netns::beside("near", &netns)?;
    let mut setup = Setup::postgres(job.name(), &server, POLICY);
    setup.intercept = "capture = \"listed\"".to_owned();
    let sluice = Sluice::start(&setup, &server)?;
    let (_greeter, _log) = greeter(&Place::here().netns(&netns), &[7820])?;
    let place = Place::here().cgroup(&job).netns(&near);
    // Listed: through the gateway, with its credential.
    let said = server.query(&place, "select current_database()")?.success()?;
    assert_eq!(said.trim(), server.database());
    ensure!(sniffer.count(&format!("tcp port 5432 and host {}", near.v4()?))? == 0, "the workload's own packets");
    assert_eq!(sessions(&sluice)?.len(), 1);
    // Unlisted: from the workload itself, and nobody records it.
    let before = counted(&sluice, "not_covered")?;
    assert_eq!(greeting(&place, server.v4().into(), 7820)?, format!("7820 from {}", near.v4()?));
    ensure!(sniffer.count(&format!("tcp port 7820 and host {}", near.v4()?))? > 0, "by its own packets");
    let grown = || counted(&sluice, "not_covered").is_ok_and(|count| count == before + 1);
    ensure!(eventually(Duration::from_secs(3), grown));
    assert_eq!(sessions(&sluice)?.len(), 1);
    // The same port elsewhere is another destination; the listed one stays captured in every form.
    let mut mapped = server.psql(&place);
    let said = run(mapped.env("PGHOST", format!("::ffff:{}", server.v4())).args(["-c", "select 41 + 1"]))?.success()?;
    assert_eq!(said.trim(), "42");
    assert_eq!(sessions(&sluice)?.len(), 2);
    Ok(())
}
