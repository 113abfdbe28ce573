//! What this instance decides by: the gateway component's router, and where each subscription's events go.
//!
//! It is loaded at the instance's first request and kept. Whether there is another version of the configuration is looked up
//! again after a second.

use crate::binding::Router;
use crate::bucket::Bucket;
use crate::configuration::{self, Current};
use crate::setting::{self, SettingError};
use crate::{clock, convert, diagnostic};
use anglerfish_core::attempt::{Outgoing, made, telling_policy};
use anglerfish_core::config::{
    DeliveryConfig, EndpointConfig, NotificationConfig, PluginUse, SubscriptionConfig,
};
use anglerfish_core::edge::{Deployment, Directory, PackedConfiguration};
use anglerfish_core::problem::Problem;
use anglerfish_core::resource::Action;
use anglerfish_core::sign::Signer;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// The component variable that holds the configuration document (JSON), where none was deployed.
const CONFIGURATION: &str = "configuration";

/// How long an instance goes on by a version before it looks whether there is another one, in milliseconds.
const FRESH: u64 = 1_000;

/// Who sends.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("anglerfish/", env!("CARGO_PKG_VERSION")));

thread_local! {
    static LOADED: RefCell<Option<Loaded>> = const { RefCell::new(None) };
}

struct Loaded {
    table: Rc<Table>,
    checked: u64,
}

/// What an instance loads once.
pub(crate) struct Table {
    /// The gateway component's router.
    pub(crate) router: Router,
    /// The sources and subscriptions.
    pub(crate) directory: Directory,
    /// Which version of the configuration it is; `None` if it is from the variable.
    pub(crate) current: Option<Current>,
    destinations: RefCell<HashMap<String, Rc<Destination>>>,
}

/// A subscription's endpoint, made ready once, and its policy.
pub(crate) struct Destination {
    /// What is sent; the configured fields include `user-agent`.
    pub(crate) outgoing: Outgoing,
    /// What counts as delivered, and how long to wait.
    pub(crate) delivery: DeliveryConfig,
    /// The plugins that are asked before something is sent, in their order.
    pub(crate) plugins: Vec<PluginUse>,
    /// How the subscriber of a resource is told, in the place of what is sent.
    tellings: Option<Tellings>,
}

/// How the subscriber of a resource is told.
struct Tellings {
    notification: NotificationConfig,
    /// Where each action is told.
    targets: Vec<(Action, Rc<Outgoing>)>,
}

impl Destination {
    /// Whether it is told of documents.
    pub(crate) fn is_told(&self) -> bool {
        self.tellings.is_some()
    }

