//! Resources, and who subscribed to them.

use super::*;
use crate::store::{DeliveryId, DeliveryQuery, NewEvent, Retried, StoredResource, StoredSubscription};
use anglerfish_core::resource::holding_key;
use anglerfish_core::router::FormerFilter;

pub(in super::super) async fn keeps_resources_and_deletes_their_documents_with_them(store: &dyn Store) {
    let resource = |id: &str, document: &str, created, declared| StoredResource {
        id: id.into(),
        document: document.into(),
        created: later(created),
        declared,
    };
    store.put_resource(resource("b", "{}", 1, false)).await.unwrap();
    store.put_resource(resource("a", "{}", 2, true)).await.unwrap();
    store.put_resource(resource("b", "{\"id\": \"b\"}", 3, true)).await.unwrap();
    let expected = [resource("b", "{\"id\": \"b\"}", 1, true), resource("a", "{}", 2, true)];
    assert_eq!(store.resources().await.unwrap(), expected);
    for key in ["document/a/1", "document/a/2", "document/ab/1", "document/b/1"] {
        write(store, key).await;
    }
    assert!(store.delete_resource("a").await.unwrap());
    assert!(!store.delete_resource("a").await.unwrap());
    assert_eq!(store.resources().await.unwrap(), expected[..1]);
    let left = store.keys_behind("document/", "", 10).await.unwrap();
    assert_eq!(names(&left), ["document/ab/1", "document/b/1"]);
}

pub(in super::super) async fn each_subscriber_has_a_generation_of_its_own_until_it_is_gone(
    store: &dyn Store,
) {
    let first = store.enrol("a", "r", false, None, later(1)).await.unwrap();
    let second = store.enrol("b", "r", true, None, later(2)).await.unwrap();
    assert!(0 < first.generation && first.generation < second.generation);
    assert_eq!(store.enrol("a", "r", true, None, later(9)).await.unwrap(), first, "it is there already");
    assert_eq!(store.followers().await.unwrap(), [first.clone(), second.clone()]);
    assert_eq!(second.backfilled.as_deref(), Some(""));
    assert_eq!(store.backfilling().await.unwrap(), ["b"]);
    assert_eq!(store.follower("b").await.unwrap().as_ref(), Some(&second));
    assert_eq!(store.follower("none").await.unwrap(), None);
    let elsewhere = store.enrol("c", "rr", false, None, later(3)).await.unwrap();
    assert_eq!(store.followers_of("r", 0, 10).await.unwrap(), [first.clone(), second.clone()]);
    assert_eq!(store.followers_of("r", 1, 1).await.unwrap(), std::slice::from_ref(&second));
    assert_eq!(store.followers_of("r", 2, 1).await.unwrap(), []);
    assert_eq!(store.followers_of("rr", 0, 1).await.unwrap(), [elsewhere]);
    assert_eq!(
        (store.count_followers("r").await.unwrap(), store.count_followers("x").await.unwrap()),
        (2, 0)
    );
    store.dismiss("c").await.unwrap();
    store.backfilled("b", 0, Some("document/r/1")).await.unwrap();
    let place = store.followers().await.unwrap()[1].clone();
    assert_eq!((place.generation, place.backfilled.as_deref()), (second.generation, Some("document/r/1")));
    store.backfilled("b", 0, None).await.unwrap();
    let done = store.followers().await.unwrap()[1].clone();
    assert_eq!((done.generation, done.backfilled), (0, None), "it has what was there before");
    assert_eq!(store.backfilling().await.unwrap(), [""; 0]);
    store.backfilled("b", 0, Some("lost ")).await.unwrap();
    assert_eq!(store.backfilling().await.unwrap(), ["b"], "it is told again");
    store.backfilled("b", 0, None).await.unwrap();
    for key in ["holding/a/1", "holding/ab/1"] {
        write(store, key).await;
    }
    store.abandon("a", "gone", NOW).await.unwrap();
    assert_eq!(names(&store.keys_behind("holding/", "", 10).await.unwrap()), ["holding/ab/1"]);
    let again = store.enrol("a", "r", false, None, later(3)).await.unwrap();
    assert!(again.generation > second.generation, "what it had it has no more");
    store.dismiss("a").await.unwrap();
    assert_eq!(store.followers().await.unwrap().len(), 1);
}

