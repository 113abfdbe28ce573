//! What the sender of a request reads: the same status, header fields and bytes from every shell.
//!
//! The functions take the parts of a decision rather than [`crate::decision::Decision`], because a shell holds the
//! types that its own bindings generate.

mod fault;
mod problem_json;
mod reply;

pub use fault::Fault;
pub use problem_json::title;
pub use reply::Reply;
