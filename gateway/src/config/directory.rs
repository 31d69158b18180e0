//! Which resource is at an address.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use super::Resource;
use crate::access::Name;

/// A resource and its addresses.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The resource.
    pub resource: Arc<Resource>,
    /// The newest answers for its name: where the gateway connects to.
    pub upstream: Arc<[SocketAddr]>,
    /// Every address that a workload may still hold for it, those included.
    pub addresses: Arc<[SocketAddr]>,
    /// The families in which nobody has said yet which addresses it has.
    pub unknown: Vec<Family>,
}

/// A kind of address, which DNS has a record type of its own for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// IPv4, A records.
    V4,
    /// IPv6, AAAA records.
    V6,
}

/// What the directory says of an address.
#[derive(Debug)]
pub enum Found<'a> {
    /// It is that resource's.
    Listed(&'a Listing),
    /// It is more than one resource's, so that nobody can say which one is meant: nothing may be forwarded there.
    Contested(&'a [Name]),
    /// It may be that of these, whose names have no answer yet: nothing may be forwarded there.
    Unknown(&'a [Name]),
    /// It is no resource's.
    Unlisted,
}

/// Every resource by its addresses. Only an address says which resource a connection is to: everything else about it,
/// the workload chooses.
#[derive(Debug, Default)]
pub struct Directory {
    listings: BTreeMap<Name, Listing>,
    by_address: HashMap<SocketAddr, Name>,
    contested: BTreeMap<SocketAddr, Vec<Name>>,
    unknown: BTreeMap<(Family, u16), Vec<Name>>,
}

impl Directory {
    /// Lists each resource at its addresses.
    pub fn new(listings: Vec<Listing>) -> Self {
        let mut holders: BTreeMap<SocketAddr, Vec<Name>> = BTreeMap::new();
        let mut directory = Directory::default();
        for listing in listings {
            let name = &listing.resource.name;
            for address in listing.addresses.iter().chain(listing.upstream.iter()).copied().map(canonical) {
                let holders = holders.entry(address).or_default();
                if !holders.contains(name) {
                    holders.push(Arc::clone(name));
                }
            }
            for family in &listing.unknown {
                let at = (*family, listing.resource.address.port);
                directory.unknown.entry(at).or_default().push(Arc::clone(name));
            }
            directory.listings.insert(Arc::clone(name), listing);
        }
        for (address, names) in holders {
            match names.as_slice() {
                [name] => drop(directory.by_address.insert(address, Arc::clone(name))),
                _ => drop(directory.contested.insert(address, names)),
            }
        }
        directory
    }

    /// What is at an address, `::ffff:192.0.2.1` being 192.0.2.1.
    pub fn find(&self, address: SocketAddr) -> Found<'_> {
        let address = canonical(address);
        if let Some(names) = self.contested.get(&address) {
            return Found::Contested(names);
        }
        if let Some(listing) = self.by_address.get(&address).and_then(|name| self.listings.get(name)) {
            return Found::Listed(listing);
        }
        match self.unknown.get(&(Family::of(address.ip()), address.port())) {
            Some(names) => Found::Unknown(names),
            None => Found::Unlisted,
        }
    }

    /// The resource of that name.
    pub fn get(&self, name: &str) -> Option<&Listing> {
        self.listings.get(name)
    }

    /// Addresses that more than one resource has, and which.
    pub fn contested(&self) -> impl Iterator<Item = (SocketAddr, &[Name])> {
        self.contested.iter().map(|(address, names)| (*address, names.as_slice()))
    }

    /// Every address that has to be captured: the resources', contested ones too, and the unspecified address with the
    /// port of a resource that may be at any address of that family.
    pub fn covered(&self) -> Vec<SocketAddr> {
        let anywhere = self.unknown.keys().map(|(family, port)| SocketAddr::new(family.unspecified(), *port));
        self.by_address.keys().chain(self.contested.keys()).copied().chain(anywhere).collect()
    }
}

impl Family {
    /// Both.
    pub const ALL: [Family; 2] = [Family::V4, Family::V6];

    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Family::V4 } else { Family::V6 }
    }

    /// The family's address that stands for any.
    pub fn unspecified(self) -> IpAddr {
        match self {
            Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
            Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
        }
    }
}

/// The one spelling of an address. A connect to the unspecified address reaches this machine's loopback.
fn canonical(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip().to_canonical() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{HostPort, Protocol, TlsMode, UpstreamTls};

    fn listing(name: &str, addresses: &[&str], unknown: &[Family]) -> Listing {
        let resource = Resource {
            name: name.into(),
            protocol: Protocol::Postgres,
            address: HostPort { host: "db".to_owned(), port: 5432 },
            tags: Vec::new(),
            tls: UpstreamTls { mode: TlsMode::Disable, ca: None },
            present: None,
            credentials: None,
            sensitive: Vec::new(),
        };
        let addresses: Arc<[SocketAddr]> = addresses.iter().map(|a| a.parse().unwrap()).collect();
        Listing { resource: resource.into(), upstream: [].into(), addresses, unknown: unknown.to_vec() }
    }

    fn found(directory: &Directory, address: &str) -> String {
        match directory.find(address.parse().unwrap()) {
            Found::Listed(listing) => listing.resource.name.to_string(),
            Found::Contested(names) => format!("contested by {}", names.join(", ")),
            Found::Unknown(names) => format!("perhaps {}", names.join(", ")),
            Found::Unlisted => "unlisted".to_owned(),
        }
    }

    #[test]
    fn a_mapped_address_is_the_address_and_no_address_is_this_machine() {
        let directory = Directory::new(vec![listing("orders", &["192.0.2.1:5432", "127.0.0.1:1", "[::1]:1"], &[])]);
        for address in ["192.0.2.1:5432", "[::ffff:192.0.2.1]:5432", "0.0.0.0:1", "[::]:1", "[::ffff:0.0.0.0]:1"] {
            assert_eq!(found(&directory, address), "orders", "{address}");
        }
        assert_eq!(found(&directory, "192.0.2.1:5433"), "unlisted");
    }

    #[test]
    fn an_address_of_two_resources_stays_covered_and_is_neither_s() {
        let listings =
            vec![listing("a", &["192.0.2.1:1", "192.0.2.2:1"], &[]), listing("b", &["[::ffff:192.0.2.1]:1"], &[])];
        let directory = Directory::new(listings);
        assert_eq!(found(&directory, "192.0.2.1:1"), "contested by a, b");
        assert_eq!(found(&directory, "192.0.2.2:1"), "a");
        let mut covered = directory.covered();
        covered.sort();
        assert_eq!(covered, ["192.0.2.1:1", "192.0.2.2:1"].map(|a| a.parse().unwrap()));
        assert_eq!(directory.contested().count(), 1);
    }

    #[test]
    fn a_name_without_an_answer_may_be_at_any_address_of_the_family() {
        let directory =
            Directory::new(vec![listing("a", &["192.0.2.1:5432"], &[Family::V6]), listing("b", &[], &Family::ALL)]);
        assert_eq!(found(&directory, "192.0.2.1:5432"), "a");
        assert_eq!(found(&directory, "192.0.2.9:5432"), "perhaps b");
        assert_eq!(found(&directory, "[2001:db8::9]:5432"), "perhaps a, b");
        assert_eq!(found(&directory, "192.0.2.9:80"), "unlisted");
        let covered = directory.covered();
        for address in ["192.0.2.1:5432", "0.0.0.0:5432", "[::]:5432"] {
            assert!(covered.contains(&address.parse().unwrap()), "{address}");
        }
    }
}
