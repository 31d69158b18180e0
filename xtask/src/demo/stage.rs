//! A database, a gateway and a job on this machine, and what they show.
#![expect(clippy::print_stdout, reason = "a demonstration is there to be read")]

use std::io::IsTerminal as _;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use harness::{Auth, Cgroup, Netns, Place, Postgres, PostgresOptions, Setup, Sluice, run, sluice_bin};

/// The rules of the demonstration: the README's first policy.
const POLICY: &str = r#"@id("baseline")
permit (principal in Group::"ci",
        action in [Action::"connect", Action::"sql.session", Action::"sql.query", Action::"sql.write"], resource);

@id("no-drop-in-prod") @reason("destructive DDL is blocked on production")
forbid (principal, action == Action::"sql.drop", resource in Tag::"prod");

@id("rows-by-name") @reason("an UPDATE or DELETE on production names its rows, as in WHERE id = 1")
forbid (principal, action in [Action::"sql.delete", Action::"sql.update"], resource in Tag::"prod")
when { !context.bounded };

@id("pii") @mask("partial")
permit (principal, action == Action::"sql.read", resource in Tag::"pii");
"#;

const TABLE: &str = "create table users (id int primary key, name text, ssn text);
    insert into users values (1, 'Ada', '123-45-6789'), (2, 'Grace', '987-65-4321');";

/// Dropped in this order: the gateway, the job, the database, its host.
pub(super) struct Stage {
    sluice: Option<Sluice>,
    job: Cgroup,
    server: Postgres,
    _host: Netns,
}

/// What somebody would type, before what it prints.
fn typed(line: &str) {
    if std::io::stdout().is_terminal() {
        println!("\x1b[1m$ {line}\x1b[0m");
    } else {
        println!("$ {line}");
    }
}

fn scene(title: &str) {
    println!("\n── {title}\n");
}

fn printed(command: &mut Command) -> Result<String> {
    let finished = run(command)?;
    let said = format!("{}{}", finished.stdout, finished.stderr);
    println!("{}", said.trim_end());
    Ok(said)
}

impl Stage {
    pub(super) fn set() -> Result<Self> {
        let host = Netns::new("demo")?;
        let server = Postgres::start(&host, &PostgresOptions { auth: Auth::Scram, tls: true, settings: Vec::new() })?;
        server.admin(&format!("{TABLE} grant all on users to {}", server.role()))?;
        let job = Cgroup::new("job")?;
        Ok(Stage { sluice: None, job, server, _host: host })
    }

    fn sluice(&self) -> Result<&Sluice> {
        self.sluice.as_ref().context("the gateway does not run")
    }

    /// The job's own psql: no password, no certificate, the endpoint that it always had.
    fn job(&self, sql: &str) -> Result<String> {
        typed(&format!("psql -h {} -U job appdb -c \"{sql}\"", self.server.v4()));
        let mut psql = Place::here().cgroup(&self.job).command("psql");
        psql.args(["-X", "-w", "-h", &self.server.v4().to_string(), "-p", &self.server.port().to_string()]);
        psql.args(["-U", "job", "-d", self.server.database(), "-c", sql]);
        printed(psql.env("PGCONNECT_TIMEOUT", "20"))
    }

    fn cli(&self, arguments: &[&str]) -> Result<String> {
        typed(&format!("sluice {}", arguments.join(" ")));
        printed(self.sluice()?.command()?.args(arguments))
    }

    pub(super) fn without_the_gateway(&mut self) -> Result<()> {
        scene(
            "A job in the cgroup of a CI runner. It has no password, so the database on the other host sends it away.",
        );
        let said = self.job("select * from users")?;
        ensure!(said.contains("no password supplied"), "the database let the job in");
        Ok(())
    }

