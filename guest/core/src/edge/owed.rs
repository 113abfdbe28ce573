//! Deliveries of a document that were given up: their subscribers are owed what they tell, until the document changes again.

use crate::event::Event;
use crate::state::key;
use serde::{Deserialize, Serialize};

/// What was given up. What it tells is settled when it is tried again, so that one for each subscriber of a document is enough: the
/// newest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Owed {
    /// The subscription.
    pub subscription: String,
    /// The entry that its delivery was made of; its data stands where that of every event does.
    pub event: Event,
}

/// The key that has what is owed of a document, as a list.
#[must_use]
pub fn owed_key(url: &str) -> String {
    key("owed", "", url)
}

impl Owed {
    /// The list with those in it that were given up now.
    #[must_use]
    pub fn with(mut list: Vec<Self>, given_up: Vec<Self>) -> Vec<Self> {
        list.retain(|known| !given_up.iter().any(|new| new.subscription == known.subscription));
        list.extend(given_up);
        list
    }
}
