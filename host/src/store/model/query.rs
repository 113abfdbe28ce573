//! What is listed.

use super::{DeliveryId, DeliveryStatus, EventSeq};
use anglerfish_core::request::UnixMillis;

/// The order of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Newest first.
    #[default]
    Newest,
    /// Oldest first.
    Oldest,
}

/// Which events to list.
#[derive(Debug, Clone, Default)]
pub struct EventQuery {
    /// Only of this source.
    pub source: Option<String>,
    /// Only of this type.
    pub kind: Option<String>,
    /// Only those on which the filter of this subscription failed.
    pub failed: Option<String>,
    /// Only received at this time or later.
    pub since: Option<UnixMillis>,
    /// Only received before this time.
    pub until: Option<UnixMillis>,
    /// Only behind this position, in the order of the listing.
    pub cursor: Option<EventSeq>,
    /// At most so many.
    pub limit: usize,
    /// In this order.
    pub order: Order,
}

/// Which deliveries to list.
#[derive(Debug, Clone, Default)]
pub struct DeliveryQuery {
    /// Only for this subscription.
    pub subscription: Option<String>,
    /// Only with this status.
    pub status: Option<DeliveryStatus>,
    /// Only of this event.
    pub event: Option<EventSeq>,
    /// Only made at this time or later.
    pub since: Option<UnixMillis>,
    /// Only made before this time.
    pub until: Option<UnixMillis>,
    /// Only older than this one.
    pub cursor: Option<DeliveryId>,
    /// At most so many.
    pub limit: usize,
}

/// A part of a listing.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Whether there are more behind the last one.
    pub more: bool,
}
