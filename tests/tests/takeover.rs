//! An origin is its own connection's and nobody else's, and a workload's count of connections is right whatever happens
//! to the workload.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::{Auth, Cgroup, Netns, Place, Postgres, PostgresOptions, Process, Setup, Sluice, eventually, run};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const POLICY: &str = "@id(\"all\") permit (principal, action, resource);";

fn database() -> Result<(Netns, Postgres)> {
    let netns = Netns::new("db")?;
    let server = Postgres::start(&netns, &PostgresOptions { auth: Auth::Scram, tls: true, settings: Vec::new() })?;
    Ok((netns, server))
}

/// The folder of pinned maps.
fn maps(sluice: &Sluice) -> Result<PathBuf> {
    Ok(sluice.status("/intercept/maps")?.as_str().context("no folder of maps")?.into())
}

/// How many origins the kernel holds.
fn origins(maps: &std::path::Path) -> Result<usize> {
    let said = run(Command::new("bpftool").args(["--json", "map", "dump", "pinned"]).arg(maps.join("ORIGINS")))?;
    let found: serde_json::Value = serde_json::from_str(&said.success()?)?;
    Ok(found.as_array().context("no list")?.len())
}

#[test]
fn a_connection_that_is_reset_before_it_is_accepted_leaves_no_origin() -> Result<()> {
    let job = Cgroup::new("job")?;
    let setup = Setup {
        body: format!(
            "{}\n[resources.other]\nprotocol = \"postgres\"\naddress = \"192.0.2.1:5432\"\n",
            Setup::workload("job", job.name())
        ),
        policies: vec![("p.cedar".to_owned(), POLICY.to_owned())],
        ..Setup::default()
    };
    let sluice = Sluice::start(&setup, None)?;
    let maps = maps(&sluice)?;
    let daemon = Pid::from_raw(sluice.pid()?.cast_signed());
    let go = tempfile::tempdir()?;
    let script = format!(
        "import os, socket, struct, time\nprint('ready', flush=True)\nwhile not os.path.exists('{}/go'):\n    time.sleep(0.005)\n\
         n = 0\nfor port in range(7900, 7920):\n    s = socket.socket()\n    n += s.connect_ex(('192.0.2.7', port)) == 0\n    \
         s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))\n    s.close()\n\
         os.write(1, b'made %d' % n)\ntime.sleep(60)\n",
        go.path().display()
    );
    let log = tempfile::NamedTempFile::new()?;
    let said = || fs::read_to_string(log.path()).unwrap_or_default();
    let mut python = Place::here().cgroup(&job).command("/usr/bin/python3");
    let mut client = Process::start(python.args(["-u", "-c", &script]), log.path())?;
    client.ready("a client", Duration::from_secs(10), || said().contains("ready"))?;
    // The kernel makes connections for a daemon that does not look; for as long as its heartbeat is young.
    kill(daemon, Signal::SIGSTOP)?;
    fs::write(go.path().join("go"), "")?;
    let made = eventually(Duration::from_secs(10), || said().contains("made "));
    let held = origins(&maps);
    kill(daemon, Signal::SIGCONT)?;
    ensure!(made && said().ends_with("made 20"), "{}", said());
    assert_eq!(held?, 20, "what was published");
    ensure!(
        eventually(Duration::from_secs(10), || origins(&maps).is_ok_and(|n| n == 0)),
        "{} are left",
        origins(&maps)?
    );
    Ok(())
}

