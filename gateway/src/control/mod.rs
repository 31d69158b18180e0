//! How people and programs reach the daemon: the local socket of the command line, metrics over HTTP, and systemd.

pub mod client;
mod limited;
mod notify;
mod server;
pub mod status;

pub use notify::{Notice, notify};
pub use server::{ControlError, Server};
pub use status::{Status, StatusSource};
