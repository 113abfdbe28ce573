//! Secrets in a configuration: how they are referred to, put where they belong, and shown.
//!
//! Where they can stand is one list, the core's; resolving references, hiding what must not be shown and refusing what
//! was hidden before are all derived from it.

mod doubt;
mod place;
mod resolver;
mod text;

pub(crate) use doubt::{configuration_doubts, doubts};
pub(crate) use resolver::Resolver;
pub(super) use text::is_reference;
pub use text::{HIDDEN, has_reference, shown};
