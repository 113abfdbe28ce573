//! Accepting connections: one loop for every listener, with limits on slow senders and a graceful end.

mod listener;

pub use listener::{Limits, Listener};
