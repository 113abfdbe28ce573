//! A body is never truncated.

use super::{SOURCE, local, post, request};
use anglerfish_tests::{Gateway, PATIENCE, Receiver, Request, Setup, github, send};
use std::io::{Read, Write};
use std::net::TcpStream;

const LIMIT: usize = 10_000;

fn gateway(receiver: &Receiver) -> Gateway {
    Gateway::set_up(&Setup {
        server: format!("body_limit = {LIMIT}"),
        rest: format!("{SOURCE}{}", local("all", receiver, "")),
        ..Setup::default()
    })
}

/// Bytes that no text function leaves alone.
fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|number| u8::try_from(number * 7 % 256).unwrap()).collect()
}

#[test]
fn a_body_up_to_the_limit_arrives_byte_for_byte_and_a_longer_one_is_refused() {
    let receiver = Receiver::start();
    let gateway = gateway(&receiver);
    let mut sent = 0;
    for chunked in [false, true] {
        for length in [0, 1, LIMIT - 1, LIMIT, LIMIT + 1, 2 * LIMIT, 30 * LIMIT] {
            let id = format!("{length}-{chunked}");
            let answer =
                send(gateway.ingress(), &Request { chunked, ..request(&id, &bytes(length)) }).unwrap();
            if length > LIMIT {
                assert_eq!(answer.problem(413), "too-large", "{id}");
                assert_eq!(answer.json()["title"], "Content Too Large");
                continue;
            }
            let _ = answer.expect(202);
            sent += 1;
            let all = receiver
                .wait_until(&id, |all| all.iter().any(|one| one.header("webhook-id") == Some(id.as_str())));
            let received = all.iter().find(|one| one.header("webhook-id") == Some(id.as_str())).unwrap();
            assert!(received.body == bytes(length), "the body of {id} was changed");
            let stored = gateway.api("GET", &format!("/v1/events/{id}/data"), None).expect(200);
            assert!(stored.body == bytes(length), "the stored body of {id} was changed");
        }
    }
    assert_eq!(gateway.list("/v1/events", 500).len(), sent);
}

#[test]
fn a_body_that_says_it_is_compressed_is_passed_on_as_it_came() {
    let receiver = Receiver::start();
    let gateway = gateway(&receiver);
    let body = bytes(3000);
    let mut request = request("d-1", &body);
    request.headers.push(("content-encoding".to_owned(), "gzip".to_owned()));
    let _ = send(gateway.ingress(), &request).unwrap().expect(202);
    assert!(receiver.wait(1)[0].body == body);
}

#[test]
fn a_body_that_ends_early_is_no_event() {
    let receiver = Receiver::start();
    let gateway = gateway(&receiver);
    let (whole, sent) = (br#"{"a":1,"b":2}"#, br#"{"a":1}"#);
    let head = |framing: &str, body: &[u8]| {
        let mut head = format!("POST /in/hub HTTP/1.1\r\nhost: a\r\n{framing}\r\n");
        for (name, value) in github(super::SECRET, "early", body) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        format!("{head}\r\n").into_bytes()
    };
    // Each is signed for what is sent: only the framing tells that something is missing.
    let declared = [head(&format!("content-length: {}", whole.len()), sent), sent.to_vec()].concat();
    let chunk = format!("{:x}\r\n{}\r\n", sent.len(), String::from_utf8_lossy(sent));
    let chunked = [head("transfer-encoding: chunked", sent), chunk.into_bytes()].concat();
    for text in [declared, chunked] {
        let mut stream = TcpStream::connect(gateway.ingress()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&text).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    let _ = post(&gateway, "last", b"{}").expect(202);
    let _ = receiver.wait(1);
    assert_eq!(super::ids(&receiver), ["last"]);
    assert_eq!(gateway.list("/v1/events", 10).len(), 1);
}
