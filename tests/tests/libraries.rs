//! The providers' own libraries, both ways: what they sign is accepted, and they accept what `anglerfish send` signs.
//! They are also held against the recorded cases, which stand in for them where they are not installed.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

use anglerfish_tests::{Foreign, Gateway, Receiver, Setup, now};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// One library and the scheme that it speaks.
struct Library {
    name: &'static str,
    scheme: &'static str,
    secret: &'static str,
    other: &'static str,
    body: &'static str,
    /// Whether it can sign, too.
    signs: bool,
}

const JSON: &str =
    r#"{"id":"evt_1","type":"order.created","event_id":"evt_1","data":{"n":1,"city":"Zürich"}}"#;
/// With the time in it, which `send` fills in.
const TIMED: &str = r#"{"action":"create","type":"Issue","data":{"id":"1"},"webhookTimestamp":0}"#;
const FORM: &str = "AccountSid=AC1&Body=two+words+%26+more&Body=again&From=%2B41&MessageSid=SM1&Empty=";
const PLAIN_FORM: &str = "AccountSid=AC1&Body=two+words+%26+more&From=%2B41&MessageSid=SM1&Empty=";
const ITEMS: &str = r#"{"live":"false","notificationItems":[{"NotificationRequestItem":{"pspReference":"psp-1",
    "originalReference":"","merchantAccountCode":"Shop","merchantReference":"order-1","amount":{"value":1130,"currency":"EUR"},
    "eventCode":"AUTHORISATION","success":"true"}}]}"#;
const WHSEC: &str = "whsec_dGhlLXNlY3JldC1vZi1hLXNlbmRlci1pbi10ZXN0cw==";
const OTHER_WHSEC: &str = "whsec_bm90LXRoZS1zZWNyZXQtb2YtdGhlLXNlbmRlci1oZXJl";

const fn library(name: &'static str, scheme: &'static str, body: &'static str, signs: bool) -> Library {
    Library { name, scheme, secret: "a secret of the account", other: "a secret of another", body, signs }
}

fn javascript() -> Vec<Library> {
    let whsec =
        |name, scheme| Library { secret: WHSEC, other: OTHER_WHSEC, ..library(name, scheme, JSON, true) };
    vec![
        whsec("standardwebhooks", "standard-webhooks"),
        whsec("svix", "svix"),
        library("octokit", "github", JSON, true),
        library("stripe", "stripe", JSON, true),
        library("twilio", "twilio", PLAIN_FORM, true),
        library("paddle", "paddle", JSON, false),
        library("razorpay", "razorpay", JSON, false),
        library("line", "line", JSON, false),
        library("linear", "linear", TIMED, false),
    ]
}

fn python() -> Vec<Library> {
    vec![
        Library {
            secret: WHSEC,
            other: OTHER_WHSEC,
            ..library("standardwebhooks", "standard-webhooks", JSON, true)
        },
        library("stripe", "stripe", JSON, true),
        library("slack_sdk", "slack", JSON, true),
        library("twilio", "twilio", FORM, true),
        Library {
            secret: "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056",
            other: "00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF",
            ..library("Adyen", "adyen", ITEMS, true)
        },
        library("square", "square", JSON, false),
    ]
}

fn content_type(library: &Library) -> &'static str {
    if library.scheme == "twilio" { "application/x-www-form-urlencoded" } else { "application/json" }
}

