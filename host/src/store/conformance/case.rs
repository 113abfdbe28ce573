//! The cases.

mod backlog;
mod bulk;
mod call;
mod callback;
mod resource;

pub(super) use backlog::*;
pub(super) use bulk::*;
pub(super) use call::*;
pub(super) use callback::*;
pub(super) use resource::*;

use super::*;
use crate::store::{
    Cause, DeclaredSubscription, DeliveryQuery, DeliveryStatus, Due, EventQuery, FailedFilter, LogPart,
    Oldest, Order, Origin, RemovedSubscription, Repetition, Retried, StoredSource, StoredStanding,
    StoredSubscription,
};
use anglerfish_core::delivery::{DisableCause, Standing};

pub(super) async fn appends_several_entries_in_one_transaction_or_none(store: &dyn Store) {
    let head = store.head();
    assert_eq!(*head.borrow(), EventSeq(0));
    let outcome =
        store.commit(commit(vec![event("a", &["one"]), event("b", &[]), event("c", &["one", "two"])]));
    let CommitOutcome::Committed { seqs, deliveries, .. } = outcome.await.unwrap() else {
        panic!("conflict")
    };
    assert_eq!(seqs, [EventSeq(1), EventSeq(2), EventSeq(3)]);
    assert_eq!(deliveries.iter().map(|one| one.seq.0).collect::<Vec<_>>(), [1, 3, 3]);
    assert_eq!(*head.borrow(), EventSeq(3));

    let again = store.commit(commit(vec![event("d", &["one"]), event("a", &["one"])])).await.unwrap();
    assert!(matches!(again, CommitOutcome::Conflict));
    assert!(store.event("d").await.unwrap().is_empty());
    assert_eq!(*head.borrow(), EventSeq(3));
    assert_eq!(store.backlog().await.unwrap(), [("one".to_owned(), 2), ("two".to_owned(), 1)]);
    assert_eq!(put(store, "d", &[]).await.0, EventSeq(4), "no position is left out");
}

pub(super) async fn keeps_what_an_entry_is_beside_its_attributes(store: &dyn Store) {
    let (first, _) = put(store, "a", &[]).await;
    let mut entry = event("b", &[]);
    entry.origin = Origin::Call;
    entry.cause = Some(Cause::Entry(first));
    entry.request = None;
    entry.secret = Some("2".to_owned());
    entry.event.extensions = [("traceparent".to_owned(), "00-1".to_owned())].into();
    entry.subscriptions = vec!["one".to_owned()];
    store.commit(Commit { lease: None, ..commit(vec![entry.clone()]) }).await.unwrap();

    let leased = store.lease("one", NOW, 9, LeaseTerms::default()).await.unwrap().deliveries;
    assert_eq!(leased[0].event, entry.event);
    let record = store.event("b").await.unwrap().remove(0);
    assert_eq!((record.origin, record.cause, record.request), (Origin::Call, Some(first), None));
    assert_eq!((record.secret.as_deref(), record.size), (Some("2"), 1));
    assert_eq!(record.event, entry.event);
    let LogPart::Entries(entries) = store.read(first, 9, 99).await.unwrap() else { panic!("a gap") };
    assert_eq!((entries[0].origin, entries[0].cause), (Origin::Call, Some(first)));
    let record = store.event("a").await.unwrap().remove(0);
    assert_eq!((record.origin, record.cause), (Origin::Request, None));
    assert_eq!(record.request.unwrap().url, "/in/shop");
}

pub(super) async fn knows_that_an_entry_was_caused_by_the_first_one_of_its_commit(store: &dyn Store) {
    put(store, "a", &[]).await;
    let mut events = ["b", "c", "d"].map(|id| event(id, &[])).to_vec();
    events[2].cause = Some(Cause::First);
    store.commit(commit(events)).await.unwrap();
    for (id, cause) in [("b", None), ("c", None), ("d", Some(EventSeq(2)))] {
        assert_eq!(store.event(id).await.unwrap().remove(0).cause, cause, "{id}");
    }
    let LogPart::Entries(entries) = store.read(EventSeq(1), 9, 99).await.unwrap() else { panic!("a gap") };
    assert_eq!(entries.iter().map(|entry| entry.cause).collect::<Vec<_>>(), [None, None, Some(EventSeq(2))]);
}

