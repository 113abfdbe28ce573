//! Who is let in, and what they are told.

use crate::host::App;
use crate::receiver::Receiver;
use crate::sender::send;
use crate::{TOKEN, by_operator, component, configuration, problem, serve, told};

const PATHS: [(&str, &str); 6] = [
    ("POST", "/drain"),
    ("GET", "/status"),
    ("GET", "/config"),
    ("PUT", "/config"),
    ("POST", "/config/rollback"),
    ("GET", "/deliveries/a:b:c"),
];

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_let_in_without_the_token_and_nobody_at_all_without_one_that_is_set() {
    let receiver = Receiver::listen(200).await.unwrap();
    let app = serve(&receiver).await;
    let document = configuration(&receiver);
    let open = App::serve(component().await, &[("configuration", &document)]).await.unwrap();
    for (method, path) in PATHS {
        let plain = || http::Request::builder().method(method).uri(path);
        for (name, request) in [
            ("none", plain()),
            ("a wrong one", plain().header("authorization", "Bearer a-token-that-somebody-guessed")),
            ("another scheme", plain().header("authorization", format!("Basic {TOKEN}"))),
            ("the beginning", plain().header("authorization", format!("Bearer {}", &TOKEN[..20]))),
        ] {
            let answer = send(app.address, request, "").await;
            assert_eq!(answer.status, 401, "{method} {path} with {name}: {answer:?}");
        }
        let answer = send(open.address, by_operator(method, path), "").await;
        problem(403, "Forbidden", "forbidden", &answer);
    }
    assert!(app.shared.keys.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedulers_token_drains_and_does_nothing_else() {
    let receiver = Receiver::listen(200).await.unwrap();
    let document = configuration(&receiver);
    let variables = [("configuration", document.as_str()), ("drain_token", "the-token-of-a-scheduler")];
    let app = App::serve(component().await, &variables).await.unwrap();
    for (method, path) in PATHS {
        let request = http::Request::builder().method(method).uri(path);
        let request = request.header("authorization", "Bearer the-token-of-a-scheduler");
        let status = send(app.address, request, "").await.status;
        assert_eq!(status, if path == "/drain" { 200 } else { 403 }, "{method} {path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_short_opens_nothing_and_the_app_says_so() {
    let receiver = Receiver::listen(200).await.unwrap();
    let document = configuration(&receiver);
    let variables = [("configuration", document.as_str()), ("admin_token", "short")];
    let app = App::serve(component().await, &variables).await.unwrap();
    let request = http::Request::get("/status").header("authorization", "Bearer short");
    problem(500, "Internal Server Error", "internal", &send(app.address, request, "").await);
    let answer = send(app.address, http::Request::get("/ready"), "").await;
    problem(503, "Service Unavailable", "not-ready", &answer);
    assert!(answer.body.contains("admin_token") && !answer.body.contains("short"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_says_which_configuration_it_is() {
    let receiver = Receiver::listen(200).await.unwrap();
    let app = serve(&receiver).await;
    let status = told(&app, "GET", "/status").await;
    assert_eq!(status["configuration"]["from"], "variable");
    assert_eq!(status["configuration"]["subscriptions"], 4);
    assert_eq!(status["outbox"]["open"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_a_path_does_not_take_is_told_to_who_may_ask() {
    let receiver = Receiver::listen(200).await.unwrap();
    let app = serve(&receiver).await;
    for (method, path) in [("GET", "/drain"), ("POST", "/config"), ("DELETE", "/deliveries/a:b:c")] {
        let answer = send(app.address, by_operator(method, path), "").await;
        problem(405, "Method Not Allowed", "method-not-allowed", &answer);
    }
    let answer = send(app.address, by_operator("GET", "/deliveries/all:shop:msg_1"), "").await;
    problem(404, "Not Found", "not-found", &answer);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_not_given_to_the_app_is_told() {
    let receiver = Receiver::listen(200).await.unwrap();
    let app = serve(&receiver).await;
    app.shared.is_denied.store(true, std::sync::atomic::Ordering::SeqCst);
    let answer = send(app.address, http::Request::get("/ready"), "").await;
    problem(503, "Service Unavailable", "not-ready", &answer);
    let answer = send(app.address, by_operator("GET", "/status"), "").await;
    problem(503, "Service Unavailable", "state-unavailable", &answer);
}
