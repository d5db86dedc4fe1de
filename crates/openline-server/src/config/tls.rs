//! [`CertificateFiles`], and what `[tls]` says as a whole.

use std::path::{Path, PathBuf};

use super::keys::{Config, Tls};
use super::list::{self, Item};
use super::table::{Key, table};
use super::value::{Complaint, Input, Value};

/// More belong behind a proxy that is made for it.
const CERTIFICATES_MAX: usize = 100;

table! {
    /// One more certificate. It is for the names that stand in it.
    "tls.certificates" CertificateFiles {
        /// A PEM file with the server's certificate first, then those that vouch for it.
        certificate: Option<PathBuf> = "", live for new_connections;

        /// A PEM file with the key of the certificate.
        key: Option<PathBuf> = "", live for new_connections;
    }
}

impl Item for CertificateFiles {
    const PATH: &'static str = "tls.certificates";
    const KEYS: &'static [Key] = Self::KEYS;
    const EXAMPLE: &'static str = "[{certificate = \"a.pem\", key = \"a.key\"}]";
}

impl Value for Vec<CertificateFiles> {
    fn kind() -> String {
        "[{…}]".to_owned()
    }

    fn expected() -> String {
        list::expected::<CertificateFiles>()
    }

    fn read(input: &Input<'_>) -> Result<Self, Complaint> {
        list::read(input)
    }

    fn shown(&self) -> String {
        let file = |more: &CertificateFiles| {
            format!("{:?}", more.certificate.as_deref().unwrap_or(Path::new("")))
        };
        let files = self.iter().map(file);
        format!("[{}]", files.collect::<Vec<_>>().join(", "))
    }
}

impl Tls {
    /// Whether the server speaks TLS.
    pub fn is_on(&self) -> bool {
        self.files().next().is_some() || self.is_acme()
    }

    /// Whether certificates are ordered from an authority.
    pub fn is_acme(&self) -> bool {
        !self.acme_domains.is_empty()
    }

    /// The files of certificates and of their keys, the one for clients that name no server first.
    pub fn files(&self) -> impl Iterator<Item = (&Path, &Path)> {
        let first = (&self.certificate, &self.key);
        let more = self.certificates.iter().map(|more| (&more.certificate, &more.key));
        std::iter::once(first)
            .chain(more)
            .filter_map(|(certificate, key)| Some((certificate.as_deref()?, key.as_deref()?)))
    }

    /// The files, each with the key that names it.
    pub(super) fn named_files(&self) -> impl Iterator<Item = (&'static str, &Option<PathBuf>)> {
        let more = self.certificates.iter().flat_map(|more| [&more.certificate, &more.key]);
        let own = [("tls.certificate", &self.certificate), ("tls.key", &self.key)];
        let ca = [("tls.acme_ca", &self.acme_ca)];
        let more = more.map(|file| (CertificateFiles::PATH, file));
        own.into_iter().chain(more).chain(ca)
    }
}

impl Config {
    /// What contradicts itself in `[tls]`.
    pub(super) fn tls(&self) -> Vec<String> {
        let tls = &self.tls;
        let mut found = Vec::new();
        match (&tls.certificate, &tls.key) {
            (Some(_), None) => {
                found.push("tls.certificate without tls.key; set both".to_owned());
            }
            (None, Some(_)) => {
                found.push("tls.key without tls.certificate; set both".to_owned());
            }
            _ => {}
        }
        for (index, more) in tls.certificates.iter().enumerate() {
            if more.certificate.is_none() || more.key.is_none() {
                found.push(format!("tls.certificates[{index}] needs certificate and key"));
            }
        }
        for (key, count) in [
            ("tls.certificates", tls.certificates.len()),
            ("tls.acme_domains", tls.acme_domains.len()),
        ] {
            if count > CERTIFICATES_MAX {
                found.push(format!("{key} has {count}; {CERTIFICATES_MAX} are the most"));
            }
        }
        found.extend(self.acme());
        found
    }

    fn acme(&self) -> Vec<String> {
        let tls = &self.tls;
        let mut found = Vec::new();
        for (index, domain) in tls.acme_domains.iter().enumerate() {
            if tls.acme_domains[..index].contains(domain) {
                found.push(format!("tls.acme_domains has {domain} twice"));
            }
        }
        if tls.is_acme() && self.ephemeral {
            let why =
                "each start would order certificates anew, which authorities allow a few times";
            found.push(format!("tls.acme_domains with ephemeral=true: {why}; set data_dir"));
        }
        if tls.acme_directory.is_plain() {
            found.push("tls.acme_directory has to begin with https://".to_owned());
        }
        if tls.acme_ca.is_some() && !tls.is_acme() {
            found.push("tls.acme_ca without tls.acme_domains; say for which names".to_owned());
        }
        found
    }
}
