//! What the gateway shows to workloads: certificates minted for the names they may expect, or the operator's own.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rcgen::SanType;
use rustls::ServerConfig;
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::authority::{LEAF_DAYS, SharedAuthority};
use super::{Authority, Stamp, provider, read_pem};
use crate::config::Present;

/// How many certificates are kept. A workload chooses the name it asks for.
const KEPT: usize = 512;
/// When a minted certificate is replaced: half its life.
const FRESH: Duration = Duration::from_secs(LEAF_DAYS as u64 * 24 * 3600 / 2);

/// What a workload connected to, as its certificate has to say.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shown {
    /// The name that the client asked for.
    pub(crate) server_name: Option<String>,
    /// The resource's name.
    pub(crate) resource: String,
    /// The resource's host, as configured.
    pub(crate) host: String,
    /// The address that the client connected to.
    pub(crate) address: IpAddr,
}

/// Certificates for workloads, kept while they are fresh.
#[derive(Debug)]
pub(crate) struct Certificates {
    authority: SharedAuthority,
    alpn: &'static [u8],
    minted: Mutex<HashMap<Shown, (Instant, ShownCertificate)>>,
    operators: Mutex<HashMap<(PathBuf, PathBuf), Operators>>,
}

/// A certificate of the operator's, and the files it was read from.
#[derive(Debug)]
struct Operators {
    cert: Stamp,
    key: Stamp,
    shown: ShownCertificate,
}

/// What a handshake needs, and the leaf that channel binding hashes.
#[derive(Clone, Debug)]
pub(crate) struct ShownCertificate {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) leaf: CertificateDer<'static>,
}

