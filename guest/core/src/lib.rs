//! The pure logic of the Anglerfish event gateway: no I/O, no clock, no randomness.
//!
//! Time, state and randomness come in as arguments, so that one decision can be replayed, explained, simulated and
//! fuzzed. The gateway component is a thin shell over this crate; the native host uses the same crate for what happens
//! outside the component (signing what goes out, settling attempts by policy, reading the configuration document).

#![deny(clippy::disallowed_methods)]

pub mod answer;
pub mod attempt;
pub mod call;
pub mod callback;
pub mod config;
pub mod decision;
pub mod delivery;
pub mod edge;
pub mod event;
pub mod exchange;
pub mod flow;
mod message;
mod node;
pub mod policy;
pub mod problem;
pub mod request;
pub mod resource;
pub mod router;
mod secret;
pub mod sign;
pub mod state;
pub mod stomp;
pub mod verify;
