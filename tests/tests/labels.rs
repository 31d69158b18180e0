//! Who is guarded, and that one workload cannot use up what another needs.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aya::maps::{HashMap, Map, MapData};
use harness::{Auth, Cgroup, Netns, Place, Postgres, PostgresOptions, Process, Setup, Sluice, eventually, run};

const POLICY: &str = "@id(\"all\") permit (principal, action, resource);";

fn database() -> Result<(Netns, Postgres)> {
    let netns = Netns::new("db")?;
    let server = Postgres::start(&netns, &PostgresOptions { auth: Auth::Scram, tls: true, settings: Vec::new() })?;
    Ok((netns, server))
}

fn setup(workloads: &str, server: &Postgres) -> Setup {
    Setup {
        body: format!("{workloads}\n{}", Setup::resource("orders", server, &server.v4().to_string())),
        policies: vec![("p.cedar".to_owned(), POLICY.to_owned())],
        ..Setup::default()
    }
}

/// Only without a destination of its own: everything is unlisted, and permitted.
fn unlisted(workloads: &str) -> Setup {
    Setup {
        body: format!("{workloads}\n[resources.other]\nprotocol = \"postgres\"\naddress = \"192.0.2.1:5432\"\n"),
        policies: vec![("p.cedar".to_owned(), POLICY.to_owned())],
        ..Setup::default()
    }
}

fn counted(sluice: &Sluice, pointer: &str) -> Result<u64> {
    let status = sluice.json(&["status", "--json"])?;
    status.pointer(pointer).and_then(serde_json::Value::as_u64).with_context(|| format!("no {pointer} in {status}"))
}

/// A server on the other host that keeps every connection to `count` ports from `first` on.
fn keeper(netns: &Netns, first: u16, count: u16) -> Result<(Process, tempfile::NamedTempFile)> {
    let script = format!(
        "import selectors, socket\nsel = selectors.DefaultSelector()\nheld = []\n\
         for port in range({first}, {first} + {count}):\n    s = socket.create_server(('', port), backlog=1000)\n    \
         s.setblocking(False)\n    sel.register(s, selectors.EVENT_READ)\nprint('ready', flush=True)\n\
         while True:\n    for key, _ in sel.select():\n        c = key.fileobj.accept()[0]\n        c.sendall(b'k')\n        held.append(c)\n"
    );
    let log = tempfile::NamedTempFile::new()?;
    let mut server =
        Process::start(Place::here().netns(netns).command("/usr/bin/python3").args(["-u", "-c", &script]), log.path())?;
    server.ready("the far server", Duration::from_secs(10), || {
        fs::read_to_string(log.path()).is_ok_and(|text| text.contains("ready"))
    })?;
    Ok((server, log))
}

/// How many of `count` connections, all open at the same time, were answered from the other host.
fn hold(place: &Place, netns: &Netns, first: u16, ports: u16, count: u32) -> Result<u32> {
    let script = format!(
        "import socket\nheld, n = [], 0\nfor i in range({count}):\n    s = socket.socket()\n    s.settimeout(10)\n    \
         held.append(s)\n    try:\n        s.connect(('{}', {first} + i % {ports}))\n        n += s.recv(1) == b'k'\n    \
         except OSError:\n        pass\nprint(n)\n",
        netns.v4()?
    );
    let said = run(place.command("/usr/bin/python3").args(["-c", &script]))?.success()?;
    Ok(said.trim().parse()?)
}

#[test]
fn a_user_of_the_node_can_be_a_workload() -> Result<()> {
    let (_netns, server) = database()?;
    let workload = "[workloads.backup]\nmatch = { user = \"nobody\" }\ngroups = [\"ci\"]\n";
    let sluice = Sluice::start(&setup(workload, &server), &server)?;
    let said = server.query(&Place::here().user("nobody"), "select 41 + 1")?.success()?;
    ensure!(said.trim() == "42", "{said}");
    let refused = server.query(&Place::here(), "select 1")?.failure()?;
    ensure!(refused.contains("no password supplied"), "root is nobody's workload here: {refused}");
    ensure!(sluice.cli(&["sessions"])?.success()?.contains("backup"));
    Ok(())
}

