//! [`Certificate`]: one with its key, checked, and what stands in it.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use openline_ws::tls::rustls::crypto::ring::sign::any_supported_type;
use openline_ws::tls::rustls::pki_types::pem::{self, PemObject as _, SectionKind};
use openline_ws::tls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use openline_ws::tls::rustls::sign::CertifiedKey;
use openline_ws::tls::rustls::{Error, InconsistentKeys};
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// Longer files are something else.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Before the end by so much, or by a fifth of the whole time if that is less, it is time to worry.
const WARNING: Duration = Duration::from_secs(14 * 24 * 3600);

/// A certificate with its key, as clients are shown it.
#[derive(Debug)]
pub(crate) struct Certificate {
    pub(super) key: Arc<CertifiedKey>,
    /// The names that it is for, in lower case; `*.` may stand before one.
    pub(super) names: Vec<String>,
    /// Where it is from, for people: its file, or its name.
    pub(super) source: String,
    pub(super) not_before: SystemTime,
    pub(super) not_after: SystemTime,
}

impl Certificate {
    /// Reads both files.
    ///
    /// # Errors
    /// What is wrong, and in which file.
    pub(super) fn from_files(certificate: &Path, key: &Path) -> io::Result<Self> {
        let chain = chain(&read(certificate)?).map_err(|what| invalid(certificate, &what))?;
        let made = private_key(&read(key)?).map_err(|what| invalid(key, &what))?;
        let source = certificate.display().to_string();
        Self::new(chain, &made, source).map_err(|fault| match fault {
            Fault::Certificate(what) => invalid(certificate, &what),
            Fault::Key(what) => invalid(key, &what),
            Fault::Mismatch(why) => {
                invalid(key, &format!("this is not the key of {}{why}", certificate.display()))
            }
        })
    }

    /// Certificate and key from one text.
    ///
    /// # Errors
    /// What is wrong.
    #[cfg(feature = "acme")]
    pub(super) fn from_pem(text: &[u8], source: String) -> Result<Self, String> {
        let made = private_key(text)?;
        Self::new(chain(text)?, &made, source).map_err(|fault| match fault {
            Fault::Certificate(what) | Fault::Key(what) => what,
            Fault::Mismatch(why) => format!("key and certificate do not belong together{why}"),
        })
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: &PrivateKeyDer<'static>,
        source: String,
    ) -> Result<Self, Fault> {
        let own = parsed(&chain[0]).map_err(Fault::Certificate)?;
        let unusable = |_| {
            Fault::Key(
                "the key is of a kind that TLS here does not use; take an \
                                       ECDSA key on P-256 or P-384, Ed25519, or RSA of 2048 bits \
                                       and more"
                    .to_owned(),
            )
        };
        let key = any_supported_type(key).map_err(unusable)?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(Error::InconsistentKeys(_)) => return Err(Fault::Mismatch(order(&certified))),
            Err(error) => return Err(Fault::Certificate(error.to_string())),
        }
        let Parsed { names, not_before, not_after } = own;
        Ok(Self { key: Arc::new(certified), names, source, not_before, not_after })
    }

    /// What there is to worry about.
    pub(super) fn doubt(&self, now: SystemTime) -> Option<String> {
        let source = &self.source;
        if self.has_expired(now) {
            return Some(format!("the certificate {source} has expired: clients refuse it"));
        }
        if now < self.not_before {
            return Some(format!("the certificate {source} is not valid yet: clients refuse it"));
        }
        let left = self.not_after.duration_since(now).unwrap_or_default();
        let hours = left.as_secs() / 3600;
        (left < WARNING.min(self.lifetime() / 5)).then(|| match hours {
            0..48 => format!("the certificate {source} expires in {hours} hours"),
            _ => format!("the certificate {source} expires in {} days", hours / 24),
        })
    }

    pub(super) fn has_expired(&self, now: SystemTime) -> bool {
        self.not_after < now
    }

    /// From the first moment to the last.
    pub(super) fn lifetime(&self) -> Duration {
        self.not_after.duration_since(self.not_before).unwrap_or_default()
    }

    /// Whether both are the same certificate.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.key.cert == other.key.cert
    }
}

