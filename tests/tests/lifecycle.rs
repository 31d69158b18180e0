//! The daemon comes and goes; the guard stays until somebody detaches it.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::{
    Auth, Cgroup, Finished, Netns, Place, Postgres, PostgresOptions, Process, Setup, Sluice, Sniffer, cgroup_root,
    eventually, run, unique,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const POLICY: &str = "@id(\"all\") permit (principal, action, resource);";

struct Node {
    sniffer: Sniffer,
    server: Postgres,
    job: Cgroup,
    sluice: Sluice,
    _netns: Netns,
}

impl Node {
    fn start() -> Result<Self> {
        Self::with(|setup| setup)
    }

    fn with(change: impl FnOnce(Setup) -> Setup) -> Result<Self> {
        let netns = Netns::new("db")?;
        let sniffer = Sniffer::start(&netns)?;
        let server = Postgres::start(&netns, &PostgresOptions { auth: Auth::Scram, tls: true, settings: Vec::new() })?;
        let job = Cgroup::new("job")?;
        // The pattern also matches cgroups that the tests make later.
        let pattern = format!("{}*", job.name());
        let sluice = Sluice::start(&change(Setup::postgres(&pattern, &server, POLICY)), &server)?;
        Ok(Self { sniffer, server, job, sluice, _netns: netns })
    }

    fn query(&self, cgroup: &Cgroup) -> Result<Finished> {
        self.server.query(&Place::here().cgroup(cgroup), "select 41 + 1")
    }

    fn serves(&self, cgroup: &Cgroup) -> Result<()> {
        let said = self.query(cgroup)?.success()?;
        ensure!(said.trim() == "42", "{said}");
        Ok(())
    }

    /// Nothing is served, and nothing gets through.
    fn refuses(&self, cgroup: &Cgroup) -> Result<()> {
        let before = self.sniffer.count("tcp port 5432")?;
        let said = self.query(cgroup)?.failure()?;
        ensure!(said.contains("Connection refused"), "{said}");
        ensure!(self.sniffer.count("tcp port 5432")? == before, "packets got through");
        Ok(())
    }

    /// Unlabelled processes reach the server as ever.
    fn leaves_others_alone(&self) -> Result<()> {
        let mut psql = self.server.psql(&Place::here());
        psql.env("PGPASSWORD", self.server.password()).args(["-c", "select 1"]);
        run(&mut psql)?.success()?;
        Ok(())
    }

    fn later(&self, name: &str) -> Result<Cgroup> {
        Cgroup::named(&format!("{}-{name}", self.job.name().trim_start_matches('/')))
    }
}

#[test]
fn without_a_daemon_labelled_workloads_are_refused_old_and_new_until_it_is_back() -> Result<()> {
    let mut node = Node::start()?;
    for (round, killed) in [(1, true), (2, false)] {
        node.serves(&node.job)?;
        if killed {
            node.sluice.kill();
        } else {
            ensure!(node.sluice.terminate()?.success(), "SIGTERM ends it in order");
        }
        node.refuses(&node.job)?;
        let later = node.later(&format!("later{round}"))?;
        node.refuses(&later)?;
        let below = later.child("below")?;
        node.refuses(&below)?;
        node.leaves_others_alone()?;
        node.sluice.run()?;
        node.serves(&node.job)?;
        node.serves(&later)?;
        node.serves(&below)?;
        drop((below, later));
    }
    node.sluice.cli(&["verify"])?.success()?;
    Ok(())
}

