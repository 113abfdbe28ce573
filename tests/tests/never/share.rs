//! Nobody's event is dropped or delayed because of what others filter or ask.

use super::{SOURCE, post};
use anglerfish_tests::{Gateway, Receiver, Setup};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Takes steps with the square of the list's length.
fn expensive(number: usize) -> String {
    format!("message.l.all(a, message.l.all(b, a + b >= {number} - 100000))")
}

fn subscriptions(filters: impl Iterator<Item = (String, String)>, receiver: &Receiver) -> String {
    let mut text = SOURCE.to_owned();
    for (id, filter) in filters {
        text.push_str(&format!(
            "[[subscription]]\nid = \"{id}\"\nfilter = '''{filter}'''\n\
             endpoint = {{ url = \"{}\", allow_private = true }}\n",
            receiver.url(&format!("/{id}"))
        ));
    }
    text
}

fn body(length: usize) -> String {
    let numbers: Vec<String> = (0..length).map(|number| number.to_string()).collect();
    format!(r#"{{"l":[{}]}}"#, numbers.join(","))
}

#[test]
fn expensive_filters_of_others_take_no_event_away_and_the_explanation_agrees() {
    let receiver = Receiver::start();
    let expensive = (0..30).map(|number| (format!("noisy-{number}"), expensive(number)));
    let modest = ("zzz".to_owned(), "message.l.exists(x, x + 1 == 8)".to_owned());
    let gateway = Gateway::start(&subscriptions(expensive.chain([modest]), &receiver));
    let answer = post(&gateway, "d-1", body(200).as_bytes()).expect(202);
    assert_eq!(answer.json()["deliveries"], 1);
    assert_eq!(receiver.wait(1)[0].path, "/zzz");
    let explanation = gateway.get("/v1/events/d-1/explain");
    for verdict in explanation["subscriptions"].as_array().unwrap() {
        let right = if verdict["id"] == "zzz" { "match" } else { "error" };
        assert_eq!(verdict["outcome"], right, "{verdict}");
    }
    let metrics = gateway.api("GET", "/metrics", None).expect(200).text();
    assert!(metrics.contains("anglerfish_filter_failures_total 30\n"), "{metrics}");
}

#[test]
fn senders_do_not_wait_for_those_who_ask_for_explanations() {
    let receiver = Receiver::start();
    let expensive = (0..400).map(|number| (format!("noisy-{number}"), expensive(number)));
    let gateway = Gateway::start(&subscriptions(expensive, &receiver));
    let _ = post(&gateway, "d-0", body(300).as_bytes()).expect(202);
    let begin = Instant::now();
    let _ = gateway.get("/v1/events/d-0/explain");
    let alone = begin.elapsed();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    let answer = gateway.api("GET", "/v1/events/d-0/explain", None);
                    assert!([200, 503].contains(&answer.status), "{answer:?}");
                }
            });
        }
        for number in 1..6 {
            let begin = Instant::now();
            let _ = post(&gateway, &format!("d-{number}"), b"{}").expect(202);
            let took = begin.elapsed();
            assert!(took < alone / 2, "{took:?}, an explanation alone takes {alone:?}");
        }
        stop.store(true, Ordering::SeqCst);
    });
}

#[test]
fn what_does_not_fit_into_the_routing_table_is_refused_when_it_is_written_and_seen_after_a_restart() {
    let receiver = Receiver::start();
    let setup = |memory: &str| Setup {
        server: format!("memory_limit = \"{memory}\""),
        rest: SOURCE.to_owned(),
        ..Setup::default()
    };
    let mut gateway = Gateway::set_up(&setup("24 MiB"));
    let subscription = |number: usize| {
        let names: Vec<String> = (0..60).map(|name| format!("'{number}-{name}'")).collect();
        serde_json::json!({
            "id": format!("s-{number}"),
            "filter": format!("message.x == 1 || message.name in [{}]", names.join(",")),
            "endpoint": {"url": receiver.url("/"), "allow_private": true},
        })
    };
    let mut written = 0;
    let refused = loop {
        let answer = gateway.api("POST", "/v1/subscriptions", Some(&subscription(written)));
        if answer.status != 201 {
            break answer;
        }
        written += 1;
        assert!(written < 20_000);
    };
    assert_eq!(refused.status, 507, "{refused:?}");
    assert!(refused.json()["detail"].as_str().unwrap().contains("server.memory_limit"), "{refused:?}");
    assert_eq!(gateway.api("GET", "/ready", None).status, 200);
    let answer = post(&gateway, "d-1", br#"{"x":1}"#).expect(202);
    assert_eq!(answer.json()["deliveries"], written);

    gateway.kill();
    gateway.write(&setup("16 MiB"));
    gateway.spawn_until("/live");
    let ready = gateway.api("GET", "/ready", None);
    assert_eq!(ready.status, 503, "{ready:?}");
    assert!(ready.text().contains("do not fit"), "{ready:?}");
    let answer = post(&gateway, "d-2", br#"{"x":1}"#).expect(202);
    let fits = answer.json()["deliveries"].as_u64().unwrap();
    assert!(fits > 0 && fits < u64::try_from(written).unwrap(), "{fits} of {written}");
}

#[test]
fn a_filter_that_matches_nothing_shows_what_it_asks_for_in_vain() {
    let receiver = Receiver::start();
    let filters = [("mute", "message.a == 1 && message.acton == 'x'"), ("busy", "message.a == 1")];
    let filters = filters.map(|(id, filter)| (id.to_owned(), filter.to_owned()));
    let gateway = Gateway::start(&subscriptions(filters.into_iter(), &receiver));
    let _ = post(&gateway, "d-1", br#"{"a":1,"action":"x"}"#).expect(202);
    let _ = post(&gateway, "d-2", br#"{"a":2}"#).expect(202);
    let mute = gateway.get("/v1/subscriptions/mute/activity");
    assert_eq!(
        (&mute["events"], &mute["matched"], &mute["looked_at"]),
        (&2.into(), &0.into(), &2.into()),
        "{mute}"
    );
    assert_eq!(mute["missing_fields"], serde_json::json!(["message.acton"]));
    assert_eq!((&mute["silent"], &mute["last_match"]), (&false.into(), &serde_json::Value::Null));
    let busy = gateway.get("/v1/subscriptions/busy/activity");
    assert_eq!((&busy["matched"], &busy["missing_fields"]), (&1.into(), &serde_json::json!([])), "{busy}");
    assert!(busy["last_match"].is_string(), "{busy}");
    let metrics = gateway.api("GET", "/metrics", None).expect(200).text();
    assert!(
        metrics.contains("anglerfish_subscription_matches_total{subscription=\"busy\"} 1\n"),
        "{metrics}"
    );
    assert!(metrics.contains("anglerfish_silent_filters 0\n"), "{metrics}");
    let _ = gateway.api("GET", "/v1/subscriptions/none/activity", None).expect(404);
}
