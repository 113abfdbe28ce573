//! Documents: put, deleted and shown under their own URLs, and their subscribers told of what is news to them.
//!
//! The gateway component decides with its writes held back. What it writes, the entry that it makes and the entry's deliveries go
//! out in one write, in the document's turn, so that no two changes of one document meet and none is half written. What a
//! subscriber is told is settled when its delivery runs, one at a time for each document, and what it has from then on is
//! written together with how the delivery ended.

mod api;
mod change;
mod telling;
mod turn;

pub(crate) use api::{Ask, answer, ask};
pub(crate) use change::written;
pub(crate) use telling::{Begun, End, Telling, Told, begin, settle};
