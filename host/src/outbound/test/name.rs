//! Names: nobody waits for a name server that serves somebody else.

use super::name_server::NameServer;
use crate::outbound::names::Names;
use crate::outbound::{Guard, NameServers, Outbound, OutboundOptions, is_local, words};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

fn names(server: &NameServer, look_ups: usize) -> Names {
    Names::new(NameServers::At(vec![server.address]), look_ups)
}

fn addresses(list: &[&str]) -> Vec<IpAddr> {
    list.iter().map(|address| address.parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn six_hundred_names_that_nobody_answers_hold_up_no_other() {
    let server = NameServer::start(&[("good.test", &["192.0.2.1"])]).await;
    server.set_ttl(0);
    let names = names(&server, 256);
    let mut waiting = JoinSet::new();
    let begun = Instant::now();
    for number in 0..600 {
        let names = names.clone();
        waiting.spawn(async move { names.addresses(&format!("n{number}.silent.test")).await });
    }
    // Behind all of them, and with a name that was never asked for before.
    tokio::task::yield_now().await;
    assert_eq!(*names.addresses("good.test").await.unwrap(), addresses(&["192.0.2.1"]));
    let first = begun.elapsed();
    assert!(first < Duration::from_millis(2500), "{first:?}");
    // From then on it is known, and those that hang are out of the way.
    while !waiting.is_empty() {
        let again = Instant::now();
        names.addresses("good.test").await.unwrap();
        assert!(again.elapsed() < Duration::from_secs(1), "{:?}", again.elapsed());
        tokio::time::timeout(Duration::from_millis(100), waiting.join_next()).await.ok();
        while let Some(answer) = waiting.try_join_next() {
            answer.unwrap().unwrap_err();
        }
    }
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn one_look_up_serves_all_who_ask_and_its_answer_is_kept_for_its_time() {
    let server = NameServer::start(&[("good.test", &["192.0.2.1", "2001:db8::1"])]).await;
    server.set_ttl(60);
    let names = names(&server, 16);
    let answers = futures_util::future::join_all((0..50).map(|_| names.addresses("Good.test"))).await;
    for answer in answers {
        assert_eq!(*answer.unwrap(), addresses(&["192.0.2.1", "2001:db8::1"]));
    }
    names.addresses("good.test").await.unwrap();
    assert_eq!(server.asked("good.test"), 1);
}

#[tokio::test]
async fn a_name_that_moves_is_followed_when_its_time_is_over() {
    let server = NameServer::start(&[("good.test", &["192.0.2.1"])]).await;
    server.set_ttl(0);
    let names = names(&server, 16);
    assert_eq!(*names.addresses("good.test").await.unwrap(), addresses(&["192.0.2.1"]));
    server.set("good.test", &["192.0.2.2"]);
    let moved = async {
        while *names.addresses("good.test").await.unwrap() != addresses(&["192.0.2.2"]) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), moved).await.unwrap();
}

#[tokio::test]
async fn a_name_that_nobody_knew_is_found_once_somebody_does() {
    let server = NameServer::start(&[]).await;
    let names = names(&server, 16);
    let error = names.addresses("late.test").await.unwrap_err();
    assert_eq!(error.to_string(), "dns: late.test: no such name");
    server.set("late.test", &["192.0.2.1"]);
    let healed = async {
        loop {
            match names.addresses("late.test").await {
                Ok(found) => return found,
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    };
    // What is not there is believed for ten seconds at most.
    let found = tokio::time::timeout(Duration::from_secs(15), healed).await.unwrap();
    assert_eq!(*found, addresses(&["192.0.2.1"]));
}

#[tokio::test]
async fn what_is_wrong_with_a_name_is_told_and_counts_against_it() {
    let server = NameServer::start(&[("empty.test", &[])]).await;
    let names = names(&server, 16);
    for (name, problem) in [
        ("nobody.test", "dns: nobody.test: no such name"),
        ("empty.test", "dns: empty.test: no address"),
        ("broken.test", "dns: broken.test: the name server answers "),
        ("a.silent.test", "dns: a.silent.test: the name server does not answer for this name"),
    ] {
        let error = names.addresses(name).await.unwrap_err();
        assert!(error.to_string().starts_with(problem), "{error}");
        assert!(!error.is_local(), "{error}");
        let again = Instant::now();
        assert_eq!(names.addresses(name).await.unwrap_err(), error, "remembered");
        assert!(again.elapsed() < Duration::from_millis(500));
    }
}

#[tokio::test]
async fn a_name_server_that_answers_nothing_at_all_says_nothing_about_a_name() {
    let (address, _socket) = NameServer::mute().await;
    let names = Names::new(NameServers::At(vec![address]), 16);
    let begun = Instant::now();
    let error = names.addresses("good.test").await.unwrap_err();
    assert!(error.is_local(), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_name_server_that_fails_for_every_name_says_nothing_about_one() {
    let server = NameServer::start(&[("good.test", &["192.0.2.1"])]).await;
    server.fail(true);
    let names = names(&server, 16);
    let error = names.addresses("good.test").await.unwrap_err();
    assert!(error.is_local(), "{error}");
    assert!(error.to_string().ends_with(", whatever it is asked"), "{error}");
    server.fail(false);
    let healed = async {
        loop {
            match names.addresses("good.test").await {
                Ok(found) => return found,
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(15), healed).await.unwrap();
    assert_eq!(*found, addresses(&["192.0.2.1"]));
}

#[tokio::test]
async fn names_of_this_machine_need_no_name_server() {
    let (address, _socket) = NameServer::mute().await;
    let names = Names::new(NameServers::At(vec![address]), 1);
    let begun = Instant::now();
    for name in ["localhost", "LOCALHOST", "localhost.", "app.localhost"] {
        assert!(names.addresses(name).await.unwrap().contains(&"127.0.0.1".parse().unwrap()), "{name}");
    }
    assert!(begun.elapsed() < Duration::from_millis(500));
}

#[tokio::test]
async fn an_address_that_does_not_listen_is_left_for_the_next_one_that_is_permitted() {
    let server = NameServer::start(&[("two.test", &["127.0.0.2", "10.255.255.1", "127.0.0.1"])]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(axum::serve(listener, axum::Router::new()).into_future());
    let outbound = Outbound::try_new(OutboundOptions {
        name_servers: NameServers::At(vec![server.address]),
        ..OutboundOptions::default()
    })
    .unwrap();
    let guard = Guard::try_new(false, &["127.0.0.0/8".into()]).unwrap();
    let client = outbound.client(guard, Arc::default(), 1);
    let request = Request::get(format!("http://two.test:{port}/")).body(Full::<Bytes>::default()).unwrap();
    assert_eq!(client.request(request).await.unwrap().status(), 404);
}

#[tokio::test]
async fn a_call_that_finds_no_free_connection_fails_on_this_side() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let connection_wait = Duration::from_millis(50);
    let options = OutboundOptions { max_connections: 1, connection_wait, ..OutboundOptions::default() };
    let outbound = Outbound::try_new(options).unwrap();
    let client = outbound.client(Guard::try_new(true, &[]).unwrap(), Arc::default(), 1);
    let request = || Request::post(&url).body(Full::<Bytes>::default()).unwrap();
    let hanging = tokio::spawn(client.request(request()));
    let _stream = listener.accept().await.unwrap();
    let error = client.request(request()).await.unwrap_err();
    assert!(is_local(&error), "{error:?}");
    assert_eq!(words(&error), "no connection became free: outbound.max_connections is 1");
    hanging.abort();
}
