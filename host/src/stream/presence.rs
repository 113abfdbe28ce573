//! Who reads, as operators are told.

use super::handler::at;
use super::registry::Streams;
use crate::api::{Presence, ReaderDocument};
use crate::store::EventSeq;
use anglerfish_core::request::UnixMillis;
use std::net::IpAddr;
use std::sync::Arc;

/// One who reads.
#[derive(Debug, Clone)]
pub(super) struct ReaderRecord {
    /// What it is named by as long as the process runs.
    pub(super) number: u64,
    pub(super) subscription: Arc<str>,
    pub(super) protocol: &'static str,
    pub(super) address: IpAddr,
    pub(super) agent: Option<String>,
    pub(super) since: UnixMillis,
    /// Up to where it was given the log.
    pub(super) position: EventSeq,
    /// How many events it was given.
    pub(super) events: u64,
}

impl Presence for Streams {
    fn readers(&self, subscription: Option<&str>) -> Vec<ReaderDocument> {
        let head = *self.shared.log.head().borrow();
        let records = self.shared.places.readers(subscription).into_iter();
        records
            .map(|record| ReaderDocument {
                id: record.number,
                subscription: (*record.subscription).to_owned(),
                protocol: record.protocol,
                address: record.address.to_string(),
                user_agent: record.agent,
                since: record.since.rfc3339(),
                position: at(self, record.position),
                behind: u64::try_from(head.0.saturating_sub(record.position.0)).unwrap_or_default(),
                events: record.events,
            })
            .collect()
    }
}
