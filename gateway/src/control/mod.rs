//! The local socket, status and metrics.
