//! TLS on both sides: certificates of the node's own authority towards workloads, verification towards resources.

mod authority;
mod binding;
mod present;
mod upstream;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::crypto::CryptoProvider;

pub use authority::{Authority, AuthorityError};
pub(crate) use binding::server_end_point;
pub(crate) use present::{Certificates, PresentError, Shown, ShownCertificate};
pub(crate) use upstream::UpstreamConfigs;

/// The ALPN protocol of PostgreSQL (registered with IANA; libpq asks for it since version 17).
pub(crate) const ALPN_POSTGRESQL: &[u8] = b"postgresql";

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Tells whether a file is the one that was read before.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

impl Stamp {
    fn of(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        let metadata = std::fs::metadata(path)?;
        Ok(Stamp { modified: metadata.modified().ok(), length: metadata.len(), inode: metadata.ino() })
    }
}

/// Certificates and keys of a PEM file; more than this is not one.
const PEM_LIMIT: u64 = 4 * 1024 * 1024;

fn read_pem(path: &Path) -> io::Result<zeroize::Zeroizing<Vec<u8>>> {
    use std::io::Read;
    let mut bytes = zeroize::Zeroizing::new(Vec::new());
    let read = std::fs::File::open(path)?.take(PEM_LIMIT.saturating_add(1)).read_to_end(&mut bytes)?;
    if read as u64 > PEM_LIMIT {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "more than 4 MiB"));
    }
    Ok(bytes)
}
