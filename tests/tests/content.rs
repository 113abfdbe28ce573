//! What the real binary sends.

#![allow(clippy::expect_used, reason = "a test fails by panicking, also in what its functions share")]

use anglerfish_tests::{Gateway, Received, Receiver, Reply, Setup, eventually, header, standard};
use serde_json::{Value, json};

const SOURCE: &str = "[[source]]\nname = \"s\"\nscheme = \"none\"\n";
const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn setup(receiver: &Receiver, endpoint: &str, delivery: &str) -> Setup {
    let url = receiver.url("/hook");
    let rest = format!(
        "{SOURCE}[[subscription]]\nid = \"a\"\n[subscription.endpoint]\nurl = \"{url}\"\nallow_private = true\n{endpoint}\n\
         [subscription.delivery]\n{delivery}\n"
    );
    Setup { rest, ..Setup::default() }
}

/// The signature with `KEY` that Standard Webhooks wants of what was sent.
fn signature(sent: &Received) -> String {
    signature_by(sent, KEY)
}

/// The same with another key.
fn signature_by(sent: &Received, key: &str) -> String {
    let id = sent.header("webhook-id").expect("an id");
    let time = sent.header("webhook-timestamp").and_then(|time| time.parse().ok()).expect("a time");
    header(&standard(key, id, time, &sent.body), "webhook-signature").expect("a signature").to_owned()
}

fn post(gateway: &Gateway, body: &[u8]) {
    let _ = gateway.post_json("s", body).expect(202);
}

#[test]
fn an_event_is_sent_in_the_form_that_is_asked_for_and_signed_as_it_is_sent() {
    let receiver = Receiver::with(|_, _| Reply::status(204));
    let body = br#"{"n": 1.50, "text": "\u00e9"}"#;
    for (place, (content, kind, has_attributes)) in [
        ("raw", "application/json", false),
        ("cloudevent-binary", "application/json", true),
        ("cloudevent", "application/cloudevents+json; charset=utf-8", false),
        ("envelope", "application/json", false),
    ]
    .into_iter()
    .enumerate()
    {
        let endpoint = format!("secret = \"{KEY}\"");
        let gateway = Gateway::set_up(&setup(&receiver, &endpoint, &format!("content = \"{content}\"")));
        post(&gateway, body);
        let sent = receiver.wait(place + 1).pop().expect("one more");
        assert_eq!(sent.header("content-type"), Some(kind), "{content}");
        assert_eq!(sent.header("ce-id").is_some(), has_attributes, "{content}");
        assert_eq!(sent.header("webhook-signature"), Some(&*signature(&sent)), "{content}");
        let text = String::from_utf8(sent.body.clone()).expect("text");
        assert!(text.contains(std::str::from_utf8(body).expect("text")), "{text}");
        if matches!(content, "cloudevent" | "envelope") {
            let document: Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!((&document["source"], &document["type"]), (&json!("s"), &json!("s")));
            assert_eq!(document["id"].as_str(), sent.header("webhook-id"));
            assert_eq!(document.get("specversion").is_some(), content == "cloudevent");
        }
    }
}

#[test]
fn requests_are_signed_as_another_provider_signs_them() {
    let receiver = Receiver::with(|_, _| Reply::status(204));
    let endpoint = "signature = \"github\"\nsecret = \"It's a Secret to Everybody\"";
    let gateway = Gateway::set_up(&setup(&receiver, endpoint, "content = \"raw\""));
    // The example of GitHub's documentation.
    post(&gateway, b"Hello, World!");
    let [sent] = &receiver.wait(1)[..] else { panic!("not one request") };
    assert_eq!(
        sent.header("x-hub-signature-256"),
        Some("sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17")
    );
    assert_eq!((sent.header("x-github-event"), sent.header("webhook-signature")), (Some("s"), None));
    for (endpoint, place) in [
        (json!({"signature": "paypal", "secret": "x"}), "endpoint.signature"),
        (json!({"signature": "gitbub", "secret": "x"}), "endpoint.signature"),
        (json!({"signature": "github"}), "endpoint.signature"),
        (json!({"secrets": [{"value": KEY, "not_after": "soon"}]}), "endpoint.secrets[0].not_after"),
    ] {
        let mut endpoint = endpoint;
        endpoint["url"] = json!("https://example.com/");
        let document = json!({"id": "b", "endpoint": endpoint});
        let refused = gateway.api("POST", "/v1/subscriptions", Some(&document)).expect(422).text();
        assert!(refused.contains(place), "{refused}");
    }
    let refused =
        json!({"id": "b", "mode": "passive", "tokens": ["0123456789abcdef"], "delivery": {"content": "raw"}});
    let refused = gateway.api("POST", "/v1/subscriptions", Some(&refused)).expect(422).text();
    assert!(refused.contains("there is no endpoint"), "{refused}");
}