#[test]
fn a_reload_labels_and_unlabels_what_is_there_and_keeps_sessions() -> Result<()> {
    let (_netns, server) = database()?;
    let (one, two) = (Cgroup::new("one")?, Cgroup::new("two")?);
    let below = two.child("below")?;
    let only_one = Setup::workload("one", one.name());
    let mut sluice = Sluice::start(&setup(&only_one, &server), &server)?;
    let log = tempfile::NamedTempFile::new()?;
    let mut long = server.psql(&Place::here().cgroup(&one));
    let mut long = Process::start(long.args(["-c", "select pg_sleep(6), 'kept'"]), log.path())?;
    let serves = |cgroup: &Cgroup| {
        server.query(&Place::here().cgroup(cgroup), "select 41 + 1").is_ok_and(|said| said.stdout.trim() == "42")
    };
    ensure!(serves(&one) && !serves(&below));
    sluice.configure(&setup(&format!("{only_one}{}", Setup::workload("two", two.name())), &server))?;
    sluice.reload()?;
    ensure!(eventually(Duration::from_secs(10), || serves(&below)), "{}", sluice.log());
    ensure!(serves(&one) && serves(&two));
    // Taken out again, it connects directly, and the server asks for a password.
    sluice.configure(&setup(&only_one, &server))?;
    sluice.reload()?;
    let direct = || {
        let said = server.query(&Place::here().cgroup(&below), "select 1");
        said.is_ok_and(|said| said.stderr.contains("no password supplied"))
    };
    ensure!(eventually(Duration::from_secs(10), direct), "{}", sluice.log());
    ensure!(long.wait(Duration::from_secs(20))?.success() && long.output().contains("kept"), "{}", long.output());
    // What is wrong is said, and what ran before goes on.
    sluice
        .configure(&setup(&format!("{only_one}{}", Setup::workload("three", &format!("{}*", one.name()))), &server))?;
    sluice.reload()?;
    ensure!(eventually(Duration::from_secs(10), || sluice.log().contains("both match the cgroup")), "{}", sluice.log());
    ensure!(serves(&one));
    let checked = sluice.cli(&["check"])?.failure()?;
    ensure!(checked.contains("both match the cgroup"), "{checked}");
    Ok(())
}

#[test]
fn one_workload_cannot_use_up_what_another_needs() -> Result<()> {
    let far = Netns::new("far")?;
    let _keeper = keeper(&far, 7500, 1)?;
    let (greedy, modest) = (Cgroup::new("greedy")?, Cgroup::new("modest")?);
    // So many workloads that each one's share is small.
    let mut workloads =
        format!("{}{}", Setup::workload("greedy", greedy.name()), Setup::workload("modest", modest.name()));
    for n in 0..2000 {
        let _ = writeln!(workloads, "[workloads.w{n}]\nmatch = {{ cgroup = \"/slt-none/{n}\" }}");
    }
    let sluice = Sluice::start(&unlisted(&workloads), None)?;
    let most = u32::try_from(counted(&sluice, "/intercept/connections_max_per_workload")?)?;
    ensure!(most < 200, "a share is {most}");
    let log = tempfile::NamedTempFile::new()?;
    let script = format!(
        "import socket, time\nheld = []\nfor _ in range({}):\n    s = socket.socket()\n    s.settimeout(10)\n    \
         held.append((s, s.connect_ex(('{}', 7500))))\nprint(sum(1 for _, e in held if e == 0), flush=True)\ntime.sleep(60)\n",
        most + 50,
        far.v4()?
    );
    let mut greedy_job = Process::start(
        Place::here().cgroup(&greedy).command("/usr/bin/python3").args(["-u", "-c", &script]),
        log.path(),
    )?;
    greedy_job.ready("the greedy job", Duration::from_secs(30), || {
        fs::read_to_string(log.path()).is_ok_and(|text| text.ends_with('\n'))
    })?;
    ensure!(greedy_job.output().trim() == most.to_string(), "{} of {most}", greedy_job.output());
    ensure!(eventually(Duration::from_secs(3), || counted(&sluice, "/intercept/events/connection_cap")
        .is_ok_and(|n| n == 50)));
    assert_eq!(hold(&Place::here().cgroup(&modest), &far, 7500, 1, 50)?, 50);
    // What ended is free again.
    drop(greedy_job);
    let freed = || hold(&Place::here().cgroup(&greedy), &far, 7500, 1, 50).is_ok_and(|served| served == 50);
    ensure!(eventually(Duration::from_secs(10), freed));
    Ok(())
}

