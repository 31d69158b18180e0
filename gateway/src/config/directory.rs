//! Which resource is at an address.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::Resource;

/// A resource and its addresses.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The resource.
    pub resource: Arc<Resource>,
    /// Every address it has now.
    pub addresses: Arc<[SocketAddr]>,
}

/// Every resource by its addresses, as they were resolved last. Only an address says which resource a connection is
/// to: everything else about it, the workload chooses.
#[derive(Debug, Default)]
pub struct Directory {
    by_address: HashMap<SocketAddr, Listing>,
}

impl Directory {
    /// Lists each resource at its addresses. An address of two resources is neither's: returned with their names.
    pub fn new(listings: Vec<Listing>) -> (Self, Vec<Ambiguity>) {
        let mut by_address: HashMap<SocketAddr, Listing> = HashMap::new();
        let mut ambiguous: Vec<Ambiguity> = Vec::new();
        for listing in listings {
            for address in listing.addresses.iter().copied().map(canonical) {
                match by_address.get(&address) {
                    Some(other) if other.resource.name != listing.resource.name => ambiguous.push(Ambiguity {
                        address,
                        resources: [other.resource.name.to_string(), listing.resource.name.to_string()],
                    }),
                    _ => {
                        by_address.insert(address, listing.clone());
                    }
                }
            }
        }
        for clash in &ambiguous {
            by_address.remove(&clash.address);
        }
        (Directory { by_address }, ambiguous)
    }

    /// The resource at an address, `::ffff:192.0.2.1` being 192.0.2.1.
    pub fn find(&self, address: SocketAddr) -> Option<&Listing> {
        self.by_address.get(&canonical(address))
    }

    /// The addresses of the resource of that name.
    pub fn addresses_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = SocketAddr> + 'a {
        self.by_address.iter().filter(move |(_, listing)| &*listing.resource.name == name).map(|(address, _)| *address)
    }

    /// Every address that is a resource's.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.by_address.keys().copied()
    }
}

/// Two resources that resolve to one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ambiguity {
    /// The address.
    pub address: SocketAddr,
    /// The resources' names.
    pub resources: [String; 2],
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{HostPort, Protocol, TlsMode, UpstreamTls};

    fn listing(name: &str, addresses: &[&str]) -> Listing {
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
        Listing { resource: resource.into(), addresses: addresses.iter().map(|a| a.parse().unwrap()).collect() }
    }

    #[test]
    fn a_mapped_address_is_the_address() {
        let (directory, _) = Directory::new(vec![listing("orders", &["192.0.2.1:5432"])]);
        let found = directory.find("[::ffff:192.0.2.1]:5432".parse().unwrap()).unwrap();
        assert_eq!(&*found.resource.name, "orders");
        assert!(directory.find("192.0.2.1:5433".parse().unwrap()).is_none());
    }

    #[test]
    fn an_address_of_two_resources_is_neither_s() {
        let listings = vec![listing("a", &["192.0.2.1:1", "192.0.2.2:1"]), listing("b", &["192.0.2.1:1"])];
        let (directory, ambiguous) = Directory::new(listings);
        assert_eq!(ambiguous.len(), 1);
        assert!(directory.find("192.0.2.1:1".parse().unwrap()).is_none());
        assert!(directory.find("192.0.2.2:1".parse().unwrap()).is_some());
    }
}
