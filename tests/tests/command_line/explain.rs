//! `anglerfish explain`.

use super::{GITHUB, SHOP, SOURCES};
use anglerfish_tests::{Gateway, Headers, Ran, Setup, github, slack, standard};
use serde_json::{Value, json};

const NOW: u64 = 1_700_000_000;

const SUBSCRIPTIONS: &str = r#"
[[subscription]]
id = "large"
sources = ["shop"]
filter = "message.quantity >= 100"
endpoint = { url = "https://example.com/" }
[[subscription]]
id = "small"
filter = "message.quantity < 100"
endpoint = { url = "https://example.com/" }
[[subscription]]
id = "vip"
filter = "message.customer.vip"
endpoint = { url = "https://example.com/" }
"#;

fn project() -> Gateway {
    Gateway::prepare(&Setup { rest: format!("{SOURCES}{SUBSCRIPTIONS}"), ..Setup::default() })
}

fn request(headers: &Headers, body: &str) -> Value {
    let headers: serde_json::Map<String, Value> =
        headers.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
    json!({"method": "POST", "url": "https://example.com/in/shop", "headers": headers, "body": body})
}

fn explain(project: &Gateway, request: &Value, arguments: &[&str]) -> Ran {
    std::fs::write(project.directory().join("request.json"), request.to_string()).unwrap();
    project.run(&[&["explain", "--request", "request.json"], arguments].concat(), b"")
}

const BODY: &str = r#"{"type":"order.created","quantity":3}"#;

