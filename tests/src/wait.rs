//! Waiting for what another process does.

use std::time::{Duration, Instant};

/// How long anything may take before a test gives up; far above what is needed, because machines are busy.
pub const PATIENCE: Duration = Duration::from_secs(240);

/// Asks again and again until there is an answer, at most for [`PATIENCE`].
///
/// # Panics
///
/// If there is none by then; `what` says what was awaited.
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "gave up waiting: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
