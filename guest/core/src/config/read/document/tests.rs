use super::*;
use crate::config::{AccessToken, DeliveryMode, OnPluginError, Schedule, StatusSet};
use serde_json::json;
use std::time::Duration;

fn found(document: &Value) -> Vec<String> {
    let (_, problems) = read_document(document).unwrap_err();
    problems.iter().map(ToString::to_string).collect()
}

fn subscription(endpoint: Value, delivery: Value) -> Value {
    json!({"id": "a", "endpoint": endpoint, "delivery": delivery})
}

#[test]
fn reads_a_whole_document() {
    let document = read_document(&json!({
        "source": [{"name": "shop", "scheme": "standard-webhooks", "secrets": ["whsec_x"], "tolerance": "10m"}],
        "subscription": [{
            "id": "big-orders", "sources": ["shop"], "filter": "message.quantity > 0",
            "endpoint": {
                "url": "http://127.0.0.1:9000/orders", "method": "PUT", "headers": {"Authorization": "Bearer x"},
                "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "allow_private": true,
                "allow_networks": ["10.0.0.0/8"]
            },
            "delivery": {
                "success": ["2xx", 304], "discard": ["400", 404], "timeout": "20s", "concurrency": 3,
                "retry": {"delays": ["5s", "1h30m"], "jitter": 0}
            }
        }]
    }))
    .unwrap();
    let (path, source) = &document.sources[0];
    assert_eq!((path.as_str(), source.name.as_str()), ("source[0]", "shop"));
    assert_eq!(source.verification.past_seconds, Some(600));
    assert_eq!(source.verification.future_seconds, Some(600));
    let (path, subscription) = &document.subscriptions[0];
    assert_eq!((path.as_str(), subscription.id.as_str()), ("subscription[0]", "big-orders"));
    assert_eq!(subscription.sources, ["shop"]);
    let endpoint = subscription.endpoint.as_ref().unwrap();
    assert_eq!((endpoint.method.as_str(), endpoint.allow_private), ("PUT", true));
    assert_eq!(endpoint.headers[0].0, "authorization");
    assert_eq!(endpoint.headers[0].1.reveal(), "Bearer x");
    assert_eq!(endpoint.secrets.len(), 1);
    let delivery = &subscription.delivery;
    assert_eq!(delivery.success, StatusSet::new(vec![(200, 299), (304, 304)]));
    assert!(delivery.discard.contains(400) && delivery.discard.contains(404));
    assert_eq!((delivery.timeout, delivery.concurrency), (Duration::from_secs(20), 3));
    let delays = vec![Duration::from_secs(5), Duration::from_secs(5400)];
    assert_eq!(delivery.retry.schedule, Schedule::Delays(delays));
    assert_eq!(delivery.retry.jitter.to_bits(), 0.0_f64.to_bits());
}

#[test]
fn what_is_left_out_has_the_documented_defaults() {
    let value = json!({"id": "a", "endpoint": {"url": "https://example.com"}});
    let subscription = read_subscription(&value, "").unwrap();
    assert_eq!(subscription.delivery, DeliveryConfig::default());
    let endpoint = subscription.endpoint.as_ref().unwrap();
    assert_eq!(endpoint.method, "POST");
    assert!(!endpoint.allow_private);
    assert!(subscription.sources.is_empty() && subscription.filter.is_none());
}

#[test]
fn reads_a_passive_subscription_with_and_without_an_endpoint() {
    let tokens = json!(["0123456789abcdef", AccessToken::of("the other one").hash()]);
    let value = json!({"id": "a", "mode": "passive", "tokens": tokens});
    let subscription = read_subscription(&value, "").unwrap();
    assert_eq!(subscription.delivery.mode, DeliveryMode::Passive);
    assert_eq!(subscription.endpoint, None);
    assert!(AccessToken::is_one_of(&subscription.tokens, b"0123456789abcdef"));
    assert!(AccessToken::is_one_of(&subscription.tokens, b"the other one"));
    let value = json!({"id": "a", "mode": "passive", "endpoint": {"url": "https://example.com"}});
    let subscription = read_subscription(&value, "").unwrap();
    assert!(subscription.endpoint.is_some() && subscription.tokens.is_empty());
}

