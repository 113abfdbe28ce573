//! How much may be open for a subscription, and what came of it.

use super::DeliveryId;
use anglerfish_core::config::Overflow;

/// What a full backlog had no room for, since the store was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OverflowCounts {
    /// New deliveries that were dead from the start.
    pub refused: u64,
    /// Open ones that were ended to make room.
    pub dropped: u64,
    /// Commits that were turned away as a whole.
    pub pushed_back: u64,
}

impl OverflowCounts {
    /// All of them, each with the word of its policy.
    #[must_use]
    pub fn each(self) -> [(Overflow, u64); 3] {
        [
            (Overflow::Refuse, self.refused),
            (Overflow::DropOldest, self.dropped),
            (Overflow::PushBack, self.pushed_back),
        ]
    }
}

/// Why a delivery that found the backlog full is dead from the start.
pub(in crate::store) fn refused(max: u64) -> String {
    format!("refused: {max} deliveries were open, and no more may be")
}

/// Why a delivery was ended for a newer one.
pub(in crate::store) fn dropped(max: u64, newer: DeliveryId) -> String {
    format!("dropped for delivery {newer}: {max} deliveries were open, and no more may be")
}
