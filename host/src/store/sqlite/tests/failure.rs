use super::*;
use crate::store::EventQuery;

fn impatient() -> SqliteOptions {
    SqliteOptions { busy_timeout: Duration::from_millis(20), ..SqliteOptions::default() }
}

async fn count(store: &SqliteStore) -> usize {
    store.events(EventQuery { limit: 10_000, ..EventQuery::default() }).await.unwrap().items.len()
}

#[tokio::test]
async fn is_unavailable_while_the_file_is_locked_and_goes_on_afterwards() {
    let room = StoreDirectory::new();
    let store = room.open_with(impatient());
    let (_, deliveries) = put(&store, "a", &["one"]).await;
    let tool = room.tool();
    tool.execute_batch("BEGIN IMMEDIATE").unwrap();

    match store.commit(accept("b", &["one"])).await {
        Err(StoreError::Unavailable(text)) => assert!(text.contains("locked by another process"), "{text}"),
        other => panic!("{other:?}"),
    }
    let settled = settlement(deliveries[0].id, Settled::Delivered);
    assert!(matches!(store.settle_now(settled.clone()).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.check().await, Err(StoreError::Unavailable(_))));
    // Reading goes on, and nothing of what failed is there.
    assert_eq!(count(&store).await, 1);
    assert_eq!(store.backlog().await.unwrap(), [("one".to_owned(), 1)]);
    // The attempt is still to be recorded: nobody else gets the delivery.
    assert!(store.lease_some("one", NOW, 5).await.is_empty());

    tool.execute_batch("ROLLBACK").unwrap();
    store.check().await.unwrap();
    store.settle_now(settled).await.unwrap();
    assert_eq!(put(&store, "b", &["one"]).await.0, EventSeq(2));
}

#[tokio::test]
async fn is_not_well_while_a_table_is_gone() {
    let room = StoreDirectory::new();
    let store = room.open_with(impatient());
    let tool = room.tool();
    tool.execute_batch("ALTER TABLE deliveries RENAME TO taken").unwrap();
    assert!(store.commit(accept("a", &["one"])).await.is_err());
    assert!(store.check().await.is_err());
    assert!(store.check().await.is_err(), "well again without a reason");

    tool.execute_batch("ALTER TABLE taken RENAME TO deliveries").unwrap();
    store.check().await.unwrap();
    assert_eq!(put(&store, "b", &["one"]).await.0, EventSeq(1));
}

#[tokio::test]
async fn is_unavailable_when_the_disk_is_full_loses_nothing_and_recovers() {
    let room = StoreDirectory::new();
    let store = room.open_with(SqliteOptions { max_pages: Some(120), ..SqliteOptions::default() });
    let mut stored = Vec::new();
    let refused = loop {
        let id = format!("{:03}", stored.len());
        let mut commit = accept(&id, &["one"]);
        commit.events[0].data = vec![b'x'; 20_000].into();
        match store.commit(commit.clone()).await {
            Ok(outcome) => stored.push(committed(outcome)),
            Err(StoreError::Unavailable(text)) => {
                assert!(text.contains("full"), "{text}");
                break commit;
            }
            Err(error) => panic!("{error:?}"),
        }
        assert!(stored.len() < 100, "the limit of the file's size has no effect");
    };
    assert!(!stored.is_empty());
    assert!(matches!(store.check().await, Err(StoreError::Unavailable(_))));
    assert_eq!(count(&store).await, stored.len());
    assert_eq!(store.key_reader().unwrap().get(&key(&refused.events[0].event.id)).unwrap(), None);
    assert_eq!(store.backlog().await.unwrap(), [("one".to_owned(), stored.len() as u64)]);

    // What needs no room still works, and expiry makes room.
    for (_, deliveries) in &stored {
        store.settle_now(settlement(deliveries[0].id, Settled::Delivered)).await.unwrap();
    }
    while store.expire(later(1), 10).await.unwrap() > 0 {}
    store.check().await.unwrap();
    let (seq, _) = committed(store.commit(refused).await.unwrap());
    assert_eq!(seq.0, stored.len() as i64 + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writes_the_small_ones_of_a_group_when_a_big_one_does_not_fit() {
    let room = StoreDirectory::new();
    let store = room.open_with(SqliteOptions { max_pages: Some(200), ..SqliteOptions::default() });
    let tasks: Vec<_> = (0..64)
        .map(|task| {
            let store = Arc::clone(&store);
            let mut commit = accept(&task.to_string(), &["one"]);
            if task % 16 == 3 {
                commit.events[0].data = vec![b'x'; 2 << 20].into();
            }
            tokio::spawn(async move { (task, store.commit(commit).await) })
        })
        .collect();
    for task in tasks {
        match task.await.unwrap() {
            (task, Err(StoreError::Unavailable(_))) if task % 16 == 3 => {}
            (task, Ok(CommitOutcome::Committed { .. })) if task % 16 != 3 => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(count(&store).await, 60);
    assert_eq!(store.backlog().await.unwrap(), [("one".to_owned(), 60)]);
    let positions: Vec<_> = store
        .events(EventQuery { limit: 100, order: crate::store::Order::Oldest, ..EventQuery::default() })
        .await
        .unwrap()
        .items
        .iter()
        .map(|record| record.seq.0)
        .collect();
    assert_eq!(positions, (1..=60).collect::<Vec<_>>());
}

#[tokio::test]
async fn hands_out_no_position_twice_after_everything_has_expired() {
    let room = StoreDirectory::new();
    let store = room.open();
    let (first, deliveries) = put(&store, "a", &["one"]).await;
    store.settle_now(settlement(deliveries[0].id, Settled::Delivered)).await.unwrap();
    while store.expire(later(1), 10).await.unwrap() > 0 {}
    assert_eq!(count(&store).await, 0);
    drop(store);
    let (second, again) = put(&room.open(), "b", &["one"]).await;
    assert!(second > first);
    assert!(again[0].id > deliveries[0].id);
}