pub(super) async fn refuses_a_commit_whose_key_has_changed(store: &dyn Store) {
    let value = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
    let write = |seen: Option<Bytes>, new: Option<Bytes>| Commit {
        keys: KeyOverlay { reads: vec![("k".to_owned(), seen)], writes: vec![("k".to_owned(), new)] },
        ..Commit::new(NOW)
    };
    let keys = store.key_reader().unwrap();
    assert!(matches!(store.commit(write(None, value("1"))).await.unwrap(), CommitOutcome::Committed { .. }));
    assert!(matches!(store.commit(write(None, value("2"))).await.unwrap(), CommitOutcome::Conflict));
    assert_eq!(keys.get("k").unwrap(), value("1"));
    store.commit(write(value("1"), None)).await.unwrap();
    assert_eq!(keys.get("k").unwrap(), None);
}

pub(super) async fn refuses_a_second_event_of_one_source_and_id(store: &dyn Store) {
    put(store, "a", &["one"]).await;
    let again = store.commit(commit(vec![event("a", &["one"])])).await.unwrap();
    assert!(matches!(again, CommitOutcome::Conflict));
    let mut other = event("a", &[]);
    other.event.source = "forge".to_owned();
    store.commit(commit(vec![other])).await.unwrap();
    assert_eq!(store.event("a").await.unwrap().len(), 2);
}

pub(super) async fn counts_an_event_that_came_again(store: &dyn Store) {
    put(store, "a", &[]).await;
    for round in 0..25 {
        let repetition = Repetition { source: "shop".to_owned(), id: "a".to_owned(), received: later(round) };
        let again = Commit { repetitions: vec![repetition], ..Commit::new(NOW) };
        let outcome = store.commit(again).await.unwrap();
        assert!(matches!(outcome, CommitOutcome::Committed { seqs, .. } if seqs.is_empty()));
    }
    let unknown = Repetition { source: "shop".to_owned(), id: "x".to_owned(), received: NOW };
    store.commit(Commit { repetitions: vec![unknown], ..Commit::new(NOW) }).await.unwrap();
    let repetitions = store.event("a").await.unwrap().remove(0).repetitions;
    assert_eq!(repetitions.count, 25);
    assert_eq!(repetitions.times, (5..25).map(later).collect::<Vec<_>>());
}

pub(super) async fn reads_the_log_in_order_and_tells_when_there_is_more(store: &dyn Store) {
    for id in ["a", "bb", "ccc", "dddd"] {
        put(store, id, &[]).await;
    }
    let read = async |after: i64, limit: usize, bytes: usize| match store
        .read(EventSeq(after), limit, bytes)
        .await
        .unwrap()
    {
        LogPart::Entries(entries) => {
            entries.into_iter().map(|entry| (entry.seq.0, entry.data)).collect::<Vec<_>>()
        }
        LogPart::Gap { oldest } => panic!("a gap up to {oldest}"),
    };
    assert_eq!(read(1, 2, 100).await, [(2, Bytes::from("bb")), (3, Bytes::from("ccc"))]);
    // No more bytes than asked for, but one entry at least.
    assert_eq!(read(0, 9, 3).await.len(), 2);
    assert_eq!(read(3, 9, 0).await, [(4, Bytes::from("dddd"))]);
    assert!(read(4, 9, 100).await.is_empty());
}

