//! The outbox against a store that fails between any two writes, with several who drain it at once.

use super::*;
use crate::event::Event;
use proptest::prelude::*;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};

const START: u64 = 1_700_000_000_000;
const RETENTION: u64 = 7 * 24 * 3_600_000;

#[derive(Default)]
struct Memory {
    keys: RefCell<BTreeMap<String, Vec<u8>>>,
    /// How many more single writes take place before the store is gone; of an operation on several keys, too, as in a store
    /// without transactions.
    left: Cell<Option<usize>>,
    writes: Cell<usize>,
    clock: Cell<u64>,
    /// How long an operation takes.
    slow: Cell<u64>,
}

impl Memory {
    fn write(&self, change: impl FnOnce(&mut BTreeMap<String, Vec<u8>>)) -> Result<(), String> {
        if let Some(left) = self.left.get() {
            let left = left.checked_sub(1).ok_or("the instance is gone")?;
            self.left.set(Some(left));
        }
        self.writes.set(self.writes.get() + 1);
        change(&mut self.keys.borrow_mut());
        Ok(())
    }

    fn pass(&self) {
        self.clock.set(self.clock.get() + self.slow.get());
    }

    fn has(&self, key: &str) -> bool {
        self.keys.borrow().contains_key(key)
    }

    fn named(&self, start: &str) -> Vec<String> {
        self.keys.borrow().keys().filter(|key| key.starts_with(start)).cloned().collect()
    }
}

impl Bucket for Memory {
    fn get_many(&self, keys: Vec<String>) -> Result<HashMap<String, Vec<u8>>, String> {
        if self.left.get() == Some(0) {
            return Err("the instance is gone".to_owned());
        }
        let known = self.keys.borrow();
        Ok(keys.into_iter().filter_map(|key| Some((key.clone(), known.get(&key)?.clone()))).collect())
    }

    fn set_many(&self, entries: Vec<(String, Vec<u8>)>) -> Result<(), String> {
        self.pass();
        entries.into_iter().try_for_each(|(key, value)| {
            self.write(|keys| {
                keys.insert(key, value);
            })
        })
    }

    fn delete_many(&self, gone: Vec<String>) -> Result<(), String> {
        gone.into_iter().try_for_each(|key| {
            self.write(|keys| {
                keys.remove(&key);
            })
        })
    }

    fn increment(&self, key: &str, by: i64) -> Result<i64, String> {
        let mut sum = by;
        self.write(|keys| {
            let value = keys.entry(key.to_owned()).or_insert_with(|| 0_i64.to_le_bytes().to_vec());
            sum += i64::from_le_bytes(value.as_slice().try_into().unwrap());
            *value = sum.to_le_bytes().to_vec();
        })?;
        Ok(sum)
    }
}

fn memory() -> Memory {
    let memory = Memory::default();
    memory.clock.set(START);
    memory
}

fn event(id: &str, deliveries: usize, now: u64) -> NewEvent {
    NewEvent {
        event: Event { id: id.to_owned(), source: "shop".to_owned(), ..Event::default() },
        data: id.as_bytes().to_vec(),
        received: now,
        deliveries: (0..deliveries).map(|number| format!("s{number}")).collect(),
        failures: Vec::new(),
    }
}

/// A world in which instances come and go around one store.
struct World {
    memory: Memory,
    /// How often each delivery was sent.
    sent: BTreeMap<String, usize>,
}

impl World {
    fn new() -> Self {
        Self { memory: memory(), sent: BTreeMap::new() }
    }

