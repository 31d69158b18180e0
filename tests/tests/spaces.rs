//! Network namespaces of workloads: who is in them is found, a listener that somebody ends comes back, and what one
//! workload makes of its namespaces costs no other.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::{Cgroup, Netns, Place, Process, Setup, Sluice, eventually, run};

const POLICY: &str = "@id(\"all\") permit (principal, action, resource);";

/// What greets whoever calls.
const PORT: u16 = 7700;

/// Everything is unlisted, and permitted.
fn setup(workloads: &str) -> Setup {
    Setup {
        body: format!("{workloads}\n[resources.other]\nprotocol = \"postgres\"\naddress = \"192.0.2.1:5432\"\n"),
        policies: vec![("p.cedar".to_owned(), POLICY.to_owned())],
        ..Setup::default()
    }
}

/// Python in the background, of which the last line it has written tells how far it is.
struct Script {
    process: Process,
    log: tempfile::NamedTempFile,
}

impl Script {
    fn start(place: &Place, script: &str) -> Result<Self> {
        let log = tempfile::NamedTempFile::new()?;
        let process = Process::start(place.command("/usr/bin/python3").args(["-u", "-c", script]), log.path())?;
        Ok(Self { process, log })
    }

    fn says(&mut self, word: &str) -> Result<()> {
        let path = self.log.path().to_owned();
        self.process.ready(word, Duration::from_secs(60), || {
            fs::read_to_string(&path).is_ok_and(|text| text.lines().any(|line| line == word))
        })
    }
}

fn greeter(netns: &Netns) -> Result<Script> {
    let script = format!(
        "import socket\ns = socket.create_server(('', {PORT}), backlog=1000)\nprint('ready')\n\
         while True:\n    c, a = s.accept()\n    c.sendall(b'greeted')\n    c.close()\n"
    );
    let mut greeter = Script::start(&Place::here().netns(netns), &script)?;
    greeter.says("ready")?;
    Ok(greeter)
}

/// Python that defines `greeted()`: whether a call is answered.
fn greeted_of(to: Ipv4Addr) -> String {
    format!(
        "import socket, time, threading, ctypes, os\ndef greeted():\n    try:\n        \
         s = socket.create_connection(('{to}', {PORT}), 10)\n        return s.recv(9) == b'greeted'\n    \
         except OSError:\n        return False\n"
    )
}

fn greeted(place: &Place, to: Ipv4Addr) -> Result<bool> {
    let script = format!("{}print(greeted())\n", greeted_of(to));
    Ok(run(place.command("/usr/bin/python3").args(["-c", &script]))?.success()?.trim() == "True")
}

fn listeners(sluice: &Sluice) -> Result<usize> {
    Ok(sluice.status("/intercept/listeners")?.as_array().context("no listeners")?.len())
}

#[test]
fn a_listener_whose_sockets_are_destroyed_comes_back() -> Result<()> {
    let far = Netns::new("far")?;
    let near = Netns::beside("near", &far)?;
    let job = Cgroup::new("job")?;
    let _greeter = greeter(&far)?;
    let sluice = Sluice::start(&setup(&Setup::workload("job", job.name())), None)?;
    let place = Place::here().cgroup(&job).netns(&near);
    let mut stays = Script::start(&place, "import time\nprint('here')\ntime.sleep(120)\n")?;
    stays.says("here")?;
    ensure!(eventually(Duration::from_secs(5), || greeted(&place, far.v4().unwrap()).is_ok_and(|yes| yes)));
    for _ in 0..2 {
        // By whoever has power over the namespace, as a workload in one of its own.
        let mut ss = Place::here().netns(&near).command("ss");
        let killed = run(ss.args(["-K", "-H", "-t", "-l", "-n"]))?.success()?;
        ensure!(killed.contains("127.83.76."), "{killed}");
        let back = || greeted(&place, far.v4().unwrap()).is_ok_and(|yes| yes);
        ensure!(eventually(Duration::from_secs(20), back), "{}", sluice.log());
    }
    let log = sluice.log();
    ensure!(log.contains("sockets have been destroyed by somebody in the network namespace"), "{log}");
    let complaints = log.matches("a connection cannot be accepted").count();
    ensure!(complaints < 10, "{complaints} lines");
    Ok(())
}

