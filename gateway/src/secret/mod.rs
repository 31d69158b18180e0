//! Where a credential comes from: read when it is needed, bounded in size and time, wiped when it was used.

mod exec;
mod node;

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::config::SecretSource;
pub use node::NodeKeyError;
pub(crate) use node::node_key;

/// No password is longer.
const LIMIT: usize = 16 * 1024;
/// How long a program may take.
const EXEC_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a file may take: it may be on a network.
const FILE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long what a program printed is used again: starting it for every connection would cost more than the connection.
const EXEC_FRESH: Duration = Duration::from_secs(60);
/// How long a failure of a program's is the answer of every login: whoever connects again and again does not run it again and
/// again.
const EXEC_FAILED: Duration = Duration::from_secs(3);
/// How soon after a refused secret was forgotten the next one can be.
const EXEC_FORGET: Duration = Duration::from_secs(5);

/// A secret's bytes: wiped on drop, never printed.
#[derive(Clone)]
pub(crate) struct Secret(Arc<Zeroizing<Vec<u8>>>);

impl Secret {
    /// The bytes themselves.
    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// No secret. Messages name the source, never its content.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum SecretError {
    #[error("cannot read {}: {error}", path.display())]
    File { path: PathBuf, error: Arc<io::Error> },
    #[error("{} is not a regular file", path.display())]
    NotAFile { path: PathBuf },
    #[error("the environment variable {0} is not set")]
    NoVariable(String),
    #[error("{source_name}: {reason}")]
    Exec { source_name: String, reason: String },
    #[error("{0} is empty")]
    Empty(String),
    #[error("{0} holds more than 16 KiB")]
    TooLong(String),
    #[error("{0} holds a zero byte, which no password can")]
    Zero(String),
    #[error("{0} gave no answer in time")]
    TimeOut(String),
}

/// Fetches secrets; keeps for a while what programs print.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    programs: Mutex<HashMap<Vec<String>, Arc<Program>>>,
}

impl Secrets {
    /// The secret of `source`, without one trailing newline.
    pub(crate) async fn fetch(&self, source: &SecretSource) -> Result<Secret, SecretError> {
        let name = name(source);
        let bytes = match source {
            SecretSource::Env(variable) => {
                let value = std::env::var_os(variable).ok_or_else(|| SecretError::NoVariable(variable.clone()))?;
                Zeroizing::new(value.into_vec())
            }
            SecretSource::File(path) => {
                let path = path.clone();
                let read = tokio::task::spawn_blocking(move || read_file(&path));
                match tokio::time::timeout(FILE_TIMEOUT, read).await {
                    Ok(Ok(bytes)) => bytes?,
                    Ok(Err(_)) | Err(_) => return Err(SecretError::TimeOut(name)),
                }
            }
            SecretSource::Exec(command) => return self.program(command).answer(command.clone(), name).await,
        };
        check(bytes, name)
    }

    /// Forgets what `source` gave: a server did not take it, so it may be old.
    pub(crate) fn refused(&self, source: &SecretSource) {
        if let SecretSource::Exec(command) = source {
            self.program(command).forget();
        }
    }

    fn program(&self, command: &[String]) -> Arc<Program> {
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        // Secrets that are not used any more are not kept, and neither are programs of a configuration before.
        programs.retain(|_, program| Arc::strong_count(program) > 1 || program.matters());
        Arc::clone(programs.entry(command.to_vec()).or_default())
    }
}

/// A program that prints a secret. It runs once at a time, whoever waits for it.
#[derive(Debug)]
struct Program {
    turn: Arc<Semaphore>,
    last: Mutex<Last>,
}

/// What it gave last, and when that was forgotten last.
#[derive(Debug, Default)]
struct Last {
    answer: Option<(Instant, Result<Secret, SecretError>)>,
    forgotten: Option<Instant>,
}

impl Default for Program {
    fn default() -> Self {
        Program { turn: Arc::new(Semaphore::new(1)), last: Mutex::default() }
    }
}