#[test]
fn a_namespace_has_more_connections_than_it_has_ports() -> Result<()> {
    let far = Netns::new("far")?;
    let near = Netns::beside("near", &far)?;
    let _keeper = keeper(&far, 7600, 10)?;
    let job = Cgroup::new("job")?;
    let _sluice = Sluice::start(&unlisted(&Setup::workload("job", job.name())), None)?;
    // Some 28,000 ports for each address are the default: the same with a hundredth of them.
    let mut narrow = Place::here().netns(&near).command("sysctl");
    run(narrow.args(["-q", "-w", "net.ipv4.ip_local_port_range=50000 50279"]))?.success()?;
    let place = Place::here().cgroup(&job).netns(&near);
    assert_eq!(hold(&place, &far, 7600, 10, 600)?, 600, "280 ports");
    Ok(())
}

/// What a Python program says that is given `arguments`.
fn python(place: &Place, script: &str, arguments: &[&str]) -> Result<String> {
    run(place.command("/usr/bin/python3").args(["-c", script]).args(arguments))?.success()
}

#[test]
fn a_port_that_goes_from_one_workload_to_another_is_counted_for_each() -> Result<()> {
    let far = Netns::new("far")?;
    let _keeper = keeper(&far, 7700, 1)?;
    let (one, two) = (Cgroup::new("one")?, Cgroup::new("two")?);
    let workloads = format!("{}{}", Setup::workload("one", one.name()), Setup::workload("two", two.name()));
    let sluice = Sluice::start(&unlisted(&workloads), None)?;
    let most = counted(&sluice, "/intercept/connections_max_per_workload")?;
    // While the daemon is stopped, and not for so long that its heart has stopped beating, an origin stays when its
    // connection has gone: the next one with the same ends is published over it. (A port that no other is given.)
    let daemon = sluice.pid()?.to_string();
    let script = "import os, signal, socket, struct, sys\n\
                  daemon, host, one, two = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]\n\
                  os.kill(daemon, signal.SIGSTOP)\n\
                  try:\n    \
                      for cgroup in one, two:\n        \
                          open(cgroup + '/cgroup.procs', 'w').write('0')\n        \
                          s = socket.socket()\n        \
                          s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))\n        \
                          s.settimeout(5)\n        \
                          s.bind(('', 27700))\n        \
                          s.connect((host, 7700))\n        \
                          s.close() if cgroup == one else None\n\
                  finally:\n    os.kill(daemon, signal.SIGCONT)\n\
                  print(s.recv(1))\n";
    let folders = [one.path().display().to_string(), two.path().display().to_string()];
    let host = far.v4()?.to_string();
    for _ in 0..3 {
        let said = python(&Place::here(), script, &[&daemon, &host, &folders[0], &folders[1]])?;
        // One that ended before it was accepted leaves the next its origin.
        ensure!(said.contains("b'k'"), "{said}");
    }
    ensure!(eventually(Duration::from_secs(10), || counted(&sluice, "/intercept/connections").is_ok_and(|n| n == 0)));
    for cgroup in [&one, &two] {
        let serves = || hold(&Place::here().cgroup(cgroup), &far, 7700, 1, 3).is_ok_and(|served| served == 3);
        ensure!(eventually(Duration::from_secs(10), serves), "{}: {}", cgroup.name(), sluice.log());
    }
    ensure!(counted(&sluice, "/intercept/events/connection_cap")? == 0, "of {most}");
    Ok(())
}

