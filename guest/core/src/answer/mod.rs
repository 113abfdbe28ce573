//! What the sender of a request reads: the same status, header fields and bytes from every shell.
//!
//! [`crate::exchange`] says which of these answers follows from a decision.

mod fault;
mod problem_json;
mod reply;

pub use fault::Fault;
pub use problem_json::title;
pub use reply::Reply;