#[test]
fn an_open_node_is_configured_so_and_says_what_it_let_through() -> Result<()> {
    let mut node = Node::with(|mut setup| {
        setup.intercept = "on_gateway_down = \"open\"".to_owned();
        setup
    })?;
    node.serves(&node.job)?;
    ensure!(node.sluice.terminate()?.success());
    let said = node.query(&node.job)?.failure()?;
    ensure!(said.contains("fe_sendauth: no password supplied"), "it is the server itself that answers: {said}");
    node.sluice.run()?;
    node.serves(&node.job)?;
    let logged = || node.sluice.log().contains("connected directly while the gateway was down");
    ensure!(eventually(Duration::from_secs(3), logged));
    // One recording says who went where, beside those of the two sessions.
    let recorded = || -> Result<Vec<serde_json::Value>> {
        let said = node.sluice.cli(&["sessions", "--resource", "unlisted", "--json"])?.success()?;
        said.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    };
    ensure!(eventually(Duration::from_secs(10), || recorded().is_ok_and(|sessions| sessions.len() == 1)));
    let went_by = recorded()?;
    let id = went_by.first().and_then(|session| session["id"].as_str()).context("no id")?;
    let replay = || node.sluice.cli(&["replay", id]).map(|said| said.stdout).unwrap_or_default();
    let to = format!("direct   connect connect to {}:{}", node.server.v4(), node.server.port());
    ensure!(eventually(Duration::from_secs(10), || replay().contains("closed after")), "{}", replay());
    ensure!(replay().contains(&to) && replay().contains("no daemon ran"), "{}", replay());
    node.sluice.cli(&["verify"])?.success()?;
    Ok(())
}

#[test]
fn a_cgroup_that_comes_back_under_its_path_is_labelled_before_its_first_connect() -> Result<()> {
    let node = Node::start()?;
    for _ in 0..20 {
        let again = node.later("again")?;
        node.serves(&again)?;
    }
    Ok(())
}

#[test]
fn restarts_leave_no_moment_in_which_a_connect_goes_directly() -> Result<()> {
    let netns = Netns::new("far")?;
    let sniffer = Sniffer::start(&netns)?;
    let job = Cgroup::new("job")?;
    let setup = Setup {
        body: format!(
            "{}\n[resources.other]\nprotocol = \"postgres\"\naddress = \"192.0.2.1:5432\"\n",
            Setup::workload("job", job.name())
        ),
        policies: vec![("p.cedar".to_owned(), "@id(\"none\") forbid (principal, action, resource);".to_owned())],
        ..Setup::default()
    };
    let mut sluice = Sluice::start(&setup, None)?;
    let script = format!(
        "import socket, time\nend = time.time() + 60\nn = 0\nwhile time.time() < end:\n    s = socket.socket()\n    \
         s.settimeout(2)\n    s.connect_ex(('{}', 7300))\n    s.close()\n    n += 1\n    \
         print(n, flush=True) if n % 100 == 0 else None\n",
        netns.v4()?
    );
    let log = tempfile::NamedTempFile::new()?;
    let mut knocking =
        Process::start(Place::here().cgroup(&job).command("/usr/bin/python3").args(["-u", "-c", &script]), log.path())?;
    let connects =
        |knocking: &Process| knocking.output().lines().last().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    for round in 0..6 {
        let before = connects(&knocking);
        knocking.ready("the workload", Duration::from_secs(20), || {
            fs::read_to_string(log.path()).is_ok_and(|text| {
                text.lines().last().and_then(|n| n.parse::<u64>().ok()).is_some_and(|n| n >= before + 300)
            })
        })?;
        if round % 2 == 0 {
            sluice.kill();
        } else {
            sluice.terminate()?;
        }
        sluice.run()?;
    }
    ensure!(connects(&knocking) > 1500);
    assert_eq!(sniffer.count("tcp port 7300")?, 0, "{}", sniffer.packets("tcp port 7300")?);
    Ok(())
}

#[test]
fn detach_opens_the_node_and_says_what_it_removed() -> Result<()> {
    let mut node = Node::start()?;
    let refused = node.sluice.cli(&["detach"])?.failure()?;
    ensure!(refused.contains("in use by a running daemon"), "{refused}");
    node.serves(&node.job)?;
    ensure!(node.sluice.terminate()?.success());
    let said = node.sluice.detach()?;
    for what in ["program connect4", "program cgroup_mkdir", "map ORIGINS", "folder"] {
        ensure!(said.contains(what), "{said}");
    }
    ensure!(!node.sluice.pin_dir().exists());
    // The server itself answers, for better or worse.
    let said = node.query(&node.job)?.failure()?;
    ensure!(said.contains("fe_sendauth: no password supplied"), "{said}");
    ensure!(node.sluice.detach()?.contains("nothing was attached"));
    node.sluice.run()?;
    node.serves(&node.job)
}

