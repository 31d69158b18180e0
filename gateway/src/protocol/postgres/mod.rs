//! PostgreSQL's frontend/backend protocol 3.

pub(crate) mod cancel;
pub(crate) mod established;
pub(crate) mod wire;
