//! [`Kept`]: the account and the certificates on disk, for their owner alone.

use std::fs::{self, DirBuilder};
use std::io;
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};

use crate::outbound::Target;
use crate::private_file;
use crate::tls::certificate::Certificate;

/// The folder in the data directory.
const FOLDER: &str = "acme";
const ACCOUNT: &str = "account.json";

/// The folder of one authority: certificates for trying are not taken for others.
#[derive(Debug)]
pub(super) struct Kept {
    folder: PathBuf,
}

impl Kept {
    pub(super) fn new(data_dir: &Path, directory: &str) -> Self {
        let host = Target::parse(directory).map_or_else(|_| "unknown".to_owned(), |to| to.host);
        let hash = digest(&SHA256, directory.as_bytes());
        let hash: String = hash.as_ref()[..4].iter().map(|byte| format!("{byte:02x}")).collect();
        // Of IPv6 addresses colons would be left, which not all systems take.
        let name = format!("{}-{hash}", host.replace(':', "_"));
        Self { folder: data_dir.join(FOLDER).join(name) }
    }

    /// The account, as it was kept.
    pub(super) fn account(&self) -> io::Result<Option<String>> {
        let path = self.folder.join(ACCOUNT);
        text(&path).map_err(|error| named(&path, &error))
    }

    pub(super) fn keep_account(&self, text: &str) -> io::Result<()> {
        self.write(ACCOUNT, text)
    }

    /// The authority does not know it any more.
    pub(super) fn forget_account(&self) -> io::Result<()> {
        fs::remove_file(self.folder.join(ACCOUNT))
    }

    /// The certificate for the domain, with its key.
    pub(super) fn certificate(&self, domain: &str) -> io::Result<Option<Certificate>> {
        let path = self.folder.join(file(domain));
        let Some(text) = text(&path).map_err(|error| named(&path, &error))? else {
            return Ok(None);
        };
        let read = Certificate::from_pem(text.as_bytes(), domain.to_owned());
        let invalid = |what| named(&path, &io::Error::new(io::ErrorKind::InvalidData, what));
        read.map(Some).map_err(invalid)
    }

    /// Keeps certificate and key in one file, so that they always belong together.
    pub(super) fn keep_certificate(&self, domain: &str, text: &str) -> io::Result<()> {
        self.write(&file(domain), text)
    }

    fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let path = self.folder.join(name);
        let write = || {
            let mut folders = DirBuilder::new();
            folders.recursive(true);
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut folders, 0o700);
            folders.create(&self.folder)?;
            private_file::write(&path, text.as_bytes())
        };
        write().map_err(|error| named(&path, &error))
    }
}

/// Names of domains have no character that means something in a path.
fn file(domain: &str) -> String {
    format!("{domain}.pem")
}

fn text(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::tls::tests::Authority;

    const LIVE: &str = "https://acme.example/directory";

    #[test]
    fn what_is_kept_comes_back() {
        let authority = Authority::new();
        let kept = Kept::new(&authority.folder, LIVE);
        assert_eq!(kept.account().unwrap(), None);
        assert!(kept.certificate("a.example").unwrap().is_none());
        kept.keep_account("first").unwrap();
        kept.keep_account("second").unwrap();
        assert_eq!(kept.account().unwrap().as_deref(), Some("second"));
        let issued = authority.issue("own", &["a.example"], 90);
        let text = authority.read("own.key") + &authority.read("own.pem");
        kept.keep_certificate("a.example", &text).unwrap();
        let read = kept.certificate("a.example").unwrap().unwrap();
        assert_eq!((&read.key.cert[0], &*read.source), (&issued, "a.example"));
        kept.forget_account().unwrap();
        assert_eq!(kept.account().unwrap(), None);
    }

    #[test]
    fn each_authority_has_a_folder_of_its_own() {
        let authority = Authority::new();
        let other = "https://acme.example/directory-for-trying";
        Kept::new(&authority.folder, LIVE).keep_account("live").unwrap();
        let trying = Kept::new(&authority.folder, other);
        assert_eq!(trying.account().unwrap(), None);
        assert!(trying.folder.file_name().unwrap().to_str().unwrap().starts_with("acme.example-"));
        let named = Kept::new(&authority.folder, "https://[::1]:14000/dir");
        assert!(named.folder.file_name().unwrap().to_str().unwrap().starts_with("__1-"));
    }

    #[test]
    fn a_file_that_was_changed_is_named() {
        let authority = Authority::new();
        let kept = Kept::new(&authority.folder, LIVE);
        kept.keep_certificate("a.example", "nothing").unwrap();
        let said = kept.certificate("a.example").unwrap_err().to_string();
        assert!(said.ends_with("a.example.pem: there is no private key in it"), "{said}");
    }

    #[cfg(unix)]
    #[test]
    fn keys_are_their_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let authority = Authority::new();
        let kept = Kept::new(&authority.folder, LIVE);
        kept.keep_account("secret").unwrap();
        kept.keep_certificate("a.example", "secret").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&kept.folder), 0o700);
        for entry in fs::read_dir(&kept.folder).unwrap() {
            assert_eq!(mode(&entry.unwrap().path()), 0o600);
        }
    }
}