#[test]
fn connections_that_were_open_before_their_label_are_ended() -> Result<()> {
    let netns = Netns::new("far")?;
    let job = Cgroup::new("job")?;
    let (log_far, log_job) = (tempfile::NamedTempFile::new()?, tempfile::NamedTempFile::new()?);
    let serve = "import socket\ns = socket.create_server(('', 7400))\nprint('ready', flush=True)\nheld = []\nwhile True:\n    held.append(s.accept())\n";
    let mut far = Process::start(
        Place::here().netns(&netns).command("/usr/bin/python3").args(["-u", "-c", serve]),
        log_far.path(),
    )?;
    far.ready("the far server", Duration::from_secs(10), || {
        fs::read_to_string(log_far.path()).is_ok_and(|text| text.contains("ready"))
    })?;
    let hold = format!(
        "import socket\ns = socket.create_connection(('{}', 7400), 10)\nprint('open', flush=True)\ns.settimeout(60)\n\
         try:\n    s.recv(1)\nexcept OSError as e:\n    print(e, flush=True)\n",
        netns.v4()?
    );
    let mut holding = Process::start(
        Place::here().cgroup(&job).command("/usr/bin/python3").args(["-u", "-c", &hold]),
        log_job.path(),
    )?;
    let said = || fs::read_to_string(log_job.path()).unwrap_or_default();
    holding.ready("the connection", Duration::from_secs(10), || said().contains("open"))?;
    let server = "[resources.other]\nprotocol = \"postgres\"\naddress = \"192.0.2.1:5432\"\n";
    let setup = Setup {
        body: format!("{}\n{server}", Setup::workload("job", job.name())),
        policies: vec![("p.cedar".to_owned(), POLICY.to_owned())],
        ..Setup::default()
    };
    let sluice = Sluice::start(&setup, None)?;
    ensure!(eventually(Duration::from_secs(5), || said().contains("abort")), "{}", said());
    let status = sluice.json(&["status", "--json"])?;
    ensure!(status["intercept"]["destroyed"].as_u64() == Some(1), "{status}");
    ensure!(sluice.log().contains("destroyed connections that were open before their label"));
    Ok(())
}

