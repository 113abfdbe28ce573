//! What was accepted, until it is settled and old.

use super::Bucket;
use super::lease::{LEASE, Lease};
use super::place::{LEAD, Place, Slots, Wheel, take_one};
use super::record::{
    DeliveryRecord, ErrorRecord, EventRecord, FailureRecord, Pointer, WorkRecord, error_key, event_key, read,
    work_key, written,
};
use super::scan;
use crate::event::Event;
use crate::state::key;
use std::cell::RefCell;

/// The most deliveries of one record: it is written anew after each attempt, and every store takes it.
const MOST_IN_PART: usize = 50;

/// How often a place is given up because it was not written in time, before the store counts as failing.
const MOST_LATE: usize = 3;

/// How many claims of an event there can be: see [`claim_key`].
const MOST_CLAIMS: u32 = 3;

/// How long something waits that cannot be done now for a reason of its own, in milliseconds.
const POSTPONED: u64 = 3_600_000;

/// The outbox, for as long as one request lasts.
pub struct Outbox<'a> {
    pub(super) bucket: &'a dyn Bucket,
    pub(super) clock: &'a dyn Fn() -> u64,
    pub(super) slots: &'a RefCell<Slots>,
    /// How long what is settled is kept, in milliseconds since it was received.
    pub(super) retention: u64,
}

/// An event that is to be accepted.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Its attributes.
    pub event: Event,
    /// Its data.
    pub data: Vec<u8>,
    /// When it was received, in Unix milliseconds.
    pub received: u64,
    /// The subscriptions that it is delivered to.
    pub deliveries: Vec<String>,
    /// The subscriptions whose filter failed on it.
    pub failures: Vec<FailureRecord>,
}

/// What is written, and deleted after that, along with something of the outbox's.
#[derive(Debug, Default)]
pub struct Beside {
    /// What is set, in the same write.
    pub set: Vec<(String, Vec<u8>)>,
    /// What is deleted, last of all.
    pub delete: Vec<String>,
}

/// Some deliveries of an event, to be worked on by whoever has this.
#[derive(Debug, Clone)]
pub struct Unit {
    /// The event.
    pub event: EventRecord,
    /// Its data.
    pub data: Vec<u8>,
    /// How its deliveries stand.
    pub work: WorkRecord,
    /// Until when nobody else works on them, in Unix milliseconds. No attempt may last longer.
    pub until: u64,
    pub(super) part: u32,
    pub(super) lease: Option<Lease>,
    /// Pointers that lead here as well and are to go with the next writing.
    pub(super) stale: Vec<String>,
}

/// The key of an event's claim: whoever counts it to 1 accepts the event. `turn` (from 1) grows when somebody who had
/// claimed it was waited for in vain.
#[must_use]
pub fn claim_key(source: &str, id: &str, turn: u32) -> String {
    key(&format!("claim/{turn}"), source, id)
}

impl Unit {
    /// The subscriptions whose deliveries are due at a time.
    pub fn due(&mut self, now: u64) -> impl Iterator<Item = &mut DeliveryRecord> {
        let open = self.work.deliveries.iter_mut().filter(|delivery| delivery.is_open());
        open.filter(move |delivery| delivery.due.is_none_or(|due| due <= now))
    }

    pub(super) fn pointer(&self) -> Pointer {
        let Event { source, id, .. } = &self.event.event;
        Pointer { source: source.clone(), id: id.clone(), part: self.part }
    }
}

impl<'a> Outbox<'a> {
    /// The outbox in a bucket. `slots` are this instance's, `clock` gives Unix milliseconds, `retention` is in milliseconds.
    #[must_use]
    pub fn new(
        bucket: &'a dyn Bucket,
        clock: &'a dyn Fn() -> u64,
        slots: &'a RefCell<Slots>,
        retention: u64,
    ) -> Self {
        Self { bucket, clock, slots, retention }
    }

    /// Whether an event was accepted.
    ///
    /// # Errors
    ///
    /// Says why that cannot be read.
    pub fn is_kept(&self, source: &str, id: &str) -> Result<bool, String> {
        let key = event_key(source, id);
        Ok(self.bucket.get_many(vec![key.clone()])?.contains_key(&key))
    }

    /// Accepts events: all of them, with their data and their deliveries, in one write. What is given back is for this
    /// instance to send at once; until it has, and if it never does, it is in the outbox and due after a lease.
    ///
    /// # Errors
    ///
    /// Says why they could not be written. Then none counts as accepted, whatever a store without transactions has of them.
    pub fn keep(&self, events: Vec<NewEvent>) -> Result<Vec<Unit>, String> {
        self.keep_with(events, Vec::new())
    }

