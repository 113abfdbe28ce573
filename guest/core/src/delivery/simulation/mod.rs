//! The engine with a model store and a model network under one seeded scheduler.
//!
//! A [`plan`](plan::Plan) says what befalls a world: events, outages, crashes, clocks that are set, leases that run out,
//! subscriptions that come and go. The [`world`](world::World) plays it against the engine and watches that
//! - what was committed is attempted until a final state, within bounded time once all troubles are over;
//! - no attempt starts after a final state;
//! - no lease is ended twice;
//! - a [job](job::Job) does all of its work and nothing twice, whenever the process dies;
//! - neither a subscription's concurrency nor that of all together is exceeded;
//! - an [island's](island) troubles move nobody else's schedule.
//!
//! The same seed is the same history, to the last step. `cargo xtask simulate --seeds 1000000` plays as many as one
//! likes; a seed that fails is shrunk to the few actions that matter and printed, and `--seed N` plays it again.

mod campaign;
mod expectation;
mod island;
mod job;
mod network;
mod plan;
mod random;
mod store;
mod world;
