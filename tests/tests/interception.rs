//! The whole way: unchanged clients in a labelled cgroup, redirected in the kernel, talk to a PostgreSQL on another host
//! through the gateway.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use harness::{
    Auth, Cgroup, Netns, Place, Postgres, PostgresOptions, Process, Setup, Sluice, eventually, postgres_bin, run,
    run_within,
};

const POLICY: &str = r#"
@id("baseline")
permit (principal in Group::"ci",
        action in [Action::"connect", Action::"sql.session", Action::"sql.query", Action::"sql.write", Action::"sql.ddl",
                   Action::"sql.execute"], resource);

@id("no-drop") @reason("tables are not dropped from a job")
forbid (principal, action == Action::"sql.drop", resource in Tag::"prod");
"#;

fn database() -> Result<(Netns, Postgres)> {
    let netns = Netns::new("db")?;
    let server = Postgres::start(&netns, &PostgresOptions { auth: Auth::Scram, tls: true, settings: Vec::new() })?;
    Ok((netns, server))
}

/// A statement by psql in `place` to `host`, as a role that the server does not know.
fn psql(server: &Postgres, place: &Place, host: &str, sql: &str) -> Command {
    let mut psql = server.psql(place);
    psql.env("PGHOST", host).env("PGUSER", "whoever").args(["-c", sql]);
    psql
}

/// How many sessions are recorded.
fn sessions_of(sluice: &Sluice) -> Result<usize> {
    Ok(sluice.cli(&["sessions", "--json"])?.success()?.lines().count())
}

#[test]
fn every_tls_mode_every_address_form_and_every_place_leads_through_the_gateway() -> Result<()> {
    let (netns, server) = database()?;
    let elsewhere = Netns::beside("job", &netns)?;
    let job = Cgroup::new("job")?;
    let (outer, inner) = (job.child("outer")?, job.child("outer/inner")?);
    let sluice = Sluice::start(&Setup::postgres(job.name(), &server, POLICY), &server)?;
    let ca = sluice.ca_file()?;
    let (v4, v6) = (server.v4().to_string(), server.v6().to_string());
    let expected = format!("42|{}", server.role());
    let mut sessions: usize = 0;
    for place in [
        Place::here().cgroup(&job),
        Place::here().cgroup(&outer),
        Place::here().cgroup(&inner),
        Place::here().cgroup(&job).netns(&elsewhere),
    ] {
        for mode in ["disable", "prefer", "require", "verify-full"] {
            let mut psql = psql(&server, &place, &v4, "select 41 + 1, current_user");
            let said = run(psql.env("PGSSLMODE", mode).env("PGSSLROOTCERT", &ca))?.success()?;
            assert_eq!(said.trim(), expected, "{place:?} {mode}");
            sessions += 1;
        }
    }
    // Resources are found by their addresses, so the others need a resource of their own.
    let by_v6 = Setup {
        body: format!("{}\n{}", Setup::workload("job", job.name()), Setup::resource("orders", &server, &v6)),
        ..Setup::postgres(job.name(), &server, POLICY)
    };
    let mapped = format!("::ffff:{v4}");
    let said = run(&mut psql(&server, &Place::here().cgroup(&job), &mapped, "select 41 + 1, current_user"))?;
    assert_eq!(said.success()?.trim(), expected, "v4-mapped");
    sessions += 1;
    assert_eq!(sessions_of(&sluice)?, sessions);
    drop(sluice);
    let sluice = Sluice::start(&by_v6, &server)?;
    for place in [Place::here().cgroup(&job), Place::here().cgroup(&job).netns(&elsewhere)] {
        let said = run(&mut psql(&server, &place, &v6, "select 41 + 1, current_user"))?.success()?;
        assert_eq!(said.trim(), expected, "{place:?} {v6}");
    }
    assert_eq!(sessions_of(&sluice)?, 2);
    sluice.cli(&["verify"])?.success()?;
    Ok(())
}

#[test]
fn a_listener_appears_with_the_process_and_goes_with_the_last() -> Result<()> {
    let (netns, server) = database()?;
    let job = Cgroup::new("job")?;
    let sluice = Sluice::start(&Setup::postgres(job.name(), &server, POLICY), &server)?;
    let listeners = || -> Result<usize> {
        let status = sluice.json(&["status", "--json"])?;
        Ok(status["intercept"]["listeners"].as_array().context("no listeners")?.len())
    };
    assert_eq!(listeners()?, 1, "the daemon's own namespace");
    let elsewhere = Netns::beside("job", &netns)?;
    let place = Place::here().cgroup(&job).netns(&elsewhere);
    // The very first connection of the first process there is served: the listener was made at its exec.
    for _ in 0..3 {
        let said = run(&mut psql(&server, &place, &server.v4().to_string(), "select 1"))?.success()?;
        assert_eq!(said.trim(), "1");
    }
    assert!(eventually(Duration::from_secs(10), || listeners().is_ok_and(|count| count == 1)), "{}", listeners()?);
    // Nothing of the gateway's keeps the namespace.
    let name = elsewhere.name().to_owned();
    drop(elsewhere);
    assert!(!std::path::Path::new("/run/netns").join(name).exists());
    Ok(())
}

