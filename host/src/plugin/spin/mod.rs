//! A plugin as a component of an app that runs under Spin: put together with what is asked over HTTP, and with the state and the
//! log that it gets.
//!
//! The limits that the gateway keeps by itself are written into the plugin there, see [`bound`].

mod bound;

use super::config::PluginConfig;
use super::error::PluginError;
use super::pool::{Plugin, read};
use super::sandbox::{FILTER, Sandbox, component};
use std::fs;
use std::path::{Path, PathBuf};
use wasm_compose::composer::ComponentComposer;
use wasm_compose::config::{Config, Dependency};
use wasmparser::{Validator, WasmFeatures};

/// What is put around plugins, as `cargo xtask spin` builds it.
#[derive(Debug)]
pub(crate) struct SpinParts {
    folder: PathBuf,
}

/// The component that is asked over HTTP, and the one that offers what plugins get.
const FACE: &str = "plugin.wasm";
const HOST: &str = "plugin-host.wasm";

/// Why a plugin was not put together.
#[derive(Debug)]
pub(crate) enum SpinPluginError {
    /// The plugin cannot be used: the key of its table that says so.
    Plugin(&'static str, PluginError),
    /// Anything else.
    Other(String),
}

impl SpinParts {
    /// Those of this folder, which is `target/spin`.
    ///
    /// # Errors
    ///
    /// The app was not built.
    pub(crate) fn of(folder: PathBuf) -> Result<Self, String> {
        for name in [FACE, HOST] {
            let file = folder.join(name);
            if !file.is_file() {
                return Err(format!("there is no {}", file.display()));
            }
        }
        Ok(Self { folder })
    }

    /// Puts a plugin together. It is looked at as the gateway does before it uses one.
    pub(crate) fn put_together(
        &self,
        sandbox: &Sandbox,
        plugin: &PluginConfig,
    ) -> Result<Vec<u8>, SpinPluginError> {
        let other = |what: &str, error: &dyn std::fmt::Display| {
            SpinPluginError::Other(format!("plugin {}: {what}: {error}", plugin.name))
        };
        Plugin::load(sandbox, plugin.clone()).map_err(|(key, error)| SpinPluginError::Plugin(key, error))?;
        let bytes = read(&plugin.path)
            .map_err(|error| SpinPluginError::Plugin("path", PluginError::Unreadable(error)))?;
        let bytes =
            component(sandbox.engine(), &bytes).map_err(|error| SpinPluginError::Plugin("path", error))?;
        let bounded = bound::bounded(&bytes, plugin.memory, plugin.timeout)
            .map_err(|error| other("its limits cannot be written into it", &error))?;
        let bare = self.folder.join(format!("{}.bare.wasm", plugin.name));
        fs::write(&bare, bounded).map_err(|error| other("cannot be written", &error))?;
        let composed = self.compose(&bare);
        // It was for the composer alone.
        let _ = fs::remove_file(&bare);
        let composed = composed.map_err(|error| other("does not fit", &error))?;
        Validator::new_with_features(WasmFeatures::all())
            .validate_all(&composed)
            .map_err(|error| other("does not fit", &error))?;
        Ok(composed)
    }

    fn compose(&self, plugin: &Path) -> Result<Vec<u8>, String> {
        let mut config =
            Config { dir: self.folder.clone(), definitions: vec![PathBuf::from(HOST)], ..Config::default() };
        let path = std::path::absolute(plugin).map_err(|error| error.to_string())?;
        config.dependencies.insert(FILTER.to_owned(), Dependency { path });
        let composed = ComponentComposer::new(&self.folder.join(FACE), &config).compose();
        composed.map_err(|error| format!("{error:#}"))
    }
}