#[test]
fn what_else_was_open_before_its_label_is_ended_or_dropped_in_other_namespaces_too() -> Result<()> {
    let far = Netns::new("far")?;
    let near = Netns::beside("near", &far)?;
    let sniffer = Sniffer::start(&far)?;
    let job = Cgroup::new("job")?;
    let log_far = tempfile::NamedTempFile::new()?;
    let serve = "import socket\ns = socket.create_server(('', 7410), family=socket.AF_INET6, dualstack_ipv6=True)\n\
                 print('ready', flush=True)\nheld = []\nwhile True:\n    held.append(s.accept())\n";
    let mut server = Process::start(
        Place::here().netns(&far).command("/usr/bin/python3").args(["-u", "-c", serve]),
        log_far.path(),
    )?;
    let lines = |log: &tempfile::NamedTempFile| fs::read_to_string(log.path()).unwrap_or_default();
    server.ready("the far server", Duration::from_secs(10), || lines(&log_far).contains("ready"))?;
    let hold = |to: String| {
        format!(
            "import socket\ns = socket.create_connection(('{to}', 7410), 10)\nprint('open', flush=True)\ns.settimeout(60)\n\
             try:\n    s.recv(1)\nexcept OSError as e:\n    print(e, flush=True)\n"
        )
    };
    // Connected: no program sees what such a socket sends, but the last one.
    let send = |family: &str, to: String| {
        format!(
            "import socket, time\ns = socket.socket(socket.{family}, socket.SOCK_DGRAM)\ns.connect(('{to}', 7411))\n\
             print('open', flush=True)\nfor _ in range(3000):\n    try:\n        s.send(b'out')\n    except OSError:\n        pass\n    \
             time.sleep(0.02)\n"
        )
    };
    let (here, there) = (Place::here().cgroup(&job), Place::here().cgroup(&job).netns(&near));
    let (v4, v6) = (far.v4()?.to_string(), far.v6()?.to_string());
    let mut held = Vec::new();
    for (place, script) in [
        (&here, hold(v6.clone())),
        (&there, hold(v4.clone())),
        (&there, hold(v6.clone())),
        (&here, send("AF_INET", v4)),
        (&there, send("AF_INET6", v6)),
    ] {
        let log = tempfile::NamedTempFile::new()?;
        let mut process = Process::start(place.command("/usr/bin/python3").args(["-u", "-c", &script]), log.path())?;
        process.ready("what is open", Duration::from_secs(10), || lines(&log).contains("open"))?;
        held.push((process, log));
    }
    let datagrams = |version: &str| sniffer.count(&format!("{version} and udp port 7411"));
    ensure!(eventually(Duration::from_secs(10), || datagrams("ip").is_ok_and(|n| n > 0)));
    ensure!(eventually(Duration::from_secs(10), || datagrams("ip6").is_ok_and(|n| n > 0)));
    let setup = Setup {
        body: format!(
            "{}\n[resources.other]\nprotocol = \"postgres\"\naddress = \"192.0.2.1:5432\"\n",
            Setup::workload("job", job.name())
        ),
        policies: vec![("p.cedar".to_owned(), POLICY.to_owned())],
        ..Setup::default()
    };
    let sluice = Sluice::start(&setup, None)?;
    for (_, log) in held.iter().take(3) {
        ensure!(eventually(Duration::from_secs(5), || lines(log).contains("abort")), "{}", lines(log));
    }
    assert_eq!(sluice.status("/intercept/destroyed")?, 3);
    let dropped = || sluice.status("/intercept/events/egress")?.as_u64().context("no count");
    let before = (dropped()?, datagrams("ip")?, datagrams("ip6")?);
    ensure!(eventually(Duration::from_secs(10), || dropped().is_ok_and(|n| n > before.0 + 20)), "{:?}", dropped());
    assert_eq!((datagrams("ip")?, datagrams("ip6")?), (before.1, before.2), "what was sent has been dropped");
    ensure!(held.iter_mut().skip(3).all(|(process, _)| process.alive()), "both still send");
    Ok(())
}

/// A file system of a few pages, gone when dropped.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn new(kib: u32) -> Result<Self> {
        let path = PathBuf::from("/tmp").join(unique("tmpfs"));
        fs::create_dir(&path)?;
        let tmpfs = Self(path);
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kib}k,mode=0700"), "tmpfs"])
            .arg(&tmpfs.0))?
        .success()?;
        Ok(tmpfs)
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = run(Command::new("umount").arg("-l").arg(&self.0));
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn a_full_disk_stops_traffic_and_says_so() -> Result<()> {
    let disk = Tmpfs::new(512)?;
    let state = disk.0.join("state");
    let node = Node::with(|mut setup| {
        setup.state_dir = Some(state.clone());
        setup
    })?;
    node.serves(&node.job)?;
    let ballast = disk.0.join("ballast");
    // dd ends with an error when the disk is full: that is what it is for.
    run(Command::new("dd").args(["if=/dev/zero", "bs=1k"]).arg(format!("of={}", ballast.display())))?.failure()?;
    // A session begins with a connection of its own; the gateway's own one to the database goes on.
    let sessions = || node.sniffer.count("tcp port 5432 and tcp[tcpflags] & tcp-syn != 0");
    let before = sessions()?;
    let said = node.query(&node.job)?.failure()?;
    ensure!(!said.is_empty());
    assert_eq!(sessions()?, before, "nothing is forwarded that is not recorded");
    let status = node.sluice.cli(&["status"])?;
    ensure!(!status.status.success() && status.stdout.contains("nothing can be recorded"), "{status:?}");
    fs::remove_file(&ballast)?;
    ensure!(eventually(Duration::from_secs(10), || node.serves(&node.job).is_ok()), "{:?}", node.query(&node.job)?);
    ensure!(eventually(Duration::from_secs(5), || node.sluice.cli(&["status"]).is_ok_and(|s| s.status.success())));
    Ok(())
}

