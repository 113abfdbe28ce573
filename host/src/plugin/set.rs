//! The plugins of a gateway.

use super::config::{PluginConfig, place};
use super::endpoint::FilteredEndpoint;
use super::error::PluginError;
use super::metric::PluginMetrics;
use super::pool::Plugin;
use super::sandbox::Sandbox;
use crate::clock::WallClock;
use crate::delivery::{Endpoint, EndpointFilter};
use anglerfish_core::config::{PluginUse, SubscriptionConfig, item_path, key_path};
use anglerfish_core::problem::Problem;
use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

/// Plugins by name.
type ByName = HashMap<String, Arc<Plugin>>;

/// The plugins of a gateway. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct Plugins {
    by_name: Arc<RwLock<Arc<ByName>>>,
    /// Those that a reload is about to use.
    staged: Arc<RwLock<Option<Arc<ByName>>>>,
    metrics: PluginMetrics,
    pub(super) clock: WallClock,
    /// Where compiled code is kept.
    cache: Option<PathBuf>,
}

/// Plugins that are loaded and not in use yet.
pub struct LoadedPlugins(Arc<ByName>);

/// Plugins that subscriptions are checked with already, and that are not asked yet.
#[derive(Debug)]
pub struct StagedPlugins {
    plugins: Plugins,
}

impl Plugins {
    /// None yet, in a gateway with this clock.
    #[must_use]
    pub fn new(metrics: PluginMetrics, clock: WallClock) -> Self {
        Self { metrics, clock, ..Self::default() }
    }

    /// Keeps compiled code in this directory, see [`Sandbox::with_cache`].
    #[must_use]
    pub fn with_cache(self, directory: Option<PathBuf>) -> Self {
        Self { cache: directory, ..self }
    }

    fn sandbox(&self) -> Result<Sandbox, PluginError> {
        Ok(Sandbox::try_new()?.with_cache(self.cache.clone()))
    }

    /// Loads all of them. One that is as it was is kept, with what it remembers. It blocks for as long as compiling takes.
    ///
    /// # Errors
    ///
    /// With the problems of all of them.
    pub fn load(&self, configs: &[PluginConfig]) -> Result<LoadedPlugins, Vec<Problem>> {
        let before = self.current();
        let mut sandbox = before.values().next().map(|plugin| plugin.sandbox().clone());
        let (mut by_name, mut problems) = (ByName::new(), Vec::new());
        for (index, config) in configs.iter().enumerate() {
            let known = before.get(&config.name).filter(|plugin| plugin.is_as(config));
            let loaded = match known {
                Some(plugin) => Ok(Arc::clone(plugin)),
                None => match sandbox.take().map_or_else(|| self.sandbox(), Ok) {
                    Ok(room) => {
                        let loaded = Plugin::load(&room, config.clone()).map(Arc::new);
                        sandbox = Some(room);
                        loaded
                    }
                    Err(error) => Err(("path", error)),
                },
            };
            match loaded {
                Ok(plugin) => drop(by_name.insert(config.name.clone(), plugin)),
                Err((key, error)) => problems.push(Problem::new(place(index, key), error.to_string())),
            }
        }
        if problems.is_empty() { Ok(LoadedPlugins(Arc::new(by_name))) } else { Err(problems) }
    }

    /// Puts loaded ones in the place of those that there are; calls under way end by the old ones.
    pub fn replace(&self, loaded: LoadedPlugins) {
        *self.by_name.write().unwrap_or_else(PoisonError::into_inner) = loaded.0;
    }

    /// Checks subscriptions with loaded ones until they are applied, or what this returns is dropped.
    #[must_use]
    pub fn stage(&self, loaded: LoadedPlugins) -> StagedPlugins {
        *self.staged.write().unwrap_or_else(PoisonError::into_inner) = Some(loaded.0);
        StagedPlugins { plugins: self.clone() }
    }

    pub(super) fn get(&self, name: &str) -> Option<Arc<Plugin>> {
        self.current().get(name).cloned()
    }

    pub(super) fn metrics(&self) -> &PluginMetrics {
        &self.metrics
    }

    fn current(&self) -> Arc<ByName> {
        Arc::clone(&self.by_name.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl StagedPlugins {
    /// From now on these are asked.
    pub fn apply(self) {
        let staged = self.plugins.staged.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(staged) = staged {
            self.plugins.replace(LoadedPlugins(staged));
        }
    }
}

impl Drop for StagedPlugins {
    fn drop(&mut self) {
        self.plugins.staged.write().unwrap_or_else(PoisonError::into_inner).take();
    }
}

fn unknown(plugins: &ByName, subscription: &SubscriptionConfig) -> Vec<Problem> {
    let used = subscription.plugins.iter().enumerate();
    let unknown = used.filter(|(_, used)| !plugins.contains_key(&used.name));
    let problem = |(index, used): (usize, &PluginUse)| {
        let path = key_path(&item_path("plugins", index), "name");
        Problem::new(path, format!("there is no plugin {:?}", used.name))
    };
    unknown.map(problem).collect()
}

impl EndpointFilter for Plugins {
    fn check(&self, subscription: &SubscriptionConfig) -> Vec<Problem> {
        let staged = self.staged.read().unwrap_or_else(PoisonError::into_inner).clone();
        unknown(&staged.unwrap_or_else(|| self.current()), subscription)
    }

    fn filtered(&self, uses: Vec<PluginUse>, endpoint: Arc<dyn Endpoint>) -> Arc<dyn Endpoint> {
        Arc::new(FilteredEndpoint::new(self.clone(), uses, endpoint))
    }
}

impl fmt::Debug for Plugins {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.current().keys()).finish()
    }
}

impl fmt::Debug for LoadedPlugins {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}
