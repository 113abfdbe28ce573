//! The cases of callbacks.

use super::*;
use crate::store::{CallbackAcked, CallbackWrite, StoredCallback};

fn new(name: &str, expires: Option<u64>) -> StoredCallback {
    StoredCallback {
        name: name.to_owned(),
        token: format!("token of {name}"),
        document: "{}".to_owned(),
        created: NOW,
        expires: expires.map(later),
        closed: None,
        cancelled: false,
        acked: EventSeq(0),
        waiting: 0,
        holder: 0,
    }
}

/// A callback comes in, if it may.
async fn come_as(store: &dyn Store, id: &str, write: CallbackWrite, now: u64) -> bool {
    let mut entry = event(id, &[]);
    (entry.origin, entry.event.source) = (Origin::Callback, StoredCallback::source_of(&write.name));
    let commit = Commit { events: vec![entry], callbacks: vec![write], ..Commit::new(later(now)) };
    matches!(store.commit(commit).await.unwrap(), CommitOutcome::Committed { .. })
}

async fn come(store: &dyn Store, id: &str, token: &str, closes: bool, now: u64) -> bool {
    let write = CallbackWrite { name: "orders".to_owned(), token: token.to_owned(), closes, most: 9 };
    come_as(store, id, write, now).await
}

async fn waiting(store: &dyn Store, name: &str) -> Option<String> {
    waiting_behind(store, name, 0).await
}

async fn waiting_behind(store: &dyn Store, name: &str, after: i64) -> Option<String> {
    store.waiting_callback(name, EventSeq(after)).await.unwrap().map(|record| record.event.id)
}

pub(in crate::store::conformance) async fn the_same_callback_is_held_again_and_its_holder_fences_off_the_one_before(
    store: &dyn Store,
) {
    put(store, "before", &[]).await;
    let first = store.hold_callback(new("orders", Some(1000)), false, NOW).await.unwrap();
    assert_eq!((first.holder, first.acked), (1, EventSeq(1)));
    let other =
        StoredCallback { token: "another".into(), document: "{\"a\":1}".into(), ..new("orders", None) };
    let second = store.hold_callback(other, false, later(999)).await.unwrap();
    // Its address and its deadline stay, what is asked of those who come is said anew.
    assert_eq!((second.holder, &second.token, second.expires), (2, &first.token, Some(later(1000))));
    assert_eq!(second.document, "{\"a\":1}");
    assert_eq!(store.callback("orders").await.unwrap(), Some(second.clone()));
    // Or it stays, where nothing is said.
    let third = store.hold_callback(new("orders", None), true, later(999)).await.unwrap();
    assert_eq!(third, StoredCallback { holder: 3, ..second });
    for id in ["a", "b"] {
        assert!(come(store, id, "token of orders", false, 5).await);
    }
    let ack = async |holder, seq| store.ack_callback("orders", holder, EventSeq(seq)).await.unwrap();
    assert_eq!(ack(2, 9).await, CallbackAcked::Fenced);
    assert_eq!(waiting(store, "orders").await.as_deref(), Some("a"));
    // Whoever has seen the first looks behind it, whether it is done with or not.
    assert_eq!(waiting_behind(store, "orders", 2).await.as_deref(), Some("b"));
    assert_eq!(waiting_behind(store, "orders", 3).await, None);
    assert_eq!(ack(3, 2).await, CallbackAcked::Done);
    assert_eq!(ack(3, 1).await, CallbackAcked::Done);
    let stands = store.callback("orders").await.unwrap().unwrap();
    assert_eq!((stands.acked, stands.waiting), (EventSeq(2), 1));
    assert_eq!(waiting(store, "orders").await.as_deref(), Some("b"));
    // What is not there yet cannot be done with.
    assert_eq!(ack(3, 99).await, CallbackAcked::Done);
    let stands = store.callback("orders").await.unwrap().unwrap();
    assert_eq!((stands.acked, stands.waiting), (EventSeq(3), 0));
    assert!(waiting(store, "orders").await.is_none());
    let unknown = store.ack_callback("others", 1, EventSeq(1)).await.unwrap();
    assert_eq!(unknown, CallbackAcked::Unknown);
    // Once its time is over, it is a new one of that name.
    let again = StoredCallback { token: "another".into(), ..new("orders", None) };
    let fourth = store.hold_callback(again, false, later(1000)).await.unwrap();
    assert_eq!((fourth.holder, &fourth.token[..], fourth.acked), (4, "another", EventSeq(3)));
}

