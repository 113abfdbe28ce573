use super::*;
use crate::store::{DeliveryQuery, DeliveryStatus, Retried};

#[tokio::test]
async fn leases_what_is_due_once_and_oldest_due_first() {
    let room = StoreDirectory::new();
    let store = room.open();
    let mut all = Vec::new();
    for (id, due) in [("a", 30), ("b", 10), ("c", 20)] {
        let (_, deliveries) = put(&store, id, &["one"]).await;
        store.settle_now(settlement(deliveries[0].id, Settled::Retry(later(due)))).await.unwrap();
        all.push(deliveries[0].id);
    }
    let first = store.lease_some("one", later(20), 1).await;
    assert_eq!(ids(&first), [all[1]]);
    let second = store.lease_some("one", later(20), 5).await;
    assert_eq!(ids(&second), [all[2]]);
    assert!(store.lease_some("two", later(20), 5).await.is_empty());
    assert_eq!(store.next_due("one").await, Some(later(30)));
    store.release(&leases(&first)).await.unwrap();
    assert_eq!(store.next_due("one").await, Some(later(10)));
    assert_eq!(ids(&store.lease_some("one", later(40), 5).await), [all[1], all[0]]);
    assert_eq!(store.next_due("one").await, None);
}

#[tokio::test]
async fn a_lease_hands_out_large_data_a_little_at_a_time() {
    let room = StoreDirectory::new();
    let store = room.open();
    let mut all = Vec::new();
    for (id, length) in [("a", 600 << 10), ("b", 400 << 10), ("c", 600 << 10), ("d", 3 << 20)] {
        let mut commit = accept(id, &["one"]);
        commit.events[0].data = vec![b'x'; length].into();
        let (_, deliveries) = committed(store.commit(commit).await.unwrap());
        store.release(&leases(&deliveries)).await.unwrap();
        all.extend(ids(&deliveries));
    }
    assert_eq!(ids(&store.lease_some("one", NOW, 10).await), all[..2]);
    assert_eq!(ids(&store.lease_some("one", NOW, 10).await), all[2..3]);
    assert_eq!(ids(&store.lease_some("one", NOW, 10).await), all[3..]);
}

#[tokio::test]
async fn records_attempts_and_what_follows() {
    let room = StoreDirectory::new();
    let store = room.open();
    let (_, deliveries) = put(&store, "a", &["one", "two", "three"]).await;
    let [one, two, three] = ids(&deliveries)[..] else { panic!() };
    store.settle_now(settlement(one, Settled::Retry(later(5)))).await.unwrap();
    store.settle_now(settlement(one, Settled::Delivered)).await.unwrap();
    store.settle_now(settlement(two, Settled::Discarded)).await.unwrap();
    let mut failed = settlement(three, Settled::Dead);
    failed.attempt.status = None;
    failed.attempt.error = Some("connection refused".to_owned());
    failed.attempt.answer = None;
    store.settle_now(failed.clone()).await.unwrap();

    let (delivery, attempts) = store.delivery(one).await.unwrap().unwrap();
    assert_eq!((delivery.status, delivery.due, delivery.attempts), (DeliveryStatus::Delivered, None, 2));
    assert_eq!(attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [1, 2]);
    let expected = Attempt { number: 2, ..settlement(one, Settled::Delivered).attempt };
    assert_eq!(attempts[1], expected);
    assert_eq!(store.delivery(two).await.unwrap().unwrap().0.status, DeliveryStatus::Discarded);
    let (delivery, attempts) = store.delivery(three).await.unwrap().unwrap();
    assert_eq!(delivery.status, DeliveryStatus::Dead);
    assert_eq!(attempts, [Attempt { number: 1, ..failed.attempt }]);
    assert!(store.backlog().await.unwrap().is_empty());
    let missing = store.settle_now(settlement(DeliveryId(99), Settled::Dead)).await;
    assert_eq!(missing.unwrap(), Recorded::Stale);
    assert!(store.delivery(DeliveryId(99)).await.unwrap().is_none());
}

#[tokio::test]
async fn retries_by_hand_what_is_not_being_attempted() {
    let room = StoreDirectory::new();
    let store = room.open();
    let (_, deliveries) = put(&store, "a", &["one"]).await;
    let id = deliveries[0].id;
    assert!(store.begin(deliveries[0].lease(), NOW, 0));
    assert_eq!(store.retry(id, NOW).await.unwrap(), Retried::Leased);
    store.settle_now(settlement(id, Settled::Dead)).await.unwrap();
    assert_eq!(store.retry(id, later(7)).await.unwrap(), Retried::Due);
    assert_eq!(store.retry(DeliveryId(99), NOW).await.unwrap(), Retried::Unknown);
    assert_eq!(store.backlog().await.unwrap(), [("one".to_owned(), 1)]);

    let leased = store.lease_some("one", later(7), 5).await;
    assert_eq!(leased[0].attempts, 0);
    store.settle_now(settlement(id, Settled::Delivered)).await.unwrap();
    let (delivery, attempts) = store.delivery(id).await.unwrap().unwrap();
    assert_eq!((delivery.attempts, attempts.len(), attempts[1].number), (2, 2, 2));
}

