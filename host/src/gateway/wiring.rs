//! What each room is given of the configuration and of the rooms below it.

use super::GatewayError;
use super::config::unknown_wildcards;
use super::exits::Exits;
use super::routing::{self, EngineRouting};
use crate::call::{CallError, CallParts, Calls};
use crate::clock::WallClock;
use crate::config::ConfigError;
use crate::document::Resources;
use crate::engine::{Engine, EngineConfig, StartError};
use crate::gateway::Config;
use crate::ingress::{Credentials, ForwardedConfig, IngressConfig};
use crate::outbound::{Outbound, OutboundOptions};
use crate::plugin::{LoadedPlugins, Plugins};
use crate::server::{Descriptors, Limits, Listener};
use crate::source::{SourceReader, Sources};
#[cfg(feature = "sqlite")]
use crate::store::{SqliteOptions, SqliteStore};
use crate::store::{Store, StoreError};
use crate::stream::StompListener;
use crate::subscription::{Declared, Origin, Reader, Subscriptions, start_problem};
use crate::supervision::Supervisor;
use crate::telemetry::FilterActivity;
use anglerfish_core::config::{Document, SourceConfig, SubscriptionConfig};
use anglerfish_core::problem::Problem;
use anglerfish_core::request::UnixMillis;
use anglerfish_core::resource::ResourcePattern;
use anglerfish_core::router::{RoutingDocument, RoutingSubscription};
use anglerfish_core::verify::Verifier;
use futures_util::future::try_join_all;
use ipnet::IpNet;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

/// What everything that leaves shares, within the descriptors that are for it.
pub(super) fn outbound(config: &Config, descriptors: Descriptors) -> Result<Outbound, GatewayError> {
    let defaults = OutboundOptions::within(descriptors.outgoing);
    let config = &config.outbound;
    let wanted = config.max_connections.unwrap_or(defaults.max_connections);
    if wanted > defaults.max_connections {
        tracing::warn!(
            max_connections = wanted,
            connections = defaults.max_connections,
            "file descriptors allow fewer connections than `outbound.max_connections`"
        );
    }
    Ok(Outbound::try_new(OutboundOptions {
        max_connections: wanted.min(defaults.max_connections),
        max_connections_per_host: config.max_connections_per_host,
        proxy: config.proxy.clone(),
        only_roots: config.roots.clone(),
        ..defaults
    })?)
}

/// What the gateway listens on.
pub(super) struct Listeners {
    pub(super) ingress: Option<Arc<Listener>>,
    pub(super) admin: Option<Arc<Listener>>,
    pub(super) out: Option<Arc<Listener>>,
    pub(super) stomp: Option<Arc<StompListener>>,
    pub(super) documents: Option<Arc<Listener>>,
}

/// Which addresses are bound. A program that the gateway is part of may serve what there is on its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Binding {
    /// `server.listen`.
    pub(crate) ingress: bool,
    /// `admin.listen`.
    pub(crate) admin: bool,
}

impl Default for Binding {
    /// All that the configuration names, and that there is.
    fn default() -> Self {
        Self { ingress: true, admin: cfg!(feature = "api") }
    }
}

