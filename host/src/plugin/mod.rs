//! Filter plugins: components of a user's that say of each event which a subscription's own filter wants whether it is
//! delivered.
//!
//! Each plugin has a pool of warm instances of its own, with limits on memory, time, copied bytes, state and log. What it cannot
//! say anything about is not delivered, and an instance that failed is thrown away. They are asked in front of the
//! endpoint, when an attempt begins: no sender waits for one. See `docs/decisions/0040-filter-plugins.md`.

mod ask;
mod bindings;
mod config;
mod endpoint;
mod error;
mod explain;
mod metric;
mod pool;
mod sandbox;
mod set;
#[cfg(feature = "cli")]
mod spin;
mod state;
#[cfg(test)]
mod test;

pub use config::PluginConfig;
pub(crate) use config::{problems, read};
pub use error::{PluginError, PluginFailure};
pub use explain::PluginVerdict;
pub use metric::PluginMetrics;
#[cfg(feature = "cli")]
pub(crate) use pool::read as read_file;
pub use pool::{Judged, Plugin, Question, Verdict};
pub use sandbox::Sandbox;
pub use set::{LoadedPlugins, Plugins, StagedPlugins};
#[cfg(feature = "cli")]
pub(crate) use spin::{SpinParts, SpinPluginError};
