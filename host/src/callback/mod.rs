//! Callbacks: addresses that a program hands to somebody and awaits.
//!
//! An address is on disk before it is shown; what comes there is in the log before it is answered, and waits in an inbox with a
//! cursor. [`Callbacks`] is what programs ask, here and through the management API; [`intake`] takes what comes in, and
//! [`requirement`] says what is asked of it; [`Callback`] is one that is held by this program.

mod callbacks;
mod error;
mod held;
mod intake;
mod metric;
mod options;
mod requirement;

pub use callbacks::{CallbackParts, Callbacks, Next, ReceivedCallback};
pub use error::CallbackError;
pub use held::{Callback, CallbackBuilder};
pub use metric::CallbackMetrics;
pub use options::{CallbackOptions, CallbackReply, Rules};