#[tokio::test]
async fn replays_a_stored_event_as_new_deliveries() {
    let room = StoreDirectory::new();
    let store = room.open();
    let (seq, _) = put(&store, "a", &["one"]).await;
    let names = ["one".to_owned(), "two".to_owned()];
    let made = store.replay(seq, &names, later(3)).await.unwrap();
    assert_eq!(made.len(), 2);
    assert_eq!(ids(&store.lease_some("two", later(3), 5).await), [made[1]]);
    assert_eq!(ids(&store.lease_some("one", later(3), 5).await), [made[0]]);
    assert_eq!(store.event("a").await.unwrap()[0].deliveries, 3);
    assert!(store.replay(EventSeq(99), &names, NOW).await.unwrap().is_empty());
}

#[tokio::test]
async fn abandons_open_deliveries_in_steps_and_says_how_many() {
    let room = StoreDirectory::new();
    let store = room.open();
    let (seq, deliveries) = put(&store, "a", &["one", "two"]).await;
    let [leased, other] = ids(&deliveries)[..] else { panic!() };
    store.replay(seq, &vec!["one".to_owned(); 2500], NOW).await.unwrap();

    assert_eq!(store.abandon("one", "subscription deleted", NOW).await.unwrap(), 2501);

    assert_eq!(store.backlog().await.unwrap(), [("two".to_owned(), 1)]);
    assert!(store.lease_some("one", NOW, 5).await.is_empty());
    // An attempt that was on its way: its failure does not open the delivery again.
    store.settle_now(settlement(leased, Settled::Retry(later(9)))).await.unwrap();
    let (delivery, attempts) = store.delivery(leased).await.unwrap().unwrap();
    assert_eq!((delivery.status, delivery.due, attempts.len()), (DeliveryStatus::Dead, None, 1));
    assert_eq!(delivery.reason.as_deref(), Some("subscription deleted"));
    // Its success is told as it was.
    store.settle_now(settlement(leased, Settled::Delivered)).await.unwrap();
    let (delivery, _) = store.delivery(leased).await.unwrap().unwrap();
    assert_eq!((delivery.status, delivery.reason), (DeliveryStatus::Delivered, None));
    assert_eq!(store.delivery(other).await.unwrap().unwrap().0.status, DeliveryStatus::Pending);
    assert_eq!(store.backlog().await.unwrap(), [("two".to_owned(), 1)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn never_leases_a_delivery_to_two_at_once_nor_again_once_settled() {
    let room = StoreDirectory::new();
    let store = room.open();
    let (seq, deliveries) = put(&store, "a", &["one"]).await;
    store.settle_now(settlement(deliveries[0].id, Settled::Delivered)).await.unwrap();
    let made = store.replay(seq, &vec!["one".to_owned(); 400], NOW).await.unwrap();
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut done = Vec::new();
                loop {
                    let leased = ids(&store.lease_some("one", NOW, 3).await);
                    if leased.is_empty() && store.next_due("one").await.is_none() {
                        return done;
                    }
                    for id in leased {
                        store.settle_now(settlement(id, Settled::Delivered)).await.unwrap();
                        done.push(id);
                    }
                }
            })
        })
        .collect();
    let mut done = Vec::new();
    for worker in workers {
        done.extend(worker.await.unwrap());
    }
    done.sort_unstable();
    assert_eq!(done, made);
    let query = DeliveryQuery { limit: 1000, ..DeliveryQuery::default() };
    let all = store.deliveries(query).await.unwrap().items;
    assert!(all.iter().all(|delivery| delivery.attempts == 1));
}

