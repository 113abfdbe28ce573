//! The Spin app: its component and the gateway component composed, under wasmtime's own WASI 0.3 HTTP host; and beside it the two
//! other shells, which answer the same.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

mod binding;
#[path = "../../../xtask/src/spin.rs"]
mod build;
mod compose;
mod deployment;
mod documents;
mod host;
mod operator;
mod outbox;
mod packed;
mod plugins;
mod real;
mod receiver;
mod recorded;
mod sender;
mod shell;
mod table;

use bytes::Bytes;
use host::App;
use receiver::Receiver;
use sender::{
    Answer, SLACK, WHSEC, send, send_chunked, slack, standard_webhooks, standard_webhooks_signature,
};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::time::timeout;

const ORDER: &str = r#"{"type":"order.created","quantity":3}"#;
const LIMIT: usize = 1024 * 1024;
const SOON: Duration = Duration::from_secs(60);
/// What opens the operator's paths.
const TOKEN: &str = "a-token-that-nobody-guesses";

/// The composed component, built once for all tests.
async fn component() -> &'static [u8] {
    static COMPONENT: OnceCell<Vec<u8>> = OnceCell::const_new();
    COMPONENT
        .get_or_init(|| async {
            let built = build::build_spin().expect("the app builds");
            compose::compose(&built).expect("the components fit")
        })
        .await
}

fn configuration(receiver: &Receiver) -> String {
    let endpoint = |path: &str| {
        json!({
            "url": format!("http://{}{path}", receiver.address),
            "secret": WHSEC,
            "headers": { "x-token": "abc" },
            "allow_private": true,
        })
    };
    json!({
        "source": [
            { "name": "shop", "scheme": "standard-webhooks", "secrets": [WHSEC] },
            { "name": "chat", "scheme": "slack", "secrets": [SLACK] },
            { "name": "bulk", "scheme": "none", "split": "json:/items", "event": { "id": "json:/id", "type": "json:/is" } },
        ],
        "subscription": [
            {
                "id": "orders",
                "sources": ["shop"],
                "filter": r#"event.type == "order.created" && message.quantity > 0"#,
                "endpoint": endpoint("/orders"),
            },
            { "id": "all", "sources": ["shop"], "endpoint": endpoint("/all") },
            { "id": "items", "sources": ["bulk"], "filter": "message.n > 1", "endpoint": endpoint("/items") },
            { "id": "refunds", "filter": r#"event.type == "refund""#, "endpoint": endpoint("/refunds") },
        ],
    })
    .to_string()
}

async fn serve(receiver: &Receiver) -> App {
    let variables = [("configuration", configuration(receiver)), ("admin_token", TOKEN.to_owned())];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    App::serve(component().await, &variables).await.unwrap()
}

/// A request of the operator's.
fn by_operator(method: &str, path: &str) -> http::request::Builder {
    http::Request::builder().method(method).uri(path).header("authorization", format!("Bearer {TOKEN}"))
}

/// What the operator is told.
async fn told(app: &App, method: &str, path: &str) -> Value {
    let answer = send(app.address, by_operator(method, path), "").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_str(&answer.body).unwrap()
}

fn problem(status: u16, title: &str, code: &str, answer: &Answer) {
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.content_type.as_deref(), Some("application/problem+json"));
    assert_eq!((&body["type"], &body["title"]), (&json!("about:blank"), &json!(title)));
    assert_eq!((&body["status"], &body["code"]), (&json!(status), &json!(code)));
    assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
}

/// What a sender reads as long as there is nothing to decide by: to come back, and not why.
fn not_ready(answer: &Answer) {
    problem(503, "Service Unavailable", "not-ready", answer);
    assert_eq!(answer.retry_after.as_deref(), Some("1"));
    assert!(answer.body.contains("\"detail\":\"nothing can be taken in now\""), "{answer:?}");
}