pub(super) async fn tells_a_reader_that_is_behind_what_was_deleted(store: &dyn Store) {
    put(store, "old", &[]).await;
    let mut young = event("young", &[]);
    young.received = later(100);
    store.commit(commit(vec![young])).await.unwrap();
    while store.expire(later(50), 10).await.unwrap() > 0 {}
    let part = store.read(EventSeq(0), 9, 99).await.unwrap();
    assert!(matches!(part, LogPart::Gap { oldest: EventSeq(2) }), "{part:?}");
    let LogPart::Entries(entries) = store.read(EventSeq(1), 9, 99).await.unwrap() else { panic!("a gap") };
    assert_eq!(entries[0].event.id, "young");
}

pub(super) async fn finds_the_position_of_a_time(store: &dyn Store) {
    assert_eq!(store.at(NOW).await.unwrap(), EventSeq(0));
    for (id, received) in [("a", 10), ("b", 20), ("c", 15), ("d", 30)] {
        let mut new = event(id, &[]);
        new.received = later(received);
        store.commit(commit(vec![new])).await.unwrap();
    }
    for (time, after) in [(0, 0), (10, 0), (11, 1), (20, 1), (21, 3), (30, 3), (31, 4)] {
        assert_eq!(store.at(later(time)).await.unwrap(), EventSeq(after), "{time}");
    }
}

pub(super) async fn leases_each_delivery_once_until_it_is_given_back(store: &dyn Store) {
    let (_, fresh) = put(store, "a", &["one"]).await;
    assert!(store.lease("one", NOW, 9, LeaseTerms::default()).await.unwrap().deliveries.is_empty());
    assert!(store.release(&leases(&fresh)).await.unwrap().is_empty());
    let leased = store.lease("one", NOW, 9, LeaseTerms::default()).await.unwrap();
    assert_eq!((ids(&leased.deliveries), leased.next()), (ids(&fresh), None));
    assert_eq!((leased.deliveries[0].created, &leased.deliveries[0].data[..]), (NOW, &b"a"[..]));
    // The first lease is gone: giving it back once more takes nothing from who has it now.
    assert_eq!(store.release(&leases(&fresh)).await.unwrap(), leases(&fresh));
    assert!(store.lease("one", NOW, 9, LeaseTerms::default()).await.unwrap().deliveries.is_empty());

    let free = Commit { events: vec![event("b", &["one"])], lease: None, ..Commit::new(NOW) };
    let CommitOutcome::Committed { deliveries, .. } = store.commit(free).await.unwrap() else { panic!() };
    assert!(deliveries.is_empty());
    assert_eq!(store.lease("one", NOW, 9, LeaseTerms::default()).await.unwrap().deliveries.len(), 1);
}

pub(super) async fn a_lease_past_its_deadline_is_handed_out_anew_and_the_old_one_is_stale(store: &dyn Store) {
    let lost = Commit {
        events: vec![event("a", &["one"])],
        lease: Some(terms("first", later(10))),
        ..Commit::new(NOW)
    };
    let CommitOutcome::Committed { deliveries, .. } = store.commit(lost).await.unwrap() else { panic!() };
    let old = deliveries[0].lease();
    assert!(store.lease("one", later(9), 9, terms("second", later(99))).await.unwrap().deliveries.is_empty());
    let again = store.lease("one", later(10), 9, terms("second", later(99))).await.unwrap().deliveries;
    assert_eq!(again[0].id, deliveries[0].id);
    assert_ne!(again[0].token, deliveries[0].token);

    assert_eq!(settle(store, old, Settled::Delivered, later(11)).await, Recorded::Stale);
    assert_eq!(store.extend(&[old], later(500)).await.unwrap(), [old]);
    assert_eq!(store.release(&[old]).await.unwrap(), [old]);
    let (delivery, attempts) = store.delivery(again[0].id).await.unwrap().unwrap();
    assert_eq!((delivery.status, attempts.len()), (DeliveryStatus::Pending, 0));
    assert_eq!(settle(store, again[0].lease(), Settled::Delivered, later(12)).await, Recorded::Recorded);
}