/// Binds all addresses, with the connections that their descriptors allow.
pub(super) async fn bind(
    config: &Config,
    binding: Binding,
    descriptors: Descriptors,
) -> Result<Listeners, GatewayError> {
    // One in eight is kept for those who look what is wrong; two for those who lease and read, which HTTP and STOMP share,
    // and two for those who write documents, where there may be any.
    let watchers = (descriptors.incoming / 8).max(1);
    let listens = usize::from(config.out.listen.is_some()) + usize::from(config.out.stomp.is_some());
    let producers = match config.documents.listen {
        Some(_) => config.documents.max_connections.min((descriptors.incoming / 4).max(1)),
        None => 0,
    };
    // What senders do not want is for those who read.
    let left = descriptors.incoming.saturating_sub(watchers + producers + config.server.max_connections);
    let share = (descriptors.incoming / 4).max(left) / listens.max(1);
    let subscribers = config.out.max_connections.min(share.max(1));
    let senders = descriptors.incoming.saturating_sub(watchers + subscribers * listens + producers).max(1);
    if config.server.max_connections > senders {
        tracing::debug!(
            max_connections = config.server.max_connections,
            connections = senders,
            "file descriptors allow fewer connections than `server.max_connections`"
        );
    }
    let limits = Limits {
        connections: config.server.max_connections.min(senders),
        per_address: usize::MAX,
        header: config.server.header_timeout,
        idle: config.server.idle_timeout,
        half_open: true,
        lasting: false,
    };
    let proxies = &config.server.trusted_proxies[..];
    let ingress = match binding.ingress {
        true => Some(bind_one(config.server.listen, "server.listen", limits, proxies).await?),
        false => None,
    };
    let connections = limits.connections.min(watchers);
    let admin = match binding.admin {
        true => {
            let limits = Limits { connections, half_open: false, ..limits };
            Some(bind_one(config.admin.listen, "admin.listen", limits, proxies).await?)
        }
        false => None,
    };
    // One alone cannot take all of them.
    let per_address = config.out.max_connections_per_address.unwrap_or(subscribers.div_ceil(2));
    if listens > 0 && config.out.max_connections > subscribers {
        tracing::warn!(
            max_connections = config.out.max_connections,
            connections = subscribers,
            connections_per_address = per_address.min(subscribers),
            max_readers = config.out.max_readers,
            descriptors = descriptors.limit,
            "file descriptors allow fewer connections than `out.max_connections`; further ones are refused"
        );
    }
    let out = match config.out.listen {
        Some(address) => {
            let idle = config.out.idle(limits.idle);
            let limits = Limits { connections: subscribers, per_address, idle, lasting: true, ..limits };
            Some(bind_one(address, "out.listen", limits, proxies).await?)
        }
        None => None,
    };
    let stomp = match config.out.stomp {
        Some(address) => {
            let bound = StompListener::bind(address, subscribers, per_address, proxies).await;
            let bound = bound.map_err(|error| GatewayError::Listen { address, key: "out.stomp", error })?;
            Some(Arc::new(bound))
        }
        None => None,
    };
    let documents = match config.documents.listen {
        Some(address) => {
            let limits = Limits { connections: producers, half_open: false, ..limits };
            Some(bind_one(address, "documents.listen", limits, proxies).await?)
        }
        None => None,
    };
    Ok(Listeners { ingress, admin, out, stomp, documents })
}

async fn bind_one(
    address: SocketAddr,
    key: &'static str,
    limits: Limits,
    proxies: &[IpNet],
) -> Result<Arc<Listener>, GatewayError> {
    let bound = Listener::bind(address, limits, proxies).await;
    bound.map(Arc::new).map_err(|error| GatewayError::Listen { address, key, error })
}

/// Starts an engine with this routing document. It blocks for as long as its tables take to load.
pub(super) async fn start_engine(
    config: &Config,
    document: RoutingDocument,
    store: &Arc<dyn Store>,
    supervisor: &Supervisor,
    activity: &FilterActivity,
    clock: &WallClock,
) -> Result<Arc<Engine>, GatewayError> {
    let settings = EngineConfig {
        workers: config.server.workers,
        queue: config.server.max_queue,
        deadline: config.server.decision_timeout,
        memory: usize::try_from(config.server.memory_limit).unwrap_or(usize::MAX),
        cache: Some(config.server.data_dir.join("cache")),
        supervisor: supervisor.clone(),
        activity: activity.clone(),
        clock: clock.clone(),
        ..EngineConfig::default()
    };
    let store = Arc::clone(store);
    let started = tokio::task::spawn_blocking(move || Engine::start(document, &*store, &settings)).await;
    match started {
        Ok(Ok(engine)) => Ok(Arc::new(engine)),
        Ok(Err(StartError::Problems(problems))) => Err(GatewayError::Config(config.locate(problems))),
        Ok(Err(StartError::Store(error))) => Err(GatewayError::Store(error)),
        Ok(Err(error)) => Err(GatewayError::Engine(error)),
        Err(error) => Err(GatewayError::Engine(StartError::Internal(error.to_string()))),
    }
}

/// Opens the store in the data directory.
#[cfg(feature = "sqlite")]
pub(super) fn open_store(
    config: &Config,
    supervisor: &Supervisor,
    clock: &WallClock,
) -> Result<Arc<dyn Store>, GatewayError> {
    /// Its file there.
    const FILE: &str = "anglerfish.db";
    let (path, options) = (config.server.data_dir.join(FILE), SqliteOptions::default());
    Ok(Arc::new(SqliteStore::open_supervised(&path, options, supervisor.clone(), clock.clone())?))
}

/// There is none in the data directory.
#[cfg(not(feature = "sqlite"))]
pub(super) fn open_store(_: &Config, _: &Supervisor, _: &WallClock) -> Result<Arc<dyn Store>, GatewayError> {
    Err(GatewayError::NoStore)
}

