//! Flows, with code of the test's own.

use super::*;
use crate::call::NewCall;
use crate::delivery::test::flaky::{Flaky, Held, HoldUp};
use crate::flow::{FlowContext, FlowError, FlowMetrics, FlowParts, FlowState};
use crate::store::{CallStore, KeyOverlay, KeyStore, RetentionStore};
use anglerfish_core::flow::JournalLimits;
use serde_json::json;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The flows of a gateway on this store.
pub(super) fn flows_on(store: Arc<dyn Store>, calls: Calls, callbacks: Callbacks) -> Flows {
    flows_kept(store, calls, callbacks, Duration::from_secs(3600))
}

fn flows_kept(store: Arc<dyn Store>, calls: Calls, callbacks: Callbacks, retention: Duration) -> Flows {
    let (_, retention) = tokio::sync::watch::channel(retention);
    let (metrics, clock) = (FlowMetrics::default(), WallClock::default());
    Flows::new(FlowParts { store, calls, callbacks, retention, metrics, clock })
}

/// Flows on a store that can be out of reach.
struct Rig {
    flaky: Arc<Flaky>,
    calls: Calls,
    callbacks: Callbacks,
    flows: Flows,
    _directory: TempDir,
}

impl Rig {
    async fn new() -> Self {
        Self::kept(Duration::from_secs(3600)).await
    }

    /// With this retention.
    async fn kept(retention: Duration) -> Self {
        let directory = TempDir::new().unwrap();
        let store = SqliteStore::open(&directory.path().join("a.db"), SqliteOptions::default()).unwrap();
        let flaky = Arc::new(Flaky::new(store));
        let store: Arc<dyn Store> = flaky.clone();
        let callbacks = callback::callbacks_on(store.clone());
        let calls = call::calls_on(&store, "http://127.0.0.1:9/").await;
        let flows = flows_kept(store, calls.clone(), callbacks.clone(), retention);
        Self { flaky, calls, callbacks, flows, _directory: directory }
    }

    /// Cancels the flow `a` of this name while something is written for it.
    async fn cancel(&self, name: &'static str, held: &Held) {
        held.arrived.notified().await;
        let flows = self.flows.clone();
        let mut cancelling = tokio::spawn(async move { flows.cancel(name, "a").await });
        // It waits for what is written; a moment for it not to.
        let early = tokio::time::timeout(Duration::from_millis(100), &mut cancelling).await.ok();
        held.released.notify_one();
        let cancelled = match early {
            Some(cancelled) => cancelled,
            None => cancelling.await,
        };
        assert_eq!(cancelled.unwrap().unwrap().state(), FlowState::Cancelled);
    }

    /// How many keys of the store begin like this.
    async fn keys(&self, prefix: &str) -> usize {
        self.flaky.inner().keys(prefix, 100).await.unwrap().len()
    }
}

