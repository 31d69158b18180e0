//! Ctrl-C while things are set up: noted, so that they are taken down in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// SIGINT, SIGTERM and SIGHUP end nothing by themselves from here on. Programs that are started have their own way:
/// what is caught here is the default there.
#[derive(Clone, Debug)]
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    pub(super) fn catch() -> Result<Self> {
        let happened = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&happened))?;
        }
        Ok(Interrupt(happened))
    }

    pub(super) fn happened(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Until it has.
    pub(super) fn wait(&self) {
        while !self.happened() {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}
