//! The routing table of one instance: the gateway component's router and where each subscription's events go.

use crate::binding::Router;
use crate::convert;
use anglerfish_core::attempt::{Outgoing, made};
use anglerfish_core::config::{
    DeliveryConfig, DeliveryMode, SubscriptionConfig, key_path, read_document, refuse_references,
};
use anglerfish_core::problem::Problem;
use anglerfish_core::router::RoutingDocument;
use anglerfish_core::sign::Signer;
use anglerfish_core::verify::VerificationConfig;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use spin_sdk::variables;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::str::FromStr;
use std::time::Duration;

/// The component variable that holds the configuration document (JSON).
const CONFIGURATION: &str = "configuration";

/// The component variable that holds the largest accepted body, in bytes.
const MAX_BODY: &str = "max_body_bytes";

/// The largest accepted body where the variable is not set: what the native shell takes.
const DEFAULT_MAX_BODY: usize = 1024 * 1024;

/// The component variable that holds how long a body may take to arrive, in milliseconds.
const BODY_TIMEOUT: &str = "body_timeout_ms";

/// How long a body may take where the variable is not set: what the native shell allows.
const DEFAULT_BODY_TIMEOUT: u64 = 30_000;

/// Who sends.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("anglerfish/", env!("CARGO_PKG_VERSION")));

thread_local! {
    static TABLE: RefCell<Option<Rc<Table>>> = const { RefCell::new(None) };
}

/// What an instance loads once.
pub(crate) struct Table {
    /// The gateway component's router.
    pub(crate) router: Router,
    /// How the requests of each source are verified.
    pub(crate) verifications: HashMap<String, VerificationConfig>,
    /// Where events go, by the subscription's id.
    pub(crate) destinations: HashMap<String, Destination>,
    /// The largest accepted body, in bytes.
    pub(crate) max_body: usize,
    /// How long a body may take to arrive.
    pub(crate) body_timeout: Duration,
}

/// A subscription's endpoint, made ready once, and its policy.
pub(crate) struct Destination {
    /// What is sent; the configured fields include `user-agent`.
    pub(crate) outgoing: Outgoing,
    /// What counts as delivered, and how long to wait.
    pub(crate) delivery: DeliveryConfig,
}

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TableError {
    #[error("the variable {0:?} cannot be read: {1}")]
    Variable(&'static str, variables::Error),
    #[error("the variable {0:?} is not a whole number")]
    Number(&'static str),
    #[error("the configuration is not JSON: {0}")]
    Json(serde_json::Error),
    #[error("the configuration has problems: {}", lines(.0))]
    Problems(Vec<Problem>),
}

impl TableError {
    /// The same for whoever may ask `GET /ready`: where the problems are, and nothing of what is written there.
    pub(crate) fn public(&self) -> String {
        match self {
            Self::Variable(name, _) => format!("the variable {name:?} cannot be read"),
            Self::Json(_) => "the configuration is not JSON".to_owned(),
            Self::Problems(problems) => {
                let places: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
                format!("the configuration has problems at {}", places.join(", "))
            }
            Self::Number(_) => self.to_string(),
        }
    }
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
    let max_body = number(MAX_BODY, DEFAULT_MAX_BODY).await?;
    let body_timeout = Duration::from_millis(number(BODY_TIMEOUT, DEFAULT_BODY_TIMEOUT).await?);
    let written = serde_json::from_str(&text).map_err(TableError::Json)?;
    let references = refuse_references(&written);
    if !references.is_empty() {
        return Err(TableError::Problems(references));
    }
    let document = read_document(&written).map_err(|(_, problems)| TableError::Problems(problems))?;
    let routing = serde_json::to_vec(&RoutingDocument::from(&document)).map_err(TableError::Json)?;
    let router = Router::load(&routing)
        .map_err(|problems| TableError::Problems(problems.into_iter().map(convert::problem).collect()))?;
    let verifications =
        document.sources.into_iter().map(|(_, source)| (source.name, source.verification)).collect();
    let destinations = document
        .subscriptions
        .into_iter()
        .map(|(path, subscription)| {
            if subscription.delivery.mode != DeliveryMode::Push {
                let problem = Problem::new(
                    key_path(&path, "mode"),
                    "nothing is kept here for subscribers who lease or read",
                );
                let hint = "run the native gateway, which has a store";
                return Err(TableError::Problems(vec![problem.with_hint(hint)]));
            }
            if subscription.notification.is_some() {
                let problem = Problem::new(key_path(&path, "resource"), "documents are not taken in here");
                let hint = "run the native gateway, which has a listener for them";
                return Err(TableError::Problems(vec![problem.with_hint(hint)]));
            }
            // What a plugin would not let through must not go out for want of it.
            if !subscription.plugins.is_empty() {
                let problem = Problem::new(key_path(&path, "plugins"), "there are no plugins here");
                let hint = "run the native gateway, which has them";
                return Err(TableError::Problems(vec![problem.with_hint(hint)]));
            }
            let id = subscription.id.clone();
            let destination = destination(subscription)
                .ok_or_else(|| TableError::Problems(vec![Problem::new(path, "cannot be called")]))?;
            Ok((id, destination))
        })
        .collect::<Result<_, TableError>>()?;
    Ok(Table { router, verifications, destinations, max_body, body_timeout })
}

/// A variable that is a number, or its default where it is not set.
async fn number<T: FromStr>(name: &'static str, default: T) -> Result<T, TableError> {
    match variables::get(name).await {
        Ok(text) => text.parse().map_err(|_| TableError::Number(name)),
        Err(variables::Error::Undefined(_)) => Ok(default),
        Err(error) => Err(TableError::Variable(name, error)),
    }
}

/// `None` where the document's reader let something through that cannot be sent; it never names a value, which may be
/// a secret.
fn destination(subscription: SubscriptionConfig) -> Option<Destination> {
    let endpoint = subscription.endpoint?;
    let mut headers = HeaderMap::new();
    for (name, value) in &endpoint.headers {
        let mut value = HeaderValue::from_str(value.reveal()).ok()?;
        value.set_sensitive(true);
        headers.append(HeaderName::from_bytes(name.as_bytes()).ok()?, value);
    }
    headers.entry(header::USER_AGENT).or_insert(AGENT);
    let outgoing = Outgoing {
        uri: endpoint.url.reveal().parse().ok()?,
        method: Method::from_bytes(endpoint.method.as_bytes()).ok()?,
        headers,
        content: subscription.delivery.content,
        forward: subscription.delivery.forward_headers.clone(),
        signer: Signer::try_new(&endpoint.signature, &endpoint.secrets).ok()?,
        templates: endpoint.templates.clone(),
        made: made(&endpoint, &subscription.delivery),
    };
    Some(Destination { outgoing, delivery: subscription.delivery })
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
