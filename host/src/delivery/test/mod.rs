//! Deliveries against real receivers and a real store.

mod driver;
pub(crate) mod flaky;
mod island;
mod outcome;
mod passive;
mod receiver;
mod recovery;
mod rig;
mod secure;
mod standing;
