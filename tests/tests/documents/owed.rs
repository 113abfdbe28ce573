//! What a subscriber could not be told: it was given up, or found no room; it is told all the same once that is possible.

use super::{Flare, told};
use anglerfish_tests::{Receiver, Reply, eventually};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const ITEMS: &str =
    "[[resource]]\nid = \"items\"\nendpoint = \"http://h/items/{id}\"\nchange = { field = \"v\" }\n";

/// A subscriber that refuses everything for as long as it is `broken`.
fn receiver() -> (Receiver, Arc<AtomicBool>) {
    let broken = Arc::new(AtomicBool::new(false));
    let is_broken = Arc::clone(&broken);
    let receiver =
        Receiver::with(move |_, _| Reply::status(if is_broken.load(Ordering::SeqCst) { 500 } else { 200 }));
    (receiver, broken)
}

fn subscription(receiver: &Receiver, delivery: &str) -> String {
    format!(
        "[[subscription]]\nid = \"a\"\nresource = \"items\"\nendpoint = {{ url = \"{}\", method = \"POST\" }}\n\
         delivery = {{ breaker = false, disable_after = false, {delivery} }}\n",
        receiver.url("/")
    )
}

fn dead(flare: &Flare, count: usize) {
    eventually("deliveries are given up", || {
        let dead = flare.gateway.get("/v1/deliveries?status=dead");
        (dead["items"].as_array().unwrap().len() == count).then_some(())
    });
}

#[test]
fn what_was_given_up_of_a_document_is_told_with_its_next_put_or_delete_or_a_resync() {
    let (receiver, broken) = receiver();
    let once = "retry = { backoff = \"exponential\", max_attempts = 1 }";
    let flare = Flare::start("", &[ITEMS.to_owned(), subscription(&receiver, once)].concat());
    broken.store(true, Ordering::SeqCst);
    flare.put("http://h/items/1", "{\"v\": 1}");
    dead(&flare, 1);
    broken.store(false, Ordering::SeqCst);
    // It is no news, but to the one that has not got it.
    flare.put("http://h/items/1", "{\"v\": 1}");
    let all = receiver.wait(2);
    assert_eq!(serde_json::from_slice::<Value>(&all[1].body).unwrap()["action"], "create");
    flare.settled();
    flare.put("http://h/items/1", "{\"v\": 1}");
    broken.store(true, Ordering::SeqCst);
    flare.delete("http://h/items/1");
    dead(&flare, 1);
    broken.store(false, Ordering::SeqCst);
    flare.delete("http://h/items/1");
    let ended = told(&receiver, 4);
    assert_eq!(ended[3], ("delete".to_owned(), json!({"v": 1})), "with the last content");
    flare.settled();
    // And an end that was given up is told by a resync.
    flare.put("http://h/items/2", "{\"v\": 1}");
    let _ = receiver.wait(5);
    flare.settled();
    broken.store(true, Ordering::SeqCst);
    flare.delete("http://h/items/2");
    dead(&flare, 1);
    broken.store(false, Ordering::SeqCst);
    let _ = flare.ask("POST", "/resources/items/subscriptions/a/resync", "").expect(202);
    assert_eq!(told(&receiver, 7)[6].0, "delete");
}

#[test]
fn what_a_deleted_subscription_was_not_told_is_nothing_to_the_next_one_of_its_name() {
    let (receiver, broken) = receiver();
    let flare = Flare::start("", ITEMS);
    for backfill in [false, true] {
        let document = json!({
            "resource": "items", "revisions": "all", "filter": "new.q < 3", "backfill": backfill,
            "endpoint": {"url": receiver.url("/"), "method": "POST", "allow_private": true},
            "delivery": {
                "breaker": false, "disable_after": false, "retry": {"backoff": "exponential", "max_attempts": 1}
            }
        });
        let url = format!("http://h/items/{backfill}");
        let before = receiver.requests().len();
        broken.store(true, Ordering::SeqCst);
        let _ = flare.gateway.api("PUT", "/v1/subscriptions/a", Some(&document)).expect(201);
        flare.put(&url, "{\"v\": 1, \"q\": 0}");
        flare.settled();
        let _ = flare.gateway.api("DELETE", "/v1/subscriptions/a", None);
        broken.store(false, Ordering::SeqCst);
        flare.put(&url, "{\"v\": 2, \"q\": 5}");
        let _ = flare.gateway.api("PUT", "/v1/subscriptions/a", Some(&document)).expect(201);
        eventually("it has been told of what was there", || {
            let followers = flare.gateway.get("/v1/resources/items/subscriptions");
            (followers["items"][0]["catching_up"] == false).then_some(())
        });
        flare.put(&url, "{\"v\": 3, \"q\": 5}");
        flare.delete(&url);
        flare.settled();
        assert_eq!(receiver.requests().len(), before + 1, "backfill {backfill}");
        let _ = flare.gateway.api("DELETE", "/v1/subscriptions/a", None);
    }
}

