//! Going out through a proxy.

use super::name_server::NameServer;
use crate::outbound::{Guard, NameServers, Outbound, OutboundOptions, Proxy, is_local, words};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// A proxy that connects to wherever it is asked to, or answers with another status.
async fn proxy(status: u16) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = asked.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let log = log.clone();
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).await.unwrap_or(0) > 0 {}
                log.lock().unwrap().push(head.clone());
                if status != 200 {
                    let _ = stream.write_all(format!("HTTP/1.1 {status} No\r\n\r\n").as_bytes()).await;
                    return;
                }
                // Names are the proxy's own to know.
                let target = head.split(' ').nth(1).unwrap().replace("inside.test", "127.0.0.1");
                let mut to = TcpStream::connect(target).await.unwrap();
                stream.write_all(b"HTTP/1.1 200 Fine\r\nX: y\r\n\r\n").await.unwrap();
                let _ = copy_bidirectional(&mut stream, &mut to).await;
            });
        }
    });
    (port, asked)
}

async fn receiver() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(axum::serve(listener, axum::Router::new()).into_future());
    port
}

async fn call(
    proxy: &str,
    resolves: bool,
    servers: &NameServer,
    networks: &[&str],
    url: &str,
) -> Result<u16, (String, bool)> {
    let outbound = Outbound::try_new(OutboundOptions {
        name_servers: NameServers::At(vec![servers.address]),
        proxy: Some(Proxy::try_new(proxy, resolves).unwrap()),
        ..OutboundOptions::default()
    })
    .unwrap();
    let networks = networks.iter().map(|network| (*network).to_owned()).collect::<Vec<_>>();
    let client = outbound.client(Guard::try_new(false, &networks).unwrap(), Arc::default(), 1);
    let request = Request::post(url).body(Full::<Bytes>::default()).unwrap();
    let answer = client.request(request).await;
    answer.map(|answer| answer.status().as_u16()).map_err(|error| (words(&error), is_local(&error)))
}

#[tokio::test]
async fn the_proxy_gets_an_address_that_was_checked_and_credentials() {
    let servers = NameServer::start(&[("good.test", &["127.0.0.1"]), ("ten.test", &["10.0.0.1"])]).await;
    let (port, asked) = proxy(200).await;
    let target = receiver().await;
    let url = format!("http://user:word@127.0.0.1:{port}");
    let networks = ["127.0.0.0/8"];
    assert_eq!(call(&url, false, &servers, &networks, &format!("http://good.test:{target}/")).await, Ok(404));
    let head = asked.lock().unwrap().remove(0);
    assert!(head.starts_with(&format!("CONNECT 127.0.0.1:{target} HTTP/1.1\r\n")), "{head}");
    assert!(head.contains("Proxy-Authorization: Basic dXNlcjp3b3Jk\r\n"), "{head}");
    let (error, local) = call(&url, false, &servers, &networks, "http://ten.test/").await.unwrap_err();
    assert!(error.contains("refused: it is a private address") && !local, "{error}");
    assert!(asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_proxy_that_resolves_gets_names_and_still_no_address_that_is_refused() {
    let servers = NameServer::start(&[]).await;
    let (port, asked) = proxy(200).await;
    let target = receiver().await;
    let url = format!("http://127.0.0.1:{port}");
    assert_eq!(call(&url, true, &servers, &[], &format!("http://inside.test:{target}/")).await, Ok(404));
    assert!(asked.lock().unwrap().remove(0).starts_with(&format!("CONNECT inside.test:{target} ")));
    assert!(
        call(&url, true, &servers, &[], "http://127.1/").await.unwrap_err().0.contains("a loopback address")
    );
    assert!(asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn without_tls_a_proxy_that_resolves_gets_the_own_names_of_a_machine_where_those_are_permitted() {
    let (port, asked) = proxy(200).await;
    let target = receiver().await;
    let outbound = Outbound::try_new(OutboundOptions {
        proxy: Some(Proxy::try_new(&format!("http://127.0.0.1:{port}"), true).unwrap()),
        ..OutboundOptions::default()
    })
    .unwrap();
    for (allow_private, host, refused) in [
        (true, "localhost", None),
        (false, "localhost", Some("a loopback address")),
        (true, "inside.test", Some("called without TLS")),
    ] {
        let guard = Guard::try_new(allow_private, &[]).unwrap().allow_http(false);
        let client = outbound.client(guard, Arc::default(), 1);
        let request =
            Request::post(format!("http://{host}:{target}/")).body(Full::<Bytes>::default()).unwrap();
        let answer = client.request(request).await.map_err(|error| words(&error));
        match refused {
            None => assert_eq!(answer.map(|answer| answer.status().as_u16()), Ok(404), "{host}"),
            Some(word) => assert!(answer.is_err_and(|error| error.contains(word)), "{host}"),
        }
        assert_eq!(asked.lock().unwrap().drain(..).count(), usize::from(refused.is_none()), "{host}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_proxy_is_local_and_what_it_refuses_is_not() {
    let servers = NameServer::start(&[]).await;
    for (status, local) in [(407, true), (403, false), (502, false)] {
        let (port, _) = proxy(status).await;
        let (error, is) =
            call(&format!("http://127.0.0.1:{port}"), true, &servers, &[], "http://inside.test/")
                .await
                .unwrap_err();
        assert!(error.starts_with("proxy: ") && error.contains(&status.to_string()), "{error}");
        assert_eq!(is, local, "{error}");
    }
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (error, local) =
        call(&format!("http://{closed}"), true, &servers, &[], "http://inside.test/").await.unwrap_err();
    assert!(error.contains("proxy: cannot be reached: connection refused") && local, "{error}");
}
