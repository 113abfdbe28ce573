//! Asking a gateway, as a sender and as its operator.

use super::Gateway;
use crate::client::{Answer, Request, send};
use crate::contract::Contract;
use crate::wait::eventually;
use serde_json::Value;
use std::io;
use std::sync::OnceLock;

impl Gateway {
    /// Posts a request to a source.
    ///
    /// # Errors
    ///
    /// If there is no whole answer.
    pub fn try_post(&self, source: &str, headers: &[(String, String)], body: &[u8]) -> io::Result<Answer> {
        let request = Request {
            method: "POST".into(),
            path: format!("/in/{source}"),
            headers: headers.to_vec(),
            body: body.to_vec(),
            chunked: false,
        };
        send(self.ingress, &request)
    }

    /// Posts a request to a source.
    ///
    /// # Panics
    ///
    /// If there is no whole answer.
    #[must_use]
    pub fn post(&self, source: &str, headers: &[(String, String)], body: &[u8]) -> Answer {
        self.try_post(source, headers, body).unwrap_or_else(|error| panic!("{error}:\n{}", self.log()))
    }

    /// Posts JSON to a source, with no other header field.
    ///
    /// # Panics
    ///
    /// If there is no whole answer.
    #[must_use]
    pub fn post_json(&self, source: &str, body: &[u8]) -> Answer {
        self.post(source, &[("content-type".to_owned(), "application/json".to_owned())], body)
    }

    /// Asks the management API, and holds its answer against its description.
    ///
    /// # Panics
    ///
    /// If there is no whole answer, or it is not as described.
    #[must_use]
    pub fn api(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        // One binary is tested, so that one description serves all of its gateways.
        static CONTRACT: OnceLock<Contract> = OnceLock::new();
        let answer = self.ask(method, path, body);
        if CONTRACT.get().is_none() {
            let described = self.ask("GET", "/openapi.json", None);
            // One that is about to end does not describe itself any more.
            if described.status == 200 {
                let _ = CONTRACT.set(Contract::new(described.json()));
            }
        }
        if let Some(contract) = CONTRACT.get() {
            contract.check(method, path, &answer);
        }
        answer
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.try_api(method, path, body).unwrap_or_else(|error| panic!("{error}:\n{}", self.log()))
    }

    /// Asks the management API.
    ///
    /// # Errors
    ///
    /// If there is no whole answer.
    pub fn try_api(&self, method: &str, path: &str, body: Option<&Value>) -> io::Result<Answer> {
        let mut headers = Vec::new();
        if let Some(token) = &self.token {
            headers.push(("authorization".to_owned(), format!("Bearer {token}")));
        }
        if body.is_some() {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let request = Request { method: method.into(), path: path.into(), headers, body, chunked: false };
        send(self.admin, &request)
    }

    /// Reads a document of the management API.
    #[must_use]
    pub fn get(&self, path: &str) -> Value {
        self.api("GET", path, None).expect(200).json()
    }

    /// Reads a whole listing in parts of `limit`.
    ///
    /// # Panics
    ///
    /// If an answer is no listing.
    #[must_use]
    pub fn list(&self, path: &str, limit: usize) -> Vec<Value> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        let mark = if path.contains('?') { '&' } else { '?' };
        loop {
            let mut page = self.get(&format!("{path}{mark}limit={limit}{cursor}"));
            let Value::Array(part) = page["items"].take() else { panic!("no items: {page}") };
            assert!(part.len() <= limit, "a part of {} where {limit} were asked for", part.len());
            items.extend(part);
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }

    /// Waits until every delivery has ended, and gives them all.
    #[must_use]
    pub fn settled(&self) -> Vec<Value> {
        eventually("every delivery has ended", || {
            let open = self.get("/v1/deliveries?status=pending&limit=1");
            open["items"].as_array().is_some_and(Vec::is_empty).then(|| self.list("/v1/deliveries", 500))
        })
    }
}