#[test]
fn a_body_of_ones_own_and_values_in_the_url_are_made_of_each_event() {
    let receiver = Receiver::with(|_, _| Reply::status(204));
    let endpoint = format!("secret = \"{KEY}\"\nheaders = {{ x-tenant = \"{{{{ message.tenant }}}}\" }}");
    let delivery = "transform = '{\"id\": message.id, \"names\": message.items.map(i, i.name), \"by\": event.source}'\n\
        breaker = { failures = 1 }\nretry = { delays = [\"10ms\"] }";
    let mut setup = setup(&receiver, &endpoint, delivery);
    setup.rest = setup.rest.replace("/hook\"", "/o/{{ message.id }}?k={{ event.type }}\"");
    let gateway = Gateway::set_up(&setup);
    // What is absent is an error that is seen, and the endpoint hears nothing of it.
    post(&gateway, br#"{"id": "x", "items": []}"#);
    let dead = eventually("the delivery is dead", || {
        gateway.get("/v1/deliveries?status=dead")["items"].get(0).cloned()
    });
    let shown = gateway.get(&format!("/v1/deliveries/{}", dead["id"]));
    let reason = shown.to_string();
    assert!(reason.contains("`message.tenant`: there is no such field"), "{reason}");
    assert_eq!(receiver.requests().len(), 0);
    // That opened no breaker, though one failure would: the next one goes out.
    post(
        &gateway,
        br#"{"id": "../a b?", "tenant": "north", "items": [{"name": "one"}, {"name": "two"}], "n": 1}"#,
    );
    let sent = receiver.wait(1).remove(0);
    assert_eq!(sent.path, "/o/..%2Fa%20b%3F?k=s");
    assert_eq!(sent.header("x-tenant"), Some("north"));
    assert_eq!(sent.header("content-type"), Some("application/json"));
    assert_eq!(sent.body, br#"{"id":"../a b?","names":["one","two"],"by":"s"}"#);
    assert_eq!(sent.header("webhook-signature"), Some(&*signature(&sent)));
    // Once the subscription is right, a retry by hand sends what was dead.
    setup.rest = setup.rest.replace("{{ message.tenant }}", "{{ message.?tenant.orValue('none') }}");
    gateway.write(&setup);
    let _ = gateway.api("POST", "/v1/config/reload", None).expect(200);
    let _ = gateway.run(&["deliveries", "retry", &dead["id"].to_string()], b"").expect(0);
    let sent = receiver.wait(2).remove(1);
    assert_eq!((sent.header("x-tenant"), sent.path.as_str()), (Some("none"), "/o/x?k=s"));
}

#[test]
fn what_cannot_be_made_of_events_is_told_before_and_tried_without_one() {
    let receiver = Receiver::with(|_, _| Reply::status(204));
    let gateway = Gateway::set_up(&setup(&receiver, "", ""));
    for (endpoint, delivery, place) in [
        ("https://{{ message.host }}/x", json!({}), "endpoint.url"),
        ("https://example.com:{{ message.port }}/x", json!({}), "endpoint.url"),
        ("https://example.com/{{ massage.id }}", json!({}), "endpoint.url"),
        ("https://example.com/{{ message.id", json!({}), "endpoint.url"),
        ("https://example.com/", json!({"transform": "{'a': }"}), "delivery.transform"),
        ("https://example.com/", json!({"content": "binary"}), "delivery.content"),
    ] {
        let document = json!({"id": "b", "endpoint": {"url": endpoint}, "delivery": delivery});
        let refused = gateway.api("POST", "/v1/subscriptions", Some(&document)).expect(422).text();
        assert!(refused.contains(place), "{endpoint}: {refused}");
    }
    let trial = |transform: &str| {
        let document = json!({"transform": transform, "message": {"id": 7}});
        gateway.api("POST", "/v1/subscriptions/test", Some(&document)).expect(200).json()
    };
    assert_eq!(trial("{'n': message.id + 1}")["sent"], json!({"n": 8}));
    assert_eq!(trial("message.x")["transform_error"], "`message.x`: there is no such field");
    let unwanted = json!({"filter": "message.id == 8", "transform": "message", "message": {"id": 7}});
    let unwanted = gateway.api("POST", "/v1/subscriptions/test", Some(&unwanted)).expect(200).json();
    assert_eq!((&unwanted["outcome"], unwanted.get("sent")), (&json!("no-match"), None));
    let event = br#"{"message": {"id": 7}}"#;
    let run = |transform: &str| {
        gateway.run(&["filter", "test", "true", "--event", "-", "--transform", transform], event)
    };
    assert!(run("{'n': message.id}").expect(0).stdout.contains("sent: {\"n\":7}\n"));
    assert!(run("message.x").expect(1).stdout.contains("there is no such field"));

    // And what a text with values would be.
    let trial = |data: &str, kind: Option<&str>| {
        let body = json!({"message": {"id": 7, "name": "a&b"}, "data": data, "content_type": kind});
        gateway.api("POST", "/v1/subscriptions/test", Some(&body))
    };
    let form = Some("application/x-www-form-urlencoded");
    assert_eq!(trial("n={{ message.name }}", form).expect(200).json()["sent_text"], "n=a%26b");
    let told = trial("{\"x\": {{ message.x }}}", None).expect(200).json();
    assert_eq!(told["data_error"], "`message.x`: there is no such field");
    let told = trial("{\"x\": {{ message. }}}", None).expect(422).json();
    assert_eq!(told["problems"][0]["path"], "data");
    assert_eq!(trial("{", None).expect(422).json()["problems"][0]["path"], "data");
    let run = |data: &str| gateway.run(&["filter", "test", "true", "--event", "-", "--data", data], event);
    assert!(run("order {{ message.id }}").expect(0).stdout.contains("sent: order 7\n"));
    assert!(run("{").expect(2).stderr.contains("the data would not be JSON"));
}

#[test]
fn a_text_of_ones_own_is_sent_with_values_encoded_for_their_places() {
    let receiver = Receiver::with(|_, _| Reply::status(204));
    let body = br#"{"id": 7, "name": "A \"B\" & C", "tags": ["x"]}"#;
    for (place, (endpoint, content, kind, expected)) in [
        (
            r#"data = '{"text": "order {{ message.id }} of {{ message.name }}", "tags": {{ message.tags }}}'"#,
            "raw",
            "application/json",
            r#"{"text": "order 7 of A \"B\" & C", "tags": ["x"]}"#,
        ),
        (
            "data = 'id={{ message.id }}&name={{ message.name }}'\n\
             headers = { content-type = \"application/x-www-form-urlencoded\" }",
            "raw",
            "application/x-www-form-urlencoded",
            "id=7&name=A%20%22B%22%20%26%20C",
        ),
        ("data = 'order {{ message.id }}'", "cloudevent-binary", "text/plain; charset=utf-8", "order 7"),
    ]
    .into_iter()
    .enumerate()
    {
        let endpoint = format!("{endpoint}\nsecret = \"{KEY}\"");
        let gateway = Gateway::set_up(&setup(&receiver, &endpoint, &format!("content = \"{content}\"")));
        post(&gateway, body);
        let sent = receiver.wait(place + 1).pop().expect("one more");
        assert_eq!(String::from_utf8_lossy(&sent.body), expected);
        assert_eq!(sent.header("content-type"), Some(kind), "{expected}");
        assert_eq!(sent.header("webhook-signature"), Some(&*signature(&sent)), "{expected}");
        // An absent field is an error that is seen, and nothing is sent.
        post(&gateway, b"{}");
        let dead = eventually("the other one is dead", || {
            let dead = gateway.list("/v1/deliveries?status=dead", 9);
            dead.first().cloned()
        });
        let shown = gateway.get(&format!("/v1/deliveries/{}", dead["id"]));
        assert!(shown.to_string().contains("`message.id`: there is no such field"), "{shown}");
        assert_eq!(receiver.requests().len(), place + 1);
    }
}

/// Text as `Content-Encoding: deflate`: a block that is only stored (RFC 1950, RFC 1951).
fn deflated(text: &[u8]) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("a short text");
    let (low, high) = text.iter().fold((1_u32, 0_u32), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % 65_521;
        (low, (high + low) % 65_521)
    });
    let (before, after) = ([0x78, 0x01, 0x01], ((high << 16) | low).to_be_bytes());
    [&before[..], &length.to_le_bytes(), &(!length).to_le_bytes(), text, &after].concat()
}