/// What the libraries sign goes in, and is refused with another secret and with another body.
fn what_they_sign_is_accepted(foreign: &Foreign, libraries: &[Library]) {
    let signing: Vec<&Library> = libraries.iter().filter(|library| library.signs).collect();
    let mut sources = String::new();
    for library in &signing {
        sources.push_str(&format!(
            "[[source]]\nname = \"{}\"\nscheme = \"{}\"\nsecrets = [\"{}\"]\n",
            library.name, library.scheme, library.secret
        ));
    }
    let gateway = Gateway::start(&sources);
    let task = |library: &&Library, secret: &str| {
        json!({
            "do": "sign", "library": library.name, "secret": secret, "body": library.body, "id": "msg_1",
            "timestamp": now(), "url": format!("http://{}/in/{}", gateway.ingress(), library.name),
        })
    };
    let forged = foreign.ask(&signing.iter().map(|one| task(one, one.other)).collect::<Vec<_>>());
    let signed = foreign.ask(&signing.iter().map(|one| task(one, one.secret)).collect::<Vec<_>>());
    for ((library, forged), signed) in signing.iter().zip(&forged).zip(&signed) {
        let post = |answer: &Value, body: &str| {
            let mut headers: Vec<(String, String)> = answer["headers"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
                .collect();
            if !answer["headers"].as_object().unwrap().contains_key("content-type") {
                headers.push(("content-type".to_owned(), content_type(library).to_owned()));
            }
            gateway.post(library.name, &headers, body.as_bytes())
        };
        let body = |answer: &Value| answer["body"].as_str().unwrap_or(library.body).to_owned();
        assert_eq!(post(forged, &body(forged)).problem(401), "verification-failed", "{}", library.name);
        let changed = body(signed).replace('1', "2");
        assert_eq!(post(signed, &changed).problem(401), "verification-failed", "{}", library.name);
        let answer = post(signed, &body(signed));
        assert!([200, 202].contains(&answer.status), "{}: {}", library.name, answer.text());
    }
    assert_eq!(gateway.list("/v1/events", 50).len(), signing.len());
}

/// What `send` signs is right for the libraries, and only with the right secret and body.
fn they_accept_what_is_sent(foreign: &Foreign, libraries: &[Library]) {
    let receiver = Receiver::start();
    let gateway = Gateway::prepare(&Setup::default());
    let mut tasks = Vec::new();
    for library in libraries {
        let url = receiver.url(&format!("/{}", library.name));
        let content_type = format!("content-type: {}", content_type(library));
        let arguments = [
            "send",
            "--scheme",
            library.scheme,
            "--secret",
            library.secret,
            "--url",
            &url,
            "--header",
            &content_type,
            "-",
        ];
        let output = gateway.run(&arguments, library.body.as_bytes());
        assert_eq!(output.code, Some(0), "{}: {}", library.name, output.stderr);
        let all = receiver.requests();
        let path = format!("/{}", library.name);
        let received = all.iter().find(|one| one.path == path).expect("it was sent");
        let headers: serde_json::Map<String, Value> =
            received.headers.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        let body = String::from_utf8(received.body.clone()).unwrap();
        for (secret, body) in [
            (library.secret, body.clone()),
            (library.other, body.clone()),
            (library.secret, body.replace('1', "2")),
        ] {
            tasks.push(json!({
                "do": "verify", "library": library.name, "secret": secret, "url": url, "headers": headers,
                "body": body,
            }));
        }
    }
    let answers = foreign.ask(&tasks);
    for (library, answers) in libraries.iter().zip(answers.chunks(3)) {
        let verified: Vec<bool> = answers.iter().map(|answer| answer["verified"] == true).collect();
        assert_eq!(verified, [true, false, false], "{}: {answers:?}", library.name);
    }
}

/// What the provider alone can sign: its library and the gateway say the same of a recorded request and of what can be
/// changed in it.
fn they_agree_on_public_keys(foreign: &Foreign, scheme: &str, other: &str, headers: [&str; 2]) {
    let file = fs::read_to_string(recorded().join(format!("{scheme}.json"))).unwrap();
    let recorded: Value = serde_json::from_str(&file).unwrap();
    let (request, key) =
        (&recorded[0]["request"], recorded[0]["config"]["secrets"][0]["value"].as_str().unwrap());
    let gateway = Gateway::start(&format!(
        "[[source]]\nname = \"right\"\nscheme = \"{scheme}\"\nsecrets = [\"{key}\"]\n\
         [[source]]\nname = \"other\"\nscheme = \"{scheme}\"\nsecrets = [\"{other}\"]\n"
    ));
    let signed: BTreeMap<String, String> = serde_json::from_value(request["headers"].clone()).unwrap();
    let body = request["body"].as_str().unwrap();
    let with = |name: &str, old: &str, new: &str| {
        let mut headers = signed.clone();
        let value = headers.get_mut(name).unwrap();
        assert!(value.contains(old), "{name}: {value}");
        *value = value.replacen(old, new, 1);
        headers
    };
    let [signature, timestamp] = headers;
    let last = signed[signature].replace('=', "").pop().unwrap().to_string();
    let tries = [
        ("right", signed.clone(), body.to_owned(), true),
        ("other", signed.clone(), body.to_owned(), false),
        ("right", signed.clone(), body.replacen('"', "'", 1), false),
        ("right", signed.clone(), format!("{body} "), false),
        ("right", with(timestamp, "1700000000", "1700000001"), body.to_owned(), false),
        ("right", with(signature, &last, if last == "A" { "B" } else { "A" }), body.to_owned(), false),
    ];
    let tasks: Vec<Value> = { &tries }
        .iter()
        .map(|(source, headers, body, _)| {
            let secret = if *source == "right" { key } else { other };
            json!({ "do": "verify", "library": scheme, "secret": secret, "headers": headers, "body": body })
        })
        .collect();
    for ((source, headers, body, expected), answer) in tries.into_iter().zip(foreign.ask(&tasks)) {
        let headers: Vec<(String, String)> = headers.into_iter().collect();
        let status = gateway.post(source, &headers, body.as_bytes()).status;
        let told = (answer["verified"] == true, (200..300).contains(&status));
        assert_eq!(told, (expected, expected), "{scheme} {source} {headers:?} {body}: {answer} {status}");
    }
}

/// The folder of the recorded cases.
fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/verify")
}

