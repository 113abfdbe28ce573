//! Another configuration loses and delays nothing, and one with a problem changes nothing.

use super::{SOURCE, ids, local, post, request};
use anglerfish_tests::{Gateway, Receiver, Reply, Request, Setup, eventually, github, send};
use std::sync::atomic::{AtomicBool, Ordering};

fn signed(secret: &str, source: &str, id: &str) -> Request {
    let headers = github(secret, id, b"{}");
    Request { path: format!("/in/{source}"), headers, ..request(id, b"{}") }
}

fn reload(gateway: &Gateway, rest: &str, said: &str) {
    let before = gateway.log().matches(said).count();
    gateway.write(&Setup { rest: rest.to_owned(), ..Setup::default() });
    gateway.signal("HUP");
    eventually(&format!("{said:?} once more"), || {
        (gateway.log().matches(said).count() > before).then_some(())
    });
}

const RELOADED: &str = "the configuration was reloaded";

#[test]
fn sources_secrets_and_subscriptions_change_under_load_and_no_request_is_lost() {
    let (first, second) = (Receiver::start(), Receiver::start());
    let gateway = Gateway::start(&format!("{SOURCE}{}", local("first", &first, "")));
    let rotated = "[[source]]\nname = \"hub\"\nscheme = \"github\"\n\
                   secrets = [\"secret of the repository\", \"the next secret\"]\n\
                   [[source]]\nname = \"other\"\nscheme = \"github\"\nsecrets = [\"of the other\"]\n";
    assert_eq!(send(gateway.ingress(), &signed("the next secret", "hub", "too early")).unwrap().status, 401);
    let stop = AtomicBool::new(false);
    let sent = std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let mut sent = 0;
            while !stop.load(Ordering::SeqCst) {
                let _ = post(&gateway, &format!("d-{sent}"), b"{}").expect(202);
                sent += 1;
            }
            sent
        });
        reload(
            &gateway,
            &format!("{rotated}{}{}", local("first", &first, ""), local("second", &second, "")),
            RELOADED,
        );
        let _ = send(gateway.ingress(), &signed("the next secret", "hub", "new-1")).unwrap().expect(202);
        let _ = send(gateway.ingress(), &signed("of the other", "other", "new-2")).unwrap().expect(202);
        let _ = second.wait_until("both new events", |requests| {
            ["new-1", "new-2"]
                .iter()
                .all(|id| requests.iter().any(|one| one.header("webhook-id") == Some(id)))
        });
        // Back again, several times.
        for _ in 0..3 {
            reload(&gateway, &format!("{SOURCE}{}", local("first", &first, "")), RELOADED);
        }
        stop.store(true, Ordering::SeqCst);
        sender.join().unwrap()
    });
    assert_eq!(send(gateway.ingress(), &signed("of the other", "other", "gone")).unwrap().status, 404);
    let _ = gateway.settled();
    assert!(sent > 0);
    let got = ids(&first);
    for number in 0..sent {
        assert!(got.contains(&format!("d-{number}")), "d-{number} of {sent} did not arrive");
    }
}

#[test]
fn a_configuration_with_a_problem_leaves_all_as_it_was_and_says_why() {
    let receiver = Receiver::start();
    let mut gateway = Gateway::start(&format!("{SOURCE}{}", local("a", &receiver, "")));
    let wrong = [
        "[[source]]\nname = \"hub\"\nscheme = \"none-such\"\n".to_owned(),
        "this is no TOML".to_owned(),
        // What an editor leaves for a moment, and what a cut file is.
        String::new(),
        format!(
            "{SOURCE}{}",
            local("b", &receiver, "")
                .replace("[subscription.endpoint]", "filter = \"1 +\"\n[subscription.endpoint]")
        ),
        format!(
            "{SOURCE}[[subscription]]\nid = \"b\"\nsources = [\"nowhere\"]\nendpoint = {{ url = \"http://a.example/\" }}\n"
        ),
    ];
    for (number, rest) in wrong.iter().enumerate() {
        reload(&gateway, rest, "the configuration stays as it was");
        let _ = post(&gateway, &format!("d-{number}"), b"{}").expect(202);
    }
    assert!(gateway.log().contains("anglerfish.toml:"), "the place of a problem is in the log");
    assert!(gateway.runs());
    let _ = gateway.settled();
    assert_eq!(receiver.requests().len(), wrong.len());
}

#[test]
fn what_is_open_of_a_subscription_that_its_file_has_no_longer_ends_with_a_reason() {
    let receiver = Receiver::with(|_, _| Reply::status(500));
    let gateway = Gateway::start(&format!("{SOURCE}{}", local("a", &receiver, "")));
    let _ = post(&gateway, "d-1", b"{}").expect(202);
    let _ = receiver.wait(1);
    reload(&gateway, SOURCE, RELOADED);
    let deliveries = gateway.settled();
    assert_eq!(deliveries[0]["status"], "dead", "{deliveries:?}");
    let shown = gateway.get("/v1/deliveries/1").to_string();
    assert!(shown.contains("removed from the configuration file"), "{shown}");
}

/// A subscription whose deliveries wait for it, and which answers as the receiver does.
fn waiting(receiver: &Receiver) -> String {
    local("a", receiver, "retry = { delays = [\"1h\"] }")
        .replace("[subscription.endpoint]", "when_removed = \"wait\"\n[subscription.endpoint]")
}

