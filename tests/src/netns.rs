//! Network namespaces: the "other host" on which a test's server runs, or the one a workload lives in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::own::{Held, claim, require_root, unique};
use crate::process::{eventually, run};

/// How many links this machine can have at the same time: a /30 each in 10.213.0.0/16.
const SUBNETS: u16 = 4096;

/// Two addresses of each family that no other run on this machine uses.
#[derive(Debug)]
struct Subnet {
    index: u16,
    _claim: Held,
}

impl Subnet {
    fn new() -> Result<Self> {
        let (index, claim) = claim("subnet", SUBNETS)?;
        Ok(Self { index, _claim: claim })
    }

    fn v4(&self, end: u8) -> Ipv4Addr {
        let [high, low] = self.index.wrapping_mul(4).to_be_bytes();
        Ipv4Addr::new(10, 213, high, low.wrapping_add(end))
    }

    fn v6(&self, end: u16) -> Ipv6Addr {
        Ipv6Addr::new(0xfd51, 0xce00, 0, self.index, 0, 0, 0, end)
    }
}

/// A network namespace with its loopback up. Dropping it kills what runs in it.
#[derive(Debug)]
pub struct Netns {
    name: String,
    /// The near ends of its links that are not in another namespace of ours.
    near: Vec<String>,
    subnets: Vec<Subnet>,
}

impl Netns {
    /// A namespace with a link to the caller's: the "other host".
    ///
    /// # Errors
    /// Not root, or `ip` is missing or fails.
    pub fn new(role: &str) -> Result<Self> {
        let mut netns = Self::isolated(role)?;
        let subnet = Subnet::new()?;
        let near = device("h");
        netns.near.push(near.clone());
        ip(&["link", "add", &near, "type", "veth", "peer", "name", "eth0", "netns", &netns.name])?;
        up(None, &near, subnet.v4(1).into(), subnet.v6(1).into())?;
        up(Some(&netns.name), "eth0", subnet.v4(2).into(), subnet.v6(2).into())?;
        netns.subnets.push(subnet);
        Ok(netns)
    }

    /// A namespace with nothing but its loopback.
    ///
    /// # Errors
    /// As [`Netns::new`].
    pub fn isolated(role: &str) -> Result<Self> {
        require_root()?;
        let name = unique(role);
        ip(&["netns", "add", &name])?;
        let netns = Self { name, near: Vec::new(), subnets: Vec::new() };
        ip(&["-n", &netns.name, "link", "set", "lo", "up"])?;
        Ok(netns)
    }

    /// A namespace from which `server`'s addresses are reached by a link of its own.
    ///
    /// # Errors
    /// As [`Netns::new`].
    pub fn beside(role: &str, server: &Self) -> Result<Self> {
        let mut netns = Self::isolated(role)?;
        let subnet = Subnet::new()?;
        let far = device("p");
        ip(&["-n", &netns.name, "link", "add", "eth0", "type", "veth", "peer", "name", &far, "netns", &server.name])?;
        up(Some(&netns.name), "eth0", subnet.v4(1).into(), subnet.v6(1).into())?;
        up(Some(&server.name), &far, subnet.v4(2).into(), subnet.v6(2).into())?;
        let (to4, via4) = (format!("{}/32", server.v4()?), subnet.v4(2).to_string());
        let (to6, via6) = (format!("{}/128", server.v6()?), subnet.v6(2).to_string());
        ip(&["-n", &netns.name, "route", "add", &to4, "via", &via4])?;
        ip(&["-n", &netns.name, "-6", "route", "add", &to6, "via", &via6])?;
        netns.subnets.push(subnet);
        Ok(netns)
    }

    /// Its name, as `ip netns` knows it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn subnet(&self) -> Result<&Subnet> {
        match self.subnets.first() {
            Some(subnet) => Ok(subnet),
            None => bail!("the namespace {} has no link", self.name),
        }
    }

    /// Its IPv4 address: the far end of a link to the host, or the near end of one to a server.
    ///
    /// # Errors
    /// It is isolated.
    pub fn v4(&self) -> Result<Ipv4Addr> {
        Ok(self.subnet()?.v4(if self.near.is_empty() { 1 } else { 2 }))
    }

    /// Its IPv6 address.
    ///
    /// # Errors
    /// It is isolated.
    pub fn v6(&self) -> Result<Ipv6Addr> {
        Ok(self.subnet()?.v6(if self.near.is_empty() { 1 } else { 2 }))
    }

    /// The host's IPv4 address on the link to it.
    ///
    /// # Errors
    /// It has no link to the host.
    pub fn host_v4(&self) -> Result<Ipv4Addr> {
        if self.near.is_empty() {
            bail!("the namespace {} has no link to the host", self.name);
        }
        Ok(self.subnet()?.v4(1))
    }

    /// The host's IPv6 address on the link to it.
    ///
    /// # Errors
    /// It has no link to the host.
    pub fn host_v6(&self) -> Result<Ipv6Addr> {
        if self.near.is_empty() {
            bail!("the namespace {} has no link to the host", self.name);
        }
        Ok(self.subnet()?.v6(1))
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        for device in &self.near {
            // By itself: sockets elsewhere can keep the namespace, and so the link, alive.
            let _ = ip(&["link", "del", device]);
        }
        remove_namespace(&self.name);
    }
}

pub(crate) fn remove_namespace(name: &str) {
    let empty = eventually(Duration::from_secs(5), || {
        let pids = ip(&["netns", "pids", name]).unwrap_or_default();
        for pid in pids.lines().filter_map(|line| line.trim().parse().ok()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        pids.is_empty()
    });
    if !empty {
        eprintln!("processes in the namespace {name} could not be ended");
    }
    if let Err(error) = ip(&["netns", "del", name]) {
        eprintln!("the namespace {name} could not be removed: {error:#}");
    }
}

/// A device's name: at most 15 bytes, so without a role.
fn device(kind: &str) -> String {
    unique("").trim_end_matches('-').replace('-', kind)
}

fn up(netns: Option<&str>, device: &str, v4: IpAddr, v6: IpAddr) -> Result<()> {
    let inside: &[&str] = match netns {
        Some(name) => &["-n", name],
        None => &[],
    };
    let (v4, v6) = (format!("{v4}/30"), format!("{v6}/126"));
    // Without nodad an IPv6 address cannot be used for its first seconds.
    let steps: [&[&str]; 3] = [
        &["addr", "add", &v4, "dev", device],
        &["addr", "add", &v6, "dev", device, "nodad"],
        &["link", "set", device, "up"],
    ];
    for step in steps {
        ip(&[inside, step].concat())?;
    }
    Ok(())
}

fn ip(arguments: &[&str]) -> Result<String> {
    match run(Command::new("ip").args(arguments))?.success() {
        Ok(output) => Ok(output),
        Err(error) => bail!("ip {}: {error:#}", arguments.join(" ")),
    }
}
