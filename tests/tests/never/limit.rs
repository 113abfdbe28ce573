//! No limit of the intake is written down and not enforced: one test for each key of `[server]`, `[admin]` and `[store]`
//! that bounds something. (`body_limit` is with the bodies, `shutdown_timeout` with the command line.)

use super::{SECRET, SOURCE, ids, local, post, request};
use anglerfish_tests::{Gateway, PATIENCE, Receiver, Request, Setup, eventually, github, send};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

fn gateway(server: &str) -> Gateway {
    Gateway::set_up(&Setup { server: server.to_owned(), rest: SOURCE.to_owned(), ..Setup::default() })
}

/// A request of which only a part has been sent.
struct Part {
    stream: TcpStream,
    rest: Vec<u8>,
}

impl Part {
    /// Sends the head of an event, and nothing of its body.
    fn begin(address: SocketAddr, id: &str) -> Self {
        let body = b"{}";
        let mut head =
            "POST /in/hub HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 2\r\n".to_owned();
        for (name, value) in github(SECRET, id, body) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut part = Self::raw(address, format!("{head}\r\n").as_bytes());
        part.rest = body.to_vec();
        part
    }

    fn raw(address: SocketAddr, text: &[u8]) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(text).unwrap();
        Self { stream, rest: Vec::new() }
    }

    /// Sends what is missing and reads the answer.
    fn end(mut self) -> String {
        self.stream.write_all(&self.rest).unwrap();
        self.answer()
    }

    /// Reads to the end of the connection.
    fn answer(&mut self) -> String {
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

#[test]
fn body_timeout_ends_the_wait_for_a_slow_body() {
    let gateway = gateway("body_timeout = \"200ms\"");
    let answer = Part::begin(gateway.ingress(), "d-1").answer();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("body-timeout"), "{answer}");
    assert!(gateway.list("/v1/events", 10).is_empty());
    let _ = post(&gateway, "d-1", b"{}").expect(202);
}

#[test]
fn header_timeout_ends_the_wait_for_a_slow_head() {
    let gateway = gateway("header_timeout = \"200ms\"");
    let begun = Instant::now();
    let answer = Part::raw(gateway.ingress(), b"POST /in/hub HTTP/1.1\r\nhost: a\r\nx-slow: ").answer();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(begun.elapsed() < PATIENCE / 2, "only the test's own patience ended it");
    let _ = post(&gateway, "d-1", b"{}").expect(202);
}

#[test]
fn max_connections_lets_further_ones_wait() {
    let gateway = gateway("max_connections = 2");
    let first = Part::begin(gateway.ingress(), "d-1");
    let second = Part::begin(gateway.ingress(), "d-2");
    let mut third = Part::begin(gateway.ingress(), "d-3");
    third.stream.write_all(&third.rest).unwrap();
    // It is whole, and nobody reads it.
    third.stream.set_read_timeout(Some(std::time::Duration::from_millis(300))).unwrap();
    let mut byte = [0];
    let early = third.stream.read(&mut byte);
    assert!(early.is_err(), "a third connection was served: {early:?}");
    third.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(first.end().starts_with("HTTP/1.1 202 "));
    assert!(third.answer().starts_with("HTTP/1.1 202 "));
    assert!(second.end().starts_with("HTTP/1.1 202 "));
}

#[test]
fn max_requests_answers_further_ones_503_and_says_when_to_come_back() {
    let gateway = gateway("max_requests = 2");
    let _ = post(&gateway, "before", b"{}").expect(202);
    let other = rusqlite::Connection::open(gateway.directory().join("data/anglerfish.db")).unwrap();
    other.busy_timeout(PATIENCE).unwrap();
    let answer = std::thread::scope(|scope| {
        eventually("as many as may be are under way", || {
            // While the store is locked, whatever is whole is under way.
            other.execute_batch("BEGIN IMMEDIATE").unwrap();
            let sent: Vec<_> = (0..8)
                .map(|number| {
                    let gateway = &gateway;
                    scope.spawn(move || post(gateway, &format!("d-{number}"), b"{}"))
                })
                .collect();
            let answers: Vec<_> = sent.into_iter().map(|one| one.join().unwrap()).collect();
            other.execute_batch("ROLLBACK").unwrap();
            answers.into_iter().find(|answer| answer.problem(503) == "overloaded")
        })
    });
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    let _ = eventually("it takes events again", || {
        Some(post(&gateway, "when they are done", b"{}")).filter(|answer| answer.status == 202)
    });
}