/// Runs in a user namespace that `owner` has made, with uids from 100000 on, as 1 in there: as newuidmap does it.
const SUBORDINATE: &str = "import ctypes, os, socket, sys\n\
    owner, host, port = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])\n\
    libc = ctypes.CDLL(None, use_errno=True)\n\
    made, mapped = os.pipe(), os.pipe()\n\
    pid = os.fork()\n\
    if pid == 0:\n    \
        os.setgroups([])\n    os.setresgid(owner, owner, owner)\n    os.setresuid(owner, owner, owner)\n    \
        assert libc.unshare(0x10000000) == 0, ctypes.get_errno()\n    \
        os.write(made[1], b'x')\n    os.read(mapped[0], 1)\n    os.setresuid(1, 1, 1)\n    \
        s = socket.socket()\n    s.settimeout(5)\n    \
        try:\n        s.connect((host, port))\n        print(s.recv(1), flush=True)\n        \
        if len(sys.argv) > 4:\n            s.settimeout(60)\n            print(s.recv(1))\n    \
        except OSError as error:\n        print(error)\n    \
        sys.stdout.flush()\n    os._exit(0)\n\
    os.read(made[0], 1)\n\
    open('/proc/%d/uid_map' % pid, 'w').write('0 %d 1\\n1 100000 65536' % owner)\n\
    os.write(mapped[1], b'x')\n\
    os.wait()\n";

/// A user's workload, of whom nothing is let out.
fn user(name: &str) -> Setup {
    let workload = format!(
        "[workloads.user]\nmatch = {{ user = \"{name}\" }}\n\
         [resources.other]\nprotocol = \"postgres\"\naddress = \"192.0.2.1:5432\"\n"
    );
    let forbid = "@id(\"none\") forbid (principal, action, resource);";
    Setup { body: workload, policies: vec![("p.cedar".to_owned(), forbid.to_owned())], ..Setup::default() }
}

#[test]
fn what_a_users_subordinate_uid_has_open_ends_when_the_user_gets_a_label() -> Result<()> {
    let far = Netns::new("far")?;
    let _keeper = keeper(&far, 7711, 1)?;
    let nobody = nix::unistd::User::from_name("nobody")?.context("no nobody")?.uid.to_string();
    let log = tempfile::NamedTempFile::new()?;
    let mut python = Place::here().command("/usr/bin/python3");
    python.args(["-c", SUBORDINATE, &nobody, &far.v4()?.to_string(), "7711", "stay"]);
    let mut open = Process::start(&mut python, log.path())?;
    let said = || fs::read_to_string(log.path()).unwrap_or_default();
    open.ready("a connection", Duration::from_secs(10), || said().contains("b'k'"))?;
    let sluice = Sluice::start(&user("nobody"), None)?;
    ensure!(eventually(Duration::from_secs(5), || said().contains("abort")), "{}", said());
    ensure!(counted(&sluice, "/intercept/destroyed")? == 1);
    Ok(())
}

#[test]
fn a_users_subordinate_uids_are_the_users() -> Result<()> {
    let far = Netns::new("far")?;
    let _keeper = keeper(&far, 7710, 1)?;
    let sluice = Sluice::start(&user("nobody"), None)?;
    let (nobody, other) = (nix::unistd::User::from_name("nobody")?.context("no nobody")?.uid.to_string(), "1");
    let host = far.v4()?.to_string();
    // As any other user it leads to the other host.
    ensure!(python(&Place::here(), SUBORDINATE, &[other, &host, "7710"])?.contains("b'k'"));
    let before = counted(&sluice, "/intercept/events/redirected")?;
    let said = python(&Place::here(), SUBORDINATE, &[&nobody, &host, "7710"])?;
    ensure!(!said.contains("b'k'"), "{said}");
    ensure!(eventually(Duration::from_secs(3), || counted(&sluice, "/intercept/events/redirected")
        .is_ok_and(|n| n > before)));
    Ok(())
}

