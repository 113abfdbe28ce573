//! The configuration: a TOML file, overridden by environment variables, with references to secrets resolved.
//!
//! [`Config::load`] reads it all without touching anything else and reports every problem at once, each with its file,
//! line, column and key. `syntax` makes a document of the text and remembers where everything stands, `environment`
//! overrides keys, `secret` resolves references, `section` reads the host's own tables; sources and subscriptions are
//! read by the core.

mod environment;
mod error;
mod load;
mod network;
mod place;
mod reference;
pub mod secret;
mod section;
mod status;
mod syntax;

pub use environment::Environment;
pub use error::{ConfigError, ConfigProblem};
pub use load::{Config, Examination, SubscriptionReader};
pub use network::NetworkList;
pub use reference::ReferenceList;
pub use section::{AdminConfig, LogConfig, OutboundConfig, ServerConfig, StoreConfig, TelemetryConfig};
pub use status::{ConfigStatus, ReloadCause, ReloadOutcome, ReloadReport};
