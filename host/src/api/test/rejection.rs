//! What was refused, and the sources that refuse.

use super::{Bench, NOW};
use crate::engine::InboundRequest;
use crate::rejection::Refusal;
use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use std::sync::Arc;

fn refuse(bench: &Bench, source: &str, size: usize) {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", "Bearer hunter2".parse().unwrap());
    headers.insert("content-type", "application/json".parse().unwrap());
    let request = Arc::new(InboundRequest {
        id: "r-1".into(),
        source: source.into(),
        method: Method::POST,
        url: format!("https://hooks.example/in/{source}?token=hunter2"),
        headers,
        body: Bytes::from(vec![b'x'; size]),
        received: NOW,
        added_prefix: String::new(),
        fetched: Vec::new(),
    });
    let refusal = Refusal {
        source,
        known: true,
        peer: [192, 0, 2, 7].into(),
        method: Method::POST,
        path: "/in/shop",
        request: Some(request),
    };
    bench.rejections.record(&refusal, 401, "verification-failed", "the signature does not match");
}

#[tokio::test]
async fn what_was_refused_is_listed_shown_and_explained_without_its_secrets() {
    let bench = Bench::new().await;
    for source in ["shop", "shop", "other"] {
        refuse(&bench, source, 7);
    }
    refuse(&bench, "shop", 100_000);
    let ids = |listing: &Value| -> Vec<u64> {
        listing["items"].as_array().unwrap().iter().map(|item| item["id"].as_u64().unwrap()).collect()
    };
    assert_eq!(ids(&bench.get("/v1/rejections").await.json()), [4, 3, 2, 1]);
    let part = bench.get("/v1/rejections?source=shop&limit=2").await.json();
    let next = part["next"].as_str().unwrap();
    assert_eq!(ids(&part), [4, 2]);
    assert_eq!(ids(&bench.get(&format!("/v1/rejections?source=shop&cursor={next}")).await.json()), [1]);
    assert_eq!(ids(&bench.get("/v1/rejections?code=too-large").await.json()), [0; 0]);

    let shown = bench.get("/v1/rejections/1").await.json();
    assert_eq!(
        shown["rejection"],
        json!({
            "id": 1, "source": "shop", "received": "2023-11-14T22:13:20Z", "status": 401,
            "code": "verification-failed", "reason": "the signature does not match", "peer": "192.0.2.7",
            "method": "POST", "url": "https://hooks.example/in/shop?token=…", "size": 7
        })
    );
    assert_eq!(shown["headers"], json!(["authorization", "content-type"]));
    assert_eq!((&shown["excerpt"], &shown["explainable"]), (&json!("xxxxxxx"), &json!(true)));
    let explained = bench.get("/v1/rejections/1/explain").await.json();
    assert_eq!(explained["verification"]["outcome"], "rejected");
    assert_eq!(explained["verification"]["reason"], "7 bytes");
    assert_eq!(bench.get("/v1/rejections/4/explain").await.problem(), (409, "request-not-kept".into()));
    for id in ["5", "01", "x"] {
        let answer = bench.get(&format!("/v1/rejections/{id}")).await;
        assert_eq!(answer.problem(), (404, "unknown-rejection".into()));
    }
    for path in ["/v1/rejections", "/v1/rejections/1", "/v1/rejections/1/explain"] {
        let text = String::from_utf8(bench.get(path).await.body.to_vec()).unwrap();
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn sources_are_shown_without_their_secrets() {
    let bench = Bench::new().await;
    let listing = bench.get("/v1/sources").await.json();
    assert_eq!(
        listing["items"],
        json!([
            {
                "name": "meta", "path": "/in/meta", "scheme": "meta", "public_url": null,
                "secrets": [{"name": "0", "not_before": null, "not_after": null}], "parameters": ["verify_token"], "to_copy": [], "origin": "file", "updated": null, "source": null
            },
            {
                "name": "shop", "path": "/in/shop", "scheme": "github", "public_url": null,
                "secrets": [
                    {"name": "0", "not_before": null, "not_after": null},
                    {"name": "new", "not_before": null, "not_after": "2026-01-31T00:00:00Z"}
                ],
                "parameters": [], "to_copy": [], "origin": "file", "updated": null, "source": null
            }
        ])
    );
    assert_eq!(bench.get("/v1/sources/shop").await.json(), listing["items"][1]);
    assert_eq!(bench.get("/v1/sources/none").await.problem(), (404, "unknown-source".into()));
}
