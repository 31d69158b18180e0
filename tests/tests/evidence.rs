//! What stays and what is told: recordings after every kind of damage, the control socket and metrics, the log of what
//! was not let in, secrets from programs, and whose a cancel key is.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::{
    Auth, Cgroup, Finished, Netns, Place, Postgres, PostgresOptions, Process, Setup, Sluice, eventually, run, unique,
};

const POLICY: &str = "@id(\"all\") permit (principal, action, resource);";

struct Node {
    server: Postgres,
    job: Cgroup,
    sluice: Sluice,
    _netns: Netns,
}

impl Node {
    fn with(policy: &str, change: impl FnOnce(&mut Setup, &Cgroup, &Postgres)) -> Result<Self> {
        let netns = Netns::new("db")?;
        let server = Postgres::start(&netns, &PostgresOptions { auth: Auth::Scram, tls: true, settings: Vec::new() })?;
        let job = Cgroup::new("job")?;
        let mut setup = Setup::postgres(job.name(), &server, policy);
        change(&mut setup, &job, &server);
        let sluice = Sluice::start(&setup, &server)?;
        Ok(Self { server, job, sluice, _netns: netns })
    }

    fn start() -> Result<Self> {
        Self::with(POLICY, |_, _, _| ())
    }

    /// psql in the workload. One connection: where TLS is preferred, libpq tries again without it.
    fn psql(&self) -> Command {
        let mut psql = self.server.psql(&Place::here().cgroup(&self.job));
        psql.env("PGSSLMODE", "disable");
        psql
    }

    fn query(&self, sql: &str) -> Result<Finished> {
        run(self.psql().args(["-c", sql]))
    }

    /// A query whose recording is sealed on return.
    fn serve(&self) -> Result<()> {
        ensure!(self.query("select 41 + 1")?.success()?.trim() == "42");
        ensure!(eventually(Duration::from_secs(10), || self
            .verify(&[])
            .is_ok_and(|said| said.contains(" 0 are whole and open"))));
        Ok(())
    }

    /// Whether the server runs somebody's `pg_sleep`: its command is recorded then.
    fn sleeping(&self) -> bool {
        let count = self.server.admin("select count(*) from pg_stat_activity where query like 'select pg_sleep%'");
        count.is_ok_and(|count| count.trim() == "1")
    }

    fn verify(&self, arguments: &[&str]) -> Result<String> {
        self.sluice.cli(&[&["verify"], arguments].concat())?.success()
    }

    /// `verify` exits 1 and says so of a file.
    fn faulty(&self, arguments: &[&str], file: &Path, words: &str) -> Result<()> {
        let found = self.sluice.cli(&[&["verify"], arguments].concat())?;
        ensure!(found.status.code() == Some(1), "{found:?}");
        let line = found.stdout.lines().find(|line| line.starts_with(&*file.to_string_lossy()));
        ensure!(line.is_some_and(|line| line.contains(words)), "{words}: {}", found.stdout);
        Ok(())
    }

    fn recordings(&self) -> PathBuf {
        self.sluice.state_dir().join("recordings")
    }

    /// The only day's folder.
    fn day(&self) -> Result<PathBuf> {
        let days = fs::read_dir(self.recordings())?.flatten().map(|entry| entry.path());
        days.into_iter().find(|path| path.is_dir()).context("no day")
    }

    /// The oldest recording.
    fn recording(&self) -> Result<PathBuf> {
        let files = fs::read_dir(self.day()?)?.flatten().map(|entry| entry.path());
        files.filter(|path| path.extension().is_some_and(|e| e == "slr")).min().context("no recording")
    }
}

