//! What is one event, what its sender reads, and what is read of a body, through the whole gateway.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

use anglerfish_tests::{Answer, Gateway, Receiver, Request, Setup, github, send};

const GITHUB: &str = "secret of the repository";

fn source(name: &str, more: &str) -> String {
    format!("[[source]]\nname = \"{name}\"\n{more}\n")
}

fn subscription(receiver: &Receiver, filter: &str) -> String {
    let url = receiver.url("/");
    format!(
        "[[subscription]]\nid = \"s\"\nfilter = '{filter}'\nendpoint = {{ url = \"{url}\", allow_private = true }}\n"
    )
}

fn ask(gateway: &Gateway, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let request =
        Request { method: method.into(), path: path.into(), headers, body: body.to_vec(), chunked: false };
    send(gateway.ingress(), &request).expect("the gateway answers")
}

/// Field notes of senders whose bodies repeat or hold a resource's id.
#[test]
fn equal_bodies_and_equal_ids_of_resources_are_all_delivered() {
    let receiver = Receiver::start();
    let gateway = Gateway::start(&format!(
        "{}{}",
        source("shop", "scheme = \"bearer\"\nsecrets = [\"token\"]"),
        subscription(&receiver, "true")
    ));
    let bodies: [&[u8]; 3] =
        [b"{\"id\":42,\"is\":\"paid\"}", b"{\"id\":42,\"is\":\"paid\"}", b"{\"id\":42,\"is\":\"sent\"}"];
    for body in bodies {
        let headers = [("authorization", "Bearer token"), ("content-type", "application/json")];
        let answer = ask(&gateway, "POST", "/in/shop", &headers, body).expect(202).json();
        assert_eq!(answer["deliveries"], 1, "{answer}");
    }
    assert_eq!(receiver.wait(3).len(), 3);
    assert_eq!(gateway.list("/v1/events", 10).len(), 3);
}

#[test]
fn a_source_says_what_is_one_event_and_what_its_sender_reads() {
    let gateway = Gateway::start(&source(
        "shop",
        "scheme = \"none\"\ndeduplicate = { by = [\"json:/id\"], within = \"1h\" }\nanswer = { status = 200, body = \"ok\" }",
    ));
    for body in ["{\"id\":1}", "{\"id\":1,\"again\":true}", "{\"id\":2}"] {
        let answer = ask(&gateway, "POST", "/in/shop", &[], body.as_bytes()).expect(200);
        assert_eq!(
            (answer.text().as_str(), answer.header("content-type")),
            ("ok", Some("text/plain; charset=utf-8"))
        );
    }
    assert_eq!(gateway.list("/v1/events", 10).len(), 2);
}

#[test]
fn a_filter_sees_the_fields_of_a_form_and_the_subscriber_its_bytes() {
    let receiver = Receiver::start();
    let gateway = Gateway::start(&format!(
        "{}{}",
        source("hub", &format!("scheme = \"github\"\nsecrets = [\"{GITHUB}\"]")),
        subscription(&receiver, "message.payload.ref == \"main\"")
    ));
    let body = b"payload=%7B%22ref%22%3A%22main%22%7D";
    let mut headers = github(GITHUB, "d-1", body);
    headers[0].1 = "application/x-www-form-urlencoded".to_owned();
    assert_eq!(gateway.post("hub", &headers, body).expect(202).json()["deliveries"], 1);
    let got = receiver.wait(1);
    assert_eq!(got[0].body, body);
    assert_eq!(got[0].header("content-type"), Some("application/x-www-form-urlencoded"));
}

#[test]
fn what_a_get_says_is_delivered_as_a_form() {
    let receiver = Receiver::start();
    let gateway = Gateway::start(&format!(
        "{}{}",
        source("open", "scheme = \"none\"\nmethods = [\"GET\"]"),
        subscription(&receiver, "message.a == \"1\"")
    ));
    let _ = ask(&gateway, "GET", "/in/open?a=1&b=x%20y", &[], b"").expect(202);
    let got = receiver.wait(1);
    assert_eq!(got[0].body, b"a=1&b=x%20y");
    assert_eq!(got[0].header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(ask(&gateway, "POST", "/in/open", &[], b"{}").problem(405), "method-not-allowed");
}

#[test]
fn a_source_is_found_below_the_prefix_of_a_proxy_and_with_a_slash_at_its_end() {
    let gateway = Gateway::set_up(&Setup {
        server: "path_prefix = \"/hooks/\"".to_owned(),
        rest: source("open", "scheme = \"none\""),
        ..Setup::default()
    });
    for path in ["/in/open", "/in/open/", "/hooks/in/open", "/hooks/in/open/?a=1"] {
        let _ = ask(&gateway, "POST", path, &[], b"{}").expect(202);
    }
    for path in ["/hook/in/open", "/hooks/open", "//in/open"] {
        assert_eq!(ask(&gateway, "POST", path, &[], b"{}").problem(404), "not-found", "{path}");
    }
    let mut urls: Vec<(String, bool)> = gateway
        .list("/v1/events", 10)
        .iter()
        .map(|event| {
            let id = event["id"].as_str().unwrap();
            let event = gateway.get(&format!("/v1/events/{id}"));
            let url = event["request"]["url"].as_str().unwrap().to_owned();
            let shown = gateway.run(&["events", "show", id], b"").expect(0).stdout;
            let told = shown.contains("(/hooks is put in front of the path as it came in)");
            assert_eq!(told, event["request"]["added_prefix"] == "/hooks", "{event} {shown}");
            (url.split_once("://").unwrap().1.split_once('/').unwrap().1.to_owned(), told)
        })
        .collect();
    urls.sort();
    let expected = [
        ("hooks/in/open", false),
        ("hooks/in/open", true),
        ("hooks/in/open/", true),
        ("hooks/in/open/?a=1", false),
    ];
    let expected = expected.map(|(url, told)| (url.to_owned(), told));
    assert_eq!(urls, expected, "the sender wrote the prefix");
}

#[test]
fn what_was_put_in_front_of_a_signed_url_is_told_where_it_is_refused() {
    let gateway = Gateway::set_up(&Setup {
        server: "path_prefix = \"/hooks\"".to_owned(),
        rest: source("square", "scheme = \"square\"\nsecrets = [\"s\"]"),
        ..Setup::default()
    });
    for (path, added) in [("/in/square", true), ("/hooks/in/square", false)] {
        let answer =
            ask(&gateway, "POST", path, &[("x-square-hmacsha256-signature", "AAAA")], b"{}").expect(401);
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("/hooks/in/square (as the request came in"), "{detail}");
        assert_eq!(
            detail.contains("`/hooks` of `server.path_prefix` put in front of the path"),
            added,
            "{detail}"
        );
    }
}

