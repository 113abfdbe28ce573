//! The embedded store: one SQLite file in WAL mode, one thread that writes it in groups, readers beside it.
//!
//! - [`connection`] opens connections; [`lock`] keeps other gateways out, [`private`] other users;
//!   [`schema`] makes and migrates the tables.
//! - [`writer`] is the thread; [`job`] is what it is handed; [`batch`] is one transaction of it.
//! - [`commit`], [`settlement`], [`reopening`], [`subscription`] and [`expiry`] are the jobs.
//! - [`lease`] knows which deliveries are being worked on; [`backlog`] counts the open ones.
//! - [`reader`] is the pool of reading connections; [`listing`] and [`row`] read what they are asked for.

mod backlog;
mod batch;
mod commit;
mod connection;
mod error;
mod expiry;
mod job;
mod lease;
mod listing;
mod lock;
mod options;
mod private;
mod reader;
mod reopening;
mod row;
mod schema;
mod settlement;
mod sqlite_store;
mod subscription;
#[cfg(test)]
mod tests;
mod writer;

pub use options::SqliteOptions;
pub use sqlite_store::SqliteStore;
