//! Documents: each subscriber is told only what is news to it, whoever changes them at once and whatever ends in between.

use crate::host::{App, Crash};
use crate::receiver::Receiver;
use crate::sender::{Answer, send};
use crate::{SOON, TOKEN, by_operator, component, problem, told};
use anglerfish_tests::Gateway;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::timeout;

/// Longer than an instance that ended has anything.
const LONG: Duration = Duration::from_secs(260);
const ONE: &str = "/v1/documents/http%3A%2F%2Fapi.example%2Fusers%2F1";

fn subscription(receiver: &Receiver, id: &str, more: Value) -> Value {
    let mut subscription = json!({
        "id": id,
        "resource": "users",
        "endpoint": {
            "url": format!("http://{}/{id}/{{id}}", receiver.address),
            "method": "POST",
            "allow_private": true,
        },
        "delivery": { "timeout": "5s", "retry": { "delays": ["1s", "1s", "1s", "1s"] } },
    });
    subscription.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    subscription
}

fn configuration(subscriptions: &[Value]) -> Value {
    json!({
        "resource": [
            { "id": "users", "endpoint": "http://api.example/users/{id}", "change": { "field": "v" } },
        ],
        "subscription": subscriptions,
    })
}

async fn deploy(app: &App, subscriptions: &[Value]) -> Answer {
    let document = configuration(subscriptions).to_string();
    let answer = send(app.address, by_operator("PUT", "/config"), &document).await;
    app.shared.pass(Duration::from_millis(1100));
    answer
}

/// An app with these subscriptions, of so many requests for each instance.
async fn serve(subscriptions: &[Value], reuse: usize) -> App {
    let app = App::serve_with(component().await, &[("admin_token", TOKEN)], reuse).await.unwrap();
    let answer = deploy(&app, subscriptions).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    app
}

fn request(method: &str, path: &str) -> http::request::Builder {
    by_operator(method, path).header("content-type", "application/json")
}

async fn put(app: &App, document: &Value) -> u16 {
    send(app.address, request("PUT", ONE), &document.to_string()).await.status
}

async fn delete(app: &App) -> u16 {
    send(app.address, request("DELETE", ONE), "").await.status
}

/// What a subscriber is told next: where, what, and the document.
async fn next(receiver: &mut Receiver) -> (String, String, Value) {
    let request = timeout(SOON, receiver.requests.recv()).await.expect("something is told").unwrap();
    let path = request.uri().path().to_owned();
    let envelope: Value = serde_json::from_slice(request.body()).unwrap();
    (path, envelope["action"].as_str().unwrap().to_owned(), envelope["document"].clone())
}

/// What was told and not looked at yet.
fn rest(receiver: &mut Receiver) -> Vec<(String, Value)> {
    let mut rest = Vec::new();
    while let Ok(request) = receiver.requests.try_recv() {
        let envelope: Value = serde_json::from_slice(request.body()).unwrap();
        rest.push((envelope["action"].as_str().unwrap().to_owned(), envelope["document"]["v"].clone()));
    }
    rest
}

fn deliveries(app: &App) -> Vec<Value> {
    let records = app.shared.named("work/").into_iter().filter_map(|key| app.shared.value(&key));
    let records = records.map(|record| serde_json::from_slice::<Value>(&record).unwrap());
    records.flat_map(|record| record["deliveries"].as_array().unwrap().clone()).collect()
}