#[test]
fn getpeername_answers_with_the_address_that_was_asked_for() -> Result<()> {
    let (_netns, server) = database()?;
    let job = Cgroup::new("job")?;
    let _sluice = Sluice::start(&Setup::postgres(job.name(), &server, POLICY), &server)?;
    let script = format!(
        "import socket\nfor family, host in [(socket.AF_INET, '{v4}'), (socket.AF_INET6, '::ffff:{v4}')]:\n    \
         s = socket.socket(family)\n    s.connect((host, {port}))\n    print(s.getpeername()[:2] == (host, {port}))\n",
        v4 = server.v4(),
        port = server.port()
    );
    let mut python = Place::here().cgroup(&job).command("/usr/bin/python3");
    assert_eq!(run(python.args(["-c", &script]))?.success()?.trim(), "True\nTrue");
    Ok(())
}

#[test]
fn pgbench_and_a_driver_run_unchanged_and_a_drop_is_blocked_with_its_reason() -> Result<()> {
    let (_netns, server) = database()?;
    let job = Cgroup::new("job")?;
    let mut setup = Setup::postgres(job.name(), &server, POLICY);
    // One that is there, one that is misspelt.
    setup.body.push_str("[resources.orders.sensitive]\n\"public.pgbench_accounts.filler\" = [\"pii\"]\n\"public.userz.ssn\" = [\"pii\"]\n");
    let sluice = Sluice::start(&setup, &server)?;
    let place = Place::here().cgroup(&job);
    let pgbench = |arguments: &[&str]| -> Result<String> {
        let mut pgbench = place.command(postgres_bin()?.join("pgbench"));
        pgbench.env("PGHOST", server.v4().to_string()).env("PGPORT", server.port().to_string());
        pgbench.env("PGUSER", "whoever").env("PGDATABASE", server.database()).args(arguments);
        run_within(Duration::from_secs(120), &mut pgbench)?.success()
    };
    // Initialising drops what an earlier run has left: that is what the policy forbids, so only its other steps.
    pgbench(&["-i", "-I", "tgpf", "-s", "1", "-q"])?;
    for mode in ["simple", "extended", "prepared"] {
        let said = pgbench(&["-n", "-c", "8", "-j", "2", "-t", "50", "-M", mode])?;
        assert!(said.contains("number of transactions actually processed: 400/400"), "{said}");
        assert!(said.contains("number of failed transactions: 0"), "{said}");
    }
    let script = format!(
        "import psycopg2\nc = psycopg2.connect(host='{}', port={}, dbname='{}', user='whoever', password='ignored')\n\
         q = c.cursor()\nq.execute('select count(*) from pgbench_accounts where aid between %s and %s', (1, 10))\n\
         print(q.fetchone()[0])\nc.commit()\n\
         try:\n    q.execute('drop table pgbench_history')\nexcept psycopg2.Error as e:\n    print(e.pgcode, e)\n",
        server.v4(),
        server.port(),
        server.database()
    );
    let said = run(place.command("/usr/bin/python3").args(["-c", &script]))?.success()?;
    assert!(said.starts_with("10\n") && said.contains("tables are not dropped from a job"), "{said}");
    assert_eq!(server.admin("select count(*) from pgbench_history")?.trim(), "1200");
    let unmatched = sluice.cli(&["status"])?.success()?;
    assert!(unmatched.contains("public.userz.ssn of resource orders matches nothing in database appdb"), "{unmatched}");
    assert!(!unmatched.contains("pgbench_accounts"), "{unmatched}");
    let status = sluice.json(&["status", "--json"])?;
    assert!(status["intercept"]["events"]["redirected"].as_u64().is_some_and(|count| count >= 26), "{status}");
    sluice.cli(&["verify"])?.success()?;
    Ok(())
}

#[test]
fn an_unlisted_destination_is_relayed_only_where_policy_permits_it() -> Result<()> {
    let (netns, server) = database()?;
    let job = Cgroup::new("job")?;
    let elsewhere = Netns::beside("job", &netns)?;
    let permit = r#"
        @id("far") permit (principal, action == Action::"connect", resource == Resource::"unlisted")
        when { context.port == 8080 };
    "#;
    let sluice = Sluice::start(&Setup::postgres(job.name(), &server, permit), &server)?;
    let log = tempfile::NamedTempFile::new()?;
    let serve = "import socket\nls = [socket.create_server(('', p)) for p in (8080, 8081)]\n\
                 while True:\n    c, a = ls[0].accept()\n    c.sendall(b'from ' + a[0].encode())\n    c.close()\n";
    let mut far =
        Process::start(Place::here().netns(&netns).command("/usr/bin/python3").args(["-c", serve]), log.path())?;
    let dial = |port: u16| {
        format!(
            "import socket\ns = socket.create_connection(('{}', {port}), 10)\nd = b''\n\
             while True:\n    b = s.recv(100)\n    if not b: break\n    d += b\nprint(d.decode())\n",
            server.v4()
        )
    };
    let place = Place::here().cgroup(&job).netns(&elsewhere);
    let said = |port: u16| run(place.command("/usr/bin/python3").args(["-c", &dial(port)]));
    far.ready("the far server", Duration::from_secs(10), || said(8080).is_ok_and(|said| said.stdout.contains("from")))?;
    // From the workload's own namespace, so its own address, not the daemon's.
    assert_eq!(said(8080)?.success()?.trim(), format!("from {}", elsewhere.v4()?));
    let refused = said(8081)?;
    assert!(!refused.stdout.contains("from"), "{refused:?}");
    assert!(sessions_of(&sluice)? >= 3, "the refused connection is recorded too");
    Ok(())
}
