//! Callbacks. Nobody comes to their addresses here: that is the ingress's.

use super::*;
use crate::callback::{CallbackMetrics, CallbackParts};
use crate::engine::FetchedDocument;
use crate::ingress::Fetcher;
use anglerfish_core::config::{SourceConfig, read_source};
use anglerfish_core::decision::Fetch;
use anglerfish_core::problem::Problem;
use async_trait::async_trait;
use serde_json::json;

/// No provider is asked for anything.
pub(super) struct NoDocuments;

#[async_trait]
impl Fetcher for NoDocuments {
    async fn fetch(&self, _: Vec<Fetch>) -> Vec<FetchedDocument> {
        Vec::new()
    }
}

/// Reads how requests are verified, without references.
pub(super) fn read(document: &[u8]) -> Result<SourceConfig, Vec<Problem>> {
    match read_source(&serde_json::from_slice(document).unwrap(), "") {
        (Some(source), problems) if problems.is_empty() => Ok(source),
        (_, problems) => Err(problems),
    }
}

/// The callbacks of a gateway on this store.
pub(super) fn callbacks_on(store: Arc<dyn Store>) -> Callbacks {
    Callbacks::new(CallbackParts {
        store,
        reader: Arc::new(read),
        fetcher: Arc::new(NoDocuments),
        base: Some("https://hooks.example.com".into()),
        rejections: Rejections::default(),
        metrics: CallbackMetrics::default(),
        clock: WallClock::default(),
    })
}

#[tokio::test]
async fn a_callback_is_held_by_name_looked_at_and_closed() {
    let bench = Bench::new().await;
    let made = bench.post("/v1/callbacks", &json!({"name": "orders/eu", "expires": "1h"})).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let made = made.json();
    let url = made["url"].as_str().unwrap();
    assert!(url.starts_with("https://hooks.example.com/callback/orders/eu/"), "{url}");
    let again = bench.post("/v1/callbacks", &json!({"name": "orders/eu"})).await;
    assert_eq!(again.status, StatusCode::OK);
    let again = again.json();
    assert_eq!(
        (&again["url"], &again["expires"], &again["holder"]),
        (&made["url"], &made["expires"], &json!(2))
    );
    let shown = bench.get("/v1/callbacks/orders%2Feu").await;
    assert_eq!(shown.json(), again);
    assert_eq!(bench.get("/v1/callbacks/orders%2Feu/next").await.status, StatusCode::NO_CONTENT);
    let fenced = bench.get("/v1/callbacks/orders%2Feu/next?holder=1").await;
    assert_eq!(fenced.problem(), (409, "fenced".to_owned()));
    let fenced = bench.post("/v1/callbacks/orders%2Feu/ack", &json!({"holder": 1, "position": 1})).await;
    assert_eq!(fenced.problem(), (409, "fenced".to_owned()));
    let acked = bench.post("/v1/callbacks/orders%2Feu/ack", &json!({"holder": 2, "position": 1})).await;
    // Nothing came yet: what is not there cannot be done with.
    assert_eq!((acked.status, &acked.json()["acked"]), (StatusCode::OK, &json!(0)));
    let spawned = bench.post("/v1/callbacks", &json!({})).await.json();
    assert_ne!(spawned["name"], made["name"]);
    assert_eq!(bench.get("/v1/callbacks?limit=1").await.json()["more"], true);

    let closed = bench.post("/v1/callbacks/orders%2Feu/cancel", &json!({})).await.json();
    assert_eq!(closed["open"], false);
    let over = bench.get("/v1/callbacks/orders%2Feu/next?wait=10s").await;
    assert_eq!(over.problem(), (410, "callback-over".to_owned()));
    assert_eq!(bench.get("/v1/callbacks/none").await.problem(), (404, "unknown-callback".to_owned()));
    // The name is free for another one.
    let new = bench.post("/v1/callbacks", &json!({"name": "orders/eu"})).await.json();
    assert!(new["url"] != made["url"] && new["open"] == true, "{new}");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_every_problem() {
    let bench = Bench::new().await;
    for (document, path) in [
        (json!({"name": "a//b"}), "name"),
        (json!({"expires": "soon"}), "expires"),
        (json!({"filter": ")"}), "filter"),
        (json!({"verify": {"scheme": "nobody"}}), "verify.scheme"),
        (json!({"verify": {"scheme": "github"}}), "verify.secrets"),
    ] {
        let refused = bench.post("/v1/callbacks", &document).await;
        assert_eq!(refused.problem(), (422, "invalid-document".to_owned()), "{document}");
        assert_eq!(refused.json()["problems"][0]["path"], path, "{}", refused.json());
    }
    assert_eq!(bench.get("/v1/callbacks").await.json()["items"], json!([]));
}
