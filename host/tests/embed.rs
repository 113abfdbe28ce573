//! The gateway as a part of a program: what its functions, its router and its end promise.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

mod clock;
mod compiled;

use anglerfish::prometheus_client::metrics::counter::Counter;
use anglerfish::prometheus_client::registry::Registry;
use anglerfish::{
    AdminConfig, Anglerfish, AnglerfishBuilder, Api, CallState, Config, ConfigError, Delivery, DocumentError,
    DocumentsConfig, Environment, EventError, GatewayError, NewCall, NewEvent, OutConfig, OutboundConfig,
    PluginConfig, RateConfig, Resource, ServerConfig, Source, Subscription, SubscriptionError, Topic,
};
use axum::Router;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use compiled::find_compiled;
use futures_util::stream;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use serde_json::{Value, json};
use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt};

const TOKEN: &str = "0123456789abcdef";

async fn data() -> TempDir {
    let data = tempfile::tempdir().unwrap();
    find_compiled(data.path()).await;
    data
}

fn builder(data: &TempDir) -> AnglerfishBuilder {
    Anglerfish::builder().data_dir(data.path()).admin_token(TOKEN)
}

async fn start(builder: AnglerfishBuilder) -> Anglerfish {
    builder.build().await.unwrap().start()
}

/// A function that hands on what comes.
fn taking(id: &str) -> (Subscription, mpsc::UnboundedReceiver<Delivery>) {
    let (arrived, arrivals) = mpsc::unbounded_channel();
    let subscription = Subscription::to_function(id, move |delivery: Delivery| {
        let arrived = arrived.clone();
        async move { arrived.send(delivery) }
    });
    (subscription, arrivals)
}

fn shop() -> Source {
    Source::new("shop", "bearer").secret("the token of the shop")
}

fn order(path: &str) -> http::request::Builder {
    Request::post(path)
        .header("host", "hooks.example")
        .header("authorization", "Bearer the token of the shop")
        .header("content-type", "application/json")
}

fn whole(body: &'static str) -> Full<Bytes> {
    Full::new(Bytes::from_static(body.as_bytes()))
}

async fn ask<B>(mut router: Router, request: Request<B>) -> Response<axum::body::Body>
where
    B: hyper::body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Send
        + 'static,
{
    router.call(request.map(axum::body::Body::new)).await.unwrap()
}

