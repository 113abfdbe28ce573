//! Flows: functions whose finished steps are journaled, so that they go on after a restart.
//!
//! Pure: [`Journal`] is asked before each thing that a flow does, and answers with what is recorded of it, or that it is to be
//! done now; what it is told is added, within limits. Code that takes another way than its journal is a [`Difference`]. Time,
//! random numbers and results come in.

mod journal;
mod name;
mod record;
#[cfg(test)]
mod tests;

pub use journal::{Asked, Difference, Journal, JournalFull, JournalLimits, kept_for_retry};
pub use name::{
    FLOW_KEYS, ended_key, event_flow_id, flow_callback, flow_key, is_flow_callback, is_flow_id, is_flow_name,
    journal_key, journal_prefix,
};
pub use record::{Content, FlowRecord, FlowWait, StepOutcome, WaitOutcome, WrittenRecord};