/// A folder in which nobody can write, root neither, for as long as this lives.
struct ReadOnly(PathBuf);

impl ReadOnly {
    fn new(folder: &Path) -> Result<Self> {
        run(Command::new("mount").arg("--bind").args([folder, folder]))?.success()?;
        let read_only = Self(folder.to_owned());
        run(Command::new("mount").args(["-o", "remount,bind,ro"]).arg(folder))?.success()?;
        Ok(read_only)
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        let _ = run(Command::new("umount").arg("-l").arg(&self.0));
    }
}

#[test]
fn a_folder_that_cannot_be_written_stops_traffic_and_says_so() -> Result<()> {
    let node = Node::start()?;
    node.serves(&node.job)?;
    let sessions = || node.sniffer.count("tcp port 5432 and tcp[tcpflags] & tcp-syn != 0");
    let before = sessions()?;
    let closed = ReadOnly::new(&node.sluice.state_dir().join("recordings"))?;
    let said = node.query(&node.job)?.failure()?;
    ensure!(!said.is_empty());
    assert_eq!(sessions()?, before, "nothing is forwarded that is not recorded");
    let status = node.sluice.cli(&["status"])?;
    ensure!(!status.status.success() && status.stdout.contains("nothing can be recorded"), "{status:?}");
    ensure!(status.stdout.contains("Read-only") && status.stdout.contains("the right to write"), "{status:?}");
    drop(closed);
    node.serves(&node.job)?;
    ensure!(node.sluice.cli(&["status"])?.status.success());
    Ok(())
}

#[test]
fn a_recording_survives_kill_9_with_every_forwarded_command() -> Result<()> {
    let mut node = Node::start()?;
    node.server.admin(&format!("create table seen (n int); grant all on seen to {}", node.server.role()))?;
    let log = tempfile::NamedTempFile::new()?;
    let mut psql = node.server.psql(&Place::here().cgroup(&node.job));
    // One statement a message, as fast as it goes.
    let script: String = (0..20_000).map(|n| format!("insert into seen values ({n});\n")).collect();
    let file = tempfile::NamedTempFile::new()?;
    fs::write(file.path(), script)?;
    let _writing = Process::start(psql.arg("-q").arg("-f").arg(file.path()), log.path())?;
    let count = |node: &Node| -> Result<u64> { Ok(node.server.admin("select count(*) from seen")?.trim().parse()?) };
    ensure!(eventually(Duration::from_secs(20), || count(&node).is_ok_and(|n| n > 200)));
    node.sluice.kill();
    std::thread::sleep(Duration::from_millis(300));
    let written = count(&node)?;
    node.sluice.cli(&["verify"])?.success()?;
    let sessions = node.sluice.cli(&["sessions", "--json"])?.success()?;
    let session: serde_json::Value = serde_json::from_str(sessions.lines().next().context("no session")?)?;
    let replay = node.sluice.cli(&["replay", session["id"].as_str().context("no id")?])?.success()?;
    let recorded = replay.matches("insert into seen").count() as u64;
    ensure!(recorded >= written, "{written} rows are in the table, {recorded} commands in the recording");
    ensure!(recorded <= written + 1, "at most the last one was recorded and not run");
    Ok(())
}

#[test]
fn a_gateway_that_would_be_redirected_to_itself_does_not_start() -> Result<()> {
    let job = Cgroup::new("job")?;
    let inside = job.child("gateway")?;
    let setup = Setup {
        body: Setup::workload("job", job.name()),
        policies: vec![("p.cedar".to_owned(), POLICY.to_owned())],
        ..Setup::default()
    };
    let mut sluice = Sluice::prepare(&setup)?;
    sluice.place(Place::here().cgroup(&inside));
    sluice.launch()?;
    ensure!(!sluice.ended(Duration::from_secs(20))?.success());
    ensure!(sluice.log().contains("the gateway itself would be in workload job"), "{}", sluice.log());
    ensure!(!sluice.pin_dir().exists(), "nothing is left");
    Ok(())
}

