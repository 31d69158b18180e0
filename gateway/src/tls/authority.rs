//! The node's own certificate authority: made once, kept in the state folder, trusted by the node's workloads.
//!
//! Its key signs what the gateway shows to workloads of this node, nothing else, and never leaves the folder.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType, SerialNumber,
};
use ring::rand::{SecureRandom as _, SystemRandom};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::{provider, read_pem};

/// The authority's life: an operator has to distribute its successor.
const CA_DAYS: i64 = 3650;
/// A minted certificate's life: the daemon mints another long before.
pub(super) const LEAF_DAYS: i64 = 14;
/// Clocks of workloads may be behind.
const BACKDATE: Duration = Duration::days(1);

const CERTIFICATE: &str = "ca.pem";
const KEY: &str = "ca.key";

/// The node's certificate authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    der: CertificateDer<'static>,
    not_after: OffsetDateTime,
    /// One key for all that is minted: it lives as long as the process, and never on disk.
    leaf: KeyPair,
    path: PathBuf,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority")
            .field("path", &self.path)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

/// The authority cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A file or folder cannot be read or written.
    #[error("cannot {what} {}: {error}\n    {help}", path.display())]
    File {
        /// `read` or `make`.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
        /// What to do.
        help: &'static str,
    },
    /// Others than the daemon's user could read or replace the key.
    #[error(
        "{} can be used by others than its owner (mode {mode:03o}, uid {uid}): whoever read the key can impersonate every resource to this \
         node's workloads\n    if nobody had access: chown it to the daemon's user and chmod go-rwx; otherwise move the folder away, start \
         again and distribute the new certificate (sluice ca)", path.display()
    )]
    Exposed {
        /// Which file or folder.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
        /// Its owner.
        uid: u32,
    },
    /// What is in the folder is no authority.
    #[error(
        "{} holds no usable authority: {reason}\n    restore ca.pem and ca.key from a backup, or move the folder away, start again and \
         distribute the new certificate (sluice ca)", path.display()
    )]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Key or certificate cannot be made.
    #[error("cannot make the node's certificate authority: {0}")]
    Make(#[from] rcgen::Error),
}

const HELP: &str = "run as the daemon's user (root), and see that state_dir is on a writable file system";

impl Authority {
    /// Reads the authority in `state_dir/ca`, or makes it. Two processes that make it at once end with the same one.
    ///
    /// # Errors
    /// The folder cannot be written, is open to others, or what is in there cannot be used.
    pub fn open(state_dir: &Path) -> Result<Self, AuthorityError> {
        let folder = state_dir.join("ca");
        match fs::symlink_metadata(&folder) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(state_dir, &folder)?,
            Err(error) => return Err(AuthorityError::File { what: "read", path: folder, error, help: HELP }),
        }
        load(&folder)
    }

    /// Its certificate, PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The file that holds its certificate.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.path.join(CERTIFICATE)
    }

    /// When it ends.
    #[must_use]
    pub fn not_after(&self) -> OffsetDateTime {
        self.not_after
    }

    /// A server certificate for these names, the first of which is its subject, with its chain.
    pub(super) fn mint(&self, names: &[SanType]) -> Result<CertifiedKey, rcgen::Error> {
        let now = OffsetDateTime::now_utc();
        let mut params = CertificateParams::default();
        // All are of one key, of which rcgen would make the number: an authority gives each of its own away once, and
        // there are clients that take no two certificates with one number.
        let mut serial = [0; 16];
        SystemRandom::new().fill(&mut serial).map_err(|_| rcgen::Error::KeyGenerationUnavailable)?;
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.subject_alt_names = names.to_vec();
        let subject = names.first().map_or_else(
            || "sluice".to_owned(),
            |name| match name {
                SanType::DnsName(name) => name.to_string(),
                SanType::IpAddress(address) => address.to_string(),
                _ => "sluice".to_owned(),
            },
        );
        // X.520 allows a common name 64 characters; who is longer is found by the alternative names.
        params.distinguished_name = rcgen::DistinguishedName::new();
        if subject.len() <= 64 {
            params.distinguished_name.push(DnType::CommonName, subject);
        }
        params.not_before = now - BACKDATE;
        params.not_after = (now + Duration::days(LEAF_DAYS)).min(self.not_after);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let leaf = params.signed_by(&self.leaf, &self.issuer)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.leaf.serialize_der()));
        let key = provider().key_provider.load_private_key(key).map_err(|_| rcgen::Error::KeyGenerationUnavailable)?;
        Ok(CertifiedKey::new(vec![leaf.der().clone(), self.der.clone()], key))
    }
}

