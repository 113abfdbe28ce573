//! Who notices the end of a part: every task and every thread that works for long is kept by a [`Supervisor`].
//!
//! A part that panics is logged and counted, and comes back; while it is down [`Readiness`] says no. This room knows no
//! other but readiness, so that every room can hand its parts over to it. See `docs/decisions/0013-supervision.md`.
//!
//! [`Readiness`]: crate::telemetry::Readiness

mod pace;
mod panic;
mod supervisor;

pub use panic::install_hook;
pub use supervisor::Supervisor;
