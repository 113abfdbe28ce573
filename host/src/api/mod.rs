//! The management API: what the gateway holds and how it is, over HTTP.
//!
//! [`router`] makes the whole of it from an [`Api`], which is what it looks at, and an [`Access`], which says who may.

mod access;
mod activity;
mod body;
mod call;
mod callback;
mod config;
mod cursor;
mod delivery;
mod document;
mod event;
mod explain;
mod fault;
mod flow;
mod health;
mod job;
mod kept;
mod openapi;
mod problem;
mod publish;
mod query;
mod reader;
mod rejection;
mod request;
mod resource;
mod router;
mod schedule;
mod schema;
mod section;
mod sending;
mod source;
mod status;
mod subscription;
mod telling;
#[cfg(test)]
pub(crate) mod test;
mod trial;

pub use access::Access;
pub(crate) use access::{bearer, wrong_token};
pub(crate) use body::{Json, OptionalJson, read as read_body};
pub use config::Configuration;
pub(crate) use fault::internal;
pub(crate) use problem::ProblemBody;
pub use problem::{PROBLEM_JSON, ProblemDetails};
pub(crate) use query::{NoParameters, Query, Segment};
pub use reader::{Presence, ReaderDocument};
pub use router::{Api, router};
pub(crate) use router::{not_stored, unknown_address, unknown_method};
#[cfg(feature = "cli")]
pub(crate) use schedule::ScheduleDocument;
pub use section::AdminConfig;
