//! The cases of outgoing calls.

use super::*;
use crate::store::{CallAnswer, CallQuery, StoredApi};
use anglerfish_core::call::{CallHistory, CallRecord, CallRequest, CallState, Happened};

fn new(id: &str, api: &str, key: &str, due: UnixMillis) -> StoredCall {
    let head = CallHead {
        seq: EventSeq(0),
        id: id.to_owned(),
        api: api.to_owned(),
        key: key.to_owned(),
        revision: 0,
        state: CallState::Pending,
        created: NOW,
        due: Some(due),
        planned: NOW,
        owner: None,
        ended: None,
        policy: "{}".to_owned(),
        request: CallRequest {
            method: None,
            path: "/x".to_owned(),
            headers: vec![("a".to_owned(), "1".to_owned())],
            api_method: Some("PUT".to_owned()),
            key_field: Some("x-key".to_owned()),
        },
        records: CallHistory::begin(1, NOW).records().to_vec(),
        entries: Vec::new(),
    };
    StoredCall { head, body: Bytes::from_static(b"\xff{}"), answer: None }
}

fn entry(id: &str) -> NewEvent {
    let mut entry = event(id, &[]);
    (entry.origin, entry.event.source) = (Origin::Call, "anglerfish".to_owned());
    entry
}

/// Writes it with one entry.
async fn write(store: &dyn Store, call: &StoredCall, expected: Option<u64>, name: &str) -> CommitOutcome {
    let calls = vec![CallWrite { call: call.clone(), expected }];
    store.commit(Commit { events: vec![entry(name)], calls, ..Commit::new(NOW) }).await.unwrap()
}

async fn insert(store: &dyn Store, call: &StoredCall) {
    let outcome = write(store, call, None, &format!("{}.request", call.head.id)).await;
    assert!(matches!(outcome, CommitOutcome::Committed { .. }));
}

pub(in crate::store::conformance) async fn a_call_is_written_with_its_entries_or_not_at_all(
    store: &dyn Store,
) {
    put(store, "before", &[]).await;
    let mut call = new("c", "billing", "k", NOW);
    insert(store, &call).await;
    let stored = store.call("c").await.unwrap().unwrap();
    (call.head.seq, call.head.revision, call.head.entries) = (EventSeq(2), 1, vec![EventSeq(2)]);
    assert_eq!(stored, call);
    assert_eq!(store.event("c.request").await.unwrap()[0].origin, Origin::Call);
    assert!(store.call("d").await.unwrap().is_none());

    // An entry of the same name makes a conflict of all of it.
    let outcome = write(store, &new("d", "billing", "other", NOW), None, "c.request").await;
    assert!(matches!(outcome, CommitOutcome::Conflict));
    assert!(store.call("d").await.unwrap().is_none());
    assert!(store.apis().await.unwrap().is_empty());
    let api = StoredApi { name: "billing".into(), settings: "{\"a\":1}".into(), recorded: "{}".into() };
    store.commit(Commit { apis: vec![api.clone()], ..Commit::new(NOW) }).await.unwrap();
    assert_eq!(store.apis().await.unwrap(), [api]);
}

pub(in crate::store::conformance) async fn a_call_that_was_changed_meanwhile_is_not_written(
    store: &dyn Store,
) {
    let mut call = new("c", "billing", "k", NOW);
    insert(store, &call).await;
    let happened = Happened::Response { attempt: 0, status: 200 };
    call.head.records.push(CallRecord { at: NOW.0 + 1, happened });
    (call.head.state, call.head.due, call.head.ended) = (CallState::Success, None, Some(later(1)));
    call.head.entries = vec![EventSeq(1)];
    let headers = vec![("content-type".to_owned(), "text/plain".to_owned())];
    call.answer = Some(CallAnswer { status: 200, headers, body: Bytes::from_static(b"\xfeyes") });
    assert!(matches!(write(store, &call, Some(2), "c.early").await, CommitOutcome::Conflict));
    assert!(matches!(write(store, &call, Some(1), "c.response").await, CommitOutcome::Committed { .. }));
    let stored = store.call("c").await.unwrap().unwrap();
    (call.head.seq, call.head.revision) = (EventSeq(1), 2);
    call.head.entries = vec![EventSeq(1), EventSeq(2)];
    assert_eq!(stored, call);
    // Who has seen the first revision comes too late.
    assert!(matches!(write(store, &call, Some(1), "c.late").await, CommitOutcome::Conflict));
    assert!(store.event("c.late").await.unwrap().is_empty());
    assert!(matches!(write(store, &call, Some(2), "c.again").await, CommitOutcome::Committed { .. }));
}

