//! Traces, sent to a collector.

use super::{SOURCE, local, request};
use anglerfish_tests::{Gateway, Receiver, Setup, send};

#[test]
fn a_request_makes_a_trace_that_goes_on_its_senders_and_none_without_a_collector() {
    let collector = Receiver::start();
    let gateway = Gateway::set_up(&Setup {
        rest: format!("[telemetry]\notlp = \"{}\"\n{SOURCE}", collector.url("")),
        ..Setup::default()
    });
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let mut traced = request("d-1", b"{}");
    traced.headers.push(("traceparent".into(), format!("00-{trace}-b7ad6b7169203331-01")));
    assert_eq!(send(gateway.ingress(), &traced).unwrap().status, 202);
    let id = hex::decode(trace).unwrap();
    let sent = collector.wait_until("a batch with the sender's trace", |requests| {
        requests.iter().any(|one| one.body.windows(id.len()).any(|window| window == id))
    });
    let batch = sent.iter().find(|one| one.body.windows(id.len()).any(|window| window == id)).unwrap();
    assert_eq!(batch.path, "/v1/traces");
    assert_eq!(batch.header("content-type"), Some("application/x-protobuf"));
    let text: String = sent.iter().map(|one| String::from_utf8_lossy(&one.body).into_owned()).collect();
    for span in ["ingress", "decision", "commit"] {
        assert!(text.contains(span), "no span {span}");
    }
}

#[test]
fn a_receiver_gets_the_trace_that_the_event_came_with() {
    let receiver = Receiver::start();
    let gateway = Gateway::start(&format!("{SOURCE}{}", local("a", &receiver, "")));
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let mut traced = request("d-1", b"{}");
    traced.headers.push(("traceparent".into(), trace.into()));
    assert_eq!(send(gateway.ingress(), &traced).unwrap().status, 202);
    assert_eq!(send(gateway.ingress(), &request("d-2", b"{}")).unwrap().status, 202);
    for delivered in receiver.wait(2) {
        let expected = (delivered.header("webhook-id") == Some("d-1")).then_some(trace);
        assert_eq!(delivered.header("traceparent"), expected);
    }
}
