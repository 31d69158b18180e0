//! Guards and servers that the end-to-end suites, the demonstration and the measurements share.
//!
//! Everything here is real (network namespaces, cgroups, PostgreSQL, tcpdump, the built `sluice`) and undoes itself
//! when dropped, also when a test fails. What a run that was killed could not undo is undone by the next one
//! ([`sweep`]). All of it needs root; without it a guard fails and says so.
#![expect(clippy::print_stderr, reason = "libtest keeps it and shows it where a test fails")]

mod cgroup;
mod dns;
mod netns;
mod own;
mod pki;
mod place;
mod postgres;
mod process;
mod reading;
mod sluice;
mod sniffer;

pub use cgroup::{Cgroup, cgroup_root};
pub use dns::Dns;
pub use netns::Netns;
pub use own::{random_hex, require_root, sweep, unique};
pub use pki::{Authority, Certificate};
pub use place::Place;
pub use postgres::{Auth, Postgres, PostgresOptions, postgres_bin};
pub use process::{Finished, Process, eventually, run, run_within};
pub use reading::read_some;
pub use sluice::{Setup, Sluice, sluice_bin, use_sluice_bin};
pub use sniffer::Sniffer;