impl Program {
    async fn answer(self: Arc<Self>, command: Vec<String>, name: String) -> Result<Secret, SecretError> {
        let turn = Arc::clone(&self.turn).acquire_owned().await;
        let turn = turn.map_err(|_| SecretError::TimeOut(name.clone()))?;
        if let Some(answer) = self.kept() {
            return answer;
        }
        // A login that gives up does not end the turn: the program still runs.
        let running = tokio::task::spawn_blocking(move || {
            let ran = exec::run(&command, LIMIT, EXEC_TIMEOUT);
            let answer = ran
                .map_err(|reason| SecretError::Exec { source_name: name.clone(), reason })
                .and_then(|bytes| check(bytes, name));
            self.lock().answer = Some((Instant::now(), answer.clone()));
            drop(turn);
            answer
        });
        running.await.unwrap_or_else(|error| {
            Err(SecretError::Exec { source_name: "the program".to_owned(), reason: error.to_string() })
        })
    }

    fn lock(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self) -> Option<Result<Secret, SecretError>> {
        let mut last = self.lock();
        if !last.answer.as_ref().is_some_and(is_fresh) {
            last.answer = None;
        }
        last.answer.as_ref().map(|(_, answer)| answer.clone())
    }

    /// A server that always refuses cannot have the program run for every login.
    fn forget(&self) {
        let mut last = self.lock();
        if last.forgotten.is_none_or(|at| at.elapsed() >= EXEC_FORGET) && matches!(last.answer, Some((_, Ok(_)))) {
            *last = Last { answer: None, forgotten: Some(Instant::now()) };
        }
    }

    fn matters(&self) -> bool {
        let last = self.lock();
        last.answer.as_ref().is_some_and(is_fresh) || last.forgotten.is_some_and(|at| at.elapsed() < EXEC_FORGET)
    }
}

fn is_fresh((at, answer): &(Instant, Result<Secret, SecretError>)) -> bool {
    at.elapsed() < if answer.is_ok() { EXEC_FRESH } else { EXEC_FAILED }
}

/// How messages call a source.
fn name(source: &SecretSource) -> String {
    match source {
        SecretSource::File(path) => path.display().to_string(),
        SecretSource::Env(variable) => format!("the environment variable {variable}"),
        // Arguments may be anything; the program is enough to find the line.
        SecretSource::Exec(command) => command.first().cloned().unwrap_or_default(),
    }
}

fn check(mut bytes: Zeroizing<Vec<u8>>, name: String) -> Result<Secret, SecretError> {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    if bytes.is_empty() {
        return Err(SecretError::Empty(name));
    }
    if bytes.len() > LIMIT {
        return Err(SecretError::TooLong(name));
    }
    if bytes.contains(&0) {
        return Err(SecretError::Zero(name));
    }
    Ok(Secret(Arc::new(bytes)))
}

fn read_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let error = |error| SecretError::File { path: path.to_owned(), error: Arc::new(error) };
    // A pipe that nobody writes would block the open.
    let file = std::fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(error)?;
    if !file.metadata().map_err(error)?.is_file() {
        return Err(SecretError::NotAFile { path: path.to_owned() });
    }
    read_limited(file).map_err(error)
}

