//! The clock and the random numbers of the host, read where they are needed and handed on as arguments.

use anglerfish_core::request::{self, UnixMillis};
use spin_sdk::wasip3::clocks::system_clock;
use spin_sdk::wasip3::random::random as host;

/// Now, in Unix milliseconds; 0 before 1970.
pub(crate) fn now() -> u64 {
    let now = system_clock::now();
    let seconds = u64::try_from(now.seconds).unwrap_or(0);
    seconds.saturating_mul(1000).saturating_add(u64::from(now.nanoseconds / 1_000_000))
}

/// A random number.
pub(crate) fn random() -> u64 {
    host::get_random_u64()
}

/// A new id for a request that was received at this time.
pub(crate) fn request_id(received: u64) -> String {
    let mut bits = [0; 10];
    let drawn = random().to_le_bytes().into_iter().chain(random().to_le_bytes());
    bits.iter_mut().zip(drawn).for_each(|(bit, drawn)| *bit = drawn);
    request::request_id(UnixMillis(received), bits)
}