#[test]
fn verify_names_what_was_done_to_the_files() -> Result<()> {
    let mut node = Node::start()?;
    node.serve()?;
    node.serve()?;
    node.sluice.terminate()?;
    let anchor =
        node.verify(&[])?.lines().last().and_then(|line| line.split(' ').next_back()).context("mark")?.to_owned();
    ensure!(node.sluice.log().contains(&anchor), "the log has the anchor too");
    let (day, file) = (node.day()?, node.recording()?);
    let whole = fs::read(&file)?;
    for at in [whole.len() / 2, whole.len() - 1] {
        let mut changed = whole.clone();
        changed[at] ^= 0x20;
        fs::write(&file, changed)?;
        node.faulty(&[], &file, "")?;
    }
    fs::write(&file, &whole[..whole.len() - 3])?;
    node.faulty(&[], &file, "is cut")?;
    node.faulty(&[&file.to_string_lossy()], &file, "is cut")?;
    fs::remove_file(&file)?;
    node.faulty(&[], &file, "was removed")?;
    node.faulty(&[&day.to_string_lossy()], &file, "was removed")?;
    run(Command::new("mkfifo").arg(&file))?.success()?;
    node.faulty(&[], &file, "is not a regular file")?;
    fs::remove_file(&file)?;
    fs::write(&file, &whole)?;
    let stray = node.recordings().join("index");
    fs::write(&stray, "")?;
    node.faulty(&[], &stray, "does not belong")?;
    fs::remove_file(&stray)?;

    // What it prints moves no cursor.
    let odd = day.join("\u{1b}[2J.slr");
    fs::write(&odd, "")?;
    let found = node.sluice.cli(&["verify"])?;
    ensure!(found.stdout.contains("\\u{1b}[2J.slr") && !found.stdout.contains('\u{1b}'), "{}", found.stdout);
    fs::remove_file(&odd)?;

    node.verify(&["--anchor", &anchor])?;
    fs::remove_dir_all(&day)?;
    node.faulty(&[], &node.recordings(), "holds no day")?;
    node.faulty(&["--anchor", &anchor], &day, "was removed: the anchor names its index")?;
    Ok(())
}

#[test]
fn a_torn_write_stops_nobody_and_is_told_apart_from_tampering() -> Result<()> {
    let mut node = Node::start()?;
    node.serve()?;
    let log = tempfile::NamedTempFile::new()?;
    let _open = Process::start(node.psql().args(["-c", "select pg_sleep(600)"]), log.path())?;
    ensure!(eventually(Duration::from_secs(20), || node.sleeping()), "{:?}", fs::read_to_string(log.path()));
    let newest = fs::read_dir(node.day()?)?.flatten().map(|entry| entry.path());
    let newest = newest.filter(|path| path.extension().is_some_and(|e| e == "slr")).max().context("no recording")?;
    node.sluice.kill();
    let index = node.day()?.join("index");
    for file in [&newest, &index] {
        OpenOptions::new().append(true).open(file)?.write_all(b"\0\0\0\x90not all of it")?;
    }
    let said = node.verify(&[])?;
    ensure!(said.matches("is open and torn").count() == 2, "{said}");

    node.sluice.run()?;
    node.serve()?;
    let said = node.verify(&[])?;
    ensure!(!said.contains("torn") && said.contains("1 are whole up to where the daemon or the disk ended"), "{said}");
    let replay = node.sluice.cli(&["replay", newest.file_stem().and_then(|s| s.to_str()).context("id")?])?;
    ensure!(replay.stdout.contains("pg_sleep"), "{replay:?}");
    // Now it cannot be cut any more.
    let whole = fs::read(&newest)?;
    fs::write(&newest, &whole[..whole.len() - 5])?;
    node.faulty(&[], &newest, "does not end")?;
    Ok(())
}

/// A file system of a few pages, gone when dropped.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn new(kib: u32) -> Result<Self> {
        let path = PathBuf::from("/tmp").join(unique("tmpfs"));
        fs::create_dir(&path)?;
        let tmpfs = Self(path);
        let size = format!("size={kib}k,mode=0700");
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&tmpfs.0))?.success()?;
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
fn a_disk_that_was_full_leaves_nothing_that_looks_tampered_with() -> Result<()> {
    let (disk, folder) = (Tmpfs::new(1024)?, tempfile::tempdir()?);
    let mut node = Node::with(POLICY, |setup, _, _| setup.state_dir = Some(disk.0.join("state")))?;
    node.serve()?;
    let log = tempfile::NamedTempFile::new()?;
    // Long statements, until the disk has no room within one of them.
    let script = folder.path().join("script.sql");
    fs::write(&script, format!("select '{}';\n", "x".repeat(5000)).repeat(2000))?;
    let mut client =
        Process::start(node.psql().arg("-q").arg("-o").arg("/dev/null").arg("-f").arg(&script), log.path())?;
    client.wait(Duration::from_secs(120))?;
    ensure!(client.output().contains("cannot record this session"), "{}", client.output());
    ensure!(!node.sluice.cli(&["status"])?.status.success());
    node.query("select 1")?.failure()?;
    let said = node.verify(&[])?;
    ensure!(!said.contains("torn"), "{said}");

    node.sluice.terminate()?;
    run(Command::new("mount").args(["-o", "remount,size=8m"]).arg(&disk.0))?.success()?;
    node.sluice.run()?;
    node.serve()?;
    let said = node.verify(&[])?;
    ensure!(said.contains("1 are whole up to where the daemon or the disk ended"), "{said}");
    Ok(())
}