pub(super) async fn an_extended_lease_is_not_handed_out(store: &dyn Store) {
    let (_, fresh) = put(store, "a", &["one"]).await;
    store.release(&leases(&fresh)).await.unwrap();
    let leased = store.lease("one", NOW, 9, terms("first", later(10))).await.unwrap().deliveries;
    assert!(store.extend(&leases(&leased), later(20)).await.unwrap().is_empty());
    assert!(store.lease("one", later(15), 9, LeaseTerms::default()).await.unwrap().deliveries.is_empty());
    assert_eq!(settle(store, leased[0].lease(), Settled::Delivered, later(15)).await, Recorded::Recorded);
}

pub(super) async fn settles_in_batches_and_tells_the_stale_ones_apart(store: &dyn Store) {
    let (_, fresh) = put(store, "a", &["one", "two", "three"]).await;
    let [one, two, three] = leases(&fresh)[..] else { panic!() };
    store.release(&[two]).await.unwrap();
    let batch = vec![
        settlement(one, Settled::Delivered, later(1)),
        settlement(two, Settled::Delivered, later(1)),
        settlement(three, Settled::Retry(later(9)), later(1)),
        settlement(one, Settled::Dead, later(2)),
    ];
    let recorded = store.record(batch).await.unwrap();
    assert_eq!(recorded, [Recorded::Recorded, Recorded::Stale, Recorded::Recorded, Recorded::Stale]);
    let (delivery, attempts) = store.delivery(one.delivery).await.unwrap().unwrap();
    assert_eq!((delivery.status, delivery.ended), (DeliveryStatus::Delivered, Some(later(1))));
    assert_eq!((attempts.len(), attempts[0].number), (1, 1));
    let (delivery, _) = store.delivery(three.delivery).await.unwrap().unwrap();
    assert_eq!((delivery.due, delivery.ended, delivery.attempts), (Some(later(9)), None, 1));
    assert_eq!(store.backlog().await.unwrap(), [("three".to_owned(), 1), ("two".to_owned(), 1)]);
}

pub(super) async fn says_where_something_is_due_and_when_the_next_one_is(store: &dyn Store) {
    let (_, fresh) = put(store, "a", &["one", "two", "three", "four"]).await;
    let [one, two, three, _four] = leases(&fresh)[..] else { panic!() };
    settle(store, one, Settled::Retry(later(20)), NOW).await;
    settle(store, two, Settled::Retry(later(10)), NOW).await;
    settle(store, three, Settled::Retry(later(30)), NOW).await;
    let due = |names: &[&str], next: Option<u64>| Due {
        subscriptions: names.iter().map(ToString::to_string).collect(),
        next: next.map(later),
    };
    assert_eq!(store.due(later(5), 9).await.unwrap(), due(&[], Some(10)));
    assert_eq!(store.due(later(25), 9).await.unwrap(), due(&["two", "one"], Some(30)));
    assert_eq!(store.due(later(25), 1).await.unwrap(), due(&["two"], Some(20)));
    assert_eq!(store.lease("one", later(5), 0, LeaseTerms::default()).await.unwrap().next(), Some(later(20)));
    store.lease("two", later(25), 9, LeaseTerms::default()).await.unwrap();
    assert_eq!(store.due(later(25), 9).await.unwrap(), due(&["one"], Some(30)));
}

