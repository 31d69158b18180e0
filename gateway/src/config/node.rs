//! What the configuration has to ask of the machine it is read on.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

/// The facts about a machine that decide whether a configuration is valid there.
pub trait Node {
    /// A user's uid; absent: there is no such user.
    ///
    /// # Errors
    /// The user database cannot be read; the message says why.
    fn uid(&self, user: &str) -> Result<Option<u32>, String>;

    /// Whether there is a group of that name.
    ///
    /// # Errors
    /// The group database cannot be read; the message says why.
    fn has_group(&self, group: &str) -> Result<bool, String>;

    /// Whether a file is there and can be opened for reading.
    ///
    /// # Errors
    /// It cannot; the message says why.
    fn readable(&self, file: &Path) -> Result<(), String>;

    /// The DNS resolvers that processes of this machine ask.
    fn resolvers(&self) -> Vec<SocketAddr>;
}

/// The machine this process runs on.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThisNode;

impl Node for ThisNode {
    fn uid(&self, user: &str) -> Result<Option<u32>, String> {
        let found = nix::unistd::User::from_name(user).map_err(|e| e.to_string())?;
        Ok(found.map(|user| user.uid.as_raw()))
    }

    fn has_group(&self, group: &str) -> Result<bool, String> {
        let found = nix::unistd::Group::from_name(group).map_err(|e| e.to_string())?;
        Ok(found.is_some())
    }

    fn readable(&self, file: &Path) -> Result<(), String> {
        let opened = std::fs::File::open(file).and_then(|file| file.metadata()).map_err(|e| e.to_string())?;
        if opened.is_dir() { Err("is a folder".to_owned()) } else { Ok(()) }
    }

    fn resolvers(&self) -> Vec<SocketAddr> {
        // A machine without the file asks itself, see resolv.conf(5).
        parse_resolvers(&std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default())
    }
}

/// The servers of a resolv.conf(5), port 53. Of a scoped address only the address: the kernel compares no more.
fn parse_resolvers(text: &str) -> Vec<SocketAddr> {
    let servers = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let address = words.next().filter(|word| *word == "nameserver").and(words.next())?;
        let address: IpAddr = address.split('%').next()?.parse().ok()?;
        Some(SocketAddr::new(address, 53))
    });
    let mut servers: Vec<SocketAddr> = servers.collect();
    if servers.is_empty() {
        servers.push(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 53));
    }
    servers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolvers_are_those_of_the_file_or_the_machine_itself() {
        let text = "# comment\nsearch corp\nnameserver 10.0.0.2\n  nameserver fe80::1%eth0\nnameserver bad\n";
        let expected: Vec<SocketAddr> = vec!["10.0.0.2:53".parse().unwrap(), "[fe80::1]:53".parse().unwrap()];
        assert_eq!(parse_resolvers(text), expected);
        assert_eq!(parse_resolvers(""), vec!["127.0.0.1:53".parse::<SocketAddr>().unwrap()]);
    }
}
