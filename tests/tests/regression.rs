//! PostgreSQL's own regression suite, directly and through the gateway with a policy that permits everything: what its
//! tests print is the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
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

    /// Runs the suite from `place`, and returns what each test printed.
    fn run(&self, place: &Place, server: &Postgres) -> Result<BTreeMap<String, String>> {
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
        command.args(["--user=postgres", "--max-concurrent-tests=20"]).current_dir(&output);
        let finished = run_within(PATIENCE, &mut command)?;
        let results = fs::read_dir(output.join("results")).with_context(|| finished.stdout + &finished.stderr)?;
        let mut printed = BTreeMap::new();
        for entry in results.flatten() {
            let text = fs::read(entry.path())?;
            printed
                .insert(entry.file_name().to_string_lossy().into_owned(), String::from_utf8_lossy(&text).into_owned());
        }
        Ok(printed)
    }
}

fn server(netns: &Netns) -> Result<Postgres> {
    Postgres::start(netns, &PostgresOptions { auth: Auth::Trust, tls: false, settings: Vec::new() })
}

#[test]
fn what_the_regression_suite_prints_is_the_same_through_the_gateway() -> Result<()> {
    let place = Ground::new()?;
    let netns = Netns::new("pg")?;
    let direct = place.run(&Place::here(), &server(&netns)?)?;
    ensure!(direct.len() > 150, "only {} tests ran", direct.len());
    let job = Cgroup::new("job")?;
    let server = server(&netns)?;
    let setup = Setup {
        body: format!(
            "{}\n[resources.orders]\nprotocol = \"postgres\"\naddress = \"{}:{}\"\ntls = {{ mode = \"disable\" }}\n",
            Setup::workload("job", job.name()),
            server.v4(),
            server.port()
        ),
        policies: vec![("p.cedar".to_owned(), "@id(\"all\") permit (principal, action, resource);".to_owned())],
        ..Setup::default()
    };
    let mut sluice = Sluice::start(&setup, None)?;
    sluice.quiet();
    let gateway = place.run(&Place::here().cgroup(&job), &server)?;
    let mut differ = Vec::new();
    for (test, printed) in &direct {
        let other = gateway.get(test).map_or("", String::as_str);
        if other != printed {
            let first = printed.lines().zip(other.lines()).position(|(one, other)| one != other);
            let at = first.unwrap_or_else(|| printed.lines().count().min(other.lines().count()));
            let around = |text: &str| text.lines().skip(at.saturating_sub(3)).take(8).collect::<Vec<_>>().join("\n");
            differ.push(format!(
                "=== {test}, line {}\n--- directly\n{}\n--- through the gateway\n{}",
                at + 1,
                around(printed),
                around(other)
            ));
        }
    }
    if let Some(keep) = std::env::var_os("REGRESSION_KEEP") {
        for (name, printed) in [("direct", &direct), ("gateway", &gateway)] {
            let folder = Path::new(&keep).join(name);
            fs::create_dir_all(&folder)?;
            for (test, text) in printed {
                fs::write(folder.join(test), text)?;
            }
        }
        fs::write(Path::new(&keep).join("log"), sluice.log())?;
    }
    ensure!(differ.is_empty(), "{} of {} tests differ\n{}", differ.len(), direct.len(), differ.join("\n"));
    Ok(())
}
