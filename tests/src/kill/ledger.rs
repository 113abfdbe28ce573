//! What was seen, and which promise it breaks.

use std::collections::{HashMap, HashSet};

/// How many keys of order there are, each with a sender of its own: so the log has the events of one key in their order.
pub(super) const KEYS: usize = 32;

/// How many broken promises are told in full.
const TOLD: usize = 20;

/// An event: its key and its place among those of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Number {
    pub(super) key: usize,
    pub(super) place: u64,
}

/// A lease that was given.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) delivery: i64,
    pub(super) number: Number,
    pub(super) token: String,
    /// The process that gave it was started no later than as the one with this number.
    pub(super) process: usize,
}

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) broken: Vec<String>,
    pub(super) more_broken: usize,
    accepted: HashSet<Number>,
    pushed: HashMap<Number, u32>,
    kept_in_order: HashMap<Number, u32>,
    leased: HashMap<Number, u32>,
    /// The newest event of each key that began.
    newest_pushed: HashMap<usize, u64>,
    newest_leased: HashMap<usize, u64>,
    /// The newest lease of each delivery.
    tokens: HashMap<i64, String>,
    acknowledged: HashSet<i64>,
    pub(super) stale: usize,
}

impl Ledger {
    fn breaks(&mut self, promise: String) {
        match self.broken.len() < TOLD {
            true => self.broken.push(promise),
            false => self.more_broken += 1,
        }
    }

    /// A sender was told that this is accepted.
    pub(super) fn accept(&mut self, number: Number) {
        if !self.accepted.insert(number) {
            self.breaks(format!("{number:?} was accepted twice"));
        }
    }

    /// It came to an endpoint that asks for no order.
    pub(super) fn push(&mut self, number: Number) {
        *self.pushed.entry(number).or_default() += 1;
    }

    /// It came to an endpoint that asks for the order of keys.
    pub(super) fn push_in_order(&mut self, number: Number) {
        *self.kept_in_order.entry(number).or_default() += 1;
        let newest = self.newest_pushed.entry(number.key).or_insert(number.place);
        if number.place < *newest {
            let newest = *newest;
            return self.breaks(format!("{number:?} was pushed after the one at {newest} had begun"));
        }
        *newest = number.place;
    }

    /// It was leased.
    pub(super) fn lease(&mut self, held: &Held) {
        let Held { delivery, number, token, .. } = held;
        *self.leased.entry(*number).or_default() += 1;
        if self.acknowledged.contains(delivery) {
            self.breaks(format!("{number:?} was leased again after its answer had been taken"));
        }
        let newest = self.newest_leased.entry(number.key).or_insert(number.place);
        if number.place < *newest {
            let newest = *newest;
            self.breaks(format!("{number:?} was leased after the one at {newest} had been"));
        } else {
            *newest = number.place;
        }
        self.tokens.insert(*delivery, token.clone());
    }

    /// The lease was acknowledged by a request that was sent to the process with this number.
    pub(super) fn acknowledge(&mut self, held: &Held, process: usize) {
        if process > held.process {
            self.breaks(format!(
                "{:?} was settled by a lease of a process that had been killed",
                held.number
            ));
        } else if self.tokens.get(&held.delivery) != Some(&held.token) {
            self.breaks(format!("{:?} was settled by a lease that another one had followed", held.number));
        }
        self.acknowledged.insert(held.delivery);
    }

    /// How many events were accepted.
    pub(super) fn accepted(&self) -> usize {
        self.accepted.len()
    }

    /// How many were answered for.
    pub(super) fn acknowledged(&self) -> usize {
        self.acknowledged.len()
    }

    /// How many requests came to endpoints, and how many of them for the first time.
    pub(super) fn pushes(&self) -> (u64, usize) {
        let all = self.pushed.values().chain(self.kept_in_order.values());
        (all.map(|count| u64::from(*count)).sum(), self.pushed.len() + self.kept_in_order.len())
    }

    /// How many leases were given.
    pub(super) fn leases(&self) -> u64 {
        self.leased.values().map(|count| u64::from(*count)).sum()
    }

    /// Once nothing is open any more: what was accepted has arrived everywhere.
    pub(super) fn close(&mut self) {
        let everywhere =
            [("pushed", &self.pushed), ("pushed in order", &self.kept_in_order), ("leased", &self.leased)];
        let mut lost = Vec::new();
        for (how, arrived) in everywhere {
            let missing = self.accepted.iter().filter(|number| !arrived.contains_key(number));
            lost.extend(missing.map(|number| format!("{number:?} was accepted and never {how}")));
        }
        lost.into_iter().for_each(|promise| self.breaks(promise));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(place: u64) -> Number {
        Number { key: 0, place }
    }

    fn held(place: u64, token: &str, process: usize) -> Held {
        let delivery = i64::try_from(place).unwrap_or_default();
        Held { delivery, number: number(place), token: token.to_owned(), process }
    }

    #[test]
    fn finds_what_is_lost_out_of_order_settled_late_or_come_back() {
        let broken = |happens: &dyn Fn(&mut Ledger)| {
            let mut ledger = Ledger::default();
            happens(&mut ledger);
            ledger.close();
            ledger.broken.len()
        };
        let arrive = |ledger: &mut Ledger| {
            ledger.accept(number(0));
            ledger.push(number(0));
            ledger.push_in_order(number(0));
            ledger.lease(&held(0, "a", 0));
        };
        assert_eq!(broken(&arrive), 0);
        assert_eq!(broken(&|ledger| ledger.accept(number(0))), 3);
        assert_eq!(
            broken(&|ledger| {
                arrive(ledger);
                ledger.accept(number(0));
            }),
            1
        );
        let order = |places: &'static [u64]| {
            move |ledger: &mut Ledger| places.iter().for_each(|place| ledger.push_in_order(number(*place)))
        };
        assert_eq!((broken(&order(&[0, 1, 1, 2])), broken(&order(&[0, 1, 0, 2]))), (0, 1));
        let leases =
            |ledger: &mut Ledger| [1, 0].iter().for_each(|place| ledger.lease(&held(*place, "a", 0)));
        assert_eq!(broken(&leases), 1);
        // One that was followed by another, one of a process that is gone, and one that came back.
        let followed = |ledger: &mut Ledger| {
            ledger.lease(&held(0, "a", 0));
            ledger.lease(&held(0, "b", 0));
            ledger.acknowledge(&held(0, "a", 0), 0);
        };
        assert_eq!(broken(&followed), 1);
        let killed = |ledger: &mut Ledger| {
            ledger.lease(&held(0, "a", 0));
            ledger.acknowledge(&held(0, "a", 0), 1);
        };
        assert_eq!(broken(&killed), 1);
        let again = |ledger: &mut Ledger| {
            ledger.lease(&held(0, "a", 0));
            ledger.acknowledge(&held(0, "a", 0), 0);
            ledger.lease(&held(0, "b", 1));
        };
        assert_eq!(broken(&again), 1);
    }
}
