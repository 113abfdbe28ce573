//! Anglerfish: an event gateway for webhooks, as a library to embed.
//!
//! The decisions are made inside a WebAssembly component; this crate is the native shell around it: it takes requests
//! in, runs the component, makes its decisions durable and delivers them.

pub mod api;
pub mod cli;
pub mod config;
pub mod store;
pub mod subscription;
pub mod telemetry;