#[test]
fn one_workload_does_not_fill_the_disk_for_the_others() -> Result<()> {
    let (disk, folder, other) = (Tmpfs::new(8 * 1024)?, tempfile::tempdir()?, Cgroup::new("other")?);
    let node = Node::with(POLICY, |setup, _, _| {
        setup.state_dir = Some(disk.0.join("state"));
        setup.body += &Setup::workload("other", other.name());
    })?;
    node.serve()?;
    let log = tempfile::NamedTempFile::new()?;
    let script = folder.path().join("script.sql");
    fs::write(&script, format!("select '{}';\n", "x".repeat(5000)).repeat(4000))?;
    let mut client =
        Process::start(node.psql().arg("-q").arg("-o").arg("/dev/null").arg("-f").arg(&script), log.path())?;
    client.wait(Duration::from_secs(240))?;
    ensure!(client.output().contains("workload \"job\" has used its share"), "{}", client.output());
    node.query("select 1")?.failure()?;
    ensure!(node.server.query(&Place::here().cgroup(&other), "select 41 + 1")?.success()?.trim() == "42");
    node.sluice.cli(&["status"])?.success()?;
    node.verify(&[])?;
    Ok(())
}

const ASK: &str = "import socket, sys\ns = socket.socket(socket.AF_UNIX)\ntry:\n    s.connect(sys.argv[1])\n\
                   except OSError as e:\n    print('refused', e)\n    sys.exit()\n\
                   s.settimeout(20)\nd = b''\ntry:\n    s.sendall(b'GET /status HTTP/1.0\\r\\n\\r\\n')\n    \
                   while True:\n        b = s.recv(4096)\n        if not b: break\n        d += b\n\
                   except OSError as e:\n    print('ended', e)\nprint(d.decode())\n";

#[test]
fn the_control_socket_answers_the_group_and_nobody_else() -> Result<()> {
    let node = Node::with(POLICY, |setup, _, _| setup.control = "group = \"postgres\"".to_owned())?;
    let folder = node.sluice.config().parent().context("folder")?.to_owned();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o711))?;
    let socket = folder.join("control.sock");
    let ask = |user: &str| {
        let mut python = Place::here().user(user).command("/usr/bin/python3");
        run(python.current_dir("/").args(["-c", ASK]).arg(&socket))?.success()
    };
    let member = ask("postgres")?;
    ensure!(member.contains("200 OK") && member.contains("\"serving\":true"), "{member}");
    let stranger = ask("nobody")?;
    ensure!(stranger.contains("refused"), "{stranger}");
    // Where the file's mode lets them in, the daemon does not.
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666))?;
    let stranger = ask("nobody")?;
    ensure!(!stranger.contains("refused") && !stranger.contains("serving"), "{stranger}");
    ensure!(node.sluice.log().contains("a user who may not use the control socket tried"), "{}", node.sluice.log());
    node.sluice.cli(&["status"])?.success()?;
    Ok(())
}