pub(super) async fn the_failure_of_an_abandoned_delivery_does_not_open_it_again(store: &dyn Store) {
    let (_, fresh) = put(store, "a", &["one"]).await;
    let (_, arrived) = put(store, "b", &["one"]).await;
    assert_eq!(store.abandon("one", "deleted", later(5)).await.unwrap(), 2);
    settle(store, fresh[0].lease(), Settled::Retry(later(9)), later(6)).await;
    settle(store, arrived[0].lease(), Settled::Delivered, later(7)).await;
    let (delivery, attempts) = store.delivery(fresh[0].id).await.unwrap().unwrap();
    assert_eq!((delivery.status, delivery.due, attempts.len()), (DeliveryStatus::Dead, None, 1));
    assert_eq!((delivery.reason.as_deref(), delivery.ended), (Some("deleted"), Some(later(5))));
    let (delivery, _) = store.delivery(arrived[0].id).await.unwrap().unwrap();
    assert_eq!((delivery.status, delivery.reason), (DeliveryStatus::Delivered, None));
    assert_eq!(delivery.ended, Some(later(7)));
    assert!(store.backlog().await.unwrap().is_empty());
}

pub(super) async fn whatever_is_committed_for_an_abandoned_subscription_is_dead_from_the_start(
    store: &dyn Store,
) {
    assert_eq!(store.abandon("one", "deleted", NOW).await.unwrap(), 0);
    let (seq, fresh) = put(store, "a", &["one", "two"]).await;
    assert_eq!(fresh.iter().map(|one| &one.subscription[..]).collect::<Vec<_>>(), ["two"]);
    let query = DeliveryQuery { event: Some(seq), limit: 9, ..DeliveryQuery::default() };
    let dead = store.deliveries(query).await.unwrap().items.pop().unwrap();
    assert_eq!((dead.status, dead.reason.as_deref()), (DeliveryStatus::Dead, Some("deleted")));
    assert_eq!(dead.ended, Some(NOW));

    let back = StoredSubscription { id: "one".to_owned(), document: "{}".to_owned(), updated: NOW };
    store.put_subscription(back).await.unwrap();
    assert_eq!(put(store, "b", &["one"]).await.1.len(), 1);
    store.abandon("one", "deleted", NOW).await.unwrap();
    store
        .declare(vec![DeclaredSubscription { id: "one".to_owned(), waits: false, start: None }])
        .await
        .unwrap();
    assert_eq!(put(store, "c", &["one"]).await.1.len(), 1);
}

pub(super) async fn says_which_declared_subscriptions_are_gone(store: &dyn Store) {
    let declared = |id: &str, waits| DeclaredSubscription { id: id.to_owned(), waits, start: None };
    let removed = |id: &str, waits| RemovedSubscription { id: id.to_owned(), waits };
    let first = vec![declared("b", true), declared("c", false), declared("a", false)];
    assert!(store.declare(first).await.unwrap().is_empty());
    let gone = store.declare(vec![declared("c", false)]).await.unwrap();
    assert_eq!(gone, [removed("a", false), removed("b", true)]);
    assert!(store.declare(vec![declared("c", false)]).await.unwrap().is_empty(), "said once");
}

pub(super) async fn says_since_when_the_oldest_open_delivery_is_there(store: &dyn Store) {
    let names = ["one", "two", "three"].map(str::to_owned);
    assert_eq!(
        store.oldest(&names).await.unwrap(),
        Oldest { of_all: None, of_each: vec![None, None, None] },
        "nothing is open"
    );
    let mut fresh = Vec::new();
    for (id, wanted, made) in [("a", &["one"][..], 0), ("b", &["one", "two"], 10), ("c", &["two"], 20)] {
        let commit = Commit { events: vec![event(id, wanted)], ..Commit::new(later(made)) };
        let CommitOutcome::Committed { deliveries, .. } = store.commit(commit).await.unwrap() else {
            panic!()
        };
        fresh.extend(leases(&deliveries));
    }
    let oldest = async |of_all: Option<u64>, of_each: [Option<u64>; 3]| {
        let of_each = of_each.into_iter().map(|time| time.map(later)).collect();
        assert_eq!(store.oldest(&names).await.unwrap(), Oldest { of_all: of_all.map(later), of_each });
    };
    oldest(Some(0), [Some(0), Some(10), None]).await;
    // One that waits for its next attempt is open, and as old as before.
    settle(store, fresh[2], Settled::Retry(later(900)), later(30)).await;
    settle(store, fresh[0], Settled::Delivered, later(30)).await;
    oldest(Some(10), [Some(10), Some(10), None]).await;
    assert_eq!(store.abandon("two", "deleted", later(40)).await.unwrap(), 2);
    oldest(Some(10), [Some(10), None, None]).await;
    settle(store, fresh[1], Settled::Dead, later(50)).await;
    oldest(None, [None, None, None]).await;
    store.retry(fresh[0].delivery, later(60)).await.unwrap();
    oldest(Some(0), [Some(0), None, None]).await;
}