#[test]
fn a_uid_in_a_container_is_not_the_same_number_outside() -> Result<()> {
    let workload = "[workloads.backup]\nmatch = { user = \"nobody\" }\n\
                    [resources.other]\nprotocol = \"postgres\"\naddress = \"192.0.2.1:5432\"\n";
    let setup = Setup {
        body: workload.to_owned(),
        policies: vec![("p.cedar".to_owned(), POLICY.to_owned())],
        ..Setup::default()
    };
    let _sluice = Sluice::start(&setup, None)?;
    let nobody = nix::unistd::User::from_name("nobody")?.context("no nobody")?.uid.to_string();
    // Network namespace and user namespace belong together, and in there some root has given himself that number.
    let script = "import ctypes, os, socket, subprocess, sys\n\
        uid = int(sys.argv[1])\n\
        libc = ctypes.CDLL(None, use_errno=True)\n\
        made, mapped = os.pipe(), os.pipe()\n\
        pid = os.fork()\n\
        if pid == 0:\n    \
            assert libc.unshare(0x10000000) == 0, ctypes.get_errno()\n    \
            os.write(made[1], b'x')\n    os.read(mapped[0], 1)\n    \
            os.setresgid(0, 0, 0)\n    os.setresuid(0, 0, 0)\n    \
            assert libc.unshare(0x40000000) == 0, ctypes.get_errno()\n    \
            subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)\n    \
            os.setresuid(uid, uid, uid)\n    \
            a, b = socket.socket(type=socket.SOCK_DGRAM), socket.socket(type=socket.SOCK_DGRAM)\n    \
            a.bind(('127.0.0.1', 0))\n    a.settimeout(3)\n    \
            try:\n        b.sendto(b'arrived', a.getsockname())\n        print(a.recv(9))\n    \
            except OSError as error:\n        print(error)\n    \
            sys.stdout.flush()\n    os._exit(0)\n\
        os.read(made[0], 1)\n\
        for kind in 'uid', 'gid':\n    open('/proc/%d/%s_map' % (pid, kind), 'w').write('0 100000 65536')\n\
        os.write(mapped[1], b'x')\n\
        os.wait()\n";
    let said = python(&Place::here(), script, &[&nobody])?;
    ensure!(said.contains("arrived"), "{said}");
    Ok(())
}

#[test]
fn what_one_workload_is_refused_does_not_hide_what_another_did_while_nobody_watched() -> Result<()> {
    let far = Netns::new("far")?;
    let _keeper = keeper(&far, 7720, 1)?;
    let (loud, quiet) = (Cgroup::new("loud")?, Cgroup::new("quiet")?);
    let workloads = format!("{}{}", Setup::workload("loud", loud.name()), Setup::workload("quiet", quiet.name()));
    let open = Setup { intercept: "on_gateway_down = \"open\"".to_owned(), ..unlisted(&workloads) };
    let mut sluice = Sluice::start(&open, None)?;
    sluice.kill();
    // More events than there is room for, of both kinds.
    let script = "import socket, sys\n\
                  s = socket.socket(type=socket.SOCK_DGRAM)\n\
                  for _ in range(30000):\n    \
                      try:\n        s.sendto(b'x', ('192.0.2.1', 9))\n    \
                      except OSError:\n        pass\n\
                  for _ in range(1000):\n    socket.socket().connect((sys.argv[1], 7720))\n";
    let direct = || hold(&Place::here().cgroup(&loud), &far, 7720, 1, 1).is_ok_and(|served| served == 1);
    ensure!(eventually(Duration::from_secs(10), direct), "the heartbeat is not stale");
    python(&Place::here().cgroup(&loud), script, &[&far.v4()?.to_string()])?;
    assert_eq!(hold(&Place::here().cgroup(&quiet), &far, 7720, 1, 1)?, 1);
    sluice.run()?;
    let said = |workload: &str| {
        sluice.log().lines().filter(|line| line.contains("connected directly") && line.contains(workload)).count()
    };
    ensure!(eventually(Duration::from_secs(5), || said("quiet") == 1), "{}", sluice.log());
    ensure!(said("loud") >= 100, "{} of the loud one's are told", said("loud"));
    Ok(())
}