fn they_agree_with_the_recorded_cases(foreign: &Foreign, at_least: u32) {
    let said = foreign.run(&recorded());
    let checks = said.lines().find_map(|line| line.split_once(" checks, 0 failed")?.0.parse::<u32>().ok());
    assert!(checks.is_some_and(|checks| checks >= at_least), "{said}");
}

#[test]
fn what_javascript_libraries_sign_is_accepted() {
    let Some(node) = Foreign::node() else { return };
    what_they_sign_is_accepted(&node.with_script("library.mjs"), &javascript());
}

#[test]
fn what_python_libraries_sign_is_accepted() {
    let Some(python_) = Foreign::python() else { return };
    what_they_sign_is_accepted(&python_.with_script("library.py"), &python());
}

#[test]
fn javascript_libraries_accept_what_send_signs() {
    let Some(node) = Foreign::node() else { return };
    they_accept_what_is_sent(&node.with_script("library.mjs"), &javascript());
}

#[test]
fn python_libraries_accept_what_send_signs() {
    let Some(python_) = Foreign::python() else { return };
    they_accept_what_is_sent(&python_.with_script("library.py"), &python());
}

const SENDGRID: [&str; 2] =
    ["x-twilio-email-event-webhook-signature", "x-twilio-email-event-webhook-timestamp"];
const OTHER_SENDGRID: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==";
const DISCORD: [&str; 2] = ["x-signature-ed25519", "x-signature-timestamp"];
const OTHER_DISCORD: &str = "fc947730f49eb01427a66e050733294d9e520e545c7a27125a780634e0860a27";

#[test]
fn javascript_libraries_and_the_gateway_accept_and_refuse_the_same_under_public_keys() {
    let Some(node) = Foreign::node() else { return };
    let node = node.with_script("library.mjs");
    they_agree_on_public_keys(&node, "sendgrid", OTHER_SENDGRID, SENDGRID);
    they_agree_on_public_keys(&node, "discord", OTHER_DISCORD, DISCORD);
}

#[test]
fn a_python_library_and_the_gateway_accept_and_refuse_the_same_under_public_keys() {
    let Some(python) = Foreign::python() else { return };
    they_agree_on_public_keys(&python.with_script("library.py"), "discord", OTHER_DISCORD, DISCORD);
}

#[test]
fn javascript_libraries_agree_with_the_recorded_cases() {
    let Some(node) = Foreign::node() else { return };
    they_agree_with_the_recorded_cases(&node.with_script("verify_sdks.mjs"), 32);
}

#[test]
fn python_libraries_agree_with_the_recorded_cases() {
    let Some(python_) = Foreign::python() else { return };
    they_agree_with_the_recorded_cases(&python_.with_script("verify_sdks.py"), 19);
}
