//! An accepted request's attributes, in the words of CloudEvents 1.0.

use crate::request::UnixMillis;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The extension attribute that says how the data is coded (`gzip`), where its sender did.
pub(crate) const CONTENT_CODING: &str = "contentencoding";

/// CloudEvents context attributes of one event. The data stays with the request that carried it.
///
/// `source` and `id` together are unique: a second request with the same pair is a duplicate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The provider's identifier of the event, or the one that the shell gave its request.
    pub id: String,
    /// The name of the source that the request came in through.
    pub source: String,
    /// The provider's type of the event, or the source's name.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the event is about, where the provider says so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<String>,
    /// When it happened: the provider's time where it gives one, else when it was received. Unix milliseconds.
    #[serde(with = "crate::event::millis")]
    pub time: UnixMillis,
    /// The media type of the data, as the request's `Content-Type` said it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub datacontenttype: Option<String>,
    /// CloudEvents extension attributes by name (lower-case letters and digits), each as the text that CloudEvents 1.0,
    /// section 3.1, gives for its type. Filters see them as `event.extensions.NAME`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub extensions: BTreeMap<String, String>,
}

/// Serialises an instant as a number of milliseconds.
pub(crate) mod millis {
    use crate::request::UnixMillis;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
    pub(crate) fn serialize<S: Serializer>(time: &UnixMillis, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(time.0)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UnixMillis, D::Error> {
        u64::deserialize(deserializer).map(UnixMillis)
    }
}
