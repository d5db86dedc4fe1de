//! The keys that open the HTTP API: one of the server's own making, and those of the config.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::{error, fmt};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};
use subtle::{Choice, ConstantTimeEq as _};

use super::Secret;
use crate::private_file;

/// The name of the file in the data directory.
const FILE: &str = "api-key";
/// The fewest and the most characters of a key; one of our own making has 43.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 32..=256;
/// The most keys in the config.
const MORE_KEYS_MAX: usize = 16;

/// The keys that open the HTTP API.
#[derive(Debug)]
pub(crate) struct ApiKeys {
    keys: Vec<Secret>,
    path: Option<PathBuf>,
    is_random: bool,
}

/// Why there are no keys.
#[derive(Debug)]
pub(crate) enum ApiKeyError {
    File {
        path: PathBuf,
        error: io::Error,
    },
    /// Others than the owner can read it, so it may be known.
    Open {
        path: PathBuf,
        mode: u32,
    },
    Content {
        path: PathBuf,
    },
    /// One of the config.
    Key {
        index: usize,
    },
    Many {
        count: usize,
    },
    Entropy,
}

impl ApiKeys {
    /// The key of the data directory, made if it is not there, and `more`.
    pub(crate) fn open(data_dir: &Path, more: Vec<Secret>) -> Result<Self, ApiKeyError> {
        let path = data_dir.join(FILE);
        let failed = |error| ApiKeyError::File { path: path.clone(), error };
        let own = match read(&path)? {
            Some(key) => key,
            None => {
                let key = random_key()?;
                private_file::write(&path, format!("{key}\n").as_bytes()).map_err(failed)?;
                Secret::new(key)
            }
        };
        let mut keys = Self::of(more)?;
        keys.keys.push(own);
        keys.path = Some(path);
        Ok(keys)
    }

    /// Only these, with no file: for a server that keeps nothing.
    pub(crate) fn of(keys: Vec<Secret>) -> Result<Self, ApiKeyError> {
        if keys.len() > MORE_KEYS_MAX {
            return Err(ApiKeyError::Many { count: keys.len() });
        }
        match keys.iter().position(|key| !is_key(key.expose())) {
            Some(index) => Err(ApiKeyError::Key { index }),
            None => Ok(Self { keys, path: None, is_random: false }),
        }
    }

    /// One random key, for a server without a data directory; it has to be shown once.
    pub(crate) fn random() -> Result<(Self, Secret), ApiKeyError> {
        let key = Secret::new(random_key()?);
        Ok((Self { keys: vec![key.clone()], path: None, is_random: true }, key))
    }

    /// The same again, if it is a random one: it was shown once and will not be again.
    pub(crate) fn random_again(&self) -> Option<Self> {
        self.is_random.then(|| Self { keys: self.keys.clone(), path: None, is_random: true })
    }

    /// Whether this is one of the keys. Takes as long whichever it is, or nearly is.
    pub(crate) fn accept(&self, presented: &[u8]) -> bool {
        let same = |found: Choice, key: &Secret| found | key.expose().ct_eq(presented);
        self.keys.iter().fold(Choice::from(0), same).into()
    }

    /// The file with the server's own key.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }
}

fn random_key() -> Result<String, ApiKeyError> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| ApiKeyError::Entropy)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn is_key(key: &[u8]) -> bool {
    KEY_BYTES.contains(&key.len()) && key.iter().all(u8::is_ascii_graphic)
}

/// The key in the file, if there is a file.
fn read(path: &Path) -> Result<Option<Secret>, ApiKeyError> {
    let failed = |error| ApiKeyError::File { path: path.into(), error };
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        metadata => metadata.map_err(failed)?,
    };
    check_mode(path, &metadata)?;
    let content = || ApiKeyError::Content { path: path.into() };
    if !metadata.is_file() || metadata.len() > 4096 {
        return Err(content());
    }
    let text = fs::read(path).map_err(failed)?;
    let key = text.trim_ascii();
    if is_key(key) { Ok(Some(Secret::new(key))) } else { Err(content()) }
}

#[cfg(unix)]
fn check_mode(path: &Path, metadata: &fs::Metadata) -> Result<(), ApiKeyError> {
    let mode = std::os::unix::fs::MetadataExt::mode(metadata) & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(ApiKeyError::Open { path: path.into(), mode })
}

#[cfg(not(unix))]
fn check_mode(_: &Path, _: &fs::Metadata) -> Result<(), ApiKeyError> {
    Ok(())
}

impl fmt::Display for ApiKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = (KEY_BYTES.start(), KEY_BYTES.end());
        match self {
            Self::File { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Open { path, mode } => write!(
                f,
                "{path} has mode {mode:03o}, so others may know the key; delete it and a new one \
                 is made, or trust it and run chmod 600 {path}",
                path = path.display()
            ),
            Self::Content { path } => write!(
                f,
                "{} must hold one line of {least} to {most} printable characters; delete it and a \
                 new key is made",
                path.display()
            ),
            Self::Key { index } => write!(
                f,
                "api.keys[{index}] must have {least} to {most} printable characters without spaces"
            ),
            Self::Many { count } => {
                write!(f, "api.keys has {count} keys; at most {MORE_KEYS_MAX}")
            }
            Self::Entropy => f.write_str("the system gives no random bytes to make a key of"),
        }
    }
}