    /// How it is told of what became of a document, and where.
    pub(crate) fn telling(&self, action: Action) -> Option<(&NotificationConfig, Rc<Outgoing>)> {
        let Tellings { notification, targets } = self.tellings.as_ref()?;
        let (_, outgoing) = targets.iter().find(|(known, _)| *known == action)?;
        Some((notification, Rc::clone(outgoing)))
    }
}

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TableError {
    #[error(transparent)]
    Setting(#[from] SettingError),
    #[error("no configuration was deployed, and the variable {CONFIGURATION:?} is not set")]
    Missing,
    #[error("the configuration cannot be read from the key-value store: {0}")]
    Store(String),
    #[error("the configuration is not JSON: {0}")]
    Json(serde_json::Error),
    #[error("the configuration has problems: {}", lines(.0))]
    Problems(Vec<Problem>),
}

impl TableError {
    /// The same for whoever may ask `GET /ready`: where the problems are, and nothing of what is written there.
    pub(crate) fn public(&self) -> String {
        match self {
            Self::Setting(error) => error.public(),
            Self::Missing => self.to_string(),
            Self::Store(_) => "the configuration cannot be read from the key-value store".to_owned(),
            Self::Json(_) => "the configuration is not JSON".to_owned(),
            Self::Problems(problems) => {
                let places: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
                format!("the configuration has problems at {}", places.join(", "))
            }
        }
    }
}

impl Table {
    /// Where a subscription's events go; `None` if there is no such subscription.
    pub(crate) fn destination(&self, subscription: &str) -> Option<Rc<Destination>> {
        if let Some(known) = self.destinations.borrow().get(subscription) {
            return Some(Rc::clone(known));
        }
        let made = Rc::new(destination(self.directory.subscription(subscription)?)?);
        self.destinations.borrow_mut().insert(subscription.to_owned(), Rc::clone(&made));
        Some(made)
    }

    /// The version's number, or 0 for the variable's.
    pub(crate) fn version(&self) -> u64 {
        self.current.as_ref().map_or(0, |current| current.version.version)
    }
}

/// The table of this instance. A failure is not kept: the next request tries again, so a configuration that was put right
/// needs no restart.
pub(crate) async fn table() -> Result<Rc<Table>, TableError> {
    let now = clock::now();
    let known = LOADED.with_borrow(|loaded| {
        loaded.as_ref().map(|loaded| (Rc::clone(&loaded.table), now.saturating_sub(loaded.checked) < FRESH))
    });
    let old = match known {
        Some((table, true)) => return Ok(table),
        Some((table, false)) => Some(table),
        None => None,
    };
    let table = match newest(old.as_ref()).await {
        Ok(table) => table,
        // What was right a second ago is better than nothing.
        Err(error) => {
            let Some(table) = old else { return Err(error) };
            diagnostic::report(&format!("going on by version {}: {error}", table.version()));
            table
        }
    };
    LOADED.set(Some(Loaded { table: Rc::clone(&table), checked: now }));
    Ok(table)
}

/// Has the next request look for another version.
pub(crate) fn expire() {
    LOADED.with_borrow_mut(|loaded| loaded.iter_mut().for_each(|loaded| loaded.checked = 0));
}

async fn newest(old: Option<&Rc<Table>>) -> Result<Rc<Table>, TableError> {
    setting::settings().await?;
    let bucket = Bucket::open().map_err(TableError::Store)?;
    let Some(current) = configuration::current(&bucket).map_err(TableError::Store)? else {
        return match old.filter(|old| old.current.is_none()) {
            Some(old) => Ok(Rc::clone(old)),
            None => of_variable().await,
        };
    };
    if let Some(old) = old.filter(|old| old.version() == current.version.version) {
        return Ok(Rc::clone(old));
    }
    let packed = configuration::load_packed(&bucket, &current.version).map_err(TableError::Store)?;
    let why = match packed.and_then(|packed| of_packed(packed, &current)) {
        Ok(table) => return Ok(table),
        Err(why) => why,
    };
    let number = current.version.version;
    diagnostic::report(&format!(
        "version {number} of the configuration is loaded as a whole, and packed again: {why}"
    ));
    let deployment = configuration::load(&bucket, &current.version).map_err(TableError::Store)?;
    let table = build(&deployment, Some(current.clone())).map_err(TableError::Problems)?;
    if let Err(error) = configuration::pack_again(&bucket, &current.version, &deployment) {
        diagnostic::report(&format!("version {number} of the configuration was not packed: {error}"));
    }
    Ok(table)
}

/// The table that was packed when the configuration was taken.
fn of_packed(packed: PackedConfiguration, current: &Current) -> Result<Rc<Table>, String> {
    let directory = Directory::read(packed.directory)?;
    let router = Router::load_packed(&packed.routing)?;
    Ok(Rc::new(Table { router, directory, current: Some(current.clone()), destinations: RefCell::default() }))
}

async fn of_variable() -> Result<Rc<Table>, TableError> {
    let text = setting::text(CONFIGURATION).await?.ok_or(TableError::Missing)?;
    let document: Value = serde_json::from_str(&text).map_err(TableError::Json)?;
    let deployment = Deployment::read(&document).map_err(TableError::Problems)?;
    if deployment.has_documents() {
        let message = "since when somebody subscribes is known of configurations alone that were deployed";
        let problem =
            Problem::new("resource", message).with_hint("deploy it with `anglerfish deploy-config`");
        return Err(TableError::Problems(vec![problem]));
    }
    build(&deployment, None).map_err(TableError::Problems)
}

/// Loads a configuration into the gateway component.
pub(crate) fn build(deployment: &Deployment, current: Option<Current>) -> Result<Rc<Table>, Vec<Problem>> {
    let router = Router::load(deployment.routing.get().as_bytes())
        .map_err(|problems| problems.into_iter().map(convert::problem).collect::<Vec<_>>())?;
    let directory = Directory::of(deployment).map_err(|error| vec![Problem::new("", error)])?;
    Ok(Rc::new(Table { router, directory, current, destinations: RefCell::default() }))
}

/// `None` where the document's reader let something through that cannot be sent; it never names a value, which may be
/// a secret.
fn destination(subscription: SubscriptionConfig) -> Option<Destination> {
    let SubscriptionConfig { endpoint, notification, delivery, plugins, .. } = subscription;
    let endpoint = endpoint?;
    let tellings = match notification {
        Some(notification) => {
            let policy = telling_policy(&delivery, &notification);
            let of = |action| {
                Some((action, Rc::new(outgoing(&notification.endpoint(&endpoint, action), &policy)?)))
            };
            let targets = Action::ALL.into_iter().map(of).collect::<Option<Vec<_>>>()?;
            Some(Tellings { notification: *notification, targets })
        }
        None => None,
    };
    Some(Destination { outgoing: outgoing(&endpoint, &delivery)?, delivery, plugins, tellings })
}

fn outgoing(endpoint: &EndpointConfig, delivery: &DeliveryConfig) -> Option<Outgoing> {
    let mut headers = HeaderMap::new();
    for (name, value) in &endpoint.headers {
        let mut value = HeaderValue::from_str(value.reveal()).ok()?;
        value.set_sensitive(true);
        headers.append(HeaderName::from_bytes(name.as_bytes()).ok()?, value);
    }
    headers.entry(header::USER_AGENT).or_insert(AGENT);
    Some(Outgoing {
        uri: endpoint.url.reveal().parse().ok()?,
        method: Method::from_bytes(endpoint.method.as_bytes()).ok()?,
        headers,
        content: delivery.content,
        forward: delivery.forward_headers.clone(),
        signer: Signer::try_new(&endpoint.signature, &endpoint.secrets).ok()?,
        templates: endpoint.templates.clone(),
        made: made(endpoint, delivery),
    })
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
