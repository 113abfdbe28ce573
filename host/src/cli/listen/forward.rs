//! Posts events to a URL, as the gateway would.

use super::super::Failure;
use super::super::client::{HttpsClient, innermost};
use crate::cli::clock;
use crate::config::Environment;
use anglerfish_core::attempt::{Outgoing, Sending};
use anglerfish_core::config::{ContentMode, ForwardHeaders, SignatureStyle, SigningKeyConfig};
use anglerfish_core::event::Event;
use anglerfish_core::sign::Signer;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use std::time::{Duration, Instant};

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What became of a post.
#[derive(Debug)]
pub(super) struct Posted {
    pub(super) status: Result<StatusCode, String>,
    pub(super) taken: Duration,
}

/// Posts events.
pub(super) struct Forwarder {
    client: HttpsClient,
    outgoing: Outgoing,
}

impl Forwarder {
    pub(super) fn try_new(client: HttpsClient, to: &str, secret: Option<&str>) -> Result<Self, Failure> {
        let uri: Uri =
            to.parse().map_err(|error| Failure::misuse(format_args!("--to is no URL: {error}")))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(Failure::misuse("--to must begin with http:// or https://"));
        }
        let misuse = |reason: String| Failure::misuse(format_args!("--secret: {reason}"));
        let mut keys = Vec::new();
        if let Some(text) = secret {
            keys.push(SigningKeyConfig::new(Environment::of_process().resolve(text).map_err(misuse)?));
        }
        let signer = Signer::try_new(&SignatureStyle::StandardWebhooks, &keys).map_err(|problems| {
            let said: Vec<String> = problems.into_iter().map(|problem| problem.message).collect();
            misuse(said.join("; "))
        })?;
        let outgoing = Outgoing {
            uri,
            method: Method::POST,
            headers: HeaderMap::new(),
            content: ContentMode::default(),
            forward: ForwardHeaders::default(),
            signer,
            templates: anglerfish_core::config::EndpointTemplates::default(),
            made: None,
        };
        Ok(Self { client, outgoing })
    }

    /// Posts an event and waits for the answer. It never fails: what went wrong is in what is returned.
    pub(super) async fn post(&self, event: &Event, data: &Bytes) -> Posted {
        let begun = Instant::now();
        let status = match tokio::time::timeout(TIMEOUT, self.exchange(event, data)).await {
            Ok(status) => status,
            Err(_) => Err(format!("no answer within {} s", TIMEOUT.as_secs())),
        };
        Posted { status, taken: begun.elapsed() }
    }

    async fn exchange(&self, event: &Event, data: &Bytes) -> Result<StatusCode, String> {
        let sending = Sending { event, data, received: &[], own: &[], rendered: None, now: clock::now() };
        let request = self.outgoing.request(&sending).map_err(|error| error.to_string())?;
        let request = request.map(|body| Full::new(body.map_or_else(|| data.clone(), Bytes::from)));
        let answer = self.client.request(request).await.map_err(|error| innermost(&error))?;
        let status = answer.status();
        // The connection can be used again only when the answer has been read.
        let _ = Limited::new(answer.into_body(), 1 << 20).collect().await;
        Ok(status)
    }
}
