//! A name server of a test's own, on loopback, whose answers the test changes.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::NamedTempFile;

use crate::own::{Held, claim, require_root};

/// How many there can be on this machine at the same time.
const SERVERS: u16 = 200;

/// A, AAAA, and the codes of answers (RFC 1035, 3596).
const A: u16 = 1;
const AAAA: u16 = 28;
const SERVFAIL: u16 = 2;
const NXDOMAIN: u16 = 3;

#[derive(Debug, Default)]
struct Records {
    names: Mutex<BTreeMap<String, Vec<IpAddr>>>,
    failing: AtomicBool,
    stop: AtomicBool,
}

/// A name server. It fails until it is told records.
#[derive(Debug)]
pub struct Dns {
    records: Arc<Records>,
    conf: NamedTempFile,
    thread: Option<JoinHandle<()>>,
    _claim: Held,
}

impl Dns {
    /// Starts it, on an address of 127.53.0.0/16.
    ///
    /// # Errors
    /// Not root: the port is 53.
    pub fn start() -> Result<Self> {
        require_root()?;
        let (index, claim) = claim("dns", SERVERS)?;
        let address = Ipv4Addr::new(127, 53, 0, u8::try_from(index.saturating_add(1))?);
        let socket = UdpSocket::bind((address, 53)).context("cannot listen as a name server")?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        let mut conf = NamedTempFile::new()?;
        writeln!(conf, "nameserver {address}\noptions timeout:1 attempts:1")?;
        let records = Arc::new(Records { failing: AtomicBool::new(true), ..Records::default() });
        let served = Arc::clone(&records);
        let thread = std::thread::spawn(move || {
            let mut query = [0; 512];
            while !served.stop.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut query) else { continue };
                if let Some(reply) = query.get(..length).and_then(|query| answer(query, &served)) {
                    let _ = socket.send_to(&reply, from);
                }
            }
        });
        Ok(Self { records, conf, thread: Some(thread), _claim: claim })
    }

    /// Makes these a name's addresses; every other name that it was told stays.
    pub fn set(&self, name: &str, addresses: &[IpAddr]) {
        let mut names = self.records.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.insert(name.to_owned(), addresses.to_vec());
        self.records.failing.store(false, Ordering::Relaxed);
    }

    /// Answers every question with SERVFAIL, until a name is set.
    pub fn fail(&self) {
        self.records.failing.store(true, Ordering::Relaxed);
    }

    /// A resolv.conf(5) that names it.
    #[must_use]
    pub fn resolv_conf(&self) -> &Path {
        self.conf.path()
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.records.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer(query: &[u8], records: &Records) -> Option<Vec<u8>> {
    let (mut at, mut labels) = (12, Vec::new());
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(query.get(at..at + length)?).to_lowercase());
        at += length;
    }
    let kind = u16::from_be_bytes([*query.get(at)?, *query.get(at + 1)?]);
    let names = records.names.lock().unwrap_or_else(PoisonError::into_inner);
    let known = names.get(&labels.join("."));
    let code = match known {
        _ if records.failing.load(Ordering::Relaxed) => SERVFAIL,
        None => NXDOMAIN,
        Some(_) => 0,
    };
    let addresses = known.into_iter().flatten().filter(|address| match kind {
        A => code == 0 && address.is_ipv4(),
        AAAA => code == 0 && address.is_ipv6(),
        _ => false,
    });
    let addresses: Vec<&IpAddr> = addresses.collect();
    let mut out = query.get(..2)?.to_vec();
    for word in [0x8180 | code, 1, u16::try_from(addresses.len()).ok()?, 0, 0] {
        out.extend(word.to_be_bytes());
    }
    out.extend(query.get(12..at + 4)?);
    for address in addresses {
        let octets = match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        // The question's name, the type, IN, a TTL of 1 s.
        out.extend([0xc0, 12]);
        for word in [kind, 1, 0, 1, u16::try_from(octets.len()).ok()?] {
            out.extend(word.to_be_bytes());
        }
        out.extend(octets);
    }
    Some(out)
}
