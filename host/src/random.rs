//! Random numbers that nobody can guess, from the system.

/// This machine gives no random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this machine gives no random numbers")]
pub struct NoRandomNumbers;

/// Fills octets with random numbers.
///
/// # Errors
///
/// The system has none.
pub(crate) fn fill(octets: &mut [u8]) -> Result<(), NoRandomNumbers> {
    getrandom::fill(octets).map_err(|_| NoRandomNumbers)
}