/// What the management API says.
async fn manage(gateway: &Anglerfish, path: &str) -> Value {
    let request = Request::get(path).header("authorization", format!("Bearer {TOKEN}"));
    let answer = ask(gateway.management(), request.body(whole("")).unwrap()).await;
    serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

/// Waits until the only delivery of a subscription has this status; its attempts' errors.
async fn settled(gateway: &Anglerfish, subscription: &str, status: &str) -> Vec<Option<String>> {
    in_time(async {
        loop {
            let listed = manage(gateway, &format!("/v1/deliveries?subscription={subscription}")).await;
            let delivery = &listed["items"][0];
            if delivery["status"] == status {
                let shown = manage(gateway, &format!("/v1/deliveries/{}", delivery["id"])).await;
                let attempts = shown["attempts"].as_array().unwrap();
                return attempts.iter().map(|one| one["error"].as_str().map(str::to_owned)).collect();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
}

/// Waits for what has to come, and not for ever.
async fn in_time<T>(coming: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(1), coming).await.expect("it does not come")
}

#[tokio::test]
async fn an_error_a_panic_and_a_timeout_of_a_function_are_tried_again_and_ok_settles() {
    let data = data().await;
    let (called, mut calls) = mpsc::unbounded_channel();
    let subscription = Subscription::to_function("sink", move |delivery: Delivery| {
        let called = called.clone();
        async move {
            called.send(delivery.attempt).unwrap();
            match delivery.attempt {
                1 => Err("the database is away"),
                2 => panic!("as it was asked to"),
                3 => std::future::pending().await,
                _ => Ok(()),
            }
        }
    });
    let subscription = subscription.timeout(Duration::from_millis(50)).retry_after([Duration::ZERO; 5]);
    let gateway = start(builder(&data).subscription(subscription)).await;
    let receipt = gateway.publish(NewEvent::new("/test", "test.made")).await.unwrap();
    assert_eq!(receipt.deliveries, Some(1));
    for attempt in 1..=4 {
        assert_eq!(calls.recv().await, Some(attempt));
    }
    let errors = settled(&gateway, "sink", "delivered").await;
    let errors: Vec<_> = errors.iter().map(Option::as_deref).collect();
    let panicked = "the function panicked: as it was asked to";
    assert_eq!(errors, [Some("the database is away"), Some(panicked), Some("timed out after 50ms"), None]);
    gateway.shutdown().await;
}

#[tokio::test]
async fn what_a_function_never_finished_comes_again_after_the_next_start() {
    let data = data().await;
    let (called, mut calls) = mpsc::unbounded_channel();
    let hanging = Subscription::to_function("sink", move |delivery: Delivery| {
        let called = called.clone();
        async move {
            called.send(delivery.event.id).unwrap();
            std::future::pending::<Result<(), Infallible>>().await
        }
    });
    let gateway = start(builder(&data).subscription(hanging).shutdown_timeout(Duration::ZERO)).await;
    gateway.publish(NewEvent::new("/test", "test.made").id("e1")).await.unwrap();
    assert_eq!(calls.recv().await.as_deref(), Some("e1"));
    gateway.shutdown().await;
    drop(gateway);

    let (subscription, mut arrivals) = taking("sink");
    let gateway = start(builder(&data).subscription(subscription)).await;
    let delivery = arrivals.recv().await.unwrap();
    assert_eq!((delivery.event.id.as_str(), delivery.subscription.as_str()), ("e1", "sink"));
    gateway.shutdown().await;
}

#[tokio::test]
async fn the_router_takes_any_body_below_any_path_and_knows_the_url_that_was_signed() {
    let data = data().await;
    let (subscription, mut arrivals) = taking("sink");
    let twilio = Source::new("twilio", "twilio").secret("the auth token");
    let gateway = start(builder(&data).source(shop()).source(twilio).subscription(subscription)).await;
    let app = Router::new()
        .nest_service("/hooks", gateway.ingress())
        .route_service("/orders/{anything}", gateway.ingress().for_source("shop"));

    let answer = ask(app.clone(), order("/hooks/in/shop").body(whole(r#"{"n": 1}"#)).unwrap()).await;
    assert_eq!(answer.status(), 202);
    assert_eq!(arrivals.recv().await.unwrap().data, r#"{"n": 1}"#);

    // In pieces, of a body that is neither hyper's nor axum's, and whose data is no `Bytes`.
    let frame =
        |text: &'static str| Ok::<_, Infallible>(Frame::data(VecDeque::from(text.as_bytes().to_vec())));
    let pieces = StreamBody::new(stream::iter([frame(r#"{"n""#), frame(": 2}")]));
    let answer = gateway.ingress().oneshot(order("/in/shop").body(pieces).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 202);
    assert_eq!(arrivals.recv().await.unwrap().json::<Value>().unwrap(), json!({"n": 2}));

    let answer = ask(app.clone(), order("/orders/today").body(whole(r#"{"n": 3}"#)).unwrap()).await;
    assert_eq!(answer.status(), 202);
    let below = gateway.ingress().below("/hooks/");
    let answer = below.oneshot(order("/hooks/in/shop").body(whole("{}")).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 202);

    // Of the URL that was asked for, the part included that the router took away, and of a form.
    let signed = "http://hooks.example/hooks/in/twilioBodyhi";
    let signature = STANDARD.encode(hmac_sha1(b"the auth token", signed.as_bytes()));
    let message = Request::post("/hooks/in/twilio")
        .header("host", "hooks.example")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-twilio-signature", signature);
    assert_eq!(ask(app.clone(), message.body(whole("Body=hi")).unwrap()).await.status(), 202);

    for (request, status) in [
        (order("/hooks/in/nobody"), 404),
        (order("/hooks/elsewhere"), 404),
        (Request::post("/hooks/in/shop").header("host", "h"), 401),
        (Request::post("/hooks/in/shop"), 400),
        (order("/hooks/in/shop").method("TRACE"), 405),
    ] {
        let answer = ask(app.clone(), request.body(whole("{}")).unwrap()).await;
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }
    gateway.shutdown().await;
}

/// RFC 2104, for one short key.
fn hmac_sha1(key: &[u8], data: &[u8]) -> Vec<u8> {
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = <Hmac<sha1::Sha1> as KeyInit>::new_from_slice(key).unwrap();
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

#[tokio::test]
async fn a_token_ends_it_and_requests_that_come_later_are_told_so() {
    let data = data().await;
    let stop = CancellationToken::new();
    let gateway = start(builder(&data).source(shop()).shutdown_on(stop.clone())).await;
    let ingress = gateway.ingress();
    let ask = || ingress.clone().oneshot(order("/in/shop").body(whole("{}")).unwrap());
    assert_eq!(ask().await.unwrap().status(), 202);
    assert_eq!(gateway.held_back_by(), [""; 0]);
    stop.cancel();
    gateway.ended().await;
    let late = ask().await.unwrap();
    assert_eq!((late.status().as_u16(), late.headers()["retry-after"].to_str().unwrap()), (503, "1"));
    let refused = gateway.publish(NewEvent::new("/test", "test.made")).await.unwrap_err();
    assert!(matches!(refused, EventError::Unpublished(_)), "{refused:?}");
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_document_that_a_program_puts_is_told_as_far_as_it_is_news() {
    let data = data().await;
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let take = axum::routing::any(move |body: String| async move {
        arrived.send(body).unwrap();
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let copies = format!("http://{}/copies/{{id}}", listener.local_addr().unwrap());
    let router = Router::new().route("/copies/{id}", take);
    let served = tokio::spawn(axum::serve(listener, router).into_future());
    let copies = Subscription::to_url("copies", copies).set("resource", "users");
    let copies = copies.endpoint("allow_private", true).endpoint("method", "POST");
    let users = Resource::new("users", "http://api.company.test/users/{id}", "revision");
    let gateway = start(builder(&data).resource(users).subscription(copies)).await;
    let url = "http://api.company.test/users/1";
    gateway.put_document(url, &json!({"revision": 2, "name": "Ada"})).await.unwrap();
    let told = in_time(arrivals.recv()).await.unwrap();
    assert!(told.contains("Ada"), "{told}");
    // Older than what it has: no news.
    gateway.put_document(url, &json!({"revision": 1, "name": "Ida"})).await.unwrap();
    gateway.put_document(url, &json!({"revision": 3, "name": "Eda"})).await.unwrap();
    let told = in_time(arrivals.recv()).await.unwrap();
    assert!(told.contains("Eda"), "{told}");
    gateway.delete_document(url).await.unwrap();
    in_time(arrivals.recv()).await.unwrap();
    let nowhere = gateway.put_document("http://other.test/1", &json!({"revision": 1})).await.unwrap_err();
    assert!(matches!(nowhere, DocumentError::Unchanged(_)), "{nowhere:?}");
    let no_object = gateway.put_document(url, &[1, 2]).await.unwrap_err();
    assert!(matches!(no_object, DocumentError::Unchanged(_)), "{no_object:?}");
    let no_url = gateway.delete_document("users/1").await.unwrap_err();
    assert!(matches!(no_url, DocumentError::Url(_)), "{no_url:?}");
    gateway.shutdown().await;
    served.abort();
}

#[tokio::test]
async fn what_a_program_counts_itself_stands_beside_the_metrics_of_its_gateway() {
    let data = data().await;
    let mut registry = Registry::with_labels([("shop".into(), "fish".into())].into_iter());
    let (baskets, coupons) = (Counter::<u64>::default(), Counter::<u64>::default());
    registry.register("baskets", "Baskets that were filled", baskets.clone());
    registry.sub_registry_with_prefix("till").register("coupons", "Coupons that were taken", coupons.clone());
    let gateway = start(builder(&data).source(shop()).registry(registry)).await;
    baskets.inc_by(7);
    coupons.inc();
    let taken = gateway.ingress().oneshot(order("/in/shop").body(whole("{}")).unwrap()).await.unwrap();
    assert_eq!(taken.status(), 202);
    let mut open = "# first\n".to_owned();
    gateway.encode_metrics(&mut open).await.unwrap();
    assert!(open.starts_with("# first\n") && !open.contains("# EOF"), "{open}");
    let scrape = |accept: &'static str| {
        let asked = Request::get("/metrics").header("authorization", format!("Bearer {TOKEN}"));
        let asked = asked.header("accept", accept).body(whole("")).unwrap();
        let answer = ask(gateway.management(), asked);
        async move {
            let text = answer.await.into_body().collect().await.unwrap().to_bytes();
            String::from_utf8(text.to_vec()).unwrap()
        }
    };
    let texts = [
        gateway.metrics().await.unwrap(),
        scrape("application/openmetrics-text").await,
        scrape("text/plain").await,
    ];
    for text in &texts {
        let has = |line: &str| assert!(text.lines().any(|one| one == line), "{line}\n{text}");
        has("baskets_total{shop=\"fish\"} 7");
        has("till_coupons_total{shop=\"fish\"} 1");
        has("anglerfish_oldest_delivery_age_seconds{shop=\"fish\"} 0.0");
        assert!(text.contains("\nanglerfish_ingress_requests_total{shop=\"fish\",source=\"shop\""), "{text}");
        let types: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE ")).collect();
        let named: HashSet<&str> = types.iter().copied().collect();
        assert_eq!(types.len(), named.len(), "a family is there twice: {text}");
    }
    assert!(texts[0].ends_with("# EOF\n") && texts[1].ends_with("# EOF\n") && !texts[2].contains("# EOF"));
    gateway.shutdown().await;
}

#[tokio::test]
async fn two_gateways_in_one_process_know_nothing_of_each_other_and_set_nothing_up() {
    let (one, two) = (data().await, data().await);
    let ((first, mut of_first), (second, mut of_second)) = (taking("sink"), taking("sink"));
    let one = start(builder(&one).source(shop()).subscription(first)).await;
    let two = start(builder(&two).subscription(second)).await;
    one.publish(NewEvent::new("/test", "test.made").id("first")).await.unwrap();
    two.publish(NewEvent::new("/test", "test.made").id("second")).await.unwrap();
    assert_eq!(of_first.recv().await.unwrap().event.id, "first");
    assert_eq!(of_second.recv().await.unwrap().event.id, "second");
    let ask = |gateway: &Anglerfish| gateway.ingress().oneshot(order("/in/shop").body(whole("{}")).unwrap());
    assert_eq!(ask(&one).await.unwrap().status(), 202);
    assert_eq!(ask(&two).await.unwrap().status(), 404);
    let counted =
        |text: &str| text.lines().any(|line| line.starts_with("anglerfish_ingress") && line.contains("shop"));
    assert!(counted(&one.metrics().await.unwrap()));
    assert!(!counted(&two.metrics().await.unwrap()));
    one.shutdown().await;
    two.publish(NewEvent::new("/test", "test.made").id("third")).await.unwrap();
    assert_eq!(of_second.recv().await.unwrap().event.id, "third");
    two.shutdown().await;
    assert!(!tracing::dispatcher::has_been_set());
}

#[tokio::test]
async fn a_directory_that_another_gateway_uses_is_refused_and_a_dropped_gateway_lets_go_of_it() {
    let data = data().await;
    let first = start(builder(&data)).await;
    let refused = builder(&data).build().await.unwrap_err();
    assert!(matches!(refused, GatewayError::Store(_)), "{refused:?}");
    drop(first);
    in_time(async {
        loop {
            match builder(&data).build().await {
                Ok(built) => break built.start().shutdown().await,
                Err(GatewayError::Store(_)) => tokio::time::sleep(Duration::from_millis(5)).await,
                Err(error) => panic!("{error:?}"),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_token_in_code_may_be_a_reference_and_is_never_taken_as_it_is_written() {
    let data = tempfile::tempdir().unwrap();
    let with = |variables: Environment| {
        Anglerfish::builder()
            .data_dir(data.path())
            .admin_token("env:MANAGEMENT_TOKEN")
            .environment(variables)
            .build()
    };
    for (value, problem) in [
        (None, "environment variable MANAGEMENT_TOKEN is not set"),
        (Some("short"), "must have 16 to 512 characters"),
    ] {
        let variables =
            value.map(|value| ("MANAGEMENT_TOKEN".to_owned(), value.into())).into_iter().collect();
        let told = with(variables).await.unwrap_err().to_string();
        assert!(told.contains(&format!("admin.token: {problem}")), "{told}");
    }
    let variables = [("MANAGEMENT_TOKEN".to_owned(), "the-operators-own-token".into())].into_iter().collect();
    with(variables).await.unwrap().start().shutdown().await;
}

#[tokio::test]
async fn every_problem_of_what_was_said_is_told_with_its_key() {
    let data = tempfile::tempdir().unwrap();
    let refused = Anglerfish::builder()
        .data_dir(data.path())
        .admin_token("short")
        .source(Source::new("a b", "bearer").secret("env:NOBODY"))
        .subscription(Subscription::to_url("orders", "ftp://example.com").source("shpo").filter("1 +"))
        .subscription(taking("sink").0.delivery("timeuot", "5s"))
        .environment(Environment::default())
        .build()
        .await
        .unwrap_err();
    let GatewayError::Config(ConfigError::Invalid(problems)) = refused else { panic!("{refused:?}") };
    let mut told: Vec<_> = problems.iter().map(ToString::to_string).collect();
    told.sort();
    let starts = [
        "builder: admin.token: must have 16 to 512 characters",
        "builder: source[0].name: ",
        "builder: source[0].secrets[0]: environment variable NOBODY is not set",
        "builder: subscription[0].endpoint.url: must be an absolute URL",
        "builder: subscription[0].filter: ",
        "builder: subscription[0].sources[0]: there is no source",
        "builder: subscription[1].delivery.timeuot: unknown key",
    ];
    assert_eq!(told.len(), starts.len(), "{told:#?}");
    for (told, start) in told.iter().zip(starts) {
        assert!(told.starts_with(start), "{told} does not start with {start}");
    }
}

#[tokio::test]
async fn apis_topics_and_resources_are_said_in_code() {
    let data = data().await;
    let answer = axum::routing::post(|headers: http::HeaderMap| async move {
        headers["authorization"].to_str().unwrap().to_owned()
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let billing = Api::new("billing", format!("http://{}/v1", listener.local_addr().unwrap()));
    let billing = billing.header("authorization", "env:BILLING").set("allow_private", true);
    let served =
        tokio::spawn(axum::serve(listener, Router::new().route("/v1/invoices", answer)).into_future());
    let variables = [("BILLING".to_owned(), "the token of billing".into())];
    let (subscription, mut arrivals) = taking("sink");
    let gateway = builder(&data)
        .environment(variables.into_iter().collect())
        .api(billing)
        .topic(Topic::new("chat.*").token(TOKEN))
        .resource(Resource::new("users", "http://api.company.test/users/{id}", "revision"))
        .subscription(subscription.source("/topic/chat.lobby"));
    let gateway = start(gateway).await;

    let call = gateway.call(NewCall::new("billing", "{}").path("/invoices"));
    let called = in_time(call).await.unwrap();
    assert_eq!(called.head.state, CallState::Success);
    assert_eq!(called.answer.unwrap().body, "the token of billing");

    let message = Request::post("/topic/chat.lobby").header("host", "h").header("content-type", "text/plain");
    let message = message.header("authorization", format!("Bearer {TOKEN}")).body(whole("hello")).unwrap();
    assert!(ask(gateway.out(), message).await.status().is_success());
    assert_eq!(in_time(arrivals.recv()).await.unwrap().data, "hello");

    let listed = manage(&gateway, "/v1/resources").await;
    assert_eq!(listed["items"][0]["id"], "users", "{listed}");
    gateway.shutdown().await;
    served.abort();

    let config = Config::parse("anglerfish.toml", "", Path::new(""), &Environment::default()).unwrap();
    let with = Anglerfish::with_config(config).data_dir(data.path()).without_listeners();
    let GatewayError::Config(error) = with.api(Api::any_url("partners")).build().await.unwrap_err() else {
        panic!("it is no problem of the configuration")
    };
    assert!(
        error.to_string().ends_with("builder: api: a gateway by a configuration has those of it"),
        "{error}"
    );
}

#[tokio::test]
async fn what_a_file_could_not_say_is_refused_in_code_too() {
    let data = tempfile::tempdir().unwrap();
    let rate = RateConfig { count: 0, period: Duration::from_secs(1), burst: 1 };
    let server = ServerConfig {
        data_dir: data.path().to_owned(),
        body_limit: 64 << 20,
        workers: 0,
        public_url: Some("hooks.example".to_owned()),
        ..ServerConfig::default()
    };
    let refused = Anglerfish::builder()
        .server(server)
        .admin(AdminConfig { references: ["ORDERS"].into_iter().collect(), ..AdminConfig::default() })
        .out(OutConfig { heartbeat: Duration::ZERO, ..OutConfig::default() })
        .documents_listener(DocumentsConfig {
            listen: Some(([0, 0, 0, 0], 0).into()),
            ..DocumentsConfig::default()
        })
        .outbound(OutboundConfig {
            host_rates: [("A.example:80".to_owned(), rate)].into(),
            ..Default::default()
        })
        .retention(Duration::from_secs(1))
        .api(Api::new("billing", "nowhere"))
        .topic(Topic::new("chat.*"))
        .resource(Resource::new("users", "/users", "revision"))
        .build()
        .await
        .unwrap_err();
    let GatewayError::Config(ConfigError::Invalid(problems)) = refused else { panic!("{refused:?}") };
    let mut keys: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "admin.references",
            "admin.references[0]",
            "api[0].url",
            "documents.listen",
            "out.heartbeat",
            "outbound.host_rates.\"A.example:80\"",
            "outbound.host_rates.\"A.example:80\"",
            "resource[0].endpoint",
            "server.body_memory",
            "server.public_url",
            "server.workers",
            "store.retention",
            "topic[0].tokens",
        ],
        "{problems:#?}"
    );
}

#[tokio::test]
async fn a_configuration_can_name_functions_that_the_program_gives() {
    let data = data().await;
    let text = "[[subscription]]\nid = \"sink\"\nmode = \"function\"\n";
    let config = |data: &Path| {
        let text = format!("[server]\nlisten = \"127.0.0.1:0\"\ndata_dir = {data:?}\n{text}");
        Config::parse("anglerfish.toml", &text, Path::new(""), &Environment::default()).unwrap()
    };
    let without = Anglerfish::with_config(config(data.path())).without_listeners().build().await.unwrap_err();
    let GatewayError::Config(error) = without else { panic!("{without:?}") };
    assert!(
        error
            .to_string()
            .ends_with(":6:1: subscription[0].mode: there is no function for it in this program"),
        "{error}"
    );
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let function = move |delivery: Delivery| {
        let arrived = arrived.clone();
        async move { arrived.send(delivery.event.kind) }
    };
    let both = Anglerfish::with_config(config(data.path())).function("sink", function).without_listeners();
    let gateway = start(both).await;
    assert_eq!(gateway.ingress_address(), None);
    gateway.publish(NewEvent::new("/test", "test.made")).await.unwrap();
    assert_eq!(arrivals.recv().await.as_deref(), Some("test.made"));
    gateway.shutdown().await;
}

#[tokio::test]
async fn sources_and_subscriptions_come_and_go_while_it_runs() {
    let data = data().await;
    let listening = builder(&data).listen(([127, 0, 0, 1], 0).into());
    let gateway = start(listening).await;
    assert!(gateway.ingress_address().is_some() && gateway.admin_address().is_none());
    let (subscription, mut arrivals) = taking("sink");
    gateway.put_source(shop()).await.unwrap();
    gateway.put_subscription(subscription.source("shop")).await.unwrap();
    let ask = || gateway.ingress().oneshot(order("/in/shop").body(whole(r#"{"n": 1}"#)).unwrap());
    assert_eq!(ask().await.unwrap().status(), 202);
    assert_eq!(arrivals.recv().await.unwrap().data, r#"{"n": 1}"#);

    let refused = gateway.put_subscription(Subscription::to_url("bad", "nowhere")).await.unwrap_err();
    assert!(matches!(refused, SubscriptionError::Invalid(_)), "{refused:?}");
    // One that is written by the API has no function.
    let lonely = Subscription::to_url("other", "x").set("mode", "function");
    let refused = gateway.put_subscription(lonely).await.unwrap_err();
    assert!(matches!(refused, SubscriptionError::Invalid(_)), "{refused:?}");

    gateway.delete_subscription("sink").await.unwrap();
    gateway.delete_source("shop").await.unwrap();
    assert_eq!(ask().await.unwrap().status(), 404);
    gateway.shutdown().await;
}

#[tokio::test]
async fn what_is_published_is_checked_and_published_once() {
    let data = data().await;
    let (subscription, mut arrivals) = taking("sink");
    let gateway = start(builder(&data).subscription(subscription)).await;
    let event = || NewEvent::new("/jobs", "job.done").id("j1").subject("jobs/1").attribute("tenant", "a");
    let event = || event().json(&json!({"n": 1})).unwrap();
    assert_eq!(gateway.publish(event()).await.unwrap().deliveries, Some(1));
    assert_eq!(gateway.publish(event()).await.unwrap().deliveries, None, "it is in the log already");
    let delivery = arrivals.recv().await.unwrap();
    assert_eq!(delivery.event.subject.as_deref(), Some("jobs/1"));
    assert_eq!(delivery.event.extensions["tenant"], "a");
    assert_eq!(delivery.event.datacontenttype.as_deref(), Some("application/json"));

    let events = [NewEvent::new("/jobs", "job.done"), NewEvent::new("", "job.done").attribute("Tenant", "a")];
    let EventError::Invalid(problems) = gateway.publish_all(events).await.unwrap_err() else { panic!() };
    let forged = gateway.publish(NewEvent::new("anglerfish", "anglerfish.subscription.disabled")).await;
    assert!(matches!(forged, Err(EventError::Invalid(_))), "{forged:?}");
    let places: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(places, ["[1].source", "[1].Tenant"]);
    let events = [NewEvent::new("/jobs", "job.done"), NewEvent::new("/jobs", "job.done")];
    let receipts = gateway.publish_all(events).await.unwrap();
    assert!(receipts.iter().all(|receipt| receipt.deliveries == Some(1)));
    assert_ne!(receipts[0].id, receipts[1].id);
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_mounted_management_api_asks_for_its_token_and_without_one_answers_no_public_name() {
    let data = data().await;
    let gateway = start(Anglerfish::builder().data_dir(data.path())).await;
    for (host, status) in [("manage.example", 403), ("localhost", 200)] {
        let request = Request::get("/v1/events").header("host", host).body(whole("")).unwrap();
        assert_eq!(ask(gateway.management(), request).await.status(), status, "{host}");
    }
    let leased = Request::post("/out/nobody/lease").header("host", "h").body(whole("")).unwrap();
    assert_eq!(ask(gateway.out(), leased).await.status(), 401);
    gateway.shutdown().await;
}

fn probe() -> PluginConfig {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/plugin/probe-0.1.0.wasm");
    // Under load a call that does nothing may take longer than it has to.
    PluginConfig { timeout: Duration::from_secs(1), state: 1 << 20, ..PluginConfig::new("probe", file) }
}

#[tokio::test]
async fn plugins_stand_before_subscribers_and_what_one_fails_at_waits_to_be_released() {
    let data = data().await;
    let (subscription, arrivals) =
        ["replace", "drop", "loop"].map(taking_behind).into_iter().unzip::<_, _, Vec<_>, Vec<_>>();
    let [mut replaced, mut dropped, mut held] = <[_; 3]>::try_from(arrivals).ok().unwrap();
    let mut building = builder(&data).plugin(probe());
    for subscription in subscription {
        building = building.subscription(subscription);
    }
    let gateway = start(building).await;
    gateway.publish(NewEvent::new("/test", "test.made").data("text/plain", "hello")).await.unwrap();
    assert_eq!(replaced.recv().await.unwrap().data, "5 bytes for replace");
    let reasons = settled(&gateway, "drop", "discarded").await;
    assert_eq!(reasons, [Some("plugin probe dropped it: test.made of /test is not wanted".to_owned())]);
    let reasons = settled(&gateway, "loop", "dead").await;
    assert_eq!(reasons, [Some("plugin probe failed: ran into its time limit".to_owned())]);
    assert!(dropped.try_recv().is_err() && held.try_recv().is_err());
    let metrics = gateway.metrics().await.unwrap();
    assert!(
        metrics.contains(r#"anglerfish_plugin_calls_total{plugin="probe",outcome="timeout"} 1"#),
        "{metrics}"
    );

    // Released by hand, it is judged anew.
    let listed = manage(&gateway, "/v1/deliveries?subscription=loop").await;
    let path = format!("/v1/deliveries/{}/retry", listed["items"][0]["id"]);
    let retry =
        Request::post(path).header("authorization", format!("Bearer {TOKEN}")).body(whole("")).unwrap();
    assert!(ask(gateway.management(), retry).await.status().is_success());
    in_time(async { while settled(&gateway, "loop", "dead").await.len() < 2 {} }).await;
    gateway.shutdown().await;
}

/// One whose plugin does this, which is its id too.
fn taking_behind(behaviour: &str) -> (Subscription, mpsc::UnboundedReceiver<Delivery>) {
    let (subscription, arrivals) = taking(behaviour);
    let plugins = json!([{"name": "probe", "config": behaviour, "on_error": "hold"}]);
    (subscription.set("plugins", plugins), arrivals)
}

#[tokio::test]
async fn plugins_that_there_are_not_and_plugins_past_which_events_would_go_are_refused() {
    let data = tempfile::tempdir().unwrap();
    let told = |error: GatewayError| match error {
        GatewayError::Config(ConfigError::Invalid(problems)) => problems[0].to_string(),
        error => panic!("{error:?}"),
    };
    let unknown = taking("sink").0.set("plugins", json!([{"name": "gone"}]));
    let error = builder(&data).subscription(unknown).build().await.unwrap_err();
    assert_eq!(told(error), "builder: subscription[0].plugins[0].name: there is no plugin \"gone\"");
    let stream = Subscription::stream("sink", TOKEN).set("plugins", json!([{"name": "probe"}]));
    let error = builder(&data).plugin(probe()).subscription(stream).build().await.unwrap_err();
    assert!(told(error).starts_with("builder: subscription[0].plugins: plugins judge what is sent"));
    let other = PluginConfig { sha256: Some([7; 32]), ..probe() };
    let error = builder(&data).plugin(other).build().await.unwrap_err();
    assert!(told(error).starts_with("builder: plugin[0].sha256: has the SHA-256 "));
}
