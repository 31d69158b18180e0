//! The node CA, the certificates it mints for workloads, and the verification of upstream servers.