#[test]
fn max_queue_answers_503_what_no_worker_has_time_for_and_loses_nothing() {
    let receiver = Receiver::start();
    let gateway = Gateway::set_up(&Setup {
        server: "workers = 1\nmax_queue = 1\nbody_limit = \"4MiB\"".into(),
        rest: format!("{SOURCE}{}", local("all", &receiver, "")),
        ..Setup::default()
    });
    let body = format!("{{\"a\":[{}0]}}", "0,".repeat(1_000_000)).into_bytes();
    let (mut accepted, mut refused) = (Vec::new(), 0);
    for round in 0.. {
        let answers: Vec<_> = std::thread::scope(|scope| {
            let (gateway, body) = (&gateway, &body);
            let sent: Vec<_> = (0..16)
                .map(|number| {
                    let id = format!("d-{round}-{number}");
                    scope.spawn(move || (post(gateway, &id, body), id))
                })
                .collect();
            sent.into_iter().map(|one| one.join().unwrap()).collect()
        });
        for (answer, id) in answers {
            if answer.status == 202 {
                accepted.push(id);
                continue;
            }
            assert_eq!(answer.problem(503), "overloaded");
            assert!(answer.header("retry-after").is_some());
            refused += 1;
        }
        if refused > 0 && !accepted.is_empty() {
            break;
        }
        assert!(round < 20, "{refused} refused, {} accepted", accepted.len());
    }
    let _ = gateway.settled();
    let mut delivered = ids(&receiver);
    delivered.sort();
    accepted.sort();
    assert_eq!(delivered, accepted);
}

#[test]
fn decision_timeout_ends_a_decision_with_500_and_the_next_one_is_made() {
    let mut text = SOURCE.to_owned();
    for number in 0..100 {
        // Each is another one: what many have in common is evaluated once.
        let slow =
            format!("message.list.all(a, message.list.all(b, message.list.all(c, a + b + c >= -{number})))");
        text.push_str(&format!(
            "[[subscription]]\nid = \"s{number}\"\nfilter = '''{slow}'''\n\
             endpoint = {{ url = \"http://127.0.0.1:1029/\" }}\n"
        ));
    }
    let gateway = Gateway::set_up(&Setup {
        server: "decision_timeout = \"10ms\"\nworkers = 1".into(),
        rest: text,
        ..Setup::default()
    });
    let list = (0..40).map(|number| number.to_string()).collect::<Vec<_>>().join(",");
    let answer = post(&gateway, "slow", format!("{{\"list\":[{list}]}}").as_bytes());
    assert_eq!(answer.problem(500), "internal");
    let _ = eventually("another decision is made", || {
        let answer = post(&gateway, "d-1", b"{}");
        [200, 202].contains(&answer.status).then_some(answer)
    });
    let stored: Vec<Value> = gateway.list("/v1/events", 10).iter().map(|event| event["id"].clone()).collect();
    assert_eq!(stored, ["d-1"]);
}

#[test]
fn memory_limit_ends_a_decision_with_500_and_the_next_one_is_made() {
    let gateway = Gateway::set_up(&Setup {
        server: "memory_limit = \"16MiB\"\nbody_limit = \"64MiB\"\ndecision_timeout = \"60s\"".into(),
        rest: SOURCE.to_owned(),
        ..Setup::default()
    });
    let large = vec![b' '; 40 << 20];
    let answer = post(&gateway, "large", &large);
    assert_eq!(answer.problem(500), "internal");
    let _ = post(&gateway, "d-1", b"{}").expect(202);
    assert_eq!(gateway.list("/v1/events", 10).len(), 1);
}