pub(in crate::store::conformance) async fn an_idempotency_key_is_one_request_of_its_api(store: &dyn Store) {
    insert(store, &new("c", "billing", "k", NOW)).await;
    let outcome = write(store, &new("d", "billing", "k", NOW), None, "d.request").await;
    assert!(matches!(outcome, CommitOutcome::Conflict));
    insert(store, &new("e", "mail", "k", NOW)).await;
    let id = async |api: &str, key: &str| store.call_of_key(api, key).await.unwrap().map(|call| call.head.id);
    assert_eq!(id("billing", "k").await.as_deref(), Some("c"));
    assert_eq!(id("mail", "k").await.as_deref(), Some("e"));
    assert_eq!(id("mail", "other").await, None);
}

pub(in crate::store::conformance) async fn hands_out_calls_when_they_are_due_oldest_first(store: &dyn Store) {
    for (id, due) in [("a", 30), ("b", 10), ("c", 20), ("d", 500)] {
        insert(store, &new(id, "billing", id, later(due))).await;
    }
    insert(store, &new("other", "mail", "x", NOW)).await;
    let due = async |now: u64, limit: usize| {
        let due = store.due_calls("billing", later(now), limit).await.unwrap();
        let ids: Vec<String> = due.calls.into_iter().map(|call| call.head.id).collect();
        (ids.concat(), due.next)
    };
    assert_eq!(due(0, 9).await, (String::new(), Some(later(10))));
    assert_eq!(due(30, 9).await, ("bca".to_owned(), Some(later(500))));
    assert_eq!(due(30, 1).await, ("b".to_owned(), Some(later(20))));
    assert_eq!(due(30, 0).await, (String::new(), Some(later(10))));
    // One that somebody works on is due when its time is over.
    let mut taken = store.call("b").await.unwrap().unwrap();
    (taken.head.owner, taken.head.due) = (Some(Owner::new("one")), Some(later(100)));
    write(store, &taken, Some(1), "b.attempt").await;
    assert_eq!(due(30, 9).await, ("ca".to_owned(), Some(later(100))));
    assert_eq!(due(100, 9).await, ("cab".to_owned(), Some(later(500))));
    let open = store.open_calls().await.unwrap();
    assert_eq!(open, [("billing".to_owned(), 4), ("mail".to_owned(), 1)]);
}

pub(in crate::store::conformance) async fn calls_wait_anew_that_a_clock_had_planned_that_was_put_back(
    store: &dyn Store,
) {
    let month = 30 * 24 * 3_600_000;
    for (id, due, planned) in [
        ("waits", later(month + 5000), later(month)),
        ("due", later(month), later(month)),
        ("nobody's", UnixMillis(0), later(month)),
        ("usual", later(7_200_000), NOW),
    ] {
        let mut call = new(id, "billing", id, due);
        call.head.planned = planned;
        insert(store, &call).await;
    }
    assert_eq!(store.replan_calls(later(month)).await.unwrap(), 0, "the clock is as it was");
    assert_eq!(store.replan_calls(NOW).await.unwrap(), 3);
    let due = async |id| store.call(id).await.unwrap().unwrap().head.due.unwrap();
    assert_eq!(due("waits").await, later(5000));
    assert_eq!((due("due").await, due("nobody's").await), (NOW, NOW));
    assert_eq!(due("usual").await, later(7_200_000), "a long wait is no sign of a wrong clock");
    assert_eq!(store.replan_calls(NOW).await.unwrap(), 0);
}

pub(in crate::store::conformance) async fn lists_calls_and_forgets_those_that_ended_long_ago(
    store: &dyn Store,
) {
    for (id, api) in [("a", "billing"), ("b", "mail"), ("c", "billing")] {
        let mut call = new(id, api, id, NOW);
        if id != "b" {
            (call.head.state, call.head.due, call.head.ended) = (CallState::Failure, None, Some(later(1)));
        }
        insert(store, &call).await;
    }
    let list = async |state, api: Option<&str>, cursor, limit| {
        let api = api.map(str::to_owned);
        let page = store.calls(CallQuery { state, api, cursor, limit }).await.unwrap();
        (page.items.into_iter().map(|head| head.id).collect::<Vec<_>>().concat(), page.more)
    };
    assert_eq!(list(None, None, None, 9).await, ("cba".to_owned(), false));
    assert_eq!(list(None, None, None, 2).await, ("cb".to_owned(), true));
    assert_eq!(list(None, None, Some(EventSeq(2)), 2).await, ("a".to_owned(), false));
    assert_eq!(list(None, Some("billing"), None, 9).await, ("ca".to_owned(), false));
    assert_eq!(list(Some(CallState::Pending), None, None, 9).await, ("b".to_owned(), false));
    assert_eq!(list(Some(CallState::Pending), Some("billing"), None, 9).await, (String::new(), false));
    while store.expire(later(2), 100).await.unwrap() > 0 {}
    assert_eq!(list(None, None, None, 9).await, ("b".to_owned(), false), "what is open stays");
}
