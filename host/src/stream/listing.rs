//! Who reads, as the management API shows it.

use super::handler::at;
use super::registry::Streams;
use crate::api::{Presence, ReaderDocument};

impl Presence for Streams {
    fn readers(&self, subscription: Option<&str>) -> Vec<ReaderDocument> {
        let head = self.head();
        let records = self.shared.places.readers(subscription).into_iter();
        records
            .map(|record| ReaderDocument {
                behind: record.behind(head),
                id: record.number,
                subscription: (*record.subscription).to_owned(),
                protocol: record.protocol,
                address: record.address.to_string(),
                user_agent: record.agent,
                since: record.since.rfc3339(),
                position: record.position.map(|position| at(self, position)),
                events: record.events,
            })
            .collect()
    }
}
