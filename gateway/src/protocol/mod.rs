//! Wire protocols: bytes to commands and back. Nothing here knows of policy, approval or recording.

pub mod detect;
pub mod postgres;