/// Whether a commit writes a key that begins like this.
fn writes(commit: &Commit, prefix: &str) -> bool {
    commit.keys.writes.iter().any(|(key, value)| key.starts_with(prefix) && value.is_some())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_that_is_tried_again_while_its_last_run_ends_runs_again() {
    let rig = Rig::new().await;
    let runs = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&runs);
    let code = move |_: FlowContext, (): ()| {
        let run = count.fetch_add(1, Ordering::SeqCst);
        async move { if run == 0 { Err("not yet") } else { Ok(run) } }
    };
    let flow = rig.flows.flow("late", code).await.unwrap();
    let held = rig.flaky.hold(HoldUp::Behind, |commit| writes(commit, "flow-ended/"));
    let run = flow.start("a", &()).await.unwrap();
    held.arrived.notified().await;
    // That it ended is on disk, and whoever wrote it does not know yet.
    assert_eq!(rig.flows.get("late", "a").await.unwrap().state(), FlowState::Failure);
    rig.flows.retry("late", "a").await.unwrap();
    held.released.notify_one();
    assert_eq!(run.result().await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_to_a_flow_is_done_to_its_end_also_when_whoever_asked_hangs_up() {
    let rig = Rig::new().await;
    let code = |mut cx: FlowContext, is_long: bool| async move {
        if is_long {
            cx.sleep(Duration::from_secs(3600)).await;
        }
        Ok::<_, FlowError>(7)
    };
    let flow = rig.flows.flow("add", code).await.unwrap();
    let hang_up = async |held: &Held, asking: tokio::task::JoinHandle<()>| {
        held.arrived.notified().await;
        asking.abort();
        assert!(asking.await.unwrap_err().is_cancelled());
        held.released.notify_one();
    };
    let held = rig.flaky.hold(HoldUp::Behind, |commit| writes(commit, "flow/add/a"));
    let starts = flow.clone();
    let asking = tokio::spawn(async move { drop(starts.start("a", &false).await) });
    hang_up(&held, asking).await;
    assert_eq!(flow.get("a").await.unwrap().result().await.unwrap(), 7);

    let long = flow.start("b", &true).await.unwrap();
    let held = rig.flaky.hold(HoldUp::Before, |commit| writes(commit, "flow-ended/add/b"));
    let flows = rig.flows.clone();
    let asking = tokio::spawn(async move { drop(flows.cancel("add", "b").await) });
    hang_up(&held, asking).await;
    assert!(matches!(long.result().await, Err(FlowError::NoResult(_))));

    let held = rig.flaky.hold(HoldUp::Behind, |commit| writes(commit, "flow/add/b"));
    let flows = rig.flows.clone();
    let asking = tokio::spawn(async move { drop(flows.retry("add", "b").await) });
    hang_up(&held, asking).await;
    let flow = rig.flows.get("add", "b").await.unwrap();
    while !rig.flows.is_running_here(&flow) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_of_whose_start_nobody_learnt_runs_once_it_is_started_again() {
    let rig = Rig::new().await;
    let code = |_: FlowContext, number: u32| async move { Ok::<_, FlowError>(number) };
    let flow = rig.flows.flow("add", code).await.unwrap();
    let held = rig.flaky.hold(HoldUp::Lost, |commit| writes(commit, "flow/add/a"));
    held.released.notify_one();
    assert!(matches!(flow.start("a", &7).await, Err(FlowError::Store(_))));
    let again = flow.start("a", &7).await.unwrap();
    assert_eq!((again.is_new(), again.result().await.unwrap()), (false, 7));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_and_a_result_that_are_too_large_are_refused() {
    let rig = Rig::new().await;
    let limits = JournalLimits { bytes: 100, entry: 50, ..JournalLimits::default() };
    let code = |_: FlowContext, length: usize| async move { Ok::<_, FlowError>("x".repeat(length)) };
    let flow = rig.flows.flow("grow", code).limits(limits).await.unwrap();
    assert_eq!(flow.start("a", &48).await.unwrap().result().await.unwrap().len(), 48);
    let error = flow.start("b", &49).await.unwrap().result().await.unwrap_err().to_string();
    assert_eq!(error, "flow `grow/b` ended as failure: its result has 51 bytes, over the limit of 50");
    let long = json!("x".repeat(99));
    let error = rig.flows.start("grow", "c", long).await.unwrap_err();
    let FlowError::Invalid(problems) = error else { panic!("{error:?}") };
    assert_eq!(problems[0].to_string(), "input: has 101 bytes as JSON, over the limit of 100 of a journal");
    let limits = JournalLimits { entries: 1_000_001, ..limits };
    let error = rig.flows.flow("grow", code).version("2").limits(limits).await.unwrap_err();
    assert!(matches!(error, FlowError::Invalid(_)), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_flow_is_written_behind_its_end() {
    let rig = Rig::new().await;
    let code = |mut cx: FlowContext, (): ()| async move {
        cx.step("one", || async { Ok::<_, Infallible>(1) }).await?;
        cx.step("two", || async { Ok::<_, Infallible>(2) }).await
    };
    let flow = rig.flows.flow("add", code).await.unwrap();
    let held = rig.flaky.hold(HoldUp::Before, |commit| writes(commit, "flow-journal/add/a/000001"));
    let run = flow.start("a", &()).await.unwrap();
    rig.cancel("add", &held).await;
    assert_eq!(rig.keys("flow-journal/").await, 0);
    rig.flows.retry("add", "a").await.unwrap();
    assert_eq!(run.result().await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_was_not_journaled_yet_is_closed_with_its_flow() {
    let rig = Rig::new().await;
    let code = |mut cx: FlowContext, (): ()| async move { cx.callback("answer").await.map(drop) };
    let flow = rig.flows.flow("wait", code).await.unwrap();
    let held = rig.flaky.hold(HoldUp::Refused, |commit| writes(commit, "flow-journal/"));
    let _ = flow.start("a", &()).await.unwrap();
    rig.cancel("wait", &held).await;
    assert!(rig.flows.get("wait", "a").await.unwrap().end.unwrap().journal.is_empty());
    assert!(rig.callbacks.get("flow/wait/a/0").await.unwrap().closed.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_flow_does_not_wait_for_is_given_up_also_when_the_store_is_away_for_a_while() {
    let rig = Rig::new().await;
    let code = |mut cx: FlowContext, (): ()| async move {
        let answer = cx.callback("answer").await?;
        Ok::<_, crate::callback::CallbackError>(cx.timeout(Duration::from_millis(1), &answer).await.is_some())
    };
    let flow = rig.flows.flow("wait", code).await.unwrap();
    // The entry that says that the timer was first.
    let held = rig.flaky.hold(HoldUp::Behind, |commit| writes(commit, "flow-journal/wait/a/000002"));
    let run = flow.start("a", &()).await.unwrap();
    held.arrived.notified().await;
    rig.flaky.set_down(true);
    held.released.notify_one();
    while rig.flaky.refused() == 0 {
        tokio::task::yield_now().await;
    }
    rig.flaky.set_down(false);
    assert!(!run.result().await.unwrap());
    let callback = rig.callbacks.get("flow/wait/a/0").await.unwrap();
    assert!(callback.closed.is_some());
}

#[tokio::test]
async fn a_flow_is_started_looked_at_listed_cancelled_and_tried_again() {
    let bench = Bench::new().await;
    let code = |mut cx: FlowContext, input: u32| async move {
        let one: u32 = cx.step("one", || async { Ok::<_, Infallible>(1) }).await?;
        if input == 0 {
            cx.sleep(Duration::from_secs(3600)).await;
        }
        Ok::<_, FlowError>(input + one)
    };
    let _ = bench.flows.flow("add", code).await.unwrap();
    let document = json!({"flow": "add", "id": "a", "input": 4});
    let started = bench.post("/v1/flows", &document).await;
    assert_eq!((started.status, &started.json()["state"]), (StatusCode::CREATED, &json!("running")));
    let shown = bench.get("/v1/flows/add/a?wait=30s").await.json();
    assert_eq!((&shown["flow"]["state"], &shown["result"]), (&json!("success"), &json!(5)));
    let entry = &shown["journal"][0];
    assert_eq!((&entry["what"], &entry["outcome"]), (&json!("the step \"one\""), &json!("1")));
    assert_eq!(bench.post("/v1/flows", &document).await.status, StatusCode::OK);
    let other = json!({"flow": "add", "id": "a", "input": 5});
    assert_eq!(bench.post("/v1/flows", &other).await.problem(), (422, "other-input".to_owned()));

    let sleeps = json!({"flow": "add", "id": "b", "input": 0});
    assert_eq!(bench.post("/v1/flows", &sleeps).await.status, StatusCode::CREATED);
    let running = bench.get("/v1/flows?flow=add").await.json();
    assert_eq!((&running["items"][0]["id"], &running["items"][0]["here"]), (&json!("b"), &json!(true)));
    let cancelled = bench.post("/v1/flows/add/b/cancel", &json!(null)).await.json();
    assert_eq!(cancelled["flow"]["state"], "cancelled");
    let again = bench.post("/v1/flows/add/b/cancel", &json!(null)).await;
    assert_eq!(again.problem(), (409, "state".to_owned()));
    let ended = bench.get("/v1/flows?ended=true&limit=1").await.json();
    assert_eq!((&ended["items"][0]["id"], &ended["more"]), (&json!("a"), &json!(true)));
    let rest = bench.get("/v1/flows?ended=true&after=add/a").await.json();
    assert_eq!((&rest["items"][0]["id"], &rest["more"]), (&json!("b"), &json!(false)));
    let retried = bench.post("/v1/flows/add/b/retry", &json!(null)).await.json();
    assert_eq!(retried["flow"]["state"], "running");

    assert_eq!(bench.get("/v1/flows/add/none").await.problem(), (404, "unknown-flow".to_owned()));
    let unknown = bench.post("/v1/flows", &json!({"flow": "none", "id": "a"})).await;
    assert_eq!(unknown.problem(), (404, "unknown-flow".to_owned()));
    let odd = bench.post("/v1/flows", &json!({"flow": "add", "id": "a b", "input": 1})).await;
    assert_eq!(odd.problem(), (422, "invalid-document".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_forgotten_is_not_made_again() {
    let rig = Rig::kept(Duration::ZERO).await;
    let go = Arc::new(tokio::sync::Notify::new());
    let goes = Arc::clone(&go);
    let code = move |mut cx: FlowContext, (): ()| {
        let goes = Arc::clone(&goes);
        async move {
            let paid = cx.begin_call(NewCall::new("billing", "pay")).await;
            let wait = || async move {
                goes.notified().await;
                Ok::<_, Infallible>(())
            };
            cx.step("wait", wait).await?;
            Ok::<_, FlowError>(format!("{:?}", cx.wait(&paid).await))
        }
    };
    let flow = rig.flows.flow("pay", code).await.unwrap();
    let run = flow.start("a", &()).await.unwrap();
    let store = rig.flaky.inner();
    let made = loop {
        if let Some(made) = store.call_of_key("billing", "flow:pay/a/0").await.unwrap() {
            break made;
        }
        tokio::task::yield_now().await;
    };
    // It ends, and is forgotten as all that has ended.
    let _ = rig.calls.cancel(&made.head.id).await.unwrap();
    let later = crate::clock::now().after(Duration::from_secs(60));
    while store.expire(later, 100).await.unwrap() > 0 {}
    go.notify_one();
    let result = run.result().await.unwrap();
    assert!(result.contains("refused") && result.contains("not kept any more"), "{result}");
    assert!(store.call_of_key("billing", "flow:pay/a/0").await.unwrap().is_none());
}

/// What a flow does of which the first version has written the journal; whatever is done that stands there is done twice.
async fn frozen(mut cx: FlowContext, order: String) -> Result<Value, FlowError> {
    let twice = || async { Err::<Value, _>("it is done twice") };
    let reserved = cx.step("reserve", twice).await?;
    let mail = cx.step("mail", twice).await.unwrap_err().to_string();
    let (drawn, now) = (cx.random().await, cx.now().await.0);
    let pay =
        NewCall::new("billing", format!("pay {order}")).method("PUT").path("/orders").header("x-a", "1");
    let paid = cx.begin_call(pay).await;
    let answer = cx.callback("answer").await.map_err(|error| FlowError::Json(order, error.to_string()))?;
    let timer = cx.timer(Duration::from_secs(5)).await;
    let (winner, received) = cx.first(&[&answer, &timer]).await;
    let paid = cx.wait(&paid).await;
    cx.sleep(Duration::from_secs(1)).await;
    // Here the journal ends.
    cx.step("last", || async { Ok::<_, Infallible>("done".to_owned()) }).await?;
    let outcomes = [format!("{received:?}"), format!("{paid:?}")];
    Ok(json!([reserved, mail, drawn, now, winner, outcomes]))
}

/// The keys of the store as the first version has written them; they have to be read for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_journal_of_the_first_version_is_gone_on_with() {
    let text = include_str!("../../../../tests/fixtures/flow/first.json");
    let keys: std::collections::BTreeMap<String, String> = serde_json::from_str(text).unwrap();
    let rig = Rig::new().await;
    let writes = keys.into_iter().map(|(key, value)| (key, Some(Bytes::from(value)))).collect();
    let keys = KeyOverlay { writes, ..KeyOverlay::default() };
    let commit = Commit { keys, ..Commit::new(crate::clock::now()) };
    rig.flaky.commit(commit).await.unwrap();
    let flow = rig.flows.flow("order", frozen).await.unwrap();
    let result: Value = flow.get("order-1").await.unwrap().result().await.unwrap();
    let received = "Received(FlowEvent { id: \"m1\", kind: \"callback\", datacontenttype: Some(\"application/octet-stream\"), \
                    headers: [(\"webhook-id\", \"m1\")], data: b\"\\xff\" })";
    let paid = "Called(FlowAnswer { state: \"success\", status: Some(200), headers: [(\"content-type\", \"text/plain\")], \
                body: b\"paid\" })";
    let expected = json!([
        {"price": 0.1, "stock": 3},
        "step \"mail\" failed: no route to host",
        u64::MAX,
        1_700_000_000_000_u64,
        0,
        [received, paid]
    ]);
    assert_eq!(result, expected);
    let ended = rig.flows.get("order", "order-1").await.unwrap();
    assert_eq!(ended.end.unwrap().journal.len(), 12);
    // One that had ended is listed as it was.
    let before = rig.flows.get("order", "order-0").await.unwrap();
    assert_eq!((before.state(), before.revision), (FlowState::Failure, 2));
    assert_eq!(before.end.unwrap().journal.len(), 2);
}
