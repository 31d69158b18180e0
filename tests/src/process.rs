//! Child processes that end with their owner, and commands that are waited for, but not for ever.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long [`run`] waits.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a command did.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Finished {
    /// The standard output, where it succeeded.
    ///
    /// # Errors
    /// It did not; the message holds what it wrote.
    pub fn success(self) -> Result<String> {
        if self.status.success() { Ok(self.stdout) } else { bail!("{}\n{}{}", self.status, self.stdout, self.stderr) }
    }

    /// The standard error, where it failed.
    ///
    /// # Errors
    /// It succeeded; the message holds what it wrote.
    pub fn failure(self) -> Result<String> {
        if self.status.success() {
            bail!("it succeeded, and should not have\n{}{}", self.stdout, self.stderr)
        }
        Ok(self.stderr)
    }
}

/// Runs a command to its end, at most a minute.
///
/// # Errors
/// It cannot be started or does not end in time; then it is killed. How it ends is no error here.
pub fn run(command: &mut Command) -> Result<Finished> {
    run_within(PATIENCE, command)
}

/// Runs a command to its end, at most `limit`.
///
/// # Errors
/// As [`run`].
pub fn run_within(limit: Duration, command: &mut Command) -> Result<Finished> {
    // Files rather than pipes: a child that leaves a grandchild behind cannot make the reader wait.
    let (mut stdout, mut stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
    command.stdin(Stdio::null()).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
    let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
    let ended = wait(&mut child, limit)?;
    let Some(status) = ended else {
        let _ = child.kill();
        let _ = child.wait();
        bail!("{command:?} did not end within {limit:?}\n{}{}", from_start(&mut stdout)?, from_start(&mut stderr)?);
    };
    Ok(Finished { status, stdout: from_start(&mut stdout)?, stderr: from_start(&mut stderr)? })
}

fn from_start(file: &mut File) -> Result<String> {
    file.rewind()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn wait(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>> {
    let end = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Asks every 20 ms whether something has become true, until it has or `limit` has passed.
pub fn eventually(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A process in the background, with its output in a file. Killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it; standard output and error are appended to `log`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        Ok(Self { child, log: log.to_owned() })
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends it a signal, unless it has ended.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        if self.alive() {
            kill(Pid::from_raw(self.child.id().cast_signed()), signal)?;
        }
        Ok(())
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// It does not end within `limit`; the message holds its output.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        match wait(&mut self.child, limit)? {
            Some(status) => Ok(status),
            None => bail!("process {} did not end within {limit:?}\n{}", self.child.id(), self.output()),
        }
    }

    /// Waits until `condition` holds.
    ///
    /// # Errors
    /// The process ended before, or `limit` passed; the message holds its output.
    pub fn ready(&mut self, what: &str, limit: Duration, mut condition: impl FnMut() -> bool) -> Result<()> {
        let mut ended = false;
        let held = eventually(limit, || {
            ended = !self.alive();
            ended || condition()
        });
        if held && !ended {
            return Ok(());
        }
        bail!("{what} {}\n{}", if ended { "ended at once" } else { "was not ready in time" }, self.output())
    }

    /// What it has written so far.
    #[must_use]
    pub fn output(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_hangs_is_killed_and_says_what_it_wrote() {
        let before = Instant::now();
        let mut command = Command::new("/bin/sh");
        let error = run_within(Duration::from_millis(100), command.args(["-c", "echo said; sleep 60"])).unwrap_err();
        assert!(before.elapsed() < Duration::from_secs(10));
        assert!(error.to_string().contains("said"), "{error}");
    }

    #[test]
    fn a_process_ends_with_its_owner() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let process = Process::start(Command::new("/bin/sleep").arg("60"), log.path()).unwrap();
        let proc = PathBuf::from(format!("/proc/{}", process.id()));
        assert!(proc.exists());
        drop(process);
        assert!(!proc.exists());
    }
}
