//! What leaves: whom subscriptions written at run time may call, and that nothing secret comes back.

use anglerfish_tests::{Gateway, Receiver, Reply, Setup, eventually};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const SOURCE: &str = "[[source]]\nname = \"s\"\nscheme = \"none\"\n";
const SECRETS: [&str; 5] = [
    "HEADERSECRET-1",
    "ENVSECRET-22",
    "QUERYSECRET-3",
    "P4THT0KEN-0123456789",
    "whsec_dGhlLXNlY3JldC1vZi1hLXJlY2VpdmVyLWluLXRlc3Q=",
];

/// An endpoint that gives its request back in every form, and breaks off in the middle of a secret.
fn echo() -> Receiver {
    Receiver::with(|received, _| {
        let headers: Value = received
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
            .collect();
        let plain = json!({"url": received.path, "headers": headers}).to_string();
        let coded = STANDARD.encode(&plain);
        let filler = "x".repeat(4096 - 200);
        Reply::status(500)
            .header("location", &format!("https://elsewhere.test{}", received.path))
            .body(format!("{filler}{plain}{coded}{}", &SECRETS[0][..12]).as_bytes())
    })
}

fn post(gateway: &Gateway) {
    let _ = gateway.post_json("s", b"{\"n\":1}").expect(202);
}

/// Everything that the gateway shows or keeps, once an attempt has ended.
fn everything(gateway: &Gateway) -> String {
    let shown = || gateway.get("/v1/deliveries/1");
    let _ = eventually("an attempt", || shown().pointer("/attempts/0").cloned());
    let pages = ["/v1/deliveries/1", "/v1/subscriptions", "/v1/subscriptions/a", "/v1/events", "/metrics"];
    let mut text: String = pages.iter().map(|page| gateway.api("GET", page, None).text()).collect();
    text.push_str(&gateway.log());
    for entry in std::fs::read_dir(gateway.directory().join("data")).into_iter().flatten().flatten() {
        // The cache of the component is a directory.
        if let Ok(bytes) = std::fs::read(entry.path()) {
            text.push_str(&String::from_utf8_lossy(&bytes));
        }
    }
    assert!(text.contains("SQLite format 3"), "the store was looked at");
    text
}

#[test]
fn nothing_secret_comes_back_through_an_endpoint_that_echoes() {
    let receiver = echo();
    let url = receiver.url(&format!("/hooks/{}?token={}", SECRETS[3], SECRETS[2]));
    let gateway = Gateway::set_up(&Setup {
        rest: format!(
            "{SOURCE}[[subscription]]\nid = \"a\"\n[subscription.endpoint]\nurl = \"{url}\"\nallow_private = true\n\
             secret = \"{}\"\nheaders = {{ authorization = \"Bearer {}\", x-key = \"env:KEY\" }}\n\
             [log]\nfilter = \"debug\"\n",
            SECRETS[4], SECRETS[0]
        ),
        environment: vec![("KEY".into(), SECRETS[1].into())],
        ..Setup::default()
    });
    post(&gateway);
    let shown = everything(&gateway);
    assert!(
        shown.contains("xxxx…") || shown.contains("\\u2026") || shown.contains("headers"),
        "the answer is kept"
    );
    for secret in SECRETS {
        let form = STANDARD.encode(secret);
        for text in [secret, &secret[..10], &form[..12]] {
            assert!(!shown.contains(text), "{text} of {secret}");
        }
    }
}

#[test]
fn a_url_from_a_reference_is_shown_nowhere() {
    let receiver = echo();
    let gateway = Gateway::set_up(&Setup {
        rest: format!(
            "{SOURCE}[[subscription]]\nid = \"a\"\nendpoint = {{ url = \"env:HOOK_URL\", allow_private = true }}\n\
             [log]\nfilter = \"debug\"\n"
        ),
        environment: vec![("HOOK_URL".into(), receiver.url("/services/slackish/word"))],
        ..Setup::default()
    });
    post(&gateway);
    let shown = everything(&gateway);
    for part in ["slackish", "services/", &format!("127.0.0.1:{}", receiver.port())] {
        assert!(!shown.contains(part), "{part}");
    }
    assert_eq!(gateway.get("/v1/subscriptions/a")["subscription"]["endpoint"]["url"], "env:HOOK_URL");
    assert_eq!(receiver.wait(1)[0].path, "/services/slackish/word");
}

#[test]
fn a_subscription_written_at_run_time_opens_no_network_that_the_configuration_does_not_name() {
    let receiver = Receiver::start();
    let setup = |networks: &str| Setup {
        rest: SOURCE.to_owned(),
        admin: format!("networks = [{networks}]"),
        ..Setup::default()
    };
    let mut gateway = Gateway::set_up(&setup(""));
    let put = |gateway: &Gateway, opened: Value| {
        let mut endpoint = json!({"url": receiver.url("/")});
        endpoint.as_object_mut().unwrap().extend(opened.as_object().unwrap().clone());
        gateway.api("PUT", "/v1/subscriptions/a", Some(&json!({"endpoint": endpoint})))
    };
    for (opened, path) in [
        (json!({"allow_private": true}), "endpoint.allow_private"),
        (json!({"allow_networks": ["127.0.0.0/8"]}), "endpoint.allow_networks[0]"),
        (json!({"allow_networks": ["0.0.0.0/0"]}), "endpoint.allow_networks[0]"),
    ] {
        let refused = put(&gateway, opened);
        assert_eq!(refused.problem(422), "invalid-document");
        let problem = &refused.json()["problems"][0];
        assert_eq!(problem["path"], path);
        assert!(problem["hint"].as_str().unwrap().contains("`networks` of [admin]"), "{problem}");
    }
    let _ = put(&gateway, json!({})).expect(201);

    gateway.write(&setup("\"127.0.0.0/8\""));
    gateway.restart();
    assert_eq!(put(&gateway, json!({"allow_private": true})).problem(422), "invalid-document");
    assert_eq!(put(&gateway, json!({"allow_networks": ["10.0.0.0/8"]})).problem(422), "invalid-document");
    let _ = put(&gateway, json!({"allow_networks": ["127.0.0.1/32"]})).expect(200);
    post(&gateway);
    let _ = receiver.wait(1);
}

#[test]
fn what_was_opened_and_may_not_be_any_more_stops_no_start() {
    let receiver = Receiver::start();
    let setup = |networks: &str| Setup {
        rest: SOURCE.to_owned(),
        admin: format!("networks = [{networks}]"),
        ..Setup::default()
    };
    let mut gateway = Gateway::set_up(&setup("\"127.0.0.0/8\""));
    let endpoint = json!({"url": receiver.url("/"), "allow_networks": ["127.0.0.0/8"]});
    let _ = gateway.api("PUT", "/v1/subscriptions/a", Some(&json!({"endpoint": endpoint}))).expect(201);
    gateway.write(&setup(""));
    gateway.restart();
    let shown = gateway.get("/v1/subscriptions/a");
    assert_eq!(shown["state"], "invalid");
    assert_eq!(shown["problems"][0]["path"], "endpoint.allow_networks[0]");
}
