//! The cases of deliveries that wait for each other, and of backlogs that are full.

use super::*;
use crate::store::{
    DeliveryQuery, DeliveryStatus, Job, JobAction, JobItem, JobQuery, JobState, JobStep, JobStepped, JobWork,
    Leased, OverflowCounts,
};
use anglerfish_core::config::{BacklogConfig, Overflow};
use anglerfish_core::delivery::Lines;

/// The statuses of a subscription's deliveries, oldest first.
async fn statuses(store: &dyn Store) -> Vec<DeliveryStatus> {
    let page = store.deliveries(DeliveryQuery { limit: 100, ..DeliveryQuery::default() }).await.unwrap();
    page.items.iter().rev().map(|delivery| delivery.status).collect()
}

pub(in crate::store::conformance) async fn deliveries_of_one_key_fall_due_one_after_another(
    store: &dyn Store,
) {
    let ordered = |id: &str, key: &str| NewEvent {
        ordering: vec![("one".to_owned(), key.to_owned())],
        ..event(id, &["one", "free"])
    };
    let outcome = store
        .commit(commit(vec![ordered("a1", "a"), ordered("a2", "a"), ordered("b1", "b"), ordered("a3", "a")]))
        .await
        .unwrap();
    let CommitOutcome::Committed { deliveries, parked, .. } = outcome else { panic!("a conflict") };
    let names = |deliveries: &[LeasedDelivery]| -> Vec<String> {
        deliveries.iter().filter(|one| one.subscription == "one").map(|one| one.event.id.clone()).collect()
    };
    assert_eq!((names(&deliveries), parked), (vec!["a1".to_owned(), "b1".to_owned()], 2));
    let waiting = store.delivery(DeliveryId(3)).await.unwrap().unwrap().0;
    assert_eq!(waiting.status, DeliveryStatus::Pending);
    assert_eq!(
        (waiting.due, waiting.reason.as_deref()),
        (None, Some("it waits for an earlier delivery of its ordering key"))
    );
    let lease = async || store.lease("one", later(10), 10, terms("me", later(1000))).await.unwrap();
    let none = lease().await;
    assert!(none.deliveries.is_empty() && none.next().is_none(), "{none:?}");

    // One that is tried again holds up its own key, and no other one.
    assert_eq!(
        settle(store, deliveries[0].lease(), Settled::Retry(later(50)), later(1)).await,
        Recorded::Recorded
    );
    assert_eq!(lease().await.next(), Some(later(50)));
    let b1 = deliveries.iter().find(|one| one.event.id == "b1" && one.subscription == "one").unwrap();
    assert_eq!(settle(store, b1.lease(), Settled::Delivered, later(2)).await, Recorded::Recorded);
    let first = store.lease("one", later(50), 10, terms("me", later(1000))).await.unwrap();
    assert_eq!(names(&first.deliveries), ["a1"]);
    assert_eq!(settle(store, first.deliveries[0].lease(), Settled::Dead, later(51)).await, Recorded::Freed);

    // The next one is due at once; a new one of its key waits, and so does the first one if it is retried by hand.
    let second = lease().await;
    assert_eq!(names(&second.deliveries), ["a2"]);
    store.commit(commit(vec![ordered("a4", "a")])).await.unwrap();
    assert_eq!(store.retry(first.deliveries[0].id, later(60)).await.unwrap(), Retried::Due);
    assert!(lease().await.deliveries.is_empty());
    assert_eq!(
        settle(store, second.deliveries[0].lease(), Settled::Discarded, later(61)).await,
        Recorded::Freed
    );
    for name in ["a1", "a3", "a4"] {
        let next = store.lease("one", later(70), 10, terms("me", later(1000))).await.unwrap();
        assert_eq!(names(&next.deliveries), [name]);
        let recorded = settle(store, next.deliveries[0].lease(), Settled::Delivered, later(71)).await;
        assert_eq!(recorded, if name == "a4" { Recorded::Recorded } else { Recorded::Freed });
    }
    let replayed = store.replay(EventSeq(1), &["one".to_owned()], later(80)).await.unwrap();
    store.replay(EventSeq(2), &["one".to_owned()], later(80)).await.unwrap();
    let again = store.lease("one", later(90), 10, terms("me", later(1000))).await.unwrap();
    assert_eq!(again.deliveries.iter().map(|one| one.id).collect::<Vec<_>>(), replayed);
}