#[test]
fn metrics_tell_what_the_gateway_did() -> Result<()> {
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let node = Node::with(
        "@id(\"most\") permit (principal, action in [Action::\"connect\", Action::\"sql.query\", Action::\"sql.session\"], resource);",
        |setup, _, _| setup.control = format!("listen = \"127.0.0.1:{port}\""),
    )?;
    node.serve()?;
    node.query("drop table nothing")?.failure()?;
    let fetch = format!(
        "import urllib.request\nprint(urllib.request.urlopen('http://127.0.0.1:{port}/metrics', timeout=20).read().decode())"
    );
    let fetch = || run(Place::here().command("/usr/bin/python3").args(["-c", &fetch]))?.success();
    // The programs' counters are read now and then.
    let redirected = "sluice_kernel_events_total{reason=\"redirected\"} 2";
    ensure!(
        eventually(Duration::from_secs(20), || fetch().is_ok_and(|said| said.contains(redirected))),
        "{}",
        fetch()?
    );
    let said = fetch()?;
    for line in
        ["sluice_sessions_opened_total 2", "sluice_commands_blocked_total 1", "sluice_recorder_failures_total 0"]
    {
        ensure!(said.lines().any(|said| said == line), "{line}: {said}");
    }
    Ok(())
}

#[test]
fn an_observed_workload_is_recorded_and_not_stopped() -> Result<()> {
    let policy = r#"
        @id("most") permit (principal, action in [Action::"connect", Action::"sql.query", Action::"sql.session"], resource);
        @id("no-drop") forbid (principal, action == Action::"sql.drop", resource);
        @id("pii") @mask("redact") permit (principal, action == Action::"sql.read", resource in Tag::"pii");
    "#;
    let node = Node::with(policy, |setup, job, server| {
        let observed = Setup::workload("job", job.name()).replace("groups", "mode = \"observe\"\ngroups");
        let resource = Setup::resource("orders", server, &server.v4().to_string());
        setup.body =
            format!("{observed}\n{resource}\n[resources.orders.sensitive]\n\"public.users.ssn\" = [\"pii\"]\n");
    })?;
    node.server.admin_in(
        node.server.database(),
        &format!(
            "create table users (ssn text); insert into users values ('123-45-6789'); create table old (x int);
             grant all on users, old to {role}; alter table old owner to {role}",
            role = node.server.role()
        ),
    )?;
    ensure!(node.query("select ssn from users where ssn = '123-45-6789'")?.success()?.contains("123-45-6789"));
    node.query("drop table old")?.success()?;
    let sessions = node.sluice.cli(&["sessions", "--json"])?.success()?;
    let mut replays = String::new();
    for session in sessions.lines() {
        let session: serde_json::Value = serde_json::from_str(session)?;
        ensure!(session["observe"] == true, "{session}");
        replays += &node.sluice.cli(&["replay", session["id"].as_str().context("id")?])?.success()?;
    }
    let dropped = replays.lines().find(|line| line.contains("drop table old")).context("drop")?;
    ensure!(dropped.contains("observe"), "{dropped}");
    ensure!(replays.contains("by no-drop") && replays.contains("masked"), "{replays}");
    ensure!(!replays.contains("123-45-6789"), "the recording is as careful as ever: {replays}");
    Ok(())
}

#[test]
fn a_program_gives_the_password_and_no_workload_makes_it_run_at_will() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (password, runs) = (folder.path().join("password"), folder.path().join("runs"));
    let script = format!("echo x >> {}; cat {}", runs.display(), password.display());
    let node = Node::with(POLICY, |setup, job, server| {
        let exec = format!("exec = [\"/bin/sh\", \"-c\", \"{script}\"]");
        let resource = Setup::resource("orders", server, &server.v4().to_string());
        setup.body = format!(
            "{}\n{}",
            Setup::workload("job", job.name()),
            resource.replace("env = \"UPSTREAM_PASSWORD\"", &exec)
        );
    })?;
    let runs = || fs::read_to_string(&runs).unwrap_or_default().lines().count();

    // None yet: told to the log, not to the workload.
    let said = node.query("select 1")?.failure()?;
    ensure!(said.contains("the gateway has no password") && said.contains("the gateway's log says why"), "{said}");
    let log = node.sluice.log();
    ensure!(log.contains("the start-up ended") && log.contains("no password for the server: /bin/sh: failed"), "{log}");
    for _ in 0..4 {
        node.query("select 1")?.failure()?;
    }
    ensure!(runs() <= 3, "a failure is remembered: {} runs for 5 logins", runs());

    fs::write(&password, node.server.password())?;
    ensure!(eventually(Duration::from_secs(20), || node.query("select 1").is_ok_and(|said| said.status.success())));
    let before = runs();
    for _ in 0..5 {
        node.query("select 1")?.success()?;
    }
    ensure!(runs() == before, "what it gave is used again");

    // A database that is not there is no reason to doubt the password; a new password is.
    for _ in 0..3 {
        run(node.psql().env("PGDATABASE", "nowhere").args(["-c", "select 1"]))?.failure()?;
    }
    ensure!(runs() == before, "forgotten without a reason");
    node.server.admin(&format!("alter role {} password 'changed'", node.server.role()))?;
    fs::write(&password, "changed")?;
    // The log tells five of a workload's failed start-ups a second: this one is to be among them.
    std::thread::sleep(Duration::from_millis(1100));
    node.query("select 1")?.failure()?;
    node.query("select 1")?.success()?;
    ensure!(runs() == before + 1);
    let log = node.sluice.log();
    ensure!(log.contains("the server refused the login: 28P01"), "{log}");
    ensure!(!log.contains(node.server.password()) && !log.contains("changed"), "{log}");
    Ok(())
}

