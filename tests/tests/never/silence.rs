//! Whoever says nothing, half of something, or something that never ends keeps nobody out.

use super::{SECRET, SOURCE, post};
use anglerfish_tests::{Gateway, PATIENCE, Request, Setup, github, send};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

fn gateway(server: &str) -> Gateway {
    Gateway::set_up(&Setup { server: server.to_owned(), rest: SOURCE.to_owned(), ..Setup::default() })
}

/// Connections on which this was sent, and nothing more will be.
fn open(address: SocketAddr, count: usize, said: &[u8]) -> Vec<TcpStream> {
    (0..count)
        .map(|_| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.write_all(said).unwrap();
            stream
        })
        .collect()
}

#[test]
fn connections_that_say_nothing_or_half_of_something_are_closed_on_both_listeners() {
    let gateway = gateway("header_timeout = \"300ms\"\nmax_connections = 20");
    let preface = &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..];
    for said in [&b""[..], b"P", b"PRI * HTTP/2.0\r\n", preface, b"POST /in/hub HTTP/1.1\r\nhost: a\r\n"] {
        let shown = String::from_utf8_lossy(said);
        let (senders, watchers) = (open(gateway.ingress(), 20, said), open(gateway.admin(), 20, said));
        let answer = post(&gateway, &format!("after {}", said.len()), b"{}");
        assert_eq!(answer.status, 202, "{shown:?}");
        assert_eq!(gateway.api("GET", "/ready", None).status, 200, "{shown:?}");
        for mut stream in senders.into_iter().chain(watchers) {
            // Closed or reset, and in time.
            let mut rest = Vec::new();
            let ended = stream.read_to_end(&mut rest);
            let waited = ended.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
            assert!(!waited, "{shown:?}: {ended:?}");
        }
    }
}

#[test]
fn an_idle_connection_is_closed_after_its_time_and_not_before() {
    let gateway = gateway("idle_timeout = \"1s\"\nheader_timeout = \"10m\"");
    let head = b"GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut stream = open(gateway.ingress(), 1, head).remove(0);
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 404");
    stream.write_all(head).unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("HTTP/1.1 404"), "the second request was not served: {rest}");
}

/// The head of a signed event with a body of so many bytes, of which none is there.
fn head(length: usize) -> Vec<u8> {
    let mut head = format!("POST /in/hub HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n");
    for (name, value) in github(SECRET, "unfinished", b"") {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    format!("{head}\r\n").into_bytes()
}

#[test]
fn bodies_that_do_not_end_take_no_place_and_no_more_memory_than_they_may() {
    let gateway = gateway("max_requests = 2\nbody_memory = \"8MiB\"\nbody_timeout = \"10m\"");
    let _ = post(&gateway, "before", &vec![b' '; 200_000]);
    let before = gateway.memory();
    let mut said = head(1 << 20);
    said.extend_from_slice(&vec![b' '; 700_000]);
    // 140 MB, of which 8 MiB may be there at once.
    let mut held = Vec::new();
    for round in 0..10 {
        held.extend((0..20).filter_map(|_| {
            let mut stream = TcpStream::connect(gateway.ingress()).ok()?;
            stream.set_write_timeout(Some(PATIENCE)).ok()?;
            // Those that had to give way are told so while they write.
            let _ = stream.write_all(&said);
            Some(stream)
        }));
        let answer = post(&gateway, &format!("honest {round}"), &vec![b' '; 100_000]);
        assert_eq!(answer.status, 202, "{}", answer.text());
    }
    if let (Some(before), Some(after)) = (before, gateway.memory()) {
        let grown = after.saturating_sub(before) >> 20;
        assert!(grown < 64, "it holds {grown} MiB more");
    }
    let mut gave_way = 0;
    for stream in &mut held {
        let _ = stream.set_read_timeout(Some(std::time::Duration::from_millis(1)));
        let mut answer = [0; 12];
        if stream.read_exact(&mut answer).is_ok() && &answer == b"HTTP/1.1 503" {
            gave_way += 1;
        }
    }
    assert!(gave_way > 100, "{gave_way} had to give way");
}

#[test]
fn what_http_forbids_is_refused_and_nothing_of_it_is_stored() {
    let gateway = gateway("");
    let signed: String =
        github(SECRET, "d-1", b"{}").iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = "content-length: 2\r\n";
    let bad = [
        ("", length, "HTTP/1.1 400 "),
        ("host: a\r\nhost: a\r\n", length, "HTTP/1.1 400 "),
        ("host: a b\r\n", length, "HTTP/1.1 400 "),
        ("host: a\r\n", "transfer-encoding: gzip, chunked\r\n", "HTTP/1.1 501 "),
    ];
    for (host, framing, status) in bad {
        let body = if framing == length { "{}" } else { "2\r\n{}\r\n0\r\n\r\n" };
        let text = format!("POST /in/hub HTTP/1.1\r\nconnection: close\r\n{host}{framing}{signed}\r\n{body}");
        let mut stream = open(gateway.ingress(), 1, text.as_bytes()).remove(0);
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(
            answer.starts_with(status) && answer.contains("application/problem+json"),
            "{text}\n{answer}"
        );
    }
    assert!(gateway.list("/v1/events", 10).is_empty());
    // HTTP/1.0 knows no `Host`.
    let text = format!("POST /in/hub HTTP/1.0\r\n{length}{signed}\r\n{{}}");
    let mut answer = String::new();
    open(gateway.ingress(), 1, text.as_bytes()).remove(0).read_to_string(&mut answer).unwrap();
    assert!(answer.contains(" 202 "), "{answer}");
}

#[test]
fn whoever_is_refused_half_way_through_a_long_body_reads_why() {
    let gateway = gateway("");
    let long = vec![b' '; 10_000_000];
    let request = |path: &str| Request {
        method: "POST".into(),
        path: path.into(),
        headers: vec![("content-type".into(), "application/json".into())],
        body: long.clone(),
        chunked: false,
    };
    for _ in 0..5 {
        let answer = send(gateway.admin(), &request("/v1/subscriptions")).unwrap();
        assert_eq!(answer.problem(413), "body-too-large");
        let answer = send(gateway.admin(), &request("/v1/nowhere")).unwrap();
        assert_eq!(answer.problem(404), "unknown-address");
        let answer = send(gateway.ingress(), &request("/in/hub")).unwrap();
        assert_eq!(answer.problem(413), "too-large");
    }
    assert_eq!(send(gateway.ingress(), &super::request("d-1", b"{}")).unwrap().status, 202);
}