pub(in crate::store::conformance) async fn a_full_backlog_refuses_what_is_new(store: &dyn Store) {
    store.bound("one", Some(BacklogConfig { max: Some(2), bytes: None, full: Overflow::Refuse }));
    let CommitOutcome::Committed { deliveries, .. } = store
        .commit(commit(vec![event("a", &["one"]), event("b", &["one"]), event("c", &["one", "two"])]))
        .await
        .unwrap()
    else {
        panic!("a conflict")
    };
    let made: Vec<_> =
        deliveries.iter().map(|delivery| (&*delivery.event.id, &*delivery.subscription)).collect();
    assert_eq!(made, [("a", "one"), ("b", "one"), ("c", "two")]);
    use DeliveryStatus::{Dead, Pending};
    assert_eq!(statuses(store).await, [Pending, Pending, Dead, Pending]);
    let (refused, _) = store.delivery(DeliveryId(3)).await.unwrap().unwrap();
    assert_eq!(refused.reason.as_deref(), Some("refused: 2 deliveries were open, and no more may be"));
    assert_eq!(
        store.overflows(),
        [("one".to_owned(), OverflowCounts { refused: 1, ..OverflowCounts::default() })]
    );

    // By hand it comes on top, and what is freed is room again.
    assert_eq!(store.retry(DeliveryId(3), NOW).await.unwrap(), Retried::Due);
    assert_eq!(store.backlog().await.unwrap()[0], ("one".to_owned(), 3));
    for delivery in deliveries.iter().take(2) {
        assert_eq!(settle(store, delivery.lease(), Settled::Delivered, NOW).await, Recorded::Recorded);
    }
    store.commit(commit(vec![event("d", &["one"]), event("e", &["one"])])).await.unwrap();
    assert_eq!(statuses(store).await[4..], [Pending, Dead]);
    store.bound("one", None);
    store.commit(commit(vec![event("f", &["one"])])).await.unwrap();
    assert_eq!(statuses(store).await[6..], [Pending]);
}

pub(in crate::store::conformance) async fn a_full_backlog_drops_what_is_oldest_and_free(store: &dyn Store) {
    store.bound("one", Some(BacklogConfig { max: Some(2), bytes: None, full: Overflow::DropOldest }));
    // The first is being worked on.
    store.commit(commit(vec![event("a", &["one"])])).await.unwrap();
    for id in ["b", "c", "d"] {
        store.commit(Commit { lease: None, ..commit(vec![event(id, &["one"])]) }).await.unwrap();
    }
    use DeliveryStatus::{Dead, Pending};
    assert_eq!(statuses(store).await, [Pending, Dead, Dead, Pending]);
    let (dropped, _) = store.delivery(DeliveryId(2)).await.unwrap().unwrap();
    let reason = "dropped for delivery 3: 2 deliveries were open, and no more may be";
    assert_eq!((dropped.reason.as_deref(), dropped.due), (Some(reason), None));
    assert_eq!(store.backlog().await.unwrap(), [("one".to_owned(), 2)]);
    assert_eq!(
        store.overflows(),
        [("one".to_owned(), OverflowCounts { dropped: 2, ..OverflowCounts::default() })]
    );

    // A lower bound is come to with the next one; where all are being worked on, the new one has to go.
    store.bound("one", Some(BacklogConfig { max: Some(1), bytes: None, full: Overflow::DropOldest }));
    store.commit(commit(vec![event("e", &["one"])])).await.unwrap();
    assert_eq!(statuses(store).await[3..], [Dead, Pending]);
    store.commit(commit(vec![event("f", &["one"])])).await.unwrap();
    assert_eq!(statuses(store).await[4..], [Pending, Dead]);
}