#[test]
fn what_came_packed_goes_out_packed_and_within_a_document_unpacked() {
    let receiver = Receiver::with(|_, _| Reply::status(204));
    let packed = deflated(b"{\"n\": 1.50}");
    for (place, (content, coding)) in [
        ("raw", Some("deflate")),
        ("cloudevent-binary", Some("deflate")),
        ("cloudevent", None),
        ("envelope", None),
    ]
    .into_iter()
    .enumerate()
    {
        let gateway = Gateway::set_up(&setup(&receiver, "", &format!("content = \"{content}\"")));
        let headers = [("content-type", "application/json"), ("content-encoding", "deflate")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let _ = gateway.post("s", &headers, &packed).expect(202);
        let sent = receiver.wait(place + 1).pop().expect("one more");
        assert_eq!(sent.header("content-encoding"), coding, "{content}");
        match coding {
            Some(_) => assert_eq!(sent.body, packed, "{content}"),
            None => {
                let text = String::from_utf8(sent.body).expect("text");
                assert!(
                    text.contains("\"data\":{\"n\": 1.50}") && !text.contains("contentencoding"),
                    "{text}"
                );
            }
        }
    }
    let gateway = Gateway::set_up(&setup(&receiver, "", "transform = '{\"m\": message.n}'"));
    let headers = [("content-encoding".to_owned(), "deflate".to_owned())];
    let _ = gateway.post("s", &headers, &packed).expect(202);
    let sent = receiver.wait(5).pop().expect("one more");
    assert_eq!((&*sent.body, sent.header("content-encoding")), (&b"{\"m\":1.5}"[..], None));
}

#[test]
fn a_key_is_rotated_by_a_request_and_the_old_one_signs_along() {
    let receiver = Receiver::with(|_, _| Reply::status(204));
    let gateway = Gateway::start(SOURCE);
    let old = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
    let document = json!({"id": "a", "endpoint": {
        "url": receiver.url("/"), "allow_networks": ["127.0.0.0/8"], "secret": old}});
    let _ = gateway.api("POST", "/v1/subscriptions", Some(&document)).expect(201);
    let rotate = |body: Value| gateway.api("POST", "/v1/subscriptions/a/rotate-secret", Some(&body));
    let _ = rotate(json!({"secret": "no key"})).expect(422);
    let _ = rotate(json!({"secret": KEY, "overlap": "soon"})).expect(422);
    let shown = rotate(json!({"secret": KEY, "overlap": "1h"})).expect(200).text();
    assert!(!shown.contains(KEY) && !shown.contains(old), "{shown}");
    post(&gateway, b"{}");
    let sent = receiver.wait(1).remove(0);
    let signatures: Vec<&str> = sent.header("webhook-signature").expect("signed").split(' ').collect();
    assert!(signatures.len() == 2 && signatures.contains(&&*signature(&sent)), "{signatures:?}");
    let _ = rotate(json!({"secret": KEY, "overlap": "0s"})).expect(200);
    post(&gateway, b"{}");
    let sent = receiver.wait(2).remove(1);
    assert_eq!(sent.header("webhook-signature"), Some(&*signature(&sent)));

    // By the command line: with a key from stdin, and with one that is made and shown this once.
    let rotate = |arguments: &[&str], input: &str| {
        let arguments: Vec<_> =
            ["subscriptions", "rotate-secret", "a"].iter().chain(arguments).copied().collect();
        gateway.run(&arguments, input.as_bytes())
    };
    let told = rotate(&["--secret", "-", "--overlap", "0s"], &format!("{old}\n")).expect(0).stdout;
    assert_eq!(told, "subscription a has the new key\n");
    let made = rotate(&["--overlap", "0s"], "").expect(0).stdout;
    assert!(made.starts_with("whsec_") && made.trim().len() == 50, "{made}");
    let _ = rotate(&["--secret", KEY, "--overlap", "never"], "").expect(2);
    post(&gateway, b"{}");
    let sent = receiver.wait(3).remove(2);
    assert_eq!(sent.header("webhook-signature"), Some(&*signature_by(&sent, made.trim())));
}
