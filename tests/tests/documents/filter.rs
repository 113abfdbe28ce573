//! A filter that is changed: what its subscriber has by the one before is taken back, and what the new one wants is told.

use super::{Flare, told};
use anglerfish_tests::{Answer, Receiver, eventually};
use serde_json::{Value, json};

const ITEMS: &str =
    "[[resource]]\nid = \"items\"\nendpoint = \"http://h/items/{id}\"\nchange = { field = \"v\" }\n";

const NONE: &str = "{\"v\": 1, \"q\": 0}";
const ONE: &str = "{\"v\": 1, \"q\": 1}";

/// What was told behind the first so many, in no order.
fn told_after(receiver: &Receiver, known: usize, count: usize) -> Vec<(String, Value)> {
    let mut new = told(receiver, known + count).split_off(known);
    new.sort_by(|one, other| other.0.cmp(&one.0));
    new
}

/// Waits until nobody is being told of what there is.
fn caught_up(flare: &Flare) {
    eventually("all documents are looked at", || {
        let followers = flare.gateway.get("/v1/resources/items/subscriptions")["items"].clone();
        followers.as_array().unwrap().iter().all(|one| one["catching_up"] == false).then_some(())
    });
    flare.settled();
}

fn event(action: &str, document: &str) -> (String, Value) {
    (action.to_owned(), serde_json::from_str(document).unwrap())
}

#[test]
fn what_another_filter_does_not_want_is_told_as_deleted_and_what_it_wants_as_created() {
    let receiver = Receiver::start();
    let mut flare = Flare::start("", ITEMS);
    let write = |flare: &Flare, filter: &str| -> Answer {
        let body = json!({
            "resource": "items", "filter": filter,
            "endpoint": {"url": receiver.url("/"), "method": "POST", "allow_private": true}
        });
        flare.gateway.api("PUT", "/v1/subscriptions/a", Some(&body))
    };
    let _ = write(&flare, "new.q > 0").expect(201);
    flare.put("http://h/items/0", NONE);
    flare.put("http://h/items/1", ONE);
    assert_eq!(told(&receiver, 1), [event("create", ONE)]);
    flare.settled();
    let _ = write(&flare, "new.q == 0").expect(200);
    assert_eq!(told_after(&receiver, 1, 2), [event("delete", ONE), event("create", NONE)]);
    caught_up(&flare);
    // Neither the same again nor a restart nor one that is refused tells anything.
    let _ = write(&flare, "new.q == 0").expect(200);
    let refused = write(&flare, "new.q == 0 && event.type == 'document.created'").expect(422);
    assert!(refused.text().contains("there is no event.type in it"), "{}", refused.text());
    flare.gateway.restart();
    caught_up(&flare);
    flare.delete("http://h/items/1");
    flare.delete("http://h/items/0");
    assert_eq!(told_after(&receiver, 3, 1), [event("delete", NONE)]);
}

#[test]
fn a_filter_that_is_another_after_a_reload_or_a_restart_takes_back_what_it_does_not_want() {
    let receiver = Receiver::start();
    let tables = |filter: &str| {
        format!(
            "{ITEMS}[[subscription]]\nid = \"a\"\nresource = \"items\"\n{filter}\n\
             endpoint = {{ url = \"{}\", method = \"POST\" }}\n",
            receiver.url("/")
        )
    };
    let mut flare = Flare::start("", &tables(""));
    flare.put("http://h/items/0", NONE);
    flare.put("http://h/items/1", ONE);
    let _ = told(&receiver, 2);
    flare.settled();
    let _ = flare.reload(&tables("filter = \"new.q > 0\"")).expect(200);
    assert_eq!(told_after(&receiver, 2, 1), [event("delete", NONE)]);
    caught_up(&flare);
    // What is refused changes nothing.
    let _ = flare.reload(&tables("filter = \"headers['a'] == 'b'\"")).expect(422);
    flare.gateway.kill();
    flare.write(&tables("filter = \"new.q == 0\""));
    flare.gateway.spawn();
    assert_eq!(told_after(&receiver, 3, 2), [event("delete", ONE), event("create", NONE)]);
    // What is put meanwhile is told once.
    caught_up(&flare);
    flare.put("http://h/items/0", "{\"v\": 2, \"q\": 0}");
    assert_eq!(told_after(&receiver, 5, 1), [event("update", "{\"v\": 2, \"q\": 0}")]);
}
