//! Reading a configuration: a TOML text with the places of its values, overridden by environment variables, with
//! references to secrets resolved.
//!
//! What the keys mean is said in the rooms that they configure (`section.rs` in each) and, for sources and
//! subscriptions, in the core; [`crate::gateway::Config`] is all of them together.

pub(crate) mod environment;
mod error;
pub(crate) mod file;
mod network;
pub(crate) mod place;
mod reference;
pub mod secret;
pub(crate) mod section;
mod source;
mod status;
mod subscription;
pub(crate) mod syntax;
pub(crate) mod value;

pub use environment::Environment;
pub(crate) use error::listed;
pub use error::{ConfigError, ConfigProblem};
pub use network::NetworkList;
pub use reference::ReferenceList;
pub use source::SourceReader;
pub(crate) use source::{forgotten_within, source_doubts, window_key};
pub use status::{ConfigStatus, ReloadCause, ReloadOutcome, ReloadReport};
pub use subscription::SubscriptionReader;
pub(crate) use subscription::{allow, hide_url};
