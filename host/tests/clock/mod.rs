//! A gateway with a clock of its program's.

use super::*;
use anglerfish::{CallbackOptions, Clock, FlowContext, UnixMillis};
use anglerfish_tests::{now, standard};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// When the clocks of these tests begin, in seconds: long ago.
const THEN: u64 = 1_000_000_000;

/// A clock that stands still until it is set.
#[derive(Debug)]
struct Standing(Mutex<SystemTime>);

impl Standing {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(UNIX_EPOCH + Duration::from_secs(THEN))))
    }

    fn put_forward(&self, time: Duration) {
        *self.0.lock().unwrap() += time;
    }

    fn put_back(&self, time: Duration) {
        *self.0.lock().unwrap() -= time;
    }

    fn text(&self) -> Value {
        let since = self.now().duration_since(UNIX_EPOCH).unwrap();
        UnixMillis(u64::try_from(since.as_millis()).unwrap()).rfc3339().into()
    }
}

impl Clock for Standing {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap()
    }
}

fn signed() -> Source {
    Source::new("signed", "standard-webhooks").secret(SECRET)
}

/// What a gateway answers to a message of this id that was signed at this time.
async fn take_in(gateway: &Anglerfish, id: &str, time: u64) -> u16 {
    let mut request = Request::post("/in/signed").header("host", "hooks.example");
    for (name, value) in standard(SECRET, id, time, b"{}") {
        request = request.header(name, value);
    }
    gateway.ingress().oneshot(request.body(whole("{}")).unwrap()).await.unwrap().status().as_u16()
}

