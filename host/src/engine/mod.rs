//! Running the gateway component under wasmtime.
//!
//! One warm instance per worker thread, its routing table loaded. A call has a deadline (epoch interruption), a memory
//! limit and a limit on what it may copy out; after a trap or a timeout the instance is dropped and a fresh one takes
//! its place, because a trapped instance cannot be entered again.

mod bindings;
mod component;
mod convert;
mod instance;
mod overlay;
mod pool;
mod request;
mod routing;
mod table;
#[cfg(test)]
mod test;
mod worker;

pub use component::{CompileError, GATEWAY_COMPONENT};
pub use pool::{Engine, EngineConfig, EngineError, StartError};
pub use request::{FetchedDocument, InboundRequest};
pub use routing::EngineRouting;
pub use worker::Decided;
