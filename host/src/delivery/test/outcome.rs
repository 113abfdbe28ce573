//! What one attempt comes to.

use super::receiver::Receiver;
use super::rig::{Rig, event, subscription};
use crate::delivery::DeliveryOptions;
use crate::outbound::test::name_server::NameServer;
use crate::outbound::{NameServers, Outbound, OutboundOptions};
use crate::store::DeliveryStatus;
use anglerfish_core::config::{Schedule, Secret, SigningKeyConfig, StatusSet};
use axum::body::Body;
use futures_util::{StreamExt, stream};
use http::header::{LOCATION, RETRY_AFTER};
use http::{Response, StatusCode};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

#[tokio::test]
async fn a_delivery_arrives_as_it_was_received() {
    let (rig, receiver) = (Rig::new(), Receiver::with_status(204).await);
    let mut config = subscription("a", receiver.url("/orders"));
    config.endpoint.as_mut().unwrap().method = "PUT".into();
    config.endpoint.as_mut().unwrap().headers = vec![("authorization".into(), Secret::new("Bearer t"))];
    rig.deliveries.put(&config).unwrap();
    let id = rig.send(&["a"], "{\"quantity\": 1.0}\n").await[0];
    let (delivery, attempts) = rig.ended(id).await;
    assert_eq!(delivery.status, DeliveryStatus::Delivered);
    let [attempt] = &attempts[..] else { panic!("{attempts:?}") };
    assert_eq!((attempt.number, attempt.status, &attempt.error), (1, Some(204), &None));
    let [received] = &receiver.received()[..] else { panic!("not received once") };
    assert_eq!((received.method.as_str(), received.path.as_str()), ("PUT", "/orders"));
    assert_eq!(received.body, "{\"quantity\": 1.0}\n");
    let header = |name: &str| received.headers[name].to_str().unwrap();
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("authorization"), "Bearer t");
    assert_eq!(header("user-agent"), concat!("anglerfish/", env!("CARGO_PKG_VERSION")));
    assert_eq!(header("webhook-id"), delivery.event_id);
    assert_eq!(header("webhook-timestamp").parse::<u64>().unwrap(), attempt.started.seconds());
    assert_eq!(header("ce-id"), delivery.event_id);
    assert_eq!(header("ce-type"), "order.created");
    assert!(!received.headers.contains_key("webhook-signature"));
}

#[tokio::test]
async fn a_status_of_the_discard_list_is_not_tried_again() {
    let (rig, receiver) = (Rig::new(), Receiver::with_status(404).await);
    let mut config = subscription("a", receiver.url("/"));
    config.delivery.discard = StatusSet::new(vec![(404, 404)]);
    rig.deliveries.put(&config).unwrap();
    let (delivery, attempts) = rig.settled("a").await;
    assert_eq!(delivery.status, DeliveryStatus::Discarded);
    assert_eq!(attempts[0].error.as_deref(), Some("answered 404 Not Found"));
    assert_eq!(receiver.count(), 1);
}

#[tokio::test]
async fn retries_follow_the_schedule_under_the_same_id_until_one_succeeds() {
    let rig = Rig::new();
    let status = |place| if place < 2 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let receiver = Receiver::start(move |place| async move { status(place) }).await;
    let mut config = subscription("a", receiver.url("/"));
    config.delivery.retry.schedule =
        Schedule::Delays(vec![Duration::from_millis(100), Duration::from_millis(200)]);
    rig.deliveries.put(&config).unwrap();
    let (delivery, attempts) = rig.settled("a").await;
    assert_eq!(delivery.status, DeliveryStatus::Delivered);
    assert_eq!(attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [1, 2, 3]);
    for (pair, least) in attempts.windows(2).zip([80, 160]) {
        let ended = pair[0].started.0 + pair[0].duration.as_millis() as u64;
        assert!(pair[1].started.0 >= ended + least, "{pair:?}");
    }
    let received = receiver.received();
    assert!(received.iter().all(|one| one.headers["webhook-id"] == delivery.event_id.as_str()));
}

