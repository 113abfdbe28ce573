//! Flows, with code of the test's own.

use super::*;
use crate::flow::{FlowContext, FlowError};
use serde_json::json;
use std::convert::Infallible;

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