fn make(state_dir: &Path, folder: &Path) -> Result<(), AuthorityError> {
    let error = |path: &Path| {
        let path = path.to_owned();
        move |error| AuthorityError::File { what: "make", path, error, help: HELP }
    };
    DirBuilder::new().recursive(true).mode(0o700).create(state_dir).map_err(error(state_dir))?;
    let key = KeyPair::generate()?;
    let now = OffsetDateTime::now_utc();
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
    let host: String = host.chars().filter(|c| c.is_ascii_alphanumeric() || "-._".contains(*c)).take(40).collect();
    params.distinguished_name.push(DnType::CommonName, format!("Sluice node CA {host}").trim_end());
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = now - BACKDATE;
    params.not_after = now + Duration::days(CA_DAYS);
    let certificate = params.self_signed(&key)?;

    // Both files or neither: a folder is made aside and renamed, and whoever comes second takes the first one's.
    static ATTEMPT: AtomicU32 = AtomicU32::new(0);
    let attempt = ATTEMPT.fetch_add(1, Ordering::Relaxed);
    let aside = state_dir.join(format!("ca.new.{}.{attempt}", std::process::id()));
    match fs::remove_dir_all(&aside) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(error(&aside)(e)),
        _ => {}
    }
    DirBuilder::new().mode(0o700).create(&aside).map_err(error(&aside))?;
    let pem = Zeroizing::new(key.serialize_pem());
    let written = write(&aside.join(KEY), 0o600, pem.as_bytes())
        .and_then(|()| write(&aside.join(CERTIFICATE), 0o644, certificate.pem().as_bytes()))
        .and_then(|()| File::open(&aside)?.sync_all());
    let renamed = written.and_then(|()| fs::rename(&aside, folder));
    match renamed {
        Ok(()) => File::open(state_dir).and_then(|folder| folder.sync_all()).map_err(error(state_dir)),
        Err(e) => {
            let _ = fs::remove_dir_all(&aside);
            // ENOTEMPTY: another process was faster.
            if folder.join(KEY).exists() { Ok(()) } else { Err(error(folder)(e)) }
        }
    }
}

fn write(path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn load(folder: &Path) -> Result<Authority, AuthorityError> {
    let unusable = |reason: String| AuthorityError::Unusable { path: folder.to_owned(), reason };
    let read =
        |path: PathBuf| read_pem(&path).map_err(|error| AuthorityError::File { what: "read", path, error, help: HELP });
    let (certificate, key) = (folder.join(CERTIFICATE), folder.join(KEY));
    for path in [folder, &key] {
        let owner = fs::symlink_metadata(path).map_err(|error| AuthorityError::File {
            what: "read",
            path: path.to_owned(),
            error,
            help: HELP,
        })?;
        let (mode, uid) = (owner.mode() & 0o777, owner.uid());
        if mode & 0o077 != 0 || uid != nix::unistd::geteuid().as_raw() {
            return Err(AuthorityError::Exposed { path: path.to_owned(), mode, uid });
        }
    }
    let key = read(key)?;
    let key = std::str::from_utf8(&key).map_err(|_| unusable("ca.key is not PEM".to_owned()))?;
    let key = KeyPair::from_pem(key).map_err(|error| unusable(format!("ca.key: {error}")))?;
    let pem = read(certificate)?;
    let pem = std::str::from_utf8(&pem).map_err(|_| unusable("ca.pem is not PEM".to_owned()))?.to_owned();
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| unusable(format!("ca.pem: {error}")))?;
    let not_after = {
        let (_, parsed) =
            x509_parser::parse_x509_certificate(&der).map_err(|error| unusable(format!("ca.pem: {error}")))?;
        if parsed.public_key().raw != rcgen::PublicKeyData::subject_public_key_info(&key) {
            return Err(unusable("ca.key is not the key of ca.pem".to_owned()));
        }
        parsed.validity().not_after.to_datetime()
    };
    if not_after <= OffsetDateTime::now_utc() {
        return Err(unusable(format!("ca.pem ended on {}", not_after.date())));
    }
    let issuer = Issuer::from_ca_cert_der(&der, key).map_err(|error| unusable(format!("ca.pem: {error}")))?;
    Ok(Authority { issuer, pem, der, not_after, leaf: KeyPair::generate()?, path: folder.to_owned() })
}

/// The authority, for those who share it.
pub(super) type SharedAuthority = Arc<Authority>;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_authority_stays_the_same_and_its_key_is_the_owners_alone() {
        let state = tempfile::tempdir().unwrap();
        let first = Authority::open(&state.path().join("state")).unwrap();
        let again = Authority::open(&state.path().join("state")).unwrap();
        assert_eq!(first.pem(), again.pem());
        let mode = |path: &str| fs::metadata(state.path().join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("state/ca"), mode("state/ca/ca.key")), (0o700, 0o600));
        assert!(!format!("{first:?}").contains("PRIVATE"));
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let state = tempfile::tempdir().unwrap();
        Authority::open(state.path()).unwrap();
        let key = state.path().join("ca/ca.key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
        let error = Authority::open(state.path()).unwrap_err();
        assert!(matches!(error, AuthorityError::Exposed { mode: 0o640, .. }), "{error}");
        assert!(error.to_string().contains("sluice ca"), "{error}");
    }

    #[test]
    fn a_key_of_another_authority_is_refused() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        Authority::open(one.path()).unwrap();
        Authority::open(two.path()).unwrap();
        fs::copy(one.path().join("ca/ca.pem"), two.path().join("ca/ca.pem")).unwrap();
        let error = Authority::open(two.path()).unwrap_err();
        assert!(matches!(error, AuthorityError::Unusable { .. }), "{error}");
    }

    #[test]
    fn many_at_once_end_with_one_authority() {
        let state = tempfile::tempdir().unwrap();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let path = state.path().to_owned();
                std::thread::spawn(move || Authority::open(&path).unwrap().pem().to_owned())
            })
            .collect();
        let pems: std::collections::HashSet<String> = threads.into_iter().map(|t| t.join().unwrap()).collect();
        assert_eq!(pems.len(), 1);
    }
}
