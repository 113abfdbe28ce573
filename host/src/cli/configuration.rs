//! The configuration that a command works with.

use super::Failure;
use crate::config::{ConfigError, Environment};
use crate::gateway::{Config, Examination};
use clap::Args;
use std::path::{Path, PathBuf};

/// Which configuration.
#[derive(Debug, Clone, Args)]
pub(super) struct ConfigArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "anglerfish.toml", env = "ANGLERFISH_CONFIG")]
    config: PathBuf,
}

impl ConfigArgs {
    /// Reads it, with the environment variables of this process.
    pub(super) fn load(&self) -> Result<Config, ConfigError> {
        Config::load(&self.config, &Environment::of_process())
    }

    /// Where the file is.
    pub(super) fn path(&self) -> &Path {
        &self.config
    }

    /// Reads it as a whole, and what is odd in it.
    pub(super) fn examine(&self) -> Examination {
        Config::examine(&self.config, &Environment::of_process())
    }

    /// The file as it was named.
    pub(super) fn file(&self) -> String {
        self.config.display().to_string()
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::Unreadable { .. } => {
                Self::misuse(error).with_hint("name the configuration with --config FILE")
            }
            ConfigError::Invalid(problems) => Self::Configuration(
                problems
                    .into_iter()
                    .map(|problem| match &problem.hint {
                        Some(hint) => format!("{problem}\nhint: {hint}"),
                        None => problem.to_string(),
                    })
                    .collect(),
            ),
        }
    }
}
