//! What time it is, by the clock that a gateway was given, and the random numbers of ids. The shell reads both where it needs
//! them and hands them on as arguments.

use anglerfish_core::request::{self, UnixMillis};
use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// The wall clock of a gateway: the system's, unless [`crate::AnglerfishBuilder::clock`] gives another one.
///
/// By it requests are received, the times in signatures judged, events, attempts and answers dated and requests signed, and by
/// it retries, calls and timers fall due and leases, callbacks and what is kept end. It may be set in both directions at any time,
/// as the system's may. Parts of a millisecond are left out; a time before 1970 is taken for 1970.
///
/// Nothing is called when it is set. What waits for a time sleeps for as long as that is away, a minute at most, and looks at the
/// clock again: a clock that is put forward takes effect within that minute, in a gateway that is at work sooner; only whoever
/// awaits a callback whose time is over may learn that up to eight minutes later. Where the clock is put back nothing is lost:
/// deliveries and calls that were planned by a clock that was ahead are planned anew, so that they wait as long as they were to;
/// what else has an end (timers of flows, callbacks, what is kept) comes to it when the clock does.
///
/// How long something takes goes by time that passes and not by this clock: timeouts, rates, breakers, how long a message is asked
/// for, the stop. So do the system's own affairs: log lines, traces, whether a certificate of TLS is valid, the `Date` field of
/// answers, files in a cache.
///
/// ```
/// use anglerfish::Clock;
/// use std::sync::Mutex;
/// use std::time::{Duration, SystemTime};
///
/// /// A clock that stands still until it is put forward.
/// #[derive(Debug)]
/// struct Standing(Mutex<SystemTime>);
///
/// impl Standing {
///     fn put_forward(&self, time: Duration) {
///         *self.0.lock().unwrap() += time;
///     }
/// }
///
/// impl Clock for Standing {
///     fn now(&self) -> SystemTime {
///         *self.0.lock().unwrap()
///     }
/// }
///
/// let clock = Standing(Mutex::new(SystemTime::UNIX_EPOCH));
/// clock.put_forward(Duration::from_secs(60));
/// assert_eq!(clock.now(), SystemTime::UNIX_EPOCH + Duration::from_secs(60));
/// ```
pub trait Clock: Send + Sync + fmt::Debug {
    /// The present time. It is asked often, from many threads, and must not block, nor panic: what asks ends with it.
    fn now(&self) -> SystemTime;
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// The clock of one gateway, as its rooms read it. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct WallClock(Arc<dyn Clock>);

impl WallClock {
    /// One that says what this says.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(clock)
    }

    /// The present time.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        millis(self.0.now())
    }
}

impl Default for WallClock {
    /// The system's.
    fn default() -> Self {
        Self::new(Arc::new(SystemClock))
    }
}

/// A time as it is stored. One before 1970 reads as 0.
#[must_use]
pub fn millis(time: SystemTime) -> UnixMillis {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The system's time, for tests of what is given a time.
#[cfg(test)]
pub(crate) fn now() -> UnixMillis {
    WallClock::default().now()
}

/// A clock that stands still at this time.
#[cfg(test)]
pub(crate) fn standing(at: UnixMillis) -> WallClock {
    #[derive(Debug)]
    struct Standing(UnixMillis);

    impl Clock for Standing {
        fn now(&self) -> SystemTime {
            UNIX_EPOCH + std::time::Duration::from_millis(self.0.0)
        }
    }

    WallClock::new(Arc::new(Standing(at)))
}

/// A new id for a request that was received at this time.
#[must_use]
pub fn request_id(received: UnixMillis) -> String {
    let mut random = [0; 10];
    fastrand::fill(&mut random);
    request::request_id(received, random)
}

/// A new random name: a UUID of version 4 (RFC 9562, section 5.4).
#[must_use]
pub fn uuid() -> String {
    let mut random = [0_u8; 16];
    fastrand::fill(&mut random);
    let mut number = u128::from_be_bytes(random);
    number = number & !(0xf << 76) | (0x4 << 76);
    number = number & !(0x3 << 62) | (0x2 << 62);
    let text = format!("{number:032x}");
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}
