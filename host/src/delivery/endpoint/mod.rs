//! Where deliveries go: an HTTP endpoint, made ready once, and the attempts that call it.

mod attempt;
mod request;
mod secret;
mod target;

pub(super) use attempt::{Failure, Tried, attempt};
pub(super) use target::Target;
