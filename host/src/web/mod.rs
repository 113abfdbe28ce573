//! What all addresses over HTTP share that are not those of senders: who may use them, how requests are read, and how errors are
//! answered.

mod access;
pub(crate) mod body;
#[cfg(feature = "api")]
mod description;
mod fallback;
pub(crate) mod fault;
mod problem;
mod query;
mod section;

pub use access::Access;
pub(crate) use access::{bearer, wrong_token};
pub(crate) use body::{Json, OptionalJson, read as read_body};
pub(crate) use fallback::{not_stored, unknown_address, unknown_method};
pub(crate) use fault::internal;
pub use problem::{PROBLEM_JSON, ProblemDetails};
pub(crate) use query::{NoParameters, Query, Segment};
pub use section::AdminConfig;
#[cfg(feature = "api")]
pub(crate) use {description::ProblemBody, problem::DocumentProblem};