impl error::Error for ApiKeyError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::File { error, .. } => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory that goes with the value.
    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str) -> Self {
            let name = format!("openline-api-keys-{name}-{}", std::process::id());
            let dir = std::env::temp_dir().join(name);
            let _ = fs::remove_dir_all(&dir);
            fs::create_dir_all(&dir).unwrap();
            Self(dir)
        }

        fn file(&self) -> PathBuf {
            self.0.join(FILE)
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_key_is_made_once_and_used_again() {
        let dir = Dir::new("once");
        let keys = ApiKeys::open(&dir.0, vec![]).unwrap();
        assert_eq!(keys.path(), Some(dir.file().as_path()));
        let text = fs::read_to_string(dir.file()).unwrap();
        assert!(text.ends_with('\n'));
        assert_eq!(URL_SAFE_NO_PAD.decode(text.trim()).unwrap().len(), 32);
        assert!(keys.accept(text.trim().as_bytes()));
        assert!(!keys.accept(text.as_bytes()), "the line's end is no part of it");

        let again = ApiKeys::open(&dir.0, vec![]).unwrap();
        assert!(again.accept(text.trim().as_bytes()));
        assert_eq!(fs::read_to_string(dir.file()).unwrap(), text);
        assert_eq!(fs::read_dir(&dir.0).unwrap().count(), 1);

        let other = Dir::new("other");
        ApiKeys::open(&other.0, vec![]).unwrap();
        assert_ne!(fs::read_to_string(other.file()).unwrap(), text);
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_the_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;

        let dir = Dir::new("mode");
        // What a crash may have left, open to all.
        let aside = dir.0.join("api-key.new");
        fs::write(&aside, "half").unwrap();
        fs::set_permissions(&aside, fs::Permissions::from_mode(0o666)).unwrap();
        ApiKeys::open(&dir.0, vec![]).unwrap();
        assert_eq!(fs::metadata(dir.file()).unwrap().permissions().mode() & 0o777, 0o600);

        fs::set_permissions(dir.file(), fs::Permissions::from_mode(0o640)).unwrap();
        let error = ApiKeys::open(&dir.0, vec![]).unwrap_err();
        assert!(matches!(error, ApiKeyError::Open { mode: 0o640, .. }), "{error}");
        fs::set_permissions(dir.file(), fs::Permissions::from_mode(0o400)).unwrap();
        assert!(ApiKeys::open(&dir.0, vec![]).is_ok());
    }

    #[test]
    fn what_is_no_key_is_refused_and_left_as_it_is() {
        let dir = Dir::new("content");
        let (short, spaced, long) = ("x".repeat(31), "x ".repeat(20), "x".repeat(257));
        for text in ["", "\n", &short, &spaced, &long] {
            let _ = fs::remove_file(dir.file());
            private_file::write(&dir.file(), format!("{text}\n").as_bytes()).unwrap();
            let error = ApiKeys::open(&dir.0, vec![]).unwrap_err();
            assert!(matches!(error, ApiKeyError::Content { .. }), "{error}");
            assert_eq!(fs::read_to_string(dir.file()).unwrap(), format!("{text}\n"));
        }
        assert!(ApiKeys::open(&dir.0.join("missing"), vec![]).is_err());
    }

    #[test]
    fn all_keys_open_and_nothing_else() {
        let dir = Dir::new("more");
        let key = |letter: u8| Secret::new(vec![letter; 40]);
        let keys = ApiKeys::open(&dir.0, vec![key(b'a'), key(b'b')]).unwrap();
        assert!(keys.accept(&[b'a'; 40]) && keys.accept(&[b'b'; 40]));
        for presented in [&[b'a'; 39][..], &[b'a'; 41], &[b'c'; 40], b"", b"Bearer"] {
            assert!(!keys.accept(presented));
        }
        assert!(!ApiKeys::of(vec![]).unwrap().accept(b""), "no key opens nothing");
        let (random, secret) = ApiKeys::random().unwrap();
        assert!(random.accept(secret.expose()) && !random.accept(&[b'a'; 40]));
        assert!(!format!("{keys:?}").contains("97, 97"), "keys are not printed");
    }

    #[test]
    fn keys_of_the_config_must_be_long_enough() {
        let error = ApiKeys::of(vec![Secret::new([b'a'; 32]), Secret::new(*b"hunter2")]);
        let message = error.unwrap_err().to_string();
        assert!(message.starts_with("api.keys[1] must have 32 to 256"), "{message}");
        let many = vec![Secret::new([b'a'; 32]); 17];
        assert_eq!(ApiKeys::of(many).unwrap_err().to_string(), "api.keys has 17 keys; at most 16");
    }
}