#[test]
fn reads_a_stream_and_a_pushed_subscription_that_can_be_read_too() {
    let tokens = json!(["0123456789abcdef"]);
    let stream = read_subscription(&json!({"id": "a", "mode": "stream", "tokens": tokens}), "").unwrap();
    assert_eq!((stream.delivery.mode, stream.endpoint), (DeliveryMode::Stream, None));
    let value = json!({"id": "a", "tokens": tokens, "endpoint": {"url": "https://example.com"}});
    let pushed = read_subscription(&value, "").unwrap();
    assert_eq!((pushed.delivery.mode, pushed.tokens.len()), (DeliveryMode::Push, 1));
}

#[test]
fn reads_a_subscription_that_a_function_takes_and_refuses_an_endpoint_beside_it() {
    let value = json!({"id": "a", "mode": "function", "delivery": {"timeout": "2s"}});
    let read = read_subscription(&value, "").unwrap();
    assert_eq!((read.delivery.mode, read.endpoint), (DeliveryMode::Function, None));
    let value = json!({"id": "a", "mode": "function", "endpoint": {"url": "https://example.com"}});
    let problems = read_subscription(&value, "").unwrap_err();
    assert_eq!(problems[0].to_string(), "endpoint: a function takes what is delivered");
}

#[test]
fn reads_a_subscription_that_starts_flows_and_refuses_what_would_take_its_events_too() {
    for value in
        [json!({"id": "a", "flow": "order"}), json!({"id": "a", "flow": "order", "mode": "function"})]
    {
        let read = read_subscription(&value, "").unwrap();
        assert_eq!((read.delivery.mode, read.flow.as_deref()), (DeliveryMode::Function, Some("order")));
    }
    let endpoint = json!({"url": "https://example.com"});
    for (value, problem) in [
        (json!({"id": "a", "flow": "order", "endpoint": endpoint}), "endpoint: each event starts a flow"),
        (
            json!({"id": "a", "flow": "order", "mode": "push", "endpoint": endpoint}),
            "flow: each event starts a flow, and the mode has it go elsewhere",
        ),
        (json!({"id": "a", "flow": "an order"}), "flow: must be 1 to 40 of `a-z A-Z 0-9 . _ -`"),
        (
            json!({"id": "a", "flow": "order", "delivery": {"transform": "1"}}),
            "delivery.transform: says what is sent, and there is no endpoint to send to",
        ),
    ] {
        let problems = read_subscription(&value, "").unwrap_err();
        assert_eq!(problems[0].to_string(), problem, "{value}");
        assert_eq!(problems.len(), 1, "{value}: {problems:?}");
    }
}