#[tokio::test]
async fn a_delivery_is_dead_when_the_schedule_is_used_up() {
    let (rig, receiver) = (Rig::new(), Receiver::with_status(500).await);
    rig.deliveries.put(&subscription("a", receiver.url("/"))).unwrap();
    let (delivery, attempts) = rig.settled("a").await;
    assert_eq!((delivery.status, attempts.len(), receiver.count()), (DeliveryStatus::Dead, 3, 3));
    assert_eq!(attempts[2].error.as_deref(), Some("answered 500 Internal Server Error"));
}

#[tokio::test]
async fn retry_after_is_waited_for() {
    let rig = Rig::new();
    let receiver = Receiver::start(async |_| ([(RETRY_AFTER, "3600")], StatusCode::TOO_MANY_REQUESTS)).await;
    rig.deliveries.put(&subscription("a", receiver.url("/"))).unwrap();
    let id = rig.send(&["a"], "{}").await[0];
    let (delivery, attempts) = rig.attempted(id).await;
    let ended = attempts[0].started.0 + attempts[0].duration.as_millis() as u64;
    assert!(delivery.due.unwrap().0 >= ended + 3_600_000, "{delivery:?}");
}

#[tokio::test]
async fn an_endpoint_that_never_answers_times_out() {
    let rig = Rig::new();
    let receiver = Receiver::start(async |_| std::future::pending::<StatusCode>().await).await;
    let mut config = subscription("a", receiver.url("/"));
    config.delivery.timeout = Duration::from_millis(150);
    config.delivery.retry.schedule = Schedule::Delays(Vec::new());
    rig.deliveries.put(&config).unwrap();
    let (delivery, attempts) = rig.settled("a").await;
    assert_eq!(delivery.status, DeliveryStatus::Dead);
    assert_eq!(attempts[0].error.as_deref(), Some("timed out after 150ms"));
    assert!(attempts[0].duration >= Duration::from_millis(150));
}

#[tokio::test]
async fn the_timeout_holds_until_the_head_of_the_answer() {
    let rig = Rig::new();
    let receiver = Receiver::start(async |_| {
        let drip = stream::repeat(()).then(async |()| {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok::<_, std::io::Error>("x")
        });
        Body::from_stream(drip)
    })
    .await;
    let mut config = subscription("a", receiver.url("/"));
    config.delivery.timeout = Duration::from_millis(300);
    config.delivery.retry.schedule = Schedule::Delays(Vec::new());
    rig.deliveries.put(&config).unwrap();
    let (delivery, attempts) = rig.settled("a").await;
    assert_eq!((delivery.status, attempts[0].status), (DeliveryStatus::Delivered, Some(200)));
}

