//! AF_PACKET sockets of labelled processes. What they send passes no hook of any program here, so nothing can be done but
//! to say so. On a thread of its own: a process can have a million open files, and looking at them must delay nobody.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::{fs, io};

use super::diag;
use super::netns::Place;

/// How many are told of.
const MOST: usize = 256;

/// One that a labelled process holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PacketSocket {
    pub(super) label: u32,
    pub(super) pid: u32,
    /// The socket's.
    pub(super) inode: u32,
    /// Its network namespace's.
    pub(super) netns: u64,
}

/// Where to look, and who may be the owner.
#[derive(Debug)]
struct Task {
    places: Vec<Place>,
    processes: Vec<(u32, u32)>,
}

/// Looks for them when it is told to, and has the answer the next time. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Watch {
    ask: Option<SyncSender<Task>>,
    answers: Receiver<BTreeSet<PacketSocket>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    pub(super) fn start() -> io::Result<Self> {
        // Nothing waits: it is asked while it listens, or not at all.
        let (ask, asked) = sync_channel::<Task>(0);
        let (answer, answers) = sync_channel(1);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("packets".to_owned()).spawn(move || {
            while let Ok(task) = asked.recv() {
                let _ = answer.try_send(look(&task, &stopped));
            }
        })?;
        Ok(Watch { ask: Some(ask), answers, stop, thread: Some(thread) })
    }

    /// Has it look, unless it still does.
    pub(super) fn look(&self, places: Vec<Place>, processes: Vec<(u32, u32)>) {
        if let Some(ask) = &self.ask {
            let _ = ask.try_send(Task { places, processes });
        }
    }

    /// What it has found, where that is new.
    pub(super) fn found(&self) -> Option<BTreeSet<PacketSocket>> {
        self.answers.try_recv().ok()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.ask.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn look(task: &Task, stopped: &AtomicBool) -> BTreeSet<PacketSocket> {
    let mut found = BTreeSet::new();
    let mut sockets = HashMap::new();
    for place in &task.places {
        // One that is gone has none.
        let table = fs::read_to_string(place.file("net/packet")).unwrap_or_default();
        sockets.extend(inodes(&table).map(|inode| (inode, place.id.1)));
    }
    if sockets.is_empty() {
        return found;
    }
    for (pid, label) in &task.processes {
        if stopped.load(Ordering::Relaxed) || found.len() >= MOST {
            break;
        }
        for inode in diag::held_by(*pid) {
            if let Some(netns) = sockets.get(&inode) {
                found.insert(PacketSocket { label: *label, pid: *pid, inode, netns: *netns });
            }
        }
    }
    found
}

/// The last column, below a line of headings.
fn inodes(table: &str) -> impl Iterator<Item = u32> {
    table.lines().skip(1).filter_map(|line| line.split_whitespace().next_back()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_table_is_read() {
        let table = "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n\
                     00000000a1b2c3d4 3      3    0003   2     1 0      0      123456\n";
        assert_eq!(inodes(table).collect::<Vec<_>>(), [123_456]);
        assert_eq!(inodes("").count(), 0);
    }
}
