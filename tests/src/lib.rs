//! The harness of the black-box tests: a gateway as a process, receivers of its deliveries, clients, signatures.
//!
//! The tests themselves are in `tests/`, one file per concern. They run the binary that `ANGLERFISH_TEST_BINARY` names.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

mod cache;
mod client;
mod contract;
mod foreign;
mod gateway;
mod kill;
mod ran;
mod receiver;
mod relay;
mod running;
mod sign;
mod stomp;
mod stream;
mod wait;
pub mod websocket;

pub use client::{Answer, Request, header, send};
pub use contract::Contract;
pub use foreign::Foreign;
pub use gateway::{Gateway, Setup, binary, free_port};
pub use kill::{KillPlan, KillReport, kill_again_and_again};
pub use ran::Ran;
pub use receiver::{Received, Receiver, Reply};
pub use relay::Relay;
pub use running::Running;
pub use sign::{Headers, github, now, slack, standard, verify_standard};
pub use stomp::{StompClient, StompFrame};
pub use stream::{SseEvent, Stream};
pub use wait::{PATIENCE, eventually};
pub use websocket::WebSocket;