/// Waits until each delivery that is made now has been tried so that nobody has a turn any more, and it stands like this.
async fn settled(app: &App, stands: impl Fn(&Value) -> bool) {
    let settled = async {
        let is_at_work = || {
            ["turn/", "telling/"].iter().any(|start| !app.shared.named(start).is_empty())
                || !deliveries(app).iter().all(&stands)
        };
        while is_at_work() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let is_settled = timeout(SOON, settled).await.is_ok();
    assert!(is_settled, "{:?} {:?}", deliveries(app), app.shared.named("t"));
}

/// Waits until no instance of an app that uses each of them once is at work: time that passes for those would end their turns.
async fn idle(app: &App) {
    let idle = async {
        while app.shared.instances.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, idle).await.expect("instances end with their work");
}

async fn ended(app: &App) {
    settled(app, |delivery| delivery["status"] != "pending").await;
}

async fn failed(app: &App) {
    settled(app, |delivery| delivery["status"] != "pending" || delivery.get("last").is_some()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_told_as_created_updated_and_deleted_and_what_is_no_news_is_not_told() {
    let mut receiver = Receiver::listen(200).await.unwrap();
    let app = serve(&[subscription(&receiver, "crm", json!({}))], 128).await;
    let first = json!({ "v": 1, "name": "Ada" });
    assert_eq!(put(&app, &first).await, 202);
    assert_eq!(next(&mut receiver).await, ("/crm/1".to_owned(), "create".to_owned(), first.clone()));
    ended(&app).await;
    let shown = told(&app, "GET", ONE).await;
    assert_eq!(
        (&shown["resource"], &shown["revision"], &shown["content"]),
        (&json!("users"), &json!("1"), &first)
    );
    for old in [1, 0] {
        assert_eq!(put(&app, &json!({ "v": old })).await, 202);
    }
    assert_eq!(put(&app, &json!({ "v": 2 })).await, 202);
    assert_eq!(next(&mut receiver).await.1, "update", "and nothing of those that are no news");
    ended(&app).await;
    assert_eq!(delete(&app).await, 202);
    let gone = next(&mut receiver).await;
    assert_eq!((gone.1.as_str(), gone.2), ("delete", json!({ "v": 2 })), "with the last content");
    ended(&app).await;
    let answer = send(app.address, request("GET", ONE), "").await;
    problem(404, "Not Found", "unknown-document", &answer);
    assert_eq!(delete(&app).await, 202);
    assert_eq!(put(&app, &json!({ "v": 1 })).await, 202);
    assert_eq!(next(&mut receiver).await.1, "create");
    ended(&app).await;
    assert_eq!(rest(&mut receiver), []);
    // What a subscriber has is implied once it has answered.
    assert_eq!(app.shared.named("holding/"), Vec::<String>::new());
    assert_eq!(app.shared.listed.load(Ordering::SeqCst), 0, "keys were listed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_told_as_its_newest_revision_and_the_rest_of_it_finds_nothing_to_tell() {
    let mut receiver = Receiver::listen(500).await.unwrap();
    let app = serve(&[subscription(&receiver, "crm", json!({}))], 128).await;
    for v in 1..=3 {
        assert_eq!(put(&app, &json!({ "v": v })).await, 202);
        failed(&app).await;
    }
    rest(&mut receiver);
    receiver.answer_with(200);
    app.shared.pass(Duration::from_secs(60));
    told(&app, "POST", "/drain").await;
    app.shared.pass(Duration::from_secs(60));
    told(&app, "POST", "/drain").await;
    ended(&app).await;
    assert_eq!(rest(&mut receiver), [("create".to_owned(), json!(3))]);
    assert_eq!(deliveries(&app).len(), 3);
    assert_eq!(put(&app, &json!({ "v": 4 })).await, 202);
    assert_eq!(next(&mut receiver).await.1, "update");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_changes_at_once_the_newest_is_told_last_and_is_what_there_is() {
    let mut receiver = Receiver::listen(200).await.unwrap();
    // Each of them in an instance of its own.
    let app = &serve(&[subscription(&receiver, "crm", json!({}))], 1).await;
    for round in 0..3_u64 {
        let last = round * 10 + 8;
        let changes = (round * 10 + 1..=last).map(|v| async move {
            loop {
                match put(app, &json!({ "v": v })).await {
                    202 => break,
                    503 => {}
                    status => panic!("{status}"),
                }
            }
        });
        timeout(SOON, futures_util::future::join_all(changes)).await.expect("all are taken");
        idle(app).await;
        // What was left to a drain, and what waited for others then.
        for _ in 0..4 {
            app.shared.pass(LONG);
            told(app, "POST", "/drain").await;
            idle(app).await;
        }
        ended(app).await;
        let told_of: Vec<u64> = rest(&mut receiver).iter().map(|(_, v)| v.as_u64().unwrap()).collect();
        assert!(told_of.is_sorted_by(|one, other| one < other), "{told_of:?}");
        assert_eq!(told_of.last(), Some(&last));
        assert_eq!(told(app, "GET", ONE).await["revision"], last.to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_has_what_there_is_wherever_an_instance_ends() {
    let mut ended_early = 0;
    for is_torn in [false, true] {
        for step in 0..3 {
            for write in 1..=12 {
                let place = format!("step {step}, write {write}, torn {is_torn}");
                let mut receiver = Receiver::listen(200).await.unwrap();
                let app =
                    serve(&[subscription(&receiver, "crm", json!({ "filter": "new.v > 0" }))], 128).await;
                let mut has: Option<u64> = None;
                for (number, exists) in [Some(1), Some(2), None].into_iter().enumerate() {
                    let is_here = number == step;
                    let mut is_taken = false;
                    for turn in 0..3 {
                        app.shared.crash((is_here && turn == 0).then_some(Crash {
                            write,
                            is_written: true,
                            is_torn,
                        }));
                        let status = match exists {
                            Some(v) => put(&app, &json!({ "v": v })).await,
                            None => delete(&app).await,
                        };
                        // The instance may end after its answer, too.
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        app.shared.crash(None);
                        if status == 202 {
                            is_taken = true;
                            break;
                        }
                        assert!(matches!(status, 500 | 503), "{place}: {status}");
                        ended_early += 1;
                        // Whoever was not told that it is taken sends it again.
                        app.shared.pass(LONG);
                    }
                    assert!(is_taken, "{place}");
                    for _ in 0..3 {
                        app.shared.pass(LONG);
                        let answer = send(app.address, by_operator("POST", "/drain"), "").await;
                        assert_eq!(answer.status, 200, "{place}: {answer:?}");
                        if told(&app, "GET", "/status").await["outbox"]["open"] == 0 {
                            break;
                        }
                    }
                    assert_eq!(told(&app, "GET", "/status").await["outbox"]["open"], 0, "{place}");
                    for (action, v) in rest(&mut receiver) {
                        let v = v.as_u64().unwrap();
                        assert!(has.is_none_or(|has| has <= v), "{place}: {action} {v} behind {has:?}");
                        has = (action != "delete").then_some(v);
                    }
                    assert_eq!(has, exists, "{place}");
                }
            }
        }
    }
    assert!(ended_early >= 12, "{ended_early}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_is_told_with_the_next_change_also_if_that_is_no_news() {
    let mut receiver = Receiver::listen(500).await.unwrap();
    let retry = json!({ "delivery": { "retry": { "delays": ["1s"] } }, "filter": "new.v < 10" });
    let app = serve(&[subscription(&receiver, "crm", retry)], 128).await;
    let give_up = async |app: &App| {
        failed(app).await;
        app.shared.pass(Duration::from_secs(60));
        told(app, "POST", "/drain").await;
        settled(app, |delivery| delivery["status"] != "pending").await;
    };
    assert_eq!(put(&app, &json!({ "v": 1 })).await, 202);
    give_up(&app).await;
    assert_eq!(rest(&mut receiver).len(), 2);
    receiver.answer_with(200);
    assert_eq!(put(&app, &json!({ "v": 1 })).await, 202);
    let (_, action, document) = next(&mut receiver).await;
    assert_eq!((action.as_str(), document), ("create", json!({ "v": 1 })));
    ended(&app).await;
    assert_eq!(put(&app, &json!({ "v": 1 })).await, 202);
    // The end of a document that came to nothing is told though the next one is not wanted.
    receiver.answer_with(500);
    assert_eq!(delete(&app).await, 202);
    give_up(&app).await;
    assert!(rest(&mut receiver).iter().all(|(action, _)| action == "delete"));
    receiver.answer_with(200);
    assert_eq!(put(&app, &json!({ "v": 11 })).await, 202);
    let (_, action, document) = next(&mut receiver).await;
    assert_eq!((action.as_str(), document["v"].as_u64()), ("delete", Some(1)));
    ended(&app).await;
    assert_eq!(app.shared.named("owed/"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_say_which_documents_and_which_changes_are_told() {
    let mut receiver = Receiver::listen(200).await.unwrap();
    let app = serve(
        &[
            subscription(&receiver, "stocked", json!({ "filter": "message.n > 0" })),
            subscription(&receiver, "back", json!({ "filter": "old.n == 0 && new.n > 0" })),
        ],
        128,
    )
    .await;
    let mut all = Vec::new();
    for (v, n) in [(1, 0), (2, 5), (3, 6), (4, 0), (5, 7)] {
        assert_eq!(put(&app, &json!({ "v": v, "n": n })).await, 202);
        ended(&app).await;
        while let Ok(request) = receiver.requests.try_recv() {
            let envelope: Value = serde_json::from_slice(request.body()).unwrap();
            all.push(format!("{v} {} {}", request.uri().path(), envelope["action"].as_str().unwrap()));
        }
    }
    all.sort();
    assert_eq!(
        all,
        [
            "2 /back/1 create",
            "2 /stocked/1 create",
            "3 /stocked/1 update",
            "4 /stocked/1 delete",
            "5 /back/1 update",
            "5 /stocked/1 create",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_subscribes_changes_its_filter_or_comes_back_is_told_with_the_next_put() {
    let mut receiver = Receiver::listen(200).await.unwrap();
    let crm = |filter: &str| subscription(&receiver, "crm", json!({ "filter": filter }));
    let app = serve(&[crm("new.v > 0")], 128).await;
    let document = json!({ "v": 1 });
    assert_eq!(put(&app, &document).await, 202);
    ended(&app).await;
    // Another filter, which does not want it: with the next PUT, which is no news, what it has is told as deleted.
    assert_eq!(
        deploy(&app, &[crm("new.v > 5"), subscription(&receiver, "late", json!({}))]).await.status,
        200
    );
    assert_eq!(put(&app, &document).await, 202);
    ended(&app).await;
    // One that is gone and comes back has nothing, whatever it had.
    assert_eq!(deploy(&app, &[crm("new.v > 5")]).await.status, 200);
    assert_eq!(
        deploy(&app, &[crm("new.v > 5"), subscription(&receiver, "late", json!({}))]).await.status,
        200
    );
    assert_eq!(put(&app, &document).await, 202);
    ended(&app).await;
    let mut all = Vec::new();
    while let Ok(request) = receiver.requests.try_recv() {
        let envelope: Value = serde_json::from_slice(request.body()).unwrap();
        all.push(format!("{} {}", request.uri().path(), envelope["action"].as_str().unwrap()));
    }
    all[1..3].sort();
    assert_eq!(all, ["/crm/1 create", "/crm/1 delete", "/late/1 create", "/late/1 create"]);
    // What was decided by one filter after another is not undone by going back.
    let answer = send(app.address, by_operator("POST", "/config/rollback"), "").await;
    problem(409, "Conflict", "conflict", &answer);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_had_of_documents_is_refused_when_it_is_deployed() {
    let receiver = Receiver::listen(200).await.unwrap();
    let app = serve(&[subscription(&receiver, "crm", json!({}))], 128).await;
    let mut many: Vec<Value> =
        (0..201).map(|number| subscription(&receiver, &format!("s{number}"), json!({}))).collect();
    for (more, path) in [
        (json!({ "revisions": "all" }), "subscription[0].revisions"),
        (json!({ "backfill": true }), "subscription[0].backfill"),
        (json!({ "resource": "orders" }), "subscription[0].resource"),
        (json!({ "filter": "event.type == \"x\"" }), "subscription[0].filter"),
        (
            json!({ "endpoint": { "url": "https://h.example/{other}", "method": "POST" } }),
            "subscription[0].endpoint",
        ),
    ] {
        let answer = deploy(&app, &[subscription(&receiver, "crm", more)]).await;
        problem(422, "Unprocessable Content", "invalid-configuration", &answer);
        assert!(answer.body.contains(&format!("\"path\":\"{path}")), "{path}: {answer:?}");
    }
    let answer = deploy(&app, &many).await;
    assert!(answer.status == 422 && answer.body.contains("resource[0]"), "{answer:?}");
    many.pop();
    assert_eq!(deploy(&app, &many).await.status, 200);
    let mut other = configuration(&many[..1]);
    other["resource"][0]["endpoint"] = json!("http://api.example/people/{id}");
    let answer = send(app.address, by_operator("PUT", "/config"), &other.to_string()).await;
    assert!(answer.status == 422 && answer.body.contains("resource[0].endpoint"), "{answer:?}");
    // Since when somebody subscribes is not known of a variable.
    let document = configuration(&many[..1]).to_string();
    let app = App::serve(component().await, &[("configuration", &document)]).await.unwrap();
    let answer = send(app.address, http::Request::get("/ready"), "").await;
    problem(503, "Service Unavailable", "not-ready", &answer);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_whose_turn_another_has_is_taken_when_that_is_over_and_the_sender_is_told_to_wait() {
    let mut receiver = Receiver::listen(200).await.unwrap();
    let app = serve(&[subscription(&receiver, "crm", json!({}))], 128).await;
    // What an instance leaves that ends in its turn.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_secs(2);
    for window in [now.as_secs() / 20 - 1, now.as_secs() / 20] {
        let key = format!("turn/{window}//http://api.example/users/1");
        app.shared.keys.lock().unwrap().insert(key, 1_i64.to_le_bytes().to_vec());
    }
    let (mut waited, mut is_taken) = (0, false);
    while !is_taken {
        let document = json!({ "v": 1 }).to_string();
        let answer = send(app.address, request("PUT", ONE), &document);
        let mut answer = std::pin::pin!(answer);
        let answer = loop {
            tokio::select! {
                answer = &mut answer => break answer,
                () = tokio::time::sleep(Duration::from_millis(20)) => app.shared.pass(Duration::from_secs(1)),
            }
        };
        is_taken = answer.status == 202;
        if !is_taken {
            problem(503, "Service Unavailable", "unavailable", &answer);
            assert_eq!(answer.retry_after.as_deref(), Some("1"));
            waited += 1;
            assert!(waited < 20, "it is never over");
        }
    }
    assert!(waited > 0);
    assert_eq!(next(&mut receiver).await.1, "create");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_is_three_writes_and_now_and_then_a_fourth() {
    let receiver = Receiver::listen(200).await.unwrap();
    let app = serve(&[subscription(&receiver, "crm", json!({}))], 128).await;
    assert_eq!(put(&app, &json!({ "v": 0 })).await, 202);
    ended(&app).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let (mut all, mut answered) = (Vec::new(), Vec::new());
    for v in 1..=6 {
        let before = app.shared.writes.load(Ordering::SeqCst);
        assert_eq!(put(&app, &json!({ "v": v })).await, 202);
        ended(&app).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        all.push(app.shared.writes.load(Ordering::SeqCst) - before);
    }
    // Nothing is written after an answer but that somebody is told, as long as the endpoint says nothing.
    receiver.fall_silent();
    for number in 2..=7 {
        let before = app.shared.writes.load(Ordering::SeqCst);
        let path = ONE.replace("%2F1", &format!("%2F{number}"));
        assert_eq!(send(app.address, request("PUT", &path), r#"{"v":1}"#).await.status, 202);
        answered.push(app.shared.writes.load(Ordering::SeqCst) - before);
    }
    println!("writes of a PUT until its answer {answered:?}, with its delivery {all:?}");
    // The turn is taken, all is written, the turn is given back; now and then there are slots to be taken.
    assert!(answered.iter().all(|writes| (3..=5).contains(writes)), "{answered:?}");
    assert!(all.iter().sum::<usize>() <= 6 * 9, "{all:?}");
    let before = app.shared.writes.load(Ordering::SeqCst);
    assert_eq!(put(&app, &json!({ "v": 1 })).await, 202);
    assert_eq!(app.shared.writes.load(Ordering::SeqCst) - before, 2, "of what is no news");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producers_token_opens_documents_and_nothing_else() {
    let receiver = Receiver::listen(200).await.unwrap();
    let variables = [("admin_token", TOKEN), ("documents_token", "the-token-of-a-producer")];
    let app = App::serve(component().await, &variables).await.unwrap();
    assert_eq!(deploy(&app, &[subscription(&receiver, "crm", json!({}))]).await.status, 200);
    for (method, path, status) in [
        ("PUT", ONE, 202),
        ("GET", ONE, 200),
        ("DELETE", ONE, 202),
        ("GET", "/config", 401),
        ("POST", "/drain", 401),
    ] {
        let request =
            http::Request::builder().method(method).uri(path).header("content-type", "application/json");
        let answer = send(app.address, request, r#"{"v":1}"#).await;
        assert_eq!(answer.status, 401, "{method} {path}");
        let request =
            http::Request::builder().method(method).uri(path).header("content-type", "application/json");
        let request = request.header("authorization", "Bearer the-token-of-a-producer");
        assert_eq!(send(app.address, request, r#"{"v":1}"#).await.status, status, "{method} {path}");
    }
}

/// One of the two shells, and where it is asked for documents.
struct Shell {
    address: SocketAddr,
    receiver: Receiver,
}

impl Shell {
    /// What it answers, and what its subscribers are told of it, but for moments and addresses.
    async fn ask(&mut self, method: &str, path: &str, body: &str, count: usize) -> (Answer, Vec<String>) {
        let mut answer = send(self.address, request(method, path), body).await;
        if let Ok(Value::Object(mut shown)) = serde_json::from_str(&answer.body) {
            if shown.contains_key("updated") {
                shown.insert("updated".to_owned(), json!("a moment"));
            }
            // In which order members come says nothing.
            answer.body = Value::Object(shown).to_string();
        }
        let mut all = Vec::new();
        for _ in 0..count {
            let request = timeout(SOON, self.receiver.requests.recv()).await.expect("it is told").unwrap();
            let (head, body) = request.into_parts();
            let mut body: Value = serde_json::from_slice(&body).unwrap_or_default();
            for moment in ["updatedAt", "time", "id", "generation", "incarnation"] {
                if body.get(moment).is_some_and(|value| value != "http://api.example/users/1") {
                    body[moment] = json!("a moment");
                }
            }
            let differs = ["host", "webhook-id", "webhook-timestamp", "webhook-signature", "content-length"];
            let fields = head.headers.iter().filter(|(name, _)| !differs.contains(&name.as_str()));
            let mut fields: Vec<String> = fields.map(|(name, value)| format!("{name}: {value:?}")).collect();
            fields.sort();
            all.push(format!("{} {} {fields:?} {body}", head.method, head.uri.path()));
        }
        all.sort();
        (answer, all)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_answers_as_the_binary_does_and_tells_the_same() {
    let configure = |receiver: &Receiver| {
        configuration(&[
            subscription(receiver, "all", json!({})),
            subscription(receiver, "adults", json!({ "filter": "new.age >= 18" })),
            subscription(
                receiver,
                "events",
                json!({
                    "notification": { "cloudevent": true },
                    "endpoint": {
                        "url": format!("http://{}/events/{{id}}", receiver.address),
                        "method": "POST",
                        "allow_private": true,
                        "secret": crate::WHSEC,
                        "headers": { "x-document": "{id} {revision}" },
                        "actions": { "delete": { "method": "DELETE" } },
                    },
                }),
            ),
        ])
    };
    let receiver = Receiver::listen(200).await.unwrap();
    let text = toml::to_string(&configure(&receiver)).unwrap();
    let gateway = tokio::task::spawn_blocking(move || Gateway::start(&text)).await.unwrap();
    let mut native = Shell { address: gateway.admin(), receiver };
    let receiver = Receiver::listen(200).await.unwrap();
    let app = App::serve(component().await, &[("admin_token", TOKEN)]).await.unwrap();
    let answer = send(app.address, by_operator("PUT", "/config"), &configure(&receiver).to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut spin = Shell { address: app.address, receiver };
    let nowhere = "/v1/documents/http%3A%2F%2Fapi.example%2Felsewhere%2F1";
    for (method, path, body, count) in [
        ("GET", ONE, "", 0),
        ("PUT", ONE, r#"{"v": 1, "age": 17}"#, 2),
        ("PUT", ONE, r#"{"v": 2, "age": 18}"#, 3),
        ("PUT", ONE, r#"{"v": 2, "age": 18}"#, 0),
        ("GET", ONE, "", 0),
        ("PUT", ONE, r#"{"v": 3.5, "age": 3}"#, 3),
        ("PUT", ONE, r#"{"v": "x"}"#, 0),
        ("PUT", ONE, r#"{"v": 9223372036854775808}"#, 0),
        ("PUT", ONE, "[1]", 0),
        ("PUT", ONE, "{", 0),
        ("PUT", ONE, r#"{"age": 3}"#, 0),
        ("PUT", nowhere, r#"{"v": 1}"#, 0),
        ("GET", nowhere, "", 0),
        ("DELETE", nowhere, "", 0),
        ("PUT", "/v1/documents/users", r#"{"v": 1}"#, 0),
        ("PUT", "/v1/documents/http%3A%2F%2Fapi.example%2Fusers%2F1%3Fx%3D1", r#"{"v": 1}"#, 0),
        ("DELETE", ONE, "", 2),
        ("GET", ONE, "", 0),
        ("DELETE", ONE, "", 0),
        ("PUT", ONE, r#"{"v": 1, "age": 40}"#, 3),
    ] {
        let one = native.ask(method, path, body, count).await;
        let other = spin.ask(method, path, body, count).await;
        assert_eq!(one, other, "{method} {path} {body}");
        ended(&app).await;
        // What the binary has told is written down once nothing is open.
        timeout(SOON, async {
            let open = || send(gateway.admin(), request("GET", "/v1/deliveries?status=pending&limit=1"), "");
            while serde_json::from_str::<Value>(&open().await.body).unwrap()["items"] != json!([]) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .expect("the binary has told all");
    }
    assert_eq!(rest(&mut native.receiver), []);
    assert_eq!(rest(&mut spin.receiver), []);
}