/// Opens a session, prints its cancel key in hexadecimal, runs a long statement and prints how it ended.
const SLEEP: &str = "import socket, struct, sys\ns = socket.create_connection((sys.argv[1], int(sys.argv[2])), 20)\n\
    s.settimeout(120)\nb = b'\\0\\3\\0\\0user\\0x\\0database\\0' + sys.argv[3].encode() + b'\\0\\0'\n\
    s.sendall(struct.pack('!I', len(b) + 4) + b)\nf = s.makefile('rb')\n\
    def message():\n    t = f.read(1)\n    return t, f.read(struct.unpack('!I', f.read(4))[0] - 4)\n\
    t = b''\nwhile t != b'Z':\n    t, b = message()\n    if t == b'K': print('key', b.hex(), flush=True)\n\
    q = b'select pg_sleep(600)\\0'\ns.sendall(b'Q' + struct.pack('!I', len(q) + 4) + q)\n\
    while t != b'E':\n    t, b = message()\nprint('ended', b, flush=True)\n";

const CANCEL: &str = "import socket, sys\ns = socket.create_connection((sys.argv[1], int(sys.argv[2])), 20)\ns.settimeout(60)\n\
    s.sendall(b'\\0\\0\\0\\x10\\x04\\xd2\\x16\\x2e' + bytes.fromhex(sys.argv[3]))\nprint(s.recv(100))\n";

#[test]
fn a_cancel_key_is_its_workloads_alone() -> Result<()> {
    let other = Cgroup::new("other")?;
    let node = Node::with(POLICY, |setup, _, _| setup.body += &Setup::workload("other", other.name()))?;
    let (host, port) = (node.server.v4().to_string(), node.server.port().to_string());
    let log = tempfile::NamedTempFile::new()?;
    let mut python = Place::here().cgroup(&node.job).command("/usr/bin/python3");
    let mut client = Process::start(python.args(["-c", SLEEP, &host, &port, node.server.database()]), log.path())?;
    let sleeping = || node.sleeping();
    ensure!(eventually(Duration::from_secs(20), sleeping), "{}", client.output());
    let output = client.output();
    let key = output.lines().find_map(|line| line.strip_prefix("key ")).context("no key")?.to_owned();
    let cancel = |cgroup: &Cgroup| {
        let mut python = Place::here().cgroup(cgroup).command("/usr/bin/python3");
        run(python.args(["-c", CANCEL, &host, &port, &key]))?.success()
    };
    ensure!(cancel(&other)?.trim() == "b''", "nothing is said");
    ensure!(sleeping() && !client.output().contains("ended"), "{}", client.output());
    let said = || node.sluice.log().contains("a cancel request with a key that is none of this");
    ensure!(eventually(Duration::from_secs(10), said), "{}", node.sluice.log());
    cancel(&node.job)?;
    ensure!(eventually(Duration::from_secs(20), || !client.alive()), "{}", client.output());
    ensure!(client.output().contains("57014"), "{}", client.output());
    Ok(())
}
