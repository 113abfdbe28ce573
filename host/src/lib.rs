//! Anglerfish: an event gateway for webhooks, as a library to embed.
//!
//! The decisions are made inside a WebAssembly component; this crate is the native shell around it: it takes requests
//! in, runs the component, makes its decisions durable and delivers them.

pub mod api;
#[cfg(feature = "cli")]
pub mod cli;
pub mod clock;
pub mod config;
pub mod delivery;
pub mod engine;
mod fault;
pub mod fetch;
pub mod gateway;
pub mod ingress;
pub mod log;
pub mod outbound;
pub mod publish;
pub mod rejection;
pub mod server;
pub mod source;
pub mod store;
pub mod subscription;
pub mod supervision;
pub mod telemetry;

/// What this gateway calls itself in requests.
pub const USER_AGENT: &str = concat!("anglerfish/", env!("CARGO_PKG_VERSION"));
