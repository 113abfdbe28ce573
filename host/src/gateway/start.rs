//! Starting and ending.

use super::{GatewayError, retention};
use crate::api::{self, Access, Api};
use crate::clock;
use crate::config::Config;
use crate::delivery::{Deliveries, DeliveryMetrics, DeliveryOptions, ProviderOptions};
use crate::engine::{Engine, EngineConfig, EngineRouting, StartError};
use crate::fetch::DocumentCache;
use crate::ingress::{Credentials, Fetcher, ForwardedConfig, Ingress, IngressConfig, Outlet};
use crate::server::{Limits, Listener};
use crate::store::{LeasedDelivery, SqliteOptions, SqliteStore, Store};
use crate::subscription::{Declared, Subscriptions};
use crate::telemetry::{IngressMetrics, Readiness, Scrape};
use anglerfish_core::problem::Problem;
use anglerfish_core::router::RoutingDocument;
use anglerfish_core::verify::Verifier;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower_service::Service;

/// The file of the store within the data directory.
const STORE_FILE: &str = "anglerfish.db";

/// A running gateway.
pub struct Gateway {
    ingress_address: SocketAddr,
    admin_address: SocketAddr,
    shutdown_timeout: Duration,
    readiness: Readiness,
    store: Arc<dyn Store>,
    deliveries: Deliveries,
    stop_ingress: CancellationToken,
    stop_admin: CancellationToken,
    ingress: JoinHandle<()>,
    admin: JoinHandle<()>,
    retention: JoinHandle<()>,
}

impl Gateway {
    /// Starts a gateway. When it returns, requests are taken in and deliveries that wait go on.
    ///
    /// # Errors
    ///
    /// If the configuration has problems that only the component sees, the store cannot be opened, or an address is
    /// taken. Nothing is left running.
    pub async fn start(config: Config) -> Result<Self, GatewayError> {
        let documents = DocumentCache::try_new(ProviderOptions::default())?;
        Self::start_with(config, Arc::new(documents)).await
    }

    /// Starts a gateway that has the documents which decisions ask for (certificates, keys, confirmations) from a
    /// fetcher of the caller's.
    ///
    /// # Errors
    ///
    /// Like [`Gateway::start`].
    pub async fn start_with(config: Config, documents: Arc<dyn Fetcher>) -> Result<Self, GatewayError> {
        // Addresses first: a second gateway by mistake should not get as far as the data.
        let limits =
            Limits { connections: config.server.max_connections, header: config.server.header_timeout };
        let ingress_listener = bind(config.server.listen, "server.listen", limits).await?;
        let admin_listener = bind(config.admin.listen, "admin.listen", Limits::default()).await?;
        let listen_error = |address, key| move |error| GatewayError::Listen { address, key, error };
        let ingress_address =
            ingress_listener.address().map_err(listen_error(config.server.listen, "server.listen"))?;
        let admin_address =
            admin_listener.address().map_err(listen_error(config.admin.listen, "admin.listen"))?;

        let store: Arc<dyn Store> =
            Arc::new(SqliteStore::open(&config.server.data_dir.join(STORE_FILE), SqliteOptions::default())?);
        let engine = Arc::new(start_engine(&config, &*store)?);
        let mut registry = Scrape::registry();
        let metrics = IngressMetrics::register(&mut registry);
        let options =
            DeliveryOptions { metrics: DeliveryMetrics::register(&mut registry), ..Default::default() };
        let deliveries = Deliveries::try_new(Arc::clone(&store), options)?;
        for (path, subscription) in &config.document.subscriptions {
            deliveries.put(subscription).map_err(|problem| config.locate(vec![below(path, problem)]))?;
        }
        let subscriptions = open_subscriptions(&config, &store, &engine, &deliveries).await?;

        let readiness = Readiness::new();
        let (stop_ingress, stop_admin) = (CancellationToken::new(), CancellationToken::new());
        let service = Arc::new(Ingress::new(
            ingress_config(&config)?,
            engine,
            Arc::clone(&store),
            Arc::new(Queues(deliveries.clone())),
            documents,
            metrics,
        ));
        let drain = config.server.shutdown_timeout;
        let ingress = tokio::spawn(ingress_listener.serve(
            move |request, peer| Arc::clone(&service).handle(request, peer),
            stop_ingress.clone(),
            drain,
        ));
        let api = Api {
            store: Arc::clone(&store),
            subscriptions,
            readiness: readiness.clone(),
            scrape: Arc::new(Scrape::new(registry, Arc::clone(&store))),
            clock: Arc::new(clock::now),
        };
        let router = api::router(api, Access::new(config.admin.token.as_ref(), admin_address));
        let admin = tokio::spawn(admin_listener.serve(
            move |request, _| {
                // A router of axum is always ready.
                let answer = router.clone().call(request);
                async move { answer.await.unwrap_or_else(|never| match never {}) }
            },
            stop_admin.clone(),
            drain,
        ));
        let retention =
            tokio::spawn(retention::run(Arc::clone(&store), config.store.retention, stop_ingress.clone()));
        Ok(Self {
            ingress_address,
            admin_address,
            shutdown_timeout: drain,
            readiness,
            store,
            deliveries,
            stop_ingress,
            stop_admin,
            ingress,
            admin,
            retention,
        })
    }

