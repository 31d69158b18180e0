//! A packet sniffer on the other host: what really arrived there.

use std::net::UdpSocket;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::process::{Process, eventually, run};
use crate::{Netns, Place};

/// Where [`Sniffer::settle`] sends its marks.
const MARK_PORT: u16 = 9;

/// tcpdump on every interface of a namespace, from the moment [`Sniffer::start`] returns.
#[derive(Debug)]
pub struct Sniffer {
    _process: Process,
    folder: TempDir,
    address: std::net::Ipv4Addr,
    netns: String,
}

impl Sniffer {
    /// Starts capturing in a namespace that is linked to the host.
    ///
    /// # Errors
    /// tcpdump is missing or does not start.
    pub fn start(netns: &Netns) -> Result<Self> {
        netns.host_v4().context("a sniffer proves itself by packets from the host")?;
        let folder = tempfile::Builder::new().prefix("slt-sniff-").tempdir_in("/tmp")?;
        let mut tcpdump = Place::here().netns(netns).command("tcpdump");
        // Immediate mode and -U: a packet is in the file when the kernel has it, not when a buffer is full.
        // -Z root: tcpdump would drop to a user that may not write here.
        tcpdump.args(["-i", "any", "-n", "-s", "0", "--immediate-mode", "-U", "-Z", "root", "-w"]);
        tcpdump.arg(folder.path().join("capture"));
        let log = folder.path().join("log");
        let mut process = Process::start(&mut tcpdump, &log)?;
        process.ready("tcpdump", Duration::from_secs(20), || {
            std::fs::read_to_string(&log).is_ok_and(|log| log.contains("listening on"))
        })?;
        Ok(Self { _process: process, folder, address: netns.v4()?, netns: netns.name().to_owned() })
    }

    /// Waits until everything that was sent before this call is in the capture: sends a marked packet from the host,
    /// and waits for it. So it also shows that the sniffer sees what arrives.
    ///
    /// # Errors
    /// The mark does not arrive: the sniffer is blind, and its zeros would mean nothing.
    pub fn settle(&self) -> Result<()> {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        let filter = format!("udp and src port {} and dst port {MARK_PORT}", socket.local_addr()?.port());
        let before = Instant::now();
        let mut seen = Ok(0);
        let arrived = eventually(Duration::from_secs(10), || {
            let _ = socket.send_to(b"mark", (self.address, MARK_PORT));
            seen = self.count_raw(&filter);
            !matches!(seen, Ok(0))
        });
        seen?;
        if !arrived {
            bail!("the sniffer in {} saw nothing of its own mark in {:?}", self.netns, before.elapsed());
        }
        Ok(())
    }

    /// How many packets that match a pcap filter have arrived or left, the sniffer's own marks not counted.
    ///
    /// # Errors
    /// [`Sniffer::settle`] fails, or the filter is wrong.
    pub fn count(&self, filter: &str) -> Result<usize> {
        self.settle()?;
        self.count_raw(&format!("({filter}) and not (port {MARK_PORT}) and not icmp[icmptype] == icmp-unreach"))
    }

    fn count_raw(&self, filter: &str) -> Result<usize> {
        Ok(self.read(&["-q"], filter)?.lines().count())
    }

    /// The packets that match, a line each, for a failure's message.
    ///
    /// # Errors
    /// As [`Sniffer::count`].
    pub fn packets(&self, filter: &str) -> Result<String> {
        self.settle()?;
        self.read(&["-q"], filter)
    }

    /// The capture itself: every byte that crossed the other host's interfaces.
    ///
    /// # Errors
    /// [`Sniffer::settle`] fails.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        self.settle()?;
        Ok(std::fs::read(self.capture())?)
    }

    fn capture(&self) -> PathBuf {
        self.folder.path().join("capture")
    }

    fn read(&self, options: &[&str], filter: &str) -> Result<String> {
        let mut tcpdump = Place::here().command("tcpdump");
        tcpdump.args(["-n", "-r"]).arg(self.capture()).args(options).arg(filter);
        let finished = run(&mut tcpdump)?;
        // A packet that is being written cuts the file short; everything before it is printed.
        if finished.status.success() || finished.stderr.contains("truncated dump file") {
            return Ok(finished.stdout);
        }
        bail!("tcpdump {filter}: {}", finished.stderr)
    }
}
