//! The guards themselves: what they promise the other suites.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use harness::{Auth, Cgroup, Netns, Place, Postgres, PostgresOptions, Process, Sniffer, eventually, run};

#[test]
fn a_namespace_goes_with_what_runs_in_it_also_when_a_test_panics() -> Result<()> {
    let netns = Netns::new("gone")?;
    let path = PathBuf::from(format!("/run/netns/{}", netns.name()));
    let log = tempfile::NamedTempFile::new()?;
    let mut sleep = Process::start(Place::here().netns(&netns).command("sleep").arg("60"), log.path())?;
    // With its end: another namespace's address may begin alike.
    let host = format!(" {}/", netns.host_v4()?);
    assert!(run(Place::here().command("ip").args(["-br", "addr"]))?.success()?.contains(&host));
    let panicked = std::thread::spawn(move || {
        let _held = netns;
        std::panic::resume_unwind(Box::new("as a failing test"));
    });
    assert!(panicked.join().is_err());
    assert!(!path.exists());
    assert!(eventually(Duration::from_secs(5), || !sleep.alive()));
    assert!(!run(Place::here().command("ip").args(["-br", "addr"]))?.success()?.contains(&host));
    Ok(())
}

#[test]
fn a_command_is_in_its_cgroup_and_namespace_and_user_before_it_starts() -> Result<()> {
    let (netns, outer) = (Netns::isolated("place")?, Cgroup::new("place")?);
    let inner = outer.child("inner")?;
    let place = Place::here().cgroup(&inner).netns(&netns).user("nobody");
    let said = run(place.command("/bin/sh").args(["-c", "cat /proc/self/cgroup; id -un; ip -br link"]))?.success()?;
    assert!(said.contains(&format!("0::{}\n", inner.name())), "{said}");
    assert!(said.contains("nobody\n") && !said.contains("eth0"), "{said}");
    let path = outer.path().to_owned();
    drop(outer);
    assert!(!path.exists(), "the nested cgroup goes too");
    drop(inner);
    Ok(())
}

#[test]
fn a_third_namespace_reaches_the_server_directly() -> Result<()> {
    let server = Netns::new("server")?;
    let third = Netns::beside("third", &server)?;
    for to in [server.v4()?.to_string(), server.v6()?.to_string()] {
        // A closed port: refused by the server's kernel, so the way there and back works.
        let connect = format!("import socket; socket.create_connection(('{to}', 5432), 5)");
        let said = run(Place::here().netns(&third).command("/usr/bin/python3").args(["-c", &connect]))?.failure()?;
        assert!(said.contains("ConnectionRefusedError"), "{said}");
    }
    Ok(())
}

#[test]
fn the_server_authenticates_as_asked_and_the_sniffer_sees_it() -> Result<()> {
    let netns = Netns::new("pg")?;
    let sniffer = Sniffer::start(&netns)?;
    assert_eq!(sniffer.count("tcp port 5432")?, 0);
    for (auth, tls) in [(Auth::Scram, true), (Auth::Md5, false), (Auth::Cleartext, false), (Auth::Trust, true)] {
        let server = Postgres::start(&netns, &PostgresOptions { auth, tls, settings: Vec::new() })?;
        let without = server.query(&Place::here(), "select 1")?;
        assert_eq!(without.status.success(), auth == Auth::Trust, "{auth:?}: {}", without.stderr);
        let mut psql = server.psql(&Place::here());
        psql.env("PGPASSWORD", server.password()).args(["-c", "select 41 + 1, current_user"]);
        if tls {
            psql.env("PGSSLMODE", "verify-full").env("PGSSLROOTCERT", server.ca_file());
        }
        assert_eq!(run(&mut psql)?.success()?.trim(), format!("42|{}", server.role()));
        let by_v6 = run(psql.env("PGHOST", server.v6().to_string()))?;
        assert_eq!(by_v6.success()?.trim(), format!("42|{}", server.role()));
        let folder = server.socket_folder().to_owned();
        drop(server);
        assert!(!Path::new(&folder).exists());
    }
    assert!(sniffer.count("tcp port 5432")? > 20);
    assert_eq!(sniffer.count("udp")?, 0, "its own marks do not count");
    Ok(())
}
