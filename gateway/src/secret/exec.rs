//! A program that prints a secret: no input, bounded output, bounded time.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use zeroize::Zeroizing;

/// Its standard output. The error is a reason without any of its output.
pub(super) fn run(words: &[String], limit: usize, timeout: Duration) -> Result<Zeroizing<Vec<u8>>, String> {
    let (program, arguments) = words.split_first().ok_or_else(|| "names no program".to_owned())?;
    let until = Instant::now() + timeout;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // What it complains of may hold what it should not say.
        .stderr(Stdio::null())
        .current_dir("/")
        // A group of its own, so that what it started ends with it.
        .process_group(0)
        .spawn()
        .map_err(|error| format!("cannot be started: {error}"))?;
    let output = read(&mut child, until);
    let ended = match &output {
        Ok(bytes) if bytes.len() <= limit.saturating_add(1) => wait(&mut child, until),
        _ => None,
    };
    let status = match ended {
        Some(status) => status,
        None => {
            kill(&child);
            let _ = child.wait();
            return Err(match output {
                Ok(bytes) if bytes.len() > limit.saturating_add(1) => "printed more than 16 KiB".to_owned(),
                Ok(_) | Err(None) => format!("did not end within {} s and was killed", timeout.as_secs()),
                Err(Some(reason)) => reason,
            });
        }
    };
    match output {
        Ok(bytes) if status.success() => Ok(bytes),
        Ok(_) => Err(format!("failed: {status}")),
        Err(reason) => Err(reason.unwrap_or_else(|| format!("failed: {status}"))),
    }
}

/// Everything it prints until it closes its output, or `None` as the error where that takes too long.
fn read(child: &mut Child, until: Instant) -> Result<Zeroizing<Vec<u8>>, Option<String>> {
    let stdout = child.stdout.take().ok_or_else(|| Some("has no output".to_owned()))?;
    let (done, read) = mpsc::channel();
    // Ends when the group is killed, at the latest.
    std::thread::Builder::new()
        .name("secret".to_owned())
        .spawn(move || {
            let _ = done.send(super::read_limited(stdout));
        })
        .map_err(|error| Some(format!("cannot be read: {error}")))?;
    match read.recv_timeout(until.saturating_duration_since(Instant::now())) {
        Ok(read) => read.map_err(|error| Some(format!("cannot be read: {error}"))),
        Err(_) => Err(None),
    }
}

fn wait(child: &mut Child, until: Instant) -> Option<std::process::ExitStatus> {
    let mut pause = Duration::from_micros(200);
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        if Instant::now() >= until {
            return None;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// Kills its group. It was not waited for, so its number, which is the group's, is nobody else's.
fn kill(child: &Child) {
    if let Ok(group) = i32::try_from(child.id()) {
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_hangs_is_killed_with_what_it_started() {
        let words = ["/bin/sh", "-c", "sleep 1000 & echo $! > $0; wait"].map(str::to_owned).to_vec();
        let file = tempfile::NamedTempFile::new().unwrap();
        let words: Vec<String> = words.into_iter().chain([file.path().display().to_string()]).collect();
        let error = run(&words, 100, Duration::from_secs(1)).unwrap_err();
        assert!(error.contains("was killed"), "{error}");
        let pid: i32 = std::fs::read_to_string(file.path()).unwrap().trim().parse().unwrap();
        let gone = (0..500).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            state.is_empty() || state.contains(") Z ")
        });
        assert!(gone);
    }
}