/// Loads the plugins of the configuration, and puts them in use.
pub(super) async fn load_plugins(config: &Config, plugins: Plugins) -> Result<Plugins, GatewayError> {
    plugins.replace(loaded_plugins(config, &plugins).await?);
    Ok(plugins)
}

/// The same without putting them in use. Compiling takes long, so it has a thread that may block.
pub(super) async fn loaded_plugins(
    config: &Config,
    plugins: &Plugins,
) -> Result<LoadedPlugins, GatewayError> {
    let (loading, configs) = (plugins.clone(), config.plugins.clone());
    match tokio::task::spawn_blocking(move || loading.load(&configs)).await {
        Ok(Ok(loaded)) => Ok(loaded),
        Ok(Err(problems)) => Err(GatewayError::Config(config.locate(problems))),
        Err(error) => Err(GatewayError::Engine(StartError::Internal(error.to_string()))),
    }
}

/// The subscriptions of the file, as the registry takes them.
pub(super) fn declared(config: &Config) -> Vec<Declared> {
    let written = config.document.subscriptions.iter().zip(&config.written);
    written
        .map(|((_, subscription), document)| Declared {
            config: subscription.clone(),
            document: document.clone(),
        })
        .collect()
}

/// What is wrong with where the file's subscriptions begin: beginning in the future is beginning now.
pub(super) fn check_starts(config: &Config, store: &dyn Store, now: UnixMillis) -> Result<(), ConfigError> {
    let starts = config.document.subscriptions.iter();
    let problems: Vec<_> = starts
        .filter_map(|(path, subscription)| Some(below(path, start_problem(store, subscription.start, now)?)))
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(config.locate(problems)) }
}

/// Puts the file's subscriptions into their queues, then opens the registry, which adds those of the store.
pub(super) async fn open_subscriptions(
    config: &Config,
    store: &Arc<dyn Store>,
    routing: Arc<EngineRouting>,
    exits: &Exits,
    reader: &SharedReader<SubscriptionConfig>,
    clock: &WallClock,
) -> Result<Subscriptions, GatewayError> {
    check_starts(config, &**store, clock.now())?;
    exits.deliveries.restore(store.standings().await?);
    for (path, subscription) in &config.document.subscriptions {
        exits.put(subscription).map_err(|problem| config.locate(vec![below(path, problem)]))?;
    }
    let dispatch = Arc::new(exits.clone());
    let (declared, reader, clock) = (declared(config), reader.reader(), clock.clone());
    Ok(Subscriptions::open(declared, reader, Arc::clone(store), routing, dispatch, clock).await?)
}

/// What the addresses of callbacks begin with: what the configuration says, or where the gateway listens, if others can know
/// that as an address.
pub(super) fn callback_base(config: &Config, listener: Option<&Listener>) -> Option<String> {
    let listening = listener.map(Listener::address).filter(|address| !address.ip().is_unspecified());
    let listening = listening.map(|address| format!("http://{address}"));
    config.server.public_url.clone().or(listening)
}

/// How many subscribers are noted at once: many share a commit.
const NOTED: usize = 512;

/// The file's subscriptions of resources, each with since when it is one.
pub(super) async fn followers(
    config: &Config,
    resources: &Resources,
    store: &dyn Store,
    now: UnixMillis,
) -> Result<Vec<RoutingSubscription>, GatewayError> {
    let known = |id: &str| resources.get(id).map(|entry| entry.config.pattern.clone());
    let all = config.document.subscriptions.iter();
    let problems: Vec<Problem> = { all.clone() }
        .flat_map(|(path, subscription)| {
            unfit(subscription, known).into_iter().map(move |problem| below(path, problem))
        })
        .collect();
    if !problems.is_empty() {
        return Err(config.locate(problems).into());
    }
    let mut followers = Vec::new();
    let noted: Vec<&SubscriptionConfig> = all
        .map(|(_, subscription)| subscription)
        .filter(|subscription| subscription.notification.is_some())
        .collect();
    for some in noted.chunks(NOTED) {
        let mut noted = Vec::with_capacity(some.len());
        for subscription in some {
            noted.push(routing::interested(store, subscription, now));
        }
        followers.extend(try_join_all(noted).await?.into_iter().map(|(subscription, _)| subscription));
    }
    Ok(followers)
}