pub(super) async fn remembers_how_subscriptions_stand_until_they_are_abandoned(store: &dyn Store) {
    let stands = |subscription: &str, standing| StoredStanding {
        subscription: subscription.to_owned(),
        standing,
        since: later(5),
        failing: None,
    };
    assert!(store.standings().await.unwrap().is_empty());
    let all = [
        stands("a", Standing::Paused),
        stands("b", Standing::Disabled(DisableCause::Gone(410))),
        stands("c", Standing::Paused),
        StoredStanding { failing: Some(later(3)), ..stands("d", Standing::Active) },
        stands("e", Standing::Disabled(DisableCause::Failing(Duration::from_millis(432_000_001)))),
    ];
    for one in all.iter().rev() {
        store.set_standing(one.clone()).await.unwrap();
    }
    assert_eq!(store.standings().await.unwrap(), all);
    store.set_standing(stands("a", Standing::Active)).await.unwrap();
    store.abandon("c", "deleted", NOW).await.unwrap();
    store.set_standing(stands("d", Standing::Active)).await.unwrap();
    assert_eq!(store.standings().await.unwrap(), [all[1].clone(), all[4].clone()]);
}

pub(super) async fn a_retry_by_hand_makes_a_delivery_young(store: &dyn Store) {
    let (_, fresh) = put(store, "a", &["one"]).await;
    let id = fresh[0].id;
    assert_eq!(store.retry(id, NOW).await.unwrap(), Retried::Leased);
    settle(store, fresh[0].lease(), Settled::Dead, later(1)).await;
    assert_eq!(store.retry(id, later(100)).await.unwrap(), Retried::Due);
    assert_eq!(store.retry(DeliveryId(99), NOW).await.unwrap(), Retried::Unknown);
    while store.expire(later(90), 9).await.unwrap() > 0 {}
    let leased = store.lease("one", later(100), 9, LeaseTerms::default()).await.unwrap().deliveries;
    assert_eq!((leased[0].id, leased[0].attempts), (id, 0));
    settle(store, leased[0].lease(), Settled::Delivered, later(101)).await;
    while store.expire(later(101), 9).await.unwrap() > 0 {}
    let (delivery, attempts) = store.delivery(id).await.unwrap().unwrap();
    assert_eq!((delivery.status, attempts.len()), (DeliveryStatus::Delivered, 2));
    while store.expire(later(102), 9).await.unwrap() > 0 {}
    assert!(store.delivery(id).await.unwrap().is_none());
}

pub(super) async fn plans_anew_what_a_clock_that_was_put_back_had_planned(store: &dyn Store) {
    let month = 30 * 24 * 3_600_000;
    let mut ahead = Commit::new(later(month));
    ahead.events = vec![event("a", &["one"]), event("b", &["one"])];
    let CommitOutcome::Committed { deliveries, .. } = store.commit(ahead).await.unwrap() else { panic!() };
    let [retried, fresh] = leases(&deliveries)[..] else { panic!() };
    settle(store, retried, Settled::Retry(later(month + 5000)), later(month)).await;
    store.release(&[fresh]).await.unwrap();
    let (_, usual) = put(store, "c", &["one"]).await;
    settle(store, usual[0].lease(), Settled::Retry(later(7_200_000)), NOW).await;

    assert_eq!(store.replan(later(month)).await.unwrap(), 0, "the clock is as it was");
    assert_eq!(store.replan(NOW).await.unwrap(), 2);
    let due = async |id| store.delivery(id).await.unwrap().unwrap().0.due.unwrap();
    assert_eq!(due(retried.delivery).await, later(5000));
    assert_eq!(due(fresh.delivery).await, NOW);
    assert_eq!(due(usual[0].id).await, later(7_200_000), "a long wait is no sign of a wrong clock");
    assert_eq!(store.replan(NOW).await.unwrap(), 0);
}

