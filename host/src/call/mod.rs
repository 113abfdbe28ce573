//! Outgoing calls: requests to other systems' APIs that are written down, attempted until they have an answer or none will
//! come, and kept with it.
//!
//! [`Calls`] takes requests and answers questions about them; [`lane`] says for each API which of them has its turn,
//! [`run`] makes one attempt, and [`ledger`] writes whatever happens, as entries of the log and as the state of the request in
//! one transaction. What follows from what is the core's ([`anglerfish_core::call`]).

mod api;
mod calls;
mod configuration;
mod driver;
mod entry;
mod error;
mod exchange;
mod host;
mod lane;
mod ledger;
mod metric;
mod request;
mod run;

pub use api::{ApiDefinition, ApiReport};
pub use calls::{CallParts, Calls};
pub use error::CallError;
pub use metric::CallMetrics;
pub use request::NewCall;
