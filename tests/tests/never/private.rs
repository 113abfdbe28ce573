//! A redirect to a private address is never followed, and a private address is never called unless it is allowed.

use super::{SOURCE, last_error, local, post, subscription};
use anglerfish_tests::{Gateway, Receiver, Reply, Setup};
use serde_json::{Value, json};
use std::collections::HashSet;

fn delivery<'a>(deliveries: &'a [Value], id: &str) -> &'a Value {
    deliveries.iter().find(|one| one["subscription"] == id).unwrap_or_else(|| panic!("none for {id}"))
}

#[test]
fn a_redirect_is_not_followed_and_counts_as_what_it_is() {
    let inside = Receiver::start();
    let target = inside.url("/metadata?token=hunter2");
    let outside = Receiver::with(move |received, _| {
        let status = received.path.trim_start_matches("/r").parse().unwrap();
        Reply::status(status).header("location", &target)
    });
    let statuses = [301, 302, 303, 307, 308];
    // Only the address of the one that redirects is allowed, by both ways of allowing.
    let mut text = SOURCE.to_owned();
    for status in statuses {
        let allowed =
            if status == 302 { "allow_private = true" } else { "allow_networks = [\"127.0.0.1/32\"]" };
        text.push_str(&subscription(
            &format!("r{status}"),
            &outside.url(&format!("/r{status}")),
            allowed,
            "retry = { delays = [] }",
        ));
    }
    let gateway = Gateway::start(&text);
    let _ = post(&gateway, "d-1", b"{}").expect(202);
    let deliveries = gateway.settled();
    assert_eq!(outside.requests().len(), statuses.len());
    for status in statuses {
        let one = delivery(&deliveries, &format!("r{status}"));
        assert_eq!(one["status"], "dead", "{one}");
        let error = last_error(&gateway, one);
        assert!(error.starts_with(&format!("answered {status}")), "{error}");
        assert!(error.contains("redirects are not followed") && !error.contains("hunter2"), "{error}");
    }
    assert!(inside.requests().is_empty(), "a redirect was followed");
}

#[test]
fn a_private_address_is_refused_however_it_is_written_and_the_attempt_says_so() {
    let receiver = Receiver::start();
    let port = receiver.port();
    let urls = [
        format!("http://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://127.1:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://0x7f000001:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://0.0.0.0:{port}/"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://10.0.0.1/".to_owned(),
        "https://192.168.1.1/".to_owned(),
        "http://[fd00::1]/".to_owned(),
    ];
    let mut text = SOURCE.to_owned();
    for (number, url) in urls.iter().enumerate() {
        text.push_str(&subscription(&format!("s{number}"), url, "", "retry = { delays = [] }"));
    }
    let gateway = Gateway::start(&text);
    let at_run_time = json!({
        "id": "at-run-time", "endpoint": {"url": receiver.url("/")}, "delivery": {"retry": {"delays": []}}
    });
    let _ = gateway.api("POST", "/v1/subscriptions", Some(&at_run_time)).expect(201);
    let _ = post(&gateway, "d-1", b"{}").expect(202);
    let deliveries = gateway.settled();
    assert_eq!(deliveries.len(), urls.len() + 1);
    for one in &deliveries {
        assert_eq!((&one["status"], &one["attempt_count"]), (&json!("dead"), &json!(1)), "{one}");
        let error = last_error(&gateway, one);
        assert!(error.contains("refused: it is "), "{}: {error}", one["subscription"]);
    }
    assert!(receiver.requests().is_empty(), "a private address was called");
}

#[test]
fn what_is_allowed_is_called_and_nothing_beside_it() {
    let receiver = Receiver::start();
    let text = format!(
        "{SOURCE}{}{}{}",
        local("flag", &receiver, ""),
        subscription("own", &receiver.url("/own"), "allow_networks = [\"127.0.0.1/32\"]", ""),
        subscription(
            "other",
            &receiver.url("/other"),
            "allow_networks = [\"10.0.0.0/8\"]",
            "retry = { delays = [] }"
        ),
    );
    let gateway = Gateway::start(&text);
    let _ = post(&gateway, "d-1", b"{}").expect(202);
    let deliveries = gateway.settled();
    let paths: HashSet<String> = receiver.requests().into_iter().map(|one| one.path).collect();
    assert_eq!(paths, HashSet::from(["/flag".to_owned(), "/own".to_owned()]));
    assert_eq!(delivery(&deliveries, "other")["status"], "dead");

    // What the server allows holds for all of them.
    let setup = Setup {
        server: "allow_networks = [\"127.0.0.0/8\"]".into(),
        rest: format!("{SOURCE}{}", subscription("plain", &receiver.url("/plain"), "", "")),
        ..Setup::default()
    };
    let gateway = Gateway::set_up(&setup);
    let _ = post(&gateway, "d-1", b"{}").expect(202);
    assert_eq!(gateway.settled()[0]["status"], "delivered");
}
