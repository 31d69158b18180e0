//! A reload under live sessions: what they were opened by may not hold any more, and nothing old may reach new ones.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use harness::{
    Auth, Cgroup, Netns, Place, Postgres, PostgresOptions, Process, Setup, Sluice, eventually, run, run_within,
};

const POLICY: &str = r#"
@id("baseline")
permit (principal in Group::"ci", action in [Action::"connect", Action::"sql.session", Action::"sql.query"], resource);
@id("pii") @mask("partial")
permit (principal, action == Action::"sql.read", resource in Tag::"pii");
"#;

/// How long the daemon or a client may take for a step.
const STEP: Duration = Duration::from_secs(30);

struct Fixture {
    sluice: Sluice,
    server: Postgres,
    job: Cgroup,
    _netns: Netns,
}

impl Fixture {
    /// Two resources on one server: `orders` at its IPv4 address, `other` at its IPv6 address.
    fn new(role: &str) -> Result<Self> {
        let netns = Netns::new(role)?;
        let server = Postgres::start(&netns, &PostgresOptions { auth: Auth::Scram, tls: true, settings: Vec::new() })?;
        server.admin(&format!(
            "create table users (id int, ssn text); insert into users values (1, '123-45-6789');
             create role another login password '{}'; grant select on users to {}, another",
            server.password(),
            server.role()
        ))?;
        let job = Cgroup::new(role)?;
        let sluice = Sluice::start(&setup(&job, &server, server.role(), "\"public.none.none\" = [\"pii\"]"), &server)?;
        Ok(Self { sluice, server, job, _netns: netns })
    }

    fn setup(&self, user: &str, sensitive: &str) -> Setup {
        setup(&self.job, &self.server, user, sensitive)
    }

    /// Reloads and waits until the daemon says that it has.
    fn reload(&mut self, setup: &Setup) -> Result<()> {
        let before = self.sluice.log().matches("\"reloaded\"").count();
        self.sluice.configure(setup)?;
        self.sluice.reload()?;
        let reloaded = eventually(STEP, || self.sluice.log().matches("\"reloaded\"").count() > before);
        reloaded.then_some(()).context("the reload was not taken")
    }

    fn place(&self) -> Place {
        Place::here().cgroup(&self.job)
    }

    /// One statement of the workload's on `orders`.
    fn query(&self, sql: &str) -> Result<String> {
        Ok(self.server.query(&self.place(), sql)?.success()?.trim().to_owned())
    }

    /// A session that asks for the value, waits for `go` to appear, and asks again.
    fn session(&self, host: &str, folder: &Path, name: &str) -> Result<Process> {
        // psql tells every error that comes, a FATAL before the connection's end too.
        let ask = "select ssn from users";
        let wait = format!("\\! until [ -e {} ]; do sleep 0.05; done", folder.join("go").display());
        let mut psql = self.server.psql(&self.place());
        psql.env("PGHOST", host).args(["-c", ask, "-c", &wait, "-c", ask, "-c", "select 'end'"]);
        let mut session = Process::start(&mut psql, &folder.join(name))?;
        let log = folder.join(name);
        session.ready("the session", STEP, || {
            std::fs::read_to_string(&log).is_ok_and(|said| said.contains("123-45-6789"))
        })?;
        Ok(session)
    }
}

fn setup(job: &Cgroup, server: &Postgres, user: &str, sensitive: &str) -> Setup {
    let orders = Setup::resource("orders", server, &server.v4().to_string()).replace(server.role(), user);
    Setup {
        body: format!(
            "{}\n{orders}\n[resources.orders.sensitive]\n{sensitive}\n{}",
            Setup::workload("job", job.name()),
            Setup::resource("other", server, &server.v6().to_string())
        ),
        policies: vec![("policy.cedar".to_owned(), POLICY.to_owned())],
        ..Setup::default()
    }
}