#[test]
fn reads_plugins_and_refuses_them_where_nothing_is_sent() {
    let plugins = json!([{"name": "geo", "config": {"in": ["DE"]}, "on_error": "hold"}, {"name": "size"}]);
    let value = json!({"id": "a", "plugins": plugins, "endpoint": {"url": "https://example.com"}});
    let subscription = read_subscription(&value, "").unwrap();
    let [geo, size] = subscription.plugins.as_slice() else { panic!("{subscription:?}") };
    assert_eq!((geo.name.as_str(), geo.config.as_str()), ("geo", r#"{"in":["DE"]}"#));
    assert_eq!((geo.on_error, size.on_error), (OnPluginError::Hold, OnPluginError::Discard));
    assert_eq!(size.config, "null");
    let value = json!({"id": "a", "tokens": ["0123456789abcdef"], "plugins": plugins,
        "endpoint": {"url": "https://example.com"}});
    let problems = read_subscription(&value, "").unwrap_err();
    assert_eq!(problems[0].path, "plugins", "its readers would get all of it");
    let value = json!({"id": "a", "mode": "stream", "tokens": ["0123456789abcdef"],
        "plugins": [{"config": 1, "on_error": "retry"}]});
    let problems = read_subscription(&value, "").unwrap_err();
    let places: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(places, ["plugins[0].name", "plugins[0].on_error", "plugins"]);
}

#[test]
fn says_what_is_wrong_with_a_mode_and_its_tokens() {
    let push = json!({"url": "https://example.com"});
    for (value, problem) in [
        (
            json!({"mode": "pull", "endpoint": push}),
            "mode: must be \"push\", \"passive\", \"stream\" or \"function\"",
        ),
        (
            json!({"mode": "pull", "tokens": ["0123456789abcdef"]}),
            "mode: must be \"push\", \"passive\", \"stream\" or \"function\"",
        ),
        (json!({"mode": "push"}), "endpoint: missing key"),
        (json!({"mode": "passive"}), "tokens: missing key of a passive subscription"),
        (json!({"mode": "stream"}), "tokens: missing key of a stream"),
        (
            json!({"mode": "stream", "tokens": ["0123456789abcdef"], "endpoint": push}),
            "endpoint: a stream is read and delivers nothing",
        ),
        (
            json!({"mode": "stream", "tokens": ["0123456789abcdef"], "delivery": {"timeout": "1s"}}),
            "delivery: a stream is read and delivers nothing",
        ),
        (json!({"mode": "passive", "tokens": []}), "tokens: names no token"),
        (json!({"mode": "passive", "tokens": "0123456789abcdef"}), "tokens: expected a list, found a string"),
        (
            json!({"mode": "passive", "tokens": ["0123456789abcde"]}),
            "tokens[0]: must have 16 to 512 characters",
        ),
        (
            json!({"mode": "passive", "tokens": ["0123456789 abcdef"]}),
            "tokens[0]: must be printable ASCII without spaces",
        ),
        (
            json!({"mode": "passive", "tokens": ["sha256:0123456789"]}),
            "tokens[0]: `sha256:`, in lower case, needs 64 hexadecimal digits behind it",
        ),
    ] {
        let mut value = value;
        value["id"] = json!("a");
        let problems = read_subscription(&value, "").unwrap_err();
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with(problem), "{problems:?} for {problem}");
    }
}

#[test]
fn reports_every_problem_at_once() {
    let problems = found(&json!({
        "source": [{"name": "shop", "scheme": "github", "secret": "x"}, {"name": "shop", "scheme": 3}],
        "subscription": [
            {"id": "a", "sources": ["shop", "shpo"], "endpoint": {"url": "https://example.com"}},
            {"id": "b", "sources": ["nobody"], "endpoint": {}},
            {"id": "a", "sources": [], "filter": " ", "endpoint": {"url": "ftp://example.com"}, "retries": 3},
            {"endpoint": {}}
        ],
        "sources": []
    }));
    assert_eq!(
        problems,
        [
            "sources: unknown key",
            "source[0].secret: unknown key",
            "source[1].name: there is another \"shop\"",
            "source[1].scheme: expected a string, found an integer",
            "subscription[0].sources[1]: there is no source \"shpo\"",
            "subscription[1].endpoint.url: missing key",
            "subscription[1].sources[0]: there is no source \"nobody\"",
            "subscription[2].id: there is another \"a\"",
            "subscription[2].retries: unknown key",
            "subscription[2].sources: names no source",
            "subscription[2].filter: must not be empty",
            "subscription[2].endpoint.url: must be an absolute URL that begins with http:// or https://",
            "subscription[3].id: missing key",
            "subscription[3].endpoint.url: missing key",
        ]
    );
}

#[test]
fn the_gateway_s_own_source_can_be_listened_to_and_not_be_declared() {
    let document = json!({
        "source": [{"name": "shop", "scheme": "none"}],
        "subscription": [{"id": "a", "sources": ["anglerfish"], "endpoint": {"url": "https://example.com"}}]
    });
    assert!(read_document(&document).is_ok());
    let problems = found(&json!({"source": [{"name": "anglerfish", "scheme": "none"}]}));
    assert_eq!(problems, ["source[0].name: is the source of what the gateway tells of itself"]);
}

#[test]
fn gives_the_sound_parts_beside_the_problems() {
    let (document, problems) = read_document(&json!({
        "source": [{"name": "a"}, {"name": "b", "scheme": "none", "secrets": [""]}],
        "subscription": [{"id": "s", "sources": ["a"], "endpoint": {"url": "https://example.com"}}]
    }))
    .unwrap_err();
    assert_eq!(problems.len(), 2, "a source with problems still exists: {problems:?}");
    let read: Vec<_> = { document.sources.iter() }
        .map(|(path, source)| (path.as_str(), source.verification.scheme.as_str()))
        .collect();
    assert_eq!(read, [("source[0]", ""), ("source[1]", "none")]);
    assert_eq!(document.subscriptions.len(), 1);
}

#[test]
fn refuses_urls_that_deliveries_could_not_use() {
    for (url, word) in [
        ("", "empty"),
        ("example.com/x", "absolute"),
        ("/x", "absolute"),
        ("ftp://example.com/", "absolute"),
        ("http:///x", "URL"),
        ("http://user:word@example.com/", "password"),
        ("http://example.com:99999/", "port"),
        ("http://example.com:/", "port"),
        ("http://example.com/#top", "fragment"),
        ("http://exa mple.com/", "URL"),
    ] {
        let value = subscription(json!({"url": url}), json!({}));
        let problems = read_subscription(&value, "").unwrap_err();
        assert_eq!(problems.len(), 1, "{url}: {problems:?}");
        assert_eq!(problems[0].path, "endpoint.url", "{url}");
        assert!(problems[0].message.contains(word), "{url}: {}", problems[0].message);
        assert!(!problems[0].message.contains("user:word"));
    }
    for url in ["http://127.0.0.1:9000/a?b=c", "https://example.com", "http://[::1]:80/"] {
        let value = subscription(json!({"url": url}), json!({}));
        assert!(read_subscription(&value, "").is_ok(), "{url}");
    }
}

#[test]
fn refuses_header_fields_that_are_not_the_users() {
    for (name, value) in [
        ("Connection", "close"),
        ("content-length", "3"),
        ("Host", "x"),
        ("webhook-id", "x"),
        ("bad name", "x"),
        ("x-y", "a\r\nb: c"),
        ("x-y", " padded"),
    ] {
        let endpoint = json!({"url": "https://example.com", "headers": {(name): value}});
        let problems = read_subscription(&subscription(endpoint, json!({})), "").unwrap_err();
        assert_eq!(problems.len(), 1, "{name}");
        assert!(problems[0].path.starts_with("endpoint.headers."), "{name}");
    }
    let twice = json!({"url": "https://example.com", "headers": {"X-Y": "1", "x-y": "2"}});
    assert!(read_subscription(&subscription(twice, json!({})), "").is_err());
}

#[test]
fn everything_in_a_subscription_is_bounded() {
    let long = "x".repeat(9000);
    let many = |count: usize| -> serde_json::Map<String, Value> {
        (0..count).map(|number| (format!("x-{number}"), json!("y"))).collect()
    };
    let fields = |bytes: usize| json!({"a": "x".repeat(bytes / 2), "b": "x".repeat(bytes / 2)});
    let names = |count: usize| -> Vec<String> { (0..count).map(|number| format!("s{number}")).collect() };
    let url = "https://example.com";
    for (endpoint, path) in [
        (json!({"url": format!("{url}/{long}")}), "endpoint.url"),
        (json!({"url": url, "headers": many(25_000)}), "endpoint.headers"),
        (json!({"url": url, "headers": many(65)}), "endpoint.headers"),
        (json!({"url": url, "headers": fields(17_000)}), "endpoint.headers"),
        (
            json!({"url": url, "secrets": vec!["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"; 11]}),
            "endpoint.secrets",
        ),
        (json!({"url": url, "allow_networks": vec!["10.0.0.0/8"; 101]}), "endpoint.allow_networks"),
    ] {
        let problems = read_subscription(&subscription(endpoint, json!({})), "").unwrap_err();
        let paths: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(paths, [path], "{problems:?}");
    }
    let mut value = subscription(json!({"url": url}), json!({"success": vec![200; 101]}));
    value["sources"] = json!(names(1001));
    let problems = read_subscription(&value, "").unwrap_err();
    let paths: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(paths, ["sources", "delivery.success"]);
    for endpoint in [json!({"url": url, "headers": many(64)}), json!({"url": url, "headers": fields(16_000)})]
    {
        assert!(read_subscription(&subscription(endpoint, json!({})), "").is_ok());
    }
}

#[test]
fn signing_secrets_are_checked_and_never_quoted() {
    let secret = "bm90LWEta2V5";
    for (secrets, word) in [
        (json!({"secret": secret}), "whsec_"),
        (json!({"secret": format!("whsec_{secret}")}), "9 bytes"),
        (json!({"secret": "whsec_***bm90LWEta2V5"}), "base64"),
        (json!({"secret": ""}), "empty"),
        (json!({"secrets": []}), "names no secret"),
        (json!({"secret": "a", "secrets": ["b"]}), "either"),
    ] {
        let mut endpoint = secrets.clone();
        endpoint["url"] = json!("https://example.com");
        let problems = read_subscription(&subscription(endpoint, json!({})), "").unwrap_err();
        assert_eq!(problems.len(), 1, "{secrets}: {problems:?}");
        assert!(problems[0].message.contains(word), "{secrets}: {}", problems[0].message);
        assert!(!format!("{problems:?}").contains(secret), "{problems:?}");
    }
}

#[test]
fn policies_keep_to_their_bounds() {
    for (delivery, path) in [
        (json!({"success": []}), "delivery.success"),
        (json!({"success": ["2xx"], "discard": [204]}), "delivery.discard"),
        (json!({"success": ["2xy"]}), "delivery.success[0]"),
        (json!({"success": [true]}), "delivery.success[0]"),
        (json!({"timeout": "11m"}), "delivery.timeout"),
        (json!({"timeout": "0s"}), "delivery.timeout"),
        (json!({"concurrency": 0}), "delivery.concurrency"),
        (json!({"concurrency": 1001}), "delivery.concurrency"),
        (json!({"disable_on": [204]}), "delivery.disable_on"),
        (json!({"throttle_on": ["2xx"]}), "delivery.throttle_on"),
        (json!({"retry": {"jitter": 1.5}}), "delivery.retry.jitter"),
        (json!({"retry": {"delays": ["5s", 5]}}), "delivery.retry.delays[1]"),
        (json!({"retry": {"delays": vec!["1s"; 101]}}), "delivery.retry.delays"),
    ] {
        let endpoint = json!({"url": "https://example.com"});
        let problems = read_subscription(&subscription(endpoint, delivery.clone()), "").unwrap_err();
        let paths: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(paths, [path], "{delivery}");
    }
}

#[test]
fn secrets_of_a_source_can_have_a_label_and_a_time() {
    let document = read_document(&json!({"source": [{
        "name": "a", "scheme": "github",
        "secrets": ["one", {"value": "two", "label": "new", "not_before": "2026-01-01T02:00:00+02:00"}]
    }]}))
    .unwrap();
    let secrets = &document.sources[0].1.verification.secrets;
    assert_eq!(secrets[1].label.as_deref(), Some("new"));
    assert_eq!(secrets[1].not_before.map(|time| time.0), Some(1_767_225_600_000));
    let problems = found(&json!({"source": [{
        "name": "a", "scheme": "github",
        "secrets": ["", {"label": "x"}, {"value": "v", "not_after": "tomorrow"}]
    }]}));
    assert_eq!(
        problems,
        [
            "source[0].secrets[0]: must not be empty",
            "source[0].secrets[1].value: missing key",
            "source[0].secrets[2].not_after: not an instant",
        ]
    );
}
