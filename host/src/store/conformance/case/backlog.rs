//! The cases of deliveries that wait for each other, and of backlogs that are full.

use super::*;
use crate::store::{DeliveryQuery, DeliveryStatus, OverflowCounts, StoreError};
use anglerfish_core::config::{BacklogConfig, Overflow};

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
    assert!(none.deliveries.is_empty() && none.next.is_none(), "{none:?}");

    // One that is tried again holds up its own key, and no other one.
    assert_eq!(
        settle(store, deliveries[0].lease(), Settled::Retry(later(50)), later(1)).await,
        Recorded::Recorded
    );
    assert_eq!(lease().await.next, Some(later(50)));
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

pub(in crate::store::conformance) async fn a_full_backlog_turns_a_commit_away_as_a_whole(store: &dyn Store) {
    store.bound("one", Some(BacklogConfig { max: Some(1), bytes: None, full: Overflow::PushBack }));
    let written = Commit {
        keys: KeyOverlay { reads: vec![("k".into(), None)], writes: vec![("k".into(), Some("1".into()))] },
        ..commit(vec![event("c", &["two", "one"])])
    };
    // What finds room is taken as a whole.
    store.commit(commit(vec![event("a", &["one"]), event("b", &["one"])])).await.unwrap();
    let error = store.commit(written.clone()).await.unwrap_err();
    assert!(matches!(&error, StoreError::Full(subscription) if subscription == "one"), "{error}");
    assert!(store.event("c").await.unwrap().is_empty());
    assert_eq!(store.key_reader().unwrap().get("k").unwrap(), None);
    assert_eq!(store.backlog().await.unwrap(), [("one".to_owned(), 2)]);
    let counts = OverflowCounts { pushed_back: 1, ..OverflowCounts::default() };
    assert_eq!(store.overflows(), [("one".to_owned(), counts)]);
    store.commit(commit(vec![event("d", &["two"])])).await.unwrap();
    store.abandon("one", "deleted", NOW).await.unwrap();
    assert!(matches!(store.commit(written).await.unwrap(), CommitOutcome::Committed { .. }));
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

    store.bound("one", bound(Overflow::PushBack));
    assert!(matches!(store.commit(commit(vec![sized("h", 1)])).await, Err(StoreError::Full(_))));
    let held = store.lease("one", later(1), 9, terms("me", later(1000))).await.unwrap().deliveries;
    assert!(held.is_empty(), "{held:?}");
    store.abandon("one", "deleted", NOW).await.unwrap();
    store
        .put_subscription(StoredSubscription { id: "one".into(), document: "{}".into(), updated: NOW })
        .await
        .unwrap();
    store.commit(commit(vec![sized("i", 6)])).await.unwrap();
    assert!(matches!(store.commit(commit(vec![sized("j", 1)])).await, Err(StoreError::Full(_))));
    // A bound that is taken away and given anew counts anew.
    store.bound("one", None);
    store.commit(commit(vec![sized("k", 7)])).await.unwrap();
    store.bound("one", bound(Overflow::Refuse));
    store.commit(commit(vec![sized("l", 1)])).await.unwrap();
    assert_eq!(statuses(store).await[7..], [Pending, Pending, Dead]);
}
