//! Fetching with a bounded cache.

use crate::engine::FetchedDocument;
use crate::ingress::Fetcher;
use crate::outbound::{OutboundError, ProviderClient, ProviderOptions};
use anglerfish_core::decision::Fetch;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::join_all;
use http::HeaderValue;
use http::header::USER_AGENT;
use http_body_util::{BodyExt, Full, Limited};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// How many documents are kept.
const MOST: usize = 256;

/// How many are fetched at once: a flood of requests must not become a flood at the provider's.
const AT_ONCE: usize = 8;

struct CachedDocument {
    document: FetchedDocument,
    until: Instant,
}

/// Fetches documents over HTTPS from public addresses and keeps those that may be kept.
pub struct DocumentCache {
    client: ProviderClient,
    /// For one document, the wait for its turn included: a sender does not wait much longer.
    timeout: Duration,
    kept: Mutex<HashMap<String, CachedDocument>>,
    turns: Semaphore,
}

impl DocumentCache {
    /// Makes a client that refuses private addresses, but for those that the options allow.
    ///
    /// # Errors
    ///
    /// If TLS cannot be set up or the options cannot be read.
    pub fn try_new(options: ProviderOptions) -> Result<Self, OutboundError> {
        Ok(Self::new(ProviderClient::try_new(options)?))
    }

    /// Fetches with a client of the caller's.
    #[must_use]
    pub fn new(client: ProviderClient) -> Self {
        Self {
            client,
            timeout: Fetch::TIMEOUT,
            kept: Mutex::new(HashMap::new()),
            turns: Semaphore::new(AT_ONCE),
        }
    }

    /// Allows another time for one document than ten seconds.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    async fn document(&self, fetch: Fetch) -> FetchedDocument {
        if let Some(document) = self.find(&fetch.url) {
            return document;
        }
        match tokio::time::timeout(self.timeout, self.in_turn(&fetch)).await {
            Ok(Ok(document)) => document,
            Ok(Err(error)) => {
                tracing::warn!(url = fetch.shown(), error, "a provider's document could not be fetched");
                missing(fetch.url)
            }
            Err(_) => {
                tracing::warn!(url = fetch.shown(), "a provider's document took too long");
                missing(fetch.url)
            }
        }
    }

    async fn in_turn(&self, fetch: &Fetch) -> Result<FetchedDocument, String> {
        let _turn = self.turns.acquire().await.map_err(|error| error.to_string())?;
        // Requests that wanted the same document may have waited for each other.
        if let Some(document) = self.find(&fetch.url) {
            return Ok(document);
        }
        let (status, body) = self.get(fetch).await?;
        let document = FetchedDocument { url: fetch.url.clone(), status: Some(status), body };
        if fetch.cache_seconds > 0 && status == 200 {
            self.keep(fetch, &document);
        }
        Ok(document)
    }

    async fn get(&self, fetch: &Fetch) -> Result<(u16, Bytes), String> {
        let mut request = fetch.request()?.map(|body| Full::new(Bytes::from(body)));
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(crate::USER_AGENT));
        let response = self.client.request(request).await?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), Fetch::LONGEST)
            .collect()
            .await
            .map_err(|error| error.to_string())?;
        Ok((status, body.to_bytes()))
    }

    fn find(&self, url: &str) -> Option<FetchedDocument> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.get(url)?;
        (found.until > Instant::now()).then(|| found.document.clone())
    }

    fn keep(&self, fetch: &Fetch, document: &FetchedDocument) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if kept.len() >= MOST {
            kept.retain(|_, document| document.until > now);
        }
        if kept.len() < MOST {
            let until = now + Duration::from_secs(u64::from(fetch.cache_seconds));
            kept.insert(fetch.url.clone(), CachedDocument { document: document.clone(), until });
        }
    }
}

#[async_trait]
impl Fetcher for DocumentCache {
    async fn fetch(&self, fetches: Vec<Fetch>) -> Vec<FetchedDocument> {
        join_all(fetches.into_iter().take(Fetch::MOST_AT_ONCE).map(|fetch| self.document(fetch))).await
    }
}

fn missing(url: String) -> FetchedDocument {
    FetchedDocument { url, status: None, body: Bytes::new() }
}
