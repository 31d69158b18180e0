//! Sluice's gateway: guardrails in the data path for non-human identities.
//!
//! Modules depend downward only, in this order (see `ARCHITECTURE.md`):
//! [`cli`] and [`control`], then [`protocol`], then [`session`] and [`guard`], then [`policy`], [`record`], [`mask`],
//! [`sql`], [`secret`] and [`tls`], then [`workload`] and [`intercept`]. [`access`] holds the words they share,
//! [`config`] what the operator wrote, [`metrics`] what is counted and [`log`] how much is said; they depend on nothing
//! above them.

pub mod access;
pub mod cli;
pub mod config;
pub mod control;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod guard;
pub mod intercept;
pub mod log;
pub mod mask;
pub mod metrics;
pub mod policy;
pub mod protocol;
pub mod record;
pub mod secret;
pub mod session;
pub mod sql;
pub mod tls;
pub mod workload;
