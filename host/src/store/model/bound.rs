//! How much may be open for a subscription, and what came of it.

#[cfg(any(test, feature = "sqlite"))]
use super::DeliveryId;
use anglerfish_core::config::Overflow;
#[cfg(any(test, feature = "sqlite"))]
use std::fmt;

/// What a full backlog had no room for, since the store was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OverflowCounts {
    /// New deliveries that were dead from the start.
    pub refused: u64,
    /// Open ones that were ended to make room.
    pub dropped: u64,
    /// Events that stayed in the log until there was room for them.
    pub held: u64,
}

impl OverflowCounts {
    /// All of them, each with the word of its policy.
    #[must_use]
    pub fn each(self) -> [(Overflow, u64); 3] {
        [(Overflow::Refuse, self.refused), (Overflow::DropOldest, self.dropped), (Overflow::Pause, self.held)]
    }
}

/// What of a bound was reached.
#[cfg(any(test, feature = "sqlite"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Limit {
    /// How many may be open.
    Deliveries(u64),
    /// How many bytes of data they may have together.
    Bytes(u64),
}

#[cfg(any(test, feature = "sqlite"))]
impl fmt::Display for Limit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deliveries(most) => write!(formatter, "{most} deliveries were open, and no more may be"),
            Self::Bytes(most) => {
                write!(formatter, "with it more than {most} bytes of data were open, and no more may be")
            }
        }
    }
}

/// Why a delivery that found the backlog full is dead from the start.
#[cfg(any(test, feature = "sqlite"))]
pub(in crate::store) fn refused(limit: Limit) -> String {
    format!("refused: {limit}")
}

/// Why a delivery was ended for a newer one.
#[cfg(any(test, feature = "sqlite"))]
pub(in crate::store) fn dropped(limit: Limit, newer: DeliveryId) -> String {
    format!("dropped for delivery {newer}: {limit}")
}
