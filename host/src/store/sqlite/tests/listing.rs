use super::*;
use crate::store::{DeliveryQuery, DeliveryStatus, EventQuery, Order};

async fn log(store: &SqliteStore, query: EventQuery) -> (Vec<String>, bool) {
    let page = store.events(query).await.unwrap();
    (page.items.into_iter().map(|record| record.event.id).collect(), page.more)
}

#[tokio::test]
async fn lists_the_log_in_both_directions_in_pages() {
    let room = StoreDirectory::new();
    let store = room.open();
    for id in ["a", "b", "c", "d"] {
        let mut commit = accept(id, &[]);
        let event = &mut commit.events[0].event;
        if id == "b" {
            event.source = "forge".to_owned();
            event.kind = "push".to_owned();
        }
        store.commit(commit).await.unwrap();
    }
    let query = EventQuery { limit: 3, ..EventQuery::default() };
    assert_eq!(log(&store, query.clone()).await, (vec!["d".into(), "c".into(), "b".into()], true));
    let next = EventQuery { cursor: Some(EventSeq(2)), ..query.clone() };
    assert_eq!(log(&store, next).await, (vec!["a".into()], false));
    let oldest = EventQuery { order: Order::Oldest, cursor: Some(EventSeq(2)), ..query.clone() };
    assert_eq!(log(&store, oldest).await, (vec!["c".into(), "d".into()], false));
    let source = EventQuery { source: Some("shop".into()), ..query.clone() };
    assert_eq!(log(&store, source).await, (vec!["d".into(), "c".into(), "a".into()], false));
    let kind = EventQuery { kind: Some("push".into()), source: Some("forge".into()), ..query };
    assert_eq!(log(&store, kind).await, (vec!["b".into()], false));
    assert_eq!(log(&store, EventQuery::default()).await, (vec![], true));
}

#[tokio::test]
async fn lists_deliveries_newest_first_by_what_is_asked() {
    let room = StoreDirectory::new();
    let store = room.open();
    let (first, one) = put(&store, "a", &["one", "two"]).await;
    let (_, two) = put(&store, "b", &["one"]).await;
    store.settle_now(settlement(two[0].id, Settled::Dead)).await.unwrap();
    let all = DeliveryQuery { limit: 2, ..DeliveryQuery::default() };
    let list = |query: DeliveryQuery| {
        let store = Arc::clone(&store);
        async move {
            let page = store.deliveries(query).await.unwrap();
            (page.items.iter().map(|delivery| delivery.id).collect::<Vec<_>>(), page.more)
        }
    };
    assert_eq!(list(all.clone()).await, (vec![two[0].id, one[1].id], true));
    let next = DeliveryQuery { cursor: Some(one[1].id), ..all.clone() };
    assert_eq!(list(next).await, (vec![one[0].id], false));
    let subscription = DeliveryQuery { subscription: Some("one".into()), ..all.clone() };
    assert_eq!(list(subscription.clone()).await, (vec![two[0].id, one[0].id], false));
    let dead = DeliveryQuery { status: Some(DeliveryStatus::Dead), ..subscription };
    assert_eq!(list(dead).await, (vec![two[0].id], false));
    let event = DeliveryQuery { event: Some(first), ..all };
    assert_eq!(list(event).await, (vec![one[1].id, one[0].id], false));
    let (delivery, attempts) = store.delivery(one[1].id).await.unwrap().unwrap();
    assert_eq!((&delivery.event_id[..], &delivery.source[..]), ("a", "shop"));
    assert_eq!((&delivery.kind[..], delivery.due, delivery.created), ("order.created", Some(NOW), NOW));
    assert!(attempts.is_empty());
}
