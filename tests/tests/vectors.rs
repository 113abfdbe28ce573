//! Recorded requests of providers, with the verdicts that are known, through `explain`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

use anglerfish_tests::{Gateway, Setup};
use serde_json::{Value, json};
use std::path::Path;

/// Schemes that sign the address that the provider was given.
const SIGN_THE_ADDRESS: [&str; 2] = ["square", "twilio"];

fn literal(text: &str) -> String {
    Value::from(text).to_string()
}

#[test]
fn known_requests_have_their_known_verdicts() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/vectors.json");
    let vectors: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert!(vectors.len() >= 19, "there are only {}", vectors.len());
    let (mut sources, mut lines) = (String::new(), Vec::new());
    for (number, vector) in vectors.iter().enumerate() {
        let provider = vector["provider"].as_str().unwrap();
        let request = &vector["request"];
        let url = request["url"].as_str().unwrap();
        sources.push_str(&format!(
            "[[source]]\nname = \"s{number}\"\nscheme = \"{provider}\"\nsecrets = [{}]\n",
            literal(vector["secret"].as_str().unwrap())
        ));
        if SIGN_THE_ADDRESS.contains(&provider) {
            sources.push_str(&format!("public_url = {}\n", literal(url)));
        }
        let mut line = json!({
            "source": format!("s{number}"), "now": vector["now"], "method": request["method"], "url": url,
            "headers": request["headers"],
        });
        for body in ["body", "body_base64"] {
            if let Some(text) = request.get(body) {
                line[body] = text.clone();
            }
        }
        lines.push(line.to_string());
    }
    let gateway = Gateway::prepare(&Setup { rest: sources, ..Setup::default() });
    let explained =
        gateway.run(&["explain", "--format", "json", "--request", "-"], lines.join("\n").as_bytes());
    let answers = explained.json_lines();
    assert_eq!(answers.len(), vectors.len(), "{}", explained.stderr);
    let _ = explained.expect(1);
    let mut wrong = Vec::new();
    for (number, (vector, answer)) in vectors.iter().zip(&answers).enumerate() {
        let outcome = answer["verification"]["outcome"].as_str().unwrap_or("none");
        let right = match vector["expect"].as_str().unwrap() {
            "valid" => ["verified", "answered"].contains(&outcome),
            "invalid" => outcome == "rejected",
            other => panic!("what is {other}?"),
        };
        if !right {
            wrong.push(format!("{number} {} ({}): {answer}", vector["provider"], vector["expect"]));
        }
        // Whatever the verdict, an explanation says no secret.
        let secret = vector["secret"].as_str().unwrap();
        assert!(secret.len() < 8 || !answer.to_string().contains(secret), "{answer}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