#[test]
fn nobody_comes_to_an_earlier_connections_origin_while_the_daemon_starts() -> Result<()> {
    let (_netns, server) = database()?;
    let (job, other) = (Cgroup::new("job")?, Cgroup::new("other")?);
    let mut sluice = Sluice::start(&Setup::postgres(job.name(), &server, POLICY), &server)?;
    let listeners = sluice.status("/intercept/listeners/0/addresses")?;
    let listeners = listeners.as_array().context("no addresses")?;
    let listeners: Vec<String> =
        listeners.iter().filter_map(|a| a.as_str()).filter(|a| a.starts_with("127.")).map(str::to_owned).collect();
    // What both say first: whoever is let in is answered.
    let startup = format!(
        "import socket, struct, sys, time\nbody = struct.pack('!i', 196608) + b'user\\0whoever\\0database\\0{}\\0\\0'\n\
         hello = struct.pack('!i', len(body) + 4) + body\n",
        server.database()
    );
    let hold = format!(
        "{startup}s = socket.create_connection(('{}', {}), 10)\ns.sendall(hello)\nassert s.recv(1) == b'R'\n\
         print(*s.getsockname(), flush=True)\ntime.sleep(60)\n",
        server.v4(),
        server.port()
    );
    let log = tempfile::NamedTempFile::new()?;
    let python = |cgroup: &Cgroup, script: &str| {
        let mut python = Place::here().cgroup(cgroup).command("/usr/bin/python3");
        python.args(["-u", "-c", script]);
        python
    };
    let mut holding = Process::start(&mut python(&job, &hold), log.path())?;
    holding.ready("a connection", Duration::from_secs(20), || {
        fs::read_to_string(log.path()).is_ok_and(|text| text.ends_with('\n'))
    })?;
    let said = holding.output();
    let (host, port) = said.trim().split_once(' ').context("no address")?;
    sluice.kill();
    drop(holding);
    let knock = format!(
        "{startup}n = 0\nend = time.time() + 120\nwhile time.time() < end:\n    for at in {listeners:?}:\n        \
         s = socket.socket()\n        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n        s.settimeout(1)\n        \
         try:\n            s.bind(('{host}', {port}))\n            to, _, number = at.partition(':')\n            \
         s.connect((to, int(number)))\n            s.sendall(hello)\n            said = s.recv(1)\n            \
         if said: print('TAKEN', said, flush=True)\n        except OSError:\n            pass\n        s.close()\n        n += 1\n        \
         if n % 50 == 0: print(n, flush=True)\n"
    );
    let log = tempfile::NamedTempFile::new()?;
    let mut knocking = Process::start(&mut python(&other, &knock), log.path())?;
    let knocked = |text: String| text.lines().filter_map(|line| line.parse::<u64>().ok()).next_back().unwrap_or(0);
    knocking.ready("somebody who knocks", Duration::from_secs(20), || {
        fs::read_to_string(log.path()).is_ok_and(|text| knocked(text) > 0)
    })?;
    sluice.run()?;
    let before = knocked(knocking.output());
    knocking.ready("somebody who knocks", Duration::from_secs(60), || {
        fs::read_to_string(log.path()).is_ok_and(|text| knocked(text) >= before + 100)
    })?;
    ensure!(!knocking.output().contains("TAKEN"), "{}", knocking.output());
    // The workload itself is served again.
    let said = server.query(&Place::here().cgroup(&job), "select 41 + 1")?.success()?;
    assert_eq!(said.trim(), "42");
    Ok(())
}

#[test]
fn whoever_takes_a_dead_daemons_port_is_given_nobodys_connection() -> Result<()> {
    let (_netns, server) = database()?;
    let (job, other) = (Cgroup::new("job")?, Cgroup::new("other")?);
    let mut sluice = Sluice::start(&Setup::postgres(job.name(), &server, POLICY), &server)?;
    let listeners = sluice.status("/intercept/listeners/0/addresses")?;
    let listeners: Vec<&str> =
        listeners.as_array().context("no addresses")?.iter().filter_map(|address| address.as_str()).collect();
    ensure!(listeners.iter().any(|a| a.starts_with('[')) && listeners.iter().any(|a| a.starts_with("127.")));
    let maps = maps(&sluice)?;
    assert_eq!(server.query(&Place::here().cgroup(&job), "select 41 + 1")?.success()?.trim(), "42");
    sluice.kill();
    // As young as at its death for as long as this takes: the future is no age.
    let young = ["map", "update", "pinned"].map(std::ffi::OsStr::new);
    let mut young = Command::new("bpftool")
        .args(young)
        .arg(maps.join("HEARTBEAT"))
        .args("key hex 0 0 0 0 value hex".split(' '))
        .args(["ff"; 8])
        .output()?;
    ensure!(young.status.success(), "{}", String::from_utf8_lossy(&std::mem::take(&mut young.stderr)));
    let squat = format!(
        "import select, socket\nheld = []\nfor at in {listeners:?}:\n    host, _, port = at.rpartition(':')\n    \
         s = socket.create_server((host.strip('[]'), int(port)), family=socket.AF_INET6 if '[' in at else socket.AF_INET)\n    \
         held.append(s)\nprint('ready', flush=True)\n\
         while True:\n    for s in select.select(held, [], [])[0]:\n        print('TAKEN', s.accept()[1], flush=True)\n"
    );
    let log = tempfile::NamedTempFile::new()?;
    let mut squatting = Place::here().cgroup(&other).command("/usr/bin/python3");
    let mut squatting = Process::start(squatting.args(["-u", "-c", &squat]), log.path())?;
    squatting.ready("somebody on the ports", Duration::from_secs(20), || {
        fs::read_to_string(log.path()).is_ok_and(|text| text.contains("ready"))
    })?;
    let call = format!(
        "import socket\nfor host in ['{}', '{}'] * 10:\n    s = socket.create_connection((host, {}), 5)\n    s.close()\n",
        server.v4(),
        server.v6(),
        server.port()
    );
    let said = run(Place::here().cgroup(&job).command("/usr/bin/python3").args(["-c", &call]))?.failure()?;
    ensure!(said.contains("ConnectionRefusedError"), "{said}");
    ensure!(!squatting.output().contains("TAKEN"), "{}", squatting.output());
    drop(squatting);
    sluice.run()?;
    assert_eq!(server.query(&Place::here().cgroup(&job), "select 41 + 1")?.success()?.trim(), "42");
    Ok(())
}