#[test]
fn answers_on_accepted_connections_pass_while_no_daemon_runs() -> Result<()> {
    let far = Netns::new("far")?;
    let near = Netns::beside("near", &far)?;
    let job = Cgroup::new("job")?;
    let mut sluice = Sluice::start(&setup(&Setup::workload("job", job.name())), None)?;
    let serve = "import socket\ns = socket.create_server(('', 7710))\nprint('ready')\n\
                 while True:\n    c, _ = s.accept()\n    c.sendall(b'x' * 100000)\n    c.close()\n";
    let mut servers = Vec::new();
    for place in [Place::here().cgroup(&job), Place::here().cgroup(&job).netns(&near)] {
        let mut server = Script::start(&place, serve)?;
        server.says("ready")?;
        servers.push(server);
    }
    ensure!(eventually(Duration::from_secs(5), || listeners(&sluice).is_ok_and(|n| n == 2)));
    let reads = |to: Ipv4Addr| -> Result<String> {
        let call = format!(
            "import socket\ns = socket.create_connection(('{to}', 7710), 5)\nn = 0\ntry:\n    \
             while b := s.recv(65536):\n        n += len(b)\nexcept OSError:\n    pass\nprint(n)\n"
        );
        Ok(run(Place::here().netns(&far).command("/usr/bin/python3").args(["-c", &call]))?.success()?.trim().to_owned())
    };
    let addresses = [far.host_v4()?, near.v4()?];
    for round in ["running", "stopped", "running again"] {
        for address in addresses {
            assert_eq!(reads(address)?, "100000", "{round}: {address}");
        }
        if round == "running" {
            ensure!(sluice.terminate()?.success());
        } else if round == "stopped" {
            sluice.run()?;
        }
    }
    Ok(())
}

#[test]
fn a_thread_that_is_elsewhere_than_its_process_is_found_and_kept() -> Result<()> {
    let far = Netns::new("far")?;
    let near = Netns::beside("near", &far)?;
    let job = Cgroup::new("job")?;
    let _greeter = greeter(&far)?;
    let _sluice = Sluice::start(&setup(&Setup::workload("job", job.name())), None)?;
    // Refused until its listener is there; then never again, for longer than it takes to close one.
    let script = format!(
        "{}def elsewhere():\n    libc = ctypes.CDLL(None)\n    assert libc.setns(os.open('/run/netns/{}', 0), 0x40000000) == 0\n    \
         while not greeted():\n        time.sleep(0.05)\n    print('greeted')\n    time.sleep(7)\n    print('again', greeted())\n\
         t = threading.Thread(target=elsewhere)\nt.start()\nt.join()\ntime.sleep(60)\n",
        greeted_of(far.v4()?),
        near.name()
    );
    let mut thread = Script::start(&Place::here().cgroup(&job), &script)?;
    thread.says("greeted")?;
    thread.says("again True")
}

#[test]
fn a_users_process_that_acts_as_another_keeps_its_listener() -> Result<()> {
    let far = Netns::new("far")?;
    let near = Netns::beside("near", &far)?;
    let _greeter = greeter(&far)?;
    let workload = "[workloads.backup]\nmatch = { user = \"nobody\" }\ngroups = [\"ci\"]\n";
    let _sluice = Sluice::start(&setup(workload), None)?;
    // As a setuid program: the label is by the real uid, and its folder in /proc is the effective one's.
    let script = format!(
        "{}os.setresuid(65534, 0, 0)\nwhile not greeted():\n    time.sleep(0.05)\nprint('greeted')\n\
         time.sleep(7)\nprint('again', greeted())\ntime.sleep(60)\n",
        greeted_of(far.v4()?)
    );
    let mut process = Script::start(&Place::here().netns(&near), &script)?;
    process.says("greeted")?;
    process.says("again True")
}

/// Two workloads that are tried, among so many that each has few namespaces.
fn crowd(greedy: &Cgroup, modest: &Cgroup) -> String {
    let mut workloads =
        format!("{}{}", Setup::workload("greedy", greedy.name()), Setup::workload("modest", modest.name()));
    for n in 0..2000 {
        let _ = writeln!(workloads, "[workloads.w{n}]\nmatch = {{ cgroup = \"/slt-none/{n}\" }}");
    }
    workloads
}

fn most(sluice: &Sluice) -> Result<usize> {
    let most = sluice.status("/intercept/namespaces_max_per_workload")?.as_u64().context("no limit")?;
    ensure!((1..=40).contains(&most), "a workload may have {most} namespaces");
    Ok(usize::try_from(most)?)
}

/// Processes, each in a network namespace of its own making. With `full`, no port below 1024 is free on its loopback.
fn hermits(greedy: &Cgroup, count: usize, full: bool) -> Result<Script> {
    let script = format!(
        "import ctypes, os, resource, socket, time\nlibc = ctypes.CDLL(None)\n\
         resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))\n\
         def fill():\n    held = []\n    for port in range(640, 1024):\n        \
         for family, level, option, host in [(2, 0, 15, '127.83.76.4'), (10, 41, 78, '::1')]:\n            \
         s = socket.socket(family)\n            s.setsockopt(level, option, 1)\n            s.bind((host, port))\n            \
         held.append(s)\n    return held\n\
         for n in range({count}):\n    if os.fork() == 0:\n        assert libc.unshare(0x40000000) == 0\n        \
         held = fill() if {full} else []\n        socket.socket().connect_ex(('192.0.2.9', 80))\n        \
         os.write(1, b'in %d\\n' % n)\n        time.sleep(120)\n        os._exit(0)\n\
         time.sleep(120)\n",
        full = if full { "True" } else { "False" }
    );
    let mut hermits = Script::start(&Place::here().cgroup(greedy), &script)?;
    for n in 0..count {
        hermits.says(&format!("in {n}"))?;
    }
    Ok(hermits)
}

