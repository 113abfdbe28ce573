//! Places in the log, as configuration names them.

use crate::request::UnixMillis;

/// From where in the log on a new subscription gets events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StartPoint {
    /// From what comes after it was made.
    #[default]
    Now,
    /// From the oldest event that is kept.
    Earliest,
    /// From the event at this position.
    Position(u64),
    /// From what was received at this time.
    Time(UnixMillis),
}
