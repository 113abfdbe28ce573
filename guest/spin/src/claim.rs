//! Who of several instances accepts an event that reaches them at the same moment.
//!
//! The store has no transactions, but it counts atomically: who takes the first number of an event's claim accepts the
//! event, the others wait for its record. One who accepts and dies before the record is there leaves a claim that
//! nobody else can take; whoever has waited long enough goes on to a second claim. So an event is accepted twice only if
//! an instance takes longer than that to write it, and is never refused for good.

use crate::bucket::Bucket;
use crate::clock;
use crate::outbox::outbox;
use anglerfish_core::edge::{Bucket as _, claim_key};
use spin_sdk::time::sleep;
use std::time::Duration;

/// How long one instance may take from its claim to the event's record.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often those who wait look.
const PAUSE: Duration = Duration::from_millis(20);

/// How many claims are waited for: two instances that died one after the other.
const MOST: u32 = 3;

/// How a claim ended.
pub(crate) enum Claim {
    /// The event is this instance's to accept; the claim's key is to be deleted if that fails.
    Taken(String),
    /// Another instance has accepted it.
    Kept,
    /// Others have it and have not written it yet.
    Busy,
}

/// Claims an event.
pub(crate) async fn claim(source: &str, id: &str) -> Result<Claim, String> {
    for turn in 1..=MOST {
        let key = claim_key(source, id, turn);
        if Bucket::open()?.increment(&key, 1)? == 1 {
            return Ok(Claim::Taken(key));
        }
        let patience = u64::try_from(PATIENCE.as_millis()).unwrap_or(u64::MAX);
        let until = clock::now().saturating_add(patience);
        loop {
            if outbox(|outbox| outbox.is_kept(source, id))? {
                return Ok(Claim::Kept);
            }
            if clock::now() >= until {
                break;
            }
            sleep(PAUSE).await;
        }
    }
    Ok(Claim::Busy)
}