pub(in super::super) async fn a_subscriber_that_has_another_filter_is_to_be_told_what_that_makes_of_what_it_has(
    store: &dyn Store,
) {
    let enrol = async |filter: Option<&str>| store.enrol("a", "r", false, filter, NOW).await.unwrap();
    let first = enrol(Some("new.a > 1")).await;
    assert_eq!(enrol(Some("new.a > 1")).await, first);
    let second = enrol(None).await;
    assert!(second.filter_since > first.generation && second.generation == first.generation);
    let former = FormerFilter { until: second.filter_since, filter: Some("new.a > 1".into()) };
    assert_eq!(second.former, std::slice::from_ref(&former));
    assert_eq!(second.backfilled.as_deref(), Some("refiltered "));
    assert!(store.backfilled("a", second.filter_since, Some("refiltered document/r/1")).await.unwrap());
    let third = enrol(Some("new.a > 2")).await;
    assert_eq!(third.former, [former, FormerFilter { until: third.filter_since, filter: None }]);
    assert_eq!(third.backfilled.as_deref(), Some("refiltered "), "from the beginning");
    assert!(!store.backfilled("a", second.filter_since, None).await.unwrap(), "it has another filter");
    assert!(store.backfilled("a", third.filter_since, None).await.unwrap());
    let done = store.follower("a").await.unwrap().unwrap();
    assert_eq!((done.generation, done.filter_since), (first.generation, third.filter_since));
    assert_eq!((done.former.len(), done.backfilled), (0, None));
    // Who is being told of everything is told of everything by the new one.
    assert!(store.backfilled("a", third.filter_since, Some("lost document/r/1")).await.unwrap());
    let fourth = enrol(None).await;
    assert_eq!(fourth.backfilled.as_deref(), Some("lost "));
    assert!(store.backfilled("a", fourth.filter_since, None).await.unwrap());
    assert_eq!(store.follower("a").await.unwrap().unwrap().generation, 0);
    store.dismiss("a").await.unwrap();
    assert!(!store.backfilled("a", fourth.filter_since, None).await.unwrap());
}

pub(in super::super) async fn documents_are_kept_for_as_long_as_they_are(store: &dyn Store) {
    for number in 1..=3 {
        write(store, &format!("document/r/{number}")).await;
    }
    write(store, "event/shop/1").await;
    while store.expire(UnixMillis(u64::MAX), 100).await.unwrap() > 0 {}
    let page = store.keys_behind("document/r/", "document/r/1", 1).await.unwrap();
    assert_eq!(names(&page), ["document/r/2"]);
    let all = store.keys("", 10).await.unwrap();
    assert_eq!(names(&all), ["document/r/1", "document/r/2", "document/r/3"]);
}

pub(in super::super) async fn what_was_given_up_of_a_document_is_due_again_when_it_is_asked_for(
    store: &dyn Store,
) {
    let document = |id: &str, kind: &str| {
        let mut entry = event(id, &["a", "b"]);
        (entry.event.source, entry.event.kind) = ("anglerfish.documents".into(), kind.into());
        entry.ordering = vec![("a".into(), "=u".into()), ("b".into(), "=u".into())];
        entry
    };
    for name in ["a", "b"] {
        store.enrol(name, "r", false, None, NOW).await.unwrap();
    }
    // Of `a` all are given up, of `b` one waits; `other` is no document.
    for (id, kind) in [("d1", "document.created"), ("d2", "document.deleted")] {
        store.commit(Commit { lease: None, ..commit(vec![document(id, kind)]) }).await.unwrap();
    }
    let mut other = event("other", &["a"]);
    other.ordering = vec![("a".into(), "=v".into())];
    store.commit(Commit { lease: None, ..commit(vec![other]) }).await.unwrap();
    let end = async |subscription: &str, times: usize| {
        for _ in 0..times {
            let leased = store.lease(subscription, NOW, 1, LeaseTerms::default()).await.unwrap().deliveries;
            settle(store, leased[0].lease(), Settled::Dead, NOW).await;
        }
    };
    end("a", 3).await;
    end("b", 1).await;
    assert_eq!(store.revive_document("=x", NOW).await.unwrap(), [""; 0]);
    assert_eq!(store.revive_document("=v", NOW).await.unwrap(), [""; 0], "it is no document's");
    assert_eq!(store.revive_document("=u", NOW).await.unwrap(), ["a"]);
    let open = store.lease("a", NOW, 9, LeaseTerms::default()).await.unwrap().deliveries;
    assert_eq!(open.iter().map(|one| one.event.id.as_str()).collect::<Vec<_>>(), ["d2"], "the newest");
    assert_eq!(store.revive_document("=u", NOW).await.unwrap(), [""; 0], "it is open already");
    settle(store, open[0].lease(), Settled::Delivered, NOW).await;
    // What was given up while another one was open is looked for again.
    assert_eq!(store.revive_document("=u", NOW).await.unwrap(), ["a"]);
    let before = store.lease("a", NOW, 9, LeaseTerms::default()).await.unwrap().deliveries;
    settle(store, before[0].lease(), Settled::Delivered, NOW).await;
    assert_eq!(store.retry(open[0].id, NOW).await.unwrap(), Retried::Due);
    let open = store.lease("a", NOW, 9, LeaseTerms::default()).await.unwrap().deliveries;
    settle(store, open[0].lease(), Settled::Dead, NOW).await;
    assert!(store.revive_ends("a", NOW).await.unwrap());
    assert!(!store.revive_ends("b", NOW).await.unwrap());
    let open = store.lease("a", NOW, 9, LeaseTerms::default()).await.unwrap().deliveries;
    assert_eq!(open.len(), 1);
    // Who is no subscriber of a resource any more is told nothing.
    settle(store, open[0].lease(), Settled::Dead, NOW).await;
    store.dismiss("a").await.unwrap();
    assert_eq!(store.revive_document("=u", NOW).await.unwrap(), [""; 0]);
    assert_eq!(store.room("a").await.unwrap(), usize::MAX);
}

