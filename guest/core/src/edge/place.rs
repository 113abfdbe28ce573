//! Where the outbox keeps what is to be done at a time, so that it is found again without listing keys.
//!
//! Time is cut into turns. A turn has a counter, and slots 1 to the counter's number, each of which holds one pointer or
//! none. Whoever wants something done at a time takes a slot of a turn that begins at that time or later, and has written
//! it before the turn begins: so when a turn has begun, no slot of it that is empty will ever be filled, and what was read
//! as empty need not be looked at again.

use super::Bucket;

/// How far apart the clocks of two machines may be without anything being missed, in milliseconds; it counts twice, for
/// who writes and for who reads.
pub(super) const SKEW: u64 = 5_000;

/// How long before a turn begins its slots are given out, at the latest, in milliseconds: time enough to write.
pub(super) const LEAD: u64 = 10_000;

/// The most slots that an instance takes at once.
const MOST_RESERVED: u64 = 64;

/// What for something waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wheel {
    /// To be sent.
    Due,
    /// To be deleted.
    Old,
}

/// A slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) wheel: Wheel,
    pub(super) turn: u64,
    pub(super) slot: u64,
}

impl Wheel {
    /// How its keys begin.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Old => "old",
        }
    }

    /// How long a turn is, in milliseconds: what waits to be sent should not wait much longer, what waits to be deleted may.
    pub(super) const fn width(self) -> u64 {
        match self {
            Self::Due => 10_000,
            Self::Old => 3_600_000,
        }
    }

    /// The first turn that begins at this time or later.
    pub(super) const fn turn_from(self, time: u64) -> u64 {
        time.div_ceil(self.width())
    }

    /// The last turn that has begun for everybody.
    pub(super) const fn turn_begun(self, now: u64) -> u64 {
        now.saturating_sub(SKEW) / self.width()
    }

    /// When a turn begins, in Unix milliseconds.
    pub(super) const fn start(self, turn: u64) -> u64 {
        turn.saturating_mul(self.width())
    }

    /// The key of a turn's counter.
    pub(super) fn counter(self, turn: u64) -> String {
        format!("{}/{turn}", self.name())
    }

    /// The key of what is known to be done.
    pub(super) fn cursor(self) -> String {
        format!("cursor/{}", self.name())
    }
}

impl Place {
    /// The key of the slot.
    pub(super) fn key(self) -> String {
        format!("{}/{}/{}", self.wheel.name(), self.turn, self.slot)
    }

    /// Whether what is written now is written in time for everybody.
    pub(super) const fn is_in_time(self, now: u64) -> bool {
        now.saturating_add(SKEW) < self.wheel.start(self.turn)
    }
}

/// The slots that an instance has taken and not used yet. What is left of them when it ends stays empty, which costs whoever
/// looks a look and nothing else.
#[derive(Debug, Default)]
pub struct Slots {
    due: Reserved,
    old: Reserved,
    /// Whether the cursors are known to be there.
    pub(super) begun: bool,
}

#[derive(Debug, Default)]
struct Reserved {
    turn: u64,
    next: u64,
    end: u64,
    size: u64,
}

impl Slots {
    /// A slot of the first turn at `time` or later. An instance that needs many of one turn takes several at once: taking
    /// them is a write.
    pub(super) fn take(&mut self, bucket: &dyn Bucket, wheel: Wheel, time: u64) -> Result<Place, String> {
        let turn = wheel.turn_from(time);
        let reserved = match wheel {
            Wheel::Due => &mut self.due,
            Wheel::Old => &mut self.old,
        };
        if reserved.turn != turn || reserved.next >= reserved.end {
            reserved.size = if reserved.turn == turn {
                reserved.size.saturating_mul(4).clamp(1, MOST_RESERVED)
            } else if reserved.next < reserved.end {
                (reserved.size / 4).max(1)
            } else {
                reserved.size.max(1)
            };
            let size = i64::try_from(reserved.size).unwrap_or(1);
            let last = bucket.increment(&wheel.counter(turn), size)?;
            let last = u64::try_from(last).map_err(|_| format!("the counter of {turn} is below zero"))?;
            reserved.turn = turn;
            reserved.end = last.saturating_add(1);
            reserved.next = reserved.end.saturating_sub(reserved.size);
        }
        let slot = reserved.next;
        reserved.next = slot.saturating_add(1);
        Ok(Place { wheel, turn, slot })
    }
}

/// One slot of the first turn at `time` or later, for who needs no more of that turn.
pub(super) fn take_one(bucket: &dyn Bucket, wheel: Wheel, time: u64) -> Result<Place, String> {
    Slots::default().take(bucket, wheel, time)
}
