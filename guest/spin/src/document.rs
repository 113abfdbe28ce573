//! Documents that a decision asks for: fetched from the provider's own host, and kept in the key-value store for as long
//! as the decision allows.

use crate::binding::types;
use crate::bucket::Bucket;
use crate::{clock, diagnostic};
use anglerfish_core::decision::Fetch;
use anglerfish_core::state::key;
use bytes::Bytes;
use futures_util::future::{Either, join_all, select};
use http_body_util::{BodyExt, Full, Limited};
use spin_sdk::http::send;
use spin_sdk::time::sleep;
use std::pin::pin;

/// How they are called in the store: `document/…` are those that are put.
const FETCHED: &str = "fetched";

/// Gets each of them. One that cannot be had is in the answer without a status.
pub(crate) async fn fetch(source: &str, fetches: Vec<Fetch>) -> Vec<types::Fetched> {
    let fetches = fetches.into_iter().take(Fetch::MOST_AT_ONCE);
    join_all(fetches.map(|fetch| document(source, fetch))).await
}

async fn document(source: &str, fetch: Fetch) -> types::Fetched {
    let now = clock::now();
    if let Some(body) = kept(source, &fetch, now) {
        return types::Fetched { url: fetch.url, status: Some(200), body };
    }
    match get(&fetch).await {
        Ok((status, body)) => {
            if status == 200 && fetch.cache_seconds > 0 {
                keep(source, &fetch, now, &body);
            }
            types::Fetched { url: fetch.url, status: Some(status), body }
        }
        Err(error) => {
            diagnostic::report(&format!("the document {:?} could not be fetched: {error}", fetch.shown()));
            types::Fetched { url: fetch.url, status: None, body: Vec::new() }
        }
    }
}

async fn get(fetch: &Fetch) -> Result<(u16, Vec<u8>), String> {
    let request = fetch.request()?.map(|body| Full::new(Bytes::from(body)));
    let answer = pin!(async {
        let response = send(request).await.map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), Fetch::LONGEST).collect().await;
        Ok((status, body.map_err(|error| error.to_string())?.to_bytes().to_vec()))
    });
    match select(answer, pin!(sleep(Fetch::TIMEOUT))).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => Err(format!("no answer within {:?}", Fetch::TIMEOUT)),
    }
}

/// A store that fails here costs a fetch, nothing else.
fn kept(source: &str, fetch: &Fetch, now: u64) -> Option<Vec<u8>> {
    if fetch.cache_seconds == 0 {
        return None;
    }
    let value = Bucket::open().ok()?.get(&key(FETCHED, source, &fetch.url)).ok()??;
    let (until, body) = value.split_first_chunk()?;
    (u64::from_be_bytes(*until) > now).then(|| body.to_vec())
}

/// Keeps a document with the time until which it may be used (Unix milliseconds), which is written before its body.
fn keep(source: &str, fetch: &Fetch, now: u64, body: &[u8]) {
    let until = now.saturating_add(u64::from(fetch.cache_seconds).saturating_mul(1000));
    let value = [until.to_be_bytes().as_slice(), body].concat();
    let kept = Bucket::open().and_then(|bucket| bucket.set(&key(FETCHED, source, &fetch.url), &value));
    if let Err(error) = kept {
        diagnostic::report(&format!("the document {:?} was not kept: {error}", fetch.shown()));
    }
}
