//! Forms, packed bodies, GET deliveries, handshakes and URLs: what filters see and what an explanation says.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails loudly"
)]

mod router_support;

use anglerfish_core::attempt::{Outgoing, Sending};
use anglerfish_core::config::{ContentMode, EndpointTemplates, ForwardHeaders, SignatureStyle};
use anglerfish_core::decision::Decision;
use anglerfish_core::event::Event;
use anglerfish_core::request::{Header, Request, UnixMillis};
use anglerfish_core::router::{Explanation, Router, VerdictOutcome, VerificationOutcome, VerificationReport};
use anglerfish_core::sign::Signer;
use router_support::Memory;
use serde_json::{Value, json};

const NOW: UnixMillis = UnixMillis(1_764_260_000_000);
const FORM: &str = "application/x-www-form-urlencoded";

fn router(verification: &Value, filters: &[&str]) -> Router {
    let subscription: Vec<Value> =
        filters.iter().map(|filter| json!({"id": filter, "filter": filter})).collect();
    let document =
        json!({"source": [{"name": "x", "verification": verification}], "subscription": subscription});
    Router::load(document.to_string().as_bytes()).unwrap()
}

fn request<'a>(method: &'a str, url: &'a str, headers: &[(&'a str, &'a str)], body: &'a [u8]) -> Request<'a> {
    let headers = headers.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect();
    Request {
        id: "r-1",
        source: "x",
        method,
        url,
        headers,
        body,
        received: NOW,
        added_prefix: "",
        fetched: Vec::new(),
    }
}

/// The event, and the filters that match, by the decision; the explanations before and after it must say the same.
fn matched(router: &mut Router, request: &Request<'_>) -> (Event, Vec<String>) {
    let said = |explanation: &[anglerfish_core::router::Verdict]| {
        let matching = explanation.iter().filter(|verdict| verdict.outcome == VerdictOutcome::Match);
        matching.map(|verdict| verdict.subscription.clone()).collect::<Vec<_>>()
    };
    let before = said(&router.explain(request, &mut Memory::default()).subscriptions);
    let decision = router.decide(request, &mut Memory::default());
    let Decision::Accept(acceptance) = decision else { panic!("{decision:?}") };
    let mut matching: Vec<String> =
        acceptance.events[0].intents.clone().into_iter().map(|intent| intent.subscription).collect();
    matching.sort();
    let data = anglerfish_core::request::event_data(request.method, request.url, request.body);
    let after = router.explain_event(&acceptance.events[0].event, &request.headers, data, NOW, None);
    assert_eq!(before, matching);
    assert_eq!(said(&after), matching);
    (acceptance.events[0].event.clone(), matching)
}

fn explained(verification: &Value, request: &Request<'_>) -> Explanation {
    router(verification, &[]).explain(request, &mut Memory::default())
}

fn hmac_sha256_hex(key: &str, message: &[u8]) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(message);
    hex::encode(mac.finalize().into_bytes())
}

#[test]
fn a_form_is_an_object_of_its_fields_and_json_in_payload_is_json() {
    let filters = ["message.payload.ref == 'x'", "message.text == '[1]'", "message.ref == 'x'"];
    let github = json!({"scheme": "github", "secrets": [{"value": "s"}]});
    let mut router = router(&github, &filters);
    let body = b"payload=%7B%22ref%22%3A%22x%22%2C%22repository%22%3A%7B%22full_name%22%3A%22a%2Fb%22%7D%7D&text=%5B1%5D";
    let signature = format!("sha256={}", hmac_sha256_hex("s", body));
    let headers = [
        ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
        ("x-github-delivery", "d-1"),
        ("x-github-event", "push"),
        ("x-hub-signature-256", signature.as_str()),
    ];
    let request = request("POST", "http://h/in/x", &headers, body);
    let (event, matching) = matched(&mut router, &request);
    assert_eq!(matching, filters[..2]);
    assert_eq!(event.subject.as_deref(), Some("a/b"));
    let steps = explained(&github, &request).verification.steps;
    assert!(
        steps.iter().any(|step| step.contains("a form") && step.contains("message.payload.…")),
        "{steps:?}"
    );
}

