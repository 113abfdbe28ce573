use super::*;
use crate::store::{DeliveryQuery, EventQuery};

async fn expire_all(store: &SqliteStore, before: UnixMillis, limit: usize) -> usize {
    let mut total = 0;
    loop {
        let gone = store.expire(before, limit).await.unwrap();
        if gone == 0 {
            return total;
        }
        total += gone;
    }
}

async fn rows(store: &SqliteStore) -> (usize, usize) {
    let events = store.events(EventQuery { limit: 10_000, ..EventQuery::default() }).await.unwrap();
    let query = DeliveryQuery { limit: 10_000, ..DeliveryQuery::default() };
    (events.items.len(), store.deliveries(query).await.unwrap().items.len())
}

#[tokio::test]
async fn deletes_what_is_old_and_done_in_bounded_steps() {
    let room = StoreDirectory::new();
    let store = room.open();
    let keys = store.key_reader().unwrap();
    for id in 0..20 {
        let (_, deliveries) = put(&store, &id.to_string(), &["one", "two"]).await;
        for id in ids(&deliveries) {
            store.settle_now(settlement(id, Settled::Delivered)).await.unwrap();
        }
    }
    assert_eq!(store.expire(NOW, 100).await.unwrap(), 0, "nothing is older than itself");

    let step = store.expire(later(1), 6).await.unwrap();
    assert!((1..=20).contains(&step), "{step} rows in one step");
    assert!(keys.get(&key("19")).unwrap().is_some());
    // An event, its key, two deliveries and their attempts each.
    assert_eq!(step + expire_all(&store, later(1), 6).await, 20 * 6);
    assert_eq!(rows(&store).await, (0, 0));
    assert_eq!(keys.get(&key("0")).unwrap(), None);
    let left: i64 = room.tool().query_row("SELECT count(*) FROM attempts", (), |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
    // The id is new again.
    put(&store, "0", &[]).await;
}

#[tokio::test]
async fn keeps_an_event_with_open_deliveries_and_its_key() {
    let room = StoreDirectory::new();
    let store = room.open();
    let keys = store.key_reader().unwrap();
    let (_, deliveries) = put(&store, "open", &["one", "two"]).await;
    store.settle_now(settlement(deliveries[0].id, Settled::Delivered)).await.unwrap();
    put(&store, "plain", &[]).await;

    // The plain event with its key, the settled delivery with its attempt.
    assert_eq!(expire_all(&store, later(1), 100).await, 4);

    assert_eq!(rows(&store).await, (1, 1));
    assert!(keys.get(&key("open")).unwrap().is_some(), "a repeated event would not be recognised");
    assert_eq!(keys.get(&key("plain")).unwrap(), None);
    store.settle_now(settlement(deliveries[1].id, Settled::Dead)).await.unwrap();
    assert_eq!(expire_all(&store, later(1), 100).await, 4);
    assert_eq!(rows(&store).await, (0, 0));
}

#[tokio::test]
async fn keeps_what_is_young_behind_and_before_what_is_old() {
    let room = StoreDirectory::new();
    let store = room.open();
    for (id, received) in [("future", later(1_000_000)), ("old", NOW), ("young", later(500))] {
        let mut commit = accept(id, &[]);
        commit.events[0].received = received;
        store.commit(commit).await.unwrap();
    }
    assert_eq!(expire_all(&store, later(500), 100).await, 2);
    assert!(store.event("old").await.unwrap().is_empty());
    assert_eq!(rows(&store).await.0, 2);
}

#[tokio::test]
async fn keeps_an_old_event_with_a_young_replay() {
    let room = StoreDirectory::new();
    let store = room.open();
    let (seq, _) = put(&store, "a", &[]).await;
    let made = store.replay(seq, &["one".to_owned()], later(100)).await.unwrap();
    store.settle_now(settlement(made[0], Settled::Delivered)).await.unwrap();
    assert_eq!(expire_all(&store, later(50), 100).await, 0);
    assert_eq!(rows(&store).await, (1, 1));
    assert_eq!(expire_all(&store, later(101), 100).await, 4);
}

#[tokio::test]
async fn deletes_old_keys_that_were_written_without_an_event() {
    let room = StoreDirectory::new();
    let store = room.open();
    let keys = store.key_reader().unwrap();
    for n in 0..30 {
        store.commit(keys_only(&[], &[(&format!("old-{n}"), Some("1"))])).await.unwrap();
    }
    let mut young = keys_only(&[], &[("young", Some("1")), ("old-7", Some("2"))]);
    young.now = later(10);
    store.commit(young).await.unwrap();
    assert_eq!(expire_all(&store, later(5), 4).await, 29);
    assert_eq!(keys.get("old-7").unwrap().unwrap(), "2");
    assert!(keys.get("young").unwrap().is_some());
    assert_eq!(keys.get("old-8").unwrap(), None);
}

#[tokio::test]
async fn a_key_lives_as_long_as_the_last_event_that_wrote_it() {
    let room = StoreDirectory::new();
    let store = room.open();
    let keys = store.key_reader().unwrap();
    for (id, now) in [("a", NOW), ("b", later(10))] {
        let mut commit = accept(id, &[]);
        commit.keys.writes.push(("last".to_owned(), Some(Bytes::from(id))));
        commit.events[0].received = now;
        commit.now = now;
        store.commit(commit).await.unwrap();
    }
    assert_eq!(expire_all(&store, later(5), 100).await, 2);
    assert_eq!(keys.get("last").unwrap().unwrap(), "b");
    assert_eq!(expire_all(&store, later(50), 100).await, 3);
    assert_eq!(keys.get("last").unwrap(), None);
}

#[tokio::test]
async fn uses_freed_room_again() {
    let room = StoreDirectory::new();
    let store = room.open();
    let mut sizes = Vec::new();
    for round in 0..4 {
        for id in 0..50 {
            let mut commit = accept(&format!("{round}-{id}"), &[]);
            commit.events[0].data = vec![b'x'; 8192].into();
            store.commit(commit).await.unwrap();
        }
        expire_all(&store, later(1), 1000).await;
        let pages: i64 = room.tool().pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        sizes.push(pages);
    }
    assert_eq!(sizes[1], sizes[3], "{sizes:?}");
}
