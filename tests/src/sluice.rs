//! The built `sluice`: its own configuration, daemon, pins and socket; nothing of it stays.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::own::{require_root, unique};
use crate::process::{Finished, Process, run, run_within};
use crate::{Place, Postgres};

/// How long the daemon may take until it serves.
const START: Duration = Duration::from_secs(60);

/// What `gateway.toml` and the policy folder hold.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Further lines of `[intercept]`.
    pub intercept: String,
    /// Further lines of `[control]`.
    pub control: String,
    /// `[workloads.*]` and `[resources.*]`.
    pub body: String,
    /// File names and contents of the policy folder.
    pub policies: Vec<(String, String)>,
    /// Where recordings go; absent: a folder of its own.
    pub state_dir: Option<PathBuf>,
}

impl Setup {
    /// One workload by cgroup pattern in group `ci`, one PostgreSQL resource `orders` with the gateway's credential,
    /// and one policy file.
    #[must_use]
    pub fn postgres(cgroup: &str, server: &Postgres, policy: &str) -> Self {
        Self {
            body: format!(
                "{}\n{}",
                Self::workload("job", cgroup),
                Self::resource("orders", server, &server.v4().to_string())
            ),
            policies: vec![("policy.cedar".to_owned(), policy.to_owned())],
            ..Self::default()
        }
    }

    /// A `[workloads.NAME]` by cgroup pattern in group `ci`.
    #[must_use]
    pub fn workload(name: &str, cgroup: &str) -> String {
        format!("[workloads.{name}]\nmatch = {{ cgroup = \"{cgroup}\" }}\ngroups = [\"ci\"]\n")
    }

    /// A `[resources.NAME]` tagged `prod` at one of the server's addresses, verified by its authority. The password
    /// comes from the daemon's environment: [`Sluice::env`].
    #[must_use]
    pub fn resource(name: &str, server: &Postgres, host: &str) -> String {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        format!(
            "[resources.{name}]\nprotocol = \"postgres\"\naddress = \"{host}:{}\"\ntags = [\"prod\"]\n\
             tls = {{ mode = \"verify-full\", ca = \"{}\" }}\n\
             credentials = {{ username = \"{}\", password = {{ env = \"UPSTREAM_PASSWORD\" }} }}\n",
            server.port(),
            server.ca_file().display(),
            server.role()
        )
    }
}

/// An installed gateway of a test's own. Dropping it stops the daemon and detaches everything from the kernel.
#[derive(Debug)]
pub struct Sluice {
    daemon: Option<Process>,
    folder: TempDir,
    pin_dir: PathBuf,
    state_dir: PathBuf,
    environment: Vec<(String, String)>,
    place: Place,
    quiet: bool,
}

static BIN: OnceLock<std::result::Result<PathBuf, String>> = OnceLock::new();

/// Makes a program that was built already the one that is run; for before anything is started.
pub fn use_sluice_bin(path: &Path) {
    let _ = BIN.set(Ok(path.to_owned()));
}

/// The program under test: `SLUICE_BIN`, or the one beside this test, built now if it is not up to date.
///
/// # Errors
/// It does not build.
pub fn sluice_bin() -> Result<PathBuf> {
    let found = BIN.get_or_init(|| find_bin().map_err(|error| format!("{error:#}")));
    found.clone().map_err(anyhow::Error::msg)
}

fn find_bin() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("SLUICE_BIN").map(PathBuf::from) {
        if !path.exists() {
            bail!("SLUICE_BIN names {}, which does not exist", path.display());
        }
        return Ok(path);
    }
    // Cargo builds no other package's programs for a test: an old one would be tested without anyone noticing.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--workspace", "--bin", "sluice"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    run_within(Duration::from_secs(1800), &mut build)?.success().context("cargo build --workspace --bin sluice")?;
    let here = std::env::current_exe()?;
    let folders = here.ancestors().skip(1).take(3);
    folders
        .map(|folder| folder.join("sluice"))
        .find(|path| path.is_file())
        .with_context(|| format!("no sluice beside {}", here.display()))
}