#[test]
fn a_workload_with_too_many_cgroups_is_refused_in_those_and_nobody_else_is() -> Result<()> {
    let far = Netns::new("far")?;
    let _keeper = keeper(&far, 7730, 1)?;
    let (pool, elsewhere) = (Cgroup::new("pool")?, Cgroup::new("elsewhere")?);
    let mut sluice = Sluice::start(&unlisted(&Setup::workload("job", &format!("{}/job-*", pool.name()))), None)?;
    let serves = |cgroup: &Cgroup| hold(&Place::here().cgroup(cgroup), &far, 7730, 1, 1).map(|served| served == 1);
    let early = pool.child("other-early")?;
    let first = pool.child("job-first")?;
    for n in 0..8_300 {
        fs::create_dir(pool.path().join(format!("job-{n}")))?;
    }
    let last = pool.child("job-last")?;
    let below = last.child("below")?;
    let late = pool.child("other-late")?;
    let aside = elsewhere.child("aside")?;
    for alive in [true, false] {
        if alive {
            ensure!(serves(&first)?);
            ensure!(counted(&sluice, "/intercept/labelled_cgroups").is_ok());
        } else {
            sluice.kill();
            ensure!(!serves(&first)?);
        }
        ensure!(!serves(&last)? && !serves(&below)?, "alive: {alive}");
        for other in [&early, &late, &elsewhere, &aside] {
            ensure!(serves(other)?, "alive: {alive}, {}", other.name());
        }
    }
    // The map has room for others.
    let pinned = Map::HashMap(MapData::from_pin(sluice.pin_dir().join("v3/maps/CGROUPS"))?);
    let cgroups: HashMap<_, u64, [u32; 3]> = HashMap::try_from(pinned)?;
    let labelled = cgroups.iter().flatten().filter(|(_, [label, ..])| *label != 0).count();
    ensure!((8_000..=8_192).contains(&labelled), "{labelled} entries");
    sluice.run()?;
    ensure!(serves(&first)? && !serves(&last)? && serves(&late)?);
    Ok(())
}

#[test]
fn programs_that_somebody_else_detaches_are_noticed() -> Result<()> {
    let (_netns, server) = database()?;
    let job = Cgroup::new("job")?;
    let sluice = Sluice::start(&setup(&Setup::workload("job", job.name()), &server), &server)?;
    let link = sluice.pin_dir().join("v3/links/getpeername6");
    run(Command::new("bpftool").args(["link", "detach", "pinned"]).arg(&link))?.success()?;
    let noticed = || sluice.log().contains("programs have been detached by somebody else");
    ensure!(eventually(Duration::from_secs(10), noticed), "{}", sluice.log());
    let shown =
        || sluice.cli(&["status"]).is_ok_and(|said| !said.status.success() && said.stdout.contains("getpeername6"));
    ensure!(eventually(Duration::from_secs(5), shown), "{:?}", sluice.cli(&["status"])?);
    // A tracepoint's program goes with its pin.
    fs::remove_file(sluice.pin_dir().join("v3/links/cgroup_mkdir"))?;
    let shown =
        || sluice.cli(&["status"]).is_ok_and(|said| !said.status.success() && said.stdout.contains("cgroup_mkdir"));
    ensure!(eventually(Duration::from_secs(10), shown), "{:?}", sluice.cli(&["status"])?);
    Ok(())
}
