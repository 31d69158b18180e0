//! PostgreSQL's own regression suite, directly and through the gateway: what its tests print is the same, with a policy
//! that permits everything, and beside a sensitive table that nothing of the suite names.

#[path = "regression/differs.rs"]
mod differs;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use differs::Differing;
use harness::{Auth, Cgroup, Netns, Place, Postgres, PostgresOptions, Setup, Sluice, postgres_bin, run, run_within};
use nix::unistd::{User, chown};

/// How long one run of the suite may take.
const PATIENCE: Duration = Duration::from_secs(1500);

/// What `cargo xtask test` has prepared.
fn suite() -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/regress");
    let folder =
        folder.canonicalize().context("no regression suite in target/regress: cargo xtask test prepares it")?;
    ensure!(folder.join("ready").exists(), "target/regress is not complete: remove it and run cargo xtask test");
    Ok(folder)
}

fn own(path: &Path) -> Result<()> {
    let user = User::from_name("postgres")?.context("no user postgres")?;
    Ok(chown(path, Some(user.uid), Some(user.gid))?)
}

/// A folder that the server and the suite may both write; its path stands in what the tests print.
struct Ground(tempfile::TempDir);

impl Ground {
    fn new() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("slt-regress-").tempdir_in("/tmp")?;
        let suite = suite()?;
        run(std::process::Command::new("cp")
            .arg("-r")
            .args([suite.join("source/src/test/regress"), suite.join("lib"), suite.join("pg_regress")])
            .arg(folder.path()))?
        .success()?;
        run(std::process::Command::new("chown").args(["-R", "postgres"]).arg(folder.path()))?.success()?;
        Ok(Self(folder))
    }

    /// Runs the suite from `place`, so many tests beside each other as `beside` says, and returns what each test printed.
    fn run(&self, place: &Place, server: &Postgres, beside: Beside) -> Result<Printed> {
        let folder = self.0.path();
        let output = folder.join("output");
        let _ = fs::remove_dir_all(&output);
        fs::create_dir(&output)?;
        own(&output)?;
        let input = folder.join("regress");
        let mut command = place.clone().user("postgres").command(folder.join("pg_regress"));
        command.arg(format!("--host={}", server.v4())).arg(format!("--port={}", server.port()));
        command.arg(format!("--inputdir={}", input.display())).arg(format!("--outputdir={}", output.display()));
        command.arg(format!("--dlpath={}", folder.join("lib").display()));
        command.arg(format!("--bindir={}", postgres_bin()?.display()));
        command.arg(format!("--schedule={}", input.join("parallel_schedule").display()));
        command.args(["--use-existing", "--dbname=regression", "--user=postgres", "--max-concurrent-tests=20"]);
        command.arg(format!("--max-connections={}", beside as u8));
        let finished = run_within(PATIENCE, command.current_dir(&output))?;
        let results = fs::read_dir(output.join("results")).with_context(|| finished.stdout + &finished.stderr)?;
        let mut printed = BTreeMap::new();
        for entry in results.flatten() {
            let text = String::from_utf8_lossy(&fs::read(entry.path())?).into_owned();
            let text = text.replace(&*folder.to_string_lossy(), SOMEWHERE);
            printed.insert(entry.file_name().to_string_lossy().into_owned(), text);
        }
        Ok(printed)
    }
}

/// How many tests of the suite run beside each other.
#[derive(Clone, Copy)]
enum Beside {
    /// As many as its schedule has in a line.
    All = 0,
    /// One at a time: what others make for a moment, an operator for the built-in types, or a cast, is in no other's way.
    None = 1,
}

/// Stands for a [`Ground`]'s path in what a test printed, and is as long.
const SOMEWHERE: &str = "/tmp/slt-regress-......";

/// What each test printed.
type Printed = BTreeMap<String, String>;

/// What nothing of the suite names; all else in the database is harmless.
const VAULT: &str =
    "create schema vault; create table vault.people (ssn text); insert into vault.people values ('539-48-0120')";

/// A server with the database that the suite runs in, as `pg_regress` makes it, but for the table.
fn server(netns: &Netns) -> Result<Postgres> {
    let server = Postgres::start(netns, &PostgresOptions { auth: Auth::Trust, tls: false, settings: Vec::new() })?;
    server.admin("create database regression template template0")?;
    for (setting, value) in [
        ("lc_messages", "C"),
        ("lc_monetary", "C"),
        ("lc_numeric", "C"),
        ("lc_time", "C"),
        ("bytea_output", "hex"),
        ("timezone_abbreviations", "Default"),
    ] {
        server.admin(&format!("alter database regression set {setting} to '{value}'"))?;
    }
    server.admin_in("regression", VAULT)?;
    Ok(server)
}

