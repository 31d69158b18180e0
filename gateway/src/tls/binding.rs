//! The channel binding `tls-server-end-point` (RFC 5929, section 4): a hash of the server's certificate.

use ring::digest;
use x509_parser::oid_registry as oid;

/// The hash of a certificate, DER, by its signature's hash function; MD5 and SHA-1 count as SHA-256. Absent where the
/// signature has no single hash function (Ed25519, and RSA-PSS as PostgreSQL sees it): the binding is undefined then.
pub(crate) fn server_end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let algorithm = &parsed.signature_algorithm.algorithm;
    let sha256 = [
        oid::OID_PKCS1_MD5WITHRSAENC,
        oid::OID_PKCS1_SHA1WITHRSA,
        oid::OID_PKCS1_SHA256WITHRSA,
        oid::OID_SIG_ECDSA_WITH_SHA256,
    ];
    let algorithm = if sha256.contains(algorithm) {
        &digest::SHA256
    } else if *algorithm == oid::OID_PKCS1_SHA384WITHRSA || *algorithm == oid::OID_SIG_ECDSA_WITH_SHA384 {
        &digest::SHA384
    } else if *algorithm == oid::OID_PKCS1_SHA512WITHRSA || *algorithm == oid::OID_SIG_ECDSA_WITH_SHA512 {
        &digest::SHA512
    } else {
        return None;
    };
    Some(digest::digest(algorithm, certificate).as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(algorithm: &'static rcgen::SignatureAlgorithm) -> Vec<u8> {
        let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
        let params = rcgen::CertificateParams::new(vec!["db".to_owned()]).unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_hash_is_that_of_the_certificates_signature() {
        let certificate = signed(&rcgen::PKCS_ECDSA_P256_SHA256);
        let expected = digest::digest(&digest::SHA256, &certificate);
        assert_eq!(server_end_point(&certificate).unwrap(), expected.as_ref());
        let certificate = signed(&rcgen::PKCS_ECDSA_P384_SHA384);
        let expected = digest::digest(&digest::SHA384, &certificate);
        assert_eq!(server_end_point(&certificate).unwrap(), expected.as_ref());
    }

    #[test]
    fn a_signature_without_a_hash_function_binds_nothing() {
        assert!(server_end_point(&signed(&rcgen::PKCS_ED25519)).is_none());
        assert!(server_end_point(b"no certificate").is_none());
    }
}
