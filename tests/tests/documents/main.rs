//! Documents: the API of Flare as its clients know it, and what subscribers are told.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in what its functions share"
)]

mod api;
mod cases;
mod crash;
mod deviation;
mod example;
mod filter;
mod management;
mod notification;
mod owed;

use anglerfish_tests::{Answer, Contract, Gateway, Receiver, Request, Setup, eventually, free_port, send};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::OnceLock;

/// A gateway with a listener of documents.
struct Flare {
    gateway: Gateway,
    address: SocketAddr,
}

impl Flare {
    /// Starts one with further keys of `[documents]` and further tables.
    fn start(keys: &str, rest: &str) -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        Self { gateway: Gateway::set_up(&setup(address, keys, rest)), address }
    }

    /// Gives the file other tables.
    fn write(&self, rest: &str) {
        self.gateway.write(&setup(self.address, "", rest));
    }

    /// Gives the file other tables and has it read again; how that went.
    fn reload(&self, rest: &str) -> Answer {
        self.write(rest);
        self.gateway.api("POST", "/v1/config/reload", None)
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        let request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            body: body.as_bytes().to_vec(),
            ..Request::default()
        };
        let answer = self.send(&request);
        // One binary is tested, so that one description serves all of its listeners.
        static CONTRACT: OnceLock<Contract> = OnceLock::new();
        if CONTRACT.get().is_none() {
            let request =
                Request { method: "GET".into(), path: "/openapi.json".into(), ..Request::default() };
            let described = self.send(&request);
            // One that asks for a token describes itself to nobody without it.
            if described.status == 200 {
                let _ = CONTRACT.set(Contract::new(described.json()));
            }
        }
        if let Some(contract) = CONTRACT.get() {
            // In the description a document's URL is one part of the path.
            let described = if path.starts_with("/documents/") { "/documents/url" } else { path };
            let described = described.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(described);
            contract.check(method, described, &answer);
        }
        answer
    }

    fn send(&self, request: &Request) -> Answer {
        send(self.address, request).unwrap_or_else(|error| panic!("{error}:\n{}", self.gateway.log()))
    }

    /// Makes a resource; its id.
    fn resource(&self, endpoint: &str) -> String {
        let body = json!({"endpoint": endpoint, "change": {"field": "v"}}).to_string();
        let answer = self.ask("POST", "/resources", &body).expect(201).json();
        answer["id"].as_str().unwrap().to_owned()
    }

    /// Makes a subscription; its id.
    fn subscribe(&self, resource: &str, body: &Value) -> String {
        let path = format!("/resources/{resource}/subscriptions");
        let answer = self.ask("POST", &path, &body.to_string()).expect(201).json();
        answer["id"].as_str().unwrap().to_owned()
    }

    fn put(&self, url: &str, body: &str) {
        let answer = self.ask("PUT", &format!("/documents/{url}"), body).expect(202);
        assert!(answer.body.is_empty() && answer.header("content-type").is_none(), "{answer:?}");
    }

    /// Waits until all deliveries have ended.
    fn settled(&self) {
        eventually("nothing is open any more", || {
            let open = self.gateway.get("/v1/deliveries?status=pending&limit=1");
            open["items"].as_array().is_some_and(Vec::is_empty).then_some(())
        });
    }

    fn delete(&self, url: &str) {
        let _ = self.ask("DELETE", &format!("/documents/{url}"), "").expect(202);
    }
}

fn setup(address: SocketAddr, keys: &str, rest: &str) -> Setup {
    let rest = format!(
        "[documents]\nlisten = \"{address}\"\nallow_networks = [\"127.0.0.0/8\", \"::1/128\"]\n{keys}\n{rest}"
    );
    Setup { rest, ..Setup::default() }
}

/// A subscription that is told everything at a receiver's path.
fn to(receiver: &Receiver, path: &str) -> Value {
    json!({
        "endpoint": {"url": receiver.url(path), "method": "POST"},
        "delivery": {"success": [200], "discard": [400]}
    })
}

/// What a receiver was told so far: action and document.
fn told(receiver: &Receiver, count: usize) -> Vec<(String, Value)> {
    let told = receiver.wait(count).into_iter().map(|request| {
        let envelope: Value = serde_json::from_slice(&request.body).unwrap();
        (envelope["action"].as_str().unwrap().to_owned(), envelope["document"].clone())
    });
    told.collect()
}