#[test]
fn a_request_that_verifies_is_explained_in_the_form_that_programs_rely_on() {
    let project = project();
    let request = request(&standard(SHOP, "msg_1", NOW, BODY.as_bytes()), BODY);
    let arguments = ["--source", "shop", "--now", &NOW.to_string(), "--format", "json"];
    let told = explain(&project, &request, &arguments).expect(0);
    assert_eq!(told.stderr, "");
    let explanation = told.json();
    let members = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(members(&explanation), ["event", "subscriptions", "verification"]);
    assert_eq!(explanation["verification"]["outcome"], "verified");
    assert_eq!(explanation["verification"]["scheme"], "standard-webhooks");
    assert!(explanation["verification"]["reason"].is_string());
    assert_eq!(
        explanation["event"],
        json!({
            "id": "msg_1", "source": "shop", "type": "order.created", "subject": null,
            "time": "2023-11-14T22:13:20Z", "datacontenttype": "application/json"
        })
    );
    let verdicts = explanation["subscriptions"].as_array().unwrap();
    let outcomes: Vec<_> = verdicts.iter().map(|one| (&one["id"], &one["outcome"])).collect();
    assert_eq!(
        outcomes,
        [
            (&json!("large"), &json!("no-match")),
            (&json!("small"), &json!("match")),
            (&json!("vip"), &json!("error"))
        ]
    );
    for verdict in verdicts {
        assert_eq!(members(verdict), ["id", "outcome", "reason"]);
        assert!(verdict["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{verdict}");
    }
    assert!(verdicts[2]["reason"].as_str().unwrap().contains("customer"), "{}", verdicts[2]);
}

#[test]
fn people_read_the_same_as_text() {
    let project = project();
    let request = request(&standard(SHOP, "msg_1", NOW, BODY.as_bytes()), BODY);
    let arguments = ["--source", "shop", "--now", &NOW.to_string(), "--format", "text"];
    let told = explain(&project, &request, &arguments).expect(0);
    for line in [
        "verified (standard-webhooks)",
        "event msg_1 of type order.created from source shop",
        "small: match",
        "vip: error",
    ] {
        assert!(
            told.stdout.lines().any(|one| one.trim_start().starts_with(line)),
            "{line}:\n{}",
            told.stdout
        );
    }
}

#[test]
fn a_request_that_does_not_verify_is_rejected_with_exit_code_1() {
    let project = project();
    let right = request(&standard(SHOP, "msg_1", NOW, BODY.as_bytes()), BODY);
    let source = ["--source", "shop", "--format", "json", "--now"];
    let rejected = |request: &Value, now: &str| {
        let told = explain(&project, request, &[&source[..], &[now]].concat()).expect(1);
        let explanation = told.json();
        assert_eq!(explanation["verification"]["outcome"], "rejected", "{explanation}");
        assert_eq!((&explanation["event"], &explanation["subscriptions"]), (&Value::Null, &json!([])));
        assert_eq!(told.stderr, "");
        explanation["verification"]["reason"].as_str().unwrap().to_owned()
    };
    let now = NOW.to_string();
    let mut other = right.clone();
    other["body"] = "{}".into();
    let reason = rejected(&other, &now);
    let signature = right["headers"]["webhook-signature"].as_str().unwrap();
    assert!(!reason.contains(signature.strip_prefix("v1,").unwrap()), "{reason}");
    let mut without = right.clone();
    without["headers"] = json!({});
    assert!(rejected(&without, &now).contains("webhook-"), "the missing field is named");
    // The time of the command line is the time of the decision.
    let late = (NOW + 3600).to_string();
    let _ = rejected(&right, &late);
    let _ = explain(&project, &right, &[&source[..], &[&now]].concat()).expect(0);
}

#[test]
fn without_a_time_the_clock_is_asked() {
    let project = project();
    let fresh = request(&standard(SHOP, "msg_1", anglerfish_tests::now(), BODY.as_bytes()), BODY);
    let _ = explain(&project, &fresh, &["--source", "shop"]).expect(0);
    let old = request(&standard(SHOP, "msg_1", NOW, BODY.as_bytes()), BODY);
    let _ = explain(&project, &old, &["--source", "shop"]).expect(1);
}

#[test]
fn a_handshake_is_answered() {
    let project = project();
    let body = r#"{"type":"url_verification","challenge":"abc","token":"t"}"#;
    let request = request(&slack("8f742231b10e8888abcd99yyyzzz85a5", NOW, body.as_bytes()), body);
    let arguments = ["--source", "team", "--now", &NOW.to_string(), "--format", "json"];
    let explanation = explain(&project, &request, &arguments).expect(0).json();
    assert_eq!(explanation["verification"]["outcome"], "answered", "{explanation}");
    assert_eq!(explanation["event"], Value::Null);
}

#[test]
fn a_body_that_is_no_text_comes_as_base64() {
    use base64::Engine;
    let project = project();
    let bytes: Vec<u8> = (0..=255).collect();
    let mut request = request(&github(GITHUB, "d-1", &bytes), "");
    request.as_object_mut().unwrap().remove("body");
    request["body_base64"] = base64::engine::general_purpose::STANDARD.encode(&bytes).into();
    let explanation = explain(&project, &request, &["--source", "hub", "--format", "json"]).expect(0).json();
    assert_eq!(explanation["event"]["id"], "d-1");
    request["body_base64"] = "%%%".into();
    let told = explain(&project, &request, &["--source", "hub"]).expect(2);
    assert!(told.stderr.contains("request.json: body_base64: not base64"), "{}", told.stderr);
}

#[test]
fn many_requests_come_one_a_line_and_each_gets_a_line_in_its_order() {
    let project = project();
    let shop = |id: &str, at: u64| {
        let mut line = request(&standard(SHOP, id, at, BODY.as_bytes()), BODY);
        line["source"] = "shop".into();
        line["now"] = at.into();
        line
    };
    let mut hub = request(&github(GITHUB, "d-1", b"{}"), "{}");
    hub["source"] = "hub".into();
    let lines = [shop("a", 1), shop("b", 4_000_000_000), hub];
    let text = lines.map(|line| line.to_string()).join("\n");
    let told = project.run(&["explain", "--request", "-"], text.as_bytes()).expect(0);
    let ids: Vec<Value> = told.json_lines().iter().map(|line| line["event"]["id"].clone()).collect();
    assert_eq!(ids, ["a", "b", "d-1"]);

    // One that is rejected, one that is no request, an empty line, one for a source that is not there.
    let mut forged = shop("c", 1);
    forged["body"] = "{}".into();
    let mut nowhere = shop("d", 1);
    nowhere["source"] = "nowhere".into();
    let text = format!("{forged}\n{{\"bodi\":1}}\n\n{nowhere}\n{}\n", shop("e", 1));
    let told = project.run(&["explain", "--source", "hub", "--request", "-"], text.as_bytes()).expect(1);
    let answers = told.json_lines();
    assert_eq!(answers.len(), 4, "{answers:?}");
    assert_eq!(answers[0]["verification"]["outcome"], "rejected");
    assert!(answers[1]["error"].as_str().unwrap().contains("bodi: unknown key"), "{}", answers[1]);
    assert_eq!(answers[2]["verification"]["reason"], "there is no such source");
    assert_eq!(answers[3]["event"]["id"], "e", "what went before does not count");
}

#[test]
fn an_answer_comes_as_soon_as_its_line_was_read() {
    use std::io::{BufRead, BufReader, Write};
    use std::process::Stdio;
    let project = project();
    let mut child = project
        .beside(&["explain", "--source", "hub", "--request", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for id in ["one", "two"] {
        writeln!(stdin, "{}", request(&github(GITHUB, id, b"{}"), "{}")).unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(answer["event"]["id"], id);
    }
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn what_cannot_be_explained_is_misuse_that_says_why() {
    let project = project();
    let fine = request(&Headers::new(), "{}");
    for (request, arguments, words) in [
        (fine.clone(), &["--source", "shopp"][..], "did you mean \"shop\"?"),
        (fine.clone(), &[], "--source NAME"),
        (fine.clone(), &["--source", "shop", "--request", "none.json"], "cannot be used multiple times"),
        (
            json!({"bodi": ""}),
            &["--source", "shop"],
            "request.json: bodi: unknown key (did you mean \"body\"?)",
        ),
        (json!({"source": "shop"}), &["--source", "shop"], "request.json: source: unknown key"),
        (json!([]), &["--source", "shop"], "request.json: "),
        (json!({"headers": {"a": 1}}), &["--source", "shop"], "headers.a"),
        (fine.clone(), &["--source", "shop", "--now", "soon"], "--now"),
    ] {
        let told = explain(&project, &request, arguments).expect(2);
        assert!(told.stderr.contains(words), "{words}:\n{}", told.stderr);
        assert_eq!(told.stdout, "");
    }
    let told = project.run(&["explain", "--source", "shop", "--request", "none.json"], b"").expect(2);
    assert!(told.stderr.contains("failed to read none.json"), "{}", told.stderr);
    std::fs::write(project.config(), "[[source]]\nname = \"shop\"\nscheme = \"nothing\"\n").unwrap();
    let told = explain(&project, &fine, &["--source", "shop"]).expect(2);
    assert!(told.stderr.starts_with("anglerfish.toml:3:1: source[0].scheme: "), "{}", told.stderr);
}

#[test]
fn explaining_leaves_nothing_behind() {
    let project = project();
    let request = request(&standard(SHOP, "msg_1", NOW, BODY.as_bytes()), BODY);
    let names = |directory: &std::path::Path| -> Vec<_> {
        let entries = std::fs::read_dir(directory).into_iter().flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let data = project.directory().join("data");
    let before = names(&data);
    for _ in 0..2 {
        let arguments = ["--source", "shop", "--now", &NOW.to_string(), "--format", "json"];
        let explanation = explain(&project, &request, &arguments).expect(0).json();
        assert_eq!(explanation["event"]["id"], "msg_1", "the second time is no duplicate");
    }
    assert_eq!(names(&data), before);
}
