//! The face of the library: a gateway that is part of a program.
//!
//! [`AnglerfishBuilder`] says what there is, in code or by a configuration file; [`Anglerfish`] is the running gateway as
//! the program uses it. Below them the [`crate::gateway`] is the same one that the command line runs.

mod builder;
mod delivery;
mod event;
mod function;
mod running;
mod service;
mod source;
mod subscription;

pub use builder::{AnglerfishBuilder, BuiltAnglerfish};
pub use delivery::Delivery;
pub use event::{EventError, NewEvent};
pub use running::Anglerfish;
pub use service::IngressService;
pub use source::Source;
pub use subscription::Subscription;
