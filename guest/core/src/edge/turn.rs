//! One after another: who of several instances works on one thing, where two at once would do harm.
//!
//! It is made as a [lease](super::lease) is, of counters whose names have the present window in them, and is stricter: whoever
//! has counted looks once more whether somebody has counted in the window before or after, whose clock goes otherwise, and
//! gives way if so. Of two that count at the same moment one at least sees the other. So there is never more than one, as
//! long as clocks differ by no more than [`SKEW`] twice and who has a turn [ends in time](Turn::lasts). One who dies with it is
//! waited for until its window and the next one are over.

use super::Bucket;
use super::lease::LEASE;
use super::place::SKEW;
use crate::state::key;

/// What has turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turns {
    kind: &'static str,
    width: u64,
}

/// A turn that was taken, to be given back by deleting its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    key: String,
    until: u64,
}

impl Turns {
    /// Changing what is kept of a document: for some ten seconds at least, and 40 at most.
    pub const DOCUMENT: Self = Self { kind: "turn", width: 20_000 };

    /// Telling one subscriber of a document: longer than any attempt.
    pub const TELLING: Self = Self { kind: "telling", width: LEASE };

    /// Takes the turn of something, unless somebody has it. `open` opens the store anew: what a handle has read, a host may give
    /// it again.
    ///
    /// # Errors
    ///
    /// Says why the store could not be read or written. If the turn was taken all the same, it is over at its time.
    pub fn take<B: Bucket>(
        self,
        open: &dyn Fn() -> Result<B, String>,
        (group, name): (&str, &str),
        clock: &dyn Fn() -> u64,
    ) -> Result<Option<Turn>, String> {
        let window = clock() / self.width;
        let key = |window: u64| key(&format!("{}/{window}", self.kind), group, name);
        let (before, own, after) =
            (key(window.saturating_sub(1)), key(window), key(window.saturating_add(1)));
        let all = vec![before.clone(), own.clone(), after.clone()];
        if !open()?.get_many(all)?.is_empty() || open()?.increment(&own, 1)? != 1 {
            return Ok(None);
        }
        let bucket = open()?;
        let others = bucket.get_many(vec![before, after])?;
        let ends = window.saturating_add(2).saturating_mul(self.width);
        let turn = Turn { key: own, until: ends.saturating_sub(SKEW.saturating_mul(2)) };
        // It may have been waited for the store so long that it is over.
        if others.is_empty() && turn.lasts(clock(), 0) {
            return Ok(Some(turn));
        }
        bucket.delete_many(vec![turn.key])?;
        Ok(None)
    }
}

impl Turn {
    /// The key to delete in order to give it back.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Whether it lasts for so many milliseconds more, whatever another machine's clock says.
    #[must_use]
    pub const fn lasts(&self, now: u64, time: u64) -> bool {
        now.saturating_add(time) < self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};
    use std::collections::HashMap;

    /// A store that does something of somebody else's before each of its calls.
    #[derive(Clone, Copy)]
    struct Between<'a> {
        keys: &'a RefCell<HashMap<String, i64>>,
        before: &'a dyn Fn(),
    }

    impl Bucket for Between<'_> {
        fn get_many(&self, keys: Vec<String>) -> Result<HashMap<String, Vec<u8>>, String> {
            (self.before)();
            let known = self.keys.borrow();
            let found = keys.into_iter().filter_map(|key| Some((key.clone(), known.get(&key)?)));
            Ok(found.map(|(key, number)| (key, number.to_le_bytes().to_vec())).collect())
        }

        fn set_many(&self, _: Vec<(String, Vec<u8>)>) -> Result<(), String> {
            Err("nothing is set".to_owned())
        }

        fn delete_many(&self, keys: Vec<String>) -> Result<(), String> {
            (self.before)();
            let mut known = self.keys.borrow_mut();
            for key in &keys {
                known.remove(key);
            }
            Ok(())
        }

        fn increment(&self, key: &str, by: i64) -> Result<i64, String> {
            (self.before)();
            let mut keys = self.keys.borrow_mut();
            let number = keys.entry(key.to_owned()).or_default();
            *number += by;
            Ok(*number)
        }
    }

    const NAME: (&str, &str) = ("", "http://h/u/1");

    fn take(keys: &RefCell<HashMap<String, i64>>, now: u64, before: &dyn Fn()) -> Option<Turn> {
        Turns::DOCUMENT.take(&|| Ok(Between { keys, before }), NAME, &|| now).unwrap()
    }

    #[test]
    fn one_has_it_until_it_is_given_back_or_over() {
        let keys = RefCell::default();
        let now = 1_000_000;
        let turn = take(&keys, now, &|| ()).unwrap();
        assert!(turn.lasts(now, 5_000) && !turn.lasts(now, 40_000));
        for later in [0, 1_000, 19_000, 25_000] {
            assert_eq!(take(&keys, now + later, &|| ()), None, "{later}");
        }
        // Nobody else gets it while it lasts for the one, ten seconds apart.
        let last = (now..).take_while(|now| turn.lasts(*now, 0)).last().unwrap();
        assert_eq!(take(&keys, last + 9_999, &|| ()), None);
        assert!(take(&keys, now + 40_000, &|| ()).is_some());
        keys.borrow_mut().clear();
        let turn = take(&keys, now, &|| ()).unwrap();
        keys.borrow_mut().remove(turn.key());
        assert!(take(&keys, now, &|| ()).is_some());
    }

    #[test]
    fn two_at_once_are_never_both_let_in_wherever_the_one_meets_the_other() {
        let mut both_came_to_nothing = 0;
        // One clock shows the end of a window, the other one what its own shows: within the same window, or around its end.
        for (one, other) in
            [(1_019_999, 1_019_999), (1_019_999, 1_020_000), (1_020_000, 1_019_999), (1_015_000, 1_024_000)]
        {
            for moment in 0..4 {
                let keys = RefCell::default();
                let calls = Cell::new(0);
                let seconds = RefCell::new(None);
                let first = take(&keys, one, &|| {
                    if calls.replace(calls.get() + 1) == moment {
                        *seconds.borrow_mut() = take(&keys, other, &|| ());
                    }
                });
                let second = seconds.into_inner();
                assert!(first.is_none() || second.is_none(), "{one} {other} {moment}: {first:?} {second:?}");
                both_came_to_nothing += u32::from(first.is_none() && second.is_none());
                // Whoever came to nothing has left nothing.
                let held = [&first, &second].into_iter().flatten().count();
                assert!(keys.borrow().len() <= held, "{one} {other} {moment}: {keys:?}");
            }
        }
        assert!(both_came_to_nothing <= 4, "{both_came_to_nothing}");
    }
}