    /// What a fresh instance does.
    fn instance<T>(
        &mut self,
        act: impl FnOnce(&Outbox<'_>, &mut BTreeMap<String, usize>, &Memory) -> T,
    ) -> T {
        let clock = || self.memory.clock.get();
        let slots = RefCell::new(Slots::default());
        act(&Outbox::new(&self.memory, &clock, &slots, RETENTION), &mut self.sent, &self.memory)
    }

    fn accept(&mut self, id: &str, deliveries: usize) -> Result<Vec<Unit>, String> {
        self.instance(|outbox, _, memory| outbox.keep(vec![event(id, deliveries, memory.clock.get())]))
    }

    /// Sends what is due and settles it; `fails` of the attempts fail.
    fn drain(&mut self, most: usize, fails: usize) -> Result<bool, String> {
        self.instance(|outbox, sent, memory| {
            let mut fails = fails;
            let mut claimed = outbox.claim(most)?;
            for unit in &mut claimed.units {
                send(outbox, unit, sent, memory, &mut fails)?;
            }
            let more = claimed.more;
            outbox.forget(most, &mut claimed)?;
            assert_eq!(claimed.reports, [] as [String; 0]);
            Ok(more)
        })
    }

    fn pass(&self, milliseconds: u64) {
        self.memory.clock.set(self.memory.clock.get() + milliseconds);
    }

    /// Lets time pass and drains until nothing is open.
    fn finish(&mut self) {
        self.memory.left.set(None);
        for _ in 0..200 {
            self.pass(60_000);
            while self.drain(10, 0).unwrap() {}
        }
    }
}

fn send(
    outbox: &Outbox<'_>,
    unit: &mut Unit,
    sent: &mut BTreeMap<String, usize>,
    memory: &Memory,
    fails: &mut usize,
) -> Result<(), String> {
    let now = memory.clock.get();
    let id = unit.event.event.id.clone();
    assert_eq!(unit.data, id.as_bytes());
    for delivery in unit.due(now) {
        delivery.attempts += 1;
        *sent.entry(delivery_id(&delivery.subscription, "shop", &id)).or_default() += 1;
        if *fails > 0 {
            *fails -= 1;
            delivery.due = Some(now + 5_000);
        } else {
            delivery.status = DeliveryStatus::Delivered;
            delivery.due = None;
        }
    }
    outbox.settle(unit, Vec::new())
}

#[test]
fn what_nobody_sent_is_sent_by_who_comes_after_the_lease_and_then_no_more() {
    let mut world = World::new();
    world.accept("a", 2).unwrap();
    world.drain(10, 0).unwrap();
    assert!(world.sent.is_empty(), "the instance that accepted it may still be at it");
    world.pass(LEASE + 20_000);
    world.drain(10, 0).unwrap();
    assert_eq!(world.sent.values().copied().collect::<Vec<_>>(), [1, 1]);
    world.finish();
    assert_eq!(world.sent.values().copied().collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn an_accept_is_one_write_of_several_keys_and_one_counter() {
    let mut world = World::new();
    world.accept("a", 1).unwrap();
    let before = world.memory.writes.get();
    world.instance(|outbox, _, memory| {
        outbox.keep(vec![event("b", 3, memory.clock.get())]).unwrap();
        // Data, pointer, work, event; the counter.
        assert_eq!(memory.writes.get() - before, 5);
        outbox.keep(vec![event("c", 3, memory.clock.get())]).unwrap();
        outbox.keep(vec![event("d", 3, memory.clock.get())]).unwrap();
        assert_eq!(memory.writes.get() - before, 14, "four slots are taken at once");
    });
}

#[test]
fn settled_and_old_is_deleted_with_all_that_belongs_to_it() {
    let mut world = World::new();
    world.accept("a", 120).unwrap();
    world.accept("b", 0).unwrap();
    world.memory.increment(&claim_key("shop", "a", 1), 1).unwrap();
    world.memory.set_many(vec![("event/shop/a".to_owned(), b"1 a".to_vec())]).unwrap();
    world.memory.set_many(vec![("event/shop/b".to_owned(), b"1 another".to_vec())]).unwrap();
    world.finish();
    assert!(world.memory.has("log/shop/a") && world.memory.has("log/shop/b"));
    world.pass(RETENTION + 2 * 3_600_000);
    world.finish();
    // What another event of that id is known by stays.
    let left: Vec<String> = world.memory.named("");
    assert_eq!(left, ["cursor/due", "cursor/old", "event/shop/b"]);
    assert_eq!(world.sent.len(), 120);
}

#[test]
fn an_open_part_keeps_the_data_however_old_it_is() {
    let mut world = World::new();
    world.accept("a", 60).unwrap();
    let mut fails = 0;
    world.pass(LEASE + 20_000);
    world.instance(|outbox, sent, memory| {
        let mut claimed = outbox.claim(1).unwrap();
        send(outbox, &mut claimed.units[0], sent, memory, &mut fails).unwrap();
    });
    // The other part has to wait longer than anything is kept.
    let late = world.memory.clock.get() + RETENTION + 48 * 3_600_000;
    world.instance(|outbox, _, _| {
        let mut claimed = outbox.claim(1).unwrap();
        claimed.units[0].due(u64::MAX).for_each(|delivery| delivery.due = Some(late));
        outbox.settle(&mut claimed.units[0], Vec::new()).unwrap();
    });
    world.memory.clock.set(late - 3_600_000);
    while world.drain(10, 0).unwrap() {}
    assert!(world.memory.has("data/shop/a"));
    world.memory.clock.set(late + 60_000);
    while world.drain(10, 0).unwrap() {}
    assert_eq!(world.sent.len(), 60);
}

#[test]
fn two_who_drain_at_once_do_not_send_twice() {
    let mut world = World::new();
    for number in 0..20 {
        world.accept(&number.to_string(), 1).unwrap();
    }
    world.pass(LEASE + 20_000);
    let clock = || world.memory.clock.get();
    let (one, other) = (RefCell::new(Slots::default()), RefCell::new(Slots::default()));
    let one = Outbox::new(&world.memory, &clock, &one, RETENTION);
    let other = Outbox::new(&world.memory, &clock, &other, RETENTION);
    let first = one.claim(10).unwrap();
    let second = other.claim(20).unwrap();
    assert_eq!((first.units.len(), second.units.len()), (10, 10));
    let ids = |claimed: &Claimed| -> Vec<String> {
        claimed.units.iter().map(|unit| unit.event.event.id.clone()).collect()
    };
    let (first, second) = (ids(&first), ids(&second));
    assert!(first.iter().all(|id| !second.contains(id)), "{first:?} {second:?}");
    assert!(one.claim(20).unwrap().units.is_empty());
    // Whoever took them is gone.
    world.memory.clock.set(world.memory.clock.get() + 2 * LEASE);
    assert_eq!(one.claim(30).unwrap().units.len(), 20);
}

#[test]
fn what_is_written_too_late_to_be_found_is_placed_again() {
    let mut world = World::new();
    world.accept("first", 0).unwrap();
    // So slow that the turn has begun when the pointer is there; then it is well again.
    world.memory.slow.set(LEASE + 30_000);
    let kept = world.instance(|outbox, _, memory| {
        let clock = || {
            let now = memory.clock.get();
            if now > START + LEASE {
                memory.slow.set(0);
            }
            now
        };
        let slots = RefCell::new(Slots::default());
        let outbox = Outbox::new(outbox.bucket, &clock, &slots, RETENTION);
        outbox.keep(vec![event("a", 1, START)])
    });
    assert_eq!(kept.unwrap().len(), 1);
    world.finish();
    assert_eq!(world.sent["s0:shop:a"], 1);
}

#[test]
fn a_survey_counts_what_is_open_and_says_what_is_late() {
    let mut world = World::new();
    world.accept("a", 3).unwrap();
    let survey = world.instance(|outbox, _, _| outbox.survey(24 * 3_600_000)).unwrap();
    assert_eq!((survey.open, survey.overdue, survey.complete), (3, 0, true));
    assert_eq!(survey.oldest_due, Some(START));
    world.pass(LEASE + 20_000);
    let survey = world.instance(|outbox, _, _| outbox.survey(24 * 3_600_000)).unwrap();
    assert_eq!((survey.open, survey.overdue), (3, 3));
    world.drain(10, 2).unwrap();
    let survey = world.instance(|outbox, _, _| outbox.survey(24 * 3_600_000)).unwrap();
    assert_eq!((survey.open, survey.overdue), (2, 0));
    world.finish();
    let survey = world.instance(|outbox, _, _| outbox.survey(24 * 3_600_000)).unwrap();
    assert_eq!((survey.open, survey.oldest_due), (0, None));
}

#[test]
fn a_day_without_anybody_is_caught_up_with_in_bounded_steps() {
    let mut world = World::new();
    world.accept("a", 1).unwrap();
    world.pass(3 * 24 * 3_600_000);
    world.accept("b", 1).unwrap();
    world.pass(LEASE + 20_000);
    let mut rounds = 0;
    while world.sent.len() < 2 && rounds < 10 {
        world.drain(10, 0).unwrap();
        rounds += 1;
    }
    assert!((2..10).contains(&rounds), "{rounds}");
}

/// What happens in a history.
#[derive(Debug, Clone)]
enum Happening {
    Accept { deliveries: usize, crash: Option<usize> },
    Drain { most: usize, fails: usize, crash: Option<usize> },
    Pass(u64),
}

fn happening() -> impl Strategy<Value = Happening> {
    let crash = || proptest::option::of(0..14_usize);
    prop_oneof![
        (0..4_usize, crash()).prop_map(|(deliveries, crash)| Happening::Accept { deliveries, crash }),
        (1..5_usize, 0..3_usize, crash()).prop_map(|(most, fails, crash)| Happening::Drain {
            most,
            fails,
            crash
        }),
        prop_oneof![0..3_000_u64, 5_000..20_000_u64, 60_000..400_000_u64].prop_map(Happening::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever ends between whichever writes: what was accepted is sent, and nothing is left behind when it is old.
    #[test]
    fn nothing_that_was_accepted_is_lost(happenings in proptest::collection::vec(happening(), 1..25)) {
        let mut world = World::new();
        let mut owed = Vec::new();
        for (number, happening) in happenings.into_iter().enumerate() {
            match happening {
                Happening::Accept { deliveries, crash } => {
                    world.memory.left.set(crash);
                    let id = number.to_string();
                    if world.accept(&id, deliveries).is_ok() {
                        owed.extend((0..deliveries).map(|to| delivery_id(&format!("s{to}"), "shop", &id)));
                    }
                }
                Happening::Drain { most, fails, crash } => {
                    world.memory.left.set(crash);
                    let _ = world.drain(most, fails);
                }
                Happening::Pass(time) => world.pass(time),
            }
            world.memory.left.set(None);
        }
        world.finish();
        for delivery in &owed {
            prop_assert!(world.sent.contains_key(delivery), "{delivery} was lost");
        }
        let survey = world.instance(|outbox, _, _| outbox.survey(24 * 3_600_000)).unwrap();
        prop_assert_eq!(survey.open, 0);
        prop_assert_eq!(world.memory.named("due/").into_iter().filter(|key| key.matches('/').count() == 2).count(), 0);
    }
}
