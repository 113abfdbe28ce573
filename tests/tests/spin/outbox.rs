//! What was accepted is sent, whatever ends in between.

use crate::host::{App, Crash};
use crate::receiver::Receiver;
use crate::sender::{Answer, send, standard_webhooks};
use crate::{ORDER, SOON, TOKEN, by_operator, serve, told, tried};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::timeout;

/// Longer than an instance has for what it has just accepted.
const LEASE: Duration = Duration::from_secs(130);
/// Only for one subscriber.
const PAID: &str = r#"{"type":"order.paid"}"#;

/// Sends an event whose claim may be somebody's who is gone, and lets the time pass that this is waited for.
pub(crate) async fn patiently(app: &App, id: &str) -> Answer {
    let answer = send(app.address, standard_webhooks(id, ORDER), ORDER);
    let mut answer = std::pin::pin!(answer);
    for _ in 0..400 {
        tokio::select! {
            answer = &mut answer => return answer,
            () = tokio::time::sleep(Duration::from_millis(50)) => app.shared.pass(Duration::from_secs(1)),
        }
    }
    panic!("no answer");
}

/// The ids and paths that arrive until nothing has for a while.
async fn arrived(receiver: &mut Receiver, wait: Duration) -> Vec<(String, String)> {
    let mut arrived = Vec::new();
    while let Ok(Some(request)) = timeout(wait, receiver.requests.recv()).await {
        let id = request.headers()["webhook-id"].to_str().unwrap().to_owned();
        arrived.push((id, request.uri().path().to_owned()));
    }
    arrived
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_endpoint_refused_is_sent_again_when_it_is_due_and_somebody_asks() {
    let mut receiver = Receiver::listen(503).await.unwrap();
    let app = serve(&receiver).await;
    assert_eq!(send(app.address, standard_webhooks("msg_1", PAID), PAID).await.status, 202);
    assert_eq!(tried(&app, "all", "shop", "msg_1").await["attempts"], 1);
    let found = told(&app, "GET", "/deliveries/all:shop:msg_1").await;
    assert_eq!((&found["status"], &found["attempts"]), (&json!("pending"), &json!(1)));
    assert_eq!(found["event"]["type"], "order.paid");
    let status = told(&app, "GET", "/status").await;
    assert_eq!((&status["outbox"]["open"], &status["outbox"]["complete"]), (&json!(1), &json!(true)));
    assert_eq!(status["errors"][0]["delivery"], "all:shop:msg_1");

    // Nothing is due yet.
    assert_eq!(told(&app, "POST", "/drain").await["attempted"], 0);
    receiver.answer_with(200);
    app.shared.pass(Duration::from_secs(60));
    let drained = told(&app, "POST", "/drain").await;
    assert_eq!((&drained["attempted"], &drained["delivered"]), (&json!(1), &json!(1)), "{drained}");
    assert_eq!(told(&app, "POST", "/drain").await["attempted"], 0);
    let found = told(&app, "GET", "/deliveries/all:shop:msg_1").await;
    assert_eq!((&found["status"], &found["attempts"]), (&json!("delivered"), &json!(2)));
    assert_eq!(told(&app, "GET", "/status").await["outbox"]["open"], 0);
    assert_eq!(arrived(&mut receiver, Duration::from_millis(100)).await.len(), 2);
    assert_eq!(app.shared.listed.load(Ordering::SeqCst), 0, "keys were listed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_tells_what_came_of_its_own_attempts_and_of_no_others() {
    let (well, ill) = (Receiver::listen(200).await.unwrap(), Receiver::listen(503).await.unwrap());
    let app = serve(&well).await;
    let subscription = |id: &str, receiver: &Receiver| {
        let url = format!("http://{}/{id}", receiver.address);
        json!({ "id": id, "sources": ["shop"], "endpoint": { "url": url, "allow_private": true } })
    };
    let document = json!({
        "source": [{ "name": "shop", "scheme": "standard-webhooks", "secrets": [crate::WHSEC] }],
        "subscription": [subscription("well", &well), subscription("ill", &ill)],
    });
    app.shared.set_variable("configuration", &document.to_string());
    assert_eq!(send(app.address, standard_webhooks("msg_1", PAID), PAID).await.status, 202);
    assert_eq!(tried(&app, "well", "shop", "msg_1").await["status"], "delivered");
    assert_eq!(tried(&app, "ill", "shop", "msg_1").await["status"], "pending");
    app.shared.pass(Duration::from_secs(60));
    let drained = told(&app, "POST", "/drain").await;
    let counts = ["attempted", "delivered", "pending"].map(|count| drained[count].as_u64().unwrap());
    assert_eq!(counts, [1, 0, 1], "{drained}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_request_takes_along_what_is_due() {
    let mut receiver = Receiver::listen(500).await.unwrap();
    let app = serve(&receiver).await;
    assert_eq!(send(app.address, standard_webhooks("msg_1", PAID), PAID).await.status, 202);
    tried(&app, "all", "shop", "msg_1").await;
    receiver.answer_with(200);
    app.shared.pass(Duration::from_secs(60));
    assert_eq!(send(app.address, standard_webhooks("msg_2", PAID), PAID).await.status, 202);
    let delivered = async {
        while tried(&app, "all", "shop", "msg_1").await["status"] != "delivered" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, delivered).await.expect("the first event is delivered with the second");
    let ids: Vec<String> =
        arrived(&mut receiver, Duration::from_millis(100)).await.into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["msg_1", "msg_2", "msg_1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accept_is_a_claim_and_one_write_and_now_and_then_a_third() {
    let receiver = Receiver::listen(200).await.unwrap();
    let app = serve(&receiver).await;
    let nobody = r#"{"type":"nobody"}"#;
    // Nobody wants anything, so that nothing is written after an answer.
    let document = json!({
        "source": [{ "name": "shop", "scheme": "standard-webhooks", "secrets": [crate::WHSEC] }],
    });
    app.shared.set_variable("configuration", &document.to_string());
    // The first event of all sets the cursors, and is drained after.
    assert_eq!(send(app.address, standard_webhooks("msg", nobody), nobody).await.status, 202);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut written = Vec::new();
    for number in 0..8 {
        let before = app.shared.writes.load(Ordering::SeqCst);
        let answer = send(app.address, standard_webhooks(&format!("msg_{number}"), nobody), nobody).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        written.push(app.shared.writes.load(Ordering::SeqCst) - before);
    }
    // The claim, and all the rest at once; slots for it are taken four and sixteen at a time.
    assert!(written.iter().all(|written| (2..=3).contains(written)), "{written:?}");
    assert!(written.iter().sum::<usize>() <= 8 * 2 + 3, "{written:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_drains_at_once_send_everything_once() {
    let mut receiver = Receiver::listen(500).await.unwrap();
    let app = serve(&receiver).await;
    for number in 0..40 {
        let id = format!("msg_{number}");
        assert_eq!(send(app.address, standard_webhooks(&id, PAID), PAID).await.status, 202);
    }
    for number in 0..40 {
        tried(&app, "all", "shop", &format!("msg_{number}")).await;
    }
    arrived(&mut receiver, Duration::from_millis(200)).await;
    receiver.answer_with(200);
    app.shared.pass(Duration::from_secs(120));
    let drains = (0..4).map(|_| told(&app, "POST", "/drain"));
    let drained = futures_util::future::join_all(drains).await;
    let delivered: u64 = drained.iter().map(|drained| drained["delivered"].as_u64().unwrap()).sum();
    assert_eq!(delivered, 40, "{drained:?}");
    let again = arrived(&mut receiver, Duration::from_millis(200)).await;
    assert_eq!((again.len(), again.iter().collect::<HashSet<_>>().len()), (40, 40));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_is_sent_wherever_the_instance_ends() {
    let mut ended_before = 0;
    for is_torn in [false, true] {
        for is_written in [false, true] {
            for write in 1..=12 {
                let mut receiver = Receiver::listen(200).await.unwrap();
                let app = serve(&receiver).await;
                app.shared.crash(Some(Crash { write, is_written, is_torn }));
                let answer = send(app.address, standard_webhooks("msg_1", ORDER), ORDER).await;
                if answer.status == 202 {
                    // The instance may end after its answer.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                } else {
                    assert_eq!(answer.status, 500, "{answer:?}");
                    ended_before += 1;
                }
                app.shared.crash(None);
                if answer.status == 500 {
                    // A sender who was not told that it is accepted sends it again.
                    let answer = patiently(&app, "msg_1").await;
                    assert!(matches!(answer.status, 200 | 202), "{answer:?}");
                }
                let place = format!("at write {write}, written {is_written}, torn {is_torn}");
                let mut seen = HashSet::new();
                for _ in 0..3 {
                    app.shared.pass(LEASE + LEASE);
                    let answer = send(app.address, by_operator("POST", "/drain"), "").await;
                    assert_eq!(answer.status, 200, "{answer:?}");
                    seen.extend(arrived(&mut receiver, Duration::from_millis(15)).await);
                    if told(&app, "GET", "/status").await["outbox"]["open"] == 0 {
                        break;
                    }
                }
                assert_eq!(seen.len(), 2, "{place}: {seen:?}");
                assert_eq!(told(&app, "GET", "/status").await["outbox"]["open"], 0, "{place}");
            }
        }
    }
    assert!(ended_before >= 10, "{ended_before}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_drain_was_at_when_it_ended_is_sent_by_the_next_one() {
    for write in 1..=8 {
        let mut receiver = Receiver::listen(500).await.unwrap();
        let app = serve(&receiver).await;
        assert_eq!(send(app.address, standard_webhooks("msg_1", PAID), PAID).await.status, 202);
        tried(&app, "all", "shop", "msg_1").await;
        receiver.answer_with(200);
        app.shared.pass(Duration::from_secs(60));
        app.shared.crash(Some(Crash { write, is_written: true, is_torn: true }));
        let answer = send(app.address, by_operator("POST", "/drain"), "").await;
        assert!(matches!(answer.status, 200 | 500), "{answer:?}");
        app.shared.crash(None);
        app.shared.pass(LEASE + LEASE);
        told(&app, "POST", "/drain").await;
        assert!(arrived(&mut receiver, Duration::from_millis(20)).await.len() >= 2, "at write {write}");
        assert_eq!(told(&app, "GET", "/status").await["outbox"]["open"], 0, "at write {write}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_settled_goes_when_it_is_old() {
    let receiver = Receiver::listen(200).await.unwrap();
    let configuration = crate::configuration(&receiver);
    let variables =
        [("configuration", configuration.as_str()), ("admin_token", TOKEN), ("retention_hours", "2")];
    let app = App::serve(crate::component().await, &variables).await.unwrap();
    for id in ["msg_1", "msg_2"] {
        assert_eq!(send(app.address, standard_webhooks(id, ORDER), ORDER).await.status, 202);
        tried(&app, "all", "shop", id).await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    app.shared.pass(Duration::from_secs(3600));
    told(&app, "POST", "/drain").await;
    assert!(app.shared.value("data/shop/msg_1").is_some());
    app.shared.pass(Duration::from_secs(3 * 3600));
    assert_eq!(told(&app, "POST", "/drain").await["deleted"], 2);
    // The next one passes what this one has emptied.
    assert_eq!(told(&app, "POST", "/drain").await["deleted"], 0);
    // What the component remembers of requests by their signatures, it keeps under names that only it knows.
    let left = app.shared.named("");
    let left: Vec<&String> = left.iter().filter(|key| !key.starts_with("replay/")).collect();
    assert_eq!(left, ["cursor/due", "cursor/old"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_gone_is_left_alone_until_something_is_deployed() {
    let mut receiver = Receiver::listen(410).await.unwrap();
    let app = serve(&receiver).await;
    assert_eq!(send(app.address, standard_webhooks("msg_1", PAID), PAID).await.status, 202);
    tried(&app, "all", "shop", "msg_1").await;
    arrived(&mut receiver, Duration::from_millis(50)).await;
    receiver.answer_with(200);
    app.shared.pass(Duration::from_secs(120));
    assert_eq!(send(app.address, standard_webhooks("msg_2", PAID), PAID).await.status, 202);
    assert_eq!(told(&app, "POST", "/drain").await["delivered"], 0);
    assert_eq!(arrived(&mut receiver, Duration::from_millis(50)).await, []);

    let document = crate::configuration(&receiver);
    let answer = send(app.address, by_operator("PUT", "/config"), &document).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    app.shared.pass(Duration::from_secs(2 * 3600));
    told(&app, "POST", "/drain").await;
    let ids: HashSet<String> =
        arrived(&mut receiver, Duration::from_millis(100)).await.into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_whose_subscription_is_gone_ends_and_says_so() {
    let receiver = Receiver::listen(503).await.unwrap();
    let app = serve(&receiver).await;
    assert_eq!(send(app.address, standard_webhooks("msg_1", PAID), PAID).await.status, 202);
    tried(&app, "all", "shop", "msg_1").await;
    let mut document: Value = serde_json::from_str(&crate::configuration(&receiver)).unwrap();
    document["subscription"] = json!([]);
    let answer = send(app.address, by_operator("PUT", "/config"), &document.to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    app.shared.pass(Duration::from_secs(120));
    assert_eq!(told(&app, "POST", "/drain").await["dead"], 1);
    let found = told(&app, "GET", "/deliveries/all:shop:msg_1").await;
    assert!(found["last"]["error"].as_str().unwrap().contains("not there any more"), "{found}");
}