/// The only delivery of a subscription and its attempts, once it has so many.
async fn attempted(gateway: &Anglerfish, subscription: &str, attempts: usize) -> Value {
    in_time(async {
        loop {
            let listed = manage(gateway, &format!("/v1/deliveries?subscription={subscription}")).await;
            let path = format!("/v1/deliveries/{}", listed["items"][0]["id"]);
            let shown = manage(gateway, &path).await;
            if shown["attempts"].as_array().is_some_and(|made| made.len() >= attempts) {
                return shown;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
}

/// One that fails at first, and is to be tried again in an hour.
fn patient() -> Subscription {
    let function = |delivery: Delivery| async move {
        if delivery.attempt == 1 { Err("the database is away") } else { Ok(()) }
    };
    let retry = json!({"delays": ["1h"], "jitter": 0});
    Subscription::to_function("patient", function)
        .filter("event.source == '/patient'")
        .delivery("retry", retry)
}

/// A gateway at rest looks at its clock every minute; one that delivers something looks then.
async fn stir(gateway: &Anglerfish) {
    let receipt = gateway.publish(NewEvent::new("/other", "test.made")).await.unwrap();
    assert_eq!(receipt.deliveries, Some(1));
}

#[tokio::test]
async fn signatures_are_judged_and_events_and_attempts_dated_by_the_clock_that_was_given() {
    let (data, clock) = (data().await, Standing::new());
    let (sent, mut requests) = mpsc::unbounded_channel();
    let answer = move |headers: http::HeaderMap| async move {
        sent.send(headers["webhook-timestamp"].to_str().unwrap().to_owned()).unwrap();
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().route("/", axum::routing::post(answer));
    let served = tokio::spawn(axum::serve(listener, app).into_future());
    let pushed = Subscription::to_url("pushed", format!("http://{address}/")).allow_private();
    let (subscription, mut arrivals) = taking("sink");
    let building = builder(&data).clock(clock.clone()).source(signed());
    let gateway = start(building.subscription(pushed.sign_with(SECRET)).subscription(subscription)).await;

    assert_eq!(take_in(&gateway, "late", now()).await, 401, "right by the system's clock alone");
    assert_eq!(take_in(&gateway, "m1", THEN).await, 202);
    let delivery = arrivals.recv().await.unwrap();
    assert_eq!(delivery.event.time, UnixMillis::from_seconds(THEN));
    for subscription in ["sink", "pushed"] {
        let shown = attempted(&gateway, subscription, 1).await;
        assert_eq!(
            (&shown["attempts"][0]["started"], &shown["delivery"]["created"]),
            (&clock.text(), &clock.text())
        );
    }
    assert_eq!(requests.recv().await, Some(THEN.to_string()));

    // The same time is outside of the tolerance once the clock has gone on.
    clock.put_forward(HOUR);
    assert_eq!(take_in(&gateway, "m2", THEN).await, 401);
    assert_eq!(take_in(&gateway, "m2", THEN + 3600).await, 202);
    assert_eq!(arrivals.recv().await.unwrap().event.time, UnixMillis::from_seconds(THEN + 3600));
    gateway.shutdown().await;
    served.abort();
}

#[tokio::test]
async fn a_retry_goes_out_when_the_clock_is_put_forward_to_it_and_outlasts_one_that_is_put_back() {
    for back in [Duration::ZERO, DAY] {
        let (data, clock) = (data().await, Standing::new());
        let (other, _others) = taking("other");
        let other = other.filter("event.source == '/other'");
        let building = builder(&data).clock(clock.clone()).subscription(patient());
        let gateway = start(building.subscription(other)).await;
        gateway.publish(NewEvent::new("/patient", "test.made")).await.unwrap();
        let shown = attempted(&gateway, "patient", 1).await;
        assert_eq!(shown["attempts"][0]["started"], clock.text());
        assert_eq!(shown["delivery"]["due"], "2001-09-09T02:46:40Z");

        clock.put_back(back);
        stir(&gateway).await;
        if !back.is_zero() {
            // It waits as long as it was to, from when that was noticed.
            in_time(async {
                while attempted(&gateway, "patient", 1).await["delivery"]["due"] != "2001-09-08T02:46:40Z" {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            })
            .await;
        }
        clock.put_forward(HOUR);
        stir(&gateway).await;
        let shown = attempted(&gateway, "patient", 2).await;
        assert_eq!(shown["attempts"][1]["started"], clock.text());
        settled(&gateway, "patient", "delivered").await;
        gateway.shutdown().await;
    }
}

#[tokio::test]
async fn flows_and_callbacks_go_by_the_clock_that_was_given() {
    let (data, clock) = (data().await, Standing::new());
    let config = ServerConfig {
        data_dir: data.path().to_owned(),
        public_url: Some("https://hooks.example".to_owned()),
        ..ServerConfig::default()
    };
    let gateway = start(builder(&data).server(config).clock(clock.clone())).await;
    let flow = gateway.flow("now", |mut cx: FlowContext, (): ()| async move {
        Ok::<_, Infallible>((cx.started().0, cx.now().await.0))
    });
    let run = flow.await.unwrap().start("one", &()).await.unwrap();
    assert_eq!(in_time(run.result()).await.unwrap(), (THEN * 1000, THEN * 1000));

    let options = CallbackOptions { expires: Some(HOUR), ..CallbackOptions::default() };
    let held = gateway.callbacks().hold(Some("reply".to_owned()), &options).await.unwrap();
    let url = gateway.callbacks().url(&held);
    let come = async || {
        let path = url.strip_prefix("https://hooks.example").unwrap();
        let request = Request::post(path).header("host", "hooks.example").body(whole("{}")).unwrap();
        gateway.ingress().oneshot(request).await.unwrap().status().as_u16()
    };
    assert_eq!(come().await, 202);
    clock.put_forward(HOUR);
    assert_eq!(come().await, 410);
    gateway.shutdown().await;
}

#[tokio::test]
async fn two_gateways_in_one_process_have_a_clock_each() {
    let (one, two, clock) = (data().await, data().await, Standing::new());
    let ((first, mut of_first), (second, mut of_second)) = (taking("sink"), taking("sink"));
    let one = start(builder(&one).clock(clock.clone()).source(signed()).subscription(first)).await;
    let two = start(builder(&two).source(signed()).subscription(second)).await;
    let by_system = now();
    assert_eq!((take_in(&one, "m1", THEN).await, take_in(&one, "m2", by_system).await), (202, 401));
    assert_eq!((take_in(&two, "m1", THEN).await, take_in(&two, "m2", by_system).await), (401, 202));
    assert_eq!(of_first.recv().await.unwrap().event.time, UnixMillis::from_seconds(THEN));
    assert!(of_second.recv().await.unwrap().event.time >= UnixMillis::from_seconds(by_system));
    assert_eq!(attempted(&one, "sink", 1).await["attempts"][0]["started"], clock.text());
    assert_ne!(attempted(&two, "sink", 1).await["attempts"][0]["started"], clock.text());
    one.shutdown().await;
    two.shutdown().await;
}
