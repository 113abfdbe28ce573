//! Saying once what happens a thousand times.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often one thing is said.
const INTERVAL: Duration = Duration::from_secs(10);

/// How many things are told apart; what is beyond them counts as one.
const MOST: usize = 32;

/// What was said when. Its times are those since any fixed moment.
#[derive(Debug, Default)]
pub(crate) struct Repeated {
    causes: BTreeMap<String, Said>,
}

#[derive(Debug)]
struct Said {
    at: Duration,
    since: u64,
}

impl Repeated {
    /// It happens again for this cause. If it is time to say so, how often it has happened since that was last said.
    pub(crate) fn note(&mut self, now: Duration, cause: &str) -> Option<u64> {
        let cause = if self.causes.len() < MOST || self.causes.contains_key(cause) { cause } else { "" };
        let Some(said) = self.causes.get_mut(cause) else {
            self.causes.insert(cause.to_owned(), Said { at: now, since: 0 });
            return Some(1);
        };
        said.since += 1;
        if now < said.at + INTERVAL {
            return None;
        }
        said.at = now;
        Some(std::mem::take(&mut said.since))
    }
}

/// The same for many threads, by the time that passes.
#[derive(Debug)]
pub(crate) struct SharedRepeated {
    begun: Instant,
    said: Mutex<Repeated>,
}

impl Default for SharedRepeated {
    fn default() -> Self {
        Self { begun: Instant::now(), said: Mutex::default() }
    }
}

impl SharedRepeated {
    /// It happens again for this cause. If it is time to say so, how often it has happened since that was last said.
    pub(crate) fn note(&self, cause: &str) -> Option<u64> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).note(self.begun.elapsed(), cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_threads_meet_is_said_once() {
        let repeated = SharedRepeated::default();
        assert_eq!([repeated.note("state"), repeated.note("state")], [Some(1), None]);
    }

    #[test]
    fn says_each_cause_at_once_and_then_in_intervals_how_often() {
        let mut repeated = Repeated::default();
        let at = Duration::from_millis;
        assert_eq!(repeated.note(at(5), "no descriptor"), Some(1));
        assert_eq!(repeated.note(at(5), "no name server"), Some(1));
        for moment in 0..1000 {
            assert_eq!(repeated.note(at(6 + moment), "no descriptor"), None);
        }
        assert_eq!(repeated.note(at(10_005), "no descriptor"), Some(1001));
        assert_eq!(repeated.note(at(20_004), "no descriptor"), None);
    }

    #[test]
    fn causes_without_number_take_no_memory_without_bound() {
        let mut repeated = Repeated::default();
        let said = (0..1000).filter_map(|cause| repeated.note(Duration::ZERO, &cause.to_string())).count();
        assert!(said <= MOST + 1 && repeated.causes.len() <= MOST + 1);
    }
}