#[test]
fn what_is_open_of_one_that_says_so_waits_over_reloads_and_starts_and_goes_on_when_it_comes_back() {
    let receiver = Receiver::with(|_, number| Reply::status(if number == 0 { 500 } else { 200 }));
    let with = format!("{SOURCE}{}", waiting(&receiver));
    let mut gateway = Gateway::start(&with);
    let _ = post(&gateway, "d-1", b"{}").expect(202);
    eventually("the first attempt is recorded", || {
        (gateway.get("/v1/deliveries/1")["attempts"].as_array()?.len() == 1).then_some(())
    });
    reload(&gateway, SOURCE, RELOADED);
    let seen = |gateway: &Gateway| {
        let delivery = gateway.get("/v1/deliveries/1")["delivery"].clone();
        assert_eq!(delivery["status"], "pending", "{delivery}");
        assert!(delivery["reason"].as_str().unwrap().contains("removed"), "{delivery}");
        let listed = gateway.list("/v1/subscriptions", 10);
        assert_eq!((&listed[0]["id"], &listed[0]["state"]), (&"a".into(), &"removed".into()), "{listed:?}");
        assert_eq!(listed[0]["open_deliveries"], 1, "{listed:?}");
    };
    seen(&gateway);
    assert!(gateway.log().contains("wait for it to come back"), "{}", gateway.log());
    gateway.restart();
    seen(&gateway);
    let told = gateway.run(&["subscriptions", "list"], b"").expect(0).stdout;
    assert!(told.contains("removed"), "{told}");
    let told = gateway.run(&["deliveries", "list"], b"").expect(0).stdout;
    assert!(told.contains("it waits for it to come back"), "{told}");

    reload(&gateway, &with, RELOADED);
    assert_eq!(gateway.get("/v1/deliveries/1")["delivery"]["reason"], serde_json::Value::Null);
    let _ = gateway.api("POST", "/v1/deliveries/1/retry", None).expect(202);
    assert_eq!(gateway.settled()[0]["status"], "delivered");

    // Taken out while the gateway is down, and then ended by hand.
    let closed =
        format!("{SOURCE}{}", waiting(&receiver).replace(&receiver.url("/a"), "http://127.0.0.1:1029/"));
    reload(&gateway, &closed, RELOADED);
    let _ = post(&gateway, "d-2", b"{}").expect(202);
    gateway.kill();
    gateway.write(&Setup { rest: SOURCE.to_owned(), ..Setup::default() });
    gateway.spawn();
    assert_eq!(gateway.get("/v1/subscriptions/a")["state"], "removed");
    let told = gateway.run(&["subscriptions", "delete", "a"], b"").expect(0).stdout;
    assert!(told.contains("ended with it: 1"), "{told}");
    assert_eq!(gateway.settled()[0]["status"], "dead");
    let _ = gateway.api("GET", "/v1/subscriptions/a", None).expect(404);
}

#[test]
fn a_start_that_fails_late_attempts_nothing_and_leaves_no_lock() {
    let receiver = Receiver::start();
    let mut gateway = Gateway::start(&format!("{SOURCE}{}", local("a", &receiver, "")));
    gateway.signal_end();
    assert_eq!(gateway.wait_end().code(), Some(0));
    // What only the component sees fails after the store was opened.
    let wrong = format!(
        "{SOURCE}{}",
        local("a", &receiver, "")
            .replace("[subscription.endpoint]", "filter = \"1 +\"\n[subscription.endpoint]")
    );
    gateway.write(&Setup { rest: wrong, ..Setup::default() });
    let failed = gateway.run(&["serve"], b"");
    assert_eq!(failed.code, Some(2), "{failed:?}");
    gateway.write(&Setup { rest: format!("{SOURCE}{}", local("a", &receiver, "")), ..Setup::default() });
    gateway.spawn();
    let _ = post(&gateway, "d-1", b"{}").expect(202);
    let _ = gateway.settled();
    assert_eq!(receiver.requests().len(), 1);
}

#[test]
fn the_command_reloads_and_tells_what_became_of_it() {
    let gateway = Gateway::start(SOURCE);
    let more = format!("{SOURCE}[[source]]\nname = \"open\"\nscheme = \"none\"\n");
    gateway.write(&Setup { rest: more, ..Setup::default() });
    let done = gateway.run(&["reload"], b"").expect(0);
    assert!(done.stdout.contains("source open added"), "{done:?}");
    gateway.write(&Setup {
        rest: "[[source]]\nname = \"hub\"\nscheme = \"none-such\"\n".into(),
        ..Setup::default()
    });
    let refused = gateway.run(&["reload"], b"").expect(2);
    assert!(refused.stderr.contains("stays as it was"), "{refused:?}");
    let status = gateway.get("/v1/config/status");
    assert_eq!((&status["generation"], &status["last"]["outcome"]), (&2.into(), &"refused".into()));
    assert!(status["last"]["problems"][0]["line"].is_number(), "{status}");
    for instant in [&status["since"], &status["last"]["at"]] {
        assert!(instant.as_str().is_some_and(|text| text.ends_with('Z') && text.contains('T')), "{status}");
    }
    let shown = gateway.run(&["reload", "--status"], b"").expect(2);
    assert!(shown.stdout.contains("configuration 2"), "{shown:?}");
    // A file that names nothing is a configuration with a problem as well.
    gateway.write(&Setup::default());
    let refused = gateway.run(&["reload"], b"").expect(2);
    assert!(refused.stderr.contains("names no source any more"), "{refused:?}");
}
