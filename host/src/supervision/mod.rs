//! Who notices the end of a part: every task and every thread that works for long is kept by a [`Supervisor`].
//!
//! A part that panics is logged and counted, and comes back; while it is down [`Readiness`] says no. This room knows no
//! other, so that every room can hand its parts over to it. See `docs/decisions/0013-supervision.md`.

mod pace;
mod panic;
mod readiness;
mod supervisor;

pub use panic::install_hook;
pub(crate) use panic::reason;
pub use readiness::{Latch, Readiness};
pub use supervisor::Supervisor;