    /// Where events are taken in.
    #[must_use]
    pub fn ingress_address(&self) -> SocketAddr {
        self.ingress_address
    }

    /// Where the management API listens.
    #[must_use]
    pub fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// Stops taking requests in, lets those under way and the running attempts end within the configured time, and
    /// closes the store. What was accepted and not delivered goes on at the next start.
    pub async fn shutdown(self) {
        let _stopping = self.readiness.latch("the gateway is stopping");
        self.stop_ingress.cancel();
        let _ = self.ingress.await;
        self.deliveries.shutdown(self.shutdown_timeout).await;
        self.stop_admin.cancel();
        let _ = self.admin.await;
        let _ = self.retention.await;
        self.store.close().await;
    }
}

/// The delivery queues as ingress sees them.
struct Queues(Deliveries);

impl Outlet for Queues {
    fn offer(&self, deliveries: Vec<LeasedDelivery>) {
        self.0.offer(deliveries);
    }
}

async fn bind(address: SocketAddr, key: &'static str, limits: Limits) -> Result<Listener, GatewayError> {
    Listener::bind(address, limits).await.map_err(|error| GatewayError::Listen { address, key, error })
}

fn start_engine(config: &Config, store: &dyn Store) -> Result<Engine, GatewayError> {
    let settings = EngineConfig {
        workers: config.server.workers,
        queue: config.server.max_queue,
        deadline: config.server.decision_timeout,
        memory: usize::try_from(config.server.memory_limit).unwrap_or(usize::MAX),
        cache: Some(config.server.data_dir.join("cache")),
    };
    Engine::start(RoutingDocument::from(&config.document), store, &settings).map_err(|error| match error {
        StartError::Problems(problems) => GatewayError::Config(config.locate(problems)),
        StartError::Store(error) => GatewayError::Store(error),
        error => GatewayError::Engine(error),
    })
}

async fn open_subscriptions(
    config: &Config,
    store: &Arc<dyn Store>,
    engine: &Arc<Engine>,
    deliveries: &Deliveries,
) -> Result<Subscriptions, GatewayError> {
    let declared = config
        .document
        .subscriptions
        .iter()
        .zip(&config.written)
        .map(|((_, subscription), written)| Declared {
            config: subscription.clone(),
            document: written.clone(),
        })
        .collect();
    let reader = config.subscription_reader();
    let routing = Arc::new(EngineRouting::new(Arc::clone(engine)));
    let reader = Arc::new(move |document: &[u8]| reader.read(document));
    let dispatch = Arc::new(deliveries.clone());
    Ok(Subscriptions::open(declared, reader, Arc::clone(store), routing, dispatch).await?)
}

fn ingress_config(config: &Config) -> Result<IngressConfig, GatewayError> {
    let mut credentials = HashMap::new();
    for (path, source) in &config.document.sources {
        let verifier =
            Verifier::try_new(path, &source.verification).map_err(|problems| config.locate(problems))?;
        let headers = verifier.credential_headers().iter().map(|name| name.to_ascii_lowercase()).collect();
        let parameters = verifier.credential_parameters().to_vec();
        credentials.insert(source.name.clone(), Credentials { headers, parameters });
    }
    Ok(IngressConfig {
        body_limit: config.server.body_limit,
        body_timeout: config.server.body_timeout,
        requests: config.server.max_requests,
        forwarded: ForwardedConfig { trusted: config.server.trusted_proxies.clone() },
        credentials,
    })
}

fn below(path: &str, problem: Problem) -> Problem {
    Problem { path: format!("{path}.{}", problem.path), ..problem }
}
