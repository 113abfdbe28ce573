//! The delivery engine: which delivery is attempted when, over all subscriptions.
//!
//! A state machine without I/O, clock or randomness. It is told what happened by `handle_*`, each with the time, and
//! says what to do by [`Engine::poll`]: lease, attempt, record, give back, and when to wake it. A shell drives it with a
//! clock, a store and endpoints; the simulation beside it drives it with models of the three, so that each rule here
//! has met many thousand histories before it meets a socket.
//!
//! A subscription is an island: it has its own concurrency, its own backlog and its own troubles. While it is idle it
//! is a few hundred bytes of data.

mod alarm;
mod backoff;
mod breaker;
mod engine;
mod entropy;
mod fault;
mod flow;
mod health;
mod line;
mod model;
mod queue;
mod rate;
mod registry;
mod shared;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
mod turn;

pub use breaker::{Breaker, Probe};
pub use engine::{Engine, EngineConfig};
pub use model::{
    AttemptId, DisableCause, Leased, Line, Lines, Now, Output, PacedRate, QueueStatus, Recorded, Restored,
    Standing, StoreFault, SubscriptionKey, Waiting, Work, WorkLease,
};
pub use rate::Limiter;
pub use shared::SharedRate;
