//! Outgoing calls: the state of one request, from what has happened to it; and what is sent.
//!
//! A [`CallHistory`] is a list of records. It says what is to be done next and takes what happened; the same records in the
//! same order give the same state, without a clock, a policy or a side effect. [`judge`] makes a record of what became of an
//! attempt: it is where the policy has its say, once. A [`Gate`] says when attempts at one API may start.

mod gate;
mod history;
mod host;
mod judgement;
mod record;
mod request;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

pub use gate::{Gate, Held, Standing, standing};
pub use history::{CallHistory, CallState, Effect, Misfit, Todo};
pub use host::HostTurns;
pub use judgement::{AttemptEnd, expired, interrupted, judge, unanswered};
pub use record::{CallRecord, Happened, RecordClass};
pub use request::{CallRequest, RequestFault, outgoing};