pub(in super::super) async fn what_is_made_due_again_behind_a_later_event_of_its_lane_is_outlived(
    store: &dyn Store,
) {
    for (id, lane) in [("e1", "=u"), ("e2", "=u"), ("e3", "=v"), ("e4", "=u"), ("e5", "=u")] {
        let mut entry = event(id, &["a"]);
        entry.ordering = vec![("a".into(), lane.into())];
        store.commit(Commit { lease: None, ..commit(vec![entry]) }).await.unwrap();
    }
    let next = async || {
        let leased = store.lease("a", NOW, 1, LeaseTerms::default()).await.unwrap().deliveries;
        leased.into_iter().next().unwrap()
    };
    let mut ids = Vec::new();
    let ends = [("e1", Settled::Dead), ("e2", Settled::Dead), ("e3", Settled::Delivered)];
    for (id, settled) in ends {
        let leased = next().await;
        assert_eq!((leased.event.id.as_str(), leased.outlived), (id, false));
        ids.push(leased.id);
        settle(store, leased.lease(), settled, NOW).await;
    }
    // Made due again before a later one has arrived it goes on in the order of the lane.
    let e4 = next().await;
    assert_eq!(store.retry(ids[0], NOW).await.unwrap(), Retried::Due);
    assert!(store.lease("a", NOW, 9, LeaseTerms::default()).await.unwrap().deliveries.is_empty());
    settle(store, e4.lease(), Settled::Retry(later(1)), NOW).await;
    let e4 = store.lease("a", later(1), 9, LeaseTerms::default()).await.unwrap().deliveries.remove(0);
    assert_eq!((e4.event.id.as_str(), e4.outlived), ("e4", false));
    settle(store, e4.lease(), Settled::Discarded, later(1)).await;
    // From then on what was made due again and what is given up goes back behind it.
    let e1 = next().await;
    assert_eq!((e1.event.id.as_str(), e1.outlived), ("e1", true));
    settle(store, e1.lease(), Settled::Dead, later(1)).await;
    let e5 = next().await;
    assert_eq!((e5.event.id.as_str(), e5.outlived), ("e5", false));
    settle(store, e5.lease(), Settled::Dead, later(1)).await;
    for (id, name, outlived) in [(ids[1], "e2", true), (ids[0], "e1", true), (e5.id, "e5", false)] {
        assert_eq!(store.retry(id, later(1)).await.unwrap(), Retried::Due);
        let leased = store.lease("a", later(1), 9, LeaseTerms::default()).await.unwrap().deliveries.remove(0);
        assert_eq!((leased.event.id.as_str(), leased.outlived), (name, outlived));
        settle(store, leased.lease(), Settled::Delivered, later(1)).await;
    }
    // What has arrived has been told, and so has what is replayed.
    assert_eq!(store.retry(e5.id, later(1)).await.unwrap(), Retried::Due);
    let e5 = store.lease("a", later(1), 9, LeaseTerms::default()).await.unwrap().deliveries.remove(0);
    assert!(e5.outlived);
    settle(store, e5.lease(), Settled::Delivered, later(1)).await;
    let _ = store.replay(e5.seq, &["a".to_owned()], later(1)).await.unwrap();
    let e5 = store.lease("a", later(1), 9, LeaseTerms::default()).await.unwrap().deliveries.remove(0);
    assert!(e5.outlived);
}

/// An entry about a document, for `a` alone.
fn of_document(id: &str, kind: &str, url: &str) -> NewEvent {
    let mut entry = event(id, &["a"]);
    (entry.event.source, entry.event.kind) = ("anglerfish.documents".into(), kind.into());
    entry.event.subject = Some(url.into());
    entry.ordering = vec![("a".into(), format!("={url}"))];
    entry
}