    /// The same, with something else in the same write. A store that cannot write as a whole writes it last: what of it is there
    /// has been accepted.
    ///
    /// # Errors
    ///
    /// As with [`Self::keep`].
    pub fn keep_with(
        &self,
        events: Vec<NewEvent>,
        last: Vec<(String, Vec<u8>)>,
    ) -> Result<Vec<Unit>, String> {
        self.begin()?;
        let mut entries = Vec::new();
        let (mut records, mut units, mut places) = (Vec::new(), Vec::new(), Vec::new());
        for NewEvent { event, data, received, deliveries, failures } in events {
            let count = deliveries.len();
            let deliveries: Vec<DeliveryRecord> = deliveries.into_iter().map(DeliveryRecord::new).collect();
            let mut parts: Vec<Vec<DeliveryRecord>> =
                deliveries.chunks(MOST_IN_PART).map(<[_]>::to_vec).collect();
            if parts.is_empty() {
                parts.push(Vec::new());
            }
            let record = EventRecord {
                received,
                parts: u32::try_from(parts.len()).unwrap_or(u32::MAX),
                deliveries: count,
                failures,
                event,
            };
            let Event { source, id, .. } = &record.event;
            entries.push((key("data", source, id), data.clone()));
            for (part, deliveries) in (0..).zip(parts) {
                let now = (self.clock)();
                let place = match deliveries.is_empty() {
                    true => self.take(Wheel::Old, received.saturating_add(self.retention), now)?,
                    false => self.take(Wheel::Due, now.saturating_add(LEASE), now)?,
                };
                let work = WorkRecord { place: place.key(), deliveries };
                let pointer = Pointer { source: source.clone(), id: id.clone(), part };
                entries.push((place.key(), written(&pointer)?));
                entries.push((work_key(source, id, part), written(&work)?));
                places.push(place);
                let until = place.wheel.start(place.turn);
                units.push(Unit {
                    event: record.clone(),
                    data: data.clone(),
                    work,
                    until,
                    part,
                    lease: None,
                    stale: Vec::new(),
                });
            }
            records.push((event_key(source, id), written(&record)?));
        }
        // What an event is known by comes after all that would be missed without it.
        entries.extend(records);
        entries.extend(last);
        self.bucket.set_many(entries)?;
        for (unit, place) in units.iter_mut().zip(places) {
            if !place.is_in_time((self.clock)()) {
                self.place_again(unit, place)?;
            }
        }
        units.retain(|unit| !unit.work.deliveries.is_empty());
        Ok(units)
    }

    /// Writes how deliveries stand after they were worked on, and when the next of them is due; once all are settled, when they may
    /// be deleted. `errors` go into the list of what went wrong lately, each at a random number of its own.
    ///
    /// # Errors
    ///
    /// Says why that could not be written. Then all is as before, and what was sent is sent again.
    pub fn settle(&self, unit: &mut Unit, errors: Vec<(u64, ErrorRecord)>) -> Result<(), String> {
        self.settle_with(unit, errors, Beside::default())
    }

    /// The same, with something else in the same write. A store that cannot write as a whole writes it before it is written how
    /// the deliveries stand.
    ///
    /// # Errors
    ///
    /// As with [`Self::settle`].
    pub fn settle_with(
        &self,
        unit: &mut Unit,
        errors: Vec<(u64, ErrorRecord)>,
        beside: Beside,
    ) -> Result<(), String> {
        let Beside { set: mut entries, delete } = beside;
        for (number, error) in errors {
            entries.push((error_key(number), written(&error)?));
        }
        let now = (self.clock)();
        let (wheel, time) = match unit
            .work
            .deliveries
            .iter()
            .filter(|delivery| delivery.is_open())
            .map(|delivery| delivery.due.unwrap_or(now))
            .min()
        {
            Some(due) => (Wheel::Due, due),
            None => (Wheel::Old, unit.event.received.saturating_add(self.retention)),
        };
        self.replace(unit, wheel, time, Beside { set: entries, delete })
    }

    /// The data of an event, as long as it is kept.
    ///
    /// # Errors
    ///
    /// Says why it could not be read.
    pub fn data(&self, source: &str, id: &str) -> Result<Option<Vec<u8>>, String> {
        let key = key("data", source, id);
        Ok(self.bucket.get_many(vec![key.clone()])?.remove(&key))
    }

    /// Gives a unit back that was not worked on.
    ///
    /// # Errors
    ///
    /// Says why the lease stays for as long as it lasts.
    pub fn give_back(&self, unit: &Unit) -> Result<(), String> {
        let own = unit.lease.map(|lease| lease.own_key(&unit.work.place));
        own.map_or(Ok(()), |key| self.bucket.delete_many(vec![key]))
    }