pub(in crate::store::conformance) async fn a_full_backlog_drops_what_is_leased_and_not_begun(
    store: &dyn Store,
) {
    store.bound("one", Some(BacklogConfig { max: Some(2), bytes: None, full: Overflow::DropOldest }));
    let ahead = |id: &str| Commit { lease: Some(LeaseTerms::ahead()), ..commit(vec![event(id, &["one"])]) };
    let mut leased = Vec::new();
    for id in ["a", "b"] {
        let CommitOutcome::Committed { deliveries, .. } = store.commit(ahead(id)).await.unwrap() else {
            panic!("a conflict")
        };
        leased.extend(deliveries.iter().map(LeasedDelivery::lease));
    }
    assert!(store.begin(leased[0], NOW, 0));
    store.commit(ahead("c")).await.unwrap();
    use DeliveryStatus::{Dead, Pending};
    assert_eq!(statuses(store).await, [Pending, Dead, Pending]);
    // What was dropped is begun by nobody, and settled by nobody.
    assert!(!store.begin(leased[1], NOW, 0));
    assert_eq!(settle(store, leased[1], Settled::Delivered, NOW).await, Recorded::Stale);
    assert_eq!(statuses(store).await, [Pending, Dead, Pending]);
    assert_eq!(settle(store, leased[0], Settled::Delivered, NOW).await, Recorded::Recorded);
}

pub(in crate::store::conformance) async fn what_is_leased_and_not_begun_is_made_due_by_hand(
    store: &dyn Store,
) {
    let ahead = Commit { lease: Some(LeaseTerms::ahead()), ..commit(vec![event("a", &["one"])]) };
    let CommitOutcome::Committed { deliveries, .. } = store.commit(ahead).await.unwrap() else {
        panic!("a conflict")
    };
    let earlier = deliveries[0].lease();
    assert_eq!(store.retry(earlier.delivery, NOW).await.unwrap(), Retried::Due);
    assert!(!store.begin(earlier, NOW, 0));
    let again = store.lease("one", NOW, 9, terms("me", later(99))).await.unwrap().deliveries;
    assert_eq!(ids(&again), [earlier.delivery]);
    assert_eq!(store.retry(earlier.delivery, NOW).await.unwrap(), Retried::Leased);
}

pub(in crate::store::conformance) async fn a_drop_tells_whose_turn_it_is_behind_it(store: &dyn Store) {
    store.bound("one", Some(BacklogConfig { max: Some(2), bytes: None, full: Overflow::DropOldest }));
    let ordered = |id: &str| Commit {
        lease: None,
        ..commit(vec![NewEvent { ordering: vec![("one".into(), "k".into())], ..event(id, &["one"]) }])
    };
    for id in ["a", "b"] {
        let CommitOutcome::Committed { freed, .. } = store.commit(ordered(id)).await.unwrap() else {
            panic!("a conflict")
        };
        assert!(freed.is_empty());
    }
    let CommitOutcome::Committed { freed, .. } = store.commit(ordered("c")).await.unwrap() else {
        panic!("a conflict")
    };
    assert_eq!(freed, ["one"]);
    let leased = store.lease("one", NOW, 9, terms("me", later(99))).await.unwrap().deliveries;
    assert_eq!(ids(&leased), [DeliveryId(2)]);
}

