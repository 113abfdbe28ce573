//! Finding what is due: from the cursor on, in bounded steps.

use super::Bucket;
use super::lease::Lease;
use super::place::{Place, Wheel};
use super::record::{Pointer, counted, read, written};
use serde::{Deserialize, Serialize};

/// How many counters are read at once.
const TURNS_AT_ONCE: u64 = 500;

/// How many slots are read at once.
const SLOTS_AT_ONCE: u64 = 100;

/// How much one scan reads at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Turns. A day without anybody who looks has 8640.
    pub(super) turns: u64,
    /// Slots.
    pub(super) slots: u64,
    /// Pointers that are found.
    pub(super) found: usize,
}

/// Everything before this slot is done: it is empty and stays so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    pub(super) turn: u64,
    pub(super) slot: u64,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Scan {
    /// Pointers, the oldest first. Those that cannot be read are among them.
    pub(super) found: Vec<(Place, Option<Pointer>)>,
    /// Where the next scan may begin.
    pub(super) cursor: Cursor,
    /// Where this one began.
    pub(super) began: Cursor,
    /// The counters of turns before the cursor, which nobody needs any more.
    pub(super) done: Vec<String>,
    /// Whether the bounds were reached before the end.
    pub(super) more: bool,
}

/// Sets the cursors where there are none. `now` is from before anything is read: whoever accepts something later places it
/// later than that.
pub(super) fn begin(bucket: &dyn Bucket, now: u64) -> Result<(), String> {
    let wheels = [Wheel::Due, Wheel::Old];
    let there = bucket.get_many(wheels.map(Wheel::cursor).to_vec())?;
    let mut missing = Vec::new();
    for wheel in wheels.into_iter().filter(|wheel| !there.contains_key(&wheel.cursor())) {
        let cursor = Cursor { turn: wheel.turn_begun(now), slot: 1 };
        missing.push((wheel.cursor(), written(&cursor)?));
    }
    if missing.is_empty() { Ok(()) } else { bucket.set_many(missing) }
}

/// Looks at the turns up to `last`. Without a cursor nothing was accepted yet.
pub(super) fn scan(
    bucket: &dyn Bucket,
    wheel: Wheel,
    last: u64,
    bounds: Bounds,
) -> Result<Option<Scan>, String> {
    let stored = bucket.get_many(vec![wheel.cursor()])?;
    let Some(value) = stored.get(&wheel.cursor()) else { return Ok(None) };
    let began: Cursor = read(Some(value)).ok_or("the outbox's cursor cannot be read")?;
    let mut scan = Scan { found: Vec::new(), cursor: began, began, done: Vec::new(), more: false };
    let mut walk = Walk { turns: bounds.turns, slots: bounds.slots, blocked: false };
    let mut turn = began.turn;
    while turn <= last {
        if walk.turns == 0 {
            scan.more = true;
            return Ok(Some(scan));
        }
        let until = last.min(turn.saturating_add(TURNS_AT_ONCE.min(walk.turns) - 1));
        walk.turns -= until - turn + 1;
        let counters = bucket.get_many((turn..=until).map(|turn| wheel.counter(turn)).collect())?;
        for turn in turn..=until {
            let count = counted(counters.get(&wheel.counter(turn)));
            if !scan_turn(bucket, wheel, turn, count, bounds.found, &mut walk, &mut scan)? {
                scan.more = true;
                return Ok(Some(scan));
            }
            if count > 0 && !walk.blocked {
                scan.done.push(wheel.counter(turn));
            }
        }
        turn = until.saturating_add(1);
        if !walk.blocked {
            scan.cursor = Cursor { turn, slot: 1 };
        }
    }
    Ok(Some(scan))
}

struct Walk {
    turns: u64,
    slots: u64,
    /// Whether something was found: the cursor does not pass it.
    blocked: bool,
}

/// Looks at the slots of a turn; says whether there is room for more.
fn scan_turn(
    bucket: &dyn Bucket,
    wheel: Wheel,
    turn: u64,
    count: u64,
    most: usize,
    walk: &mut Walk,
    scan: &mut Scan,
) -> Result<bool, String> {
    let mut slot = if turn == scan.began.turn { scan.began.slot.max(1) } else { 1 };
    while slot <= count {
        if walk.slots == 0 {
            return Ok(false);
        }
        let until = count.min(slot.saturating_add(SLOTS_AT_ONCE.min(walk.slots) - 1));
        walk.slots -= until - slot + 1;
        let places = (slot..=until).map(|slot| Place { wheel, turn, slot });
        let values = bucket.get_many(places.clone().map(Place::key).collect())?;
        for place in places {
            let Some(value) = values.get(&place.key()) else { continue };
            if !walk.blocked {
                walk.blocked = true;
                scan.cursor = Cursor { turn, slot: place.slot };
            }
            if scan.found.len() >= most {
                return Ok(false);
            }
            scan.found.push((place, read(Some(value))));
        }
        slot = until.saturating_add(1);
        if !walk.blocked {
            scan.cursor = Cursor { turn, slot };
        }
    }
    Ok(true)
}

/// Of what was found, what nobody works on.
pub(super) fn free(
    bucket: &dyn Bucket,
    found: Vec<(Place, Option<Pointer>)>,
    now: u64,
) -> Result<Vec<(Place, Option<Pointer>)>, String> {
    if found.is_empty() {
        return Ok(found);
    }
    let keys = found.iter().flat_map(|(place, _)| Lease::held_by(&place.key(), now)).collect();
    let leases = bucket.get_many(keys)?;
    Ok(found.into_iter().filter(|(place, _)| !Lease::is_held(&place.key(), now, &leases)).collect())
}

/// Keeps how far a scan has come, and deletes the counters that it has passed. Several may do so at once: each cursor is
/// true, and an older one costs a look.
pub(super) fn advance(bucket: &dyn Bucket, wheel: Wheel, scan: &Scan) -> Result<(), String> {
    if scan.cursor == scan.began {
        return Ok(());
    }
    bucket.set_many(vec![(wheel.cursor(), written(&scan.cursor)?)])?;
    if scan.done.is_empty() { Ok(()) } else { bucket.delete_many(scan.done.clone()) }
}
