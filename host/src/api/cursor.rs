//! Places in listings, as clients see them: text that means nothing to them.

use super::ProblemDetails;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use utoipa::ToSchema;

/// A part of a listing.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Listing<T> {
    /// The items.
    pub(super) items: Vec<T>,
    /// The `cursor` of the next part; `null` at the end.
    #[schema(required)]
    pub(super) next: Option<String>,
}

/// Which listing a cursor belongs to; the one of another listing is refused.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Event,
    Call,
    Delivery,
    Document,
    Follower,
    Job,
    Rejection,
    Resource,
    Subscription,
}

impl Kind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Event => "event:",
            Self::Call => "call:",
            Self::Delivery => "delivery:",
            Self::Document => "document:",
            Self::Follower => "follower:",
            Self::Job => "job:",
            Self::Rejection => "rejection:",
            Self::Resource => "resource:",
            Self::Subscription => "subscription:",
        }
    }
}

/// The cursor behind an item.
pub(super) fn write(kind: Kind, last: impl std::fmt::Display) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}{last}", kind.prefix()))
}

/// The item that a cursor stands behind.
pub(super) fn read<T: std::str::FromStr>(kind: Kind, cursor: &str) -> Result<T, ProblemDetails> {
    let decoded = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded
        .as_deref()
        .and_then(|text| text.strip_prefix(kind.prefix()))
        .and_then(|last| last.parse().ok())
        .ok_or_else(|| ProblemDetails::bad_request("invalid-query", "`cursor` is not one of this listing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_item_in_its_own_listing_only() {
        let cursor = write(Kind::Event, 42);
        assert_eq!(read::<i64>(Kind::Event, &cursor).unwrap(), 42);
        assert!(read::<i64>(Kind::Delivery, &cursor).is_err());
        for wrong in ["", "42", "%", &write(Kind::Event, "x"), &cursor[1..]] {
            assert!(read::<i64>(Kind::Event, wrong).is_err(), "{wrong}");
        }
    }
}