/// Which part is at fault.
enum Fault {
    Certificate(String),
    Key(String),
    /// They do not belong together; says more if it can.
    Mismatch(String),
}

/// What a certificate says.
struct Parsed {
    names: Vec<String>,
    not_before: SystemTime,
    not_after: SystemTime,
}

fn parsed(certificate: &CertificateDer<'_>) -> Result<Parsed, String> {
    let unreadable = |error: &dyn std::fmt::Display| format!("the certificate is broken: {error}");
    let certificate =
        x509_cert::Certificate::from_der(certificate).map_err(|error| unreadable(&error))?;
    let said = certificate.tbs_certificate();
    let names = said.get_extension::<SubjectAltName>().map_err(|error| unreadable(&error))?;
    let names = names.into_iter().flat_map(|(_, names)| names.0);
    let names = names.filter_map(|name| match name {
        GeneralName::DnsName(name) => Some(name.as_str().to_ascii_lowercase()),
        _ => None,
    });
    let validity = said.validity();
    Ok(Parsed {
        names: names.collect(),
        not_before: validity.not_before.to_system_time(),
        not_after: validity.not_after.to_system_time(),
    })
}

/// Whether the key belongs to another one of the certificates.
fn order(certified: &CertifiedKey) -> String {
    let key = &certified.key;
    let fits = |certificate: &&CertificateDer<'static>| {
        CertifiedKey::new(vec![(*certificate).clone()], key.clone()).keys_match().is_ok()
    };
    match certified.cert.iter().skip(1).find(fits) {
        Some(_) => ": the server's own certificate has to be the first in the file".to_owned(),
        None => String::new(),
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let named =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let length = fs::metadata(path).map_err(named)?.len();
    if length > FILE_BYTES_MAX {
        return Err(invalid(path, "longer than 1 MiB; that is no certificate and no key"));
    }
    fs::read(path).map_err(named)
}

fn chain(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_slice_iter(text).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| unreadable(&error))?;
    if !found.is_empty() {
        return Ok(found);
    }
    let mut what = "there is no certificate in it".to_owned();
    if sections(text).any(|kind| is_key(kind) || kind == SectionKind::PrivateKey) {
        what.push_str(", but a key");
    } else if text.first() == Some(&DER_SEQUENCE) {
        what.push_str("; it looks like DER, PEM is needed (openssl x509 -inform der -in FILE)");
    }
    Err(what)
}

fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    let is_encrypted = |mark: &[u8]| text.windows(mark.len()).any(|part| part == mark);
    if is_encrypted(b"BEGIN ENCRYPTED PRIVATE KEY") || is_encrypted(b"Proc-Type: 4,ENCRYPTED") {
        let how = "write it without a passphrase, for the server alone to read";
        return Err(format!("the key is encrypted; {how} (openssl pkey -in FILE)"));
    }
    PrivateKeyDer::from_pem_slice(text).map_err(|error| match error {
        pem::Error::NoItemsFound => {
            let mut what = "there is no private key in it".to_owned();
            if sections(text).any(|kind| kind == SectionKind::Certificate) {
                what.push_str(", but a certificate");
            }
            what
        }
        error => unreadable(&error),
    })
}

/// What files in binary form begin with.
const DER_SEQUENCE: u8 = 0x30;

fn unreadable(error: &pem::Error) -> String {
    format!("the PEM in it is broken: {error}")
}

fn is_key(kind: SectionKind) -> bool {
    matches!(kind, SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey)
}

/// The kinds of what is in the text.
fn sections(text: &[u8]) -> impl Iterator<Item = SectionKind> {
    let items = <(SectionKind, Vec<u8>)>::pem_slice_iter(text).filter_map(Result::ok);
    items.map(|(kind, _)| kind)
}

fn invalid(path: &Path, what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{}: {what}", path.display()))
}
