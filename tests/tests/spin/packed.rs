//! What a configuration is packed into for instances that have just started.

use crate::host::App;
use crate::receiver::Receiver;
use crate::sender::send;
use crate::{SOON, TOKEN, by_operator, component, told};
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::timeout;

/// Where the first configuration that is deployed is packed.
const PACKED: &str = "config/1/packed/0";

/// Subscriptions of all the ways in which filters are found, more than are looked at one after another.
fn configuration(receiver: &Receiver) -> Value {
    let filters: [&dyn Fn(usize) -> String; 8] = [
        &|number| format!("event.type == \"t{}\" && message.n > {number}", number % 5),
        &|number| format!("message.customer == \"c{}\"", number % 20),
        &|number| format!("message.n > {number} && message.n < {}", number + 30),
        &|number| format!("message.name.startsWith(\"n{}\")", number % 7),
        &|number| format!("message.tags.exists(t, t == \"s{}\")", number % 9),
        &|number| format!("message.n % 7 == {}", number % 7),
        &|number| format!("headers[\"x-kind\"] == \"k{}\"", number % 3),
        &|number| format!("event.type == \"t{}\" && message.missing == {number}", number % 5),
    ];
    let subscription = |number: usize| {
        json!({
            "id": format!("s{number}"),
            "sources": ["shop"],
            "filter": filters[number % filters.len()](number),
            "endpoint": { "url": format!("http://{}/{number}", receiver.address), "allow_private": true },
        })
    };
    json!({
        "source": [{ "name": "shop", "scheme": "none", "event": { "id": "json:/id", "type": "json:/type" } }],
        "subscription": (0..200).map(subscription).collect::<Vec<_>>(),
    })
}

/// An app whose instances answer one request each.
async fn fresh(document: &Value) -> App {
    let app = App::serve_with(component().await, &[("admin_token", TOKEN)], 1).await.unwrap();
    let answer = send(app.address, by_operator("PUT", "/config"), &document.to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    app
}

/// Whom an event is sent to.
async fn sent(app: &App, receiver: &mut Receiver, id: &str, kind: usize) -> BTreeSet<String> {
    let body = json!({
        "id": id, "type": format!("t{}", kind % 5), "customer": format!("c{}", kind % 20), "n": kind * 3,
        "name": format!("n{}", kind % 7), "tags": [format!("s{}", kind % 9)],
    });
    let request = http::Request::post("/in/shop").header("content-type", "application/json");
    let answer =
        send(app.address, request.header("x-kind", format!("k{}", kind % 3)), &body.to_string()).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let receipt: Value = serde_json::from_str(&answer.body).unwrap();
    let mut paths = BTreeSet::new();
    for _ in 0..receipt["deliveries"].as_u64().unwrap() {
        let request = timeout(SOON, receiver.requests.recv()).await.unwrap().unwrap();
        assert_eq!(request.headers()["webhook-id"], id);
        paths.insert(request.uri().path().to_owned());
    }
    paths
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_that_start_decide_by_what_was_packed_as_those_that_read_the_whole() {
    let (mut of_packed, mut of_variable) =
        (Receiver::listen(200).await.unwrap(), Receiver::listen(200).await.unwrap());
    let app = fresh(&configuration(&of_packed)).await;
    // Whoever would read the document could not.
    app.shared.keys.lock().unwrap().insert("config/1/0".to_owned(), b"{".to_vec());
    let text = configuration(&of_variable).to_string();
    let other = App::serve(component().await, &[("configuration", &text)]).await.unwrap();
    let mut all = 0;
    for kind in 0..25 {
        let id = format!("e{kind}");
        let paths = sent(&app, &mut of_packed, &id, kind).await;
        assert_eq!(paths, sent(&other, &mut of_variable, &id, kind).await, "event {kind}");
        all += paths.len();
    }
    assert!(all > 500, "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_packed_and_cannot_be_used_is_packed_again_of_the_document() {
    let mut receiver = Receiver::listen(200).await.unwrap();
    let app = fresh(&configuration(&receiver)).await;
    let packed = app.shared.value(PACKED).unwrap();
    let expected = sent(&app, &mut receiver, "e0", 1).await;
    let changed = |place: usize| {
        let mut bytes = packed.to_vec();
        bytes[place] ^= 1;
        Some(Bytes::from(bytes))
    };
    // An earlier version of the app packed nothing; what another component packed begins with another hash; anything may be damaged.
    let damages = [
        None,
        changed(10),
        changed(packed.len() / 4),
        changed(packed.len() - 20),
        Some(packed.slice(..packed.len() / 2)),
        Some(Bytes::new()),
        Some(Bytes::from_static(b"\xff\xff\xff\xffand so on")),
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        match damage {
            Some(bytes) => drop(app.shared.keys.lock().unwrap().insert(PACKED.to_owned(), bytes.to_vec())),
            None => drop(app.shared.keys.lock().unwrap().remove(PACKED)),
        }
        let paths = sent(&app, &mut receiver, &format!("d{number}"), 1).await;
        assert_eq!(paths, expected, "damage {number}");
        assert_eq!(app.shared.value(PACKED), Some(packed.clone()), "damage {number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_is_gone_back_to_is_the_one_that_was_packed_with_it() {
    let mut receiver = Receiver::listen(200).await.unwrap();
    let first = configuration(&receiver);
    let app = fresh(&first).await;
    let expected = sent(&app, &mut receiver, "e1", 1).await;
    let second = json!({ "source": [{ "name": "other", "scheme": "none" }] });
    let answer = send(app.address, by_operator("PUT", "/config"), &second.to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    app.shared.pass(Duration::from_millis(1100));
    assert_eq!(send(app.address, http::Request::post("/in/shop"), "{}").await.status, 404);
    told(&app, "POST", "/config/rollback").await;
    app.shared.keys.lock().unwrap().insert("config/1/0".to_owned(), b"{".to_vec());
    app.shared.pass(Duration::from_millis(1100));
    assert_eq!(sent(&app, &mut receiver, "e2", 1).await, expected);
}