/// Sessions of psql that have begun, and end by themselves after some seconds.
struct Sessions(Vec<(Process, tempfile::NamedTempFile)>);

impl Sessions {
    fn begin(server: &Postgres, place: &Place, count: usize, seconds: u32) -> Result<Self> {
        let mut held = Vec::new();
        for _ in 0..count {
            let log = tempfile::NamedTempFile::new()?;
            let mut psql = server.psql(place);
            psql.args(["-c", "select 'begun'", "-c", &format!("select pg_sleep({seconds}), 'slept'")]);
            held.push((Process::start(&mut psql, log.path())?, log));
        }
        for (process, log) in &mut held {
            process.ready("a session", Duration::from_secs(20), || {
                fs::read_to_string(log.path()).is_ok_and(|text| text.contains("begun"))
            })?;
        }
        Ok(Self(held))
    }

    /// Waits for their end, by which the gateway has none; and how many of them did what they wanted.
    fn end(self, sluice: &Sluice) -> Result<usize> {
        let mut done = 0;
        for (mut process, log) in self.0 {
            let ended = process.wait(Duration::from_secs(60))?;
            done += usize::from(ended.success() && fs::read_to_string(log.path())?.contains("slept"));
        }
        let left = || sluice.status("/intercept/connections")?.as_u64().context("no count");
        ensure!(eventually(Duration::from_secs(10), || left().is_ok_and(|n| n == 0)), "{} are left", left()?);
        Ok(done)
    }
}

#[test]
fn a_workload_that_is_taken_out_and_put_back_is_served_whatever_its_connections_did_meanwhile() -> Result<()> {
    let (_netns, server) = database()?;
    let (job, other) = (Cgroup::new("job")?, Cgroup::new("other")?);
    let without = Setup::workload("other", other.name());
    let with = format!("{without}{}", Setup::workload("job", job.name()));
    let setup = |workloads: &str| Setup {
        body: format!("{workloads}\n{}", Setup::resource("orders", &server, &server.v4().to_string())),
        ..Setup::postgres(job.name(), &server, POLICY)
    };
    let mut sluice = Sluice::start(&setup(&with), &server)?;
    let place = Place::here().cgroup(&job);
    let served = || -> Result<()> {
        let said = server.query(&place, "select 41 + 1")?.success()?;
        ensure!(said.trim() == "42", "{said}");
        Ok(())
    };
    let mut reloads = 0;
    let mut take = |sluice: &mut Sluice, workloads: &str| -> Result<()> {
        reloads += 1;
        sluice.configure(&setup(workloads))?;
        sluice.reload()?;
        let done = || sluice.log().matches("\"reloaded\"").count() == reloads;
        ensure!(eventually(Duration::from_secs(20), done), "{}", sluice.log());
        Ok(())
    };
    served()?;
    // They end with the reload that takes the workload out, and are counted for one that is not there.
    let sessions = Sessions::begin(&server, &place, 3, 3)?;
    take(&mut sluice, &without)?;
    assert_eq!(sessions.end(&sluice)?, 0);
    take(&mut sluice, &with)?;
    served()?;
    // They end when it is back, because they are then older than its label.
    let sessions = Sessions::begin(&server, &place, 3, 6)?;
    take(&mut sluice, &without)?;
    take(&mut sluice, &with)?;
    assert_eq!(sessions.end(&sluice)?, 0);
    served()?;
    // They end with the daemon, which has counted some.
    let sessions = Sessions::begin(&server, &place, 3, 60)?;
    sluice.kill();
    drop(sessions);
    sluice.run()?;
    served()?;
    Ok(())
}