/// Commits an entry, and gives up what was made of it.
async fn give_up(store: &dyn Store, entry: NewEvent) -> DeliveryId {
    store.commit(Commit { lease: None, ..commit(vec![entry]) }).await.unwrap();
    let leased = store.lease("a", NOW, 1, LeaseTerms::default()).await.unwrap().deliveries.remove(0);
    settle(store, leased.lease(), Settled::Dead, NOW).await;
    leased.id
}

pub(in super::super) async fn what_was_given_up_for_a_subscription_is_none_of_the_next_one_of_its_name(
    store: &dyn Store,
) {
    store.enrol("a", "r", false, None, NOW).await.unwrap();
    let first = give_up(store, of_document("d1", "document.deleted", "u")).await;
    store.abandon("a", "gone", NOW).await.unwrap();
    store
        .put_subscription(StoredSubscription { id: "a".into(), document: "{}".into(), updated: NOW })
        .await
        .unwrap();
    store.enrol("a", "r", false, None, NOW).await.unwrap();
    assert_eq!(store.revive_document("=u", NOW).await.unwrap(), [""; 0]);
    assert!(!store.revive_ends("a", NOW).await.unwrap());
    // By hand it can be tried again, and goes back behind what the new one has.
    assert_eq!(store.retry(first, NOW).await.unwrap(), Retried::Due);
    let again = store.lease("a", NOW, 1, LeaseTerms::default()).await.unwrap().deliveries.remove(0);
    assert!(again.outlived);
    settle(store, again.lease(), Settled::Delivered, NOW).await;
    // What is given up of its own is.
    give_up(store, of_document("d2", "document.updated", "u")).await;
    assert_eq!(store.revive_document("=u", NOW).await.unwrap(), ["a"]);
    let own = store.lease("a", NOW, 1, LeaseTerms::default()).await.unwrap().deliveries.remove(0);
    assert_eq!((own.event.id.as_str(), own.outlived), ("d2", false));
}

pub(in super::super) async fn what_a_subscriber_is_owed_of_a_document_outlives_the_retention(
    store: &dyn Store,
) {
    store.enrol("a", "r", false, None, NOW).await.unwrap();
    for url in ["u", "v"] {
        let key = holding_key("a", url);
        let writes = vec![(key, Some(Bytes::from_static(b"1 - -\n")))];
        let keys = KeyOverlay { writes, ..KeyOverlay::default() };
        store.commit(Commit { keys, ..Commit::new(NOW) }).await.unwrap();
    }
    give_up(store, of_document("u1", "document.created", "u")).await;
    give_up(store, of_document("u2", "document.deleted", "u")).await;
    give_up(store, of_document("v1", "document.created", "v")).await;
    // Of this one nothing is owed.
    give_up(store, of_document("w1", "document.created", "w")).await;
    // The subscriber has been told of `v` since.
    store
        .commit(Commit { lease: None, ..commit(vec![of_document("v2", "document.updated", "v")]) })
        .await
        .unwrap();
    let told = store.lease("a", NOW, 1, LeaseTerms::default()).await.unwrap().deliveries.remove(0);
    settle(store, told.lease(), Settled::Delivered, NOW).await;
    while store.expire(later(1_000_000), 3).await.unwrap() > 0 {}
    let query = || DeliveryQuery { limit: 9, ..DeliveryQuery::default() };
    let kept = store.deliveries(query()).await.unwrap().items;
    assert_eq!(kept.iter().map(|one| one.event_id.as_str()).collect::<Vec<_>>(), ["u2"]);
    assert_eq!(store.revive_document("=u", later(1_000_000)).await.unwrap(), ["a"]);
    let end =
        store.lease("a", later(1_000_000), 1, LeaseTerms::default()).await.unwrap().deliveries.remove(0);
    assert_eq!(end.event.id, "u2");
    settle(store, end.lease(), Settled::Dead, later(1_000_000)).await;
    // With the subscription it goes.
    store.dismiss("a").await.unwrap();
    while store.expire(later(3_000_000), 3).await.unwrap() > 0 {}
    assert!(store.deliveries(query()).await.unwrap().items.is_empty());
}

/// Writes a key with an event.
async fn write(store: &dyn Store, key: &str) {
    let writes = vec![(key.to_owned(), Some(Bytes::from_static(b"{}")))];
    let keys = KeyOverlay { writes, ..KeyOverlay::default() };
    let outcome =
        store.commit(Commit { keys, ..commit(vec![event(&format!("of-{key}"), &[])]) }).await.unwrap();
    assert!(matches!(outcome, CommitOutcome::Committed { .. }));
}

fn names(keys: &[(String, Bytes)]) -> Vec<&str> {
    keys.iter().map(|(key, _)| key.as_str()).collect()
}
