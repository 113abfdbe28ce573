//! Documents that decisions ask for: certificates, keys, confirmations from a provider's own host.
//!
//! The component pins the host; this room opens the connection, bounds it, and keeps the answers that may be kept.

mod cache;

pub use cache::DocumentCache;