/// There is no certificate to show.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PresentError {
    #[error("cannot mint a certificate: {0}")]
    Mint(#[from] rcgen::Error),
    #[error("cannot read {}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("{}: {reason}", path.display())]
    Content { path: PathBuf, reason: String },
    #[error("{0}")]
    Tls(#[from] rustls::Error),
}

impl Certificates {
    pub(crate) fn new(authority: Arc<Authority>, alpn: &'static [u8]) -> Self {
        Certificates { authority, alpn, minted: Mutex::default(), operators: Mutex::default() }
    }

    /// What to show for `shown`.
    pub(crate) fn for_client(&self, shown: Shown, present: Option<&Present>) -> Result<ShownCertificate, PresentError> {
        match present {
            Some(present) => self.operators_own(present),
            None => self.minted(shown),
        }
    }

    fn minted(&self, shown: Shown) -> Result<ShownCertificate, PresentError> {
        if let Some((made, entry)) = self.minted.lock().unwrap_or_else(PoisonError::into_inner).get(&shown)
            && made.elapsed() < FRESH
        {
            return Ok(entry.clone());
        }
        let entry = self.entry(self.authority.mint(&names(&shown))?)?;
        let mut minted = self.minted.lock().unwrap_or_else(PoisonError::into_inner);
        if minted.len() >= KEPT {
            // Minting again costs one signature; remembering who was used last would cost every connection.
            minted.clear();
        }
        minted.insert(shown, (Instant::now(), entry.clone()));
        Ok(entry)
    }

    fn operators_own(&self, present: &Present) -> Result<ShownCertificate, PresentError> {
        let stamp = |path: &PathBuf| Stamp::of(path).map_err(|error| PresentError::File { path: path.clone(), error });
        let (cert, key) = (stamp(&present.cert)?, stamp(&present.key)?);
        let which = (present.cert.clone(), present.key.clone());
        {
            let operators = self.operators.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(kept) = operators.get(&which)
                && kept.cert == cert
                && kept.key == key
            {
                return Ok(kept.shown.clone());
            }
        }
        let entry = self.entry(read_present(present)?)?;
        let mut operators = self.operators.lock().unwrap_or_else(PoisonError::into_inner);
        if operators.len() >= KEPT {
            operators.clear();
        }
        operators.insert(which, Operators { cert, key, shown: entry.clone() });
        Ok(entry)
    }

    fn entry(&self, key: CertifiedKey) -> Result<ShownCertificate, PresentError> {
        let leaf = key.end_entity_cert()?.clone().into_owned();
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
        config.alpn_protocols = vec![self.alpn.to_vec()];
        // libpq resumes no session, so a ticket would be two records that nobody reads.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(ShownCertificate { config: Arc::new(config), leaf })
    }
}

/// Every name under which a client may verify this connection.
fn names(shown: &Shown) -> Vec<SanType> {
    let mut names: Vec<SanType> = Vec::new();
    let dns = [shown.server_name.as_deref(), Some(&shown.host), Some(&shown.resource)];
    for name in dns.into_iter().flatten() {
        let name = match name.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            // A resource's name need not be a DNS name.
            Err(_) => match (rustls_pki_types::DnsName::try_from(name), name.to_owned().try_into()) {
                (Ok(_), Ok(name)) => SanType::DnsName(name),
                _ => continue,
            },
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let address = SanType::IpAddress(shown.address.to_canonical());
    if !names.contains(&address) {
        names.push(address);
    }
    names
}

fn read_present(present: &Present) -> Result<CertifiedKey, PresentError> {
    let read = |path: &PathBuf| read_pem(path).map_err(|error| PresentError::File { path: path.clone(), error });
    let content = |path: &PathBuf, reason: String| PresentError::Content { path: path.clone(), reason };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(&present.cert)?).collect();
    let chain = chain.map_err(|error| content(&present.cert, error.to_string()))?;
    if chain.is_empty() {
        return Err(content(&present.cert, "holds no certificate".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_slice(&read(&present.key)?)
        .map_err(|error| content(&present.key, error.to_string()))?;
    CertifiedKey::from_der(chain, key, &provider())
        .map_err(|error| content(&present.key, format!("is not the key of {}: {error}", present.cert.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(server_name: Option<&str>) -> Shown {
        Shown {
            server_name: server_name.map(str::to_owned),
            resource: "orders".into(),
            host: "db.internal".into(),
            address: "::ffff:10.0.0.5".parse().unwrap(),
        }
    }

    fn certificates() -> (tempfile::TempDir, Certificates) {
        let state = tempfile::tempdir().unwrap();
        let authority = Arc::new(Authority::open(state.path()).unwrap());
        (state, Certificates::new(authority, super::super::ALPN_POSTGRESQL))
    }

    #[test]
    fn a_minted_certificate_holds_every_name_a_client_may_expect() {
        let (_state, certificates) = certificates();
        let entry = certificates.for_client(shown(Some("primary.db.internal")), None).unwrap();
        let (_, parsed) = x509_parser::parse_x509_certificate(&entry.leaf).unwrap();
        let names = parsed.subject_alternative_name().unwrap().unwrap().value.general_names.clone();
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), 4, "{names:?}");
        for (name, expected) in names.iter().zip(["primary.db.internal", "db.internal", "orders", "0a:00:00:05"]) {
            assert!(name.contains(expected), "{name}");
        }
        assert!(!parsed.is_ca());
    }

    #[test]
    fn each_certificate_has_a_number_of_its_own() {
        let (_state, certificates) = certificates();
        let serials: std::collections::HashSet<Vec<u8>> = (0..8)
            .map(|i| {
                let entry = certificates.for_client(shown(Some(&format!("n{i}.example"))), None).unwrap();
                let (_, parsed) = x509_parser::parse_x509_certificate(&entry.leaf).unwrap();
                assert!(parsed.serial.bits() <= 159 && parsed.raw_serial().first().is_some_and(|byte| *byte < 0x80));
                parsed.raw_serial().to_vec()
            })
            .collect();
        assert_eq!(serials.len(), 8);
    }

    #[test]
    fn certificates_are_kept_and_their_number_is_bounded() {
        let (_state, certificates) = certificates();
        let first = certificates.for_client(shown(None), None).unwrap();
        assert_eq!(first.leaf, certificates.for_client(shown(None), None).unwrap().leaf);
        for i in 0..KEPT {
            certificates.for_client(shown(Some(&format!("n{i}.example"))), None).unwrap();
        }
        assert!(certificates.minted.lock().unwrap().len() <= KEPT);
    }

    #[test]
    fn the_operators_certificate_is_read_again_when_it_is_renewed() {
        let (state, certificates) = certificates();
        let present = Present { cert: state.path().join("c.pem"), key: state.path().join("k.pem") };
        let write = |name: &str| {
            let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
            std::fs::write(&present.cert, made.cert.pem()).unwrap();
            std::fs::write(&present.key, made.signing_key.serialize_pem()).unwrap();
            made.cert.der().clone()
        };
        let first = write("one.example");
        assert_eq!(certificates.for_client(shown(None), Some(&present)).unwrap().leaf, first);
        let second = write("second.example");
        assert_eq!(certificates.for_client(shown(None), Some(&present)).unwrap().leaf, second);
        std::fs::write(&present.key, rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
        let error = certificates.for_client(shown(None), Some(&present)).unwrap_err();
        assert!(error.to_string().contains("is not the key of"), "{error}");
    }
}