pub(in crate::store::conformance) async fn a_full_backlog_drops_by_the_order_of_the_log(store: &dyn Store) {
    store.bound("one", Some(BacklogConfig { max: Some(2), bytes: None, full: Overflow::DropOldest }));
    let (_, first) = put(store, "a", &["one"]).await;
    settle(store, first[0].lease(), Settled::Retry(later(5000)), later(1)).await;
    store.commit(Commit { lease: None, ..commit(vec![event("b", &["one"])]) }).await.unwrap();
    // The first falls due long after the second, and is older.
    store.commit(Commit { lease: None, ..commit(vec![event("c", &["one"])]) }).await.unwrap();
    use DeliveryStatus::{Dead, Pending};
    assert_eq!(statuses(store).await, [Dead, Pending, Pending]);
    // One that is open again is the oldest again.
    store.retry(DeliveryId(1), later(2)).await.unwrap();
    store.commit(Commit { lease: None, ..commit(vec![event("d", &["one"])]) }).await.unwrap();
    assert_eq!(statuses(store).await, [Dead, Dead, Pending, Pending]);
}

pub(in crate::store::conformance) async fn leases_first_attempts_and_retries_in_turn(store: &dyn Store) {
    let fresh = committed(store, &["a", "b", "c"], "one").await;
    for delivery in &fresh {
        settle(store, delivery.lease(), Settled::Retry(later(10)), later(1)).await;
    }
    let new = committed(store, &["d", "e"], "one").await;
    store.release(&leases(&new)).await.unwrap();
    let names = |leased: &Leased| -> Vec<String> {
        leased.deliveries.iter().map(|delivery| delivery.event.id.clone()).collect()
    };
    let leased = store.lease("one", later(20), 4, terms("me", later(99))).await.unwrap();
    assert_eq!(names(&leased), ["d", "a", "e", "b"]);
    assert_eq!((leased.next.firsts, leased.next.retries), (None, Some(later(10))));
    store.release(&leases(&leased.deliveries)).await.unwrap();
    let most = Lines { firsts: 1, retries: 2 };
    let leased =
        store.lease("one", later(20), 9, LeaseTerms { most, ..terms("me", later(99)) }).await.unwrap();
    assert_eq!(names(&leased), ["d", "a", "b"]);
    assert_eq!((leased.next.firsts, leased.next.retries), (Some(NOW), Some(later(10))));
    store.release(&leases(&leased.deliveries)).await.unwrap();
    // Nothing is said of a line that nobody asks about.
    let most = Lines { firsts: 0, retries: 9 };
    let leased =
        store.lease("one", later(20), 9, LeaseTerms { most, ..terms("me", later(99)) }).await.unwrap();
    assert_eq!((names(&leased), leased.next.firsts), (vec!["a".into(), "b".into(), "c".into()], None));
}

/// Commits events for one subscription, leased.
async fn committed(store: &dyn Store, ids: &[&str], subscription: &str) -> Vec<LeasedDelivery> {
    let events = ids.iter().map(|id| event(id, &[subscription])).collect();
    match store.commit(commit(events)).await.unwrap() {
        CommitOutcome::Committed { deliveries, .. } => deliveries,
        CommitOutcome::Conflict => panic!("a conflict"),
    }
}

fn pausing(max: u64) -> Option<BacklogConfig> {
    Some(BacklogConfig { max: Some(max), bytes: None, full: Overflow::Pause })
}

/// The job that catches up for `one`.
async fn catching_up(store: &dyn Store) -> Option<Job> {
    let query = JobQuery { state: Some(JobState::Running), cursor: None, limit: 9 };
    let running = store.jobs(query).await.unwrap().items;
    let work = JobWork::CatchUp { subscription: "one".to_owned() };
    running.into_iter().find(|job| job.work == work)
}

/// A step of it up to a position.
async fn catch_up(store: &dyn Store, job: &Job, to: i64, now: UnixMillis) -> Job {
    let items = (job.place + 1..=to).map(|place| JobItem {
        place,
        examined: (place - job.place).unsigned_abs(),
        action: JobAction::Deliver {
            seq: EventSeq(place),
            subscription: "one".to_owned(),
            lane: Some(None),
            unless_after: Some(DeliveryId(0)),
        },
    });
    let (job, from, examined) = (job.id, job.place, (to - job.place).unsigned_abs());
    let items = items.collect();
    let step = JobStep { job, from, to, examined, items, most_open: u64::MAX, last: None, now };
    match store.step(step).await.unwrap() {
        JobStepped::Stepped { job, .. } => *job,
        JobStepped::Stale => panic!("stale"),
    }
}

