//! `anglerfish send`.

use super::{GITHUB, SHOP, SOURCES, run};
use anglerfish_tests::{Gateway, Receiver, Reply, Setup, verify_standard};
use serde_json::json;
use std::path::PathBuf;

const BODY: &str = r#"{"type":"order.created","id":"in the body","quantity":3}"#;

fn gateway() -> (Gateway, PathBuf) {
    let stripe = "[[source]]\nname = \"pay\"\nscheme = \"stripe\"\nsecrets = [\"whsec_of-stripe\"]\n";
    let gateway = Gateway::start(&format!("{SOURCES}{stripe}"));
    let file = gateway.directory().join("body.json");
    std::fs::write(&file, BODY).unwrap();
    (gateway, file)
}

#[test]
fn what_is_sent_as_each_provider_does_is_accepted_by_its_source() {
    let (gateway, file) = gateway();
    let file = file.to_str().unwrap();
    // What Slack gets in an answer it shows to people or reads as a message.
    for (scheme, secret, source, event, answer) in [
        ("standard-webhooks", SHOP, "shop", None, "202 Accepted\n{"),
        ("github", GITHUB, "hub", Some("push"), "202 Accepted\n{"),
        ("slack", "8f742231b10e8888abcd99yyyzzz85a5", "team", None, "200 OK\n"),
        ("stripe", "whsec_of-stripe", "pay", None, "20"),
    ] {
        let url = format!("http://{}/in/{source}", gateway.ingress());
        let mut arguments = vec!["send", "--scheme", scheme, "--secret", secret, "--url", &url, file];
        arguments.extend(event.into_iter().flat_map(|event| ["--event", event]));
        let sent = run(&arguments).expect(0);
        assert!(sent.stdout.starts_with(answer), "{scheme}: {}", sent.stdout);
        assert_eq!(sent.stderr, "");
    }
    let types: Vec<_> = gateway.list("/v1/events", 10).iter().map(|event| event["type"].clone()).collect();
    assert_eq!(types.len(), 4);
    assert!(types.contains(&json!("push")), "{types:?}");
}

#[test]
fn a_refusal_is_shown_and_is_exit_code_1() {
    let (gateway, file) = gateway();
    let url = format!("http://{}/in/hub", gateway.ingress());
    let arguments =
        ["send", "--scheme", "github", "--secret", "another", "--url", &url, file.to_str().unwrap()];
    let sent = run(&arguments).expect(1);
    assert!(sent.stdout.starts_with("401 Unauthorized\n"), "{}", sent.stdout);
    let sent = run(&[&arguments[..], &["--format", "json"]].concat()).expect(1).json();
    assert_eq!((&sent["status"], &sent["body"]["code"]), (&json!(401), &json!("verification-failed")));
}

#[test]
fn the_id_of_an_event_can_be_chosen_and_a_second_one_is_a_duplicate() {
    let (gateway, _) = gateway();
    let url = format!("http://{}/in/shop", gateway.ingress());
    let arguments =
        ["send", "--scheme", "standard-webhooks", "--secret", SHOP, "--id", "msg_7", "--url", &url, "-"];
    let send =
        || gateway.run(&[&arguments[..], &["--format", "json"]].concat(), BODY.as_bytes()).expect(0).json();
    assert_eq!(
        send(),
        json!({"status": 202, "body": {"id": "msg_7", "status": "accepted", "deliveries": 0}})
    );
    assert_eq!(
        send(),
        json!({"status": 200, "body": {"id": "msg_7", "status": "duplicate", "deliveries": 0}})
    );
}

#[test]
fn a_body_is_sent_byte_for_byte_with_the_fields_that_were_asked_for() {
    let receiver = Receiver::start();
    let setup = Setup { environment: vec![("SECRET".into(), SHOP.into())], ..Setup::default() };
    let project = Gateway::prepare(&setup);
    let bytes: Vec<u8> = (0..=255).collect();
    let arguments = [
        "send",
        "--scheme",
        "standard-webhooks",
        "--secret",
        "env:SECRET",
        "--header",
        "x-team: wholesale",
        "--header",
        "Content-Type: application/octet-stream",
        "--method",
        "PUT",
        "--url",
        &receiver.url("/a/b?c=d"),
        "-",
    ];
    let _ = project.run(&arguments, &bytes).expect(0);
    let received = receiver.wait(1).remove(0);
    assert_eq!((received.method.as_str(), received.path.as_str()), ("PUT", "/a/b?c=d"));
    assert_eq!(received.header("x-team"), Some("wholesale"));
    assert_eq!(received.header("content-type"), Some("application/octet-stream"));
    assert_eq!(received.body, bytes);
    assert!(verify_standard(SHOP, &received.headers, &received.body), "{received:?}");
}

#[test]
fn what_an_answer_holds_does_not_steer_the_terminal() {
    let receiver = Receiver::with(|_, _| Reply::status(200).body(b"\x1b]0;owned\x07\x1b[2Jfine\n"));
    let project = Gateway::prepare(&Setup::default());
    let arguments = ["send", "--scheme", "github", "--secret", "s", "--url", &receiver.url("/"), "-"];
    let sent = project.run(&arguments, b"{}").expect(0);
    assert!(!sent.stdout.contains('\x1b') && sent.stdout.contains("fine"), "{:?}", sent.stdout);
}

#[test]
fn what_cannot_be_sent_is_told_apart_from_what_makes_no_sense() {
    let project = Gateway::prepare(&Setup::default());
    std::fs::write(project.directory().join("body.json"), "{}").unwrap();
    let url = ["--url", "http://127.0.0.1:9/"];
    for (arguments, code, words) in [
        (
            &["--scheme", "github", "--secret", "s", "--url", "http://127.0.0.1:1/", "body.json"][..],
            1,
            "127.0.0.1:1",
        ),
        (&["--scheme", "github", "--secret", "s", "--url", "ftp://h/", "body.json"], 2, "http"),
        (&["--scheme", "github", "--secret", "s", "--url", "nowhere", "body.json"], 2, "--url"),
        (&["--scheme", "github", url[0], url[1], "body.json"], 2, "secret"),
        (
            &["--scheme", "githbu", "--secret", "s", url[0], url[1], "body.json"],
            2,
            "did you mean \"github\"?",
        ),
        (
            &["--scheme", "github", "--secret", "env:NO_SUCH_VARIABLE", url[0], url[1], "body.json"],
            2,
            "--secret",
        ),
        (&["--scheme", "github", "--secret", "file:none", url[0], url[1], "body.json"], 2, "none"),
        (&["--scheme", "github", "--secret", "s", url[0], url[1], "none.json"], 2, "none.json"),
        (
            &["--scheme", "github", "--secret", "s", "--header", "x", url[0], url[1], "body.json"],
            2,
            "NAME:VALUE",
        ),
        (&["--scheme", "standard-webhooks", "--secret", "hunter2", url[0], url[1], "body.json"], 2, "whsec_"),
    ] {
        let sent = project.run(&[&["send"], arguments].concat(), b"").expect(code);
        assert!(
            sent.stderr.starts_with("error: ") && sent.stderr.contains(words),
            "{words}: {}",
            sent.stderr
        );
        assert_eq!(sent.stdout, "");
        assert!(!sent.stderr.contains("hunter2"), "{}", sent.stderr);
    }
}
