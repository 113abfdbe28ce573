//! One inbound request, as a shell hands it to the component.

mod connection;
mod credential;
mod header_block;

pub use connection::is_of_connection;
pub use credential::hide_parameters;
pub use header_block::{header_block, read_header_block};

use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// Whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// The same instant given as whole seconds; saturates at the largest representable one.
    #[must_use]
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// So much later, in whole milliseconds; saturates at the largest representable instant.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)))
    }

    /// The instant as RFC 3339 writes it, in UTC. `None` beyond the year 9999, which that format cannot write.
    #[must_use]
    pub fn rfc3339(self) -> Option<String> {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000).ok()?.format(&Rfc3339).ok()
    }

    /// Reads an instant as RFC 3339 writes it. `None` if it is none, or before 1970.
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let nanos = OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp_nanos();
        u64::try_from(nanos).ok().map(|nanos| Self(nanos / 1_000_000))
    }
}

/// A request's id: a UUID of version 7 (RFC 9562, section 5.7), so that ids grow with the time of receipt and two
/// requests of one millisecond differ in 74 random bits. The core draws no random numbers: they come in.
#[must_use]
pub fn request_id(received: UnixMillis, random: [u8; 10]) -> String {
    uuid::Builder::from_unix_timestamp_millis(received.0, &random).into_uuid().to_string()
}

/// One header field. A name may occur several times, in the order received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// The field's name in whatever case it came; compared without regard to ASCII case.
    pub name: &'a str,
    /// The raw value; HTTP allows bytes that are not UTF-8.
    pub value: &'a [u8],
}

/// The answer to a [`crate::decision::Fetch`] that an earlier decision about the same request asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetched<'a> {
    /// The URL exactly as the decision named it.
    pub url: &'a str,
    /// The HTTP status, or `None` if no answer was had.
    pub status: Option<u16>,
    /// The answer's body; empty if no answer was had.
    pub body: &'a [u8],
}

/// The data of a request's event: its body, or the query of a GET without a body, which is then a form of the media type
/// `application/x-www-form-urlencoded`.
#[must_use]
pub fn event_data<'a>(method: &str, url: &'a str, body: &'a [u8]) -> &'a [u8] {
    if method == "GET" && body.is_empty() {
        return url.split_once('?').map_or(b"", |(_, query)| query.as_bytes());
    }
    body
}

/// One inbound request.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// A name that the shell gives to this request and to no other, such as [`request_id`] makes; a decision that is made
    /// anew is about the same one.
    pub id: &'a str,
    /// The source's name: the last segment of `/in/{source}`.
    pub source: &'a str,
    /// The HTTP method in upper case.
    pub method: &'a str,
    /// The full URL as the sender addressed it, including the query.
    pub url: &'a str,
    /// The header fields in the order received, without those of the connection ([`is_of_connection`]) and with `host`,
    /// whichever version of HTTP they came by.
    pub headers: Vec<Header<'a>>,
    /// The body, byte for byte.
    pub body: &'a [u8],
    /// When the shell received the request.
    pub received: UnixMillis,
    /// What the shell put in front of the URL's path because a proxy took it away; empty if nothing. Decides nothing.
    pub added_prefix: &'a str,
    /// Answers to what an earlier decision about this request asked the shell to fetch.
    pub fetched: Vec<Fetched<'a>>,
}

impl<'a> Request<'a> {
    /// Whether it says what it says in the query of a GET, as some providers can be set to.
    pub(crate) fn is_query(&self) -> bool {
        self.method == "GET" && self.body.is_empty()
    }

    /// The data of the event that it is: see [`event_data`].
    pub(crate) fn data(&self) -> &'a [u8] {
        event_data(self.method, self.url, self.body)
    }

    /// All values of a header field, in order; the name is compared without regard to ASCII case.
    pub fn header_values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.headers
            .iter()
            .filter(move |header| header.name.eq_ignore_ascii_case(name))
            .map(|header| header.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_as_rfc_3339_as_far_as_that_can_write_them() {
        assert_eq!(UnixMillis(0).rfc3339().as_deref(), Some("1970-01-01T00:00:00Z"));
        assert_eq!(UnixMillis(1_700_000_000_123).rfc3339().as_deref(), Some("2023-11-14T22:13:20.123Z"));
        assert_eq!(UnixMillis(u64::MAX).rfc3339(), None);
    }

    #[test]
    fn an_id_holds_the_time_and_the_random_bits_that_it_was_made_of() {
        let id = request_id(
            UnixMillis(0x017F_22E2_79B0),
            [0xcc, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f],
        );
        // The example of RFC 9562, appendix A.6.
        assert_eq!(id, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    }

    #[test]
    fn instants_are_read_with_any_offset_and_not_before_1970() {
        let read = UnixMillis::from_rfc3339;
        assert_eq!(read("2023-11-14T23:13:20.1239+01:00"), Some(UnixMillis(1_700_000_000_123)));
        assert_eq!(read("1970-01-01T00:00:00Z"), Some(UnixMillis(0)));
        for text in ["1969-12-31T23:59:59.999Z", "2023-11-14T22:13:20", "2023-11-14", "1700000000", ""] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