#[test]
fn trusted_proxies_alone_say_where_a_request_came_in() {
    for (proxies, host) in [("[]", "hooks.internal"), ("[\"127.0.0.0/8\"]", "example.com")] {
        let gateway = gateway(&format!("trusted_proxies = {proxies}"));
        let mut request = request("d-1", b"{}");
        for (name, value) in [
            ("x-forwarded-host", "example.com"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-for", "192.0.2.1"),
        ] {
            request.headers.push((name.to_owned(), value.to_owned()));
        }
        let mut text =
            "POST /in/hub HTTP/1.1\r\nhost: hooks.internal\r\nconnection: close\r\ncontent-length: 2\r\n"
                .to_owned();
        for (name, value) in &request.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        let answer = Part::raw(gateway.ingress(), format!("{text}\r\n{{}}").as_bytes()).answer();
        assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
        let url = gateway.get("/v1/events/d-1")["request"]["url"].as_str().unwrap().to_owned();
        assert!(url.contains(&format!("//{host}/in/hub")), "{proxies}: {url}");
    }
}

#[test]
fn an_id_or_type_of_the_provider_that_is_too_long_counts_as_none() {
    let gateway = Gateway::start(SOURCE);
    let post = |id: &str, kind: &str, body: &[u8]| {
        let mut request = request(id, body);
        request.headers[1].1 = kind.to_owned();
        let id = send(gateway.ingress(), &request).unwrap().expect(202).json()["id"].clone();
        let shown = gateway.get(&format!("/v1/events/{}", id.as_str().unwrap()));
        (id, shown["event"]["type"].clone())
    };
    let longest = "x".repeat(256);
    assert_eq!(post(&longest, &longest, b"1"), (json!(longest), json!(longest)));
    let (id, kind) = post(&"x".repeat(257), &"x".repeat(257), b"2");
    assert!(id.as_str().unwrap().starts_with("sha256:"), "{id}");
    assert_eq!(kind, "hub", "the source's name stands in");
}

#[test]
fn the_management_api_takes_bodies_and_pages_of_bounded_size() {
    let gateway = Gateway::start(SOURCE);
    let document = json!({"id": "a", "filter": "x".repeat(2 << 20), "endpoint": {"url": "http://h/"}});
    let answer = gateway.api("POST", "/v1/subscriptions", Some(&document));
    assert_eq!(answer.problem(413), "body-too-large");
    assert_eq!(answer.json()["title"], "Content Too Large");
    let _ = gateway.api("GET", "/v1/events?limit=500", None).expect(200);
    let _ = gateway.api("GET", "/v1/events?limit=501", None).problem(400);
    let long = format!("/v1/events/{}", "x".repeat(100_000));
    let request = Request { method: "GET".into(), path: long, ..Request::default() };
    let answer = send(gateway.admin(), &request).unwrap();
    assert!([404, 414, 431].contains(&answer.status), "{}", answer.status);
}

#[test]
fn retention_lets_go_of_old_events_with_their_keys_and_keeps_new_ones() {
    let receiver = Receiver::start();
    let setup = Setup {
        admin: "[store]\nretention = \"1m\"".into(),
        rest: format!("{SOURCE}{}", local("all", &receiver, "")),
        ..Setup::default()
    };
    let mut gateway = Gateway::set_up(&setup);
    for id in ["old-1", "old-2", "new"] {
        let _ = post(&gateway, id, b"{}").expect(202);
    }
    let _ = gateway.settled();
    gateway.signal_end();
    assert_eq!(gateway.wait_end().code(), Some(0));
    // As if they had come two minutes ago.
    let database = rusqlite::Connection::open(gateway.directory().join("data/anglerfish.db")).unwrap();
    database
        .execute_batch(
            "UPDATE events SET received = received - 120000 WHERE id LIKE 'old-%';
             UPDATE deliveries SET created = created - 120000
             WHERE seq IN (SELECT seq FROM events WHERE id LIKE 'old-%')",
        )
        .unwrap();
    drop(database);
    gateway.spawn();
    eventually("the old events are gone", || (gateway.list("/v1/events", 10).len() == 1).then_some(()));
    assert_eq!(gateway.list("/v1/events", 10)[0]["id"], "new");
    assert_eq!(gateway.list("/v1/deliveries", 10).len(), 1);
    let _ = post(&gateway, "new", b"{}").expect(200);
    let _ = post(&gateway, "old-1", b"{}").expect(202);
}
