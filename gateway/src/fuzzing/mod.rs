//! What the fuzz targets of `fuzz/` run, and what a test replays their corpora through.
//!
//! Each takes whatever bytes it is given and panics where something that the gateway promises does not hold. None of it
//! is in a gateway that is built to be used.

mod analysis;
mod copy;
mod ground;
#[cfg(test)]
mod replay;

pub use analysis::analysis;
pub use copy::copy;
pub(crate) use ground::database;

/// Messages of either side, whole or cut, through everything that reads them.
pub fn codec(data: &[u8]) {
    crate::protocol::postgres::fuzzing::codec(data);
}

/// Two peers' bytes in fragments through a relay, its guard and its recording.
pub fn relay(data: &[u8]) {
    crate::protocol::postgres::fuzzing::played(data);
}