#[test]
fn a_source_that_nothing_is_known_of_is_no_empty_listing_of_refusals() {
    let gateway = Gateway::start(&source("shop", "scheme = \"github\"\nsecrets = [\"s\"]"));
    let none = gateway.run(&["rejections", "list", "--source", "shop"], b"").expect(0);
    assert_eq!(none.stdout, "");
    let wrong = gateway.run(&["rejections", "list", "--source", "shpo"], b"").expect(1);
    assert!(
        wrong.stderr.contains("there is no source `shpo`") && wrong.stderr.contains("did you mean `shop`?"),
        "{wrong:?}"
    );
    assert_eq!(ask(&gateway, "POST", "/in/shp%6F", &[], b"{}").problem(404), "unknown-source");
    let sent = gateway.run(&["rejections", "list", "--source", "shp%6F"], b"").expect(0);
    assert!(
        sent.stdout.contains("shp%6F") && sent.stdout.contains("percent-encoding in it is not undone"),
        "{sent:?}"
    );
}

#[test]
fn a_value_that_must_be_copied_is_told_once_and_a_failed_handshake_says_that_it_was_one() {
    let gateway = Gateway::start(&format!(
        "{}{}",
        source("notion", "scheme = \"notion\"\nsecrets = [\"pending\"]"),
        source("meta", "scheme = \"meta\"\nsecrets = [\"s\"]\nparameters = { verify_token = \"t\" }")
    ));
    for _ in 0..2 {
        let body = b"{\"verification_token\":\"secret_to_be_copied\"}";
        let _ = ask(&gateway, "POST", "/in/notion", &[], body).expect(200);
    }
    gateway.wait_log("secret_to_be_copied");
    let source = gateway.get("/v1/sources/notion");
    assert_eq!(source["to_copy"][0]["name"], "verification_token");
    assert_eq!(source["to_copy"][0]["value"], "secret_to_be_copied");
    let shown = gateway.run(&["sources", "show", "notion"], b"").expect(0).stdout;
    assert!(shown.contains("secret_to_be_copied"), "{shown}");
    let listed = gateway.run(&["sources", "list"], b"").expect(0).stdout;
    assert!(listed.contains("/in/meta"), "{listed}");
    let wrong = "/in/meta?hub.mode=subscribe&hub.challenge=1&hub.verify_token=u";
    let answer = ask(&gateway, "GET", wrong, &[], b"");
    assert!(answer.text().contains("is a handshake"), "{}", answer.text());
    assert_eq!(gateway.log().matches("secret_to_be_copied").count(), 1);
}

#[test]
fn which_secret_verified_is_counted_so_that_the_old_one_can_go() {
    let secrets = "[{ value = \"old\", label = \"spring\" }, \"new\"]";
    let gateway = Gateway::start(&source("hub", &format!("scheme = \"github\"\nsecrets = {secrets}")));
    for (number, secret) in ["old", "new", "new"].iter().enumerate() {
        let _ = gateway.post("hub", &github(secret, &format!("d-{number}"), b"{}"), b"{}").expect(202);
    }
    // A repetition is no event.
    let _ = gateway.post("hub", &github("old", "d-0", b"{}"), b"{}").expect(200);
    let event = gateway.get("/v1/events/d-0");
    assert_eq!((event["secret"].as_str(), event["repetitions"]["count"].as_u64()), (Some("spring"), Some(1)));
    assert_eq!(event["repetitions"]["times"].as_array().unwrap().len(), 1);
    let shown = gateway.run(&["events", "show", "d-0"], b"").expect(0).stdout;
    assert!(shown.contains("repeated") && shown.contains("spring"), "{shown}");
    let metrics = gateway.api("GET", "/metrics", None).text();
    let count = |secret: &str| {
        let line = metrics.lines().find(|line| {
            line.starts_with("anglerfish_verified_events_total{")
                && line.contains(&format!("secret=\"{secret}\""))
        });
        line.and_then(|line| line.rsplit(' ').next()).map(str::to_owned)
    };
    assert_eq!((count("spring").as_deref(), count("1").as_deref()), (Some("1"), Some("2")), "{metrics}");
}
