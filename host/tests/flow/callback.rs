//! Callbacks as a program awaits them: as futures that may be dropped, as streams that are merged, nested and timed.

use super::start;
use anglerfish::{Callback, CallbackError, ReceivedCallback};
use anglerfish_tests::{Request, send};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::collections::BTreeSet;
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::timeout;

/// Nothing is called here.
const NOWHERE: &str = "http://127.0.0.1:12345";

/// Posts this to an address; the status that it is answered with.
async fn post(url: &str, id: &str) -> u16 {
    let (address, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let request = Request {
        method: "POST".into(),
        path: format!("/{path}"),
        headers: vec![("webhook-id".into(), id.into())],
        body: id.into(),
        chunked: false,
    };
    let address = address.parse().unwrap();
    tokio::task::spawn_blocking(move || send(address, &request).unwrap().status).await.unwrap()
}

fn text(received: &ReceivedCallback) -> String {
    String::from_utf8(received.data.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_await_that_is_dropped_loses_nothing_and_after_a_restart_it_goes_on_behind_what_was_done_with() {
    let directory = TempDir::new().unwrap();
    let gateway = start(directory.path(), NOWHERE).await;
    let mut orders = gateway.callback("orders/eu").await.unwrap();
    assert!(timeout(Duration::from_millis(20), orders.next()).await.is_err());
    let url = orders.url().to_owned();
    for id in ["one", "two", "three"] {
        assert_eq!(post(&url, id).await, 202);
    }
    // The second is handed out and not done with.
    for id in ["one", "two"] {
        assert_eq!(text(&orders.next().await.unwrap().unwrap()), id);
    }
    drop(orders);
    gateway.shutdown().await;

    let gateway = start(directory.path(), NOWHERE).await;
    let path = |url: &str| url.splitn(4, '/').nth(3).map(str::to_owned);
    let mut orders = gateway.callback("orders/eu").await.unwrap();
    assert_eq!(path(orders.url()), path(&url), "it has the same address but for the port");
    for id in ["two", "three"] {
        assert_eq!(text(&orders.next().await.unwrap().unwrap()), id);
    }
    // Whoever holds it now fences off the one before, also while that waits.
    let waits = tokio::spawn(async move { orders.next().await });
    let mut newer = gateway.callback("orders/eu").await.unwrap();
    // It was not done with the third when it was fenced off, or it was: either is right, and nothing else comes.
    let fenced = waits.await.unwrap();
    assert!(matches!(fenced, Err(CallbackError::Fenced(_))), "{fenced:?}");
    assert_eq!(post(newer.url(), "four").await, 202);
    let next = newer.next().await.unwrap().unwrap();
    if text(&next) == "three" {
        assert_eq!(text(&newer.next().await.unwrap().unwrap()), "four");
    } else {
        assert_eq!(text(&next), "four");
    }
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callbacks_are_streams_that_are_merged_and_that_end_when_nothing_will_come() {
    let directory = TempDir::new().unwrap();
    let gateway = start(directory.path(), NOWHERE).await;
    let eu = gateway.callback("orders/eu").await.unwrap();
    let us = gateway.callback("orders/us").await.unwrap();
    let once = gateway.callbacks().spawn().once().await.unwrap();
    let other = gateway.callbacks().spawn().await.unwrap();
    assert_ne!(once.name(), other.name(), "each that is spawned has a name of its own");
    let urls = [eu.url(), us.url(), once.url()].map(str::to_owned);
    let merged = stream::select_all([eu, us, once].map(|one| one.into_stream().boxed()));
    let taken = tokio::spawn(merged.map_ok(|received| text(&received)).try_collect::<BTreeSet<_>>());
    for (url, id) in urls.iter().zip(["a", "b", "c"]) {
        assert_eq!(post(url, id).await, 202);
    }
    assert_eq!(post(&urls[0], "d").await, 202);
    assert_eq!(post(&urls[2], "e").await, 410, "it has had its only one");
    for name in ["orders/eu", "orders/us"] {
        gateway.callbacks().close(name).await.unwrap();
    }
    let taken = timeout(Duration::from_mins(1), taken).await.unwrap().unwrap().unwrap();
    assert_eq!(taken, ["a", "b", "c", "d"].map(str::to_owned).into());
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_of_several_closes_the_others_and_all_of_several_are_in_their_order() {
    let directory = TempDir::new().unwrap();
    let gateway = start(directory.path(), NOWHERE).await;
    let mut several = Vec::new();
    for name in ["a", "b", "c"] {
        several.push(gateway.callback(name).await.unwrap());
    }
    assert_eq!(post(several[1].url(), "b1").await, 202);
    let (index, received) = Callback::first(&mut several).await.unwrap().unwrap();
    assert_eq!((index, text(&received)), (1, "b1".to_owned()));
    for (one, status) in several.iter().zip([410, 202, 410]) {
        assert_eq!(post(one.url(), "late").await, status, "{}", one.name());
    }
    // Of those that are closed nothing comes, and of the other one what came since.
    let all = Callback::all(&mut several).await.unwrap();
    let all: Vec<Option<String>> = all.iter().map(|one| one.as_ref().map(text)).collect();
    assert_eq!(all, [None, Some("late".to_owned()), None]);
    several.remove(1);
    assert!(Callback::first(&mut several).await.unwrap().is_none());
    gateway.shutdown().await;
}