    /// Deletes an event's part that is settled and old, with its data if it is the first one; later, if another part of the event
    /// is not settled.
    pub(super) fn expire(&self, unit: &mut Unit) -> Result<bool, String> {
        let pointer = unit.pointer();
        let now = (self.clock)();
        if unit.work.deliveries.iter().any(DeliveryRecord::is_open) {
            // What led here was left behind by somebody who has put it off.
            self.replace(unit, Wheel::Due, now, Beside::default())?;
            return Ok(false);
        }
        if !self.is_old(unit.event.received) {
            self.settle(unit, Vec::new())?;
            return Ok(false);
        }
        let mut keys = vec![pointer.work_key(unit.part)];
        if unit.part == 0 {
            let others: Vec<String> = (1..unit.event.parts).map(|part| pointer.work_key(part)).collect();
            let mut asked = others.clone();
            asked.push(pointer.memory_key());
            let found = self.bucket.get_many(asked)?;
            let is_open = |key: &String| {
                let work: Option<WorkRecord> = read(found.get(key));
                found.contains_key(key)
                    && work.is_none_or(|work| work.deliveries.iter().any(DeliveryRecord::is_open))
            };
            if others.iter().any(is_open) {
                self.replace(unit, Wheel::Old, now.saturating_add(POSTPONED), Beside::default())?;
                return Ok(false);
            }
            let Pointer { source, id, .. } = &pointer;
            keys.extend(others);
            keys.push(pointer.data_key());
            keys.extend((1..=MOST_CLAIMS).map(|turn| claim_key(source, id, turn)));
            let memory = pointer.memory_key();
            if found.get(&memory).is_some_and(|value| super::record::remembers(value, id)) {
                keys.push(memory);
            }
            keys.push(pointer.event_key());
        }
        keys.extend(unit.left());
        // The pointer goes last: what is left of a deletion that was broken off is deleted by the next one.
        keys.push(unit.work.place.clone());
        self.bucket.delete_many(keys)?;
        Ok(true)
    }

    /// Puts something off that cannot be worked on, so that it neither is lost nor stands before all the rest.
    pub(super) fn postpone(&self, pointer: &Pointer, place: Place) -> Result<(), String> {
        let now = (self.clock)();
        let later = take_one(self.bucket, place.wheel, now.saturating_add(POSTPONED))?;
        self.bucket.set_many(vec![(later.key(), written(pointer)?)])?;
        if later.is_in_time((self.clock)()) { self.bucket.delete_many(vec![place.key()]) } else { Ok(()) }
    }

    /// Writes a unit at another place, and takes it away from where it was.
    fn replace(&self, unit: &mut Unit, wheel: Wheel, time: u64, beside: Beside) -> Result<(), String> {
        let Beside { set: mut entries, delete } = beside;
        let pointer = unit.pointer();
        let mut old = vec![unit.work.place.clone()];
        for _ in 0..MOST_LATE {
            let now = (self.clock)();
            let place = match wheel {
                // Of a turn in the near future nobody needs more than one.
                Wheel::Due => take_one(self.bucket, wheel, time.max(now.saturating_add(LEAD)))?,
                Wheel::Old => self.take(wheel, time, now)?,
            };
            let work = WorkRecord { place: place.key(), deliveries: unit.work.deliveries.clone() };
            entries.insert(0, (place.key(), written(&pointer)?));
            entries.push((pointer.work_key(unit.part), written(&work)?));
            self.bucket.set_many(std::mem::take(&mut entries))?;
            if place.is_in_time((self.clock)()) {
                old.extend(unit.left());
                old.extend(delete);
                unit.work = work;
                unit.lease = None;
                return self.bucket.delete_many(old);
            }
            // Somebody may have looked there before it was written.
            old.push(place.key());
        }
        Err("the store takes longer to write than anybody waits".to_owned())
    }

    /// What was accepted a moment ago was written too late to be found where it is.
    fn place_again(&self, unit: &mut Unit, place: Place) -> Result<(), String> {
        let time = place.wheel.start(place.turn);
        let time = time.max((self.clock)().saturating_add(LEASE));
        self.replace(unit, place.wheel, time, Beside::default())?;
        unit.until = (self.clock)().saturating_add(LEASE);
        Ok(())
    }

    pub(super) fn is_old(&self, received: u64) -> bool {
        received.saturating_add(self.retention) <= (self.clock)()
    }

    fn take(&self, wheel: Wheel, time: u64, now: u64) -> Result<Place, String> {
        let time = time.max(now.saturating_add(LEAD));
        self.slots.borrow_mut().take(self.bucket, wheel, time)
    }

    fn begin(&self) -> Result<(), String> {
        if self.slots.borrow().begun {
            return Ok(());
        }
        let now = (self.clock)();
        scan::begin(self.bucket, now)?;
        self.slots.borrow_mut().begun = true;
        Ok(())
    }
}

impl Unit {
    /// Keys that have no use once the unit has another place or none.
    fn left(&self) -> Vec<String> {
        let leases = self.lease.iter().flat_map(|lease| lease.keys(&self.work.place));
        leases.chain(self.stale.iter().cloned()).collect()
    }
}
