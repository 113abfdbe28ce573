//! The management API: what the gateway holds and how it is, over HTTP.
//!
//! [`router`] makes the whole of it from an [`Api`], which is what it looks at, and an [`Access`], which says who may.

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
mod publish;
mod query;
mod reader;
mod rejection;
mod request;
mod resource;
mod router;
mod schedule;
mod schema;
mod sending;
mod source;
mod status;
mod subscription;
mod telling;
#[cfg(test)]
pub(crate) mod test;
mod trial;

use crate::web::{Json, ProblemDetails, internal};
pub use config::Configuration;
pub use reader::{Presence, ReaderDocument};
pub use router::{Api, router};
#[cfg(feature = "cli")]
pub(crate) use schedule::ScheduleDocument;
