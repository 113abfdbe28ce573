//! A secret, or the signature that was expected, never appears in a log, an error or an answer.
//!
//! A gateway whose secrets are all marked logs as much as it can; then everything that can go wrong goes wrong, and all
//! that was written anywhere is searched.

use anglerfish_tests::{
    Gateway, Headers, Ran, Receiver, Reply, Request, Setup, github, now, send, slack, standard,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// What every secret holds in some way.
const MARK: &str = "hunter2hunter2";

/// A key of Standard Webhooks with the mark in its bytes.
fn whsec(name: &str) -> String {
    format!("whsec_{}", STANDARD.encode(format!("{MARK}-{name}-{}", "-".repeat(16))))
}

fn marked(name: &str) -> String {
    format!("{MARK}-{name}-0123456789")
}

/// All that must not be found.
fn forbidden() -> Vec<String> {
    let mut all = vec![MARK.to_owned(), hex::encode(MARK)];
    for name in ["shop", "orders", "variable", "rotated", "at-run-time"] {
        let key = whsec(name);
        // Without its ends, which other texts can have by chance, and so that a part of it is found, too.
        all.push(key[6..30].to_owned());
    }
    all
}

fn setup(receiver: &Receiver) -> Setup {
    let rest = format!(
        r#"
[log]
filter = "trace"
[[source]]
name = "shop"
scheme = "standard-webhooks"
secrets = ["{shop}", {{ value = "{rotated}", label = "old" }}]
[[source]]
name = "hub"
scheme = "github"
secrets = ["{hub}"]
[[source]]
name = "team"
scheme = "slack"
secrets = ["env:TEAM_SECRET"]
[[source]]
name = "key"
scheme = "api-key"
secrets = ["file:key.secret"]
[[source]]
name = "bearer"
scheme = "bearer"
secrets = ["{bearer}"]
[[source]]
name = "query"
scheme = "custom"
secrets = ["{query}"]
[[source.definition.variant]]
name = "token"
algorithm = "equal"
signature = {{ at = ["query:token"] }}
[[subscription]]
id = "orders"
filter = "headers['content-type'] != '' || message.nothing"
[subscription.endpoint]
url = "{ok}"
headers = {{ authorization = "Bearer {token}", x-key = "env:HEADER_KEY" }}
secret = "{orders}"
allow_private = true
[[subscription]]
id = "failing"
endpoint = {{ url = "{failing}", secrets = ["env:ORDERS_SECRET"], headers = {{ x-key = "{header}" }}, allow_private = true }}
delivery = {{ timeout = "200ms", retry = {{ delays = ["1ms"] }} }}
[[subscription]]
id = "refused"
endpoint = {{ url = "http://127.0.0.1:1029/?token={url}", headers = {{ x-key = "{header}" }} }}
delivery = {{ retry = {{ delays = [] }} }}
[[subscription]]
id = "unreachable"
endpoint = {{ url = "https://127.0.0.1:1029/?token={url}", headers = {{ x-key = "{header}" }}, allow_private = true }}
delivery = {{ retry = {{ delays = [] }} }}
"#,
        shop = whsec("shop"),
        rotated = whsec("rotated"),
        hub = marked("hub"),
        bearer = marked("bearer"),
        query = marked("query"),
        token = marked("token"),
        orders = whsec("orders"),
        header = marked("header"),
        url = marked("url"),
        ok = receiver.url("/ok"),
        failing = receiver.url("/failing"),
    );
    Setup {
        server: "body_limit = \"64KiB\"\nworkers = 1".into(),
        admin: "token = \"env:ADMIN_TOKEN\"\nreferences = [\"env:ORDERS_*\"]".into(),
        rest,
        token: Some(marked("admin")),
        environment: vec![
            ("TEAM_SECRET".into(), marked("team")),
            ("HEADER_KEY".into(), marked("header-key")),
            ("ORDERS_SECRET".into(), whsec("variable")),
            ("ADMIN_TOKEN".into(), marked("admin")),
            ("HIDDEN".into(), marked("hidden")),
        ],
        ..Setup::default()
    }
}

/// Everything that was written, by where.
#[derive(Default)]
struct Writings(Vec<(String, String)>);

impl Writings {
    fn add(&mut self, place: impl Into<String>, text: impl Into<String>) {
        self.0.push((place.into(), text.into()));
    }

    fn add_ran(&mut self, place: &str, ran: &Ran) {
        self.add(format!("stdout of {place}"), ran.stdout.as_str());
        self.add(format!("stderr of {place}"), ran.stderr.as_str());
    }

    fn search(&self, forbidden: &[String]) {
        let mut found = Vec::new();
        for (place, text) in &self.0 {
            for secret in forbidden {
                for line in text.lines().filter(|line| line.contains(secret.as_str())).take(5) {
                    found.push(format!("{secret} is in {place}: {line}"));
                }
            }
        }
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
}

/// Sends right and wrong requests to every source; returns the signatures that would have been right for the wrong ones.
fn provoke_ingress(gateway: &Gateway, writings: &mut Writings) -> Vec<String> {
    let mut expected = Vec::new();
    let mut post = |source: &str, headers: &Headers, body: &[u8], status: u16| {
        let request = Request {
            method: "POST".into(),
            path: format!("/in/{source}"),
            headers: headers.clone(),
            body: body.to_vec(),
            chunked: false,
        };
        let answer = send(gateway.ingress(), &request).unwrap();
        assert_eq!(answer.status, status, "{source}: {}", answer.text());
        writings.add(format!("the answer of {source}"), format!("{:?} {}", answer.headers, answer.text()));
    };
    let field = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let body = br#"{"type":"order.created","id":"k-1"}"#;
    let (shop, hub, team) = (whsec("shop"), marked("hub"), marked("team"));
    post("shop", &standard(&shop, "msg_1", now(), body), body, 202);
    post("hub", &github(&hub, "d-1", body), body, 202);
    post("team", &slack(&team, now(), body), body, 200);
    post("key", &field("x-api-key", &marked("key")), body, 202);
    post("bearer", &field("authorization", &format!("Bearer {}", marked("bearer"))), body, 202);
    post(&format!("query?token={}", marked("query")), &Headers::new(), body, 202);

    // Other bytes than before: what has been accepted is kept with its sender's signature.
    let body = br#"{"type":"order.refused","id":"k-2"}"#;
    for (source, right, signature) in [
        ("shop", standard(&shop, "msg_2", now(), body), "webhook-signature"),
        ("hub", github(&hub, "d-2", body), "x-hub-signature-256"),
        ("team", slack(&team, now(), body), "x-slack-signature"),
    ] {
        let other = |value: &str| {
            let mut headers = right.clone();
            headers
                .iter_mut()
                .filter(|(name, _)| name == signature)
                .for_each(|(_, text)| *text = value.to_owned());
            headers
        };
        let value = right.iter().find(|(name, _)| name == signature).unwrap().1.clone();
        let bare = value.split_once(['=', ',']).unwrap().1.to_owned();
        let mut wrong = value.clone();
        let last = wrong.pop().unwrap();
        wrong.push(if last == '0' { '1' } else { '0' });
        // What was sent is one character from what was expected; only the latter is searched.
        expected.push(bare);
        for text in [wrong.as_str(), "", "nonsense", &value[..10]] {
            post(source, &other(text), body, 401);
        }
        post(source, &Headers::new(), body, 401);
        let old = match source {
            "shop" => standard(&shop, "msg_3", 1_700_000_000, body),
            "team" => slack(&team, 1_700_000_000, body),
            _ => continue,
        };
        post(source, &old, body, 401);
    }
    for (source, headers) in [
        ("key", field("x-api-key", "wrong")),
        ("bearer", field("authorization", "Bearer wrong")),
        ("query?token=wrong", Headers::new()),
    ] {
        post(source, &headers, body, 401);
    }
    post("shop", &standard(&shop, "msg_4", now(), body), &vec![b'x'; 100_000], 413);
    post("nowhere", &field("authorization", &marked("bearer")), body, 404);
    expected
}

/// Asks the management API for everything, rightly and wrongly.
fn provoke_api(gateway: &Gateway, writings: &mut Writings) {
    let refused = [
        json!({"id": "a", "endpoint": {"url": "http://h/", "secret": marked("typed")}}),
        json!({"id": "a", "endpoint": {"url": "http://h/", "secret": [marked("typed")]}}),
        json!({"id": "a", "endpoint": {"url": "http://h/", "secret": "whsec_aHVudGVyMmh1bnRlcjI="}}),
        json!({"id": "a", "endpoint": {"url": "http://h/", "headers": {"x": format!("{}\n", marked("typed"))}}}),
        json!({"id": "a", "endpoint": {"url": "http://h/", "headers": [marked("typed")]}}),
        json!({"id": "a", "endpoint": {"url": format!("http://user:{}@h/", marked("typed"))}}),
        json!({"id": "a", "endpoint": {"url": "http://h/", "secret": "env:HIDDEN"}}),
        json!({"id": "a", "endpoint": {"url": "http://h/", "headers": {"x": "file:key.secret"}}}),
    ];
    for document in refused {
        let answer = gateway.api("POST", "/v1/subscriptions", Some(&document));
        assert_eq!(answer.status, 422, "{document}: {}", answer.text());
        writings.add("a refusal of the management API", answer.text());
    }
    let document = json!({"id": "at-run-time", "filter": "false", "endpoint": {
        "url": "http://127.0.0.1:1029/", "secrets": ["env:ORDERS_SECRET", whsec("at-run-time")],
        "headers": {"authorization": marked("typed")}
    }});
    let created = gateway.api("POST", "/v1/subscriptions", Some(&document)).expect(201);
    writings.add("a created subscription", created.text());

    let mut paths: Vec<String> = [
        "/metrics",
        "/openapi.json",
        "/ready",
        "/live",
        "/v1/events?limit=500",
        "/v1/deliveries?limit=500",
        "/v1/subscriptions?limit=500",
        "/v1/nothing",
    ]
    .map(str::to_owned)
    .to_vec();
    for event in gateway.list("/v1/events", 500) {
        let (id, source) = (event["id"].as_str().unwrap(), event["source"].as_str().unwrap());
        for end in ["", "/explain", "/data"] {
            paths.push(format!("/v1/events/{id}{end}?source={source}"));
        }
    }
    paths.extend(
        gateway.list("/v1/deliveries", 500).iter().map(|one| format!("/v1/deliveries/{}", one["id"])),
    );
    for one in gateway.list("/v1/subscriptions", 500) {
        paths.push(format!("/v1/subscriptions/{}", one["id"].as_str().unwrap()));
    }
    assert!(paths.len() > 40, "{paths:?}");
    for path in paths {
        writings.add(format!("GET {path}"), gateway.api("GET", &path, None).text());
        let wrong = format!("Bearer {}x", marked("admin"));
        let request = Request {
            method: "GET".into(),
            path: path.clone(),
            headers: vec![("authorization".into(), wrong)],
            ..Request::default()
        };
        writings
            .add(format!("GET {path} with a wrong token"), send(gateway.admin(), &request).unwrap().text());
    }
}

/// Runs every command that has to do with secrets, rightly and wrongly; `expected` as in [`provoke_ingress`].
fn provoke_commands(gateway: &Gateway, writings: &mut Writings, expected: &mut Vec<String>) {
    for format in ["text", "json"] {
        for arguments in [
            &["check"][..],
            &["events", "list"],
            &["events", "show", "msg_1"],
            &["deliveries", "list"],
            &["deliveries", "show", "1"],
            &["deliveries", "show", "2"],
            &["deliveries", "show", "3"],
            &["deliveries", "show", "4"],
            &["events", "list", "--token", "wrong"],
            &[
                "send",
                "--scheme",
                "standard-webhooks",
                "--secret",
                &marked("typed"),
                "--url",
                "http://127.0.0.1:1029/",
                "stdin",
            ],
            &[
                "send",
                "--scheme",
                "github",
                "--secret",
                &marked("typed"),
                "--url",
                "http://127.0.0.1:1029/",
                "stdin",
            ],
            &["send", "--scheme", "github", "--secret", "env:HIDDEN", "--url", "nowhere", "stdin"],
            &["sink", "--secret", &marked("typed")],
        ] {
            let ran = gateway.run(&[arguments, &["--format", format]].concat(), b"{}");
            writings.add_ran(&arguments.join(" "), &ran);
        }
        let mut lines = Vec::new();
        let body = "{\"n\":1}";
        let mut explain = |source: &str, headers: Headers| {
            let headers: serde_json::Map<String, Value> =
                headers.into_iter().map(|(name, value)| (name, Value::from(value))).collect();
            lines.push(json!({"source": source, "headers": headers, "body": body}).to_string());
        };
        for (source, mut headers, signature) in [
            ("shop", standard(&whsec("shop"), "msg_5", now(), body.as_bytes()), 3),
            ("hub", github(&marked("hub"), "d-5", body.as_bytes()), 3),
            ("team", slack(&marked("team"), now(), body.as_bytes()), 2),
        ] {
            explain(source, headers.clone());
            let right = std::mem::replace(&mut headers[signature].1, "v1,AAAA".to_owned());
            expected.push(right.split_once(['=', ',']).unwrap().1.to_owned());
            explain(source, headers);
            explain(source, Headers::new());
        }
        explain("key", vec![("x-api-key".into(), marked("key"))]);
        explain("key", vec![("x-api-key".into(), "wrong".into())]);
        let ran =
            gateway.run(&["explain", "--request", "-", "--format", format], lines.join("\n").as_bytes());
        assert_eq!(ran.json_lines().len(), lines.len());
        writings.add_ran("explain", &ran);
        for (number, line) in lines.iter().enumerate() {
            let mut request: Value = serde_json::from_str(line).unwrap();
            let source = request.as_object_mut().unwrap().remove("source").unwrap();
            std::fs::write(gateway.directory().join("request.json"), request.to_string()).unwrap();
            if number > 1 {
                continue;
            }
            let source = source.as_str().unwrap();
            let arguments = ["explain", "--source", source, "--request", "request.json", "--format", format];
            writings.add_ran("explain of one", &gateway.run(&arguments, b""));
        }
    }
}

/// Checks and starts configurations with a secret in every wrong place.
fn provoke_configurations(writings: &mut Writings) {
    let typed = marked("typed");
    let source = "[[source]]\nname = \"a\"\nscheme = \"standard-webhooks\"\n";
    let subscription = "[[subscription]]\nid = \"a\"\n[subscription.endpoint]\nurl = \"http://h/\"\n";
    for text in [
        format!("{source}secrets = [\"{typed}\"]"),
        format!("{source}secrets = [\"whsec_{typed}\"]"),
        format!("{source}secrets = \"{typed}\""),
        format!("{source}secrets = [{{ value = \"{typed}\", label = 1 }}]"),
        format!("{source}secrets = [{{ valu = \"{typed}\" }}]"),
        format!("{source}secrets = [[\"{typed}\"]]"),
        format!("{source}secret = \"{typed}\""),
        format!("{source}secrets = [\"env:TYPED\"]"),
        format!("{source}secrets = [\"{typed}]"),
        format!("{source}secrets = [\"{typed}\" \"x\"]"),
        format!("{source}secrets = {typed}"),
        format!("{subscription}secret = \"{typed}\""),
        format!("{subscription}secret = [\"{typed}\"]"),
        format!("{subscription}secrets = \"{typed}\""),
        format!("{subscription}headers = \"{typed}\""),
        format!("{subscription}headers = {{ authorization = [\"{typed}\"] }}"),
        format!("{subscription}headers = {{ authorization = \"{typed} \" }}"),
        format!("{subscription}headers = {{ \"a b\" = \"{typed}\" }}"),
        format!("{subscription}headers = {{ host = \"{typed}\" }}"),
        format!("[[subscription]]\nid = \"a\"\nendpoint = {{ url = \"http://u:{typed}@h/\" }}"),
        format!("[[subscription]]\nid = \"a\"\nendpoint = {{ url = \"h?token={typed}\" }}"),
        format!("[admin]\ntoken = \"{typed} \""),
        format!("[admin]\ntoken = [\"{typed}\"]"),
    ] {
        let environment = vec![("TYPED".into(), typed.clone())];
        let gateway = Gateway::prepare(&Setup { environment, ..Setup::default() });
        std::fs::write(gateway.config(), &text).unwrap();
        for arguments in [&["check"][..], &["check", "--format", "json"], &["serve"]] {
            let ran = gateway.run(arguments, b"").expect(2);
            writings.add_ran(&format!("{} of {}", arguments.join(" "), text.replace(MARK, "(mark)")), &ran);
        }
    }
}

#[test]
fn no_secret_and_no_expected_signature_is_written_anywhere() {
    let receiver = Receiver::with(|received, number| {
        if received.path == "/ok" {
            Reply::status(200).body(b"thank you")
        } else if number % 2 == 0 {
            Reply::status(302).header("location", &format!("http://h/?token={MARK}"))
        } else {
            Reply::held(200)
        }
    });
    let setup = setup(&receiver);
    let mut gateway = Gateway::prepare(&setup);
    std::fs::write(gateway.directory().join("key.secret"), format!("{}\n", marked("key"))).unwrap();
    gateway.spawn();

    let mut writings = Writings::default();
    let mut expected = provoke_ingress(&gateway, &mut writings);
    let _ = gateway.settled();
    let received =
        receiver.wait_until("deliveries of every kind", |all| all.iter().any(|one| one.path == "/ok"));
    let ok = received.iter().find(|one| one.path == "/ok").unwrap();
    assert_eq!(ok.header("authorization"), Some(format!("Bearer {}", marked("token")).as_str()));
    assert_eq!(ok.header("x-key"), Some(marked("header-key").as_str()));
    provoke_api(&gateway, &mut writings);
    provoke_commands(&gateway, &mut writings, &mut expected);
    provoke_configurations(&mut writings);
    // What it signs deliveries with is for their receivers alone.
    expected.extend(received.iter().filter_map(|one| {
        one.header("webhook-signature").and_then(|text| text.strip_prefix("v1,")).map(str::to_owned)
    }));
    gateway.signal_end();
    assert_eq!(gateway.wait_end().code(), Some(0));
    let log = gateway.log();
    for level in ["TRACE", "DEBUG", "INFO"] {
        assert!(log.contains(level), "the log is to be as full as it can be, and has no {level}");
    }
    writings.add("the log", log);
    writings.search(&expected);
    writings.search(&forbidden());
}
