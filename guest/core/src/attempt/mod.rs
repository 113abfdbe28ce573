//! The request of one attempt: the fields that every shell sends with an event's data, whatever sends them.

mod header;

pub use header::{HeaderError, headers};