pub(in crate::store::conformance) async fn a_callback_comes_in_as_long_as_its_address_is_open_and_has_room(
    store: &dyn Store,
) {
    store.hold_callback(new("orders", Some(1000)), false, NOW).await.unwrap();
    assert!(!come(store, "a", "another", false, 0).await);
    assert!(come(store, "a", "token of orders", false, 0).await);
    assert!(!come(store, "b", "token of orders", false, 1000).await, "its time is over");
    let full =
        CallbackWrite { name: "orders".into(), token: "token of orders".into(), closes: true, most: 1 };
    assert!(!come_as(store, "b", full.clone(), 999).await, "its inbox is full");
    assert!(come_as(store, "b", CallbackWrite { most: 2, ..full }, 999).await);
    assert!(!come(store, "c", "token of orders", false, 999).await, "it took its last");
    assert!(store.event("c").await.unwrap().is_empty());
    store.hold_callback(new("other", None), false, NOW).await.unwrap();
    let closed = store.close_callback("other", later(5)).await.unwrap().unwrap();
    assert_eq!((closed.closed, closed.cancelled), (Some(later(5)), true));
    assert_eq!(store.close_callback("other", later(9)).await.unwrap(), Some(closed));
    assert_eq!(store.close_callback("none", NOW).await.unwrap(), None);
    let names = async |after, limit| {
        let found = store.callbacks(after, limit).await.unwrap();
        found.into_iter().map(|one| one.name).collect::<Vec<_>>()
    };
    assert_eq!(names(None, 9).await, ["orders", "other"]);
    assert_eq!(names(Some("orders"), 9).await, ["other"]);
    assert_eq!(names(None, 1).await, ["orders"]);
    while store.expire(later(10), 100).await.unwrap() > 0 {}
    assert_eq!(names(None, 9).await, ["orders"], "what was closed long ago is forgotten");
}

pub(in crate::store::conformance) async fn what_waits_in_an_inbox_outlives_the_retention_and_the_only_callback_its_address(
    store: &dyn Store,
) {
    store.hold_callback(new("orders", None), false, NOW).await.unwrap();
    assert!(come(store, "a", "token of orders", false, 0).await);
    assert!(come(store, "b", "token of orders", true, 5000).await);
    while store.expire(later(4000), 100).await.unwrap() > 0 {}
    assert_eq!(waiting(store, "orders").await.as_deref(), Some("a"), "it waits still");
    // Its only callback came, and the program that awaits it has not seen it.
    let other = || StoredCallback { token: "another".into(), ..new("orders", None) };
    let again = store.hold_callback(other(), false, later(6000)).await.unwrap();
    assert_eq!((&again.token[..], again.waiting, again.holder), ("token of orders", 2, 2));
    assert_eq!(store.ack_callback("orders", 2, EventSeq(1)).await.unwrap(), CallbackAcked::Done);
    while store.expire(later(4000), 100).await.unwrap() > 0 {}
    assert!(store.event("a").await.unwrap().is_empty(), "it is done with and old");
    assert_eq!(waiting(store, "orders").await.as_deref(), Some("b"));
    // Also who closes it finds what came in before, as long as it waits.
    store.close_callback("orders", later(7000)).await.unwrap();
    let again = store.hold_callback(other(), false, later(7500)).await.unwrap();
    assert_eq!((&again.token[..], again.waiting, again.holder), ("token of orders", 1, 3));
    assert!(!again.is_open(later(7500)));
    assert_eq!(store.ack_callback("orders", 3, EventSeq(2)).await.unwrap(), CallbackAcked::Done);
    let new = store.hold_callback(other(), false, later(8000)).await.unwrap();
    assert_eq!((&new.token[..], new.waiting, new.holder), ("another", 0, 4));
    assert!(waiting(store, "orders").await.is_none());
    // One that is over for long is forgotten with what waits.
    let write = CallbackWrite { name: "orders".into(), token: "another".into(), closes: true, most: 9 };
    assert!(come_as(store, "c", write, 9000).await);
    while store.expire(later(20_000), 100).await.unwrap() > 0 {}
    assert!(store.callback("orders").await.unwrap().is_none());
    assert!(store.event("c").await.unwrap().is_empty() && waiting(store, "orders").await.is_none());
}