/// At most one byte more than the limit and the newline, in a buffer that never moves: nothing is left behind unwiped.
fn read_limited(from: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let most = LIMIT.saturating_add(2);
    let mut bytes = Zeroizing::new(Vec::with_capacity(most.saturating_add(64)));
    from.take(most as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetch(secrets: &Secrets, source: &SecretSource) -> Result<Secret, SecretError> {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(secrets.fetch(source))
    }

    fn file(content: &[u8]) -> (tempfile::NamedTempFile, SecretSource) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let source = SecretSource::File(file.path().to_owned());
        (file, source)
    }

    fn shell(script: &str) -> SecretSource {
        SecretSource::Exec(vec!["/bin/sh".into(), "-c".into(), script.into()])
    }

    #[test]
    fn a_file_loses_one_newline_and_its_change_is_seen() {
        let secrets = Secrets::default();
        let (file, source) = file(b"first\n\n");
        assert_eq!(fetch(&secrets, &source).unwrap().expose(), b"first\n");
        std::fs::write(file.path(), "second").unwrap();
        assert_eq!(fetch(&secrets, &source).unwrap().expose(), b"second");
    }

    #[test]
    fn what_cannot_be_a_password_is_refused() {
        let secrets = Secrets::default();
        for (content, word) in
            [(&b"\n"[..], "empty"), (b"a\0b", "zero byte"), (&vec![b'x'; LIMIT + 2][..], "more than 16 KiB")]
        {
            let (_file, source) = file(content);
            let error = fetch(&secrets, &source).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
        let folder = SecretSource::File("/".into());
        assert!(matches!(fetch(&secrets, &folder), Err(SecretError::NotAFile { .. })));
        let unset = SecretSource::Env("SLUICE_TEST_UNSET_VARIABLE".into());
        assert!(matches!(fetch(&secrets, &unset), Err(SecretError::NoVariable(_))));
    }

    #[test]
    fn a_program_runs_once_until_its_answer_is_refused() {
        let secrets = Secrets::default();
        let count = tempfile::NamedTempFile::new().unwrap();
        let source = shell(&format!("echo x >> {0}; wc -l < {0}", count.path().display()));
        assert_eq!(fetch(&secrets, &source).unwrap().expose(), b"1");
        assert_eq!(fetch(&secrets, &source).unwrap().expose(), b"1");
        secrets.refused(&source);
        assert_eq!(fetch(&secrets, &source).unwrap().expose(), b"2");
        // A server that refuses every time does not run it every time.
        secrets.refused(&source);
        assert_eq!(fetch(&secrets, &source).unwrap().expose(), b"2");
    }

    #[test]
    fn a_program_runs_once_for_all_who_wait_and_its_failure_is_remembered() {
        let secrets = Secrets::default();
        let count = tempfile::NamedTempFile::new().unwrap();
        let slow = |end: &str| shell(&format!("echo x >> {}; sleep 0.3; {end}", count.path().display()));
        let runs = || std::fs::read_to_string(count.path()).unwrap().lines().count();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let all = |source: &SecretSource| {
            runtime.block_on(async {
                let (a, b, c) = tokio::join!(secrets.fetch(source), secrets.fetch(source), secrets.fetch(source));
                [a, b, c].iter().filter(|given| given.is_ok()).count()
            })
        };
        assert_eq!(all(&slow("echo secret")), 3);
        assert_eq!(runs(), 1);
        assert_eq!(all(&slow("exit 1")), 0);
        assert_eq!(runs(), 2);
        // Forgetting is for what a server refused.
        secrets.refused(&slow("exit 1"));
        assert!(fetch(&secrets, &slow("exit 1")).is_err());
        assert_eq!(runs(), 2);
    }

    #[test]
    fn a_login_that_gives_up_does_not_start_the_program_twice() {
        let secrets = Secrets::default();
        let count = tempfile::NamedTempFile::new().unwrap();
        let source = shell(&format!("echo x >> {0}; sleep 0.5; echo secret", count.path().display()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let hasty = tokio::time::timeout(Duration::from_millis(100), secrets.fetch(&source));
            assert!(hasty.await.is_err());
            assert_eq!(secrets.fetch(&source).await.unwrap().expose(), b"secret");
        });
        assert_eq!(std::fs::read_to_string(count.path()).unwrap().lines().count(), 1);
    }

    #[test]
    fn a_program_that_fails_or_floods_gives_no_secret_and_no_output_in_the_error() {
        let secrets = Secrets::default();
        let error = fetch(&secrets, &shell("echo hunter2; echo hunter2 >&2; exit 3")).unwrap_err().to_string();
        assert!(error.contains("/bin/sh") && error.contains('3') && !error.contains("hunter2"), "{error}");
        let error = fetch(&secrets, &shell("yes")).unwrap_err().to_string();
        assert!(error.contains("more than 16 KiB"), "{error}");
    }

    #[test]
    fn a_secret_is_never_printed() {
        let (_file, source) = file(b"hunter2");
        let secrets = Secrets::default();
        let secret = fetch(&secrets, &source).unwrap();
        assert!(!format!("{secret:?}{secrets:?}").contains("hunter2"));
    }
}