pub(in crate::store::conformance) async fn a_full_backlog_leaves_events_in_the_log_until_there_is_room(
    store: &dyn Store,
) {
    store.bound("one", pausing(2));
    let mut made = store.made_jobs();
    let (_, first) = put(store, "a", &["one"]).await;
    put(store, "b", &["one"]).await;
    assert!(!made.has_changed().unwrap());
    let (seq, deliveries) = put(store, "c", &["one", "two"]).await;
    // Others do not wait for it, and the event is in the log.
    assert_eq!((seq, deliveries.len(), &*deliveries[0].subscription), (EventSeq(3), 1, "two"));
    assert!(made.has_changed().unwrap());
    made.mark_unchanged();
    let job = catching_up(store).await.unwrap();
    assert_eq!((job.first, job.place, job.done), (2, 2, 0));

    // From now on whatever comes stays there too, also where there would be room: what came first goes first.
    assert_eq!(settle(store, first[0].lease(), Settled::Delivered, NOW).await, Recorded::Recorded);
    put(store, "d", &["one"]).await;
    assert_eq!(store.backlog().await.unwrap(), [("one".to_owned(), 1), ("two".to_owned(), 1)]);
    assert!(!made.has_changed().unwrap());
    let counts = OverflowCounts { held: 2, ..OverflowCounts::default() };
    assert_eq!(store.overflows(), [("one".to_owned(), counts)]);

    // It goes on as far as there is room, and nothing in the log goes before that.
    let job = catch_up(store, &job, 4, NOW).await;
    assert_eq!((job.place, job.done, job.state), (3, 1, JobState::Running));
    store.expire(later(1_000_000), 100).await.unwrap();
    assert_eq!(store.event("d").await.unwrap().len(), 1, "it is to be delivered still");
    let page = store.deliveries(DeliveryQuery { limit: 9, ..DeliveryQuery::default() }).await.unwrap();
    let open = page.items.iter().filter(|one| one.subscription == "one" && one.due.is_some());
    assert_eq!(open.map(|one| one.event_id.clone()).collect::<Vec<_>>(), ["c", "b"]);

    // With a bound that has room it comes to the end of the log; from there on events are delivered as they come.
    store.bound("one", pausing(9));
    put(store, "e", &["one"]).await;
    let job = catch_up(store, &job, 4, NOW).await;
    assert_eq!((job.place, job.state), (4, JobState::Running), "one more came meanwhile");
    let job = catch_up(store, &job, 5, later(5)).await;
    assert_eq!((job.done, job.state, job.ended), (3, JobState::Finished, Some(later(5))));
    let (_, deliveries) = put(store, "f", &["one"]).await;
    assert_eq!(deliveries.len(), 1);
    assert!(catching_up(store).await.is_none());
}

pub(in crate::store::conformance) async fn what_stayed_in_the_log_waits_with_its_subscription_and_ends_with_it(
    store: &dyn Store,
) {
    store.bound("one", pausing(1));
    let declare = async |there: bool| {
        let one = DeclaredSubscription { id: "one".to_owned(), waits: true, start: None };
        store.declare(if there { vec![one] } else { Vec::new() }).await.unwrap();
    };
    declare(true).await;
    put(store, "a", &["one"]).await;
    put(store, "b", &["one"]).await;
    // One that is to come back finds it.
    declare(false).await;
    let first = catching_up(store).await.unwrap();
    declare(true).await;
    store.abandon("one", "deleted", NOW).await.unwrap();
    assert!(catching_up(store).await.is_none());
    // What is cancelled stays undone, and what comes is delivered again.
    declare(true).await;
    put(store, "c", &["one"]).await;
    put(store, "d", &["one"]).await;
    let job = catching_up(store).await.unwrap();
    store.bound("one", None);
    store.end_job(first.id, JobState::Cancelled, "by hand", NOW).await.unwrap();
    let (_, deliveries) = put(store, "behind", &["one"]).await;
    assert!(deliveries.is_empty(), "the job that had ended before is not the one that runs");
    store.end_job(job.id, JobState::Cancelled, "by hand", NOW).await.unwrap();
    let (_, deliveries) = put(store, "e", &["one"]).await;
    assert_eq!(deliveries.len(), 1);
    assert_eq!(store.backlog().await.unwrap(), [("one".to_owned(), 2)]);
}