#[test]
fn a_workload_has_listeners_in_so_many_namespaces_and_no_more() -> Result<()> {
    let far = Netns::new("far")?;
    let near = Netns::beside("near", &far)?;
    let (greedy, modest) = (Cgroup::new("greedy")?, Cgroup::new("modest")?);
    let _greeter = greeter(&far)?;
    let sluice = Sluice::start(&setup(&crowd(&greedy, &modest)), None)?;
    let most = most(&sluice)?;
    let _hermits = hermits(&greedy, most + 5, false)?;
    ensure!(
        eventually(Duration::from_secs(20), || listeners(&sluice).is_ok_and(|n| n == 1 + most)),
        "{}",
        sluice.log()
    );
    ensure!(eventually(Duration::from_secs(10), || sluice.log().contains("may not have listeners in more")));
    let place = Place::here().cgroup(&modest).netns(&near);
    let served = || greeted(&place, far.v4().unwrap()).is_ok_and(|yes| yes);
    ensure!(eventually(Duration::from_secs(20), served), "{}", sluice.log());
    Ok(())
}

#[test]
fn namespaces_in_which_nobody_can_listen_count_too_and_keep_nobody_waiting() -> Result<()> {
    let far = Netns::new("far")?;
    let near = Netns::beside("near", &far)?;
    let (greedy, modest) = (Cgroup::new("greedy")?, Cgroup::new("modest")?);
    let _greeter = greeter(&far)?;
    let sluice = Sluice::start(&setup(&crowd(&greedy, &modest)), None)?;
    let most = most(&sluice)?;
    let full = hermits(&greedy, most, true)?;
    ensure!(eventually(Duration::from_secs(20), || sluice.log().contains("no port below 1024 is free")));
    // Another of the workload's is one too many, though it has no listener anywhere.
    let place = Place::here().cgroup(&greedy).netns(&near);
    let mut waits = Script::start(
        &place,
        &format!(
            "{}while not greeted():\n    time.sleep(0.1)\nprint('greeted')\ntime.sleep(60)\n",
            greeted_of(far.v4()?)
        ),
    )?;
    let refused = || sluice.log().contains("may not have listeners in more");
    ensure!(eventually(Duration::from_secs(20), refused), "{}", sluice.log());
    ensure!(listeners(&sluice)? == 1);
    // Others are served meanwhile, in a namespace of their own too.
    let beside = Netns::beside("beside", &far)?;
    let place = Place::here().cgroup(&modest).netns(&beside);
    let served = || greeted(&place, far.v4().unwrap()).is_ok_and(|yes| yes);
    ensure!(eventually(Duration::from_secs(20), served), "{}", sluice.log());
    // What is gone counts no more.
    drop(full);
    for pid in fs::read_to_string(greedy.path().join("cgroup.procs"))?.lines() {
        if pid.parse::<u32>()? != waits.process.id() {
            run(Command::new("kill").args(["-9", pid]))?;
        }
    }
    waits.says("greeted")
}

#[test]
fn a_packet_socket_of_a_labelled_process_is_reported_while_it_is_there() -> Result<()> {
    let job = Cgroup::new("job")?;
    let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let setup = Setup { control: format!("listen = \"{free}\""), ..setup(&Setup::workload("job", job.name())) };
    let sluice = Sluice::start(&setup, None)?;
    // Somebody else's is nobody's business.
    let other = "import socket, time\ns = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3)\nprint('open')\ntime.sleep(120)\n";
    let mut unlabelled = Script::start(&Place::here(), other)?;
    unlabelled.says("open")?;
    let mut labelled = Script::start(&Place::here().cgroup(&job), other)?;
    labelled.says("open")?;
    let pid = labelled.process.id();
    let shown = || -> Result<Vec<u64>> {
        let found = sluice.status("/intercept/packet_sockets")?;
        let found = found.as_array().context("no list")?;
        ensure!(found.iter().all(|socket| socket["workload"] == "job"), "{found:?}");
        Ok(found.iter().filter_map(|socket| socket["pid"].as_u64()).collect())
    };
    let reported = || shown().is_ok_and(|pids| pids == [u64::from(pid)]);
    ensure!(eventually(Duration::from_secs(15), reported), "{:?}\n{}", shown(), sluice.log());
    let said = sluice.cli(&["status"])?.stdout;
    ensure!(said.contains(&format!("PACKET SOCKET  of workload job, process {pid} in network namespace")), "{said}");
    ensure!(sluice.log().contains("a labelled process has an AF_PACKET socket"), "{}", sluice.log());
    let metrics = || -> Result<String> {
        let mut stream = TcpStream::connect(free)?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut said = String::new();
        stream.read_to_string(&mut said)?;
        Ok(said)
    };
    ensure!(metrics()?.contains("\nsluice_packet_sockets 1\n"), "{}", metrics()?);
    drop(labelled);
    ensure!(eventually(Duration::from_secs(15), || shown().is_ok_and(|pids| pids.is_empty())));
    ensure!(metrics()?.contains("\nsluice_packet_sockets 0\n"), "{}", metrics()?);
    Ok(())
}
