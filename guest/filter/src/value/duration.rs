//! Spans of time.

/// A span of time in nanoseconds, at most about 292 years either way (an `i64` of nanoseconds, as in the reference implementation).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(i64);

impl Duration {
    /// A span of so many nanoseconds.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// The span in nanoseconds.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }
}
