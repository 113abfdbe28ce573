//! One inbound request, as a shell hands it to the component.

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

/// One inbound request.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The source's name: the last segment of `/in/{source}`.
    pub source: &'a str,
    /// The HTTP method in upper case.
    pub method: &'a str,
    /// The full URL as the sender addressed it, including the query.
    pub url: &'a str,
    /// The header fields in the order received.
    pub headers: Vec<Header<'a>>,
    /// The body, byte for byte.
    pub body: &'a [u8],
    /// When the shell received the request.
    pub received: UnixMillis,
    /// Answers to what an earlier decision about this request asked the shell to fetch.
    pub fetched: Vec<Fetched<'a>>,
}

impl<'a> Request<'a> {
    /// All values of a header field, in order; the name is compared without regard to ASCII case.
    pub fn header_values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.headers
            .iter()
            .filter(move |header| header.name.eq_ignore_ascii_case(name))
            .map(|header| header.value)
    }
}
