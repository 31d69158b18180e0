//! What the daemon holds of the kernel side: connections come out, everything else stays in.

use std::net::SocketAddr;

use super::{Accepted, Label};
use crate::access::Name;
use crate::config::Config;

/// The redirect layer could not be set up, so the daemon does not start: a workload that is believed to be guarded and
/// is not would be worse.
#[derive(Debug, thiserror::Error)]
pub enum InterceptError {
    /// This binary cannot attach the eBPF programs.
    #[error("this binary does not attach the eBPF programs, so no workload would be guarded by it")]
    NoPrograms,
}

/// The redirect layer of this node.
#[derive(Debug)]
pub struct Interceptor(std::convert::Infallible);

impl Interceptor {
    /// Loads and attaches the programs, labels what is there and listens where labelled processes are.
    ///
    /// # Errors
    /// Something of that cannot be done; nothing is left half attached.
    pub async fn start(_config: &Config) -> Result<Self, InterceptError> {
        Err(InterceptError::NoPrograms)
    }

    /// The next redirected connection. Can be dropped and asked again without losing one.
    pub async fn accept(&mut self) -> Accepted {
        match self.0 {}
    }

    /// Takes another configuration. What is labelled stays guarded throughout.
    ///
    /// # Errors
    /// It cannot be taken; what ran before still runs.
    pub async fn reload(&mut self, _config: &Config) -> Result<(), InterceptError> {
        match self.0 {}
    }

    /// Makes these the covered destinations where only listed ones are captured.
    ///
    /// # Errors
    /// The kernel does not take them.
    pub fn cover(&mut self, _destinations: &[SocketAddr]) -> Result<(), InterceptError> {
        match self.0 {}
    }

    /// The workload of a label.
    pub fn workload(&self, _label: Label) -> Option<Name> {
        match self.0 {}
    }

    /// Programs, listeners and drops, for `status`.
    pub fn status(&self) -> serde_json::Value {
        match self.0 {}
    }

    /// Closes the listeners and ends every task. Programs and pins stay: labelled workloads are refused.
    pub async fn stop(self) {
        match self.0 {}
    }
}

/// Connects from within a workload's own network namespace: a destination means there what the workload meant.
///
/// # Errors
/// The namespace cannot be entered, or the destination not be reached.
pub async fn connect_from(_netns: u64, _to: SocketAddr) -> std::io::Result<std::net::TcpStream> {
    // Another namespace's loopback or routes would be another destination: nothing is tried from this one.
    Err(std::io::Error::new(std::io::ErrorKind::Unsupported, "the workload's network namespace cannot be entered"))
}
