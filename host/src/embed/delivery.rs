//! What a function is called with.

use crate::store::LeasedDelivery;
use anglerfish_core::event::Event;
use bytes::Bytes;
use serde::de::DeserializeOwned;

/// An event for a subscription whose deliveries a function of the program takes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery {
    /// The delivery's number, the same with each attempt.
    pub id: i64,
    /// The subscription.
    pub subscription: String,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// The event's attributes. Its `source` and `id` together tell it from all others, and stay the same however often it
    /// comes.
    pub event: Event,
    /// The header fields that were kept of the request that brought it, in lower case; none if it was published.
    pub headers: Vec<(String, String)>,
    /// The event's data, byte for byte.
    pub data: Bytes,
}

impl Delivery {
    /// The data, read as JSON.
    ///
    /// # Errors
    ///
    /// It is no JSON, or JSON of another form.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.data)
    }
}

impl From<LeasedDelivery> for Delivery {
    fn from(delivery: LeasedDelivery) -> Self {
        let LeasedDelivery { id, subscription, event, data, headers, attempts, .. } = delivery;
        let attempt = attempts.saturating_add(1);
        Self { id: id.0, subscription, attempt, event, headers: headers.to_vec(), data }
    }
}