pub(in crate::store::conformance) async fn a_full_backlog_is_one_of_bytes_too(store: &dyn Store) {
    let bound = |full| Some(BacklogConfig { max: None, bytes: Some(6), full });
    let sized = |id: &str, size: usize| NewEvent { data: vec![b'x'; size].into(), ..event(id, &["one"]) };
    // What is open before there is a bound counts, too.
    store.commit(Commit { lease: None, ..commit(vec![sized("a", 4)]) }).await.unwrap();
    store.bound("one", bound(Overflow::Refuse));
    use DeliveryStatus::{Dead, Pending};
    store
        .commit(Commit { lease: None, ..commit(vec![sized("b", 3), sized("c", 2), sized("d", 1)]) })
        .await
        .unwrap();
    assert_eq!(statuses(store).await, [Pending, Dead, Pending, Dead]);
    let (refused, _) = store.delivery(DeliveryId(2)).await.unwrap().unwrap();
    let reason = "refused: with it more than 6 bytes of data were open, and no more may be";
    assert_eq!(refused.reason.as_deref(), Some(reason));

    // The oldest go until there is room: one of four bytes for one of three.
    store.bound("one", bound(Overflow::DropOldest));
    store.commit(Commit { lease: None, ..commit(vec![sized("e", 3)]) }).await.unwrap();
    assert_eq!(statuses(store).await, [Dead, Dead, Pending, Dead, Pending]);
    // What does not fit by itself goes alone.
    store.commit(commit(vec![sized("f", 100)])).await.unwrap();
    assert_eq!(statuses(store).await, [Dead, Dead, Dead, Dead, Dead, Pending]);
    // It is being worked on: nothing can be dropped for the next one.
    let CommitOutcome::Committed { deliveries, .. } =
        store.commit(commit(vec![sized("g", 1)])).await.unwrap()
    else {
        panic!("a conflict")
    };
    assert!(deliveries.is_empty());
    assert_eq!(statuses(store).await[5..], [Pending, Dead]);

    store.bound("one", bound(Overflow::Pause));
    store.commit(commit(vec![sized("h", 1)])).await.unwrap();
    assert!(catching_up(store).await.is_some());
    let held = store.lease("one", later(1), 9, terms("me", later(1000))).await.unwrap().deliveries;
    assert!(held.is_empty(), "{held:?}");
    store.abandon("one", "deleted", NOW).await.unwrap();
    store
        .put_subscription(StoredSubscription { id: "one".into(), document: "{}".into(), updated: NOW })
        .await
        .unwrap();
    store.commit(commit(vec![sized("i", 6)])).await.unwrap();
    assert!(catching_up(store).await.is_none());
    store.commit(commit(vec![sized("j", 1)])).await.unwrap();
    let job = catching_up(store).await.unwrap();
    store.end_job(job.id, JobState::Cancelled, "by hand", NOW).await.unwrap();
    // A bound that is taken away and given anew counts anew.
    store.bound("one", None);
    store.commit(commit(vec![sized("k", 7)])).await.unwrap();
    store.bound("one", bound(Overflow::Refuse));
    store.commit(commit(vec![sized("l", 1)])).await.unwrap();
    assert_eq!(statuses(store).await[7..], [Pending, Pending, Dead]);
}
