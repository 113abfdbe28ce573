//! Running the gateway component under wasmtime.
//!
//! Warm instances, their routing tables loaded, one for each deciding thread; a thread that has read a request takes one
//! that is free, and asks the deciding threads only for what may take long. Threads of their own explain and keep the
//! table, so that neither holds a decision up. A call has a deadline (epoch interruption), a memory limit and a limit on
//! what it may copy out; after a trap or a timeout the instance is dropped and a fresh one takes its place, because a
//! trapped instance cannot be entered again.

mod bindings;
mod component;
mod convert;
mod document;
mod error;
mod explainer;
mod factory;
mod instance;
mod job;
mod keeper;
mod memory;
mod overlay;
mod pool;
mod request;
mod slot;
mod table;
#[cfg(test)]
mod test;
mod warm;
mod worker;

pub use component::{CompileError, GATEWAY_COMPONENT, gateway_hash};
pub(crate) use component::{compiled, prune};
pub use document::{DocumentAnswer, DocumentQuestion, DocumentRequest};
pub use error::{EngineError, StartError, TableError};
pub use job::Decided;
pub use pool::{Engine, EngineConfig};
pub use request::{FetchedDocument, InboundRequest};