#[test]
fn a_multipart_form_is_read_as_any_other_and_verified_where_a_provider_sends_one() {
    let token = "t".repeat(50);
    let signature = hmac_sha256_hex("s", format!("1764260000{token}").as_bytes());
    let mut body = String::new();
    for (name, value) in [
        ("recipient", "a@b"),
        ("timestamp", "1764260000"),
        ("token", token.as_str()),
        ("signature", signature.as_str()),
    ] {
        body.push_str(&format!("--xx\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"));
    }
    body.push_str("--xx\r\nContent-Disposition: form-data; name=\"attachment-1\"; filename=\"a.txt\"\r\n\r\nabc\r\n--xx--\r\n");
    let mailgun = json!({"scheme": "mailgun", "secrets": [{"value": "s"}]});
    let filters = ["message.recipient == 'a@b'", "message[\"attachment-1\"].size == 3"];
    let headers = [("content-type", "multipart/form-data; boundary=xx")];
    let request = request("POST", "http://h/in/x", &headers, body.as_bytes());
    let (event, mut matching) = matched(&mut router(&mailgun, &filters), &request);
    matching.sort_by_key(|matching| filters.iter().position(|filter| filter == matching));
    assert_eq!(matching, filters);
    assert_eq!(event.subject.as_deref(), Some("a@b"));
    let forged = body.replace(&signature, &"0".repeat(64));
    let request = Request { body: forged.as_bytes(), ..request };
    assert!(matches!(router(&mailgun, &[]).decide(&request, &mut Memory::default()), Decision::Reject(_)));
}

#[test]
fn a_packed_body_is_unpacked_for_filters_and_signed_as_it_came_unless_the_definition_says_otherwise() {
    let plain = br#"{"a":1}"#;
    let packed = gzip(plain);
    for (unpack, signed) in [(false, packed.as_slice()), (true, plain.as_slice())] {
        let definition = json!({"scheme": "custom", "secrets": [{"value": "s"}], "definition": {
            "unpack": unpack,
            "variant": [{"name": "v", "algorithm": "hmac-sha256", "encoding": "hex",
                "signature": {"at": ["header:x-s"]}, "signed": "{body}"}],
            "event": {"type": ["{json:/a}"]},
        }});
        let signature = hmac_sha256_hex("s", signed);
        let headers = [("content-encoding", "gzip"), ("x-s", signature.as_str())];
        let request = request("POST", "http://h/in/x", &headers, &packed);
        let (event, matching) = matched(&mut router(&definition, &["message.a == 1"]), &request);
        assert_eq!((event.kind.as_str(), matching.len()), ("1", 1));
        let outgoing = Outgoing {
            uri: http::Uri::from_static("https://example.com/"),
            method: http::Method::POST,
            headers: http::HeaderMap::new(),
            content: ContentMode::default(),
            forward: ForwardHeaders::default(),
            signer: Signer::try_new(&SignatureStyle::default(), &[]).unwrap(),
            templates: EndpointTemplates::default(),
            made: None,
        };
        let sending =
            Sending { event: &event, data: &packed, received: &[], own: &[], rendered: None, now: NOW };
        let sent = outgoing.request(&sending).unwrap();
        assert_eq!(sent.headers()["content-encoding"], "gzip", "the subscriber is told how to read it");
        // The signature covers all of it in either case.
        let mut changed = packed.clone();
        changed[4] ^= 1;
        let request = Request { body: &changed, ..request };
        let refused =
            matches!(router(&definition, &[]).decide(&request, &mut Memory::default()), Decision::Reject(_));
        assert_eq!(refused, !unpack, "the time in the header of gzip is not part of what is packed");
    }
}

#[test]
fn what_cannot_be_unpacked_has_no_message_and_the_explanation_says_why() {
    let none = json!({"scheme": "none"});
    let headers = [("content-encoding", "gzip"), ("content-type", "application/json")];
    let request = request("POST", "http://h/in/x", &headers, b"{\"a\":1}");
    let (_, matching) = matched(&mut router(&none, &["message.a == 1", "event.type == 'x'"]), &request);
    assert_eq!(matching, ["event.type == 'x'"]);
    let steps = explained(&none, &request).verification.steps;
    assert!(steps.iter().any(|step| step.contains("cannot be unpacked")), "{steps:?}");
}

