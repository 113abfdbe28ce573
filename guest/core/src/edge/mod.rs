//! The gateway where there is no database and no process that stays: a key-value store, and instances that live from one
//! request to the next.
//!
//! [`Outbox`] keeps what was accepted until it is settled. [`Deployment`] is a configuration in the form in which such a
//! shell keeps it, with what it could not do refused, and [`Directory`] what it looks up of it; [`Turns`] keep apart those that change one document. Nothing here does I/O: the store is a [`Bucket`], the time
//! is handed in.

mod bucket;
mod claim;
mod deployment;
mod directory;
mod enrolment;
mod grant;
mod kept;
mod lease;
mod outbox;
mod owed;
mod packed;
mod place;
mod plugin;
mod record;
mod refusal;
mod scan;
mod survey;
#[cfg(test)]
mod tests;
mod turn;

pub use bucket::Bucket;
pub use claim::Claimed;
pub use deployment::{Deployment, outbound_hosts};
pub use directory::Directory;
pub use enrolment::{Enrolled, MOST_FOLLOWERS, MOST_FORMER, subscription_of};
pub use grant::{OpenedNetworks, blocked_networks, instance_memory, opened_networks};
pub use kept::PluginKept;
pub use lease::LEASE;
pub use outbox::{Beside, NewEvent, Outbox, Unit, claim_key};
pub use owed::{Owed, owed_key};
pub use packed::PackedConfiguration;
pub use place::{Slots, Wheel};
pub use plugin::{
    EdgePlugin, MOST_ANSWERED, PluginAnswer, PluginQuestion, plugin_component, plugin_message, plugin_origin,
    read_plugin_message,
};
pub use record::{
    AttemptRecord, DeliveryRecord, DeliveryStatus, ErrorRecord, EventRecord, FailureRecord, WorkRecord,
    delivery_id, split_delivery_id,
};
pub use refusal::{LONGEST_ATTEMPT, refusals};
pub use survey::Survey;
pub use turn::{Turn, Turns};