/// What is wrong with a subscription of a resource that its resource says.
pub(super) fn unfit(
    subscription: &SubscriptionConfig,
    known: impl Fn(&str) -> Option<ResourcePattern>,
) -> Vec<Problem> {
    let Some(notification) = &subscription.notification else { return Vec::new() };
    match (known(&notification.resource), &subscription.endpoint) {
        (None, _) => {
            let message = format!("there is no resource {:?}", notification.resource);
            vec![Problem::new("resource", message)]
        }
        (Some(pattern), Some(endpoint)) => unknown_wildcards(notification, endpoint, &pattern).collect(),
        (Some(_), None) => Vec::new(),
    }
}

/// Makes the APIs of the configuration ready.
pub(super) async fn open_calls(config: &Config, parts: CallParts) -> Result<Calls, GatewayError> {
    for (path, api) in &config.apis {
        api.check(&parts.outbound).map_err(|problem| config.locate(vec![below(path, problem)]))?;
    }
    let apis = config.apis.iter().map(|(_, api)| api.clone()).collect();
    Calls::open(parts, apis).await.map_err(|error| match error {
        CallError::Store(error) => GatewayError::Store(error),
        CallError::Invalid(problems) => GatewayError::Config(config.locate(problems)),
        error => GatewayError::Store(StoreError::Internal(error.to_string())),
    })
}

/// Reads sources that are written at run time by this configuration.
pub(super) fn source_reader(config: &Config) -> SourceReader {
    let reader = config.source_reader();
    Arc::new(move |document: &[u8]| reader.read(document))
}

/// Reads subscriptions that are written at run time by this configuration.
pub(super) fn reader(config: &Config) -> Reader {
    let reader = config.subscription_reader();
    Arc::new(move |document: &[u8]| reader.read(document))
}

/// The reader in use: of subscriptions, or of sources.
pub(super) struct SharedReader<T> {
    current: Arc<RwLock<ReadDocument<T>>>,
}

type ReadDocument<T> = Arc<dyn Fn(&[u8]) -> Result<T, Vec<Problem>> + Send + Sync>;

impl<T: 'static> SharedReader<T> {
    pub(super) fn new(reader: ReadDocument<T>) -> Self {
        Self { current: Arc::new(RwLock::new(reader)) }
    }

    /// From now on this one is used.
    pub(super) fn replace(&self, reader: ReadDocument<T>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = reader;
    }

    /// Whichever is in use when it is called.
    pub(super) fn reader(&self) -> ReadDocument<T> {
        let current = Arc::clone(&self.current);
        Arc::new(move |document: &[u8]| {
            let reader = Arc::clone(&current.read().unwrap_or_else(PoisonError::into_inner));
            reader(document)
        })
    }
}

/// Says in the log what may be meant as it stands and hardly is, in the file and in what was written at run time.
pub(super) fn warn(config: &Config, sources: &Sources, subscriptions: &Subscriptions) {
    for warning in &config.warnings {
        tracing::warn!("{}", warning.as_warning());
    }
    for source in sources.list() {
        for warning in source.warnings() {
            tracing::warn!(source = source.name, "{warning}");
        }
    }
    for subscription in subscriptions.list(None, usize::MAX).0 {
        if subscription.origin == Origin::Api {
            for warning in subscriptions.warnings(&subscription) {
                tracing::warn!(subscription = subscription.id, "{warning}");
            }
        }
    }
}

/// What must not be recorded of requests to a source.
pub(crate) fn credentials(path: &str, source: &SourceConfig) -> Result<Credentials, Vec<Problem>> {
    let verifier = Verifier::try_new(path, &source.verification)?;
    let headers = verifier.credential_headers().iter().map(|name| name.to_ascii_lowercase()).collect();
    Ok(Credentials { headers, parameters: verifier.credential_parameters().to_vec() })
}

/// How requests are taken in, with the sources of `document`.
pub(super) fn ingress_config(config: &Config, document: &Document) -> Result<IngressConfig, GatewayError> {
    let mut credentials = HashMap::new();
    for (path, source) in &document.sources {
        let found = self::credentials(path, source).map_err(|problems| config.locate(problems))?;
        credentials.insert(source.name.clone(), found);
    }
    Ok(IngressConfig {
        body_limit: config.server.body_limit,
        body_timeout: config.server.body_timeout,
        requests: config.server.max_requests,
        body_memory: config.server.body_memory,
        forwarded: ForwardedConfig {
            trusted: config.server.trusted_proxies.clone(),
            prefix: config.server.path_prefix.clone(),
        },
        credentials,
    })
}

/// A problem of a subscription, as one of the configuration.
pub(super) fn below(path: &str, problem: Problem) -> Problem {
    Problem { path: format!("{path}.{}", problem.path), ..problem }
}
