//! The embedded store: one SQLite file in WAL mode, one thread that writes it in groups, readers beside it.
//!
//! - [`connection`] opens connections; [`lock`] keeps other gateways out, [`private`] other users; [`presence`] notices
//!   when the files are taken away; [`schema`] makes and migrates the tables.
//! - [`writer`] is the thread; [`job`] says what it can be handed; [`batch`] is one transaction of it, in one [`segment`]
//!   of the log.
//! - [`commit`], [`repetition`], [`settlement`], [`reschedule`], [`bulk`], [`call`], [`callback`], [`source`], [`resource`],
//!   [`subscription`], [`standing`] and [`expiry`] are what it is handed.
//! - [`lease`] knows which deliveries are being worked on; [`backlog`] which are open, and with [`open_range`] where those
//!   of a subscription begin; [`bound`] how many may be,
//!   [`lane`] which of them wait for each other.
//! - [`reader`] is the pool of reading connections; [`leasing`], [`reading`], [`listing`], [`row`] and [`details`] read
//!   what they are asked for; [`plan`] sees to it that none of them goes through a whole table.

mod attempt_journal;
mod backlog;
mod batch;
mod bound;
mod bulk;
mod call;
mod callback;
mod commit;
mod connection;
mod details;
mod error;
mod expiry;
mod interruption;
mod job;
mod lane;
mod lease;
mod leasing;
mod listing;
mod lock;
mod oldest_open;
mod open_range;
mod options;
mod plan;
mod presence;
mod private;
mod reader;
mod reading;
mod repetition;
mod reschedule;
mod resource;
mod row;
mod schema;
mod segment;
mod settlement;
mod source;
mod sqlite_store;
mod standing;
mod subscription;
#[cfg(test)]
mod tests;
mod writer;

pub use options::SqliteOptions;
pub use sqlite_store::SqliteStore;
