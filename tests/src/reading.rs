use std::io::{ErrorKind, Read, Result};

/// What `stream` has to say next: as [`Read::read`], but again where a signal came between.
///
/// A socket with a time-out for reads answers EINTR when its process was stopped and went on, whatever the signal's
/// handler asked for (signal(7)).
///
/// # Errors
/// As [`Read::read`], EINTR apart.
pub fn read_some(stream: &mut impl Read, buffer: &mut [u8]) -> Result<usize> {
    loop {
        match stream.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}
