//! A file that an earlier version wrote.

use super::*;
use crate::store::sqlite::schema;
use crate::store::{
    CallStore, DeliveryQuery, DeliveryStatus, EventQuery, LogPart, Order, Origin, ResourceStore,
};

/// Written by the version before the second one of the tables: 19 events of two sources, 60 deliveries in every state,
/// one of them a replay and one retried by hand, a subscription of the management API.
fn first_version(room: &StoreDirectory) {
    std::fs::create_dir_all(room.file().parent().unwrap()).unwrap();
    std::fs::write(room.file(), include_bytes!("fixture/v1.db")).unwrap();
}

#[tokio::test]
async fn brings_a_file_of_the_first_version_up_to_date_with_everything_in_it() {
    let room = StoreDirectory::new();
    first_version(&room);
    let store = room.open();

    let all = EventQuery { limit: 100, order: Order::Oldest, ..EventQuery::default() };
    let events = store.events(all.clone()).await.unwrap().items;
    assert_eq!(events.iter().map(|event| event.seq.0).collect::<Vec<_>>(), (1..=19).collect::<Vec<_>>());
    let first = &events[0];
    assert_eq!((&first.event.id[..], &first.event.kind[..], first.origin), ("e0", "issues", Origin::Request));
    assert_eq!((first.deliveries, first.size, first.cause), (4, 8, None));
    let request = first.request.as_ref().unwrap();
    assert_eq!(request.method, "POST");
    assert!(request.headers.iter().any(|(name, value)| name == "x-github-delivery" && value == "e0"));
    assert_eq!(store.data(first.seq).await.unwrap().unwrap(), "{\"n\": 0}");

    let count = async |status: DeliveryStatus| {
        let query = DeliveryQuery { status: Some(status), limit: 100, ..DeliveryQuery::default() };
        store.deliveries(query).await.unwrap().items.len()
    };
    assert_eq!(count(DeliveryStatus::Delivered).await, 21);
    assert_eq!(count(DeliveryStatus::Discarded).await, 13);
    assert_eq!(count(DeliveryStatus::Dead).await, 13);
    assert_eq!(count(DeliveryStatus::Pending).await, 13);
    let (replayed, attempts) = store.delivery(DeliveryId(60)).await.unwrap().unwrap();
    assert_eq!((&replayed.event_id[..], attempts.len()), ("e3", 1));
    assert_eq!(store.backlog().await.unwrap(), [("later".to_owned(), 13)]);
    let subscriptions = store.subscriptions().await.unwrap();
    assert_eq!(subscriptions.iter().map(|one| &one.id[..]).collect::<Vec<_>>(), ["written"]);
    assert!(store.key_reader().unwrap().get("event/shop/e0").unwrap().is_some());

    // Positions go on, the listings by time and type know the old ones, and the log can be read from its start.
    let again = Commit { events: vec![event("new", &["one"])], ..Commit::new(NOW) };
    let (seq, deliveries) = committed(store.commit(again).await.unwrap());
    assert_eq!((seq, deliveries[0].id), (EventSeq(20), DeliveryId(61)));
    let pushed = EventQuery { source: Some("shop".into()), kind: Some("push".into()), ..all.clone() };
    assert_eq!(store.events(pushed).await.unwrap().items.len(), 9);
    let since = EventQuery { since: Some(events[12].received), until: Some(events[13].received), ..all };
    let between = store.events(since).await.unwrap().items;
    assert!(between.iter().any(|event| event.event.id == "big"), "{between:?}");
    assert!(between.iter().all(|event| event.received < events[13].received));
    let LogPart::Entries(entries) = store.read(EventSeq(0), 100, usize::MAX).await.unwrap() else { panic!() };
    assert_eq!(entries.len(), 20);
    assert_eq!(
        room.tool().query_row("PRAGMA integrity_check", (), |row| row.get::<_, String>(0)).unwrap(),
        "ok"
    );
}

#[tokio::test]
async fn what_ended_before_its_end_was_recorded_ended_with_its_last_attempt() {
    let room = StoreDirectory::new();
    first_version(&room);
    let store = room.open();
    let query = DeliveryQuery { status: Some(DeliveryStatus::Dead), limit: 100, ..DeliveryQuery::default() };
    for delivery in store.deliveries(query).await.unwrap().items {
        let (_, attempts) = store.delivery(delivery.id).await.unwrap().unwrap();
        let last = attempts.last().unwrap();
        let end = last.started.0 + u64::try_from(last.duration.as_millis()).unwrap();
        assert_eq!(delivery.ended, Some(UnixMillis(end)));
    }
    let ended = store.delivery(DeliveryId(60)).await.unwrap().unwrap().0.ended.unwrap();
    while store.expire(ended, 100).await.unwrap() > 0 {}
    assert!(store.delivery(DeliveryId(60)).await.unwrap().is_some());
    while store.expire(UnixMillis(ended.0 + 1), 100).await.unwrap() > 0 {}
    assert!(store.delivery(DeliveryId(60)).await.unwrap().is_none());
    let left = DeliveryQuery { limit: 100, ..DeliveryQuery::default() };
    assert_eq!(store.deliveries(left).await.unwrap().items.len(), 13, "those that are open");
}

