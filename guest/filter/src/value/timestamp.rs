//! Instants.

/// An instant: seconds since the Unix epoch and nanoseconds of the second, from 0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999999999Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    seconds: i64,
    nanos: u32,
}

/// 0001-01-01T00:00:00Z.
const FIRST: i64 = -62_135_596_800;
/// 9999-12-31T23:59:59Z.
const LAST: i64 = 253_402_300_799;

impl Timestamp {
    /// The instant; `None` if it is out of range or `nanos` is not below 10^9.
    #[must_use]
    pub const fn new(seconds: i64, nanos: u32) -> Option<Self> {
        if seconds < FIRST || seconds > LAST || nanos >= 1_000_000_000 {
            return None;
        }
        Some(Self { seconds, nanos })
    }

    /// The instant so many milliseconds after the Unix epoch; `None` if it is out of range.
    #[must_use]
    pub fn from_millis(millis: u64) -> Option<Self> {
        let nanos = u32::try_from(millis % 1000).ok()?.checked_mul(1_000_000)?;
        Self::new(i64::try_from(millis / 1000).ok()?, nanos)
    }

    /// Whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds of the second, 0 to 999,999,999.
    #[must_use]
    pub const fn nanos(self) -> u32 {
        self.nanos
    }
}
