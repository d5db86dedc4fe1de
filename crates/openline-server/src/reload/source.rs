//! [`ConfigSource`]: where a configuration comes from.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::config::{Config, ConfigError};

/// How a configuration is loaded.
type Load = Box<dyn Fn() -> Result<Config, Vec<ConfigError>> + Send + Sync>;

/// Where a configuration comes from, to be loaded from there again: for
/// [`Handle::load_from`](crate::Handle::load_from).
pub struct ConfigSource {
    file: Option<PathBuf>,
    load: Load,
}

impl ConfigSource {
    /// A file, if there is one, with what an environment and flags say above it: as
    /// [`Config::load`], which see. The file is read with each load; environment and flags stay what
    /// they are now.
    pub fn new(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let file = file.map(Path::to_owned);
        let environment: Vec<_> = environment.into_iter().collect();
        let flags: Vec<_> = flags.into_iter().collect();
        let from = file.clone();
        let load = move || {
            Config::load(from.as_deref(), environment.iter().cloned(), flags.iter().cloned())
        };
        Self { file, load: Box::new(load) }
    }

    /// With something done to what was loaded, such as a value that only this program knows.
    #[must_use]
    pub fn map(
        self,
        change: impl Fn(Config) -> Result<Config, Vec<ConfigError>> + Send + Sync + 'static,
    ) -> Self {
        let Self { file, load } = self;
        Self { file, load: Box::new(move || load().and_then(&change)) }
    }

    /// Loads it.
    ///
    /// # Errors
    /// All that is wrong.
    pub fn load(&self) -> Result<Config, Vec<ConfigError>> {
        (self.load)()
    }

    /// The file, if there is one.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }
}

impl fmt::Debug for ConfigSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigSource").field("file", &self.file).finish_non_exhaustive()
    }
}
