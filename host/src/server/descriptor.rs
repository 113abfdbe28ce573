//! File descriptors: how many there are, and who may have how many.

use std::io;

/// Descriptors that are neither of an incoming nor of an outgoing connection: the database's, the log's, timers, names
/// that are looked up, and some to spare.
const KEPT: u64 = 128;

/// The descriptors of the process, divided so that neither side can use up the other's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptors {
    /// What the process may have open at once.
    pub limit: u64,
    /// How many connections senders and clients of the management API may hold, together.
    pub incoming: usize,
    /// How many connections deliveries and fetches may hold, together.
    pub outgoing: usize,
}

impl Descriptors {
    /// Raises the soft limit to the hard one, as far as the system lets it, and divides what there is.
    ///
    /// # Errors
    ///
    /// If the system does not say how many there are.
    pub fn raise() -> io::Result<Self> {
        raise().map(Self::divide)
    }

    /// Of what is not kept back senders get three fifths: an event that is refused is somebody else's to send again,
    /// one that is delivered late is not.
    #[must_use]
    pub fn divide(limit: u64) -> Self {
        let shared = limit.saturating_sub(KEPT).max(limit / 2);
        let size = |count: u64| usize::try_from(count).unwrap_or(usize::MAX).max(1);
        Self { limit, incoming: size(shared / 5 * 3), outgoing: size(shared / 5 * 2) }
    }
}

impl Default for Descriptors {
    /// What there is, without raising it; the usual 1024 if the system does not say.
    fn default() -> Self {
        Self::divide(present().unwrap_or(1024))
    }
}

#[cfg(unix)]
fn raise() -> io::Result<u64> {
    rlimit::increase_nofile_limit(u64::MAX)
}

#[cfg(unix)]
fn present() -> io::Result<u64> {
    rlimit::getrlimit(rlimit::Resource::NOFILE).map(|(soft, _)| soft)
}

/// Sockets are no file descriptors there, and what bounds them is memory.
#[cfg(not(unix))]
const ELSEWHERE: u64 = 65_536;

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "it can fail where there are descriptors")]
fn raise() -> io::Result<u64> {
    Ok(ELSEWHERE)
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "it can fail where there are descriptors")]
fn present() -> io::Result<u64> {
    Ok(ELSEWHERE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_together_leave_some_over_whatever_the_limit() {
        for limit in [16, 64, 256, 1024, 65_536, 1 << 20] {
            let Descriptors { incoming, outgoing, .. } = Descriptors::divide(limit);
            assert!(incoming > 0 && outgoing > 0);
            assert!((incoming + outgoing) as u64 <= limit.max(2), "{limit}");
        }
        let usual = Descriptors::divide(1024);
        assert!(usual.limit - (usual.incoming + usual.outgoing) as u64 >= KEPT);
    }

    #[test]
    fn raising_never_lowers() {
        let before = Descriptors::default();
        let after = Descriptors::raise().unwrap();
        assert!(after.limit >= before.limit);
    }
}
