//! Random changes, subscribers that fail, and kills: at the end each subscriber has exactly what exists.

use super::Flare;
use anglerfish_tests::{Receiver, Reply, eventually};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// What a subscriber has, by document.
type Held = Arc<Mutex<BTreeMap<String, Value>>>;

/// A subscriber that keeps what it is told, and fails at every third request until it is healed.
fn keeper(healed: &Arc<AtomicBool>) -> (Receiver, Held) {
    let held = Held::default();
    let (kept, healed) = (Arc::clone(&held), Arc::clone(healed));
    let receiver = Receiver::with(move |request, place| {
        if place % 3 == 1 && !healed.load(Ordering::SeqCst) {
            return Reply::status(500);
        }
        let envelope: Value = serde_json::from_slice(&request.body).unwrap();
        let id = envelope["id"].as_str().unwrap().to_owned();
        let mut kept = kept.lock().unwrap();
        match envelope["action"].as_str().unwrap() {
            "delete" => drop(kept.remove(&id)),
            _ => drop(kept.insert(id, envelope["document"].clone())),
        }
        // Also where it fails it may have taken it.
        Reply::status(if place % 7 == 3 && !healed.load(Ordering::SeqCst) { 500 } else { 200 })
    });
    (receiver, held)
}

#[test]
fn each_subscriber_ends_with_exactly_what_exists_across_kills() {
    let healed = Arc::new(AtomicBool::new(false));
    let (all, held_by_all) = keeper(&healed);
    let (some, held_by_some) = keeper(&healed);
    let (late, held_by_late) = keeper(&healed);
    let one = |id: &str, receiver: &Receiver, keys: &str| {
        format!(
            "[[subscription]]\nid = \"{id}\"\nresource = \"items\"\n{keys}\n\
             endpoint = {{ url = \"{}\", method = \"POST\" }}\n\
             delivery = {{ retry = {{ backoff = \"fixed\", first = \"20ms\", max_attempts = 1000 }}, \
             breaker = false, throttle_on = [] }}\n",
            receiver.url("/")
        )
    };
    // The filters are others after each kill, also while what they make of the ones before is being told.
    let rest = |some_of: &str, late_of: &str| {
        [
            "[[resource]]\nid = \"items\"\nendpoint = \"http://h/items/{id}\"\nchange = { field = \"v\" }\n"
                .to_owned(),
            one("all", &all, ""),
            one("some", &some, &format!("filter = \"{some_of}\"\nrevisions = \"all\"")),
            one("late", &late, &format!("filter = \"{late_of}\"\nbackfill = true")),
        ]
        .concat()
    };
    let mut flare = Flare::start("", &rest("new.q == 0", "new.q > 1"));
    let mut exists: BTreeMap<String, Value> = BTreeMap::new();
    // A generator of Knuth's: the same run each time.
    let mut state = 20_261_128_u64;
    let mut next = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for round in 1..=3 {
        for number in 0..60 {
            let url = format!("http://h/items/{}", next(8));
            if next(6) == 0 {
                flare.delete(&url);
                exists.remove(&url);
                continue;
            }
            let (version, quantity) = (round * 1000 + number, next(3));
            let body = format!("{{\"v\": {version}, \"q\": {quantity}}}");
            flare.put(&url, &body);
            exists.insert(url, serde_json::from_str(&body).unwrap());
        }
        flare.gateway.kill();
        flare.write(&if round == 1 {
            rest("new.q < 2", "new.q == 0")
        } else {
            rest("new.q > 0", "new.q > 0")
        });
        flare.gateway.spawn();
    }
    healed.store(true, Ordering::SeqCst);
    let wanted: BTreeMap<String, Value> = { exists.iter() }
        .filter(|(_, document)| document["q"] != 0)
        .map(|(id, document)| (id.clone(), document.clone()))
        .collect();
    let subscribers =
        [("all", held_by_all, &exists), ("some", held_by_some, &wanted), ("late", held_by_late, &wanted)];
    for (name, held, expected) in &subscribers {
        eventually(name, || (*held.lock().unwrap() == **expected).then_some(()));
    }
    flare.settled();
    // And it stays so.
    for (name, held, expected) in &subscribers {
        assert_eq!(*held.lock().unwrap(), **expected, "{name}");
    }
    assert_eq!(
        flare.ask("GET", "/resources/items/documents", "").json()["documents"].as_array().unwrap().len(),
        exists.len()
    );
}