#[tokio::test]
async fn keeps_subscriptions_over_a_restart() {
    let room = StoreDirectory::new();
    let store = room.open();
    let make = |id: &str, document: &str| crate::store::StoredSubscription {
        id: id.to_owned(),
        document: document.to_owned(),
        updated: NOW,
    };
    store.put_subscription(make("b", "{}")).await.unwrap();
    store.put_subscription(make("a", "{}")).await.unwrap();
    store.put_subscription(make("b", "{\"n\":1}")).await.unwrap();
    drop(store);
    let store = room.open();
    assert_eq!(store.subscriptions().await.unwrap(), [make("a", "{}"), make("b", "{\"n\":1}")]);
    assert!(store.delete_subscription("a").await.unwrap());
    assert!(!store.delete_subscription("a").await.unwrap());
    assert_eq!(store.subscriptions().await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_oldest_of_a_long_backlog_is_known_while_it_grows_shrinks_and_after_a_start() {
    let room = StoreDirectory::new();
    let store = room.open();
    let mut all = Vec::new();
    for round in 0..20 {
        let events = (0..100).map(|number| event(&format!("{round}-{number}"), &["one"])).collect();
        let commit = Commit { events, ..Commit::new(later(round * 1000)) };
        let CommitOutcome::Committed { deliveries, .. } = store.commit(commit).await.unwrap() else {
            panic!()
        };
        store.release(&leases(&deliveries)).await.unwrap();
        all.extend(ids(&deliveries));
    }
    let oldest = async |store: &SqliteStore| {
        let oldest = store.oldest(&["one".to_owned()]).await.unwrap();
        (oldest.of_all.unwrap(), oldest.of_each[0].unwrap())
    };
    assert_eq!(oldest(&store).await, (NOW, NOW));
    // Those that ended are no longer the oldest, though of so many another that is older may be named.
    for id in &all[..1000] {
        store.settle_now(settlement(*id, Settled::Delivered)).await.unwrap();
    }
    let (of_all, of_one) = oldest(&store).await;
    assert_eq!(of_all, later(10_000));
    assert!(later(7_000) <= of_one && of_one <= of_all, "{of_one:?}");
    store.close().await;
    let store = room.open();
    assert_eq!(oldest(&store).await, (later(10_000), later(10_000)), "counted anew");
    for id in &all[1000..1900] {
        store.settle_now(settlement(*id, Settled::Delivered)).await.unwrap();
    }
    assert_eq!(oldest(&store).await, (later(19_000), later(19_000)), "of few it is exact");
}

#[tokio::test]
async fn attempts_that_a_killed_process_left_are_recorded_and_used_up_none() {
    let room = StoreDirectory::new();
    let store = room.open();
    let (_, deliveries) = put(&store, "a", &["killed", "recorded", "given back", "idle"]).await;
    let [killed, recorded, given_back, _] = leases(&deliveries)[..] else { panic!() };
    for lease in [killed, recorded, given_back] {
        store.begin(lease, NOW, 0);
    }
    store.settle_now(settlement(recorded.delivery, Settled::Retry(later(5)))).await.unwrap();
    store.release(&[given_back]).await.unwrap();
    store.pace("subscription/killed", later(60));
    drop(store);

    for _ in 0..2 {
        let store = room.open();
        let mut counts = Vec::new();
        for delivery in &deliveries {
            let (found, attempts) = store.delivery(delivery.id).await.unwrap().unwrap();
            assert_eq!(found.status, DeliveryStatus::Pending);
            assert_eq!(found.attempts as usize, attempts.len());
            counts.push(attempts.len());
        }
        assert_eq!(counts, [1, 1, 0, 0]);
        let (_, attempts) = store.delivery(killed.delivery).await.unwrap().unwrap();
        assert_eq!((attempts[0].started, attempts[0].status), (NOW, None));
        assert!(attempts[0].error.as_deref().unwrap().starts_with("interrupted: "), "{attempts:?}");
        let again = store.lease_some("killed", NOW, 9).await;
        assert_eq!(again[0].attempts, 0, "it used up none");
        assert!(again[0].interrupted && !store.lease_some("recorded", later(9), 9).await[0].interrupted);
        assert_eq!(store.paced("subscription/killed"), Some(later(60)));
        assert_eq!(store.paced("subscription/idle"), None);
    }
}

#[tokio::test]
async fn what_was_broken_off_is_as_due_as_it_was() {
    let room = StoreDirectory::new();
    let store = room.open();
    let (_, deliveries) = put(&store, "a", &["one"]).await;
    store.settle_now(settlement(deliveries[0].id, Settled::Retry(later(5)))).await.unwrap();
    let due = store.lease_some("one", later(9), 1).await;
    assert_eq!(due[0].attempts, 1);
    store.settle_now(settlement(deliveries[0].id, Settled::Interrupted)).await.unwrap();
    let (found, attempts) = store.delivery(deliveries[0].id).await.unwrap().unwrap();
    assert_eq!((found.due, found.attempts, attempts.len()), (Some(later(5)), 2, 2));
    assert_eq!(store.lease_some("one", later(9), 1).await[0].attempts, 1);
}