#[test]
fn a_second_daemon_is_refused_and_the_first_goes_on() -> Result<()> {
    let node = Node::start()?;
    let other = run(node.sluice.command()?.arg("run"))?.failure()?;
    ensure!(other.contains("in use") || other.contains("another"), "{other}");
    node.serves(&node.job)
}

/// A program attached at the root of cgroups without BPF_F_ALLOW_MULTI, as some older tools do.
struct Alone {
    program: PathBuf,
}

impl Alone {
    const KIND: &str = "getpeername6";

    /// Keeps the program behind a pinned link.
    fn keep(link: &Path) -> Result<Self> {
        let shown = run(Command::new("bpftool").args(["--json", "link", "show", "pinned"]).arg(link))?.success()?;
        let shown: serde_json::Value = serde_json::from_str(&shown)?;
        let id =
            shown.get("prog_id").and_then(serde_json::Value::as_u64).with_context(|| format!("no link: {shown}"))?;
        let program = Path::new("/sys/fs/bpf").join(unique("alone"));
        run(Command::new("bpftool").args(["prog", "pin", "id", &id.to_string()]).arg(&program))?.success()?;
        Ok(Self { program })
    }

    fn attach(&self, verb: &str) -> Result<Finished> {
        let mut command = Command::new("bpftool");
        command.args(["cgroup", verb]).arg(cgroup_root()?).args([Self::KIND, "pinned"]);
        run(command.arg(&self.program))
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        let _ = self.attach("detach");
        let _ = fs::remove_file(&self.program);
    }
}

#[test]
fn a_program_that_allows_no_other_beside_it_is_named() -> Result<()> {
    let mut node = Node::start()?;
    let alone = Alone::keep(&node.sluice.pin_dir().join("v3/links").join(Alone::KIND))?;
    ensure!(node.sluice.terminate()?.success());
    node.sluice.detach()?;
    alone.attach("attach")?.success()?;
    node.sluice.launch()?;
    ensure!(!node.sluice.ended(Duration::from_secs(20))?.success());
    let log = node.sluice.log();
    ensure!(log.contains("a program is attached there that allows no other beside it: getpeername6 (id"), "{log}");
    // Nothing is left half done.
    ensure!(node.sluice.detach()?.contains("nothing was attached"), "the start took back what it had attached");
    drop(alone);
    node.sluice.run()?;
    node.serves(&node.job)
}

#[test]
fn a_daemon_that_crashes_leaves_no_memory_behind() -> Result<()> {
    let job = Cgroup::new("job")?;
    // Inherited by what this process starts.
    let own = format!("--pid={}", std::process::id());
    run(Command::new("prlimit").args([own.as_str(), "--core=unlimited:unlimited"]))?.success()?;
    // Others leave theirs.
    let folder = tempfile::tempdir()?;
    let mut other = Command::new("sleep").arg("60").current_dir(folder.path()).spawn()?;
    kill(Pid::from_raw(i32::try_from(other.id())?), Signal::SIGABRT)?;
    ensure!(other.wait()?.core_dumped(), "no process leaves a core here, so this would show nothing");
    let body = format!(
        "{}\n[resources.other]\nprotocol = \"postgres\"\naddress = \"192.0.2.1:5432\"\n",
        Setup::workload("job", job.name())
    );
    let policies = vec![("policy.cedar".to_owned(), POLICY.to_owned())];
    let mut sluice = Sluice::start(&Setup { body, policies, ..Setup::default() }, None)?;
    kill(Pid::from_raw(i32::try_from(sluice.pid()?)?), Signal::SIGABRT)?;
    let ended = sluice.ended(Duration::from_secs(10))?;
    // What it would be called by default.
    let _ = fs::remove_file("core");
    ensure!(ended.signal() == Some(Signal::SIGABRT as i32) && !ended.core_dumped(), "{ended}");
    Ok(())
}
