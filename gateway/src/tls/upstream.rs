//! TLS towards resources: what is demanded of a server before anything is sent to it.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::{Stamp, provider, read_pem};
use crate::config::{TlsMode, UpstreamTls};

/// Client configurations, by what they demand.
#[derive(Debug)]
pub(crate) struct UpstreamConfigs {
    alpn: &'static [u8],
    kept: Mutex<HashMap<Demand, Kept>>,
}

/// A configuration, and the file it was read from as that was.
type Kept = (Option<Stamp>, Arc<ClientConfig>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Demand {
    Verified(Option<PathBuf>),
    Unverified,
}

/// No TLS configuration for a resource.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpstreamTlsError {
    #[error("cannot read {}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("{} holds no certificate of an authority: {reason}", path.display())]
    Content { path: PathBuf, reason: String },
    #[error("this node trusts no authority (ca-certificates is missing?); give the resource a tls.ca")]
    NoAuthorities,
    #[error("{0}")]
    Tls(#[from] rustls::Error),
}

impl UpstreamConfigs {
    pub(crate) fn new(alpn: &'static [u8]) -> Self {
        UpstreamConfigs { alpn, kept: Mutex::default() }
    }

    /// The configuration for `tls`, which is not `disable`. A changed `ca` file is read again.
    pub(crate) fn of(&self, tls: &UpstreamTls) -> Result<Arc<ClientConfig>, UpstreamTlsError> {
        let demand = match tls.mode {
            TlsMode::VerifyFull => Demand::Verified(tls.ca.clone()),
            TlsMode::Require | TlsMode::Prefer | TlsMode::Disable => Demand::Unverified,
        };
        let stamp = match &demand {
            Demand::Verified(Some(path)) => {
                Some(Stamp::of(path).map_err(|error| UpstreamTlsError::File { path: path.clone(), error })?)
            }
            _ => None,
        };
        if let Some((old, config)) = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(&demand)
            && *old == stamp
        {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(self.build(&demand)?);
        // As many as resources in the configuration, and those of reloads before.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= 1024 {
            kept.clear();
        }
        kept.insert(demand, (stamp, Arc::clone(&config)));
        Ok(config)
    }

    fn build(&self, demand: &Demand) -> Result<ClientConfig, UpstreamTlsError> {
        let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        let mut config = match demand {
            Demand::Verified(ca) => builder.with_root_certificates(roots(ca.as_ref())?).with_no_client_auth(),
            Demand::Unverified => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider())))
                .with_no_client_auth(),
        };
        config.alpn_protocols = vec![self.alpn.to_vec()];
        Ok(config)
    }
}

fn roots(ca: Option<&PathBuf>) -> Result<RootCertStore, UpstreamTlsError> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(path) => {
            let content = |reason: String| UpstreamTlsError::Content { path: path.clone(), reason };
            let pem = read_pem(path).map_err(|error| UpstreamTlsError::File { path: path.clone(), error })?;
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                let certificate = certificate.map_err(|error| content(error.to_string()))?;
                roots.add(certificate).map_err(|error| content(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(content("no PEM block \"CERTIFICATE\"".to_owned()));
            }
        }
        None => {
            // Some of a node's authorities may be too old to parse; the rest counts.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(UpstreamTlsError::NoAuthorities);
            }
        }
    }
    Ok(roots)
}

/// Accepts whoever answers, as `require` and `prefer` say; the handshake still proves possession of the key that the
/// channel binding is made of.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_file_without_a_certificate_is_an_error_and_not_an_empty_trust() {
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        let configs = UpstreamConfigs::new(b"postgresql");
        let tls = UpstreamTls { mode: TlsMode::VerifyFull, ca: Some(ca.clone()) };
        assert!(matches!(configs.of(&tls), Err(UpstreamTlsError::File { .. })));
        std::fs::write(&ca, "nothing").unwrap();
        assert!(matches!(configs.of(&tls), Err(UpstreamTlsError::Content { .. })));
        std::fs::write(&ca, rcgen::generate_simple_self_signed(["db".to_owned()]).unwrap().cert.pem()).unwrap();
        let first = configs.of(&tls).unwrap();
        assert!(Arc::ptr_eq(&first, &configs.of(&tls).unwrap()), "kept");
        std::fs::write(&ca, "").unwrap();
        assert!(configs.of(&tls).is_err(), "a changed file is read again");
    }
}
