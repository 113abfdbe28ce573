//! The routing table of one instance: the gateway component's router and where each subscription's events go.

use crate::binding::{Router, types};
use anglerfish_core::config::{DeliveryConfig, SubscriptionConfig, read_document};
use anglerfish_core::router::RoutingDocument;
use anglerfish_core::sign::SigningSecret;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use spin_sdk::variables;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// The component variable that holds the configuration document (JSON).
const CONFIGURATION: &str = "configuration";

/// The component variable that holds the largest accepted body, in bytes.
const MAX_BODY: &str = "max_body_bytes";

/// The largest accepted body where the variable is not set: what the native shell takes.
const DEFAULT_MAX_BODY: usize = 1024 * 1024;

/// Who sends.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("anglerfish/", env!("CARGO_PKG_VERSION")));

thread_local! {
    static TABLE: RefCell<Option<Rc<Table>>> = const { RefCell::new(None) };
}

/// What an instance loads once.
pub(crate) struct Table {
    /// The gateway component's router.
    pub(crate) router: Router,
    /// Where events go, by the subscription's id.
    pub(crate) destinations: HashMap<String, Destination>,
    /// The largest accepted body, in bytes.
    pub(crate) max_body: usize,
}

/// A subscription's endpoint, made ready once, and its policy.
pub(crate) struct Destination {
    /// Where to send.
    pub(crate) uri: Uri,
    /// How to send.
    pub(crate) method: Method,
    /// The configured fields, and `user-agent`.
    pub(crate) headers: HeaderMap,
    /// What signs; empty means unsigned.
    pub(crate) secrets: Vec<SigningSecret>,
    /// What counts as delivered, and how long to wait.
    pub(crate) delivery: DeliveryConfig,
}

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TableError {
    #[error("the variable {0:?} cannot be read: {1}")]
    Variable(&'static str, variables::Error),
    #[error("the variable {MAX_BODY:?} is not a number of bytes")]
    MaxBody,
    #[error("the configuration is not JSON: {0}")]
    Json(serde_json::Error),
    #[error("the configuration has problems: {0}")]
    Problems(String),
}

/// The table of this instance, loaded at the first request. A failure is not kept: the next request tries again, so
/// a configuration that was put right needs no restart.
pub(crate) async fn table() -> Result<Rc<Table>, TableError> {
    if let Some(table) = TABLE.with_borrow(Clone::clone) {
        return Ok(table);
    }
    let table = Rc::new(load().await?);
    TABLE.set(Some(Rc::clone(&table)));
    Ok(table)
}

async fn load() -> Result<Table, TableError> {
    let text =
        variables::get(CONFIGURATION).await.map_err(|error| TableError::Variable(CONFIGURATION, error))?;
    let max_body = match variables::get(MAX_BODY).await {
        Ok(text) => text.parse().map_err(|_| TableError::MaxBody)?,
        Err(variables::Error::Undefined(_)) => DEFAULT_MAX_BODY,
        Err(error) => return Err(TableError::Variable(MAX_BODY, error)),
    };
    let written = serde_json::from_str(&text).map_err(TableError::Json)?;
    let document = read_document(&written).map_err(|(_, problems)| {
        TableError::Problems(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    })?;
    let routing = serde_json::to_vec(&RoutingDocument::from(&document)).map_err(TableError::Json)?;
    let router = Router::load(&routing).map_err(|problems| TableError::Problems(lines(&problems)))?;
    let destinations = document
        .subscriptions
        .into_iter()
        .map(|(path, subscription)| {
            let id = subscription.id.clone();
            let destination = destination(subscription)
                .ok_or_else(|| TableError::Problems(format!("{path}: cannot be called")))?;
            Ok((id, destination))
        })
        .collect::<Result<_, TableError>>()?;
    Ok(Table { router, destinations, max_body })
}

/// `None` where the document's reader let something through that cannot be sent; it never names a value, which may be
/// a secret.
fn destination(subscription: SubscriptionConfig) -> Option<Destination> {
    let endpoint = subscription.endpoint;
    let mut headers = HeaderMap::new();
    for (name, value) in &endpoint.headers {
        let mut value = HeaderValue::from_str(value.reveal()).ok()?;
        value.set_sensitive(true);
        headers.append(HeaderName::from_bytes(name.as_bytes()).ok()?, value);
    }
    headers.entry(header::USER_AGENT).or_insert(AGENT);
    let secrets = endpoint.secrets.iter().map(|secret| SigningSecret::parse(secret.reveal()));
    Some(Destination {
        uri: endpoint.url.parse().ok()?,
        method: Method::from_bytes(endpoint.method.as_bytes()).ok()?,
        headers,
        secrets: secrets.collect::<Result<_, _>>().ok()?,
        delivery: subscription.delivery,
    })
}

fn lines(problems: &[types::Problem]) -> String {
    let line = |problem: &types::Problem| match (problem.line, problem.column) {
        (Some(line), Some(column)) => {
            format!("{} (line {line}, column {column}): {}", problem.path, problem.message)
        }
        _ => format!("{}: {}", problem.path, problem.message),
    };
    problems.iter().map(line).collect::<Vec<_>>().join("; ")
}