#[test]
fn a_get_is_an_event_only_where_it_can_be_one_and_its_query_is_a_form_then() {
    let none = |methods: &[&str]| json!({"scheme": "none", "methods": methods});
    let request = request("GET", "http://h/in/x?a=1&b=x+y", &[], b"");
    let Decision::Reject(rejection) = router(&none(&["POST"]), &[]).decide(&request, &mut Memory::default())
    else {
        panic!("a GET is no event by itself");
    };
    assert_eq!(rejection.status, 405);
    let (event, matching) =
        matched(&mut router(&none(&["POST", "GET"]), &["message.a == '1' && message.b == 'x y'"]), &request);
    assert_eq!((event.datacontenttype.as_deref(), matching.len()), (Some(FORM), 1));
}

#[test]
fn gitea_signs_the_json_in_a_form_and_in_the_query_of_a_get() {
    let gitea = json!({"scheme": "gitea", "secrets": [{"value": "s"}]});
    let payload = br#"{"ref":"x","repository":{"full_name":"a/b"}}"#;
    let form = "payload=%7B%22ref%22%3A%22x%22%2C%22repository%22%3A%7B%22full_name%22%3A%22a%2Fb%22%7D%7D";
    let signature = hmac_sha256_hex("s", payload);
    let url = format!("http://h/in/x?{form}");
    let signed =
        [("x-gitea-signature", signature.as_str()), ("x-gitea-delivery", "d"), ("content-type", FORM)];
    for request in
        [request("POST", "http://h/in/x", &signed, form.as_bytes()), request("GET", &url, &signed[..2], b"")]
    {
        let (event, matching) = matched(&mut router(&gitea, &["message.payload.ref == 'x'"]), &request);
        assert_eq!((event.id.as_str(), event.subject.as_deref(), matching.len()), ("d", Some("a/b"), 1));
    }
    let other = url.replace("%22x%22", "%22y%22");
    let forged = request("GET", &other, &signed[..2], b"");
    assert!(matches!(router(&gitea, &[]).decide(&forged, &mut Memory::default()), Decision::Reject(_)));
}

#[test]
fn a_handshake_that_fails_says_that_it_was_one_and_one_that_does_not_what_is_answered() {
    let url = "http://h/in/x?hub.mode=subscribe&hub.challenge=42&hub.verify_token=t";
    let get = request("GET", url, &[], b"");
    let meta =
        |parameters: Value| json!({"scheme": "meta", "secrets": [{"value": "s"}], "parameters": parameters});
    for (config, outcome, says) in [
        (
            meta(json!({})),
            VerificationOutcome::Rejected,
            "a handshake, but parameter `verify_token` of the source is not set",
        ),
        (
            meta(json!({"verify_token": "u"})),
            VerificationOutcome::Rejected,
            "`hub.verify_token` is not the parameter `verify_token`",
        ),
        (
            meta(json!({"verify_token": "t"})),
            VerificationOutcome::Answered,
            "answered 200 with text/plain; charset=utf-8 `42`",
        ),
    ] {
        let verification = explained(&config, &get).verification;
        assert_eq!(verification.outcome, outcome);
        assert!(verification.reason.contains(says), "{}", verification.reason);
    }
    let slack = json!({"scheme": "slack", "secrets": [{"value": "s"}]});
    let body = br#"{"type":"url_verification","challenge":"c"}"#;
    let verification = explained(&slack, &request("POST", "http://h/in/x", &[], body)).verification;
    assert!(
        verification.reason.contains("is a handshake") && verification.reason.contains("missing header"),
        "{}",
        verification.reason
    );
}