pub(super) async fn lists_what_is_asked_for_in_a_range_of_time(store: &dyn Store) {
    for (id, kind, time) in [("a", "x", 10), ("b", "y", 30), ("c", "x", 20), ("d", "x", 40)] {
        let mut new = event(id, &["one"]);
        new.event.kind = kind.to_owned();
        new.received = later(time);
        let all = Commit { events: vec![new], ..Commit::new(later(time)) };
        let CommitOutcome::Committed { deliveries, .. } = store.commit(all).await.unwrap() else { panic!() };
        if kind == "x" {
            settle(store, deliveries[0].lease(), Settled::Delivered, later(50)).await;
        }
    }
    let events = async |query: EventQuery| {
        let page = store.events(EventQuery { limit: 9, ..query }).await.unwrap();
        page.items.into_iter().map(|record| record.event.id).collect::<Vec<_>>()
    };
    let range = EventQuery { since: Some(later(20)), until: Some(later(40)), ..EventQuery::default() };
    assert_eq!(events(range.clone()).await, ["c", "b"]);
    assert_eq!(events(EventQuery { kind: Some("x".into()), ..range.clone() }).await, ["c"]);
    assert_eq!(events(EventQuery { source: Some("shop".into()), ..range.clone() }).await, ["c", "b"]);
    assert_eq!(events(EventQuery { order: Order::Oldest, until: None, ..range }).await, ["b", "c", "d"]);
    let deliveries = async |query: DeliveryQuery| {
        let page = store.deliveries(DeliveryQuery { limit: 9, ..query }).await.unwrap();
        page.items.into_iter().map(|delivery| delivery.id.0).collect::<Vec<_>>()
    };
    let range = DeliveryQuery { since: Some(later(20)), until: Some(later(41)), ..DeliveryQuery::default() };
    assert_eq!(deliveries(range.clone()).await, [4, 3, 2]);
    let pending = DeliveryQuery { status: Some(DeliveryStatus::Pending), ..range.clone() };
    assert_eq!(deliveries(pending.clone()).await, [2]);
    assert_eq!(deliveries(DeliveryQuery { subscription: Some("one".into()), ..pending }).await, [2]);
    let cursor = DeliveryQuery { subscription: Some("one".into()), cursor: Some(DeliveryId(4)), ..range };
    assert_eq!(deliveries(cursor).await, [3, 2]);
}

pub(super) async fn lists_keys_by_how_they_begin(store: &dyn Store) {
    let names = ["copy/a/x", "copy/a/y", "copy/b/x", "copz"];
    let writes = names.iter().map(|name| ((*name).to_owned(), Some(Bytes::from(*name)))).collect();
    let keys = KeyOverlay { reads: Vec::new(), writes };
    store.commit(Commit { keys, ..Commit::new(NOW) }).await.unwrap();
    let found = store.keys("copy/a/", 9).await.unwrap();
    assert_eq!(found.iter().map(|(key, _)| &key[..]).collect::<Vec<_>>(), ["copy/a/x", "copy/a/y"]);
    assert_eq!(store.keys("copy/", 1).await.unwrap().len(), 1);
}

