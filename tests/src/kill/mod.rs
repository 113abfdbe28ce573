//! A gateway that is killed again and again under load: with retries, with deliveries in the order of keys, and with leases.
//!
//! Four promises are held against what senders, receivers and subscribers see: whatever was accepted arrives everywhere, each
//! event is stored once, of one key nothing begins before what is older has ended, and a lease that is over settles nothing.

mod campaign;
mod ledger;
mod load;
mod subscriber;

pub use campaign::{KillPlan, KillReport, kill_again_and_again};
