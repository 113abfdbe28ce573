//! Taking what is due, for whoever has come to work on it.

use super::lease::Lease;
use super::outbox::{Outbox, Unit};
use super::place::{Place, Wheel};
use super::record::{EventRecord, Pointer, WorkRecord, read};
use super::scan::{self, Bounds};

/// How many pointers are looked at for each unit that is wanted: some are somebody else's.
const LOOKED_AT: usize = 4;

/// How many turns and slots are looked at for one claim.
const TURNS: u64 = 10_000;
const SLOTS: u64 = 2_000;

/// What was taken.
#[derive(Debug, Default)]
pub struct Claimed {
    /// The deliveries to work on, each for this instance alone until its lease ends.
    pub units: Vec<Unit>,
    /// Whether there is more that is due.
    pub more: bool,
    /// What was found and cannot be worked on, for the operator's log.
    pub reports: Vec<String>,
}

impl Outbox<'_> {
    /// Takes up to `most` units that are due, the oldest first. Looking is bounded too, and goes on where it ended.
    ///
    /// # Errors
    ///
    /// Says why the store could not be read or written. Nothing is lost by it: what was taken is free when its lease ends.
    pub fn claim(&self, most: usize) -> Result<Claimed, String> {
        let mut claimed = Claimed::default();
        self.each(Wheel::Due, most, &mut claimed, |claimed, unit| {
            claimed.units.push(unit);
            Ok(())
        })?;
        Ok(claimed)
    }

    /// Deletes up to `most` of what is settled and old; says how many.
    ///
    /// # Errors
    ///
    /// Says why the store could not be read or written; what is left is deleted the next time.
    pub fn forget(&self, most: usize, claimed: &mut Claimed) -> Result<usize, String> {
        let mut deleted = 0;
        self.each(Wheel::Old, most, claimed, |_, mut unit| {
            deleted += usize::from(self.expire(&mut unit)?);
            Ok(())
        })?;
        Ok(deleted)
    }

    fn each(
        &self,
        wheel: Wheel,
        most: usize,
        claimed: &mut Claimed,
        mut take: impl FnMut(&mut Claimed, Unit) -> Result<(), String>,
    ) -> Result<(), String> {
        let now = (self.clock)();
        let bounds = Bounds { turns: TURNS, slots: SLOTS, found: most.saturating_mul(LOOKED_AT) };
        let Some(mut scan) = scan::scan(self.bucket, wheel, wheel.turn_begun(now), bounds)? else {
            return Ok(());
        };
        claimed.more |= scan.more;
        let found = std::mem::take(&mut scan.found);
        let mut taken = 0;
        for (place, pointer) in scan::free(self.bucket, found, now)? {
            if taken == most {
                claimed.more = true;
                break;
            }
            let Some(pointer) = pointer else {
                claimed.reports.push(format!("what stands under {:?} cannot be read", place.key()));
                continue;
            };
            if let Some(unit) = self.take_unit(place, pointer, &mut claimed.reports)? {
                taken += 1;
                take(claimed, unit)?;
            }
        }
        scan::advance(self.bucket, wheel, &scan)
    }

    fn take_unit(
        &self,
        place: Place,
        pointer: Pointer,
        reports: &mut Vec<String>,
    ) -> Result<Option<Unit>, String> {
        let name = place.key();
        let Some(lease) = Lease::take(self.bucket, &name, (self.clock)())? else { return Ok(None) };
        let (event_key, data_key) = (pointer.event_key(), pointer.data_key());
        let work_key = pointer.work_key(pointer.part);
        // What was read before the lease was taken may have been worked on by who had it before.
        let asked = vec![name.clone(), event_key.clone(), data_key.clone(), work_key.clone()];
        let mut found = self.bucket.get_many(asked)?;
        let give_up = |more: &[&String]| {
            let more = more.iter().map(|key| (*key).clone());
            self.bucket.delete_many(lease.keys(&name).chain(more).collect())
        };
        if !found.contains_key(&name) {
            give_up(&[])?;
            return Ok(None);
        }
        if !found.contains_key(&event_key) {
            // It was not accepted, or it is deleted. All else under its keys may be of somebody who accepts it at this moment.
            give_up(&[&name])?;
            return Ok(None);
        }
        let event: Option<EventRecord> = read(found.get(&event_key));
        // A deletion that was broken off is taken up again without what it has deleted.
        let is_old =
            place.wheel == Wheel::Old && event.as_ref().is_some_and(|event| self.is_old(event.received));
        let work = read(found.get(&work_key))
            .or_else(|| is_old.then(|| WorkRecord { place: name.clone(), deliveries: Vec::new() }));
        let data = found.remove(&data_key).or_else(|| is_old.then(Vec::new));
        let (Some(event), Some(work), Some(data)) = (event, work, data) else {
            let Pointer { source, id, part } = &pointer;
            reports.push(format!("event {id:?} of {source:?}: part {part} of its records cannot be read"));
            self.postpone(&pointer, place)?;
            give_up(&[])?;
            return Ok(None);
        };
        let mut stale = Vec::new();
        if work.place != name {
            if self.bucket.get_many(vec![work.place.clone()])?.contains_key(&work.place) {
                // It was placed elsewhere, and this is what was not taken away.
                give_up(&[&name])?;
                return Ok(None);
            }
            stale.push(work.place.clone());
        }
        let work = WorkRecord { place: name, ..work };
        let (until, part) = (lease.until(), pointer.part);
        Ok(Some(Unit { event, data, work, until, part, lease: Some(lease), stale }))
    }
}