#[tokio::test]
async fn no_more_than_the_beginning_of_an_answer_is_read() {
    let rig = Rig::new();
    let receiver = Receiver::start(async |_| {
        let endless = stream::repeat_with(|| Ok::<_, std::io::Error>("x".repeat(1000)));
        Body::from_stream(endless)
    })
    .await;
    rig.deliveries.put(&subscription("a", receiver.url("/"))).unwrap();
    let (delivery, attempts) = rig.settled("a").await;
    assert_eq!(delivery.status, DeliveryStatus::Delivered);
    assert_eq!(attempts[0].answer.as_deref(), Some("x".repeat(4096).as_str()));
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_not_followed() {
    let rig = Rig::new();
    let target = Receiver::with_status(200).await;
    let to = target.url("/secret");
    let receiver = Receiver::start(move |_| {
        let to = to.clone();
        async move { ([(LOCATION, to)], StatusCode::TEMPORARY_REDIRECT) }
    })
    .await;
    let mut config = subscription("a", receiver.url("/"));
    config.delivery.retry.schedule = Schedule::Delays(Vec::new());
    rig.deliveries.put(&config).unwrap();
    let (delivery, attempts) = rig.settled("a").await;
    assert_eq!((delivery.status, target.count()), (DeliveryStatus::Dead, 0));
    let error = attempts[0].error.as_deref().unwrap();
    assert!(error.starts_with("answered 307 Temporary Redirect: redirects are not followed"), "{error}");
}

#[tokio::test]
async fn private_addresses_are_refused_unless_allowed() {
    let (rig, receiver) = (Rig::new(), Receiver::with_status(200).await);
    let mut config = subscription("a", receiver.url("/"));
    config.endpoint.as_mut().unwrap().allow_private = false;
    config.delivery.retry.schedule = Schedule::Delays(Vec::new());
    rig.deliveries.put(&config).unwrap();
    let (delivery, attempts) = rig.settled("a").await;
    assert_eq!((delivery.status, receiver.count()), (DeliveryStatus::Dead, 0));
    let error = attempts[0].error.as_deref().unwrap();
    assert!(error.starts_with("address 127.0.0.1 refused: it is a loopback address"), "{error}");

    config.endpoint.as_mut().unwrap().allow_networks = vec!["127.0.0.0/8".into()];
    rig.deliveries.put(&config).unwrap();
    assert_eq!(rig.settled("a").await.0.status, DeliveryStatus::Delivered);
}

#[tokio::test]
async fn a_connection_of_one_subscription_never_serves_another() {
    let (rig, receiver) = (Rig::new(), Receiver::with_status(200).await);
    let allowed = subscription("allowed", receiver.url("/"));
    let mut refused = subscription("refused", receiver.url("/"));
    refused.endpoint.as_mut().unwrap().allow_private = false;
    refused.delivery.retry.schedule = Schedule::Delays(Vec::new());
    rig.deliveries.put(&allowed).unwrap();
    rig.deliveries.put(&refused).unwrap();
    assert_eq!(rig.settled("allowed").await.0.status, DeliveryStatus::Delivered);
    assert_eq!(rig.settled("refused").await.0.status, DeliveryStatus::Dead);
    assert_eq!(receiver.count(), 1);
}

#[tokio::test]
async fn errors_say_what_happened() {
    let names = NameServer::start(&[]).await;
    let name_servers = NameServers::At(vec![names.address]);
    let outbound = Outbound::try_new(OutboundOptions { name_servers, ..OutboundOptions::default() }).unwrap();
    let rig = Rig::with(DeliveryOptions { outbound: Some(outbound), ..DeliveryOptions::default() });
    // Bound and not listened at, so that nothing else in this process gets the port meanwhile.
    let closed = TcpSocket::new_v4().unwrap();
    closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = closed.local_addr().unwrap().port();
    for (host, words) in [
        (format!("127.0.0.1:{port}"), "connection refused"),
        ("nowhere.test".to_owned(), "dns: nowhere.test: no such name"),
        (format!("127.0.0.1:{}", answering("nonsense\r\n\r\n").await), "the answer is not http: "),
        (format!("127.0.0.1:{}", answering("").await), "connection closed"),
        (format!("127.0.0.1:{}", resetting().await), "connection reset"),
    ] {
        let mut config = subscription("a", format!("http://{host}/"));
        config.delivery.retry.schedule = Schedule::Delays(Vec::new());
        rig.deliveries.put(&config).unwrap();
        let (delivery, attempts) = rig.settled("a").await;
        assert_eq!(delivery.status, DeliveryStatus::Dead);
        let error = attempts[0].error.as_deref().unwrap();
        assert!(error.starts_with(words), "{host}: {error}");
    }
}

#[tokio::test]
async fn the_status_decides_however_the_body_ends() {
    let rig = Rig::new();
    let chunks = |times: usize, pause: Duration| async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n").await;
                for _ in 0..times {
                    if stream.write_all(&[b'x'; 10]).await.is_err() {
                        break;
                    }
                    tokio::time::sleep(pause).await;
                }
            }
        });
        port
    };
    let forever = usize::MAX;
    for (what, port) in [
        ("breaks off", chunks(1, Duration::ZERO).await),
        ("has no end", chunks(forever, Duration::ZERO).await),
        ("trickles", chunks(forever, Duration::from_millis(20)).await),
    ] {
        let mut config = subscription("a", format!("http://127.0.0.1:{port}/"));
        config.delivery.retry.schedule = Schedule::Delays(Vec::new());
        rig.deliveries.put(&config).unwrap();
        let (delivery, attempts) = rig.settled("a").await;
        assert_eq!((delivery.status, attempts[0].status), (DeliveryStatus::Delivered, Some(200)), "{what}");
        assert!(attempts[0].answer.as_deref().unwrap().starts_with("xxxxxxxxxx"), "{what}");
    }
}