/// What the suite prints without the gateway. It runs once, and is kept for all tests.
fn direct() -> Result<&'static Printed> {
    static DIRECT: OnceLock<std::result::Result<Printed, String>> = OnceLock::new();
    let run = || -> Result<Printed> {
        let netns = Netns::new("pg")?;
        let printed = Ground::new()?.run(&Place::here(), &server(&netns)?, Beside::All)?;
        ensure!(printed.len() > 150, "only {} tests ran", printed.len());
        keep("direct", &printed)?;
        Ok(printed)
    };
    let printed = DIRECT.get_or_init(|| run().map_err(|error| format!("{error:?}")));
    printed.as_ref().map_err(|error| anyhow!("{error}"))
}

/// What it prints through a gateway with these policies, and further lines of the resource.
fn through_the_gateway(name: &str, resource: &str, policies: &str, beside: Beside) -> Result<Printed> {
    let netns = Netns::new("pg")?;
    let job = Cgroup::new("job")?;
    let server = server(&netns)?;
    let setup = Setup {
        body: format!(
            "{}\n[resources.orders]\nprotocol = \"postgres\"\naddress = \"{}:{}\"\ntls = {{ mode = \"disable\" }}\n\
             {resource}",
            Setup::workload("job", job.name()),
            server.v4(),
            server.port()
        ),
        policies: vec![("p.cedar".to_owned(), policies.to_owned())],
        ..Setup::default()
    };
    let mut sluice = Sluice::start(&setup, Some(&server))?;
    sluice.quiet();
    let printed = Ground::new()?.run(&Place::here().cgroup(&job), &server, beside)?;
    fs::write(kept(&format!("{name}.log"))?, sluice.log())?;
    keep(name, &printed)?;
    Ok(printed)
}

/// Where a run leaves what it was like.
fn kept(name: &str) -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("regression");
    fs::create_dir_all(&folder)?;
    Ok(folder.join(name))
}

/// Leaves what was printed in `target/tmp/regression`.
fn keep(name: &str, printed: &Printed) -> Result<()> {
    let folder = kept(name)?;
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    for (test, text) in printed {
        fs::write(folder.join(test), text)?;
    }
    Ok(())
}

#[test]
fn what_the_regression_suite_prints_is_the_same_through_the_gateway() -> Result<()> {
    let direct = direct()?;
    let gateway =
        through_the_gateway("gateway", "", "@id(\"all\") permit (principal, action, resource);", Beside::All)?;
    let differ = Differing::between(direct, &gateway);
    ensure!(differ.len() == 0, "{} of {} tests differ\n{differ}", differ.len(), direct.len());
    Ok(())
}

/// Everything is permitted but to tell or to copy what is sensitive.
const MASKED: &str = r#"
@id("all") permit (principal, action, resource);
@id("masked") @mask("redact") permit (principal, action == Action::"sql.read", resource in Tag::"pii");
@id("not-asked-for") @reason("of the vault") forbid (principal, action == Action::"sql.filter", resource in Tag::"pii");
@id("stays") @reason("of the vault") forbid (principal, action == Action::"sql.declassify", resource in Tag::"pii");
"#;

/// The server's credentials, and what is sensitive.
const SENSITIVE: &str = r#"
credentials = { username = "postgres", password = { env = "UPSTREAM_PASSWORD" } }
[resources.orders.sensitive]
"vault.people.ssn" = ["pii"]
"#;

#[test]
fn what_the_regression_suite_does_is_not_taken_for_a_leak() -> Result<()> {
    // One test at a time leaves room for another run.
    let (direct, masked) = thread::scope(|scope| {
        let direct = scope.spawn(direct);
        let masked = through_the_gateway("masked", SENSITIVE, MASKED, Beside::None);
        (direct.join(), masked)
    });
    let direct = direct.map_err(|_| anyhow!("the run without the gateway panicked"))??;
    let masked = masked?;
    let refused = masked.iter().flat_map(|(test, printed)| {
        printed.lines().filter(|line| line.contains("of the vault")).map(move |line| format!("{test}: {line}"))
    });
    let refused: Vec<String> = refused.collect();
    ensure!(refused.is_empty(), "{} statements are refused\n{}", refused.len(), refused.join("\n"));
    Differing::between(direct, &masked).as_listed(direct)
}
