//! The face of the library: a gateway that is part of a program.
//!
//! [`AnglerfishBuilder`] says what there is, in code or by a configuration file; [`Anglerfish`] is the running gateway as
//! the program uses it. Below them the [`crate::gateway`] is the same one that the command line runs.

mod api;
mod builder;
mod delivery;
mod document;
mod event;
mod function;
mod resource;
mod running;
mod service;
mod source;
mod subscription;
mod topic;

pub use api::Api;
pub use builder::{AnglerfishBuilder, BuiltAnglerfish};
pub use delivery::Delivery;
pub use document::DocumentError;
pub use event::{EventError, NewEvent};
pub use resource::Resource;
pub use running::Anglerfish;
pub use service::IngressService;
pub use source::Source;
pub use subscription::Subscription;
pub use topic::Topic;