/// A server that resets every connection once it has read something.
async fn resetting() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            read_whole(&mut stream).await;
            stream.set_zero_linger().unwrap();
        }
    });
    port
}

/// A server that answers every connection with some bytes and closes it.
async fn answering(bytes: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            read_whole(&mut stream).await;
            let _ = stream.write_all(bytes.as_bytes()).await;
        }
    });
    port
}

/// Reads a request to its end: a connection that is closed before is reset.
async fn read_whole(stream: &mut TcpStream) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n{}") && stream.read_buf(&mut request).await.is_ok_and(|read| read > 0)
    {
    }
}

#[tokio::test]
async fn connections_are_used_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let accepted = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = accepted.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            tokio::spawn(async move {
                let mut request = [0; 4096];
                while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                    let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
                }
            });
        }
    });
    let rig = Rig::new();
    rig.deliveries.put(&subscription("a", format!("http://127.0.0.1:{port}/"))).unwrap();
    for _ in 0..5 {
        assert_eq!(rig.settled("a").await.0.status, DeliveryStatus::Delivered);
    }
    assert_eq!(accepted.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_called_is_refused_with_its_place() {
    let rig = Rig::new();
    let good = subscription("a", "http://127.0.0.1:1/".into());
    for (path, change) in [
        (
            "endpoint.url",
            (|config| config.endpoint.as_mut().unwrap().url = "ftp://x/".into())
                as fn(&mut super::rig::Config),
        ),
        ("endpoint.method", |config| config.endpoint.as_mut().unwrap().method = "A B".into()),
        ("endpoint.headers.x-a", |config| {
            config.endpoint.as_mut().unwrap().headers = vec![("x-a".into(), Secret::new("hunter2\n"))];
        }),
        ("endpoint.allow_networks", |config| {
            config.endpoint.as_mut().unwrap().allow_networks = vec!["10.0.0.0".into()]
        }),
        ("endpoint.secrets[0]", |config| {
            config.endpoint.as_mut().unwrap().secrets = vec![SigningKeyConfig::new("hunter2")]
        }),
    ] {
        let mut config = good.clone();
        change(&mut config);
        let problem = rig.deliveries.put(&config).unwrap_err();
        assert_eq!(problem.path, path);
        assert!(!problem.message.contains("hunter2"), "{problem}");
    }
}

#[tokio::test]
async fn a_content_type_that_cannot_be_sent_fails_the_attempt() {
    let (rig, receiver) = (Rig::new(), Receiver::with_status(200).await);
    let mut config = subscription("a", receiver.url("/"));
    config.delivery.retry.schedule = Schedule::Delays(Vec::new());
    rig.deliveries.put(&config).unwrap();
    let mut event = event(&["a"], "{}");
    event.event.datacontenttype = Some("text/plain\r\nx: y".into());
    let deliveries = rig.commit_event(event).await;
    let id = deliveries[0].id;
    rig.deliveries.offer(deliveries);
    let (delivery, attempts) = rig.ended(id).await;
    assert_eq!(delivery.status, DeliveryStatus::Dead);
    assert_eq!(attempts[0].error.as_deref(), Some("the value of header `content-type` cannot be sent"));
    assert_eq!(receiver.count(), 0);
}

#[tokio::test]
async fn the_head_of_an_answer_has_a_limit() {
    let rig = Rig::new();
    let receiver = Receiver::start(async |_| {
        Response::builder().header("x-long", "x".repeat(500_000)).body(Body::empty()).unwrap()
    })
    .await;
    let mut config = subscription("a", receiver.url("/"));
    config.delivery.retry.schedule = Schedule::Delays(Vec::new());
    rig.deliveries.put(&config).unwrap();
    let (delivery, attempts) = rig.settled("a").await;
    assert_eq!(delivery.status, DeliveryStatus::Dead);
    assert_eq!(attempts[0].error.as_deref(), Some("the head of the answer is too large"));
}
