//! Where a credential comes from: read when it is needed, bounded in size and time, wiped when it was used.

mod exec;
mod node;

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

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
/// How many programs' answers are kept: one a resource, and those of reloads before.
const KEPT: usize = 256;

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
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    #[error("cannot read {}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
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
    printed: Mutex<HashMap<Vec<String>, (Instant, Secret)>>,
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
            SecretSource::Exec(command) => {
                if let Some(secret) = self.kept(command) {
                    return Ok(secret);
                }
                let words = command.clone();
                let ran = tokio::task::spawn_blocking(move || exec::run(&words, LIMIT, EXEC_TIMEOUT)).await;
                let ran = ran.unwrap_or_else(|error| Err(error.to_string()));
                ran.map_err(|reason| SecretError::Exec { source_name: name.clone(), reason })?
            }
        };
        let secret = check(bytes, name)?;
        if let SecretSource::Exec(command) = source {
            self.keep(command, &secret);
        }
        Ok(secret)
    }

    /// Forgets what `source` gave: a server refused it, so it may be old.
    pub(crate) fn refused(&self, source: &SecretSource) {
        if let SecretSource::Exec(command) = source {
            self.printed.lock().unwrap_or_else(PoisonError::into_inner).remove(command);
        }
    }

    fn kept(&self, command: &[String]) -> Option<Secret> {
        let mut printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        printed.retain(|_, (at, _)| at.elapsed() < EXEC_FRESH);
        printed.get(command).map(|(_, secret)| secret.clone())
    }

    fn keep(&self, command: &[String], secret: &Secret) {
        let mut printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        if printed.len() >= KEPT {
            printed.clear();
        }
        printed.insert(command.to_vec(), (Instant::now(), secret.clone()));
    }
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
    let error = |error| SecretError::File { path: path.to_owned(), error };
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