impl Sluice {
    /// Writes the configuration; starts nothing.
    ///
    /// # Errors
    /// Not root, or `sluice` does not build.
    pub fn prepare(setup: &Setup) -> Result<Self> {
        require_root()?;
        sluice_bin()?;
        let folder = tempfile::Builder::new().prefix("slt-gw-").tempdir_in("/tmp")?;
        let sluice = Self {
            daemon: None,
            pin_dir: Path::new("/sys/fs/bpf").join(unique("pins")),
            state_dir: setup.state_dir.clone().unwrap_or_else(|| folder.path().join("state")),
            folder,
            environment: Vec::new(),
            place: Place::here(),
            quiet: false,
        };
        fs::create_dir_all(&sluice.state_dir)?;
        sluice.configure(setup)?;
        Ok(sluice)
    }

    /// Writes the configuration and starts the daemon, with the server's password in its environment where there is one.
    ///
    /// # Errors
    /// As [`Sluice::prepare`] and [`Sluice::run`].
    pub fn start<'a>(setup: &Setup, server: impl Into<Option<&'a Postgres>>) -> Result<Self> {
        let mut sluice = Self::prepare(setup)?;
        if let Some(server) = server.into() {
            sluice.env("UPSTREAM_PASSWORD", server.password());
        }
        sluice.run()?;
        Ok(sluice)
    }

    /// Sets a variable of the daemon's environment, from its next start on.
    pub fn env(&mut self, key: &str, value: &str) {
        self.environment.push((key.to_owned(), value.to_owned()));
    }

    /// Runs the daemon elsewhere, from its next start on.
    pub fn place(&mut self, place: Place) {
        self.place = place;
    }

    /// Does not print the daemon's log at the end.
    pub fn quiet(&mut self) {
        self.quiet = true;
    }

    /// Writes `gateway.toml` and the policy folder anew. A running daemon takes it by [`Sluice::reload`].
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn configure(&self, setup: &Setup) -> Result<()> {
        let policies = self.folder.path().join("policies");
        if policies.exists() {
            fs::remove_dir_all(&policies)?;
        }
        fs::create_dir_all(&policies)?;
        for (name, text) in &setup.policies {
            fs::write(policies.join(name), text)?;
        }
        let text = format!(
            "state_dir = \"{}\"\npolicies = \"{}\"\n\n[intercept]\npin_dir = \"{}\"\n{}\n\n[control]\nsocket = \"{}\"\n\
             {}\n\n{}",
            self.state_dir.display(),
            policies.display(),
            self.pin_dir.display(),
            setup.intercept,
            self.folder.path().join("control.sock").display(),
            setup.control,
            setup.body
        );
        fs::write(self.config(), text)?;
        Ok(())
    }

    /// Starts the daemon and waits until it serves.
    ///
    /// # Errors
    /// It ends or does not serve in time; the message holds its log.
    pub fn run(&mut self) -> Result<()> {
        self.launch()?;
        let mut daemon = self.daemon.take().context("the daemon does not run")?;
        // By the command that people have, but not to its end where the daemon has ended first.
        let ready = daemon.ready("sluice run", START, || {
            let status = self.cli(&["status", "--wait", "1"]);
            status.is_ok_and(|status| status.status.success())
        });
        self.daemon = Some(daemon);
        ready
    }

    /// Starts the daemon and waits for nothing.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn launch(&mut self) -> Result<()> {
        let mut command = self.place.command(sluice_bin()?);
        command.arg("--config").arg(self.config()).arg("run");
        command.envs(self.environment.iter().map(|(key, value)| (key, value)));
        self.daemon = Some(Process::start(&mut command, &self.log_file())?);
        Ok(())
    }

    /// Waits until the daemon ends by itself.
    ///
    /// # Errors
    /// It does not within `limit`, or it does not run.
    pub fn ended(&mut self, limit: Duration) -> Result<std::process::ExitStatus> {
        self.daemon.as_mut().context("the daemon does not run")?.wait(limit)
    }

    /// The daemon's process id.
    ///
    /// # Errors
    /// It does not run.
    pub fn pid(&self) -> Result<u32> {
        Ok(self.daemon.as_ref().context("the daemon does not run")?.id())
    }

    /// Kills the daemon with -9.
    pub fn kill(&mut self) {
        self.daemon = None;
    }

    /// Stops the daemon with SIGTERM.
    ///
    /// # Errors
    /// It does not end within 20 s.
    pub fn terminate(&mut self) -> Result<std::process::ExitStatus> {
        let mut daemon = self.daemon.take().context("the daemon does not run")?;
        daemon.signal(Signal::SIGTERM)?;
        daemon.wait(Duration::from_secs(20))
    }

    /// Has the daemon read its configuration and policies again (SIGHUP). It does so in its own time: wait for the
    /// effect, or for the log.
    ///
    /// # Errors
    /// It does not run.
    pub fn reload(&mut self) -> Result<()> {
        self.daemon.as_mut().context("the daemon does not run")?.signal(Signal::SIGHUP)
    }

    /// `sluice --config FILE`, for further arguments.
    ///
    /// # Errors
    /// It does not build.
    pub fn command(&self) -> Result<Command> {
        let mut command = Command::new(sluice_bin()?);
        command.arg("--config").arg(self.config());
        command.envs(self.environment.iter().map(|(key, value)| (key, value)));
        Ok(command)
    }

    /// Runs a subcommand.
    ///
    /// # Errors
    /// It cannot be run; how it ends is in the result.
    pub fn cli(&self, arguments: &[&str]) -> Result<Finished> {
        run_within(START + Duration::from_secs(30), self.command()?.args(arguments))
    }

    /// Runs a subcommand that prints JSON.
    ///
    /// # Errors
    /// It fails, or prints something else.
    pub fn json(&self, arguments: &[&str]) -> Result<serde_json::Value> {
        let text = self.cli(arguments)?.success()?;
        serde_json::from_str(&text).with_context(|| format!("sluice {} printed no JSON: {text}", arguments.join(" ")))
    }

    /// A value of `sluice status --json` by its JSON pointer, `/intercept/listeners`.
    ///
    /// # Errors
    /// It fails, or has no such value.
    pub fn status(&self, pointer: &str) -> Result<serde_json::Value> {
        let status = self.json(&["status", "--json"])?;
        status.pointer(pointer).cloned().with_context(|| format!("no {pointer} in {status}"))
    }

    /// Writes the node CA's certificate (`sluice ca`) to a file that clients can name.
    ///
    /// # Errors
    /// `sluice ca` fails or prints no certificate.
    pub fn ca_file(&self) -> Result<PathBuf> {
        let printed = self.cli(&["ca"])?.success()?;
        let (begin, end) = ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----");
        let from = printed.find(begin).with_context(|| format!("sluice ca printed no certificate: {printed}"))?;
        let rest = printed.get(from..).unwrap_or_default();
        let to = rest.find(end).context("sluice ca printed half a certificate")?;
        let path = self.folder.path().join("node-ca.pem");
        fs::write(&path, format!("{}{end}\n", rest.get(..to).unwrap_or_default()))?;
        Ok(path)
    }

    /// `gateway.toml`.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("gateway.toml")
    }

    /// The folder for pins.
    #[must_use]
    pub fn pin_dir(&self) -> &Path {
        &self.pin_dir
    }

    /// The folder for recordings and the node CA.
    #[must_use]
    pub fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// What the daemon wrote, over all its starts.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read(self.log_file()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("daemon.log")
    }

    /// `sluice detach`: everything out of the kernel.
    ///
    /// # Errors
    /// It fails.
    pub fn detach(&self) -> Result<String> {
        self.cli(&["detach"])?.success()
    }
}

impl Drop for Sluice {
    fn drop(&mut self) {
        if self.daemon.is_some()
            && let Err(error) = self.terminate()
        {
            eprintln!("sluice run had to be killed: {error:#}");
        }
        if self.pin_dir.exists() {
            // By the folder: a test may have left a configuration that is wrong.
            let detached =
                self.command().and_then(|mut command| run(command.args(["detach", "--pin-dir"]).arg(&self.pin_dir)));
            if !matches!(&detached, Ok(finished) if finished.status.success()) {
                eprintln!("sluice detach failed, the pins are removed by hand: {detached:?}");
            }
            let _ = fs::remove_dir_all(&self.pin_dir);
        }
        if !self.quiet {
            eprintln!("--- the gateway's log\n{}---", self.log());
        }
    }
}