    pub(super) fn start_the_gateway(&mut self) -> Result<()> {
        scene("The gateway starts: the kernel redirects what leaves that cgroup, and the gateway has the credential.");
        let mut setup = Setup::postgres(self.job.name(), &self.server, POLICY);
        setup.body.push_str("[resources.orders.sensitive]\n\"public.users.ssn\" = [\"pii\"]\n");
        let mut sluice = Sluice::prepare(&setup)?;
        sluice.quiet();
        sluice.env("UPSTREAM_PASSWORD", self.server.password());
        typed("sluice run &");
        sluice.run()?;
        self.sluice = Some(sluice);
        self.cli(&["status"])?;
        Ok(())
    }

    pub(super) fn masked(&mut self) -> Result<()> {
        scene("The same psql, unchanged: let in, and what is personal is masked.");
        let said = self.job("select * from users")?;
        ensure!(said.contains("6789") && !said.contains("123-45"), "the column is not masked");
        Ok(())
    }

    pub(super) fn written(&mut self) -> Result<()> {
        scene("Writing rows is the job's work.");
        let said = self.job("update users set name = 'Ada L.' where id = 1")?;
        ensure!(said.contains("UPDATE 1"), "the write failed");
        Ok(())
    }

    pub(super) fn blocked(&mut self) -> Result<()> {
        scene("Dropping a table on production is not. The job gets the reason, the server nothing.");
        let said = self.job("drop table users")?;
        ensure!(said.contains("destructive DDL is blocked on production"), "the drop was not blocked");
        ensure!(self.server.admin("select count(*) from users")?.trim() == "2", "the table is gone");
        Ok(())
    }

    pub(super) fn unbounded(&mut self) -> Result<()> {
        scene("Nor is a DELETE that forgot its WHERE.");
        let said = self.job("delete from users")?;
        ensure!(said.contains("names its rows"), "the delete was not blocked");
        Ok(())
    }

    pub(super) fn gateway_killed(&mut self) -> Result<()> {
        scene("Without the gateway nothing opens up: the programs in the kernel stay, and refuse.");
        let sluice = self.sluice.as_mut().context("the gateway does not run")?;
        typed("kill -9 $(pidof sluice)");
        sluice.kill();
        let said = self.job("select * from users")?;
        ensure!(said.contains("Connection refused"), "the job was not refused");
        typed("sluice run &");
        self.sluice.as_mut().context("the gateway does not run")?.run()?;
        let said = self.job("select count(*) from users")?;
        ensure!(said.contains("(1 row)"), "the gateway does not serve again");
        Ok(())
    }

    pub(super) fn evidence(&mut self) -> Result<()> {
        scene("What happened is recorded, can be seen again, and can be checked.");
        let listed = self.cli(&["sessions"])?;
        let session = listed.lines().rev().find_map(|line| {
            let id = line.split_whitespace().next()?;
            let replay = self.sluice().ok()?.cli(&["replay", id]).ok()?;
            replay.stdout.contains("drop table").then(|| id.to_owned())
        });
        let session = session.context("no session has the drop")?;
        self.cli(&["replay", &session])?;
        let said = self.cli(&["verify"])?;
        ensure!(!said.is_empty(), "verify says nothing");
        ensure!(self.sluice()?.cli(&["verify"])?.status.success(), "the recordings do not verify");
        Ok(())
    }

    /// How to go on by hand.
    pub(super) fn by_hand(&self) {
        let (Ok(sluice), Ok(binary)) = (self.sluice(), sluice_bin()) else { return };
        scene("It keeps running until Ctrl-C. In another terminal, as root:");
        let config = sluice.config();
        println!("a shell as the job      sh -c 'echo 0 > {}/cgroup.procs; exec sh'", self.job.path().display());
        println!("then in it              psql -h {} -U job {}", self.server.v4(), self.server.database());
        println!("the configuration       {}", config.display());
        println!("the policies            {}", config.with_file_name("policies").display());
        println!("the command line        {} --config {} status", binary.display(), config.display());
        println!("after a change          kill -HUP {}", sluice.pid().unwrap_or(0));
    }
}
