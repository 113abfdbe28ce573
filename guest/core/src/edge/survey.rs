//! What is in the outbox, counted within bounds.

use super::outbox::Outbox;
use super::place::Wheel;
use super::record::{ERRORS, ErrorRecord, EventRecord, WorkRecord, error_key, read};
use super::scan::{Bounds, scan};
use serde::Serialize;

/// How much is looked at: the turns of some two weeks.
const TURNS: u64 = 120_000;
const SLOTS: u64 = 5_000;
const FOUND: usize = 1_000;

/// How many records are read at once.
const AT_ONCE: usize = 100;

/// What is in the outbox.
#[derive(Debug, Default, Serialize)]
pub struct Survey {
    /// How many deliveries are open, among them those that are being sent.
    pub open: usize,
    /// How many of them should have been sent by now.
    pub overdue: usize,
    /// When the one is due that is due first, in Unix milliseconds; one that was not tried is due when it was accepted.
    pub oldest_due: Option<u64>,
    /// Whether that is all; if not, there are as many at least.
    pub complete: bool,
}

impl Outbox<'_> {
    /// Counts what is due up to `horizon` milliseconds from now.
    ///
    /// # Errors
    ///
    /// Says why the store could not be read.
    pub fn survey(&self, horizon: u64) -> Result<Survey, String> {
        let now = (self.clock)();
        let last = Wheel::Due.turn_from(now.saturating_add(horizon)).saturating_add(1);
        let bounds = Bounds { turns: TURNS, slots: SLOTS, found: FOUND };
        let Some(scan) = scan(self.bucket, Wheel::Due, last, bounds)? else {
            return Ok(Survey { complete: true, ..Survey::default() });
        };
        let mut survey = Survey { complete: !scan.more, ..Survey::default() };
        let pointers: Vec<_> =
            scan.found.into_iter().filter_map(|(place, pointer)| Some((place, pointer?))).collect();
        for some in pointers.chunks(AT_ONCE) {
            let keys =
                some.iter().flat_map(|(_, pointer)| [pointer.work_key(pointer.part), pointer.event_key()]);
            let found = self.bucket.get_many(keys.collect())?;
            for (place, pointer) in some {
                let work: Option<WorkRecord> = read(found.get(&pointer.work_key(pointer.part)));
                let event: Option<EventRecord> = read(found.get(&pointer.event_key()));
                let (Some(work), Some(event)) = (work, event) else { continue };
                if work.place != place.key() {
                    continue;
                }
                // What was just accepted is being sent, until it is found here.
                let is_overdue = place.turn <= place.wheel.turn_begun(now);
                for delivery in work.deliveries.iter().filter(|delivery| delivery.is_open()) {
                    let due = delivery.due.unwrap_or(event.received);
                    survey.open += 1;
                    survey.overdue += usize::from(is_overdue);
                    survey.oldest_due = Some(survey.oldest_due.map_or(due, |oldest| oldest.min(due)));
                }
            }
        }
        Ok(survey)
    }

    /// What went wrong lately, the newest first.
    ///
    /// # Errors
    ///
    /// Says why the store could not be read.
    pub fn errors(&self) -> Result<Vec<ErrorRecord>, String> {
        let found = self.bucket.get_many((0..ERRORS).map(error_key).collect())?;
        let mut errors: Vec<ErrorRecord> = found.values().filter_map(|value| read(Some(value))).collect();
        errors.sort_by_key(|error| std::cmp::Reverse(error.at));
        Ok(errors)
    }

    /// An event, and how its deliveries stand, or `None` if there is none of this id.
    ///
    /// # Errors
    ///
    /// Says why the store could not be read.
    pub fn find(&self, source: &str, id: &str) -> Result<Option<(EventRecord, Vec<WorkRecord>)>, String> {
        let key = super::record::event_key(source, id);
        let found = self.bucket.get_many(vec![key.clone()])?;
        let Some(event) = read::<EventRecord>(found.get(&key)) else { return Ok(None) };
        let keys: Vec<String> =
            (0..event.parts).map(|part| super::record::work_key(source, id, part)).collect();
        let found = self.bucket.get_many(keys.clone())?;
        Ok(Some((event, keys.iter().filter_map(|key| read(found.get(key))).collect())))
    }
}