#[test]
fn new_patterns_and_credentials_hold_at_once_and_sessions_under_the_old_ones_end() -> Result<()> {
    let mut fixture = Fixture::new("reload")?;
    let folder = tempfile::tempdir()?;
    let (v4, v6) = (fixture.server.v4().to_string(), fixture.server.v6().to_string());
    let mut changed = fixture.session(&v4, folder.path(), "changed")?;
    let mut unchanged = fixture.session(&v6, folder.path(), "unchanged")?;
    assert_eq!(fixture.query("select ssn from users")?, "123-45-6789");
    let masked = "\"public.none.none\" = [\"pii\"]\n\"public.users.ssn\" = [\"pii\"]";
    fixture.reload(&fixture.setup(fixture.server.role(), masked))?;
    for _ in 0..5 {
        assert_eq!(fixture.query("select ssn from users")?, "*******6789");
    }
    std::fs::write(folder.path().join("go"), "")?;
    changed.wait(STEP)?;
    let said = changed.output();
    assert!(said.contains("FATAL") && said.contains("definition of resource orders has changed"), "{said}");
    assert_eq!(said.matches("123-45-6789").count(), 1, "{said}");
    unchanged.wait(STEP)?;
    assert_eq!(unchanged.output(), "123-45-6789\n123-45-6789\nend\n");
    assert_eq!(fixture.query("select current_user")?, fixture.server.role());
    fixture.reload(&fixture.setup("another", masked))?;
    assert_eq!(fixture.query("select current_user, ssn from users")?, "another|*******6789");
    Ok(())
}

#[test]
fn a_reload_that_changes_nothing_of_a_resource_keeps_its_sessions() -> Result<()> {
    let mut fixture = Fixture::new("kept")?;
    let folder = tempfile::tempdir()?;
    let mut session = fixture.session(&fixture.server.v4().to_string(), folder.path(), "kept")?;
    let mut setup = fixture.setup(fixture.server.role(), "\"public.none.none\" = [\"pii\"]");
    setup.body.push_str("[users.ann]\ngroups = [\"dba\"]\n");
    fixture.reload(&setup)?;
    std::fs::write(folder.path().join("go"), "")?;
    session.wait(STEP)?;
    assert_eq!(session.output(), "123-45-6789\n123-45-6789\nend\n");
    // The resource is taken out: the next session is to a destination that is none.
    let v4 = fixture.server.v4().to_string();
    setup.body = setup.body.replace(&format!("\"{v4}:"), "\"192.0.2.1:");
    fixture.reload(&setup)?;
    let said = fixture.server.query(&fixture.place(), "select 1")?.failure()?;
    assert!(said.contains("no password supplied"), "relayed untouched to the server itself: {said}");
    Ok(())
}

#[test]
fn a_loop_of_connections_is_refused_counted_and_told() -> Result<()> {
    let fixture = Fixture::new("loop")?;
    let script = format!(
        "import socket, psycopg2, time\n\
         for _ in range(100):\n\
         \x20   for _ in range(500):\n\
         \x20       try: socket.create_connection(('{}', {}), 10).close()\n\
         \x20       except OSError: pass\n\
         \x20   try: psycopg2.connect('').close()\n\
         \x20   except psycopg2.Error as e:\n\
         \x20       print(e, flush=True)\n\
         \x20       if 'more connections' in str(e): break\n\
         \x20       time.sleep(0.1)\n",
        fixture.server.v4(),
        fixture.server.port()
    );
    let mut python = fixture.place().command("/usr/bin/python3");
    python.args(["-c", &script]).env("PGHOST", fixture.server.v4().to_string());
    python.env("PGPORT", fixture.server.port().to_string()).env("PGUSER", "x").env("PGDATABASE", "appdb");
    let said = run_within(Duration::from_secs(300), &mut python)?.success()?;
    assert!(said.contains("workload job makes more connections than the gateway takes"), "{said}");
    let status = fixture.sluice.json(&["status", "--json"])?;
    let refused = status["refused"].as_array().cloned().unwrap_or_default();
    let rate = refused.iter().find(|entry| entry["workload"] == "job" && entry["reason"] == "rate");
    let count = rate.context("not counted")?["count"].as_u64().unwrap_or(0);
    assert!(count > 0, "{status}");
    assert!(run(fixture.sluice.command()?.arg("status"))?.success()?.contains("connections of job (rate)"));
    let lines = fixture.sluice.log().matches("its workload makes too many").count();
    assert!(u64::try_from(lines)? < count.max(6), "{lines} lines for {count}");
    Ok(())
}