pub(super) async fn lists_events_on_which_a_filter_failed(store: &dyn Store) {
    put(store, "a", &[]).await;
    let mut failed = event("b", &[]);
    failed.failures = vec![FailedFilter { subscription: "one".into(), reason: "no such field".into() }];
    store.commit(commit(vec![failed.clone()])).await.unwrap();
    let query = EventQuery { failed: Some("one".into()), limit: 9, ..EventQuery::default() };
    let found = store.events(query.clone()).await.unwrap().items;
    assert_eq!(found.iter().map(|record| &record.event.id[..]).collect::<Vec<_>>(), ["b"]);
    assert_eq!(found[0].failures, failed.failures);
    while store.expire(later(1), 9).await.unwrap() > 0 {}
    assert!(store.events(query).await.unwrap().items.is_empty());
}

pub(super) async fn lets_go_of_what_is_old_and_done(store: &dyn Store) {
    let (_, fresh) = put(store, "done", &["one"]).await;
    settle(store, fresh[0].lease(), Settled::Delivered, later(1)).await;
    put(store, "open", &["one"]).await;
    let mut gone = 0;
    loop {
        match store.expire(later(10), 1).await.unwrap() {
            0 => break,
            some => gone += some,
        }
    }
    assert_eq!(gone, 3, "the event, its delivery and the attempt");
    assert!(store.event("done").await.unwrap().is_empty());
    assert_eq!(store.event("open").await.unwrap().len(), 1);
}

pub(super) async fn keeps_sources(store: &dyn Store) {
    let source = |name: &str, document: &str, updated| StoredSource {
        name: name.into(),
        document: document.into(),
        updated: later(updated),
    };
    store.put_source(source("b", "{}", 1)).await.unwrap();
    store.put_source(source("a", "{}", 2)).await.unwrap();
    store.put_source(source("b", "{\"scheme\": \"none\"}", 3)).await.unwrap();
    let expected = [source("a", "{}", 2), source("b", "{\"scheme\": \"none\"}", 3)];
    assert_eq!(store.sources().await.unwrap(), expected);
    assert!(store.delete_source("a").await.unwrap());
    assert!(!store.delete_source("a").await.unwrap());
    assert_eq!(store.sources().await.unwrap(), expected[1..]);
}

pub(super) async fn whoever_has_seen_a_position_never_sees_a_lower_one_appear(store: &dyn Store) {
    const SENDERS: usize = 16;
    const EACH: usize = 12;
    let send = async |sender: usize| {
        for number in 0..EACH {
            // Of different sizes, and several at once now and then, so that they overtake each other where they can.
            let mut events = vec![event(&format!("{sender}-{number}"), &[])];
            events[0].data = Bytes::from(vec![b'x'; 1 + (sender * 977) % 9000]);
            if number % 3 == 0 {
                events.push(event(&format!("{sender}-{number}-more"), &[]));
            }
            store.commit(commit(events)).await.unwrap();
        }
    };
    let all = SENDERS * (EACH + EACH.div_ceil(3));
    let read = async {
        let (mut seen, mut head) = (Vec::new(), store.head());
        while seen.len() < all {
            let after = seen.last().copied().unwrap_or_default();
            // A page that is shorter than what is there, so that pages end in the middle of commits.
            let LogPart::Entries(entries) = store.read(after, 7, 1 << 20).await.unwrap() else {
                panic!("a gap")
            };
            if entries.is_empty() {
                head.wait_for(|head| *head > after).await.unwrap();
            }
            seen.extend(entries.iter().map(|entry| entry.seq));
        }
        seen
    };
    let (seen, _) = tokio::join!(read, futures_util::future::join_all((0..SENDERS).map(send)));
    // The reader went on behind the last position each time: one that had appeared below it would be missing.
    let LogPart::Entries(whole) = store.read(EventSeq(0), all + 1, 1 << 30).await.unwrap() else {
        panic!("a gap")
    };
    assert_eq!(seen, whole.iter().map(|entry| entry.seq).collect::<Vec<_>>());
    assert_eq!(seen.len(), all);
}
