//! Events that the program publishes.

use crate::clock;
use crate::config::listed;
use crate::publish::{self, PublishError, Published, Sources};
use anglerfish_core::problem::Problem;
use anglerfish_core::request::UnixMillis;
use bytes::Bytes;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::SystemTime;

/// An event to publish, with the attributes of CloudEvents 1.0.
///
/// ```
/// use anglerfish::NewEvent;
///
/// let event = NewEvent::new("/orders", "order.created").id("order-7").json(&serde_json::json!({"total": 120}))?;
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    attributes: BTreeMap<String, String>,
    data: Bytes,
}

/// Why events were not published. None of them was.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EventError {
    /// They have these problems, each with the place of its event and its attribute.
    #[error("the event has {} problem(s): {}", .0.len(), listed(.0))]
    Invalid(Vec<Problem>),
    /// They cannot be published now.
    #[error(transparent)]
    Unpublished(#[from] PublishError),
}

impl NewEvent {
    /// One of this type, from this source: any text that says where it comes from, a URI as a rule, but none of the gateway's
    /// own (`anglerfish`, `anglerfish.documents`, that of a topic). Without more said it has
    /// a new id, the present time and no data.
    #[must_use]
    pub fn new(source: impl Into<String>, kind: impl Into<String>) -> Self {
        let attributes =
            BTreeMap::from([("source".to_owned(), source.into()), ("type".to_owned(), kind.into())]);
        Self { attributes, data: Bytes::new() }
    }

    /// Gives it an id: one whose source and id are in the log already is not published again.
    #[must_use]
    pub fn id(self, id: impl Into<String>) -> Self {
        self.attribute("id", id)
    }

    /// Says what it is about.
    #[must_use]
    pub fn subject(self, subject: impl Into<String>) -> Self {
        self.attribute("subject", subject)
    }

    /// Says when it happened, in milliseconds: from 1970 to 9999. A time before that is taken for 1970.
    #[must_use]
    pub fn time(self, time: SystemTime) -> Self {
        let text = clock::millis(time).rfc3339();
        // It is refused as no time.
        self.attribute("time", text.unwrap_or_else(|| "behind the year 9999".to_owned()))
    }

    /// Sets an extension attribute (lower-case letters and digits), or one of the others by its name in CloudEvents.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.insert(name.into(), value.into());
        self
    }

    /// Gives it data of this media type, byte for byte.
    #[must_use]
    pub fn data(mut self, media_type: impl Into<String>, data: impl Into<Bytes>) -> Self {
        self.data = data.into();
        self.attribute("datacontenttype", media_type)
    }

    /// Gives it data as JSON.
    ///
    /// # Errors
    ///
    /// As `serde_json` says: a map whose keys are no texts, say.
    pub fn json<T: Serialize + ?Sized>(self, data: &T) -> Result<Self, serde_json::Error> {
        Ok(self.data("application/json", serde_json::to_vec(data)?))
    }

    /// The event as it is published; `place` stands in front of problems.
    pub(super) fn into_published(self, place: &str, now: UnixMillis) -> Result<Published, Vec<Problem>> {
        let Self { mut attributes, data } = self;
        attributes.entry("id".to_owned()).or_insert_with(|| clock::request_id(now));
        attributes.insert("specversion".to_owned(), "1.0".to_owned());
        publish::checked(attributes, data, place, Sources::Others, now)
    }
}