/// Waits until an attempt of a delivery is written down.
async fn tried(app: &App, subscription: &str, source: &str, id: &str) -> Value {
    let tried = async {
        loop {
            if let Some(value) = app.shared.value(&format!("work/0/{source}/{id}")) {
                let value: Value = serde_json::from_slice(&value).unwrap();
                let deliveries = value["deliveries"].as_array().unwrap();
                let found = deliveries.iter().find(|delivery| delivery["subscription"] == subscription);
                if let Some(delivery) = found.filter(|delivery| delivery.get("last").is_some()) {
                    return delivery.clone();
                }
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, tried).await.expect("an attempt")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_event_is_kept_and_reaches_each_subscriber_once() {
    let mut receiver = Receiver::listen(200).await.unwrap();
    let app = serve(&receiver).await;

    let answer = send(app.address, standard_webhooks("msg_1", ORDER), ORDER).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(answer.content_type.as_deref(), Some("application/json"));
    assert_eq!(answer.body, r#"{"id":"msg_1","status":"accepted","deliveries":2}"#);

    let mut paths = Vec::new();
    for _ in 0..2 {
        let request = timeout(SOON, receiver.requests.recv()).await.unwrap().unwrap();
        let field = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(request.body().as_ref(), ORDER.as_bytes());
        assert_eq!(field("content-type").as_deref(), Some("application/json"));
        assert_eq!(field("x-token").as_deref(), Some("abc"));
        assert_eq!(field("webhook-id").as_deref(), Some("msg_1"));
        let timestamp = field("webhook-timestamp").unwrap();
        let signature = standard_webhooks_signature("msg_1", &timestamp, ORDER.as_bytes());
        assert_eq!(field("webhook-signature"), Some(signature));
        paths.push(request.uri().path().to_owned());
    }
    paths.sort();
    assert_eq!(paths, ["/all", "/orders"]);
    for subscription in ["all", "orders"] {
        let delivery = tried(&app, subscription, "shop", "msg_1").await;
        assert_eq!((&delivery["status"], &delivery["last"]["status"]), (&json!("delivered"), &json!(200)));
    }

    let again = send(app.address, standard_webhooks("msg_1", ORDER), ORDER).await;
    assert_eq!(
        (again.status, again.body.as_str()),
        (200, r#"{"id":"msg_1","status":"duplicate","deliveries":0}"#)
    );

    // Whatever came of the repetition would have come before the one delivery of this.
    let other = r#"{"type":"order.paid"}"#;
    let answer = send(app.address, standard_webhooks("msg_2", other), other).await;
    assert_eq!(answer.body, r#"{"id":"msg_2","status":"accepted","deliveries":1}"#);
    let request = timeout(SOON, receiver.requests.recv()).await.unwrap().unwrap();
    assert_eq!((request.uri().path(), &request.headers()["webhook-id"]), ("/all", &"msg_2".parse().unwrap()));
    assert_eq!(app.shared.value("data/shop/msg_1"), Some(Bytes::from(ORDER)));
    let record: Value = serde_json::from_slice(&app.shared.value("log/shop/msg_1").unwrap()).unwrap();
    assert_eq!(record["event"]["type"], "order.created");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_problem_documents() {
    let receiver = Receiver::listen(200).await.unwrap();
    let app = serve(&receiver).await;

    let forged = standard_webhooks("msg_1", "another body");
    problem(401, "Unauthorized", "verification-failed", &send(app.address, forged, ORDER).await);

    let unknown = http::Request::post("/in/nowhere");
    problem(404, "Not Found", "unknown-source", &send(app.address, unknown, ORDER).await);

    let elsewhere = http::Request::post("/out/shop");
    problem(404, "Not Found", "not-found", &send(app.address, elsewhere, ORDER).await);

    // Which methods a source takes is told to those only who could send an event.
    let delete = standard_webhooks("msg_1", ORDER).method("DELETE");
    problem(405, "Method Not Allowed", "method-not-allowed", &send(app.address, delete, ORDER).await);
    let unsigned = http::Request::delete("/in/shop");
    problem(401, "Unauthorized", "verification-failed", &send(app.address, unsigned, "").await);
    assert!(app.shared.keys.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_refused_and_one_at_the_limit_is_whole() {
    let receiver = Receiver::listen(200).await.unwrap();
    let app = serve(&receiver).await;
    let largest = "x".repeat(LIMIT);
    let larger = "x".repeat(LIMIT + 1);

    let request = standard_webhooks("msg_1", &larger);
    problem(413, "Content Too Large", "too-large", &send(app.address, request, &larger).await);

    let chunks: Vec<Bytes> = larger.as_bytes().chunks(10_000).map(Bytes::copy_from_slice).collect();
    let request = standard_webhooks("msg_2", &larger);
    problem(413, "Content Too Large", "too-large", &send_chunked(app.address, request, chunks).await);

    let chunks: Vec<Bytes> = largest.as_bytes().chunks(10_000).map(Bytes::copy_from_slice).collect();
    let answer = send_chunked(app.address, standard_webhooks("msg_3", &largest), chunks).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(app.shared.value("data/shop/msg_3").map(|data| data.len()), Some(LIMIT));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_is_answered_and_leaves_nothing() {
    let receiver = Receiver::listen(200).await.unwrap();
    let app = serve(&receiver).await;
    let body = r#"{"token":"t","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P","type":"url_verification"}"#;
    let answer = send(app.address, slack(body), body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.contains("3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"), "{answer:?}");
    assert!(app.shared.keys.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_fails_leaves_its_delivery_pending() {
    let receiver = Receiver::listen(503).await.unwrap();
    let app = serve(&receiver).await;
    let body = r#"{"type":"order.paid"}"#;
    assert_eq!(send(app.address, standard_webhooks("msg_1", body), body).await.status, 202);
    let delivery = tried(&app, "all", "shop", "msg_1").await;
    assert_eq!((&delivery["status"], &delivery["last"]["status"]), (&json!("pending"), &json!(503)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_could_not_be_kept_is_accepted_when_it_is_sent_again() {
    let mut receiver = Receiver::listen(200).await.unwrap();
    let app = serve(&receiver).await;
    let body = r#"{"type":"order.paid"}"#;

    app.shared.log_fails.store(true, Ordering::SeqCst);
    let answer = send(app.address, standard_webhooks("msg_1", body), body).await;
    problem(503, "Service Unavailable", "store-unavailable", &answer);

    app.shared.log_fails.store(false, Ordering::SeqCst);
    let answer = send(app.address, standard_webhooks("msg_1", body), body).await;
    assert_eq!(answer.body, r#"{"id":"msg_1","status":"accepted","deliveries":1}"#);
    assert!(timeout(SOON, receiver.requests.recv()).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_id_that_is_sent_many_times_at_once_is_accepted_once() {
    let receiver = Receiver::listen(200).await.unwrap();
    let app = serve(&receiver).await;
    for round in 0..5 {
        let id = format!("msg_{round}");
        let sent = (0..20).map(|_| send(app.address, standard_webhooks(&id, ORDER), ORDER));
        let answers = futures_util::future::join_all(sent).await;
        let accepted = answers.iter().filter(|answer| answer.status == 202).count();
        let repeated = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!((accepted, repeated), (1, 19), "{answers:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_whose_instance_died_before_it_was_kept_is_accepted_by_another() {
    let receiver = Receiver::listen(200).await.unwrap();
    let app = serve(&receiver).await;
    // What an instance leaves that ends between its claim and the event's record.
    app.shared.keys.lock().unwrap().insert("event/shop/msg_1".to_owned(), b"1".to_vec());
    app.shared.keys.lock().unwrap().insert("claim/1/shop/msg_1".to_owned(), 1_i64.to_le_bytes().to_vec());
    let answer = outbox::patiently(&app, "msg_1").await;
    assert_eq!(answer.body, r#"{"id":"msg_1","status":"accepted","deliveries":2}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_store_says_of_itself_does_not_reach_the_sender() {
    let receiver = Receiver::listen(200).await.unwrap();
    let app = serve(&receiver).await;
    app.shared.reads_fail.store(true, Ordering::SeqCst);
    let answer = send(app.address, standard_webhooks("msg_1", ORDER), ORDER).await;
    problem(503, "Service Unavailable", "state-unavailable", &answer);
    assert_eq!(answer.retry_after.as_deref(), Some("1"));
    assert!(!answer.body.contains("locked") && !answer.body.contains("/srv"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_do_not_see_the_hosts_own_fields() {
    let receiver = Receiver::listen(200).await.unwrap();
    let configuration = json!({
        "source": [{ "name": "shop", "scheme": "standard-webhooks", "secrets": [WHSEC] }],
        "subscription": [{
            "id": "spied",
            "filter": r#""spin-client-addr" in headers || "spin-path-info" in headers"#,
            "endpoint": { "url": format!("http://{}/", receiver.address), "allow_private": true },
        }],
    });
    let app = App::serve(component().await, &[("configuration", &configuration.to_string())]).await.unwrap();
    let request = standard_webhooks("msg_1", ORDER).header("spin-client-addr", "10.0.0.1");
    let answer = send(app.address, request, ORDER).await;
    assert_eq!(answer.body, r#"{"id":"msg_1","status":"accepted","deliveries":0}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_arrive_is_given_up() {
    let receiver = Receiver::listen(200).await.unwrap();
    let configuration = configuration(&receiver);
    let variables = [("configuration", configuration.as_str()), ("body_timeout_ms", "50")];
    let app = App::serve(component().await, &variables).await.unwrap();
    let request = http::Request::post("/in/shop");
    problem(408, "Request Timeout", "body-timeout", &sender::send_nothing(app.address, request).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_to_a_secret_is_refused_and_never_taken_for_one() {
    for (place, value) in [("secrets", "env:SHOP"), ("secrets", "file:/run/shop")] {
        let configuration =
            json!({ "source": [{ "name": "shop", "scheme": "bearer", place: [value] }] }).to_string();
        let app = App::serve(component().await, &[("configuration", &configuration)]).await.unwrap();
        let request = http::Request::post("/in/shop").header("authorization", format!("Bearer {value}"));
        not_ready(&send(app.address, request, "{}").await);
        let answer = send(app.address, http::Request::get("/ready"), "").await;
        problem(503, "Service Unavailable", "not-ready", &answer);
        assert!(answer.body.contains("source[0].secrets[0]") && !answer.body.contains(value), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_plugin_should_judge_is_refused_where_there_is_none() {
    let configuration = json!({
        "source": [{ "name": "shop", "scheme": "none" }],
        "subscription": [{
            "id": "a", "endpoint": { "url": "https://hooks.example.com/" }, "plugins": [{ "name": "geo" }]
        }]
    });
    let app = App::serve(component().await, &[("configuration", &configuration.to_string())]).await.unwrap();
    let answer = send(app.address, http::Request::get("/ready"), "").await;
    problem(503, "Service Unavailable", "not-ready", &answer);
    assert!(answer.body.contains("subscription[0].plugins"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_data_of_an_event_that_comes_with_get_is_its_query() {
    let configuration =
        json!({ "source": [{ "name": "form", "scheme": "none", "methods": ["GET", "POST"] }] }).to_string();
    let app = App::serve(component().await, &[("configuration", &configuration)]).await.unwrap();
    let answer = send(app.address, http::Request::get("/in/form?a=1&b=%20"), "").await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let receipt: Value = serde_json::from_str(&answer.body).unwrap();
    let key = format!("data/form/{}", receipt["id"].as_str().unwrap());
    assert_eq!(app.shared.value(&key), Some(Bytes::from("a=1&b=%20")));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_part_of_a_body_is_an_event_with_its_own_data() {
    let mut receiver = Receiver::listen(200).await.unwrap();
    let app = serve(&receiver).await;
    let body = r#"{"items":[{"id":"a","is":"x","n":1},{"id":"b","is":"x","n": 2}]}"#;
    let answer = send(app.address, http::Request::post("/in/bulk"), body).await;
    assert_eq!(
        answer.body, r#"{"status":"accepted","events":2,"duplicates":0,"deliveries":1}"#,
        "{answer:?}"
    );
    let request = timeout(SOON, receiver.requests.recv()).await.unwrap().unwrap();
    assert_eq!(request.uri().path(), "/items");
    assert_eq!(request.body().as_ref(), br#"{"id":"b","is":"x","n": 2}"#);
    assert_eq!(app.shared.value("data/bulk/a"), Some(Bytes::from(r#"{"id":"a","is":"x","n":1}"#)));
    assert_eq!(tried(&app, "items", "bulk", "b").await["status"], "delivered");

    // Of those that are sent again, what was kept is known.
    let body = r#"{"items":[{"id":"b","is":"x","n": 2},{"id":"c","is":"x","n":0}]}"#;
    let answer = send(app.address, http::Request::post("/in/bulk"), body).await;
    assert_eq!(
        answer.body, r#"{"status":"accepted","events":1,"duplicates":1,"deliveries":0}"#,
        "{answer:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_can_work_says_that_it_is_ready() {
    let receiver = Receiver::listen(200).await.unwrap();
    let app = serve(&receiver).await;
    let answer = send(app.address, http::Request::get("/ready"), "").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"status":"ready"}"#));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_asks_for_time_gets_it() {
    let receiver = Receiver::listen(429).await.unwrap();
    let app = serve(&receiver).await;
    assert_eq!(send(app.address, standard_webhooks("msg_1", ORDER), ORDER).await.status, 202);
    let delivery = tried(&app, "all", "shop", "msg_1").await;
    let ended = delivery["last"]["started"].as_u64().unwrap();
    // The receiver asks for an hour; the policy's own first wait is seconds.
    assert!(delivery["due"].as_u64().unwrap() >= ended + 3_600_000, "{delivery}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_with_problems_accepts_nothing() {
    let app = App::serve(
        component().await,
        &[("configuration", r#"{"source":[{"name":"x","scheme":"no-such"}]}"#)],
    );
    let app = app.await.unwrap();
    let answer = send(app.address, http::Request::post("/in/x"), "{}").await;
    not_ready(&answer);
}