#[test]
fn what_is_told_of_a_later_revision_has_the_id_and_the_attributes_of_that() {
    let (receiver, broken) = receiver();
    let again = "retry = { backoff = \"fixed\", first = \"2s\", jitter = 0.0, max_attempts = 9 }";
    let event = "notification = { cloudevent = true }\n";
    let flare =
        Flare::start("", &[ITEMS.to_owned(), subscription(&receiver, again), event.to_owned()].concat());
    broken.store(true, Ordering::SeqCst);
    flare.put("http://h/items/1", "{\"v\": 1}");
    let _ = receiver.wait(1);
    flare.put("http://h/items/1", "{\"v\": 2}");
    broken.store(false, Ordering::SeqCst);
    let all = receiver.wait(2);
    let events: Vec<Value> = all.iter().map(|one| serde_json::from_slice(&one.body).unwrap()).collect();
    let log = flare.gateway.get("/v1/events?source=anglerfish.documents")["items"].clone();
    for (told, kind) in events.iter().zip(["document.created", "document.updated"]) {
        let entry = log.as_array().unwrap().iter().find(|one| one["type"] == kind);
        let entry = entry.unwrap_or_else(|| panic!("{kind}: {log}"));
        assert_eq!((&told["id"], &told["time"]), (&entry["id"], &entry["time"]), "{told}");
        assert_eq!(told["revision"], told["data"]["v"].to_string(), "{told}");
    }
    assert_ne!(all[0].header("webhook-id"), all[1].header("webhook-id"));
    assert_eq!(events[1]["type"], "document.create");
    assert_eq!(events[1]["incarnation"], events[0]["id"]);
}

#[test]
fn an_end_that_found_no_room_behind_another_delivery_is_told_with_the_next_delete() {
    let (receiver, _) = receiver();
    let bounded = "backlog = { max = 1, full = \"refuse\" }";
    let flare = Flare::start("", &[ITEMS.to_owned(), subscription(&receiver, bounded)].concat());
    flare.put("http://h/items/1", "{\"v\": 1}");
    let _ = told(&receiver, 1);
    flare.settled();
    let _ = flare.gateway.api("POST", "/v1/subscriptions/a/pause", None).expect(200);
    flare.put("http://h/items/1", "{\"v\": 2}");
    // There is room for one alone, which finds the document gone.
    flare.delete("http://h/items/1");
    let _ = flare.gateway.api("POST", "/v1/subscriptions/a/resume", None).expect(200);
    flare.settled();
    flare.delete("http://h/items/1");
    assert_eq!(told(&receiver, 2)[1], ("delete".to_owned(), json!({"v": 2})));
}

#[test]
fn what_is_tried_again_by_hand_never_goes_back_behind_what_was_told_of_every_revision() {
    let (receiver, broken) = receiver();
    let once = "retry = { backoff = \"exponential\", max_attempts = 1 }";
    let subscription =
        subscription(&receiver, once).replace("[[subscription]]", "[[subscription]]\nrevisions = \"all\"");
    let flare = Flare::start("", &[ITEMS.to_owned(), subscription].concat());
    broken.store(true, Ordering::SeqCst);
    for version in 1..=2_usize {
        flare.put("http://h/items/1", &format!("{{\"v\": {version}}}"));
        flare.put("http://h/items/2", &format!("{{\"v\": {version}}}"));
        dead(&flare, 2 * version);
    }
    let dead = flare.gateway.get("/v1/deliveries?status=dead")["items"].clone();
    let mut dead: Vec<i64> = dead.as_array().unwrap().iter().map(|one| one["id"].as_i64().unwrap()).collect();
    dead.sort_unstable();
    let retry = |id: i64| {
        let _ = flare.gateway.api("POST", &format!("/v1/deliveries/{id}/retry"), None).expect(202);
        flare.settled();
    };
    broken.store(false, Ordering::SeqCst);
    let known = receiver.requests().len();
    // Of the first document they are tried again in their order, of the second one behind each other.
    for place in [0, 2, 3, 1] {
        retry(dead[place]);
    }
    let actions = |known: usize, count: usize| -> Vec<(String, Value)> {
        told(&receiver, known + count).split_off(known)
    };
    let create = |version: u32| ("create".to_owned(), json!({"v": version}));
    assert_eq!(actions(known, 3), [create(1), ("update".to_owned(), json!({"v": 2})), create(2)]);
    for number in 1..=2 {
        flare.delete(&format!("http://h/items/{number}"));
    }
    flare.settled();
    assert_eq!(actions(known, 5).len(), 5);
    // They are gone: neither another retry nor a replay tells of them once more.
    for id in &dead {
        retry(*id);
    }
    let created = flare.gateway.get("/v1/events?type=document.created");
    for event in created["items"].as_array().unwrap() {
        let path = format!("/v1/events/{}/replay", event["id"].as_str().unwrap());
        let _ = flare.gateway.api("POST", &path, None).expect(202);
    }
    flare.settled();
    assert_eq!(receiver.requests().len(), known + 5);
}

#[test]
fn what_finds_no_room_in_a_backlog_is_told_once_there_is_some() {
    for full in ["pause", "refuse"] {
        let (receiver, _) = receiver();
        let bounded = format!("backlog = {{ max = 2, full = \"{full}\" }}");
        let flare = Flare::start("", &[ITEMS.to_owned(), subscription(&receiver, &bounded)].concat());
        let _ = flare.gateway.api("POST", "/v1/subscriptions/a/pause", None).expect(200);
        for number in 1..=5 {
            flare.put(&format!("http://h/items/{number}"), "{\"v\": 1}");
        }
        let _ = flare.gateway.api("POST", "/v1/subscriptions/a/resume", None).expect(200);
        let count = if full == "pause" {
            5
        } else {
            // What was refused is told by a resync, which waits for room.
            let _ = receiver.wait(2);
            flare.settled();
            let _ = flare.ask("POST", "/resources/items/subscriptions/a/resync", "").expect(202);
            7
        };
        let all = told(&receiver, count);
        let mut urls: Vec<Value> = receiver
            .requests()
            .iter()
            .map(|one| serde_json::from_slice::<Value>(&one.body).unwrap()["id"].clone())
            .collect();
        urls.sort_by_key(Value::to_string);
        urls.dedup();
        assert_eq!(urls.len(), 5, "{full}: {all:?}");
        flare.settled();
    }
}