#[test]
fn a_handshake_without_what_it_asks_to_be_sent_back_is_refused_as_one() {
    let slack = json!({"scheme": "slack", "secrets": [{"value": "s"}]});
    let seconds = NOW.seconds().to_string();
    for (challenge, answered) in [
        (r#","challenge":"c""#, true),
        ("", false),
        (r#","challenge":"""#, false),
        (r#","challenge":null"#, false),
        (r#","challenge":{}"#, false),
        (r#","challenge":"a","challenge":"b""#, false),
    ] {
        let body = format!(r#"{{"type":"url_verification"{challenge}}}"#);
        let signature = format!("v0={}", hmac_sha256_hex("s", format!("v0:{seconds}:{body}").as_bytes()));
        let headers = [("x-slack-request-timestamp", &*seconds), ("x-slack-signature", &*signature)];
        let request = request("POST", "http://h/in/x", &headers, body.as_bytes());
        let VerificationReport { outcome, reason, .. } = explained(&slack, &request).verification;
        let expected = if answered { VerificationOutcome::Answered } else { VerificationOutcome::Rejected };
        assert_eq!(outcome, expected, "{challenge}: {reason}");
        assert!(reason.starts_with("the request is a handshake"), "{reason}");
        assert!(answered || reason.contains("`/challenge` in the JSON body"), "{reason}");
    }
}

#[test]
fn what_is_answered_to_a_handshake_is_told_whole_with_what_must_be_copied() {
    let asana = json!({"scheme": "asana", "secrets": [{"value": "pending"}]});
    let hook = request("POST", "http://h/in/x", &[("x-hook-secret", "b537207f20cb")], b"{}");
    let told = explained(&asana, &hook).verification;
    assert_eq!(
        told.reason,
        "the request is a handshake and is answered 200 without a body and the header field `x-hook-secret: b537207f20cb`"
    );
    assert!(
        told.steps.iter().any(|step| step.starts_with("to copy: x-hook-secret = b537207f20cb, ")),
        "{:?}",
        told.steps
    );
    let notion = json!({"scheme": "notion", "secrets": [{"value": "pending"}]});
    let told =
        explained(&notion, &request("POST", "http://h/in/x", &[], br#"{"verification_token":"secret_abc"}"#));
    let steps = told.verification.steps;
    assert!(
        steps.iter().any(|step| step.starts_with("to copy: verification_token = secret_abc, ")),
        "{steps:?}"
    );
}

#[test]
fn parameters_of_a_query_are_told_as_filters_read_them_and_not_of_a_handshake() {
    let open = json!({"scheme": "none", "methods": ["GET"]});
    let get = request("GET", "http://h/in/x?a.b=1&c=2", &[], b"");
    let steps = explained(&open, &get).verification.steps;
    let told = "query: its parameters are `message[\"a.b\"]`, `message.c`";
    assert!(steps.iter().any(|step| step == told), "{steps:?}");
    let meta = json!({"scheme": "meta", "secrets": [{"value": "s"}], "parameters": {"verify_token": "t"}});
    let url = "http://h/in/x?hub.mode=subscribe&hub.challenge=42&hub.verify_token=t";
    let steps = explained(&meta, &request("GET", url, &[], b"")).verification.steps;
    assert!(steps.iter().all(|step| !step.contains("hub.mode")), "{steps:?}");
}

#[test]
fn what_must_be_copied_from_a_handshake_is_kept_once() {
    let notion = json!({"scheme": "notion", "secrets": [{"value": "pending"}]});
    let mut router = router(&notion, &[]);
    let mut memory = Memory::default();
    let body = br#"{"verification_token":"secret_abc"}"#;
    let first = request("POST", "http://h/in/x", &[], body);
    assert!(matches!(router.decide(&first, &mut memory), Decision::Answer(_)));
    let later = Request { received: UnixMillis(NOW.0 + 1000), ..first };
    assert!(matches!(router.decide(&later, &mut memory), Decision::Answer(_)));
    let kept: Vec<(String, String)> =
        memory.0.into_iter().map(|(key, value)| (key, String::from_utf8(value).unwrap())).collect();
    assert_eq!(kept, [("copy/x/verification_token".to_owned(), format!("{} secret_abc", NOW.0))]);
}

#[test]
fn a_signature_that_does_not_match_names_the_url_that_was_checked_and_what_would_help() {
    let square = |more: Value| {
        let mut config = json!({"scheme": "square", "secrets": [{"value": "s"}]});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        config
    };
    let signature = ("x-square-hmacsha256-signature", "AAAA");
    let forwarded = [signature, ("x-forwarded-proto", "https"), ("x-forwarded-host", "shop.example")];
    for (config, url, headers, says) in [
        (
            square(json!({})),
            "http://h/in/x?token=geheim&a=1",
            &[signature][..],
            "checked is http://h/in/x?token=…&a=1 (as the request came in)",
        ),
        (
            square(json!({})),
            "http://h/in/x",
            &forwarded[..],
            "say https://shop.example, which counts only of a proxy in `server.trusted_proxies`",
        ),
        (square(json!({})), "https://shop.example/in/x", &forwarded[..], "the proxy's X-Forwarded-* fields"),
        (
            square(json!({"public_url": "https://p.example/y?own=geheim"})),
            "http://h/in/x?b=2",
            &forwarded[..],
            "checked is https://p.example/y?own=…&b=2 (scheme, host and path of `public_url`, its query and then the request's)",
        ),
    ] {
        let request = request("POST", url, headers, b"{}");
        let explanation = explained(&config, &request);
        let Decision::Reject(rejection) = router(&config, &[]).decide(&request, &mut Memory::default())
        else {
            panic!("{url} is refused");
        };
        assert!(rejection.reason.contains(says), "{}", rejection.reason);
        assert!(!rejection.reason.contains("geheim"), "{}", rejection.reason);
        assert_eq!(explanation.verification.reason, rejection.reason);
    }
}

#[test]
fn a_prefix_that_a_proxy_took_away_is_told_with_where_it_is_from() {
    let square = json!({"scheme": "square", "secrets": [{"value": "s"}]});
    let signature = ("x-square-hmacsha256-signature", "AAAA");
    for (prefix, field, says) in [
        ("", None, "(as the request came in); if a proxy"),
        (
            "/hooks",
            None,
            "(as the request came in, and `/hooks` of `server.path_prefix` put in front of the path); if",
        ),
        (
            "/hooks",
            Some("/hooks/"),
            "(as the request came in, and `/hooks` of the proxy's X-Forwarded-Prefix put in front of the path); if",
        ),
    ] {
        let mut headers = vec![signature];
        headers.extend(field.map(|field| ("x-forwarded-prefix", field)));
        let request =
            Request { added_prefix: prefix, ..request("POST", "http://h/hooks/in/x", &headers, b"{}") };
        let told = explained(&square, &request).verification.reason;
        assert!(told.contains(&format!("checked is http://h/hooks/in/x {says}")), "{told}");
    }
}

#[test]
fn a_url_with_escapes_is_told_as_it_was_sent_and_that_it_is_not_changed() {
    let square = json!({"scheme": "square", "secrets": [{"value": "s"}]});
    let signature = ("x-square-hmacsha256-signature", "AAAA");
    let told =
        explained(&square, &request("POST", "http://h/in/x?a=%20b", &[signature], b"{}")).verification.reason;
    assert!(
        told.contains("http://h/in/x?a=%20b ")
            && told.contains("percent-encoding is compared as it was sent"),
        "{told}"
    );
}

#[test]
fn a_name_with_escapes_names_no_source_and_the_reason_says_so() {
    let mut router = router(&json!({"scheme": "none"}), &[]);
    let sent = Request { source: "%78", ..request("POST", "http://h/in/%78", &[], b"{}") };
    let Decision::Reject(rejection) = router.decide(&sent, &mut Memory::default()) else { panic!() };
    assert!(rejection.reason.contains("percent-encoding in it is not undone"), "{}", rejection.reason);
    let sent = Request { source: "y", ..sent };
    let Decision::Reject(rejection) = router.decide(&sent, &mut Memory::default()) else { panic!() };
    assert_eq!(rejection.reason, "there is no such source");
}

/// A member with one stored block.
fn gzip(text: &[u8]) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap();
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    packed.extend(length.to_le_bytes());
    packed.extend((!length).to_le_bytes());
    packed.extend(text);
    packed.extend(crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(text).to_le_bytes());
    packed.extend(u32::from(length).to_le_bytes());
    packed
}
