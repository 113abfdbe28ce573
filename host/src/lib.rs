//! Anglerfish: an event gateway for webhooks, as a library to embed.
//!
//! The decisions are made inside a WebAssembly component; this crate is the native shell around it: it takes requests
//! in, runs the component, makes its decisions durable and delivers them.
//!
//! A gateway comes to life in three steps. [`Config`] is read and checked without touching anything else;
//! [`GatewayBuilder::build`] holds all that can fail, and does nothing that others see; [`BuiltGateway::start`] lets it
//! run. `examples/embed.rs` is a whole program.
//!
//! The command line is the feature `cli`, which is on unless `default-features = false` says otherwise.
//!
//! What is re-exported here is the interface. The modules are the rooms that it is built of; they are public for this
//! workspace's tests and benchmarks, and change as they need to.

#[doc(hidden)]
pub mod api;
#[doc(hidden)]
pub mod bulk;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
pub mod clock;
#[doc(hidden)]
pub mod config;
#[doc(hidden)]
pub mod delivery;
#[doc(hidden)]
pub mod engine;
mod fault;
#[doc(hidden)]
pub mod fetch;
#[doc(hidden)]
pub mod gateway;
#[doc(hidden)]
pub mod ingress;
#[doc(hidden)]
pub mod log;
#[doc(hidden)]
pub mod outbound;
#[doc(hidden)]
pub mod passive;
#[doc(hidden)]
pub mod publish;
#[doc(hidden)]
pub mod rejection;
#[doc(hidden)]
pub mod server;
#[doc(hidden)]
pub mod source;
#[doc(hidden)]
pub mod store;
#[doc(hidden)]
pub mod stream;
#[doc(hidden)]
pub mod subscription;
#[doc(hidden)]
pub mod supervision;
#[doc(hidden)]
pub mod telemetry;

pub use api::AdminConfig;
pub use config::{
    ConfigError, ConfigProblem, ConfigStatus, Environment, NetworkList, ReferenceList, ReloadCause,
    ReloadOutcome, ReloadReport,
};
pub use engine::FetchedDocument;
pub use gateway::{
    BuiltGateway, Config, Examination, Gateway, GatewayBuilder, GatewayError, Loader, Reloader,
};
pub use ingress::{Fetcher, ServerConfig};
pub use outbound::OutboundConfig;
pub use passive::OutConfig;
pub use server::Descriptors;
pub use store::StoreConfig;
pub use telemetry::{LogConfig, LogControl, LogFormat, TelemetryConfig};

/// What this gateway calls itself in requests.
pub const USER_AGENT: &str = concat!("anglerfish/", env!("CARGO_PKG_VERSION"));