#[tokio::test]
async fn a_log_of_the_first_version_with_holes_says_where_it_is_whole() {
    let room = StoreDirectory::new();
    first_version(&room);
    room.tool().execute_batch("DELETE FROM events WHERE seq IN (2, 5)").unwrap();
    let store = room.open();
    assert!(matches!(store.read(EventSeq(0), 1, 1).await.unwrap(), LogPart::Gap { oldest: EventSeq(6) }));
    assert_eq!(schema::newest(), 14);
}

/// Written by the version whose tables are the eighth: 4 events of a source, 3 entries of documents, deliveries that were delivered,
/// are dead and wait, two resources, three subscribers of which one is being told, two documents with a holding of one of them, a
/// paused subscription, and a call.
fn eighth_version(room: &StoreDirectory) {
    std::fs::create_dir_all(room.file().parent().unwrap()).unwrap();
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/src/store/sqlite/tests/fixture/v8.db");
    std::fs::copy(fixture, room.file()).unwrap();
}

#[tokio::test]
async fn brings_a_file_of_the_eighth_version_up_to_date_with_everything_in_it() {
    let room = StoreDirectory::new();
    eighth_version(&room);
    let tables = |connection: &rusqlite::Connection| -> i32 {
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    };
    assert_eq!(tables(&room.tool()), 8);
    let store = room.open();
    assert_eq!(tables(&room.tool()), schema::newest());

    let all = EventQuery { limit: 100, order: Order::Oldest, ..EventQuery::default() };
    let events = store.events(all).await.unwrap().items;
    let names: Vec<&str> = events.iter().map(|event| &event.event.id[..]).collect();
    assert_eq!(names, ["e1", "e2", "e3", "e4", "d1", "d2", "d3", "c.request"]);
    assert_eq!(events[4].origin, Origin::Document);
    let of = async |status: DeliveryStatus| {
        let query = DeliveryQuery { status: Some(status), limit: 100, ..DeliveryQuery::default() };
        store.deliveries(query).await.unwrap().items.len()
    };
    assert_eq!(of(DeliveryStatus::Delivered).await, 3);
    assert_eq!(of(DeliveryStatus::Dead).await, 1);
    assert_eq!(of(DeliveryStatus::Pending).await, 5);

    let resources: Vec<(String, bool)> =
        store.resources().await.unwrap().into_iter().map(|one| (one.id, one.declared)).collect();
    assert_eq!(resources, [("items".to_owned(), true), ("users".to_owned(), false)]);
    let followers: Vec<(String, u64, Option<String>)> = { store.followers().await.unwrap().into_iter() }
        .map(|one| (one.subscription, one.generation, one.backfilled))
        .collect();
    let place = Some("document/items/http://h/items/1".to_owned());
    let expected =
        [("first".to_owned(), 1, None), ("told".to_owned(), 0, None), ("late".to_owned(), 3, place)];
    assert_eq!(followers, expected);
    let documents = store.keys_behind("document/", "", 10).await.unwrap();
    assert_eq!(documents.len(), 2);
    assert_eq!(store.keys_behind("holding/", "", 10).await.unwrap().len(), 1);
    while store.expire(UnixMillis(u64::MAX), 100).await.unwrap() > 0 {}
    assert_eq!(store.keys_behind("document/", "", 10).await.unwrap(), documents, "documents last");
    let next = store.enrol("new", "items", false, None, NOW).await.unwrap();
    assert_eq!(next.generation, 4, "greater than all before");
    // Which filter it had was not noted then: the one that it has now is taken for that.
    let noted = store.enrol("first", "items", false, Some("new.a == 1"), NOW).await.unwrap();
    assert_eq!((noted.filter_since, noted.former.len(), noted.backfilled), (0, 0, None));
    let other = store.enrol("first", "items", false, None, NOW).await.unwrap();
    assert_eq!((other.filter_since, other.former.len()), (5, 1));
    assert_eq!(store.standings().await.unwrap().len(), 1);
    let call = store.call("c").await.unwrap().unwrap();
    assert_eq!((&call.head.api[..], &call.body[..]), ("billing", &b"body"[..]));
    let check: String = room.tool().query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}
